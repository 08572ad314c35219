//! In network namespaces of the test's own: what the kernel says of the uplinks, and what follows.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::peers::line::keys;
use crate::peers::{LIVEBOX, Process, figures, links_up, skipped};

/// A box and a far end, each in a namespace, with as many cables between them as wanted.
struct Cables {
    home: String,
    away: String,
}

impl Cables {
    /// None where the kernel allows no namespaces, which is told; and where `test` ran as another process that
    /// may make them.
    fn lay(test: &str, count: u8) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        assert!(Command::new("ip").arg("-V").output().is_ok(), "iproute2 is missing; run scripts/needs.sh test");
        if !nix::unistd::geteuid().is_root() {
            as_root(test);
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("livebox-{side}-{}-{number}", std::process::id());
        let cables = Self { home: name("home"), away: name("away") };
        if !ip(&["netns", "add", &cables.home]) || !ip(&["netns", "add", &cables.away]) {
            skipped(&format!("uplinks::{test}: the kernel allows no network namespaces here"));
            return None;
        }
        cables.home(&["link", "set", "lo", "up"]);
        cables.away(&["link", "set", "lo", "up"]);
        for n in 0..count {
            cables.plug(n);
        }
        Some(cables)
    }

    /// A cable with 10.77.n.2 here and 10.77.n.1 there; the first brings the far end's address near.
    fn plug(&self, n: u8) {
        let (here, there) = (format!("eth{n}"), format!("far{n}"));
        assert!(ip(&[
            "-n", &self.home, "link", "add", &here, "type", "veth", "peer", "name", &there, "netns", &self.away
        ]));
        self.away(&["addr", "add", &format!("10.77.{n}.1/24"), "dev", &there]);
        self.away(&["link", "set", &there, "up"]);
        self.home(&["link", "set", &here, "up"]);
        self.home(&["addr", "add", &format!("10.77.{n}.2/24"), "dev", &here]);
        self.home(&[
            "route",
            "add",
            "default",
            "via",
            &format!("10.77.{n}.1"),
            "dev",
            &here,
            "metric",
            &format!("{}", 10 + n),
        ]);
    }

    fn home(&self, args: &[&str]) {
        assert!(ip(&[&["-n", &self.home], args].concat()), "{args:?}");
    }

    fn away(&self, args: &[&str]) {
        assert!(ip(&[&["-n", &self.away], args].concat()), "{args:?}");
    }

    fn inside(&self, namespace: &str, args: &[&str]) -> Process {
        Process::start("ip", &[&["netns", "exec", namespace, LIVEBOX], args].concat())
    }

    fn bond(&self, args: &[&str]) -> Process {
        let common = ["bond", "--listen", "127.0.0.1:6000", "--to", "10.77.0.1:5000"];
        self.inside(&self.home, &[&common, args].concat())
    }
}

impl Drop for Cables {
    fn drop(&mut self) {
        for namespace in [&self.home, &self.away] {
            ip(&["netns", "del", namespace]);
        }
    }
}

/// Runs one test of this module again: as root, or as what looks like it in a namespace of its own.
fn as_root(test: &str) {
    let own_run = "mount -t tmpfs none /run && exec \"$@\"";
    let ways: [&[&str]; 2] =
        [&["sudo", "-n", "--preserve-env=LIVEBOX_SKIPPED"], &["unshare", "-rnm", "sh", "-c", own_run, "sh"]];
    for way in ways {
        let again = |args: &[&str]| Command::new(way[0]).args(&way[1..]).args(args).output();
        if !again(&["true"]).is_ok_and(|done| done.status.success()) {
            continue;
        }
        let binary = std::env::current_exe().unwrap().display().to_string();
        let done = again(&[&binary, "--exact", &format!("uplinks::{test}")]).unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&done.stderr));
        return;
    }
    skipped(&format!("uplinks::{test}: network namespaces need root, sudo without a password, or user namespaces"));
}

/// A command line with more behind it, if that says anything.
fn with<'w, W: AsRef<str>>(words: &[&'w str], more: &'w [W]) -> Vec<&'w str> {
    words.iter().copied().chain(more.iter().map(AsRef::as_ref).filter(|word| !word.is_empty())).collect()
}

