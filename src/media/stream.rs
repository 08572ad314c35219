//! Source, line, picture size and rate: the words of pictures and sound.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A picture or sound coming in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceId {
    /// The camera.
    Camera,
    /// The slides laptop.
    Slides,
    /// Mixer line A.
    MixerA,
    /// Mixer line B.
    MixerB,
    /// The second camera.
    Camera2,
    /// The sound that comes with a picture, over HDMI or SDI.
    Embedded,
}

impl SourceId {
    /// All of them; what is kept by place (feeds, delays) is in this order.
    pub const ALL: [Self; 6] = [Self::Camera, Self::Slides, Self::MixerA, Self::MixerB, Self::Camera2, Self::Embedded];

    /// Those that give pictures.
    pub const PICTURES: [Self; 3] = [Self::Camera, Self::Slides, Self::Camera2];

    /// The name in config files, topics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Slides => "slides",
            Self::MixerA => "mixer_a",
            Self::MixerB => "mixer_b",
            Self::Camera2 => "camera2",
            Self::Embedded => "embedded",
        }
    }

    /// True for a picture, false for sound.
    #[must_use]
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Camera | Self::Slides | Self::Camera2)
    }

    /// Its place among the delays: both cameras share one.
    #[must_use]
    pub const fn delay_place(self) -> usize {
        match self {
            Self::Camera | Self::Camera2 => 0,
            Self::Slides => 1,
            Self::MixerA => 2,
            Self::MixerB => 3,
            Self::Embedded => 4,
        }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the programme's sound comes from: one of the two mixer feeds, or what a picture brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The first feed.
    #[default]
    A,
    /// The second feed.
    B,
    /// The sound embedded in HDMI or SDI.
    Embedded,
}

impl Line {
    /// All of them, the mixer's first.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::Embedded];
    /// The two feeds of the mixer.
    pub const MIXER: [Self; 2] = [Self::A, Self::B];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The place of its source in [`SourceId::ALL`].
    #[must_use]
    pub const fn place(self) -> usize {
        self.source() as usize
    }

    /// The source that this line is.
    #[must_use]
    pub const fn source(self) -> SourceId {
        match self {
            Self::A => SourceId::MixerA,
            Self::B => SourceId::MixerB,
            Self::Embedded => SourceId::Embedded,
        }
    }
}

impl FromStr for Line {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "a" | "A" => Ok(Self::A),
            "b" | "B" => Ok(Self::B),
            "embedded" | "hdmi" | "sdi" => Ok(Self::Embedded),
            _ => Err(format!("\"{text}\" is no audio line; there is a, b and embedded (HDMI or SDI)")),
        }
    }
}

/// Width and height in pixels, both even.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureSize {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl FromStr for PictureSize {
    type Err = String;
    /// Reads `"1280x720"`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a size such as \"1280x720\" (even numbers, 64 to 3840)");
        let (width, height) = text.split_once('x').ok_or_else(wrong)?;
        let side = |s: &str| s.parse::<u32>().ok().filter(|n| n % 2 == 0 && (64..=3840).contains(n));
        Ok(Self { width: side(width).ok_or_else(wrong)?, height: side(height).ok_or_else(wrong)? })
    }
}

/// Pictures per second as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameRate {
    /// Numerator.
    pub num: u32,
    /// Denominator.
    pub den: u32,
}

impl FrameRate {
    /// When picture `index` of the programme is due, in nanoseconds after picture 0. Exact: no drift.
    #[must_use]
    pub const fn nanos_of(self, index: u64) -> u64 {
        (index as u128 * 1_000_000_000 * self.den as u128 / self.num as u128) as u64
    }

    /// Time stamp of picture `index` in nanoseconds: [`Self::nanos_of`] rounded up, so that a mux which
    /// rounds down to its clock of 90 kHz gets every rate whose period is whole there exactly.
    #[must_use]
    pub const fn stamp_of(self, index: u64) -> u64 {
        (index as u128 * 1_000_000_000 * self.den as u128).div_ceil(self.num as u128) as u64
    }

    /// Every how many pictures of `whole` there is one of this; `None` if that is no whole number.
    #[must_use]
    pub fn every(self, whole: Self) -> Option<u64> {
        let (of, by) = (u64::from(whole.num) * u64::from(self.den), u64::from(whole.den) * u64::from(self.num));
        (by > 0 && of >= by && of.is_multiple_of(by)).then(|| of / by)
    }

    /// Pictures per second.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

impl fmt::Display for FrameRate {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.num.is_multiple_of(self.den) {
            write!(f, "{}", self.num / self.den)
        } else {
            write!(f, "{}/{}", self.num, self.den)
        }
    }
}

impl FromStr for FrameRate {
    type Err = String;
    /// Reads `"25"`, `"30"`, `"30000/1001"`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a frame rate such as \"25\" or \"30000/1001\" (5 to 60)");
        let (num, den) = text.split_once('/').unwrap_or((text, "1"));
        let rate = Self { num: num.parse().map_err(|_| wrong())?, den: den.parse().map_err(|_| wrong())? };
        if rate.den == 0 || !(5.0..=60.0).contains(&rate.as_f64()) {
            return Err(wrong());
        }
        Ok(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_exactly_one_picture_on_the_muxs_clock() {
        for (num, den, step) in [(25, 1, 3600), (30, 1, 3000), (30_000, 1001, 3003), (50, 1, 1800), (60, 1, 1500)] {
            let rate = FrameRate { num, den };
            let ticks = |n: u64| u128::from(rate.stamp_of(n)) * 9 / 100_000;
            assert!((0..10_000).all(|n| ticks(n + 1) - ticks(n) == step), "{num}/{den}");
        }
    }
}
