//! Recovery: what a silent link holds is sent elsewhere, what is stuck is found, within a budget.

use std::time::Duration;

use super::capacity::FULL;
use super::core::Core;
use super::link::{Fate, Link};
use super::receiver::PARITY_UP_TO;
use super::without::Without;
use crate::time::Instant;
use crate::units::Bitrate;
use crate::wire::Seq;

/// Share of the stream's rate that rescues may cost: without a limit an overload feeds itself.
const SHARE: f64 = 0.15;
/// The budget's store, in time of the stream and at least in bytes.
const STORE: f64 = 0.25;
const LEAST_STORE: f64 = 100_000.0;
/// From this latency on there is time: a silent link's packets wait however long packets already wait for the others, and
/// a link that has room again may show it step by step.
pub(super) const PATIENT: Duration = Duration::from_secs(1);
/// What a rescue just in time leaves as a reserve, as a share of L, since most silent links come back; by tens or with
/// parity, below that latency, one comes when that share of L is left.
const RESERVE: f64 = 0.15;
/// While the stream leaves room, waiting longer gains nothing: the links that take over may have shown little lately.
const RESERVE_AT_EASE: f64 = 0.3;
const HALF: f64 = 0.5;
/// With less than this share of L left a rescue ignores the budget.
const URGENT: f64 = 0.4;
/// While packets wait for links, a link must be silent so long before an impatient rescue adds to them.
const SURELY: Duration = Duration::from_millis(150);
/// Overload below this (µs) is none.
const CALM: f64 = 1_000.0;
/// Another link that proved life so much later than this one should have shows that the far end is there.
const LIFE_SINCE: Duration = Duration::from_millis(20);
/// After a proof that a packet has arrived or is lost, the SRT ACK gets so long to tell which.
const TOLD_WITHIN: Duration = Duration::from_millis(25);
/// The listener has no trace of a packet that its far end took in: lost between the two.
const LOCAL: Duration = Duration::from_millis(250);
/// And if it says so itself, so long after it usually would have acknowledged it.
const BEHIND: Duration = Duration::from_millis(30);
/// A packet on a living link is sent elsewhere if it is predicted within this of its deadline.
const NARROW: f64 = 40_000.0;
/// A packet of which nothing is told is sent again when only this share of L is left.
const UNTOLD: f64 = 0.45;
/// And whatever its link promises when only this share is left and its answer is overdue, as long as there is room.
const LAST: f64 = 0.25;
/// Only links whose queue is at least this share of L are searched for such packets.
const LONG_QUEUE: f64 = 0.2;
/// While the stream leaves room: a link that slows down makes its last packets late behind a short queue.
const SHORT_QUEUE: f64 = 0.1;
/// While packets wait for links longer than that share of L, a copy would only make others late instead; where the far
/// end's clock tells for certain what will be late, longer than this as well.
const CROWDED: Duration = Duration::from_millis(200);

/// Bytes that rescues may still cost.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: f64,
    last: Instant,
    unlimited: bool,
}

impl Budget {
    pub(super) fn new(now: Instant, unlimited: bool) -> Self {
        Self { bytes: LEAST_STORE, last: now, unlimited }
    }

    pub(super) fn tick(&mut self, now: Instant, rate: Bitrate) {
        let rate = rate.bytes_per_micro();
        let store = (rate * STORE * 1e6).max(LEAST_STORE);
        self.bytes = (self.bytes + rate * SHARE * now.since(self.last).as_micros() as f64).min(store);
        self.last = now;
    }

    fn spend(&mut self, bytes: f64, urgent: bool) -> bool {
        let granted = self.bytes >= bytes || urgent || self.unlimited;
        if granted {
            self.bytes = (self.bytes - bytes).max(0.0);
        }
        granted
    }
}

