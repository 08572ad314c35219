//! A transport stream made by hand, and the eyes to judge what was made of it, for tests.

use std::collections::BTreeMap;

use super::restamp::ahead;
use crate::wire::ts::{AAC, H264, PACKET, Packet, Pes, SYNC};

pub(crate) const PERIOD: u64 = 3600;
pub(crate) const BLOCK: u64 = 1920;
const WRAP: u64 = 1 << 33;
const TABLE: u16 = 0x20;
const VIDEO: u16 = 0x41;
const AUDIO: u16 = 0x42;

/// One encode of a programme of 25 pictures a second: `mark` is its watermark, and each picture carries its number.
#[derive(Debug, Clone)]
pub(crate) struct Encode {
    mark: u8,
    /// Time stamp of picture 0.
    base: u64,
    picture: u64,
    sound: u64,
    counters: BTreeMap<u16, u8>,
}

impl Encode {
    /// Whose next picture has this number; time stamps are the number's, from `base` on.
    pub(crate) fn new(mark: u8, base: u64, picture: u64) -> Self {
        let sound = (picture * PERIOD).div_ceil(BLOCK);
        Self { mark, base, picture, sound, counters: BTreeMap::new() }
    }

    pub(crate) fn next(&self) -> u64 {
        self.picture
    }

    /// The next picture, with its tables if it is a key picture, and the sound beside it.
    pub(crate) fn picture(&mut self, key: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if key {
            self.tables(&mut out);
        }
        let pts = self.base + self.picture * PERIOD;
        let mut payload = pes(0xe0, pts);
        payload.extend([self.mark, u8::from(key)]);
        payload.extend(self.picture.to_be_bytes());
        self.packet(VIDEO, true, Some((key, pts)), &payload, &mut out);
        for _ in 0..2 {
            self.packet(VIDEO, false, None, &[self.mark; 100], &mut out);
        }
        self.picture += 1;
        while self.sound * BLOCK < self.picture * PERIOD {
            let payload = pes(0xc0, self.base + self.sound * BLOCK);
            self.packet(AUDIO, true, None, &payload, &mut out);
            self.packet(AUDIO, false, None, &[self.mark; 40], &mut out);
            self.sound += 1;
        }
        out
    }

    fn tables(&mut self, out: &mut Vec<u8>) {
        let pid = |pid: u16| [(pid >> 8) as u8 | 0xe0, pid as u8];
        let [a, b] = pid(TABLE);
        self.packet(0, true, None, &[0, 0x00, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, a, b, 0, 0, 0, 0], out);
        let ([a, b], [c, d]) = (pid(VIDEO), pid(AUDIO));
        let table =
            [0, 0x02, 0xb0, 23, 0, 1, 0xc1, 0, 0, a, b, 0xf0, 0, H264, a, b, 0xf0, 0, AAC, c, d, 0xf0, 0, 0, 0, 0, 0];
        self.packet(TABLE, true, None, &table, out);
    }

    fn packet(&mut self, pid: u16, starts: bool, clock: Option<(bool, u64)>, payload: &[u8], out: &mut Vec<u8>) {
        let counter = self.counters.entry(pid).or_insert(self.mark & 0x0f);
        let end = out.len() + PACKET;
        out.extend([SYNC, u8::from(starts) << 6 | (pid >> 8) as u8, pid as u8, 0x30 | *counter]);
        *counter = (*counter + 1) & 0x0f;
        out.push((PACKET - 5 - payload.len()) as u8);
        match clock {
            Some((key, pts)) => {
                let base = pts % WRAP;
                out.push(0x10 | if key { 0x40 } else { 0 });
                out.extend([(base >> 25) as u8, (base >> 17) as u8, (base >> 9) as u8, (base >> 1) as u8]);
                out.extend([((base & 1) as u8) << 7 | 0x7e, 0]);
            }
            None => out.push(0),
        }
        out.resize(end - payload.len(), 0xff);
        out.extend_from_slice(payload);
    }
}

fn pes(id: u8, pts: u64) -> Vec<u8> {
    let p = pts % WRAP;
    let head = [0, 0, 1, id, 0, 0, 0x80, 0x80, 5, 0x21 | (p >> 29) as u8 & 0x0e];
    [&head[..], &[(p >> 22) as u8, (p >> 14) as u8 | 1, (p >> 7) as u8, (p << 1) as u8 | 1]].concat()
}

/// One picture as it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) mark: u8,
    pub(crate) key: bool,
    pub(crate) number: u64,
    pub(crate) pts: u64,
}

/// The pictures that left, after a look at counters, stamps and clock: whatever is broken is a panic that says so.
pub(crate) fn judge(bytes: &[u8]) -> Vec<Seen> {
    assert_eq!(bytes.len() % PACKET, 0);
    let (mut counters, mut seen, mut sound) = (BTreeMap::new(), Vec::<Seen>::new(), None::<u64>);
    let mut parts = 3;
    for (n, raw) in bytes.chunks_exact(PACKET).enumerate() {
        let packet = Packet::parse(raw).unwrap();
        if let Some(last) = counters.insert(packet.pid, packet.counter) {
            assert_eq!((last + 1) & 0x0f, packet.counter, "counter of {:#x} at packet {n}", packet.pid);
        }
        match (packet.pid, packet.starts) {
            (VIDEO, true) => {
                assert_eq!(parts, 3, "a picture in pieces before packet {n}");
                parts = 1;
                let pes = Pes::parse(packet.payload).unwrap();
                let pts = pes.pts.unwrap();
                let base =
                    (0..4).fold(0_u64, |base, i| base << 8 | u64::from(raw[6 + i])) << 1 | u64::from(raw[10] >> 7);
                assert_eq!(base, pts, "the clock goes with the pictures");
                if let Some(last) = seen.last() {
                    assert_eq!(ahead(last.pts, pts), PERIOD as i64, "step at picture {}", seen.len());
                }
                let number = u64::from_be_bytes(pes.data[2..10].try_into().unwrap());
                seen.push(Seen { mark: pes.data[0], key: pes.data[1] == 1, number, pts });
            }
            (VIDEO, false) => {
                parts += 1;
                assert_eq!(packet.payload[50], seen.last().unwrap().mark, "pieces of another picture at packet {n}");
            }
            (AUDIO, true) => {
                let pts = Pes::parse(packet.payload).unwrap().pts.unwrap();
                if let Some(last) = sound {
                    assert_eq!(ahead(last, pts), BLOCK as i64, "step of sound at packet {n}");
                }
                sound = Some(pts);
                if let Some(picture) = seen.last() {
                    let off = ahead(picture.pts, pts);
                    assert!((-2000..=PERIOD as i64 + 2000).contains(&off), "sound is {off} off its picture");
                }
            }
            _ => {}
        }
    }
    for two in seen.windows(2) {
        let leans = two[1].mark == two[0].mark && two[1].number == two[0].number + 1;
        assert!(leans || two[1].key, "{:?} cannot be shown after {:?}", two[1], two[0]);
    }
    seen
}
