//! A window over the counters of one link: each is taken once, and what is far behind not at all.
//!
//! The ring of bits of RFC 6479: a word more than the window, so that advancing clears whole words.

const WORDS: usize = 64;
const BITS: u64 = 64;
/// Counters behind the highest that can still be taken.
pub(super) const WINDOW: u64 = (WORDS as u64 - 1) * BITS;

/// Which counters of a link have been taken.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// One above the highest that was taken, or where the link begins.
    next: u64,
    /// Nothing below this is taken.
    floor: u64,
    bits: [u64; WORDS],
}

/// How a counter stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Higher than any before.
    Newest,
    /// Behind, but not seen yet.
    Late,
    /// Seen, or too far behind to tell.
    Seen,
}

impl Window {
    /// A window of a link whose first counter is `first` or higher.
    pub(super) fn starting(first: u64) -> Self {
        Self { next: first, floor: first, bits: [0; WORDS] }
    }

    /// Near which number the next counters will lie.
    pub(super) fn reference(&self) -> u64 {
        self.next
    }

    /// Looks a counter up, and changes nothing: nothing proves yet that it is authentic.
    pub(super) fn place(&self, counter: u64) -> Place {
        if counter >= self.next {
            return Place::Newest;
        }
        let word = self.bits[(counter / BITS) as usize % WORDS];
        if counter < self.floor || self.next - 1 - counter >= WINDOW || word & (1 << (counter % BITS)) != 0 {
            return Place::Seen;
        }
        Place::Late
    }

    /// Takes an authentic counter.
    pub(super) fn take(&mut self, counter: u64) {
        if counter >= self.next {
            let (from, to) = (self.next.saturating_sub(1) / BITS, counter / BITS);
            // the words that the ring comes to hold new counters in
            for word in (from + 1..=to).take(WORDS) {
                self.bits[word as usize % WORDS] = 0;
            }
            if to - from > WORDS as u64 {
                self.bits = [0; WORDS];
            }
            self.next = counter.saturating_add(1);
        }
        self.bits[(counter / BITS) as usize % WORDS] |= 1 << (counter % BITS);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn each_counter_is_taken_once_whatever_the_order() {
        let (mut rng, mut window, mut taken, mut highest) =
            (Rng::simulated(3), Window::starting(0), BTreeSet::new(), 0);
        for _ in 0..200_000 {
            let jump = if rng.chance(0.001) { 20_000 } else { 300 };
            let counter = (highest + rng.next_u64() % jump).saturating_sub(rng.next_u64() % 3000);

            let place = window.place(counter);

            let wanted = match taken.contains(&counter) {
                true => Place::Seen,
                false if taken.is_empty() || counter > highest => Place::Newest,
                false if highest - counter >= WINDOW => Place::Seen,
                false => Place::Late,
            };
            assert_eq!(place, wanted, "{counter} with {highest} the highest");
            if place != Place::Seen {
                window.take(counter);
                taken.insert(counter);
                highest = highest.max(counter);
            }
        }
        const { assert!(WINDOW >= 2048) };
    }

    #[test]
    fn a_link_that_begins_late_takes_nothing_from_before() {
        let mut window = Window::starting(1 << 30);

        assert_eq!(window.place((1 << 30) - 1), Place::Seen);
        assert_eq!(window.place(1 << 30), Place::Newest);
        window.take(1 << 30);
        assert_eq!(window.place(1 << 30), Place::Seen);
    }
}
