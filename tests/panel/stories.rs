use std::sync::Arc;
use std::time::Duration;

use livebox::alarm::AlarmKind;
use livebox::control::{Control, Settings};
use livebox::event::{Agenda, Permissions, Talk};
use livebox::lang::{Lang, Text, said};
use livebox::media::{Backup, Codec, Config, Layout, Line, OutputId, Road, Roads, Scheme, Secret, SourceId};
use livebox::message::{Ask, Intent, LossCause, Origin, OutputState, Part, Phase, Tally, What};
use livebox::panel::{
    EXPIRES, Format, HOLD_TO_START, HOLD_TO_STOP, Key, Light, Memory, Panel, Picture, Place, SILENT, Screen, Setup,
    Stroke,
};
use livebox::time::Instant;
use livebox::units::{Bitrate, Dbfs};

use crate::control::House;

/// A panel before a real control: what a hand does has its effect, in virtual time.
pub(super) struct Desk {
    pub(super) house: House,
    pub(super) panel: Panel,
    /// What the hand brought about.
    pub(super) asked: Vec<Ask>,
    /// What was read before each deed of a task.
    pub(super) seen: Vec<String>,
}

impl Desk {
    /// Every source, uplink and the broker there, in standby.
    pub(super) fn ready() -> Self {
        Self::started(Intent::default(), None)
    }

    pub(super) fn started(intent: Intent, kept: Option<Memory>) -> Self {
        Self::set_up(intent, kept, Roads::default())
    }

    /// On air with a second encode over SRT, and a destination that takes either.
    pub(super) fn with_backup() -> Self {
        let road = Road {
            scheme: Scheme::Srt,
            uplink: String::new(),
            to: vec!["studio:7000".to_owned()],
            stream_id: String::new(),
            secret: Secret::default(),
            secret_file: None,
            latency: Duration::from_secs(1),
        };
        let backup = Backup {
            road: road.clone(),
            bitrate: Bitrate::kbps(1500),
            gop: Duration::from_secs(1),
            codec: Codec::H264,
        };
        let roads = Roads { backup: Some(backup), programme: Some(road), dual: None };
        let mut desk = Self::set_up(Intent::default(), None, roads);
        desk.hold(Key::OnAir, 1000);
        desk.house.says(Part::Media, What::OutputOpened);
        desk.backup_is(OutputState::Open);
        desk.passes(500);
        assert_eq!(desk.phase(), Phase::Live);
        desk.asked.clear();
        desk
    }

    fn backup_is(&mut self, state: OutputState) {
        let why = if state == OutputState::Failed { said::no_signal() } else { Text::default() };
        self.house.says(Part::Media, What::DestinationChanged { output: OutputId::Backup, place: 0, state, why });
    }

    fn set_up(intent: Intent, kept: Option<Memory>, roads: Roads) -> Self {
        let settings = Settings {
            device: "hall-1".into(),
            sources: SourceId::ALL.to_vec(),
            uplinks: ["wired", "lte1", "lte2"].map(|slot| (slot.to_owned(), slot != "wired")).to_vec(),
            echo: false,
            broker: true,
            media: Config { roads, ..Config::default() },
            record: livebox::record::Config::default(),
            event: livebox::event::Config::default(),
        };
        let mut house = House { control: Control::new(Instant::ZERO, settings, intent), now: Instant::ZERO };
        house.everything_arrives();
        house.says(Part::Media, What::SourceArrived { source: SourceId::MixerB, detail: said::tone(660) });
        let setup = Setup { lang: Lang::En, console: "http://{address}/".to_owned() };
        let panel = Panel::new(Instant::ZERO, setup, kept);
        let mut desk = Self { house, panel, asked: Vec::new(), seen: Vec::new() };
        desk.passes(12_000);
        desk
    }

    pub(super) fn live() -> Self {
        let mut desk = Self::ready();
        desk.hold(Key::OnAir, 1000);
        desk.house.says(Part::Media, What::OutputOpened);
        desk.passes(500);
        assert_eq!(desk.phase(), Phase::Live);
        desk.asked.clear();
        desk
    }

