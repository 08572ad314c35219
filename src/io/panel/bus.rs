//! Bus: a display as the board profile describes it, opened on Linux.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use embedded_hal::delay::DelayNs as _;
use embedded_hal::digital::OutputPin as _;
use linux_embedded_hal::gpio_cdev::{Chip, LineRequestFlags};
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{CdevPin, Delay, I2cdev, SpidevDevice};
use tokio::sync::watch;

use super::character::Characters;
use super::glass::Glass;
use super::memory::InMemory;
use super::oled::Oled;
use super::tft::Tft;
use super::wire::{I2cWire, SpiWire};
use crate::board::{Display, DisplaySize, DisplayWire, GpioLine, I2cPlace, SpiPlace};
use crate::lang::said;
use crate::panel::Format;

/// A reset is seen after 10 µs; worn boards have capacitors on that line.
const RESET_MS: u32 = 10;

/// Opens the display, wherever it hangs.
pub(super) fn open(
    display: &Display,
    state_dir: &Path,
    seen: Option<&watch::Sender<Vec<u8>>>,
) -> anyhow::Result<Box<dyn Glass>> {
    Ok(match display {
        Display::Memory { .. } => Box::new(InMemory::new(state_dir, seen.cloned())),
        Display::Oled { chip, wire: DisplayWire::I2c(place) } => {
            let oled = Oled::open(I2cWire::new(i2c(place)?, place.address), *chip);
            Box::new(oled.with_context(|| at(place))?)
        }
        Display::Oled { chip, wire: DisplayWire::Spi(place) } => {
            let (spi, dc) = spi(place)?;
            Box::new(Oled::open(SpiWire::commanding(spi, dc), *chip)?)
        }
        Display::Tft { chip, wire, turned } => {
            let (spi, dc) = spi(wire)?;
            Box::new(Tft::open(SpiWire::arguing(spi, dc), *chip, *turned, &mut Delay)?)
        }
        Display::Characters { place } => {
            let display = Characters::open(i2c(place)?, place.address, &mut Delay);
            Box::new(display.with_context(|| at(place))?)
        }
    })
}

/// The format of the board's display.
#[must_use]
pub fn format(display: &Display) -> Format {
    match display {
        Display::Memory { size: DisplaySize::Mono, .. } | Display::Oled { .. } => Format::Mono,
        Display::Memory { size: DisplaySize::Colour, .. } | Display::Tft { .. } => Format::Colour,
        Display::Memory { size: DisplaySize::Characters, .. } | Display::Characters { .. } => Format::Characters,
    }
}

fn at(place: &I2cPlace) -> String {
    format!("display at {} address 0x{:02x}", place.bus.display(), place.address)
}

fn i2c(place: &I2cPlace) -> anyhow::Result<I2cdev> {
    let node = node(&place.bus)?;
    I2cdev::new(&node)
        .with_context(|| format!("opening display bus {}", node.display()))
        .context(said::display_silent())
}

fn spi(place: &SpiPlace) -> anyhow::Result<(SpidevDevice, CdevPin)> {
    let opening = || format!("opening display bus {}", place.bus.display());
    let mut spi = SpidevDevice::open(&place.bus).with_context(opening).context(said::display_silent())?;
    let options =
        SpidevOptions::new().bits_per_word(8).max_speed_hz(place.hertz).mode(SpiModeFlags::SPI_MODE_0).build();
    spi.configure(&options).with_context(|| format!("{} refuses {} Hz", place.bus.display(), place.hertz))?;
    let dc = pin(&place.dc)?;
    if let Some(reset) = &place.reset {
        let mut reset = pin(reset)?;
        let moved = reset.set_low().and_then(|()| {
            Delay.delay_ms(RESET_MS);
            reset.set_high()
        });
        moved.map_err(|why| anyhow!("{why}")).context("resetting the display")?;
        Delay.delay_ms(RESET_MS);
    }
    Ok((spi, dc))
}

fn pin(place: &GpioLine) -> anyhow::Result<CdevPin> {
    let asked = || -> Result<CdevPin, linux_embedded_hal::gpio_cdev::Error> {
        let line = Chip::new(&place.chip)?.get_line(place.line)?;
        CdevPin::new(line.request(LineRequestFlags::OUTPUT, 1, "livebox-display")?)
    };
    asked().with_context(|| {
        format!("line {} of {}; gpioinfo lists the lines and who holds them", place.line, place.chip.display())
    })
}

/// The device of a bus: a path as it is, a bare name as the adapter that bears it.
fn node(bus: &Path) -> anyhow::Result<PathBuf> {
    if bus.is_absolute() {
        return Ok(bus.to_owned());
    }
    let known = std::fs::read_dir("/sys/class/i2c-dev").context("this kernel shows no I2C bus; is i2c-dev loaded?")?;
    for adapter in known.flatten() {
        let name = std::fs::read_to_string(adapter.path().join("name")).unwrap_or_default();
        if Path::new(name.trim()) == bus {
            return Ok(Path::new("/dev").join(adapter.file_name()));
        }
    }
    bail!("no I2C adapter is named \"{}\"; i2cdetect -l lists those there are", bus.display())
}
