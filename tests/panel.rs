//! The home screen as pictures: compared with `tests/snapshots/panel/`, nothing cut off, nothing overlapping.
//!
//! `LIVEBOX_BLESS=1` writes the pictures anew.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;

use embedded_graphics::Pixel;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Size};
use livebox::alarm::{AlarmKind, Severity};
use livebox::bond::LinkPhase;
use livebox::lang::{Lang, Text};
use livebox::media::Line;
use livebox::message::{AlarmLine, Phase, Status};
use livebox::panel::{Frame, HEIGHT, WIDTH, home};
use livebox::time::Instant;

use crate::standing::standing;

#[test]
fn the_home_screen_looks_as_it_was_agreed() {
    let mut different = Vec::new();

    for (name, status) in [("standby", standing("hall-1")), ("live", live()), ("degraded", degraded())] {
        for (tongue, lang) in [("zh", Lang::Zh), ("en", Lang::En)] {
            let name = format!("{name}-{tongue}.txt");
            let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/panel").join(&name);
            let drawn = drawing(&status, lang);
            if std::env::var_os("LIVEBOX_BLESS").is_some() {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(&file, &drawn).unwrap();
            }
            if fs::read_to_string(&file).ok().as_ref() != Some(&drawn) {
                different.push(format!("{name}:\n{drawn}"));
            }
        }
    }

    assert!(different.is_empty(), "drawn otherwise; if it is meant so, LIVEBOX_BLESS=1:\n{}", different.join("\n"));
}

#[test]
fn no_string_is_cut_at_the_edge_whatever_the_figures() {
    let mut widest = degraded();
    widest.at = Instant::from_millis(99 * 3_600_000 + 59 * 60_000 + 59_000);
    widest.since = Instant::ZERO;
    widest.programme.bitrate.measured = Some(88.88);
    widest.programme.bitrate.wanted = Some(88.88);
    widest.programme.fps.measured = Some(60.0);
    widest.programme.fps.wanted = Some(60.0);
    widest.alarms = vec![widest.alarms[0].clone(); 150];
    let mut slate = widest.clone();
    slate.programme.slate = true;

    for status in [standing("hall-1"), live(), degraded(), widest, slate] {
        for phase in [Phase::Standby, Phase::Starting, Phase::Live, Phase::Stopping] {
            for lang in [Lang::Zh, Lang::En] {
                let status = Status { phase, ..status.clone() };
                let mut glass = Strict::default();

                let Ok(()) = home(&mut glass, &status, lang);

                assert_eq!(glass.outside, 0, "{phase:?} {lang:?}");
            }
        }
    }
}

#[test]
fn a_long_alarm_is_shown_whole_line_after_line() {
    let mut status = degraded();
    let mut seen = Vec::new();

    for second in (0..12).step_by(2) {
        status.at = Instant::from_millis(second * 1000);
        status.since = status.at;
        let drawn = drawing(&status, Lang::En);
        let bottom: String = drawn.lines().skip(52).collect();
        if !seen.contains(&bottom) {
            seen.push(bottom);
        }
    }

    assert!(seen.len() >= 2, "{} lines of the alarm were shown", seen.len());
}

#[test]
fn sixteen_uplinks_fit_and_a_dead_one_looks_otherwise() {
    let mut status = live();
    let spare = status.links[1].clone();
    status.links.resize(16, spare);

    let mut glass = Strict::default();
    let Ok(()) = home(&mut glass, &status, Lang::Zh);
    let alive = drawing(&status, Lang::Zh);
    status.links[15].phase = LinkPhase::Suspect;
    let dead = drawing(&status, Lang::Zh);

    assert_eq!(glass.outside, 0);
    assert_ne!(alive, dead);
}

fn live() -> Status {
    let mut status = standing("hall-1");
    status.phase = Phase::Live;
    status.at = Instant::from_millis(5_025_000);
    status.programme.output_open = true;
    for (n, link) in status.links.iter_mut().enumerate() {
        link.rate_mbit = [4.2, 2.1, 1.9, 0.4, 2.0, 0.1, 1.2][n];
    }
    status
}

fn degraded() -> Status {
    let mut status = live();
    status.programme.line = Line::B;
    status.programme.slate = true;
    status.programme.bitrate.measured = Some(3.1);
    status.links[0].phase = LinkPhase::Down;
    status.links[3].phase = LinkPhase::Suspect;
    status.links[5].phase = LinkPhase::Probing;
    status.inputs[2].present = false;
    status.inputs[2].level = None;
    status.alarms = vec![AlarmLine {
        kind: AlarmKind::UplinkDown,
        subject: "wired".to_owned(),
        severity: Severity::Major,
        since: Instant::ZERO,
        text: Text::new("有线网络已断开，直播由4G继续", "wired uplink is down, the live goes on over 4G"),
        advice: Text::new("请检查网线", "check the cable"),
        acknowledged: false,
    }];
    status
}

/// One character a point.
fn drawing(status: &Status, lang: Lang) -> String {
    let mut frame = Frame::default();
    let Ok(()) = home(&mut frame, status, lang);
    let row = |y| (0..WIDTH).map(|x| if frame.is_lit(x, y) { '█' } else { '·' }).collect::<String>();
    (0..HEIGHT).map(|y| row(y) + "\n").collect()
}

/// Counts what would have been drawn outside.
#[derive(Default)]
struct Strict {
    outside: usize,
}

impl OriginDimensions for Strict {
    fn size(&self) -> Size {
        Size::new(WIDTH, HEIGHT)
    }
}

impl DrawTarget for Strict {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let inside = |x: i32, y: i32| (0..WIDTH as i32).contains(&x) && (0..HEIGHT as i32).contains(&y);
        self.outside += pixels.into_iter().filter(|Pixel(at, _)| !inside(at.x, at.y)).count();
        Ok(())
    }
}
