//! Tells how every uplink stands in the kernel, at the start and at every change.

mod netlink;

use tokio::sync::watch;

use crate::board::{UplinkMatch, UplinkSlot};
use crate::io::clock;
use crate::io::task::Ends;
use crate::message::What;
use crate::time::Instant;
use crate::uplink::{Kernel, Uplink};
use netlink::Netlink;

/// The part: publishes every slot's state and states each change, and each slot once at the start.
///
/// # Errors
/// If the kernel's tables cannot be read.
pub async fn run(slots: Vec<UplinkSlot>, uplinks: watch::Sender<Vec<Uplink>>, mut ends: Ends) -> anyhow::Result<()> {
    let mut netlink = Netlink::open()?;
    let mut known: Vec<Uplink> = Vec::new();
    let mut noticed = None;
    loop {
        let seen = resolve(&netlink.look().await?, &slots);
        uplinks.send_if_modified(|told| {
            let changed = *told != seen;
            told.clone_from(&seen);
            changed
        });
        for (place, uplink) in seen.iter().enumerate() {
            if known.get(place) != Some(uplink) {
                tell(uplink, noticed);
                ends.state(What::UplinkChanged(uplink.clone())).await;
            }
        }
        known = seen;
        noticed = loop {
            tokio::select! {
                changed = netlink.changed() => break changed?,
                order = ends.orders.changed() => if order.is_err() || ends.orders.borrow().shutdown {
                    return Ok(());
                },
            }
        };
    }
}

/// The same without a box around it: follows the slots that `slots` names now, until it is dropped.
///
/// # Errors
/// If the kernel's tables cannot be read.
pub async fn follow(
    mut slots: watch::Receiver<Vec<UplinkSlot>>,
    uplinks: watch::Sender<Vec<Uplink>>,
) -> anyhow::Result<()> {
    let mut netlink = Netlink::open()?;
    let mut noticed = None;
    loop {
        let seen = resolve(&netlink.look().await?, &slots.borrow_and_update());
        uplinks.send_if_modified(|told| {
            for uplink in &seen {
                if !told.contains(uplink) {
                    tell(uplink, noticed);
                }
            }
            let changed = *told != seen;
            told.clone_from(&seen);
            changed
        });
        tokio::select! {
            changed = netlink.changed() => noticed = changed?,
            renewed = slots.changed() => match renewed {
                Ok(()) => noticed = None,
                Err(_) => return Ok(()),
            },
        }
    }
}

/// The kernel's tables as they are now.
///
/// # Errors
/// If they cannot be read.
pub async fn look() -> anyhow::Result<Kernel> {
    Netlink::open()?.look().await
}

fn resolve(kernel: &Kernel, slots: &[UplinkSlot]) -> Vec<Uplink> {
    let one = |slot: &UplinkSlot| match &slot.by {
        UplinkMatch::Interface(name) => kernel.by_name(&slot.slot, slot.metered, name),
        UplinkMatch::Address(address) => {
            let owners = kernel.owners(*address);
            if owners.len() > 1 {
                let names = kernel.names(&owners).join(", ");
                tracing::warn!(
                    slot = slot.slot,
                    %address,
                    "several interfaces own this address ({names}); name the interface instead"
                );
            }
            kernel.by_address(&slot.slot, slot.metered, *address)
        }
    };
    slots.iter().map(|slot| Uplink { bind_address: slot.bind_address, ..one(slot) }).collect()
}

/// `noticed`: when the kernel's notice was read that led here.
fn tell(uplink: &Uplink, noticed: Option<Instant>) {
    let Uplink { slot, interface, address, carrier, default_route, .. } = uplink;
    let address = address.map(|a| a.to_string());
    let noticed_ms = noticed.map(|read| clock::now().since(read).as_millis());
    tracing::info!(slot, interface, address, carrier, default_route, noticed_ms, "uplink");
    if uplink.usable() && !default_route {
        let mend =
            format!("ip route add default via GATEWAY dev {} metric NUMBER", interface.as_deref().unwrap_or(slot));
        tracing::warn!(slot, mend, "no default route leaves through this uplink");
    }
}