    /// Time goes by for both; the links carry, the mixers are heard, control tells ten times a second.
    pub(super) fn passes(&mut self, millis: u64) {
        for _ in 0..millis / 50 {
            self.house.goes(50);
            if self.house.now.as_millis().is_multiple_of(100) {
                self.house.links_carry(Bitrate::mbps(10));
                self.house.says(Part::Media, What::AudioMeasured { a: Some(Dbfs(-14.0)), b: Some(Dbfs(-15.0)) });
                let status = Arc::new(self.house.status());
                self.panel.handle_status(self.house.now, status);
            }
            self.panel.handle_timeout(self.house.now);
            self.obey();
        }
    }

    fn obey(&mut self) {
        while let Some(command) = self.panel.poll_command() {
            assert_eq!(command.origin, Origin::Panel);
            self.asked.push(command.ask);
            let answer = self.house.control.handle_command(self.house.now, command);
            self.panel.handle_answer(self.house.now, answer);
        }
    }

    pub(super) fn stroke(&mut self, stroke: Stroke) {
        self.panel.handle_stroke(self.house.now, stroke);
        self.obey();
    }

    pub(super) fn hold(&mut self, key: Key, millis: u64) {
        self.stroke(Stroke::Down(key));
        self.passes(millis);
        self.stroke(Stroke::Up(key));
        self.passes(100);
    }

    pub(super) fn press(&mut self, key: Key) {
        self.hold(key, 100);
    }

    pub(super) fn turn(&mut self, clicks: i32) {
        self.stroke(Stroke::Turn(clicks));
        self.passes(100);
    }

    pub(super) fn phase(&self) -> Phase {
        self.house.status().phase
    }

    /// What is read on a display of characters.
    pub(super) fn reads(&self) -> String {
        let page = self.panel.page(self.house.now, Format::Characters);
        let mut text = String::new();
        for sheet in 0..livebox::panel::sheets(&page, Format::Characters) {
            for turn in 0..8 {
                let now = Instant::from_millis(turn * 2000);
                if let Picture::Characters(grid) = livebox::panel::picture(&page, Format::Characters, sheet, now) {
                    (0..4).for_each(|y| text.push_str(&(grid.row(y).trim().to_owned() + "\n")));
                }
            }
        }
        text
    }

    fn lamp(&self, name: &str) -> Light {
        self.panel.lamps(self.house.now)[name]
    }

    fn place(&self) -> Place {
        self.panel.place()
    }

    fn camera_is_lost(&mut self) {
        let lost = What::SourceLost { source: SourceId::Camera, cause: LossCause::NoSignal, detail: said::no_signal() };
        self.house.says(Part::Media, lost);
        self.passes(1500);
    }
}

#[test]
fn on_air_is_held_one_second_to_start_and_let_go_early_it_does_nothing() {
    let mut desk = Desk::ready();

    desk.hold(Key::OnAir, 900);
    assert!(desk.asked.is_empty());
    assert!(desk.reads().contains("let go early"), "{}", desk.reads());
    desk.passes(4000);
    desk.stroke(Stroke::Down(Key::OnAir));
    desk.passes(500);
    assert!(desk.reads().contains("HOLDING TO START"), "{}", desk.reads());
    assert_eq!(desk.lamp("on_air"), Light::Quick);
    desk.passes(HOLD_TO_START.as_millis() as u64 - 500);
    assert_eq!(desk.asked, [Ask::Start]);
    desk.passes(100);

    assert_eq!(desk.phase(), Phase::Starting);
    assert_eq!(desk.lamp("on_air"), Light::Slow);
    desk.passes(5000);
    assert_eq!(desk.asked, [Ask::Start], "held on, it neither starts twice nor stops");
}

