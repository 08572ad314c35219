//! Queue: what waits for a link, repairs before new packets, each in the order of its deadline.
//!
//! A packet that turns out to have arrived leaves its place empty; empty places are cleared when they
//! are many.

use std::collections::VecDeque;

use super::held::{Held, Store};
use crate::wire::Seq;

/// Fewer empty places are not worth clearing.
const FEW: usize = 64;

/// Both queues as one.
#[derive(Debug, Default)]
pub(super) struct Queue {
    repairs: VecDeque<Seq>,
    fresh: VecDeque<Seq>,
    waiting: usize,
    bytes: usize,
}

impl Queue {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Packets waiting.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Payload bytes waiting.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A packet that was never sent waits behind all others.
    pub(super) fn push_fresh(&mut self, seq: Seq, size: usize) {
        self.fresh.push_back(seq);
        self.waiting += 1;
        self.bytes += size;
    }

    /// A packet waits once more, among the repairs by its number.
    pub(super) fn push_repair(&mut self, held: &mut Held, seq: Seq) {
        if held.queued {
            return;
        }
        held.queued = true;
        let at = self.repairs.partition_point(|other| other.is_before(seq));
        if self.repairs.get(at) != Some(&seq) {
            self.repairs.insert(at, seq);
        }
        self.waiting += 1;
        self.bytes += held.payload.len();
    }

    /// The packet waits no more.
    pub(super) fn take(&mut self, held: &mut Held) {
        if held.queued {
            held.queued = false;
            self.waiting -= 1;
            self.bytes -= held.payload.len();
        }
    }

    /// Closes up the place of a packet that waits no more; four bytes a packet behind it are moved.
    pub(super) fn close(&mut self, place: usize) {
        match place.checked_sub(self.repairs.len()) {
            None => self.repairs.remove(place),
            Some(place) => self.fresh.remove(place),
        };
    }

    /// Clears empty places: those in front always, the others when they are many.
    pub(super) fn tidy(&mut self, store: &Store) {
        let waits = |seq: &Seq| store.get(*seq).is_some_and(|held| held.queued);
        for queue in [&mut self.repairs, &mut self.fresh] {
            while queue.front().is_some_and(|seq| !waits(seq)) {
                queue.pop_front();
            }
        }
        if self.repairs.len() + self.fresh.len() > 2 * self.waiting + FEW {
            self.repairs.retain(waits);
            self.fresh.retain(waits);
        }
    }

    /// The packet at a place, counted through both queues and through empty places.
    pub(super) fn at(&self, place: usize) -> Option<Seq> {
        match place.checked_sub(self.repairs.len()) {
            None => self.repairs.get(place).copied(),
            Some(place) => self.fresh.get(place).copied(),
        }
    }
}
