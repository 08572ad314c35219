//! A box in standby with everything in order, for the tests of the faces.

use livebox::bond::LinkPhase;
use livebox::health::Sample;
use livebox::lang::said;
use livebox::media::{EncoderKind, Layout, Line, SourceId};
use livebox::message::{InputStatus, LinkStatus, Phase, Programme, Reading, Status, Tally, Verdict};
use livebox::time::Instant;
use livebox::units::{Bytes, Celsius, Percent};

/// Status of `device`: standby, seven links up, every source there, no alarm.
pub(crate) fn standing(device: &str) -> Status {
    let good = |measured, wanted| Reading { measured, wanted, verdict: Verdict::Good };
    Status {
        at: Instant::from_millis(5000),
        wall: None,
        device: device.to_owned(),
        phase: Phase::Standby,
        since: Instant::ZERO,
        programme: Programme {
            layout: Layout::Camera,
            line: Line::A,
            slate: false,
            slate_wanted: false,
            which: livebox::media::Slate::Hold,
            encoder: Some(EncoderKind::X264enc),
            bitrate: good(Some(4.8), Some(4.9)),
            fps: good(Some(25.0), Some(25.0)),
            safe_rate: good(Some(11.2), None),
            output_open: false,
        },
        tally: Tally::Off,
        recording: livebox::message::RecordingStatus::default(),
        agenda: livebox::message::AgendaStatus::default(),
        inputs: SourceId::ALL
            .map(|source| InputStatus {
                source,
                present: true,
                detail: if source.is_picture() { said::pattern("1280x720@25") } else { said::tone(1000) },
                level: (!source.is_picture()).then_some(-14.0),
            })
            .to_vec(),
        sound: livebox::message::SoundStatus::default(),
        outputs: Vec::new(),
        reductions: Vec::new(),
        links: (0..7)
            .map(|n| LinkStatus {
                slot: if n == 0 { "wired".to_owned() } else { format!("lte{n}") },
                metered: n > 0,
                interface: Some("lo".to_owned()),
                address: Some(format!("127.0.1.{}", n + 1)),
                carrier: true,
                phase: LinkPhase::Up,
                rtt_ms: Some(12.0 + 9.0 * f64::from(n)),
                loss: 0.0,
                rate_mbit: if n == 0 { 4.2 } else { 0.1 },
                capacity_mbit: if n == 0 { 20.0 } else { 2.1 },
                sent_bytes: 1_000_000,
            })
            .collect(),
        far_end: None,
        health: Some(Sample {
            cpu: Percent(23.0),
            memory: Percent(31.0),
            temperature: Some(Celsius(47.0)),
            disk_free: Bytes(70 << 30),
            disk_total: Bytes(100 << 30),
            uptime: 60,
        }),
        alarms: Vec::new(),
        events: Vec::new(),
    }
}
