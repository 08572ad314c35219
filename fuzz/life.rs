/// Reads a datagram as SRT and walks through all that can be walked through.
pub(crate) fn srt(datagram: &[u8]) {
    if let Ok(livebox::wire::srt::Packet::Nak(list)) = livebox::wire::srt::peek(datagram) {
        assert!(list.count() <= datagram.len() / 4);
    }
    livebox::wire::srt::claim_nak_report(&mut datagram.to_vec());
}

/// Reads a datagram as SRTLA; what was read, written again, reads the same.
pub(crate) fn srtla(datagram: &[u8]) {
    if let Ok(frame) = livebox::wire::srtla::parse(datagram) {
        let again = frame.to_vec();
        assert_eq!(livebox::wire::srtla::parse(&again).as_ref(), Ok(&frame));
    }
}

/// A random life of a Sender: each step is a byte that says what happens, and bytes that say how.
pub(crate) fn sender(mut life: &[u8]) {
    use livebox::bond::{Config, LinkConfig, LinkId, Sender};
    use livebox::time::{Duration, Instant};

    let mut now = Instant::from_millis(1);
    let mut sender = Sender::new(now, Config::default(), livebox::rng::Rng::simulated(1));
    let mut take = |count: usize| {
        let (taken, rest) = life.split_at(count.min(life.len()));
        life = rest;
        taken
    };
    let knock = livebox::wire::srt::Handshake {
        step: livebox::wire::srt::Step::Conclusion,
        version: 5,
        initial_seq: livebox::wire::Seq::new(0),
        socket: 1,
        cookie: 0,
        settings: None,
    };
    let opening = livebox::wire::srt::emit_handshake(&knock, 0, 0);
    sender.handle_packet(now, ([127, 0, 0, 1], 6000).into(), opening.into());
    while let [what] = take(1) {
        let link = LinkId(what % 4);
        match what / 4 % 8 {
            0 => sender.add_link(now, link, LinkConfig { name: "link".to_owned(), metered: *what > 127 }),
            1 => sender.handle_carrier(now, link, *what > 127),
            2 => sender.remove_link(now, link),
            3 => sender.handle_send_error(now, link),
            4 => now += Duration::from_millis(take(1).iter().map(|ms| u64::from(*ms) * 4).sum()),
            5 => {
                let length = take(1).iter().map(|len| usize::from(*len)).sum();
                let from = ([127, 0, 0, 1], 6000 + u16::from(*what > 247)).into();
                sender.handle_packet(now, from, bytes::Bytes::copy_from_slice(take(length)));
            }
            _ => {
                let length = take(1).iter().map(|len| usize::from(*len)).sum();
                sender.handle_datagram(now, link, take(length));
            }
        }
        for _ in 0..1000 {
            match sender.next_timeout() {
                Some(at) if at <= now => sender.handle_timeout(now),
                _ => break,
            }
        }
        while sender.poll_transmit(now).is_some() {}
        while sender.poll_caller().is_some() {}
        let (bytes, waiting) = sender.held();
        assert!(bytes <= (48 << 20) + 1500 && waiting <= 32_768);
        let _ = sender.stats(now);
    }
}

/// Reads a datagram, a frame and a handshake's payload of the native dialect, and walks through all that can be
/// walked through; what was read, written again, reads the same.
pub(crate) fn native(datagram: &[u8]) {
    use livebox::wire::native::{Clear, Frame, Hello, Opening, Sealed, Welcome, parse};

    let mut again = Vec::new();
    match Clear::parse(datagram) {
        Ok(Clear::Sealed(Sealed { link, session, counter, body })) => {
            Sealed::emit_header(link, session, u64::from(counter), &mut again);
            again.extend_from_slice(body);
            assert_eq!(again, datagram);
        }
        Ok(Clear::Opening { token, step }) => {
            step.emit(token, &mut again);
            assert_eq!(Clear::parse(&again), Ok(Clear::Opening { token, step }));
        }
        Ok(Clear::UnknownSession(session)) => Opening::emit_unknown_session(session, &mut again),
        Ok(Clear::UnknownVersion { .. }) | Err(_) => {}
    }
    assert!(Clear::parse(datagram).is_err() || Clear::is_native(datagram));
    if let Ok(hello) = Hello::parse(datagram) {
        assert!((1..=16).contains(&hello.streams.iter().count()));
    }
    let _ = Welcome::parse(datagram);
    let Ok(frame) = parse(datagram) else { return };
    again.clear();
    frame.emit(&mut again);
    assert_eq!(parse(&again), Ok(frame));
    match frame {
        Frame::Feedback(feedback) => {
            assert!(feedback.streams().count() <= datagram.len());
            for link in feedback.links() {
                for highest in [0, u64::from(link.highest), u64::MAX] {
                    assert!(link.ranges(highest).count() <= datagram.len());
                    assert!(link.arrivals(highest).count() <= datagram.len());
                }
            }
        }
        Frame::Settled(settled) => assert!(settled.links().count() <= datagram.len()),
        Frame::Echo(echo) => assert!(echo.items().count() <= datagram.len()),
        _ => {}
    }
}

