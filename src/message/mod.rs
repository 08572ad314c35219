//! The four sentences of the house: a face says a [`Command`], a part states a [`Fact`];
//! control answers parts with [`Orders`] and faces with [`Status`].

mod command;
mod fact;
mod orders;
mod output;
mod recording;
mod sound;
mod status;

pub use command::{Ask, Command, Origin, Refusal, Tally};
pub use fact::{Fact, LossCause, Part, What};
pub use orders::{Held, Intent, MediaOrders, Orders, OutputIntent, RecordOrders, SoundIntent};
pub use output::{DestinationStatus, OutputState, OutputStatus, ReductionStatus};
pub use recording::{AgendaStatus, RecordingStatus, TalkStatus, TierStatus};
pub use sound::{LineFault, LineReport, LineStatus, LoudnessReport, Occurrence, ShowReport, SoundStatus, alarm_of};
pub use status::{AlarmLine, Event, FarEnd, InputStatus, LinkStatus, Phase, Programme, Reading, Status, Verdict};
