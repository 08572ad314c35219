//! The way out: the mux's bytes into an SRT session, or straight into the bonding engine, opened and closed
//! without the encoder knowing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::{mpsc, watch};

use super::encoder::Encoder;
use super::pipeline;
use super::stop::Stop;
use crate::io::clock;
use crate::io::task::reason;
use crate::lang::{Text, said};
use crate::media::{Config, plan};
use crate::message::What;
use crate::time::{Duration, Instant};

/// How often the session is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A session that ended is opened again after this.
const AGAIN: Duration = Duration::from_millis(300);
/// A session that is not open after this is thrown away and made afresh.
const PATIENCE: Duration = Duration::from_secs(6);
/// Longest wait for the last packets when leaving the air. With [`LOOK`] and the session's end it
/// stays below the two seconds after which control counts the box as off air.
const FAREWELL: Duration = Duration::from_millis(1500);

/// A gateway that cannot be reached for so long is told of: a moment without any link is the engine's affair.
const UNREACHED: Duration = Duration::from_secs(2);
/// The number of the programme among the streams of its group.
const MAIN: u8 = 0;

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

/// Who takes the mux's bytes.
#[derive(Debug)]
enum Taker {
    Session(gst_app::AppSrc),
    Engine(mpsc::Sender<(u8, Bytes)>),
}

/// Where the mux's bytes go at present.
#[derive(Debug, Default)]
pub(super) struct Tap {
    taker: Mutex<Option<Taker>>,
    bytes: AtomicU64,
}

impl Tap {
    /// Bytes of the mux go on to the session, if there is one; never blocks.
    pub(super) fn pass(&self, buffer: &gst::BufferRef) {
        self.bytes.fetch_add(buffer.size() as u64, Ordering::Relaxed);
        match self.taker().as_ref() {
            Some(Taker::Session(session)) => {
                let _ = session.push_buffer(buffer.copy());
            }
            Some(Taker::Engine(engine)) => {
                // the mux's own memory, not a copy of it; an engine that stands has the packets too late anyway
                if let Ok(mapped) = buffer.copy().into_mapped_buffer_readable() {
                    let _ = engine.try_send((MAIN, Bytes::from_owner(mapped)));
                }
            }
            None => {}
        }
    }

    /// Bytes since the start.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn taker(&self) -> MutexGuard<'_, Option<Taker>> {
        self.taker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What leaves and how: everything that the output's thread needs.
pub(super) struct Way {
    /// Settings of the session.
    pub(super) config: Arc<Config>,
    /// Where the bytes go.
    pub(super) exit: Exit,
    /// Where the bytes come from.
    pub(super) tap: Arc<Tap>,
    /// Asked for a key picture when the session opens.
    pub(super) encoder: Encoder,
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
        let thread = thread::Builder::new().name("output".into()).spawn(move || {
            while !ended.told() {
                let left = match &way.exit {
                    Exit::Srt(port) => session(&way, *port, &ended),
                    Exit::Ts { payloads, closed } => engine(&way, payloads, closed, &ended),
                };
                let why = match left {
                    Ok(()) => said::left_the_air(),
                    Err(error) => reason(&error),
                };
                way.tap.taker().take();
                way.tell.state(What::OutputClosed { why });
                ended.wait(AGAIN);
            }
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

/// Straight into the engine, for as long as the gateway is reached.
fn engine(
    way: &Way,
    payloads: &mpsc::Sender<(u8, Bytes)>,
    closed: &watch::Receiver<Option<Text>>,
    stop: &Stop,
) -> anyhow::Result<()> {
    way.tap.taker().replace(Taker::Engine(payloads.clone()));
    let mut opened = false;
    let mut reached = clock::now();
    loop {
        let why = closed.borrow().clone();
        match why {
            None => {
                reached = clock::now();
                if !std::mem::replace(&mut opened, true) {
                    // whoever listens can begin at once
                    way.encoder.force_key();
                    way.tell.state(What::OutputOpened);
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

/// One session from opening to end.
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
                way.encoder.force_key();
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
