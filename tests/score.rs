//! What docs/score.md keeps: no change may bring a scenario clearly below it unseen.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use livebox::bond::Dialect;
use livebox::sim::{Play, World, oracle};
use livebox::units::parse_duration;

use super::bonding::scenario;

/// A row has fallen if neither the kept share of the oracle's rate holds nor one of so many percent below it. One alone
/// would say little: near its limit a scheme fails at one rate and holds at the next.
const FALLEN: u32 = 4;
/// The part of each scenario that is played: the events at 60 s lie in it.
const PART: (Duration, Duration) = (Duration::from_secs(45), Duration::from_secs(30));

#[derive(Debug, Clone)]
struct Row {
    name: String,
    dialect: Dialect,
    latency: Duration,
    ratio: f64,
}

fn rows() -> Vec<Row> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/score.md");
    let text = std::fs::read_to_string(kept).expect("the score is kept");
    let quick = text.split("<!-- quick -->").nth(1).and_then(|rest| rest.split("<!-- end of quick -->").next());
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let row = |cells: &[String]| Row {
        name: cells[1].clone(),
        dialect: dialect(&cells[2]),
        latency: parse_duration(&cells[3]).expect("a latency"),
        ratio: cells[6].parse().expect("a ratio"),
    };
    quick.expect("the marks stand").lines().skip(3).map(cells).filter(|c| c.len() > 6).map(|c| row(&c)).collect()
}

fn dialect(text: &str) -> Dialect {
    match text {
        "srtla" => Dialect::Srtla,
        "native" => Dialect::Native,
        other => panic!("no dialect {other}"),
    }
}

/// What is wrong with a row, if anything.
fn fallen(row: &Row) -> Option<String> {
    let scenario = scenario(&row.name).part(PART.0, PART.1);
    let best = oracle(&scenario, 0, row.latency);
    let holds = |share: f64| {
        let (rate, latency, dialect) = (best.scaled(share), row.latency, row.dialect);
        let play = Play { rate, latency, dialect, ..Play::default() };
        World::new(&scenario, play).is_good()
    };
    let good = (0..=FALLEN).any(|percent| holds(row.ratio - f64::from(percent) / 100.0));
    (!good).then(|| format!("{row:?} holds neither there nor up to {FALLEN} % below"))
}

#[test]
fn no_row_of_the_score_has_fallen() {
    let rows = rows();
    assert!(rows.len() >= 26, "only {} rows are kept", rows.len());
    let next = AtomicUsize::new(0);

    let work = || std::iter::from_fn(|| rows.get(next.fetch_add(1, Ordering::Relaxed))).filter_map(fallen).collect();
    let told: Vec<String> = std::thread::scope(|scope| {
        let workers = [(); 2].map(|()| scope.spawn(|| -> Vec<String> { work() }));
        workers.into_iter().flat_map(|worker| worker.join().expect("a run has ended in a panic")).collect()
    });

    assert!(told.is_empty(), "run make score and look at docs/score.md, or mend:\n{}", told.join("\n"));
}
