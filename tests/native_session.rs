//! A native session over its public doors: what sealing costs, and what one handshake looks like in bytes.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant as Wall;

use livebox::bond::LinkId;
use livebox::bond::native::{Initiator, InitiatorConfig, Offer, PrivateKey, Received, Responder, ResponderConfig};
use livebox::rng::Rng;
use livebox::time::{Duration, Instant};
use livebox::wire::native::{
    Anchor, Control, Data, DataKind, FeedbackWriter, Fragment, Frame, Opening, Parity, Refusal, StreamSeen,
    emit_settled, parse,
};

const NOW: Instant = Instant::from_millis(1000);

/// Both sides of a session, and every datagram of the handshake with its sender.
fn session() -> (Initiator, Responder, Vec<(&'static str, Vec<u8>)>) {
    let key = |seed| PrivateKey::generate(&mut Rng::simulated(seed));
    let offer = Offer::ts(Duration::from_millis(500), &["main"]);
    let config = InitiatorConfig { key: key(1), peer: key(2).public(), offer };
    let mut a_box = Initiator::new(NOW, config, Rng::simulated(3));
    let allow = BTreeMap::from([(key(1).public(), "hall".to_owned())]);
    let config = ResponderConfig { key: key(2), allow, most_groups: 4, most_streams: 4, idle: Duration::from_secs(30) };
    let mut gateway = Responder::new(NOW, config, Rng::simulated(4));
    let (mut room, mut tape) = (vec![0; 2048], Vec::new());
    a_box.set_links(NOW, &[LinkId(0)]);
    while let Some((link, datagram)) = a_box.poll_transmit() {
        let received = gateway.handle_datagram(NOW, from(), &datagram, &mut room);
        let Received::Answer(answer) = received else { panic!("{received:?}") };
        let answer = answer.to_vec();
        a_box.handle_datagram(NOW, link, &answer, &mut room);
        tape.push(("box", datagram));
        tape.push(("gateway", answer));
    }
    assert!(a_box.is_up());
    (a_box, gateway, tape)
}

fn from() -> SocketAddr {
    ([192, 0, 2, 1], 5000).into()
}

/// Run with: cargo test --release --no-default-features --test tests sealing -- --ignored --nocapture
#[test]
#[ignore = "a measurement, not a promise: it needs a quiet machine and a release build"]
#[allow(clippy::print_stdout, reason = "the figures are what it is for")]
fn sealing_and_opening_measured() {
    let (mut a_box, mut gateway, _) = session();
    let payload = [0x47; 1316];
    let (mut frame, mut room) = (Vec::with_capacity(2048), vec![0; 2048]);
    let mut datagrams: Vec<Vec<u8>> = (0..1000).map(|_| Vec::with_capacity(2048)).collect();
    // the quickest of many batches: what the machine does when nobody else wants it
    let (mut seal, mut open, mut counter) = (f64::MAX, f64::MAX, 0_u64);
    for _ in 0..300 {
        let begun = Wall::now();
        for datagram in &mut datagrams {
            frame.clear();
            let data = Data { stream: 0, seq: counter as u32, stamp: 0, kind: DataKind::Ts, payload: &payload };
            data.emit(&mut frame);
            datagram.clear();
            a_box.seal(NOW, LinkId(0), counter, &frame, datagram).unwrap();
            counter += 1;
        }
        seal = seal.min(begun.elapsed().as_secs_f64());
        let begun = Wall::now();
        for datagram in &datagrams {
            let received = gateway.handle_datagram(NOW, from(), datagram, &mut room);
            assert!(matches!(black_box(received), Received::Frame { .. }));
        }
        open = open.min(begun.elapsed().as_secs_f64());
    }
    let gbit = |seconds: f64| 1000.0 * 1316.0 * 8.0 / seconds / 1e9;
    println!("seal {:.1} Gbit/s, open {:.1} Gbit/s, both {:.1} Gbit/s", gbit(seal), gbit(open), gbit(seal + open));
}

/// The vectors of the specification, by their labels: `label` and hexadecimal digits, alone in an indented line.
fn specified(label: &str) -> Option<String> {
    let lines = include_str!("../docs/native-wire.md").lines().filter_map(|line| line.strip_prefix("    "));
    let digits = |hex: &str| hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let vectors = lines.filter_map(|line| line.split_once(' ')).filter(|(_, hex)| digits(hex));
    let found: Vec<&str> = vectors.filter(|(l, _)| *l == label).map(|(_, hex)| hex).collect();
    (!found.is_empty()).then(|| found.concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_specification_shows_the_bytes_that_are_spoken() {
    let (mut a_box, mut gateway, tape) = session();
    let mut vectors: Vec<(String, Vec<u8>)> = vec![
        ("box-private".into(), bytes(&PrivateKey::generate(&mut Rng::simulated(1)).to_file_text())),
        ("gateway-private".into(), bytes(&PrivateKey::generate(&mut Rng::simulated(2)).to_file_text())),
    ];
    let steps = ["ask", "cookie", "hello", "welcome"];
    vectors.extend(steps.iter().zip(&tape).map(|(step, (_, datagram))| ((*step).to_owned(), datagram.clone())));

    let data = Data { stream: 1, seq: 0x01_0203, stamp: 0x0405_0607, kind: DataKind::Ts, payload: &[0x47, 1, 2, 3] };
    let srt = Data { kind: DataKind::Srt { anchor: 5, key: 2, resent: true }, stream: 0, ..data };
    let frames = [
        ("data-ts", Frame::Data(data)),
        ("data-srt", Frame::Data(srt)),
        ("data-whole", Frame::Data(Data { kind: DataKind::Whole, stream: 0, ..data })),
        ("probe", Frame::Probe { padding: 3 }),
        ("half-1", Frame::Fragment(Fragment { id: 0x0102, second: false, part: &[1, 2] })),
        ("half-2", Frame::Fragment(Fragment { id: 0x0102, second: true, part: &[3, 4] })),
        (
            "parity",
            Frame::Parity(Parity { stream: 1, first: 0x01_0203, count: 16, repairs: 2, index: 1, shard: &[9, 9] }),
        ),
        (
            "control",
            Frame::Control(Control { stream: 0, number: 7, next: 0x01_0203, stamp: 0x0405_0607, packet: &[0x80, 1] }),
        ),
        (
            "anchor",
            Frame::Anchor(Anchor { id: 5, stream: 0, seq: 0x7abb_ccdd, word: 0xe000_002a, socket: 0x1122_3344 }),
        ),
        ("renew", Frame::Renew),
        ("bye", Frame::Bye),
    ];
    for (label, frame) in frames {
        let mut out = Vec::new();
        frame.emit(&mut out);
        assert_eq!(parse(&out), Ok(frame), "{label}");
        vectors.push((label.to_owned(), out));
    }
    let mut out = Vec::new();
    let mut writer = FeedbackWriter::new(&mut out, 5_000, 1200);
    writer.stream(StreamSeen { stream: 0, next: 77, missing: 300 });
    writer.link(2, [0x14..=0x18, 0x08..=0x0e], [4_990, 4_985, 4_986], 1200);
    writer.finish();
    vectors.push(("feedback".to_owned(), std::mem::take(&mut out)));
    emit_settled([(2, 0x100_0008), (3, 5)], &mut out);
    vectors.push(("settled".to_owned(), std::mem::take(&mut out)));
    Opening::Refusal(Refusal::WrongKey).emit([1, 2, 3, 4, 5, 6, 7, 8], &mut out);
    vectors.push(("refusal".to_owned(), std::mem::take(&mut out)));
    Opening::emit_unknown_session(0x0102_0304, &mut out);
    vectors.push(("unknown-session".to_owned(), std::mem::take(&mut out)));
    let mut frame = Vec::new();
    data.emit(&mut frame);
    a_box.seal(NOW, LinkId(0), 0x01_0000_0005, &frame, &mut out).unwrap();
    // the gateway knows nothing of a counter that begins beyond its 24 bits: it was not in the hello
    let mut room = vec![0; 2048];
    assert_eq!(gateway.handle_datagram(NOW, from(), &out, &mut room), Received::Nothing);
    let (mut a_box, ..) = session();
    out.clear();
    a_box.seal(NOW, LinkId(0), 5, &frame, &mut out).unwrap();
    assert!(matches!(gateway.handle_datagram(NOW, from(), &out, &mut room), Received::Frame { counter: 5, .. }));
    vectors.push(("sealed".to_owned(), out));

    let wrong: Vec<String> = vectors
        .iter()
        .filter(|(label, bytes)| specified(label) != Some(hex(bytes)))
        .map(|(label, bytes)| format!("    {label} {}", hex(bytes)))
        .collect();

    assert!(wrong.is_empty(), "docs/native-wire.md shows other bytes than these:\n{}", wrong.join("\n"));
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.trim().bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
