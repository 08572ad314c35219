//! Leads: what the two channels of a line carry, and how both ears get the programme whichever lead is in.
//!
//! Either lead alone must feed both channels; a channel upside down is turned; dual mono and stereo
//! pass as they are.

use serde::{Deserialize, Serialize};

use super::findings::{Fault, Findings};
use super::level::Tenth;
use crate::media::sound::Stereo;

/// What the two channels carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leads {
    /// Nothing was heard yet.
    #[default]
    Unknown,
    /// Two different channels.
    Stereo,
    /// The same on both.
    DualMono,
    /// Only the left lead lives.
    LeftOnly,
    /// Only the right lead lives.
    RightOnly,
    /// Both live, one upside down.
    Inverted,
}

impl Leads {
    /// How both output channels are made of both leads.
    #[must_use]
    pub const fn matrix(self) -> Matrix {
        Matrix(match self {
            Self::Unknown | Self::Stereo | Self::DualMono => [[1.0, 0.0], [0.0, 1.0]],
            Self::LeftOnly => [[1.0, 0.0], [1.0, 0.0]],
            Self::RightOnly => [[0.0, 1.0], [0.0, 1.0]],
            Self::Inverted => [[1.0, 0.0], [0.0, -1.0]],
        })
    }
}

/// Left and right output, each as parts of left and right input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matrix(pub [[f32; 2]; 2]);

impl Matrix {
    /// One sample through it.
    #[must_use]
    pub fn apply(&self, [left, right]: Stereo) -> Stereo {
        self.0.map(|row| row[0] * left + row[1] * right)
    }

    /// A step towards `wanted`, no entry by more than `step`.
    pub fn approach(&mut self, wanted: &Self, step: f32) {
        for (row, wanted) in self.0.iter_mut().zip(&wanted.0) {
            for (entry, wanted) in row.iter_mut().zip(wanted) {
                *entry += (wanted - *entry).clamp(-step, step);
            }
        }
    }
}

/// Above this likeness both channels are the same.
const SAME: f64 = 0.97;

/// A dead channel is told from the living one by this at the least, dB: the finding outlives the fault by half a
/// second, in which both carry the same again.
const APART: f64 = 6.0;

/// Follows what the channels carry.
#[derive(Debug, Clone, Default)]
pub(super) struct LeadWatch {
    leads: Leads,
    likeness: Option<f64>,
}

impl LeadWatch {
    /// After a tenth, with what was found wrong with the line.
    pub(super) fn hear(&mut self, tenth: &Tenth, findings: &Findings) {
        if tenth.programme() {
            let before = self.likeness.unwrap_or(tenth.likeness);
            self.likeness = Some(before + (tenth.likeness - before) / 16.0);
        }
        let apart = if tenth.programme() { tenth.rms[0] - tenth.rms[1] } else { 0.0 };
        self.leads = match (findings.get(Fault::DeadChannel), findings.get(Fault::Polarity), self.likeness) {
            (Some(_), ..) if apart > APART => Leads::LeftOnly,
            (Some(_), ..) if apart < -APART => Leads::RightOnly,
            (Some(_), ..) => self.leads,
            (None, Some(_), _) => Leads::Inverted,
            (None, None, None) => self.leads,
            (None, None, Some(alike)) if alike > SAME => Leads::DualMono,
            (None, None, Some(_)) => Leads::Stereo,
        };
    }

    pub(super) fn leads(&self) -> Leads {
        self.leads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::line::Finding;
    use crate::time::Instant;

    #[test]
    fn the_living_lead_feeds_both_ears_until_the_other_one_is_proven_again() {
        let mut watch = LeadWatch::default();
        let tenth = |left: f64, right: f64| Tenth { rms: [left, right], level: left.max(right), ..Tenth::default() };
        let mut dead = Findings::default();
        dead.put(Finding { fault: Fault::DeadChannel, since: Instant::ZERO, confidence: 1.0 });

        watch.hear(&tenth(-20.0, -75.0), &dead);
        assert_eq!(watch.leads(), Leads::LeftOnly);
        // both carry the same again, the right one a hair louder; what is still to be played has no right one
        watch.hear(&tenth(-20.1, -20.0), &dead);
        assert_eq!(watch.leads(), Leads::LeftOnly);
        watch.hear(&tenth(-75.0, -20.0), &dead);
        assert_eq!(watch.leads(), Leads::RightOnly);
        watch.hear(&tenth(-20.0, -20.0), &Findings::default());
        assert_eq!(watch.leads(), Leads::Stereo);
    }
}
