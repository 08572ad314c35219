//! Both ends of the native dialect as they are shipped, sealed, in virtual time: what paths carry, what a group keeps.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use livebox::bond::native::{Cutter, Initiator, InitiatorConfig, Offer, PrivateKey};
use livebox::bond::{Config, LinkConfig, LinkId, Receiver, ReceiverConfig, Sender};
use livebox::gateway::{Gateway, Limits, Registry};
use livebox::rng::Rng;
use livebox::time::Instant;
use livebox::wire::native::{Data, DataKind, Fragment, Frame, StreamKind};

const L: Duration = Duration::from_millis(500);
const PACKET: usize = 188;

fn key(seed: u64) -> PrivateKey {
    PrivateKey::generate(&mut Rng::simulated(seed))
}

fn from(link: u8) -> SocketAddr {
    ([192, 0, 2, link], 5000).into()
}

fn gateway(now: Instant, limits: Limits) -> Gateway {
    let registry = Registry { key: key(2), allow: [(key(1).public(), "hall-1".to_owned())].into() };
    Gateway::new(now, limits, Some(registry), Rng::simulated(4))
}

/// One link: how long a datagram it carries, and what is under way.
struct Path {
    carries: usize,
    /// Its own end says what is too long; otherwise that vanishes.
    says: bool,
    longest: usize,
    datagrams: u64,
    there: VecDeque<(Instant, Bytes)>,
    back: VecDeque<(Instant, Bytes)>,
}

/// A box with a `ts` stream, its links of 20 ms, and the gateway.
struct Ends {
    now: Instant,
    sender: Sender,
    gateway: Gateway,
    cutter: Cutter,
    paths: Vec<Path>,
    given: Vec<Bytes>,
    number: u32,
}

impl Ends {
    fn new(paths: &[(usize, bool)]) -> Self {
        let now = Instant::from_millis(1000);
        let session = InitiatorConfig { key: key(1), peer: key(2).public(), offer: Offer::ts(L, &["main"]) };
        let config = Config { latency: L, ..Config::default() };
        let mut sender = Sender::native(now, config, session, Rng::simulated(3));
        for link in 0..paths.len() {
            sender.add_link(now, LinkId(link as u8), LinkConfig { name: format!("link{link}"), metered: false });
        }
        let path = |(carries, says): &(usize, bool)| Path {
            carries: *carries,
            says: *says,
            longest: 0,
            datagrams: 0,
            there: VecDeque::new(),
            back: VecDeque::new(),
        };
        Self {
            now,
            sender,
            gateway: gateway(now, Limits::default()),
            cutter: Cutter::default(),
            paths: paths.iter().map(path).collect(),
            given: Vec::new(),
            number: 0,
        }
    }

    /// Lets time pass; with `plays` a payload of seven numbered packets goes in every 4 ms.
    fn run(&mut self, millis: u64, plays: bool) {
        for n in 0..millis {
            self.now += Duration::from_millis(1);
            let now = self.now;
            for (link, path) in (0_u8..).zip(&mut self.paths) {
                while let Some((_, datagram)) = path.there.pop_front_if(|(at, _)| *at <= now) {
                    self.gateway.handle_datagram(now, from(link), &datagram);
                }
                while let Some((_, datagram)) = path.back.pop_front_if(|(at, _)| *at <= now) {
                    self.sender.handle_datagram(now, LinkId(link), &datagram);
                }
            }
            if self.gateway.next_timeout() <= now {
                self.gateway.handle_timeout(now);
            }
            if plays && n % 4 == 0 {
                let payload = (0..7).flat_map(|n| [&(self.number + n).to_be_bytes()[..], &[0x47; PACKET - 4]].concat());
                let payload: Bytes = payload.collect::<Vec<_>>().into();
                self.number += 7;
                let (limit, sender) = (self.sender.payload_limit(), &mut self.sender);
                self.cutter.take(0, payload, limit, |piece| sender.handle_ts(now, 0, piece));
            }
            if self.sender.next_timeout().is_some_and(|at| at <= now) {
                self.sender.handle_timeout(now);
            }
            let arrives = now + Duration::from_millis(20);
            while let Some(transmit) = self.sender.poll_transmit(now) {
                let path = &mut self.paths[usize::from(transmit.link.0)];
                let len = transmit.payload.len();
                if len <= path.carries {
                    path.longest = path.longest.max(len);
                    path.datagrams += 1;
                    path.there.push_back((arrives, transmit.payload));
                } else if path.says {
                    self.sender.handle_too_long(now, transmit.link, len);
                }
            }
            while let Some(transmit) = self.gateway.poll_transmit() {
                let link = (0..).zip(&mut self.paths).find(|(link, _)| from(*link) == transmit.to);
                let (_, path) = link.expect("the gateway answers where it was spoken to");
                path.back.push_back((arrives, transmit.payload));
            }
            while let Some(release) = self.gateway.poll_release() {
                self.given.push(release.laid.payload);
            }
            while self.gateway.poll_opened().is_some() {}
        }
    }

