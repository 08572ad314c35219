//! Sender: an SRT caller's datagrams in, datagrams on links out, feedback in, what the caller must hear out.
//!
//! ```text
//! caller ─► handle_packet ─► held ─► queue ─► scheduler ─► link ─► poll_transmit
//!                              ▲                            │
//!                              └── recovery: lost, silent ──┘◄── handle_datagram ─► session ─► poll_caller
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::caller::Caller;
use super::config::{Config, LinkConfig};
use super::held::{Copy, Place, Store};
use super::link::{Fate, Link, Membership, REGISTER_PACE};
use super::queue::Queue;
use super::recovery::Budget;
use super::scheduler::{Choice, MOST_LINKS, Seat, choose};
use super::session::{Begins, MOST_NAKED, Session};
use super::srtla::{REFUSED, Registration};
use super::stats::{GroupStats, LinkId, RateMeter};
use super::target::{Target, View};
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::srt::{self, Packet};
use crate::wire::srtla::{self, Repr};
use crate::wire::{Error, Seq};

/// While a stream flows.
const TICK: Duration = Duration::from_millis(10);
/// While packets wait or a silent link holds some.
const TICK_BUSY: Duration = Duration::from_millis(5);
/// While nothing flows.
const TICK_QUIET: Duration = Duration::from_millis(100);
/// A stream that paused for longer is no stream.
const ACTIVE: Duration = Duration::from_secs(2);
/// Datagrams that wait for the driver, each way; what exceeds them is a driver that has stopped.
const MOST_WAITING: usize = 16_384;
/// Payload bytes held at most, whatever the latency.
const MOST_BYTES: usize = 48 << 20;
/// The listener is told of the end when the last data is through, or after L and this.
const LINGER: Duration = Duration::from_millis(500);
/// A handshake that waits for the first link; older ones would shift the listener's clock.
const HANDSHAKE_KEEPS: Duration = Duration::from_millis(250);
/// One acknowledgement of the field's far ends.
const TRAIN: u8 = srtla::ACK_COUNT as u8;
/// Largest UDP payload that a caller can mean.
const MOST_PAYLOAD: usize = 1500;

/// One datagram to be sent now on one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// On which link.
    pub link: LinkId,
    /// The UDP payload.
    pub payload: Bytes,
}

/// The link that a packet takes, and the second one if it takes two.
type Way = (usize, Option<usize>);

/// Counters that only grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) packets: u64,
    pub(super) dropped_late: u64,
    pub(super) resent: u64,
    pub(super) caller_retransmits_dropped: u64,
    pub(super) naks_swallowed: u64,
    pub(super) ack_copies_dropped: u64,
    pub(super) strange_packets: u64,
}

/// The sending engine of one group. After any `handle_*`: poll everything until empty, then sleep
/// until [`Sender::next_timeout`] or the next input.
#[derive(Debug)]
pub struct Sender {
    pub(super) config: Config,
    pub(super) links: Vec<Link>,
    registration: Registration,
    caller: Caller,
    session: Session,
    pub(super) store: Store,
    pub(super) queue: Queue,
    pub(super) budget: Budget,
    target: Target,
    pub(super) counters: Counters,
    transmits: VecDeque<Transmit>,
    for_caller: VecDeque<Bytes>,
    held_handshake: Option<(Instant, Bytes)>,
    held_shutdown: Option<(Instant, Bytes)>,
    offered: RateMeter,
    delivered: RateMeter,
    delivered_since: u64,
    lost_link: bool,
    /// How long what waits would take on all links together while none has room, smoothed, µs.
    pub(super) overload_us: f64,
    blocked: bool,
    last_packet: Option<Instant>,
    last_tick: Instant,
    next_tick: Instant,
    /// Scratch lists, kept for their memory.
    numbers: Vec<u64>,
    lost: Vec<(u64, Seq)>,
    seats: Vec<Seat>,
}

