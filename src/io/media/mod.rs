//! The media part: Orders in, a programme that never stops, facts out.

mod branch;
mod compose;
mod deck;
mod dv;
mod encoder;
mod feed;
mod inset;
pub mod judge;
mod mux;
mod outlet;
mod output;
mod pipeline;
mod plugs;
mod prove;
mod pump;
mod relay;
mod shelf;
mod signal;
mod slate;
mod slides;
mod source;
mod stop;
mod tell;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Once};
use std::thread;

use anyhow::Context;
use gstreamer as gst;
use tokio::sync::{mpsc, watch};

use self::deck::Deck;
use self::feed::{Claps, Feed};
use self::outlet::Outlet;
pub use self::output::{Exit, STREAMS};
use self::output::{Output, Way};
use self::prove::Prover;
use self::pump::{Desk, Pump, Wanted};
use self::shelf::Shelf;
use self::source::{Device, Source};
use self::stop::Stop;
use self::tell::Tell;
use crate::board::{Board, PictureDevice, SoundDevice};
use crate::io::clock;
use crate::io::reel::Reels;
use crate::io::task::Ends;
use crate::lang::{Text, said};
use crate::media::splice::Side;
use crate::media::{Config, OutputId, Slate, SourceId};
use crate::message::{MediaOrders, OutputIntent, What};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::uplink::Uplink;

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
/// `exit` is where the programme leaves towards the bonding engine; `reels` get the same bytes for the recorder;
/// `uplinks` are what outputs of their own may be bound to.
///
/// # Errors
/// If no encoder works, or the programme's pipeline fails or hangs.
pub async fn run(
    board: Arc<Board>,
    config: Arc<Config>,
    exit: Exit,
    reels: Arc<Reels>,
    uplinks: watch::Receiver<Vec<Uplink>>,
    mut ends: Ends,
) -> anyhow::Result<()> {
    init()?;
    let (sender, mut heard) = mpsc::channel(FACTS);
    let tell = Tell::new(sender);
    let orders = ends.orders.borrow_and_update().media.clone();
    let runtime = tokio::runtime::Handle::current();
    let mut starting = tokio::task::spawn_blocking(move || {
        let programme = Programme::start(&board, &config, &orders, &tell, reels)?;
        let way = |output: OutputId, outlet: &Outlet| Way {
            config: Arc::clone(&config),
            exit: exit.clone(),
            output,
            tap: Arc::clone(outlet.tap()),
            deck: Arc::clone(&programme.deck),
            uplinks: uplinks.clone(),
            runtime: runtime.clone(),
            tell: tell.clone(),
        };
        let airs: Vec<Air> =
            programme.outlets.iter().map(|outlet| Air::new(outlet.id(), way(outlet.id(), outlet))).collect();
        anyhow::Ok(Aside::new((airs, programme)))
    });
    let started = match tokio::time::timeout(START_WITHIN, ends.pulse.during(&mut starting)).await {
        Ok(started) => started,
        Err(_) => starting.await,
    };
    let mut stage = started??;
    let (airs, programme) = &mut *stage;
    if let Some(kind) = programme.deck.kind() {
        ends.state(What::EncoderChosen { kind }).await;
    }
    let mut meter = Meter::new(programme.desk.ticks(), programme.deck.bytes());
    let mut due = tokio::time::interval(MEASURE);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = tokio::time::interval(Duration::from_millis(100));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for air in airs.iter_mut() {
        air.want(&ends.orders.borrow().media)?;
    }
    loop {
        tokio::select! {
            changed = ends.orders.changed() => {
                let orders = Arc::clone(&ends.orders.borrow_and_update());
                if changed.is_err() || orders.shutdown {
                    break;
                }
                programme.apply(&orders.media)?;
                for air in airs.iter_mut() {
                    air.want(&orders.media)?;
                }
            }
            Some((must, what)) = heard.recv() => {
                if must { ends.state(what).await } else { ends.measure(what) }
            }
            _ = due.tick() => {
                for what in meter.measure(programme) {
                    ends.measure(what);
                }
            }
            _ = look.tick() => {
                ends.pulse.beat();
                for air in airs.iter_mut() {
                    air.settle()?;
                }
                for (output, why) in programme.check()? {
                    ends.state(What::EncoderFailed { output, for_good: false, why }).await;
                }
                meter.check(programme.deck.bytes())?;
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

/// One output on the air or not, with the session that goes with it.
struct Air {
    output: OutputId,
    way: Way,
    wanted: bool,
    session: Option<Output>,
}

impl Air {
    fn new(output: OutputId, way: Way) -> Self {
        Self { output, way, wanted: false, session: None }
    }

    fn want(&mut self, orders: &MediaOrders) -> anyhow::Result<()> {
        let made = match self.output {
            OutputId::Main | OutputId::Programme => true,
            other => orders.others.contains_key(&other),
        };
        self.wanted = orders.on_air && made;
        if !self.wanted
            && let Some(session) = &self.session
        {
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
            self.session = Some(Output::open(self.way.clone())?);
        }
        Ok(())
    }
}

/// Everything that is permanent: the encoders, the pump and its captures; all of it stops when this is dropped.
struct Programme {
    deck: Arc<Deck>,
    outlets: Vec<Arc<Outlet>>,
    outputs: OutputIntent,
    desk: Arc<Desk>,
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
        orders: &MediaOrders,
        tell: &Tell,
        reels: Arc<Reels>,
    ) -> anyhow::Result<Self> {
        let active = side(orders.outputs.active);
        // both programmes of one transport stream leave by one outlet
        let one = config.roads.of(OutputId::Slides).is_some();
        let outlets = OutputId::ALL
            .into_iter()
            .filter(|output| config.roads.has(*output) && !(one && *output == OutputId::Slides))
            .map(|output| Outlet::start(output, config, active, tell.clone()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let every = config.prove;
        let prover = (!every.is_zero()).then(|| Prover::new(config.size));
        let deck = Arc::new(Deck::start(board, config, orders, reels, &outlets, prover.clone(), tell)?);
        let mut programme = Self {
            deck: Arc::clone(&deck),
            outlets,
            outputs: OutputIntent { active: orders.outputs.active, ..OutputIntent::default() },
            desk: Arc::new(Desk::new(Wanted::of(orders))),
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
        if let Some(prover) = &prover {
            let stop = Arc::clone(&programme.stop);
            programme.prover = Some(prover.start(every, config.gop, tell.clone(), stop)?);
        }
        let pump = Pump {
            config: Arc::clone(config),
            prover,
            film: Arc::clone(&programme.film),
            shelf: Arc::clone(&programme.shelf),
            scalers: board.scalers.clone(),
            feeds,
            claps,
            desk: Arc::clone(&programme.desk),
            deck: Arc::clone(&deck),
            tell: tell.clone(),
        };
        programme.pump = Some(pump.start(Arc::clone(&programme.stop))?);
        slate::make(&deck, config, &programme.outlets);
        programme.apply(orders)?;
        Ok(programme)
    }

    fn apply(&mut self, orders: &MediaOrders) -> anyhow::Result<()> {
        self.desk.want(Wanted::of(orders));
        self.warmup = warmup(orders);
        self.play()?;
        self.deck.apply(orders)?;
        let before = std::mem::replace(&mut self.outputs, orders.outputs);
        for outlet in &self.outlets {
            let id = outlet.id();
            let held = orders.outputs.held(id);
            if before.held(id) != held {
                outlet.hold(held);
                // live begins, and is stored, with a key picture
                self.deck.force_key(id, None);
            }
            if id == OutputId::Programme && before.active != orders.outputs.active {
                let at = self.deck.key_ahead(orders.outputs.active);
                outlet.switch(side(orders.outputs.active), at);
            }
        }
        Ok(())
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

    /// An error of a pipeline that all hang on or an end of the pump is the end of the part; an encoder is made
    /// afresh, and that is told.
    fn check(&mut self) -> anyhow::Result<Vec<(OutputId, Text)>> {
        // its file may have been found good only now
        self.play()?;
        let renewed = self.deck.look()?;
        if self.pump.as_ref().is_some_and(thread::JoinHandle::is_finished)
            && let Some(pump) = self.pump.take()
        {
            pump.join().map_err(|_| anyhow::anyhow!("the pump panicked"))??;
            anyhow::bail!("the pump ended by itself");
        }
        Ok(renewed)
    }
}

impl Drop for Programme {
    fn drop(&mut self) {
        self.stop.tell();
        self.sources.iter().for_each(Source::tell);
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

/// Which of the programme outlet's two streams an output is.
fn side(output: OutputId) -> Side {
    if output == OutputId::Backup { Side::B } else { Side::A }
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

/// Turns counters into what happened in the last second.
struct Meter {
    at: Instant,
    ticks: u64,
    bytes: u64,
    /// Bytes that each output sent.
    sent: BTreeMap<OutputId, u64>,
    moved: (u64, Instant),
}

impl Meter {
    fn new(ticks: u64, bytes: u64) -> Self {
        let at = clock::now();
        Self { at, ticks, bytes, sent: BTreeMap::new(), moved: (bytes, at) }
    }

    fn measure(&mut self, programme: &Programme) -> Vec<What> {
        let (at, ticks, bytes) = (clock::now(), programme.desk.ticks(), programme.deck.bytes());
        let seconds = at.since(self.at).as_secs_f64();
        // the interval's first tick comes at once
        if seconds < 0.5 {
            return Vec::new();
        }
        let rate = |bytes: u64| Bitrate::bps((bytes as f64 * 8.0 / seconds) as u64);
        let mut measured = vec![What::ProgrammeMeasured {
            fps: (ticks - self.ticks) as f64 / seconds,
            bitrate: rate(bytes - self.bytes),
            slate: programme.desk.take_slate(),
            frames: ticks,
        }];
        for outlet in &programme.outlets {
            let (output, sent) = (outlet.id(), outlet.tap().bytes());
            let before = self.sent.insert(output, sent).unwrap_or(sent);
            measured.push(What::OutputMeasured { output, sent: rate(sent - before), held: outlet.held() });
        }
        (self.at, self.ticks, self.bytes) = (at, ticks, bytes);
        measured
    }

    /// The programme's bytes so far; a programme that gives none for long hangs.
    fn check(&mut self, bytes: u64) -> anyhow::Result<()> {
        let now = clock::now();
        if bytes != self.moved.0 {
            self.moved = (bytes, now);
        }
        anyhow::ensure!(now.since(self.moved.1) < HANG, said::programme_hangs(HANG.as_secs()));
        Ok(())
    }
}

/// Ends the process with exit code 0 when everything else has ended. libsrt's thread "SRT:GC" goes on until then, and
/// now and then reads what the static destructors of a plain end have just taken away: an end that was good is told
/// as a crash.
#[allow(unsafe_code, reason = "neither nix nor the standard library ends a process without destructors")]
pub fn leave() -> ! {
    let _ = std::io::stdout().flush();
    // SAFETY: ends the process, and has no other effect on its memory
    unsafe { libc::_exit(0) }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod aside {
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
