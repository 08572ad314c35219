//! Agenda: who speaks now, who is next, and what they allow.

use super::view::View;
use crate::message::TalkStatus;
use crate::panel::page::{Item, Page, Tone};
use crate::panel::sheet::Format;
use crate::panel::words::Word;

/// Now and next.
pub(in crate::panel) fn agenda(view: &View<'_>) -> Page {
    let agenda = &view.status.agenda;
    let mut page = view.page("");
    let count = format!("{}/{}", agenda.number, agenda.talks);
    page.head.left = vec![format!("{} {count}", view.say(Word::Agenda)), count];
    if agenda.talks == 0 {
        page.head.left = vec![view.say(Word::Agenda)];
        page.words(view.say(Word::NoAgendaFile), Tone::Plain);
        return page;
    }
    page.lead = true;
    match (&agenda.now, &agenda.next) {
        (Some(talk), _) => page.items.push(told(view, Word::Now, talk, agenda.number)),
        (None, Some(_)) => page.line(view.say(Word::Now), view.say(Word::BeforeFirst), Tone::Plain),
        (None, None) => page.line(view.say(Word::Now), view.say(Word::AfterLast), Tone::Plain),
    }
    if let Some(talk) = &agenda.next {
        let number = if agenda.now.is_some() { agenda.number.saturating_add(1) } else { 1 };
        page.items.push(told(view, Word::Then, talk, number));
    }
    if view.format == Format::Colour {
        page.words(view.say(Word::PressNext), Tone::Faint);
    }
    page
}

/// One talk: who, about what, when, and what is not allowed.
fn told(view: &View<'_>, when: Word, talk: &TalkStatus, number: u16) -> Item {
    let name = speaker(view, talk, number);
    let clock = clock(talk);
    let begins = clock.split('-').next().unwrap_or_default().to_owned();
    let tone = if when == Word::Now { Tone::Good } else { Tone::Plain };
    let mut items =
        vec![Item::Line { left: vec![format!("{} {name}", view.say(when))], right: vec![clock, begins], tone }];
    if !talk.title.is_empty() && shows(view, &talk.title) {
        items.push(Item::Words { text: talk.title.clone(), tone: Tone::Plain });
    }
    let forbidden = forbidden(view, talk);
    if !forbidden.is_empty() {
        items.push(Item::Words { text: forbidden, tone: Tone::Warn });
    }
    Item::Together(items)
}

/// Who speaks; a display that cannot show the name says which talk it is.
pub(super) fn speaker(view: &View<'_>, talk: &TalkStatus, number: u16) -> String {
    if !talk.speaker.is_empty() && shows(view, &talk.speaker) {
        talk.speaker.clone()
    } else {
        Word::Talk.fill(view.lang, &[&number.to_string()])
    }
}

/// `09:30-10:15`, with a sign that every display has.
pub(super) fn clock(talk: &TalkStatus) -> String {
    talk.clock.replace('\u{2013}', "-")
}

/// What the speaker does not allow.
pub(super) fn forbidden(view: &View<'_>, talk: &TalkStatus) -> String {
    let allowed = talk.allowed;
    let words =
        [(allowed.record, Word::NoRecord), (allowed.stream, Word::NoStream), (allowed.publish, Word::NoPublish)];
    let words: Vec<_> = words.into_iter().filter(|(allowed, _)| !allowed).map(|(_, word)| view.say(word)).collect();
    words.join(if view.lang == crate::lang::Lang::Zh { "、" } else { ", " })
}

fn shows(view: &View<'_>, text: &str) -> bool {
    view.format != Format::Characters || text.is_ascii()
}
