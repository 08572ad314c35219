//! One SRT session towards a destination, on a thread of its own: it opens, it is fed, it is opened again.
//!
//! The gateway's loop only lays payloads into a bounded backlog; whatever libsrt does with its calls
//! and its patience happens here, and holds nobody else up.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use crate::gateway::{Backlog, Destination, DestinationEcho, Laid, Sense, Session, Way};
use crate::io::clock;
use crate::time::Instant;

/// Bytes inside the pipeline: enough to keep the session's thread busy, little beside the backlog.
const INSIDE: u64 = 128 << 10;
/// A full pipeline is looked at again after this.
const FULL: Duration = Duration::from_millis(5);
/// How often the session is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A caller's session that is not open after this is thrown away and made afresh.
const PATIENCE: Duration = Duration::from_secs(6);
/// A session that ended is opened again after this, and after a fault ever later up to the second.
const AGAIN: Duration = Duration::from_millis(300);
const AGAIN_LATEST: Duration = Duration::from_secs(2);
/// Longest wait for the last packets at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Starts GStreamer.
pub(super) fn init() -> anyhow::Result<()> {
    gst::init().context("GStreamer does not start")?;
    anyhow::ensure!(
        gst::ElementFactory::find("srtsink").is_some(),
        "GStreamer has no srtsink; install gstreamer1.0-plugins-bad"
    );
    Ok(())
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    news: Condvar,
}

#[derive(Debug)]
struct Inner {
    backlog: Backlog,
    echo: DestinationEcho,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a payload or the end, at most `span`.
    fn wait(&self, span: Duration) -> Option<Bytes> {
        let mut inner = self.lock();
        let payload = inner.backlog.pop(clock::now());
        if payload.is_some() || inner.ended {
            return payload;
        }
        let (mut inner, _) = self.news.wait_timeout(inner, span).unwrap_or_else(PoisonError::into_inner);
        inner.backlog.pop(clock::now())
    }

    /// Waits for the end alone; true if it has come.
    fn rest(&self, span: Duration) -> bool {
        let until = clock::now() + span;
        let mut inner = self.lock();
        while !inner.ended {
            let left = until - clock::now();
            if left.is_zero() {
                return false;
            }
            inner = self.news.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// One destination of one stream, open until it is dropped.
#[derive(Debug)]
pub(super) struct Outlet {
    shared: Arc<Shared>,
}

impl Outlet {
    /// Begins to call, or to be called.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(super) fn open(destination: &Destination, name: &str, stream: &str) -> anyhow::Result<Self> {
        let echo = DestinationEcho { name: destination.name.clone(), ..DestinationEcho::default() };
        let inner = Inner { backlog: Backlog::new(destination.queue), echo, ended: false };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), news: Condvar::new() });
        let call = Call {
            stream_id: destination.stream_id(name, stream),
            destination: destination.clone(),
            shared: Arc::clone(&shared),
        };
        thread::Builder::new().name("destination".into()).spawn(move || call.run())?;
        Ok(Self { shared })
    }

    /// Lays payloads down for it; never blocks.
    pub(super) fn push(&self, now: Instant, payloads: impl Iterator<Item = Laid>) {
        let mut inner = self.shared.lock();
        payloads.for_each(|payload| inner.backlog.push(now, payload));
        drop(inner);
        self.shared.news.notify_one();
    }

    /// How it stands.
    pub(super) fn echo(&self) -> DestinationEcho {
        self.shared.lock().echo.clone()
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        // its last packets still leave; the thread ends by itself
        self.shared.lock().ended = true;
        self.shared.news.notify_all();
    }
}

struct Call {
    destination: Destination,
    stream_id: String,
    shared: Arc<Shared>,
}

impl Call {
    fn run(&self) {
        let name = &self.destination.name;
        let mut again = AGAIN;
        loop {
            let opened = match self.session() {
                Ok(opened) => {
                    tracing::info!(destination = name, "session ended");
                    opened
                }
                Err((opened, error)) => {
                    tracing::info!(destination = name, "session: {error:#}");
                    opened
                }
            };
            {
                let mut inner = self.shared.lock();
                let was = inner.echo.session;
                inner.echo.session = if opened || was != Session::Waiting { Session::Broken } else { was };
                inner.echo.answered = Sense::Absent;
            }
            again = if opened { AGAIN } else { (again * 2).min(AGAIN_LATEST) };
            if self.shared.rest(again) {
                return;
            }
        }
    }

