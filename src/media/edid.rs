//! The EDID that the box offers to what is plugged into its HDMI inputs: a 1080p display, written for laptops.
//!
//! 16:9 modes only, so that a mirrored desktop fills the picture; 1920×1080 at 60 preferred and nothing
//! above it, so that no laptop sends 4K for the scaler to throw away; the size of a 24 inch screen, so
//! that Windows leaves its letters at 100 %; RGB only, since a slide's thin letters suffer from halved colour; two
//! channels of 48 kHz, so that a laptop that sends its sound there finds a taker. Laid out as VESA E-EDID
//! 1.3 with one CTA-861 extension.

/// Bytes of a block.
pub const BLOCK: usize = 128;
/// Bytes of what is offered: base block and one extension.
pub const BYTES: usize = 2 * BLOCK;

/// A detailed timing: active, front porch, sync and back porch, across and down; clock in 10 kHz.
struct Timing {
    clock: u16,
    across: [u16; 4],
    down: [u16; 4],
}

/// 1920×1080 at 60 Hz, CTA code 16.
const P1080_60: Timing = Timing { clock: 14_850, across: [1920, 88, 44, 148], down: [1080, 4, 5, 36] };
/// 1920×1080 at 50 Hz, CTA code 31.
const P1080_50: Timing = Timing { clock: 14_850, across: [1920, 528, 44, 148], down: [1080, 4, 5, 36] };
/// 1280×720 at 60 Hz, CTA code 4.
const P720_60: Timing = Timing { clock: 7425, across: [1280, 110, 40, 220], down: [720, 5, 5, 20] };
/// The picture's size in mm: 24 inches.
const SIZE: (u16, u16) = (531, 299);
/// CTA codes: 1080p60 (native), 1080p50, 1080p30, 25 and 24, 720p60 and 50, and the 640×480 that HDMI demands.
const CODES: [u8; 8] = [16 | 0x80, 31, 34, 33, 32, 4, 19, 1];

impl Timing {
    fn bytes(&self) -> [u8; 18] {
        let [width, front, sync, back] = self.across;
        let [height, above, pulse, below] = self.down;
        let (blank, gap) = (front + sync + back, above + pulse + below);
        let high = |a: u16, b: u16| ((a >> 8) << 4 | b >> 8) as u8;
        let [low_clock, high_clock] = self.clock.to_le_bytes();
        [
            low_clock,
            high_clock,
            width as u8,
            blank as u8,
            high(width, blank),
            height as u8,
            gap as u8,
            high(height, gap),
            front as u8,
            sync as u8,
            ((above & 15) << 4 | pulse & 15) as u8,
            ((front >> 8) << 6 | (sync >> 8) << 4 | (above >> 4) << 2 | pulse >> 4) as u8,
            SIZE.0 as u8,
            SIZE.1 as u8,
            high(SIZE.0, SIZE.1),
            0,
            0,
            // not interlaced; separate digital sync, both positive
            0x1e,
        ]
    }
}