impl Sender {
    /// A group without links.
    #[must_use]
    pub fn new(now: Instant, config: Config, rng: Rng) -> Self {
        Self {
            config,
            links: Vec::new(),
            registration: Registration::new(now, rng),
            caller: Caller::default(),
            session: Session::default(),
            store: Store::default(),
            queue: Queue::default(),
            budget: Budget::new(now),
            target: Target::new(now),
            counters: Counters::default(),
            transmits: VecDeque::new(),
            for_caller: VecDeque::new(),
            held_handshake: None,
            held_shutdown: None,
            offered: RateMeter::new(),
            delivered: RateMeter::new(),
            delivered_since: 0,
            lost_link: false,
            overload_us: 0.0,
            blocked: false,
            last_packet: None,
            last_tick: now,
            next_tick: now,
            numbers: Vec::new(),
            lost: Vec::new(),
            seats: Vec::new(),
        }
    }

    /// New settings; a changed latency counts for packets that come from now on.
    pub fn handle_config(&mut self, now: Instant, config: Config) {
        self.config = config;
        if let Some(Ok(latency)) = self.session.negotiated.map(|negotiated| self.config.latency_within(negotiated)) {
            self.config.latency = latency;
        }
        self.pump(now);
    }

    /// An uplink has a socket: the link registers. A known id starts afresh. A group holds 16 links, as many
    /// as the field's far ends take; a further one is ignored.
    pub fn add_link(&mut self, now: Instant, id: LinkId, config: LinkConfig) {
        self.remove_link(now, id);
        if self.links.len() < MOST_LINKS {
            self.links.push(Link::new(now, id, config));
            self.next_tick = now;
        }
    }

    /// The uplink's socket is gone; what only this link carried goes to the others at once.
    pub fn remove_link(&mut self, now: Instant, id: LinkId) {
        let Some(at) = self.find(id) else { return };
        self.registration.link_gone(id);
        self.abandon(at);
        self.links.remove(at);
        self.transmits.retain(|transmit| transmit.link != id);
        self.lost_link = true;
        self.pump(now);
    }

    /// The kernel says that the uplink has or has lost its carrier or address.
    pub fn handle_carrier(&mut self, now: Instant, id: LinkId, up: bool) {
        let Some(at) = self.find(id) else { return };
        if self.links[at].carrier == up {
            return;
        }
        self.links[at].carrier = up;
        self.links[at].starts_afresh(now);
        if up {
            self.next_tick = now;
        } else {
            self.registration.link_gone(id);
            self.abandon(at);
            self.lost_link = true;
        }
        self.pump(now);
    }

    /// The kernel refused to send on the link (unreachable, no buffer): not proof of death, but no delivery.
    pub fn handle_send_error(&mut self, now: Instant, id: LinkId) {
        let Some(at) = self.find(id) else { return };
        self.lost_link |= self.links[at].usable();
        self.links[at].refused(now);
        self.rescue(now);
        self.pump(now);
    }

    /// A datagram on the port where the SRT caller sends to. Who is not the caller, and does not become it
    /// by a handshake while none is there, is a stranger: counted, and nothing else happens.
    pub fn handle_packet(&mut self, now: Instant, from: SocketAddr, packet: Bytes) {
        let before = self.caller.address();
        let taken = match srt::peek(&packet) {
            Ok(read) if packet.len() <= MOST_PAYLOAD && self.caller.admits(now, from, &read) => {
                self.take_packet(now, &read, packet.clone())
            }
            _ => false,
        };
        if self.caller.address() != before {
            // what was for the one before is not for this one
            self.for_caller.clear();
        }
        if taken {
            self.pump(now);
        } else {
            self.counters.strange_packets += 1;
        }
    }

    /// The driver ends: what waited for the last data to arrive waits no longer.
    pub fn handle_end(&mut self, now: Instant) {
        if let Some((_, packet)) = self.held_shutdown.take() {
            self.carry_end(now, &packet);
        }
    }

    /// True if no caller is there and nothing of it is under way any more.
    #[must_use]
    pub fn is_finished(&self, now: Instant) -> bool {
        self.caller.is_gone(now) && self.store.is_empty() && self.held_shutdown.is_none() && self.transmits.is_empty()
    }

