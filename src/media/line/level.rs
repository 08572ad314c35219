//! Level: what the loudness of both channels tells: a dead channel, an offset, a line upside down, a
//! microphone where a mixer should be, a lead that was pulled.
//!
//! Everything is judged by tenths of a second. A pause proves nothing about a channel, so only tenths
//! with a programme in them count.

use std::collections::VecDeque;

use super::block::Sums;
use super::breadth::Breadth;
use super::evidence::{Evidence, Sign};
use super::findings::{Fault, Finding};
use super::howl::HIGHEST;
use crate::time::Instant;

/// A tenth above this carries a programme, dBFS RMS of its louder channel; the weakest programmes
/// peak at −40.
pub(super) const PROGRAMME: f64 = -60.0;
/// Every mixer sends some noise; below this there is only the converter's own. dBFS RMS.
const NOTHING: f64 = -84.0;
/// The line's own noise must have stood so far above nothing for its end to be a pulled lead, dB.
const FELL: f64 = 5.0;
/// So long is the noise of a line remembered, tenths: longer than a speaker pauses.
const FLOOR_MEMORY: usize = 300;
/// A dead channel is at least so far below the living one, dB.
const DEAD: f64 = 20.0;
/// Or by this, if it carries no more than the line's own noise and so much, dB.
const NOISY: f64 = 9.0;
const NOISE: f64 = 2.0;
/// Beyond this there is no doubt.
const STONE_DEAD: f64 = 35.0;
/// And it carries less than this, dBFS.
const DEAD_BELOW: f64 = -60.0;
/// From here on one channel is the other one upside down; wide stereo stays above −0.6.
const UPSIDE_DOWN: f64 = -0.85;
/// And what tells so is no single tone, nor a steady note with its overtones: spread over so many lines.
const BROAD: f64 = 7.0;
/// An offset below this is harmless: −40 dBFS.
const OFFSET: f64 = 0.01;
/// Tenths over which an offset must stand still.
const OFFSET_SPAN: usize = 6;
/// A microphone's signal peaks between these, dBFS.
const MIC: std::ops::Range<f64> = -82.0..-50.0;
/// A line that was louder than this within the last minute is no microphone. dBFS.
const LINE_LEVEL: f64 = -46.0;
/// Speech moves by so much within a second, dB; noise does not.
const MOVES: f64 = 12.0;
/// Tenths that speech is looked for in.
const MIC_SPAN: usize = 14;
/// Tenths that a loud moment is remembered: a minute.
const LOUD_MEMORY: u32 = 600;

/// What a tenth showed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tenth {
    /// RMS of left and right, dBFS.
    pub(super) rms: [f64; 2],
    /// The louder of both.
    pub(super) level: f64,
    /// Highest sample of both, dBFS.
    pub(super) peak: f64,
    /// How alike both are.
    pub(super) likeness: f64,
    /// Digital silence.
    pub(super) zero: bool,
}

impl Tenth {
    pub(super) fn of(sums: &Sums) -> Self {
        let rms = [sums.rms(0), sums.rms(1)];
        let peak = f64::from(sums.peak[0].max(sums.peak[1]));
        Self {
            rms,
            level: rms[0].max(rms[1]),
            peak: crate::units::Dbfs::from_amplitude(peak).0,
            likeness: sums.likeness(),
            zero: peak == 0.0,
        }
    }

    pub(super) fn programme(&self) -> bool {
        self.level > PROGRAMME
    }

    pub(super) fn nothing(&self) -> bool {
        self.level < NOTHING
    }
}

/// Finds what levels tell.
#[derive(Debug, Clone)]
pub(super) struct Level {
    tenths: VecDeque<Tenth>,
    means: VecDeque<[f64; 2]>,
    since_loud: u32,
    floor: f64,
    dead: Evidence,
    offset: Evidence,
    upside_down: Evidence,
    upside_down_by: Breadth,
    mic: Evidence,
    pulled: Evidence,
}

impl Level {
    pub(super) fn new() -> Self {
        Self {
            tenths: VecDeque::with_capacity(FLOOR_MEMORY),
            means: VecDeque::with_capacity(OFFSET_SPAN),
            since_loud: LOUD_MEMORY,
            floor: f64::MIN,
            dead: Evidence::new(Fault::DeadChannel, 9.0, 0.0, 5),
            offset: Evidence::new(Fault::DcOffset, 5.0, 0.0, 10),
            upside_down: Evidence::new(Fault::Polarity, 8.0, 0.0, 8),
            upside_down_by: Breadth::new(HIGHEST),
            mic: Evidence::new(Fault::MicLevel, 5.0, 0.1, 30),
            pulled: Evidence::new(Fault::Unplugged, 6.0, 0.0, 2),
        }
    }