/// What the links that still answer can take over.
#[derive(Debug, Clone, Copy)]
struct Others {
    /// Until the first of them would bring a packet that is sent now, µs.
    wait: f64,
    /// Bytes per microsecond of all of them.
    sum: f64,
    /// Bytes that only silent links carry.
    silent_bytes: f64,
    /// They have room.
    calm: bool,
}

impl Others {
    /// How long so many bytes take them, µs.
    fn take(&self, bytes: f64) -> f64 {
        self.wait + bytes / self.sum
    }
}

impl Core {
    /// The link carries nothing any more: what only it had waits again, at once and without a budget.
    pub(super) fn abandon(&mut self, at: usize) {
        for (_, seq, fate) in self.links[at].give_up() {
            let Some(held) = self.store.get_mut(seq) else { continue };
            if fate == Fate::Live {
                held.lost_copy();
            }
            if held.live == 0 && held.delivered.is_none() {
                self.queue.push_repair(held, seq);
            }
        }
    }

    /// Packets whose acknowledgement may itself have been lost, and whose time to be heard of otherwise is up.
    pub(super) fn settle_doubts(&mut self, now: Instant) {
        let mut lost = Vec::new();
        for at in 0..self.links.len() {
            self.links[at].doubts(now, &mut lost);
            for (number, seq) in lost.drain(..) {
                self.copy_lost(at, number, seq);
            }
        }
    }

    /// The first number that the listener misses: lost, if its link has proved life after it.
    pub(super) fn find_stuck(&mut self, now: Instant, seq: Seq) {
        let Some(held) = self.store.get_mut(seq) else { return };
        if held.queued {
            return;
        }
        if let Some(since) = held.delivered {
            if now.since(since) > LOCAL {
                held.delivered = None;
                held.live = 0;
                self.queue.push_repair(held, seq);
            }
            return;
        }
        let mut lost: Vec<(usize, u64, Seq)> = Vec::new();
        for copy in held.copies() {
            let Some(at) = self.links.iter().position(|link| link.id == copy.link) else { continue };
            let link = &self.links[at];
            let Some(sent_at) = link.sent_at(copy.number) else { continue };
            let passed = link.known_since(now, sent_at).is_some_and(|since| since >= TOLD_WITHIN);
            if passed || (link.suspect.is_none() && now > link.overdue_at(sent_at)) {
                lost.push((at, copy.number, seq));
            }
        }
        let nowhere = held
            .copies()
            .all(|copy| self.links.iter().find(|l| l.id == copy.link).is_none_or(|l| l.sent_at(copy.number).is_none()));
        if nowhere && lost.is_empty() && held.deadline > now {
            held.live = 0;
            self.queue.push_repair(held, seq);
        }
        for (at, number, seq) in lost {
            self.copy_lost(at, number, seq);
        }
    }

    /// The listener misses a packet that we hold. On seven links that is mostly early: it counts only
    /// for copies of which their link has proved, a while ago, that they have arrived or are lost. What the far end has
    /// taken in was lost behind it, if the listener still says so when it should have acknowledged it; a late `copy` of
    /// what it said tells nothing about that, nor does a word that may have been under way for `returned` since before.
    pub(super) fn is_missed(&mut self, now: Instant, seq: Seq, copy: bool, returned: Duration) {
        let spread = self.links.iter().filter(|l| l.usable()).map(Link::one_way).fold(0.0, f64::max);
        let spread = TOLD_WITHIN + Duration::from_micros(spread as u64);
        let behind = self.behind.map(|behind| (behind + BEHIND).min(LOCAL) + returned);
        let Some(held) = self.store.get_mut(seq) else { return };
        if held.queued {
            return;
        }
        if let Some(since) = held.delivered {
            if !copy && behind.is_some_and(|behind| now.since(since) > behind) {
                held.delivered = None;
                held.live = 0;
                self.queue.push_repair(held, seq);
            }
            return;
        }
        let copies: Vec<_> = held.copies().collect();
        for copy in copies {
            let Some(at) = self.links.iter().position(|link| link.id == copy.link) else { continue };
            let Some(sent_at) = self.links[at].sent_at(copy.number) else { continue };
            if self.links[at].known_since(now, sent_at).is_some_and(|since| since >= spread) {
                self.copy_lost(at, copy.number, seq);
            }
        }
    }

