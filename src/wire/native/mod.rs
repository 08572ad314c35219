//! The native dialect between a box and our own gateway: clear headers, inner frames, what a hello says.
//!
//! ```text
//! sealed    1010 link (4)│session (32)│counter (24)│ sealed: type (8)│fields│payload │tag (128)
//! data      the frame: type with stream or SRT flags (8)│sequence (24)│stamp (32)│payload
//! handshake 1011 kind (4)│version (8)│token (64)│…
//! ```
//!
//! Header, data header and tag are [`OVERHEAD`] bytes, for both kinds of stream. Everything here is
//! plain bytes; `bond::native` seals them. `docs/native-wire.md` is the specification.

mod data;
mod datagram;
mod echo;
mod feedback;
mod frame;
mod hello;
mod srt;
mod varint;

pub use data::{Data, DataKind, Fragment, MOST_STREAMS, Parity};
pub use datagram::{COUNTER_MASK, Clear, Opening, Refusal, Sealed, Token, near};
pub use echo::{Echo, EchoDestination, EchoItem, EchoStream, EchoWriter, Label};
pub use feedback::{Feedback, FeedbackWriter, LinkSeen, Settled, StreamSeen, TICK_MICROS, emit_settled};
pub use frame::{Control, Frame, parse};
pub use hello::{Hello, HelloStreams, StreamInfo, StreamKind, Welcome};
pub use srt::{Anchor, Packer, Unpacker};

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
