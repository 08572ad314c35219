//! Why datagrams were dropped, counted.

/// Why a datagram was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Too short for what it says it is.
    Truncated,
    /// Neither sealed nor of the handshake.
    UnknownType,
    /// Of a version that is not spoken here.
    UnknownVersion,
    /// For a session that does not exist (any more).
    UnknownSession,
    /// Its seal is broken: spoofed, damaged, or under another key.
    BadTag,
    /// Seen before, or too old to tell.
    Replayed,
    /// A handshake for another key of the gateway.
    WrongKey,
    /// A handshake of a box that is not allowed.
    NotAllowed,
    /// A cookie of another address or another time.
    BadCookie,
    /// A handshake that asks for what there is not.
    Unfit,
    /// The gateway has as many groups as it may.
    Full,
    /// More handshakes from there than are looked at.
    Throttled,
    /// An answer to a question that nobody asked (any more).
    Unasked,
}

impl Reason {
    /// Every reason, in the order of [`Drops::iter`].
    pub const ALL: [Self; 13] = [
        Self::Truncated,
        Self::UnknownType,
        Self::UnknownVersion,
        Self::UnknownSession,
        Self::BadTag,
        Self::Replayed,
        Self::WrongKey,
        Self::NotAllowed,
        Self::BadCookie,
        Self::Unfit,
        Self::Full,
        Self::Throttled,
        Self::Unasked,
    ];

    /// What a metric calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::UnknownType => "unknown_type",
            Self::UnknownVersion => "unknown_version",
            Self::UnknownSession => "unknown_session",
            Self::BadTag => "bad_tag",
            Self::Replayed => "replayed",
            Self::WrongKey => "wrong_key",
            Self::NotAllowed => "not_allowed",
            Self::BadCookie => "bad_cookie",
            Self::Unfit => "unfit",
            Self::Full => "full",
            Self::Throttled => "throttled",
            Self::Unasked => "unasked",
        }
    }
}

/// Datagrams dropped since the beginning, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops([u64; Reason::ALL.len()]);

impl Drops {
    /// Counts one.
    pub(super) fn count(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// How many for this reason.
    #[must_use]
    pub fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// Each reason with its number.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().map(|reason| (reason, self.of(reason)))
    }
}
