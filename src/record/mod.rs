//! Recordings on the local disk: how the sent bytes become segments, and which of them stay.

mod config;
mod label;
mod segment;

pub use config::{Config, When};
pub use label::Label;
pub use segment::{Segment, StopCause};
