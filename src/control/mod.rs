//! Control: the one place that decides.
//!
//! Everything that happens comes in ([`Control::handle_command`], [`Control::handle_fact`],
//! [`Control::handle_config`], [`Control::handle_timeout`]); two values come out: [`Orders`], what
//! every part should be doing now, and [`Status`], what everyone may know now. It has no clock and
//! no hidden input: the same inputs give the same decisions.
//!
//! ```text
//!   facts ──► known ──► judge ──► alarm book ─┐
//!               │                             ├──► view ──► Status
//!   commands ─► lifecycle, rate, restart ─────┘
//!                         └──► Orders
//! ```

mod judge;
mod known;
mod ladder;
mod lifecycle;
mod outputs;
mod rate;
mod recording;
mod restart;
mod settings;
mod show;
mod sound;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use settings::{EFFECTS, Effect, Settings, effect, restarts};

use crate::alarm::{AlarmKind, Book, Turn};
use crate::bond::GroupStats;
use crate::event::{Floor, Tiers};
use crate::lang::{Text, told};
use crate::media::{Hold, Layout, Line, OutputId, Slate};
use crate::message::{Ask, Command, Event, Fact, Held, Intent, Orders, Part, Phase, Refusal, Status, Tally, What};
use crate::time::{Instant, Timestamp};
use crate::units::Bitrate;
use judge::Scene;
use known::Known;
use ladder::{Ladder, Moved, Room};
use lifecycle::Lifecycle;
use rate::Rate;
use recording::Recording;
use restart::Restarts;
use show::Show;
use sound::Sound;
use view::View;

/// A far end that no link reaches for so long is left for the next: handshakes on bad modems take five seconds.
const NEXT_FAR_END: Duration = Duration::from_secs(8);

/// So many events are kept for slow faces: a minute of a very bad evening.
const EVENTS: usize = 64;

/// A safe rate of which less than this is used limits nobody.
const FULL: f64 = 0.6;

/// The one place that decides. After any `handle_*`: look at [`Control::orders`],
/// [`Control::intent`] and [`Control::status`], then sleep until [`Control::next_timeout`] or the
/// next input.
#[derive(Debug)]
pub struct Control {
    settings: Settings,
    born: Instant,
    lifecycle: Lifecycle,
    rate: Rate,
    restarts: Restarts,
    known: Known,
    book: Book,
    tally: Tally,
    floor: Floor,
    sound: Sound,
    show: Show,
    tiers: Tiers,
    ladder: Ladder,
    /// No link has reached the far end since then.
    unreached: Option<Instant>,
    /// What the wall clock said, and when.
    clock: Option<(Instant, Timestamp)>,
    orders: Arc<Orders>,
    intent: Intent,
    events: VecDeque<Event>,
    seq: u64,
}

impl Control {
    /// Control of a box that starts now, with the intent it had when it ended.
    #[must_use]
    pub fn new(now: Instant, settings: Settings, intent: Intent) -> Self {
        let mut control = Self {
            born: now,
            lifecycle: Lifecycle::new(now, intent.on_air),
            rate: Rate::new(now, settings.media.bitrate, settings.media.audio_bitrate),
            restarts: Restarts::default(),
            known: Known::default(),
            book: Book::new(),
            tally: Tally::default(),
            floor: Floor::new(settings.event.split, intent.talk),
            sound: Sound::default(),
            show: Show::default(),
            tiers: Tiers::default(),
            ladder: Ladder::default(),
            unreached: None,
            clock: None,
            orders: Arc::default(),
            intent: settings.fitting(intent),
            events: VecDeque::new(),
            seq: 0,
            settings,
        };
        if intent.on_air {
            control.tell(now, told::resuming());
        }
        control.follow_tier(now, None);
        control.conclude(now);
        control
    }

