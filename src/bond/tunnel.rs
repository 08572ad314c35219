//! Tunnel: our own gateway as the far end. Every datagram is sealed, counted and told back with its time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::capacity::IP_UDP;
use super::core::{Core, Transmit};
use super::link::{Cargo, Changes, Fate, Link, Membership};
use super::native::{Drops, InitiatorEvent, halves, payload_limit};
use super::parity::{MOST_PAYLOADS, ParityEncoder};
use super::receiver::PARITY_UP_TO;
use super::seal::Seal;
use super::sender::Sender;
use super::stats::LinkId;
use crate::time::Instant;
use crate::wire::native::{
    Anchor, COUNTER_MASK, Control, DATA_HEADER, Data, DataKind, Feedback, Frame, OVERHEAD, Packer, Refusal,
    TICK_MICROS, emit_settled, near, parse,
};
use crate::wire::{Error, Seq};

/// An anchor that is not acknowledged goes out again.
const ANCHOR_AGAIN: Duration = Duration::from_millis(40);
/// And an acknowledged one now and then.
const ANCHOR_REFRESH: Duration = Duration::from_secs(5);
/// What need not be told any more is said at most so often.
const SETTLED_PACE: Duration = Duration::from_millis(250);
/// Copies that measure an idle link.
const TRAIN: u32 = 8;
/// Where the far end's clock begins for us: nothing lies before it.
const CLOCK_START: u64 = 1 << 44;
/// Numbers of control packets that come, remembered to know copies by.
const CONTROLS: usize = 64;
/// Overload (µs) below which a link may let its queue run dry for a moment.
const ROOMY: f64 = 1_000.0;
/// Repairs of a block of 16: one in eight, and for the shortest L one in four.
const REPAIRS: usize = 2;
const REPAIRS_SHORT: usize = 4;
const SHORT: Duration = Duration::from_millis(150);
/// While copies and repairs are more than this share of what is new, blocks get a single repair.
const MOST_EXTRA: f64 = 0.145;
/// What was sent before a block ended counts so much when the next one does: about three seconds of 6 Mbit/s.
const MEMORY: f64 = 0.99;
/// A block that is not full by then is repaired as it is.
const BLOCK_WAITS: Duration = Duration::from_millis(30);
/// A repair goes where little of its block went: each payload there counts as so much delay, µs.
const SHARED_FATE: f64 = 10_000.0;
/// Frames that wait for whoever shows them.
const MOST_WORDS: usize = 16;

/// The far end's clock: ticks as they travel, and whole.
#[derive(Debug, Clone, Copy)]
struct Clock {
    ticks: u32,
    whole: Instant,
}

impl Clock {
    /// The moment that ticks not far from the newest stand for.
    fn moment(self, ticks: u32) -> Instant {
        let behind = i64::from(self.ticks.wrapping_sub(ticks) as i32) * TICK_MICROS as i64;
        Instant::from_micros(self.whole.as_micros().saturating_add_signed(-behind))
    }
}

/// A block of payloads whose repairs are being made.
#[derive(Default)]
struct Block {
    encoder: ParityEncoder,
    since: Instant,
    numbers: Vec<Seq>,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

/// What was sent lately, and what of it was new, in bytes with IP and UDP.
#[derive(Debug, Default)]
struct Share {
    sent: f64,
    new: f64,
    /// Sent in all, when last asked, and new since then.
    seen: f64,
    since: f64,
}

impl Share {
    /// A block ends when so much was sent in all. True if too much of it was not new.
    fn is_over(&mut self, sent: f64) -> bool {
        self.sent = MEMORY * self.sent + (sent - self.seen).max(0.0);
        self.new = MEMORY * self.new + self.since;
        (self.seen, self.since) = (sent, 0.0);
        self.sent > (1.0 + MOST_EXTRA) * self.new
    }
}

/// The native dialect's part of a sender.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) seal: Seal,
    /// Counters of links go on, whoever comes and goes under a number: none is used twice.
    counters: [u64; 16],
    packer: Packer,
    anchor: Option<(Anchor, Instant, bool)>,
    clock: Option<Clock>,
    controls: u16,
    heard_controls: VecDeque<u16>,
    settled_at: Instant,
    changes: Changes,
    /// Numbers of `ts` streams.
    seqs: [u32; 16],
    /// All payloads of all `ts` streams.
    entered: u32,
    /// What the gateway sees, newest last.
    pub(super) words: VecDeque<Bytes>,
    /// By stream: repairs being made, since when, and the block's numbers among all that is held.
    blocks: BTreeMap<u8, Block>,
    share: Share,
    /// Numbers of frames that travel as halves.
    fragment: u16,
    scratch: Vec<u8>,
}

