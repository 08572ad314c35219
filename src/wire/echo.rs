//! Echo: what the far end hears of one stream, told back to the box once a second.
//!
//! Without it a box knows that datagrams arrive, and nothing of the programme in them. What the far
//! end cannot judge (an opaque or scrambled stream) it calls unknown, never good.
//!
//! ```text
//! version 1 │ stream 1 │ kind 1 │ flow 1 │ clock 1 │ picture 1 │ sound 1 │ answered 1 │
//! bytes 8 │ gaps 8 │ destinations 1 │ each: state 1 │ dropped 8 │ name length 1 │ name
//! ```

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::u64_at;

/// The layout above.
const VERSION: u8 = 1;
const STREAM: usize = 1;
const KIND: usize = 2;
const FLOW: usize = 3;
const CLOCK: usize = 4;
const PICTURE: usize = 5;
const SOUND: usize = 6;
const ANSWERED: usize = 7;
const BYTES: usize = 8;
const GAPS: usize = 16;
const DESTINATIONS: usize = 24;
const HEAD: usize = 25;
const DESTINATION_HEAD: usize = 10;

/// Most destinations told of one stream, so that an echo fits every datagram.
pub const MOST_DESTINATIONS: usize = 16;
/// Most bytes of a destination's name.
pub const LONGEST_NAME: usize = 32;
/// The longest echo in bytes.
pub const LONGEST: usize = HEAD + MOST_DESTINATIONS * (DESTINATION_HEAD + LONGEST_NAME);

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sense {
    /// The far end cannot know.
    #[default]
    Unknown,
    /// It moves: bytes come, the clock advances, the picture changes, sound is heard.
    Ok,
    /// It is there and does not move: a frozen picture, silence, a clock that stands.
    Still,
    /// It is not there.
    Absent,
}

impl Sense {
    const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Ok => 1,
            Self::Still => 2,
            Self::Absent => 3,
        }
    }

    /// A value of a later version is unknown to us, which is what it says.
    const fn of(code: u8) -> Self {
        match code {
            1 => Self::Ok,
            2 => Self::Still,
            3 => Self::Absent,
            _ => Self::Unknown,
        }
    }
}

/// Where a destination's SRT session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Session {
    /// Not open: the far end calls, or waits to be called.
    Waiting,
    /// Open and fed.
    Open,
    /// Open, and slower than the stream: whole payloads are left out for it.
    Slow,
}

impl Session {
    const fn code(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Open => 1,
            Self::Slow => 2,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            1 => Self::Open,
            2 => Self::Slow,
            _ => Self::Waiting,
        }
    }
}

/// One place that the far end passes the stream to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Its name in the far end's settings.
    pub name: String,
    /// Its SRT session.
    pub session: Session,
    /// Payloads left out for it since the stream began.
    pub dropped: u64,
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
    /// The SRT listener's own acknowledgement went on; of a `ts` stream the destinations say more.
    pub answered: Sense,
    /// Payload bytes since the stream began.
    pub bytes: u64,
    /// Packets missing by the transport stream's continuity counters since the stream began.
    pub gaps: u64,
    /// Where it is passed to, at most [`MOST_DESTINATIONS`].
    pub destinations: Vec<Destination>,
}

