//! Field: the groups that speak the field's SRTLA, so that unmodified senders are welcome.
//!
//! SRT packets pass as they are and at once; of the copies of one only the first goes on, unless the
//! listener has asked for it again, or the caller marked it as sent again.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::config::Limits;
use super::echo::Opaque;
use super::group::{Group, Link, Noted};
use super::outlet::{GroupKey, Outlet};
use super::quota::Quota;
use super::seen::Seen;
use super::stats::{GroupFigures, LinkFigures, Speaks, Stats};
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::echo::Destination;
use crate::wire::srt::{self, Packet};
use crate::wire::srtla::{self, GroupId, PADDED_LEN, Repr};

/// How often silent links and groups are looked for; a tenth of the time they are allowed.
const SWEEP: Duration = Duration::from_secs(1);

/// The groups.
#[derive(Debug)]
pub(super) struct Field {
    limits: Limits,
    rng: Rng,
    quota: Quota,
    groups: BTreeMap<GroupKey, Group>,
    addresses: BTreeMap<SocketAddr, GroupKey>,
    /// When which link's first unacknowledged packet must be acknowledged, in order.
    flushes: VecDeque<(Instant, SocketAddr)>,
    sweep_at: Instant,
    stats: Stats,
}

impl Field {
    pub(super) fn new(now: Instant, limits: Limits, mut rng: Rng) -> Self {
        Self {
            limits,
            quota: Quota::new(now, &mut rng),
            rng,
            groups: BTreeMap::new(),
            addresses: BTreeMap::new(),
            flushes: VecDeque::new(),
            sweep_at: now + SWEEP,
            stats: Stats::default(),
        }
    }

