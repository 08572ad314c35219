//! Netem: one link in one direction, as a machine that is told the time.
//!
//! ```text
//! handle_packet ─► queue (drop-tail) ─► bottleneck (rate or trace) ─► loss ─► delay + jitter ─► poll_packet
//! ```
//!
//! Give both directions of a link clones of one generator: then the periods of loss and of little
//! room fall on the same moments in both.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::scenario::{LinkScenario, Span, Supply};
use super::trace::Trace;
use crate::rng::Rng;
use crate::time::Instant;

/// Bytes of IP and UDP around a payload: the bottleneck carries them too.
pub const IP_UDP: usize = 28;
/// However short the queue is in time, this much fits.
const LEAST_QUEUE: f64 = 30_000.0;
/// What a frozen way back holds at most: nobody answers so much, but memory must end somewhere.
const MOST_RETURN: f64 = 16e6;
/// A longer queue is counted as this.
const MOST_FOUND_MS: usize = 10_000;
/// An exponential has no end; a radio's retries have.
const MOST_JITTER: Duration = Duration::from_millis(100);

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the sender to the receiver, through the bottleneck.
    Forward,
    /// Back; without a bottleneck.
    Return,
}

/// What became of the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Taken in.
    pub taken: u64,
    /// Given out.
    pub given: u64,
    /// Lost behind the bottleneck.
    pub lost: u64,
    /// Dropped because the queue was full.
    pub overflowed: u64,
    /// Swallowed by an outage.
    pub blackholed: u64,
}

/// One link in one direction.
#[derive(Debug)]
pub struct Netem {
    bottleneck: Option<Bottleneck>,
    limit: f64,
    delay: Duration,
    jitter: f64,
    loss: f64,
    bursts: Periods,
    burst_loss: f64,
    outages: Vec<Span>,
    freezes: Vec<Span>,
    rng: Rng,
    queue: VecDeque<Bytes>,
    queued: f64,
    /// When the packet at the head began to be served.
    head_from: Instant,
    /// When it will have been served; computed once.
    head_done: Option<Instant>,
    pipe: VecDeque<(Instant, Bytes)>,
    last_delivery: Instant,
    counts: Counts,
    /// How many packets found so many milliseconds before them, at the mean rate.
    found: Vec<u32>,
    mean_rate: f64,
}

impl Netem {
    /// A link's direction at rest. `seed_shift` is how much later than written a trace starts
    /// (the scenario's `seed_shift` times the seed).
    #[must_use]
    pub fn new(link: &LinkScenario, direction: Direction, seed_shift: Duration, mut rng: Rng) -> Self {
        let Weather { bursts, fades } = Weather::new(link, &mut rng);
        let mut own = rng.split();
        if direction == Direction::Return {
            own = rng.split();
        }
        let factor = link.fade.map_or(1.0, |fade| fade.factor);
        let mut outages: Vec<Span> = link.down.iter().chain(&link.carrier).copied().collect();
        outages.sort_by_key(|span| span.from);
        Self {
            bottleneck: (direction == Direction::Forward)
                .then(|| Bottleneck::new(&link.supply, seed_shift, fades, factor)),
            limit: match direction {
                Direction::Forward => (link.queue.as_micros() as f64 * link.mean_rate()).max(LEAST_QUEUE),
                Direction::Return => MOST_RETURN,
            },
            delay: if direction == Direction::Forward { link.delay } else { link.return_delay },
            jitter: link.jitter.as_micros() as f64,
            loss: link.loss,
            bursts,
            burst_loss: link.burst.map_or(0.0, |burst| burst.loss),
            outages,
            freezes: link.freeze.clone(),
            rng: own,
            queue: VecDeque::new(),
            queued: 0.0,
            head_from: Instant::ZERO,
            head_done: None,
            pipe: VecDeque::new(),
            last_delivery: Instant::ZERO,
            counts: Counts::default(),
            found: Vec::new(),
            mean_rate: link.mean_rate(),
        }
    }