    /// One session from opening to end: whether it ever was open, and why it is not any more.
    fn session(&self) -> Result<bool, (bool, anyhow::Error)> {
        let made = self.pipeline().map_err(|error| (false, error))?;
        let now = clock::now();
        let mut look = Look { opened: false, open: false, acks: 0, dropped: 0, at: now, began: now };
        let end = self.feed(&made, &mut look);
        let _ = made.pipe.set_state(gst::State::Null);
        end.map(|()| look.opened).map_err(|error| (look.opened, error))
    }

    fn feed(&self, made: &Made, look: &mut Look) -> anyhow::Result<()> {
        if made.pipe.set_state(gst::State::Playing).is_err() {
            return Err(made.complaint());
        }
        loop {
            let full = made.entrance.current_level_bytes() > INSIDE;
            let now = clock::now();
            if now >= look.at {
                look.at = now + LOOK;
                if let Some(error) = made.error() {
                    return Err(error);
                }
                self.look(made, look, now)?;
                if !look.opened && self.calls() {
                    // libsrt only tells of a session once something was sent: a payload of stuffing, so that
                    // nothing of the programme is lost with a session that does not come about
                    let _ = made.entrance.push_buffer(gst::Buffer::from_slice(stuffing()));
                }
            }
            if full {
                if self.shared.rest(FULL) {
                    return Ok(());
                }
                continue;
            }
            // a session that is not open would throw away what it is given, and so would one without a player
            if !look.open {
                if self.shared.rest(FULL * 4) {
                    return Ok(());
                }
                continue;
            }
            match self.shared.wait(LOOK) {
                Some(payload) => {
                    let _ = made.entrance.push_buffer(gst::Buffer::from_slice(payload));
                }
                None if self.shared.lock().ended => {
                    if look.opened {
                        // what was sent last may still have to be sent again
                        thread::park_timeout(self.destination.latency.min(FAREWELL));
                    }
                    return Ok(());
                }
                None => {}
            }
        }
    }

    fn calls(&self) -> bool {
        matches!(self.destination.way, Way::Call(_))
    }

    /// What libsrt says of the session, into the echo.
    fn look(&self, made: &Made, look: &mut Look, now: Instant) -> anyhow::Result<()> {
        let figures = made.figures();
        let mut inner = self.shared.lock();
        let left_out = inner.backlog.dropped() + figures.dropped;
        let open = figures.open > 0;
        if open && !look.open {
            inner.backlog.begin(now);
        } else if !open && !self.calls() {
            inner.backlog.rest();
        }
        look.open = open;
        inner.echo.session = match open {
            true if left_out > look.dropped && look.opened => Session::Slow,
            true => Session::Open,
            false if look.opened => Session::Broken,
            false => inner.echo.session,
        };
        // acknowledgements come a hundred times a second
        inner.echo.answered = match open {
            false => Sense::Absent,
            true if figures.acks > look.acks => Sense::Ok,
            true => Sense::Still,
        };
        let wrapping = |n: u64| n as u32;
        inner.echo.bytes = figures.bytes;
        inner.echo.rtt_ms = figures.rtt_ms;
        inner.echo.lost = wrapping(figures.lost);
        inner.echo.resent = wrapping(figures.resent);
        inner.echo.dropped = wrapping(left_out);
        drop(inner);
        (look.dropped, look.acks) = (left_out, figures.acks);
        if open && !look.opened {
            tracing::info!(destination = self.destination.name, "session open");
            look.opened = true;
            // the next session is to begin at a key picture: it is ours to open
            made.sink.set_property("auto-reconnect", false);
        }
        if self.calls() {
            anyhow::ensure!(open || !look.opened, "the far end closed it");
            anyhow::ensure!(open || now.since(look.began) < PATIENCE, "no answer within {} s", PATIENCE.as_secs());
        }
        Ok(())
    }

