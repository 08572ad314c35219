//! Draws a sheet on points or in characters.
//!
//! ```text
//!  ▓直播中 01:23:45    锁 !2▓   headline
//!   码率 4.8/4.9M    25/25     rows
//!   A▕███  ▏  B▕██   ▏         the line on air is dark on light
//!   W█ 1▃ 2x 3▂ 4▁ 5▁ 6▁       each link's share of what is sent; x: not up
//! ```

use embedded_graphics::Pixel;
use embedded_graphics::prelude::{Dimensions, DrawTarget, Point, Primitive as _, Size};
use embedded_graphics::primitives::{Line, PrimitiveStyle, Rectangle, StyledDrawable as _};

use super::frame::{Canvas, Frame, Grid, Ink, Picture};
use super::glyph::Face;
use super::page::{Band, Code, Mark, Meter, Page, Pip, Tone};
use super::sheet::{Format, Row, Sheet, sheet};
use crate::time::Instant;

/// The bars' lower end: below this a line counts as silent to an eye.
const QUIET_DBFS: f64 = -60.0;

/// Above this the bar is amber: the EBU's permitted maximum for programme is −9 dBFS.
const LOUD_DBFS: f64 = -9.0;

/// Light around a code, in modules: a telephone still finds it with two, and 128 × 64 has no room for four.
const QUIET_ZONE: usize = 1;

/// Room for a code's modules at its side, in points.
const CODE_MONO: usize = 64;
const CODE_COLOUR: usize = 240;

/// Draws sheet `wanted` of the page, counted round.
#[must_use]
pub fn picture(page: &Page, format: Format, wanted: usize, now: Instant) -> Picture {
    match format {
        Format::Mono => {
            let mut frame = Frame::default();
            let Ok(()) = on_points(&mut frame, page, format, wanted, now);
            Picture::Mono(frame)
        }
        Format::Colour => {
            let mut canvas = Canvas::default();
            let Ok(()) = on_points(&mut canvas, page, format, wanted, now);
            Picture::Colour(canvas)
        }
        Format::Characters => Picture::Characters(in_characters(&sheet(page, format, wanted, now))),
    }
}

/// Draws on any display of that format, points or nothing; the target is expected black.
///
/// # Errors
/// Those of the display.
pub fn on_points<D: DrawTarget<Color = Ink>>(
    target: &mut D,
    page: &Page,
    format: Format,
    wanted: usize,
    now: Instant,
) -> Result<(), D::Error> {
    if format == Format::Characters {
        return Ok(());
    }
    if let Some(code) = page.code.as_ref().filter(|code| scale(code, format).is_some()) {
        return draw_code(target, code, format);
    }
    let sheet = sheet(page, format, wanted, now);
    let face = if format == Format::Colour { Face::Large } else { Face::Small };
    let pen = Pen { format, face, large: false };
    pen.head(target, &sheet, page.head.band)?;
    // large rows take the room of two
    let mut index = 0;
    for (at, row) in sheet.rows.iter().enumerate() {
        let top = pen.row_top(index);
        if at < sheet.large {
            pen.large().row(&mut Twice { target }, row, top / 2)?;
            index += 2;
        } else {
            pen.row(target, row, top)?;
            index += 1;
        }
    }
    Ok(())
}

/// True if the code is drawn on such a display; else the page's lines stand for it.
#[must_use]
pub fn shows_code(code: &Code, format: Format) -> bool {
    scale(code, format).is_some()
}

/// Points a module: at least two, or no telephone reads it.
fn scale(code: &Code, format: Format) -> Option<usize> {
    let room = match format {
        Format::Mono => CODE_MONO,
        Format::Colour => CODE_COLOUR,
        Format::Characters => return None,
    };
    Some(room / (code.side + 2 * QUIET_ZONE)).filter(|points| *points >= 2)
}

fn draw_code<D: DrawTarget<Color = Ink>>(target: &mut D, code: &Code, format: Format) -> Result<(), D::Error> {
    let points = scale(code, format).unwrap_or(1);
    let (width, height) = match format {
        Format::Mono => (Frame::WIDTH, Frame::HEIGHT),
        _ => (Canvas::WIDTH, Canvas::HEIGHT),
    };
    target.fill_solid(&Rectangle::new(Point::zero(), Size::new(width as u32, height as u32)), Ink::White)?;
    let (left, top) = ((width - code.side * points) / 2, (height - code.side * points) / 2);
    for (index, _) in code.dark.iter().enumerate().filter(|(_, dark)| **dark) {
        let at = Point::new((left + index % code.side * points) as i32, (top + index / code.side * points) as i32);
        target.fill_solid(&Rectangle::new(at, Size::new(points as u32, points as u32)), Ink::Black)?;
    }
    Ok(())
}

