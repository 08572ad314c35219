//! A box and a receiver in virtual time: scenarios, the links they describe, and the score.
//!
//! [`Netem`] is one link in one direction, a machine without clock or socket: [`World`] drives it in
//! virtual time, `io/netem` with real datagrams. `docs/sim.md` describes the files.

mod far;
mod far_native;
pub mod follow;
pub mod limit;
mod listener;
pub mod netem;
mod radio;
pub mod scenario;
pub mod score;
mod source;
pub mod trace;
pub mod world;

pub use follow::{Followed, follow};
pub use limit::{highest_share, interval_bound, lowest_bad, oracle};
pub use netem::{Direction, Netem};
pub use scenario::{LinkScenario, Scenario};
pub use score::Score;
pub use trace::Trace;
pub use world::{Play, Shared, World};
