//! The console page in a headless Chromium against a running box, as a hand would use it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use livebox::alarm::{AlarmKind, Severity};
use livebox::bond::LinkPhase;
use livebox::lang::Text;
use livebox::message::{AlarmLine, Event, Reading, Status, Verdict};
use livebox::mqtt::Config;
use livebox::time::Instant;

use crate::mqtt::{Broker, Running};

#[test]
fn the_page_shows_the_box_commands_it_and_tells_when_it_is_lost() {
    let broker = Broker::with_websockets();
    // quick figures, so that nobody waits for the present
    let mut box_ = Some(Running::start(Config { pace: Duration::from_millis(500), ..broker.config() }));
    let (page, shots) = (root().join("console/index.html"), root().join("target/console"));
    std::fs::create_dir_all(&shots).unwrap();

    let mut drive = Command::new("node")
        .arg(root().join("tests/console/drive.cjs"))
        .args(["--broker", &format!("ws://127.0.0.1:{}", broker.websockets()), "--device", "hall-1", "--harm"])
        .arg("--page")
        .arg(page)
        .arg("--shots")
        .arg(&shots)
        .env("NODE_PATH", node_modules())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed: apt-get install nodejs npm chromium");
    let mut said = Vec::new();
    for line in BufReader::new(drive.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.as_str() {
            "harm the box" => box_.as_ref().expect("not lost yet").change(harm),
            "lose the box" => box_.take().expect("said once").vanish(),
            _ => {}
        }
        said.push(line);
    }

    assert!(drive.wait().unwrap().success(), "the page was driven so far: {said:?}; pictures in {}", shots.display());
    assert_eq!(said.last().map(String::as_str), Some("all seen"));
}

fn harm(status: &mut Status) {
    status.links[0].phase = LinkPhase::Down;
    status.links[0].carrier = false;
    status.links[0].rate_mbit = 0.0;
    status.links[4].phase = LinkPhase::Probing;
    status.inputs[0].present = false;
    status.inputs[0].detail = "no such device".to_owned();
    status.programme.slate = true;
    status.programme.bitrate = Reading { measured: Some(3.1), wanted: Some(4.9), verdict: Verdict::Warn };
    status.alarms = vec![AlarmLine {
        kind: AlarmKind::UplinkDown,
        subject: "wired".to_owned(),
        severity: Severity::Major,
        since: Instant::from_millis(1000),
        text: Text::new("有线网络已断开", "the wired uplink is down"),
        advice: Text::new("请检查网线和交换机", "check the cable and the switch"),
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
