//! Align: by how much one line comes later than the other, so that a switch repeats and skips nothing.
//!
//! Both lines carry the same programme, perhaps over another desk, perhaps upside down. Generalised
//! cross-correlation (Knapp and Carter, IEEE ASSP-24, 1976) with a spectrum half whitened: the full
//! phase transform trusts noise as much as speech. The answer counts when the peak stands out and two
//! windows in a row agree.

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
            padded[..WINDOW].copy_from_slice(kept);
            let mut out = self.forward.make_output_vec();
            self.forward.process(&mut padded, &mut out).ok()?;
            Some(out)
        };
        let (a, b) = (spectrum(&self.kept[0])?, spectrum(&self.kept[1])?);
        // 100 Hz and up: hum and rumble are alike on every line
        let from = 100 * 2 * WINDOW / 8000;
        let mut cross: Vec<Complex<f32>> =
            a.iter().zip(&b).map(|(a, b)| b * a.conj()).map(|c| c / c.norm().max(1e-12).sqrt()).collect();
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
        // between the samples: a parabola through the peak and its neighbours
        let [before, top, after] = [-1, 0, 1].map(|step| f64::from(at(peak + step).abs()));
        let bend = before - 2.0 * top + after;
        let part = if bend < 0.0 { ((before - after) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 };
        Some(Lag { samples: (peak as f64 + part) * DOWN as f64, inverted: at(peak) < 0.0 })
    }
}
