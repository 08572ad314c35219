//! Clocked: a link whose far end tells of every datagram when it arrived, on a clock of its own.
//!
//! How far the two clocks lie apart is not known, and is the same for all links: differences between
//! links and what a queue adds are exact, and that is all that placing packets needs.

use std::time::Duration;

use super::life::{BUSY, Cargo, Fate, JITTERS, LATER_PACKETS, Link, SILENCE};
use crate::bond::Without;
use crate::bond::capacity::IP_UDP;
use crate::bond::receiver::PARITY_UP_TO;
use crate::bond::recovery::PATIENT;
use crate::time::Instant;
use crate::wire::native::LinkSeen;

/// The least way is kept over two of these, so that a new route shows after 5 to 10 s.
const BUCKET: Duration = Duration::from_secs(5);
/// So near the least (µs), nothing waited on the way.
const EMPTY: f64 = 5_000.0;
/// A link that carries nothing proves itself so often, while the group carries a stream.
const PROBE_IDLE: Duration = Duration::from_millis(100);
/// In a group that carries nothing.
const PROBE_QUIET: Duration = Duration::from_secs(1);
/// A link that must show life first.
const PROBE_SILENT: Duration = Duration::from_millis(50);
/// And after this long without any.
const PROBE_GIVEN_UP: Duration = Duration::from_millis(250);
const GIVEN_UP: Duration = Duration::from_secs(10);
/// The last datagram under way is overdue by this: one behind it tells whether it is lost.
const PROBE_TAIL: Duration = Duration::from_millis(20);
/// A link that has shown nothing for so long is measured with a train of copies.
const TRAIN_EVERY: Duration = Duration::from_secs(15);

/// With more under way it is no train of its own that would be measured.
const FEW: usize = 2;

/// A short L leaves no more than this part of itself for finding out that a link is silent.
const SILENCE_SHARE: u32 = 5;

/// What only such a link knows.
#[derive(Debug)]
pub(super) struct Clocked {
    /// Least of arrival (their clock) less departure (ours), µs: this bucket's and the last one's.
    buckets: [Option<i64>; 2],
    bucket_from: Instant,
    latest: Option<i64>,
    seen_empty: Instant,
    /// One way without any queue, µs, once the group has compared its links.
    pub(super) one_way: Option<f64>,
    /// The highest counters that arrived, the lowest of them first.
    top: [Option<u64>; LATER_PACKETS],
    /// When the one of them was sent that was sent last.
    newest_sent: Instant,
    /// When the newest arrived, on their clock.
    arrived: Instant,
    /// Their clock, when it last was told.
    clock: Option<Instant>,
    pub(super) last_sent: Instant,
    /// The oldest under way was overdue when it was last told of.
    tail: bool,
    /// Counters of a train: the first and the last, and when the first of them that arrived did.
    train: Option<(u64, u64)>,
    train_first: Option<(u64, Instant)>,
    train_at: Option<Instant>,
    times: Vec<(u64, Instant)>,
    /// Losses up to which the far end knows that it need tell nothing.
    settled: u64,
}

impl Clocked {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            buckets: [None; 2],
            bucket_from: now,
            latest: None,
            seen_empty: now,
            one_way: None,
            top: [None; LATER_PACKETS],
            newest_sent: Instant::ZERO,
            arrived: Instant::ZERO,
            clock: None,
            last_sent: now,
            tail: false,
            train: None,
            train_first: None,
            train_at: None,
            times: Vec::new(),
            settled: 0,
        }
    }

    fn base(&self) -> Option<i64> {
        self.buckets.iter().flatten().min().copied()
    }

    pub(super) fn since_empty(&self, now: Instant) -> Option<Duration> {
        self.latest.map(|_| now.since(self.seen_empty))
    }

    /// The highest counters that arrived, one more of them.
    fn reached(&mut self, counter: u64) {
        if self.top[0] >= Some(counter) || self.top.contains(&Some(counter)) {
            return;
        }
        self.top[0] = Some(counter);
        self.top.sort_unstable();
    }
}

/// What one feedback message changes on a link.
#[derive(Debug, Default)]
pub(in crate::bond) struct Changes {
    /// What has arrived, with its number on the link.
    pub(in crate::bond) arrived: Vec<(u64, Cargo)>,
    /// What is lost.
    pub(in crate::bond) lost: Vec<(u64, Cargo)>,
    /// Of what only the second half has arrived.
    pub(in crate::bond) torn: Vec<Cargo>,
}

impl Link {
    /// Least way there on the unknown common scale, µs.
    pub(in crate::bond) fn least_way(&self) -> Option<i64> {
        self.clocked.base()
    }

    /// The group has compared its links.
    pub(in crate::bond) fn set_one_way(&mut self, micros: f64) {
        self.clocked.one_way = Some(micros);
    }

