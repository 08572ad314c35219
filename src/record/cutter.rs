//! Cutter: where one segment ends and the next begins, to the packet.
//!
//! In goes a transport stream in any pieces; out come its bytes, every one once and in order, with
//! [`Out::Cut`] between two packets where a cut was asked for: before the tables that stand directly
//! before a key picture, so that the new segment can be played from its first packet. Our mux writes its
//! tables there. Where one does not, the cut goes before the latest
//! tables all the same: then the new segment begins with the last moments of the picture before, and
//! still nothing is lost or doubled.

use std::collections::BTreeMap;

use crate::wire::ts::{H264, H265, NULL, OTHER_PICTURES, PACKET, PAT, Packet, Pes, programs, streams};

/// So many key pictures without tables directly before them are let pass, waiting for the one that
/// was asked for: it comes within a tick or two, the others with the GOP.
const PATIENCE: u8 = 1;

/// So much is held back at most, looking for a place to cut; tables come ten times a second.
const HELD: usize = 4 << 20;

/// In the flags of a packet's adaptation field: a receiver may begin here.
const RANDOM_ACCESS: u8 = 0x40;

/// Time stamps have 33 bits.
const WRAP: u64 = 1 << 33;

/// What the bytes of one segment say of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// First and last time stamp of pictures, in ticks of 90 kHz; the last goes on beyond 33 bits.
    pub pts: Option<(u64, u64)>,
    /// Pictures that begin in it.
    pub pictures: u64,
    /// Packets missing by their counters.
    pub missing: u64,
}

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Out<'b> {
    /// These bytes belong to the running segment.
    Bytes(&'b [u8]),
    /// The running segment ends here with this tally; the next one begins.
    Cut(Tally),
}

/// Cuts one transport stream.
#[derive(Debug, Clone, Default)]
pub struct Cutter {
    /// Less than a packet, from the end of the last piece.
    rest: Vec<u8>,
    /// Of the first programme: its pictures are those that are cut at.
    table: Option<u16>,
    /// Of the other programmes.
    others: Vec<u16>,
    video: Option<u16>,
    counters: BTreeMap<u16, u8>,
    /// A cut is wanted, and so many key pictures were let pass.
    armed: Option<u8>,
    /// Held back while armed: from the latest tables on.
    held: Vec<u8>,
    /// Nothing but tables is held.
    pure: bool,
    /// Of the held bytes alone.
    ahead: Tally,
    tally: Tally,
}

impl Cutter {
    /// At the next key picture a new segment begins.
    pub fn arm(&mut self) {
        self.armed.get_or_insert(0);
    }

    /// A cut is still to come.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// Another stream begins: what was known of the old one holds no longer.
    pub fn restart(&mut self) {
        *self = Self { armed: self.armed, ..Self::default() };
    }

