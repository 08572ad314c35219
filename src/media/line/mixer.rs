//! Mixer: the lines in, the programme's sound out, and everything that is known of them.
//!
//! The line off the air is moved until it agrees with the one on it to the sample, by the lag that
//! [`Align`] finds; the one on the air is never touched. So a switch repeats and skips nothing.

use super::align::{Align, Lag};
use super::bus::{Bus, Strip};
use super::findings::{Finding, Findings};
use super::leads::Leads;
use super::pair::Pair;
use super::settings::SoundOrders;
use super::stats::{LineStats, SoundStats};
use super::third::Third;
use super::watch::Look;
use crate::media::meter::{Levels, Meter};
use crate::media::sound::Stereo;
use crate::media::stream::Line;
use crate::time::{Duration, Instant};

/// A lag below this is left as it is, samples: half a millisecond, a step of 17 cm from the loudspeaker.
const NEAR: f64 = 24.0;

/// How a line's samples are fetched for one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// Its place in [`Line::ALL`].
    pub line: usize,
    /// By how many samples the line is moved, later if positive.
    pub extra: i64,
    /// It is on the air: a change is faded.
    pub heard: bool,
}

/// Makes the programme's sound.
#[derive(Debug)]
pub struct Mixer {
    strips: [Strip; 3],
    bus: Bus,
    align: Option<Align>,
    pair: Pair,
    patience: Duration,
    /// What the embedded sound is found to be.
    third: Third,
    leads: [Leads; 3],
    levels: [Option<Levels>; 3],
    moved: [i64; 3],
    inverted: [bool; 3],
    lag: Option<f64>,
    said: [Findings; 3],
    lines: [Vec<Stereo>; 3],
}

impl Mixer {
    /// A mixer that starts on `line`.
    #[must_use]
    pub fn new(line: Line, orders: &SoundOrders) -> Self {
        Self {
            strips: Default::default(),
            bus: Bus::new(line, Meter::new()),
            align: Some(Align::new()),
            pair: Pair::new(patience(orders)),
            patience: patience(orders),
            third: Third::default(),
            leads: [Leads::default(); 3],
            levels: [None; 3],
            moved: [0; 3],
            inverted: [false; 3],
            lag: None,
            said: [Findings::default(); 3],
            lines: Default::default(),
        }
    }

    /// A mixer that keeps no lines in step and measures peaks alone, for a processor that has no time for more.
    #[must_use]
    pub fn plain(line: Line, orders: &SoundOrders) -> Self {
        Self { bus: Bus::new(line, Meter::plain()), align: None, ..Self::new(line, orders) }
    }

    /// A line told this of its last tenth.
    pub fn handle_look(&mut self, line: usize, look: Look) {
        self.leads[line] = look.leads;
        self.levels[line] = Some(look.levels);
        if line < Line::MIXER.len() {
            self.pair.handle_look(line, look);
        } else {
            self.third.handle_look(look);
        }
    }

    /// A line gives nothing any more.
    pub fn handle_gone(&mut self, line: usize) {
        if line < Line::MIXER.len() {
            self.pair.handle_gone(line);
        } else {
            self.third = Third::default();
        }
        (self.leads[line], self.levels[line]) = (Leads::Unknown, None);
        self.restart();
    }

    fn restart(&mut self) {
        if let Some(align) = &mut self.align {
            align.restart();
        }
    }

    /// One tick of `samples`: fetches every line, which says whether each is sounding, and mixes them.
    pub fn tick(
        &mut self,
        orders: &SoundOrders,
        on_air: Line,
        samples: usize,
        mut fetch: impl FnMut(Fetch, &mut [Stereo]) -> bool,
    ) -> &[Stereo] {
        self.patience = patience(orders);
        self.pair.set_silent_after(self.patience);
        self.bus.select(on_air);
        let settled = self.bus.settled();
        let mut both = true;
        for (line, own) in Line::ALL.into_iter().enumerate() {
            let hold = orders.hold(own.source()).as_micros() as i64 * 48 / 1000;
            let heard = settled.is_none_or(|settled| settled == own) || on_air == own;
            let samples_of = &mut self.lines[line];
            samples_of.resize(samples, [0.0; 2]);
            let sounds = fetch(Fetch { line, extra: hold + self.moved[line], heard }, samples_of);
            both &= sounds || own == Line::Embedded;
            self.strips[line].set(self.leads[line], orders.gain_of(own), self.inverted[line]);
            self.strips[line].apply(samples_of);
        }
        if both && let Some(align) = &mut self.align {
            align.push(&self.lines[0], &self.lines[1]);
            // nothing moves while both are heard
            if let Some(lag) = align.poll().filter(|_| settled == Some(on_air)) {
                self.follow(lag, on_air);
            }
        }
        let [a, b, embedded] = &self.lines;
        self.bus.mix(orders, [a, b, embedded])
    }

    /// Moves the mixer's line off the air to the one on it; while the embedded sound is on the air, B to A.
    fn follow(&mut self, lag: Lag, on_air: Line) {
        self.lag = Some(lag.samples + (self.moved[0] - self.moved[1]) as f64);
        let off = if on_air == Line::B { 0 } else { 1 };
        let by = if on_air == Line::B { lag.samples } else { -lag.samples };
        if by.abs() > NEAR {
            self.moved[off] += by.round() as i64;
            self.restart();
        }
        if lag.inverted {
            self.inverted[off] = !self.inverted[off];
            self.restart();
        }
    }

    /// What is wrong with a line, if that is not what was said of it last.
    pub fn poll_judged(&mut self, now: Instant) -> Option<(Line, Vec<Finding>)> {
        for (line, own) in Line::ALL.into_iter().enumerate() {
            let findings = match own {
                Line::A | Line::B => self.pair.findings(now, line),
                Line::Embedded => self.third.findings(now, self.patience),
            };
            if !findings.same_faults(&self.said[line]) {
                self.said[line] = findings;
                return Some((own, findings.iter().collect()));
            }
        }
        None
    }

    /// Everything that is measured; ten times a second, since levelling goes by it.
    pub fn measure(&mut self, orders: &SoundOrders, ppm: [Option<f64>; 3]) -> SoundStats {
        let (programme, reduction) = self.bus.take_levels(orders);
        let line = |i: usize| self.levels[i].map(|levels| LineStats { levels, leads: self.leads[i], ppm: ppm[i] });
        SoundStats {
            lines: [line(0), line(1), line(2)],
            programme: Some(programme),
            reduction,
            lag_ms: self.lag.map(|lag| lag / 48.0),
            inverted: self.inverted[0] != self.inverted[1],
            ..SoundStats::default()
        }
    }
}

fn patience(orders: &SoundOrders) -> Duration {
    Duration::from_millis(u64::from(orders.silent_after_ms.clamp(1000, 30_000)))
}
