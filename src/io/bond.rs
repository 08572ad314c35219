//! Drives the bonding engine: the SRT caller's socket or the mux on one side, one socket for each uplink on the other.
//!
//! One loop: wait for anything, take all there is, let the engine think, send all it wants sent.
//! What a socket refuses becomes the engine's knowledge; nothing of the kind ends the loop.

use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::task::Poll;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot, watch};

use crate::bond::echo::Echo;
use crate::bond::native::{Cutter, InitiatorConfig, Refusal};
use crate::bond::{Config, GroupStats, LinkConfig, LinkId, Sender};
use crate::io::task::Ends;
use crate::io::udp::{Batch, Received, Socket, nap};
use crate::io::{clock, seed};
use crate::lang::{Text, said};
use crate::message::What;
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::uplink::Uplink;
use crate::wire::ts;

/// While a stream flows the sockets are looked at so often, and slept in between: that is small beside the jitter of any
/// uplink, and one wakeup a millisecond costs half of what one for every datagram does.
const GATHER: Duration = Duration::from_millis(1);

/// A stream flows until so many looks in a row found nothing to take or to send.
const QUIET: u32 = 30;

/// After so many looks the runtime has its turn: signals, settings, uplinks.
const LOOKS: u32 = 8;

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

/// A payload of whole transport stream packets, and which stream of the group it is of.
pub type Payload = (u8, Bytes);

/// What is sent.
#[derive(Debug)]
pub enum Load {
    /// An SRT caller's datagrams, over SRTLA or a native session.
    Srt {
        /// Where the SRT caller sends to.
        listener: UdpSocket,
        /// With which gateway, in the native dialect.
        session: Option<InitiatorConfig>,
    },
    /// Transport streams straight from the mux, over a native session.
    Ts {
        /// With which gateway, and which streams.
        session: InitiatorConfig,
        /// Where they come from.
        payloads: OwnedMutexGuard<mpsc::Receiver<Payload>>,
    },
    /// Transport streams as other encoders send them, over a native session.
    Udp {
        /// With which gateway, and which streams.
        session: InitiatorConfig,
        /// Each stream's number, and where its datagrams of whole packets come to.
        sources: Vec<(u8, UdpSocket)>,
    },
}

/// What the driver tells.
#[derive(Debug)]
pub enum News {
    /// The figures, ten times a second and at once on a collapse.
    Measured(GroupStats),
    /// What the gateway hears of one stream.
    Heard(Echo),
    /// Why there is no session with the gateway, when that changed; `None`: it refuses nothing.
    Refused(Option<Text>),
}

/// What the driver connects.
#[derive(Debug)]
pub struct Road {
    /// The engine's settings; a change counts from the next packet.
    pub config: watch::Receiver<Config>,
    /// The gateway or another SRTLA receiver.
    pub destination: SocketAddr,
    /// What is sent.
    pub load: Load,
    /// The ways out as they are now. A link belongs to a slot's name as long as that is listed.
    pub uplinks: watch::Receiver<Vec<Uplink>>,
    /// So long after it was asked to stop it goes on, while a caller is there or its packets are under way.
    pub farewell: Duration,
}

/// Where the programme comes from, for the part.
#[derive(Debug)]
pub enum Source {
    /// Media's SRT session, to this port.
    Srt(UdpSocket),
    /// Media's mux, towards a gateway of ours.
    Ts {
        /// With which gateway, and which streams.
        session: InitiatorConfig,
        /// Where payloads come from; one part at a time takes them.
        payloads: Arc<Mutex<mpsc::Receiver<Payload>>>,
        /// Told: why the gateway cannot be reached, or `None` if it is.
        closed: watch::Sender<Option<Text>>,
    },
}

/// The part: states what is measured ten times a second, and at once when the target collapses.
///
/// # Errors
/// If the caller's socket or the kernel's randomness cannot be used.
pub async fn run(
    config: Config,
    destination: SocketAddr,
    source: Source,
    uplinks: watch::Receiver<Vec<Uplink>>,
    ends: Ends,
) -> anyhow::Result<()> {
    let (settings, config) = watch::channel(config);
    let (load, closed) = match source {
        Source::Srt(listener) => (Load::Srt { listener, session: None }, None),
        Source::Ts { session, payloads, closed } => {
            (Load::Ts { session, payloads: payloads.lock_owned().await }, Some(closed))
        }
    };
    let road = Road { config, destination, load, uplinks, farewell: FAREWELL };
    let rng = seed::fresh()?;
    let (wanted, mut orders) = (ends.orders.clone(), ends.orders.clone());
    let stop = async move {
        if orders.wait_for(|o| o.shutdown).await.is_err() {
            pending::<()>().await;
        }
    };
    let mut reserving = ends.orders.clone();
    let follow = async move {
        loop {
            let reserved = reserving.borrow_and_update().reserved.clone();
            settings.send_if_modified(|config| std::mem::replace(&mut config.reserved, reserved.clone()) != reserved);
            if reserving.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    };
    let allowed = move || wanted.borrow().bond;
    let mut refusal = None;
    let tell = move |news| match news {
        News::Measured(stats) => {
            // the loop tells ten times a second, whatever the links do: the watchdog sees it turn
            ends.pulse.beat();
            if let Some(closed) = &closed {
                let why = (!stats.connected).then(|| refusal.clone().unwrap_or_else(said::no_gateway));
                closed.send_if_modified(|told| std::mem::replace(told, why.clone()) != why);
            }
            ends.measure(What::GroupMeasured(stats));
        }
        News::Heard(echo) => ends.measure(What::EchoHeard(echo)),
        News::Refused(why) => refusal = why,
    };
    // a thread of its own: the loop naps, and nobody else's work waits behind its naps
    let (_alive, abandoned) = oneshot::channel::<()>();
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            tokio::select! {
                ended = drive(road, rng, stop, allowed, tell) => ended,
                () = follow => Ok(()),
                _ = abandoned => Ok(()),
            }
        })
    });
    thread.await.context("the bonding thread")?
}

