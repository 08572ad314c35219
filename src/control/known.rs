//! Known: what the parts have said last, and how old it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::outputs::Outputs;
use super::recording::Recording;
use crate::bond::echo::Echo;
use crate::bond::{GroupStats, LinkPhase, LinkStats};
use crate::health::Sample;
use crate::lang::Text;
use crate::media::line::{Finding, SoundStats};
use crate::media::picture::{PictureFinding, PictureOf};
use crate::media::{EncoderKind, Line, SourceId};
use crate::message::{FarEnd, Part, What};
use crate::time::Instant;
use crate::units::{Bitrate, Dbfs};
use crate::uplink::Uplink;

/// A measurement older than this is not shown as present: three of the slowest ones (once a second).
pub(super) const FRESH: Duration = Duration::from_secs(3);

/// Destinations remembered by name, so that the alarm about one ends when it is told of no more.
const DESTINATIONS: usize = 64;

/// What a source said last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Input {
    pub(super) present: bool,
    pub(super) detail: Text,
}

/// What the running programme measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub(super) fps: f64,
    pub(super) bitrate: Bitrate,
    pub(super) slate: bool,
}

/// Everything that was said last.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) inputs: BTreeMap<SourceId, Input>,
    pub(super) uplinks: BTreeMap<String, Uplink>,
    pub(super) encoder: Option<EncoderKind>,
    pub(super) output_open: bool,
    /// libsrt's words when the output was not open.
    pub(super) output_why: Text,
    pub(super) broker: bool,
    /// Why the broker is away.
    pub(super) broker_why: Text,
    /// The panel's words, if it is gone.
    pub(super) panel_lost: Option<Text>,
    pub(super) failed: BTreeMap<Part, Text>,
    pub(super) rejected: Vec<String>,
    pub(super) health: Option<Sample>,
    pub(super) ever_connected: bool,
    pub(super) recording: Recording,
    pub(super) outputs: Outputs,
    pub(super) agenda_faults: Vec<Text>,
    programme: Option<(Instant, Measured)>,
    levels: Option<(Instant, [Option<Dbfs>; 2])>,
    sound: Option<(Instant, SoundStats)>,
    findings: [Vec<Finding>; 3],
    pictures: BTreeMap<PictureOf, Vec<PictureFinding>>,
    /// Every slate's file that was looked at, and what is wrong with it.
    pub(super) slates: BTreeMap<&'static str, Option<Text>>,
    group: Option<(Instant, GroupStats)>,
    /// Every destination that the gateway ever named.
    pub(super) destinations: BTreeSet<String>,
    /// The echo of each stream, by its number, and when it was heard.
    echoes: BTreeMap<u8, (Instant, Echo)>,
}

impl Known {
    pub(super) fn note(&mut self, now: Instant, part: Part, what: &What) {
        match what {
            What::SourceArrived { source, detail } => {
                self.inputs.insert(*source, Input { present: true, detail: detail.clone() });
            }
            What::SourceLost { source, detail, .. } => {
                self.inputs.insert(*source, Input { present: false, detail: detail.clone() });
            }
            What::EncoderChosen { kind } => self.encoder = Some(*kind),
            What::ProgrammeMeasured { fps, bitrate, slate, .. } => {
                self.programme = Some((now, Measured { fps: *fps, bitrate: *bitrate, slate: *slate }));
            }
            What::AudioMeasured { a, b } => self.levels = Some((now, [*a, *b])),
            What::SoundMeasured(stats) => self.sound = Some((now, *stats)),
            What::LineJudged { line, findings } => self.findings[line.index()].clone_from(findings),
            What::SlateJudged { name, wrong } => {
                self.slates.insert(name, wrong.clone());
            }
            What::PictureJudged { of, findings } => {
                self.pictures.insert(*of, findings.clone());
            }
            What::OutputOpened => {
                self.output_open = true;
                self.output_why = Text::default();
            }
            What::OutputClosed { why } => {
                self.output_open = false;
                self.output_why.clone_from(why);
            }
            What::GroupMeasured(stats) => {
                self.ever_connected |= stats.connected;
                self.group = Some((now, stats.clone()));
            }
            What::EchoHeard(echo) => {
                for destination in echo.destinations.iter().take(DESTINATIONS.saturating_sub(self.destinations.len())) {
                    self.destinations.insert(destination.name.clone());
                }
                self.echoes.insert(echo.stream, (now, echo.clone()));
            }
            What::UplinkChanged(uplink) => {
                self.uplinks.insert(uplink.slot.clone(), uplink.clone());
            }
            What::Sampled(sample) => self.health = Some(sample.clone()),
            What::BrokerConnected => {
                self.broker = true;
                self.broker_why = Text::default();
            }
            What::BrokerLost { why } => {
                self.broker = false;
                self.broker_why.clone_from(why);
            }
            What::PanelChanged { present, detail } => self.panel_lost = (!present).then(|| detail.clone()),
            What::ConfigRejected { faults } => self.rejected.clone_from(faults),
            What::SegmentOpened { .. }
            | What::SegmentRenamed { .. }
            | What::SegmentClosed(_)
            | What::SegmentRemoved { .. }
            | What::RecordingMeasured { .. }
            | What::RecordingGap { .. }
            | What::RecordingStopped { .. } => self.recording.note(now, what),
            What::DestinationChanged { .. }
            | What::OutputMeasured { .. }
            | What::HoldFailed { .. }
            | What::EncoderFailed { .. }
            | What::SlideChanged { .. } => self.outputs.note(now, what),
            What::AgendaRead { faults, .. } => self.agenda_faults.clone_from(faults),
            What::PartStarted => {
                self.failed.remove(&part);
            }
            What::PartEnded { why } => {
                self.failed.insert(part, why.clone());
                self.forget(part);
            }
        }
    }

