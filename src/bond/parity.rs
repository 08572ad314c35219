//! Parity across links: Reed–Solomon repairs over consecutive payloads, for deadlines too near to ask again.
//!
//! A block is up to 16 consecutive payloads of one stream and 1–4 repairs; any as many of them as there
//! are payloads give all of them back. Payloads may differ in length: what is coded of each is its length,
//! type, stamp and bytes, filled up with zeros to the longest of the block. The code is the one of
//! `reed-solomon-simd` (Lin, Han and Chung's FFT over GF(2¹⁶)).

use std::collections::BTreeMap;

use bytes::Bytes;
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use crate::wire::native::{Data, DataKind, Parity};

/// Payloads in a block, at most.
pub const MOST_PAYLOADS: usize = 16;
/// Repairs of a block, at most.
pub const MOST_REPAIRS: usize = 4;

/// What stands before each payload in its shard: length, type, stamp.
const HEAD: usize = 7;
/// No shard is longer: the longest payload that SRT knows, its header, and ours.
const MOST_SHARD: usize = 1536;
/// Payloads that the decoder remembers: 300 ms at 40 Mbit/s, and not above 1.6 MB.
const REMEMBERED: usize = 1024;
/// Blocks whose repairs the decoder keeps: 64 of at most four, below 400 kB.
const MOST_BLOCKS: usize = 64;

/// Makes repairs of what a stream sends.
#[derive(Default)]
pub struct ParityEncoder {
    first: u32,
    /// Shards of the block, unpadded; of these the first `count` are in use, the rest keep their room.
    shards: Vec<Vec<u8>>,
    count: usize,
    coder: Option<ReedSolomonEncoder>,
}

impl ParityEncoder {
    /// Takes a payload, in the order of the source. True if the block is as long as it may get.
    ///
    /// A payload that does not follow the one before begins a block anew; one that is too long is left out so.
    pub fn push(&mut self, data: &Data<'_>) -> bool {
        if self.count > 0 && data.seq != self.first.wrapping_add(self.count as u32) & 0x00ff_ffff {
            self.count = 0;
        }
        let Ok(len) = u16::try_from(data.payload.len()) else { return false };
        if HEAD + data.payload.len() > MOST_SHARD {
            self.count = 0;
            return false;
        }
        if self.count == MOST_PAYLOADS {
            self.count = 0;
        }
        if self.count == 0 {
            self.first = data.seq;
        }
        if self.shards.len() <= self.count {
            self.shards.push(Vec::with_capacity(MOST_SHARD));
        }
        let shard = &mut self.shards[self.count];
        shard.clear();
        put_shard(len, data.kind.code(data.stream), data.stamp, data.payload, shard);
        self.count += 1;
        self.count == MOST_PAYLOADS
    }

    /// Payloads in the block that has been begun.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if no block has been begun.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Ends the block with so many repairs, 1–4, of a stream; `each` gets one after the other.
    pub fn finish(&mut self, stream: u8, repairs: usize, mut each: impl FnMut(&Parity<'_>)) {
        let (count, repairs) = (std::mem::take(&mut self.count), repairs.clamp(1, MOST_REPAIRS));
        let Some(shards) = self.shards.get_mut(..count).filter(|shards| !shards.is_empty()) else { return };
        let longest = shards.iter().map(Vec::len).max().unwrap_or(0).next_multiple_of(2);
        let coder = match &mut self.coder {
            Some(coder) => coder.reset(count, repairs, longest).is_ok().then_some(coder),
            none => ReedSolomonEncoder::new(count, repairs, longest).ok().map(|coder| none.insert(coder)),
        };
        let Some(coder) = coder else { return };
        for shard in shards {
            shard.resize(longest, 0);
            if coder.add_original_shard(&*shard).is_err() {
                return;
            }
        }
        let Ok(result) = coder.encode() else { return };
        for (index, shard) in (0..).zip(result.recovery_iter()) {
            each(&Parity { stream, first: self.first, count: count as u8, repairs: repairs as u8, index, shard });
        }
    }
}

fn put_shard(len: u16, code: u8, stamp: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&len.to_be_bytes());
    out.push(code);
    out.extend_from_slice(&stamp.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A payload as the receiver has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What it is.
    pub kind: DataKind,
    /// When the source gave it, microseconds, wrapping.
    pub stamp: u32,
    /// What it carries.
    pub payload: Bytes,
}

struct Block {
    count: u8,
    repairs: u8,
    shards: BTreeMap<u8, Vec<u8>>,
}

/// Restores what one stream has lost.
#[derive(Default)]
pub struct ParityDecoder {
    stream: u8,
    /// By whole number; see [`crate::wire::native::near`].
    held: BTreeMap<u64, Held>,
    blocks: BTreeMap<u64, Block>,
    coder: Option<ReedSolomonDecoder>,
}

impl ParityDecoder {
    /// A decoder for this stream.
    #[must_use]
    pub fn new(stream: u8) -> Self {
        Self { stream, ..Self::default() }
    }

