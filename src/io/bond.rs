//! Drives the bonding engine: the SRT caller's socket on one side, one socket for each uplink on the other.
//!
//! One loop: wait for anything, take all there is, let the engine think, send all it wants sent.
//! What a socket refuses becomes the engine's knowledge; nothing of the kind ends the loop.

use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::task::Poll;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::sync::watch;

use crate::bond::{Config, GroupStats, LinkConfig, LinkId, Sender};
use crate::io::task::Ends;
use crate::io::udp::{Batch, Received, Socket};
use crate::io::{clock, seed};
use crate::message::What;
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::uplink::Uplink;

/// Datagrams of this time are taken together: at 20 Mbit/s it halves the system calls, and it is
/// small beside the jitter of any uplink.
const GATHER: Duration = Duration::from_millis(1);

/// Batches from one socket in a row, before the others have their turn.
const TURN: usize = 8;

/// How often the figures are told.
const TELL: Duration = Duration::from_millis(100);

/// How often the target is looked at in between.
const WATCH: Duration = Duration::from_millis(25);

/// A target that fell below this share of the one told last is told at once.
const COLLAPSE: f64 = 0.8;

/// When a socket that could not be opened is tried again without news of its uplink: a route or
/// a neighbour may have come that nobody tells of.
const RETRY: Duration = Duration::from_secs(1);

/// So long after everybody was asked to end the programme's last packets may still leave: media takes
/// up to two seconds for its farewell, and then its SHUTDOWN waits for what is under way.
const FAREWELL: Duration = Duration::from_millis(2500);

/// What the driver connects.
#[derive(Debug)]
pub struct Road {
    /// The engine's settings; a change counts from the next packet.
    pub config: watch::Receiver<Config>,
    /// The gateway or another SRTLA receiver.
    pub destination: SocketAddr,
    /// Where the SRT caller sends to.
    pub listener: UdpSocket,
    /// The ways out as they are now. A link belongs to a slot's name as long as that is listed.
    pub uplinks: watch::Receiver<Vec<Uplink>>,
    /// So long after it was asked to stop it goes on, while a caller is there or its packets are under way.
    pub farewell: Duration,
}

/// The part: states what is measured ten times a second, and at once when the target collapses.
///
/// # Errors
/// If the caller's socket or the kernel's randomness cannot be used.
pub async fn run(
    config: Config,
    destination: SocketAddr,
    listener: UdpSocket,
    uplinks: watch::Receiver<Vec<Uplink>>,
    ends: Ends,
) -> anyhow::Result<()> {
    let (_settings, config) = watch::channel(config);
    let road = Road { config, destination, listener, uplinks, farewell: FAREWELL };
    let (wanted, mut orders) = (ends.orders.clone(), ends.orders.clone());
    let stop = async move {
        if orders.wait_for(|o| o.shutdown).await.is_err() {
            pending::<()>().await;
        }
    };
    let allowed = move || wanted.borrow().bond;
    let tell = |stats| {
        // the loop tells ten times a second, whatever the links do: the watchdog sees it turn
        ends.pulse.beat();
        ends.measure(What::GroupMeasured(stats));
    };
    drive(road, seed::fresh()?, stop, allowed, tell).await
}

