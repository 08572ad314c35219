//! Randomness from a seed: ChaCha20 with 256 bits, so that one seed gives one run.
//!
//! `cmd` seeds from the operating system, `sim` from the scenario. No key is ever drawn from less.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Rng(ChaCha20Rng);

impl Rng {
    /// A generator from 256 bits that the operating system gave.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A generator for simulations, where a short number names the run.
    #[must_use]
    pub fn simulated(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// An independent generator split off this one.
    #[must_use]
    pub fn split(&mut self) -> Self {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        Self::from_seed(seed)
    }

    /// Any 64-bit number.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Evenly in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && self.unit() < p
    }

    /// Exponential with the given mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_stream_of_numbers() {
        let (mut a, mut b) = (Rng::simulated(7), Rng::simulated(7));

        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Rng::simulated(8).next_u64(), Rng::simulated(7).next_u64());
    }

    #[test]
    fn the_exponential_has_its_mean() {
        let mut rng = Rng::simulated(1);

        let mean = (0..20_000).map(|_| rng.exponential(3.0)).sum::<f64>() / 20_000.0;

        assert!((mean - 3.0).abs() < 0.1, "mean {mean}");
    }
}
