//! Lip-sync: by how much the sound comes later than its picture, from a clip of flashes and beeps.
//!
//! A flash lies somewhere between the last dark picture and the first bright one, so each flash gives two
//! bounds of the answer, one picture apart. The clip's period is no multiple of a picture: over twenty
//! flashes the bounds of the one fall into the other's, and what all of them allow is a few milliseconds
//! wide. The middle of that is the answer, off by half of its width at most.

use serde::{Deserialize, Serialize};

use super::sound::{SAMPLE_RATE, Stereo};
use crate::time::{Duration, Instant};

/// So many flashes are wanted before anything is said.
pub const FLASHES: usize = 20;
/// Flashes remembered; later ones push out the first.
const MOST: usize = 60;
/// Darker than this between flashes, brighter than that in one, of full white.
const DARK: f32 = 0.35;
const BRIGHT: f32 = 0.6;
/// A beep and a flash further apart belong to different beats.
const APART: Duration = Duration::from_millis(600);
/// Sound is looked at by the millisecond.
const WINDOW: usize = 48;
/// A beep stands so many times above the sound of the tenth of a second before it, as power: 20 dB.
const STANDS: f32 = 100.0;
/// And is louder than this, as power: −40 dBFS.
const LOUD: f32 = 1e-4;
/// Milliseconds of quiet before a beep.
const QUIET: usize = 100;
/// Where the flashes leave more open than this, ms, they came at the same few places of a picture every
/// time: laptop and capture run on one clock, and the earliest picture is the flash itself.
const OPEN: f64 = 10.0;

/// What the test says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LipSync {
    /// Milliseconds by which the sound comes later than the picture; negative: earlier.
    pub sound_late_ms: f64,
    /// Flashes heard and seen together.
    pub flashes: usize,
    /// How far the single ones lie apart, between the quartiles, ms.
    pub spread_ms: f64,
}

impl LipSync {
    /// The same for a sound that waits so many milliseconds longer than its picture on the way through the box.
    #[must_use]
    pub fn later(self, ms: f64) -> Self {
        Self { sound_late_ms: self.sound_late_ms + ms, ..self }
    }
}

/// Watches flashes and listens for beeps.
#[derive(Debug, Default)]
pub struct Clapper {
    // the last dark picture, while no bright one has come since
    dark: Option<Instant>,
    // when it was seen, and how much earlier it may have been, ms
    flashes: Vec<(Instant, f64)>,
    beeps: Vec<Instant>,
    // beep less picture, and how much more it may be, ms
    offsets: Vec<(f64, f64)>,
    waiting: Vec<f32>,
    before: Vec<f32>,
}

impl Clapper {
    /// One that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A picture taken at `at`, so bright on the mean (0 to 1).
    pub fn handle_picture(&mut self, at: Instant, brightness: f32) {
        if brightness < DARK {
            self.dark = Some(at);
        } else if brightness > BRIGHT
            && let Some(dark) = self.dark.take()
        {
            self.flashes.push((at, at.since(dark).as_secs_f64() * 1000.0));
            self.meet();
        }
    }

    /// Sound, of which the last sample was taken at `at`.
    pub fn handle_sound(&mut self, at: Instant, samples: &[Stereo]) {
        self.waiting.extend(samples.iter().map(|[l, r]| l.abs().max(r.abs())));
        let mut left = self.waiting.len();
        let waiting = std::mem::take(&mut self.waiting);
        for window in waiting.chunks_exact(WINDOW) {
            let power = window.iter().map(|x| x * x).sum::<f32>() / WINDOW as f32;
            let quiet = self.before.iter().fold(0.0_f32, |most, p| most.max(*p));
            if self.before.len() == QUIET && power > LOUD && power > STANDS * quiet {
                // where in the millisecond it begins
                let half = window.iter().fold(0.0_f32, |m, x| m.max(*x)) / 4.0;
                let first = window.iter().position(|x| *x >= half).unwrap_or(0);
                let behind = (left - first) as u64 * 1_000_000 / u64::from(SAMPLE_RATE);
                self.beeps.push(at.before(Duration::from_micros(behind)));
                self.meet();
            }
            if self.before.len() == QUIET {
                self.before.remove(0);
            }
            self.before.push(power);
            left -= WINDOW;
        }
        self.waiting = waiting[waiting.len() - left..].to_vec();
    }

    fn meet(&mut self) {
        let Some(newest) = self.flashes.iter().map(|(at, _)| at).chain(&self.beeps).max().copied() else { return };
        while let (Some((flash, open)), Some(beep)) = (self.flashes.first().copied(), self.beeps.first().copied()) {
            if flash + APART < beep {
                self.flashes.remove(0);
            } else if beep + APART < flash {
                self.beeps.remove(0);
            } else {
                if self.offsets.len() == MOST {
                    self.offsets.remove(0);
                }
                self.offsets.push(((beep.as_secs_f64() - flash.as_secs_f64()) * 1000.0, open));
                self.flashes.remove(0);
                self.beeps.remove(0);
            }
        }
        let old = |at: &Instant| newest.since(*at) > APART * 4;
        self.flashes.retain(|(at, _)| !old(at));
        self.beeps.retain(|at| !old(at));
    }

    /// Flashes that met their beep so far.
    #[must_use]
    pub fn flashes(&self) -> usize {
        self.offsets.len()
    }

