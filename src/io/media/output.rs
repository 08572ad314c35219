//! The ways out: a session with the bonding engine, the engine itself, or a session of an output's own, opened and
//! closed without any encoder knowing.

use std::sync::Arc;
use std::thread;

use anyhow::Context;
use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::{mpsc, watch};

use super::deck::Deck;
use super::outlet::{Taker, Tap};
use super::pipeline;
use super::relay::{Relay, Target};
use super::stop::Stop;
use crate::io::clock;
use crate::io::task::reason;
use crate::lang::{Text, said};
use crate::media::plan::Bound;
use crate::media::{Config, OutputId, Road, Rtmp, Scheme, plan};
use crate::message::{OutputState, What};
use crate::time::{Duration, Instant};
use crate::uplink::Uplink;

/// How often the session is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A session that ended is opened again after this.
const AGAIN: Duration = Duration::from_millis(300);
/// After all destinations of an output failed.
const PAUSE: Duration = Duration::from_secs(2);
/// A session that is not open after this is thrown away and made afresh.
const PATIENCE: Duration = Duration::from_secs(6);
/// Longest wait for the last packets when leaving the air. With [`LOOK`] and the session's end it
/// stays below the two seconds after which control counts the box as off air.
const FAREWELL: Duration = Duration::from_millis(1500);
/// A RIST receiver that said nothing for so long is gone: it reports at least every second.
const SILENT: Duration = Duration::from_secs(4);
/// Bytes that an RTMP server must have taken before it counts as open: more than both handshakes.
const TAKEN: u64 = 16_384;

/// A gateway that cannot be reached for so long is told of: a moment without any link is the engine's affair.
const UNREACHED: Duration = Duration::from_secs(2);
/// The bond's streams, by their numbers: the programme, and the dual image.
pub const STREAMS: [OutputId; 3] = [OutputId::Main, OutputId::Camera, OutputId::Slides];

/// Where the programme leaves the room.
#[derive(Debug, Clone)]
pub enum Exit {
    /// By an SRT session to this port of the bonding engine on the loopback.
    Srt(u16),
    /// As it is, into the bonding engine.
    Ts {
        /// Stream number and whole packets.
        payloads: mpsc::Sender<(u8, Bytes)>,
        /// Why the gateway cannot be reached; `None` if it is.
        closed: watch::Receiver<Option<Text>>,
    },
}

/// What leaves and how: everything that the output's thread needs.
#[derive(Clone)]
pub(super) struct Way {
    /// Settings of the session.
    pub(super) config: Arc<Config>,
    /// Where the bytes go.
    pub(super) exit: Exit,
    /// Which output.
    pub(super) output: OutputId,
    /// Where the bytes come from.
    pub(super) tap: Arc<Tap>,
    /// Asked for a key picture when the session opens.
    pub(super) deck: Arc<Deck>,
    /// The ways out of the box.
    pub(super) uplinks: watch::Receiver<Vec<Uplink>>,
    /// Who drives the relays.
    pub(super) runtime: tokio::runtime::Handle,
    /// Where facts go.
    pub(super) tell: super::tell::Tell,
}

