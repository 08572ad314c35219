//! Units: bitrates, bytes, percent, levels and temperatures that cannot be mixed up.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bitrate(u64);

impl Bitrate {
    /// So many bits per second.
    #[must_use]
    pub const fn bps(bits: u64) -> Self {
        Self(bits)
    }
    /// So many thousand bits per second.
    #[must_use]
    pub const fn kbps(kilobits: u64) -> Self {
        Self(kilobits * 1000)
    }
    /// So many million bits per second.
    #[must_use]
    pub const fn mbps(megabits: u64) -> Self {
        Self(megabits * 1_000_000)
    }
    /// Bits per second.
    #[must_use]
    pub const fn as_bps(self) -> u64 {
        self.0
    }
    /// Thousands of bits per second, rounded down.
    #[must_use]
    pub const fn as_kbps(self) -> u64 {
        self.0 / 1000
    }
    /// Millions of bits per second.
    #[must_use]
    pub fn as_mbps(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// Bytes in one microsecond.
    #[must_use]
    pub fn bytes_per_micro(self) -> f64 {
        self.0 as f64 / 8e6
    }
    /// This rate times `factor` (negative factors give zero).
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor.max(0.0)) as u64)
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 1_000_000 {
            write!(f, "{:.2} Mbit/s", self.as_mbps())
        } else {
            write!(f, "{} kbit/s", self.as_kbps())
        }
    }
}

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not {wanted}")]
pub struct NotAQuantity {
    text: String,
    wanted: &'static str,
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

impl FromStr for Bitrate {
    type Err = NotAQuantity;
    /// Reads `"6Mbps"`, `"500kbps"`, `"800bps"`.
    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let wrong = || NotAQuantity { text: text.to_owned(), wanted: "a bitrate such as \"6Mbps\" or \"500kbps\"" };
        let (number, unit) = split(text);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let factor = match unit {
            "bps" => 1.0,
            "kbps" => 1e3,
            "Mbps" => 1e6,
            "Gbps" => 1e9,
            _ => return Err(wrong()),
        };
        Ok(Self((number * factor).round() as u64))
    }
}

/// Reads `"1s"`, `"250ms"`, `"10us"`, `"5min"`.
///
/// # Errors
/// If the text is anything else.
pub fn parse_duration(text: &str) -> Result<Duration, NotAQuantity> {
    let wrong = || NotAQuantity { text: text.to_owned(), wanted: "a time such as \"2s\" or \"250ms\"" };
    let (number, unit) = split(text);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// So many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Twice as many.
    #[must_use]
    pub const fn doubled(self) -> Self {
        Self(self.0.saturating_mul(2))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1_000_000_000 => write!(f, "{:.1}GB", bytes as f64 / 1e9),
            bytes if bytes >= 1_000_000 => write!(f, "{:.1}MB", bytes as f64 / 1e6),
            bytes => write!(f, "{:.1}kB", bytes as f64 / 1e3),
        }
    }
}

impl FromStr for Bytes {
    type Err = NotAQuantity;
    /// Reads `"5GB"`, `"500MB"`, `"64kB"`, as disks are sold: steps of 1000.
    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let wrong = || NotAQuantity { text: text.to_owned(), wanted: "a size such as \"5GB\" or \"500MB\"" };
        let (number, unit) = split(text);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let factor = match unit {
            "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            _ => return Err(wrong()),
        };
        Ok(Self((number * factor).round() as u64))
    }
}

/// A share of one hundred.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(pub f64);

/// A level against full scale; silence is [`Dbfs::SILENCE`].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dbfs(pub f64);

impl Dbfs {
    /// The level shown for digital silence.
    pub const SILENCE: Self = Self(-120.0);

    /// The level of a linear amplitude (1.0 is full scale).
    #[must_use]
    pub fn from_amplitude(amplitude: f64) -> Self {
        if amplitude <= 1e-6 { Self::SILENCE } else { Self(20.0 * amplitude.log10()) }
    }
}

/// Degrees Celsius.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Celsius(pub f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_units_and_refused_without() {
        assert_eq!("6Mbps".parse(), Ok(Bitrate::mbps(6)));
        assert_eq!("0.5 Mbps".parse(), Ok(Bitrate::kbps(500)));
        assert!("6".parse::<Bitrate>().is_err());
        assert!("-1Mbps".parse::<Bitrate>().is_err());
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert!(parse_duration("1").is_err());
    }
}
