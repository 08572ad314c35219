//! Golden bytes of the field's wire, both ways, and anything at all as input.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use livebox::bond::{Config, LinkConfig, LinkId, Sender};
use livebox::gateway::{Gateway, Limits};
use livebox::rng::Rng;
use livebox::time::Instant;
use livebox::wire::srt::{self, Ack, Data, Handshake, Packet, Settings, Step};
use livebox::wire::srtla::{self, GroupId, Keepalive, LinkReport, Repr};
use livebox::wire::{Error, Seq};
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex digits"))
        .collect()
}

fn padded(hex: &str) -> Vec<u8> {
    let mut bytes = bytes(hex);
    bytes.resize(32, 0);
    bytes
}

#[test]
fn registration_frames_are_258_bytes_and_nothing_else() {
    let id = GroupId(std::array::from_fn(|at| at as u8));
    let mut reg1 = bytes("9200");
    reg1.extend(0..=255);
    let mut reg2 = bytes("9201");
    reg2.extend(0..=255);

    assert_eq!(Repr::Reg1(id).to_vec(), reg1);
    assert_eq!(srtla::parse(&reg1), Ok(Repr::Reg1(id)));
    assert_eq!(Repr::Reg2(id).to_vec(), reg2);
    assert_eq!(srtla::parse(&reg2), Ok(Repr::Reg2(id)));
    assert_eq!(srtla::parse(&reg2[..257]), Err(Error::WrongLength { len: 257, wanted: 258 }));
    reg1.push(0);
    assert_eq!(srtla::parse(&reg1), Err(Error::WrongLength { len: 259, wanted: 258 }));
}

#[test]
fn short_answers_are_read_with_and_without_padding() {
    for (hex, frame) in [
        ("9202", Repr::Reg3),
        ("9210", Repr::RegErr),
        ("9211", Repr::RegNgp),
        ("9212", Repr::RegNak),
        ("9000", Repr::Keepalive(Keepalive::default())),
    ] {
        assert_eq!(srtla::parse(&bytes(hex)), Ok(frame));
        assert_eq!(srtla::parse(&padded(hex)), Ok(frame));
        assert_eq!(frame.to_vec(), bytes(hex));
        assert_eq!(frame.to_padded(), padded(hex));
    }
}

#[test]
fn keepalives_are_read_in_all_three_forms() {
    let stamped = Keepalive { stamp_ms: Some(0x0102_0304), report: None };
    let long = Keepalive {
        stamp_ms: Some(0x0102_0304),
        report: Some(LinkReport {
            link: 3,
            window: 20_000,
            in_flight: -1,
            rtt_ms: 80,
            naks: 7,
            bytes_per_second: 500_000,
        }),
    };
    let stamped_hex = "9000 0000000001020304";
    let long_hex = "9000 0000000001020304 c01f 0001 00000003 00004e20 ffffffff 00000050 00000007 0007a120";

    assert_eq!(Repr::Keepalive(stamped).to_vec(), bytes(stamped_hex));
    assert_eq!(srtla::parse(&bytes(stamped_hex)), Ok(Repr::Keepalive(stamped)));
    assert_eq!(srtla::parse(&padded(stamped_hex)), Ok(Repr::Keepalive(stamped)));
    assert_eq!(Repr::Keepalive(long).to_vec(), bytes(long_hex));
    assert_eq!(bytes(long_hex).len(), 38);
    assert_eq!(srtla::parse(&bytes(long_hex)), Ok(Repr::Keepalive(long)));
}

#[test]
fn an_acknowledgement_lists_as_many_numbers_as_it_has() {
    let ten =
        bytes("9100 0000 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 7fffffff 00000000");
    let Ok(Repr::Ack(list)) = srtla::parse(&ten) else { panic!("an acknowledgement") };
    let seqs: Vec<Seq> = list.collect();
    assert_eq!(seqs.len(), 10);
    assert_eq!(seqs[8], Seq::new(0x7fff_ffff));
    assert_eq!(srtla::emit_ack(&seqs), ten);

    let Ok(Repr::Ack(list)) = srtla::parse(&ten[..4 + 4 * 3 + 2]) else { panic!("an acknowledgement") };
    assert_eq!(list.count(), 3);
}