/// Runs until `stop`, and after it until the caller's last packet is through, [`Road::farewell`] at most.
/// While `allowed` says no, no link exists. `tell` hears the figures.
///
/// # Errors
/// If the caller's socket cannot be used.
pub async fn drive(
    mut road: Road,
    rng: Rng,
    stop: impl Future<Output = ()>,
    allowed: impl Fn() -> bool,
    mut tell: impl FnMut(GroupStats),
) -> anyhow::Result<()> {
    let caller = Socket::from_std(road.listener).context("the socket for the SRT caller cannot be used")?;
    let now = clock::now();
    let mut driver = Driver {
        sender: Sender::new(now, road.config.borrow_and_update().clone(), rng),
        caller,
        destination: road.destination,
        links: Vec::new(),
        batch: Batch::default(),
        retry_at: None,
    };
    let (mut told, mut tell_at, mut watch_at, mut gathered) = (Bitrate::default(), now, now, now);
    let mut permitted = false;
    let mut end: Option<Instant> = None;
    tokio::pin!(stop);
    loop {
        let engine_at = driver.sender.next_timeout().unwrap_or(watch_at);
        let timeout = engine_at.min(watch_at).min(driver.retry_at.unwrap_or(watch_at));
        let mut changed = false;
        tokio::select! {
            biased;
            () = &mut stop, if end.is_none() => end = Some(clock::now() + road.farewell),
            // a sender that is gone will not change its mind: what it said last holds
            Ok(()) = road.uplinks.changed() => changed = true,
            Ok(()) = road.config.changed() => {
                driver.sender.handle_config(clock::now(), road.config.borrow_and_update().clone());
            }
            () = driver.readable() => {}
            () = tokio::time::sleep_until(clock::tokio_at(timeout)) => {}
        }
        if !changed && clock::now() < gathered + GATHER {
            tokio::time::sleep_until(clock::tokio_at(gathered + GATHER)).await;
        }
        let now = clock::now();
        gathered = now;

        changed |= driver.retry_at.is_some_and(|at| at <= now) || allowed() != permitted;
        if changed {
            permitted = allowed();
            let uplinks = road.uplinks.borrow_and_update().clone();
            driver.adopt(now, if permitted { &uplinks } else { &[] });
        }
        driver.drain(now);

        if changed || watch_at <= now {
            watch_at = now + WATCH;
            let stats = driver.sender.stats(now);
            if tell_at <= now || changed || stats.target < told.scaled(COLLAPSE) {
                tell_at = now + TELL;
                told = stats.target;
                tell(stats);
            }
        }
        if end.is_some_and(|end| end <= now || driver.sender.is_finished(now)) {
            driver.sender.handle_end(now);
            driver.deliver(now);
            tell(driver.sender.stats(now));
            return Ok(());
        }
    }
}

/// What makes a socket this one and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    index: u32,
    interface: String,
    address: Ipv4Addr,
    bind_address: bool,
}

impl Way {
    fn of(uplink: &Uplink) -> Option<Self> {
        Some(Self {
            index: uplink.index?,
            interface: uplink.interface.clone()?,
            address: uplink.address?,
            bind_address: uplink.bind_address,
        })
    }

    fn source(&self) -> Option<Ipv4Addr> {
        self.bind_address.then_some(self.address)
    }
}

struct Link {
    id: LinkId,
    slot: String,
    metered: bool,
    carrier: bool,
    way: Option<Way>,
    socket: Option<Socket>,
}

impl Link {
    fn config(&self) -> LinkConfig {
        LinkConfig { name: self.slot.clone(), metered: self.metered }
    }
}

struct Driver {
    sender: Sender,
    caller: Socket,
    destination: SocketAddr,
    links: Vec<Link>,
    batch: Batch,
    retry_at: Option<Instant>,
}

impl Driver {
    /// Makes the links those of `uplinks`; a link whose way out is as it was is not touched.
    fn adopt(&mut self, now: Instant, uplinks: &[Uplink]) {
        self.retry_at = None;
        self.links.retain(|link| {
            let stays = uplinks.iter().any(|u| u.slot == link.slot && u.metered == link.metered);
            if !stays {
                self.sender.remove_link(now, link.id);
                tracing::info!(slot = link.slot, "link removed");
            }
            stays
        });
        for uplink in uplinks {
            let at = match self.links.iter().position(|link| link.slot == uplink.slot) {
                Some(at) => at,
                None => {
                    let Some(id) = (0..=u8::MAX).map(LinkId).find(|id| self.links.iter().all(|l| l.id != *id)) else {
                        tracing::warn!(slot = uplink.slot, "no number left for this link; list fewer uplinks");
                        continue;
                    };
                    let Uplink { slot, metered, .. } = uplink;
                    self.links.push(Link {
                        id,
                        slot: slot.clone(),
                        metered: *metered,
                        carrier: false,
                        way: None,
                        socket: None,
                    });
                    self.sender.add_link(now, id, self.links[self.links.len() - 1].config());
                    self.sender.handle_carrier(now, id, false);
                    self.links.len() - 1
                }
            };
            self.renew(now, at, uplink);
        }
    }

