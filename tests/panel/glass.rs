use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use embedded_graphics::Pixel;
use embedded_graphics::prelude::{DrawTarget as _, Point};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{self, OutputPin};
use embedded_hal::i2c::{self, I2c, NoAcknowledgeSource};
use embedded_hal::spi::{self, SpiDevice};
use livebox::board::{OledChip, TftChip};
use livebox::io::panel::{Characters, Glass, I2cWire, Oled, SpiWire, Tft};
use livebox::lang::Lang;
use livebox::panel::{Canvas, Format, Frame, Grid, Ink, Picture, Play};

use super::live;
use super::screens::{SCENES, played};

const ADDRESS: u8 = 0x3c;

/// A bus with one device: every message is kept until it is looked at.
#[derive(Clone, Default)]
struct Bus {
    messages: Rc<RefCell<Vec<Vec<u8>>>>,
    pulled: Rc<RefCell<bool>>,
}

impl Bus {
    fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.messages.borrow_mut())
    }
}

impl i2c::ErrorType for Bus {
    type Error = i2c::ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [i2c::Operation<'_>]) -> Result<(), i2c::ErrorKind> {
        if *self.pulled.borrow() || address != ADDRESS {
            return Err(i2c::ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            if let i2c::Operation::Write(bytes) = operation {
                self.messages.borrow_mut().push(bytes.to_vec());
            }
        }
        Ok(())
    }
}

/// An SSD1306 as its data sheet describes it: registers, pointers, memory.
struct Ssd1306 {
    memory: [[u8; 132]; 8],
    on: bool,
    pump: bool,
    columns: (u8, u8),
    pages: (u8, u8),
    at: (u8, u8),
    /// 0 horizontal, 2 page by page (an SH1106 knows only this).
    mode: u8,
    contrast: u8,
}

impl Ssd1306 {
    /// As it is when power comes: noise in its memory, and off.
    fn powered() -> Self {
        let mut memory = [[0; 132]; 8];
        for (page, row) in memory.iter_mut().enumerate() {
            for (x, eight) in row.iter_mut().enumerate() {
                *eight = (x * 37 + page * 101) as u8;
            }
        }
        Self { memory, on: false, pump: false, columns: (0, 127), pages: (0, 7), at: (0, 0), mode: 2, contrast: 0x7f }
    }

    fn hear(&mut self, messages: &[Vec<u8>]) {
        for message in messages {
            match message.split_first() {
                Some((0x00, commands)) => self.commands(commands),
                Some((0x40, data)) => data.iter().for_each(|eight| self.data(*eight)),
                other => panic!("neither command nor data: {other:02x?}"),
            }
        }
    }

    fn commands(&mut self, mut bytes: &[u8]) {
        while let Some((command, rest)) = bytes.split_first() {
            let arguments = match command {
                0x20 | 0x81 | 0x8d | 0xa8 | 0xad | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb | 0xfd => 1,
                0x21 | 0x22 => 2,
                _ => 0,
            };
            assert!(rest.len() >= arguments, "{command:02x} without its argument");
            let (given, rest) = rest.split_at(arguments);
            match command {
                0x00..=0x0f => self.at.0 = self.at.0 & 0xf0 | command & 0x0f,
                0x10..=0x1f => self.at.0 = self.at.0 & 0x0f | command << 4,
                0x20 => self.mode = given[0],
                0x21 => {
                    self.columns = (given[0], given[1]);
                    self.at.0 = given[0];
                }
                0x22 => {
                    self.pages = (given[0], given[1]);
                    self.at.1 = given[0];
                }
                0x81 => self.contrast = given[0],
                0x8d => self.pump = given[0] == 0x14,
                0xad => self.pump = given[0] == 0x8b,
                0xae => self.on = false,
                0xaf => self.on = true,
                0xb0..=0xb7 => self.at.1 = command & 7,
                0x40..=0x7f
                | 0xa0
                | 0xa1
                | 0xa4
                | 0xa6
                | 0xa8
                | 0xc0
                | 0xc8
                | 0xd3
                | 0xd5
                | 0xd9
                | 0xda
                | 0xdb
                | 0xfd => {}
                other => panic!("no such command: {other:02x}"),
            }
            bytes = rest;
        }
    }

