//! Sound: one mixer line's store between its capture and the mix of both lines.
//!
//! A capture pushes samples as they come, with the time of the last; the pump takes an exact number a
//! tick. Which sample is due follows from when it was taken, not from how full the store happens to be:
//! so a line comes back to its very place after every hole, and two lines keep the distance they were
//! given. A store that runs dry fades to silence and comes back when what is due is there again. A
//! card whose clock differs is resampled: the ratio is its measured drift, and a little more or less
//! until the sample that is played is the one that is due.

use std::collections::VecDeque;
use std::time::Duration;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Adjustable, Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};

use super::line::{Bus, Drift};
use super::stream::FrameRate;
use crate::time::Instant;

/// Samples a second and channel, everywhere in the house.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples by which decoded sound lags its time stamps: `voaacenc` says nothing of its own delay. Measured on a wave
/// that went through it and came back, and by a test ever since.
pub const CODER_DELAY: usize = 1600;

/// By so much the time stamps of coded sound are put back, to be heard with its picture: the limiter and the coder
/// hold it back, and a camera of the programme's own rate is shown from three quarters of a `period` before its turn
/// to one quarter after ([`Slot`](super::slot::Slot)), as it lies on the programme's grid: a quarter before, in the
/// middle.
#[must_use]
pub fn held_back(period: Duration) -> Duration {
    let samples = (Bus::DELAY + CODER_DELAY) as u64;
    Duration::from_micros(samples * 1_000_000 / u64::from(SAMPLE_RATE)) + period / 4
}
/// Fade at an edge between sound and silence, samples: 5 ms is no click and no loss.
const FADE: usize = 240;
/// Beyond this above the target the surplus is cut out at once, samples: half a second.
const SURPLUS: usize = 24_000;
/// The resampler gives pieces of this many samples: 5 ms.
const PIECE: usize = 240;
/// Taps of the resampler: flat to 17 kHz, which is all that AAC at 128 kbit/s keeps.
const TAPS: usize = 32;
/// Farthest that the ratio is led either way: a line that glides, and a crystal that is off by 1000 ppm.
const REACH: f64 = 0.004;
/// A line that strays is led back within so many seconds.
const BACK_WITHIN: f64 = 10.0;
/// Most that straying adds to the drift: half a cent of pitch.
const LEAD: f64 = 0.0003;
/// Straying is smoothed over so many ticks: single stamps jitter.
const SMOOTH: f64 = 16.0;
/// A line off the air that is farther astray is set right at once, samples: 5 ms.
const ASTRAY: f64 = 240.0;
/// And one on the air, by a fade out and in, samples: 50 ms are no longer led back but heard.
const FAR: f64 = 2400.0;
/// A move by so little a tick is a glide, samples: it is stretched in, not cut.
const GLIDE: i64 = 16;
/// Pieces that come too late for the line's place are waited for so long, samples: half a second; then it takes
/// the place that they leave it.
const PATIENCE: usize = 24_000;
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
    heard: bool,
    // samples by which it plays too late, smoothed
    astray: f64,
    // samples by which it comes later than it should because its pieces came too late for that
    behind: f64,
    // samples by which it is moved in the tick that comes
    glide: i64,
    late: Lateness,
    // ticks since it ran dry, until it is known why
    dry: Option<u32>,
    // samples for which it has had some and not sounded
    waited: usize,
    // it was emptied on purpose
    left: bool,
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
            resampler: Async::new_sinc(1.0, 1.0 + 2.0 * REACH, &parameters, PIECE, 2, FixedAsync::Output).ok(),
            drift: Drift::new(),
            base,
            extra: 0,
            phase: Phase::Silent,
            heard: false,
            astray: 0.0,
            behind: 0.0,
            glide: 0,
            late: Lateness::default(),
            dry: None,
            waited: 0,
            left: false,
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
            self.astray = 0.0;
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

    /// Moves the line by so many samples against the others, later if positive, from now on; `heard` says
    /// that it is on the air. A little at a time is stretched in; more is left out or waited for, and where it
    /// is heard, that is a short fade out and in.
    pub fn set_extra(&mut self, extra: i64, heard: bool) {
        let extra = extra.max(FADE as i64 * 2 - self.base as i64);
        let by = extra - self.extra;
        (self.extra, self.heard) = (extra, heard);
        if by == 0 || self.phase == Phase::Silent {
            return;
        }
        // what came too late for its place has waited already
        let waited = (self.behind.min(by as f64)).max(0.0);
        self.behind -= waited;
        let by = by - waited.round() as i64;
        if by.abs() <= GLIDE && self.resampler.is_some() {
            self.glide = by;
        } else if heard {
            self.leave();
        } else {
            self.shift(by);
        }
    }

    /// By how many samples the line could come earlier than it does unmoved and still be there for every
    /// tick of `tick` samples; negative if its pieces come too late even so.
    #[must_use]
    pub fn room(&self, tick: usize) -> i64 {
        self.base as i64 - (tick + PIECE) as i64 - self.late.most() as i64
    }

    // out of what is heard, and back in at its place
    fn leave(&mut self) {
        self.samples.clear();
        self.left = true;
    }

    // later by so many samples, between one tick and the next
    fn shift(&mut self, by: i64) {
        match usize::try_from(by) {
            Ok(later) => (0..later).for_each(|_| self.samples.push_front([0.0; 2])),
            Err(_) => {
                let earlier = by.unsigned_abs() as usize;
                self.samples.drain(..earlier.min(self.samples.len()));
            }
        }
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

    /// Fills `out` for the tick that is due at `due`; silence where there is nothing. True if the line is sounding.
    pub fn pull(&mut self, due: Instant, out: &mut [Stereo]) -> bool {
        if self.phase == Phase::Silent {
            self.look_back(out.len());
            let placed = self.target() as f64 + self.drift.ahead(due).unwrap_or_default();
            let least = (out.len() + PIECE) as f64;
            let wanted = placed.max(least);
            let count = wanted.round() as usize;
            if !self.samples.is_empty() {
                self.waited += out.len();
            }
            if self.samples.len() < count || (placed < least && self.waited < PATIENCE) {
                self.ring_out(out, 0);
                return false;
            }
            self.phase = Phase::Playing { faded_in: 0 };
            // what was due before is over; nobody hears it go, it was silent
            self.samples.drain(..self.samples.len() - count);
            (self.behind, self.astray, self.glide, self.waited) = (wanted - placed, 0.0, 0, 0);
        }
        self.follow(due, out.len());
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
            self.dry = (!std::mem::take(&mut self.left)).then_some(0);
            self.late = Lateness::default();
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

    // sets the ratio from the drift and from how far the line is astray
    fn follow(&mut self, due: Instant, tick: usize) {
        let Some(ahead) = self.drift.ahead(due) else { return };
        self.late.hear(-ahead, tick);
        let off = self.filled() as f64 - (self.target() as f64 + ahead + self.behind - self.glide as f64);
        self.astray += (off - self.astray) / SMOOTH;
        let far = if self.heard { FAR } else { ASTRAY };
        let Some(resampler) = &mut self.resampler else { return };
        let strayed = self.astray / (f64::from(SAMPLE_RATE) * BACK_WITHIN);
        let glide = std::mem::take(&mut self.glide) as f64 / tick.max(1) as f64;
        let faster = self.drift.ppm().unwrap_or(0.0) * 1e-6 + strayed.clamp(-LEAD, LEAD) - glide;
        // within its reach by the clamp, and its only error is to be out of reach
        let _ = resampler.set_resample_ratio((1.0 / (1.0 + faster)).clamp(1.0 - REACH, 1.0 + REACH), true);
        if self.astray.abs() > far {
            if self.heard {
                self.leave();
            } else {
                self.shift(-self.astray.round() as i64);
            }
            self.astray = 0.0;
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

/// How late a capture's samples come, at most, over the last ten seconds in which it did not run dry.
#[derive(Debug, Clone, Default)]
struct Lateness {
    seconds: VecDeque<f64>,
    most: f64,
    samples: usize,
}

impl Lateness {
    // before a tick of so many samples the newest one was so late
    fn hear(&mut self, late: f64, tick: usize) {
        self.most = self.most.max(late);
        self.samples += tick;
        if self.samples >= SAMPLE_RATE as usize {
            if self.seconds.len() == 10 {
                self.seconds.pop_front();
            }
            self.seconds.push_back(self.most);
            (self.most, self.samples) = (0.0, 0);
        }
    }

    fn most(&self) -> f64 {
        self.seconds.iter().copied().fold(0.0, f64::max)
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
            if store.pull(at(made), &mut out) {
                heard.extend(out);
            }
        }
        assert!(heard.len() > 190 * TICK);
        // what came before the target was reached is left out; the resampler's taps delay a little
        let heard = &heard[4 * TICK..60 * TICK];
        let off = |shift: f64| {
            let first = (8 * TICK - store.target() - 80) as f64 + shift;
            let given = (0..heard.len()).map(|i| 0.5 * (TAU * 997.0 * (first + i as f64) / 48_000.0).sin());
            heard.iter().zip(given).map(|(h, g)| (f64::from(h[0]) - g).abs()).fold(0.0, f64::max)
        };
        let best = (0..480).map(|thirds| off(f64::from(thirds) / 3.0)).fold(1.0, f64::min);
        // stamps are whole microseconds, by which it wanders a fifth of a sample to and fro
        assert!(best < 0.25 * f64::from(STEEPEST), "{best}");
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
            sounding += usize::from(store.pull(at(made), &mut out));
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
                holes += usize::from(!store.pull(at((tick + 1) * TICK), &mut out) && tick > 10);
                if tick > 10 {
                    heard.extend(out);
                }
            }
            assert_eq!(holes, 0, "{ppm}");
            assert!(roughest(&heard) < STEEPEST * 1.1, "{ppm}: {}", roughest(&heard));
            assert!(store.astray.abs() < 24.0, "{ppm}: {}", store.astray);
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
                store.pull(at((tick + 1) * TICK), &mut out);
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
    fn a_capture_that_was_late_is_told_from_one_that_fell_silent_and_from_one_that_was_moved() {
        let dry = |pause: usize, moved: bool| {
            let mut store = Store::new(Duration::from_millis(60));
            let (mut taken, mut due, mut out) = (0, 0, [[0.0; 2]; TICK]);
            let mut push = |store: &mut Store, n: usize| {
                taken += n;
                store.push(at(taken), std::iter::repeat_n([0.1; 2], n));
            };
            let mut pull = |store: &mut Store| {
                due += TICK;
                store.pull(at(due), &mut out)
            };
            push(&mut store, 2 * TICK);
            while !pull(&mut store) {}
            if moved {
                push(&mut store, TICK);
                store.set_extra(9600, true);
            }
            while pull(&mut store) {}
            assert!(!store.take_stutter(), "running dry alone says nothing");
            (0..pause).for_each(|_| _ = pull(&mut store));
            push(&mut store, 480);
            pull(&mut store);
            (store.take_stutter(), store.take_stutter())
        };

        assert_eq!(dry(1, false), (true, false), "told once");
        assert_eq!(dry(20, false), (false, false));
        assert_eq!(dry(1, true), (false, false), "whoever moves a line makes it dry on purpose");
    }

    /// Plays `seconds` of a ramp from a card whose pieces of 10 ms come up to 3 ms late; `card` may keep pieces
    /// back (`None`), lose them (`Some(false)`) and move the line. Gives how late each tick's first sample was, in samples; none of silence.
    fn lateness(seconds: usize, mut card: impl FnMut(usize, &mut Store) -> Option<bool>) -> Vec<Option<f64>> {
        let mut rng = crate::rng::Rng::simulated(3);
        let mut store = Store::new(Duration::from_millis(60));
        let (mut piece, mut out) = (0, [[0.0; 2]; TICK]);
        (1..=seconds * 25)
            .map(|tick| {
                let gives = card(tick, &mut store);
                while gives.is_some() && (piece + 1) * 480 + (rng.unit() * 144.0) as usize <= tick * TICK {
                    if gives == Some(true) {
                        let ramp = (piece * 480..(piece + 1) * 480).map(|i| [i as f32 * 1e-7; 2]);
                        store.push(at((piece + 1) * 480), ramp);
                    }
                    piece += 1;
                }
                let sounding = store.pull(at(tick * TICK), &mut out);
                // the middle of the tick: no fade reaches so far
                sounding.then(|| (tick * TICK + TICK / 2) as f64 - f64::from(out[TICK / 2][0]) * 1e7)
            })
            .collect()
    }

    #[test]
    fn a_line_comes_back_to_its_very_place_after_every_hole() {
        // a card that loses sound three times, and twice a thread that is late
        let late = lateness(60, |tick, _| match tick {
            400..410 | 700..760 | 1100..1103 => Some(false),
            // it comes late, and then all at once
            500..504 | 900..902 => None,
            _ => Some(true),
        });

        let heard: Vec<f64> = late.iter().flatten().copied().collect();
        assert!(late.iter().filter(|tick| tick.is_none()).count() > 60, "it does fall silent");
        assert!(heard.len() > 1350, "{}", heard.len());
        // by 60 ms and the resampler's taps; its gain of a few millionths makes the ramp's end look a little later
        let (least, most) = heard.iter().fold((f64::MAX, f64::MIN), |(l, m), late| (l.min(*late), m.max(*late)));
        assert!(most - least < 12.0, "between {least} and {most}");
        assert!((heard[100] - 2880.0).abs() < 40.0, "{}", heard[100]);
    }

    #[test]
    fn a_line_that_glides_is_stretched_and_has_no_hole() {
        let late = lateness(40, |tick, store| {
            store.set_extra((tick as i64 - 250).clamp(0, 240) * 4, true);
            Some(true)
        });

        assert!(late[4..].iter().all(Option::is_some), "no hole");
        let of = |tick: usize| late[tick].unwrap();
        assert!((of(900) - of(240) - 960.0).abs() < 6.0, "{} {}", of(240), of(900));
        assert!(late[5..].windows(2).all(|w| (w[1].unwrap() - w[0].unwrap()).abs() < 12.0), "no step");
    }

    #[test]
    fn the_room_of_a_line_is_what_its_pieces_leave_of_the_delay() {
        let mut room = 0;
        lateness(20, |_, store| {
            room = store.room(TICK);
            Some(true)
        });

        // 60 ms less a tick, a piece of the resampler, and pieces of 10 ms that come up to 3 ms late
        let wanted = 2880 - 1920 - 240;
        assert!((wanted - 480 - 150..=wanted - 480).contains(&room), "{room}");
    }
}
