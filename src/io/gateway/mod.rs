//! Drives the gateway: one public UDP port, one socket towards the SRT listener for each opaque group, and
//! the sessions of every destination.

#[cfg(not(feature = "gstreamer"))]
mod absent;
mod destinations;
mod metrics;
#[cfg(feature = "gstreamer")]
mod session;

use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::sync::watch;

use self::destinations::Destinations;
use crate::gateway::{self, Config, Gateway, GroupKey, PublicKey, Registry, Stats};
use crate::io::clock;
use crate::io::udp::{Batch, Received, Socket, nap};
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// While streams flow the sockets are looked at so often, and slept in between: that is small beside the jitter of any
/// uplink, and one wakeup a millisecond costs half of what one for every datagram does.
const GATHER: Duration = Duration::from_millis(1);

/// So many datagrams at once are a flood: the next ones are taken without sleeping.
const FLOOD: usize = 128;

/// Streams flow until so many looks in a row found nothing.
const QUIET: u32 = 30;

/// After so many looks the runtime has its turn: signals, settings, metrics.
const LOOKS: u32 = 8;

/// Batches from one socket in a row, before the others have their turn.
const TURN: usize = 8;

/// Echoes and figures are made so often.
const SECOND: Duration = Duration::from_secs(1);

/// How often dropped datagrams are told of, if there were any.
const TELL: Duration = Duration::from_secs(10);

/// What a running gateway can take up: settings and boxes read again.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// Only `destinations` is looked at.
    pub config: Config,
    /// The boxes that may come.
    pub allow: BTreeMap<PublicKey, String>,
}

/// What a gateway starts with.
#[derive(Debug)]
pub struct Setup {
    /// Its settings, passphrases fetched.
    pub config: Config,
    /// Its key and the boxes; `None` speaks SRTLA alone.
    pub registry: Option<Registry>,
    /// The SRT listener of opaque sessions.
    pub to: SocketAddr,
}

/// True if this build can pass `ts` streams on.
///
/// # Errors
/// If it cannot; the sentence says what is missing.
pub fn destinations_work() -> anyhow::Result<()> {
    #[cfg(not(feature = "gstreamer"))]
    use absent as session;
    session::init()
}

/// Runs until `stop`. Naps, so it wants a thread of its own.
///
/// # Errors
/// If the public address or the one for metrics cannot be listened on, or destinations cannot work here.
pub async fn run(
    setup: Setup,
    mut renewed: watch::Receiver<Option<Renewed>>,
    rng: Rng,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let Setup { config, registry, to } = setup;
    if !config.destinations.is_empty() {
        destinations_work()?;
    }
    let listen = config.listen;
    let public = Socket::listen(listen).with_context(|| {
        format!("cannot listen on UDP {listen}; is another gateway running, or the address not ours?")
    })?;
    let listen = public.local_addr().unwrap_or(listen);
    tracing::info!(%listen, %to, native = registry.is_some(), "gateway");
    let (page, pages) = watch::channel(Arc::from(""));
    let figures = async move {
        match config.metrics {
            Some(address) => metrics::serve(address, pages).await,
            None => pending().await,
        }
    };
    let now = clock::now();
    let mut driver = Driver {
        gateway: Gateway::new(now, config.limits, registry, rng),
        public,
        to,
        groups: BTreeMap::new(),
        destinations: Destinations::new(config.destinations),
        batch: Batch::default(),
        page: config.metrics.map(|_| page),
        began: now,
        second_at: now + SECOND,
        told: Stats::default(),
        tell_at: now + TELL,
    };
    tokio::pin!(stop);
    tokio::pin!(figures);
    let mut taken = 0;
    // looks since something flowed, and since the runtime had its turn
    let (mut quiet, mut looks) = (QUIET, 0);
    loop {
        let flowing = quiet < QUIET;
        if flowing {
            if taken < FLOOD {
                nap(GATHER);
            }
            looks += 1;
            if looks == LOOKS {
                looks = 0;
                tokio::task::yield_now().await;
            }
        }
        let timeout = clock::tokio_at(driver.gateway.next_timeout().min(driver.second_at));
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            ended = &mut figures => return ended,
            Ok(()) = renewed.changed() => {
                let renewed = renewed.borrow_and_update().clone();
                driver.renew(clock::now(), renewed);
            }
            () = std::future::ready(()), if flowing => {}
            () = driver.readable() => {}
            () = tokio::time::sleep_until(timeout) => {}
        }
        taken = driver.drain(clock::now(), flowing);
        quiet = if taken > 0 { 0 } else { quiet.saturating_add(1) };
    }
}

struct Driver {
    gateway: Gateway,
    public: Socket,
    to: SocketAddr,
    groups: BTreeMap<GroupKey, Socket>,
    destinations: Destinations,
    batch: Batch,
    page: Option<watch::Sender<Arc<str>>>,
    began: Instant,
    second_at: Instant,
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

    fn renew(&mut self, now: Instant, renewed: Option<Renewed>) {
        let Some(Renewed { config, allow }) = renewed else { return };
        self.gateway.handle_allowed(now, allow);
        self.destinations.renew(config.destinations);
    }

    /// The number of datagrams that came from the public side. While streams flow, sockets are looked at without asking
    /// the runtime, which has not had its turn.
    fn drain(&mut self, now: Instant, flowing: bool) -> usize {
        let Self { gateway, batch, .. } = self;
        let take =
            |socket: &Socket, batch: &mut Batch| if flowing { socket.look(batch) } else { socket.receive(batch) };
        let mut taken = 0;
        for _ in 0..TURN {
            let received = take(&self.public, batch);
            for (datagram, from) in batch.datagrams() {
                taken += 1;
                if let Some(from) = from {
                    gateway.handle_datagram(now, from, datagram);
                }
            }
            if received == Received::Drained {
                break;
            }
        }
        for (group, socket) in &self.groups {
            for _ in 0..TURN {
                let received = take(socket, batch);
                for (datagram, _) in batch.owned() {
                    gateway.handle_local(now, *group, &datagram);
                }
                if received == Received::Drained {
                    break;
                }
            }
        }
        if self.gateway.next_timeout() <= now {
            self.gateway.handle_timeout(now);
        }
        if self.second_at <= now {
            self.second_at = now + SECOND;
            let destinations = &self.destinations;
            self.gateway.handle_second(now, &|group, stream| destinations.echoes(group, stream));
            if let Some(page) = &self.page {
                let groups: Vec<_> = self.gateway.figures().collect();
                let uptime = now.since(self.began).as_secs_f64();
                page.send_replace(gateway::page(uptime, &self.gateway.stats(), &groups).into());
            }
        }
        self.deliver(now);
        self.tell(now);
        taken
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(opened) = self.gateway.poll_opened() {
            self.destinations.open(&opened);
        }
        while let Some(release) = self.gateway.poll_release() {
            self.destinations.lay(release);
        }
        self.destinations.deliver(now);
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
            self.destinations.close(group);
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
        // what flows is no news; who is there and what was dropped is
        let known = Stats { packets: stats.packets, bytes: stats.bytes, copies: stats.copies, ..self.told };
        if stats != known {
            let dropped: Vec<_> = stats.dropped().into_iter().filter(|(_, count)| *count > 0).collect();
            tracing::info!(groups = stats.groups, links = stats.links, ?dropped, "so far");
            self.told = stats;
        }
    }
}
