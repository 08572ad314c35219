//! Pictures and sound, as plain data: sources, layouts, the encoder, the plan of what to build.

mod config;
mod layout;
mod stream;

pub use crate::board::EncoderKind;
pub use config::{Config, Secret};
pub use layout::Layout;
pub use stream::{FrameRate, Line, PictureSize, SourceId};
