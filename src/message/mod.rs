//! The four sentences of the house: a face says a [`Command`], a part states a [`Fact`];
//! control answers parts with [`Orders`] and faces with [`Status`].

mod command;
mod fact;
mod orders;
mod status;

pub use command::{Ask, Command, Origin, Refusal, Tally};
pub use fact::{Fact, LossCause, Part, What};
pub use orders::{Intent, MediaOrders, Orders};
pub use status::{AlarmLine, Event, InputStatus, LinkStatus, Phase, Programme, Reading, Status, Verdict};