/// The session while the box is on air.
#[derive(Debug)]
pub(super) struct Output {
    stop: Arc<Stop>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Output {
    /// Opens the session, and again whenever it ends.
    pub(super) fn open(way: Way) -> anyhow::Result<Self> {
        let stop = Arc::new(Stop::default());
        let ended = Arc::clone(&stop);
        let name = format!("way-{}", way.output);
        let road = way.config.roads.of(way.output).cloned();
        let thread = thread::Builder::new().name(name).spawn(move || match road {
            Some(road) => roads(&way, &road, &ended),
            None => bonded(&way, &ended),
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Tells the session to end; its last packets still leave.
    pub(super) fn close(&self) {
        self.stop.tell();
    }

    /// True when the session has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.thread.as_ref().is_none_or(thread::JoinHandle::is_finished)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.stop.tell();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Through the bonding engine, again and again.
fn bonded(way: &Way, stop: &Stop) {
    while !stop.told() {
        let left = match &way.exit {
            Exit::Srt(port) => session(way, *port, stop),
            Exit::Ts { payloads, closed } => engine(way, payloads, closed, stop),
        };
        let why = match left {
            Ok(()) => said::left_the_air(),
            Err(error) => reason(&error),
        };
        way.tap.taker().take();
        // the programme's session is the group's
        if way.output == OutputId::Main {
            way.tell.state(What::OutputClosed { why });
        }
        stop.wait(AGAIN);
    }
}

/// Over a road of its own, to the first of its destinations that takes it.
fn roads(way: &Way, road: &Road, stop: &Stop) {
    let tell = |place: usize, state, why: Text| {
        way.tell.state(What::DestinationChanged { output: way.output, place, state, why });
    };
    let mut place = 0;
    let mut failed = 0;
    while !stop.told() {
        tell(place, OutputState::Opening, Text::default());
        let mut opened = false;
        let left = reach(way, road, place, stop, || {
            opened = true;
            // whoever listens can begin at once
            way.deck.force_key(way.output, None);
            tell(place, OutputState::Open, Text::default());
        });
        way.tap.taker().take();
        match left {
            Ok(()) => tell(place, OutputState::Idle, Text::default()),
            Err(error) => {
                let why = reason(&error);
                tracing::info!(output = way.output.name(), to = road.to[place], %why, "destination lost");
                tell(place, OutputState::Failed, why);
            }
        }
        failed = if opened { 1 } else { failed + 1 };
        place = (place + 1) % road.to.len();
        if failed >= road.to.len() {
            (failed, place) = (0, 0);
            stop.wait(if opened { AGAIN } else { PAUSE });
        }
    }
}

/// The uplink that a road is bound to.
fn bound(way: &Way, road: &Road) -> anyhow::Result<Option<Bound>> {
    if road.uplink.is_empty() {
        return Ok(None);
    }
    let uplinks = way.uplinks.borrow();
    let uplink = uplinks.iter().find(|uplink| uplink.slot == road.uplink).filter(|uplink| uplink.usable());
    let there = uplink.and_then(|uplink| Some((uplink.interface.clone()?, uplink.address?, uplink.bind_address)));
    let Some((interface, address, bind)) = there else { return Err(said::uplink_away(&road.uplink).into()) };
    Ok(Some(Bound { interface, address: bind.then_some(address) }))
}

/// One session with one destination of a road, from opening to end.
fn reach(way: &Way, road: &Road, place: usize, stop: &Stop, opened: impl FnMut()) -> anyhow::Result<()> {
    let to = &road.to[place];
    let bound = bound(way, road)?;
    let rtmp = Rtmp::parse(to);
    // what cannot be bound by its element goes through a socket of ours that is
    let relay = match (road.scheme, &rtmp) {
        (Scheme::Rtmp, Some(rtmp)) => {
            let target = Target { host: rtmp.host.clone(), port: rtmp.port, tls: rtmp.tls };
            Some(Relay::stream(&way.runtime, target, bound.clone())?)
        }
        (Scheme::Rist, _) => {
            let (host, port) = to.rsplit_once(':').context("a destination is HOST:PORT")?;
            let target = Target { host: host.to_owned(), port: port.parse()?, tls: false };
            Some(Relay::datagrams(&way.runtime, target, bound.clone())?)
        }
        _ => None,
    };
    let near = relay.as_ref().map_or_else(|| to.clone(), |relay| format!("127.0.0.1:{}", relay.port()));
    let plan = plan::way(road, rtmp.as_ref(), &near, bound.as_ref());
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    pipeline::hurry(&pipe);
    build(&pipe, &plan)?;
    let entrance: gst_app::AppSrc = pipeline::find(&pipe, plan::ENTRANCE)?;
    let session: gst::Element = pipeline::find(&pipe, plan::SESSION)?;
    let bus = pipe.bus().context("a pipeline has a bus")?;
    way.tap.taker().replace(Taker::Session(entrance));
    if pipe.set_state(gst::State::Playing).is_err() {
        return Err(complaint(&bus).unwrap_or_else(|| anyhow::anyhow!(said::no_session())));
    }
    let is_open = || match road.scheme {
        Scheme::Srt | Scheme::Bond => is_open(&session),
        Scheme::Rtmp => taken(&session) > TAKEN,
        Scheme::Rist => relay.as_ref().and_then(Relay::heard).is_some_and(|at| clock::now().since(at) < SILENT),
    };
    let end = watch(&bus, stop, is_open, opened, || relay.as_ref().and_then(Relay::trouble));
    way.tap.taker().take();
    if matches!(end, Ok(true)) && road.scheme == Scheme::Srt {
        // what was sent last may still have to be sent again
        thread::park_timeout(road.latency.min(FAREWELL));
    }
    drop(guard);
    end.map(drop)
}

/// Until told to stop; `true` if it was open then.
fn watch(
    bus: &gst::Bus,
    stop: &Stop,
    is_open: impl Fn() -> bool,
    mut opened: impl FnMut(),
    trouble: impl Fn() -> Option<Text>,
) -> anyhow::Result<bool> {
    let began = clock::now();
    let mut open = false;
    let mut warned = None;
    loop {
        if let Some(error) = complaint_or_warning(bus, &mut warned) {
            return Err(trouble().map_or(error, Into::into));
        }
        match (is_open(), open) {
            (true, false) => {
                open = true;
                opened();
            }
            (false, true) => return Err(warned.or_else(trouble).unwrap_or_else(said::far_end_closed).into()),
            (false, false) if clock::now().since(began) > PATIENCE => {
                let silent = || said::no_answer(PATIENCE.as_secs());
                return Err(trouble().or(warned).unwrap_or_else(silent).into());
            }
            _ => {}
        }
        if stop.wait(LOOK) {
            return Ok(open);
        }
    }
}

/// Builds a way out; pictures and sound of a stream that is taken apart find their chains when they come.
fn build(pipe: &gst::Pipeline, way: &plan::Way) -> anyhow::Result<()> {
    let entrance = pipeline::add(pipe, &way.entrance)?;
    let session = pipeline::add(pipe, &way.session)?;
    let (last, first) = (entrance.last().context("a chain has elements")?, session.first().context("likewise")?);
    let Some((pictures, sound)) = &way.apart else {
        last.link(first)?;
        return Ok(());
    };
    let mut ends = Vec::new();
    for chain in [pictures, sound] {
        let chain = pipeline::add(pipe, chain)?;
        chain.last().context("a chain has elements")?.link(first)?;
        ends.push(chain.first().context("a chain has elements")?.downgrade());
    }
    last.connect_pad_added(move |_, pad| {
        let kind = pad.current_caps().and_then(|caps| caps.structure(0).map(|s| s.name().to_string()));
        let at = match kind.as_deref() {
            Some(name) if name.starts_with("video/") => 0,
            Some(name) if name.starts_with("audio/") => 1,
            _ => return,
        };
        let sink = ends[at].upgrade().and_then(|element| element.static_pad("sink"));
        if let Some(sink) = sink.filter(|sink| !sink.is_linked()) {
            let _ = pad.link(&sink);
        }
    });
    Ok(())
}

/// Bytes that an RTMP session has sent.
fn taken(session: &gst::Element) -> u64 {
    session.property::<gst::Structure>("stats").get::<u64>("out-bytes-total").unwrap_or(0)
}

/// The first error; of warnings the latest is kept: libsrt tells of a wrong passphrase so, and tries again.
fn complaint_or_warning(bus: &gst::Bus, warned: &mut Option<Text>) -> Option<anyhow::Error> {
    while let Some(message) = bus.pop() {
        match message.view() {
            gst::MessageView::Error(error) => {
                return Some(anyhow::anyhow!(telling(&pipeline::words(error))));
            }
            gst::MessageView::Warning(warning) => *warned = Some(telling(&warning.error().to_string())),
            _ => {}
        }
    }
    None
}

/// Foreign words that mean a wrong passphrase, said so.
fn telling(words: &str) -> Text {
    let lower = words.to_lowercase();
    let refused = ["authenticat", "badsecret", "incorrect passphrase", "password", "unauthorized"];
    if refused.iter().any(|word| lower.contains(word)) {
        said::because(&said::wrong_passphrase(), words)
    } else {
        Text::raw(words)
    }
}

/// Straight into the engine, for as long as the gateway is reached.
fn engine(
    way: &Way,
    payloads: &mpsc::Sender<(u8, Bytes)>,
    closed: &watch::Receiver<Option<Text>>,
    stop: &Stop,
) -> anyhow::Result<()> {
    let stream = STREAMS.iter().position(|output| *output == way.output).and_then(|at| u8::try_from(at).ok());
    way.tap.taker().replace(Taker::Engine(payloads.clone(), stream.unwrap_or(0)));
    let mut opened = false;
    let mut reached = clock::now();
    loop {
        let why = closed.borrow().clone();
        match why {
            None => {
                reached = clock::now();
                if !std::mem::replace(&mut opened, true) {
                    // whoever listens can begin at once
                    way.deck.force_key(way.output, None);
                    if way.output == OutputId::Main {
                        way.tell.state(What::OutputOpened);
                    }
                }
            }
            Some(why) if clock::now().since(reached) > if opened { UNREACHED } else { PATIENCE } => {
                return Err(why.into());
            }
            Some(_) => {}
        }
        if stop.wait(LOOK) {
            return Ok(());
        }
    }
}

/// One session with the engine from opening to end.
fn session(way: &Way, port: u16, stop: &Stop) -> anyhow::Result<()> {
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    pipeline::hurry(&pipe);
    pipeline::add(&pipe, &plan::output(&way.config, port))?;
    let entrance: gst_app::AppSrc = pipeline::find(&pipe, plan::ENTRANCE)?;
    let srt: gst::Element = pipeline::find(&pipe, plan::SESSION)?;
    let bus = pipe.bus().context("a pipeline has a bus")?;
    way.tap.taker().replace(Taker::Session(entrance));
    if pipe.set_state(gst::State::Playing).is_err() {
        return Err(complaint(&bus).unwrap_or_else(|| anyhow::anyhow!(said::no_session())));
    }
    let began = clock::now();
    let mut opened: Option<Instant> = None;
    loop {
        if let Some(error) = complaint(&bus) {
            return Err(error);
        }
        match (is_open(&srt), opened) {
            (true, None) => {
                opened = Some(clock::now());
                // whoever listens can begin at once
                way.deck.force_key(way.output, None);
                way.tell.state(What::OutputOpened);
            }
            (false, Some(_)) => anyhow::bail!(said::far_end_closed()),
            (false, None) if clock::now().since(began) > PATIENCE => {
                anyhow::bail!(said::no_answer(PATIENCE.as_secs()))
            }
            _ => {}
        }
        if stop.wait(LOOK) {
            way.tap.taker().take();
            if opened.is_some() {
                // what was sent last may still have to be sent again
                thread::park_timeout(way.config.srt_latency.min(FAREWELL));
            }
            drop(guard);
            return Ok(());
        }
    }
}

fn complaint(bus: &gst::Bus) -> Option<anyhow::Error> {
    while let Some(message) = bus.pop() {
        if let gst::MessageView::Error(error) = message.view() {
            return Some(anyhow::anyhow!(Text::raw(pipeline::words(error))));
        }
    }
    None
}

/// True if the session has an agreed latency: libsrt has it only of an answered handshake.
fn is_open(srt: &gst::Element) -> bool {
    let stats = srt.property::<gst::Structure>("stats");
    stats.get::<i32>("negotiated-latency-ms").is_ok_and(|ms| ms > 0)
        && stats.get::<i64>("packets-sent").is_ok_and(|n| n > 0)
}
