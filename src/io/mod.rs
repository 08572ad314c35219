//! The wing that touches the world; each room drives its namesake in the thinking wing.

pub mod clock;
pub mod config;
pub mod control;
pub mod health;
pub mod intent;
pub mod mqtt;
pub mod system;
pub mod task;
