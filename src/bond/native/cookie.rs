//! Cookies: a box proves that it hears at the address it speaks from, and the gateway remembers nothing.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;

use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::native::Token;

/// A cookie holds through this slice of the gateway's own clock and the next.
const SLICE_MILLIS: u64 = 10_000;
const LEN: usize = 16;

/// Makes and checks cookies.
pub(super) struct Jar(hmac::Key);

impl Jar {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self(hmac::Key::new(hmac::HMAC_SHA256, &secret))
    }

    /// The cookie of an address, for one attempt, now.
    pub(super) fn bake(&self, now: Instant, from: SocketAddr, token: Token) -> [u8; LEN] {
        self.tag(now.as_millis() / SLICE_MILLIS, from, token)
    }

    /// True if this cookie was given to the address for this attempt, lately.
    pub(super) fn holds(&self, now: Instant, from: SocketAddr, token: Token, cookie: &[u8; LEN]) -> bool {
        let slice = now.as_millis() / SLICE_MILLIS;
        [Some(slice), slice.checked_sub(1)].into_iter().flatten().any(|slice| {
            let wanted = self.tag(slice, from, token);
            // in a time that does not tell how much of it is right
            wanted.iter().zip(cookie).fold(0, |all, (a, b)| all | (a ^ b)) == 0
        })
    }

    fn tag(&self, slice: u64, from: SocketAddr, token: Token) -> [u8; LEN] {
        let ip = match from.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&slice.to_be_bytes());
        context.update(&ip.octets());
        context.update(&from.port().to_be_bytes());
        context.update(&token);
        let tag = context.sign();
        let mut cookie = [0; LEN];
        cookie.copy_from_slice(&tag.as_ref()[..LEN]);
        cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn a_cookie_holds_for_its_address_and_attempt_and_not_for_long() {
        let jar = Jar::new(&mut Rng::simulated(1));
        let (now, from, token) = (Instant::from_millis(55_000), ([192, 0, 2, 1], 5000).into(), [7; 8]);
        let cookie = jar.bake(now, from, token);

        assert!(jar.holds(now, from, token, &cookie));
        assert!(jar.holds(now + Duration::from_secs(14), from, token, &cookie));
        assert!(!jar.holds(now + Duration::from_secs(15), from, token, &cookie));
        assert!(!jar.holds(now, ([192, 0, 2, 1], 5001).into(), token, &cookie));
        assert!(!jar.holds(now, ([192, 0, 2, 2], 5000).into(), token, &cookie));
        assert!(!jar.holds(now, from, [8; 8], &cookie));
        assert!(!Jar::new(&mut Rng::simulated(2)).holds(now, from, token, &cookie));
    }
}
