//! `livebox flow`: stamped payloads into one end of a line, and what comes out at the other, counted.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use super::stopped;
use crate::flow::{Flow, Report};
use crate::io;
use crate::io::clock;
use crate::units::{Bitrate, parse_duration};

/// Sends stamped payloads into a line and judges what comes out; non-zero if too little came in time.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where payloads go, such as the UDP input of an SRT caller
    #[arg(long, value_name = "ADDR:PORT")]
    to: SocketAddr,
    /// Where they come out again, such as the UDP output of an SRT listener
    #[arg(long, value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Payload bits a second
    #[arg(long, default_value = "4Mbps")]
    rate: Bitrate,
    /// A payload that took longer is late
    #[arg(long, value_name = "TIME", default_value = "1500ms", value_parser = parse_duration)]
    within: Duration,
    /// So long after the first payload came out it begins to count
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    warmup: Duration,
    /// For so long it counts
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    lasts: Duration,
    /// Demand that this share comes in time
    #[arg(long, value_name = "SHARE", default_value_t = 0.9999)]
    demand: f64,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[allow(clippy::print_stdout, reason = "the report is this command's output")]
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let flow = Flow::new(clock::now(), args.rate, args.within, args.warmup, args.lasts);
        io::flow::run(flow, args.to, args.listen, stopped()?).await
    })?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        table(&report);
    }
    Ok(if report.in_time >= args.demand { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[allow(clippy::print_stdout, reason = "the report is this command's output")]
fn table(report: &Report) {
    let row = |name: &str, value: String| println!("{name:<24} {value}");
    let ms = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |ms| format!("{ms:.1} ms"));
    row("payloads", report.made.to_string());
    row("missing", report.missing.to_string());
    row("longest hole", format!("{}, from {:.2} s", report.hole, report.hole_at_s));
    row("late", report.late.to_string());
    row("in time", format!("{:.4} %", report.in_time * 100.0));
    row("doubled", report.doubled.to_string());
    row("after a later one", report.misordered.to_string());
    row("none of ours", report.strange.to_string());
    let delays = [report.p50_ms, report.p99_ms, report.max_ms].map(ms).join(", ");
    row("delay p50, p99, max", delays);
    row("offset from second 5", ms(report.offset_ms));
    row("its largest change after", ms(report.drift_ms));
    row("made too late at most", ms(Some(report.made_late_ms)));
}
