//! The one test binary: each module a promise of the product, with a sentence above it.
//!
//! One binary, because each further one links GStreamer again.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected ends there and says where")]

/// The never arrows, the map, and what no file may hold.
mod house;

/// What the box decides: on air, bitrate, restarts, alarms.
mod control;

/// Every file that ships loads, the reference explains every key, and wrong files tell everything.
mod settings;
