//! Drives a flow: payloads to one UDP address, and what comes out at another.

use std::future::Future;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use bytes::Bytes;

use crate::flow::{Flow, Report};
use crate::io::clock;
use crate::io::udp::{Batch, Received, Socket};
use crate::time::{Duration, Instant};

/// Payloads are made in steps of this: finer than that no sleep is.
const STEP: Duration = Duration::from_millis(1);

/// A line that is not open by then will not open.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs until everything has come or is too late, or until `stop`; then what came counts.
///
/// # Errors
/// If a socket cannot be had, or the line never opens.
pub async fn run(
    mut flow: Flow,
    to: SocketAddr,
    listen: SocketAddr,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Report> {
    let far = Socket::listen(listen).with_context(|| format!("cannot listen on UDP {listen}; is it taken?"))?;
    let near = Socket::towards(to, None).with_context(|| format!("no way to UDP {to}"))?;
    let (began, mut batch, mut next) = (clock::now(), Batch::default(), Instant::ZERO);
    tokio::pin!(stop);
    loop {
        let wanted = flow.next_timeout().unwrap_or(next + STEP).max(next + STEP);
        tokio::select! {
            biased;
            () = &mut stop => return Ok(flow.report()),
            () = std::future::poll_fn(|cx| far.poll_readable(cx)) => {}
            () = tokio::time::sleep_until(clock::tokio_at(wanted)) => {}
        }
        loop {
            let received = far.receive(&mut batch);
            let now = clock::now();
            for (datagram, _) in batch.datagrams() {
                flow.handle_datagram(now, datagram);
            }
            if received == Received::Drained {
                break;
            }
        }
        let now = clock::now();
        if now >= wanted {
            next = now;
            let due: Vec<Bytes> =
                std::iter::from_fn(|| flow.poll_payload(now)).map(|payload| Bytes::copy_from_slice(&payload)).collect();
            near.send(&due);
        }
        if flow.is_over(now) {
            return Ok(flow.report());
        }
        if !flow.is_open() && now.since(began) > PATIENCE {
            bail!("nothing came to {listen} in {} s; is the way from {to} to there open?", PATIENCE.as_secs());
        }
    }
}
