//! Round trip: smooth, its unsteadiness, and the least of the last seconds.

use std::time::Duration;

use crate::time::Instant;

/// The least round trip is kept over two of these, so that a new route shows after 5 to 10 s.
const BUCKET: Duration = Duration::from_secs(5);
/// So near the least (µs), nothing waited on the way.
const EMPTY: f64 = 5_000.0;
/// Before anything is measured: a modem far away, so that nothing is called late too soon.
const UNKNOWN: Duration = Duration::from_millis(100);

/// What is known of one link's round trip.
#[derive(Debug, Clone)]
pub(super) struct Rtt {
    smooth: Option<f64>,
    latest: f64,
    jitter: f64,
    buckets: [f64; 2],
    bucket_from: Instant,
    /// When a sample last came near the least.
    seen_empty: Instant,
}

impl Rtt {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            smooth: None,
            latest: 0.0,
            jitter: 3_000.0,
            buckets: [f64::INFINITY; 2],
            bucket_from: now,
            seen_empty: now,
        }
    }

    /// A packet sent `sample` ago has been answered.
    pub(super) fn take(&mut self, now: Instant, sample: Duration) {
        if self.smooth.is_some() {
            self.jolt((sample.as_micros() as f64 - self.latest).abs());
        }
        self.take_steady(now, sample);
    }

    /// The same, where the unsteadiness is measured otherwise.
    pub(super) fn take_steady(&mut self, now: Instant, sample: Duration) {
        let sample = sample.as_micros() as f64;
        if now.since(self.bucket_from) >= BUCKET {
            self.bucket_from = now;
            self.buckets = [sample, self.buckets[0]];
        }
        self.buckets[0] = self.buckets[0].min(sample);
        if sample <= self.least_us() + EMPTY {
            self.seen_empty = now;
        }
        match &mut self.smooth {
            Some(smooth) => *smooth += 0.125 * (sample - *smooth),
            None => self.smooth = Some(sample),
        }
        self.latest = sample;
    }

    /// Two datagrams in a row differed by so much, µs.
    pub(super) fn jolt(&mut self, by: f64) {
        self.jitter += 0.05 * (by - self.jitter);
    }

    /// How long no packet has found the way empty: longer than a bucket, and the least would be forgotten.
    pub(super) fn since_empty(&self, now: Instant) -> Duration {
        now.since(self.seen_empty)
    }

    /// Smoothed, once measured.
    pub(super) fn smooth(&self) -> Option<Duration> {
        self.smooth.map(|micros| Duration::from_micros(micros as u64))
    }

    /// The least of the last seconds, once measured.
    pub(super) fn least(&self) -> Option<Duration> {
        let least = self.buckets[0].min(self.buckets[1]);
        least.is_finite().then(|| Duration::from_micros(least as u64))
    }

    /// Least, microseconds; a guess before anything is measured.
    pub(super) fn least_us(&self) -> f64 {
        let least = self.buckets[0].min(self.buckets[1]);
        if least.is_finite() { least } else { UNKNOWN.as_micros() as f64 }
    }

    /// The latest sample, microseconds; a guess before anything is measured.
    pub(super) fn latest_us(&self) -> f64 {
        if self.smooth.is_some() { self.latest } else { UNKNOWN.as_micros() as f64 }
    }

    /// How much two samples in a row differ, microseconds.
    pub(super) fn jitter_us(&self) -> f64 {
        self.jitter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_round_trip_is_forgotten_after_two_buckets() {
        let at = |s: u64| Instant::from_millis(s * 1000);
        let mut rtt = Rtt::new(at(0));

        rtt.take(at(1), Duration::from_millis(20));
        rtt.take(at(6), Duration::from_millis(60));
        assert_eq!(rtt.least(), Some(Duration::from_millis(20)));
        rtt.take(at(12), Duration::from_millis(70));

        assert_eq!(rtt.least(), Some(Duration::from_millis(60)));
    }
}
