//! The programme's clock: one picture a tick, fresh or the slate, and exactly the sound that belongs to it.
//!
//! Tick n is due at its time on the process's grid and carries its exact time stamp, however late
//! the thread comes: what a loaded machine missed is made up for, nothing is left out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Context;
use gstreamer as gst;

use super::compose::Composer;
use super::deck::Deck;
use super::feed::{Claps, Condition, Feed};
use super::prove::{Prover, sample};
use super::shelf::Shelf;
use super::slides::Turns;
use super::stop::{CLOCKED, Stop, urgent};
use super::tell::Tell;
use crate::board::Scaler;
use crate::io::clock;
use crate::lang::{Text, said};
use crate::media::line::{Mixer, SoundOrders};
use crate::media::picture::{Eye, PictureOf};
use crate::media::slot::Change;
use crate::media::sound::{SAMPLE_RATE, first_sample};
use crate::media::{Config, Layout, Line, Reserve, Slate, SourceId};
use crate::message::{LossCause, MediaOrders, What};
use crate::time::{Duration, Instant};

/// A source that never came is stated as absent after this.
const FIRST_CHANCE: Duration = Duration::from_secs(1);
/// A line that is dry for so long is lost.
const DRY: Duration = Duration::from_millis(200);
/// A machine that is behind by more has stood still or is too slow: the programme goes on from now,
/// its stamps without a hole, instead of making up for what no source remembers.
const HOPELESS: Duration = Duration::from_secs(1);
/// Where the feeds of [`SourceId::PICTURES`] stand among all.
const PICTURES: [usize; 3] = [0, 1, 4];
/// How often a source's pictures are looked at.
const EYES: Duration = Duration::from_millis(200);
/// How often levels are stated.
const LEVELS: Duration = Duration::from_millis(100);

/// What the pump is to make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wanted {
    layout: Layout,
    line: Line,
    /// This slate in place of any picture.
    slate: Option<Slate>,
    sound: SoundOrders,
}

impl Wanted {
    /// What these orders want of it.
    pub(super) fn of(orders: &MediaOrders) -> Self {
        let slate = orders.slate.then_some(orders.which);
        Self { layout: orders.layout, line: orders.line, slate, sound: orders.sound }
    }
}

/// What the pump shares with the part that leads it.
#[derive(Debug)]
pub(super) struct Desk {
    wanted: Mutex<Wanted>,
    ticks: AtomicU64,
    slate: AtomicBool,
}

impl Desk {
    /// A desk that begins with this.
    pub(super) fn new(wanted: Wanted) -> Self {
        Self { wanted: Mutex::new(wanted), ticks: AtomicU64::new(0), slate: AtomicBool::new(false) }
    }

    /// From the next tick on.
    pub(super) fn want(&self, wanted: Wanted) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }

    /// Ticks since the start.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// True if a slate was in the picture since the last call.
    pub(super) fn take_slate(&self) -> bool {
        self.slate.swap(false, Ordering::Relaxed)
    }
}

/// Everything the pump's thread holds.
pub(super) struct Pump {
    /// Shape of the programme.
    pub(super) config: Arc<Config>,
    /// In the order of [`SourceId::ALL`].
    pub(super) feeds: [Arc<Feed>; 6],
    /// The warm-up loop, while it plays.
    pub(super) film: Arc<Feed>,
    /// Slates and logo.
    pub(super) shelf: Arc<Shelf>,
    /// Hardware for the pictures within a layout.
    pub(super) scalers: Vec<Scaler>,
    /// Compares what the encoder makes; none where the processor is too weak to look.
    pub(super) prover: Option<Arc<Prover>>,
    /// The lip-sync test.
    pub(super) claps: Arc<Claps>,
    /// What is wanted.
    pub(super) desk: Arc<Desk>,
    /// Where pictures and sound go.
    pub(super) deck: Arc<Deck>,
    /// Where facts go.
    pub(super) tell: Tell,
}

/// One step of the programme's clock.
#[derive(Debug, Clone, Copy)]
struct Tick {
    index: u64,
    due: Instant,
    /// A source that never came is absent by now.
    late: bool,
}

