//! Sound: one mixer line's store, and the mix of both lines for the programme.
//!
//! A capture pushes samples as they come; the pump takes an exact number a tick. A store that runs
//! dry fades to silence and comes back when it is filled to its target again; a card whose clock differs
//! is followed by leaving out or inserting one sample a tick, interpolated, so that nobody hears it.

use std::collections::VecDeque;
use std::time::Duration;

use super::stream::{FrameRate, Line};
use crate::units::Dbfs;

/// Samples a second and channel, everywhere in the house.
pub const SAMPLE_RATE: u32 = 48_000;
/// Fade at an edge between sound and silence, samples: 5 ms is no click and no loss.
const FADE: usize = 240;
/// Crossfade from line to line, samples: 20 ms.
const CROSSFADE: usize = 960;
/// The store may stray so far from its target before it is led back, samples: 15 ms.
const STRAY: f64 = 720.0;
/// Led back until within this, samples: 1 ms.
const NEAR: f64 = 48.0;
/// Ticks from the first sound until it is known how full a store this capture keeps: its pieces may be long.
const LEARN: u32 = 64;
/// Beyond this above the target the surplus is cut out at once, samples: half a second.
const SURPLUS: usize = 24_000;

/// One sample of both ears, −1.0 to 1.0.
pub type Stereo = [f32; 2];

/// First sample of tick `index`; a tick's samples reach to the first of the next.
#[must_use]
pub fn first_sample(rate: FrameRate, index: u64) -> u64 {
    (u128::from(index) * u128::from(SAMPLE_RATE) * u128::from(rate.den) / u128::from(rate.num)) as u64
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Silent,
    Playing { faded_in: usize },
}

/// What one line gives between its capture and the mix.
#[derive(Debug)]
pub struct Store {
    samples: VecDeque<Stereo>,
    target: usize,
    phase: Phase,
    // how full it is before a tick, smoothed, and how full this capture keeps it
    level: f64,
    usual: f64,
    ticks: u32,
    leading: i8,
    last: Stereo,
    peak: f32,
}

