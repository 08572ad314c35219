//! The wing that touches the world; each room drives its namesake in the thinking wing.

pub mod bond;
pub mod clock;
pub mod config;
pub mod console;
pub mod control;
pub mod gateway;
pub mod health;
pub mod intent;
pub mod mqtt;
pub mod netem;
pub mod seed;
pub mod system;
#[cfg(feature = "gstreamer")]
pub mod media;
pub mod panel;
pub mod task;
pub mod udp;
pub mod uplink;
