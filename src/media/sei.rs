//! Remark with the wall clock in every picture, so that anyone can measure the way from glass to studio.
//!
//! The form is MISB ST 0604's precision time stamp: a user-data-unregistered SEI message (H.264 D.2.7, H.265
//! D.2.7) under the identifier `MISPmicrosectime`, a status byte, and microseconds since 1970 with a byte of
//! ones after every second byte. It is the time at which the picture was taken, the same in every encode.

/// What says that a time stamp follows.
const IDENTIFIER: &[u8; 16] = b"MISPmicrosectime";
/// Status: the clock is not locked to a reference that we know of, and it goes on without jumps.
const STATUS: u8 = 0x9f;
/// User data, unregistered.
const USER_DATA: u8 = 5;
/// Identifier, status, eight bytes and three of ones.
const LENGTH: u8 = 28;

/// Which coding the remark is for.
pub use super::road::Codec;

/// The remark as a NAL unit with its start code.
#[must_use]
pub fn nal(codec: Codec, micros: u64) -> Vec<u8> {
    let mut nal = vec![0, 0, 0, 1];
    match codec {
        Codec::H264 => nal.push(0x06),
        Codec::H265 => nal.extend([39 << 1, 1]),
    }
    nal.extend([USER_DATA, LENGTH]);
    nal.extend_from_slice(IDENTIFIER);
    nal.push(STATUS);
    // the ones in between keep any time from looking like a start code
    for (n, pair) in micros.to_be_bytes().chunks_exact(2).enumerate() {
        if n > 0 {
            nal.push(0xff);
        }
        nal.extend_from_slice(pair);
    }
    nal.push(0x80);
    nal
}

/// Where in an access unit the remark belongs: after the delimiter and the parameter sets, before the picture.
/// `None` if there is no picture in it.
#[must_use]
pub fn place(codec: Codec, unit: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some((start, first)) = next(unit, at) {
        let kind = match codec {
            Codec::H264 => u32::from(first & 0x1f),
            Codec::H265 => u32::from(first >> 1 & 0x3f),
        };
        let picture = match codec {
            Codec::H264 => (1..=5).contains(&kind),
            Codec::H265 => kind < 32,
        };
        if picture {
            return Some(start);
        }
        at = start + 3;
    }
    None
}

/// The next start code from `at` on, with the zero before it, and the byte after it.
fn next(unit: &[u8], at: usize) -> Option<(usize, u8)> {
    let found = unit.get(at..)?.windows(3).position(|w| w == [0, 0, 1])? + at;
    let first = *unit.get(found + 3)?;
    // from `at` on: a zero before it belongs to it only if it is not the end of the unit before
    let start = if found > at && unit[found - 1] == 0 { found - 1 } else { found };
    Some((start, first))
}

/// The time in an elementary stream's access unit, if it carries one.
#[must_use]
pub fn read(unit: &[u8]) -> Option<u64> {
    let at = unit.windows(IDENTIFIER.len()).position(|w| w == IDENTIFIER)? + IDENTIFIER.len() + 1;
    let b = unit.get(at..at + 11)?;
    let bytes = [b[0], b[1], b[3], b[4], b[6], b[7], b[9], b[10]];
    (b[2] == 0xff && b[5] == 0xff && b[8] == 0xff).then(|| u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remark_has_the_form_of_the_standard_to_the_byte() {
        let nal = nal(Codec::H264, 0x0006_49c5_1a2b_3c4d);

        let wanted = [
            &[0, 0, 0, 1, 6, 5, 28][..],
            b"MISPmicrosectime",
            &[0x9f, 0x00, 0x06, 0xff, 0x49, 0xc5, 0xff, 0x1a, 0x2b, 0xff, 0x3c, 0x4d, 0x80],
        ]
        .concat();
        assert_eq!(nal, wanted);
        assert_eq!(read(&nal), Some(0x0006_49c5_1a2b_3c4d));
    }

    #[test]
    fn it_stands_after_the_parameter_sets_and_before_the_picture() {
        let unit = [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 9, 9];
        assert_eq!(place(Codec::H264, &unit), Some(19));
        assert_eq!(place(Codec::H264, &[0, 0, 1, 0x41, 1]), Some(0));
        assert_eq!(place(Codec::H264, &unit[..19]), None);
        let h265 = [0, 0, 0, 1, 0x46, 1, 0x50, 0, 0, 0, 1, 0x40, 1, 0, 0, 0, 1, 0x26, 1, 7];
        assert_eq!(place(Codec::H265, &h265), Some(13));
    }

    proptest::proptest! {
        #[test]
        fn no_time_looks_like_a_start_code(micros in proptest::num::u64::ANY) {
            for codec in [Codec::H264, Codec::H265] {
                let nal = nal(codec, micros);
                proptest::prop_assert!(nal[4..].windows(3).all(|w| !(w[0] == 0 && w[1] == 0 && w[2] <= 3)));
                proptest::prop_assert_eq!(read(&nal), Some(micros));
            }
        }
    }
}
