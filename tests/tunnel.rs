//! SRT through the tunnel as stock programs speak it, judged by stamps in the payloads at the far end.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use livebox::sim::{Scenario, oracle};
use livebox::units::Bitrate;

use crate::peers::line::{Between, Line, Plan};
use crate::peers::{Emulator, PATIENCE, at, figures};

/// Three links of unlike delay that lose one packet in two hundred.
const THREE: &str = r#"
name = "three"
duration = "60s"
[[link]]
name = "wired"
rate = "20Mbps"
delay = "8ms"
loss = 0.005
[[link]]
name = "lte1"
rate = "6Mbps"
delay = "30ms"
jitter = "3ms"
loss = 0.005
[[link]]
name = "lte2"
rate = "6Mbps"
delay = "60ms"
jitter = "3ms"
loss = 0.005
"#;

#[test]
fn a_stock_listener_gets_all_in_order_and_the_caller_neither_drops_nor_repeats_anything() {
    let line = Line::lay(&Plan { scenario: THREE, ..Plan::default() });

    let flow = line.carries_all(Bitrate::mbps(3), 15);

    let bond = figures(&line.stats, |f| f["packets"].as_u64() > Some(0));
    assert!(flow["made"].as_u64() > Some(4000), "{flow}");
    assert_eq!((line.caller_figure("packetsDropped"), line.caller_figure("packetsRetransmitted")), (0, 0));
    assert_eq!(bond["latency_ms"], 2000.0, "L is what the session has negotiated, less 250 ms");
    assert_eq!(bond["dropped_late"], 0);
    assert!(bond["naks_swallowed"].as_u64() > Some(0), "a stock listener asks at once for what is only late: {bond:#}");
}

#[test]
fn in_the_native_dialect_too_the_caller_neither_drops_nor_repeats_and_l_is_the_sessions() {
    let line = Line::lay(&Plan { scenario: THREE, sealed: true, ..Plan::default() });

    line.carries_all(Bitrate::mbps(3), 10);

    let bond = figures(&line.stats, |f| f["packets"].as_u64() > Some(0));
    assert_eq!((line.caller_figure("packetsDropped"), line.caller_figure("packetsRetransmitted")), (0, 0));
    assert_eq!((&bond["latency_ms"], &bond["dropped_late"]), (&2000.0.into(), &0.into()));
    assert_eq!(bond["naks_swallowed"], 0, "the listener gets all in order and has nothing to ask for: {bond:#}");
}