    fn data(&mut self, eight: u8) {
        self.memory[usize::from(self.at.1)][usize::from(self.at.0)] = eight;
        self.at.0 += 1;
        if self.mode == 0 && self.at.0 > self.columns.1 {
            self.at.0 = self.columns.0;
            self.at.1 = if self.at.1 >= self.pages.1 { self.pages.0 } else { self.at.1 + 1 };
        }
    }

    /// What the glass shows, from this column of the memory on.
    fn seen(&self, from: usize) -> Picture {
        let mut frame = Frame::default();
        let lit = |x: usize, y: usize| self.on && self.memory[y / 8][x + from] >> (y % 8) & 1 == 1;
        let points = (0..64).flat_map(|y| (0..128).map(move |x| (x, y))).filter(|(x, y)| lit(*x, *y));
        let Ok(()) = frame.draw_iter(points.map(|(x, y)| Pixel(Point::new(x as i32, y as i32), Ink::White)));
        Picture::Mono(frame)
    }
}

/// The pictures of every screen, one after the other, as an operator might turn through them.
fn pictures(format: Format) -> Vec<Picture> {
    SCENES
        .into_iter()
        .map(|scene| {
            let play = played(scene, Lang::Zh);
            play.panel.picture(play.now, format)
        })
        .collect()
}

#[test]
fn an_ssd1306_shows_every_screen_as_it_was_drawn() {
    for chip in [OledChip::Ssd1306, OledChip::Ssd1309] {
        let bus = Bus::default();
        let mut oled = Oled::open(I2cWire::new(bus.clone(), ADDRESS), chip).unwrap();
        let mut model = Ssd1306::powered();

        for picture in pictures(Format::Mono) {
            model.hear(&bus.take());
            assert!(model.seen(0) == Picture::Mono(Frame::default()) || model.on, "no noise is ever shown");
            oled.show(&picture).unwrap();
            model.hear(&bus.take());
            assert!(model.seen(0) == picture);
        }
        assert_eq!(model.pump, chip == OledChip::Ssd1306);
    }
}

#[test]
fn an_sh1106_shows_every_screen_though_it_has_no_window_and_wider_memory() {
    let bus = Bus::default();
    let mut oled = Oled::open(I2cWire::new(bus.clone(), ADDRESS), OledChip::Sh1106).unwrap();
    let mut model = Ssd1306::powered();

    for picture in pictures(Format::Mono) {
        oled.show(&picture).unwrap();
        model.hear(&bus.take());
        assert!(model.seen(2) == picture);
    }
    assert!(model.pump && model.mode == 2);
}

#[test]
fn only_what_changed_travels_and_a_whole_picture_takes_less_than_thirty_milliseconds() {
    for (chip, name) in [(OledChip::Ssd1306, "SSD1306"), (OledChip::Ssd1309, "SSD1309"), (OledChip::Sh1106, "SH1106")] {
        let bus = Bus::default();
        let mut oled = Oled::open(I2cWire::new(bus.clone(), ADDRESS), chip).unwrap();
        let bytes = || bus.take().iter().map(|message| 1 + message.len()).sum::<usize>();
        let mut frame = Frame::default();
        bytes();

        oled.show(&Picture::Mono(frame.clone())).unwrap();
        let whole = bytes();
        oled.show(&Picture::Mono(frame.clone())).unwrap();
        let same = bytes();
        let Ok(()) = frame.draw_iter([Pixel(Point::new(77, 33), Ink::White)]);
        oled.show(&Picture::Mono(frame.clone())).unwrap();
        let point = bytes();

        // each byte is eight bits and the acknowledge, at 400 kHz
        let time = Duration::from_micros(whole as u64 * 9 * 1_000_000 / 400_000);
        eprintln!("{name}: {whole} bytes, {time:?} for a whole picture; {point} bytes for one point");
        assert!(time <= Duration::from_millis(30), "{name}: {time:?}");
        assert_eq!(same, 0, "{name}");
        assert!(point <= 12, "{name}: {point} bytes");
    }
}

#[test]
fn a_second_of_a_live_costs_the_bus_little() {
    let bus = Bus::default();
    let mut oled = Oled::open(I2cWire::new(bus.clone(), ADDRESS), OledChip::Ssd1306).unwrap();
    let mut play = played(SCENES[1], Lang::Zh);
    oled.show(&play.panel.picture(play.now, Format::Mono)).unwrap();
    bus.take();

    play.passes(Duration::from_secs(1));
    oled.show(&play.panel.picture(play.now, Format::Mono)).unwrap();

    let bytes: usize = bus.take().iter().map(|message| 1 + message.len()).sum();
    assert!((1..200).contains(&bytes), "{bytes} bytes for the clock's next second");
}

#[test]
fn a_display_that_was_pulled_is_an_error_with_the_mend_and_shows_all_of_its_picture_when_it_is_back() {
    let bus = Bus::default();
    let mut oled = Oled::open(I2cWire::new(bus.clone(), ADDRESS), OledChip::Ssd1306).unwrap();
    let all = pictures(Format::Mono);
    oled.show(&all[0]).unwrap();
    *bus.pulled.borrow_mut() = true;

    let lost = oled.show(&all[1]).unwrap_err();
    let absent = Oled::open(I2cWire::new(bus.clone(), ADDRESS), OledChip::Ssd1306).map(drop).unwrap_err();
    assert!([lost, absent].iter().all(|why| format!("{why:#}").contains("check its cable")));

    // another one is plugged in, with noise in its memory
    *bus.pulled.borrow_mut() = false;
    bus.take();
    let mut model = Ssd1306::powered();
    let mut again = Oled::open(I2cWire::new(bus.clone(), ADDRESS), OledChip::Ssd1306).unwrap();
    again.show(&all[1]).unwrap();
    model.hear(&bus.take());
    assert!(model.seen(0) == all[1]);
}

#[test]
fn the_brightness_travels_when_it_is_changed() {
    let bus = Bus::default();
    let mut oled = Oled::open(I2cWire::new(bus.clone(), ADDRESS), OledChip::Ssd1306).unwrap();
    let mut model = Ssd1306::powered();
    let picture = Picture::Mono(Frame::default());

    let mut seen = Vec::new();
    for step in [3, 2, 1] {
        oled.shine(step);
        oled.show(&picture).unwrap();
        model.hear(&bus.take());
        seen.push(model.contrast);
    }
    assert!(seen[0] > seen[1] && seen[1] > seen[2], "{seen:?}");
}

/// Waits in no time, and counts it.
struct Waited(u64);

impl DelayNs for Waited {
    fn delay_ns(&mut self, ns: u32) {
        self.0 += u64::from(ns);
    }
}

/// An HD44780 behind a PCF8574, as their data sheets describe them.
struct Hd44780 {
    last: u8,
    four_bits: bool,
    half: Option<u8>,
    memory: [u8; 128],
    glyphs: [u8; 64],
    at: u8,
    in_glyphs: bool,
    on: bool,
    light: bool,
}

impl Hd44780 {
    fn powered() -> Self {
        Self {
            last: 0,
            four_bits: false,
            half: None,
            memory: [b'#'; 128],
            glyphs: [0xaa; 64],
            at: 0,
            in_glyphs: false,
            on: false,
            light: false,
        }
    }