    /// The answer, once twenty flashes met their beeps.
    #[must_use]
    pub fn measured(&self) -> Option<LipSync> {
        if self.offsets.len() < FLASHES {
            return None;
        }
        let mut sorted: Vec<f64> = self.offsets.iter().map(|(least, _)| *least).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (sorted.len() - 1) as f64;
            let (low, part) = (place as usize, place.fract());
            let high = (low + 1).min(sorted.len() - 1);
            sorted[low] * (1.0 - part) + sorted[high] * part
        };
        let (low, high) = self.allowed();
        let sound_late_ms = if high - low > OPEN { low } else { low.midpoint(high) };
        Some(LipSync { sound_late_ms, flashes: sorted.len(), spread_ms: at(0.75) - at(0.25) })
    }

    /// What most flashes allow, from and to, ms: a beep that met a stranger's flash has no say.
    fn allowed(&self) -> (f64, f64) {
        // where bounds open and close, an opening before a closing at the same place
        let mut edges: Vec<(f64, bool)> =
            self.offsets.iter().flat_map(|(least, open)| [(*least, false), (least + open, true)]).collect();
        edges.sort_by(|(a, closes), (b, closes_too)| a.total_cmp(b).then(closes.cmp(closes_too)));
        let (mut inside, mut most, mut best) = (0_usize, 0, (0.0, 0.0));
        for pair in edges.windows(2) {
            let [(from, closes), (to, _)] = [pair[0], pair[1]];
            inside = if closes { inside.saturating_sub(1) } else { inside + 1 };
            if inside > most {
                (most, best) = (inside, (from, to));
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Plays the clip: flashes of 80 ms every `period` ms, pictures every `picture` ms from `phase` on.
    fn play(period: f64, picture: f64, phase: f64, late: f64, flashes: usize) -> Clapper {
        let mut clapper = Clapper::new();
        let micros = |ms: f64| Instant::from_micros((ms * 1000.0) as u64);
        let (mut next, mut made) = (phase, 0_usize);
        let mut rng = Rng::simulated(9);
        for millis in 0..((flashes + 1) as f64 * period) as usize {
            let now = millis as f64;
            while next <= now {
                let into = (next - 500.0).rem_euclid(period);
                clapper.handle_picture(micros(next), if next >= 500.0 && into < 80.0 { 0.9 } else { 0.08 });
                next += picture;
            }
            if millis % 10 == 9 {
                let block: Vec<Stereo> = (made..made + 480)
                    .map(|i| {
                        let t = i as f64 / 48.0;
                        let into = (t - 500.0 - late).rem_euclid(period);
                        let beep = if t >= 500.0 + late && into < 60.0 {
                            (into * std::f64::consts::TAU).sin() * 0.5
                        } else {
                            0.0
                        };
                        [(beep + 0.002 * (rng.unit() - 0.5)) as f32; 2]
                    })
                    .collect();
                made += 480;
                clapper.handle_sound(micros(made as f64 / 48.0), &block);
            }
        }
        clapper
    }

    #[test]
    fn the_offset_is_known_within_five_milliseconds_after_twenty_flashes() {
        // the second period is the clip's: 83 pictures at 60 a second
        for period in [1370.0, 83_000.0 / 60.0] {
            for (picture, phase) in [(1000.0 / 24.0, 7.0), (40.0, 3.0), (33.367, 11.0), (20.0, 19.0), (16.683, 0.5)] {
                for late in [-180.0, -35.0, 0.0, 42.5, 300.0] {
                    let clapper = play(period, picture, phase, late, 21);
                    let told = clapper.measured().expect("20 flashes");
                    let off = told.sound_late_ms - late;
                    assert!(off.abs() < 5.0, "{picture} ms every {period} ms, {late} ms late: {told:?}");
                }
            }
        }
    }

    #[test]
    fn a_capture_on_the_laptops_own_clock_takes_the_picture_of_the_flash_for_the_flash() {
        // 60 pictures a second, and every second of them; the first flash comes with a picture
        for picture in [1000.0 / 60.0, 1000.0 / 30.0] {
            let told = play(83_000.0 / 60.0, picture, 500.02, 42.5, 24).measured().expect("24 flashes");
            assert!((told.sound_late_ms - 42.5).abs() < 2.0, "{picture} ms: {told:?}");
        }
    }

    #[test]
    fn a_flash_that_meets_the_wrong_beep_now_and_then_changes_nothing() {
        let mut clapper = play(1370.0, 40.0, 3.0, 42.5, 24);
        let clean = clapper.measured().expect("24 flashes");
        clapper.offsets.extend([(-500.0, 40.0), (430.0, 40.0), (431.0, 40.0)]);
        assert!((clapper.measured().expect("27").sound_late_ms - clean.sound_late_ms).abs() < 0.01);
    }

    #[test]
    fn nothing_is_said_before_twenty_flashes_nor_of_a_film() {
        assert_eq!(play(1370.0, 40.0, 0.0, 0.0, 15).measured(), None);
        let mut clapper = Clapper::new();
        for n in 0..3000_u64 {
            clapper.handle_picture(Instant::from_millis(n * 40), 0.4 + 0.15 * ((n / 50) % 2) as f32);
            clapper.handle_sound(Instant::from_millis(n * 40), &[[0.1; 2]; 1920]);
        }
        assert_eq!(clapper.flashes(), 0);
    }
}
