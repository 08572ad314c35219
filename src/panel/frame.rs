//! Frame: a picture in memory, to be compared, written or sent to a display.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Size};

const WIDTH: usize = 128;
const HEIGHT: usize = 64;

/// A picture of 128 × 64 points, dark at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    rows: [u128; HEIGHT],
}

impl Default for Frame {
    fn default() -> Self {
        Self { rows: [0; HEIGHT] }
    }
}

impl Frame {
    /// True if the point is lit; points outside are dark.
    #[must_use]
    pub fn is_lit(&self, x: u32, y: u32) -> bool {
        self.rows.get(y as usize).is_some_and(|row| (x as usize) < WIDTH && row >> x & 1 == 1)
    }

    /// Every point, row by row from the upper left: `(x, y, lit)`.
    pub fn points(&self) -> impl Iterator<Item = (u32, u32, bool)> + '_ {
        (0..HEIGHT as u32).flat_map(move |y| (0..WIDTH as u32).map(move |x| (x, y, self.is_lit(x, y))))
    }
}

impl OriginDimensions for Frame {
    fn size(&self) -> Size {
        Size::new(WIDTH as u32, HEIGHT as u32)
    }
}

impl DrawTarget for Frame {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(at.x), usize::try_from(at.y)) else { continue };
            if x < WIDTH && y < HEIGHT {
                let point = 1 << x;
                if color.is_on() { self.rows[y] |= point } else { self.rows[y] &= !point }
            }
        }
        Ok(())
    }
}