    fn hear(&mut self, messages: &[Vec<u8>]) {
        for lines in messages.iter().flatten() {
            assert_eq!(lines & 0x02, 0, "it is only written to");
            self.light = lines & 0x08 != 0;
            // the nibble counts when enable falls; the others must not move with it
            if self.last & 0x04 != 0 && lines & 0x04 == 0 {
                assert_eq!(self.last & 0xf1, lines & 0xf1, "data or select moved with enable");
                self.nibble(lines >> 4, lines & 0x01 != 0);
            }
            self.last = *lines;
        }
    }

    fn nibble(&mut self, nibble: u8, data: bool) {
        if !self.four_bits {
            // eight lines, of which four are wired
            self.byte(nibble << 4, data);
            return;
        }
        match self.half.take() {
            None => self.half = Some(nibble),
            Some(high) => self.byte(high << 4 | nibble, data),
        }
    }

    fn byte(&mut self, byte: u8, data: bool) {
        match (data, byte) {
            (true, _) if self.in_glyphs => {
                self.glyphs[usize::from(self.at & 0x3f)] = byte;
                self.at = self.at.wrapping_add(1);
            }
            (true, _) => {
                self.memory[usize::from(self.at & 0x7f)] = byte;
                self.at = match self.at {
                    0x27 => 0x40,
                    0x67 => 0x00,
                    at => at + 1,
                };
            }
            (false, 0x01) => {
                self.memory = [b' '; 128];
                (self.at, self.in_glyphs) = (0, false);
            }
            (false, 0x80..) => (self.at, self.in_glyphs) = (byte & 0x7f, false),
            (false, 0x40..) => (self.at, self.in_glyphs) = (byte & 0x3f, true),
            (false, 0x20..=0x3f) => self.four_bits = byte & 0x10 == 0,
            (false, 0x08..=0x0f) => self.on = byte & 0x04 != 0,
            (false, 0x04..=0x07) => assert_eq!(byte, 0x06, "to the right, standing still"),
            other => panic!("no such command: {other:02x?}"),
        }
    }