    fn pipeline(&self) -> anyhow::Result<Made> {
        let Destination { passphrase, .. } = &self.destination;
        let caps = gst::Caps::builder("video/mpegts").field("systemstream", true).field("packetsize", 188).build();
        let entrance = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).is_live(true).build();
        let mut sink = gst::ElementFactory::make("srtsink")
            .property("uri", uri(&self.destination))
            .property("wait-for-connection", false)
            // what is sent before the handshake is through would end the session for good otherwise
            .property("auto-reconnect", true)
            .property("sync", false)
            .property("async", false);
        if !self.stream_id.is_empty() {
            sink = sink.property("streamid", &self.stream_id);
        }
        if !passphrase.0.is_empty() {
            sink = sink.property_from_str("pbkeylen", "16").property("passphrase", &passphrase.0);
        }
        let sink = sink.build()?;
        let pipe = gst::Pipeline::new();
        pipe.add_many([entrance.upcast_ref(), &sink])?;
        entrance.link(&sink)?;
        let bus = pipe.bus().context("a pipeline has a bus")?;
        Ok(Made { pipe, entrance, sink, bus })
    }
}

/// Where to, who calls whom, and what the far end waits; secrets are no part of it.
fn uri(destination: &Destination) -> String {
    let (place, mode) = match &destination.way {
        Way::Call(to) => (to.clone(), "caller"),
        Way::Listen(address) => (address.to_string(), "listener"),
    };
    format!("srt://{place}?mode={mode}&latency={}&payloadsize=1316", destination.latency.as_millis())
}

/// One payload that every receiver passes over.
fn stuffing() -> [u8; 1316] {
    let mut payload = [0xff; 1316];
    for packet in payload.chunks_exact_mut(188) {
        packet[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
    }
    payload
}

/// What was seen of the session at the last look.
struct Look {
    opened: bool,
    /// It is open now: to the far end that was called, or to one player at least.
    open: bool,
    acks: u64,
    dropped: u64,
    at: Instant,
    began: Instant,
}

struct Made {
    pipe: gst::Pipeline,
    entrance: gst_app::AppSrc,
    sink: gst::Element,
    bus: gst::Bus,
}

/// Sums over the callers of one session.
#[derive(Default)]
struct Figures {
    open: usize,
    acks: u64,
    bytes: u64,
    lost: u64,
    resent: u64,
    dropped: u64,
    rtt_ms: u16,
}

impl Made {
    fn error(&self) -> Option<anyhow::Error> {
        while let Some(message) = self.bus.pop() {
            if let gst::MessageView::Error(error) = message.view() {
                return Some(anyhow::anyhow!("{}", error.error()));
            }
        }
        None
    }

    fn complaint(&self) -> anyhow::Error {
        self.error().unwrap_or_else(|| anyhow::anyhow!("it does not start"))
    }

    fn figures(&self) -> Figures {
        let stats = self.sink.property::<gst::Structure>("stats");
        let mut figures = Figures::default();
        match stats.get::<gst::glib::ValueArray>("callers") {
            Ok(callers) => callers.iter().filter_map(|caller| caller.get::<gst::Structure>().ok()).for_each(|caller| {
                figures.open += 1;
                figures.add(&caller);
            }),
            Err(_) => {
                // before something left, the agreed latency is only the one asked for
                let agreed = stats.get::<i32>("negotiated-latency-ms").is_ok_and(|ms| ms > 0);
                figures.open = usize::from(agreed && stats.get::<i64>("packets-sent").is_ok_and(|n| n > 0));
                figures.add(&stats);
            }
        }
        figures
    }
}

impl Figures {
    fn add(&mut self, stats: &gst::StructureRef) {
        let count = |key| u64::try_from(stats.get::<i32>(key).unwrap_or(0)).unwrap_or(0);
        self.acks += count("packet-ack-received");
        self.lost += count("packets-sent-lost");
        self.resent += count("packets-retransmitted");
        self.dropped += count("packets-sent-dropped");
        self.bytes += stats.get::<u64>("bytes-sent").unwrap_or(0);
        self.rtt_ms = self.rtt_ms.max(stats.get::<f64>("rtt-ms").unwrap_or(0.0) as u16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Config;

    #[test]
    fn each_destination_has_a_latency_and_a_way_of_its_own() {
        let text = "to = \"127.0.0.1:1\"\n[[destination]]\nname = \"a\"\nto = \"studio.example:9000\"\nlatency = \"120ms\"\n\
                    [[destination]]\nname = \"b\"\nbox = \"hall-1\"\nlisten = \"0.0.0.0:9001\"\nlatency = \"2s\"\n";

        let uris: Vec<_> = Config::read("g.toml", text).unwrap().destinations.iter().map(uri).collect();

        assert_eq!(uris[0], "srt://studio.example:9000?mode=caller&latency=120&payloadsize=1316");
        assert_eq!(uris[1], "srt://0.0.0.0:9001?mode=listener&latency=2000&payloadsize=1316");
    }
}
