//! The box's own ways out, with the whole box and real peers: bound to uplinks in network namespaces of the
//! test's own, and the dual image through a gateway.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use livebox::media::ts::Scan;
use serde_json::Value;

use crate::peers::{LIVEBOX, Process, pause, skipped};

/// Where peers live beyond all cables.
const FAR: &str = "10.78.9.9";
/// A stock receiver that stores what it gets: from where, and into which file.
const RECEIVES: &str = "exec srt-live-transmit -q -chunk:1316 \"$0\" file://con > \"$1\"";
/// Uplinks: slot and interface.
const SLOTS: [(&str, &str); 3] = [("wired", "up0"), ("lte1", "up1"), ("lte2", "up2")];

fn ip(args: &[&str]) -> bool {
    Command::new("ip").args(args).output().is_ok_and(|done| done.status.success())
}

/// A box and its far end, each in a namespace, three cables between them.
struct Cables {
    home: String,
    away: String,
}

impl Cables {
    fn lay(test: &str) -> Option<Self> {
        let name = |side: &str| format!("livebox-out-{side}-{}", std::process::id());
        let cables = Self { home: name("home"), away: name("away") };
        if !ip(&["netns", "add", &cables.home]) || !ip(&["netns", "add", &cables.away]) {
            skipped(&format!("outputs::{test}: network namespaces need root"));
            return None;
        }
        for namespace in [&cables.home, &cables.away] {
            assert!(ip(&["-n", namespace, "link", "set", "lo", "up"]));
        }
        assert!(ip(&["-n", &cables.away, "addr", "add", &format!("{FAR}/32"), "dev", "lo"]));
        for (n, slot) in SLOTS.iter().enumerate() {
            let (here, there) = (slot.1, format!("far{n}"));
            assert!(ip(&[
                "-n",
                &cables.home,
                "link",
                "add",
                here,
                "type",
                "veth",
                "peer",
                "name",
                &there,
                "netns",
                &cables.away
            ]));
            assert!(ip(&["-n", &cables.away, "addr", "add", &format!("10.78.{n}.1/24"), "dev", &there]));
            assert!(ip(&["-n", &cables.away, "link", "set", &there, "up"]));
            assert!(ip(&["-n", &cables.home, "addr", "add", &format!("10.78.{n}.2/24"), "dev", here]));
            cables.plug(n);
        }
        Some(cables)
    }

    fn plug(&self, n: usize) {
        let (here, metric) = (SLOTS[n].1, (100 + n).to_string());
        assert!(ip(&["-n", &self.home, "link", "set", here, "up"]));
        let via = format!("10.78.{n}.1");
        assert!(ip(&["-n", &self.home, "route", "replace", "default", "via", &via, "dev", here, "metric", &metric]));
    }

    fn pull(&self, n: usize) {
        assert!(ip(&["-n", &self.home, "link", "set", SLOTS[n].1, "down"]));
    }

    fn inside(namespace: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, program]);
        command
    }

    /// Bytes that left by each cable.
    fn sent(&self) -> [u64; 3] {
        let done = Command::new("ip").args(["-n", &self.home, "-j", "-s", "link"]).output().unwrap();
        let links: Value = serde_json::from_slice(&done.stdout).unwrap();
        SLOTS.map(|(_, name)| {
            let link = links.as_array().unwrap().iter().find(|link| link["ifname"] == name).unwrap();
            link["stats64"]["tx"]["bytes"].as_u64().unwrap()
        })
    }
}

impl Drop for Cables {
    fn drop(&mut self) {
        for namespace in [&self.home, &self.away] {
            ip(&["netns", "del", namespace]);
        }
    }
}

/// A board without hardware whose uplinks are these cables.
fn board(folder: &Path, uplinks: &str) -> PathBuf {
    let place = folder.join("board");
    fs::create_dir(&place).unwrap();
    let sim = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("board/sim/profile.toml")).unwrap();
    let (head, _) = sim.split_once("[[uplink]]").unwrap();
    let head = head.replace("page = \"127.0.0.1:8620\"\n", "");
    fs::write(place.join("profile.toml"), head + uplinks).unwrap();
    place
}

/// The box's own word, once it is so.
fn status(socket: &Path, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..300 {
        let done = Command::new(LIVEBOX).args(["status", "--json", "--socket"]).arg(socket).output().unwrap();
        if let Ok(status) = serde_json::from_slice::<Value>(&done.stdout) {
            if wanted(&status) {
                return status;
            }
            last = status;
        }
        pause(100);
    }
    panic!("not within 30 s: {what}; {}", serde_json::to_string_pretty(&last).unwrap());
}

fn send(socket: &Path, words: &[&str]) {
    let done = Command::new(LIVEBOX).arg("send").args(words).arg("--socket").arg(socket).output().unwrap();
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The state of an output, as faces show it.
fn state<'s>(status: &'s Value, output: &str) -> &'s str {
    let row = status["outputs"].as_array().and_then(|rows| rows.iter().find(|row| row["name"] == output));
    row.and_then(|row| row["state"].as_str()).unwrap_or("")
}

