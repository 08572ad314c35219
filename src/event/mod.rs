//! One event: who speaks when, what they allow, and who has the floor.

mod agenda;
mod config;
mod floor;
mod ical;
mod permission;
mod read;
mod row;
mod zone;

pub use agenda::{Agenda, Talk};
pub use config::{Config, Split, Zone};
pub use floor::{Floor, UNDO};
pub use permission::Permissions;
pub use read::{MAX_FILE, read};
