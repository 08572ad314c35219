//! World: a caller, a sender, the links and a far end, joined in virtual time.
//!
//! Nothing waits: time jumps from event to event, and an hour takes seconds. One seed, one run.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use super::far::FarEnd;
use super::far_native::NativeFarEnd;
use super::netem::{Direction, IP_UDP, Netem};
use super::scenario::Scenario;
use super::score::{Counted, Score};
use super::source::{PAYLOAD, Source};
use crate::bond::{Config, Dialect, GroupStats, LinkConfig, LinkId, Sender, Without};
use crate::rng::Rng;
use crate::time::Instant;
use crate::units::Bitrate;
use crate::wire::native::OVERHEAD;

/// Which payloads came, and when.
type Arrivals = Vec<(u64, Instant)>;
/// Datagrams for the way back, each with its link.
type Backward = Vec<(usize, Bytes)>;

/// The SRT session's latency is longer than L, as in the field.
const SESSION_EXTRA: Duration = Duration::from_millis(250);

/// What an SRT datagram has beside its payload.
const SRT_HEADER: usize = 16;

/// Where the caller would be, were there a network between it and the sender.
const CALLER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6001);

/// How often a run is asked whether it can still be good.
const GLANCE: Duration = Duration::from_millis(250);

/// How a scenario is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Play {
    /// Everything random comes from it.
    pub seed: u64,
    /// Payload bits per second of the source.
    pub rate: Bitrate,
    /// L.
    pub latency: Duration,
    /// Pictures of varying size, not a constant rate.
    pub variable: bool,
    /// The frames spoken on the links.
    pub dialect: Dialect,
    /// What the engine has to do without.
    pub without: Without,
}

#[derive(Debug)]
enum Far {
    Field(Box<FarEnd>),
    Native(Box<NativeFarEnd>),
}

impl Far {
    fn next_timeout(&mut self) -> Option<Instant> {
        match self {
            Self::Field(far) => far.next_timeout(),
            Self::Native(far) => far.next_timeout(),
        }
    }

    fn handle_datagram(&mut self, now: Instant, link: usize, datagram: &Bytes) {
        match self {
            Self::Field(far) => far.handle_datagram(now, link, datagram),
            Self::Native(far) => far.handle_datagram(now, datagram),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Field(far) => far.handle_timeout(now),
            Self::Native(far) => far.handle_timeout(now),
        }
    }

    /// What arrived, and what goes back.
    fn drain(&mut self) -> (Arrivals, Backward) {
        match self {
            Self::Field(far) => (std::mem::take(&mut far.arrivals), std::mem::take(&mut far.out)),
            Self::Native(far) => (std::mem::take(&mut far.arrivals), std::mem::take(&mut far.out)),
        }
    }
}

impl Default for Play {
    fn default() -> Self {
        Self {
            seed: 0,
            rate: Bitrate::mbps(6),
            latency: Duration::from_secs(1),
            variable: false,
            dialect: Dialect::Srtla,
            without: Without::default(),
        }
    }
}

/// How much later than written the traces of a run start.
pub(super) fn seed_shift(scenario: &Scenario, seed: u64) -> Duration {
    scenario.seed_shift.saturating_mul(u32::try_from(seed % 100_000).unwrap_or(0))
}

/// The generators of a run's links: of nothing but the seed, so that the oracle sees the same weather.
pub(super) fn link_rngs(scenario: &Scenario, seed: u64) -> Vec<Rng> {
    let mut rng = Rng::simulated(!seed);
    scenario.links.iter().map(|_| rng.split()).collect()
}

#[derive(Debug)]
struct Path {
    name: String,
    metered: bool,
    forward: Netem,
    back: Netem,
    /// When the carrier changes, and to what; the next first.
    carrier: Vec<(Instant, bool)>,
}

/// What another flow on a link had of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shared {
    /// Datagrams that it sent.
    pub sent: u64,
    /// Datagrams of it that came.
    pub came: u64,
    /// Datagrams of it that found the link's queue full, or the link down.
    pub lost: u64,
    /// The longest way of one of them.
    pub longest: Duration,
}

/// Somebody else's constant flow over one of the links.
#[derive(Debug)]
struct Other {
    path: usize,
    apart: Duration,
    next: Instant,
    under_way: VecDeque<Instant>,
    shared: Shared,
}

/// What the other flow sends: as long as our own payloads, and told from them by where it lies.
static OTHERS: [u8; PAYLOAD] = [0; PAYLOAD];

impl Other {
    fn is(datagram: &Bytes) -> bool {
        std::ptr::eq(datagram.as_ptr(), OTHERS.as_ptr())
    }

    fn handle_timeout(&mut self, now: Instant, link: &mut Netem) {
        while self.next <= now {
            self.shared.sent += 1;
            let dropped = |link: &Netem| link.counts().overflowed + link.counts().blackholed;
            let before = dropped(link);
            link.handle_packet(now, Bytes::from_static(&OTHERS));
            if dropped(link) == before {
                self.under_way.push_back(self.next);
            } else {
                self.shared.lost += 1;
            }
            self.next += self.apart;
        }
    }

