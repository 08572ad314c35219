//! The wing that touches the world; each room drives its namesake in the thinking wing.

pub mod bond;
pub mod clock;
pub mod config;
pub mod console;
pub mod control;
pub mod event;
pub mod flow;
pub mod gateway;
pub mod health;
pub mod intent;
pub mod keys;
#[cfg(feature = "gstreamer")]
pub mod media;
pub mod mqtt;
pub mod netem;
pub mod panel;
pub mod record;
pub mod reel;
pub mod seed;
pub mod system;
pub mod task;
pub mod udp;
pub mod uplink;
