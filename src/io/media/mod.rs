//! The media part: Orders in, a programme that never stops, facts out.

mod compose;
mod encoder;
mod feed;
pub mod judge;
mod output;
mod pipeline;
mod pump;
mod signal;
mod source;
mod stop;
mod tell;

use std::sync::{Arc, Once};
use std::thread;

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::mpsc;

use self::encoder::Encoder;
use self::feed::Feed;
use self::output::{Output, Tap, Way};
use self::pump::{Desk, Pump};
use self::source::{Device, Source};
use self::stop::Stop;
use self::tell::Tell;
use crate::board::{Board, PictureDevice, SoundDevice};
use crate::io::clock;
use crate::io::task::Ends;
use crate::media::{Config, EncoderKind, SourceId, plan};
use crate::message::{MediaOrders, What};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;

/// Facts on their way to control; far more than a programme says in a second.
const FACTS: usize = 256;
/// The programme is measured so often.
const MEASURE: Duration = Duration::from_secs(1);
/// No picture encoded for this long: the pipeline hangs and the part is started afresh.
const HANG: Duration = Duration::from_secs(10);

fn init() -> anyhow::Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| result = gst::init());
    result.context("GStreamer does not start")
}

/// Runs pictures and sound until Orders end everything.
///
/// `srt_port` is the bonding engine's port on the loopback.
///
/// # Errors
/// If no encoder works, or the programme's pipeline fails or hangs.
pub async fn run(board: Arc<Board>, config: Arc<Config>, srt_port: u16, mut ends: Ends) -> anyhow::Result<()> {
    init()?;
    let (sender, mut heard) = mpsc::channel(FACTS);
    let tell = Tell::new(sender);
    let orders = ends.orders.borrow_and_update().media.clone();
    let (order, shape, rate) = (board.encoders.clone(), Arc::clone(&config), orders.bitrate);
    let kind = tokio::task::spawn_blocking(move || encoder::choose(&order, &shape, rate)).await??;
    ends.state(What::EncoderChosen { kind }).await;
    let mut programme = Programme::start(&board, &config, kind, &orders, &tell)?;
    let mut output = Air::new(Way {
        config: Arc::clone(&config),
        port: srt_port,
        tap: Arc::clone(&programme.tap),
        encoder: programme.encoder.clone(),
        tell,
    });
    let mut meter = Meter::new(programme.desk.ticks(), programme.tap.bytes());
    let mut due = tokio::time::interval(MEASURE);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = tokio::time::interval(Duration::from_millis(100));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    output.want(orders.on_air)?;
    loop {
        tokio::select! {
            changed = ends.orders.changed() => {
                let orders = Arc::clone(&ends.orders.borrow_and_update());
                if changed.is_err() || orders.shutdown {
                    break;
                }
                programme.apply(&orders.media)?;
                output.want(orders.media.on_air)?;
            }
            Some((must, what)) = heard.recv() => {
                if must { ends.state(what).await } else { ends.measure(what) }
            }
            _ = due.tick() => {
                if let Some(what) = meter.measure(&programme) {
                    ends.measure(what);
                }
            }
            _ = look.tick() => {
                output.settle()?;
                programme.check()?;
                meter.check(programme.desk.ticks())?;
            }
        }
    }
    tokio::task::spawn_blocking(move || drop((output, programme))).await?;
    Ok(())
}

/// Being on the air or not, with the session that goes with it.
struct Air {
    way: Way,
    wanted: bool,
    session: Option<Output>,
}

impl Air {
    fn new(way: Way) -> Self {
        Self { way, wanted: false, session: None }
    }

    fn want(&mut self, on_air: bool) -> anyhow::Result<()> {
        self.wanted = on_air;
        if !on_air && let Some(session) = &self.session {
            session.close();
        }
        self.settle()
    }

    /// Opens what is wanted, once what was closed has ended.
    fn settle(&mut self) -> anyhow::Result<()> {
        if self.session.as_ref().is_some_and(Output::is_closed) {
            self.session = None;
        }
        if self.wanted && self.session.is_none() {
            self.session = Some(Output::open(Way {
                config: Arc::clone(&self.way.config),
                port: self.way.port,
                tap: Arc::clone(&self.way.tap),
                encoder: self.way.encoder.clone(),
                tell: self.way.tell.clone(),
            })?);
        }
        Ok(())
    }
}

/// The permanent pipeline, its pump and its captures; all of it stops when this is dropped.
struct Programme {
    encoder: Encoder,
    desk: Arc<Desk>,
    tap: Arc<Tap>,
    pipe: gst::Pipeline,
    sources: Vec<Source>,
    stop: Arc<Stop>,
    pump: Option<thread::JoinHandle<anyhow::Result<()>>>,
}

