//! Deck: everything that encodes. The pump lays pictures and sound down here and never waits.
//!
//! ```text
//!              ┌─ branch main ───┐
//!   pictures ──┼─ branch backup ─┼─► one mux each ─► outlets, recorder
//!              └─ branches of the dual image ┘
//!   sound ────── one AAC encoder, for every mux
//! ```

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::branch::{Branch, Unit};
use super::mux::Mux;
use super::outlet::Outlet;
use super::prove::Prover;
use super::tell::Tell;
use super::{encoder, pipeline};
use crate::board::Board;
use crate::io::clock;
use crate::io::reel::Reels;
use crate::lang::{Text, said};
use crate::media::encoder::{Settings, element};
use crate::media::splice::Side;
use crate::media::{Codec, Config, EncoderKind, OutputId, plan};
use crate::message::{MediaOrders, What};

/// Pictures whose wall clock is remembered: more than any encoder owes.
const WALLS: usize = 256;
/// A switch is made so many pictures ahead, so that no encoder has seen that picture yet.
const AHEAD: u64 = 3;
/// The programmes of the dual image's own transport stream: camera with sound, and slides.
const DUAL: [u8; 3] = [1, 1, 2];
/// The name of that transport stream in the recordings.
const BOTH: &str = "dual";

/// When the pictures on their way were taken, by their stamps.
#[derive(Debug, Default)]
struct Walls(Mutex<VecDeque<(u64, u64)>>);

impl Walls {
    fn note(&self, stamp: u64, wall: u64) {
        let mut walls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if walls.len() == WALLS {
            walls.pop_front();
        }
        walls.push_back((stamp, wall));
    }

    fn of(&self, stamp: u64) -> Option<u64> {
        let walls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walls.iter().rev().find(|(at, _)| *at == stamp).map(|(_, wall)| *wall)
    }
}

/// One entrance of a mux, which is made after those who push.
type Door = (Arc<OnceLock<Mux>>, usize);

/// Everything that encodes.
pub(super) struct Deck {
    config: Arc<Config>,
    branches: Vec<Branch>,
    sound: gst::Pipeline,
    sound_entrance: gst_app::AppSrc,
    muxes: Vec<Arc<OnceLock<Mux>>>,
    walls: Arc<Walls>,
    /// Stamp of the latest picture, nanoseconds.
    latest: AtomicU64,
    /// Ticks since the start.
    ticks: AtomicU64,
    /// Slides go to their encoder at every so many ticks.
    slides_every: AtomicU64,
    /// Bytes of the programme's mux since the start.
    bytes: Arc<AtomicU64>,
    /// The latest key picture that was ordered.
    key: Mutex<u32>,
    reels: Arc<Reels>,
}

