//! The wing that touches the world; each room drives its namesake in the thinking wing.

pub mod clock;
#[cfg(feature = "gstreamer")]
pub mod media;
pub mod task;
