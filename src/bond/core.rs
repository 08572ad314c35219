//! Core: what is sent, waits and is under way, whatever frames the links speak.
//!
//! ```text
//! held ─► queue ─► scheduler ─► link ─► transmits
//!   ▲                            │
//!   └── recovery: lost, silent ──┘
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::capacity::IP_UDP;
use super::config::Config;
use super::held::{Copy, Head, Store};
use super::link::{Cargo, Fate, Link};
use super::queue::Queue;
use super::receiver::PARITY_UP_TO;
use super::recovery::Budget;
use super::scheduler::{Choice, MOST_LINKS, Seat, choose};
use super::stats::{LinkId, RateMeter};
use super::target::{Target, View};
use super::tunnel::Tunnel;
use super::without::Without;
use crate::time::Instant;
use crate::units::Bitrate;
use crate::wire::native::OVERHEAD;
use crate::wire::{Seq, srtla};

/// While a stream flows.
const TICK: Duration = Duration::from_millis(10);
/// A stream that paused for longer is no stream.
const ACTIVE: Duration = Duration::from_secs(2);
/// Datagrams that wait for the driver, each way; what exceeds them is a driver that has stopped.
pub(super) const MOST_WAITING: usize = 16_384;
/// Payload bytes held at most, whatever the latency.
const MOST_BYTES: usize = 48 << 20;
/// A stream that takes less than this share of what the links have shown over so long (µs) is at ease, and with less
/// than that at rest.
const EASE: f64 = 0.66;
const REST: f64 = 0.5;
const SHOWN_OVER: f64 = 10e6;
/// Overload (µs) below which a last chance is taken on two links.
const DOUBLING: f64 = 10_000.0;
/// One acknowledgement of the field's far ends.
const TRAIN: u8 = srtla::ACK_COUNT as u8;
/// Largest UDP payload that a caller can mean.
pub(super) const MOST_PAYLOAD: usize = 1500;

/// One datagram to be sent now on one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// On which link.
    pub link: LinkId,
    /// The UDP payload.
    pub payload: Bytes,
}

/// The link that a packet takes, and the second one if it takes two.
type Way = (usize, Option<usize>);

/// The standing queue is the least of one to two of these.
const STANDS: Duration = Duration::from_secs(1);

/// How long packets wait at least: a queue that never empties saves no money, it only makes everything late.
#[derive(Debug, Default)]
struct Standing {
    buckets: [f64; 2],
    since: Instant,
}

impl Standing {
    fn take(&mut self, now: Instant, waiting_us: f64) {
        if now.since(self.since) >= STANDS {
            self.since = now;
            self.buckets = [waiting_us, self.buckets[0]];
        }
        self.buckets[0] = self.buckets[0].min(waiting_us);
    }

    /// µs.
    fn least(&self) -> f64 {
        self.buckets[0].min(self.buckets[1])
    }
}

/// Counters that only grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) packets: u64,
    pub(super) dropped_late: u64,
    pub(super) resent: u64,
    pub(super) caller_retransmits_dropped: u64,
    pub(super) naks_swallowed: u64,
    pub(super) ack_copies_dropped: u64,
    pub(super) strange_packets: u64,
}

/// Everything between a packet's coming and its last copy's going.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: Config,
    pub(super) links: Vec<Link>,
    pub(super) store: Store,
    pub(super) queue: Queue,
    pub(super) budget: Budget,
    target: Target,
    pub(super) counters: Counters,
    /// The native dialect's part, if that is spoken.
    pub(super) tunnel: Option<Tunnel>,
    pub(super) transmits: VecDeque<Transmit>,
    offered: RateMeter,
    delivered: RateMeter,
    delivered_since: u64,
    pub(super) lost_link: bool,
    /// A link is gone for good.
    pub(super) gone: bool,
    /// How long what waits would take on all links together while none has room, smoothed, µs.
    pub(super) overload_us: f64,
    blocked: bool,
    /// Bytes per microsecond that all links have shown, smoothed.
    shown: f64,
    /// The share of it that the stream takes.
    load: f64,
    standing: Standing,
    last_packet: Option<Instant>,
    /// How long after a link's acknowledgement the listener's own comes, for a packet that met no trouble; smoothed.
    pub(super) behind: Option<Duration>,
    pub(super) last_tick: Instant,
    pub(super) next_tick: Instant,
    seats: Vec<Seat>,
}

