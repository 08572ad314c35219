//! The far end as the field has it: a receiver that knows links, and the SRT listener behind it.
//!
//! The receiver acknowledges by tens on the link that the packets came by, has no timer, echoes
//! keepalives and copies ACKs and NAKs to all links; everything else goes to the link heard last.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::listener::Listener;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::Seq;
use crate::wire::srt::{self, Packet};
use crate::wire::srtla::{self, GroupId, Repr};

#[derive(Debug, Default)]
struct Member {
    unacked: Vec<Seq>,
}

/// Both halves.
#[derive(Debug)]
pub(super) struct FarEnd {
    rng: Rng,
    group: Option<GroupId>,
    members: BTreeMap<usize, Member>,
    listener: Listener,
    /// Datagrams to send back, with their links.
    pub(super) out: Vec<(usize, Bytes)>,
    /// Numbers of the payloads that came for the first time, and when.
    pub(super) arrivals: Vec<(u64, Instant)>,
}

impl FarEnd {
    pub(super) fn new(latency: Duration, rng: Rng) -> Self {
        Self {
            rng,
            group: None,
            members: BTreeMap::new(),
            listener: Listener::new(latency),
            out: Vec::new(),
            arrivals: Vec::new(),
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.listener.next_timeout()
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, link: usize, datagram: &[u8]) {
        if srtla::is_srtla(datagram) {
            if let Ok(frame) = srtla::parse(datagram) {
                self.take_frame(link, &frame, datagram);
            }
            return;
        }
        // an address that is no member is nobody: silence
        let Some(member) = self.members.get_mut(&link) else { return };
        let Ok(packet) = srt::peek(datagram) else { return };
        match packet {
            Packet::Data(data) => {
                member.unacked.push(data.seq);
                if member.unacked.len() == srtla::ACK_COUNT {
                    self.out.push((link, srtla::emit_ack(&member.unacked).into()));
                    member.unacked.clear();
                }
                if self.listener.take_data(now, &data) {
                    self.arrivals.push((u64_at(data.payload), now));
                }
            }
            Packet::Handshake(handshake) => self.listener.shake(now, &handshake),
            _ => {}
        }
        for answer in self.listener.answers.drain(..) {
            self.out.push((link, answer.into()));
        }
        self.report();
    }

    fn take_frame(&mut self, link: usize, frame: &Repr<'_>, datagram: &[u8]) {
        match frame {
            Repr::Keepalive(_) if self.members.contains_key(&link) => {
                self.out.push((link, Bytes::copy_from_slice(datagram)))
            }
            Repr::Reg1(id) => {
                let mut full = *id;
                self.rng.fill(&mut full.0[GroupId::HALF..]);
                self.group = Some(full);
                self.members.clear();
                self.out.push((link, Repr::Reg2(full).to_vec().into()));
            }
            Repr::Reg2(id) if self.group.is_some_and(|group| group.matches(id)) => {
                self.members.entry(link).or_default();
                self.out.push((link, Repr::Reg3.to_padded().into()));
            }
            Repr::Reg2(_) => self.out.push((link, Repr::RegNgp.to_padded().into())),
            _ => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.listener.handle_timeout(now);
        self.report();
    }

    fn report(&mut self) {
        for report in self.listener.reports.drain(..) {
            let report = Bytes::from(report);
            self.out.extend(self.members.keys().map(|link| (*link, report.clone())));
        }
    }
}

/// The number that the source wrote at the head of its payload.
pub(super) fn u64_at(payload: &[u8]) -> u64 {
    payload.get(..8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
}
