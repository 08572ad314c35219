//! Field: the far end as the field has it, which acknowledges by tens and passes the listener's word on.

use std::time::Duration;

use bytes::Bytes;

use super::held::Place;
use super::link::{Link, Membership, REGISTER_PACE};
use super::sender::{Sender, socket_of};
use super::session::MOST_NAKED;
use super::srtla::REFUSED;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srt::{self, Packet};
use crate::wire::srtla::{self, Repr};

impl Sender {
    /// False if the frame makes no sense here.
    pub(super) fn take_frame(&mut self, now: Instant, at: usize, frame: &Repr<'_>) -> bool {
        let id = self.core.links[at].id;
        match frame {
            Repr::Keepalive(keepalive) => match keepalive.stamp_ms {
                Some(stamp) => self.core.links[at].echoed(now, stamp),
                // a far end may ask for a sign of life itself; ours come often enough
                None => true,
            },
            Repr::Ack(list) => {
                self.take_link_ack(now, at, *list);
                true
            }
            Repr::Reg2(group) => {
                let ours = self.registration.named(now, *group);
                if ours {
                    for link in &mut self.core.links {
                        link.put_outside(now);
                    }
                    self.ask_to_be_let_in(now);
                }
                ours
            }
            Repr::Reg3 => {
                // the answer to a probe with an unknown id cannot be REG3
                let sensible = self.registration.is_known();
                if sensible {
                    self.admit(now, at);
                }
                sensible
            }
            Repr::RegNgp => {
                self.group_is_unknown(now, at);
                true
            }
            Repr::RegErr | Repr::RegNak => {
                self.registration.refused(now, id);
                self.core.links[at].membership = Membership::Outside { ask_at: now + REFUSED };
                true
            }
            Repr::Reg1(_) => false,
        }
    }

    pub(super) fn admit(&mut self, now: Instant, at: usize) {
        let first = !self.core.links.iter().any(Link::usable);
        self.core.links[at].admitted(now);
        if let Some(payload) = self.core.links[at].keepalive(now, true) {
            self.core.transmit(now, at, payload.into());
        }
        if first {
            self.release_handshake(now);
        }
    }

    pub(super) fn group_is_unknown(&mut self, now: Instant, at: usize) {
        // while other links prove that the group lives, one stray refusal proves nothing
        let alive =
            self.core.links.iter().enumerate().any(|(other, link)| {
                other != at && link.usable() && now.since(link.last_proof()) < Duration::from_secs(1)
            });
        if self.registration.is_known() && alive {
            self.core.links[at].membership = Membership::Outside { ask_at: now + REGISTER_PACE };
            return;
        }
        let others = self.core.links.iter().enumerate().any(|(other, link)| other != at && link.carrier);
        let id = self.core.links[at].id;
        if let Some(payload) = self.registration.unknown(now, id, others) {
            for link in &mut self.core.links {
                link.membership = Membership::Outside { ask_at: now + REGISTER_PACE };
            }
            self.core.transmit(now, at, payload.into());
        }
    }

    pub(super) fn take_link_ack(&mut self, now: Instant, at: usize, list: srtla::AckList<'_>) {
        let id = self.core.links[at].id;
        let mut numbers = std::mem::take(&mut self.numbers);
        let mut lost = std::mem::take(&mut self.lost);
        numbers.clear();
        lost.clear();
        for seq in list {
            let held = self.core.store.get_mut(seq);
            let copy = held.as_ref().and_then(|held| held.copies().find(|copy| copy.link == id));
            let (Some(held), Some(copy)) = (held, copy) else {
                self.core.links[at].train_answered(now, seq);
                continue;
            };
            numbers.push(copy.number);
            let news = held.delivered.replace(now).is_none().then_some(held.payload.len());
            self.core.queue.take(held);
            if let Some(bytes) = news {
                self.core.count_delivered(now, bytes);
            }
        }
        self.core.links[at].acknowledged(now, &numbers, &mut lost);
        for (number, seq) in lost.drain(..) {
            self.core.copy_lost(at, number, seq);
        }
        self.numbers = numbers;
        self.lost = lost;
    }

    /// False if the packet is none that a listener sends to this caller.
    pub(super) fn take_from_listener(&mut self, now: Instant, at: usize, packet: &Packet<'_>, datagram: &[u8]) -> bool {
        if let Packet::Data(data) = packet {
            // a listener that talks back: not our business
            let ours = self.session.is_ours(data.socket);
            if ours {
                self.tell_caller(Bytes::copy_from_slice(datagram));
            }
            return ours;
        }
        if !self.session.is_ours(socket_of(datagram)) {
            return false;
        }
        match packet {
            Packet::Ack(ack) => return self.take_ack(now, at, *ack, datagram),
            Packet::Nak(list) => {
                let returned = Duration::from_micros(self.core.links[at].one_way() as u64);
                self.take_nak(now, *list, datagram, returned);
            }
            Packet::Handshake(handshake) => {
                if !self.session.is_copy(now, datagram) {
                    let answer = self.agree(now, handshake, datagram);
                    self.tell_caller(answer);
                }
            }
            _ => {
                if !self.session.is_copy(now, datagram) {
                    self.tell_caller(Bytes::copy_from_slice(datagram));
                }
            }
        }
        true
    }

