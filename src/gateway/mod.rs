//! Gateway: the far end of many boxes on one UDP port, each group's SRT session passed to its listener.
//!
//! ```text
//! links ──handle_datagram──► group of the address ──poll_local──► SRT listener
//! links ◄──poll_transmit──── all links, or the latest ◄──handle_local── SRT listener
//! ```
//!
//! It speaks the field's SRTLA, so unmodified senders are welcome. SRT packets pass as they are.
//! Drive it as every machine here: after each `handle_*`, poll everything until it is empty.

mod config;
mod echo;
mod group;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

pub use config::{Config, Limits};
pub use echo::{Opaque, Programme, Watch};
pub use group::GroupKey;

use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::srt::{self, Packet};
use crate::wire::srtla::{self, GroupId, PADDED_LEN, Repr};
use group::{Group, Link, Noted};

/// How often silent links and groups are looked for; a tenth of the time they are allowed.
const SWEEP: Duration = Duration::from_secs(1);

/// What came from people who have no business here, or made no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Groups now.
    pub groups: usize,
    /// Links now, of all groups.
    pub links: usize,
    /// SRT packets and signs of life from addresses that belong to no group.
    pub strangers: u64,
    /// Datagrams that nobody could read.
    pub unreadable: u64,
    /// Registrations refused.
    pub refused: u64,
}

/// A datagram for a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// The UDP payload.
    pub payload: Bytes,
}

/// The machine.
#[derive(Debug)]
pub struct Gateway {
    limits: Limits,
    rng: Rng,
    groups: BTreeMap<GroupKey, Group>,
    addresses: BTreeMap<SocketAddr, GroupKey>,
    next_key: u64,
    /// When which link's first unacknowledged packet must be acknowledged, in order.
    flushes: VecDeque<(Instant, SocketAddr)>,
    sweep_at: Instant,
    out: VecDeque<Transmit>,
    local: VecDeque<(GroupKey, Bytes)>,
    closed: VecDeque<GroupKey>,
    stats: Stats,
}

