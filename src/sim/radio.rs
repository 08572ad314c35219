//! Radio: made-up LTE-like uplinks, where no recording is at hand: fades, stalls, hand-overs, shared cells.
//!
//! Two walks multiply the mean rate: the cell's (its other users, its stalls, the hand-overs to it) and
//! the link's own (where its antenna stands). Links with the same cell share the first, so that they
//! fade and stall together; nobody takes room from the other. The walks are Ornstein–Uhlenbeck
//! processes of the logarithm, the periods are exponential, and a scheduler grants room in gulps.
//! The constants are ours: in the order of what saturated LTE uplinks show, taken from no recording.

use std::time::Duration;

use super::netem::Periods;
use super::trace::Trace;
use crate::rng::Rng;
use crate::time::Instant;
use crate::units::Bitrate;

/// Length of what is made; then it repeats.
const LENGTH: Duration = Duration::from_secs(300);
/// One step of the walks, and the shortest time between two grants, ms.
const STEP_MS: u64 = 4;
/// A step that grants nothing leaves its room to the next.
const GRANTED: f64 = 0.6;
/// Part of 1500 bytes that one opportunity gives.
pub(super) const SCALE: f64 = 0.5;
/// Never more than this many times the mean: a modem has a category.
const MOST: f64 = 2.2;

/// A walk of the logarithm: deviation at rest, and the time after which it has forgotten.
#[derive(Debug, Clone, Copy)]
struct Walk {
    deviation: f64,
    forgets_ms: f64,
    value: f64,
}

/// Other users of the cell.
const LOAD: Walk = Walk { deviation: 0.35, forgets_ms: 8_000.0, value: 0.0 };
/// Houses and hills before the antenna.
const SHADOW: Walk = Walk { deviation: 0.30, forgets_ms: 3_000.0, value: 0.0 };
/// Echoes.
const ECHOES: Walk = Walk { deviation: 0.30, forgets_ms: 150.0, value: 0.0 };

/// Mean gap, least and mean length.
type Every = (Duration, Duration, Duration);

const fn ms(gap: u64, least: u64, mean: u64) -> Every {
    (Duration::from_millis(gap), Duration::from_millis(least), Duration::from_millis(mean))
}

/// The cell gives nothing for a while.
const STALLS: Every = ms(20_000, 80, 250);
/// From one cell to the next: nothing for a moment, then another load.
const HANDOVERS: Every = ms(30_000, 50, 120);
/// A bridge, a hall: little room for seconds.
const FADES: Every = ms(15_000, 500, 1_800);
const FADED: f64 = 0.25;

/// What a scenario's `radio` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Radio {
    pub(super) mean: Bitrate,
    /// The link's own number: another number, another walk.
    pub(super) seed: u64,
    /// Links with the same cell share its walk.
    pub(super) cell: Option<u64>,
}

impl Walk {
    fn step(&mut self, rng: &mut Rng) -> f64 {
        let keeps = (-(STEP_MS as f64) / self.forgets_ms).exp();
        self.value = self.value * keeps + self.deviation * (1.0 - keeps * keeps).sqrt() * normal(rng);
        self.value - self.deviation * self.deviation / 2.0
    }

    fn redraw(&mut self, rng: &mut Rng) {
        self.value = self.deviation * normal(rng);
    }
}

/// Normally distributed by the method of Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    (2.0 * rng.exponential(1.0)).sqrt() * (std::f64::consts::TAU * rng.unit()).cos()
}

fn periods((gap, least, mean): Every, rng: &mut Rng) -> Periods {
    Periods::new(Duration::ZERO, gap, least, mean, rng.split())
}

/// What links of one cell have in common.
struct Cell {
    rng: Rng,
    load: Walk,
    stalls: Periods,
    handovers: Periods,
    moving: bool,
}

impl Cell {
    fn new(mut rng: Rng) -> Self {
        let (stalls, handovers) = (periods(STALLS, &mut rng), periods(HANDOVERS, &mut rng));
        let mut load = LOAD;
        load.redraw(&mut rng);
        Self { rng, load, stalls, handovers, moving: false }
    }

