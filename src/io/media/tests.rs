//! Outputs against real peers on the loopback: what they store is judged, packet by packet and picture by picture.

#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::board::{EncoderKind, Keys};
use crate::io::task::Pulse;
use crate::media::ts::Scan;
use crate::media::{Backup, Codec, Dual, FrameRate, Hold, PictureSize, Road, Roads, Scheme, Secret, sei};
use crate::message::{Fact, Orders, OutputState, Part};

/// One programme at a time: two cores encode one in real time, not six.
static STAGE: Mutex<()> = Mutex::new(());
/// The backup's pictures carry a white square.
static MARKED: AtomicBool = AtomicBool::new(false);
/// The main encoder gives nothing while this stands.
static STALLED: AtomicBool = AtomicBool::new(false);

const SIZE: PictureSize = PictureSize { width: 320, height: 180 };
/// Side of the white square in the lower left corner.
const MARK: usize = 32;

/// What the tests do to a branch's pictures before its encoder sees them.
pub(super) fn meddle(output: OutputId, pipe: &gst::Pipeline) {
    let Some(entrance) = pipe.by_name(crate::media::plan::ENTRANCE) else { return };
    let Some(pad) = entrance.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if output == OutputId::Main {
            while STALLED.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        let marks = output == OutputId::Backup && MARKED.load(Ordering::Relaxed);
        if let Some(gst::PadProbeData::Buffer(buffer)) = info.data.as_mut().filter(|_| marks) {
            *buffer = marked(buffer);
        }
        gst::PadProbeReturn::Ok
    });
}

/// The same picture with the white square.
fn marked(buffer: &gst::Buffer) -> gst::Buffer {
    let mut picture = buffer.map_readable().unwrap().as_slice().to_vec();
    let (width, height) = (SIZE.width as usize, SIZE.height as usize);
    for row in height - MARK..height {
        picture[row * width..row * width + MARK].fill(235);
    }
    let mut marked = gst::Buffer::from_mut_slice(picture);
    let stamps = marked.get_mut().unwrap();
    stamps.set_pts(buffer.pts());
    stamps.set_duration(buffer.duration());
    marked
}

