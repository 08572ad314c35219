//! The near end: an SRT caller that makes payloads, opens a session and answers its listener.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::rng::Rng;
use crate::time::Instant;
use crate::units::Bitrate;
use crate::wire::Seq;
use crate::wire::srt::{self, Data, Handshake, Packet, Settings, Step};

/// Bytes of one payload: seven transport stream packets.
pub(super) const PAYLOAD: usize = 1316;
/// A handshake without an answer is repeated after this.
const REPEAT: Duration = Duration::from_millis(250);
/// Pictures a second, and pictures from key to key, of the variable source.
const PICTURES: f64 = 30.0;
const GROUP: u64 = 60;
/// A key picture has the size of so many others.
const KEY: f64 = 6.0;
/// How much a picture's size varies, both ways.
const VARIES: f64 = 0.25;
/// The caller's socket.
const SOCKET: u32 = 0x0ca1;
/// Payloads that the caller keeps for its own retransmissions.
const KEEPS: usize = 8192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Inducing,
    Concluding { cookie: u32 },
    Connected { listener: u32 },
}

/// The caller.
#[derive(Debug)]
pub(super) struct Source {
    rng: Rng,
    rate: Bitrate,
    variable: bool,
    latency: Duration,
    phase: Phase,
    next: Instant,
    until: Instant,
    first: Seq,
    /// When each payload was made.
    pub(super) made: Vec<Instant>,
    kept: VecDeque<Bytes>,
    picture: u64,
    began: Option<Instant>,
    /// Payloads since `began`.
    since: u64,
    fraction: f64,
    /// Datagrams for the engine.
    pub(super) out: Vec<Bytes>,
}

impl Source {
    pub(super) fn new(rate: Bitrate, variable: bool, latency: Duration, until: Instant, mut rng: Rng) -> Self {
        let first = Seq::new(rng.next_u64() as u32);
        Self {
            rng,
            rate,
            variable,
            latency,
            phase: Phase::Inducing,
            next: Instant::ZERO,
            until,
            first,
            made: Vec::new(),
            kept: VecDeque::new(),
            picture: 0,
            began: None,
            since: 0,
            fraction: 0.0,
            out: Vec::new(),
        }
    }

    /// From now on so many bits of payload a second.
    pub(super) fn set_rate(&mut self, now: Instant, rate: Bitrate) {
        if rate == self.rate {
            return;
        }
        let every = |rate: Bitrate| PAYLOAD as f64 * 8.0 / rate.as_bps().max(1) as f64;
        if let (Phase::Connected { .. }, false) = (self.phase, self.variable) {
            // what is made of the next payload keeps its share
            let left = self.next.since(now).as_secs_f64() / every(self.rate);
            self.began = Some(now + Duration::from_secs_f64(left.min(1.0) * every(rate)));
            self.next = now + Duration::from_secs_f64(left.min(1.0) * every(rate));
            self.since = 0;
        }
        self.rate = rate;
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        (self.next < self.until).then_some(self.next)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now < self.next || now >= self.until {
            return;
        }
        match self.phase {
            Phase::Inducing | Phase::Concluding { .. } => {
                self.shake(now);
                self.next = now + REPEAT;
            }
            Phase::Connected { listener } => self.make(now, listener),
        }
    }

    fn shake(&mut self, now: Instant) {
        let (step, cookie, version) = match self.phase {
            Phase::Concluding { cookie } => (Step::Conclusion, cookie, 5),
            _ => (Step::Induction, 0, 4),
        };
        let ms = self.latency.as_millis() as u16;
        let settings = (step == Step::Conclusion).then_some(Settings {
            version: 0x01_05_03,
            flags: 0x3f,
            receive_latency_ms: ms,
            send_latency_ms: ms,
            response: false,
        });
        let handshake = Handshake { step, version, initial_seq: self.first, socket: SOCKET, cookie, settings };
        self.out.push(srt::emit_handshake(&handshake, now.as_micros() as u32, 0).into());
    }

    fn make(&mut self, now: Instant, listener: u32) {
        let began = *self.began.get_or_insert(now);
        if self.variable {
            let mean = self.rate.as_bps() as f64 / 8.0 / PICTURES;
            let plain = mean * GROUP as f64 / (GROUP as f64 - 1.0 + KEY);
            let size = if self.picture.is_multiple_of(GROUP) {
                plain * KEY
            } else {
                plain * (1.0 + VARIES * (2.0 * self.rng.unit() - 1.0))
            };
            self.fraction += size / PAYLOAD as f64;
            while self.fraction >= 1.0 {
                self.fraction -= 1.0;
                self.emit(now, listener);
            }
            self.picture += 1;
            self.next = began + Duration::from_secs_f64(self.picture as f64 / PICTURES);
        } else {
            self.emit(now, listener);
            self.since += 1;
            let made = self.since as f64;
            let every = PAYLOAD as f64 * 8.0 / self.rate.as_bps().max(1) as f64;
            self.next = began + Duration::from_secs_f64(made * every);
        }
        self.next = self.next.max(now + Duration::from_micros(1));
    }

    fn emit(&mut self, now: Instant, listener: u32) {
        let number = self.made.len() as u64;
        let mut payload = [0; PAYLOAD];
        payload[..8].copy_from_slice(&number.to_be_bytes());
        let packet = Bytes::from(srt::emit_data(&Data {
            seq: self.first.plus(number as u32),
            message: number as u32,
            retransmitted: false,
            timestamp: now.as_micros() as u32,
            socket: listener,
            payload: &payload,
        }));
        self.made.push(now);
        if self.kept.len() == KEEPS {
            self.kept.pop_front();
        }
        self.kept.push_back(packet.clone());
        self.out.push(packet);
    }

    /// The engine hands the caller something from its listener.
    pub(super) fn handle_packet(&mut self, now: Instant, datagram: &[u8]) {
        match srt::peek(datagram) {
            Ok(Packet::Handshake(handshake)) => match (self.phase, handshake.step) {
                (Phase::Inducing, Step::Induction) => {
                    self.phase = Phase::Concluding { cookie: handshake.cookie };
                    self.next = now;
                }
                (Phase::Concluding { .. }, Step::Conclusion) => {
                    self.phase = Phase::Connected { listener: handshake.socket };
                    self.next = now;
                }
                _ => {}
            },
            Ok(Packet::Ack(ack)) => {
                if let (Some(number), Phase::Connected { listener }) = (ack.number, self.phase) {
                    self.out.push(srt::emit_ackack(number, now.as_micros() as u32, listener).into());
                }
            }
            Ok(Packet::Nak(list)) => {
                for (from, to) in list {
                    for ahead in 0..=to.distance(from).clamp(0, KEEPS as i32) as u32 {
                        self.retransmit(from.plus(ahead));
                    }
                }
            }
            _ => {}
        }
    }

    fn retransmit(&mut self, seq: Seq) {
        let oldest = self.first.plus((self.made.len() - self.kept.len()) as u32);
        let Some(packet) = usize::try_from(seq.distance(oldest)).ok().and_then(|at| self.kept.get(at)) else { return };
        if let Ok(Packet::Data(data)) = srt::peek(packet) {
            let again = srt::emit_data(&Data { retransmitted: true, ..data });
            self.out.push(again.into());
        }
    }
}
