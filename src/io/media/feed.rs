//! Feed: where a capture leaves what it takes, and what it says of itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;

use crate::lang::Text;
use crate::media::Reserve;
use crate::media::line::{Look, Watch};
use crate::media::lipsync::Clapper;
use crate::media::slot::Slot;
use crate::media::sound::{Stereo, Store};
use crate::media::timings::Timings;
use crate::media::{Config, Line, SourceId};
use crate::message::LossCause;
use crate::time::Instant;

/// Looks that wait for the pump at most: half a minute of a pump that stands still.
const LOOKS: usize = 300;

/// Listens to one line while it is captured.
#[derive(Debug)]
struct Ear {
    watched: bool,
    // made with the first sound: most feeds carry pictures, and three seconds of loudness are 2 MB
    watch: Option<Watch>,
    block: Vec<Stereo>,
    looks: VecDeque<Look>,
}

impl Ear {
    fn new(watched: bool) -> Self {
        Self { watched, watch: None, block: Vec::new(), looks: VecDeque::new() }
    }
}

/// The lip-sync test, shared by the feeds while it runs.
#[derive(Debug, Default)]
pub(super) struct Claps {
    on: AtomicBool,
    /// The line that it listens to, by its place in [`Line::ALL`].
    line: AtomicUsize,
    clapper: Mutex<Clapper>,
}

impl Claps {
    /// Begins afresh, or ends; listens to `line`.
    pub(super) fn set(&self, on: bool, line: Line) {
        self.line.store(line.index(), Ordering::Relaxed);
        if self.on.swap(on, Ordering::Relaxed) != on {
            *self.clapper() = Clapper::new();
        }
    }

    /// What it has seen and heard.
    pub(super) fn clapper(&self) -> MutexGuard<'_, Clapper> {
        lock(&self.clapper)
    }

    fn hears(&self, source: SourceId) -> bool {
        let line = Line::ALL.get(self.line.load(Ordering::Relaxed));
        self.on.load(Ordering::Relaxed) && line.is_some_and(|line| source == line.source())
    }
}

/// Between one capture and the pump.
#[derive(Debug)]
pub(super) struct Feed {
    /// Whose.
    pub(super) source: SourceId,
    /// The board has such a device; nobody is told of one that is not there by design.
    pub(super) fitted: bool,
    slot: Mutex<Slot<gst::Buffer>>,
    store: Mutex<Store>,
    ear: Mutex<Ear>,
    claps: Option<Arc<Claps>>,
    condition: Mutex<Condition>,
    gives: Mutex<Option<Timings>>,
}

/// What the capture says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// What it gives.
    pub(super) detail: Text,
    /// Why it gives nothing, if it knows.
    pub(super) loss: Option<(LossCause, Text)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a thread that panicked leaves plain data behind, which stays usable
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// An empty feed for a programme of this shape.
    ///
    /// `claps` is given to the sources that the lip-sync test listens to or looks at.
    pub(super) fn new(source: SourceId, fitted: bool, config: &Config, claps: Option<Arc<Claps>>) -> Self {
        let period = config.period();
        let delay = Reserve::new(period, config.reserve).delay();
        Self {
            source,
            fitted,
            slot: Mutex::new(Slot::new(period, config.reserve)),
            store: Mutex::new(if config.sound.followed { Store::new(delay) } else { Store::plain(delay) }),
            ear: Mutex::new(Ear::new(config.sound.watched)),
            claps,
            condition: Mutex::default(),
            gives: Mutex::default(),
        }
    }

    /// A picture, taken at `stamp`.
    pub(super) fn picture(&self, stamp: Instant, frame: gst::Buffer) {
        if let Some(claps) = self.claps.as_ref().filter(|claps| claps.on.load(Ordering::Relaxed)) {
            claps.clapper().handle_picture(stamp, brightness(&frame));
        }
        self.slot().push(stamp, frame);
    }

    /// Some sound, of which the last sample was taken at `at`.
    pub(super) fn sound(&self, at: Instant, samples: impl IntoIterator<Item = Stereo>) {
        let mut ear = lock(&self.ear);
        let Ear { watched, watch, block, looks } = &mut *ear;
        let watch = watch.get_or_insert_with(|| if *watched { Watch::new() } else { Watch::plain() });
        block.clear();
        block.extend(samples);
        self.store().push(at, block.iter().copied());
        watch.push(at, block, |look| {
            if looks.len() == LOOKS {
                looks.pop_front();
            }
            looks.push_back(look);
        });
        if let Some(claps) = self.claps.as_ref().filter(|claps| claps.hears(self.source)) {
            claps.clapper().handle_sound(at, block);
        }
    }

    /// Samples were lost, the next one is taken at `at`; as many as are missing are filled with silence.
    pub(super) fn lost_samples(&self, at: Instant, missing: usize) {
        self.sound(at, std::iter::repeat_n([0.0; 2], missing));
        if let Some(watch) = &mut lock(&self.ear).watch {
            watch.lost();
        }
        self.store().restart(at);
    }

    /// The card is opened afresh: what was heard before tells nothing of it.
    pub(super) fn fresh(&self, at: Instant) {
        let mut ear = lock(&self.ear);
        *ear = Ear::new(ear.watched);
        drop(ear);
        self.store().restart(at);
    }

    /// Another live began: its integrated loudness is measured afresh.
    pub(super) fn new_show(&self) {
        if let Some(watch) = &mut lock(&self.ear).watch {
            watch.restart();
        }
    }

    /// The next look at the line that the pump has not seen.
    pub(super) fn next_look(&self) -> Option<Look> {
        lock(&self.ear).looks.pop_front()
    }

    /// The capture is open and gives this.
    pub(super) fn opened(&self, detail: Text) {
        *lock(&self.condition) = Condition { detail, loss: None };
    }

    /// Size and rate of what comes in, before it is brought to the programme's.
    pub(super) fn format(&self, given: Option<Timings>) {
        *lock(&self.gives) = given;
    }

    /// Size and rate of what comes in, if its capture knows.
    pub(super) fn gives(&self) -> Option<Timings> {
        *lock(&self.gives)
    }

    /// The driver says that the signal ended just now: nothing newer is shown, and the slate stands at once.
    pub(super) fn cut_off(&self, at: Instant) {
        self.slot().end(at);
    }

    /// The capture gives nothing, and this is why.
    pub(super) fn lost(&self, cause: LossCause, detail: Text) {
        lock(&self.condition).loss = Some((cause, detail));
    }

    /// The capture gives again what it gave before.
    pub(super) fn found(&self) {
        lock(&self.condition).loss = None;
    }

    /// What the capture says of itself.
    pub(super) fn condition(&self) -> Condition {
        lock(&self.condition).clone()
    }

    /// The pictures.
    pub(super) fn slot(&self) -> MutexGuard<'_, Slot<gst::Buffer>> {
        lock(&self.slot)
    }

    /// The sound.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }
}

/// Brightness of a frame on the mean, 0 to 1: some points of its first plane, which is the luma.
fn brightness(frame: &gst::Buffer) -> f32 {
    let Ok(map) = frame.map_readable() else { return 0.0 };
    // planar 4:2:0: two thirds are luma
    let luma = &map[..map.len() * 2 / 3];
    let step = (luma.len() / 256).max(1);
    let (sum, n) = luma.iter().step_by(step).fold((0_u32, 0_u32), |(sum, n), y| (sum + u32::from(*y), n + 1));
    sum as f32 / n.max(1) as f32 / 255.0
}
