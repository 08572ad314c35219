//! Near: what the SRT caller sends, and what it must hear.

use std::time::Duration;

use bytes::Bytes;

use super::core::MOST_WAITING;
use super::held::Place;
use super::link::Link;
use super::sender::{Sender, socket_of};
use super::session::Begins;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srt::Packet;

/// The listener is told of the end when the last data is through, or after L and this.
const LINGER: Duration = Duration::from_millis(500);

impl Sender {
    pub(super) fn tell_caller(&mut self, datagram: Bytes) {
        if self.for_caller.len() < MOST_WAITING {
            self.for_caller.push_back(datagram);
        }
    }

    pub(super) fn begin_session(&mut self) {
        self.core.forget_stream();
        self.held_handshake = None;
        // the old session's end is of no interest once the new one begins
        self.held_shutdown = None;
    }

    /// False if it is for another session than the one that is.
    pub(super) fn take_packet(&mut self, now: Instant, read: &Packet<'_>, packet: Bytes) -> bool {
        if let Packet::Handshake(handshake) = read {
            if self.session.caller_shakes(handshake) == Begins::Session {
                self.begin_session();
            }
            if self.core.links.iter().any(Link::usable) {
                self.carry_handshake(now, packet);
            } else {
                self.held_handshake = Some((now, packet));
            }
            return true;
        }
        if !self.session.is_to_listener(socket_of(&packet)) {
            return false;
        }
        match read {
            Packet::Data(data) => {
                self.session.caller_sends(data.socket);
                self.take_data(now, data.seq, data.retransmitted, packet);
            }
            Packet::Shutdown => {
                self.caller.leaves();
                if self.core.store.is_empty() {
                    self.carry_end(now, &packet);
                } else {
                    self.held_shutdown = Some((now + self.core.config.latency + LINGER, packet));
                }
            }
            _ => self.carry(now, packet),
        }
        true
    }

    pub(super) fn take_data(&mut self, now: Instant, seq: Seq, resent: bool, packet: Bytes) {
        self.core.count_packet(now, packet.len());
        match self.core.store.place(seq) {
            Place::Within if self.core.store.get(seq).is_some() => {
                self.core.counters.caller_retransmits_dropped += 1;
                return;
            }
            // not ours any more: the listener may still be waiting, so it travels at once
            Place::Before => {
                if self.session.acked().is_some_and(|acked| seq.is_before(acked)) {
                    self.core.counters.caller_retransmits_dropped += 1;
                } else {
                    self.carry(now, packet);
                }
                return;
            }
            Place::Elsewhere => self.begin_session(),
            Place::After if resent && self.session.acked().is_some_and(|acked| seq.is_before(acked)) => {
                self.core.counters.caller_retransmits_dropped += 1;
                return;
            }
            Place::Within | Place::After => {}
        }
        self.core.hold(now, seq, packet);
    }

    /// Sends on the link that is quickest now, and forgets.
    pub(super) fn carry(&mut self, now: Instant, packet: Bytes) {
        if let Some(at) = self.core.quickest(now, 0) {
            self.core.transmit(now, at, packet);
        }
    }

    /// The end of the session: nobody acknowledges it, and without it the listener waits for its own
    /// patience to run out. So every link carries it; the first one counts.
    pub(super) fn carry_end(&mut self, now: Instant, packet: &Bytes) {
        for at in 0..self.core.links.len() {
            if self.core.links[at].usable() {
                self.core.transmit(now, at, packet.clone());
            }
        }
    }

    pub(super) fn carry_handshake(&mut self, now: Instant, packet: Bytes) {
        // each repetition takes the next link: the quickest may be the one that swallows them
        let nth = self.session.unanswered.saturating_sub(1);
        if let Some(at) = self.core.quickest(now, nth) {
            self.core.transmit(now, at, packet);
        }
    }

    pub(super) fn release_shutdown(&mut self, now: Instant) {
        let due = self.held_shutdown.as_ref().is_some_and(|(until, _)| now >= *until || self.core.store.is_empty());
        if due && let Some((_, packet)) = self.held_shutdown.take() {
            self.carry_end(now, &packet);
        }
    }
}
