//! Transport stream: one packet of 188 bytes, the two tables that name its streams, and the head of a PES packet.
//!
//! Only what a far end needs to say whether picture and sound arrive (ISO/IEC 13818-1). Whatever is
//! wrong or unknown is `None`, never an error: the bytes are somebody's programme and pass all the same.

use super::u16_at;

/// Bytes of a packet.
pub const PACKET: usize = 188;
/// First byte of a packet.
pub const SYNC: u8 = 0x47;
/// Ticks a second of a time stamp.
pub const CLOCK: u64 = 90_000;
/// The packet identifier of the table that names the programmes.
pub const PAT: u16 = 0;
/// The packet identifier of stuffing.
pub const NULL: u16 = 0x1fff;

/// Stream type of H.264.
pub const H264: u8 = 0x1b;
/// Stream type of H.265.
pub const H265: u8 = 0x24;
/// Stream type of AAC with ADTS headers.
pub const AAC: u8 = 0x0f;
/// Stream types of other sound: MPEG audio, AAC in LATM, AC-3, E-AC-3.
pub const OTHER_SOUND: [u8; 5] = [0x03, 0x04, 0x11, 0x81, 0x87];
/// Stream types of other pictures: MPEG-1, MPEG-2, MPEG-4, H.266.
pub const OTHER_PICTURES: [u8; 4] = [0x01, 0x02, 0x10, 0x33];

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Which stream of the programme.
    pub pid: u16,
    /// A table or PES packet begins here.
    pub starts: bool,
    /// The payload is scrambled: nothing can be said of it.
    pub scrambled: bool,
    /// Counts the packets with payload of this stream, modulo 16.
    pub counter: u8,
    /// The counter may jump here.
    pub jumps: bool,
    /// The encoder says that a receiver may begin here.
    pub marked: bool,
    /// Empty if there is none.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads one packet of exactly [`PACKET`] bytes; `None` if it is none.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() != PACKET || bytes[0] != SYNC {
            return None;
        }
        let control = bytes[3];
        let mut from = 4;
        let (mut jumps, mut marked) = (false, false);
        if control & 0x20 != 0 {
            let length = usize::from(bytes[4]);
            from += 1 + length;
            jumps = length > 0 && bytes[5] & 0x80 != 0;
            marked = length > 0 && bytes[5] & 0x40 != 0;
        }
        let payload = if control & 0x10 == 0 { None } else { bytes.get(from..) };
        Some(Self {
            pid: u16_at(bytes, 1) & 0x1fff,
            starts: bytes[1] & 0x40 != 0,
            scrambled: control & 0xc0 != 0,
            counter: control & 0x0f,
            jumps,
            marked,
            payload: payload.unwrap_or_default(),
        })
    }
}

/// True if these are whole packets, and some: what a payload of a `ts` stream is.
#[must_use]
pub fn is_whole(payload: &[u8]) -> bool {
    !payload.is_empty() && payload.len().is_multiple_of(PACKET) && payload.iter().step_by(PACKET).all(|b| *b == SYNC)
}

/// Where the first programme's table is, of a payload that [`Packet::starts`] with pid [`PAT`].
#[must_use]
pub fn program(payload: &[u8]) -> Option<u16> {
    programs(payload).next()
}

/// Where the tables of all programmes are, of a payload that [`Packet::starts`] with pid [`PAT`].
pub fn programs(payload: &[u8]) -> impl Iterator<Item = u16> + '_ {
    let entries = section(payload, 0x00).and_then(|section| section.get(8..)).unwrap_or_default();
    // programme 0 names the network table
    entries.chunks_exact(4).filter(|entry| u16_at(entry, 0) != 0).map(|entry| u16_at(entry, 2) & 0x1fff)
}

/// The streams of a programme, `(pid, stream type)`, of a payload that starts with its table.
pub fn streams(payload: &[u8]) -> impl Iterator<Item = (u16, u8)> + '_ {
    let section = section(payload, 0x02).unwrap_or_default();
    let mut rest = section.get(12 + usize::from(u16_at(section, 10) & 0x0fff)..).unwrap_or_default();
    std::iter::from_fn(move || {
        let entry = rest.get(..5)?;
        rest = rest.get(5 + usize::from(u16_at(entry, 3) & 0x0fff)..).unwrap_or_default();
        Some((u16_at(entry, 1) & 0x1fff, entry[0]))
    })
}

/// A table that fits the packet, without its checksum.
fn section(payload: &[u8], table: u8) -> Option<&[u8]> {
    let section = payload.get(1 + usize::from(*payload.first()?)..)?;
    let end = 3 + usize::from(u16_at(section, 1) & 0x0fff);
    (section.first() == Some(&table)).then_some(())?;
    section.get(..end.checked_sub(4)?)
}

/// The head of a PES packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pes<'a> {
    /// Time stamp in ticks of [`CLOCK`], 33 bits, if there is one.
    pub pts: Option<u64>,
    /// The first bytes of picture or sound.
    pub data: &'a [u8],
}

impl<'a> Pes<'a> {
    /// Reads a payload that [`Packet::starts`].
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let head = payload.get(..9)?;
        if head[..3] != [0, 0, 1] {
            return None;
        }
        let data = payload.get(9 + usize::from(head[8])..).unwrap_or_default();
        let stamp = payload.get(9..14).filter(|_| head[7] & 0x80 != 0 && head[8] >= 5);
        let pts = stamp.map(|b| {
            let b = |i: usize| u64::from(b[i]);
            (b(0) >> 1 & 7) << 30 | b(1) << 22 | (b(2) >> 1) << 15 | b(3) << 7 | b(4) >> 1
        });
        Some(Self { pts, data })
    }
}

