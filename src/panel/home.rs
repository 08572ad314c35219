//! The home screen: live or not, measured beside wanted, levels, links, and what is worst.
//!
//! ```text
//!  ▓直播中 01:23:45      !2▓   phase, time in it, alarms
//!   码率 4.8/4.9M    25/25     measured/wanted
//!   A▕███  ▏  B▕██   ▏         levels; the line on air is dark on light
//!   ▁▃█ x ▂▂▁                  each link's share of what is sent; x: not up
//!   有线网络已断开               the worst alarm, line after line
//! ```

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{DrawTarget, Point, Size};
use embedded_graphics::primitives::Rectangle;

use super::draw;
use crate::bond::LinkPhase;
use crate::lang::Lang;
use crate::media::{Line, SourceId};
use crate::message::{LinkStatus, Phase, Status};
use crate::time::Duration;

const WIDTH: u32 = 128;

/// Each line of a long alarm stands so long: a short sentence is read in two seconds.
const LINE_STANDS: Duration = Duration::from_secs(2);

/// The bars' lower end: below this a line counts as silent to an eye.
const QUIET_DBFS: f64 = -60.0;

/// Below this pitch there is no room for a letter beside a link's bar.
const LETTER_PITCH: u32 = 16;

/// Draws the home screen; the target is expected dark.
///
/// # Errors
/// Those of the display.
pub fn home<D: DrawTarget<Color = BinaryColor>>(target: &mut D, status: &Status, lang: Lang) -> Result<(), D::Error> {
    headline(target, status, lang)?;
    figures(target, status, lang)?;
    for (line, x) in [(Line::A, 0), (Line::B, 66)] {
        level(target, status, line, Point::new(x, 26))?;
    }
    links(target, &status.links, Point::new(0, 38))?;
    draw::text(target, &verdict(status, lang), Point::new(0, 52), BinaryColor::On)
}

fn headline<D: DrawTarget<Color = BinaryColor>>(target: &mut D, status: &Status, lang: Lang) -> Result<(), D::Error> {
    let phase = match (status.phase, lang) {
        (Phase::Standby, Lang::Zh) => "待机",
        (Phase::Standby, Lang::En) => "READY",
        (Phase::Starting, Lang::Zh) => "开播中",
        (Phase::Starting, Lang::En) => "STARTING",
        (Phase::Live, Lang::Zh) => "直播中",
        (Phase::Live, Lang::En) => "ON AIR",
        (Phase::Stopping, Lang::Zh) => "停止中",
        (Phase::Stopping, Lang::En) => "STOPPING",
    };
    let alarms = match status.alarms.len() {
        0 => String::new(),
        count => format!("!{}", count.min(99)),
    };
    let seconds = (status.at - status.since).as_secs();
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let choices = [format!("{phase} {clock}"), clock];
    let room = WIDTH - 6 - draw::width(&alarms);
    // light ground on air, and only then: it is seen across a room
    let ink = if status.phase == Phase::Live {
        draw::fill(target, Rectangle::new(Point::zero(), Size::new(WIDTH, 13)))?;
        BinaryColor::Off
    } else {
        draw::fill(target, Rectangle::new(Point::new(0, 12), Size::new(WIDTH, 1)))?;
        BinaryColor::On
    };
    draw::text(target, draw::fitting(&choices, room), Point::new(2, 1), ink)?;
    draw::text(target, &alarms, right(&alarms, 126, 1), ink)
}

