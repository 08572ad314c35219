//! Slot: the few latest frames of a picture source, and whether they or the slate go on air.
//!
//! ```text
//!          frames come                  second loss in 10 s: frames come
//! Waiting ─────────────► Live ◄───────────────────────────────┐ 3 s without a hole
//!                         │ nothing newer for 120 ms          │
//!                         └───────────► Lost ───────────► Proving
//! ```
//! A capture pushes frames with the time they were taken. Once a tick the pump asks for the frame
//! that was wanted at a time a little in the past. A source of the programme's own rate is played
//! one to one: its order counts, its jitter does not.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

/// Nothing newer than this before the time wanted: the slate. Four pictures at 25 a second, so that
/// the slate stands within 200 ms however the last picture lay on the programme's grid.
const STALE: Duration = Duration::from_millis(120);
/// Two losses within this time make the source unsteady.
pub(super) const UNSTEADY: Duration = Duration::from_secs(10);
/// An unsteady source must hold for so long before it returns.
pub(super) const PROOF: Duration = Duration::from_secs(3);
/// Most frames kept: a loaded machine may run the pump late by a second without losing one.
const ROOM: usize = 40;
/// The quickest source, frames a second.
const FASTEST: u32 = 60;
/// A source of the programme's own rate may lag so far behind, beyond the reserve, before a frame is left out.
const LAG: Duration = Duration::from_millis(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waiting,
    Live,
    Lost,
    Proving { since: Instant },
}

/// What changed with a pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The source's own frames are on air from this tick on.
    Arrived,
    /// The slate is on air from this tick on.
    Lost,
}

/// The frames of one source.
#[derive(Debug)]
pub struct Slot<F> {
    period: Duration,
    lag: Duration,
    frames: VecDeque<(Instant, F)>,
    shown: Option<F>,
    newest: Option<Instant>,
    // smoothed distance of the source's frames, microseconds
    spacing: f64,
    standing: Standing,
    losses: [Option<Instant>; 2],
    skipped: u64,
    room: usize,
}

impl<F> Slot<F> {
    /// An empty slot for a programme whose pictures are `period` apart, and whose sources may come
    /// `reserve` late.
    #[must_use]
    pub fn new(period: Duration, reserve: Duration) -> Self {
        Self {
            period,
            lag: reserve + LAG,
            frames: VecDeque::new(),
            shown: None,
            newest: None,
            spacing: period.as_micros() as f64,
            standing: Standing::Waiting,
            losses: [None; 2],
            skipped: 0,
            room: ROOM,
        }
    }

    /// Frames are asked for so much later than the reserve: there is room for what waits.
    pub fn hold(&mut self, extra: Duration) {
        self.room = ROOM + (extra.as_micros() * u128::from(FASTEST) / 1_000_000) as usize;
    }

    /// Takes a frame that was captured at `stamp`. An older one than the newest is refused.
    pub fn push(&mut self, stamp: Instant, frame: F) {
        if let Some(newest) = self.newest {
            if stamp <= newest {
                return;
            }
            let apart = stamp.since(newest).as_micros() as f64;
            if apart < 4.0 * self.period.as_micros() as f64 {
                self.spacing += (apart - self.spacing) / 16.0;
            }
        }
        self.newest = Some(stamp);
        if self.frames.len() >= self.room {
            self.frames.pop_front();
            self.skipped += 1;
        }
        self.frames.push_back((stamp, frame));
    }

    /// Chooses what is on air for the time `wanted`; times must not go back.
    pub fn pick(&mut self, wanted: Instant) -> Option<Change> {
        let slack = self.period * 3 / 4;
        // a source that is not quicker than the programme keeps every frame, up to a bound
        let quicker = self.spacing < 0.97 * self.period.as_micros() as f64;
        let late = if quicker { slack } else { self.lag };
        let mut advanced = false;
        while let Some((stamp, _)) = self.frames.front() {
            let due = *stamp <= wanted + slack;
            let overdue = advanced && *stamp + late <= wanted;
            if !due || (advanced && !overdue) {
                break;
            }
            self.skipped += u64::from(advanced);
            self.shown = self.frames.pop_front().map(|(_, frame)| frame);
            advanced = true;
        }
        let fresh = advanced || self.newest.is_some_and(|newest| wanted.since(newest) <= STALE && self.shown.is_some());
        self.step(wanted, fresh)
    }

    fn step(&mut self, now: Instant, fresh: bool) -> Option<Change> {
        let before = self.standing;
        self.standing = match (before, fresh) {
            (Standing::Waiting | Standing::Live, true) => Standing::Live,
            (Standing::Waiting, false) => Standing::Waiting,
            (Standing::Lost, true) if self.unsteady(now) => Standing::Proving { since: now },
            (Standing::Lost, true) => Standing::Live,
            (Standing::Proving { since }, true) if now.since(since) < PROOF => before,
            (Standing::Proving { .. }, true) => Standing::Live,
            (Standing::Live, false) => {
                self.losses = [self.losses[1], Some(now)];
                Standing::Lost
            }
            (Standing::Lost | Standing::Proving { .. }, false) => Standing::Lost,
        };
        if !fresh {
            self.shown = None;
        }
        match (before == Standing::Live, self.standing == Standing::Live) {
            (false, true) => Some(Change::Arrived),
            (true, false) => Some(Change::Lost),
            _ => None,
        }
    }

    fn unsteady(&self, now: Instant) -> bool {
        self.losses.iter().all(|loss| loss.is_some_and(|at| now.since(at) <= UNSTEADY))
    }

