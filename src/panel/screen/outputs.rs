//! Outputs: the ways out, which one feeds the programme's destination, and what was given up.

use super::view::{View, sign, tenth, tone, whole};
use crate::media::OutputId;
use crate::message::{OutputState, OutputStatus};
use crate::panel::page::{Item, Page, Tone};
use crate::panel::sheet::Format;
use crate::panel::words::Word;

/// Every output that is set up.
pub(in crate::panel) fn outputs(view: &View<'_>) -> Page {
    let status = view.status;
    let active = status.outputs.iter().find(|output| output.active && output.name.can_be_active());
    let mut page = view.page("");
    let title = view.say(Word::Outputs);
    page.head.left = match active {
        Some(output) => vec![format!("{title} {}", view.say(name(output.name))), title],
        None => vec![title],
    };
    if status.outputs.is_empty() {
        page.words(view.say(Word::NoOutputs), Tone::Faint);
    }
    page.items.extend(status.outputs.iter().map(|output| told(view, output)));
    for reduction in &status.reductions {
        let what = match reduction.what.as_str() {
            "preview" => view.say(Word::PreviewStream),
            "upload" => view.say(Word::Upload),
            "slides" => view.say(Word::Slides),
            "backup" => view.say(Word::Backup),
            "main" => view.say(Word::Main),
            other => other.to_owned(),
        };
        page.words(Word::GivenUp.fill(view.lang, &[&what]), Tone::Warn);
    }
    let backup = status.outputs.iter().any(|output| output.name == OutputId::Backup);
    if backup && view.format == Format::Colour {
        page.words(view.say(Word::PressBackup), Tone::Faint);
    }
    page
}

/// One output: how it leaves, whether it does, and what holds it back.
fn told(view: &View<'_>, output: &OutputStatus) -> Item {
    let mark = if output.active && output.name.can_be_active() { ">" } else { "" };
    let label = format!("{mark}{}", view.say(name(output.name)));
    let scheme = output.scheme.name().to_ascii_uppercase();
    let (state, shade) = match output.state {
        OutputState::Idle => (Word::OutputIdle, Tone::Faint),
        OutputState::Opening => (Word::OutputOpening, Tone::Warn),
        OutputState::Open => (Word::OutputOpen, tone(output.bitrate.verdict)),
        OutputState::Failed => (Word::OutputFailed, Tone::Bad),
        OutputState::Reduced => (Word::OutputReduced, Tone::Warn),
    };
    let state = view.say(state);
    let rate = match output.bitrate.wanted {
        Some(_) => format!(
            "{}/{}M{}",
            tenth(output.bitrate.measured),
            tenth(output.bitrate.wanted),
            sign(output.bitrate.verdict)
        ),
        None => format!("{}M", tenth(output.bitrate.measured)),
    };
    let right = if output.state == OutputState::Open { vec![format!("{state} {rate}"), rate] } else { vec![state] };
    let mut items = vec![Item::Line { left: vec![format!("{label} {scheme}"), label], right, tone: shade }];
    if !output.why.is_empty() {
        items.push(Item::Words { text: output.why.get(view.lang).to_owned(), tone: Tone::Bad });
    }
    if output.dumped {
        items.push(Item::Words { text: view.say(Word::Dumped), tone: Tone::Bad });
    }
    if [output.delay.measured, output.delay.wanted].into_iter().flatten().any(|seconds| seconds >= 0.5) {
        let held = format!("{}/{} s", whole(output.delay.measured), whole(output.delay.wanted));
        items.push(Item::Line {
            left: vec![view.say(Word::DelayIs)],
            right: vec![held],
            tone: tone(output.delay.verdict),
        });
    }
    Item::Together(items)
}

/// The output in words.
pub(super) const fn name(output: OutputId) -> Word {
    match output {
        OutputId::Main => Word::Main,
        OutputId::Backup => Word::Backup,
        OutputId::Programme => Word::Programme,
        OutputId::Camera => Word::Camera,
        OutputId::Slides => Word::Slides,
    }
}
