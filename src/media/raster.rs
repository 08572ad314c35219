//! Raster: raw I420 pictures as bytes, the still and moving pictures drawn on them.
//!
//! The test pattern (bars, a moving box, counter and clock for people, the bar for machines) and the
//! slate that stands in for a lost source. Drawing is cheap: a background made once, then a few blits.

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::DrawTarget;
use u8g2_fonts::types::{FontColor, HorizontalAlignment, VerticalPosition};
use u8g2_fonts::{FontRenderer, fonts};

use super::counter::{self, Mark};
use super::layout::Rect;
use super::slates::Slate;
use super::stream::{PictureSize, SourceId};
use crate::lang::Text;
use crate::rng::Rng;

/// Y, U, V.
type Colour = [u8; 3];

const BLACK: Colour = [16, 128, 128];
const WHITE: Colour = [235, 128, 128];
/// Calm and dark, unlike any test bar: nobody takes the slate for a picture.
const SLATE: Colour = [40, 140, 118];
/// 75 % bars in BT.601 video range.
const BARS: [Colour; 7] =
    [[180, 128, 128], [162, 44, 142], [131, 156, 44], [112, 72, 58], [84, 184, 198], [65, 100, 212], [35, 212, 114]];
/// The font is 16 pixels high; at 360 lines it is drawn twice as large.
const FONT_LINES: u32 = 180;

/// Where the planes of an I420 picture of some size lie, as GStreamer lays them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct I420 {
    size: PictureSize,
}

impl I420 {
    /// The layout of pictures of this size.
    #[must_use]
    pub const fn new(size: PictureSize) -> Self {
        Self { size }
    }

    /// Size of the picture.
    #[must_use]
    pub const fn size(self) -> PictureSize {
        self.size
    }

    /// Bytes from one row of brightness to the next.
    #[must_use]
    pub const fn stride(self) -> usize {
        self.size.width.next_multiple_of(4) as usize
    }

    const fn chroma_stride(self) -> usize {
        (self.size.width / 2).next_multiple_of(4) as usize
    }

    const fn luma_bytes(self) -> usize {
        self.stride() * self.size.height as usize
    }

    const fn chroma_bytes(self) -> usize {
        self.chroma_stride() * (self.size.height / 2) as usize
    }

    /// Bytes of a picture.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.luma_bytes() + 2 * self.chroma_bytes()
    }

    /// The mean Y, U and V of `area`; `None` if it is empty or outside.
    #[must_use]
    pub fn mean(self, data: &[u8], area: Rect) -> Option<[f64; 3]> {
        let plane = |from: usize, stride: usize, r: Rect| -> Option<f64> {
            let mut sum = 0u64;
            for y in r.y..r.y + r.height {
                let row = from + y as usize * stride;
                let run = data.get(row + r.x as usize..row + (r.x + r.width) as usize)?;
                sum += run.iter().map(|v| u64::from(*v)).sum::<u64>();
            }
            let n = u64::from(r.width) * u64::from(r.height);
            (n > 0).then(|| sum as f64 / n as f64)
        };
        let half = Rect { x: area.x / 2, y: area.y / 2, width: area.width / 2, height: area.height / 2 };
        let (u, v) = (self.luma_bytes(), self.luma_bytes() + self.chroma_bytes());
        Some([
            plane(0, self.stride(), area)?,
            plane(u, self.chroma_stride(), half)?,
            plane(v, self.chroma_stride(), half)?,
        ])
    }

    fn fill(self, data: &mut [u8], area: Rect, colour: Colour) {
        let mut plane = |from: usize, stride: usize, r: Rect, value: u8| {
            for y in r.y..r.y + r.height {
                let row = from + y as usize * stride;
                if let Some(run) = data.get_mut(row + r.x as usize..row + (r.x + r.width) as usize) {
                    run.fill(value);
                }
            }
        };
        let half = Rect { x: area.x / 2, y: area.y / 2, width: area.width / 2, height: area.height / 2 };
        let (u, v) = (self.luma_bytes(), self.luma_bytes() + self.chroma_bytes());
        plane(0, self.stride(), area, colour[0]);
        plane(u, self.chroma_stride(), half, colour[1]);
        plane(v, self.chroma_stride(), half, colour[2]);
    }

    fn write(self, data: &mut [u8], text: &str, centre: (u32, u32), scale: u32) {
        let mut pen = Pen { luma: data, layout: self, scale, origin: centre };
        let font = FontRenderer::new::<fonts::u8g2_font_wqy16_t_gb2312>().with_ignore_unknown_chars(true);
        let colour = FontColor::Transparent(BinaryColor::On);
        // a pen cannot fail, and unknown characters are left out
        let _ = font.render_aligned(
            text,
            Point::zero(),
            VerticalPosition::Center,
            HorizontalAlignment::Center,
            colour,
            &mut pen,
        );
    }
}

