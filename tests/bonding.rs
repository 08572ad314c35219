//! One stream over many links: what is lost, what is late, and what the SRT caller hears.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use livebox::bond::{Config, GroupStats, LinkConfig, LinkId, LinkPhase, Sender, Transmit};
use livebox::rng::Rng;
use livebox::sim::{Play, Scenario, Score, World, oracle};
use livebox::time::Instant;
use livebox::units::Bitrate;
use livebox::wire::Seq;
use livebox::wire::srt::{self, Ack, Data, Handshake, Packet, Settings, Step};
use livebox::wire::srtla::{self, GroupId, Repr};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const CALLER: u32 = 0x0ca1;
const LISTENER: u32 = 0x0815;

pub(crate) fn scenario(name: &str) -> Scenario {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).expect("the scenario is there");
    let mut read = |trace: &str| std::fs::read_to_string(folder.join(trace)).map_err(|why| why.to_string());
    Scenario::parse(name, &text, &mut read).expect("the scenario is good")
}

fn played(name: &str, seed: u64, rate: Bitrate) -> Score {
    World::new(&scenario(name), Play { seed, rate, latency: SECOND, variable: false, ..Play::default() }).finish()
}

// what is lost and late

fn half_the_oracle_is_carried_whole(name: &str) {
    for seed in 0..2 {
        let rate = oracle(&scenario(name), seed, SECOND).scaled(0.5);

        let score = played(name, seed, rate);

        assert!(score.delivered > 10_000, "{}", score.row());
        assert_eq!((score.late, score.lost), (0, 0), "\n{}\n{}", Score::head(), score.row());
    }
}

#[test]
fn seven_constant_links_lose_nothing() {
    half_the_oracle_is_carried_whole("seven-constant");
}

#[test]
fn a_wired_line_cut_silently_costs_no_packet() {
    half_the_oracle_is_carried_whole("wired-cut");
}

#[test]
fn two_modems_that_die_together_cost_no_packet() {
    half_the_oracle_is_carried_whole("two-modems-die");
}

#[test]
fn a_wired_line_cut_silently_and_two_modems_that_die_after_it_cost_no_packet() {
    // what survives the last event: 4 + 4 + 3 + 3 Mbit/s
    let survivors = Bitrate::mbps(14);

    for seed in 0..2 {
        let score = played("wired-cut-two-die", seed, survivors.scaled(0.5));

        assert!(score.delivered > 10_000, "{}", score.row());
        assert_eq!((score.late, score.lost), (0, 0), "\n{}\n{}", Score::head(), score.row());
    }
}

#[test]
fn links_that_come_and_go_cost_no_packet() {
    half_the_oracle_is_carried_whole("flapping");
}

#[test]
fn lossy_links_cost_no_packet() {
    half_the_oracle_is_carried_whole("lossy");
}

#[test]
fn modems_that_fade_and_stall_cost_no_packet() {
    half_the_oracle_is_carried_whole("fading-modems");
}

#[test]
fn an_unplugged_cable_delays_no_packet_by_a_quarter_second() {
    half_the_oracle_is_carried_whole("wired-unplugged");

    let score = played("wired-unplugged", 0, Bitrate::mbps(6));

    assert!(score.max_ms < 250.0, "{}", score.row());
}

#[test]
fn while_the_wired_line_suffices_the_modems_cost_almost_nothing() {
    let score = played("seven-constant", 0, Bitrate::mbps(8));

    assert!(score.metered_share < 0.02, "{}", score.row());
    assert!(score.overhead < 0.06, "{}", score.row());
}

#[test]
fn pictures_of_varying_size_lose_nothing_either() {
    let play = Play { seed: 1, rate: Bitrate::mbps(8), latency: SECOND, variable: true, ..Play::default() };

    let score = World::new(&scenario("flapping"), play).finish();

    assert_eq!(score.bad(), 0, "{}", score.row());
}

#[test]
fn the_encoder_is_told_within_200_ms_that_the_wired_line_is_gone() {
    let play = Play { seed: 0, rate: Bitrate::mbps(14), latency: SECOND, variable: false, ..Play::default() };
    let mut world = World::new(&scenario("wired-cut"), play);

    world.play_until(Instant::from_millis(19_990));
    let before = world.stats().target;
    world.play_until(Instant::from_millis(20_200));
    let after = world.stats();

    let alive: u64 = after.links[1..].iter().map(|link| link.capacity.as_bps()).sum();
    assert!(before >= Bitrate::mbps(14), "{before}");
    assert!(after.target < before, "{before} to {}", after.target);
    assert!(after.target.as_bps() <= alive, "{} of {alive}", after.target);
    assert_eq!(after.links[0].phase, LinkPhase::Suspect);
}

