//! A display of 20 × 4 characters: an HD44780 in its four-bit mode, behind a PCF8574 on I²C.
//!
//! The expander's eight lines: register select, read/write, enable, backlight, and four of data. A
//! nibble counts when enable falls, so each is written with enable up and then down. At the
//! expander's 100 kHz a byte takes 90 µs: the chip's 37 µs for a character pass by themselves.
//!
//! Bars are characters of its own: codes 0 to 6 hold one to seven eighths, 255 is full.

use anyhow::{anyhow, bail};
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::glass::Glass;
use crate::lang::said;
use crate::panel::{Grid, Picture};

/// A character, not a command.
const SELECT: u8 = 0x01;
/// The nibble counts when this falls.
const ENABLE: u8 = 0x04;
/// Light behind the glass.
const LIGHT: u8 = 0x08;

/// Where the four rows begin in the chip's memory.
const ROWS: [u8; Grid::HEIGHT] = [0x00, 0x40, 0x14, 0x54];

/// So long the chip needs after power comes, in ms.
const WAKES: u32 = 50;
/// After each of the first three nibbles, in µs.
const FIRST: u32 = 4500;
/// To clear itself, in ms.
const CLEARS: u32 = 2;

/// A display and what it shows.
#[derive(Debug)]
pub struct Characters<B> {
    bus: B,
    address: u8,
    shown: Grid,
    light: u8,
}

impl<B: I2c> Characters<B> {
    /// Sets the display up, whatever mode it was in, and clears it.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn open(bus: B, address: u8, wait: &mut impl DelayNs) -> anyhow::Result<Self> {
        let mut display = Self { bus, address, shown: Grid::default(), light: LIGHT };
        wait.delay_ms(WAKES);
        // three times eight bits, whichever half of a byte it was waiting for; then four
        for nibble in [0x3, 0x3, 0x3, 0x2] {
            let lines = nibble << 4 | display.light;
            display.send(&[lines, lines | ENABLE, lines])?;
            wait.delay_us(FIRST);
        }
        // two lines (four, as they are wired), on without a cursor, to the right
        for command in [0x28, 0x0c, 0x06, 0x01] {
            display.write(0, &[command])?;
        }
        wait.delay_ms(CLEARS);
        for eighths in 1..=7u8 {
            display.write(0, &[0x40 | (eighths - 1) << 3])?;
            let glyph: Vec<u8> = (0..8).map(|row| if row >= 8 - eighths { 0x1f } else { 0 }).collect();
            display.write(SELECT, &glyph)?;
        }
        Ok(display)
    }

    /// Bytes as two nibbles each, in one message.
    fn write(&mut self, select: u8, bytes: &[u8]) -> anyhow::Result<()> {
        let nibbles = |byte: &u8| {
            let (high, low) = (byte & 0xf0 | self.light | select, byte << 4 | self.light | select);
            [high, high | ENABLE, high, low | ENABLE, low]
        };
        let message: Vec<u8> = bytes.iter().flat_map(nibbles).collect();
        self.send(&message)
    }

    fn send(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        self.bus.write(self.address, lines).map_err(|why| anyhow!("{why:?}").context(said::display_silent()))
    }
}

impl<B: I2c> Glass for Characters<B> {
    fn show(&mut self, picture: &Picture) -> anyhow::Result<()> {
        let Picture::Characters(grid) = picture else { bail!("a display of 20x4 characters shows no other picture") };
        for (y, row) in ROWS.iter().enumerate() {
            let changed = |x: &usize| grid.at(*x, y) != self.shown.at(*x, y);
            let (Some(first), Some(last)) = ((0..Grid::WIDTH).find(changed), (0..Grid::WIDTH).rev().find(changed))
            else {
                continue;
            };
            let codes: Vec<u8> = (first..=last).map(|x| code(grid.at(x, y))).collect();
            self.write(0, &[0x80 | (row + first as u8)])?;
            self.write(SELECT, &codes)?;
        }
        self.shown = grid.clone();
        Ok(())
    }

    fn shine(&mut self, brightness: u8) {
        // it has a light or none; the lines take it with the next nibble
        self.light = if brightness > 1 { LIGHT } else { 0 };
    }
}

/// The chip's code of a character.
fn code(c: char) -> u8 {
    match c {
        '█' => 0xff,
        '▁'..='▇' => (c as u32 - '▁' as u32) as u8,
        // the chip's table has a yen there, and an arrow
        '\\' => b'/',
        '~' => b'-',
        c => u8::try_from(c).unwrap_or(b'?'),
    }
}
