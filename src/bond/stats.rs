//! What the engine measured: of each link, and of the group.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::time::Instant;
use crate::units::Bitrate;

/// Which link of the group; the driver gives the number and keeps it for the link's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LinkId(pub u8);

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
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
    #[serde(rename = "rtt_ms", serialize_with = "optional_millis")]
    pub rtt: Option<Duration>,
    /// Least round trip of the last seconds.
    #[serde(rename = "min_rtt_ms", serialize_with = "optional_millis")]
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
    /// The longest datagram that it is known to carry, bytes of UDP payload; asked in the native dialect alone.
    pub datagram: Option<usize>,
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
    /// More was offered than the links carried, not long ago: the target is what they carry. Else nobody has tried
    /// more, and it is a guess that grows with what is sent.
    pub limited: bool,
    /// L: so long after it came a packet is worth sending.
    #[serde(rename = "latency_ms", serialize_with = "millis")]
    pub latency: Duration,
    /// How long the oldest unsent packet has waited.
    #[serde(rename = "waiting_ms", serialize_with = "millis")]
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
    /// Datagrams on the caller's port that are no SRT, or from somebody who is not the caller.
    pub strange_packets: u64,
    /// Datagrams of the far side that were dropped unread, by reason, those that have happened; none in the field's
    /// dialect, which cannot tell.
    pub dropped_datagrams: BTreeMap<&'static str, u64>,
}

fn millis<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(span.as_secs_f64() * 1e3)
}

fn optional_millis<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => millis(span, to),
        None => to.serialize_none(),
    }
}

/// What passed in the last second, in ten parts.
#[derive(Debug, Clone)]
pub(super) struct RateMeter {
    parts: [u64; 10],
    /// Tenth of a second that the newest part counts.
    tenth: u64,
}

impl RateMeter {
    pub(super) fn new() -> Self {
        Self { parts: [0; 10], tenth: 0 }
    }

    fn sum(&self, tenth: u64) -> u64 {
        let first = tenth.saturating_sub(9);
        (0..10)
            .map(|age| self.tenth.saturating_sub(age))
            .filter(|t| *t >= first)
            .fold((0, u64::MAX), |(sum, last), t| {
                // near the beginning of time the same tenth would be met twice
                if t == last { (sum, last) } else { (sum + self.parts[(t % 10) as usize], t) }
            })
            .0
    }

    /// So many bytes passed now.
    pub(super) fn take(&mut self, now: Instant, bytes: u64) {
        let tenth = now.as_millis() / 100;
        if tenth > self.tenth {
            for skipped in (self.tenth + 1..=tenth).take(10) {
                self.parts[(skipped % 10) as usize] = 0;
            }
            if tenth - self.tenth >= 10 {
                self.parts = [0; 10];
            }
            self.tenth = tenth;
        }
        self.parts[(self.tenth % 10) as usize] += bytes;
    }

    /// Bits per second over the last second.
    pub(super) fn rate(&self, now: Instant) -> Bitrate {
        Bitrate::bps(self.sum(now.as_millis() / 100) * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_keep_their_names_and_units() {
        let link = LinkStats {
            id: LinkId(3),
            name: "lte1".to_owned(),
            metered: true,
            phase: LinkPhase::Up,
            rtt: Some(Duration::from_micros(40_500)),
            min_rtt: None,
            loss: 0.25,
            capacity: Bitrate::mbps(4),
            rate: Bitrate::mbps(3),
            in_flight: 1344,
            sent_bytes: 5,
            sent_packets: 6,
            lost_packets: 7,
            strange_datagrams: 8,
            datagram: Some(1472),
        };
        let group = GroupStats {
            links: vec![link],
            connected: true,
            offered: Bitrate::mbps(2),
            delivered: Bitrate::mbps(2),
            target: Bitrate::mbps(5),
            limited: false,
            latency: Duration::from_secs(1),
            waiting: Duration::from_millis(12),
            packets: 1,
            dropped_late: 2,
            resent: 3,
            caller_retransmits_dropped: 4,
            naks_swallowed: 5,
            ack_copies_dropped: 6,
            strange_packets: 7,
            dropped_datagrams: [("bad_tag", 9)].into(),
        };

        let wanted = serde_json::json!({
            "links": [{
                "id": 3, "name": "lte1", "metered": true, "phase": "up",
                "rtt_ms": 40.5, "min_rtt_ms": null, "loss": 0.25,
                "capacity": 4_000_000, "rate": 3_000_000, "in_flight": 1344,
                "sent_bytes": 5, "sent_packets": 6, "lost_packets": 7, "strange_datagrams": 8, "datagram": 1472,
            }],
            "connected": true,
            "offered": 2_000_000, "delivered": 2_000_000, "target": 5_000_000, "limited": false, "latency_ms": 1000.0, "waiting_ms": 12.0,
            "packets": 1, "dropped_late": 2, "resent": 3, "caller_retransmits_dropped": 4,
            "naks_swallowed": 5, "ack_copies_dropped": 6, "strange_packets": 7,
            "dropped_datagrams": { "bad_tag": 9 },
        });
        assert_eq!(serde_json::to_value(group).expect("plain numbers"), wanted);
    }

    #[test]
    fn a_rate_is_what_passed_in_the_last_second() {
        let mut meter = RateMeter::new();

        for ms in 0..5_000 {
            meter.take(Instant::from_millis(ms), 125);
        }

        assert_eq!(meter.rate(Instant::from_millis(4_999)), Bitrate::mbps(1));
        assert_eq!(meter.rate(Instant::from_millis(5_499)), Bitrate::kbps(500));
        assert_eq!(meter.rate(Instant::from_millis(9_000)), Bitrate::bps(0));
    }
}
