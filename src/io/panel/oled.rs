//! A display of 128 × 64 points: SSD1306, SSD1309 or SH1106 on any wire.
//!
//! Its memory is eight pages of 128 bytes, each eight points under one another. Only what differs
//! from what is shown travels; the display is switched on when its memory holds the first picture.

use anyhow::{Context as _, bail};

use super::glass::Glass;
use super::wire::Wire;
use crate::board::OledChip;
use crate::panel::{Frame, Memory, Picture};

/// Pages of eight rows.
const PAGES: usize = Frame::HEIGHT / 8;

/// So few unchanged columns are sent along: a window of their own costs as many bytes.
const BRIDGE: usize = 8;

/// The SH1106 has 132 columns, of which the glass shows the middle ones.
const SH1106_MARGIN: usize = 2;

/// Contrast of the three steps of brightness.
const CONTRAST: [u8; Memory::BRIGHTEST as usize] = [0x08, 0x50, 0xcf];

/// A display and what it shows.
#[derive(Debug)]
pub struct Oled<W> {
    wire: W,
    chip: OledChip,
    shown: Option<Frame>,
    wanted: u8,
    shining: u8,
}

/// Changed columns of some pages: from and to, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    pages: (usize, usize),
    columns: (usize, usize),
}

impl<W: Wire> Oled<W> {
    /// Sets the display up; its memory may hold anything until the first picture.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn open(wire: W, chip: OledChip) -> anyhow::Result<Self> {
        let mut oled = Self { wire, chip, shown: None, wanted: Memory::BRIGHTEST, shining: Memory::BRIGHTEST };
        // off, clock, 64 lines, no offset, first line 0
        oled.wire.command(&[0xae, 0xd5, 0x80, 0xa8, 0x3f, 0xd3, 0x00, 0x40])?;
        match chip {
            // its charge pump
            OledChip::Ssd1306 => oled.wire.command(&[0x8d, 0x14])?,
            // listen to commands; it has no pump
            OledChip::Ssd1309 => oled.wire.command(&[0xfd, 0x12])?,
            // its converter
            OledChip::Sh1106 => oled.wire.command(&[0xad, 0x8b])?,
        }
        if chip != OledChip::Sh1106 {
            // what is written goes on at the next page
            oled.wire.command(&[0x20, 0x00])?;
        }
        // turned as it is built in, pins, precharge, level, what memory says, not inverted
        let contrast = CONTRAST[CONTRAST.len() - 1];
        oled.wire.command(&[0xa1, 0xc8, 0xda, 0x12, 0x81, contrast, 0xd9, 0xf1, 0xdb, 0x40, 0xa4, 0xa6])?;
        Ok(oled)
    }

    fn write(&mut self, frame: &Frame, window: Window) -> anyhow::Result<()> {
        let (first, last) = window.columns;
        if self.chip == OledChip::Sh1106 {
            for page in window.pages.0..=window.pages.1 {
                let column = first + SH1106_MARGIN;
                self.wire.command(&[0xb0 | page as u8, (column & 0x0f) as u8, 0x10 | (column >> 4) as u8])?;
                let row: Vec<u8> = (first..=last).map(|x| frame.column(x, page)).collect();
                self.wire.data(&row)?;
            }
            return Ok(());
        }
        let (top, bottom) = window.pages;
        self.wire.command(&[0x21, first as u8, last as u8, 0x22, top as u8, bottom as u8])?;
        let bytes: Vec<u8> =
            (top..=bottom).flat_map(|page| (first..=last).map(move |x| frame.column(x, page))).collect();
        self.wire.data(&bytes)
    }
}

impl<W: Wire> Glass for Oled<W> {
    fn show(&mut self, picture: &Picture) -> anyhow::Result<()> {
        let Picture::Mono(frame) = picture else { bail!("a display of 128x64 points shows no other picture") };
        for window in windows(self.shown.as_ref(), frame) {
            self.write(frame, window).context("sending the picture")?;
        }
        if self.shown.is_none() {
            self.wire.command(&[0xaf])?;
        }
        if self.wanted != self.shining {
            self.wire.command(&[0x81, CONTRAST[usize::from(self.wanted.clamp(1, Memory::BRIGHTEST)) - 1]])?;
            self.shining = self.wanted;
        }
        self.shown = Some(frame.clone());
        Ok(())
    }

    fn shine(&mut self, brightness: u8) {
        self.wanted = brightness;
    }
}

/// What has to be written so that `shown` becomes `frame`; everything, if nothing is known of it.
fn windows(shown: Option<&Frame>, frame: &Frame) -> Vec<Window> {
    let Some(shown) = shown else {
        return vec![Window { pages: (0, PAGES - 1), columns: (0, Frame::WIDTH - 1) }];
    };
    let mut windows: Vec<Window> = Vec::new();
    for page in 0..PAGES {
        let changed = (0..Frame::WIDTH).filter(|x| shown.column(*x, page) != frame.column(*x, page));
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for x in changed {
            match spans.last_mut() {
                Some((_, last)) if x - *last <= BRIDGE => *last = x,
                _ => spans.push((x, x)),
            }
        }
        for columns in spans {
            // the same columns of the page above: one window for both
            match windows.iter_mut().find(|above| above.pages.1 + 1 == page && above.columns == columns) {
                Some(above) => above.pages.1 = page,
                None => windows.push(Window { pages: (page, page), columns }),
            }
        }
    }
    windows
}