fn figures<D: DrawTarget<Color = BinaryColor>>(target: &mut D, status: &Status, lang: Lang) -> Result<(), D::Error> {
    let number = |n: Option<f64>| n.map_or("-".to_owned(), |n| format!("{n:.1}"));
    let whole = |n: Option<f64>| n.map_or("-".to_owned(), |n| format!("{n:.0}"));
    let programme = &status.programme;
    let rate = format!("{}/{}M", number(programme.bitrate.measured), number(programme.bitrate.wanted));
    let fps = format!("{}/{}", whole(programme.fps.measured), whole(programme.fps.wanted));
    let (name, slate) = match lang {
        Lang::Zh => ("码率 ", "垫片"),
        Lang::En => ("rate ", "SLATE"),
    };
    let last = if programme.slate { slate.to_owned() } else { fps };
    let room = WIDTH - 4 - draw::width(&last);
    draw::text(target, draw::fitting(&[format!("{name}{rate}"), rate], room), Point::new(0, 14), BinaryColor::On)?;
    draw::text(target, &last, right(&last, 128, 14), BinaryColor::On)
}

fn level<D: DrawTarget<Color = BinaryColor>>(
    target: &mut D,
    status: &Status,
    line: Line,
    at: Point,
) -> Result<(), D::Error> {
    let input = status.inputs.iter().find(|input| input.source == line.source());
    let ink = if status.programme.line == line {
        draw::fill(target, Rectangle::new(at, Size::new(9, 12)))?;
        BinaryColor::Off
    } else {
        BinaryColor::On
    };
    let name = if line.source() == SourceId::MixerA { "A" } else { "B" };
    draw::text(target, name, at + Point::new(2, 0), ink)?;
    let area = Rectangle::new(at + Point::new(12, 2), Size::new(48, 8));
    match input.filter(|input| input.present).and_then(|input| input.level) {
        Some(level) => draw::bar(target, area, 1.0 - level / QUIET_DBFS),
        // no frame: nothing comes that could have a level
        None => draw::fill(target, Rectangle::new(at + Point::new(12, 5), Size::new(48, 1))),
    }
}

fn links<D: DrawTarget<Color = BinaryColor>>(target: &mut D, links: &[LinkStatus], at: Point) -> Result<(), D::Error> {
    let pitch = WIDTH / u32::try_from(links.len().clamp(7, 16)).unwrap_or(7);
    let busiest = links.iter().map(|link| link.rate_mbit).fold(0.1, f64::max);
    for (index, link) in links.iter().take(16).enumerate() {
        let mut x = at.x + index as i32 * pitch as i32;
        let mut room = pitch - 2;
        if pitch >= LETTER_PITCH {
            let name = letter(&link.slot);
            draw::text(target, &name, Point::new(x, at.y), BinaryColor::On)?;
            x += 10;
            room -= 10;
        }
        let area = Rectangle::new(Point::new(x, at.y + 1), Size::new(room, 10));
        match link.phase {
            LinkPhase::Up => {
                let share = (link.rate_mbit / busiest).clamp(0.0, 1.0);
                let high = (share * 10.0).ceil().max(1.0) as u32;
                let top = Point::new(x, at.y + 11 - high as i32);
                draw::fill(target, Rectangle::new(top, Size::new(room, high)))?;
            }
            LinkPhase::Registering | LinkPhase::Probing => draw::outline(target, area)?,
            LinkPhase::Down | LinkPhase::Suspect => draw::cross(target, area)?,
        }
    }
    Ok(())
}

/// One letter or digit that tells a slot: `W` of `wired`, `3` of `lte3`.
fn letter(slot: &str) -> String {
    let last = slot.chars().next_back().filter(char::is_ascii_digit);
    last.or_else(|| slot.chars().next().map(|c| c.to_ascii_uppercase())).map(String::from).unwrap_or_default()
}

fn verdict(status: &Status, lang: Lang) -> String {
    let Some(worst) = status.alarms.first() else {
        let fine = match lang {
            Lang::Zh => "一切正常",
            Lang::En => "all in order",
        };
        return fine.to_owned();
    };
    let lines = draw::lines(worst.text.get(lang), WIDTH);
    let turn = status.at.as_millis() / LINE_STANDS.as_millis() as u64;
    let index = turn as usize % lines.len().max(1);
    lines.get(index).cloned().unwrap_or_default()
}

fn right(text: &str, edge: i32, y: i32) -> Point {
    Point::new(edge - draw::width(text) as i32, y)
}
