//! Held: the caller's packets until the far end has them, found by number in one step.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::stats::LinkId;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::native::DATA_HEADER;

/// Most numbers between the oldest held and the newest: at 20 Mbit/s seventeen seconds.
pub(super) const MOST: usize = 32_768;
/// A packet can be asked for so long after its deadline, since an SRT listener may wait longer than we do.
const AFTER_DEADLINE: Duration = Duration::from_millis(500);
/// Copies remembered of a packet; the oldest is forgotten.
const COPIES: usize = 4;

/// One copy of a packet: on which link, as that link's how-manieth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) link: LinkId,
    pub(super) number: u64,
}

/// The head of a data frame.
pub(super) type Head = [u8; DATA_HEADER];

/// One of the caller's packets.
#[derive(Debug)]
pub(super) struct Held {
    /// What stands before the payload on the wire; only the native dialect has one.
    pub(super) head: Head,
    pub(super) payload: Bytes,
    /// Bytes on the wire, with everything around the payload.
    pub(super) size: f64,
    pub(super) deadline: Instant,
    /// It waits in a queue.
    pub(super) queued: bool,
    /// A link has acknowledged it.
    pub(super) delivered: Option<Instant>,
    /// Copies under way that are still believed in.
    pub(super) live: u8,
    /// How often it was sent.
    pub(super) sends: u8,
    /// Links (by bit) that have lost it.
    pub(super) lost_on: u32,
    copies: [Option<Copy>; COPIES],
}

impl Held {
    pub(super) fn copies(&self) -> impl Iterator<Item = Copy> + '_ {
        self.copies.iter().flatten().copied()
    }

    pub(super) fn add_copy(&mut self, copy: Copy) {
        self.copies.rotate_right(1);
        self.copies[0] = Some(copy);
        self.live = self.live.saturating_add(1);
        self.sends = self.sends.saturating_add(1);
    }

    pub(super) fn lost_copy(&mut self) {
        self.live = self.live.saturating_sub(1);
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Store {
    base: Seq,
    ring: VecDeque<Option<Held>>,
    bytes: usize,
}

/// Where a number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Before everything held.
    Before,
    /// Held, or a gap among the held.
    Within,
    /// After everything held, near enough to go on with.
    After,
    /// So far off that it is another stream.
    Elsewhere,
}

impl Store {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Payload bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number after the newest.
    pub(super) fn end(&self) -> Seq {
        self.base.plus(self.ring.len() as u32)
    }

    pub(super) fn base(&self) -> Seq {
        self.base
    }

    pub(super) fn place(&self, seq: Seq) -> Place {
        if self.ring.is_empty() {
            return Place::After;
        }
        let distance = seq.distance(self.base);
        if distance < 0 {
            if distance < -(MOST as i32) { Place::Elsewhere } else { Place::Before }
        } else if (distance as usize) < self.ring.len() {
            Place::Within
        } else if (distance as usize) < self.ring.len() + MOST {
            Place::After
        } else {
            Place::Elsewhere
        }
    }

    fn index(&self, seq: Seq) -> Option<usize> {
        usize::try_from(seq.distance(self.base)).ok().filter(|at| *at < self.ring.len())
    }

    pub(super) fn get(&self, seq: Seq) -> Option<&Held> {
        self.ring.get(self.index(seq)?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, seq: Seq) -> Option<&mut Held> {
        let at = self.index(seq)?;
        self.ring.get_mut(at)?.as_mut()
    }

    /// Takes a packet in; the caller has asked [`Store::place`], which said within or after.
    pub(super) fn insert(&mut self, seq: Seq, head: Head, payload: Bytes, size: f64, deadline: Instant) {
        if self.ring.is_empty() {
            self.base = seq;
        }
        let Ok(at) = usize::try_from(seq.distance(self.base)) else { return };
        if at >= MOST {
            return;
        }
        while self.ring.len() <= at {
            self.ring.push_back(None);
        }
        self.bytes += payload.len();
        let held = Held {
            head,
            payload,
            size,
            deadline,
            queued: true,
            delivered: None,
            live: 0,
            sends: 0,
            lost_on: 0,
            copies: [None; COPIES],
        };
        if let Some(old) = self.ring[at].replace(held) {
            self.bytes -= old.payload.len();
        }
    }

    /// Forgets one packet in the midst; later it is a gap.
    pub(super) fn remove(&mut self, seq: Seq) {
        let Some(at) = self.index(seq) else { return };
        if let Some(old) = self.ring[at].take() {
            self.bytes -= old.payload.len();
        }
    }

    /// Takes the oldest number off, with its packet if it is there.
    pub(super) fn pop_front(&mut self) -> Option<(Seq, Option<Held>)> {
        let held = self.ring.pop_front()?;
        let seq = self.base;
        self.base = self.base.plus(1);
        if let Some(held) = &held {
            self.bytes -= held.payload.len();
        }
        Some((seq, held))
    }

    /// True if the oldest number is a gap, or can no longer be asked for in time.
    pub(super) fn front_is_past(&self, now: Instant) -> bool {
        self.ring.front().is_some_and(|front| front.as_ref().is_none_or(|held| now > held.deadline + AFTER_DEADLINE))
    }

    /// True if the oldest number has arrived, or is a gap.
    pub(super) fn front_is_delivered(&self) -> bool {
        self.ring.front().is_some_and(|front| front.as_ref().is_none_or(|held| held.delivered.is_some()))
    }

    /// True if another number does not fit.
    pub(super) fn is_full_for(&self, seq: Seq) -> bool {
        !self.ring.is_empty() && seq.distance(self.base) >= MOST as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_by_number_across_the_wrap_and_gaps_stay_gaps() {
        let mut store = Store::default();
        let start = Seq::new(0x7fff_fffe);

        for n in [0, 1, 4] {
            store.insert(start.plus(n), Head::default(), Bytes::from_static(b"abc"), 31.0, Instant::from_millis(100));
        }

        assert_eq!(store.end(), Seq::new(3));
        assert!(store.get(start.plus(2)).is_none());
        assert!(store.get(start.plus(4)).is_some());
        assert_eq!(store.place(start.plus(2)), Place::Within);
        assert_eq!(store.place(Seq::new(0x7fff_fffd)), Place::Before);
        assert_eq!(store.place(Seq::new(0x2000_0000)), Place::Elsewhere);
        assert_eq!(store.bytes(), 9);
        while store.pop_front().is_some() {}
        assert_eq!(store.bytes(), 0);
    }
}
