//! Place: where the operator stands. Two levels, and home is one press away.

use crate::alarm::AlarmKind;
use crate::message::AlarmLine;
use crate::time::Instant;

/// A screen of the ring that the knob turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Live or not, and whether all is well.
    Home,
    /// Every link.
    Links,
    /// The two mixer lines.
    Audio,
    /// How the sources share the picture.
    Picture,
    /// Who speaks now and next.
    Agenda,
    /// The ways out, and which one is active.
    Outputs,
    /// Recording, disk and machine.
    Health,
    /// The way to the console.
    Access,
    /// The few settings that the panel may turn.
    Settings,
    /// What is wrong, and what to do.
    Alarms,
}

impl Screen {
    /// All of them, in turning order; the last is the one left of home.
    pub const ALL: [Self; 10] = [
        Self::Home,
        Self::Links,
        Self::Audio,
        Self::Picture,
        Self::Agenda,
        Self::Outputs,
        Self::Health,
        Self::Access,
        Self::Settings,
        Self::Alarms,
    ];

    /// So many clicks on from here, round.
    #[must_use]
    pub fn turned(self, clicks: i32) -> Self {
        let at = Self::ALL.iter().position(|screen| *screen == self).unwrap_or(0) as i64;
        let to = (at + i64::from(clicks)).rem_euclid(Self::ALL.len() as i64);
        Self::ALL[to as usize]
    }
}

/// Where the operator stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The screen.
    pub screen: Screen,
    /// The second level, and which of its things; none on the first.
    pub inside: Option<usize>,
}

impl Place {
    /// Home.
    pub const HOME: Self = Self { screen: Screen::Home, inside: None };

    /// The first level of a screen.
    #[must_use]
    pub const fn at(screen: Screen) -> Self {
        Self { screen, inside: None }
    }
}

/// Which alarm: one that comes a second time is another one.
pub(super) type AlarmId = (AlarmKind, String, Instant);

/// The alarm's identity.
pub(super) fn id(alarm: &AlarmLine) -> AlarmId {
    (alarm.kind, alarm.subject.clone(), alarm.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knob_turns_round_and_every_screen_is_reached() {
        assert_eq!(Screen::Home.turned(1), Screen::Links);
        assert_eq!(Screen::Home.turned(-1), Screen::Alarms);
        assert_eq!(Screen::Home.turned(10), Screen::Home);
        assert_eq!(Screen::Links.turned(i32::MIN).turned(i32::MAX).turned(1), Screen::Links);
    }
}
