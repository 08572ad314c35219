//! Delay: an output held back on purpose, changed on air, its stream unbroken.
//!
//! For every picture that comes one picture leaves, so nothing here has a clock. Either the live picture
//! leaves, or one that came earlier (from a store on the disk), or one of the slate, which was encoded with
//! the same settings:
//!
//! ```text
//!   live ──raised──► slate ──held long enough──► store ──lowered──► store, from a key picture on
//!    ▲                 ▲                            │
//!    └─key picture─────┴────────── dumped ──────────┘
//! ```
//!
//! Raised: with the next key picture, and not before the slate is made, everything is stored, and the slate stands
//! until as much is held as was wanted. Lowered: the store goes on at the key picture nearest to what is wanted; to
//! nothing: with the next live key picture. Dumped: what is held is thrown away and the slate stands with the next
//! picture.

use std::collections::VecDeque;

use super::restamp::{Joining, Kind, Reader, Restamp, ahead};
use crate::time::Duration;
use crate::wire::ts::{CLOCK, PACKET};

/// Where the store keeps something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Counts all bytes that were ever put.
    pub offset: u64,
    /// How many.
    pub len: usize,
}

/// Keeps bytes in the order they came and gives them back; the oldest may be overwritten when it is full.
pub trait Store {
    /// Keeps bytes.
    ///
    /// # Errors
    /// If they cannot be kept.
    fn put(&mut self, bytes: &[u8]) -> Result<Place, String>;
    /// Gives back what is at a place.
    ///
    /// # Errors
    /// If it is no longer there.
    fn get(&mut self, place: Place, out: &mut Vec<u8>) -> Result<(), String>;
}

/// A picture that is held, with the sound that came beside it.
#[derive(Debug, Clone, Copy)]
struct Held {
    place: Place,
    pts: u64,
    key: bool,
}

/// What leaves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feed {
    Live,
    Slate,
    Store,
}

/// One output's delay.
#[derive(Debug, Clone)]
pub struct Delay {
    reader: Reader,
    restamp: Restamp,
    feed: Feed,
    /// Wanted, ticks of 90 kHz.
    wanted: u64,
    dumped: bool,
    /// The wanted changed and is not reached yet.
    adjusts: bool,
    /// What comes is kept.
    keeps: bool,
    held: VecDeque<Held>,
    /// The picture that is coming, while it is kept.
    open: Vec<u8>,
    open_head: Option<(u64, bool)>,
    slate: Slate,
    /// It is known whether there is a slate.
    knows_slate: bool,
    trouble: Option<String>,
    scratch: Vec<u8>,
}

/// The slate as pictures, each with the sound beside it; begins with a key picture.
#[derive(Debug, Clone, Default)]
pub struct Slate {
    reader: Reader,
    pictures: Vec<Vec<u8>>,
    next: usize,
}

impl Slate {
    /// Takes a stream apart that was encoded with the output's own settings.
    #[must_use]
    pub fn of(stream: &[u8]) -> Self {
        let mut reader = Reader::default();
        let mut pictures: Vec<Vec<u8>> = Vec::new();
        for packet in stream.chunks_exact(PACKET) {
            match reader.read(packet) {
                Some(Kind::Picture { key, .. }) if key || !pictures.is_empty() => pictures.push(packet.to_vec()),
                Some(Kind::Table) | None => {}
                Some(_) => {
                    if let Some(picture) = pictures.last_mut() {
                        picture.extend_from_slice(packet);
                    }
                }
            }
        }
        Self { reader, pictures, next: 0 }
    }

    /// True if there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }
}

impl Delay {
    /// No delay; pictures are `period` ticks of 90 kHz apart.
    #[must_use]
    pub fn new(period: u64) -> Self {
        Self {
            reader: Reader::default(),
            restamp: Restamp::new(period),
            feed: Feed::Live,
            wanted: 0,
            dumped: false,
            adjusts: false,
            keeps: false,
            held: VecDeque::new(),
            open: Vec::new(),
            open_head: None,
            slate: Slate::default(),
            knows_slate: false,
            trouble: None,
            scratch: Vec::new(),
        }
    }

