//! What holds of the sound whatever comes: for any level, pitch, delay, clock and order of events.

use std::f64::consts::TAU;

use livebox::media::Line;
use livebox::media::line::{Align, Bus, Gain, Leads, Levelling, SoundOrders, Strip, Watch};
use livebox::media::meter::Meter;
use livebox::media::sound::{Stereo, Store};
use livebox::rng::Rng;
use livebox::time::{Duration, Instant};
use proptest::prelude::*;

const TICK: usize = 1920;

/// What a mixer may send: a tone, a noise and a click now and then, as loud as that.
fn sound(seed: u64, hertz: f64, tone: f64, noise: f64, clicks: bool, n: usize) -> Vec<Stereo> {
    let mut rng = Rng::simulated(seed);
    (0..n)
        .map(|i| {
            let click = if clicks && rng.chance(0.0005) { 4.0 * (rng.unit() - 0.5) } else { 0.0 };
            let wave = tone * (TAU * hertz * i as f64 / 48_000.0).sin() + click;
            [0, 1].map(|_| (wave + noise * (rng.unit() - 0.5)) as f32)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_sound_gain_or_levelling_brings_the_programme_above_minus_one_dbtp(
        seed in any::<u64>(), hertz in 30.0..20_000.0_f64, tone in 0.0..2.0_f64, noise in 0.0..2.0_f64,
        clicks in any::<bool>(), gain in -20.0..20.0_f64, web in any::<bool>(),
    ) {
        let orders = SoundOrders { levelling: if web { Levelling::Web } else { Levelling::Off }, ..SoundOrders::default() };
        let (mut bus, mut strip, mut meter) = (Bus::new(Line::A, Meter::plain()), Strip::default(), Meter::new());
        strip.set(Leads::Stereo, Gain::db(gain), false);
        for (n, tick) in sound(seed, hertz, tone, noise, clicks, 25 * TICK).chunks(TICK).enumerate() {
            let mut line = tick.to_vec();
            strip.apply(&mut line);
            // from line to line and back, and the mute in between
            bus.select(if n % 4 < 2 { Line::A } else { Line::B });
            let orders = SoundOrders { mute: n % 7 == 6, ..orders };
            meter.push(bus.mix(&orders, [&line, &line, &[]]));
        }
        let peak = meter.take().true_peak.0;
        prop_assert!(peak <= -0.95, "{peak} dBTP");
    }

    #[test]
    fn a_switch_at_any_moment_keeps_the_power_and_has_no_step(
        at in 1..8_usize, before in 0.05..0.6_f64, after in 0.05..0.6_f64, low in 60.0..900.0_f64, high in 60.0..900.0_f64,
    ) {
        // line A on the left ear alone and line B on the right: each shows its own part of the fade
        let wave = |hertz: f64, amplitude: f64, i: usize| (amplitude * (TAU * hertz * i as f64 / 48_000.0).cos()) as f32;
        let (steady_a, steady_b) = (before as f32, after as f32);
        let (mut bus, mut fade) = (Bus::new(Line::A, Meter::plain()), Bus::new(Line::A, Meter::plain()));
        let (mut heard, mut parts) = (Vec::new(), Vec::new());
        let orders = SoundOrders::default();
        for tick in 0..12 {
            let line = if tick < at { Line::A } else { Line::B };
            bus.select(line);
            fade.select(line);
            let span = tick * TICK..(tick + 1) * TICK;
            let a: Vec<Stereo> = span.clone().map(|i| [wave(low, before, i); 2]).collect();
            let b: Vec<Stereo> = span.map(|i| [wave(high, after, i); 2]).collect();
            heard.extend(bus.mix(&orders, [&a, &b, &[]]).iter().map(|s| s[0]));
            parts.extend_from_slice(fade.mix(&orders, [&[[steady_a, 0.0]; TICK], &[[0.0, steady_b]; TICK], &[]]));
        }
        // both waves at their steepest, and the fade itself over its 20 ms
        let steepest = TAU / 48_000.0 * (before * low + after * high) + (before + after) * TAU / 4.0 / 960.0;
        let step = heard[600..].windows(2).map(|w| f64::from((w[1] - w[0]).abs())).fold(0.0, f64::max);
        prop_assert!(step <= steepest * 1.02 + 1e-4, "{step} over {steepest}");
        for [left, right] in &parts[600..] {
            let power = (left / steady_a).powi(2) + (right / steady_b).powi(2);
            prop_assert!((power - 1.0).abs() < 1e-3, "{power}");
        }
        prop_assert_eq!(bus.settled(), Some(Line::B));
    }

    #[test]
    fn any_garbage_of_a_card_leaves_finite_levels_and_no_panic(
        pieces in proptest::collection::vec((0..3000_usize, 0..6_u8), 1..30),
    ) {
        let mut watch = Watch::new();
        let (mut at, mut looks) = (Instant::ZERO, 0);
        for (n, kind) in pieces {
            let value = [f32::NAN, f32::INFINITY, -1e30, 0.0, 1.0, 1e-40][usize::from(kind)];
            at += Duration::from_micros(n as u64 * 1000 / 48);
            watch.push(at, &vec![[value, -value]; n], |look| {
                looks += 1;
                assert!(look.levels.peak.0.is_finite() && look.levels.rms.0.is_finite() && look.levels.true_peak.0.is_finite());
                assert!(look.findings.iter().all(|f| (0.8..=1.0).contains(&f.confidence)));
            });
        }
        prop_assert!(looks as u64 <= at.as_millis() / 100 + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_delay_in_range_is_found_to_the_half_millisecond_and_so_is_a_line_upside_down(
        seed in any::<u64>(), lag in -22_000..22_000_i32, gain in -20.0..6.0_f64, inverted in any::<bool>(),
    ) {
        let given = super::restless(9, seed);
        let factor = 10_f64.powf(gain / 20.0) as f32 * if inverted { -1.0 } else { 1.0 };
        let of = |i: i64| usize::try_from(i).ok().and_then(|i| given.get(i)).copied().unwrap_or(0.0);
        let mut align = Align::new();
        let found = (0..given.len() as i64 / TICK as i64).find_map(|tick| {
            let span = tick * TICK as i64..(tick + 1) * TICK as i64;
            let a: Vec<Stereo> = span.clone().map(|i| [of(i); 2]).collect();
            let b: Vec<Stereo> = span.map(|i| [factor * of(i - i64::from(lag)); 2]).collect();
            align.push(&a, &b);
            align.poll()
        });
        let found = found.expect("two windows of two seconds agree");
        prop_assert!((found.samples - f64::from(lag)).abs() <= 24.0, "{found:?}");
        prop_assert_eq!(found.inverted, inverted);
    }

    #[test]
    fn a_card_of_any_clock_and_any_pieces_keeps_time_without_a_hole(
        seed in any::<u64>(), ppm in -250.0..250.0_f64, longest in 200..1600_u64,
    ) {
        let mut rng = Rng::simulated(seed);
        let mut store = Store::new(Duration::from_millis(140));
        let (mut made, mut next) = (0_usize, 0_u64);
        let mut lateness = Vec::new();
        for tick in 1..=1500_u64 {
            // the card gives what it has whenever its interrupt comes, which is not when the pump's tick does
            while next <= tick * 40_000 {
                let due = (next as f64 * 0.048 * (1.0 + ppm * 1e-6)) as usize;
                // a ramp: what comes out tells when it went in
                store.push(Instant::from_micros(next), (made..due).map(|i| [(i as f64 * 1e-7) as f32; 2]));
                made = due;
                next += 1000 + (rng.unit() * longest as f64 * 10.0) as u64;
            }
            let mut out = vec![[0.0; 2]; TICK];
            let sounding = store.pull(Instant::from_micros(tick * 40_000), &mut out);
            prop_assert!(sounding || tick < 10, "a hole at tick {tick}");
            if tick > 600 {
                let taken = f64::from(out[0][0]) * 1e7 / (48_000.0 * (1.0 + ppm * 1e-6));
                lateness.push(tick as f64 * 0.04 - taken);
            }
        }
        let (least, most) = lateness.iter().fold((f64::MAX, f64::MIN), |(l, m), x| (l.min(*x), m.max(*x)));
        prop_assert!(most - least < 0.006, "between {least} and {most} s");
        let told = store.ppm().expect("a minute is enough");
        prop_assert!((told - ppm).abs() < 8.0, "{told} for {ppm}");
    }
}
