//! Entry: where in a transport stream a receiver that hears it for the first time may begin.
//!
//! That is a key picture with the two tables before it. The encoder marks it (`random_access_indicator`), or its first
//! units say so: parameter sets or a key slice. Where the tables name no picture that can be told apart, or there are no
//! tables, one place is as good as another.

use bytes::Bytes;

use crate::wire::ts::{self, Codec, PACKET, Packet};

/// Follows one stream.
#[derive(Debug, Default)]
pub struct Entries {
    pat: Option<Box<[u8]>>,
    pmt: Option<Box<[u8]>>,
    table: Option<u16>,
    /// The pictures that can be told apart, once tables named them.
    video: Option<(u16, Codec)>,
}

impl Entries {
    /// Takes a payload of the stream, in its turn: what a receiver is given instead of it that begins here, if it may.
    pub fn take(&mut self, payload: &Bytes) -> Option<Bytes> {
        let mut entry = None;
        for (number, bytes) in payload.chunks_exact(PACKET).enumerate() {
            let Some(packet) = Packet::parse(bytes).filter(|packet| packet.starts) else { continue };
            if packet.pid == ts::PAT {
                self.table = ts::program(packet.payload).or(self.table);
                self.pat = Some(bytes.into());
            } else if Some(packet.pid) == self.table {
                let mut streams = ts::streams(packet.payload);
                self.video = streams.find_map(|(pid, kind)| Codec::of(kind).map(|codec| (pid, codec)));
                self.pmt = Some(bytes.into());
            } else if let Some((_, codec)) = self.video.filter(|(pid, _)| *pid == packet.pid)
                && entry.is_none()
                && codec.begins(&packet)
            {
                entry = Some(self.from(&payload[number * PACKET..]));
            }
        }
        if self.video.is_none() { Some(payload.clone()) } else { entry }
    }

    /// The tables, and then the rest of a payload.
    fn from(&self, rest: &[u8]) -> Bytes {
        let tables = [&self.pat, &self.pmt].into_iter().flatten();
        tables.map(|table| &table[..]).chain([rest]).collect::<Vec<_>>().concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ts::{AAC, H264, H265, SYNC};

    const PAT: [u8; 17] = [0, 0x00, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0x00, 0, 0, 0, 0];
    const BETWEEN: [u8; 6] = [0, 0, 0, 1, 0x41, 0x9a];
    const KEY: [u8; 12] = [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x64];

    fn pmt(video: u8) -> Vec<u8> {
        let mut pmt = vec![0, 0x02, 0xb0, 23, 0, 1, 0xc1, 0, 0, 0xe1, 0x01, 0xf0, 0];
        pmt.extend([video, 0xe1, 0x01, 0xf0, 0, AAC, 0xe1, 0x02, 0xf0, 0, 0, 0, 0, 0]);
        pmt
    }

    /// A packet of `pid` in which something begins.
    fn packet(pid: u16, payload: &[u8], marked: bool) -> Vec<u8> {
        let mut bytes = vec![SYNC, 0x40 | (pid >> 8) as u8, pid as u8, 0x30];
        let stuffing = PACKET - 5 - payload.len();
        bytes.extend([stuffing as u8, if marked { 0x40 } else { 0 }]);
        bytes.resize(5 + stuffing, 0xff);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn picture(units: &[u8], marked: bool) -> Vec<u8> {
        packet(0x101, &[&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1][..], units].concat(), marked)
    }

    fn sound() -> Vec<u8> {
        packet(0x102, &[0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0, 0xff, 0xf1], true)
    }

    #[test]
    fn a_receiver_begins_with_the_tables_and_a_key_picture_and_nowhere_between() {
        let mut entries = Entries::default();
        let tables = [packet(0, &PAT, false), packet(0x100, &pmt(H264), false)].concat();

        let first = entries.take(&[&tables[..], &sound(), &picture(&KEY, false)].concat().into());
        let between = entries.take(&[sound(), picture(&BETWEEN, false), sound()].concat().into());
        let later = entries.take(&[picture(&BETWEEN, false), picture(&KEY, false), sound()].concat().into());

        assert_eq!(first, Some([&tables[..], &picture(&KEY, false)].concat().into()));
        assert_eq!(between, None);
        assert_eq!(later, Some([&tables[..], &picture(&KEY, false), &sound()].concat().into()));
    }

    #[test]
    fn the_encoders_own_mark_counts_and_each_codec_is_read_in_its_way() {
        let begins = |kind: u8, units: &[u8], marked: bool| {
            let mut entries = Entries::default();
            entries.take(&[packet(0, &PAT, false), packet(0x100, &pmt(kind), false)].concat().into());
            entries.take(&picture(units, marked).into()).is_some()
        };

        assert!(begins(H264, &BETWEEN, true), "marked");
        assert!(begins(H264, &[0, 0, 1, 0x65], false) && !begins(H264, &[0, 0, 1, 6, 0, 0, 1, 0x41], false));
        // VPS, an IDR with and without what leads; a trailing picture after a remark
        assert!(begins(H265, &[0, 0, 1, 0x40, 1], false) && begins(H265, &[0, 0, 1, 19 << 1, 1], false));
        assert!(!begins(H265, &[0, 0, 1, 39 << 1, 1, 0, 0, 1, 1 << 1], false));
        // a sequence header, and a picture alone
        assert!(begins(0x02, &[0, 0, 1, 0xb3], false) && !begins(0x02, &[0, 0, 1, 0, 0, 0, 1, 0xb3], false));
    }

    #[test]
    fn where_nothing_can_be_waited_for_every_payload_will_do() {
        let payload: Bytes = [sound(), picture(&BETWEEN, false)].concat().into();
        let mut without = Entries::default();
        let mut sound_alone = Entries::default();
        sound_alone.take(&[packet(0, &PAT, false), packet(0x100, &pmt(0x06), false)].concat().into());

        assert_eq!(without.take(&payload), Some(payload.clone()));
        assert_eq!(sound_alone.take(&payload), Some(payload.clone()));
        assert_eq!(without.take(&Bytes::new()), Some(Bytes::new()));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..3000)) {
            let mut entries = Entries::default();
            entries.take(&[packet(0, &PAT, false), packet(0x100, &pmt(H264), false)].concat().into());
            bytes.iter_mut().step_by(PACKET).for_each(|b| *b = SYNC);
            let _ = entries.take(&bytes.into());
        }
    }
}
