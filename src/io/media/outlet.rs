//! Outlet: one output's bytes on their way out, on a thread of its own: switching and holding back happen here,
//! so that no disk and no session is ever waited for by an encoder or by another output.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::mpsc;

use super::tell::Tell;
use crate::lang::Text;
use crate::media::delay::{Delay, Place, Slate, Store};
use crate::media::splice::{Side, Splicer};
use crate::media::{Config, OutputId};
use crate::message::{Held, What};
use crate::time::Duration;

/// Payloads that wait for one output: some seconds; then the newest are left out, and nobody waits.
const WAITING: usize = 4096;
/// What SRT and the engine take at once: seven packets.
const PAYLOAD: usize = 1316;
/// The store on the disk holds so much more than the longest delay at the highest rate.
const SPARE: f64 = 1.3;

/// Who takes an output's bytes.
#[derive(Debug)]
pub(super) enum Taker {
    /// A session's entrance.
    Session(gst_app::AppSrc),
    /// The bonding engine, under the stream's number.
    Engine(mpsc::Sender<(u8, Bytes)>, u8),
}

/// Where an output's bytes go at present.
#[derive(Debug, Default)]
pub(super) struct Tap {
    taker: Mutex<Option<Taker>>,
    bytes: AtomicU64,
}

impl Tap {
    fn pass(&self, bytes: &Bytes) {
        if let Some(taker) = self.taker().as_ref() {
            self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            for from in (0..bytes.len()).step_by(PAYLOAD) {
                let payload = bytes.slice(from..bytes.len().min(from + PAYLOAD));
                match taker {
                    Taker::Session(session) => {
                        let _ = session.push_buffer(gst::Buffer::from_slice(payload));
                    }
                    // an engine that stands has the packets too late anyway
                    Taker::Engine(engine, stream) => drop(engine.try_send((*stream, payload))),
                }
            }
        }
    }

    /// Bytes that somebody took since the start.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Who takes them.
    pub(super) fn taker(&self) -> MutexGuard<'_, Option<Taker>> {
        lock(&self.taker)
    }
}

/// What is wanted of an outlet and was not seen by its thread yet; the latest wins.
#[derive(Debug, Default)]
struct News {
    switch: Option<(Side, u64)>,
    held: Option<Held>,
    slate: Option<Slate>,
}

/// One output's bytes on their way out.
#[derive(Debug)]
pub(super) struct Outlet {
    id: OutputId,
    queue: SyncSender<(Side, Bytes)>,
    news: Arc<Mutex<News>>,
    tap: Arc<Tap>,
    /// Held back now, milliseconds.
    held: Arc<AtomicU64>,
}

impl Outlet {
    /// Starts its thread, which ends when the outlet is dropped. The programme's begins with side `active`.
    pub(super) fn start(id: OutputId, config: &Config, active: Side, tell: Tell) -> anyhow::Result<Arc<Self>> {
        let (queue, items) = sync_channel(WAITING);
        let (tap, held) = (Arc::new(Tap::default()), Arc::new(AtomicU64::new(0)));
        let news: Arc<Mutex<News>> = Arc::default();
        let period = config.rate.stamp_of(1) * 9 / 100_000;
        let most = config.bitrate.1.as_bps() + config.audio_bitrate.as_bps();
        let hand = Hand {
            id,
            tap: Arc::clone(&tap),
            held: Arc::clone(&held),
            news: Arc::clone(&news),
            tell,
            splicer: (id == OutputId::Programme).then(|| Splicer::new(active, period)),
            delay: Delay::new(period),
            store: Disk::new(&config.store, id, (most as f64 / 8.0 * SPARE * 62.0) as u64),
        };
        thread::Builder::new().name(format!("out-{id}")).spawn(move || hand.run(&items))?;
        Ok(Arc::new(Self { id, queue, news, tap, held }))
    }

    /// Whose bytes these are.
    pub(super) fn id(&self) -> OutputId {
        self.id
    }

    /// Where they go.
    pub(super) fn tap(&self) -> &Arc<Tap> {
        &self.tap
    }

    /// Bytes of a mux; never waits.
    pub(super) fn push(&self, side: Side, bytes: Bytes) {
        let _ = self.queue.try_send((side, bytes));
    }

    /// Goes to the other encode with the picture of this time.
    pub(super) fn switch(&self, side: Side, at: u64) {
        lock(&self.news).switch = Some((side, at));
    }

    /// What is to be held back.
    pub(super) fn hold(&self, held: Held) {
        lock(&self.news).held = Some(held);
    }

    /// The slate, in this output's own settings.
    pub(super) fn slate(&self, slate: Slate) {
        lock(&self.news).slate = Some(slate);
    }

