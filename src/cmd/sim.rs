//! Plays scenarios in virtual time, prints the score.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::bond::Dialect;
use crate::sim::{Play, Scenario, Score, World};
use crate::units::{Bitrate, parse_duration};

/// Play a box and a receiver in virtual time.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenario files, as docs/sim.md describes them.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// The number that all randomness of a run comes from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Rate of the source, such as 8Mbps, or a bare number of Mbit/s.
    #[arg(long, default_value = "6Mbps", value_parser = rate)]
    rate: Bitrate,
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
    let scenarios =
        args.scenarios.iter().map(|file| read(file, args.traces.as_deref())).collect::<anyhow::Result<Vec<_>>>()?;
    if !args.json {
        println!("{}", Score::head());
    }
    for scenario in &scenarios {
        let play = Play { seed: args.seed, rate: args.rate, latency: args.latency, variable: args.vbr };
        let score = World::new(scenario, play).finish();
        if args.json {
            println!("{}", serde_json::to_string(&score)?);
        } else {
            println!("{}", score.row());
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
