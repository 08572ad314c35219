//! Echo: what the far end hears of one stream, told back to the box once a second.
//!
//! Without it a box knows that datagrams arrive, and nothing of the programme in them. What the far
//! end cannot judge (an opaque or scrambled stream) it calls unknown, never good. How it travels
//! stands in `native/echo.rs`.

use serde::{Deserialize, Serialize};

use super::native::{self, EchoDestination, EchoItem, EchoStream, EchoWriter, Label, StreamKind};

/// Most destinations told of one stream, so that an echo fits every datagram.
pub const MOST_DESTINATIONS: usize = 12;

/// What a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The programme's transport stream, seen by the far end.
    Ts,
    /// The datagrams of an SRT session, opaque.
    Srt,
}

/// How something stands at the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sense {
    /// The far end cannot know.
    #[default]
    Unknown,
    /// It is not there.
    Absent,
    /// It moves: bytes come, the clock advances, the picture changes, sound is heard.
    Ok,
    /// It is there and does not move: a frozen picture, silence, a clock that stands.
    Still,
}

impl Sense {
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    /// A value of a later version is unknown to us, which is what it says.
    pub(super) const fn of(code: u8) -> Self {
        match code {
            1 => Self::Absent,
            2 => Self::Ok,
            3 => Self::Still,
            _ => Self::Unknown,
        }
    }
}

/// Where a destination's SRT session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Session {
    /// Not open yet: the far end calls, or waits to be called.
    #[default]
    Waiting,
    /// Open and fed.
    Open,
    /// It was open, and is called again.
    Broken,
    /// Open, and slower than the stream: whole payloads are left out for it.
    Slow,
}

impl Session {
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    pub(super) const fn of(code: u8) -> Self {
        match code {
            1 => Self::Open,
            2 => Self::Broken,
            3 => Self::Slow,
            _ => Self::Waiting,
        }
    }
}

/// One place that the far end passes the stream to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Destination {
    /// Its name in the far end's settings, at most [`Label::LONGEST`] bytes.
    pub name: String,
    /// Its SRT session.
    pub session: Session,
    /// Its own acknowledgements go on.
    pub answered: Sense,
    /// Bytes sent to it since the stream began.
    pub bytes: u64,
    /// Round trip to it, milliseconds; 0 if not known.
    pub rtt_ms: u16,
    /// Packets that it said it missed.
    pub lost: u32,
    /// Packets sent to it again.
    pub resent: u32,
    /// Payloads left out for it.
    pub dropped: u32,
}

/// One stream, as the far end hears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// Number of the stream in its group.
    pub stream: u8,
    /// What it is made of.
    pub kind: Kind,
    /// Payloads, or sequence numbers, went on in the last second.
    pub flow: Sense,
    /// The programme's time stamps went on.
    pub clock: Sense,
    /// The picture changes.
    pub picture: Sense,
    /// Sound is there.
    pub sound: Sense,
    /// Payload bytes since the stream began.
    pub bytes: u64,
    /// Payloads given up since the stream began: no link brought them in time.
    pub missing: u32,
    /// Packets missing by the transport stream's continuity counters since the stream began.
    pub gaps: u32,
    /// Where it is passed to, at most [`MOST_DESTINATIONS`].
    pub destinations: Vec<Destination>,
}

