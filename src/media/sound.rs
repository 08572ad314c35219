//! Sound: one mixer line's store between its capture and the mix of both lines.
//!
//! A capture pushes samples as they come, with the time of the last; the pump takes an exact number a
//! tick. A store that runs dry fades to silence and comes back when it is filled to its target again. A
//! card whose clock differs is resampled: the ratio is its measured drift, and a little more or less
//! until the store is as full as it was when it began.

use std::collections::VecDeque;
use std::time::Duration;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Adjustable, Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};

use super::line::Drift;
use super::stream::FrameRate;
use crate::time::Instant;

/// Samples a second and channel, everywhere in the house.
pub const SAMPLE_RATE: u32 = 48_000;
/// Fade at an edge between sound and silence, samples: 5 ms is no click and no loss.
const FADE: usize = 240;
/// Ticks from the first sound until it is known how full a store this capture keeps: its pieces may be long.
const LEARN: u32 = 64;
/// Beyond this above the target the surplus is cut out at once, samples: half a second.
const SURPLUS: usize = 24_000;
/// The resampler gives pieces of this many samples: 5 ms.
const PIECE: usize = 240;
/// Taps of the resampler: flat to 17 kHz, which is all that AAC at 128 kbit/s keeps.
const TAPS: usize = 32;
/// Farthest that the ratio is led: a crystal is off by 100 ppm at most, and a full second is 1 cent.
const REACH: f64 = 0.002;
/// A store that strays is led back within so many seconds.
const BACK_WITHIN: f64 = 10.0;
/// Most that straying adds to the drift: half a cent of pitch.
const LEAD: f64 = 0.0003;

