//! The one snapshot that every face reads.

use serde::{Deserialize, Serialize};

use super::command::Tally;
use super::output::{OutputStatus, ReductionStatus};
use super::recording::{AgendaStatus, RecordingStatus};
use super::sound::SoundStatus;
use crate::alarm::{AlarmKind, Severity};
use crate::bond::LinkPhase;
use crate::bond::echo::Echo;
use crate::health::Sample;
use crate::lang::Text;
use crate::media::{EncoderKind, Layout, Line, Slate, SourceId};
use crate::time::{Instant, Timestamp};

/// Of the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not on air.
    #[default]
    Standby,
    /// Asked to go on air; the far end has not answered yet.
    Starting,
    /// On air.
    Live,
    /// Leaving the air.
    Stopping,
}

/// How a figure is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As wanted.
    Good,
    /// Off, not yet harmful.
    Warn,
    /// Harmful.
    Bad,
    /// Not measured.
    Unknown,
}

/// What is, what should be, and the judgement: always together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What is; absent if not measured.
    pub measured: Option<f64>,
    /// What should be; absent if nothing in particular is wanted.
    pub wanted: Option<f64>,
    /// The judgement.
    pub verdict: Verdict,
}

/// The programme.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Programme {
    /// How the picture is shared.
    pub layout: Layout,
    /// The mixer line on air.
    pub line: Line,
    /// The slate stands in for a source.
    pub slate: bool,
    /// The slate is wanted: a finger or a console asked for it.
    pub slate_wanted: bool,
    /// Which slate, if one is wanted.
    #[serde(default)]
    pub which: Slate,
    /// The encoder in use.
    pub encoder: Option<EncoderKind>,
    /// Transport stream rate, Mbit/s: measured, and what the encoder was told (with sound and mux).
    pub bitrate: Reading,
    /// Pictures per second.
    pub fps: Reading,
    /// The engine's safe rate for everything, Mbit/s.
    pub safe_rate: Reading,
    /// The SRT session is open.
    pub output_open: bool,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputStatus {
    /// Which.
    pub source: SourceId,
    /// It gives pictures or sound.
    pub present: bool,
    /// What it gives, or why not.
    pub detail: Text,
    /// Peak level in dBFS, of a mixer line that gives sound.
    pub level: Option<f64>,
}

/// One uplink with its link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Slot name.
    pub slot: String,
    /// Bytes cost money.
    pub metered: bool,
    /// The kernel's name of the day.
    pub interface: Option<String>,
    /// The address it sends from.
    pub address: Option<String>,
    /// It has carrier and address.
    pub carrier: bool,
    /// Where the link stands.
    pub phase: LinkPhase,
    /// Milliseconds.
    pub rtt_ms: Option<f64>,
    /// 0–1.
    pub loss: f64,
    /// Mbit/s it carried in the last second.
    pub rate_mbit: f64,
    /// Mbit/s it is believed to carry.
    pub capacity_mbit: f64,
    /// Bytes sent since start.
    pub sent_bytes: u64,
}

/// What the gateway hears of the programme.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FarEnd {
    /// When it last told.
    pub heard: Instant,
    /// What it told of each stream, by the stream's number.
    pub streams: Vec<Echo>,
}

/// A raised alarm, ready to show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmLine {
    /// Which alarm.
    pub kind: AlarmKind,
    /// What it is about: a slot, a source, a part; may be empty.
    pub subject: String,
    /// How grave.
    pub severity: Severity,
    /// Since when.
    pub since: Instant,
    /// What is wrong.
    pub text: Text,
    /// What to do.
    pub advice: Text,
    /// Somebody has said that it was seen.
    pub acknowledged: bool,
}

/// Something worth telling, numbered so that a slow face misses none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up without holes.
    pub seq: u64,
    /// When.
    pub at: Instant,
    /// What.
    pub text: Text,
}

/// Everything that everyone may know now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// When this snapshot was made.
    pub at: Instant,
    /// The same in wall time, if the clock is right.
    pub wall: Option<Timestamp>,
    /// Name of the box.
    pub device: String,
    /// Of the box.
    pub phase: Phase,
    /// Since when in this phase.
    pub since: Instant,
    /// The programme.
    pub programme: Programme,
    /// What the studio's switcher makes of it.
    pub tally: Tally,
    /// The recording on the local disk.
    #[serde(default)]
    pub recording: RecordingStatus,
    /// Where the event stands.
    #[serde(default)]
    pub agenda: AgendaStatus,
    /// Every source of the board.
    pub inputs: Vec<InputStatus>,
    /// The sound: both lines and the programme.
    #[serde(default)]
    pub sound: SoundStatus,
    /// Every output that is set up.
    #[serde(default)]
    pub outputs: Vec<OutputStatus>,
    /// What was taken back so that what matters more goes on, in the order it was taken.
    #[serde(default)]
    pub reductions: Vec<ReductionStatus>,
    /// Every uplink of the board.
    pub links: Vec<LinkStatus>,
    /// What the gateway hears; absent if it never told, or not lately.
    pub far_end: Option<FarEnd>,
    /// The machine.
    pub health: Option<Sample>,
    /// Raised alarms, worst first.
    pub alarms: Vec<AlarmLine>,
    /// The latest events, oldest first.
    pub events: Vec<Event>,
}