fn stage() -> MutexGuard<'static, ()> {
    let stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    MARKED.store(false, Ordering::Relaxed);
    STALLED.store(false, Ordering::Relaxed);
    stage
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn wait(length: f64) {
    thread::sleep(seconds(length));
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What came, and how much of it by when.
type Got = (Vec<u8>, Vec<(Instant, usize)>);

/// A peer whose standard output is what it received, with the time at which each piece came.
struct Peer {
    child: Child,
    got: Arc<Mutex<Got>>,
}

impl Peer {
    fn start(program: &str, args: &[String]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; run scripts/needs.sh test"));
        let got: Arc<Mutex<Got>> = Arc::default();
        let (mut out, into) = (child.stdout.take().unwrap(), Arc::clone(&got));
        thread::spawn(move || {
            let mut piece = vec![0; 65536];
            while let Ok(n) = out.read(&mut piece) {
                if n == 0 {
                    break;
                }
                let mut got = into.lock().unwrap();
                got.0.extend_from_slice(&piece[..n]);
                let len = got.0.len();
                got.1.push((clock::now(), len));
            }
        });
        Self { child, got }
    }

    fn srt(port: u16, options: &str) -> Self {
        let uri = format!("srt://127.0.0.1:{port}?mode=listener&latency=120{options}");
        let peer = Self::start("srt-live-transmit", &["-q".into(), "-chunk:1316".into(), uri, "file://con".into()]);
        wait(0.3);
        peer
    }

    fn len(&self) -> usize {
        self.got.lock().unwrap().0.len()
    }

    fn bytes(&self) -> Vec<u8> {
        self.got.lock().unwrap().0.clone()
    }

    /// When the byte at `at` had come.
    fn came(&self, at: usize) -> Instant {
        self.got.lock().unwrap().1.iter().find(|(_, len)| *len > at).unwrap().0
    }

    /// Waits until it has got so much more.
    fn gets(&self, more: usize) {
        let from = self.len();
        for _ in 0..400 {
            if self.len() >= from + more {
                return;
            }
            wait(0.05);
        }
        panic!("the peer got {} bytes in 20 s, not {more}", self.len() - from);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn road(scheme: Scheme, to: &[String]) -> Road {
    Road {
        scheme,
        uplink: String::new(),
        to: to.to_vec(),
        stream_id: String::new(),
        secret: Secret::default(),
        secret_file: None,
        latency: Duration::from_millis(120),
    }
}

fn backup(road: Road) -> Backup {
    Backup { road, bitrate: Bitrate::kbps(400), gop: seconds(1.0), codec: Codec::H264 }
}

fn srt(port: u16) -> Road {
    road(Scheme::Srt, &[format!("127.0.0.1:{port}")])
}

fn config(roads: Roads) -> Config {
    Config {
        size: SIZE,
        rate: FrameRate { num: 25, den: 1 },
        gop: seconds(2.0),
        // a busy machine that is late with the sound would else make it longer, and show a picture twice for it
        reserve: seconds(0.2),
        srt_latency: Duration::from_millis(200),
        store: std::env::temp_dir(),
        roads,
        ..Config::default()
    }
}

/// The media part, running; main leaves into a channel as it does towards the engine.
struct Show {
    runtime: tokio::runtime::Runtime,
    orders: watch::Sender<Arc<Orders>>,
    facts: Arc<Mutex<Vec<What>>>,
    main: Arc<Mutex<BTreeMap<u8, Vec<u8>>>>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    _closed: watch::Sender<Option<Text>>,
}

impl Show {
    fn start(config: Config) -> Self {
        Self::on(config, Vec::new())
    }

    fn on(config: Config, uplinks: Vec<Uplink>) -> Self {
        Self::with(config, uplinks, vec![EncoderKind::X264enc])
    }

    fn with(config: Config, uplinks: Vec<Uplink>, encoders: Vec<EncoderKind>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let backup = config.roads.backup.as_ref().map(|backup| (OutputId::Backup, backup.bitrate));
        let dual = config.roads.dual.iter();
        let dual = dual.flat_map(|dual| [(OutputId::Camera, dual.camera), (OutputId::Slides, dual.slides)]);
        let media = MediaOrders {
            on_air: true,
            bitrate: Bitrate::kbps(800),
            others: backup.into_iter().chain(dual).collect(),
            ..MediaOrders::default()
        };
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
        let main: Arc<Mutex<BTreeMap<u8, Vec<u8>>>> = Arc::default();
        let into = Arc::clone(&main);
        runtime.spawn(async move {
            while let Some((stream, bytes)) = engine.recv().await {
                into.lock().unwrap().entry(stream).or_default().extend_from_slice(&bytes);
            }
        });
        let (closed, told) = watch::channel(None);
        let board = Board {
            name: "test".into(),
            camera: Some(PictureDevice::Pattern { outages: vec![] }),
            slides: Some(PictureDevice::Pattern { outages: vec![] }),
            mixer_a: Some(SoundDevice::Tone { hertz: 1000.0, outages: vec![] }),
            mixer_b: None,
            camera2: None,
            embedded: None,
            encoders,
            scalers: vec![],
            uplinks: vec![],
            display: None,
            keys: Keys::default(),
            lamps: BTreeMap::new(),
        };
        let ends = Ends { orders: listen, facts: send, part: Part::Media, pulse: Pulse::default() };
        let exit = Exit::Ts { payloads, closed: told };
        let (_, uplinks) = watch::channel(uplinks);
        let task = runtime.spawn(run(Arc::new(board), Arc::new(config), exit, Arc::default(), uplinks, ends));
        Self { runtime, orders, facts, main, task, _closed: closed }
    }

    fn order(&self, change: impl FnOnce(&mut MediaOrders)) {
        self.orders.send_modify(|orders| change(&mut Arc::make_mut(orders).media));
    }

    fn hold(&self, output: OutputId, seconds: u8, dumped: bool) {
        let delay = Hold::seconds(seconds).unwrap();
        self.order(|media| *media.outputs.held_mut(output).unwrap() = crate::message::Held { delay, dumped });
    }

    fn hear(&self, what: &str, wanted: impl Fn(&What) -> bool) {
        for _ in 0..600 {
            if self.facts.lock().unwrap().iter().any(&wanted) {
                return;
            }
            assert!(!self.task.is_finished(), "the part ended before \"{what}\": {:?}", self.facts.lock().unwrap());
            wait(0.05);
        }
        panic!("not heard within 30 s: {what}; heard {:?}", self.facts.lock().unwrap());
    }

    fn opens(&self, output: OutputId, place: usize) {
        self.hear("open", |what| {
            matches!(what, What::DestinationChanged { output: o, place: p, state: OutputState::Open, .. }
                if *o == output && *p == place)
        });
    }

    fn main(&self, stream: u8) -> Vec<u8> {
        self.main.lock().unwrap().get(&stream).cloned().unwrap_or_default()
    }

    fn end(self) {
        self.orders.send_modify(|orders| Arc::make_mut(orders).shutdown = true);
        self.runtime.block_on(async {
            tokio::time::timeout(seconds(15.0), self.task).await.expect("the part ends when told").unwrap().unwrap();
        });
    }
}

/// A stand-in for a board's own encoder: encodes, as long as its driver lets it start.
mod hardware {
    use std::sync::atomic::{AtomicU32, Ordering};

    use gst::glib;
    use gst::prelude::*;
    use gstreamer as gst;

    /// So many more times it starts.
    pub(super) static STARTS: AtomicU32 = AtomicU32::new(0);

    mod imp {
        use std::sync::LazyLock;

        use gst::glib;
        use gst::prelude::*;
        use gst::subclass::prelude::*;
        use gstreamer as gst;

        use super::{Ordering, STARTS};

        #[derive(Debug, Default)]
        pub struct Hardware;

        #[glib::object_subclass]
        impl ObjectSubclass for Hardware {
            const NAME: &'static str = "LiveboxHardware";
            type Type = super::Hardware;
            type ParentType = gst::Bin;
        }

        impl ObjectImpl for Hardware {
            fn properties() -> &'static [glib::ParamSpec] {
                static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> =
                    LazyLock::new(|| vec![glib::ParamSpecBoxed::builder::<gst::Structure>("extra-controls").build()]);
                &PROPERTIES
            }

            fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

            fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
                None::<gst::Structure>.to_value()
            }

            fn constructed(&self) {
                self.parent_constructed();
                let inner = gst::ElementFactory::make("x264enc");
                let inner = inner.property_from_str("tune", "zerolatency").property("key-int-max", 50_u32);
                let inner = inner.build().unwrap();
                self.obj().add(&inner).unwrap();
                for name in ["sink", "src"] {
                    let pad = gst::GhostPad::with_target(&inner.static_pad(name).unwrap()).unwrap();
                    self.obj().add_pad(&pad).unwrap();
                }
            }
        }

        impl GstObjectImpl for Hardware {}

        impl ElementImpl for Hardware {
            fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                    gst::subclass::ElementMetadata::new("encoder", "Codec/Encoder/Video", "a stand-in", "livebox")
                });
                Some(&METADATA)
            }

            fn change_state(&self, change: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                let one_less = |starts: u32| starts.checked_sub(1);
                if change == gst::StateChange::NullToReady
                    && STARTS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err()
                {
                    gst::element_imp_error!(self, gst::ResourceError::OpenWrite, ["/dev/video11: Permission denied"]);
                    return Err(gst::StateChangeError);
                }
                self.parent_change_state(change)
            }
        }

        impl BinImpl for Hardware {}
    }

    glib::wrapper! {
        pub struct Hardware(ObjectSubclass<imp::Hardware>) @extends gst::Bin, gst::Element, gst::Object,
            @implements gst::ChildProxy;
    }

    /// From now on there is a `v4l2h264enc`, which starts so often.
    pub(super) fn there(starts: u32) {
        super::init().unwrap();
        STARTS.store(starts, Ordering::SeqCst);
        if gst::ElementFactory::find("v4l2h264enc").is_none() {
            gst::Element::register(None, "v4l2h264enc", gst::Rank::NONE, Hardware::static_type()).unwrap();
        }
    }
}

