//! Receiver: frames from several links in, the streams in order out, and what has arrived told back.
//!
//! ```text
//! handle_frame ─► lane (by link): counters, times ───────────────► feedback ─► poll_frame
//!            └──► stream: data ─► row (reorder) ─► poll_output
//!                         control ────────────────► poll_output at once, SHUTDOWN behind the last data
//! ```
//!
//! What comes in is opened and authenticated already. What it keeps of a stream is bounded
//! ([`Receiver::MOST_BYTES`]), beside a few kilobytes a link.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::config::{BEYOND, LEAST};
use super::lane::{Lane, ticks};
use super::native::Reassembly;
use super::parity::{Held, ParityDecoder};
use super::reorder::{self, Given, Reorder, Stamps, Took};
use crate::time::Instant;
use crate::wire::Error;
use crate::wire::native::{
    COUNTER_MASK, Control, DATA_HEADER, Data, DataKind, FeedbackWriter, Frame, MOST_STREAMS, StreamKind, StreamSeen,
    Unpacker, parse,
};
use crate::wire::srt::{self, Packet};

/// Feedback while data flows.
const PACE: Duration = Duration::from_millis(10);
/// And while none does.
const PACE_QUIET: Duration = Duration::from_millis(100);
/// A stream that paused for longer does not flow.
const FLOWS: Duration = Duration::from_millis(1000);
/// A group of which nothing is heard for so long is told nothing.
const GONE: Duration = Duration::from_secs(10);
/// The link heard last was heard no later than this, or something is wrong and more links are told.
const FRESH: Duration = Duration::from_millis(15);
/// A link that has brought payload since is one of those that carry the stream.
const CARRIES: Duration = Duration::from_millis(100);
/// Every so manieth message goes on one more link, by turns.
const TURN: u32 = 5;
/// Longest feedback frame: with IPv6 and everything around it fits any path.
const MOST_FEEDBACK: usize = 1100;
/// Copies of control packets are known by the last so many numbers.
const CONTROLS: u16 = 64;
/// A handshake that took longer would shift the listener's clock.
const HANDSHAKE_KEEPS: Duration = Duration::from_millis(250);
/// SHUTDOWN waits for the last data so long beyond L.
const LINGER: Duration = Duration::from_millis(500);
/// Frames and packets that wait for the driver, each way.
const MOST_WAITING: usize = 16_384;

/// Up to this L repairs travel ahead: there is no time to ask again.
pub(super) const PARITY_UP_TO: Duration = Duration::from_millis(300);

/// What a receiver needs to know of its session, as the hello told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// L: payloads of a `ts` stream leave so long after their stamp, those of an `srt` stream at the latest; never later
    /// than what its session has negotiated as latency, less [`BEYOND`].
    pub latency: Duration,
    /// The streams by number.
    pub streams: Vec<(u8, StreamKind)>,
}

/// Something for whoever stands behind the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A payload in its turn: transport stream, or an SRT data packet as it was.
    Payload {
        /// Which stream.
        stream: u8,
        /// Counts the stream's payloads, gaps included.
        number: u64,
        /// When it arrived here, maybe long before its turn.
        arrived: Instant,
        /// The bytes.
        payload: Bytes,
    },
    /// So many payloads from `first` on did not come in time.
    Gap {
        /// Which stream.
        stream: u8,
        /// The first of them.
        first: u64,
        /// How many.
        count: u64,
    },
    /// A packet of the SRT session that is not data.
    Control {
        /// Which stream.
        stream: u8,
        /// The packet.
        packet: Bytes,
    },
    /// The box ends the session on purpose.
    Bye,
}

/// What a stream has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct StreamStats {
    /// Payloads given out.
    pub given: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Numbers given up.
    pub missing: u64,
    /// Payloads that came a second time.
    pub copies: u64,
    /// Payloads that came after they were given up.
    pub late: u64,
    /// Payloads for which there was no room, or whose header cannot be found again.
    pub refused: u64,
    /// Payloads repaired from parity.
    pub repaired: u64,
    /// Payload bytes waiting for their turn.
    pub waiting: u64,
}

