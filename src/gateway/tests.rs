//! Stories of the cloud side: who gets in, what goes where, what is dropped.

use proptest::prelude::*;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::bond::LinkId;
use crate::bond::native::{Heard, Initiator, InitiatorConfig, Offer};
use crate::gateway::{DestinationEcho, Echo, Gateway, GroupKey, Limits, PrivateKey, Registry, Transmit};
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::echo::Sense;
use crate::wire::native::{Data, DataKind, Frame};
use crate::wire::srt;
use crate::wire::srtla::{self, GroupId, PADDED_LEN, Repr};

struct Story {
    now: Instant,
    gateway: Gateway,
}

fn link(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 4000))
}

fn data(seq: u32) -> Bytes {
    let data = srt::Data {
        seq: Seq::new(seq),
        message: 1,
        retransmitted: false,
        timestamp: 0,
        socket: 7,
        payload: &[0x47; 188],
    };
    srt::emit_data(&data).into()
}

impl Story {
    fn new(limits: Limits) -> Self {
        let now = Instant::ZERO;
        Self { now, gateway: Gateway::new(now, limits, None, Rng::simulated(1)) }
    }

    fn says(&mut self, from: SocketAddr, datagram: impl Into<Bytes>) -> Vec<Transmit> {
        self.gateway.handle_datagram(self.now, from, &datagram.into());
        self.sent()
    }