    /// A UDP payload enters.
    pub fn handle_packet(&mut self, now: Instant, payload: Bytes) {
        self.advance(now);
        self.counts.taken += 1;
        if self.outages.iter().any(|span| span.holds(now)) {
            self.counts.blackholed += 1;
            return;
        }
        let size = (payload.len() + IP_UDP) as f64;
        if self.queued + size > self.limit {
            self.counts.overflowed += 1;
            return;
        }
        self.note_queue();
        if self.queue.is_empty() {
            self.head_from = self.head_from.max(now);
        }
        self.queue.push_back(payload);
        self.queued += size;
        self.advance(now);
    }

    /// The next UDP payload that has arrived by `now`.
    pub fn poll_packet(&mut self, now: Instant) -> Option<Bytes> {
        self.poll_arrival(now).map(|(_, payload)| payload)
    }

    /// The same, and when it arrived: whoever asks late knows how late.
    pub fn poll_arrival(&mut self, now: Instant) -> Option<(Instant, Bytes)> {
        self.advance(now);
        let arrived = self.pipe.pop_front_if(|(at, _)| *at <= now)?;
        self.counts.given += 1;
        Some(arrived)
    }

    /// When to poll again, if nothing enters before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let arrives = self.pipe.front().map(|(at, _)| *at);
        match (arrives, self.head_done) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn note_queue(&mut self) {
        let ms = ((self.queued / self.mean_rate / 1000.0) as usize).min(MOST_FOUND_MS);
        if self.found.len() <= ms {
            self.found.resize(ms + 1, 0);
        }
        self.found[ms] += 1;
    }

    /// How much of a queue the packets found before them, in time at the link's mean rate as `queue` is written:
    /// 95 of a hundred found no more; whole milliseconds, zero if none came.
    #[must_use]
    pub fn queue_p95(&self) -> Duration {
        let all: u64 = self.found.iter().map(|count| u64::from(*count)).sum();
        let mut sum = 0;
        let at = self.found.iter().position(|count| {
            sum += u64::from(*count);
            sum * 100 >= all * 95
        });
        Duration::from_millis(at.unwrap_or(0) as u64)
    }

    /// IP bytes waiting before the bottleneck.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.queued as u64
    }

    /// Serves the queue up to `now`.
    fn advance(&mut self, now: Instant) {
        while let Some(head) = self.queue.front() {
            let size = (head.len() + IP_UDP) as f64;
            let done = match self.head_done {
                Some(done) => done,
                None => {
                    let done = match &mut self.bottleneck {
                        Some(bottleneck) => bottleneck.serve(self.head_from, size, &self.freezes),
                        None => after_freeze(self.head_from, &self.freezes),
                    };
                    self.head_done = Some(done);
                    done
                }
            };
            let from = self.head_from;
            let outage = self.outages.iter().find(|span| span.from > from && span.from <= done);
            if let Some(cut) = outage.map(|span| span.from) {
                if cut > now {
                    return;
                }
                self.counts.blackholed += self.queue.len() as u64;
                self.queue.clear();
                self.queued = 0.0;
                self.head_from = cut;
                self.head_done = None;
                return;
            }
            if done > now {
                return;
            }
            self.leave(done, size);
        }
    }

    /// The head has passed the bottleneck at `done`.
    fn leave(&mut self, done: Instant, size: f64) {
        let Some(payload) = self.queue.pop_front() else { return };
        self.queued -= size;
        self.head_from = done;
        self.head_done = None;
        let loss = if self.bursts.holds(done) { self.burst_loss.max(self.loss) } else { self.loss };
        if self.rng.chance(loss) {
            self.counts.lost += 1;
            return;
        }
        let mut arrives = done + self.delay;
        if self.jitter > 0.0 {
            let micros = self.rng.exponential(self.jitter);
            arrives += Duration::from_micros(micros as u64).min(MOST_JITTER);
        }
        self.last_delivery = self.last_delivery.max(arrives);
        self.pipe.push_back((self.last_delivery, payload));
    }
}

