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
    /// And for good: its carrier or address is gone, or it was silent for so long that it was written off.
    pub(super) gone: bool,
    /// A link is silent and not given up: most come back.
    pub(super) silent: bool,
    /// Share of what was sent in the last second that went over links that can be used.
    pub(super) carried: f64,
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
    gone: bool,
    /// What may be sent while a link is silent, if that is less.
    meanwhile: Option<f64>,
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
            gone: false,
            meanwhile: None,
        }
    }

    pub(super) fn rate(&self, ceiling: Bitrate) -> Bitrate {
        Bitrate::bps((self.bps() as u64).min(ceiling.as_bps()))
    }

    fn bps(&self) -> f64 {
        self.meanwhile.unwrap_or(self.bps).min(self.bps)
    }

    /// Too much was offered within the last ten seconds.
    pub(super) fn is_limited(&self, now: Instant) -> bool {
        self.crowded_at.is_some_and(|at| now.since(at) < LIMITED)
    }

    /// Looks again; a decision is made every 20 ms, and at once when a link was lost.
    pub(super) fn tick(&mut self, now: Instant, view: View) {
        self.pending += view.delivered;
        self.lost_link |= view.lost_link;
        self.gone |= view.gone;
        let dt = now.since(self.last);
        if dt < STEP && !self.lost_link && !self.gone {
            return;
        }
        let steps = (dt.as_micros() as f64 / STEP.as_micros() as f64).max(0.05);
        let sample = self.pending as f64 * 8e6 / (dt.as_micros() as f64).max(1000.0);
        self.delivered += (0.1 * steps).min(1.0) * (sample - self.delivered);
        self.pending = 0;
        self.last = now;
        if self.lost_link {
            let left = self.left(view);
            if left < self.bps() {
                self.remember(now);
                self.meanwhile = Some(left);
                self.held_until = now + HOLD;
            }
        }
        if self.gone {
            let left = self.bps();
            self.before = self.bps.max(KNOWN * self.before);
            self.bps = left;
            self.meanwhile = None;
        } else if !view.silent {
            // whoever was silent is back, and carries what it did
            self.meanwhile = None;
        }
        let crowded = view.overload_us > OVERLOAD || view.waiting > view.latency.mul_f64(0.35);
        if crowded {
            self.crowded_at = Some(now);
            let cut = 1.0 - (view.overload_us / 2e6).min(0.15);
            self.falls(now, 0.92 * self.delivered * cut);
        } else if view.overload_us < ROOM && now >= self.held_until && view.offered.as_bps() as f64 > USED * self.bps()
        {
            self.rises(steps.min(10.0));
        }
        self.lost_link = false;
        self.gone = false;
        self.bps = self.bps.min(view.ceiling.as_bps() as f64).max(LEAST);
    }

    /// What can be sent without the links that were lost: 85 % of what the others are known to carry. They need not have
    /// shown all of that: what goes over them now they do carry.
    fn left(&self, view: View) -> f64 {
        let offered = view.offered.as_bps() as f64;
        let least = if offered < OFF_AIR * self.bps { START } else { LEAST };
        (KNOWN * view.capacity * 8e6).max(view.carried * offered.min(self.bps)).max(least)
    }

    fn rises(&mut self, steps: f64) {
        let (bps, before) = match &mut self.meanwhile {
            Some(meanwhile) => (meanwhile, self.bps),
            None => (&mut self.bps, self.before),
        };
        *bps *= if *bps < KNOWN * before { RETURN } else { RISE }.powf(steps);
    }

    fn falls(&mut self, now: Instant, bps: f64) {
        self.remember(now);
        self.bps = self.bps.min(bps);
        self.held_until = now + HOLD;
    }

    /// Where a fall begins; one that goes on is the same.
    fn remember(&mut self, now: Instant) {
        if now >= self.held_until {
            self.before = self.bps.max(KNOWN * self.before);
        }
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
            gone: false,
            silent: false,
            carried: 1.0,
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

        target.tick(
            Instant::from_millis(40_001),
            View { lost_link: true, silent: true, capacity: 0.5, carried: 0.4, ..view() },
        );

        assert_eq!(target.rate(Bitrate::mbps(20)), Bitrate::kbps(3400));
    }

    #[test]
    fn a_lost_link_takes_no_more_than_it_carried() {
        let mut target = Target::new(Instant::ZERO);
        after(&mut target, 0, 500, view());

        // the other links are idle, so hardly anything is known of what they carry
        let lost = View { lost_link: true, silent: true, capacity: 0.2, carried: 0.9, ..view() };
        target.tick(Instant::from_millis(10_001), lost);

        assert_eq!(target.rate(Bitrate::mbps(20)), Bitrate::kbps(7200), "nine tenths of the 8 Mbit/s that are sent");
    }

    #[test]
    fn a_link_that_is_soon_back_has_cost_nothing_and_one_that_is_gone_has() {
        let mut target = Target::new(Instant::ZERO);
        let high = after(&mut target, 0, 500, view());
        let silent = View { silent: true, capacity: 0.5, carried: 0.4, ..view() };

        let fell = after(&mut target, 10_000, 1, View { lost_link: true, ..silent });
        let stays = after(&mut target, 10_020, 10, silent);
        let back = after(&mut target, 10_220, 1, view());
        assert!(fell == stays && fell == Bitrate::kbps(3400), "{fell}, then {stays}");
        assert!(back >= high, "{back} of {high}");

        after(&mut target, 11_000, 1, View { lost_link: true, ..silent });
        let grown = after(&mut target, 11_020, 30, silent);
        assert!(grown > fell && grown < fell.scaled(1.4), "what is left may be more: {grown} after {fell}");
        after(&mut target, 11_620, 1, View { gone: true, ..silent });
        let soon = after(&mut target, 11_640, 1, view());
        assert!(soon < grown.scaled(1.05), "written off, it comes back no more: {soon} after {grown}");
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
            View { lost_link: true, gone: true, capacity: 0.01, carried: 0.0, offered: Bitrate::bps(0), ..view() },
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
