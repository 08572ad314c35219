//! Backdate: the time stamps of a mux's sound, put back by what limiter and coder hold it.
//!
//! The coder says nothing of its delay, so its blocks carry the time of what went in, not of what comes out.
//! To wait with every picture until its sound is coded would cost the programme as much; a receiver waits anyway,
//! since a transport stream may bring sound later than the picture it belongs to (ISO/IEC 13818-1, 2.4.2).

use super::restamp::{Kind, Reader, put_back};
use crate::time::Duration;
use crate::wire::ts::{CLOCK, PACKET};

/// Puts the sound of one transport stream back.
#[derive(Debug, Default)]
pub struct Backdate {
    reader: Reader,
    /// Ticks of 90 kHz.
    by: u64,
}

impl Backdate {
    /// By so much, to the nearest tick of 90 kHz.
    #[must_use]
    pub fn new(by: Duration) -> Self {
        let by = (by.as_nanos() * u128::from(CLOCK) + 500_000_000) / 1_000_000_000;
        Self { reader: Reader::default(), by: by as u64 }
    }

    /// Goes over the stream's next packets, in their order; what is no whole packet is left as it is.
    pub fn pass(&mut self, bytes: &mut [u8]) {
        for packet in bytes.chunks_exact_mut(PACKET) {
            if let Some(Kind::Sound { .. }) = self.reader.read(packet) {
                put_back(packet, self.by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Encode, PERIOD};
    use super::super::ts::Scan;
    use super::*;

    /// Time stamps of the pictures and of the blocks of sound.
    fn stamps(bytes: &[u8]) -> [Vec<u64>; 2] {
        let mut scan = Scan::new();
        scan.push(bytes);
        assert_eq!((scan.discontinuities, scan.garbage), (0, 0));
        [&scan.video, &scan.audio].map(|list| list.iter().map(|stamp| stamp.pts).collect())
    }

    fn programme(base: u64) -> Vec<u8> {
        let mut encode = Encode::new(1, base, 0);
        (0..50).flat_map(|n| encode.picture(n % 25 == 0)).collect()
    }

    #[test]
    fn the_sound_is_put_back_and_nothing_else_is_touched() {
        let before = programme(90_000);
        let mut after = before.clone();
        // in the pieces that a mux gives
        let mut backdate = Backdate::new(Duration::from_micros(38_500));
        after.chunks_mut(7 * PACKET).for_each(|piece| backdate.pass(piece));

        let ([pictures, sound], [pictures_after, sound_after]) = (stamps(&before), stamps(&after));
        assert_eq!(pictures, pictures_after);
        assert!(sound.len() > 90 && sound.iter().map(|pts| pts - 3465).eq(sound_after));
        // five bytes of each block's stamp, at most
        let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert!(changed <= 5 * sound.len(), "{changed} bytes");
    }

    #[test]
    fn stamps_before_zero_are_those_before_the_wrap() {
        let mut bytes = programme(0);
        Backdate::new(Duration::from_millis(40)).pass(&mut bytes);

        let [pictures, sound] = stamps(&bytes);
        assert_eq!(pictures[..2], [0, PERIOD]);
        assert_eq!(sound[..3], [-3600_i64, -1680, 240].map(|pts| pts.wrapping_add(1 << 33) as u64));
    }
}
