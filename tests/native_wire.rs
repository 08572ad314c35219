//! Golden bytes of the native dialect, both ways, and anything at all as input.

use livebox::wire::native::{self, Data, DataKind, Feedback, FeedbackWriter, Frame, Packer, StreamSeen, Unpacker};
use livebox::wire::srt;
use livebox::wire::{Seq, native::near};
use proptest::prelude::*;

fn emitted(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.emit(&mut out);
    out
}

fn feedback(frame: &[u8]) -> Feedback<'_> {
    match native::parse(frame) {
        Ok(Frame::Feedback(feedback)) => feedback,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_data_datagram_has_32_bytes_beside_its_payload_whichever_its_kind() {
    let ts = Data { stream: 2, seq: 0x010203, stamp: 0x0a0b0c0d, kind: DataKind::Ts, payload: &[0x47; 1316] };
    let srt = Data { stream: 0, kind: DataKind::Srt { anchor: 7, key: 3, resent: true }, ..ts };

    for data in [ts, srt] {
        let frame = emitted(&Frame::Data(data));
        assert_eq!(native::SEALED_HEADER + frame.len() + native::TAG, 1316 + 32);
        assert_eq!(native::parse(&frame), Ok(Frame::Data(data)));
    }
    assert_eq!(native::OVERHEAD, 32);
}

#[test]
fn an_srt_packet_is_given_out_as_it_came_across_every_wrap() {
    let (mut packer, mut unpacker) = (Packer::default(), Unpacker::default());
    let mut anchors = 0;
    for n in 0..4_000_000_u32 {
        let n = n * 40;
        let packet = srt::emit_data(&srt::Data {
            seq: Seq::new(0x7ff0_0000).plus(n),
            message: 0x3ff_fff0_u32.wrapping_add(n) % 0x3ff_ffff + 1,
            retransmitted: n % 100 == 0,
            timestamp: 0xffff_0000_u32.wrapping_add(n.wrapping_mul(500)),
            socket: 0x1234_5678,
            payload: b"payload",
        });
        let before = packer.anchor();

        let data = packer.pack(&packet).expect("a data packet");
        if packer.anchor() != before {
            anchors += 1;
            unpacker.learn(packer.anchor().expect("an anchor"));
        }

        let mut again = Vec::new();
        assert!(unpacker.unpack(&data, &mut again));
        assert_eq!(again, packet);
        assert_eq!(data.payload, b"payload", "the header stays behind");
    }
    assert!(anchors < 200, "{anchors} anchors");
}

#[test]
fn feedback_tells_ranges_and_times_of_every_link() {
    let mut out = Vec::new();
    let mut writer = FeedbackWriter::new(&mut out, 5_000, 1200);
    writer.stream(StreamSeen { stream: 0, next: 77, missing: 3 });
    writer.link(
        2,
        [0x100_0010..=0x100_0014, 0x100_0008..=0x100_000e, 0xff_fff0..=0xff_ffff],
        [4_990, 4_985, 4_986],
        1200,
    );
    writer.link(3, [5..=5], [4_000], 1200);
    writer.finish();

    let feedback = feedback(&out);

    assert_eq!(feedback.clock, 5_000);
    assert_eq!(feedback.streams().collect::<Vec<_>>(), [StreamSeen { stream: 0, next: 77, missing: 3 }]);
    let links: Vec<_> = feedback.links().collect();
    assert_eq!((links[0].link, links[0].highest, links[0].arrived), (2, 0x14, 4_990));
    let highest = near(links[0].highest, 0x100_0000);
    assert_eq!(
        links[0].ranges(highest).collect::<Vec<_>>(),
        [0x100_0010..=0x100_0014, 0x100_0008..=0x100_000e, 0xff_fff0..=0xff_ffff]
    );
    assert_eq!(
        links[0].arrivals(highest).collect::<Vec<_>>(),
        [(0x100_0014, 4_990), (0x100_0013, 4_985), (0x100_0012, 4_986)]
    );
    assert_eq!(links[1].arrivals(5).collect::<Vec<_>>(), [(5, 4_000)]);
    assert_eq!(emitted(&Frame::Feedback(feedback)), out);
}

#[test]
fn feedback_for_sixteen_busy_links_stays_within_its_limit() {
    let mut out = Vec::new();
    let mut writer = FeedbackWriter::new(&mut out, 50_000, 1200);
    for stream in 0..16 {
        writer.stream(StreamSeen { stream, next: 0xff_ffff, missing: u32::MAX });
    }
    for link in 0..16 {
        let ranges = (0..200_u64).map(|n| 1_000_000 - 1000 * n..=1_000_300 - 1000 * n);
        writer.link(link, ranges, (0..1000).map(|n| 50_000 - 200 * n), 62);
    }
    writer.finish();

    let feedback = feedback(&out);

    assert!(out.len() <= 1200, "{} bytes", out.len());
    assert_eq!(feedback.streams().count(), 16);
    assert_eq!(feedback.links().count(), 16);
    assert!(feedback.links().all(|link| link.ranges(1_000_300).count() >= 4));
}

#[test]
fn a_type_of_a_later_version_is_passed_over() {
    assert_eq!(native::parse(&[0x3f, 1, 2, 3]), Ok(Frame::Unknown(0x3f)));
    assert_eq!(native::parse(&[0x00]), Ok(Frame::Unknown(0)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_are_read_without_harm_and_written_as_they_were(frame in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = native::Clear::parse(&frame);
        let _ = native::Hello::parse(&frame);
        let _ = native::Welcome::parse(&frame);
        if let Ok(read) = native::parse(&frame) {
            if let Frame::Feedback(feedback) = read {
                for link in feedback.links() {
                    prop_assert!(link.ranges(u64::MAX).count() <= frame.len());
                    prop_assert!(link.arrivals(0).count() <= frame.len());
                }
            }
            let again = emitted(&read);
            prop_assert_eq!(native::parse(&again), Ok(read));
        }
    }
}
