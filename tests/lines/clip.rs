//! The clip of the lip-sync test, as `scripts/lipsync-clip.sh` makes it, seen and heard as a capture would.

use std::process::Command;

use livebox::media::lipsync::Clapper;
use livebox::media::sound::Stereo;
use livebox::time::Instant;

/// What ffmpeg makes of the clip.
fn decoded(clip: &std::path::Path, how: &[&str]) -> Vec<u8> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(clip).args(how).arg("-");
    let output = ffmpeg.output().expect("ffmpeg is installed: run scripts/needs.sh test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_clip_that_the_laptop_plays_tells_the_offset_within_five_milliseconds() {
    let folder = tempfile::TempDir::new().unwrap();
    let clip = folder.path().join("clip.mp4");
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lipsync-clip.sh");
    let made = Command::new(script).arg(&clip).env("SIZE", "64x36").output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let shown =
        decoded(&clip, &["-vf", "scale=1:1:flags=area,format=gray", "-fps_mode", "passthrough", "-f", "rawvideo"]);
    let heard: Vec<f32> = decoded(&clip, &["-vn", "-ac", "1", "-ar", "48000", "-f", "f32le"])
        .chunks_exact(4)
        .map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]]))
        .collect();
    assert!(shown.len() == 3320 && heard.len() > 55 * 48_000, "{} pictures, {} samples", shown.len(), heard.len());

    for (rate, phase, late_ms) in [(25.0, 0.011, 80.0), (25.0, 0.0, -120.0), (29.97, 0.02, 35.0), (50.0, 0.003, 0.0)] {
        let mut clapper = Clapper::new();
        let micros = |seconds: f64| Instant::from_micros((seconds * 1e6) as u64);
        // the capture takes what stands on the screen at its own moments; a second before the first flash
        let (mut taken, mut piece) = (0_u32, 0_usize);
        for millis in 0..40_000_u32 {
            let now = f64::from(millis) / 1000.0;
            while f64::from(taken) / rate + phase <= now {
                let at = f64::from(taken) / rate + phase;
                clapper.handle_picture(micros(at + 1.0), f32::from(shown[(at * 60.0) as usize]) / 255.0);
                taken += 1;
            }
            if millis % 10 == 9 {
                let samples: Vec<Stereo> = heard[piece..piece + 480].iter().map(|x| [*x; 2]).collect();
                piece += 480;
                clapper.handle_sound(micros(piece as f64 / 48_000.0 + 1.0 + late_ms / 1000.0), &samples);
            }
        }
        let told = clapper.measured().expect("40 s are 28 flashes");
        eprintln!(
            "{rate} pictures a second, sound {late_ms} ms late: told {:.1} ms, {} flashes",
            told.sound_late_ms, told.flashes
        );
        assert!((told.sound_late_ms - late_ms).abs() <= 5.0, "{late_ms} ms at {rate}: {told:?}");
        assert!(told.flashes >= 20);
    }
}
