//! Menu: what a key does where the operator stands.
//!
//! ```text
//!            ON AIR held 1 s / 3 s, knob held 1 s
//!   idle ─────────────────────────────────────────► Holding ── in time: done; let go: nothing
//!     │ AUDIO, BACKUP, or the knob on PICTURE
//!     ├───────────────────────────────────────────► Armed ── again: done; ACK, another key, 10 s: nothing
//!     │ NEXT: done at once
//!     └───────────────────────────────────────────► Armed ── again: taken back; 10 s, any other key: it stays
//! ```
//!
//! Nothing here stops a live but ON AIR, held.

use super::key::Key;
use super::memory::Memory;
use super::place::{Place, Screen};
use super::screen::{Armed, Holding, Setting};
use super::words::Word;
use crate::lang::{Lang, Text};
use crate::media::{Layout, Line, OutputId, SourceId};
use crate::message::{Ask, Phase, Status};
use crate::time::{Duration, Instant};

/// ON AIR is held so long to start: longer than a key is leant on by mistake.
pub const HOLD_TO_START: Duration = Duration::from_secs(1);

/// ON AIR is held so long to stop: viewers lose the programme, so there is time to read what happens.
pub const HOLD_TO_STOP: Duration = Duration::from_secs(3);

/// The knob is held so long to lock or unlock.
pub const HOLD_TO_LOCK: Duration = Duration::from_secs(1);

/// The knob's progress is shown from here on: a short push enters and shows no bar.
const SHOW_LOCKING: Duration = Duration::from_millis(300);

/// An unfinished action is forgotten after so long.
pub const EXPIRES: Duration = Duration::from_secs(10);

/// A second press within so short a time is the same press, under a glove.
pub const TWO_PRESSES: Duration = Duration::from_millis(300);

/// So long the panel says what it has to say; two short lines are read in it.
const NOTICE: Duration = Duration::from_secs(3);

/// Nobody has touched the panel for so long: home.
pub const IDLE: Duration = Duration::from_secs(60);

/// What is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Holding { what: Holding, since: Instant },
    Armed { what: Armed, since: Instant },
}

/// What the menu wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Ask(Ask),
    Remember(Memory),
}

/// What the menu has to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk<'d> {
    pub(super) status: &'d Status,
    pub(super) memory: &'d Memory,
    pub(super) lang: Lang,
    /// The slate as the finger wanted it last.
    pub(super) slate: bool,
}

impl Desk<'_> {
    fn has(&self, source: SourceId) -> bool {
        self.status.inputs.iter().any(|input| input.source == source)
    }

    fn lines(&self) -> Vec<Line> {
        Line::ALL.into_iter().filter(|line| self.has(line.source())).collect()
    }

    fn layouts(&self) -> Vec<Layout> {
        let shown = |layout: &Layout| SourceId::ALL.into_iter().all(|s| !layout.shows(s) || self.has(s));
        Layout::ALL.into_iter().filter(shown).collect()
    }
}

/// Where the operator stands, and what is not finished.
#[derive(Debug, Clone)]
pub(super) struct Menu {
    place: Place,
    entered: Instant,
    touched: Instant,
    act: Option<Act>,
    notice: Option<(Text, Instant)>,
    /// Sheet chosen by hand; else they turn by themselves.
    sheet: Option<usize>,
}

