//! Panel: keys and Status in; a page, lamps and Commands out.
//!
//! In goes what a hand does ([`Panel::handle_stroke`]), what control tells ([`Panel::handle_status`],
//! [`Panel::handle_answer`]) and the time ([`Panel::handle_timeout`]). Out come [`Panel::page`], which
//! [`picture`] draws for any display, [`Panel::lamps`], [`Panel::poll_command`], and
//! [`Panel::memory`], which has to outlive a power cut.
//!
//! ```text
//!   strokes ─► button ─► menu ─┬─► Commands
//!   Status ──► alarm jump ─────┤
//!                              └─► place ─► screen ─► page ─► sheet ─► draw ─► picture
//! ```

mod button;
mod draw;
mod frame;
mod glyph;
mod key;
mod lamp;
mod memory;
mod menu;
mod page;
mod place;
mod png;
mod screen;
mod script;
mod sheet;
mod words;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

pub use button::BOUNCE;
pub use draw::{on_points, picture, shows_code};
pub use frame::{Canvas, Frame, Grid, Ink, Picture};
pub use key::{Key, Stroke};
pub use lamp::{LAMPS, Lamps, Light};
pub use memory::Memory;
pub use menu::{EXPIRES, HOLD_TO_LOCK, HOLD_TO_START, HOLD_TO_STOP, IDLE, TWO_PRESSES};
pub use page::{Band, Code, Head, Item, Mark, Meter, Page, Pip, Tone};
pub use place::{Place, Screen};
pub use png::png;
pub use script::{Script, Step};
pub use sheet::{Format, count as sheets, misfits};

use crate::lang::Lang;
use crate::message::{Ask, Command, Origin, Phase, Refusal, Status};
use crate::time::{Duration, Instant};
use button::Buttons;
use lamp::Hand;
use menu::{Desk, Effect, Menu};
use place::{AlarmId, id};
use screen::View;

/// Control tells twice a second at least; silent for so long, it is not there any more.
pub const SILENT: Duration = Duration::from_secs(3);

/// A sheet of a page with several stands so long.
const SHEET_STANDS: Duration = Duration::from_secs(4);

/// The finger's wish is believed so long before Status must say the same.
const BELIEVED: Duration = Duration::from_secs(1);

/// What the settings say of the panel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setup {
    /// The language, unless it is switched at the panel.
    pub lang: Lang,
    /// The console's address with gaps `{address}` and `{name}`; empty if there is none.
    pub console: String,
}

/// What the operator sees and touches.
#[derive(Debug, Clone)]
pub struct Panel {
    setup: Setup,
    memory: Memory,
    /// The memory was kept by an earlier run: then it knows better than the phase whether to lock.
    remembers: bool,
    status: Option<Arc<Status>>,
    heard: Instant,
    buttons: Buttons,
    menu: Menu,
    seen: BTreeSet<AlarmId>,
    /// The alarm whose page is open.
    focus: Option<AlarmId>,
    /// An alarm that came while a hand was busy.
    waiting: Option<AlarmId>,
    slate: Option<(bool, Instant)>,
    commands: VecDeque<Ask>,
}

impl Panel {
    /// A panel that starts now, with what the last run left, if there was one.
    #[must_use]
    pub fn new(now: Instant, setup: Setup, kept: Option<Memory>) -> Self {
        Self {
            setup,
            memory: kept.unwrap_or_default(),
            remembers: kept.is_some(),
            status: None,
            heard: now,
            buttons: Buttons::default(),
            menu: Menu::new(now),
            seen: BTreeSet::new(),
            focus: None,
            waiting: None,
            slate: None,
            commands: VecDeque::new(),
        }
    }

    /// A hand, or the studio's contact, does something.
    pub fn handle_stroke(&mut self, now: Instant, stroke: Stroke) {
        self.handle_timeout(now);
        match stroke {
            Stroke::Tally(tally) => self.commands.push_back(Ask::Tally { tally }),
            Stroke::Down(key) => {
                if self.buttons.down(now, key) {
                    self.with_menu(now, |menu, desk| menu.press(now, key, desk));
                    self.after(now);
                }
            }
            Stroke::Up(key) => self.buttons.up(now, key),
            Stroke::Turn(clicks) => {
                self.with_menu(now, |menu, desk| {
                    menu.turn(now, clicks, desk);
                    Vec::new()
                });
                self.after(now);
            }
        }
    }