/// What one link has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct LaneStats {
    /// The box's number of the link.
    pub link: u8,
    /// Datagrams.
    pub datagrams: u64,
    /// Their UDP payload bytes.
    pub bytes: u64,
}

/// The receiver, measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ReceiverStats {
    /// By stream.
    pub streams: BTreeMap<u8, StreamStats>,
    /// By link.
    pub links: Vec<LaneStats>,
    /// Frames that nobody could read.
    pub strange: u64,
    /// Frames of types that a later version may have.
    pub unknown: u64,
}

#[derive(Debug)]
struct Stream {
    kind: StreamKind,
    row: Reorder,
    unpacker: Unpacker,
    stats: StreamStats,
    /// Numbers of the control packets seen, as a window below the newest.
    controls: Option<(u16, u64)>,
    control_stamps: Stamps,
    /// Only where L is too short to ask again.
    parity: Option<ParityDecoder>,
    shutdown: Option<(Instant, u64, Bytes)>,
    latency: Duration,
    /// Counts the control packets that go back.
    told: u16,
}

/// The receiving engine of one group. After any `handle_*`: poll everything until empty.
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    streams: BTreeMap<u8, Stream>,
    lanes: [Lane; 16],
    outputs: VecDeque<Output>,
    frames: VecDeque<(u8, Bytes)>,
    strange: u64,
    unknown: u64,
    /// When payload came last.
    flowed: Option<Instant>,
    heard: Option<Instant>,
    next_feedback: Instant,
    pace: Duration,
    turn: u32,
    halves: Reassembly,
    ended: bool,
}

impl Receiver {
    /// Feedback so often while data flows: 10 ms, unless a simulation wants to see what that is worth.
    pub fn set_pace(&mut self, pace: Duration) {
        self.pace = pace;
    }

    /// Most payload bytes that one stream's row keeps.
    pub const MOST_BYTES: usize = reorder::MOST_BYTES;

    /// A receiver that has heard nothing yet.
    #[must_use]
    pub fn new(now: Instant, config: ReceiverConfig) -> Self {
        let stream = |(number, kind): &(u8, StreamKind)| {
            let stream = Stream {
                kind: *kind,
                row: Reorder::new(*kind, config.latency),
                unpacker: Unpacker::default(),
                stats: StreamStats::default(),
                controls: None,
                control_stamps: Stamps::default(),
                parity: (config.latency <= PARITY_UP_TO).then(|| ParityDecoder::new(*number)),
                shutdown: None,
                latency: config.latency,
                told: 0,
            };
            (*number, stream)
        };
        let streams = config.streams.iter().take(MOST_STREAMS).map(stream).collect();
        Self {
            config,
            streams,
            lanes: Default::default(),
            outputs: VecDeque::new(),
            frames: VecDeque::new(),
            strange: 0,
            unknown: 0,
            flowed: None,
            heard: None,
            next_feedback: now,
            pace: PACE,
            turn: 0,
            halves: Reassembly::default(),
            ended: false,
        }
    }

    /// An opened frame: on which link of the box, with which counter, and how long its datagram was.
    ///
    /// # Errors
    /// If the frame cannot be read; it is counted, and its counter is told all the same.
    pub fn handle_frame(
        &mut self,
        now: Instant,
        link: u8,
        counter: u64,
        len: usize,
        frame: &Bytes,
    ) -> Result<(), Error> {
        let Some(lane) = self.lanes.get_mut(usize::from(link)) else { return Err(Error::UnknownType(link.into())) };
        lane.take(now, counter, len);
        self.heard = Some(now);
        // the first after a pause is told soon
        self.next_feedback = self.next_feedback.min(now + self.pace);
        let read = parse(frame);
        match read {
            Ok(read) => self.take(now, link, &read, frame),
            Err(why) => {
                self.strange += 1;
                return Err(why);
            }
        }
        self.release(now);
        Ok(())
    }