    /// The frame on air, or `None` for the slate.
    #[must_use]
    pub fn frame(&self) -> Option<&F> {
        if self.standing == Standing::Live { self.shown.as_ref() } else { None }
    }

    /// The newest frame's time, if any ever came.
    #[must_use]
    pub fn newest(&self) -> Option<Instant> {
        self.newest
    }

    /// Frames that came and were never shown because the source is quicker than the programme or the
    /// pump was too late.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Reserve;

    const P: Duration = Duration::from_millis(40);
    const RESERVE: Duration = Duration::from_millis(200);

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Plays source frames (stamp ms, number) through a slot at 25 pictures a second.
    fn play(frames: &[(u64, u32)], until: u64) -> Vec<Option<u32>> {
        let mut slot = Slot::new(P, RESERVE);
        let mut frames = frames.iter().peekable();
        (8..until / 40)
            .map(|tick| {
                let now = at(tick * 40);
                while let Some((stamp, number)) = frames.next_if(|(stamp, _)| at(*stamp) <= now) {
                    slot.push(at(*stamp), *number);
                }
                slot.pick(now.before(Reserve::new(P, RESERVE).delay()));
                slot.frame().copied()
            })
            .collect()
    }

    fn steady(from: u64, to: u64) -> Vec<(u64, u32)> {
        (from / 40..to / 40).map(|k| (k * 40, k as u32)).collect()
    }

    #[test]
    fn a_source_of_the_programmes_rate_is_shown_one_to_one() {
        let shown: Vec<u32> = play(&steady(0, 10_000), 10_000).into_iter().flatten().collect();

        assert!(shown.len() > 230);
        assert!(shown.windows(2).all(|w| w[1] == w[0] + 1));
    }

    #[test]
    fn jitter_of_half_a_picture_loses_and_doubles_nothing() {
        let mut rng = crate::rng::Rng::simulated(3);
        let frames: Vec<_> = (0..500u64).map(|k| (k * 40 + rng.next_u64() % 20, k as u32)).collect();

        let shown: Vec<u32> = play(&frames, 20_000).into_iter().flatten().collect();

        assert!(shown.windows(2).all(|w| w[1] == w[0] + 1), "{shown:?}");
    }

    #[test]
    fn a_late_capture_loses_no_frame() {
        // every fiftieth frame and its followers come 300 ms late at once
        let mut slot = Slot::new(P, RESERVE);
        let mut next = 0u64;
        let mut shown = Vec::new();
        for tick in 10..1000u64 {
            let late = tick % 50 < 7;
            while !late && next <= tick {
                slot.push(at(next * 40), next as u32);
                next += 1;
            }
            slot.pick(at(tick * 40).before(Reserve::new(P, RESERVE).delay()));
            shown.extend(slot.frame().copied());
        }
        shown.dedup();

        assert!(shown.len() > 900);
        assert!(shown.windows(2).all(|w| w[1] == w[0] + 1), "{shown:?}");
    }

    #[test]
    fn a_quicker_source_is_thinned_and_a_slower_one_repeated() {
        let quick: Vec<_> = (0..600u64).map(|k| (k * 20, k as u32)).collect();
        let shown: Vec<u32> = play(&quick, 12_000).into_iter().flatten().collect();
        let tail = &shown[20..];
        assert!(tail.windows(2).all(|w| (1..=3).contains(&(w[1] - w[0]))), "{tail:?}");
        assert_eq!((tail[tail.len() - 1] - tail[0]) as usize, (tail.len() - 1) * 2);

        let slow: Vec<_> = (0..120u64).map(|k| (k * 100, k as u32)).collect();
        let shown = play(&slow, 12_000);
        assert!(shown[5..].iter().all(Option::is_some));
    }

    #[test]
    fn the_slate_stands_within_200_ms_of_a_loss_and_ends_within_100_ms_of_the_return() {
        let mut frames = steady(0, 4000);
        frames.extend(steady(8000, 12_000));

        let shown = play(&frames, 12_000);

        let last = shown.iter().position(|f| *f == Some(99)).unwrap();
        let slate = shown.iter().position(Option::is_none).unwrap();
        assert!((slate - last - 1) * 40 <= 200, "{}", slate - last);
        let back = shown[slate..].iter().flatten().next().unwrap();
        assert!(*back <= 202, "{back}");
    }

    #[test]
    fn a_source_lost_twice_in_ten_seconds_must_hold_three_seconds() {
        let mut frames = steady(0, 4000);
        frames.extend(steady(5000, 7000));
        frames.extend(steady(8000, 20_000));

        let shown = play(&frames, 20_000);

        let first = shown.iter().flatten().find(|f| **f > 180).unwrap();
        assert!((8000 / 40 + 75..=8000 / 40 + 79).contains(first), "{first}");
    }

    #[test]
    fn losses_far_apart_cost_no_waiting() {
        let mut frames = steady(0, 4000);
        frames.extend(steady(5000, 20_000));
        frames.extend(steady(21_000, 30_000));

        let shown = play(&frames, 30_000);

        let first = shown.iter().flatten().find(|f| **f > 500).unwrap();
        assert!(*first <= 21_000 / 40 + 2, "{first}");
    }

    #[test]
    fn a_slot_keeps_a_bounded_number_of_frames() {
        let mut slot = Slot::new(P, RESERVE);
        for k in 0..10_000u64 {
            slot.push(at(k * 40), k);
        }
        assert_eq!(slot.frames.len(), ROOM);
    }
}
