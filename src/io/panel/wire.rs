//! Wire: commands and data on their way to a display, over I²C or SPI.

use anyhow::anyhow;
use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;

use crate::lang::said;

/// Data bytes of one I²C message: what every adapter takes at once.
const I2C_CHUNK: usize = 256;

/// Bytes of one SPI write: spidev's own buffer, unless a module parameter says otherwise.
const SPI_CHUNK: usize = 4096;

/// The way to a display's chip.
pub trait Wire {
    /// A command with its arguments.
    ///
    /// # Errors
    /// If the display does not answer.
    fn command(&mut self, bytes: &[u8]) -> anyhow::Result<()>;

    /// What goes into the display's memory.
    ///
    /// # Errors
    /// If the display does not answer.
    fn data(&mut self, bytes: &[u8]) -> anyhow::Result<()>;
}

/// Over I²C: each message begins with a byte that tells commands from data.
#[derive(Debug)]
pub struct I2cWire<B> {
    bus: B,
    address: u8,
}

impl<B: I2c> I2cWire<B> {
    /// The display at this address.
    pub fn new(bus: B, address: u8) -> Self {
        Self { bus, address }
    }

    fn send(&mut self, control: u8, bytes: &[u8]) -> anyhow::Result<()> {
        let mut message = [0; I2C_CHUNK + 1];
        for chunk in bytes.chunks(I2C_CHUNK) {
            message[0] = control;
            message[1..=chunk.len()].copy_from_slice(chunk);
            self.bus
                .write(self.address, &message[..=chunk.len()])
                .map_err(|why| anyhow!("{why:?}").context(said::display_silent()))?;
        }
        Ok(())
    }
}

impl<B: I2c> Wire for I2cWire<B> {
    fn command(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.send(0x00, bytes)
    }

    fn data(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.send(0x40, bytes)
    }
}

/// Over SPI: a line of its own tells commands from data.
#[derive(Debug)]
pub struct SpiWire<S, P> {
    spi: S,
    dc: P,
    /// Arguments go as data: so do the colour displays want it.
    arguments_are_data: bool,
}

impl<S: SpiDevice, P: OutputPin> SpiWire<S, P> {
    /// A display whose arguments go as commands do: SSD1306 and its kin.
    pub fn commanding(spi: S, dc: P) -> Self {
        Self { spi, dc, arguments_are_data: false }
    }

    /// A display whose arguments go as data: ST7789 and its kin.
    pub fn arguing(spi: S, dc: P) -> Self {
        Self { spi, dc, arguments_are_data: true }
    }

    fn send(&mut self, data: bool, bytes: &[u8]) -> anyhow::Result<()> {
        let level = if data { self.dc.set_high() } else { self.dc.set_low() };
        level.map_err(|why| anyhow!("{why:?}").context(said::display_silent()))?;
        for chunk in bytes.chunks(SPI_CHUNK) {
            self.spi.write(chunk).map_err(|why| anyhow!("{why:?}").context(said::display_silent()))?;
        }
        Ok(())
    }
}

impl<S: SpiDevice, P: OutputPin> Wire for SpiWire<S, P> {
    fn command(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match bytes.split_first() {
            Some((command, arguments)) if self.arguments_are_data => {
                self.send(false, &[*command])?;
                if arguments.is_empty() { Ok(()) } else { self.send(true, arguments) }
            }
            _ => self.send(false, bytes),
        }
    }

    fn data(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.send(true, bytes)
    }
}
