//! Outlet: what leaves the gateway, on whichever side and whichever dialect it came in.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use super::backlog::Laid;

/// This gateway's own number of a group; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey(pub u64);

/// Bytes taken from the allocator at once; forty full datagrams.
const ROOM: usize = 64 << 10;

/// A datagram for a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// The UDP payload.
    pub payload: Bytes,
}

/// A group with transport streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Which group.
    pub group: GroupKey,
    /// The box's name in the registry.
    pub name: String,
    /// Its `ts` streams: number and name.
    pub streams: Vec<(u8, String)>,
}

/// A payload of a `ts` stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Of which group.
    pub group: GroupKey,
    /// Of which of its streams.
    pub stream: u8,
    /// What is passed on.
    pub laid: Laid,
}

/// What the machines have made and nobody has fetched yet.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    pub(super) transmits: VecDeque<Transmit>,
    /// For a group's SRT listener.
    pub(super) local: VecDeque<(GroupKey, Bytes)>,
    pub(super) closed: VecDeque<GroupKey>,
    pub(super) opened: VecDeque<Opened>,
    pub(super) released: VecDeque<Release>,
    last_key: u64,
    room: BytesMut,
}

impl Outlet {
    pub(super) fn send(&mut self, to: SocketAddr, payload: impl Into<Bytes>) {
        self.transmits.push_back(Transmit { to, payload: payload.into() });
    }

    /// A number for a new group.
    pub(super) fn key(&mut self) -> GroupKey {
        self.last_key += 1;
        GroupKey(self.last_key)
    }

    /// A datagram of its own; the allocator is asked once for many.
    pub(super) fn copy(&mut self, datagram: &[u8]) -> Bytes {
        if self.room.capacity() < datagram.len() {
            self.room.reserve(ROOM);
        }
        self.room.extend_from_slice(datagram);
        self.room.split().freeze()
    }
}
