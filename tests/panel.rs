//! The front panel: what is seen, what a hand does, and what travels to the displays.
//!
//! `LIVEBOX_BLESS=1` writes the pictures and the generated parts of the manual anew.

/// The bytes on the bus, read by models of the chips.
mod glass;
/// The live page in a headless Chromium, pressed as a hand would.
#[cfg(feature = "gstreamer")]
mod page;
/// Every screen, in every language, on every display.
mod screens;
/// What happens when a hand does this.
mod stories;
/// The ten commonest tasks, and the manual.
mod tasks;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use livebox::alarm::AlarmKind;
use livebox::bond::LinkPhase;
use livebox::event::Permissions;
use livebox::lang::{Lang, Text, said};
use livebox::media::line::{Fault, Leads};
use livebox::media::meter::Levels;
use livebox::media::{Line, OutputId, Scheme};
use livebox::message::{
    AgendaStatus, AlarmLine, LineFault, LineStatus, OutputState, OutputStatus, Phase, Reading, RecordingStatus,
    ReductionStatus, SoundStatus, Status, TalkStatus, Verdict,
};
use livebox::panel::{Memory, Panel, Play, Setup};
use livebox::time::Instant;
use livebox::units::Dbfs;

use crate::standing::standing;

/// Where the box of these tests begins: an hour and a bit after its start.
const NOW: Instant = Instant::from_millis(5_025_000);

fn live() -> Status {
    let mut status = standing("hall-1");
    status.phase = Phase::Live;
    status.at = NOW;
    status.programme.output_open = true;
    status.programme.safe_rate.wanted = Some(6.1);
    for (n, link) in status.links.iter_mut().enumerate() {
        link.rate_mbit = [4.2, 2.1, 1.9, 0.4, 2.0, 0.1, 1.2][n];
    }
    status.sound = sound();
    status.recording = RecordingStatus {
        wanted: true,
        running: true,
        since: Some(NOW.before(Duration::from_secs(754))),
        file: Some("main-hall/20260504/0930-wang-wei.ts".to_owned()),
        bytes: 470_000_000,
        segments: 3,
        rate_mbit: Some(5.0),
        room_min: Reading { measured: Some(840.0), wanted: Some(60.0), verdict: Verdict::Good },
        ..RecordingStatus::default()
    };
    status.agenda = agenda();
    status.outputs = outputs();
    status
}

/// The bond, a second encode over SRT, and a destination that takes either.
fn outputs() -> Vec<OutputStatus> {
    let reading = |measured, wanted| Reading { measured: Some(measured), wanted, verdict: Verdict::Good };
    let open = |name, scheme, bitrate| OutputStatus {
        state: OutputState::Open,
        bitrate,
        delay: reading(0.0, Some(0.0)),
        ..OutputStatus::idle(name, scheme)
    };
    vec![
        open(OutputId::Main, Scheme::Bond, reading(4.8, Some(4.9))),
        open(OutputId::Backup, Scheme::Srt, reading(1.6, Some(1.6))),
        open(OutputId::Programme, Scheme::Rtmp, reading(4.8, None)),
    ]
}

/// Both lines in order, line B a little quieter.
fn sound() -> SoundStatus {
    let levels = |peak: f64, loud: f64| Levels {
        peak: Dbfs(peak),
        true_peak: Dbfs(peak + 0.7),
        rms: Dbfs(peak - 9.0),
        momentary: Some(loud + 0.8),
        short_term: Some(loud),
        integrated: Some(loud + 0.4),
    };
    let line = |line, peak, loud| LineStatus {
        line,
        levels: Some(levels(peak, loud)),
        leads: Leads::default(),
        ppm: Some(12.0),
        gain_db: 0.0,
        delay_ms: 0,
        faults: Vec::new(),
    };
    SoundStatus {
        lines: vec![line(Line::A, -14.0, -23.4), line(Line::B, -15.2, -24.1)],
        programme: Some(levels(-13.8, -23.1)),
        auto_switch: true,
        ..SoundStatus::default()
    }
}

