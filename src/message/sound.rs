//! The sound as every face may know it.

use serde::{Deserialize, Serialize};

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
    /// Line B is line A upside down; it is turned.
    pub inverted: bool,
    /// The lip-sync test runs.
    pub lip_sync_running: bool,
    /// Flashes that it has met with their beeps.
    pub flashes: usize,
    /// What it says.
    pub lip_sync: Option<LipSync>,
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
