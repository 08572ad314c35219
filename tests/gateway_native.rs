//! The cloud side as it is shipped, with native boxes on one side and stock SRT peers on the other.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use livebox::bond::LinkId;
use livebox::bond::native::{Heard, Initiator, InitiatorConfig, InitiatorEvent, Offer, PrivateKey, PublicKey};
use livebox::io::clock;
use livebox::rng::Rng;
use livebox::wire::echo::{Echo, Sense, Session};
use livebox::wire::native::{self, Data, DataKind, Frame, Refusal};
use nix::sys::signal::Signal;

use crate::peers::{Emulator, LIVEBOX, Listener, PATIENCE, Process, at, call, figures, free_port, links_up, pause};

const PACKET: usize = 188;
const LIVE_TRANSMIT: &str = "srt-live-transmit";

fn key(seed: u64) -> PrivateKey {
    PrivateKey::generate(&mut Rng::simulated(seed))
}

/// A box as plain as it can be: seals payloads on its links by turns, and sends nothing again.
struct Plain {
    initiator: Initiator,
    links: Vec<UdpSocket>,
    counters: Vec<u64>,
    gateway: SocketAddr,
    seq: u32,
    packet: u32,
    echoes: Vec<Echo>,
    refused: Option<Refusal>,
    lost: bool,
}

impl Plain {
    fn new(gateway: u16, peer: PublicKey, own: PrivateKey, links: usize, offer: Offer) -> Self {
        let now = clock::now();
        let mut seed = [0; 32];
        std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut seed).unwrap();
        let config = InitiatorConfig { key: own, peer, offer };
        let mut initiator = Initiator::new(now, config, Rng::from_seed(seed));
        let ids: Vec<_> = (0..links).map(|n| LinkId(n as u8)).collect();
        initiator.set_links(now, &ids);
        Self {
            initiator,
            links: ids.iter().map(|_| socket()).collect(),
            counters: vec![1; links],
            gateway: at(gateway),
            seq: 0,
            packet: 0,
            echoes: Vec::new(),
            refused: None,
            lost: false,
        }
    }

    fn turn(&mut self) {
        let (mut room, mut opened) = ([0; 2048], [0; 2048]);
        for (number, socket) in self.links.iter().enumerate() {
            while let Ok(len) = socket.recv(&mut room) {
                let link = LinkId(number as u8);
                let heard = self.initiator.handle_datagram(clock::now(), link, &room[..len], &mut opened);
                if let Heard::Frame { frame, .. } = heard
                    && let Ok(Frame::Echo(echo)) = native::parse(frame)
                {
                    self.echoes.extend(Echo::all(&echo));
                }
            }
        }
        if self.initiator.next_timeout().is_some_and(|at| at <= clock::now()) {
            self.initiator.handle_timeout(clock::now());
        }
        while let Some(event) = self.initiator.poll_event() {
            match event {
                InitiatorEvent::Up { .. } => {}
                InitiatorEvent::Refused(why) => self.refused = Some(why),
                InitiatorEvent::Lost => self.lost = true,
            }
        }
        while let Some((link, datagram)) = self.initiator.poll_transmit() {
            let _ = self.links[usize::from(link.0)].send_to(&datagram, self.gateway);
        }
    }

    /// Turns until it is so.
    fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let end = clock::now() + PATIENCE;
        while !so(self) {
            assert!(clock::now() < end, "never {what}; heard {:?}", self.echoes.last());
            self.turn();
            pause(2);
        }
    }

    fn comes(mut self) -> Self {
        self.until("up", |plain| plain.initiator.is_up());
        self
    }

    fn send(&mut self, frame: &Frame<'_>, link: usize) {
        let mut bytes = Vec::new();
        frame.emit(&mut bytes);
        let mut out = Vec::new();
        self.counters[link] += 1;
        let sealed = self.initiator.seal(clock::now(), LinkId(link as u8), self.counters[link], &bytes, &mut out);
        assert_eq!(sealed, Ok(()));
        let _ = self.links[link].send_to(&out, self.gateway);
    }

    /// The next seven packets of the programme.
    fn payload(&mut self) {
        let payload = numbered(self.packet);
        self.packet += 7;
        let stamp = clock::now().as_micros() as u32;
        let data = Data { stream: 0, seq: self.seq & 0xff_ffff, stamp, kind: DataKind::Ts, payload: &payload };
        self.send(&Frame::Data(data), self.seq as usize % self.links.len());
        self.seq += 1;
    }

    /// So many payloads at about 5 Mbit/s; `between` is called before each with its number.
    fn plays(&mut self, count: u32, mut between: impl FnMut(&mut Self, u32)) {
        for n in 0..count {
            between(self, n);
            self.payload();
            self.turn();
            pause(2);
        }
    }
}