impl Tunnel {
    pub(super) fn new(now: Instant, seal: Seal) -> Self {
        Self {
            seal,
            counters: [0; 16],
            packer: Packer::default(),
            anchor: None,
            clock: None,
            controls: 0,
            heard_controls: VecDeque::new(),
            settled_at: now,
            changes: Changes::default(),
            seqs: [0; 16],
            entered: 0,
            words: VecDeque::new(),
            blocks: BTreeMap::new(),
            share: Share::default(),
            fragment: 0,
            scratch: Vec::with_capacity(2048),
        }
    }

    /// The counter from which a link that joins under this number goes on.
    pub(super) fn counter(&self, link: LinkId) -> u64 {
        self.counters.get(usize::from(link.0)).copied().unwrap_or(0)
    }

    /// One sealed datagram.
    pub(super) fn datagram(
        &mut self,
        now: Instant,
        link: LinkId,
        counter: u64,
        head: &[u8],
        payload: &[u8],
    ) -> Option<Bytes> {
        let next = self.counters.get_mut(usize::from(link.0))?;
        *next = (*next).max(counter + 1);
        self.scratch.clear();
        self.scratch.extend_from_slice(head);
        self.scratch.extend_from_slice(payload);
        self.seal.seal(now, link, counter, &self.scratch)
    }

    /// The two halves of a frame that is too long for a link, sealed with this counter and the next.
    pub(super) fn halves(
        &mut self,
        now: Instant,
        link: LinkId,
        counter: u64,
        head: &[u8],
        payload: &[u8],
    ) -> Option<[Bytes; 2]> {
        self.fragment = self.fragment.wrapping_add(1);
        let whole = [head, payload].concat();
        let [first, second] = halves(&whole, self.fragment).map(|half| {
            let mut frame = Vec::with_capacity(whole.len());
            Frame::Fragment(half).emit(&mut frame);
            frame
        });
        let first = self.datagram(now, link, counter, &first, &[])?;
        Some([first, self.datagram(now, link, counter + 1, &second, &[])?])
    }

    /// The head of the next payload of a `ts` stream, and its number among all payloads.
    fn enter<'p>(&mut self, now: Instant, stream: u8, payload: &'p [u8]) -> (Seq, [u8; DATA_HEADER], Data<'p>) {
        let seq = &mut self.seqs[usize::from(stream & 0x0f)];
        let (stamp, kind) = (now.as_micros() as u32, DataKind::Ts);
        let data = Data { stream, seq: *seq & COUNTER_MASK, stamp, kind, payload };
        *seq = seq.wrapping_add(1);
        let number = Seq::new(self.entered);
        self.entered = self.entered.wrapping_add(1);
        (number, data.head(), data)
    }
}

impl Core {
    /// A frame that is no packet of the stream leaves on a link, as halves where it is too long for that.
    pub(super) fn send_frame(&mut self, now: Instant, at: usize, cargo: Cargo, frame: &[u8]) {
        let Some(tunnel) = &mut self.tunnel else { return };
        let link = &mut self.links[at];
        if frame.len() > link.mtu.frame() {
            let halves = tunnel.halves(now, link.id, link.next_number(), frame, &[]);
            for (half, cargo) in halves.into_iter().flatten().zip([Cargo::Half, cargo]) {
                link.send_other(now, cargo, half.len());
                self.transmits.push_back(Transmit { link: link.id, payload: half });
            }
            return;
        }
        self.send_whole(now, at, cargo, frame);
    }

    /// A frame leaves on a link as one datagram, however long that is.
    fn send_whole(&mut self, now: Instant, at: usize, cargo: Cargo, frame: &[u8]) {
        let Some(tunnel) = &mut self.tunnel else { return };
        let link = &mut self.links[at];
        let number = link.next_number();
        if let Some(payload) = tunnel.datagram(now, link.id, number, frame, &[]) {
            link.send_other(now, cargo, payload.len());
            self.transmits.push_back(Transmit { link: link.id, payload });
        }
    }

