//! Settings of the programme: picture, sound, encoder, and where the stream goes.

use std::time::Duration;

use super::line::Settings as Sound;
use super::road::Roads;
use super::slates::Slates;
use super::sound::held_back;
use super::stream::{FrameRate, PictureSize};
use crate::table::{SecretRef, Section};
use crate::units::Bitrate;

/// The longest stream id that SRT carries.
const MAX_STREAM_ID: usize = 512;

/// How the programme is made and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Size of the encoded picture.
    pub size: PictureSize,
    /// Pictures per second.
    pub rate: FrameRate,
    /// Pictures and sound may come so late and still be shown in their turn.
    pub reserve: Duration,
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
    pub destination: Destination,
    /// A key picture of the encoder's is decoded and compared so often; zero for never.
    pub prove: Duration,
    /// Slates and logo, from their own section `[slates]`.
    pub slates: Slates,
    /// The sound, from its own section `[sound]`.
    pub sound: Sound,
    /// The folder for what is held back of an output; not a key of its own: it lies in the state folder.
    pub store: std::path::PathBuf,
    /// Further far ends, tried in turn when no link reaches the one before.
    pub fallback: Vec<Destination>,
    /// What leaves beside the bond, from `[backup]`, `[programme]` and `[dual]`.
    pub roads: Roads,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            size: PictureSize { width: 1280, height: 720 },
            rate: FrameRate { num: 25, den: 1 },
            reserve: Duration::from_millis(60),
            gop: Duration::from_secs(2),
            bitrate: (Bitrate::kbps(500), Bitrate::mbps(6)),
            audio_bitrate: Bitrate::kbps(128),
            srt_latency: Duration::from_secs(2),
            stream_id: String::new(),
            passphrase: Secret::default(),
            destination: Destination { host: "127.0.0.1".to_owned(), port: 5000 },
            prove: Duration::from_secs(10),
            slates: Slates::default(),
            sound: Sound::default(),
            store: std::path::PathBuf::from("held"),
            fallback: Vec::new(),
            roads: Roads::default(),
        }
    }
}

impl Config {
    /// Reads the section `[media]`, and where the passphrase is kept; the passphrase itself is left empty.
    pub fn read(section: &mut Section<'_>) -> (Self, Option<SecretRef>) {
        let default = Self::default();
        let ms = Duration::from_millis;
        let line = section.line_of("bitrate_max");
        let least = section.bitrate("bitrate_min", default.bitrate.0, Bitrate::kbps(100)..=Bitrate::mbps(20));
        let most = section.bitrate("bitrate_max", default.bitrate.1, Bitrate::kbps(100)..=Bitrate::mbps(50));
        if most < least {
            section.fault(line, "bitrate_max", format!("{most} is less than bitrate_min; write {least} or more"));
        }
        let line = section.line_of("stream_id");
        let stream_id = section.text("stream_id").unwrap_or_default();
        if stream_id.len() > MAX_STREAM_ID || stream_id.chars().any(char::is_control) {
            let why = format!("is not a stream id; at most {MAX_STREAM_ID} bytes without control characters");
            section.fault(line, "stream_id", why);
        }
        let wanted = "HOST:PORT with a name or an IPv4 address, such as \"gateway.example:5000\"";
        let destination = section.parsed("destination", wanted).unwrap_or(default.destination);
        let line = section.line_of("fallback");
        let mut fallback = Vec::new();
        for place in section.texts("fallback") {
            match place.parse() {
                Ok(place) => fallback.push(place),
                Err(()) => section.fault(line, "fallback", format!("\"{place}\" is not {wanted}")),
            }
        }
        let config = Self {
            size: section.parsed("size", "a size such as \"1280x720\" (even, 64 to 3840)").unwrap_or(default.size),
            rate: section
                .parsed("rate", "a frame rate such as \"25\" or \"30000/1001\" (5 to 60)")
                .unwrap_or(default.rate),
            reserve: section.duration("reserve", default.reserve, ms(20)..=ms(500)),
            gop: section.duration("gop", default.gop, ms(200)..=ms(10_000)),
            bitrate: (least, most),
            audio_bitrate: section.bitrate(
                "audio_bitrate",
                default.audio_bitrate,
                Bitrate::kbps(32)..=Bitrate::kbps(320),
            ),
            srt_latency: section.duration("srt_latency", default.srt_latency, ms(120)..=ms(30_000)),
            stream_id,
            passphrase: Secret::default(),
            destination,
            prove: section.duration("prove", default.prove, Duration::ZERO..=Duration::from_mins(10)),
            slates: Slates::default(),
            sound: Sound::default(),
            store: std::path::PathBuf::from("held"),
            fallback,
            roads: Roads::default(),
        };
        (config, section.secret("passphrase_file"))
    }
}

impl Config {
    /// From one picture to the next.
    #[must_use]
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.rate.nanos_of(1))
    }

    /// By so much the time stamps of coded sound are put back, to be heard with its picture.
    #[must_use]
    pub fn held_back(&self) -> Duration {
        held_back(self.period())
    }

    /// Every far end of the bond, the preferred one first.
    pub fn far_ends(&self) -> impl Iterator<Item = &Destination> {
        std::iter::once(&self.destination).chain(&self.fallback)
    }
}

/// A far end by name or IPv4 address; the name is looked up when the links need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Name or IPv4 address.
    pub host: String,
    /// UDP port, never 0.
    pub port: u16,
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl std::str::FromStr for Destination {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (host, port) = text.rsplit_once(':').ok_or(())?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
        let address = host.parse::<std::net::Ipv4Addr>();
        let wrong = host.is_empty() || host.len() > 253 || !host.chars().all(plain);
        if wrong || (numeric && !address.is_ok_and(|address| !address.is_unspecified())) {
            return Err(());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

/// A text that no log, Status or message shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}