/// The second of seven talks.
fn agenda() -> AgendaStatus {
    let talk = |speaker: &str, title: &str, clock: &str, publish| TalkStatus {
        speaker: speaker.to_owned(),
        title: title.to_owned(),
        clock: clock.to_owned(),
        allowed: Permissions { publish, ..Permissions::default() },
        ..TalkStatus::default()
    };
    AgendaStatus {
        event: "年会".to_owned(),
        hall: "主会场".to_owned(),
        talks: 7,
        number: 2,
        now: Some(talk("王伟", "临床研究中的伦理", "09:30–10:15", true)),
        next: Some(talk("Li Ming", "Imaging at the bedside", "10:15–11:00", false)),
        ..AgendaStatus::default()
    }
}

fn ready() -> Status {
    let mut status = live();
    status.phase = Phase::Standby;
    status.since = Instant::from_millis(4_000_000);
    status.programme.output_open = false;
    (status.recording.wanted, status.recording.running) = (false, false);
    status
}

fn degraded() -> Status {
    let mut status = live();
    status.programme.line = Line::B;
    status.programme.bitrate.measured = Some(3.1);
    status.programme.bitrate.verdict = Verdict::Warn;
    status.links[0].phase = LinkPhase::Down;
    status.links[3].phase = LinkPhase::Suspect;
    status.links[5].phase = LinkPhase::Probing;
    status.inputs[2].present = false;
    status.inputs[2].level = None;
    status.inputs[2].detail = said::no_sound();
    status.sound.lines[0].levels = None;
    status.sound.lines[1].faults = vec![LineFault { fault: Fault::Hum, since_s: 5000.0, confidence: 0.9 }];
    status.sound.switched = true;
    status.outputs[1].state = OutputState::Failed;
    status.outputs[1].why = said::no_signal();
    status.reductions =
        vec![ReductionStatus {
            what: "preview".to_owned(), since: NOW, why: Text::new("带宽不足", "too little room")
        }];
    status.alarms = vec![
        alarm(AlarmKind::SourceLost, "mixer_a", &said::no_sound(), 17),
        alarm(AlarmKind::UplinkDown, "wired", &Text::raw("eth0"), 40),
    ];
    status
}

fn alarm(kind: AlarmKind, subject: &str, detail: &Text, seconds: u64) -> AlarmLine {
    AlarmLine {
        kind,
        subject: subject.to_owned(),
        severity: kind.severity(true),
        since: NOW.before(Duration::from_secs(seconds)),
        text: kind.text(subject, detail),
        advice: kind.advice(subject, detail),
        acknowledged: false,
    }
}

/// A panel at its home screen, told this; alarms that stand already have had their turn.
fn at_home(status: &Status, lang: Lang) -> Play {
    let setup = Setup { lang, console: "http://{address}:8080/#{name}".to_owned() };
    let memory = Memory { locked: false, ..Memory::default() };
    let mut play = Play::new(Panel::new(NOW, setup, Some(memory)), NOW);
    let quiet = Status { alarms: Vec::new(), ..status.clone() };
    play.status = Some(Arc::new(quiet));
    play.passes(Duration::from_millis(50));
    play.status = Some(Arc::new(status.clone()));
    play.passes(Duration::from_millis(50));
    if !status.alarms.is_empty() {
        play.step(&livebox::panel::Step::Press(livebox::panel::Key::Ack));
        play.asked.clear();
    }
    play
}

fn told(play: &mut Play, status: Status) {
    play.status = Some(Arc::new(status));
    play.passes(Duration::from_millis(50));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn blessing() -> bool {
    std::env::var_os("LIVEBOX_BLESS").is_some()
}

/// Compares with what is kept, or keeps it.
fn kept(file: &Path, bytes: &[u8], same: impl Fn(&[u8]) -> bool) -> bool {
    if blessing() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        if !fs::read(file).is_ok_and(|there| same(&there)) {
            fs::write(file, bytes).unwrap();
        }
    }
    fs::read(file).is_ok_and(|there| same(&there))
}
