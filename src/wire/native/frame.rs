//! The inner frames: the first byte says which, and what nobody knows is passed over.

use super::super::error::Error;
use super::data::{Data, DataKind, Fragment, Parity};
use super::echo::Echo;
use super::feedback::{Feedback, Settled};
use super::layout::DATA_HEADER;
use super::srt::Anchor;
use super::varint::{Cursor, put_u24};

const PROBE: u8 = 0x01;
const FIRST_HALF: u8 = 0x02;
const SECOND_HALF: u8 = 0x03;
const PARITY: u8 = 0x04;
const CONTROL: u8 = 0x05;
pub(super) const FEEDBACK: u8 = 0x06;
pub(super) const SETTLED: u8 = 0x07;
const ANCHOR: u8 = 0x08;
pub(super) const ECHO: u8 = 0x09;
const RENEW: u8 = 0x0a;
const BYE: u8 = 0x0b;

/// What a sealed datagram carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A payload of a stream.
    Data(Data<'a>),
    /// A half of a frame.
    Fragment(Fragment<'a>),
    /// A repair.
    Parity(Parity<'a>),
    /// Only its counter matters: is the link alive, does this length pass. So many zeros fill it up.
    Probe {
        /// Bytes after the type.
        padding: usize,
    },
    /// A packet of an SRT session that is not data.
    Control(Control<'a>),
    /// What has arrived; gateway to box.
    Feedback(Feedback<'a>),
    /// What the gateway need not tell any more; box to gateway.
    Settled(Settled<'a>),
    /// What the headers of an SRT stream have in common; box to gateway.
    Anchor(Anchor),
    /// What the gateway sees of the streams; gateway to box.
    Echo(Echo<'a>),
    /// The keys are old: the gateway asks for a new handshake.
    Renew,
    /// The session ends, on purpose.
    Bye,
    /// A type of a later version: counted and passed over.
    Unknown(u8),
}

/// A packet of an SRT session that is not data, opaque. Copies of it may travel on several links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control<'a> {
    /// Which stream.
    pub stream: u8,
    /// Counts up in each direction of a stream, wrapping: copies have the same.
    pub number: u16,
    /// The lower 24 bits of the number that the next data packet will have: a SHUTDOWN waits for those before.
    pub next: u32,
    /// When it was taken from the local SRT peer, microseconds of the sender's clock, wrapping.
    pub stamp: u32,
    /// The packet.
    pub packet: &'a [u8],
}

/// Reads an inner frame. A type that this version does not know is [`Frame::Unknown`], no error.
///
/// # Errors
/// If it is too short for its type, or what it lists does not end where it ends.
pub fn parse(frame: &[u8]) -> Result<Frame<'_>, Error> {
    let mut cursor = Cursor(frame);
    let short = |wanted| Error::TooShort { len: frame.len(), wanted };
    let code = cursor.u8().ok_or(short(1))?;
    if let Some((stream, kind)) = DataKind::of(code) {
        let read = |cursor: &mut Cursor<'_>| Some((cursor.u24()?, cursor.u32()?));
        let (seq, stamp) = read(&mut cursor).ok_or(short(DATA_HEADER))?;
        return Ok(Frame::Data(Data { stream, seq, stamp, kind, payload: cursor.0 }));
    }
    match code {
        PROBE => Ok(Frame::Probe { padding: cursor.0.len() }),
        FIRST_HALF | SECOND_HALF => {
            let id = cursor.u16().ok_or(short(3))?;
            Ok(Frame::Fragment(Fragment { id, second: code == SECOND_HALF, part: cursor.0 }))
        }
        PARITY => parity(&mut cursor).map(Frame::Parity).ok_or(short(6)),
        CONTROL => control(&mut cursor).map(Frame::Control).ok_or(short(11)),
        FEEDBACK => Feedback::parse(cursor.0).map(Frame::Feedback).ok_or(short(frame.len() + 1)),
        SETTLED => Settled::parse(cursor.0).map(Frame::Settled).ok_or(short(frame.len() + 1)),
        ANCHOR => Anchor::parse(cursor.0).map(Frame::Anchor).ok_or(short(1 + Anchor::LEN)),
        ECHO => Echo::parse(cursor.0).map(Frame::Echo).ok_or(short(frame.len() + 1)),
        RENEW => Ok(Frame::Renew),
        BYE => Ok(Frame::Bye),
        other => Ok(Frame::Unknown(other)),
    }
}

fn parity<'a>(cursor: &mut Cursor<'a>) -> Option<Parity<'a>> {
    let stream = cursor.u8()?;
    let first = cursor.u24()?;
    let shape = cursor.u8()?;
    let (count, repairs, index) = ((shape >> 4) + 1, ((shape >> 2) & 0x03) + 1, shape & 0x03);
    Some(Parity { stream, first, count, repairs, index, shard: cursor.0 })
}

fn control<'a>(cursor: &mut Cursor<'a>) -> Option<Control<'a>> {
    let stream = cursor.u8()?;
    let number = cursor.u16()?;
    let next = cursor.u24()?;
    let stamp = cursor.u32()?;
    Some(Control { stream, number, next, stamp, packet: cursor.0 })
}

impl Frame<'_> {
    /// Appends the frame.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Data(data) => data.emit(out),
            Self::Fragment(fragment) => {
                out.push(if fragment.second { SECOND_HALF } else { FIRST_HALF });
                out.extend_from_slice(&fragment.id.to_be_bytes());
                out.extend_from_slice(fragment.part);
            }
            Self::Parity(parity) => {
                out.extend_from_slice(&[PARITY, parity.stream]);
                put_u24(parity.first, out);
                out.push(
                    (parity.count.wrapping_sub(1) << 4)
                        | ((parity.repairs.wrapping_sub(1) & 0x03) << 2)
                        | (parity.index & 0x03),
                );
                out.extend_from_slice(parity.shard);
            }
            Self::Probe { padding } => {
                out.push(PROBE);
                out.resize(out.len() + padding, 0);
            }
            Self::Control(control) => {
                out.extend_from_slice(&[CONTROL, control.stream]);
                out.extend_from_slice(&control.number.to_be_bytes());
                put_u24(control.next, out);
                out.extend_from_slice(&control.stamp.to_be_bytes());
                out.extend_from_slice(control.packet);
            }
            Self::Feedback(feedback) => feedback.emit(out),
            Self::Settled(settled) => settled.emit(out),
            Self::Anchor(anchor) => {
                out.push(ANCHOR);
                anchor.emit(out);
            }
            Self::Echo(echo) => echo.emit(out),
            Self::Renew => out.push(RENEW),
            Self::Bye => out.push(BYE),
            Self::Unknown(code) => out.push(*code),
        }
    }
}
