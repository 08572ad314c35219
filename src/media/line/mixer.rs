//! Mixer: the lines in, the programme's sound out, and everything that is known of them.
//!
//! The line off the air is moved until it agrees with the one on it to the sample, by the lag that
//! [`Align`] finds. So a switch repeats and skips nothing. The one on the air is never cut: where the
//! other one comes so late that it would have to be played before it is there, the whole programme waits
//! for it, and glides there so slowly that nobody hears it.

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

/// The programme glides by this part of a sample a sample: 2.5 ms a second, 4 cents of pitch.
const GLIDE: f64 = 0.0025;
/// The programme waits for the later line at most so long, samples: 150 ms.
const MOST_WAIT: f64 = 7200.0;
/// A line is moved later at most by so many samples: half a second, as far as a lag is looked for.
const MOST_LATER: i64 = 24_000;

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
    /// How much earlier than unmoved each line could come, samples; none of one that gives nothing.
    room: [Option<i64>; 3],
    /// By how many samples the whole programme waits for the later line, and where that goes.
    wait: f64,
    wait_wanted: f64,
    inverted: [bool; 3],
    lag: Option<f64>,
    said: [Findings; 3],
    show: u32,
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
            room: [None; 3],
            wait: 0.0,
            wait_wanted: 0.0,
            inverted: [false; 3],
            lag: None,
            said: [Findings::default(); 3],
            show: orders.show,
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

    /// True once after another live began: the integrated loudness of the programme is measured afresh, and
    /// that of the lines is to be.
    pub fn take_new_show(&mut self, orders: &SoundOrders) -> bool {
        let new = self.show != orders.show;
        if new {
            self.show = orders.show;
            self.bus.restart();
        }
        new
    }

    /// A line could come earlier by so many samples than it does unmoved; none if it gives nothing.
    pub fn set_room(&mut self, line: usize, room: Option<i64>) {
        self.room[line] = room;
    }

    /// By how long the whole programme waits for the later line.
    #[must_use]
    pub fn wait(&self) -> Duration {
        Duration::from_micros((self.wait * 1000.0 / 48.0) as u64)
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
        let glides = self.glide(samples);
        let mut both = true;
        for (line, own) in Line::ALL.into_iter().enumerate() {
            let hold = orders.hold(own.source()).as_micros() as i64 * 48 / 1000;
            let heard = settled.is_none_or(|settled| settled == own) || on_air == own;
            let samples_of = &mut self.lines[line];
            samples_of.resize(samples, [0.0; 2]);
            let waits = self.moved[line] + self.wait.round() as i64;
            // while the programme still glides, a line off the air comes as early as it can
            let earliest = self.room[line].filter(|_| !heard).map_or(waits, |room| waits.max(-room));
            let sounds = fetch(Fetch { line, extra: hold + earliest, heard }, samples_of);
            both &= sounds || own == Line::Embedded;
            self.strips[line].set(self.leads[line], orders.gain_of(own), self.inverted[line]);
            self.strips[line].apply(samples_of);
        }
        if glides {
            self.restart();
        } else if both && let Some(align) = &mut self.align {
            align.push(&self.lines[0], &self.lines[1]);
            // nothing moves while both are heard
            if let Some(lag) = align.poll().filter(|_| settled == Some(on_air)) {
                self.follow(lag, on_air);
            }
        }
        let [a, b, embedded] = &self.lines;
        self.bus.mix(orders, [a, b, embedded])
    }

    /// A step of the way to where every line is there in time; true while it goes on.
    fn glide(&mut self, samples: usize) -> bool {
        if self.align.is_none() {
            return false;
        }
        let needed = self.room.iter().zip(self.moved).filter_map(|(room, moved)| Some(-(*room)? - moved)).max();
        // it never shrinks: a card that comes and goes would swing the programme to and fro
        self.wait_wanted = self.wait_wanted.max(needed.unwrap_or(0).max(0) as f64).min(MOST_WAIT);
        let left = self.wait_wanted - self.wait;
        self.wait += left.min(GLIDE * samples as f64);
        left > 1.0
    }

    /// Moves the mixer's line off the air to the one on it; while the embedded sound is on the air, B to A.
    fn follow(&mut self, lag: Lag, on_air: Line) {
        self.lag = Some(lag.samples + (self.moved[0] - self.moved[1]) as f64);
        let off = if on_air == Line::B { 0 } else { 1 };
        let by = if on_air == Line::B { lag.samples } else { -lag.samples };
        if by.abs() > NEAR {
            let earliest = -(MOST_WAIT as i64) - self.room[off].unwrap_or(0).max(0);
            self.moved[off] = (self.moved[off] + by.round() as i64).clamp(earliest, MOST_LATER);
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
            wait_ms: self.wait / 48.0,
            inverted: self.inverted[0] != self.inverted[1],
            ..SoundStats::default()
        }
    }
}

fn patience(orders: &SoundOrders) -> Duration {
    Duration::from_millis(u64::from(orders.silent_after_ms.clamp(1000, 30_000)))
}
