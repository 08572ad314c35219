//! A whole line: stock caller, sender, emulated links, gateway, stock listener, judged at its end by stamped payloads.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::process::Command;

use livebox::units::Bitrate;

use super::{Emulator, LIVEBOX, Process, at, bond, free_port, gateway_with};

pub(crate) const LIVE_TRANSMIT: &str = "srt-live-transmit";

/// Something between the links and the gateway: its port, and what keeps it there.
pub(crate) type Between = (u16, Box<dyn Any>);

/// What a line is made of.
pub(crate) struct Plan<'p> {
    pub(crate) scenario: &'p str,
    pub(crate) links: u8,
    /// Of the SRT session.
    pub(crate) session_ms: u32,
    /// In the native dialect, with keys made for the occasion.
    pub(crate) sealed: bool,
    /// More for the sender's command line.
    pub(crate) more: &'p [&'p str],
    /// More for the listener's address and the caller's, `&` before each.
    pub(crate) listener: &'p str,
    pub(crate) caller: &'p str,
    /// Put before the gateway's port.
    pub(crate) between: Option<fn(u16) -> Between>,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            scenario: "",
            links: 3,
            session_ms: 2250,
            sealed: false,
            more: &[],
            listener: "",
            caller: "&snddropdelay=-1",
            between: None,
        }
    }
}

/// A stock listener, its gateway, links, the sender and a stock caller, each with its last words.
pub(crate) struct Line {
    pub(crate) stats: PathBuf,
    caller_stats: PathBuf,
    /// Where payloads go in, and come out.
    ends: (u16, u16),
    pub(crate) caller: Process,
    pub(crate) bond: Process,
    pub(crate) gateway: Process,
    _rest: (Process, Option<Between>, Emulator, tempfile::TempDir),
}

/// Key files of both sides, made in a folder: what the gateway's command line says of them, and the sender's.
pub(crate) fn keys(folder: &Path) -> ([String; 4], [String; 6]) {
    let made = |whose: &str| {
        let file = folder.join(whose).display().to_string();
        let made = Command::new(LIVEBOX).args(["keys", "new", &file]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        (file, String::from_utf8(made.stdout).unwrap().trim().to_owned())
    };
    let ((gateway, peer), (own, public)) = (made("gateway"), made("box"));
    let allow = folder.join("allow").display().to_string();
    std::fs::write(&allow, format!("{public} hall\n")).unwrap();
    let theirs = ["--key", &gateway, "--allow", &allow].map(str::to_owned);
    (theirs, ["--dialect", "native", "--key", &own, "--peer", &peer].map(str::to_owned))
}

impl Line {
    pub(crate) fn lay(plan: &Plan<'_>) -> Self {
        assert!(Command::new(LIVE_TRANSMIT).arg("-version").output().is_ok(), "run scripts/needs.sh test");
        let folder = tempfile::tempdir().unwrap();
        let (stats, caller_stats) = (folder.path().join("bond.json"), folder.path().join("caller.json"));
        let (srt, near, far) = (free_port(), free_port(), free_port());
        let Plan { session_ms, listener, caller, .. } = plan;
        let listener = Process::start(
            LIVE_TRANSMIT,
            &[
                "-loglevel:fatal",
                &format!("srt://127.0.0.1:{srt}?mode=listener&latency={session_ms}{listener}"),
                &format!("udp://127.0.0.1:{far}"),
            ],
        );
        let sealed = plan.sealed.then(|| keys(folder.path()));
        let words = |words: &[String]| words.to_vec();
        let theirs = sealed.as_ref().map(|(theirs, _)| words(theirs)).unwrap_or_default();
        let ours = sealed.as_ref().map(|(_, ours)| words(ours)).unwrap_or_default();
        let (gateway, to) = gateway_with(srt, &theirs.iter().map(String::as_str).collect::<Vec<_>>());
        let between = plan.between.map(|put| put(to));
        let emulator = Emulator::start(plan.scenario, between.as_ref().map_or(to, |(port, _)| *port));
        let more: Vec<_> = ours.iter().map(String::as_str).chain(plan.more.iter().copied()).collect();
        let (bond, port) = bond(emulator.port, plan.links, &stats, &more);
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
                &format!("srt://127.0.0.1:{port}?mode=caller&latency={session_ms}&sndbuf=24000000{caller}"),
            ],
        );
        let _rest = (listener, between, emulator, folder);
        Self { stats, caller_stats, ends: (near, far), caller, bond, gateway, _rest }
    }

    /// Stamped payloads from one end to the other; what came of them.
    pub(crate) fn flow(&self, rate: Bitrate, seconds: u32) -> serde_json::Value {
        let (to, listen) = (at(self.ends.0).to_string(), at(self.ends.1).to_string());
        let (rate, lasts) = (format!("{}bps", rate.as_bps()), format!("{seconds}s"));
        let args = ["flow", "--json", "--demand", "0", "--within", "20s", "--to", &to, "--listen", &listen];
        let done = Command::new(LIVEBOX).args(args).args(["--rate", &rate, "--lasts", &lasts]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{said}\n{}", self.told()))
    }

    /// The same, and nothing is missing, doubled or after a later one.
    pub(crate) fn carries_all(&self, rate: Bitrate, seconds: u32) -> serde_json::Value {
        let flow = self.flow(rate, seconds);
        assert_eq!([&flow["missing"], &flow["doubled"], &flow["misordered"]], [0, 0, 0], "{flow}\n{}", self.told());
        flow
    }

    /// The sender's figures, as they were last told.
    fn told(&self) -> String {
        std::fs::read_to_string(&self.stats).unwrap_or_default()
    }

    /// A figure of the caller's own libsrt, as it was last told.
    pub(crate) fn caller_figure(&self, key: &str) -> u64 {
        let text = std::fs::read_to_string(&self.caller_stats).unwrap();
        let (_, rest) = text.rsplit_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {text}"));
        rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }
}
