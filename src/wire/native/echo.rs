//! The far-end echo: what the gateway sees of each stream and each destination, once a second.
//!
//! ```text
//! echo         type│ what (8)│length (8)│fields│…
//! stream       stream (8)│bytes (64)│missing (32)│discontinuities (32)│moving, picture, sound, flow, kind (8 each)
//! destination  stream (8)│number (8)│standing (8)│heard (8)│bytes (64)│rtt (16)│lost (32)│resent (32)│dropped (32)│name
//! ```
//! Items of another `what`, and fields behind a stream's known ones, are passed over. A destination's name
//! is all that is left of its length; what a later version knows more of it is an item of its own.

use super::super::echo::{Sense, Session};
use super::frame::ECHO;
use super::hello::StreamKind;
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

/// A stream, as the gateway releases it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub moving: Sense,
    /// The picture changes.
    pub picture: Sense,
    /// There is sound.
    pub sound: Sense,
    /// Payloads came in the last second; of an `srt` stream: sequence numbers went on.
    pub flow: Sense,
    /// What it is made of.
    pub kind: StreamKind,
}

/// Where a stream goes on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EchoDestination {
    /// Which stream.
    pub stream: u8,
    /// Which of its destinations, in the order of the gateway's settings.
    pub number: u8,
    /// How it stands.
    pub standing: Session,
    /// The destination's own acknowledgements advance.
    pub heard: Sense,
    /// Bytes sent to it.
    pub bytes: u64,
    /// Round trip to it, milliseconds.
    pub rtt_ms: u16,
    /// Packets that it said it missed.
    pub lost: u32,
    /// Packets sent to it again.
    pub resent: u32,
    /// Payloads left out for it, wrapping.
    pub dropped: u32,
    /// Its name in the gateway's settings.
    pub name: Label,
}

/// A short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Label {
    bytes: [u8; Self::LONGEST],
    len: u8,
}

impl Label {
    /// Most bytes of a label.
    pub const LONGEST: usize = 32;

    /// As many whole characters of `name` as there is room for.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let name = &name.as_bytes()[..name.floor_char_boundary(Self::LONGEST)];
        let mut bytes = [0; Self::LONGEST];
        bytes[..name.len()].copy_from_slice(name);
        Self { bytes, len: name.len() as u8 }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
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
        moving: Sense::of(cursor.u8()?),
        picture: Sense::of(cursor.u8()?),
        sound: Sense::of(cursor.u8()?),
        flow: Sense::of(cursor.u8()?),
        kind: if cursor.u8()? == 0 { StreamKind::Srt } else { StreamKind::Ts },
    })
}

fn destination(fields: &[u8]) -> Option<EchoDestination> {
    let mut cursor = Cursor(fields);
    Some(EchoDestination {
        stream: cursor.u8()?,
        number: cursor.u8()?,
        standing: Session::of(cursor.u8()?),
        heard: Sense::of(cursor.u8()?),
        bytes: cursor.u64()?,
        rtt_ms: cursor.u16()?,
        lost: cursor.u32()?,
        resent: cursor.u32()?,
        dropped: cursor.u32()?,
        name: Label::new(&String::from_utf8_lossy(cursor.0)),
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
                let kind = if seen.kind == StreamKind::Srt { 0 } else { 1 };
                self.0.extend_from_slice(&[seen.flow.code(), kind]);
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
                self.0.extend_from_slice(&seen.dropped.to_be_bytes());
                self.0.extend_from_slice(seen.name.as_bytes());
            }
        }
        self.0[at] = (self.0.len() - at - 1) as u8;
    }
}
