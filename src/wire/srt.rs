//! A peek at SRT: what a proxy must read of data and control packets, and the one bit it may mend.
//!
//! ```text
//! data      0│sequence (31)        │position 2, order 1, key 2, R 1, message 26│timestamp│socket id│payload
//! control   1│type (15), sub (16)  │information                                │timestamp│socket id│body
//! ```

use std::time::Duration;

use super::error::Error;
use super::seq::Seq;
use super::{u16_at, u32_at};

/// Bytes of the header that every SRT packet has.
pub const HEADER: usize = 16;

const SEQUENCE: usize = 0;
const INFO: usize = 4;
const TIMESTAMP: usize = 8;
const SOCKET: usize = 12;

const CONTROL_BIT: u32 = 0x8000_0000;
const RETRANSMITTED_BIT: u32 = 0x0400_0000;
const MESSAGE_MASK: u32 = 0x03ff_ffff;

const HANDSHAKE: u16 = 0x8000;
const KEEPALIVE: u16 = 0x8001;
const ACK: u16 = 0x8002;
const NAK: u16 = 0x8003;
const SHUTDOWN: u16 = 0x8005;
const ACKACK: u16 = 0x8006;

/// Bytes of a handshake without extensions, header included.
pub const HANDSHAKE_LEN: usize = 64;
const HS_VERSION: usize = 16;
const HS_EXTENSION: usize = 22;
const HS_SEQUENCE: usize = 24;
const HS_REQUEST: usize = 36;
const HS_SOCKET: usize = 40;
const HS_COOKIE: usize = 44;

const INDUCTION: u32 = 1;
const CONCLUSION: u32 = 0xffff_ffff;
/// libsrt's 1000 for a refusal, and its reason 1406: settings that cannot be.
const NOT_ACCEPTABLE: u32 = 2406;
const HSREQ: u16 = 1;
const HSRSP: u16 = 2;
const EXT_VERSION: usize = 4;
const EXT_FLAGS: usize = 8;
const EXT_LATENCY: usize = 12;
const EXT_LEN: usize = 16;

/// The flag by which a listener says that it repeats its NAKs periodically.
pub const FLAG_NAK_REPORT: u32 = 0x10;

/// An SRT packet, as far as a proxy looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Payload of the stream.
    Data(Data<'a>),
    /// Opening of a session.
    Handshake(Handshake),
    /// Sign of life.
    Keepalive,
    /// Everything before a number has arrived.
    Ack(Ack),
    /// Numbers that are missing.
    Nak(LossList<'a>),
    /// End of the session.
    Shutdown,
    /// The sender's answer to a full ACK, with its number.
    AckAck(u32),
    /// Any other control packet, by its type.
    Other(u16),
}

/// A data packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data<'a> {
    /// Its number in the stream.
    pub seq: Seq,
    /// Its message number, 26 bits.
    pub message: u32,
    /// The R bit: it was sent before.
    pub retransmitted: bool,
    /// Microseconds since the session began, wrapping.
    pub timestamp: u32,
    /// The socket that it is for.
    pub socket: u32,
    /// What it carries.
    pub payload: &'a [u8],
}

/// A cumulative acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The first number that has not arrived.
    pub seq: Seq,
    /// The number that an ACKACK repeats; `None` in a light ACK, which nobody answers.
    pub number: Option<u32>,
}

/// Which step of the opening a handshake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Cookie asked or given.
    Induction,
    /// Settings asked or given.
    Conclusion,
    /// A refusal or another step, by its number.
    Other(u32),
}

/// The settings that one side states in its conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// libsrt's version, such as 0x010503.
    pub version: u32,
    /// SRT flags; see [`FLAG_NAK_REPORT`].
    pub flags: u32,
    /// Latency for receiving, milliseconds.
    pub receive_latency_ms: u16,
    /// Latency for sending, milliseconds.
    pub send_latency_ms: u16,
    /// The listener states them (HSRSP), not the caller (HSREQ).
    pub response: bool,
}

/// A handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Which step.
    pub step: Step,
    /// Handshake version, 4 or 5.
    pub version: u32,
    /// The number of the first data packet.
    pub initial_seq: Seq,
    /// The socket that sends it.
    pub socket: u32,
    /// SYN cookie.
    pub cookie: u32,
    /// Settings, where the conclusion carries them.
    pub settings: Option<Settings>,
}

impl Handshake {
    /// What the listener waits before it gives a payload out, if this is its conclusion and it waits at all:
    /// the longer of what both sides wanted.
    #[must_use]
    pub fn negotiated_latency(&self) -> Option<Duration> {
        let settings = self.settings.filter(|settings| settings.response && settings.receive_latency_ms > 0)?;
        Some(Duration::from_millis(settings.receive_latency_ms.into()))
    }
}

/// When a packet says that it was sent: microseconds since its socket began, wrapping.
#[must_use]
pub fn timestamp(packet: &[u8]) -> Option<u32> {
    packet.get(8..12)?.try_into().ok().map(u32::from_be_bytes)
}

/// The numbers that a NAK names, as ranges with both ends included. Ranges that run backwards are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossList<'a>(&'a [u8]);