    /// A face asks something.
    ///
    /// # Errors
    /// The refusal; its sentence is what the operator reads.
    pub fn handle_command(&mut self, now: Instant, command: Command) -> Result<(), Refusal> {
        let phase = self.lifecycle.phase();
        match command.ask {
            _ if self.lifecycle.ending() => return Err(Refusal::ShuttingDown),
            Ask::Start => {
                self.lifecycle.start(now)?;
                self.intent.on_air = true;
                self.intent.record = None;
            }
            Ask::Stop => {
                self.lifecycle.stop(now, self.known.output_open)?;
                self.intent.on_air = false;
                self.intent.record = None;
            }
            Ask::Layout { layout } => self.choose_layout(now, layout)?,
            Ask::Audio { line } => self.choose_line(now, line)?,
            Ask::Slate { on } => {
                if self.intent.slate != on {
                    self.intent.slate = on;
                    self.tell(now, told::slate(on));
                }
                // one press is always the same slate, whichever was chosen before
                self.intent.which = Slate::Hold;
            }
            Ask::Show { slate } => {
                if (self.intent.slate, self.intent.which) != (true, slate) {
                    (self.intent.slate, self.intent.which) = (true, slate);
                    self.tell(now, told::shown(slate.name()));
                }
            }
            Ask::Acknowledge => match self.book.acknowledge() {
                0 => return Err(Refusal::NothingToAcknowledge),
                count => self.tell(now, told::acknowledged(count)),
            },
            Ask::Tally { tally } => {
                if self.tally != tally {
                    self.tally = tally;
                    self.tell(now, told::tally(tally.name()));
                }
            }
            Ask::NextSpeaker => {
                self.floor.next_speaker(now);
                self.with_the_floor(now);
            }
            Ask::UndoSpeaker => {
                if !self.floor.undo(now) {
                    return Err(Refusal::NothingToUndo);
                }
                // the running segment gets the earlier name: nothing that is on the disk is joined again
                self.intent.talk = self.floor.step();
                self.tell(now, told::speaker_undone(self.floor.now().map_or("", |talk| &talk.speaker)));
            }
            Ask::Record { on } => {
                if Recording::wanted(&self.intent, self.lifecycle.on_air(), self.settings.record.when) != on {
                    self.tell(now, told::record(on));
                }
                self.intent.record = Some(on);
            }
            Ask::Gain { line, gain } => {
                self.playable(line)?;
                self.intent.sound.gain[line.index()] = Some(gain);
                self.tell(now, told::gain(line_name(line), gain.as_db()));
            }
            Ask::Mute { on } => {
                if self.intent.sound.mute != on {
                    self.intent.sound.mute = on;
                    self.tell(now, told::mute(on));
                }
            }
            Ask::Auto { on } => {
                self.intent.sound.auto = Some(on);
                self.tell(now, told::auto(on));
            }
            Ask::Delay { source, delay } => {
                if !self.settings.sources.contains(&source) {
                    return Err(Refusal::NotOnBoard);
                }
                self.intent.sound.delay[source.delay_place()] = Some(delay);
                self.tell(now, told::delay(source.name(), delay.as_ms()));
            }
            Ask::Activate { output } => {
                if !output.can_be_active() || !self.settings.media.roads.has(output) {
                    return Err(Refusal::NoSuchOutput);
                }
                if self.intent.outputs.active != output {
                    self.intent.outputs.active = output;
                    self.tell(now, told::activated(output.name()));
                }
            }
            Ask::Hold { output, seconds } => {
                self.known.outputs.unheld.remove(&output);
                let held = self.held(output)?;
                if held.delay != seconds {
                    held.delay = seconds;
                    self.tell(now, told::held(output.name(), seconds.as_seconds()));
                }
            }
            Ask::Dump { output, on } => {
                let held = self.held(output)?;
                if held.dumped != on {
                    held.dumped = on;
                    self.tell(now, told::dumped(output.name(), on));
                }
            }
            Ask::Lipsync { on } => {
                self.sound.set_lip_sync(on);
                self.tell(now, told::lip_sync(on));
            }
        }
        self.tell_phase(now, phase);
        if self.known.output_open && self.lifecycle.phase() == Phase::Starting {
            // it was still open from before: media will not say so again
            self.with_phase_told(now, |lifecycle| lifecycle.output(now, true));
        }
        self.conclude(now);
        Ok(())
    }

