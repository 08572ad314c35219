//! What a face may ask, and why it may be refused.

use serde::{Deserialize, Serialize};

use crate::lang::Text;
use crate::media::{Layout, Line};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The front panel: a finger.
    Panel,
    /// The local socket: `livebox send`.
    Console,
    /// MQTT.
    Remote,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase")]
pub enum Ask {
    /// Go on air.
    Start,
    /// Leave the air.
    Stop,
    /// Share the picture so.
    Layout {
        /// The layout wanted.
        layout: Layout,
    },
    /// Put this mixer line on air.
    Audio {
        /// The line wanted.
        line: Line,
    },
}

/// A face asks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Who asks.
    pub origin: Origin,
    /// What is asked.
    pub ask: Ask,
}

/// Why a command was refused; its sentence is what the operator reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Start, while on air or starting.
    AlreadyLive,
    /// Stop, while not on air.
    NotLive,
    /// A layout or line whose source does not hang on this board.
    NotOnBoard,
    /// Everything is ending.
    ShuttingDown,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AlreadyLive, Self::NotLive, Self::NotOnBoard, Self::ShuttingDown];

    /// The operator's sentence.
    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::AlreadyLive => Text::new("已在直播，无需再次开始", "already on air; nothing to start"),
            Self::NotLive => Text::new("当前未在直播，无法停止", "not on air; nothing to stop"),
            Self::NotOnBoard => Text::new(
                "本机没有接入该画面或音频来源",
                "this box has no such source; its board profile says what hangs on it",
            ),
            Self::ShuttingDown => {
                Text::new("系统正在关闭，请稍后再试", "the box is shutting down; try again when it is back")
            }
        }
    }
}