fn after_freeze(at: Instant, freezes: &[Span]) -> Instant {
    match freezes.iter().find(|span| span.holds(at)) {
        Some(span) => span.to.unwrap_or(Instant::from_micros(u64::MAX)),
        None => at,
    }
}

/// The server that empties the queue; asked for ever later moments.
#[derive(Debug)]
struct Bottleneck {
    kind: Kind,
    fades: Periods,
    factor: f64,
}

#[derive(Debug)]
enum Kind {
    Rate(f64),
    Trace {
        trace: Arc<Trace>,
        start_ms: u64,
        bytes: f64,
        /// The opportunity that is being used, and what it still gives.
        number: u64,
        left: f64,
    },
}

impl Bottleneck {
    fn new(supply: &Supply, seed_shift: Duration, fades: Periods, factor: f64) -> Self {
        let kind = match supply {
            Supply::Rate(rate) => Kind::Rate(rate.bytes_per_micro()),
            Supply::Trace { trace, offset, scale } => {
                let start_ms = (*offset + seed_shift).as_millis() as u64;
                let number = trace.first_from(start_ms);
                Kind::Trace { trace: Arc::clone(trace), start_ms, bytes: 1500.0 * scale, number, left: 0.0 }
            }
        };
        Self { kind, fades, factor }
    }

    /// When `size` bytes that begin to be served at `from` have passed.
    fn serve(&mut self, from: Instant, size: f64, freezes: &[Span]) -> Instant {
        let Self { kind, fades, factor } = self;
        match kind {
            Kind::Rate(rate) => serve_by_rate(*rate, from, size, freezes, fades, *factor),
            Kind::Trace { trace, start_ms, bytes, number, left } => {
                let mut need = size;
                let wanted = trace.first_from(*start_ms + from.as_micros().div_ceil(1000));
                // an opportunity of the very millisecond that `from` lies in may still be half used
                let current = Instant::from_millis(trace.time_ms(number.saturating_sub(1)).saturating_sub(*start_ms));
                if *left > 0.0 && *number > 0 && current >= from {
                    let used = need.min(*left);
                    need -= used;
                    *left -= used;
                    if need <= 0.0 {
                        return current.max(from);
                    }
                } else if wanted > *number {
                    *number = wanted;
                }
                // a factor of zero for ever would be no end: a day of nothing is an end
                let mut at = from;
                while at < from + Duration::from_secs(86_400) {
                    at = Instant::from_millis(trace.time_ms(*number).saturating_sub(*start_ms));
                    *number += 1;
                    *left = 0.0;
                    if freezes.iter().any(|span| span.holds(at)) {
                        continue;
                    }
                    let gives = if fades.holds(at) { *bytes * *factor } else { *bytes };
                    if gives >= need {
                        *left = gives - need;
                        return at.max(from);
                    }
                    need -= gives;
                }
                at
            }
        }
    }
}

fn serve_by_rate(rate: f64, from: Instant, size: f64, freezes: &[Span], fades: &mut Periods, factor: f64) -> Instant {
    let (mut at, mut need) = (from, size);
    let end = from + Duration::from_secs(86_400);
    while at < end {
        at = after_freeze(at, freezes);
        let fading = fades.holds(at);
        let now = if fading { rate * factor } else { rate };
        let edge = freezes.iter().map(|span| span.from).filter(|edge| *edge > at).fold(fades.edge(at), Instant::min);
        let room = edge.since(at).as_micros() as f64 * now;
        if room >= need {
            return at + Duration::from_micros((need / now).round() as u64);
        }
        need -= room;
        at = edge;
    }
    end
}

/// The random periods of a link, the same in both directions and for the oracle.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) bursts: Periods,
    pub(super) fades: Periods,
}

