//! Near: what the SRT caller sends, and what it must hear.

use std::time::Duration;

use bytes::Bytes;

use super::core::MOST_WAITING;
use super::held::{Head, Place};
use super::link::Link;
use super::sender::{Sender, socket_of};
use super::session::Begins;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srt::{self, Packet};

/// A handshake that waits for the first link; older ones would shift the listener's clock.
const HANDSHAKE_KEEPS: Duration = Duration::from_millis(250);
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
            // the far end has it, and whoever stands behind asks for it: that way is not ours
            Place::Within if self.core.store.get(seq).is_some_and(|held| held.delivered.is_some()) && resent => {
                return self.carry(now, packet);
            }
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
        if self.core.tunnel.is_some() {
            self.hold_srt(now, seq, &packet);
        } else {
            self.core.hold(now, seq, Head::default(), packet);
        }
    }

    /// Sends on the link that is quickest now, and forgets.
    pub(super) fn carry(&mut self, now: Instant, packet: Bytes) {
        if self.core.tunnel.is_some() {
            self.send_control(now, &packet, self.core.store.end(), 0..1);
        } else if let Some(at) = self.core.quickest(now, 0) {
            self.core.transmit(now, at, packet);
        }
    }

    /// The end of the session: nobody acknowledges it, and without it the listener waits for its own
    /// patience to run out. So every link carries it; the first one counts.
    pub(super) fn carry_end(&mut self, now: Instant, packet: &Bytes) {
        if self.core.tunnel.is_some() {
            return self.send_control(now, packet, self.core.store.end(), 0..self.core.links.len());
        }
        for at in 0..self.core.links.len() {
            if self.core.links[at].usable() {
                self.core.transmit(now, at, packet.clone());
            }
        }
    }

    /// A handshake that came before the first link travels now, unless it is too old.
    pub(super) fn release_handshake(&mut self, now: Instant) {
        if self.held_handshake.is_some()
            && self.core.links.iter().any(Link::usable)
            && let Some((since, handshake)) = self.held_handshake.take()
            && now.since(since) <= HANDSHAKE_KEEPS
        {
            self.carry_handshake(now, handshake);
        }
    }

    pub(super) fn carry_handshake(&mut self, now: Instant, packet: Bytes) {
        // each repetition takes the next link: the quickest may be the one that swallows them
        let nth = self.session.unanswered.saturating_sub(1);
        if self.core.tunnel.is_some() {
            let next = match srt::peek(&packet) {
                Ok(Packet::Handshake(handshake)) if self.core.store.is_empty() => handshake.initial_seq,
                _ => self.core.store.end(),
            };
            return self.send_control(now, &packet, next, nth..nth + 2);
        }
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
