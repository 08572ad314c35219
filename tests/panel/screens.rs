use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use embedded_graphics::Pixel;
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Size};
use livebox::alarm::AlarmKind;
use livebox::bond::LinkPhase;
use livebox::event::Permissions;
use livebox::lang::{Lang, Text, said};
use livebox::media::line::{Fault, Leads};
use livebox::message::{
    AgendaStatus, LineFault, OutputState, Phase, Reading, RecordingStatus, ReductionStatus, Status, TalkStatus, Tally,
    Verdict,
};
use livebox::panel::{
    Format, Ink, Key, Light, Page, Picture, Play, Script, Step, misfits, on_points, picture, png, sheets, silent,
};
use livebox::time::Instant;
use livebox::units::{Bytes, Celsius, Percent};

use super::{NOW, alarm, at_home, blessing, degraded, kept, live, ready, root, told};

/// A screen by name: what the box tells, and what a hand does.
type Scene = (&'static str, fn() -> Status, &'static str);

/// Every screen of the panel.
pub(super) const SCENES: [Scene; 32] = [
    ("home-ready", ready, ""),
    ("home-live", live, ""),
    ("home-harmed", degraded, ""),
    ("home-slate", slated, ""),
    ("links", degraded, "turn 1"),
    ("link", live, "turn 1\npress knob\nturn 1"),
    ("audio", live, "turn 2"),
    ("audio-fault", degraded, "turn 2"),
    ("picture", live, "turn 3"),
    ("agenda", live, "turn 4"),
    ("agenda-none", plain, "turn 4"),
    ("outputs", live, "turn 5"),
    ("outputs-fault", degraded, "turn 5"),
    ("health", live, "turn 6"),
    ("health-idle", plain, "turn 6"),
    ("access", live, "turn 7"),
    ("code", live, "press knob"),
    ("settings", live, "turn 8"),
    ("settings-choose", live, "turn 8\npress knob\nturn 1"),
    ("alarm", degraded, "turn -1"),
    ("alarm-none", live, "turn -1"),
    ("start-held", ready, "hold on_air 600ms"),
    ("stop-held", live, "hold on_air 1800ms"),
    ("lock-held", live, "hold knob 600ms"),
    ("audio-armed", live, "press audio"),
    ("audio-armed-silent", half_silent, "press audio"),
    ("picture-armed", live, "turn 3\npress knob"),
    ("locked", locked, "press on_air"),
    ("backup-armed", live, "press backup"),
    ("backup-armed-fault", degraded, "press backup"),
    ("no-backup", plain, "press backup"),
    ("next", live, "press next"),
];

fn slated() -> Status {
    let mut status = live();
    (status.programme.slate, status.programme.slate_wanted) = (true, true);
    status.tally = Tally::Program;
    status
}

/// On air without an agenda and without a recording.
fn plain() -> Status {
    let mut status = live();
    (status.recording, status.agenda) = (RecordingStatus::default(), AgendaStatus::default());
    status.outputs.truncate(1);
    status
}

fn half_silent() -> Status {
    let mut status = live();
    status.inputs[3].present = false;
    status.inputs[3].level = None;
    status
}

fn locked() -> Status {
    live()
}

/// The panel as a scene leaves it; what is held is still held.
pub(super) fn played((name, status, hand): Scene, lang: Lang) -> Play {
    told_and_played((name, &status(), hand), lang)
}

fn told_and_played((name, status, hand): (&str, &Status, &str), lang: Lang) -> Play {
    let mut play = at_home(status, lang);
    if name == "locked" {
        play.step(&Step::Hold(Key::Knob, Duration::from_millis(1100)));
    }
    for step in Script::read(name, hand).unwrap().steps {
        match step {
            Step::Hold(key, time) => {
                play.panel.handle_stroke(play.now, livebox::panel::Stroke::Down(key));
                play.passes(time);
            }
            other => play.step(&other),
        }
    }
    // the blink's first half, and the first part of a long sentence
    let phase = Duration::from_millis(4000 - play.now.as_millis() % 4000);
    if !name.ends_with("held") && !["locked", "no-backup", "next", "backup-armed", "backup-armed-fault"].contains(&name)
    {
        play.passes(phase);
    }
    play
}

