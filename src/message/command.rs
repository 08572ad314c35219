//! What a face may ask, and why it may be refused.

use serde::{Deserialize, Serialize};

use crate::lang::Text;
use crate::media::line::{Delay, Gain};
use crate::media::{Hold, Layout, Line, OutputId, Slate, SourceId};

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
    /// Cut the picture to the slate, or back; the sound goes on.
    Slate {
        /// The slate is wanted.
        on: bool,
    },
    /// Cut the picture to this slate.
    Show {
        /// Which.
        slate: Slate,
    },
    /// Every alarm that stands has been seen; it goes on standing.
    Acknowledge,
    /// What the studio's switcher makes of our programme.
    Tally {
        /// How it stands there.
        tally: Tally,
    },
    /// The next speaker begins: a new segment at the next key picture.
    #[serde(rename = "next_speaker")]
    NextSpeaker,
    /// The latest step to another speaker was a mistake; within ten seconds of it.
    #[serde(rename = "undo_speaker")]
    UndoSpeaker,
    /// Record, or do not, until the next start or stop.
    Record {
        /// A recording is wanted.
        on: bool,
    },
    /// Another gain for a mixer line; the mixer itself is never touched.
    Gain {
        /// Which line.
        line: Line,
        /// The gain, in tenths of a decibel where it is written down.
        gain: Gain,
    },
    /// The programme's sound is cut off, or comes back.
    Mute {
        /// Silence is wanted.
        on: bool,
    },
    /// The programme leaves a mixer line at fault by itself, or does not.
    Auto {
        /// It does.
        on: bool,
    },
    /// An input comes later, or earlier.
    Delay {
        /// Which input.
        source: SourceId,
        /// By how much, in milliseconds where it is written down.
        delay: Delay,
    },
    /// The lip-sync test listens and looks, or ends.
    Lipsync {
        /// It runs.
        on: bool,
    },
    /// This output feeds the `programme` destination from now on.
    Activate {
        /// `main` or `backup`.
        output: OutputId,
    },
    /// An output is held back for so long: the slate fills what is added, a key picture ends what is dropped.
    Hold {
        /// Which output.
        output: OutputId,
        /// For how long, in seconds where it is written down.
        seconds: Hold,
    },
    /// What is held back is thrown away and the slate stands in at once, or the programme comes back.
    Dump {
        /// Which output.
        output: OutputId,
        /// The slate is wanted.
        on: bool,
    },
}

/// What the studio's switcher makes of our programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tally {
    /// Nothing, or nobody says so.
    #[default]
    Off,
    /// It is the next one: green.
    Preview,
    /// It is what viewers see: red.
    Program,
}

impl Tally {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Preview, Self::Program];

    /// The name in commands and topics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Preview => "preview",
            Self::Program => "program",
        }
    }
}

impl std::str::FromStr for Tally {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|tally| tally.name() == text)
            .ok_or_else(|| format!("\"{text}\" is no tally; there is off, preview and program"))
    }
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
    /// Acknowledge, while no alarm waits for it.
    NothingToAcknowledge,
    /// Undo, while no step to another speaker is fresh enough.
    NothingToUndo,
    /// An output that the settings do not name, or that cannot do what is asked.
    NoSuchOutput,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AlreadyLive,
        Self::NotLive,
        Self::NotOnBoard,
        Self::ShuttingDown,
        Self::NothingToAcknowledge,
        Self::NothingToUndo,
        Self::NoSuchOutput,
    ];

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
            Self::NothingToAcknowledge => Text::new("没有待确认的告警", "no alarm waits to be acknowledged"),
            Self::NothingToUndo => Text::new(
                "没有可撤销的切换（仅限切换后10秒内）",
                "no step to another speaker can be taken back; only within 10 s of it",
            ),
            Self::NoSuchOutput => Text::new(
                "没有设置该输出，或该输出不支持此操作",
                "no such output is set up, or it cannot do that; see [backup] and [programme] in the settings",
            ),
        }
    }
}