/// A capture that goes on within so many samples after the store ran dry was late: 200 ms.
const STUTTER: usize = 9600;

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
pub struct Store {
    samples: VecDeque<Stereo>,
    made: VecDeque<Stereo>,
    input: Vec<f32>,
    output: Vec<f32>,
    // absent if it is plain, or if the crate refused a ratio of one; the line is then passed on as it comes
    resampler: Option<Async<f32>>,
    drift: Drift,
    base: usize,
    extra: i64,
    phase: Phase,
    // how full it is before a tick, smoothed, and how full this capture keeps it
    level: f64,
    usual: f64,
    ticks: u32,
    // ticks since it ran dry, until it is known why
    dry: Option<u32>,
    stuttered: bool,
    last: Stereo,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("samples", &self.samples.len())
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// A store that delays sound by `delay`, so that it meets its picture.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        let base = (delay.as_micros() as usize * SAMPLE_RATE as usize / 1_000_000).max(FADE * 2);
        let parameters = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2)
            .oversampling_factor(256)
            .interpolation(SincInterpolationType::Linear);
        Self {
            samples: VecDeque::new(),
            made: VecDeque::new(),
            input: Vec::new(),
            output: vec![0.0; PIECE * 2],
            resampler: Async::new_sinc(1.0, 1.0 + REACH, &parameters, PIECE, 2, FixedAsync::Output).ok(),
            drift: Drift::new(),
            base,
            extra: 0,
            phase: Phase::Silent,
            level: 0.0,
            usual: 0.0,
            ticks: 0,
            dry: None,
            stuttered: false,
            last: [0.0; 2],
        }
    }

    /// A store that passes the line on as its card's clock gives it, for a processor that has no time for more.
    #[must_use]
    pub fn plain(delay: Duration) -> Self {
        Self { resampler: None, ..Self::new(delay) }
    }

    /// Takes captured samples, of which the last was taken at `at`.
    pub fn push(&mut self, at: Instant, samples: impl IntoIterator<Item = Stereo>) {
        let before = self.samples.len();
        self.samples.extend(samples);
        self.drift.push(at, self.samples.len() - before);
        if self.filled() > self.target() + SURPLUS {
            self.cut(self.filled() - self.target());
            (self.ticks, self.usual) = (0, 0.0);
        }
    }

    /// Samples were lost before what comes next, or the card was opened again.
    pub fn restart(&mut self, at: Instant) {
        self.drift.restart(at);
    }

    /// Parts per million by which the card runs faster than the programme, once that is known.
    #[must_use]
    pub fn ppm(&self) -> Option<f64> {
        self.drift.ppm()
    }

    /// Moves the line by so many samples against the others, later if positive, from now on: what was
    /// kept is left out or waited for. Where it is heard, the change is a short fade out and in.
    pub fn set_extra(&mut self, extra: i64, heard: bool) {
        let extra = extra.max(FADE as i64 * 2 - self.base as i64);
        let by = extra - self.extra;
        self.extra = extra;
        if by == 0 || self.phase == Phase::Silent {
            return;
        }
        if heard {
            self.samples.clear();
            return;
        }
        match usize::try_from(by) {
            Ok(later) => (0..later).for_each(|_| self.samples.push_front([0.0; 2])),
            Err(_) => {
                let earlier = (-by) as usize;
                self.samples.drain(..earlier.min(self.samples.len()));
            }
        }
        self.level += by as f64;
        self.usual += by as f64;
    }

    /// By how many samples the line is moved.
    #[must_use]
    pub fn extra(&self) -> i64 {
        self.extra
    }

    fn target(&self) -> usize {
        self.base.saturating_add_signed(self.extra as isize)
    }

    fn filled(&self) -> usize {
        self.samples.len() + self.made.len()
    }

    // joins the start of the store to what lies a surplus later, over a short crossfade
    fn cut(&mut self, surplus: usize) {
        let surplus = surplus.min(self.samples.len().saturating_sub(FADE));
        for i in 0..FADE.min(self.samples.len().saturating_sub(surplus)) {
            let k = i as f32 / FADE as f32;
            let (old, new) = (self.samples[i], self.samples[surplus + i]);
            self.samples[surplus + i] = [old[0] * (1.0 - k) + new[0] * k, old[1] * (1.0 - k) + new[1] * k];
        }
        self.samples.drain(..surplus);
    }

    /// Fills `out` for one tick; silence where there is nothing. True if the line is sounding.
    pub fn pull(&mut self, out: &mut [Stereo]) -> bool {
        if self.phase == Phase::Silent {
            self.look_back(out.len());
            let wanted = self.target().max(out.len() + 2 * PIECE);
            if self.samples.len() < wanted {
                self.ring_out(out, 0);
                return false;
            }
            self.phase = Phase::Playing { faded_in: 0 };
            // what is beyond the target would only be delay; nobody hears it go, it was silent
            self.samples.drain(..self.samples.len() - wanted);
            (self.ticks, self.usual) = (0, 0.0);
        }
        self.follow();
        while self.made.len() < out.len() && self.resample() {}
        if self.made.len() < out.len() {
            let left = self.made.len();
            for (slot, sample) in out.iter_mut().zip(self.made.drain(..)) {
                *slot = sample;
            }
            if left > 0 {
                self.last = out[left - 1];
            }
            self.samples.clear();
            self.ring_out(out, left);
            self.phase = Phase::Silent;
            self.dry = Some(0);
            if let Some(resampler) = &mut self.resampler {
                resampler.reset();
            }
            return false;
        }
        let whole = out.len();
        for (slot, sample) in out.iter_mut().zip(self.made.drain(..whole)) {
            *slot = sample;
        }
        self.fade_in(out);
        if let Some(last) = out.last() {
            self.last = *last;
        }
        true
    }

    /// True once after the store ran dry and the capture went on at once: it was late, not silent.
    pub fn take_stutter(&mut self) -> bool {
        std::mem::take(&mut self.stuttered)
    }

    // what comes within STUTTER of running dry was only late
    fn look_back(&mut self, tick: usize) {
        let Some(ticks) = self.dry else { return };
        self.dry = (ticks as usize * tick < STUTTER).then_some(ticks + 1);
        if !self.samples.is_empty() {
            (self.dry, self.stuttered) = (None, true);
        }
    }

    // from the last sample down to silence; what was there stays before `from`
    fn ring_out(&mut self, out: &mut [Stereo], from: usize) {
        for (i, slot) in out[from..].iter_mut().enumerate() {
            let k = 1.0 - (i as f32 + 1.0) / FADE as f32;
            *slot = if k > 0.0 { [self.last[0] * k, self.last[1] * k] } else { [0.0; 2] };
        }
        self.last = [0.0; 2];
    }

    // sets the ratio from the drift and from how full the store is
    fn follow(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
        let now = self.filled() as f64;
        if self.ticks <= LEARN {
            let before = if self.ticks == 1 { now } else { self.level };
            self.level = before + (now - before) / f64::from(self.ticks);
            self.usual = self.level;
        } else {
            self.level += (now - self.level) / 128.0;
        }
        let strayed = (self.level - self.usual) / (f64::from(SAMPLE_RATE) * BACK_WITHIN);
        let faster = self.drift.ppm().unwrap_or(0.0) * 1e-6 + strayed.clamp(-LEAD, LEAD);
        if let Some(resampler) = &mut self.resampler {
            // within its reach by the clamp, and its only error is to be out of reach
            let _ =
                resampler.set_resample_ratio((1.0 / (1.0 + faster)).clamp(1.0 - REACH / 2.0, 1.0 + REACH / 2.0), true);
        }
    }

    // one more piece, if there is enough for it
    fn resample(&mut self) -> bool {
        let Some(resampler) = &mut self.resampler else {
            let passed = self.samples.len().min(PIECE);
            self.made.extend(self.samples.drain(..passed));
            return passed > 0;
        };
        let needed = resampler.input_frames_next();
        if self.samples.len() < needed {
            return false;
        }
        self.input.clear();
        self.input.extend(self.samples.drain(..needed).flatten());
        let made = InterleavedSlice::new(&self.input, 2, needed).ok().and_then(|input| {
            let mut output = InterleavedSlice::new_mut(&mut self.output, 2, PIECE).ok()?;
            resampler.process_into_buffer(&input, &mut output, None).ok()
        });
        let Some((_, frames)) = made else { return false };
        self.made.extend(self.output[..frames * 2].chunks_exact(2).map(|s| [s[0], s[1]]));
        true
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

    fn at(samples: usize) -> Instant {
        Instant::from_micros(samples as u64 * 1000 / 48)
    }

    #[test]
    fn a_steady_line_passes_unchanged() {
        let mut store = Store::new(Duration::from_millis(140));
        let (mut made, mut heard) = (0, Vec::new());
        for _ in 0..200 {
            made += TICK;
            store.push(at(made), tone(made - TICK, TICK));
            let mut out = vec![[0.0; 2]; TICK];
            if store.pull(&mut out) {
                heard.extend(out);
            }
        }
        assert!(heard.len() > 190 * TICK);
        // what came before the target was reached is left out; the resampler's taps delay a little
        let heard = &heard[4 * TICK..100 * TICK];
        let off = |shift: usize| {
            let given = tone(8 * TICK - store.target() - 80 + shift, heard.len());
            heard.iter().zip(&given).map(|(h, g)| (h[0] - g[0]).abs()).fold(0.0, f32::max)
        };
        let best = (0..160).map(off).fold(1.0, f32::min);
        assert!(best < 2e-3, "{best}");
    }

    #[test]
    fn a_line_that_stops_and_returns_makes_no_click() {
        let mut store = Store::new(Duration::from_millis(140));
        let (mut made, mut heard, mut sounding) = (0, Vec::new(), 0);
        for tick in 0..150 {
            made += TICK;
            if !(60..90).contains(&tick) {
                store.push(at(made), tone(made - TICK, TICK));
            }
            let mut out = vec![[0.0; 2]; TICK];
            sounding += usize::from(store.pull(&mut out));
            heard.extend(out);
        }
        assert!((105..125).contains(&sounding), "{sounding}");
        assert!(roughest(&heard) < STEEPEST * 1.2, "{}", roughest(&heard));
    }

    #[test]
    fn a_card_that_runs_off_is_measured_in_ppm_and_followed_without_a_click_or_a_hole() {
        for ppm in [200i64, -150, 40] {
            let mut store = Store::new(Duration::from_millis(140));
            let (mut made, mut owed, mut heard, mut holes) = (0usize, 0i64, Vec::new(), 0);
            for tick in 0..9000 {
                owed += TICK as i64 * (1_000_000 + ppm);
                let n = (owed / 1_000_000) as usize;
                owed -= n as i64 * 1_000_000;
                store.push(at((tick + 1) * TICK), tone(made, n));
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
            assert!(off.abs() < 240.0, "{ppm}: {off}");
            let measured = store.ppm().unwrap();
            assert!((measured - ppm as f64).abs() < 3.0, "{ppm}: {measured}");
        }
    }

    #[test]
    fn a_burst_after_a_pause_is_cut_back_to_the_target() {
        let mut store = Store::new(Duration::from_millis(140));
        store.push(at(200_000), tone(0, 200_000));
        assert_eq!(store.samples.len(), store.target());
    }

    #[test]
    fn a_line_off_the_air_is_moved_to_the_sample_and_never_below_what_threads_need() {
        let mut heard: Vec<Vec<Stereo>> = Vec::new();
        for extra in [0, 960, -2400] {
            let mut store = Store::new(Duration::from_millis(200));
            let mut sound = Vec::new();
            for tick in 0..60 {
                store.push(at((tick + 1) * TICK), (0..TICK).map(|i| [((tick * TICK + i) as f32).sqrt() / 400.0; 2]));
                if tick == 30 {
                    store.set_extra(extra, false);
                }
                let mut out = vec![[0.0; 2]; TICK];
                store.pull(&mut out);
                sound.extend(out);
            }
            heard.push(sound);
        }
        let place = |sound: &[Stereo], value: f32| sound.iter().position(|s| s[0] > value).unwrap() as i64;
        let value = heard[0][50 * TICK][0];
        let of = |i: usize| place(&heard[i], value) - place(&heard[0], value);
        assert!((of(1) - 960).abs() <= 2 && (of(2) + 2400).abs() <= 2, "{} {}", of(1), of(2));

        let mut store = Store::new(Duration::from_millis(200));
        store.set_extra(-1_000_000, false);
        assert_eq!(store.target(), FADE * 2);
    }

    #[test]
    fn a_capture_that_was_late_is_told_from_one_that_fell_silent() {
        let mut out = [[0.0; 2]; 1920];
        let mut dry = |pause: usize| {
            let mut store = Store::new(Duration::from_millis(60));
            let mut at = Instant::from_millis(1000);
            let mut push = |store: &mut Store, n: usize| {
                at += Duration::from_micros(n as u64 * 1_000_000 / 48_000);
                store.push(at, std::iter::repeat_n([0.1; 2], n));
            };
            push(&mut store, 4800);
            while store.pull(&mut out) {}
            assert!(!store.take_stutter(), "running dry alone says nothing");
            (0..pause).for_each(|_| _ = store.pull(&mut out));
            push(&mut store, 480);
            store.pull(&mut out);
            (store.take_stutter(), store.take_stutter())
        };

        assert_eq!(dry(1), (true, false), "told once");
        assert_eq!(dry(20), (false, false));
    }
}
