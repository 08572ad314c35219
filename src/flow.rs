//! Flow: numbered payloads with the moment they were made, and what a far end has of them.
//!
//! A payload is seven packets of a transport stream, so it passes whatever passes a programme. Each is a null packet that
//! holds number, stamp and its place among the seven: a payload has come when all have, in whatever datagrams. They are
//! judged where they come out again, by one clock.

use std::time::Duration;

use serde::Serialize;

use crate::time::Instant;
use crate::units::Bitrate;

/// Bytes of a payload: seven packets of a transport stream.
pub const PAYLOAD: usize = PACKETS * PACKET;
const PACKETS: usize = 7;
const PACKET: usize = 188;
/// All packets of a payload have come.
const WHOLE: u8 = (1 << PACKETS) - 1;
/// Head of a null packet, and a word by which ours are told from other null packets.
const HEAD: [u8; 8] = [0x47, 0x1f, 0xff, 0x10, b'f', b'l', b'o', b'w'];
/// Payloads judged at most: an hour of 40 Mbit/s; later ones are made and not judged.
const MOST: usize = 14_000_000;
/// The way in which the offset of playout is looked at: the delay that so many payloads stay below. A very low one,
/// since a busy machine makes single payloads later and none earlier.
const LOW: f64 = 0.01;
/// The second by which playout must have settled; from there on it is looked at in spans of as many seconds.
const SETTLED: u64 = 5;

/// Payload number `number`, made at `made`.
#[must_use]
pub fn payload(number: u32, made: Instant) -> [u8; PAYLOAD] {
    let mut payload = [0xff; PAYLOAD];
    for (place, packet) in (0_u8..).zip(payload.chunks_mut(PACKET)) {
        packet[..8].copy_from_slice(&HEAD);
        packet[8..12].copy_from_slice(&number.to_be_bytes());
        packet[12..20].copy_from_slice(&made.as_micros().to_be_bytes());
        packet[20] = place;
    }
    payload
}

/// The number and the moment in a packet, if it is one of ours, and its place in its payload.
#[must_use]
pub fn stamp(packet: &[u8]) -> Option<(u32, Instant, u8)> {
    let rest = packet.strip_prefix(&HEAD)?;
    let number = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
    let made = u64::from_be_bytes(rest.get(4..12)?.try_into().ok()?);
    let place = rest.get(12).copied().filter(|place| usize::from(*place) < PACKETS)?;
    Some((number, Instant::from_micros(made), place))
}

/// What became of one payload.
#[derive(Debug, Clone, Copy)]
struct Journey {
    made: Instant,
    /// Which of its packets have come.
    have: u8,
    /// How long the last of them took, µs.
    took: u32,
}

impl Journey {
    fn took(&self) -> Option<u32> {
        (self.have == WHOLE).then_some(self.took)
    }
}

/// What is made, when, and what of it has come.
#[derive(Debug)]
pub struct Flow {
    every: Duration,
    within: Duration,
    /// How long payloads are made before the first that counts.
    warmup: Duration,
    /// How long payloads are made that count.
    lasts: Duration,
    /// When the line was found open; what was made before does not count.
    opened: Option<Instant>,
    began: Instant,
    made: u32,
    /// Of each payload that counts.
    journeys: Vec<Journey>,
    /// The number of the first that counts.
    first: u32,
    newest: Option<u32>,
    doubled: u64,
    misordered: u64,
    strange: u64,
    /// The most by which a payload was made too late, µs: the machine's doing, and no line's.
    made_late: u64,
}

impl Flow {
    /// Payloads at `rate`; one counts as in time if it came `within` so long. `warmup` after the line was found open
    /// those are made that count, for as long as it `lasts`.
    #[must_use]
    pub fn new(now: Instant, rate: Bitrate, within: Duration, warmup: Duration, lasts: Duration) -> Self {
        let every = PAYLOAD as f64 * 8.0 / rate.as_bps().max(1) as f64;
        Self {
            every: Duration::from_secs_f64(every).max(Duration::from_micros(1)),
            within,
            warmup,
            lasts,
            opened: None,
            began: now,
            made: 0,
            journeys: Vec::new(),
            first: 0,
            newest: None,
            doubled: 0,
            misordered: 0,
            strange: 0,
            made_late: 0,
        }
    }

    /// The next payload that is due.
    pub fn poll_payload(&mut self, now: Instant) -> Option<[u8; PAYLOAD]> {
        let due = self.due();
        if due > now || self.is_made(due) {
            return None;
        }
        let number = self.made;
        self.made = self.made.wrapping_add(1);
        let counts = self.counted().is_some_and(|(from, to)| due >= from && due < to);
        if counts && self.journeys.len() < MOST {
            if self.journeys.is_empty() {
                self.first = number;
            }
            self.journeys.push(Journey { made: due, have: 0, took: 0 });
            self.made_late = self.made_late.max(now.since(due).as_micros() as u64);
        }
        Some(payload(number, due))
    }

