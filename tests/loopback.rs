//! The sender and the gateway as they are shipped, on real sockets: links that die, peers of others, strangers.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use livebox::wire::{Seq, srt};
use nix::sys::signal::Signal;

use crate::peers::{
    Emulator, LIVEBOX, Listener, Process, addresses, at, bond, call, figures, free_port, gateway, knock, links_up,
    pause, peer,
};

/// Wired and six modems; the wired one falls silent at 6 s, two modems together at 9 s.
const SEVEN: &str = r#"
name = "seven"
duration = "60s"
[[link]]
name = "wired"
rate = "20Mbps"
delay = "8ms"
down = [["6s", "60s"]]
[[link]]
name = "lte1"
rate = "4Mbps"
delay = "30ms"
jitter = "2ms"
down = [["9s", "60s"]]
[[link]]
name = "lte2"
rate = "4Mbps"
delay = "40ms"
jitter = "2ms"
down = [["9s", "60s"]]
[[link]]
name = "lte3"
rate = "4Mbps"
delay = "35ms"
jitter = "2ms"
[[link]]
name = "lte4"
rate = "4Mbps"
delay = "45ms"
jitter = "2ms"
[[link]]
name = "lte5"
rate = "4Mbps"
delay = "30ms"
jitter = "2ms"
[[link]]
name = "lte6"
rate = "4Mbps"
delay = "50ms"
jitter = "2ms"
"#;

/// Three links that never change, but lose one packet in a hundred.
const THREE: &str = r#"
name = "three"
duration = "60s"
[[link]]
name = "wired"
rate = "20Mbps"
delay = "8ms"
loss = 0.01
[[link]]
name = "lte1"
rate = "4Mbps"
delay = "30ms"
jitter = "3ms"
loss = 0.01
[[link]]
name = "lte2"
rate = "4Mbps"
delay = "60ms"
jitter = "3ms"
loss = 0.01
"#;

#[test]
fn the_wired_uplink_and_two_modems_die_and_no_payload_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let listener = Listener::open();
    let (_gateway, far) = gateway(listener.port);
    let emulator = Emulator::start(SEVEN, far);
    let (bond, port) = bond(emulator.port, 7, &stats, &[]);

    // half of the 16 Mbit/s that survive both events, and 10.5 s of it, so that both are within
    let count = 8000;
    call(at(port), 8.0, count, |_| {});

    listener.has_all(count, &stats);
    let figures = figures(&stats, |f| f["packets"] == count);
    assert_eq!(figures["dropped_late"], 0, "{figures:#}");
    assert_eq!(bond.ends().0, Some(0));
}

#[test]
fn a_receiver_that_acknowledges_by_tens_and_never_in_between_is_served_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let listener = Listener::open();
    let port = free_port();
    let (listen, to) = (at(port).to_string(), at(listener.port).to_string());
    let mut receiver = Process::start("python3", &[&peer("srtla_rec.py"), &listen, &to]);
    receiver.says(&["listening"]);
    let emulator = Emulator::start(THREE, port);
    let (_bond, from) = bond(emulator.port, 3, &stats, &[]);

    let count = 4000;
    call(at(from), 5.0, count, |_| {});

    listener.has_all(count, &stats);
    let (_, said) = receiver.ends();
    let seen: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(seen["acks"].as_u64() > Some(300), "{seen}");
}

#[test]
fn a_plain_sender_of_the_field_is_served_by_the_gateway() {
    let listener = Listener::open();
    let (_gateway, far) = gateway(listener.port);
    let port = free_port();
    let (listen, to) = (at(port).to_string(), at(far).to_string());
    let addresses = addresses(3);
    let script = peer("srtla_send.py");
    let mut args = vec![script.as_str(), &listen, &to];
    args.extend(addresses.iter().map(String::as_str));
    let mut sender = Process::start("python3", &args);
    sender.says(&["sending"]);
    // until it is registered it drops what it is given, as every such sender does
    while listener.missing(1) == [0] {
        call(at(port), 5.0, 1, |_| pause(100));
    }

    let count = 3000;
    call(at(port), 5.0, count, |_| {});

    listener.has_all(count, Path::new("none"));
    let (_, said) = sender.ends();
    let seen: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((&seen["up"], &seen["refused"]), (&3.into(), &0.into()), "{seen}");
    assert!(seen["shortest"].as_u64() >= Some(32), "tiny datagrams die in mobile networks: {seen}");
}

