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
    good_since: [Option<Instant>; 3],
    ever: [bool; 3],
    /// A person chose the line on air while it was at fault.
    meant: bool,
    lip_sync: bool,
}

impl Sound {
    /// A person chose the line on air.
    pub(super) fn chosen(&mut self, line: Line) {
        self.meant = self.good_since[line.index()].is_none();
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
        for line in Line::ALL {
            let present = known.inputs.get(&line.source()).is_some_and(|input| input.present);
            let good = present && !known.harmed(line);
            self.ever[line.index()] |= present;
            let since = &mut self.good_since[line.index()];
            *since = if good { since.or(Some(now)) } else { None };
        }
        let on_air = intent.line;
        if self.good_since[on_air.index()].is_some() {
            self.meant = false;
            return None;
        }
        let known_long_enough = self.ever[on_air.index()] || now.since(born) >= NEVER_CAME;
        if !auto(settings, &intent.sound) || self.meant || !known_long_enough {
            return None;
        }
        let good = |line: &Line| self.proven_at(*line, intent).is_some_and(|at| now >= at);
        refuges(on_air).filter(|line| settings.can_play(*line)).find(good)
    }

    /// When a line has been good for long enough, if somebody waits for that.
    pub(super) fn next_timeout(&self, born: Instant, intent: &Intent) -> Option<Instant> {
        if self.meant || self.good_since[intent.line.index()].is_some() {
            return None;
        }
        let refuge = refuges(intent.line).filter_map(|line| self.proven_at(line, intent)).min()?;
        Some(if self.ever[intent.line.index()] { refuge } else { refuge.max(born + NEVER_CAME) })
    }

    /// From when on a line has been good for long enough, if it is good.
    fn proven_at(&self, line: Line, intent: &Intent) -> Option<Instant> {
        let proof = if intent.sound.switched { GOOD_AGAIN } else { GOOD_FOR };
        self.good_since[line.index()].map(|since| since + proof)
    }

    /// What the pump is told.
    pub(super) fn orders(&self, settings: &Settings, intent: &SoundIntent, show: u32) -> SoundOrders {
        let sound = &settings.media.sound;
        SoundOrders {
            gain: std::array::from_fn(|i| intent.gain[i].unwrap_or(sound.gain[i])),
            high_pass: sound.high_pass,
            levelling: sound.levelling,
            mute: intent.mute,
            silent_after_ms: u32::try_from(sound.silent_after.as_millis()).unwrap_or(5000),
            delay: std::array::from_fn(|i| intent.delay[i].unwrap_or(sound.delay[i])),
            lip_sync: self.lip_sync,
            show,
        }
    }
}

/// Whether the programme leaves a line at fault by itself.
pub(super) fn auto(settings: &Settings, intent: &SoundIntent) -> bool {
    intent.auto.unwrap_or(settings.media.sound.auto_switch)
}

/// Where the programme may go from a line: to the mixer's lines, and if both are at fault, to what comes
/// with the pictures.
fn refuges(from: Line) -> impl Iterator<Item = Line> {
    Line::ALL.into_iter().filter(move |line| *line != from)
}