    /// Sends elsewhere what silent and failing links hold, as late as the deadline allows or as early as there is room.
    pub(super) fn rescue(&mut self, now: Instant) {
        if self.config.without.has(Without::RESCUE) {
            return;
        }
        let usable: Vec<&Link> = self.links.iter().filter(|l| l.usable()).collect();
        let Some(freshest) = usable.iter().map(|l| l.last_proof()).max() else { return };
        let sum: f64 = usable.iter().map(|l| l.capacity.believed()).sum();
        let soonest = usable.iter().map(|l| l.free_at(now) + l.one_way()).fold(f64::INFINITY, f64::min);
        let wait = soonest - now.as_micros() as f64;
        let latency_us = self.config.latency.as_micros() as f64;
        let mut spare: f64 = usable.iter().map(|l| l.spare(latency_us)).sum();
        spare -= self.queue.bytes() as f64;
        // packets may wait for a cheaper link: what counts is that the others have room
        let calm = self.overload_us < CALM;
        let crowded = self.overload_us > NARROW || self.waiting(now) > self.crowd();
        // what fell silent together must be sent again together
        let silent = self.links.iter().filter(|l| l.suspect.is_some());
        let silent_bytes = silent.map(|l| l.sole().count()).sum::<usize>() as f64 * FULL;
        for at in 0..self.links.len() {
            let link = &self.links[at];
            if link.suspect.is_some() {
                // silent together with all others: the far end paused, not the link
                if !link.is_judged_far() && freshest <= link.missing_since() + LIFE_SINCE {
                    continue;
                }
                self.rescue_silent(now, at, Others { wait, sum, silent_bytes, calm }, &mut spare);
                continue;
            }
            // copies while packets wait for a link would only make them wait longer; at ease those that one rescue has not
            // saved are few
            if crowded && !self.is_at_ease() {
                continue;
            }
            if self.tunnel.is_none() {
                self.rescue_untold(now, at);
            }
            let link = &self.links[at];
            let long = if calm && self.is_at_ease() { SHORT_QUEUE } else { LONG_QUEUE };
            if link.usable() && link.queue_us(now) > long * latency_us {
                self.rescue_late(now, at, if crowded { 2 } else { 1 });
            }
        }
    }

    /// How long packets may wait for links before nothing is added to them.
    fn crowd(&self) -> Duration {
        let share = self.config.latency.mul_f64(LONG_QUEUE);
        if self.is_certain() { share.max(CROWDED) } else { share }
    }

    /// The far end's clock tells for certain what will be late, and no repairs that travel ahead have spent already what
    /// there is to spend.
    pub(super) fn is_certain(&self) -> bool {
        self.tunnel.is_some() && self.config.latency > PARITY_UP_TO
    }