fn alarms(status: &Value, kind: &str) -> Vec<String> {
    let raised = status["alarms"].as_array().unwrap().iter().filter(|alarm| alarm["kind"] == kind);
    raised.map(|alarm| alarm.to_string()).collect()
}

/// A certificate for `FAR`, trusted where it is named: its file and its key's.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (pem, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let done = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", &format!("subjectAltName=IP:{FAR}"), "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&pem)
        .output()
        .expect("openssl is installed: run scripts/needs.sh test");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (pem, key)
}

/// Waits until a file has so many bytes more.
fn grows(file: &Path, by: u64) {
    let size = || fs::metadata(file).map_or(0, |found| found.len());
    let from = size();
    for _ in 0..300 {
        if size() >= from + by {
            return;
        }
        pause(100);
    }
    panic!("{} grew by {} bytes in 30 s, not {by}", file.display(), size() - from);
}

#[test]
fn srt_and_rtmps_leave_by_the_uplink_that_they_are_bound_to_and_by_no_other() {
    let Some(cables) = Cables::lay("srt_and_rtmps_leave_by_the_uplink_that_they_are_bound_to_and_by_no_other") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let (got_srt, got_rtmp, socket) = (folder.join("srt.ts"), folder.join("rtmp.ts"), folder.join("box.sock"));
    let _srt = Process::spawn(
        Cables::inside(&cables.away, "bash")
            .args(["-c", RECEIVES, &format!("srt://{FAR}:7001?mode=listener")])
            .arg(&got_srt),
    );
    // RTMPS: a stock server, and TLS before it; before the first one with a certificate that nobody trusts
    let _rtmp = Process::spawn(
        Cables::inside(&cables.away, "ffmpeg")
            .args(["-v", "error", "-listen", "1", "-i", "rtmp://127.0.0.1:1935/live/key", "-c", "copy"])
            .args(["-f", "mpegts", "-flush_packets", "1", "-y"])
            .arg(&got_rtmp),
    );
    let trusted = certificate(folder, "studio");
    let stranger = certificate(folder, "stranger");
    let mut doors = Vec::new();
    for (port, (pem, key)) in [("7443", &stranger), ("7444", &trusted)] {
        let mut door = Process::spawn(
            Cables::inside(&cables.away, "python3")
                .arg(crate::peers::peer("tls_door.py"))
                .args([port, "1935"])
                .args([pem, key]),
        );
        door.says(&["listening"]);
        doors.push(door);
    }
    let uplinks: String = SLOTS
        .iter()
        .map(|(slot, interface)| {
            format!("[[uplink]]\nslot = \"{slot}\"\ninterface = \"{interface}\"\nmetered = false\n\n")
        })
        .collect();
    let key = folder.join("stream-key");
    fs::write(&key, "key").unwrap();
    // the bond has nobody to speak with, so what leaves by a cable is the output's
    let settings = format!(
        "language = \"en\"\nstate_dir = \"{0}/state\"\nsocket = \"{1}\"\n[media]\nsize = \"320x180\"\nbitrate_max = \"1Mbps\"\n\
         destination = \"10.78.8.8:5000\"\n[record]\nwhen = \"hand\"\n[backup]\nscheme = \"srt\"\nuplink = \"lte2\"\nto = [\"{FAR}:7001\"]\n\
         latency = \"300ms\"\nbitrate = \"400kbps\"\n[programme]\nscheme = \"rtmp\"\nuplink = \"lte1\"\n\
         to = [\"rtmps://{FAR}:7443/live\", \"rtmps://{FAR}:7444/live\"]\npassphrase_file = \"{2}\"\n",
        folder.display(),
        socket.display(),
        key.display()
    );
    fs::write(folder.join("livebox.toml"), settings).unwrap();
    let _box = Process::spawn(
        Cables::inside(&cables.home, LIVEBOX)
            .arg("run")
            .arg("--board")
            .arg(board(folder, &uplinks))
            .arg("--config")
            .arg(folder.join("livebox.toml"))
            .env("SSL_CERT_FILE", &trusted.0),
    );
    status(&socket, "standby", |status| status["phase"] == "standby");
    send(&socket, &["start"]);

    let opened = |status: &Value| state(status, "backup") == "open" && state(status, "programme") == "open";
    status(&socket, "both are open", opened);
    let says = |status: &Value, kind: &str, word: &str| alarms(status, kind).iter().any(|alarm| alarm.contains(word));
    status(&socket, "the stranger is named", |status| says(status, "output_elsewhere", "ertificate"));
    let before = cables.sent();
    grows(&got_srt, 150_000);
    grows(&got_rtmp, 150_000);
    let after = cables.sent();
    let by: Vec<u64> = (0..3).map(|n| after[n] - before[n]).collect();
    assert!(by[1] > 150_000 && by[2] > 150_000, "both leave by their own cables: {by:?}");
    assert!(by[0] < by[1] / 4, "and nothing of them by the default route: {by:?}");

    // the uplink goes: that output stands still and says why, the other goes on
    cables.pull(2);
    status(&socket, "backup is down", |status| says(status, "output_down", "lte2"));
    grows(&got_rtmp, 60_000);
    cables.plug(2);
    status(&socket, "backup is open again", opened);
    grows(&got_srt, 60_000);
}

