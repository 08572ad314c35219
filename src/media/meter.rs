//! Meter: sample peak, true peak, RMS and loudness of one line or of the programme.
//!
//! In go blocks of samples as they come; ten times a second somebody takes the levels. Loudness and
//! true peak are those of EBU R 128 and ITU-R BS.1770-4, as the crate `ebur128` computes them:
//! momentary over 0.4 s, short-term over 3 s, integrated since the start with both gates, from a
//! histogram, so that a week of programme takes no more memory than a minute.

use ebur128::{EbuR128, Mode};
use serde::{Deserialize, Serialize};

use super::sound::{SAMPLE_RATE, Stereo};
use crate::units::Dbfs;

/// The levels of one line, or of the programme.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// Highest sample since the levels were taken last, dBFS.
    pub peak: Dbfs,
    /// Highest point of the curve between the samples, dBTP.
    pub true_peak: Dbfs,
    /// Mean power of both channels since the levels were taken last, dBFS (a full sine is −3).
    pub rms: Dbfs,
    /// Loudness of the last 0.4 s, LUFS; absent below −120.
    pub momentary: Option<f64>,
    /// Loudness of the last 3 s, LUFS.
    pub short_term: Option<f64>,
    /// Loudness since the start, gated, LUFS.
    pub integrated: Option<f64>,
}

impl Levels {
    /// Nothing at all.
    pub const SILENCE: Self = Self {
        peak: Dbfs::SILENCE,
        true_peak: Dbfs::SILENCE,
        rms: Dbfs::SILENCE,
        momentary: None,
        short_term: None,
        integrated: None,
    };

    /// To a tenth of a decibel, which is all that a meter shows.
    #[must_use]
    pub fn rounded(self) -> Self {
        let tenth = |db: f64| (db * 10.0).round() / 10.0;
        Self {
            peak: Dbfs(tenth(self.peak.0)),
            true_peak: Dbfs(tenth(self.true_peak.0)),
            rms: Dbfs(tenth(self.rms.0)),
            momentary: self.momentary.map(tenth),
            short_term: self.short_term.map(tenth),
            integrated: self.integrated.map(tenth),
        }
    }
}

/// Measures one line, or the programme.
pub struct Meter {
    // absent only if the crate refused two channels at 48 kHz; the loudness is then absent too
    loudness: Option<EbuR128>,
    flat: Vec<f32>,
    peak: f32,
    true_peak: f64,
    power: f64,
    samples: usize,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("peak", &self.peak).field("samples", &self.samples).finish_non_exhaustive()
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// A meter that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        let mode = Mode::M | Mode::S | Mode::I | Mode::HISTOGRAM | Mode::TRUE_PEAK;
        Self {
            loudness: EbuR128::new(2, SAMPLE_RATE, mode).ok(),
            flat: Vec::new(),
            peak: 0.0,
            true_peak: 0.0,
            power: 0.0,
            samples: 0,
        }
    }

    /// A meter of sample peak and power alone, for a processor that has no time for more.
    #[must_use]
    pub fn plain() -> Self {
        Self { loudness: None, ..Self::new() }
    }

    /// Hears some samples.
    pub fn push(&mut self, samples: &[Stereo]) {
        let mut power = 0.0_f32;
        for [left, right] in samples {
            self.peak = self.peak.max(left.abs()).max(right.abs());
            power += left * left + right * right;
        }
        self.power += f64::from(power);
        self.samples += samples.len();
        let Some(loudness) = &mut self.loudness else { return };
        self.flat.clear();
        self.flat.extend(samples.iter().flatten());
        if loudness.add_frames_f32(&self.flat).is_ok() {
            for channel in 0..2 {
                self.true_peak = self.true_peak.max(loudness.prev_true_peak(channel).unwrap_or(0.0));
            }
        }
    }

    /// Begins the integrated loudness afresh, as at the start of an event.
    pub fn restart(&mut self) {
        if let Some(loudness) = &mut self.loudness {
            loudness.reset();
        }
    }

    /// The levels since the last call; silence if nothing was heard since.
    pub fn take(&mut self) -> Levels {
        if self.samples == 0 {
            return Levels::SILENCE;
        }
        let of = |measure: fn(&EbuR128) -> Result<f64, ebur128::Error>| {
            self.loudness.as_ref().and_then(|l| measure(l).ok()).filter(|lufs| *lufs > Dbfs::SILENCE.0)
        };
        let levels = Levels {
            peak: Dbfs::from_amplitude(f64::from(self.peak)),
            true_peak: Dbfs::from_amplitude(self.true_peak.max(f64::from(self.peak))),
            rms: Dbfs::from_amplitude((self.power / (2 * self.samples) as f64).sqrt()),
            momentary: of(EbuR128::loudness_momentary),
            short_term: of(EbuR128::loudness_shortterm),
            integrated: of(EbuR128::loudness_global),
        };
        (self.peak, self.true_peak, self.power, self.samples) = (0.0, 0.0, 0.0, 0);
        levels
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(hertz: f64, amplitude: f64, seconds: f64) -> Vec<Stereo> {
        let n = (seconds * 48_000.0) as usize;
        (0..n).map(|i| [(amplitude * (TAU * hertz * i as f64 / 48_000.0).sin()) as f32; 2]).collect()
    }

    #[test]
    fn a_tone_of_minus_23_dbfs_on_both_channels_is_minus_23_lufs() {
        // EBU Tech 3341, case 1: 1 kHz, −23 dBFS on both channels, 20 s
        let mut meter = Meter::new();
        meter.push(&tone(1000.0, 10_f64.powf(-23.0 / 20.0), 20.0));

        let levels = meter.take();
        for lufs in [levels.momentary, levels.short_term, levels.integrated] {
            assert!((lufs.unwrap() + 23.0).abs() < 0.1, "{levels:?}");
        }
        assert!((levels.peak.0 + 23.0).abs() < 0.05 && (levels.rms.0 + 26.0).abs() < 0.05, "{levels:?}");
    }

    #[test]
    fn a_peak_between_the_samples_is_seen_by_the_true_peak_alone() {
        // a quarter of the sample rate, sampled at 45 degrees: every sample is 3 dB below the curve
        let samples: Vec<_> =
            (0..48_000).map(|i| [(0.5 * (TAU * (f64::from(i) / 4.0 + 0.125)).sin()) as f32; 2]).collect();
        let mut meter = Meter::new();
        meter.push(&samples);

        let levels = meter.take();
        assert!((levels.peak.0 + 9.03).abs() < 0.05, "{levels:?}");
        assert!((levels.true_peak.0 + 6.02).abs() < 0.4, "{levels:?}");
    }

    #[test]
    fn levels_are_of_the_time_since_they_were_taken() {
        let mut meter = Meter::new();
        assert_eq!(meter.take(), Levels::SILENCE);
        meter.push(&tone(440.0, 0.5, 0.1));
        assert!(meter.take().peak.0 > -6.1);
        meter.push(&tone(440.0, 0.05, 0.1));
        let levels = meter.take();
        assert!((levels.peak.0 + 26.0).abs() < 0.1, "{levels:?}");
    }
}