impl Deck {
    /// Starts every encode that the settings name.
    pub(super) fn start(
        board: &Board,
        config: &Arc<Config>,
        orders: &MediaOrders,
        reels: Arc<Reels>,
        outlets: &[Arc<Outlet>],
        prover: Option<Arc<Prover>>,
        tell: &Tell,
    ) -> anyhow::Result<Self> {
        let walls = Arc::new(Walls::default());
        let bytes = Arc::new(AtomicU64::new(0));
        let outlet = |id: OutputId| outlets.iter().find(|outlet| outlet.id() == id).cloned();
        let mut sounding: Vec<Door> = Vec::new();
        let mut muxes: Vec<Arc<OnceLock<Mux>>> = Vec::new();
        let mut branches = Vec::new();
        let mux = |muxes: &mut Vec<Arc<OnceLock<Mux>>>, programs: &[u8], out: Box<dyn Fn(Bytes) + Send + Sync>| {
            let made = Arc::new(OnceLock::new());
            let _ = made.set(Mux::start(programs, config.held_back(), out)?);
            muxes.push(Arc::clone(&made));
            anyhow::Ok(made)
        };
        reels.fresh();
        let mut make = Maker { board, config, walls: Arc::clone(&walls), tell, prover, tried: None };

        let main = {
            let (bytes, reel) = (Arc::clone(&bytes), reels.of(OutputId::Main.name()));
            let outs = outlet(OutputId::Main).map(|out| (out, Side::A)).into_iter();
            let outs: Vec<_> = outs.chain(outlet(OutputId::Programme).map(|out| (out, Side::A))).collect();
            let out = move |payload: Bytes| {
                bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
                outs.iter().for_each(|(out, side)| out.push(*side, payload.clone()));
                reel.put(payload);
            };
            mux(&mut muxes, &[1, 1], Box::new(out))?
        };
        sounding.push((Arc::clone(&main), 1));
        let settings = Settings { bitrate: orders.bitrate, gop: config.gop, rate: config.rate, codec: Codec::H264 };
        branches.push(make.branch(OutputId::Main, settings, (main, 0))?);

        // of one coding one trial says it for all encodes
        make.tried = branches.first().map(Branch::kinds);

        if let Some(backup) = &config.roads.backup {
            let outs = outlet(OutputId::Backup).map(|out| (out, Side::A)).into_iter();
            let outs: Vec<_> = outs.chain(outlet(OutputId::Programme).map(|out| (out, Side::B))).collect();
            let reel = reels.of(OutputId::Backup.name());
            let out = move |payload: Bytes| {
                outs.iter().for_each(|(out, side)| out.push(*side, payload.clone()));
                reel.put(payload);
            };
            let made = mux(&mut muxes, &[1, 1], Box::new(out))?;
            sounding.push((Arc::clone(&made), 1));
            let settings =
                Settings { bitrate: backup.bitrate, gop: backup.gop, rate: config.rate, codec: backup.codec };
            branches.push(make.branch(OutputId::Backup, settings, (made, 0))?);
        }

        let mut slides_every = 1;
        if let Some(dual) = &config.roads.dual {
            slides_every = dual.slides_rate.every(config.rate).unwrap_or(1);
            let to = |id: OutputId, stream: &'static str| {
                let (out, reel) = (outlet(id), reels.of(stream));
                Box::new(move |payload: Bytes| {
                    out.iter().for_each(|out| out.push(Side::A, payload.clone()));
                    reel.put(payload);
                })
            };
            let (camera, slides): (Door, Door) = if dual.road.is_some() {
                let made = mux(&mut muxes, &DUAL, to(OutputId::Camera, BOTH))?;
                ((Arc::clone(&made), 0), (made, 2))
            } else {
                let camera = mux(&mut muxes, &[1, 1], to(OutputId::Camera, OutputId::Camera.name()))?;
                let slides = mux(&mut muxes, &[1], to(OutputId::Slides, OutputId::Slides.name()))?;
                ((camera, 0), (slides, 0))
            };
            sounding.push((Arc::clone(&camera.0), 1));
            let of = |bitrate, rate| Settings { bitrate, gop: config.gop, rate, codec: Codec::H264 };
            branches.push(make.branch(OutputId::Camera, of(dual.camera, config.rate), camera)?);
            let settings = of(dual.slides, dual.slides_rate);
            branches.push(make.branch(OutputId::Slides, settings, slides)?);
        }

