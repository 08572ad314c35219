//! The subcommands, one file each. Exit codes: 0 good, 1 failed, 2 wrong usage, 3 the box is not reachable.

mod bond;
mod check;
mod ctl;
mod flow;
mod gateway;
#[cfg(feature = "gstreamer")]
mod judge;
mod keys;
mod live;
mod panel;
mod record;
#[cfg(feature = "gstreamer")]
mod run;
mod sim;

use std::future::Future;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The portable live box: cameras and mixer in, bonded SRT out.
#[derive(Debug, Parser)]
#[command(name = "livebox", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[cfg(feature = "gstreamer")]
    Run(run::Args),
    Gateway(gateway::Args),
    Bond(bond::Args),
    Sim(sim::Args),
    Flow(flow::Args),
    Keys(keys::Args),
    Status(ctl::StatusArgs),
    Send(ctl::SendArgs),
    Check(check::Args),
    Record(record::Args),
    Panel(panel::Args),
    #[cfg(feature = "gstreamer")]
    Judge(judge::Args),
}

/// Runs the subcommand that the command line names.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // that crate warns of every attribute that is newer than it, at every look
    let quiet = || EnvFilter::new("info,netlink_packet_route=error");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| quiet());
    let ansi = std::io::stderr().is_terminal();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).try_init();
    #[cfg(feature = "gstreamer")]
    let srt = matches!(cli.command, Verb::Run(_) | Verb::Gateway(_));
    let end = match cli.command {
        #[cfg(feature = "gstreamer")]
        Verb::Run(args) => run::run(args),
        Verb::Gateway(args) => gateway::run(args),
        Verb::Bond(args) => bond::run(args),
        Verb::Sim(args) => sim::run(args),
        Verb::Flow(args) => flow::run(args),
        Verb::Keys(args) => keys::run(args),
        Verb::Status(args) => ctl::status(args),
        Verb::Send(args) => ctl::send(args),
        Verb::Check(args) => check::run(args),
        Verb::Record(args) => record::run(args),
        Verb::Panel(args) => panel::run(args),
        #[cfg(feature = "gstreamer")]
        Verb::Judge(args) => judge::run(args),
    };
    #[cfg(feature = "gstreamer")]
    if srt && end.as_ref().is_ok_and(|code| *code == ExitCode::SUCCESS) {
        crate::io::media::leave();
    }
    end.unwrap_or_else(|error| {
        eprintln!("livebox: {error:#}");
        ExitCode::FAILURE
    })
}

/// Comes true on SIGTERM or SIGINT.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        super::Cli::command().debug_assert();
    }
}
