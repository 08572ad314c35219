//! The subcommands, one file each. Exit codes: 0 good, 1 failed, 2 wrong usage, 3 the box is not reachable.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod sim;

/// The portable live box: cameras and mixer in, bonded SRT out.
#[derive(Debug, Parser)]
#[command(name = "livebox", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Sim(sim::Args),
}

/// Runs the subcommand that the command line names.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Verb::Sim(args) => sim::run(args),
    };
    outcome.unwrap_or_else(|why| {
        complain(&why);
        ExitCode::FAILURE
    })
}

#[allow(clippy::print_stderr, reason = "the last word of a command that failed")]
fn complain(why: &anyhow::Error) {
    eprintln!("livebox: {why:#}");
}
