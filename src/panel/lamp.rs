//! Lamps: Status as lights. A light says by its rhythm what its colour says, for eyes that mix colours up.

use std::collections::BTreeMap;

use crate::alarm::Severity;
use crate::bond::LinkPhase;
use crate::media::{Line, OutputId};
use crate::message::{OutputState, Phase, Status, Tally};
use crate::time::{Duration, Instant};

/// Half a slow blink.
const SLOW: Duration = Duration::from_millis(500);

/// Half a quick blink: hurry.
const QUICK: Duration = Duration::from_millis(125);

/// The buzzer: so long a sound, so often. Heard through a headset, and no siren in a hall.
const CHIRP: Duration = Duration::from_millis(200);
const CHIRP_EVERY: Duration = Duration::from_secs(2);

/// How a lamp shines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Dark.
    Off,
    /// Lit.
    On,
    /// Blinks once a second, lit first.
    Slow,
    /// Blinks once a second, dark first: the other half of [`Light::Slow`].
    Counter,
    /// Blinks four times a second.
    Quick,
    /// Short, every two seconds.
    Chirp,
}

impl Light {
    /// Lit at this moment.
    #[must_use]
    pub fn is_lit(self, now: Instant) -> bool {
        let half = |span: Duration| (now.as_millis() / span.as_millis() as u64).is_multiple_of(2);
        match self {
            Self::Off => false,
            Self::On => true,
            Self::Slow => half(SLOW),
            Self::Counter => !half(SLOW),
            Self::Quick => half(QUICK),
            Self::Chirp => now.as_millis() % (CHIRP_EVERY.as_millis() as u64) < CHIRP.as_millis() as u64,
        }
    }
}

/// Lamps by the names that a board profile gives them; links are `link_` and the slot's name.
pub type Lamps = BTreeMap<String, Light>;

/// The lamps that every box has, links apart.
pub const LAMPS: [&str; 17] = [
    "on_air",
    "on_air_white",
    "backup",
    "audio",
    "slate",
    "next",
    "ack",
    "alarm_red",
    "alarm_amber",
    "tally_red",
    "tally_green",
    "tally_out",
    "camera",
    "slides",
    "mixer_a",
    "mixer_b",
    "buzzer",
];

/// What the keys add to Status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hand {
    /// ON AIR is held.
    pub(super) on_air: bool,
    /// AUDIO waits for its second press.
    pub(super) audio: bool,
    /// BACKUP waits for its second press.
    pub(super) backup: bool,
    /// NEXT can be taken back.
    pub(super) next: bool,
    /// The slate is wanted.
    pub(super) slate: bool,
    /// The buzzer may sound.
    pub(super) buzzer: bool,
}

/// Every lamp; without Status, all are dark but the one that says so.
pub(super) fn lamps(status: Option<&Status>, degraded: bool, hand: Hand) -> Lamps {
    let mut lamps: Lamps = LAMPS.iter().map(|name| ((*name).to_owned(), Light::Off)).collect();
    let mut set = |name: &str, light| {
        lamps.insert(name.to_owned(), light);
    };
    let Some(status) = status else {
        set("alarm_amber", Light::Slow);
        return lamps;
    };

    let (red, white) = match status.phase {
        _ if hand.on_air => (Light::Quick, Light::Off),
        Phase::Standby => (Light::Off, Light::Off),
        Phase::Starting | Phase::Stopping => (Light::Slow, Light::Off),
        Phase::Live if degraded => (Light::Slow, Light::Counter),
        Phase::Live => (Light::On, Light::Off),
    };
    set("on_air", red);
    set("on_air_white", white);
    let programme = &status.programme;
    let confirmed = status.phase == Phase::Live && programme.output_open;
    set("tally_out", if confirmed { Light::On } else { Light::Off });
    set("tally_red", if status.tally == Tally::Program { Light::On } else { Light::Off });
    set("tally_green", if status.tally == Tally::Preview { Light::On } else { Light::Off });

    let audio = match (hand.audio, programme.line) {
        (true, _) => Light::Quick,
        (false, Line::A) => Light::Off,
        (false, Line::B | Line::Embedded) => Light::On,
    };
    set("audio", audio);
    let other = status.outputs.iter().find(|output| output.name == OutputId::Backup);
    let backup = match (hand.backup, other) {
        (true, _) => Light::Quick,
        (false, Some(output)) if output.state == OutputState::Failed => Light::Slow,
        (false, Some(output)) if output.active => Light::On,
        (false, _) => Light::Off,
    };
    set("backup", backup);
    let slate = match (hand.slate, programme.slate) {
        (true, _) => Light::On,
        (false, true) => Light::Slow,
        (false, false) => Light::Off,
    };
    set("slate", slate);

    let talk = status.agenda.now.as_ref();
    let over = talk.and_then(|talk| talk.ends).zip(status.wall).is_some_and(|(ends, wall)| wall >= ends);
    let next = match (hand.next, talk.is_some()) {
        (true, _) => Light::Quick,
        (false, true) if over => Light::Slow,
        (false, true) => Light::On,
        (false, false) => Light::Off,
    };
    set("next", next);

    let unseen = status.alarms.iter().any(|alarm| !alarm.acknowledged);
    let ack = match (unseen, status.alarms.is_empty()) {
        (true, _) => Light::Quick,
        (false, false) => Light::On,
        (false, true) => Light::Off,
    };
    set("ack", ack);
    for alarm in &status.alarms {
        let grave = matches!(alarm.severity, Severity::Critical | Severity::Major);
        set(if grave { "alarm_red" } else { "alarm_amber" }, Light::On);
        if grave && !alarm.acknowledged && hand.buzzer {
            set("buzzer", Light::Chirp);
        }
    }

    for input in &status.inputs {
        set(input.source.name(), if input.present { Light::On } else { Light::Slow });
    }
    for link in &status.links {
        let light = match link.phase {
            LinkPhase::Up => Light::On,
            LinkPhase::Registering | LinkPhase::Probing => Light::Slow,
            LinkPhase::Suspect => Light::Quick,
            LinkPhase::Down => Light::Off,
        };
        set(&format!("link_{}", link.slot), light);
    }
    lamps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_light_and_its_counterpart_are_never_lit_together() {
        for millis in (0..4000).step_by(50) {
            let now = Instant::from_millis(millis);
            assert_ne!(Light::Slow.is_lit(now), Light::Counter.is_lit(now));
        }
    }

    #[test]
    fn the_buzzer_sounds_a_tenth_of_the_time() {
        let sounds = (0..20_000).step_by(10).filter(|ms| Light::Chirp.is_lit(Instant::from_millis(*ms))).count();
        assert_eq!(sounds, 200);
    }
}
