//! Watch: listens to one line and says ten times a second what it carries and what is wrong with it.

use super::block::{BLOCK, IN_A_TENTH, Sums};
use super::clip::Clip;
use super::evidence::TENTH;
use super::findings::{Fault, Findings};
use super::glitch::Glitch;
use super::howl::Howl;
use super::hum::Hum;
use super::leads::{LeadWatch, Leads};
use super::level::{Level, Tenth};
use crate::media::meter::{Levels, Meter};
use crate::media::sound::{SAMPLE_RATE, Stereo};
use crate::time::{Duration, Instant};

/// What a tenth of a second of one line told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// When the tenth ended, in the time of its samples.
    pub at: Instant,
    /// The line's levels.
    pub levels: Levels,
    /// What its channels carry.
    pub leads: Leads,
    /// What is wrong with it, as far as the line alone can tell.
    pub findings: Findings,
    pub(super) tenth: Tenth,
    pub(super) floor: f64,
    /// Mean power of both channels, by 10 ms.
    pub(super) powers: [f32; IN_A_TENTH],
}

/// Listens to one line.
#[derive(Debug)]
pub struct Watch {
    meter: Meter,
    waiting: Vec<Stereo>,
    sums: Sums,
    powers: [f32; IN_A_TENTH],
    blocks: usize,
    clip: Clip,
    glitch: Glitch,
    /// It looks for faults, and does not only measure.
    deep: bool,
    hum: Hum,
    howl: Howl,
    level: Level,
    leads: LeadWatch,
    /// When the next tenth began, by the samples.
    began: Option<Instant>,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// A watch that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            meter: Meter::new(),
            waiting: Vec::with_capacity(4 * BLOCK),
            sums: Sums::default(),
            powers: [0.0; IN_A_TENTH],
            blocks: 0,
            clip: Clip::new(),
            glitch: Glitch::new(),
            deep: true,
            hum: Hum::new(),
            howl: Howl::new(),
            level: Level::new(),
            leads: LeadWatch::default(),
            began: None,
        }
    }

    /// A watch that measures levels and looks for nothing, for a processor that has no time for more.
    #[must_use]
    pub fn plain() -> Self {
        Self { deep: false, meter: Meter::plain(), ..Self::new() }
    }

    /// Hears samples, of which the last was taken at `at`; gives a look for each tenth that ends in them.
    pub fn push(&mut self, at: Instant, samples: &[Stereo], mut told: impl FnMut(Look)) {
        // a float from a file may be anything; one NaN would live in every sum for ever
        self.waiting.extend(samples.iter().map(|s| s.map(|x| if x.is_finite() { x.clamp(-4.0, 4.0) } else { 0.0 })));
        let behind = |n: usize| Duration::from_micros(n as u64 * 1_000_000 / u64::from(SAMPLE_RATE));
        let waiting = std::mem::take(&mut self.waiting);
        let mut blocks = waiting.chunks_exact(BLOCK);
        let mut left = waiting.len();
        for block in &mut blocks {
            left -= BLOCK;
            let ended = at.before(behind(left));
            if let Some(look) = self.block(ended, block) {
                told(look);
            }
        }
        let rest = blocks.remainder().len();
        self.waiting = waiting;
        self.waiting.drain(..self.waiting.len() - rest);
    }

    fn block(&mut self, ended: Instant, block: &[Stereo]) -> Option<Look> {
        let began = *self.began.get_or_insert_with(|| ended.before(Duration::from_millis(10)));
        let mut own = Sums::default();
        own.add(block);
        self.meter.push(block);
        if self.deep {
            self.clip.hear(began, block, own.peak);
            self.glitch.hear(began, block, own.peak[0].max(own.peak[1]));
            self.hum.hear(began, block);
            self.howl.hear(block);
        }
        self.sums.add_sums(&own);
        self.powers[self.blocks] = own.mean_power() as f32;
        self.blocks += 1;
        if self.blocks < IN_A_TENTH {
            return None;
        }
        let tenth = Tenth::of(&self.sums);
        if self.deep {
            self.howl.tenth(began);
            self.level.hear(began, tenth, &self.sums, self.howl.picture());
        }
        let mut findings = Findings::default();
        let alone = [self.clip.finding(), self.glitch.finding(), self.hum.finding(), self.howl.finding()];
        alone.into_iter().flatten().chain(self.level.findings()).for_each(|finding| findings.put(finding));
        if findings.get(Fault::Howl).is_some() {
            // what howls is driven to its end, and that is its own fault
            findings.drop(Fault::Clipping);
        }
        if findings.get(Fault::Clipping).is_some() {
            // a cut top bends as sharply as a torn one
            findings.drop(Fault::Glitches);
        }
        self.leads.hear(&tenth, &findings);
        (self.sums, self.blocks, self.began) = (Sums::default(), 0, None);
        Some(Look {
            at: ended.max(began + TENTH),
            levels: self.meter.take(),
            leads: self.leads.leads(),
            findings,
            tenth,
            floor: self.level.floor(),
            powers: self.powers,
        })
    }

    /// The driver lost samples here.
    pub fn lost(&mut self) {
        self.glitch.lost();
    }

    /// The integrated loudness begins afresh.
    pub fn restart(&mut self) {
        self.meter.restart();
    }
}
