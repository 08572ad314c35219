//! Sequence numbers that wrap at 31 bits, as SRT counts its data packets.

use std::fmt;

const MASK: u32 = 0x7fff_ffff;
const HALF: u32 = 0x4000_0000;

/// An SRT sequence number. It has no total order: compare by [`Seq::distance`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Seq(u32);

impl Seq {
    /// The lower 31 bits of `value`.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value & MASK)
    }

    /// The number, 0 to 2³¹ − 1.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The number `count` further on.
    #[must_use]
    pub const fn plus(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count) & MASK)
    }

    /// How far this lies after `earlier`; negative if it lies before it.
    #[must_use]
    pub const fn distance(self, earlier: Self) -> i32 {
        let ahead = self.0.wrapping_sub(earlier.0) & MASK;
        if ahead < HALF { ahead as i32 } else { -(((MASK + 1) - ahead) as i32) }
    }

    /// True if this lies before `other`, by the shorter way round.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        self.distance(other) < 0
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_order_across_the_wrap() {
        let last = Seq::new(0x7fff_ffff);

        assert_eq!(last.plus(1), Seq::new(0));
        assert_eq!(last.plus(3).distance(last), 3);
        assert_eq!(last.distance(last.plus(3)), -3);
        assert!(last.is_before(Seq::new(5)));
        assert!(!Seq::new(5).is_before(last));
        assert_eq!(Seq::new(0xffff_ffff), last);
    }
}
