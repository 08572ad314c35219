//! View: assembles Status from what is known; a setpoint is never shown as a measurement.

use std::collections::VecDeque;

use super::known::Known;
use super::ladder::Ladder;
use super::lifecycle::Lifecycle;
use super::outputs;
use super::rate::Rate;
use super::recording::{self, Recording};
use super::settings::Settings;
use super::show::Show;
use super::sound;
use crate::alarm::Book;
use crate::bond::LinkPhase;
use crate::event::{Floor, Talk, Tiers};
use crate::media::Line;
use crate::message::{
    AgendaStatus, AlarmLine, Event, InputStatus, Intent, LineFault, LineStatus, LinkStatus, MediaOrders, Programme,
    Reading, RecordingStatus, SoundStatus, Status, TalkStatus, Tally, TierStatus, Verdict,
};
use crate::time::{Instant, Timestamp};
use crate::units::Bitrate;

/// From this share of the wanted on, a rate counts as reached; jitter of one picture in a second.
const REACHED: f64 = 0.96;

/// Below this share it harms.
const HARMFUL: f64 = 0.8;

/// An encoder that sends so many times what it was told floods the links.
const FLOOD: f64 = 1.3;

/// Everything the view is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'c> {
    pub(super) settings: &'c Settings,
    pub(super) known: &'c Known,
    pub(super) lifecycle: &'c Lifecycle,
    pub(super) rate: &'c Rate,
    pub(super) book: &'c Book,
    pub(super) tally: Tally,
    pub(super) intent: &'c Intent,
    pub(super) floor: &'c Floor,
    pub(super) show: &'c Show,
    pub(super) tiers: &'c Tiers,
    pub(super) media: &'c MediaOrders,
    pub(super) ladder: &'c Ladder,
    pub(super) far_end: usize,
    pub(super) events: &'c VecDeque<Event>,
}

