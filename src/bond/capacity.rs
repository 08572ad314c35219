//! What a link carries, measured by what arrives; and how much may be under way on it.
//!
//! Only a link that is busy (something waits before its bottleneck) shows what it can carry. A busy
//! link's rate follows its arrivals, down in a lull as well as up; an idle one keeps what it last
//! showed. The window holds to the peak of the last second as well, so that a bursty link is not
//! closed in each of its lulls.

use std::collections::VecDeque;
use std::time::Duration;

use super::without::Without;
use crate::time::Instant;
use crate::units::Bitrate;

/// Bytes of IP and UDP around each datagram: the bottleneck carries them too.
pub(super) const IP_UDP: f64 = 28.0;
/// A full datagram on the wire, the unit in which windows have their floor.
pub(super) const FULL: f64 = 1316.0 + 16.0 + IP_UDP;
/// A far end of the field acknowledges by tens and has no timer, so fewer than this would never be acknowledged.
const FLOOR_PACKETS: f64 = 12.0;
/// Where every packet is acknowledged: enough that three later ones tell of a loss.
const FLOOR_EACH: f64 = 3.0;
/// What a link of the field has received and not acknowledged yet, at most and beyond the window's own 3.
const UNTOLD_PACKETS: f64 = 3.0 + 6.0;
/// No link is believed to carry less: a probe must still get through.
const LEAST: f64 = 64_000.0 / 8e6;
/// A link about which nothing is known.
const UNKNOWN: f64 = 1_000_000.0 / 8e6;
/// A link that is not busy is tried with at least so much: a recovered one would else never be tried. The risk is a few packets.
const RESTART: f64 = 2_000_000.0 / 8e6;
/// And grows up to so many times what arrives.
const TRIED: f64 = 2.0;
/// How far a link grows in a round trip while it is not busy: to its double, or by this share once it has shown a
/// queue and a step too far would show too late (by tens, or for L ≤ 300 ms) or there is time (L ≥ 1 s).
const CAUTIOUS: f64 = 0.25;
/// What a link written off is believed to carry when it returns.
const RETURNED: f64 = 500_000.0 / 8e6;
/// Room for the feedback's own pace.
const FEEDBACK: f64 = 10_000.0;
/// The standing queue that we allow ourselves, µs: 40 to 100 ms is a flat optimum, 20 starves, 250 floods.
const STANDING: f64 = 40_000.0;
/// How fast the rate of a busy link follows its arrivals, and the peak decays, per 10 ms: about 40 ms and 1 s.
const GAIN: f64 = 0.25;
const DECAY: f64 = 0.01;
/// However high the peak, no more may be under way than arrives in this share of L beyond the empty way.
const AHEAD: f64 = 0.4;
/// What a link carried so long ago may be half or twice that now: it is tried as a new one is.
const AGES: Duration = Duration::from_secs(3);
/// Arrivals are counted over this; tens over this share of a round trip at least, and over as many as it takes: up to
/// nine packets more or less are told of in between, when the listener's own ACK moves.
const SPAN: Duration = Duration::from_millis(100);
const TURN_SHARE: f64 = 0.75;
/// Arrivals of a shorter time say nothing.
const LEAST_SPAN: Duration = Duration::from_millis(30);
/// Arrival times remembered.
const MOST_ARRIVALS: usize = 256;

/// How a far end tells what has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// By tens, when the tenth is there; times are ours.
    Tens,
    /// Every datagram with its time on the far end's clock.
    Each,
}

/// One link's rate and window.
#[derive(Debug, Clone)]
pub(super) struct Capacity {
    /// Bytes per microsecond.
    rate: f64,
    peak: f64,
    pace: Pace,
    arrivals: VecDeque<(Instant, f64)>,
    busy: Option<Instant>,
    starting: bool,
    /// Grows step by step once it has shown a queue.
    pub(super) cautious: bool,
    /// When a queue, or a train, last showed what the link carries.
    measured: Option<Instant>,
    limited: bool,
    /// Somebody else's on the same uplink, bytes per microsecond: part of what it carries, none of ours.
    reserved: f64,
    pub(super) without: Without,
}

