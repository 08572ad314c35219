//! What a part has found, in the past tense.

use std::sync::Arc;

use serde::Serialize;

use super::output::OutputState;
use crate::bond::GroupStats;
use crate::bond::echo::Echo;
use crate::event::Agenda;
use crate::health::Sample;
use crate::lang::Text;
use crate::media::line::{Finding, SoundStats};
use crate::media::picture::{PictureFinding, PictureOf};
use crate::media::{EncoderKind, Line, OutputId, SourceId};
use crate::record::{Segment, StopCause};
use crate::time::Instant;
use crate::units::{Bitrate, Bytes, Dbfs};
use crate::uplink::Uplink;

/// A task that obeys Orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Pictures and sound.
    Media,
    /// The bonding engine's driver.
    Bond,
    /// What the kernel says of the ways out.
    Uplink,
    /// Sensors and loads.
    Health,
    /// The broker.
    Mqtt,
    /// Display, keys, lamps.
    Panel,
    /// The local socket.
    Console,
    /// Reads the settings again.
    Config,
    /// Writes the recording.
    Record,
    /// Reads the agenda.
    Event,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Media,
        Self::Bond,
        Self::Uplink,
        Self::Health,
        Self::Mqtt,
        Self::Panel,
        Self::Console,
        Self::Config,
        Self::Record,
        Self::Event,
    ];

    /// The name in alarms and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Bond => "bond",
            Self::Uplink => "uplink",
            Self::Health => "health",
            Self::Mqtt => "mqtt",
            Self::Panel => "panel",
            Self::Console => "console",
            Self::Config => "config",
            Self::Record => "record",
            Self::Event => "event",
        }
    }
}

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// When the part knew.
    pub at: Instant,
    /// Who states it.
    pub part: Part,
    /// What happened.
    pub what: What,
}