#[test]
fn on_air_is_held_three_seconds_to_stop_with_a_bar_and_the_consequence_in_words() {
    let mut desk = Desk::live();
    desk.hold(Key::Knob, 1000);
    assert!(!desk.panel.memory().locked);

    desk.hold(Key::OnAir, 2900);
    assert!(desk.asked.is_empty() && desk.phase() == Phase::Live);
    desk.stroke(Stroke::Down(Key::OnAir));
    desk.passes(1500);
    let page = desk.panel.page(desk.house.now, Format::Mono);
    let bar = page.items.iter().find_map(|item| match item {
        livebox::panel::Item::Progress(share) => Some(*share),
        _ => None,
    });
    assert!(bar.is_some_and(|share| (share - 0.5).abs() < 0.03), "{bar:?}");
    assert!(desk.reads().contains("viewers lose picture"), "{}", desk.reads());
    desk.passes(HOLD_TO_STOP.as_millis() as u64 - 1500);

    assert_eq!(desk.asked, [Ask::Stop]);
    desk.house.says(Part::Media, What::OutputClosed { why: said::left_the_air() });
    desk.passes(2500);
    assert_eq!(desk.phase(), Phase::Standby);
}

#[test]
fn a_hold_that_was_begun_as_a_start_never_becomes_a_stop() {
    let mut desk = Desk::ready();

    desk.stroke(Stroke::Down(Key::OnAir));
    desk.passes(500);
    desk.house
        .control
        .handle_command(desk.house.now, livebox::message::Command { origin: Origin::Remote, ask: Ask::Start })
        .unwrap();
    desk.passes(5000);

    assert_eq!(desk.asked, [Ask::Start]);
    assert_ne!(desk.phase(), Phase::Standby);
}

#[test]
fn a_bouncing_key_does_not_break_a_hold() {
    let mut desk = Desk::ready();

    desk.stroke(Stroke::Down(Key::OnAir));
    for _ in 0..4 {
        desk.passes(200);
        desk.stroke(Stroke::Up(Key::OnAir));
        desk.stroke(Stroke::Down(Key::OnAir));
    }
    desk.passes(200);

    assert_eq!(desk.asked, [Ask::Start]);
}

#[test]
fn going_on_air_locks_and_the_keys_that_a_live_needs_stay_alive() {
    let mut desk = Desk::live();
    assert!(desk.panel.memory().locked);

    desk.hold(Key::OnAir, 2500);
    assert!(desk.asked.is_empty() && desk.reads().contains("the panel is locked"));
    desk.turn(3);
    desk.press(Key::Knob);
    assert!(desk.reads().contains("the panel is locked"), "the layout is for looking only");
    desk.press(Key::Slate);
    desk.press(Key::Audio);
    desk.passes(500);
    desk.press(Key::Audio);
    desk.camera_is_lost();
    desk.press(Key::Ack);

    assert_eq!(desk.asked, [Ask::Slate { on: true }, Ask::Audio { line: Line::B }, Ask::Acknowledge]);
}

#[test]
fn the_lock_survives_a_reboot_in_the_middle_of_a_live_and_ends_with_it() {
    let on_air = Intent { on_air: true, ..Intent::default() };
    let locked = |kept| Desk::started(on_air, kept).panel.memory().locked;

    assert!(locked(Some(Memory { locked: true, ..Memory::default() })));
    assert!(!locked(Some(Memory::default())), "it was unlocked by hand before the power went");
    assert!(locked(None), "a box that never was locked begins so");

    let mut desk = Desk::live();
    desk.hold(Key::Knob, 1000);
    desk.hold(Key::OnAir, 3000);
    desk.hold(Key::Knob, 1000);
    assert!(desk.panel.memory().locked);
    desk.house.says(Part::Media, What::OutputClosed { why: said::left_the_air() });
    desk.passes(2500);
    assert!(!desk.panel.memory().locked);
}

#[test]
fn audio_is_armed_with_its_consequence_and_done_by_the_second_press() {
    let mut desk = Desk::live();

    desk.press(Key::Audio);
    assert!(desk.asked.is_empty());
    assert!(desk.reads().contains("SWAP TO LINE B?") && desk.reads().contains("A -14dB > B -15dB"), "{}", desk.reads());
    assert_eq!(desk.lamp("audio"), Light::Quick);
    desk.passes(1000);
    desk.press(Key::Audio);

    assert_eq!(desk.asked, [Ask::Audio { line: Line::B }]);
    assert_eq!(desk.house.status().programme.line, Line::B);
    assert_eq!((desk.place(), desk.lamp("audio")), (Place::HOME, Light::On));
}