    /// A part states a fact.
    pub fn handle_fact(&mut self, now: Instant, fact: &Fact) {
        let encoder = self.known.encoder;
        self.known.note(now, fact.part, &fact.what);
        self.show.note(now, &fact.what);
        match &fact.what {
            What::OutputOpened => self.with_phase_told(now, |lifecycle| lifecycle.output(now, true)),
            What::OutputClosed { .. } => self.with_phase_told(now, |lifecycle| lifecycle.output(now, false)),
            What::GroupMeasured(stats) => {
                self.follow_tier(now, stats.connected.then_some(stats.target));
                self.turn_to_next(now, stats.connected);
                self.climb(now, stats);
                // the dual image has its share of the bond, and keeps it
                let apart = self.settings.bonded_apart(&self.orders.media.others);
                let left = Bitrate::bps(stats.target.as_bps().saturating_sub(apart.as_bps()));
                self.rate.handle_target(now, left, self.lifecycle.on_air());
            }
            What::EncoderChosen { kind } if encoder != Some(*kind) => self.tell(now, told::encoder(kind.name())),
            What::AgendaRead { agenda, faults } => {
                self.floor.handle_agenda(Arc::clone(agenda));
                self.intent.talk = self.floor.step();
                self.tell(now, told::agenda(agenda.talks.len(), faults.len()));
            }
            What::SegmentRemoved { file } => self.tell(now, told::removed(file)),
            // it goes out live: wanting it again is a hand's affair
            What::HoldFailed { output, .. } => {
                if let Some(held) = self.intent.outputs.held_mut(*output) {
                    held.delay = Hold::NONE;
                }
            }
            What::SlideChanged { .. } => self.tell(now, told::slide(self.known.outputs.slides)),
            What::PartStarted => self.restarts.started(now, fact.part),
            What::PartEnded { .. } => {
                self.restarts.ended(now, fact.part);
                if fact.part == Part::Media {
                    self.with_phase_told(now, |lifecycle| lifecycle.output(now, false));
                }
            }
            _ => {}
        }
        self.conclude(now);
    }

    /// The wall clock says so; called as often as anybody likes.
    pub fn handle_clock(&mut self, now: Instant, wall: Option<Timestamp>) {
        let Some(wall) = wall else { return };
        self.clock = Some((now, wall));
        if self.floor.handle_clock(now, wall) {
            self.with_the_floor(now);
            self.conclude(now);
        }
    }

    /// New settings; the named parts start afresh, since they cannot follow them live.
    pub fn handle_config(&mut self, now: Instant, settings: Settings, restarts: &[Part]) {
        self.settings = settings;
        self.intent = self.settings.fitting(self.intent);
        self.known.rejected.clear();
        self.floor.handle_split(self.settings.event.split);
        self.follow_tier(now, None);
        self.bound_rate();
        self.tell(now, told::settings());
        for part in restarts {
            self.renew(*part);
        }
        self.conclude(now);
    }

    /// The process is asked to end: everybody ends, nothing is accepted any more. The intent stays,
    /// so that a box that was on air is on air again after the restart.
    pub fn handle_shutdown(&mut self, now: Instant) {
        if !self.lifecycle.ending() {
            self.tell(now, told::ending());
            self.with_phase_told(now, |lifecycle| lifecycle.shutdown(now));
            self.conclude(now);
        }
    }

