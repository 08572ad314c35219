//! What control needs of the config and the board, and what a change of a setting may touch.

use std::collections::BTreeMap;

use super::ladder::{Demand, Ladder, SLIDES_EVERY, Step, lowered};
use crate::media::{self, Layout, Line, OutputId, SourceId};
use crate::message::{Intent, MediaOrders, Part};
use crate::units::Bitrate;
use crate::{event, record};

/// TS, and headers of SRT, RIST or RTMP, on top of picture and sound.
const WIRE_FACTOR: f64 = 1.08;

/// What control needs to know of this box.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Name of the box.
    pub device: String,
    /// The sources that hang on the board.
    pub sources: Vec<SourceId>,
    /// The uplinks of the board, wired first: slot name, and whether bytes cost money.
    pub uplinks: Vec<(String, bool)>,
    /// The far end is a gateway of ours, which tells what it hears.
    pub echo: bool,
    /// A broker is configured.
    pub broker: bool,
    /// How the programme is made.
    pub media: media::Config,
    /// How the recording is made.
    pub record: record::Config,
    /// The event.
    pub event: event::Config,
}

impl Settings {
    /// True if everything that `layout` shows hangs on the board.
    pub(super) fn can_show(&self, layout: Layout) -> bool {
        SourceId::ALL.into_iter().filter(|source| layout.shows(*source)).all(|source| self.sources.contains(&source))
    }

    /// Every encode beside the programme's, with the bitrate that is left to it.
    pub(super) fn other_encodes(&self, ladder: &Ladder) -> BTreeMap<OutputId, Bitrate> {
        let roads = &self.media.roads;
        let backup = roads.backup.iter().filter(|_| !ladder.has(Step::BackupOff)).map(|backup| {
            let low = ladder.has(Step::Backup);
            (OutputId::Backup, if low { lowered(backup.bitrate) } else { backup.bitrate })
        });
        let dual = roads.dual.iter().flat_map(|dual| {
            let share = if ladder.has(Step::Slides) { u64::from(SLIDES_EVERY) } else { 1 };
            let slides = Bitrate::bps(dual.slides.as_bps() / share);
            [(OutputId::Camera, dual.camera), (OutputId::Slides, slides)]
        });
        backup.chain(dual).collect()
    }

    /// On the wire, with sound where `sounds`.
    fn wire(&self, pictures: Bitrate, sounds: bool) -> Bitrate {
        let sound = if sounds { self.media.audio_bitrate.as_bps() } else { 0 };
        Bitrate::bps(pictures.as_bps() + sound).scaled(WIRE_FACTOR)
    }

    /// What the dual image takes of the bond.
    pub(super) fn bonded_apart(&self, others: &BTreeMap<OutputId, Bitrate>) -> Bitrate {
        let bonded = self.media.roads.dual.as_ref().is_some_and(|dual| dual.road.is_none());
        let of = |output| others.get(&output).map_or(0, |rate| self.wire(*rate, output == OutputId::Camera).as_bps());
        if bonded { Bitrate::bps(of(OutputId::Camera) + of(OutputId::Slides)) } else { Bitrate::default() }
    }

    /// What everybody would send; `main` is the bonded programme at its least and at its most.
    pub(super) fn demand(&self, main: (Bitrate, Bitrate)) -> Demand {
        let roads = &self.media.roads;
        let dual = roads.dual.as_ref();
        Demand {
            camera: dual.map_or(Bitrate::default(), |dual| self.wire(dual.camera, true)),
            slides: dual.map_or(Bitrate::default(), |dual| self.wire(dual.slides, false)),
            backup: roads.backup.as_ref().map_or(Bitrate::default(), |backup| self.wire(backup.bitrate, true)),
            main,
            ..Demand::default()
        }
    }

    /// What leaves on each uplink beside the bond; `main` is the bonded transport stream's rate.
    pub(super) fn reserved(&self, media: &MediaOrders, main: Bitrate) -> BTreeMap<String, Bitrate> {
        let mut reserved: BTreeMap<String, Bitrate> = BTreeMap::new();
        if !media.on_air {
            return reserved;
        }
        let of = |output| media.others.get(&output).map(|rate| self.wire(*rate, output != OutputId::Slides).as_bps());
        for (output, road) in self.media.roads.all().filter(|(_, road)| !road.uplink.is_empty()) {
            let rate = match output {
                OutputId::Programme if media.outputs.active == OutputId::Main => main.as_bps(),
                OutputId::Programme => of(OutputId::Backup).unwrap_or(0),
                OutputId::Camera => of(OutputId::Camera).unwrap_or(0) + of(OutputId::Slides).unwrap_or(0),
                other => of(other).unwrap_or(0),
            };
            if rate > 0 {
                let before = reserved.get(&road.uplink).map_or(0, |rate| rate.as_bps());
                reserved.insert(road.uplink.clone(), Bitrate::bps(before + rate));
            }
        }
        reserved
    }

