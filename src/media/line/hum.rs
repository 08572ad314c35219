//! Hum: the mains in the line, 50 Hz and its multiples against their neighbours.
//!
//! Each channel is brought down to 1 kHz and compared, a tenth of a second at a time, with 50, 100,
//! 150 and 200 Hz and with tones 10 Hz beside each: over 100 ms all of these are orthogonal. Hum keeps
//! its phase for seconds, and a voice or an instrument does not: G1 lies at 49.0 Hz and has turned by
//! more than a whole round after 1.4 s, the mains by less than a sixth. So a line of the comb counts if
//! the tenths of 1.4 s add up in phase, and stand above the neighbours.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use super::evidence::{Evidence, Sign};
use super::filter::{Biquad, FOURTH};
use super::findings::{Fault, Finding};
use crate::media::sound::Stereo;
use crate::time::Instant;

/// Every so many samples one is kept: 1 kHz.
const DOWN: usize = 48;
/// Samples of a tenth at that rate.
const TENTH: usize = 100;
/// Tenths that are looked at: soon, and where a bass covers every second one,
const SPANS: [usize; 2] = [14, 24];
/// and of them those that are quietest beside the line, which must agree in phase.
const AGREE: usize = 10;
/// The lines of the comb, Hz.
const COMB: [f64; 4] = [50.0, 100.0, 150.0, 200.0];
/// Neighbours lie so far beside each line, Hz.
const BESIDE: f64 = 10.0;
/// Share of the power that keeps its phase, from which on a line is steady.
const STEADY: f64 = 0.75;
/// A steady line stands so many times above its neighbours' amplitude.
const ABOVE: f64 = 2.5;
/// A line below this amplitude is nobody's trouble: −66 dBFS.
const FAINT: f64 = 5e-4;
/// The whole comb is heard from this amplitude on: −58 dBFS.
const HEARD: f64 = 1.25e-3;
/// 50 Hz alone is enough if it stands so many times above its neighbours.
const ALONE: f64 = 6.0;

/// One tenth against the comb: for each line its own value and the powers beside it.
type Tenth = [([f64; 2], f64); COMB.len()];

#[derive(Debug, Clone)]
struct Channel {
    low: [Biquad; 2],
    kept: Vec<f64>,
    tenths: VecDeque<Tenth>,
}

/// Finds hum.
#[derive(Debug, Clone)]
pub(super) struct Hum {
    channels: [Channel; 2],
    phase: usize,
    evidence: Evidence,
}

impl Hum {
    pub(super) fn new() -> Self {
        let low = FOURTH.map(|q| Biquad::low_pass(260.0, q, 48_000.0));
        let channel = Channel { low, kept: Vec::with_capacity(TENTH), tenths: VecDeque::with_capacity(SPANS[1]) };
        Self { channels: [channel.clone(), channel], phase: 0, evidence: Evidence::new(Fault::Hum, 3.0, 0.0, 20) }
    }

    /// Hears a block; `at` is when its tenth began, less the time that proof takes.
    pub(super) fn hear(&mut self, at: Instant, block: &[Stereo]) {
        for (ear, channel) in self.channels.iter_mut().enumerate() {
            let mut phase = self.phase;
            for sample in block {
                let low = channel.low.iter_mut().fold(f64::from(sample[ear]), |x, section| section.next(x));
                phase += 1;
                if phase == DOWN {
                    channel.kept.push(low);
                    phase = 0;
                }
            }
        }
        self.phase = (self.phase + block.len()) % DOWN;
        if self.channels[0].kept.len() < TENTH {
            return;
        }
        let mut humming = false;
        for channel in &mut self.channels {
            let tenth = against_comb(&channel.kept[..TENTH]);
            channel.kept.drain(..TENTH);
            if channel.tenths.len() == SPANS[1] {
                channel.tenths.pop_front();
            }
            channel.tenths.push_back(tenth);
            humming |= SPANS.iter().any(|span| channel.tenths.len() >= *span && hums(&channel.tenths, *span));
        }
        let began = at.before(super::evidence::TENTH * (SPANS[0] as u32 - 3));
        let sign = if humming { Sign::For(1.0) } else { Sign::Against };
        self.evidence.weigh(if self.evidence.finding().is_some() { at } else { began }, sign);
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        self.evidence.finding()
    }
}

fn against_comb(samples: &[f64]) -> Tenth {
    COMB.map(|line| {
        let own = against(samples, line);
        let beside = [line - BESIDE, line + BESIDE].map(|hertz| power(against(samples, hertz)));
        (own, (beside[0] + beside[1]) / 2.0)
    })
}

/// The complex amplitude of one tone in a tenth; a rotation instead of a sine for each sample.
fn against(samples: &[f64], hertz: f64) -> [f64; 2] {
    let (sin, cos) = (TAU * hertz / 1000.0).sin_cos();
    let (mut turn, mut sum) = ([1.0_f64, 0.0_f64], [0.0, 0.0]);
    for sample in samples {
        sum = [sum[0] + sample * turn[0], sum[1] - sample * turn[1]];
        turn = [turn[0] * cos - turn[1] * sin, turn[0] * sin + turn[1] * cos];
    }
    sum.map(|part| 2.0 * part / samples.len() as f64)
}

fn power(value: [f64; 2]) -> f64 {
    value[0] * value[0] + value[1] * value[1]
}

/// True if the last `span` tenths hum.
fn hums(tenths: &VecDeque<Tenth>, span: usize) -> bool {
    let n = AGREE as f64;
    let mut whole = 0.0;
    let lines: [Option<f64>; COMB.len()] = std::array::from_fn(|i| {
        let mut quietest: [([f64; 2], f64); SPANS[1]] = [([0.0; 2], f64::MAX); SPANS[1]];
        quietest.iter_mut().zip(tenths.iter().rev().take(span)).for_each(|(slot, tenth)| *slot = tenth[i]);
        quietest.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let (mut sum, mut all, mut beside) = ([0.0; 2], 0.0, 0.0);
        for (own, neighbours) in &quietest[..AGREE] {
            sum = [sum[0] + own[0], sum[1] + own[1]];
            all += power(*own);
            beside += neighbours;
        }
        let steady = power(sum.map(|part| part / n));
        whole += steady;
        let (amplitude, around) = (steady.sqrt(), (beside / n).sqrt());
        let counts = steady > STEADY * all / n && amplitude > FAINT && amplitude > ABOVE * around;
        counts.then_some(amplitude / around.max(1e-9))
    });
    let [first, second, third, fourth] = lines;
    let comb = (first.is_some() && (second.is_some() || third.is_some()))
        || (second.is_some() && (third.is_some() || fourth.is_some()))
        || first.is_some_and(|above| above > ALONE);
    comb && whole.sqrt() > HEARD
}
