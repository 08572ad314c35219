//! Both sides of a session against each other, with what a network does to datagrams.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::super::stats::LinkId;
use super::drops::Reason;
use super::initiator::{Heard, Initiator, InitiatorConfig, InitiatorEvent, Renewal};
use super::keys::PrivateKey;
use super::noise;
use super::offer::Offer;
use super::responder::{Closed, Group, Received, Responder, ResponderConfig, ResponderEvent};
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use crate::wire::native::{Clear, Frame, Opening, Refusal, StreamKind};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn emitted(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.emit(&mut out);
    out
}

/// A box and a gateway in one room; datagrams arrive after 20 ms, or get lost.
struct Pair {
    now: Instant,
    rng: Rng,
    boxes: Initiator,
    gateway: Responder,
    loss: f64,
    /// Links that carry nothing.
    dead: Vec<u8>,
    /// Ports that the links' addresses have.
    port: u16,
    to_gateway: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    to_box: VecDeque<(Instant, u8, Vec<u8>)>,
    counters: [u64; 16],
    box_events: Vec<InitiatorEvent>,
    gateway_events: Vec<ResponderEvent>,
    at_gateway: Vec<(Group, u8, u64, Vec<u8>)>,
    at_box: usize,
    /// Everything that ever came to the gateway.
    tape: Vec<(SocketAddr, Vec<u8>)>,
}

fn key(seed: u64) -> PrivateKey {
    PrivateKey::generate(&mut Rng::simulated(seed))
}

fn responder(now: Instant, seed: u64) -> Responder {
    let allow = BTreeMap::from([(key(1).public(), "one".to_owned()), (key(3).public(), "three".to_owned())]);
    let config = ResponderConfig { key: key(2), allow, most_groups: 1, most_streams: 3, idle: Duration::from_secs(30) };
    Responder::new(now, config, Rng::simulated(seed))
}

fn initiator(now: Instant, own: u64, peer: u64, seed: u64) -> Initiator {
    let config =
        InitiatorConfig { key: key(own), peer: key(peer).public(), offer: Offer::ts(ms(500), &["main", "slides"]) };
    Initiator::new(now, config, Rng::simulated(seed))
}

impl Pair {
    fn new(own: u64, peer: u64) -> Self {
        let now = Instant::from_millis(1000);
        Self {
            now,
            rng: Rng::simulated(9),
            boxes: initiator(now, own, peer, own * 100),
            gateway: responder(now, 77),
            loss: 0.0,
            dead: Vec::new(),
            port: 5000,
            to_gateway: VecDeque::new(),
            to_box: VecDeque::new(),
            counters: [0; 16],
            box_events: Vec::new(),
            gateway_events: Vec::new(),
            at_gateway: Vec::new(),
            at_box: 0,
            tape: Vec::new(),
        }
    }

    fn address(&self, link: u8) -> SocketAddr {
        ([192, 0, 2, link], self.port).into()
    }

