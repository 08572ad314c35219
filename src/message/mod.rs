//! The four sentences of the house: a face says a [`Command`], a part states a [`Fact`];
//! control answers parts with [`Orders`] and faces with [`Status`].

mod command;
mod fact;
mod orders;
mod recording;
mod sound;
mod status;

pub use command::{Ask, Command, Origin, Refusal, Tally};
pub use fact::{Fact, LossCause, Part, What};
pub use orders::{Intent, MediaOrders, Orders, RecordOrders, SoundIntent};
pub use recording::{AgendaStatus, RecordingStatus, TalkStatus};
pub use sound::{LineFault, LineStatus, SoundStatus};
pub use status::{AlarmLine, Event, FarEnd, InputStatus, LinkStatus, Phase, Programme, Reading, Status, Verdict};
