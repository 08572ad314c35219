//! Reorder: one stream's payloads, put in order and given out when their time has come.
//!
//! ```text
//! take ─► ring, by number ─► next of the row is here and due ─► give
//!                        └─► a gap, and what stands behind it is due ─► given up, counted
//! ```
//!
//! *Due* is the source's stamp + L on our clock. A stamp becomes a moment here by the least way that a
//! payload of the last seconds had; that follows the drift of two clocks slowly.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::time::Instant;
use crate::wire::native::{DataKind, StreamKind, near};

/// Numbers that may stand between the first that is missing and the newest: at 20 Mbit/s seventeen seconds.
pub(super) const MOST: u64 = 32_768;
/// Payload bytes kept of one stream, at most.
pub(super) const MOST_BYTES: usize = 32 << 20;
/// The least way is kept over two of these.
const BUCKET: Duration = Duration::from_secs(10);
/// How fast the mapping follows a least way that has changed, µs a second: above any clock's drift, below what is heard.
const SLEW: f64 = 1_000.0;
/// Before so much has passed the mapping takes every better value at once.
const SETTLING: Duration = Duration::from_secs(2);
/// After another stream has begun, packets of the one before are still under way for so long.
const STRAGGLERS: Duration = Duration::from_secs(3);
/// Where whole numbers begin: far enough from zero that nothing lies below it.
const START: u64 = 1 << 32;

/// A source's 32-bit stamps as moments here.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamps {
    /// The newest stamp, whole.
    newest: Option<i64>,
    /// Least of arrival less stamp: this bucket's and the last one's.
    buckets: [Option<i64>; 2],
    bucket_from: Instant,
    began: Instant,
    /// In force, µs.
    base: f64,
    slewed: Instant,
}

impl Stamps {
    /// The whole stamp of which these are the lower bits.
    fn whole(&self, stamp: u32) -> i64 {
        let newest = self.newest.unwrap_or(1 << 40);
        newest + i64::from(stamp.wrapping_sub(newest as u32) as i32)
    }

    /// A payload with this stamp arrives; returns the whole stamp.
    pub(super) fn take(&mut self, now: Instant, stamp: u32) -> i64 {
        let whole = self.whole(stamp);
        let way = now.as_micros() as i64 - whole;
        if self.newest.is_none() {
            *self = Self { newest: Some(whole), began: now, slewed: now, bucket_from: now, base: way as f64, ..*self };
        }
        self.newest = self.newest.max(Some(whole));
        if now.since(self.bucket_from) >= BUCKET {
            self.bucket_from = now;
            self.buckets = [None, self.buckets[0]];
        }
        self.buckets[0] = Some(self.buckets[0].map_or(way, |least| least.min(way)));
        let least = self.buckets.iter().flatten().min().copied().unwrap_or(way) as f64;
        let most = SLEW * now.since(self.slewed).as_secs_f64();
        self.slewed = now;
        if now.since(self.began) < SETTLING {
            self.base = self.base.min(least);
        } else {
            self.base += (least - self.base).clamp(-most, most);
        }
        whole
    }

    /// When a stamp was made, plus the least way.
    pub(super) fn moment(&self, whole: i64) -> Instant {
        Instant::from_micros((whole + self.base as i64).max(0) as u64)
    }
}

/// A payload that waits for its turn.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// When it came here.
    pub(super) arrived: Instant,
    pub(super) stamp: i64,
    pub(super) kind: DataKind,
    pub(super) payload: Bytes,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Given {
    /// A payload, in its turn.
    Payload { number: u64, slot: Slot },
    /// So many numbers from `first` on never came in time.
    Gap { first: u64, count: u64 },
}

/// What became of a payload that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    /// It waits for its turn.
    New,
    /// It is here already, or was.
    Copy,
    /// Its turn is over.
    Late,
    /// There is no room, or it belongs to a stream that has ended.
    Refused,
}

/// One stream's row.
#[derive(Debug)]
pub(super) struct Reorder {
    kind: StreamKind,
    latency: Duration,
    stamps: Stamps,
    /// The first number not given out.
    next: Option<u64>,
    /// Something was given out: numbers before `next` are history.
    running: bool,
    ring: VecDeque<Option<Slot>>,
    /// How many of the ring's first places are known to be empty.
    empty: usize,
    bytes: usize,
    /// Numbers given up lately, oldest first: what comes of them is late and no copy.
    given_up: VecDeque<(u64, u64)>,
    /// The row before this one ended here, and when.
    left: Option<(Instant, u64)>,
}

/// Runs of numbers given up that are remembered.
const MOST_GIVEN_UP: usize = 64;

impl Reorder {
    pub(super) fn new(kind: StreamKind, latency: Duration) -> Self {
        Self {
            kind,
            latency,
            stamps: Stamps::default(),
            next: None,
            running: false,
            ring: VecDeque::new(),
            empty: 0,
            bytes: 0,
            given_up: VecDeque::new(),
            left: None,
        }
    }

    /// Another L, for what waits too.
    pub(super) fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// The first number that has neither arrived in its turn nor been given up.
    pub(super) fn next(&self) -> Option<u64> {
        self.next
    }