    /// Plays on; while there is a session, every link carries a frame each 50 ms, both ways.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut round = 0;
        while self.now < end {
            self.now += ms(10);
            round += 1;
            if round % 5 == 0 {
                for link in 0..4 {
                    self.send(link, &emitted(&Frame::Probe { padding: 20 }));
                }
            }
            self.drain();
            let mut room = [0; 2048];
            while self.to_gateway.front().is_some_and(|(at, ..)| *at <= self.now) {
                let Some((_, from, datagram)) = self.to_gateway.pop_front() else { break };
                self.tape.push((from, datagram.clone()));
                let link = from.ip().to_string().rsplit('.').next().and_then(|n| n.parse().ok()).unwrap();
                match self.gateway.handle_datagram(self.now, from, &datagram, &mut room) {
                    Received::Nothing => {}
                    Received::Answer(answer) => self.to_box.push_back((self.now + ms(20), link, answer.to_vec())),
                    Received::Frame { group, link, counter, frame } => {
                        self.at_gateway.push((group, link, counter, frame.to_vec()));
                        let mut out = Vec::new();
                        if self.gateway.seal(group, link, &emitted(&Frame::Probe { padding: 3 }), &mut out).is_ok() {
                            self.to_box.push_back((self.now + ms(20), link, out));
                        }
                    }
                }
            }
            while self.to_box.front().is_some_and(|(at, ..)| *at <= self.now) {
                let Some((_, link, datagram)) = self.to_box.pop_front() else { break };
                if self.dead.contains(&link) || self.rng.chance(self.loss) {
                    continue;
                }
                if let Heard::Frame { .. } = self.boxes.handle_datagram(self.now, LinkId(link), &datagram, &mut room) {
                    self.at_box += 1;
                }
            }
            if self.boxes.next_timeout().is_some_and(|at| at <= self.now) {
                self.boxes.handle_timeout(self.now);
            }
            if self.gateway.next_timeout().is_some_and(|at| at <= self.now) {
                self.gateway.handle_timeout(self.now);
            }
            self.drain();
        }
    }

    fn send(&mut self, link: u8, frame: &[u8]) {
        let mut out = Vec::new();
        let counter = self.counters[usize::from(link)];
        if self.boxes.seal(self.now, LinkId(link), counter, frame, &mut out).is_ok() {
            self.counters[usize::from(link)] += 1;
            self.uplink(link, out);
        }
    }

    fn uplink(&mut self, link: u8, datagram: Vec<u8>) {
        if !self.dead.contains(&link) && !self.rng.chance(self.loss) {
            self.to_gateway.push_back((self.now + ms(20), self.address(link), datagram));
        }
    }

    fn drain(&mut self) {
        while let Some((link, datagram)) = self.boxes.poll_transmit() {
            self.uplink(link.0, datagram);
        }
        while let Some(event) = self.boxes.poll_event() {
            self.box_events.push(event);
        }
        while let Some(event) = self.gateway.poll_event() {
            self.gateway_events.push(event);
        }
        while let Some((to, datagram)) = self.gateway.poll_transmit() {
            if let SocketAddr::V4(to) = to {
                self.to_box.push_back((self.now + ms(20), to.ip().octets()[3], datagram));
            }
        }
    }

    fn links(&mut self) {
        self.boxes.set_links(self.now, &[LinkId(0), LinkId(1), LinkId(2), LinkId(3)]);
    }

    fn ups(&self) -> Vec<bool> {
        let up = |event: &InitiatorEvent| match event {
            InitiatorEvent::Up { continued, .. } => Some(*continued),
            _ => None,
        };
        self.box_events.iter().filter_map(up).collect()
    }

    fn closed(&self) -> Vec<Closed> {
        let why = |event: &ResponderEvent| match event {
            ResponderEvent::Closed { why, .. } => Some(*why),
            _ => None,
        };
        self.gateway_events.iter().filter_map(why).collect()
    }
}

#[test]
fn a_session_stands_after_two_round_trips_and_every_link_joins_it() {
    let mut pair = Pair::new(1, 2);
    pair.links();

    pair.run(ms(90));
    assert!(pair.boxes.is_up());
    pair.run(ms(500));

    let ResponderEvent::Opened { group, name, offer, peer } = &pair.gateway_events[0] else { panic!("a group") };
    assert_eq!((name.as_str(), *peer), ("one", key(1).public()));
    assert_eq!(offer.latency, ms(500));
    let streams: Vec<_> = offer.streams.iter().map(|s| (s.number, s.kind, s.name.as_str())).collect();
    assert_eq!(streams, [(0, StreamKind::Ts, "main"), (1, StreamKind::Ts, "slides")]);
    assert_eq!(pair.gateway.links(*group).count(), 4);
    assert!(pair.at_box > 20, "{}", pair.at_box);
    assert_eq!(pair.gateway.drops().iter().map(|(_, n)| n).sum::<u64>(), 0);
    assert_eq!(pair.boxes.drops().of(Reason::Unasked), 3, "the cookies of the slower links");
}

#[test]
fn a_handshake_comes_through_heavy_loss_and_over_the_only_link_that_lives() {
    for seed in 0..20 {
        let mut pair = Pair::new(1, 2);
        pair.rng = Rng::simulated(seed);
        pair.loss = 0.4;
        pair.dead = vec![0, 1, 3];
        pair.links();

        pair.run(Duration::from_secs(30));

        assert!(pair.boxes.is_up(), "seed {seed}");
        assert!(!pair.at_gateway.is_empty(), "seed {seed}");
    }
}

