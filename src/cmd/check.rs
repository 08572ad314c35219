//! Reads config and board, says what is wrong and where.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{Config, DEFAULT_BOARD, DEFAULT_FILE};
use crate::control::Effect;
use crate::io;
use crate::table::{Fault, Keeper};

/// Checks settings files and board profiles: every fault with file, line, and the mend.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a board, with its profile.toml.
    #[arg(long, value_name = "DIR")]
    board: Option<PathBuf>,

    /// Settings in use: says for each key that differs what it takes to follow the change.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// Settings files or board profiles (named profile.toml, or folders that hold one). Without any,
    /// the box's own are checked.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Checks what the command line names: 0 all good, 1 there are faults.
#[allow(clippy::print_stdout, reason = "this is what the command is for")]
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let own = args.board.is_none() && args.files.is_empty();
    let mut files = args.files;
    files.extend(args.board);
    if own {
        files.extend([PathBuf::from(DEFAULT_FILE), PathBuf::from(DEFAULT_BOARD)]);
    }
    let old = match args.against.as_deref().map(io::config::read) {
        Some(Ok(old)) => Some(old),
        Some(Err(faults)) => return Ok(tell(&faults)),
        None => None,
    };

    let mut code = ExitCode::SUCCESS;
    for file in files {
        let found = if file.is_dir() || file.file_name().is_some_and(|name| name == "profile.toml") {
            io::config::board(&file).map(|board| {
                println!("{}: good: board {}, {} uplinks", file.display(), board.name, board.uplinks.len());
            })
        } else {
            settings(&file).map(|config| {
                println!("{}: good: {} sends to {}", file.display(), config.device, config.media.destination);
                if let Some(old) = &old {
                    changes(old, &config);
                }
            })
        };
        if let Err(faults) = found {
            code = tell(&faults);
        }
    }
    Ok(code)
}

/// A settings file with its secrets; but credentials exist only inside the unit, so that elsewhere
/// they are named and not fetched.
#[allow(clippy::print_stdout, reason = "this is what the command is for")]
fn settings(file: &Path) -> Result<Config, Vec<Fault>> {
    let config = io::config::read(file)?;
    let outside = std::env::var_os("CREDENTIALS_DIRECTORY").is_none();
    let handed: Vec<_> = config.secrets().filter(|s| matches!(s.keeper, Keeper::Credential(_))).collect();
    if handed.is_empty() || !outside {
        return io::config::load(file);
    }
    for secret in handed {
        println!("{}:{}: {}: a systemd credential; checked at the start", file.display(), secret.line, secret.key);
    }
    Ok(config)
}

#[allow(clippy::print_stdout, reason = "this is what the command is for")]
fn changes(old: &Config, new: &Config) {
    for (key, effect) in old.changes(new) {
        let takes = match effect {
            Effect::Live => "followed live".to_owned(),
            Effect::Restarts(part) => format!("{} starts afresh on reload", part.name()),
            Effect::Process => "needs systemctl restart livebox".to_owned(),
        };
        println!("  {key}: {takes}");
    }
}

#[allow(clippy::print_stdout, reason = "this is what the command is for")]
fn tell(faults: &[Fault]) -> ExitCode {
    for fault in faults {
        println!("{fault}");
    }
    ExitCode::FAILURE
}
