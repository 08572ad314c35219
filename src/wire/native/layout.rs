//! Layout: the version, and how many bytes a data datagram has beside its payload.

/// The version of the dialect that this code speaks.
pub const VERSION: u8 = 1;
/// Bytes of the clear header of a sealed datagram.
pub const SEALED_HEADER: usize = 8;
/// Bytes of the header of a data frame, its type included.
pub const DATA_HEADER: usize = 8;
/// Bytes of the authentication tag.
pub const TAG: usize = 16;
/// Bytes that a data datagram has beside its payload, whichever kind its stream is of.
pub const OVERHEAD: usize = SEALED_HEADER + DATA_HEADER + TAG;
