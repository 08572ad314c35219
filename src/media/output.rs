//! Output: a way out of the programme, by its name, and the words of its settings.
//!
//! Which encode it sends, by which scheme, through which uplink, to which destinations in order of
//! preference. What is done with the bytes on the way (switching, delay) is [`super::splice`]'s.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputId {
    /// The programme through the bond.
    Main,
    /// The programme encoded a second time, by another scheme.
    Backup,
    /// Whichever of the two is active, unbroken through every switch.
    Programme,
    /// The camera alone, of the dual image.
    Camera,
    /// The slides alone, of the dual image.
    Slides,
}

impl OutputId {
    /// All of them, in the order faces show them.
    pub const ALL: [Self; 5] = [Self::Main, Self::Backup, Self::Programme, Self::Camera, Self::Slides];

    /// The name in settings, topics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Backup => "backup",
            Self::Programme => "programme",
            Self::Camera => "camera",
            Self::Slides => "slides",
        }
    }

    /// True if it can feed the `programme` destination.
    #[must_use]
    pub const fn can_be_active(self) -> bool {
        matches!(self, Self::Main | Self::Backup)
    }

    /// True if it can be delayed: the dual image keeps the clock of the others.
    #[must_use]
    pub const fn can_wait(self) -> bool {
        matches!(self, Self::Main | Self::Backup | Self::Programme)
    }
}

impl fmt::Display for OutputId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OutputId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|output| output.name() == text)
            .ok_or_else(|| format!("\"{text}\" is no output; there is {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// How an output leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Through the bonding engine, over every uplink at once.
    Bond,
    /// An SRT session of its own.
    Srt,
    /// RTMP, over TLS where the address says `rtmps`.
    Rtmp,
    /// RIST, simple profile.
    Rist,
}

impl Scheme {
    /// The name in settings and topics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bond => "bond",
            Self::Srt => "srt",
            Self::Rtmp => "rtmp",
            Self::Rist => "rist",
        }
    }
}

/// How long an output is held back on purpose, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Hold(u8);

impl Hold {
    /// The longest, in seconds.
    pub const MOST: u8 = 60;
    /// Not at all.
    pub const NONE: Self = Self(0);

    /// So many seconds, [`Self::MOST`] at most.
    #[must_use]
    pub const fn seconds(seconds: u8) -> Option<Self> {
        if seconds <= Self::MOST { Some(Self(seconds)) } else { None }
    }

    /// In seconds.
    #[must_use]
    pub const fn as_seconds(self) -> u8 {
        self.0
    }

    /// As a span.
    #[must_use]
    pub const fn span(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl TryFrom<u8> for Hold {
    type Error = String;
    fn try_from(seconds: u8) -> Result<Self, String> {
        Self::seconds(seconds).ok_or_else(|| format!("{seconds} s is no programme delay; it is 0 to {} s", Self::MOST))
    }
}

impl From<Hold> for u8 {
    fn from(hold: Hold) -> Self {
        hold.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_found_by_its_name_and_a_wrong_one_names_those_there_are() {
        for output in OutputId::ALL {
            assert_eq!(output.name().parse(), Ok(output));
        }
        assert!("studio".parse::<OutputId>().unwrap_err().contains("main, backup, programme"));
    }

    #[test]
    fn a_delay_longer_than_a_minute_cannot_be_written_down() {
        assert_eq!(serde_json::from_str::<Hold>("60").unwrap().span(), Duration::from_secs(60));
        assert!(serde_json::from_str::<Hold>("61").is_err());
    }
}
