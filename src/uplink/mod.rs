//! The ways out of the box.

mod state;

pub use state::Uplink;
