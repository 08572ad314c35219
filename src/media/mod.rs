//! Pictures and sound, as plain data: sources, layouts, the encoder, the plan of what to build.

mod config;
pub mod counter;
pub mod edid;
pub mod encoder;
pub mod judge;
mod layout;
pub mod line;
pub mod lipsync;
pub mod meter;
pub mod picture;
pub mod plan;
pub mod raster;
pub mod slates;
pub mod slot;
pub mod sound;
mod stream;
pub mod timings;
pub mod ts;
pub mod uevent;

pub use crate::board::EncoderKind;
pub use config::{Config, Destination, Secret};
pub use layout::{Layout, Place, Rect};
pub use slates::{Slate, Slates};
pub use stream::{FrameRate, Line, PictureSize, SourceId};
