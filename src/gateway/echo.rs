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

use std::collections::BTreeMap;

use crate::wire::Seq;
use crate::wire::echo::{Destination, Echo, Kind, Sense, Session};
use crate::wire::ts::{self, AAC, H264, H265, Nal, Packet, Pes};

/// Bytes of a picture in which everything is skipped, at the most, many slices included.
const UNCHANGED: u32 = 160;
/// Sizes of unchanged pictures differ by less: x264 without skipping writes 800 to 803 bytes at 720p and
/// 2123 to 2130 at 1080p, and moving ones at 4 Mbit/s differ by hundreds.
const DIFFERS: u32 = 16;
/// The same as one part in so many, for large pictures.
const DIFFERS_PART: u32 = 256;
/// One in so many pictures must have changed.
const CHANGING: u32 = 4;
/// Bytes of an AAC frame of digital silence at the most, with its ADTS header of seven.
const SILENT: u32 = 32;
/// Bytes of an ADTS header that hold the frame's length.
const ADTS: usize = 7;
/// Streams of one programme whose counters are followed; a box sends two and the tables.
const MOST_PIDS: usize = 32;
/// Half of the time stamps' 33 bits: whatever is ahead by less went on.
const HALF: u64 = 1 << 32;

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
            Self::Ts(programme) => programme.bytes,
            Self::Srt(opaque) => opaque.bytes,
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

/// What a second of pictures and sound brought.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    bytes: u64,
    stamps: u32,
    went_on: bool,
    pictures: u32,
    leaning: u32,
    changed: u32,
    keys_changed: u32,
    frames: u32,
    heard: u32,
    scrambled: bool,
}

/// A transport stream, looked at packet by packet.
#[derive(Debug, Default)]
pub struct Programme {
    bytes: u64,
    gaps: u64,
    table: Option<u16>,
    video: Option<(u16, u8)>,
    audio: Option<(u16, u8)>,
    counters: BTreeMap<u16, u8>,
    newest: Option<u64>,
    units: Units,
    sound: Frames,
    last_leaning: u32,
    last_key: u32,
    now: Second,
    before: Second,
}

impl Programme {
    /// A payload of whole packets, in the order of the stream; what is none is only counted.
    pub fn take(&mut self, payload: &[u8]) {
        self.bytes += payload.len() as u64;
        self.now.bytes += payload.len() as u64;
        for packet in payload.chunks_exact(ts::PACKET).filter_map(Packet::parse) {
            self.packet(&packet);
        }
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        if packet.pid == ts::NULL || packet.payload.is_empty() {
            return;
        }
        let room = self.counters.len() < MOST_PIDS;
        match self.counters.get_mut(&packet.pid) {
            Some(last) => {
                // a packet may be said twice
                let step = packet.counter.wrapping_sub(*last) & 0x0f;
                if step > 1 && !packet.jumps {
                    self.gaps += u64::from(step) - 1;
                }
                if step == 0 {
                    return;
                }
                *last = packet.counter;
            }
            None if room => {
                self.counters.insert(packet.pid, packet.counter);
            }
            None => {}
        }
        if packet.starts && packet.pid == ts::PAT {
            self.table = ts::program(packet.payload).or(self.table);
        } else if packet.starts && Some(packet.pid) == self.table {
            self.streams(packet.payload);
        } else if let Some((_, codec)) = self.video.filter(|(pid, _)| *pid == packet.pid) {
            self.picture(packet, codec);
        } else if let Some((_, codec)) = self.audio.filter(|(pid, _)| *pid == packet.pid) {
            self.sound(packet, codec);
        }
    }

    fn streams(&mut self, payload: &[u8]) {
        let first = |wanted: fn(u8) -> bool| ts::streams(payload).find(|(_, codec)| wanted(*codec));
        self.video = first(|codec| matches!(codec, H264 | H265) || ts::OTHER_PICTURES.contains(&codec));
        self.audio = first(|codec| codec == AAC || ts::OTHER_SOUND.contains(&codec));
    }