#[test]
fn a_dead_line_is_used_again_once_it_answers() {
    let mut world = World::new(&scenario("wired-unplugged"), Play { rate: Bitrate::mbps(8), ..Play::default() });

    world.play_until(Instant::from_millis(24_000));
    assert_eq!(world.stats().links[0].phase, LinkPhase::Down);
    world.play_until(Instant::from_millis(27_000));

    let wired = &world.stats().links[0];
    assert_eq!(wired.phase, LinkPhase::Up);
    assert!(wired.rate > Bitrate::mbps(6), "{}", wired.rate);
}

// registration

/// A sender with some links, and the hand that plays its far end.
struct Rig {
    sender: Sender,
    now: Instant,
    group: GroupId,
    next: u32,
    /// How long an echo takes, and those on their way.
    away: Duration,
    /// By how much longer than that over which link.
    further: BTreeMap<u8, Duration>,
    echoes: VecDeque<(Instant, Transmit)>,
}

impl Rig {
    fn bare(links: u8) -> Self {
        let now = Instant::from_millis(1);
        let mut sender = Sender::new(now, Config::default(), Rng::simulated(1));
        for at in 0..links {
            sender.add_link(now, LinkId(at), LinkConfig { name: format!("link{at}"), metered: false });
        }
        Self {
            sender,
            now,
            group: GroupId([7; 256]),
            next: 0,
            away: Duration::ZERO,
            further: BTreeMap::new(),
            echoes: VecDeque::new(),
        }
    }

    /// All links let in, an SRT session opened, nothing under way.
    fn connected(links: u8) -> Self {
        let mut rig = Self::bare(links);
        rig.run(1);
        rig.far(0, &Repr::RegNgp.to_padded());
        let asked = rig.frames();
        let Some(Repr::Reg1(id)) = asked.iter().find_map(|t| srtla::parse(&t.payload).ok().filter(is_reg1)) else {
            panic!("REG1 after REG_NGP: {asked:?}")
        };
        rig.group = id;
        rig.group.0[GroupId::HALF..].fill(9);
        rig.far(0, &Repr::Reg2(rig.group).to_vec());
        for at in 0..links {
            rig.far(at, &Repr::Reg3.to_padded());
        }
        rig.answer(5);
        rig.caller(shake(CALLER, Step::Conclusion, false));
        rig.answer(5);
        rig
    }

    fn far(&mut self, link: u8, datagram: &[u8]) {
        self.sender.handle_datagram(self.now, LinkId(link), datagram);
    }

    fn caller(&mut self, packet: Vec<u8>) {
        self.caller_at(6001, packet);
    }

    fn caller_at(&mut self, port: u16, packet: Vec<u8>) {
        self.sender.handle_packet(self.now, ([127, 0, 0, 1], port).into(), Bytes::from(packet));
    }

    fn frames(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.sender.poll_transmit(self.now)).collect()
    }

    fn heard(&mut self) -> Vec<Bytes> {
        std::iter::from_fn(|| self.sender.poll_caller()).collect()
    }

    /// Lets so many milliseconds pass; nobody answers.
    fn run(&mut self, ms: u64) -> Vec<Transmit> {
        let until = self.now + Duration::from_millis(ms);
        let mut sent = self.frames();
        while let Some(at) = self.sender.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.sender.handle_timeout(self.now);
            sent.extend(self.frames());
        }
        self.now = until;
        sent
    }

    /// Lets time pass while the far end echoes keepalives on every link.
    fn answer(&mut self, ms: u64) -> Vec<Transmit> {
        self.answer_but(ms, &[])
    }

    fn answer_but(&mut self, ms: u64, silent: &[u8]) -> Vec<Transmit> {
        let mut all = Vec::new();
        for _ in 0..ms {
            let sent = self.run(1);
            for transmit in &sent {
                let keepalive = matches!(srtla::parse(&transmit.payload), Ok(Repr::Keepalive(_)));
                if keepalive && !silent.contains(&transmit.link.0) {
                    let further = self.further.get(&transmit.link.0).copied().unwrap_or_default();
                    self.echoes.push_back((self.now + self.away + further, transmit.clone()));
                }
            }
            self.echoes.make_contiguous().sort_by_key(|(at, _)| *at);
            while let Some((_, echo)) = self.echoes.pop_front_if(|(at, _)| *at <= self.now) {
                self.sender.handle_datagram(self.now, echo.link, &echo.payload);
            }
            all.extend(sent);
        }
        all
    }

    fn data(&mut self) -> Vec<u8> {
        let packet = data(self.next, false);
        self.next += 1;
        packet
    }

    fn stats(&self) -> GroupStats {
        self.sender.stats(self.now)
    }
}

fn is_reg1(frame: &Repr<'_>) -> bool {
    matches!(frame, Repr::Reg1(_))
}

fn data(seq: u32, retransmitted: bool) -> Vec<u8> {
    let payload = [0x47; 1316];
    let data =
        Data { seq: Seq::new(seq), message: seq, retransmitted, timestamp: 1, socket: LISTENER, payload: &payload };
    srt::emit_data(&data)
}

