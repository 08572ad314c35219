//! The kernel's tables over rtnetlink: one snapshot at the start, and one after every change.
//!
//! A notice is only a reason to look again. Linux does not tell of every route that goes with its
//! interface, and notices are dropped when they come too fast; a fresh look is right in all cases.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Context as _;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use rtnetlink::constants::{RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_LINK};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags};
use rtnetlink::packet_route::route::{RouteAttribute, RouteHeader};
use rtnetlink::sys::{AsyncSocket as _, SocketAddr};
use rtnetlink::{Handle, RouteMessageBuilder};
use tokio::task::JoinHandle;

use crate::io::clock;
use crate::time::{Duration, Instant};
use crate::uplink::{Device, Kernel};

/// Notices that come together are answered by one look; a tenth of what an uplink's loss may take.
const GATHER: Duration = Duration::from_millis(10);

/// A look without any notice, in case one was dropped.
const UNASKED: Duration = Duration::from_secs(10);

/// An open conversation with the kernel; it ends when this is dropped.
pub(super) struct Netlink {
    handle: Handle,
    notices: Notices,
    connection: JoinHandle<()>,
}

impl Netlink {
    /// Opens the conversation. Every change from here on is told.
    pub(super) fn open() -> anyhow::Result<Self> {
        let (mut connection, handle, notices) =
            rtnetlink::new_connection().context("the kernel's interface tables (rtnetlink) cannot be opened")?;
        let groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE;
        connection
            .socket_mut()
            .socket_mut()
            .bind(&SocketAddr::new(0, groups))
            .context("the kernel does not tell of its interfaces (rtnetlink groups refused)")?;
        let connection = tokio::spawn(connection);
        Ok(Self { handle, notices: Notices(notices.map(|_| ()).boxed()), connection })
    }

    /// Waits until something may have changed; when the kernel's notice of it was read, if there was one.
    pub(super) async fn changed(&mut self) -> anyhow::Result<Option<Instant>> {
        self.notices.gathered().await
    }

    /// The tables as they are now.
    pub(super) async fn look(&mut self) -> anyhow::Result<Kernel> {
        let mut kernel = Kernel::default();
        let mut links = self.handle.link().get().execute();
        while let Some(link) = links.try_next().await.context("interfaces cannot be listed")? {
            let name = link.attributes.iter().find_map(|a| match a {
                LinkAttribute::IfName(name) => Some(name.clone()),
                _ => None,
            });
            let flags = link.header.flags;
            let device = Device {
                name: name.unwrap_or_default(),
                carrier: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
                loopback: flags.contains(LinkFlags::Loopback),
                addresses: Vec::new(),
            };
            kernel.devices.insert(link.header.index, device);
        }
        let mut addresses = self.handle.address().get().execute();
        while let Some(address) = addresses.try_next().await.context("addresses cannot be listed")? {
            if address.header.family != AddressFamily::Inet {
                continue;
            }
            // on a point-to-point modem «local» is ours and «address» the far end's
            let local = address.attributes.iter().find_map(|a| match a {
                AddressAttribute::Local(IpAddr::V4(local)) => Some(*local),
                _ => None,
            });
            if let (Some(local), Some(device)) = (local, kernel.devices.get_mut(&address.header.index)) {
                device.addresses.push(local);
            }
        }
        let every = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let mut routes = self.handle.route().get(every).execute();
        while let Some(route) = routes.try_next().await.context("routes cannot be listed")? {
            if route.header.destination_prefix_length > 0 || route.header.table != RouteHeader::RT_TABLE_MAIN {
                continue;
            }
            for attribute in &route.attributes {
                match attribute {
                    RouteAttribute::Oif(index) => {
                        kernel.default_routes.insert(*index);
                    }
                    RouteAttribute::MultiPath(hops) => {
                        kernel.default_routes.extend(hops.iter().map(|hop| hop.interface_index));
                    }
                    _ => {}
                }
            }
        }
        Ok(kernel)
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// What the kernel tells of, each a reason to look.
struct Notices(BoxStream<'static, ()>);

impl Notices {
    /// One reason to look: a notice with all that come with it, or that none came for long.
    async fn gathered(&mut self) -> anyhow::Result<Option<Instant>> {
        tokio::select! {
            notice = self.0.next() => notice.context("the kernel's interface tables closed")?,
            () = tokio::time::sleep(UNASKED) => return Ok(None),
        }
        let read = clock::now();
        tokio::time::sleep(GATHER).await;
        while self.0.next().now_or_never().flatten().is_some() {}
        Ok(Some(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn notices() -> (mpsc::UnboundedSender<()>, Notices) {
        let (tell, mut told) = mpsc::unbounded_channel();
        (tell, Notices(futures_util::stream::poll_fn(move |cx| told.poll_recv(cx)).boxed()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_notice_leads_to_a_look_within_a_tenth_of_what_a_loss_may_take() {
        let (tell, mut notices) = notices();
        let start = tokio::time::Instant::now();
        tell.send(()).unwrap();

        assert!(notices.gathered().await.unwrap().is_some());

        assert!(start.elapsed() <= Duration::from_millis(11), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn notices_that_never_pause_delay_no_look_and_a_burst_leads_to_one() {
        let (tell, mut notices) = notices();
        let chatter = tell.clone();
        let chatting = tokio::spawn(async move {
            loop {
                let _ = chatter.send(());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let start = tokio::time::Instant::now();
        notices.gathered().await.unwrap();
        assert!(start.elapsed() <= Duration::from_millis(11), "{:?}", start.elapsed());
        chatting.abort();
        let _ = chatting.await;
        notices.gathered().now_or_never();
        for _ in 0..100 {
            tell.send(()).unwrap();
        }

        assert!(notices.gathered().await.unwrap().is_some());

        assert_eq!(notices.gathered().await.unwrap(), None, "nothing is left but the look without a notice");
    }
}