/// Bytes that say what happens, one after the other; none left is the end.
struct Fate<'a>(&'a [u8]);

impl<'a> Fate<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The two sides of a session, as the lives below need them.
mod sides {
    use std::collections::BTreeMap;

    use livebox::bond::native::{Initiator, InitiatorConfig, Offer, PrivateKey, PublicKey, Responder, ResponderConfig};
    use livebox::rng::Rng;
    use livebox::time::{Duration, Instant};

    pub(super) fn key(seed: u64) -> PrivateKey {
        PrivateKey::generate(&mut Rng::simulated(seed))
    }

    pub(super) fn allowed() -> BTreeMap<PublicKey, String> {
        BTreeMap::from([(key(1).public(), "hall-1".to_owned()), (key(3).public(), "hall-3".to_owned())])
    }

    pub(super) fn responder(now: Instant, seed: u64) -> Responder {
        let config = ResponderConfig {
            key: key(2),
            allow: allowed(),
            most_groups: 2,
            most_streams: 4,
            idle: Duration::from_secs(20),
        };
        Responder::new(now, config, Rng::simulated(seed))
    }

    pub(super) fn initiator(now: Instant, offer: Offer, seed: u64) -> Initiator {
        Initiator::new(now, InitiatorConfig { key: key(1), peer: key(2).public(), offer }, Rng::simulated(seed))
    }
}