#[test]
fn a_double_press_of_a_heavy_glove_arms_and_does_not_do() {
    let mut desk = Desk::live();

    desk.hold(Key::Audio, 50);
    desk.hold(Key::Audio, 50);

    assert!(desk.asked.is_empty());
    assert!(desk.reads().contains("SWAP TO LINE B?"));
}

#[test]
fn a_line_without_sound_is_told_before_it_is_taken() {
    let mut desk = Desk::live();
    let lost = What::SourceLost { source: SourceId::MixerB, cause: LossCause::NoSignal, detail: said::no_signal() };
    desk.house.says(Part::Media, lost);
    desk.passes(1500);
    desk.press(Key::Ack);

    desk.press(Key::Audio);

    assert!(desk.reads().contains("viewers hear nothing") && desk.reads().contains("SILENT!"), "{}", desk.reads());
}

#[test]
fn what_is_not_finished_is_forgotten_after_ten_seconds() {
    let mut desk = Desk::live();
    desk.hold(Key::Knob, 1000);

    desk.press(Key::Audio);
    desk.passes(EXPIRES.as_millis() as u64 - 300);
    assert!(desk.reads().contains("SWAP TO LINE B?"));
    desk.passes(300);
    assert!(desk.reads().contains("cancelled"), "{}", desk.reads());
    desk.passes(5000);
    desk.press(Key::Audio);
    assert!(desk.asked.is_empty(), "the press after it arms anew");

    desk.press(Key::Ack);
    desk.turn(3);
    desk.press(Key::Knob);
    assert!(desk.reads().contains("CHANGE PICTURE?"));
    desk.passes(EXPIRES.as_millis() as u64 + 100);
    assert!(!desk.reads().contains("CHANGE PICTURE?") && desk.asked.is_empty());
}

#[test]
fn slate_is_one_press_and_the_next_one_takes_it_back() {
    let mut desk = Desk::live();

    desk.stroke(Stroke::Down(Key::Slate));
    assert_eq!(desk.asked, [Ask::Slate { on: true }], "at the press, not at the release");
    assert_eq!(desk.lamp("slate"), Light::On, "before control has told anything");
    desk.passes(300);
    desk.stroke(Stroke::Up(Key::Slate));
    assert!(desk.house.control.orders().media.slate);
    desk.passes(300);
    desk.press(Key::Slate);

    assert_eq!(desk.asked, [Ask::Slate { on: true }, Ask::Slate { on: false }]);
    assert!(!desk.house.control.orders().media.slate);
    assert_eq!(desk.lamp("slate"), Light::Off);
}

#[test]
fn two_quick_presses_of_slate_are_there_and_back() {
    let mut desk = Desk::live();

    for _ in 0..2 {
        desk.panel.handle_stroke(desk.house.now, Stroke::Down(Key::Slate));
        desk.panel.handle_stroke(desk.house.now + Duration::from_millis(10), Stroke::Up(Key::Slate));
        desk.house.goes(50);
        desk.panel.handle_timeout(desk.house.now);
    }
    desk.obey();

    assert_eq!(desk.asked, [Ask::Slate { on: true }, Ask::Slate { on: false }]);
}

#[test]
fn the_slate_that_a_finger_asked_for_is_no_harm_and_survives_a_restart() {
    let desk = Desk::started(Intent { on_air: true, slate: true, ..Intent::default() }, None);

    assert!(desk.house.control.orders().media.slate && desk.house.status().programme.slate_wanted);
    assert_eq!(desk.lamp("slate"), Light::On);
}

#[test]
fn backup_is_armed_with_its_consequence_and_done_by_the_second_press_and_so_is_the_way_back() {
    let mut desk = Desk::with_backup();
    let active = |desk: &Desk| desk.house.control.orders().media.outputs.active;
    assert!(desk.panel.memory().locked, "it works under lock");

    desk.press(Key::Backup);
    assert!(desk.asked.is_empty());
    let text = desk.reads();
    assert!(text.contains("TO BACKUP?") && text.contains("cut at a key picture"), "{text}");
    assert_eq!(desk.lamp("backup"), Light::Quick);
    desk.passes(1000);
    desk.press(Key::Backup);
    assert_eq!(desk.asked, [Ask::Activate { output: OutputId::Backup }]);
    assert_eq!((active(&desk), desk.lamp("backup"), desk.place()), (OutputId::Backup, Light::On, Place::HOME));
    desk.turn(5);
    assert!(desk.reads().contains("OUTPUTS backup"), "{}", desk.reads());

    desk.press(Key::Backup);
    assert!(desk.reads().contains("SWITCH TO MAIN?") || desk.reads().contains("TO MAIN?"), "{}", desk.reads());
    desk.passes(500);
    desk.press(Key::Backup);
    assert_eq!((active(&desk), desk.lamp("backup")), (OutputId::Main, Light::Off));
}

