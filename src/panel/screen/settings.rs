//! Settings: the few that the panel may turn. None of them touches the live.

use super::view::View;
use crate::panel::page::{Page, Tone};
use crate::panel::sheet::Format;
use crate::panel::words::Word;

/// A setting that the panel may turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::panel) enum Setting {
    Language,
    Buzzer,
    Brightness,
}

impl Setting {
    /// All of them, from the top.
    pub(in crate::panel) const ALL: [Self; 3] = [Self::Language, Self::Buzzer, Self::Brightness];
}

/// The settings; on the second level one of them is chosen.
pub(in crate::panel) fn settings(view: &View<'_>, chosen: Option<usize>) -> Page {
    let mut page = view.page(view.say(Word::Settings));
    for (index, setting) in Setting::ALL.into_iter().enumerate() {
        let (name, value) = match setting {
            Setting::Language => (Word::Language, view.say(Word::LanguageName)),
            Setting::Buzzer => (Word::Buzzer, view.say(if view.memory.buzzer { Word::On } else { Word::Off })),
            Setting::Brightness => (Word::Brightness, view.memory.brightness.to_string()),
        };
        let mark = if chosen == Some(index) { ">" } else { "" };
        let tone = if chosen == Some(index) { Tone::Warn } else { Tone::Plain };
        page.line(format!("{mark}{}", view.say(name)), value, tone);
    }
    // a display of characters has no room for a hint, and one that takes turns with what is chosen confuses
    if view.format != Format::Characters {
        page.words(view.say(if chosen.is_none() { Word::PushToEnter } else { Word::PushToSet }), Tone::Faint);
    }
    page
}
