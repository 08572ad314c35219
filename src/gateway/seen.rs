//! Seen: which SRT packets of a group went on to the listener already, so that copies go no further.

use crate::wire::Seq;

/// Numbers remembered: at 20 Mbit/s eight seconds, longer than any copy is under way.
const SPAN: usize = 16_384;
const WORDS: usize = SPAN / 64;

/// One SRT session's numbers; 2 KiB.
#[derive(Debug)]
pub(super) struct Seen {
    newest: Option<Seq>,
    bits: Box<[u64; WORDS]>,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { newest: None, bits: Box::new([0; WORDS]) }
    }

    /// Another session begins: its numbers say nothing of the former's.
    pub(super) fn clear(&mut self) {
        self.newest = None;
        self.bits.fill(0);
    }

    /// Notes a number; true if it is new, or was asked for since.
    pub(super) fn first(&mut self, seq: Seq) -> bool {
        match self.newest.map(|newest| seq.distance(newest)) {
            Some(back) if back <= 0 && back.unsigned_abs() < SPAN as u32 => {}
            Some(ahead) if ahead > 0 && ahead < SPAN as i32 => {
                for step in 0..ahead as u32 {
                    self.set(Seq::new(seq.value().wrapping_sub(step)), false);
                }
                self.newest = Some(seq);
            }
            // so far off that it is another session
            _ => {
                self.clear();
                self.newest = Some(seq);
            }
        }
        let new = !self.get(seq);
        self.set(seq, true);
        new
    }

    /// The listener asks for these again: the next copy of each goes on.
    pub(super) fn asked(&mut self, first: Seq, last: Seq) {
        let count = last.distance(first);
        for step in 0..=count.clamp(-1, SPAN as i32 - 1) {
            let seq = first.plus(step as u32);
            if self.newest.is_some_and(|newest| (0..SPAN as i32).contains(&newest.distance(seq))) {
                self.set(seq, false);
            }
        }
    }

    fn place(seq: Seq) -> (usize, u64) {
        // 31-bit numbers wrap at a multiple of the span
        let at = seq.value() as usize % SPAN;
        (at / 64, 1 << (at % 64))
    }

    fn get(&self, seq: Seq) -> bool {
        let (word, bit) = Self::place(seq);
        self.bits[word] & bit != 0
    }

    fn set(&mut self, seq: Seq, seen: bool) {
        let (word, bit) = Self::place(seq);
        if seen {
            self.bits[word] |= bit;
        } else {
            self.bits[word] &= !bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(n: u32) -> Seq {
        Seq::new(n)
    }

    #[test]
    fn each_number_is_new_once_in_whatever_order_also_across_the_wrap() {
        let mut seen = Seen::new();
        let wrap = 0x7fff_fff0;
        let numbers: Vec<_> = (0..64).map(|n: u32| seq(wrap).plus(n * 7 % 64)).collect();

        assert!(numbers.iter().all(|n| seen.first(*n)));
        assert!(numbers.iter().all(|n| !seen.first(*n)));
        assert!(seen.first(seq(wrap).plus(64)));
    }

    #[test]
    fn what_the_listener_asks_for_goes_on_once_more() {
        let mut seen = Seen::new();
        (100..200).for_each(|n| assert!(seen.first(seq(n))));

        seen.asked(seq(150), seq(152));
        seen.asked(seq(5000), seq(4000));

        assert_eq!((100..200).filter(|n| seen.first(seq(*n))).collect::<Vec<_>>(), [150, 151, 152]);
    }

    #[test]
    fn a_number_far_off_begins_another_session() {
        let mut seen = Seen::new();
        (0..100).for_each(|n| assert!(seen.first(seq(n))));

        assert!(seen.first(seq(1_000_000)));
        assert!(seen.first(seq(50)), "and back again");
        assert!(!seen.first(seq(50)));
    }

    #[test]
    fn a_number_that_was_never_seen_is_new_however_old_its_place_in_memory() {
        let mut seen = Seen::new();
        (0..100_000).for_each(|n| assert!(seen.first(seq(n)), "{n}"));
        (90_000..100_000).for_each(|n| assert!(!seen.first(seq(n)), "{n}"));
    }
}
