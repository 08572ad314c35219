//! Outputs: what is known of the ways out beside the bond, and what faces see of them.

use std::collections::BTreeMap;

use super::known::{FRESH, Known};
use super::settings::Settings;
use super::view;
use crate::lang::Text;
use crate::media::{OutputId, Scheme};
use crate::message::{
    DestinationStatus, Intent, MediaOrders, OutputState, OutputStatus, Phase, Reading, Verdict, What,
};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;

/// An encoder that failed is told of for so long.
const FAILED_FOR: Duration = Duration::from_secs(60);

/// What was measured of one output.
#[derive(Debug, Clone, Copy)]
struct Measured {
    at: Instant,
    sent: Bitrate,
    held: Duration,
}

/// What the outputs said last.
#[derive(Debug, Clone, Default)]
pub(super) struct Outputs {
    destinations: BTreeMap<(OutputId, usize), (OutputState, Text)>,
    measured: BTreeMap<OutputId, Measured>,
    failed: BTreeMap<OutputId, (Instant, Text)>,
    /// Why an encoder of the board is not in use.
    refused: BTreeMap<OutputId, Text>,
    /// Why an output is not held back.
    pub(super) unheld: BTreeMap<OutputId, Text>,
    /// Slides shown since the box started.
    pub(super) slides: u32,
}

impl Outputs {
    /// Takes what is said of outputs; nothing else.
    pub(super) fn note(&mut self, now: Instant, what: &What) {
        match what {
            What::DestinationChanged { output, place, state, why } => {
                self.destinations.insert((*output, *place), (*state, why.clone()));
            }
            What::OutputMeasured { output, sent, held } => {
                self.measured.insert(*output, Measured { at: now, sent: *sent, held: *held });
            }
            What::EncoderFailed { output, for_good: true, why } => {
                self.refused.insert(*output, why.clone());
            }
            What::EncoderFailed { output, why, .. } => {
                self.failed.insert(*output, (now, why.clone()));
            }
            What::HoldFailed { output, why } => {
                self.unheld.insert(*output, why.clone());
            }
            What::SlideChanged { .. } => self.slides = self.slides.saturating_add(1),
            _ => {}
        }
    }

    /// The part ended: nothing is open any more.
    pub(super) fn forget(&mut self) {
        self.destinations.clear();
        self.measured.clear();
        self.refused.clear();
    }

    /// Where an output of its own stands, and why.
    pub(super) fn state(&self, output: OutputId) -> (OutputState, Text) {
        let of = |state| move |(_, (s, _)): &(&(OutputId, usize), &(OutputState, Text))| *s == state;
        let all = || self.destinations.range((output, 0)..=(output, usize::MAX));
        for state in [OutputState::Open, OutputState::Failed, OutputState::Opening] {
            if let Some((_, (state, why))) = all().find(of(state)) {
                return (*state, why.clone());
            }
        }
        (OutputState::Idle, Text::default())
    }

    /// The preferred destination failed, and another one is open.
    pub(super) fn elsewhere(&self, output: OutputId) -> Option<Text> {
        let (_, (state, why)) = self.destinations.range((output, 0)..=(output, 0)).next()?;
        (*state != OutputState::Open && self.state(output).0 == OutputState::Open).then(|| why.clone())
    }

    /// Why an encoder failed lately.
    pub(super) fn encoder_trouble(&self, now: Instant, output: OutputId) -> Option<Text> {
        let lately = self.failed.get(&output).filter(|(at, _)| now.since(*at) < FAILED_FOR).map(|(_, why)| why);
        lately.or_else(|| self.refused.get(&output)).cloned()
    }

    /// When the telling of a failed encoder ends.
    pub(super) fn next_timeout(&self, now: Instant) -> Option<Instant> {
        self.failed.values().map(|(at, _)| *at + FAILED_FOR).filter(|due| *due > now).min()
    }

    fn measured(&self, now: Instant, output: OutputId) -> Option<Measured> {
        self.measured.get(&output).copied().filter(|measured| now.since(measured.at) <= FRESH)
    }
}

