//! UDP sockets in batches: many datagrams per system call, a socket bound to one way out.
//!
//! A reader waits in [`Socket::poll_readable`], then empties the socket with [`Socket::receive`]
//! until that says [`Received::Drained`]. Whoever expects more sleeps a while in [`nap`] and looks
//! again with [`Socket::look`]: asleep so, it is not woken by every datagram, and gets whole batches.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use nix::errno::Errno;
use nix::sys::socket::sockopt::RcvBufForce;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;

/// How often a destination's name is asked for again: the resolver may be behind an uplink that is not there yet.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Datagrams per system call: a full batch at 20 Mbit/s is 17 ms of packets, so larger ones never fill.
const BATCH: usize = 32;

/// Longest datagram taken; SRT stays below 1500, whatever is longer is a stranger's.
const LONGEST: usize = 2048;

/// Asked of the kernel for each direction: two seconds of 16 Mbit/s, so that a busy processor loses
/// nothing. The kernel grants what its limit allows.
const BUFFER: usize = 4 << 20;

/// A UDP socket.
#[derive(Debug)]
pub struct Socket {
    inner: tokio::net::UdpSocket,
    is_v6: bool,
}

/// What [`Socket::receive`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The batch holds datagrams, and there may be more.
    More,
    /// The batch holds what there was; wait before the next call.
    Drained,
    /// The kernel handed over an error that an earlier datagram caused; call again.
    Failed,
}

/// What of some datagrams the kernel did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unsent {
    /// How many it refused: no route, no buffer.
    pub refused: usize,
    /// The shortest that is longer than the way out carries.
    pub too_long: Option<usize>,
}

/// Sleeps in the kernel, with everything that this thread does: for threads that do nothing else.
#[allow(clippy::disallowed_methods, reason = "a runtime's sleep ends early with every datagram that comes")]
pub fn nap(span: Duration) {
    std::thread::sleep(span);
}

/// The datagrams of one system call, valid until the next.
#[derive(Debug)]
pub struct Batch {
    room: Box<[u8]>,
    /// What the kernel writes beside the datagrams, by the family of the socket: it leaves the length of the addresses
    /// there, which the next call goes by.
    headers: [MultiHeaders<SockaddrStorage>; 2],
    found: Vec<(usize, Option<SocketAddr>)>,
    oversized: u64,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            room: vec![0; BATCH * LONGEST].into_boxed_slice(),
            headers: std::array::from_fn(|_| MultiHeaders::preallocate(BATCH, None)),
            found: Vec::with_capacity(BATCH),
            oversized: 0,
        }
    }
}

impl Batch {
    /// Every datagram with its sender's address, in order of arrival.
    pub fn datagrams(&self) -> impl Iterator<Item = (&[u8], Option<SocketAddr>)> {
        self.room.chunks(LONGEST).zip(&self.found).map(|(room, (len, from))| (&room[..*len], *from))
    }

    /// The same as owned datagrams, all in one allocation.
    #[must_use]
    pub fn owned(&self) -> Vec<(Bytes, Option<SocketAddr>)> {
        let mut all = BytesMut::with_capacity(self.found.iter().map(|(len, _)| len).sum());
        let cuts: Vec<_> = self
            .datagrams()
            .map(|(datagram, from)| {
                all.extend_from_slice(datagram);
                (datagram.len(), from)
            })
            .collect();
        let mut all = all.freeze();
        cuts.into_iter().map(|(len, from)| (all.split_to(len), from)).collect()
    }

    /// How many datagrams were too long and were dropped since the beginning.
    #[must_use]
    pub fn oversized(&self) -> u64 {
        self.oversized
    }
}

impl Socket {
    /// A socket on an address of this machine.
    ///
    /// # Errors
    /// If the address is taken or not ours.
    pub fn listen(address: SocketAddr) -> io::Result<Self> {
        let socket = raw(address)?;
        socket.bind(&address.into())?;
        Self::from_std(socket.into())
    }