#[test]
fn a_backup_that_is_not_open_is_told_before_it_is_taken() {
    let mut desk = Desk::with_backup();
    desk.backup_is(OutputState::Failed);
    desk.passes(6000);
    desk.press(Key::Ack);
    assert_eq!(desk.lamp("backup"), Light::Slow);

    desk.press(Key::Backup);
    assert!(desk.reads().contains("NOT OPEN: viewers lose"), "{}", desk.reads());
    desk.press(Key::Ack);
    desk.passes(500);

    assert!(!desk.asked.contains(&Ask::Activate { output: OutputId::Backup }), "ACK cancels");
    assert_eq!(desk.lamp("backup"), Light::Slow);
}

#[test]
fn backup_says_that_none_is_set_up_and_does_nothing() {
    let mut desk = Desk::live();

    desk.press(Key::Backup);
    assert!(desk.reads().replace('\n', " ").contains("no backup output is set up"), "{}", desk.reads());

    assert!(desk.asked.is_empty());
}

/// An agenda of three talks; the middle one may not be published.
fn agenda() -> Agenda {
    let talk = |speaker: &str, publish| Talk {
        speaker: speaker.to_owned(),
        allowed: Permissions { publish, ..Permissions::default() },
        ..Talk::default()
    };
    Agenda { event: "congress".to_owned(), talks: vec![talk("Wang", true), talk("Li", false), talk("Chen", true)] }
}

#[test]
fn next_speaker_is_one_press_even_under_lock_and_the_name_is_read_at_once() {
    let mut desk = Desk::live();
    desk.house.says(Part::Media, What::AgendaRead { agenda: Arc::new(agenda()), faults: Vec::new() });
    desk.passes(200);
    desk.turn(4);
    assert!(desk.reads().contains("not begun") && desk.reads().contains("NEXT Wang"), "{}", desk.reads());
    assert!(desk.panel.memory().locked);

    desk.stroke(Stroke::Down(Key::Next));
    assert_eq!(desk.asked, [Ask::NextSpeaker], "at the press, not at the release");
    assert!(desk.reads().contains("NEXT SPEAKER") && desk.reads().contains("Wang"), "before control has told");
    assert_eq!(desk.lamp("next"), Light::Quick);
    desk.passes(200);
    desk.stroke(Stroke::Up(Key::Next));
    assert!(desk.reads().contains("Wang") && desk.reads().contains("1/3"), "{}", desk.reads());
    desk.press(Key::Ack);
    assert_eq!((desk.place(), desk.lamp("next")), (Place::HOME, Light::On));
    desk.press(Key::Next);

    assert_eq!(desk.asked, [Ask::NextSpeaker, Ask::NextSpeaker]);
    assert!(desk.reads().contains("Li") && desk.reads().contains("not to publish"), "{}", desk.reads());
    assert_eq!(desk.house.status().agenda.number, 2);
}

#[test]
fn the_next_speaker_is_taken_back_by_a_second_press_within_ten_seconds_and_not_later() {
    let mut desk = Desk::live();
    desk.house.says(Part::Media, What::AgendaRead { agenda: Arc::new(agenda()), faults: Vec::new() });
    desk.passes(200);

    desk.press(Key::Next);
    desk.passes(9000);
    assert!(desk.reads().contains("NEXT=undo"), "{}", desk.reads());
    desk.press(Key::Next);
    assert_eq!(desk.asked, [Ask::NextSpeaker, Ask::UndoSpeaker]);
    assert_eq!(desk.house.status().agenda.number, 0);
    assert!(desk.reads().contains("taken back"), "{}", desk.reads());

    desk.passes(4000);
    desk.asked.clear();
    desk.press(Key::Next);
    desk.passes(10_100);
    assert!(!desk.reads().contains("NEXT=undo") && !desk.reads().contains("cancelled"), "{}", desk.reads());
    desk.press(Key::Next);
    assert_eq!(desk.asked, [Ask::NextSpeaker, Ask::NextSpeaker], "after ten seconds it is another step");
    assert_eq!(desk.house.status().agenda.number, 2);
}