/// Seven packets with numbers from `first` on.
fn numbered(first: u32) -> Vec<u8> {
    let mut payload = Vec::new();
    for number in first..first + 7 {
        payload.extend([0x47, 0x01, 0x01, 0x10 | (number & 15) as u8]);
        payload.extend(number.to_be_bytes());
        payload.resize(payload.len() + PACKET - 8, 0x55);
    }
    payload
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// A stock SRT peer that takes the programme, and what it took.
struct Studio {
    transmit: Process,
    packets: Arc<Mutex<Vec<(u8, u32)>>>,
    thread: Option<JoinHandle<()>>,
}

impl Studio {
    fn takes(uri: &str) -> Self {
        let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _ = socket2::SockRef::from(&sink).set_recv_buffer_size(4 << 20);
        sink.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let out = format!("udp://{}", sink.local_addr().unwrap());
        let transmit = Process::start(LIVE_TRANSMIT, &["-q", "-loglevel:fatal", "-a:yes", uri, &out]);
        let packets = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::downgrade(&packets);
        let thread = thread::spawn(move || {
            let mut room = [0; 2048];
            while let Some(seen) = seen.upgrade() {
                let Ok(len) = sink.recv(&mut room) else { continue };
                let read = |packet: &[u8]| {
                    let number = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
                    // a session opens with stuffing
                    (packet[2] == 0x01).then_some((packet[3] & 15, number))
                };
                seen.lock().unwrap().extend(room[..len].chunks_exact(PACKET).filter_map(read));
            }
        });
        Self { transmit, packets, thread: Some(thread) }
    }

    fn listens(port: u16, more: &str) -> Self {
        Self::takes(&format!("srt://127.0.0.1:{port}?mode=listener&latency=300{more}"))
    }

    /// Waits for the last of `packets`, and finds that none was missing and no counter jumped.
    fn has_all(&self, packets: u32) {
        self.has(0..packets);
    }

    /// The same of these numbers, and no others.
    fn has(&self, packets: std::ops::Range<u32>) {
        for _ in 0..PATIENCE.as_millis() / 50 {
            if self.packets.lock().unwrap().last().is_some_and(|(_, number)| *number == packets.end - 1) {
                break;
            }
            pause(50);
        }
        let seen = self.packets.lock().unwrap();
        let wanted: Vec<_> = packets.clone().map(|n| ((n & 15) as u8, n)).collect();
        let missing: Vec<_> = wanted.iter().filter(|packet| !seen.contains(packet)).take(20).collect();
        assert!(missing.is_empty(), "{} of {packets:?} came, missing {missing:?} …", seen.len());
        assert_eq!(*seen, wanted, "in order and each once");
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.packets = Arc::default();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// `livebox gateway` with these boxes and destinations.
struct Cloud {
    gateway: Process,
    port: u16,
    metrics: u16,
    public: PublicKey,
    folder: tempfile::TempDir,
}

impl Cloud {
    fn starts(boxes: &[(&PrivateKey, &str)], destinations: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, metrics, own) = (free_port(), free_port(), key(1));
        let place = folder.path().to_owned();
        let path = |name: &str| place.join(name);
        std::fs::write(path("key"), own.to_file_text()).unwrap();
        permissions(&path("key"));
        let config = format!(
            "listen = \"127.0.0.1:{port}\"\nto = \"127.0.0.1:9\"\nkey_file = {:?}\nallow_file = {:?}\n\
             metrics = \"127.0.0.1:{metrics}\"\n{destinations}",
            path("key"),
            path("boxes"),
        );
        std::fs::write(path("gateway.toml"), config).unwrap();
        allow(&path("boxes"), boxes);
        let file = path("gateway.toml").display().to_string();
        let mut gateway = Process::start(LIVEBOX, &["gateway", "--config", &file]);
        gateway.says(&["gateway", "native=true"]);
        Self { gateway, port, metrics, public: own.public(), folder }
    }

    fn ts(&self, own: PrivateKey, links: usize) -> Plain {
        let offer = Offer::ts(Duration::from_millis(400), &["main"]);
        Plain::new(self.port, self.public, own, links, offer)
    }

    /// The figure of the first line of the metrics that holds all of `words`.
    fn figure(&self, words: &[&str]) -> Option<f64> {
        let mut stream = TcpStream::connect(at(self.metrics)).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        let mut lines = page.lines().filter(|line| !line.starts_with('#'));
        let line = lines.find(|line| words.iter().all(|word| line.contains(word)))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    fn until_figure(&self, words: &[&str], so: impl Fn(f64) -> bool) {
        let mut last = None;
        for _ in 0..PATIENCE.as_millis() / 100 {
            last = self.figure(words);
            if last.is_some_and(&so) {
                return;
            }
            pause(100);
        }
        panic!("{words:?} is {last:?}");
    }
}

fn allow(file: &Path, boxes: &[(&PrivateKey, &str)]) {
    let lines: String = boxes.iter().map(|(key, name)| format!("{} {name}\n", key.public())).collect();
    std::fs::write(file, lines).unwrap();
}

fn permissions(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn to(name: &str, more: &str) -> String {
    format!("[[destination]]\nname = \"{name}\"\nlatency = \"300ms\"\n{more}\n")
}

#[test]
fn a_programme_reaches_a_stock_listener_whole_though_a_link_changes_its_address() {
    let (studio_port, own) = (free_port(), key(2));
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "correct-horse-battery\n").unwrap();
    let studio = Studio::listens(studio_port, "&passphrase=correct-horse-battery");
    let way = format!("to = \"127.0.0.1:{studio_port}\"\npassphrase_file = {secret:?}");
    let mut cloud = Cloud::starts(&[(&own, "hall-1")], &to("studio", &way));
    let mut plain = cloud.ts(own, 2).comes();
    // one sealed datagram proves the box, and its destinations are opened
    plain.send(&Frame::Probe { padding: 9 }, 0);
    cloud.gateway.says(&["session open", "studio"]);

    plain.plays(1500, |plain, n| {
        if n == 700 {
            plain.links[1] = socket();
        }
    });

    studio.has_all(1500 * 7);
    cloud.gateway.says(&["link moved", "link=1"]);
    plain.until("told", |plain| plain.echoes.iter().any(|echo| echo.destinations[0].session == Session::Open));
    let echo = plain.echoes.iter().rev().find(|echo| echo.flow == Sense::Ok).unwrap();
    assert_eq!((echo.gaps, echo.missing, echo.destinations[0].name.as_str()), (0, 0, "studio"));
    assert_eq!((echo.picture, echo.sound), (Sense::Unknown, Sense::Unknown), "there are no tables in it");
    assert!(cloud.figure(&["livebox_stream_bytes_total", "hall-1"]).is_some_and(|bytes| bytes > 1e6));
}

#[test]
fn two_boxes_share_the_port_and_each_reaches_its_own_places_also_by_being_called() {
    let (one, other, ports) = (key(2), key(3), [free_port(), free_port()]);
    let studio = Studio::listens(ports[0], "");
    let ways = to("studio", &format!("box = \"hall-1\"\nto = \"127.0.0.1:{}\"", ports[0]))
        + &to("pull", &format!("box = \"hall-2\"\nlisten = \"127.0.0.1:{}\"", ports[1]));
    let cloud = Cloud::starts(&[(&one, "hall-1"), (&other, "hall-2")], &ways);
    let mut first = cloud.ts(one, 2).comes();
    let mut second = cloud.ts(other, 1).comes();
    // one sealed datagram proves the box, and its destinations are opened
    second.send(&Frame::Probe { padding: 9 }, 0);
    let puller = Studio::takes(&format!("srt://127.0.0.1:{}?mode=caller&latency=300", ports[1]));
    let is_open =
        |plain: &Plain| plain.echoes.iter().any(|echo| echo.destinations.iter().any(|d| d.session == Session::Open));
    second.until("called", is_open);
    first.send(&Frame::Probe { padding: 9 }, 0);
    first.until("open", is_open);

    first.plays(600, |_, _| {
        second.payload();
        second.turn();
    });

    studio.has_all(600 * 7);
    puller.has_all(600 * 7);
    assert_eq!(cloud.figure(&["livebox_gateway_groups "]), Some(2.0));
}

#[test]
fn a_slow_place_and_a_dead_one_hold_up_no_other() {
    let (own, ports) = (key(2), [free_port(), free_port(), free_port()]);
    let good = Studio::listens(ports[0], "");
    let slow = Studio::listens(ports[1], "");
    let ways: String = ["good", "slow", "dead"]
        .iter()
        .zip(ports)
        .map(|(name, port)| to(name, &format!("queue_kib = 64\nto = \"127.0.0.1:{port}\"")))
        .collect();
    let cloud = Cloud::starts(&[(&own, "hall-1")], &ways);
    let mut plain = cloud.ts(own, 2).comes();
    plain.send(&Frame::Probe { padding: 9 }, 0);
    let stands = |plain: &Plain, name: &str, wanted: &[Session]| {
        let last = plain.echoes.last().and_then(|echo| echo.destinations.iter().find(|d| d.name == name));
        last.is_some_and(|destination| wanted.contains(&destination.session))
    };
    plain.until("open", |plain| stands(plain, "good", &[Session::Open]) && stands(plain, "slow", &[Session::Open]));
    slow.transmit.signal(Signal::SIGSTOP);

    plain.plays(2000, |_, _| {});

    good.has_all(2000 * 7);
    plain.until("slow or gone", |plain| stands(plain, "slow", &[Session::Slow, Session::Broken, Session::Waiting]));
    assert!(stands(&plain, "dead", &[Session::Waiting]), "{:?}", plain.echoes.last());
    cloud.until_figure(&["livebox_destination_dropped_total", "\"dead\""], |dropped| dropped > 1000.0);
    assert_eq!(cloud.figure(&["livebox_destination_dropped_total", "\"good\""]), Some(0.0));
    slow.transmit.signal(Signal::SIGCONT);
}

#[test]
fn who_is_not_listed_is_refused_and_counted_and_who_is_taken_out_is_out() {
    let (own, stranger) = (key(2), key(66));
    let mut cloud = Cloud::starts(&[(&own, "hall-1")], "");
    let mut other = cloud.ts(stranger, 1);
    other.until("refused", |plain| plain.refused.is_some());
    let mut plain = cloud.ts(own, 1).comes();
    plain.plays(50, |_, _| {});
    cloud.until_figure(&["livebox_gateway_groups "], |groups| groups == 1.0);

    // as long as it was and as old: nothing but the signal tells of it
    let boxes = cloud.folder.path().join("boxes");
    let (beside, written) = (cloud.folder.path().join("new"), std::fs::metadata(&boxes).unwrap().modified().unwrap());
    allow(&beside, &[(&key(5), "hall-5")]);
    std::fs::File::options().write(true).open(&beside).unwrap().set_modified(written).unwrap();
    std::fs::rename(&beside, &boxes).unwrap();
    plain.plays(600, |_, _| {});
    assert_eq!(cloud.figure(&["livebox_gateway_groups "]), Some(1.0), "the files are looked at every second");
    cloud.gateway.signal(Signal::SIGHUP);

    cloud.gateway.says(&["box is gone", "Revoked"]);
    cloud.until_figure(&["livebox_gateway_groups "], |groups| groups == 0.0);
    assert!(!other.initiator.is_up() && other.refused == Some(Refusal::WrongKey), "{:?}", other.refused);
    assert!(cloud.figure(&["reason=\"native_not_allowed\""]).is_some_and(|count| count >= 1.0));
    // a file that cannot be read leaves everything as it is
    std::fs::write(cloud.folder.path().join("boxes"), "nonsense\n").unwrap();
    cloud.gateway.signal(Signal::SIGHUP);
    cloud.gateway.says(&["the old settings and boxes stand", "boxes:1"]);
}

#[test]
fn a_destination_that_is_written_down_later_counts_for_boxes_that_come_afterwards() {
    let (own, other, port) = (key(2), key(3), free_port());
    let mut cloud = Cloud::starts(&[(&own, "hall-1"), (&other, "hall-2")], "");
    let mut first = cloud.ts(own, 1).comes();
    first.send(&Frame::Probe { padding: 9 }, 0);
    cloud.gateway.says(&["no destination takes this stream", "hall-1"]);
    let studio = Studio::listens(port, "");

    let file = cloud.folder.path().join("gateway.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.clone() + &to("studio", &format!("to = \"127.0.0.1:{port}\""))).unwrap();
    cloud.gateway.signal(Signal::SIGHUP);
    cloud.gateway.says(&["settings and boxes read again"]);
    let mut second = cloud.ts(other, 1).comes();
    second.send(&Frame::Probe { padding: 9 }, 0);
    let is_open =
        |plain: &Plain| plain.echoes.iter().any(|echo| echo.destinations.iter().any(|d| d.session == Session::Open));
    second.until("open", is_open);
    second.plays(300, |_, _| {
        first.payload();
        first.turn();
    });

    studio.has_all(300 * 7);
    assert!(first.echoes.iter().all(|echo| echo.destinations.is_empty()), "its sessions stay as they are");
    // settings that cannot be read leave everything as it is
    std::fs::write(&file, config.replace("to = ", "too = ")).unwrap();
    cloud.gateway.signal(Signal::SIGHUP);
    cloud.gateway.says(&["the old settings and boxes stand", "too"]);
    second.plays(100, |_, _| {});
    studio.has_all(400 * 7);
}

#[test]
fn an_srt_session_in_a_native_group_arrives_whole_over_links_that_lose() {
    let (own, listener) = (key(2), Listener::open());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("box"), own.to_file_text()).unwrap();
    permissions(Path::new(&file("box")));
    std::fs::write(file("gateway"), key(1).to_file_text()).unwrap();
    permissions(Path::new(&file("gateway")));
    allow(Path::new(&file("boxes")), &[(&own, "hall-1")]);
    let (far, port) = (at(free_port()).to_string(), at(free_port()));
    let to = at(listener.port).to_string();
    let keys = ["--key", &file("gateway"), "--allow", &file("boxes")];
    let mut gateway = Process::start(LIVEBOX, &[&["gateway", "--listen", &far, "--to", &to][..], &keys].concat());
    gateway.says(&["gateway", "native=true"]);
    let emulator = Emulator::start(LOSING, far.rsplit_once(':').unwrap().1.parse().unwrap());
    let (listen, emulated, peer) = (port.to_string(), at(emulator.port).to_string(), key(1).public().to_string());
    let stats = file("stats");
    let mut args = vec!["bond", "--listen", &listen, "--to", &emulated, "--stats-json", &stats, "--latency", "1s"];
    args.extend(["--dialect", "native", "--key"]);
    let own = file("box");
    args.extend([own.as_str(), "--peer", &peer, "--uplink", "127.0.1.1", "--uplink", "127.0.1.2"]);
    let bond = Process::start(LIVEBOX, &args);
    figures(Path::new(&stats), |f| f["connected"] == true && links_up(f, 2));

    let count = 3000;
    call(port, 5.0, count, |_| {});

    listener.has_all(count, Path::new(&stats));
    gateway.says(&["box has come", "hall-1"]);
    assert_eq!(bond.ends().0, Some(0));
}

