//! The console page in a headless Chromium against a running box, as a hand would use it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use livebox::alarm::{AlarmKind, Severity};
use livebox::bond::LinkPhase;
use livebox::bond::echo::{Destination, Echo, Kind, Sense};
use livebox::lang::{Text, said};
use livebox::media::Line;
use livebox::media::line::{Fault, Leads};
use livebox::media::meter::Levels;
use livebox::message::{
    AlarmLine, Event, FarEnd, LineFault, LineStatus, LoudnessReport, Occurrence, Reading, ShowReport, Status, Verdict,
};
use livebox::mqtt::Config;
use livebox::time::Instant;
use livebox::units::Dbfs;

use crate::mqtt::{Broker, Running};

#[test]
fn the_page_shows_the_box_commands_it_and_tells_when_it_is_lost() {
    let broker = Broker::with_websockets();
    // quick figures, so that nobody waits for the present
    let mut box_ = Some(Running::start(Config { pace: Duration::from_millis(500), ..broker.config() }));

    let said = driven(&broker, "hall-1", &["--harm"], "parts", |line| match line {
        "harm the box" => box_.as_ref().expect("not lost yet").change(harm),
        "lose the box" => box_.take().expect("said once").vanish(),
        _ => {}
    });

    assert_eq!(said.last().map(String::as_str), Some("all seen"), "{said:?}");
}

/// From the page through the broker to the far end and back, every program real.
#[cfg(feature = "gstreamer")]
#[test]
fn the_page_takes_the_real_box_on_air_switches_it_and_takes_it_off() {
    let broker = Broker::with_websockets();
    let dir = tempfile::TempDir::new().unwrap();
    let free = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (gateway, studio) = (free(), free());
    let settings = format!(
        "name = \"hall-7\"\nstate_dir = {state:?}\nsocket = {socket:?}\n\
        [media]\nsize = \"320x180\"\ndestination = \"{gateway}\"\n\
        [mqtt]\nbroker = \"127.0.0.1:{port}\"\npace = \"1s\"\n",
        state = dir.path().join("state"),
        socket = dir.path().join("livebox.sock"),
        port = broker.config().port,
    );
    std::fs::write(dir.path().join("box.toml"), settings).unwrap();
    let livebox =
        |args: &[&str]| Ended::after(Command::new(env!("CARGO_BIN_EXE_livebox")).args(args).env("RUST_LOG", "warn"));
    let _studio =
        Ended::after(Command::new("srt-live-transmit").arg(format!("srt://{studio}?mode=listener")).arg("file://con"));
    let _gateway = livebox(&["gateway", "--listen", &gateway.to_string(), "--to", &studio.to_string()]);
    let board = root().join("board/sim").display().to_string();
    let _box = livebox(&["run", "--board", &board, "--config", &dir.path().join("box.toml").display().to_string()]);

    let said = driven(&broker, "hall-7", &[], "whole", |_| {});

    assert_eq!(said.last().map(String::as_str), Some("all seen"), "{said:?}");
}

/// What the browser's driver said; its pictures lie in `target/console/{shots}/`.
fn driven(broker: &Broker, device: &str, more: &[&str], shots: &str, heard: impl FnMut(&str)) -> Vec<String> {
    let mut drive = Command::new("node");
    drive
        .arg(root().join("tests/console/drive.cjs"))
        .args(["--broker", &format!("ws://127.0.0.1:{}", broker.websockets()), "--device", device])
        .arg("--page")
        .arg(root().join("console/index.html"))
        .args(more);
    browsed(&mut drive, shots, heard)
}

/// Runs a driver; its pictures lie in `target/console/{shots}/`.
pub(crate) fn browsed(drive: &mut Command, shots: &str, mut heard: impl FnMut(&str)) -> Vec<String> {
    // two browsers would fight for the processor, and one installation is enough
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let shots = root().join("target/console").join(shots);
    std::fs::create_dir_all(&shots).unwrap();
    let mut drive = drive
        .arg("--shots")
        .arg(&shots)
        .env("NODE_PATH", node_modules())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed: apt-get install nodejs npm chromium");
    let mut said = Vec::new();
    for line in BufReader::new(drive.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        heard(&line);
        said.push(line);
    }
    assert!(drive.wait().unwrap().success(), "the page was driven so far: {said:?}; pictures in {}", shots.display());
    said
}

