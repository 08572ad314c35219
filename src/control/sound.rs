//! Sound: which mixer line is on air, and when the programme leaves one by itself.
//!
//! It leaves a line with a proven fault that listeners suffer from, if the other one is good. Then it
//! stays: that the first line is well again moves nothing, a person goes back. Only a fault of the
//! line it went to moves it once more, if the other has been good for a while: there is always sound.
//! Whoever chooses a line that is at fault means it: the programme stays there until that line has
//! been good once.

use std::time::Duration;

use super::known::Known;
use super::settings::Settings;
use crate::media::Line;
use crate::media::line::SoundOrders;
use crate::message::{Intent, SoundIntent};
use crate::time::Instant;

/// A line must have been good for so long before the programme goes to it: a card that comes and goes
/// is no refuge.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// And so long before the programme goes back to the line that it left by itself.
const GOOD_AGAIN: Duration = Duration::from_secs(10);

/// A line that never gave anything is left after so long: devices open within seconds of the start.
const NEVER_CAME: Duration = Duration::from_secs(8);

/// The memory of the choice.
#[derive(Debug, Clone, Default)]
pub(super) struct Sound {
    good_since: [Option<Instant>; 2],
    ever: [bool; 2],
    /// A person chose the line on air while it was at fault.
    meant: bool,
    lip_sync: bool,
}

impl Sound {
    /// A person chose the line on air.
    pub(super) fn chosen(&mut self, line: Line) {
        self.meant = self.good_since[index(line)].is_none();
    }

    pub(super) fn set_lip_sync(&mut self, on: bool) {
        self.lip_sync = on;
    }

    /// The line that the programme should go to by itself, if any.
    pub(super) fn decide(
        &mut self,
        now: Instant,
        born: Instant,
        settings: &Settings,
        known: &Known,
        intent: &Intent,
    ) -> Option<Line> {
        for line in [Line::A, Line::B] {
            let present = known.inputs.get(&line.source()).is_some_and(|input| input.present);
            let good = present && !known.harmed(line);
            self.ever[index(line)] |= present;
            let since = &mut self.good_since[index(line)];
            *since = if good { since.or(Some(now)) } else { None };
        }
        let (on_air, other) = (intent.line, other(intent.line));
        if self.good_since[index(on_air)].is_some() {
            self.meant = false;
            return None;
        }
        let known_long_enough = self.ever[index(on_air)] || now.since(born) >= NEVER_CAME;
        let allowed = auto(settings, &intent.sound) && settings.can_play(other) && !self.meant && known_long_enough;
        let proof = if intent.sound.switched { GOOD_AGAIN } else { GOOD_FOR };
        let refuge = self.good_since[index(other)].is_some_and(|since| now.since(since) >= proof);
        (allowed && refuge).then_some(other)
    }

    /// When a line has been good for long enough, if somebody waits for that.
    pub(super) fn next_timeout(&self, born: Instant, intent: &Intent) -> Option<Instant> {
        if self.meant || self.good_since[index(intent.line)].is_some() {
            return None;
        }
        let proof = if intent.sound.switched { GOOD_AGAIN } else { GOOD_FOR };
        let refuge = self.good_since[index(other(intent.line))]? + proof;
        Some(if self.ever[index(intent.line)] { refuge } else { refuge.max(born + NEVER_CAME) })
    }

    /// What the pump is told.
    pub(super) fn orders(&self, settings: &Settings, intent: &SoundIntent) -> SoundOrders {
        let sound = &settings.media.sound;
        SoundOrders {
            gain: [0, 1].map(|i| intent.gain[i].unwrap_or(sound.gain[i])),
            high_pass: sound.high_pass,
            levelling: sound.levelling,
            mute: intent.mute,
            silent_after_ms: u32::try_from(sound.silent_after.as_millis()).unwrap_or(5000),
            delay: [0, 1, 2, 3].map(|i| intent.delay[i].unwrap_or(sound.delay[i])),
            lip_sync: self.lip_sync,
        }
    }
}

/// Whether the programme leaves a line at fault by itself.
pub(super) fn auto(settings: &Settings, intent: &SoundIntent) -> bool {
    intent.auto.unwrap_or(settings.media.sound.auto_switch)
}

pub(super) const fn other(line: Line) -> Line {
    match line {
        Line::A => Line::B,
        Line::B => Line::A,
    }
}

pub(super) const fn index(line: Line) -> usize {
    match line {
        Line::A => 0,
        Line::B => 1,
    }
}
