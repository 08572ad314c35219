//! Settings of a group: latency, dialect, and what each link may cost.

use std::time::Duration;

use super::without::Without;
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

impl Dialect {
    /// The far end tells what it hears.
    #[must_use]
    pub const fn echoes(self) -> bool {
        match self {
            Self::Srtla => false,
            Self::Native => true,
        }
    }
}

/// So much longer than L an SRT session must wait at its listener: the way there takes time, and what
/// came at the last moment must still be sorted in.
pub const BEYOND: Duration = Duration::from_millis(250);

/// The least L that a session's latency leads to; a session that waits for less than this and [`BEYOND`]
/// has no time for a repair anyway.
pub(super) const LEAST: Duration = Duration::from_millis(50);

/// What one group of links needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The frames spoken on the links.
    pub dialect: Dialect,
    /// L: a packet is worth sending until so long after it came from the caller.
    pub latency: Duration,
    /// L becomes what each SRT session has negotiated less [`BEYOND`]; `latency` counts until then. Without
    /// this a session whose latency is shorter than L and [`BEYOND`] is refused.
    pub follows_session: bool,
    /// The most that the encoder target may rise to.
    pub ceiling: Bitrate,
    /// Nothing, except in a simulation.
    pub without: Without,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dialect: Dialect::Srtla,
            latency: Duration::from_secs(1),
            follows_session: false,
            ceiling: Bitrate::mbps(20),
            without: Without::default(),
        }
    }
}

impl Config {
    /// Reads the section `[bond]`.
    pub fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let ms = Duration::from_millis;
        // whoever names a gateway of ours by its key means to speak with it
        let named = section.text("peer").is_some_and(|peer| !peer.is_empty());
        let auto = if named { Dialect::Native } else { default.dialect };
        Self {
            dialect: section.choice(
                "dialect",
                &[("auto", auto), ("srtla", Dialect::Srtla), ("native", Dialect::Native)],
                auto,
            ),
            latency: section.duration("latency", default.latency, ms(100)..=ms(10_000)),
            follows_session: false,
            ceiling: section.bitrate("ceiling", default.ceiling, Bitrate::mbps(1)..=Bitrate::mbps(100)),
            without: default.without,
        }
    }

    /// L for a session whose listener waits for `negotiated`.
    ///
    /// # Errors
    /// If L is set and leaves the listener too little time; the sentence says so, with the mend.
    pub(super) fn latency_within(&self, negotiated: Duration) -> Result<Duration, String> {
        let most = negotiated.saturating_sub(BEYOND);
        if self.follows_session {
            return Ok(most.max(LEAST));
        }
        if self.latency <= most { Ok(self.latency) } else { Err(too_long(self.latency, negotiated)) }
    }
}

/// Says that L is too long for a session, and what would be right.
fn too_long(latency: Duration, negotiated: Duration) -> String {
    let (least, most) = (latency + BEYOND, negotiated.saturating_sub(BEYOND));
    let lower = if most >= LEAST { format!(", or latency {}ms or less", most.as_millis()) } else { String::new() };
    format!(
        "latency {}ms is more than the SRT session's negotiated latency of {}ms less {}ms; give the session {}ms or \
         more{lower}",
        latency.as_millis(),
        negotiated.as_millis(),
        BEYOND.as_millis(),
        least.as_millis()
    )
}

/// One link as it joins the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// The uplink's slot name, such as `wired` or `lte3`.
    pub name: String,
    /// Bytes cost money: used only when the unmetered links do not suffice.
    pub metered: bool,
}
