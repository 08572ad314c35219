//! SRT data packets without their 16-byte header: sequence and timestamp once, the rest from an anchor.
//!
//! In live mode every packet is one message: the message number runs along with the sequence number, and
//! order flag and socket stay the same. An [`Anchor`] states them once; a packet is packed only if its
//! header is found again from the anchor exactly.

use super::super::{srt::HEADER, u32_at};
use super::data::{Data, DataKind};
use super::datagram::COUNTER_MASK;
use super::varint::Cursor;

const SEQ_MASK: u32 = 0x7fff_ffff;
const MESSAGE_MASK: u32 = 0x03ff_ffff;
const KEY_SHIFT: u32 = 27;
const KEY_MASK: u32 = 0x1800_0000;
const RESENT: u32 = 0x0400_0000;
/// Position and order: what an anchor states of a packet's second word beside the message number.
const STATED: u32 = 0xe000_0000;
/// Message numbers run from 1 to this and begin again.
const LAST_MESSAGE: u32 = MESSAGE_MASK;

/// Half of what 24 bits tell apart is 8 M packets; a new anchor is made long before.
const MOST_AWAY: i32 = 1 << 20;
/// A stream whose headers do not run along costs no more than one anchor in so many packets.
const LEAST_APART: u32 = 64;
const ANCHORS: usize = 8;

/// What the headers of a run of SRT data packets have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Which one, 0–7; the next has the next number.
    pub id: u8,
    /// The stream.
    pub stream: u8,
    /// The sequence number of one packet, 31 bits.
    pub seq: u32,
    /// The second word of its header, key and R flags zero.
    pub word: u32,
    /// The socket that it is for.
    pub socket: u32,
}

impl Anchor {
    /// Bytes behind the type.
    pub(super) const LEN: usize = 14;

    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(body);
        let (id, stream) = (cursor.u8()? & 0x07, cursor.u8()?);
        let (seq, word, socket) = (cursor.u32()? & SEQ_MASK, cursor.u32()?, cursor.u32()?);
        Some(Self { id, stream, seq, word: word & (STATED | MESSAGE_MASK), socket })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.id, self.stream]);
        for word in [self.seq, self.word, self.socket] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }

    /// How far the packet whose sequence number ends in `low` lies from this one.
    fn away(&self, low: u32) -> i32 {
        (low.wrapping_sub(self.seq) << 8) as i32 >> 8
    }

    /// The header of the packet with these fields.
    #[must_use]
    pub fn header(&self, seq: u32, stamp: u32, key: u8, resent: bool) -> [u8; HEADER] {
        let away = self.away(seq);
        let number = self.seq.wrapping_add_signed(away) & SEQ_MASK;
        let flags = (u32::from(key) << KEY_SHIFT) & KEY_MASK | if resent { RESENT } else { 0 };
        let message = message(self.word & MESSAGE_MASK, away);
        let mut header = [0; HEADER];
        for (at, word) in [number, self.word & STATED | flags | message, stamp, self.socket].into_iter().enumerate() {
            header[4 * at..4 * at + 4].copy_from_slice(&word.to_be_bytes());
        }
        header
    }
}

/// The message number `away` from `from`: 1 follows the last, and 0 is none.
fn message(from: u32, away: i32) -> u32 {
    let around = i64::from(LAST_MESSAGE);
    ((i64::from(from) - 1 + i64::from(away)).rem_euclid(around) + 1) as u32
}

/// The sender's side: packs data packets, and makes anchors as they are needed.
#[derive(Debug, Clone, Default)]
pub struct Packer {
    anchor: Option<Anchor>,
    /// Packets since the anchor was made.
    since: u32,
}

impl Packer {
    /// The anchor in force. It must reach the gateway: send it until it is acknowledged, and again now and then.
    #[must_use]
    pub fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// Packs an SRT data packet; `None` if it is no data packet. A new anchor may have been made:
    /// compare [`Packer::anchor`] before and after.
    pub fn pack<'a>(&mut self, packet: &'a [u8]) -> Option<Data<'a>> {
        let header: &[u8; HEADER] = packet.first_chunk()?;
        let (seq, word, stamp) = (u32_at(packet, 0), u32_at(packet, 4), u32_at(packet, 8));
        if seq & !SEQ_MASK != 0 {
            return None;
        }
        self.since = self.since.saturating_add(1);
        let (key, resent) = (((word & KEY_MASK) >> KEY_SHIFT) as u8, word & RESENT != 0);
        let low = seq & COUNTER_MASK;
        let tells =
            |anchor: &Anchor| anchor.away(low).abs() <= MOST_AWAY && anchor.header(low, stamp, key, resent) == *header;
        if !self.anchor.as_ref().is_some_and(tells) && (self.anchor.is_none() || self.since >= LEAST_APART) {
            let id = self.anchor.map_or(0, |last| (last.id + 1) % ANCHORS as u8);
            let stated = word & (STATED | MESSAGE_MASK);
            self.anchor = Some(Anchor { id, stream: 0, seq, word: stated, socket: u32_at(packet, 12) });
            self.since = 0;
        }
        let whole = Data { stream: 0, seq: low, stamp, kind: DataKind::Whole, payload: packet };
        Some(match self.anchor.filter(tells) {
            Some(anchor) => {
                let kind = DataKind::Srt { anchor: anchor.id, key, resent };
                Data { kind, payload: &packet[HEADER..], ..whole }
            }
            None => whole,
        })
    }
}

/// The receiver's side: knows the newest anchors and gives packets out as they were.
#[derive(Debug, Clone, Default)]
pub struct Unpacker([Option<Anchor>; ANCHORS]);

impl Unpacker {
    /// Takes an anchor; the same one again changes nothing.
    pub fn learn(&mut self, anchor: Anchor) {
        self.0[usize::from(anchor.id) % ANCHORS] = Some(anchor);
    }

    /// True if a payload of this kind can be given out: its anchor is known, or it needs none.
    #[must_use]
    pub fn knows(&self, kind: DataKind) -> bool {
        match kind {
            DataKind::Srt { anchor, .. } => self.0[usize::from(anchor) % ANCHORS].is_some(),
            DataKind::Ts | DataKind::Whole => true,
        }
    }

    /// Appends the payload as it was before it was packed; false, and nothing, if its anchor is not known.
    pub fn unpack(&self, data: &Data<'_>, out: &mut Vec<u8>) -> bool {
        if let DataKind::Srt { anchor, key, resent } = data.kind {
            let Some(anchor) = self.0[usize::from(anchor) % ANCHORS] else { return false };
            out.extend_from_slice(&anchor.header(data.seq, data.stamp, key, resent));
        }
        out.extend_from_slice(data.payload);
        true
    }
}
