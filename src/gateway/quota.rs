//! Quota: how often one address may make the gateway think hard, in a table that never grows.
//!
//! Looking a group up by its name, or answering a handshake, costs thousands of times what dropping
//! a datagram costs. Each address has a bucket of such questions that fills up again; addresses share
//! buckets by a hash that nobody outside can know, so that a flood spoils one bucket in a thousand.

use std::net::{IpAddr, SocketAddr};

use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// Buckets; 16 KiB.
const BUCKETS: usize = 1024;
/// Questions at once: sixteen links of a box, each asked twice, behind one address.
const MOST: u32 = 32;
/// A question comes back after so long: a box asks every second or less, and a hall full of them
/// behind one address still finds its turn.
const REFILL: Duration = Duration::from_millis(20);

/// One address, or several that share its place.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When it will be full again.
    full_at: Instant,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Quota {
    secret: [u64; 2],
    buckets: Box<[Bucket]>,
}

impl Quota {
    pub(super) fn new(now: Instant, rng: &mut Rng) -> Self {
        let buckets = vec![Bucket { full_at: now }; BUCKETS].into_boxed_slice();
        Self { secret: [rng.next_u64() | 1, rng.next_u64()], buckets }
    }

    /// Takes one question of this address's; false if it has none left.
    pub(super) fn take(&mut self, now: Instant, from: SocketAddr) -> bool {
        let bucket = &mut self.buckets[place(self.secret, from.ip())];
        let full_at = bucket.full_at.max(now) + REFILL;
        if full_at > now + REFILL * MOST {
            return false;
        }
        bucket.full_at = full_at;
        true
    }
}

/// The bucket of an address. Of IPv6 the network counts: a host there has as many addresses as it likes.
fn place([factor, start]: [u64; 2], address: IpAddr) -> usize {
    let number = match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    };
    let mut hash = (number ^ start).wrapping_mul(factor);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(factor).rotate_left(23);
    (hash >> 32) as usize % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> SocketAddr {
        SocketAddr::new(std::net::Ipv4Addr::from_bits(n).into(), 5000)
    }

    #[test]
    fn one_address_is_bounded_and_another_is_not_touched() {
        let now = Instant::from_millis(1000);
        let mut quota = Quota::new(now, &mut Rng::simulated(3));

        let asked = (0..100_000).filter(|_| quota.take(now, address(1))).count();
        let other = (0..20).filter(|_| quota.take(now, address(77_000))).count();
        let later = (0..100).filter(|_| quota.take(now + Duration::from_millis(100), address(1))).count();

        assert_eq!((asked, other, later), (32, 20, 5));
    }

    #[test]
    fn addresses_spread_over_the_buckets() {
        for v6 in [false, true] {
            let ip = |n: u32| if v6 { IpAddr::V6((u128::from(n) << 64).into()) } else { address(n).ip() };
            let used: std::collections::BTreeSet<_> =
                (0..4096).map(|n| place([0x9e37_79b9_7f4a_7c15, 77], ip(0x0a00_0000 + n))).collect();

            // of as many drawn blindly 98 % would be met
            assert!(used.len() > 900, "{}", used.len());
        }
    }
}
