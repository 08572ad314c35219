//! The SRT listener behind a far end.
//!
//! It acknowledges each 10 ms what has advanced, tells a loss once 40 later packets have come, never
//! repeats that, and gives a packet up at its latency.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bond::BEYOND;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srt::{self, Ack, Handshake, Settings, Step};

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

/// Places count the packets from the session's first, without a wrap.
#[derive(Debug)]
struct Session {
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
}

/// The listener.
#[derive(Debug)]
pub(super) struct Listener {
    session: Option<Session>,
    latency: Duration,
    next_ack: Instant,
    /// What it answers to a handshake.
    pub(super) answers: Vec<Vec<u8>>,
    /// Its ACKs and NAKs.
    pub(super) reports: Vec<Vec<u8>>,
}

impl Listener {
    pub(super) fn new(latency: Duration) -> Self {
        Self { session: None, latency, next_ack: Instant::ZERO, answers: Vec::new(), reports: Vec::new() }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.session.as_ref().map(|_| self.next_ack)
    }

    pub(super) fn shake(&mut self, now: Instant, handshake: &Handshake) {
        let answer = match handshake.step {
            Step::Induction => Handshake { socket: SOCKET, cookie: 0x0c00_c1e5, version: 5, ..*handshake },
            Step::Conclusion => {
                if self.session.as_ref().is_none_or(|session| session.caller != handshake.socket) {
                    self.session = Some(Session {
                        caller: handshake.socket,
                        first: handshake.initial_seq,
                        next: 0,
                        later: BTreeMap::new(),
                        end: 0,
                        told: 0,
                        acked: 0,
                        ack_number: 0,
                        since_light: 0,
                    });
                    self.next_ack = now + ACK_PACE;
                }
                self.concluded(handshake)
            }
            Step::Other(_) => return,
        };
        self.answers.push(srt::emit_handshake(&answer, now.as_micros() as u32, handshake.socket));
    }

    fn concluded(&self, handshake: &Handshake) -> Handshake {
        let ms = (self.latency + BEYOND).as_millis() as u16;
        let settings =
            Settings { version: 0x01_05_03, flags: FLAGS, receive_latency_ms: ms, send_latency_ms: 0, response: true };
        Handshake { socket: SOCKET, settings: Some(settings), ..*handshake }
    }

    /// True if the packet comes for the first time.
    pub(super) fn take_data(&mut self, now: Instant, data: &srt::Data<'_>) -> bool {
        let Some(session) = &mut self.session else { return false };
        let distance = data.seq.distance(session.seq(session.next));
        let Some(place) = session.next.checked_add_signed(i64::from(distance)) else { return false };
        if distance < 0 || session.later.contains_key(&place) {
            return false;
        }
        session.later.insert(place, now);
        session.end = session.end.max(place + 1);
        session.advance();
        session.since_light += 1;
        if session.since_light >= LIGHT_EVERY && session.acked != session.next {
            session.since_light = 0;
            let ack = Ack { seq: session.seq(session.next), number: None };
            self.reports.push(srt::emit_ack(ack, now.as_micros() as u32, session.caller));
        }
        self.tell_losses(now);
        true
    }

    /// Numbers that 40 later packets have overtaken.
    fn tell_losses(&mut self, now: Instant) {
        let Some(session) = &mut self.session else { return };
        session.told = session.told.max(session.next);
        let mut ranges: Vec<(Seq, Seq)> = Vec::new();
        while session.end.saturating_sub(session.told) > TOLERANCE {
            if !session.later.contains_key(&session.told) {
                let seq = session.seq(session.told);
                match ranges.last_mut() {
                    Some((_, to)) if to.plus(1) == seq => *to = seq,
                    _ => ranges.push((seq, seq)),
                }
            }
            session.told += 1;
        }
        if !ranges.is_empty() {
            let nak = srt::emit_nak(&ranges, now.as_micros() as u32, session.caller);
            self.reports.push(nak);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now < self.next_ack {
            return;
        }
        self.next_ack = now + ACK_PACE;
        let Some(session) = &mut self.session else { return };
        session.give_up(now, self.latency);
        if session.acked == session.next {
            return;
        }
        session.acked = session.next;
        session.ack_number += 1;
        let ack = Ack { seq: session.seq(session.next), number: Some(session.ack_number) };
        self.reports.push(srt::emit_ack(ack, now.as_micros() as u32, session.caller));
    }
}

impl Session {
    fn seq(&self, place: u64) -> Seq {
        self.first.plus(place as u32)
    }

    fn advance(&mut self) {
        while self.later.remove(&self.next).is_some() {
            self.next += 1;
        }
    }

    /// The oldest that is here was due: what is missing before it is given up.
    fn give_up(&mut self, now: Instant, latency: Duration) {
        while let Some((place, since)) = self.later.first_key_value().map(|(place, since)| (*place, *since)) {
            if now.since(since) < latency {
                return;
            }
            self.next = place;
            self.advance();
        }
    }
}