    fn picture(&mut self, packet: &Packet<'_>, codec: u8) {
        if packet.scrambled {
            self.now.scrambled = true;
            return;
        }
        let mut data = packet.payload;
        if packet.starts {
            self.picture_ended();
            let Some(pes) = Pes::parse(packet.payload) else { return };
            self.stamp(pes.pts);
            self.now.pictures += 1;
            data = pes.data;
        }
        if matches!(codec, H264 | H265) {
            self.units.take(codec, data);
        }
    }

    fn picture_ended(&mut self) {
        let Units { between, key, .. } = std::mem::take(&mut self.units);
        let differs = |size: u32, last: u32| last > 0 && size.abs_diff(last) > DIFFERS.max(size / DIFFERS_PART);
        if between > 0 {
            self.now.leaning += 1;
            self.now.changed += u32::from(between > UNCHANGED && differs(between, self.last_leaning));
            self.last_leaning = between;
        } else if key > 0 {
            self.now.keys_changed += u32::from(differs(key, self.last_key));
            self.last_key = key;
        }
    }

    fn sound(&mut self, packet: &Packet<'_>, codec: u8) {
        if packet.scrambled {
            self.now.scrambled = true;
            return;
        }
        let mut data = packet.payload;
        if packet.starts {
            let Some(pes) = Pes::parse(packet.payload) else { return };
            self.stamp(pes.pts);
            data = pes.data;
        }
        if codec == AAC {
            let (frames, heard) = self.sound.take(data);
            self.now.frames += frames;
            self.now.heard += heard;
        }
    }

    fn stamp(&mut self, pts: Option<u64>) {
        let Some(pts) = pts else { return };
        self.now.stamps += 1;
        let ahead = self.newest.is_none_or(|newest| {
            let step = pts.wrapping_sub(newest) & (2 * HALF - 1);
            step > 0 && step < HALF
        });
        if ahead {
            self.newest = Some(pts);
            self.now.went_on = true;
        }
    }

    fn second(&mut self, stream: u8, destinations: Vec<Destination>) -> Echo {
        let (now, before) = (std::mem::take(&mut self.now), self.before);
        self.before = now;
        let both = |of: fn(&Second) -> u32| of(&now) + of(&before);
        let stood = |there: bool, moves: bool| match (there, moves) {
            (false, _) => Sense::Absent,
            (true, false) => Sense::Still,
            (true, true) => Sense::Ok,
        };
        let known = |pid: Option<(u16, u8)>, codecs: &[u8], sense: Sense| match pid {
            // without tables nobody knows what should be there; with them a missing stream is missing
            None if self.table.is_none() && now.bytes > 0 => Sense::Unknown,
            Some((_, codec)) if now.scrambled || !codecs.contains(&codec) => Sense::Unknown,
            _ => sense,
        };
        let leaning = both(|s| s.leaning);
        let changes =
            if leaning > 0 { both(|s| s.changed) * CHANGING >= leaning } else { both(|s| s.keys_changed) > 0 };
        Echo {
            stream,
            kind: Kind::Ts,
            flow: if now.bytes > 0 { Sense::Ok } else { Sense::Absent },
            clock: if now.scrambled { Sense::Unknown } else { stood(now.stamps > 0, now.went_on) },
            picture: known(self.video, &[H264, H265], stood(now.pictures > 0, changes)),
            sound: known(self.audio, &[AAC], stood(now.frames > 0, both(|s| s.heard) > 0)),
            bytes: self.bytes,
            missing: 0,
            gaps: self.gaps as u32,
            destinations,
        }
    }
}

/// How much of the present picture is in which kind of unit.
#[derive(Debug)]
struct Units {
    /// Zeros in a row, as far as they matter.
    zeros: u8,
    /// The next byte says what the unit is.
    begins: bool,
    kind: Nal,
    between: u32,
    key: u32,
}

impl Default for Units {
    fn default() -> Self {
        Self { zeros: 0, begins: false, kind: Nal::Other, between: 0, key: 0 }
    }
}

