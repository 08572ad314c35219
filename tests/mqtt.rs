//! The box and a real mosquitto: will, retained topics, commands, lost brokers, TLS.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use livebox::io::mqtt;
use livebox::io::task::{Asked, Commander, Ends, Pulse};
use livebox::message::{Ask, Fact, Orders, Part, Phase, Refusal, Status, What};
use livebox::mqtt::{Config, Login, Tls};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::standing::standing;

/// Long enough for a machine under load; a test that works never waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn whoever_comes_late_finds_every_topic_retained() {
    let broker = Broker::open();
    let _box = Running::start(broker.config());
    broker.listen("livebox/v1/hall-1/links/lte6").wait("the last topic", |_| true);

    let late = broker.listen("livebox/v1/hall-1/#");

    let mut seen = Vec::new();
    for _ in 0..10 {
        let message = late.wait("ten retained topics", |m| m.retained);
        seen.push(message.topic.trim_start_matches("livebox/v1/hall-1/").to_owned());
    }
    seen.sort();
    let links = ["links/lte1", "links/lte2", "links/lte3", "links/lte4", "links/lte5", "links/lte6", "links/wired"];
    assert_eq!(seen[..2], ["health", "info"]);
    assert_eq!(seen[2..9], links);
    assert_eq!(seen[9], "state");
}

#[test]
fn a_box_that_vanishes_is_told_lost_and_one_that_leaves_disconnected() {
    let broker = Broker::open();
    let states = broker.listen("livebox/v1/hall-1/state");

    let box_ = Running::start(broker.config());
    let ready = states.wait("ready", |m| m.json["status"] == "ready");
    box_.vanish();
    let lost = states.wait("the will", |m| m.json["status"] == "lost");
    let box_ = Running::start(broker.config());
    states.wait("ready again", |m| m.json["status"] == "ready");
    box_.leave();
    states.wait("the goodbye", |m| m.json["status"] == "disconnected");

    assert_eq!(ready.json["phase"], "standby");
    assert_eq!(lost.json["boot"], ready.json["boot"]);
    let kept = broker.listen("livebox/v1/hall-1/state").wait("the kept goodbye", |m| m.retained);
    assert_eq!(kept.json["status"], "disconnected");
}

