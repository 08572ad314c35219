//! Lane: what one link has brought, as the far end tells it.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::time::Instant;
use crate::wire::native::{FeedbackWriter, TICK_MICROS, near};

/// Runs of counters told; older ones are settled or not worth telling.
const MOST_RUNS: usize = 64;
/// Arrivals told: with messages every 10 ms each of them stands in four.
const TELLS: Duration = Duration::from_millis(40);
const MOST_ARRIVALS: usize = 512;

/// A moment in ticks of the wire.
pub(super) fn ticks(now: Instant) -> u32 {
    (now.as_micros() / TICK_MICROS) as u32
}

/// One link, as the far end sees it.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Runs of counters that arrived, the newest first.
    runs: VecDeque<(u64, u64)>,
    /// The newest counters with their times, the newest first.
    arrivals: VecDeque<(u64, u32)>,
    /// Below this the sender waits for nothing.
    settled: u64,
    pub(super) heard: Option<Instant>,
    /// When it last brought a payload.
    pub(super) carried: Option<Instant>,
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
}

impl Lane {
    /// A datagram with this counter has arrived.
    pub(super) fn take(&mut self, now: Instant, counter: u64, bytes: usize) {
        self.heard = Some(now);
        self.datagrams += 1;
        self.bytes += bytes as u64;
        self.note(counter);
        let at = self.arrivals.iter().position(|(other, _)| *other <= counter).unwrap_or(self.arrivals.len());
        self.arrivals.insert(at, (counter, ticks(now)));
        let oldest = ticks(now).wrapping_sub((TELLS.as_micros() as u64 / TICK_MICROS) as u32);
        while self.arrivals.len() > MOST_ARRIVALS
            || self.arrivals.back().is_some_and(|(_, at)| (at.wrapping_sub(oldest) as i32) < 0)
        {
            self.arrivals.pop_back();
        }
    }

    fn note(&mut self, counter: u64) {
        let mut at = 0;
        while let Some((from, to)) = self.runs.get_mut(at) {
            if counter > *to + 1 {
                break;
            }
            if counter == *to + 1 {
                *to = counter;
                return self.join(at);
            }
            if counter >= *from {
                return;
            }
            if counter + 1 == *from {
                *from = counter;
                return self.join(at + 1);
            }
            at += 1;
        }
        self.runs.insert(at, (counter, counter));
        self.runs.truncate(MOST_RUNS);
    }

    /// The run at a place may now touch the newer one before it.
    fn join(&mut self, at: usize) {
        let Some(newer) = at.checked_sub(1) else { return };
        if let (Some((from, _)), Some((older, to))) = (self.runs.get(newer).copied(), self.runs.get(at).copied())
            && to + 1 >= from
        {
            self.runs[newer].0 = older;
            self.runs.remove(at);
        }
    }

    /// The sender waits for nothing below the counter with these lower bits.
    pub(super) fn settle(&mut self, low: u32) {
        let Some((_, highest)) = self.runs.front().copied() else { return };
        let below = near(low, highest);
        if below > highest + 1 || below <= self.settled {
            return;
        }
        self.settled = below;
        while self.runs.len() > 1 && self.runs.back().is_some_and(|(_, to)| *to < below) {
            self.runs.pop_back();
        }
    }

    /// Tells what has arrived.
    pub(super) fn tell(&self, link: u8, writer: &mut FeedbackWriter<'_>, room: usize) {
        // times without their counters would be nobody's: they go down the same runs
        let runs = self.runs.iter().map(|(from, to)| RangeInclusive::new(*from, *to));
        writer.link(link, runs, self.arrivals.iter().map(|(_, at)| *at), room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_joined_in_whatever_order_counters_come() {
        let mut lane = Lane::default();

        for counter in [5, 6, 9, 8, 3, 7, 4, 4, 12] {
            lane.take(Instant::from_millis(counter), counter, 100);
        }

        assert_eq!(lane.runs, [(12, 12), (3, 9)]);
        lane.settle(10);
        assert_eq!(lane.runs, [(12, 12)]);
    }
}