/// Everything the outputs' part of Status is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'c> {
    pub(super) settings: &'c Settings,
    pub(super) known: &'c Known,
    pub(super) intent: &'c Intent,
    pub(super) media: &'c MediaOrders,
    pub(super) phase: Phase,
    /// Which of the bond's far ends is in use: counts on, round the list.
    pub(super) far_end: usize,
    /// The bonded transport stream's rate that the encoder was told to fill.
    pub(super) main: Bitrate,
}

/// Every output that is set up, in the order faces show them.
pub(super) fn status(now: Instant, scene: &Scene<'_>) -> Vec<OutputStatus> {
    let roads = &scene.settings.media.roads;
    OutputId::ALL.into_iter().filter(|output| roads.has(*output)).map(|output| one(now, scene, output)).collect()
}

fn one(now: Instant, scene: &Scene<'_>, output: OutputId) -> OutputStatus {
    let Scene { settings, known, intent, media, .. } = scene;
    let road = settings.media.roads.of(output);
    let mut status = OutputStatus::idle(output, road.map_or(Scheme::Bond, |road| road.scheme));
    let on_air = matches!(scene.phase, Phase::Starting | Phase::Live);
    let measured = known.outputs.measured(now, output);
    status.active = intent.outputs.active == output;
    let told = match output {
        OutputId::Main => Some(scene.main),
        OutputId::Programme => None,
        _ => media.others.get(&output).copied(),
    };
    let sent = measured.map(|m| m.sent.as_mbps());
    status.bitrate = match told {
        Some(told) => {
            view::reading(sent, told.as_mbps(), |share| if share > 0.0 { Verdict::Good } else { Verdict::Bad })
        }
        None => Reading {
            measured: sent,
            wanted: None,
            verdict: if sent.is_some() { Verdict::Good } else { Verdict::Unknown },
        },
    };
    let held = intent.outputs.held(output);
    status.dumped = held.dumped;
    if output.can_wait() {
        let seconds = f64::from(held.delay.as_seconds());
        let is = measured.map(|m| m.held.as_secs_f64());
        let there = is.is_some_and(|is| (is - seconds).abs() < 1.0);
        let verdict = if is.is_none() {
            Verdict::Unknown
        } else if there {
            Verdict::Good
        } else {
            Verdict::Warn
        };
        status.delay = Reading { measured: is, wanted: Some(seconds), verdict };
    }
    match road {
        Some(road) => {
            // both programmes of the dual image leave as one
            let carrier = if output == OutputId::Slides { OutputId::Camera } else { output };
            status.uplink = (!road.uplink.is_empty()).then(|| road.uplink.clone());
            (status.state, status.why) = known.outputs.state(carrier);
            let place = |(place, name): (usize, &String)| {
                let (state, why) = known.outputs.destinations.get(&(carrier, place)).cloned().unwrap_or_default();
                DestinationStatus { name: name.clone(), state, why }
            };
            status.destinations = road.to.iter().enumerate().map(place).collect();
        }
        None => {
            status.state = match (on_air, known.output_open) {
                (_, true) => OutputState::Open,
                (true, false) if known.output_why.is_empty() => OutputState::Opening,
                (true, false) => OutputState::Failed,
                (false, false) => OutputState::Idle,
            };
            status.why = if status.state == OutputState::Failed { known.output_why.clone() } else { Text::default() };
            let places: Vec<_> = settings.media.far_ends().map(ToString::to_string).collect();
            let used = scene.far_end % places.len();
            let one = |(n, name)| {
                let (state, why) = if n == used { (status.state, status.why.clone()) } else { Default::default() };
                DestinationStatus { name, state, why }
            };
            status.destinations = places.into_iter().enumerate().map(one).collect();
        }
    }
    let wanted = output == OutputId::Main || output == OutputId::Programme || media.others.contains_key(&output);
    if on_air && !wanted {
        status.state = OutputState::Reduced;
    }
    if !on_air && road.is_some() {
        status.state = OutputState::Idle;
        status.why = Text::default();
        status.destinations.iter_mut().for_each(|destination| destination.state = OutputState::Idle);
    }
    status
}
