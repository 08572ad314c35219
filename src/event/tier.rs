//! Tier: a named quality with its reference upload; the encoder's ceiling is computed from it, and is
//! not the label.
//!
//! The labels are older than the arithmetic: a 10M programme does not fit the reference upload of its
//! own tier. So the label only caps; what may be sent is the reference, or what is measured if that is
//! less, with room for repair on top.

use crate::time::{Duration, Instant};
use crate::units::{Bitrate, Bytes};

/// What a programme needs of its line, as a factor: repair and headers take 15 to 40 % on modems.
pub const MARGIN: f64 = 1.3;

/// A better tier is proposed when the line has carried it for so long: a modem's good moment is no line.
const HOLD: Duration = Duration::from_secs(20);

/// A ceiling that moves by less than this share stays: an encoder that is told ten rates a second never
/// settles.
const SMALL: f64 = 0.03;

/// A named quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Smooth.
    T1,
    /// Standard.
    T2,
    /// High.
    T3,
    /// Ultra high.
    T4,
}

impl Tier {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::T1, Self::T2, Self::T3, Self::T4];

    /// The name in settings, topics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::T1 => "T1-3M",
            Self::T2 => "T2-5M",
            Self::T3 => "T3-10M",
            Self::T4 => "T4-20M",
        }
    }

    /// What is sold under this name.
    #[must_use]
    pub const fn label(self) -> Bitrate {
        match self {
            Self::T1 => Bitrate::mbps(3),
            Self::T2 => Bitrate::mbps(5),
            Self::T3 => Bitrate::mbps(10),
            Self::T4 => Bitrate::mbps(20),
        }
    }

    /// What the line has to carry, in bytes a second, as those say it who draw lines.
    #[must_use]
    pub const fn reference(self) -> Bytes {
        match self {
            Self::T1 => Bytes(500_000),
            Self::T2 => Bytes(800_000),
            Self::T3 => Bytes(1_000_000),
            Self::T4 => Bytes(2_000_000),
        }
    }

    /// The same in bits.
    #[must_use]
    pub const fn reference_rate(self) -> Bitrate {
        Bitrate::bps(self.reference().0 * 8)
    }

    /// The most that picture, sound and mux together may be: min(label, reference ÷ 1.3, measured ÷ 1.3).
    #[must_use]
    pub fn ceiling(self, measured: Option<Bitrate>) -> Bitrate {
        let fits = |line: Bitrate| line.scaled(1.0 / MARGIN);
        let ceiling = self.label().min(fits(self.reference_rate()));
        measured.map_or(ceiling, |measured| ceiling.min(fits(measured)))
    }

    /// The best tier whose reference upload the line carries; none if not even the least fits.
    #[must_use]
    pub fn fitting(measured: Bitrate) -> Option<Self> {
        Self::ALL.into_iter().rev().find(|tier| measured >= tier.reference_rate())
    }
}

/// Which tier is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// None: the bitrate's range alone counts.
    #[default]
    Off,
    /// The one that the measured uplink proposes.
    Auto,
    /// This one.
    Fixed(Tier),
}

/// Follows the measured uplink.
#[derive(Debug, Clone, Default)]
pub struct Tiers {
    measured: Option<Bitrate>,
    proposed: Option<Tier>,
    /// A better tier than the proposed fits, since then.
    better: Option<(Tier, Instant)>,
    ceiling: Option<Bitrate>,
}

impl Tiers {
    /// The links carry so much; true if the ceiling moved.
    pub fn update(&mut self, now: Instant, choice: Choice, measured: Option<Bitrate>) -> bool {
        if let Some(measured) = measured {
            self.propose(now, measured);
        }
        self.measured = measured.or(self.measured);
        let ceiling = self.tier(choice).map(|tier| tier.ceiling(self.measured));
        let same = match (self.ceiling, ceiling) {
            (Some(old), Some(new)) => new.as_bps().abs_diff(old.as_bps()) as f64 <= old.as_bps() as f64 * SMALL,
            (old, new) => old == new,
        };
        if !same {
            self.ceiling = ceiling;
        }
        !same
    }

    /// The tier in force. While nothing is measured the automatic choice is the least.
    #[must_use]
    pub fn tier(&self, choice: Choice) -> Option<Tier> {
        match choice {
            Choice::Off => None,
            Choice::Auto => Some(self.proposed.unwrap_or(Tier::T1)),
            Choice::Fixed(tier) => Some(tier),
        }
    }

    /// What the measured uplink proposes; none if it carries not even the least.
    #[must_use]
    pub fn proposed(&self) -> Option<Tier> {
        self.proposed
    }

    /// What the links carried last.
    #[must_use]
    pub fn measured(&self) -> Option<Bitrate> {
        self.measured
    }

    /// The most that picture, sound and mux together may be; none without a tier.
    #[must_use]
    pub fn ceiling(&self) -> Option<Bitrate> {
        self.ceiling
    }

    /// Down at once, up when it has held.
    fn propose(&mut self, now: Instant, measured: Bitrate) {
        let fits = Tier::fitting(measured);
        if fits <= self.proposed {
            self.proposed = fits;
            self.better = None;
            return;
        }
        let Some(fits) = fits else { return };
        let (held, since) = match self.better {
            Some((held, since)) => (held.min(fits), since),
            None => (fits, now),
        };
        self.better = Some((held, since));
        if now.since(since) >= HOLD {
            self.proposed = Some(held);
            self.better = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn the_ceiling_is_what_fits_and_not_the_label() {
        let ceilings = Tier::ALL.map(|tier| (tier.ceiling(None).as_mbps() * 10.0).floor() / 10.0);
        assert_eq!(ceilings, [3.0, 4.9, 6.1, 12.3]);
        let uploads = Tier::ALL.map(|tier| tier.reference_rate().as_mbps());
        assert_eq!(uploads, [4.0, 6.4, 8.0, 16.0]);
        assert_eq!(Tier::T4.ceiling(Some(Bitrate::mbps(13))), Bitrate::mbps(10));
        assert_eq!(Tier::T1.ceiling(Some(Bitrate::mbps(50))), Bitrate::mbps(3));
    }

    #[test]
    fn the_measured_uplink_proposes_down_at_once_and_up_when_it_has_held() {
        let mut tiers = Tiers::default();
        let mut proposed = |second, megabits| {
            tiers.update(at(second), Choice::Auto, Some(Bitrate::mbps(megabits)));
            tiers.proposed()
        };

        assert_eq!(proposed(0, 9), None);
        assert_eq!(proposed(10, 7), None, "the least of what it carried meanwhile counts");
        assert_eq!(proposed(20, 20), Some(Tier::T2));
        assert_eq!(proposed(21, 20), Some(Tier::T2));
        assert_eq!(proposed(30, 6), Some(Tier::T1));
        assert_eq!(proposed(31, 1), None);
    }

    #[test]
    fn a_ceiling_that_trembles_is_told_once() {
        let mut tiers = Tiers::default();
        let mut moved = |kilobits| tiers.update(at(0), Choice::Fixed(Tier::T4), Some(Bitrate::kbps(kilobits)));

        let moves = [5000, 5100, 4900, 5140, 4000, 4050].map(&mut moved);

        assert_eq!(moves, [true, false, false, false, true, false]);
        assert!(tiers.update(at(1), Choice::Off, None) && tiers.ceiling().is_none());
    }
}
