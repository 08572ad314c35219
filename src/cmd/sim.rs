//! Plays scenarios in virtual time, prints the score.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::live;
use crate::bond::Dialect;
use crate::sim::{Play, Scenario, Score, World, oracle};
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
    #[arg(long, conflicts_with = "load")]
    limit: bool,
    /// L: a payload is late when it takes longer.
    #[arg(long, default_value = "1s", value_parser = latency)]
    latency: Duration,
    /// The frames spoken on the links.
    #[arg(long, default_value = "srtla", value_parser = dialect)]
    dialect: Dialect,
    /// Pictures of varying size instead of a constant rate.
    #[arg(long)]
    vbr: bool,
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

fn dialect(text: &str) -> Result<Dialect, String> {
    match text {
        "srtla" => Ok(Dialect::Srtla),
        _ => Err("there is srtla".to_owned()),
    }
}

#[allow(clippy::print_stdout, reason = "the score is this command's output")]
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Dialect::Srtla = args.dialect;
    if let Some(file) = &args.live {
        return live::run(&args.live_args, read(file, args.traces.as_deref())?, args.seed);
    }
    let scenarios =
        args.scenarios.iter().map(|file| read(file, args.traces.as_deref())).collect::<anyhow::Result<Vec<_>>>()?;
    if args.limit {
        return find_limits(&args, &scenarios);
    }
    if !args.json {
        println!("{}", Score::head());
    }
    for scenario in &scenarios {
        let best = oracle(scenario, args.seed, args.latency);
        let rate = args.load.map_or(args.rate, |share| best.scaled(share));
        let score = score(&args, scenario, rate).beside(best);
        if args.json {
            println!("{}", serde_json::to_string(&score)?);
        } else {
            println!("{}", score.row());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn score(args: &Args, scenario: &Scenario, rate: Bitrate) -> Score {
    let play = Play { seed: args.seed, rate, latency: args.latency, variable: args.vbr };
    World::new(scenario, play).finish()
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
}

#[allow(clippy::print_stdout, reason = "the limits are this command's output")]
fn find_limits(args: &Args, scenarios: &[Scenario]) -> anyhow::Result<ExitCode> {
    for scenario in scenarios {
        let best = oracle(scenario, args.seed, args.latency);
        // percent of the oracle, by halving; a scheduler that fails at a rate may do well above it, which this does not see
        let (mut good, mut bad) = (0_u32, 101_u32);
        while bad - good > 1 {
            let middle = u32::midpoint(good, bad);
            if score(args, scenario, best.scaled(f64::from(middle) / 100.0)).is_good() {
                good = middle;
            } else {
                bad = middle;
            }
        }
        let limit = Limit {
            name: scenario.name.clone(),
            seed: args.seed,
            latency_ms: args.latency.as_millis() as u64,
            dialect: args.dialect,
            oracle_mbit: best.as_kbps() as f64 / 1000.0,
            rate_mbit: best.scaled(f64::from(good) / 100.0).as_kbps() as f64 / 1000.0,
            ratio: f64::from(good) / 100.0,
        };
        if args.json {
            println!("{}", serde_json::to_string(&limit)?);
        } else {
            println!(
                "{:<12} {:>4} oracle {:>6.2} ours {:>6.2} Mbit/s, {:.2}",
                limit.name, limit.seed, limit.oracle_mbit, limit.rate_mbit, limit.ratio
            );
        }
    }
    Ok(ExitCode::SUCCESS)
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
