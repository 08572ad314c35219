//! What the engine measured: of each link, and of the group.

use std::time::Duration;

use serde::Serialize;

use crate::units::Bitrate;

/// Which link of the group; the driver gives the number and keeps it for the link's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LinkId(pub u8);

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPhase {
    /// No carrier, or no socket.
    Down,
    /// The far end has not accepted it yet.
    Registering,
    /// Accepted, too little is known: carries probes and a trickle.
    Probing,
    /// Carries the programme.
    Up,
    /// Silent for too long: carries nothing new until it shows life.
    Suspect,
}

/// One link, measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkStats {
    /// Which link.
    pub id: LinkId,
    /// The uplink's slot name.
    pub name: String,
    /// Bytes cost money.
    pub metered: bool,
    /// Where it stands.
    pub phase: LinkPhase,
    /// Smoothed round trip.
    pub rtt: Option<Duration>,
    /// Least round trip of the last seconds.
    pub min_rtt: Option<Duration>,
    /// Share of packets lost lately, 0–1.
    pub loss: f64,
    /// What the link is believed to carry.
    pub capacity: Bitrate,
    /// What it carried in the last second.
    pub rate: Bitrate,
    /// Bytes sent and not yet acknowledged.
    pub in_flight: u64,
    /// IP payload bytes sent since it joined.
    pub sent_bytes: u64,
    /// Datagrams sent since it joined.
    pub sent_packets: u64,
    /// Datagrams found lost since it joined.
    pub lost_packets: u64,
    /// Datagrams from here that nobody could read.
    pub strange_datagrams: u64,
}

/// The group, measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupStats {
    /// Every link of the group.
    pub links: Vec<LinkStats>,
    /// The far end has accepted the group and at least one link.
    pub connected: bool,
    /// What the caller offered in the last second.
    pub offered: Bitrate,
    /// What the far end acknowledged in the last second.
    pub delivered: Bitrate,
    /// What an encoder may send now, all of it: the engine's measured safe rate.
    pub target: Bitrate,
    /// How long the oldest unsent packet has waited.
    pub waiting: Duration,
    /// Packets taken from the caller.
    pub packets: u64,
    /// Packets given up because no link could bring them in time.
    pub dropped_late: u64,
    /// Packets sent once more, by loss or rescue.
    pub resent: u64,
    /// The caller's own retransmissions that the engine did not need.
    pub caller_retransmits_dropped: u64,
    /// NAKs that never reached the caller.
    pub naks_swallowed: u64,
    /// ACK copies that never reached the caller.
    pub ack_copies_dropped: u64,
    /// Datagrams from the caller that are no SRT.
    pub strange_packets: u64,
}