    /// Where L is too short to ask again, a payload is one of a block that gets repairs.
    fn code(&mut self, now: Instant, seq: Seq, data: &Data<'_>) {
        if self.config.latency > PARITY_UP_TO {
            return;
        }
        let Some(tunnel) = &mut self.tunnel else { return };
        let block = tunnel.blocks.entry(data.stream).or_default();
        if block.encoder.is_empty() {
            block.since = now;
            block.numbers.clear();
        }
        tunnel.share.since += (data.payload.len() + OVERHEAD) as f64 + IP_UDP;
        block.encoder.push(data);
        block.numbers.push(seq);
    }

    /// Sends the repairs of blocks that are full or have waited long enough, each over a link that carried little of its block.
    pub(super) fn send_repairs(&mut self, now: Instant) {
        let Some(tunnel) = &mut self.tunnel else { return };
        let usual = if self.config.latency < SHORT { REPAIRS_SHORT } else { REPAIRS };
        let mut frames: Vec<(Vec<u8>, Vec<Seq>)> = Vec::new();
        for (stream, block) in &mut tunnel.blocks {
            let full = block.encoder.len() == MOST_PAYLOADS;
            if full || (!block.encoder.is_empty() && now.since(block.since) >= BLOCK_WAITS) {
                let sent =
                    self.links.iter().map(|link| link.sent_bytes as f64 + IP_UDP * link.sent_packets as f64).sum();
                let repairs = if tunnel.share.is_over(sent) { 1 } else { usual };
                block.encoder.finish(*stream, repairs, |parity| {
                    let mut frame = Vec::with_capacity(parity.shard.len() + 8);
                    Frame::Parity(*parity).emit(&mut frame);
                    frames.push((frame, block.numbers.clone()));
                });
            }
        }
        let latency_us = self.config.latency.as_micros() as f64;
        let mut taken = 0_u32;
        for (frame, numbers) in frames {
            let size = frame.len() as f64 + OVERHEAD as f64 + IP_UDP;
            let carried = |link: &Link| {
                let copies = numbers.iter().filter_map(|seq| self.store.get(*seq)).flat_map(|held| held.copies());
                copies.filter(|copy| copy.link == link.id).count() as f64
            };
            let score = |at: usize, link: &Link| {
                let arrival = link.free_at(now) + size / link.capacity.believed() + link.one_way();
                let again = if taken & (1 << at) != 0 { MOST_PAYLOADS as f64 } else { 0.0 };
                arrival + SHARED_FATE * (carried(link) + again)
            };
            let open = self.links.iter().enumerate();
            let open = open.filter(|(_, link)| link.usable() && link.has_room(frame.len() + OVERHEAD, latency_us));
            let best = open.map(|(at, link)| (at, score(at, link))).min_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((at, _)) = best {
                taken |= 1 << at;
                self.send_frame(now, at, Cargo::Other, &frame);
            }
        }
    }

    /// What goes on at the native dialect's own pace.
    pub(super) fn tick_tunnel(&mut self, now: Instant, active: bool) {
        for at in 0..self.links.len() {
            if let Some(padding) = self.links[at].wants_long_probe(now) {
                let counter = self.links[at].next_number();
                let mut frame = Vec::with_capacity(1 + padding);
                Frame::Probe { padding }.emit(&mut frame);
                self.send_whole(now, at, Cargo::Other, &frame);
                self.links[at].mtu.handle_probe_sent(now, counter);
            }
            if self.links[at].wants_probe(now, active) {
                self.send_frame(now, at, Cargo::Other, &PROBE);
            }
            if active && self.queue.is_empty() && self.links[at].wants_copies(now) {
                self.send_copies(now, at);
            }
        }
        self.send_anchor(now);
        self.send_settled(now);
    }

