//! Pair: what only both lines together can tell.
//!
//! A pause is a pause on both lines; a line that stays silent while the other has a programme is at
//! fault. Both going silent at once is the mixer's doing and no pulled lead.

use std::collections::VecDeque;

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
/// The other line must have a programme in this share of the time.
const SHARE: f64 = 0.25;
/// And the other one's programme is louder by this than anything on the silent line, dB.
const BESIDE: f64 = 10.0;
/// Both lines quiet for so long is worth a word; speakers pause for up to twenty seconds.
const BOTH: Duration = Duration::from_secs(30);
/// Two lines that fall silent within this time did so together.
const TOGETHER: Duration = Duration::from_secs(1);
/// Tenths compared for a microphone where the other line carries line level.
const COMPARED: usize = 8;
/// A microphone's signal is at least so far below the mixer's, dB.
const BELOW: f64 = 25.0;
/// Louder than this no line carries a microphone's level, dBFS RMS.
const LINE_LEVEL: f64 = -50.0;
/// And moves by this within the compared time, dB; noise alone stays within one.
const MOVES: f64 = 2.5;
/// And moves as the other line does: correlation of their levels.
const ALIKE: f64 = 0.5;
/// Nearer than this to the other line's level, it is line level too, dB.
const NEAR: f64 = 15.0;
/// Tenths remembered: the longest time that may be set, and a little.
const MEMORY: usize = 320;
/// A line that says nothing for so long is gone, and says nothing of the other.
const STALE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
struct Side {
    look: Option<Look>,
    /// Level, and whether it is a programme.
    tenths: VecDeque<(f64, bool)>,
    quiet_since: Option<Instant>,
    nothing_since: Option<Instant>,
    mic: Evidence,
}

impl Side {
    fn new() -> Self {
        Self {
            look: None,
            tenths: VecDeque::with_capacity(MEMORY),
            quiet_since: None,
            nothing_since: None,
            mic: Evidence::new(Fault::MicLevel, 4.0, 0.1, 30),
        }
    }

    fn hear(&mut self, look: Look) {
        let began = look.at.before(TENTH);
        let level = look.tenth.level;
        let programme = look.tenth.programme() && level > look.floor + ABOVE_NOISE;
        if self.tenths.len() == MEMORY {
            self.tenths.pop_front();
        }
        self.tenths.push_back((level, programme));
        self.quiet_since = (level < QUIET).then(|| *self.quiet_since.get_or_insert(began));
        self.nothing_since = look.tenth.nothing().then(|| *self.nothing_since.get_or_insert(began));
        self.look = Some(look);
    }

    fn programmes(&self, tenths: usize) -> usize {
        self.tenths.iter().rev().take(tenths).filter(|(_, programme)| *programme).count()
    }

    /// A level that three tenths in ten exceed: a single step is no programme.
    fn usual(&self, tenths: usize) -> f64 {
        let mut levels: Vec<f64> = self.tenths.iter().rev().take(tenths).map(|(level, _)| *level).collect();
        levels.sort_by(f64::total_cmp);
        levels.get(levels.len() * 7 / 10).copied().unwrap_or(-120.0)
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
    if this.tenths.len() < COMPARED || other.tenths.len() < COMPARED {
        return Sign::Nothing;
    }
    let (least, most) = this.span(COMPARED);
    match other.usual(COMPARED) - this.usual(COMPARED) {
        _ if driven(other) || driven(this) || this.usual(COMPARED) > LINE_LEVEL => Sign::Nothing,
        below
            if below > BELOW
                && most - least > MOVES
                && other.programmes(COMPARED) >= 3
                && alike(this, other) > ALIKE =>
        {
            Sign::For(1.0)
        }
        below if below < NEAR => Sign::Against,
        _ => Sign::Nothing,
    }
}

/// Correlation of both lines' levels over the compared time.
fn alike(this: &Side, other: &Side) -> f64 {
    let levels = || this.tenths.iter().rev().zip(other.tenths.iter().rev()).take(COMPARED).map(|(a, b)| (a.0, b.0));
    let n = levels().count().max(1) as f64;
    let (a, b) = levels().fold((0.0, 0.0), |sum, l| (sum.0 + l.0 / n, sum.1 + l.1 / n));
    let (both, aa, bb) = levels().fold((0.0, 0.0, 0.0), |sum, l| {
        (sum.0 + (l.0 - a) * (l.1 - b), sum.1 + (l.0 - a).powi(2), sum.2 + (l.1 - b).powi(2))
    });
    if aa > 0.0 && bb > 0.0 { both / (aa * bb).sqrt() } else { 0.0 }
}
