//! Recordings on the local disk: how the sent bytes become segments, how these are named and indexed,
//! and which of them stay.

mod config;
mod cutter;
mod index;
mod label;
mod name;
mod room;
pub mod sample;
mod segment;

pub use config::{Config, RECORDINGS, When};
pub use cutter::{Cutter, Out, Tally};
pub use index::{Entry, Index, Kept};
pub use label::Label;
pub use name::{PROGRAMME, file_name};
pub use room::{Room, Verdict};
pub use segment::{Segment, StopCause};
