//! Bus: from both lines to the programme's sound.
//!
//! A strip makes one line's channels right and sets its gain; the bus fades from line to line, cuts
//! what lies below speech, leads the loudness, mutes, and lets nothing pass −1 dBTP. Nothing in it
//! moves in a step, so nothing in it clicks.

use super::filter::{Biquad, SECOND};
use super::leads::{Leads, Matrix};
use super::limiter::{AHEAD, Limiter};
use super::settings::{Gain, SoundOrders};
use crate::media::meter::{Levels, Meter};
use crate::media::sound::Stereo;
use crate::media::stream::Line;

/// Crossfade from line to line, samples: 20 ms.
pub(super) const CROSSFADE: usize = 960;
/// What gains and leads move by in a sample: full way in 20 ms.
const STEP: f32 = 1.0 / CROSSFADE as f32;
/// Levelling moves the gain by this at most in a tenth of a second, dB: nobody hears it breathe.
const LEVEL_STEP: f64 = 0.04;
/// Levelling lifts and lowers by this at most, dB.
const LEVEL_MOST: f64 = 12.0;
/// Below this momentary loudness levelling waits: a pause is not to be lifted. LUFS.
const LEVEL_GATE: f64 = -45.0;

/// One line on its way to the bus.
#[derive(Debug, Clone)]
pub struct Strip {
    matrix: Matrix,
    wanted: Matrix,
    inverted: bool,
}

impl Default for Strip {
    fn default() -> Self {
        let straight = Leads::Stereo.matrix();
        Self { matrix: straight, wanted: straight, inverted: false }
    }
}

impl Strip {
    /// What the line's channels carry, its gain, and whether the whole line is upside down against the other.
    pub fn set(&mut self, leads: Leads, gain: Gain, inverted: bool) {
        let factor = if inverted { -gain.factor() } else { gain.factor() };
        self.inverted = inverted;
        self.wanted = Matrix(leads.matrix().0.map(|row| row.map(|entry| entry * factor)));
    }

    /// True if the line is turned upside down to agree with the other.
    #[must_use]
    pub fn is_inverted(&self) -> bool {
        self.inverted
    }

    /// Makes the samples right, in place.
    pub fn apply(&mut self, samples: &mut [Stereo]) {
        // a gain of 20 dB is ten times as far to go
        let step = STEP * 10.0;
        for sample in samples {
            if self.matrix != self.wanted {
                self.matrix.approach(&self.wanted, step);
            }
            *sample = self.matrix.apply(*sample);
        }
    }
}

/// The programme's sound.
#[derive(Debug)]
pub struct Bus {
    /// The line that is left, and the one that is gone to.
    from: Line,
    to: Line,
    /// How far the fade between them is, 0 to 1.
    position: f32,
    line: Line,
    high_pass: Option<(u16, [Biquad; 2])>,
    level: (f64, f64),
    factor: f32,
    open: f32,
    limiter: Limiter,
    meter: Meter,
    heard: Vec<Stereo>,
}

impl Bus {
    /// How much later sound leaves the bus than it enters, in samples.
    pub const DELAY: usize = AHEAD + 6;

    /// A bus that starts on `line`.
    #[must_use]
    pub fn new(line: Line, meter: Meter) -> Self {
        Self {
            from: line,
            to: line,
            position: 1.0,
            line,
            high_pass: None,
            level: (0.0, 0.0),
            factor: 1.0,
            open: 1.0,
            limiter: Limiter::new(),
            meter,
            heard: Vec::new(),
        }
    }

    /// Fades over to `line`; a fade that runs is ended first.
    pub fn select(&mut self, line: Line) {
        self.line = line;
    }

    /// The line that alone is heard; `None` while it fades from one to the other.
    #[must_use]
    pub fn settled(&self) -> Option<Line> {
        (self.position >= 1.0).then_some(self.to)
    }

