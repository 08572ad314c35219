//! Status of the recording and of the agenda: what a face shows of them.

use serde::{Deserialize, Serialize};

use super::status::{Reading, Verdict};
use crate::event::Permissions;
use crate::lang::Text;
use crate::record::Label;
use crate::time::{Instant, Timestamp};

/// The recording on the local disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordingStatus {
    /// It is wanted: automatically, or because somebody asked.
    pub wanted: bool,
    /// A segment is open and bytes reach the disk.
    pub running: bool,
    /// Since when the running segment is open.
    pub since: Option<Instant>,
    /// File name of the running segment, below the folder of the recordings.
    pub file: Option<String>,
    /// What is being recorded, or would be.
    pub label: Label,
    /// Bytes of the running segment.
    pub bytes: u64,
    /// Segments closed since the box started.
    pub segments: u32,
    /// Mbit/s to the disk in the last second.
    pub rate_mbit: Option<f64>,
    /// Minutes until the disk is too full to go on, at the present rate; wanted: what is still to come.
    pub room_min: Reading,
    /// Room on the disk of the recordings, bytes.
    pub free_bytes: u64,
    /// Size of that disk, bytes.
    pub total_bytes: u64,
    /// Why nothing is recorded though it is wanted.
    pub trouble: Option<Text>,
}

impl Default for RecordingStatus {
    fn default() -> Self {
        Self {
            wanted: false,
            running: false,
            since: None,
            file: None,
            label: Label::default(),
            bytes: 0,
            segments: 0,
            rate_mbit: None,
            room_min: Reading { measured: None, wanted: None, verdict: Verdict::Unknown },
            free_bytes: 0,
            total_bytes: 0,
            trouble: None,
        }
    }
}

/// Where the event stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgendaStatus {
    /// The event.
    pub event: String,
    /// The hall.
    pub hall: String,
    /// How many talks the agenda has; 0 without an agenda.
    pub talks: u16,
    /// Number of the present talk, from 1; 0 before the first and after the last.
    pub number: u16,
    /// The present talk.
    pub now: Option<TalkStatus>,
    /// The talk after it.
    pub next: Option<TalkStatus>,
    /// Until then the latest step to another speaker can be taken back.
    pub undo_until: Option<Instant>,
    /// Faults of the agenda file; the first of them stands in an alarm.
    pub faults: u16,
    /// The quality that was ordered; absent if none was.
    #[serde(default)]
    pub tier: Option<TierStatus>,
}

/// A quality with its figures, in kbit/s of the whole transport stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TierStatus {
    /// Its name: `T2-5M`.
    pub name: String,
    /// What is sold under it.
    pub label_kbit: u64,
    /// What the line has to carry for it.
    pub reference_kbit: u64,
    /// What the links carry.
    pub measured_kbit: Option<u64>,
    /// The most that is sent now.
    pub ceiling_kbit: u64,
    /// The best tier that the measured uplink carries.
    pub proposed: Option<String>,
}

/// One talk, ready to show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TalkStatus {
    /// Who speaks.
    pub speaker: String,
    /// About what.
    pub title: String,
    /// When it begins by the agenda.
    pub starts: Option<Timestamp>,
    /// When it ends by the agenda.
    pub ends: Option<Timestamp>,
    /// The same as people there read it: `09:30–10:15`; empty without times.
    pub clock: String,
    /// What the speaker allows.
    pub allowed: Permissions,
}