/// Runs until `stop`, and after it until the caller's last packet is through, [`Road::farewell`] at most.
/// While `allowed` says no, no link exists. `tell` hears the figures. Naps, so it wants a thread of its own.
///
/// # Errors
/// If the caller's socket cannot be used.
pub async fn drive(
    mut road: Road,
    rng: Rng,
    stop: impl Future<Output = ()>,
    allowed: impl Fn() -> bool,
    mut tell: impl FnMut(News),
) -> anyhow::Result<()> {
    let now = clock::now();
    let config = road.config.borrow_and_update().clone();
    let (mut caller, mut payloads, mut sources) = (None, None, Vec::new());
    let session = match road.load {
        Load::Srt { listener, session } => {
            caller = Some(Socket::from_std(listener).context("the socket for the SRT caller cannot be used")?);
            session
        }
        Load::Ts { session, payloads: from } => {
            payloads = Some(from);
            Some(session)
        }
        Load::Udp { session, sources: from } => {
            for (stream, socket) in from {
                sources.push((stream, Socket::from_std(socket).context("the socket for a stream cannot be used")?));
            }
            Some(session)
        }
    };
    let native = session.is_some();
    let mut driver = Driver {
        sender: match session {
            Some(session) => Sender::native(now, config, session, rng),
            None => Sender::new(now, config, rng),
        },
        caller,
        sources,
        strange: false,
        cutter: Cutter::default(),
        destination: road.destination,
        native,
        links: Vec::new(),
        batch: Batch::default(),
        retry_at: None,
    };
    let (mut told, mut tell_at, mut watch_at) = (Bitrate::default(), now, now);
    // looks since something flowed, and since the runtime had its turn
    let (mut quiet, mut looks) = (QUIET, 0);
    let mut permitted = false;
    let mut end: Option<Instant> = None;
    let mut refusal = None;
    tokio::pin!(stop);
    loop {
        let flowing = quiet < QUIET;
        if flowing {
            nap(GATHER);
            looks += 1;
            if looks == LOOKS {
                looks = 0;
                tokio::task::yield_now().await;
            }
        }
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
            () = std::future::ready(()), if flowing => {}
            Some((stream, payload)) = next(&mut payloads) => {
                quiet = 0;
                driver.take_ts(clock::now(), stream, payload);
            }
            () = driver.readable() => {}
            () = tokio::time::sleep_until(clock::tokio_at(timeout)) => {}
        }
        let now = clock::now();

        changed |= driver.retry_at.is_some_and(|at| at <= now) || allowed() != permitted;
        if changed {
            permitted = allowed();
            let uplinks = road.uplinks.borrow_and_update().clone();
            driver.adopt(now, if permitted { &uplinks } else { &[] });
        }
        quiet = quiet.saturating_add(1);
        while let Some(Ok((stream, payload))) = payloads.as_mut().map(|payloads| payloads.try_recv()) {
            quiet = 0;
            driver.take_ts(now, stream, payload);
        }
        if end.is_some() {
            driver.cutter.finish(|stream, piece| driver.sender.handle_ts(now, stream, piece));
        }
        if driver.drain(now, flowing) {
            quiet = 0;
        }
        while let Some(frame) = driver.sender.poll_echo() {
            Echo::read(&frame).into_iter().for_each(|echo| tell(News::Heard(echo)));
        }
        if driver.sender.refusal() != refusal {
            refusal = driver.sender.refusal();
            let why = refusal.map(refused);
            if let Some(why) = &why {
                tracing::warn!("{why}");
            }
            tell(News::Refused(why));
        }

        if changed || watch_at <= now {
            watch_at = now + WATCH;
            let stats = driver.sender.stats(now);
            if tell_at <= now || changed || stats.target < told.scaled(COLLAPSE) {
                tell_at = now + TELL;
                told = stats.target;
                tell(News::Measured(stats));
            }
        }
        if end.is_some_and(|end| end <= now || driver.sender.is_finished(now)) {
            driver.sender.handle_end(now);
            driver.deliver(now);
            tell(News::Measured(driver.sender.stats(now)));
            return Ok(());
        }
    }
}

