//! Rests until a V4L2 device has something to say, a device is plugged in or pulled, or time is up.
//!
//! The kernel tells of devices by its uevent socket; without one (a container may forbid it) everything
//! is still looked for, only later.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt, socket, sockopt,
};

use super::stop::Stop;
use crate::io::clock;
use crate::media::uevent::{Action, Uevent};
use crate::time::Duration;

/// A told end is noticed so late at most.
const SLICE: Duration = Duration::from_millis(50);
/// Group of the kernel's own messages; udev's are another.
const KERNEL: u32 = 1;
/// Room for the messages of a hub full of devices.
const ROOM: usize = 1 << 20;
/// The kernel's messages are at most this long.
const MESSAGE: usize = 8192;
/// Messages taken at once; more wait for the next turn.
const BURST: usize = 256;

/// Why the rest is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Roused {
    /// Time is up.
    Late,
    /// Somebody told to end.
    Told,
    /// The device has events, or died: it must be looked at.
    Device,
    /// A video device came or changed.
    Plugged,
    /// A video device went; its node.
    Pulled(u32),
}

/// The kernel's news of devices.
#[derive(Debug)]
pub(super) struct Plugs(Option<OwnedFd>);

impl Plugs {
    /// Listens from now on.
    pub(super) fn listen() -> Self {
        let listening = listening();
        if let Err(error) = &listening {
            tracing::info!(%error, "the kernel does not tell of devices; they are looked for");
        }
        Self(listening.ok())
    }

    /// Rests at most `span`; `device` is the file of an open device whose events count.
    pub(super) fn rest(&self, device: Option<RawFd>, span: Duration, stop: &Stop) -> Roused {
        let until = clock::now() + span;
        loop {
            if stop.told() {
                return Roused::Told;
            }
            let left = until.since(clock::now());
            if left.is_zero() {
                return Roused::Late;
            }
            if let Some(roused) = self.turn(device, left.min(SLICE)) {
                return roused;
            }
        }
    }

    #[allow(unsafe_code, reason = "the v4l crate gives its file away as a number only")]
    fn turn(&self, device: Option<RawFd>, span: Duration) -> Option<Roused> {
        // SAFETY: whoever rests on a device holds its handle meanwhile, so the file stays open.
        let device = device.map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
        let mut files = Vec::with_capacity(2);
        files.extend(device.map(|fd| PollFd::new(fd, PollFlags::POLLPRI)));
        files.extend(self.0.as_ref().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        // rounded up: a rest of nothing would spin
        let millis = u16::try_from(span.as_millis() + 1).unwrap_or(u16::MAX);
        match poll(&mut files, PollTimeout::from(millis)) {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
        let ready = |file: Option<&PollFd<'_>>| file.and_then(PollFd::revents).unwrap_or(PollFlags::empty());
        let (of_device, of_kernel) = files.split_at(usize::from(device.is_some()));
        let (of_device, of_kernel) = (ready(of_device.first()), ready(of_kernel.first()));
        if !of_kernel.is_empty()
            && let Some(roused) = self.hear()
        {
            return Some(roused);
        }
        if of_device.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) {
            // said at once and again and again: a driver that cannot be waited on, or no device any more
            std::thread::park_timeout(span);
        }
        (!of_device.is_empty()).then_some(Roused::Device)
    }

    /// Everything that the kernel has said; what went counts more than what came.
    fn hear(&self) -> Option<Roused> {
        let file = self.0.as_ref()?.as_raw_fd();
        let mut message = [0u8; MESSAGE];
        let mut roused = None;
        for _ in 0..BURST {
            let (length, from) = match recvfrom::<NetlinkAddr>(file, &mut message) {
                Ok((length, from)) => (length, from),
                // what was lost may have been ours
                Err(Errno::ENOBUFS) => {
                    roused = roused.or(Some(Roused::Plugged));
                    continue;
                }
                Err(_) => break,
            };
            // only the kernel has port 0
            let Some(event) = from.filter(|from| from.pid() == 0).and_then(|_| Uevent::read(&message[..length])) else {
                continue;
            };
            if !event.is_video() {
                continue;
            }
            let number = event.node.strip_prefix("video").and_then(|number| number.parse().ok());
            match (event.action, number) {
                (Action::Remove, Some(number)) => return Some(Roused::Pulled(number)),
                (Action::Remove, None) => {}
                (Action::Add | Action::Change, _) => roused = Some(Roused::Plugged),
            }
        }
        roused
    }
}

fn listening() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkKObjectUEvent)?;
    // a smaller one loses messages when a hub comes with thirty devices; it is not worth failing for
    let _ = setsockopt(&socket, sockopt::RcvBuf, &ROOM);
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_ends_when_told_and_when_time_is_up() {
        let plugs = Plugs(None);
        let stop = Stop::default();
        assert_eq!(plugs.rest(None, Duration::from_millis(1), &stop), Roused::Late);

        stop.tell();

        assert_eq!(plugs.rest(None, Duration::from_secs(3600), &stop), Roused::Told);
    }

    #[test]
    fn what_another_process_sends_is_no_news_of_the_kernel() {
        let plugs = Plugs::listen();
        // a machine that forbids the socket has nothing to forge
        let Some(socket) = &plugs.0 else { return };
        let ours: NetlinkAddr = nix::sys::socket::getsockname(socket.as_raw_fd()).unwrap();
        let forger = listening().unwrap();
        let message = b"add@/devices/x\0ACTION=add\0SUBSYSTEM=video4linux\0DEVNAME=video9\0";
        let to = NetlinkAddr::new(ours.pid(), 0);
        let sent = nix::sys::socket::sendto(forger.as_raw_fd(), message, &to, nix::sys::socket::MsgFlags::empty());

        assert!(sent.is_err() || plugs.hear().is_none());
    }
}
