//! Restamp: one transport stream out of pieces of several, its counters and time stamps unbroken.
//!
//! In go packets of whichever stream is shown now; out come the same packets with the counters of the
//! stream that leaves, and its times moved so that they go on. Where another stream begins
//! ([`Restamp::join`]) everything up to its next key picture is left out, its tables are written before
//! that picture, and sound begins with the block that lies nearest to where the last one ended: its
//! steps stay exact too, and sound and picture differ by half a block at the most (10.7 ms of AAC). A block
//! that is missing in between is the one before it once more.
//! (ISO/IEC 13818-1: packet 2.4.3.2, times 2.4.3.5 and 2.4.3.7.)

use std::collections::BTreeMap;

use crate::wire::ts::{AAC, H264, H265, NULL, OTHER_PICTURES, OTHER_SOUND, PACKET, PAT, Packet, program, streams};

/// Time stamps have 33 bits.
const WRAP: u64 = 1 << 33;
/// In the flags of a packet's adaptation field: a receiver may begin here.
const RANDOM_ACCESS: u8 = 0x40;
/// An AAC block at 48 kHz, in ticks of 90 kHz; counts until a stream has shown its own.
const BLOCK: u64 = 1920;

/// A block of sound has no more bytes than this.
const MOST_BLOCK: usize = 32 * PACKET;
/// So many blocks are filled in at most; what is longer is a hole that somebody should hear of.
const MOST_FILLED: i64 = 8;

/// What one packet of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of the two tables.
    Table,
    /// Begins a picture.
    Picture {
        /// Its time stamp, ticks of 90 kHz, 33 bits.
        pts: u64,
        /// A receiver may begin here.
        key: bool,
    },
    /// Goes on with a picture.
    MorePicture,
    /// Begins a block of sound.
    Sound {
        /// Its time stamp, ticks of 90 kHz, 33 bits.
        pts: u64,
    },
    /// Goes on with sound.
    MoreSound,
    /// Anything else.
    Other,
}

/// Reads a stream far enough to say what each packet is.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    table: Option<u16>,
    picture: Option<u16>,
    sound: Option<u16>,
    /// The latest tables, as they came.
    tables: [Option<Box<[u8; PACKET]>>; 2],
}

impl Reader {
    /// What this packet is; `None` if it is none.
    pub fn read(&mut self, bytes: &[u8]) -> Option<Kind> {
        let packet = Packet::parse(bytes)?;
        let keep = |bytes: &[u8]| <[u8; PACKET]>::try_from(bytes).ok().map(Box::new);
        Some(match packet.pid {
            PAT => {
                if packet.starts {
                    self.table = program(packet.payload).or(self.table);
                    self.tables[0] = keep(bytes);
                }
                Kind::Table
            }
            pid if Some(pid) == self.table => {
                if packet.starts {
                    let picture = |kind: u8| [H264, H265].contains(&kind) || OTHER_PICTURES.contains(&kind);
                    let sound = |kind: u8| kind == AAC || OTHER_SOUND.contains(&kind);
                    let find = |fits: &dyn Fn(u8) -> bool| {
                        streams(packet.payload).find(|(_, kind)| fits(*kind)).map(|(pid, _)| pid)
                    };
                    self.picture = find(&picture).or(self.picture);
                    self.sound = find(&sound).or(self.sound);
                    self.tables[1] = keep(bytes);
                }
                Kind::Table
            }
            pid if Some(pid) == self.picture => match time(bytes, packet) {
                Some(pts) => Kind::Picture { pts, key: adaptation(bytes).is_some_and(|a| a[0] & RANDOM_ACCESS != 0) },
                None => Kind::MorePicture,
            },
            pid if Some(pid) == self.sound => time(bytes, packet).map_or(Kind::MoreSound, |pts| Kind::Sound { pts }),
            _ => Kind::Other,
        })
    }

    fn tables(&self) -> impl Iterator<Item = &[u8; PACKET]> {
        self.tables.iter().filter_map(|table| table.as_deref())
    }
}

fn time(bytes: &[u8], packet: Packet<'_>) -> Option<u64> {
    if !packet.starts {
        return None;
    }
    stamp_at(bytes).map(|at| get(&bytes[at..at + 5]))
}

/// Where the payload begins.
fn payload(bytes: &[u8]) -> usize {
    4 + if bytes[3] & 0x20 != 0 { 1 + usize::from(bytes[4]) } else { 0 }
}