    /// What a reader sees: a bar is told by the points of its glyph.
    fn row(&self, y: usize) -> String {
        let start = [0x00, 0x40, 0x14, 0x54][y];
        let seen = |code: u8| match code {
            0xff => '█',
            0..=7 => {
                let glyph = &self.glyphs[usize::from(code) * 8..][..8];
                let high = glyph.iter().rev().take_while(|row| **row == 0x1f).count();
                assert!(glyph[..8 - high].iter().all(|row| *row == 0), "a bar stands on its foot");
                char::from_u32('▁' as u32 + high as u32 - 1).unwrap()
            }
            ascii => char::from(ascii),
        };
        (0..20).map(|x| if self.on && self.light { seen(self.memory[start + x]) } else { ' ' }).collect()
    }
}

#[test]
fn an_hd44780_shows_every_screen_in_characters_whatever_mode_it_was_in() {
    for half in [None, Some(0x4)] {
        let bus = Bus::default();
        let mut model = Hd44780::powered();
        // a box that was restarted in the middle of a byte
        (model.four_bits, model.half) = (half.is_some(), half);
        let mut waited = Waited(0);
        let mut display = Characters::open(bus.clone(), ADDRESS, &mut waited).unwrap();
        model.hear(&bus.take());
        assert!(model.four_bits && model.on && waited.0 >= 50_000_000);

        for picture in pictures(Format::Characters) {
            display.show(&picture).unwrap();
            model.hear(&bus.take());
            let Picture::Characters(grid) = &picture else { panic!("{picture:?}") };
            for y in 0..Grid::HEIGHT {
                // its table has no tilde
                assert_eq!(model.row(y), grid.row(y).replace('~', "-"));
            }
        }
    }
}

#[test]
fn a_character_display_is_sent_what_changed_alone() {
    let bus = Bus::default();
    let mut display = Characters::open(bus.clone(), ADDRESS, &mut Waited(0)).unwrap();
    let mut play = played(SCENES[1], Lang::En);
    display.show(&play.panel.picture(play.now, Format::Characters)).unwrap();
    bus.take();

    display.show(&play.panel.picture(play.now, Format::Characters)).unwrap();
    assert!(bus.take().is_empty());
    play.passes(Duration::from_secs(1));
    display.show(&play.panel.picture(play.now, Format::Characters)).unwrap();

    let bytes: usize = bus.take().iter().map(Vec::len).sum();
    assert!((1..60).contains(&bytes), "{bytes} bytes for the clock's next second");
}

/// Data or command, and the bytes.
type Heard = (bool, Vec<u8>);

/// An SPI device with its data line.
#[derive(Clone, Default)]
struct Line {
    data: Rc<RefCell<bool>>,
    heard: Rc<RefCell<Vec<Heard>>>,
}

impl digital::ErrorType for Line {
    type Error = std::convert::Infallible;
}

impl OutputPin for Line {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        *self.data.borrow_mut() = false;
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        *self.data.borrow_mut() = true;
        Ok(())
    }
}

