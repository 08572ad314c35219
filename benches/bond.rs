//! What the engine costs: sender and receiver with sealing, in virtual time, without sockets.
//!
//! `cargo bench --no-default-features --bench bond` prints payload Gbit/s of one core for both ends
//! together, how the cost grows with the links and with the queue, and what a group keeps. The links
//! are ideal but for a rate and a delay, so that all the time is the engine's.
#![allow(clippy::print_stdout, reason = "the figures are what this is for")]
#![allow(clippy::disallowed_methods, reason = "what is measured here is real time")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant as Wall};

use bytes::Bytes;
use livebox::bond::native::{
    Group, InitiatorConfig, Offer, PrivateKey, Received, Responder, ResponderConfig, ResponderEvent,
};
use livebox::bond::{Config, LinkConfig, LinkId, Receiver, ReceiverConfig, Sender};
use livebox::rng::Rng;
use livebox::time::Instant;
use livebox::wire::native::{Frame, StreamKind};

const PAYLOAD: usize = 1316;
const DELAY: Duration = Duration::from_millis(20);
const STEP: Duration = Duration::from_millis(1);

/// One direction of an ideal link.
#[derive(Default)]
struct Pipe {
    under_way: VecDeque<(Instant, Bytes)>,
    free: Instant,
}

impl Pipe {
    fn take(&mut self, now: Instant, mbit: f64, datagram: Bytes) {
        self.free = self.free.max(now) + Duration::from_secs_f64((datagram.len() + 28) as f64 * 8e-6 / mbit);
        self.under_way.push_back((self.free + DELAY, datagram));
    }

    fn give(&mut self, now: Instant) -> Option<Bytes> {
        self.under_way.pop_front_if(|(at, _)| *at <= now).map(|(_, datagram)| datagram)
    }
}

/// Both ends of a group, and what lies between them.
struct Rig {
    now: Instant,
    sender: Sender,
    responder: Responder,
    group: Option<Group>,
    receiver: Receiver,
    there: Vec<Pipe>,
    back: Vec<Pipe>,
    /// Of each link.
    mbit: f64,
    owed: f64,
    /// Payloads that have arrived; they are given out at L.
    came: u64,
    payload: Bytes,
    room: Vec<u8>,
    sealed: Vec<u8>,
}

fn from(link: usize) -> SocketAddr {
    ([192, 0, 2, link as u8], 5000).into()
}

impl Rig {
    fn new(links: usize, mbit: f64, latency: Duration) -> Self {
        let now = Instant::from_millis(1000);
        let key = |seed| PrivateKey::generate(&mut Rng::simulated(seed));
        let session = InitiatorConfig { key: key(1), peer: key(2).public(), offer: Offer::ts(latency, &["main"]) };
        let config = Config { latency, ..Config::default() };
        let mut sender = Sender::native(now, config, session, Rng::simulated(3));
        for link in 0..links {
            let name = format!("link{link}");
            sender.add_link(now, LinkId(link as u8), LinkConfig { name, metered: false });
        }
        let allow = BTreeMap::from([(key(1).public(), "bench".to_owned())]);
        let config =
            ResponderConfig { key: key(2), allow, most_groups: 4, most_streams: 4, idle: Duration::from_secs(30) };
        let pipes = || (0..links).map(|_| Pipe::default()).collect();
        Self {
            now,
            sender,
            responder: Responder::new(now, config, Rng::simulated(4)),
            group: None,
            receiver: Receiver::new(now, ReceiverConfig { latency, streams: vec![(0, StreamKind::Ts)] }),
            there: pipes(),
            back: pipes(),
            mbit,
            owed: 0.0,
            came: 0,
            payload: Bytes::from_static(&[0x47; PAYLOAD]),
            room: vec![0; 2048],
            sealed: Vec::with_capacity(2048),
        }
    }

    /// Lets a millisecond pass in which `mbit` of payload come in.
    fn step(&mut self, mbit: f64) {
        self.now += STEP;
        let now = self.now;
        for link in 0..self.there.len() {
            while let Some(datagram) = self.there[link].give(now) {
                self.arrives(link, &datagram);
            }
            while let Some(datagram) = self.back[link].give(now) {
                self.sender.handle_datagram(now, LinkId(link as u8), &datagram);
            }
        }
        self.receiver.handle_timeout(now);
        self.answer();
        self.owed += mbit * STEP.as_secs_f64() * 1e6 / 8.0;
        while self.owed >= PAYLOAD as f64 {
            self.owed -= PAYLOAD as f64;
            self.sender.handle_ts(now, 0, self.payload.clone());
        }
        if self.sender.next_timeout().is_some_and(|at| at <= now) {
            self.sender.handle_timeout(now);
        }
        while let Some(transmit) = self.sender.poll_transmit(now) {
            self.there[usize::from(transmit.link.0)].take(now, self.mbit, transmit.payload);
        }
    }

