//! The programme as a stock SRT receiver on the loopback stores it: counted in its time stamps.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use livebox::board::{Board, Keys, Outage, PictureDevice, SoundDevice};
use livebox::io::clock;
use livebox::io::media::{self, judge::judge_file};
use livebox::io::task::{Ends, Pulse};
use livebox::media::judge::{Away, Report};
use livebox::media::ts::Scan;
use livebox::media::{Config, FrameRate, Layout, Line, PictureSize, Secret, Slate, SourceId};
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
        reserve: s(0.2),
        gop: s(2.0),
        bitrate: (Bitrate::kbps(300), Bitrate::mbps(6)),
        audio_bitrate: Bitrate::kbps(128),
        srt_latency: Duration::from_millis(400),
        stream_id: String::new(),
        passphrase: Secret::default(),
        destination: "127.0.0.1:9".parse().unwrap(),
        prove: Duration::from_secs(10),
        slates: livebox::media::Slates::default(),
        sound: livebox::media::line::Settings::default(),
        store: std::env::temp_dir(),
        fallback: Vec::new(),
        roads: livebox::media::Roads::default(),
    }
}

pub(crate) fn board() -> Board {
    Board {
        name: "test".into(),
        camera: Some(PictureDevice::Pattern { outages: vec![] }),
        slides: Some(PictureDevice::Pattern { outages: vec![] }),
        camera2: None,
        embedded: None,
        mixer_a: Some(SoundDevice::Tone { hertz: 1000.0, outages: vec![] }),
        mixer_b: Some(SoundDevice::Tone { hertz: 440.0, outages: vec![] }),
        encoders: vec![],
        scalers: vec![],
        uplinks: vec![],
        display: None,
        keys: Keys::default(),
        lamps: BTreeMap::new(),
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
        // another program may take the port between our letting go of it and the receiver's start
        for _ in 0..10 {
            let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut receiver = Self::start_at(port, options);
            wait(0.3);
            if receiver.child.try_wait().unwrap().is_none() {
                return receiver;
            }
        }
        panic!("srt-live-transmit does not start");
    }

    fn start_at(port: u16, options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("received.ts");
        let child = Command::new("srt-live-transmit")
            .args(["-q", "-chunk:1316", &format!("srt://127.0.0.1:{port}?mode=listener{options}"), "file://con"])
            .stdout(fs::File::create(&file).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .expect("srt-live-transmit is installed: run scripts/needs.sh test");
        Self { child, port, file, _folder: folder }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
        let ends = Ends { orders: listen, facts: send, part: Part::Media, pulse: Pulse::default() };
        let exit = media::Exit::Srt(port);
        let (_, uplinks) = watch::channel(Vec::new());
        let task = runtime.spawn(media::run(Arc::new(board), Arc::new(config), exit, Arc::default(), uplinks, ends));
        Self { runtime, orders, facts, task }
    }

    fn order(&self, change: impl FnOnce(&mut MediaOrders)) {
        self.orders.send_modify(|orders| change(&mut Arc::make_mut(orders).media));
    }

    fn facts(&self) -> Vec<What> {
        self.facts.lock().unwrap().iter().map(|f| f.what.clone()).collect()
    }

    /// Waits until a fact is stated, at most half a minute.
    fn hear(&mut self, what: &str, wanted: impl Fn(&What) -> bool) {
        for _ in 0..600 {
            if self.facts().iter().any(&wanted) {
                return;
            }
            if self.task.is_finished() {
                panic!("the part ended before \"{what}\": {:?}", self.runtime.block_on(&mut self.task));
            }
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
fn received(
    board: Board,
    config: Config,
    orders: MediaOrders,
    away: &[Away],
    script: impl FnOnce(&mut Show),
) -> Report {
    judge_file(&stored(board, config, orders, "", script).file, 0, Some(1000.0), away).unwrap()
}

/// Plays `script` on air into a receiver with these options.
fn stored(
    board: Board,
    config: Config,
    orders: MediaOrders,
    options: &str,
    script: impl FnOnce(&mut Show),
) -> Receiver {
    let mut receiver = Receiver::start(options);
    let mut show = Show::start(board, config, receiver.port, orders);
    show.hear("on air", |w| matches!(w, What::OutputOpened));
    script(&mut show);
    show.end();
    receiver.end();
    keep(&receiver.file);
    receiver
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
    assert!(report.good(), "{report:#?}");
    assert!(report.pictures > 150 && report.doubled == 0, "{report:#?}");
    assert_eq!(report.pts_step, 3600);
    let sound = &report.sound;
    assert!((sound.tone_hz.unwrap() - 1000.0).abs() < 1.0 && sound.tone_db.unwrap() > 20.0, "{sound:?}");
    assert!(sound.longest_gap_ms < 1.5, "{sound:?}");
}

/// The process's time now, on which scripted outages lie.
fn now() -> f64 {
    clock::now().as_secs_f64()
}

fn outage(from: f64, to: f64, stall: bool) -> Outage {
    Outage { from: s(from), to: s(to), stall }
}

#[test]
fn a_camera_that_is_killed_stalls_and_returns_leaves_every_time_stamp_exact() {
    let _stage = stage();
    let t = now();
    let script = vec![
        outage(t + 4.0, t + 5.5, false),
        outage(t + 16.0, t + 17.5, true),
        // the second loss within ten seconds: three seconds of proof
        outage(t + 19.0, t + 20.0, false),
    ];
    let away: Vec<_> = script.iter().map(|o| Away { from: o.from, to: o.to }).collect();
    let board = Board {
        camera: Some(PictureDevice::Pattern { outages: script }),
        camera2: None,
        embedded: None,
        mixer_a: Some(SoundDevice::Tone { hertz: 1000.0, outages: vec![outage(t + 8.0, t + 9.0, false)] }),
        ..board()
    };
    let mut lost = Vec::new();

    let report = received(board, config(), live(), &away, |show| {
        while now() < t + 26.0 {
            wait(0.1);
        }
        lost = show.facts();
    });

    assert!(report.good() && report.doubled == 0, "{report:#?}");
    let slates: Vec<_> = report.slates.iter().filter(|s| s.before.is_some()).collect();
    assert_eq!(slates.len(), 3, "{report:#?}");
    for slate in &slates {
        assert!(slate.onset_ms <= 200.0, "{slate:?}");
    }
    for slate in &slates[..2] {
        assert!(slate.return_ms.unwrap() <= 100.0, "{slate:?}");
    }
    let proof = slates[2].return_ms.unwrap();
    assert!((3000.0..=3100.0).contains(&proof), "{proof}");
    let gap = report.sound.longest_gap_ms;
    assert!((900.0..1100.0).contains(&gap), "{gap}");
    let said = |source, cause| {
        lost.iter()
            .filter(|w| matches!(w, What::SourceLost { source: s, cause: c, .. } if *s == source && *c == cause))
            .count()
    };
    assert!(
        said(SourceId::Camera, LossCause::Failed) >= 2 && said(SourceId::Camera, LossCause::Stalled) >= 1,
        "{lost:?}"
    );
    assert_eq!(said(SourceId::MixerA, LossCause::Failed), 1, "{lost:?}");
}

#[test]
fn layouts_and_lines_change_without_a_lost_picture_or_a_click() {
    let _stage = stage();
    let receiver = stored(board(), config(), live(), "", |show| {
        for (layout, line) in [
            (Layout::PictureInPicture, Line::B),
            (Layout::SideBySide, Line::A),
            (Layout::Slides, Line::B),
            (Layout::Camera, Line::A),
        ] {
            wait(2.0);
            show.order(|o| (o.layout, o.line) = (layout, line));
        }
        wait(2.0);
    });

    for source in [0, 1] {
        let report = judge_file(&receiver.file, source, None, &[]).unwrap();
        assert!(report.good() && report.doubled == 0, "{report:#?}");
        assert!(report.sound.longest_gap_ms < 1.5, "{report:#?}");
        // the camera is away in the slides' two seconds alone, the slides at both ends
        let seen = report.pictures - report.slates.iter().map(|s| s.pictures).sum::<u64>();
        assert!((120..=220).contains(&seen), "{source}: {seen} {report:#?}");
    }
}

#[test]
fn any_layout_cuts_to_any_other_between_two_pictures() {
    let _stage = stage();
    let board = Board { camera2: Some(PictureDevice::Pattern { outages: vec![] }), ..board() };
    // every ordered pair once: for each layout, out to each later one and back
    let mut path = vec![Layout::Camera];
    for (n, from) in Layout::ALL.iter().enumerate() {
        path.push(*from);
        path.extend(Layout::ALL[n + 1..].iter().flat_map(|to| [*to, *from]));
    }
    path.dedup();
    let receiver = stored(board, config(), live(), "", |show| {
        wait(1.5);
        for layout in &path[1..] {
            show.order(|o| o.layout = *layout);
            wait(0.48);
        }
        wait(0.5);
    });

    for source in [0, 1, 2] {
        let report = judge_file(&receiver.file, source, None, &[]).unwrap();
        assert!(report.pts_irregular == 0 && report.ts_discontinuities == 0 && report.doubled == 0, "{report:#?}");
    }
    let seen = thumbnails(&receiver.file);
    let off = |pair: &[Vec<u8>]| {
        pair[0].iter().zip(&pair[1]).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>() / pair[0].len() as u64
    };
    let steps: Vec<u64> = seen.windows(2).map(off).collect();
    // both cameras look alike, and say by their bars who they are
    let marks: Vec<Vec<u8>> = media::judge::pictures(&receiver.file)
        .unwrap()
        .iter()
        .map(|picture| picture.marks.iter().map(|mark| mark.source).collect())
        .collect();
    assert_eq!(marks.len(), seen.len());
    let began = marks.iter().position(|marks| !marks.is_empty()).unwrap();
    // the last picture may have been on its way when the live was closed
    let whole = steps.len() - 1;
    let cuts: Vec<usize> = (began..whole).filter(|n| steps[*n] > 20 || marks[*n] != marks[n + 1]).collect();
    // a picture that were part of both would make two steps of one cut
    assert_eq!(cuts.len(), path.len() - 1, "{cuts:?} of {steps:?}");
    assert!(cuts.windows(2).all(|w| (8..=18).contains(&(w[1] - w[0]))), "each layout its twelve pictures: {cuts:?}");
}

/// A file and its SHA-256.
fn checked(path: &Path) -> livebox::media::slates::Checked {
    let bytes = fs::read(path).unwrap();
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
    livebox::media::slates::Checked { path: path.to_path_buf(), sha256 }
}

#[test]
fn slates_come_from_checked_files_a_bad_one_is_named_and_one_order_goes_there_and_back() {
    let _stage = stage();
    let folder = tempfile::tempdir().unwrap();
    let (hold, film, end) =
        (folder.path().join("hold.png"), folder.path().join("film.mp4"), folder.path().join("end.png"));
    ffmpeg(&format!("-f lavfi -i color=white:s=300x200 -frames:v 1 {}", hold.display()));
    ffmpeg(&format!("-f lavfi -i testsrc=s=320x180:r=25:d=2 -c:v mpeg4 {}", film.display()));
    fs::write(&end, "no picture").unwrap();
    let mut slates = livebox::media::Slates {
        files: [Some(checked(&hold)), Some(checked(&film)), Some(checked(&hold)), Some(checked(&end))],
        ..livebox::media::Slates::default()
    };
    slates.files[2].as_mut().unwrap().sha256[0] ^= 1;
    let config = Config { slates, ..config() };
    let receiver = stored(board(), config, live(), "", |show| {
        for (name, good) in [("hold", true), ("warmup", true), ("technical", false), ("end", false)] {
            show.hear(
                name,
                |w| matches!(w, What::SlateJudged { name: n, wrong } if *n == name && wrong.is_none() == good),
            );
        }
        wait(2.0);
        for which in [Slate::Hold, Slate::Warmup, Slate::End] {
            show.order(|o| (o.slate, o.which) = (true, which));
            wait(3.0);
        }
        show.order(|o| o.slate = false);
        wait(2.0);
    });

    let report = judge_file(&receiver.file, 0, None, &[]).unwrap();
    assert!(report.pts_irregular == 0 && report.ts_discontinuities == 0, "{report:#?}");
    // before the first picture of the camera stands a slate too
    let slates: Vec<_> = report.slates.iter().filter(|slate| slate.before.is_some()).collect();
    let [slate] = slates.as_slice() else { panic!("one slate, and the camera before and after: {report:#?}") };
    assert!((200..=250).contains(&slate.pictures), "{slate:?}");
    let seen = thumbnails(&receiver.file);
    let white = |picture: &Vec<u8>| picture[18 * 64 + 32] > 225 && picture[18 * 64 + 2] < 30;
    let held = seen.iter().filter(|p| white(p)).count();
    assert!((65..=85).contains(&held), "the hold slate with its borders: {held}");
    // the film moves, and goes on beyond its own two seconds
    let first = seen.iter().rposition(white).unwrap() + 1;
    let moves = seen[first + 5..first + 70].windows(25).filter(|w| w[0] != w[24]).count();
    assert!(moves > 35, "the warm-up loop plays: {moves}");
}

#[test]
fn passphrase_and_stream_id_reach_the_receiver() {
    let _stage = stage();
    let config = Config { passphrase: Secret("correct horse".into()), stream_id: "publish:hall".into(), ..config() };
    let receiver = stored(board(), config, live(), "&passphrase=correct horse", |_| wait(2.0));
    assert!(judge_file(&receiver.file, 0, None, &[]).unwrap().pictures > 25);
}

#[test]
fn a_receiver_that_comes_later_or_dies_is_called_again_and_the_programme_goes_on() {
    let _stage = stage();
    let mut receiver = Receiver::start("");
    let mut show = Show::start(board(), config(), receiver.port, live());
    show.hear("on air", |w| matches!(w, What::OutputOpened));
    wait(1.0);
    receiver.end();
    show.hear("off air", |w| matches!(w, What::OutputClosed { .. }));
    let mut later = Receiver::start_at(receiver.port, "");
    for _ in 0..300 {
        if fs::metadata(&later.file).is_ok_and(|m| m.len() > 200_000) {
            break;
        }
        wait(0.1);
    }
    later.end();
    assert!(judge_file(&later.file, 0, None, &[]).unwrap().missing == 0, "the later receiver gets the programme");
    let frames = |show: &Show| {
        show.facts()
            .iter()
            .filter_map(|w| if let What::ProgrammeMeasured { frames, .. } = w { Some(*frames) } else { None })
            .max()
    };
    let before = frames(&show);
    wait(2.0);
    assert!(frames(&show) > before, "the encoder waits for nobody");
    show.end();
}

/// Seconds and bits per second between key figures of a stored stream, second by second.
fn rates(file: &Path) -> Vec<f64> {
    let data = fs::read(file).unwrap();
    let mut scan = Scan::new();
    let mut marks: Vec<(u64, usize)> = Vec::new();
    for (i, packet) in data.chunks(188).enumerate() {
        scan.push(packet);
        if let Some(last) = scan.video.last()
            && marks.last().is_none_or(|(pts, _)| last.pts >= pts + 90_000)
        {
            marks.push((last.pts, i * 188));
        }
    }
    marks.windows(2).map(|w| (w[1].1 - w[0].1) as f64 * 8.0 * 90_000.0 / (w[1].0 - w[0].0) as f64).collect()
}

fn ffmpeg(arguments: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .output()
        .expect("ffmpeg is installed: run scripts/needs.sh test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_bitrate_follows_orders_at_once_and_key_pictures_come_when_the_session_opens() {
    let _stage = stage();
    let folder = tempfile::tempdir().unwrap();
    let snow = folder.path().join("snow.mkv");
    // noise: more than any rate can carry, so that the rate is what is measured
    ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=640x360:r=25:d=4,noise=alls=80:allf=t -c:v mjpeg -q:v 5 {}",
        snow.display()
    ));
    let board = Board { camera: Some(PictureDevice::File { path: snow }), ..board() };
    let config = Config { gop: s(30.0), ..config() };
    let orders = MediaOrders { bitrate: Bitrate::kbps(2500), ..live() };
    let receiver = stored(board, config, orders, "", |show| {
        show.hear("camera", |w| matches!(w, What::SourceArrived { source: SourceId::Camera, .. }));
        wait(4.0);
        show.order(|o| o.bitrate = Bitrate::kbps(700));
        wait(5.0);
    });

    let rates = rates(&receiver.file);
    let (high, low) = (rates[2], rates[rates.len() - 2]);
    assert!((2_000_000.0..3_400_000.0).contains(&high) && (600_000.0..1_300_000.0).contains(&low), "{rates:?}");
    let mut scan = Scan::new();
    scan.push(&fs::read(&receiver.file).unwrap());
    let keys: Vec<_> = scan.video.iter().enumerate().filter(|(_, s)| s.key).map(|(i, _)| i).collect();
    assert!(keys.iter().any(|i| (1..40).contains(i)), "a key picture when the session opened: {keys:?}");
    assert!(keys.len() <= 3, "none because of the change of rate: {keys:?}");
}

/// A file of the test media, or the one that the variable names.
fn media_file(key: &str, name: &str) -> PathBuf {
    let path = std::env::var_os(key).map_or_else(|| Path::new("target/test-media").join(name), PathBuf::from);
    assert!(path.is_file(), "{} is missing: run scripts/needs.sh test and scripts/test-media.sh", path.display());
    path
}

/// Small grey pictures of a file.
fn thumbnails(file: &Path) -> Vec<Vec<u8>> {
    let raw = ffmpeg(&format!("-i {} -an -vf scale=64:36 -pix_fmt gray -f rawvideo -", file.display()));
    raw.chunks_exact(64 * 36).map(<[u8]>::to_vec).collect()
}

#[test]
fn a_film_and_spoken_words_are_played_in_a_loop_without_a_hole() {
    let _stage = stage();
    let film = media_file("LIVEBOX_CLIP", "bigbuckbunny.mp4");
    let speech = media_file("LIVEBOX_SPEECH", "speech.wav");
    let board = Board {
        camera: Some(PictureDevice::File { path: film.clone() }),
        mixer_a: Some(SoundDevice::File { path: film.clone() }),
        mixer_b: Some(SoundDevice::File { path: speech }),
        ..board()
    };
    let mut facts = Vec::new();
    let receiver = stored(board, config(), live(), "", |show| {
        for source in [SourceId::Camera, SourceId::MixerA, SourceId::MixerB] {
            show.hear("the files", |w| matches!(w, What::SourceArrived { source: s, .. } if *s == source));
        }
        wait(8.0);
        show.order(|o| o.line = Line::B);
        wait(4.0);
        facts = show.facts();
    });

    let report = judge_file(&receiver.file, 0, None, &[]).unwrap();
    assert!(report.pictures > 250 && report.pts_irregular == 0, "{report:#?}");
    assert!(report.sound.samples > 480_000, "{report:#?}");
    // at the start nothing has come yet; after that nothing is lost, though the film begins again
    let arrived = facts.iter().position(|w| matches!(w, What::SourceArrived { source: SourceId::Camera, .. })).unwrap();
    let lost = |w: &What| matches!(w, What::SourceLost { source: SourceId::Camera | SourceId::MixerA, .. });
    assert!(!facts[arrived..].iter().any(lost), "{facts:?}");
    let film = thumbnails(&film);
    let seen = thumbnails(&receiver.file);
    for picture in seen[seen.len() / 2..].iter().step_by(20) {
        let off = |other: &Vec<u8>| {
            picture.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>() / picture.len() as u64
        };
        let nearest = film.iter().map(off).min().unwrap();
        assert!(nearest <= 4, "a picture that is not of the film: {nearest}");
    }
    let loud = facts.iter().any(|w| matches!(w, What::AudioMeasured { b: Some(level), .. } if level.0 > -30.0));
    assert!(loud, "the words are heard on line B: {facts:?}");
}

#[test]
fn devices_that_are_absent_at_start_are_named_and_taken_up_when_they_appear() {
    let _stage = stage();
    let folder = tempfile::tempdir().unwrap();
    let later = folder.path().join("later.wav");
    let broken = folder.path().join("broken.mp4");
    fs::write(&broken, "no film at all").unwrap();
    let board = Board {
        camera: Some(PictureDevice::V4l2 {
            bus: "usb-none".into(),
            controls: BTreeMap::new(),
            facts: Default::default(),
        }),
        slides: Some(PictureDevice::File { path: broken }),
        mixer_a: Some(SoundDevice::Alsa {
            card: livebox::board::CardMatch::Id("NoSuchCard".into()),
            device: 0,
            channels: vec![1, 2],
        }),
        mixer_b: Some(SoundDevice::File { path: later.clone() }),
        ..board()
    };
    let mut show = Show::start(board, config(), 9, MediaOrders::default());
    for source in [SourceId::Camera, SourceId::MixerA, SourceId::MixerB] {
        show.hear("what is absent", |w| {
            matches!(w, What::SourceLost { source: s, cause: LossCause::Absent, detail } if *s == source && !detail.is_empty())
        });
    }
    show.hear("what is broken", |w| {
        matches!(w, What::SourceLost { source: SourceId::Slides, cause: LossCause::Failed, detail } if detail.zh.contains("broken.mp4") && detail.en.contains("broken.mp4"))
    });
    show.hear("the programme", |w| matches!(w, What::ProgrammeMeasured { frames: 50.., slate: true, .. }));

    ffmpeg(&format!("-f lavfi -i sine=f=440:d=3 -ar 48000 {}.new.wav", later.display()));
    fs::rename(format!("{}.new.wav", later.display()), &later).unwrap();

    show.hear("the sound that came later", |w| matches!(w, What::SourceArrived { source: SourceId::MixerB, .. }));
    show.end();
}

#[test]
fn a_source_that_the_board_does_not_have_is_not_missed() {
    let _stage = stage();
    let board = Board { slides: None, mixer_b: None, ..board() };
    let mut show = Show::start(board, config(), 9, MediaOrders::default());
    show.hear("two seconds of programme", |w| matches!(w, What::ProgrammeMeasured { frames: 50.., .. }));
    let unfitted = |w: &What| matches!(w, What::SourceLost { source: SourceId::Slides | SourceId::MixerB, .. });
    assert!(!show.facts().iter().any(unfitted), "{:?}", show.facts());
    show.end();
}

/// The bench: a capture device and a sound card of this machine, named by `LIVEBOX_BUS` (a V4L2 bus
/// path) and `LIVEBOX_CARD` (an ALSA card id).
#[test]
#[ignore = "needs a capture device and a sound card: LIVEBOX_BUS=… LIVEBOX_CARD=… cargo test --test tests -- --ignored capture_devices"]
fn capture_devices_of_this_machine_reach_the_receiver() {
    let _stage = stage();
    let named = |key| std::env::var(key).ok();
    let bus = named("LIVEBOX_BUS").expect("LIVEBOX_BUS names a V4L2 bus path");
    let card = named("LIVEBOX_CARD").expect("LIVEBOX_CARD names an ALSA card id");
    let board = Board {
        camera: Some(PictureDevice::V4l2 { bus, controls: BTreeMap::new(), facts: Default::default() }),
        mixer_a: Some(SoundDevice::Alsa { card: livebox::board::CardMatch::Id(card), device: 0, channels: vec![1, 2] }),
        slides: None,
        mixer_b: None,
        ..board()
    };
    let config = Config { rate: FrameRate { num: 30, den: 1 }, ..config() };
    let mut facts = Vec::new();
    let receiver = stored(board, config, live(), "", |show| {
        for source in [SourceId::Camera, SourceId::MixerA] {
            show.hear("the devices", |w| matches!(w, What::SourceArrived { source: s, .. } if *s == source));
        }
        wait(10.0);
        // a simulated HDMI signal can be pulled
        let pull = |mode: &str| {
            let node = named("BOX_VIDEO0").unwrap_or_default();
            let control = format!("dv_timings_signal_mode={mode}");
            Command::new("v4l2-ctl").args(["-d", &node, "-c", &control]).status().is_ok_and(|s| s.success())
        };
        if named("BOX_VIDEO0").is_some() && pull("1") {
            let lost =
                |w: &What| matches!(w, What::SourceLost { source: SourceId::Camera, cause: LossCause::NoSignal, .. });
            show.hear("the loss of the signal", lost);
            wait(2.0);
            assert!(pull("0"), "the signal comes back");
            wait(5.0);
        }
        facts = show.facts();
    });

    let report = judge_file(&receiver.file, 0, Some(1000.0), &[]).unwrap();
    eprintln!("{facts:#?}\n{:?}", report.sound);
    assert!(report.pictures > 200 && report.pts_irregular == 0 && report.pts_step == 3000, "{report:#?}");
    let last = facts.iter().rev().find_map(|w| match w {
        What::SourceArrived { source: SourceId::Camera, .. } => Some(true),
        What::SourceLost { source: SourceId::Camera, .. } => Some(false),
        _ => None,
    });
    assert_eq!(last, Some(true), "the camera is back at the end");
}
