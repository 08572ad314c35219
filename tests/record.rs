//! What is sent is what lies on the disk: cut at key pictures, named, hashed, and there after a power cut.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use livebox::event::Permissions;
use livebox::io::record::folder::{Folder, INDEX};
use livebox::io::reel::{ROOM, Reel, Reels};
use livebox::io::task::{Ends, Pulse};
use livebox::media::ts::Scan;
use livebox::message::{Fact, Orders, Part, What};
use livebox::record::sample::Stream;
use livebox::record::{Config, Label, PROGRAMME, Segment, StopCause};
use livebox::units;
use tokio::sync::{mpsc, watch};

/// Pictures of a GOP of the samples.
const GOP: u64 = 25;

/// A recorder that runs, and a mux that speaks by hand.
struct Studio {
    runtime: tokio::runtime::Runtime,
    orders: watch::Sender<Arc<Orders>>,
    facts: Arc<Mutex<Vec<What>>>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    // a real mux asks for it
    #[cfg_attr(not(feature = "gstreamer"), expect(dead_code, reason = "a hand needs the one reel"))]
    reels: Arc<Reels>,
    reel: Arc<Reel>,
    stream: Stream,
    sent: Vec<u8>,
}

impl Studio {
    fn open(folder: &Path, config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (orders, listen) = watch::channel(Arc::new(Orders::default()));
        let (send, mut heard) = mpsc::channel::<Fact>(64);
        let facts = Arc::new(Mutex::new(Vec::new()));
        let book = Arc::clone(&facts);
        runtime.spawn(async move {
            while let Some(fact) = heard.recv().await {
                book.lock().unwrap().push(fact.what);
            }
        });
        let ends = Ends { orders: listen, facts: send, part: Part::Record, pulse: Pulse::default() };
        let reels = Arc::new(Reels::default());
        let reel = reels.of(PROGRAMME);
        let run = livebox::io::record::run(folder.to_owned(), config, Arc::clone(&reels), ends);
        let task = runtime.spawn(run);
        let studio = Self { runtime, orders, facts, task, reels, reel, stream: Stream::default(), sent: Vec::new() };
        studio.hear("it runs", |what| {
            matches!(what, What::RecordingMeasured { .. } | What::RecordingStopped { .. }) || !folder.is_dir()
        });
        studio
    }

    /// A key picture that was asked for, and what leans on it.
    fn sends(&mut self, gops: usize) {
        for _ in 0..gops {
            let bytes = self.stream.gop(GOP, true);
            bytes.chunks(1316).for_each(|packet| self.reel.put(Bytes::copy_from_slice(packet)));
            self.sent.extend(bytes);
        }
    }

    /// Orders, and the key picture that media is asked for with them.
    fn orders(&mut self, on: bool, label: Label) {
        let mut cut = 0;
        self.orders.send_modify(|orders| {
            let record = &mut Arc::make_mut(orders).record;
            record.on = on;
            record.label = label;
            record.cut += 1;
            cut = record.cut;
        });
        self.reel.cut(cut);
    }

    fn renames(&self, label: Label) {
        self.orders.send_modify(|orders| Arc::make_mut(orders).record.label = label);
    }

    fn facts(&self) -> Vec<What> {
        self.facts.lock().unwrap().clone()
    }

    fn hear(&self, what: &str, wanted: impl Fn(&What) -> bool) {
        for _ in 0..600 {
            if self.facts().iter().any(&wanted) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("not heard within 30 s: {what}; heard {:?}", self.facts());
    }

    fn opened(&self) -> usize {
        self.facts().iter().filter(|what| matches!(what, What::SegmentOpened { .. })).count()
    }

    fn waits_for_segment(&self, number: usize) {
        self.hear(&format!("segment {number}"), |_| self.opened() >= number);
    }

    /// Ends the recorder; what was sent in all.
    fn ends(self) -> Vec<u8> {
        self.orders.send_modify(|orders| Arc::make_mut(orders).shutdown = true);
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), self.task).await.expect("it ends").unwrap().unwrap();
        });
        self.sent
    }
}

fn speaker(name: &str) -> Label {
    Label { event: "年会".into(), hall: "主会场".into(), speaker: name.into(), ..Label::default() }
}

