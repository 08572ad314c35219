//! Backlog: what waits for one destination, bounded; whole payloads are left out, the oldest first.

use std::collections::VecDeque;

use bytes::Bytes;

/// The payloads that wait.
#[derive(Debug)]
pub struct Backlog {
    room: usize,
    held: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
}

impl Backlog {
    /// Nothing yet, and room for so many bytes.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self { room, held: VecDeque::new(), bytes: 0, dropped: 0 }
    }

    /// Takes a payload; the oldest make room for it.
    pub fn push(&mut self, payload: Bytes) {
        self.bytes += payload.len();
        self.held.push_back(payload);
        while self.bytes > self.room && self.pop().is_some() {
            self.dropped += 1;
        }
    }

    /// The oldest payload.
    pub fn pop(&mut self) -> Option<Bytes> {
        let payload = self.held.pop_front()?;
        self.bytes -= payload.len();
        Some(payload)
    }

    /// Payloads left out since the beginning.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_slow_misses_the_oldest_payloads_whole_and_they_are_counted() {
        let mut backlog = Backlog::new(10 * 1316);

        for n in 0..25_u8 {
            backlog.push(Bytes::from(vec![n; 1316]));
        }

        let left: Vec<_> = std::iter::from_fn(|| backlog.pop()).map(|p| (p[0], p.len())).collect();
        assert_eq!(left, (15..25).map(|n| (n, 1316)).collect::<Vec<_>>());
        assert_eq!(backlog.dropped(), 15);
    }
}