    /// One tick of the programme's sound from one tick of every line, in the order of [`Line::ALL`]; the
    /// samples are good until the next.
    pub fn mix(&mut self, orders: &SoundOrders, lines: [&[Stereo]; 3]) -> &[Stereo] {
        if self.settled().is_some_and(|settled| settled != self.line) {
            (self.from, self.to, self.position) = (self.to, self.line, 0.0);
        }
        let (from, to) = (lines[self.from.index()], lines[self.to.index()]);
        self.heard.clear();
        if self.position >= 1.0 {
            self.heard.extend_from_slice(to);
        } else {
            for (from, to) in from.iter().zip(to) {
                self.position = (self.position + STEP).min(1.0);
                // equal power: two lines are seldom the same to the sample
                let (come, leave) = (self.position * std::f32::consts::FRAC_PI_2).sin_cos();
                self.heard.push([from[0] * leave + to[0] * come, from[1] * leave + to[1] * come]);
            }
        }
        self.set_high_pass(orders.high_pass);
        let wanted = 10_f64.powf(self.level.0 / 20.0) as f32;
        let open = if orders.mute { 0.0 } else { 1.0 };
        for sample in &mut self.heard {
            if let Some((_, sections)) = &mut self.high_pass {
                for (x, section) in sample.iter_mut().zip(sections) {
                    *x = section.next(f64::from(*x)) as f32;
                }
            }
            self.factor += (wanted - self.factor).clamp(-STEP, STEP);
            self.open += (open - self.open).clamp(-STEP, STEP);
            let factor = self.factor * self.open;
            *sample = self.limiter.next(sample.map(|x| x * factor));
        }
        self.meter.push(&self.heard);
        &self.heard
    }

    fn set_high_pass(&mut self, hertz: u16) {
        if self.high_pass.map_or(0, |(is, _)| is) != hertz {
            let section = |hertz| Biquad::high_pass(f64::from(hertz), SECOND, 48_000.0);
            self.high_pass = (hertz > 0).then(|| (hertz, [section(hertz); 2]));
        }
    }

    /// The programme's levels since the last call, and by how much the limiter held it down, dB. To be
    /// called ten times a second: levelling goes by it.
    pub fn take_levels(&mut self, orders: &SoundOrders) -> (Levels, f64) {
        let levels = self.meter.take();
        let (gain, _) = self.level;
        let next = match (orders.levelling.target(), levels.momentary, levels.short_term) {
            (None, ..) => 0.0,
            (Some(target), Some(now), Some(is)) if now > LEVEL_GATE => {
                (gain + (target - is).clamp(-LEVEL_STEP, LEVEL_STEP)).clamp(-LEVEL_MOST, LEVEL_MOST)
            }
            (Some(_), ..) => gain,
        };
        self.level = (next, gain);
        (levels, self.limiter.take_reduction())
    }