    fn came(&mut self, now: Instant) {
        let Some(sent) = self.under_way.pop_front() else { return };
        self.shared.came += 1;
        self.shared.longest = self.shared.longest.max(now.since(sent));
    }
}

/// One run in progress.
#[derive(Debug)]
pub struct World {
    name: String,
    play: Play,
    now: Instant,
    end: Instant,
    warmup: Instant,
    source: Source,
    sender: Sender,
    config: Config,
    paths: Vec<Path>,
    other: Option<Other>,
    far: Far,
    arrived: Vec<Option<Instant>>,
    there: Carried,
    back: Carried,
}

/// IP bytes of one direction, from the warm-up's end on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carried {
    pub(super) all: u64,
    pub(super) metered: u64,
}

impl Carried {
    fn take(&mut self, payload: usize, metered: bool) {
        let bytes = (payload + IP_UDP) as u64;
        self.all += bytes;
        self.metered += if metered { bytes } else { 0 };
    }
}

impl World {
    /// A run at its beginning.
    #[must_use]
    pub fn new(scenario: &Scenario, play: Play) -> Self {
        let mut rng = Rng::simulated(play.seed);
        let until = Instant::ZERO + scenario.duration;
        let source = Source::new(play.rate, play.variable, play.latency + SESSION_EXTRA, until, rng.split());
        let config =
            Config { dialect: play.dialect, latency: play.latency, without: play.without, ..Config::default() };
        let session = play.latency + SESSION_EXTRA;
        let (mut sender, far) = match play.dialect {
            Dialect::Srtla => {
                let sender = Sender::new(Instant::ZERO, config.clone(), rng.split());
                (sender, Far::Field(Box::new(FarEnd::new(session, rng.split()))))
            }
            Dialect::Native => {
                let sender = Sender::plain(Instant::ZERO, config.clone(), rng.split());
                (sender, Far::Native(Box::new(NativeFarEnd::new(play.latency, session, play.without))))
            }
        };
        let shift = seed_shift(scenario, play.seed);
        let mut paths = Vec::new();
        for (at, (link, own)) in scenario.links.iter().zip(link_rngs(scenario, play.seed)).enumerate() {
            let id = LinkId(at as u8);
            sender.add_link(Instant::ZERO, id, LinkConfig { name: link.name.clone(), metered: link.metered });
            let mut carrier: Vec<(Instant, bool)> = Vec::new();
            for span in &link.carrier {
                carrier.push((span.from, false));
                carrier.extend(span.to.map(|to| (to, true)));
            }
            carrier.reverse();
            paths.push(Path {
                name: link.name.clone(),
                metered: link.metered,
                forward: Netem::new(link, Direction::Forward, shift, own.clone()),
                back: Netem::new(link, Direction::Return, shift, own),
                carrier,
            });
        }
        Self {
            name: scenario.name.clone(),
            play,
            now: Instant::ZERO,
            end: until + play.latency + Duration::from_secs(1),
            warmup: Instant::ZERO + scenario.warmup,
            source,
            sender,
            config,
            paths,
            other: None,
            far,
            arrived: Vec::new(),
            there: Carried::default(),
            back: Carried::default(),
        }
    }

    /// The present moment of the run.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What the engine measures now.
    #[must_use]
    pub fn stats(&self) -> GroupStats {
        self.sender.stats(self.now)
    }

    /// Plays until `until`, or to the end if that is sooner.
    pub fn play_until(&mut self, until: Instant) {
        let until = until.min(self.end);
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = self.now.max(until);
    }

    /// From now on the source makes so many bits of payload a second.
    pub fn set_rate(&mut self, rate: Bitrate) {
        self.source.set_rate(self.now, rate);
    }

    /// From now on so much of what the link of this name carries is left to others.
    pub fn reserve(&mut self, name: &str, rate: Bitrate) {
        self.config.reserved.insert(name.to_owned(), rate);
        self.sender.handle_config(self.now, self.config.clone());
    }

    /// From now on somebody else sends so much over the link of this name, which must not lose by itself. An
    /// unknown name changes nothing.
    pub fn share(&mut self, name: &str, rate: Bitrate) {
        let Some(path) = self.paths.iter().position(|path| path.name == name) else { return };
        let apart = Duration::from_secs_f64((PAYLOAD + IP_UDP) as f64 / rate.bytes_per_micro() / 1e6);
        let shared = Shared::default();
        self.other = Some(Other { path, apart, next: self.now, under_way: VecDeque::new(), shared });
    }

    /// What the other flow had so far.
    #[must_use]
    pub fn shared(&self) -> Shared {
        self.other.as_ref().map(|other| other.shared).unwrap_or_default()
    }

