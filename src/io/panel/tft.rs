//! A colour display of 320 × 240 points: ST7789 or ILI9341 on SPI.
//!
//! Five bits red, six green, five blue a point. The picture is compared in bands of sixteen rows;
//! of each band the columns between the first and the last change travel.

use anyhow::{Context as _, bail};
use embedded_hal::delay::DelayNs;

use super::glass::Glass;
use super::wire::Wire;
use crate::board::TftChip;
use crate::panel::{Canvas, Ink, Picture};

/// Rows compared together: as high as a line of text.
const BAND: usize = 16;

/// So long both chips may take to wake, in ms, as their data sheets say.
const WAKES: u32 = 120;

/// Row and column exchanged, so that the long side lies across.
const ACROSS: u8 = 0x20;
/// Columns from the other end.
const MIRROR_X: u8 = 0x40;
/// Rows from the other end.
const MIRROR_Y: u8 = 0x80;
/// Blue comes first.
const BLUE_FIRST: u8 = 0x08;

/// A display and what it shows.
#[derive(Debug)]
pub struct Tft<W> {
    wire: W,
    shown: Option<Canvas>,
}

impl<W: Wire> Tft<W> {
    /// Wakes the display; it stays dark until the first picture.
    ///
    /// # Errors
    /// If the bus does not work; the display itself cannot answer.
    pub fn open(mut wire: W, chip: TftChip, turned: bool, wait: &mut impl DelayNs) -> anyhow::Result<Self> {
        wire.command(&[0x01])?;
        wait.delay_ms(WAKES);
        wire.command(&[0x11])?;
        wait.delay_ms(WAKES);
        // sixteen bits a point
        wire.command(&[0x3a, 0x55])?;
        let (order, inverted) = match chip {
            TftChip::St7789 => (ACROSS | MIRROR_X, 0x21),
            TftChip::Ili9341 => (ACROSS | BLUE_FIRST, 0x20),
        };
        wire.command(&[0x36, if turned { order ^ (MIRROR_X | MIRROR_Y) } else { order }])?;
        wire.command(&[inverted])?;
        wire.command(&[0x13])?;
        Ok(Self { wire, shown: None })
    }

    fn write(&mut self, canvas: &Canvas, rows: (usize, usize), columns: (usize, usize)) -> anyhow::Result<()> {
        let span = |code: u8, (first, last): (usize, usize)| {
            let [a, b] = (first as u16).to_be_bytes();
            let [c, d] = (last as u16).to_be_bytes();
            [code, a, b, c, d]
        };
        self.wire.command(&span(0x2a, columns))?;
        self.wire.command(&span(0x2b, rows))?;
        self.wire.command(&[0x2c])?;
        let bytes: Vec<u8> = (rows.0..=rows.1)
            .flat_map(|y| canvas.row(columns.0, y, columns.1 - columns.0 + 1))
            .flat_map(|ink| rgb565(*ink).to_be_bytes())
            .collect();
        self.wire.data(&bytes)
    }
}

impl<W: Wire> Glass for Tft<W> {
    fn show(&mut self, picture: &Picture) -> anyhow::Result<()> {
        let Picture::Colour(canvas) = picture else { bail!("a display of 320x240 points shows no other picture") };
        let shown = self.shown.take();
        for top in (0..Canvas::HEIGHT).step_by(BAND) {
            let rows = (top, (top + BAND).min(Canvas::HEIGHT) - 1);
            if let Some(columns) = changed(shown.as_ref(), canvas, rows) {
                self.write(canvas, rows, columns).context("sending the picture")?;
            }
        }
        if shown.is_none() {
            self.wire.command(&[0x29])?;
        }
        self.shown = Some(canvas.clone());
        Ok(())
    }
}

/// The first and the last column that differ in these rows; all, if nothing is known of what is shown.
fn changed(shown: Option<&Canvas>, canvas: &Canvas, rows: (usize, usize)) -> Option<(usize, usize)> {
    let Some(shown) = shown else { return Some((0, Canvas::WIDTH - 1)) };
    let mut span: Option<(usize, usize)> = None;
    for y in rows.0..=rows.1 {
        let (old, new) = (shown.row(0, y, Canvas::WIDTH), canvas.row(0, y, Canvas::WIDTH));
        if old == new {
            continue;
        }
        let differ = |x: &usize| old[*x] != new[*x];
        let first = (0..Canvas::WIDTH).find(differ).unwrap_or(0);
        let last = (0..Canvas::WIDTH).rev().find(differ).unwrap_or(0);
        span = Some(span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
    }
    span
}

/// Five bits red, six green, five blue.
const fn rgb565(ink: Ink) -> u16 {
    let [r, g, b] = ink.rgb();
    (r as u16 >> 3) << 11 | (g as u16 >> 2) << 5 | b as u16 >> 3
}
