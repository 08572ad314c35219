use std::process::{Command, Stdio};

use crate::console_page::{Ended, browsed};

use super::root;

#[test]
fn a_newcomer_operates_the_simulated_box_on_the_live_page() {
    let dir = tempfile::TempDir::new().unwrap();
    let free = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let page = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (gateway, studio) = (free(), free());
    let socket = dir.path().join("livebox.sock");
    let settings = format!(
        "name = \"hall-7\"\nlanguage = \"zh\"\nstate_dir = {state:?}\nsocket = {socket:?}\n\
        [media]\nsize = \"320x180\"\ndestination = \"{gateway}\"\n",
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
    let mut receiver = Command::new("srt-live-transmit");
    receiver.arg(format!("srt://{studio}?mode=listener")).arg("file://con").stdout(Stdio::null());
    let _studio = Ended::after(&mut receiver);
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
}