    /// When each payload was made so far, and when it came.
    pub fn payloads(&self) -> impl Iterator<Item = (Instant, Option<Instant>)> + '_ {
        let came = self.arrived.iter().copied().chain(std::iter::repeat(None));
        self.source.made.iter().copied().zip(came)
    }

    /// Plays only as far as it takes to know whether 99.99 % of what is scored comes in time.
    #[must_use]
    pub fn is_good(mut self) -> bool {
        let scored = self.end.since(self.warmup).as_secs_f64() * self.play.rate.as_bps() as f64 / 8.0 / PAYLOAD as f64;
        // pictures of varying size may be more than their mean
        let most = (scored * if self.play.variable { 1.5 } else { 1.0 } / 10_000.0) as usize + 1;
        let (mut bad, mut judged) = (0, 0);
        while self.now < self.end {
            self.play_until(self.now + GLANCE);
            while let Some(made) = self.source.made.get(judged).filter(|made| **made + self.play.latency < self.now) {
                let in_time = self
                    .arrived
                    .get(judged)
                    .is_some_and(|came| came.is_some_and(|came| came - *made <= self.play.latency));
                bad += usize::from(*made >= self.warmup && !in_time);
                judged += 1;
            }
            if bad > most {
                return false;
            }
        }
        self.finish().is_good()
    }

    /// Plays to the end and scores.
    #[must_use]
    pub fn finish(mut self) -> Score {
        self.play_until(self.end);
        let payloads = self.payloads().filter(|(made, _)| *made >= self.warmup).collect();
        let queue_p95 = self.paths.iter().map(|path| path.forward.queue_p95()).max().unwrap_or_default();
        let around = match self.play.dialect {
            Dialect::Srtla => SRT_HEADER,
            Dialect::Native => OVERHEAD,
        };
        let packet = PAYLOAD + around + IP_UDP;
        let counted = Counted { payloads, there: self.there, back: self.back, packet, queue_p95 };
        Score::of(&self.name, self.play.seed, self.play.rate.as_mbps(), self.play.latency, PAYLOAD, &counted)
    }

    fn next_event(&mut self) -> Option<Instant> {
        let links = self.paths.iter().flat_map(|path| {
            let carrier = path.carrier.last().map(|(at, _)| *at);
            [path.forward.next_timeout(), path.back.next_timeout(), carrier]
        });
        let ends = [self.source.next_timeout(), self.sender.next_timeout(), self.far.next_timeout()];
        let other = self.other.as_ref().map(|other| other.next);
        links.chain(ends).chain([other]).flatten().min()
    }

    fn step(&mut self) {
        let now = self.now;
        self.source.handle_timeout(now);
        if let Some(other) = &mut self.other {
            other.handle_timeout(now, &mut self.paths[other.path].forward);
        }
        for at in 0..self.paths.len() {
            let id = LinkId(at as u8);
            while let Some((_, up)) = self.paths[at].carrier.pop_if(|(when, _)| *when <= now) {
                self.sender.handle_carrier(now, id, up);
            }
            while let Some(datagram) = self.paths[at].forward.poll_packet(now) {
                match &mut self.other {
                    Some(other) if Other::is(&datagram) => other.came(now),
                    _ => self.far.handle_datagram(now, at, &datagram),
                }
            }
            while let Some(datagram) = self.paths[at].back.poll_packet(now) {
                self.sender.handle_datagram(now, id, &datagram);
            }
        }
        self.far.handle_timeout(now);
        let (arrivals, back) = self.far.drain();
        for (number, arrived) in arrivals {
            let at = number as usize;
            if self.arrived.len() <= at {
                self.arrived.resize(at + 1, None);
            }
            self.arrived[at].get_or_insert(arrived);
        }
        for (at, datagram) in back {
            let path = &mut self.paths[at];
            if now >= self.warmup {
                self.back.take(datagram.len(), path.metered);
            }
            path.back.handle_packet(now, datagram);
        }
        if self.sender.next_timeout().is_some_and(|at| at <= now) {
            self.sender.handle_timeout(now);
        }
        self.drain();
    }

    /// Carries between caller, sender and links until nobody has anything more to say.
    fn drain(&mut self) {
        let now = self.now;
        loop {
            let mut quiet = true;
            for packet in std::mem::take(&mut self.source.out) {
                self.sender.handle_packet(now, CALLER, packet);
                quiet = false;
            }
            while let Some(transmit) = self.sender.poll_transmit(now) {
                let path = &mut self.paths[usize::from(transmit.link.0)];
                if now >= self.warmup {
                    self.there.take(transmit.payload.len(), path.metered);
                }
                path.forward.handle_packet(now, transmit.payload);
                quiet = false;
            }
            while let Some(datagram) = self.sender.poll_caller() {
                self.source.handle_packet(now, &datagram);
                quiet = false;
            }
            if quiet {
                return;
            }
        }
    }
}
