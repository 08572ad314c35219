//! Uplink: one way out, and how it stands in the kernel.

use std::net::Ipv4Addr;

/// One way out of the box, as the kernel shows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Slot name from the board profile: `wired`, `lte1`.
    pub slot: String,
    /// Bytes cost money.
    pub metered: bool,
    /// The kernel's interface, if it is there.
    pub interface: Option<String>,
    /// The kernel's number of that interface: a re-plugged one has another.
    pub index: Option<u32>,
    /// The address to send from.
    pub address: Option<Ipv4Addr>,
    /// The socket is bound to the address as well as to the interface.
    pub bind_address: bool,
    /// The interface is up and has carrier.
    pub carrier: bool,
    /// A default route leaves through it (or it needs none: loopback).
    pub default_route: bool,
}

impl Uplink {
    /// Packets can leave here.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.interface.is_some() && self.address.is_some() && self.carrier
    }
}
