//! Findings: what may be wrong with a line, since when, and how sure that is.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// What may be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// What the mixer always sends, its own noise, is gone: the lead was pulled.
    Unplugged,
    /// The line is silent while the other one carries a programme.
    Silent,
    /// One channel is dead while the other carries a programme.
    DeadChannel,
    /// The signal is cut off at full scale.
    Clipping,
    /// The signal does not lie around zero.
    DcOffset,
    /// Mains hum: 50 Hz and its multiples.
    Hum,
    /// The signal of a microphone in an input for line level.
    MicLevel,
    /// One channel is the other one upside down.
    Polarity,
    /// A loudspeaker is heard by its own microphone.
    Howl,
    /// Samples are lost or torn on the digital way.
    Glitches,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Unplugged,
        Self::Silent,
        Self::DeadChannel,
        Self::Clipping,
        Self::DcOffset,
        Self::Hum,
        Self::MicLevel,
        Self::Polarity,
        Self::Howl,
        Self::Glitches,
    ];

    /// The name in topics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unplugged => "unplugged",
            Self::Silent => "silent",
            Self::DeadChannel => "dead_channel",
            Self::Clipping => "clipping",
            Self::DcOffset => "dc_offset",
            Self::Hum => "hum",
            Self::MicLevel => "mic_level",
            Self::Polarity => "polarity",
            Self::Howl => "howl",
            Self::Glitches => "glitches",
        }
    }

    /// True if a listener suffers from it, so that the other line is better. What the box makes right
    /// by itself (one channel, polarity, offset) is no reason to leave a line.
    #[must_use]
    pub const fn harms(self) -> bool {
        !matches!(self, Self::DeadChannel | Self::Polarity | Self::DcOffset)
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// One fault of one line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// Since when, as far as the samples show; some time before it was proven.
    pub since: Instant,
    /// How sure, 0 to 1; from [`Finding::PROVEN`] on it is stated.
    pub confidence: f64,
}

impl Finding {
    /// From here on a fault is stated and may move the programme to the other line.
    pub const PROVEN: f64 = 0.8;
}

/// What is wrong with one line now; each fault once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Findings([Option<Finding>; Fault::ALL.len()]);

impl Findings {
    /// States a finding in place of an earlier one of the same fault.
    pub fn put(&mut self, finding: Finding) {
        self.0[finding.fault.index()] = Some(finding);
    }

    /// Takes a fault out.
    pub fn drop(&mut self, fault: Fault) {
        self.0[fault.index()] = None;
    }

    /// The finding of that fault.
    #[must_use]
    pub fn get(&self, fault: Fault) -> Option<Finding> {
        self.0[fault.index()]
    }

    /// All of them, in the order of [`Fault::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Finding> + '_ {
        self.0.iter().flatten().copied()
    }

    /// True if nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// True if a listener suffers from one of them.
    #[must_use]
    pub fn harm(&self) -> bool {
        self.iter().any(|finding| finding.fault.harms())
    }

    /// The same faults, whatever the confidence.
    #[must_use]
    pub fn same_faults(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a.is_some() == b.is_some())
    }
}
