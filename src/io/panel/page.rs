//! The live page of a simulated panel: its picture, and keys to click. On this machine only.
//!
//! Requests are read within bounds, and strokes are taken from this page alone: a page of somebody
//! else that a browser on this machine has open cannot press a key.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::keys::Stroked;
use crate::io::clock;
use crate::panel::{Lamps, Stroke};

/// The page itself.
const PAGE: &str = include_str!("page.html");

/// The longest request that is read.
const MAX_REQUEST: usize = 8192;

/// Browsers that may look at the same time.
const MAX_CLIENTS: usize = 16;

/// A client that neither asks nor reads for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer to "has anything changed" waits so long at most.
const WAIT: Duration = Duration::from_secs(5);

/// What the page may see.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// The picture as PNG.
    pub(super) picture: watch::Receiver<Vec<u8>>,
    /// Every lamp.
    pub(super) lamps: watch::Receiver<Arc<Lamps>>,
}

/// What the page sends.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Sent {
    Down(String),
    Up(String),
    Turn(i32),
}

#[derive(Serialize)]
struct Changed<'c> {
    picture: u64,
    lamps: Vec<&'c str>,
    lit: Vec<&'c str>,
}

/// Serves until it is dropped.
pub(super) async fn serve(at: SocketAddr, shown: Shown, strokes: mpsc::Sender<Stroked>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(at).await.with_context(|| format!("the panel's page at http://{at}/"))?;
    let at = listener.local_addr().context("the panel's page")?;
    tracing::info!("the panel's page: http://{at}/");
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            client = listener.accept(), if clients.len() < MAX_CLIENTS => {
                // a client that is gone already is no reason to end
                if let Ok((stream, _)) = client {
                    let (shown, strokes) = (shown.clone(), strokes.clone());
                    clients.spawn(async move { tokio::time::timeout(PATIENCE, answer(stream, at, shown, strokes)).await });
                }
            }
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn answer(
    mut stream: TcpStream,
    at: SocketAddr,
    mut shown: Shown,
    strokes: mpsc::Sender<Stroked>,
) -> anyhow::Result<()> {
    let request = read(&mut stream).await?;
    if !request.is_ours(at) {
        return say(&mut stream, "403 Forbidden", "text/plain", b"this page takes requests of its own only\n").await;
    }
    match (request.verb.as_str(), request.path.split('?').next().unwrap_or_default()) {
        ("GET", "/") => say(&mut stream, "200 OK", "text/html; charset=utf-8", PAGE.as_bytes()).await,
        ("GET", "/picture.png") => {
            let picture = shown.picture.borrow().clone();
            say(&mut stream, "200 OK", "image/png", &picture).await
        }
        ("GET", "/changed") => {
            let seen = request.path.split_once('?').and_then(|(_, n)| n.parse::<u64>().ok());
            let changed = changed(&mut shown, seen).await;
            say(&mut stream, "200 OK", "application/json", changed.as_bytes()).await
        }
        ("POST", "/stroke") => match stroke(&request.body) {
            Some(stroke) => {
                let _ = strokes.send((clock::now(), stroke)).await;
                say(&mut stream, "204 No Content", "text/plain", b"").await
            }
            None => say(&mut stream, "400 Bad Request", "text/plain", b"no stroke\n").await,
        },
        _ => say(&mut stream, "404 Not Found", "text/plain", b"there is nothing here\n").await,
    }
}

/// What is seen now, as soon as it differs from what the page has seen, or a lamp has blinked.
async fn changed(shown: &mut Shown, seen: Option<u64>) -> String {
    let lit = |lamps: &Lamps| lamps.iter().filter(|(_, l)| l.is_lit(clock::now())).count();
    let before = lit(&shown.lamps.borrow_and_update());
    let until = tokio::time::Instant::now() + WAIT;
    let mut mark = mark(&shown.picture.borrow_and_update());
    while Some(mark) == seen && tokio::time::Instant::now() < until && lit(&shown.lamps.borrow()) == before {
        let _ = tokio::time::timeout(Duration::from_millis(100), shown.picture.changed()).await;
        mark = self::mark(&shown.picture.borrow_and_update());
    }
    let lamps = shown.lamps.borrow();
    let now = clock::now();
    let names = lamps.keys().map(String::as_str).collect();
    let lit = lamps.iter().filter(|(_, light)| light.is_lit(now)).map(|(name, _)| name.as_str()).collect();
    serde_json::to_string(&Changed { picture: mark, lamps: names, lit }).unwrap_or_default()
}

/// A number that tells two pictures apart (FNV-1a, 32 bits: JavaScript keeps 53).
fn mark(bytes: &[u8]) -> u64 {
    u64::from(bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)))
}

