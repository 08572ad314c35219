//! How long a datagram a link carries: found upward by padded probes, downward when long ones vanish.
//!
//! After RFC 8899 (DPLPMTUD), with sizes counted as UDP payload: what the socket is given.

use crate::time::{Duration, Instant};
use crate::wire::native::{OVERHEAD, SEALED_HEADER, TAG};

/// What every link is taken to carry: RFC 8899's base for UDP.
pub const BASE_DATAGRAM: usize = 1200;
/// A datagram with seven packets of transport stream; the first length that is tried.
pub const TS_DATAGRAM: usize = 7 * TS_PACKET + OVERHEAD;

const TS_PACKET: usize = 188;
/// A probe that is lost may have been lost by chance: at 5 % loss three in a row once in 8000 searches.
const TRIES: u8 = 3;
/// Between two tries, so that one burst of loss does not take them all.
const APART: Duration = Duration::from_millis(250);
/// Without an answer for so long a probe is lost.
const PATIENCE: Duration = Duration::from_secs(2);
/// The search ends when the answer is known to so many bytes.
const FINE: usize = 8;
/// A path may have grown: RFC 8899's PMTU_RAISE_TIMER.
const RAISE: Duration = Duration::from_secs(600);
/// So many long datagrams lost in a row, while short ones arrive, are no chance.
const BLACK_HOLE: u8 = 6;

#[derive(Debug, Clone, Copy)]
struct Probe {
    counter: u64,
    len: usize,
    sent: Instant,
}

/// What one link carries.
#[derive(Debug, Clone)]
pub struct PathMtu {
    /// The longest that has arrived.
    proven: usize,
    /// The shortest that did not, or one more than is tried at all.
    too_long: usize,
    most: usize,
    probe: Option<Probe>,
    tries: u8,
    next: Instant,
    /// Long ones lost since one arrived; and whether short ones arrived meanwhile.
    long_lost: u8,
    short_arrived: bool,
}

impl PathMtu {
    /// A link of which nothing is known; `most` is the longest worth trying: 1472 over IPv4, 1452 over IPv6.
    #[must_use]
    pub fn new(now: Instant, most: usize) -> Self {
        Self {
            proven: BASE_DATAGRAM,
            too_long: most + 1,
            most,
            probe: None,
            tries: 0,
            next: now,
            long_lost: 0,
            short_arrived: false,
        }
    }

    /// The longest datagram that the link is known to carry, bytes of UDP payload.
    #[must_use]
    pub fn datagram(&self) -> usize {
        self.proven
    }

    /// The longest frame that fits one datagram.
    #[must_use]
    pub fn frame(&self) -> usize {
        self.proven - SEALED_HEADER - TAG
    }

    /// The link is another path now (new address): all is to be found out again.
    pub fn handle_new_path(&mut self, now: Instant) {
        *self = Self::new(now, self.most);
    }

    fn candidate(&self) -> Option<usize> {
        if self.proven < TS_DATAGRAM && TS_DATAGRAM < self.too_long {
            Some(TS_DATAGRAM)
        } else if self.proven < self.most && self.too_long > self.most {
            Some(self.most)
        } else {
            (self.too_long - self.proven > FINE).then_some(self.proven.midpoint(self.too_long))
        }
    }

    /// When [`PathMtu::poll_probe`] may have something.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.probe.map_or(self.next, |probe| probe.sent + PATIENCE)
    }

    /// How much padding a probe frame must have now, if one is due; tell [`PathMtu::handle_probe_sent`] of it.
    pub fn poll_probe(&mut self, now: Instant) -> Option<usize> {
        if self.probe.is_some_and(|probe| now.since(probe.sent) >= PATIENCE) {
            self.probe_lost(now);
        }
        if self.probe.is_some() || self.next > now {
            return None;
        }
        if self.candidate().is_none() {
            // the search ended some time ago, and the path may have grown since
            self.too_long = self.most + 1;
        }
        match self.candidate() {
            Some(len) => Some(len - SEALED_HEADER - 1 - TAG),
            None => {
                self.next = now + RAISE;
                None
            }
        }
    }

    /// The probe was sent under this counter.
    pub fn handle_probe_sent(&mut self, now: Instant, counter: u64) {
        if let Some(len) = self.candidate() {
            self.probe = Some(Probe { counter, len, sent: now });
        }
    }

    /// A datagram of `len` bytes has arrived.
    pub fn handle_acked(&mut self, now: Instant, counter: u64, len: usize) {
        if len > BASE_DATAGRAM {
            self.long_lost = 0;
            self.short_arrived = false;
        } else {
            self.short_arrived |= self.long_lost > 0;
        }
        if len > self.proven && len <= self.most {
            self.proven = len;
            self.too_long = self.too_long.max(len + 1);
        }
        if self.probe.take_if(|probe| probe.counter == counter).is_some() {
            self.tries = 0;
            self.next = now;
            self.rest(now);
        }
    }

    /// A datagram of `len` bytes is lost.
    pub fn handle_lost(&mut self, now: Instant, counter: u64, len: usize) {
        if self.probe.is_some_and(|probe| probe.counter == counter) {
            self.probe_lost(now);
        } else if len > BASE_DATAGRAM {
            self.long_lost = self.long_lost.saturating_add(1);
            if self.long_lost >= BLACK_HOLE && self.short_arrived {
                self.handle_new_path(now);
            }
        }
    }

    /// The system itself says that `len` is too long (EMSGSIZE).
    pub fn handle_too_long(&mut self, now: Instant, len: usize) {
        if len <= BASE_DATAGRAM {
            return;
        }
        self.too_long = self.too_long.min(len);
        self.proven = self.proven.min(len - 1).min(if self.proven >= len { BASE_DATAGRAM } else { self.proven });
        self.probe = None;
        self.tries = 0;
        self.next = now;
        self.rest(now);
    }

    fn probe_lost(&mut self, now: Instant) {
        let Some(probe) = self.probe.take() else { return };
        self.tries += 1;
        self.next = now + APART;
        if self.tries >= TRIES {
            self.too_long = self.too_long.min(probe.len.max(self.proven + 1));
            self.tries = 0;
            self.rest(now);
        }
    }

    /// Ends the search for a while, if the answer is known.
    fn rest(&mut self, now: Instant) {
        if self.candidate().is_none() {
            self.next = now + RAISE;
        }
    }
}

