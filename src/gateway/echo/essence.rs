//! Essence: how much is in the units of a picture and in the frames of a sound, in whatever pieces they come.

use crate::wire::ts::Nal;

/// Bytes of an AAC frame of digital silence at the most, with its ADTS header of seven.
const SILENT: u32 = 32;
/// Bytes of an ADTS header that hold the frame's length.
const ADTS: usize = 7;

/// How much of the present picture is in which kind of unit.
#[derive(Debug)]
pub(super) struct Units {
    /// Zeros in a row, as far as they matter.
    zeros: u8,
    /// The next byte says what the unit is.
    begins: bool,
    kind: Nal,
    pub(super) between: u32,
    pub(super) key: u32,
}

impl Default for Units {
    fn default() -> Self {
        Self { zeros: 0, begins: false, kind: Nal::Other, between: 0, key: 0 }
    }
}

impl Units {
    /// The next bytes of the picture, in any pieces.
    pub(super) fn take(&mut self, codec: u8, data: &[u8]) {
        for byte in data {
            if self.begins {
                self.kind = Nal::of(codec, *byte);
                self.begins = false;
            } else if self.zeros >= 2 && *byte == 1 {
                self.begins = true;
            }
            self.zeros = if *byte == 0 { (self.zeros + 1).min(2) } else { 0 };
            match self.kind {
                Nal::Between => self.between = self.between.saturating_add(1),
                Nal::Key => self.key = self.key.saturating_add(1),
                Nal::Other => {}
            }
        }
    }
}

/// Steps from one ADTS frame to the next, across packets.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Bytes of the present frame still to come.
    left: usize,
    head: [u8; ADTS],
    have: usize,
}

impl Frames {
    /// Frames that began in `data`, and how many of them carry more than silence.
    pub(super) fn take(&mut self, mut data: &[u8]) -> (u32, u32) {
        let (mut frames, mut heard) = (0, 0);
        while !data.is_empty() {
            if self.left > 0 {
                let step = self.left.min(data.len());
                self.left -= step;
                data = &data[step..];
                continue;
            }
            self.head[self.have] = data[0];
            data = &data[1..];
            self.have += 1;
            let looks = match self.have {
                1 => self.head[0] == 0xff,
                _ => self.head[1] & 0xf6 == 0xf0,
            };
            if !looks {
                // this byte may itself be the first of a frame
                self.head[0] = self.head[self.have - 1];
                self.have = usize::from(self.head[0] == 0xff);
                continue;
            }
            if self.have == ADTS {
                self.have = 0;
                let h = |i: usize| u32::from(self.head[i]);
                let length = (h(3) & 3) << 11 | h(4) << 3 | h(5) >> 5;
                if length as usize >= ADTS {
                    self.left = length as usize - ADTS;
                    frames += 1;
                    heard += u32::from(length > SILENT);
                }
            }
        }
        (frames, heard)
    }
}