    /// The logarithm of its share of the mean; none while it gives nothing.
    fn step(&mut self, at: Instant) -> Option<f64> {
        let level = self.load.step(&mut self.rng);
        let moving = self.handovers.holds(at);
        if self.moving && !moving {
            self.load.redraw(&mut self.rng);
        }
        self.moving = moving;
        (!moving && !self.stalls.holds(at)).then_some(level)
    }
}

impl Radio {
    /// The opportunities of this link, each of 1500 × [`SCALE`] bytes.
    pub(super) fn trace(&self) -> Trace {
        let mut rng = Rng::simulated(self.seed);
        let mut cell = Cell::new(self.cell.map_or_else(|| rng.split(), |cell| Rng::simulated(!cell)));
        let mut fades = periods(FADES, &mut rng);
        let (mut shadow, mut echoes) = (SHADOW, ECHOES);
        shadow.redraw(&mut rng);
        let mean = self.mean.bytes_per_micro() * 1000.0 * STEP_MS as f64;
        let mut stamps_ms = Vec::new();
        let mut room = 0.0;
        for step in 1..=LENGTH.as_millis() as u64 / STEP_MS {
            let at_ms = step * STEP_MS;
            let at = Instant::from_millis(at_ms);
            let own = shadow.step(&mut rng) + echoes.step(&mut rng);
            let faded = if fades.holds(at) { FADED } else { 1.0 };
            // what a stall leaves unused is lost
            room = cell.step(at).map_or(0.0, |common| room + mean * ((common + own).exp() * faded).min(MOST));
            if rng.chance(GRANTED) {
                let count = (room / (1500.0 * SCALE)) as usize;
                room -= count as f64 * 1500.0 * SCALE;
                stamps_ms.extend(std::iter::repeat_n(at_ms, count));
            }
        }
        Trace::made(stamps_ms, LENGTH.as_millis() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn radio(seed: u64, cell: Option<u64>) -> Radio {
        Radio { mean: Bitrate::mbps(6), seed, cell }
    }

    /// Opportunities in each second.
    fn seconds(trace: &Trace) -> Vec<f64> {
        let first = |second: u64| trace.first_from(second * 1000) as f64;
        (0..300).map(|second| first(second + 1) - first(second)).collect()
    }

    /// How much two rows go up and down together, from −1 to 1.
    fn together(a: &[f64], b: &[f64]) -> f64 {
        let mean = |row: &[f64]| row.iter().sum::<f64>() / row.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    }

    #[test]
    fn a_made_up_radio_has_about_its_mean_and_moves_around_it() {
        for seed in 0..4 {
            let trace = radio(seed, None).trace();

            let mbit = trace.per_second() * 1500.0 * SCALE * 8.0 / 1e6;
            assert!((4.0..7.0).contains(&mbit), "{mbit}");
            let seconds = seconds(&trace);
            let (least, most) = seconds.iter().fold((f64::MAX, 0.0_f64), |(l, m), s| (l.min(*s), m.max(*s)));
            assert!(least < 0.25 * 1000.0 && most > 1.3 * 1000.0, "{least} to {most} a second");
        }
    }

    #[test]
    fn it_stalls_as_radios_do_and_never_for_long() {
        let trace = radio(1, None).trace();

        let times: Vec<u64> = (0..trace.first_from(300_000)).map(|number| trace.time_ms(number)).collect();
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();

        assert!(gaps.iter().filter(|gap| **gap >= 80).count() >= 10);
        assert!(gaps.iter().all(|gap| *gap < 4_000), "{:?}", gaps.iter().max());
    }

    #[test]
    fn links_of_one_cell_fade_together_and_others_do_not() {
        let one = seconds(&radio(1, Some(7)).trace());
        let same = seconds(&radio(2, Some(7)).trace());
        let other = seconds(&radio(2, Some(8)).trace());

        let (shared, apart) = (together(&one, &same), together(&one, &other));

        assert!(shared > 0.3 && apart.abs() < 0.2, "{shared} {apart}");
    }

    #[test]
    fn one_number_makes_one_radio() {
        assert_eq!(radio(3, Some(1)).trace(), radio(3, Some(1)).trace());
        assert_ne!(radio(3, Some(1)).trace(), radio(4, Some(1)).trace());
    }
}