#[test]
fn a_command_is_accepted_then_done_and_a_senseless_one_refused_with_a_sentence() {
    let broker = Broker::open();
    let box_ = Running::start(broker.config());
    let acks = broker.listen("livebox/v1/hall-1/ack/+");
    let states = broker.listen("livebox/v1/hall-1/state");
    states.wait("the box", |m| m.json["status"] == "ready");

    broker.say("cmd/start", r#"{"id":"1","console":"desk"}"#, &[]);
    let accepted = acks.wait("accepted", |m| m.json["result"] == "accepted");
    let done = acks.wait("done", |m| m.json["result"] == "done");
    states.wait("live", |m| m.json["phase"] == "live");
    broker.say("cmd/start", r#"{"id":"2","console":"desk"}"#, &[]);
    let refused = acks.wait("refused", |m| m.json["result"] == "refused");
    let correlated = ["-V", "5", "-D", "publish", "correlation-data", "q7"];
    let to = ["-D", "publish", "response-topic", "livebox/v1/hall-1/ack/far"];
    broker.say("cmd/layout", r#"{"id":"3","layout":"slides"}"#, &[&correlated[..], &to[..]].concat());
    let layout = acks.wait("the layout's answer", |m| m.json["id"] == "3");
    broker.say("cmd/audio", r#"{"id":"4","line":"b"}"#, &[]);
    acks.wait("the line's answer", |m| m.json["id"] == "4" && m.json["result"] == "done");
    broker.say("cmd/stop", r#"{"id":"5"}"#, &[]);
    states.wait("standby", |m| m.json["phase"] == "standby");

    assert_eq!((accepted.topic.as_str(), &accepted.json["id"]), ("livebox/v1/hall-1/ack/desk", &"1".into()));
    assert_eq!(done.json["id"], "1");
    assert_eq!(refused.json["code"], "already_live");
    assert_eq!(refused.json["zh"], Refusal::AlreadyLive.text().zh);
    assert_eq!((layout.topic.as_str(), layout.correlation.as_str()), ("livebox/v1/hall-1/ack/far", "q7"));
    assert_eq!(box_.heard().len(), 5);
}

#[test]
fn a_retained_command_is_ignored_and_a_repeat_is_answered_once() {
    let broker = Broker::open();
    broker.say("cmd/start", r#"{"id":"old"}"#, &["-r"]);
    let box_ = Running::start(broker.config());
    let acks = broker.listen("livebox/v1/hall-1/ack/+");
    broker.listen("livebox/v1/hall-1/state").wait("the box", |m| m.json["status"] == "ready");

    for _ in 0..3 {
        broker.say("cmd/layout", r#"{"id":"again","layout":"slides"}"#, &[]);
    }
    broker.say("cmd/audio", r#"{"id":"last","line":"b"}"#, &[]);

    let mut answers = Vec::new();
    while answers.last() != Some(&("last".to_owned(), "done".to_owned())) {
        let answer = acks.wait("answers", |_| true);
        let word = |key: &str| answer.json[key].as_str().unwrap_or_default().to_owned();
        answers.push((word("id"), word("result")));
    }
    let of = |id: &str| answers.iter().filter(|(i, _)| i == id).count();
    assert_eq!((of("old"), of("again"), of("last")), (0, 2, 2), "{answers:?}");
    assert_eq!(box_.heard().len(), 2);
}

#[test]
fn garbage_on_a_command_topic_gets_an_answer_and_harms_nothing() {
    let broker = Broker::open();
    let box_ = Running::start(broker.config());
    let acks = broker.listen("livebox/v1/hall-1/ack/+");
    broker.listen("livebox/v1/hall-1/state").wait("the box", |m| m.json["status"] == "ready");

    let huge = format!(r#"{{"id":"{}"}}"#, "x".repeat(60_000));
    broker.say("cmd/start", &huge, &[]);
    broker.say("cmd/start", "\u{1}\u{2}", &[]);
    acks.wait("not readable", |m| m.json["code"] == "not_json");
    broker.say("cmd/explode", r#"{"id":"1"}"#, &[]);
    acks.wait("no such verb", |m| m.json["code"] == "unknown_verb");

    broker.say("cmd/start", r#"{"id":"2"}"#, &[]);
    acks.wait("a good one", |m| m.json["result"] == "done");
    assert_eq!(box_.heard(), [Ask::Start]);
}

#[test]
fn a_broker_that_comes_late_or_comes_back_is_told_everything_once_and_not_flooded() {
    let port = free_port();
    let box_ = Running::start(Config { port, ..config() });
    box_.fact("the absent broker", |what| matches!(what, What::BrokerLost { .. }));

    let broker = Broker::plain_on(port);
    box_.fact("the late broker", |what| matches!(what, What::BrokerConnected));
    drop(broker);
    box_.fact("the lost broker", |what| matches!(what, What::BrokerLost { .. }));
    for n in 0..500 {
        box_.change(|status| status.phase = if n % 2 == 0 { Phase::Live } else { Phase::Standby });
    }
    let broker = Broker::plain_on(port);
    let all = broker.listen("livebox/v1/hall-1/#");
    box_.fact("the broker again", |what| matches!(what, What::BrokerConnected));

    let mut before = 0;
    let mut topics = BTreeSet::new();
    while topics.len() < 10 {
        topics.insert(all.wait("every topic", |_| true).topic);
        before += 1;
    }
    broker.say("cmd/audio", r#"{"id":"end","line":"b"}"#, &[]);
    while all.wait("the command", |_| true).json["id"] != "end" {
        before += 1;
    }
    all.wait("the answer", |m| m.json["result"] == "done");
    // the ten topics, once; the pace of five seconds may pass on a slow machine
    assert!((10..=20).contains(&before), "{before} messages after 500 changes");
}

#[test]
fn tls_with_a_password_connects_and_the_password_is_in_no_log() {
    let log = Log::capture();
    let broker = Broker::with_tls(false);
    let password_file = broker.dir.path().join("password");
    fs::write(&password_file, "correct horse\n").unwrap();
    let config = Config {
        login: Some(Login { user: "hall-1".to_owned(), password_file: password_file.clone() }),
        ..broker.config()
    };

    let box_ = Running::start(config.clone());
    box_.fact("connected", |what| matches!(what, What::BrokerConnected));
    fs::write(&password_file, "wrong horse\n").unwrap();
    let refused = Running::start(config.clone());
    let what = refused.fact("refused", |what| matches!(what, What::BrokerLost { .. }));

    let text = log.text();
    assert!(text.contains("broker connected"), "the log was captured: {text}");
    assert!(!text.contains("horse") && !format!("{config:?}{what:?}").contains("horse"));
}

#[test]
fn tls_with_a_client_certificate_connects_and_without_one_does_not() {
    let broker = Broker::with_tls(true);
    let pem = |name: &str| broker.dir.path().join(name);
    let with = Tls { ca_file: pem("ca.pem"), client: Some((pem("client.pem"), pem("client.key"))) };
    let without = Tls { ca_file: pem("ca.pem"), client: None };

    let box_ = Running::start(Config { tls: Some(with), ..broker.config() });
    box_.fact("connected", |what| matches!(what, What::BrokerConnected));
    let stranger = Running::start(Config { tls: Some(without), ..broker.config() });
    stranger.fact("turned away", |what| matches!(what, What::BrokerLost { .. }));
}

#[test]
fn a_broker_with_a_foreign_certificate_is_not_trusted() {
    let broker = Broker::with_tls(false);
    let other = TempDir::new().unwrap();
    make_certificates(other.path());

    let tls = Tls { ca_file: other.path().join("ca.pem"), client: None };
    let box_ = Running::start(Config { tls: Some(tls), ..broker.config() });

    let what = box_.fact("no trust", |what| matches!(what, What::BrokerLost { .. } | What::BrokerConnected));
    assert!(matches!(&what, What::BrokerLost { why } if why.en.contains("ertificate")), "{what:?}");
}

fn config() -> Config {
    Config {
        host: "127.0.0.1".to_owned(),
        port: 0,
        login: None,
        tls: None,
        pace: Duration::from_secs(5),
        keep_alive: Duration::from_secs(5),
        will_delay: Duration::from_secs(1),
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A mosquitto on a free loopback port, ended with the test.
pub(crate) struct Broker {
    child: Child,
    port: u16,
    websockets: u16,
    dir: TempDir,
    tls: Option<Tls>,
}

impl Broker {
    fn open() -> Self {
        Self::plain_on(free_port())
    }

    fn plain_on(port: u16) -> Self {
        Self::start(port, TempDir::new().unwrap(), "allow_anonymous true\n", None)
    }

    /// With a second listener for pages.
    pub(crate) fn with_websockets() -> Self {
        let pages = free_port();
        let settings = format!("listener {pages} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n");
        let mut broker = Self::start(free_port(), TempDir::new().unwrap(), &settings, None);
        broker.websockets = pages;
        broker
    }

    fn with_tls(client_certificate: bool) -> Self {
        let dir = TempDir::new().unwrap();
        make_certificates(dir.path());
        let pem = |name: &str| dir.path().join(name).display().to_string();
        let who = if client_certificate {
            "require_certificate true\nuse_identity_as_username true\n".to_owned()
        } else {
            let made = Command::new("mosquitto_passwd")
                .args(["-c", "-b", &pem("users"), "hall-1", "correct horse"])
                .status()
                .unwrap();
            assert!(made.success());
            format!("password_file {}\nallow_anonymous false\n", pem("users"))
        };
        let tls =
            format!("cafile {}\ncertfile {}\nkeyfile {}\n{who}", pem("ca.pem"), pem("server.pem"), pem("server.key"));
        let ca_file = dir.path().join("ca.pem");
        Self::start(free_port(), dir, &tls, Some(Tls { ca_file, client: None }))
    }

    fn start(port: u16, dir: TempDir, settings: &str, tls: Option<Tls>) -> Self {
        let conf = dir.path().join("mosquitto.conf");
        // it would leave root for a user who cannot read the test's folder
        fs::write(&conf, format!("user root\nlistener {port} 127.0.0.1\n{settings}")).unwrap();
        let mut child = Command::new(mosquitto())
            .arg("-c")
            .arg(&conf)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto is installed: apt-get install mosquitto mosquitto-clients");
        let mut words = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(words.any(|line| line.unwrap().ends_with("running")), "mosquitto on port {port} did not start");
        std::thread::spawn(move || words.for_each(drop));
        Self { child, port, websockets: 0, dir, tls }
    }

    /// Where pages connect.
    pub(crate) fn websockets(&self) -> u16 {
        self.websockets
    }

    pub(crate) fn config(&self) -> Config {
        Config { port: self.port, tls: self.tls.clone(), ..config() }
    }

    fn listen(&self, topic: &str) -> Ear {
        Ear::new(self.port, topic)
    }

    fn say(&self, topic: &str, payload: &str, more: &[&str]) {
        let mut child = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-s"])
            .args(["-t", &format!("livebox/v1/hall-1/{topic}")])
            .args(more)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(payload.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian installs the broker where only root's path leads.
fn mosquitto() -> PathBuf {
    let sbin = Path::new("/usr/sbin/mosquitto");
    if sbin.exists() { sbin.to_owned() } else { "mosquitto".into() }
}

/// A message as a stock subscriber saw it.
struct Message {
    retained: bool,
    topic: String,
    correlation: String,
    json: Value,
}

/// A stock subscriber.
struct Ear {
    child: Child,
    lines: Receiver<String>,
}

impl Ear {
    fn new(port: u16, topic: &str) -> Self {
        // it would keep its own words back until the first message
        let mut child = Command::new("stdbuf")
            .args(["-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", &port.to_string(), "-V", "5", "-q", "1", "-d"])
            .args(["-t", topic, "-F", "message|%r|%t|%D|%p"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tx, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tx.send(line)));
        let ear = Self { child, lines };
        ear.line("the subscription", |line| line.starts_with("Subscribed").then_some(()));
        ear
    }

    fn wait(&self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        self.line(what, |line| {
            let mut parts = line.strip_prefix("message|")?.splitn(4, '|');
            let mut next = || parts.next().unwrap_or_default();
            let message = Message {
                retained: next() == "1",
                topic: next().to_owned(),
                correlation: next().to_owned(),
                json: serde_json::from_str(next()).unwrap_or_default(),
            };
            wanted(&message).then_some(message)
        })
    }

    fn line<T>(&self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{what} did not come"),
                Err(RecvTimeoutError::Disconnected) => panic!("the subscriber ended before {what}"),
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The MQTT part with a control that obeys.
pub(crate) struct Running {
    runtime: tokio::runtime::Runtime,
    orders: watch::Sender<Arc<Orders>>,
    status: Arc<watch::Sender<Arc<Status>>>,
    facts: Mutex<mpsc::Receiver<Fact>>,
    heard: Arc<Mutex<Vec<Ask>>>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (orders, orders_rx) = watch::channel(Arc::new(Orders::default()));
        let (status, status_rx) = watch::channel(Arc::new(standing("hall-1")));
        let (facts_tx, facts) = mpsc::channel(256);
        let (tx, asked) = mpsc::channel(32);
        let (status, heard) = (Arc::new(status), Arc::new(Mutex::new(Vec::new())));
        runtime.spawn(obey(asked, status.clone(), heard.clone()));
        let ends = Ends { orders: orders_rx, facts: facts_tx, part: Part::Mqtt, pulse: Pulse::default() };
        let task = runtime.spawn(mqtt::run(Arc::new(config), status_rx, Commander { tx }, ends));
        Self { runtime, orders, status, facts: Mutex::new(facts), heard, task }
    }

    /// The box finds itself otherwise.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| change(Arc::make_mut(status)));
    }

    fn heard(&self) -> Vec<Ask> {
        self.heard.lock().unwrap().clone()
    }

    fn fact(&self, what: &str, wanted: impl Fn(&What) -> bool) -> What {
        let mut facts = self.facts.lock().unwrap();
        let found = async {
            loop {
                let fact = facts.recv().await.expect("the part lives");
                if wanted(&fact.what) {
                    return fact.what;
                }
            }
        };
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, found).await }).unwrap_or_else(|_| {
            panic!("{what} was not stated");
        })
    }

    /// Without a word, as when the power goes.
    pub(crate) fn vanish(self) {
        self.task.abort();
        self.runtime.shutdown_timeout(PATIENCE);
    }

    /// In order.
    fn leave(self) {
        self.orders.send(Arc::new(Orders { shutdown: true, ..Orders::default() })).unwrap();
        let ended = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.task).await });
        ended.expect("it ends in time").expect("it does not panic").expect("it ends well");
    }
}

async fn obey(mut asked: mpsc::Receiver<Asked>, status: Arc<watch::Sender<Arc<Status>>>, heard: Arc<Mutex<Vec<Ask>>>) {
    while let Some(Asked { command, answer }) = asked.recv().await {
        heard.lock().unwrap().push(command.ask);
        let mut next = Status::clone(&status.borrow());
        let obeyed = match command.ask {
            Ask::Start if next.phase == Phase::Live => Err(Refusal::AlreadyLive),
            Ask::Start => {
                next.phase = Phase::Live;
                Ok(())
            }
            Ask::Stop => {
                next.phase = Phase::Standby;
                Ok(())
            }
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
        let _ = answer.send(obeyed);
        status.send_replace(Arc::new(next));
    }
}

/// An authority, a server and a client certificate, as a workshop would make them.
fn make_certificates(dir: &Path) {
    let settings = "[req]\ndistinguished_name = dn\n[dn]\n\
        [ca]\nbasicConstraints = critical,CA:TRUE\nsubjectKeyIdentifier = hash\n\
        [server]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = IP:127.0.0.1\n\
        [client]\nbasicConstraints = critical,CA:FALSE\nextendedKeyUsage = clientAuth\n";
    fs::write(dir.join("openssl.cnf"), settings).unwrap();
    for (name, subject, issuer) in
        [("ca", "/CN=workshop", None), ("server", "/CN=broker", Some("ca")), ("client", "/CN=hall-1", Some("ca"))]
    {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(dir).args(["req", "-x509", "-config", "openssl.cnf", "-days", "2", "-nodes"]);
        openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", subject]);
        openssl.args(["-extensions", name, "-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
        if let Some(issuer) = issuer {
            openssl.args(["-CA", &format!("{issuer}.pem"), "-CAkey", &format!("{issuer}.key")]);
        }
        let made = openssl.output().expect("openssl is installed");
        assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
    }
}

/// Everything that this test binary logs, at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let _ = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .try_init();
            log
        })
        .clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
