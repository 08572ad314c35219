//! The media part: Orders in, a programme that never stops, facts out.

mod compose;
mod dv;
mod encoder;
mod feed;
pub mod judge;
mod output;
mod pipeline;
mod plugs;
mod prove;
mod pump;
mod shelf;
mod signal;
mod source;
mod stop;
mod tell;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Once};
use std::thread;

use anyhow::Context;
use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::mpsc;

use self::encoder::Encoder;
use self::feed::{Claps, Feed};
pub use self::output::Exit;
use self::output::{Output, Tap, Way};
use self::prove::Prover;
use self::pump::{Desk, Pump, Wanted};
use self::shelf::Shelf;
use self::source::{Device, Source};
use self::stop::Stop;
use self::tell::Tell;
use crate::board::{Board, PictureDevice, SoundDevice};
use crate::io::clock;
use crate::io::reel::Reel;
use crate::io::task::Ends;
use crate::lang::said;
use crate::media::{Config, EncoderKind, Slate, SourceId, plan};
use crate::message::{MediaOrders, What};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;

/// Facts on their way to control; far more than a programme says in a second.
const FACTS: usize = 256;
/// The programme is measured so often.
const MEASURE: Duration = Duration::from_secs(1);
/// No picture encoded for this long: the pipeline hangs and the part is started afresh.
const HANG: Duration = Duration::from_secs(10);
/// Five encoders on trial, five seconds each, and the devices: a start that takes longer hangs, and is
/// left to the watchdog.
const START_WITHIN: Duration = Duration::from_secs(40);

fn init() -> anyhow::Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| result = gst::init());
    result.context("GStreamer does not start")
}

/// Runs pictures and sound until Orders end everything.
///
/// `exit` is where the programme leaves towards the bonding engine; `reel` gets the same bytes for the recorder.
///
/// # Errors
/// If no encoder works, or the programme's pipeline fails or hangs.
pub async fn run(
    board: Arc<Board>,
    config: Arc<Config>,
    exit: Exit,
    reel: Arc<Reel>,
    mut ends: Ends,
) -> anyhow::Result<()> {
    init()?;
    let (sender, mut heard) = mpsc::channel(FACTS);
    let tell = Tell::new(sender);
    let orders = ends.orders.borrow_and_update().media.clone();
    let (order, shape, rate) = (board.encoders.clone(), Arc::clone(&config), orders.bitrate);
    let mut starting = tokio::task::spawn_blocking(move || {
        let kind = encoder::choose(&order, &shape, rate)?;
        let programme = Programme::start(&board, &config, kind, &orders, &tell, reel)?;
        let air = Air::new(Way {
            config: Arc::clone(&config),
            exit,
            tap: Arc::clone(&programme.tap),
            encoder: programme.encoder.clone(),
            tell,
        });
        anyhow::Ok((kind, Aside::new((air, programme))))
    });
    let started = match tokio::time::timeout(START_WITHIN, ends.pulse.during(&mut starting)).await {
        Ok(started) => started,
        Err(_) => starting.await,
    };
    let (kind, mut stage) = started??;
    ends.state(What::EncoderChosen { kind }).await;
    let (output, programme) = &mut *stage;
    let mut meter = Meter::new(programme.desk.ticks(), programme.tap.bytes());
    let mut due = tokio::time::interval(MEASURE);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = tokio::time::interval(Duration::from_millis(100));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    output.want(ends.orders.borrow().media.on_air)?;
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
                if let Some(what) = meter.measure(programme) {
                    ends.measure(what);
                }
            }
            _ = look.tick() => {
                ends.pulse.beat();
                output.settle()?;
                programme.check()?;
                meter.check(programme.desk.ticks())?;
            }
        }
    }
    ends.pulse.during(tokio::task::spawn_blocking(move || stage.end())).await?;
    Ok(())
}

/// Ends on a thread of its own: there threads are joined and devices closed, which may take its time,
/// and the runtime's workers go on even if the part is aborted.
struct Aside<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Aside<T> {
    fn new(held: T) -> Self {
        Self(Some(held))
    }

    /// Ends it here and now.
    fn end(mut self) {
        drop(self.0.take());
    }
}

impl<T: Send + 'static> Deref for Aside<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_ref().expect("only the end takes it out")
    }
}

impl<T: Send + 'static> DerefMut for Aside<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("only the end takes it out")
    }
}