    /// A link that has carried nothing for long carries copies of the newest packets, so that it is known when it is needed.
    fn send_copies(&mut self, now: Instant, at: usize) {
        let Some(tunnel) = &mut self.tunnel else { return };
        let end = self.store.end();
        let link = &mut self.links[at];
        let first = link.next_number();
        for back in 1..=TRAIN {
            let Some(held) = self.store.get(end.plus(0x8000_0000 - back)) else { continue };
            if held.payload.len() + OVERHEAD > link.mtu.datagram() {
                continue;
            }
            let number = link.next_number();
            let Some(payload) = tunnel.datagram(now, link.id, number, &held.head, &held.payload) else { continue };
            link.send_other(now, Cargo::Other, payload.len());
            self.transmits.push_back(Transmit { link: link.id, payload });
        }
        let next = link.next_number();
        if next > first + 2 {
            link.train_leaves(now, first, next - 1);
        }
    }

    fn send_anchor(&mut self, now: Instant) {
        let Some((anchor, at, told)) = self.tunnel.as_ref().and_then(|tunnel| tunnel.anchor) else { return };
        if now.since(at) < if told { ANCHOR_REFRESH } else { ANCHOR_AGAIN } {
            return;
        }
        let mut frame = Vec::with_capacity(16);
        Frame::Anchor(anchor).emit(&mut frame);
        let copies = if told { 1 } else { 3 };
        for nth in 0..copies.min(self.links.len()) {
            if let Some(at) = self.quickest(now, nth) {
                self.send_frame(now, at, Cargo::Word(anchor.id), &frame);
            }
        }
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.anchor = Some((anchor, now, told));
        }
    }

    fn send_settled(&mut self, now: Instant) {
        let Some(tunnel) = &mut self.tunnel else { return };
        if now.since(tunnel.settled_at) < SETTLED_PACE {
            return;
        }
        tunnel.settled_at = now;
        let news = self.links.iter_mut().filter_map(|link| Some((link.id.0, link.settles()?)));
        let news: Vec<(u8, u64)> = news.collect();
        if news.is_empty() {
            return;
        }
        let mut frame = Vec::with_capacity(64);
        emit_settled(news, &mut frame);
        if let Some(at) = self.quickest(now, 0) {
            self.send_frame(now, at, Cargo::Other, &frame);
        }
    }
}

/// A probe without padding.
const PROBE: [u8; 1] = [1];

impl Sender {
    /// A payload of a `ts` stream, whole 188-byte packets, as the multiplexer gives it.
    ///
    /// Nothing happens if the group speaks a dialect that cannot carry it.
    pub fn handle_ts(&mut self, now: Instant, stream: u8, payload: Bytes) {
        let Some(tunnel) = &mut self.core.tunnel else { return };
        let (seq, head, data) = tunnel.enter(now, stream, &payload);
        self.core.code(now, seq, &data);
        self.core.count_packet(now, payload.len());
        self.core.hold(now, seq, head, payload);
        self.pump(now);
    }

    /// An SRT data packet: its header is packed, its payload travels as it is.
    pub(super) fn hold_srt(&mut self, now: Instant, seq: Seq, packet: &Bytes) {
        let Some(tunnel) = &mut self.core.tunnel else { return };
        let before = tunnel.packer.anchor();
        let Some(data) = tunnel.packer.pack(packet) else { return };
        let (head, len) = (data.head(), data.payload.len());
        let anchor = tunnel.packer.anchor();
        let news = anchor != before;
        if news && let Some(anchor) = anchor {
            tunnel.anchor = Some((anchor, Instant::ZERO, false));
        }
        let payload = packet.slice(packet.len() - len..);
        self.core.code(now, seq, &data);
        self.core.hold(now, seq, head, payload);
        if news {
            self.core.send_anchor(now);
        }
    }

    /// A packet of the SRT session that is not data, at once; on the quickest link, or the nth after it.
    pub(super) fn send_control(&mut self, now: Instant, packet: &[u8], next: Seq, links: std::ops::Range<usize>) {
        let Some(tunnel) = &mut self.core.tunnel else { return };
        tunnel.controls = tunnel.controls.wrapping_add(1);
        let next = next.value() & COUNTER_MASK;
        let control = Control { stream: 0, number: tunnel.controls, next, stamp: now.as_micros() as u32, packet };
        let mut frame = Vec::with_capacity(16 + packet.len());
        Frame::Control(control).emit(&mut frame);
        let usable = self.core.links.iter().filter(|link| link.usable()).count();
        for nth in links.take(usable.max(1)) {
            if let Some(at) = self.core.quickest(now, nth) {
                self.core.send_frame(now, at, Cargo::Other, &frame);
            }
        }
    }

