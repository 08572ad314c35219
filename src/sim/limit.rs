//! The oracle: the highest rate at which a scheduler that knows the future brings 99.99 % in time.
//!
//! Every link is a row of milliseconds with the bytes that each can carry, outages and losses taken
//! off. Packets go in order, each to the link whose free slots bring it earliest. No scheduler at all
//! does better than [`interval_bound`]: what is made in an interval must pass within it and L more
//! (Hall's condition on intervals). The two are a percent apart at most in practice.

use std::time::Duration;

use super::netem::Weather;
use super::scenario::{LinkScenario, Scenario, Supply};
use super::world::{link_rngs, seed_shift};
use crate::rng::Rng;
use crate::time::Instant;
use crate::units::Bitrate;

/// Bytes of one payload, and of what it costs on the wire: IP and UDP, no header of ours.
const PAYLOAD: f64 = 1316.0;
const WIRE: f64 = 1344.0;
/// Searched to this share of the result.
const PRECISION: f64 = 0.002;

struct Line {
    /// Bytes per millisecond.
    slots: Vec<f64>,
    /// For each slot the next one, from itself on, that carries anything.
    open: Vec<usize>,
    delay_ms: usize,
    slot: usize,
    left: f64,
    /// Where the next packet would end: from which slot it was asked, the slot, and what is left in it.
    asked: Option<(usize, usize, f64)>,
}

impl Line {
    fn new(link: &LinkScenario, length: usize, shift: Duration, mut rng: Rng) -> Self {
        let Weather { mut bursts, mut fades } = Weather::new(link, &mut rng);
        let mut slots = plain_slots(link, length, shift);
        for (ms, bytes) in slots.iter_mut().enumerate() {
            let at = Instant::from_millis(ms as u64);
            if fades.holds(at) {
                *bytes *= link.fade.map_or(1.0, |fade| fade.factor);
            }
            let burst = if bursts.holds(at) { link.burst.map_or(0.0, |burst| burst.loss) } else { 0.0 };
            *bytes *= 1.0 - link.loss.max(burst);
            if [&link.down, &link.freeze, &link.carrier].into_iter().flatten().any(|span| span.holds(at)) {
                *bytes = 0.0;
            }
        }
        let left = slots.first().copied().unwrap_or(0.0);
        let mut open = vec![slots.len(); slots.len() + 1];
        for slot in (0..slots.len()).rev() {
            open[slot] = if slots[slot] > 0.0 { slot } else { open[slot + 1] };
        }
        Self { slots, open, delay_ms: link.delay.as_millis() as usize, slot: 0, left, asked: None }
    }

    fn rewind(&mut self) {
        self.slot = 0;
        self.left = self.slots.first().copied().unwrap_or(0.0);
        self.asked = None;
    }

    /// The slot in which a packet made in millisecond `made` would have left.
    fn ask(&mut self, made: usize) -> usize {
        let from = self.slot.max(made);
        if let Some((asked, slot, _)) = self.asked
            && asked == from
        {
            return slot;
        }
        let mut slot = from;
        let mut left = if from == self.slot { self.left } else { self.slots.get(from).copied().unwrap_or(0.0) };
        let mut need = WIRE;
        while left < need && slot < self.slots.len() {
            need -= left;
            slot = self.open.get(slot + 1).copied().unwrap_or(self.slots.len());
            left = self.slots.get(slot).copied().unwrap_or(0.0);
        }
        self.asked = Some((from, slot, left - need));
        slot
    }

    fn take(&mut self) {
        if let Some((_, slot, left)) = self.asked.take() {
            self.slot = slot;
            self.left = left;
        }
    }
}

fn plain_slots(link: &LinkScenario, length: usize, shift: Duration) -> Vec<f64> {
    match &link.supply {
        Supply::Rate(rate) => vec![rate.bytes_per_micro() * 1000.0; length],
        Supply::Trace { trace, offset, scale } => {
            let mut slots = vec![0.0; length];
            let start = (*offset + shift).as_millis() as u64;
            let mut number = trace.first_from(start);
            while let Some(slot) = slots.get_mut((trace.time_ms(number) - start) as usize) {
                *slot += 1500.0 * scale;
                number += 1;
            }
            slots
        }
    }
}

