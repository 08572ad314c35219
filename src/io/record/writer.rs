//! The recorder's thread: takes what lies on the reel, cuts it, writes it, and watches the room.
//!
//! ```text
//!            ordered                 key picture               ordered off, and a key picture
//!   (idle) ──────────► (waiting) ─────────────────► (running) ───────────────────────────────► (idle)
//!              ▲           ▲   no room, unwritable     │  ▲ │ cut: close one, open the next
//!              └───────────┴───────────────────────────┘  └─┘
//! ```

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::Flock;

use super::bell::Bell;
use super::file::Running;
use super::folder::Folder;
use crate::io::clock;
use crate::io::reel::{Piece, Reel};
use crate::io::task::Ends;
use crate::lang::Text;
use crate::message::{RecordOrders, What};
use crate::record::{Config, Cutter, Out, Room, Segment, StopCause, Tally, Verdict};
use crate::time::{Duration, Instant};
use crate::units::{Bitrate, Bytes};

/// The reel is looked at so often: what a killed process loses, besides what the kernel has.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// Everything goes to the disk so often: half of what a power loss may cost, since a sync takes its time.
const SYNC: Duration = Duration::from_millis(500);
/// Figures are stated so often.
const MEASURE: Duration = Duration::from_secs(1);
/// After a failure it is tried again so often.
const AGAIN: Duration = Duration::from_secs(5);
/// A key picture that was asked for is waited for so long; then a recording that is to end, ends.
const KEY_WITHIN: Duration = Duration::from_secs(3);
/// Orders that belong to a cut on the reel are waited for so long.
const ORDERS_WITHIN: Duration = Duration::from_secs(1);

/// What the part tells its thread.
#[derive(Debug, Default)]
pub(super) struct Desk {
    wanted: Mutex<Arc<RecordOrders>>,
}

impl Desk {
    pub(super) fn want(&self, orders: Arc<RecordOrders>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = orders;
    }

    fn wanted(&self) -> Arc<RecordOrders> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Everything that the thread holds.
pub(super) struct Writer {
    folder: Folder,
    stream: &'static str,
    config: Config,
    reel: Arc<Reel>,
    desk: Arc<Desk>,
    ends: Ends,
    orders: Arc<RecordOrders>,
    cutter: Cutter,
    running: Option<Running>,
    /// Cut on the reel that waits for its orders.
    held: Option<(u32, Instant)>,
    pieces: VecDeque<Piece>,
    /// Off was ordered; the segment ends at the next key picture, or then.
    leaving: Option<Instant>,
    /// Bytes were passed over since the last ones that were looked at.
    skipping: bool,
    room: Room,
    full: bool,
    again: Instant,
    claim: Option<Flock<std::fs::File>>,
    synced: Instant,
    measured: (Instant, u64),
    written: u64,
}

impl Writer {
    pub(super) fn new(
        folder: Folder,
        stream: &'static str,
        config: Config,
        reel: Arc<Reel>,
        desk: Arc<Desk>,
        ends: Ends,
    ) -> Self {
        let now = clock::now();
        Self {
            folder,
            stream,
            config,
            reel,
            desk,
            ends,
            orders: Arc::default(),
            cutter: Cutter::default(),
            running: None,
            held: None,
            pieces: VecDeque::new(),
            leaving: None,
            skipping: false,
            room: Room::default(),
            full: false,
            again: now,
            claim: None,
            synced: now,
            measured: (now, 0),
            written: 0,
        }
    }

    /// Runs until the desk says the end; the running segment is closed then.
    pub(super) fn run(mut self, stop: &Bell) {
        self.recover();
        // whatever is on the reel is older than this recorder
        let _ = self.reel.take();
        loop {
            let ended = stop.wait(LOOK);
            self.turn();
            if ended {
                self.close(None);
                return;
            }
        }
    }

    fn turn(&mut self) {
        let now = clock::now();
        // first the bytes, then the orders: what the orders asked for may be among the bytes already
        self.pieces.extend(self.reel.take());
        let orders = self.desk.wanted();
        if orders != self.orders {
            self.obey(now, orders);
        }
        while let Some(piece) = self.next_piece(now) {
            self.take(now, piece);
        }
        if self.leaving.is_some_and(|until| now >= until) {
            self.leaving = None;
            self.close(None);
        }
        // from here on it outlives this process
        let flushed = self.running.as_mut().map_or(Ok(()), Running::flush);
        self.or_stop(now, flushed);
        if now.since(self.synced) >= SYNC {
            self.synced = now;
            let synced = self.running.as_mut().map_or(Ok(()), Running::sync);
            self.or_stop(now, synced);
        }
        if now.since(self.measured.0) >= MEASURE {
            self.watch(now);
        }
    }

