//! Howl: a loudspeaker that its own microphone hears.
//!
//! Feedback is one pure tone that grows by the same factor with every round and then stays at what the
//! amplifier gives. A test tone is there at once, a note begins at once and carries its overtones, a
//! flute trembles: none of them grows steadily for a fifth of a second *and* stays pure, steady and
//! loud. After van Waterschoot and Moonen, "Fifty years of acoustic feedback control", Proc. IEEE 99
//! (2011): the ratio of the peak's power to everything else, its persistence, and its slope.

use std::collections::VecDeque;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

use super::block::decibels;
use super::evidence::{Evidence, Sign, TENTH};
use super::findings::{Fault, Finding};
use crate::media::sound::Stereo;
use crate::time::{Duration, Instant};

/// Samples of a picture of the spectrum: 21.3 ms, lines of 46.9 Hz.
const FRAME: usize = 1024;
/// Lines looked at: 140 Hz to 14 kHz.
const LOWEST: usize = 3;
const HIGHEST: usize = 300;
/// Share of the power within two lines of the peak, from which on a sound is one tone.
const PURE: f64 = 0.8;
/// So many pictures must be pure at one place: 0.4 s.
const STAYS: usize = 19;
/// Pictures remembered, to see how it grew: 2 s.
const MEMORY: usize = 94;
/// Feedback below this is no howl yet, dBFS.
const LOUD: f64 = -32.0;
/// Steady growth from one picture to the next, dB: 15 to 300 dB a second.
const GROWTH: std::ops::Range<f64> = 0.3..6.5;
/// It grew over so many pictures at least, in steps like these.
const STEPS: usize = 7;
/// And by so much, dB.
const RISE: f64 = 12.0;

/// Finds feedback.
pub(super) struct Howl {
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    waiting: Vec<Stereo>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    /// Powers of the lines, picture by picture.
    pictures: VecDeque<Vec<f32>>,
    pure: Option<(usize, usize)>,
    howling: Option<usize>,
    evidence: Evidence,
}

impl std::fmt::Debug for Howl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Howl").field("pure", &self.pure).field("howling", &self.howling).finish_non_exhaustive()
    }
}

impl Howl {
    pub(super) fn new() -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(FRAME);
        let hann = |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / FRAME as f32).cos();
        Self {
            window: (0..FRAME).map(hann).collect(),
            waiting: Vec::with_capacity(2 * FRAME),
            input: transform.make_input_vec(),
            output: transform.make_output_vec(),
            transform,
            pictures: VecDeque::with_capacity(MEMORY),
            pure: None,
            howling: None,
            evidence: Evidence::new(Fault::Howl, 2.0, 0.0, 5),
        }
    }

    /// Hears a block.
    pub(super) fn hear(&mut self, block: &[Stereo]) {
        self.waiting.extend_from_slice(block);
        if self.waiting.len() >= FRAME {
            self.look();
            self.waiting.drain(..FRAME);
        }
    }

    /// At the end of the tenth that began at `at`.
    pub(super) fn tenth(&mut self, at: Instant) {
        let picture = Duration::from_micros(FRAME as u64 * 1_000_000 / 48_000);
        let sign = if self.howling.is_some() { Sign::For(1.0) } else { Sign::Against };
        let back = self.pure.map_or(0, |(_, stays)| stays + STEPS) as u32;
        self.evidence.weigh((at + TENTH).before(picture * back), sign);
    }

    fn look(&mut self) {
        // the louder channel: both together would cancel where one is upside down
        let power = |ear: usize| self.waiting[..FRAME].iter().map(|s| s[ear] * s[ear]).sum::<f32>();
        let ear = usize::from(power(1) > power(0));
        for ((slot, sample), w) in self.input.iter_mut().zip(&self.waiting).zip(&self.window) {
            *slot = sample[ear] * w;
        }
        // its only error is a buffer of the wrong length, and these were made by it
        if self.transform.process(&mut self.input, &mut self.output).is_err() {
            return;
        }
        // a full sine gives FRAME / 4 on its line with this window, spread over two more: scaled to power 1/2
        let scale = 16.0 / 3.0 / (FRAME * FRAME) as f32;
        let mut lines = if self.pictures.len() == MEMORY {
            self.pictures.pop_front().unwrap_or_default()
        } else {
            Vec::with_capacity(HIGHEST)
        };
        lines.clear();
        lines.extend(self.output[..HIGHEST].iter().map(|c| c.norm_sqr() * scale));
        let peak = (LOWEST..HIGHEST - 2).max_by(|a, b| lines[*a].total_cmp(&lines[*b])).unwrap_or(LOWEST);
        let all: f64 = lines[LOWEST..].iter().map(|p| f64::from(*p)).sum();
        let own = around(&lines, peak);
        self.pictures.push_back(lines);
        let here = |line: usize| line.abs_diff(peak) <= 1;
        self.pure = match self.pure {
            _ if own < PURE * all || decibels(own) < LOUD => None,
            Some((line, stays)) if here(line) => Some((line, stays + 1)),
            _ => Some((peak, 1)),
        };
        self.howling = match (self.pure, self.howling) {
            (Some((line, _)), Some(howl)) if line.abs_diff(howl) <= 1 => Some(howl),
            (Some((line, stays)), _) if stays >= STAYS && self.grew(line) => Some(line),
            _ => None,
        };
    }

    /// True if the tone on this line grew as feedback does, and has not fallen since.
    fn grew(&self, line: usize) -> bool {
        let levels: Vec<f64> = self.pictures.iter().map(|lines| decibels(around(lines, line))).collect();
        let top = levels.iter().fold(f64::MIN, |top, level| top.max(*level));
        if levels.last().is_none_or(|last| *last < top - 2.5) {
            return false;
        }
        // the longest run of steady growth that ends near the top
        let (mut steps, mut rise) = (0, 0.0);
        levels.windows(2).any(|pair| {
            let step = pair[1] - pair[0];
            if GROWTH.contains(&step) {
                steps += 1;
                rise += step;
            } else {
                (steps, rise) = (0, 0.0);
            }
            steps >= STEPS && rise >= RISE && pair[1] > top - 8.0
        })
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        self.evidence.finding()
    }
}

fn around(lines: &[f32], peak: usize) -> f64 {
    lines[peak.saturating_sub(2)..(peak + 3).min(lines.len())].iter().map(|p| f64::from(*p)).sum()
}