    /// The slate that fills in; with an empty one what is added stands still instead. Until this is told nothing
    /// is held back.
    pub fn set_slate(&mut self, slate: Slate) {
        self.slate = slate;
        self.knows_slate = true;
    }

    /// From now on so much is held back, and whether the slate stands for it. True if a key picture of the
    /// live stream is needed for that.
    pub fn want(&mut self, delay: Duration, dumped: bool) -> bool {
        let wanted = delay.as_micros() as u64 * CLOCK / 1_000_000;
        let changed = wanted != self.wanted || dumped != self.dumped;
        self.adjusts |= wanted != self.wanted;
        if dumped && !self.dumped {
            self.throw_away();
        }
        (self.wanted, self.dumped) = (wanted, dumped);
        changed && !dumped
    }

    /// Packets leave as they came: nothing was ever held.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.restamp.is_untouched() && self.feed == Feed::Live && self.wanted == 0 && !self.dumped
    }

    /// How much is held back now.
    #[must_use]
    pub fn held(&self) -> Duration {
        if self.feed == Feed::Live {
            return Duration::ZERO;
        }
        Duration::from_micros(self.lag() * 1_000_000 / CLOCK)
    }

    /// The slate is shown.
    #[must_use]
    pub fn shows_slate(&self) -> bool {
        self.feed == Feed::Slate
    }

    /// Why the store failed, once; the output goes on without delay.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Takes whole packets of the live stream; `out` gets what leaves.
    pub fn push(&mut self, bytes: &[u8], store: &mut impl Store, out: &mut Vec<u8>) {
        for packet in bytes.chunks_exact(PACKET) {
            let Some(kind) = self.reader.read(packet) else { continue };
            if let Kind::Picture { pts, key } = kind {
                self.tick(pts, key, store, out);
            }
            if self.keeps && kind != Kind::Table && self.open_head.is_some() {
                self.open.extend_from_slice(packet);
            }
            if self.feed == Feed::Live {
                self.restamp.push(&self.reader, packet, kind, out);
            }
        }
    }

    /// A live picture begins: the one before it is whole, and one picture of what is shown leaves.
    fn tick(&mut self, pts: u64, key: bool, store: &mut impl Store, out: &mut Vec<u8>) {
        self.close(store);
        self.decide(key);
        if self.keeps {
            self.open_head = Some((pts, key));
        }
        if self.feed == Feed::Store && self.held.is_empty() {
            // nothing is left of it: the slate until there is
            self.enter(Feed::Slate);
        }
        match self.feed {
            Feed::Live => {}
            Feed::Slate => self.show_slate(out),
            Feed::Store => self.show_held(store, out),
        }
    }

    fn decide(&mut self, key: bool) {
        if self.dumped {
            if self.feed != Feed::Slate {
                self.enter(Feed::Slate);
            }
            return;
        }
        match self.feed {
            Feed::Live if self.wanted > 0 && key && self.knows_slate => {
                self.keeps = true;
                self.enter(Feed::Slate);
            }
            Feed::Live => {}
            _ if self.wanted == 0 && key => {
                self.throw_away();
                self.enter(Feed::Live);
            }
            Feed::Slate => {
                self.keeps |= key && self.wanted > 0;
                if self.wanted > 0 && self.lag() >= self.wanted {
                    self.adjusts = false;
                    self.drop_to_wanted();
                    self.enter(Feed::Store);
                }
            }
            Feed::Store if self.adjusts && self.wanted > 0 => {
                if self.lag() > self.wanted {
                    self.adjusts = false;
                    if self.drop_to_wanted() {
                        self.restamp.join(Joining::Next);
                    }
                } else if self.held.front().is_some_and(|front| front.key) {
                    // the slate fills in before a key picture: what comes after it leans on nothing before
                    self.enter(Feed::Slate);
                }
            }
            Feed::Store => {}
        }
    }

    fn enter(&mut self, feed: Feed) {
        self.feed = feed;
        self.slate.next = 0;
        self.restamp.join(Joining::Next);
    }

    /// Goes to the key picture whose delay is nearest to what is wanted; true if that is another one.
    fn drop_to_wanted(&mut self) -> bool {
        let Some(newest) = self.held.back().map(|held| held.pts) else { return false };
        let off = |held: &Held| (ahead(held.pts, newest) - self.wanted as i64).unsigned_abs();
        let keys = self.held.iter().enumerate().filter(|(_, held)| held.key);
        let Some((at, _)) = keys.min_by_key(|(_, held)| off(held)) else { return false };
        self.held.drain(..at);
        at > 0
    }

    /// From the oldest picture held to the newest, ticks of 90 kHz.
    fn lag(&self) -> u64 {
        match (self.held.front(), self.held.back()) {
            (Some(front), Some(back)) => ahead(front.pts, back.pts).max(0) as u64 + self.restamp.period(),
            _ => 0,
        }
    }

    fn throw_away(&mut self) {
        self.keeps = false;
        self.held.clear();
        self.open.clear();
        self.open_head = None;
    }

    fn close(&mut self, store: &mut impl Store) {
        let Some((pts, key)) = self.open_head.take() else { return };
        let kept = store.put(&self.open);
        self.open.clear();
        match kept {
            Ok(place) => self.held.push_back(Held { place, pts, key }),
            Err(why) => self.fail(why),
        }
    }

    /// Without a store nothing can be held: live again, with the next key picture.
    fn fail(&mut self, why: String) {
        self.trouble = Some(why);
        self.wanted = 0;
        self.throw_away();
    }

    fn show_slate(&mut self, out: &mut Vec<u8>) {
        if self.slate.is_empty() {
            return;
        }
        if self.slate.next == self.slate.pictures.len() {
            self.slate.next = 0;
            self.restamp.join(Joining::Next);
        }
        let picture = &self.slate.pictures[self.slate.next];
        self.slate.next += 1;
        for packet in picture.chunks_exact(PACKET) {
            if let Some(kind) = self.slate.reader.read(packet) {
                self.restamp.push(&self.slate.reader, packet, kind, out);
            }
        }
    }

    fn show_held(&mut self, store: &mut impl Store, out: &mut Vec<u8>) {
        let Some(held) = self.held.pop_front() else { return };
        self.scratch.clear();
        if let Err(why) = store.get(held.place, &mut self.scratch) {
            return self.fail(why);
        }
        let bytes = std::mem::take(&mut self.scratch);
        let mut reader = self.reader.clone();
        for packet in bytes.chunks_exact(PACKET) {
            if let Some(kind) = reader.read(packet) {
                self.restamp.push(&self.reader, packet, kind, out);
            }
        }
        self.scratch = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::sample::{Encode, PERIOD, Seen, judge};

    const BASE: u64 = 324_000_000;
    const SLATE: u8 = 7;

    /// A store in memory.
    #[derive(Default)]
    struct Memory {
        bytes: Vec<u8>,
        broken: bool,
    }

    impl Store for Memory {
        fn put(&mut self, bytes: &[u8]) -> Result<Place, String> {
            if self.broken {
                return Err("read-only".into());
            }
            let place = Place { offset: self.bytes.len() as u64, len: bytes.len() };
            self.bytes.extend_from_slice(bytes);
            Ok(place)
        }
        fn get(&mut self, place: Place, out: &mut Vec<u8>) -> Result<(), String> {
            let from = place.offset as usize;
            out.extend_from_slice(&self.bytes[from..from + place.len]);
            Ok(())
        }
    }

    struct Desk {
        live: Encode,
        delay: Delay,
        store: Memory,
        out: Vec<u8>,
        gop: u64,
        /// A key picture was asked for.
        asked: bool,
    }

    impl Desk {
        fn new(gop: u64, base: u64) -> Self {
            let mut slate = Encode::new(SLATE, 77, 0);
            let stream: Vec<u8> = (0..30).flat_map(|n| slate.picture(n == 0)).collect();
            let mut delay = Delay::new(PERIOD);
            delay.set_slate(Slate::of(&stream));
            Self { live: Encode::new(1, base, 0), delay, store: Memory::default(), out: Vec::new(), gop, asked: false }
        }

        fn want(&mut self, seconds: u64, dumped: bool) {
            self.asked |= self.delay.want(Duration::from_secs(seconds), dumped);
        }

        /// So many pictures come.
        fn run(&mut self, pictures: u64) {
            for _ in 0..pictures {
                let n = self.live.next();
                let key = n.is_multiple_of(self.gop) || std::mem::take(&mut self.asked);
                let bytes = self.live.picture(key);
                for piece in bytes.chunks(3 * PACKET) {
                    self.delay.push(piece, &mut self.store, &mut self.out);
                }
            }
        }

        fn seen(&self) -> Vec<Seen> {
            judge(&self.out)
        }
    }

    #[test]
    fn nothing_is_held_back_before_the_slate_is_made() {
        let mut desk = Desk::new(25, 0);
        let slate = std::mem::take(&mut desk.delay.slate);
        desk.delay.knows_slate = false;
        desk.want(1, false);
        desk.run(60);
        assert!(!desk.delay.shows_slate() && desk.delay.held() == Duration::ZERO, "the live goes on meanwhile");

        desk.delay.set_slate(slate);
        desk.run(60);
        // the newest picture is not whole yet
        assert_eq!(desk.delay.held() + Duration::from_millis(40), Duration::from_secs(1));
    }

    #[test]
    fn raising_it_inserts_the_slate_and_loses_no_picture() {
        let mut desk = Desk::new(50, BASE);
        desk.run(30);
        desk.want(4, false);
        desk.run(300);

        let seen = desk.seen();
        assert_eq!(seen.len(), 330, "for every picture that came one left");
        let slate = seen.iter().filter(|s| s.mark == SLATE).count();
        assert!((100..=101).contains(&slate), "{slate}");
        let live: Vec<_> = seen.iter().filter(|s| s.mark == 1).map(|s| s.number).collect();
        assert_eq!(live, (0..live.len() as u64).collect::<Vec<_>>());
        assert!((desk.delay.held().as_secs_f64() - 4.0).abs() < 0.1, "{:?}", desk.delay.held());
    }

    #[test]
    fn raising_it_again_adds_what_is_missing_and_nothing_more() {
        let mut desk = Desk::new(25, BASE);
        desk.want(2, false);
        desk.run(150);
        desk.want(5, false);
        desk.run(300);

        let seen = desk.seen();
        let slate = seen.iter().filter(|s| s.mark == SLATE).count();
        assert!((124..=128).contains(&slate), "{slate}");
        assert!((desk.delay.held().as_secs_f64() - 5.0).abs() < 0.2, "{:?}", desk.delay.held());
    }

    #[test]
    fn lowering_it_drops_to_a_key_picture() {
        let mut desk = Desk::new(25, BASE);
        desk.want(10, false);
        desk.run(400);
        desk.want(4, false);
        desk.run(100);

        let seen = desk.seen();
        assert_eq!(seen.len(), 500);
        let jump = seen.windows(2).filter(|w| w[0].mark == 1 && w[1].mark == 1 && w[1].number != w[0].number + 1);
        let jumps: Vec<_> = jump.map(|w| w[1].number - w[0].number).collect();
        assert!(jumps.len() == 1 && (138..=163).contains(&jumps[0]), "{jumps:?}");
        assert!((desk.delay.held().as_secs_f64() - 4.0).abs() <= 0.6, "{:?}", desk.delay.held());
    }

    #[test]
    fn lowered_to_nothing_it_is_live_with_the_next_key_picture() {
        let mut desk = Desk::new(50, BASE);
        desk.want(3, false);
        desk.run(200);
        desk.want(0, false);
        desk.run(20);

        let seen = desk.seen();
        assert_eq!(seen.last().map(|s| s.number), Some(219));
        assert_eq!(desk.delay.held(), Duration::ZERO);
    }

    #[test]
    fn dumped_the_slate_stands_with_the_next_picture_and_what_was_held_never_leaves() {
        let mut desk = Desk::new(25, BASE);
        desk.want(5, false);
        desk.run(300);
        let before = desk.seen();
        desk.want(5, true);
        desk.run(1);
        let seen = desk.seen();
        assert_eq!(seen.last().map(|s| s.mark), Some(SLATE), "at once");

        desk.run(50);
        desk.want(5, false);
        desk.run(250);

        let seen = desk.seen();
        let shown = before.iter().rev().find(|s| s.mark == 1).unwrap().number;
        let again = seen[before.len()..].iter().find(|s| s.mark == 1).unwrap().number;
        assert!(again >= 351 && again > shown, "nothing of {shown} to 350 leaves: {again}");
        assert!((desk.delay.held().as_secs_f64() - 5.0).abs() < 0.2, "{:?}", desk.delay.held());
    }

    #[test]
    fn dumped_without_a_delay_the_slate_stands_and_the_live_picture_comes_back_with_a_key_picture() {
        let mut desk = Desk::new(50, BASE);
        desk.run(20);
        desk.want(0, true);
        desk.run(30);
        desk.want(0, false);
        desk.run(30);

        let seen = desk.seen();
        assert_eq!((seen[19].mark, seen[20].mark, seen[49].mark, seen[50].mark), (1, SLATE, SLATE, 1));
        assert_eq!(seen.last().map(|s| s.number), Some(79));
    }

    #[test]
    fn a_disk_that_fails_costs_the_delay_and_not_the_output() {
        let mut desk = Desk::new(25, BASE);
        desk.want(5, false);
        desk.run(60);
        desk.store.broken = true;
        desk.run(60);

        let seen = desk.seen();
        assert_eq!(seen.last().map(|s| (s.mark, s.number)), Some((1, 119)));
        assert_eq!(desk.delay.take_trouble().as_deref(), Some("read-only"));
    }

    #[test]
    fn without_a_delay_every_byte_leaves_as_it_came() {
        let mut desk = Desk::new(50, BASE);
        let mut twin = desk.live.clone();
        desk.run(100);

        let came: Vec<u8> = (0..100).flat_map(|n| twin.picture(n % 50 == 0)).collect();
        assert!(desk.out == came && desk.delay.is_idle());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_wanted_when_the_stream_that_leaves_is_unbroken(
            wants in proptest::collection::vec((0u64..8, proptest::bool::weighted(0.2), 1u64..120), 1..8),
            gop in 5u64..60,
            base in proptest::sample::select(vec![BASE, (1 << 33) - 100 * PERIOD]),
        ) {
            let mut desk = Desk::new(gop, base);
            desk.run(3);
            let mut came = 3;
            for (seconds, dumped, pictures) in wants {
                desk.want(seconds, dumped);
                desk.run(pictures);
                came += pictures;
            }
            let seen = desk.seen();
            proptest::prop_assert_eq!(seen.len() as u64, came);
            // what was seen once is never seen again
            let live: Vec<_> = seen.iter().filter(|s| s.mark == 1).map(|s| s.number).collect();
            proptest::prop_assert!(live.windows(2).all(|w| w[1] > w[0]));
        }
    }
}
