//! Seal: how a frame becomes a datagram of the native dialect, and the other way round.

use bytes::Bytes;

use super::native::{Heard, Initiator};
use super::stats::LinkId;
use crate::time::Instant;
use crate::wire::native::{Clear, SEALED_HEADER, Sealed, TAG, near};

/// Who seals.
#[derive(Debug)]
pub(super) enum Seal {
    /// Nobody: datagrams have their header and their exact length, and zeros for a tag. For simulations.
    Plain(Plain),
    /// The session with the gateway.
    Session(Box<Initiator>),
}

/// The longest datagram that can come.
const MOST_DATAGRAM: usize = 2048;

/// Headers without secrets.
#[derive(Debug, Clone, Default)]
pub struct Plain {
    highest: [u64; 16],
}

impl Plain {
    /// A datagram around a frame.
    #[must_use]
    pub fn seal(link: u8, counter: u64, frame: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(SEALED_HEADER + frame.len() + TAG);
        Sealed::emit_header(link, 1, counter, &mut out);
        out.extend_from_slice(frame);
        out.resize(out.len() + TAG, 0);
        out.into()
    }

    /// Link, counter and frame of a datagram.
    pub fn open(&mut self, datagram: &Bytes) -> Option<(u8, u64, Bytes)> {
        let Ok(Clear::Sealed(sealed)) = Clear::parse(datagram) else { return None };
        let highest = &mut self.highest[usize::from(sealed.link & 0x0f)];
        let counter = near(sealed.counter, *highest);
        *highest = counter.max(*highest);
        Some((sealed.link, counter, datagram.slice(SEALED_HEADER..datagram.len() - TAG)))
    }
}

impl Seal {
    /// There is a session.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Session(initiator) => initiator.is_up(),
        }
    }

    /// The frame inside a datagram.
    pub(super) fn open(&mut self, now: Instant, link: LinkId, datagram: &[u8]) -> Option<Bytes> {
        match self {
            Self::Plain(plain) => plain.open(&Bytes::copy_from_slice(datagram)).map(|(_, _, frame)| frame),
            Self::Session(initiator) => {
                let mut room = [0; MOST_DATAGRAM];
                match initiator.handle_datagram(now, link, datagram, &mut room) {
                    Heard::Frame { frame, .. } => Some(Bytes::copy_from_slice(frame)),
                    Heard::Nothing => None,
                }
            }
        }
    }

    /// A datagram around a frame; nothing while there is no session.
    pub(super) fn seal(&mut self, now: Instant, link: LinkId, counter: u64, frame: &[u8]) -> Option<Bytes> {
        match self {
            Self::Plain(_) => Some(Plain::seal(link.0, counter, frame)),
            Self::Session(initiator) => {
                let mut out = Vec::with_capacity(SEALED_HEADER + frame.len() + TAG);
                initiator.seal(now, link, counter, frame, &mut out).ok().map(|()| out.into())
            }
        }
    }
}
