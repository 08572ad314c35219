//! The time stamps of a transport stream: PAT, PMT and the headers of its elementary packets.
//!
//! Takes any bytes, in any pieces; what is not a transport stream is counted and passed over.

use std::collections::BTreeMap;

/// Bytes of a packet.
const PACKET: usize = 188;
/// First byte of a packet.
const SYNC: u8 = 0x47;
/// The clock of time stamps, ticks a second.
pub const CLOCK: u64 = 90_000;
/// Time stamps have 33 bits.
const WRAP: u64 = 1 << 33;
/// Stream type of H.264.
const H264: u8 = 0x1b;
/// Stream type of AAC with ADTS headers.
const AAC: u8 = 0x0f;

/// One picture or sound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Time stamp in ticks of 90 kHz, unwrapped: it only goes on.
    pub pts: u64,
    /// A receiver may begin here.
    pub key: bool,
}

/// What a stream's packets say of time.
#[derive(Debug, Default)]
pub struct Scan {
    rest: Vec<u8>,
    pmt: Option<u16>,
    kinds: BTreeMap<u16, u8>,
    counters: BTreeMap<u16, u8>,
    /// Pictures, in the order of the stream.
    pub video: Vec<Stamp>,
    /// Sound packets, in the order of the stream.
    pub audio: Vec<Stamp>,
    /// Bytes that belong to no packet.
    pub garbage: u64,
    /// Packets missing by their counters.
    pub discontinuities: u64,
}

impl Scan {
    /// A scan of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let data = std::mem::take(&mut self.rest);
        let mut at = 0;
        while at + PACKET <= data.len() {
            if data[at] == SYNC {
                self.packet(&data[at..at + PACKET]);
                at += PACKET;
            } else {
                self.garbage += 1;
                at += 1;
            }
        }
        self.rest = data[at..].to_vec();
    }

    fn packet(&mut self, packet: &[u8]) {
        let starts = packet[1] & 0x40 != 0;
        let pid = u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]);
        let (adapts, carries) = (packet[3] & 0x20 != 0, packet[3] & 0x10 != 0);
        let mut payload = 4;
        let mut key = false;
        if adapts {
            payload += 1 + usize::from(packet[4]);
            key = packet[4] > 0 && packet[5] & 0x40 != 0;
        }
        if !carries || payload >= PACKET || pid == 0x1fff {
            return;
        }
        let counter = packet[3] & 0x0f;
        if let Some(last) = self.counters.insert(pid, counter)
            && (last + 1) & 0x0f != counter
        {
            self.discontinuities += 1;
        }
        let payload = &packet[payload..];
        if !starts {
            return;
        }
        if pid == 0 {
            self.pmt = section(payload).and_then(|s| s.get(8 + 2..8 + 4)).map(pid_of).or(self.pmt);
        } else if Some(pid) == self.pmt {
            if let Some(table) = section(payload) {
                self.map(table);
            }
        } else if let Some(kind) = self.kinds.get(&pid).copied() {
            let list = if kind == H264 { &mut self.video } else { &mut self.audio };
            if let Some(pts) = pes_stamp(payload) {
                let pts = list.last().map_or(pts, |last| unwrap(last.pts, pts));
                list.push(Stamp { pts, key });
            }
        }
    }

    fn map(&mut self, table: &[u8]) -> Option<()> {
        let length = usize::from(u16::from(table[1] & 0x0f) << 8 | u16::from(table[2])) + 3;
        let info = usize::from(u16::from(*table.get(10)? & 0x0f) << 8 | u16::from(*table.get(11)?));
        let mut at = 12 + info;
        while at + 5 <= length.saturating_sub(4) {
            let entry = table.get(at..at + 5)?;
            if matches!(entry[0], H264 | AAC) {
                self.kinds.insert(pid_of(&entry[1..3]), entry[0]);
            }
            at += 5 + usize::from(u16::from(entry[3] & 0x0f) << 8 | u16::from(entry[4]));
        }
        Some(())
    }
}

