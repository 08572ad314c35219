//! `livebox status` and `livebox send` against a running console socket.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use livebox::io::console;
use livebox::io::task::{Asked, Commander, Ends, Pulse};
use livebox::message::{Ask, Orders, Part, Phase, Refusal, Status};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::standing::standing;

#[test]
fn status_shows_measured_beside_wanted_in_both_languages_and_as_json() {
    let box_ = Running::start();

    let english = box_.livebox(&["status", "--lang", "en"]);
    let chinese = box_.livebox(&["status", "--lang", "zh"]);
    let json = box_.livebox(&["status", "--json"]);

    let english = text(&english);
    assert!(english.contains("STANDBY") && english.contains("4.80 / 4.90 Mbit/s  good"), "{english}");
    assert!(text(&chinese).contains("待机"), "{}", text(&chinese));
    let json: Value = serde_json::from_str(&text(&json)).unwrap();
    assert_eq!((&json["device"], &json["phase"]), (&"hall-1".into(), &"standby".into()));
    assert_eq!(json["links"].as_array().map(Vec::len), Some(7));
}

#[test]
fn send_exits_with_0_when_accepted_1_when_refused_2_when_misspelt_and_3_without_a_box() {
    let box_ = Running::start();

    let accepted = box_.livebox(&["send", "layout", "slides"]);
    let refused = box_.livebox(&["send", "stop", "--lang", "zh"]);
    let misspelt = box_.livebox(&["send", "layout", "mosaic"]);
    let nowhere = livebox(Path::new("/nowhere/livebox.sock"), &["send", "start"]);

    let codes = [&accepted, &refused, &misspelt, &nowhere].map(|output| output.status.code());
    assert_eq!(codes, [Some(0), Some(1), Some(2), Some(3)]);
    assert_eq!(String::from_utf8_lossy(&refused.stderr).trim(), Refusal::NotLive.text().zh);
    let status: Value = serde_json::from_str(&text(&box_.livebox(&["status", "--json"]))).unwrap();
    assert_eq!(status["programme"]["layout"], "slides");
}

#[test]
fn only_owner_and_group_may_command_and_garbage_harms_nothing() {
    let box_ = Running::start();

    let mode = std::fs::metadata(&box_.socket).unwrap().permissions().mode() & 0o777;
    for _ in 0..100 {
        let mut stranger = UnixStream::connect(&box_.socket).unwrap();
        let _ = stranger.write_all(&[b'x'; 10_000]);
    }

    assert_eq!(mode, 0o660);
    assert_eq!(box_.livebox(&["status"]).status.code(), Some(0));
}

#[test]
fn a_socket_left_behind_is_taken_over_and_a_living_one_is_not() {
    let dir = TempDir::new().unwrap();
    drop(std::os::unix::net::UnixListener::bind(dir.path().join("livebox.sock")).unwrap());

    let first = Running::start_in(dir);
    let second = first.second();

    assert_eq!(first.livebox(&["status"]).status.code(), Some(0));
    assert!(second.contains("another box listens there"), "{second}");
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn livebox(socket: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_livebox")).args(args).arg("--socket").arg(socket).output().unwrap()
}

/// The console part with a control that obeys.
struct Running {
    runtime: tokio::runtime::Runtime,
    socket: PathBuf,
    _dir: TempDir,
    _orders: watch::Sender<Arc<Orders>>,
}

impl Running {
    fn start() -> Self {
        Self::start_in(TempDir::new().unwrap())
    }

    fn start_in(dir: TempDir) -> Self {
        let socket = dir.path().join("livebox.sock");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (orders, part) = part(&socket);
        runtime.spawn(part);
        let reachable = async {
            while tokio::net::UnixStream::connect(&socket).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_secs(30), reachable).await }).unwrap();
        Self { runtime, socket, _dir: dir, _orders: orders }
    }

    /// What a second box says that wants the same socket.
    fn second(&self) -> String {
        let (_orders, part) = part(&self.socket);
        format!("{:#}", self.runtime.block_on(part).expect_err("the socket is taken"))
    }

    fn livebox(&self, args: &[&str]) -> Output {
        livebox(&self.socket, args)
    }
}

fn part(socket: &Path) -> (watch::Sender<Arc<Orders>>, impl Future<Output = anyhow::Result<()>> + use<>) {
    let (orders, orders_rx) = watch::channel(Arc::new(Orders::default()));
    let (status, status_rx) = watch::channel(Arc::new(standing("hall-1")));
    let (facts, facts_rx) = mpsc::channel(16);
    let (tx, asked) = mpsc::channel(32);
    let ends = Ends { orders: orders_rx, facts, part: Part::Console, pulse: Pulse::default() };
    let run = console::run(socket.to_owned(), status_rx, Commander { tx }, ends);
    let both = async move {
        let _facts = facts_rx;
        tokio::select! {
            end = run => end,
            () = obey(asked, status) => Ok(()),
        }
    };
    (orders, both)
}

async fn obey(mut asked: mpsc::Receiver<Asked>, status: watch::Sender<Arc<Status>>) {
    while let Some(Asked { command, answer }) = asked.recv().await {
        let mut next = Status::clone(&status.borrow());
        let obeyed = match command.ask {
            Ask::Start => {
                next.phase = Phase::Live;
                Ok(())
            }
            Ask::Stop => Err(Refusal::NotLive),
            Ask::Layout { layout } => {
                next.programme.layout = layout;
                Ok(())
            }
            Ask::Audio { line } => {
                next.programme.line = line;
                Ok(())
            }
            _ => Ok(()),
        };
        status.send_replace(Arc::new(next));
        let _ = answer.send(obeyed);
    }
}