/// From the first key picture on: counters and every step.
fn unbroken(name: &str, bytes: &[u8]) -> Scan {
    let mut scan = Scan::new();
    scan.push(bytes);
    keep(name, bytes);
    assert_eq!((scan.garbage, scan.discontinuities), (0, 0), "{name}");
    let odd: Vec<_> = scan.video.windows(2).map(|w| w[1].pts as i64 - w[0].pts as i64).filter(|s| *s != 3600).collect();
    assert!(odd.is_empty() && scan.video.len() > 25, "{name}: {odd:?} of {}", scan.video.len());
    let odd: Vec<_> = scan.audio.windows(2).map(|w| w[1].pts as i64 - w[0].pts as i64).collect();
    assert!(odd.iter().all(|step| (1919..=1921).contains(step)), "{name}: sound {odd:?}");
    scan
}

/// Leaves what came where `LIVEBOX_KEEP` says, for a closer look.
fn keep(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("LIVEBOX_KEEP") {
        let _ = std::fs::create_dir_all(&folder);
        let _ = std::fs::write(std::path::Path::new(&folder).join(format!("{name}.ts")), bytes);
    }
}

/// Mean brightness of the marked corner of each picture.
fn corners(bytes: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("got.ts");
    std::fs::write(&file, bytes).unwrap();
    let crop = format!("crop={MARK}:{MARK}:0:{},scale=1:1:flags=area", SIZE.height as usize - MARK);
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&file)
        .args(["-vf", &crop, "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    out.stdout
}

/// Wall clock and place of every picture: the bytes of its elementary stream are found by the remark itself.
fn clocks(bytes: &[u8]) -> Vec<(usize, u64)> {
    let mut found = Vec::new();
    for (n, packet) in bytes.chunks_exact(188).enumerate() {
        if packet[1] & 0x40 != 0
            && let Some(wall) = sei::read(packet)
        {
            found.push((n * 188, wall));
        }
    }
    found
}

#[test]
fn a_switch_shows_the_other_encode_within_500_ms_and_breaks_nothing() {
    let _stage = stage();
    MARKED.store(true, Ordering::Relaxed);
    let (port_b, port_p) = (free_port(), free_port());
    let (peer_b, peer_p) = (Peer::srt(port_b, ""), Peer::srt(port_p, ""));
    let roads = Roads { backup: Some(backup(srt(port_b))), programme: Some(srt(port_p)), dual: None };
    let show = Show::start(config(roads));
    show.opens(OutputId::Programme, 0);
    show.opens(OutputId::Backup, 0);
    wait(3.0);
    let mut asked = Vec::new();
    for active in [OutputId::Backup, OutputId::Main, OutputId::Backup] {
        asked.push((clock::now(), peer_p.len()));
        show.order(|media| media.outputs.active = active);
        wait(2.5);
    }
    show.end();

    let (back, programme) = (peer_b.bytes(), peer_p.bytes());
    unbroken("backup", &back);
    let scan = unbroken("programme", &programme);
    let seen: Vec<bool> = corners(&programme).into_iter().map(|y| y > 180).collect();
    assert!(seen.len() + 3 >= scan.video.len(), "{} of {} decoded", seen.len(), scan.video.len());
    let changes: Vec<usize> = (1..seen.len()).filter(|n| seen[*n] != seen[n - 1]).collect();
    assert_eq!(changes.len(), 3, "one change for each switch: {changes:?}");
    // the first pictures lean on one that was sent before the session opened
    let starts: Vec<usize> = pictures(&programme);
    let starts = &starts[starts.len() - seen.len()..];
    let mut took = Vec::new();
    for (change, (at, _)) in changes.iter().zip(&asked) {
        took.push(peer_p.came(starts[*change]).since(*at).as_millis());
    }
    eprintln!("the other encode's mark came {took:?} ms after the switch");
    assert!(took.iter().all(|ms| *ms <= 500), "{took:?}");
}

/// Where each picture begins.
fn pictures(bytes: &[u8]) -> Vec<usize> {
    let starts = |packet: &[u8]| packet[1] & 0x5f == 0x40 && packet[2] == 65;
    bytes.chunks_exact(188).enumerate().filter(|(_, packet)| starts(packet)).map(|(n, _)| n * 188).collect()
}

#[test]
fn both_encodes_carry_the_same_wall_clock_at_the_same_time_stamp() {
    let _stage = stage();
    let port = free_port();
    let peer = Peer::srt(port, "");
    let show = Show::start(config(Roads { backup: Some(backup(srt(port))), ..Roads::default() }));
    show.opens(OutputId::Backup, 0);
    wait(3.0);
    let main = show.main(0);
    show.end();

    // what came before a session's first tables is nobody's picture yet
    let clocks_of = |bytes: &[u8]| {
        let (mut scan, mut clocks) = (Scan::new(), BTreeMap::new());
        for packet in bytes.chunks_exact(188) {
            let before = scan.video.len();
            scan.push(packet);
            let Some(picture) = scan.video.get(before) else { continue };
            match sei::read(packet) {
                Some(wall) => _ = clocks.insert(picture.pts, wall),
                // an encoder tells what it is before its first picture, which fills a packet
                None => assert!(before == 0, "every picture carries the clock: {before}"),
            }
        }
        clocks
    };
    let (a, b) = (clocks_of(&main), clocks_of(&peer.bytes()));
    let same: Vec<_> = a.iter().filter_map(|(pts, wall)| b.get(pts).map(|other| (wall, other))).collect();
    assert!(same.len() > 40, "{}", same.len());
    assert!(same.iter().all(|(a, b)| a == b), "{same:?}");
    let now = clock::wall_micros().unwrap();
    let newest = *a.values().max().unwrap();
    assert!(now > newest && now - newest < 10_000_000, "it is the wall clock: {now} {newest}");
}

#[test]
fn a_destination_that_stalls_delays_no_other_and_the_next_one_takes_over() {
    let _stage = stage();
    let (dead, alive, port_p) = (free_port(), free_port(), free_port());
    let (stalls, peer, peer_p) = (Peer::srt(dead, ""), Peer::srt(alive, ""), Peer::srt(port_p, ""));
    let to = [format!("127.0.0.1:{dead}"), format!("127.0.0.1:{alive}")];
    let roads = Roads { backup: Some(backup(road(Scheme::Srt, &to))), programme: Some(srt(port_p)), dual: None };
    let show = Show::start(config(roads));
    show.opens(OutputId::Backup, 0);
    show.opens(OutputId::Programme, 0);
    wait(1.0);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(stalls.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    show.opens(OutputId::Backup, 1);
    peer.gets(40_000);
    show.end();
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();

    unbroken("beside-a-stalled-one", &peer_p.bytes());
    let gaps: Vec<u128> = peer_p.got.lock().unwrap().1.windows(2).map(|w| w[1].0.since(w[0].0).as_millis()).collect();
    assert!(gaps.iter().all(|ms| *ms < 1000), "never waited for: {:?}", gaps.iter().max());
    let mut scan = Scan::new();
    scan.push(&peer.bytes());
    assert!(scan.video.first().is_some_and(|picture| picture.key) || scan.video.iter().any(|p| p.key));
}

#[test]
fn a_wrong_passphrase_and_an_unreachable_destination_are_named() {
    let _stage = stage();
    let (port, port_p) = (free_port(), free_port());
    let _peer = Peer::srt(port, "&passphrase=correct horse&pbkeylen=16");
    let mut wrong = srt(port);
    wrong.secret = Secret("battery staple".into());
    let roads = Roads { backup: Some(backup(wrong)), programme: Some(srt(port_p)), dual: None };
    let show = Show::start(config(roads));
    let failed = |output| move |what: &What| matches!(what, What::DestinationChanged { output: o, state: OutputState::Failed, .. } if *o == output);
    show.hear("refused", failed(OutputId::Backup));
    show.hear("unreachable", failed(OutputId::Programme));
    let said = show.facts.lock().unwrap().clone();
    let before = show.main(0).len();
    wait(1.0);
    assert!(show.main(0).len() > before + 20_000, "everything else goes on");
    show.end();

    let why = |output| {
        said.iter().find_map(|what| match what {
            What::DestinationChanged { output: o, state: OutputState::Failed, why, .. } if *o == output => Some(why),
            _ => None,
        })
    };
    eprintln!("{:?} {:?}", why(OutputId::Backup), why(OutputId::Programme));
    assert!(why(OutputId::Backup).unwrap().en.contains("passphrase"), "{said:?}");
    assert!(!format!("{said:?}").contains("battery staple"));
    assert!(!why(OutputId::Programme).unwrap().en.is_empty());
}

#[test]
fn an_encoder_that_stands_still_is_made_afresh_and_every_picture_comes() {
    let _stage = stage();
    let port = free_port();
    let peer = Peer::srt(port, "");
    let show = Show::start(config(Roads { backup: Some(backup(srt(port))), ..Roads::default() }));
    show.opens(OutputId::Backup, 0);
    // half way from one key picture of the distance to the next
    wait(1.0);
    STALLED.store(true, Ordering::Relaxed);
    let at = clock::now();
    wait(0.3);
    let mut scan = Scan::new();
    scan.push(&show.main(0));
    let before = scan.video.len();
    show.hear("made afresh", |what| matches!(what, What::EncoderFailed { output: OutputId::Main, .. }));
    let took = clock::now().since(at);
    STALLED.store(false, Ordering::Relaxed);
    wait(3.0);
    let main = show.main(0);
    show.end();

    eprintln!("made afresh {} ms after it stood still", took.as_millis());
    assert!(took < seconds(1.6), "{took:?}");
    let scan = unbroken("after-a-stall", &main);
    let keys: Vec<usize> = (0..scan.video.len()).filter(|n| scan.video[*n].key).collect();
    eprintln!("{before} pictures before it stood still, key pictures at {keys:?}");
    assert!(keys.iter().any(|n| n.abs_diff(before) <= 1), "the next picture is a key picture: {before} of {keys:?}");
    let backup = unbroken("beside-a-stall", &peer.bytes());
    assert!(backup.video.len() > 100, "the other encode never noticed: {}", backup.video.len());
}

/// What was refused of an output's encoder for good.
fn refused(show: &Show, of: OutputId) -> Option<String> {
    show.facts.lock().unwrap().iter().find_map(|what| match what {
        What::EncoderFailed { output, for_good: true, why } if *output == of => Some(why.en.clone()),
        _ => None,
    })
}

#[test]
fn an_encoder_that_its_driver_refuses_is_named_and_the_next_one_carries_the_programme() {
    let _stage = stage();
    hardware::there(0);
    let port = free_port();
    let peer = Peer::srt(port, "");
    let roads = Roads { backup: Some(backup(srt(port))), ..Roads::default() };
    let show = Show::with(config(roads), vec![], vec![EncoderKind::V4l2h264enc, EncoderKind::X264enc]);
    show.hear("refused", |what| matches!(what, What::EncoderFailed { output: OutputId::Main, for_good: true, .. }));
    show.hear("chosen", |what| matches!(what, What::EncoderChosen { kind: EncoderKind::X264enc }));
    show.opens(OutputId::Backup, 0);
    peer.gets(60_000);
    wait(1.5);
    let (why, main) = (refused(&show, OutputId::Main).unwrap(), show.main(0));
    show.end();

    assert!(why.contains("v4l2h264enc") && why.contains("Permission denied"), "{why}");
    unbroken("beside-a-refused-encoder", &main);
}

#[test]
fn a_driver_that_carries_one_encode_and_no_more_leaves_the_second_to_the_processor() {
    let _stage = stage();
    // the trial, and the programme's own encode
    hardware::there(2);
    let port = free_port();
    let peer = Peer::srt(port, "");
    let roads = Roads { backup: Some(backup(srt(port))), ..Roads::default() };
    let show = Show::with(config(roads), vec![], vec![EncoderKind::V4l2h264enc, EncoderKind::X264enc]);
    show.hear("chosen", |what| matches!(what, What::EncoderChosen { kind: EncoderKind::V4l2h264enc }));
    show.hear("refused", |what| matches!(what, What::EncoderFailed { output: OutputId::Backup, for_good: true, .. }));
    show.opens(OutputId::Backup, 0);
    peer.gets(60_000);
    wait(1.5);
    let (why, main) = (refused(&show, OutputId::Backup).unwrap(), show.main(0));
    show.end();

    assert!(why.contains("v4l2h264enc") && why.contains("x264enc"), "{why}");
    unbroken("the-one-in-hardware", &main);
    unbroken("the-one-in-software", &peer.bytes());
}

#[test]
fn the_programme_is_held_back_let_go_and_dumped_without_a_break() {
    let _stage = stage();
    let port = free_port();
    let peer = Peer::srt(port, "");
    let show = Show::start(config(Roads { programme: Some(srt(port)), ..Roads::default() }));
    show.opens(OutputId::Programme, 0);
    wait(3.0);
    show.hold(OutputId::Programme, 3, false);
    // with the next key picture, and when the slate is made
    wait(7.5);
    let held = show.facts.lock().unwrap().iter().rev().find_map(|what| match what {
        What::OutputMeasured { output: OutputId::Programme, held, .. } => Some(*held),
        _ => None,
    });
    show.hold(OutputId::Programme, 3, true);
    let dumped_at = (clock::now(), peer.len());
    wait(2.0);
    show.hold(OutputId::Programme, 0, false);
    wait(3.0);
    show.end();

    let bytes = peer.bytes();
    unbroken("held-back", &bytes);
    assert!((2.8..3.3).contains(&held.unwrap().as_secs_f64()), "{held:?}");
    let walls = clocks(&bytes);
    let starts = pictures(&bytes);
    // a picture without a wall clock is the slate's
    let live: Vec<Option<u64>> =
        starts.iter().map(|start| walls.iter().find(|(at, _)| at == start).map(|(_, wall)| *wall)).collect();
    let slates = live.iter().filter(|wall| wall.is_none()).count();
    assert!((75 + 40..=75 + 75).contains(&slates), "three seconds of slate, and two of the dump: {slates}");
    let seen: Vec<u64> = live.iter().flatten().copied().collect();
    // in its first second the box finds out how long it has to wait for its sources, and shows a picture longer
    assert!(seen[25..].windows(2).all(|w| w[1] > w[0]), "nothing is shown twice");
    let first_slate = (0..live.len()).find(|n| starts[*n] >= dumped_at.1 && live[*n].is_none()).unwrap();
    let took = peer.came(starts[first_slate]).since(dumped_at.0);
    eprintln!("slate {} ms after the dump", took.as_millis());
    assert!(took < seconds(0.5), "{took:?}");
}

#[test]
fn the_dual_image_is_two_programmes_of_one_clock() {
    let _stage = stage();
    let port = free_port();
    let peer = Peer::srt(port, "");
    let dual = Dual {
        road: Some(srt(port)),
        camera: Bitrate::kbps(400),
        slides: Bitrate::kbps(200),
        slides_rate: FrameRate { num: 5, den: 1 },
    };
    let show = Show::start(config(Roads { dual: Some(dual), ..Roads::default() }));
    show.opens(OutputId::Camera, 0);
    wait(5.0);
    show.end();

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dual.ts");
    keep("dual", &peer.bytes());
    std::fs::write(&file, peer.bytes()).unwrap();
    let probe = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "program=program_id:program_stream=codec_name:packet=stream_index,pts",
            "-show_packets",
            "-show_programs",
            "-of",
            "csv=p=0",
        ])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&probe.stdout).to_string();
    let scan_pid = |pid: u8| {
        let mut pts = Vec::new();
        for packet in peer.bytes().chunks_exact(188) {
            if packet[1] & 0x5f == 0x40 && packet[2] == pid {
                pts.extend(
                    crate::wire::ts::Packet::parse(packet).and_then(|p| crate::wire::ts::Pes::parse(p.payload)?.pts),
                );
            }
        }
        pts
    };
    let (camera, slides) = (scan_pid(65), scan_pid(67));
    assert!(camera.windows(2).all(|w| w[1] - w[0] == 3600) && camera.len() > 60, "{camera:?}");
    assert!(slides.windows(2).all(|w| w[1] - w[0] == 18_000) && slides.len() > 12, "{slides:?}");
    assert!(slides.iter().all(|pts| pts % 3600 == camera[0] % 3600), "one clock");
    let programmes = text.lines().count();
    assert!(programmes > 0, "ffprobe reads it: {}", String::from_utf8_lossy(&probe.stderr));
}

