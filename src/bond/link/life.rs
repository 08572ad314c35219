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

use super::clocked::Clocked;
use crate::bond::capacity::{Capacity, IP_UDP, Pace};
use crate::bond::config::{Dialect, LinkConfig};
use crate::bond::native::PathMtu;
use crate::bond::rtt::Rtt;
use crate::bond::stats::{LinkId, LinkPhase, LinkStats, RateMeter};
use crate::bond::without::Without;
use crate::time::Instant;
use crate::wire::Seq;

/// A link is silent when its proof is overdue by this; jitter of slow radios adds to it.
pub(super) const SILENCE: Duration = Duration::from_millis(60);
/// Overdue by so much (µs): something waits on the link.
pub(super) const BUSY: f64 = 12_000.0;
/// Unsteadiness of a link adds to its patience so many times.
pub(super) const JITTERS: f64 = 6.0;
/// A suspect link's packets are given up after this.
pub(in crate::bond) const WRITE_OFF: Duration = Duration::from_millis(1500);
/// A far end of the field forgets nobody sooner, and after an address change it says nothing: ask to be let in again.
pub(super) const REGISTER_AGAIN: Duration = Duration::from_millis(500);
/// Silent so long, the link counts as not registered.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(4);
/// Keepalives while data is under way: their echo is the proof of life that tens of packets cannot give.
pub(super) const PACE_BUSY: Duration = Duration::from_millis(50);
/// Keepalives of a link that carries nothing, while the group does.
pub(super) const PACE_IDLE: Duration = Duration::from_millis(200);
/// Keepalives of a link in a group that carries nothing.
pub(super) const PACE_QUIET: Duration = Duration::from_secs(1);
/// After a refused or unanswered registration.
pub(in crate::bond) const REGISTER_PACE: Duration = Duration::from_secs(1);
/// Keepalives remembered until their echo.
pub(super) const MOST_KEEPALIVES: usize = 64;
/// Packets under way at most: a bound on memory that no window comes near.
pub(in crate::bond) const MOST_UNDER_WAY: usize = 8192;
/// A later packet of the same link that was sent so long after is enough to call one lost.
pub(super) const LATER: Duration = Duration::from_millis(20);
/// A link that has shown nothing for so long is measured with a train of copies: ten packets, 0.1 % of 8 Mbit/s on each idle link.
pub(super) const TRAIN_EVERY: Duration = Duration::from_secs(15);
/// A link that was never empty for so long lets its queue run dry for a moment, well before the least round trip is forgotten.
pub(super) const DRAIN_AFTER: Duration = Duration::from_secs(3);
pub(super) const DRAIN_LEAST: Duration = Duration::from_millis(100);
pub(super) const DRAIN_MOST: Duration = Duration::from_millis(400);
/// After so long anybody would call it lost.
pub(super) const TIMEOUT: Duration = Duration::from_millis(200);
/// So many later packets of the same link are enough.
pub(super) const LATER_PACKETS: usize = 3;
/// Ten packets or more that miss their acknowledgement together: it may itself be lost, and the SRT ACK gets this long to say so.
pub(super) const DOUBT: Duration = Duration::from_millis(30);

/// An acknowledgement's own time beyond the least round trip (µs): feedback's pace, and jitter both ways.
const ANSWER: f64 = 30_000.0;

/// The longest datagram that is tried: Ethernet's over IPv4.
pub(super) const MOST_DATAGRAM: usize = 1472;

/// What became of a packet on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bond) enum Fate {
    /// Under way.
    Live,
    /// Under way, and sent elsewhere as well because nothing was heard.
    Rescued,
    /// Acknowledged, lost or forgotten.
    Done,
}

/// What a datagram carries that this link accounts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bond) enum Cargo {
    /// A packet of the stream.
    Packet(Seq),
    /// What must arrive once, by a number of its own.
    Word(u8),
    /// The first half of the packet that follows.
    Half,
    /// Nothing that anybody waits for.
    Other,
}

/// One packet on this link.
#[derive(Debug, Clone, Copy)]
pub(in crate::bond) struct Sent {
    pub(in crate::bond) cargo: Cargo,
    pub(in crate::bond) at: Instant,
    pub(in crate::bond) bytes: f64,
    pub(in crate::bond) fate: Fate,
    pub(super) doubt: Option<Instant>,
}

