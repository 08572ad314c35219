//! One event: who speaks when, what they allow, and who has the floor.

mod agenda;
mod config;
mod floor;
mod permission;
mod zone;

pub use agenda::{Agenda, Talk};
pub use config::{Config, Split, Zone};
pub use floor::{Floor, UNDO};
pub use permission::Permissions;