fn ip(args: &[&str]) -> bool {
    Command::new("ip").args(args).output().is_ok_and(|done| done.status.success())
}

#[test]
fn a_pulled_cable_and_its_return_are_told() {
    let Some(cables) = Cables::lay("a_pulled_cable_and_its_return_are_told", 2) else { return };
    let mut bond = cables.bond(&["--uplink", "eth0", "--uplink", "10.77.1.2"]);
    bond.says(&["socket opened", "10.77.1.2"]);

    cables.away(&["link", "set", "far1", "down"]);
    bond.says(&["uplink", "10.77.1.2", "carrier=false", "noticed_ms="]);
    cables.away(&["link", "set", "far1", "up"]);
    bond.says(&["uplink", "10.77.1.2", "carrier=true"]);

    let (code, said) = bond.ends();
    assert_eq!(code, Some(0));
    assert!(!said.contains("socket closed"), "a pulled cable keeps its socket:\n{said}");
}

#[test]
fn a_replugged_modem_gets_a_new_socket_and_carries_again() {
    let Some(cables) = Cables::lay("a_replugged_modem_gets_a_new_socket_and_carries_again", 2) else { return };
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let mut gateway =
        cables.inside(&cables.away.clone(), &["gateway", "--listen", "10.77.0.1:5000", "--to", "127.0.0.1:7000"]);
    gateway.says(&["gateway", "10.77.0.1:5000"]);
    let mut bond = cables.bond(&["--uplink", "eth0", "--uplink", "eth1", "--stats-json", &stats.display().to_string()]);
    figures(&stats, |f| links_up(f, 2));

    cables.home(&["link", "del", "eth1"]);
    bond.says(&["socket closed", "eth1"]);
    figures(&stats, |f| f["links"][1]["phase"] == "down" && links_up(f, 1));
    cables.plug(1);
    bond.says(&["socket opened", "eth1"]);

    figures(&stats, |f| links_up(f, 2));
}

#[test]
fn an_address_that_two_interfaces_own_is_refused_with_the_mend() {
    let Some(cables) = Cables::lay("an_address_that_two_interfaces_own_is_refused_with_the_mend", 2) else { return };
    cables.home(&["addr", "add", "10.77.0.2/24", "dev", "eth1"]);

    let (code, said) = cables.bond(&["--uplink", "10.77.0.2"]).ended();

    assert_eq!(code, Some(2));
    assert!(said.contains("2 interfaces own 10.77.0.2 (eth0, eth1)"), "{said}");
    assert!(said.contains("--uplink eth0 --uplink eth1"), "{said}");
}

#[test]
fn an_uplink_without_a_default_route_is_told_with_the_mend_and_its_return_too() {
    let Some(cables) = Cables::lay("an_uplink_without_a_default_route_is_told_with_the_mend_and_its_return_too", 2)
    else {
        return;
    };
    cables.home(&["route", "del", "default", "dev", "eth1"]);

    let mut bond = cables.bond(&["--uplink", "eth0", "--uplink", "eth1"]);
    bond.says(&["no default route", "eth1", "ip route add default via GATEWAY dev eth1"]);
    cables.home(&["route", "add", "default", "via", "10.77.1.1", "dev", "eth1", "metric", "9"]);

    bond.says(&["uplink", "eth1", "default_route=true"]);
}

#[test]
fn an_uplink_that_is_absent_at_the_start_is_taken_up_when_it_appears() {
    let Some(cables) = Cables::lay("an_uplink_that_is_absent_at_the_start_is_taken_up_when_it_appears", 1) else {
        return;
    };

    let mut bond = cables.bond(&["--uplink", "eth0", "--uplink", "10.77.1.2"]);
    bond.says(&["is not there; taken up when it appears"]);
    bond.says(&["socket opened", "eth0"]);
    cables.plug(1);

    bond.says(&["socket opened", "10.77.1.2"]);
}

/// Two modems that both give the box 10.77.0.2 and call themselves 10.77.0.1, each in a namespace of its own; behind
/// each, a NAT of our own making with 10 ms of delay towards the one gateway.
struct Twins {
    box_side: String,
    modems: [String; 2],
    cloud: String,
}

