//! Pictures as PNG, as the display would look: for documents, tests, and the live page.

use embedded_graphics::Drawable as _;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_5X8;
use embedded_graphics::prelude::Point;
use embedded_graphics::text::{Baseline, Text};

use super::frame::{Canvas, Frame, Grid, Ink, Picture};

/// One character with its gap, and the margin around all of them.
const CELL: (usize, usize) = (6, 9);
const MARGIN: usize = 3;

/// A picture as bytes of a palette.
struct Raster {
    width: usize,
    height: usize,
    points: Vec<u8>,
    palette: Vec<[u8; 3]>,
}

/// The picture as a PNG file; each point becomes a square of `scale`.
#[must_use]
pub fn png(picture: &Picture, scale: usize) -> Vec<u8> {
    let raster = match picture {
        Picture::Mono(frame) => mono(frame),
        Picture::Colour(canvas) => colour(canvas),
        Picture::Characters(grid) => characters(grid),
    };
    encoded(&raster, scale.max(1))
}

fn mono(frame: &Frame) -> Raster {
    let points = (0..Frame::HEIGHT).flat_map(|y| (0..Frame::WIDTH).map(move |x| u8::from(frame.is_lit(x, y))));
    // the pale blue of the usual display
    let palette = vec![[8, 10, 14], [200, 228, 255]];
    Raster { width: Frame::WIDTH, height: Frame::HEIGHT, points: points.collect(), palette }
}

fn colour(canvas: &Canvas) -> Raster {
    let points = (0..Canvas::HEIGHT).flat_map(|y| canvas.row(0, y, Canvas::WIDTH).iter().map(|ink| *ink as u8));
    let palette = Ink::ALL.map(Ink::rgb).to_vec();
    Raster { width: Canvas::WIDTH, height: Canvas::HEIGHT, points: points.collect(), palette }
}

fn characters(grid: &Grid) -> Raster {
    let (width, height) = (Grid::WIDTH * CELL.0 + 2 * MARGIN, Grid::HEIGHT * CELL.1 + 2 * MARGIN);
    // drawn on the larger picture, of which this is a corner
    let mut canvas = Canvas::default();
    for y in 0..Grid::HEIGHT {
        for x in 0..Grid::WIDTH {
            let (left, top) = (MARGIN + x * CELL.0, MARGIN + y * CELL.1);
            let c = grid.at(x, y);
            if ('▁'..='█').contains(&c) {
                let high = c as usize - '▁' as usize + 1;
                let area = embedded_graphics::primitives::Rectangle::new(
                    Point::new(left as i32, (top + 8 - high) as i32),
                    embedded_graphics::prelude::Size::new(5, high as u32),
                );
                let Ok(()) = embedded_graphics::prelude::DrawTarget::fill_solid(&mut canvas, &area, Ink::White);
            } else {
                let style = MonoTextStyle::new(&FONT_5X8, Ink::White);
                let at = Point::new(left as i32, top as i32);
                let Ok(_) = Text::with_baseline(c.encode_utf8(&mut [0; 4]), at, style, Baseline::Top).draw(&mut canvas);
            }
        }
    }
    let points = (0..height).flat_map(|y| canvas.row(0, y, width).iter().map(|ink| u8::from(*ink != Ink::Black)));
    // dark on green, lit from behind
    Raster { width, height, points: points.collect(), palette: vec![[150, 190, 40], [20, 34, 10]] }
}

fn encoded(raster: &Raster, scale: usize) -> Vec<u8> {
    let bits = if raster.palette.len() <= 2 { 1 } else { 4 };
    let each = 8 / bits;
    let width = raster.width * scale;
    let mut rows = Vec::with_capacity(width.div_ceil(each) * raster.height * scale);
    for row in raster.points.chunks(raster.width) {
        let packed: Vec<u8> = (0..width.div_ceil(each))
            .map(|byte| {
                (0..each).fold(0, |packed, n| {
                    let point = row.get((byte * each + n) / scale).copied().unwrap_or(0);
                    packed << bits | point
                })
            })
            .collect();
        for _ in 0..scale {
            rows.extend_from_slice(&packed);
        }
    }
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, size(width), size(raster.height * scale));
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(if bits == 1 { png::BitDepth::One } else { png::BitDepth::Four });
    encoder.set_palette(raster.palette.concat());
    encoder.set_compression(png::Compression::High);
    // into memory, and the rows are as long as the header says
    if let Ok(mut writer) = encoder.write_header() {
        let _ = writer.write_image_data(&rows);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::Pixel;
    use embedded_graphics::prelude::DrawTarget as _;

    fn decoded(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("pixels");
        (info.width, info.height, pixels)
    }

    #[test]
    fn the_file_is_the_picture_point_for_point() {
        let mut frame = Frame::default();
        let mut canvas = Canvas::default();
        let Ok(()) = frame.draw_iter([Pixel(Point::new(1, 0), Ink::White)]);
        let Ok(()) = canvas.draw_iter([Pixel(Point::new(2, 1), Ink::Red)]);

        let (width, height, pixels) = decoded(&png(&Picture::Mono(frame), 4));
        assert_eq!((width, height, pixels.len()), (512, 256, 512 * 256 * 3));
        let lit = |x: usize| pixels[x * 3] > 100;
        assert_eq!([3, 4, 7, 8].map(lit), [false, true, true, false]);

        let (width, _, pixels) = decoded(&png(&Picture::Colour(canvas), 1));
        let at = (width as usize + 2) * 3;
        assert_eq!(pixels[at..at + 3], Ink::Red.rgb());
    }
}