    /// True if `line` hangs on the board.
    pub(super) fn can_play(&self, line: Line) -> bool {
        self.sources.contains(&line.source())
    }

    /// The intent, with the first layout and line that the board has in place of those it lacks: nobody
    /// goes on air with the slate of a camera that was never there. A board without any keeps them.
    pub(super) fn fitting(&self, mut intent: Intent) -> Intent {
        if !self.can_show(intent.layout) {
            intent.layout = Layout::ALL.into_iter().find(|l| self.can_show(*l)).unwrap_or(intent.layout);
        }
        if !self.media.roads.has(intent.outputs.active) {
            intent.outputs.active = OutputId::Main;
        }
        if !self.can_play(intent.line) {
            intent.line = Line::ALL.into_iter().find(|l| self.can_play(*l)).unwrap_or(intent.line);
        }
        intent
    }
}

/// What it takes to follow a changed setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Followed at once; nobody notices.
    Live,
    /// The part starts afresh; media and bond interrupt the programme for a moment.
    Restarts(Part),
    /// Read only when the process starts.
    Process,
}

/// Every key of the settings file (or a whole room of them), and what it takes to follow a change of it.
pub const EFFECTS: &[(&str, Effect)] = &[
    ("name", Effect::Process),
    ("language", Effect::Process),
    ("state_dir", Effect::Process),
    ("socket", Effect::Process),
    ("console", Effect::Process),
    ("media.size", Effect::Restarts(Part::Media)),
    ("media.rate", Effect::Restarts(Part::Media)),
    ("media.gop", Effect::Restarts(Part::Media)),
    ("media.bitrate_min", Effect::Live),
    ("media.bitrate_max", Effect::Live),
    ("media.audio_bitrate", Effect::Restarts(Part::Media)),
    ("media.reserve", Effect::Restarts(Part::Media)),
    ("media.srt_latency", Effect::Restarts(Part::Media)),
    ("media.stream_id", Effect::Restarts(Part::Media)),
    ("media.passphrase_file", Effect::Restarts(Part::Media)),
    ("media.destination", Effect::Restarts(Part::Bond)),
    ("media.prove", Effect::Restarts(Part::Media)),
    ("media.fallback", Effect::Restarts(Part::Bond)),
    ("bond.dialect", Effect::Process),
    ("bond.key_file", Effect::Restarts(Part::Bond)),
    ("bond.peer", Effect::Restarts(Part::Bond)),
    ("bond.latency", Effect::Restarts(Part::Bond)),
    ("bond.ceiling", Effect::Restarts(Part::Bond)),
    ("record.folder", Effect::Restarts(Part::Record)),
    ("record.when", Effect::Live),
    ("record.span", Effect::Live),
    ("record.keep_free", Effect::Restarts(Part::Record)),
    ("record.stop_free", Effect::Restarts(Part::Record)),
    ("record.protect_uncopied", Effect::Restarts(Part::Record)),
    ("event.name", Effect::Live),
    ("event.hall", Effect::Restarts(Part::Event)),
    ("event.agenda", Effect::Restarts(Part::Event)),
    ("event.zone", Effect::Restarts(Part::Event)),
    ("event.split", Effect::Live),
    ("slates", Effect::Restarts(Part::Media)),
    ("sound", Effect::Live),
    ("event.tier", Effect::Live),
    ("backup", Effect::Restarts(Part::Media)),
    ("programme", Effect::Restarts(Part::Media)),
    ("dual", Effect::Process),
    ("mqtt", Effect::Restarts(Part::Mqtt)),
];

/// What it takes to follow a change of `key`: its own line, or its room's.
#[must_use]
pub fn effect(key: &str) -> Option<Effect> {
    let of = |wanted: &str| EFFECTS.iter().find(|(name, _)| *name == wanted).map(|(_, effect)| *effect);
    of(key).or_else(|| of(key.split('.').next().unwrap_or_default()))
}

/// The parts that have to start afresh to follow these changes, each once.
#[must_use]
pub fn restarts(changes: &[(&'static str, Effect)]) -> Vec<Part> {
    let mut parts: Vec<_> = changes
        .iter()
        .filter_map(|(_, effect)| match effect {
            Effect::Restarts(part) => Some(*part),
            Effect::Live | Effect::Process => None,
        })
        .collect();
    parts.sort();
    parts.dedup();
    parts
}
