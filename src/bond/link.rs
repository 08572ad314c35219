//! Link: one uplink's life, and what is under way on it.
//!
//! ```text
//!          carrier                REG3               first arrivals
//!  Down ───────────► Registering ───────► Probing ───────────────────► Up
//!   ▲                     ▲                                            │ ▲
//!   │ carrier lost        │ silent for 4 s                  overdue    ▼ │ any proof
//!   └── from anywhere     └──────────────────────────────────────── Suspect
//! ```
//!
//! *Proof* is something that shows the way out works: an acknowledgement by this link, the echo of a
//! keepalive, an SRT ACK over a packet that only this link carried. What merely arrives here shows
//! that the way back works.

use std::collections::VecDeque;
use std::time::Duration;

use super::capacity::{Capacity, FULL, IP_UDP};
use super::config::LinkConfig;
use super::rtt::Rtt;
use super::stats::{LinkId, LinkPhase, LinkStats, RateMeter};
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srtla::{self, Keepalive, LinkReport, Repr};

/// A link is silent when its proof is overdue by this; jitter of slow radios adds to it.
const SILENCE: Duration = Duration::from_millis(60);
/// Overdue by so much (µs): something waits on the link.
const BUSY: f64 = 12_000.0;
/// A suspect link's packets are given up after this.
pub(super) const WRITE_OFF: Duration = Duration::from_millis(1500);
/// A far end of the field forgets nobody sooner, and after an address change it says nothing: ask to be let in again.
const REGISTER_AGAIN: Duration = Duration::from_millis(500);
/// Silent so long, the link counts as not registered.
const FORGOTTEN: Duration = Duration::from_secs(4);
/// Keepalives while data is under way: their echo is the proof of life that tens of packets cannot give.
const PACE_BUSY: Duration = Duration::from_millis(50);
/// Keepalives of a link that carries nothing, while the group does.
const PACE_IDLE: Duration = Duration::from_millis(200);
/// Keepalives of a link in a group that carries nothing.
const PACE_QUIET: Duration = Duration::from_secs(1);
/// After a refused or unanswered registration.
pub(super) const REGISTER_PACE: Duration = Duration::from_secs(1);
/// Keepalives remembered until their echo.
const MOST_KEEPALIVES: usize = 64;
/// Packets under way at most: a bound on memory that no window comes near.
pub(super) const MOST_UNDER_WAY: usize = 8192;
/// A later packet of the same link that was sent so long after is enough to call one lost.
const LATER: Duration = Duration::from_millis(20);
/// A link that has shown nothing for so long is measured with a train of copies: ten packets, 0.1 % of 8 Mbit/s on each idle link.
const TRAIN_EVERY: Duration = Duration::from_secs(15);
/// A link that was never empty for so long lets its queue run dry for a moment, well before the least round trip is forgotten.
const DRAIN_AFTER: Duration = Duration::from_secs(3);
const DRAIN_LEAST: Duration = Duration::from_millis(100);
const DRAIN_MOST: Duration = Duration::from_millis(400);
/// So many later packets of the same link are enough.
const LATER_PACKETS: usize = 3;
/// Ten packets or more that miss their acknowledgement together: it may itself be lost, and the SRT ACK gets this long to say so.
const DOUBT: Duration = Duration::from_millis(30);

/// What became of a packet on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Under way.
    Live,
    /// Under way, and sent elsewhere as well because nothing was heard.
    Rescued,
    /// Acknowledged, lost or forgotten.
    Done,
}

/// One packet on this link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) seq: Seq,
    pub(super) at: Instant,
    pub(super) bytes: f64,
    pub(super) fate: Fate,
    doubt: Option<Instant>,
}

/// Where the link stands with the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// Not let in yet; asks again at this time.
    Outside { ask_at: Instant },
    /// The far end has answered REG3.
    Inside,
}