/// What was last said of a source.
#[derive(Debug, Default)]
struct Said {
    arrived: Option<bool>,
    condition: Condition,
    dry_since: Option<Instant>,
}

/// One source's pictures as they are looked at.
#[derive(Debug)]
struct Watched {
    eye: Eye,
    due: Instant,
    newest: Option<Instant>,
}

impl Watched {
    fn new(source: SourceId) -> Self {
        Self { eye: Eye::new(source), due: Instant::ZERO, newest: None }
    }
}

impl Pump {
    /// Starts the thread; it ends when told or when the pipeline refuses a buffer.
    pub(super) fn start(self, stop: Arc<Stop>) -> anyhow::Result<thread::JoinHandle<anyhow::Result<()>>> {
        Ok(thread::Builder::new().name("pump".into()).spawn(move || self.run(&stop))?)
    }

    fn run(self, stop: &Stop) -> anyhow::Result<()> {
        urgent(CLOCKED);
        let rate = self.config.rate;
        let period = Duration::from_nanos(rate.nanos_of(1));
        let mut reserve = Reserve::new(period, self.config.reserve);
        let mut composer = Composer::new(self.config.size, Arc::clone(&self.shelf), &self.scalers)?;
        let mut mixer = {
            let wanted = self.wanted();
            let new = if self.config.sound.watched { Mixer::new } else { Mixer::plain };
            new(wanted.line, &wanted.sound)
        };
        let mut said: [Said; 6] = Default::default();
        let mut turns = Turns::new(self.config.size, self.config.rate, self.tell.clone());
        let began = clock::now();
        let mut first = (began.as_secs_f64() * rate.as_f64()) as u64 + 1;
        let mut levels_due = began + LEVELS;
        let mut eyes = PICTURES.map(|i| Watched::new(self.feeds[i].source));
        for tick in 0.. {
            let due = |first: u64| Instant::from_micros(rate.nanos_of(first + tick) / 1000);
            if stop.wait_until(due(first)) {
                break;
            }
            let late = clock::now().since(due(first));
            if late > HOPELESS {
                tracing::warn!(late_ms = late.as_millis(), "the machine is too slow for the programme");
                first += (late.as_secs_f64() * rate.as_f64()) as u64;
            }
            let due = due(first);
            let at = Tick { index: tick, due, late: due.since(began) > FIRST_CHANCE };
            let now_wanted = self.wanted();
            let Wanted { layout, line, slate: slated, sound } = now_wanted;
            self.claps.set(sound.lip_sync, line);
            let mut eyes = eyes.iter_mut();
            let frames = PICTURES.map(|i| {
                let hold = sound.hold(self.feeds[i].source);
                let mut slot = self.feeds[i].slot();
                slot.hold(reserve.grown() + hold);
                let change = slot.pick(due.before(reserve.delay() + hold));
                let frame = slot.frame().cloned();
                let newest = slot.newest();
                drop(slot);
                if let Some(eye) = eyes.next().filter(|_| self.prover.is_some()) {
                    self.look(eye, i, due, newest, frame.as_ref());
                }
                self.say_picture(&mut said[i], i, change, at.late);
                frame
            });
            // one slate over the whole picture, while the slots are picked as ever: the way back is one tick
            let apart = if self.deck.is_dual() {
                let mut one = |layout, frame| anyhow::Ok(composer.compose(layout, frame)?.0);
                let [camera, slides, _] = &frames;
                turns.look(self.config.rate.stamp_of(tick), slides.as_ref());
                let camera = one(Layout::Camera, [camera.clone(), None, None])?;
                [Some(camera), Some(one(Layout::Slides, [None, slides.clone(), None])?)]
            } else {
                turns.look(self.config.rate.stamp_of(tick), frames[1].as_ref());
                [None, None]
            };
            let (picture, slate) = match slated {
                Some(which) => {
                    let mut film = self.film.slot();
                    film.pick(due.before(reserve.delay()));
                    (composer.slate(which, film.frame().filter(|_| which == Slate::Warmup)), true)
                }
                None => composer.compose(layout, frames)?,
            };
            if slate {
                self.desk.slate.store(true, Ordering::Relaxed);
            }
            let samples = self.samples(at, &mut mixer, &now_wanted, &mut said, &mut reserve)?;
            if let Some(prover) = &self.prover {
                prover.sent(tick, &picture);
            }
            let [camera, slides] = apart;
            if let (Some(camera), Some(slides)) = (camera, slides) {
                self.deck.apart(self.stamped(camera, tick)?, self.stamped(slides, tick)?);
            }
            self.deck.picture(self.stamped(picture, tick)?, taken(due.before(reserve.delay())));
            self.deck.sound(samples);
            self.desk.ticks.fetch_add(1, Ordering::Relaxed);
            while let Some((line, findings)) = mixer.poll_judged(clock::now()) {
                self.tell.state(What::LineJudged { line, findings });
            }
            if due >= levels_due {
                // ten a second on the mean, whatever the pictures' rate; after a stand-still none is owed
                levels_due = (levels_due + LEVELS).max(due);
                self.measure(&mut mixer, &sound, &reserve);
            }
        }
        Ok(())
    }