impl<T: Send + 'static> Drop for Aside<T> {
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            // without a thread to be had it ends here, late rather than never
            let _ = thread::Builder::new().name("media-end".into()).spawn(move || drop(held));
        }
    }
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
                exit: self.way.exit.clone(),
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
    reel: Arc<Reel>,
    /// The latest key picture that was ordered.
    key: u32,
    pipe: gst::Pipeline,
    sources: Vec<Source>,
    stop: Arc<Stop>,
    pump: Option<thread::JoinHandle<anyhow::Result<()>>>,
    prover: Option<thread::JoinHandle<()>>,
    shelf: Arc<Shelf>,
    filling: Option<thread::JoinHandle<()>>,
    config: Arc<Config>,
    film: Arc<Feed>,
    /// The capture of the warm-up loop, while that is wanted.
    playing: Option<Source>,
    warmup: bool,
}

impl Programme {
    fn start(
        board: &Board,
        config: &Arc<Config>,
        kind: EncoderKind,
        orders: &MediaOrders,
        tell: &Tell,
        reel: Arc<Reel>,
    ) -> anyhow::Result<Self> {
        let (pipe, tap) = build(config, kind, orders.bitrate, &reel)?;
        let mut programme = Self {
            encoder: Encoder::of(&pipe, kind, config, orders.bitrate)?,
            desk: Arc::new(Desk::new(Wanted::of(orders))),
            tap,
            reel,
            key: orders.key,
            pipe,
            sources: Vec::new(),
            stop: Arc::default(),
            pump: None,
            prover: None,
            shelf: Shelf::new(config.size),
            filling: None,
            config: Arc::clone(config),
            // nobody is told of it: the slate is on the screen because somebody wants it there
            film: Arc::new(Feed::new(SourceId::Slides, false, config, None)),
            playing: None,
            warmup: warmup(orders),
        };
        programme.filling = Some(programme.shelf.fill(config, tell.clone(), Arc::clone(&programme.stop))?);
        let pipe = &programme.pipe;
        pipe.set_state(gst::State::Playing).context(said::programme_does_not_start())?;
        let devices = devices(board);
        let fitted = devices.each_ref().map(Option::is_some);
        // the flash clip comes from the slides laptop, or is held before the camera where there is none
        let screen = if fitted[1] { SourceId::Slides } else { SourceId::Camera };
        let claps = Arc::new(Claps::default());
        let feeds: [Arc<Feed>; 6] = std::array::from_fn(|i| {
            let source = SourceId::ALL[i];
            let watched = (!source.is_picture() || source == screen).then(|| Arc::clone(&claps));
            Arc::new(Feed::new(source, fitted[i], config, watched))
        });
        for (device, feeds) in opened_once(devices, &feeds) {
            programme.sources.push(Source::start(device, feeds, Arc::clone(config))?);
        }
        let every = config.prove;
        let prover = (!every.is_zero()).then(|| Prover::new(config.size));
        if let Some(prover) = &prover {
            prover.watch(&encoded(pipe)?, config.rate);
            let stop = Arc::clone(&programme.stop);
            programme.prover = Some(prover.start(every, config.gop, tell.clone(), stop)?);
        }
        let pump = Pump {
            config: Arc::clone(config),
            prover,
            film: Arc::clone(&programme.film),
            shelf: Arc::clone(&programme.shelf),
            feeds,
            claps,
            desk: Arc::clone(&programme.desk),
            pictures: pipeline::find(pipe, plan::PICTURES)?,
            sound: pipeline::find(pipe, plan::SOUND)?,
            tell: tell.clone(),
        };
        programme.pump = Some(pump.start(Arc::clone(&programme.stop))?);
        Ok(programme)
    }

    fn apply(&mut self, orders: &MediaOrders) -> anyhow::Result<()> {
        self.desk.want(Wanted::of(orders));
        self.warmup = warmup(orders);
        self.play()?;
        if self.key != orders.key {
            self.key = orders.key;
            // the recorder hears of it first: what comes after on the reel has the key picture in it
            self.reel.cut(orders.key);
            self.encoder.force_key();
        }
        self.encoder.set_bitrate(orders.bitrate)
    }

