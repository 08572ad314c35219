//! Pictures in memory, to be compared, written or sent to a display.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::pixelcolor::PixelColor;
use embedded_graphics::pixelcolor::raw::RawU4;
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Point, Size};
use embedded_graphics::primitives::Rectangle;

/// The colours of the panel; on a display with one colour, everything but `Black` is lit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Ink {
    /// The ground.
    #[default]
    Black,
    /// Text.
    White,
    /// Hints, frames.
    Grey,
    /// Harmful; on air.
    Red,
    /// Off, not yet harmful.
    Amber,
    /// As wanted.
    Green,
}

impl Ink {
    /// All of them, in the order of a palette.
    pub const ALL: [Self; 6] = [Self::Black, Self::White, Self::Grey, Self::Red, Self::Amber, Self::Green];

    /// Red, green, blue. Chosen to differ in lightness as well, for eyes that mix red and green up.
    #[must_use]
    pub const fn rgb(self) -> [u8; 3] {
        match self {
            Self::Black => [0, 0, 0],
            Self::White => [255, 255, 255],
            Self::Grey => [140, 140, 140],
            Self::Red => [216, 40, 32],
            Self::Amber => [255, 184, 0],
            Self::Green => [64, 208, 96],
        }
    }
}

impl PixelColor for Ink {
    type Raw = RawU4;
}

/// A picture of 128 × 64 points, dark at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    rows: [u128; Self::HEIGHT],
}

impl Default for Frame {
    fn default() -> Self {
        Self { rows: [0; Self::HEIGHT] }
    }
}

impl Frame {
    /// Points across.
    pub const WIDTH: usize = 128;

    /// Points down.
    pub const HEIGHT: usize = 64;

    /// True if the point is lit; points outside are dark.
    #[must_use]
    pub fn is_lit(&self, x: usize, y: usize) -> bool {
        self.rows.get(y).is_some_and(|row| x < Self::WIDTH && row >> x & 1 == 1)
    }

    /// Eight points under one another, as displays take them: bit 0 is the uppermost. `page` counts
    /// eights of rows; outside, all are dark.
    #[must_use]
    pub fn column(&self, x: usize, page: usize) -> u8 {
        (0..8).fold(0, |bits, bit| bits | u8::from(self.is_lit(x, page * 8 + bit)) << bit)
    }
}

impl OriginDimensions for Frame {
    fn size(&self) -> Size {
        Size::new(Self::WIDTH as u32, Self::HEIGHT as u32)
    }
}

impl DrawTarget for Frame {
    type Color = Ink;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Ink>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, ink) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(at.x), usize::try_from(at.y)) else { continue };
            if x < Self::WIDTH && y < Self::HEIGHT {
                let point = 1 << x;
                if ink == Ink::Black { self.rows[y] &= !point } else { self.rows[y] |= point }
            }
        }
        Ok(())
    }
}

/// A picture of 320 × 240 points in the panel's colours, black at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    points: Vec<Ink>,
}

impl Default for Canvas {
    fn default() -> Self {
        Self { points: vec![Ink::Black; Self::WIDTH * Self::HEIGHT] }
    }
}

impl Canvas {
    /// Points across.
    pub const WIDTH: usize = 320;

    /// Points down.
    pub const HEIGHT: usize = 240;

    /// The points from `x` on in row `y`, `len` of them; fewer at the edge.
    #[must_use]
    pub fn row(&self, x: usize, y: usize, len: usize) -> &[Ink] {
        let from = (y * Self::WIDTH + x.min(Self::WIDTH)).min(self.points.len());
        let to = (from + len.min(Self::WIDTH - x.min(Self::WIDTH))).min(self.points.len());
        &self.points[from..to]
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(Self::WIDTH as u32, Self::HEIGHT as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Ink;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Ink>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, ink) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(at.x), usize::try_from(at.y)) else { continue };
            if x < Self::WIDTH && y < Self::HEIGHT {
                self.points[y * Self::WIDTH + x] = ink;
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, ink: Ink) -> Result<(), Infallible> {
        let edge = |at: i32, most: usize| usize::try_from(at).unwrap_or(0).min(most);
        let end = area.top_left + Point::new(area.size.width as i32, area.size.height as i32);
        let (left, right) = (edge(area.top_left.x, Self::WIDTH), edge(end.x, Self::WIDTH));
        for y in edge(area.top_left.y, Self::HEIGHT)..edge(end.y, Self::HEIGHT) {
            self.points[y * Self::WIDTH + left..y * Self::WIDTH + right].fill(ink);
        }
        Ok(())
    }
}

/// Four rows of twenty characters, blank at first. Bars are `▁` to `█`, everything else is ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    cells: [[char; Self::WIDTH]; Self::HEIGHT],
}

impl Default for Grid {
    fn default() -> Self {
        Self { cells: [[' '; Self::WIDTH]; Self::HEIGHT] }
    }
}

impl Grid {
    /// Characters across.
    pub const WIDTH: usize = 20;

    /// Rows.
    pub const HEIGHT: usize = 4;

    /// The character there; blank outside.
    #[must_use]
    pub fn at(&self, x: usize, y: usize) -> char {
        self.cells.get(y).and_then(|row| row.get(x)).copied().unwrap_or(' ')
    }

    /// The row as text; empty outside.
    #[must_use]
    pub fn row(&self, y: usize) -> String {
        self.cells.get(y).map(|row| row.iter().collect()).unwrap_or_default()
    }

    /// Writes from `x` on in row `y`; what has no room is dropped. What a character display cannot
    /// show becomes a question mark.
    pub(super) fn write(&mut self, x: usize, y: usize, text: &str) {
        let Some(row) = self.cells.get_mut(y) else { return };
        for (cell, c) in row.iter_mut().skip(x).zip(text.chars()) {
            *cell = if c == ' ' || c.is_ascii_graphic() || ('▁'..='█').contains(&c) { c } else { '?' };
        }
    }
}

/// What a display shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a box has one picture at a time, and it is a kilobyte")]
pub enum Picture {
    /// 128 × 64, lit or not.
    Mono(Frame),
    /// 320 × 240 in colour.
    Colour(Canvas),
    /// 20 × 4 characters.
    Characters(Grid),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_outside_is_left_out() {
        let mut frame = Frame::default();
        let mut canvas = Canvas::default();
        let over = Rectangle::new(Point::new(-4, -4), Size::new(1000, 1000));

        let Ok(()) = frame.fill_solid(&over, Ink::White);
        let Ok(()) = canvas.fill_solid(&over, Ink::Red);

        assert!((0..64).all(|y| (0..128).all(|x| frame.is_lit(x, y))));
        assert!((0..240).all(|y| canvas.row(0, y, 999).iter().all(|ink| *ink == Ink::Red)));
        assert_eq!((canvas.row(300, 0, 99).len(), canvas.row(400, 300, 5).len()), (20, 0));
        assert_eq!((frame.column(0, 0), frame.column(128, 8)), (0xff, 0));
    }
}
