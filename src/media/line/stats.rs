//! Stats: everything that is measured of the sound, in one value ten times a second.

use serde::{Deserialize, Serialize};

use super::leads::Leads;
use crate::media::lipsync::LipSync;
use crate::media::meter::Levels;

/// What is measured of one line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LineStats {
    /// Its levels.
    pub levels: Levels,
    /// What its channels carry.
    pub leads: Leads,
    /// Parts per million by which its card runs faster than the programme, once that is known.
    pub ppm: Option<f64>,
}

/// What is measured of the sound.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SoundStats {
    /// Line A, line B and the embedded sound; none of one that gives nothing.
    pub lines: [Option<LineStats>; 3],
    /// The programme; none before the first.
    pub programme: Option<Levels>,
    /// By how much the limiter holds it down, dB, 0 or less.
    pub reduction: f64,
    /// Milliseconds by which line B came later than line A before both were aligned; none if that is not known.
    pub lag_ms: Option<f64>,
    /// Milliseconds by which the whole programme waits so that the later line is there in time.
    pub wait_ms: f64,
    /// Line B is line A upside down; it is turned.
    pub inverted: bool,
    /// Flashes that the lip-sync test has met with their beeps.
    pub flashes: usize,
    /// What the lip-sync test says of the programme.
    pub lip_sync: Option<LipSync>,
}
