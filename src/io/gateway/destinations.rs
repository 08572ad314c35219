//! The sessions of every stream on air, opened when its box comes and closed when it is gone.

use std::collections::BTreeMap;

#[cfg(not(feature = "gstreamer"))]
use super::absent::Outlet;
#[cfg(feature = "gstreamer")]
use super::session::Outlet;
use crate::gateway::{Destination, DestinationEcho, GroupKey, Laid, Opened, Release};
use crate::time::Instant;

/// A stream of a group.
type Stream = (GroupKey, u8);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    settings: Vec<Destination>,
    open: BTreeMap<Stream, Vec<Outlet>>,
    /// What came since the last delivery, so that each session is woken once.
    fresh: BTreeMap<Stream, Vec<Laid>>,
}

impl Destinations {
    pub(super) fn new(settings: Vec<Destination>) -> Self {
        Self { settings, ..Self::default() }
    }

    /// New settings count for boxes that come from now on; sessions that are open are not touched.
    pub(super) fn renew(&mut self, settings: Vec<Destination>) {
        self.settings = settings;
    }

    pub(super) fn open(&mut self, opened: &Opened) {
        for (number, stream) in &opened.streams {
            let takers = self.settings.iter().filter(|d| d.takes(&opened.name, stream));
            let outlets: Vec<_> = takers
                .filter_map(|destination| match Outlet::open(destination, &opened.name, stream) {
                    Ok(outlet) => Some(outlet),
                    Err(error) => {
                        tracing::warn!(destination = destination.name, "not opened: {error:#}");
                        None
                    }
                })
                .collect();
            if outlets.is_empty() {
                tracing::warn!(from = opened.name, stream, "no destination takes this stream; add a [[destination]]");
            }
            self.open.insert((opened.group, *number), outlets);
        }
    }

    pub(super) fn close(&mut self, group: GroupKey) {
        self.open.retain(|(of, _), _| *of != group);
    }

    pub(super) fn lay(&mut self, release: Release) {
        self.fresh.entry((release.group, release.stream)).or_default().push(release.laid);
    }

    pub(super) fn deliver(&mut self, now: Instant) {
        for (stream, payloads) in &mut self.fresh {
            for outlet in self.open.get(stream).into_iter().flatten() {
                outlet.push(now, payloads.iter().cloned());
            }
            payloads.clear();
        }
        self.fresh.retain(|stream, _| self.open.contains_key(stream));
    }

    pub(super) fn echoes(&self, group: GroupKey, stream: u8) -> Vec<DestinationEcho> {
        self.open.get(&(group, stream)).into_iter().flatten().map(Outlet::echo).collect()
    }
}