/// Where a picture of a scene lies.
pub(super) fn file(name: &str, lang: Lang, format: Format, sheet: usize) -> String {
    let tongue = if lang == Lang::Zh { "zh" } else { "en" };
    let more = if sheet == 0 { String::new() } else { format!("-{}", sheet + 1) };
    format!("tests/snapshots/panel/{name}-{}-{tongue}{more}.png", format.name())
}

/// Languages that a display shows.
pub(super) fn tongues(format: Format) -> &'static [Lang] {
    if format == Format::Characters { &[Lang::En] } else { &[Lang::Zh, Lang::En] }
}

fn pictures(page: &Page, format: Format) -> Vec<Picture> {
    let count = if page.code.is_some() && format != Format::Characters { 1 } else { sheets(page, format) };
    (0..count).map(|sheet| picture(page, format, sheet, Instant::ZERO)).collect()
}

#[test]
fn every_screen_looks_as_it_was_agreed_in_every_language_on_every_display() {
    let mut different = Vec::new();
    let mut shown = BTreeSet::new();
    let mut check = |name: &str, page: &Page, lang: Lang, format: Format| {
        for (sheet, picture) in pictures(page, format).iter().enumerate() {
            let path = file(name, lang, format, sheet);
            let scale = if format == Format::Colour { 1 } else { 2 };
            let bytes = png(picture, scale);
            shown.insert(root().join(&path));
            assert!(bytes.len() < 8192, "{path} has {} bytes", bytes.len());
            if !kept(&root().join(&path), &bytes, |there| points(there) == points(&bytes)) {
                different.push(path);
            }
        }
    };

    for format in Format::ALL {
        for lang in tongues(format) {
            for scene in SCENES {
                let play = played(scene, *lang);
                check(scene.0, &play.panel.page(play.now, format), *lang, format);
            }
            check("restarting", &silent(*lang, Duration::from_secs(7)), *lang, format);
        }
    }

    for file in std::fs::read_dir(root().join("tests/snapshots/panel")).unwrap().map(|file| file.unwrap().path()) {
        if !shown.contains(&file) && blessing() {
            std::fs::remove_file(&file).unwrap();
        } else if !shown.contains(&file) {
            different.push(format!("{} is of no screen", file.display()));
        }
    }
    assert!(different.is_empty(), "drawn otherwise; if it is meant so, LIVEBOX_BLESS=1: {different:#?}");
}

