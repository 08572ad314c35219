//! SRT through the tunnel as stock programs speak it, judged by stamps in the payloads at the far end.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use livebox::sim::{Scenario, oracle};
use livebox::units::Bitrate;

use crate::peers::{Emulator, LIVEBOX, PATIENCE, Process, at, bond, figures, free_port, gateway};

const LIVE_TRANSMIT: &str = "srt-live-transmit";

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

/// A stock listener, its gateway, links, the sender and a stock caller, each with its last words.
struct Line {
    stats: PathBuf,
    caller_stats: PathBuf,
    /// Where payloads go in, and come out.
    ends: (u16, u16),
    caller: Process,
    bond: Process,
    _rest: (Process, Process, Emulator, tempfile::TempDir),
}

impl Line {
    fn open(scenario: &str, links: u8, session_ms: u32, more: &[&str]) -> Self {
        assert!(Command::new(LIVE_TRANSMIT).arg("-version").output().is_ok(), "run scripts/needs.sh test");
        let folder = tempfile::tempdir().unwrap();
        let (stats, caller_stats) = (folder.path().join("bond.json"), folder.path().join("caller.json"));
        let (srt, near, far) = (free_port(), free_port(), free_port());
        let listener = Process::start(
            LIVE_TRANSMIT,
            &[
                "-loglevel:fatal",
                &format!("srt://127.0.0.1:{srt}?mode=listener&latency={session_ms}"),
                &format!("udp://127.0.0.1:{far}"),
            ],
        );
        let (gateway, to) = gateway(srt);
        let emulator = Emulator::start(scenario, to);
        let (bond, port) = bond(emulator.port, links, &stats, more);
        let caller = Process::start(
            LIVE_TRANSMIT,
            &[
                "-loglevel:fatal",
                "-a:no",
                "-f",
                "-s",
                "100",
                "-pf",
                "json",
                &format!("-statsout:{}", caller_stats.display()),
                &format!("udp://127.0.0.1:{near}?rcvbuf=4000000"),
                &format!("srt://127.0.0.1:{port}?mode=caller&latency={session_ms}&snddropdelay=-1&sndbuf=24000000"),
            ],
        );
        Self { stats, caller_stats, ends: (near, far), caller, bond, _rest: (listener, gateway, emulator, folder) }
    }

    /// Stamped payloads from one end to the other; what came of them.
    fn flow(&self, rate: Bitrate, seconds: u32) -> serde_json::Value {
        let (to, listen) = (at(self.ends.0).to_string(), at(self.ends.1).to_string());
        let (rate, lasts) = (format!("{}bps", rate.as_bps()), format!("{seconds}s"));
        let args = ["flow", "--json", "--demand", "0", "--within", "20s", "--to", &to, "--listen", &listen];
        let done = Command::new(LIVEBOX).args(args).args(["--rate", &rate, "--lasts", &lasts]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{said}\n{}", self.told()))
    }

    fn told(&self) -> String {
        std::fs::read_to_string(&self.stats).unwrap_or_default()
    }

    /// A figure of the caller's own libsrt, as it was last told.
    fn caller_figure(&self, key: &str) -> u64 {
        let text = std::fs::read_to_string(&self.caller_stats).unwrap();
        let (_, rest) = text.rsplit_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {text}"));
        rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }
}

#[test]
fn a_stock_listener_gets_all_in_order_and_the_caller_neither_drops_nor_repeats_anything() {
    let line = Line::open(THREE, 3, 2250, &[]);

    let flow = line.flow(Bitrate::mbps(3), 15);

    let bond = figures(&line.stats, |f| f["packets"].as_u64() > Some(0));
    assert!(flow["made"].as_u64() > Some(4000), "{flow}");
    assert_eq!([&flow["missing"], &flow["doubled"], &flow["misordered"]], [0, 0, 0], "{flow}\n{bond:#}");
    assert_eq!((line.caller_figure("packetsDropped"), line.caller_figure("packetsRetransmitted")), (0, 0));
    assert_eq!(bond["latency_ms"], 2000.0, "L is what the session has negotiated, less 250 ms");
    assert_eq!(bond["dropped_late"], 0);
    assert!(bond["naks_swallowed"].as_u64() > Some(0), "a stock listener asks at once for what is only late: {bond:#}");
}

#[test]
fn a_latency_that_leaves_the_listener_too_little_is_refused_in_words() {
    let mut line = Line::open(THREE, 3, 1000, &["--latency", "800ms"]);

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
fn at_half_rate(name: &str, seconds: u32) {
    let text = scenario(name);
    let parsed = Scenario::parse(name, &text, &mut |_| Err("it needs none".to_owned())).unwrap();
    let rate = oracle(&parsed, 1, Duration::from_secs(1)).scaled(0.5);
    let line = Line::open(&text, u8::try_from(parsed.links.len()).unwrap(), 2250, &[]);

    let flow = line.flow(rate, seconds);

    assert_eq!([&flow["missing"], &flow["doubled"], &flow["misordered"]], [0, 0, 0], "{flow}\n{}", line.told());
    assert_eq!(line.caller_figure("packetsDropped"), 0);
}

#[test]
fn on_real_sockets_links_that_come_and_go_cost_no_payload_at_half_rate() {
    at_half_rate("flapping", 22);
}

#[test]
fn on_real_sockets_links_that_lose_in_bursts_cost_no_payload_at_half_rate() {
    at_half_rate("lossy", 12);
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
