//! Settings of the sound: what the operator turns, and what the pump is told of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::media::stream::{Line, SourceId};
use crate::table::Section;

/// A gain in tenths of a decibel, −20 to +20 dB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gain(i16);

impl Gain {
    /// What may be set, dB.
    pub const RANGE: std::ops::RangeInclusive<f64> = -20.0..=20.0;

    /// So many decibels, held within the range.
    #[must_use]
    pub fn db(db: f64) -> Self {
        let held = if db.is_finite() { db.clamp(*Self::RANGE.start(), *Self::RANGE.end()) } else { 0.0 };
        Self((held * 10.0).round() as i16)
    }

    /// In decibels; what was read from a file is held within the range too.
    #[must_use]
    pub fn as_db(self) -> f64 {
        (f64::from(self.0) / 10.0).clamp(*Self::RANGE.start(), *Self::RANGE.end())
    }

    /// As a factor.
    #[must_use]
    pub fn factor(self) -> f32 {
        10_f64.powf(self.as_db() / 20.0) as f32
    }
}

/// How an input's time is moved against the others, in milliseconds: −500 (earlier) to +2000 (later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Delay(i16);

impl Delay {
    /// What may be set, ms.
    pub const RANGE: std::ops::RangeInclusive<i64> = -500..=2000;

    /// So many milliseconds, held within the range.
    #[must_use]
    pub fn ms(ms: i64) -> Self {
        Self(ms.clamp(*Self::RANGE.start(), *Self::RANGE.end()) as i16)
    }

    /// In milliseconds.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        i64::from(self.0).clamp(*Self::RANGE.start(), *Self::RANGE.end())
    }
}

/// The loudness that the programme is led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Levelling {
    /// As it comes.
    #[default]
    Off,
    /// −16 LUFS: the web.
    Web,
    /// −23 LUFS: broadcast.
    Broadcast,
}

impl Levelling {
    /// LUFS wanted.
    #[must_use]
    pub const fn target(self) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::Web => Some(-16.0),
            Self::Broadcast => Some(-23.0),
        }
    }
}

/// `[sound]` of the settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Gain of line A, line B and the embedded sound.
    pub gain: [Gain; 3],
    /// The high-pass, Hz; 0 for none.
    pub high_pass: u16,
    /// Loudness levelling.
    pub levelling: Levelling,
    /// The programme leaves a line that is at fault by itself.
    pub auto_switch: bool,
    /// Findings, loudness and alignment; off on a processor too weak for them.
    pub watched: bool,
    /// Each card's clock is followed; what `watched` is, if nothing is written.
    pub followed: bool,
    /// A line is silent after so long of the other's programme.
    pub silent_after: Duration,
    /// Of camera, slides, mixer A, mixer B, embedded sound.
    pub delay: [Delay; 5],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gain: [Gain::default(); 3],
            high_pass: 40,
            levelling: Levelling::Off,
            auto_switch: true,
            watched: true,
            followed: true,
            silent_after: Duration::from_secs(5),
            delay: [Delay::default(); 5],
        }
    }
}

impl Settings {
    /// Reads the section `[sound]`.
    pub fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let mut gain = |key| Gain::db(section.opt_number(key, Gain::RANGE).unwrap_or_default());
        let gain = [gain("gain_a"), gain("gain_b"), gain("gain_embedded")];
        let high_pass = section.integer("high_pass", i64::from(default.high_pass), 0..=300) as u16;
        let line = section.line_of("levelling");
        let levelling = match section.text("levelling").as_deref() {
            None | Some("off") => Levelling::Off,
            Some("-16") => Levelling::Web,
            Some("-23") => Levelling::Broadcast,
            Some(other) => {
                section.fault(line, "levelling", format!("\"{other}\" is none of \"off\", \"-16\", \"-23\" (LUFS)"));
                Levelling::Off
            }
        };
        let ms = Duration::from_millis;
        let keys = ["delay_camera", "delay_slides", "delay_a", "delay_b", "delay_embedded"];
        let watched = section.flag("watched", default.watched);
        Self {
            gain,
            high_pass,
            levelling,
            auto_switch: section.flag("auto_switch", default.auto_switch),
            watched,
            followed: section.flag("followed", watched),
            silent_after: section.duration("silent_after", default.silent_after, ms(1000)..=ms(30_000)),
            delay: keys.map(|key| Delay::ms(section.integer(key, 0, Delay::RANGE))),
        }
    }
}

/// What the pump is told of the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoundOrders {
    /// Gain of line A, line B and the embedded sound.
    pub gain: [Gain; 3],
    /// The high-pass, Hz; 0 for none.
    pub high_pass: u16,
    /// Loudness levelling.
    pub levelling: Levelling,
    /// Nothing is heard.
    pub mute: bool,
    /// A line is silent after so long of the other's programme, ms.
    pub silent_after_ms: u32,
    /// Of camera, slides, mixer A, mixer B, embedded sound.
    pub delay: [Delay; 5],
    /// The lip-sync test listens and looks.
    pub lip_sync: bool,
    /// Which live it is: the integrated loudness begins afresh with each.
    pub show: u32,
}

impl SoundOrders {
    /// By how much an input is held back so that none needs to be earlier than it can be.
    #[must_use]
    pub fn hold(&self, source: SourceId) -> Duration {
        let earliest = self.delay.iter().map(|delay| delay.as_ms()).min().unwrap_or(0).min(0);
        let own = self.delay[source.delay_place()].as_ms();
        Duration::from_millis((own - earliest).unsigned_abs())
    }

    /// The gain of a line.
    #[must_use]
    pub fn gain_of(&self, line: Line) -> Gain {
        self.gain[line.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_sound_holds_the_pictures_back_and_nothing_waits_without_need() {
        let mut orders = SoundOrders::default();
        assert!(SourceId::ALL.iter().all(|s| orders.hold(*s).is_zero()));

        orders.delay[2] = Delay::ms(-500);
        orders.delay[0] = Delay::ms(120);
        let held = SourceId::ALL.map(|s| orders.hold(s).as_millis());
        assert_eq!(held, [620, 500, 0, 500, 620, 500]);
    }

    #[test]
    fn gains_and_delays_hold_their_ranges_whatever_comes() {
        assert_eq!(Gain::db(f64::NAN), Gain::db(0.0));
        assert_eq!((Gain::db(99.0).as_db(), Gain::db(-20.04).as_db()), (20.0, -20.0));
        assert!((Gain::db(6.0).factor() - 1.995).abs() < 0.001);
        assert_eq!((Delay::ms(-9999).as_ms(), Delay::ms(5000).as_ms()), (-500, 2000));
    }
}
