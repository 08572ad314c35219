//! Sender: an SRT caller's datagrams in, datagrams on links out, feedback in, what the caller must hear out.

use bytes::Bytes;

use super::config::{Config, LinkConfig};
use super::stats::{GroupStats, LinkId};
use crate::rng::Rng;
use crate::time::Instant;

/// One datagram to be sent now on one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// On which link.
    pub link: LinkId,
    /// The UDP payload.
    pub payload: Bytes,
}

/// The sending engine of one group. After any `handle_*`: poll everything until empty, then sleep
/// until [`Sender::next_timeout`] or the next input.
#[derive(Debug)]
pub struct Sender {}

impl Sender {
    /// A group without links.
    #[must_use]
    pub fn new(_now: Instant, _config: Config, _rng: Rng) -> Self {
        Self {}
    }
    /// New settings; a changed latency counts for packets that come from now on.
    pub fn handle_config(&mut self, _now: Instant, _config: Config) {}
    /// An uplink has a socket: the link registers. A known id starts afresh.
    pub fn add_link(&mut self, _now: Instant, _id: LinkId, _config: LinkConfig) {}
    /// The uplink's socket is gone; what only this link carried goes to the others at once.
    pub fn remove_link(&mut self, _now: Instant, _id: LinkId) {}
    /// The kernel says that the uplink has or has lost its carrier or address.
    pub fn handle_carrier(&mut self, _now: Instant, _id: LinkId, _up: bool) {}
    /// The kernel refused to send on the link (unreachable, no buffer): not proof of death, but no delivery.
    pub fn handle_send_error(&mut self, _now: Instant, _id: LinkId) {}
    /// A datagram from the SRT caller.
    pub fn handle_packet(&mut self, _now: Instant, _packet: Bytes) {}
    /// A datagram from the far end, on the socket of a link.
    pub fn handle_datagram(&mut self, _now: Instant, _id: LinkId, _datagram: &[u8]) {}
    /// The time that `next_timeout` named has come.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// When to call [`Sender::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }
    /// The next datagram to send on a link.
    pub fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        None
    }
    /// The next datagram for the SRT caller.
    pub fn poll_caller(&mut self) -> Option<Bytes> {
        None
    }
    /// Everything measured, as of now.
    #[must_use]
    pub fn stats(&self, _now: Instant) -> GroupStats {
        GroupStats {
            links: Vec::new(),
            connected: false,
            offered: Default::default(),
            delivered: Default::default(),
            target: Default::default(),
            waiting: Default::default(),
            packets: 0,
            dropped_late: 0,
            resent: 0,
            caller_retransmits_dropped: 0,
            naks_swallowed: 0,
            ack_copies_dropped: 0,
            strange_packets: 0,
        }
    }
}
