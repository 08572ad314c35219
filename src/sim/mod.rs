//! A box and a receiver in virtual time: scenarios, the links they describe, and the score.
//!
//! [`Netem`] is one link in one direction, a machine without clock or socket: `world` drives it in
//! virtual time, `io/netem` with real datagrams.

pub mod netem;
pub mod scenario;
pub mod trace;

pub use netem::{Direction, Netem};
pub use scenario::{LinkScenario, Scenario};
pub use trace::Trace;
