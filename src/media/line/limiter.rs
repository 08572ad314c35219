//! Limiter: nothing above −1 dBTP, and nobody hears how.
//!
//! True peaks come from the curve at four times the rate. The gain that each peak needs is held over the
//! look-ahead, let go slowly, and smoothed by a mean of the same length: so it is down exactly when
//! the peak comes out of the delay, and never moves in a step.

use std::collections::VecDeque;

use crate::media::sound::Stereo;

/// Samples that the limiter looks ahead, and so delays: 5 ms.
pub(super) const AHEAD: usize = 240;
/// What no point of the curve exceeds: −1 dBTP, and a tenth of a decibel for the curve between four points.
const CEILING: f32 = 0.881;
/// The gain comes back to full within a few of these, samples: 120 ms.
const RELEASE: f32 = 5760.0;
/// Taps of each of the four phases.
const TAPS: usize = 12;
/// A block that stays below this part of the ceiling needs no look at the curve.
const SAFE: f32 = 0.4;

/// The polyphase interpolator of four times the rate, Kaiser window, as wide as BS.1770-4's of annex 2.
fn phases() -> [[f32; TAPS]; 4] {
    let bessel = |x: f64| {
        (1..20)
            .fold((1.0, 1.0), |(sum, term): (f64, f64), k| {
                let term = term * (x / 2.0 / f64::from(k)).powi(2);
                (sum + term, term)
            })
            .0
    };
    let middle = (TAPS * 4) as f64 / 2.0;
    let mut phases = [[0.0; TAPS]; 4];
    for (p, phase) in phases.iter_mut().enumerate() {
        let mut sum = 0.0;
        for (t, tap) in phase.iter_mut().enumerate() {
            let x = (t * 4 + p) as f64 - middle;
            let sinc =
                if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x / 4.0).sin() / (std::f64::consts::PI * x / 4.0) };
            let window = bessel(6.0 * (1.0 - (x / middle).powi(2)).max(0.0).sqrt()) / bessel(6.0);
            *tap = (sinc * window) as f32;
            sum += *tap;
        }
        phase.iter_mut().for_each(|tap| *tap /= sum);
    }
    phases
}

/// Holds the programme below −1 dBTP.
#[derive(Debug, Clone)]
pub struct Limiter {
    phases: [[f32; TAPS]; 4],
    delay: VecDeque<Stereo>,
    tail: [[f32; TAPS]; 2],
    /// Gains that wait in the look-ahead, least first from the front: (sample, gain).
    least: VecDeque<(u64, f32)>,
    means: VecDeque<f32>,
    sum: f64,
    released: f32,
    count: u64,
    loud: u32,
    reduced: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Limiter {
    /// A limiter that passes silence.
    #[must_use]
    pub fn new() -> Self {
        Self {
            phases: phases(),
            delay: std::iter::repeat_n([0.0; 2], AHEAD + TAPS / 2).collect(),
            tail: [[0.0; TAPS]; 2],
            least: VecDeque::new(),
            means: std::iter::repeat_n(1.0, AHEAD).collect(),
            sum: AHEAD as f64,
            released: 1.0,
            count: 0,
            loud: 0,
            reduced: 1.0,
        }
    }

    /// One sample in, the one of 5 ms before out.
    pub fn next(&mut self, sample: Stereo) -> Stereo {
        for (tail, x) in self.tail.iter_mut().zip(sample) {
            tail.rotate_left(1);
            tail[TAPS - 1] = x;
        }
        // as long as nothing near the ceiling is in the taps, no point between them is above it
        let near = sample[0].abs().max(sample[1].abs()) > SAFE * CEILING;
        self.loud = if near { TAPS as u32 } else { self.loud.saturating_sub(1) };
        let peak = if self.loud > 0 { self.peak() } else { 0.0 };
        let needed = if peak > CEILING { CEILING / peak } else { 1.0 };
        while self.least.back().is_some_and(|(_, gain)| *gain >= needed) {
            self.least.pop_back();
        }
        self.least.push_back((self.count, needed));
        if self.least.front().is_some_and(|(at, _)| at + (AHEAD as u64) < self.count) {
            self.least.pop_front();
        }
        self.count += 1;
        let held = self.least.front().map_or(1.0, |(_, gain)| *gain);
        self.released = held.min(self.released + (1.0 - self.released) / RELEASE);
        self.sum += f64::from(self.released) - f64::from(self.means.pop_front().unwrap_or(1.0));
        self.means.push_back(self.released);
        let gain = (self.sum / AHEAD as f64).min(1.0) as f32;
        self.reduced = self.reduced.min(gain);
        self.delay.push_back(sample);
        self.delay.pop_front().unwrap_or_default().map(|x| x * gain)
    }

    /// The deepest reduction since the last call, dB, 0 or less.
    pub fn take_reduction(&mut self) -> f64 {
        20.0 * f64::from(std::mem::replace(&mut self.reduced, 1.0)).log10()
    }

    fn peak(&self) -> f32 {
        let mut peak = 0.0_f32;
        for tail in &self.tail {
            peak = peak.max(tail[TAPS / 2].abs());
            for phase in &self.phases {
                let point: f32 = tail.iter().zip(phase).map(|(x, tap)| x * tap).sum();
                peak = peak.max(point.abs());
            }
        }
        peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::meter::Meter;
    use crate::rng::Rng;

    #[test]
    fn nothing_comes_out_above_minus_one_dbtp() {
        let mut rng = Rng::simulated(3);
        for hertz in [440.0_f64, 5999.0, 11_025.0, 12_000.0] {
            let (mut limiter, mut meter) = (Limiter::new(), Meter::new());
            let phase = rng.unit();
            let out: Vec<_> = (0..96_000)
                .map(|i| {
                    let burst = if i / 9600 % 2 == 0 { 3.0 } else { 0.3 };
                    let x = burst * (std::f64::consts::TAU * (hertz * f64::from(i) / 48_000.0 + phase)).sin();
                    limiter.next([x as f32, -x as f32])
                })
                .collect();
            meter.push(&out);
            let levels = meter.take();
            assert!(levels.true_peak.0 <= -1.0 + 0.02, "{hertz}: {levels:?}");
            assert!(levels.true_peak.0 > -2.0, "{hertz}: {levels:?}");
            assert!(limiter.take_reduction() < -8.0);
        }
    }

    #[test]
    fn what_is_below_the_ceiling_passes_unchanged_five_milliseconds_later() {
        let mut limiter = Limiter::new();
        let wave: Vec<Stereo> = (0..9600).map(|i| [(0.7 * (f64::from(i) * 0.05).sin()) as f32; 2]).collect();
        let out: Vec<Stereo> = wave.iter().map(|s| limiter.next(*s)).collect();
        assert!(out[AHEAD + TAPS / 2..].iter().zip(&wave).all(|(o, w)| (o[0] - w[0]).abs() < 1e-6));
    }
}
