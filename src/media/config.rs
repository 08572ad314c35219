//! Settings of the programme: picture, sound, encoder, and where the stream goes.

use std::net::SocketAddr;
use std::time::Duration;

use super::stream::{FrameRate, PictureSize};
use crate::units::Bitrate;

/// How the programme is made and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Size of the encoded picture.
    pub size: PictureSize,
    /// Pictures per second.
    pub rate: FrameRate,
    /// Key picture at least so often.
    pub gop: Duration,
    /// Least and most video bitrate; control moves between them.
    pub bitrate: (Bitrate, Bitrate),
    /// Bitrate of the sound.
    pub audio_bitrate: Bitrate,
    /// Latency of the SRT session.
    pub srt_latency: Duration,
    /// SRT stream id; empty for none.
    pub stream_id: String,
    /// SRT passphrase; empty for none. Never shown.
    pub passphrase: Secret,
    /// The far end: an SRTLA receiver or `livebox gateway`.
    pub destination: SocketAddr,
}

/// A text that no log, Status or message shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}