/// The EDID that is offered.
#[must_use]
pub fn laptop() -> [u8; BYTES] {
    let mut all = [0; BYTES];
    let (base, more) = all.split_at_mut(BLOCK);
    base[..8].copy_from_slice(&[0, 255, 255, 255, 255, 255, 255, 0]);
    // the maker's three letters, five bits each
    let maker = b"LVB".iter().fold(0u16, |word, letter| word << 5 | u16::from(letter - b'A' + 1));
    base[8..10].copy_from_slice(&maker.to_be_bytes());
    base[10..12].copy_from_slice(&1080u16.to_le_bytes());
    // no serial number; week 1 of 2026; version 1.3
    base[16..20].copy_from_slice(&[1, (2026 - 1990) as u8, 1, 3]);
    // digital, size in cm, gamma 2.2; RGB, sRGB, the first timing is the preferred one
    base[20..25].copy_from_slice(&[0x80, (SIZE.0 / 10) as u8, (SIZE.1 / 10) as u8, 120, 0x0e]);
    // the colours of sRGB
    base[25..35].copy_from_slice(&[0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54]);
    // 640x480 at 60, which every source must be able to fall back to
    base[35..38].copy_from_slice(&[0x20, 0, 0]);
    // 1920x1080, 1600x900 and 1280x720 at 60, all 16:9; the rest is free
    let standard = |width: u16| [(width / 8 - 31) as u8, 0xc0];
    base[38..54].fill(1);
    for (place, width) in base[38..44].chunks_exact_mut(2).zip([1920, 1600, 1280]) {
        place.copy_from_slice(&standard(width));
    }
    base[54..72].copy_from_slice(&P1080_60.bytes());
    base[72..90].copy_from_slice(&P1080_50.bytes());
    // 24 to 61 pictures, 30 to 70 thousand lines a second, at most 150 MHz
    base[90..108].copy_from_slice(b"\0\0\0\xfd\0\x18\x3d\x1e\x46\x0f\0\n      ");
    base[108..126].copy_from_slice(b"\0\0\0\xfc\0LIVEBOX\n     ");
    base[126] = 1;
    seal(base);

    let mut blocks = Vec::with_capacity(BLOCK);
    blocks.push(0x40 | CODES.len() as u8);
    blocks.extend(CODES);
    // two channels of linear PCM, 32, 44.1 and 48 kHz, 16 bits; front left and right
    blocks.extend([0x23, 0x09, 0x07, 0x01, 0x83, 0x01, 0, 0]);
    // HDMI, at the root of its tree
    blocks.extend([0x65, 0x03, 0x0c, 0x00, 0x10, 0x00]);
    let timings = 4 + blocks.len();
    // sound is taken, desktop edges are shown whole; one native timing
    more[..4].copy_from_slice(&[2, 3, timings as u8, 0x80 | 0x40 | 1]);
    more[4..timings].copy_from_slice(&blocks);
    more[timings..timings + 18].copy_from_slice(&P720_60.bytes());
    seal(more);
    all
}

/// The last byte makes the sum of all a multiple of 256.
fn seal(block: &mut [u8]) {
    if let Some((last, rest)) = block.split_last_mut() {
        *last = rest.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_blocks_sum_up_to_nothing() {
        for block in laptop().chunks(BLOCK) {
            assert_eq!(block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
        }
    }

    #[test]
    fn the_preferred_timing_is_1080p60_as_displays_write_it() {
        let edid = laptop();

        // byte for byte what the CTA's example of code 16 says, but for the size of the screen
        let wanted = [0x02, 0x3a, 0x80, 0x18, 0x71, 0x38, 0x2d, 0x40, 0x58, 0x2c, 0x45, 0x00];
        assert_eq!(edid[54..66], wanted);
        assert_eq!(&edid[8..10], [0x32, 0xc2], "LVB");
        assert_eq!(edid[126], 1, "one extension");
        assert_eq!(edid[24] & 2, 2, "the first timing is preferred");
    }

    #[test]
    fn nothing_is_offered_above_1080p_and_nothing_that_is_not_16_to_9_but_the_fall_back() {
        let edid = laptop();

        assert_eq!(edid[35..38], [0x20, 0, 0]);
        for pair in edid[38..54].chunks(2).filter(|pair| *pair != [1, 1]) {
            assert!(pair[1] >> 6 == 3 && (u16::from(pair[0]) + 31) * 8 <= 1920, "{pair:?}");
        }
        for at in [54, 72, BLOCK + usize::from(edid[BLOCK + 2])] {
            let dtd = &edid[at..at + 18];
            let (width, height) =
                (u16::from(dtd[2]) | u16::from(dtd[4] >> 4) << 8, u16::from(dtd[5]) | u16::from(dtd[7] >> 4) << 8);
            assert!(width * 9 == height * 16 && width <= 1920, "{width}x{height}");
            assert!(u16::from_le_bytes([dtd[0], dtd[1]]) <= 15_000, "the range limits allow 150 MHz");
        }
    }

    #[test]
    fn the_extension_offers_hdmi_with_sound() {
        let edid = laptop();
        let more = &edid[BLOCK..];
        let end = usize::from(more[2]);
        let (mut at, mut tags) = (4, Vec::new());
        while at < end {
            tags.push(more[at] >> 5);
            at += 1 + usize::from(more[at] & 31);
        }

        assert_eq!((at, tags), (end, vec![2, 1, 4, 3]), "pictures, sound, speakers, HDMI");
        assert_eq!(more[3] & 0x70, 0x40, "sound yes, YCbCr no");
        assert_eq!(&more[end - 5..end - 2], [0x03, 0x0c, 0x00]);
    }
}
