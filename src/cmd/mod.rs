//! The subcommands, one file each. Exit codes: 0 good, 1 failed, 2 wrong usage, 3 the box is not reachable.

mod ctl;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The portable live box: cameras and mixer in, bonded SRT out.
#[derive(Debug, Parser)]
#[command(name = "livebox", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What a running box says.
    Status(ctl::StatusArgs),
    /// What a face could say, from a shell.
    Send(ctl::SendArgs),
}

/// Runs the subcommand that the command line names.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let end = match cli.command {
        Verb::Status(args) => ctl::status(args),
        Verb::Send(args) => ctl::send(args),
    };
    end.unwrap_or_else(|error| {
        eprintln!("livebox: {error:#}");
        ExitCode::FAILURE
    })
}
