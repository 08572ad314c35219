//! What box and gateway tell one another inside the handshake, sealed already.
//!
//! ```text
//! hello     latency (16)│continues (32)│streams (8)│ number (8)│kind (8)│length (8)│name│…
//!           links (8)│ link (8)│counter (64)│…
//! welcome   session (32)│latency (16)│links (8)│continued (8)
//! ```
//! What a later version appends is passed over.

use super::super::error::Error;
use super::data::MOST_STREAMS;
use super::varint::Cursor;

/// Links whose counters a hello can tell.
const LINKS: usize = 16;
/// Bytes of a stream's name that travel.
const NAME: usize = 32;

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamKind {
    /// Datagrams of one SRT session, opaque.
    Srt,
    /// Transport stream, in payloads of whole 188-byte packets.
    Ts,
}

/// One stream of a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamInfo<'a> {
    /// Its number, 0–15.
    pub number: u8,
    /// What it carries.
    pub kind: StreamKind,
    /// What it is called, such as `main`.
    pub name: &'a str,
}

/// What the box wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    /// L: from the source's stamp to the release at the gateway, milliseconds.
    pub latency_ms: u16,
    /// The session that this one takes over, with all its counters: a new key, not a new group.
    pub continues: Option<u32>,
    /// Its streams: one `srt`, or 1–16 `ts`.
    pub streams: HelloStreams<'a>,
    /// The counter from which each link goes on: a new session does not begin anew.
    pub counters: [u64; LINKS],
}

/// The streams of a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloStreams<'a> {
    /// As they were read.
    Read(ReadStreams<'a>),
    /// As they are to be written.
    Listed(&'a [StreamInfo<'a>]),
}

/// Streams that were read and found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadStreams<'a> {
    count: u8,
    bytes: &'a [u8],
}

impl<'a> HelloStreams<'a> {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = StreamInfo<'a>> + use<'a> {
        let (listed, count, bytes): (&[StreamInfo<'a>], _, &[u8]) = match *self {
            Self::Listed(list) => (list, 0, &[]),
            Self::Read(read) => (&[], read.count, read.bytes),
        };
        let mut cursor = Cursor(bytes);
        listed.iter().copied().chain((0..count).map_while(move |_| stream(&mut cursor)))
    }
}

fn stream<'a>(cursor: &mut Cursor<'a>) -> Option<StreamInfo<'a>> {
    let number = cursor.u8()?;
    let kind = match cursor.u8()? {
        0 => StreamKind::Srt,
        1 => StreamKind::Ts,
        _ => return None,
    };
    let len = usize::from(cursor.u8()?);
    let name = std::str::from_utf8(cursor.take(len)?).ok()?;
    Some(StreamInfo { number, kind, name })
}

impl<'a> Hello<'a> {
    /// Reads the payload of the first Noise message.
    ///
    /// # Errors
    /// If it is too short, or names a kind of stream, or a number of streams, that this version does not know, or one
    /// number twice.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        let short = Error::TooShort { len: payload.len(), wanted: payload.len() + 1 };
        let mut cursor = Cursor(payload);
        let read = |cursor: &mut Cursor<'_>| Some((cursor.u16()?, cursor.u32()?, cursor.u8()?));
        let (latency_ms, continues, count) = read(&mut cursor).ok_or(short)?;
        let bytes = cursor.0;
        if count == 0 || usize::from(count) > MOST_STREAMS {
            return Err(Error::UnknownType(u16::from(count)));
        }
        let mut seen = 0_u16;
        for _ in 0..count {
            let info = stream(&mut cursor).ok_or(short)?;
            let place = 1_u16.checked_shl(info.number.into()).unwrap_or(0);
            // a number beyond the last has no place, one that came already has it no more
            if place & !seen == 0 || (info.kind == StreamKind::Srt && count > 1) {
                return Err(Error::UnknownType(u16::from(info.number)));
            }
            seen |= place;
        }
        let mut counters = [0; LINKS];
        for _ in 0..cursor.u8().ok_or(short)? {
            let read = |cursor: &mut Cursor<'_>| Some((cursor.u8()?, cursor.u64()?));
            let (link, counter) = read(&mut cursor).ok_or(short)?;
            *counters.get_mut(usize::from(link)).ok_or(Error::UnknownType(u16::from(link)))? = counter;
        }
        let streams = HelloStreams::Read(ReadStreams { count, bytes });
        Ok(Self { latency_ms, continues: (continues != 0).then_some(continues), streams, counters })
    }

    /// Appends the payload. Of a name the first 32 bytes travel, whole characters.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.latency_ms.to_be_bytes());
        out.extend_from_slice(&self.continues.unwrap_or(0).to_be_bytes());
        out.push(self.streams.iter().take(MOST_STREAMS).count() as u8);
        for info in self.streams.iter().take(MOST_STREAMS) {
            let name = &info.name[..info.name.floor_char_boundary(NAME)];
            let kind = match info.kind {
                StreamKind::Srt => 0,
                StreamKind::Ts => 1,
            };
            out.extend_from_slice(&[info.number, kind, name.len() as u8]);
            out.extend_from_slice(name.as_bytes());
        }
        let counters = || (0_u8..).zip(self.counters).filter(|(_, counter)| *counter != 0);
        out.push(counters().count() as u8);
        for (link, counter) in counters() {
            out.push(link);
            out.extend_from_slice(&counter.to_be_bytes());
        }
    }
}

/// What the gateway answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// The session, never 0; in every sealed datagram from now on.
    pub session: u32,
    /// The L that the gateway keeps, milliseconds.
    pub latency_ms: u16,
    /// Links that it takes in one group.
    pub links: u8,
    /// The session that the hello named lives on: what is under way in it arrives.
    pub continued: bool,
}

impl Welcome {
    /// Reads the payload of the second Noise message.
    ///
    /// # Errors
    /// If it is too short, or the session is 0.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut cursor = Cursor(payload);
        let read = |cursor: &mut Cursor<'_>| Some((cursor.u32()?, cursor.u16()?, cursor.u8()?, cursor.u8()? != 0));
        match read(&mut cursor) {
            Some((session, latency_ms, links, continued)) if session != 0 => {
                Ok(Self { session, latency_ms, links, continued })
            }
            Some(_) => Err(Error::UnknownType(0)),
            None => Err(Error::TooShort { len: payload.len(), wanted: 8 }),
        }
    }

    /// Appends the payload.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.session.to_be_bytes());
        out.extend_from_slice(&self.latency_ms.to_be_bytes());
        out.extend_from_slice(&[self.links, u8::from(self.continued)]);
    }
}