        let (sound, sound_entrance) = sound_branch(config, sounding)?;
        let deck = Self {
            config: Arc::clone(config),
            branches,
            sound,
            sound_entrance,
            muxes,
            walls,
            latest: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            slides_every: AtomicU64::new(slides_every),
            bytes,
            key: Mutex::new(orders.key),
            reels,
        };
        deck.apply(orders)?;
        Ok(deck)
    }

    /// True if camera and slides are wanted apart ([`Self::apart`]).
    pub(super) fn is_dual(&self) -> bool {
        self.config.roads.dual.is_some()
    }

    /// The composed picture of a tick, stamped; `wall` is when it was taken, microseconds since 1970.
    pub(super) fn picture(&self, picture: gst::Buffer, wall: Option<u64>) {
        let stamp = picture.pts().map_or(0, gst::ClockTime::nseconds);
        if let Some(wall) = wall {
            self.walls.note(stamp, wall);
        }
        self.latest.store(stamp, Ordering::Relaxed);
        self.ticks.fetch_add(1, Ordering::Relaxed);
        for branch in &self.branches {
            if matches!(branch.output(), OutputId::Main | OutputId::Backup) {
                branch.push(picture.clone());
            }
        }
    }

    /// Camera and slides of the same tick, stamped alike.
    pub(super) fn apart(&self, camera: gst::Buffer, slides: gst::Buffer) {
        let due = self.ticks.load(Ordering::Relaxed).is_multiple_of(self.slides_every.load(Ordering::Relaxed).max(1));
        for branch in &self.branches {
            match branch.output() {
                OutputId::Camera => branch.push(camera.clone()),
                OutputId::Slides if due => branch.push(slides.clone()),
                _ => {}
            }
        }
    }

    /// The samples of a tick.
    pub(super) fn sound(&self, samples: gst::Buffer) {
        let _ = self.sound_entrance.push_buffer(samples);
    }

    /// Bytes of the programme's transport stream since the start.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bitrates, key pictures, and who rests.
    pub(super) fn apply(&self, orders: &MediaOrders) -> anyhow::Result<()> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if *key != orders.key {
            *key = orders.key;
            // the recorder hears of it first: what comes after on the reel has the key picture in it
            self.reels.cut(orders.key);
            self.branches.iter().for_each(|branch| branch.force_key(None));
        }
        drop(key);
        if let Some(dual) = &self.config.roads.dual {
            let every = dual.slides_rate.every(self.config.rate).unwrap_or(1) * u64::from(orders.slides_every.max(1));
            self.slides_every.store(every, Ordering::Relaxed);
        }
        for branch in &self.branches {
            let bitrate = match branch.output() {
                OutputId::Main => Some(orders.bitrate),
                other => orders.others.get(&other).copied(),
            };
            branch.set_on(bitrate.is_some());
            if let Some(bitrate) = bitrate {
                branch.set_bitrate(bitrate)?;
            }
        }
        Ok(())
    }

    /// Asks an encode for a key picture: now, or the first with this stamp or a later one.
    pub(super) fn force_key(&self, output: OutputId, at: Option<u64>) {
        let feeds = match output {
            OutputId::Programme => OutputId::Main,
            other => other,
        };
        self.branches.iter().filter(|branch| branch.output() == feeds).for_each(|branch| branch.force_key(at));
    }

    /// Asks the encode of `output` for a key picture just ahead, and says which one: ticks of 90 kHz as in its
    /// transport stream.
    pub(super) fn key_ahead(&self, output: OutputId) -> u64 {
        let rate = self.config.rate;
        let latest = self.latest.load(Ordering::Relaxed);
        let tick = u128::from(latest) * u128::from(rate.num) / (1_000_000_000 * u128::from(rate.den.max(1)));
        let stamp = rate.stamp_of(u64::try_from(tick).unwrap_or(u64::MAX / 2) + AHEAD);
        self.force_key(output, Some(stamp));
        // the mux's clock begins an hour after zero
        let ticks = u128::from(stamp) * 9 / 100_000 + 3600 * 90_000;
        (ticks % (1 << 33)) as u64
    }

    /// The encoder of the programme.
    pub(super) fn kind(&self) -> Option<EncoderKind> {
        self.branches.first().and_then(Branch::kind)
    }

    /// The encoder and the settings of an output's encode.
    pub(super) fn settings(&self, output: OutputId) -> Option<(EncoderKind, Settings)> {
        let feeds = if output == OutputId::Programme { OutputId::Main } else { output };
        let branch = self.branches.iter().find(|branch| branch.output() == feeds)?;
        Some((branch.kind()?, branch.settings()))
    }

    /// Looks at every encoder: who was made afresh, and why.
    ///
    /// # Errors
    /// If the programme cannot go on.
    pub(super) fn look(&self) -> anyhow::Result<Vec<(OutputId, Text)>> {
        let now = clock::now();
        let mut renewed = Vec::new();
        for branch in &self.branches {
            match branch.look(now) {
                Ok(Some(why)) => renewed.push((branch.output(), why)),
                Ok(None) => {}
                Err(error) if branch.output() == OutputId::Main => return Err(error),
                Err(error) => renewed.push((branch.output(), crate::io::task::reason(&error))),
            }
        }
        pipeline::check(&self.sound)?;
        for mux in self.muxes.iter().filter_map(|mux| mux.get()) {
            mux.check()?;
        }
        Ok(renewed)
    }
}