/// Where the link stands with the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bond) enum Membership {
    /// Not let in yet; asks again at this time.
    Outside { ask_at: Instant },
    /// The far end has answered REG3.
    Inside,
}

/// One uplink.
#[derive(Debug)]
pub(in crate::bond) struct Link {
    pub(in crate::bond) id: LinkId,
    pub(in crate::bond) config: LinkConfig,
    pub(in crate::bond) carrier: bool,
    pub(in crate::bond) membership: Membership,
    pub(in crate::bond) rtt: Rtt,
    pub(in crate::bond) capacity: Capacity,
    /// Since when its proof is overdue.
    pub(in crate::bond) suspect: Option<Instant>,
    /// When the proof should have come that did not.
    pub(super) missing_since: Instant,
    pub(super) written_off: bool,
    pub(super) sent: VecDeque<Sent>,
    /// Number of the first of `sent`.
    pub(super) first: u64,
    pub(super) in_flight: f64,
    pub(super) live: usize,
    /// When the last acknowledged packet left the bottleneck, as far as we know.
    pub(super) departed: Instant,
    pub(super) queue_us: f64,
    /// How long, µs, the bottleneck has served nothing although something was due, as last told.
    pub(super) stalled_us: f64,
    pub(super) last_proof: Instant,
    pub(super) last_heard: Instant,
    /// Everything sent up to here has arrived or is lost, and since when we know.
    pub(super) proven_sent: Instant,
    pub(super) proven_at: Instant,
    /// Scratch list, kept for its memory.
    pub(super) forgotten: Vec<u64>,
    pub(super) keepalives: VecDeque<(u64, Instant, f64)>,
    pub(super) next_keepalive: Instant,
    pub(super) ask_again: Instant,
    /// When an SRT ACK first came elsewhere that this link has not brought.
    pub(super) missed_ack: Option<Instant>,
    /// Share of packets lost.
    pub(in crate::bond) loss: f64,
    /// Copies sent as a measurement: numbers and bytes, since when, and how many are answered.
    pub(super) train: Vec<(Seq, f64)>,
    pub(super) train_at: Option<Instant>,
    pub(super) clocked: Clocked,
    /// How long a datagram it carries.
    pub(in crate::bond) mtu: PathMtu,
    /// The far end has answered anything at all since the link joined.
    pub(super) proven: bool,
    pub(super) draining: Option<Instant>,
    pub(super) next_drain: Instant,
    pub(in crate::bond) meter: RateMeter,
    pub(in crate::bond) sent_bytes: u64,
    pub(in crate::bond) sent_packets: u64,
    pub(in crate::bond) lost_packets: u64,
    pub(in crate::bond) strange: u64,
    pub(in crate::bond) without: Without,
}

impl Link {
    pub(in crate::bond) fn new(now: Instant, id: LinkId, config: LinkConfig, dialect: Dialect) -> Self {
        Self {
            id,
            config,
            carrier: true,
            membership: Membership::Outside { ask_at: now },
            rtt: Rtt::new(now),
            capacity: Capacity::new(match dialect {
                Dialect::Srtla => Pace::Tens,
                Dialect::Native => Pace::Each,
            }),
            suspect: None,
            missing_since: now,
            written_off: false,
            sent: VecDeque::new(),
            first: 0,
            in_flight: 0.0,
            live: 0,
            departed: now,
            queue_us: 0.0,
            stalled_us: 0.0,
            last_proof: now,
            last_heard: now,
            proven_sent: now,
            proven_at: now,
            forgotten: Vec::new(),
            keepalives: VecDeque::new(),
            next_keepalive: now,
            ask_again: now,
            missed_ack: None,
            loss: 0.0,
            train: Vec::new(),
            train_at: None,
            clocked: Clocked::new(now),
            mtu: PathMtu::new(now, MOST_DATAGRAM),
            proven: false,
            draining: None,
            next_drain: now,
            meter: RateMeter::new(),
            sent_bytes: 0,
            sent_packets: 0,
            lost_packets: 0,
            strange: 0,
            without: Without::default(),
        }
    }

