//! In place of `session.rs` in a build without GStreamer: there are no destinations.

use bytes::Bytes;

use crate::gateway::{Destination, DestinationEcho};

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

    pub(super) fn push(&self, _: impl Iterator<Item = Bytes>) {
        match *self {}
    }

    pub(super) fn echo(&self) -> DestinationEcho {
        match *self {}
    }
}
