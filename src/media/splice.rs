//! Splice: two encodes of one programme in, one unbroken stream out, whichever is active.
//!
//! Both encodes have the same clock and the same pictures, so a switch is a cut at a picture that the other
//! one begins afresh: its encoder is asked for a key picture at a time just ahead ([`Splicer::switch`]), the
//! running stream is let go up to there, and the other goes on. Whoever comes late is waited for a moment;
//! a stream that has died is left at once.

use super::restamp::{Joining, Kind, Reader, Restamp, ahead};
use crate::wire::ts::PACKET;

/// The stream that is left is waited for, while the other goes on, for so long (ticks of 90 kHz): 200 ms.
const DEAD: i64 = 18_000;
/// The key picture that was asked for is waited for, while the running stream is held, for so long: 240 ms.
const HELD: i64 = 21_600;

/// One of two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl Side {
    const fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// A switch that is under way.
#[derive(Debug, Clone, Default)]
struct Pending {
    /// The running stream is held from here on; `None`: until the other has shown where it is.
    at: Option<u64>,
    /// The other's key picture.
    key: Option<u64>,
    /// The running stream, from `at` on.
    held: Vec<u8>,
    /// The running stream has come to where it is held.
    reached: bool,
    /// The other, from its key picture on.
    ready: Vec<u8>,
}

/// Makes one stream of two.
#[derive(Debug, Clone)]
pub struct Splicer {
    readers: [Reader; 2],
    restamp: Restamp,
    active: Side,
    pending: Option<Pending>,
}

impl Splicer {
    /// Begins with `active`; pictures are `period` ticks of 90 kHz apart.
    #[must_use]
    pub fn new(active: Side, period: u64) -> Self {
        Self { readers: Default::default(), restamp: Restamp::new(period), active, pending: None }
    }

    /// The stream that is shown, or about to be.
    #[must_use]
    pub fn active(&self) -> Side {
        if self.pending.is_some() { self.other() } else { self.active }
    }

    /// Goes to `side` with the key picture that was asked of it for the time `at` (ticks of 90 kHz), or with
    /// its next one if that does not come.
    pub fn switch(&mut self, side: Side, at: u64, out: &mut Vec<u8>) {
        if let Some(pending) = self.pending.take() {
            // the running one was held for the switch that is called off
            self.pass(self.active, &pending.held, out);
        }
        if side != self.active {
            self.pending = Some(Pending { at: Some(at), ..Pending::default() });
        }
    }

    /// Takes whole packets of one stream; `out` gets what leaves.
    pub fn push(&mut self, side: Side, bytes: &[u8], out: &mut Vec<u8>) {
        for packet in bytes.chunks_exact(PACKET) {
            let Some(kind) = self.readers[side.index()].read(packet) else { continue };
            if self.pending.is_none() {
                if side == self.active {
                    self.restamp.push(&self.readers[side.index()], packet, kind, out);
                }
            } else if side == self.active {
                self.running(packet, kind, out);
            } else {
                self.coming(packet, kind, out);
            }
        }
    }

    /// A packet of the stream that is left.
    fn running(&mut self, packet: &[u8], kind: Kind, out: &mut Vec<u8>) {
        let Some(pending) = &mut self.pending else { return };
        if let Kind::Picture { pts, .. } = kind {
            if pending.key.is_some_and(|key| ahead(key, pts) >= 0) {
                return self.finish(out);
            }
            if pending.key.is_none()
                && let Some(at) = pending.at
            {
                pending.reached |= ahead(at, pts) >= 0;
                if pending.reached && ahead(at, pts) > HELD {
                    // the other is not there: on with what there is, until it is seen again
                    let held = std::mem::take(&mut pending.held);
                    (pending.at, pending.reached) = (None, false);
                    self.pass(self.active, &held, out);
                    return self.running(packet, kind, out);
                }
            }
        }
        if pending.reached {
            pending.held.extend_from_slice(packet);
        } else {
            self.push_active(packet, kind, out);
        }
    }

