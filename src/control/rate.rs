//! Rate: from what the links safely carry to the bitrate the encoder is told.
//!
//! In goes the engine's safe rate for everything; out comes the video bitrate. Down at once, since
//! every picture too big is late; up in small steps, and only after the links have held for a while.
//! Off the air nobody sees the steps, so there it follows at once.

use std::time::Duration;

use crate::time::Instant;
use crate::units::Bitrate;

/// Share of the safe rate that picture and sound may fill: the rest is TS, PES and PSI (4 to 5 %),
/// SRT headers (1.2 %) and what a CBR encoder overshoots within a second. 0.97 filled queues; 0.85
/// wastes a modem.
const PAYLOAD_SHARE: f64 = 0.92;

/// TS, PES and PSI on top of picture and sound.
const MUX_FACTOR: f64 = 1.045;

/// A shortfall smaller than this is borne for a moment: the safe rate itself trembles by as much,
/// and an encoder that is told ten rates a second never settles.
const SMALL: f64 = 0.03;

/// A small shortfall that stands so long is followed too.
const SMALL_FOR: Duration = Duration::from_secs(1);

/// After a step down the links must hold so long before the first step up; two round trips of a bad
/// modem and one key picture fit in, an operator does not yet miss the quality.
const HOLD: Duration = Duration::from_secs(3);

/// Steps up come so often …
const STEP_EVERY: Duration = Duration::from_secs(1);

/// … and are so big: from 1 to 6 Mbit/s in twenty seconds, and no step by itself fills a link's queue.
const STEP: f64 = 1.10;

/// Steps smaller than this are not worth telling an encoder.
const GRAIN: u64 = 10_000;

/// The encoder's bitrate, and what it needs to decide the next.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    range: (Bitrate, Bitrate),
    sound: Bitrate,
    told: Bitrate,
    /// What the links leave for the picture, before the range is applied.
    room: Option<Bitrate>,
    short_since: Option<Instant>,
    /// Before this no step up.
    rest_until: Instant,
}

impl Rate {
    pub(super) fn new(now: Instant, range: (Bitrate, Bitrate), sound: Bitrate) -> Self {
        Self { range, sound, told: range.0, room: None, short_since: None, rest_until: now }
    }

    /// The video bitrate the encoder is told.
    pub(super) fn told(&self) -> Bitrate {
        self.told
    }

    /// The transport stream that the encoder was told to fill.
    pub(super) fn stream(&self) -> Bitrate {
        Bitrate::bps(self.told.as_bps() + self.sound.as_bps()).scaled(MUX_FACTOR)
    }

    /// What the programme needs of the links at its least and at its most.
    pub(super) fn need(&self) -> (Bitrate, Bitrate) {
        (self.with_overhead(self.range.0), self.with_overhead(self.range.1))
    }

    /// What a transport stream of this rate leaves for the picture.
    pub(super) fn picture_of(stream: Bitrate, sound: Bitrate) -> Bitrate {
        Bitrate::bps(stream.scaled(1.0 / MUX_FACTOR).as_bps().saturating_sub(sound.as_bps()))
    }

    /// The links leave less than the least bitrate.
    pub(super) fn short(&self) -> bool {
        self.room.is_some_and(|room| room < self.range.0)
    }

    pub(super) fn handle_config(&mut self, range: (Bitrate, Bitrate), sound: Bitrate) {
        self.range = range;
        self.sound = sound;
        self.told = self.told.clamp(range.0, range.1);
    }

    /// The engine measured; `on_air` makes steps up gentle.
    pub(super) fn handle_target(&mut self, now: Instant, target: Bitrate, on_air: bool) {
        let room = target.scaled(PAYLOAD_SHARE).as_bps().saturating_sub(self.sound.as_bps());
        let room = Bitrate::bps(room - room % GRAIN);
        self.room = Some(room);
        let wanted = room.clamp(self.range.0, self.range.1);

        if wanted < self.told {
            let since = *self.short_since.get_or_insert(now);
            if wanted < self.told.scaled(1.0 - SMALL) || now.since(since) >= SMALL_FOR {
                self.told = wanted;
                self.short_since = None;
            }
            // also a small shortfall means that there is no room to grow
            self.rest_until = now + HOLD;
            return;
        }
        self.short_since = None;
        if !on_air {
            self.told = wanted;
        } else if now >= self.rest_until && (wanted > self.told.scaled(1.0 + SMALL) || wanted == self.range.1) {
            let step = self.told.scaled(STEP).as_bps() + GRAIN;
            self.told = Bitrate::bps(step - step % GRAIN).min(wanted);
            self.rest_until = now + STEP_EVERY;
        }
    }

    fn with_overhead(&self, video: Bitrate) -> Bitrate {
        Bitrate::bps(video.as_bps() + self.sound.as_bps()).scaled(1.0 / PAYLOAD_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn rate() -> Rate {
        Rate::new(at(0), (Bitrate::kbps(500), Bitrate::mbps(6)), Bitrate::kbps(128))
    }

    #[test]
    fn the_programme_never_needs_more_than_the_links_safely_carry() {
        let mut rate = rate();

        for target in [1_000, 2_000, 4_300, 7_000, 3_000, 900] {
            let target = Bitrate::kbps(target);
            rate.handle_target(at(0), target, false);

            assert!(rate.with_overhead(rate.told()) <= target, "{} of {target}", rate.told());
        }
    }

    #[test]
    fn a_collapse_is_followed_at_once_and_recovery_takes_steps() {
        let mut rate = rate();
        rate.handle_target(at(0), Bitrate::mbps(10), false);
        assert_eq!(rate.told(), Bitrate::mbps(6));

        rate.handle_target(at(100), Bitrate::mbps(2), true);
        let low = rate.told();
        assert!(low < Bitrate::mbps(2));
        let mut steps = 0;
        let mut now = at(100);
        let mut last = low;
        while rate.told() < Bitrate::mbps(6) {
            now += Duration::from_millis(100);
            rate.handle_target(now, Bitrate::mbps(10), true);
            if rate.told() != last {
                assert!(rate.told() <= Bitrate::bps(last.scaled(STEP).as_bps() + GRAIN));
                (last, steps) = (rate.told(), steps + 1);
            }
        }
        assert!(steps > 8, "{steps}");
        assert!(now > at(10_000) && now < at(40_000), "{now:?}");
    }

    #[test]
    fn a_trembling_safe_rate_does_not_make_the_encoder_tremble() {
        let mut rate = rate();
        rate.handle_target(at(0), Bitrate::kbps(4000), false);
        let mut told = vec![rate.told()];

        for n in 1..300_u64 {
            let target = Bitrate::kbps(if n % 2 == 0 { 4000 } else { 3960 });
            rate.handle_target(at(n * 100), target, true);
            told.push(rate.told());
        }

        let changes = told.windows(2).filter(|w| w[0] != w[1]).count();
        assert!(changes <= 1, "{changes} changes");
    }
}
