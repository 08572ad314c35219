//! Branch: one encode. Raw pictures in, coded ones with their time out; an encoder that stands still is thrown
//! away and made afresh, with the pictures that it owes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::encoder::{self, Encoder};
use super::pipeline;
use crate::io::clock;
use crate::lang::{Text, said};
use crate::media::encoder::Settings;
use crate::media::{EncoderKind, OutputId, PictureSize, plan, sei};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;

/// A picture that is not coded by then: the encoder stands still.
const STALL: Duration = Duration::from_secs(1);
/// So much is owed at most, as a span of pictures: a stall, the making of another encoder, and some room.
const OWED: Duration = Duration::from_millis(2000);

/// A coded picture.
pub(super) struct Unit {
    /// The picture, its stamps those of the programme.
    pub(super) buffer: gst::Buffer,
    /// What it is.
    pub(super) caps: gst::Caps,
}

/// Takes coded pictures; must not block.
pub(super) type Sink = dyn Fn(Unit) + Send + Sync;

/// The wall clock of a picture, by its stamp.
pub(super) type WallOf = dyn Fn(u64) -> Option<u64> + Send + Sync;

/// A picture that the encoder has, and since when.
struct Owed {
    picture: gst::Buffer,
    since: Instant,
}

struct Run {
    pipe: gst::Pipeline,
    entrance: gst_app::AppSrc,
    encoder: Encoder,
}

#[derive(Default)]
struct State {
    /// `None` while another one is made.
    run: Option<Run>,
    kinds: VecDeque<EncoderKind>,
    owed: VecDeque<Owed>,
    moved: Option<Instant>,
    /// Encoders made in a row that gave nothing.
    barren: u32,
    left_out: u64,
}

/// What all runs of one encode share with their callbacks.
struct Shared {
    state: Mutex<State>,
    generation: AtomicU64,
    on: AtomicBool,
    sink: Box<Sink>,
    wall: Box<WallOf>,
}

/// One encode.
pub(super) struct Branch {
    output: OutputId,
    size: PictureSize,
    settings: Mutex<Settings>,
    shared: Arc<Shared>,
}