/// Why the gateway takes no session, for the operator.
fn refused(why: Refusal) -> Text {
    match why {
        Refusal::WrongKey => said::gateway_key(),
        Refusal::UnknownVersion(_) => said::gateway_version(),
        Refusal::Full => said::gateway_full(),
        Refusal::Unfit | Refusal::Other(_) => said::gateway_unfit(),
    }
}

/// The next payload; nothing, for ever, where none can come.
async fn next(payloads: &mut Option<OwnedMutexGuard<mpsc::Receiver<Payload>>>) -> Option<Payload> {
    match payloads {
        Some(payloads) => payloads.recv().await,
        None => pending().await,
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
    caller: Option<Socket>,
    /// Where the datagrams of each stream come to.
    sources: Vec<(u8, Socket)>,
    /// Told that a source sends something else.
    strange: bool,
    /// Makes payloads of the mux as long as the narrowest path carries.
    cutter: Cutter,
    destination: SocketAddr,
    native: bool,
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
                let opened = Socket::through(&way.interface, way.source(), self.destination);
                // our own dialect finds out what each path carries
                let opened = opened.and_then(|socket| match self.native {
                    true => socket.forbid_fragments().map(|()| socket),
                    false => Ok(socket),
                });
                match opened {
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

    /// A payload of the mux.
    fn take_ts(&mut self, now: Instant, stream: u8, payload: Bytes) {
        let (limit, sender) = (self.sender.payload_limit(), &mut self.sender);
        self.cutter.take(stream, payload, limit, |piece| sender.handle_ts(now, stream, piece));
    }

    async fn readable(&self) {
        poll_fn(|cx| {
            // every socket is asked, so that every one will wake us
            let mut ready = self.caller.as_ref().is_some_and(|caller| caller.poll_readable(cx).is_ready());
            for (_, socket) in &self.sources {
                ready |= socket.poll_readable(cx).is_ready();
            }
            for socket in self.links.iter().filter_map(|link| link.socket.as_ref()) {
                ready |= socket.poll_readable(cx).is_ready();
            }
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Takes all there is and sends all there is to send; true if the caller's stream moves. While it does, sockets are
    /// looked at without asking the runtime, which has not had its turn.
    fn drain(&mut self, now: Instant, flowing: bool) -> bool {
        let Self { sender, batch, .. } = self;
        let take =
            |socket: &Socket, batch: &mut Batch| if flowing { socket.look(batch) } else { socket.receive(batch) };
        let mut moves = false;
        for link in &self.links {
            let Some(socket) = &link.socket else { continue };
            for _ in 0..TURN {
                let received = take(socket, batch);
                for (datagram, _) in batch.datagrams() {
                    sender.handle_datagram(now, link.id, datagram);
                }
                if received == Received::Drained {
                    break;
                }
            }
        }
        for _ in 0..TURN {
            let Some(caller) = &self.caller else { break };
            let received = take(caller, batch);
            for (packet, from) in batch.owned() {
                moves = true;
                if let Some(from) = from {
                    sender.handle_packet(now, from, packet);
                }
            }
            if received == Received::Drained {
                break;
            }
        }
        for (stream, source) in &self.sources {
            for _ in 0..TURN {
                let received = take(source, batch);
                for (payload, _) in batch.owned() {
                    if !ts::is_whole(&payload) {
                        if !std::mem::replace(&mut self.strange, true) {
                            tracing::warn!(
                                stream,
                                "what comes is no transport stream in whole packets; it is left out"
                            );
                        }
                        continue;
                    }
                    moves = true;
                    let limit = sender.payload_limit();
                    self.cutter.take(*stream, payload, limit, |piece| sender.handle_ts(now, *stream, piece));
                }
                if received == Received::Drained {
                    break;
                }
            }
        }
        if sender.next_timeout().is_some_and(|at| at <= now) {
            sender.handle_timeout(now);
        }
        self.deliver(now);
        moves
    }

    fn deliver(&mut self, now: Instant) {
        let mut out: BTreeMap<LinkId, Vec<Bytes>> = BTreeMap::new();
        while let Some(transmit) = self.sender.poll_transmit(now) {
            out.entry(transmit.link).or_default().push(transmit.payload);
        }
        for (id, datagrams) in out {
            let socket = self.links.iter().find(|l| l.id == id).and_then(|l| l.socket.as_ref());
            let Some(unsent) = socket.map(|socket| socket.send(&datagrams)) else {
                self.sender.handle_send_error(now, id);
                continue;
            };
            if let Some(len) = unsent.too_long {
                self.sender.handle_too_long(now, id, len);
            }
            if unsent.refused > 0 {
                self.sender.handle_send_error(now, id);
            }
        }
        let Some(caller) = &self.caller else { return };
        let mut heard = Vec::new();
        while let Some(packet) = self.sender.poll_caller() {
            heard.extend(self.sender.caller().map(|to| (to, packet)));
        }
        caller.send_to(&heard);
    }
}
