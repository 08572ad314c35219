//! `livebox gateway`: the cloud side, for our boxes and in place of an SRTLA receiver.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::stopped;
use crate::gateway::{Config, Passphrase, PublicKey, Registry, allowed};
use crate::io;
use crate::io::gateway::{Renewed, Setup};
use crate::table::Keeper;

/// How often the files are looked at for a change.
const LOOK: Duration = Duration::from_secs(1);

/// Takes the links of many boxes on one UDP port and passes each stream on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Public UDP address, such as 0.0.0.0:5000
    #[arg(long, value_name = "ADDR:PORT", required_unless_present = "config", requires = "to")]
    listen: Option<SocketAddr>,
    /// The SRT listener, such as 127.0.0.1:8890
    #[arg(long, value_name = "HOST:PORT", requires = "listen")]
    to: Option<String>,
    /// The gateway's private key (livebox keys new FILE): with it the native dialect is spoken
    #[arg(long, value_name = "FILE", requires = "allow")]
    key: Option<PathBuf>,
    /// The boxes that may come: one public key and name a line; read again on SIGHUP and when it changes
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// A settings file in place of --listen and --to; config/gateway.toml names every key
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "to"])]
    config: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = load(&args).and_then(|config| {
        let registry = registry(&config)?;
        works(&config)?;
        Ok((config, registry))
    });
    let (config, registry) = match loaded {
        Ok(loaded) => loaded,
        Err(faults) => return Ok(refused(&faults)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stopped()?;
        tokio::pin!(stop);
        let mut hangups = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
        let to = tokio::select! {
            found = io::udp::resolved_any(&config.to) => found.map_err(anyhow::Error::msg).context("the SRT listener")?,
            () = &mut stop => return Ok(()),
        };
        let (tell, renewed) = watch::channel(None);
        let files = [args.config.clone(), config.allow_file.clone()];
        let setup = Setup { config, registry, to };
        let reread = async {
            let mut look = tokio::time::interval(LOOK);
            let mut seen = stamps(&files);
            loop {
                tokio::select! {
                    Some(()) = hangups.recv() => {}
                    _ = look.tick() => {
                        let now = stamps(&files);
                        if now == seen {
                            continue;
                        }
                        seen = now;
                    }
                }
                match renew(&args).await {
                    Ok(renewed) => {
                        tracing::info!(boxes = renewed.allow.len(), "settings and boxes read again");
                        tell.send_replace(Some(renewed));
                    }
                    Err(faults) => {
                        for fault in faults {
                            tracing::warn!("the old settings and boxes stand: {fault}");
                        }
                    }
                }
            }
        };
        tokio::select! {
            ended = io::gateway::run(setup, renewed, io::seed::fresh()?, stop) => ended,
            () = reread => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn refused(faults: &[String]) -> ExitCode {
    for fault in faults {
        eprintln!("{fault}");
    }
    ExitCode::from(2)
}

/// A settings file with its passphrases.
///
/// # Errors
/// Every fault at once.
pub(super) fn read(file: &Path) -> Result<Config, Vec<String>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| vec![format!("{name}: cannot be read: {error}")])?;
    let mut config = Config::read(&name, &text)?;
    let mut faults = Vec::new();
    for destination in &mut config.destinations {
        let Some(reference) = &destination.passphrase_file else { continue };
        match io::config::passphrase(reference) {
            Ok(secret) => destination.passphrase = Passphrase(secret),
            Err(why) => faults.push(format!("{name}:{}: {}: {why}", reference.line, reference.key)),
        }
    }
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

/// The key and the boxes, if the settings name a key.
///
/// # Errors
/// Every fault at once.
pub(super) fn registry(config: &Config) -> Result<Option<Registry>, Vec<String>> {
    let Some(keeper) = &config.key_file else { return Ok(None) };
    let key = io::keys::kept(keeper).map_err(|error| vec![format!("key_file: {error:#}")]);
    match (key, boxes(config)) {
        (Ok(key), Ok(allow)) => Ok(Some(Registry { key, allow })),
        (key, allow) => Err(key.err().into_iter().chain(allow.err()).flatten().collect()),
    }
}

fn boxes(config: &Config) -> Result<BTreeMap<PublicKey, String>, Vec<String>> {
    let Some(file) = &config.allow_file else { return Ok(BTreeMap::new()) };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        vec![format!("{name}: cannot be read: {error}; write one public key and name a line there")]
    })?;
    allowed(&name, &text)
}

/// The settings of the command line or the file.
fn load(args: &Args) -> Result<Config, Vec<String>> {
    let mut config = match (&args.config, args.listen, &args.to) {
        (Some(file), ..) => read(file)?,
        (None, Some(listen), Some(to)) => Config::new(listen, to.clone()),
        _ => return Err(vec!["livebox gateway: write --listen and --to, or --config".to_owned()]),
    };
    config.key_file = args.key.clone().map(Keeper::File).or(config.key_file);
    config.allow_file = args.allow.clone().or(config.allow_file);
    Ok(config)
}

/// Makes ready what the settings' destinations need; the first of them may be written down long after the start.
///
/// # Errors
/// If this build or this machine cannot pass `ts` streams on.
fn works(config: &Config) -> Result<(), Vec<String>> {
    if config.destinations.is_empty() {
        return Ok(());
    }
    io::gateway::destinations_work().map_err(|error| vec![format!("livebox gateway: {error:#}")])
}

async fn renew(args: &Args) -> Result<Renewed, Vec<String>> {
    let config = load(args)?;
    let allow = boxes(&config)?;
    let wanted = config.clone();
    // the first time it looks through every plugin there is: not on the thread that streams pass through
    let ready = tokio::task::spawn_blocking(move || works(&wanted)).await;
    ready.unwrap_or_else(|ended| Err(vec![ended.to_string()]))?;
    Ok(Renewed { config, allow })
}

/// When each file was last written, and how long it is.
fn stamps(files: &[Option<PathBuf>]) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |file: &Option<PathBuf>| {
        let meta = std::fs::metadata(file.as_ref()?).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    files.iter().map(stamp).collect()
}