    /// New payload may go here.
    pub(in crate::bond) fn usable(&self) -> bool {
        self.carrier && self.is_inside() && self.suspect.is_none() && self.proven
    }

    pub(in crate::bond) fn is_inside(&self) -> bool {
        self.membership == Membership::Inside
    }

    pub(in crate::bond) fn phase(&self) -> LinkPhase {
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
    pub(in crate::bond) fn admitted(&mut self, now: Instant) {
        if !self.is_inside() {
            self.membership = Membership::Inside;
            self.next_keepalive = now;
        }
        self.proof(now);
    }

    /// The link must ask to be let in again, now.
    pub(in crate::bond) fn put_outside(&mut self, now: Instant) {
        self.membership = Membership::Outside { ask_at: now };
    }

    pub(in crate::bond) fn proof(&mut self, now: Instant) {
        self.last_proof = now;
        self.proven = true;
        self.suspect = None;
        self.written_off = false;
    }

    pub(in crate::bond) fn last_proof(&self) -> Instant {
        self.last_proof
    }

    /// The kernel refuses to send here: the link is as good as silent.
    pub(in crate::bond) fn refused(&mut self, now: Instant) {
        if self.is_inside() && self.suspect.is_none() {
            self.suspect = Some(now);
            self.missing_since = self.last_proof;
            self.ask_again = now + REGISTER_AGAIN;
        }
    }

    /// Something came from the far end on this link.
    pub(in crate::bond) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.missed_ack = None;
    }

    pub(super) fn sized(bytes: usize) -> f64 {
        bytes as f64 + IP_UDP
    }

    /// Counts a datagram that leaves here.
    pub(in crate::bond) fn count(&mut self, now: Instant, bytes: usize) {
        self.sent_bytes += bytes as u64;
        self.sent_packets += 1;
        self.meter.take(now, bytes as u64);
    }

    /// A packet of the stream leaves here; returns its number on this link.
    pub(in crate::bond) fn send(&mut self, now: Instant, seq: Seq, bytes: usize) -> u64 {
        self.count(now, bytes);
        let number = self.first + self.sent.len() as u64;
        let bytes = Self::sized(bytes);
        if self.live == 0 && self.keepalives.is_empty() {
            self.next_keepalive = self.next_keepalive.min(now + PACE_BUSY);
        }
        self.clocked.last_sent = now;
        self.sent.push_back(Sent { cargo: Cargo::Packet(seq), at: now, bytes, fate: Fate::Live, doubt: None });
        self.in_flight += bytes;
        self.live += 1;
        number
    }

    /// A datagram leaves here of which only the counter matters; returns its number.
    pub(in crate::bond) fn send_other(&mut self, now: Instant, cargo: Cargo, bytes: usize) -> u64 {
        self.count(now, bytes);
        let number = self.next_number();
        let bytes = Self::sized(bytes);
        self.clocked.last_sent = now;
        self.sent.push_back(Sent { cargo, at: now, bytes, fate: Fate::Rescued, doubt: None });
        self.in_flight += bytes;
        self.live += 1;
        number
    }

    /// The number of the next datagram.
    pub(in crate::bond) fn next_number(&self) -> u64 {
        self.first + self.sent.len() as u64
    }

    /// Numbers go on from here; nothing is under way.
    pub(in crate::bond) fn count_from(&mut self, number: u64) {
        self.give_up();
        self.first = number;
    }

    /// The link has carried nothing for long, and was not measured lately either.
    pub(in crate::bond) fn wants_train(&self, now: Instant) -> bool {
        let long_ago = |at: Option<Instant>| at.is_none_or(|at| now.since(at) > TRAIN_EVERY);
        let wanted = self.usable() && !self.without.has(Without::PROBING);
        wanted && self.live == 0 && long_ago(self.capacity.last_arrival()) && long_ago(self.train_at)
    }

    /// A copy leaves here as part of a measurement; nobody relies on it.
    pub(in crate::bond) fn send_in_train(&mut self, now: Instant, seq: Seq, bytes: usize) {
        if self.train_at != Some(now) {
            self.train.clear();
            self.train_at = Some(now);
        }
        self.train.push((seq, Self::sized(bytes)));
    }

