//! `livebox gateway`: the cloud side, in place of an SRTLA receiver.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::stopped;
use crate::gateway::Config;
use crate::io;

/// Takes the links of many boxes on one UDP port and passes each stream on to an SRT listener.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Public UDP address, such as 0.0.0.0:5000
    #[arg(long, value_name = "ADDR:PORT", required_unless_present = "config", requires = "to")]
    listen: Option<SocketAddr>,
    /// The SRT listener, such as 127.0.0.1:8890
    #[arg(long, value_name = "HOST:PORT", requires = "listen")]
    to: Option<String>,
    /// A settings file in place of both; config/gateway.toml names every key
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "to"])]
    config: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = match args {
        Args { config: Some(file), .. } => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            match Config::read(&file.display().to_string(), &text) {
                Ok(config) => config,
                Err(faults) => {
                    for fault in faults {
                        eprintln!("{fault}");
                    }
                    return Ok(ExitCode::from(2));
                }
            }
        }
        Args { listen: Some(listen), to: Some(to), .. } => Config::new(listen, to),
        _ => anyhow::bail!("write --listen and --to, or --config"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stopped()?;
        tokio::pin!(stop);
        let to = tokio::select! {
            found = io::udp::resolved_any(&config.to) => found.map_err(anyhow::Error::msg).context("the SRT listener")?,
            () = &mut stop => return Ok(()),
        };
        io::gateway::run(config.listen, to, config.limits, io::seed::fresh()?, stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}
