//! Gateway: the far end of many boxes on one UDP port, SRTLA and native side by side.
//!
//! ```text
//! links ──handle_datagram──► group ──┬─poll_local──► its SRT listener
//! links ◄──poll_transmit──── group ◄─┼─handle_local─ its SRT listener
//!                                    └─poll_release─► the destinations of a ts stream
//! ```
//!
//! An SRTLA group is found by its links' addresses, a native one by the session in each datagram.
//! Drive it as every machine here: after each `handle_*`, poll everything until it is empty.

mod backlog;
mod config;
mod destination;
mod echo;
mod entry;
mod field;
mod group;
mod metrics;
mod native;
mod outlet;
mod quota;
mod registry;
mod seen;
mod stats;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;

pub use backlog::{Backlog, Laid};
pub use config::{Config, Limits, Passphrase};
pub use destination::{Destination, Way};
pub use echo::{Opaque, Programme, Watch};
pub use entry::Entries;
pub use metrics::page;
pub use native::Registry;
pub use outlet::{GroupKey, Opened, Release, Transmit};
pub use registry::allowed;
pub use stats::{GroupFigures, LinkFigures, Speaks, Stats};

pub use crate::bond::native::{PrivateKey, PublicKey};
pub use crate::wire::echo::{Destination as DestinationEcho, Echo, Sense, Session};

use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::native::Clear;
use field::Field;
use native::Native;
use outlet::Outlet;

/// The machine.
#[derive(Debug)]
pub struct Gateway {
    field: Field,
    native: Option<Native>,
    /// Native datagrams that came though no key was given.
    keyless: u64,
    out: Outlet,
}

impl Gateway {
    /// A gateway without groups; it speaks the native dialect if there is a registry.
    #[must_use]
    pub fn new(now: Instant, limits: Limits, registry: Option<Registry>, mut rng: Rng) -> Self {
        let native = registry.map(|registry| Native::new(now, registry, &limits, rng.split()));
        Self { field: Field::new(now, limits, rng), native, keyless: 0, out: Outlet::default() }
    }

    /// A datagram from the public side. What nobody here asked for costs no memory and no line of the log.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if !Clear::is_native(datagram) {
            return self.field.handle_datagram(now, from, datagram, &mut self.out);
        }
        match &mut self.native {
            Some(native) => native.handle_datagram(now, from, datagram, &mut self.out),
            None => self.keyless += 1,
        }
    }

    /// A datagram from the SRT listener of a group.
    pub fn handle_local(&mut self, now: Instant, group: GroupKey, datagram: &Bytes) {
        let ours = self.native.as_mut().is_some_and(|n| n.handle_local(now, group, datagram, &mut self.out));
        if !ours {
            self.field.handle_local(group, datagram, &mut self.out);
        }
    }

    /// The time that [`Gateway::next_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.field.handle_timeout(now, &mut self.out);
        if let Some(native) = &mut self.native {
            native.handle_timeout(now, &mut self.out);
        }
    }

    /// A second is over: every box is told what was heard of its streams. `destinations` says how those of a
    /// group's stream stand.
    pub fn handle_second(&mut self, now: Instant, destinations: &dyn Fn(GroupKey, u8) -> Vec<DestinationEcho>) {
        if let Some(native) = &mut self.native {
            native.handle_second(now, destinations, &mut self.out);
        }
    }

    /// The boxes that may come from now on; the sessions of others end.
    pub fn handle_allowed(&mut self, now: Instant, allow: BTreeMap<PublicKey, String>) {
        if let Some(native) = &mut self.native {
            native.handle_allowed(now, allow, &mut self.out);
        }
    }

    /// When to call [`Gateway::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let native = self.native.as_ref().and_then(Native::next_timeout);
        native.map_or(self.field.next_timeout(), |at| at.min(self.field.next_timeout()))
    }

    /// The next datagram for a link.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// The next datagram for the SRT listener, from a socket of the group's own.
    pub fn poll_local(&mut self) -> Option<(GroupKey, Bytes)> {
        self.out.local.pop_front()
    }

    /// The next box that came with transport streams: its destinations can be opened.
    pub fn poll_opened(&mut self) -> Option<Opened> {
        self.out.opened.pop_front()
    }

    /// The next payload of a transport stream, in its turn.
    pub fn poll_release(&mut self) -> Option<Release> {
        self.out.released.pop_front()
    }

    /// The next group that is gone; its socket towards the listener and its destinations can be closed.
    pub fn poll_closed(&mut self) -> Option<GroupKey> {
        self.out.closed.pop_front()
    }

    /// What is held now, and what was dropped so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.field.stats();
        stats.keyless = self.keyless;
        if let Some(native) = &self.native {
            stats.groups += native.groups();
            stats.links += native.links();
            stats.native = native.drops();
        }
        stats
    }

    /// Every group, measured.
    pub fn figures(&self) -> impl Iterator<Item = GroupFigures> + '_ {
        self.field.figures().chain(self.native.iter().flat_map(Native::figures))
    }
}

#[cfg(test)]
mod tests;