fn lines_of(scenario: &Scenario, seed: u64, latency: Duration) -> Vec<Line> {
    let shift = seed_shift(scenario, seed);
    let length = (scenario.duration + latency).as_millis() as usize + 1000;
    let links = scenario.links.iter().zip(link_rngs(scenario, seed));
    links.map(|(link, rng)| Line::new(link, length, shift, rng)).collect()
}

/// The oracle's rate for a run with this seed and deadline.
#[must_use]
pub fn oracle(scenario: &Scenario, seed: u64, latency: Duration) -> Bitrate {
    let mut lines = lines_of(scenario, seed, latency);
    let total: f64 = scenario.links.iter().map(LinkScenario::mean_rate).sum();
    let (mut low, mut high) = (0.0, total * 8e6 * 1.3);
    while high - low > PRECISION * high {
        let middle = f64::midpoint(low, high);
        if brings(&mut lines, scenario, latency, middle) {
            low = middle;
        } else {
            high = middle;
        }
        if high < 1000.0 {
            break;
        }
    }
    Bitrate::bps(low as u64)
}

/// The rate that no scheduler can exceed: for every interval of the scored time, what is made in it, less the
/// ten-thousandth that may be bad, fits into what the links carry from its beginning until L after its end.
#[must_use]
pub fn interval_bound(scenario: &Scenario, seed: u64, latency: Duration) -> Bitrate {
    let limit = latency.as_millis() as usize;
    let (from, to) = (scenario.warmup.as_millis() as usize, scenario.duration.as_millis() as usize);
    // what can have been carried before each millisecond, and what can arrive in time for whatever was made before it
    let (mut before, mut in_time) = (vec![0.0; to + 1], vec![0.0; to + 1]);
    for line in lines_of(scenario, seed, latency) {
        let Some(ahead) = limit.checked_sub(line.delay_ms) else { continue };
        let mut sums = Vec::with_capacity(line.slots.len() + 1);
        let mut sum = 0.0;
        sums.push(0.0);
        sums.extend(line.slots.iter().map(|bytes| {
            sum += bytes;
            sum
        }));
        for ms in 0..=to {
            before[ms] += sums[ms];
            in_time[ms] += sums[(ms + ahead).min(line.slots.len())];
        }
    }
    let spare = |per_ms: f64| per_ms * (to - from) as f64 / 10_000.0 + WIRE;
    let fits = |per_ms: f64| {
        let mut most = f64::NEG_INFINITY;
        (from..=to).all(|ms| {
            let asked = per_ms * ms as f64;
            let good = in_time[ms] - asked + spare(per_ms) >= most;
            most = most.max(before[ms] - asked);
            good
        })
    };
    let (mut low, mut high) = (0.0, (in_time[to] - before[from]) / (to - from) as f64 * 1.1 + WIRE);
    while high - low > PRECISION / 10.0 * high && high > 0.1 {
        let middle = f64::midpoint(low, high);
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Bitrate::bps((high * 8000.0 * PAYLOAD / WIRE) as u64)
}

/// Searched to a quarter percent, in strides of one.
const STEPS: u32 = 400;
const STRIDE: u32 = 4;

/// The highest share of the oracle's rate that is good, in steps of a quarter percent, at most 1.
///
/// The search strides down from 1 to the first good share, then halves the stride above it. So a
/// scheme that fails at one rate and holds at a higher, as schemes near their limit do, is given the
/// higher, and none is given less for where a bisection happened to begin. [`lowest_bad`] tells
/// whether it fails below.
pub fn highest_share(mut is_good: impl FnMut(f64) -> bool) -> f64 {
    let mut is_good = |step: u32| is_good(f64::from(step) / f64::from(STEPS));
    let (mut good, mut bad) = (STEPS, STEPS + 1);
    while good > 0 && !is_good(good) {
        bad = good;
        good -= STRIDE;
    }
    while bad - good > 1 {
        let middle = u32::midpoint(good, bad);
        if is_good(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    f64::from(good) / f64::from(STEPS)
}

/// The lowest share below `share` that is bad, of 50, 60, 70, 80, 85, 90 and 95 %; none if all hold.
pub fn lowest_bad(share: f64, mut is_good: impl FnMut(f64) -> bool) -> Option<f64> {
    [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95].into_iter().find(|lower| *lower < share && !is_good(*lower))
}

fn brings(lines: &mut [Line], scenario: &Scenario, latency: Duration, bps: f64) -> bool {
    for line in lines.iter_mut() {
        line.rewind();
    }
    let every = PAYLOAD * 8.0 * 1000.0 / bps;
    let latency = latency.as_millis() as usize;
    let warmup = scenario.warmup.as_millis() as f64;
    let count = (scenario.duration.as_millis() as f64 / every) as u64;
    let scored = count - ((warmup / every) as u64).min(count);
    let allowed = scored / 10_000;
    let mut bad = 0;
    for number in 0..count {
        let made = number as f64 * every;
        let at = made as usize;
        let mut best: Option<(usize, usize)> = None;
        for (index, line) in lines.iter_mut().enumerate() {
            let arrives = line.ask(at) + line.delay_ms;
            if best.is_none_or(|(_, earliest)| arrives < earliest) {
                best = Some((index, arrives));
            }
        }
        match best {
            Some((index, arrives)) if arrives <= at + latency => lines[index].take(),
            _ if made >= warmup => {
                bad += 1;
                if bad > allowed {
                    return false;
                }
            }
            _ => {}
        }
    }
    scored > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracle_of_constant_links_is_their_sum_less_the_headers() {
        let text = "name = \"n\"\nduration = \"20s\"\n[[link]]\nname = \"a\"\nrate = \"6Mbps\"\n\
                    [[link]]\nname = \"b\"\nrate = \"4Mbps\"\ndelay = \"100ms\"\n";
        let scenario = Scenario::parse("n", text, &mut |_| Err(String::new())).expect("a good scenario");

        let mbit = oracle(&scenario, 0, Duration::from_secs(1)).as_mbps();

        // what is queued when the run ends still has its deadline to arrive
        let sum = 10.0 * PAYLOAD / WIRE;
        assert!((sum * 0.99..sum * 1.06).contains(&mbit), "{mbit}");
    }

    #[test]
    fn the_bound_lies_just_above_the_oracle() {
        let text = "name = \"n\"\nduration = \"40s\"\nwarmup = \"5s\"\n[[link]]\nname = \"a\"\nrate = \"6Mbps\"\n\
                    down = [[\"10s\", \"14s\"]]\n[[link]]\nname = \"b\"\nrate = \"40Mbps\"\ndelay = \"100ms\"\n\
                    fade = { gap_mean = \"3s\", length_mean = \"1s\", factor = 0.2 }\n";
        let scenario = Scenario::parse("n", text, &mut |_| Err(String::new())).expect("a good scenario");

        for (seed, ms) in [(0, 1000), (1, 500), (2, 200)] {
            let latency = Duration::from_millis(ms);
            let (greedy, bound) = (oracle(&scenario, seed, latency), interval_bound(&scenario, seed, latency));
            assert!(greedy <= bound && bound.as_mbps() < greedy.as_mbps() * 1.02, "{greedy} {bound}");
        }
    }

    #[test]
    fn a_cut_line_bounds_the_rate_by_what_is_left_of_it() {
        let text = "name = \"n\"\nduration = \"40s\"\n[[link]]\nname = \"a\"\nrate = \"10Mbps\"\n\
                    delay = \"0ms\"\ndown = [[\"10s\", \"12s\"]]\n";
        let scenario = Scenario::parse("n", text, &mut |_| Err(String::new())).expect("a good scenario");

        let bound = interval_bound(&scenario, 0, Duration::from_secs(4)).as_mbps();

        // what is made in the 2 s has 4 s more: of any 6 s at least 4 carry
        let whole = 10.0 * PAYLOAD / WIRE;
        assert!((whole..whole * 1.15).contains(&bound), "{bound}");
        let tight = interval_bound(&scenario, 0, Duration::from_millis(500)).as_mbps();
        assert!(tight < whole * 0.9, "{tight}");
    }

    #[test]
    fn the_highest_good_share_is_found_although_a_lower_one_fails() {
        let share = highest_share(|share| share < 0.97);
        assert!((share - 0.9675).abs() < 1e-9, "{share}");

        let holds = |share: f64| !(0.75..0.85).contains(&share) && share < 0.95;
        let share = highest_share(holds);
        assert!((share - 0.9475).abs() < 1e-9, "{share}");
        assert_eq!(lowest_bad(share, holds), Some(0.8));

        assert!((highest_share(|_| true) - 1.0).abs() < 1e-9);
        assert!(highest_share(|_| false).abs() < 1e-9);
        assert_eq!(lowest_bad(0.9, |_| true), None);
    }
}
