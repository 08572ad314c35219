//! Frames that carry the stream: data of both kinds, halves of a datagram too long for a link, parity.

use super::layout::DATA_HEADER;
use super::varint::put_u24;

/// Streams in one group.
pub const MOST_STREAMS: usize = 16;

pub(super) const WHOLE: u8 = 0x40;
pub(super) const TS: u8 = 0x80;
pub(super) const SRT: u8 = 0xc0;

/// One payload of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data<'a> {
    /// Which stream, 0–15; the one `srt` stream of a group is 0.
    pub stream: u8,
    /// The lower 24 bits of its number in the stream; see [`super::near`].
    pub seq: u32,
    /// When the source gave it, microseconds, wrapping. For `srt` it is the packet's own timestamp.
    pub stamp: u32,
    /// What is needed beside to give it out as it was.
    pub kind: DataKind,
    /// What it carries: transport stream, the payload of an SRT packet, or that packet whole.
    pub payload: &'a [u8],
}

/// Which kind of stream a payload is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// Transport stream.
    Ts,
    /// An SRT data packet, the rest of whose header follows from an [`super::Anchor`].
    Srt {
        /// The anchor's number, 0–7.
        anchor: u8,
        /// The key flag, 0–3.
        key: u8,
        /// The R flag.
        resent: bool,
    },
    /// An SRT data packet with its header, for what no anchor can tell (not of live mode).
    Whole,
}

impl DataKind {
    /// The first byte of the frame.
    #[must_use]
    pub fn code(self, stream: u8) -> u8 {
        match self {
            Self::Ts => TS | (stream & 0x0f),
            Self::Srt { anchor, key, resent } => SRT | ((anchor & 0x07) << 3) | ((key & 0x03) << 1) | u8::from(resent),
            Self::Whole => WHOLE,
        }
    }

    /// Stream and kind from the first byte of a frame; `None` if it is no data frame's.
    #[must_use]
    pub fn of(code: u8) -> Option<(u8, Self)> {
        match code {
            WHOLE => Some((0, Self::Whole)),
            TS..=0x8f => Some((code & 0x0f, Self::Ts)),
            SRT.. => {
                Some((0, Self::Srt { anchor: (code >> 3) & 0x07, key: (code >> 1) & 0x03, resent: code & 1 != 0 }))
            }
            _ => None,
        }
    }
}

impl Data<'_> {
    /// What stands before the payload.
    #[must_use]
    pub fn head(&self) -> [u8; DATA_HEADER] {
        let ([_, a, b, c], [d, e, f, g]) = (self.seq.to_be_bytes(), self.stamp.to_be_bytes());
        [self.kind.code(self.stream), a, b, c, d, e, f, g]
    }

    /// Appends the frame.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.kind.code(self.stream));
        put_u24(self.seq, out);
        out.extend_from_slice(&self.stamp.to_be_bytes());
        out.extend_from_slice(self.payload);
    }
}

/// One half of a frame that is too long for its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Both halves have the same.
    pub id: u16,
    /// It is the second half.
    pub second: bool,
    /// Its part of the frame.
    pub part: &'a [u8],
}

/// One repair of a block of consecutive payloads of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parity<'a> {
    /// Which stream.
    pub stream: u8,
    /// The lower 24 bits of the number of the block's first payload.
    pub first: u32,
    /// Payloads in the block, 1–16.
    pub count: u8,
    /// Repairs that the block has, 1–4.
    pub repairs: u8,
    /// Which of them this is, from 0.
    pub index: u8,
    /// The repair.
    pub shard: &'a [u8],
}