    /// When to call [`Flow::poll_payload`], if payloads are still wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let due = self.due();
        (!self.is_made(due)).then_some(due)
    }

    fn due(&self) -> Instant {
        let micros = self.every.as_secs_f64() * 1e6 * f64::from(self.made);
        self.began + Duration::from_micros(micros as u64)
    }

    /// From when to when payloads count, once the line is open.
    fn counted(&self) -> Option<(Instant, Instant)> {
        let from = self.opened? + self.warmup;
        Some((from, from + self.lasts))
    }

    /// Some more are made than count: whoever loses the last of a stream cannot know it.
    fn is_made(&self, at: Instant) -> bool {
        self.counted().is_some_and(|(_, to)| at >= to + self.within)
    }

    /// A datagram has come out at the far end: any packets, of one payload or several.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        for packet in datagram.chunks(PACKET) {
            let Some((number, made, place)) = stamp(packet) else {
                self.strange += 1;
                continue;
            };
            self.opened.get_or_insert(now);
            let Some(at) = number.checked_sub(self.first) else { continue };
            let Some(journey) = self.journeys.get_mut(at as usize) else { continue };
            if journey.made != made {
                self.strange += 1;
                continue;
            }
            if journey.have >> place & 1 == 1 {
                self.doubled += 1;
                continue;
            }
            journey.have |= 1 << place;
            journey.took = u32::try_from(now.since(made).as_micros()).unwrap_or(u32::MAX);
            if self.newest.is_some_and(|newest| newest > number) {
                self.misordered += 1;
            } else {
                self.newest = Some(number);
            }
        }
    }

    /// True if something has come out: the line is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// True if all that counts is made, and what was made last has come or is too late.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        let Some((_, end)) = self.counted() else { return false };
        now >= end && (now >= end + self.within || self.journeys.iter().rev().take(256).all(|j| j.took().is_some()))
    }

    /// What became of the payloads that count.
    #[must_use]
    pub fn report(&self) -> Report {
        let within = self.within.as_micros() as u64;
        let mut delays: Vec<u32> = self.journeys.iter().filter_map(Journey::took).collect();
        let late = delays.iter().filter(|delay| u64::from(**delay) > within).count();
        let (offset_ms, drift_ms) = self.drift();
        let made = self.journeys.len();
        let missing = made - delays.len();
        delays.sort_unstable();
        let (hole, hole_at_s) = self.hole();
        let share = |q: f64| quantile(&delays, q).map(|micros| f64::from(micros) / 1e3);
        Report {
            made,
            missing,
            late,
            doubled: self.doubled,
            misordered: self.misordered,
            strange: self.strange,
            in_time: if made == 0 { 0.0 } else { (made - missing - late) as f64 / made as f64 },
            p50_ms: share(0.5),
            p99_ms: share(0.99),
            max_ms: share(1.0),
            offset_ms,
            drift_ms,
            hole,
            hole_at_s,
            made_late_ms: self.made_late as f64 / 1e3,
        }
    }

    /// The longest run of payloads that never came, and in which second it began.
    fn hole(&self) -> (usize, f64) {
        let (mut longest, mut run) = ((0, 0), (0, 0));
        for (at, journey) in self.journeys.iter().enumerate() {
            run = if journey.took().is_some() { (0, at + 1) } else { (run.0 + 1, run.1) };
            longest = longest.max((run.0, run.1));
        }
        let second = self.every.as_secs_f64() * longest.1 as f64;
        (longest.0, if longest.0 > 0 { second } else { 0.0 })
    }

    /// The least delay of the five seconds from when playout must have settled, and how far that of any later five is from it.
    fn drift(&self) -> (Option<f64>, Option<f64>) {
        let Some(Journey { made: begin, .. }) = self.journeys.first().copied() else { return (None, None) };
        let mut spans: Vec<Vec<u32>> = Vec::new();
        for journey in &self.journeys {
            let span = (journey.made.since(begin).as_secs() / SETTLED) as usize;
            spans.resize(spans.len().max(span + 1), Vec::new());
            spans[span].extend(journey.took());
        }
        let whole = (self.lasts.as_secs() / SETTLED) as usize;
        let lows: Vec<f64> = spans
            .into_iter()
            .take(whole)
            .skip(1)
            .filter_map(|mut delays| {
                delays.sort_unstable();
                quantile(&delays, LOW).map(|micros| f64::from(micros) / 1e3)
            })
            .collect();
        let Some(first) = lows.first().copied() else { return (None, None) };
        let drift = lows.iter().map(|low| (low - first).abs()).fold(0.0, f64::max);
        (Some(first), Some(drift))
    }
}

fn quantile(sorted: &[u32], share: f64) -> Option<u32> {
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).copied()
}

