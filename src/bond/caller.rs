//! Caller: from which address the stream comes, and when another may take its place.
//!
//! The port where the caller sends to hears everybody. Only a handshake makes a sender the caller,
//! and only where no other is there; whatever else comes from elsewhere is a stranger's.

use std::net::SocketAddr;
use std::time::Duration;

use crate::time::Instant;
use crate::wire::srt::{Handshake, Packet, Step};

/// A caller that has said nothing for so long is gone. A living one sends at least a keepalive each
/// second, and one of them may be late; and libsrt knocks for three seconds before it gives up, so
/// who comes back from another port after a crash is let in while it still knocks.
const SILENT: Duration = Duration::from_secs(2);

/// Who the caller is.
#[derive(Debug, Default)]
pub(super) struct Caller {
    pin: Option<Pin>,
}

#[derive(Debug)]
struct Pin {
    address: SocketAddr,
    heard: Instant,
    /// It has said SHUTDOWN and has not knocked since.
    left: bool,
}

impl Caller {
    /// True if the packet is the caller's, or makes its sender the caller.
    pub(super) fn admits(&mut self, now: Instant, from: SocketAddr, packet: &Packet<'_>) -> bool {
        let opens = matches!(packet, Packet::Handshake(handshake) if is_opening(handshake));
        let gone = self.is_gone(now);
        match &mut self.pin {
            Some(pin) if pin.address == from => {
                pin.heard = now;
                pin.left &= !opens;
                true
            }
            pin if opens && gone => {
                *pin = Some(Pin { address: from, heard: now, left: false });
                true
            }
            _ => false,
        }
    }

    /// The caller says that it leaves.
    pub(super) fn leaves(&mut self) {
        if let Some(pin) = &mut self.pin {
            pin.left = true;
        }
    }

    /// Nobody is there: none came yet, it left, or it fell silent.
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        self.pin.as_ref().is_none_or(|pin| pin.left || now.since(pin.heard) >= SILENT)
    }

    /// Where the latest caller is.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.pin.as_ref().map(|pin| pin.address)
    }
}

/// What a caller knocks with; a listener's answer is none.
fn is_opening(handshake: &Handshake) -> bool {
    matches!(handshake.step, Step::Induction | Step::Conclusion)
        && matches!(handshake.version, 4 | 5)
        && handshake.socket != 0
        && handshake.settings.is_none_or(|settings| !settings.response)
}