/// Draws enlarged white pixels around a centre.
struct Pen<'a> {
    luma: &'a mut [u8],
    layout: I420,
    scale: u32,
    origin: (u32, u32),
}

impl OriginDimensions for Pen<'_> {
    fn size(&self) -> Size {
        Size::new(self.layout.size.width, self.layout.size.height)
    }
}

impl DrawTarget for Pen<'_> {
    type Color = BinaryColor;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        let (width, height) = (self.layout.size.width as i32, self.layout.size.height as i32);
        let scale = self.scale as i32;
        for Pixel(at, colour) in pixels {
            let (left, top) = (self.origin.0 as i32 + at.x * scale, self.origin.1 as i32 + at.y * scale);
            if colour == BinaryColor::Off || left < 0 || left + scale > width {
                continue;
            }
            for y in top.max(0)..(top + scale).min(height) {
                let row = y as usize * self.layout.stride() + left as usize;
                self.luma[row..row + scale as usize].fill(WHITE[0]);
            }
        }
        Ok(())
    }
}

/// The words of the slate.
#[must_use]
pub fn slate_words(source: SourceId) -> Text {
    let name = match source {
        SourceId::Camera => Text::new("摄像机", "camera"),
        SourceId::Slides => Text::new("幻灯片", "slides"),
        SourceId::Camera2 => Text::new("摄像机 2", "camera 2"),
        SourceId::MixerA => Text::new("调音台 A", "mixer A"),
        SourceId::MixerB => Text::new("调音台 B", "mixer B"),
        SourceId::Embedded => Text::new("内嵌声", "embedded sound"),
    };
    Text::new(format!("信号中断：{}", name.zh), format!("NO SIGNAL: {}", name.en))
}

/// The words of a slate that has no file, or a bad one.
#[must_use]
pub fn card_words(slate: Slate) -> Text {
    match slate {
        Slate::Hold => Text::new("请稍候", "PLEASE STAND BY"),
        Slate::Warmup => Text::new("会议即将开始", "STARTING SOON"),
        Slate::Technical => Text::new("技术故障，正在处理", "TECHNICAL DIFFICULTIES"),
        Slate::End => Text::new("会议已结束，谢谢观看", "THANK YOU FOR WATCHING"),
    }
}

/// The built-in slate.
#[must_use]
pub fn card(size: PictureSize, slate: Slate) -> Vec<u8> {
    still(size, &card_words(slate))
}

/// The still that stands in for a lost source.
#[must_use]
pub fn slate(size: PictureSize, source: SourceId) -> Vec<u8> {
    still(size, &slate_words(source))
}

fn still(size: PictureSize, words: &Text) -> Vec<u8> {
    let layout = I420::new(size);
    let mut data = vec![0; layout.bytes()];
    let (w, h) = (size.width, size.height);
    layout.fill(&mut data, Rect { x: 0, y: 0, width: w, height: h }, SLATE);
    let band = Rect { x: 0, y: (h / 4) & !1, width: w, height: (h / 2) & !1 };
    layout.fill(&mut data, band, BLACK);
    let scale = (h / FONT_LINES).max(1);
    layout.write(&mut data, &words.zh, (w / 2, h * 2 / 5), scale + scale / 2);
    layout.write(&mut data, &words.en, (w / 2, h * 3 / 5), scale);
    data
}

/// A plain black picture.
#[cfg(test)]
pub fn black(size: PictureSize) -> Vec<u8> {
    let mut data = vec![0; I420::new(size).bytes()];
    blacken(size, &mut data);
    data
}

/// Fills a picture of this size with black; a picture that is smaller is filled as far as its rows are whole.
pub fn blacken(size: PictureSize, picture: &mut [u8]) {
    let whole = Rect { x: 0, y: 0, width: size.width, height: size.height };
    I420::new(size).fill(picture, whole, BLACK);
}

/// The moving test picture.
#[derive(Debug)]
pub struct Pattern {
    layout: I420,
    source: u8,
    background: Vec<u8>,
    grain: Vec<u8>,
}

/// From so many places in the grain a picture may take its own: no two pictures near each other alike.
const GRAIN_STARTS: u64 = 1 << 16;

