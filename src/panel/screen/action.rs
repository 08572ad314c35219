//! Action: what is held, what waits for a second press, and what the panel says for a moment.

use super::agenda::{forbidden, speaker};
use super::outputs;
use super::picture::name;
use super::view::{View, letter};
use crate::lang::{Lang, Text};
use crate::media::{Layout, Line, OutputId, SourceId};
use crate::message::{OutputState, OutputStatus, Phase};
use crate::panel::page::{Band, Item, Page, Tone};
use crate::panel::words::Word;
use crate::time::Duration;

/// What a held key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::panel) enum Holding {
    Start,
    Stop,
    Lock,
    Unlock,
}

/// What a second press does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::panel) enum Armed {
    Audio(Line),
    /// This output feeds the programme's destination.
    Output(OutputId),
    Layout(Layout),
    /// The next speaker has begun, after the talk of this number; again takes it back.
    Spoken {
        from: u16,
    },
}

/// A key is held: what happens, and how far it is.
pub(in crate::panel) fn holding(view: &View<'_>, what: Holding, share: f64) -> Page {
    let (title, means) = match what {
        Holding::Start => (Word::HoldStart, Word::StartMeans),
        Holding::Stop => (Word::HoldStop, Word::StopMeans),
        Holding::Lock => (Word::HoldLock, Word::LockMeans),
        Holding::Unlock => (Word::HoldUnlock, Word::UnlockMeans),
    };
    let mut page = view.page("");
    page.head.right.clear();
    page.words(view.say(title), Tone::Warn);
    page.items.push(Item::Progress(share));
    page.items.push(Item::Ticker {
        text: format!("{}{}{}", view.say(means), comma(view.lang), view.say(Word::LetGoToCancel)),
        tone: Tone::Plain,
    });
    page.head.left = vec![super::home::home(view).head.left.first().cloned().unwrap_or_default()];
    page
}

/// Something waits for a second press: its consequence in words, all of it on one sheet.
pub(in crate::panel) fn armed(view: &View<'_>, what: Armed, left: Duration) -> Page {
    let seconds = (left.as_millis().div_ceil(1000)).to_string();
    let mut page = Page::titled("", Word::Seconds.fill(view.lang, &[&seconds]), view.band());
    match what {
        Armed::Audio(line) => {
            let name = letter(line).to_string();
            page.head.left = [Word::SwapAudio, Word::SwapShort].map(|word| word.fill(view.lang, &[&name])).to_vec();
            swap(view, line, &mut page);
        }
        Armed::Output(output) => {
            let words = match output {
                OutputId::Backup => [Word::ToBackup, Word::ToBackupShort],
                _ => [Word::ToMain, Word::ToMainShort],
            };
            page.head.left = words.map(|word| view.say(word)).to_vec();
            switch(view, output, &mut page);
        }
        Armed::Layout(layout) => {
            page.head.left = [Word::ChangeLayout, Word::ChangeShort].map(|word| view.say(word)).to_vec();
            change(view, layout, &mut page);
        }
        Armed::Spoken { from } => {
            page.head.left = [Word::MarkedNow, Word::MarkedShort].map(|word| view.say(word)).to_vec();
            spoken(view, from, &mut page);
        }
    }
    page
}

fn swap(view: &View<'_>, to: Line, page: &mut Page) {
    let level = |line: Line| {
        let level = view.input(line).filter(|input| input.present).and_then(|input| input.level);
        let level = level.map_or_else(|| view.say(Word::Silent), |level| format!("{level:.0}dB"));
        format!("{} {level}", letter(line))
    };
    let silent = view.input(to).is_none_or(|input| !input.present);
    page.words(format!("{} > {}", level(view.status.programme.line), level(to)), Tone::Warn);
    let (means, tone) = if silent { (Word::SwapToSilence, Tone::Bad) } else { (Word::SwapMeans, Tone::Plain) };
    page.words(view.say(means), tone);
    page.words(view.say(Word::SwapDo), Tone::Plain);
    if view.lang == Lang::Zh {
        page.words(view.say(Word::AckCancels), Tone::Faint);
    }
}

