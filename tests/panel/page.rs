use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::console_page::{Ended, browsed};

use super::root;

#[test]
fn a_newcomer_operates_the_simulated_box_on_the_live_page() {
    let dir = tempfile::TempDir::new().unwrap();
    let free = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let page = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (gateway, studio, backup, programme) = (free(), free(), free(), free());
    let socket = dir.path().join("livebox.sock");
    let settings = format!(
        "name = \"hall-7\"\nlanguage = \"zh\"\nstate_dir = {state:?}\nsocket = {socket:?}\n\
        [media]\nsize = \"320x180\"\ngop = \"2s\"\ndestination = \"{gateway}\"\n\
        [backup]\nscheme = \"srt\"\nto = [\"{backup}\"]\ngop = \"200ms\"\n\
        [programme]\nscheme = \"srt\"\nto = [\"{programme}\"]\n",
        state = dir.path().join("state"),
    );
    std::fs::write(dir.path().join("box.toml"), settings).unwrap();
    let profile = std::fs::read_to_string(root().join("board/sim/profile.toml")).unwrap();
    assert!(profile.contains("127.0.0.1:8620"), "the page of the demo");
    let board = dir.path().join("board");
    std::fs::create_dir(&board).unwrap();
    std::fs::write(board.join("profile.toml"), profile.replace("127.0.0.1:8620", &page.to_string())).unwrap();
    let livebox =
        |args: &[&str]| Ended::after(Command::new(env!("CARGO_BIN_EXE_livebox")).args(args).env("RUST_LOG", "warn"));
    let received = dir.path().join("programme.ts");
    let stored = |at: SocketAddr, file: &Path| {
        let listen = format!("exec srt-live-transmit 'srt://{at}?mode=listener' file://con > '{}'", file.display());
        Ended::after(Command::new("sh").arg("-c").arg(listen))
    };
    let _studio = stored(studio, Path::new("/dev/null"));
    let _second = stored(backup, Path::new("/dev/null"));
    let taker = stored(programme, &received);
    let _gateway = livebox(&["gateway", "--listen", &gateway.to_string(), "--to", &studio.to_string()]);
    let config = dir.path().join("box.toml").display().to_string();
    let _box = livebox(&["run", "--board", &board.display().to_string(), "--config", &config]);

    let mut drive = Command::new("node");
    drive
        .arg(root().join("tests/panel/drive.cjs"))
        .args(["--page", &format!("http://{page}/"), "--livebox", env!("CARGO_BIN_EXE_livebox")])
        .arg("--socket")
        .arg(&socket);
    let said = browsed(&mut drive, "panel", |_| {});

    assert_eq!(said.last().map(String::as_str), Some("all seen"), "{said:?}");
    drop(taker);
    // main has a key picture each fifty, the backup each five: the programme went over to it and came back
    let keys = key_pictures(&received);
    let dense = |pair: &[usize]| pair[1] - pair[0] == 5;
    let over = keys.windows(2).position(dense).expect("the backup's encode was never seen");
    let back = keys.windows(2).rposition(dense).unwrap_or(over);
    assert!(back - over >= 5, "{keys:?}");
    assert!(keys.windows(2).take(over).chain(keys.windows(2).skip(back + 2)).any(|w| w[1] - w[0] == 50), "{keys:?}");
}

/// Which of the pictures in a received stream are key pictures; their time stamps step by one picture each.
fn key_pictures(file: &Path) -> Vec<usize> {
    let said = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts,flags", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe is installed: make test installs it");
    let text = String::from_utf8(said.stdout).unwrap();
    let rows: Vec<(i64, bool)> = text
        .lines()
        .filter_map(|line| {
            let (pts, flags) = line.trim_end_matches(',').split_once(',')?;
            Some((pts.parse().ok()?, flags.starts_with('K')))
        })
        .collect();
    assert!(rows.len() > 100 && rows.windows(2).all(|w| w[1].0 - w[0].0 == 3600), "{} pictures", rows.len());
    rows.iter().enumerate().filter(|(_, (_, key))| *key).map(|(n, _)| n).collect()
}