/// Why a source is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// The device is not there.
    Absent,
    /// The device is there and has no signal.
    NoSignal,
    /// It was open and gave nothing for too long.
    Stalled,
    /// It ended or failed.
    Failed,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A source gives pictures or sound, and they may go on air.
    SourceArrived {
        /// Which source.
        source: SourceId,
        /// What it gives, for people: `1920x1080@30 YUYV, uvc usb-0000:00:14.0-1`.
        detail: Text,
    },
    /// A source gives nothing; the slate or silence stands in.
    SourceLost {
        /// Which source.
        source: SourceId,
        /// Why.
        cause: LossCause,
        /// What it says of itself.
        detail: Text,
    },
    /// The encoder that the board's order and this machine led to.
    EncoderChosen {
        /// Which one.
        kind: EncoderKind,
    },
    /// Once a second while the programme runs.
    ProgrammeMeasured {
        /// Pictures encoded in the last second.
        fps: f64,
        /// Transport stream bits of the last second.
        bitrate: Bitrate,
        /// The slate is in the picture in place of a source that the layout wants.
        slate: bool,
        /// Pictures encoded since the start.
        frames: u64,
    },
    /// Levels of both lines, a few times a second. `None`: the line gives nothing.
    AudioMeasured {
        /// Peak of line A in the last interval.
        a: Option<Dbfs>,
        /// Peak of line B in the last interval.
        b: Option<Dbfs>,
    },
    /// Everything that is measured of the sound, ten times a second.
    SoundMeasured(SoundStats),
    /// What is wrong with a mixer line, each time that this changes.
    LineJudged {
        /// Which line.
        line: Line,
        /// What is wrong with it now; nothing if it is good.
        findings: Vec<Finding>,
    },
    /// A slate's file was read, or the logo's.
    SlateJudged {
        /// The slate's name, or `logo`.
        name: &'static str,
        /// Why a built-in one stands in for it; nothing if it is good.
        wrong: Option<Text>,
    },
    /// What is wrong with pictures, each time that this changes.
    PictureJudged {
        /// Whose pictures.
        of: PictureOf,
        /// What is wrong with them now, each since its onset; nothing if they are good.
        findings: Vec<PictureFinding>,
    },
    /// The SRT session through the bond is open.
    OutputOpened,
    /// The SRT session is not open; it is tried again by itself.
    OutputClosed {
        /// Why not.
        why: Text,
    },
    /// A destination of an output of its own came or went; the bond's are [`What::OutputOpened`]'s and [`What::OutputClosed`]'s.
    DestinationChanged {
        /// Which output.
        output: OutputId,
        /// Its place among the output's destinations, the preferred one 0.
        place: usize,
        /// Where it stands.
        state: OutputState,
        /// Why, if it failed.
        why: Text,
    },
    /// Once a second of each output that is set up.
    OutputMeasured {
        /// Which output.
        output: OutputId,
        /// What left in the last second.
        sent: Bitrate,
        /// How long it is held back.
        held: crate::time::Duration,
    },
    /// An output could not be held back and goes out live.
    HoldFailed {
        /// Which output.
        output: OutputId,
        /// The system's words.
        why: Text,
    },
    /// An encoder that the board lists refused to work, or stood still and was made afresh.
    EncoderFailed {
        /// Which encode: an output's name.
        output: OutputId,
        /// It will not be tried again: another one took over.
        for_good: bool,
        /// The driver's words.
        why: Text,
    },
    /// Another slide is shown.
    SlideChanged {
        /// Time stamp in the programme, ticks of 90 kHz.
        pts: u64,
        /// A small picture of it, JPEG; empty if none could be made.
        thumbnail: bytes::Bytes,
    },
    /// The engine's figures: ten times a second, and at once on a collapse.
    GroupMeasured(GroupStats),
    /// The gateway told what it hears of one stream; once a second of each.
    EchoHeard(Echo),
    /// An uplink as the kernel shows it now.
    UplinkChanged(Uplink),
    /// A reading of the machine's health.
    Sampled(Sample),
    /// The broker accepted us.
    BrokerConnected,
    /// The broker is away.
    BrokerLost {
        /// Why, without secrets.
        why: Text,
    },
    /// A device of the panel is gone or back.
    PanelChanged {
        /// It works.
        present: bool,
        /// What it says of itself.
        detail: Text,
    },
    /// The settings file was read again and refused; the old settings stand.
    ConfigRejected {
        /// Every fault, ready to read.
        faults: Vec<String>,
    },
    /// The recorder began a file.
    SegmentOpened {
        /// The stream it is of.
        stream: String,
        /// Its name, below the folder of the recordings.
        file: String,
    },
    /// The running file got another name.
    SegmentRenamed {
        /// The stream it is of.
        stream: String,
        /// Its name from now on.
        file: String,
    },
    /// A file is whole, on the disk and in the index.
    SegmentClosed(Segment),
    /// A file was deleted to make room.
    SegmentRemoved {
        /// Its name.
        file: String,
    },
    /// Once a second while something is recorded, and now and then otherwise.
    RecordingMeasured {
        /// Size of the running file of the programme.
        bytes: Bytes,
        /// To the disk in the last second, all streams together.
        rate: Bitrate,
        /// Room left on the disk of the recordings.
        free: Bytes,
        /// Size of that disk.
        total: Bytes,
    },
    /// The disk was too slow: bytes of the programme are in no file.
    RecordingGap {
        /// How many, since the last such fact.
        lost: Bytes,
    },
    /// Nothing of a stream is recorded any more; it is tried again by itself.
    RecordingStopped {
        /// Which stream.
        stream: String,
        /// Which way out there is.
        cause: StopCause,
        /// The system's words.
        why: Text,
    },
    /// The agenda was read, or was taken away.
    AgendaRead {
        /// The talks that make sense.
        agenda: Arc<Agenda>,
        /// What does not, each with its mend.
        faults: Vec<Text>,
    },
    /// A part's task runs.
    PartStarted,
    /// A part's task ended or panicked.
    PartEnded {
        /// Why.
        why: Text,
    },
}