    /// A datagram from the far end, on the socket of a link.
    pub fn handle_datagram(&mut self, now: Instant, id: LinkId, datagram: &[u8]) {
        let Some(at) = self.find(id) else { return };
        let understood = if srtla::is_srtla(datagram) {
            srtla::parse(datagram).map(|frame| self.take_frame(now, at, &frame))
        } else {
            srt::peek(datagram).map(|packet| self.take_from_listener(now, at, &packet, datagram))
        };
        match understood {
            Ok(true) => self.links[at].heard(now),
            Ok(false) | Err(Error::TooShort { .. } | Error::WrongLength { .. } | Error::UnknownType(_)) => {
                self.links[at].strange += 1;
            }
        }
        self.pump(now);
    }

    /// The time that `next_timeout` named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.next_tick {
            return;
        }
        self.tick(now);
        self.pump(now);
        let active = self.is_active(now);
        let holds = self.links.iter().any(|link| link.suspect.is_some() && link.in_flight() > 0.0);
        let pace = if !self.queue.is_empty() || holds {
            TICK_BUSY
        } else if active || !self.store.is_empty() || !self.is_connected() {
            TICK
        } else {
            TICK_QUIET
        };
        self.next_tick = now + pace;
    }

    /// When to call [`Sender::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        (!self.links.is_empty() || !self.store.is_empty()).then_some(self.next_tick)
    }

    /// The next datagram to send on a link.
    pub fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Where the SRT caller is, or was last.
    #[must_use]
    pub fn caller(&self) -> Option<SocketAddr> {
        self.caller.address()
    }

    /// The next datagram for the SRT caller, to [`Sender::caller`].
    pub fn poll_caller(&mut self) -> Option<Bytes> {
        self.for_caller.pop_front()
    }

    /// Payload bytes and packets that the engine keeps now, for whoever watches its memory.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.store.bytes(), self.queue.len())
    }

    /// Everything measured, as of now.
    #[must_use]
    pub fn stats(&self, now: Instant) -> GroupStats {
        GroupStats {
            links: self.links.iter().map(|link| link.stats(now)).collect(),
            connected: self.is_connected(),
            offered: self.offered.rate(now),
            delivered: self.delivered.rate(now),
            target: self.target.rate(self.config.ceiling),
            latency: self.config.latency,
            waiting: self.waiting(now),
            packets: self.counters.packets,
            dropped_late: self.counters.dropped_late,
            resent: self.counters.resent,
            caller_retransmits_dropped: self.counters.caller_retransmits_dropped,
            naks_swallowed: self.counters.naks_swallowed,
            ack_copies_dropped: self.counters.ack_copies_dropped,
            strange_packets: self.counters.strange_packets,
        }
    }

    fn find(&self, id: LinkId) -> Option<usize> {
        self.links.iter().position(|link| link.id == id)
    }

    fn is_connected(&self) -> bool {
        self.registration.is_known() && self.links.iter().any(|link| link.carrier && link.is_inside())
    }

    fn is_active(&self, now: Instant) -> bool {
        self.last_packet.is_some_and(|at| now.since(at) < ACTIVE)
    }

    pub(super) fn waiting(&self, now: Instant) -> Duration {
        let head = self.queue.at(0).and_then(|seq| self.store.get(seq)).filter(|held| held.queued);
        head.map_or(Duration::ZERO, |held| now.since(held.deadline.before(self.config.latency)))
    }

    fn latency_us(&self) -> f64 {
        self.config.latency.as_micros() as f64
    }

    fn transmit(&mut self, now: Instant, at: usize, payload: Bytes) {
        if self.transmits.len() < MOST_WAITING {
            let link = &mut self.links[at];
            link.count(now, payload.len());
            self.transmits.push_back(Transmit { link: link.id, payload });
        }
    }

    fn tell_caller(&mut self, datagram: Bytes) {
        if self.for_caller.len() < MOST_WAITING {
            self.for_caller.push_back(datagram);
        }
    }

    // what the caller sends

    fn begin_session(&mut self) {
        self.store.clear();
        self.queue.clear();
        for link in &mut self.links {
            link.give_up();
        }
        self.held_handshake = None;
        // the old session's end is of no interest once the new one begins
        self.held_shutdown = None;
    }

    /// False if it is for another session than the one that is.
    fn take_packet(&mut self, now: Instant, read: &Packet<'_>, packet: Bytes) -> bool {
        if let Packet::Handshake(handshake) = read {
            if self.session.caller_shakes(handshake) == Begins::Session {
                self.begin_session();
            }
            if self.links.iter().any(Link::usable) {
                self.carry_handshake(now, packet);
            } else {
                self.held_handshake = Some((now, packet));
            }
            return true;
        }
        if !self.session.is_to_listener(socket_of(&packet)) {
            return false;
        }
        match read {
            Packet::Data(data) => {
                self.session.caller_sends(data.socket);
                self.take_data(now, data.seq, data.retransmitted, packet);
            }
            Packet::Shutdown => {
                self.caller.leaves();
                if self.store.is_empty() {
                    self.carry_end(now, &packet);
                } else {
                    self.held_shutdown = Some((now + self.config.latency + LINGER, packet));
                }
            }
            _ => self.carry(now, packet),
        }
        true
    }

    fn take_data(&mut self, now: Instant, seq: Seq, resent: bool, packet: Bytes) {
        self.counters.packets += 1;
        self.offered.take(now, packet.len() as u64);
        self.last_packet = Some(now);
        match self.store.place(seq) {
            Place::Within if self.store.get(seq).is_some() => {
                self.counters.caller_retransmits_dropped += 1;
                return;
            }
            // not ours any more: the listener may still be waiting, so it travels at once
            Place::Before => {
                if self.session.acked().is_some_and(|acked| seq.is_before(acked)) {
                    self.counters.caller_retransmits_dropped += 1;
                } else {
                    self.carry(now, packet);
                }
                return;
            }
            Place::Elsewhere => self.begin_session(),
            Place::After if resent && self.session.acked().is_some_and(|acked| seq.is_before(acked)) => {
                self.counters.caller_retransmits_dropped += 1;
                return;
            }
            Place::Within | Place::After => {}
        }
        while self.store.is_full_for(seq) || self.store.bytes() > MOST_BYTES {
            self.retire_front();
        }
        let size = packet.len();
        self.store.insert(seq, packet, now + self.config.latency);
        self.queue.push_fresh(seq, size);
        // so that the first packet after a pause does not wait for a slow tick
        self.next_tick = self.next_tick.min(now + TICK);
    }

    /// Sends on the link that is quickest now, and forgets.
    fn carry(&mut self, now: Instant, packet: Bytes) {
        if let Some(at) = self.quickest(now, 0) {
            self.transmit(now, at, packet);
        }
    }

    /// The end of the session: nobody acknowledges it, and without it the listener waits for its own
    /// patience to run out. So every link carries it; the first one counts.
    fn carry_end(&mut self, now: Instant, packet: &Bytes) {
        for at in 0..self.links.len() {
            if self.links[at].usable() {
                self.transmit(now, at, packet.clone());
            }
        }
    }

    fn carry_handshake(&mut self, now: Instant, packet: Bytes) {
        // each repetition takes the next link: the quickest may be the one that swallows them
        let nth = self.session.unanswered.saturating_sub(1);
        if let Some(at) = self.quickest(now, nth) {
            self.transmit(now, at, packet);
        }
    }

    /// The usable link that answers soonest, or the nth after it.
    fn quickest(&self, now: Instant, nth: usize) -> Option<usize> {
        let mut order: Vec<(u64, usize)> = (0..self.links.len())
            .filter(|at| self.links[*at].usable())
            .map(|at| ((self.links[at].free_at(now) + self.links[at].one_way()) as u64, at))
            .collect();
        order.sort_unstable();
        let count = order.len().max(1);
        order.get(nth % count).map(|(_, at)| *at)
    }

    // what comes from the far end

    /// False if the frame makes no sense here.
    fn take_frame(&mut self, now: Instant, at: usize, frame: &Repr<'_>) -> bool {
        let id = self.links[at].id;
        match frame {
            Repr::Keepalive(keepalive) => match keepalive.stamp_ms {
                Some(stamp) => self.links[at].echoed(now, stamp),
                // a far end may ask for a sign of life itself; ours come often enough
                None => true,
            },
            Repr::Ack(list) => {
                self.take_link_ack(now, at, *list);
                true
            }
            Repr::Reg2(group) => {
                let ours = self.registration.named(now, *group);
                if ours {
                    for link in &mut self.links {
                        link.put_outside(now);
                    }
                    self.ask_to_be_let_in(now);
                }
                ours
            }
            Repr::Reg3 => {
                // the answer to a probe with an unknown id cannot be REG3
                let sensible = self.registration.is_known();
                if sensible {
                    self.admit(now, at);
                }
                sensible
            }
            Repr::RegNgp => {
                self.group_is_unknown(now, at);
                true
            }
            Repr::RegErr | Repr::RegNak => {
                self.registration.refused(now, id);
                self.links[at].membership = Membership::Outside { ask_at: now + REFUSED };
                true
            }
            Repr::Reg1(_) => false,
        }
    }

    fn admit(&mut self, now: Instant, at: usize) {
        let first = !self.links.iter().any(Link::usable);
        self.links[at].admitted(now);
        if let Some(payload) = self.links[at].keepalive(now, true) {
            self.transmit(now, at, payload.into());
        }
        if first
            && let Some((since, handshake)) = self.held_handshake.take()
            && now.since(since) <= HANDSHAKE_KEEPS
        {
            self.carry_handshake(now, handshake);
        }
    }

    fn group_is_unknown(&mut self, now: Instant, at: usize) {
        // while other links prove that the group lives, one stray refusal proves nothing
        let alive =
            self.links.iter().enumerate().any(|(other, link)| {
                other != at && link.usable() && now.since(link.last_proof()) < Duration::from_secs(1)
            });
        if self.registration.is_known() && alive {
            self.links[at].membership = Membership::Outside { ask_at: now + REGISTER_PACE };
            return;
        }
        let others = self.links.iter().enumerate().any(|(other, link)| other != at && link.carrier);
        let id = self.links[at].id;
        if let Some(payload) = self.registration.unknown(now, id, others) {
            for link in &mut self.links {
                link.membership = Membership::Outside { ask_at: now + REGISTER_PACE };
            }
            self.transmit(now, at, payload.into());
        }
    }

    fn take_link_ack(&mut self, now: Instant, at: usize, list: srtla::AckList<'_>) {
        let id = self.links[at].id;
        let mut numbers = std::mem::take(&mut self.numbers);
        let mut lost = std::mem::take(&mut self.lost);
        numbers.clear();
        lost.clear();
        for seq in list {
            let held = self.store.get_mut(seq);
            let copy = held.as_ref().and_then(|held| held.copies().find(|copy| copy.link == id));
            let (Some(held), Some(copy)) = (held, copy) else {
                self.links[at].train_answered(now, seq);
                continue;
            };
            numbers.push(copy.number);
            if held.delivered.replace(now).is_none() {
                self.delivered.take(now, held.payload.len() as u64);
                self.delivered_since += held.payload.len() as u64;
            }
            self.queue.take(held);
        }
        self.links[at].acknowledged(now, &numbers, &mut lost);
        for (number, seq) in lost.drain(..) {
            self.copy_lost(at, number, seq);
        }
        self.numbers = numbers;
        self.lost = lost;
    }

    /// False if the packet is none that a listener sends to this caller.
    fn take_from_listener(&mut self, now: Instant, at: usize, packet: &Packet<'_>, datagram: &[u8]) -> bool {
        if let Packet::Data(data) = packet {
            // a listener that talks back: not our business
            let ours = self.session.is_ours(data.socket);
            if ours {
                self.tell_caller(Bytes::copy_from_slice(datagram));
            }
            return ours;
        }
        if !self.session.is_ours(socket_of(datagram)) {
            return false;
        }
        match packet {
            Packet::Ack(ack) => return self.take_ack(now, at, *ack, datagram),
            Packet::Nak(list) => self.take_nak(now, *list, datagram),
            Packet::Handshake(handshake) => {
                if !self.session.is_copy(now, datagram) {
                    let answer = self.agree(now, handshake, datagram);
                    self.tell_caller(answer);
                }
            }
            _ => {
                if !self.session.is_copy(now, datagram) {
                    self.tell_caller(Bytes::copy_from_slice(datagram));
                }
            }
        }
        true
    }

    /// The listener answers: L follows what it has negotiated, or the caller hears a refusal and the listener the end.
    fn agree(&mut self, now: Instant, handshake: &srt::Handshake, datagram: &[u8]) -> Bytes {
        let mended = self.session.listener_shakes(datagram);
        let Some(negotiated) = handshake.negotiated_latency() else { return mended };
        self.session.negotiated = Some(negotiated);
        match self.config.latency_within(negotiated) {
            Ok(latency) => {
                self.config.latency = latency;
                mended
            }
            Err(why) => {
                tracing::warn!("session refused: {why}");
                self.carry_end(now, &Bytes::from(srt::emit_shutdown(0, handshake.socket)));
                Bytes::from(srt::refusal_like(datagram))
            }
        }
    }

    fn take_ack(&mut self, now: Instant, at: usize, ack: srt::Ack, datagram: &[u8]) -> bool {
        // an ACK over what was never sent is nobody's
        if !self.store.is_empty() && self.store.end().is_before(ack.seq) {
            return false;
        }
        if self.session.ack_is_news(ack) {
            for (other, link) in self.links.iter_mut().enumerate() {
                if other != at {
                    link.ack_came_elsewhere(now);
                }
            }
            self.tell_caller(Bytes::copy_from_slice(datagram));
        } else {
            self.counters.ack_copies_dropped += 1;
        }
        while !self.store.is_empty() && self.store.base().is_before(ack.seq) {
            let Some((_, Some(mut held))) = self.store.pop_front() else { continue };
            self.queue.take(&mut held);
            if held.delivered.is_none() {
                self.delivered.take(now, held.payload.len() as u64);
                self.delivered_since += held.payload.len() as u64;
            }
            let sole = held.sends == 1;
            for copy in held.copies() {
                if let Some(link) = self.links.iter_mut().find(|link| link.id == copy.link) {
                    link.passed(now, copy.number, sole);
                }
            }
        }
        true
    }

    /// What we hold we also bring; only of the rest the caller hears.
    fn take_nak(&mut self, now: Instant, list: srt::LossList<'_>, datagram: &[u8]) {
        let copy = self.session.is_copy(now, datagram);
        let mut left = MOST_NAKED;
        let mut pass: Vec<(Seq, Seq)> = Vec::new();
        for (from, to) in list {
            let mut seq = from;
            for _ in 0..=to.distance(from).max(0) {
                if left == 0 {
                    break;
                }
                left -= 1;
                if self.store.get(seq).is_some() {
                    self.is_missed(now, seq);
                } else if self.is_for_caller(seq) {
                    match pass.last_mut() {
                        Some((_, last)) if last.plus(1) == seq => *last = seq,
                        _ => pass.push((seq, seq)),
                    }
                }
                seq = seq.plus(1);
            }
        }
        if copy || pass.is_empty() {
            self.counters.naks_swallowed += 1;
            return;
        }
        self.tell_caller(Bytes::from(srt::narrowed_nak(datagram, &pass)));
    }

    /// The listener misses a number that we do not hold: older than what we keep, or one that never reached us.
    fn is_for_caller(&self, seq: Seq) -> bool {
        let acked = self.session.acked().is_some_and(|acked| seq.is_before(acked));
        let known = !self.store.is_empty() && matches!(self.store.place(seq), Place::Before | Place::Within);
        known && !acked
    }

    // sending

    /// Places everything that a link has room for.
    fn pump(&mut self, now: Instant) {
        self.blocked = false;
        while !self.queue.is_empty() {
            self.queue.tidy(&self.store);
            let Some((seq, at, way)) = self.next_choice(now) else { break };
            self.queue.close(at);
            let Some((link, second)) = way else {
                self.drop_late(seq);
                continue;
            };
            self.place(now, seq, link);
            if let Some(second) = second {
                self.place(now, seq, second);
            }
        }
        self.release_shutdown(now);
    }

    /// The first packet in the queue with which something is done now, its place, and its way if it has one.
    fn next_choice(&mut self, now: Instant) -> Option<(Seq, usize, Option<Way>)> {
        let latency_us = self.latency_us();
        self.seats.clear();
        self.seats.extend(self.links.iter().map(|link| Seat::look(now, link, MOST_PAYLOAD, latency_us)));
        let mut booked = [0.0; MOST_LINKS];
        let doubling = self.overload_us < 10_000.0;
        let mut place = 0;
        // each wait books on one closed link; after a few rounds over all links nothing new can come of it
        for _ in 0..4 * MOST_LINKS {
            let Some(seq) = self.queue.at(place) else { break };
            let Some(held) = self.store.get(seq).filter(|held| held.queued) else {
                place += 1;
                continue;
            };
            match choose(now, &self.seats, held, &booked, doubling) {
                Choice::Wait { link, run } => {
                    booked[link] += run as f64 * (held.payload.len() as f64 + 28.0);
                    self.links[link].capacity.was_limited();
                    place += run;
                }
                Choice::Closed => {
                    for link in self.links.iter_mut().filter(|link| link.usable()) {
                        link.capacity.was_limited();
                    }
                    self.blocked = self.links.iter().any(Link::usable);
                    return None;
                }
                Choice::Send { link, second } => return Some((seq, place, Some((link, second)))),
                Choice::Drop => return Some((seq, place, None)),
            }
        }
        None
    }

    fn place(&mut self, now: Instant, seq: Seq, at: usize) {
        let Some(held) = self.store.get_mut(seq) else { return };
        let again = held.sends > 0;
        let size = held.payload.len();
        let payload = held.payload.clone();
        let link = &mut self.links[at];
        let number = link.send(now, seq, size);
        let id = link.id;
        held.add_copy(Copy { link: id, number });
        self.queue.take(held);
        if again {
            self.counters.resent += 1;
        }
        self.transmits.push_back(Transmit { link: id, payload });
    }

    /// A link that has shown nothing for long carries copies of the newest packets, as many as one acknowledgement
    /// counts, so that it is known when it is needed.
    fn send_train(&mut self, now: Instant, at: usize) {
        let end = self.store.end();
        let newest = (1..=u32::from(TRAIN)).map(|back| end.plus(0x8000_0000 - back));
        let train: Vec<(Seq, Bytes)> =
            newest.filter_map(|seq| self.store.get(seq).map(|held| (seq, held.payload.clone()))).collect();
        if train.len() < usize::from(TRAIN) {
            return;
        }
        for (seq, payload) in train {
            self.links[at].send_in_train(now, seq, payload.len());
            self.transmit(now, at, payload);
        }
    }

    fn drop_late(&mut self, seq: Seq) {
        if let Some(held) = self.store.get_mut(seq) {
            self.queue.take(held);
            self.counters.dropped_late += 1;
            // not held any more: should the listener still ask, the caller may answer
            self.store.remove(seq);
        }
    }

    fn release_shutdown(&mut self, now: Instant) {
        let due = self.held_shutdown.as_ref().is_some_and(|(until, _)| now >= *until || self.store.is_empty());
        if due && let Some((_, packet)) = self.held_shutdown.take() {
            self.carry_end(now, &packet);
        }
    }

    // time

    fn tick(&mut self, now: Instant) {
        let dt = now.since(self.last_tick);
        self.last_tick = now;
        self.registration.tick(now);
        self.register(now);
        let active = self.is_active(now);
        for at in 0..self.links.len() {
            self.lost_link |= self.links[at].tick(now, dt);
            if self.links[at].is_to_be_written_off(now) {
                self.abandon(at);
                self.links[at].capacity.write_off();
            }
            if let Some(payload) = self.links[at].keepalive(now, active) {
                self.transmit(now, at, payload.into());
            }
            if active && self.queue.is_empty() && self.links[at].wants_train(now) {
                self.send_train(now, at);
            }
        }
        self.settle_doubts(now);
        self.retire(now);
        self.find_stuck(now);
        self.budget.tick(now, self.offered.rate(now));
        self.rescue(now);
        self.measure(now, dt);
    }

    /// Links that are outside, or silent and perhaps under another address, ask to be let in.
    fn register(&mut self, now: Instant) {
        for at in 0..self.links.len() {
            if self.links[at].is_forgotten(now) {
                self.links[at].put_outside(now);
            }
            if self.registration.is_known()
                && self.links[at].asks_again(now)
                && let Some(payload) = self.registration.ask()
            {
                self.transmit(now, at, payload.into());
            }
        }
        self.ask_to_be_let_in(now);
    }

    fn ask_to_be_let_in(&mut self, now: Instant) {
        for at in 0..self.links.len() {
            let Membership::Outside { ask_at } = self.links[at].membership else { continue };
            if !self.links[at].carrier || now < ask_at {
                continue;
            }
            let Some(payload) = self.registration.ask() else { return };
            self.links[at].membership = Membership::Outside { ask_at: now + REGISTER_PACE };
            self.transmit(now, at, payload.into());
        }
    }

    fn measure(&mut self, now: Instant, dt: Duration) {
        let capacity: f64 = self.links.iter().filter(|l| l.usable()).map(|l| l.capacity.rate()).sum();
        let overload = if self.blocked && capacity > 0.0 { self.queue.bytes() as f64 / capacity } else { 0.0 };
        let keep = 0.95_f64.powf(dt.as_micros() as f64 / 1000.0);
        self.overload_us = self.overload_us * keep + overload * (1.0 - keep);
        let view = View {
            delivered: std::mem::take(&mut self.delivered_since),
            overload_us: self.overload_us,
            waiting: self.waiting(now),
            latency: self.config.latency,
            capacity,
            lost_link: std::mem::take(&mut self.lost_link),
            offered: self.offered.rate(now),
            ceiling: self.config.ceiling,
        };
        self.target.tick(now, view);
    }

    /// What can no longer be asked for in time is let go.
    fn retire(&mut self, now: Instant) {
        while self.store.front_is_past(now) {
            self.retire_front();
        }
        // what waits and cannot even arrive without any queue is dead
        let nearest = self.links.iter().filter(|l| l.usable()).map(Link::one_way).fold(f64::INFINITY, f64::min);
        let nearest = if nearest.is_finite() { Duration::from_micros(nearest as u64) } else { Duration::ZERO };
        self.queue.tidy(&self.store);
        while let Some(seq) = self.queue.at(0) {
            match self.store.get(seq) {
                Some(held) if held.queued && now + nearest > held.deadline => self.drop_late(seq),
                _ => break,
            }
            self.queue.tidy(&self.store);
        }
    }

    fn retire_front(&mut self) {
        let Some((_, Some(mut held))) = self.store.pop_front() else { return };
        if held.queued {
            self.queue.take(&mut held);
            self.counters.dropped_late += 1;
        }
        for copy in held.copies() {
            if let Some(link) = self.links.iter_mut().find(|link| link.id == copy.link) {
                link.forget(copy.number);
            }
        }
    }

    /// A copy on a link is lost; the packet waits again if no other is believed in.
    pub(super) fn copy_lost(&mut self, at: usize, number: u64, seq: Seq) {
        let Some(fate) = self.links[at].lost(number) else { return };
        let bit = super::scheduler::link_bit(&self.links[at]);
        let Some(held) = self.store.get_mut(seq) else { return };
        held.lost_on |= bit;
        if fate == Fate::Live {
            held.lost_copy();
        }
        if held.live == 0 && held.delivered.is_none() {
            self.queue.push_repair(held, seq);
        }
    }

    pub(super) fn acked(&self) -> Option<Seq> {
        self.session.acked()
    }
}

/// The socket that an SRT packet is for.
fn socket_of(packet: &[u8]) -> u32 {
    packet.get(12..16).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}
