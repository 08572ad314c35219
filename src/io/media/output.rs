//! The way out: the mux's bytes into an SRT session, opened and closed without the encoder knowing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

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

/// Where the mux's bytes go at present.
#[derive(Debug, Default)]
pub(super) struct Tap {
    session: Mutex<Option<gst_app::AppSrc>>,
    bytes: AtomicU64,
}

impl Tap {
    /// Bytes of the mux go on to the session, if there is one; never blocks.
    pub(super) fn pass(&self, buffer: &gst::BufferRef) {
        self.bytes.fetch_add(buffer.size() as u64, Ordering::Relaxed);
        if let Some(session) = self.session().as_ref() {
            let _ = session.push_buffer(buffer.copy());
        }
    }

    /// Bytes since the start.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn session(&self) -> MutexGuard<'_, Option<gst_app::AppSrc>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What leaves and how: everything that the output's thread needs.
pub(super) struct Way {
    /// Settings of the session.
    pub(super) config: Arc<Config>,
    /// The bonding engine's port on the loopback.
    pub(super) port: u16,
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
                let why = match session(&way, &ended) {
                    Ok(()) => said::left_the_air(),
                    Err(error) => reason(&error),
                };
                way.tap.session().take();
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

/// One session from opening to end.
fn session(way: &Way, stop: &Stop) -> anyhow::Result<()> {
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    pipeline::hurry(&pipe);
    pipeline::add(&pipe, &plan::output(&way.config, way.port))?;
    let entrance: gst_app::AppSrc = pipeline::find(&pipe, plan::ENTRANCE)?;
    let srt: gst::Element = pipeline::find(&pipe, plan::SESSION)?;
    let bus = pipe.bus().context("a pipeline has a bus")?;
    way.tap.session().replace(entrance);
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
            way.tap.session().take();
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