/// A random life of both sides of a session: datagrams are lost, swapped, doubled, changed, and made up; links get
/// new addresses; box and gateway begin anew. What comes out was put in, and only once; how much did is told.
pub(crate) fn handshake(life: &[u8]) -> usize {
    use std::collections::BTreeSet;
    use std::net::SocketAddr;

    use livebox::bond::LinkId;
    use livebox::bond::native::{Heard, Offer, Received};
    use livebox::time::{Duration, Instant};

    let mut fate = Fate(life);
    let mut now = Instant::from_millis(1000);
    let offer = Offer::srt(Duration::from_secs(1), "main");
    let (mut a_box, mut gateway) = (sides::initiator(now, offer.clone(), 5), sides::responder(now, 6));
    // what is under way, and over which link it goes
    type Way = Vec<(u8, Vec<u8>)>;
    let (mut up, mut down) = (Way::new(), Way::new());
    let (mut sealed, mut opened, mut seeds, mut port) = (0_u64, BTreeSet::new(), 100, 5000);
    let mut room = vec![0; 2048];
    a_box.set_links(now, &[LinkId(0), LinkId(1)]);
    while let Some(what) = fate.byte() {
        let link = what >> 6;
        match what & 0x0f {
            0 => {
                let links: Vec<LinkId> = (0..fate.byte().unwrap_or(0) % 5).map(LinkId).collect();
                a_box.set_links(now, &links);
            }
            1..=3 => now += Duration::from_millis(u64::from(fate.byte().unwrap_or(0))),
            4 | 5 => {
                let (frame, mut out) = (sealed.to_be_bytes(), Vec::new());
                if a_box.seal(now, LinkId(link), sealed, &frame, &mut out).is_ok() {
                    assert!(a_box.seal(now, LinkId(link), sealed, &frame, &mut Vec::new()).is_err());
                    sealed += 1;
                    up.push((link, out));
                }
            }
            6..=13 => {
                // a datagram arrives: the first, or any, whole or changed, and maybe again later
                let how = fate.byte().unwrap_or(0);
                let (way, up_way) = if what & 1 == 0 { (&mut up, true) } else { (&mut down, false) };
                if way.is_empty() {
                    continue;
                }
                let at = if how & 1 == 0 { 0 } else { usize::from(how >> 1) % way.len() };
                let (link, mut datagram) = way.remove(at);
                match how >> 4 {
                    10 => continue,
                    11..=13 => way.push((link, datagram.clone())),
                    14 => datagram.truncate(usize::from(fate.byte().unwrap_or(0))),
                    15 => {
                        let place = usize::from(fate.byte().unwrap_or(0)) % datagram.len();
                        datagram[place] ^= fate.byte().unwrap_or(0);
                    }
                    _ => {}
                }
                if up_way {
                    let from: SocketAddr = ([192, 0, 2, link], port).into();
                    match gateway.handle_datagram(now, from, &datagram, &mut room) {
                        Received::Nothing => {}
                        Received::Answer(answer) => {
                            assert!(answer.len() <= datagram.len(), "{} for {}", answer.len(), datagram.len());
                            down.push((link, answer.to_vec()));
                        }
                        Received::Frame { group, link, counter, frame } => {
                            assert_eq!(frame, counter.to_be_bytes());
                            assert!(opened.insert((group, link, counter)), "{counter} of link {link} twice");
                            let mut out = Vec::new();
                            if gateway.seal(group, link, b"heard", &mut out).is_ok() {
                                down.push((link, out));
                            }
                        }
                    }
                } else if let Heard::Frame { frame, .. } =
                    a_box.handle_datagram(now, LinkId(link), &datagram, &mut room)
                {
                    assert!(matches!(frame, b"heard" | [0x0a] | [0x0b]));
                }
            }
            14 => match fate.byte().unwrap_or(0) % 64 {
                0 => {
                    (a_box, seeds) = (sides::initiator(now, offer.clone(), seeds), seeds + 1);
                    // a box that began anew counts anew, and what it sealed then is of other sessions
                    sealed += 1 << 20;
                }
                1 => (gateway, seeds) = (sides::responder(now, seeds), seeds + 1),
                2 => gateway.set_allowed(Default::default()),
                3 => gateway.set_allowed(sides::allowed()),
                _ => port += 1,
            },
            _ => {
                let length = usize::from(fate.byte().unwrap_or(0));
                let stranger: SocketAddr = ([203, 0, 113, 1], 9).into();
                let made_up = fate.take(length);
                let _ = gateway.handle_datagram(now, stranger, made_up, &mut room);
                let _ = a_box.handle_datagram(now, LinkId(link), made_up, &mut room);
            }
        }
        for _ in 0..100 {
            if gateway.next_timeout().is_none_or(|at| at > now) && a_box.next_timeout().is_none_or(|at| at > now) {
                break;
            }
            gateway.handle_timeout(now);
            a_box.handle_timeout(now);
        }
        while let Some((link, datagram)) = a_box.poll_transmit() {
            up.push((link.0, datagram));
        }
        while let Some((to, datagram)) = gateway.poll_transmit() {
            let SocketAddr::V4(to) = to else { continue };
            down.push((to.ip().octets()[3], datagram));
        }
        while gateway.poll_event().is_some() {}
        while a_box.poll_event().is_some() {}
        assert!(gateway.groups() <= 2 && gateway.sessions_known() <= 16);
        let over = |way: &Way| way.len().saturating_sub(256);
        up.drain(..over(&up));
        down.drain(..over(&down));
    }
    opened.len()
}

