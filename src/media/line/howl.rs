//! Howl: a loudspeaker that its own microphone hears.
//!
//! Feedback is one pure tone that grows by the same factor with every round and then stays at what the
//! amplifier gives. A test tone is there at once, a note begins at once and carries its overtones, a
//! flute trembles: none of them grows steadily for a fifth of a second *and* stays pure, steady and
//! loud. After van Waterschoot and Moonen, "Fifty years of acoustic feedback control", Proc. IEEE 99
//! (2011): the ratio of the peak's power to everything else, its persistence, and its slope.

use std::collections::VecDeque;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

use super::block::decibels;
use super::evidence::{Evidence, Sign, TENTH};
use super::findings::{Fault, Finding};
use crate::media::sound::Stereo;
use crate::time::{Duration, Instant};

/// Samples of a picture of the spectrum: 21.3 ms, lines of 46.9 Hz.
const FRAME: usize = 1024;
/// Lines looked at: 140 Hz to 14 kHz.
const LOWEST: usize = 3;
pub(super) const HIGHEST: usize = 300;
/// Share of the power within two lines of the peak, from which on a tone leads the sound.
const LEADS: f64 = 0.35;
/// A pure tone's power stands so far above what lies four to seven lines beside it, dB; a voice's or an
/// instrument's next partials lie there.
const NARROW: f64 = 17.0;
/// It falls by this at most from its highest, dB: what lies beside it pulls at it, and a note dies away.
const FALLS: f64 = 2.5;
/// So many pictures running may hide it under a voice.
const HIDDEN: usize = 3;
/// So many pictures must show it at one place: 0.6 s.
const STAYS: usize = 28;
/// Pictures remembered, to see how it grew: 2 s.
const MEMORY: usize = 94;
/// Feedback below this is no howl yet, dBFS.
const LOUD: f64 = -32.0;
/// It grew by this much, dB,
const RISE: f64 = 12.0;
/// over so many pictures: a note begins within two, and 8 dB a second is no feedback.
const GROWS_OVER: std::ops::RangeInclusive<usize> = 4..=70;
/// This much of the growth is a straight line in decibels, the rest is what lay beside it.
const STRAIGHT: f64 = 0.8;
/// A single step of more than this is a note's beginning, dB.
const STEP: f64 = 9.0;
/// Within this of its highest it has stopped growing, dB.
const TOP: f64 = 3.0;

/// A tone that is followed from picture to picture.
#[derive(Debug, Clone, Copy)]
struct Tone {
    line: usize,
    /// Pictures that showed it.
    stays: usize,
    /// Pictures running that did not.
    hidden: usize,
    /// The most that its power was, dB.
    level: f64,
}

/// Finds feedback.
pub(super) struct Howl {
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    waiting: Vec<Stereo>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    /// Powers of the lines, picture by picture.
    pictures: VecDeque<Vec<f32>>,
    tone: Option<Tone>,
    howling: Option<usize>,
    evidence: Evidence,
}

impl std::fmt::Debug for Howl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Howl").field("tone", &self.tone).field("howling", &self.howling).finish_non_exhaustive()
    }
}

