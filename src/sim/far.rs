//! The far end as the field has it: a receiver that knows links, and the SRT listener behind it.
//!
//! The receiver acknowledges by tens on the link that the packets came by, has no timer, echoes
//! keepalives and copies ACKs and NAKs to all links; everything else goes to the link heard last.
//! The listener acknowledges each 10 ms what has advanced, tells a loss once 40 later packets have
//! come, never repeats that, and gives a packet up at its latency.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bond::BEYOND;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srt::{self, Ack, Handshake, Packet, Settings, Step};
use crate::wire::srtla::{self, GroupId, Repr};

/// A full ACK at most so often.
const ACK_PACE: Duration = Duration::from_millis(10);
/// A light ACK after so many packets.
const LIGHT_EVERY: u32 = 64;
/// Later packets before a loss is told.
const TOLERANCE: u64 = 40;
/// The listener's socket.
const SOCKET: u32 = 0x0815;
/// TSBPD both ways, TLPKTDROP, REXMITFLG and no periodic NAK reports: the field's listener.
const FLAGS: u32 = 0x01 | 0x02 | 0x08 | 0x20;

#[derive(Debug, Default)]
struct Member {
    unacked: Vec<Seq>,
}

/// Places count the packets from the session's first, without a wrap.
#[derive(Debug)]
struct Listener {
    caller: u32,
    first: Seq,
    /// Everything before is here or given up.
    next: u64,
    /// Later ones that are here, and since when.
    later: BTreeMap<u64, Instant>,
    /// The place after the last that is here.
    end: u64,
    /// Up to here losses were told.
    told: u64,
    acked: u64,
    ack_number: u32,
    since_light: u32,
    latency: Duration,
}

/// Both halves.
#[derive(Debug)]
pub(super) struct FarEnd {
    rng: Rng,
    group: Option<GroupId>,
    members: BTreeMap<usize, Member>,
    last: Option<usize>,
    listener: Option<Listener>,
    latency: Duration,
    next_ack: Instant,
    /// Datagrams to send back, with their links.
    pub(super) out: Vec<(usize, Vec<u8>)>,
    /// Numbers of the payloads that came for the first time.
    pub(super) arrivals: Vec<u64>,
}

