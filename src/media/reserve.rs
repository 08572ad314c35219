//! Reserve: how long pictures and sound wait before their turn, so that a thread may come late.
//!
//! It is the box's own share of the way from the lens to the studio: short where threads come in time,
//! and a picture longer each time the sound on air ran dry only because they did not. Where the sound
//! waits for the later of two lines, pictures wait with it, in whole pictures.

use std::time::Duration;

/// The most that a busy machine makes of it.
const MOST: Duration = Duration::from_millis(200);
/// What a card hands over at once.
const PIECE: Duration = Duration::from_millis(10);

/// How far in the past the pump asks for pictures and sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    period: Duration,
    least: Duration,
    /// Pictures by which it grew because a thread was late, and because the sound waits.
    stutters: u32,
    waits: u32,
}

impl Reserve {
    /// A reserve of at least `wanted` for pictures that are `period` apart.
    ///
    /// Whole pictures and a half: a source on the programme's grid is never on an edge. And at least what the
    /// sound needs: that of a tick is as long as a picture, and a card hands over pieces.
    #[must_use]
    pub fn new(period: Duration, wanted: Duration) -> Self {
        let each = period.as_micros().max(1);
        let needs = (period / 2 + PIECE).as_micros().div_ceil(each);
        let whole = (wanted.as_micros() / each).max(needs) as u32;
        let least = period * whole + period / 2;
        Self { period, least, stutters: 0, waits: 0 }
    }

    /// What pictures wait for now.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.least + self.grown()
    }

    /// By how much it is longer than it was at first.
    #[must_use]
    pub fn grown(&self) -> Duration {
        self.period * (self.stutters + self.waits)
    }

    /// By how much the sound waits longer than at first because a thread was late.
    #[must_use]
    pub fn late(&self) -> Duration {
        self.period * self.stutters
    }

    /// The sound waits so long for the later of two lines; pictures wait with it, to the nearest whole one.
    pub fn set_wait(&mut self, wait: Duration) {
        let wait = wait.min(MOST) + self.period / 2;
        self.waits = (wait.as_micros() / self.period.as_micros().max(1)) as u32;
    }

    /// By how much pictures wait because the sound does.
    #[must_use]
    pub fn waits(&self) -> Duration {
        self.period * self.waits
    }

    /// The sound on air ran dry and came back at once: its thread was late. True if the reserve grew.
    pub fn handle_stutter(&mut self) -> bool {
        let grows = self.delay() + self.period <= MOST.max(self.least);
        self.stutters += u32::from(grows);
        grows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_is_whole_pictures_and_a_half_and_long_enough_for_the_sound_of_one() {
        assert_eq!(Reserve::new(ms(40), ms(60)).delay(), ms(60));
        assert_eq!(Reserve::new(ms(40), ms(200)).delay(), ms(220));
        assert_eq!(Reserve::new(ms(40), ms(0)).delay(), ms(60));
        assert_eq!(Reserve::new(ms(20), ms(60)).delay(), ms(70));
        for period in [16, 20, 33, 40, 66].map(ms) {
            let sound = Reserve::new(period, ms(0)).delay();
            assert!(sound >= period + PIECE, "{period:?}: what a tick asks for was handed over by then: {sound:?}");
        }
    }

    #[test]
    fn every_stutter_makes_it_a_picture_longer_up_to_200_ms() {
        let mut reserve = Reserve::new(ms(40), ms(60));

        let grew: Vec<bool> = (0..6).map(|_| reserve.handle_stutter()).collect();

        assert_eq!(grew, [true, true, true, false, false, false]);
        assert_eq!((reserve.delay(), reserve.grown()), (ms(180), ms(120)));
    }

    #[test]
    fn pictures_wait_with_the_sound_to_the_nearest_whole_one() {
        let mut reserve = Reserve::new(ms(40), ms(60));

        let delays = [0, 19, 20, 23, 61, 999].map(|wait| {
            reserve.set_wait(ms(wait));
            reserve.delay().as_millis()
        });

        assert_eq!(delays, [60, 60, 100, 100, 140, 260]);
        assert_eq!((reserve.late(), reserve.waits()), (ms(0), ms(200)));
    }

    #[test]
    fn one_that_is_long_by_its_setting_stays_as_it_is() {
        let mut reserve = Reserve::new(ms(40), ms(400));

        assert!(!reserve.handle_stutter());
        assert_eq!(reserve.delay(), ms(420));
    }
}