impl spi::ErrorType for Line {
    type Error = std::convert::Infallible;
}

impl SpiDevice for Line {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), Self::Error> {
        for operation in operations {
            if let spi::Operation::Write(bytes) = operation {
                assert!(bytes.len() <= 4096, "more than spidev's buffer");
                self.heard.borrow_mut().push((*self.data.borrow(), bytes.to_vec()));
            }
        }
        Ok(())
    }
}

#[test]
fn an_oled_on_spi_shows_the_same_picture() {
    let line = Line::default();
    let mut oled = Oled::open(SpiWire::commanding(line.clone(), line.clone()), OledChip::Ssd1306).unwrap();
    let mut model = Ssd1306::powered();

    for picture in pictures(Format::Mono) {
        oled.show(&picture).unwrap();
        for (data, bytes) in line.heard.take() {
            if data { bytes.iter().for_each(|eight| model.data(*eight)) } else { model.commands(&bytes) }
        }
        assert!(model.seen(0) == picture);
    }
}

/// A colour display's memory, as ST7789 and ILI9341 describe it.
struct Colours {
    memory: Vec<u16>,
    command: u8,
    given: Vec<u8>,
    columns: (usize, usize),
    rows: (usize, usize),
    at: (usize, usize),
    half: Option<u8>,
    on: bool,
    awake: bool,
    points: usize,
}

impl Colours {
    fn powered() -> Self {
        Self {
            memory: vec![0x1234; 320 * 240],
            command: 0,
            given: Vec::new(),
            columns: (0, 0),
            rows: (0, 0),
            at: (0, 0),
            half: None,
            on: false,
            awake: false,
            points: 0,
        }
    }

    fn hear(&mut self, heard: &[(bool, Vec<u8>)]) {
        for (data, bytes) in heard {
            for byte in bytes {
                if *data { self.data(*byte) } else { self.command(*byte) }
            }
        }
    }

    fn command(&mut self, command: u8) {
        (self.command, self.given, self.half) = (command, Vec::new(), None);
        match command {
            0x01 => *self = Self::powered(),
            0x11 => self.awake = true,
            0x29 => self.on = true,
            0x2c => self.at = (self.columns.0, self.rows.0),
            0x13 | 0x20 | 0x21 | 0x2a | 0x2b | 0x36 | 0x3a => {}
            other => panic!("no such command: {other:02x}"),
        }
    }

    fn data(&mut self, byte: u8) {
        if self.command == 0x2c {
            match self.half.take() {
                None => self.half = Some(byte),
                Some(high) => self.point(u16::from_be_bytes([high, byte])),
            }
            return;
        }
        self.given.push(byte);
        if let (0x2a | 0x2b, [a, b, c, d]) = (self.command, self.given.as_slice()) {
            let span = (usize::from(u16::from_be_bytes([*a, *b])), usize::from(u16::from_be_bytes([*c, *d])));
            if self.command == 0x2a { self.columns = span } else { self.rows = span }
        }
    }

    fn point(&mut self, colour: u16) {
        assert!(self.awake, "it sleeps");
        self.points += 1;
        self.memory[self.at.1 * 320 + self.at.0] = colour;
        self.at.0 += 1;
        if self.at.0 > self.columns.1 {
            self.at = (self.columns.0, if self.at.1 >= self.rows.1 { self.rows.0 } else { self.at.1 + 1 });
        }
    }