/// One uplink.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) config: LinkConfig,
    pub(super) carrier: bool,
    pub(super) membership: Membership,
    pub(super) rtt: Rtt,
    pub(super) capacity: Capacity,
    /// Since when its proof is overdue.
    pub(super) suspect: Option<Instant>,
    /// When the proof should have come that did not.
    missing_since: Instant,
    written_off: bool,
    sent: VecDeque<Sent>,
    /// Number of the first of `sent`.
    first: u64,
    in_flight: f64,
    live: usize,
    /// When the last acknowledged packet left the bottleneck, as far as we know.
    departed: Instant,
    queue_us: f64,
    last_proof: Instant,
    last_heard: Instant,
    /// Everything sent up to here has arrived or is lost, and since when we know.
    proven_sent: Instant,
    proven_at: Instant,
    keepalives: VecDeque<(u64, Instant, f64)>,
    next_keepalive: Instant,
    ask_again: Instant,
    /// When an SRT ACK first came elsewhere that this link has not brought.
    missed_ack: Option<Instant>,
    /// Share of packets lost.
    pub(super) loss: f64,
    /// Copies sent as a measurement: numbers and bytes, since when, and how many are answered.
    train: Vec<(Seq, f64)>,
    train_at: Option<Instant>,
    draining: Option<Instant>,
    next_drain: Instant,
    pub(super) meter: RateMeter,
    pub(super) sent_bytes: u64,
    pub(super) sent_packets: u64,
    pub(super) lost_packets: u64,
    pub(super) strange: u64,
}

impl Link {
    pub(super) fn new(now: Instant, id: LinkId, config: LinkConfig) -> Self {
        Self {
            id,
            config,
            carrier: true,
            membership: Membership::Outside { ask_at: now },
            rtt: Rtt::new(now),
            capacity: Capacity::new(),
            suspect: None,
            missing_since: now,
            written_off: false,
            sent: VecDeque::new(),
            first: 0,
            in_flight: 0.0,
            live: 0,
            departed: now,
            queue_us: 0.0,
            last_proof: now,
            last_heard: now,
            proven_sent: now,
            proven_at: now,
            keepalives: VecDeque::new(),
            next_keepalive: now,
            ask_again: now,
            missed_ack: None,
            loss: 0.0,
            train: Vec::new(),
            train_at: None,
            draining: None,
            next_drain: now,
            meter: RateMeter::new(),
            sent_bytes: 0,
            sent_packets: 0,
            lost_packets: 0,
            strange: 0,
        }
    }

    /// New payload may go here.
    pub(super) fn usable(&self) -> bool {
        self.carrier && self.is_inside() && self.suspect.is_none()
    }

    pub(super) fn is_inside(&self) -> bool {
        self.membership == Membership::Inside
    }

    pub(super) fn phase(&self) -> LinkPhase {
        if !self.carrier {
            LinkPhase::Down
        } else if !self.is_inside() {
            LinkPhase::Registering
        } else if self.suspect.is_some() {
            LinkPhase::Suspect
        } else if self.capacity.is_unproven() {
            LinkPhase::Probing
        } else {
            LinkPhase::Up
        }
    }

    /// The far end lets the link in, or says so again.
    pub(super) fn admitted(&mut self, now: Instant) {
        if !self.is_inside() {
            self.membership = Membership::Inside;
            self.next_keepalive = now;
        }
        self.proof(now);
    }

    /// The link must ask to be let in again, now.
    pub(super) fn put_outside(&mut self, now: Instant) {
        self.membership = Membership::Outside { ask_at: now };
    }

    pub(super) fn proof(&mut self, now: Instant) {
        self.last_proof = now;
        self.suspect = None;
        self.written_off = false;
    }

    pub(super) fn last_proof(&self) -> Instant {
        self.last_proof
    }

    /// When the proof should have come for lack of which the link is suspect.
    pub(super) fn missing_since(&self) -> Instant {
        self.missing_since
    }

    /// The kernel refuses to send here: the link is as good as silent.
    pub(super) fn refused(&mut self, now: Instant) {
        if self.is_inside() && self.suspect.is_none() {
            self.suspect = Some(now);
            self.missing_since = self.last_proof;
            self.ask_again = now + REGISTER_AGAIN;
        }
    }