    /// Hears the tenth that began at `at`, and sees the last picture of its spectrum.
    pub(super) fn hear(&mut self, at: Instant, tenth: Tenth, sums: &Sums, picture: Option<&[f32]>) {
        let pulled = self.is_pulled(&tenth);
        self.pulled.weigh(at, if pulled { Sign::For(1.0) } else { Sign::Against });

        if self.tenths.len() == FLOOR_MEMORY {
            self.tenths.pop_front();
        }
        self.tenths.push_back(tenth);
        self.since_loud = if tenth.peak > LINE_LEVEL { 0 } else { self.since_loud.saturating_add(1) };
        if tenth.nothing() && self.tenths.iter().rev().take(10).all(Tenth::nothing) {
            // whatever comes next was plugged in afresh
            self.since_loud = LOUD_MEMORY;
        }

        self.dead.weigh(at, dead(&tenth, self.floor));
        let turned = upside_down(&tenth);
        if let (Sign::For(_), Some(picture)) = (turned, picture) {
            self.upside_down_by.add(picture);
        }
        self.upside_down.weigh(at, turned);
        if self.upside_down.is_empty() {
            self.upside_down_by.clear();
        }
        let offset = self.stands_off(sums);
        self.offset.weigh(at, offset);
        let mic = self.microphone();
        self.mic.weigh(at, mic);
    }

    /// The line's own noise was there and is gone.
    fn is_pulled(&mut self, tenth: &Tenth) -> bool {
        if !tenth.nothing() && !tenth.zero {
            // the quietest tenth of the last half minute; nothing at all is no noise
            // the third of them: a tenth in which a plug moved is half noise and half nothing
            let mut quietest = [f64::MAX; 3];
            for level in self.tenths.iter().chain([tenth]).filter(|t| !t.nothing()).map(|t| t.level) {
                let at = quietest.iter().position(|q| level < *q).unwrap_or(3);
                if at < 3 {
                    quietest[at..].rotate_right(1);
                    quietest[at] = level;
                }
            }
            // a programme that never paused has shown no noise; then its weakest moment stands for it
            self.floor = quietest.into_iter().rfind(|q| *q < f64::MAX).unwrap_or(f64::MIN);
        }
        tenth.nothing() && self.floor > NOTHING + FELL
    }

    fn stands_off(&mut self, sums: &Sums) -> Sign {
        if self.means.len() == OFFSET_SPAN {
            self.means.pop_front();
        }
        self.means.push_back([sums.mean(0), sums.mean(1)]);
        if self.means.len() < OFFSET_SPAN {
            return Sign::Nothing;
        }
        let stands = |ear: usize| {
            let of = |pick: fn(f64, f64) -> f64| self.means.iter().map(|m| m[ear]).reduce(pick).unwrap_or_default();
            let (least, most) = (of(f64::min), of(f64::max));
            let mean = self.means.iter().map(|m| m[ear]).sum::<f64>() / OFFSET_SPAN as f64;
            mean.abs() > OFFSET && most - least < mean.abs()
        };
        if stands(0) || stands(1) { Sign::For(1.0) } else { Sign::Against }
    }

    fn microphone(&self) -> Sign {
        let recent = || self.tenths.iter().rev().take(MIC_SPAN);
        if self.tenths.len() < MIC_SPAN || recent().any(|t| t.programme()) {
            return Sign::Against;
        }
        let peak = recent().fold(f64::MIN, |top, t| top.max(t.peak));
        // the second least of what is anything at all: the hiss of a lead that was just plugged in does not move, and
        // the tenth in which it was is half of it
        let (mut least, mut second, mut most) = (f64::MAX, f64::MAX, f64::MIN);
        for level in recent().filter(|t| !t.nothing()).map(|t| t.level) {
            (least, second) = if level < least { (level, least) } else { (least, second.min(level)) };
            most = most.max(level);
        }
        let moves = most - second > MOVES && recent().filter(|t| t.level > most - 10.0).count() >= 4;
        if MIC.contains(&peak) && moves && self.since_loud >= LOUD_MEMORY { Sign::For(1.0) } else { Sign::Nothing }
    }

    /// Quietest tenth with any noise at all, dBFS.
    pub(super) fn floor(&self) -> f64 {
        self.floor
    }

    pub(super) fn findings(&self) -> impl Iterator<Item = Finding> {
        let turned = self.upside_down.finding().filter(|_| self.upside_down_by.lines() > BROAD);
        [self.dead, self.offset, self.mic, self.pulled].into_iter().filter_map(|e| e.finding()).chain(turned)
    }
}

fn dead(tenth: &Tenth, floor: f64) -> Sign {
    let (weak, strong) = (tenth.rms[0].min(tenth.rms[1]), tenth.level);
    match strong - weak {
        _ if !tenth.programme() => Sign::Nothing,
        apart if apart > STONE_DEAD && weak < DEAD_BELOW => Sign::For(1.0),
        apart if apart > DEAD && weak < DEAD_BELOW => Sign::For(0.7),
        // a weak programme beside a channel with nothing but the line's noise
        apart if apart > NOISY && weak < floor + NOISE && weak < DEAD_BELOW => Sign::For(0.7),
        apart if apart < NOISY - 3.0 => Sign::Against,
        _ => Sign::Nothing,
    }
}

fn upside_down(tenth: &Tenth) -> Sign {
    let even = (tenth.rms[0] - tenth.rms[1]).abs() < 12.0;
    match tenth.likeness {
        _ if !tenth.programme() => Sign::Nothing,
        alike if alike < UPSIDE_DOWN && even => Sign::For(1.0),
        alike if alike > UPSIDE_DOWN + 0.25 => Sign::Against,
        _ => Sign::Nothing,
    }
}
