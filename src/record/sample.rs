//! A transport stream made by hand, for tests.

use crate::wire::ts::{AAC, H264, PACKET, SYNC};

/// Where the tables and streams of the samples are.
const TABLE: u16 = 0x1000;
const VIDEO: u16 = 0x100;
const AUDIO: u16 = 0x101;

/// A stream of 25 pictures a second, three packets each, with a sound packet after every picture and
/// tables every ten pictures.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    pts: u64,
    pictures: u64,
    counters: [u8; 4],
}

impl Stream {
    /// One whose first picture has this time stamp.
    #[must_use]
    pub fn at(pts: u64) -> Self {
        Self { pts, ..Self::default() }
    }

    /// A key picture and what leans on it; `asked`: with tables directly before the key picture.
    pub fn gop(&mut self, pictures: u64, asked: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        for n in 0..pictures {
            if n == 0 && asked {
                self.tables(&mut bytes);
            }
            self.picture(n == 0, &mut bytes);
            self.packet(AUDIO, 3, false, &[0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0, 0xff], &mut bytes);
            if self.pictures % 10 == 4 {
                self.tables(&mut bytes);
            }
        }
        bytes
    }

    fn tables(&mut self, bytes: &mut Vec<u8>) {
        let pid = |pid: u16| [(pid >> 8) as u8 | 0xe0, pid as u8];
        let [a, b] = pid(TABLE);
        self.packet(0, 0, false, &[0, 0x00, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, a, b, 0, 0, 0, 0], bytes);
        let ([a, b], [c, d]) = (pid(VIDEO), pid(AUDIO));
        let table =
            [0, 0x02, 0xb0, 23, 0, 1, 0xc1, 0, 0, a, b, 0xf0, 0, H264, a, b, 0xf0, 0, AAC, c, d, 0xf0, 0, 0, 0, 0, 0];
        self.packet(TABLE, 1, false, &table, bytes);
    }

    fn picture(&mut self, key: bool, bytes: &mut Vec<u8>) {
        let pts = self.pts % (1 << 33);
        let stamp = [
            0x21 | ((pts >> 29) as u8 & 0x0e),
            (pts >> 22) as u8,
            (pts >> 14) as u8 | 1,
            (pts >> 7) as u8,
            (pts << 1) as u8 | 1,
        ];
        let head = [&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5], &stamp[..]].concat();
        self.packet(VIDEO, 2, key, &head, bytes);
        for _ in 0..2 {
            let at = bytes.len();
            self.packet(VIDEO, 2, false, &self.pictures.to_be_bytes(), bytes);
            bytes[at + 1] &= !0x40;
        }
        self.pts += 3600;
        self.pictures += 1;
    }

    fn packet(&mut self, pid: u16, counter: usize, key: bool, payload: &[u8], bytes: &mut Vec<u8>) {
        let end = bytes.len() + PACKET;
        bytes.extend([SYNC, 0x40 | (pid >> 8) as u8, pid as u8, 0x30 | self.counters[counter]]);
        self.counters[counter] = (self.counters[counter] + 1) & 0x0f;
        let stuffing = PACKET - 5 - payload.len();
        bytes.extend([stuffing as u8, if key { 0x40 } else { 0 }]);
        bytes.resize(end - payload.len(), 0xff);
        bytes.extend_from_slice(payload);
    }
}
