//! The programme as a stock SRT receiver on the loopback stores it: counted in its time stamps.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use livebox::board::{Board, Outage, PictureDevice, SoundDevice};
use livebox::io::clock;
use livebox::io::media::{self, judge::judge_file};
use livebox::io::task::Ends;
use livebox::media::judge::{Away, Report};
use livebox::media::ts::Scan;
use livebox::media::{Config, FrameRate, Layout, Line, PictureSize, Secret, SourceId};
use livebox::message::{Fact, LossCause, MediaOrders, Orders, Part, What};
use livebox::units::Bitrate;
use tokio::sync::{mpsc, watch};

/// One programme at a time: two cores encode one in real time, not six.
static STAGE: Mutex<()> = Mutex::new(());

const SIZE: PictureSize = PictureSize { width: 640, height: 360 };

fn stage() -> MutexGuard<'static, ()> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn config() -> Config {
    Config {
        size: SIZE,
        rate: FrameRate { num: 25, den: 1 },
        gop: s(2.0),
        bitrate: (Bitrate::kbps(300), Bitrate::mbps(6)),
        audio_bitrate: Bitrate::kbps(128),
        srt_latency: Duration::from_millis(400),
        stream_id: String::new(),
        passphrase: Secret::default(),
        destination: ([127, 0, 0, 1], 9).into(),
    }
}

fn board() -> Board {
    Board {
        name: "test".into(),
        camera: Some(PictureDevice::Pattern { outages: vec![] }),
        slides: Some(PictureDevice::Pattern { outages: vec![] }),
        mixer_a: Some(SoundDevice::Tone { hertz: 1000.0, outages: vec![] }),
        mixer_b: Some(SoundDevice::Tone { hertz: 440.0, outages: vec![] }),
        encoders: vec![],
        uplinks: vec![],
        display: None,
    }
}

/// A stock receiver that stores what it gets.
struct Receiver {
    child: Child,
    port: u16,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Receiver {
    fn start(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("received.ts");
        let child = Command::new("srt-live-transmit")
            .args(["-q", "-chunk:1316", &format!("srt://127.0.0.1:{port}?mode=listener{options}"), "file://con"])
            .stdout(fs::File::create(&file).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .expect("srt-live-transmit is installed: apt install srt-tools");
        Self { child, port, file, _folder: folder }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn bytes(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |m| m.len())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.end();
    }
}

/// The media part, running.
struct Show {
    runtime: tokio::runtime::Runtime,
    orders: watch::Sender<Arc<Orders>>,
    facts: Arc<Mutex<Vec<Fact>>>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Show {
    fn start(board: Board, config: Config, port: u16, media: MediaOrders) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (orders, listen) = watch::channel(Arc::new(Orders { media, ..Orders::default() }));
        let (send, mut heard) = mpsc::channel(64);
        let facts = Arc::new(Mutex::new(Vec::new()));
        let book = Arc::clone(&facts);
        runtime.spawn(async move {
            while let Some(fact) = heard.recv().await {
                book.lock().unwrap().push(fact);
            }
        });
        let ends = Ends { orders: listen, facts: send, part: Part::Media };
        let task = runtime.spawn(media::run(Arc::new(board), Arc::new(config), port, ends));
        Self { runtime, orders, facts, task }
    }

    fn order(&self, change: impl FnOnce(&mut MediaOrders)) {
        self.orders.send_modify(|orders| change(&mut Arc::make_mut(orders).media));
    }

    fn facts(&self) -> Vec<What> {
        self.facts.lock().unwrap().iter().map(|f| f.what.clone()).collect()
    }

    /// Waits until a fact is stated, at most half a minute.
    fn hear(&self, what: &str, wanted: impl Fn(&What) -> bool) {
        for _ in 0..600 {
            if self.facts().iter().any(&wanted) {
                return;
            }
            assert!(!self.task.is_finished(), "the part ended before: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("not heard within 30 s: {what}; heard {:?}", self.facts());
    }

    fn end(self) {
        self.orders.send_modify(|orders| Arc::make_mut(orders).shutdown = true);
        self.runtime.block_on(async {
            tokio::time::timeout(s(15.0), self.task).await.expect("the part ends when told").unwrap().unwrap();
        });
    }
}

fn live() -> MediaOrders {
    MediaOrders { on_air: true, bitrate: Bitrate::mbps(1), ..MediaOrders::default() }
}

/// Plays `script` on air; what the receiver stored is judged.
fn received(board: Board, config: Config, orders: MediaOrders, away: &[Away], script: impl FnOnce(&Show)) -> Report {
    let mut receiver = Receiver::start("");
    let show = Show::start(board, config, receiver.port, orders);
    show.hear("on air", |w| matches!(w, What::OutputOpened));
    script(&show);
    show.end();
    receiver.end();
    keep(&receiver.file);
    judge_file(&receiver.file, 0, Some(1000.0), away).unwrap()
}

/// Leaves the received file where `LIVEBOX_KEEP` says, for a closer look.
fn keep(file: &Path) {
    if let Some(to) = std::env::var_os("LIVEBOX_KEEP") {
        let _ = fs::copy(file, to);
    }
}

fn wait(seconds: f64) {
    std::thread::sleep(s(seconds));
}

#[test]
fn the_programme_reaches_a_stock_receiver_whole() {
    let _stage = stage();
    let report = received(board(), config(), live(), &[], |_| wait(8.0));
    eprintln!("{report:#?}");
    assert!(report.good(), "{report:#?}");
    assert!(report.pictures > 150 && report.doubled == 0, "{report:#?}");
    assert_eq!(report.pts_step, 3600);
    let sound = &report.sound;
    assert!((sound.tone_hz.unwrap() - 1000.0).abs() < 1.0 && sound.tone_db.unwrap() > 20.0, "{sound:?}");
    assert!(sound.longest_gap_ms < 1.5, "{sound:?}");
}
