//! Group: the links of one box that speaks SRTLA, and what came in on each that is not acknowledged yet.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::echo::Opaque;
use super::seen::Seen;
use crate::time::Instant;
use crate::wire::srtla::{ACK_COUNT, GroupId, PADDED_LEN, emit_ack};
use crate::wire::{Echo, Seq};

#[derive(Debug)]
pub(super) struct Link {
    pub(super) heard: Instant,
    /// SRT bytes and packets that came on it.
    pub(super) bytes: u64,
    pub(super) packets: u64,
    /// Arrived and not acknowledged, fewer than [`ACK_COUNT`].
    arrived: Vec<Seq>,
}

impl Link {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, bytes: 0, packets: 0, arrived: Vec::with_capacity(ACK_COUNT) }
    }

    /// Notes a data packet. `first`: it waits alone, a flush must be planned.
    pub(super) fn note(&mut self, seq: Seq) -> Noted {
        self.arrived.push(seq);
        match self.arrived.len() {
            1 => Noted::First,
            ACK_COUNT => Noted::Full,
            _ => Noted::Waits,
        }
    }

    /// The acknowledgement of everything noted, if there is anything.
    ///
    /// A short one repeats its last number until it is as long as the padding of other answers:
    /// some mobile networks drop tiny datagrams, and an acknowledged number may be said again.
    pub(super) fn acknowledge(&mut self) -> Option<Vec<u8>> {
        const LEAST: usize = (PADDED_LEN - 4) / 4;
        let last = *self.arrived.last()?;
        if self.arrived.len() < LEAST {
            self.arrived.resize(LEAST, last);
        }
        let frame = emit_ack(&self.arrived);
        self.arrived.clear();
        Some(frame)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    First,
    Waits,
    Full,
}

/// A handshake that took longer than another of the same caller did by this would shift the listener's clock.
const HANDSHAKE_KEEPS: u32 = 250_000;

impl Group {
    /// False for a handshake that was too long under way; one without a stamp may have come at once.
    pub(super) fn shakes(&mut self, now: Instant, socket: u32, stamp: u32) -> bool {
        let way = (now.as_micros() as u32).wrapping_sub(stamp);
        match &mut self.shakes {
            Some((known, least)) if *known == socket && stamp != 0 => {
                let more = way.wrapping_sub(*least) as i32;
                if more < 0 {
                    *least = way;
                }
                more <= HANDSHAKE_KEEPS as i32
            }
            shakes => {
                *shakes = Some((socket, way));
                true
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    /// Who registered it; may ask again while the answer is lost.
    pub(super) founder: SocketAddr,
    pub(super) links: BTreeMap<SocketAddr, Link>,
    /// The link that delivered the latest SRT packet.
    pub(super) last: SocketAddr,
    /// When a link of it was last there.
    pub(super) linked: Instant,
    /// It has carried the programme.
    pub(super) carried: bool,
    /// The caller that shakes hands, and the least way of its handshakes: arrival less stamp, µs, wrapping.
    pub(super) shakes: Option<(u32, u32)>,
    /// What went on to the listener.
    pub(super) seen: Seen,
    pub(super) watch: Opaque,
    /// The last whole second of the watch.
    pub(super) echo: Option<Echo>,
    /// Copies that went no further.
    pub(super) copies: u64,
}