impl Core {
    pub(super) fn new(now: Instant, config: Config, tunnel: Option<Tunnel>) -> Self {
        let budget = Budget::new(now, config.without.has(Without::BUDGET));
        Self {
            config,
            links: Vec::new(),
            store: Store::default(),
            queue: Queue::default(),
            budget,
            target: Target::new(now),
            counters: Counters::default(),
            tunnel,
            transmits: VecDeque::new(),
            offered: RateMeter::new(),
            delivered: RateMeter::new(),
            delivered_since: 0,
            lost_link: false,
            gone: false,
            overload_us: 0.0,
            blocked: false,
            shown: 0.0,
            load: f64::INFINITY,
            standing: Standing::default(),
            last_packet: None,
            behind: None,
            last_tick: now,
            next_tick: now,
            seats: Vec::new(),
        }
    }

    /// What is held belongs to a stream that is no more.
    pub(super) fn forget_stream(&mut self) {
        self.store.clear();
        self.queue.clear();
        for link in &mut self.links {
            link.give_up();
        }
    }

    /// A packet of the stream comes, of whatever worth it then is.
    pub(super) fn count_packet(&mut self, now: Instant, bytes: usize) {
        self.counters.packets += 1;
        self.offered.take(now, bytes as u64);
        self.last_packet = Some(now);
    }

    /// Takes a packet in; its number stands within or after what is held.
    pub(super) fn hold(&mut self, now: Instant, seq: Seq, head: Head, packet: Bytes) {
        while self.store.is_full_for(seq) || self.store.bytes() > MOST_BYTES {
            self.retire_front();
        }
        let size = packet.len();
        let around = if self.tunnel.is_some() { OVERHEAD as f64 } else { 0.0 };
        self.store.insert(seq, head, packet, size as f64 + around + IP_UDP, now + self.config.latency);
        self.queue.push_fresh(seq, size);
        // so that the first packet after a pause does not wait for a slow tick
        self.next_tick = self.next_tick.min(now + TICK);
    }

    /// The listener acknowledges everything before `seq`: how long after its link did that is worth remembering.
    pub(super) fn acked_behind(&mut self, now: Instant, seq: Seq) {
        let newest = self.store.get(seq.plus(0x7fff_ffff)).and_then(|held| held.delivered);
        let Some(took) = newest.map(|at| now.since(at)) else { return };
        self.behind =
            Some(self.behind.map_or(took, |usual| if took < usual { took } else { (usual * 63 + took) / 64 }));
    }

    /// So many payload bytes are known to have arrived.
    pub(super) fn count_delivered(&mut self, now: Instant, bytes: usize) {
        self.delivered.take(now, bytes as u64);
        self.delivered_since += bytes as u64;
    }

    pub(super) fn offered(&self, now: Instant) -> Bitrate {
        self.offered.rate(now)
    }

    pub(super) fn delivered(&self, now: Instant) -> Bitrate {
        self.delivered.rate(now)
    }

    pub(super) fn target(&self) -> Bitrate {
        self.target.rate(self.config.ceiling)
    }

    pub(super) fn is_limited(&self, now: Instant) -> bool {
        self.target.is_limited(now)
    }
    pub(super) fn find(&self, id: LinkId) -> Option<usize> {
        self.links.iter().position(|link| link.id == id)
    }

    pub(super) fn is_active(&self, now: Instant) -> bool {
        self.last_packet.is_some_and(|at| now.since(at) < ACTIVE)
    }

    pub(super) fn waiting(&self, now: Instant) -> Duration {
        let head = self.queue.at(0).and_then(|seq| self.store.get(seq)).filter(|held| held.queued);
        head.map_or(Duration::ZERO, |held| now.since(held.deadline.before(self.config.latency)))
    }

    pub(super) fn latency_us(&self) -> f64 {
        self.config.latency.as_micros() as f64
    }

    pub(super) fn transmit(&mut self, now: Instant, at: usize, payload: Bytes) {
        if self.transmits.len() < MOST_WAITING {
            let link = &mut self.links[at];
            link.count(now, payload.len());
            self.transmits.push_back(Transmit { link: link.id, payload });
        }
    }

    /// The usable link that answers soonest, or the nth after it.
    pub(super) fn quickest(&self, now: Instant, nth: usize) -> Option<usize> {
        let mut order: Vec<(u64, usize)> = (0..self.links.len())
            .filter(|at| self.links[*at].usable())
            .map(|at| ((self.links[at].free_at(now) + self.links[at].one_way()) as u64, at))
            .collect();
        order.sort_unstable();
        let count = order.len().max(1);
        order.get(nth % count).map(|(_, at)| *at)
    }