    /// Takes a payload that arrived, under its whole number; gives back what can be restored now.
    pub fn handle_data(&mut self, seq: u64, held: Held) -> Vec<(u64, Held)> {
        self.held.insert(seq, held);
        while self.held.len() > REMEMBERED {
            self.held.pop_first();
        }
        let block =
            self.blocks.range(..=seq).next_back().filter(|(first, block)| seq - **first < u64::from(block.count));
        let first = block.map(|(first, _)| *first);
        first.map_or_else(Vec::new, |first| self.restore(first))
    }

    /// Takes a repair, of a block whose first payload has the whole number `first`; gives back what can be
    /// restored now.
    pub fn handle_parity(&mut self, first: u64, parity: &Parity<'_>) -> Vec<(u64, Held)> {
        let fits = (1..=MOST_PAYLOADS).contains(&usize::from(parity.count))
            && (1..=MOST_REPAIRS).contains(&usize::from(parity.repairs))
            && parity.index < parity.repairs
            && (HEAD..=MOST_SHARD).contains(&parity.shard.len())
            && parity.shard.len().is_multiple_of(2)
            && parity.stream == self.stream;
        if !fits {
            return Vec::new();
        }
        let begun = Block { count: parity.count, repairs: parity.repairs, shards: BTreeMap::new() };
        let block = self.blocks.entry(first).or_insert(begun);
        let alike = block.shards.values().all(|shard| shard.len() == parity.shard.len());
        if (block.count, block.repairs) != (parity.count, parity.repairs) || !alike {
            return Vec::new();
        }
        block.shards.insert(parity.index, parity.shard.to_vec());
        while self.blocks.len() > MOST_BLOCKS {
            self.blocks.pop_first();
        }
        self.restore(first)
    }

    fn restore(&mut self, first: u64) -> Vec<(u64, Held)> {
        let Some(block) = self.blocks.get(&first) else { return Vec::new() };
        let end = first.saturating_add(u64::from(block.count));
        let missing = usize::from(block.count) - self.held.range(first..end).count();
        if missing > block.shards.len() {
            return Vec::new();
        }
        let Some(block) = self.blocks.remove(&first) else { return Vec::new() };
        if missing == 0 {
            return Vec::new();
        }
        let restored = self.decode(first, &block).unwrap_or_default();
        for (seq, held) in &restored {
            self.held.insert(*seq, held.clone());
        }
        restored
    }

