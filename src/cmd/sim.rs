//! Plays scenarios in virtual time, prints the score.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::live;
use crate::bond::{Dialect, Without};
use crate::sim::{Followed, Play, Scenario, Score, World, follow, highest_share, interval_bound, lowest_bad, oracle};
use crate::units::{Bitrate, parse_duration};

/// Play a box and a receiver in virtual time.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenario files, as docs/sim.md describes them.
    #[arg(required_unless_present = "live")]
    scenarios: Vec<PathBuf>,
    /// Emulate the links of this scenario on real sockets instead; the n-th link is 127.0.1.n, a single
    /// link everybody's.
    #[arg(long, value_name = "FILE", conflicts_with = "scenarios")]
    live: Option<PathBuf>,
    #[command(flatten)]
    live_args: live::Args,
    /// The number that all randomness of a run comes from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Rate of the source, such as 8Mbps, or a bare number of Mbit/s.
    #[arg(long, default_value = "6Mbps", value_parser = rate, conflicts_with = "load")]
    rate: Bitrate,
    /// Rate of the source as a share of what a scheduler that knows the future could bring in time.
    #[arg(long, value_parser = share)]
    load: Option<f64>,
    /// Search the highest rate at which 99.99 % come in time, and set it beside the oracle's.
    #[arg(long, conflicts_with_all = ["load", "rate"])]
    limit: bool,
    /// Let the source send what the engine says an encoder may, 100 ms later, beginning at 3 Mbit/s.
    #[arg(long, conflicts_with_all = ["load", "rate", "limit", "vbr"])]
    follow: bool,
    /// L: a payload is late when it takes longer.
    #[arg(long, default_value = "1s", value_parser = latency)]
    latency: Duration,
    /// The frames spoken on the links.
    #[arg(long, default_value = "srtla", value_parser = dialect)]
    dialect: Dialect,
    /// Leave an element of the engine out, to see what it is worth; docs/bonding.md names them. May be repeated.
    #[arg(long, value_name = "ELEMENT", value_parser = element)]
    without: Vec<Without>,
    /// Pictures of varying size instead of a constant rate.
    #[arg(long)]
    vbr: bool,
    /// Play only a part of each scenario, such as 45s..75s; the warm-up stays as long as it is.
    #[arg(long, value_parser = part)]
    part: Option<(Duration, Duration)>,
    /// Tell the sender of every outage at once, as the kernel tells of a lost carrier.
    #[arg(long)]
    told: bool,
    /// Play so many scenarios at a time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Where the recorded traces are; the scenario's own folder if absent.
    #[arg(long)]
    traces: Option<PathBuf>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<Bitrate, String> {
    let rate = match text.parse::<f64>() {
        Ok(mbit) if mbit.is_finite() => Bitrate::bps((mbit * 1e6).max(0.0) as u64),
        _ => text.parse().map_err(|e: crate::units::NotAQuantity| e.to_string())?,
    };
    let allowed = Bitrate::kbps(10)..=Bitrate::mbps(1000);
    if allowed.contains(&rate) { Ok(rate) } else { Err("a rate lies between 10kbps and 1000Mbps".to_owned()) }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("\"{text}\" is not a share such as 0.5"))?;
    if share > 0.0 && share <= 2.0 { Ok(share) } else { Err("a share lies between 0 and 2".to_owned()) }
}

fn latency(text: &str) -> Result<Duration, String> {
    let latency = parse_duration(text).map_err(|e| e.to_string())?;
    let allowed = Duration::from_millis(50)..=Duration::from_secs(30);
    if allowed.contains(&latency) { Ok(latency) } else { Err("a latency lies between 50ms and 30s".to_owned()) }
}

fn part(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text.split_once("..").ok_or_else(|| format!("\"{text}\" is not a part such as 45s..75s"))?;
    let at = |text: &str| parse_duration(text).map_err(|e| e.to_string());
    let (from, to) = (at(from)?, at(to)?);
    let day = Duration::from_secs(24 * 3600);
    if from < to && to <= day { Ok((from, to)) } else { Err("a part ends after it begins, within a day".to_owned()) }
}

fn dialect(text: &str) -> Result<Dialect, String> {
    match text {
        "srtla" => Ok(Dialect::Srtla),
        "native" => Ok(Dialect::Native),
        _ => Err("there are srtla and native".to_owned()),
    }
}

fn element(text: &str) -> Result<Without, String> {
    let names = || Without::ALL.map(|(name, _)| name).join(", ");
    Without::ALL
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, element)| *element)
        .ok_or_else(|| format!("there is no element \"{text}\"; there are {}", names()))
}

