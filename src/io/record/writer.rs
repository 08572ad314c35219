//! One stream's writer: takes what lies on its reel, cuts it, and writes it.
//!
//! ```text
//!            ordered                 key picture               ordered off, and a key picture
//!   (idle) ──────────► (waiting) ─────────────────► (running) ───────────────────────────────► (idle)
//!              ▲           ▲   no room, unwritable     │  ▲ │ cut: close one, open the next
//!              └───────────┴───────────────────────────┘  └─┘
//! ```

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::disk::Disk;
use super::file::Running;
use crate::io::clock;
use crate::io::reel::{Piece, Reel};
use crate::lang::Text;
use crate::message::{RecordOrders, What};
use crate::record::{Cutter, Out, Segment, StopCause, Tally};
use crate::time::{Duration, Instant};
use crate::units::Bytes;

/// After a failure it is tried again so often.
const AGAIN: Duration = Duration::from_secs(5);
/// A key picture that was asked for is waited for so long; then a recording that is to end, ends.
const KEY_WITHIN: Duration = Duration::from_secs(3);
/// Orders that belong to a cut on the reel are waited for so long.
const ORDERS_WITHIN: Duration = Duration::from_secs(1);

/// Everything that belongs to one stream.
pub(super) struct Writer {
    stream: &'static str,
    reel: Arc<Reel>,
    orders: Arc<RecordOrders>,
    cutter: Cutter,
    running: Option<Running>,
    /// The cut that the running segment was begun for: it may have found a key picture early.
    opened_for: u32,
    /// Cut on the reel that waits for its orders.
    held: Option<(u32, Instant)>,
    pieces: VecDeque<Piece>,
    /// Off was ordered; the segment ends at the next key picture, or then.
    leaving: Option<Instant>,
    /// Bytes were passed over since the last ones that were looked at.
    skipping: bool,
    again: Instant,
}

impl Writer {
    pub(super) fn new(stream: &'static str, reel: Arc<Reel>) -> Self {
        Self {
            stream,
            reel,
            orders: Arc::default(),
            cutter: Cutter::default(),
            running: None,
            opened_for: 0,
            held: None,
            pieces: VecDeque::new(),
            leaving: None,
            skipping: false,
            again: clock::now(),
        }
    }

