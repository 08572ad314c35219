//! A DV signal as its receiver measures it: size, rate, interlaced or not.

use std::fmt;

/// Rates that differ by less than this share are one signal: a receiver measures the clock anew each time, and
/// 60 and 59.94 pictures a second need no other handling.
const SAME: f64 = 0.003;

/// Size and rate of a DV signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timings {
    /// Pixels across.
    pub width: u32,
    /// Pixels down, of both fields together if it is interlaced.
    pub height: u32,
    /// Its pictures come in two halves.
    pub interlaced: bool,
    /// Whole pictures a second; 0 if the receiver does not know.
    pub rate: f64,
}

impl Timings {
    /// From what a receiver tells: active size, pixel clock in Hz, and the whole raster with its gaps.
    #[must_use]
    pub fn of(width: u32, height: u32, interlaced: bool, clock: u64, raster: (u32, u32)) -> Self {
        let points = u64::from(raster.0) * u64::from(raster.1);
        let rate = if points == 0 { 0.0 } else { clock as f64 / points as f64 };
        Self { width, height, interlaced, rate }
    }

    /// True if a capture of `other` may go on with this one.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let shape = |t: &Self| (t.width, t.height, t.interlaced);
        shape(self) == shape(other) && (self.rate - other.rate).abs() <= SAME * self.rate.max(other.rate)
    }
}

impl fmt::Display for Timings {
    /// As people say it: `1920x1080p60`, `1920x1080i25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.interlaced { 'i' } else { 'p' };
        let rate = format!("{:.2}", self.rate);
        let rate = rate.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{}x{}{kind}{rate}", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_come_from_the_clock_and_the_whole_raster() {
        let told = |t: Timings| t.to_string();
        assert_eq!(told(Timings::of(1920, 1080, false, 148_500_000, (2200, 1125))), "1920x1080p60");
        assert_eq!(told(Timings::of(1920, 1080, false, 148_351_648, (2200, 1125))), "1920x1080p59.94");
        assert_eq!(told(Timings::of(1280, 720, false, 74_250_000, (1980, 750))), "1280x720p50");
        assert_eq!(told(Timings::of(1920, 1080, true, 74_250_000, (2640, 1125))), "1920x1080i25");
        assert_eq!(told(Timings::of(640, 480, false, 0, (0, 0))), "640x480p0");
    }

    #[test]
    fn a_clock_that_is_measured_anew_is_the_same_signal_and_another_rate_is_not() {
        let hd = |clock, across| Timings::of(1920, 1080, false, clock, (across, 1125));
        assert!(hd(148_500_000, 2200).same_as(&hd(148_351_648, 2200)));
        assert!(hd(148_500_000, 2200).same_as(&hd(148_740_000, 2200)));
        assert!(!hd(148_500_000, 2200).same_as(&hd(148_500_000, 2640)), "60 and 50");
        let field = Timings { interlaced: true, ..hd(148_500_000, 2200) };
        assert!(!hd(148_500_000, 2200).same_as(&field));
    }
}