#[test]
fn before_the_cookie_nothing_is_kept_and_no_answer_is_longer_than_its_question() {
    let now = Instant::from_millis(50_000);
    let (mut gateway, mut rng, mut room) = (responder(now, 1), Rng::simulated(4), [0; 2048]);
    let before = format!("{:?} {:?} {:?}", gateway, gateway.next_timeout(), gateway.groups());
    for n in 0..50_000_u64 {
        let mut datagram = vec![0; 1 + rng.next_u64() as usize % 300];
        rng.fill(&mut datagram);
        if rng.chance(0.8) {
            datagram[0] = 0xa0 + datagram[0] % 0x20;
            datagram.get_mut(1).into_iter().for_each(|version| *version %= 3);
        }
        let from = ([10, 0, (n >> 8) as u8, n as u8], 4000).into();
        if let Received::Answer(answer) = gateway.handle_datagram(now, from, &datagram, &mut room) {
            assert!(answer.len() <= datagram.len(), "{} bytes for {}", answer.len(), datagram.len());
        }
    }
    assert_eq!(format!("{:?} {:?} {:?}", gateway, gateway.next_timeout(), gateway.groups()), before);
    for reason in
        [Reason::Truncated, Reason::UnknownType, Reason::UnknownVersion, Reason::UnknownSession, Reason::BadCookie]
    {
        assert!(gateway.drops().of(reason) > 0, "{reason:?}");
    }
}

#[test]
fn wrong_keys_are_refused_shortly_and_counted() {
    let mut stranger = Pair::new(5, 2);
    stranger.links();
    stranger.run(Duration::from_secs(5));
    assert!(!stranger.boxes.is_up());
    assert!(stranger.box_events.iter().all(|event| *event == InitiatorEvent::Refused(Refusal::WrongKey)));
    assert!(stranger.gateway.drops().of(Reason::NotAllowed) >= 2, "it is tried again");

    let mut misled = Pair::new(1, 4);
    misled.links();
    misled.run(Duration::from_secs(5));
    assert_eq!(misled.box_events[0], InitiatorEvent::Refused(Refusal::WrongKey));
    assert!(misled.gateway.drops().of(Reason::WrongKey) >= 2);
    assert!(misled.box_events.len() < 12, "with growing pauses");
}

#[test]
fn a_full_gateway_says_so_and_a_later_version_is_told_ours() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(1));
    let mut third = Pair::new(3, 2);
    std::mem::swap(&mut third.gateway, &mut pair.gateway);
    third.now = pair.now;
    third.links();
    third.run(ms(300));
    assert_eq!(third.box_events, [InitiatorEvent::Refused(Refusal::Full)]);

    let mut ask = Vec::new();
    Opening::Ask.emit([1; 8], &mut ask);
    ask[1] = 9;
    let mut room = [0; 2048];
    let Received::Answer(answer) = third.gateway.handle_datagram(third.now, third.address(0), &ask, &mut room) else {
        panic!("an answer")
    };
    let step = Opening::Refusal(Refusal::UnknownVersion(1));
    assert_eq!(Clear::parse(answer), Ok(Clear::Opening { token: [1; 8], step }));
}

