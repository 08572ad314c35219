//! What an encoder may send: down at once when room is lost, up gently while there is room.

use std::time::Duration;

use crate::time::Instant;
use crate::units::Bitrate;

/// Where it begins, before anything is known.
const START: f64 = 3e6;
/// It is never told to send less: a picture needs so much, and the links must be measured with something.
const LEAST: f64 = 500e3;
/// One decision.
const STEP: Duration = Duration::from_millis(20);
/// No rise so soon after a fall.
const HOLD: Duration = Duration::from_millis(300);
/// So long after too much was offered the target counts as what the links carry: a stream that follows it comes back
/// to the limit sooner, since it rises by 16 % per second.
const LIMITED: Duration = Duration::from_secs(10);
/// Packets that wait longer than this for a link (µs): too much is offered.
const OVERLOAD: f64 = 50_000.0;
/// And below this there is room.
const ROOM: f64 = 20_000.0;
/// 0.3 % per step is 16 % per second.
const RISE: f64 = 1.003;
/// Below this share of what was sent before the last fall it rises at 64 % per second: most falls are short, and what
/// was carried a moment ago is no guess.
const KNOWN: f64 = 0.85;
const RETURN: f64 = 1.01;
/// A target far above what is sent is a guess: it rises only while at least this share of it is used.
/// Not more, since an encoder on an easy picture fills half of what it may, and would never grow.
const USED: f64 = 0.3;
/// Below this share the stream is off air: then no link is measured well enough to lower anything
/// below the start by it.
const OFF_AIR: f64 = 0.1;

/// What the target is made from, as of now.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// Bytes that were delivered since the last view.
    pub(super) delivered: u64,
    /// How long what waits would take on all links together, smoothed, µs.
    pub(super) overload_us: f64,
    /// Age of the oldest waiting packet.
    pub(super) waiting: Duration,
    /// L.
    pub(super) latency: Duration,
    /// Bytes per microsecond of all links that can be used.
    pub(super) capacity: f64,
    /// A link was lost since the last view.
    pub(super) lost_link: bool,
    /// What the caller sends.
    pub(super) offered: Bitrate,
    /// The most there is to rise to.
    pub(super) ceiling: Bitrate,
}

/// The running target.
#[derive(Debug, Clone)]
pub(super) struct Target {
    bps: f64,
    /// Where it stood before the last fall.
    before: f64,
    delivered: f64,
    crowded_at: Option<Instant>,
    held_until: Instant,
    last: Instant,
    pending: u64,
    lost_link: bool,
}