    /// A socket that somebody bound already.
    ///
    /// # Errors
    /// If the runtime cannot take it.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        widen(&socket);
        let is_v6 = socket.local_addr()?.is_ipv6();
        Ok(Self { inner: tokio::net::UdpSocket::from_std(socket)?, is_v6 })
    }

    /// A socket that leaves through `interface` alone, from `source` (or whatever address the kernel
    /// finds there), towards `to`, and hears nobody else. Needs no capability since Linux 5.7, but
    /// only once in a socket's life: an interface that was re-plugged needs a new socket.
    ///
    /// # Errors
    /// If the interface or address is gone, or has no way to `to`.
    pub fn through(interface: &str, source: Option<Ipv4Addr>, to: SocketAddr) -> io::Result<Self> {
        let socket = raw(to)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source.into(), 0).into())?;
        }
        socket.connect(&to.into())?;
        Self::from_std(socket.into())
    }

    /// Nothing that this socket sends is cut into IP fragments on its way; what a path does not carry is lost there, and
    /// what the interface does not carry is refused as [`Unsent::too_long`]. For whoever finds out himself how much fits.
    ///
    /// # Errors
    /// If the kernel does not grant it.
    pub fn forbid_fragments(&self) -> io::Result<()> {
        let (level, name, mode) = match self.local_addr()? {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE),
        };
        set_int(self.inner.as_raw_fd(), level, name, mode)
    }

    /// A socket that speaks with `to` alone, from `source` if one is given.
    ///
    /// # Errors
    /// If there is no way to `to`.
    pub fn towards(to: SocketAddr, source: Option<SocketAddr>) -> io::Result<Self> {
        let socket = raw(to)?;
        if let Some(source) = source {
            socket.bind(&source.into())?;
        }
        socket.connect(&to.into())?;
        Self::from_std(socket.into())
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Ready when something can be received; wakes the task of `cx` otherwise.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_recv_ready(cx).map(|_| ())
    }

    /// Takes one batch, without waiting, if the runtime knows of something.
    pub fn receive(&self, batch: &mut Batch) -> Received {
        let mut outcome = Received::Drained;
        batch.found.clear();
        let done = self.inner.try_io(Interest::READABLE, || {
            outcome = self.look(batch);
            match outcome {
                Received::More | Received::Failed => Ok(()),
                // the socket is empty: the runtime is told so without a second system call, and
                // whatever comes after this one is a new edge for it
                Received::Drained => Err(ErrorKind::WouldBlock.into()),
            }
        });
        match done {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Received::Failed,
            _ => outcome,
        }
    }

    /// Takes one batch, without waiting and without asking the runtime, which may afterwards take the socket for
    /// readable once more than it is.
    pub fn look(&self, batch: &mut Batch) -> Received {
        let Batch { room, headers, found, oversized } = batch;
        found.clear();
        let mut slices: [_; BATCH] = {
            let mut rooms = room.chunks_mut(LONGEST);
            std::array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())])
        };
        let headers = &mut headers[usize::from(self.is_v6)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let messages = match recvmmsg(self.inner.as_raw_fd(), headers, slices.iter_mut(), flags, None) {
            Ok(messages) => messages,
            Err(Errno::EAGAIN) => return Received::Drained,
            Err(_) => return Received::Failed,
        };
        for message in messages {
            let from = message.address.and_then(|a| {
                let v4 = a.as_sockaddr_in().map(|a| SocketAddr::from(std::net::SocketAddrV4::from(*a)));
                v4.or_else(|| a.as_sockaddr_in6().map(|a| SocketAddr::from(std::net::SocketAddrV6::from(*a))))
            });
            let whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
            *oversized += u64::from(!whole);
            found.push((if whole { message.bytes } else { 0 }, from));
        }
        if found.len() == BATCH { Received::More } else { Received::Drained }
    }

    /// Sends to the address it is connected to; says what the kernel did not take.
    pub fn send(&self, datagrams: &[Bytes]) -> Unsent {
        self.send_all(datagrams.iter().map(|d| (None, d)))
    }

    /// Sends each to its own address; says what the kernel did not take.
    pub fn send_to(&self, datagrams: &[(SocketAddr, Bytes)]) -> Unsent {
        self.send_all(datagrams.iter().map(|(to, d)| (Some(SockaddrStorage::from(*to)), d)))
    }

    fn send_all<'d>(&self, datagrams: impl Iterator<Item = (Option<SockaddrStorage>, &'d Bytes)>) -> Unsent {
        let (addresses, slices): (Vec<_>, Vec<_>) =
            datagrams.map(|(to, datagram)| (to, [IoSlice::new(datagram)])).unzip();
        let (mut at, mut unsent, mut again) = (0, Unsent::default(), true);
        while at < slices.len() {
            let end = slices.len().min(at + BATCH);
            let mut headers = MultiHeaders::preallocate(end - at, None);
            let fd = self.inner.as_raw_fd();
            let flags = MsgFlags::MSG_DONTWAIT;
            match sendmmsg(fd, &mut headers, &slices[at..end], &addresses[at..end], [], flags) {
                Ok(sent) => {
                    at += sent.count().max(1);
                    again = true;
                }
                Err(Errno::EINTR) => {}
                // what an earlier datagram caused is reported once, by the next call: not this one's fault
                Err(Errno::ECONNREFUSED) if again => again = false,
                Err(error) => {
                    if error == Errno::EMSGSIZE {
                        let len = slices[at][0].len();
                        unsent.too_long = Some(unsent.too_long.map_or(len, |shortest| shortest.min(len)));
                    } else {
                        unsent.refused += 1;
                    }
                    at += 1;
                    again = true;
                }
            }
        }
        unsent
    }
}

#[allow(unsafe_code, reason = "neither nix nor socket2 sets how paths are found out")]
fn set_int(fd: RawFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel reads one int, which lives until it has answered
    Errno::result(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) })?;
    Ok(())
}

fn raw(like: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(like), Type::DGRAM, Some(Protocol::UDP))?;
    Ok(socket)
}