/// Two links that lose one packet in a hundred.
const LOSING: &str = r#"
name = "losing"
duration = "60s"
[[link]]
name = "wired"
rate = "10Mbps"
delay = "8ms"
loss = 0.01
[[link]]
name = "lte1"
rate = "6Mbps"
delay = "40ms"
jitter = "3ms"
loss = 0.01
"#;

#[test]
fn main_slides_and_backup_of_one_box_share_its_links_and_each_reaches_its_own_place() {
    const PAYLOADS: u32 = 700;
    let (own, folder, names) = (key(2), tempfile::tempdir().unwrap(), ["main", "slides", "backup"]);
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("box"), own.to_file_text()).unwrap();
    permissions(Path::new(&file("box")));
    let studios: Vec<_> = names.iter().map(|_| free_port()).map(|port| (port, Studio::listens(port, ""))).collect();
    let ways = names.iter().zip(&studios).map(|(name, (port, _))| {
        to(&format!("{name}-studio"), &format!("stream = \"{name}\"\nto = \"127.0.0.1:{port}\""))
    });
    let cloud = Cloud::starts(&[(&own, "hall-1")], &ways.collect::<String>());
    let emulator = Emulator::start(LOSING, cloud.port);
    let (emulated, peer) = (at(emulator.port).to_string(), cloud.public.to_string());
    let ports = names.map(|_| free_port());
    let streams = names.iter().zip(ports).flat_map(|(name, port)| ["--ts".to_owned(), format!("{name}={}", at(port))]);
    let streams: Vec<_> = streams.collect();
    let (key, stats) = (file("box"), file("stats"));
    let mut args = vec!["bond", "--to", &emulated, "--stats-json", &stats, "--latency", "800ms", "--dialect", "native"];
    args.extend(["--key", &key, "--peer", &peer, "--uplink", "127.0.1.1", "--uplink", "127.0.1.2"]);
    args.extend(streams.iter().map(String::as_str));
    let bond = Process::start(LIVEBOX, &args);
    figures(Path::new(&stats), |f| f["connected"] == true && links_up(f, 2));
    for name in names {
        cloud.until_figure(&["livebox_destination_open", &format!("\"{name}-studio\"")], |open| open == 1.0);
    }

    // each stream has numbers of its own, about 2.6 Mbit/s of each
    let (encoder, first) = (socket(), |stream: u32| stream << 24);
    for n in 0..PAYLOADS {
        for (stream, port) in (0..).zip(ports) {
            encoder.send_to(&numbered(first(stream) + 7 * n), at(port)).unwrap();
        }
        if n == 300 {
            // what is no transport stream is left out, and the next is taken
            encoder.send_to(&[0x48; 188], at(ports[1])).unwrap();
        }
        pause(4);
    }

    for (stream, (_, studio)) in (0..).zip(&studios) {
        studio.has(first(stream)..first(stream) + 7 * PAYLOADS);
    }
    for number in 0..names.len() {
        let stream = format!("stream=\"{number}\"");
        let bytes = f64::from(7 * PAYLOADS * 188);
        cloud.until_figure(&["livebox_stream_bytes_total", &stream], |came| came == bytes);
        assert_eq!(cloud.figure(&["livebox_stream_missing_total", &stream]), Some(0.0), "{number}");
    }
    assert_eq!(cloud.figure(&["livebox_gateway_groups "]), Some(1.0), "one group, one scheduler");
    let (code, said) = bond.ends();
    assert_eq!((code, said.matches("no transport stream").count()), (Some(0), 1), "{said}");
}