impl Store {
    /// A store that delays sound by `delay`, so that it meets its picture.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        let target = (delay.as_micros() as usize * SAMPLE_RATE as usize / 1_000_000).max(FADE * 2);
        Self {
            samples: VecDeque::new(),
            target,
            phase: Phase::Silent,
            level: 0.0,
            usual: 0.0,
            ticks: 0,
            leading: 0,
            last: [0.0; 2],
            peak: 0.0,
        }
    }

    /// Takes captured samples.
    pub fn push(&mut self, samples: impl IntoIterator<Item = Stereo>) {
        self.samples.extend(samples);
        if self.samples.len() > self.target + SURPLUS {
            self.cut();
        }
    }

    // joins the start of the store to what lies a surplus later, over a short crossfade
    fn cut(&mut self) {
        let surplus = self.samples.len() - self.target;
        for i in 0..FADE {
            let k = i as f32 / FADE as f32;
            let (old, new) = (self.samples[i], self.samples[surplus + i]);
            self.samples[surplus + i] = [old[0] * (1.0 - k) + new[0] * k, old[1] * (1.0 - k) + new[1] * k];
        }
        self.samples.drain(..surplus);
        (self.ticks, self.leading) = (0, 0);
    }

    /// Fills `out` for one tick; silence where there is nothing. True if the line is sounding.
    pub fn pull(&mut self, out: &mut [Stereo]) -> bool {
        if self.phase == Phase::Silent {
            if self.samples.len() < self.target.max(out.len() + 2) {
                self.ring_out(out, 0);
                return false;
            }
            self.phase = Phase::Playing { faded_in: 0 };
            // what is beyond the target would only be delay; nobody hears it go, it was silent
            self.samples.drain(..self.samples.len() - self.target.max(out.len() + 2));
            (self.ticks, self.leading) = (0, 0);
        }
        self.follow();
        let take = out.len().saturating_add_signed(isize::from(self.leading));
        if self.samples.len() < take + 2 {
            let left = self.samples.len().min(out.len());
            for (slot, sample) in out.iter_mut().zip(self.samples.drain(..left)) {
                *slot = sample;
            }
            self.measure(&out[..left]);
            if left > 0 {
                self.last = out[left - 1];
            }
            self.samples.clear();
            self.ring_out(out, left);
            self.phase = Phase::Silent;
            return false;
        }
        self.resample(out, take);
        self.fade_in(out);
        self.measure(out);
        if let Some(last) = out.last() {
            self.last = *last;
        }
        true
    }

    // from the last sample down to silence; what was there stays before `from`
    fn ring_out(&mut self, out: &mut [Stereo], from: usize) {
        for (i, slot) in out[from..].iter_mut().enumerate() {
            let k = 1.0 - (i as f32 + 1.0) / FADE as f32;
            *slot = if k > 0.0 { [self.last[0] * k, self.last[1] * k] } else { [0.0; 2] };
        }
        self.last = [0.0; 2];
    }

    fn follow(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
        let now = self.samples.len() as f64;
        if self.ticks <= LEARN {
            let before = if self.ticks == 1 { now } else { self.level };
            self.level = before + (now - before) / f64::from(self.ticks);
            self.usual = self.level;
            return;
        }
        self.level += (now - self.level) / 128.0;
        let off = self.level - self.usual;
        self.leading = match self.leading {
            0 if off > STRAY => 1,
            0 if off < -STRAY => -1,
            1 if off < NEAR => 0,
            -1 if off > -NEAR => 0,
            same => same,
        };
    }

    // `take` samples of the store become out.len(), joined without a step to the next tick
    fn resample(&mut self, out: &mut [Stereo], take: usize) {
        if take == out.len() {
            for (slot, sample) in out.iter_mut().zip(self.samples.drain(..take)) {
                *slot = sample;
            }
            return;
        }
        let n = out.len() as f64;
        for (i, slot) in out.iter_mut().enumerate() {
            let at = i as f64 * take as f64 / n;
            let (whole, part) = (at as usize, (at.fract()) as f32);
            let point = |k: usize| self.samples.get(k).copied().unwrap_or_default();
            let before = if whole == 0 { self.last } else { point(whole - 1) };
            let (a, b, after) = (point(whole), point(whole + 1), point(whole + 2));
            *slot = std::array::from_fn(|ear| cubic(before[ear], a[ear], b[ear], after[ear], part));
        }
        self.last = self.samples[take - 1];
        self.samples.drain(..take);
    }

    fn fade_in(&mut self, out: &mut [Stereo]) {
        if let Phase::Playing { faded_in } = &mut self.phase {
            for slot in out.iter_mut() {
                if *faded_in >= FADE {
                    break;
                }
                let k = *faded_in as f32 / FADE as f32;
                *slot = [slot[0] * k, slot[1] * k];
                *faded_in += 1;
            }
        }
    }

    fn measure(&mut self, samples: &[Stereo]) {
        self.peak = samples.iter().flatten().fold(self.peak, |peak, s| peak.max(s.abs()));
    }

    /// The peak since the last call; `None` while the line gives nothing.
    pub fn take_level(&mut self) -> Option<Dbfs> {
        let peak = std::mem::take(&mut self.peak);
        matches!(self.phase, Phase::Playing { .. }).then(|| Dbfs::from_amplitude(f64::from(peak)))
    }
}

fn cubic(before: f32, a: f32, b: f32, after: f32, t: f32) -> f32 {
    let (c1, c2, c3) =
        ((b - before) / 2.0, before - 2.5 * a + 2.0 * b - after / 2.0, (after - before) / 2.0 + 1.5 * (a - b));
    ((c3 * t + c2) * t + c1) * t + a
}

/// Which line is heard, with a short crossfade at a change.
#[derive(Debug)]
pub struct Mix {
    // 0.0 is line A, 1.0 line B
    position: f32,
    line: Line,
}

impl Mix {
    /// A mix that starts on `line`.
    #[must_use]
    pub fn new(line: Line) -> Self {
        Self { position: if line == Line::A { 0.0 } else { 1.0 }, line }
    }

    /// Fades over to `line`.
    pub fn select(&mut self, line: Line) {
        self.line = line;
    }