/// What a NAL unit of H.264 or H.265 is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nal {
    /// Part of a picture that leans on others.
    Between,
    /// Part of a picture at which a receiver may begin.
    Key,
    /// Anything else: parameters, remarks, filling.
    Other,
}

impl Nal {
    /// Of a unit's first byte; `stream_type` is [`H264`] or [`H265`].
    #[must_use]
    pub const fn of(stream_type: u8, first: u8) -> Self {
        if stream_type == H265 {
            match first >> 1 & 0x3f {
                16..=23 => Self::Key,
                0..=31 => Self::Between,
                _ => Self::Other,
            }
        } else {
            match first & 0x1f {
                1..=4 => Self::Between,
                5 => Self::Key,
                _ => Self::Other,
            }
        }
    }
}

/// A codec whose key pictures can be told by the first bytes of their units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// H.262, the MPEG-2 of broadcasting; MPEG-1 alike.
    H262,
    /// H.264.
    H264,
    /// H.265.
    H265,
}

impl Codec {
    /// By the stream type in the table.
    #[must_use]
    pub const fn of(stream_type: u8) -> Option<Self> {
        match stream_type {
            0x01 | 0x02 => Some(Self::H262),
            H264 => Some(Self::H264),
            H265 => Some(Self::H265),
            _ => None,
        }
    }

    /// True if a receiver may begin at the picture that starts in this packet: it is marked so, or parameter sets or a key
    /// slice come before any other slice. What is not in the packet any more is not looked for: encoders write parameters
    /// first.
    #[must_use]
    pub fn begins(self, packet: &Packet<'_>) -> bool {
        if !packet.starts || packet.marked || packet.scrambled {
            return packet.starts && packet.marked;
        }
        let data = Pes::parse(packet.payload).map_or(&[][..], |pes| pes.data);
        let units = data.windows(4).filter(|bytes| bytes[..3] == [0, 0, 1]).map(|bytes| bytes[3]);
        units.map(|first| self.key(first)).find_map(|key| key).unwrap_or(false)
    }

    /// Whether a unit of this first byte says that a key picture begins, or that another does.
    const fn key(self, first: u8) -> Option<bool> {
        match self {
            Self::H262 => match first {
                0xb3 => Some(true),
                0x00 => Some(false),
                _ => None,
            },
            Self::H264 => match (first & 0x1f, Nal::of(H264, first)) {
                (7, _) | (_, Nal::Key) => Some(true),
                (_, Nal::Between) => Some(false),
                _ => None,
            },
            Self::H265 => match (first >> 1 & 0x3f, Nal::of(H265, first)) {
                (32 | 33, _) | (_, Nal::Key) => Some(true),
                (_, Nal::Between) => Some(false),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(head: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut bytes = head.to_vec();
        bytes[3] |= 0x30;
        let stuffing = PACKET - 5 - payload.len();
        bytes.push(stuffing as u8);
        if stuffing > 0 {
            bytes.push(0x80);
            bytes.resize(5 + stuffing, 0xff);
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn a_packet_says_whose_it_is_and_what_it_carries() {
        let bytes = packet([SYNC, 0x41, 0x01, 0x07], b"payload");

        let read = Packet::parse(&bytes).unwrap();

        assert_eq!((read.pid, read.starts, read.counter, read.jumps, read.scrambled), (0x101, true, 7, true, false));
        assert_eq!(read.payload, b"payload");
        assert_eq!(Packet::parse(&bytes[1..]), None);
        assert_eq!(Packet::parse(&bytes[..187]), None);
    }

    #[test]
    fn a_payload_is_whole_packets_and_nothing_else() {
        let two = [packet([SYNC, 0x41, 0x01, 0x07], b"one"), packet([SYNC, 0x41, 0x01, 0x08], b"two")].concat();

        assert!(is_whole(&two) && is_whole(&two[..PACKET]));
        assert!(!is_whole(&[]) && !is_whole(&two[1..]) && !is_whole(&two[..PACKET + 1]));
        assert!(!is_whole(&[&two[..PACKET], &[0; PACKET]].concat()));
    }

    #[test]
    fn the_tables_lead_to_the_streams() {
        let pat = [0, 0x00, 0xb0, 17, 0, 1, 0xc1, 0, 0, 0, 0, 0xe0, 0x10, 0, 1, 0xe1, 0x00, 0, 0, 0, 0];
        let pmt = [
            0, 0x02, 0xb0, 23, 0, 1, 0xc1, 0, 0, 0xe1, 0x01, 0xf0, 0, H264, 0xe1, 0x01, 0xf0, 0, AAC, 0xe1, 0x02, 0xf0,
            0, 0, 0, 0, 0,
        ];

        assert_eq!(program(&pat), Some(0x100));
        assert_eq!(streams(&pmt).collect::<Vec<_>>(), [(0x101, H264), (0x102, AAC)]);
        assert_eq!(program(&pmt), None);
        assert_eq!(streams(&pat).count(), 0);
    }

    #[test]
    fn the_head_of_a_picture_gives_its_time() {
        let pes = [0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 7, 0xd8, 0x61, 0, 0, 0, 1, 0x65];

        let read = Pes::parse(&pes).unwrap();

        assert_eq!((read.pts, read.data), (Some(126_000), &[0, 0, 0, 1, 0x65][..]));
        assert_eq!(Pes::parse(&pes[1..]), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = program(&bytes);
            let _ = streams(&bytes).count();
            let _ = Pes::parse(&bytes);
            bytes.resize(PACKET, 0);
            bytes[0] = SYNC;
            let _ = Packet::parse(&bytes);
        }
    }
}