impl Weather {
    pub(super) fn new(link: &LinkScenario, rng: &mut Rng) -> Self {
        let bursts = link.burst.map_or_else(Periods::none, |burst| {
            Periods::new(Duration::ZERO, burst.gap_mean, Duration::ZERO, burst.length_mean, rng.split())
        });
        let fades = link.fade.map_or_else(Periods::none, |fade| {
            Periods::new(fade.gap_min, fade.gap_mean, fade.length_min, fade.length_mean, rng.split())
        });
        Self { bursts, fades }
    }
}

/// Periods at random: gap, length, gap, length; made as far as they are asked for.
#[derive(Debug)]
pub(super) struct Periods {
    gap: (f64, f64),
    length: (f64, f64),
    rng: Option<Rng>,
    from: Instant,
    to: Instant,
}

impl Periods {
    fn none() -> Self {
        let never = Instant::from_micros(u64::MAX);
        Self { gap: (0.0, 0.0), length: (0.0, 0.0), rng: None, from: never, to: never }
    }

    pub(super) fn new(
        gap_min: Duration,
        gap_mean: Duration,
        length_min: Duration,
        length_mean: Duration,
        rng: Rng,
    ) -> Self {
        let micros = |span: Duration| span.as_micros() as f64;
        let mut periods = Self {
            gap: (micros(gap_min), micros(gap_mean)),
            length: (micros(length_min), micros(length_mean.saturating_sub(length_min))),
            rng: Some(rng),
            from: Instant::ZERO,
            to: Instant::ZERO,
        };
        periods.turn();
        periods
    }

    fn turn(&mut self) {
        let Some(rng) = &mut self.rng else { return };
        let gap = self.gap.0 + rng.exponential(self.gap.1);
        let length = self.length.0 + rng.exponential(self.length.1);
        // at least a microsecond, or time would not pass
        self.from = self.to + Duration::from_micros(gap as u64 + 1);
        self.to = self.from + Duration::from_micros(length as u64 + 1);
    }

    /// True if `at` lies in a period; `at` may not go back by more than one period.
    pub(super) fn holds(&mut self, at: Instant) -> bool {
        while self.to <= at && self.rng.is_some() {
            self.turn();
        }
        at >= self.from && at < self.to
    }