    /// Held back now.
    pub(super) fn held(&self) -> Duration {
        Duration::from_millis(self.held.load(Ordering::Relaxed))
    }
}

/// What the outlet's thread has in hand.
struct Hand {
    id: OutputId,
    tap: Arc<Tap>,
    held: Arc<AtomicU64>,
    news: Arc<Mutex<News>>,
    tell: Tell,
    splicer: Option<Splicer>,
    delay: Delay,
    store: Disk,
}

impl Hand {
    fn run(mut self, items: &Receiver<(Side, Bytes)>) {
        let (mut spliced, mut out) = (Vec::new(), Vec::new());
        while let Ok((side, bytes)) = items.recv() {
            spliced.clear();
            let news = std::mem::take(&mut *lock(&self.news));
            if let Some(slate) = news.slate {
                self.delay.set_slate(slate);
            }
            if let Some(held) = news.held {
                self.delay.want(held.delay.span(), held.dumped);
            }
            let whole = match &mut self.splicer {
                Some(splicer) => {
                    if let Some((side, at)) = news.switch {
                        splicer.switch(side, at, &mut spliced);
                    }
                    splicer.push(side, &bytes, &mut spliced);
                    None
                }
                None => Some(bytes),
            };
            let came: &[u8] = whole.as_deref().unwrap_or(&spliced);
            if came.is_empty() {
                continue;
            }
            out.clear();
            self.delay.push(came, &mut self.store, &mut out);
            match whole {
                // what leaves as it came is not copied
                Some(bytes) if self.delay.is_idle() => self.tap.pass(&bytes),
                _ if !out.is_empty() => self.tap.pass(&Bytes::copy_from_slice(&out)),
                _ => {}
            }
            self.held.store(self.delay.held().as_millis() as u64, Ordering::Relaxed);
            if let Some(why) = self.delay.take_trouble() {
                self.tell.state(What::HoldFailed { output: self.id, why: Text::raw(why) });
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a thread that panicked leaves plain data behind, which stays usable
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A ring on the disk; its file has no name, so nothing of it is left behind.
#[derive(Debug)]
struct Disk {
    folder: std::path::PathBuf,
    name: String,
    file: Option<File>,
    room: u64,
    written: u64,
}

impl Disk {
    fn new(folder: &Path, id: OutputId, room: u64) -> Self {
        Self { folder: folder.to_owned(), name: format!("held-{id}"), file: None, room, written: 0 }
    }

    fn file(&mut self) -> std::io::Result<&File> {
        if self.file.is_none() {
            std::fs::create_dir_all(&self.folder)?;
            let path = self.folder.join(&self.name);
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
            std::fs::remove_file(&path)?;
            self.file = Some(file);
        }
        self.file.as_ref().ok_or_else(|| std::io::Error::other("no file"))
    }
}

impl Store for Disk {
    fn put(&mut self, bytes: &[u8]) -> Result<Place, String> {
        let (room, offset) = (self.room, self.written);
        let file = self.file().map_err(|error| error.to_string())?;
        let at = offset % room;
        let first = bytes.len().min(usize::try_from(room - at).unwrap_or(usize::MAX));
        file.write_all_at(&bytes[..first], at).map_err(|error| error.to_string())?;
        file.write_all_at(&bytes[first..], 0).map_err(|error| error.to_string())?;
        self.written += bytes.len() as u64;
        Ok(Place { offset, len: bytes.len() })
    }

    fn get(&mut self, place: Place, out: &mut Vec<u8>) -> Result<(), String> {
        let (room, written) = (self.room, self.written);
        if written - place.offset > room {
            return Err("the store is too small for this delay".to_owned());
        }
        let file = self.file().map_err(|error| error.to_string())?;
        let from = out.len();
        out.resize(from + place.len, 0);
        let at = place.offset % room;
        let first = place.len.min(usize::try_from(room - at).unwrap_or(usize::MAX));
        file.read_exact_at(&mut out[from..from + first], at).map_err(|error| error.to_string())?;
        file.read_exact_at(&mut out[from + first..], 0).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_gives_back_what_it_was_given_and_says_when_it_no_longer_can() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(folder.path(), OutputId::Main, 1000);
        let mut places = Vec::new();
        for n in 0..20_u8 {
            places.push(disk.put(&[n; 90]).unwrap());
        }

        let mut out = Vec::new();
        for (n, place) in places.iter().enumerate().skip(9) {
            out.clear();
            disk.get(*place, &mut out).unwrap();
            assert_eq!(out, vec![n as u8; 90]);
        }
        assert!(disk.get(places[0], &mut out).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }
}