    /// The time that [`Control::next_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let phase = self.lifecycle.phase();
        self.with_phase_told(now, |lifecycle| lifecycle.handle_timeout(now));
        if phase == Phase::Stopping && self.lifecycle.phase() == Phase::Standby {
            // media did not say so in time; never call an output open that nobody vouches for
            self.known.output_open = false;
        }
        if !self.lifecycle.ending() {
            for part in self.restarts.due(now) {
                self.renew(part);
            }
        }
        self.conclude(now);
    }

    /// When to call [`Control::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let restarts = self.restarts.next_timeout().filter(|_| !self.lifecycle.ending());
        let lifecycle = self.lifecycle.next_timeout();
        let patience = self.scene().next_timeout(now);
        let span = self.known.recording.next_timeout(&self.settings.record).filter(|_| !self.lifecycle.ending());
        let line =
            self.sound.next_timeout(self.born, &self.intent).filter(|due| *due > now && !self.lifecycle.ending());
        let talk = self.clock.zip(self.floor.next_start());
        let talk = talk.map(|((at, wall), starts)| at + Duration::from_millis(starts.0.saturating_sub(wall.0)));
        // a clock that was set back makes it later; handle_clock alone steps on
        let talk = talk.filter(|due| *due > now);
        let encoder = self.known.outputs.next_timeout(now);
        [lifecycle, restarts, patience, span, talk, line, encoder, self.book.next_timeout(), self.known.next_stale(now)]
            .into_iter()
            .flatten()
            .min()
    }

    /// What every part should be doing now.
    #[must_use]
    pub fn orders(&self) -> &Arc<Orders> {
        &self.orders
    }

    /// What a power cut must not forget.
    #[must_use]
    pub fn intent(&self) -> Intent {
        self.intent
    }

    /// The number of the latest event: when it grows, something happened that faces should see at once.
    #[must_use]
    pub fn latest_event(&self) -> u64 {
        self.seq
    }

    /// What everyone may know now.
    #[must_use]
    pub fn status(&self, now: Instant, wall: Option<Timestamp>) -> Status {
        let view = View {
            settings: &self.settings,
            known: &self.known,
            lifecycle: &self.lifecycle,
            rate: &self.rate,
            book: &self.book,
            tally: self.tally,
            intent: &self.intent,
            floor: &self.floor,
            show: &self.show,
            tiers: &self.tiers,
            media: &self.orders.media,
            ladder: &self.ladder,
            far_end: self.orders.far_end,
            events: &self.events,
        };
        view.status(now, wall)
    }

    fn choose_layout(&mut self, now: Instant, layout: Layout) -> Result<(), Refusal> {
        if !self.settings.can_show(layout) {
            return Err(Refusal::NotOnBoard);
        }
        if self.intent.layout != layout {
            self.intent.layout = layout;
            self.tell(now, told::layout(layout.name()));
        }
        Ok(())
    }

    fn choose_line(&mut self, now: Instant, line: Line) -> Result<(), Refusal> {
        self.playable(line)?;
        self.intent.sound.switched = false;
        self.sound.chosen(line);
        if self.intent.line != line {
            self.intent.line = line;
            self.tell(now, told::line(line_name(line)));
        }
        Ok(())
    }

    fn held(&mut self, output: OutputId) -> Result<&mut Held, Refusal> {
        let there = self.settings.media.roads.has(output);
        self.intent.outputs.held_mut(output).filter(|_| there).ok_or(Refusal::NoSuchOutput)
    }

    fn playable(&self, line: Line) -> Result<(), Refusal> {
        if self.settings.can_play(line) { Ok(()) } else { Err(Refusal::NotOnBoard) }
    }

    /// The quality that was ordered bounds the bitrate from above, and so does the measured uplink.
    fn follow_tier(&mut self, now: Instant, measured: Option<Bitrate>) {
        let choice = self.settings.event.tier;
        let before = self.tiers.tier(choice);
        if self.tiers.update(now, choice, measured) {
            self.bound_rate();
        }
        if let Some(tier) = self.tiers.tier(choice).filter(|tier| Some(*tier) != before) {
            self.tell(now, told::tier(tier.name()));
        }
    }

    /// The encoder's range: as set, and no more than the tier's ceiling leaves for the picture.
    fn bound_rate(&mut self) {
        let (least, most) = self.settings.media.bitrate;
        let sound = self.settings.media.audio_bitrate;
        let bound = self.tiers.ceiling().map_or(most, |stream| Rate::picture_of(stream, sound));
        self.rate.handle_config((least, most.min(bound).max(least)), sound);
    }

    /// When no link reaches the far end for long, the next one is tried.
    fn turn_to_next(&mut self, now: Instant, connected: bool) {
        let places: Vec<_> = self.settings.media.far_ends().map(ToString::to_string).collect();
        if connected || places.len() < 2 {
            self.unreached = None;
            return;
        }
        if now.since(*self.unreached.get_or_insert(now)) >= NEXT_FAR_END {
            self.unreached = None;
            let orders = Arc::make_mut(&mut self.orders);
            orders.far_end = orders.far_end.wrapping_add(1);
            let place = places[orders.far_end % places.len()].clone();
            self.tell(now, told::far_end(&place));
            self.renew(Part::Bond);
        }
    }

    /// The links carry so much for the bond, and beside it what outputs of their own have reserved.
    fn climb(&mut self, now: Instant, stats: &GroupStats) {
        if !self.lifecycle.on_air() {
            self.ladder.clear();
            return;
        }
        if !stats.connected {
            return;
        }
        let reserved: u64 = self.orders.reserved.values().map(|rate| rate.as_bps()).sum();
        let demand = self.settings.demand(self.rate.need());
        let room = Bitrate::bps(stats.target.as_bps() + reserved);
        // an easy picture fills little of what it may: then a low target says nothing about the links
        let proven = stats.limited && stats.offered > stats.target.scaled(FULL);
        let room = if proven { Room::Proven(room) } else { Room::Untried };
        match self.ladder.update(now, &demand, room) {
            Some(Moved::Down(ladder::Step::Main, _) | Moved::Up(ladder::Step::Main)) | None => {}
            Some(Moved::Down(step, why)) => self.tell(now, told::reduced(step.name(), &why)),
            Some(Moved::Up(step)) => self.tell(now, told::restored(step.name())),
        }
    }

    /// Somebody else has the floor: a new segment, and everyone hears who it is.
    fn with_the_floor(&mut self, now: Instant) {
        self.intent.talk = self.floor.step();
        self.known.recording.cut(now);
        let speaker = self.floor.now().map_or("", |talk| &talk.speaker).to_owned();
        self.tell(now, told::speaker(&speaker));
    }

    fn renew(&mut self, part: Part) {
        *Arc::make_mut(&mut self.orders).parts.entry(part).or_default() += 1;
    }

    fn scene(&self) -> Scene {
        Scene {
            born: self.born,
            phase: self.lifecycle.phase(),
            since: self.lifecycle.since(),
            short: self.rate.short(),
            ending: self.lifecycle.ending(),
            switched: self.intent.sound.switched.then_some(self.intent.line),
            line: self.intent.line,
        }
    }

    /// What follows from any input: the alarms that turn, and the orders.
    fn conclude(&mut self, now: Instant) {
        if let Some(line) = self.sound.decide(now, self.born, &self.settings, &self.known, &self.intent) {
            self.intent.line = line;
            self.intent.sound.switched = true;
            self.tell(now, told::switched(line_name(line)));
        }
        self.show.follow(now, self.lifecycle.on_air(), &self.known);
        let scene = self.scene();
        judge::judge(now, &mut self.book, &self.settings, &self.known, &scene);
        // main follows the links as ever; that it has too little to live on has an alarm of its own
        for what in ["slides", "backup"] {
            self.book.note(now, AlarmKind::Reduced, what, self.ladder.why(what));
        }
        for turn in self.book.settle(now) {
            let text = match &turn {
                Turn::Raised(entry) => told::raised(&entry.kind.text(&entry.subject, &entry.detail)),
                Turn::Cleared(entry) => told::cleared(&entry.kind.text(&entry.subject, &Text::default())),
            };
            self.tell(now, text);
        }

        let mut orders = (*self.orders).clone();
        orders.media.on_air = self.lifecycle.on_air();
        orders.media.layout = self.intent.layout;
        orders.media.line = self.intent.line;
        orders.media.slate = self.intent.slate;
        orders.media.which = self.intent.which;
        orders.media.sound = self.sound.orders(&self.settings, &self.intent.sound, self.show.number());
        orders.media.bitrate = self.rate.told();
        orders.media.outputs = self.intent.outputs;
        let dual = self.ladder.has(ladder::Step::Slides);
        orders.media.slides_every = if dual { ladder::SLIDES_EVERY } else { 1 };
        orders.media.others = self.settings.other_encodes(&self.ladder);
        orders.reserved = self.settings.reserved(&orders.media, self.rate.stream());
        let wanted = Recording::wanted(&self.intent, self.lifecycle.on_air(), self.settings.record.when);
        let label = recording::label(&self.floor, &self.settings.event);
        orders.record = self.known.recording.conclude(now, wanted, &self.settings.record, label);
        // the recorder cuts where a receiver may begin
        orders.media.key = orders.record.cut;
        // also while everything ends: media's last packets leave through it, and it ends by itself after them
        orders.bond = true;
        orders.shutdown = self.lifecycle.ending();
        if orders != *self.orders {
            self.orders = Arc::new(orders);
        }
    }

    fn with_phase_told(&mut self, now: Instant, change: impl FnOnce(&mut Lifecycle)) {
        let before = self.lifecycle.phase();
        change(&mut self.lifecycle);
        self.tell_phase(now, before);
    }

    fn tell_phase(&mut self, now: Instant, before: Phase) {
        let phase = self.lifecycle.phase();
        if phase != before {
            self.tell(
                now,
                match phase {
                    Phase::Standby => told::standby(),
                    Phase::Starting => told::starting(),
                    Phase::Live => told::live(),
                    Phase::Stopping => told::stopping(),
                },
            );
        }
    }

    fn tell(&mut self, now: Instant, text: Text) {
        self.seq += 1;
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { seq: self.seq, at: now, text });
    }
}

const fn line_name(line: Line) -> &'static str {
    match line {
        Line::A => "A",
        Line::B => "B",
        Line::Embedded => "HDMI/SDI",
    }
}
