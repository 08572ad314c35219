//! What the kernel knows of interfaces, addresses and default routes, and which way out that makes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::state::Uplink;

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// The kernel's name of the day.
    pub name: String,
    /// It is up and has carrier.
    pub carrier: bool,
    /// It is the machine's own loop.
    pub loopback: bool,
    /// Its IPv4 addresses, in the kernel's order.
    pub addresses: Vec<Ipv4Addr>,
}

/// The kernel's tables at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernel {
    /// Interfaces by number; a re-plugged one has another number.
    pub devices: BTreeMap<u32, Device>,
    /// Numbers of the interfaces through which a default route leaves.
    pub default_routes: BTreeSet<u32>,
}

impl Kernel {
    /// The interfaces that own `address`, by number. Everything in 127.0.0.0/8 is the loop's.
    #[must_use]
    pub fn owners(&self, address: Ipv4Addr) -> Vec<u32> {
        let owns = |device: &Device| {
            if address.is_loopback() { device.loopback } else { device.addresses.contains(&address) }
        };
        self.devices.iter().filter(|(_, device)| owns(device)).map(|(index, _)| *index).collect()
    }

    /// Names of these interfaces.
    #[must_use]
    pub fn names(&self, indices: &[u32]) -> Vec<&str> {
        indices.iter().filter_map(|index| self.devices.get(index)).map(|d| d.name.as_str()).collect()
    }

    /// The way out through the interface called `name`, with its first address.
    #[must_use]
    pub fn by_name(&self, slot: &str, metered: bool, name: &str) -> Uplink {
        let found = self.devices.iter().find(|(_, device)| device.name == name);
        self.uplink(slot, metered, found, found.and_then(|(_, device)| device.addresses.first().copied()))
    }

    /// The way out from `address`, if exactly one interface owns it.
    #[must_use]
    pub fn by_address(&self, slot: &str, metered: bool, address: Ipv4Addr) -> Uplink {
        match self.owners(address)[..] {
            [index] => self.uplink(slot, metered, self.devices.get_key_value(&index), Some(address)),
            _ => self.uplink(slot, metered, None, None),
        }
    }

    fn uplink(&self, slot: &str, metered: bool, found: Option<(&u32, &Device)>, address: Option<Ipv4Addr>) -> Uplink {
        Uplink {
            slot: slot.to_owned(),
            metered,
            interface: found.map(|(_, device)| device.name.clone()),
            index: found.map(|(index, _)| *index),
            address,
            bind_address: true,
            carrier: found.is_some_and(|(_, device)| device.carrier),
            default_route: found.is_some_and(|(index, d)| d.loopback || self.default_routes.contains(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Ipv4Addr = Ipv4Addr::new(192, 168, 8, 100);

    fn device(name: &str, addresses: &[Ipv4Addr]) -> Device {
        Device { name: name.to_owned(), carrier: true, loopback: name == "lo", addresses: addresses.to_vec() }
    }

    fn kernel() -> Kernel {
        let devices = [
            (1, device("lo", &[Ipv4Addr::LOCALHOST])),
            (2, device("eth0", &[Ipv4Addr::new(10, 0, 0, 2)])),
            (5, device("wwan0", &[HOME])),
            (6, device("wwan1", &[HOME])),
            (7, device("wwan2", &[])),
        ];
        Kernel { devices: devices.into(), default_routes: [2, 5].into() }
    }

    #[test]
    fn an_address_that_two_modems_hold_is_no_way_out_but_their_names_are() {
        let kernel = kernel();

        assert!(!kernel.by_address("lte1", true, HOME).usable());
        assert_eq!(kernel.names(&kernel.owners(HOME)), ["wwan0", "wwan1"]);
        assert!(kernel.by_name("lte1", true, "wwan0").usable());
        assert_eq!(kernel.by_name("lte2", true, "wwan1").index, Some(6));
    }

    #[test]
    fn an_uplink_without_a_default_route_says_so_and_the_loop_needs_none() {
        let kernel = kernel();

        assert!(kernel.by_name("wired", false, "eth0").default_route);
        assert!(!kernel.by_name("lte2", true, "wwan1").default_route);
        assert!(kernel.by_address("demo", false, Ipv4Addr::new(127, 0, 1, 7)).default_route);
        assert!(kernel.by_address("demo", false, Ipv4Addr::new(127, 0, 1, 7)).usable());
    }

    #[test]
    fn an_interface_without_address_is_there_but_not_usable() {
        let uplink = kernel().by_name("lte3", true, "wwan2");

        assert_eq!(uplink.interface.as_deref(), Some("wwan2"));
        assert!(!uplink.usable());
    }
}
