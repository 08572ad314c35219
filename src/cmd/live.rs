//! `livebox sim --live`: a scenario's links on real sockets, in real time.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;

use super::stopped;
use crate::io;
use crate::io::netem::Live;
use crate::sim::Scenario;

/// What `--live` needs beside the scenario.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// With --live: the address that senders take for the far end, such as 127.0.0.1:5100
    #[arg(long, value_name = "ADDR:PORT", requires = "live")]
    listen: Option<SocketAddr>,
    /// With --live: the real far end, such as 127.0.0.1:5000
    #[arg(long, value_name = "HOST:PORT", requires = "live")]
    to: Option<String>,
    /// With --live: go on after the scenario's end, with the links as they are then
    #[arg(long, requires = "live")]
    forever: bool,
    /// With --live: the scenario's time begins with the first datagram instead of at once
    #[arg(long, requires = "live")]
    wait: bool,
}

/// Emulates `scenario` until its end.
pub(crate) fn run(args: &Args, scenario: Scenario, seed: u64) -> anyhow::Result<ExitCode> {
    let (Some(listen), Some(to)) = (args.listen, &args.to) else {
        eprintln!("livebox sim: --live needs --listen ADDR:PORT and --to HOST:PORT");
        return Ok(ExitCode::from(2));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stopped()?;
        tokio::pin!(stop);
        let to = tokio::select! {
            found = io::udp::resolved_any(to) => found.map_err(anyhow::Error::msg).context("--to")?,
            () = &mut stop => return Ok(()),
        };
        io::netem::run(Live { scenario, seed, listen, to, forever: args.forever, wait: args.wait }, stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}