    /// The source ends, and all of it gets the time that it takes.
    fn end(&mut self) {
        let (now, sender) = (self.now, &mut self.sender);
        self.cutter.finish(|stream, piece| sender.handle_ts(now, stream, piece));
        self.run(1_000, false);
    }

    fn found(&self) -> Vec<Option<usize>> {
        self.sender.stats(self.now).links.iter().map(|link| link.datagram).collect()
    }

    /// The packets' numbers that were given out; all of them must be there, in order.
    fn gave_all(&self) {
        let all = self.given.concat();
        let number = |packet: &[u8]| u32::from_be_bytes(packet[..4].try_into().expect("a packet is longer"));
        let numbers: Vec<u32> = all.chunks_exact(PACKET).map(number).collect();
        assert_eq!(all.len() % PACKET, 0);
        let wrong: Vec<_> = numbers.iter().zip(0..).filter(|(number, wanted)| *number != wanted).take(10).collect();
        assert_eq!((wrong, numbers.len()), (vec![], self.number as usize), "each once and in order");
    }
}

#[test]
fn what_each_path_carries_is_found_whether_its_end_says_so_or_it_swallows_what_is_longer() {
    let mut ends = Ends::new(&[(1472, false), (1420, true), (1300, false)]);

    ends.run(40_000, false);

    let found = ends.found();
    assert_eq!(found[0], Some(1472));
    for (at, carries) in [(1, 1420), (2, 1300)] {
        assert!(found[at].is_some_and(|found| (carries - 8..=carries).contains(&found)), "{found:?}");
    }
}

#[test]
fn the_stream_drops_to_six_packets_while_a_path_carries_no_seven_and_returns_to_them_and_nothing_is_lost() {
    let mut ends = Ends::new(&[(1472, false), (1300, false)]);
    ends.run(20_000, false);

    ends.run(4_000, true);
    let narrow: Vec<_> = ends.given.iter().map(|payload| payload.len() / PACKET).collect();
    ends.sender.remove_link(ends.now, LinkId(1));
    ends.run(4_000, true);
    ends.end();

    assert!(narrow.len() > 900 && narrow.iter().all(|packets| *packets == 6), "{narrow:?}");
    assert_eq!(ends.given.last().map(|payload| payload.len() / PACKET), Some(7));
    ends.gave_all();
}

#[test]
fn a_payload_that_is_too_long_for_a_link_travels_as_two_halves_and_arrives_whole() {
    let mut ends = Ends::new(&[(1472, false)]);
    ends.run(20_000, false);
    let before = ends.paths[0].datagrams;
    // a new route: it swallows what was proven to pass, and half of a payload is the most that is known to
    ends.paths[0].carries = 1250;
    ends.run(3_000, true);
    let halves = ends.paths[0].datagrams - before;
    ends.end();

    let whole = ends.given.iter().filter(|payload| payload.len() == 7 * PACKET).count() as u64;
    assert!(whole > 3 && halves > 700, "{whole} of seven packets, {halves} datagrams");
    assert!(ends.paths[0].longest <= 1472);
    ends.gave_all();
}

