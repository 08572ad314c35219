//! Follow: a source that sends what the engine says an encoder may, and what comes of it.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::limit::oracle;
use super::scenario::{LinkScenario, Scenario, Span};
use super::score::{Score, rounded};
use super::world::{Play, World};
use crate::bond::Config;
use crate::time::Instant;
use crate::units::Bitrate;

/// An encoder needs so long to do as it is told.
const LAG: Duration = Duration::from_millis(100);
/// The target is looked at so often.
const LOOK: Duration = Duration::from_millis(5);
/// The mean rate is taken after so much of the run; what an encoder climbs through before is not counted.
const SETTLED: Duration = Duration::from_secs(20);
/// A collapse that the target has not followed by then was not followed.
const MOST_REACTION: Duration = Duration::from_secs(2);

/// A closed loop's result, with the keys that `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Followed {
    /// The scenario's name.
    pub name: String,
    /// The run's seed.
    pub seed: u64,
    /// The source's mean rate in time from second 20 to ten seconds before the end.
    pub mean_mbit: f64,
    /// The lower of the oracle's rate and the target's ceiling.
    pub possible_mbit: f64,
    /// One by the other.
    pub share: f64,
    /// Payloads that were late or never came.
    pub bad: u64,
    /// The longest time from an outage that left less than the target until the target was at most what is left;
    /// nothing if no outage did.
    pub reaction_ms: Option<f64>,
    /// Of a hundred payloads one took longer.
    pub p99_ms: f64,
}

/// An outage that leaves less than the target said.
#[derive(Debug)]
struct Collapse {
    at: Instant,
    left: f64,
}

fn outages(link: &LinkScenario) -> impl Iterator<Item = &Span> {
    [&link.down, &link.carrier, &link.freeze].into_iter().flatten()
}

/// When links fall away, and what the others carry then, bits a second.
fn falls(scenario: &Scenario) -> Vec<Collapse> {
    let mut times: Vec<Instant> = scenario.links.iter().flat_map(outages).map(|span| span.from).collect();
    times.sort_unstable();
    times.dedup();
    let left = |at: Instant| -> f64 {
        let alive = scenario.links.iter().filter(|link| !outages(link).any(|span| span.holds(at)));
        alive.map(LinkScenario::mean_rate).sum::<f64>() * 8e6
    };
    times.into_iter().map(|at| Collapse { at, left: left(at) }).collect()
}

/// Plays with a source that follows the target 100 ms later, beginning at `play.rate`.
#[must_use]
pub fn follow(scenario: &Scenario, play: Play) -> Followed {
    let mut world = World::new(scenario, play);
    let ceiling = Config::default().ceiling;
    let end = Instant::ZERO + scenario.duration;
    let mut told: VecDeque<(Instant, Bitrate)> = VecDeque::new();
    let mut falls = falls(scenario).into_iter().peekable();
    let mut open: Vec<Collapse> = Vec::new();
    let mut reaction: Option<Duration> = None;
    let mut target = play.rate;
    while world.now() < end {
        world.play_until(world.now() + LOOK);
        let now = world.now();
        // what fell away since the last look fell under the target of that look
        while let Some(fall) = falls.next_if(|fall| fall.at <= now) {
            open.retain(|other| other.left < fall.left);
            if fall.at > Instant::ZERO + scenario.warmup && target.as_bps() as f64 > fall.left {
                open.push(fall);
            }
        }
        target = world.stats().target;
        told.push_back((now + LAG, target));
        while let Some((_, rate)) = told.pop_front_if(|(at, _)| *at <= now) {
            world.set_rate(rate);
        }
        open.retain(|fall| {
            let took = now.since(fall.at);
            let followed = target.as_bps() as f64 <= fall.left;
            if followed || took >= MOST_REACTION {
                reaction = Some(reaction.unwrap_or_default().max(took));
            }
            !followed && took < MOST_REACTION
        });
    }
    let (from, to) = (Instant::ZERO + SETTLED, end.before(Duration::from_secs(10)));
    world.play_until(end + play.latency + Duration::from_secs(1));
    let scored = world.payloads().filter(|(made, _)| *made >= from && *made < to);
    let in_time = scored.filter(|(made, came)| came.is_some_and(|came| came - *made <= play.latency)).count();
    let mean = in_time as f64 * super::source::PAYLOAD as f64 * 8.0 / to.since(from).as_secs_f64().max(1.0) / 1e6;
    let possible = oracle(scenario, play.seed, play.latency).min(ceiling).as_mbps();
    let score: Score = world.finish();
    Followed {
        name: scenario.name.clone(),
        seed: play.seed,
        mean_mbit: rounded(mean, 3),
        possible_mbit: rounded(possible, 3),
        share: rounded(mean / possible.max(0.001), 4),
        bad: score.bad(),
        reaction_ms: reaction.map(|took| took.as_micros() as f64 / 1000.0),
        p99_ms: score.p99_ms,
    }
}

impl Followed {
    /// The head of [`Followed::row`].
    #[must_use]
    pub fn head() -> String {
        format!(
            "{:<12} {:>4} {:>11} {:>8} {:>6} {:>6} {:>11} {:>8}",
            "name", "seed", "mean Mbit/s", "possible", "share", "bad", "reaction ms", "p99 ms"
        )
    }

    /// One line of a table.
    #[must_use]
    pub fn row(&self) -> String {
        format!(
            "{:<12} {:>4} {:>11.2} {:>8.2} {:>6.3} {:>6} {:>11} {:>8.1}",
            self.name,
            self.seed,
            self.mean_mbit,
            self.possible_mbit,
            self.share,
            self.bad,
            self.reaction_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}")),
            self.p99_ms
        )
    }
}
