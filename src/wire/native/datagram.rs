//! The clear part of every datagram: which link and session a sealed one is of, and the handshake's own.

use super::super::error::Error;
use super::layout::{SEALED_HEADER, TAG, VERSION};
use super::varint::{Cursor, put_u24};

/// The part of a counter that travels.
pub const COUNTER_MASK: u32 = 0x00ff_ffff;

const SEALED: u8 = 0xa0;
const HANDSHAKE: u8 = 0xb0;
/// High nibbles that a later version of the dialect may use. SRT has 0–8 and f, SRTLA 9.
const LATER: std::ops::RangeInclusive<u8> = 0xc0..=0xe0;

const ASK: u8 = 0;
const COOKIE: u8 = 1;
const HELLO: u8 = 2;
const WELCOME: u8 = 3;
const REFUSAL: u8 = 4;
const UNKNOWN_SESSION: u8 = 5;

const HEAD: usize = 10;
/// Bytes of a cookie.
const COOKIE_LEN: usize = 16;
/// An ask is filled up to this, so that no answer to it is longer.
const ASK_LEN: usize = 64;
/// The least hello: cookie, ephemeral key, sealed static key, and the tag of an empty payload.
const HELLO_LEN: usize = HEAD + COOKIE_LEN + 32 + 48 + 16;

/// What tells one attempt of a handshake from the next; the box draws it, the gateway repeats it.
pub type Token = [u8; 8];

/// A datagram of the native dialect, as far as it is in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear<'a> {
    /// Sealed for a session.
    Sealed(Sealed<'a>),
    /// A step of the handshake.
    Opening {
        /// Of which attempt.
        token: Token,
        /// Which step.
        step: Opening<'a>,
    },
    /// The gateway does not know this session (any more).
    UnknownSession(u32),
    /// A datagram of a version that this code does not speak.
    UnknownVersion {
        /// The attempt to be answered, if it is a handshake's.
        token: Option<Token>,
    },
}

/// A sealed datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// The box's number of the link, 0–15.
    pub link: u8,
    /// The session.
    pub session: u32,
    /// The lower 24 bits of the link's counter; see [`near`].
    pub counter: u32,
    /// Frame and tag.
    pub body: &'a [u8],
}

/// A step of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening<'a> {
    /// The box asks for a cookie.
    Ask,
    /// The gateway gives one, and keeps nothing.
    Cookie([u8; COOKIE_LEN]),
    /// The box answers it, with the first message of the Noise handshake.
    Hello {
        /// The gateway's cookie.
        cookie: [u8; COOKIE_LEN],
        /// Noise IK, first message.
        noise: &'a [u8],
    },
    /// The gateway's second message.
    Welcome {
        /// Noise IK, second message.
        noise: &'a [u8],
    },
    /// The gateway says why not. Nothing proves that it was the gateway: a reason to show, never to give up.
    Refusal(Refusal),
}

/// Why a gateway takes no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The box's key is not allowed, or the box knows another key for the gateway.
    WrongKey,
    /// It speaks up to the given version only.
    UnknownVersion(u8),
    /// It carries as many groups as it may.
    Full,
    /// The hello asks for what the gateway does not do: streams, latency.
    Unfit,
    /// A reason of a later version.
    Other(u8),
}

impl Refusal {
    fn code(self) -> [u8; 2] {
        match self {
            Self::WrongKey => [1, 0],
            Self::UnknownVersion(newest) => [2, newest],
            Self::Full => [3, 0],
            Self::Unfit => [4, 0],
            Self::Other(code) => [code, 0],
        }
    }

    fn of(code: u8, detail: u8) -> Self {
        match code {
            1 => Self::WrongKey,
            2 => Self::UnknownVersion(detail),
            3 => Self::Full,
            4 => Self::Unfit,
            other => Self::Other(other),
        }
    }
}

impl<'a> Clear<'a> {
    /// True if the first byte says that a datagram is the native dialect's, of whichever version: SRT and
    /// SRTLA on the same port never begin so.
    #[must_use]
    pub fn is_native(datagram: &[u8]) -> bool {
        datagram
            .first()
            .is_some_and(|first| matches!(first & 0xf0, SEALED | HANDSHAKE) || LATER.contains(&(first & 0xf0)))
    }

    /// Reads the clear part of a datagram.
    ///
    /// # Errors
    /// If it is too short for what it says it is, or not of the native dialect.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Error> {
        let first = *datagram.first().ok_or(Error::TooShort { len: 0, wanted: 1 })?;
        match first & 0xf0 {
            SEALED => sealed(datagram),
            HANDSHAKE => opening(datagram),
            high if LATER.contains(&high) => Ok(Self::UnknownVersion { token: None }),
            _ => Err(Error::UnknownType(u16::from(first))),
        }
    }
}

fn too_short(datagram: &[u8], wanted: usize) -> Error {
    Error::TooShort { len: datagram.len(), wanted }
}

