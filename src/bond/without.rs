//! Without: elements of the engine that a simulation leaves out, to see what each is worth.
//!
//! No setting reaches this; `livebox sim --without` alone does. Each element is asked for at one place.

/// A set of elements left out; empty everywhere but in a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Without(u32);

impl Without {
    /// The window: a link takes whatever the order of placement gives it, at once.
    pub const WINDOW: Self = Self(1);
    /// Placement by earliest delivery: the least round trip decides.
    pub const EARLIEST: Self = Self(1 << 1);
    /// Rescue of what silent and slow links hold.
    pub const RESCUE: Self = Self(1 << 2);
    /// The rescues' budget.
    pub const BUDGET: Self = Self(1 << 3);
    /// Silence: an overdue link stays in use.
    pub const SILENCE: Self = Self(1 << 4);
    /// Loss told by later packets of the same link.
    pub const SAME_LINK_LOSS: Self = Self(1 << 5);
    /// Probing of idle and silent links.
    pub const PROBING: Self = Self(1 << 6);
    /// The cost of metered links.
    pub const METERED: Self = Self(1 << 7);
    /// The second copy of a last chance.
    pub const DOUBLING: Self = Self(1 << 8);
    /// The window's hold to the peak.
    pub const PEAK: Self = Self(1 << 9);
    /// The least rate with which a link that is not busy is tried.
    pub const RESTART: Self = Self(1 << 10);
    /// Rescue just in time: it comes at half of L whatever the others carry.
    pub const JUST_IN_TIME: Self = Self(1 << 11);
    /// Feedback every 10 ms: it comes every 100 ms (native).
    pub const FEEDBACK: Self = Self(1 << 12);
    /// Parity across links (native, short L).
    pub const PARITY: Self = Self(1 << 13);

    /// Every element with the name by which it is asked for.
    pub const ALL: [(&'static str, Self); 14] = [
        ("window", Self::WINDOW),
        ("earliest", Self::EARLIEST),
        ("rescue", Self::RESCUE),
        ("budget", Self::BUDGET),
        ("silence", Self::SILENCE),
        ("same-link-loss", Self::SAME_LINK_LOSS),
        ("probing", Self::PROBING),
        ("metered", Self::METERED),
        ("doubling", Self::DOUBLING),
        ("peak", Self::PEAK),
        ("restart", Self::RESTART),
        ("just-in-time", Self::JUST_IN_TIME),
        ("feedback", Self::FEEDBACK),
        ("parity", Self::PARITY),
    ];

    /// True if the element is left out.
    #[must_use]
    pub const fn has(self, element: Self) -> bool {
        self.0 & element.0 != 0
    }

    /// Leaves out both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
