//! Audio: both mixer lines and the programme, each with its peaks and its loudness.

use super::view::{View, letter, tenth, whole};
use crate::media::Line;
use crate::media::line::Fault;
use crate::media::meter::Levels;
use crate::message::LineStatus;
use crate::panel::page::{Item, Meter, Page, Tone};
use crate::panel::sheet::Format;
use crate::panel::words::Word;

/// Both lines and the programme, as they were measured in the last tenth of a second.
pub(in crate::panel) fn audio(view: &View<'_>) -> Page {
    let mut page = view.page(view.say(Word::Audio));
    let there: Vec<_> = Line::ALL.into_iter().filter(|line| view.input(*line).is_some()).collect();
    page.items.extend(there.iter().map(|line| of_line(view, *line)));
    if there.is_empty() {
        page.words(view.say(Word::NoLines), Tone::Plain);
        return page;
    }
    let sound = &view.status.sound;
    if sound.mute {
        page.words(view.say(Word::Muted), Tone::Bad);
    }
    if let Some(levels) = &sound.programme {
        page.items.push(programme(view, levels));
    }
    if there.len() > 1 && sound.switched {
        page.words(view.say(Word::SwitchedAway), Tone::Warn);
    } else if there.len() > 1 && view.format == Format::Colour {
        page.words(view.say(Word::PressAudio), Tone::Faint);
    }
    page
}

/// One line: where it stands, its levels, what is wrong with it.
fn of_line(view: &View<'_>, line: Line) -> Item {
    let live = view.status.programme.line == line;
    let name = letter(line);
    let input = view.input(line).filter(|input| input.present);
    let known = view.status.sound.lines.iter().find(|known| known.line == line);
    let levels = known.and_then(|known| known.levels).filter(|_| input.is_some());
    let peak = levels.map(|levels| levels.peak.0).or(input.and_then(|input| input.level));

    let standing = view.say(if live { Word::LineOnAir } else { Word::LineStandby });
    let left = vec![format!("{name} {standing}"), name.to_string()];
    let (right, tone) = match (levels, peak) {
        (Some(levels), _) => (peaks(view, &levels), Tone::Plain),
        (None, Some(peak)) => (vec![format!("{peak:.0} dBFS")], Tone::Plain),
        (None, None) => (vec![view.say(Word::LineSilent)], if live { Tone::Bad } else { Tone::Warn }),
    };
    let meter = Meter { name, level: peak, live };
    let note = levels.map(|levels| loudness(view, levels.short_term)).unwrap_or_default();
    let mut items = vec![Item::Line { left, right, tone }, Item::Level { meter, note }];
    if let Some(known) = known {
        items.extend(faults(view, known, live));
    }
    Item::Together(items)
}

/// What is wrong with a line; a display of characters says as well that nothing is.
fn faults(view: &View<'_>, line: &LineStatus, live: bool) -> Option<Item> {
    let words: Vec<_> = line.faults.iter().map(|fault| view.say(word(fault.fault))).collect();
    let text = words.join(if view.lang == crate::lang::Lang::Zh { "、" } else { ", " });
    match (text.is_empty(), view.format) {
        (false, _) => {
            let harms = live && line.faults.iter().any(|fault| fault.fault.harms());
            Some(Item::Words { text, tone: if harms { Tone::Bad } else { Tone::Warn } })
        }
        (true, Format::Characters) if line.levels.is_some() => {
            Some(Item::Words { text: view.say(Word::LineFine), tone: Tone::Good })
        }
        _ => None,
    }
}

/// What viewers hear.
fn programme(view: &View<'_>, levels: &Levels) -> Item {
    let meter = Meter { name: 'P', level: Some(levels.peak.0), live: true };
    let (now, all) = (tenth(levels.short_term), tenth(levels.integrated));
    let long = Word::Loudness.fill(view.lang, &[&now, &all]);
    let short = Word::LoudnessShort.fill(view.lang, &[&tenth(levels.momentary), &all]);
    Item::Together(vec![
        Item::Line { left: vec![view.say(Word::Programme)], right: peaks(view, levels), tone: Tone::Plain },
        Item::Level { meter, note: loudness(view, levels.short_term) },
        Item::Line { left: vec![long, short], right: Vec::new(), tone: Tone::Plain },
    ])
}

/// Sample peak and true peak, from the longest form to the shortest.
fn peaks(view: &View<'_>, levels: &Levels) -> Vec<String> {
    let (peak, top) = (levels.peak.0, levels.true_peak.0);
    let (fine, coarse) = ([tenth(Some(peak)), tenth(Some(top))], [whole(Some(peak)), whole(Some(top))]);
    [(Word::Peaks, &fine), (Word::PeaksShort, &fine), (Word::PeaksShort, &coarse)]
        .map(|(word, figures)| word.fill(view.lang, &[&figures[0], &figures[1]]))
        .to_vec()
}

fn loudness(view: &View<'_>, lufs: Option<f64>) -> String {
    Word::ShortTerm.fill(view.lang, &[&tenth(lufs)])
}

const fn word(fault: Fault) -> Word {
    match fault {
        Fault::Unplugged => Word::Unplugged,
        Fault::Silent => Word::SilentLine,
        Fault::DeadChannel => Word::DeadChannel,
        Fault::Clipping => Word::Clipping,
        Fault::DcOffset => Word::DcOffset,
        Fault::Hum => Word::Hum,
        Fault::MicLevel => Word::MicLevel,
        Fault::Polarity => Word::Polarity,
        Fault::Howl => Word::Howl,
        Fault::Glitches => Word::Glitches,
    }
}