    /// Bytes under way, with IP and UDP.
    pub(in crate::bond) fn in_flight(&self) -> f64 {
        self.in_flight
    }

    /// There is room for `bytes` more of payload.
    pub(in crate::bond) fn has_room(&self, bytes: usize, latency_us: f64) -> bool {
        self.in_flight + Self::sized(bytes) <= self.window(latency_us) && self.sent.len() < MOST_UNDER_WAY
    }

    /// Bytes for which there is still room.
    pub(in crate::bond) fn spare(&self, latency_us: f64) -> f64 {
        (self.window(latency_us) - self.in_flight).max(0.0)
    }

    pub(super) fn window(&self, latency_us: f64) -> f64 {
        if self.draining.is_some() {
            self.capacity.draining_window(self.rtt.least_us())
        } else {
            self.capacity.window(self.rtt.least_us(), latency_us, self.suspect.is_some())
        }
    }

    /// When the bottleneck will have served everything under way, µs on the sender's clock.
    pub(in crate::bond) fn free_at(&self, now: Instant) -> f64 {
        let served = self.departed.as_micros() as f64 + self.stalled_us;
        let drained = served + self.in_flight / self.capacity.believed();
        drained.max(now.as_micros() as f64)
    }

    /// When the oldest under way will be acknowledged if nothing waits there, µs on the sender's clock.
    pub(in crate::bond) fn answers_at(&self) -> f64 {
        self.sent.front().map_or(0.0, |oldest| oldest.at.as_micros() as f64 + self.rtt.least_us() + ANSWER)
    }

    /// How long the link has served nothing although something was due: it may well do so as long again, µs.
    pub(in crate::bond) fn stalled(&self) -> f64 {
        if self.stalled_us > BUSY { self.stalled_us } else { 0.0 }
    }

    /// How long the link's proof has been missing, µs; for whom only a living link is good enough.
    pub(in crate::bond) fn staleness(&self, now: Instant) -> f64 {
        if self.is_judged_far() {
            2.0 * self.stalled()
        } else {
            (now.since(self.last_proof).as_micros() as f64 - self.rtt.latest_us()).max(0.0)
        }
    }

    /// One way without any queue, µs.
    pub(in crate::bond) fn one_way(&self) -> f64 {
        self.clocked.one_way.unwrap_or(self.rtt.least_us() / 2.0)
    }

    /// What waits before the bottleneck, µs.
    pub(in crate::bond) fn queue_us(&self, now: Instant) -> f64 {
        self.free_at(now) - now.as_micros() as f64
    }

    /// A datagram sent at `sent` has not come, though later ones of this link have: enough of them, or one sent late enough.
    pub(super) fn is_passed(&self, by_enough: bool, sent: Instant, newest: Instant) -> bool {
        if self.without.has(Without::SAME_LINK_LOSS) {
            return sent + TIMEOUT <= newest;
        }
        by_enough || sent + LATER <= newest
    }