impl Echo {
    /// Appends the echo to `out`: at most [`LONGEST`] bytes.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let told = self.destinations.len().min(MOST_DESTINATIONS);
        let kind = match self.kind {
            Kind::Ts => 0,
            Kind::Srt => 1,
        };
        out.extend_from_slice(&[VERSION, self.stream, kind]);
        out.extend([self.flow, self.clock, self.picture, self.sound, self.answered].map(Sense::code));
        out.extend_from_slice(&self.bytes.to_be_bytes());
        out.extend_from_slice(&self.gaps.to_be_bytes());
        out.push(told as u8);
        for destination in &self.destinations[..told] {
            let name = destination.name.as_bytes();
            let name = &name[..name.len().min(LONGEST_NAME)];
            out.push(destination.session.code());
            out.extend_from_slice(&destination.dropped.to_be_bytes());
            out.push(name.len() as u8);
            out.extend_from_slice(name);
        }
    }

    /// Reads an echo; bytes behind it belong to a later version and are passed over.
    ///
    /// # Errors
    /// If it is of another version, or ends before it says it does.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let short = |wanted| Error::TooShort { len: bytes.len(), wanted };
        if bytes.len() < HEAD {
            return Err(short(HEAD));
        }
        if bytes[0] != VERSION {
            return Err(Error::UnknownType(u16::from(bytes[0])));
        }
        let mut destinations = Vec::new();
        let mut at = HEAD;
        for _ in 0..usize::from(bytes[DESTINATIONS]).min(MOST_DESTINATIONS) {
            let head = bytes.get(at..at + DESTINATION_HEAD).ok_or(short(at + DESTINATION_HEAD))?;
            let end = at + DESTINATION_HEAD + usize::from(head[DESTINATION_HEAD - 1]);
            let name = bytes.get(at + DESTINATION_HEAD..end).ok_or(short(end))?;
            destinations.push(Destination {
                name: String::from_utf8_lossy(&name[..name.len().min(LONGEST_NAME)]).into_owned(),
                session: Session::of(head[0]),
                dropped: u64_at(head, 1),
            });
            at = end;
        }
        Ok(Self {
            stream: bytes[STREAM],
            kind: if bytes[KIND] == 0 { Kind::Ts } else { Kind::Srt },
            flow: Sense::of(bytes[FLOW]),
            clock: Sense::of(bytes[CLOCK]),
            picture: Sense::of(bytes[PICTURE]),
            sound: Sense::of(bytes[SOUND]),
            answered: Sense::of(bytes[ANSWERED]),
            bytes: u64_at(bytes, BYTES),
            gaps: u64_at(bytes, GAPS),
            destinations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> Echo {
        let destination = |name: &str, session, dropped| Destination { name: name.to_owned(), session, dropped };
        Echo {
            stream: 2,
            kind: Kind::Ts,
            flow: Sense::Ok,
            clock: Sense::Ok,
            picture: Sense::Still,
            sound: Sense::Absent,
            answered: Sense::Unknown,
            bytes: 0x0102_0304,
            gaps: 3,
            destinations: vec![destination("studio", Session::Open, 0), destination("cdn", Session::Slow, 7)],
        }
    }

    fn bytes_of(echo: &Echo) -> Vec<u8> {
        let mut out = Vec::new();
        echo.emit(&mut out);
        out
    }

    #[test]
    fn an_echo_is_these_bytes_and_reads_as_it_was_written() {
        let bytes = bytes_of(&echo());

        let head = [1, 2, 0, 1, 1, 2, 3, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 3, 2];
        assert_eq!(bytes[..HEAD], head);
        assert_eq!(bytes[HEAD..HEAD + 16], *b"\x01\0\0\0\0\0\0\0\0\x06studio");
        assert_eq!(Echo::parse(&bytes), Ok(echo()));
        assert!(bytes.len() <= LONGEST);
    }

    #[test]
    fn what_ends_too_early_is_refused_and_more_than_fits_is_not_told() {
        let bytes = bytes_of(&echo());
        assert!((0..bytes.len()).all(|end| Echo::parse(&bytes[..end]).is_err()));
        assert_eq!(Echo::parse(&[9; HEAD]), Err(Error::UnknownType(9)));

        let many = Destination { name: "x".repeat(90), session: Session::Open, dropped: 0 };
        let long = bytes_of(&Echo { destinations: vec![many; 40], ..echo() });
        assert_eq!(long.len(), LONGEST);
        assert_eq!(Echo::parse(&long).map(|echo| echo.destinations.len()), Ok(MOST_DESTINATIONS));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            let _ = Echo::parse(&bytes);
        }
    }
}