/// What the gateway answers to a hello with this inside, after its cookie.
fn greeted(gateway: &mut Responder, now: Instant, payload: &[u8]) -> Option<Refusal> {
    let (token, mut room, mut ask) = ([7; 8], [0; 2048], Vec::new());
    let from = ([192, 0, 2, 1], 5000).into();
    Opening::Ask.emit(token, &mut ask);
    let Received::Answer(cookie) = gateway.handle_datagram(now, from, &ask, &mut room) else { panic!("a cookie") };
    let Ok(Clear::Opening { step: Opening::Cookie(cookie), .. }) = Clear::parse(cookie) else { panic!("a cookie") };
    let bound = [&token[..], &cookie[..]].concat();
    let mut noise = noise::initiator(&key(1), key(2).public(), &bound, &mut Rng::simulated(8)).unwrap();
    let (mut message, mut hello) = ([0; 1100], Vec::new());
    let len = noise.write_message(payload, &mut message).unwrap();
    Opening::Hello { cookie, noise: &message[..len] }.emit(token, &mut hello);
    let Received::Answer(answer) = gateway.handle_datagram(now, from, &hello, &mut room) else { panic!("an answer") };
    match Clear::parse(answer) {
        Ok(Clear::Opening { step: Opening::Refusal(refusal), .. }) => Some(refusal),
        Ok(Clear::Opening { step: Opening::Welcome { .. }, .. }) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hello_that_asks_for_what_this_version_does_not_know_is_refused_and_nothing_is_kept_of_it() {
    let now = Instant::from_millis(50_000);
    let good = Offer::ts(ms(500), &["main", "slides"]).payload(None, [0; 16]);
    // latency 2, session 4, count 1, then number, kind, length, name
    let with = |at: usize, byte: u8| {
        let mut hello = good.clone();
        hello[at] = byte;
        hello
    };
    assert_eq!((good[6], good[7], good[8], good[14], good[15]), (2, 0, 1, 1, 1));
    let cases = [
        ("a kind of stream of a later version", with(8, 2)),
        ("an srt stream beside another", with(8, 0)),
        ("no stream", with(6, 0)),
        ("a number that no datagram can name", with(7, 16)),
        ("one number twice", with(14, 0)),
        ("a name that is no text", with(10, 0xff)),
        ("a name longer than the hello", with(9, 200)),
        ("more streams than it says", with(6, 3)),
        ("nothing", Vec::new()),
        ("more streams than a box may have", Offer::ts(ms(500), &["a", "b", "c", "d"]).payload(None, [0; 16])),
    ];
    for (what, hello) in cases {
        let mut gateway = responder(now, 1);
        assert_eq!(greeted(&mut gateway, now, &hello), Some(Refusal::Unfit), "{what}");
        assert_eq!(gateway.drops().of(Reason::Unfit), 1, "{what}");
        assert_eq!((gateway.groups(), gateway.sessions_known()), (0, 0), "{what}");
    }
    // what a later version appends is passed over, and every latency that fits is kept
    for hello in [[&good[..], b"later"].concat(), with(0, 0xff), good.clone()] {
        let mut gateway = responder(now, 1);
        assert_eq!(greeted(&mut gateway, now, &hello), None);
        assert_eq!(gateway.sessions_known(), 1);
    }
}

#[test]
fn what_the_hello_says_of_latency_and_streams_is_what_the_gateway_keeps_and_answers() {
    for offer in [Offer::srt(ms(1750), "srt"), Offer::ts(ms(60_000), &["main", "slides", "日本"])] {
        let mut pair = Pair::new(1, 2);
        let config = InitiatorConfig { key: key(1), peer: key(2).public(), offer: offer.clone() };
        pair.boxes = Initiator::new(pair.now, config, Rng::simulated(5));

        pair.links();
        pair.run(Duration::from_secs(1));

        let opened = pair.gateway_events.iter().find_map(|event| match event {
            ResponderEvent::Opened { offer, .. } => Some(offer),
            _ => None,
        });
        assert_eq!(opened, Some(&offer));
        let Some(InitiatorEvent::Up { welcome, continued: false }) = pair.box_events.first() else {
            panic!("{:?}", pair.box_events)
        };
        assert_eq!((u128::from(welcome.latency_ms), welcome.links), (offer.latency.as_millis(), 16));
    }
}

#[test]
fn a_gateway_of_a_later_version_is_understood_when_it_refuses_and_in_nothing_else() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    let mut room = [0; 2048];
    let (link, ask) = pair.boxes.poll_transmit().unwrap();
    let Ok(Clear::Opening { token, step: Opening::Ask }) = Clear::parse(&ask) else { panic!("an ask") };
    let later = |step: Opening<'_>| {
        let mut datagram = Vec::new();
        step.emit(token, &mut datagram);
        datagram[1] = 2;
        datagram
    };

    // its cookie may be of another kind, and a sealed datagram of another shape
    pair.boxes.handle_datagram(pair.now, link, &later(Opening::Cookie([3; 16])), &mut room);
    pair.boxes.handle_datagram(pair.now, link, &[0xd0; 100], &mut room);
    assert_eq!(pair.boxes.drops().of(Reason::UnknownVersion), 2);
    assert_eq!(pair.boxes.poll_event(), None);
    let refusal = Opening::Refusal(Refusal::UnknownVersion(2));
    pair.boxes.handle_datagram(pair.now, link, &later(refusal), &mut room);

    assert_eq!(pair.boxes.poll_event(), Some(InitiatorEvent::Refused(Refusal::UnknownVersion(2))));
    assert!(pair.boxes.next_timeout().is_some(), "it asks again, later: a gateway can be renewed");
}