impl Iterator for LossList<'_> {
    type Item = (Seq, Seq);

    fn next(&mut self) -> Option<(Seq, Seq)> {
        while self.0.len() >= 4 {
            let first = u32_at(self.0, 0);
            self.0 = &self.0[4..];
            let from = Seq::new(first);
            if first & CONTROL_BIT == 0 {
                return Some((from, from));
            }
            if self.0.len() < 4 {
                return None;
            }
            let to = Seq::new(u32_at(self.0, 0));
            self.0 = &self.0[4..];
            if !to.is_before(from) {
                return Some((from, to));
            }
        }
        None
    }
}

/// Reads an SRT packet.
///
/// # Errors
/// If it is too short for its type, or a control packet of the types that belong to SRTLA.
pub fn peek(datagram: &[u8]) -> Result<Packet<'_>, Error> {
    let wanted = |wanted| Err(Error::TooShort { len: datagram.len(), wanted });
    if datagram.len() < HEADER {
        return wanted(HEADER);
    }
    let first = u32_at(datagram, SEQUENCE);
    let info = u32_at(datagram, INFO);
    if first & CONTROL_BIT == 0 {
        return Ok(Packet::Data(Data {
            seq: Seq::new(first),
            message: info & MESSAGE_MASK,
            retransmitted: info & RETRANSMITTED_BIT != 0,
            timestamp: u32_at(datagram, TIMESTAMP),
            socket: u32_at(datagram, SOCKET),
            payload: &datagram[HEADER..],
        }));
    }
    let kind = u16_at(datagram, 0);
    let body = &datagram[HEADER..];
    match kind {
        HANDSHAKE if datagram.len() < HANDSHAKE_LEN => wanted(HANDSHAKE_LEN),
        HANDSHAKE => Ok(Packet::Handshake(handshake(datagram))),
        KEEPALIVE => Ok(Packet::Keepalive),
        ACK if body.len() < 4 => wanted(HEADER + 4),
        // libsrt tells the two kinds of ACK apart by nothing but the length
        ACK => Ok(Packet::Ack(Ack { seq: Seq::new(u32_at(body, 0)), number: (body.len() > 4).then_some(info) })),
        NAK if body.len() < 4 => wanted(HEADER + 4),
        NAK => Ok(Packet::Nak(LossList(body))),
        SHUTDOWN => Ok(Packet::Shutdown),
        ACKACK => Ok(Packet::AckAck(info)),
        0x9000.. if kind < 0xa000 => Err(Error::UnknownType(kind)),
        _ => Ok(Packet::Other(kind)),
    }
}

fn handshake(datagram: &[u8]) -> Handshake {
    let step = match u32_at(datagram, HS_REQUEST) {
        INDUCTION => Step::Induction,
        CONCLUSION => Step::Conclusion,
        other => Step::Other(other),
    };
    Handshake {
        step,
        version: u32_at(datagram, HS_VERSION),
        initial_seq: Seq::new(u32_at(datagram, HS_SEQUENCE)),
        socket: u32_at(datagram, HS_SOCKET),
        cookie: u32_at(datagram, HS_COOKIE),
        settings: settings_at(datagram).map(|at| Settings {
            version: u32_at(datagram, at + EXT_VERSION),
            flags: u32_at(datagram, at + EXT_FLAGS),
            receive_latency_ms: u16_at(datagram, at + EXT_LATENCY),
            send_latency_ms: u16_at(datagram, at + EXT_LATENCY + 2),
            response: u16_at(datagram, at) == HSRSP,
        }),
    }
}

/// Where the HSREQ or HSRSP block of a conclusion begins.
fn settings_at(datagram: &[u8]) -> Option<usize> {
    if datagram.len() < HANDSHAKE_LEN
        || u16_at(datagram, 0) != HANDSHAKE
        || u32_at(datagram, HS_REQUEST) != CONCLUSION
        || u16_at(datagram, HS_EXTENSION) & 1 == 0
    {
        return None;
    }
    let mut at = HANDSHAKE_LEN;
    while at + EXT_LEN <= datagram.len() {
        let words = usize::from(u16_at(datagram, at + 2));
        if matches!(u16_at(datagram, at), HSREQ | HSRSP) && words >= 3 {
            return Some(at);
        }
        at += 4 + 4 * words;
    }
    None
}

/// Sets the flag [`FLAG_NAK_REPORT`] in the listener's conclusion; false if the datagram is none, or has it already.
///
/// Without that flag libsrt's caller resends everything it holds whenever ACKs pause.
pub fn claim_nak_report(datagram: &mut [u8]) -> bool {
    let Some(at) = settings_at(datagram) else { return false };
    let flags = u32_at(datagram, at + EXT_FLAGS);
    if u16_at(datagram, at) != HSRSP || flags & FLAG_NAK_REPORT != 0 {
        return false;
    }
    datagram[at + EXT_FLAGS..at + EXT_FLAGS + 4].copy_from_slice(&(flags | FLAG_NAK_REPORT).to_be_bytes());
    true
}