    /// The far end tells, at `clock` of its own time, what it has `seen` here; `moment` reads its ticks. What thereby
    /// has arrived is written to `changes`; [`Link::judge`] says the rest.
    pub(in crate::bond) fn told(
        &mut self,
        now: Instant,
        clock: Instant,
        seen: &LinkSeen<'_>,
        highest: u64,
        moment: impl Fn(u32) -> Instant,
        changes: &mut Changes,
    ) {
        let mut times = std::mem::take(&mut self.clocked.times);
        times.clear();
        let open = |link: &Self, counter: u64| link.at(counter).is_some_and(|sent| sent.fate != Fate::Done);
        times.extend(
            seen.arrivals(highest)
                .take_while(|(counter, _)| *counter >= self.first)
                .filter(|(counter, _)| open(self, *counter))
                .map(|(counter, tick)| (counter, moment(tick))),
        );
        let mut newest = None;
        for (counter, at) in times.iter().rev() {
            let Some(sent) = self.at(*counter).copied() else { continue };
            self.arrived_at(now, sent.at, *at);
            self.capacity.arrived(*at, sent.bytes);
            self.measure_train(*counter, *at, sent.bytes);
            newest = Some((sent.at, *at));
        }
        if let Some((sent_at, at)) = newest {
            let there_and_back = now.since(sent_at).saturating_sub(clock.since(at));
            self.rtt.take_steady(now, there_and_back);
        }
        let earliest = times.last().map_or(clock, |(_, at)| *at);
        self.clocked.times = times;
        for range in seen.ranges(highest) {
            let end = *range.end();
            if end < self.first {
                break;
            }
            for counter in (*range.start()).max(self.first)..=end {
                let Some(sent) = self.close(counter) else { continue };
                self.loss *= 0.99;
                // told of so late that its time is forgotten
                if !self.clocked.times.iter().any(|(timed, _)| *timed == counter) {
                    self.capacity.arrived(earliest, sent.bytes);
                }
                self.clocked.reached(counter);
                self.clocked.newest_sent = self.clocked.newest_sent.max(sent.at);
                self.mtu.handle_acked(now, counter, (sent.bytes - IP_UDP) as usize);
                let torn = counter.checked_sub(1).and_then(|before| self.at(before));
                if torn.is_some_and(|before| before.cargo == Cargo::Half && before.fate != Fate::Done) {
                    // a link keeps its order: the half before it is lost, and so are both
                    changes.torn.push(sent.cargo);
                    continue;
                }
                changes.arrived.push((counter, sent.cargo));
            }
        }
        if newest.is_some() || !changes.arrived.is_empty() {
            self.proof(now);
        }
        self.sweep_later(now, changes);
    }

    /// One datagram's way, from its departure on our clock to its arrival on theirs.
    fn arrived_at(&mut self, now: Instant, sent_at: Instant, at: Instant) {
        let clocked = &mut self.clocked;
        let way = at.as_micros() as i64 - sent_at.as_micros() as i64;
        if now.since(clocked.bucket_from) >= BUCKET {
            clocked.bucket_from = now;
            clocked.buckets = [None, clocked.buckets[0]];
        }
        clocked.buckets[0] = Some(clocked.buckets[0].map_or(way, |least| least.min(way)));
        let base = clocked.base().unwrap_or(way);
        let queue = (way - base) as f64;
        if queue <= EMPTY {
            clocked.seen_empty = now;
        }
        if let Some(latest) = clocked.latest.replace(way) {
            self.rtt.jolt((way - latest).abs() as f64);
        }
        clocked.arrived = clocked.arrived.max(at);
        self.queue_us = queue;
        self.departed = self.departed.max(sent_at + Duration::from_micros(queue as u64));
    }

    fn measure_train(&mut self, counter: u64, at: Instant, bytes: f64) {
        let Some((first, last)) = self.clocked.train else { return };
        if counter < first {
            return;
        }
        if counter <= last && self.clocked.train_first.is_none() {
            self.clocked.train_first = Some((counter, at));
        }
        if counter >= last {
            if counter == last
                && let Some((from, since)) = self.clocked.train_first
                && from < counter
            {
                self.capacity.dispersed(at, (counter - from) as f64 * bytes, at.since(since).as_micros() as f64);
            }
            self.clocked.train = None;
            self.clocked.train_first = None;
        }
    }

    /// A link keeps its order: three that came later, or one that was sent 20 ms later, tell of a loss.
    fn sweep_later(&mut self, now: Instant, changes: &mut Changes) {
        let Some(highest) = self.clocked.top[LATER_PACKETS - 1] else { return };
        let third = self.clocked.top[0].unwrap_or(0);
        let newest_sent = self.clocked.newest_sent;
        for (at, sent) in self.sent.iter().enumerate() {
            let number = self.first + at as u64;
            let passed = number < highest && self.is_passed(number < third, sent.at, newest_sent);
            if !passed {
                // later ones were sent later still
                break;
            }
            if sent.fate != Fate::Done {
                self.mtu.handle_lost(now, number, (sent.bytes - IP_UDP) as usize);
                changes.lost.push((number, sent.cargo));
            }
        }
    }

