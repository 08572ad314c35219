//! Clip: tops that are cut flat at full scale.
//!
//! One sample at full scale is a peak; three in a row that differ by no more than the noise behind the
//! clipping stage, with a corner before them, are a stage at its end. A low note's round top has no corner.

use super::block::IN_A_TENTH;
use super::evidence::{Evidence, Sign};
use super::findings::{Fault, Finding};
use crate::media::sound::Stereo;
use crate::time::Instant;

/// From here on a flat top is the converter's end: some saturate a little below full scale. −0.3 dBFS.
const CEILING: f32 = 0.966;
/// Two samples of a flat top differ by no more than this: the mixer's own noise lies on it.
const FLAT: f32 = 1e-3;
/// The corner into it is at least so high; where a sine of full scale is flat for three samples, it rises
/// by a third of this.
const CORNER: f32 = 4e-3;
/// So many flat samples are a cut top.
const RUN: u32 = 3;

/// Finds clipping.
#[derive(Debug, Clone)]
pub(super) struct Clip {
    last: Stereo,
    run: [u32; 2],
    corner: [bool; 2],
    tops: u32,
    blocks: usize,
    evidence: Evidence,
}

impl Clip {
    pub(super) const fn new() -> Self {
        // four cut tops within two seconds; a single one is a pop of the microphone
        let evidence = Evidence::new(Fault::Clipping, 4.0, 0.15, 30);
        Self { last: [0.0; 2], run: [0; 2], corner: [false; 2], tops: 0, blocks: 0, evidence }
    }

    /// Hears a block that peaks at `peak`; `at` is when its tenth began.
    pub(super) fn hear(&mut self, at: Instant, block: &[Stereo], peak: [f32; 2]) {
        for ear in 0..2 {
            if peak[ear] < CEILING {
                self.run[ear] = 0;
                continue;
            }
            for sample in block {
                let step = (sample[ear] - self.last[ear]).abs();
                if sample[ear].abs() < CEILING {
                    self.run[ear] = 0;
                } else if self.run[ear] > 0 && step < FLAT {
                    self.run[ear] += 1;
                    self.tops += u32::from(self.run[ear] == RUN && self.corner[ear]);
                } else {
                    (self.run[ear], self.corner[ear]) = (1, step > CORNER);
                }
                self.last[ear] = sample[ear];
            }
        }
        self.blocks += 1;
        if self.blocks == IN_A_TENTH {
            let sign = if self.tops > 0 { Sign::For(f64::from(self.tops.min(2))) } else { Sign::Nothing };
            self.evidence.weigh(at, sign);
            (self.blocks, self.tops) = (0, 0);
        }
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        self.evidence.finding()
    }
}
