//! Who the box speaks with in tests: processes that end with their test, and plain SRT peers.

pub(crate) mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use livebox::io::clock;
use livebox::wire::{Seq, srt};

/// The most that anything here waits for something that must come; a busy machine needs some of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test.
pub(crate) const LIVEBOX: &str = env!("CARGO_BIN_EXE_livebox");

/// A process that ends with its test; what it says is kept.
pub(crate) struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Process {
    pub(crate) fn start(program: &str, args: &[&str]) -> Self {
        Self::spawn(Command::new(program).args(args))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let (tell, lines) = mpsc::channel();
        let listen = |pipe: Box<dyn std::io::Read + Send>| {
            let tell = tell.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            })
        };
        listen(Box::new(child.stdout.take().unwrap()));
        listen(Box::new(child.stderr.take().unwrap()));
        Self { child, lines, said: Vec::new() }
    }

    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// The next line, from now on, that holds all of `words`.
    pub(crate) fn says(&mut self, words: &[&str]) -> String {
        let end = clock::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end - clock::now()) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if words.iter().all(|word| line.contains(word)) {
                        return line;
                    }
                }
                Err(_) => panic!("never said {words:?}; said:\n{}", self.said.join("\n")),
            }
        }
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.id()), signal).unwrap();
    }

    /// Asks it to end; its exit code and everything it said.
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        self.ended()
    }

    /// Waits for its end; its exit code and everything it said.
    pub(crate) fn ended(&mut self) -> (Option<i32>, String) {
        let end = clock::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(end - clock::now()) {
            self.said.push(line);
        }
        let said = self.said.join("\n");
        assert!(clock::now() < end, "never ended; said:\n{said}");
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A UDP port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until somebody listens there, without a datagram that would be taken for a first one.
fn listened(port: u16) {
    let local = format!(":{port:04X} ");
    for _ in 0..PATIENCE.as_millis() / 5 {
        let known = std::fs::read_to_string("/proc/net/udp").unwrap();
        if known.lines().any(|line| line.contains(&local)) {
            return;
        }
        pause(5);
    }
    panic!("nobody listens on UDP {port}");
}

pub(crate) fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Where one of the plain peers stands.
pub(crate) fn peer(file: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(file).display().to_string()
}

/// The figures that `livebox bond` wrote, once they satisfy `wanted`.
pub(crate) fn figures(file: &Path, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let mut last = serde_json::Value::Null;
    for _ in 0..PATIENCE.as_millis() / 50 {
        if let Ok(text) = std::fs::read_to_string(file) {
            last = serde_json::from_str(&text).expect("whole, since it is renamed into place");
            if wanted(&last) {
                return last;
            }
        }
        pause(50);
    }
    panic!("never so: {last:#}");
}

/// True if that many links carry the programme.
pub(crate) fn links_up(figures: &serde_json::Value, count: usize) -> bool {
    let links = figures["links"].as_array().into_iter().flatten();
    links.filter(|link| link["phase"] == "up" || link["phase"] == "probing").count() >= count
}

#[allow(clippy::disallowed_methods, reason = "peers live in real time; no assertion hangs on it")]
pub(crate) fn pause(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

/// A listener as plain as it can be: counts what arrives of each caller and acknowledges every 10 ms. It never
/// asks for anything again.
pub(crate) struct Listener {
    pub(crate) port: u16,
    arrived: Arc<Mutex<Arrived>>,
    left: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// By caller, which numbers came.
type Arrived = BTreeMap<SocketAddr, BTreeSet<u32>>;

impl Listener {
    pub(crate) fn open() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        let port = socket.local_addr().unwrap().port();
        let (arrived, end) = (Arc::new(Mutex::new(BTreeMap::new())), Arc::new(AtomicBool::new(false)));
        let left = Arc::new(AtomicBool::new(false));
        let (seen, farewell, stop) = (Arc::clone(&arrived), Arc::clone(&left), Arc::clone(&end));
        let thread = thread::spawn(move || listen(&socket, &seen, &farewell, &stop));
        Self { port, arrived, left, end, thread: Some(thread) }
    }

    /// The caller's SHUTDOWN has come.
    pub(crate) fn was_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Which of the first `count` numbers have not arrived, of the caller that lacks fewest.
    pub(crate) fn missing(&self, count: u32) -> Vec<u32> {
        self.lacks(count).into_iter().next().unwrap_or_else(|| (0..count).collect())
    }

    /// The same of every caller, those that lack fewest first.
    fn lacks(&self, count: u32) -> Vec<Vec<u32>> {
        let arrived = self.arrived.lock().unwrap();
        let lacks = |seen: &BTreeSet<u32>| (0..count).filter(|n| !seen.contains(n)).collect::<Vec<_>>();
        let mut all: Vec<_> = arrived.values().map(lacks).collect();
        all.sort_by_key(Vec::len);
        all
    }

    /// Waits until all of the first `count` numbers are there; complains with the sender's figures if
    /// they do not come.
    pub(crate) fn has_all(&self, count: u32, figures: &Path) {
        self.all_have(1, count, figures);
    }

    /// The same of so many callers.
    pub(crate) fn all_have(&self, callers: usize, count: u32, figures: &Path) {
        let mut lacks = Vec::new();
        for _ in 0..100 {
            lacks = self.lacks(count);
            lacks.truncate(callers);
            if lacks.len() == callers && lacks.iter().all(Vec::is_empty) {
                return;
            }
            pause(50);
        }
        let figures = std::fs::read_to_string(figures).unwrap_or_default();
        panic!("of {count} payloads of {callers} callers these are missing at the far end: {lacks:?}\n{figures}");
    }
}

fn listen(socket: &UdpSocket, seen: &Mutex<Arrived>, left: &AtomicBool, stop: &AtomicBool) {
    // of each caller: the next acknowledgement's number, and the first number that is missing
    let mut callers = BTreeMap::<SocketAddr, (u32, u32)>::new();
    let (mut room, mut packets) = ([0; 2048], 0_u32);
    while !stop.load(Ordering::Relaxed) {
        if let Ok((len, from)) = socket.recv_from(&mut room) {
            let (_, first_missing) = callers.entry(from).or_insert((1, 0));
            match srt::peek(&room[..len]) {
                Ok(srt::Packet::Data(data)) => {
                    let mut seen = seen.lock().unwrap();
                    let seen = seen.entry(from).or_default();
                    seen.insert(data.seq.value());
                    while seen.contains(first_missing) {
                        *first_missing += 1;
                    }
                }
                Ok(srt::Packet::Shutdown) => left.store(true, Ordering::Relaxed),
                _ => {}
            }
            packets += 1;
            if packets % 8 != 0 {
                continue;
            }
        }
        for (caller, (number, first_missing)) in &mut callers {
            let ack = srt::Ack { seq: Seq::new(*first_missing), number: Some(*number) };
            let _ = socket.send_to(&srt::emit_ack(ack, 0, 1), caller);
            *number += 1;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A caller's conclusion.
pub(crate) fn knock(socket: u32) -> Vec<u8> {
    let step = srt::Step::Conclusion;
    let handshake = srt::Handshake { step, version: 5, initial_seq: Seq::new(0), socket, cookie: 1, settings: None };
    srt::emit_handshake(&handshake, 0, 0)
}

/// Knocks and sends `count` data packets at this rate; `between` is called before each with its number.
pub(crate) fn call(to: SocketAddr, megabits: f64, count: u32, mut between: impl FnMut(u32)) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&knock(1), to).unwrap();
    let start = clock::now();
    let gap = 1316.0 * 8.0 / megabits;
    for n in 0..count {
        between(n);
        let due = Duration::from_micros((f64::from(n) * gap) as u64);
        let now = clock::now() - start;
        if due > now + Duration::from_millis(2) {
            pause(u64::try_from((due - now).as_millis()).unwrap());
        }
        let timestamp = u32::try_from(due.as_micros()).unwrap();
        let data = srt::Data {
            seq: Seq::new(n),
            message: n + 1,
            retransmitted: false,
            timestamp,
            socket: 1,
            payload: &[0x47; 1316],
        };
        socket.send_to(&srt::emit_data(&data), to).unwrap();
    }
    socket
}

/// Tells that a test could not run here, and why: in the file that LIVEBOX_SKIPPED names, since the harness
/// swallows what a test prints that passes.
pub(crate) fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    if let Some(file) = std::env::var_os("LIVEBOX_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        std::io::Write::write_all(&mut file, format!("{reason}\n").as_bytes()).unwrap();
    }
}

/// The link emulator with this scenario, until it is dropped.
pub(crate) struct Emulator {
    pub(crate) port: u16,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    pub(crate) fn start(scenario: &str, to: u16) -> Self {
        let scenario = livebox::sim::Scenario::parse("test.toml", scenario, &mut |_| Err("no traces here".to_owned()));
        let scenario = scenario.unwrap_or_else(|faults| panic!("{faults:?}"));
        let port = free_port();
        let live =
            livebox::io::netem::Live { scenario, seed: 1, listen: at(port), to: at(to), forever: true, wait: true };
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let stop = async {
                if ended.await.is_err() {
                    pending::<()>().await;
                }
            };
            runtime.block_on(livebox::io::netem::run(live, stop)).unwrap();
        });
        listened(port);
        Self { port, end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.end.take().map(|end| end.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The emulator's links, by the addresses that a sender uses for them.
pub(crate) fn addresses(count: u8) -> Vec<String> {
    (1..=count).map(|n| format!("127.0.1.{n}")).collect()
}

/// `livebox gateway` in front of an SRT listener, and its port.
pub(crate) fn gateway(to: u16) -> (Process, u16) {
    gateway_with(to, &[])
}

/// The same, with more on its command line.
pub(crate) fn gateway_with(to: u16, more: &[&str]) -> (Process, u16) {
    let port = free_port();
    let (listen, to) = (at(port).to_string(), at(to).to_string());
    let mut gateway = Process::start(LIVEBOX, &[&["gateway", "--listen", &listen, "--to", &to], more].concat());
    gateway.says(&["gateway", &listen]);
    (gateway, port)
}

/// `livebox bond` over `count` loopback uplinks, once all of them are in, and the port for its caller.
pub(crate) fn bond(to: u16, count: u8, stats: &Path, more: &[&str]) -> (Process, u16) {
    let port = free_port();
    let (listen, to, stats_json) = (at(port).to_string(), at(to).to_string(), stats.display().to_string());
    let mut args = vec!["bond", "--listen", &listen, "--to", &to, "--stats-json", &stats_json];
    let addresses = addresses(count);
    for address in &addresses {
        args.extend(["--uplink", address]);
    }
    args.extend(more);
    let bond = Process::start(LIVEBOX, &args);
    figures(stats, |f| links_up(f, usize::from(count)));
    (bond, port)
}
