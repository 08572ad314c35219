//! What a speaker allows to be done with picture and sound.

use serde::{Deserialize, Serialize};

/// What a speaker allows. Whoever says nothing allows everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Permissions {
    /// The talk may be recorded on the box.
    pub record: bool,
    /// The talk may be seen live.
    pub stream: bool,
    /// The recording may be shown to others later.
    pub publish: bool,
}

impl Default for Permissions {
    fn default() -> Self {
        Self { record: true, stream: true, publish: true }
    }
}