    fn sent(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.gateway.poll_transmit()).collect()
    }

    fn local(&mut self) -> Vec<(GroupKey, Bytes)> {
        std::iter::from_fn(|| self.gateway.poll_local()).collect()
    }

    fn waits(&mut self, span: Duration) -> Vec<Transmit> {
        let end = self.now + span;
        while self.gateway.next_timeout() <= end {
            self.now = self.gateway.next_timeout();
            self.gateway.handle_timeout(self.now);
        }
        self.now = end;
        self.sent()
    }

    fn registers(&mut self, from: SocketAddr, half: u8) -> GroupId {
        let answers = self.says(from, Repr::Reg1(GroupId([half; 256])).to_vec());
        match srtla::parse(&answers[0].payload) {
            Ok(Repr::Reg2(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    fn joins(&mut self, from: SocketAddr, id: GroupId) {
        let answers = self.says(from, Repr::Reg2(id).to_vec());
        assert_eq!(srtla::parse(&answers[0].payload), Ok(Repr::Reg3));
        assert_eq!(answers[0].payload.len(), PADDED_LEN);
    }

    fn group_of(&mut self, links: u8) -> GroupId {
        let id = self.registers(link(1), 1);
        for n in 1..=links {
            self.joins(link(n), id);
        }
        id
    }
}

#[test]
fn a_box_registers_its_group_once_and_every_link_joins_it() {
    let mut story = Story::new(Limits::default());

    let id = story.registers(link(1), 5);
    let again = story.registers(link(1), 5);
    let elsewhere = story.registers(link(2), 5);
    for n in 1..=7 {
        story.joins(link(n), id);
    }

    assert_eq!(id, again, "a lost answer is given again");
    assert_eq!(id, elsewhere, "also on another link, whose box cannot know which answer is late");
    assert!(id.same_sender(&GroupId([5; 256])));
    assert_ne!(id, GroupId([5; 256]), "half of the name is the gateway's own");
    assert_eq!((story.gateway.stats().groups, story.gateway.stats().links), (1, 7));
}

#[test]
fn who_does_not_know_the_whole_name_does_not_get_in() {
    let mut story = Story::new(Limits::default());
    let mut guess = story.group_of(1);
    guess.0[255] ^= 1;

    let answers = story.says(link(9), Repr::Reg2(guess).to_vec());

    assert_eq!(srtla::parse(&answers[0].payload), Ok(Repr::RegNgp));
    assert_eq!(story.gateway.stats().links, 1);
}

#[test]
fn packets_reach_the_listener_as_they_came_and_are_acknowledged_by_tens_on_their_link() {
    let mut story = Story::new(Limits::default());
    story.group_of(2);

    let answers: Vec<_> = (0..10).flat_map(|n| story.says(link(2), data(n))).collect();

    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].to, answers[0].payload.len()), (link(2), 44));
    let Ok(Repr::Ack(list)) = srtla::parse(&answers[0].payload) else { panic!("no ack") };
    assert_eq!(list.map(Seq::value).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert_eq!(story.local().into_iter().map(|(_, d)| d).collect::<Vec<_>>(), (0..10).map(data).collect::<Vec<_>>());
}

#[test]
fn a_thin_link_is_acknowledged_too_and_soon() {
    let mut story = Story::new(Limits::default());
    story.group_of(1);
    story.says(link(1), data(41));

    assert_eq!(story.waits(Duration::from_millis(14)), []);
    let answers = story.waits(Duration::from_millis(1));

    let Ok(Repr::Ack(mut list)) = srtla::parse(&answers[0].payload) else { panic!("no ack") };
    assert!(list.all(|seq| seq.value() == 41));
    assert_eq!(answers[0].payload.len(), PADDED_LEN);
    assert_eq!(story.waits(Duration::from_millis(500)), [], "once");
}

#[test]
fn acknowledgements_and_losses_go_to_all_links_and_the_rest_to_the_latest() {
    let mut story = Story::new(Limits::default());
    story.group_of(3);
    story.says(link(2), data(1));
    let (key, _) = story.local()[0];

    let ack = srt::emit_ack(srt::Ack { seq: Seq::new(2), number: Some(1) }, 0, 7);
    story.gateway.handle_local(story.now, key, &ack.into());
    let acks = story.sent();
    story.gateway.handle_local(story.now, key, &srt::emit_nak(&[(Seq::new(3), Seq::new(5))], 0, 7).into());
    let naks = story.sent();
    story.gateway.handle_local(story.now, key, &srt::emit_keepalive(0, 7).into());
    let rest = story.sent();

    let all = [link(1), link(2), link(3)];
    assert_eq!(acks.iter().map(|t| t.to).collect::<Vec<_>>(), all);
    assert_eq!(naks.iter().map(|t| t.to).collect::<Vec<_>>(), all);
    assert_eq!(rest.iter().map(|t| t.to).collect::<Vec<_>>(), [link(2)]);
}

#[test]
fn a_sign_of_life_is_echoed_to_members_alone() {
    let mut story = Story::new(Limits::default());
    story.group_of(1);
    let long = Repr::Keepalive(srtla::Keepalive { stamp_ms: Some(77), report: None }).to_vec();

    let echo = story.says(link(1), long.clone());
    let stranger = story.says(link(9), long.clone());

    assert!(echo[0].payload.starts_with(&long));
    assert_eq!(echo[0].payload.len(), PADDED_LEN);
    assert_eq!(stranger, []);
    assert_eq!(story.gateway.stats().strangers, 1);
}

#[test]
fn a_silent_link_is_forgotten_and_then_the_group_and_its_socket() {
    let mut story = Story::new(Limits::default());
    let id = story.group_of(1);

    story.waits(Duration::from_secs(11));
    assert_eq!((story.gateway.stats().groups, story.gateway.stats().links), (1, 0));
    story.waits(Duration::from_secs(11));

    assert_eq!(story.gateway.stats().groups, 0);
    assert!(story.gateway.poll_closed().is_some());
    let answers = story.says(link(1), Repr::Reg2(id).to_vec());
    assert_eq!(srtla::parse(&answers[0].payload), Ok(Repr::RegNgp), "the box is told to register again");
}

#[test]
fn a_flood_of_registrations_throws_no_group_off_the_air() {
    let mut story = Story::new(Limits { groups: 3, ..Limits::default() });
    story.group_of(1);
    story.says(link(1), data(1));

    for n in 10..250 {
        story.says(link(n), Repr::Reg1(GroupId([n; 256])).to_vec());
    }
    for n in 0..=255 {
        story.says(link(250), Repr::Reg1(GroupId([n; 256])).to_vec());
    }

    assert_eq!(story.gateway.stats().groups, 3);
    assert!(story.gateway.stats().over_quota > 200, "one address asks no more than it needs");
    story.says(link(1), data(2));
    assert_eq!(story.local().len(), 2, "still on air");
}

#[test]
fn when_every_group_is_on_air_a_new_one_is_refused() {
    let mut story = Story::new(Limits { groups: 1, ..Limits::default() });
    story.group_of(1);
    story.says(link(1), data(1));

    let answers = story.says(link(9), Repr::Reg1(GroupId([9; 256])).to_vec());

    assert_eq!(srtla::parse(&answers[0].payload), Ok(Repr::RegErr));
    assert_eq!(story.gateway.stats().refused, 1);
}

#[test]
fn a_group_that_has_all_its_links_takes_no_other_and_keeps_those_it_has() {
    let mut story = Story::new(Limits { links: 3, ..Limits::default() });
    let id = story.group_of(3);

    let answers = story.says(link(4), Repr::Reg2(id).to_vec());

    assert_eq!(srtla::parse(&answers[0].payload), Ok(Repr::RegErr));
    assert_eq!((story.gateway.stats().links, story.gateway.stats().refused), (3, 1));
    // one that is a link already may ask again: its answer was lost
    story.joins(link(2), id);
}

#[test]
fn strangers_and_nonsense_are_counted_and_dropped() {
    let mut story = Story::new(Limits::default());
    story.group_of(1);

    for nonsense in [&[][..], &[0x90], &[0; 15], &[0x92, 0x00, 1, 2], &[0x91, 0x00], &[0x92, 0x02], &[0x80, 2, 0, 0]] {
        assert_eq!(story.says(link(1), nonsense.to_vec()), []);
    }
    assert_eq!(story.says(link(9), data(1)), []);
    assert_eq!(story.says(link(9), vec![0x47; 1400]), []);

    assert_eq!(story.local(), []);
    assert_eq!(story.gateway.stats().unreadable, 7);
    assert_eq!(story.gateway.stats().strangers, 2);
}

#[test]
fn copies_on_other_links_go_no_further_unless_the_listener_asked_or_the_caller_says_again() {
    let mut story = Story::new(Limits::default());
    story.group_of(3);
    let again = |seq| {
        let data = srt::Data {
            seq: Seq::new(seq),
            message: 1,
            retransmitted: true,
            timestamp: 0,
            socket: 7,
            payload: &[0x47; 188],
        };
        Bytes::from(srt::emit_data(&data))
    };

    for n in [1, 2, 3] {
        (0..20).for_each(|seq| drop(story.says(link(n), data(seq))));
    }
    let first = story.local();
    let key = first[0].0;
    story.gateway.handle_local(story.now, key, &srt::emit_nak(&[(Seq::new(5), Seq::new(6))], 0, 7).into());
    for n in [1, 2] {
        (0..20).for_each(|seq| drop(story.says(link(n), data(seq))));
    }
    let asked: Vec<_> = story.local().into_iter().map(|(_, d)| d).collect();
    story.says(link(1), again(9));

    assert_eq!(first.into_iter().map(|(_, d)| d).collect::<Vec<_>>(), (0..20).map(data).collect::<Vec<_>>());
    assert_eq!(asked, [data(5), data(6)]);
    assert_eq!(story.local(), [(key, again(9))]);
    assert_eq!((story.gateway.stats().copies, story.gateway.stats().packets), (40 + 38, 20 + 2 + 1));
    let figures = story.gateway.figures().next().unwrap();
    assert_eq!(figures.links.iter().map(|l| l.packets).collect::<Vec<_>>(), [41, 40, 20]);
}

#[test]
fn a_copy_of_a_handshake_that_was_under_way_for_250_ms_longer_goes_no_further() {
    let mut story = Story::new(Limits::default());
    story.group_of(2);
    let shake = |socket: u32, sent: Duration| {
        let (step, initial_seq) = (srt::Step::Conclusion, Seq::new(0));
        let handshake = srt::Handshake { step, version: 5, initial_seq, socket, cookie: 1, settings: None };
        srt::emit_handshake(&handshake, sent.as_micros() as u32 + 77, 0)
    };
    let ms = Duration::from_millis;

    story.waits(ms(20));
    story.says(link(1), shake(5, ms(0)));
    story.waits(ms(200));
    story.says(link(2), shake(5, ms(0)));
    let soon = story.local().len();
    story.waits(ms(100));
    story.says(link(2), shake(5, ms(0)));
    let late = story.local().len();
    story.says(link(2), shake(5, ms(250)));
    story.says(link(2), shake(6, ms(9000)));
    let others = story.local().len();

    assert_eq!((soon, late, others), (2, 0, 2));
    let dropped = story.gateway.stats().dropped();
    assert!(dropped.contains(&("late_handshake".to_owned(), 1)), "{dropped:?}");
}

#[test]
fn of_an_opaque_group_the_gateway_knows_whether_the_listener_answers() {
    let mut story = Story::new(Limits::default());
    story.group_of(1);
    (0..20).for_each(|seq| drop(story.says(link(1), data(seq))));
    let (key, _) = story.local()[0];
    let ack = srt::emit_ack(srt::Ack { seq: Seq::new(20), number: Some(1) }, 0, 7);
    story.gateway.handle_local(story.now, key, &ack.into());

    story.waits(Duration::from_secs(1));
    let heard = story.gateway.figures().next().unwrap().echoes.remove(0);
    story.waits(Duration::from_secs(1));
    let silent = story.gateway.figures().next().unwrap().echoes.remove(0);

    assert_eq!((heard.flow, heard.destinations[0].answered), (Sense::Ok, Sense::Ok));
    assert_eq!((heard.picture, heard.sound, heard.bytes), (Sense::Unknown, Sense::Unknown, 20 * 188));
    assert_eq!((silent.flow, silent.destinations[0].answered), (Sense::Absent, Sense::Absent));
}

proptest! {
    #[test]
    fn no_bytes_from_anywhere_break_it_or_make_it_grow(
        datagrams in prop::collection::vec((0_u8..4, 0_u16..4, prop::collection::vec(any::<u8>(), 0..300)), 0..60)
    ) {
        let mut story = Story::new(Limits { groups: 4, links: 2, ..Limits::default() });
        let id = story.group_of(2);

        for (from, kind, mut bytes) in datagrams {
            match kind {
                0 => bytes.splice(0..0, [0x92, 0x01].into_iter().chain(id.0)).for_each(drop),
                1 => bytes.splice(0..0, [0x92, 0x00]).for_each(drop),
                _ => {}
            }
            story.says(link(from), bytes);
            story.waits(Duration::from_millis(100));
        }

        let stats = story.gateway.stats();
        prop_assert!(stats.groups <= 4 && stats.links <= 8);
        prop_assert!(story.gateway.field.flushes() <= 1);
    }
}

/// A native box that speaks with a gateway in virtual time, over one link.
struct Native {
    now: Instant,
    gateway: Gateway,
    initiator: Initiator,
    counter: u64,
}

impl Native {
    fn new(limits: Limits, offer: Offer) -> Self {
        let now = Instant::from_millis(10);
        let (gateway, own) = (PrivateKey::from_bytes([1; 32]), PrivateKey::from_bytes([2; 32]));
        let allow = [(own.public(), "hall-1".to_owned())].into();
        let config = InitiatorConfig { key: own, peer: gateway.public(), offer };
        let mut initiator = Initiator::new(now, config, Rng::simulated(5));
        initiator.set_links(now, &[LinkId(0)]);
        let registry = Some(Registry { key: gateway, allow });
        let mut native =
            Self { now, gateway: Gateway::new(now, limits, registry, Rng::simulated(1)), initiator, counter: 1 };
        native.turn();
        native
    }

    /// Whatever is on its way both ways; the frames that the box hears.
    fn turn(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        loop {
            let mut quiet = true;
            while let Some((_, datagram)) = self.initiator.poll_transmit() {
                self.gateway.handle_datagram(self.now, link(1), &datagram);
                quiet = false;
            }
            while let Some(transmit) = self.gateway.poll_transmit() {
                let mut room = [0; 2048];
                let heard = self.initiator.handle_datagram(self.now, LinkId(0), &transmit.payload, &mut room);
                if let Heard::Frame { frame, .. } = heard {
                    frames.push(frame.to_vec());
                }
                quiet = false;
            }
            if quiet {
                return frames;
            }
        }
    }

    fn seals(&mut self, frame: &Frame<'_>) -> Vec<u8> {
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        frame.emit(&mut bytes);
        self.counter += 1;
        self.initiator.seal(self.now, LinkId(0), self.counter, &bytes, &mut out).unwrap();
        out
    }

    fn sends(&mut self, seq: u32) {
        let stamp = self.now.as_micros() as u32;
        let data = Data { stream: 0, seq, stamp, kind: DataKind::Ts, payload: &[0x47; 1316] };
        let datagram = self.seals(&Frame::Data(data));
        self.gateway.handle_datagram(self.now, link(1), &datagram);
        // a replayed datagram is nobody's
        self.gateway.handle_datagram(self.now, link(9), &datagram);
    }

    fn waits(&mut self, span: Duration) {
        let end = self.now + span;
        while self.gateway.next_timeout() <= end {
            self.now = self.gateway.next_timeout().max(self.now);
            self.gateway.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn released(&mut self) -> usize {
        std::iter::from_fn(|| self.gateway.poll_release()).count()
    }
}

#[test]
fn a_ts_stream_is_opened_by_name_released_at_l_and_echoed() {
    let mut native = Native::new(Limits::default(), Offer::ts(Duration::from_millis(300), &["main"]));

    for seq in 0..10 {
        native.sends(seq);
    }
    let opened = native.gateway.poll_opened().unwrap();
    native.waits(Duration::from_millis(290));
    let early = native.released();
    native.waits(Duration::from_millis(20));
    let due = native.released();
    let studio = DestinationEcho { name: "studio".to_owned(), ..DestinationEcho::default() };
    native.turn();
    native.gateway.handle_second(native.now, &|_, _| vec![studio.clone()]);
    let echoes: Vec<_> = native.turn().iter().flat_map(|frame| Echo::read(frame)).collect();

    assert_eq!((opened.name.as_str(), opened.streams), ("hall-1", vec![(0, "main".to_owned())]));
    assert_eq!((early, due), (0, 10));
    assert_eq!(echoes.len(), 1);
    assert_eq!((echoes[0].flow, echoes[0].bytes, echoes[0].missing), (Sense::Ok, 13_160, 0));
    assert_eq!(echoes[0].destinations, [studio]);
    let figures = native.gateway.figures().next().unwrap();
    assert_eq!(
        (figures.name.as_str(), figures.links[0].number, figures.links[0].address),
        ("hall-1", Some(0), link(1))
    );
    let replayed = native.gateway.stats().dropped().into_iter().find(|(reason, _)| reason == "native_replayed");
    assert_eq!(replayed, Some(("native_replayed".to_owned(), 10)));
}

#[test]
fn frames_of_a_later_version_and_broken_ones_are_passed_over_and_counted_for_their_box() {
    let mut native = Native::new(Limits::default(), Offer::ts(Duration::from_millis(300), &["main"]));
    native.sends(0);
    let before = native.gateway.figures().next().unwrap().unread;

    for frame in [&[0x3f, 1, 2][..], &[0x05]] {
        let mut datagram = Vec::new();
        native.counter += 1;
        native.initiator.seal(native.now, LinkId(0), native.counter, frame, &mut datagram).unwrap();
        native.gateway.handle_datagram(native.now, link(1), &datagram);
    }
    native.sends(1);
    native.waits(Duration::from_millis(400));

    assert_eq!((before, native.gateway.figures().next().unwrap().unread), (0, 2));
    assert_eq!(native.released(), 2);
}

#[test]
fn more_streams_than_a_group_may_have_are_refused_and_a_box_taken_out_is_out() {
    let limits = Limits { streams: 2, ..Limits::default() };
    let l = Duration::from_millis(300);
    let many = Native::new(limits.clone(), Offer::ts(l, &["a", "b", "c"]));
    let mut few = Native::new(limits, Offer::ts(l, &["a", "b"]));

    assert!(!many.initiator.is_up() && few.initiator.is_up());
    few.sends(0);
    let came = (many.gateway.stats().groups, few.gateway.stats().groups);
    let group = few.gateway.poll_opened().unwrap().group;
    few.gateway.handle_allowed(few.now, std::collections::BTreeMap::new());

    assert_eq!(came, (0, 1));
    let unfit = many.gateway.stats().dropped().into_iter().find(|(reason, _)| reason == "native_unfit");
    assert_eq!(unfit, Some(("native_unfit".to_owned(), 1)));
    assert_eq!((few.gateway.stats().groups, few.gateway.poll_closed()), (0, Some(group)));
}

#[test]
fn without_a_key_native_datagrams_are_counted_and_cost_nothing() {
    let mut story = Story::new(Limits::default());

    for first in [0xa0, 0xb0, 0xb2, 0xc0] {
        assert_eq!(story.says(link(1), vec![first; 100]), []);
    }

    assert_eq!(story.gateway.stats().keyless, 4);
}
