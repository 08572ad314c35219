//! The promises of the box, one module a room.
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]

/// Pictures and sound, from the devices to a stock receiver.
#[cfg(feature = "gstreamer")]
mod media;
