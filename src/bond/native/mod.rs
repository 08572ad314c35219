//! The native dialect's sessions: handshake, sealed datagrams, path MTU, halves of long datagrams.
//!
//! [`Initiator`] is the box's side, [`Responder`] the gateway's; both are machines without clock and
//! socket. Noise IK by `snow`, its ciphers by `ring`; `docs/native-wire.md` says what travels, and
//! [`crate::wire::native`] writes and reads it.

mod channel;
mod cookie;
mod cut;
mod drops;
mod fragment;
mod initiator;
mod keys;
mod mtu;
mod noise;
mod offer;
mod replay;
mod responder;
#[cfg(test)]
mod tests;
mod throttle;

pub use crate::wire::native::Refusal;
pub use channel::{Channel, LINKS, SealError};
pub use cut::Cutter;
pub use drops::{Drops, Reason};
pub use fragment::{Reassembly, halves};
pub use initiator::{Heard, Initiator, InitiatorConfig, InitiatorEvent, Renewal};
pub use keys::{KeyError, PrivateKey, PublicKey};
pub use mtu::{BASE_DATAGRAM, PathMtu, TS_DATAGRAM, payload_limit};
pub use offer::{Offer, StreamOffer};
pub use responder::{Closed, Group, Received, Responder, ResponderConfig, ResponderEvent};
