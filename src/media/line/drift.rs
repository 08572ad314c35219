//! Drift: how fast a card's clock runs against the programme's, in parts per million.
//!
//! A card tells how many samples it has taken, and when. Against the process's monotonic clock, on
//! which the programme runs, the surplus of samples is a straight line; its slope is the drift. Half
//! seconds are averaged first, which takes the jitter of the interrupt away, and a least-squares line
//! through the last minute of them is the answer: 2 ms of jitter leave about 1 ppm. The same line tells
//! which sample was taken at which moment, more exactly than any single stamp does.

use std::collections::VecDeque;

use crate::media::sound::SAMPLE_RATE;
use crate::time::{Duration, Instant};

/// Stamps are averaged over so long.
const MEAN_OVER: Duration = Duration::from_millis(500);
/// Means that the line is laid through: a minute.
const POINTS: usize = 120;
/// Before so many nothing is said: eight seconds.
const LEAST: usize = 16;
/// Before there are so many the newest of them tell by how much the count is ahead: two seconds.
const NEWEST: usize = 4;
/// A card that differs by more is no clock but a gap: the line begins afresh. Crystals keep within 100.
const MOST: f64 = 1500.0;
/// A surplus that jumps by more than this is a gap, s.
const JUMP: f64 = 0.05;

/// Measures one card.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    origin: Option<Instant>,
    count: u64,
    /// Of the half second that runs: begin, sum of seconds, sum of surpluses, number.
    running: (f64, f64, f64, u32),
    points: VecDeque<(f64, f64)>,
    line: Option<Fit>,
}

/// A straight line: its middle, s after the origin, the surplus there, s, and its slope.
#[derive(Debug, Clone, Copy)]
struct Fit {
    middle: f64,
    surplus: f64,
    slope: f64,
}

impl Drift {
    /// A card of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The card took `samples` more, the last of them at `at`.
    pub fn push(&mut self, at: Instant, samples: usize) {
        let Some(origin) = self.origin else {
            (self.origin, self.count) = (Some(at), 0);
            return;
        };
        self.count += samples as u64;
        let seconds = at.since(origin).as_secs_f64();
        let surplus = self.count as f64 / f64::from(SAMPLE_RATE) - seconds;
        let (began, sum, over, n) = &mut self.running;
        let last = if *n > 0 { Some(*over / f64::from(*n)) } else { self.points.back().map(|(_, surplus)| *surplus) };
        if last.is_some_and(|last| (surplus - last).abs() > JUMP) {
            return self.restart(at);
        }
        if *n == 0 {
            *began = seconds;
        }
        *sum += seconds;
        *over += surplus;
        *n += 1;
        if seconds - *began >= MEAN_OVER.as_secs_f64() {
            if self.points.len() == POINTS {
                self.points.pop_front();
            }
            self.points.push_back((*sum / f64::from(*n), *over / f64::from(*n)));
            self.running = (0.0, 0.0, 0.0, 0);
            self.line = self.fit();
            if self.ppm().is_some_and(|ppm| ppm.abs() > MOST) {
                self.restart(at);
            }
        }
    }

    /// Samples were lost, or the card was opened again: what was counted before tells nothing of now.
    pub fn restart(&mut self, at: Instant) {
        *self = Self { origin: Some(at), ..Self::default() };
    }

    /// Parts per million by which the card runs faster than the programme; none before eight seconds.
    #[must_use]
    pub fn ppm(&self) -> Option<f64> {
        self.line.map(|line| line.slope * 1e6)
    }

    /// By how many samples the newest one is ahead of what a card without lateness has taken by `at`: the less,
    /// the later its pieces come. None before the first stamp.
    #[must_use]
    pub fn ahead(&self, at: Instant) -> Option<f64> {
        let origin = self.origin?;
        let seconds = at.since(origin).as_secs_f64() - origin.since(at).as_secs_f64();
        let (_, _, over, n) = self.running;
        let surplus = match self.line {
            Some(line) => line.surplus + (seconds - line.middle) * line.slope,
            None if self.points.is_empty() => over / f64::from(n.max(1)),
            None => {
                let newest = self.points.iter().rev().take(NEWEST);
                newest.clone().map(|(_, surplus)| surplus).sum::<f64>() / newest.len() as f64
            }
        };
        Some(self.count as f64 - (seconds + surplus) * f64::from(SAMPLE_RATE))
    }

    fn fit(&self) -> Option<Fit> {
        if self.points.len() < LEAST {
            return None;
        }
        let n = self.points.len() as f64;
        let (t, s) = self.points.iter().fold((0.0, 0.0), |(t, s), point| (t + point.0, s + point.1));
        let (middle, surplus) = (t / n, s / n);
        let (over, under) = self.points.iter().fold((0.0, 0.0), |(over, under), point| {
            (over + (point.0 - middle) * (point.1 - surplus), under + (point.0 - middle).powi(2))
        });
        (under > 0.0).then(|| Fit { middle, surplus, slope: over / under })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn measured(ppm: f64, jitter_ms: f64, seconds: u64) -> Option<f64> {
        let (mut drift, mut rng) = (Drift::new(), Rng::simulated(5));
        for n in 0..seconds * 100 {
            let true_time = n as f64 * 0.01 / (1.0 + ppm * 1e-6) + 10.0;
            let stamp = true_time + rng.unit() * jitter_ms / 1000.0;
            drift.push(Instant::from_micros((stamp * 1e6) as u64), 480);
        }
        drift.ppm()
    }

    #[test]
    fn the_drift_of_a_card_is_known_within_five_ppm_after_half_a_minute_of_jittered_stamps() {
        for ppm in [-150.0, 0.0, 30.0, 150.0] {
            let found = measured(ppm, 4.0, 30).expect("half a minute is enough");
            assert!((found - ppm).abs() < 5.0, "{ppm}: {found}");
        }
        assert_eq!(measured(150.0, 4.0, 4), None);
    }

    #[test]
    fn which_sample_was_taken_when_is_known_better_than_any_stamp_tells() {
        let (mut drift, mut rng) = (Drift::new(), Rng::simulated(7));
        for (seconds, within) in [(2_u64, 48.0), (30, 24.0)] {
            for n in 0..seconds * 100 {
                // pieces of 10 ms from a card 100 ppm fast, told 0 to 4 ms late
                let true_time = 5.0 + n as f64 * 0.01 / (1.0 + 100e-6);
                drift.push(Instant::from_micros(((true_time + rng.unit() * 0.004) * 1e6) as u64), 480);
            }
            let last = 5.0 + (seconds * 100 - 1) as f64 * 0.01 / (1.0 + 100e-6);
            // 7 ms after the last one; stamps are 2 ms late on the mean
            let ahead = drift.ahead(Instant::from_micros(((last + 0.009) * 1e6) as u64)).expect("it has stamps");
            assert!((ahead + 0.007 * 48_000.0).abs() < within, "{seconds} s: {ahead}");
            drift.restart(Instant::from_millis(5000));
        }
    }

    #[test]
    fn a_gap_begins_the_measurement_afresh_and_does_not_bend_it() {
        let mut drift = Drift::new();
        for n in 0..4000_u64 {
            let gap = if n > 2000 { 200_000 } else { 0 };
            drift.push(Instant::from_micros(n * 10_000 + gap), 480);
        }
        assert!(drift.ppm().expect("twenty seconds after the gap").abs() < 1.0);
    }
}
