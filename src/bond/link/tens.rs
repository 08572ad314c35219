//! Tens: a link whose far end acknowledges ten packets at a time, and echoes keepalives.

use std::time::Duration;

use super::life::{
    BUSY, Cargo, DOUBT, FORGOTTEN, Fate, JITTERS, LATER_PACKETS, Link, MOST_KEEPALIVES, PACE_BUSY, PACE_IDLE,
    PACE_QUIET, REGISTER_AGAIN, SILENCE, Sent,
};
use crate::bond::Without;
use crate::bond::capacity::FULL;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srtla::{self, Keepalive, LinkReport, Repr};

impl Link {
    /// The far end acknowledges a packet that this link may have carried in a train. When all of it is here, the time
    /// that it took beyond the empty round trip is the time that the bottleneck took for it.
    pub(in crate::bond) fn train_answered(&mut self, now: Instant, seq: Seq) {
        let Some(at) = self.train.iter().position(|(other, _)| *other == seq) else { return };
        let (_, bytes) = self.train.swap_remove(at);
        self.capacity.arrived(now, bytes);
        self.proof(now);
        if let (true, Some(sent_at)) = (self.train.is_empty(), self.train_at) {
            let took = now.since(sent_at).as_micros() as f64 - self.rtt.least_us();
            self.capacity.dispersed(now, f64::from(srtla::ACK_COUNT as u32) * bytes, took);
        }
    }

    /// An SRT ACK, which goes to all links at once, came on another one.
    pub(in crate::bond) fn ack_came_elsewhere(&mut self, now: Instant) {
        self.missed_ack.get_or_insert(now);
    }

    /// The far end has these packets of ours, in the order in which they arrived. What is thereby known to be lost
    /// is written to `lost`, as numbers on this link.
    pub(in crate::bond) fn acknowledged(&mut self, now: Instant, numbers: &[u64], lost: &mut Vec<(u64, Seq)>) {
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
        self.clear_forgotten(now);
        self.sweep(now, lowest, highest, numbers, newest_at, lost);
    }

    /// What nobody needs any more has arrived too, or is lost, if something that was sent later has arrived.
    fn clear_forgotten(&mut self, now: Instant) {
        let upto = self.sent.partition_point(|sent| sent.at < self.proven_sent);
        let mut numbers = std::mem::take(&mut self.forgotten);
        let forgotten = |sent: &Sent| sent.cargo == Cargo::Other && sent.fate != Fate::Done;
        let found = self.sent.range(..upto).enumerate().filter(|(_, sent)| forgotten(sent));
        numbers.extend(found.map(|(at, _)| self.first + at as u64));
        let mut arrived = 0.0;
        for number in numbers.drain(..) {
            arrived += self.close(number).map_or(0.0, |sent| sent.bytes);
        }
        self.forgotten = numbers;
        if arrived > 0.0 {
            self.capacity.arrived(now, arrived);
        }
    }