fn sealed(datagram: &[u8]) -> Result<Clear<'_>, Error> {
    // a frame has at least its type
    let wanted = SEALED_HEADER + 1 + TAG;
    if datagram.len() < wanted {
        return Err(too_short(datagram, wanted));
    }
    let mut cursor = Cursor(datagram);
    let read = |cursor: &mut Cursor<'_>| Some((cursor.u8()?, cursor.u32()?, cursor.u24()?));
    let (first, session, counter) = read(&mut cursor).ok_or(too_short(datagram, wanted))?;
    Ok(Clear::Sealed(Sealed { link: first & 0x0f, session, counter, body: cursor.0 }))
}

fn opening(datagram: &[u8]) -> Result<Clear<'_>, Error> {
    let mut cursor = Cursor(datagram);
    let read = |cursor: &mut Cursor<'_>| Some((cursor.u8()? & 0x0f, cursor.u8()?, cursor.take(8)?.try_into().ok()?));
    let (kind, version, token) = read(&mut cursor).ok_or(too_short(datagram, HEAD))?;
    if version != VERSION && kind != REFUSAL {
        // every version keeps these ten bytes, and a refusal whole, so that it can be told
        return Ok(Clear::UnknownVersion { token: matches!(kind, ASK | HELLO).then_some(token) });
    }
    let cookie = |cursor: &mut Cursor<'_>| {
        cursor.take(COOKIE_LEN).and_then(|b| b.try_into().ok()).ok_or(too_short(datagram, HEAD + COOKIE_LEN))
    };
    let step = match kind {
        ASK if datagram.len() < ASK_LEN => return Err(too_short(datagram, ASK_LEN)),
        ASK => Opening::Ask,
        COOKIE => Opening::Cookie(cookie(&mut cursor)?),
        HELLO if datagram.len() < HELLO_LEN => return Err(too_short(datagram, HELLO_LEN)),
        HELLO => Opening::Hello { cookie: cookie(&mut cursor)?, noise: cursor.0 },
        WELCOME => Opening::Welcome { noise: cursor.0 },
        REFUSAL => {
            let code = cursor.u16().ok_or(too_short(datagram, HEAD + 2))?.to_be_bytes();
            Opening::Refusal(Refusal::of(code[0], code[1]))
        }
        UNKNOWN_SESSION => {
            let [.., a, b, c, d] = token;
            return Ok(Clear::UnknownSession(u32::from_be_bytes([a, b, c, d])));
        }
        other => return Err(Error::UnknownType(u16::from(HANDSHAKE | other))),
    };
    Ok(Clear::Opening { token, step })
}

impl Sealed<'_> {
    /// Appends the clear header of a sealed datagram: `link` 0–15, of `counter` the lower 24 bits.
    pub fn emit_header(link: u8, session: u32, counter: u64, out: &mut Vec<u8>) {
        out.push(SEALED | (link & 0x0f));
        out.extend_from_slice(&session.to_be_bytes());
        put_u24(counter as u32, out);
    }
}

impl Opening<'_> {
    /// Appends the step as one datagram.
    pub fn emit(&self, token: Token, out: &mut Vec<u8>) {
        let kind = match self {
            Self::Ask => ASK,
            Self::Cookie(_) => COOKIE,
            Self::Hello { .. } => HELLO,
            Self::Welcome { .. } => WELCOME,
            Self::Refusal(_) => REFUSAL,
        };
        out.extend_from_slice(&[HANDSHAKE | kind, VERSION]);
        out.extend_from_slice(&token);
        match self {
            Self::Ask => out.resize(out.len() + ASK_LEN - HEAD, 0),
            Self::Cookie(cookie) => out.extend_from_slice(cookie),
            Self::Hello { cookie, noise } => {
                out.extend_from_slice(cookie);
                out.extend_from_slice(noise);
            }
            Self::Welcome { noise } => out.extend_from_slice(noise),
            Self::Refusal(refusal) => out.extend_from_slice(&refusal.code()),
        }
    }

    /// Appends the answer to a sealed datagram of a session that is not known: shorter than any question.
    pub fn emit_unknown_session(session: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&[HANDSHAKE | UNKNOWN_SESSION, VERSION, 0, 0, 0, 0]);
        out.extend_from_slice(&session.to_be_bytes());
    }
}

/// The whole number whose lower 24 bits are `low` and that lies nearest to `reference`.
#[must_use]
pub fn near(low: u32, reference: u64) -> u64 {
    // the difference in 24 bits, with its sign
    let ahead = (low.wrapping_sub(reference as u32) << 8) as i32 >> 8;
    let around = u64::from(COUNTER_MASK) + 1;
    match reference.checked_add_signed(i64::from(ahead)) {
        Some(number) => number,
        None if ahead < 0 => reference.wrapping_add_signed(i64::from(ahead)).wrapping_add(around),
        None => reference.wrapping_add_signed(i64::from(ahead)).wrapping_sub(around),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_again_from_its_lower_bits() {
        for whole in [0, 1, 0x7f_ffff, 0xff_ffff, 0x100_0000, 0x1234_5678_9abc, u64::MAX] {
            for off in [0_i64, 1, -1, 0x7f_ffff, -0x7f_fffe] {
                let Some(reference) = whole.checked_add_signed(off) else { continue };
                assert_eq!(near(whole as u32 & COUNTER_MASK, reference), whole, "{whole:x} seen from {reference:x}");
            }
        }
        assert_eq!(near(0xff_ffff, 0), 0xff_ffff, "nothing lies before zero");
    }
}