    fn take(&mut self, now: Instant, link: u8, read: &Frame<'_>, frame: &Bytes) {
        match read {
            Frame::Data(data) => {
                self.flowed = Some(now);
                self.lanes[usize::from(link)].carried = Some(now);
                self.take_data(now, data, frame.slice(DATA_HEADER..));
            }
            Frame::Control(control) => self.take_control(now, control),
            Frame::Anchor(anchor) => {
                if let Some(stream) = self.streams.get_mut(&anchor.stream) {
                    stream.unpacker.learn(*anchor);
                }
            }
            Frame::Settled(settled) => {
                for (link, low) in settled.links() {
                    if let Some(lane) = self.lanes.get_mut(usize::from(link)) {
                        lane.settle(low);
                    }
                }
            }
            Frame::Bye => {
                if !std::mem::replace(&mut self.ended, true) {
                    self.outputs.push_back(Output::Bye);
                }
            }
            Frame::Fragment(half) => {
                let mut whole = Vec::with_capacity(2048);
                if self.halves.handle(half, &mut whole) {
                    let whole = Bytes::from(whole);
                    match parse(&whole) {
                        // halves of halves are nobody's
                        Ok(Frame::Fragment(_)) | Err(_) => self.strange += 1,
                        Ok(read) => self.take(now, link, &read, &whole),
                    }
                }
            }
            Frame::Parity(parity) => {
                if let Some(stream) = self.streams.get_mut(&parity.stream)
                    && let Some(decoder) = &mut stream.parity
                {
                    let restored = decoder.handle_parity(stream.row.number(parity.first), parity);
                    stream.repair(now, restored);
                }
            }
            Frame::Probe { .. } => {}
            _ => self.unknown += 1,
        }
    }

    fn take_data(&mut self, now: Instant, data: &Data<'_>, payload: Bytes) {
        let Some(stream) = self.streams.get_mut(&data.stream) else {
            self.strange += 1;
            return;
        };
        let fits = match data.kind {
            DataKind::Ts => stream.kind == StreamKind::Ts,
            DataKind::Srt { .. } | DataKind::Whole => stream.kind == StreamKind::Srt,
        };
        if !fits {
            self.strange += 1;
            return;
        }
        let number = stream.row.number(data.seq);
        match stream.row.take(now, data.seq, data.stamp, data.kind, payload.clone()) {
            Took::New => {
                if let Some(decoder) = &mut stream.parity {
                    let held = Held { kind: data.kind, stamp: data.stamp, payload };
                    let restored = decoder.handle_data(number, held);
                    stream.repair(now, restored);
                }
            }
            Took::Copy => stream.stats.copies += 1,
            Took::Late => stream.stats.late += 1,
            Took::Refused => stream.stats.refused += 1,
        }
    }

    fn take_control(&mut self, now: Instant, control: &Control<'_>) {
        let Some(stream) = self.streams.get_mut(&control.stream) else {
            self.strange += 1;
            return;
        };
        if stream.is_control_copy(control.number) {
            return;
        }
        let stamp = stream.control_stamps.take(now, control.stamp);
        let age = now.since(stream.control_stamps.moment(stamp));
        let packet = Bytes::copy_from_slice(control.packet);
        match srt::peek(control.packet) {
            Ok(Packet::Handshake(_)) if age > HANDSHAKE_KEEPS => return,
            Ok(Packet::Handshake(_)) => stream.row.starts_at(control.next),
            Ok(Packet::Shutdown) => {
                let until = stream.row.number(control.next);
                stream.shutdown = Some((now + stream.latency + LINGER, until, packet));
                return;
            }
            _ => {}
        }
        self.outputs.push_back(Output::Control { stream: control.stream, packet });
    }

