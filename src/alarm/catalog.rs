//! Every alarm: severity, words, and what to do.

use serde::Serialize;

/// How grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The programme is harmed.
    Critical,
    /// The next fault harms it.
    Major,
    /// Something is missing that the event may need.
    Minor,
    /// Worth knowing.
    Warning,
}

/// Which alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// A source of the board gives nothing.
    SourceLost,
    /// An uplink of the board is not there, or has no carrier or address.
    UplinkDown,
    /// An uplink has no default route.
    NoDefaultRoute,
    /// The far end does not answer on this link, though the kernel says it is up.
    LinkSilent,
    /// No link reaches the far end.
    NoLinks,
    /// The SRT session is not open while on air.
    OutputClosed,
    /// The links carry less than the programme needs at its least.
    RateShort,
    /// The broker is away.
    BrokerLost,
    /// The panel is gone.
    PanelLost,
    /// New settings were refused.
    ConfigRejected,
    /// A part failed and is started again.
    PartFailed,
    /// Disk nearly full.
    DiskLow,
    /// Too hot.
    TooHot,
}