    fn renew(&mut self, now: Instant, at: usize, uplink: &Uplink) {
        let (link, sender) = (&mut self.links[at], &mut self.sender);
        let way = Way::of(uplink);
        if way != link.way || (way.is_some() && link.socket.is_none()) {
            if link.socket.take().is_some() {
                tracing::info!(slot = link.slot, "socket closed");
                sender.remove_link(now, link.id);
                sender.add_link(now, link.id, link.config());
                sender.handle_carrier(now, link.id, false);
                link.carrier = false;
            }
            let news = way != link.way;
            link.way = way;
            if let Some(way) = &link.way {
                match Socket::through(&way.interface, way.source(), self.destination) {
                    Ok(socket) => {
                        let Way { index, interface, address, .. } = way;
                        tracing::info!(slot = link.slot, interface, index, %address, "socket opened");
                        link.socket = Some(socket);
                    }
                    Err(error) => {
                        if news {
                            let (interface, to) = (&way.interface, self.destination);
                            tracing::warn!(slot = link.slot, interface, %to, %error, "no socket; trying again");
                        }
                        self.retry_at = Some(now + RETRY);
                    }
                }
            }
        }
        let carrier = uplink.carrier && link.socket.is_some();
        if carrier != link.carrier {
            link.carrier = carrier;
            sender.handle_carrier(now, link.id, carrier);
        }
    }

    async fn readable(&self) {
        poll_fn(|cx| {
            // every socket is asked, so that every one will wake us
            let mut ready = self.caller.poll_readable(cx).is_ready();
            for socket in self.links.iter().filter_map(|link| link.socket.as_ref()) {
                ready |= socket.poll_readable(cx).is_ready();
            }
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn drain(&mut self, now: Instant) {
        for link in &self.links {
            let Some(socket) = &link.socket else { continue };
            for _ in 0..TURN {
                let received = socket.receive(&mut self.batch);
                for (datagram, _) in self.batch.datagrams() {
                    self.sender.handle_datagram(now, link.id, datagram);
                }
                if received == Received::Drained {
                    break;
                }
            }
        }
        for _ in 0..TURN {
            let received = self.caller.receive(&mut self.batch);
            for (packet, from) in self.batch.owned() {
                if let Some(from) = from {
                    self.sender.handle_packet(now, from, packet);
                }
            }
            if received == Received::Drained {
                break;
            }
        }
        if self.sender.next_timeout().is_some_and(|at| at <= now) {
            self.sender.handle_timeout(now);
        }
        self.deliver(now);
    }

    fn deliver(&mut self, now: Instant) {
        let mut out: BTreeMap<LinkId, Vec<Bytes>> = BTreeMap::new();
        while let Some(transmit) = self.sender.poll_transmit(now) {
            out.entry(transmit.link).or_default().push(transmit.payload);
        }
        for (id, datagrams) in out {
            let socket = self.links.iter().find(|l| l.id == id).and_then(|l| l.socket.as_ref());
            if socket.is_none_or(|socket| socket.send(&datagrams) > 0) {
                self.sender.handle_send_error(now, id);
            }
        }
        let mut heard = Vec::new();
        while let Some(packet) = self.sender.poll_caller() {
            heard.extend(self.sender.caller().map(|to| (to, packet)));
        }
        self.caller.send_to(&heard);
    }
}
