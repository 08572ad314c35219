//! Native: the boxes that speak our own wire, known by their keys.
//!
//! ```text
//! datagram ─► Responder ─► frame of a group ─► Receiver ─┬─► poll_release     ts, at stamp + L
//!      ◄───── seals ◄───────── feedback, echo ◄──────────┴─► poll_local       srt, in order
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;

use super::backlog::Laid;
use super::config::Limits;
use super::echo::Watch;
use super::entry::Entries;
use super::outlet::{GroupKey, Opened, Outlet, Release};
use super::stats::{GroupFigures, LinkFigures, Speaks};
use crate::bond::native::{
    Closed, Drops, Group, PrivateKey, PublicKey, Received, Responder, ResponderConfig, ResponderEvent,
};
use crate::bond::{Output, Receiver, ReceiverConfig};
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::echo::{Destination, Kind};
use crate::wire::native::StreamKind;
use crate::wire::srt::{self, Packet};
use crate::wire::{Echo, Seq};

/// Longest datagram that is opened; longer ones are strangers'.
const ROOM: usize = 2048;
/// Room for a sealed word of ours.
const SEALED: usize = 1200;

/// Who may come, and as whom we answer.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The gateway's own key.
    pub key: PrivateKey,
    /// The boxes' keys and names.
    pub allow: BTreeMap<PublicKey, String>,
}

/// One box.
#[derive(Debug)]
struct Member {
    key: GroupKey,
    name: String,
    receiver: Receiver,
    streams: BTreeMap<u8, (StreamKind, Watch)>,
    /// Where receivers may begin, of each `ts` stream.
    entries: BTreeMap<u8, Entries>,
    echoes: BTreeMap<u8, Echo>,
    due: Option<Instant>,
}

/// All of them.
pub(super) struct Native {
    responder: Responder,
    members: BTreeMap<Group, Member>,
    groups: BTreeMap<GroupKey, Group>,
    room: Box<[u8; ROOM]>,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Native").field("members", &self.members).finish_non_exhaustive()
    }
}

impl Native {
    pub(super) fn new(now: Instant, registry: Registry, limits: &Limits, rng: Rng) -> Self {
        let config = ResponderConfig {
            key: registry.key,
            allow: registry.allow,
            most_groups: limits.groups,
            most_streams: limits.streams,
            idle: limits.group_timeout,
        };
        Self {
            responder: Responder::new(now, config, rng),
            members: BTreeMap::new(),
            groups: BTreeMap::new(),
            room: Box::new([0; ROOM]),
        }
    }

