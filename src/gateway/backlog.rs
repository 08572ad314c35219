//! Backlog: what waits for one destination, bounded; whole payloads are left out, the oldest first.
//!
//! A session begins where a receiver may begin ([`super::Entries`]): with the oldest such place among what was laid
//! down within the last second, or else with the next that comes. So whoever opens at once misses nothing, and nobody
//! is given at once what should have come one after the other.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::time::Instant;

/// What is older than this is not worth beginning with: a receiver keeps the delay of what it was given first.
const FRESH: Duration = Duration::from_secs(1);
/// A session waits at most so long for a place to begin; an encoder makes a key picture every 10 s at the latest, and
/// some refresh their pictures bit by bit and never say so.
const PATIENCE: Duration = Duration::from_secs(12);

/// One payload of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// Whole packets of 188 bytes.
    pub payload: Bytes,
    /// What is given instead to a receiver that begins here, if it may.
    pub entry: Option<Bytes>,
}

/// The payloads that wait.
#[derive(Debug)]
pub struct Backlog {
    room: usize,
    held: VecDeque<(Instant, Laid)>,
    bytes: usize,
    dropped: u64,
    /// Nobody is there who would miss anything.
    idle: bool,
    /// Since when the session has waited for a place to begin.
    begins: Option<Instant>,
}

impl Backlog {
    /// Nothing yet, and room for so many bytes.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self { room, held: VecDeque::new(), bytes: 0, dropped: 0, idle: false, begins: None }
    }

    /// Takes a payload; the oldest make room for it.
    pub fn push(&mut self, now: Instant, laid: Laid) {
        self.bytes += laid.payload.len();
        self.held.push_back((now, laid));
        while self.bytes > self.room && self.remove().is_some() {
            self.dropped += u64::from(!self.idle);
        }
    }

    /// A session is open: the next payload is one to begin with.
    pub fn begin(&mut self, now: Instant) {
        self.begins = Some(now);
        self.idle = false;
    }

    /// Nobody is there, and nobody is called: what is left out until the next session is nobody's loss.
    pub fn rest(&mut self) {
        self.idle = true;
    }

    /// The oldest payload; of a session that begins, the first of it.
    pub fn pop(&mut self, now: Instant) -> Option<Bytes> {
        let Some(since) = self.begins else { return self.remove().map(|laid| laid.payload) };
        let patient = now.since(since) < PATIENCE;
        while let Some((at, laid)) = self.held.front() {
            let fresh = now.since(*at) <= FRESH;
            if fresh && (laid.entry.is_some() || !patient) {
                self.begins = None;
                return self.remove().map(|laid| laid.entry.unwrap_or(laid.payload));
            }
            self.remove();
        }
        None
    }

    fn remove(&mut self) -> Option<Laid> {
        let (_, laid) = self.held.pop_front()?;
        self.bytes -= laid.payload.len();
        Some(laid)
    }

    /// Payloads left out since the beginning because there was no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn laid(n: u8, key: bool) -> Laid {
        Laid { payload: vec![n; 1316].into(), entry: key.then(|| vec![100 + n; 1316].into()) }
    }

    fn all(backlog: &mut Backlog, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| backlog.pop(now)).map(|payload| payload[0]).collect()
    }

    #[test]
    fn whoever_is_slow_misses_the_oldest_payloads_whole_and_they_are_counted() {
        let mut backlog = Backlog::new(10 * 1316);

        for n in 0..25 {
            backlog.push(at(0), laid(n, false));
        }

        let left: Vec<_> = std::iter::from_fn(|| backlog.pop(at(0))).map(|p| (p[0], p.len())).collect();
        assert_eq!(left, (15..25).map(|n| (n, 1316)).collect::<Vec<_>>());
        assert_eq!(backlog.dropped(), 15);
    }

    #[test]
    fn what_is_left_out_while_nobody_is_there_is_not_counted() {
        let mut backlog = Backlog::new(2 * 1316);
        let five = |backlog: &mut Backlog| (0..5).for_each(|n| backlog.push(at(0), laid(n, true)));

        backlog.rest();
        five(&mut backlog);
        assert_eq!(backlog.dropped(), 0);
        backlog.begin(at(0));
        five(&mut backlog);

        assert_eq!(backlog.dropped(), 5);
    }

    #[test]
    fn a_session_begins_with_the_oldest_key_picture_of_the_last_second() {
        let mut backlog = Backlog::new(100 * 1316);
        // one every 100 ms, with a key picture every 400 ms
        (0..30).for_each(|n| backlog.push(at(u64::from(n) * 100), laid(n, n % 4 == 0)));

        backlog.begin(at(2950));

        // 20 was laid down at 2 s, 950 ms ago, and comes with its tables
        let got = all(&mut backlog, at(2950));
        assert_eq!(got, [120].into_iter().chain(21..30).collect::<Vec<_>>());
        assert_eq!(backlog.dropped(), 0, "nobody is blamed for what came before");
    }

    #[test]
    fn a_session_that_opens_between_two_key_pictures_waits_for_the_next_and_not_for_ever() {
        let mut backlog = Backlog::new(100 * 1316);
        backlog.push(at(0), laid(0, true));
        backlog.push(at(1500), laid(1, false));
        backlog.begin(at(1600));
        assert!(all(&mut backlog, at(1600)).is_empty());
        backlog.push(at(1700), laid(2, false));
        assert!(all(&mut backlog, at(1700)).is_empty());
        backlog.push(at(1800), laid(3, true));
        backlog.push(at(1900), laid(4, false));
        assert_eq!(all(&mut backlog, at(1900)), [103, 4]);

        // the same session again, of a stream without key pictures
        backlog.begin(at(2000));
        for n in 5..130 {
            backlog.push(at(1600 + u64::from(n) * 100), laid(n, false));
            let got = all(&mut backlog, at(1600 + u64::from(n) * 100));
            assert_eq!(got.is_empty(), n < 124, "payload {n}");
        }
    }
}