    /// A datagram of SRTLA or SRT from the public side.
    pub(super) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8], out: &mut Outlet) {
        if !srtla::is_srtla(datagram) {
            return self.handle_srt(now, from, datagram, out);
        }
        match srtla::parse(datagram) {
            Ok(Repr::Reg1(_) | Repr::Reg2(_)) if !self.quota.take(now, from) => self.stats.over_quota += 1,
            Ok(Repr::Reg1(id)) => self.found(now, from, &id, out),
            Ok(Repr::Reg2(id)) => self.join(now, from, &id, out),
            Ok(Repr::Keepalive(_)) => match self.link(from) {
                Some((_, link)) => {
                    link.heard = now;
                    out.send(from, padded(datagram));
                }
                None => self.stats.strangers += 1,
            },
            Ok(_) | Err(_) => self.stats.unreadable += 1,
        }
    }

    /// A datagram from the SRT listener of a group; false if the group is none of these.
    pub(super) fn handle_local(&mut self, key: GroupKey, datagram: &Bytes, out: &mut Outlet) -> bool {
        let Some(group) = self.groups.get_mut(&key) else { return false };
        let packet = srt::peek(datagram);
        match &packet {
            Ok(Packet::Ack(ack)) => group.watch.answer(ack.seq),
            Ok(Packet::Nak(list)) => (*list).for_each(|(first, last)| group.seen.asked(first, last)),
            _ => {}
        }
        match packet {
            // what the sending side steers by must not depend on one link's life
            Ok(Packet::Ack(_) | Packet::Nak(_)) => {
                group.links.keys().for_each(|to| out.send(*to, datagram.clone()));
            }
            Ok(_) => out.send(group.last, datagram.clone()),
            Err(_) => self.stats.unreadable += 1,
        }
        true
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outlet) {
        while self.flushes.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, address)) = self.flushes.pop_front() {
                self.acknowledge(address, out);
            }
        }
        if self.sweep_at <= now {
            self.sweep_at = now + SWEEP;
            self.sweep(now, out);
        }
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.flushes.front().map_or(self.sweep_at, |(at, _)| self.sweep_at.min(*at))
    }

    pub(super) fn stats(&self) -> Stats {
        Stats { groups: self.groups.len(), links: self.addresses.len(), ..self.stats }
    }

    pub(super) fn figures(&self) -> impl Iterator<Item = GroupFigures> + '_ {
        self.groups.iter().map(|(key, group)| GroupFigures {
            key: *key,
            name: String::new(),
            speaks: Speaks::Srtla,
            links: group
                .links
                .iter()
                .map(|(address, link)| LinkFigures {
                    number: None,
                    address: *address,
                    bytes: link.bytes,
                    packets: link.packets,
                })
                .collect(),
            copies: group.copies,
            unread: 0,
            echoes: group.echo.iter().cloned().collect(),
        })
    }

    #[cfg(test)]
    pub(super) fn flushes(&self) -> usize {
        self.flushes.len()
    }

    fn link(&mut self, address: SocketAddr) -> Option<(GroupKey, &mut Link)> {
        let key = *self.addresses.get(&address)?;
        Some((key, self.groups.get_mut(&key)?.links.get_mut(&address)?))
    }

    fn refuse(&mut self, to: SocketAddr, why: &str, out: &mut Outlet) {
        self.stats.refused += 1;
        tracing::debug!(%to, why, "registration refused");
        out.send(to, Repr::RegErr.to_padded());
    }

    fn handle_srt(&mut self, now: Instant, from: SocketAddr, datagram: &[u8], out: &mut Outlet) {
        let found = self.addresses.get(&from).and_then(|key| Some((*key, self.groups.get_mut(key)?)));
        let Some((key, group)) = found else {
            self.stats.strangers += 1;
            return;
        };
        let Some(link) = group.links.get_mut(&from) else { return };
        let packet = match srt::peek(datagram) {
            Ok(packet) => packet,
            Err(_) => {
                self.stats.unreadable += 1;
                return;
            }
        };
        link.heard = now;
        group.last = from;
        let (mut noted, mut passes) = (None, true);
        match packet {
            Packet::Data(data) => {
                link.bytes += datagram.len() as u64;
                link.packets += 1;
                noted = Some(link.note(data.seq));
                group.carried = true;
                // what the caller sends again may be missing behind us, without the listener having said so
                passes = group.seen.first(data.seq) || data.retransmitted;
                if passes {
                    group.watch.take(data.seq, data.payload.len());
                    self.stats.packets += 1;
                    self.stats.bytes += datagram.len() as u64;
                }
            }
            Packet::Handshake(handshake) => {
                let stamp = srt::timestamp(datagram).unwrap_or(0);
                if !group.shakes(now, handshake.socket, stamp) {
                    self.stats.late_handshakes += 1;
                    return;
                }
                group.seen.clear();
            }
            _ => {}
        }
        if passes {
            let datagram = out.copy(datagram);
            out.local.push_back((key, datagram));
        } else {
            group.copies += 1;
            self.stats.copies += 1;
        }
        match noted {
            Some(Noted::First) => self.flushes.push_back((now + self.limits.ack_delay, from)),
            Some(Noted::Full) => self.acknowledge(from, out),
            Some(Noted::Waits) | None => {}
        }
    }

    fn acknowledge(&mut self, address: SocketAddr, out: &mut Outlet) {
        if let Some(frame) = self.link(address).and_then(|(_, link)| link.acknowledge()) {
            out.send(address, frame);
        }
    }

    /// REG1: a box wants a group.
    fn found(&mut self, now: Instant, from: SocketAddr, wanted: &GroupId, out: &mut Outlet) {
        if self.addresses.contains_key(&from) {
            return self.refuse(from, "the address is a link already", out);
        }
        // the first request said again, here or on another link, because its answer is late or lost
        if let Some(group) = self.groups.values().find(|g| g.links.is_empty() && g.id.same_sender(wanted)) {
            let id = group.id;
            return out.send(from, Repr::Reg2(id).to_vec());
        }
        // an address founds one group at a time: this one started afresh
        if let Some((key, _)) = self.groups.iter().find(|(_, g)| g.founder == from && g.links.is_empty()) {
            self.close(*key, out);
        }
        if self.groups.len() >= self.limits.groups {
            let Some(idle) = self.groups.iter().find(|(_, g)| !g.carried).map(|(key, _)| *key) else {
                return self.refuse(from, "every group is on air", out);
            };
            self.close(idle, out);
        }
        let mut id = *wanted;
        self.rng.fill(&mut id.0[GroupId::HALF..]);
        let key = out.key();
        let group = Group {
            id,
            founder: from,
            links: BTreeMap::new(),
            last: from,
            linked: now,
            carried: false,
            shakes: None,
            seen: Seen::new(),
            watch: Opaque::default(),
            echo: None,
            copies: 0,
        };
        self.groups.insert(key, group);
        tracing::info!(group = key.0, %from, "group registered");
        out.send(from, Repr::Reg2(id).to_vec());
    }

    /// REG2: an address wants to be a link of a group.
    fn join(&mut self, now: Instant, from: SocketAddr, id: &GroupId, out: &mut Outlet) {
        // every id is compared, whole: the time taken says nothing about them
        let found = self.groups.iter().fold(None, |found, (key, g)| if g.id.matches(id) { Some(*key) } else { found });
        let Some(key) = found else {
            return out.send(from, Repr::RegNgp.to_padded());
        };
        if self.addresses.get(&from).is_some_and(|other| *other != key) {
            return self.refuse(from, "the address is a link of another group", out);
        }
        let full = self.limits.links;
        let Some(group) = self.groups.get_mut(&key) else { return };
        if !group.links.contains_key(&from) && group.links.len() >= full {
            return self.refuse(from, "the group has all its links", out);
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
        out.send(from, Repr::Reg3.to_padded());
    }

    /// Once a second: what the streams brought, and who is gone.
    fn sweep(&mut self, now: Instant, out: &mut Outlet) {
        let Limits { link_timeout, group_timeout, .. } = self.limits;
        for (key, group) in &mut self.groups {
            let listener = Destination { name: "listener".to_owned(), ..Destination::default() };
            group.echo = group.carried.then(|| group.watch.second(0, vec![listener]));
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
            self.close(key, out);
        }
    }

    fn close(&mut self, key: GroupKey, out: &mut Outlet) {
        let Some(group) = self.groups.remove(&key) else { return };
        for address in group.links.keys() {
            self.addresses.remove(address);
        }
        out.closed.push_back(key);
        tracing::info!(group = key.0, "group forgotten");
    }
}

fn padded(datagram: &[u8]) -> Vec<u8> {
    let mut filled = datagram.to_vec();
    filled.resize(filled.len().max(PADDED_LEN), 0);
    filled
}
