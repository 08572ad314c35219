//! In place of `session.rs` in a build without GStreamer: there are no destinations.

use crate::gateway::{Destination, DestinationEcho, Laid};
use crate::time::Instant;

/// Nobody can make one.
#[derive(Debug)]
pub(super) enum Outlet {}

/// Refuses, so that nobody waits for a programme that cannot come.
///
/// # Errors
/// Always; the sentence says what to install.
pub(super) fn init() -> anyhow::Result<()> {
    Err(absent())
}

fn absent() -> anyhow::Error {
    anyhow::anyhow!(
        "destinations of ts streams need GStreamer, and this livebox was built without it; install a build with the \
         gstreamer feature, or take every [[destination]] out"
    )
}

impl Outlet {
    pub(super) fn open(_: &Destination, _: &str, _: &str) -> anyhow::Result<Self> {
        Err(absent())
    }

    pub(super) fn push(&self, _: Instant, _: impl Iterator<Item = Laid>) {
        match *self {}
    }

    pub(super) fn echo(&self) -> DestinationEcho {
        match *self {}
    }
}
