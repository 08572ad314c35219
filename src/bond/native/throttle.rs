//! Bounds on what strangers can make the gateway do, in memory that does not grow with them.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;

use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// Key exchanges a second that one slot of addresses is given; a box needs one in minutes.
const HANDSHAKES: u8 = 8;
/// Key exchanges a second in all: each takes about 0.2 ms of a core.
const HANDSHAKES_IN_ALL: u16 = 400;
/// Refusals and the like a second.
const ANSWERS: u16 = 100;
const SLOTS: usize = 256;
const SECOND: Duration = Duration::from_secs(1);

/// Counts down, second by second.
pub(super) struct Throttle {
    secret: hmac::Key,
    since: Instant,
    slots: [u8; SLOTS],
    handshakes: u16,
    answers: u16,
}

impl Throttle {
    pub(super) fn new(now: Instant, rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self {
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            since: now,
            slots: [HANDSHAKES; SLOTS],
            handshakes: HANDSHAKES_IN_ALL,
            answers: ANSWERS,
        }
    }

    fn refill(&mut self, now: Instant) {
        if now.since(self.since) >= SECOND {
            self.since = now;
            self.slots = [HANDSHAKES; SLOTS];
            self.handshakes = HANDSHAKES_IN_ALL;
            self.answers = ANSWERS;
        }
    }

    /// May a key exchange be made for this address?
    pub(super) fn handshake(&mut self, now: Instant, from: SocketAddr) -> bool {
        self.refill(now);
        // IPv6: one customer has a /64
        let tag = match from.ip() {
            IpAddr::V4(ip) => hmac::sign(&self.secret, &ip.octets()),
            IpAddr::V6(ip) => hmac::sign(&self.secret, &ip.octets()[..8]),
        };
        // which addresses share a slot is secret, so that nobody can aim at another's
        let slot = &mut self.slots[usize::from(tag.as_ref()[0])];
        if *slot == 0 || self.handshakes == 0 {
            return false;
        }
        *slot -= 1;
        self.handshakes -= 1;
        true
    }

    /// May a refusal, or the like, be sent?
    pub(super) fn answer(&mut self, now: Instant) -> bool {
        self.refill(now);
        let left = self.answers > 0;
        self.answers = self.answers.saturating_sub(1);
        left
    }
}
