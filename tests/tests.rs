//! The one test binary: each module a promise of the product, with a sentence above it.
//!
//! One binary, because each further one links GStreamer again.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected ends there and says where")]
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]

/// One stream over many links: what is lost, what is late, and what the SRT caller hears.
mod bonding;
/// The console page in a headless Chromium against a running box.
mod console_page;
/// `livebox status` and `livebox send` against a running console socket.
mod console_socket;
/// What the box decides: on air, bitrate, restarts, alarms.
mod control;
/// What the fuzzer found worth keeping, on any toolchain.
mod corpus;
/// The unit files, the recipe and the binary say the same.
mod deploy;
/// One seed, one run.
mod determinism;
/// The cloud side with native boxes and stock SRT peers.
#[cfg(feature = "gstreamer")]
mod gateway_native;
/// The never arrows, the map, and what no file may hold.
mod house;
/// Which mixer line is on air, and when the programme leaves one by itself.
mod line_choice;
/// What is wrong with a mixer line is found in time, and what is right is left alone.
mod lines;
/// Sender and gateway on real sockets.
mod loopback;
/// Pictures and sound, from the devices to a stock receiver.
#[cfg(feature = "gstreamer")]
mod media;
/// Sound in step with its picture, for an hour of virtual time.
mod media_in_step;
/// The box and a real mosquitto: will, retained topics, commands, lost brokers, TLS.
mod mqtt;
mod native;
/// Both ends of the native dialect, sealed: narrow paths, and what a group keeps.
mod native_ends;
/// A native session: one handshake in bytes, and what sealing costs.
mod native_session;
/// The native dialect, byte by byte.
mod native_wire;
/// The box's own ways out, bound to their uplinks, and the dual image through a gateway.
#[cfg(feature = "gstreamer")]
mod outputs;
/// What control makes of the box's own ways out.
mod outputs_decided;
/// The front panel: pictures, hands, displays.
mod panel;
/// Who they speak with.
mod peers;
/// Pictures judged, slates, the second camera.
mod pictures;
/// What is recorded, byte by byte, and what a killed box or a full disk costs.
mod record;
/// Every stream is recorded, from the bytes that are sent.
#[cfg(feature = "gstreamer")]
mod record_streams;
/// What the bonding reaches, beside what is kept of it.
mod score;
/// Every file that ships loads, the reference explains every key, and wrong files tell everything.
mod settings;
/// The field's wire, byte by byte.
mod srtla_wire;
/// A box in standby with everything in order, for the tests of the faces.
mod standing;
/// SRT inside the tunnel, as stock programs speak it.
mod tunnel;
/// What the kernel says of the uplinks, in network namespaces.
mod uplinks;