    /// Control tells how things are.
    pub fn handle_status(&mut self, now: Instant, status: Arc<Status>) {
        let on_air = |status: &Status| matches!(status.phase, Phase::Starting | Phase::Live);
        match (self.status.as_deref().map(on_air), on_air(&status)) {
            // a box that comes back on air is locked as it was; one that never was locked begins so
            (None, true) if !self.remembers => self.memory.locked = true,
            (Some(false), true) => self.memory.locked = true,
            (Some(true), false) if status.phase == Phase::Standby => self.memory.locked = false,
            _ => {}
        }
        // leaving the air passes through Stopping, which is neither
        if self.status.as_ref().is_some_and(|old| old.phase == Phase::Stopping) && status.phase == Phase::Standby {
            self.memory.locked = false;
        }
        if self.slate.is_some_and(|(wanted, _)| wanted == status.programme.slate_wanted) {
            self.slate = None;
        }
        self.status = Some(status);
        self.heard = now;
        self.look_at_alarms(now);
        self.handle_timeout(now);
    }

    /// Control's answer to a command of this panel.
    pub fn handle_answer(&mut self, now: Instant, answer: Result<(), Refusal>) {
        if let Err(refusal) = answer {
            self.slate = None;
            self.menu.says(now, refusal.text());
        }
    }

    /// The time that [`Panel::next_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        for (key, held) in self.buttons.released(now) {
            self.with_menu(now, |menu, desk| menu.release(now, key, held, desk));
        }
        // the page of an alarm that nobody has seen stays
        let focus = self.focus.as_ref();
        let stay = self
            .status
            .as_ref()
            .is_some_and(|status| status.alarms.iter().any(|alarm| !alarm.acknowledged && focus == Some(&id(alarm))));
        self.with_menu(now, |menu, desk| menu.handle_timeout(now, desk, stay));
        self.slate = self.slate.filter(|(_, since)| now < *since + BELIEVED);
        self.after(now);
    }

    /// When to call [`Panel::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let slate = self.slate.map(|(_, since)| since + BELIEVED);
        [self.buttons.next_timeout(), self.menu.next_timeout(), slate].into_iter().flatten().min()
    }

    /// The picture changes by itself, and should be drawn again after so long: at once while a key is
    /// held, else with the blink.
    #[must_use]
    pub fn pace(&self, now: Instant) -> Duration {
        Duration::from_millis(if self.menu.held(now).is_some() { 100 } else { 500 })
    }

    /// What the panel asks of control.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front().map(|ask| Command { origin: Origin::Panel, ask })
    }

    /// What has to outlive a power cut.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The language that is shown.
    #[must_use]
    pub fn lang(&self) -> Lang {
        self.memory.lang.unwrap_or(self.setup.lang)
    }

    /// Where the operator stands.
    #[must_use]
    pub fn place(&self) -> Place {
        self.menu.place()
    }

    /// What is shown now; displays without Chinese get English.
    #[must_use]
    pub fn page(&self, now: Instant, format: Format) -> Page {
        let lang = if format == Format::Characters { Lang::En } else { self.lang() };
        let Some(status) = self.status.as_deref().filter(|_| now - self.heard < SILENT) else {
            return silent(lang, now - self.heard);
        };
        let view = View {
            status,
            now,
            lang,
            memory: &self.memory,
            console: &self.setup.console,
            slate: self.wants_slate(status),
            format,
        };
        if let Some((what, share)) = self.menu.held(now) {
            return screen::holding(&view, what, share);
        }
        if let Some((what, left)) = self.menu.armed(now) {
            return screen::armed(&view, what, left);
        }
        if let Some(text) = self.menu.notice() {
            return screen::notice(&view, text);
        }
        screen::page(&view, self.menu.place())
    }

    /// The sheet of a page with several that is shown now.
    #[must_use]
    pub fn sheet(&self, now: Instant) -> usize {
        let turned = (now - self.menu.entered()).as_millis() / SHEET_STANDS.as_millis();
        self.menu.sheet().unwrap_or(turned as usize)
    }

    /// The page drawn for a display.
    #[must_use]
    pub fn picture(&self, now: Instant, format: Format) -> Picture {
        picture(&self.page(now, format), format, self.sheet(now), now)
    }

    /// How every lamp shines.
    #[must_use]
    pub fn lamps(&self, now: Instant) -> Lamps {
        let status = self.status.as_deref().filter(|_| now - self.heard < SILENT);
        let hand = Hand {
            on_air: matches!(self.menu.held(now), Some((screen::Holding::Start | screen::Holding::Stop, _))),
            audio: matches!(self.menu.armed(now), Some((screen::Armed::Audio(_), _))),
            backup: matches!(self.menu.armed(now), Some((screen::Armed::Output(_), _))),
            next: matches!(self.menu.armed(now), Some((screen::Armed::Spoken { .. }, _))),
            slate: status.is_some_and(|status| self.wants_slate(status)),
            buzzer: self.memory.buzzer,
        };
        lamp::lamps(status, status.is_some_and(screen::degraded), hand)
    }

    fn wants_slate(&self, status: &Status) -> bool {
        self.slate.map_or(status.programme.slate_wanted, |(wanted, _)| wanted)
    }

    /// Lets the menu act, and does what it wants; without Status there is nothing to act upon.
    fn with_menu(&mut self, now: Instant, act: impl FnOnce(&mut Menu, &Desk<'_>) -> Vec<Effect>) {
        let Some(status) = self.status.clone() else { return };
        let slate = self.wants_slate(&status);
        let desk = Desk { status: &status, memory: &self.memory, lang: self.lang(), slate };
        for effect in act(&mut self.menu, &desk) {
            match effect {
                Effect::Ask(ask) => {
                    if let Ask::Slate { on } = ask {
                        self.slate = Some((on, now));
                    }
                    self.commands.push_back(ask);
                }
                Effect::Remember(memory) => self.memory = memory,
            }
        }
    }

    /// What follows from any act: an alarm that waited, and which one is open.
    fn after(&mut self, now: Instant) {
        if !self.menu.busy()
            && let Some(alarm) = self.waiting.take()
        {
            self.open_alarm(now, alarm);
        }
        let (place, status) = (self.menu.place(), self.status.as_ref());
        self.focus = match (place.screen, status) {
            (Screen::Alarms, Some(status)) => status.alarms.get(place.inside.unwrap_or(0)).map(id),
            _ => None,
        };
    }

    /// A new alarm pulls its page once; the open one stays open, whatever comes before it in the list.
    fn look_at_alarms(&mut self, now: Instant) {
        let Some(status) = self.status.clone() else { return };
        let standing: Vec<_> = status.alarms.iter().map(id).collect();
        let fresh = standing.iter().find(|alarm| !self.seen.contains(*alarm)).cloned();
        self.seen.retain(|alarm| standing.contains(alarm));
        self.seen.extend(standing.iter().cloned());
        self.waiting = self.waiting.take().filter(|alarm| standing.contains(alarm));
        match fresh {
            Some(alarm) if self.menu.busy() => self.waiting = Some(alarm),
            Some(alarm) => self.open_alarm(now, alarm),
            None => {
                if let (Some(focus), Some(index)) = (&self.focus, self.menu.place().inside)
                    && let Some(at) = standing.iter().position(|alarm| alarm == focus)
                    && at != index
                {
                    self.menu.go(now, Place { screen: Screen::Alarms, inside: Some(at) });
                }
            }
        }
    }

    fn open_alarm(&mut self, now: Instant, alarm: AlarmId) {
        let at = self.status.iter().flat_map(|status| &status.alarms).position(|line| id(line) == alarm);
        if let Some(at) = at {
            self.menu.go(now, Place { screen: Screen::Alarms, inside: Some(at) });
            self.focus = Some(alarm);
        }
    }
}