    /// A frame from the gateway that was opened; false if it makes no sense here.
    pub(super) fn take_opened(&mut self, now: Instant, frame: &Bytes) -> Result<bool, Error> {
        match parse(frame)? {
            Frame::Feedback(feedback) => self.take_feedback(now, &feedback),
            Frame::Control(control) => {
                let Some(tunnel) = &mut self.core.tunnel else { return Ok(false) };
                if !tunnel.heard_controls.contains(&control.number) {
                    if tunnel.heard_controls.len() == CONTROLS {
                        tunnel.heard_controls.pop_front();
                    }
                    tunnel.heard_controls.push_back(control.number);
                    self.hear_listener(now, control.packet);
                }
            }
            Frame::Echo(_) => {
                let Some(tunnel) = &mut self.core.tunnel else { return Ok(false) };
                if tunnel.words.len() == MOST_WORDS {
                    tunnel.words.pop_front();
                }
                tunnel.words.push_back(frame.clone());
            }
            Frame::Bye | Frame::Renew | Frame::Probe { .. } | Frame::Unknown(_) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_feedback(&mut self, now: Instant, feedback: &Feedback<'_>) {
        let Some(tunnel) = &mut self.core.tunnel else { return };
        let clock = match tunnel.clock {
            None => Clock { ticks: feedback.clock, whole: Instant::from_micros(CLOCK_START) },
            Some(last) => {
                let ahead = feedback.clock.wrapping_sub(last.ticks) as i32;
                if ahead <= 0 {
                    // a copy, or overtaken: the newer one has told all of it
                    return;
                }
                Clock { ticks: feedback.clock, whole: last.whole + Duration::from_micros(ahead as u64 * TICK_MICROS) }
            }
        };
        tunnel.clock = Some(clock);
        let mut changes = std::mem::take(&mut tunnel.changes);
        for seen in feedback.links() {
            let Some(at) = self.core.links.iter().position(|link| link.id.0 == seen.link) else { continue };
            let link = &mut self.core.links[at];
            let highest = near(seen.highest, link.next_number());
            if highest >= link.next_number() {
                continue;
            }
            changes.arrived.clear();
            changes.lost.clear();
            changes.torn.clear();
            link.told(now, clock.whole, &seen, highest, |ticks| clock.moment(ticks), &mut changes);
            self.core.apply(now, at, &changes);
        }
        if let Some(tunnel) = &mut self.core.tunnel {
            tunnel.changes = changes;
        }
        let (roomy, latency) = (self.core.overload_us < ROOMY, self.core.config.latency);
        for link in &mut self.core.links {
            self.core.lost_link |= link.judge(now, clock.whole, roomy, latency);
        }
        self.core.compare_links();
        self.core.retire_delivered();
        self.core.rescue(now);
    }
}

impl Sender {
    /// What the session's own machine wants: datagrams of the handshake, and what has become of the session.
    pub(super) fn tend_session(&mut self, now: Instant) {
        let core = &mut self.core;
        let Some(Seal::Session(initiator)) = core.tunnel.as_mut().map(|tunnel| &mut tunnel.seal) else { return };
        while let Some((link, payload)) = initiator.poll_transmit() {
            if let Some(at) = core.links.iter().position(|other| other.id == link) {
                core.links[at].count(now, payload.len());
                core.transmits.push_back(Transmit { link, payload: payload.into() });
            }
        }
        while let Some(event) = initiator.poll_event() {
            self.events.push_back(event);
        }
        while let Some(event) = self.events.pop_front() {
            match event {
                // the counters run on: nothing that is under way notices
                InitiatorEvent::Up { continued: true, .. } => {}
                InitiatorEvent::Up { continued: false, .. } => self.core.begin_tunnel(now, true),
                InitiatorEvent::Lost => self.core.begin_tunnel(now, false),
                InitiatorEvent::Refused(why) => self.refused = Some(why),
            }
        }
    }

    /// The links that can carry a datagram, for the session's machine.
    pub(super) fn list_links(&mut self, now: Instant) {
        let links: Vec<LinkId> = self.core.links.iter().filter(|link| link.carrier).map(|link| link.id).collect();
        if let Some(Seal::Session(initiator)) = self.core.tunnel.as_mut().map(|tunnel| &mut tunnel.seal) {
            initiator.set_links(now, &links);
        }
        self.tend_session(now);
    }

    /// Why the gateway took no session when it last was asked, if it said so since one was up.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.refused
    }

    /// Datagrams that were dropped unread, by reason; nothing in the field's dialect.
    #[must_use]
    pub fn drops(&self) -> Option<&Drops> {
        match &self.core.tunnel.as_ref()?.seal {
            Seal::Session(initiator) => Some(initiator.drops()),
            Seal::Plain(_) => None,
        }
    }

    /// The next frame in which the gateway tells what it sees, see [`crate::wire::native::Echo`].
    pub fn poll_echo(&mut self) -> Option<Bytes> {
        self.core.tunnel.as_mut()?.words.pop_front()
    }

    /// The system says that a datagram of `len` bytes is too long for the link's own end (EMSGSIZE): it was not sent, and
    /// none of that length will be.
    pub fn handle_too_long(&mut self, now: Instant, id: LinkId, len: usize) {
        if let Some(at) = self.core.find(id) {
            self.core.links[at].mtu.handle_too_long(now, len);
        }
    }

    /// How long a payload of a `ts` stream should be so that it need not be cut: 1316 bytes, or 1128 where a path is narrow.
    #[must_use]
    pub fn payload_limit(&self) -> usize {
        payload_limit(self.core.links.iter().filter(|link| link.usable()).map(|link| link.mtu.datagram()))
    }
}

impl Core {
    /// Another session begins, or none is: what the last one had under way goes again.
    fn begin_tunnel(&mut self, now: Instant, up: bool) {
        let Some(tunnel) = &mut self.tunnel else { return };
        tunnel.clock = None;
        tunnel.heard_controls.clear();
        if let Some((_, at, told)) = &mut tunnel.anchor {
            (*at, *told) = (Instant::ZERO, false);
        }
        for at in 0..self.links.len() {
            self.abandon(at);
            self.links[at].starts_afresh(now);
            if up {
                self.links[at].membership = Membership::Inside;
                self.send_frame(now, at, Cargo::Other, &PROBE);
            } else {
                self.links[at].put_outside(now);
            }
        }
    }

