//! How long to wait before the broker is tried again: from 1 to 30 seconds, never in step with others.

use std::time::Duration;

use crate::rng::Rng;

/// The first pause: a broker that restarts is back within a second or two.
const LEAST: Duration = Duration::from_secs(1);

/// The longest pause: short enough that staff see a box within half a minute of the line's return.
const MOST: Duration = Duration::from_secs(30);

/// Growing pauses.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    rng: Rng,
}

impl Backoff {
    /// The first pause is the shortest.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self { next: LEAST, rng }
    }

    /// The pause now, between half and the whole of a span that doubles each time; at least a second.
    pub fn pause(&mut self) -> Duration {
        let span = self.next;
        self.next = (span * 2).min(MOST);
        span.mul_f64(0.5 + 0.5 * self.rng.unit()).max(LEAST)
    }

    /// The broker accepted us.
    pub fn reset(&mut self) {
        self.next = LEAST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_one_second_to_thirty_and_two_boxes_fall_out_of_step() {
        let mut a = Backoff::new(Rng::simulated(1));
        let mut b = Backoff::new(Rng::simulated(2));

        let (a, b): (Vec<_>, Vec<_>) = (0..50).map(|_| (a.pause(), b.pause())).unzip();

        assert!(a.iter().all(|p| (LEAST..=MOST).contains(p)));
        assert_eq!(a[0], LEAST);
        assert!(a[49] > Duration::from_secs(15));
        assert_ne!(a[10..], b[10..]);
    }
}