    /// One tick of the programme's sound from both lines.
    pub fn mix(&mut self, a: &[Stereo], b: &[Stereo], mut out: impl FnMut(Stereo)) {
        let (wanted, heard) = if self.line == Line::A { (0.0, a) } else { (1.0, b) };
        if self.position == wanted {
            return heard.iter().copied().for_each(out);
        }
        for (a, b) in a.iter().zip(b) {
            let step = 1.0 / CROSSFADE as f32;
            self.position += (wanted - self.position).clamp(-step, step);
            let k = self.position;
            out([a[0] * (1.0 - k) + b[0] * k, a[1] * (1.0 - k) + b[1] * k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const TICK: usize = 1920;

    fn tone(from: usize, n: usize) -> Vec<Stereo> {
        (from..from + n).map(|i| [(0.5 * (TAU * 997.0 * i as f64 / 48_000.0).sin()) as f32; 2]).collect()
    }

    fn roughest(sound: &[Stereo]) -> f32 {
        sound.windows(2).map(|w| (w[1][0] - w[0][0]).abs()).fold(0.0, f32::max)
    }

    /// Steepest step of the tone itself: 0.5 · 2π · 997 / 48000.
    const STEEPEST: f32 = 0.0653;

    #[test]
    fn samples_of_all_ticks_join_without_a_hole() {
        let rate = FrameRate { num: 30_000, den: 1001 };
        assert_eq!(first_sample(rate, 0), 0);
        assert_eq!(first_sample(rate, 30_000), 48_000 * 1001);
        assert!((0..1000).all(|n| (1601..=1602).contains(&(first_sample(rate, n + 1) - first_sample(rate, n)))));
    }

    #[test]
    fn a_steady_line_passes_unchanged() {
        let mut store = Store::new(Duration::from_millis(140));
        let (mut made, mut heard) = (0, Vec::new());
        for _ in 0..200 {
            store.push(tone(made, TICK));
            made += TICK;
            let mut out = vec![[0.0; 2]; TICK];
            if store.pull(&mut out) {
                heard.extend(out);
            }
        }
        // what came before the target was reached is left out
        let given = tone(4 * TICK - store.target, heard.len());
        assert!(heard.len() > 190 * TICK);
        assert!(heard[FADE..].iter().zip(&given[FADE..]).all(|(h, g)| (h[0] - g[0]).abs() < 1e-6));
    }

    #[test]
    fn a_line_that_stops_and_returns_makes_no_click() {
        let mut store = Store::new(Duration::from_millis(140));
        let (mut made, mut heard, mut sounding) = (0, Vec::new(), 0);
        for tick in 0..150 {
            if !(60..90).contains(&tick) {
                store.push(tone(made, TICK));
            }
            made += TICK;
            let mut out = vec![[0.0; 2]; TICK];
            sounding += usize::from(store.pull(&mut out));
            heard.extend(out);
        }
        assert!((105..125).contains(&sounding), "{sounding}");
        assert!(roughest(&heard) < STEEPEST * 1.2, "{}", roughest(&heard));
    }

    #[test]
    fn a_card_that_runs_200_ppm_off_is_followed_without_a_click_or_a_hole() {
        for ppm in [200i64, -200] {
            let mut store = Store::new(Duration::from_millis(140));
            let (mut made, mut owed, mut heard, mut holes) = (0usize, 0i64, Vec::new(), 0);
            for tick in 0..9000 {
                owed += TICK as i64 * (1_000_000 + ppm);
                let n = (owed / 1_000_000) as usize;
                owed -= n as i64 * 1_000_000;
                store.push(tone(made, n));
                made += n;
                let mut out = vec![[0.0; 2]; TICK];
                holes += usize::from(!store.pull(&mut out) && tick > 10);
                if tick > 10 {
                    heard.extend(out);
                }
            }
            assert_eq!(holes, 0, "{ppm}");
            assert!(roughest(&heard) < STEEPEST * 1.1, "{ppm}: {}", roughest(&heard));
            let off = store.level - store.usual;
            assert!(off.abs() < 1000.0, "{ppm}: {off}");
        }
    }

    #[test]
    fn a_burst_after_a_pause_is_cut_back_to_the_target() {
        let mut store = Store::new(Duration::from_millis(140));
        store.push(tone(0, 200_000));
        assert_eq!(store.samples.len(), store.target);
    }

    #[test]
    fn a_change_of_line_is_a_crossfade() {
        let (a, b) = (vec![[0.5; 2]; 4 * TICK], vec![[-0.5; 2]; 4 * TICK]);
        let mut mix = Mix::new(Line::A);
        mix.select(Line::B);
        let mut heard = Vec::new();
        mix.mix(&a, &b, |s| heard.push(s));
        assert!(roughest(&heard) < 0.002);
        assert_eq!(heard.last(), Some(&[-0.5; 2]));
    }

    #[test]
    fn the_level_is_the_peak_and_is_absent_when_the_line_is_silent() {
        let mut store = Store::new(Duration::from_millis(10));
        assert_eq!(store.take_level(), None);
        store.push(tone(0, 48_000 / 5));
        store.pull(&mut vec![[0.0; 2]; TICK]);
        let level = store.take_level().unwrap().0;
        assert!((level + 6.0).abs() < 0.2, "{level}");
    }
}
