//! Sound stays in step with its picture for an hour, though the mixer's clock is not the programme's: the pump's
//! own slots and stores, in virtual time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use livebox::media::plan::{self, Step};
use livebox::media::slot::Slot;
use livebox::media::sound::{CODER_DELAY, SAMPLE_RATE, Store, held_back};
use livebox::media::{Config, FrameRate, Reserve};
use livebox::rng::Rng;
use livebox::time::Instant;

/// The programme.
const RATE: FrameRate = FrameRate { num: 25, den: 1 };
/// Samples of a tick.
const TICK: usize = 1920;
/// Samples that a card hands over at once: 10 ms.
const PIECE: usize = 480;
/// A beep begins every so many microseconds; no multiple of a picture or of a piece.
const EVERY: u64 = 1_013_107;
/// Samples of a beep.
const BEEP: u64 = 480;

/// Milliseconds by which the sound comes later than its picture, once for each beep.
fn in_step(seconds: u64, ppm: f64, phase_ms: u64, plain: bool) -> Vec<f64> {
    let period = Duration::from_nanos(RATE.nanos_of(1));
    let reserve = Reserve::new(period, Config::default().reserve);
    // limiter and coder hold it back, and the mux's stamps are put back by what `held_back` says
    let (coded_in, put_back) = (held_back(Duration::ZERO).as_secs_f64(), held_back(period).as_secs_f64());
    let delay = reserve.delay();
    let mut store = if plain { Store::plain(delay) } else { Store::new(delay) };
    let mut slot = Slot::new(period, Config::default().reserve);
    let mut rng = Rng::simulated(11);
    // the card's clock: how many samples it has taken by a true time
    let a_second = f64::from(SAMPLE_RATE) * (1.0 + ppm * 1e-6);
    let (mut taken, mut next_frame) = (0_u64, phase_ms * 1000);
    let mut out = vec![[0.0_f32; 2]; TICK];
    let mut quiet = 0;
    let (mut beeps, mut offsets) = (0_u64, Vec::new());
    for tick in 0..seconds * 25 {
        let due = tick * 40_000;
        while next_frame <= due {
            slot.push(Instant::from_micros(next_frame), next_frame);
            next_frame += 40_000;
        }
        loop {
            let last = ((taken + PIECE as u64) as f64 / a_second * 1e6) as u64;
            // the interrupt comes up to 2 ms late, and so does its stamp
            let stamp = last + (rng.unit() * 2000.0) as u64;
            if last + 2000 > due {
                break;
            }
            let sample = |n: u64| {
                let beep = (n as f64 / a_second * 1e6) as u64 / EVERY;
                let since = n.saturating_sub((beep as f64 * EVERY as f64 * 1e-6 * a_second).ceil() as u64);
                if since < BEEP { [0.5; 2] } else { [0.0; 2] }
            };
            store.push(Instant::from_micros(stamp), (taken..taken + PIECE as u64).map(sample));
            taken += PIECE as u64;
        }
        slot.pick(Instant::from_micros(due).before(reserve.delay()));
        store.pull(Instant::from_micros(due), &mut out);
        let Some(shown) = slot.frame() else { continue };
        let picture_late = (due - shown) as f64 / 1000.0;
        for (n, sample) in out.iter().enumerate() {
            if sample[0] < 0.25 {
                quiet += 1;
                continue;
            }
            if quiet > SAMPLE_RATE / 2 {
                let heard = due as f64 / 1000.0 + (n as f64 / f64::from(SAMPLE_RATE)) * 1000.0;
                beeps = (heard * 1000.0) as u64 / EVERY;
                let sound_late = heard - beeps as f64 * EVERY as f64 / 1000.0 + (coded_in - put_back) * 1000.0;
                offsets.push(sound_late - picture_late);
            }
            quiet = 0;
        }
    }
    assert!(beeps as usize >= offsets.len() && offsets.len() as u64 + 3 >= seconds * 1_000_000 / EVERY, "{beeps}");
    offsets
}

fn widest(offsets: &[f64]) -> f64 {
    offsets.iter().fold(0.0, |most: f64, offset| most.max(offset.abs()))
}

#[test]
fn sound_and_picture_stay_within_20_ms_for_an_hour_though_the_mixers_clock_is_100_ppm_fast() {
    let offsets = in_step(3600, 100.0, 13, false);
    let (first, last) = (&offsets[..60], &offsets[offsets.len() - 60..]);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let widest = widest(&offsets);
    eprintln!(
        "sound late by {:.1} ms in the first minute, {:.1} ms in the last, {widest:.1} ms at most",
        mean(first),
        mean(last)
    );
    assert!(widest <= 20.0, "{widest}");
    assert!((mean(first) - mean(last)).abs() < 5.0, "{} {}", mean(first), mean(last));
}

#[test]
fn wherever_the_camera_lies_on_the_programmes_grid_and_whichever_way_the_clock_runs_off() {
    for (ppm, phase_ms) in [(100.0, 0), (-100.0, 13), (100.0, 27), (-100.0, 39)] {
        let widest = widest(&in_step(240, ppm, phase_ms, false));
        assert!(widest <= 20.0, "{ppm} ppm, camera {phase_ms} ms after the grid: {widest}");
    }
}

#[test]
fn without_the_correction_ten_minutes_would_be_60_ms() {
    let offsets = in_step(600, 100.0, 13, true);
    let strayed = offsets[offsets.len() - 1] - offsets[0];
    assert!((50.0..70.0).contains(&strayed.abs()), "{strayed}");
}

/// Where the left channel goes through zero, 16 bits in stereo.
fn crossings(file: &Path) -> Vec<usize> {
    let bytes = std::fs::read(file).unwrap();
    let left: Vec<i16> = bytes.chunks_exact(4).map(|both| i16::from_le_bytes([both[0], both[1]])).collect();
    (1..left.len()).filter(|n| (left[*n] > 0) != (left[n - 1] > 0)).collect()
}

#[test]
fn what_the_coder_holds_back_is_known_to_the_sample() {
    let coder = plan::sound(Config::default().audio_bitrate)
        .into_iter()
        .find_map(|step| match step {
            Step::Element { factory, .. } if factory.contains("aac") && factory.contains("enc") => Some(factory),
            _ => None,
        })
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [raw, coded, back] = ["raw", "coded.aac", "back"].map(|name| folder.path().join(name));
    let wave = format!(
        "audiotestsrc wave=square freq=2 volume=0.5 num-buffers=500 samplesperbuffer=480 \
         ! audio/x-raw,format=S16LE,rate=48000,channels=2 ! tee name=t \
         ! queue ! {coder} ! aacparse ! audio/mpeg,stream-format=adts ! filesink location={} \
         t. ! queue ! filesink location={}",
        coded.display(),
        raw.display()
    );
    assert!(Command::new("gst-launch-1.0").arg("-q").args(wave.split_whitespace()).status().unwrap().success());
    let decoded =
        Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&coded).args(["-f", "s16le"]).arg(&back).status();
    assert!(decoded.unwrap().success());

    // the second edge on: before it there is nothing to hold on to
    let (before, after) = (crossings(&raw), crossings(&back));
    let edge = *before.iter().find(|at| **at > 5000).unwrap();
    let late: Vec<i64> = after.iter().map(|at| *at as i64 - edge as i64).filter(|late| late.abs() < 4000).collect();
    assert_eq!(late.len(), 1, "one edge near {edge}: {after:?}");
    assert!((late[0] - CODER_DELAY as i64).abs() <= 4, "{late:?}");
}
