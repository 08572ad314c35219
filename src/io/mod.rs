//! The wing that touches the world; each room drives its namesake in the thinking wing.

pub mod clock;
pub mod console;
pub mod health;
pub mod mqtt;
pub mod panel;
pub mod task;
