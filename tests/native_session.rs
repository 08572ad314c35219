//! A native session over its public doors: what sealing costs, and what one handshake looks like in bytes.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant as Wall;

use livebox::bond::LinkId;
use livebox::bond::native::{Initiator, InitiatorConfig, Offer, PrivateKey, Received, Responder, ResponderConfig};
use livebox::rng::Rng;
use livebox::time::{Duration, Instant};
use livebox::wire::native::{Data, DataKind};

const NOW: Instant = Instant::from_millis(1000);

/// Both sides of a session, and every datagram of the handshake with its sender.
pub(crate) fn session() -> (Initiator, Responder, Vec<(&'static str, Vec<u8>)>) {
    let key = |seed| PrivateKey::generate(&mut Rng::simulated(seed));
    let offer = Offer::ts(Duration::from_millis(500), &["main"]);
    let config = InitiatorConfig { key: key(1), peer: key(2).public(), offer };
    let mut a_box = Initiator::new(NOW, config, Rng::simulated(3));
    let allow = BTreeMap::from([(key(1).public(), "hall".to_owned())]);
    let config = ResponderConfig { key: key(2), allow, most_groups: 4, idle: Duration::from_secs(30) };
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
fn sealing_and_opening_measured() {
    let (mut a_box, mut gateway, _) = session();
    let payload = [0x47; 1316];
    let (mut frame, mut room) = (Vec::with_capacity(2048), vec![0; 2048]);
    let mut datagrams: Vec<Vec<u8>> = (0..1000).map(|_| Vec::with_capacity(2048)).collect();
    let (mut seal, mut open, mut counter) = (0.0, 0.0, 0_u64);
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
        seal += begun.elapsed().as_secs_f64();
        let begun = Wall::now();
        for datagram in &datagrams {
            let received = gateway.handle_datagram(NOW, from(), datagram, &mut room);
            assert!(matches!(black_box(received), Received::Frame { .. }));
        }
        open += begun.elapsed().as_secs_f64();
    }
    let gbit = |seconds: f64| counter as f64 * 1316.0 * 8.0 / seconds / 1e9;
    println!("seal {:.1} Gbit/s, open {:.1} Gbit/s, both {:.1} Gbit/s", gbit(seal), gbit(open), gbit(seal + open));
}