/// A stock SRT peer that puts what it gets out by UDP, and where that comes.
fn tapped(uri: &str) -> (Process, UdpSocket) {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _ = socket2::SockRef::from(&sink).set_recv_buffer_size(4 << 20);
    sink.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let out = format!("udp://{}", sink.local_addr().unwrap());
    (Process::start(LIVE_TRANSMIT, &["-q", "-loglevel:fatal", "-a:yes", uri, &out]), sink)
}

/// What comes first in a session: that it begins with both tables, and the packets of picture and sound behind them.
fn begins_with_a_key_picture(who: &str, sink: &UdpSocket) {
    let (mut scan, mut room, mut packets) = (livebox::media::ts::Scan::new(), [0; 2048], Vec::new());
    let end = clock::now() + PATIENCE;
    while scan.video.len() < 60 {
        assert!(clock::now() < end, "{who}: {} pictures came", scan.video.len());
        if let Ok(len) = sink.recv(&mut room) {
            scan.push(&room[..len]);
            packets.extend(room[..len].chunks_exact(PACKET).map(<[u8]>::to_vec));
        }
    }

    // a session that we call opens with stuffing
    let pid = |packet: &Vec<u8>| u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
    let first: Vec<_> = packets.iter().filter(|packet| pid(packet) != 0x1fff).take(3).collect();
    assert_eq!(pid(first[0]), 0, "{who}: the first table");
    assert!(first.iter().all(|packet| packet[1] & 0x40 != 0), "{who}: something begins in each of {first:?}");
    assert!(scan.video[0].key, "{who}: {:?}", &scan.video[..3]);
    // the picture's own first packet is the third of all: nothing of an earlier one comes before it
    let marked = first[2][3] & 0x20 != 0 && first[2][5] & 0x40 != 0;
    assert!(marked, "{who}: {:?}", first[2]);
    let keys: Vec<_> = scan.video.iter().enumerate().filter(|(_, picture)| picture.key).map(|(at, _)| at).collect();
    assert_eq!(keys[..2], [0, 50], "{who}: whole from its beginning");
    assert_eq!((scan.discontinuities, scan.garbage), (0, 0), "{who}");
}

