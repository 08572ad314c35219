//! `livebox keys`: the keys that box and gateway know one another by.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::io;

/// Makes a key for `livebox bond` or `livebox gateway`, or shows the public half of one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Writes a new private key to FILE, for its owner alone, and prints the public key
    New {
        /// A file that does not exist yet
        file: PathBuf,
    },
    /// Prints the public key that belongs to the private one in FILE
    Show {
        /// A file that `livebox keys new` wrote
        file: PathBuf,
    },
}

#[allow(clippy::print_stdout, reason = "this is what the command is for")]
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let public = match args.what {
        What::New { file } => io::keys::create(&file, &mut io::seed::fresh()?)?,
        What::Show { file } => io::keys::private(&file)?.public(),
    };
    println!("{public}");
    Ok(ExitCode::SUCCESS)
}