impl Drop for Deck {
    fn drop(&mut self) {
        let _ = self.sound.set_state(gst::State::Null);
    }
}

/// Makes encodes.
struct Maker<'m> {
    board: &'m Board,
    config: &'m Config,
    walls: Arc<Walls>,
    tell: &'m Tell,
    /// Compares what the programme's encoder makes.
    prover: Option<Arc<Prover>>,
    /// The encoders of H.264 that work here, once that is known.
    tried: Option<Vec<EncoderKind>>,
}

impl Maker<'_> {
    fn choose(&self, settings: Settings) -> anyhow::Result<(Vec<EncoderKind>, Vec<String>)> {
        match self.tried.as_ref().filter(|_| settings.codec == Codec::H264) {
            Some(kinds) => Ok((kinds.clone(), Vec::new())),
            None => encoder::choose(&self.board.encoders, self.config.size, settings),
        }
    }

    fn branch(&self, output: OutputId, settings: Settings, to: Door) -> anyhow::Result<Branch> {
        let (kinds, refused, settings) = match self.choose(settings) {
            Ok((kinds, refused)) => (kinds, refused, settings),
            Err(error) if settings.codec == Codec::H265 => {
                let settings = Settings { codec: Codec::H264, ..settings };
                let (kinds, mut refused) = self.choose(settings)?;
                refused.push(format!("H.265: {error:#}"));
                (kinds, refused, settings)
            }
            Err(error) => return Err(error),
        };
        let refuse = |why: Text| self.tell.state(What::EncoderFailed { output, for_good: true, why });
        if !refused.is_empty() {
            refuse(Text::raw(refused.join("; ")));
        }
        let walls = Arc::clone(&self.walls);
        let prover = self.prover.clone().filter(|_| output == OutputId::Main);
        let rate = settings.rate;
        let sink = move |unit: Unit| {
            if let Some(prover) = &prover {
                prover.handle_coded(&unit, rate);
            }
            if let Some(mux) = to.0.get() {
                mux.push(to.1, unit.buffer, &unit.caps);
            }
        };
        let first = kinds.first().copied();
        let wall = move |stamp| walls.of(stamp);
        let branch = Branch::start(output, self.config.size, settings, kinds, Box::new(sink), Box::new(wall))?;
        if let (Some(first), Some(used)) = (first, branch.kind().filter(|used| Some(*used) != first)) {
            // a driver may work, and still not carry one encode more
            refuse(said::encoder_instead(element(first, settings.codec), element(used, settings.codec)));
        }
        Ok(branch)
    }
}

/// The one encoder of sound; its blocks go to every door.
fn sound_branch(config: &Config, doors: Vec<Door>) -> anyhow::Result<(gst::Pipeline, gst_app::AppSrc)> {
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    pipeline::hurry(&pipe);
    pipeline::add(&pipe, &plan::sound(config.audio_bitrate))?;
    let exit: gst_app::AppSink = pipeline::find(&pipe, plan::EXIT)?;
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |exit| {
        let sample = exit.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps_owned()) {
            for (mux, n) in &doors {
                if let Some(mux) = mux.get() {
                    mux.push(*n, buffer.copy(), &caps);
                }
            }
        }
        Ok(gst::FlowSuccess::Ok)
    });
    exit.set_callbacks(callbacks.build());
    let entrance = pipeline::find(&pipe, plan::ENTRANCE)?;
    pipe.set_state(gst::State::Playing).context(said::programme_does_not_start())?;
    guard.let_go();
    Ok((pipe, entrance))
}