    fn shows(&self, canvas: &Canvas) -> bool {
        let rgb565 = |ink: Ink| {
            let [r, g, b] = ink.rgb().map(u16::from);
            (r / 8) * 2048 + (g / 4) * 32 + b / 8
        };
        let wanted = (0..240).flat_map(|y| canvas.row(0, y, 320)).map(|ink| rgb565(*ink));
        self.on && self.memory.iter().copied().eq(wanted)
    }
}

#[test]
fn a_colour_display_shows_every_screen_and_is_sent_what_changed_alone() {
    for (chip, turned) in [(TftChip::St7789, false), (TftChip::Ili9341, true)] {
        let line = Line::default();
        let mut waited = Waited(0);
        let wire = SpiWire::arguing(line.clone(), line.clone());
        let mut tft = Tft::open(wire, chip, turned, &mut waited).unwrap();
        let mut model = Colours::powered();
        assert!(waited.0 >= 240_000_000, "it is given time to wake");

        for picture in pictures(Format::Colour) {
            tft.show(&picture).unwrap();
            model.hear(&line.heard.take());
            let Picture::Colour(canvas) = &picture else { panic!("a colour picture") };
            assert!(model.shows(canvas));
        }
        let mut play = played(SCENES[1], Lang::Zh);
        tft.show(&play.panel.picture(play.now, Format::Colour)).unwrap();
        model.hear(&line.heard.take());
        model.points = 0;
        play.passes(Duration::from_secs(1));
        tft.show(&play.panel.picture(play.now, Format::Colour)).unwrap();
        model.hear(&line.heard.take());
        assert!((1..2000).contains(&model.points), "{} points for the clock's next second", model.points);
    }
}

#[test]
fn a_colour_display_follows_every_meter_ten_times_a_second_on_a_tenth_of_its_bus() {
    const BITS_A_SECOND: u64 = 32_000_000;
    let line = Line::default();
    let wire = SpiWire::arguing(line.clone(), line.clone());
    let mut tft = Tft::open(wire, TftChip::St7789, false, &mut Waited(0)).unwrap();
    let mut model = Colours::powered();
    model.hear(&line.heard.take());
    let mut play = played(SCENES[1], Lang::Zh);
    let mut sent = |play: &Play| {
        let picture = play.panel.picture(play.now, Format::Colour);
        tft.show(&picture).unwrap();
        let heard = line.heard.take();
        model.hear(&heard);
        let Picture::Colour(canvas) = &picture else { panic!("a colour picture") };
        assert!(model.shows(canvas));
        heard.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
    };

    let whole = sent(&play);
    let same = sent(&play);
    let mut changes = Vec::new();
    for tenth in 1..=50 {
        let mut status = live();
        let swing = f64::from(tenth % 13) * 4.0;
        for input in &mut status.inputs {
            input.level = input.level.map(|_| -55.0 + swing);
        }
        for link in &mut status.links {
            link.rate_mbit = f64::from(tenth % 7);
        }
        status.programme.bitrate.measured = Some(4.0 + swing / 50.0);
        play.status = Some(Arc::new(status));
        play.passes(Duration::from_millis(100));
        changes.push(sent(&play));
    }

    let time = |bytes: usize| Duration::from_micros(bytes as u64 * 8 * 1_000_000 / BITS_A_SECOND);
    let (mean, most) = (changes.iter().sum::<usize>() / changes.len(), *changes.iter().max().unwrap());
    eprintln!("whole {whole} bytes, {:?}; a change {mean} bytes, {:?}; most {most} bytes", time(whole), time(mean));
    assert_eq!(same, 0);
    assert!((153_600..154_500).contains(&whole) && time(whole) < Duration::from_millis(40), "{whole}");
    assert!(changes.iter().all(|bytes| *bytes > 0));
    assert!(time(mean) < Duration::from_millis(10) && time(most) < Duration::from_millis(25), "{mean} {most}");
}