/// A port of 127.0.0.1 that was free a moment ago.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Pictures of a stored transport stream, from its first key picture on, nothing missing between.
fn stored(file: &Path) -> Vec<u64> {
    let mut scan = Scan::new();
    scan.push(&fs::read(file).unwrap());
    assert_eq!((scan.garbage, scan.discontinuities), (0, 0), "{}", file.display());
    scan.video.iter().map(|picture| picture.pts).collect()
}

#[test]
fn the_dual_image_reaches_the_studio_as_numbered_streams_of_one_group_through_a_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let keys = |name: &str| {
        let made = Command::new(LIVEBOX).args(["keys", "new"]).arg(folder.join(name)).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    let (gateway_key, box_key) = (keys("gateway.key"), keys("box.key"));
    fs::write(folder.join("boxes"), format!("{box_key} livebox\n")).unwrap();
    let (port, plain) = (free_port(), free_port());
    let mut gateway = format!(
        "listen = \"127.0.0.1:{port}\"\nto = \"127.0.0.1:{plain}\"\nkey_file = \"{0}/gateway.key\"\nallow_file = \"{0}/boxes\"\n",
        folder.display()
    );
    let mut receivers = Vec::new();
    for stream in ["main", "camera", "slides"] {
        let studio = free_port();
        gateway +=
            &format!("[[destination]]\nname = \"{stream}\"\nstream = \"{stream}\"\nto = \"127.0.0.1:{studio}\"\n");
        let file = format!("{}/{stream}.ts", folder.display());
        let from = format!("srt://127.0.0.1:{studio}?mode=listener");
        receivers.push(Process::start("bash", &["-c", RECEIVES, &from, &file]));
    }
    fs::write(folder.join("gateway.toml"), gateway).unwrap();
    let mut gateway =
        Process::start(LIVEBOX, &["gateway", "--config", &folder.join("gateway.toml").display().to_string()]);
    gateway.says(&["gateway", "native=true"]);
    let socket = folder.join("box.sock");
    let settings = format!(
        "language = \"en\"\nstate_dir = \"{0}/state\"\nsocket = \"{1}\"\n[media]\nsize = \"320x180\"\nreserve = \"200ms\"\n\
         bitrate_max = \"1Mbps\"\ndestination = \"127.0.0.1:{port}\"\n[bond]\nkey_file = \"{0}/box.key\"\npeer = \"{gateway_key}\"\n\
         [record]\nwhen = \"hand\"\n[dual]\nscheme = \"bond\"\nbitrate_camera = \"400kbps\"\nbitrate_slides = \"200kbps\"\n",
        folder.display(),
        socket.display(),
    );
    fs::write(folder.join("livebox.toml"), settings).unwrap();
    let uplinks: String = (1..=3)
        .map(|n| format!("[[uplink]]\nslot = \"link{n}\"\naddress = \"127.0.1.{n}\"\nmetered = false\n\n"))
        .collect();
    let board = board(folder, &uplinks).display().to_string();
    let house = Process::start(
        LIVEBOX,
        &["run", "--board", &board, "--config", &folder.join("livebox.toml").display().to_string()],
    );
    status(&socket, "standby", |status| status["phase"] == "standby");
    send(&socket, &["start"]);
    let file = |stream: &str| folder.join(format!("{stream}.ts"));
    // six seconds of the slides
    grows(&file("slides"), 150_000);
    grows(&file("camera"), 200_000);
    send(&socket, &["stop"]);
    status(&socket, "off air", |status| status["phase"] == "standby");
    drop(house);
    drop(receivers);
    let (code, said) = gateway.ends();
    assert_eq!(code, Some(0), "{said}");

    let (main, camera, slides) = (stored(&file("main")), stored(&file("camera")), stored(&file("slides")));
    let even = |stamps: &[u64], step: u64| stamps.windows(2).all(|pair| pair[1] - pair[0] == step);
    assert!(even(&main, 3600) && even(&camera, 3600) && even(&slides, 18_000), "{main:?} {camera:?} {slides:?}");
    assert!(
        main.len() > 100 && camera.len() > 100 && slides.len() > 25,
        "{} {} {}",
        main.len(),
        camera.len(),
        slides.len()
    );
    let shared = slides.iter().filter(|pts| camera.contains(pts)).count();
    assert!(
        shared * 10 >= slides.len() * 8,
        "one clock: {shared} of {} slides have their camera picture",
        slides.len()
    );
}