/// A program that ends with the test.
#[cfg(feature = "gstreamer")]
pub(crate) struct Ended(std::process::Child);

#[cfg(feature = "gstreamer")]
impl Ended {
    pub(crate) fn after(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|why| panic!("{command:?}: {why}; make test installs what is missing")))
    }
}

#[cfg(feature = "gstreamer")]
impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn harm(status: &mut Status) {
    status.links[0].phase = LinkPhase::Down;
    status.links[0].carrier = false;
    status.links[0].rate_mbit = 0.0;
    status.links[4].phase = LinkPhase::Probing;
    status.inputs[0].present = false;
    status.inputs[0].detail = said::no_video_device("usb-1");
    status.programme.slate = true;
    status.programme.bitrate = Reading { measured: Some(3.1), wanted: Some(4.9), verdict: Verdict::Warn };
    status.far_end = Some(FarEnd {
        heard: status.at,
        streams: vec![Echo {
            stream: 0,
            kind: Kind::Ts,
            flow: Sense::Ok,
            clock: Sense::Ok,
            picture: Sense::Still,
            sound: Sense::Ok,
            bytes: 1,
            missing: 0,
            gaps: 0,
            destinations: vec![Destination { name: "studio".to_owned(), ..Destination::default() }],
        }],
    });
    let levels = Levels {
        peak: Dbfs(-0.9),
        true_peak: Dbfs(-0.4),
        rms: Dbfs(-17.0),
        momentary: Some(-20.1),
        short_term: Some(-20.3),
        integrated: Some(-21.0),
    };
    let line = |line, levels: Option<Levels>, faults: Vec<LineFault>| LineStatus {
        line,
        levels,
        leads: Leads::LeftOnly,
        ppm: levels.map(|_| 12.5),
        gain_db: -3.0,
        delay_ms: 80,
        faults,
    };
    let mut show = ShowReport { since_s: 1.0, programme: LoudnessReport::default(), ..ShowReport::default() };
    let hum = LineFault { fault: Fault::Hum, since_s: 1.0, confidence: 0.93 };
    show.lines[1].loudness = LoudnessReport { integrated: Some(-21.5), true_peak: Some(-0.4) };
    show.lines[1].faults = vec![Occurrence { fault: Fault::Hum, since_s: 1.0, until_s: None, confidence: 0.93 }];
    status.sound.lines = vec![line(Line::A, None, vec![]), line(Line::B, Some(levels), vec![hum])];
    status.sound.programme = Some(levels);
    status.sound.lag_ms = Some(7.1);
    status.sound.show = Some(show);
    status.alarms = vec![AlarmLine {
        kind: AlarmKind::UplinkDown,
        subject: "wired".to_owned(),
        severity: Severity::Major,
        since: Instant::from_millis(1000),
        text: Text::new("有线网络已断开", "the wired uplink is down"),
        advice: Text::new("请检查网线和交换机", "check the cable and the switch"),
        acknowledged: false,
    }];
    status.events = vec![Event { seq: 1, at: Instant::from_millis(1000), text: status.alarms[0].text.clone() }];
}

/// The browser's driver as the lock file names it, outside the source tree.
fn node_modules() -> PathBuf {
    let folder = root().join("target/console/npm");
    let modules = folder.join("node_modules");
    let lock = "package-lock.json";
    let fresh = |name: &str| std::fs::read(root().join("tests/console").join(name)).unwrap();
    if modules.join("playwright-core").is_dir() && std::fs::read(folder.join(lock)).ok() == Some(fresh(lock)) {
        return modules;
    }
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["package.json", lock] {
        std::fs::write(folder.join(name), fresh(name)).unwrap();
    }
    let installed = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output();
    let installed = installed.expect("npm is installed: apt-get install nodejs npm chromium");
    assert!(installed.status.success(), "npm ci: {}", String::from_utf8_lossy(&installed.stderr));
    modules
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