/// A refusal in place of the listener's conclusion `datagram`: the caller's libsrt reports that the settings were
/// not acceptable (1406).
#[must_use]
pub fn refusal_like(datagram: &[u8]) -> Vec<u8> {
    let mut refusal = datagram.to_vec();
    // no settings follow
    refusal.resize(HANDSHAKE_LEN, 0);
    refusal[HS_EXTENSION - 2..HS_EXTENSION + 2].fill(0);
    refusal[HS_REQUEST..HS_REQUEST + 4].copy_from_slice(&NOT_ACCEPTABLE.to_be_bytes());
    refusal
}

/// Writes a data packet (order flag set, whole message, unencrypted).
#[must_use]
pub fn emit_data(data: &Data<'_>) -> Vec<u8> {
    let resent = if data.retransmitted { RETRANSMITTED_BIT } else { 0 };
    let info = 0xe000_0000 | resent | (data.message & MESSAGE_MASK);
    let mut out = header(data.seq.value(), info, data.timestamp, data.socket, data.payload.len());
    out.extend_from_slice(data.payload);
    out
}

/// Writes a control packet from its parts; `kind` is one of the types that [`Packet`] knows.
fn control(kind: u16, info: u32, timestamp: u32, socket: u32, body: &[u8]) -> Vec<u8> {
    let mut out = header(u32::from(kind) << 16, info, timestamp, socket, body.len());
    out.extend_from_slice(body);
    out
}

fn header(first: u32, info: u32, timestamp: u32, socket: u32, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + room);
    for word in [first, info, timestamp, socket] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out
}

/// Writes an ACK: light (4 bytes) without a number, else full with its six further words zero but the buffer size.
#[must_use]
pub fn emit_ack(ack: Ack, timestamp: u32, socket: u32) -> Vec<u8> {
    let mut body = ack.seq.value().to_be_bytes().to_vec();
    if ack.number.is_some() {
        // rtt, its variance, free buffer, packets/s, capacity, bytes/s: what a caller wants to see is room
        for word in [100_000_u32, 50_000, 8192, 0, 0, 0] {
            body.extend_from_slice(&word.to_be_bytes());
        }
    }
    control(ACK, ack.number.unwrap_or(0), timestamp, socket, &body)
}

/// Writes a NAK that names `ranges`, both ends included.
#[must_use]
pub fn emit_nak(ranges: &[(Seq, Seq)], timestamp: u32, socket: u32) -> Vec<u8> {
    let mut body = Vec::with_capacity(ranges.len() * 8);
    for (from, to) in ranges {
        if from == to {
            body.extend_from_slice(&from.value().to_be_bytes());
        } else {
            body.extend_from_slice(&(from.value() | CONTROL_BIT).to_be_bytes());
            body.extend_from_slice(&to.value().to_be_bytes());
        }
    }
    control(NAK, 0, timestamp, socket, &body)
}

/// A NAK like `datagram`, header and all, that names only `ranges`.
#[must_use]
pub fn narrowed_nak(datagram: &[u8], ranges: &[(Seq, Seq)]) -> Vec<u8> {
    emit_nak(ranges, u32_at(datagram, TIMESTAMP), u32_at(datagram, SOCKET))
}

/// Writes the answer to a full ACK.
#[must_use]
pub fn emit_ackack(number: u32, timestamp: u32, socket: u32) -> Vec<u8> {
    control(ACKACK, number, timestamp, socket, &[0; 4])
}

/// Writes a keepalive.
#[must_use]
pub fn emit_keepalive(timestamp: u32, socket: u32) -> Vec<u8> {
    control(KEEPALIVE, 0, timestamp, socket, &[0; 4])
}

/// Writes the end of a session.
#[must_use]
pub fn emit_shutdown(timestamp: u32, socket: u32) -> Vec<u8> {
    control(SHUTDOWN, 0, timestamp, socket, &[0; 4])
}

/// Writes a handshake to the socket `to`, with its settings if it has some.
#[must_use]
pub fn emit_handshake(handshake: &Handshake, timestamp: u32, to: u32) -> Vec<u8> {
    let request = match handshake.step {
        Step::Induction => INDUCTION,
        Step::Conclusion => CONCLUSION,
        Step::Other(other) => other,
    };
    // an inducing caller names what it can (2, as libsrt does); a conclusion names the blocks that follow
    let extension = if handshake.settings.is_some() { u32::from(HSREQ) } else { 2 };
    let mut body = Vec::with_capacity(HANDSHAKE_LEN + EXT_LEN - HEADER);
    for word in [
        handshake.version,
        extension,
        handshake.initial_seq.value(),
        1500,
        8192,
        request,
        handshake.socket,
        handshake.cookie,
        0,
        0,
        0,
        0,
    ] {
        body.extend_from_slice(&word.to_be_bytes());
    }
    if let Some(settings) = handshake.settings {
        let kind = if settings.response { HSRSP } else { HSREQ };
        let latency = u32::from(settings.receive_latency_ms) << 16 | u32::from(settings.send_latency_ms);
        for word in [u32::from(kind) << 16 | 3, settings.version, settings.flags, latency] {
            body.extend_from_slice(&word.to_be_bytes());
        }
    }
    control(HANDSHAKE, 0, timestamp, to, &body)
}