/// What became of the payloads that count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How many were made.
    pub made: usize,
    /// Never came.
    pub missing: usize,
    /// Came after the time allowed.
    pub late: usize,
    /// Packets of them that came once more.
    pub doubled: u64,
    /// Packets of them that came after one of a later payload.
    pub misordered: u64,
    /// Packets that came and were none of ours.
    pub strange: u64,
    /// Share that came in time, 0 to 1.
    pub in_time: f64,
    /// Half of them took at most so long, ms.
    pub p50_ms: Option<f64>,
    /// 99 % of them.
    pub p99_ms: Option<f64>,
    /// The slowest.
    pub max_ms: Option<f64>,
    /// The delay below which a hundredth of the payloads of seconds 5 to 10 stayed, ms.
    pub offset_ms: Option<f64>,
    /// The most by which any later five seconds differed from that, ms.
    pub drift_ms: Option<f64>,
    /// The longest run of payloads that never came.
    pub hole: usize,
    /// Seconds after the first that counts, when that run began.
    pub hole_at_s: f64,
    /// The most by which a payload was made too late, ms: the machine stood still so long.
    pub made_late_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Plays a flow of 100 payloads a second through `line`, which says how long each takes, or that it is lost.
    fn play(lasts: u64, mut line: impl FnMut(u32) -> Option<u64>) -> Report {
        let rate = Bitrate::bps(PAYLOAD as u64 * 8 * 100);
        let mut flow = Flow::new(Instant::ZERO, rate, SECOND, SECOND, Duration::from_secs(lasts));
        let mut under_way = std::collections::BTreeMap::new();
        for ms in 0..(lasts + 5) * 1000 {
            let now = Instant::from_millis(ms);
            while let Some(payload) = flow.poll_payload(now) {
                let (number, ..) = stamp(&payload).expect("a stamp");
                if let Some(took) = line(number) {
                    under_way.insert((ms + took, number), payload);
                }
            }
            while let Some(((at, _), payload)) = under_way.first_key_value().filter(|((at, _), _)| *at <= ms) {
                flow.handle_datagram(Instant::from_millis(*at), payload);
                under_way.pop_first();
            }
        }
        assert!(flow.is_over(Instant::from_millis((lasts + 5) * 1000)));
        flow.report()
    }

    #[test]
    fn what_never_came_what_came_late_and_what_overtook_are_counted_apart() {
        // the line opens with payload 0 after 20 ms, so payload 102 is the first that counts
        let report = play(2, |number| match number {
            150 | 151 => None,
            160 => Some(1500),
            170 => Some(35),
            _ => Some(20),
        });

        assert_eq!((report.made, report.missing, report.late), (200, 2, 1));
        assert_eq!((report.hole, report.hole_at_s), (2, 0.48));
        assert_eq!(report.misordered, 14, "160 and 170 came after later ones");
        assert!((report.in_time - 197.0 / 200.0).abs() < 1e-9);
        assert_eq!(report.p50_ms, Some(20.0));
    }

    #[test]
    fn an_offset_that_moves_is_told_and_single_late_payloads_are_not_taken_for_it() {
        let still = play(20, |number| Some(if number % 3 == 0 { 90 } else { 20 }));
        assert_eq!((still.offset_ms, still.drift_ms), (Some(20.0), Some(0.0)));

        let moves = play(20, |number| Some(if number > 1500 { 27 } else { 20 }));
        assert_eq!(moves.drift_ms, Some(7.0));
    }

    #[test]
    fn a_payload_is_a_whole_transport_stream_and_several_travel_in_one_datagram() {
        let one = payload(7, Instant::from_millis(3));

        assert!(one.chunks(PACKET).all(|packet| packet[0] == 0x47));
        assert_eq!(stamp(&one), Some((7, Instant::from_millis(3), 0)));
        assert_eq!(stamp(&one[6 * PACKET..]), Some((7, Instant::from_millis(3), 6)));
        assert_eq!(stamp(&one[..12]), None);
        let mut flow = Flow::new(Instant::ZERO, Bitrate::mbps(1), SECOND, Duration::ZERO, SECOND);
        flow.handle_datagram(Instant::ZERO, &[0; 100]);
        assert!(!flow.is_open());
        let two: Vec<_> =
            [0, 1].into_iter().flat_map(|_| flow.poll_payload(Instant::from_millis(20)).unwrap()).collect();
        flow.handle_datagram(Instant::from_millis(20), &two);
        assert!(flow.is_open());
    }

    #[test]
    fn a_payload_has_come_when_all_its_packets_have_in_whatever_datagrams() {
        let mut flow = Flow::new(Instant::ZERO, Bitrate::mbps(1), SECOND, Duration::ZERO, SECOND);
        flow.handle_datagram(Instant::ZERO, &payload(9, Instant::ZERO));
        let mut all: Vec<u8> = Vec::new();
        while let Some(payload) = flow.poll_payload(Instant::from_millis(500)) {
            all.extend(payload);
        }
        let made = all.len() / PAYLOAD;

        // in sixes, and the last but one packet of all is missing
        let missing = all.len() - 2 * PACKET;
        for piece in all[..missing].chunks(6 * PACKET).chain([&all[missing + PACKET..]]) {
            flow.handle_datagram(Instant::from_millis(600), piece);
        }

        let report = flow.report();
        assert_eq!((report.made, report.missing, report.doubled, report.misordered), (made, 1, 0, 0));
        assert_eq!(report.max_ms, Some(600.0));
    }
}
