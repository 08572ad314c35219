//! Tones prove nothing: whatever their pitch, overtones and phase, no two of them are taken for one programme,
//! none for a line or a channel upside down.

use std::f64::consts::TAU;

use livebox::media::line::{Align, Fault, Lag, Watch};
use livebox::media::sound::Stereo;
use livebox::rng::Rng;
use livebox::time::Instant;
use proptest::prelude::*;

const TICK: usize = 1920;

/// A steady tone: pitch, phase in turns, overtones that fall by the square root, beats with one that much higher.
#[derive(Debug, Clone, Copy)]
struct Tone {
    hertz: f64,
    phase: f64,
    overtones: u32,
    beats: f64,
    /// Sounds for so many milliseconds of each second.
    sounds: usize,
}

impl Tone {
    fn at(&self, i: usize) -> f64 {
        let t = i as f64 / 48_000.0;
        if i % 48_000 >= self.sounds * 48 {
            return 0.0;
        }
        let wave = |hertz: f64| -> f64 {
            let partial = |n: u32| (TAU * f64::from(n) * (hertz * t + self.phase)).sin() / f64::from(n).sqrt();
            (1..=self.overtones).take_while(|n| hertz * f64::from(*n) < 20_000.0).map(partial).sum()
        };
        let second = if self.beats > 0.0 { wave(self.hertz + self.beats) } else { 0.0 };
        0.1 * (wave(self.hertz) + second)
    }
}

fn tones() -> impl Strategy<Value = Tone> {
    let overtones = prop_oneof![Just(1_u32), Just(2), Just(3), 4..30_u32];
    let beats = prop_oneof![Just(0.0), 0.05..6.0_f64];
    let sounds = prop_oneof![3 => Just(1000_usize), 1 => 50..900_usize];
    (40.0..4000.0_f64, 0.0..1.0_f64, overtones, beats, sounds)
        .prop_map(|(hertz, phase, overtones, beats, sounds)| Tone { hertz, phase, overtones, beats, sounds })
}

/// What is said of both lines in twelve seconds, over noise of their own.
fn lags(a: impl Fn(usize) -> f64, b: impl Fn(usize) -> f64, noise: f64) -> Vec<Lag> {
    let (mut align, mut rng) = (Align::new(), Rng::simulated(3));
    let mut line = |of: &dyn Fn(usize) -> f64, span: std::ops::Range<usize>| -> Vec<Stereo> {
        span.map(|i| [(of(i) + noise * (rng.unit() - 0.5)) as f32; 2]).collect()
    };
    let said = (0..12 * 25).filter_map(|tick| {
        let span = tick * TICK..(tick + 1) * TICK;
        let (a, b) = (line(&a, span.clone()), line(&b, span));
        align.push(&a, &b);
        align.poll()
    });
    said.collect()
}

/// Whether a channel is told to be upside down against the other, in eight seconds.
fn turned(left: impl Fn(usize) -> f64, right: impl Fn(usize) -> f64) -> bool {
    let mut watch = Watch::new();
    let mut told = false;
    for block in 0..800_usize {
        let samples: Vec<Stereo> =
            (block * 480..(block + 1) * 480).map(|i| [left(i) as f32, right(i) as f32]).collect();
        let now = Instant::from_millis((block as u64 + 1) * 10);
        watch.push(now, &samples, |look| told |= look.findings.get(Fault::Polarity).is_some());
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn two_tones_are_never_one_programme(a in tones(), b in tones(), noise in prop_oneof![Just(0.0), Just(4e-4), Just(2e-2)]) {
        let said = lags(|i| a.at(i), |i| b.at(i), noise);
        prop_assert!(said.is_empty(), "{said:?}");
    }

    #[test]
    fn the_same_steady_tone_on_both_lines_tells_no_lag_and_no_polarity(
        tone in tones(), later in 0..3000_usize, turned in any::<bool>(), noise in prop_oneof![Just(0.0), Just(4e-4)],
    ) {
        let a = Tone { sounds: 1000, ..tone };
        let sign = if turned { -1.0 } else { 1.0 };
        let said = lags(|i| a.at(i + 3000), |i| sign * a.at(i + 3000 - later), noise);
        prop_assert!(said.is_empty(), "{said:?}");
    }

    #[test]
    fn tones_on_both_channels_are_no_channel_upside_down(
        tone in tones(), off in prop_oneof![Just(0.0), -1.0..1.0_f64], phase in 0.0..1.0_f64, other in tones(), same in any::<bool>(),
    ) {
        let left = Tone { overtones: tone.overtones.min(8), ..tone };
        let right = if same { Tone { hertz: left.hertz + off, phase, ..left } } else { other };
        prop_assert!(!turned(|i| left.at(i), |i| right.at(i)));
    }
}

#[test]
fn a_tone_against_itself_upside_down_is_no_proof_and_a_voice_is() {
    for hertz in [60.0, 220.0, 440.0, 1000.0, 3150.0] {
        let tone = |i: usize| 0.2 * (TAU * hertz * i as f64 / 48_000.0).sin();
        assert!(!turned(tone, |i| -tone(i)), "{hertz}");
    }
    let voice = super::restless(9, 3);
    assert!(turned(|i| f64::from(voice[i]), |i| -f64::from(voice[i])));
    // a line-up noise is broad enough
    let mut rng = Rng::simulated(4);
    let noise: Vec<f64> = (0..9 * 48_000).map(|_| 0.1 * (rng.unit() - 0.5)).collect();
    assert!(turned(|i| noise[i], |i| -noise[i]));
}

#[test]
fn a_voice_is_found_beside_a_tone_that_is_on_both_lines_or_on_one() {
    let voice = super::restless(14, 8);
    let voice = |i: usize| f64::from(voice[i]);
    let hum = |i: usize| 0.05 * (TAU * 440.0 * i as f64 / 48_000.0).sin();
    for (on_a, on_b) in [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)] {
        let a = |i: usize| voice(i + 4800) + on_a * hum(i);
        let b = |i: usize| -0.5 * voice(i + 4800 - 1104) + on_b * hum(i + 37);
        let said = lags(a, b, 4e-4);
        let found = said.first().unwrap_or_else(|| panic!("nothing found with {on_a} and {on_b}"));
        assert!((found.samples - 1104.0).abs() < 24.0 && found.inverted, "{found:?} with {on_a} and {on_b}");
    }
}
