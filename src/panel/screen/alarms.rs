//! Alarms: what is wrong, since when, and what to do; worst first.

use super::view::{View, clock};
use crate::alarm::Severity;
use crate::panel::page::{Page, Tone};
use crate::panel::words::Word;

/// One alarm; the worst is number 0.
pub(in crate::panel) fn alarm(view: &View<'_>, index: usize) -> Page {
    let alarms = &view.status.alarms;
    let index = index.min(alarms.len().saturating_sub(1));
    let Some(alarm) = alarms.get(index) else {
        let mut page = view.page(view.say(Word::Alarms));
        page.words(view.say(Word::NoAlarms), Tone::Good);
        return page;
    };
    let grave = match alarm.severity {
        Severity::Critical => Word::Critical,
        Severity::Major => Word::Major,
        Severity::Minor => Word::Minor,
        Severity::Warning => Word::Warning,
    };
    let mut page = view.page("");
    let grave = view.say(grave);
    page.head.left = if alarms.len() > 1 { vec![format!("{grave} #{}", index + 1), grave] } else { vec![grave] };
    page.words(alarm.text.get(view.lang), Tone::Bad);
    page.words(alarm.advice.get(view.lang), Tone::Plain);
    page.line(view.say(Word::Stands), clock(view.now - alarm.since), Tone::Faint);
    let seen = if alarm.acknowledged { Word::Acknowledged } else { Word::PressAck };
    page.words(view.say(seen), Tone::Faint);
    page
}