impl Twins {
    fn lay(test: &str) -> Option<Self> {
        // the cables of others are not needed, only their ways of becoming root
        let one = Cables::lay(test, 0)?;
        let name = |side: &str| one.home.replace("home", side);
        let twins = Self { box_side: name("twin"), modems: [name("modem0"), name("modem1")], cloud: name("cloud") };
        for namespace in twins.all() {
            assert!(
                ip(&["netns", "add", namespace]) && ip(&["-n", namespace, "link", "set", "lo", "up"]),
                "{namespace}"
            );
        }
        for (n, modem) in twins.modems.iter().enumerate() {
            let (eth, far) = (format!("eth{n}"), format!("wan{n}"));
            twins.cable(&twins.box_side, &eth, "10.77.0.2/24", modem, "lan", "10.77.0.1/24");
            twins.cable(modem, "wan", &format!("10.88.{n}.2/24"), &twins.cloud, &far, &format!("10.88.{n}.1/24"));
            let metric = format!("{}", 10 + n);
            let route =
                ["-n", &twins.box_side, "route", "add", "default", "via", "10.77.0.1", "dev", &eth, "metric", &metric];
            assert!(ip(&route));
        }
        twins.cable(&twins.box_side, "studio", "10.99.0.1/24", &twins.cloud, "out", "10.99.0.2/24");
        Some(twins)
    }

    fn all(&self) -> [&String; 4] {
        [&self.box_side, &self.modems[0], &self.modems[1], &self.cloud]
    }

    fn cable(&self, near: &str, here: &str, address: &str, far: &str, there: &str, other: &str) {
        assert!(ip(&["-n", near, "link", "add", here, "type", "veth", "peer", "name", there, "netns", far]));
        for (namespace, device, address) in [(near, here, address), (far, there, other)] {
            assert!(ip(&["-n", namespace, "addr", "add", address, "dev", device]));
            assert!(ip(&["-n", namespace, "link", "set", device, "up"]));
        }
    }
}

impl Drop for Twins {
    fn drop(&mut self) {
        for namespace in self.all() {
            ip(&["netns", "del", namespace]);
        }
    }
}

#[test]
fn two_modems_with_the_same_address_both_carry_and_a_carrier_that_goes_costs_no_payload() {
    twins_carry("two_modems_with_the_same_address_both_carry_and_a_carrier_that_goes_costs_no_payload", false);
}

#[test]
fn in_the_native_dialect_too_twin_modems_carry_and_a_carrier_that_goes_costs_no_payload() {
    twins_carry("in_the_native_dialect_too_twin_modems_carry_and_a_carrier_that_goes_costs_no_payload", true);
}

