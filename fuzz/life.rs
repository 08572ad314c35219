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
