//! Audio: the two mixer lines, and which one is on air.

use super::home::meters;
use super::view::{View, letter};
use crate::media::Line;
use crate::panel::page::{Item, Page, Tone};
use crate::panel::words::Word;

/// Both lines with level and detail.
pub(in crate::panel) fn audio(view: &View<'_>) -> Page {
    let mut page = view.page(view.say(Word::Audio));
    let mut lines = 0;
    for meter in meters(view) {
        lines += 1;
        let line = if meter.name == letter(Line::A) { Line::A } else { Line::B };
        let standing = if meter.live { Word::LineOnAir } else { Word::LineStandby };
        let (level, tone) = match meter.level {
            Some(level) => (format!("{level:.0} dBFS"), Tone::Plain),
            None => (view.say(Word::LineSilent), if meter.live { Tone::Bad } else { Tone::Warn }),
        };
        page.line(format!("{} {}", meter.name, view.say(standing)), level, tone);
        page.items.push(Item::Level(meter));
        let detail = view.input(line).map(|input| input.detail.get(view.lang)).unwrap_or_default();
        if !detail.is_empty() && detail.len() < 200 {
            page.words(detail, Tone::Faint);
        }
    }
    match lines {
        0 => page.words(view.say(Word::NoLines), Tone::Plain),
        1 => {}
        _ => page.words(view.say(Word::PressAudio), Tone::Faint),
    }
    page
}