    fn obey(&mut self, now: Instant, orders: Arc<RecordOrders>) {
        let before = std::mem::replace(&mut self.orders, orders);
        if self.orders.on {
            self.leaving = None;
            if !before.on {
                // a recorder that comes late takes the first key picture there is
                self.cutter.arm();
                self.again = now;
            } else if self.orders.cut == before.cut && self.orders.label != before.label {
                let renamed = self.running.as_mut().map_or(Ok(()), |running| running.rename(&self.orders.label));
                self.or_stop(now, renamed);
                if let Some(running) = &self.running {
                    self.ends.state_blocking(What::SegmentRenamed { file: running.segment().file.clone() });
                }
            }
        } else if self.running.is_some() {
            self.leaving = Some(now + KEY_WITHIN);
        }
    }

    /// The next piece that may be taken: a cut waits for the orders that it belongs to.
    fn next_piece(&mut self, now: Instant) -> Option<Piece> {
        if let Some(Piece::Cut(number)) = self.pieces.front() {
            let early = self.orders.cut.wrapping_sub(*number) > u32::MAX / 2;
            let (held, since) = *self.held.get_or_insert((*number, now));
            if early && held == *number && now.since(since) < ORDERS_WITHIN {
                return None;
            }
            self.held = None;
        }
        self.pieces.pop_front()
    }

    fn take(&mut self, now: Instant, piece: Piece) {
        match piece {
            Piece::Cut(number) => {
                // of cuts in quick succession the last one counts, it has the name
                if number == self.orders.cut {
                    self.cutter.arm();
                }
            }
            Piece::Fresh => {
                self.close(None);
                self.cutter.restart();
                self.cutter.arm();
            }
            Piece::Gap(lost) => {
                if self.running.is_some() {
                    self.close(None);
                    self.ends.state_blocking(What::RecordingGap { lost: Bytes(lost) });
                }
                self.cutter.arm();
            }
            Piece::Bytes(bytes) => self.bytes(now, &bytes),
        }
    }

    fn bytes(&mut self, now: Instant, bytes: &[u8]) {
        if self.running.is_none() {
            // it goes on at a key picture, once there is room again
            if !self.orders.on || self.full || now < self.again {
                self.skipping = true;
                return;
            }
            if std::mem::take(&mut self.skipping) {
                // what was passed over is not missing in what comes
                self.cutter.restart();
            }
            self.cutter.arm();
        }
        let mut cutter = std::mem::take(&mut self.cutter);
        cutter.push(bytes, &mut |out| match out {
            Out::Bytes(bytes) => {
                if let Some(running) = &mut self.running {
                    self.written += bytes.len() as u64;
                    let written = running.write(bytes);
                    self.or_stop(now, written);
                }
            }
            Out::Cut(tally) => {
                let joined = self.close(Some(tally));
                self.leaving = None;
                if self.orders.on && !self.full {
                    self.open(now, joined);
                }
            }
        });
        self.cutter = cutter;
    }

    fn open(&mut self, now: Instant, joined: bool) {
        let opened = self
            .claimed()
            .and_then(|()| Running::open(&self.folder, self.stream, &self.orders.label, joined, clock::wall()));
        match opened {
            Ok(running) => {
                let file = running.segment().file.clone();
                tracing::info!(file, "segment opened");
                self.running = Some(running);
                self.ends.state_blocking(What::SegmentOpened { file });
            }
            Err(error) => self.fail(now, &error),
        }
    }

    fn claimed(&mut self) -> io::Result<()> {
        if self.claim.is_none() {
            self.claim = Some(self.folder.claim()?);
        }
        Ok(())
    }

    /// Closes the running segment, if there is one: at a cut with its tally, else where the bytes end.
    /// True if it is whole: what follows now, follows it without a byte between them.
    fn close(&mut self, tally: Option<Tally>) -> bool {
        let Some(mut running) = self.running.take() else { return false };
        let mut written = Ok(());
        let tally = tally.unwrap_or_else(|| {
            self.cutter.finish(&mut |out| {
                if let Out::Bytes(bytes) = out
                    && written.is_ok()
                {
                    written = running.write(bytes);
                }
            })
        });
        let number = running.segment().number;
        match written.and_then(|()| running.close(tally, clock::wall())) {
            Ok(segment) => {
                self.closed(segment);
                true
            }
            Err(error) => {
                tracing::warn!(number, %error, "a segment could not be closed; it is mended at the next start");
                false
            }
        }
    }

