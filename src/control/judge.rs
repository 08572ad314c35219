//! Judge: what is wrong now, from what is known.
//!
//! Only that which this board has can be wrong with it; and where one fault explains others (no
//! link at all explains every silent one), only that one is named.

use std::time::Duration;

use super::known::Known;
use super::settings::Settings;
use crate::alarm::{AlarmKind, Book};
use crate::bond::LinkPhase;
use crate::bond::echo::Session;
use crate::health::{DISK_FREE, TEMPERATURE};
use crate::lang::{Text, said};
use crate::media::line::Fault;
use crate::media::picture::{PictureFault, PictureOf};
use crate::media::{Line, OutputId, SourceId};
use crate::message::{OutputState, Part, Phase, alarm_of};
use crate::record::StopCause;
use crate::time::Instant;

/// So long may links register and the SRT session open before their absence is a fault.
const GRACE: Duration = Duration::from_secs(8);

/// What the judgement hangs on, besides what is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    pub(super) born: Instant,
    pub(super) phase: Phase,
    pub(super) since: Instant,
    /// The links leave less than the least bitrate.
    pub(super) short: bool,
    pub(super) ending: bool,
    /// The programme went to this line by itself.
    pub(super) switched: Option<Line>,
    /// The line on air.
    pub(super) line: Line,
}

impl Scene {
    /// When patience with the links or the output ends.
    pub(super) fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let output = matches!(self.phase, Phase::Starting | Phase::Live).then(|| self.since + GRACE);
        [output, Some(self.born + GRACE)].into_iter().flatten().filter(|due| *due > now).min()
    }
}

