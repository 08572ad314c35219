//! Stories of the mixer lines: what the box does when one is at fault, and what a hand may turn.

use std::time::Duration;

use livebox::alarm::AlarmKind;
use livebox::control::{Control, Settings};
use livebox::lang::said;
use livebox::media::line::{Delay, Fault, Finding, Gain};
use livebox::media::{Config, Line, SourceId};
use livebox::message::{Ask, Command, Fact, Intent, LossCause, Origin, Part, Refusal, Status, What};
use livebox::time::Instant;

struct House {
    control: Control,
    now: Instant,
}

impl House {
    fn new(intent: Intent) -> Self {
        Self::of(intent, vec![SourceId::Camera, SourceId::MixerA, SourceId::MixerB])
    }

    fn of(intent: Intent, sources: Vec<SourceId>) -> Self {
        let settings = Settings {
            device: "hall-1".into(),
            sources,
            uplinks: vec![("wired".to_owned(), false)],
            echo: false,
            broker: false,
            media: Config::default(),
            record: livebox::record::Config::default(),
            event: livebox::event::Config::default(),
        };
        Self { control: Control::new(Instant::ZERO, settings, intent), now: Instant::ZERO }
    }

    /// Both lines there, and good for a while.
    fn with_both_lines() -> Self {
        let mut house = Self::new(Intent::default());
        for source in [SourceId::Camera, SourceId::MixerA, SourceId::MixerB] {
            house.arrives(source);
        }
        house.goes(5000);
        house
    }

    fn says(&mut self, what: What) {
        self.control.handle_fact(self.now, &Fact { at: self.now, part: Part::Media, what });
    }

    fn arrives(&mut self, source: SourceId) {
        self.says(What::SourceArrived { source, detail: said::tone(1000) });
    }

    fn is_lost(&mut self, source: SourceId) {
        self.says(What::SourceLost { source, cause: LossCause::Absent, detail: said::card_unplugged("X") });
    }

    fn found(&mut self, line: Line, faults: &[Fault]) {
        let finding = |fault: &Fault| Finding { fault: *fault, since: self.now, confidence: 0.9 };
        let findings = faults.iter().map(finding).collect();
        self.says(What::LineJudged { line, findings });
    }

    fn asks(&mut self, ask: Ask) -> Result<(), Refusal> {
        self.control.handle_command(self.now, Command { origin: Origin::Panel, ask })
    }

    fn goes(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(due) = self.control.next_timeout(self.now).filter(|due| *due <= until) {
            self.now = due.max(self.now + Duration::from_micros(1));
            self.control.handle_timeout(self.now);
        }
        self.now = until;
    }

    fn on_air(&self) -> Line {
        self.control.orders().media.line
    }

    fn status(&self) -> Status {
        self.control.status(self.now, None)
    }

    fn alarms(&self) -> Vec<(AlarmKind, String)> {
        let of_lines = |subject: &str| subject.starts_with("mixer");
        self.status().alarms.into_iter().filter(|a| of_lines(&a.subject)).map(|a| (a.kind, a.subject)).collect()
    }
}

#[test]
fn a_line_with_a_proven_fault_is_left_at_once_and_only_a_person_goes_back() {
    let mut house = House::with_both_lines();

    house.found(Line::A, &[Fault::Hum]);
    assert_eq!(house.on_air(), Line::B, "in the same breath");
    house.goes(1000);
    assert!(house.alarms().contains(&(AlarmKind::LineHum, "mixer_a".into())), "{:?}", house.alarms());
    assert!(house.alarms().contains(&(AlarmKind::LineSwitched, "mixer_b".into())));

    house.found(Line::A, &[]);
    house.goes(60_000);
    assert_eq!(house.on_air(), Line::B, "that line A is well again moves nothing");
    assert!(house.status().sound.switched && house.control.intent().sound.switched);

    house.asks(Ask::Audio { line: Line::A }).unwrap();
    house.goes(3000);
    assert_eq!((house.on_air(), house.alarms()), (Line::A, vec![]));
}

