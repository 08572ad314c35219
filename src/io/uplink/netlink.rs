//! The kernel's tables over rtnetlink: one snapshot at the start, and one after every change.
//!
//! A notice is only a reason to look again. Linux does not tell of every route that goes with its
//! interface, and notices are dropped when they come too fast; a fresh look is right in all cases.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use rtnetlink::constants::{RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_LINK};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags};
use rtnetlink::packet_route::route::{RouteAttribute, RouteHeader};
use rtnetlink::sys::{AsyncSocket as _, SocketAddr};
use rtnetlink::{Handle, RouteMessageBuilder};
use tokio::task::JoinHandle;

use crate::time::Duration;
use crate::uplink::{Device, Kernel};

/// Notices that come together are answered by one look; a tenth of what an uplink's loss may take.
const GATHER: Duration = Duration::from_millis(10);

/// A look without any notice, in case one was dropped.
const UNASKED: Duration = Duration::from_secs(10);

/// An open conversation with the kernel; it ends when this is dropped.
pub(super) struct Netlink {
    handle: Handle,
    notices: futures_util::stream::BoxStream<'static, ()>,
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
        Ok(Self { handle, notices: notices.map(|_| ()).boxed(), connection })
    }

    /// Waits until something may have changed.
    pub(super) async fn changed(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            notice = self.notices.next() => notice.context("the kernel's interface tables closed")?,
            () = tokio::time::sleep(UNASKED) => return Ok(()),
        }
        tokio::time::sleep(GATHER).await;
        while futures_util::FutureExt::now_or_never(self.notices.next()).flatten().is_some() {}
        Ok(())
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
