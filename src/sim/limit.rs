//! The oracle: the highest rate at which a scheduler that knows the future brings 99.99 % in time.
//!
//! Every link is a row of milliseconds with the bytes that each can carry, outages and losses taken
//! off. Packets go in order, each to the link whose free slots bring it earliest. No real scheduler
//! does better than a fraction of a percent above that.

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

/// The oracle's rate for a run with this seed and deadline.
#[must_use]
pub fn oracle(scenario: &Scenario, seed: u64, latency: Duration) -> Bitrate {
    let shift = seed_shift(scenario, seed);
    let length = (scenario.duration + latency).as_millis() as usize + 1000;
    let mut lines: Vec<Line> = scenario
        .links
        .iter()
        .zip(link_rngs(scenario, seed))
        .map(|(link, rng)| Line::new(link, length, shift, rng))
        .collect();
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
}