    /// Looks at what a source gives, five times a second and only at what is new.
    fn look(
        &self,
        eye: &mut Watched,
        index: usize,
        due: Instant,
        newest: Option<Instant>,
        frame: Option<&gst::Buffer>,
    ) {
        if due < eye.due {
            return;
        }
        eye.due = due + EYES;
        let Config { size, rate, .. } = *self.config;
        match frame {
            None => eye.eye.handle_gone(),
            Some(_) if newest == eye.newest => {}
            Some(frame) => {
                if let Some(sample) = sample(frame, size) {
                    eye.eye.handle_picture(due, sample);
                }
                eye.eye.handle_format(due, self.feeds[index].gives(), size, rate.as_f64());
            }
        }
        eye.newest = newest;
        if let Some(findings) = eye.eye.poll_judged() {
            self.tell.state(What::PictureJudged { of: PictureOf::Source(self.feeds[index].source), findings });
        }
    }

    fn measure(&self, mixer: &mut Mixer, sound: &SoundOrders, reserve: &Reserve) {
        let ppm = Line::ALL.map(|line| self.feeds[line.place()].store().ppm());
        let mut stats = mixer.measure(sound, ppm);
        if sound.lip_sync {
            let clapper = self.claps.clapper();
            stats.flashes = clapper.flashes();
            // what the programme's sound waits longer than its pictures, the test cannot hear at the inputs
            let later = (mixer.wait().as_secs_f64() - reserve.waits().as_secs_f64()) * 1000.0;
            stats.lip_sync = clapper.measured().map(|lip| lip.later(later));
        }
        let [a, b, _] = stats.lines.map(|line| line.map(|line| line.levels.peak));
        self.tell.measure(What::AudioMeasured { a, b });
        self.tell.measure(What::SoundMeasured(stats));
    }