    /// What an ended part measured holds no longer.
    fn forget(&mut self, part: Part) {
        match part {
            Part::Media => {
                self.output_open = false;
                self.outputs.forget();
                self.programme = None;
                self.levels = None;
                self.sound = None;
                self.findings = Default::default();
                self.pictures.clear();
                for input in self.inputs.values_mut() {
                    input.present = false;
                }
            }
            Part::Bond => {
                self.group = None;
                self.echoes.clear();
            }
            Part::Mqtt => self.broker = false,
            Part::Health => self.health = None,
            Part::Record => self.recording.forget(),
            Part::Event | Part::Uplink | Part::Panel | Part::Console | Part::Config => {}
        }
    }

    pub(super) fn programme(&self, now: Instant) -> Option<Measured> {
        self.programme.filter(|(at, _)| now.since(*at) <= FRESH).map(|(_, measured)| measured)
    }

    pub(super) fn level(&self, now: Instant, source: SourceId) -> Option<Dbfs> {
        let (_, levels) = self.levels.filter(|(at, _)| now.since(*at) <= FRESH)?;
        match source {
            SourceId::MixerA => levels[0],
            SourceId::MixerB => levels[1],
            SourceId::Embedded => self.sound(now)?.lines[Line::Embedded.index()].map(|line| line.levels.peak),
            SourceId::Camera | SourceId::Slides | SourceId::Camera2 => None,
        }
    }

    /// What is wrong with a line.
    pub(super) fn findings(&self, line: Line) -> &[Finding] {
        &self.findings[line.index()]
    }

    /// What is wrong with pictures.
    pub(super) fn pictures(&self, of: PictureOf) -> &[PictureFinding] {
        self.pictures.get(&of).map_or(&[], Vec::as_slice)
    }

    /// Listeners suffer from what is wrong with a line.
    pub(super) fn harmed(&self, line: Line) -> bool {
        self.findings(line).iter().any(|finding| finding.fault.harms())
    }

    pub(super) fn sound(&self, now: Instant) -> Option<&SoundStats> {
        self.sound.as_ref().filter(|(at, _)| now.since(*at) <= FRESH).map(|(_, stats)| stats)
    }

    pub(super) fn group(&self, now: Instant) -> Option<&GroupStats> {
        self.group.as_ref().filter(|(at, _)| now.since(*at) <= FRESH).map(|(_, stats)| stats)
    }

    /// What the gateway told lately.
    pub(super) fn far_end(&self, now: Instant) -> Option<FarEnd> {
        let fresh = || self.echoes.values().filter(|(at, _)| now.since(*at) <= FRESH);
        let heard = fresh().map(|(at, _)| *at).max()?;
        Some(FarEnd { heard, streams: fresh().map(|(_, echo)| echo.clone()).collect() })
    }

    /// The link over the uplink of that name.
    pub(super) fn link(&self, now: Instant, slot: &str) -> Option<&LinkStats> {
        self.group(now)?.links.iter().find(|link| link.name == slot)
    }

    /// At least one link carries, or is about to.
    pub(super) fn any_link(&self, now: Instant) -> bool {
        let carries = |link: &LinkStats| matches!(link.phase, LinkPhase::Up | LinkPhase::Probing);
        self.group(now).is_some_and(|group| group.links.iter().any(carries))
    }

    /// When a measurement grows too old to be shown.
    pub(super) fn next_stale(&self, now: Instant) -> Option<Instant> {
        let stale = |at: Instant| Some(at + FRESH + Duration::from_micros(1)).filter(|due| *due > now);
        let echo = self.echoes.values().map(|(at, _)| *at).max();
        [self.group.as_ref().map(|(at, _)| *at), echo].into_iter().flatten().filter_map(stale).min()
    }
}