fn shake(socket: u32, step: Step, response: bool) -> Vec<u8> {
    let settings =
        Settings { version: 0x01_05_03, flags: 0x2b, receive_latency_ms: 1250, send_latency_ms: 0, response };
    let settings = (step == Step::Conclusion).then_some(settings);
    let handshake = Handshake { step, version: 5, initial_seq: Seq::new(0), socket, cookie: 1, settings };
    srt::emit_handshake(&handshake, 5, if response { CALLER } else { 0 })
}

fn seqs(sent: &[Transmit]) -> Vec<u32> {
    sent.iter()
        .filter_map(|transmit| match srt::peek(&transmit.payload) {
            Ok(Packet::Data(data)) => Some(data.seq.value()),
            _ => None,
        })
        .collect()
}

fn asks(sent: &[Transmit], link: u8) -> usize {
    sent.iter().filter(|t| t.link.0 == link && t.payload.starts_with(&[0x92, 0x01])).count()
}

#[test]
fn a_group_registers_on_the_link_that_answers_first_and_then_on_all() {
    let mut rig = Rig::bare(3);

    let probes = rig.run(1);
    assert_eq!((asks(&probes, 0), asks(&probes, 1), asks(&probes, 2)), (1, 1, 1));
    rig.far(2, &Repr::RegNgp.to_padded());
    rig.far(0, &Repr::RegNgp.to_padded());
    let sent = rig.frames();
    assert_eq!(sent.len(), 1, "one REG1, on the quickest link");
    assert_eq!(sent[0].link, LinkId(2));
    let Ok(Repr::Reg1(mut id)) = srtla::parse(&sent[0].payload) else { panic!("REG1") };

    let mut stranger = id;
    stranger.0[0] ^= 1;
    rig.far(2, &Repr::Reg2(stranger).to_vec());
    assert!(rig.frames().is_empty(), "another sender's group is none of ours");
    id.0[200] = 99;
    rig.far(2, &Repr::Reg2(id).to_vec());

    let sent = rig.frames();
    assert_eq!((asks(&sent, 0), asks(&sent, 1), asks(&sent, 2)), (1, 1, 1));
    assert!(sent.iter().all(|t| srtla::parse(&t.payload) == Ok(Repr::Reg2(id))));
    assert!(!rig.stats().connected);
    rig.far(1, &Repr::Reg3.to_vec());
    assert!(rig.stats().connected);
}

#[test]
fn a_far_end_that_was_restarted_gets_the_group_again() {
    let mut rig = Rig::connected(2);

    // silent first, as a restarting process is, and then it knows nothing
    let sent = rig.run(2_000);
    assert!(asks(&sent, 0) > 0, "a silent link asks to be let in again");
    rig.far(1, &Repr::RegNgp.to_padded());
    let sent = rig.frames();

    assert!(sent.iter().any(|t| t.payload.starts_with(&[0x92, 0x00])), "{sent:?}");
    assert!(!rig.stats().connected);
}

#[test]
fn one_stray_refusal_does_not_tear_a_living_group_down() {
    let mut rig = Rig::connected(3);

    rig.far(1, &Repr::RegNgp.to_padded());

    assert!(rig.stats().connected);
    assert!(!rig.frames().iter().any(|t| t.payload.starts_with(&[0x92, 0x00])));
}

#[test]
fn a_refused_registration_waits_four_seconds() {
    let mut rig = Rig::bare(1);
    rig.run(1);
    rig.far(0, &Repr::RegNgp.to_padded());
    rig.frames();

    rig.far(0, &Repr::RegErr.to_padded());

    assert_eq!(asks(&rig.run(3_900), 0), 0);
    assert_eq!(asks(&rig.run(200), 0), 1);
}

#[test]
fn a_link_under_a_new_address_is_let_in_again_within_a_second() {
    let mut rig = Rig::connected(2);

    // the far end does not know the new address and says nothing
    let mut sent = Vec::new();
    while asks(&sent, 1) == 0 && rig.now < Instant::from_millis(3_000) {
        let packet = rig.data();
        rig.caller(packet);
        sent.extend(rig.answer_but(10, &[1]));
    }

    assert!(rig.now < Instant::from_millis(1_000), "asked at {:?}", rig.now);
    rig.far(1, &Repr::Reg3.to_padded());
    assert_ne!(rig.stats().links[1].phase, LinkPhase::Suspect);
}

// what the caller hears

#[test]
fn naks_for_what_the_engine_holds_never_reach_the_caller() {
    let mut rig = Rig::connected(2);
    for _ in 0..20 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.heard();

    rig.far(0, &srt::emit_nak(&[(Seq::new(3), Seq::new(9))], 1, CALLER));
    rig.far(1, &srt::emit_nak(&[(Seq::new(3), Seq::new(9))], 1, CALLER));

    assert!(rig.heard().is_empty());
    assert_eq!(rig.stats().naks_swallowed, 2);
}