    fn wanted(&self) -> Wanted {
        *self.desk.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamped(&self, mut picture: gst::Buffer, tick: u64) -> anyhow::Result<gst::Buffer> {
        let (at, next) = (self.config.rate.stamp_of(tick), self.config.rate.stamp_of(tick + 1));
        let stamp = picture.get_mut().context("the composer hands a buffer over whole")?;
        stamp.set_pts(gst::ClockTime::from_nseconds(at));
        stamp.set_dts(gst::ClockTime::NONE);
        stamp.set_duration(gst::ClockTime::from_nseconds(next - at));
        stamp.set_offset(tick);
        Ok(picture)
    }

    fn samples(
        &self,
        Tick { index, due, late }: Tick,
        mixer: &mut Mixer,
        wanted: &Wanted,
        said: &mut [Said; 6],
        reserve: &mut Reserve,
    ) -> anyhow::Result<gst::Buffer> {
        let (from, to) = (first_sample(self.config.rate, index), first_sample(self.config.rate, index + 1));
        let n = usize::try_from(to - from).context("a tick's samples fit in memory")?;
        let lines = Line::ALL.map(|line| &self.feeds[line.place()]);
        for (line, feed) in lines.into_iter().enumerate() {
            while let Some(look) = feed.next_look() {
                mixer.handle_look(line, look);
            }
        }
        if mixer.take_new_show(&wanted.sound) {
            lines.iter().for_each(|feed| feed.new_show());
        }
        let mut sounding = [false; 3];
        let mut room = [None; 3];
        let mut stuttered = false;
        let longer = (reserve.late().as_micros() * u128::from(SAMPLE_RATE) / 1_000_000) as i64;
        let mut bytes = Vec::with_capacity(n * 4);
        let heard = mixer.tick(&wanted.sound, wanted.line, n, |fetch, out| {
            let mut store = lines[fetch.line].store();
            store.set_extra(fetch.extra + longer, fetch.heard);
            sounding[fetch.line] = store.pull(due, out);
            room[fetch.line] = sounding[fetch.line].then(|| store.room(n) + longer);
            stuttered |= store.take_stutter() && fetch.heard;
            sounding[fetch.line]
        });
        if stuttered {
            let waits_longer = reserve.handle_stutter();
            let delay_ms = reserve.delay().as_millis();
            tracing::warn!(delay_ms, waits_longer, "the sound on air came late, and there was a hole in it");
        }
        for ear in heard.iter().flatten() {
            // what is too loud is clipped, not wrapped: `as` saturates
            bytes.extend_from_slice(&((ear * 32767.0) as i16).to_le_bytes());
        }
        reserve.set_wait(mixer.wait());
        for (line, sounding) in sounding.into_iter().enumerate() {
            mixer.set_room(line, room[line]);
            let place = Line::ALL[line].place();
            let before = said[place].arrived;
            self.say_sound(&mut said[place], place, sounding, due, late);
            if before == Some(true) && said[place].arrived == Some(false) {
                mixer.handle_gone(line);
            }
        }
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let at = |sample: u64| (u128::from(sample) * 1_000_000_000).div_ceil(u128::from(SAMPLE_RATE)) as u64;
        let stamp = buffer.get_mut().context("a buffer just made is ours alone")?;
        stamp.set_pts(gst::ClockTime::from_nseconds(at(from)));
        stamp.set_duration(gst::ClockTime::from_nseconds(at(to) - at(from)));
        Ok(buffer)
    }

    fn say_picture(&self, said: &mut Said, index: usize, change: Option<Change>, late: bool) {
        let arrived = match change {
            Some(Change::Arrived) => Some(true),
            Some(Change::Lost) => Some(false),
            None if said.arrived.is_none() && late => Some(false),
            None => said.arrived,
        };
        self.say(said, index, arrived);
    }

    fn say_sound(&self, said: &mut Said, index: usize, sounding: bool, due: Instant, late: bool) {
        if sounding {
            said.dry_since = None;
            return self.say(said, index, Some(true));
        }
        let since = *said.dry_since.get_or_insert(due);
        let lost = match said.arrived {
            Some(true) => due.since(since) >= DRY,
            Some(false) => true,
            None => late,
        };
        let arrived = if lost { Some(false) } else { said.arrived };
        self.say(said, index, arrived);
    }

    /// States what changed: arrival, loss, or another cause of the same loss.
    fn say(&self, said: &mut Said, index: usize, arrived: Option<bool>) {
        let Some(now) = arrived.filter(|_| self.feeds[index].fitted) else { return };
        let source = self.feeds[index].source;
        let condition = self.feeds[index].condition();
        let same = said.arrived == arrived;
        if same && (now || condition.loss == said.condition.loss) {
            return;
        }
        if now {
            self.tell.state(What::SourceArrived { source, detail: condition.detail.clone() });
        } else {
            let (cause, detail) = condition.loss.clone().unwrap_or_else(|| silent(source));
            self.tell.state(What::SourceLost { source, cause, detail });
        }
        said.arrived = arrived;
        said.condition = condition;
    }
}

/// When a picture was taken, by the wall clock: microseconds since 1970; `None` while the clock is not right.
fn taken(at: Instant) -> Option<u64> {
    let ago = clock::now().since(at).as_micros();
    clock::wall_micros()?.checked_sub(u64::try_from(ago).ok()?)
}

fn silent(source: SourceId) -> (LossCause, Text) {
    (LossCause::Stalled, if source.is_picture() { said::no_pictures() } else { said::no_sound() })
}
