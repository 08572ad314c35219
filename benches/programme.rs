//! What the programme costs and how late it is: two made-up 1080p inputs, encoded twice in software, sent over two
//! outputs (main into a channel as towards the engine, backup by SRT to a stock receiver) and both recorded.
//!
//! `cargo bench --bench programme [-- SECONDS]` prints, for each size, how long the burnt-in clock takes
//! from the moment a picture is taken to the first byte of the transport stream that carries it, the
//! time from the start to the first packet, the share of a core that is our own (by thread: drawing
//! the test pattern, scaling, encoding and the bench's reading stand apart), and the memory held.
#![allow(clippy::print_stdout, reason = "the figures are what this is for")]
#![allow(clippy::disallowed_methods, reason = "what is measured here is real time")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use livebox::board::{Board, Keys, PictureDevice, SoundDevice};
use livebox::io::media::{self, Exit, judge};
use livebox::io::reel::Reels;
use livebox::io::task::{Ends, Pulse};
use livebox::io::{clock, record};
use livebox::media::ts::Scan;
use livebox::media::{Backup, Codec, Config, OutputId, PictureSize, Road, Roads, Scheme, Secret};
use livebox::message::{MediaOrders, Orders, Part};
use livebox::time::Instant;
use livebox::units::Bitrate;
use tokio::sync::{mpsc, watch};

/// The bench's own thread, which takes and stores the stream.
const READING: &str = "reading";
/// Threads that stand for the camera, the scaler, the encoder and the far end, by how their names begin.
const NOT_OURS: [(&str, &str); 4] = [
    (READING, "reading by the bench"),
    ("camera", "drawing"),
    ("slides", "drawing"),
    // an encode runs in the thread of its entrance
    ("entrance", "scaling and encoding"),
];

fn board() -> Board {
    Board {
        name: "bench".into(),
        camera: Some(PictureDevice::Pattern { outages: vec![] }),
        slides: Some(PictureDevice::Pattern { outages: vec![] }),
        camera2: None,
        mixer_a: Some(SoundDevice::Tone { hertz: 1000.0, outages: vec![] }),
        mixer_b: Some(SoundDevice::Tone { hertz: 440.0, outages: vec![] }),
        embedded: None,
        encoders: vec![],
        scalers: vec![],
        uplinks: vec![],
        display: None,
        keys: Keys::default(),
        lamps: BTreeMap::new(),
    }
}

/// Seconds of processor time by the name of the thread, since each began.
fn processor() -> BTreeMap<String, f64> {
    let mut spent = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, s)| s.rsplit_once(')')) else { continue };
        let ticks: f64 = rest.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
        *spent.entry(name.to_owned()).or_default() += ticks / 100.0;
    }
    spent
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}

struct Run {
    first_packet: Duration,
    lateness: Vec<f64>,
    spent: BTreeMap<String, f64>,
    wall: f64,
    resident: f64,
}

