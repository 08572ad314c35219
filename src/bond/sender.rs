//! Sender: an SRT caller's datagrams in, datagrams on links out, feedback in, what the caller must hear out.
//!
//! ```text
//! caller ─► handle_packet ─► held ─► queue ─► scheduler ─► link ─► poll_transmit
//!                              ▲                            │
//!                              └── recovery: lost, silent ──┘◄── handle_datagram ─► session ─► poll_caller
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::caller::Caller;
use super::config::{Config, Dialect, LinkConfig};
use super::core::{Core, MOST_PAYLOAD, Transmit};
use super::link::{Link, Membership};
use super::native::{Initiator, InitiatorConfig, InitiatorEvent};
use super::scheduler::MOST_LINKS;
use super::seal::{Plain, Seal};
use super::session::Session;
use super::srtla::Registration;
use super::stats::{GroupStats, LinkId};
use super::tunnel::Tunnel;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::native::Refusal;
use crate::wire::srt;
use crate::wire::srtla;
use crate::wire::{Error, Seq};

/// While a stream flows.
const TICK: Duration = Duration::from_millis(10);
/// While packets wait or a silent link holds some.
const TICK_BUSY: Duration = Duration::from_millis(5);
/// While nothing flows.
const TICK_QUIET: Duration = Duration::from_millis(100);

/// The sending engine of one group. After any `handle_*`: poll everything until empty, then sleep
/// until [`Sender::next_timeout`] or the next input.
#[derive(Debug)]
pub struct Sender {
    pub(super) core: Core,
    pub(super) registration: Registration,
    pub(super) caller: Caller,
    pub(super) session: Session,
    pub(super) for_caller: VecDeque<Bytes>,
    pub(super) held_handshake: Option<(Instant, Bytes)>,
    pub(super) held_shutdown: Option<(Instant, Bytes)>,
    /// Scratch lists, kept for their memory.
    pub(super) numbers: Vec<u64>,
    pub(super) lost: Vec<(u64, Seq)>,
    /// What became of the native session, to be acted on.
    pub(super) events: VecDeque<InitiatorEvent>,
    pub(super) refused: Option<Refusal>,
}

impl Sender {
    /// A group without links that speaks the native dialect without sealing: for simulations.
    #[must_use]
    pub fn plain(now: Instant, config: Config, rng: Rng) -> Self {
        let config = Config { dialect: Dialect::Native, ..config };
        let tunnel = Tunnel::new(now, Seal::Plain(Plain::default()));
        Self { core: Core::new(now, config.clone(), Some(tunnel)), ..Self::new(now, config, rng) }
    }

    /// A group without links that speaks the native dialect: `session` says with which gateway, and what it offers.
    #[must_use]
    pub fn native(now: Instant, config: Config, session: InitiatorConfig, mut rng: Rng) -> Self {
        let config = Config { dialect: Dialect::Native, ..config };
        let initiator = Initiator::new(now, session, rng.split());
        let tunnel = Tunnel::new(now, Seal::Session(Box::new(initiator)));
        Self { core: Core::new(now, config.clone(), Some(tunnel)), ..Self::new(now, config, rng) }
    }

    /// A group without links.
    #[must_use]
    pub fn new(now: Instant, config: Config, rng: Rng) -> Self {
        Self {
            core: Core::new(now, config, None),
            registration: Registration::new(now, rng),
            caller: Caller::default(),
            session: Session::default(),
            for_caller: VecDeque::new(),
            held_handshake: None,
            held_shutdown: None,
            numbers: Vec::new(),
            lost: Vec::new(),
            events: VecDeque::new(),
            refused: None,
        }
    }

    /// New settings; a changed latency counts for packets that come from now on.
    pub fn handle_config(&mut self, now: Instant, config: Config) {
        self.core.config = config;
        if let Some(Ok(latency)) = self.session.negotiated.map(|negotiated| self.core.config.latency_within(negotiated))
        {
            self.core.config.latency = latency;
        }
        for link in &mut self.core.links {
            link.capacity.reserve(self.core.config.reserved_on(&link.config.name));
        }
        self.pump(now);
    }

    /// An uplink has a socket: the link registers. A known id starts afresh. A group holds 16 links, as many
    /// as the field's far ends take; a further one is ignored.
    pub fn add_link(&mut self, now: Instant, id: LinkId, config: LinkConfig) {
        self.remove_link(now, id);
        if self.core.links.len() < MOST_LINKS {
            let mut link = Link::new(now, id, config, self.core.config.dialect);
            link.without = self.core.config.without;
            link.capacity.without = link.without;
            link.capacity.reserve(self.core.config.reserved_on(&link.config.name));
            if let Some(tunnel) = &self.core.tunnel {
                link.count_from(tunnel.counter(id));
                if tunnel.seal.is_up() {
                    link.membership = Membership::Inside;
                }
            }
            self.core.links.push(link);
            self.core.next_tick = now;
            self.list_links(now);
        }
    }

