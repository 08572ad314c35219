//! The sender and the gateway as they are shipped, on real sockets: links that die, peers of others, strangers.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use livebox::units::Bitrate;
use livebox::wire::{Seq, srt};
use nix::sys::signal::Signal;

use crate::peers::line::{Line, Plan, keys};
use crate::peers::{
    Emulator, LIVEBOX, Listener, Process, addresses, at, bond, call, figures, free_port, gateway, gateway_with, knock,
    links_up, pause, peer,
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
    let (theirs, _) = keys(folder.path());
    let (mut gateway, far) = gateway_with(listener.port, &theirs.each_ref().map(String::as_str));
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
        // of the native dialect: sealed by nobody, an ask, a hello without a cookie, a later version
        vec![0xa1; 1375],
        [&[0xb0, 1][..], &[7; 62]].concat(),
        [&[0xb2, 1][..], &[7; 150]].concat(),
        vec![0xd0; 60],
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
    let reasons = ["unreadable", "stranger", "native_unknown_session", "native_bad_cookie", "native_unknown_version"];
    gateway.says(&reasons.iter().copied().chain(["so far"]).collect::<Vec<_>>());
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
fn boxes_of_both_dialects_are_on_air_on_one_port_at_once_and_none_misses_a_payload() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::open();
    let (theirs, ours) = keys(folder.path());
    let (gateway, far) = gateway_with(listener.port, &theirs.each_ref().map(String::as_str));
    let plain: [&str; 0] = [];
    let sealed = ours.each_ref().map(String::as_str);
    let boxes: Vec<_> = [&plain[..], &sealed[..], &plain[..]]
        .iter()
        .enumerate()
        .map(|(n, more)| {
            let stats = folder.path().join(format!("stats{n}"));
            let emulator = Emulator::start(THREE, far);
            let (bond, port) = bond(emulator.port, 3, &stats, more);
            (stats, emulator, bond, port)
        })
        .collect();

    let count = 2500;
    std::thread::scope(|threads| {
        for (.., port) in &boxes {
            threads.spawn(|| call(at(*port), 3.0, count, |_| {}));
        }
    });

    listener.all_have(boxes.len(), count, &boxes[1].0);
    for (stats, ..) in &boxes {
        let figures = figures(stats, |f| f["packets"] == count);
        assert_eq!((&figures["dropped_late"], &figures["connected"]), (&0.into(), &true.into()), "{figures:#}");
    }
    let (code, said) = gateway.ends();
    assert_eq!(code, Some(0));
    let came = |word: &str| said.lines().filter(|line| line.contains(word)).count();
    assert_eq!((came("group registered"), came("box has come")), (2, 1), "{said}");
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

/// Through stock libsrt at both ends; `listener` and `caller` are their options.
fn through_libsrt(listener: &str, caller: &str, sealed: bool) {
    let listener = format!("&lossmaxttl=40{listener}");
    let plan = Plan { scenario: THREE, session_ms: 1000, listener: &listener, caller, sealed, ..Plan::default() };
    let line = Line::lay(&plan);

    let flow = line.carries_all(Bitrate::mbps(4), 7);

    assert!(flow["made"].as_u64() > Some(2500), "{flow}");
}

#[test]
fn stock_libsrt_with_its_periodic_loss_reports_gets_every_payload() {
    through_libsrt("&nakreport=1", "", false);
}

#[test]
fn stock_libsrt_without_periodic_loss_reports_gets_every_payload() {
    through_libsrt("&nakreport=0", "", false);
}

#[test]
fn an_encrypted_session_with_a_stream_id_passes_untouched() {
    through_libsrt(SECRET, &format!("{SECRET}&streamid=live/hall-1"), false);
}

#[test]
fn in_the_native_dialect_too_an_encrypted_session_with_a_stream_id_passes_untouched() {
    through_libsrt(SECRET, &format!("{SECRET}&streamid=live/hall-1"), true);
}

/// Whoever has another secret, or none, hears nothing: the session is encrypted from end to end.
const SECRET: &str = "&passphrase=correct-horse-battery";