fn switch(view: &View<'_>, to: OutputId, page: &mut Page) {
    let outputs = &view.status.outputs;
    let find = |name| outputs.iter().find(|output| output.name == name);
    let told = |output: Option<&OutputStatus>| {
        output.map_or("-".to_owned(), |output| {
            let rate = output.bitrate.measured.map_or("-".to_owned(), |rate| format!("{rate:.1}M"));
            format!("{} {rate}", view.say(outputs::name(output.name)))
        })
    };
    let from = outputs.iter().find(|output| output.active && output.name.can_be_active());
    page.words(format!("{} > {}", told(from), told(find(to))), Tone::Warn);
    let open = find(to).is_some_and(|output| output.state == OutputState::Open);
    let on_air = matches!(view.status.phase, Phase::Starting | Phase::Live);
    let (means, tone) = match (open || !on_air, find(OutputId::Programme)) {
        (_, None) => (Word::SwitchMarks, Tone::Plain),
        (true, Some(_)) => (Word::SwitchMeans, Tone::Plain),
        (false, Some(_)) => (Word::SwitchLoses, Tone::Bad),
    };
    page.words(view.say(means), tone);
    if view.lang == Lang::Zh {
        page.words(view.say(Word::BackupDo), Tone::Plain);
        page.words(view.say(Word::AckCancels), Tone::Faint);
    } else {
        page.line(view.say(Word::BackupDo), "ACK=cancel", Tone::Plain);
    }
}

fn change(view: &View<'_>, to: Layout, page: &mut Page) {
    let lost = SourceId::ALL
        .into_iter()
        .filter(|source| to.shows(*source))
        .any(|source| view.status.inputs.iter().any(|input| input.source == source && !input.present));
    let (means, tone) = if lost { (Word::LayoutToLost, Tone::Bad) } else { (Word::LayoutMeans, Tone::Plain) };
    let names = format!("{} > {}", view.say(name(view.status.programme.layout)), view.say(name(to)));
    page.words(names, Tone::Warn);
    page.words(view.say(means), tone);
    page.words(view.say(Word::LayoutDo), Tone::Plain);
    if view.lang == Lang::Zh {
        page.words(view.say(Word::AckCancels), Tone::Faint);
    }
}

/// Who speaks now; Status may not know it yet, then it is whom it calls the next one.
fn spoken(view: &View<'_>, from: u16, page: &mut Page) {
    let agenda = &view.status.agenda;
    let (talk, number) = if agenda.number == from {
        (agenda.next.as_ref(), from.saturating_add(1))
    } else {
        (agenda.now.as_ref(), agenda.number)
    };
    match talk {
        Some(talk) => {
            let name = speaker(view, talk, number);
            page.choices(vec![name], vec![format!("{number}/{}", agenda.talks)], Tone::Good);
            let forbidden = forbidden(view, talk);
            if !forbidden.is_empty() {
                page.words(forbidden, Tone::Warn);
            }
        }
        None if agenda.talks > 0 => page.words(view.say(Word::AfterLast), Tone::Warn),
        None => page.words(view.say(Word::NewSegment), Tone::Plain),
    }
    page.line(view.say(Word::MarkedUndo), view.say(Word::MarkedDone), Tone::Plain);
}

/// What the panel says for a moment.
pub(in crate::panel) fn notice(view: &View<'_>, text: &Text) -> Page {
    let mut page = super::home::home(view);
    page.items.clear();
    page.words(text.get(view.lang), Tone::Warn);
    page
}

/// Nothing was heard of the engine for so long: no daemon is needed to draw this.
pub(in crate::panel) fn silent(lang: Lang, since: Duration) -> Page {
    let seconds = since.as_secs().min(9999).to_string();
    let mut page = Page::titled("", "", Band::Dark);
    page.head.left = [Word::Restarting, Word::RestartingShort].map(|word| word.fill(lang, &[&seconds])).to_vec();
    page.words(Word::RestartMeans.get(lang), Tone::Plain);
    page
}

fn comma(lang: Lang) -> &'static str {
    if lang == Lang::Zh { "；" } else { "; " }
}