#[test]
fn no_string_is_cut_on_any_screen_in_any_language_on_any_display() {
    let mut wrong = Vec::new();
    let mut looked = 0;

    for format in Format::ALL {
        for lang in tongues(format) {
            for scene in SCENES {
                for status in [(scene.1)(), longest(), empty()] {
                    let play = told_and_played((scene.0, &status, scene.2), *lang);
                    let page = play.panel.page(play.now, format);
                    looked += 1;
                    for text in misfits(&page, format) {
                        wrong.push(format!("{} {} {lang:?}: {text}", scene.0, format.name()));
                    }
                    for sheet in 0..sheets(&page, format) {
                        let mut glass = Strict(format, 0);
                        let Ok(()) = on_points(&mut glass, &page, format, sheet, play.now);
                        if format != Format::Characters && glass.1 > 0 {
                            wrong.push(format!(
                                "{} {} {lang:?} sheet {sheet}: {} points outside",
                                scene.0,
                                format.name(),
                                glass.1
                            ));
                        }
                    }
                }
            }
        }
    }

    assert!(looked > 300, "{looked}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_alarm_of_the_catalog_is_shown_whole_with_its_advice() {
    let mut wrong = Vec::new();

    for kind in AlarmKind::ALL {
        for subject in ["camera", "mixer_b", "a-slot-of-16-chr"] {
            let mut status = live();
            status.alarms = vec![alarm(kind, subject, &said::no_video_device("usb-0000:00:14.0-1.4.2"), 359_999)];
            for format in Format::ALL {
                for lang in tongues(format) {
                    let mut play = at_home(&live(), *lang);
                    told(&mut play, status.clone());
                    let page = play.panel.page(play.now, format);
                    assert!(page.items.len() >= 4, "{kind:?} did not pull its page");
                    wrong.extend(misfits(&page, format));
                }
            }
        }
    }

    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_string_that_would_be_cut_is_found() {
    let mut page = silent(Lang::En, Duration::from_secs(7));
    assert!(misfits(&page, Format::Mono).is_empty());

    page.head.left = vec!["a headline that is longer than any display".to_owned()];

    assert!(Format::ALL.iter().all(|format| misfits(&page, *format).len() == 1));
}

#[test]
fn sixteen_uplinks_fit_and_a_dead_one_looks_otherwise() {
    for format in Format::ALL {
        let mut status = live();
        let spare = status.links[1].clone();
        status.links.resize(16, spare);
        let alive = at_home(&status, Lang::En);
        status.links[15].phase = LinkPhase::Suspect;
        let dead = at_home(&status, Lang::En);

        let seen = |play: &Play| play.panel.picture(NOW, format);
        assert_ne!(seen(&alive), seen(&dead), "{format:?}");
    }
}

#[test]
fn the_lit_headline_blinks_while_the_live_is_harmed_and_stands_still_while_it_is_not() {
    for (status, blinks) in [(live(), false), (degraded(), true)] {
        let play = at_home(&status, Lang::Zh);
        let band = |millis| play.panel.page(play.now + Duration::from_millis(millis), Format::Mono).head.band;

        assert_eq!(band(0) != band(500), blinks);
        assert_eq!(band(0), band(1000));
    }
}

#[test]
fn what_is_harmed_is_told_by_words_and_rhythm_and_not_by_colour_alone() {
    let play = at_home(&degraded(), Lang::En);
    let lamps = play.panel.lamps(play.now);

    assert_eq!((lamps["on_air"], lamps["on_air_white"]), (Light::Slow, Light::Counter));
    assert_eq!((lamps["ack"], lamps["mixer_a"]), (Light::Quick, Light::Slow));
    assert_eq!((lamps["link_wired"], lamps["link_lte3"], lamps["link_lte5"]), (Light::Off, Light::Quick, Light::Slow));
    let lines: Vec<_> = (0..4).map(|y| text(&play, y)).collect();
    assert!(lines[0].starts_with("ON AIR 01:23:4"), "{lines:?}");
    assert!(lines[1].contains("3.1/4.9M~"), "{lines:?}");
    assert!(lines[2].starts_with("axB"), "{lines:?}");
    assert!(lines[2].contains("Wx1") && lines[2].contains("3x") && lines[2].contains("5-"), "{lines:?}");
}

fn text(play: &Play, row: usize) -> String {
    let now = Instant::from_millis(play.now.as_millis() / 4000 * 4000);
    match play.panel.picture(now, Format::Characters) {
        Picture::Characters(grid) => grid.row(row),
        other => panic!("{other:?}"),
    }
}

/// The longest of everything that Status can hold.
fn longest() -> Status {
    let mut status = degraded();
    status.at = NOW;
    status.since = Instant::ZERO;
    status.device = "a-device-name-of-32-characters-x".to_owned();
    let far = Reading { measured: Some(8888.8), wanted: Some(8888.8), verdict: Verdict::Bad };
    (status.programme.bitrate, status.programme.fps, status.programme.safe_rate) = (far, far, far);
    (status.programme.slate, status.tally) = (true, Tally::Program);
    for (n, link) in status.links.iter_mut().enumerate() {
        link.slot = format!("a-slot-of-16-ch{n}");
        link.interface = Some("enxabcdefabcdef".to_owned());
        link.address = Some("255.255.255.255".to_owned());
        link.phase = [LinkPhase::Up, LinkPhase::Registering, LinkPhase::Suspect][n % 3];
        (link.rtt_ms, link.loss, link.rate_mbit, link.capacity_mbit) = (Some(99_999.0), 1.0, 888.88, 888.88);
        (link.sent_bytes, link.metered) = (u64::MAX / 1000, n % 2 == 0);
    }
    let spare = status.links[0].clone();
    status.links.resize(16, spare);
    for input in &mut status.inputs {
        input.level = (!input.source.is_picture()).then_some(-120.0);
        input.detail = said::video(
            "YUYV 3840x2160@60",
            "a card with a name as long as kernels allow it",
            "usb-0000:00:14.0-1.4.2.1",
        );
    }
    if let Some(sample) = &mut status.health {
        (sample.cpu, sample.memory) = (Percent(100.0), Percent(100.0));
        (sample.temperature, sample.uptime) = (Some(Celsius(125.0)), 99_999 * 3600 + 59 * 60);
        (sample.disk_free, sample.disk_total) = (Bytes(99_999_999_999_999), Bytes(99_999_999_999_999));
    }
    for line in &mut status.sound.lines {
        line.leads = Leads::LeftOnly;
        line.faults = Fault::ALL.map(|fault| LineFault { fault, since_s: 1.0, confidence: 1.0 }).to_vec();
    }
    let mut levels = live().sound.programme.unwrap();
    (levels.peak.0, levels.true_peak.0) = (-120.0, -120.0);
    (levels.momentary, levels.short_term, levels.integrated) = (Some(-119.9), Some(-119.9), Some(-119.9));
    for line in &mut status.sound.lines {
        line.levels = Some(levels);
    }
    (status.sound.programme, status.sound.mute, status.sound.switched) = (Some(levels), true, true);
    status.recording.running = false;
    status.recording.segments = u32::MAX;
    status.recording.room_min.measured = Some(9_999_999.0);
    status.recording.trouble = Some(said::no_video_device("/var/lib/livebox/recordings/a-disk-with-a-long-name"));
    let talk = TalkStatus {
        speaker: "司马相如·阿卜杜热西提·Maximilian-Alexander von Hohenzollern-Sigmaringen".to_owned(),
        title: "A title of the kind that congresses print over three lines of their programme，以及它的中文译名"
            .to_owned(),
        clock: "09:30–10:15".to_owned(),
        allowed: Permissions { record: false, stream: false, publish: false },
        ..TalkStatus::default()
    };
    for output in &mut status.outputs {
        (output.state, output.dumped, output.bitrate) = (OutputState::Failed, true, far);
        output.delay = Reading { measured: Some(60.0), wanted: Some(60.0), verdict: Verdict::Warn };
        output.why = said::no_video_device("a-destination-with-a-long-name.example:65535");
    }
    let why = said::no_signal();
    status.reductions = ["preview", "upload", "slides", "backup", "main"]
        .map(|what| ReductionStatus { what: what.to_owned(), since: NOW, why: why.clone() })
        .to_vec();
    (status.agenda.talks, status.agenda.number) = (999, 998);
    (status.agenda.now, status.agenda.next) = (Some(talk.clone()), Some(talk));
    let long = Text::raw("a-detail-without-any-space-that-is-longer-than-a-row-of-any-display-of-the-house");
    status.alarms = (0..150).map(|n| alarm(AlarmKind::SourceLost, "mixer_b", &long, 359_999 + n)).collect();
    status
}

/// As little as Status can hold.
fn empty() -> Status {
    let mut status = ready();
    (status.links, status.inputs, status.health) = (Vec::new(), Vec::new(), None);
    (status.sound, status.recording, status.agenda) = Default::default();
    status.outputs = Vec::new();
    let none = Reading { measured: None, wanted: None, verdict: Verdict::Unknown };
    (status.programme.bitrate, status.programme.fps, status.programme.safe_rate) = (none, none, none);
    status.phase = Phase::Stopping;
    status
}

/// Size and points of a PNG.
fn points(bytes: &[u8]) -> Option<(u32, u32, Vec<u8>)> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().ok()?;
    let mut out = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut out).ok()?;
    Some((info.width, info.height, out))
}

/// Counts what would have been drawn outside.
struct Strict(Format, usize);

impl OriginDimensions for Strict {
    fn size(&self) -> Size {
        if self.0 == Format::Colour { Size::new(320, 240) } else { Size::new(128, 64) }
    }
}

impl DrawTarget for Strict {
    type Color = Ink;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Ink>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let size = self.size();
        let inside = |x: i32, y: i32| {
            (0..size.width).contains(&u32::try_from(x).unwrap_or(u32::MAX))
                && (0..size.height).contains(&u32::try_from(y).unwrap_or(u32::MAX))
        };
        self.1 += pixels.into_iter().filter(|Pixel(at, _)| !inside(at.x, at.y)).count();
        Ok(())
    }
}

/// For the manual: the files of a scene that are there.
pub(super) fn files(name: &str, lang: Lang, format: Format) -> Vec<PathBuf> {
    let all = (0..40).map(|sheet| PathBuf::from(file(name, lang, format, sheet)));
    all.take_while(|path| root().join(path).exists()).collect()
}