    /// A packet of the stream that comes.
    fn coming(&mut self, packet: &[u8], kind: Kind, out: &mut Vec<u8>) {
        let last = self.restamp.last_picture();
        let Some(pending) = &mut self.pending else { return };
        if let Kind::Picture { pts, key } = kind {
            match pending.key {
                None => {
                    let in_time = match pending.at {
                        Some(at) => ahead(at, pts) >= 0,
                        None => last.is_none_or(|last| ahead(last, pts) > 0),
                    };
                    if key && in_time {
                        pending.key = Some(pts);
                        self.release(pts, out);
                    } else if pending.at.is_none_or(|at| ahead(at, pts) >= 0) {
                        // not here: the running one goes on to where the other is, and no further
                        self.release(pts + 1, out);
                    }
                }
                Some(first) if ahead(first, pts) > DEAD => self.finish(out),
                Some(_) => {}
            }
        }
        match &mut self.pending {
            None => self.push_active(packet, kind, out),
            Some(pending) if pending.key.is_some() => pending.ready.extend_from_slice(packet),
            Some(_) => {}
        }
    }

    /// What is held of the running stream leaves up to `to`; from there on it is held, or left if that is the cut.
    fn release(&mut self, to: u64, out: &mut Vec<u8>) {
        let Some(pending) = &mut self.pending else { return };
        let held = std::mem::take(&mut pending.held);
        (pending.at, pending.reached) = (Some(to), false);
        for (n, packet) in held.chunks_exact(PACKET).enumerate() {
            let Some(kind) = self.readers[self.active.index()].read(packet) else { continue };
            if let Kind::Picture { pts, .. } = kind
                && ahead(to, pts) >= 0
            {
                if let Some(pending) = &mut self.pending {
                    pending.reached = true;
                    pending.held = held[n * PACKET..].to_vec();
                }
                break;
            }
            self.push_active(packet, kind, out);
        }
        if self.pending.as_ref().is_some_and(|pending| pending.reached && pending.key.is_some()) {
            self.finish(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let Some(pending) = self.pending.take() else { return };
        self.active = self.other();
        self.restamp.join(Joining::SameClock);
        self.pass(self.active, &pending.ready, out);
    }

    fn push_active(&mut self, packet: &[u8], kind: Kind, out: &mut Vec<u8>) {
        self.restamp.push(&self.readers[self.active.index()], packet, kind, out);
    }

    fn pass(&mut self, side: Side, bytes: &[u8], out: &mut Vec<u8>) {
        for packet in bytes.chunks_exact(PACKET) {
            if let Some(kind) = self.readers[side.index()].read(packet) {
                self.restamp.push(&self.readers[side.index()], packet, kind, out);
            }
        }
    }

    const fn other(&self) -> Side {
        match self.active {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::sample::{Encode, PERIOD, Seen, judge};

    const BASE: u64 = 324_000_000;

    /// Plays both encodes, B so many pictures behind, and switches at `at`; a side that is not `alive` there gives
    /// nothing any more.
    fn play(behind: u64, obeys: bool, alive: [bool; 2], base: u64, piece: usize) -> Vec<Seen> {
        let (mut a, mut b) = (Encode::new(1, base, 0), Encode::new(9, base, 0));
        let mut splicer = Splicer::new(Side::A, PERIOD);
        let mut out = Vec::new();
        let mut cut = u64::MAX;
        for tick in 0..120_u64 {
            if tick == 60 {
                // a little ahead of the encoder that was asked last
                cut = tick + 2;
                splicer.switch(Side::B, base + cut * PERIOD, &mut out);
            }
            if alive[0] || tick < 60 {
                let bytes = a.picture(tick % 50 == 0);
                bytes.chunks(piece * PACKET).for_each(|bytes| splicer.push(Side::A, bytes, &mut out));
            }
            if tick >= behind && (alive[1] || tick < 60) {
                let n = b.next();
                let bytes = b.picture(n % 25 == 0 || (obeys && n == cut));
                bytes.chunks(piece * PACKET).for_each(|bytes| splicer.push(Side::B, bytes, &mut out));
            }
        }
        judge(&out)
    }

    fn marks(seen: &[Seen]) -> (usize, usize) {
        (seen.iter().filter(|s| s.mark == 1).count(), seen.iter().filter(|s| s.mark == 9).count())
    }

    #[test]
    fn the_other_encode_goes_on_at_the_picture_that_was_named_and_none_is_missing() {
        let seen = play(0, true, [true; 2], BASE, 1);

        assert_eq!(seen.iter().map(|s| s.number).collect::<Vec<_>>(), (0..120).collect::<Vec<_>>());
        assert_eq!(seen.iter().position(|s| s.mark == 9), Some(62));
    }

    #[test]
    fn a_slower_encoder_is_waited_for() {
        let seen = play(4, true, [true; 2], BASE, 3);

        assert_eq!(seen.iter().position(|s| s.mark == 9), Some(62));
        assert_eq!(marks(&seen), (62, 54));
    }

    #[test]
    fn an_encoder_that_gives_no_key_picture_is_taken_at_its_next_one() {
        let seen = play(0, false, [true; 2], BASE, 1);

        assert_eq!(seen.iter().position(|s| s.mark == 9), Some(75));
        assert_eq!(seen.len(), 120);
    }

    #[test]
    fn a_stream_that_died_is_left_within_200_ms() {
        let (mut b, mut splicer, mut out) = (Encode::new(9, BASE, 0), Splicer::new(Side::A, PERIOD), Vec::new());
        splicer.push(Side::A, &Encode::new(1, BASE, 0).picture(true), &mut out);
        for n in 0..10 {
            splicer.push(Side::B, &b.picture(n == 0), &mut out);
        }
        splicer.switch(Side::B, BASE + 12 * PERIOD, &mut out);
        out.clear();

        for n in 10..30 {
            splicer.push(Side::B, &b.picture(n == 12), &mut out);
        }

        let seen = judge(&out);
        assert_eq!(seen.iter().map(|s| s.number).collect::<Vec<_>>(), (12..30).collect::<Vec<_>>());
    }

    #[test]
    fn a_switch_to_a_dead_stream_leaves_the_running_one_on() {
        let seen = play(0, true, [true, false], BASE, 1);

        assert_eq!(marks(&seen), (120, 0));
    }

    #[test]
    fn a_switch_that_is_called_off_costs_nothing() {
        let (mut a, mut splicer, mut out) = (Encode::new(1, BASE, 0), Splicer::new(Side::A, PERIOD), Vec::new());
        for tick in 0..20 {
            if tick == 5 {
                splicer.switch(Side::B, BASE + 6 * PERIOD, &mut out);
            }
            if tick == 9 {
                splicer.switch(Side::A, BASE + 11 * PERIOD, &mut out);
            }
            splicer.push(Side::A, &a.picture(tick == 0), &mut out);
        }

        assert_eq!(judge(&out).len(), 20);
        assert_eq!(splicer.active(), Side::A);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_when_the_stream_that_leaves_is_unbroken(
            behind in 0u64..6,
            obeys in proptest::bool::ANY,
            base in proptest::sample::select(vec![BASE, (1 << 33) - 60 * PERIOD, (1 << 33) - 62 * PERIOD, 0]),
            piece in 1usize..9,
        ) {
            let seen = play(behind, obeys, [true; 2], base, piece);
            let numbers: Vec<_> = seen.iter().map(|s| s.number).collect();
            proptest::prop_assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "{:?}", numbers);
            proptest::prop_assert_eq!(seen.last().map(|s| s.mark), Some(9));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..4000), every in 1usize..188) {
            let mut bytes = bytes;
            bytes.iter_mut().step_by(every).for_each(|b| *b = crate::wire::ts::SYNC);
            let (mut splicer, mut out) = (Splicer::new(Side::A, PERIOD), Vec::new());
            splicer.push(Side::A, &Encode::new(1, BASE, 0).picture(true), &mut out);
            splicer.push(Side::A, &bytes, &mut out);
            splicer.switch(Side::B, BASE, &mut out);
            splicer.push(Side::B, &bytes, &mut out);
            splicer.push(Side::A, &bytes, &mut out);
            proptest::prop_assert_eq!(out.len() % PACKET, 0);
        }
    }
}