#[test]
fn the_box_itself_sends_its_programme_and_is_told_that_picture_and_sound_arrive() {
    let (own, dir, [studio, late, pull]) = (key(2), tempfile::tempdir().unwrap(), [0; 3].map(|_| free_port()));
    let ways = to("studio", &format!("to = \"127.0.0.1:{studio}\""))
        + &to("late", &format!("to = \"127.0.0.1:{late}\""))
        + &to("pull", &format!("box = \"hall-1\"\nlisten = \"127.0.0.1:{pull}\""));
    let cloud = Cloud::starts(&[(&own, "hall-1")], &ways);
    let (_studio, sink) = tapped(&format!("srt://127.0.0.1:{studio}?mode=listener"));
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("key"), own.to_file_text()).unwrap();
    permissions(&path("key"));
    let settings = format!(
        "state_dir = {:?}\nsocket = {:?}\n[media]\nsize = \"320x180\"\ndestination = \"127.0.0.1:{}\"\n\
         [bond]\ndialect = \"native\"\nkey_file = {:?}\npeer = \"{}\"\nlatency = \"400ms\"\n",
        path("state"),
        path("socket"),
        cloud.port,
        path("key"),
        cloud.public,
    );
    std::fs::write(path("box.toml"), settings).unwrap();
    let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/sim").display().to_string();
    let config = path("box.toml").display().to_string();
    let _box = Process::start(LIVEBOX, &["run", "--board", &board, "--config", &config]);
    let asked = |args: &[&str]| {
        let mut command = std::process::Command::new(LIVEBOX);
        command.args(args).env("LIVEBOX_SOCKET", path("socket")).output().unwrap()
    };
    let end = clock::now() + PATIENCE;
    while !asked(&["send", "start"]).status.success() {
        assert!(clock::now() < end, "the box never took the command");
        pause(200);
    }

    let (mut scan, mut room) = (livebox::media::ts::Scan::new(), [0; 2048]);
    let mut status = serde_json::Value::Null;
    let end = clock::now() + PATIENCE * 2;
    let hears = |status: &serde_json::Value| {
        let stream = &status["far_end"]["streams"][0];
        let well = |what: &str| stream[what] == "ok";
        ["flow", "clock", "picture", "sound"].into_iter().all(well) && stream["destinations"][0]["session"] == "open"
    };
    let mut look = clock::now();
    while scan.video.len() < 150 || !hears(&status) {
        assert!(clock::now() < end, "{} pictures came; {status:#}", scan.video.len());
        if let Ok(len) = sink.recv(&mut room) {
            scan.push(&room[..len]);
        }
        if clock::now() > look {
            look = clock::now() + Duration::from_millis(500);
            status = serde_json::from_slice(&asked(&["status", "--json"]).stdout).unwrap_or_default();
        }
    }

    assert_eq!((scan.discontinuities, scan.garbage), (0, 0));
    let steps: std::collections::BTreeSet<_> = scan.video.windows(2).map(|w| w[1].pts - w[0].pts).collect();
    assert_eq!(steps, [3600].into(), "not a picture is missing");
    assert_eq!(status["phase"], "live", "{status:#}");
    // who comes while the box is on air has a key picture first, called or calling, and again when he comes again
    let (listener, sink) = tapped(&format!("srt://127.0.0.1:{late}?mode=listener"));
    begins_with_a_key_picture("late", &sink);
    drop(listener);
    let (_listener, sink) = tapped(&format!("srt://127.0.0.1:{late}?mode=listener"));
    begins_with_a_key_picture("late again", &sink);
    for who in ["pull", "pull again"] {
        let (player, sink) = tapped(&format!("srt://127.0.0.1:{pull}?mode=caller&latency=300"));
        begins_with_a_key_picture(who, &sink);
        player.ends();
        cloud.until_figure(&["livebox_destination_open", "\"pull\""], |open| open == 0.0);
    }
}
