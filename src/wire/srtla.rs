//! SRTLA frames: the small datagrams that the field's senders and receivers put beside SRT's own.
//!
//! They live in SRT's control space, types 0x9000 to 0x92ff. A datagram of any other type is SRT and
//! travels as it is.

use super::error::Error;
use super::seq::Seq;
use super::{u16_at, u32_at, u64_at};

/// Bytes of REG1 and REG2, exactly.
pub const REGISTRATION_LEN: usize = 258;
/// Newer receivers fill short answers up to this, against NATs that drop tiny datagrams.
pub const PADDED_LEN: usize = 32;
/// Sequence numbers in one acknowledgement, as the field's receivers send it.
pub const ACK_COUNT: usize = 10;

const KEEPALIVE: u16 = 0x9000;
const ACK: u16 = 0x9100;
const REG1: u16 = 0x9200;
const REG2: u16 = 0x9201;
const REG3: u16 = 0x9202;
const REG_ERR: u16 = 0x9210;
const REG_NGP: u16 = 0x9211;
const REG_NAK: u16 = 0x9212;

const ID: usize = 2;
const STAMP: usize = 2;
const MAGIC: usize = 10;
const VERSION: usize = 12;
const LINK: usize = 14;
const WINDOW: usize = 18;
const IN_FLIGHT: usize = 22;
const RTT: usize = 26;
const NAKS: usize = 30;
const RATE: usize = 34;
const STAMPED_LEN: usize = 10;
const EXTENDED_LEN: usize = 38;
const EXTENDED_MAGIC: u16 = 0xc01f;
const EXTENDED_VERSION: u16 = 1;
const ACK_LIST: usize = 4;

/// The name of a group: the sender chooses the first half, the receiver the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(pub [u8; 256]);

impl GroupId {
    /// Bytes that the sender chooses.
    pub const HALF: usize = 128;

    /// Both have the sender's half in common; found in a time that does not tell how much of it is.
    #[must_use]
    pub fn same_sender(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).take(Self::HALF).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }

    /// Equal, found in a time that does not tell how much is equal: the id is all the secret there is.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }
}

impl std::fmt::Debug for GroupId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // enough to tell groups apart, too little to join one
        write!(f, "GroupId({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// What a sender tells of a link in the long form of its keepalive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkReport {
    /// The sender's number of the link.
    pub link: u32,
    /// Its window, thousandths of a packet.
    pub window: i32,
    /// Packets sent and not acknowledged.
    pub in_flight: i32,
    /// Smoothed round trip, milliseconds.
    pub rtt_ms: u32,
    /// Packets found lost since the start.
    pub naks: u32,
    /// Bytes per second sent.
    pub bytes_per_second: u32,
}

/// A sign of life, echoed byte by byte by a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keepalive {
    /// The sender's clock, milliseconds; absent in the oldest form and in a receiver's own.
    pub stamp_ms: Option<u64>,
    /// The link's state, in the long form.
    pub report: Option<LinkReport>,
}

/// The sequence numbers of an acknowledgement, as many whole words as there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckList<'a>(&'a [u8]);

impl Iterator for AckList<'_> {
    type Item = Seq;

    fn next(&mut self) -> Option<Seq> {
        (self.0.len() >= 4).then(|| {
            let seq = Seq::new(u32_at(self.0, 0));
            self.0 = &self.0[4..];
            seq
        })
    }
}

/// One SRTLA frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repr<'a> {
    /// Sign of life, both ways.
    Keepalive(Keepalive),
    /// Receiver: these data packets came in on this link.
    Ack(AckList<'a>),
    /// Sender: make a group.
    Reg1(GroupId),
    /// Receiver: this is the group's name. Sender: this link belongs to it.
    Reg2(GroupId),
    /// Receiver: the link is in.
    Reg3,
    /// Receiver: not now.
    RegErr,
    /// Receiver: no such group.
    RegNgp,
    /// Receiver: never.
    RegNak,
}

/// True if the datagram's type is one of SRTLA's; everything else is SRT.
#[must_use]
pub fn is_srtla(datagram: &[u8]) -> bool {
    datagram.len() >= 2 && (0x9000..0x9300).contains(&u16_at(datagram, 0))
}