#[test]
fn what_the_far_end_took_in_is_sent_again_when_the_listener_misses_it_for_longer_than_it_takes_to_acknowledge() {
    let mut rig = acknowledged_without_the_13th(10);
    let nak = |stamp: u32| srt::emit_nak(&[(Seq::new(13), Seq::new(13))], stamp, CALLER);

    rig.far(0, &nak(1));
    let early = seqs(&rig.answer(20));
    // what it said before, come late over another link, tells nothing
    rig.answer(20);
    rig.far(0, &nak(1));
    let copy = seqs(&rig.answer(5));
    rig.far(0, &nak(2));
    let late = seqs(&rig.answer(5));

    assert_eq!((early, copy, late), (vec![], vec![], vec![13]));
}

#[test]
fn what_the_listener_missed_before_it_came_is_not_sent_again_for_that() {
    let mut rig = acknowledged_without_the_13th(100);
    let nak = |stamp: u32| srt::emit_nak(&[(Seq::new(13), Seq::new(13))], stamp, CALLER);

    rig.answer(60);
    rig.far(0, &nak(1));
    let under_way = seqs(&rig.answer(50));
    rig.answer(50);
    rig.far(0, &nak(2));
    let since = seqs(&rig.answer(5));

    assert_eq!((under_way, since), (vec![], vec![13]));
}

/// The far end has taken in twenty packets, the listener acknowledges what stands before the 13th; `turn` ms there and back.
fn acknowledged_without_the_13th(turn: u64) -> Rig {
    let mut rig = Rig::connected(1);
    rig.away = Duration::from_millis(turn);
    // until the quicker way of the beginning is forgotten
    rig.answer(11_000);
    for (first, acked) in [(0, 10), (10, 13)] {
        for _ in 0..10 {
            let packet = rig.data();
            rig.caller(packet);
        }
        rig.answer(turn);
        rig.far(0, &srtla::emit_ack(&std::array::from_fn::<_, 10, _>(|n| Seq::new(first + n as u32))));
        // the listener's own word comes 20 ms after the link's
        rig.answer(20);
        rig.far(0, &srt::emit_ack(Ack { seq: Seq::new(acked), number: Some(acked) }, acked, CALLER));
    }
    rig
}

#[test]
fn the_callers_own_retransmission_of_a_held_packet_is_dropped_and_counted() {
    let mut rig = Rig::connected(2);
    for _ in 0..20 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.frames();

    rig.caller(data(5, true));

    assert!(seqs(&rig.frames()).is_empty());
    assert_eq!(rig.stats().caller_retransmits_dropped, 1);
}

#[test]
fn of_what_is_no_longer_held_the_caller_hears_and_its_retransmission_travels() {
    let mut rig = Rig::connected(2);
    for _ in 0..10 {
        let packet = rig.data();
        rig.caller(packet);
    }
    // the deadline passes, and the time in which a patient listener might still ask
    rig.answer(1_700);
    for _ in 0..5 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.answer(5);
    rig.heard();

    rig.far(0, &srt::emit_nak(&[(Seq::new(8), Seq::new(12))], 3, CALLER));
    rig.far(1, &srt::emit_nak(&[(Seq::new(8), Seq::new(12))], 3, CALLER));

    let heard = rig.heard();
    assert_eq!(heard.len(), 1, "once, although it came twice");
    let Ok(Packet::Nak(list)) = srt::peek(&heard[0]) else { panic!("a NAK") };
    assert_eq!(list.collect::<Vec<_>>(), [(Seq::new(8), Seq::new(9))], "10 to 12 are held");
    rig.frames();
    rig.caller(data(8, true));
    assert_eq!(seqs(&rig.frames()), [8]);
}

#[test]
fn a_packet_that_never_reached_the_engine_is_asked_of_the_caller() {
    let mut rig = Rig::connected(2);
    for seq in [0, 1, 3, 4] {
        rig.caller(data(seq, false));
    }
    rig.heard();
    rig.frames();

    rig.far(0, &srt::emit_nak(&[(Seq::new(1), Seq::new(3))], 1, CALLER));

    let heard = rig.heard();
    let Ok(Packet::Nak(mut list)) = srt::peek(&heard[0]) else { panic!("a NAK") };
    assert_eq!(list.next(), Some((Seq::new(2), Seq::new(2))));
    rig.caller(data(2, true));
    assert_eq!(seqs(&rig.frames()), [2]);
    assert_eq!(rig.stats().caller_retransmits_dropped, 0);
}

#[test]
fn of_seven_copies_of_an_ack_the_caller_hears_one() {
    let mut rig = Rig::connected(7);
    for _ in 0..20 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.heard();

    for number in 1..=3 {
        let ack = srt::emit_ack(Ack { seq: Seq::new(4 * number), number: Some(number) }, number, CALLER);
        for link in 0..7 {
            rig.far(link, &ack);
        }
    }

    assert_eq!(rig.heard().len(), 3);
    assert_eq!(rig.stats().ack_copies_dropped, 18);
}