#[test]
fn a_double_press_of_next_is_one_step() {
    let mut desk = Desk::live();

    desk.hold(Key::Next, 50);
    desk.hold(Key::Next, 50);

    assert_eq!(desk.asked, [Ask::NextSpeaker]);
    assert!(desk.reads().contains("a new segment begins"), "without an agenda: {}", desk.reads());
}

#[test]
fn the_meters_follow_the_sound_ten_times_a_second() {
    let mut play = super::at_home(&super::live(), Lang::En);
    play.step(&livebox::panel::Step::Turn(2));
    let mut seen = Vec::new();
    for tenth in 0..10 {
        let mut status = super::live();
        let programme = status.sound.programme.as_mut().unwrap();
        (programme.true_peak.0, programme.integrated) = (-30.0 + f64::from(tenth), Some(-20.0 - f64::from(tenth)));
        status.sound.lines[0].levels = Some(*programme);
        play.panel.handle_status(play.now, Arc::new(status));
        let picture = play.panel.picture(play.now, Format::Colour);
        assert!(!seen.contains(&picture), "the {tenth}th tenth of a second");
        seen.push(picture);
        play.now += Duration::from_millis(100);
    }
    let page = play.panel.page(play.now, Format::Colour);
    let text = format!("{page:?}");
    assert!(text.contains("true -21.0") && text.contains("all -29.0 LUFS"), "{text}");
}

#[test]
fn what_is_recorded_and_for_how_long_there_is_room_is_read_on_one_screen() {
    let mut play = super::at_home(&super::live(), Lang::En);
    play.step(&livebox::panel::Step::Turn(6));
    let page = format!("{:?}", play.panel.page(play.now, Format::Mono));
    assert!(page.contains("00:12:34") && page.contains("840/60 min"), "{page}");

    let mut status = super::live();
    status.recording.running = false;
    status.recording.trouble = Some(said::no_signal());
    super::told(&mut play, status);
    let page = format!("{:?}", play.panel.page(play.now, Format::Mono));
    assert!(page.contains("FAILS!"), "{page}");
    play.step(&livebox::panel::Step::Press(Key::Ack));
    let home = format!("{:?}", play.panel.page(play.now, Format::Mono));
    assert!(home.contains("REC!"), "{home}");
}

#[test]
fn an_alarm_pulls_its_page_once_and_ack_silences_it_while_it_goes_on_standing() {
    let mut desk = Desk::live();
    desk.camera_is_lost();

    assert_eq!(desk.place().screen, Screen::Alarms);
    assert!(desk.reads().contains("the camera gives"), "{}", desk.reads());
    assert_eq!((desk.lamp("buzzer"), desk.lamp("ack"), desk.lamp("on_air")), (Light::Chirp, Light::Quick, Light::Slow));
    desk.turn(2);
    assert_ne!(desk.place().screen, Screen::Home, "inside the alarm, the knob turns alarms");
    desk.press(Key::Ack);
    assert_eq!((desk.asked.as_slice(), desk.place()), (&[Ask::Acknowledge][..], Place::HOME));
    assert_eq!((desk.lamp("buzzer"), desk.lamp("ack")), (Light::Off, Light::On));
    desk.passes(20_000);
    assert_eq!(desk.place(), Place::HOME, "never a second time");
    assert!(desk.reads().contains("the camera gives"), "the home screen goes on telling it");

    desk.house.says(Part::Media, What::SourceArrived { source: SourceId::Camera, detail: said::pattern("x") });
    desk.passes(4000);
    assert_eq!(desk.lamp("ack"), Light::Off);
    desk.camera_is_lost();
    assert_eq!(desk.place().screen, Screen::Alarms, "another time is another alarm");
}