fn pid_of(bytes: &[u8]) -> u16 {
    u16::from(bytes[0] & 0x1f) << 8 | u16::from(bytes[1])
}

fn section(payload: &[u8]) -> Option<&[u8]> {
    let table = payload.get(1 + usize::from(*payload.first()?)..)?;
    (table.len() >= 12).then_some(table)
}

fn pes_stamp(payload: &[u8]) -> Option<u64> {
    let header = payload.get(..14)?;
    if header[..3] != [0, 0, 1] || header[7] & 0x80 == 0 {
        return None;
    }
    let b = |i: usize| u64::from(header[i]);
    Some((b(9) >> 1 & 7) << 30 | b(10) << 22 | (b(11) >> 1) << 15 | b(12) << 7 | b(13) >> 1)
}

fn unwrap(last: u64, pts: u64) -> u64 {
    let step = (pts + WRAP - last % WRAP) % WRAP;
    if step < WRAP / 2 { last + step } else { (last + step).saturating_sub(WRAP) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u16, counter: u8, key: bool, payload: &[u8]) -> Vec<u8> {
        let mut p = vec![SYNC, 0x40 | (pid >> 8) as u8, pid as u8, 0x30 | counter];
        let stuffing = PACKET - 4 - payload.len();
        p.push((stuffing - 1) as u8);
        p.push(if key { 0x40 } else { 0 });
        p.resize(4 + stuffing, 0xff);
        p.extend_from_slice(payload);
        p
    }

    fn stream(stamps: &[u64]) -> Vec<u8> {
        let mut pat = vec![0, 0x00, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0x00];
        pat.extend([0; 4]);
        let mut pmt = vec![0, 0x02, 0xb0, 23, 0, 1, 0xc1, 0, 0, 0xe1, 0x01, 0xf0, 0];
        pmt.extend([H264, 0xe1, 0x01, 0xf0, 0, AAC, 0xe1, 0x02, 0xf0, 0, 0, 0, 0, 0]);
        let mut bytes = packet(0, 0, false, &pat);
        bytes.extend(packet(0x100, 0, false, &pmt));
        for (i, pts) in stamps.iter().enumerate() {
            let p = pts % WRAP;
            let pes = [
                0,
                0,
                1,
                0xe0,
                0,
                0,
                0x80,
                0x80,
                5,
                0x21 | ((p >> 29) as u8 & 0x0e),
                (p >> 22) as u8,
                (p >> 14) as u8 | 1,
                (p >> 7) as u8,
                (p << 1) as u8 | 1,
            ];
            bytes.extend(packet(0x101, i as u8 & 0x0f, i == 0, &pes));
        }
        bytes
    }

    #[test]
    fn time_stamps_are_read_whatever_the_pieces() {
        let bytes = stream(&[126_000, 129_600, 133_200]);
        let mut scan = Scan::new();
        bytes.chunks(61).for_each(|piece| scan.push(piece));
        let pts: Vec<_> = scan.video.iter().map(|s| s.pts).collect();
        assert_eq!(pts, [126_000, 129_600, 133_200]);
        assert!(scan.video[0].key && !scan.video[1].key);
        assert_eq!((scan.garbage, scan.discontinuities), (0, 0));
    }

    #[test]
    fn time_goes_on_when_the_33_bits_are_full() {
        let mut scan = Scan::new();
        scan.push(&stream(&[WRAP - 3600, WRAP, WRAP + 3600]));
        let steps: Vec<_> = scan.video.windows(2).map(|w| w[1].pts - w[0].pts).collect();
        assert_eq!(steps, [3600, 3600]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000), every in 1usize..200) {
            bytes.iter_mut().step_by(every).for_each(|b| *b = SYNC);
            let mut scan = Scan::new();
            scan.push(&stream(&[1]));
            scan.push(&bytes);
        }
    }
}
