//! Echo: judges once a second whether the programme arrives, from the bytes alone and without decoding.
//!
//! Of a `ts` stream:
//! * *flow*: payloads came. *clock*: the time stamps of picture or sound went on. *gaps*: packets
//!   missing by their continuity counters.
//! * *picture*: an encoder writes an unchanged picture as «as before, everywhere»: some tens of bytes,
//!   or a few bits for each block, but then again and again as many. The picture **changes** (`ok`) if of
//!   the pictures of the last two seconds that lean on others at least a quarter carry more than some
//!   tens of bytes and differ in size from the one before; it is `still` otherwise. So a slide that nobody
//!   turns is `still`, and so is a frozen camera: nobody can tell them apart from outside. A stream of
//!   key pictures alone is judged by their sizes. Codecs but H.264 and H.265, and scrambled
//!   streams, are `unknown`.
//! * *sound*: AAC frames came, and some carry more than an encoder spends on digital silence
//!   (`still` otherwise). Other codecs are `unknown`.
//!
//! Of an `srt` stream only: bytes, sequence numbers that go on, and the listener's own acknowledgement
//! that goes on. Its picture and sound are `unknown`, and never `ok`.

mod essence;
mod opaque;
mod programme;

use crate::wire::echo::{Destination, Echo, Kind};

pub use opaque::Opaque;
pub use programme::Programme;

/// One stream.
#[derive(Debug)]
pub enum Watch {
    /// The programme's transport stream.
    Ts(Box<Programme>),
    /// An SRT session.
    Srt(Opaque),
}