#[test]
fn an_alarm_does_not_take_a_hold_out_of_the_hand() {
    let mut desk = Desk::live();
    desk.hold(Key::Knob, 1000);

    desk.stroke(Stroke::Down(Key::OnAir));
    desk.passes(500);
    desk.camera_is_lost();
    assert!(desk.reads().contains("HOLDING TO STOP"), "{}", desk.reads());
    desk.stroke(Stroke::Up(Key::OnAir));
    desk.passes(100);

    assert_eq!(desk.place().screen, Screen::Alarms, "it waited until the hand was free");
}

#[test]
fn the_page_of_an_alarm_nobody_has_seen_stays_and_others_lead_home_after_a_minute() {
    let mut desk = Desk::live();
    desk.turn(1);
    desk.passes(59_000);
    assert_eq!(desk.place().screen, Screen::Links);
    desk.passes(2000);
    assert_eq!(desk.place(), Place::HOME);

    desk.camera_is_lost();
    desk.passes(180_000);
    assert_eq!(desk.place().screen, Screen::Alarms);
}

#[test]
fn home_is_one_press_away_from_everywhere() {
    for screen in Screen::ALL {
        for inside in [false, true] {
            let mut desk = Desk::live();
            let clicks = Screen::ALL.iter().position(|s| *s == screen).unwrap() as i32;
            desk.turn(clicks);
            if inside {
                desk.press(Key::Knob);
            }
            desk.press(Key::Ack);

            assert_eq!(desk.place(), Place::HOME, "{screen:?} {inside}");
            assert!(desk.asked.is_empty());
        }
    }
}

#[test]
fn nothing_but_on_air_held_for_three_seconds_stops_a_live() {
    let mut rng = livebox::rng::Rng::simulated(6);
    let mut desk = Desk::live();
    desk.hold(Key::Knob, 1000);
    let mut tried = 0;
    let mut below = |most: u64| rng.next_u64() % most;

    for _ in 0..1500 {
        let key = Key::ALL[1 + below(6) as usize];
        match below(4) {
            0 => desk.turn(below(7) as i32 - 3),
            1 => desk.hold(key, 50 + below(40) * 100),
            2 => desk.hold(Key::OnAir, below(29) * 100),
            _ => desk.press(key),
        }
        tried += 1;
        assert_eq!(desk.phase(), Phase::Live, "after {tried} strokes");
        assert!(!desk.asked.contains(&Ask::Stop));
    }
}

#[test]
fn the_knob_chooses_a_layout_and_a_second_push_cuts() {
    let mut desk = Desk::ready();

    desk.turn(3);
    desk.press(Key::Knob);
    assert!(desk.reads().contains("camera > slides"), "{}", desk.reads());
    desk.turn(1);
    assert!(desk.reads().contains("camera > inset"), "{}", desk.reads());
    desk.passes(300);
    desk.press(Key::Knob);

    assert_eq!(desk.asked, [Ask::Layout { layout: Layout::PictureInPicture }]);
    assert_eq!(desk.house.control.orders().media.layout, Layout::PictureInPicture);
}

#[test]
fn the_language_is_switched_in_one_place_for_every_screen() {
    let mut desk = Desk::ready();
    let chinese =
        |desk: &Desk| desk.panel.page(desk.house.now, Format::Mono).head.left[0].chars().any(|c| c > '\u{4e00}');
    assert!(!chinese(&desk));

    desk.turn(8);
    desk.press(Key::Knob);
    desk.press(Key::Knob);

    for _ in Screen::ALL {
        desk.press(Key::Ack);
        assert!(chinese(&desk));
    }
    assert_eq!(desk.panel.memory().lang, Some(Lang::Zh));
}

#[test]
fn the_buzzer_is_silent_when_it_is_switched_off() {
    let mut desk = Desk::live();
    desk.hold(Key::Knob, 1000);
    desk.turn(8);
    desk.press(Key::Knob);
    desk.turn(1);
    desk.press(Key::Knob);

    desk.camera_is_lost();

    assert_eq!((desk.lamp("buzzer"), desk.lamp("ack")), (Light::Off, Light::Quick));
}