    /// A packet of the SRT peer behind this receiver, for the box: it travels at once.
    pub fn handle_control(&mut self, now: Instant, stream: u8, packet: &[u8]) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        if let Ok(Packet::Handshake(handshake)) = srt::peek(packet)
            && let Some(negotiated) = handshake.negotiated_latency()
        {
            // what leaves later the listener gives up on; the box reckons with the same
            state.latency = self.config.latency.min(negotiated.saturating_sub(BEYOND).max(LEAST));
            state.row.set_latency(state.latency);
        }
        state.told = state.told.wrapping_add(1);
        let next = state.row.next().unwrap_or(0) as u32;
        let stamp = now.as_micros() as u32;
        let mut frame = Vec::with_capacity(16 + packet.len());
        Frame::Control(Control { stream, number: state.told, next, stamp, packet }).emit(&mut frame);
        let frame = Bytes::from(frame);
        // handshakes are few and dear
        let most = if matches!(srt::peek(packet), Ok(Packet::Handshake(_))) { 3 } else { 2 };
        for link in self.told_links(now).into_iter().flatten().take(most) {
            self.tell(link, frame.clone());
        }
    }

    /// A frame of another room for the box, such as the echo: on the link heard last.
    pub fn handle_word(&mut self, now: Instant, frame: Bytes) {
        if let Some(link) = self.told_links(now)[0] {
            self.tell(link, frame);
        }
    }

    /// The time that `next_timeout` named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_told(now) && now >= self.next_feedback {
            self.feed_back(now);
            let flows = self.flowed.is_some_and(|at| now.since(at) < FLOWS);
            self.next_feedback = now + if flows { self.pace } else { PACE_QUIET };
        }
        self.release(now);
    }

    /// When to call [`Receiver::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&mut self) -> Option<Instant> {
        let told =
            self.heard.map(|heard| (heard, self.next_feedback)).filter(|(heard, next)| next.since(*heard) < GONE);
        let due: Vec<Instant> = self.streams.values_mut().filter_map(|stream| stream.row.next_due()).collect();
        let due = due.into_iter();
        let ends = self.streams.values().filter_map(|stream| Some(stream.shutdown.as_ref()?.0)).min();
        due.chain(ends).chain(told.map(|(_, next)| next)).min()
    }

    /// The next thing for whoever stands behind.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next frame to be sealed for the box, and on which link.
    pub fn poll_frame(&mut self) -> Option<(u8, Bytes)> {
        self.frames.pop_front()
    }

    /// When a link of the box was last heard.
    #[must_use]
    pub fn heard(&self, link: u8) -> Option<Instant> {
        self.lanes.get(usize::from(link))?.heard
    }

    /// Everything counted so far.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        let lanes = self.lanes.iter().enumerate().filter(|(_, lane)| lane.heard.is_some());
        let links = lanes.map(|(at, lane)| LaneStats { link: at as u8, datagrams: lane.datagrams, bytes: lane.bytes });
        let stream = |(number, stream): (&u8, &Stream)| {
            (*number, StreamStats { waiting: stream.row.bytes() as u64, ..stream.stats })
        };
        ReceiverStats {
            streams: self.streams.iter().map(stream).collect(),
            links: links.collect(),
            strange: self.strange,
            unknown: self.unknown,
        }
    }

    fn is_told(&self, now: Instant) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) < GONE)
    }

    fn tell(&mut self, link: u8, frame: Bytes) {
        if self.frames.len() < MOST_WAITING {
            self.frames.push_back((link, frame));
        }
    }

    /// The links to tell something: the one heard last; the next one if it carries payload too, or if the first has
    /// paused; and by turns one more.
    fn told_links(&self, now: Instant) -> [Option<u8>; 3] {
        let mut heard: Vec<(Instant, u8)> = Vec::with_capacity(self.lanes.len());
        heard.extend(self.lanes.iter().enumerate().filter_map(|(at, lane)| Some((lane.heard?, at as u8))));
        heard.sort_unstable_by(|a, b| b.cmp(a));
        let Some((at, first)) = heard.first().copied() else { return [None; 3] };
        let paused = now.since(at) > FRESH;
        let second = heard.get(1).map(|(_, link)| *link).filter(|link| {
            let carried = self.lanes[usize::from(*link)].carried;
            paused || carried.is_some_and(|at| now.since(at) < CARRIES)
        });
        let others = heard.get(2..).unwrap_or_default();
        let others = if second.is_some() { others } else { heard.get(1..).unwrap_or_default() };
        let mut others: Vec<u8> = others.iter().map(|(_, link)| *link).collect();
        others.sort_unstable();
        let third = if others.is_empty() || !(paused || self.turn.is_multiple_of(TURN)) {
            None
        } else {
            let turn = if paused { self.turn } else { self.turn / TURN };
            others.get(turn as usize % others.len()).copied()
        };
        [Some(first), second, third]
    }

    fn feed_back(&mut self, now: Instant) {
        let mut frame = Vec::with_capacity(256);
        let mut writer = FeedbackWriter::new(&mut frame, ticks(now), MOST_FEEDBACK);
        for (number, stream) in &self.streams {
            if let Some(next) = stream.row.next() {
                let missing = stream.stats.missing as u32;
                writer.stream(StreamSeen { stream: *number, next: next as u32 & 0x00ff_ffff, missing });
            }
        }
        let count = self.lanes.iter().filter(|lane| lane.heard.is_some()).count().max(1);
        for (at, lane) in self.lanes.iter().enumerate() {
            lane.tell(at as u8, &mut writer, MOST_FEEDBACK / count);
        }
        writer.finish();
        let frame = Bytes::from(frame);
        for link in self.told_links(now).into_iter().flatten() {
            self.tell(link, frame.clone());
        }
        self.turn = self.turn.wrapping_add(1);
    }

    /// Gives out whatever has its turn.
    fn release(&mut self, now: Instant) {
        for (number, stream) in &mut self.streams {
            let Stream { row, unpacker, stats, shutdown, .. } = stream;
            while self.outputs.len() < MOST_WAITING
                && let Some(given) = row.give(now, |kind| unpacker.knows(kind))
            {
                match given {
                    Given::Gap { first, count } => {
                        stats.missing += count;
                        self.outputs.push_back(Output::Gap { stream: *number, first, count });
                    }
                    Given::Payload { number: at, slot } => {
                        let Some(payload) = whole(unpacker, at, slot.stamp, slot.kind, slot.payload) else {
                            stats.refused += 1;
                            continue;
                        };
                        stats.given += 1;
                        stats.bytes += payload.len() as u64;
                        let arrived = slot.arrived;
                        self.outputs.push_back(Output::Payload { stream: *number, number: at, arrived, payload });
                    }
                }
            }
            let ends = shutdown
                .as_ref()
                .is_some_and(|(until, last, _)| now >= *until || row.next().is_none_or(|next| next >= *last));
            if ends && let Some((_, _, packet)) = shutdown.take() {
                self.outputs.push_back(Output::Control { stream: *number, packet });
            }
        }
    }
}