#[test]
fn a_card_that_is_gone_is_left_at_once_and_a_fault_that_the_box_makes_right_moves_nothing() {
    let mut house = House::with_both_lines();
    house.found(Line::A, &[Fault::DeadChannel, Fault::Polarity, Fault::DcOffset]);
    house.goes(20_000);
    assert_eq!(house.on_air(), Line::A);

    house.is_lost(SourceId::MixerA);

    assert_eq!(house.on_air(), Line::B);
}

#[test]
fn nothing_is_left_for_a_line_that_is_no_better() {
    let mut house = House::with_both_lines();
    house.found(Line::B, &[Fault::Glitches]);
    house.found(Line::A, &[Fault::Silent]);
    house.goes(5000);
    assert_eq!(house.on_air(), Line::A);

    house.found(Line::B, &[]);
    house.goes(900);
    assert_eq!(house.on_air(), Line::A, "it must have been good for a second");
    house.goes(200);
    assert_eq!(house.on_air(), Line::B);
}

#[test]
fn a_fault_of_the_second_line_moves_the_programme_once_more_if_the_first_has_long_been_good() {
    let mut house = House::with_both_lines();
    house.found(Line::A, &[Fault::Clipping]);
    house.goes(2000);
    house.found(Line::A, &[]);
    house.goes(2000);

    house.found(Line::B, &[Fault::Unplugged]);
    assert_eq!(house.on_air(), Line::B, "line A has been good for two seconds only");
    house.goes(8100);

    assert_eq!(house.on_air(), Line::A);
}

#[test]
fn whoever_chooses_a_line_at_fault_means_it_until_that_line_has_been_good() {
    let mut house = House::with_both_lines();
    house.found(Line::A, &[Fault::Hum]);
    house.asks(Ask::Audio { line: Line::A }).unwrap();
    house.goes(60_000);
    assert_eq!(house.on_air(), Line::A);

    house.found(Line::A, &[]);
    house.found(Line::A, &[Fault::Hum]);

    assert_eq!(house.on_air(), Line::B);
}

#[test]
fn without_automatic_switching_only_hands_move_the_sound() {
    let mut house = House::with_both_lines();
    house.asks(Ask::Auto { on: false }).unwrap();
    house.found(Line::A, &[Fault::Unplugged]);
    house.goes(60_000);
    assert_eq!(house.on_air(), Line::A);

    house.asks(Ask::Auto { on: true }).unwrap();

    assert_eq!(house.on_air(), Line::B);
}

#[test]
fn a_start_with_one_card_missing_goes_to_the_other_line_after_its_patience() {
    let mut house = House::new(Intent::default());
    house.arrives(SourceId::MixerB);
    house.goes(7900);
    assert_eq!(house.on_air(), Line::A);

    house.goes(200);

    assert_eq!(house.on_air(), Line::B);
}

#[test]
fn what_a_hand_turned_is_in_force_at_once_and_outlives_a_restart() {
    let mut house = House::with_both_lines();
    house.asks(Ask::Gain { line: Line::B, gain: Gain::db(-6.5) }).unwrap();
    house.asks(Ask::Mute { on: true }).unwrap();
    house.asks(Ask::Delay { source: SourceId::MixerA, delay: Delay::ms(-120) }).unwrap();
    assert_eq!(house.asks(Ask::Delay { source: SourceId::Slides, delay: Delay::ms(0) }), Err(Refusal::NotOnBoard));

    let kept: Intent = serde_json::from_str(&serde_json::to_string(&house.control.intent()).unwrap()).unwrap();
    let again = House::new(kept);

    for house in [&house, &again] {
        let sound = house.control.orders().media.sound;
        assert_eq!((sound.gain[1].as_db(), sound.mute, sound.delay[2].as_ms()), (-6.5, true, -120));
        let lines = house.status().sound.lines;
        assert_eq!((lines[1].gain_db, lines[0].delay_ms), (-6.5, -120));
    }
}

/// Both lines there, and the sound that HDMI brings along.
fn with_embedded() -> House {
    let sources = vec![SourceId::Camera, SourceId::MixerA, SourceId::MixerB, SourceId::Embedded];
    let mut house = House::of(Intent::default(), sources.clone());
    sources.into_iter().for_each(|source| house.arrives(source));
    house.goes(5000);
    house
}

