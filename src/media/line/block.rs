//! Block: ten milliseconds of a line, and what one pass over them tells.

use crate::media::sound::Stereo;

/// Samples in a block: 10 ms.
pub(super) const BLOCK: usize = 480;
/// Blocks in a tenth of a second.
pub(super) const IN_A_TENTH: usize = 10;

/// Sums over some blocks, left and right.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) samples: usize,
    pub(super) sum: [f64; 2],
    pub(super) power: [f64; 2],
    pub(super) both: f64,
    pub(super) peak: [f32; 2],
}

impl Sums {
    pub(super) fn add(&mut self, block: &[Stereo]) {
        let (mut sum, mut power, mut both) = ([0.0_f32; 2], [0.0_f32; 2], 0.0_f32);
        for [left, right] in block {
            sum[0] += left;
            sum[1] += right;
            power[0] += left * left;
            power[1] += right * right;
            both += left * right;
            self.peak[0] = self.peak[0].max(left.abs());
            self.peak[1] = self.peak[1].max(right.abs());
        }
        for ear in 0..2 {
            self.sum[ear] += f64::from(sum[ear]);
            self.power[ear] += f64::from(power[ear]);
        }
        self.both += f64::from(both);
        self.samples += block.len();
    }

    pub(super) fn add_sums(&mut self, other: &Self) {
        for ear in 0..2 {
            self.sum[ear] += other.sum[ear];
            self.power[ear] += other.power[ear];
            self.peak[ear] = self.peak[ear].max(other.peak[ear]);
        }
        self.both += other.both;
        self.samples += other.samples;
    }

    /// Mean of a channel.
    pub(super) fn mean(&self, ear: usize) -> f64 {
        self.sum[ear] / self.samples.max(1) as f64
    }

    /// RMS of a channel without its mean, dBFS, not below −120.
    pub(super) fn rms(&self, ear: usize) -> f64 {
        let mean = self.mean(ear);
        decibels(self.power[ear] / self.samples.max(1) as f64 - mean * mean)
    }

    /// Mean power of both channels without their means.
    pub(super) fn mean_power(&self) -> f64 {
        let n = self.samples.max(1) as f64;
        let of = |ear: usize| (self.power[ear] / n - self.mean(ear).powi(2)).max(0.0);
        (of(0) + of(1)) / 2.0
    }

    /// How alike both channels are, −1 to 1, without their means.
    pub(super) fn likeness(&self) -> f64 {
        let n = self.samples.max(1) as f64;
        let (l, r) = (self.mean(0), self.mean(1));
        let power = (self.power[0] / n - l * l) * (self.power[1] / n - r * r);
        if power > 0.0 { ((self.both / n - l * r) / power.sqrt()).clamp(-1.0, 1.0) } else { 0.0 }
    }
}

/// Power as decibels, not below −120.
pub(super) fn decibels(power: f64) -> f64 {
    10.0 * power.max(1e-12).log10()
}