    fn decode(&mut self, first: u64, block: &Block) -> Option<Vec<(u64, Held)>> {
        let len = block.shards.values().next()?.len();
        let (count, repairs) = (usize::from(block.count), usize::from(block.repairs));
        let coder = match &mut self.coder {
            Some(coder) => coder.reset(count, repairs, len).ok().map(|()| coder)?,
            none => none.insert(ReedSolomonDecoder::new(count, repairs, len).ok()?),
        };
        let mut room = Vec::with_capacity(len);
        for (seq, held) in self.held.range(first..first.saturating_add(count as u64)) {
            room.clear();
            let payload = u16::try_from(held.payload.len()).ok()?;
            put_shard(payload, held.kind.code(self.stream), held.stamp, &held.payload, &mut room);
            if room.len() > len {
                return None;
            }
            room.resize(len, 0);
            coder.add_original_shard((seq - first) as usize, &room).ok()?;
        }
        for (index, shard) in &block.shards {
            coder.add_recovery_shard(usize::from(*index), shard).ok()?;
        }
        let result = coder.decode().ok()?;
        let read = |(index, shard): (usize, &[u8])| Some((first + index as u64, held(shard, self.stream)?));
        Some(result.restored_original_iter().filter_map(read).collect())
    }
}

fn held(shard: &[u8], stream: u8) -> Option<Held> {
    let (head, rest) = shard.split_first_chunk::<HEAD>()?;
    let len = usize::from(u16::from_be_bytes([head[0], head[1]]));
    let (of, kind) = DataKind::of(head[2])?;
    let stamp = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    (of == stream).then_some(())?;
    Some(Held { kind, stamp, payload: Bytes::copy_from_slice(rest.get(..len)?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn payloads(rng: &mut Rng, count: usize) -> Vec<Held> {
        let mut payload = || {
            let mut bytes = vec![0; 188 * (1 + rng.next_u64() as usize % 7)];
            rng.fill(&mut bytes);
            Held { kind: DataKind::Ts, stamp: rng.next_u64() as u32, payload: bytes.into() }
        };
        (0..count).map(|_| payload()).collect()
    }

    fn data(seq: u64, held: &Held) -> Data<'_> {
        Data { stream: 3, seq: seq as u32 & 0xff_ffff, stamp: held.stamp, kind: held.kind, payload: &held.payload }
    }

    #[test]
    fn as_many_payloads_come_back_as_there_are_repairs_whichever_are_lost() {
        let mut rng = Rng::simulated(5);
        let (mut encoder, mut decoder) = (ParityEncoder::default(), ParityDecoder::new(3));
        let mut first = 0xff_ff00_u64;
        for _ in 0..300 {
            let (count, repairs) = (1 + rng.next_u64() as usize % 16, 1 + rng.next_u64() as usize % 4);
            let sent = payloads(&mut rng, count);
            let mut lost: Vec<u64> = Vec::new();
            while lost.len() < repairs.min(count) {
                let one = first + rng.next_u64() % count as u64;
                if !lost.contains(&one) {
                    lost.push(one);
                }
            }

            let mut restored = Vec::new();
            for (seq, payload) in (first..).zip(&sent) {
                encoder.push(&data(seq, payload));
                if !lost.contains(&seq) {
                    restored.extend(decoder.handle_data(seq, payload.clone()));
                }
            }
            assert!(restored.is_empty());
            encoder.finish(3, repairs, |parity| restored.extend(decoder.handle_parity(first, parity)));

            lost.sort_unstable();
            let wanted: Vec<_> = lost.iter().map(|seq| (*seq, sent[(seq - first) as usize].clone())).collect();
            assert_eq!(restored, wanted);
            first += count as u64;
        }
    }

    #[test]
    fn a_repair_that_comes_first_helps_and_the_decoder_stays_small() {
        let mut rng = Rng::simulated(6);
        let (mut encoder, mut decoder) = (ParityEncoder::default(), ParityDecoder::new(3));
        let sent = payloads(&mut rng, 16);
        for (seq, payload) in (0..).zip(&sent) {
            assert_eq!(encoder.push(&data(seq, payload)), seq == 15);
        }
        let mut restored = Vec::new();
        encoder.finish(3, 1, |parity| restored.extend(decoder.handle_parity(0, parity)));
        for seq in (0..16).filter(|seq| *seq != 9) {
            restored.extend(decoder.handle_data(seq, sent[seq as usize].clone()));
        }
        assert_eq!(restored, [(9, sent[9].clone())]);

        let small = Held { kind: DataKind::Ts, stamp: 0, payload: Bytes::from_static(&[0x47; 188]) };
        for seq in 0..100_000 {
            let parity = Parity { stream: 3, first: 0, count: 16, repairs: 2, index: 0, shard: &[0; 200] };
            decoder.handle_parity(seq * 32, &parity);
            decoder.handle_data(seq, small.clone());
            assert!(decoder.held.len() <= REMEMBERED && decoder.blocks.len() <= MOST_BLOCKS);
        }
    }

    #[test]
    fn nonsense_restores_nothing_and_does_no_harm() {
        let mut rng = Rng::simulated(7);
        let mut decoder = ParityDecoder::new(0);
        for _ in 0..20_000 {
            let mut shard = vec![0; rng.next_u64() as usize % 64];
            rng.fill(&mut shard);
            let mut byte = || rng.next_u64() as u8 % 20;
            let (count, repairs, index) = (byte(), byte() % 6, byte() % 6);
            let first = u64::MAX - u64::from(byte());
            decoder.handle_parity(first, &Parity { stream: 0, first: 0, count, repairs, index, shard: &shard });
            let held = Held { kind: DataKind::Ts, stamp: 0, payload: Bytes::copy_from_slice(&shard) };
            decoder.handle_data(first.wrapping_add(u64::from(byte())), held);
        }
    }
}