    pub(super) fn at(&self, number: u64) -> Option<&Sent> {
        self.sent.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    pub(super) fn at_mut(&mut self, number: u64) -> Option<&mut Sent> {
        self.sent.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Closes the book on a packet; its bytes if it was still under way.
    pub(super) fn close(&mut self, number: u64) -> Option<Sent> {
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

    /// A packet on this link is lost; true if it was still believed in.
    pub(in crate::bond) fn lost(&mut self, number: u64) -> Option<Fate> {
        let sent = self.close(number)?;
        self.lost_packets += 1;
        self.loss += 0.01 * (1.0 - self.loss);
        Some(sent.fate)
    }

    /// Nobody needs this packet any more. It still counts as under way until something proves that it is not: it
    /// stands before the bottleneck all the same.
    pub(in crate::bond) fn forget(&mut self, number: u64) {
        if let Some(sent) = self.at_mut(number)
            && matches!(sent.cargo, Cargo::Packet(_))
            && sent.fate != Fate::Done
        {
            sent.fate = Fate::Rescued;
            sent.cargo = Cargo::Other;
            sent.doubt = None;
        }
    }

    pub(super) fn timed(&mut self, now: Instant, sent_at: Instant) {
        let sample = now.since(sent_at);
        self.rtt.take(now, sample);
        self.queue_us = (sample.as_micros() as f64 - self.rtt.least_us()).max(0.0);
        let left = sent_at + Duration::from_micros(self.queue_us as u64);
        self.departed = self.departed.max(left);
    }

    /// Time of a copy that is still believed in.
    pub(in crate::bond) fn sent_at(&self, number: u64) -> Option<Instant> {
        self.at(number).filter(|sent| sent.fate != Fate::Done).map(|sent| sent.at)
    }

    /// The oldest packets under way that were not sent elsewhere, with their numbers.
    pub(in crate::bond) fn sole(&self) -> impl Iterator<Item = (u64, Seq)> + '_ {
        let first = self.first;
        let live = self.sent.iter().enumerate().filter(|(_, sent)| sent.fate == Fate::Live);
        live.filter_map(move |(at, sent)| match sent.cargo {
            Cargo::Packet(seq) => Some((first + at as u64, seq)),
            Cargo::Half | Cargo::Word(_) | Cargo::Other => None,
        })
    }

    /// Another link carries this packet from now on.
    pub(in crate::bond) fn rescued(&mut self, number: u64) {
        if let Some(sent) = self.at_mut(number)
            && sent.fate == Fate::Live
        {
            sent.fate = Fate::Rescued;
        }
    }

    /// Everything under way, given up.
    pub(in crate::bond) fn give_up(&mut self) -> Vec<(u64, Seq, Fate)> {
        let first = self.first;
        let all = self.sent.iter().enumerate().filter(|(_, sent)| sent.fate != Fate::Done);
        let all = all.filter_map(|(at, sent)| match sent.cargo {
            Cargo::Packet(seq) => Some((first + at as u64, seq, sent.fate)),
            Cargo::Half | Cargo::Word(_) | Cargo::Other => None,
        });
        let all = all.collect();
        self.first += self.sent.len() as u64;
        self.sent.clear();
        self.in_flight = 0.0;
        self.live = 0;
        all
    }

    /// How long no datagram has found the way empty.
    pub(super) fn since_empty(&self, now: Instant) -> Duration {
        self.clocked.since_empty(now).unwrap_or(self.rtt.since_empty(now))
    }

    /// A link that is never empty would make its own queue pass for its round trip.
    pub(super) fn judge_draining(&mut self, now: Instant) {
        match self.draining {
            Some(until) if now >= until || self.since_empty(now) < DRAIN_AFTER => self.draining = None,
            None if self.capacity.is_busy() && self.since_empty(now) > DRAIN_AFTER && now >= self.next_drain => {
                let turn = Duration::from_micros((2.0 * self.rtt.latest_us()) as u64);
                self.draining = Some(now + turn.clamp(DRAIN_LEAST, DRAIN_MOST));
                self.next_drain = now + DRAIN_AFTER;
            }
            _ => {}
        }
    }

    /// True once when the link has been suspect for so long that what it carried is given up.
    pub(in crate::bond) fn is_to_be_written_off(&mut self, now: Instant) -> bool {
        let due = !self.written_off && self.suspect.is_some_and(|since| now.since(since) >= WRITE_OFF);
        self.written_off |= due;
        due
    }

    /// Silent, and not given up.
    pub(in crate::bond) fn may_come_back(&self) -> bool {
        self.carrier && self.suspect.is_some() && !self.written_off
    }

    /// The old silence is over for some other reason than proof: a new address, a new carrier.
    pub(in crate::bond) fn starts_afresh(&mut self, now: Instant) {
        if self.capacity.is_told_by_tens() {
            self.put_outside(now);
        }
        self.suspect = None;
        self.keepalives.clear();
        self.missed_ack = None;
        self.capacity.write_off();
        self.rtt = Rtt::new(now);
        self.clocked = Clocked::new(now);
        self.mtu.handle_new_path(now);
        self.proven = false;
        self.departed = now;
        self.queue_us = 0.0;
    }

    pub(in crate::bond) fn stats(&self, now: Instant) -> LinkStats {
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
            datagram: (!self.capacity.is_told_by_tens()).then(|| self.mtu.datagram()),
        }
    }
}