fn widen(socket: &std::net::UdpSocket) {
    // whoever may administer the network gets it whatever the kernel's limit is; less is still a working socket
    if nix::sys::socket::setsockopt(socket, RcvBufForce, &BUFFER).is_err() {
        let _ = socket2::SockRef::from(socket).set_recv_buffer_size(BUFFER);
    }
    let _ = socket2::SockRef::from(socket).set_send_buffer_size(BUFFER);
}

/// The IPv4 address of HOST:PORT. A name that nobody answers for yet is asked for again.
///
/// # Errors
/// If `to` is not HOST:PORT; the sentence says what would be.
pub async fn resolved(to: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("\"{to}\" is not HOST:PORT");
    let (host, port) = to.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(SocketAddr::from((address, port)));
    }
    if host.is_empty() || host.contains(':') {
        return Err(format!("\"{to}\": uplinks are IPv4; write a name or an IPv4 address, then the port"));
    }
    let mut told = false;
    loop {
        let error = match tokio::net::lookup_host((host, port)).await {
            Ok(mut found) => match found.find(SocketAddr::is_ipv4) {
                Some(address) => return Ok(address),
                None => "it has no IPv4 address".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        if !told {
            tracing::warn!(host, error, "the destination's name is not known; asking again");
            told = true;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// The same for a far end on this side of the uplinks: IPv6 is taken where it is written as an address,
/// `[::1]:8890`; a name is IPv4's, as `localhost` is where only 127.0.0.1 is listened on.
///
/// # Errors
/// If `to` is neither an address nor HOST:PORT; the sentence says what would be.
pub async fn resolved_any(to: &str) -> Result<SocketAddr, String> {
    match to.parse() {
        Ok(address) => Ok(address),
        Err(_) => resolved(to).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    async fn collect(socket: &Socket, wanted: usize) -> Vec<Bytes> {
        let (mut batch, mut all) = (Batch::default(), Vec::new());
        while all.len() < wanted {
            poll_fn(|cx| socket.poll_readable(cx)).await;
            while socket.receive(&mut batch) == Received::More {
                all.extend(batch.owned().into_iter().map(|(d, _)| d));
            }
            all.extend(batch.owned().into_iter().map(|(d, _)| d));
        }
        all
    }

    #[tokio::test]
    async fn more_datagrams_than_a_batch_arrive_whole_and_in_order() {
        let far = Socket::listen(loopback()).unwrap();
        let near = Socket::through("lo", Some(Ipv4Addr::new(127, 0, 1, 3)), far.local_addr().unwrap()).unwrap();
        let sent: Vec<_> = (0..100_u8).map(|n| Bytes::from(vec![n; 10 + usize::from(n)])).collect();

        let unsent = near.send(&sent);
        let got = collect(&far, 100).await;

        assert_eq!(unsent, Unsent::default());
        assert_eq!(got, sent);
    }

    #[tokio::test]
    async fn the_address_is_bound_only_where_the_profile_says_so() {
        let far = Socket::listen(loopback()).unwrap();
        let to = far.local_addr().unwrap();
        let address = Ipv4Addr::new(127, 0, 1, 3);

        let bound = Socket::through("lo", Some(address), to).unwrap();
        let free = Socket::through("lo", None, to).unwrap();

        assert_eq!(bound.local_addr().unwrap().ip(), address);
        assert_eq!(free.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
    }

    #[tokio::test]
    async fn an_oversized_datagram_is_counted_and_comes_out_empty() {
        let far = Socket::listen(loopback()).unwrap();
        let near = Socket::towards(far.local_addr().unwrap(), None).unwrap();
        near.send(&[Bytes::from(vec![1; 3000]), Bytes::from_static(b"after")]);

        poll_fn(|cx| far.poll_readable(cx)).await;
        let mut batch = Batch::default();
        let mut got = Vec::new();
        while got.len() < 2 {
            far.receive(&mut batch);
            got.extend(batch.owned().into_iter().map(|(d, _)| d));
            tokio::task::yield_now().await;
        }

        assert_eq!(batch.oversized(), 1);
        assert_eq!(got, [Bytes::new(), Bytes::from_static(b"after")]);
    }

    #[tokio::test]
    async fn a_name_is_an_ipv4_address_and_an_ipv6_address_is_taken_as_written() {
        let found = resolved_any("localhost:8890").await;
        assert_eq!(found, Ok(SocketAddr::from(([127, 0, 0, 1], 8890))));
        assert_eq!(resolved_any("[::1]:8890").await.map(|a| a.to_string()), Ok("[::1]:8890".to_owned()));
        assert_eq!(resolved_any("192.0.2.1:9").await.map(|a| a.to_string()), Ok("192.0.2.1:9".to_owned()));
        let told = resolved_any("localhost").await.unwrap_err();
        assert!(told.contains("HOST:PORT"), "{told}");
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_is_an_error_and_not_another_way_out() {
        let to = SocketAddr::from(([127, 0, 0, 1], 9));

        assert!(Socket::through("nosuch0", Some(Ipv4Addr::LOCALHOST), to).is_err());
    }
}