/// How long the payloads of a `ts` stream may be over these links, of each the longest datagram: seven packets
/// (1316 bytes), or six (1128 bytes) when one of them carries no more.
#[must_use]
pub fn payload_limit(datagrams: impl IntoIterator<Item = usize>) -> usize {
    let shortest = datagrams.into_iter().min().unwrap_or(BASE_DATAGRAM);
    if shortest >= TS_DATAGRAM { 7 * TS_PACKET } else { 6 * TS_PACKET }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Plays a path that carries `path` bytes and loses `loss` of all, for `seconds`.
    fn play(
        mtu: &mut PathMtu,
        rng: &mut Rng,
        mut now: Instant,
        seconds: u64,
        path: usize,
        loss: f64,
    ) -> (Instant, usize) {
        let (end, mut probes, mut counter) = (now + Duration::from_secs(seconds), 0, now.as_micros());
        while now < end {
            if let Some(padding) = mtu.poll_probe(now) {
                probes += 1;
                counter += 1;
                mtu.handle_probe_sent(now, counter);
                let len = padding + SEALED_HEADER + 1 + TAG;
                now += Duration::from_millis(50);
                if len <= path && !rng.chance(loss) {
                    mtu.handle_acked(now, counter, len);
                } else {
                    mtu.handle_lost(now, counter, len);
                }
            }
            // data of the length that is believed to pass, and something short
            for len in [mtu.datagram(), 100] {
                counter += 1;
                if len <= path && !rng.chance(loss) {
                    mtu.handle_acked(now, counter, len);
                } else {
                    mtu.handle_lost(now, counter, len);
                }
            }
            now += Duration::from_millis(20);
        }
        (now, probes)
    }

    #[test]
    fn the_longest_datagram_of_a_path_is_found_to_eight_bytes() {
        for path in [1200, 1280, 1347, 1348, 1360, 1420, 1452, 1472, 9000] {
            let mut mtu = PathMtu::new(Instant::ZERO, 1472);

            let (_, probes) = play(&mut mtu, &mut Rng::simulated(1), Instant::ZERO, 20, path, 0.0);

            assert!(mtu.datagram() <= path && mtu.datagram() + FINE >= path.min(1472), "{path}: {}", mtu.datagram());
            assert!(probes <= 30, "{path}: {probes} probes");
        }
    }

    #[test]
    fn a_path_that_shrinks_is_noticed_and_one_that_grows_again_too() {
        let (mut mtu, mut rng) = (PathMtu::new(Instant::ZERO, 1472), Rng::simulated(2));
        let (now, _) = play(&mut mtu, &mut rng, Instant::ZERO, 20, 1472, 0.05);
        assert_eq!(mtu.datagram(), 1472);

        let (now, _) = play(&mut mtu, &mut rng, now, 2, 1300, 0.05);
        assert!(mtu.datagram() <= 1300, "{}", mtu.datagram());
        assert_eq!(payload_limit([1472, mtu.datagram()]), 1128);

        let _ = play(&mut mtu, &mut rng, now, 620, 1472, 0.05);
        assert_eq!(mtu.datagram(), 1472);
        assert_eq!(payload_limit([1472, mtu.datagram()]), 1316);
    }

    #[test]
    fn heavy_loss_is_no_black_hole() {
        let (mut mtu, mut rng) = (PathMtu::new(Instant::ZERO, 1472), Rng::simulated(3));
        let (now, _) = play(&mut mtu, &mut rng, Instant::ZERO, 20, 1472, 0.0);
        let mut short = 0;
        let mut at = now;
        for _ in 0..300 {
            at = play(&mut mtu, &mut rng, at, 1, 1472, 0.2).0;
            short += u32::from(mtu.datagram() < TS_DATAGRAM);
        }

        assert!(short <= 6, "{short} of 300 s with too short datagrams");
    }

    #[test]
    fn what_the_system_refuses_is_not_sent_again() {
        let mut mtu = PathMtu::new(Instant::ZERO, 1472);
        let _ = play(&mut mtu, &mut Rng::simulated(1), Instant::ZERO, 20, 1472, 0.0);

        mtu.handle_too_long(Instant::from_millis(30_000), 1472);

        assert_eq!(mtu.datagram(), BASE_DATAGRAM);
        assert_eq!(payload_limit([mtu.datagram()]), 1128);
        let _ = play(&mut mtu, &mut Rng::simulated(1), Instant::from_millis(30_000), 20, 1400, 0.0);
        assert!((1392..=1400).contains(&mtu.datagram()), "{}", mtu.datagram());
    }
}
