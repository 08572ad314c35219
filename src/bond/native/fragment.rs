//! A frame too long for its link travels as two halves, each a datagram of its own.

use std::collections::BTreeMap;

use crate::wire::native::Fragment;

/// Halves that wait for their other half: 64 of at most one datagram each, under 100 kB.
const MOST_WAITING: usize = 64;
/// A half whose partner has not come while so many frames were begun never gets it; long before the
/// 16 bits of the number come round again.
const MOST_BEHIND: u16 = 4096;
/// The longest half that is kept.
const MOST_HALF: usize = 1500;

/// Cuts a frame into two halves of one number; the second is the longer by a byte at most.
#[must_use]
pub fn halves(frame: &[u8], id: u16) -> [Fragment<'_>; 2] {
    let (first, second) = frame.split_at(frame.len() / 2);
    [Fragment { id, second: false, part: first }, Fragment { id, second: true, part: second }]
}

/// Puts halves together again.
#[derive(Debug, Clone, Default)]
pub struct Reassembly {
    waiting: BTreeMap<u16, (bool, Vec<u8>)>,
    newest: u16,
}

impl Reassembly {
    /// Takes a half. With the other one there it writes the whole frame into `out`, cleared before; true then.
    pub fn handle(&mut self, fragment: &Fragment<'_>, out: &mut Vec<u8>) -> bool {
        if fragment.part.len() > MOST_HALF {
            return false;
        }
        if (fragment.id.wrapping_sub(self.newest) as i16) > 0 {
            self.newest = fragment.id;
        }
        if self.waiting.get(&fragment.id).is_some_and(|(second, _)| *second != fragment.second)
            && self.behind(fragment.id) <= MOST_BEHIND
            && let Some((_, other)) = self.waiting.remove(&fragment.id)
        {
            out.clear();
            let (first, second) =
                if fragment.second { (&other[..], fragment.part) } else { (fragment.part, &other[..]) };
            out.extend_from_slice(first);
            out.extend_from_slice(second);
            return true;
        }
        self.waiting.insert(fragment.id, (fragment.second, fragment.part.to_vec()));
        while self.waiting.len() > MOST_WAITING {
            let oldest = self.waiting.keys().copied().max_by_key(|id| self.behind(*id));
            self.waiting.remove(&oldest.unwrap_or_default());
        }
        false
    }

    /// How many frames were begun after this one.
    fn behind(&self, id: u16) -> u16 {
        self.newest.wrapping_sub(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn halves_are_put_together_in_either_order_across_the_wrap() {
        let (mut reassembly, mut out, mut rng) = (Reassembly::default(), Vec::new(), Rng::simulated(1));
        for n in 0..200_000_u32 {
            let frame = [&n.to_be_bytes()[..], b"some more"].concat();
            let [first, second] = halves(&frame, n as u16);
            if rng.chance(0.1) {
                // its other half is lost, and must never meet one of 65 536 frames later
                reassembly.handle(&second, &mut out);
                continue;
            }
            let order = if rng.chance(0.5) { [first, second] } else { [second, first] };

            assert!(!reassembly.handle(&order[0], &mut out) || n >= 65_536);
            assert!(reassembly.handle(&order[1], &mut out));

            assert_eq!(out, frame);
            assert!(reassembly.waiting.len() <= MOST_WAITING);
        }
    }
}
