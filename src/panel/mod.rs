//! Panel: Status in, a picture of 128 × 64 points out.
//!
//! [`home`] draws on any display; [`Frame`] is one in memory. `io/panel` shows it.

mod draw;
mod frame;
mod home;

pub use frame::Frame;
pub use home::home;

/// Points across.
pub const WIDTH: u32 = 128;

/// Points down.
pub const HEIGHT: u32 = 64;