/// So long a key is down when it is pressed: a calm finger.
const PRESS: Duration = Duration::from_millis(120);

/// Time goes by in steps of this when a script is played.
const STEP: Duration = Duration::from_millis(50);

/// A panel played in virtual time. The box tells what it is given, and accepts every command without
/// following it: whoever plays decides what comes of a command.
#[derive(Debug, Clone)]
pub struct Play {
    /// The panel.
    pub panel: Panel,
    /// The time.
    pub now: Instant,
    /// What the box tells.
    pub status: Option<Arc<Status>>,
    /// The commands so far.
    pub asked: Vec<Command>,
}

impl Play {
    /// A play that begins at this time.
    #[must_use]
    pub fn new(panel: Panel, now: Instant) -> Self {
        Self { panel, now, status: None, asked: Vec::new() }
    }

    /// Plays one step; files and pictures are whoever plays' own.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Status(_) | Step::Picture(_) => {}
            Step::Press(key) => self.hold(*key, PRESS),
            Step::Hold(key, time) => self.hold(*key, *time),
            Step::Turn(clicks) => self.panel.handle_stroke(self.now, Stroke::Turn(*clicks)),
            Step::Tally(tally) => self.panel.handle_stroke(self.now, Stroke::Tally(*tally)),
            Step::Wait(time) => self.passes(*time),
        }
        // the last contact has to be quiet before the next step
        self.passes(BOUNCE * 2);
    }

    fn hold(&mut self, key: Key, time: Duration) {
        self.panel.handle_stroke(self.now, Stroke::Down(key));
        self.passes(time);
        self.panel.handle_stroke(self.now, Stroke::Up(key));
    }

    /// Time goes by.
    pub fn passes(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            if let Some(status) = self.status.clone() {
                self.panel.handle_status(self.now, status);
            }
            self.panel.handle_timeout(self.now);
            while let Some(command) = self.panel.poll_command() {
                self.asked.push(command);
                self.panel.handle_answer(self.now, Ok(()));
            }
            if self.now >= until {
                return;
            }
            let due = self.panel.next_timeout().filter(|due| *due > self.now);
            self.now = [due, Some(self.now + STEP), Some(until)].into_iter().flatten().min().unwrap_or(until);
        }
    }
}

/// What is shown while nothing is heard of the engine: needs no daemon.
#[must_use]
pub fn silent(lang: Lang, since: Duration) -> Page {
    screen::silent(lang, since)
}