impl Units {
    /// The next bytes of the picture, in any pieces.
    fn take(&mut self, codec: u8, data: &[u8]) {
        for byte in data {
            if self.begins {
                self.kind = Nal::of(codec, *byte);
                self.begins = false;
            } else if self.zeros >= 2 && *byte == 1 {
                self.begins = true;
            }
            self.zeros = if *byte == 0 { (self.zeros + 1).min(2) } else { 0 };
            match self.kind {
                Nal::Between => self.between = self.between.saturating_add(1),
                Nal::Key => self.key = self.key.saturating_add(1),
                Nal::Other => {}
            }
        }
    }
}

/// Steps from one ADTS frame to the next, across packets.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of the present frame still to come.
    left: usize,
    head: [u8; ADTS],
    have: usize,
}

impl Frames {
    /// Frames that began in `data`, and how many of them carry more than silence.
    fn take(&mut self, mut data: &[u8]) -> (u32, u32) {
        let (mut frames, mut heard) = (0, 0);
        while !data.is_empty() {
            if self.left > 0 {
                let step = self.left.min(data.len());
                self.left -= step;
                data = &data[step..];
                continue;
            }
            self.head[self.have] = data[0];
            data = &data[1..];
            self.have += 1;
            let looks = match self.have {
                1 => self.head[0] == 0xff,
                _ => self.head[1] & 0xf6 == 0xf0,
            };
            if !looks {
                // this byte may itself be the first of a frame
                self.head[0] = self.head[self.have - 1];
                self.have = usize::from(self.head[0] == 0xff);
                continue;
            }
            if self.have == ADTS {
                self.have = 0;
                let h = |i: usize| u32::from(self.head[i]);
                let length = (h(3) & 3) << 11 | h(4) << 3 | h(5) >> 5;
                if length as usize >= ADTS {
                    self.left = length as usize - ADTS;
                    frames += 1;
                    heard += u32::from(length > SILENT);
                }
            }
        }
        (frames, heard)
    }
}

/// An SRT session, looked at from outside.
#[derive(Debug, Default)]
pub struct Opaque {
    bytes: u64,
    newest: Option<Seq>,
    answered: Option<Seq>,
    came: bool,
    went_on: bool,
    answer_came: bool,
    answer_went_on: bool,
}

impl Opaque {
    /// A data packet of the session, towards the listener.
    pub fn take(&mut self, seq: Seq, len: usize) {
        self.bytes += len as u64;
        self.came = true;
        if self.newest.is_none_or(|newest| seq.distance(newest) != 0) {
            self.went_on |= self.newest.is_none_or(|newest| seq.distance(newest) > 0);
            // a number far back is another session, and goes on from there
            self.newest = self.newest.filter(|newest| (-8192..0).contains(&seq.distance(*newest))).or(Some(seq));
        }
    }

    /// The listener acknowledges everything before `seq`.
    pub fn answer(&mut self, seq: Seq) {
        self.answer_came = true;
        if self.answered.is_none_or(|answered| seq.distance(answered) != 0) {
            self.answer_went_on |= self.answered.is_none_or(|answered| seq.distance(answered) > 0);
            self.answered = Some(seq);
        }
    }

    pub(super) fn second(&mut self, stream: u8, mut destinations: Vec<Destination>) -> Echo {
        let sense = |came: bool, went_on: bool| match (came, went_on) {
            (false, _) => Sense::Absent,
            (true, false) => Sense::Still,
            (true, true) => Sense::Ok,
        };
        // the listener is the one place where an opaque session goes
        for destination in &mut destinations {
            destination.answered = sense(self.answer_came, self.answer_went_on);
            destination.session = match self.answered {
                Some(_) if self.answer_came => Session::Open,
                Some(_) => Session::Broken,
                None => Session::Waiting,
            };
        }
        let echo = Echo {
            stream,
            kind: Kind::Srt,
            flow: sense(self.came, self.went_on),
            clock: Sense::Unknown,
            picture: Sense::Unknown,
            sound: Sense::Unknown,
            bytes: self.bytes,
            missing: 0,
            gaps: 0,
            destinations,
        };
        (self.came, self.went_on, self.answer_came, self.answer_went_on) = (false, false, false, false);
        echo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            proptest::prop_assert!(programme.counters.len() <= MOST_PIDS);
            let _ = watch.second(1, Vec::new());
        }
    }
}
