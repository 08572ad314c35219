//! Payloads of transport stream in the length that paths carry: as they came, or in pieces of whole packets.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

/// Cuts the payloads of each stream.
#[derive(Debug, Default)]
pub struct Cutter {
    /// What is left of each stream's payloads where paths are too narrow for them.
    left: BTreeMap<u8, BytesMut>,
}

impl Cutter {
    /// Takes a payload of whole packets; `give` is called with what can travel, `limit` bytes at most
    /// ([`super::payload_limit`]). What does not fill a piece waits for the next payload, as long as paths are narrow.
    pub fn take(&mut self, stream: u8, payload: Bytes, limit: usize, mut give: impl FnMut(Bytes)) {
        let left = self.left.entry(stream).or_default();
        if payload.len() <= limit && left.is_empty() {
            return give(payload);
        }
        left.extend_from_slice(&payload);
        // where all paths are wide again the rest goes out as it is
        while left.len() >= limit || (!left.is_empty() && payload.len() <= limit) {
            give(left.split_to(left.len().min(limit)).freeze());
        }
    }

    /// Gives what waits, each with its stream: nothing more is to come.
    pub fn finish(&mut self, mut give: impl FnMut(u8, Bytes)) {
        for (stream, left) in std::mem::take(&mut self.left) {
            if !left.is_empty() {
                give(stream, left.freeze());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bond::native::{BASE_DATAGRAM, TS_DATAGRAM, payload_limit};

    const PACKET: usize = 188;

    /// The packets from `first` on, each with its number.
    fn packets(first: u32, count: u32) -> Bytes {
        let packet = |n: u32| [&n.to_be_bytes()[..], &[0x47; PACKET - 4]].concat();
        (first..first + count).flat_map(packet).collect::<Vec<_>>().into()
    }

    #[test]
    fn streams_drop_to_six_packets_where_a_path_is_narrow_and_to_seven_where_none_is_and_lose_none() {
        let (mut cutter, mut out) = (Cutter::default(), Vec::new());
        let narrow = payload_limit([1472, BASE_DATAGRAM]);
        let wide = payload_limit([TS_DATAGRAM]);
        for (payload, limit) in [(0, wide), (1, wide), (2, narrow), (3, narrow), (4, narrow), (5, wide), (6, narrow)] {
            cutter.take(0, packets(payload * 7, 7), limit, |piece| out.push(piece));
            // another stream is cut for itself
            cutter.take(1, packets(0, 6), limit, |piece| assert_eq!(piece.len(), 6 * PACKET));
        }

        cutter.finish(|stream, piece| {
            assert_eq!(stream, 0, "nothing of the other one waits");
            out.push(piece);
        });

        let lengths: Vec<_> = out.iter().map(|piece| piece.len() / PACKET).collect();
        assert_eq!(lengths, [7, 7, 6, 6, 6, 7, 3, 6, 1]);
        assert_eq!(out.concat(), packets(0, 49));
    }
}