/// Notes in the book what is wrong now and what is not.
pub(super) fn judge(now: Instant, book: &mut Book, settings: &Settings, known: &Known, scene: &Scene) {
    if scene.ending {
        return;
    }
    let mut note = |kind, subject: &str, wrong: Option<Text>| book.note(now, kind, subject, wrong);

    for source in SourceId::ALL.into_iter().filter(|s| settings.sources.contains(s)) {
        let input = known.inputs.get(&source);
        let detail = || input.map(|input| input.detail.clone()).unwrap_or_default();
        let gone = !input.is_some_and(|input| input.present);
        note(AlarmKind::SourceLost, source.name(), gone.then(detail));
    }

    for (name, wrong) in &known.slates {
        note(AlarmKind::SlateUnusable, name, wrong.clone());
    }
    let sources = settings.sources.iter().copied().filter(|source| source.is_picture());
    for of in sources.map(PictureOf::Source).chain([PictureOf::Programme]) {
        for fault in PictureFault::ALL {
            let wrong = known.pictures(of).iter().find(|finding| finding.fault == fault);
            note(alarm_of_picture(fault), of.name(), wrong.map(|finding| finding.detail.clone()));
        }
    }

    for line in Line::ALL.into_iter().filter(|line| settings.can_play(*line)) {
        // nobody minds a laptop without sound, as long as nobody listens to it
        let minded = line != Line::Embedded || scene.line == Line::Embedded;
        let present = minded && known.inputs.get(&line.source()).is_some_and(|input| input.present);
        for fault in Fault::ALL {
            // a line that gives nothing at all has its own alarm
            let wrong = present && known.findings(line).iter().any(|finding| finding.fault == fault);
            note(alarm_of(fault), line.source().name(), wrong.then(Text::default));
        }
        let moved = scene.switched == Some(line);
        note(AlarmKind::LineSwitched, line.source().name(), moved.then(Text::default));
    }

    let patient = now < scene.born + GRACE && !known.ever_connected;
    let no_links = !known.any_link(now) && !patient;
    for (slot, _) in &settings.uplinks {
        let uplink = known.uplinks.get(slot);
        let phase = known.link(now, slot).map(|link| link.phase);
        let interface = || Text::raw(uplink.and_then(|u| u.interface.as_deref()).unwrap_or_default());
        let usable = uplink.map_or(phase == Some(LinkPhase::Up), |u| u.usable());
        let routed = uplink.is_none_or(|u| u.default_route);
        let silent = matches!(phase, Some(LinkPhase::Suspect | LinkPhase::Registering));
        note(AlarmKind::UplinkDown, slot, (!usable).then(interface));
        note(AlarmKind::NoDefaultRoute, slot, (usable && !routed).then(interface));
        note(AlarmKind::LinkSilent, slot, (usable && routed && silent && !no_links).then(interface));
    }
    note(AlarmKind::NoLinks, "", no_links.then(Text::default));

    let late = match scene.phase {
        Phase::Live => true,
        Phase::Starting => now >= scene.since + GRACE,
        Phase::Standby | Phase::Stopping => false,
    };
    let closed = late && !known.output_open && !no_links;
    note(AlarmKind::OutputClosed, "", closed.then(|| known.output_why.clone()));

    let on_air = matches!(scene.phase, Phase::Starting | Phase::Live);
    // the gateway speaks of what it hears: before the first packets came through it has nothing to tell
    let far_end = known.far_end(now);
    let silent = settings.echo && late && known.output_open && far_end.is_none() && now >= scene.since + GRACE;
    note(AlarmKind::EchoSilent, "", (silent && !no_links).then(Text::default));
    for name in &known.destinations {
        let told = || far_end.iter().flat_map(|far| &far.streams).flat_map(|echo| &echo.destinations);
        let wrong = told().filter(|told| told.name == *name).find_map(|told| match told.session {
            Session::Open => None,
            Session::Waiting | Session::Broken => Some(said::session_waiting()),
            Session::Slow => Some(said::session_slow(told.dropped)),
        });
        note(AlarmKind::DestinationDown, name, wrong.filter(|_| late));
    }

    for (output, _) in settings.media.roads.all() {
        let (state, why) = known.outputs.state(output);
        let down = on_air && state == OutputState::Failed;
        note(AlarmKind::OutputDown, output.name(), down.then_some(why));
        note(AlarmKind::OutputElsewhere, output.name(), known.outputs.elsewhere(output).filter(|_| on_air));
    }
    for output in OutputId::ALL {
        note(AlarmKind::HoldFailed, output.name(), known.outputs.unheld.get(&output).cloned());
        note(AlarmKind::EncoderRefused, output.name(), known.outputs.encoder_trouble(now, output));
    }

    // before the session is open nothing is sent, and what the links carry is not yet known
    let short = on_air && known.output_open && scene.short && !no_links;
    note(AlarmKind::RateShort, "", short.then(Text::default));
    note(AlarmKind::BrokerLost, "", (settings.broker && !known.broker).then(|| known.broker_why.clone()));
    note(AlarmKind::PanelLost, "", known.panel_lost.clone());
    for part in Part::ALL {
        note(AlarmKind::PartFailed, part.name(), known.failed.get(&part).cloned());
    }
    note(AlarmKind::RecordDiskFull, "", known.recording.trouble(StopCause::DiskFull));
    note(AlarmKind::RecordFailed, "", known.recording.trouble(StopCause::Unwritable));
    note(AlarmKind::RecordGap, "", known.recording.gap(now));
    note(AlarmKind::RecordRemoved, "", known.recording.removed(now));
    note(AlarmKind::AgendaWrong, "", said::agenda_faults(&known.agenda_faults));
    let rejected = (!known.rejected.is_empty()).then(|| said::faults(&known.rejected));
    note(AlarmKind::ConfigRejected, "", rejected);

    let Some(sample) = &known.health else { return };
    let hot = sample.temperature.map(|t| t.0);
    let free = sample.disk_free_share();
    let was_hot = book.is_raised(AlarmKind::TooHot, "");
    let was_low = book.is_raised(AlarmKind::DiskLow, "");
    let words = hot.filter(|t| TEMPERATURE.too_high(*t, was_hot)).map(|t| Text::raw(format!("{t:.0} °C")));
    book.note(now, AlarmKind::TooHot, "", words);
    let words = free.filter(|f| DISK_FREE.too_low(*f, was_low)).map(|f| Text::raw(format!("{f:.0} %")));
    book.note(now, AlarmKind::DiskLow, "", words);
}

const fn alarm_of_picture(fault: PictureFault) -> AlarmKind {
    match fault {
        PictureFault::Black => AlarmKind::PictureBlack,
        PictureFault::Frozen => AlarmKind::PictureFrozen,
        PictureFault::NoSignal => AlarmKind::PictureNoSignal,
        PictureFault::Format => AlarmKind::PictureFormat,
        PictureFault::Damaged => AlarmKind::PictureDamaged,
    }
}
