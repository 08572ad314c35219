//! Settings of a group: latency, dialect, and what each link may cost.

use std::time::Duration;

use crate::table::Section;
use crate::units::Bitrate;

/// Which frames are spoken on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// The field's wire: unmodified third-party receivers understand it.
    Srtla,
    /// Ours, towards our own gateway: sealed, every datagram acknowledged with its time.
    Native,
}

/// What one group of links needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The frames spoken on the links.
    pub dialect: Dialect,
    /// L: a packet is worth sending until so long after it came from the caller.
    pub latency: Duration,
    /// The most that the encoder target may rise to.
    pub ceiling: Bitrate,
}

impl Default for Config {
    fn default() -> Self {
        Self { dialect: Dialect::Srtla, latency: Duration::from_secs(1), ceiling: Bitrate::mbps(20) }
    }
}

impl Config {
    /// Reads the section `[bond]`.
    pub fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let ms = Duration::from_millis;
        Self {
            dialect: section.choice(
                "dialect",
                &[("srtla", Dialect::Srtla), ("native", Dialect::Native)],
                default.dialect,
            ),
            latency: section.duration("latency", default.latency, ms(100)..=ms(10_000)),
            ceiling: section.bitrate("ceiling", default.ceiling, Bitrate::mbps(1)..=Bitrate::mbps(100)),
        }
    }
}

/// One link as it joins the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// The uplink's slot name, such as `wired` or `lte3`.
    pub name: String,
    /// Bytes cost money: used only when the unmetered links do not suffice.
    pub metered: bool,
}