#[test]
fn srt_data_shows_its_number_and_whether_it_was_sent_before() {
    let hex = "00000005 e4000007 0000000a 0000abcd 47112233";
    let data = Data {
        seq: Seq::new(5),
        message: 7,
        retransmitted: true,
        timestamp: 10,
        socket: 0xabcd,
        payload: &[0x47, 0x11, 0x22, 0x33],
    };

    assert_eq!(srt::peek(&bytes(hex)), Ok(Packet::Data(data)));
    assert_eq!(srt::emit_data(&data), bytes(hex));
}

#[test]
fn a_loss_list_begins_at_byte_sixteen_and_holds_singles_and_ranges() {
    let hex = "80030000 00000000 ffffffff 80000001 00000003 80000007 00000009 8000000c 0000000b 0000000d 80000011";
    let nak = bytes(hex);
    let Ok(Packet::Nak(list)) = srt::peek(&nak) else { panic!("a NAK") };

    let ranges: Vec<_> = list.map(|(from, to)| (from.value(), to.value())).collect();

    // a range that runs backwards and one that never closes are passed over
    assert_eq!(ranges, [(3, 3), (7, 9), (13, 13)]);
    let again = srt::emit_nak(&[(Seq::new(3), Seq::new(3)), (Seq::new(7), Seq::new(9))], 1, 2);
    assert_eq!(again, bytes("80030000 00000000 00000001 00000002 00000003 80000007 00000009"));
}

#[test]
fn light_and_full_acknowledgements_are_told_apart_by_their_length() {
    let light = bytes("80020000 00000000 00000000 00000001 00000064");
    let full = srt::emit_ack(Ack { seq: Seq::new(100), number: Some(9) }, 0, 1);

    assert_eq!(srt::peek(&light), Ok(Packet::Ack(Ack { seq: Seq::new(100), number: None })));
    assert_eq!(srt::peek(&full), Ok(Packet::Ack(Ack { seq: Seq::new(100), number: Some(9) })));
    assert_eq!(full.len(), 44);
}

#[test]
fn a_listener_without_periodic_naks_is_made_to_claim_them_and_nothing_else_changes() {
    let settings =
        Settings { version: 0x01_05_03, flags: 0x2b, receive_latency_ms: 1250, send_latency_ms: 120, response: true };
    let handshake = Handshake {
        step: Step::Conclusion,
        version: 5,
        initial_seq: Seq::new(77),
        socket: 9,
        cookie: 0xc0,
        settings: Some(settings),
    };
    let plain = srt::emit_handshake(&handshake, 1, 2);
    assert_eq!(srt::peek(&plain), Ok(Packet::Handshake(handshake)));

    let mut mended = plain.clone();
    assert!(srt::claim_nak_report(&mut mended));

    let wanted = Handshake { settings: Some(Settings { flags: 0x3b, ..settings }), ..handshake };
    assert_eq!(srt::peek(&mended), Ok(Packet::Handshake(wanted)));
    assert_eq!(mended.iter().zip(&plain).filter(|(a, b)| a != b).count(), 1);
    assert!(!srt::claim_nak_report(&mut mended), "it is claimed already");

    let asked = Handshake { settings: Some(Settings { response: false, ..settings }), ..handshake };
    assert!(!srt::claim_nak_report(&mut srt::emit_handshake(&asked, 1, 2)), "a caller's own flags are its own");
}

// whole exchanges, byte by byte, as the field's programs hold them

/// Our gateway, and the addresses of a group's links.
struct Far {
    gateway: Gateway,
    now: Instant,
}

impl Far {
    fn new() -> Self {
        Self { gateway: Gateway::new(Instant::ZERO, Limits::default(), None, Rng::simulated(1)), now: Instant::ZERO }
    }

    /// What it answers, and to whom.
    fn asked(&mut self, link: u8, datagram: &[u8]) -> Vec<(u8, Bytes)> {
        self.gateway.handle_datagram(self.now, SocketAddr::from(([10, 0, 0, link], 7000)), datagram);
        self.answers()
    }

    fn answers(&mut self) -> Vec<(u8, Bytes)> {
        let number = |to: SocketAddr| to.to_string().split(['.', ':']).nth(3).and_then(|n| n.parse().ok());
        std::iter::from_fn(|| self.gateway.poll_transmit()).map(|t| (number(t.to).unwrap(), t.payload)).collect()
    }

