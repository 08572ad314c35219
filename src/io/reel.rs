//! Reel: the bytes of a mux on their way to the recorder, never waited for; one for each stream that is recorded.
//!
//! Whoever sends leaves references to what it sends anyway; nothing is copied. A recorder that stands
//! still, because its disk does, costs at most [`ROOM`] of memory; what does not fit is counted and
//! told at its place, and the sender never knows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// So much waits for a slow disk: twenty seconds at 6 Mbit/s. Cards have been seen to stand still for
/// five; double would only cost memory on a box that is short of it.
pub const ROOM: usize = 16 << 20;

/// What comes off the reel, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of the transport stream.
    Bytes(Bytes),
    /// The key picture that was asked for with this cut comes after this.
    Cut(u32),
    /// Another mux: its counters and time stamps begin anew.
    Fresh,
    /// So many bytes are missing here.
    Gap(u64),
}

#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Missing at the end of the queue, not yet told.
    missing: u64,
}

/// Between one mux and its recorder.
#[derive(Debug, Default)]
pub struct Reel {
    waiting: Mutex<Waiting>,
}

impl Reel {
    /// Leaves bytes; they are missing if there is no room.
    pub fn put(&self, bytes: Bytes) {
        let mut waiting = self.waiting();
        // a gap is long: one that ends with each packet that finds room would be thousands
        let room = if waiting.missing > 0 { ROOM / 2 } else { ROOM };
        if waiting.bytes + bytes.len() > room {
            waiting.missing += bytes.len() as u64;
            return;
        }
        waiting.end_gap();
        waiting.bytes += bytes.len();
        waiting.pieces.push_back(Piece::Bytes(bytes));
    }

    /// A key picture was asked for, for this cut.
    pub fn cut(&self, number: u32) {
        self.mark(Piece::Cut(number));
    }

    /// Another mux begins.
    pub fn fresh(&self) {
        self.mark(Piece::Fresh);
    }

    /// Everything that waits, oldest first.
    #[must_use]
    pub fn take(&self) -> VecDeque<Piece> {
        let mut waiting = self.waiting();
        waiting.bytes = 0;
        waiting.end_gap();
        std::mem::take(&mut waiting.pieces)
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting().bytes
    }

    /// True if no bytes wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn mark(&self, piece: Piece) {
        let mut waiting = self.waiting();
        waiting.end_gap();
        // marks are as rare as fingers; without a recorder they must not gather all the same
        if waiting.pieces.back() != Some(&piece) && waiting.pieces.len() < ROOM / 188 {
            waiting.pieces.push_back(piece);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // a thread that panicked leaves plain data behind, which stays usable
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reels of all streams, by the streams' names. Who sends asks for his; the recorder takes from each there is.
#[derive(Debug, Default)]
pub struct Reels(Mutex<BTreeMap<&'static str, Arc<Reel>>>);

impl Reels {
    /// The reel of this stream; from now on it is recorded.
    #[must_use]
    pub fn of(&self, stream: &'static str) -> Arc<Reel> {
        Arc::clone(self.reels().entry(stream).or_default())
    }

    /// Every reel there is.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, Arc<Reel>)> {
        self.reels().iter().map(|(stream, reel)| (*stream, Arc::clone(reel))).collect()
    }

    /// Other muxes begin, whichever streams they have: what was open ends.
    pub fn fresh(&self) {
        self.reels().values().for_each(|reel| reel.fresh());
    }

    /// Key pictures were asked for in all streams, for this cut.
    pub fn cut(&self, number: u32) {
        self.reels().values().for_each(|reel| reel.cut(number));
    }

    fn reels(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Reel>>> {
        // a thread that panicked leaves plain data behind, which stays usable
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn end_gap(&mut self) {
        if self.missing > 0 {
            let missing = std::mem::take(&mut self.missing);
            self.pieces.push_back(Piece::Gap(missing));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_comes_off_in_order() {
        let reel = Reel::default();
        reel.fresh();
        reel.put(Bytes::from_static(b"one"));
        reel.cut(3);
        reel.put(Bytes::from_static(b"two"));

        let taken: Vec<_> = reel.take().into();

        let bytes = |text: &'static [u8]| Piece::Bytes(Bytes::from_static(text));
        assert_eq!(taken, [Piece::Fresh, bytes(b"one"), Piece::Cut(3), bytes(b"two")]);
        assert!(reel.take().is_empty());
    }

    #[test]
    fn a_recorder_that_stands_still_costs_bounded_memory_and_hears_what_is_missing() {
        let reel = Reel::default();
        let packet = Bytes::from(vec![0; 1 << 20]);

        for _ in 0..40 {
            reel.put(packet.clone());
        }
        assert_eq!(reel.len(), ROOM);
        let taken = reel.take();
        reel.put(packet.clone());

        assert_eq!(taken.len(), 17);
        assert_eq!(taken.back(), Some(&Piece::Gap(24 << 20)));
        assert_eq!(reel.take(), [Piece::Bytes(packet)]);
    }
}
