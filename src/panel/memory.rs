//! Memory: what the panel must not forget when the power goes.

use serde::{Deserialize, Serialize};

use crate::lang::Lang;

/// What the operator set at the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Only the keys that a live needs work.
    pub locked: bool,
    /// The language, if it was switched here; else the settings say.
    pub lang: Option<Lang>,
    /// The buzzer may sound.
    pub buzzer: bool,
    /// Brightness of the display, 1 to 3.
    pub brightness: u8,
}

impl Default for Memory {
    fn default() -> Self {
        Self { locked: false, lang: None, buzzer: true, brightness: Self::BRIGHTEST }
    }
}

impl Memory {
    /// The brightest step.
    pub const BRIGHTEST: u8 = 3;
}