    /// The uplink's socket is gone; what only this link carried goes to the others at once.
    pub fn remove_link(&mut self, now: Instant, id: LinkId) {
        let Some(at) = self.core.find(id) else { return };
        self.registration.link_gone(id);
        self.core.abandon(at);
        self.core.links.remove(at);
        self.core.transmits.retain(|transmit| transmit.link != id);
        self.core.lost_link = true;
        self.core.gone = true;
        self.list_links(now);
        self.pump(now);
    }

    /// The kernel says that the uplink has or has lost its carrier or address.
    pub fn handle_carrier(&mut self, now: Instant, id: LinkId, up: bool) {
        let Some(at) = self.core.find(id) else { return };
        if self.core.links[at].carrier == up {
            return;
        }
        self.core.links[at].carrier = up;
        self.core.links[at].starts_afresh(now);
        if up {
            self.core.next_tick = now;
        } else {
            self.registration.link_gone(id);
            self.core.abandon(at);
            self.core.lost_link = true;
            self.core.gone = true;
        }
        self.list_links(now);
        self.pump(now);
    }

    /// The kernel refused to send on the link (unreachable, no buffer): not proof of death, but no delivery.
    pub fn handle_send_error(&mut self, now: Instant, id: LinkId) {
        let Some(at) = self.core.find(id) else { return };
        self.core.lost_link |= self.core.links[at].usable();
        self.core.links[at].refused(now);
        self.core.rescue(now);
        self.pump(now);
    }

    /// A datagram on the port where the SRT caller sends to. Who is not the caller, and does not become it
    /// by a handshake while none is there, is a stranger: counted, and nothing else happens.
    pub fn handle_packet(&mut self, now: Instant, from: SocketAddr, packet: Bytes) {
        let before = self.caller.address();
        let taken = match srt::peek(&packet) {
            Ok(read) if packet.len() <= MOST_PAYLOAD && self.caller.admits(now, from, &read) => {
                self.take_packet(now, &read, packet.clone())
            }
            _ => false,
        };
        if self.caller.address() != before {
            // what was for the one before is not for this one
            self.for_caller.clear();
        }
        if taken {
            self.pump(now);
        } else {
            self.core.counters.strange_packets += 1;
        }
    }

    /// The driver ends: what waited for the last data to arrive waits no longer.
    pub fn handle_end(&mut self, now: Instant) {
        if let Some((_, packet)) = self.held_shutdown.take() {
            self.carry_end(now, &packet);
        }
    }

    /// True if no caller is there and nothing of it is under way any more.
    #[must_use]
    pub fn is_finished(&self, now: Instant) -> bool {
        self.caller.is_gone(now)
            && self.core.store.is_empty()
            && self.held_shutdown.is_none()
            && self.core.transmits.is_empty()
    }

    /// A datagram from the far end, on the socket of a link.
    pub fn handle_datagram(&mut self, now: Instant, id: LinkId, datagram: &[u8]) {
        let Some(at) = self.core.find(id) else { return };
        if self.core.tunnel.is_some() {
            return self.handle_sealed(now, at, datagram);
        }
        let understood = if srtla::is_srtla(datagram) {
            srtla::parse(datagram).map(|frame| self.take_frame(now, at, &frame))
        } else {
            srt::peek(datagram).map(|packet| self.take_from_listener(now, at, &packet, datagram))
        };
        match understood {
            Ok(true) => self.core.links[at].heard(now),
            Ok(false) | Err(Error::TooShort { .. } | Error::WrongLength { .. } | Error::UnknownType(_)) => {
                self.core.links[at].strange += 1;
            }
        }
        self.pump(now);
    }

