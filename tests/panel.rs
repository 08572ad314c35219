//! The front panel: what is seen, what a hand does, and what travels to the displays.
//!
//! `LIVEBOX_BLESS=1` writes the pictures and the generated parts of the manual anew.

/// The bytes on the bus, read by models of the chips.
mod glass;
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
use livebox::lang::{Lang, Text, said};
use livebox::media::Line;
use livebox::message::{AlarmLine, Phase, Status, Verdict};
use livebox::panel::{Memory, Panel, Play, Setup};
use livebox::time::Instant;

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
    status
}

fn ready() -> Status {
    let mut status = live();
    status.phase = Phase::Standby;
    status.since = Instant::from_millis(4_000_000);
    status.programme.output_open = false;
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