impl Howl {
    pub(super) fn new() -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(FRAME);
        let hann = |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / FRAME as f32).cos();
        Self {
            window: (0..FRAME).map(hann).collect(),
            waiting: Vec::with_capacity(2 * FRAME),
            input: transform.make_input_vec(),
            output: transform.make_output_vec(),
            transform,
            pictures: VecDeque::with_capacity(MEMORY),
            tone: None,
            howling: None,
            evidence: Evidence::new(Fault::Howl, 2.0, 0.0, 5),
        }
    }

    /// Hears a block.
    pub(super) fn hear(&mut self, block: &[Stereo]) {
        self.waiting.extend_from_slice(block);
        if self.waiting.len() >= FRAME {
            self.look();
            self.waiting.drain(..FRAME);
        }
    }

    /// At the end of the tenth that began at `at`.
    pub(super) fn tenth(&mut self, at: Instant) {
        let picture = Duration::from_micros(FRAME as u64 * 1_000_000 / 48_000);
        let sign = if self.howling.is_some() { Sign::For(1.0) } else { Sign::Against };
        let back = self.tone.map_or(0, |tone| tone.stays) as u32;
        self.evidence.weigh((at + TENTH).before(picture * back), sign);
    }

    fn look(&mut self) {
        // the louder channel: both together would cancel where one is upside down
        let power = |ear: usize| self.waiting[..FRAME].iter().map(|s| s[ear] * s[ear]).sum::<f32>();
        let ear = usize::from(power(1) > power(0));
        for ((slot, sample), w) in self.input.iter_mut().zip(&self.waiting).zip(&self.window) {
            *slot = sample[ear] * w;
        }
        // its only error is a buffer of the wrong length, and these were made by it
        if self.transform.process(&mut self.input, &mut self.output).is_err() {
            return;
        }
        // a full sine gives FRAME / 4 on its line with this window, spread over two more: scaled to power 1/2
        let scale = 16.0 / 3.0 / (FRAME * FRAME) as f32;
        let mut lines = if self.pictures.len() == MEMORY {
            self.pictures.pop_front().unwrap_or_default()
        } else {
            Vec::with_capacity(HIGHEST)
        };
        lines.clear();
        lines.extend(self.output[..HIGHEST].iter().map(|c| c.norm_sqr() * scale));
        let peak = (LOWEST..HIGHEST - 2).max_by(|a, b| lines[*a].total_cmp(&lines[*b])).unwrap_or(LOWEST);
        let all: f64 = lines[LOWEST..].iter().map(|p| f64::from(*p)).sum();
        let own = decibels(around(&lines, peak));
        let leads = own > decibels(LEADS * all) && own > LOUD && narrow(&lines, peak);
        // a tone that is there goes on under a louder programme
        let goes_on = self.tone.and_then(|tone| {
            let level = decibels(around(&lines, tone.line));
            match level > tone.level - FALLS && level > LOUD {
                true if narrow(&lines, tone.line) => {
                    Some(Tone { stays: tone.stays + 1, hidden: 0, level: level.max(tone.level), ..tone })
                }
                true if tone.hidden < HIDDEN => Some(Tone { hidden: tone.hidden + 1, ..tone }),
                _ => None,
            }
        });
        self.pictures.push_back(lines);
        self.tone = goes_on.or(leads.then_some(Tone { line: peak, stays: 1, hidden: 0, level: own }));
        self.howling = match (self.tone, self.howling) {
            (Some(tone), Some(howl)) if tone.line.abs_diff(howl) <= 1 => Some(howl),
            (Some(tone), _) if tone.stays >= STAYS && tone.hidden == 0 && self.grew(tone.line) => Some(tone.line),
            _ => None,
        };
    }

    /// True if the tone on this line grew as feedback does, and has not fallen since.
    fn grew(&self, line: usize) -> bool {
        let levels: Vec<f64> = self.pictures.iter().map(|lines| decibels(around(lines, line))).collect();
        // the third of them: a voice may have lifted one or two
        let mut sorted = levels.clone();
        sorted.sort_by(f64::total_cmp);
        let top = sorted.get(sorted.len().wrapping_sub(3)).copied().unwrap_or(f64::MAX);
        let Some(end) = levels.iter().position(|level| *level > top - TOP) else { return false };
        let Some(begin) = levels[..end].iter().rposition(|level| *level < top - TOP - RISE) else { return false };
        let grown = &levels[begin..=end];
        GROWS_OVER.contains(&(end - begin))
            && grown.windows(2).all(|pair| pair[1] - pair[0] < STEP)
            && straight(grown) > STRAIGHT
            && levels.last().is_some_and(|last| *last > top - TOP)
    }

    /// The last picture of the spectrum, if there is one.
    pub(super) fn picture(&self) -> Option<&[f32]> {
        self.pictures.back().map(Vec::as_slice)
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        self.evidence.finding()
    }
}

/// Share of what the values vary that a straight line explains.
fn straight(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let (x, y) = ((n - 1.0) / 2.0, values.iter().sum::<f64>() / n);
    let (both, xx, yy) = values.iter().enumerate().fold((0.0, 0.0, 0.0), |(both, xx, yy), (i, value)| {
        let (dx, dy) = (i as f64 - x, value - y);
        (both + dx * dy, xx + dx * dx, yy + dy * dy)
    });
    if both > 0.0 { both * both / (xx * yy) } else { 0.0 }
}

/// True if the tone on this line has no neighbours.
fn narrow(lines: &[f32], peak: usize) -> bool {
    let beside = (4..=7).flat_map(|off| [peak.checked_sub(off), Some(peak + off)]).flatten();
    let (sum, n) = beside.filter_map(|line| lines.get(line)).fold((0.0, 0), |(sum, n), p| (sum + f64::from(*p), n + 1));
    decibels(around(lines, peak)) > decibels(sum / f64::from(n.max(1))) + NARROW
}

fn around(lines: &[f32], peak: usize) -> f64 {
    lines[peak.saturating_sub(2)..(peak + 3).min(lines.len())].iter().map(|p| f64::from(*p)).sum()
}