#[test]
fn an_ack_over_what_was_never_sent_is_strange() {
    let mut rig = Rig::connected(1);
    for _ in 0..5 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.heard();

    rig.far(0, &srt::emit_ack(Ack { seq: Seq::new(5000), number: Some(1) }, 1, CALLER));

    assert!(rig.heard().is_empty());
    assert_eq!(rig.stats().links[0].strange_datagrams, 1);
}

#[test]
fn copies_of_what_the_listener_says_are_filtered_and_its_flags_are_mended() {
    let mut rig = Rig::connected(3);
    rig.heard();

    for link in 0..3 {
        rig.far(link, &shake(LISTENER, Step::Conclusion, true));
        rig.far(link, &srt::emit_keepalive(9, CALLER));
        rig.far(link, &srt::emit_shutdown(10, CALLER));
    }

    let heard = rig.heard();
    assert_eq!(heard.len(), 3);
    let Ok(Packet::Handshake(handshake)) = srt::peek(&heard[0]) else { panic!("a handshake") };
    let flags = handshake.settings.expect("HSRSP").flags;
    assert_ne!(flags & srt::FLAG_NAK_REPORT, 0, "or libsrt's caller would resend everything");
}

#[test]
fn a_handshake_waits_for_the_first_link_and_only_the_newest_travels() {
    let mut rig = Rig::bare(2);
    rig.run(1);
    rig.caller(shake(1, Step::Induction, false));
    rig.run(200);
    rig.caller(shake(2, Step::Induction, false));
    rig.far(0, &Repr::RegNgp.to_padded());
    let sent = rig.frames();
    let Some(Repr::Reg1(id)) = sent.iter().find_map(|t| srtla::parse(&t.payload).ok().filter(is_reg1)) else {
        panic!("REG1")
    };
    rig.far(0, &Repr::Reg2(id).to_vec());
    rig.frames();

    rig.far(0, &Repr::Reg3.to_vec());

    let shakes: Vec<_> = rig.frames().into_iter().filter(|t| t.payload.starts_with(&[0x80, 0x00])).collect();
    assert_eq!(shakes.len(), 1);
    let Ok(Packet::Handshake(handshake)) = srt::peek(&shakes[0].payload) else { panic!("a handshake") };
    assert_eq!(handshake.socket, 2);
}

#[test]
fn a_handshake_goes_over_the_quickest_link_alone() {
    let ms = Duration::from_millis;
    for quickest in 0..3 {
        let mut rig = Rig::connected(3);
        rig.further = [(0, ms(60)), (1, ms(80)), (2, ms(40))].into();
        rig.further.insert(quickest, ms(5));
        // until the quicker ways of the beginning are forgotten
        rig.answer(25_000);
        rig.far(0, &shake(LISTENER, Step::Conclusion, true));
        rig.frames();

        rig.caller(shake(0xbeef, Step::Conclusion, false));

        let shakes = rig.frames().into_iter().filter(|t| t.payload.starts_with(&[0x80, 0x00]));
        assert_eq!(shakes.map(|t| t.link).collect::<Vec<_>>(), [LinkId(quickest)]);
    }
}

#[test]
fn a_handshake_that_nobody_answers_is_repeated_on_another_link() {
    let mut rig = Rig::connected(3);
    rig.far(0, &shake(LISTENER, Step::Conclusion, true));
    rig.frames();

    let mut used = Vec::new();
    for _ in 0..3 {
        rig.caller(shake(CALLER, Step::Conclusion, false));
        used.extend(rig.frames().iter().filter(|t| t.payload.starts_with(&[0x80, 0x00])).map(|t| t.link));
        rig.answer(250);
    }

    used.sort_unstable();
    assert_eq!(used, [LinkId(0), LinkId(1), LinkId(2)]);
}

#[test]
fn a_new_caller_begins_a_new_stream_on_the_same_links() {
    let mut rig = Rig::connected(2);
    for _ in 0..20 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.frames();

    rig.caller(shake(0xbeef, Step::Induction, false));
    rig.caller(shake(0xbeef, Step::Conclusion, false));
    rig.caller(data(1_000_000, false));

    assert!(rig.stats().connected);
    assert_eq!(seqs(&rig.frames()), [1_000_000]);
    rig.heard();
    rig.far(0, &srt::emit_ack(Ack { seq: Seq::new(7), number: Some(8) }, 1, CALLER));
    assert!(rig.heard().is_empty(), "the old caller's ACK is nobody's");
    rig.far(0, &srt::emit_ack(Ack { seq: Seq::new(1_000_001), number: Some(1) }, 1, 0xbeef));
    assert_eq!(rig.heard().len(), 1);
}

