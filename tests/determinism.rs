//! Same seed, same scenario, same bytes.

use std::time::Duration;

use livebox::sim::{Play, World};
use livebox::units::Bitrate;

use crate::bonding::scenario;

fn line(name: &str, seed: u64) -> String {
    let play = Play {
        seed,
        rate: Bitrate::mbps(5),
        latency: Duration::from_secs(1),
        variable: seed % 2 == 1,
        ..Play::default()
    };
    serde_json::to_string(&World::new(&scenario(name), play).finish()).expect("a score is plain data")
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for name in ["lossy", "fading-modems"] {
        assert_eq!(line(name, 3), line(name, 3));
        assert_ne!(line(name, 4), line(name, 6));
    }
}

#[test]
fn a_score_has_exactly_the_promised_keys() {
    let score: serde_json::Value = serde_json::from_str(&line("lossy", 1)).expect("JSON");

    let keys: Vec<_> = score.as_object().expect("an object").keys().map(String::as_str).collect();

    let mut wanted = [
        "name",
        "seed",
        "offered_mbit",
        "delivered",
        "late",
        "lost",
        "p50_ms",
        "p99_ms",
        "max_ms",
        "longest_gap_ms",
        "overhead",
        "redundancy",
        "metered_share",
        "metered_share_both",
        "queue_p95_ms",
        "oracle_mbit",
    ];
    wanted.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, wanted);
}