#[test]
fn what_comes_from_strangers_and_liars_is_dropped_unread_and_counted_by_reason_in_the_boxs_figures() {
    let mut ends = Ends::new(&[(1472, false), (1472, false)]);
    ends.run(1_000, true);
    let said = |ends: &mut Ends, datagram: &[u8]| ends.sender.handle_datagram(ends.now, LinkId(0), datagram);
    let before = ends.sender.stats(ends.now).dropped_datagrams;
    let genuine = ends.paths[0].back.pop_front().expect("feedback is under way").1;
    let changed = |at: usize, byte: u8| {
        let mut datagram = genuine.to_vec();
        datagram[at] ^= byte;
        datagram
    };

    said(&mut ends, &genuine[..9]);
    said(&mut ends, &[0x33; 40]);
    said(&mut ends, &[0xd0; 100]);
    said(&mut ends, &changed(genuine.len() - 1, 1));
    said(&mut ends, &changed(3, 0x80));
    said(&mut ends, &genuine);
    said(&mut ends, &genuine);
    said(&mut ends, &genuine);
    ends.run(1_000, true);
    ends.end();

    let after = ends.sender.stats(ends.now).dropped_datagrams;
    let more = |reason: &str| after.get(reason).copied().unwrap_or(0) - before.get(reason).copied().unwrap_or(0);
    let counted = ["truncated", "unknown_type", "unknown_version", "bad_tag", "unknown_session", "replayed"].map(more);
    assert_eq!(counted, [1, 1, 1, 1, 1, 2], "{after:?}");
    ends.gave_all();
}

// what the box is told, and when

/// When a receiver told its box something in so many milliseconds, and over which links; each millisecond `comes` says
/// over which link what comes.
fn told(receiver: &mut Receiver, span: std::ops::Range<u64>, comes: impl Fn(u64) -> Vec<(u8, bool)>) -> Told {
    let (mut all, mut counters) = (Vec::new(), [span.start * 4; 16]);
    for ms in span {
        let now = Instant::from_millis(ms);
        for (link, is_data) in comes(ms) {
            let data = Data { stream: 0, seq: ms as u32, stamp: (ms * 1000) as u32, kind: DataKind::Ts, payload: &[1] };
            let (mut frame, what) = (Vec::new(), if is_data { Frame::Data(data) } else { Frame::Probe { padding: 0 } });
            what.emit(&mut frame);
            let counter = &mut counters[usize::from(link)];
            receiver.handle_frame(now, link, *counter, 100, &frame.into()).expect("it can be read");
            *counter += 1;
        }
        if receiver.next_timeout().is_some_and(|at| at <= now) {
            receiver.handle_timeout(now);
        }
        while receiver.poll_output().is_some() {}
        let links: Vec<u8> = std::iter::from_fn(|| receiver.poll_frame()).map(|(link, _)| link).collect();
        if !links.is_empty() {
            all.push((ms, links));
        }
    }
    all
}

type Told = Vec<(u64, Vec<u8>)>;

#[test]
fn while_data_flows_the_box_is_told_every_10_ms_over_the_links_heard_last_and_the_others_by_turns() {
    let config = ReceiverConfig { latency: L, streams: vec![(0, StreamKind::Ts)] };
    let mut receiver = Receiver::new(Instant::ZERO, config);
    // links 0 and 1 carry the stream, 2 and 3 are only probed
    let carried = |ms: u64| (ms / 7 % 2) as u8;
    let flows = |ms: u64| -> Vec<(u8, bool)> {
        let probed = (ms % 100 == 1).then_some([(2, false), (3, false)]);
        probed.into_iter().flatten().chain([(carried(ms), true)]).collect()
    };
    told(&mut receiver, 0..1_000, flows);

    let busy = told(&mut receiver, 1_000..3_000, flows);
    let after = told(&mut receiver, 3_000..4_500, |_| vec![]);
    let quiet = told(&mut receiver, 4_500..6_500, |ms| if ms % 100 == 7 { vec![(2, false)] } else { vec![] });

    assert_eq!(busy.len(), 200);
    assert!(busy.windows(2).all(|two| two[1].0 - two[0].0 == 10), "{busy:?}");
    for (ms, links) in &busy {
        assert_eq!(links[..2], [carried(*ms), 1 - carried(*ms)], "at {ms}: the one heard last, and then the other");
        assert!(links.len() <= 3, "at {ms}: {links:?}");
    }
    for idle in [2, 3] {
        let turns: Vec<u64> = busy.iter().filter(|(_, links)| links.contains(&idle)).map(|(ms, _)| *ms).collect();
        assert!(turns.windows(2).all(|two| two[1] - two[0] == 100) && turns.len() == 20, "{idle}: {turns:?}");
    }
    // it flows for a second more, and then what is told is told every 100 ms
    assert!(after.iter().filter(|(ms, _)| *ms < 3_990).count() > 95, "{after:?}");
    let gaps: Vec<u64> = quiet.windows(2).map(|two| two[1].0 - two[0].0).collect();
    assert!((19..=22).contains(&quiet.len()), "{quiet:?}");
    assert!(gaps.iter().all(|gap| *gap <= 100), "{gaps:?}");
}