#[test]
fn the_end_of_the_session_travels_behind_the_last_data() {
    let mut rig = Rig::connected(1);
    for _ in 0..30 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.caller(srt::emit_shutdown(1, LISTENER));
    let ends = |sent: &[Transmit]| sent.iter().any(|t| t.payload.starts_with(&[0x80, 0x05]));
    assert!(!ends(&rig.frames()));

    let all: Vec<Seq> = (0..30).map(Seq::new).collect();
    for ten in all.chunks(10) {
        rig.far(0, &srtla::emit_ack(ten));
    }
    rig.far(0, &srt::emit_ack(Ack { seq: Seq::new(30), number: Some(1) }, 1, CALLER));

    assert!(ends(&rig.frames()));
}

#[test]
fn strangers_on_the_callers_port_are_counted_and_harm_no_stream() {
    let mut rig = Rig::connected(2);
    for _ in 0..20 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.frames();
    let held = rig.sender.held();

    rig.caller_at(6666, data(4_000_000, false));
    rig.caller_at(6666, shake(0xbad, Step::Induction, false));
    rig.caller_at(6666, shake(0xbad, Step::Conclusion, false));
    rig.caller_at(6666, srt::emit_shutdown(1, LISTENER));
    // and from the caller's own address, for a session that is not
    let foreign = Data {
        seq: Seq::new(20),
        message: 20,
        retransmitted: false,
        timestamp: 1,
        socket: 0xbad,
        payload: &[0x47; 1316],
    };
    rig.caller(srt::emit_data(&foreign));
    rig.caller(srt::emit_shutdown(1, 0xbad));

    assert_eq!(rig.stats().strange_packets, 6);
    assert!(rig.frames().is_empty(), "nothing of it travels");
    assert_eq!(rig.sender.held(), held);
    assert_eq!(rig.sender.caller().map(|address| address.port()), Some(6001));
}

#[test]
fn who_only_knocks_from_the_callers_address_does_not_end_the_stream() {
    let mut rig = Rig::connected(2);
    for _ in 0..20 {
        let packet = rig.data();
        rig.caller(packet);
    }
    let held = rig.sender.held();
    rig.heard();

    rig.caller(shake(0xbeef, Step::Induction, false));

    assert_eq!(rig.sender.held(), held);
    rig.far(0, &srt::emit_ack(Ack { seq: Seq::new(1), number: Some(1) }, 1, CALLER));
    rig.far(0, &srt::emit_keepalive(1, 0xbeef));
    assert_eq!(rig.heard().len(), 2, "both hear the listener");
}

#[test]
fn a_caller_that_comes_back_from_another_port_is_served_once_the_old_one_is_silent() {
    let mut rig = Rig::connected(2);
    let packet = rig.data();
    rig.caller(packet);

    rig.answer(1_500);
    rig.caller_at(6002, shake(0xbeef, Step::Induction, false));
    assert_eq!(rig.sender.caller().map(|address| address.port()), Some(6001), "a keepalive may be late");
    rig.answer(600);
    rig.caller_at(6002, shake(0xbeef, Step::Induction, false));
    rig.caller_at(6002, shake(0xbeef, Step::Conclusion, false));
    rig.frames();
    rig.caller_at(6002, data(900, false));

    assert_eq!(seqs(&rig.frames()), [900]);
    assert_eq!(rig.sender.caller().map(|address| address.port()), Some(6002));
}

#[test]
fn a_caller_that_said_goodbye_makes_room_at_once() {
    let mut rig = Rig::connected(2);
    rig.caller(srt::emit_shutdown(1, LISTENER));

    rig.caller_at(6002, shake(0xbeef, Step::Induction, false));

    assert_eq!(rig.sender.caller().map(|address| address.port()), Some(6002));
    assert_eq!(rig.stats().strange_packets, 0);
}

#[test]
fn the_end_is_through_when_the_caller_has_left_and_nothing_is_under_way() {
    let mut rig = Rig::connected(2);
    for _ in 0..3 {
        let packet = rig.data();
        rig.caller(packet);
    }
    rig.frames();
    assert!(!rig.sender.is_finished(rig.now), "the caller is there");
    rig.caller(srt::emit_shutdown(1, LISTENER));
    rig.frames();
    assert!(!rig.sender.is_finished(rig.now), "its packets are under way");

    rig.far(0, &srt::emit_ack(Ack { seq: Seq::new(3), number: Some(1) }, 1, CALLER));

    let ends: Vec<_> = rig.frames().into_iter().filter(|t| t.payload.starts_with(&[0x80, 0x05])).collect();
    assert_eq!(ends.len(), 2, "on every link, since nobody acknowledges it");
    assert!(rig.sender.is_finished(rig.now));
}

#[test]
fn a_driver_that_cannot_wait_still_sends_the_end() {
    let mut rig = Rig::connected(1);
    let packet = rig.data();
    rig.caller(packet);
    rig.caller(srt::emit_shutdown(1, LISTENER));
    rig.frames();

    rig.sender.handle_end(rig.now);

    assert!(rig.frames().iter().any(|t| t.payload.starts_with(&[0x80, 0x05])));
}