impl Target {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            bps: START,
            before: START,
            delivered: 0.0,
            crowded_at: None,
            held_until: now,
            last: now,
            pending: 0,
            lost_link: false,
        }
    }

    pub(super) fn rate(&self, ceiling: Bitrate) -> Bitrate {
        Bitrate::bps((self.bps as u64).min(ceiling.as_bps()))
    }

    /// Too much was offered within the last ten seconds.
    pub(super) fn is_limited(&self, now: Instant) -> bool {
        self.crowded_at.is_some_and(|at| now.since(at) < LIMITED)
    }

    /// Looks again; a decision is made every 20 ms, and at once when a link was lost.
    pub(super) fn tick(&mut self, now: Instant, view: View) {
        self.pending += view.delivered;
        self.lost_link |= view.lost_link;
        let dt = now.since(self.last);
        if dt < STEP && !self.lost_link {
            return;
        }
        let steps = (dt.as_micros() as f64 / STEP.as_micros() as f64).max(0.05);
        let sample = self.pending as f64 * 8e6 / (dt.as_micros() as f64).max(1000.0);
        self.delivered += (0.1 * steps).min(1.0) * (sample - self.delivered);
        self.pending = 0;
        self.last = now;
        let crowded = view.overload_us > OVERLOAD || view.waiting > view.latency.mul_f64(0.35);
        if crowded {
            self.crowded_at = Some(now);
        }
        if (self.lost_link || crowded) && now >= self.held_until {
            self.before = self.bps.max(KNOWN * self.before);
        }
        if self.lost_link {
            let off_air = (view.offered.as_bps() as f64) < OFF_AIR * self.bps;
            let least = if off_air { START } else { LEAST };
            self.bps = self.bps.min((0.85 * view.capacity * 8e6).max(least));
            self.held_until = now + HOLD;
        } else if crowded {
            let cut = 1.0 - (view.overload_us / 2e6).min(0.15);
            self.bps = self.bps.min(0.92 * self.delivered * cut);
            self.held_until = now + HOLD;
        } else if view.overload_us < ROOM && now >= self.held_until && view.offered.as_bps() as f64 > USED * self.bps {
            let step = if self.bps < KNOWN * self.before { RETURN } else { RISE };
            self.bps *= step.powf(steps.min(10.0));
        }
        self.lost_link = false;
        self.bps = self.bps.min(view.ceiling.as_bps() as f64).max(LEAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            delivered: 20_000,
            overload_us: 0.0,
            waiting: Duration::ZERO,
            latency: Duration::from_secs(1),
            capacity: 2.0,
            lost_link: false,
            offered: Bitrate::mbps(8),
            ceiling: Bitrate::mbps(20),
        }
    }

    fn after(target: &mut Target, from_ms: u64, steps: u64, view: View) -> Bitrate {
        for step in 1..=steps {
            target.tick(Instant::from_millis(from_ms + step * 20), view);
        }
        target.rate(view.ceiling)
    }

    #[test]
    fn the_target_rises_gently_and_not_beyond_what_is_used() {
        let mut target = Target::new(Instant::ZERO);

        let second = after(&mut target, 0, 50, view());
        assert!(second > Bitrate::kbps(3400) && second < Bitrate::kbps(3600), "{second}");
        let later = after(&mut target, 1000, 5000, View { offered: Bitrate::mbps(3), ..view() });

        assert!(later > Bitrate::mbps(9) && later < Bitrate::mbps(11), "3 Mbit/s are sent, {later} would be a guess");
    }

    #[test]
    fn a_lost_link_lowers_the_target_at_once() {
        let mut target = Target::new(Instant::ZERO);
        after(&mut target, 0, 2000, view());

        target.tick(Instant::from_millis(40_001), View { lost_link: true, capacity: 0.5, ..view() });

        assert_eq!(target.rate(Bitrate::mbps(20)), Bitrate::kbps(3400));
    }

    #[test]
    fn after_a_short_fall_it_is_soon_near_where_it_was_and_gentle_from_there() {
        let mut target = Target::new(Instant::ZERO);
        let high = after(&mut target, 0, 550, view());

        let crowded = View { delivered: 10_000, overload_us: 200_000.0, ..view() };
        let low = after(&mut target, 11_000, 20, crowded);
        let back = after(&mut target, 11_400, 165, view());
        let later = after(&mut target, 14_700, 25, view());

        assert!(low < high.scaled(0.4), "{low} of {high}");
        assert!(back > high.scaled(0.8) && later < high.scaled(1.1), "{back}, then {later} of {high}");
    }

    #[test]
    fn a_link_lost_off_the_air_says_nothing_about_the_rate() {
        let mut target = Target::new(Instant::ZERO);

        target.tick(
            Instant::from_millis(1),
            View { lost_link: true, capacity: 0.01, offered: Bitrate::bps(0), ..view() },
        );

        assert_eq!(target.rate(Bitrate::mbps(20)), Bitrate::mbps(3));
    }

    #[test]
    fn a_queue_that_grows_lowers_it_below_what_gets_through() {
        let mut target = Target::new(Instant::ZERO);
        after(&mut target, 0, 2000, view());

        let crowded = View { delivered: 10_000, overload_us: 200_000.0, ..view() };
        let low = after(&mut target, 40_000, 30, crowded);

        assert!(low < Bitrate::mbps(4), "{low}");
        assert!(target.is_limited(Instant::from_millis(50_000)) && !target.is_limited(Instant::from_millis(51_000)));
    }
}