    /// The time that `next_timeout` named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.core.next_tick {
            return;
        }
        self.tick(now);
        self.pump(now);
        let active = self.core.is_active(now);
        let holds = self.core.links.iter().any(|link| link.suspect.is_some() && link.in_flight() > 0.0);
        let pace = if !self.core.queue.is_empty() || holds {
            TICK_BUSY
        } else if active || !self.core.store.is_empty() || !self.is_connected() {
            TICK
        } else {
            TICK_QUIET
        };
        self.core.next_tick = now + pace;
    }

    /// When to call [`Sender::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        (!self.core.links.is_empty() || !self.core.store.is_empty()).then_some(self.core.next_tick)
    }

    /// The next datagram to send on a link.
    pub fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        self.core.transmits.pop_front()
    }

    /// Where the SRT caller is, or was last.
    #[must_use]
    pub fn caller(&self) -> Option<SocketAddr> {
        self.caller.address()
    }

    /// The next datagram for the SRT caller, to [`Sender::caller`].
    pub fn poll_caller(&mut self) -> Option<Bytes> {
        self.for_caller.pop_front()
    }

    /// Payload bytes and packets that the engine keeps now, for whoever watches its memory.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.core.store.bytes(), self.core.queue.len())
    }

    /// Everything measured, as of now.
    #[must_use]
    pub fn stats(&self, now: Instant) -> GroupStats {
        GroupStats {
            links: self.core.links.iter().map(|link| link.stats(now)).collect(),
            connected: self.is_connected(),
            offered: self.core.offered(now),
            delivered: self.core.delivered(now),
            target: self.core.target(),
            limited: self.core.is_limited(now),
            latency: self.core.config.latency,
            waiting: self.core.waiting(now),
            packets: self.core.counters.packets,
            dropped_late: self.core.counters.dropped_late,
            resent: self.core.counters.resent,
            caller_retransmits_dropped: self.core.counters.caller_retransmits_dropped,
            naks_swallowed: self.core.counters.naks_swallowed,
            ack_copies_dropped: self.core.counters.ack_copies_dropped,
            strange_packets: self.core.counters.strange_packets,
            dropped_datagrams: self
                .drops()
                .iter()
                .flat_map(|drops| drops.iter())
                .filter(|(_, count)| *count > 0)
                .map(|(reason, count)| (reason.name(), count))
                .collect(),
        }
    }

    fn is_connected(&self) -> bool {
        let inside = |link: &Link| link.carrier && link.is_inside();
        match &self.core.tunnel {
            None => self.registration.is_known() && self.core.links.iter().any(inside),
            Some(tunnel) => tunnel.seal.is_up() && self.core.links.iter().any(|link| inside(link) && link.usable()),
        }
    }

    /// Places everything that a link has room for.
    pub(super) fn pump(&mut self, now: Instant) {
        self.core.pump(now);
        self.release_shutdown(now);
    }

    fn handle_sealed(&mut self, now: Instant, at: usize, datagram: &[u8]) {
        let Some(tunnel) = &mut self.core.tunnel else { return };
        let id = self.core.links[at].id;
        let understood =
            tunnel.seal.open(now, id, datagram).is_some_and(|frame| self.take_opened(now, &frame).unwrap_or(false));
        match self.core.links.get_mut(at) {
            Some(link) if understood => link.heard(now),
            Some(link) => link.strange += 1,
            None => {}
        }
        self.tend_session(now);
        self.release_handshake(now);
        self.pump(now);
    }

    fn tick(&mut self, now: Instant) {
        let dt = now.since(self.core.last_tick);
        self.core.last_tick = now;
        if let Some(Seal::Session(initiator)) = self.core.tunnel.as_mut().map(|tunnel| &mut tunnel.seal) {
            initiator.handle_timeout(now);
            self.tend_session(now);
        }
        if self.core.tunnel.is_none() {
            self.registration.tick(now);
            self.register(now);
        }
        let active = self.core.is_active(now);
        for at in 0..self.core.links.len() {
            if self.core.links[at].is_to_be_written_off(now) {
                self.core.abandon(at);
                self.core.links[at].capacity.write_off();
                self.core.gone = true;
            }
            if self.core.tunnel.is_some() {
                continue;
            }
            self.core.lost_link |= self.core.links[at].tick(now, dt);
            if let Some(payload) = self.core.links[at].keepalive(now, active) {
                self.core.transmit(now, at, payload.into());
            }
            if active && self.core.queue.is_empty() && self.core.links[at].wants_train(now) {
                self.core.send_train(now, at);
            }
        }
        self.core.retire(now);
        if self.core.tunnel.is_some() {
            self.core.tick_tunnel(now, active);
        } else {
            self.core.settle_doubts(now);
            if let Some(seq) = self.session.acked() {
                self.core.find_stuck(now, seq);
            }
        }
        self.core.budget.tick(now, self.core.offered(now));
        self.core.rescue(now);
        self.core.measure(now, dt);
    }
}

/// The socket that an SRT packet is for.
pub(super) fn socket_of(packet: &[u8]) -> u32 {
    packet.get(12..16).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}