/// A stock receiver, ended with the bench.
struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn receiver() -> anyhow::Result<(u16, Receiver)> {
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let child = Command::new("srt-live-transmit")
        .args(["-q", "-chunk:1316", &format!("srt://127.0.0.1:{port}?mode=listener"), "file://con"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("srt-live-transmit is installed by scripts/needs.sh test")?;
    Ok((port, Receiver(child)))
}

/// The second output: another encode, plain SRT.
fn backup(port: u16) -> Backup {
    let road = Road {
        scheme: Scheme::Srt,
        uplink: String::new(),
        to: vec![format!("127.0.0.1:{port}")],
        stream_id: String::new(),
        secret: Secret::default(),
        secret_file: None,
        latency: Duration::from_millis(200),
    };
    Backup { road, bitrate: Bitrate::mbps(3), gop: Duration::from_secs(2), codec: Codec::H264 }
}

async fn programme(size: PictureSize, seconds: f64, file: &Path, disk: &Path) -> anyhow::Result<Run> {
    let (port, _receiver) = receiver()?;
    let backup = backup(port);
    let others = BTreeMap::from([(OutputId::Backup, backup.bitrate)]);
    let roads = Roads { backup: Some(backup), ..Roads::default() };
    let config = Config { size, roads, ..Config::default() };
    let rate = config.rate;
    let media_orders = MediaOrders { on_air: true, bitrate: Bitrate::mbps(6), others, ..MediaOrders::default() };
    let mut orders = Orders { media: media_orders, ..Orders::default() };
    (orders.record.on, orders.record.cut) = (true, 1);
    let (command, orders) = watch::channel(Arc::new(orders));
    let (facts, mut heard) = mpsc::channel(64);
    tokio::spawn(async move { while heard.recv().await.is_some() {} });
    let ends = |part| Ends { orders: orders.clone(), facts: facts.clone(), part, pulse: Pulse::default() };
    let (payloads, mut leaving) = mpsc::channel::<(u8, Bytes)>(1024);
    let (_open, closed) = watch::channel(None);
    let reels = Arc::new(Reels::default());
    let keeps = livebox::record::Config::default();
    let recorder = tokio::spawn(record::run(disk.to_owned(), keeps, Arc::clone(&reels), ends(Part::Record)));
    let (_none, uplinks) = watch::channel(Vec::new());
    let began = clock::now();
    let exit = Exit::Ts { payloads, closed };
    let task = tokio::spawn(media::run(Arc::new(board()), Arc::new(config), exit, reels, uplinks, ends(Part::Media)));

    let mut stored = std::fs::File::create(file)?;
    let (mut scan, mut arrivals) = (Scan::new(), Vec::new());
    let (mut first, mut before) = (None, None);
    while let Some((_, bytes)) = leaving.recv().await {
        let now = clock::now();
        let first = *first.get_or_insert(now);
        scan.push(&bytes);
        arrivals.resize(scan.video.len(), now);
        stored.write_all(&bytes)?;
        if before.is_none() && now.since(first) > Duration::from_secs(3) {
            before = Some((now, processor()));
        }
        if now.since(first).as_secs_f64() > seconds + 3.0 {
            break;
        }
    }
    let (since, at_first) = before.context("the programme ended within three seconds")?;
    let (wall, at_last, resident) = (clock::now().since(since).as_secs_f64(), processor(), resident_mib());
    command.send_modify(|orders| Arc::make_mut(orders).shutdown = true);
    leaving.close();
    task.await??;
    recorder.await??;
    let spent = at_last.iter().map(|(name, s)| (name.clone(), s - at_first.get(name).copied().unwrap_or(0.0)));
    let arrival: BTreeMap<u64, Instant> = scan.video.iter().map(|stamp| stamp.pts).zip(arrivals).collect();
    let pictures = judge::pictures(file)?;
    // a decoder begins at the first key picture, and counts time from where it likes
    let key = scan.video.iter().find(|stamp| stamp.key).map_or(0, |stamp| stamp.pts);
    let start = pictures.first().map_or(0, |picture| picture.pts);
    let late = |picture: livebox::media::judge::Picture| {
        let mark = picture.marks.iter().find(|mark| mark.source == 0)?;
        let taken = Instant::from_micros(rate.nanos_of(u64::from(mark.count)) / 1000);
        Some(arrival.get(&(picture.pts - start + key))?.since(taken).as_secs_f64() * 1000.0)
    };
    let mut lateness: Vec<f64> = pictures.into_iter().filter_map(late).collect();
    lateness.sort_by(f64::total_cmp);
    let first_packet = first.context("no packet left")?.since(began);
    Ok(Run { first_packet, lateness, spent: spent.collect(), wall, resident })
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let seconds = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(20.0);
    if let Some(size) = args.iter().find_map(|arg| arg.parse().ok()) {
        let reading = std::thread::Builder::new().name(READING.into()).spawn(move || measure(size, seconds))?;
        return reading.join().map_err(|_| anyhow::anyhow!("the bench broke off"))?;
    }
    // each in a process of its own: the memory of one is not the other's
    for size in ["1280x720", "1920x1080"] {
        let done = Command::new(std::env::current_exe()?)
            .args([size, &seconds.to_string()])
            .envs(memory_settings())
            .status()?;
        anyhow::ensure!(done.success(), "{size} ended with {done}");
    }
    Ok(())
}

/// How the box's own unit has glibc keep memory.
fn memory_settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    let unit = include_str!("../systemd/livebox.service").lines();
    unit.filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
        .filter(|(key, _)| key.starts_with("MALLOC_"))
}

fn measure(size: PictureSize, seconds: f64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let run =
        runtime.block_on(programme(size, seconds, &folder.path().join("sent.ts"), &folder.path().join("disk")))?;
    anyhow::ensure!(!run.lateness.is_empty(), "no burnt-in clock was read");
    let of = |share: f64| run.lateness[((run.lateness.len() as f64 * share) as usize).min(run.lateness.len() - 1)];
    println!("{}x{}, {} pictures read", size.width, size.height, run.lateness.len());
    println!("  clock to first byte   median {:.0} ms, p95 {:.0} ms, most {:.0} ms", of(0.5), of(0.95), of(1.0));
    println!("  start to first packet {:.0} ms", run.first_packet.as_secs_f64() * 1000.0);
    println!("  memory held           {:.0} MiB", run.resident);
    let mut kinds: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, spent) in &run.spent {
        let kind = NOT_OURS.iter().find(|(start, _)| name.starts_with(start)).map_or("own", |(_, kind)| kind);
        *kinds.entry(kind).or_default() += spent;
        if *spent / run.wall > 0.002 {
            println!("    {name:<16} {kind:<21} {:>6.2} % of a core", spent / run.wall * 100.0);
        }
    }
    for (kind, spent) in kinds {
        println!("  {kind:<21} {:>6.2} % of a core", spent / run.wall * 100.0);
    }
    Ok(())
}