#[test]
fn strangers_and_nonsense_on_every_port_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let listener = Listener::open();
    let (gateway, far) = gateway(listener.port);
    let (_bond, port) = bond(far, 2, &stats, &[]);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nonsense: [&[u8]; 8] =
        [&[], &[0x90], &[0x90, 0], &[0x91, 0, 0], &[0x92, 0, 1], &[0x92, 1], &[0x80; 15], &[0; 4000]];

    let forged = |seq: u32, message: u32, socket: u32| {
        let (seq, payload) = (Seq::new(seq), &[0; 1316]);
        srt::emit_data(&srt::Data { seq, message, retransmitted: false, timestamp: 0, socket, payload })
    };
    let forgeries = [knock(9), forged(4_000_000, 1, 1), forged(5, 6, 9), srt::emit_shutdown(0, 1)];

    let count = 1000;
    let mut strange = 0;
    call(at(port), 5.0, count, |n| {
        let noise = nonsense[n as usize % nonsense.len()];
        stranger.send_to(noise, at(far)).unwrap();
        stranger.send_to(noise, at(port)).unwrap();
        stranger.send_to(&forgeries[n as usize % forgeries.len()], at(port)).unwrap();
        strange += 2;
    });

    listener.has_all(count, &stats);
    let figures = figures(&stats, |f| f["packets"] == count && f["strange_packets"] == strange);
    assert_eq!((&figures["dropped_late"], &figures["connected"]), (&0.into(), &true.into()), "{figures:#}");
    assert!(!listener.was_left(), "a stranger's SHUTDOWN is none");
    assert_eq!(gateway.ends().0, Some(0));
}

#[test]
fn a_flood_of_garbage_on_the_gateways_port_and_the_callers_costs_a_live_group_nothing() {
    const FLOOD: usize = 200_000;
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let listener = Listener::open();
    let (gateway, far) = gateway(listener.port);
    let emulator = Emulator::start(THREE, far);
    let (_bond, port) = bond(emulator.port, 3, &stats, &[]);
    // all that a stranger can think of: nothing, noise, half frames, whole frames for nobody, forged data
    let garbage: Vec<Vec<u8>> = vec![
        vec![],
        vec![0x90, 0],
        vec![0x91; 44],
        [&[0x92, 0][..], &[7; 255]].concat(),
        vec![0x80; 16],
        vec![0xff; 1400],
        srt::emit_shutdown(0, 1),
        srt::emit_data(&srt::Data {
            seq: Seq::new(5),
            message: 1,
            retransmitted: false,
            timestamp: 0,
            socket: 1,
            payload: &[0; 1316],
        }),
    ];

    let over = std::sync::atomic::AtomicBool::new(false);
    let count = 2000;
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let strangers: Vec<_> = (0..4).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
            for n in 0..FLOOD {
                let to = if n % 4 == 0 { port } else { far };
                // the kernel may have no room left: that is what a flood is
                let _ = strangers[n % 4].send_to(&garbage[n / 4 % garbage.len()], at(to));
                // at most a hundred thousand a second
                if n % 100 == 99 {
                    pause(1);
                }
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        call(at(port), 5.0, count, |_| {});
    });

    assert!(over.into_inner());
    listener.has_all(count, &stats);
    let figures = figures(&stats, |f| f["packets"] == count);
    assert_eq!((&figures["dropped_late"], &figures["connected"]), (&0.into(), &true.into()), "{figures:#}");
    assert!(figures["strange_packets"].as_u64() > Some(1000), "{figures:#}");
    assert!(!listener.was_left(), "a stranger's SHUTDOWN is none");
    assert_eq!(gateway.ends().0, Some(0));
}

#[test]
fn asked_to_end_the_sender_brings_what_it_took_and_says_goodbye() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let listener = Listener::open();
    let (_gateway, far) = gateway(listener.port);
    let emulator = Emulator::start(THREE, far);
    let (bond, port) = bond(emulator.port, 3, &stats, &[]);

    let count = 1000;
    let caller = call(at(port), 8.0, count, |_| {});
    caller.send_to(&srt::emit_shutdown(0, 1), at(port)).unwrap();
    // SIGTERM comes with the last packets still under way
    assert_eq!(bond.ends().0, Some(0));

    listener.has_all(count, &stats);
    for _ in 0..100 {
        if listener.was_left() {
            return;
        }
        pause(20);
    }
    panic!("the far end was never told");
}

#[test]
fn the_uplinks_file_read_again_touches_only_the_links_that_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (stats, file) = (folder.path().join("stats.json"), folder.path().join("uplinks"));
    let listener = Listener::open();
    let (_gateway, far) = gateway(listener.port);
    let port = free_port();
    std::fs::write(&file, "127.0.1.1\n127.0.1.2 metered\n").unwrap();
    let (listen, to) = (at(port).to_string(), at(far).to_string());
    let mut bond = Process::spawn(
        Command::new(LIVEBOX)
            .args(["bond", "--listen", &listen, "--to", &to, "--uplinks-file"])
            .arg(&file)
            .arg("--stats-json")
            .arg(&stats),
    );
    figures(&stats, |f| links_up(f, 2) && f["links"][1]["metered"] == true);

    std::fs::write(&file, "127.0.1.1\n127.0.1.3\n").unwrap();
    bond.signal(Signal::SIGHUP);
    bond.says(&["socket opened", "127.0.1.3"]);
    figures(&stats, |f| {
        links_up(f, 2) && f["links"].as_array().is_some_and(|l| l.iter().any(|l| l["name"] == "127.0.1.3"))
    });
    std::fs::write(&file, "127.0.1.1 for free\n").unwrap();
    bond.signal(Signal::SIGHUP);
    bond.says(&["the old uplinks stand", "line 1"]);
    call(at(port), 5.0, 500, |_| {});

    listener.has_all(500, &stats);
    let (code, said) = bond.ends();
    assert_eq!(code, Some(0));
    let touched = said.lines().filter(|line| line.contains("127.0.1.1") && line.contains("socket")).count();
    assert_eq!(touched, 1, "opened once, never again:\n{said}");
}