    fn apply(&mut self, now: Instant, at: usize, changes: &Changes) {
        for (_, cargo) in &changes.arrived {
            match *cargo {
                Cargo::Packet(seq) => {
                    let Some(held) = self.store.get_mut(seq) else { continue };
                    let news = held.delivered.replace(now).is_none().then_some(held.payload.len());
                    self.queue.take(held);
                    if let Some(bytes) = news {
                        self.count_delivered(now, bytes);
                    }
                }
                Cargo::Word(id) => {
                    if let Some((anchor, _, told)) = self.tunnel.as_mut().and_then(|tunnel| tunnel.anchor.as_mut()) {
                        *told |= anchor.id == id;
                    }
                }
                Cargo::Half | Cargo::Other => {}
            }
        }
        for cargo in &changes.torn {
            if let Cargo::Packet(seq) = *cargo {
                self.believe_lost(at, seq, Fate::Live);
            }
        }
        for (number, cargo) in &changes.lost {
            match *cargo {
                Cargo::Packet(seq) => self.copy_lost(at, *number, seq),
                Cargo::Half | Cargo::Word(_) | Cargo::Other => {
                    self.links[at].lost(*number);
                }
            }
        }
    }

    /// One clock is far and the scale unknown: the quickest link is taken to need half its round trip.
    fn compare_links(&mut self) {
        let least = self.links.iter().filter_map(|link| link.least_way()).min();
        let anchor = self.links.iter().filter_map(|link| link.rtt.least()).min();
        let (Some(least), Some(anchor)) = (least, anchor) else { return };
        let anchor = anchor.as_micros() as f64 / 2.0;
        for link in &mut self.links {
            if let Some(way) = link.least_way() {
                link.set_one_way((way - least) as f64 + anchor);
            }
        }
    }

    /// What has arrived need not be held.
    fn retire_delivered(&mut self) {
        while self.store.front_is_delivered() {
            self.retire_front();
        }
    }
}