impl Capacity {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            rate: UNKNOWN,
            peak: UNKNOWN,
            pace,
            arrivals: VecDeque::new(),
            busy: None,
            starting: true,
            cautious: pace == Pace::Tens,
            measured: None,
            limited: false,
            reserved: 0.0,
            without: Without::default(),
        }
    }

    /// So much of the uplink is somebody else's.
    pub(super) fn reserve(&mut self, rate: Bitrate) {
        self.reserved = rate.bytes_per_micro();
    }

    /// What of this rate of the uplink is ours.
    fn ours(&self, rate: f64) -> f64 {
        (rate - self.reserved).max(LEAST)
    }

    /// The far end is one of the field's.
    pub(super) fn is_told_by_tens(&self) -> bool {
        self.pace == Pace::Tens
    }

    /// So many bytes are known to have arrived.
    pub(super) fn arrived(&mut self, now: Instant, bytes: f64) {
        match self.arrivals.back_mut() {
            // copies of one feedback message, and the list inside it
            Some((at, sum)) if now.since(*at) < Duration::from_millis(1) => *sum += bytes,
            _ => {
                if self.arrivals.len() == MOST_ARRIVALS {
                    self.arrivals.pop_front();
                }
                self.arrivals.push_back((now, bytes));
            }
        }
    }

    /// So many bytes sent at once took so long beyond the empty round trip, µs: quickly believed upwards, slowly down.
    pub(super) fn dispersed(&mut self, now: Instant, bytes: f64, took_us: f64) {
        self.measured = Some(now);
        // less is jitter
        let rate = bytes / took_us.max(2_000.0);
        self.rate += if rate > self.rate { 0.5 } else { 0.2 } * (rate - self.rate);
    }

    /// Nothing has shown for so long what the link carries.
    pub(super) fn is_stale(&self, now: Instant, age: Duration) -> bool {
        self.measured.is_none_or(|at| now.since(at) > age)
    }

    /// The scheduler would have sent more here, had the window been open.
    pub(super) fn was_limited(&mut self) {
        self.limited = true;
    }

    /// Nothing waits before the bottleneck, as far as known.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// Nothing has ever arrived.
    pub(super) fn is_unproven(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// When something last arrived.
    pub(super) fn last_arrival(&self) -> Option<Instant> {
        self.arrivals.back().map(|(at, _)| *at)
    }

    /// Time has passed: `busy` says whether the link has a queue, `queue_us` how long it was last seen.
    pub(super) fn tick(&mut self, now: Instant, dt: Duration, busy: bool, queue_us: f64, least_rtt_us: f64) {
        let dt_ms = dt.as_micros() as f64 / 1000.0;
        self.busy = if busy { Some(self.busy.unwrap_or(now)) } else { None };
        if queue_us > 30_000.0 {
            self.starting = false;
        }
        if busy {
            self.measured = Some(now);
        } else if self.pace == Pace::Each && self.is_stale(now, AGES) {
            self.starting = true;
        }
        let sample = match self.pace {
            Pace::Tens => self.sample(now, SPAN.max(Duration::from_micros((TURN_SHARE * least_rtt_us) as u64))),
            Pace::Each => self.sample_each(now),
        };
        // the bottleneck carried the other's as well
        let sample = sample.map(|sample| sample + self.reserved);
        if let Some(since) = self.busy {
            if let Some(sample) = sample.filter(|_| now.since(since) >= LEAST_SPAN) {
                self.rate += (GAIN * dt_ms / 10.0).min(1.0) * (sample - self.rate);
            }
        } else {
            if let Some(sample) = sample {
                self.rate = self.rate.max(sample);
            }
            if self.limited {
                let step = if self.starting || !self.cautious { 1.0 } else { CAUTIOUS };
                let tried = self.rate * (1.0 + step * dt_ms / (least_rtt_us / 1000.0 + 10.0));
                // each round trip shows whether the last step was carried: none goes far beyond what has arrived
                let shown = sample.map_or(RESTART, |sample| (TRIED * sample).max(RESTART));
                self.rate = self.rate.max(tried.min(shown));
            }
        }
        self.limited = false;
        self.rate = self.rate.max(LEAST);
        // what was only guessed is nothing to hold to
        let shown = sample.map_or(0.0, |sample| sample.min(self.rate));
        self.peak = if shown > self.peak {
            shown
        } else {
            self.peak + (DECAY * dt_ms / 10.0).min(1.0) * (self.rate.min(self.peak) - self.peak)
        };
    }

    /// Bytes per microsecond that arrived in the last `span`; a silence longer than the arrivals' own pace counts against it.
    fn sample(&self, now: Instant, span: Duration) -> Option<f64> {
        let (last, _) = *self.arrivals.back()?;
        let mut sum = 0.0;
        let mut start = None;
        // at least two whole intervals, or one arrival of ten would be taken for a rate
        for (count, (at, bytes)) in self.arrivals.iter().rev().enumerate() {
            if count >= 2 && now.since(*at) > span {
                start = Some(*at);
                break;
            }
            start = Some(*at);
            sum += bytes;
        }
        let start = start?;
        let oldest = self.arrivals.front().is_some_and(|(at, _)| *at == start);
        if oldest {
            // the first arrival ever has no beginning
            sum -= self.arrivals.front().map_or(0.0, |(_, bytes)| *bytes);
        }
        let took = last.since(start).as_micros() as f64;
        if took < 5_000.0 {
            return None;
        }
        let silent = now.since(start).as_micros() as f64;
        Some((sum / took).min((sum + 9.0 * FULL) / silent.max(1.0)))
    }

    /// Bytes per microsecond that arrived in the last 100 ms, or since the link is busy.
    fn sample_each(&self, now: Instant) -> Option<f64> {
        let span = self.busy.map_or(SPAN, |since| now.since(since).min(SPAN));
        if span < LEAST_SPAN {
            return None;
        }
        let recent = self.arrivals.iter().rev().take_while(|(at, _)| now.since(*at) < span);
        let sum: f64 = recent.map(|(_, bytes)| bytes).sum();
        Some(sum / span.as_micros() as f64)
    }

    /// Written off after a long silence: it begins again, small.
    pub(super) fn write_off(&mut self) {
        self.rate = self.rate.min(RETURNED);
        self.peak = self.rate;
        self.arrivals.clear();
        self.starting = true;
        self.busy = None;
    }

    /// Bytes per microsecond as measured.
    pub(super) fn rate(&self) -> f64 {
        self.ours(self.rate)
    }

    /// Bytes per microsecond to place packets by.
    pub(super) fn believed(&self) -> f64 {
        let whole =
            if self.is_busy() || self.without.has(Without::RESTART) { self.rate } else { self.rate.max(RESTART) };
        self.ours(whole)
    }

    /// The measured rate as a bitrate.
    pub(super) fn bitrate(&self) -> Bitrate {
        Bitrate::bps((self.rate() * 8e6) as u64)
    }

    /// Bytes that may be under way while the queue is let run empty, so that the least round trip shows again.
    pub(super) fn draining_window(&self, least_rtt_us: f64) -> f64 {
        (0.75 * self.rate() * least_rtt_us).max(self.floor())
    }

    /// Bytes that may be under way.
    pub(super) fn window(&self, least_rtt_us: f64, latency_us: f64, suspect: bool) -> f64 {
        if self.without.has(Without::WINDOW) {
            return f64::INFINITY;
        }
        let turn = least_rtt_us + FEEDBACK;
        let (rate, peak) = (self.rate(), self.ours(self.peak));
        let own = rate * (turn + STANDING);
        let window = if suspect || self.without.has(Without::PEAK) {
            own
        } else {
            own.max((peak * (turn + STANDING)).min(rate * (turn + AHEAD * latency_us)))
        };
        match self.pace {
            Pace::Tens => (window + UNTOLD_PACKETS * FULL).max(self.floor()),
            Pace::Each => window + self.floor(),
        }
    }

    fn floor(&self) -> f64 {
        match self.pace {
            Pace::Tens => FLOOR_PACKETS * FULL,
            Pace::Each => FLOOR_EACH * FULL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    const TICK: Duration = Duration::from_millis(10);

    #[test]
    fn a_busy_link_is_believed_what_arrives() {
        let mut capacity = Capacity::new(Pace::Tens);

        for n in 1..=200 {
            // ten packets each 20 ms: 5.4 Mbit/s
            if n % 2 == 0 {
                capacity.arrived(at(n * 10), 10.0 * FULL);
            }
            capacity.tick(at(n * 10), TICK, true, 50_000.0, 50_000.0);
        }

        let mbit = capacity.rate() * 8.0;
        assert!((5.0..6.0).contains(&mbit), "{mbit}");
    }

    #[test]
    fn what_is_told_of_before_its_ten_is_full_moves_the_rate_of_a_far_link_less() {
        let shown = |least_rtt_us: f64| {
            let mut capacity = Capacity::new(Pace::Tens);
            for n in 1..=200 {
                // ten packets each 30 ms, nine of each fourth ten a little sooner
                match n % 12 {
                    0 | 3 | 6 => capacity.arrived(at(n * 10), 10.0 * FULL),
                    7 => capacity.arrived(at(n * 10), 9.0 * FULL),
                    9 => capacity.arrived(at(n * 10), FULL),
                    _ => {}
                }
                capacity.tick(at(n * 10), TICK, n < 100, 50_000.0, least_rtt_us);
            }
            capacity.rate() / (10.0 * FULL / 30_000.0)
        };

        let (near, far) = (shown(50_000.0), shown(250_000.0));

        assert!(far < 1.1 && far < near - 0.02, "{far} of what it carries, {near} without a round trip");
    }

    #[test]
    fn silence_pulls_a_busy_link_down_and_an_idle_one_not() {
        let mut busy = Capacity::new(Pace::Tens);
        for n in 1..=100 {
            busy.arrived(at(n * 10), 5.0 * FULL);
            busy.tick(at(n * 10), TICK, true, 50_000.0, 50_000.0);
        }
        let mut idle = busy.clone();

        for n in 101..=130 {
            busy.tick(at(n * 10), TICK, true, 50_000.0, 50_000.0);
            idle.tick(at(n * 10), TICK, false, 0.0, 50_000.0);
        }

        assert!(busy.rate() < 0.6 * idle.rate(), "{} {}", busy.rate(), idle.rate());
    }

    #[test]
    fn a_rate_that_was_only_tried_does_not_hold_the_window_open() {
        let mut capacity = Capacity::new(Pace::Each);
        for n in 1..=100 {
            capacity.arrived(at(n * 10), 2.5 * FULL);
            capacity.was_limited();
            capacity.tick(at(n * 10), TICK, n > 90, 40_000.0, 50_000.0);
        }

        assert!(capacity.peak < 1.2 * 2.5 * FULL / 10_000.0, "{}", capacity.peak);
    }

    #[test]
    fn a_link_that_has_room_again_is_tried_with_twice_as_much_each_round_trip_unless_that_shows_too_late() {
        let grown = |cautious: bool| {
            let mut capacity = Capacity::new(Pace::Each);
            capacity.cautious = cautious;
            // it has shown a queue, and 2 Mbit/s
            for n in 1..=100 {
                capacity.arrived(at(n * 10), 2.0 * FULL);
                capacity.tick(at(n * 10), TICK, true, 50_000.0, 50_000.0);
            }
            let before = capacity.rate();
            // one round trip of 50 ms and its feedback
            for n in 101..=106 {
                capacity.arrived(at(n * 10), 2.0 * FULL);
                capacity.was_limited();
                capacity.tick(at(n * 10), TICK, false, 0.0, 50_000.0);
            }
            capacity.rate() / before
        };

        let (bold, cautious) = (grown(false), grown(true));

        assert!((1.9..=2.1).contains(&bold), "{bold}");
        assert!((1.2..=1.35).contains(&cautious), "{cautious}");
    }

    #[test]
    fn the_window_never_falls_below_what_the_far_end_acknowledges_at_once() {
        let mut capacity = Capacity::new(Pace::Tens);

        capacity.write_off();

        assert!(capacity.window(5_000.0, 1e6, true) >= 12.0 * FULL);
    }
}
