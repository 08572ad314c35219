//! Segment: one file of a recording, as the index keeps it.

use serde::{Deserialize, Serialize};

use super::label::Label;
use crate::time::Timestamp;

/// One file of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Segment {
    /// Counts up without holes over the life of the folder.
    pub number: u64,
    /// The stream it is of.
    pub stream: String,
    /// File name, below the folder.
    pub file: String,
    /// What it is of.
    pub label: Label,
    /// When it was opened, if the clock was right.
    pub opened: Option<Timestamp>,
    /// When it was closed, if the clock was right.
    pub closed: Option<Timestamp>,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file in hexadecimal digits; empty while it is open.
    pub sha256: String,
    /// First and last time stamp of its pictures, in ticks of 90 kHz; absent if it holds none.
    pub pts: Option<(u64, u64)>,
    /// Pictures in it.
    pub pictures: u64,
    /// Transport packets missing in it or before it, by their counters.
    pub missing: u64,
    /// It follows the segment before it without a byte between them.
    pub joined: bool,
    /// The box was cut off while it was open; it was closed at the next start.
    pub recovered: bool,
}

/// Why nothing is recorded though it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// The disk has less room than the settings leave to it, and nothing may be deleted.
    DiskFull,
    /// The folder or the file cannot be written.
    Unwritable,
}
