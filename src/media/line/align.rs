//! Align: by how much one line comes later than the other, so that a switch repeats and skips nothing.
//!
//! Both lines carry the same programme, perhaps over another desk, perhaps upside down. Generalised
//! cross-correlation (Knapp and Carter, IEEE ASSP-24, 1976) with a spectrum half whitened: the full
//! phase transform trusts noise as much as speech. The answer counts when the peak stands out, stands
//! alone, and two windows in a row agree: a tone, a chord or a hum fits itself again a period later, so it
//! tells neither the lag nor the polarity, nor that both lines carry the same.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex};

use super::filter::{Biquad, FOURTH};
use crate::media::sound::Stereo;

/// Every so many samples one is kept: 8 kHz.
const DOWN: usize = 6;
/// Samples of a window at that rate: two seconds.
const WINDOW: usize = 16_384;
/// Lags looked at, at that rate: half a second either way.
const REACH: usize = 4000;
/// The peak stands so many times above the mean of all lags.
const STANDS: f32 = 9.0;
/// Further than this from the peak nothing is nearly as like, lags at that rate: 0.9 ms, as wide as the peak of
/// speech is;
const PEAK: usize = 7;
/// at most this part of it. A voice's own pitch, which wanders, leaves 0.6.
const RIVAL: f32 = 0.8;
/// And with both lines laid over each other by it, so much of their power is common: correlation. Clicks at the same
/// moment, as of two beepers that go together, are like each other too, but there is nothing in them.
const COMMON: f64 = 0.2;
/// Two windows agree within this, samples at 48 kHz: half a millisecond.
const AGREE: f64 = 24.0;
/// A window with less power than this on either line is a pause.
const PAUSE: f32 = 1e-6;

/// By how much line B comes later than line A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// Samples at 48 kHz; negative if B comes first.
    pub samples: f64,
    /// B is A upside down.
    pub inverted: bool,
}

/// Finds the lag between both lines.
pub struct Align {
    low: [[Biquad; 2]; 2],
    phase: usize,
    kept: [Vec<f32>; 2],
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
    last: Option<Lag>,
}

impl std::fmt::Debug for Align {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Align").field("kept", &self.kept[0].len()).field("last", &self.last).finish_non_exhaustive()
    }
}

impl Default for Align {
    fn default() -> Self {
        Self::new()
    }
}

impl Align {
    /// An aligner that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let low = FOURTH.map(|q| Biquad::low_pass(3000.0, q, 48_000.0));
        Self {
            low: [low; 2],
            phase: 0,
            kept: [Vec::with_capacity(WINDOW), Vec::with_capacity(WINDOW)],
            // a tone that is cut off at the window's ends rings in every line of its spectrum
            window: (0..WINDOW)
                .map(|i| (std::f32::consts::PI * (i as f32 + 0.5) / WINDOW as f32).sin().powi(2))
                .collect(),
            forward: planner.plan_fft_forward(2 * WINDOW),
            back: planner.plan_fft_inverse(2 * WINDOW),
            last: None,
        }
    }

    /// Hears both lines, sample by sample of the same time; both slices are equally long.
    pub fn push(&mut self, a: &[Stereo], b: &[Stereo]) {
        let mut phase = self.phase;
        for (line, samples) in [a, b].into_iter().enumerate() {
            phase = self.phase;
            for [left, right] in samples {
                let mono = f64::from(left + right) / 2.0;
                let low = self.low[line].iter_mut().fold(mono, |x, section| section.next(x));
                phase += 1;
                if phase == DOWN {
                    phase = 0;
                    if self.kept[line].len() < WINDOW {
                        self.kept[line].push(low as f32);
                    }
                }
            }
        }
        self.phase = phase;
    }

    /// Forgets what was heard: one of the lines was moved or gone.
    pub fn restart(&mut self) {
        self.kept.iter_mut().for_each(Vec::clear);
        self.last = None;
    }

    /// The lag, once a window is full and agrees with the one before.
    pub fn poll(&mut self) -> Option<Lag> {
        if self.kept.iter().any(|kept| kept.len() < WINDOW) {
            return None;
        }
        let found = self.correlate();
        self.kept.iter_mut().for_each(Vec::clear);
        let before = std::mem::replace(&mut self.last, found);
        let agree = |a: Lag, b: Lag| (a.samples - b.samples).abs() <= AGREE && a.inverted == b.inverted;
        found.filter(|found| before.is_some_and(|before| agree(*found, before)))
    }

    fn correlate(&self) -> Option<Lag> {
        let spectrum = |kept: &[f32]| {
            if kept.iter().map(|x| x * x).sum::<f32>() / (WINDOW as f32) < PAUSE {
                return None;
            }
            let mut padded = self.forward.make_input_vec();
            padded.iter_mut().zip(kept).zip(&self.window).for_each(|((slot, x), w)| *slot = x * w);
            let mut out = self.forward.make_output_vec();
            self.forward.process(&mut padded, &mut out).ok()?;
            Some(out)
        };
        let (a, b) = (spectrum(&self.kept[0])?, spectrum(&self.kept[1])?);
        // 100 Hz and up: hum and rumble are alike on every line
        let from = 100 * 2 * WINDOW / 8000;
        let whole: Vec<Complex<f32>> = a.iter().zip(&b).map(|(a, b)| b * a.conj()).collect();
        let mut cross: Vec<Complex<f32>> = whole.iter().map(|c| c / c.norm().max(1e-12).sqrt()).collect();
        cross[..from].fill(Complex::default());
        if let Some(last) = cross.last_mut() {
            last.im = 0.0;
        }
        let mut lags = self.back.make_output_vec();
        self.back.process(&mut cross, &mut lags).ok()?;
        let at = |lag: isize| lags[lag.rem_euclid(lags.len() as isize) as usize];
        let reach = REACH as isize;
        let peak = (-reach..=reach).max_by(|x, y| at(*x).abs().total_cmp(&at(*y).abs()))?;
        let mean = (-reach..=reach).map(|lag| at(lag).abs()).sum::<f32>() / (2 * REACH + 1) as f32;
        if at(peak).abs() < STANDS * mean {
            return None;
        }
        let rival = (-reach..=reach).filter(|lag| lag.abs_diff(peak) > PEAK).map(|lag| at(lag).abs());
        if rival.fold(0.0, f32::max) > RIVAL * at(peak).abs() {
            return None;
        }
        let power = |of: &[Complex<f32>]| of[from..].iter().map(|c| f64::from(c.norm_sqr())).sum::<f64>();
        let common = in_phase(&whole, from, peak) / (power(&a) * power(&b)).sqrt() * f64::from(at(peak).signum());
        // nothing of nothing is no number
        if common.is_nan() || common < COMMON {
            return None;
        }
        // between the samples: a parabola through the peak and its neighbours
        let [before, top, after] = [-1, 0, 1].map(|step| f64::from(at(peak + step).abs()));
        let bend = before - 2.0 * top + after;
        let part = if bend < 0.0 { ((before - after) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 };
        Some(Lag { samples: (peak as f64 + part) * DOWN as f64, inverted: at(peak) < 0.0 })
    }
}

/// What of the cross-spectrum, from a line on, is in phase at this lag.
fn in_phase(cross: &[Complex<f32>], from: usize, lag: isize) -> f64 {
    let turn = std::f64::consts::PI * lag as f64 / (cross.len() - 1) as f64;
    let part = |(k, c): (usize, &Complex<f32>)| {
        let (sin, cos) = (k as f64 * turn).sin_cos();
        f64::from(c.re) * cos - f64::from(c.im) * sin
    };
    cross.iter().enumerate().skip(from).map(part).sum()
}