impl Menu {
    pub(super) fn new(now: Instant) -> Self {
        Self { place: Place::HOME, entered: now, touched: now, act: None, notice: None, sheet: None }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn entered(&self) -> Instant {
        self.entered
    }

    pub(super) fn sheet(&self) -> Option<usize> {
        self.sheet
    }

    /// What is held, and since when; a knob only pushed is not yet held.
    pub(super) fn held(&self, now: Instant) -> Option<(Holding, f64)> {
        match self.act {
            Some(Act::Holding { what, since }) => {
                let (held, needs) = (now - since, needs(what));
                let shown = !matches!(what, Holding::Lock | Holding::Unlock) || held >= SHOW_LOCKING;
                shown.then(|| (what, (held.as_secs_f64() / needs.as_secs_f64()).min(1.0)))
            }
            _ => None,
        }
    }

    /// What waits for a second press, and how long still.
    pub(super) fn armed(&self, now: Instant) -> Option<(Armed, Duration)> {
        match self.act {
            Some(Act::Armed { what, since }) => Some((what, since + EXPIRES - now)),
            _ => None,
        }
    }

    pub(super) fn busy(&self) -> bool {
        self.act.is_some()
    }

    pub(super) fn notice(&self) -> Option<&Text> {
        self.notice.as_ref().map(|(text, _)| text)
    }

    pub(super) fn says(&mut self, now: Instant, text: Text) {
        self.notice = Some((text, now + NOTICE));
    }

    pub(super) fn go(&mut self, now: Instant, place: Place) {
        self.place = place;
        self.entered = now;
        self.touched = now;
        self.sheet = None;
    }

    pub(super) fn press(&mut self, now: Instant, key: Key, desk: &Desk<'_>) -> Vec<Effect> {
        self.touched = now;
        self.notice = None;
        let before = self.act.take();
        match key {
            Key::OnAir => self.press_on_air(now, desk),
            Key::Backup => return self.press_backup(now, desk, before),
            Key::Next => return self.press_next(now, desk, before),
            Key::Audio => return self.press_audio(now, desk, before),
            Key::Slate => return vec![Effect::Ask(Ask::Slate { on: !desk.slate })],
            Key::Ack => {
                self.go(now, Place::HOME);
                let unseen = desk.status.alarms.iter().any(|alarm| !alarm.acknowledged);
                return if unseen { vec![Effect::Ask(Ask::Acknowledge)] } else { Vec::new() };
            }
            Key::Knob => {
                let what = if desk.memory.locked { Holding::Unlock } else { Holding::Lock };
                self.act = match before {
                    // its second push may be the one that does it
                    Some(Act::Armed { what: Armed::Layout(_), .. }) => before,
                    _ => Some(Act::Holding { what, since: now }),
                };
            }
        }
        Vec::new()
    }

    fn press_on_air(&mut self, now: Instant, desk: &Desk<'_>) {
        if desk.memory.locked {
            self.says(now, Word::IsLocked.text());
            return;
        }
        // what was begun as a start never ends as a stop, whatever happens meanwhile
        let what = match desk.status.phase {
            Phase::Standby | Phase::Stopping => Holding::Start,
            Phase::Starting | Phase::Live => Holding::Stop,
        };
        self.go(now, Place::HOME);
        self.act = Some(Act::Holding { what, since: now });
    }

    fn press_audio(&mut self, now: Instant, desk: &Desk<'_>, before: Option<Act>) -> Vec<Effect> {
        if let Some(Act::Armed { what: Armed::Audio(line), since }) = before {
            if now - since < TWO_PRESSES {
                self.act = before;
                return Vec::new();
            }
            self.go(now, Place::HOME);
            return vec![Effect::Ask(Ask::Audio { line })];
        }
        match desk.lines().into_iter().find(|line| *line != desk.status.programme.line) {
            Some(other) => self.act = Some(Act::Armed { what: Armed::Audio(other), since: now }),
            None => self.says(now, Word::OneLine.text()),
        }
        Vec::new()
    }

    fn press_backup(&mut self, now: Instant, desk: &Desk<'_>, before: Option<Act>) -> Vec<Effect> {
        if let Some(Act::Armed { what: Armed::Output(output), since }) = before {
            if now - since < TWO_PRESSES {
                self.act = before;
                return Vec::new();
            }
            self.go(now, Place::HOME);
            return vec![Effect::Ask(Ask::Activate { output })];
        }
        let outputs = &desk.status.outputs;
        let active = outputs.iter().any(|output| output.name == OutputId::Backup && output.active);
        let other = if active { OutputId::Main } else { OutputId::Backup };
        if outputs.iter().any(|output| output.name == OutputId::Backup) {
            self.act = Some(Act::Armed { what: Armed::Output(other), since: now });
        } else {
            self.says(now, Word::NoBackup.text());
        }
        Vec::new()
    }

    /// One press marks, another one within ten seconds takes it back.
    fn press_next(&mut self, now: Instant, desk: &Desk<'_>, before: Option<Act>) -> Vec<Effect> {
        if let Some(Act::Armed { what: Armed::Spoken { .. }, since }) = before {
            if now - since < TWO_PRESSES {
                self.act = before;
                return Vec::new();
            }
            self.says(now, Word::Undone.text());
            return vec![Effect::Ask(Ask::UndoSpeaker)];
        }
        let what = Armed::Spoken { from: desk.status.agenda.number };
        self.act = Some(Act::Armed { what, since: now });
        vec![Effect::Ask(Ask::NextSpeaker)]
    }

    /// The key came up after it was held for so long.
    pub(super) fn release(&mut self, now: Instant, key: Key, held: Duration, desk: &Desk<'_>) -> Vec<Effect> {
        match (key, self.act) {
            (Key::OnAir, Some(Act::Holding { what: what @ (Holding::Start | Holding::Stop), .. })) => {
                self.act = None;
                let words = if what == Holding::Start { Word::LetGoStart } else { Word::LetGoStop };
                self.says(now, words.text());
                Vec::new()
            }
            (Key::Knob, Some(Act::Holding { .. })) => {
                self.act = None;
                self.push(now, desk)
            }
            (Key::Knob, Some(Act::Armed { what: Armed::Layout(layout), since }))
                if now - since >= TWO_PRESSES + held =>
            {
                self.act = None;
                self.go(now, Place::HOME);
                vec![Effect::Ask(Ask::Layout { layout })]
            }
            _ => Vec::new(),
        }
    }

    /// The knob was pushed shortly: enters, or changes what is chosen.
    fn push(&mut self, now: Instant, desk: &Desk<'_>) -> Vec<Effect> {
        let inside = |screen| Place { screen, inside: Some(0) };
        match (self.place.screen, self.place.inside) {
            // one press from home to the way into the console
            (Screen::Home, _) => self.go(now, inside(Screen::Access)),
            (screen @ (Screen::Links | Screen::Access | Screen::Settings | Screen::Alarms), None) => {
                self.go(now, inside(screen));
            }
            (Screen::Settings, Some(index)) => return self.change(now, index, desk),
            (screen @ (Screen::Links | Screen::Access | Screen::Alarms), Some(_)) => self.go(now, Place::at(screen)),
            (Screen::Picture, _) => self.arm_layout(now, desk),
            (Screen::Audio | Screen::Agenda | Screen::Outputs | Screen::Health, _) => {
                self.sheet = Some(self.sheet.map_or(1, |sheet| sheet + 1))
            }
        }
        Vec::new()
    }

    fn arm_layout(&mut self, now: Instant, desk: &Desk<'_>) {
        if desk.memory.locked {
            self.says(now, Word::IsLocked.text());
            return;
        }
        match beside(&desk.layouts(), desk.status.programme.layout, 1, desk.status.programme.layout) {
            Some(layout) => self.act = Some(Act::Armed { what: Armed::Layout(layout), since: now }),
            None => self.says(now, Word::OneLayout.text()),
        }
    }

    fn change(&mut self, now: Instant, index: usize, desk: &Desk<'_>) -> Vec<Effect> {
        if desk.memory.locked {
            self.says(now, Word::IsLocked.text());
            return Vec::new();
        }
        let mut memory = *desk.memory;
        match Setting::ALL[index.min(Setting::ALL.len() - 1)] {
            Setting::Language => memory.lang = Some(if desk.lang == Lang::Zh { Lang::En } else { Lang::Zh }),
            Setting::Buzzer => memory.buzzer = !memory.buzzer,
            Setting::Brightness => memory.brightness = memory.brightness % Memory::BRIGHTEST + 1,
        }
        vec![Effect::Remember(memory)]
    }

    pub(super) fn turn(&mut self, now: Instant, clicks: i32, desk: &Desk<'_>) {
        self.touched = now;
        self.notice = None;
        match self.act {
            Some(Act::Armed { what: Armed::Layout(layout), .. }) => {
                let next = beside(&desk.layouts(), layout, clicks, desk.status.programme.layout);
                self.act = next.map(|layout| Act::Armed { what: Armed::Layout(layout), since: now });
                return;
            }
            // of three lines the knob chooses which
            Some(Act::Armed { what: Armed::Audio(line), .. }) => {
                let next = beside(&desk.lines(), line, clicks, desk.status.programme.line);
                self.act = next.map(|line| Act::Armed { what: Armed::Audio(line), since: now });
                return;
            }
            // a knob that turns a little while it is held still locks
            Some(Act::Holding { .. }) => return,
            Some(Act::Armed { .. }) => self.act = None,
            None => {}
        }
        let place = self.place;
        match place.inside {
            None | Some(_) if matches!(place.screen, Screen::Access) => {
                self.go(now, Place::at(Screen::Access.turned(clicks)));
            }
            None => self.go(now, Place::at(place.screen.turned(clicks))),
            Some(index) => {
                let count = match place.screen {
                    Screen::Links => desk.status.links.len(),
                    Screen::Alarms => desk.status.alarms.len(),
                    _ => Setting::ALL.len(),
                };
                let most = i64::try_from(count.saturating_sub(1)).unwrap_or(0);
                let to = (index as i64 + i64::from(clicks)).clamp(0, most);
                self.go(now, Place { screen: place.screen, inside: usize::try_from(to).ok() });
            }
        }
    }

    /// Holds that are complete, and what has expired.
    pub(super) fn handle_timeout(&mut self, now: Instant, desk: &Desk<'_>, stay: bool) -> Vec<Effect> {
        if self.notice.as_ref().is_some_and(|(_, until)| now >= *until) {
            self.notice = None;
        }
        match self.act {
            Some(Act::Holding { what, since }) if now >= since + needs(what) => {
                self.act = None;
                self.touched = now;
                return self.complete(now, what, desk);
            }
            Some(Act::Armed { what, since }) if now >= since + EXPIRES => {
                self.act = None;
                // the next speaker has begun: nothing was left undone
                if !matches!(what, Armed::Spoken { .. }) {
                    self.says(now, Word::Expired.text());
                }
            }
            _ => {}
        }
        if self.act.is_none() && self.place != Place::HOME && !stay && now >= self.touched + IDLE {
            self.go(now, Place::HOME);
        }
        Vec::new()
    }

    fn complete(&mut self, now: Instant, what: Holding, desk: &Desk<'_>) -> Vec<Effect> {
        let lock = |locked| vec![Effect::Remember(Memory { locked, ..*desk.memory })];
        match what {
            Holding::Start => vec![Effect::Ask(Ask::Start)],
            Holding::Stop => vec![Effect::Ask(Ask::Stop)],
            Holding::Lock => {
                self.says(now, Word::NowLocked.text());
                lock(true)
            }
            Holding::Unlock => {
                self.says(now, Word::NowUnlocked.text());
                lock(false)
            }
        }
    }

    /// When [`Menu::handle_timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let notice = self.notice.as_ref().map(|(_, until)| *until);
        let act = self.act.map(|act| match act {
            Act::Holding { what, since } => since + needs(what),
            Act::Armed { since, .. } => since + EXPIRES,
        });
        let idle = (self.place != Place::HOME).then(|| self.touched + IDLE);
        [notice, act, idle].into_iter().flatten().min()
    }
}

fn needs(what: Holding) -> Duration {
    match what {
        Holding::Start => HOLD_TO_START,
        Holding::Stop => HOLD_TO_STOP,
        Holding::Lock | Holding::Unlock => HOLD_TO_LOCK,
    }
}

/// What stands so many clicks beside this one, the one on air passed over; none if it is the only one.
fn beside<T: Copy + PartialEq>(all: &[T], from: T, clicks: i32, on_air: T) -> Option<T> {
    let at = all.iter().position(|one| *one == from)? as i64;
    let step = |by: i64| all[(at + by).rem_euclid(all.len() as i64) as usize];
    let first = i64::from(clicks);
    let onward = if clicks < 0 { first - 1 } else { first + 1 };
    [first, onward].map(step).into_iter().find(|one| *one != on_air)
}
