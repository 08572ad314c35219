//! The sound as every face may know it.

use serde::{Deserialize, Serialize};

use crate::alarm::AlarmKind;
use crate::media::Line;
use crate::media::line::{Fault, Leads};
use crate::media::lipsync::LipSync;
use crate::media::meter::Levels;

/// The sound.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SoundStatus {
    /// The mixer lines of the board.
    pub lines: Vec<LineStatus>,
    /// The programme's levels; absent if nothing was measured lately.
    pub programme: Option<Levels>,
    /// By how much the limiter holds the programme down, dB, 0 or less.
    pub reduction_db: f64,
    /// Silence is wanted.
    pub mute: bool,
    /// The programme leaves a line at fault by itself.
    pub auto_switch: bool,
    /// It did so, and stays until a person goes back.
    pub switched: bool,
    /// Milliseconds by which line B came later than line A before both were aligned.
    pub lag_ms: Option<f64>,
    /// Milliseconds by which the whole programme waits so that the later line is there in time.
    pub wait_ms: f64,
    /// Line B is line A upside down; it is turned.
    pub inverted: bool,
    /// The lip-sync test runs.
    pub lip_sync_running: bool,
    /// Flashes that it has met with their beeps.
    pub flashes: usize,
    /// What it says.
    pub lip_sync: Option<LipSync>,
    /// What a report of the present live, or the last, has to know; absent before the first.
    pub show: Option<ShowReport>,
}

/// What a report of one live has to know of its sound.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ShowReport {
    /// When it went on air, seconds since the box's start.
    pub since_s: f64,
    /// When it left the air; absent while it is on.
    pub until_s: Option<f64>,
    /// How loud the programme was.
    pub programme: LoudnessReport,
    /// Line A, line B and the embedded sound.
    pub lines: [LineReport; 3],
}

/// How loud it was, over one live.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LoudnessReport {
    /// Integrated loudness, LUFS (EBU R 128).
    pub integrated: Option<f64>,
    /// The highest true peak, dBTP.
    pub true_peak: Option<f64>,
}

/// One line over one live.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LineReport {
    /// How loud it was.
    #[serde(flatten)]
    pub loudness: LoudnessReport,
    /// What was wrong with it, and when.
    pub faults: Vec<Occurrence>,
    /// Faults beyond those that are kept.
    pub more: usize,
}

/// One fault, from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Occurrence {
    /// What was wrong.
    pub fault: Fault,
    /// Since when, seconds since the box's start, as far as the samples show.
    pub since_s: f64,
    /// Until when; absent while it stands.
    pub until_s: Option<f64>,
    /// How sure it was when it was stated, 0.8 to 1.
    pub confidence: f64,
}

/// One mixer line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineStatus {
    /// Which.
    pub line: Line,
    /// Its levels; absent if it gives nothing.
    pub levels: Option<Levels>,
    /// What its channels carry.
    pub leads: Leads,
    /// Parts per million by which its card runs faster than the programme.
    pub ppm: Option<f64>,
    /// The gain that is set, dB.
    pub gain_db: f64,
    /// The delay that is set, ms.
    pub delay_ms: i64,
    /// What is wrong with it.
    pub faults: Vec<LineFault>,
}

/// One fault of a line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LineFault {
    /// What is wrong.
    pub fault: Fault,
    /// Since when, in seconds since the box's start, as far as the samples show.
    pub since_s: f64,
    /// How sure, 0.8 to 1.
    pub confidence: f64,
}

/// The alarm that tells of a fault of a line, and what to do about it.
#[must_use]
pub const fn alarm_of(fault: Fault) -> AlarmKind {
    match fault {
        Fault::Unplugged => AlarmKind::LineUnplugged,
        Fault::Silent => AlarmKind::LineSilent,
        Fault::DeadChannel => AlarmKind::LineDeadChannel,
        Fault::Clipping => AlarmKind::LineClipping,
        Fault::DcOffset => AlarmKind::LineOffset,
        Fault::Hum => AlarmKind::LineHum,
        Fault::MicLevel => AlarmKind::LineMicLevel,
        Fault::Polarity => AlarmKind::LinePolarity,
        Fault::Howl => AlarmKind::LineHowl,
        Fault::Glitches => AlarmKind::LineGlitches,
    }
}
