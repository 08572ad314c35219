//! Pair: what only both lines together can tell.
//!
//! A pause is a pause on both lines; a line that stays silent while the other has a programme is at
//! fault. Both going silent at once is the mixer's doing and no pulled lead.

use std::collections::VecDeque;

use super::block::decibels;
use super::evidence::{Evidence, Sign, TENTH};
use super::findings::{Fault, Finding, Findings};
use super::level::PROGRAMME;
use super::watch::Look;
use crate::time::{Duration, Instant};

/// Below this a line is quiet, dBFS RMS of its louder channel.
const QUIET: f64 = PROGRAMME - 5.0;
/// A louder line is silent too if it does not move by more than this, a hiss or a hum, dB,
const STILL: f64 = 6.0;
/// and the other one meanwhile moves by this, dB.
const LIVELY: f64 = 15.0;
/// A programme stands so far above the line's own noise, dB.
const ABOVE_NOISE: f64 = 9.0;
/// Or above this, whatever the line's quietest moments are: no mixer is so noisy. dBFS RMS.
const NO_NOISE: f64 = -46.0;
/// The other line must have a programme in this share of the time.
const SHARE: f64 = 0.25;
/// And the other one's programme is louder by this than anything on the silent line, dB.
const BESIDE: f64 = 10.0;
/// Both lines quiet for so long is worth a word; speakers pause for up to twenty seconds.
const BOTH: Duration = Duration::from_secs(30);
/// Two lines that fall silent within this time did so together.
const TOGETHER: Duration = Duration::from_secs(1);
/// Parts of 10 ms over which a line is compared with the other: 0.8 s.
const COMPARED: usize = 80;
/// The other line comes at most so many of them later,
const LATER: usize = 12;
/// or earlier.
const EARLIER: usize = 40;
/// Tenths of them that must carry the other line's programme.
const CARRIED: usize = 3;
/// From here on the one's power follows the other's: correlation. Noise against a programme stays below
/// 0.4 at whatever lag; a copy that lies in as much noise again reaches 0.9.
const FOLLOWS: f64 = 0.65;
/// A microphone's signal is at least so far below the mixer's, dB,
const BELOW: f64 = 25.0;
/// and no further: what is fainter came over from the lead beside it.
const CROSSTALK: f64 = 60.0;
/// Nearer than this to the other line's level, it is line level too, dB.
const NEAR: f64 = 20.0;
/// Louder than this no line carries a microphone's level, dBFS RMS.
const LINE_LEVEL: f64 = -45.0;
/// A line that peaks here is driven to its end, and says nothing of the other's level, dBFS.
const END: f64 = -0.5;
/// Tenths remembered: the longest time that may be set, and a little.
const MEMORY: usize = 320;
/// Parts of 10 ms remembered.
const FINE: usize = LATER + COMPARED + EARLIER;
/// A line that says nothing for so long is gone, and says nothing of the other.
const STALE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
struct Side {
    look: Option<Look>,
    /// Level, and whether it is a programme.
    tenths: VecDeque<(f64, bool)>,
    /// Tenths since it peaked at its end.
    since_end: usize,
    /// Power by 10 ms.
    fine: VecDeque<f32>,
    quiet_since: Option<Instant>,
    nothing_since: Option<Instant>,
    mic: Evidence,
}

impl Side {
    fn new() -> Self {
        Self {
            look: None,
            tenths: VecDeque::with_capacity(MEMORY),
            since_end: usize::MAX,
            fine: VecDeque::with_capacity(FINE),
            quiet_since: None,
            nothing_since: None,
            mic: microphone(),
        }
    }

    fn hear(&mut self, look: Look) {
        let began = look.at.before(TENTH);
        let level = look.tenth.level;
        let programme = look.tenth.programme() && (level > look.floor + ABOVE_NOISE || level > NO_NOISE);
        if self.tenths.len() == MEMORY {
            self.tenths.pop_front();
        }
        self.tenths.push_back((level, programme));
        self.since_end = if look.tenth.peak > END { 0 } else { self.since_end.saturating_add(1) };
        self.fine.extend(look.powers);
        self.fine.drain(..self.fine.len().saturating_sub(FINE));
        self.quiet_since = (level < QUIET).then(|| *self.quiet_since.get_or_insert(began));
        self.nothing_since = look.tenth.nothing().then(|| *self.nothing_since.get_or_insert(began));
        self.look = Some(look);
    }

    fn programmes(&self, tenths: usize) -> usize {
        self.tenths.iter().rev().take(tenths).filter(|(_, programme)| *programme).count()
    }

    /// The loudest tenth of the compared time, dBFS.
    fn loudest(&self) -> f64 {
        self.span((COMPARED + LATER) / 10).1
    }

    fn span(&self, tenths: usize) -> (f64, f64) {
        let levels = self.tenths.iter().rev().take(tenths).map(|(level, _)| *level);
        levels.fold((f64::MAX, f64::MIN), |(least, most), level| (least.min(level), most.max(level)))
    }
}

/// Judges both lines together.
#[derive(Debug, Clone)]
pub struct Pair {
    silent_after: Duration,
    sides: [Side; 2],
}

impl Pair {
    /// A pair that has heard nothing; a line is silent after `silent_after` (1 to 30 s) of the other's programme.
    #[must_use]
    pub fn new(silent_after: Duration) -> Self {
        Self { silent_after, sides: [Side::new(), Side::new()] }
    }

    /// Another patience with silence.
    pub fn set_silent_after(&mut self, silent_after: Duration) {
        self.silent_after = silent_after;
    }

