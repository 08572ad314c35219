//! The ways in which bytes are wrong.

/// Why a datagram cannot be read. It is counted and dropped; nobody has to act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too few bytes for what the first of them announce.
    #[error("{len} bytes are too few, {wanted} are wanted")]
    TooShort {
        /// How many there are.
        len: usize,
        /// How many there must be.
        wanted: usize,
    },
    /// A frame whose length is fixed has another one.
    #[error("{len} bytes, where exactly {wanted} are wanted")]
    WrongLength {
        /// How many there are.
        len: usize,
        /// How many there must be.
        wanted: usize,
    },
    /// A control type that nobody has defined.
    #[error("unknown type {0:#06x}")]
    UnknownType(u16),
}