    /// The link was silent and is back. Of what was sent before the echo that says so at most nine wait for a tenth: the
    /// others are lost, or their acknowledgement is.
    fn doubt_passed(&mut self, now: Instant) {
        let upto = self.sent.partition_point(|sent| sent.at < self.proven_sent);
        let missing = |sent: &&mut Sent| sent.fate != Fate::Done && sent.doubt.is_none();
        let count = self.sent.range(..upto).filter(|sent| sent.fate != Fate::Done && sent.doubt.is_none()).count();
        for sent in self.sent.range_mut(..upto).filter(missing).take(count.saturating_sub(9)) {
            sent.doubt = Some(now + DOUBT);
        }
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
            let sent = self.sent[at];
            if sent.fate == Fate::Done || sent.doubt.is_some() {
                continue;
            }
            let passed = self.is_passed(number < third, sent.at, newest_at);
            if !passed {
                continue;
            }
            if doubtful && at < before {
                self.sent[at].doubt = Some(now + DOUBT);
            } else {
                if let Cargo::Packet(seq) = sent.cargo {
                    lost.push((number, seq));
                }
            }
        }
    }

    /// Those in doubt whose time is up.
    pub(in crate::bond) fn doubts(&self, now: Instant, lost: &mut Vec<(u64, Seq)>) {
        for (at, sent) in self.sent.iter().enumerate() {
            match sent.doubt {
                Some(until) if sent.fate != Fate::Done && now >= until => {
                    if let Cargo::Packet(seq) = sent.cargo {
                        lost.push((self.first + at as u64, seq));
                    }
                }
                None if sent.fate != Fate::Done && sent.at >= self.proven_sent => break,
                _ => {}
            }
        }
    }

    /// The SRT listener has a packet of which this link carried a copy; `sole` if nobody else did.
    pub(in crate::bond) fn passed(&mut self, now: Instant, number: u64, sole: bool) {
        if !sole {
            return self.forget(number);
        }
        let Some(sent) = self.close(number) else { return };
        self.loss *= 0.99;
        self.capacity.arrived(now, sent.bytes);
        self.proof(now);
        if sent.at > self.proven_sent {
            self.proven_sent = sent.at;
            self.proven_at = now;
            self.clear_forgotten(now);
        }
    }

    /// The far end has echoed a keepalive; false if it is none of ours.
    pub(in crate::bond) fn echoed(&mut self, now: Instant, stamp_ms: u64) -> bool {
        let Some(at) = self.keepalives.iter().position(|(stamp, _, _)| *stamp == stamp_ms) else { return false };
        let Some((_, sent_at, _)) = self.keepalives.drain(..=at).next_back() else { return false };
        let returns = self.suspect.is_some();
        self.proof(now);
        self.timed(now, sent_at);
        if sent_at > self.proven_sent {
            self.proven_sent = sent_at;
            self.proven_at = now;
        }
        self.clear_forgotten(now);
        if returns {
            self.doubt_passed(now);
        }
        true
    }

    /// How long ago it became known that everything sent until `at` has arrived or is lost.
    pub(in crate::bond) fn known_since(&self, now: Instant, at: Instant) -> Option<Duration> {
        (at < self.proven_sent).then(|| now.since(self.proven_at))
    }

    /// When a packet sent now-and-then should have been answered at the latest, with all the link's unsteadiness.
    pub(in crate::bond) fn overdue_at(&self, sent_at: Instant) -> Instant {
        let wait = self.rtt.latest_us().max(self.rtt.least_us())
            + 4.0 * self.rtt.jitter_us()
            + self.in_flight / self.capacity.rate();
        sent_at + SILENCE + Duration::from_micros(wait as u64)
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
    pub(in crate::bond) fn tick(&mut self, now: Instant, dt: Duration) -> bool {
        if !self.carrier || !self.is_inside() {
            return false;
        }
        let patience = SILENCE.max(Duration::from_micros((JITTERS * self.rtt.jitter_us()) as u64));
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
        if (late || deaf) && self.suspect.is_none() && !self.without.has(Without::SILENCE) {
            self.suspect = Some(now);
            let due = due.filter(|_| late).or(self.missed_ack).unwrap_or(now);
            self.missing_since = due.max(self.last_proof);
            self.ask_again = now + REGISTER_AGAIN;
            self.next_keepalive = self.next_keepalive.min(now);
            return true;
        }
        false
    }

    /// True if the link has been silent so long that the far end may have forgotten it.
    pub(in crate::bond) fn is_forgotten(&self, now: Instant) -> bool {
        self.is_inside() && self.suspect.is_some_and(|since| now.since(since) >= FORGOTTEN)
    }

    /// True once per half second of suspicion: the far end may know the link under another address.
    pub(in crate::bond) fn asks_again(&mut self, now: Instant) -> bool {
        let due = self.is_inside() && self.carrier && self.suspect.is_some() && now >= self.ask_again;
        if due {
            self.ask_again = now + REGISTER_AGAIN;
        }
        due
    }

    /// A keepalive, if one is due; `active` while the group carries a stream.
    pub(in crate::bond) fn keepalive(&mut self, now: Instant, active: bool) -> Option<Vec<u8>> {
        let unwanted = self.proven && self.without.has(Without::PROBING);
        if !self.carrier || !self.is_inside() || now < self.next_keepalive || unwanted {
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

    /// When the proof should have come for lack of which the link is suspect.
    pub(in crate::bond) fn missing_since(&self) -> Instant {
        self.missing_since
    }
}
