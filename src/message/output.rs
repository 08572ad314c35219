//! Status of the outputs: what a face shows of the ways out, and what was taken back to keep the programme.

use serde::{Deserialize, Serialize};

use super::status::{Reading, Verdict};
use crate::lang::Text;
use crate::media::{OutputId, Scheme};
use crate::time::Instant;

/// Where an output or a destination stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputState {
    /// Nothing is sent: the box is off air, or another destination is in use.
    #[default]
    Idle,
    /// It is being tried.
    Opening,
    /// It takes the programme.
    Open,
    /// It could not be reached; it is tried again by itself.
    Failed,
    /// Taken back for the sake of what matters more.
    Reduced,
}

/// One destination of an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationStatus {
    /// Where it is, without secrets.
    pub name: String,
    /// Where it stands.
    pub state: OutputState,
    /// Why it failed last; empty if it did not.
    pub why: Text,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputStatus {
    /// Which.
    pub name: OutputId,
    /// How it leaves.
    pub scheme: Scheme,
    /// The uplink it is bound to; absent if it takes them all, or whichever the kernel finds.
    pub uplink: Option<String>,
    /// Where it stands.
    pub state: OutputState,
    /// Why, if it is not open though it should be.
    pub why: Text,
    /// It feeds the `programme` destination.
    pub active: bool,
    /// Mbit/s: sent in the last second, and what its encoder was told.
    pub bitrate: Reading,
    /// Programme delay in seconds: in force, and wanted.
    pub delay: Reading,
    /// The slate stands in: `dump` was pressed.
    pub dumped: bool,
    /// Its destinations, the preferred one first.
    pub destinations: Vec<DestinationStatus>,
}

/// Something that was taken back so that what matters more goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReductionStatus {
    /// What: `preview`, `upload`, `slides`, `backup`, `main`.
    pub what: String,
    /// Since when.
    pub since: Instant,
    /// Why, with the figures.
    pub why: Text,
}

impl OutputStatus {
    /// An output of which nothing is known yet.
    #[must_use]
    pub fn idle(name: OutputId, scheme: Scheme) -> Self {
        let unknown = Reading { measured: None, wanted: None, verdict: Verdict::Unknown };
        Self {
            name,
            scheme,
            uplink: None,
            state: OutputState::Idle,
            why: Text::default(),
            active: name == OutputId::Main,
            bitrate: unknown,
            delay: unknown,
            dumped: false,
            destinations: Vec::new(),
        }
    }
}
