//! What control wants of each part: a desired state, whole; the latest wins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fact::Part;
use crate::media::line::{Delay, Gain, SoundOrders};
use crate::media::{Hold, Layout, Line, OutputId, Slate};
use crate::record::Label;
use crate::units::Bitrate;

/// What every part should be doing now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Orders {
    /// For pictures and sound.
    pub media: MediaOrders,
    /// For the recording.
    pub record: RecordOrders,
    /// The bonding engine runs (also in standby, so that links are proven before the live, and while
    /// everything ends, so that the programme's last packets leave).
    pub bond: bool,
    /// Which of the far ends the bonding engine speaks with: counts on, round the list.
    pub far_end: usize,
    /// What outputs of their own send on an uplink, by its slot: the bonding engine leaves it free there.
    pub reserved: BTreeMap<String, Bitrate>,
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
    /// Which slate, if one is wanted.
    pub which: Slate,
    /// Video bitrate wanted of the encoder.
    pub bitrate: Bitrate,
    /// A higher number than before means: a key picture at once, whatever the GOP.
    pub key: u32,
    /// How the sound is made.
    pub sound: SoundOrders,
    /// What hands have turned on the outputs.
    pub outputs: OutputIntent,
    /// Bitrate wanted of each further encode; one that is not here is not made.
    pub others: BTreeMap<OutputId, Bitrate>,
    /// The slides leave only every so many pictures of their own.
    pub slides_every: u8,
}

impl Default for MediaOrders {
    fn default() -> Self {
        Self {
            on_air: false,
            layout: Layout::default(),
            line: Line::default(),
            slate: false,
            which: Slate::Hold,
            bitrate: Bitrate::mbps(2),
            key: 0,
            sound: SoundOrders::default(),
            outputs: OutputIntent::default(),
            others: BTreeMap::new(),
            slides_every: 1,
        }
    }
}

/// What the recorder should be doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordOrders {
    /// Bytes go to the disk.
    pub on: bool,
    /// A higher number than before means: a new segment at the next key picture.
    pub cut: u32,
    /// What is being recorded. Another label with the same `cut` renames the running segment.
    pub label: Label,
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
    /// Which slate, if one is wanted.
    #[serde(default)]
    pub which: Slate,
    /// Somebody asked for a recording, or for none; absent: automatic.
    #[serde(default)]
    pub record: Option<bool>,
    /// Steps through the agenda so far: 0 is before the first talk.
    #[serde(default)]
    pub talk: u16,
    /// What hands have turned on the sound.
    #[serde(default)]
    pub sound: SoundIntent,
    /// What hands have turned on the outputs.
    #[serde(default)]
    pub outputs: OutputIntent,
}

/// What hands have turned on the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputIntent {
    /// Which output feeds the `programme` destination.
    pub active: OutputId,
    /// What is held back of main, backup and programme.
    pub held: [Held; 3],
}

/// What is done with an output's bytes before they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Held {
    /// For how long.
    pub delay: Hold,
    /// The slate stands in for whatever is held.
    pub dumped: bool,
}

impl Default for OutputIntent {
    fn default() -> Self {
        Self { active: OutputId::Main, held: [Held::default(); 3] }
    }
}

impl OutputIntent {
    /// What is held back of an output; nothing of one that cannot wait.
    #[must_use]
    pub fn held(&self, output: OutputId) -> Held {
        Self::place(output).map(|at| self.held[at]).unwrap_or_default()
    }

    /// The same, to change it.
    pub fn held_mut(&mut self, output: OutputId) -> Option<&mut Held> {
        Self::place(output).map(|at| &mut self.held[at])
    }

    const fn place(output: OutputId) -> Option<usize> {
        match output {
            OutputId::Main => Some(0),
            OutputId::Backup => Some(1),
            OutputId::Programme => Some(2),
            OutputId::Camera | OutputId::Slides => None,
        }
    }
}

/// What hands have turned on the sound; what they have not is as the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SoundIntent {
    /// Gain of line A, line B and the embedded sound.
    #[serde(deserialize_with = "padded")]
    pub gain: [Option<Gain>; 3],
    /// Delay of camera, slides, mixer A, mixer B, embedded sound.
    #[serde(deserialize_with = "padded")]
    pub delay: [Option<Delay>; 5],
    /// Nothing is heard.
    pub mute: bool,
    /// The programme leaves a line at fault by itself.
    pub auto: Option<bool>,
    /// It did so, and nobody has gone back yet.
    pub switched: bool,
}

/// A list that an earlier box wrote shorter, or a later one longer.
fn padded<'de, D, T, const N: usize>(deserializer: D) -> Result<[Option<T>; N], D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Copy,
{
    let list = Vec::<Option<T>>::deserialize(deserializer)?;
    Ok(std::array::from_fn(|i| list.get(i).copied().flatten()))
}