impl Gateway {
    /// A gateway without groups.
    #[must_use]
    pub fn new(now: Instant, limits: Limits, rng: Rng) -> Self {
        Self {
            limits,
            rng,
            groups: BTreeMap::new(),
            addresses: BTreeMap::new(),
            next_key: 0,
            flushes: VecDeque::new(),
            sweep_at: now + SWEEP,
            out: VecDeque::new(),
            local: VecDeque::new(),
            closed: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// A datagram from the public side.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: Bytes) {
        if !srtla::is_srtla(&datagram) {
            return self.handle_srt(now, from, datagram);
        }
        match srtla::parse(&datagram) {
            Ok(Repr::Reg1(id)) => self.found(now, from, &id),
            Ok(Repr::Reg2(id)) => self.join(now, from, &id),
            Ok(Repr::Keepalive(_)) => match self.link(from) {
                Some((_, link)) => {
                    link.heard = now;
                    self.answer(from, padded(datagram));
                }
                None => self.stats.strangers += 1,
            },
            Ok(_) | Err(_) => self.stats.unreadable += 1,
        }
    }

    /// A datagram from the SRT listener of a group.
    pub fn handle_local(&mut self, group: GroupKey, datagram: Bytes) {
        let Some(group) = self.groups.get(&group) else { return };
        match srt::peek(&datagram) {
            // what the sending side steers by must not depend on one link's life
            Ok(Packet::Ack(_) | Packet::Nak(_)) => {
                self.out.extend(group.links.keys().map(|to| Transmit { to: *to, payload: datagram.clone() }));
            }
            Ok(_) => self.out.push_back(Transmit { to: group.last, payload: datagram }),
            Err(_) => self.stats.unreadable += 1,
        }
    }

    /// The time that [`Gateway::next_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.flushes.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, address)) = self.flushes.pop_front() {
                self.acknowledge(address);
            }
        }
        if self.sweep_at <= now {
            self.sweep_at = now + SWEEP;
            self.sweep(now);
        }
    }

    /// When to call [`Gateway::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.flushes.front().map_or(self.sweep_at, |(at, _)| self.sweep_at.min(*at))
    }

    /// The next datagram for a link.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    /// The next datagram for the SRT listener, from a socket of the group's own.
    pub fn poll_local(&mut self) -> Option<(GroupKey, Bytes)> {
        self.local.pop_front()
    }

    /// The next group that is gone; its socket towards the listener can be closed.
    pub fn poll_closed(&mut self) -> Option<GroupKey> {
        self.closed.pop_front()
    }

    /// What is held now, and what was dropped so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { groups: self.groups.len(), links: self.addresses.len(), ..self.stats }
    }

    fn link(&mut self, address: SocketAddr) -> Option<(GroupKey, &mut Link)> {
        let key = *self.addresses.get(&address)?;
        Some((key, self.groups.get_mut(&key)?.links.get_mut(&address)?))
    }

    fn answer(&mut self, to: SocketAddr, payload: impl Into<Bytes>) {
        self.out.push_back(Transmit { to, payload: payload.into() });
    }

    fn refuse(&mut self, to: SocketAddr, why: &str) {
        self.stats.refused += 1;
        tracing::debug!(%to, why, "registration refused");
        self.answer(to, Repr::RegErr.to_padded());
    }

    fn handle_srt(&mut self, now: Instant, from: SocketAddr, datagram: Bytes) {
        let Some((key, link)) = self.link(from) else {
            self.stats.strangers += 1;
            return;
        };
        let seq = match srt::peek(&datagram) {
            Ok(Packet::Data(data)) => Some(data.seq),
            Ok(_) => None,
            Err(_) => {
                self.stats.unreadable += 1;
                return;
            }
        };
        link.heard = now;
        let noted = seq.map(|seq| link.note(seq));
        if let Some(group) = self.groups.get_mut(&key) {
            group.last = from;
            group.carried |= seq.is_some();
        }
        self.local.push_back((key, datagram));
        match noted {
            Some(Noted::First) => self.flushes.push_back((now + self.limits.ack_delay, from)),
            Some(Noted::Full) => self.acknowledge(from),
            Some(Noted::Waits) | None => {}
        }
    }

    fn acknowledge(&mut self, address: SocketAddr) {
        if let Some(frame) = self.link(address).and_then(|(_, link)| link.acknowledge()) {
            self.answer(address, frame);
        }
    }

    /// REG1: a box wants a group.
    fn found(&mut self, now: Instant, from: SocketAddr, wanted: &GroupId) {
        if self.addresses.contains_key(&from) {
            return self.refuse(from, "the address is a link already");
        }
        // the first request said again, here or on another link, because its answer is late or lost
        if let Some(group) = self.groups.values().find(|g| g.links.is_empty() && g.id.same_sender(wanted)) {
            let id = group.id;
            return self.answer(from, Repr::Reg2(id).to_vec());
        }
        // an address founds one group at a time: this one started afresh
        if let Some((key, _)) = self.groups.iter().find(|(_, g)| g.founder == from && g.links.is_empty()) {
            self.close(*key);
        }
        if self.groups.len() >= self.limits.groups {
            let Some(idle) = self.groups.iter().find(|(_, g)| !g.carried).map(|(key, _)| *key) else {
                return self.refuse(from, "every group is on air");
            };
            self.close(idle);
        }
        let mut id = *wanted;
        self.rng.fill(&mut id.0[GroupId::HALF..]);
        self.next_key += 1;
        let group = Group { id, founder: from, links: BTreeMap::new(), last: from, linked: now, carried: false };
        self.groups.insert(GroupKey(self.next_key), group);
        tracing::info!(group = self.next_key, %from, "group registered");
        self.answer(from, Repr::Reg2(id).to_vec());
    }

    /// REG2: an address wants to be a link of a group.
    fn join(&mut self, now: Instant, from: SocketAddr, id: &GroupId) {
        // every id is compared, whole: the time taken says nothing about them
        let found = self.groups.iter().fold(None, |found, (key, g)| if g.id.matches(id) { Some(*key) } else { found });
        let Some(key) = found else {
            return self.answer(from, Repr::RegNgp.to_padded());
        };
        if self.addresses.get(&from).is_some_and(|other| *other != key) {
            return self.refuse(from, "the address is a link of another group");
        }
        let full = self.limits.links;
        let Some(group) = self.groups.get_mut(&key) else { return };
        if !group.links.contains_key(&from) && group.links.len() >= full {
            return self.refuse(from, "the group has all its links");
        }
        if group.links.is_empty() {
            group.last = from;
        }
        group.linked = now;
        match group.links.get_mut(&from) {
            Some(link) => link.heard = now,
            None => {
                group.links.insert(from, Link::new(now));
                tracing::info!(group = key.0, %from, "link joined");
            }
        }
        self.addresses.insert(from, key);
        self.answer(from, Repr::Reg3.to_padded());
    }

    fn sweep(&mut self, now: Instant) {
        let Limits { link_timeout, group_timeout, .. } = self.limits;
        for (key, group) in &mut self.groups {
            group.links.retain(|address, link| {
                let stays = now - link.heard < link_timeout;
                if !stays {
                    self.addresses.remove(address);
                    tracing::info!(group = key.0, %address, "link forgotten");
                }
                stays
            });
            if !group.links.is_empty() {
                group.linked = now;
            }
        }
        let gone: Vec<_> =
            self.groups.iter().filter(|(_, g)| now - g.linked >= group_timeout).map(|(key, _)| *key).collect();
        for key in gone {
            self.close(key);
        }
    }

    fn close(&mut self, key: GroupKey) {
        let Some(group) = self.groups.remove(&key) else { return };
        for address in group.links.keys() {
            self.addresses.remove(address);
        }
        self.closed.push_back(key);
        tracing::info!(group = key.0, "group forgotten");
    }
}

fn padded(datagram: Bytes) -> Bytes {
    if datagram.len() >= PADDED_LEN {
        return datagram;
    }
    let mut filled = datagram.to_vec();
    filled.resize(PADDED_LEN, 0);
    filled.into()
}

#[cfg(test)]
mod tests;