impl Pattern {
    /// The pattern in this size; `source` (0 to 3) is in its bar, and turns its colours around.
    #[must_use]
    pub fn new(size: PictureSize, source: u8) -> Self {
        let layout = I420::new(size);
        let (w, h) = (size.width, size.height);
        let mut background = vec![0; layout.bytes()];
        layout.fill(&mut background, Rect { x: 0, y: 0, width: w, height: h }, BLACK);
        let bars = BARS.len() as u32;
        for i in 0..bars {
            let (from, to) = ((i * w / bars) & !1, ((i + 1) * w / bars) & !1);
            let turned = match source {
                0 => i,
                1 => bars - 1 - i,
                n => (i + 2 * u32::from(n) - 1) % bars,
            };
            let colour = BARS[turned as usize];
            let area = Rect { x: from, y: (h / 8) & !1, width: to - from, height: (h * 3 / 8) & !1 };
            layout.fill(&mut background, area, colour);
        }
        // what a real picture has and flat colours lack: without grain the encoder needs a tenth of its rate
        let mut grain = vec![0; GRAIN_STARTS as usize + Self::grain_rows(h).len() * w as usize];
        Rng::simulated(u64::from(source)).fill(&mut grain);
        for value in &mut grain {
            *value = 96 + *value / 4;
        }
        Self { layout, source, background, grain }
    }

    /// The rows of grain, between the bars and the number.
    fn grain_rows(height: u32) -> std::ops::Range<usize> {
        (height / 2) as usize..(height * 9 / 16) as usize
    }

    /// Draws picture number `count` with `clock` below it; `out` must have the layout's size.
    pub fn draw(&self, out: &mut [u8], count: u64, clock: &str) {
        let size = self.layout.size;
        let (w, h) = (size.width, size.height);
        let Some(out) = out.get_mut(..self.background.len()) else { return };
        out.copy_from_slice(&self.background);
        let start = (count.wrapping_mul(40_503) % GRAIN_STARTS) as usize;
        for (line, grain) in Self::grain_rows(h).zip(self.grain[start..].chunks_exact(w as usize)) {
            let at = line * self.layout.stride();
            if let Some(row) = out.get_mut(at..at + w as usize) {
                row.copy_from_slice(grain);
            }
        }
        let mark = Mark { source: self.source, count: (count & 0xff_ffff) as u32 };
        counter::draw(out, self.layout.stride(), w, h, mark);
        let scale = (h / FONT_LINES).max(1);
        self.layout.write(out, &count.to_string(), (w / 2, h * 5 / 8), scale);
        self.layout.write(out, clock, (w / 2, h * 6 / 8), scale);
        // a box that crosses the picture in about four seconds, its brightness turning with it
        let side = (h / 8) & !1;
        let way = u64::from(w - side);
        let step = count * way / 100 % (2 * way);
        let x = (if step < way { step } else { 2 * way - step }) as u32 & !1;
        let area = Rect { x, y: (h * 27 / 32) & !1, width: side, height: side };
        self.layout.fill(out, area, BARS[(count / 25 % 7) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::counter::Luma;

    const SIZES: [(u32, u32); 4] = [(64, 64), (640, 360), (1280, 720), (1366, 768)];

    fn whole(size: PictureSize) -> Rect {
        Rect { x: 0, y: 0, width: size.width, height: size.height }
    }

    #[test]
    fn the_pattern_carries_its_own_number() {
        for (width, height) in [(640, 360), (1280, 720), (1366, 768)] {
            let size = PictureSize { width, height };
            let pattern = Pattern::new(size, 1);
            let mut out = vec![0; I420::new(size).bytes()];
            for count in [0u64, 1, 999, 16_777_215, 16_777_216] {
                pattern.draw(&mut out, count, "12:34:56.789");
                let read = counter::read(Luma { data: &out, stride: I420::new(size).stride() }, whole(size));
                assert_eq!(read, Some(Mark { source: 1, count: (count & 0xff_ffff) as u32 }));
            }
        }
    }

    #[test]
    fn the_slate_reads_as_no_number_and_has_words_on_it() {
        for (width, height) in SIZES {
            let size = PictureSize { width, height };
            for source in [SourceId::Camera, SourceId::Slides] {
                let still = slate(size, source);
                let luma = Luma { data: &still, stride: I420::new(size).stride() };
                assert_eq!(counter::read(luma, whole(size)), None);
                assert!(still.iter().filter(|v| **v == WHITE[0]).count() > 50, "{width}x{height}");
            }
        }
    }

    #[test]
    fn two_patterns_move_from_picture_to_picture() {
        let size = PictureSize { width: 640, height: 360 };
        let pattern = Pattern::new(size, 0);
        let (mut a, mut b) = (vec![0; I420::new(size).bytes()], vec![0; I420::new(size).bytes()]);
        pattern.draw(&mut a, 100, "x");
        pattern.draw(&mut b, 101, "x");
        assert_ne!(a, b);
    }

    #[test]
    fn bars_have_the_colours_that_are_drawn() {
        let size = PictureSize { width: 640, height: 360 };
        let pattern = Pattern::new(size, 0);
        let mut out = vec![0; I420::new(size).bytes()];
        pattern.draw(&mut out, 3, "x");
        let mean = I420::new(size).mean(&out, Rect { x: 20, y: 60, width: 40, height: 40 }).unwrap();
        assert_eq!(mean, [180.0, 128.0, 128.0]);
    }
}
