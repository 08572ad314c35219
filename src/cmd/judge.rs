//! `livebox judge`: what a far end received, counted; non-zero if something is missing or wrong in its stamps.
#![allow(clippy::print_stdout, reason = "a subcommand prints")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::io::media::judge::judge_file;
use crate::media::judge::{Away, Demands, Report};
use crate::units::parse_duration;

/// Judges a received programme by the test pattern in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The received transport stream.
    file: PathBuf,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// When the source was away, in time since the box's start: `12s..15s`, several with commas. A
    /// slate beside them counts as missing pictures; without this option any slate is excused.
    #[arg(long, value_delimiter = ',', value_parser = away)]
    outages: Vec<Away>,
    /// Demand so many pictures with the source's counter.
    #[arg(long, default_value_t = 1)]
    at_least: u64,
    /// Demand sound without a silence longer than this, such as `0ms`.
    #[arg(long, value_parser = parse_duration)]
    silence: Option<Duration>,
    /// The pattern's number: 0 camera, 1 slides.
    #[arg(long, default_value_t = 0)]
    source: u8,
    /// Measure a tone near so many Hz.
    #[arg(long)]
    tone: Option<f64>,
}

fn away(text: &str) -> Result<Away, String> {
    let (from, to) = text.split_once("..").ok_or_else(|| format!("\"{text}\" is not a span such as 12s..15s"))?;
    let read = |t: &str| parse_duration(t).map_err(|e| e.to_string());
    Ok(Away { from: read(from)?, to: read(to)? })
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let report = judge_file(&args.file, args.source, args.tone, &args.outages)?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        table(&report);
    }
    let demands = Demands { at_least: args.at_least, silence: args.silence };
    Ok(if report.meets(&demands) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn table(report: &Report) {
    let row = |name: &str, value: String| println!("{name:<24} {value}");
    let number = |n: Option<u32>| n.map_or_else(|| "none".to_owned(), |n| n.to_string());
    row("pictures", format!("{} decoded of {}", report.pictures, report.stamps));
    row("of the source", report.seen.to_string());
    row("counters", format!("{} to {}", number(report.first), number(report.last)));
    row("missing", report.missing.to_string());
    for hole in &report.holes {
        row("", format!("{} after {}", hole.count, hole.after));
    }
    row("doubled", report.doubled.to_string());
    row("longest picture gap", format!("{:.0} ms", report.longest_picture_gap_ms));
    row("longest sound gap", format!("{:.0} ms", report.sound.longest_gap_ms));
    row("PTS irregularities", format!("{} (one picture is {} ticks)", report.pts_irregular, report.pts_step));
    for wrong in &report.irregular {
        row("", format!("picture {}: step {}", wrong.index, wrong.step));
    }
    row("TS discontinuities", report.ts_discontinuities.to_string());
    for slate in &report.slates {
        let back = slate.return_ms.map_or_else(String::new, |ms| format!(", back after {ms:.0} ms"));
        let what = format!("at {:.2} s for {:.0} ms, after {:.0} ms{back}", slate.at_s, slate.ms, slate.onset_ms);
        row("slate", what);
    }
    if let (Some(hz), Some(db)) = (report.sound.tone_hz, report.sound.tone_db) {
        row("tone", format!("{hz:.2} Hz, {db:.0} dB above the rest"));
    }
}
