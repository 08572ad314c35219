//! The machine-readable bar of the test pattern: a frame counter as black and white blocks.
//!
//! The bar lies along the top of the picture: guards, the source's number, the counter, a check
//! byte. Blocks are wide enough to survive H.264 at a low rate and a scaled-down layout; a picture
//! without a valid bar (the slate, a film) reads as `None`.

use super::layout::Rect;

/// Blocks across the picture: four guards, two bits of source, 24 of counter, eight of check.
const CELLS: u32 = 4 + 2 + 24 + 8;
/// Luma of a white block (video range).
const WHITE: u8 = 235;
/// Luma of a black block (video range).
const BLACK: u8 = 16;
/// The bar's share of the height: one twelfth, so that it is 30 lines high at 360 and 7 in a quarter-size inset.
const SHARE: u32 = 12;
/// Guards must differ by at least this much, or there is no bar: a third of the range.
const CONTRAST: i32 = 70;

/// What a bar says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Number of the source, 0 to 3.
    pub source: u8,
    /// The frame counter, modulo 2²⁴.
    pub count: u32,
}

/// One plane of brightness: rows of `stride` bytes.
#[derive(Debug, Clone, Copy)]
pub struct Luma<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// Height of the bar in a picture of this height, in pixels.
#[must_use]
pub const fn bar_height(height: u32) -> u32 {
    let high = height / SHARE;
    if high < 4 { 4 } else { high }
}

fn check(mark: Mark) -> u8 {
    // CRC-8, polynomial 0x07, started off zero so that an all-black bar is not valid
    let mut crc: u8 = 0x5a;
    for byte in [mark.source, (mark.count >> 16) as u8, (mark.count >> 8) as u8, mark.count as u8] {
        crc ^= byte;
        for _ in 0..8 {
            crc = if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x07 };
        }
    }
    crc
}

fn cells(mark: Mark) -> u64 {
    let mark = Mark { source: mark.source & 3, count: mark.count & 0xff_ffff };
    let body = (u64::from(mark.source) << 32) | (u64::from(mark.count) << 8) | u64::from(check(mark));
    // white, black, 34 bits, black, white
    (1 << 37) | (body << 2) | 1
}

/// Draws the bar into the brightness of a whole picture.
pub fn draw(data: &mut [u8], stride: usize, width: u32, height: u32, mark: Mark) {
    let bits = cells(mark);
    let rows = bar_height(height) as usize;
    let (first, rest) = data.split_at_mut(stride.min(data.len()));
    for cell in 0..CELLS {
        let value = if bits >> (CELLS - 1 - cell) & 1 == 1 { WHITE } else { BLACK };
        let from = (cell * width / CELLS) as usize;
        let to = ((cell + 1) * width / CELLS) as usize;
        if let Some(run) = first.get_mut(from..to) {
            run.fill(value);
        }
    }
    for row in rest.chunks_mut(stride).take(rows.saturating_sub(1)) {
        let n = (width as usize).min(row.len()).min(first.len());
        row[..n].copy_from_slice(&first[..n]);
    }
}

/// Reads the bar of the picture that lies in `area` of a plane of brightness.
#[must_use]
pub fn read(luma: Luma<'_>, area: Rect) -> Option<Mark> {
    let high = bar_height(area.height);
    // the middle third of each block, so that neither scaling nor ringing at the edges matters
    let (top, bottom) = (area.y + high / 3, area.y + (high * 2).div_ceil(3).max(high / 3 + 1));
    let mean = |cell: u32| -> Option<i32> {
        let left = area.x + (cell * area.width + area.width / 3) / CELLS;
        let right = (area.x + (cell * area.width + area.width * 2 / 3) / CELLS).max(left + 1);
        let (mut sum, mut n) = (0i32, 0i32);
        for y in top..bottom {
            let row = y as usize * luma.stride;
            for value in luma.data.get(row + left as usize..row + right as usize)? {
                sum += i32::from(*value);
                n += 1;
            }
        }
        (n > 0).then(|| sum / n)
    };
    let (white, black) = (mean(0)?.min(mean(CELLS - 1)?), mean(1)?.max(mean(CELLS - 2)?));
    if white - black < CONTRAST {
        return None;
    }
    let middle = i32::midpoint(white, black);
    let mut body: u64 = 0;
    for cell in 2..CELLS - 2 {
        let value = mean(cell)?;
        // a block that is neither black nor white: this is no bar
        if (value - middle).abs() < (white - black) / 8 {
            return None;
        }
        body = body << 1 | u64::from(value > middle);
    }
    let mark = Mark { source: (body >> 32 & 3) as u8, count: (body >> 8 & 0xff_ffff) as u32 };
    (check(mark) == (body & 0xff) as u8).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, mark: Mark) -> Vec<u8> {
        let mut data = vec![120; (width * height) as usize];
        draw(&mut data, width as usize, width, height, mark);
        data
    }

    #[test]
    fn every_counter_that_is_drawn_is_read() {
        for count in [0, 1, 24, 0x55_5555, 0xff_ffff, 123_456] {
            for source in 0..4 {
                let mark = Mark { source, count };
                let data = picture(640, 360, mark);
                let area = Rect { x: 0, y: 0, width: 640, height: 360 };
                assert_eq!(read(Luma { data: &data, stride: 640 }, area), Some(mark));
            }
        }
    }

    #[test]
    fn a_plain_picture_has_no_counter() {
        for value in [0, 16, 120, 255] {
            let data = vec![value; 640 * 360];
            let area = Rect { x: 0, y: 0, width: 640, height: 360 };
            assert_eq!(read(Luma { data: &data, stride: 640 }, area), None);
        }
    }

    #[test]
    fn a_quarter_size_picture_with_noise_is_still_read() {
        let mark = Mark { source: 1, count: 90_210 };
        let data = picture(640, 360, mark);
        let mut rng = crate::rng::Rng::simulated(7);
        let mut small = vec![60u8; 640 * 360];
        for y in 0..90u32 {
            for x in 0..160u32 {
                let sum: u32 = (0..16).map(|i| u32::from(data[((y * 4 + i / 4) * 640 + x * 4 + i % 4) as usize])).sum();
                let noise = ((rng.next_u64() % 31) as i32) - 15;
                small[((y + 200) * 640 + x + 400) as usize] = (sum as i32 / 16 + noise).clamp(0, 255) as u8;
            }
        }
        let area = Rect { x: 400, y: 200, width: 160, height: 90 };
        assert_eq!(read(Luma { data: &small, stride: 640 }, area), Some(mark));
    }

    #[test]
    fn an_area_outside_the_picture_reads_as_nothing() {
        let data = vec![235u8; 1000];
        let area = Rect { x: 4000, y: 4000, width: 640, height: 360 };
        assert_eq!(read(Luma { data: &data, stride: 640 }, area), None);
    }
}