    /// The whole name that REG1 on link 1 leads to.
    fn founded(&mut self) -> Vec<u8> {
        let mut reg1 = bytes("9200");
        reg1.extend([0x5a; 256]);
        let answers = self.asked(1, &reg1);
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].0, answers[0].1.len()), (1, 258));
        assert_eq!(answers[0].1[..130], [&[0x92, 0x01][..], &[0x5a; 128]].concat(), "our half comes back");
        assert_ne!(answers[0].1[130..], [0x5a; 128], "the other half is the far end's");
        answers[0].1.to_vec()
    }

    fn with_links(links: u8) -> (Self, Vec<u8>) {
        let mut far = Self::new();
        let reg2 = far.founded();
        for link in 1..=links {
            assert_eq!(far.asked(link, &reg2), [(link, Bytes::from(padded("9202")))]);
        }
        (far, reg2)
    }

    fn data(&mut self, link: u8, seq: u32) -> Vec<(u8, Bytes)> {
        let (seq, payload) = (Seq::new(seq), &[0x47; 188]);
        self.asked(
            link,
            &srt::emit_data(&Data { seq, message: 1, retransmitted: false, timestamp: 0, socket: 7, payload }),
        )
    }
}

#[test]
fn a_sender_that_begins_with_a_name_of_its_own_is_told_to_register_and_then_let_in_on_every_link() {
    let mut far = Far::new();
    let mut unknown = bytes("9201");
    unknown.extend([0; 256]);

    for link in 1..=3 {
        assert_eq!(far.asked(link, &unknown), [(link, Bytes::from(padded("9211")))]);
    }
    let reg2 = far.founded();
    assert_eq!(far.asked(1, &reg2), [(1, Bytes::from(padded("9202")))]);
    assert_eq!(far.asked(2, &reg2), [(2, Bytes::from(padded("9202")))]);
    // REG3 was lost, so it asks again; and a member may found no second group
    assert_eq!(far.asked(2, &reg2), [(2, Bytes::from(padded("9202")))]);
    let mut reg1 = bytes("9200");
    reg1.extend([0x77; 256]);
    assert_eq!(far.asked(2, &reg1), [(2, Bytes::from(padded("9210")))]);
    // one byte too many or too few is no registration
    assert_eq!(far.asked(3, &reg2[..257]), []);
    assert_eq!(far.asked(3, &[&reg2[..], &[0]].concat()), []);
}

#[test]
fn keepalives_of_all_three_forms_come_back_as_they_were_and_none_shorter_than_32_bytes() {
    let (mut far, _) = Far::with_links(1);
    let stamped = "9000 0000000001020304";
    let long = "9000 0000000001020304 c01f 0001 00000003 00004e20 ffffffff 00000050 00000007 0007a120";

    assert_eq!(far.asked(1, &bytes("9000")), [(1, Bytes::from(padded("9000")))]);
    assert_eq!(far.asked(1, &bytes(stamped)), [(1, Bytes::from(padded(stamped)))]);
    assert_eq!(far.asked(1, &bytes(long)), [(1, Bytes::from(bytes(long)))]);
    assert_eq!(far.asked(9, &bytes("9000")), [], "who is no link hears nothing");
}

#[test]
fn ten_numbers_are_acknowledged_in_44_bytes_on_the_link_that_brought_them_a_repeated_one_too() {
    let (mut far, _) = Far::with_links(2);

    for seq in 1..=5 {
        assert_eq!(far.data(1, seq), []);
        assert_eq!(far.data(2, 100 + seq), []);
    }
    for seq in [6, 7, 8, 3] {
        assert_eq!(far.data(1, seq), []);
    }
    let answers = far.data(1, 9);

    let wanted =
        bytes("9100 0000 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000003 00000009");
    assert_eq!(answers, [(1, Bytes::from(wanted))]);
}

#[test]
fn an_ack_and_a_nak_of_the_listener_go_to_every_link_and_a_handshake_to_the_one_heard_last() {
    let (mut far, _) = Far::with_links(3);
    far.data(2, 1);
    let (group, _) = far.gateway.poll_local().unwrap();
    let ack = Bytes::from(srt::emit_ack(Ack { seq: Seq::new(2), number: Some(1) }, 0, 1));
    let nak = Bytes::from(srt::emit_nak(&[(Seq::new(3), Seq::new(4))], 0, 1));
    let keepalive = Bytes::from(srt::emit_keepalive(0, 1));

    for (said, heard) in [(&ack, &[1, 2, 3][..]), (&nak, &[1, 2, 3]), (&keepalive, &[2])] {
        far.gateway.handle_local(far.now, group, said);
        assert_eq!(far.answers(), heard.iter().map(|link| (*link, said.clone())).collect::<Vec<_>>());
    }
}