/// The adaptation field from its flags on, if it has any.
fn adaptation(bytes: &[u8]) -> Option<&[u8]> {
    let length = usize::from(bytes[4]);
    (bytes[3] & 0x20 != 0 && length > 0).then(|| bytes.get(5..5 + length)).flatten()
}

/// Where the time stamp of the PES packet that begins here stands.
fn stamp_at(bytes: &[u8]) -> Option<usize> {
    let from = payload(bytes);
    let head = bytes.get(from..from + 14)?;
    (head[..3] == [0, 0, 1] && head[7] & 0x80 != 0 && head[8] >= 5).then_some(from + 9)
}

fn get(b: &[u8]) -> u64 {
    let b = |i: usize| u64::from(b[i]);
    (b(0) >> 1 & 7) << 30 | b(1) << 22 | (b(2) >> 1) << 15 | b(3) << 7 | b(4) >> 1
}

fn put(b: &mut [u8], time: u64) {
    let time = time % WRAP;
    b[0] = b[0] & 0xf1 | (time >> 29) as u8 & 0x0e;
    b[1] = (time >> 22) as u8;
    b[2] = (time >> 14) as u8 | 1;
    b[3] = (time >> 7) as u8;
    b[4] = (time << 1) as u8 | 1;
}

/// By how much `to` lies after `from`, in 33 bits; negative if it lies before.
#[must_use]
pub fn ahead(from: u64, to: u64) -> i64 {
    let step = (to % WRAP + WRAP - from % WRAP) % WRAP;
    if step < WRAP / 2 { step as i64 } else { step as i64 - WRAP as i64 }
}

/// Makes the stream that leaves.
#[derive(Debug, Clone)]
pub struct Restamp {
    /// One picture, ticks of 90 kHz.
    period: u64,
    counters: BTreeMap<u16, u8>,
    /// Added to times of pictures and clock, and to those of sound.
    shift: (u64, u64),
    /// The latest picture and sound that left, as they left.
    last: (Option<u64>, Option<u64>),
    block: u64,
    /// Another stream begins with its next key picture.
    joining: Option<Joining>,
    /// Sound waits for the block that goes on from the last.
    sound_waits: bool,
    /// The latest block of sound, as it left.
    latest_block: Vec<u8>,
    /// Something was joined: packets no longer leave as they came.
    touched: bool,
}

/// How another stream's time is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// It has the same clock: its times stay as they are.
    SameClock,
    /// Its first picture comes one period after the last one that left.
    Next,
}

impl Restamp {
    /// A stream whose pictures are `period` ticks of 90 kHz apart.
    #[must_use]
    pub fn new(period: u64) -> Self {
        Self {
            period,
            counters: BTreeMap::new(),
            shift: (0, 0),
            last: (None, None),
            block: BLOCK,
            joining: None,
            sound_waits: false,
            latest_block: Vec::new(),
            touched: false,
        }
    }

    /// Packets leave as they came: nothing was ever joined.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// From the next key picture on another stream is pushed.
    pub fn join(&mut self, how: Joining) {
        self.touched = true;
        self.joining = Some(how);
    }

    /// Nothing leaves until a key picture comes.
    #[must_use]
    pub fn is_joining(&self) -> bool {
        self.joining.is_some()
    }

    /// One picture, ticks of 90 kHz.
    #[must_use]
    pub fn period(&self) -> u64 {
        self.period
    }

    /// The latest picture that left, as it left.
    #[must_use]
    pub fn last_picture(&self) -> Option<u64> {
        self.last.0
    }

    /// Takes one packet of the stream that `reader` reads, which is `kind`; `out` gets what leaves.
    pub fn push(&mut self, reader: &Reader, packet: &[u8], kind: Kind, out: &mut Vec<u8>) {
        if let Some(how) = self.joining {
            let Kind::Picture { pts, key: true } = kind else { return };
            self.joining = None;
            if how == Joining::Next
                && let Some(last) = self.last.0
            {
                self.shift.0 = (last + self.period + WRAP - pts) % WRAP;
            }
            self.sound_waits = true;
            for table in reader.tables() {
                self.write(&table[..], Kind::Table, out);
            }
        }
        match kind {
            Kind::Picture { pts, .. } => self.last.0 = Some((pts + self.shift.0) % WRAP),
            Kind::Sound { pts } => {
                if !self.begins(pts, out) {
                    return;
                }
                self.latest_block.clear();
                let leaves = (pts + self.shift.1) % WRAP;
                if let Some(last) = self.last.1 {
                    let step = ahead(last, leaves);
                    if (BLOCK as i64 / 4..BLOCK as i64 * 16).contains(&step) {
                        self.block = step as u64;
                    }
                }
                self.last.1 = Some(leaves);
            }
            Kind::MoreSound if self.sound_waits => return,
            Kind::Other if self.touched => return,
            _ => {}
        }
        let from = out.len();
        self.write(packet, kind, out);
        if matches!(kind, Kind::Sound { .. } | Kind::MoreSound) && self.latest_block.len() < MOST_BLOCK {
            self.latest_block.extend_from_slice(&out[from..]);
        }
    }