    fn rescue_silent(&mut self, now: Instant, at: usize, others: Others, spare: &mut f64) {
        let latency_us = self.config.latency.as_micros() as f64;
        let mut sole: Vec<(u64, Seq)> = self.links[at].sole().collect();
        // repairs went out behind newer packets, and their time is up first
        sole.sort_unstable_by(|(_, a), (_, b)| a.distance(*b).cmp(&0));
        let in_time = !self.config.without.has(Without::JUST_IN_TIME);
        let patient = in_time && self.config.latency >= PATIENT;
        let needed = if patient {
            others.take(sole.len() as f64 * FULL) + RESERVE * latency_us
        } else if in_time && self.is_certain() {
            let reserve = if self.is_at_ease() { RESERVE_AT_EASE } else { RESERVE };
            others.take(others.silent_bytes) + reserve * latency_us
        } else {
            HALF * latency_us
        };
        // by tens and echoes silence is known later, so there nothing is held off
        let recent = self.links[at].suspect.is_some_and(|since| now.since(since) < SURELY);
        let held_off = self.tunnel.is_some() && !patient && !others.calm && recent;
        for (number, seq) in sole {
            let Some(held) = self.store.get_mut(seq) else {
                self.links[at].rescued(number);
                continue;
            };
            if held.delivered.is_some() {
                self.links[at].rescued(number);
                continue;
            }
            let size = held.size;
            let slack = held.deadline.since(now).as_micros() as f64;
            let roomy = others.calm && *spare >= size;
            let due = slack < needed && !(held_off && slack > URGENT * latency_us);
            if !(due || roomy) || !self.budget.spend(size, slack < URGENT * latency_us) {
                break;
            }
            *spare -= size;
            self.links[at].rescued(number);
            held.lost_copy();
            if held.live == 0 {
                self.queue.push_repair(held, seq);
            }
        }
    }

    /// Up to nine packets that a link has brought, or lost, wait for a tenth to be acknowledged; while the SRT ACK is
    /// stuck elsewhere nothing tells which. What nears its deadline so is sent once more.
    fn rescue_untold(&mut self, now: Instant, at: usize) {
        let patience = self.config.latency.mul_f64(UNTOLD);
        // until the slowest link has had its turn the SRT ACK is stuck for good reasons
        let slowest = self.links.iter().filter(|l| l.usable()).map(|l| l.rtt.latest_us()).fold(0.0, f64::max);
        let turn = TOLD_WITHIN + Duration::from_micros(slowest as u64);
        let mut untold: Vec<(u64, Seq)> = Vec::new();
        for (number, seq) in self.links[at].sole() {
            let Some(held) = self.store.get(seq) else { continue };
            if held.deadline.since(now) > patience {
                break;
            }
            let sent_at = self.links[at].sent_at(number).unwrap_or(now);
            let told = self.links[at].known_since(now, sent_at).is_some_and(|since| since >= turn);
            // before its answer can be here, nothing speaks against it
            let answer = TOLD_WITHIN + Duration::from_micros(self.links[at].rtt.latest_us() as u64);
            let last = held.deadline.since(now) < self.config.latency.mul_f64(LAST) && now >= sent_at + answer;
            if held.delivered.is_none() && (told || last) {
                untold.push((number, seq));
            }
        }
        self.send_elsewhere(at, &untold);
    }

    /// What was sent at least `sends` times and is predicted late here.
    fn rescue_late(&mut self, now: Instant, at: usize, sends: u8) {
        let link = &self.links[at];
        let mut lates: Vec<(u64, Seq)> = Vec::new();
        // what is overdue can arrive now at the earliest
        let drained = link.free_at(now) - link.in_flight() / link.capacity.believed();
        let mut arrival = drained.max(now.as_micros() as f64) + link.one_way();
        for (number, seq) in link.sole() {
            let Some(held) = self.store.get(seq) else { continue };
            arrival += held.size / link.capacity.believed();
            let deadline = held.deadline.as_micros() as f64;
            let late = arrival > deadline - NARROW && held.deadline > now;
            if late && held.sends >= sends && held.delivered.is_none() {
                lates.push((number, seq));
            }
        }
        self.send_elsewhere(at, &lates);
    }

    fn send_elsewhere(&mut self, at: usize, packets: &[(u64, Seq)]) {
        let bit = super::scheduler::link_bit(&self.links[at]);
        for (number, seq) in packets {
            let Some(held) = self.store.get_mut(*seq) else { continue };
            let size = held.size;
            if !self.budget.spend(size, false) {
                return;
            }
            self.links[at].rescued(*number);
            held.lost_on |= bit;
            held.lost_copy();
            if held.live == 0 {
                self.queue.push_repair(held, *seq);
            }
        }
    }
}
