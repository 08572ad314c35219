//! The subcommands, one file each. Exit codes: 0 good, 1 failed, 2 wrong usage, 3 the box is not reachable.

#[cfg(feature = "gstreamer")]
mod judge;

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
    /// Judges a received programme by the test pattern in it.
    #[cfg(feature = "gstreamer")]
    Judge(judge::Args),
}

/// Runs the subcommand that the command line names.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        #[cfg(feature = "gstreamer")]
        Verb::Judge(args) => end(judge::run(args)),
    }
}

/// What a subcommand ended with; an error is told where people read it.
#[cfg(feature = "gstreamer")]
fn end(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        eprintln!("livebox: {error:#}");
        ExitCode::from(1)
    })
}