/// Reads a frame.
///
/// # Errors
/// If the type is not SRTLA's, or the length is wrong for it.
pub fn parse(datagram: &[u8]) -> Result<Repr<'_>, Error> {
    if datagram.len() < 2 {
        return Err(Error::TooShort { len: datagram.len(), wanted: 2 });
    }
    match u16_at(datagram, 0) {
        KEEPALIVE => Ok(Repr::Keepalive(keepalive(datagram))),
        ACK if datagram.len() < ACK_LIST => Err(Error::TooShort { len: datagram.len(), wanted: ACK_LIST }),
        ACK => Ok(Repr::Ack(AckList(&datagram[ACK_LIST..]))),
        REG1 => group_id(datagram).map(Repr::Reg1),
        REG2 => group_id(datagram).map(Repr::Reg2),
        REG3 => Ok(Repr::Reg3),
        REG_ERR => Ok(Repr::RegErr),
        REG_NGP => Ok(Repr::RegNgp),
        REG_NAK => Ok(Repr::RegNak),
        other => Err(Error::UnknownType(other)),
    }
}

fn group_id(datagram: &[u8]) -> Result<GroupId, Error> {
    let id = datagram.get(ID..REGISTRATION_LEN).filter(|_| datagram.len() == REGISTRATION_LEN);
    id.and_then(|id| id.try_into().ok())
        .map(GroupId)
        .ok_or(Error::WrongLength { len: datagram.len(), wanted: REGISTRATION_LEN })
}

fn keepalive(datagram: &[u8]) -> Keepalive {
    // a stamp of zero is padding: no sender's clock reads so
    let stamp_ms = (datagram.len() >= STAMPED_LEN).then(|| u64_at(datagram, STAMP)).filter(|stamp| *stamp != 0);
    let long = datagram.len() >= EXTENDED_LEN
        && u16_at(datagram, MAGIC) == EXTENDED_MAGIC
        && u16_at(datagram, VERSION) == EXTENDED_VERSION;
    let report = long.then(|| LinkReport {
        link: u32_at(datagram, LINK),
        window: u32_at(datagram, WINDOW) as i32,
        in_flight: u32_at(datagram, IN_FLIGHT) as i32,
        rtt_ms: u32_at(datagram, RTT),
        naks: u32_at(datagram, NAKS),
        bytes_per_second: u32_at(datagram, RATE),
    });
    Keepalive { stamp_ms, report }
}

impl Repr<'_> {
    /// Appends the frame to `out`, unpadded.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let kind = match self {
            Repr::Keepalive(_) => KEEPALIVE,
            Repr::Ack(_) => ACK,
            Repr::Reg1(_) => REG1,
            Repr::Reg2(_) => REG2,
            Repr::Reg3 => REG3,
            Repr::RegErr => REG_ERR,
            Repr::RegNgp => REG_NGP,
            Repr::RegNak => REG_NAK,
        };
        out.extend_from_slice(&kind.to_be_bytes());
        match self {
            Repr::Keepalive(keepalive) => emit_keepalive(keepalive, out),
            Repr::Ack(list) => {
                out.extend_from_slice(&[0, 0]);
                out.extend_from_slice(list.0);
            }
            Repr::Reg1(id) | Repr::Reg2(id) => out.extend_from_slice(&id.0),
            Repr::Reg3 | Repr::RegErr | Repr::RegNgp | Repr::RegNak => {}
        }
    }

    /// The frame as one datagram, unpadded.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(REGISTRATION_LEN);
        self.emit(&mut out);
        out
    }

    /// The frame as one datagram, filled up with zeros to [`PADDED_LEN`], as a receiver answers.
    #[must_use]
    pub fn to_padded(&self) -> Vec<u8> {
        let mut out = self.to_vec();
        out.resize(out.len().max(PADDED_LEN), 0);
        out
    }
}

fn emit_keepalive(keepalive: &Keepalive, out: &mut Vec<u8>) {
    if keepalive.stamp_ms.is_none() && keepalive.report.is_none() {
        return;
    }
    out.extend_from_slice(&keepalive.stamp_ms.unwrap_or(0).to_be_bytes());
    let Some(report) = keepalive.report else { return };
    out.extend_from_slice(&EXTENDED_MAGIC.to_be_bytes());
    out.extend_from_slice(&EXTENDED_VERSION.to_be_bytes());
    out.extend_from_slice(&report.link.to_be_bytes());
    out.extend_from_slice(&report.window.to_be_bytes());
    out.extend_from_slice(&report.in_flight.to_be_bytes());
    out.extend_from_slice(&report.rtt_ms.to_be_bytes());
    out.extend_from_slice(&report.naks.to_be_bytes());
    out.extend_from_slice(&report.bytes_per_second.to_be_bytes());
}

/// An acknowledgement of these numbers, as one datagram.
#[must_use]
pub fn emit_ack(seqs: &[Seq]) -> Vec<u8> {
    let mut list = Vec::with_capacity(seqs.len() * 4);
    for seq in seqs {
        list.extend_from_slice(&seq.value().to_be_bytes());
    }
    Repr::Ack(AckList(&list)).to_vec()
}
