//! Glitch: samples lost or torn on the digital way.
//!
//! Two signs. A *hold*: both channels stand still for half a millisecond to 200 ms in the midst of a
//! sound, entered or left with a step. A *tear*: the curve bends within one sample many times more
//! sharply than anywhere in the milliseconds before and after; what a microphone hears, a clap or a
//! key, rings on and bends all around.

use super::block::{BLOCK, IN_A_TENTH};
use super::evidence::{Evidence, Sign};
use super::findings::{Fault, Finding};
use crate::media::sound::Stereo;
use crate::time::Instant;

/// A hold is at least this long, samples: half a millisecond.
const HOLD_LEAST: usize = 24;
/// And at most this long: 200 ms; what stands still for longer is silent.
const HOLD_MOST: usize = 9600;
/// The step into or out of a hold, in parts of the sound's RMS beside it.
const STEP: f32 = 0.2;
/// Below this RMS beside it a hold is a pause. −68 dBFS.
const SOUNDING: f32 = 4e-4;
/// Bends are compared with neighbours of 2 ms.
const NEIGHBOUR: usize = 96;
/// A tear bends so many times more sharply than its neighbours on the mean.
const SHARPER: f32 = 30.0;
/// And by at least this, of full scale.
const BEND: f32 = 0.012;

/// Finds what a broken digital way leaves.
#[derive(Debug, Clone)]
pub(super) struct Glitch {
    /// The block before and the one in question; the third is the one that comes.
    window: Vec<Stereo>,
    bends: Vec<f32>,
    held: usize,
    /// RMS before the hold, and the step into it.
    before: (f32, f32),
    events: u32,
    blocks: usize,
    evidence: Evidence,
}

impl Glitch {
    pub(super) fn new() -> Self {
        // three within two seconds; one alone may be a plug
        let evidence = Evidence::new(Fault::Glitches, 3.0, 0.1, 30);
        Self {
            window: vec![[0.0; 2]; 2 * BLOCK],
            bends: vec![0.0; 3 * BLOCK],
            held: 0,
            before: (0.0, 0.0),
            events: 0,
            blocks: 0,
            evidence,
        }
    }

    /// Hears a block; `at` is when its tenth began. `peak` is that of the block.
    pub(super) fn hear(&mut self, at: Instant, block: &[Stereo], peak: f32) {
        self.holds(block);
        self.window.extend_from_slice(block);
        // nothing in it could bend so sharply
        if peak.max(self.window[BLOCK..2 * BLOCK].iter().flatten().fold(0.0, |p: f32, s| p.max(s.abs()))) * 4.0 > BEND {
            self.events += u32::from(self.torn(0) || self.torn(1));
        }
        self.window.drain(..BLOCK);
        self.blocks += 1;
        if self.blocks == IN_A_TENTH {
            let sign = if self.events > 0 { Sign::For(f64::from(self.events.min(2))) } else { Sign::Nothing };
            self.evidence.weigh(at, sign);
            (self.blocks, self.events) = (0, 0);
        }
    }

    fn holds(&mut self, block: &[Stereo]) {
        let mut last = self.window[2 * BLOCK - 1];
        for (i, sample) in block.iter().enumerate() {
            if *sample == last {
                if self.held == 0 {
                    self.before = self.beside(block, i);
                }
                self.held += 1;
                continue;
            }
            if (HOLD_LEAST..HOLD_MOST).contains(&self.held) {
                let (rms, into) = self.before;
                let out = (sample[0] - last[0]).abs().max((sample[1] - last[1]).abs());
                self.events += u32::from(rms > SOUNDING && into.max(out) > STEP * rms);
            }
            self.held = 0;
            last = *sample;
        }
    }

    /// RMS of the 5 ms before sample `i` of the coming block, and the last step before it.
    fn beside(&self, block: &[Stereo], i: usize) -> (f32, f32) {
        let sample = |back: usize| if back <= i { block[i - back] } else { self.window[2 * BLOCK + i - back] };
        let (mut power, span) = (0.0, BLOCK / 2);
        for back in 2..span + 2 {
            let [l, r] = sample(back);
            power += l * l + r * r;
        }
        let (held, before) = (sample(1), sample(2));
        let step = (held[0] - before[0]).abs().max((held[1] - before[1]).abs());
        ((power / (2 * span) as f32).sqrt(), step)
    }

    /// True if the middle block is torn on this channel.
    fn torn(&mut self, ear: usize) -> bool {
        let Self { window, bends, .. } = self;
        for (bend, w) in bends[2..].iter_mut().zip(window.windows(3)) {
            *bend = (w[2][ear] - 2.0 * w[1][ear] + w[0][ear]).abs();
        }
        (bends[0], bends[1]) = (0.0, 0.0);
        let middle = BLOCK..2 * BLOCK;
        let sharp = bends[middle.clone()].iter().fold(0.0, |p: f32, b| p.max(*b));
        if sharp < BEND {
            return false;
        }
        let mean = |slice: &[f32]| slice.iter().sum::<f32>() / slice.len() as f32;
        let Some(at) = bends[middle].iter().position(|b| *b == sharp).map(|i| i + BLOCK) else { return false };
        let (before, after) = (&bends[at - 4 - NEIGHBOUR..at - 4], &bends[at + 5..at + 5 + NEIGHBOUR]);
        let wide = bends[at - 24..at + 24].iter().filter(|b| **b > sharp / 8.0).count();
        sharp > SHARPER * mean(before).max(mean(after)) && wide <= 8
    }

    /// Samples that the driver itself knows to be lost.
    pub(super) fn lost(&mut self) {
        self.events += 1;
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        self.evidence.finding()
    }
}
