//! The bonding engine: one stream over many links, each packet to the link that brings it in time.
//!
//! [`Sender`] takes an SRT caller's datagrams, or transport streams from a mux, and gives datagrams on
//! links; `Receiver` puts those of our own dialect in order at the far end. Both are machines without
//! clock and socket. `io/bond.rs` drives it with real sockets, `sim/world.rs` in virtual time.
//! `docs/bonding.md` tells how it decides, and why.

mod caller;
mod capacity;
mod config;
mod core;
mod field;
mod held;
mod lane;
mod link;
pub mod native;
mod near;
pub mod parity;
mod queue;
mod receiver;
mod recovery;
mod reorder;
mod rtt;
mod scheduler;
mod seal;
mod sender;
mod session;
mod srtla;
mod stats;
mod target;
mod tunnel;
mod without;

pub use crate::wire::echo;
pub use config::{BEYOND, Config, Dialect, LinkConfig};
pub use core::Transmit;
pub use receiver::{LaneStats, Output, Receiver, ReceiverConfig, ReceiverStats, StreamStats};
pub use scheduler::MOST_LINKS;
pub use seal::Plain;
pub use sender::Sender;
pub use stats::{GroupStats, LinkId, LinkPhase, LinkStats};
pub use without::Without;
