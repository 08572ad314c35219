//! Drift: how fast a card's clock runs against the programme's, in parts per million.
//!
//! A card tells how many samples it has taken, and when. Against the process's monotonic clock, on
//! which the programme runs, the surplus of samples is a straight line; its slope is the drift. Half
//! seconds are averaged first, which takes the jitter of the interrupt away, and a least-squares line
//! through the last minute of them is the answer: 2 ms of jitter leave about 1 ppm.

use std::collections::VecDeque;

use crate::media::sound::SAMPLE_RATE;
use crate::time::{Duration, Instant};

/// Stamps are averaged over so long.
const MEAN_OVER: Duration = Duration::from_millis(500);
/// Means that the line is laid through: a minute.
const POINTS: usize = 120;
/// Before so many nothing is said: eight seconds.
const LEAST: usize = 16;
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
        if self.points.len() < LEAST {
            return None;
        }
        let n = self.points.len() as f64;
        let (t, s) = self.points.iter().fold((0.0, 0.0), |(t, s), point| (t + point.0, s + point.1));
        let (t, s) = (t / n, s / n);
        let (over, under) = self.points.iter().fold((0.0, 0.0), |(over, under), point| {
            (over + (point.0 - t) * (point.1 - s), under + (point.0 - t).powi(2))
        });
        (under > 0.0).then(|| over / under * 1e6)
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
    fn a_gap_begins_the_measurement_afresh_and_does_not_bend_it() {
        let mut drift = Drift::new();
        for n in 0..4000_u64 {
            let gap = if n > 2000 { 200_000 } else { 0 };
            drift.push(Instant::from_micros(n * 10_000 + gap), 480);
        }
        assert!(drift.ppm().expect("twenty seconds after the gap").abs() < 1.0);
    }
}