// silence

#[test]
fn when_all_links_fall_silent_together_nothing_is_sent_twice() {
    let mut rig = Rig::connected(3);
    for _ in 0..30 {
        let packet = rig.data();
        rig.caller(packet);
        rig.answer(2);
    }
    let before = rig.stats().resent;

    rig.run(600);

    assert!(rig.stats().links.iter().all(|link| link.phase == LinkPhase::Suspect));
    assert_eq!(rig.stats().resent, before);
}

#[test]
fn what_a_dying_link_held_travels_elsewhere_the_moment_the_carrier_goes() {
    let mut rig = Rig::connected(2);
    let mut on_first = Vec::new();
    for _ in 0..20 {
        let packet = rig.data();
        rig.caller(packet);
        on_first.extend(seqs(&rig.frames().into_iter().filter(|t| t.link.0 == 0).collect::<Vec<_>>()));
    }
    assert!(!on_first.is_empty());

    rig.sender.handle_carrier(rig.now, LinkId(0), false);
    rig.far(1, &srtla::emit_ack(&(0..20).map(Seq::new).filter(|s| !on_first.contains(&s.value())).collect::<Vec<_>>()));

    let sent = rig.frames();
    assert!(sent.iter().all(|t| t.link.0 == 1));
    assert_eq!(seqs(&sent), on_first);
}

#[test]
fn a_removed_links_packets_travel_elsewhere_at_once() {
    let mut rig = Rig::connected(2);
    for _ in 0..10 {
        let packet = rig.data();
        rig.caller(packet);
    }
    let first: Vec<u32> = seqs(&rig.frames().into_iter().filter(|t| t.link.0 == 0).collect::<Vec<_>>());

    rig.sender.remove_link(rig.now, LinkId(0));

    let again = seqs(&rig.frames());
    assert!(first.iter().all(|seq| again.contains(seq)), "{first:?} {again:?}");
}

#[test]
fn strange_datagrams_are_counted_on_their_side() {
    let mut rig = Rig::connected(1);

    rig.caller(vec![1, 2, 3]);
    rig.caller(vec![0; 1600]);
    rig.far(0, &[0x91]);
    rig.far(0, &[0x92, 0x01, 0, 0]);
    rig.far(0, &[0x9f, 0xff, 0, 0]);

    assert_eq!(rig.stats().strange_packets, 2);
    assert_eq!(rig.stats().links[0].strange_datagrams, 3);
}

// anything at all

#[derive(Debug, Clone)]
enum Happening {
    Data { seq: u32, again: bool },
    Burst { count: u16 },
    FromCaller(Vec<u8>),
    FromFar { link: u8, datagram: Vec<u8> },
    LinkAck { link: u8, from: u32, count: u8 },
    Ack { link: u8, seq: u32, number: u32 },
    Nak { link: u8, from: u32, span: u32 },
    Short { link: u8, kind: u16 },
    Carrier { link: u8, up: bool },
    Remove(u8),
    Add(u8),
    SendError(u8),
    Shake(u32),
    Pass(u16),
}

fn happening() -> impl Strategy<Value = Happening> {
    let link = 0_u8..5;
    let near = prop_oneof![0_u32..4000, Just(0x7fff_ffff), any::<u32>()];
    prop_oneof![
        4 => (near.clone(), any::<bool>()).prop_map(|(seq, again)| Happening::Data { seq, again }),
        4 => (1_u16..400).prop_map(|count| Happening::Burst { count }),
        1 => proptest::collection::vec(any::<u8>(), 0..64).prop_map(Happening::FromCaller),
        2 => (link.clone(), proptest::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(link, datagram)| Happening::FromFar { link, datagram }),
        4 => (link.clone(), near.clone(), 0_u8..20)
            .prop_map(|(link, from, count)| Happening::LinkAck { link, from, count }),
        2 => (link.clone(), near.clone(), any::<u32>())
            .prop_map(|(link, seq, number)| Happening::Ack { link, seq, number }),
        2 => (link.clone(), near, any::<u32>()).prop_map(|(link, from, span)| Happening::Nak { link, from, span }),
        2 => (link.clone(), prop_oneof![Just(0x9202), Just(0x9210), Just(0x9211), Just(0x9000)])
            .prop_map(|(link, kind)| Happening::Short { link, kind }),
        1 => (link.clone(), any::<bool>()).prop_map(|(link, up)| Happening::Carrier { link, up }),
        1 => link.clone().prop_map(Happening::Remove),
        1 => link.clone().prop_map(Happening::Add),
        1 => link.prop_map(Happening::SendError),
        1 => any::<u32>().prop_map(Happening::Shake),
        4 => (0_u16..3000).prop_map(Happening::Pass),
    ]
}