impl Watch {
    /// Of a stream that nothing came of yet.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Ts => Self::Ts(Box::default()),
            Kind::Srt => Self::Srt(Opaque::default()),
        }
    }

    /// Payload bytes since the beginning.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Ts(programme) => programme.bytes(),
            Self::Srt(opaque) => opaque.bytes(),
        }
    }

    /// A second is over: what it brought, as stream number `stream`.
    pub fn second(&mut self, stream: u8, destinations: Vec<Destination>) -> Echo {
        match self {
            Self::Ts(programme) => programme.second(stream, destinations),
            Self::Srt(opaque) => opaque.second(stream, destinations),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::wire::Seq;
    use crate::wire::echo::{Sense, Session};
    use crate::wire::ts::{self, AAC, H264, H265};

    const HEVC_KEY: u8 = 19 << 1;

    /// Writes packets as a mux does.
    #[derive(Default)]
    struct Mux {
        counters: BTreeMap<u16, u8>,
        out: Vec<u8>,
    }

    impl Mux {
        fn tables(video: u8, audio: u8) -> Self {
            let mut mux = Self::default();
            mux.packet(0, true, &[0, 0x00, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0x00, 0, 0, 0, 0]);
            let mut pmt = vec![0, 0x02, 0xb0, 23, 0, 1, 0xc1, 0, 0, 0xe1, 0x01, 0xf0, 0];
            pmt.extend([video, 0xe1, 0x01, 0xf0, 0, audio, 0xe1, 0x02, 0xf0, 0, 0, 0, 0, 0]);
            mux.packet(0x100, true, &pmt);
            mux
        }

        fn packet(&mut self, pid: u16, starts: bool, payload: &[u8]) {
            let counter = self.counters.entry(pid).and_modify(|c| *c = (*c + 1) & 15).or_insert(0);
            let flags = if starts { 0x40 } else { 0 };
            self.out.extend([ts::SYNC, flags | (pid >> 8) as u8, pid as u8, 0x30 | *counter]);
            let stuffing = ts::PACKET - 5 - payload.len();
            self.out.push(stuffing as u8);
            self.out.resize(self.out.len() + stuffing, 0);
            self.out.extend(payload);
        }

        fn pes(&mut self, pid: u16, pts: u64, data: &[u8]) {
            let stamp = [
                0x21 | (pts >> 29) as u8 & 0x0e,
                (pts >> 22) as u8,
                (pts >> 14) as u8 | 1,
                (pts >> 7) as u8,
                (pts << 1) as u8 | 1,
            ];
            let mut bytes = vec![0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5];
            bytes.extend(stamp);
            bytes.extend(data);
            for (at, piece) in bytes.chunks(150).enumerate() {
                self.packet(pid, at == 0, piece);
            }
        }

        fn picture(&mut self, number: u64, nal: u8, size: usize) {
            let delimiter = if nal == HEVC_KEY { 35 << 1 } else { 9 };
            let mut data = vec![0, 0, 0, 1, delimiter, 0xf0, 0, 0, 1, nal];
            data.resize(10 + size, 0x55);
            self.pes(0x101, number * 3600, &data);
        }

        fn sound(&mut self, number: u64, size: usize) {
            let mut frame =
                vec![0xff, 0xf1, 0x4c, 0x80 | (size >> 11) as u8, (size >> 3) as u8, (size << 5) as u8, 0xfc];
            frame.resize(size, 0x21);
            self.pes(0x102, number * 1920, &frame);
        }

        fn gives(&mut self, watch: &mut Watch) {
            let Watch::Ts(programme) = watch else { panic!("a ts stream") };
            self.out.chunks(7 * ts::PACKET).for_each(|payload| programme.take(payload));
            self.out.clear();
        }
    }

    fn seconds(mux: &mut Mux, watch: &mut Watch, count: u64, picture: usize, sound: usize) -> Vec<Echo> {
        let second = |n: u64| {
            mux.picture(n * 25, 0x65, 20_000);
            // an unchanged picture takes as much as the one before, or nearly
            let spread = if picture > 1000 { 90 } else { 1 };
            (1..25).for_each(|i| mux.picture(n * 25 + i, 0x41, picture + spread * (i as usize % 4)));
            (0..47).for_each(|i| mux.sound(n * 47 + i, sound));
            mux.gives(watch);
            watch.second(1, Vec::new())
        };
        (0..count).map(second).collect()
    }

    fn senses(echo: &Echo) -> [Sense; 4] {
        [echo.flow, echo.clock, echo.picture, echo.sound]
    }

    #[test]
    fn a_programme_that_moves_and_sounds_is_heard_so() {
        let (mut mux, mut watch) = (Mux::tables(H264, AAC), Watch::new(Kind::Ts));

        let echoes = seconds(&mut mux, &mut watch, 2, 2000, 300);

        assert_eq!(senses(&echoes[1]), [Sense::Ok; 4]);
        assert_eq!((echoes[1].gaps, echoes[1].stream), (0, 1));
        assert_eq!(echoes[1].bytes, watch.bytes());
    }

    #[test]
    fn a_frozen_picture_and_digital_silence_are_still_whatever_the_key_pictures_weigh() {
        let (mut mux, mut watch) = (Mux::tables(H264, AAC), Watch::new(Kind::Ts));

        seconds(&mut mux, &mut watch, 2, 2000, 300);
        let skipped = seconds(&mut mux, &mut watch, 4, 40, 14);
        let repeated = seconds(&mut mux, &mut watch, 4, 800, 14);

        // time stamps begin afresh in each call, and so do not go on
        assert_eq!(senses(&skipped[3]), [Sense::Ok, Sense::Ok, Sense::Still, Sense::Still]);
        assert_eq!(senses(&repeated[3])[2..], [Sense::Still, Sense::Still]);
        assert_eq!(senses(&repeated[0])[1], Sense::Still);
    }

    #[test]
    fn key_pictures_alone_are_judged_by_their_sizes() {
        let (mut mux, mut watch) = (Mux::tables(H265, AAC), Watch::new(Kind::Ts));
        let mut second = |n: u64, size: &dyn Fn(u64) -> usize| {
            (0..25).for_each(|i| mux.picture(n * 25 + i, HEVC_KEY, size(i)));
            mux.gives(&mut watch);
            watch.second(1, Vec::new()).picture
        };

        let moving = [second(0, &|i| 9000 + 100 * i as usize), second(1, &|i| 9000 + 100 * i as usize)];
        let frozen = [second(2, &|i| 9000 + i as usize % 2), second(3, &|_| 9000), second(4, &|_| 9000)];

        assert_eq!(moving[1], Sense::Ok);
        assert_eq!(frozen[2], Sense::Still);
    }

    #[test]
    fn what_ceases_is_absent_in_the_next_second() {
        let (mut mux, mut watch) = (Mux::tables(H264, AAC), Watch::new(Kind::Ts));
        seconds(&mut mux, &mut watch, 2, 2000, 300);

        for n in 94..141 {
            mux.sound(n, 300);
        }
        mux.gives(&mut watch);
        let sound_alone = watch.second(1, Vec::new());
        let nothing = watch.second(1, Vec::new());

        assert_eq!(senses(&sound_alone), [Sense::Ok, Sense::Ok, Sense::Absent, Sense::Ok]);
        assert_eq!(senses(&nothing), [Sense::Absent; 4]);
    }

    #[test]
    fn a_missing_packet_is_a_gap_and_one_said_twice_is_none() {
        let (mut mux, mut watch) = (Mux::tables(H264, AAC), Watch::new(Kind::Ts));
        (0..40).for_each(|n| mux.picture(n, 0x41, 700));
        let twice = mux.out[10 * ts::PACKET..11 * ts::PACKET].to_vec();
        mux.out.splice(11 * ts::PACKET..11 * ts::PACKET, twice);
        mux.out.drain(20 * ts::PACKET..23 * ts::PACKET);

        mux.gives(&mut watch);

        assert_eq!(watch.second(1, Vec::new()).gaps, 3);
    }

    #[test]
    fn what_nobody_can_read_is_unknown_and_never_good() {
        let (mut mux, mut watch) = (Mux::tables(0x02, 0x04), Watch::new(Kind::Ts));
        let codecs = seconds(&mut mux, &mut watch, 2, 2000, 300);
        let mut watch = Watch::new(Kind::Ts);
        let mut scrambled = Mux::tables(H264, AAC);
        let mut second = |n| {
            scrambled.picture(n, 0x41, 2000);
            scrambled.sound(n, 300);
            for packet in scrambled.out.chunks_mut(ts::PACKET).filter(|p| p[1] & 1 != 0 && p[2] != 0) {
                packet[3] |= 0x80;
            }
            scrambled.gives(&mut watch);
            watch.second(1, Vec::new())
        };
        let scrambled = [second(0), second(1)];
        let mut watch = Watch::new(Kind::Ts);
        let Watch::Ts(programme) = &mut watch else { panic!("a ts stream") };
        programme.take(&[0x55; 1316]);
        let nonsense = watch.second(1, Vec::new());

        assert_eq!((codecs[1].picture, codecs[1].sound), (Sense::Unknown, Sense::Unknown));
        assert_eq!((scrambled[1].picture, scrambled[1].sound), (Sense::Unknown, Sense::Unknown));
        assert_eq!(senses(&nonsense), [Sense::Ok, Sense::Absent, Sense::Unknown, Sense::Unknown]);
    }

    #[test]
    fn an_opaque_session_tells_of_bytes_numbers_and_answers_alone() {
        let mut watch = Watch::new(Kind::Srt);
        let mut second = |from: u32, to: u32, answer: Option<u32>| {
            let Watch::Srt(opaque) = &mut watch else { panic!("an srt stream") };
            (from..to).for_each(|n| opaque.take(Seq::new(n), 1316));
            answer.into_iter().for_each(|seq| opaque.answer(Seq::new(seq)));
            let echo = watch.second(0, vec![Destination::default()]);
            (echo.flow, echo.destinations[0].answered, echo)
        };

        let first = second(0, 10, Some(9));
        let dead_listener = second(10, 20, None);
        let stuck_listener = second(20, 30, Some(9));
        let stuck_sender = second(29, 30, Some(30));
        let silent = second(0, 0, None);

        assert_eq!((first.0, first.1, first.2.bytes), (Sense::Ok, Sense::Ok, 13_160));
        assert_eq!((dead_listener.0, dead_listener.1), (Sense::Ok, Sense::Absent));
        assert_eq!((stuck_listener.0, stuck_listener.1), (Sense::Ok, Sense::Still));
        assert_eq!((stuck_sender.0, stuck_sender.1), (Sense::Still, Sense::Ok));
        assert_eq!((silent.0, silent.1), (Sense::Absent, Sense::Absent));
        let sessions = [&first, &dead_listener, &stuck_listener].map(|(_, _, echo)| echo.destinations[0].session);
        assert_eq!(sessions, [Session::Open, Session::Broken, Session::Open]);
        for (_, _, echo) in [first, dead_listener, stuck_listener, stuck_sender, silent] {
            assert_eq!([echo.clock, echo.picture, echo.sound], [Sense::Unknown; 3]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_grow(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..8000)) {
            let (mut mux, mut watch) = (Mux::tables(H264, AAC), Watch::new(Kind::Ts));
            mux.gives(&mut watch);
            bytes.iter_mut().step_by(ts::PACKET).for_each(|b| *b = ts::SYNC);
            let Watch::Ts(programme) = &mut watch else { panic!("a ts stream") };
            programme.take(&bytes);
            proptest::prop_assert!(programme.is_bounded());
            let _ = watch.second(1, Vec::new());
        }
    }
}