/// Between links and gateway: passes everything, from a port of each link's own as a NAT does, and makes mischief of it.
struct Hostile {
    port: u16,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hostile {
    fn start(to: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        socket.set_nonblocking(true).unwrap();
        let (port, end) = (socket.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let over = Arc::clone(&end);
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                pass(&socket, to, &over);
            }
        });
        Self { port, end, thread: Some(thread) }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn pass(public: &UdpSocket, to: u16, over: &AtomicBool) {
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut links: BTreeMap<SocketAddr, UdpSocket> = BTreeMap::new();
    let (mut room, mut passed, mut kept) = ([0; 2048], 0_usize, VecDeque::new());
    while !over.load(Ordering::Relaxed) {
        let mut idle = true;
        while let Ok((len, from)) = public.recv_from(&mut room) {
            idle = false;
            let upstream = links.entry(from).or_insert_with(|| {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.connect(at(to)).unwrap();
                socket.set_nonblocking(true).unwrap();
                socket
            });
            let genuine = room[..len].to_vec();
            // cut, changed, of a later version, for nobody, of nobody: from the link's own address, and before it
            let mut forged = genuine.clone();
            match passed % 6 {
                0 => forged.truncate(len / 3 % 24),
                1 => *forged.last_mut().unwrap() ^= 1,
                2 => forged[0] = 0xe0,
                3 => forged[2..6].fill(0xaa),
                4 => forged.iter_mut().for_each(|byte| *byte ^= 0x55),
                _ => forged[len / 2] ^= 0x80,
            }
            let _ = upstream.send(&forged);
            let _ = upstream.send(&genuine);
            // said again at once, by somebody else, and long after
            let _ = upstream.send(&genuine);
            let _ = stranger.send_to(&genuine, at(to));
            kept.push_back(genuine);
            if kept.len() > 3000 {
                let _ = upstream.send(&kept.pop_front().unwrap());
            }
            passed += 1;
        }
        for (link, upstream) in &links {
            while let Ok(len) = upstream.recv(&mut room) {
                idle = false;
                let _ = public.send_to(&room[..len], link);
            }
        }
        if idle {
            crate::peers::pause(1);
        }
    }
}

#[test]
fn whoever_replays_cuts_changes_and_forges_the_boxs_datagrams_costs_its_programme_nothing() {
    let hostile = |to| -> Between {
        let hostile = Hostile::start(to);
        (hostile.port, Box::new(hostile))
    };
    let mut line = Line::lay(&Plan { scenario: THREE, sealed: true, between: Some(hostile), ..Plan::default() });

    line.carries_all(Bitrate::mbps(3), 14);

    assert_eq!(line.caller_figure("packetsRetransmitted"), 0);
    let reasons =
        ["bad_tag", "replayed", "truncated", "unknown_session", "unknown_version"].map(|r| format!("native_{r}"));
    let told = line.gateway.says(&reasons.iter().map(String::as_str).chain(["so far"]).collect::<Vec<_>>());
    assert!(told.contains("groups=1 links=3"), "{told}");
}

#[test]
fn a_latency_that_leaves_the_listener_too_little_is_refused_in_words() {
    let plan = Plan { scenario: THREE, session_ms: 1000, more: &["--latency", "800ms"], ..Plan::default() };
    let mut line = Line::lay(&plan);

    let said = line.bond.says(&["session refused", "latency 800ms", "negotiated latency of 1000ms"]);
    assert!(said.contains("1050ms or more") && said.contains("750ms or less"), "{said}");
    line.caller.ended();
}

/// One of the scenarios that come with the project.
fn scenario(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/scenarios/{name}.toml"));
    std::fs::read_to_string(file).unwrap()
}

/// At half of what a scheduler that knows the future could bring.
fn at_half_rate(name: &str, seconds: u32, sealed: bool) {
    let text = scenario(name);
    let parsed = Scenario::parse(name, &text, &mut |_| Err("it needs none".to_owned())).unwrap();
    let rate = oracle(&parsed, 1, Duration::from_secs(1)).scaled(0.5);
    let links = u8::try_from(parsed.links.len()).unwrap();
    let line = Line::lay(&Plan { scenario: &text, links, sealed, ..Plan::default() });

    line.carries_all(rate, seconds);

    assert_eq!(line.caller_figure("packetsDropped"), 0);
}

#[test]
fn on_real_sockets_links_that_come_and_go_cost_no_payload_at_half_rate() {
    at_half_rate("flapping", 22, false);
}

#[test]
fn on_real_sockets_links_that_lose_in_bursts_cost_no_payload_at_half_rate() {
    at_half_rate("lossy", 12, false);
}

#[test]
fn in_the_native_dialect_links_that_come_and_go_cost_no_payload_at_half_rate() {
    at_half_rate("flapping", 22, true);
}

#[test]
fn in_the_native_dialect_links_that_lose_in_bursts_cost_no_payload_at_half_rate() {
    at_half_rate("lossy", 12, true);
}

#[test]
fn the_emulator_on_sockets_loses_the_very_datagrams_that_the_same_link_loses_in_virtual_time() {
    const COUNT: u32 = 2000;
    const LINK: &str = "name = \"one\"\nduration = \"60s\"\n[[link]]\nname = \"l\"\nrate = \"100Mbps\"\nloss = 0.2\n";
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _ = socket2::SockRef::from(&far).set_recv_buffer_size(4 << 20);
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    let emulator = Emulator::start(LINK, far.local_addr().unwrap().port());
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();

    let scenario = Scenario::parse("one", LINK, &mut |_| Err(String::new())).unwrap();
    let mut virtual_link = livebox::sim::Netem::new(
        &scenario.links[0],
        livebox::sim::Direction::Forward,
        Duration::ZERO,
        livebox::rng::Rng::simulated(1).split(),
    );
    let (mut wanted, mut came) = (Vec::new(), Vec::new());
    for number in 0..COUNT {
        let now = livebox::time::Instant::from_millis(number.into());
        virtual_link.handle_packet(now, number.to_be_bytes().to_vec().into());
        let later = now + Duration::from_micros(900);
        wanted.extend(std::iter::from_fn(|| virtual_link.poll_packet(later)));
        near.send_to(&number.to_be_bytes(), at(emulator.port)).unwrap();
        if number % 50 == 0 {
            crate::peers::pause(2);
        }
    }
    let mut room = [0; 2048];
    while came.len() < wanted.len() {
        let len = far.recv(&mut room).unwrap_or_else(|_| panic!("{} of {} came", came.len(), wanted.len()));
        came.push(room[..len].to_vec());
    }

    assert!((1500..1700).contains(&wanted.len()));
    let other = came.iter().zip(&wanted).position(|(a, b)| a[..] != b[..]);
    assert_eq!(other, None, "{:?}", other.map(|at| (&came[at], &wanted[at])));
}
