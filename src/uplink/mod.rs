//! The ways out of the box.

mod kernel;
mod state;

pub use kernel::{Device, Kernel};
pub use state::Uplink;