impl Programme {
    fn start(
        board: &Board,
        config: &Arc<Config>,
        kind: EncoderKind,
        orders: &MediaOrders,
        tell: &Tell,
    ) -> anyhow::Result<Self> {
        let (pipe, tap) = build(config, kind, orders.bitrate)?;
        let mut programme = Self {
            encoder: Encoder::of(&pipe, kind, config, orders.bitrate)?,
            desk: Arc::new(Desk::new(orders.layout, orders.line)),
            tap,
            pipe,
            sources: Vec::new(),
            stop: Arc::default(),
            pump: None,
        };
        let pipe = &programme.pipe;
        pipe.set_state(gst::State::Playing).context("the programme's pipeline does not start")?;
        let devices = devices(board);
        let fitted = devices.each_ref().map(Option::is_some);
        let feeds = std::array::from_fn(|i| Arc::new(Feed::new(SourceId::ALL[i], fitted[i], config)));
        for (device, feed) in devices.into_iter().zip(&feeds) {
            if let Some(device) = device {
                programme.sources.push(Source::start(device, Arc::clone(feed), Arc::clone(config))?);
            }
        }
        let pump = Pump {
            config: Arc::clone(config),
            feeds,
            desk: Arc::clone(&programme.desk),
            pictures: pipeline::find(pipe, plan::PICTURES)?,
            sound: pipeline::find(pipe, plan::SOUND)?,
            tell: tell.clone(),
        };
        programme.pump = Some(pump.start(Arc::clone(&programme.stop))?);
        Ok(programme)
    }

    fn apply(&mut self, orders: &MediaOrders) -> anyhow::Result<()> {
        self.desk.want(orders.layout, orders.line);
        self.encoder.set_bitrate(orders.bitrate)
    }

    /// An error of the pipeline or an end of the pump is the end of the part.
    fn check(&mut self) -> anyhow::Result<()> {
        let bus = self.pipe.bus().context("a pipeline has a bus")?;
        while let Some(message) = bus.pop() {
            if let gst::MessageView::Error(error) = message.view() {
                anyhow::bail!("the programme's pipeline failed: {}", pipeline::words(error));
            }
        }
        if self.pump.as_ref().is_some_and(thread::JoinHandle::is_finished)
            && let Some(pump) = self.pump.take()
        {
            pump.join().map_err(|_| anyhow::anyhow!("the pump panicked"))??;
            anyhow::bail!("the pump ended by itself");
        }
        Ok(())
    }
}

impl Drop for Programme {
    fn drop(&mut self) {
        self.stop.tell();
        self.sources.iter().for_each(Source::tell);
        // a pump that waits at a full entrance is let go by this
        let _ = self.pipe.set_state(gst::State::Null);
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
        self.sources.clear();
    }
}

fn devices(board: &Board) -> [Option<Device>; 4] {
    let picture = |device: &Option<PictureDevice>| device.clone().map(Device::Picture);
    let sound = |device: &Option<SoundDevice>| device.clone().map(Device::Sound);
    [picture(&board.camera), picture(&board.slides), sound(&board.mixer_a), sound(&board.mixer_b)]
}

/// The programme's pipeline as planned, its mux's bytes passed on by a tap.
fn build(config: &Config, kind: EncoderKind, bitrate: Bitrate) -> anyhow::Result<(gst::Pipeline, Arc<Tap>)> {
    let plan = plan::programme(config, kind, bitrate);
    let pipe = gst::Pipeline::new();
    pipeline::hurry(&pipe);
    let video = pipeline::add(&pipe, &plan.video)?;
    let audio = pipeline::add(&pipe, &plan.audio)?;
    pipeline::add(&pipe, &plan.mux)?;
    let mux: gst::Element = pipeline::find(&pipe, plan::MUX)?;
    for chain in [&video, &audio] {
        chain.last().context("a chain has elements")?.link(&mux)?;
    }
    let tap = Arc::new(Tap::default());
    let passing = Arc::clone(&tap);
    let exit: gst_app::AppSink = pipeline::find(&pipe, plan::EXIT)?;
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |exit| {
        let sample = exit.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(buffer) = sample.buffer() {
            passing.pass(buffer);
        }
        Ok(gst::FlowSuccess::Ok)
    });
    exit.set_callbacks(callbacks.build());
    Ok((pipe, tap))
}

/// Turns counters into what happened in the last second.
struct Meter {
    at: Instant,
    ticks: u64,
    bytes: u64,
    moved: (u64, Instant),
}

impl Meter {
    fn new(ticks: u64, bytes: u64) -> Self {
        let at = clock::now();
        Self { at, ticks, bytes, moved: (ticks, at) }
    }

    fn measure(&mut self, programme: &Programme) -> Option<What> {
        let (at, ticks, bytes) = (clock::now(), programme.desk.ticks(), programme.tap.bytes());
        let seconds = at.since(self.at).as_secs_f64();
        // the interval's first tick comes at once
        if seconds < 0.5 {
            return None;
        }
        let what = What::ProgrammeMeasured {
            fps: (ticks - self.ticks) as f64 / seconds,
            bitrate: Bitrate::bps(((bytes - self.bytes) as f64 * 8.0 / seconds) as u64),
            slate: programme.desk.take_slate(),
            frames: ticks,
        };
        (self.at, self.ticks, self.bytes) = (at, ticks, bytes);
        Some(what)
    }

    fn check(&mut self, ticks: u64) -> anyhow::Result<()> {
        let now = clock::now();
        if ticks != self.moved.0 {
            self.moved = (ticks, now);
        }
        anyhow::ensure!(now.since(self.moved.1) < HANG, "the programme's pipeline hangs: no picture for {HANG:?}");
        Ok(())
    }
}
