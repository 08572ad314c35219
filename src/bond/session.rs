//! Session: what passes between the SRT caller and its listener, and what the caller need not hear.
//!
//! Every far end copies the listener's ACKs, and some its NAKs, to all links; the caller hears each
//! once. Its NAKs are mostly early: on seven links packets overtake one another.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srt::{self, Ack, Handshake, Step};

/// Control packets remembered to know their copies by.
const MOST_REMEMBERED: usize = 32;
/// Links differ by less: what comes again later was sent again.
const COPY: Duration = Duration::from_millis(500);
/// Numbers that one NAK may name; a longer list is cut, for the listener will ask again.
pub(super) const MOST_NAKED: u32 = 8192;

/// The opening and the acknowledgements of one SRT session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The caller's socket, as its handshakes and the listener's packets name it.
    caller: Option<u32>,
    /// A socket that has knocked and has not concluded: it hears the listener, but the session that is goes on.
    knocking: Option<u32>,
    /// The listener's socket, as the caller's packets name it.
    listener: Option<u32>,
    /// What the listener waits before it gives a payload out, as its conclusion says.
    pub(super) negotiated: Option<Duration>,
    acked: Option<Seq>,
    ack_number: Option<u32>,
    heard: VecDeque<(Instant, Bytes)>,
    /// Handshakes that the caller has sent since the listener last answered one.
    pub(super) unanswered: usize,
}

/// What the caller's packet begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// Nothing: it belongs to the session that is.
    Nothing,
    /// Another session: what was held for the old one is void.
    Session,
}

impl Session {
    /// The caller opens; only its conclusion begins a session.
    pub(super) fn caller_shakes(&mut self, handshake: &Handshake) -> Begins {
        self.unanswered += 1;
        if self.caller == Some(handshake.socket) {
            return Begins::Nothing;
        }
        if handshake.step != Step::Conclusion {
            self.knocking = Some(handshake.socket);
            return Begins::Nothing;
        }
        *self = Self { caller: Some(handshake.socket), unanswered: 1, ..Self::default() };
        Begins::Session
    }

    /// The caller sends data to a listener's socket; the first of a session names it.
    pub(super) fn caller_sends(&mut self, socket: u32) {
        self.listener.get_or_insert(socket);
    }

    /// True if a packet of the caller is for the listener's socket of this session, or if we do not know that.
    pub(super) fn is_to_listener(&self, socket: u32) -> bool {
        self.listener.is_none_or(|listener| listener == socket)
    }

    /// The first number that the listener does not have.
    pub(super) fn acked(&self) -> Option<Seq> {
        self.acked
    }

    /// True if a packet from the listener's side names our caller's socket, or if we do not know it.
    pub(super) fn is_ours(&self, socket: u32) -> bool {
        match (self.caller, self.knocking) {
            (None, None) => true,
            (caller, knocking) => caller == Some(socket) || knocking == Some(socket),
        }
    }

    /// The listener acknowledges. The caller must hear every number once, since its answer times the
    /// round trip, and every light ACK that advances; copies and older ones it need not hear.
    pub(super) fn ack_is_news(&mut self, ack: Ack) -> bool {
        let advances = self.acked.is_none_or(|acked| acked.is_before(ack.seq));
        if advances {
            self.acked = Some(ack.seq);
        }
        match ack.number {
            None => advances,
            Some(number) => {
                let newer = self.ack_number.is_none_or(|last| Seq::new(last).is_before(Seq::new(number)));
                if newer {
                    self.ack_number = Some(number);
                }
                newer
            }
        }
    }

    /// True if the very same bytes came a moment ago, on whichever link.
    pub(super) fn is_copy(&mut self, now: Instant, datagram: &[u8]) -> bool {
        while self.heard.front().is_some_and(|(at, _)| now.since(*at) > COPY) {
            self.heard.pop_front();
        }
        if self.heard.iter().any(|(_, old)| old == datagram) {
            return true;
        }
        if self.heard.len() == MOST_REMEMBERED {
            self.heard.pop_front();
        }
        self.heard.push_back((now, Bytes::copy_from_slice(datagram)));
        false
    }

    /// The listener shakes hands; what the caller hears claims periodic NAKs, or libsrt's caller would resend
    /// everything whenever ACKs pause.
    pub(super) fn listener_shakes(&mut self, datagram: &[u8]) -> Bytes {
        self.unanswered = 0;
        let mut mended = datagram.to_vec();
        srt::claim_nak_report(&mut mended);
        Bytes::from(mended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(seq: u32, number: Option<u32>) -> Ack {
        Ack { seq: Seq::new(seq), number }
    }

    #[test]
    fn of_seven_copies_the_caller_hears_the_first() {
        let mut session = Session::default();

        let heard: Vec<bool> = [
            ack(10, Some(1)),
            ack(10, Some(1)),
            ack(20, Some(2)),
            ack(10, Some(1)),
            ack(30, None),
            ack(30, None),
            // nothing new, but the caller must answer its number
            ack(30, Some(3)),
            ack(25, None),
        ]
        .map(|ack| session.ack_is_news(ack))
        .to_vec();

        assert_eq!(heard, [true, false, true, false, true, false, true, false]);
        assert_eq!(session.acked(), Some(Seq::new(30)));
    }
}