/// Both twins carry 9 s of payloads, of which the second one is without carrier for a while.
fn twins_carry(test: &str, native: bool) {
    let Some(twins) = Twins::lay(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = if native { keys(folder.path()) } else { Default::default() };
    let (stats, link) = (folder.path().join("stats.json"), folder.path().join("link.toml"));
    let text = "name = \"modem\"\nduration = \"60s\"\n[[link]]\nname = \"l\"\nrate = \"10Mbps\"\ndelay = \"10ms\"\n";
    std::fs::write(&link, text).unwrap();
    let inside = |namespace: &str, args: &[&str]| Process::start("ip", &[&["netns", "exec", namespace], args].concat());
    let stats_json = stats.display().to_string();

    let _studio = inside(
        &twins.cloud,
        &[
            "srt-live-transmit",
            "-loglevel:fatal",
            "srt://127.0.0.1:7000?mode=listener&latency=2250",
            "udp://10.99.0.1:7001",
        ],
    );
    let gateway = [LIVEBOX, "gateway", "--listen", "0.0.0.0:5000", "--to", "127.0.0.1:7000"];
    let mut gateway = inside(&twins.cloud, &with(&gateway, &theirs));
    gateway.says(&["gateway", "0.0.0.0:5000"]);
    let mut modems = Vec::new();
    for (n, namespace) in twins.modems.iter().enumerate() {
        let (to, file) = (format!("10.88.{n}.1:5000"), link.display().to_string());
        let mut modem = inside(
            namespace,
            &[LIVEBOX, "sim", "--live", &file, "--listen", "10.77.0.1:5000", "--to", &to, "--forever"],
        );
        modem.says(&["emulating"]);
        modems.push(modem);
    }
    let bond = [LIVEBOX, "bond", "--listen", "127.0.0.1:6000", "--to", "10.77.0.1:5000"];
    let uplinks = ["--uplink", "eth0", "--uplink", "eth1", "--stats-json", &stats_json];
    let mut bond = inside(&twins.box_side, &with(&with(&bond, &uplinks), &ours));
    figures(&stats, |f| links_up(f, 2));
    let _caller = inside(
        &twins.box_side,
        &[
            "srt-live-transmit",
            "-loglevel:fatal",
            "udp://127.0.0.1:6001",
            "srt://127.0.0.1:6000?mode=caller&latency=2250&snddropdelay=-1",
        ],
    );
    // the studio's output comes back to the box by a cable of its own, so that one clock judges both ends
    let mut flow = inside(
        &twins.box_side,
        &[
            LIVEBOX,
            "flow",
            "--json",
            "--to",
            "127.0.0.1:6001",
            "--listen",
            "10.99.0.1:7001",
            "--rate",
            "2Mbps",
            "--lasts",
            "9s",
            "--warmup",
            "0s",
            "--within",
            "20s",
        ],
    );

    let carried = |f: &serde_json::Value, at: usize| f["links"][at]["sent_packets"].as_u64().unwrap_or(0);
    figures(&stats, |f| f["packets"].as_u64() > Some(400));
    assert!(ip(&["-n", &twins.modems[1], "link", "set", "lan", "down"]));
    bond.says(&["uplink", "eth1", "carrier=false"]);
    let down = figures(&stats, |f| f["links"][1]["phase"] == "down");
    figures(&stats, |f| f["packets"].as_u64() > Some(800));
    assert!(ip(&["-n", &twins.modems[1], "link", "set", "lan", "up"]));
    bond.says(&["uplink", "eth1", "carrier=true"]);
    figures(&stats, |f| links_up(f, 2));
    let (code, said) = flow.ended();

    assert_eq!(code, Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(report["made"].as_u64() > Some(1500), "{report}");
    let after = figures(&stats, |f| f["packets"].as_u64() > Some(1500));
    assert_eq!((&report["missing"], &after["dropped_late"]), (&0.into(), &0.into()), "{report}\n{after:#}");
    // the quicker of the two carries most; the other is known and used
    assert!(carried(&down, 0) > 50 && carried(&down, 1) > 50, "{down:#}");
}

#[test]
fn how_long_a_datagram_each_path_carries_is_found_whether_its_own_end_says_so_or_it_swallows_what_is_longer() {
    let test =
        "how_long_a_datagram_each_path_carries_is_found_whether_its_own_end_says_so_or_it_swallows_what_is_longer";
    let Some(cables) = Cables::lay(test, 2) else { return };
    // the second path swallows whatever is longer, and says nothing; the first one's own end says so
    cables.away(&["link", "set", "far1", "mtu", "1320"]);
    cables.home(&["link", "set", "eth0", "mtu", "1400"]);
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let (theirs, ours) = keys(folder.path());
    let gateway = ["gateway", "--listen", "0.0.0.0:5000", "--to", "127.0.0.1:7000"];
    let mut gateway = cables.inside(&cables.away, &with(&gateway, &theirs));
    gateway.says(&["gateway", "0.0.0.0:5000"]);
    let stats_json = stats.display().to_string();
    let uplinks = ["--uplink", "eth0", "--uplink", "eth1", "--stats-json", &stats_json];
    let _bond = cables.bond(&with(&uplinks, &ours));

    // 20 bytes of IP and 8 of UDP are around a datagram, and the search ends when it is known to 8 bytes
    let near = |f: &serde_json::Value, at: usize, path: u64| {
        f["links"][at]["datagram"].as_u64().is_some_and(|found| (path - 28 - 8..=path - 28).contains(&found))
    };
    // a cable carries four bytes more than its far end says, for VLANs
    figures(&stats, |f| links_up(f, 2) && near(f, 0, 1400) && near(f, 1, 1320 + 4));
}

/// How long the datagrams of all links were on average between two looks.
fn mean(before: &serde_json::Value, after: &serde_json::Value) -> f64 {
    let sum = |f: &serde_json::Value, what: &str| -> f64 {
        f["links"].as_array().into_iter().flatten().filter_map(|link| link[what].as_f64()).sum()
    };
    let grown = |what| sum(after, what) - sum(before, what);
    grown("sent_bytes") / grown("sent_packets")
}

/// Who says that a path has become narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrow {
    /// The box's own end refuses what is too long.
    Told,
    /// Nobody: what is too long vanishes on the way.
    Silent,
}

/// Both cables become too narrow for seven packets of transport stream while a line carries 12 s of payloads, and nothing
/// is lost by that. Returns how long the datagrams were on average before, and after it was known.
fn narrows(cables: &Cables, how: Narrow, bond: &[&str], stats: &std::path::Path, mut flow: Process) -> [f64; 2] {
    let (stats_json, uplinks) = (stats.display().to_string(), ["--uplink", "eth0", "--uplink", "eth1"]);
    let _bond = cables.inside(&cables.home, &with(&with(bond, &uplinks), &["--stats-json", &stats_json]));
    let longest = |f: &serde_json::Value, at: usize| f["links"][at]["datagram"].as_u64();
    let packets = |f: &serde_json::Value| f["packets"].as_u64().unwrap_or(0);
    let began = figures(stats, |f| {
        links_up(f, 2) && longest(f, 0) >= Some(1348) && longest(f, 1) >= Some(1348) && packets(f) > 100
    });
    let before = figures(stats, |f| packets(f) > packets(&began) + 300);

    for n in 0..2 {
        match how {
            Narrow::Told => cables.home(&["link", "set", &format!("eth{n}"), "mtu", "1300"]),
            Narrow::Silent => cables.away(&["link", "set", &format!("far{n}"), "mtu", "1300"]),
        }
    }
    // the one that carries finds out; nobody knows of the other before it is used. A cable carries four bytes more
    // than its far end says, for VLANs
    let fits = |found: Option<u64>| found.is_some_and(|found| found <= 1300 - 28 + 4);
    let known = figures(stats, |f| (0..2).any(|at| fits(longest(f, at))) && packets(f) > packets(&before) + 300);
    let after = figures(stats, |f| packets(f) > packets(&known) + 300);
    let (code, said) = flow.ended();

    assert_eq!(code, Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(report["made"].as_u64() > Some(1800), "{report}");
    let end = figures(stats, |_| true);
    assert_eq!([&report["missing"], &report["late"], &report["misordered"]], [0, 0, 0], "{report}\n{end:#}");
    assert_eq!(end["dropped_late"], 0, "{end:#}");
    [mean(&began, &before), mean(&known, &after)]
}

/// Payloads into a line from the box's namespace, and out of it at the end of a cable of its own.
fn flow(cables: &Cables, to: &str) -> Process {
    assert!(ip(&[
        "-n",
        &cables.home,
        "link",
        "add",
        "out",
        "type",
        "veth",
        "peer",
        "name",
        "in",
        "netns",
        &cables.away
    ]));
    for (namespace, device, address) in [(&cables.home, "out", "10.99.0.1/24"), (&cables.away, "in", "10.99.0.2/24")] {
        assert!(ip(&["-n", namespace, "addr", "add", address, "dev", device]));
        assert!(ip(&["-n", namespace, "link", "set", device, "up"]));
    }
    let judged = ["flow", "--json", "--rate", "2Mbps", "--lasts", "12s", "--warmup", "0s", "--within", "3s"];
    cables.inside(&cables.home, &with(&judged, &["--to", to, "--listen", "10.99.0.1:7001"]))
}

#[test]
fn paths_that_become_narrow_under_way_and_say_so_cost_no_payload_and_srt_goes_on_in_halves() {
    srt_in_halves(
        "paths_that_become_narrow_under_way_and_say_so_cost_no_payload_and_srt_goes_on_in_halves",
        Narrow::Told,
    );
}

#[test]
fn paths_that_become_narrow_under_way_in_silence_cost_no_payload_and_srt_goes_on_in_halves() {
    srt_in_halves(
        "paths_that_become_narrow_under_way_in_silence_cost_no_payload_and_srt_goes_on_in_halves",
        Narrow::Silent,
    );
}

fn srt_in_halves(test: &str, how: Narrow) {
    let Some(cables) = Cables::lay(test, 2) else { return };
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let (theirs, ours) = keys(folder.path());
    let inside = |namespace: &str, args: &[&str]| Process::start("ip", &[&["netns", "exec", namespace], args].concat());
    let listener = "srt://127.0.0.1:7000?mode=listener&latency=1250";
    let _studio = inside(&cables.away, &["srt-live-transmit", "-loglevel:fatal", listener, "udp://10.99.0.1:7001"]);
    let gateway = ["gateway", "--listen", "0.0.0.0:5000", "--to", "127.0.0.1:7000"];
    let mut gateway = cables.inside(&cables.away, &with(&gateway, &theirs));
    gateway.says(&["gateway", "0.0.0.0:5000"]);
    let caller = "srt://127.0.0.1:6000?mode=caller&latency=1250&snddropdelay=-1";
    // the caller's own socket must hold what is made at once after the machine stood still
    let payloads = "udp://127.0.0.1:6001?rcvbuf=4000000";
    let _caller = inside(&cables.home, &["srt-live-transmit", "-loglevel:fatal", payloads, caller]);
    let flow = flow(&cables, "127.0.0.1:6001");
    let bond = ["bond", "--listen", "127.0.0.1:6000", "--to", "10.77.0.1:5000"];

    let [before, after] = narrows(&cables, how, &with(&bond, &ours), &stats, flow);

    // what is no payload is shorter, and counts too
    assert!(before > 900.0, "whole, 1348 bytes each: {before}");
    assert!(after > 400.0 && after < 720.0, "in halves of some 690 bytes: {after}, before {before}");
}

#[cfg(feature = "gstreamer")]
#[test]
fn paths_that_become_narrow_under_way_and_say_so_cost_no_payload_and_ts_goes_on_in_six_packets() {
    let test = "paths_that_become_narrow_under_way_and_say_so_cost_no_payload_and_ts_goes_on_in_six_packets";
    ts_in_sixes(test, Narrow::Told);
}

#[cfg(feature = "gstreamer")]
#[test]
fn paths_that_become_narrow_under_way_in_silence_cost_no_payload_and_ts_goes_on_in_six_packets() {
    let test = "paths_that_become_narrow_under_way_in_silence_cost_no_payload_and_ts_goes_on_in_six_packets";
    ts_in_sixes(test, Narrow::Silent);
}

#[cfg(feature = "gstreamer")]
fn ts_in_sixes(test: &str, how: Narrow) {
    let Some(cables) = Cables::lay(test, 2) else { return };
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let (theirs, ours) = keys(folder.path());
    let inside = |namespace: &str, args: &[&str]| Process::start("ip", &[&["netns", "exec", namespace], args].concat());
    let listener = "srt://127.0.0.1:7000?mode=listener&latency=250";
    let _studio = inside(&cables.away, &["srt-live-transmit", "-loglevel:fatal", listener, "udp://10.99.0.1:7001"]);
    let settings = folder.path().join("gateway.toml");
    let [_, key, _, allowed] = &theirs;
    let text = format!(
        "listen = \"0.0.0.0:5000\"\nto = \"127.0.0.1:9\"\nkey_file = {key:?}\nallow_file = {allowed:?}\n\
         [[destination]]\nname = \"studio\"\nto = \"127.0.0.1:7000\"\nlatency = \"250ms\"\n"
    );
    std::fs::write(&settings, text).unwrap();
    let mut gateway = cables.inside(&cables.away, &["gateway", "--config", settings.to_str().unwrap()]);
    gateway.says(&["gateway", "0.0.0.0:5000"]);
    let flow = flow(&cables, "127.0.0.1:6001");
    let bond = ["bond", "--ts", "main=127.0.0.1:6001", "--to", "10.77.0.1:5000", "--latency", "1s"];

    let [before, after] = narrows(&cables, how, &with(&bond, &ours), &stats, flow);

    assert!(before > 1100.0, "seven packets: {before}");
    assert!(after > 900.0 && after < 1165.0, "six packets, 1160 bytes with all that is around them: {after}");
}