/// Draws on points.
#[derive(Debug, Clone, Copy)]
struct Pen {
    format: Format,
    face: Face,
    /// What it draws is drawn twice as large.
    large: bool,
}

impl Pen {
    const fn large(self) -> Self {
        Self { large: true, ..self }
    }

    const fn small(self) -> bool {
        matches!(self.format, Format::Mono)
    }

    /// Left edge of the rows, and their width.
    const fn span(self) -> (i32, u32) {
        let left = match (self.small(), self.large) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 4,
        };
        (left, self.format.room(self.large).width)
    }

    /// Upper edge of a row of text.
    fn row_top(self, index: usize) -> i32 {
        let index = index as i32;
        if self.small() { 14 + index * 12 } else { 42 + index * 20 - index / 5 }
    }

    /// Height of a row.
    const fn high(self) -> u32 {
        if self.small() { 12 } else { 18 }
    }

    fn head<D: DrawTarget<Color = Ink>>(self, target: &mut D, sheet: &Sheet, band: Band) -> Result<(), D::Error> {
        let (high, whole) = if self.small() { (14, 128) } else { (40, 320) };
        let (ground, ink) = match (band, self.small()) {
            (Band::Dark, _) => (None, Ink::White),
            (Band::Air, false) => (Some(Ink::Red), Ink::White),
            (Band::Alert, false) => (Some(Ink::White), Ink::Red),
            (Band::Air, true) => (Some(Ink::White), Ink::Black),
            // the blink of a display with one colour: dark between two rules
            (Band::Alert, true) => (None, Ink::White),
        };
        match ground {
            Some(ground) => fill(target, Point::zero(), Size::new(whole, high), ground)?,
            None => fill(target, Point::new(0, high as i32 - 1), Size::new(whole, 1), Ink::Grey)?,
        }
        if band == Band::Alert && self.small() {
            fill(target, Point::zero(), Size::new(whole, 1), Ink::White)?;
        }
        let (left, right) = (&sheet.head.0, &sheet.head.1);
        if self.small() {
            let edge = 126 - self.face.width(right) as i32;
            self.face.draw(target, left, Point::new(2, 2), ink)?;
            self.face.draw(target, right, Point::new(edge, 2), ink)
        } else {
            let mut twice = Twice { target };
            let edge = 157 - self.face.width(right) as i32;
            self.face.draw(&mut twice, left, Point::new(3, 2), ink)?;
            self.face.draw(&mut twice, right, Point::new(edge, 2), ink)
        }
    }

    fn row<D: DrawTarget<Color = Ink>>(self, target: &mut D, row: &Row, top: i32) -> Result<(), D::Error> {
        let (left, width) = self.span();
        match row {
            Row::Text { left: from, right: to, tone } => {
                let edge = left + width as i32 - self.face.width(to) as i32;
                self.face.draw(target, from, Point::new(left, top), ink(*tone))?;
                self.face.draw(target, to, Point::new(edge, top), ink(*tone))
            }
            Row::Meters(meters) | Row::Both(meters, _) => self.meters(target, meters, top),
            Row::Pips(pips) => self.pips(target, pips, top),
            Row::Level(meter, note) => {
                let beside = if note.is_empty() { 0 } else { self.face.width(note) + 4 };
                let edge = left + (width - beside) as i32 + 4;
                self.face.draw(target, note, Point::new(edge, top), Ink::White)?;
                self.level(target, meter, Point::new(left, top), width - beside)
            }
            Row::Progress(share) => {
                let area = Rectangle::new(Point::new(left, top + 1), Size::new(width, self.high() - 2));
                bar(target, area, *share, Ink::Red)
            }
        }
    }

    fn meters<D: DrawTarget<Color = Ink>>(self, target: &mut D, meters: &[Meter], top: i32) -> Result<(), D::Error> {
        let (left, width) = self.span();
        let each = width / u32::try_from(meters.len().max(2)).unwrap_or(2);
        for (index, meter) in meters.iter().enumerate() {
            self.level(target, meter, Point::new(left + (index as u32 * each) as i32, top), each - 4)?;
        }
        Ok(())
    }

    fn level<D: DrawTarget<Color = Ink>>(
        self,
        target: &mut D,
        meter: &Meter,
        at: Point,
        width: u32,
    ) -> Result<(), D::Error> {
        let letter = if self.small() { 9 } else { 14 };
        let mut ink = Ink::White;
        if meter.live {
            fill(target, at, Size::new(letter, self.high()), Ink::White)?;
            ink = Ink::Black;
        }
        let name = meter.name.to_string();
        let inset = (letter as i32 - self.face.width(&name) as i32 + 1) / 2;
        self.face.draw(target, &name, at + Point::new(inset, 0), ink)?;
        let start = at + Point::new(letter as i32 + 3, 2);
        let room = Size::new(width - letter - 3, self.high() - 4);
        match meter.level {
            Some(level) => {
                let loud = if level > LOUD_DBFS { Ink::Amber } else { Ink::Green };
                bar(target, Rectangle::new(start, room), 1.0 - level / QUIET_DBFS, loud)
            }
            // no frame: nothing comes that could have a level
            None => fill(target, start + Point::new(0, room.height as i32 / 2), Size::new(room.width, 1), Ink::Red),
        }
    }

    fn pips<D: DrawTarget<Color = Ink>>(self, target: &mut D, pips: &[Pip], top: i32) -> Result<(), D::Error> {
        let (left, width) = self.span();
        let pitch = width / u32::try_from(pips.len().clamp(7, 16)).unwrap_or(7);
        let letter = if self.small() { 9 } else { 14 };
        for (index, pip) in pips.iter().take(16).enumerate() {
            let mut x = left + (index as u32 * pitch) as i32;
            let mut room = pitch - 2;
            // below this pitch there is no room for a letter beside the bar
            if pitch >= letter + 7 {
                self.face.draw(target, &pip.name.to_string(), Point::new(x, top), Ink::White)?;
                x += letter as i32 + 1;
                room -= letter + 1;
            }
            let high = self.high() - 2;
            let area = Rectangle::new(Point::new(x, top + 1), Size::new(room, high));
            match pip.mark {
                Mark::Share(share) => {
                    let tall = (share.clamp(0.0, 1.0) * f64::from(high)).ceil().max(1.0) as u32;
                    fill(target, Point::new(x, top + 1 + (high - tall) as i32), Size::new(room, tall), Ink::Green)?;
                }
                Mark::Trying => outline(target, area, Ink::Amber)?,
                Mark::Dead => cross(target, area, Ink::Red)?,
            }
        }
        Ok(())
    }
}

