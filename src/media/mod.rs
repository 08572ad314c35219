//! Pictures and sound, as plain data: sources, layouts, the encoder, the plan of what to build.

pub mod backdate;
mod config;
pub mod counter;
pub mod delay;
pub mod edid;
pub mod encoder;
pub mod judge;
mod layout;
pub mod line;
pub mod lipsync;
pub mod meter;
mod output;
pub mod picture;
pub mod plan;
pub mod raster;
mod reserve;
pub mod restamp;
mod road;
#[cfg(test)]
pub(crate) mod sample;
pub mod sei;
pub mod slates;
pub mod slides;
pub mod slot;
pub mod sound;
pub mod splice;
mod stream;
pub mod timings;
pub mod ts;
pub mod uevent;

pub use crate::board::EncoderKind;
pub use config::{Config, Destination, Secret};
pub use layout::{Layout, Place, Rect};
pub use output::{Hold, OutputId, Scheme};
pub use reserve::Reserve;
pub use road::{Backup, Codec, Dual, Road, Roads, Rtmp};
pub use slates::{Slate, Slates};
pub use stream::{FrameRate, Line, PictureSize, SourceId};