    /// The listener's word came through the tunnel: whole, once, and in our far end's name.
    pub(super) fn hear_listener(&mut self, now: Instant, packet: &[u8]) {
        if !self.session.is_ours(socket_of(packet)) {
            return;
        }
        match srt::peek(packet) {
            Ok(Packet::Handshake(handshake)) => {
                let answer = self.agree(now, &handshake, packet);
                self.tell_caller(answer);
            }
            Ok(Packet::Ack(ack)) => {
                if self.session.ack_is_news(ack) {
                    self.tell_caller(Bytes::copy_from_slice(packet));
                }
            }
            Ok(Packet::Nak(list)) => self.take_nak(now, list, packet, Duration::ZERO),
            Ok(_) => self.tell_caller(Bytes::copy_from_slice(packet)),
            Err(_) => self.core.counters.strange_packets += 1,
        }
    }

    /// The listener answers: L follows what it has negotiated, or the caller hears a refusal and the listener the end.
    fn agree(&mut self, now: Instant, handshake: &srt::Handshake, datagram: &[u8]) -> Bytes {
        let mended = self.session.listener_shakes(datagram);
        let Some(negotiated) = handshake.negotiated_latency() else { return mended };
        self.session.negotiated = Some(negotiated);
        match self.core.config.latency_within(negotiated) {
            Ok(latency) => {
                self.core.config.latency = latency;
                mended
            }
            Err(why) => {
                tracing::warn!("session refused: {why}");
                self.carry_end(now, &Bytes::from(srt::emit_shutdown(0, handshake.socket)));
                Bytes::from(srt::refusal_like(datagram))
            }
        }
    }

    pub(super) fn take_ack(&mut self, now: Instant, at: usize, ack: srt::Ack, datagram: &[u8]) -> bool {
        // an ACK over what was never sent is nobody's
        if !self.core.store.is_empty() && self.core.store.end().is_before(ack.seq) {
            return false;
        }
        if self.session.ack_is_news(ack) {
            self.core.acked_behind(now, ack.seq);
            for (other, link) in self.core.links.iter_mut().enumerate() {
                if other != at {
                    link.ack_came_elsewhere(now);
                }
            }
            self.tell_caller(Bytes::copy_from_slice(datagram));
        } else {
            self.core.counters.ack_copies_dropped += 1;
        }
        while !self.core.store.is_empty() && self.core.store.base().is_before(ack.seq) {
            let Some((_, Some(mut held))) = self.core.store.pop_front() else { continue };
            self.core.queue.take(&mut held);
            if held.delivered.is_none() {
                let bytes = held.payload.len();
                self.core.count_delivered(now, bytes);
            }
            let sole = held.sends == 1;
            for copy in held.copies() {
                if let Some(link) = self.core.links.iter_mut().find(|link| link.id == copy.link) {
                    link.passed(now, copy.number, sole);
                }
            }
        }
        true
    }

    /// What we hold we also bring; only of the rest the caller hears. The word was under way for about `returned`.
    pub(super) fn take_nak(&mut self, now: Instant, list: srt::LossList<'_>, datagram: &[u8], returned: Duration) {
        let copy = self.session.is_copy(now, datagram);
        let mut left = MOST_NAKED;
        let mut pass: Vec<(Seq, Seq)> = Vec::new();
        for (from, to) in list {
            let mut seq = from;
            for _ in 0..=to.distance(from).max(0) {
                if left == 0 {
                    break;
                }
                left -= 1;
                let held = self.core.store.get(seq);
                if self.core.tunnel.is_some() && held.is_none_or(|held| held.delivered.is_some()) {
                    // it came through the tunnel and was lost behind it: the caller sends it again
                    pass_on(&mut pass, seq);
                } else if held.is_some() {
                    self.core.is_missed(now, seq, copy, returned);
                } else if self.is_for_caller(seq) {
                    pass_on(&mut pass, seq);
                }
                seq = seq.plus(1);
            }
        }
        if copy || pass.is_empty() {
            self.core.counters.naks_swallowed += 1;
            return;
        }
        self.tell_caller(Bytes::from(srt::narrowed_nak(datagram, &pass)));
    }

    /// The listener misses a number that we do not hold: older than what we keep, or one that never reached us.
    pub(super) fn is_for_caller(&self, seq: Seq) -> bool {
        let acked = self.session.acked().is_some_and(|acked| seq.is_before(acked));
        let known = !self.core.store.is_empty() && matches!(self.core.store.place(seq), Place::Before | Place::Within);
        known && !acked
    }

    /// Links that are outside, or silent and perhaps under another address, ask to be let in.
    pub(super) fn register(&mut self, now: Instant) {
        for at in 0..self.core.links.len() {
            if self.core.links[at].is_forgotten(now) {
                self.core.links[at].put_outside(now);
            }
            if self.registration.is_known()
                && self.core.links[at].asks_again(now)
                && let Some(payload) = self.registration.ask()
            {
                self.core.transmit(now, at, payload.into());
            }
        }
        self.ask_to_be_let_in(now);
    }

    pub(super) fn ask_to_be_let_in(&mut self, now: Instant) {
        for at in 0..self.core.links.len() {
            let Membership::Outside { ask_at } = self.core.links[at].membership else { continue };
            if !self.core.links[at].carrier || now < ask_at {
                continue;
            }
            let Some(payload) = self.registration.ask() else { return };
            self.core.links[at].membership = Membership::Outside { ask_at: now + REGISTER_PACE };
            self.core.transmit(now, at, payload.into());
        }
    }
}

/// One more number of which the caller hears.
fn pass_on(pass: &mut Vec<(Seq, Seq)>, seq: Seq) {
    match pass.last_mut() {
        Some((_, last)) if last.plus(1) == seq => *last = seq,
        _ => pass.push((seq, seq)),
    }
}