    /// The integrated loudness begins afresh.
    pub fn restart(&mut self) {
        self.meter.restart();
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::media::line::Levelling;

    const TICK: usize = 1920;

    fn tone(from: usize, n: usize, amplitude: f64) -> Vec<Stereo> {
        (from..from + n).map(|i| [(amplitude * (TAU * 997.0 * i as f64 / 48_000.0).sin()) as f32; 2]).collect()
    }

    fn steepest(sound: &[Stereo]) -> f32 {
        sound.windows(2).map(|w| (w[1][0] - w[0][0]).abs()).fold(0.0, f32::max)
    }

    fn play(
        bus: &mut Bus,
        orders: &SoundOrders,
        ticks: usize,
        a: f64,
        b: f64,
        mut at: impl FnMut(usize, &mut Bus),
    ) -> Vec<Stereo> {
        let mut heard = Vec::new();
        for tick in 0..ticks {
            at(tick, bus);
            let (a, b) = (tone(tick * TICK, TICK, a), tone(tick * TICK, TICK, b));
            heard.extend_from_slice(bus.mix(orders, [&a, &b, &[]]));
        }
        heard
    }

    #[test]
    fn a_switch_is_a_crossfade_of_twenty_milliseconds_without_a_click() {
        let mut bus = Bus::new(Line::A, Meter::new());
        let heard = play(&mut bus, &SoundOrders::default(), 20, 0.0, 0.5, |tick, bus| {
            bus.select(if tick < 10 { Line::A } else { Line::B });
        });

        let begins = heard.iter().position(|s| s[0].abs() > 0.01).unwrap();
        let full = heard.iter().position(|s| s[0].abs() > 0.49).unwrap();
        let from = 10 * TICK + Bus::DELAY;
        assert!((from..from + 200).contains(&begins), "{begins}");
        assert!(full < from + CROSSFADE + 48, "{full}");
        assert!(steepest(&heard) < 0.5 * TAU as f32 * 997.0 / 48_000.0 * 1.1);
        assert_eq!(bus.settled(), Some(Line::B));
    }

    #[test]
    fn aligned_lines_with_the_same_programme_are_switched_without_a_gap() {
        let mut bus = Bus::new(Line::A, Meter::new());
        let heard = play(&mut bus, &SoundOrders::default(), 20, 0.3, 0.3, |tick, bus| {
            bus.select(if tick < 10 { Line::A } else { Line::B });
        });
        // in no millisecond is it weaker than before, and at most 3 dB louder
        for window in heard[TICK..].chunks_exact(96) {
            let peak = window.iter().fold(0.0_f32, |p, s| p.max(s[0].abs()));
            assert!((0.29..0.43).contains(&peak), "{peak}");
        }
    }

    #[test]
    fn mute_and_gain_move_without_a_click() {
        let (mut bus, mut strip) = (Bus::new(Line::A, Meter::new()), Strip::default());
        let mut heard = Vec::new();
        for tick in 0..30 {
            let orders = SoundOrders { mute: (10..20).contains(&tick), ..SoundOrders::default() };
            strip.set(Leads::Stereo, Gain::db(if tick > 25 { -20.0 } else { 0.0 }), false);
            let mut a = tone(tick * TICK, TICK, 0.5);
            strip.apply(&mut a);
            heard.extend_from_slice(bus.mix(&orders, [&a, &a, &[]]));
        }

        assert!(steepest(&heard) < 0.0653 * 1.15);
        assert!(heard[12 * TICK..20 * TICK].iter().all(|s| s[0].abs() < 1e-6));
        let peak = heard[28 * TICK..].iter().fold(0.0_f32, |p, s| p.max(s[0].abs()));
        assert!((peak - 0.05).abs() < 0.002, "{peak}");
    }

    #[test]
    fn either_lead_alone_feeds_both_ears_and_a_channel_upside_down_is_turned() {
        for (leads, input, wanted) in [
            (Leads::LeftOnly, [0.4, 0.0], [0.4, 0.4]),
            (Leads::RightOnly, [0.0, 0.4], [0.4, 0.4]),
            (Leads::Inverted, [0.4, -0.4], [0.4, 0.4]),
            (Leads::Stereo, [0.4, 0.2], [0.4, 0.2]),
        ] {
            let mut strip = Strip::default();
            strip.set(leads, Gain::default(), false);
            let mut samples = vec![input; TICK];
            strip.apply(&mut samples);
            assert_eq!(samples[TICK - 1], wanted, "{leads:?}");
        }
    }

    #[test]
    fn levelling_leads_the_programme_to_its_loudness_and_leaves_pauses_alone() {
        for levelling in [Levelling::Web, Levelling::Broadcast] {
            let orders = SoundOrders { levelling, ..SoundOrders::default() };
            let mut bus = Bus::new(Line::A, Meter::new());
            // 10 ticks of 0.1 s a second; −26 LUFS comes in
            let amplitude = 10_f64.powf(-26.0 / 20.0);
            let mut levels = Levels::SILENCE;
            for tick in 0..500 {
                let a = tone(tick * 4800, 4800, if tick >= 400 { 0.0 } else { amplitude });
                bus.mix(&orders, [&a, &a, &[]]);
                let told = bus.take_levels(&orders).0;
                if tick == 399 {
                    levels = told;
                }
            }
            let target = levelling.target().unwrap();
            assert!((levels.short_term.unwrap() - target).abs() < 0.5, "{levels:?}");
            assert!((bus.level.0 - (target + 26.0)).abs() < 1.0, "{:?}", bus.level);
        }
    }

    #[test]
    fn the_high_pass_takes_an_offset_away() {
        let orders = SoundOrders { high_pass: 40, ..SoundOrders::default() };
        let mut bus = Bus::new(Line::A, Meter::new());
        let offset = vec![[0.3; 2]; 48_000];
        let heard = bus.mix(&orders, [&offset, &offset, &[]]);
        assert!(heard[40_000..].iter().all(|s| s[0].abs() < 1e-3));
    }
}