/// A frame of any type, with numbers that lie near one another; or any bytes.
fn frame(fate: &mut Fate<'_>, what: u8, out: &mut Vec<u8>) {
    use livebox::wire::native::{Anchor, Control, Data, DataKind, Fragment, Frame, Parity, emit_settled};

    let (near, length) = (u32::from(fate.byte().unwrap_or(0)), usize::from(fate.byte().unwrap_or(0)));
    let seq = 0xff_ff80_u32.wrapping_add(near) & 0xff_ffff;
    let stamp = near * 10_000;
    let payload = fate.take(length);
    let data = |stream, kind| Frame::Data(Data { stream, seq, stamp, kind, payload });
    match what % 12 {
        0..=2 => data(what >> 4 & 1, DataKind::Ts).emit(out),
        3 => data(0, DataKind::Srt { anchor: what >> 5, key: 0, resent: false }).emit(out),
        4 => data(0, DataKind::Whole).emit(out),
        5 => Frame::Anchor(Anchor { id: what >> 5, stream: 0, seq, word: 0xe000_0001, socket: 7 }).emit(out),
        6 => {
            Frame::Control(Control { stream: 0, number: near as u16, next: seq, stamp, packet: payload }).emit(out);
        }
        7 => emit_settled([(what >> 4, u64::from(near))], out),
        8 => {
            let (count, repairs, index) = (1 + (what >> 4), 1 + (what >> 6), what & 3);
            Frame::Parity(Parity { stream: 0, first: seq, count, repairs, index, shard: payload }).emit(out);
        }
        9 => Frame::Fragment(Fragment { id: near as u16 % 8, second: what > 127, part: payload }).emit(out),
        10 => Frame::Bye.emit(out),
        _ => out.extend_from_slice(payload),
    }
}

/// A random life of a Receiver, with streams of either kind; how many bytes came out is told.
pub(crate) fn receiver(life: &[u8]) -> usize {
    use livebox::bond::{Output, Receiver, ReceiverConfig};
    use livebox::time::{Duration, Instant};
    use livebox::wire::native::StreamKind;

    let mut fate = Fate(life);
    let mut now = Instant::from_millis(1000);
    let streams = match fate.byte() {
        Some(kind) if kind > 127 => vec![(0, StreamKind::Srt)],
        Some(_) => vec![(0, StreamKind::Ts), (1, StreamKind::Ts)],
        None => return 0,
    };
    let mut receiver = Receiver::new(now, ReceiverConfig { latency: Duration::from_millis(200), streams });
    let (mut counters, mut bytes, mut given) = ([0_u64; 17], 0, 0);
    while let Some(what) = fate.byte() {
        match what % 8 {
            0 => now += Duration::from_millis(u64::from(fate.byte().unwrap_or(0)) * 4),
            1 => receiver.handle_control(now, what >> 6, fate.take(20)),
            _ => {
                let link = usize::from(what >> 3) % 17;
                let mut out = Vec::new();
                frame(&mut fate, (what / 8).wrapping_mul(13) ^ what, &mut out);
                counters[link] += u64::from(fate.byte().unwrap_or(1) % 5);
                bytes += out.len();
                let out = bytes::Bytes::from(out);
                let _ = receiver.handle_frame(now, link as u8, counters[link], out.len() + 24, &out);
            }
        }
        for _ in 0..1000 {
            match receiver.next_timeout() {
                Some(at) if at <= now => receiver.handle_timeout(now),
                _ => break,
            }
        }
        while let Some(output) = receiver.poll_output() {
            if let Output::Payload { payload, .. } = output {
                given += payload.len();
            }
        }
        while let Some((link, frame)) = receiver.poll_frame() {
            assert!(link < 16 && frame.len() <= 1200);
        }
        let waiting: u64 = receiver.stats().streams.values().map(|stream| stream.waiting).sum();
        // an SRT packet gets its header of 16 bytes back, and has given up one of 8
        assert!(given as u64 + waiting <= 2 * bytes as u64, "more comes out than went in");
        assert!(waiting <= 2 * Receiver::MOST_BYTES as u64);
    }
    given
}

