//! Score: what a run was worth, as one line.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::world::Carried;
use crate::time::Instant;
use crate::units::Bitrate;

/// The result of one scenario, with the keys that `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The scenario's name.
    pub name: String,
    /// The run's seed.
    pub seed: u64,
    /// The source's rate, payload bits.
    pub offered_mbit: f64,
    /// Scored payloads that arrived, late ones among them.
    pub delivered: u64,
    /// Payloads that arrived after L.
    pub late: u64,
    /// Payloads that never arrived.
    pub lost: u64,
    /// From generation to arrival, half of the payloads sooner.
    pub p50_ms: f64,
    /// Of a hundred payloads one took longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Payloads in time leave the receiver L after generation: the longest time between two of them.
    pub longest_gap_ms: f64,
    /// IP bytes on all links towards the receiver per payload byte scored, less one.
    pub overhead: f64,
    /// IP bytes sent per byte of the datagrams of the scored payloads with their headers, less one: repairs, copies,
    /// parity, keepalives.
    pub redundancy: f64,
    /// Share of the IP bytes sent that metered links carried.
    pub metered_share: f64,
    /// The same of the bytes of both directions together.
    pub metered_share_both: f64,
    /// The queue before a link's bottleneck, in time at its mean rate: 95 of a hundred packets found no more, on the
    /// worst link.
    pub queue_p95_ms: f64,
    /// The highest rate at which a scheduler that knows the future delivers 99.99 % in time.
    pub oracle_mbit: Option<f64>,
}

pub(super) fn rounded(value: f64, places: i32) -> f64 {
    let unit = 10_f64.powi(places);
    (value * unit).round() / unit
}

fn ms(span: Duration) -> f64 {
    rounded(span.as_micros() as f64 / 1000.0, 3)
}

/// What a world has counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    /// For each payload when it was made and when it first arrived.
    pub(super) payloads: Vec<(Instant, Option<Instant>)>,
    pub(super) there: Carried,
    pub(super) back: Carried,
    /// IP bytes of one payload's datagram.
    pub(super) packet: usize,
    pub(super) queue_p95: Duration,
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / (whole as f64).max(1.0)
}

impl Score {
    pub(super) fn of(
        name: &str,
        seed: u64,
        offered_mbit: f64,
        latency: Duration,
        payload_bytes: usize,
        counted: &Counted,
    ) -> Self {
        let mut delays: Vec<Duration> =
            counted.payloads.iter().filter_map(|(made, came)| came.map(|came| came - *made)).collect();
        delays.sort_unstable();
        let at = |share: f64| {
            let last = delays.len().saturating_sub(1);
            delays.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
        };
        let in_time = counted.payloads.iter().filter(|(made, came)| came.is_some_and(|came| came - *made <= latency));
        let mut longest = Duration::ZERO;
        let mut last = counted.payloads.first().map(|(made, _)| *made);
        for made in in_time.map(|(made, _)| *made).chain(counted.payloads.last().map(|(made, _)| *made)) {
            longest = longest.max(last.map_or(Duration::ZERO, |last| made - last));
            last = Some(made);
        }
        let count = counted.payloads.len() as u64;
        let Carried { all, metered } = counted.there;
        Self {
            name: name.to_owned(),
            seed,
            offered_mbit: rounded(offered_mbit, 4),
            delivered: delays.len() as u64,
            late: delays.iter().filter(|delay| **delay > latency).count() as u64,
            lost: (counted.payloads.len() - delays.len()) as u64,
            p50_ms: ms(at(0.5)),
            p99_ms: ms(at(0.99)),
            max_ms: ms(at(1.0)),
            longest_gap_ms: ms(longest),
            overhead: rounded(share(all, count * payload_bytes as u64) - 1.0, 4),
            redundancy: rounded(share(all, count * counted.packet as u64) - 1.0, 4),
            metered_share: rounded(share(metered, all), 4),
            metered_share_both: rounded(share(metered + counted.back.metered, all + counted.back.all), 4),
            queue_p95_ms: ms(counted.queue_p95),
            oracle_mbit: None,
        }
    }

    /// The same, with the oracle's rate.
    #[must_use]
    pub fn beside(mut self, oracle: Bitrate) -> Self {
        self.oracle_mbit = Some(rounded(oracle.as_mbps(), 3));
        self
    }

    /// Payloads that were not there in time.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.late + self.lost
    }

    /// 99.99 % in time.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let scored = self.delivered + self.lost;
        scored > 0 && self.bad() * 10_000 <= scored
    }

    /// The head of [`Score::row`].
    #[must_use]
    pub fn head() -> String {
        format!(
            "{:<12} {:>4} {:>8} {:>9} {:>6} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7}",
            "name",
            "seed",
            "Mbit/s",
            "delivered",
            "late",
            "lost",
            "p50 ms",
            "p99 ms",
            "max ms",
            "gap ms",
            "queue ms",
            "overhead",
            "metered",
            "oracle"
        )
    }

    /// One line of a table.
    #[must_use]
    pub fn row(&self) -> String {
        let mut row = format!(
            "{:<12} {:>4} {:>8.2} {:>9} {:>6} {:>6} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>8.0} {:>7.2}% {:>6.2}%",
            self.name,
            self.seed,
            self.offered_mbit,
            self.delivered,
            self.late,
            self.lost,
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.longest_gap_ms,
            self.queue_p95_ms,
            self.overhead * 100.0,
            self.metered_share * 100.0
        );
        let _ = match self.oracle_mbit {
            Some(oracle) => write!(row, " {oracle:>7.2}"),
            None => write!(row, " {:>7}", "-"),
        };
        row
    }
}