impl Echo {
    /// Appends the frame of this echo: at most 900 bytes.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let mut writer = EchoWriter::new(out);
        writer.item(&EchoItem::Stream(EchoStream {
            stream: self.stream,
            bytes: self.bytes,
            missing: self.missing,
            discontinuities: self.gaps,
            moving: self.clock,
            picture: self.picture,
            sound: self.sound,
            flow: self.flow,
            kind: match self.kind {
                Kind::Ts => StreamKind::Ts,
                Kind::Srt => StreamKind::Srt,
            },
        }));
        for (number, destination) in (0..).zip(self.destinations.iter().take(MOST_DESTINATIONS)) {
            writer.item(&EchoItem::Destination(EchoDestination {
                stream: self.stream,
                number,
                standing: destination.session,
                heard: destination.answered,
                bytes: destination.bytes,
                rtt_ms: destination.rtt_ms,
                lost: destination.lost,
                resent: destination.resent,
                dropped: destination.dropped,
                name: Label::new(&destination.name),
            }));
        }
    }

    /// Every stream that an opened frame tells of; none if it is no echo.
    #[must_use]
    pub fn read(frame: &[u8]) -> Vec<Self> {
        match native::parse(frame) {
            Ok(native::Frame::Echo(echo)) => Self::all(&echo),
            _ => Vec::new(),
        }
    }

    /// Every stream that a frame tells of, with its destinations. Those of a stream that it does not
    /// tell of are passed over.
    #[must_use]
    pub fn all(frame: &native::Echo<'_>) -> Vec<Self> {
        let mut echoes: Vec<Self> = Vec::new();
        for item in frame.items() {
            match item {
                EchoItem::Stream(seen) if echoes.len() < native::MOST_STREAMS => echoes.push(Self {
                    stream: seen.stream,
                    kind: match seen.kind {
                        StreamKind::Ts => Kind::Ts,
                        StreamKind::Srt => Kind::Srt,
                    },
                    flow: seen.flow,
                    clock: seen.moving,
                    picture: seen.picture,
                    sound: seen.sound,
                    bytes: seen.bytes,
                    missing: seen.missing,
                    gaps: seen.discontinuities,
                    destinations: Vec::new(),
                }),
                EchoItem::Destination(seen) => {
                    let of = echoes.iter_mut().rev().find(|echo| echo.stream == seen.stream);
                    if let Some(echo) = of.filter(|echo| echo.destinations.len() < MOST_DESTINATIONS) {
                        echo.destinations.push(Destination {
                            name: seen.name.to_string(),
                            session: seen.standing,
                            answered: seen.heard,
                            bytes: seen.bytes,
                            rtt_ms: seen.rtt_ms,
                            lost: seen.lost,
                            resent: seen.resent,
                            dropped: seen.dropped,
                        });
                    }
                }
                EchoItem::Stream(_) => {}
            }
        }
        echoes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::native::Frame;

    fn echo() -> Echo {
        let destination = |name: &str, session, dropped| Destination {
            name: name.to_owned(),
            session,
            answered: Sense::Ok,
            bytes: 9,
            rtt_ms: 30,
            lost: 2,
            resent: 1,
            dropped,
        };
        Echo {
            stream: 2,
            kind: Kind::Ts,
            flow: Sense::Ok,
            clock: Sense::Ok,
            picture: Sense::Still,
            sound: Sense::Absent,
            bytes: 0x0102_0304,
            missing: 1,
            gaps: 3,
            destinations: vec![destination("演播室", Session::Open, 0), destination("cdn", Session::Slow, 7)],
        }
    }

    fn heard(bytes: &[u8]) -> Vec<Echo> {
        match native::parse(bytes) {
            Ok(Frame::Echo(frame)) => Echo::all(&frame),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_echo_reads_as_it_was_written() {
        let mut bytes = Vec::new();
        echo().emit(&mut bytes);

        assert_eq!(heard(&bytes), [echo()]);
    }

    #[test]
    fn more_than_fits_a_datagram_is_not_told() {
        let many = Destination { name: "播".repeat(90), ..Destination::default() };
        let mut bytes = Vec::new();
        Echo { destinations: vec![many; 40], ..echo() }.emit(&mut bytes);

        assert!(bytes.len() <= 900, "{}", bytes.len());
        let told = heard(&bytes).remove(0).destinations;
        assert_eq!((told.len(), told[0].name.as_str()), (MOST_DESTINATIONS, "播".repeat(10).as_str()));
    }
}