    /// The boxes that may from now on; the others' sessions end.
    pub(super) fn handle_allowed(&mut self, now: Instant, allow: BTreeMap<PublicKey, String>, out: &mut Outlet) {
        self.responder.set_allowed(allow);
        self.handle_events(now, out);
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8], out: &mut Outlet) {
        if datagram.len() > ROOM {
            return;
        }
        match self.responder.handle_datagram(now, from, datagram, &mut self.room[..]) {
            Received::Nothing => {}
            Received::Answer(answer) => {
                let answer = out.copy(answer);
                out.send(from, answer);
            }
            Received::Frame { group, link, counter, frame } => {
                // memory of its own: what waits for its turn holds on to nothing else
                let frame = Bytes::copy_from_slice(frame);
                // the first sealed datagram opens the group that it belongs to
                self.handle_events(now, out);
                self.handle_frame(now, group, (link, counter, datagram.len()), &frame, out);
                return;
            }
        }
        self.handle_events(now, out);
    }

    fn handle_frame(
        &mut self,
        now: Instant,
        group: Group,
        (link, counter, len): (u8, u64, usize),
        frame: &Bytes,
        out: &mut Outlet,
    ) {
        let Some(member) = self.members.get_mut(&group) else { return };
        // what nobody can read is counted by the receiver, and its counter is told all the same
        let _ = member.receiver.handle_frame(now, link, counter, len, frame);
        self.drain(now, group, out);
    }

    /// A datagram of a group's SRT listener; false if the group is none of these.
    pub(super) fn handle_local(&mut self, now: Instant, key: GroupKey, datagram: &Bytes, out: &mut Outlet) -> bool {
        let Some(group) = self.groups.get(&key).copied() else { return false };
        let Some(member) = self.members.get_mut(&group) else { return false };
        if let (Ok(Packet::Ack(ack)), Some((_, Watch::Srt(watch)))) = (srt::peek(datagram), member.streams.get_mut(&0))
        {
            watch.answer(ack.seq);
        }
        member.receiver.handle_control(now, 0, datagram);
        self.drain(now, group, out);
        true
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outlet) {
        if self.responder.next_timeout().is_some_and(|at| at <= now) {
            self.responder.handle_timeout(now);
            self.handle_events(now, out);
        }
        let due = |member: &Member| member.due.is_some_and(|due| due <= now);
        let groups: Vec<_> = self.members.iter().filter(|(_, m)| due(m)).map(|(group, _)| *group).collect();
        for group in groups {
            if let Some(member) = self.members.get_mut(&group) {
                member.receiver.handle_timeout(now);
            }
            self.drain(now, group, out);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.members.values().filter_map(|m| m.due).chain(self.responder.next_timeout()).min()
    }

    /// A second is over: what each stream brought, told to its box.
    pub(super) fn handle_second(
        &mut self,
        now: Instant,
        destinations: &dyn Fn(GroupKey, u8) -> Vec<Destination>,
        out: &mut Outlet,
    ) {
        for (group, member) in &mut self.members {
            let stats = member.receiver.stats();
            for (number, (kind, watch)) in &mut member.streams {
                let told = match kind {
                    StreamKind::Ts => destinations(member.key, *number),
                    StreamKind::Srt => vec![Destination { name: "listener".to_owned(), ..Destination::default() }],
                };
                let mut echo = watch.second(*number, told);
                echo.missing = stats.streams.get(number).map_or(0, |stream| stream.missing as u32);
                let mut frame = Vec::with_capacity(256);
                echo.emit(&mut frame);
                member.receiver.handle_word(now, frame.into());
                member.echoes.insert(*number, echo);
            }
            seal_all(&mut self.responder, *group, member, out);
        }
    }

    pub(super) fn drops(&self) -> Drops {
        *self.responder.drops()
    }

    pub(super) fn groups(&self) -> usize {
        self.members.len()
    }

    pub(super) fn links(&self) -> usize {
        self.members.keys().map(|group| self.responder.links(*group).count()).sum()
    }

    pub(super) fn figures(&self) -> impl Iterator<Item = GroupFigures> + '_ {
        self.members.iter().map(|(group, member)| {
            let stats = member.receiver.stats();
            let link = |(number, address, _): (u8, SocketAddr, Instant)| {
                let lane = stats.links.iter().find(|lane| lane.link == number);
                LinkFigures {
                    number: Some(number),
                    address,
                    bytes: lane.map_or(0, |lane| lane.bytes),
                    packets: lane.map_or(0, |lane| lane.datagrams),
                }
            };
            GroupFigures {
                key: member.key,
                name: member.name.clone(),
                speaks: Speaks::Native,
                links: self.responder.links(*group).map(link).collect(),
                copies: stats.streams.values().map(|stream| stream.copies).sum(),
                unread: stats.strange + stats.unknown,
                echoes: member.echoes.values().cloned().collect(),
            }
        })
    }

    fn handle_events(&mut self, now: Instant, out: &mut Outlet) {
        while let Some(event) = self.responder.poll_event() {
            match event {
                ResponderEvent::Opened { group, name, offer, .. } => {
                    let key = out.key();
                    tracing::info!(group = key.0, from = name, latency = ?offer.latency, "box has come");
                    let streams: Vec<_> = offer.streams.iter().map(|stream| (stream.number, stream.kind)).collect();
                    let ts = offer.streams.iter().filter(|stream| stream.kind == StreamKind::Ts);
                    let ts: Vec<_> = ts.map(|stream| (stream.number, stream.name.clone())).collect();
                    let entries = ts.iter().map(|(number, _)| (*number, Entries::default())).collect();
                    if !ts.is_empty() {
                        out.opened.push_back(Opened { group: key, name: name.clone(), streams: ts });
                    }
                    let watch = |kind| match kind {
                        StreamKind::Ts => Watch::new(Kind::Ts),
                        StreamKind::Srt => Watch::new(Kind::Srt),
                    };
                    let member = Member {
                        key,
                        name,
                        streams: streams.iter().map(|(number, kind)| (*number, (*kind, watch(*kind)))).collect(),
                        receiver: Receiver::new(now, ReceiverConfig { latency: offer.latency, streams }),
                        entries,
                        echoes: BTreeMap::new(),
                        due: None,
                    };
                    self.groups.insert(key, group);
                    self.members.insert(group, member);
                }
                ResponderEvent::Moved { group, link, from, to } => {
                    let group = self.members.get(&group).map_or(0, |member| member.key.0);
                    match from {
                        None => tracing::info!(group, link, %to, "link joined"),
                        Some(from) => tracing::info!(group, link, %from, %to, "link moved"),
                    }
                }
                ResponderEvent::Closed { group, why } => {
                    let Some(member) = self.members.remove(&group) else { continue };
                    tracing::info!(group = member.key.0, from = member.name, ?why, "box is gone");
                    self.groups.remove(&member.key);
                    out.closed.push_back(member.key);
                }
            }
        }
        while let Some((to, datagram)) = self.responder.poll_transmit() {
            out.send(to, datagram);
        }
    }

    /// Fetches all that a receiver has made.
    fn drain(&mut self, now: Instant, group: Group, out: &mut Outlet) {
        let Some(member) = self.members.get_mut(&group) else { return };
        let mut ended = false;
        while let Some(output) = member.receiver.poll_output() {
            match output {
                Output::Payload { stream, payload, number, .. } => match member.streams.get_mut(&stream) {
                    Some((_, Watch::Ts(watch))) => {
                        watch.take(&payload);
                        let entry = member.entries.get_mut(&stream).and_then(|entries| entries.take(&payload));
                        out.released.push_back(Release { group: member.key, stream, laid: Laid { payload, entry } });
                    }
                    Some((_, Watch::Srt(watch))) => {
                        watch.take(Seq::new(number as u32), payload.len().saturating_sub(srt::HEADER));
                        out.local.push_back((member.key, payload));
                    }
                    None => {}
                },
                Output::Control { packet, .. } => out.local.push_back((member.key, packet)),
                Output::Gap { .. } => {}
                Output::Bye => ended = true,
            }
        }
        seal_all(&mut self.responder, group, member, out);
        if ended {
            self.responder.dismiss(group, Closed::Bye);
            self.handle_events(now, out);
        }
    }
}

/// Seals what the receiver has for its box.
fn seal_all(responder: &mut Responder, group: Group, member: &mut Member, out: &mut Outlet) {
    while let Some((link, frame)) = member.receiver.poll_frame() {
        let mut datagram = Vec::with_capacity(SEALED);
        // a link over which nothing came yet cannot be told anything
        if let Ok(to) = responder.seal(group, link, &frame, &mut datagram) {
            out.send(to, datagram);
        }
    }
    member.due = member.receiver.next_timeout();
}