    /// Places everything that a link has room for.
    pub(super) fn pump(&mut self, now: Instant) {
        self.blocked = false;
        while !self.queue.is_empty() {
            self.queue.tidy(&self.store);
            let Some((seq, at, way)) = self.next_choice(now) else { break };
            self.queue.close(at);
            let Some((link, second)) = way else {
                self.drop_late(seq);
                continue;
            };
            self.place(now, seq, link);
            if let Some(second) = second {
                self.place(now, seq, second);
            }
        }
        if self.tunnel.is_some() {
            self.send_repairs(now);
        }
    }

    /// The first packet in the queue with which something is done now, its place, and its way if it has one.
    pub(super) fn next_choice(&mut self, now: Instant) -> Option<(Seq, usize, Option<Way>)> {
        let latency_us = self.latency_us();
        self.seats.clear();
        let at_rest = self.is_certain() && self.load < REST;
        self.seats.extend(self.links.iter().map(|link| Seat::look(now, link, MOST_PAYLOAD, latency_us, at_rest)));
        let mut booked = [0.0; MOST_LINKS];
        // repairs that travel ahead are the better second copy
        let coded = self.tunnel.is_some() && self.config.latency <= PARITY_UP_TO;
        let doubling = self.overload_us < DOUBLING && !coded && !self.config.without.has(Without::DOUBLING);
        let mut place = 0;
        // each wait books on one closed link; after a few rounds over all links nothing new can come of it
        for _ in 0..4 * MOST_LINKS {
            let Some(seq) = self.queue.at(place) else { break };
            let Some(held) = self.store.get(seq).filter(|held| held.queued) else {
                place += 1;
                continue;
            };
            match choose(now, &self.seats, held, &booked, doubling, self.standing.least()) {
                Choice::Wait { link, run } => {
                    booked[link] += run as f64 * held.size;
                    self.links[link].capacity.was_limited();
                    place += run;
                }
                Choice::Closed => {
                    for link in self.links.iter_mut().filter(|link| link.usable()) {
                        link.capacity.was_limited();
                    }
                    self.blocked = self.links.iter().any(Link::usable);
                    return None;
                }
                Choice::Send { link, second } => return Some((seq, place, Some((link, second)))),
                Choice::Drop => return Some((seq, place, None)),
            }
        }
        None
    }

    pub(super) fn place(&mut self, now: Instant, seq: Seq, at: usize) {
        let Some(held) = self.store.get_mut(seq) else { return };
        let again = held.sends > 0;
        let link = &mut self.links[at];
        let id = link.id;
        let payload = match &mut self.tunnel {
            None => Some(held.payload.clone()),
            Some(tunnel) if OVERHEAD + held.payload.len() > link.mtu.datagram() => {
                let halves = tunnel.halves(now, id, link.next_number(), &held.head, &held.payload);
                halves.map(|[first, second]| {
                    link.send_other(now, Cargo::Half, first.len());
                    self.transmits.push_back(Transmit { link: id, payload: first });
                    second
                })
            }
            Some(tunnel) => tunnel.datagram(now, id, link.next_number(), &held.head, &held.payload),
        };
        let Some(payload) = payload else { return };
        let number = link.send(now, seq, payload.len());
        held.add_copy(Copy { link: id, number });
        self.queue.take(held);
        if again {
            self.counters.resent += 1;
        }
        self.transmits.push_back(Transmit { link: id, payload });
    }

    /// A link that has shown nothing for long carries copies of the newest packets, as many as one acknowledgement
    /// counts, so that it is known when it is needed.
    pub(super) fn send_train(&mut self, now: Instant, at: usize) {
        let end = self.store.end();
        let newest = (1..=u32::from(TRAIN)).map(|back| end.plus(0x8000_0000 - back));
        let train: Vec<(Seq, Bytes)> =
            newest.filter_map(|seq| self.store.get(seq).map(|held| (seq, held.payload.clone()))).collect();
        if train.len() < usize::from(TRAIN) {
            return;
        }
        for (seq, payload) in train {
            self.links[at].send_in_train(now, seq, payload.len());
            self.transmit(now, at, payload);
        }
    }

    pub(super) fn drop_late(&mut self, seq: Seq) {
        if let Some(held) = self.store.get_mut(seq) {
            self.queue.take(held);
            self.counters.dropped_late += 1;
            // not held any more: should the listener still ask, the caller may answer
            self.store.remove(seq);
        }
    }

