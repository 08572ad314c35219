//! Reads config and board, says what is wrong and where.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{Config, DEFAULT_BOARD, DEFAULT_FILE};
use crate::control::Effect;
use crate::gateway;
use crate::io;
use crate::table::{Fault, Keeper, SecretRef};

/// Checks settings files and board profiles: every fault with file, line, and the mend.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a board, with its profile.toml.
    #[arg(long, value_name = "DIR")]
    board: Option<PathBuf>,

    /// Settings in use: says for each key that differs what it takes to follow the change.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// Settings of a box, of a gateway (named gateway….toml), or boards (named profile.toml, or
    /// folders that hold one). Without any, the box's own are checked.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Checks what the command line names: 0 all good, 1 there are faults.
#[allow(clippy::print_stdout, reason = "this is what the command is for")]
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut subjects: Vec<_> = args.files.into_iter().map(Subject::of).collect();
    subjects.extend(args.board.map(Subject::Board));
    if subjects.is_empty() {
        subjects = vec![Subject::Settings(DEFAULT_FILE.into()), Subject::Board(DEFAULT_BOARD.into())];
    }
    let old = match args.against.as_deref().map(io::config::read) {
        Some(Ok(old)) => Some(old),
        Some(Err(faults)) => return Ok(tell(&told(faults))),
        None => None,
    };

    let mut code = ExitCode::SUCCESS;
    for subject in subjects {
        let found = match &subject {
            Subject::Board(path) => io::config::board(path).map_err(told).map(|board| {
                println!("{}: good: board {}, {} uplinks", path.display(), board.name, board.uplinks.len());
            }),
            Subject::Gateway(path) => far_end(path).map(|config| {
                println!("{}: good: listens on {}, sends to {}", path.display(), config.listen, config.to);
            }),
            Subject::Settings(path) => settings(path).map_err(told).map(|config| {
                println!("{}: good: {} sends to {}", path.display(), config.device, config.media.destination);
                if let Some(old) = &old {
                    changes(old, &config);
                }
            }),
        };
        if let Err(faults) = found {
            code = tell(&faults);
        }
    }
    Ok(code)
}

/// What a file is for, by its name.
enum Subject {
    Settings(PathBuf),
    Board(PathBuf),
    Gateway(PathBuf),
}

impl Subject {
    fn of(path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() || name == "profile.toml" {
            Self::Board(path)
        } else if name.starts_with("gateway") {
            Self::Gateway(path)
        } else {
            Self::Settings(path)
        }
    }
}

/// A settings file with its secrets; but credentials exist only inside the unit, so that elsewhere
/// they are named and not fetched.
#[allow(clippy::print_stdout, reason = "this is what the command is for")]
fn settings(file: &Path) -> Result<Config, Vec<Fault>> {
    let config = io::config::read(file)?;
    let outside = std::env::var_os("CREDENTIALS_DIRECTORY").is_none();
    let handed: Vec<_> = config.secrets().filter(|s| matches!(s.keeper, Keeper::Credential(_))).collect();
    if handed.is_empty() || !outside {
        let config = io::config::load(file)?;
        return match config.trust.as_ref().map(|trust| (&trust.key_file, io::keys::kept(&trust.key_file.keeper))) {
            Some((SecretRef { key, line, .. }, Err(error))) => {
                let (file, what) = (file.display().to_string(), format!("{error:#}"));
                Err(vec![Fault { file, line: *line, key: key.clone(), what }])
            }
            Some((_, Ok(_))) | None => Ok(config),
        };
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
fn tell(faults: &[String]) -> ExitCode {
    for fault in faults {
        println!("{fault}");
    }
    ExitCode::FAILURE
}

fn told(faults: Vec<Fault>) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

/// Settings of a gateway with its key, boxes and passphrases, and whether this build can pass streams on.
fn far_end(file: &Path) -> Result<gateway::Config, Vec<String>> {
    let config = super::gateway::read(file)?;
    super::gateway::registry(&config)?;
    if !config.destinations.is_empty() {
        io::gateway::destinations_work().map_err(|error| vec![format!("{}: {error:#}", file.display())])?;
    }
    Ok(config)
}
