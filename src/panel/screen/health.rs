//! Health: the recording, room on the disk, load, temperature; each beside what it should be.

use super::view::{View, clock, tone, whole};
use crate::health::{CPU, DISK_FREE, Limit, MEMORY, TEMPERATURE};
use crate::panel::page::{Page, Tone};
use crate::panel::words::Word;

/// The machine as it was measured last.
pub(in crate::panel) fn health(view: &View<'_>) -> Page {
    let mut page = view.page(view.say(Word::Health));
    recorded(view, &mut page);
    let Some(sample) = &view.status.health else {
        page.words(view.say(Word::NotMeasured), Tone::Faint);
        return page;
    };
    let least = |value: f64, limit: Limit| match value {
        v if v < limit.harmful => Tone::Bad,
        v if v < limit.wanted => Tone::Warn,
        _ => Tone::Good,
    };
    let most = |value: f64, limit: Limit| match value {
        v if v > limit.harmful => Tone::Bad,
        v if v > limit.wanted => Tone::Warn,
        _ => Tone::Good,
    };
    let room = format!("{:.1} GB", sample.disk_free.0 as f64 / 1e9);
    match sample.disk_free_share() {
        Some(share) => {
            let long = format!("{room} {share:.0}/{:.0}%", DISK_FREE.wanted);
            let short = format!("{share:.0}/{:.0}%", DISK_FREE.wanted);
            page.choices(vec![view.say(Word::DiskFree)], vec![long, short], least(share, DISK_FREE));
        }
        None => page.line(view.say(Word::DiskFree), room, Tone::Plain),
    }
    let cpu = format!("{:.0}/{:.0} %", sample.cpu.0, CPU.wanted);
    page.line(view.say(Word::Cpu), cpu, most(sample.cpu.0, CPU));
    let hottest = sample.temperature.map_or("-".to_owned(), |t| format!("{:.0}/{:.0} C", t.0, TEMPERATURE.wanted));
    page.line(view.say(Word::Hottest), hottest, sample.temperature.map_or(Tone::Faint, |t| most(t.0, TEMPERATURE)));
    let memory = format!("{:.0}/{:.0} %", sample.memory.0, MEMORY.wanted);
    page.line(view.say(Word::Memory), memory, most(sample.memory.0, MEMORY));
    let (hours, minutes) = ((sample.uptime / 3600).to_string(), (sample.uptime / 60 % 60).to_string());
    page.line(view.say(Word::Uptime), Word::Hours.fill(view.lang, &[&hours, &minutes]), Tone::Plain);
    if let Some(encoder) = view.status.programme.encoder {
        page.line(view.say(Word::Encoder), encoder.name(), Tone::Plain);
    }
    page.line(view.say(Word::Firmware), env!("CARGO_PKG_VERSION"), Tone::Faint);
    page
}

/// What goes to the disk now, and for how long there is room.
fn recorded(view: &View<'_>, page: &mut Page) {
    let recording = &view.status.recording;
    let (text, tone_) = match (recording.running, recording.wanted) {
        (true, _) => (recording.since.map_or_else(|| view.say(Word::On), |since| clock(view.now - since)), Tone::Good),
        (false, true) if !recording.label.allowed.record => (view.say(Word::NotAllowed), Tone::Warn),
        (false, true) => (view.say(Word::RecordingFails), Tone::Bad),
        (false, false) => (view.say(Word::NotRecording), Tone::Plain),
    };
    page.line(view.say(Word::Recording), text, tone_);
    if let Some(trouble) = &recording.trouble {
        page.words(trouble.get(view.lang), Tone::Bad);
    }
    if recording.room_min.measured.is_some() {
        let figures = [whole(recording.room_min.measured), whole(recording.room_min.wanted)];
        let room = Word::Minutes.fill(view.lang, &[&figures[0], &figures[1]]);
        page.line(view.say(Word::RoomLeft), room, tone(recording.room_min.verdict));
    }
    if recording.segments > 0 {
        page.line(view.say(Word::Segments), recording.segments.to_string(), Tone::Plain);
    }
}
