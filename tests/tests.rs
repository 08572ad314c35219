//! The one test binary: each module a promise of the product, with a sentence above it.
//!
//! One binary, because each further one links GStreamer again.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected ends there and says where")]

/// The never arrows, the map, and what no file may hold.
mod house;
/// Sender and gateway on real sockets.
mod loopback;
/// Who they speak with.
mod peers;
/// What the kernel says of the uplinks, in network namespaces.
mod uplinks;