impl View<'_> {
    pub(super) fn status(&self, now: Instant, wall: Option<Timestamp>) -> Status {
        Status {
            at: now,
            wall,
            device: self.settings.device.clone(),
            phase: self.lifecycle.phase(),
            since: self.lifecycle.since(),
            programme: self.programme(now),
            tally: self.tally,
            recording: self.recording(now),
            agenda: self.agenda(now),
            inputs: self.inputs(now),
            sound: self.sound(now),
            outputs: outputs::status(now, &self.outputs()),
            reductions: self.ladder.status(),
            links: self.links(now),
            far_end: self.known.far_end(now),
            health: self.known.health.clone(),
            alarms: self.alarms(),
            events: self.events.iter().cloned().collect(),
        }
    }

    fn outputs(&self) -> outputs::Scene<'_> {
        outputs::Scene {
            settings: self.settings,
            known: self.known,
            intent: self.intent,
            media: self.media,
            far_end: self.far_end,
            phase: self.lifecycle.phase(),
            main: self.rate.stream(),
        }
    }

    fn recording(&self, now: Instant) -> RecordingStatus {
        let config = &self.settings.record;
        let wanted = Recording::wanted(self.intent, self.lifecycle.on_air(), config.when);
        self.known.recording.status(now, wanted, config, recording::label(self.floor, &self.settings.event))
    }

    fn agenda(&self, now: Instant) -> AgendaStatus {
        let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let talk = |talk: &Talk| TalkStatus {
            speaker: talk.speaker.clone(),
            title: talk.title.clone(),
            starts: talk.starts,
            ends: talk.ends,
            clock: talk.clock.clone(),
            allowed: talk.allowed,
        };
        let label = recording::label(self.floor, &self.settings.event);
        AgendaStatus {
            event: label.event,
            hall: label.hall,
            talks: count(self.floor.agenda().talks.len()),
            number: self.floor.now().map_or(0, |_| self.floor.step()),
            now: self.floor.now().map(talk),
            next: self.floor.next().map(talk),
            undo_until: self.floor.undo_until(now),
            faults: count(self.known.agenda_faults.len()),
            tier: self.tier(),
        }
    }

    fn sound(&self, now: Instant) -> SoundStatus {
        let stats = self.known.sound(now).copied().unwrap_or_default();
        let orders = &self.media.sound;
        let line = |line: Line| {
            let measured = stats.lines[line.index()];
            LineStatus {
                line,
                levels: measured.map(|m| m.levels),
                leads: measured.map(|m| m.leads).unwrap_or_default(),
                ppm: measured.and_then(|m| m.ppm),
                gain_db: orders.gain_of(line).as_db(),
                delay_ms: orders.delay[2 + line.index()].as_ms(),
                faults: self
                    .known
                    .findings(line)
                    .iter()
                    .map(|f| LineFault { fault: f.fault, since_s: f.since.as_secs_f64(), confidence: f.confidence })
                    .collect(),
            }
        };
        SoundStatus {
            lines: Line::ALL.into_iter().filter(|l| self.settings.can_play(*l)).map(line).collect(),
            programme: stats.programme,
            reduction_db: stats.reduction,
            mute: orders.mute,
            auto_switch: sound::auto(self.settings, &self.intent.sound),
            switched: self.intent.sound.switched,
            lag_ms: stats.lag_ms,
            wait_ms: stats.wait_ms,
            inverted: stats.inverted,
            lip_sync_running: orders.lip_sync,
            flashes: stats.flashes,
            lip_sync: stats.lip_sync,
            show: self.show.report().cloned(),
        }
    }

    fn tier(&self) -> Option<TierStatus> {
        let tier = self.tiers.tier(self.settings.event.tier)?;
        Some(TierStatus {
            name: tier.name().to_owned(),
            label_kbit: tier.label().as_kbps(),
            reference_kbit: tier.reference_rate().as_kbps(),
            measured_kbit: self.tiers.measured().map(Bitrate::as_kbps),
            ceiling_kbit: self.tiers.ceiling().map_or(0, Bitrate::as_kbps),
            proposed: self.tiers.proposed().map(|tier| tier.name().to_owned()),
        })
    }

    fn programme(&self, now: Instant) -> Programme {
        let measured = self.known.programme(now);
        // before the far end answered, the engine's rate is a guess and no measurement
        let group = self.known.group(now).filter(|group| group.connected);
        let (least, most) = self.rate.need();
        let bitrate =
            reading(measured.map(|m| m.bitrate.as_mbps()), self.rate.stream().as_mbps(), |share| match share {
                // a still picture needs less than it may have
                s if s > FLOOD => Verdict::Warn,
                s if s <= 0.0 => Verdict::Bad,
                _ => Verdict::Good,
            });
        let fps = reading(measured.map(|m| m.fps), self.settings.media.rate.as_f64(), |share| match share {
            s if s >= REACHED => Verdict::Good,
            s if s >= HARMFUL => Verdict::Warn,
            _ => Verdict::Bad,
        });
        let enough = least.as_mbps() / most.as_mbps();
        // a low rate is bad news only if more was tried: an easy picture asks the links for little
        let untried = group.is_some_and(|group| !group.limited);
        let safe_rate = reading(group.map(|g| g.target.as_mbps()), most.as_mbps(), |share| match share {
            s if s >= 1.0 || untried => Verdict::Good,
            s if s >= enough => Verdict::Warn,
            _ => Verdict::Bad,
        });
        Programme {
            layout: self.media.layout,
            line: self.media.line,
            slate: measured.is_some_and(|m| m.slate),
            slate_wanted: self.media.slate,
            which: self.media.which,
            encoder: self.known.encoder,
            bitrate,
            fps,
            safe_rate,
            output_open: self.known.output_open,
        }
    }

    fn inputs(&self, now: Instant) -> Vec<InputStatus> {
        let line = |source| {
            let input = self.known.inputs.get(&source).cloned().unwrap_or_default();
            let level = self.known.level(now, source).filter(|_| input.present).map(|level| level.0);
            InputStatus { source, present: input.present, detail: input.detail, level }
        };
        self.settings.sources.iter().copied().map(line).collect()
    }

    fn links(&self, now: Instant) -> Vec<LinkStatus> {
        let line = |(slot, metered): &(String, bool)| {
            let uplink = self.known.uplinks.get(slot);
            let link = self.known.link(now, slot);
            LinkStatus {
                slot: slot.clone(),
                metered: *metered,
                interface: uplink.and_then(|u| u.interface.clone()),
                address: uplink.and_then(|u| u.address).map(|address| address.to_string()),
                carrier: uplink.is_some_and(|u| u.usable()),
                phase: link.map_or(LinkPhase::Down, |l| l.phase),
                rtt_ms: link.and_then(|l| l.rtt).map(|rtt| rtt.as_secs_f64() * 1e3),
                loss: link.map_or(0.0, |l| l.loss),
                rate_mbit: link.map_or(0.0, |l| l.rate.as_mbps()),
                capacity_mbit: link.map_or(0.0, |l| l.capacity.as_mbps()),
                sent_bytes: link.map_or(0, |l| l.sent_bytes),
            }
        };
        self.settings.uplinks.iter().map(line).collect()
    }

    fn alarms(&self) -> Vec<AlarmLine> {
        let on_air = self.lifecycle.on_air();
        let mut lines: Vec<_> = self
            .book
            .raised()
            .map(|entry| AlarmLine {
                kind: entry.kind,
                severity: entry.kind.severity(on_air),
                since: entry.since,
                text: entry.kind.text(&entry.subject, &entry.detail),
                advice: entry.kind.advice(&entry.subject, &entry.detail),
                acknowledged: entry.acknowledged,
                subject: entry.subject,
            })
            .collect();
        lines.sort_by_key(|line| (line.severity, line.since));
        lines
    }
}

pub(super) fn reading(measured: Option<f64>, wanted: f64, judge: impl FnOnce(f64) -> Verdict) -> Reading {
    let verdict = match measured {
        Some(measured) if wanted > 0.0 => judge(measured / wanted),
        _ => Verdict::Unknown,
    };
    Reading { measured, wanted: Some(wanted), verdict }
}