    /// Judges silence and measures, by the far end's clock; `roomy` if the group can spare a
    /// moment of this link; `latency` is L. True if the link became suspect just now.
    pub(in crate::bond) fn judge(&mut self, now: Instant, clock: Instant, roomy: bool, latency: Duration) -> bool {
        let last = self.clocked.clock.replace(clock);
        if !self.carrier || !self.is_inside() {
            return false;
        }
        let dt = last.map_or(Duration::ZERO, |last| clock.since(last));
        let overdue = self.overdue_by(clock);
        let busy = self.live > 0 && (self.queue_us > BUSY || overdue > Duration::from_micros(BUSY as u64));
        // an overload would only grow, and on radios the queue runs dry by itself
        if roomy || self.draining.is_some() {
            self.judge_draining(now);
        }
        self.capacity.cautious = latency <= PARITY_UP_TO || latency >= PATIENT;
        if self.suspect.is_none() {
            self.capacity.tick(clock, dt, busy, self.queue_us, self.rtt.least_us());
        }
        if self.live == 0 {
            self.queue_us = 0.0;
        }
        self.stalled_us = overdue.as_micros() as f64;
        self.clocked.tail = overdue > PROBE_TAIL;
        let patience =
            SILENCE.min(latency / SILENCE_SHARE).max(Duration::from_micros((JITTERS * self.rtt.jitter_us()) as u64));
        if overdue > patience && self.suspect.is_none() && !self.without.has(Without::SILENCE) {
            self.suspect = Some(now);
            return true;
        }
        false
    }

    /// How long, at `clock` of the far end, the oldest under way should have been there, or anything else.
    fn overdue_by(&self, clock: Instant) -> Duration {
        let (Some(oldest), Some(base)) = (self.sent.front(), self.clocked.base()) else { return Duration::ZERO };
        let served = self.departed.max(oldest.at).as_micros() as f64 + oldest.bytes / self.capacity.rate();
        let due = Instant::from_micros((served as i64 + base).max(0) as u64);
        clock.since(due.max(self.clocked.arrived))
    }

    /// How much padding a probe for a longer datagram has, if one is due.
    pub(in crate::bond) fn wants_long_probe(&mut self, now: Instant) -> Option<usize> {
        let can = self.carrier && self.is_inside() && self.suspect.is_none();
        if can { self.mtu.poll_probe(now) } else { None }
    }

    /// True if a datagram of which only the counter matters is due now; `active` while the group carries a stream.
    pub(in crate::bond) fn wants_probe(&self, now: Instant, active: bool) -> bool {
        let unwanted = self.proven && self.without.has(Without::PROBING);
        if !self.carrier || !self.is_inside() || unwanted {
            return false;
        }
        let silent = now.since(self.last_proof);
        let pace = if self.suspect.is_some() || !self.proven {
            if silent < GIVEN_UP { PROBE_SILENT } else { PROBE_GIVEN_UP }
        } else if self.clocked.tail && self.live > 0 {
            PROBE_TAIL
        } else if active {
            PROBE_IDLE
        } else {
            PROBE_QUIET
        };
        now.since(self.clocked.last_sent) >= pace
    }

    /// Silence here is judged by the far end's clock, which stands still while the far end does.
    pub(in crate::bond) fn is_judged_far(&self) -> bool {
        self.clocked.clock.is_some()
    }

    /// The counter below which nothing is waited for, if the far end still tells of gaps below it.
    pub(in crate::bond) fn settles(&mut self) -> Option<u64> {
        let news = self.lost_packets != self.clocked.settled;
        self.clocked.settled = self.lost_packets;
        news.then_some(self.first)
    }

    /// The link has carried nothing for long, and was not measured lately either.
    pub(in crate::bond) fn wants_copies(&self, now: Instant) -> bool {
        let long_ago = self.clocked.train_at.is_none_or(|at| now.since(at) > TRAIN_EVERY);
        let stale = self.clocked.clock.is_some_and(|clock| self.capacity.is_stale(clock, TRAIN_EVERY));
        self.usable() && long_ago && stale && self.live <= FEW && !self.without.has(Without::PROBING)
    }

    /// A train of copies leaves with these numbers.
    pub(in crate::bond) fn train_leaves(&mut self, now: Instant, first: u64, last: u64) {
        self.clocked.train_at = Some(now);
        self.clocked.train = Some((first, last));
        self.clocked.train_first = None;
    }
}