impl Args {
    fn leaves_out(&self) -> Without {
        self.without.iter().fold(Without::default(), |all, one| all.and(*one))
    }
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.live {
        return live::run(&args.live_args, read(file, args.traces.as_deref())?, args.seed);
    }
    let scenarios = args.scenarios.iter().map(|file| read_part(&args, file)).collect::<anyhow::Result<Vec<_>>>()?;
    if args.limit {
        print_each(&args, &scenarios, Limit::head(), |scenario| find_limit(&args, scenario), Limit::row)?;
    } else if args.follow {
        let start = play_at(&args, Bitrate::mbps(3));
        print_each(&args, &scenarios, Followed::head(), |scenario| follow(scenario, start), Followed::row)?;
    } else {
        print_each(&args, &scenarios, Score::head(), |scenario| scored(&args, scenario), Score::row)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read_part(args: &Args, file: &Path) -> anyhow::Result<Scenario> {
    let mut scenario = read(file, args.traces.as_deref())?;
    if let Some((from, to)) = args.part {
        if to - from <= scenario.warmup {
            bail!("{}: {from:?} to {to:?} is not longer than the warm-up {:?}", file.display(), scenario.warmup);
        }
        scenario = scenario.part(from, to - from);
    }
    Ok(if args.told { scenario.told() } else { scenario })
}

/// Plays the scenarios, as many at a time as asked for, and prints each as soon as those before it are printed.
#[allow(clippy::print_stdout, reason = "the score is this command's output")]
fn print_each<T: Send + serde::Serialize>(
    args: &Args,
    scenarios: &[Scenario],
    head: String,
    play: impl Fn(&Scenario) -> T + Sync,
    row: impl Fn(&T) -> String,
) -> anyhow::Result<()> {
    if !args.json {
        println!("{head}");
    }
    for together in scenarios.chunks(usize::from(args.jobs)) {
        let results: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = together.iter().map(|scenario| scope.spawn(|| play(scenario))).collect();
            running.into_iter().map(|one| one.join()).collect()
        });
        for result in results {
            let result = result.map_err(|_| anyhow::anyhow!("a run has ended in a panic"))?;
            if args.json {
                println!("{}", serde_json::to_string(&result)?);
            } else {
                println!("{}", row(&result));
            }
        }
    }
    Ok(())
}

fn play_at(args: &Args, rate: Bitrate) -> Play {
    Play {
        seed: args.seed,
        rate,
        latency: args.latency,
        variable: args.vbr,
        dialect: args.dialect,
        without: args.leaves_out(),
    }
}

fn scored(args: &Args, scenario: &Scenario) -> Score {
    let best = oracle(scenario, args.seed, args.latency);
    let rate = args.load.map_or(args.rate, |share| best.scaled(share));
    World::new(scenario, play_at(args, rate)).finish().beside(best)
}

/// Our highest good rate of one scenario, beside the oracle's.
#[derive(Debug, serde::Serialize)]
struct Limit {
    name: String,
    seed: u64,
    latency_ms: u64,
    dialect: Dialect,
    oracle_mbit: f64,
    rate_mbit: f64,
    ratio: f64,
    #[serde(skip)]
    bound_mbit: f64,
    #[serde(skip)]
    fails_at: Option<f64>,
}

impl Limit {
    fn head() -> String {
        format!(
            "{:<14} {:>4} {:>8} {:<7} {:>12} {:>7} {:>12} {:>6} {:>8}",
            "name", "seed", "L", "dialect", "bound Mbit/s", "oracle", "ours Mbit/s", "ratio", "fails at"
        )
    }

    fn row(&self) -> String {
        format!(
            "{:<14} {:>4} {:>5} ms {:<7} {:>12.2} {:>7.2} {:>12.2} {:>6.4} {:>8}",
            self.name,
            self.seed,
            self.latency_ms,
            said(self.dialect),
            self.bound_mbit,
            self.oracle_mbit,
            self.rate_mbit,
            self.ratio,
            self.fails_at.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}"))
        )
    }
}

fn said(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Srtla => "srtla",
        Dialect::Native => "native",
    }
}

fn find_limit(args: &Args, scenario: &Scenario) -> Limit {
    let best = oracle(scenario, args.seed, args.latency);
    let is_good = |share: f64| World::new(scenario, play_at(args, best.scaled(share))).is_good();
    let share = highest_share(is_good);
    // said in the table alone, and it takes as long again
    let fails_at = if args.json { None } else { lowest_bad(share, is_good) };
    let mbit = |rate: Bitrate| rate.as_kbps() as f64 / 1000.0;
    Limit {
        name: scenario.name.clone(),
        seed: args.seed,
        latency_ms: args.latency.as_millis() as u64,
        dialect: args.dialect,
        oracle_mbit: mbit(best),
        rate_mbit: mbit(best.scaled(share)),
        ratio: share,
        bound_mbit: mbit(interval_bound(scenario, args.seed, args.latency)),
        fails_at,
    }
}

/// Reads a scenario with its traces; every fault of the file in one error.
pub(crate) fn read(file: &Path, traces: Option<&Path>) -> anyhow::Result<Scenario> {
    let text = std::fs::read_to_string(file).with_context(|| format!("scenario {}", file.display()))?;
    let folder = traces.map_or_else(|| file.parent().unwrap_or(Path::new("")).to_owned(), Path::to_owned);
    let mut read_trace = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path)
            .map_err(|why| format!("{}: {why}; --traces DIR says where recorded traces are", path.display()))
    };
    match Scenario::parse(&file.display().to_string(), &text, &mut read_trace) {
        Ok(scenario) => Ok(scenario),
        Err(faults) => {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            bail!("{}", lines.join("\n"))
        }
    }
}