    /// The next edge after `at`.
    fn edge(&mut self, at: Instant) -> Instant {
        if self.holds(at) { self.to } else { self.from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Scenario;

    fn link(keys: &str) -> LinkScenario {
        let text = format!("name = \"n\"\nduration = \"60s\"\n[[link]]\nname = \"l\"\n{keys}\n");
        let mut scenario =
            Scenario::parse("n.toml", &text, &mut |_| Ok("10\n20\n30\n30\n40\n".to_owned())).expect("a good scenario");
        scenario.links.remove(0)
    }

    fn netem(keys: &str) -> Netem {
        Netem::new(&link(keys), Direction::Forward, Duration::ZERO, Rng::simulated(1))
    }

    fn packet(len: usize) -> Bytes {
        Bytes::from(vec![0; len - IP_UDP])
    }

    fn arrivals(netem: &mut Netem, until_ms: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(at) = netem.next_timeout().filter(|at| *at <= Instant::from_millis(until_ms)) {
            while netem.poll_packet(at).is_some() {
                times.push(at.as_micros());
            }
        }
        times
    }

    #[test]
    fn a_constant_link_spaces_packets_by_its_rate() {
        let mut netem = netem("rate = \"8Mbps\"\ndelay = \"10ms\"");

        for _ in 0..3 {
            netem.handle_packet(Instant::from_millis(1), packet(1000));
        }

        assert_eq!(arrivals(&mut netem, 1000), [12_000, 13_000, 14_000]);
    }

    #[test]
    fn a_full_queue_drops_and_thirty_kilobytes_always_fit() {
        let mut netem = netem("rate = \"80kbps\"\ndelay = \"1ms\"\nqueue = \"1ms\"");

        for _ in 0..40 {
            netem.handle_packet(Instant::ZERO, packet(1000));
        }

        assert_eq!(netem.counts().overflowed, 10);
    }

    #[test]
    fn an_outage_swallows_what_is_queued_and_sent_but_not_what_has_left() {
        let mut netem = netem("rate = \"8Mbps\"\ndelay = \"10ms\"\ndown = [[\"5ms\", \"20ms\"]]");

        for _ in 0..10 {
            netem.handle_packet(Instant::ZERO, packet(1000));
        }
        netem.handle_packet(Instant::from_millis(7), packet(1000));
        netem.handle_packet(Instant::from_millis(20), packet(1000));

        assert_eq!(arrivals(&mut netem, 1000), [11_000, 12_000, 13_000, 14_000, 31_000]);
        assert_eq!(netem.counts().blackholed, 7);
    }

    #[test]
    fn a_freeze_holds_the_queue() {
        let mut netem = netem("rate = \"8Mbps\"\ndelay = \"1ms\"\nfreeze = [[\"1500us\", \"10ms\"]]");

        for _ in 0..3 {
            netem.handle_packet(Instant::ZERO, packet(1000));
        }

        assert_eq!(arrivals(&mut netem, 1000), [2_000, 11_500, 12_500]);
    }

    #[test]
    fn the_queue_that_packets_find_is_measured() {
        let mut netem = netem("rate = \"8Mbps\"\ndelay = \"30ms\"\nqueue = \"60s\"");

        for _ in 0..100 {
            netem.handle_packet(Instant::ZERO, packet(1000));
        }
        arrivals(&mut netem, 1000);

        assert_eq!(netem.queue_p95(), Duration::from_millis(94));
    }

    #[test]
    fn a_trace_gives_its_bytes_at_its_stamps() {
        let mut netem = netem("trace = \"t\"\ndelay = \"1ms\"\nscale = 0.5");

        for _ in 0..4 {
            netem.handle_packet(Instant::ZERO, packet(500));
        }
        netem.handle_packet(Instant::ZERO, packet(1500));

        // 750 bytes each at 10, 20, 30, 30, 40 ms
        assert_eq!(arrivals(&mut netem, 1000), [11_000, 21_000, 21_000, 31_000, 41_000]);
    }

    #[test]
    fn jitter_never_changes_the_order_and_loss_has_its_share() {
        let mut netem = netem("rate = \"80Mbps\"\ndelay = \"10ms\"\njitter = \"5ms\"\nloss = 0.1\nqueue = \"60s\"");

        for n in 0..10_000_u32 {
            let mut payload = vec![0; 100];
            payload[..4].copy_from_slice(&n.to_be_bytes());
            netem.handle_packet(Instant::from_micros(u64::from(n) * 100), payload.into());
        }
        let mut last = None;
        while let Some(at) = netem.next_timeout() {
            while let Some(payload) = netem.poll_packet(at) {
                let n = u32::from_be_bytes(payload[..4].try_into().expect("four bytes"));
                assert!(last < Some(n));
                last = Some(n);
            }
        }

        let lost = netem.counts().lost;
        assert!((900..1100).contains(&lost), "{lost}");
    }

    #[test]
    fn a_fade_leaves_its_share_of_the_rate() {
        let mut netem = netem(
            "rate = \"8Mbps\"\ndelay = \"0ms\"\nqueue = \"60s\"\n\
             fade = { gap_mean = \"100ms\", length_mean = \"100ms\", factor = 0.0 }",
        );

        for _ in 0..20_000 {
            netem.handle_packet(Instant::ZERO, packet(1000));
        }

        let came = arrivals(&mut netem, 20_000).len();
        assert!((8_000..12_000).contains(&came), "{came}");
    }

    #[test]
    fn the_way_back_has_no_bottleneck() {
        let link = link("rate = \"80kbps\"\ndelay = \"1ms\"\nreturn_delay = \"7ms\"");
        let mut netem = Netem::new(&link, Direction::Return, Duration::ZERO, Rng::simulated(1));

        for _ in 0..100 {
            netem.handle_packet(Instant::ZERO, packet(1000));
        }

        assert_eq!(arrivals(&mut netem, 7).len(), 100);
    }
}
