//! Evidence: many small signs of a fault, gathered until they prove it.

use super::findings::{Fault, Finding};
use crate::time::{Duration, Instant};

/// What a tenth of a second shows of a fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sign {
    /// So strongly for it; 1 is a whole tenth.
    For(f64),
    /// Against it.
    Against,
    /// Nothing; a pause proves neither.
    Nothing,
}

/// Signs of one fault, weighed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    fault: Fault,
    need: f64,
    /// How much of the score a tenth without a sign takes away.
    fade: f64,
    /// Tenths against it until it is gone.
    calm_for: u32,
    score: f64,
    calm: u32,
    first: Option<Instant>,
    proven: bool,
}

impl Evidence {
    /// Proven by signs worth `need`; forgotten after so many tenths against it.
    pub(super) const fn new(fault: Fault, need: f64, fade: f64, calm_for: u32) -> Self {
        Self { fault, need, fade, calm_for, score: 0.0, calm: 0, first: None, proven: false }
    }

    /// Weighs what the tenth that began at `at` showed.
    pub(super) fn weigh(&mut self, at: Instant, sign: Sign) {
        match sign {
            Sign::For(weight) => {
                self.first.get_or_insert(at);
                self.score = (self.score + weight).min(2.0 * self.need);
                self.calm = 0;
                self.proven |= self.score >= self.need;
            }
            Sign::Against => {
                self.calm += 1;
                if !self.proven {
                    self.score -= 1.0;
                } else if self.calm >= self.calm_for {
                    self.score = 0.0;
                }
            }
            Sign::Nothing => self.score -= self.fade,
        }
        if self.score <= 0.0 {
            (self.score, self.first, self.proven, self.calm) = (0.0, None, false, 0);
        }
    }

    /// True if no sign of it is left.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The finding, if it is proven.
    pub(super) fn finding(&self) -> Option<Finding> {
        let sure = Finding::PROVEN + (1.0 - Finding::PROVEN) * (self.score / self.need - 1.0).clamp(0.0, 1.0);
        self.proven.then(|| Finding { fault: self.fault, since: self.first.unwrap_or(Instant::ZERO), confidence: sure })
    }
}

/// A tenth of a second: what evidence is counted in.
pub(super) const TENTH: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tenth: u64) -> Instant {
        Instant::from_millis(tenth * 100)
    }

    #[test]
    fn a_fault_is_proven_by_enough_signs_and_dated_to_the_first() {
        let mut evidence = Evidence::new(Fault::Hum, 5.0, 0.0, 10);
        for n in 0..4 {
            evidence.weigh(at(n), Sign::For(1.0));
        }
        assert_eq!(evidence.finding(), None);
        evidence.weigh(at(4), Sign::Nothing);
        evidence.weigh(at(5), Sign::For(1.0));

        let finding = evidence.finding().expect("five signs");
        assert_eq!((finding.since, finding.confidence), (at(0), Finding::PROVEN));
        for n in 6..15 {
            evidence.weigh(at(n), Sign::Against);
            assert!(evidence.finding().is_some());
        }
        evidence.weigh(at(15), Sign::Against);
        assert_eq!(evidence.finding(), None);
    }

    #[test]
    fn signs_that_come_too_seldom_fade_and_prove_nothing() {
        let mut evidence = Evidence::new(Fault::Clipping, 3.0, 0.1, 10);
        for n in 0..10_000 {
            evidence.weigh(at(n), if n % 20 == 0 { Sign::For(1.0) } else { Sign::Nothing });
            assert_eq!(evidence.finding(), None);
        }
    }
}