impl FarEnd {
    pub(super) fn new(latency: Duration, rng: Rng) -> Self {
        Self {
            rng,
            group: None,
            members: BTreeMap::new(),
            last: None,
            listener: None,
            latency,
            next_ack: Instant::ZERO,
            out: Vec::new(),
            arrivals: Vec::new(),
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.listener.as_ref().map(|_| self.next_ack)
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, link: usize, datagram: &[u8]) {
        if srtla::is_srtla(datagram) {
            if let Ok(frame) = srtla::parse(datagram) {
                self.take_frame(link, &frame, datagram);
            }
            return;
        }
        // an address that is no member is nobody: silence
        let Some(member) = self.members.get_mut(&link) else { return };
        let Ok(packet) = srt::peek(datagram) else { return };
        self.last = Some(link);
        match packet {
            Packet::Data(data) => {
                member.unacked.push(data.seq);
                if member.unacked.len() == srtla::ACK_COUNT {
                    self.out.push((link, srtla::emit_ack(&member.unacked)));
                    member.unacked.clear();
                }
                self.take_data(now, &data);
            }
            Packet::Handshake(handshake) => self.shake(now, &handshake),
            _ => {}
        }
    }

    fn take_frame(&mut self, link: usize, frame: &Repr<'_>, datagram: &[u8]) {
        match frame {
            Repr::Keepalive(_) if self.members.contains_key(&link) => self.out.push((link, datagram.to_vec())),
            Repr::Reg1(id) => {
                let mut full = *id;
                self.rng.fill(&mut full.0[GroupId::HALF..]);
                self.group = Some(full);
                self.members.clear();
                self.out.push((link, Repr::Reg2(full).to_vec()));
            }
            Repr::Reg2(id) if self.group.is_some_and(|group| group.matches(id)) => {
                self.members.entry(link).or_default();
                self.out.push((link, Repr::Reg3.to_padded()));
            }
            Repr::Reg2(_) => self.out.push((link, Repr::RegNgp.to_padded())),
            _ => {}
        }
    }

    fn shake(&mut self, now: Instant, handshake: &Handshake) {
        let Some(last) = self.last else { return };
        let answer = match handshake.step {
            Step::Induction => Handshake { socket: SOCKET, cookie: 0x0c00_c1e5, version: 5, ..*handshake },
            Step::Conclusion if self.listener.as_ref().is_some_and(|l| l.caller == handshake.socket) => {
                self.concluded(handshake)
            }
            Step::Conclusion => {
                self.listener = Some(Listener {
                    caller: handshake.socket,
                    first: handshake.initial_seq,
                    next: 0,
                    later: BTreeMap::new(),
                    end: 0,
                    told: 0,
                    acked: 0,
                    ack_number: 0,
                    since_light: 0,
                    latency: self.latency,
                });
                self.next_ack = now + ACK_PACE;
                self.concluded(handshake)
            }
            Step::Other(_) => return,
        };
        let stamp = now.as_micros() as u32;
        self.out.push((last, srt::emit_handshake(&answer, stamp, handshake.socket)));
    }

    fn concluded(&self, handshake: &Handshake) -> Handshake {
        let ms = (self.latency + BEYOND).as_millis() as u16;
        let settings =
            Settings { version: 0x01_05_03, flags: FLAGS, receive_latency_ms: ms, send_latency_ms: 0, response: true };
        Handshake { socket: SOCKET, settings: Some(settings), ..*handshake }
    }

    fn take_data(&mut self, now: Instant, data: &srt::Data<'_>) {
        let Some(listener) = &mut self.listener else { return };
        let distance = data.seq.distance(listener.seq(listener.next));
        let Some(place) = listener.next.checked_add_signed(i64::from(distance)) else { return };
        if distance < 0 || listener.later.contains_key(&place) {
            return;
        }
        self.arrivals.push(u64_at(data.payload));
        listener.later.insert(place, now);
        listener.end = listener.end.max(place + 1);
        listener.advance();
        listener.since_light += 1;
        if listener.since_light >= LIGHT_EVERY && listener.acked != listener.next {
            listener.since_light = 0;
            let ack = Ack { seq: listener.seq(listener.next), number: None };
            let light = srt::emit_ack(ack, now.as_micros() as u32, listener.caller);
            self.copy_to_all(&light);
        }
        self.tell_losses(now);
    }

    /// Numbers that 40 later packets have overtaken.
    fn tell_losses(&mut self, now: Instant) {
        let Some(listener) = &mut self.listener else { return };
        listener.told = listener.told.max(listener.next);
        let mut ranges: Vec<(Seq, Seq)> = Vec::new();
        while listener.end.saturating_sub(listener.told) > TOLERANCE {
            if !listener.later.contains_key(&listener.told) {
                let seq = listener.seq(listener.told);
                match ranges.last_mut() {
                    Some((_, to)) if to.plus(1) == seq => *to = seq,
                    _ => ranges.push((seq, seq)),
                }
            }
            listener.told += 1;
        }
        if !ranges.is_empty() {
            let nak = srt::emit_nak(&ranges, now.as_micros() as u32, listener.caller);
            self.copy_to_all(&nak);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now < self.next_ack {
            return;
        }
        self.next_ack = now + ACK_PACE;
        let Some(listener) = &mut self.listener else { return };
        listener.give_up(now);
        if listener.acked == listener.next {
            return;
        }
        listener.acked = listener.next;
        listener.ack_number += 1;
        let ack = Ack { seq: listener.seq(listener.next), number: Some(listener.ack_number) };
        let full = srt::emit_ack(ack, now.as_micros() as u32, listener.caller);
        self.copy_to_all(&full);
    }

    fn copy_to_all(&mut self, datagram: &[u8]) {
        for link in self.members.keys() {
            self.out.push((*link, datagram.to_vec()));
        }
    }
}

impl Listener {
    fn seq(&self, place: u64) -> Seq {
        self.first.plus(place as u32)
    }

    fn advance(&mut self) {
        while self.later.remove(&self.next).is_some() {
            self.next += 1;
        }
    }

    /// The oldest that is here was due: what is missing before it is given up.
    fn give_up(&mut self, now: Instant) {
        while let Some((place, since)) = self.later.first_key_value().map(|(place, since)| (*place, *since)) {
            if now.since(since) < self.latency {
                return;
            }
            self.next = place;
            self.advance();
        }
    }
}

/// The number that the source wrote at the head of its payload.
fn u64_at(payload: &[u8]) -> u64 {
    payload.get(..8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
}