    fn arrives(&mut self, link: usize, datagram: &[u8]) {
        match self.responder.handle_datagram(self.now, from(link), datagram, &mut self.room) {
            Received::Nothing => {}
            Received::Answer(answer) => {
                let answer = Bytes::copy_from_slice(answer);
                self.back[link].take(self.now, 1000.0, answer);
            }
            Received::Frame { link, counter, frame, .. } => {
                let frame = Bytes::copy_from_slice(frame);
                self.came += u64::from(matches!(livebox::wire::native::parse(&frame), Ok(Frame::Data(_))));
                // what cannot be read is counted
                let _ = self.receiver.handle_frame(self.now, link, counter, datagram.len(), &frame);
            }
        }
    }

    fn answer(&mut self) {
        while self.receiver.poll_output().is_some() {}
        while let Some(event) = self.responder.poll_event() {
            if let ResponderEvent::Opened { group, .. } = event {
                self.group = Some(group);
            }
        }
        let Some(group) = self.group else { return };
        while let Some((link, frame)) = self.receiver.poll_frame() {
            self.sealed.clear();
            if self.responder.seal(group, link, &frame, &mut self.sealed).is_ok() {
                let datagram = Bytes::copy_from_slice(&self.sealed);
                self.back[usize::from(link)].take(self.now, 1000.0, datagram);
            }
        }
    }
}

/// What of `ms` milliseconds at this rate takes, in real nanoseconds a payload.
fn nanos_each(rig: &mut Rig, ms: u64, mbit: f64) -> f64 {
    let (before, begun) = (rig.came, Wall::now());
    for _ in 0..ms {
        rig.step(mbit);
    }
    begun.elapsed().as_nanos() as f64 / (rig.came - before).max(1) as f64
}

/// The least of three: whatever else the machine does only adds.
fn least_nanos(rig: &mut Rig, ms: u64, mbit: f64) -> f64 {
    (0..3).map(|_| nanos_each(rig, ms, mbit)).fold(f64::INFINITY, f64::min)
}

fn gbit(nanos: f64) -> f64 {
    PAYLOAD as f64 * 8.0 / nanos
}

/// A rig that is up, knows its links, and has carried so much for three seconds.
fn warm(links: usize, mbit_each: f64, latency: Duration, mbit: f64) -> Rig {
    let mut rig = Rig::new(links, mbit_each, latency);
    for step in 0..6_000 {
        // the first seconds gently, as an encoder begins
        rig.step(mbit * (f64::from(step) / 3_000.0).clamp(0.05, 1.0));
    }
    rig
}

fn resident_kb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}

fn main() {
    let second = Duration::from_secs(1);

    let nanos = least_nanos(&mut warm(7, 40.0, second, 100.0), 2_000, 100.0);
    println!("sender and receiver with sealing, 7 links, 100 Mbit/s: {:.2} Gbit/s on one core", gbit(nanos));

    println!("by links, 20 Mbit/s:");
    let mut one = 0.0;
    for links in [1, 2, 4, 8, 16] {
        let nanos = least_nanos(&mut warm(links, 160.0 / links as f64, second, 20.0), 5_000, 20.0);
        one = if links == 1 { nanos } else { one };
        println!("  {links:>2} links: {nanos:>6.0} ns a payload, {:.2} of one link's", nanos / one);
    }

    println!("by queue, 7 links of 4 Mbit/s, as much offered as they carry:");
    let mut short = 0.0;
    for queue in [50, 500, 5_000] {
        let mut rig = warm(7, 4.0, Duration::from_secs(10), 20.0);
        rig.owed += f64::from(queue) * PAYLOAD as f64;
        let nanos = least_nanos(&mut rig, 2_000, 26.6);
        short = if queue == 50 { nanos } else { short };
        let waiting = rig.sender.held().1;
        println!("  {waiting:>5} packets wait: {nanos:>6.0} ns a payload, {:.2} of the shortest's", nanos / short);
    }

    let before = resident_kb();
    let groups: Vec<Rig> = (0..20).map(|_| warm(7, 8.0, second, 20.0)).collect();
    let each = (resident_kb() - before) / groups.len() as u64;
    println!("both ends of a group at 20 Mbit/s and L = 1 s, links and all: {each} kB");
}