#[test]
fn when_both_lines_are_at_fault_the_sound_of_hdmi_is_better_than_none() {
    let mut house = with_embedded();

    house.found(Line::A, &[Fault::Hum]);
    assert_eq!(house.on_air(), Line::B, "the mixer's other line comes first");
    house.goes(20_000);
    house.is_lost(SourceId::MixerB);
    house.goes(1000);
    assert_eq!(house.on_air(), Line::Embedded);
    assert!(house.status().sound.switched);

    // B is back, and nobody goes back by himself
    house.arrives(SourceId::MixerB);
    house.goes(60_000);
    assert_eq!(house.on_air(), Line::Embedded);
    // what goes silent in its turn is left
    house.found(Line::Embedded, &[Fault::Silent]);
    house.goes(1000);
    assert_eq!(house.on_air(), Line::B);
}

#[test]
fn a_silent_laptop_is_no_refuge_and_nobody_is_told_of_it_until_it_is_on_air() {
    let mut house = with_embedded();
    house.found(Line::Embedded, &[Fault::Silent]);
    house.found(Line::A, &[Fault::Hum]);
    house.goes(20_000);
    house.is_lost(SourceId::MixerB);
    house.goes(20_000);
    assert_eq!(house.on_air(), Line::B, "there is nothing better");
    let told = |house: &House| house.status().alarms.iter().any(|alarm| alarm.subject == "embedded");
    assert!(!told(&house));

    house.asks(Ask::Audio { line: Line::Embedded }).unwrap();
    house.goes(5000);
    assert_eq!(house.on_air(), Line::Embedded, "a person means it");
    assert!(told(&house));
}

/// Anything that may happen to two lines, with the milliseconds before it.
fn happening() -> impl proptest::strategy::Strategy<Value = (u64, u8, bool)> {
    (0..4000_u64, 0..6_u8, proptest::bool::ANY)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn the_programme_never_goes_by_itself_to_a_line_that_is_not_good_nor_leaves_one_that_is(
        story in proptest::collection::vec(happening(), 1..60),
    ) {
        let mut house = House::with_both_lines();
        // present, at fault, and when it last became good
        let mut lines = [(true, false, Instant::ZERO); 2];
        let mut before = house.on_air();
        for (millis, what, b) in story {
            // a step at a time, so that each change is seen with the state it came in
            for _ in 0..millis / 50 {
                house.goes(50);
                let now = house.on_air();
                if now != before {
                    let (to, from) = (lines[usize::from(now == Line::B)], lines[usize::from(before == Line::B)]);
                    proptest::prop_assert!(to.0 && !to.1, "to a line that is not good");
                    proptest::prop_assert!(house.now.since(to.2) >= Duration::from_secs(1), "good for too short");
                    proptest::prop_assert!(!from.0 || from.1, "away from a good line");
                    before = now;
                }
            }
            let line = if b { Line::B } else { Line::A };
            let (present, at_fault, since) = &mut lines[usize::from(b)];
            let was = *present && !*at_fault;
            match what {
                0 => { *present = false; house.is_lost(line.source()); }
                1 => { *present = true; house.arrives(line.source()); }
                2 => { *at_fault = true; house.found(line, &[Fault::Hum]); }
                3 => { *at_fault = false; house.found(line, &[]); }
                4 => { *at_fault = false; house.found(line, &[Fault::Polarity, Fault::DcOffset]); }
                _ => { house.asks(Ask::Audio { line }).unwrap(); before = house.on_air(); }
            }
            if !was && *present && !*at_fault {
                *since = house.now;
            }
            let now = house.on_air();
            if now != before {
                let (to, from) = (lines[usize::from(now == Line::B)], lines[usize::from(before == Line::B)]);
                proptest::prop_assert!(to.0 && !to.1, "to a line that is not good, at once");
                proptest::prop_assert!(house.now.since(to.2) >= Duration::from_secs(1), "good for too short");
                proptest::prop_assert!(!from.0 || from.1, "away from a good line, at once");
                before = now;
            }
        }
    }
}