#[test]
fn a_far_end_that_answers_in_two_bytes_gets_a_registration_of_ours_in_the_fields_order() {
    let now = Instant::from_millis(1);
    let mut sender = Sender::new(now, Config::default(), Rng::simulated(1));
    for link in 0..2 {
        sender.add_link(now, LinkId(link), LinkConfig { name: format!("link{link}"), metered: false });
    }
    let sent = |sender: &mut Sender, now: Instant| -> Vec<(u8, Bytes)> {
        std::iter::from_fn(|| sender.poll_transmit(now)).map(|t| (t.link.0, t.payload)).collect()
    };

    // a name that nobody can know, on every link, to be told NGP
    sender.handle_timeout(now);
    let asked = sent(&mut sender, now);
    assert_eq!(asked.iter().map(|(link, _)| *link).collect::<Vec<_>>(), [0, 1]);
    assert!(asked.iter().all(|(_, reg2)| reg2.len() == 258 && reg2.starts_with(&[0x92, 0x01])));
    let now = now + Duration::from_millis(20);
    sender.handle_datagram(now, LinkId(1), &bytes("9211"));
    let asked = sent(&mut sender, now);
    assert_eq!((asked.len(), asked[0].0, asked[0].1.len()), (1, 1, 258));
    assert_eq!(asked[0].1[..2], [0x92, 0x00]);
    let mut reg2 = asked[0].1.to_vec();
    reg2[1] = 0x01;
    reg2[130..].fill(0xee);
    sender.handle_datagram(now, LinkId(1), &reg2);
    let asked = sent(&mut sender, now);
    assert_eq!(asked, [(0, Bytes::from(reg2.clone())), (1, Bytes::from(reg2))]);
    sender.handle_datagram(now, LinkId(0), &bytes("9202"));
    assert!(sender.stats(now).connected);
    // the first keepalive carries a stamp, whose echo is a round trip; a far end's own of 2 bytes is no error
    let keepalives = sent(&mut sender, now);
    assert!(keepalives.iter().any(|(link, payload)| *link == 0 && payload.len() == 38 && payload[..2] == [0x90, 0]));
    let later = now + Duration::from_millis(30);
    sender.handle_datagram(later, LinkId(0), &keepalives[0].1);
    sender.handle_datagram(later, LinkId(0), &padded("9000"));
    let link = &sender.stats(later).links[0];
    assert_eq!((link.rtt, link.strange_datagrams), (Some(Duration::from_millis(30)), 0));
    // REG_NAK may carry a text, and statistics are for SRT servers, not for senders
    sender.handle_datagram(later, LinkId(1), &[&bytes("9212")[..], b"not today"].concat());
    sender.handle_datagram(later, LinkId(0), &[&bytes("9300")[..], &[0; 30]].concat());
    assert_eq!(sender.stats(later).links[0].strange_datagrams, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_are_read_without_harm(datagram in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut datagram = datagram;
        let _ = srtla::parse(&datagram);
        if let Ok(Packet::Nak(list)) = srt::peek(&datagram) {
            prop_assert!(list.count() <= datagram.len() / 4);
        }
        srt::claim_nak_report(&mut datagram);
    }

    #[test]
    fn what_looks_like_a_handshake_is_read_without_harm(tail in proptest::collection::vec(any::<u8>(), 0..120)) {
        let mut datagram = bytes("80000000 00000000 00000000 00000000 00000005 00000001 00000000 000005dc 00002000 ffffffff");
        datagram.extend(tail);
        let _ = srt::peek(&datagram);
        srt::claim_nak_report(&mut datagram);
    }

    #[test]
    fn whatever_is_listed_is_read_again(numbers in proptest::collection::vec(any::<u32>(), 0..40)) {
        let seqs: Vec<Seq> = numbers.into_iter().map(Seq::new).collect();
        let frame = srtla::emit_ack(&seqs);
        match srtla::parse(&frame) {
            Ok(Repr::Ack(list)) => prop_assert_eq!(list.collect::<Vec<_>>(), seqs),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn sequence_numbers_add_and_subtract(start in any::<u32>(), ahead in 0_u32..0x3fff_ffff) {
        let start = Seq::new(start);
        prop_assert_eq!(start.plus(ahead).distance(start), ahead as i32);
        prop_assert_eq!(start.distance(start.plus(ahead)), -(ahead as i32));
    }
}
