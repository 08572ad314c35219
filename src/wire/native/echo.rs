//! The far-end echo: what the gateway sees of each stream and each destination, once a second.
//!
//! ```text
//! echo         type│ what (8)│length (8)│fields│…
//! stream       stream (8)│bytes (64)│missing (32)│discontinuities (32)│moving, picture, sound (8 each)
//! destination  stream (8)│number (8)│standing (8)│heard (8)│bytes (64)│rtt (16)│lost (32)│resent (32)
//! ```
//! Items of another `what`, and fields behind the known ones, are passed over.

use super::frame::ECHO;
use super::varint::Cursor;

const STREAM: u8 = 1;
const DESTINATION: u8 = 2;

/// What the gateway sees of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo<'a>(&'a [u8]);

/// One thing that the gateway sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoItem {
    /// A stream, as it is released.
    Stream(EchoStream),
    /// Where a stream goes on to.
    Destination(EchoDestination),
}

/// Whether something is seen. `Unknown` is said of what cannot be seen, such as the picture of an encrypted stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Seen {
    /// It cannot be told.
    #[default]
    Unknown,
    /// It is not so.
    No,
    /// It is so.
    Yes,
}

/// A stream, as the gateway releases it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EchoStream {
    /// Which stream.
    pub stream: u8,
    /// Payload bytes released since the session began.
    pub bytes: u64,
    /// Payloads given up since the session began, wrapping.
    pub missing: u32,
    /// Jumps of continuity counters since the session began, wrapping.
    pub discontinuities: u32,
    /// Presentation times move; of an `srt` stream: sequence numbers do.
    pub moving: Seen,
    /// The picture changes.
    pub picture: Seen,
    /// There is sound.
    pub sound: Seen,
}

/// How a destination stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Standing {
    /// Not connected yet, or a listener that nobody called.
    #[default]
    Waiting,
    /// Connected.
    Connected,
    /// It was connected, and is not.
    Broken,
    /// A standing of a later version.
    Other(u8),
}

/// Where a stream goes on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EchoDestination {
    /// Which stream.
    pub stream: u8,
    /// Which of its destinations, in the order of the gateway's settings.
    pub number: u8,
    /// How it stands.
    pub standing: Standing,
    /// The destination's own acknowledgements advance.
    pub heard: Seen,
    /// Bytes sent to it.
    pub bytes: u64,
    /// Round trip to it, milliseconds.
    pub rtt_ms: u16,
    /// Packets that it said it missed.
    pub lost: u32,
    /// Packets sent to it again.
    pub resent: u32,
}

impl Seen {
    fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::No => 1,
            Self::Yes => 2,
        }
    }

    fn of(code: u8) -> Self {
        match code {
            1 => Self::No,
            2 => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

impl Standing {
    fn code(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Connected => 1,
            Self::Broken => 2,
            Self::Other(code) => code,
        }
    }

    fn of(code: u8) -> Self {
        match code {
            0 => Self::Waiting,
            1 => Self::Connected,
            2 => Self::Broken,
            other => Self::Other(other),
        }
    }
}

impl<'a> Echo<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(body);
        while !cursor.0.is_empty() {
            let (what, fields) = item(&mut cursor)?;
            match what {
                STREAM => stream(fields).map(|_| ())?,
                DESTINATION => destination(fields).map(|_| ())?,
                _ => {}
            }
        }
        Some(Self(body))
    }

    /// What is seen, one after the other.
    pub fn items(&self) -> impl Iterator<Item = EchoItem> + use<'a> {
        let mut cursor = Cursor(self.0);
        let raw = std::iter::from_fn(move || item(&mut cursor));
        raw.filter_map(|(what, fields)| match what {
            STREAM => stream(fields).map(EchoItem::Stream),
            DESTINATION => destination(fields).map(EchoItem::Destination),
            _ => None,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(ECHO);
        out.extend_from_slice(self.0);
    }
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    let (what, len) = (cursor.u8()?, cursor.u8()?);
    Some((what, cursor.take(usize::from(len))?))
}

fn stream(fields: &[u8]) -> Option<EchoStream> {
    let mut cursor = Cursor(fields);
    Some(EchoStream {
        stream: cursor.u8()?,
        bytes: cursor.u64()?,
        missing: cursor.u32()?,
        discontinuities: cursor.u32()?,
        moving: Seen::of(cursor.u8()?),
        picture: Seen::of(cursor.u8()?),
        sound: Seen::of(cursor.u8()?),
    })
}

fn destination(fields: &[u8]) -> Option<EchoDestination> {
    let mut cursor = Cursor(fields);
    Some(EchoDestination {
        stream: cursor.u8()?,
        number: cursor.u8()?,
        standing: Standing::of(cursor.u8()?),
        heard: Seen::of(cursor.u8()?),
        bytes: cursor.u64()?,
        rtt_ms: cursor.u16()?,
        lost: cursor.u32()?,
        resent: cursor.u32()?,
    })
}

/// Writes one echo frame.
#[derive(Debug)]
pub struct EchoWriter<'o>(&'o mut Vec<u8>);

impl<'o> EchoWriter<'o> {
    /// Begins a frame behind what `out` holds; it is whole after every item.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(ECHO);
        Self(out)
    }

    /// Adds an item.
    pub fn item(&mut self, item: &EchoItem) {
        let at = self.0.len() + 1;
        match item {
            EchoItem::Stream(seen) => {
                self.0.extend_from_slice(&[STREAM, 0, seen.stream]);
                self.0.extend_from_slice(&seen.bytes.to_be_bytes());
                self.0.extend_from_slice(&seen.missing.to_be_bytes());
                self.0.extend_from_slice(&seen.discontinuities.to_be_bytes());
                self.0.extend_from_slice(&[seen.moving.code(), seen.picture.code(), seen.sound.code()]);
            }
            EchoItem::Destination(seen) => {
                self.0.extend_from_slice(&[
                    DESTINATION,
                    0,
                    seen.stream,
                    seen.number,
                    seen.standing.code(),
                    seen.heard.code(),
                ]);
                self.0.extend_from_slice(&seen.bytes.to_be_bytes());
                self.0.extend_from_slice(&seen.rtt_ms.to_be_bytes());
                self.0.extend_from_slice(&seen.lost.to_be_bytes());
                self.0.extend_from_slice(&seen.resent.to_be_bytes());
            }
        }
        self.0[at] = (self.0.len() - at - 1) as u8;
    }
}