#[test]
fn the_studios_tally_is_seen_whoever_brings_it() {
    let mut desk = Desk::live();

    desk.stroke(Stroke::Tally(Tally::Program));
    desk.passes(200);
    assert!(desk.reads().starts_with("AIR 00:00:") && desk.reads().contains("PGM *"), "{}", desk.reads());
    assert_eq!(
        (desk.lamp("tally_red"), desk.lamp("tally_green"), desk.lamp("tally_out")),
        (Light::On, Light::Off, Light::On)
    );
    let preview = livebox::message::Command { origin: Origin::Remote, ask: Ask::Tally { tally: Tally::Preview } };
    desk.house.control.handle_command(desk.house.now, preview).unwrap();
    desk.passes(200);
    assert_eq!((desk.lamp("tally_red"), desk.lamp("tally_green")), (Light::Off, Light::On));
}

#[test]
fn a_refusal_is_told_in_words() {
    let mut desk = Desk::live();
    desk.camera_is_lost();
    desk.panel.handle_stroke(desk.house.now, Stroke::Down(Key::Ack));
    desk.house
        .control
        .handle_command(desk.house.now, livebox::message::Command { origin: Origin::Remote, ask: Ask::Acknowledge })
        .unwrap();
    desk.obey();

    assert!(desk.reads().contains("no alarm waits"), "{}", desk.reads());
}

#[test]
fn a_silent_engine_is_told_as_such_and_its_return_brings_the_live_back() {
    let mut desk = Desk::live();
    let left = desk.house.now;
    let silence = desk.house.now + SILENT + Duration::from_secs(4);

    assert!(desk.panel.page(silence, Format::Characters).head.left[0].starts_with("ENGINE RESTARTING"));
    assert_eq!(desk.panel.lamps(silence)["on_air"], Light::Off, "nobody vouches for it");
    desk.stroke(Stroke::Down(Key::OnAir));
    desk.house.now = left;
    desk.passes(200);
    assert!(desk.reads().starts_with("ON AIR"), "{}", desk.reads());

    let mut restarted = Desk::started(Intent { on_air: true, ..Intent::default() }, Some(*desk.panel.memory()));
    assert_eq!(restarted.phase(), Phase::Starting);
    assert!(restarted.reads().contains("session is"), "the cause page comes by itself: {}", restarted.reads());
    restarted.press(Key::Ack);
    assert!(restarted.reads().starts_with("STARTING"), "{}", restarted.reads());
    assert!(restarted.panel.memory().locked);
}

#[test]
fn a_key_is_seen_within_a_tenth_of_a_second() {
    let mut desk = Desk::live();
    let seen = |desk: &Desk, after| {
        let now = desk.house.now + Duration::from_millis(after);
        (desk.panel.picture(now, Format::Mono), desk.panel.lamps(now))
    };
    for stroke in [
        Stroke::Down(Key::Backup),
        Stroke::Down(Key::Audio),
        Stroke::Down(Key::Slate),
        Stroke::Down(Key::Next),
        Stroke::Turn(1),
    ] {
        desk.press(Key::Ack);
        let before = seen(&desk, 0);

        desk.panel.handle_stroke(desk.house.now, stroke);

        assert_ne!(before, seen(&desk, 0), "{stroke:?}");
    }
    // a knob that is only pushed is told from one that is held by its release, and that by its rest
    desk.press(Key::Ack);
    let before = seen(&desk, 0);
    desk.panel.handle_stroke(desk.house.now, Stroke::Down(Key::Knob));
    desk.panel.handle_stroke(desk.house.now, Stroke::Up(Key::Knob));
    let due = desk.panel.next_timeout().expect("the release is looked at");
    assert!(due.since(desk.house.now) <= Duration::from_millis(100));
    desk.panel.handle_timeout(due);
    assert_ne!(before, seen(&desk, 0));
}

#[test]
fn every_alarm_kind_pulls_a_page_of_its_own() {
    for kind in AlarmKind::ALL {
        let mut play = super::at_home(&super::live(), Lang::En);
        let mut status = super::live();
        status.alarms = vec![super::alarm(kind, "lte1", &said::no_signal(), 1)];
        super::told(&mut play, status);

        assert_eq!(play.panel.place().screen, Screen::Alarms, "{kind:?}");
    }
}