fn ink(tone: Tone) -> Ink {
    match tone {
        Tone::Plain => Ink::White,
        Tone::Good => Ink::Green,
        Tone::Warn => Ink::Amber,
        Tone::Bad => Ink::Red,
        Tone::Faint => Ink::Grey,
    }
}

/// Everything twice as large.
struct Twice<'t, D> {
    target: &'t mut D,
}

impl<D: DrawTarget<Color = Ink>> Dimensions for Twice<'_, D> {
    fn bounding_box(&self) -> Rectangle {
        let whole = self.target.bounding_box();
        Rectangle::new(whole.top_left / 2, whole.size / 2)
    }
}

impl<D: DrawTarget<Color = Ink>> DrawTarget for Twice<'_, D> {
    type Color = Ink;
    type Error = D::Error;

    fn draw_iter<I: IntoIterator<Item = Pixel<Ink>>>(&mut self, pixels: I) -> Result<(), D::Error> {
        let four = |Pixel(at, ink): Pixel<Ink>| {
            [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(x, y)| Pixel(Point::new(at.x * 2 + x, at.y * 2 + y), ink))
        };
        self.target.draw_iter(pixels.into_iter().flat_map(four))
    }
}

/// A frame with its share filled from the left, from 0 to 1.
fn bar<D: DrawTarget<Color = Ink>>(target: &mut D, area: Rectangle, share: f64, ink: Ink) -> Result<(), D::Error> {
    outline(target, area, Ink::Grey)?;
    let inner = area.size.width.saturating_sub(2);
    let filled = (f64::from(inner) * share.clamp(0.0, 1.0)).round() as u32;
    fill(target, area.top_left + Point::new(1, 1), Size::new(filled, area.size.height.saturating_sub(2)), ink)
}

/// An empty frame.
fn outline<D: DrawTarget<Color = Ink>>(target: &mut D, area: Rectangle, ink: Ink) -> Result<(), D::Error> {
    area.draw_styled(&PrimitiveStyle::with_stroke(ink, 1), target)
}

