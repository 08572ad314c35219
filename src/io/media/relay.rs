//! Relay: a small go-between on the loopback whose far socket is bound to one uplink, for elements that cannot bind.
//!
//! One TCP connection (RTMP; with TLS towards the server if it wants it, checked against its own name and the
//! system's certificates), or the two UDP ports of RIST. A relay ends with its handle.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::io::clock;
use crate::io::udp;
use crate::lang::{Text, said};
use crate::media::plan::Bound;
use crate::time::{Duration, Instant};

/// A server that does not take a connection by then never will.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest datagram.
const LONGEST: usize = 2048;

/// Whom a relay speaks with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Name or IPv4 address.
    pub(super) host: String,
    /// Port; with datagrams the next one too.
    pub(super) port: u16,
    /// TLS.
    pub(super) tls: bool,
}

/// What the relay has to say.
#[derive(Debug, Default)]
struct Word {
    trouble: Mutex<Option<Text>>,
    /// When something came from the far end last, microseconds of the process's clock; 0 for never.
    heard: AtomicU64,
}

impl Word {
    fn fail(&self, why: Text) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

/// A running relay.
#[derive(Debug)]
pub(super) struct Relay {
    port: u16,
    word: Arc<Word>,
    tasks: Vec<JoinHandle<()>>,
}

impl Relay {
    /// For one TCP connection.
    ///
    /// # Errors
    /// If no port can be had on the loopback.
    pub(super) fn stream(runtime: &Handle, target: Target, bound: Option<Bound>) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port on the loopback")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let word = Arc::new(Word::default());
        let told = Arc::clone(&word);
        let task = runtime.spawn(async move {
            if let Err(why) = carry(listener, &target, bound.as_ref()).await {
                told.fail(why);
            }
        });
        Ok(Self { port, word, tasks: vec![task] })
    }

    /// For an even UDP port and the one after it.
    ///
    /// # Errors
    /// If no such ports can be had on the loopback.
    pub(super) fn datagrams(runtime: &Handle, target: Target, bound: Option<Bound>) -> anyhow::Result<Self> {
        let pair = (0..50).find_map(|_| {
            let first = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let port = first.local_addr().ok()?.port();
            let second = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, port.checked_add(1)?)).ok()?;
            port.is_multiple_of(2).then_some((port, first, second))
        });
        let (port, first, second) = pair.context("two ports on the loopback")?;
        let word = Arc::new(Word::default());
        let mut tasks = Vec::new();
        for (n, near) in [first, second].into_iter().enumerate() {
            near.set_nonblocking(true)?;
            let (told, mut target, bound) = (Arc::clone(&word), target.clone(), bound.clone());
            target.port = target.port.saturating_add(u16::try_from(n).unwrap_or(0));
            tasks.push(runtime.spawn(async move {
                if let Err(why) = pass(near, &target, bound.as_ref(), &told).await {
                    told.fail(why);
                }
            }));
        }
        Ok(Self { port, word, tasks })
    }

    /// Where it listens on the loopback.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// When something came from the far end last.
    pub(super) fn heard(&self) -> Option<Instant> {
        match self.word.heard.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Instant::from_micros(micros)),
        }
    }

    /// Why it does not work.
    pub(super) fn trouble(&self) -> Option<Text> {
        self.word.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn resolve(target: &Target) -> Result<SocketAddr, Text> {
    let name = format!("{}:{}", target.host, target.port);
    match tokio::time::timeout(CONNECT, udp::resolved(&name)).await {
        Ok(Ok(address)) => Ok(address),
        _ => Err(said::unknown_host(&target.host)),
    }
}

fn socket(kind: Type, protocol: Protocol, bound: Option<&Bound>) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind, Some(protocol))?;
    if let Some(bound) = bound {
        socket.bind_device(Some(bound.interface.as_bytes()))?;
        if let Some(address) = bound.address {
            socket.bind(&SocketAddr::from((address, 0)).into())?;
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

async fn carry(listener: std::net::TcpListener, target: &Target, bound: Option<&Bound>) -> Result<(), Text> {
    let words = |error: std::io::Error| Text::raw(error.to_string());
    let listener = TcpListener::from_std(listener).map_err(words)?;
    let (near, _) = listener.accept().await.map_err(words)?;
    let _ = near.set_nodelay(true);
    let place = format!("{}:{}", target.host, target.port);
    let unreachable = |error: String| said::because(&said::unreachable(&place), &error);
    let address = resolve(target).await?;
    let far = socket(Type::STREAM, Protocol::TCP, bound).map_err(|error| unreachable(error.to_string()))?;
    let far = tokio::net::TcpSocket::from_std_stream(far.into()).connect(address);
    let far: TcpStream = match tokio::time::timeout(CONNECT, far).await {
        Ok(far) => far.map_err(|error| unreachable(error.to_string()))?,
        Err(_) => return Err(said::unreachable(&place)),
    };
    let _ = far.set_nodelay(true);
    if target.tls {
        let far = tls(far, &target.host).await.map_err(unreachable)?;
        join(near, far).await;
    } else {
        join(near, far).await;
    }
    Ok(())
}

async fn join(mut near: impl AsyncRead + AsyncWrite + Unpin, mut far: impl AsyncRead + AsyncWrite + Unpin) {
    // either end's end is both ends' end, and the element says what became of it
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}

async fn tls(far: TcpStream, host: &str) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // one that is not readable is no reason to trust none
        let _ = roots.add(certificate);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, far).await.map_err(|error| error.to_string())
}

async fn pass(near: std::net::UdpSocket, target: &Target, bound: Option<&Bound>, word: &Word) -> Result<(), Text> {
    let words = |error: std::io::Error| Text::raw(error.to_string());
    let near = UdpSocket::from_std(near).map_err(words)?;
    let address = resolve(target).await?;
    let far = socket(Type::DGRAM, Protocol::UDP, bound).map_err(words)?;
    let far = UdpSocket::from_std(far.into()).map_err(words)?;
    far.connect(address).await.map_err(words)?;
    let (mut going, mut coming) = (vec![0; LONGEST], vec![0; LONGEST]);
    let mut element = None;
    loop {
        tokio::select! {
            came = near.recv_from(&mut going) => {
                // an error here is what an earlier datagram caused
                let Ok((len, from)) = came else { continue };
                element = Some(from);
                let _ = far.send(&going[..len]).await;
            }
            came = far.recv(&mut coming) => {
                let Ok(len) = came else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                word.heard.store(clock::now().as_micros().max(1), Ordering::Relaxed);
                if let Some(element) = element {
                    let _ = near.send_to(&coming[..len], element).await;
                }
            }
        }
    }
}