fn config() -> Config {
    Config { keep_free: units::Bytes(2), stop_free: units::Bytes(1), ..Config::default() }
}

fn closed(folder: &Path) -> Vec<Segment> {
    let index = Folder::new(folder.to_owned()).index().unwrap();
    assert!(index.segments().all(|kept| !kept.open), "every segment is closed");
    index.segments().map(|kept| kept.segment.clone()).collect()
}

fn joined(folder: &Path, segments: &[Segment]) -> Vec<u8> {
    segments.iter().flat_map(|segment| fs::read(folder.join(&segment.file)).unwrap()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn segments_joined_are_what_was_sent_to_the_byte_and_each_has_its_speakers_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut studio = Studio::open(dir.path(), config());

    studio.orders(true, speaker("张三"));
    studio.sends(3);
    studio.waits_for_segment(1);
    studio.orders(true, speaker("李四"));
    studio.sends(2);
    studio.waits_for_segment(2);
    studio.orders(true, Label { title: "Q/A: why?".into(), ..speaker("Ann") });
    studio.sends(4);
    studio.waits_for_segment(3);
    studio.orders(false, Label::default());
    studio.sends(1);
    studio.hear("the end", |what| matches!(what, What::SegmentClosed(s) if s.number == 2));
    let sent = studio.ends();

    let segments = closed(dir.path());
    let names: Vec<_> = segments.iter().map(|segment| segment.file.as_str()).collect();
    assert_eq!(names, ["00000_年会_主会场_张三.ts", "00001_年会_主会场_李四.ts", "00002_年会_主会场_Ann_Q-A-why.ts"]);
    let bytes = joined(dir.path(), &segments);
    assert!(bytes == sent[..bytes.len()], "the files joined are not what was sent");
    let mut scan = Scan::new();
    scan.push(&bytes);
    assert_eq!((scan.discontinuities, scan.garbage, scan.video.len()), (0, 0, 9 * GOP as usize));
    assert_eq!(segments.iter().map(|s| s.pictures).collect::<Vec<_>>(), [3 * GOP, 2 * GOP, 4 * GOP]);
    for (n, segment) in segments.iter().enumerate() {
        let bytes = fs::read(dir.path().join(&segment.file)).unwrap();
        assert_eq!((segment.bytes, &segment.sha256), (bytes.len() as u64, &sha256(&bytes)));
        assert_eq!((segment.joined, segment.missing, segment.recovered), (n > 0, 0, false));
    }
    let step = |a: &Segment, b: &Segment| b.pts.unwrap().0 - a.pts.unwrap().1;
    assert_eq!((step(&segments[0], &segments[1]), step(&segments[1], &segments[2])), (3600, 3600));
}

#[test]
fn a_step_that_is_taken_back_gives_the_running_segment_the_earlier_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut studio = Studio::open(dir.path(), config());

    studio.orders(true, speaker("张三"));
    studio.sends(1);
    studio.waits_for_segment(1);
    studio.orders(true, speaker("李四"));
    studio.sends(1);
    studio.waits_for_segment(2);
    studio.renames(speaker("张三"));
    studio.hear("renamed", |what| matches!(what, What::SegmentRenamed { .. }));
    studio.sends(1);
    let sent = studio.ends();

    let segments = closed(dir.path());
    let names: Vec<_> = segments.iter().map(|s| s.file.as_str()).collect();
    assert_eq!(names, ["00000_年会_主会场_张三.ts", "00001_年会_主会场_张三.ts"]);
    assert!(joined(dir.path(), &segments) == sent);
    assert_eq!(segments[1].label.speaker, "张三");
}

#[test]
fn a_folder_that_cannot_be_written_stops_the_recording_and_it_begins_by_itself_when_mended() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("recordings");
    fs::write(&folder, "in the way").unwrap();
    let mut studio = Studio::open(&folder, config());

    studio.orders(true, speaker("张三"));
    studio.sends(2);
    studio.hear("refused", |w| matches!(w, What::RecordingStopped { cause: StopCause::Unwritable, .. }));
    fs::remove_file(&folder).unwrap();
    for _ in 0..300 {
        studio.sends(1);
        if studio.opened() > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    studio.sends(1);
    studio.ends();

    let segments = closed(&folder);
    assert_eq!(segments.len(), 1);
    assert_eq!((segments[0].missing, segments[0].label.allowed), (0, Permissions::default()));
}