#[test]
fn what_is_incomplete_or_not_understood_is_refused_before_anything_starts() {
    let refused = |args: &[&str]| {
        let common = ["bond", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:9"];
        Process::start(LIVEBOX, &[&common, args].concat()).ended()
    };

    let (native, said) = refused(&["--uplink", "127.0.1.1", "--dialect", "native"]);
    assert_eq!(native, Some(2));
    assert!(said.contains("--key FILE and --peer KEY") && said.contains("livebox keys new"), "{said}");
    let (latency, said) = refused(&["--uplink", "127.0.1.1", "--latency", "3"]);
    assert_eq!(latency, Some(2));
    assert!(said.contains("\"2s\""), "{said}");
    let (absent, said) = refused(&["--uplinks-file", "/nonexistent"]);
    assert_eq!(absent, Some(2));
    assert!(said.contains("/nonexistent"), "{said}");
}

/// Through stock libsrt at both ends; `options` of listener and caller.
fn through_libsrt(listener_options: &str, caller_options: &str) {
    const NAME: &str = "srt-live-transmit";
    assert!(Command::new(NAME).arg("-version").output().is_ok(), "{NAME} is missing; run scripts/needs.sh test");
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    sink.set_read_timeout(Some(std::time::Duration::from_secs(4))).unwrap();
    let _ = socket2::SockRef::from(&sink).set_recv_buffer_size(4 << 20);
    let (srt, source) = (free_port(), free_port());
    let listen = format!("srt://127.0.0.1:{srt}?mode=listener&latency=1000&lossmaxttl=40{listener_options}");
    let out = format!("udp://{}", sink.local_addr().unwrap());
    let _listener = Process::start(NAME, &["-q", "-loglevel:fatal", &listen, &out]);
    let (_gateway, far) = gateway(srt);
    let emulator = Emulator::start(THREE, far);
    let (_bond, port) = bond(emulator.port, 3, &stats, &[]);
    let connect = format!("srt://127.0.0.1:{port}?mode=caller&latency=1000{caller_options}");
    let feed = format!("udp://127.0.0.1:{source}");
    let _caller = Process::start(NAME, &["-q", "-loglevel:fatal", &feed, &connect]);

    let counting = std::thread::spawn(move || {
        let (mut room, mut seen) = ([0; 2048], std::collections::BTreeSet::new());
        while let Ok(len) = sink.recv(&mut room) {
            assert_eq!(len, 1316);
            let number = u32::from_be_bytes([room[4], room[5], room[6], room[7]]);
            // the session is open once something comes through; from number 1 on it is counted
            seen.insert(number);
            if number == u32::MAX {
                break;
            }
        }
        seen
    });
    let feeder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let payload = |number: u32| {
        let mut payload = vec![0x47; 1316];
        payload[4..8].copy_from_slice(&number.to_be_bytes());
        payload
    };
    // the caller connects while it is fed; until then its input is not read
    figures(&stats, |f| {
        let _ = feeder.send_to(&payload(0), at(source));
        f["delivered"].as_u64() > Some(0)
    });
    let count = 3000;
    for number in 1..=count {
        feeder.send_to(&payload(number), at(source)).unwrap();
        pause(2);
    }
    for _ in 0..20 {
        feeder.send_to(&payload(u32::MAX), at(source)).unwrap();
        pause(50);
    }

    let seen = counting.join().unwrap();
    let missing: Vec<_> = (1..=count).filter(|n| !seen.contains(n)).collect();
    assert_eq!(missing, Vec::<u32>::new(), "missing at the far end, of {count}");
}

#[test]
fn stock_libsrt_with_its_periodic_loss_reports_gets_every_payload() {
    through_libsrt("&nakreport=1", "");
}

#[test]
fn stock_libsrt_without_periodic_loss_reports_gets_every_payload() {
    through_libsrt("&nakreport=0", "");
}

#[test]
fn an_encrypted_session_with_a_stream_id_passes_untouched() {
    through_libsrt("&passphrase=correct-horse-battery", "&passphrase=correct-horse-battery&streamid=live/hall-1");
}