    /// Something came from the far end on this link.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.missed_ack = None;
    }

    /// An SRT ACK, which goes to all links at once, came on another one.
    pub(super) fn ack_came_elsewhere(&mut self, now: Instant) {
        self.missed_ack.get_or_insert(now);
    }

    fn sized(bytes: usize) -> f64 {
        bytes as f64 + IP_UDP
    }

    /// Counts a datagram that leaves here.
    pub(super) fn count(&mut self, now: Instant, bytes: usize) {
        self.sent_bytes += bytes as u64;
        self.sent_packets += 1;
        self.meter.take(now, bytes as u64);
    }

    /// A packet of the stream leaves here; returns its number on this link.
    pub(super) fn send(&mut self, now: Instant, seq: Seq, bytes: usize) -> u64 {
        self.count(now, bytes);
        let number = self.first + self.sent.len() as u64;
        let bytes = Self::sized(bytes);
        if self.live == 0 && self.keepalives.is_empty() {
            self.next_keepalive = self.next_keepalive.min(now + PACE_BUSY);
        }
        self.sent.push_back(Sent { seq, at: now, bytes, fate: Fate::Live, doubt: None });
        self.in_flight += bytes;
        self.live += 1;
        number
    }

    /// The link has carried nothing for long, and was not measured lately either.
    pub(super) fn wants_train(&self, now: Instant) -> bool {
        let long_ago = |at: Option<Instant>| at.is_none_or(|at| now.since(at) > TRAIN_EVERY);
        self.usable() && self.live == 0 && long_ago(self.capacity.last_arrival()) && long_ago(self.train_at)
    }

    /// A copy leaves here as part of a measurement; nobody relies on it.
    pub(super) fn send_in_train(&mut self, now: Instant, seq: Seq, bytes: usize) {
        if self.train_at != Some(now) {
            self.train.clear();
            self.train_at = Some(now);
        }
        self.train.push((seq, Self::sized(bytes)));
    }

    /// The far end acknowledges a packet that this link may have carried in a train. When all of it is here, the time
    /// that it took beyond the empty round trip is the time that the bottleneck took for it.
    pub(super) fn train_answered(&mut self, now: Instant, seq: Seq) {
        let Some(at) = self.train.iter().position(|(other, _)| *other == seq) else { return };
        let (_, bytes) = self.train.swap_remove(at);
        self.capacity.arrived(now, bytes);
        self.proof(now);
        if let (true, Some(sent_at)) = (self.train.is_empty(), self.train_at) {
            let took = now.since(sent_at).as_micros() as f64 - self.rtt.least_us();
            self.capacity.dispersed(f64::from(srtla::ACK_COUNT as u32) * bytes, took);
        }
    }

    /// Bytes under way, with IP and UDP.
    pub(super) fn in_flight(&self) -> f64 {
        self.in_flight
    }

    /// There is room for `bytes` more of payload.
    pub(super) fn has_room(&self, bytes: usize, latency_us: f64) -> bool {
        self.in_flight + Self::sized(bytes) <= self.window(latency_us) && self.sent.len() < MOST_UNDER_WAY
    }

    /// Bytes for which there is still room.
    pub(super) fn spare(&self, latency_us: f64) -> f64 {
        (self.window(latency_us) - self.in_flight).max(0.0)
    }

    fn window(&self, latency_us: f64) -> f64 {
        if self.draining.is_some() {
            self.capacity.draining_window(self.rtt.least_us())
        } else {
            self.capacity.window(self.rtt.least_us(), latency_us, self.suspect.is_some())
        }
    }

    /// When the bottleneck will have served everything under way, µs on the sender's clock.
    pub(super) fn free_at(&self, now: Instant) -> f64 {
        let drained = self.departed.as_micros() as f64 + self.in_flight / self.capacity.believed();
        drained.max(now.as_micros() as f64)
    }

    /// One way without any queue, µs.
    pub(super) fn one_way(&self) -> f64 {
        self.rtt.least_us() / 2.0
    }

    /// What waits before the bottleneck, µs.
    pub(super) fn queue_us(&self, now: Instant) -> f64 {
        self.free_at(now) - now.as_micros() as f64
    }

    fn at(&self, number: u64) -> Option<&Sent> {
        self.sent.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn at_mut(&mut self, number: u64) -> Option<&mut Sent> {
        self.sent.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Closes the book on a packet; its bytes if it was still under way.
    fn close(&mut self, number: u64) -> Option<Sent> {
        let entry = self.at_mut(number)?;
        if entry.fate == Fate::Done {
            return None;
        }
        let open = *entry;
        entry.fate = Fate::Done;
        self.in_flight = (self.in_flight - open.bytes).max(0.0);
        self.live = self.live.saturating_sub(1);
        while self.sent.front().is_some_and(|sent| sent.fate == Fate::Done) {
            self.sent.pop_front();
            self.first += 1;
        }
        if self.live == 0 {
            self.in_flight = 0.0;
        }
        Some(open)
    }

    /// The far end has these packets of ours, in the order in which they arrived. What is thereby known to be lost
    /// is written to `lost`, as numbers on this link.
    pub(super) fn acknowledged(&mut self, now: Instant, numbers: &[u64], lost: &mut Vec<(u64, Seq)>) {
        self.proof(now);
        let Some(highest) = numbers.iter().copied().max() else { return };
        let lowest = numbers.iter().copied().min().unwrap_or(highest);
        let newest_at = self.at(highest).map(|sent| sent.at);
        // the last of the list made the far end answer: it alone times the way there and back
        if let Some(sent) = numbers.last().and_then(|number| self.at(*number)).copied()
            && sent.fate != Fate::Done
        {
            self.timed(now, sent.at);
        }
        let mut arrived = 0.0;
        for number in numbers {
            if let Some(sent) = self.close(*number) {
                arrived += sent.bytes;
                self.loss *= 0.99;
            }
        }
        if arrived > 0.0 {
            self.capacity.arrived(now, arrived);
        }
        let Some(newest_at) = newest_at else { return };
        if newest_at >= self.proven_sent {
            self.proven_sent = newest_at;
            self.proven_at = now;
        }
        self.sweep(now, lowest, highest, numbers, newest_at, lost);
    }

    /// Finds what a first-in-first-out link must have lost, given that it brought `numbers`.
    fn sweep(
        &mut self,
        now: Instant,
        lowest: u64,
        highest: u64,
        numbers: &[u64],
        newest_at: Instant,
        lost: &mut Vec<(u64, Seq)>,
    ) {
        let third = if numbers.len() >= LATER_PACKETS {
            let mut last: Vec<u64> = numbers.to_vec();
            last.sort_unstable();
            last[last.len() - LATER_PACKETS]
        } else {
            lowest
        };
        let upto = usize::try_from(highest.saturating_sub(self.first)).unwrap_or(0).min(self.sent.len());
        let before = usize::try_from(lowest.saturating_sub(self.first)).unwrap_or(0).min(upto);
        // ten or more missing together: perhaps only their acknowledgement was lost
        let missing = self.sent.range(..before).filter(|s| s.fate != Fate::Done && s.doubt.is_none()).count();
        let doubtful = missing >= 10;
        for at in 0..upto {
            let number = self.first + at as u64;
            let sent = &mut self.sent[at];
            if sent.fate == Fate::Done || sent.doubt.is_some() {
                continue;
            }
            let passed = number < third || sent.at + LATER <= newest_at;
            if !passed {
                continue;
            }
            if doubtful && at < before {
                sent.doubt = Some(now + DOUBT);
            } else {
                lost.push((number, sent.seq));
            }
        }
    }

    /// Those in doubt whose time is up.
    pub(super) fn doubts(&self, now: Instant, lost: &mut Vec<(u64, Seq)>) {
        for (at, sent) in self.sent.iter().enumerate() {
            match sent.doubt {
                Some(until) if sent.fate != Fate::Done && now >= until => {
                    lost.push((self.first + at as u64, sent.seq));
                }
                None if sent.fate != Fate::Done && sent.at >= self.proven_sent => break,
                _ => {}
            }
        }
    }

    /// A packet on this link is lost; true if it was still believed in.
    pub(super) fn lost(&mut self, number: u64) -> Option<Fate> {
        let sent = self.close(number)?;
        self.lost_packets += 1;
        self.loss += 0.01 * (1.0 - self.loss);
        Some(sent.fate)
    }

    /// The SRT listener has a packet of which this link carried a copy; `sole` if nobody else did.
    pub(super) fn passed(&mut self, now: Instant, number: u64, sole: bool) {
        let Some(sent) = self.close(number) else { return };
        self.loss *= 0.99;
        if sole {
            self.capacity.arrived(now, sent.bytes);
            self.proof(now);
            if sent.at > self.proven_sent {
                self.proven_sent = sent.at;
                self.proven_at = now;
            }
        }
    }

    /// Forgets a packet that nobody needs any more.
    pub(super) fn forget(&mut self, number: u64) {
        self.close(number);
    }

    fn timed(&mut self, now: Instant, sent_at: Instant) {
        let sample = now.since(sent_at);
        self.rtt.take(now, sample);
        self.queue_us = (sample.as_micros() as f64 - self.rtt.least_us()).max(0.0);
        let left = sent_at + Duration::from_micros(self.queue_us as u64);
        self.departed = self.departed.max(left);
    }

    /// The far end has echoed a keepalive; false if it is none of ours.
    pub(super) fn echoed(&mut self, now: Instant, stamp_ms: u64) -> bool {
        let Some(at) = self.keepalives.iter().position(|(stamp, _, _)| *stamp == stamp_ms) else { return false };
        let Some((_, sent_at, _)) = self.keepalives.drain(..=at).next_back() else { return false };
        self.proof(now);
        self.timed(now, sent_at);
        if sent_at > self.proven_sent {
            self.proven_sent = sent_at;
            self.proven_at = now;
        }
        true
    }

    /// How long ago it became known that everything sent until `at` has arrived or is lost.
    pub(super) fn known_since(&self, now: Instant, at: Instant) -> Option<Duration> {
        (at < self.proven_sent).then(|| now.since(self.proven_at))
    }

    /// When a packet sent now-and-then should have been answered at the latest, with all the link's unsteadiness.
    pub(super) fn overdue_at(&self, sent_at: Instant) -> Instant {
        let wait = self.rtt.latest_us().max(self.rtt.least_us())
            + 4.0 * self.rtt.jitter_us()
            + self.in_flight / self.capacity.rate();
        sent_at + SILENCE + Duration::from_micros(wait as u64)
    }

    /// Time of a copy that is still believed in.
    pub(super) fn sent_at(&self, number: u64) -> Option<Instant> {
        self.at(number).filter(|sent| sent.fate != Fate::Done).map(|sent| sent.at)
    }

    /// The oldest packets under way that were not sent elsewhere, with their numbers.
    pub(super) fn sole(&self) -> impl Iterator<Item = (u64, Seq)> + '_ {
        let first = self.first;
        let live = self.sent.iter().enumerate().filter(|(_, sent)| sent.fate == Fate::Live);
        live.map(move |(at, sent)| (first + at as u64, sent.seq))
    }

    /// Another link carries this packet from now on.
    pub(super) fn rescued(&mut self, number: u64) {
        if let Some(sent) = self.at_mut(number)
            && sent.fate == Fate::Live
        {
            sent.fate = Fate::Rescued;
        }
    }

    /// Everything under way, given up.
    pub(super) fn give_up(&mut self) -> Vec<(u64, Seq, Fate)> {
        let first = self.first;
        let all = self.sent.iter().enumerate().filter(|(_, sent)| sent.fate != Fate::Done);
        let all = all.map(|(at, sent)| (first + at as u64, sent.seq, sent.fate)).collect();
        self.first += self.sent.len() as u64;
        self.sent.clear();
        self.in_flight = 0.0;
        self.live = 0;
        all
    }

    /// How long the link's proof is overdue, as things stand.
    fn overdue(&self) -> Option<Instant> {
        let wait = |at: Instant, ahead: f64| {
            let served = (self.departed.max(at).as_micros() as f64) + ahead / self.capacity.rate();
            Instant::from_micros((served + self.rtt.least_us()) as u64)
        };
        // an echo is due for each keepalive, an acknowledgement for every ten packets
        let echo = self.keepalives.front().map(|(_, at, ahead)| wait(*at, *ahead));
        let tenth = if self.live >= 10 {
            self.sent.iter().filter(|sent| sent.fate != Fate::Done).nth(9).map(|sent| wait(sent.at, 10.0 * FULL))
        } else {
            None
        };
        match (echo, tenth) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Time has passed: judges silence and measures. True if the link became suspect just now.
    pub(super) fn tick(&mut self, now: Instant, dt: Duration) -> bool {
        if !self.carrier || !self.is_inside() {
            return false;
        }
        let patience = SILENCE.max(Duration::from_micros((6.0 * self.rtt.jitter_us()) as u64));
        let due = self.overdue();
        let busy = self.live > 0
            && (self.queue_us > BUSY + 3.0 * self.rtt.jitter_us()
                || due.is_some_and(|due| now > due + Duration::from_micros(BUSY as u64)));
        self.judge_draining(now);
        if self.suspect.is_none() {
            self.capacity.tick(now, dt, busy, self.queue_us, self.rtt.least_us());
        }
        if self.live == 0 {
            self.queue_us = 0.0;
        }
        let late = due.is_some_and(|due| now.since(due.max(self.last_proof)) > patience);
        // the others hear the far end and this one does not: the way back is gone, if not both
        let deaf = self.missed_ack.is_some_and(|since| {
            let spread = Duration::from_micros(self.rtt.least_us() as u64);
            now.since(since) > patience + spread && now.since(self.last_heard) > patience + spread
        });
        if (late || deaf) && self.suspect.is_none() {
            self.suspect = Some(now);
            let due = due.filter(|_| late).or(self.missed_ack).unwrap_or(now);
            self.missing_since = due.max(self.last_proof);
            self.ask_again = now + REGISTER_AGAIN;
            self.next_keepalive = self.next_keepalive.min(now);
            return true;
        }
        false
    }

    /// A link that is never empty would make its own queue pass for its round trip.
    fn judge_draining(&mut self, now: Instant) {
        match self.draining {
            Some(until) if now >= until || self.rtt.since_empty(now) < DRAIN_AFTER => self.draining = None,
            None if self.capacity.is_busy() && self.rtt.since_empty(now) > DRAIN_AFTER && now >= self.next_drain => {
                let turn = Duration::from_micros((2.0 * self.rtt.latest_us()) as u64);
                self.draining = Some(now + turn.clamp(DRAIN_LEAST, DRAIN_MOST));
                self.next_drain = now + DRAIN_AFTER;
            }
            _ => {}
        }
    }

    /// True once when the link has been suspect for so long that what it carried is given up.
    pub(super) fn is_to_be_written_off(&mut self, now: Instant) -> bool {
        let due = !self.written_off && self.suspect.is_some_and(|since| now.since(since) >= WRITE_OFF);
        self.written_off |= due;
        due
    }

    /// True if the link has been silent so long that the far end may have forgotten it.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        self.is_inside() && self.suspect.is_some_and(|since| now.since(since) >= FORGOTTEN)
    }

    /// True once per half second of suspicion: the far end may know the link under another address.
    pub(super) fn asks_again(&mut self, now: Instant) -> bool {
        let due = self.is_inside() && self.carrier && self.suspect.is_some() && now >= self.ask_again;
        if due {
            self.ask_again = now + REGISTER_AGAIN;
        }
        due
    }

    /// A keepalive, if one is due; `active` while the group carries a stream.
    pub(super) fn keepalive(&mut self, now: Instant, active: bool) -> Option<Vec<u8>> {
        if !self.carrier || !self.is_inside() || now < self.next_keepalive {
            return None;
        }
        let pace = if self.live > 0 || self.suspect.is_some_and(|since| now.since(since) < FORGOTTEN) {
            PACE_BUSY
        } else if active {
            PACE_IDLE
        } else {
            PACE_QUIET
        };
        self.next_keepalive = now + pace;
        // zero means no stamp on this wire
        let stamp_ms = now.as_millis().max(1);
        if self.keepalives.len() == MOST_KEEPALIVES {
            self.keepalives.pop_front();
        }
        if self.keepalives.back().is_none_or(|(last, _, _)| *last < stamp_ms) {
            self.keepalives.push_back((stamp_ms, now, self.in_flight));
        }
        let window = self.capacity.window(self.rtt.least_us(), 0.0, false) / FULL;
        let report = LinkReport {
            link: u32::from(self.id.0),
            window: (window * 1000.0) as i32,
            in_flight: self.live as i32,
            rtt_ms: self.rtt.smooth().map_or(0, |rtt| rtt.as_millis() as u32),
            naks: self.lost_packets as u32,
            bytes_per_second: (self.meter.rate(now).as_bps() / 8) as u32,
        };
        Some(Repr::Keepalive(Keepalive { stamp_ms: Some(stamp_ms), report: Some(report) }).to_vec())
    }

    /// The old silence is over for some other reason than proof: a new address, a new carrier.
    pub(super) fn starts_afresh(&mut self, now: Instant) {
        self.put_outside(now);
        self.suspect = None;
        self.keepalives.clear();
        self.missed_ack = None;
        self.capacity.write_off();
        self.rtt = Rtt::new(now);
        self.departed = now;
        self.queue_us = 0.0;
    }

    pub(super) fn stats(&self, now: Instant) -> LinkStats {
        LinkStats {
            id: self.id,
            name: self.config.name.clone(),
            metered: self.config.metered,
            phase: self.phase(),
            rtt: self.rtt.smooth(),
            min_rtt: self.rtt.least(),
            loss: self.loss,
            capacity: self.capacity.bitrate(),
            rate: self.meter.rate(now),
            in_flight: self.in_flight as u64,
            sent_bytes: self.sent_bytes,
            sent_packets: self.sent_packets,
            lost_packets: self.lost_packets,
            strange_datagrams: self.strange,
        }
    }
}