#[test]
fn what_is_played_again_opens_nothing() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(2));
    let (heard, events) = (pair.at_gateway.len(), pair.gateway_events.len());
    let tape = std::mem::take(&mut pair.tape);
    let mut room = [0; 2048];

    for (_, datagram) in &tape {
        let elsewhere = ([203, 0, 113, 9], 9).into();
        let received = pair.gateway.handle_datagram(pair.now, elsewhere, datagram, &mut room);
        assert!(!matches!(received, Received::Frame { .. }));
    }

    let sealed = tape.iter().filter(|(_, d)| matches!(Clear::parse(d), Ok(Clear::Sealed(_)))).count();
    assert_eq!(pair.gateway.drops().of(Reason::Replayed), sealed as u64);
    assert_eq!(pair.gateway.drops().of(Reason::BadCookie), 1, "a hello from another address");
    pair.drain();
    assert_eq!((pair.at_gateway.len(), pair.gateway_events.len()), (heard, events));
}

#[test]
fn a_changed_or_cut_datagram_opens_nothing_and_every_counter_arrives_once() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(1));
    let mut room = [0; 2048];
    let mut sealed = Vec::new();
    let frame = emitted(&Frame::Probe { padding: 40 });
    pair.boxes.seal(pair.now, LinkId(1), 5000, &frame, &mut sealed).unwrap();
    assert!(pair.boxes.seal(pair.now, LinkId(1), 5000, &frame, &mut Vec::new()).is_err(), "no counter twice");

    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            let received = pair.gateway.handle_datagram(pair.now, pair.address(1), &changed, &mut room);
            assert!(!matches!(received, Received::Frame { .. }), "byte {at} bit {bit}");
        }
        let received = pair.gateway.handle_datagram(pair.now, pair.address(1), &sealed[..at], &mut room);
        assert!(!matches!(received, Received::Frame { .. }), "cut at {at}");
    }
    let received = pair.gateway.handle_datagram(pair.now, pair.address(1), &sealed, &mut room);
    assert!(matches!(received, Received::Frame { counter: 5000, link: 1, .. }));
    assert!(pair.gateway.drops().of(Reason::BadTag) > 0 && pair.gateway.drops().of(Reason::Truncated) > 0);
}

#[test]
fn a_link_with_a_new_address_stays_in_its_group_and_a_replay_does_not_move_it() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(1));
    pair.port = 6000;
    pair.run(Duration::from_secs(1));

    let moves = pair.gateway_events.iter().filter(|e| matches!(e, ResponderEvent::Moved { from: Some(_), .. })).count();
    assert_eq!(moves, 4);
    assert_eq!(pair.ups(), [false], "no new session");
    let (_, group) = (0, pair.at_gateway[0].0);
    assert!(pair.gateway.links(group).all(|(_, address, _)| address.port() == 6000));

    let tape = std::mem::take(&mut pair.tape);
    let mut room = [0; 2048];
    for (_, datagram) in &tape {
        pair.gateway.handle_datagram(pair.now, ([203, 0, 113, 9], 9).into(), datagram, &mut room);
    }
    assert!(pair.gateway.links(group).all(|(_, address, _)| address.port() == 6000));
}

