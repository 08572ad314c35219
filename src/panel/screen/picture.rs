//! Picture: how camera and slides share it, and whether they are there.

use super::view::View;
use crate::media::{Layout, SourceId};
use crate::panel::page::{Page, Tone};
use crate::panel::words::Word;

/// The layout on air and the sources.
pub(in crate::panel) fn picture(view: &View<'_>) -> Page {
    let mut page = view.page(view.say(Word::Picture));
    page.line(view.say(Word::Layout), view.say(name(view.status.programme.layout)), Tone::Plain);
    for input in view.status.inputs.iter().filter(|input| input.source.is_picture()) {
        let source = view.say(match input.source {
            SourceId::Camera => Word::Camera,
            SourceId::Camera2 => Word::Camera2,
            SourceId::Slides | SourceId::MixerA | SourceId::MixerB | SourceId::Embedded => Word::Slides,
        });
        let (standing, tone) = if input.present { (Word::Present, Tone::Good) } else { (Word::Absent, Tone::Bad) };
        page.line(source, view.say(standing), tone);
    }
    page.words(view.say(Word::PushToChange), Tone::Faint);
    page
}

/// The layout in words.
pub(in crate::panel) fn name(layout: Layout) -> Word {
    match layout {
        Layout::Camera => Word::LayoutCamera,
        Layout::Slides => Word::LayoutSlides,
        Layout::PictureInPicture => Word::LayoutPip,
        Layout::SideBySide => Word::LayoutSides,
        Layout::Camera2 => Word::LayoutCamera2,
        Layout::ThreeSplit => Word::LayoutThree,
    }
}
