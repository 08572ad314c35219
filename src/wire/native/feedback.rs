//! Feedback: one message for all links, that a later one may repeat and the loss of one loses nothing.
//!
//! ```text
//! feedback   type│clock (32)│streams (8)│ stream (8)│next (24)│missing │…│links (8)│ link │…
//! link       link (8)│highest (24)│age │ranges (16)│run │ gap│run │…│arrivals (16)│ earlier │…
//! settled    type│ link (8)│counter (24)│…
//! ```
//! Fields without a length are varints; `earlier` has a sign. Ranges go down from the highest counter:
//! a run that arrived, then a gap that did not and the next run. Arrivals go down the same counters,
//! gaps left out: by how much each came before the one above it.

use std::ops::RangeInclusive;

use super::frame::{FEEDBACK, SETTLED};
use super::varint::{Cursor, put, put_signed, put_u24};

/// Microseconds in one tick of the receiver's clock.
pub const TICK_MICROS: u64 = 100;

const COUNTS: usize = 2;
/// What one further range, or one further arrival, may take.
const MOST_OF_A_RANGE: usize = 10;
const MOST_OF_AN_ARRIVAL: usize = 5;

/// What has arrived, on all links and in all streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feedback<'a> {
    /// The receiver's clock when it was written, ticks, wrapping. It only goes up: a lower one is older.
    pub clock: u32,
    streams: &'a [u8],
    links: &'a [u8],
}

/// How far one stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSeen {
    /// Which stream.
    pub stream: u8,
    /// The lower 24 bits of the first number that has neither arrived nor been given up.
    pub next: u32,
    /// Payloads given up since the session began, wrapping.
    pub missing: u32,
}

/// What has arrived on one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSeen<'a> {
    /// Which link.
    pub link: u8,
    /// The lower 24 bits of the highest counter that arrived.
    pub highest: u32,
    /// When that one arrived, ticks of the receiver's clock, wrapping.
    pub arrived: u32,
    ranges: &'a [u8],
    arrivals: &'a [u8],
}

impl<'a> Feedback<'a> {
    /// Reads what follows the type, to its end.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(body);
        let clock = cursor.u32()?;
        let count = cursor.u8()?;
        let from = cursor.0;
        for _ in 0..count {
            stream(&mut cursor)?;
        }
        let streams = &from[..from.len() - cursor.0.len()];
        let count = cursor.u8()?;
        let links = cursor.0;
        for _ in 0..count {
            link(&mut cursor, clock)?;
        }
        cursor.0.is_empty().then_some(Self { clock, streams, links })
    }

    /// How far each stream has come.
    pub fn streams(&self) -> impl Iterator<Item = StreamSeen> + use<'a> {
        let mut cursor = Cursor(self.streams);
        std::iter::from_fn(move || stream(&mut cursor))
    }

    /// What has arrived on each link.
    pub fn links(&self) -> impl Iterator<Item = LinkSeen<'a>> + use<'a> {
        let (mut cursor, clock) = (Cursor(self.links), self.clock);
        std::iter::from_fn(move || link(&mut cursor, clock))
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(FEEDBACK);
        out.extend_from_slice(&self.clock.to_be_bytes());
        out.push(self.streams().count() as u8);
        out.extend_from_slice(self.streams);
        out.push(self.links().count() as u8);
        out.extend_from_slice(self.links);
    }
}

fn stream(cursor: &mut Cursor<'_>) -> Option<StreamSeen> {
    Some(StreamSeen { stream: cursor.u8()?, next: cursor.u24()?, missing: cursor.varint()? })
}

fn link<'a>(cursor: &mut Cursor<'a>, clock: u32) -> Option<LinkSeen<'a>> {
    let link = cursor.u8()?;
    let highest = cursor.u24()?;
    let arrived = clock.wrapping_sub(cursor.varint()?);
    let count = cursor.u16()?;
    let from = cursor.0;
    for _ in 0..count {
        cursor.varint()?;
        cursor.varint()?;
    }
    let ranges = &from[..from.len() - cursor.0.len()];
    let count = cursor.u16()?;
    let from = cursor.0;
    for _ in 0..count {
        cursor.signed()?;
    }
    let arrivals = &from[..from.len() - cursor.0.len()];
    Some(LinkSeen { link, highest, arrived, ranges, arrivals })
}

impl<'a> LinkSeen<'a> {
    /// The counters that arrived, in ranges from the newest down; `highest` is the whole number that
    /// [`super::near`] finds from [`LinkSeen::highest`]. A range never reaches below zero.
    pub fn ranges(&self, highest: u64) -> impl Iterator<Item = RangeInclusive<u64>> + use<'a> {
        let mut cursor = Cursor(self.ranges);
        // the counter above the next range, and whether there can be one
        let mut above = highest.checked_add(1);
        std::iter::from_fn(move || {
            let (gap, run) = (cursor.varint()?, cursor.varint()?);
            let end = above?.checked_sub(u64::from(gap))?.checked_sub(1)?;
            let start = end.checked_sub(u64::from(run.checked_sub(1)?))?;
            above = Some(start);
            Some(start..=end)
        })
    }

    /// The newest counters that arrived with their times, in ticks, from the newest down.
    pub fn arrivals(&self, highest: u64) -> impl Iterator<Item = (u64, u32)> + use<'a> {
        let mut cursor = Cursor(self.arrivals);
        let mut at = None;
        let arrived = self.arrived;
        let counters = self.ranges(highest).flat_map(RangeInclusive::rev);
        counters.map_while(move |counter| {
            let time = match at {
                None => arrived,
                Some(above) => u32::wrapping_sub(above, cursor.signed()? as u32),
            };
            at = Some(time);
            Some((counter, time))
        })
    }
}