#[test]
fn a_bonded_dual_image_leaves_as_numbered_streams() {
    let _stage = stage();
    let dual = Dual {
        road: None,
        camera: Bitrate::kbps(400),
        slides: Bitrate::kbps(200),
        slides_rate: FrameRate { num: 5, den: 1 },
    };
    let show = Show::start(config(Roads { dual: Some(dual), ..Roads::default() }));
    show.hear("on air", |what| matches!(what, What::OutputOpened));
    wait(4.0);
    let streams: Vec<Vec<u8>> = (0..3).map(|n| show.main(n)).collect();
    show.end();

    let stamps = |bytes: &[u8]| {
        let mut scan = Scan::new();
        scan.push(bytes);
        assert_eq!((scan.garbage, scan.discontinuities), (0, 0));
        (scan.video.iter().map(|picture| picture.pts).collect::<Vec<_>>(), scan.audio.len())
    };
    let ((main, _), (camera, sound), (slides, none)) = (stamps(&streams[0]), stamps(&streams[1]), stamps(&streams[2]));
    assert!(main.len() > 50 && camera.len() > 50 && sound > 100, "{} {}", main.len(), camera.len());
    assert!(slides.len() > 10 && none == 0, "{} {none}", slides.len());
    assert!(
        slides
            .iter()
            .filter(|pts| **pts >= camera[0] && **pts <= camera[camera.len() - 1])
            .all(|pts| camera.contains(pts))
    );
}