/// A payload as it was before it was packed.
fn whole(unpacker: &Unpacker, number: u64, stamp: i64, kind: DataKind, payload: Bytes) -> Option<Bytes> {
    match kind {
        DataKind::Ts | DataKind::Whole => Some(payload),
        DataKind::Srt { .. } => {
            let mut out = Vec::with_capacity(16 + payload.len());
            let seq = number as u32 & 0x00ff_ffff;
            let data = Data { stream: 0, seq, stamp: stamp as u32, kind, payload: &payload };
            unpacker.unpack(&data, &mut out).then(|| out.into())
        }
    }
}

impl Stream {
    /// Payloads that parity has given back.
    fn repair(&mut self, now: Instant, restored: Vec<(u64, Held)>) {
        for (number, held) in restored {
            if self.row.lacks(number) {
                let low = number as u32 & COUNTER_MASK;
                if self.row.take(now, low, held.stamp, held.kind, held.payload) == Took::New {
                    self.stats.repaired += 1;
                }
            }
        }
    }

    /// True if a control packet with this number was seen before.
    fn is_control_copy(&mut self, number: u16) -> bool {
        let Some((newest, seen)) = &mut self.controls else {
            self.controls = Some((number, 1));
            return false;
        };
        let ahead = number.wrapping_sub(*newest);
        if ahead == 0 {
            return true;
        }
        if ahead < 0x8000 {
            *seen = if ahead >= CONTROLS { 1 } else { (*seen << ahead) | 1 };
            *newest = number;
            return false;
        }
        let back = newest.wrapping_sub(number);
        if back >= CONTROLS {
            // so old that only a caller that began anew can have sent it
            self.controls = Some((number, 1));
            return false;
        }
        let bit = 1 << back;
        let copy = *seen & bit != 0;
        *seen |= bit;
        copy
    }
}