fn stroke(body: &[u8]) -> Option<Stroke> {
    Some(match serde_json::from_slice(body).ok()? {
        Sent::Down(key) => Stroke::Down(key.parse().ok()?),
        Sent::Up(key) => Stroke::Up(key.parse().ok()?),
        Sent::Turn(clicks) => Stroke::Turn(clicks.clamp(-10, 10)),
    })
}

#[derive(Debug, Default)]
struct Request {
    verb: String,
    path: String,
    host: String,
    origin: Option<String>,
    kind: String,
    body: Vec<u8>,
}

impl Request {
    /// Asked for under this address, and not by a page of somebody else; strokes as JSON only, which a
    /// foreign page cannot send without being asked first.
    fn is_ours(&self, at: SocketAddr) -> bool {
        let name = |host: &str| host == at.to_string() || host == format!("localhost:{}", at.port());
        let foreign = |origin: &String| !origin.strip_prefix("http://").is_some_and(name);
        name(&self.host)
            && !self.origin.as_ref().is_some_and(foreign)
            && (self.verb == "GET" || self.kind.starts_with("application/json"))
    }
}

async fn read(stream: &mut TcpStream) -> anyhow::Result<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let taken = stream.read(&mut chunk).await?;
        if taken == 0 || bytes.len() + taken > MAX_REQUEST {
            bail!("no request");
        }
        bytes.extend_from_slice(&chunk[..taken]);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut request = Request {
        verb: first.next().unwrap_or_default().to_owned(),
        path: first.next().unwrap_or_default().to_owned(),
        ..Request::default()
    };
    let mut length = 0;
    for (key, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim().to_owned();
        match key.to_ascii_lowercase().as_str() {
            "host" => request.host = value,
            "origin" => request.origin = Some(value),
            "content-type" => request.kind = value,
            "content-length" => length = value.parse().context("content-length")?,
            _ => {}
        }
    }
    if length > MAX_REQUEST {
        bail!("a body of {length} bytes");
    }
    request.body = bytes.split_off(head + 4);
    while request.body.len() < length {
        let taken = stream.read(&mut chunk).await?;
        if taken == 0 || request.body.len() + taken > MAX_REQUEST {
            bail!("half a body");
        }
        request.body.extend_from_slice(&chunk[..taken]);
    }
    Ok(request)
}

async fn say(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> anyhow::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    Ok(stream.shutdown().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::Key;

    #[test]
    fn only_the_pages_own_strokes_are_taken() {
        let at: SocketAddr = "127.0.0.1:8620".parse().expect("an address");
        let post = |host: &str, origin: Option<&str>, kind: &str| {
            let request = Request {
                verb: "POST".into(),
                host: host.into(),
                origin: origin.map(str::to_owned),
                kind: kind.into(),
                ..Request::default()
            };
            request.is_ours(at)
        };

        assert!(post("127.0.0.1:8620", Some("http://127.0.0.1:8620"), "application/json"));
        assert!(post("localhost:8620", None, "application/json"));
        assert!(!post("127.0.0.1:8620", Some("http://elsewhere.example"), "application/json"));
        assert!(!post("rebound.example:8620", None, "application/json"));
        assert!(!post("127.0.0.1:8620", None, "text/plain"));
    }

    #[test]
    fn a_stroke_is_one_of_the_keys_or_a_turn() {
        assert_eq!(stroke(br#"{"down":"on_air"}"#), Some(Stroke::Down(Key::OnAir)));
        assert_eq!(stroke(br#"{"turn":2000000}"#), Some(Stroke::Turn(10)));
        assert_eq!(stroke(br#"{"down":"dance"}"#), None);
        assert_eq!(stroke(b"{\"down\":"), None);
    }
}