/// A random life of a Gateway: a native box, an SRTLA box, strangers, and what their listeners answer; how much it
/// passed on is told.
pub(crate) fn gateway(life: &[u8]) -> usize {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;

    use livebox::bond::LinkId;
    use livebox::bond::native::Offer;
    use livebox::gateway::{Gateway, GroupKey, Limits, Registry};
    use livebox::rng::Rng;
    use livebox::time::{Duration, Instant};
    use livebox::wire::srtla::{GroupId, Repr};

    let mut fate = Fate(life);
    let mut now = Instant::from_millis(1000);
    let limits = Limits { groups: 2, links: 3, streams: 2, ..Limits::default() };
    let registry = Registry { key: sides::key(2), allow: sides::allowed() };
    let mut gateway = Gateway::new(now, limits, Some(registry), Rng::simulated(7));
    let offer = match fate.byte() {
        Some(kind) if kind > 127 => Offer::srt(Duration::from_millis(300), "main"),
        _ => Offer::ts(Duration::from_millis(300), &["main", "slides"]),
    };
    let mut a_box = sides::initiator(now, offer, 8);
    a_box.set_links(now, &[LinkId(0), LinkId(1), LinkId(2)]);
    let (mut counter, mut passed, mut known, mut room) = (0, 0, BTreeMap::<GroupKey, ()>::new(), vec![0; 2048]);
    let from = |net: u8, host: u8| -> SocketAddr { ([192, 0, net, host], 5000).into() };
    while let Some(what) = fate.byte() {
        let link = what >> 6;
        match what % 10 {
            0 => now += Duration::from_millis(u64::from(fate.byte().unwrap_or(0)) * 16),
            1..=4 => {
                let (mut inner, mut out) = (Vec::new(), Vec::new());
                frame(&mut fate, (what / 10).wrapping_mul(7) ^ what, &mut inner);
                if a_box.seal(now, LinkId(link), counter, &inner, &mut out).is_ok() {
                    gateway.handle_datagram(now, from(2, link), &out);
                }
                counter += 1;
            }
            5 => {
                // a sender of the field, as it registers and as it speaks
                let id = GroupId([fate.byte().unwrap_or(0) % 4; 256]);
                let step = if what > 127 { Repr::Reg1(id) } else { Repr::Reg2(id) };
                gateway.handle_datagram(now, from(3, link), &step.to_vec());
            }
            6 => {
                let length = usize::from(fate.byte().unwrap_or(0));
                gateway.handle_datagram(now, from(2 + link, what >> 4), fate.take(length));
            }
            7 => {
                let length = usize::from(fate.byte().unwrap_or(0));
                let packet = bytes::Bytes::copy_from_slice(fate.take(length));
                let group = known.keys().next().copied().unwrap_or(GroupKey(u64::from(what)));
                gateway.handle_local(now, group, &packet);
            }
            8 => gateway.handle_second(now, &|_, _| Vec::new()),
            _ => {
                let allow = if what > 200 { BTreeMap::new() } else { sides::allowed() };
                gateway.handle_allowed(now, allow);
            }
        }
        // datagrams go to and fro until there are none: bounded, since nothing answers an answer
        for round in 0.. {
            assert!(round < 1000, "an endless conversation");
            if gateway.next_timeout() <= now {
                gateway.handle_timeout(now);
            }
            if a_box.next_timeout().is_some_and(|at| at <= now) {
                a_box.handle_timeout(now);
            }
            let mut moved = gateway.next_timeout() <= now;
            while let Some((link, datagram)) = a_box.poll_transmit() {
                gateway.handle_datagram(now, from(2, link.0), &datagram);
                moved = true;
            }
            while let Some(transmit) = gateway.poll_transmit() {
                if let SocketAddr::V4(to) = transmit.to
                    && to.ip().octets()[2] == 2
                {
                    let link = LinkId(to.ip().octets()[3]);
                    a_box.handle_datagram(now, link, &transmit.payload, &mut room);
                    moved = true;
                }
            }
            while let Some((group, _)) = gateway.poll_local() {
                known.insert(group, ());
                passed += 1;
            }
            while let Some(group) = gateway.poll_closed() {
                known.remove(&group);
            }
            while gateway.poll_opened().is_some() {}
            while gateway.poll_release().is_some() {
                passed += 1;
            }
            while a_box.poll_event().is_some() {}
            if !moved {
                break;
            }
        }
        let stats = gateway.stats();
        assert!(stats.groups <= 4, "{} groups where two of each dialect may be", stats.groups);
        assert_eq!(gateway.figures().count(), stats.groups);
    }
    passed
}