    /// Bytes of the running segment.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes(self.running.as_ref().map_or(0, |running| running.segment().bytes))
    }

    /// Takes what came since, and does what is ordered.
    pub(super) fn turn(&mut self, now: Instant, disk: &mut Disk, orders: &Arc<RecordOrders>) {
        // first the bytes, then the orders: what the orders asked for may be among the bytes already
        self.pieces.extend(self.reel.take());
        if *orders != self.orders {
            self.obey(now, disk, Arc::clone(orders));
        }
        while let Some(piece) = self.next_piece(now) {
            self.take(now, disk, piece);
        }
        if self.leaving.is_some_and(|until| now >= until) {
            self.leaving = None;
            self.close(disk, None);
        }
        // from here on it outlives this process
        let flushed = self.running.as_mut().map_or(Ok(()), Running::flush);
        self.or_stop(now, disk, flushed);
    }

    /// From here on it outlives a power loss.
    pub(super) fn sync(&mut self, now: Instant, disk: &Disk) {
        let synced = self.running.as_mut().map_or(Ok(()), Running::sync);
        self.or_stop(now, disk, synced);
    }

    fn obey(&mut self, now: Instant, disk: &Disk, orders: Arc<RecordOrders>) {
        let before = std::mem::replace(&mut self.orders, orders);
        if self.orders.on {
            self.leaving = None;
            if !before.on {
                // a recorder that comes late takes the first key picture there is
                self.cutter.arm();
                self.again = now;
            } else if self.orders.cut == before.cut && self.orders.label != before.label {
                let renamed = self.running.as_mut().map_or(Ok(()), |running| running.rename(&self.orders.label));
                self.or_stop(now, disk, renamed);
                if let Some(running) = &self.running {
                    let (stream, file) = (self.stream.to_owned(), running.segment().file.clone());
                    disk.ends.state_blocking(What::SegmentRenamed { stream, file });
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

    fn take(&mut self, now: Instant, disk: &mut Disk, piece: Piece) {
        match piece {
            Piece::Cut(number) => {
                // of cuts in quick succession the last one counts, it has the name
                let begun = self.running.is_some() && self.opened_for == number;
                if number == self.orders.cut && !begun {
                    self.cutter.arm();
                }
            }
            Piece::Fresh => {
                self.close(disk, None);
                self.cutter.restart();
                self.cutter.arm();
            }
            Piece::Gap(lost) => {
                if self.running.is_some() {
                    self.close(disk, None);
                    disk.ends.state_blocking(What::RecordingGap { lost: Bytes(lost) });
                }
                // the gap is told as such, it is not missing in what comes
                self.cutter.restart();
                self.cutter.arm();
            }
            Piece::Bytes(bytes) => self.write(now, disk, &bytes),
        }
    }

    fn write(&mut self, now: Instant, disk: &mut Disk, bytes: &[u8]) {
        if self.running.is_none() {
            // it goes on at a key picture, once there is room again
            if !self.orders.on || disk.full || now < self.again {
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
                    disk.written += bytes.len() as u64;
                    let written = running.write(bytes);
                    self.or_stop(now, disk, written);
                }
            }
            Out::Cut(tally) => {
                let joined = self.close(disk, Some(tally));
                self.leaving = None;
                if self.orders.on && !disk.full {
                    self.open(now, disk, joined);
                }
            }
        });
        self.cutter = cutter;
    }

    fn open(&mut self, now: Instant, disk: &mut Disk, joined: bool) {
        let opened = disk
            .claimed()
            .and_then(|()| Running::open(&disk.folder, self.stream, &self.orders.label, joined, clock::wall()));
        match opened {
            Ok(running) => {
                let file = running.segment().file.clone();
                tracing::info!(file, "segment opened");
                self.running = Some(running);
                self.opened_for = self.orders.cut;
                disk.ends.state_blocking(What::SegmentOpened { stream: self.stream.to_owned(), file });
            }
            Err(error) => self.fail(now, disk, &error),
        }
    }

    /// Closes the running segment, if there is one: at a cut with its tally, else where the bytes end.
    /// True if it is whole: what follows now, follows it without a byte between them.
    pub(super) fn close(&mut self, disk: &Disk, tally: Option<Tally>) -> bool {
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
                closed(disk, segment);
                true
            }
            Err(error) => {
                tracing::warn!(number, %error, "a segment could not be closed; it is mended at the next start");
                false
            }
        }
    }

    fn or_stop(&mut self, now: Instant, disk: &Disk, result: io::Result<()>) {
        if let Err(error) = result {
            self.fail(now, disk, &error);
        }
    }

    /// The disk refuses: what is there is mended like after a power loss, and it is tried again.
    fn fail(&mut self, now: Instant, disk: &Disk, error: &io::Error) {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let broken = self.running.take().map(|running| running.segment().clone());
        self.again = now + AGAIN;
        if let Some(Err(error)) = broken.map(|segment| disk.folder.recover(segment)) {
            tracing::warn!(%error, "a broken segment could not be closed; it is mended at the next start");
        }
        tracing::warn!(%error, "the recording stops; it is tried again");
        let cause = if full { StopCause::DiskFull } else { StopCause::Unwritable };
        let why = Text::raw(format!("{}: {error}", disk.folder.path().display()));
        disk.ends.state_blocking(What::RecordingStopped { stream: self.stream.to_owned(), cause, why });
    }
}

fn closed(disk: &Disk, segment: Segment) {
    tracing::info!(file = segment.file, bytes = segment.bytes, pictures = segment.pictures, "segment closed");
    disk.ends.state_blocking(What::SegmentClosed(segment));
}