impl Branch {
    /// Starts with the first of `kinds` that this machine has and that encodes.
    pub(super) fn start(
        output: OutputId,
        size: PictureSize,
        settings: Settings,
        kinds: Vec<EncoderKind>,
        sink: Box<Sink>,
        wall: Box<WallOf>,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            generation: AtomicU64::new(0),
            on: AtomicBool::new(true),
            sink,
            wall,
        });
        let branch = Self { output, size, settings: Mutex::new(settings), shared };
        let mut kinds: VecDeque<_> = kinds.into();
        let run = branch.make(&mut kinds)?;
        *lock(&branch.shared.state) = State { run: Some(run), kinds, ..State::default() };
        Ok(branch)
    }

    /// Whose encode it is.
    pub(super) fn output(&self) -> OutputId {
        self.output
    }

    /// A raw picture with the programme's stamp; never waits. What an encoder owes too long is left out.
    pub(super) fn push(&self, picture: gst::Buffer) {
        if !self.shared.on.load(Ordering::Relaxed) {
            return;
        }
        let mut state = lock(&self.shared.state);
        let room = (OWED.as_secs_f64() * lock(&self.settings).rate.as_f64()) as usize + 2;
        if state.owed.len() >= room {
            state.left_out += 1;
            return;
        }
        state.owed.push_back(Owed { picture: picture.clone(), since: clock::now() });
        // refused only while it is being thrown away; then it is owed, and comes again
        if let Some(run) = &state.run {
            let _ = run.entrance.push_buffer(picture);
        }
    }

    /// Encodes, or rests; the first picture after a rest is a key picture.
    pub(super) fn set_on(&self, on: bool) {
        if self.shared.on.swap(on, Ordering::Relaxed) != on && on {
            self.force_key(None);
        }
    }

    /// Changes the rate; the stream goes on without a key picture.
    pub(super) fn set_bitrate(&self, bitrate: Bitrate) -> anyhow::Result<()> {
        let mut settings = lock(&self.settings);
        if settings.bitrate == bitrate {
            return Ok(());
        }
        settings.bitrate = bitrate;
        drop(settings);
        match lock(&self.shared.state).run.as_mut() {
            Some(run) => run.encoder.set_bitrate(bitrate),
            None => Ok(()),
        }
    }

    /// The encoder in use, and those that would take over.
    pub(super) fn kinds(&self) -> Vec<EncoderKind> {
        lock(&self.shared.state).kinds.iter().copied().collect()
    }

    /// Asks for a key picture: now, or the first with this stamp (nanoseconds) or a later one.
    pub(super) fn force_key(&self, at: Option<u64>) {
        // not under the lock: it goes through the element, which may be handing a picture over just now
        let encoder = lock(&self.shared.state).run.as_ref().map(|run| run.encoder.clone());
        if let Some(encoder) = encoder {
            encoder.force_key(at);
        }
    }

    /// What it was told last.
    pub(super) fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// The encoder in use.
    pub(super) fn kind(&self) -> Option<EncoderKind> {
        lock(&self.shared.state).run.as_ref().map(|run| run.encoder.kind())
    }

    /// Looks whether the encoder moves; makes it afresh if it does not, and says why it did.
    ///
    /// # Errors
    /// If no encoder is left that can be made.
    pub(super) fn look(&self, now: Instant) -> anyhow::Result<Option<Text>> {
        let (pipe, oldest) = {
            let state = lock(&self.shared.state);
            let Some(run) = &state.run else { return Ok(None) };
            let oldest = state.owed.front().map(|owed| state.moved.map_or(owed.since, |moved| owed.since.max(moved)));
            (run.pipe.clone(), oldest)
        };
        let why = match complaint(&pipe) {
            Some(words) => words,
            None if oldest.is_some_and(|since| now.since(since) >= STALL) => said::encoder_stalled(),
            None => return Ok(None),
        };
        self.renew(&why)?;
        Ok(Some(why))
    }

    fn renew(&self, why: &Text) -> anyhow::Result<()> {
        tracing::warn!(encode = self.output.name(), %why, "the encoder is made afresh");
        // from now on what the old one still gives is nobody's
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
        let mut kinds = {
            let mut state = lock(&self.shared.state);
            if let Some(run) = state.run.take() {
                pipeline::discard(run.pipe);
            }
            state.barren += 1;
            if state.barren > 1 {
                // twice in a row: it may be the picture, or the driver; both are left
                state.owed.clear();
                if state.kinds.len() > 1 {
                    state.kinds.pop_front();
                }
            }
            state.kinds.clone()
        };
        let run = self.make(&mut kinds)?;
        let now = clock::now();
        let mut state = lock(&self.shared.state);
        for owed in &mut state.owed {
            owed.since = now;
            let _ = run.entrance.push_buffer(owed.picture.clone());
        }
        (state.run, state.kinds, state.moved) = (Some(run), kinds, Some(now));
        Ok(())
    }

    /// The first of `kinds` that can be made; those before it are taken off.
    fn make(&self, kinds: &mut VecDeque<EncoderKind>) -> anyhow::Result<Run> {
        loop {
            let kind = *kinds.front().context("an encode has an encoder")?;
            match self.build(kind) {
                Ok(run) => return Ok(run),
                Err(error) if kinds.len() > 1 => {
                    tracing::warn!(encode = self.output.name(), kind = kind.name(), "{error:#}");
                    kinds.pop_front();
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn build(&self, kind: EncoderKind) -> anyhow::Result<Run> {
        let settings = *lock(&self.settings);
        let pipe = gst::Pipeline::new();
        let mut guard = Some(pipeline::Guard(pipe.clone()));
        pipeline::hurry(&pipe);
        pipeline::add(&pipe, &plan::pictures(self.size, kind, &settings))?;
        #[cfg(test)]
        super::tests::meddle(self.output, &pipe);
        let exit: gst_app::AppSink = pipeline::find(&pipe, plan::EXIT)?;
        let generation = self.shared.generation.load(Ordering::SeqCst);
        let shared = Arc::downgrade(&self.shared);
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |exit| {
            let sample = exit.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let shared = shared.upgrade().ok_or(gst::FlowError::Eos)?;
            if shared.generation.load(Ordering::SeqCst) == generation {
                shared.coded(&sample, settings.codec);
            }
            Ok(gst::FlowSuccess::Ok)
        });
        exit.set_callbacks(callbacks.build());
        let run = Run {
            entrance: pipeline::find(&pipe, plan::ENTRANCE)?,
            encoder: Encoder::of(&pipe, kind, settings)?,
            pipe: pipe.clone(),
        };
        if pipe.set_state(gst::State::Playing).is_err() {
            let why = complaint(&pipe).unwrap_or_else(said::encoder_refused);
            return Err(anyhow::Error::new(why).context(encoder::name(kind, settings.codec)));
        }
        // the run ends it from here on
        if let Some(guard) = guard.take() {
            guard.let_go();
        }
        Ok(run)
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
        let state = std::mem::take(&mut *lock(&self.shared.state));
        if let Some(run) = state.run {
            let _ = run.pipe.set_state(gst::State::Null);
            if state.left_out > 0 {
                tracing::warn!(
                    encode = self.output.name(),
                    pictures = state.left_out,
                    "left out: the encoder was too slow"
                );
            }
        }
    }
}

impl Shared {
    /// A coded picture came.
    fn coded(&self, sample: &gst::Sample, codec: sei::Codec) {
        let (Some(buffer), Some(caps), Some(segment)) = (sample.buffer(), sample.caps_owned(), sample.segment()) else {
            return;
        };
        let Some(segment) = segment.downcast_ref::<gst::ClockTime>() else { return };
        let running = |time: Option<gst::ClockTime>| time.and_then(|time| segment.to_running_time(time));
        let (pts, dts) = (running(buffer.pts()), running(buffer.dts()));
        if let Some(pts) = pts {
            let mut state = lock(&self.state);
            while state.owed.front().is_some_and(|owed| owed.picture.pts().is_none_or(|owed| owed <= pts)) {
                state.owed.pop_front();
            }
            state.moved = Some(clock::now());
            state.barren = 0;
        }
        let stamped = pts.and_then(|pts| (self.wall)(pts.nseconds())).and_then(|wall| remarked(buffer, codec, wall));
        let mut buffer = stamped.unwrap_or_else(|| buffer.copy());
        if let Some(stamps) = buffer.get_mut() {
            stamps.set_pts(pts);
            stamps.set_dts(dts);
        }
        (self.sink)(Unit { buffer, caps });
    }
}

/// The picture with its wall clock in it; its own memory is shared, not copied.
fn remarked(unit: &gst::BufferRef, codec: sei::Codec, wall: u64) -> Option<gst::Buffer> {
    let at = sei::place(codec, &unit.map_readable().ok()?)?;
    let all = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::META | gst::BufferCopyFlags::MEMORY;
    let head = unit.copy_region(all, ..at).ok()?;
    let rest = unit.copy_region(gst::BufferCopyFlags::MEMORY, at..).ok()?;
    let mut whole = head;
    whole.append(gst::Buffer::from_slice(sei::nal(codec, wall)));
    whole.append(rest);
    Some(whole)
}

fn complaint(pipe: &gst::Pipeline) -> Option<Text> {
    let bus = pipe.bus()?;
    while let Some(message) = bus.pop() {
        if let gst::MessageView::Error(error) = message.view() {
            return Some(Text::raw(pipeline::words(error)));
        }
    }
    None
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a thread that panicked leaves plain data behind, which stays usable
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