/// A random life of a native Sender: its handshake, payloads of either kind, links that come, go, fall silent and grow
/// narrow, what the gateway truly tells, told twice, late, changed or never, and what only a mad gateway would say. What
/// comes out at the far end was put in, and only once; how much did is told.
pub(crate) fn tunnel(life: &[u8]) -> usize {
    use std::collections::{BTreeSet, VecDeque};

    use livebox::bond::native::{Cutter, InitiatorConfig, Offer, Received, ResponderEvent};
    use livebox::bond::{Config, LinkConfig, LinkId, Output, Receiver, ReceiverConfig, Sender};
    use livebox::rng::Rng;
    use livebox::time::{Duration, Instant};
    use livebox::wire::native::{FeedbackWriter, StreamKind, StreamSeen};
    use livebox::wire::srt;

    const L: Duration = Duration::from_millis(300);
    let mut fate = Fate(life);
    let mut now = Instant::from_millis(1000);
    let as_srt = match fate.byte() {
        Some(kind) => kind > 127,
        None => return 0,
    };
    let (offer, streams) = if as_srt {
        (Offer::srt(L, "main"), vec![(0, StreamKind::Srt)])
    } else {
        (Offer::ts(L, &["main", "slides"]), vec![(0, StreamKind::Ts), (1, StreamKind::Ts)])
    };
    let session = InitiatorConfig { key: sides::key(1), peer: sides::key(2).public(), offer };
    let config = Config { latency: L, ..Config::default() };
    let mut sender = Sender::native(now, config, session, Rng::simulated(3));
    let (mut gateway, mut receiver, mut group) = (sides::responder(now, 4), None::<Receiver>, None);
    let (mut cutter, mut room, mut made, mut given) = (Cutter::default(), vec![0; 2048], 0_u32, BTreeSet::new());
    let caller = ([127, 0, 0, 1], 6000).into();
    // what is under way, both ways, and what each link's path carries and loses of a hundred
    let (mut up, mut down) = (VecDeque::new(), VecDeque::<(u8, bytes::Bytes)>::new());
    let mut paths = [(1472, 0); 4];
    for link in 0..3 {
        sender.add_link(now, LinkId(link), LinkConfig { name: "link".to_owned(), metered: link > 0 });
        sender.handle_carrier(now, LinkId(link), true);
    }
    while let Some(what) = fate.byte() {
        let link = what >> 6;
        match what % 16 {
            0 => now += Duration::from_millis(u64::from(fate.byte().unwrap_or(0)) * 2),
            1 => {
                let config = LinkConfig { name: "link".to_owned(), metered: what > 127 };
                sender.add_link(now, LinkId(link), config);
            }
            2 => sender.handle_carrier(now, LinkId(link), fate.byte().unwrap_or(255) > 50),
            3 if what & 0x30 == 0 => sender.remove_link(now, LinkId(link)),
            3 => sender.handle_send_error(now, LinkId(link)),
            4 => {
                let (narrow, loses) = (fate.byte().unwrap_or(255), fate.byte().unwrap_or(0));
                paths[usize::from(link)] = (1200 + usize::from(narrow), loses / 4);
            }
            5 => {
                let length = usize::from(fate.byte().unwrap_or(0));
                sender.handle_datagram(now, LinkId(link), fate.take(length));
            }
            6 if group.is_some() => {
                // of the gateway's own hand, and without sense: any frame, or feedback of what never was
                let mut inner = Vec::new();
                if what & 0x10 == 0 {
                    frame(&mut fate, what >> 4, &mut inner);
                } else {
                    let clock = u32::from(fate.byte().unwrap_or(0)) << 12;
                    let mut writer = FeedbackWriter::new(&mut inner, clock, 1100);
                    let next = u32::from(fate.byte().unwrap_or(0));
                    writer.stream(StreamSeen { stream: what >> 5, next, missing: 1 });
                    let high = u64::from(fate.byte().unwrap_or(0)) << (what >> 5);
                    let low = high.saturating_sub(u64::from(fate.byte().unwrap_or(0)));
                    writer.link(link, [low..=high], [clock, clock.wrapping_sub(7)], 1000);
                    writer.finish();
                }
                let mut out = Vec::new();
                if let Some(group) = group
                    && gateway.seal(group, link, &inner, &mut out).is_ok()
                {
                    down.push_back((link, out.into()));
                }
            }
            _ => {
                // a burst of payloads, each with its number
                for _ in 0..1 + what / 32 {
                    let mut payload = vec![0x47; 188 * 7];
                    payload[4..8].copy_from_slice(&made.to_be_bytes());
                    if as_srt {
                        let seq = livebox::wire::Seq::new(made);
                        let timestamp = now.as_micros() as u32;
                        let (message, retransmitted) = (made + 1, false);
                        let data = srt::Data { seq, message, retransmitted, timestamp, socket: 1, payload: &payload };
                        if made == 0 {
                            let step = srt::Step::Conclusion;
                            let (version, initial_seq) = (5, seq);
                            let knock =
                                srt::Handshake { step, version, initial_seq, socket: 1, cookie: 0, settings: None };
                            sender.handle_packet(now, caller, srt::emit_handshake(&knock, 0, 0).into());
                        }
                        sender.handle_packet(now, caller, srt::emit_data(&data).into());
                    } else {
                        let limit = sender.payload_limit();
                        cutter.take(what >> 7, payload.into(), limit, |piece| {
                            assert!(piece.len() <= limit && piece.len() % 188 == 0);
                            sender.handle_ts(now, what >> 7, piece);
                        });
                    }
                    made += 1;
                }
            }
        }
        // both ends until nothing moves, 5 ms each way
        for _ in 0..4 {
            now += Duration::from_millis(5);
            if sender.next_timeout().is_some_and(|at| at <= now) {
                sender.handle_timeout(now);
            }
            while let Some(transmit) = sender.poll_transmit(now) {
                assert!(transmit.payload.len() <= 1472, "{} bytes are longer than any path", transmit.payload.len());
                up.push_back((transmit.link.0, transmit.payload));
            }
            while sender.poll_caller().is_some() || sender.poll_echo().is_some() {}
            while let Some((link, datagram)) = up.pop_front() {
                let (path, loses) = paths.get(usize::from(link)).copied().unwrap_or((1472, 0));
                let luck = datagram.last().copied().unwrap_or(0) % 64;
                if datagram.len() > path {
                    if luck > 31 {
                        sender.handle_too_long(now, LinkId(link), datagram.len());
                    }
                    continue;
                }
                if luck < loses {
                    continue;
                }
                match gateway.handle_datagram(now, ([192, 0, 2, link], 5000).into(), &datagram, &mut room) {
                    Received::Nothing => {}
                    Received::Answer(answer) => down.push_back((link, bytes::Bytes::copy_from_slice(answer))),
                    Received::Frame { link, counter, frame, .. } => {
                        let frame = bytes::Bytes::copy_from_slice(frame);
                        let config = ReceiverConfig { latency: L, streams: streams.clone() };
                        let receiver = receiver.get_or_insert_with(|| Receiver::new(now, config));
                        assert_eq!(receiver.handle_frame(now, link, counter, datagram.len(), &frame), Ok(()));
                    }
                }
            }
            while let Some(event) = gateway.poll_event() {
                match event {
                    ResponderEvent::Opened { group: opened, .. } => group = Some(opened),
                    ResponderEvent::Closed { .. } => group = None,
                    ResponderEvent::Moved { .. } => {}
                }
            }
            if gateway.next_timeout().is_some_and(|at| at <= now) {
                gateway.handle_timeout(now);
            }
            if let Some(receiver) = &mut receiver {
                receiver.handle_timeout(now);
                while let Some(output) = receiver.poll_output() {
                    let Output::Payload { stream, number, payload, .. } = output else { continue };
                    assert!(given.insert((stream, number)), "{number} of stream {stream} twice");
                    let at = if as_srt { 20 } else { 4 };
                    let own = payload.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
                    // a piece may begin in the midst of a payload
                    assert!(own.is_some_and(|own| own < made || own == 0x4747_4747), "{own:?} was never put in");
                }
                while let (Some((link, frame)), Some(group)) = (receiver.poll_frame(), group) {
                    let mut out = Vec::new();
                    if gateway.seal(group, link, &frame, &mut out).is_ok() && what % 5 != 0 {
                        down.push_back((link, out.into()));
                    }
                }
            }
            for _ in 0..down.len().saturating_sub(usize::from(what % 3)) {
                let Some((link, datagram)) = down.pop_front() else { break };
                sender.handle_datagram(now, LinkId(link), &datagram);
                if what % 7 == 0 {
                    // and once more
                    sender.handle_datagram(now, LinkId(link), &datagram);
                }
            }
            while let Some((to, datagram)) = gateway.poll_transmit() {
                let std::net::SocketAddr::V4(to) = to else { continue };
                down.push_back((to.ip().octets()[3], datagram.into()));
            }
        }
        let (bytes, waiting) = sender.held();
        assert!(bytes <= (48 << 20) + 1500 && waiting <= 32_768);
        let _ = sender.stats(now);
    }
    given.len()
}