// what a group keeps

/// Resident memory of this process, bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("pages") * 4096
}

/// A process of its own for one test, since others' memory is not of interest; true in that process.
fn alone(test: &str) -> bool {
    if std::env::var_os("LIVEBOX_ALONE").is_some() {
        return true;
    }
    let binary = std::env::current_exe().expect("a test has a binary");
    let mut again = std::process::Command::new(binary);
    let done =
        again.args(["--exact", &format!("native_ends::{test}"), "--nocapture"]).env("LIVEBOX_ALONE", "1").output();
    let done = done.expect("it ran once already");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&done.stderr));
    false
}

#[test]
#[allow(clippy::print_stdout, reason = "the figure that the handbook states")]
fn a_box_that_sends_far_too_much_makes_its_group_keep_no_more_than_is_stated() {
    if !alone("a_box_that_sends_far_too_much_makes_its_group_keep_no_more_than_is_stated") {
        return;
    }
    let before = resident();
    let short = poured(30_000, 1);
    let many = resident() - before;
    let full = poured(30_000, 1400);
    let long = resident() - before - many;

    assert_eq!((short.stats().groups, full.stats().groups), (1, 1));
    // two rows of 32 MiB and of 32 768 places, and what the allocator adds
    assert!(many < 2 * 12 * MEBI, "{many}");
    assert!(long > 2 * 30 * MEBI && long < 2 * (Receiver::MOST_BYTES + 12 * MEBI), "{long}");
}

/// A gateway whose one box has sent so many payloads of so many bytes in each of two streams, with an L so long that
/// none leaves, and as many halves without their others.
fn poured(count: u32, len: usize) -> Gateway {
    let now = Instant::from_millis(1000);
    let mut gateway = gateway(now, Limits { streams: 2, ..Limits::default() });
    let offer = Offer::ts(Duration::from_secs(30), &["main", "slides"]);
    let config = InitiatorConfig { key: key(1), peer: key(2).public(), offer };
    let mut a_box = Initiator::new(now, config, Rng::simulated(8));
    a_box.set_links(now, &[LinkId(0)]);
    let mut room = [0; 2048];
    while !a_box.is_up() {
        let (_, datagram) = a_box.poll_transmit().expect("the handshake goes on");
        gateway.handle_datagram(now, from(0), &datagram);
        let answer = gateway.poll_transmit().expect("and is answered");
        a_box.handle_datagram(now, LinkId(0), &answer.payload, &mut room);
    }
    let payload = vec![0x47; len];
    let (mut counter, mut frame, mut datagram) = (0, Vec::new(), Vec::new());
    for n in 0..count {
        for stream in [0, 1] {
            let (seq, stamp) = (n & 0xff_ffff, 1_000_000 + n);
            let data = Data { stream, seq, stamp, kind: DataKind::Ts, payload: &payload };
            let half = Fragment { id: n as u16, second: stream > 0 && n % 2 > 0, part: &payload };
            for what in [Frame::Data(data), Frame::Fragment(half)] {
                frame.clear();
                what.emit(&mut frame);
                datagram.clear();
                a_box.seal(now, LinkId(0), counter, &frame, &mut datagram).expect("a session");
                counter += 1;
                gateway.handle_datagram(now, from(0), &datagram);
            }
        }
        while gateway.poll_transmit().is_some() {}
    }
    gateway
}

const MEBI: usize = 1 << 20;