#[test]
fn rist_and_rtmp_reach_stock_peers_through_the_relay_bound_to_the_uplink() {
    let _stage = stage();
    let rist = loop {
        let port = free_port();
        if port.is_multiple_of(2) && port < 65_000 {
            break port;
        }
    };
    let rtmp = free_port();
    let text = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let peer_rtmp = Peer::start(
        "ffmpeg",
        &text(&[
            "-v",
            "error",
            "-listen",
            "1",
            "-i",
            &format!("rtmp://127.0.0.1:{rtmp}/live/key"),
            "-c",
            "copy",
            "-f",
            "mpegts",
            "-flush_packets",
            "1",
            "-",
        ]),
    );
    let peer_rist = Peer::start(
        "gst-launch-1.0",
        &text(&[
            "-q",
            "ristsrc",
            "address=127.0.0.1",
            &format!("port={rist}"),
            "!",
            "rtpmp2tdepay",
            "!",
            "fdsink",
            "fd=1",
        ]),
    );
    wait(1.0);
    let uplink = Uplink {
        slot: "lte1".into(),
        metered: false,
        interface: Some("lo".into()),
        index: Some(1),
        address: Some([127, 0, 3, 7].into()),
        bind_address: true,
        carrier: true,
        default_route: true,
    };
    let mut to_rtmp = road(Scheme::Rtmp, &[format!("rtmp://127.0.0.1:{rtmp}/live")]);
    to_rtmp.secret = Secret("key".into());
    to_rtmp.uplink = "lte1".into();
    let mut to_rist = road(Scheme::Rist, &[format!("127.0.0.1:{rist}")]);
    to_rist.uplink = "lte1".into();
    let roads = Roads { backup: Some(backup(to_rtmp)), programme: Some(to_rist), dual: None };
    let show = Show::on(config(roads), vec![uplink]);
    show.opens(OutputId::Backup, 0);
    show.opens(OutputId::Programme, 0);
    peer_rtmp.gets(60_000);
    peer_rist.gets(100_000);
    let bound =
        Command::new("ss").args(["-tunap"]).output().map(|out| String::from_utf8_lossy(&out.stdout).to_string());
    show.end();

    if let Ok(sockets) = bound {
        let from = |port: u16| sockets.lines().any(|l| l.contains("127.0.3.7") && l.contains(&format!(":{port}")));
        assert!(from(rtmp) && from(rist), "both leave from the uplink's address: {sockets}");
    }
    keep("rtmp", &peer_rtmp.bytes());
    keep("rist", &peer_rist.bytes());
    let mut scan = Scan::new();
    scan.push(&peer_rist.bytes());
    assert!(scan.video.len() > 20, "{}", scan.video.len());
    let mut scan = Scan::new();
    scan.push(&peer_rtmp.bytes());
    // ffmpeg puts eight blocks of sound into one packet
    assert!(scan.video.len() > 20 && scan.audio.len() > 5, "{} {}", scan.video.len(), scan.audio.len());
    assert!(clocks(&peer_rtmp.bytes()).len() > 10, "the wall clock travels by RTMP too");
}

#[test]
fn h265_travels_where_it_is_offered() {
    let _stage = stage();
    if init().is_err() || gst::ElementFactory::find("x265enc").is_none() {
        eprintln!("skipped: no x265enc on this machine");
        return;
    }
    let port = free_port();
    let peer = Peer::srt(port, "");
    let mut encode = backup(srt(port));
    encode.codec = Codec::H265;
    let show = Show::start(config(Roads { backup: Some(encode), ..Roads::default() }));
    show.opens(OutputId::Backup, 0);
    peer.gets(60_000);
    show.end();

    let bytes = peer.bytes();
    keep("h265", &bytes);
    let kinds =
        bytes.chunks_exact(188).filter_map(crate::wire::ts::Packet::parse).filter(|p| p.pid == 0x20 && p.starts);
    let kinds: Vec<u8> =
        kinds.flat_map(|p| crate::wire::ts::streams(p.payload).map(|(_, kind)| kind).collect::<Vec<_>>()).collect();
    assert!(kinds.contains(&crate::wire::ts::H265), "{kinds:?}");
    assert!(clocks(&bytes).len() > 10, "with its wall clock");
}
