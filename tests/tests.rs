//! The promises of the box, one module a room.
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

/// Pictures and sound, from the devices to a stock receiver.
#[cfg(feature = "gstreamer")]
mod media;