    fn closed(&self, segment: Segment) {
        tracing::info!(file = segment.file, bytes = segment.bytes, pictures = segment.pictures, "segment closed");
        self.ends.state_blocking(What::SegmentClosed(segment));
    }

    fn or_stop(&mut self, now: Instant, result: io::Result<()>) {
        if let Err(error) = result {
            self.fail(now, &error);
        }
    }

    /// The disk refuses: what is there is mended like after a power loss, and it is tried again.
    fn fail(&mut self, now: Instant, error: &io::Error) {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let broken = self.running.take().map(|running| running.segment().clone());
        self.again = now + AGAIN;
        if let Some(Err(error)) = broken.map(|segment| self.folder.recover(segment)) {
            tracing::warn!(%error, "a broken segment could not be closed; it is mended at the next start");
        }
        tracing::warn!(%error, "the recording stops; it is tried again");
        let cause = if full { StopCause::DiskFull } else { StopCause::Unwritable };
        let why = Text::raw(format!("{}: {error}", self.folder.path().display()));
        self.ends.state_blocking(What::RecordingStopped { cause, why });
    }

    /// Looks at the room, makes some if there is little, and states the figures.
    fn watch(&mut self, now: Instant) {
        let seconds = now.since(self.measured.0).as_secs_f64();
        let rate = Bitrate::bps(((self.written - self.measured.1) as f64 * 8.0 / seconds) as u64);
        self.measured = (now, self.written);
        let Ok((mut free, total)) = self.folder.room() else { return };
        let mut verdict = self.room.update(free, &self.config);
        if verdict != Verdict::Enough && self.claimed().is_ok() {
            free = self.tidy(free);
            verdict = self.room.update(free, &self.config);
        }
        let full = verdict == Verdict::Stop;
        if full && !self.full && self.orders.on {
            self.close(None);
            let why = Text::raw(format!("{}: {free}", self.folder.path().display()));
            self.ends.state_blocking(What::RecordingStopped { cause: StopCause::DiskFull, why });
        }
        self.full = full;
        let bytes = Bytes(self.running.as_ref().map_or(0, |running| running.segment().bytes));
        self.ends.measure(What::RecordingMeasured { bytes, rate, free, total });
    }

    /// Deletes what may go, oldest first, until there is room or nothing more may go.
    fn tidy(&mut self, mut free: Bytes) -> Bytes {
        // others may have protected segments since
        let Ok(mut index) = self.folder.index() else { return free };
        while free < self.config.keep_free
            && let Some(kept) = index.expendable(self.config.protect_uncopied).cloned()
        {
            let (number, file) = (kept.segment.number, kept.segment.file.clone());
            if let Err(error) = self.folder.remove(&kept.segment) {
                tracing::warn!(file, %error, "a recording could not be deleted");
                break;
            }
            tracing::info!(file, "deleted to make room");
            self.ends.state_blocking(What::SegmentRemoved { file });
            index.note(crate::record::Entry::Removed { number });
            free = self.folder.room().map_or(free, |(free, _)| free);
        }
        free
    }

    /// Closes what the last run left open, aside: hashing an hour must not hold the first bytes up.
    fn recover(&mut self) {
        if let Err(error) = self.claimed() {
            tracing::warn!(%error, folder = %self.folder.path().display(), "the folder of the recordings cannot be used yet");
            return;
        }
        let open: Vec<_> = match self.folder.index() {
            Ok(index) => index.segments().filter(|kept| kept.open).map(|kept| kept.segment.clone()).collect(),
            Err(error) => {
                tracing::warn!(%error, "the index of the recordings cannot be read");
                return;
            }
        };
        let (folder, ends) = (self.folder.clone(), self.ends.clone());
        let mend = move || {
            for segment in open {
                let file = segment.file.clone();
                match folder.recover(segment) {
                    Ok(Some(segment)) => {
                        tracing::info!(file, bytes = segment.bytes, "a segment that was cut off is closed");
                        ends.state_blocking(What::SegmentClosed(segment));
                    }
                    Ok(None) => tracing::info!(file, "a segment that was cut off held nothing"),
                    Err(error) => tracing::warn!(file, %error, "a segment that was cut off cannot be closed"),
                }
            }
        };
        // without a thread to be had it is mended at the next start
        let _ = std::thread::Builder::new().name("record-mend".into()).spawn(mend);
    }
}
