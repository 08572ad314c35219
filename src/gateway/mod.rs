//! Gateway: the far end of many boxes on one UDP port, each group's SRT session passed to its listener.
//!
//! ```text
//! links ──handle_datagram──► group of the address ──poll_local──► SRT listener
//! links ◄──poll_transmit──── all links, or the latest ◄──handle_local── SRT listener
//! ```
//!
//! Drive it as every machine here: after each `handle_*`, poll everything until it is empty.

mod config;
mod echo;
mod field;
mod group;
mod outlet;
mod quota;
mod seen;
mod stats;

use std::net::SocketAddr;

use bytes::Bytes;

pub use config::{Config, Limits};
pub use echo::{Opaque, Programme, Watch};
pub use outlet::{GroupKey, Transmit};
pub use stats::{GroupFigures, LinkFigures, Speaks, Stats};

use crate::rng::Rng;
use crate::time::Instant;
use field::Field;
use outlet::Outlet;

/// The machine.
#[derive(Debug)]
pub struct Gateway {
    field: Field,
    out: Outlet,
}

impl Gateway {
    /// A gateway without groups.
    #[must_use]
    pub fn new(now: Instant, limits: Limits, rng: Rng) -> Self {
        Self { field: Field::new(now, limits, rng), out: Outlet::default() }
    }

    /// A datagram from the public side. What nobody here asked for costs no memory and no line of the log.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.field.handle_datagram(now, from, datagram, &mut self.out);
    }

    /// A datagram from the SRT listener of a group.
    pub fn handle_local(&mut self, group: GroupKey, datagram: &Bytes) {
        self.field.handle_local(group, datagram, &mut self.out);
    }

    /// The time that [`Gateway::next_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.field.handle_timeout(now, &mut self.out);
    }

    /// Limits of the settings read again; what is over a lowered limit stays until it ends by itself.
    pub fn handle_limits(&mut self, limits: Limits) {
        self.field.handle_limits(limits);
    }

    /// When to call [`Gateway::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.field.next_timeout()
    }

    /// The next datagram for a link.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// The next datagram for the SRT listener, from a socket of the group's own.
    pub fn poll_local(&mut self) -> Option<(GroupKey, Bytes)> {
        self.out.local.pop_front()
    }

    /// The next group that is gone; its socket towards the listener can be closed.
    pub fn poll_closed(&mut self) -> Option<GroupKey> {
        self.out.closed.pop_front()
    }

    /// What is held now, and what was dropped so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.field.stats()
    }

    /// Every group, measured.
    pub fn figures(&self) -> impl Iterator<Item = GroupFigures> + '_ {
        self.field.figures()
    }
}

#[cfg(test)]
mod tests;