#[test]
fn a_gateway_that_began_anew_is_noticed_and_the_counters_run_on() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(2));
    let heard = pair.at_gateway.len();
    let restarted = pair.now;
    pair.gateway = responder(pair.now, 78);

    pair.run(ms(800));

    assert_eq!(pair.ups(), [false, false]);
    assert!(pair.at_gateway.len() > heard, "{:?} after {:?}", pair.box_events, pair.now.since(restarted));
    let counters = pair.at_gateway.iter().filter(|heard| heard.1 == 2).map(|heard| heard.2);
    assert!(counters.is_sorted_by(|a, b| a < b));
}

#[test]
fn a_box_that_began_anew_takes_the_place_of_its_old_self() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(2));
    pair.boxes = initiator(pair.now, 1, 2, 101);
    pair.counters = [0; 16];
    pair.links();

    pair.run(Duration::from_secs(2));

    assert_eq!(pair.closed(), [Closed::Replaced]);
    assert_eq!(pair.gateway.groups(), 1);
    assert_eq!(pair.at_gateway.last().map(|heard| heard.0), Some(Group(1)));
}

#[test]
fn keys_are_renewed_and_no_datagram_is_lost_by_it() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(1500));

    assert_eq!(pair.ups(), [false, true, true]);
    assert_eq!(pair.gateway.groups(), 1);
    assert_eq!(pair.closed(), []);
    for link in 0..4 {
        let counters: Vec<u64> = pair.at_gateway.iter().filter(|heard| heard.1 == link).map(|heard| heard.2).collect();
        let first = counters[0];
        assert!(counters.iter().zip(first..).all(|(counter, wanted)| *counter == wanted), "link {link} lost something");
        assert!(counters.len() > 29_000);
    }
    assert!(pair.gateway.sessions_known() <= 2);
}

#[test]
fn keys_that_have_sealed_so_many_datagrams_are_renewed_and_no_datagram_is_lost_by_it() {
    let mut pair = Pair::new(1, 2);
    pair.boxes = initiator(pair.now, 1, 2, 100).renewing(Renewal { count: 1000, ..Renewal::default() });
    pair.links();
    // eighty datagrams a second
    pair.run(Duration::from_secs(40));

    assert_eq!(pair.ups(), [false, true, true, true]);
    assert_eq!((pair.gateway.groups(), pair.closed()), (1, vec![]));
    for link in 0..4 {
        let counters: Vec<u64> = pair.at_gateway.iter().filter(|heard| heard.1 == link).map(|heard| heard.2).collect();
        assert_eq!(counters, (counters[0]..counters[0] + counters.len() as u64).collect::<Vec<_>>(), "link {link}");
        assert!(counters.len() > 750);
    }
}

#[test]
fn groups_end_by_bye_by_silence_and_by_a_key_taken_away() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(1));
    pair.send(0, &emitted(&Frame::Bye));
    pair.run(ms(40));
    assert_eq!(pair.closed(), [Closed::Bye]);

    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(1));
    pair.dead = vec![0, 1, 2, 3];
    pair.run(Duration::from_secs(32));
    assert_eq!(pair.closed(), [Closed::Idle]);
    pair.dead.clear();
    pair.run(Duration::from_secs(10));
    assert_eq!(pair.gateway.groups(), 1, "and it comes back");

    pair.gateway.set_allowed(BTreeMap::new());
    pair.run(ms(100));
    assert_eq!(pair.closed(), [Closed::Idle, Closed::Revoked]);
    assert_eq!(pair.gateway.groups(), 0);
}

#[test]
fn nobody_but_the_gateway_can_end_a_session_or_begin_another() {
    let mut pair = Pair::new(1, 2);
    pair.links();
    pair.run(Duration::from_secs(1));
    let Some(InitiatorEvent::Up { welcome, .. }) = pair.box_events.first().copied() else { panic!("a session") };
    let mut lie = Vec::new();
    Opening::emit_unknown_session(welcome.session, &mut lie);
    let mut room = [0; 2048];

    for _ in 0..30 {
        pair.run(ms(100));
        pair.boxes.handle_datagram(pair.now, LinkId(0), &lie, &mut room);
    }

    assert_eq!(pair.ups(), [false]);
    assert_eq!(pair.gateway.drops().iter().map(|(_, n)| n).sum::<u64>(), 0);
}