fn happen(rig: &mut Rig, happening: Happening) {
    let now = rig.now;
    match happening {
        Happening::Data { seq, again } => rig.caller(data(seq, again)),
        Happening::Burst { count } => {
            for _ in 0..count {
                let packet = rig.data();
                rig.caller(packet);
            }
        }
        Happening::FromCaller(packet) => rig.caller(packet),
        Happening::FromFar { link, datagram } => rig.far(link, &datagram),
        Happening::LinkAck { link, from, count } => {
            let list: Vec<Seq> = (0..u32::from(count)).map(|n| Seq::new(from).plus(n)).collect();
            rig.far(link, &srtla::emit_ack(&list));
        }
        Happening::Ack { link, seq, number } => {
            rig.far(link, &srt::emit_ack(Ack { seq: Seq::new(seq), number: Some(number) }, 0, CALLER));
        }
        Happening::Nak { link, from, span } => {
            let from = Seq::new(from);
            rig.far(link, &srt::emit_nak(&[(from, from.plus(span))], 0, CALLER));
        }
        Happening::Short { link, kind } => {
            let mut datagram = kind.to_be_bytes().to_vec();
            datagram.resize(32, 0);
            rig.far(link, &datagram);
        }
        Happening::Carrier { link, up } => rig.sender.handle_carrier(now, LinkId(link), up),
        Happening::Remove(link) => rig.sender.remove_link(now, LinkId(link)),
        Happening::Add(link) => {
            rig.sender.add_link(now, LinkId(link), LinkConfig { name: "new".into(), metered: true });
        }
        Happening::SendError(link) => rig.sender.handle_send_error(now, LinkId(link)),
        Happening::Shake(socket) => rig.caller(shake(socket, Step::Induction, false)),
        Happening::Pass(ms) => {
            rig.run(u64::from(ms));
        }
    }
    rig.frames();
    rig.heard();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_sender_lives_on_within_its_bounds(
        life in proptest::collection::vec(happening(), 0..120)
    ) {
        let mut rig = Rig::connected(3);
        for happening in life {
            happen(&mut rig, happening);
            let (bytes, waiting) = rig.sender.held();
            prop_assert!(bytes <= (48 << 20) + 1500, "{bytes} bytes held");
            prop_assert!(waiting <= 32_768, "{waiting} packets wait");
        }
        // and when all is quiet again, everything is let go
        rig.run(20_000);
        prop_assert_eq!(rig.sender.held(), (0, 0));
    }
}

// the session's latency

/// The listener's conclusion, which says that it waits so long.
fn concluded(latency_ms: u16) -> Vec<u8> {
    let settings = Settings {
        version: 0x01_05_03,
        flags: 0x3b,
        receive_latency_ms: latency_ms,
        send_latency_ms: 0,
        response: true,
    };
    let (step, initial_seq) = (Step::Conclusion, Seq::new(0));
    let handshake = Handshake { step, version: 5, initial_seq, socket: LISTENER, cookie: 1, settings: Some(settings) };
    srt::emit_handshake(&handshake, 5, CALLER)
}

fn told(rig: &mut Rig) -> Option<Step> {
    rig.heard().iter().find_map(|datagram| match srt::peek(datagram) {
        Ok(Packet::Handshake(handshake)) => Some(handshake.step),
        _ => None,
    })
}

#[test]
fn without_a_latency_of_its_own_the_engine_takes_what_the_session_has_negotiated_less_250_ms() {
    let mut rig = Rig::connected(2);
    let follows = Config { follows_session: true, ..Config::default() };
    rig.sender.handle_config(rig.now, follows.clone());

    rig.far(0, &concluded(2000));
    assert_eq!(told(&mut rig), Some(Step::Conclusion));
    assert_eq!(rig.stats().latency, Duration::from_millis(1750));
    // settings that come later do not undo it, and another session may have another latency
    rig.sender.handle_config(rig.now, follows);
    assert_eq!(rig.stats().latency, Duration::from_millis(1750));
    rig.far(1, &concluded(700));
    assert_eq!(rig.stats().latency, Duration::from_millis(450));

    // and it is what packets are held by
    let packet = rig.data();
    rig.caller(packet);
    rig.run(440);
    assert_eq!(rig.stats().dropped_late, 0);
    for link in 0..2 {
        rig.sender.handle_carrier(rig.now, LinkId(link), false);
    }
    rig.run(600);
    assert_eq!(rig.sender.held(), (0, 0));
}

#[test]
fn a_session_that_waits_less_than_250_ms_longer_than_l_is_refused_at_both_ends() {
    let mut rig = Rig::connected(2);

    rig.far(0, &concluded(1249));

    assert_eq!(told(&mut rig), Some(Step::Other(2406)), "libsrt reads it as its reason 1406");
    let ends = rig.frames().iter().filter(|t| srt::peek(&t.payload) == Ok(Packet::Shutdown)).count();
    assert_eq!(ends, 2, "the listener hears the end on every link");
    rig.far(1, &concluded(1250));
    assert_eq!(told(&mut rig), Some(Step::Conclusion));
}