#[test]
fn a_disk_that_stands_still_costs_a_named_gap_and_the_recording_goes_on_in_another_segment() {
    let dir = tempfile::tempdir().unwrap();
    let mut studio = Studio::open(dir.path(), config());
    studio.orders(true, speaker("张三"));
    studio.sends(1);
    studio.waits_for_segment(1);

    // more at once than waits for a disk
    let flood = studio.stream.gop(ROOM as u64 / 188 / 3, true);
    assert!(flood.len() > ROOM);
    studio.reel.put(Bytes::from(flood));
    studio.hear("a gap", |what| matches!(what, What::RecordingGap { .. }));
    studio.sends(2);
    studio.waits_for_segment(2);
    let sent = studio.ends();

    let segments = closed(dir.path());
    let first = fs::read(dir.path().join(&segments[0].file)).unwrap();
    assert!(first == sent[..first.len()], "up to the gap nothing is missing");
    assert!(!segments.last().unwrap().joined && segments.iter().all(|s| s.missing == 0));
}

#[test]
fn on_a_small_disk_the_oldest_unprotected_go_first_and_the_recording_stops_before_it_is_full() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let folder = Folder::new(disk.path().to_owned());
    // 24 MB: below 12 MB the oldest go, below 8 MB nothing is written any more
    let config = Config { keep_free: units::Bytes(12_000_000), stop_free: units::Bytes(8_000_000), ..config() };
    let mut studio = Studio::open(disk.path(), config);
    let cut = |studio: &mut Studio, megabytes: usize| {
        let until = studio.sent.len() + megabytes * 1_000_000;
        let segments = studio.opened();
        studio.orders(true, speaker("张三"));
        while studio.sent.len() < until {
            studio.sends(4);
        }
        studio.waits_for_segment(segments + 1);
    };

    cut(&mut studio, 3);
    cut(&mut studio, 3);
    livebox_record(disk.path(), &["protect", "0"]);
    cut(&mut studio, 3);
    cut(&mut studio, 3);
    cut(&mut studio, 3);
    studio.hear("one goes", |what| matches!(what, What::SegmentRemoved { .. }));
    let gone: Vec<_> = studio.facts().into_iter().filter(|w| matches!(w, What::SegmentRemoved { .. })).collect();
    assert!(matches!(&gone[0], What::SegmentRemoved { file } if file.starts_with("00001")), "{gone:?}");

    // everything that is left is protected, and somebody else fills the disk
    let numbers: Vec<_> = folder.index().unwrap().segments().map(|kept| kept.segment.number.to_string()).collect();
    livebox_record(disk.path(), &[&["protect"], &numbers.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
    let filling = disk.path().join("somebody");
    fs::write(&filling, vec![1; 5_000_000]).unwrap();
    studio.hear("full", |w| matches!(w, What::RecordingStopped { cause: StopCause::DiskFull, .. }));
    let held = studio.opened();
    let before = studio.sent.len();
    studio.sends(40);
    assert!(studio.sent.len() > before, "whoever sends never waits");
    assert_eq!(studio.opened(), held);
    let free = nix::sys::statvfs::statvfs(disk.path()).unwrap();
    assert!(free.blocks_available() * free.fragment_size() > 1_000_000, "it stopped before the disk was full");

    fs::remove_file(&filling).unwrap();
    for _ in 0..300 {
        studio.sends(1);
        if studio.opened() > held {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(studio.opened(), held + 1, "with room again it goes on by itself");
    studio.ends();
    assert!(folder.index().unwrap().get(0).is_some(), "what is protected stays");
}

/// Where `the_child_records_until_it_is_killed` finds its folder.
const CHILD: &str = "LIVEBOX_RECORD_CHILD";

#[test]
fn a_recorder_that_is_killed_loses_less_than_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["record::the_child_records_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
        .env(CHILD, dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // 60 GOPs of a tenth of a second each have left the mux
    let left = lines.by_ref().map_while(Result::ok).filter(|line| line.starts_with("left ")).nth(60).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let left: u64 = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("left ").map(str::to_owned))
        .last()
        .unwrap_or_else(|| left["left ".len()..].to_owned())
        .parse()
        .unwrap();

    let studio = Studio::open(dir.path(), config());
    studio.hear("mended", |what| matches!(what, What::SegmentClosed(segment) if segment.recovered));
    studio.ends();

    let segments = closed(dir.path());
    let bytes = fs::read(dir.path().join(&segments[0].file)).unwrap();
    assert_eq!((segments[0].bytes, segments[0].bytes % 188, segments[0].missing), (bytes.len() as u64, 0, 0));
    assert_eq!(segments[0].sha256, sha256(&bytes));
    assert!(segments[0].pictures + 25 >= left, "{} of {left} pictures are there", segments[0].pictures);
}

/// Not a promise of its own: the process that the test above kills.
#[test]
#[ignore = "started and killed by another test"]
fn the_child_records_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut studio = Studio::open(&PathBuf::from(dir), config());
    studio.orders(true, speaker("张三"));
    studio.sends(1);
    let mut pictures = GOP;
    // at the pace of 25 pictures a second, as a mux gives them; the parent kills it long before the end
    for _ in 0..6000 {
        let bytes = studio.stream.gop(1, true);
        bytes.chunks(1316).for_each(|packet| studio.reel.put(Bytes::copy_from_slice(packet)));
        pictures += 1;
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "left {pictures}");
        let _ = out.flush();
        drop(out);
        std::thread::sleep(Duration::from_millis(40));
    }
}

#[test]
fn copies_are_verified_and_listed_from_the_shell() {
    let (dir, usb) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut studio = Studio::open(dir.path(), config());
    studio.orders(true, speaker("张三"));
    studio.sends(2);
    studio.waits_for_segment(1);
    studio.ends();
    let to = usb.path().to_str().unwrap();

    let list = livebox_record(dir.path(), &["list"]);
    let copied = livebox_record(dir.path(), &["copy", "--to", to]);
    let again = livebox_record(dir.path(), &["copy", "--to", to]);
    let listed = livebox_record(dir.path(), &["list"]);

    assert!(list.contains("00000_年会_主会场_张三.ts") && !list.contains("copied"), "{list}");
    assert!(copied.contains("verified") && again.is_empty(), "{copied}{again}");
    assert!(listed.contains("copied"), "{listed}");
    let check = Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(usb.path()).status();
    assert!(check.unwrap().success());
    assert!(usb.path().join(INDEX).exists());
}

fn livebox_record(folder: &Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_livebox"))
        .args(["record", "--folder"])
        .arg(folder)
        .args(args)
        .output()
        .unwrap();
    assert!(out.status.success(), "livebox record {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A file system in memory with so much room.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(dir.path())
            .status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("NOT TESTED: a small disk needs the right to mount; run the tests as root");
            return None;
        }
        Some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(feature = "gstreamer")]
mod programme {
    //! The real encoder and mux, a stock receiver beside the recorder.

    use std::collections::BTreeMap;
    use std::net::UdpSocket;

    use livebox::board::{Board, Keys, PictureDevice, SoundDevice};
    use livebox::message::MediaOrders;
    use livebox::units::Bitrate;

    use super::*;

    fn board() -> Board {
        Board {
            name: "test".into(),
            camera: Some(PictureDevice::Pattern { outages: vec![] }),
            camera2: None,
            embedded: None,
            mixer_a: Some(SoundDevice::Tone { hertz: 1000.0, outages: vec![] }),
            slides: None,
            mixer_b: None,
            encoders: vec![],
            scalers: vec![],
            uplinks: vec![],
            display: None,
            keys: Keys::default(),
            lamps: BTreeMap::new(),
        }
    }

    #[test]
    fn what_a_receiver_stores_is_what_lies_on_the_disk_whatever_is_cut_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let received = dir.path().join("received.ts");
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut receiver = Command::new("srt-live-transmit")
            .args(["-q", "-chunk:1316", &format!("srt://127.0.0.1:{port}?mode=listener"), "file://con"])
            .stdout(fs::File::create(&received).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .expect("srt-live-transmit is installed: run scripts/needs.sh test");
        let folder = dir.path().join("recordings");
        let mut studio = Studio::open(&folder, config());
        let (send, mut heard) = mpsc::channel(64);
        let facts = Arc::clone(&studio.facts);
        studio.runtime.spawn(async move {
            while let Some(fact) = heard.recv().await {
                let fact: Fact = fact;
                facts.lock().unwrap().push(fact.what);
            }
        });
        let orders = studio.orders.subscribe();
        let ends = Ends { orders, facts: send, part: Part::Media, pulse: Pulse::default() };
        let shape = livebox::media::Config {
            size: livebox::media::PictureSize { width: 640, height: 360 },
            srt_latency: Duration::from_millis(1000),
            ..Default::default()
        };
        studio.orders.send_modify(|orders| {
            Arc::make_mut(orders).media =
                MediaOrders { on_air: true, bitrate: Bitrate::mbps(1), ..MediaOrders::default() };
        });
        let reels = Arc::clone(&studio.reels);
        let media = studio.runtime.spawn(livebox::io::media::run(
            Arc::new(board()),
            Arc::new(shape),
            livebox::io::media::Exit::Srt(port),
            reels,
            watch::channel(Vec::new()).1,
            ends,
        ));
        studio.hear("on air", |what| matches!(what, What::OutputOpened));

        // control's part: the same number for the recorder and for the encoder
        let cut = |on, label: Label| {
            studio.orders.send_modify(|orders| {
                let orders = Arc::make_mut(orders);
                orders.record.on = on;
                orders.record.label = label;
                orders.record.cut += 1;
                orders.media.key = orders.record.cut;
            });
        };
        for (n, name) in ["张三", "李四", "Ann", "Bob"].into_iter().enumerate() {
            cut(true, speaker(name));
            studio.waits_for_segment(n + 1);
            std::thread::sleep(Duration::from_millis(1300));
        }
        cut(false, Label::default());
        studio.hear("the end", |what| matches!(what, What::SegmentClosed(s) if s.number == 3));
        // the receiver has it a latency later
        std::thread::sleep(Duration::from_millis(2500));
        studio.orders.send_modify(|orders| Arc::make_mut(orders).shutdown = true);
        studio
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(20), media).await })
            .unwrap()
            .unwrap()
            .unwrap();
        studio.sent.clear();
        studio.ends();
        let _ = receiver.kill();
        let _ = receiver.wait();

        let segments = closed(&folder);
        let bytes = joined(&folder, &segments);
        let sent = fs::read(&received).unwrap();
        let from =
            sent.windows(188 * 7).position(|window| window == &bytes[..188 * 7]).expect("the recording was sent");
        assert!(sent[from..from + bytes.len()] == bytes[..], "the files joined are not what was sent");
        let mut scan = Scan::new();
        scan.push(&bytes);
        assert_eq!((scan.discontinuities, scan.garbage), (0, 0));
        let steps: Vec<_> = scan.video.windows(2).map(|pair| pair[1].pts - pair[0].pts).collect();
        assert!(steps.iter().all(|step| *step == 3600), "{steps:?}");
        assert_eq!(segments.len(), 4);
        for (n, segment) in segments.iter().enumerate() {
            let mut scan = Scan::new();
            scan.push(&fs::read(folder.join(&segment.file)).unwrap());
            assert!(scan.video[0].key, "segment {n} plays from its first picture");
            assert_eq!((scan.video.len() as u64, segment.joined, segment.missing), (segment.pictures, n > 0, 0));
        }

        // and as one .mp4 of the same pictures
        let mp4 = dir.path().join("talk.mp4");
        livebox_record(&folder, &["mp4", "--to", mp4.to_str().unwrap(), "0", "1", "2", "3"]);
        let count = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-count_packets",
                "-show_entries",
                "stream=codec_name,nb_read_packets",
                "-of",
                "csv=p=0",
            ])
            .arg(&mp4)
            .output()
            .unwrap();
        let count = String::from_utf8(count.stdout).unwrap();
        assert!(count.contains(&format!("h264,{}", scan.video.len())) && count.contains("aac,"), "{count}");
    }
}