    pub(super) fn measure(&mut self, now: Instant, dt: Duration) {
        let capacity: f64 = self.links.iter().filter(|l| l.usable()).map(|l| l.capacity.rate()).sum();
        let overload = if self.blocked && capacity > 0.0 { self.queue.bytes() as f64 / capacity } else { 0.0 };
        let keep = 0.95_f64.powf(dt.as_micros() as f64 / 1000.0);
        self.overload_us = self.overload_us * keep + overload * (1.0 - keep);
        self.standing.take(now, self.waiting(now).as_micros() as f64);
        self.measure_load(now, dt);
        let view = View {
            delivered: std::mem::take(&mut self.delivered_since),
            overload_us: self.overload_us,
            waiting: self.waiting(now),
            latency: self.config.latency,
            capacity,
            lost_link: std::mem::take(&mut self.lost_link),
            gone: std::mem::take(&mut self.gone),
            silent: self.links.iter().any(Link::may_come_back),
            carried: self.carried(now),
            offered: self.offered.rate(now),
            ceiling: self.config.ceiling,
        };
        self.target.tick(now, view);
    }

    /// Silent links count with what they had shown: most of them come back.
    fn measure_load(&mut self, now: Instant, dt: Duration) {
        let inside = self.links.iter().filter(|link| link.carrier && link.is_inside());
        let all: f64 = inside.map(|link| link.capacity.rate()).sum();
        let keep = (-(dt.as_micros() as f64) / SHOWN_OVER).exp();
        self.shown = self.shown * keep + all * (1.0 - keep);
        self.load = self.offered.rate(now).bytes_per_micro() / self.shown.max(f64::MIN_POSITIVE);
    }

    /// The stream leaves room, and the far end's clock tells what will be late: copies make nobody else late.
    pub(super) fn is_at_ease(&self) -> bool {
        self.is_certain() && self.load < EASE
    }

    /// Share of what was sent in the last second that went over links that can be used; a removed one was among them.
    fn carried(&self, now: Instant) -> f64 {
        let sent = |link: &Link| link.meter.rate(now).as_bps() as f64;
        let usable: f64 = self.links.iter().filter(|link| link.usable()).map(sent).sum();
        let all: f64 = self.links.iter().map(sent).sum();
        let all = all.max(self.offered.rate(now).as_bps() as f64);
        if all > 0.0 { usable / all } else { 0.0 }
    }

    /// What can no longer be asked for in time is let go.
    pub(super) fn retire(&mut self, now: Instant) {
        while self.store.front_is_past(now) {
            self.retire_front();
        }
        // what waits and cannot even arrive without any queue is dead
        let nearest = self.links.iter().filter(|l| l.usable()).map(Link::one_way).fold(f64::INFINITY, f64::min);
        let nearest = if nearest.is_finite() { Duration::from_micros(nearest as u64) } else { Duration::ZERO };
        self.queue.tidy(&self.store);
        while let Some(seq) = self.queue.at(0) {
            match self.store.get(seq) {
                Some(held) if held.queued && now + nearest > held.deadline => self.drop_late(seq),
                _ => break,
            }
            self.queue.tidy(&self.store);
        }
    }

    pub(super) fn retire_front(&mut self) {
        let Some((_, Some(mut held))) = self.store.pop_front() else { return };
        if held.queued {
            self.queue.take(&mut held);
            self.counters.dropped_late += 1;
        }
        for copy in held.copies() {
            if let Some(link) = self.links.iter_mut().find(|link| link.id == copy.link) {
                link.forget(copy.number);
            }
        }
    }

    /// A copy on a link is lost; the packet waits again if no other is believed in.
    pub(super) fn copy_lost(&mut self, at: usize, number: u64, seq: Seq) {
        if let Some(fate) = self.links[at].lost(number) {
            self.believe_lost(at, seq, fate);
        }
    }

    /// A copy that was on a link is lost, of whichever fate it had.
    pub(super) fn believe_lost(&mut self, at: usize, seq: Seq, fate: Fate) {
        let bit = super::scheduler::link_bit(&self.links[at]);
        let Some(held) = self.store.get_mut(seq) else { return };
        held.lost_on |= bit;
        if fate == Fate::Live {
            held.lost_copy();
        }
        if held.live == 0 && held.delivered.is_none() {
            self.queue.push_repair(held, seq);
        }
    }
}
