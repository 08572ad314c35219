//! Reads the command line, runs one subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    livebox::cmd::main()
}
