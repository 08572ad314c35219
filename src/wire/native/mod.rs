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
mod layout;
mod srt;
mod varint;

pub use data::{Data, DataKind, Fragment, MOST_STREAMS, Parity};
pub use datagram::{COUNTER_MASK, Clear, Opening, Refusal, Sealed, Token, near};
pub use echo::{Echo, EchoDestination, EchoItem, EchoStream, EchoWriter, Label};
pub use feedback::{Feedback, FeedbackWriter, LinkSeen, Settled, StreamSeen, TICK_MICROS, emit_settled};
pub use frame::{Control, Frame, parse};
pub use hello::{Hello, HelloStreams, StreamInfo, StreamKind, Welcome};
pub use layout::{DATA_HEADER, OVERHEAD, SEALED_HEADER, TAG, VERSION};
pub use srt::{Anchor, Packer, Unpacker};