/// Writes one feedback frame: first the streams, then the links.
#[derive(Debug)]
pub struct FeedbackWriter<'o> {
    out: &'o mut Vec<u8>,
    clock: u32,
    /// Where the count of streams stands, and, once there is one, that of links.
    streams: usize,
    links: Option<usize>,
    limit: usize,
}

impl<'o> FeedbackWriter<'o> {
    /// Begins a frame of at most `limit` bytes behind what `out` holds; `clock` in ticks.
    pub fn new(out: &'o mut Vec<u8>, clock: u32, limit: usize) -> Self {
        let limit = out.len() + limit;
        out.push(FEEDBACK);
        out.extend_from_slice(&clock.to_be_bytes());
        out.push(0);
        let streams = out.len() - 1;
        Self { out, clock, streams, links: None, limit }
    }

    /// Adds a stream; all of them before the first link.
    pub fn stream(&mut self, seen: StreamSeen) {
        if self.links.is_some() || self.out.len() + 10 > self.limit {
            return;
        }
        self.out.push(seen.stream);
        put_u24(seen.next, self.out);
        put(seen.missing, self.out);
        self.out[self.streams] += 1;
    }

    /// Adds a link: what arrived in `ranges`, from the newest down, the first with the highest counter; and
    /// of `arrivals`, the times in ticks of the same counters from the newest down, as many as fit `room`.
    ///
    /// Older ranges that do not fit are left out: a later message tells them. Without a range nothing is added.
    pub fn link(
        &mut self,
        link: u8,
        ranges: impl IntoIterator<Item = RangeInclusive<u64>>,
        arrivals: impl IntoIterator<Item = u32>,
        room: usize,
    ) {
        let limit = self.limit.min(self.out.len() + room);
        let (mut ranges, mut arrivals) = (ranges.into_iter(), arrivals.into_iter());
        let (Some(newest), Some(arrived)) = (ranges.next(), arrivals.next()) else { return };
        // link, highest, age, both counts, one range, and the count of links if it is the first
        if newest.is_empty() || self.out.len() + 1 + 4 + 5 + 2 * COUNTS + MOST_OF_A_RANGE > limit {
            return;
        }
        let links = *self.links.get_or_insert_with(|| {
            self.out.push(0);
            self.out.len() - 1
        });
        self.out[links] += 1;
        self.out.push(link);
        put_u24(*newest.end() as u32, self.out);
        put(self.clock.wrapping_sub(arrived), self.out);
        self.put_ranges(newest, ranges, limit - COUNTS);
        self.put_arrivals(arrived, arrivals, limit);
    }

    fn put_ranges(
        &mut self,
        newest: RangeInclusive<u64>,
        older: impl Iterator<Item = RangeInclusive<u64>>,
        limit: usize,
    ) {
        let at = self.out.len();
        self.out.extend_from_slice(&[0; COUNTS]);
        let mut count = 0_u16;
        let mut above = newest.end().saturating_add(1);
        for range in std::iter::once(newest).chain(older) {
            let (gap, run) =
                (above.checked_sub(range.end().saturating_add(1)), range.end().checked_sub(*range.start()));
            let (Some(Ok(gap)), Some(Ok(run))) =
                (gap.map(u32::try_from), run.map(|run| u32::try_from(run.saturating_add(1))))
            else {
                break;
            };
            if count == u16::MAX || self.out.len() + MOST_OF_A_RANGE > limit {
                break;
            }
            put(gap, self.out);
            put(run, self.out);
            above = *range.start();
            count += 1;
        }
        self.out[at..at + COUNTS].copy_from_slice(&count.to_be_bytes());
    }

    fn put_arrivals(&mut self, mut above: u32, arrivals: impl Iterator<Item = u32>, limit: usize) {
        let at = self.out.len();
        self.out.extend_from_slice(&[0; COUNTS]);
        let mut count = 0_u16;
        for time in arrivals {
            if count == u16::MAX || self.out.len() + MOST_OF_AN_ARRIVAL > limit {
                break;
            }
            put_signed(above.wrapping_sub(time) as i32, self.out);
            above = time;
            count += 1;
        }
        self.out[at..at + COUNTS].copy_from_slice(&count.to_be_bytes());
    }

    /// Ends the frame.
    pub fn finish(self) {
        if self.links.is_none() {
            self.out.push(0);
        }
    }
}

/// The counters below which the sender needs to hear no more, link by link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled<'a>(&'a [u8]);

impl<'a> Settled<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        body.len().is_multiple_of(4).then_some(Self(body))
    }

    /// Link and the lower 24 bits of the lowest counter that is still waited for.
    pub fn links(&self) -> impl Iterator<Item = (u8, u32)> + use<'a> {
        let mut cursor = Cursor(self.0);
        std::iter::from_fn(move || Some((cursor.u8()?, cursor.u24()?)))
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(SETTLED);
        out.extend_from_slice(self.0);
    }
}

/// Appends a [`Settled`] frame from whole counters.
pub fn emit_settled(links: impl IntoIterator<Item = (u8, u64)>, out: &mut Vec<u8>) {
    out.push(SETTLED);
    for (link, counter) in links {
        out.push(link);
        put_u24(counter as u32, out);
    }
}