fn fill<D: DrawTarget<Color = Ink>>(target: &mut D, at: Point, size: Size, ink: Ink) -> Result<(), D::Error> {
    target.fill_solid(&Rectangle::new(at, size), ink)
}

/// Both diagonals of an area.
fn cross<D: DrawTarget<Color = Ink>>(target: &mut D, area: Rectangle, ink: Ink) -> Result<(), D::Error> {
    use embedded_graphics::Drawable as _;
    let Some(end) = area.bottom_right() else { return Ok(()) };
    let style = PrimitiveStyle::with_stroke(ink, 1);
    Line::new(area.top_left, end).into_styled(style).draw(target)?;
    Line::new(Point::new(area.top_left.x, end.y), Point::new(end.x, area.top_left.y)).into_styled(style).draw(target)
}

/// In characters: capital letters name the line on air, bars stand for levels and shares.
fn in_characters(sheet: &Sheet) -> Grid {
    let mut grid = Grid::default();
    write_ends(&mut grid, 0, &sheet.head.0, &sheet.head.1);
    for (index, row) in sheet.rows.iter().enumerate() {
        let y = index + 1;
        match row {
            Row::Text { left, right, .. } => write_ends(&mut grid, y, left, right),
            Row::Meters(meters) => grid.write(0, y, &meters.iter().map(|m| short(m, " ")).collect::<String>()),
            Row::Pips(pips) => grid.write(0, y, &links(pips, Grid::WIDTH)),
            Row::Both(meters, pips) => {
                // named links go before gaps, links before lines that are not on air
                let named = if pips.len() * 2 + meters.len() * 2 <= Grid::WIDTH { 2 } else { 1 };
                let gap = if meters.len() * 3 + pips.len() * named > Grid::WIDTH { "" } else { " " };
                let most = Grid::WIDTH.saturating_sub(pips.len()) / 2;
                let rest = most.saturating_sub(meters.iter().filter(|meter| meter.live).count());
                let mut others = 0;
                let kept = meters.iter().filter(|meter| {
                    others += usize::from(!meter.live);
                    meter.live || others <= rest
                });
                let lines: String = kept.map(|meter| short(meter, gap)).collect();
                let room = Grid::WIDTH - lines.chars().count();
                grid.write(0, y, &(lines + &links(pips, room)));
            }
            Row::Level(meter, note) => {
                let name = if meter.live { meter.name } else { meter.name.to_ascii_lowercase() };
                let share = meter.level.map_or(0.0, |level| 1.0 - level / QUIET_DBFS);
                let room = Grid::WIDTH - 3 - note.chars().count().min(Grid::WIDTH / 2);
                write_ends(&mut grid, y, &format!("{name}[{}]", filled(share, room)), note);
            }
            Row::Progress(share) => grid.write(0, y, &format!("[{}]", filled(*share, Grid::WIDTH - 2))),
        }
    }
    grid
}

fn write_ends(grid: &mut Grid, y: usize, left: &str, right: &str) {
    grid.write(0, y, left);
    grid.write(Grid::WIDTH.saturating_sub(right.chars().count()), y, right);
}

fn short(meter: &Meter, gap: &str) -> String {
    let name = if meter.live { meter.name } else { meter.name.to_ascii_lowercase() };
    format!("{name}{}{gap}", meter.level.map_or('x', |level| eighth(1.0 - level / QUIET_DBFS)))
}

fn links(pips: &[Pip], room: usize) -> String {
    let named = pips.len() * 2 <= room;
    pips.iter()
        .map(|pip| {
            let mark = match pip.mark {
                Mark::Share(share) => eighth(share),
                Mark::Trying => '-',
                Mark::Dead => 'x',
            };
            if named { format!("{}{mark}", pip.name) } else { mark.to_string() }
        })
        .collect()
}

/// A bar of one cell, at least one eighth high.
fn eighth(share: f64) -> char {
    let eighths = (share.clamp(0.0, 1.0) * 8.0).ceil().max(1.0) as u32;
    char::from_u32('▁' as u32 + eighths - 1).unwrap_or('█')
}

fn filled(share: f64, cells: usize) -> String {
    let full = (share.clamp(0.0, 1.0) * cells as f64).round() as usize;
    (0..cells).map(|cell| if cell < full { '█' } else { '-' }).collect()
}