    /// Line 0 or 1 told this.
    pub fn handle_look(&mut self, line: usize, look: Look) {
        self.sides[line].hear(look);
        let [this, other] = [&self.sides[line], &self.sides[1 - line]];
        if driven(other) {
            // what it seemed to tell before that was known is no sign either
            self.sides[line].mic = microphone();
            return;
        }
        let sign = compared(this, other);
        self.sides[line].mic.weigh(look.at.before(TENTH), sign);
    }

    /// A capture is closed: nothing that was heard of the line holds any longer.
    pub fn handle_gone(&mut self, line: usize) {
        self.sides[line] = Side::new();
    }

    /// What is wrong with that line, with what the other one tells.
    #[must_use]
    pub fn findings(&self, now: Instant, line: usize) -> Findings {
        let [this, other] = [&self.sides[line], &self.sides[1 - line]];
        let Some(look) = fresh(now, this) else { return Findings::default() };
        let mut findings = look.findings;
        if let Some(mic) = this.mic.finding() {
            findings.put(mic);
        }
        if driven(other) {
            // one fault, one word: beside a line that is cut off or howls every other one is faint
            findings.drop(Fault::MicLevel);
        }
        let together = match (this.nothing_since, other.nothing_since) {
            (Some(a), Some(b)) => a.since(b).max(b.since(a)) < TOGETHER,
            _ => false,
        };
        if together {
            findings.drop(Fault::Unplugged);
        }
        let explained = [Fault::Unplugged, Fault::MicLevel].into_iter().any(|fault| findings.get(fault).is_some());
        if !explained && let Some(finding) = self.silent(now, line) {
            findings.put(finding);
        }
        findings
    }

    fn silent(&self, now: Instant, line: usize) -> Option<Finding> {
        let [this, other] = [&self.sides[line], &self.sides[1 - line]];
        let tenths = (self.silent_after.as_millis() / TENTH.as_millis()) as usize;
        let at = this.look.as_ref()?.at;
        let quiet = this.quiet_since.map_or(Duration::ZERO, |since| at.since(since));
        let ((least, most), (other_least, other_most)) = (this.span(tenths), other.span(tenths));
        let still = this.tenths.len() >= tenths && most - least < STILL && other_most - other_least > LIVELY;
        let since =
            this.quiet_since.filter(|_| !still || quiet > self.silent_after).unwrap_or(at.before(self.silent_after));
        let share = other.programmes(tenths) as f64 / tenths.max(1) as f64;
        let beside = other_most - most > BESIDE && !driven(other);
        let alone = (quiet >= self.silent_after || still) && fresh(now, other).is_some() && share >= SHARE && beside;
        let finding = |confidence| Some(Finding { fault: Fault::Silent, since, confidence });
        if alone {
            return finding(Finding::PROVEN + (1.0 - Finding::PROVEN) * share);
        }
        let other_quiet = fresh(now, other).is_none() || other.quiet_since.is_some_and(|s| now.since(s) >= BOTH);
        if quiet >= BOTH && other_quiet { finding(Finding::PROVEN) } else { None }
    }
}

/// Nothing told yet of a microphone where a mixer should be.
const fn microphone() -> Evidence {
    Evidence::new(Fault::MicLevel, 4.0, 0.1, 30)
}

fn fresh(now: Instant, side: &Side) -> Option<&Look> {
    side.look.as_ref().filter(|look| now.since(look.at) < STALE)
}

/// A line that howls or is cut off is louder than its programme.
fn driven(side: &Side) -> bool {
    let at_fault = |look: &Look| [Fault::Howl, Fault::Clipping].iter().any(|f| look.findings.get(*f).is_some());
    side.look.as_ref().is_some_and(at_fault)
}

/// Whether this line carries faintly what the other one carries at line level.
fn compared(this: &Side, other: &Side) -> Sign {
    if this.fine.len() < FINE || other.fine.len() < FINE || driven(other) || driven(this) || other.since_end < FINE / 10
    {
        return Sign::Nothing;
    }
    if this.loudest() > LINE_LEVEL {
        return Sign::Against;
    }
    if other.programmes((COMPARED + LATER) / 10) < CARRIED {
        return Sign::Nothing;
    }
    match below(&this.fine, &other.fine) {
        Some(below) if below < NEAR => Sign::Against,
        Some(below) if (BELOW..CROSSTALK).contains(&below) => Sign::For(1.0),
        _ => Sign::Nothing,
    }
}

/// By how many dB this line's share of the other's programme lies below it, if it has any: the slope of
/// this one's power over the other's, at the lag at which both go together best. What else is on the
/// line, its noise, has no part in a slope.
fn below(this: &VecDeque<f32>, other: &VecDeque<f32>) -> Option<f64> {
    let mean = |powers: &mut dyn Iterator<Item = f32>| powers.map(f64::from).sum::<f64>() / COMPARED as f64;
    let own = || this.iter().rev().skip(LATER).take(COMPARED).copied();
    let own_mean = mean(&mut own());
    let own_spread: f64 = own().map(|p| (f64::from(p) - own_mean).powi(2)).sum();
    let best = (0..=LATER + EARLIER)
        .filter_map(|lag| {
            let beside = || other.iter().rev().skip(lag).take(COMPARED).copied();
            let beside_mean = mean(&mut beside());
            let (mut both, mut spread) = (0.0, 0.0);
            for (own, beside) in own().zip(beside()) {
                let off = f64::from(beside) - beside_mean;
                both += off * (f64::from(own) - own_mean);
                spread += off * off;
            }
            let alike = both / (own_spread * spread).sqrt();
            alike.is_finite().then_some((alike, both / spread))
        })
        .max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > FOLLOWS).then(|| -decibels(best.1))
}
