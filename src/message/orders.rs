//! What control wants of each part: a desired state, whole; the latest wins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fact::Part;
use crate::media::{Layout, Line};
use crate::units::Bitrate;

/// What every part should be doing now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Orders {
    /// For pictures and sound.
    pub media: MediaOrders,
    /// The bonding engine runs (also in standby, so that links are proven before the live, and while
    /// everything ends, so that the programme's last packets leave).
    pub bond: bool,
    /// A higher number than before means: start afresh.
    pub parts: BTreeMap<Part, u32>,
    /// Everybody ends.
    pub shutdown: bool,
}

/// What media should be doing.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaOrders {
    /// Send the programme (it runs in standby too, unsent).
    pub on_air: bool,
    /// How the picture is shared.
    pub layout: Layout,
    /// The mixer line on air.
    pub line: Line,
    /// The slate stands in for the picture, whatever the sources give.
    pub slate: bool,
    /// Video bitrate wanted of the encoder.
    pub bitrate: Bitrate,
}

impl Default for MediaOrders {
    fn default() -> Self {
        Self {
            on_air: false,
            layout: Layout::default(),
            line: Line::default(),
            slate: false,
            bitrate: Bitrate::mbps(2),
        }
    }
}

/// What a power cut must not forget: after any restart control starts from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Intent {
    /// The programme is wanted on the air.
    pub on_air: bool,
    /// How the picture is shared.
    pub layout: Layout,
    /// The mixer line on air.
    pub line: Line,
    /// The slate is wanted.
    #[serde(default)]
    pub slate: bool,
}
