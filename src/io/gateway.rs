//! Drives the gateway: one public UDP port, and for each group one socket towards the SRT listener.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::task::Poll;

use anyhow::Context as _;
use bytes::Bytes;

use crate::gateway::{Gateway, GroupKey, Limits, Stats};
use crate::io::clock;
use crate::io::udp::{Batch, Received, Socket};
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// Datagrams of this time are taken together: at 20 Mbit/s it halves the system calls, and it is
/// small beside the jitter of any uplink.
const GATHER: Duration = Duration::from_millis(1);

/// Batches from one socket in a row, before the others have their turn.
const TURN: usize = 8;

/// How often dropped datagrams are told of, if there were any.
const TELL: Duration = Duration::from_secs(10);

/// Runs until `stop`.
///
/// # Errors
/// If the public address cannot be listened on.
pub async fn run(
    listen: SocketAddr,
    to: SocketAddr,
    limits: Limits,
    rng: Rng,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let public = Socket::listen(listen).with_context(|| {
        format!("cannot listen on UDP {listen}; is another gateway running, or the address not ours?")
    })?;
    let listen = public.local_addr().unwrap_or(listen);
    tracing::info!(%listen, %to, "gateway");
    let mut driver = Driver {
        gateway: Gateway::new(clock::now(), limits, rng),
        public,
        to,
        groups: BTreeMap::new(),
        batch: Batch::default(),
        told: Stats::default(),
        tell_at: clock::now() + TELL,
    };
    tokio::pin!(stop);
    let mut gathered = clock::now();
    loop {
        let timeout = clock::tokio_at(driver.gateway.next_timeout());
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            () = driver.readable() => {}
            () = tokio::time::sleep_until(timeout) => {}
        }
        if clock::now() < gathered + GATHER {
            tokio::time::sleep_until(clock::tokio_at(gathered + GATHER)).await;
        }
        gathered = clock::now();
        driver.drain(gathered);
    }
}

struct Driver {
    gateway: Gateway,
    public: Socket,
    to: SocketAddr,
    groups: BTreeMap<GroupKey, Socket>,
    batch: Batch,
    told: Stats,
    tell_at: Instant,
}

impl Driver {
    async fn readable(&self) {
        poll_fn(|cx| {
            // every socket is asked, so that every one will wake us
            let mut ready = self.public.poll_readable(cx).is_ready();
            for socket in self.groups.values() {
                ready |= socket.poll_readable(cx).is_ready();
            }
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn drain(&mut self, now: Instant) {
        for _ in 0..TURN {
            let received = self.public.receive(&mut self.batch);
            for (datagram, from) in self.batch.datagrams() {
                if let Some(from) = from {
                    self.gateway.handle_datagram(now, from, datagram);
                }
            }
            if received == Received::Drained {
                break;
            }
        }
        for (group, socket) in &self.groups {
            for _ in 0..TURN {
                let received = socket.receive(&mut self.batch);
                for (datagram, _) in self.batch.owned() {
                    self.gateway.handle_local(*group, &datagram);
                }
                if received == Received::Drained {
                    break;
                }
            }
        }
        if self.gateway.next_timeout() <= now {
            self.gateway.handle_timeout(now);
        }
        self.deliver();
        self.tell(now);
    }

    fn deliver(&mut self) {
        let mut local: BTreeMap<GroupKey, Vec<Bytes>> = BTreeMap::new();
        while let Some((group, datagram)) = self.gateway.poll_local() {
            local.entry(group).or_default().push(datagram);
        }
        for (group, datagrams) in local {
            if !self.groups.contains_key(&group) {
                match Socket::towards(self.to, None) {
                    Ok(socket) => {
                        self.groups.insert(group, socket);
                    }
                    Err(error) => {
                        tracing::warn!(to = %self.to, %error, "no socket towards the SRT listener");
                        continue;
                    }
                }
            }
            if let Some(socket) = self.groups.get(&group) {
                socket.send(&datagrams);
            }
        }
        while let Some(group) = self.gateway.poll_closed() {
            self.groups.remove(&group);
        }
        let out: Vec<_> = std::iter::from_fn(|| self.gateway.poll_transmit()).map(|t| (t.to, t.payload)).collect();
        self.public.send_to(&out);
    }

    fn tell(&mut self, now: Instant) {
        if now < self.tell_at {
            return;
        }
        self.tell_at = now + TELL;
        let stats = self.gateway.stats();
        let Stats { groups, links, strangers, unreadable, refused, over_quota, copies, .. } = stats;
        let known = Stats { packets: stats.packets, bytes: stats.bytes, copies: stats.copies, ..self.told };
        if stats != known {
            tracing::info!(groups, links, strangers, unreadable, refused, over_quota, copies, "so far");
            self.told = stats;
        }
    }
}
