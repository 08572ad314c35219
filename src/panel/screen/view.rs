//! View: what every screen is made from, and the forms that they share.

use crate::alarm::Severity;
use crate::lang::Lang;
use crate::media::Line;
use crate::message::{InputStatus, Phase, Status, Tally, Verdict};
use crate::panel::memory::Memory;
use crate::panel::page::{Band, Head, Page, Tone};
use crate::panel::sheet::Format;
use crate::panel::words::Word;
use crate::time::{Duration, Instant};

/// Half a blink.
const BLINK: Duration = Duration::from_millis(500);

/// What every screen is made from.
#[derive(Debug, Clone, Copy)]
pub(in crate::panel) struct View<'v> {
    pub(in crate::panel) status: &'v Status,
    pub(in crate::panel) now: Instant,
    pub(in crate::panel) lang: Lang,
    pub(in crate::panel) memory: &'v Memory,
    /// Pattern of the console's address; may be empty.
    pub(in crate::panel) console: &'v str,
    /// The slate as the finger wants it, before Status says so.
    pub(in crate::panel) slate: bool,
    /// The display: a small one is told less at once.
    pub(in crate::panel) format: Format,
}

impl<'v> View<'v> {
    pub(in crate::panel) fn say(&self, word: Word) -> String {
        word.get(self.lang).to_owned()
    }

    /// The ground of every headline: lit on air, blinking when the live is harmed.
    pub(in crate::panel) fn band(&self) -> Band {
        if !matches!(self.status.phase, Phase::Live | Phase::Stopping) {
            Band::Dark
        } else if degraded(self.status) && self.now.as_millis() / BLINK.as_millis() as u64 % 2 == 1 {
            Band::Alert
        } else {
            Band::Air
        }
    }

    /// A page of a screen: its title, and what the operator must always see.
    pub(in crate::panel) fn page(&self, title: impl Into<String>) -> Page {
        let head = Head { left: vec![title.into()], right: self.flags(false), band: self.band() };
        Page { head, ..Page::default() }
    }

    /// On air, locked, tally, alarms: longest form first.
    pub(in crate::panel) fn flags(&self, home: bool) -> Vec<String> {
        let air = match self.status.phase {
            Phase::Live if !home => self.say(Word::OnAirMark),
            _ => String::new(),
        };
        let lock = if self.memory.locked { self.say(Word::Locked) } else { String::new() };
        let tally = match self.status.tally {
            Tally::Off => String::new(),
            Tally::Preview => self.say(Word::Preview),
            Tally::Program => self.say(Word::Program),
        };
        let alarms = match self.status.alarms.len() {
            0 => String::new(),
            count => format!("!{}", count.min(99)),
        };
        let join = |parts: &[&String]| {
            parts.iter().filter(|part| !part.is_empty()).map(|part| part.as_str()).collect::<Vec<_>>().join(" ")
        };
        let key = if self.memory.locked { "*".to_owned() } else { String::new() };
        vec![
            join(&[&tally, &air, &lock, &alarms]),
            join(&[&tally, &air, &key, &alarms]),
            join(&[&air, &key, &alarms]),
            join(&[&key, &alarms]),
        ]
    }

    pub(in crate::panel) fn input(&self, line: Line) -> Option<&'v InputStatus> {
        self.status.inputs.iter().find(|input| input.source == line.source())
    }
}

/// On air, and something harms it.
pub(in crate::panel) fn degraded(status: &Status) -> bool {
    let grave = |alarm: &crate::message::AlarmLine| matches!(alarm.severity, Severity::Critical | Severity::Major);
    status.phase == Phase::Live
        && (!status.programme.output_open
            || (status.programme.slate && !status.programme.slate_wanted)
            || status.programme.bitrate.verdict == Verdict::Bad
            || status.alarms.iter().any(grave))
}

/// `01:23:45`.
pub(in crate::panel) fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// One decimal, or a dash for what is not measured.
pub(in crate::panel) fn tenth(figure: Option<f64>) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.1}"))
}

/// No decimal, or a dash.
pub(in crate::panel) fn whole(figure: Option<f64>) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.0}"))
}

pub(in crate::panel) fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Good => Tone::Good,
        Verdict::Warn => Tone::Warn,
        Verdict::Bad => Tone::Bad,
        Verdict::Unknown => Tone::Faint,
    }
}

/// The verdict as a sign, for displays without colour: nothing if good.
pub(in crate::panel) fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good | Verdict::Unknown => "",
        Verdict::Warn => "~",
        Verdict::Bad => "!",
    }
}

/// `A` or `B`; `H` for what HDMI or SDI brings along.
pub(in crate::panel) fn letter(line: Line) -> char {
    match line {
        Line::A => 'A',
        Line::B => 'B',
        Line::Embedded => 'H',
    }
}
