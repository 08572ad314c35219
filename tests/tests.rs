//! The one test binary: each module a promise of the product, with a sentence above it.
//!
//! One binary, because each further one links GStreamer again.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected ends there and says where")]

/// `livebox status` and `livebox send` against a running console socket.
mod console_socket;
/// Unit files, recipe and binary speak of the same names, paths and version.
mod deploy;
/// The never arrows, the map, and what no file may hold.
mod house;
/// The box and a real mosquitto: will, retained topics, commands, lost brokers, TLS.
mod mqtt;
/// The home screen as pictures, nothing cut off.
mod panel;
/// A box in standby with everything in order, for the tests of the faces.
mod standing;
//! The promises of the box, one module a room.
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]

/// Pictures and sound, from the devices to a stock receiver.
#[cfg(feature = "gstreamer")]
mod media;

/// What the box decides: on air, bitrate, restarts, alarms.
mod control;

/// Every file that ships loads, the reference explains every key, and wrong files tell everything.
mod settings;