    /// Payload bytes waiting.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The source says with which number it goes on, before any was seen.
    pub(super) fn starts_at(&mut self, low: u32) {
        if self.next.is_none() {
            self.next = Some(near(low, START));
            self.running = true;
        }
    }

    /// The whole number that a payload's lower bits stand for.
    pub(super) fn number(&self, low: u32) -> u64 {
        near(low, self.next.map_or(START, |next| next + self.ring.len() as u64))
    }

    /// A payload that is here and waits.
    fn get(&self, number: u64) -> Option<&Slot> {
        let at = usize::try_from(number.checked_sub(self.next?)?).ok()?;
        self.ring.get(at)?.as_ref()
    }

    /// True if a payload with this number would be of use.
    pub(super) fn lacks(&self, number: u64) -> bool {
        self.next.is_some_and(|next| number >= next && number - next < MOST) && self.get(number).is_none()
    }

    /// A payload comes in.
    pub(super) fn take(&mut self, now: Instant, low: u32, stamp: u32, kind: DataKind, payload: Bytes) -> Took {
        let number = self.number(low);
        let first = *self.next.get_or_insert(number);
        if number < first {
            if first - number > MOST {
                return self.elsewhere(now, low, number, stamp, kind, payload);
            }
            if self.running {
                return if self.is_given_up(number) { Took::Late } else { Took::Copy };
            }
            // nothing was given out yet: the row begins earlier than it seemed
            if first - number + self.ring.len() as u64 > MOST {
                return Took::Refused;
            }
            for _ in number..first {
                self.ring.push_front(None);
            }
            self.empty = 0;
            self.next = Some(number);
        } else if number - first >= MOST + self.ring.len() as u64 {
            return self.elsewhere(now, low, number, stamp, kind, payload);
        }
        let first = self.next.unwrap_or(number);
        let at = (number - first) as usize;
        if at >= MOST as usize || self.bytes + payload.len() > MOST_BYTES {
            return Took::Refused;
        }
        if self.ring.get(at).is_some_and(Option::is_some) {
            return Took::Copy;
        }
        while self.ring.len() <= at {
            self.ring.push_back(None);
        }
        let stamp = self.stamps.take(now, stamp);
        self.bytes += payload.len();
        self.ring[at] = Some(Slot { arrived: now, stamp, kind, payload });
        self.empty = self.empty.min(at);
        Took::New
    }

    /// So far off that it is another stream; what waited of the old one is lost with it.
    fn elsewhere(&mut self, now: Instant, low: u32, number: u64, stamp: u32, kind: DataKind, payload: Bytes) -> Took {
        let straggles =
            self.left.is_some_and(|(at, end)| now.since(at) < STRAGGLERS && number.abs_diff(end) <= 2 * MOST);
        if straggles {
            return Took::Refused;
        }
        let end = self.next.map(|next| next + self.ring.len() as u64);
        *self = Self { left: end.map(|end| (now, end)), ..Self::new(self.kind, self.latency) };
        // whole numbers go on from where this one lies, so that the old row's are known again
        self.next = Some(number);
        self.take(now, low, stamp, kind, payload)
    }

    fn is_given_up(&self, number: u64) -> bool {
        self.given_up.iter().rev().any(|(from, to)| (*from..*to).contains(&number))
    }

    /// The first that is here, and at which place.
    fn first_here(&mut self) -> Option<(usize, &Slot)> {
        while self.ring.get(self.empty).is_some_and(Option::is_none) {
            self.empty += 1;
        }
        let at = self.empty;
        self.ring.get(at)?.as_ref().map(|slot| (at, slot))
    }

    /// When the first that is here is due, if nothing comes in before.
    pub(super) fn next_due(&mut self) -> Option<Instant> {
        let stamp = self.first_here()?.1.stamp;
        Some(self.stamps.moment(stamp) + self.latency)
    }

    /// The next of the row, or the gap before it, if its turn has come; `ready` says if a kind can be given out.
    pub(super) fn give(&mut self, now: Instant, ready: impl Fn(DataKind) -> bool) -> Option<Given> {
        let (at, slot) = self.first_here()?;
        let (stamp, kind) = (slot.stamp, slot.kind);
        let due = now >= self.stamps.moment(stamp) + self.latency;
        let in_turn = at == 0 && self.kind == StreamKind::Srt && self.running;
        if !(due || in_turn && ready(kind)) {
            return None;
        }
        let next = self.next?;
        self.running = true;
        if at > 0 {
            self.ring.drain(..at);
            self.empty = 0;
            self.next = Some(next + at as u64);
            if self.given_up.len() == MOST_GIVEN_UP {
                self.given_up.pop_front();
            }
            self.given_up.push_back((next, next + at as u64));
            return Some(Given::Gap { first: next, count: at as u64 });
        }
        let slot = self.ring.pop_front()??;
        self.bytes -= slot.payload.len();
        self.next = Some(next + 1);
        Some(Given::Payload { number: next, slot })
    }
}
