//! Home: live or not, measured beside wanted, levels, links, and what is worst.

use super::agenda;
use super::links::pips;
use super::view::{View, clock, letter, sign, tenth, tone, whole};
use crate::media::Line;
use crate::message::Phase;
use crate::panel::page::{Head, Item, Meter, Page, Tone};
use crate::panel::sheet::Format;
use crate::panel::words::Word;

/// The home screen.
pub(in crate::panel) fn home(view: &View<'_>) -> Page {
    let status = view.status;
    let phase = match status.phase {
        Phase::Standby => Word::Standby,
        Phase::Starting => Word::Starting,
        Phase::Live => Word::Live,
        Phase::Stopping => Word::Stopping,
    };
    let (phase, clock) = (view.say(phase), clock(view.now - status.since));
    let long = format!("{phase} {clock}");
    let left = match status.phase {
        Phase::Live => vec![long, format!("{} {clock}", view.say(Word::OnAirMark)), clock],
        _ => vec![long, phase],
    };
    let head = Head { left, right: view.flags(true), band: view.band() };
    let mut page = Page { head, ..Page::default() };

    let programme = &status.programme;
    let rate = format!(
        "{}/{}M{}",
        tenth(programme.bitrate.measured),
        tenth(programme.bitrate.wanted),
        sign(programme.bitrate.verdict)
    );
    let fps = |wanted: &str| format!("{}{wanted}f{}", whole(programme.fps.measured), sign(programme.fps.verdict));
    let last = if programme.slate || view.slate {
        vec![view.say(Word::SlateMark)]
    } else {
        vec![fps(&format!("/{}", whole(programme.fps.wanted))), fps("")]
    };
    let record = record(view);
    let last = last.into_iter().map(|form| format!("{form}{record}")).collect();
    let tone = if programme.slate { Tone::Warn } else { tone(programme.bitrate.verdict) };
    page.choices(vec![rate], last, tone);

    page.items.push(Item::Signals { meters: meters(view), pips: pips(&status.links) });
    let quiet = status.alarms.is_empty() && !view.slate && !programme.slate;
    if let Some(talk) = status.agenda.now.as_ref().filter(|_| quiet && view.format == Format::Colour) {
        let name = agenda::speaker(view, talk, status.agenda.number);
        page.line(name, agenda::clock(talk), Tone::Plain);
    }
    let (text, tone) = verdict(view);
    page.items.push(Item::Ticker { text, tone });
    page
}

/// Recording, or not though it should be.
fn record(view: &View<'_>) -> String {
    let recording = &view.status.recording;
    match (recording.running, recording.wanted && recording.label.allowed.record) {
        (true, _) => format!(" {}", view.say(Word::Rec)),
        (false, true) => format!(" {}!", view.say(Word::Rec)),
        (false, false) => String::new(),
    }
}

/// The mixer lines of the board.
pub(super) fn meters(view: &View<'_>) -> Vec<Meter> {
    Line::ALL
        .into_iter()
        .filter_map(|line| {
            let input = view.input(line)?;
            let level = input.level.filter(|_| input.present);
            Some(Meter { name: letter(line), level, live: view.status.programme.line == line })
        })
        .collect()
}

/// The one sentence that matters most now.
fn verdict(view: &View<'_>) -> (String, Tone) {
    let status = view.status;
    if let Some(worst) = status.alarms.first() {
        return (worst.text.get(view.lang).to_owned(), Tone::Bad);
    }
    if view.slate {
        return (view.say(Word::SlateOnAir), Tone::Warn);
    }
    if status.programme.slate && !status.programme.slate_wanted {
        return (view.say(Word::SlateForLost), Tone::Warn);
    }
    match status.phase {
        Phase::Live if !status.programme.output_open => (view.say(Word::FarEndSilent), Tone::Bad),
        Phase::Standby => (view.say(Word::HoldToStart), Tone::Plain),
        // where the talk has no row of its own
        Phase::Live if view.format != Format::Colour && status.agenda.now.is_some() => {
            let name = status.agenda.now.as_ref().map(|talk| agenda::speaker(view, talk, status.agenda.number));
            (format!("{} {}", view.say(Word::Now), name.unwrap_or_default()), Tone::Plain)
        }
        _ => (view.say(Word::Fine), Tone::Good),
    }
}