    /// The warm-up loop is decoded only while it is on the screen.
    fn play(&mut self) -> anyhow::Result<()> {
        match (self.playing.is_some(), self.warmup, self.shelf.film()) {
            (false, true, Some(path)) => {
                let device = Device::Picture(PictureDevice::File { path });
                self.playing = Some(Source::start(device, vec![Arc::clone(&self.film)], Arc::clone(&self.config))?);
            }
            (true, false, _) => {
                if let Some(playing) = self.playing.take() {
                    playing.tell();
                    drop(Aside::new(playing));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An error of the pipeline or an end of the pump is the end of the part.
    fn check(&mut self) -> anyhow::Result<()> {
        // its file may have been found good only now
        self.play()?;
        let bus = self.pipe.bus().context("a pipeline has a bus")?;
        while let Some(message) = bus.pop() {
            if let gst::MessageView::Error(error) = message.view() {
                anyhow::bail!(said::because(&said::programme_failed(), &pipeline::words(error)));
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
        for thread in [self.prover.take(), self.filling.take()].into_iter().flatten() {
            let _ = thread.join();
        }
        self.playing = None;
        self.sources.clear();
    }
}

/// Where the encoder's pictures pass, whole and parsed: what follows the filter after the parser.
fn encoded(pipe: &gst::Pipeline) -> anyhow::Result<gst::Pad> {
    let mux: gst::Element = pipeline::find(pipe, plan::MUX)?;
    let video = |pad: &gst::Pad| {
        pad.current_caps()
            .or_else(|| Some(pad.peer()?.query_caps(None)))
            .is_some_and(|caps| caps.structure(0).is_some_and(|s| s.name().starts_with("video/")))
    };
    mux.sink_pads().into_iter().find(video).context("the mux has pictures")
}

fn warmup(orders: &MediaOrders) -> bool {
    orders.slate && orders.which == Slate::Warmup
}

fn devices(board: &Board) -> [Option<Device>; 6] {
    let picture = |device: &Option<PictureDevice>| device.clone().map(Device::Picture);
    let sound = |device: &Option<SoundDevice>| device.clone().map(Device::of_sound);
    [
        picture(&board.camera),
        picture(&board.slides),
        sound(&board.mixer_a),
        sound(&board.mixer_b),
        picture(&board.camera2),
        sound(&board.embedded),
    ]
}

/// Every device with the feeds that it fills: a card that several lines hang on is opened once.
fn opened_once(devices: [Option<Device>; 6], feeds: &[Arc<Feed>; 6]) -> Vec<(Device, Vec<Arc<Feed>>)> {
    let mut opened: Vec<(Device, Vec<Arc<Feed>>)> = Vec::new();
    for (device, feed) in devices.into_iter().zip(feeds) {
        let Some(device) = device else { continue };
        match opened.iter_mut().find_map(|(first, feeds)| first.join(&device).then_some(feeds)) {
            Some(feeds) => feeds.push(Arc::clone(feed)),
            None => opened.push((device, vec![Arc::clone(feed)])),
        }
    }
    opened
}

/// The programme's pipeline as planned, its mux's bytes passed on by a tap.
fn build(
    config: &Config,
    kind: EncoderKind,
    bitrate: Bitrate,
    reel: &Arc<Reel>,
) -> anyhow::Result<(gst::Pipeline, Arc<Tap>)> {
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
    let (passing, reel) = (Arc::clone(&tap), Arc::clone(reel));
    reel.fresh();
    let exit: gst_app::AppSink = pipeline::find(&pipe, plan::EXIT)?;
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |exit| {
        let sample = exit.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(buffer) = sample.buffer() {
            passing.pass(buffer);
        }
        if let Some(Ok(bytes)) = sample.buffer_owned().map(gst::Buffer::into_mapped_buffer_readable) {
            reel.put(Bytes::from_owner(bytes));
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
        anyhow::ensure!(now.since(self.moved.1) < HANG, said::programme_hangs(HANG.as_secs()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_aborted_part_holds_ends_on_another_thread() {
        struct Tells(std::sync::mpsc::Sender<thread::ThreadId>);
        impl Drop for Tells {
            fn drop(&mut self) {
                let _ = self.0.send(thread::current().id());
            }
        }
        let (tell, ended_on) = std::sync::mpsc::channel();

        drop(Aside::new(Tells(tell)));

        assert_ne!(ended_on.recv().unwrap(), thread::current().id());
    }
}
