//! An SSD1306 of 128 × 64 points on any I²C bus.

use anyhow::anyhow;
use embedded_hal::i2c::I2c;
use ssd1306::mode::{BufferedGraphicsMode, DisplayConfig as _};
use ssd1306::prelude::{DisplayRotation, DisplaySize128x64, I2CInterface};
use ssd1306::{I2CDisplayInterface, Ssd1306};

use super::glass::Glass;
use crate::lang::said;
use crate::panel::Frame;

/// The display and what it shows: only what differs travels over the bus.
pub(super) struct Oled<B> {
    device: Ssd1306<I2CInterface<B>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>,
    shown: Frame,
}

impl<B: I2c> Oled<B> {
    /// Wakes the display at `address`; its memory may hold anything until the first picture.
    pub(super) fn open(bus: B, address: u8) -> anyhow::Result<Self> {
        let interface = I2CDisplayInterface::new_custom_address(bus, address);
        let mut device =
            Ssd1306::new(interface, DisplaySize128x64, DisplayRotation::Rotate0).into_buffered_graphics_mode();
        device.init().map_err(|why| anyhow!("{why:?}").context(said::display_silent()))?;
        device.clear_buffer();
        Ok(Self { device, shown: Frame::default() })
    }
}

impl<B: I2c> Glass for Oled<B> {
    fn show(&mut self, frame: &Frame) -> anyhow::Result<()> {
        // the driver sends the box around every point that was set, changed or not
        for (x, y, lit) in frame.points().filter(|(x, y, lit)| self.shown.is_lit(*x, *y) != *lit) {
            self.device.set_pixel(x, y, lit);
        }
        self.shown = frame.clone();
        self.device.flush().map_err(|why| anyhow!("{why:?}").context(said::display_silent()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::pixelcolor::BinaryColor;
    use embedded_graphics::prelude::{DrawTarget as _, Point, Size};
    use embedded_graphics::primitives::Rectangle;
    use embedded_hal::i2c::{ErrorKind, ErrorType, NoAcknowledgeSource, Operation};
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Address and bytes of one write.
    type Written = (u8, Vec<u8>);

    /// Notes what is written, or does not acknowledge.
    #[derive(Clone, Default)]
    struct Bus {
        written: Rc<RefCell<Vec<Written>>>,
        dead: Rc<RefCell<bool>>,
    }

    impl ErrorType for Bus {
        type Error = ErrorKind;
    }

    impl I2c for Bus {
        fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
            if *self.dead.borrow() {
                return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
            }
            for operation in operations {
                if let Operation::Write(bytes) = operation {
                    self.written.borrow_mut().push((address, bytes.to_vec()));
                }
            }
            Ok(())
        }
    }

    #[test]
    fn the_whole_picture_is_sent_first_and_then_only_what_changed() {
        let bus = Bus::default();
        let mut oled = Oled::open(bus.clone(), 0x3d).expect("it answers");
        let mut frame = Frame::default();
        let Ok(()) = frame.fill_solid(&Rectangle::new(Point::zero(), Size::new(8, 8)), BinaryColor::On);
        let data =
            || bus.written.borrow().iter().filter(|(_, b)| b[0] == 0x40).map(|(_, b)| b.len() - 1).sum::<usize>();

        oled.show(&frame).expect("shown");
        let first = data();
        oled.show(&frame).expect("shown");
        let same = data();
        let Ok(()) = frame.fill_solid(&Rectangle::new(Point::new(64, 32), Size::new(8, 8)), BinaryColor::On);
        oled.show(&frame).expect("shown");

        assert_eq!((first, same), (1024, 1024));
        assert_eq!(data() - same, 8);
        assert!(bus.written.borrow().iter().all(|(address, _)| *address == 0x3d));
    }

    #[test]
    fn a_display_that_does_not_acknowledge_is_an_error_with_the_mend() {
        let bus = Bus::default();
        let mut oled = Oled::open(bus.clone(), 0x3c).expect("it answers");
        *bus.dead.borrow_mut() = true;

        let mut frame = Frame::default();
        let Ok(()) = frame.fill_solid(&Rectangle::new(Point::zero(), Size::new(8, 8)), BinaryColor::On);
        let lost = oled.show(&frame);
        let absent = Oled::open(bus, 0x3c).map(drop);

        assert!(lost.is_err());
        assert!(absent.expect_err("absent").to_string().contains("check its cable"));
    }
}
