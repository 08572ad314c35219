use std::sync::Arc;
use std::time::Duration;

use livebox::event::{Agenda, Permissions, Talk};
use livebox::lang::{Lang, said};
use livebox::media::{Line, OutputId};
use livebox::message::{Ask, OutputState, Part, What};
use livebox::panel::{Format, Key, Light, Place, Play, Step, Stroke};

use super::stories::Desk;

#[test]
fn backup_is_armed_with_its_consequence_and_done_by_the_second_press_and_so_is_the_way_back() {
    let mut desk = Desk::with_backup();
    let active = |desk: &Desk| desk.house.control.orders().media.outputs.active;
    assert!(desk.panel.memory().locked, "it works under lock");

    desk.press(Key::Backup);
    assert!(desk.asked.is_empty());
    let text = desk.reads();
    assert!(text.contains("TO BACKUP?") && text.contains("cut at key picture"), "{text}");
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
    assert!(desk.reads().contains("viewers see nothing"), "{}", desk.reads());
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
fn of_three_lines_the_knob_chooses_which_one_audio_takes() {
    let mut play = super::at_home(&super::live(), Lang::En);
    let title = |play: &Play| play.panel.page(play.now, Format::Characters).head.left[0].clone();

    play.step(&Step::Press(Key::Audio));
    assert_eq!(title(&play), "SWAP TO LINE B?");
    play.step(&Step::Turn(1));
    assert_eq!(title(&play), "SWAP TO LINE H?");
    play.step(&Step::Turn(1));
    assert_eq!(title(&play), "SWAP TO LINE B?", "the one on air is passed over");
    play.step(&Step::Turn(-1));
    play.passes(Duration::from_millis(500));
    play.step(&Step::Press(Key::Audio));

    assert_eq!(play.asked.last().map(|command| command.ask), Some(Ask::Audio { line: Line::Embedded }));
}

#[test]
fn the_meters_follow_the_sound_ten_times_a_second() {
    let mut play = super::at_home(&super::live(), Lang::En);
    play.step(&Step::Turn(2));
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
    play.step(&Step::Turn(6));
    let page = format!("{:?}", play.panel.page(play.now, Format::Mono));
    assert!(page.contains("00:12:34") && page.contains("840/60 min"), "{page}");

    let mut status = super::live();
    status.recording.running = false;
    status.recording.trouble = Some(said::no_signal());
    super::told(&mut play, status);
    let page = format!("{:?}", play.panel.page(play.now, Format::Mono));
    assert!(page.contains("FAILS!"), "{page}");
    play.step(&Step::Press(Key::Ack));
    let home = format!("{:?}", play.panel.page(play.now, Format::Mono));
    assert!(home.contains("REC!"), "{home}");
}