    /// What the running segment says of itself so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.and(self.ahead)
    }

    /// Takes the next bytes of the stream; `out` gets them in order.
    pub fn push(&mut self, bytes: &[u8], out: &mut impl FnMut(Out<'_>)) {
        let mut bytes = bytes;
        if !self.rest.is_empty() {
            let wanted = (PACKET - self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes[..wanted]);
            bytes = &bytes[wanted..];
            if self.rest.len() < PACKET {
                return;
            }
            let packet = std::mem::take(&mut self.rest);
            self.packets(&packet, out);
        }
        let whole = bytes.len() - bytes.len() % PACKET;
        self.packets(&bytes[..whole], out);
        self.rest.extend_from_slice(&bytes[whole..]);
    }

    /// The segment ends with what came so far: what is held back comes out.
    pub fn finish(&mut self, out: &mut impl FnMut(Out<'_>)) -> Tally {
        self.release(out);
        std::mem::take(&mut self.tally)
    }

    /// Whole packets; a run that nothing is held back of goes out in one piece.
    fn packets(&mut self, bytes: &[u8], out: &mut impl FnMut(Out<'_>)) {
        let mut from = 0;
        for (at, packet) in bytes.chunks_exact(PACKET).enumerate().map(|(n, packet)| (n * PACKET, packet)) {
            let seen = self.look(packet);
            let Some(passed) = self.armed else {
                self.tally = self.tally.with(&seen);
                continue;
            };
            let stands = self.pure || (passed >= PATIENCE && !self.held.is_empty());
            if seen.table {
                if !self.pure {
                    run(bytes, from, at, out);
                    from = at;
                    self.release(out);
                }
                self.pure = true;
            } else if seen.key && stands {
                run(bytes, from, at, out);
                from = at;
                out(Out::Cut(std::mem::take(&mut self.tally)));
                self.armed = None;
                self.release(out);
                self.tally = self.tally.with(&seen);
                continue;
            } else {
                self.pure = false;
                if seen.key {
                    self.armed = Some(passed.saturating_add(1));
                }
                if self.held.len() >= HELD {
                    run(bytes, from, at, out);
                    from = at;
                    self.release(out);
                }
                if self.held.is_empty() {
                    self.tally = self.tally.with(&seen);
                    continue;
                }
            }
            run(bytes, from, at, out);
            self.held.extend_from_slice(packet);
            self.ahead = self.ahead.with(&seen);
            from = at + PACKET;
        }
        run(bytes, from, bytes.len(), out);
    }

    /// What is held back comes out.
    fn release(&mut self, out: &mut impl FnMut(Out<'_>)) {
        self.pure = false;
        if !self.held.is_empty() {
            out(Out::Bytes(&self.held));
            self.held.clear();
            self.tally = self.tally.and(std::mem::take(&mut self.ahead));
        }
    }

    /// Reads a packet; what is no packet is somebody's bytes all the same.
    fn look(&mut self, bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let Some(packet) = Packet::parse(bytes) else { return seen };
        if packet.pid == NULL {
            return seen;
        }
        if !packet.payload.is_empty() {
            let last = self.counters.insert(packet.pid, packet.counter);
            let step = last.map_or(1, |last| packet.counter.wrapping_sub(last) & 0x0f);
            // a packet may come twice in a row
            seen.missing = if packet.jumps || step == 0 { 0 } else { u64::from(step) - 1 };
        }
        seen.table = packet.pid == PAT || Some(packet.pid) == self.table || self.others.contains(&packet.pid);
        if !packet.starts || packet.scrambled {
            return seen;
        }
        if packet.pid == PAT {
            let mut tables = programs(packet.payload);
            if let Some(first) = tables.next() {
                self.table = Some(first);
                self.others.clear();
                self.others.extend(tables);
            }
        } else if Some(packet.pid) == self.table {
            let picture = |kind| [H264, H265].contains(&kind) || OTHER_PICTURES.contains(&kind);
            self.video = streams(packet.payload).find(|(_, kind)| picture(*kind)).map(|(pid, _)| pid).or(self.video);
        } else if Some(packet.pid) == self.video {
            seen.picture = true;
            seen.pts = Pes::parse(packet.payload).and_then(|pes| pes.pts);
            seen.key = bytes[3] & 0x20 != 0 && bytes[4] > 0 && bytes[5] & RANDOM_ACCESS != 0;
        }
        seen
    }
}

/// What one packet says.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    table: bool,
    picture: bool,
    /// A receiver may begin at this picture.
    key: bool,
    pts: Option<u64>,
    missing: u64,
}

impl Tally {
    fn with(self, seen: &Seen) -> Self {
        let pts = seen.pts.map(|pts| (pts, pts));
        self.and(Self { pts, pictures: u64::from(seen.picture), missing: seen.missing })
    }

    fn and(self, later: Self) -> Self {
        let pts = match (self.pts, later.pts) {
            (Some((first, last)), Some((_, pts))) => {
                let step = (pts % WRAP + WRAP - last % WRAP) % WRAP;
                Some((first, if step < WRAP / 2 { last + step } else { last }))
            }
            (pts, None) | (None, pts) => pts,
        };
        Self { pts, pictures: self.pictures + later.pictures, missing: self.missing + later.missing }
    }
}

fn run(bytes: &[u8], from: usize, to: usize, out: &mut impl FnMut(Out<'_>)) {
    if from < to {
        out(Out::Bytes(&bytes[from..to]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::Stream;
    use crate::wire::ts::SYNC;

    /// The bytes of each segment, and the tally each was closed with.
    fn cut(pieces: &[&[u8]], arm_before: &[usize]) -> (Vec<Vec<u8>>, Vec<Tally>) {
        let mut cutter = Cutter::default();
        let (mut segments, mut tallies) = (vec![Vec::new()], Vec::new());
        for (n, piece) in pieces.iter().enumerate() {
            if arm_before.contains(&n) {
                cutter.arm();
            }
            cutter.push(piece, &mut |out| match out {
                Out::Bytes(bytes) => segments.last_mut().unwrap().extend_from_slice(bytes),
                Out::Cut(tally) => {
                    tallies.push(tally);
                    segments.push(Vec::new());
                }
            });
        }
        let tally = cutter.finish(&mut |out| {
            if let Out::Bytes(bytes) = out {
                segments.last_mut().unwrap().extend_from_slice(bytes);
            }
        });
        tallies.push(tally);
        (segments, tallies)
    }

    #[test]
    fn a_cut_goes_before_the_tables_of_the_key_picture_that_was_asked_for() {
        let mut stream = Stream::default();
        let mut before = stream.gop(25, true);
        let after = stream.gop(25, true);
        let whole = [before.clone(), after.clone()].concat();

        let (segments, tallies) = cut(&[&before[..], &after[..]], &[1]);
        assert_eq!((&segments[0], &segments[1]), (&before, &after));
        assert_eq!(tallies.iter().map(|t| (t.pictures, t.missing)).collect::<Vec<_>>(), [(25, 0), (25, 0)]);
        let step = tallies[1].pts.unwrap().0 - tallies[0].pts.unwrap().1;
        assert_eq!(step, 3600, "no picture lost or doubled at the cut");

        // whatever the pieces
        before.extend_from_slice(&after);
        for size in [1, 61, 188, 1316, 4000] {
            let pieces: Vec<_> = whole.chunks(size).collect();
            let arm = segments[0].len() / 2 / size;
            let (again, _) = cut(&pieces, &[arm]);
            assert_eq!(again, segments, "in pieces of {size}");
        }
    }

    #[test]
    fn a_key_picture_without_its_tables_is_let_pass_for_the_one_that_was_asked_for() {
        let mut stream = Stream::default();
        let first = stream.gop(10, true);
        let natural = stream.gop(3, false);
        let asked = stream.gop(10, true);

        let (segments, _) = cut(&[&first, &natural, &asked], &[1]);

        assert_eq!(segments, [[first, natural].concat(), asked]);
    }

    #[test]
    fn a_mux_that_never_writes_tables_before_a_key_picture_is_cut_all_the_same_and_nothing_is_lost() {
        let mut stream = Stream::default();
        let gops: Vec<_> = (0..6).map(|n| stream.gop(10, n == 0)).collect();
        let pieces: Vec<&[u8]> = gops.iter().map(Vec::as_slice).collect();

        let (segments, tallies) = cut(&pieces, &[1]);

        assert_eq!(segments.len(), 2);
        assert_eq!(segments.concat(), gops.concat());
        assert_eq!(Packet::parse(&segments[1][..PACKET]).unwrap().pid, PAT, "it can be played from its first packet");
        assert_eq!(tallies.iter().map(|t| t.pictures).sum::<u64>(), 60);
    }

    #[test]
    fn missing_packets_are_counted_and_time_goes_on_when_33_bits_are_full() {
        let mut stream = Stream::at(WRAP - 3 * 3600);
        let bytes = stream.gop(10, true);
        let holey = [&bytes[..PACKET * 6], &bytes[PACKET * 8..]].concat();

        let (_, whole) = cut(&[&bytes], &[]);
        let (_, tallies) = cut(&[&holey], &[]);

        assert_eq!(whole[0].pts, Some((WRAP - 3 * 3600, WRAP + 6 * 3600)));
        assert_eq!((whole[0].missing, tallies[0].missing), (0, 2));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_goes_out_once_and_in_order(
            mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..4000),
            size in 1usize..700,
            arm in 0usize..8,
            every in 1usize..188,
        ) {
            let mut stream = Stream::default();
            bytes.iter_mut().step_by(every).for_each(|b| *b = SYNC);
            let whole = [stream.gop(2, true), bytes, stream.gop(3, true)].concat();
            let pieces: Vec<_> = whole.chunks(size).collect();

            let (segments, _) = cut(&pieces, &[arm, arm * 2]);

            proptest::prop_assert_eq!(segments.concat(), &whole[..whole.len() - whole.len() % PACKET]);
        }
    }
}
