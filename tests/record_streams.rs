//! Every stream that the box makes lies on the disk, from the very bytes that are sent.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use livebox::board::{Board, EncoderKind};
use livebox::io::record::folder::Folder;
use livebox::io::reel::Reels;
use livebox::io::task::{Ends, Pulse};
use livebox::media::ts::Scan;
use livebox::media::{Backup, Codec, Config, Dual, FrameRate, OutputId, PictureSize, Road, Roads, Scheme, Secret};
use livebox::message::{Fact, MediaOrders, Orders, OutputState, Part, What};
use livebox::record::{Label, Segment};
use livebox::units::{self, Bitrate};
use tokio::sync::{mpsc, watch};

fn board() -> Board {
    Board { mixer_b: None, encoders: vec![EncoderKind::X264enc], ..crate::media::board() }
}

fn road(port: u16) -> Road {
    Road {
        scheme: Scheme::Srt,
        uplink: String::new(),
        to: vec![format!("127.0.0.1:{port}")],
        stream_id: String::new(),
        secret: Secret::default(),
        secret_file: None,
        latency: Duration::from_millis(500),
    }
}

/// A stock receiver that stores what it gets.
struct Receiver(Child);

impl Receiver {
    fn start(into: &Path) -> (u16, Self) {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("srt-live-transmit")
            .args(["-q", "-chunk:1316", &format!("srt://127.0.0.1:{port}?mode=listener"), "file://con"])
            .stdout(fs::File::create(into).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .expect("srt-live-transmit is installed: run scripts/needs.sh test");
        (port, Self(child))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A programme on air with a recorder beside it.
struct Studio {
    runtime: tokio::runtime::Runtime,
    orders: watch::Sender<Arc<Orders>>,
    facts: Arc<Mutex<Vec<What>>>,
    sent: Arc<Mutex<BTreeMap<u8, Vec<u8>>>>,
    tasks: Vec<tokio::task::JoinHandle<anyhow::Result<()>>>,
    _closed: watch::Sender<Option<livebox::lang::Text>>,
}

impl Studio {
    fn open(folder: &Path, roads: Roads) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut others = BTreeMap::new();
        if let Some(backup) = &roads.backup {
            others.insert(OutputId::Backup, backup.bitrate);
        }
        if let Some(dual) = &roads.dual {
            others.extend([(OutputId::Camera, dual.camera), (OutputId::Slides, dual.slides)]);
        }
        let media = MediaOrders { on_air: true, bitrate: Bitrate::kbps(600), others, ..MediaOrders::default() };
        let (orders, listen) = watch::channel(Arc::new(Orders { media, ..Orders::default() }));
        let (send, mut heard) = mpsc::channel::<Fact>(64);
        let facts: Arc<Mutex<Vec<What>>> = Arc::default();
        let book = Arc::clone(&facts);
        runtime.spawn(async move {
            while let Some(fact) = heard.recv().await {
                book.lock().unwrap().push(fact.what);
            }
        });
        let (payloads, mut engine) = mpsc::channel::<(u8, Bytes)>(1024);
        let sent: Arc<Mutex<BTreeMap<u8, Vec<u8>>>> = Arc::default();
        let into = Arc::clone(&sent);
        runtime.spawn(async move {
            while let Some((stream, bytes)) = engine.recv().await {
                into.lock().unwrap().entry(stream).or_default().extend_from_slice(&bytes);
            }
        });
        let (closed, told) = watch::channel(None);
        let ends = |part| Ends { orders: listen.clone(), facts: send.clone(), part, pulse: Pulse::default() };
        let reels = Arc::new(Reels::default());
        let keeps = livebox::record::Config {
            keep_free: units::Bytes(2),
            stop_free: units::Bytes(1),
            ..livebox::record::Config::default()
        };
        let shape = Config {
            size: PictureSize { width: 320, height: 180 },
            rate: FrameRate { num: 25, den: 1 },
            roads,
            ..Config::default()
        };
        let record = livebox::io::record::run(folder.to_owned(), keeps, Arc::clone(&reels), ends(Part::Record));
        let exit = livebox::io::media::Exit::Ts { payloads, closed: told };
        let (_, uplinks) = watch::channel(Vec::new());
        let media =
            livebox::io::media::run(Arc::new(board()), Arc::new(shape), exit, reels, uplinks, ends(Part::Media));
        let tasks = vec![runtime.spawn(record), runtime.spawn(media)];
        Self { runtime, orders, facts, sent, tasks, _closed: closed }
    }

    fn hear(&self, what: &str, enough: impl Fn(&[What]) -> bool) {
        for _ in 0..600 {
            if enough(&self.facts.lock().unwrap()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("not heard within 30 s: {what}; heard {:?}", self.facts.lock().unwrap());
    }

    /// Control's part: the same number for the recorder and for the encoders.
    fn cut(&self, on: bool, speaker: &str) {
        self.orders.send_modify(|orders| {
            let orders = Arc::make_mut(orders);
            orders.record.on = on;
            orders.record.label = Label { speaker: speaker.into(), ..Label::default() };
            orders.record.cut += 1;
            orders.media.key = orders.record.cut;
        });
    }

    fn opened(&self, number: usize) {
        let count = |said: &[What]| said.iter().filter(|what| matches!(what, What::SegmentOpened { .. })).count();
        self.hear(&format!("{number} segments opened"), |said| count(said) >= number);
    }

    fn closed(&self, number: usize) {
        let count = |said: &[What]| said.iter().filter(|what| matches!(what, What::SegmentClosed(_))).count();
        self.hear(&format!("{number} segments closed"), |said| count(said) >= number);
    }

    /// Two talks and the end, in each of so many streams.
    fn records(&self, streams: usize) {
        self.cut(true, "Ann");
        self.opened(streams);
        std::thread::sleep(Duration::from_millis(2500));
        self.cut(true, "Bob");
        self.opened(2 * streams);
        std::thread::sleep(Duration::from_millis(2500));
        self.cut(false, "");
        self.closed(2 * streams);
        // a receiver has it a latency later
        std::thread::sleep(Duration::from_millis(1500));
    }

    fn ends(self) -> BTreeMap<u8, Vec<u8>> {
        self.orders.send_modify(|orders| Arc::make_mut(orders).shutdown = true);
        for task in self.tasks {
            self.runtime.block_on(async {
                tokio::time::timeout(Duration::from_secs(20), task).await.expect("it ends").unwrap().unwrap();
            });
        }
        let sent = self.sent.lock().unwrap();
        sent.clone()
    }
}

/// Both segments of a stream, joined, are in what was sent, to the byte; each begins with a key picture.
fn is_what_was_sent(folder: &Path, all: &[Segment], stream: &str, sent: &[u8]) -> u64 {
    let mine: Vec<&Segment> = all.iter().filter(|segment| segment.stream == stream).collect();
    assert_eq!(mine.len(), 2, "{stream}: {all:?}");
    let bytes: Vec<Vec<u8>> = mine.iter().map(|segment| fs::read(folder.join(&segment.file)).unwrap()).collect();
    let joined = bytes.concat();
    let from = sent.windows(188 * 7).position(|window| window == &joined[..188 * 7]);
    let from = from.unwrap_or_else(|| panic!("{stream}: its recording was never sent"));
    assert!(sent[from..].starts_with(&joined), "{stream}: the files joined are not what was sent");
    for (n, (segment, bytes)) in mine.iter().zip(&bytes).enumerate() {
        let mut scan = Scan::new();
        scan.push(bytes);
        assert_eq!((scan.garbage, scan.discontinuities, segment.missing, segment.joined), (0, 0, 0, n > 0), "{stream}");
        assert!(scan.video[0].key, "{stream}: segment {n} plays from its first picture");
        let name = ["Ann", "Bob"][n];
        let wanted = if stream == "main" { format!("_{name}.ts") } else { format!("_{name}_{stream}.ts") };
        assert!(segment.file.ends_with(&wanted), "{}", segment.file);
        let sum = ring::digest::digest(&ring::digest::SHA256, bytes);
        let hex: String = sum.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!((segment.sha256.as_str(), segment.label.speaker.as_str()), (hex.as_str(), name));
        let (first, last) = segment.pts.unwrap();
        assert!(last > first && segment.pictures > 5, "{segment:?}");
    }
    mine[1].pts.unwrap().0 - mine[0].pts.unwrap().1
}

fn segments(folder: &Path) -> Vec<Segment> {
    let index = Folder::new(folder.to_owned()).index().unwrap();
    assert!(index.segments().all(|kept| !kept.open), "every segment is closed");
    let all: Vec<Segment> = index.segments().map(|kept| kept.segment.clone()).collect();
    let numbers: Vec<u64> = all.iter().map(|segment| segment.number).collect();
    assert_eq!(numbers, (0..all.len() as u64).collect::<Vec<_>>(), "no number twice");
    all
}

fn dual(road: Option<Road>) -> Dual {
    let slides_rate = FrameRate { num: 5, den: 1 };
    Dual { road, camera: Bitrate::kbps(400), slides: Bitrate::kbps(200), slides_rate }
}

#[test]
fn each_stream_has_its_own_files_of_the_very_bytes_that_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (port, receiver) = Receiver::start(&dir.path().join("backup.ts"));
    std::thread::sleep(Duration::from_millis(300));
    let gop = Duration::from_secs(2);
    let backup = Backup { road: road(port), bitrate: Bitrate::kbps(400), gop, codec: Codec::H264 };
    let folder = dir.path().join("recordings");
    let studio = Studio::open(&folder, Roads { backup: Some(backup), programme: None, dual: Some(dual(None)) });
    studio.hear("on air", |said| {
        let open = |what: &What| matches!(what, What::DestinationChanged { state: OutputState::Open, .. });
        said.iter().any(|what| matches!(what, What::OutputOpened)) && said.iter().any(open)
    });

    studio.records(4);
    let sent = studio.ends();
    drop(receiver);

    let all = segments(&folder);
    let received = fs::read(dir.path().join("backup.ts")).unwrap();
    let streams = [("main", &sent[&0]), ("camera", &sent[&1]), ("slides", &sent[&2]), ("backup", &received)];
    let steps: Vec<u64> = streams.iter().map(|(name, sent)| is_what_was_sent(&folder, &all, name, sent)).collect();
    assert_eq!(steps, [3600, 3600, 18_000, 3600], "no picture lost or doubled at the cut");
}

#[test]
fn two_programmes_of_one_transport_stream_are_one_recording() {
    let dir = tempfile::tempdir().unwrap();
    let (port, receiver) = Receiver::start(&dir.path().join("dual.ts"));
    std::thread::sleep(Duration::from_millis(300));
    let folder = dir.path().join("recordings");
    let studio = Studio::open(&folder, Roads { dual: Some(dual(Some(road(port)))), ..Roads::default() });
    studio.hear("open", |said| {
        said.iter().any(|what| matches!(what, What::DestinationChanged { state: OutputState::Open, .. }))
    });

    studio.records(2);
    studio.ends();
    drop(receiver);

    let all = segments(&folder);
    let received = fs::read(dir.path().join("dual.ts")).unwrap();
    is_what_was_sent(&folder, &all, "dual", &received);
}