    /// True if sound goes on with this block; what is missing before it is filled.
    fn begins(&mut self, pts: u64, out: &mut Vec<u8>) -> bool {
        if !self.sound_waits {
            return true;
        }
        let natural = (pts + self.shift.0) % WRAP;
        let mut wanted = self.last.1.map_or(natural, |last| (last + self.block) % WRAP);
        let half = self.block as i64 / 2;
        if ahead(wanted, natural) < -half {
            return false;
        }
        let long = ahead(wanted, natural) > MOST_FILLED * self.block as i64;
        while !long && ahead(wanted, natural) > half {
            self.repeat(wanted, out);
            self.last.1 = Some(wanted);
            wanted = (wanted + self.block) % WRAP;
        }
        // a longer hole is left a hole
        let from = if long { natural } else { wanted };
        self.shift.1 = (from + WRAP - pts) % WRAP;
        self.sound_waits = false;
        true
    }

    /// The latest block once more, with this time.
    fn repeat(&mut self, pts: u64, out: &mut Vec<u8>) {
        let block = std::mem::take(&mut self.latest_block);
        for packet in block.chunks_exact(PACKET) {
            let at = out.len();
            out.extend_from_slice(packet);
            let packet = &mut out[at..];
            let pid = u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]);
            let counter = self.counters.get(&pid).map_or(packet[3], |last| last + u8::from(packet[3] & 0x10 != 0));
            packet[3] = packet[3] & 0xf0 | counter & 0x0f;
            self.counters.insert(pid, packet[3] & 0x0f);
            if packet[1] & 0x40 != 0
                && let Some(at) = stamp_at(packet)
            {
                put(&mut packet[at..at + 5], pts);
            }
        }
        self.latest_block = block;
    }

    fn write(&mut self, packet: &[u8], kind: Kind, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(packet);
        let packet = &mut out[at..];
        let pid = u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]);
        if pid == NULL {
            return;
        }
        let carries = packet[3] & 0x10 != 0;
        if self.touched {
            let last = self.counters.get(&pid).copied();
            let counter = match last {
                Some(last) => (last + u8::from(carries)) & 0x0f,
                None => packet[3] & 0x0f,
            };
            packet[3] = packet[3] & 0xf0 | counter;
            let shift = if matches!(kind, Kind::Sound { .. } | Kind::MoreSound) { self.shift.1 } else { self.shift.0 };
            if shift != 0 {
                move_times(packet, kind, shift);
            }
        }
        self.counters.insert(pid, packet[3] & 0x0f);
    }
}

/// Puts the time stamps of the PES packet that begins here back by `ticks` of 90 kHz, fewer than 2³³.
pub(super) fn put_back(packet: &mut [u8], ticks: u64) {
    if let Some(at) = stamp_at(packet) {
        move_stamps(packet, at, WRAP - ticks % WRAP);
    }
}

fn move_stamps(packet: &mut [u8], at: usize, shift: u64) {
    let both = packet[at - 2] & 0x40 != 0 && packet.len() >= at + 10;
    for at in [at, at + 5].into_iter().take(if both { 2 } else { 1 }) {
        let time = get(&packet[at..at + 5]) + shift;
        put(&mut packet[at..at + 5], time);
    }
}

fn move_times(packet: &mut [u8], kind: Kind, shift: u64) {
    if matches!(kind, Kind::Picture { .. } | Kind::Sound { .. })
        && let Some(at) = stamp_at(packet)
    {
        move_stamps(packet, at, shift);
    }
    let clocked = adaptation(packet).is_some_and(|a| a.len() >= 7 && a[0] & 0x10 != 0);
    if clocked {
        let b = |i: usize| u64::from(packet[6 + i]);
        let base = b(0) << 25 | b(1) << 17 | b(2) << 9 | b(3) << 1 | b(4) >> 7;
        let base = (base + shift) % WRAP;
        for (i, down) in [25, 17, 9, 1].into_iter().enumerate() {
            packet[6 + i] = (base >> down) as u8;
        }
        packet[10] = packet[10] & 0x7f | ((base & 1) as u8) << 7;
    }
}
