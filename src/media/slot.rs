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
/// A source of the programme's own rate may lag so far behind, beyond the reserve, before a frame is left out at once.
const LAG: Duration = Duration::from_millis(120);
/// A lag that has stood for so long, while every frame came in time, is no reserve that anybody needs: what
/// is too many is left out. One hiccup of the machine must not cost lip-sync for good.
const SETTLE: Duration = Duration::from_mins(1);
/// The same of a source whose own clock brings the lag, as 30 pictures a second into 29.97 do.
const SETTLE_FAST: Duration = Duration::from_secs(1);
/// A source's clock is judged after so long without a hole: jitter of 5 ms is then 250 millionths.
const PACED: Duration = Duration::from_secs(20);
/// So much quicker than the programme, in millionths, is a clock and no jitter.
const FAST_PPM: u128 = 400;

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
    // since when what is shown lags though the source is punctual
    lagging: Option<Instant>,
    // nothing newer is shown: the signal ended then
    ended: Option<Instant>,
    // the first frame of an unbroken run, and how many came after it
    run: (Instant, u32),
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
            lagging: None,
            ended: None,
            run: (Instant::ZERO, 0),
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
                self.run.1 = self.run.1.saturating_add(1);
            } else {
                self.run = (stamp, 0);
            }
        } else {
            self.run = (stamp, 0);
        }
        self.newest = Some(stamp);
        if self.frames.len() >= self.room {
            self.frames.pop_front();
            self.skipped += 1;
        }
        self.frames.push_back((stamp, frame));
    }

    /// The source's signal ended at `at`: what was captured later is noise, and the slate need not wait for
    /// the next frame to be overdue. The next frame pushed after it is the signal's return.
    pub fn end(&mut self, at: Instant) {
        while self.frames.back().is_some_and(|(stamp, _)| *stamp > at) {
            self.frames.pop_back();
        }
        self.ended = Some(at);
    }

    /// Chooses what is on air for the time `wanted`; times must not go back.
    pub fn pick(&mut self, wanted: Instant) -> Option<Change> {
        let slack = self.period * 3 / 4;
        // a source that is not quicker than the programme keeps every frame, up to a bound
        // from the second picture on; the first one has no order to keep, and lies in the middle of what is wanted
        let first = self.standing == Standing::Waiting;
        let quicker = self.spacing < 0.97 * self.period.as_micros() as f64 || first;
        let middle = if first { wanted } else { wanted + self.period / 2 };
        let mut advanced: Option<Instant> = None;
        while let Some((stamp, _)) = self.frames.front() {
            let due = *stamp <= wanted + slack;
            let better = match advanced {
                None => true,
                // of a quicker source, what was taken nearest to the middle of the time wanted
                Some(shown) if quicker => shown + stamp.since(shown) / 2 <= middle,
                Some(_) => *stamp + self.lag <= wanted,
            };
            if !due || !better {
                break;
            }
            self.skipped += u64::from(advanced.is_some());
            advanced = self.show_next();
        }
        if let Some(stamp) = advanced.filter(|_| !quicker) {
            self.settle(wanted, stamp, slack);
        }
        let advanced = advanced.is_some();
        let over = self
            .ended
            .is_some_and(|at| wanted > at && self.frames.front().is_none_or(|(stamp, _)| *stamp > wanted + slack));
        if self.ended.is_some_and(|at| wanted > at) && advanced {
            self.ended = None;
        }
        let fresh = advanced
            || !over && self.newest.is_some_and(|newest| wanted.since(newest) <= STALE && self.shown.is_some());
        self.step(wanted, fresh)
    }

    fn show_next(&mut self) -> Option<Instant> {
        let (stamp, frame) = self.frames.pop_front()?;
        self.shown = Some(frame);
        Some(stamp)
    }

    /// The source's own clock runs faster than the programme's.
    fn runs_fast(&self) -> bool {
        let (first, count) = self.run;
        let took = self.newest.map_or(Duration::ZERO, |newest| newest.since(first));
        let nominal = self.period.as_nanos() * u128::from(count);
        took >= PACED && nominal * 1_000_000 > took.as_nanos() * (1_000_000 + FAST_PPM)
    }

    /// What is shown was taken at `stamp`: leaves out what is too many if that has lagged for long and for nothing.
    fn settle(&mut self, wanted: Instant, stamp: Instant, slack: Duration) {
        let mut lagged = stamp + self.period / 4 < wanted;
        // a source whose frames only just come in time lives on the lag
        let punctual = self.newest.is_some_and(|newest| newest >= wanted + self.period / 4);
        if !lagged || !punctual {
            self.lagging = None;
            return;
        }
        let since = *self.lagging.get_or_insert(wanted);
        let patience = if self.runs_fast() { SETTLE_FAST } else { SETTLE };
        if wanted.since(since) < patience {
            return;
        }
        while lagged && self.frames.front().is_some_and(|(next, _)| *next <= wanted + slack) {
            lagged = self.show_next().is_some_and(|stamp| stamp + self.period / 4 < wanted);
            self.skipped += 1;
            self.lagging = None;
        }
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
            // a source that fails its proof is as unsteady as one that is lost on air
            (Standing::Live | Standing::Proving { .. }, false) => {
                self.losses = [self.losses[1], Some(now)];
                Standing::Lost
            }
            (Standing::Lost, false) => Standing::Lost,
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
    const RESERVES: [Duration; 2] = [Duration::from_millis(60), RESERVE];

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
    fn a_signal_that_is_known_to_have_ended_is_the_slate_with_the_next_picture() {
        let mut slot = Slot::new(P, RESERVE);
        let mut shown = Vec::new();
        for tick in 0..200u64 {
            // the driver goes on with noise from 4 s to 6 s, and says so at 4.05 s
            let noise = (101..150).contains(&tick);
            if !noise || tick == 101 {
                slot.push(at(tick * 40), tick);
            }
            if tick == 102 {
                slot.end(at(4_030));
            }
            slot.pick(at(tick * 40).before(Reserve::new(P, RESERVE).delay()));
            shown.push(slot.frame().copied());
        }

        assert!(!shown.contains(&Some(101)), "noise is never on air");
        let slate = shown.iter().rposition(|f| *f == Some(100)).unwrap() + 1;
        assert_eq!(shown[slate], None, "not one picture more");
        assert!(shown[slate - 1..].iter().flatten().any(|f| *f == 150), "and back with its first picture");
    }

    #[test]
    fn a_source_that_flaps_for_a_minute_returns_once_three_seconds_after_the_last_flap() {
        // one second there, one second away, for a minute; then it stays
        let mut frames: Vec<_> = (0..30).flat_map(|n| steady(2000 * n, 2000 * n + 1000)).collect();
        frames.extend(steady(60_000, 80_000));

        let shown = play(&frames, 80_000);

        // on air: the first second, the second one (a first loss costs no waiting), and then not before 63 s
        let on_air: Vec<u64> = shown.iter().flatten().map(|f| u64::from(*f) * 40).collect();
        assert!(on_air.iter().any(|at| (2000..3000).contains(at)));
        let back = on_air.iter().find(|at| **at >= 3000).unwrap();
        assert!((63_000..=63_160).contains(back), "{back}");
        assert!(on_air.iter().rev().take(400).all(|at| *at >= 63_000), "and stays");
    }

    /// Plays a source (whose clock is slow by `ppm`) for two hours into a programme of `period`.
    /// Returns ticks with the slate after the first second, the extremes of how long after its capture a
    /// frame was wanted (µs) as it came, and how many frames were never shown.
    fn hours(source: (u64, u64), ppm: i64, programme: (u64, u64), reserve: Duration) -> (u64, [i64; 2], u64) {
        let micros = |n: u64, (num, den): (u64, u64)| n * 1_000_000 * den / num;
        let period = Duration::from_nanos(1_000_000_000 * programme.1 / programme.0);
        let mut slot = Slot::new(period, reserve);
        let mut rng = crate::rng::Rng::simulated(source.0 + programme.0);
        let delay = Reserve::new(period, reserve).delay();
        let (mut next, mut slates, mut ages, mut last) = (0u64, 0, [i64::MAX, i64::MIN], None);
        let ticks = 7200 * programme.0 / programme.1;
        for tick in 0..ticks {
            let now = micros(tick, programme);
            loop {
                let at = micros(next, source) as i64;
                let taken = (at + at / 1000 * ppm / 1000) as u64;
                if taken > now {
                    break;
                }
                // stamps jitter by up to 2 ms, as those of a USB device do
                slot.push(Instant::from_micros(taken + rng.next_u64() % 2000), taken);
                next += 1;
            }
            let wanted = Instant::from_micros(now).before(delay);
            slot.pick(wanted);
            if tick * programme.1 <= programme.0 {
                continue;
            }
            match slot.frame() {
                None => slates += 1,
                Some(taken) if last != Some(*taken) => {
                    let age = wanted.as_micros() as i64 - *taken as i64;
                    // the first half minute finds its place
                    if now > 30_000_000 {
                        ages = [ages[0].min(age), ages[1].max(age)];
                    }
                    last = Some(*taken);
                }
                Some(_) => {}
            }
        }
        (slates, ages, slot.skipped())
    }

    #[test]
    fn every_rate_is_brought_to_the_programmes_without_drift_for_two_hours() {
        let rates = [(24_000, 1001), (25, 1), (30_000, 1001), (30, 1), (50, 1), (60_000, 1001), (60, 1)];
        let programmes = [(25, 1), (30_000, 1001), (30, 1), (50, 1)];
        for (programme, reserve) in programmes.into_iter().flat_map(|p| RESERVES.map(|reserve| (p, reserve))) {
            let period = 1_000_000 * programme.1 as i64 / programme.0 as i64;
            for source in rates {
                let (slates, [least, most], skipped) = hours(source, 0, programme, reserve);
                let case = format!("{source:?} into {programme:?}: {least}..{most} µs, {skipped} left out");
                assert_eq!(slates, 0, "{case}");
                // a picture is never more than one of its own away from its time
                assert!(least >= -period - 2000 && most <= period / 2 + 2000, "{case}");
                let surplus = 7200 * source.0 as i64 / source.1 as i64 - 7200 * programme.0 as i64 / programme.1 as i64;
                assert!((skipped as i64 - surplus.max(0)).abs() <= 20, "{case}, {surplus} too many");
            }
        }
    }

    #[test]
    fn a_camera_whose_clock_is_off_neither_lags_nor_leads_after_two_hours() {
        for (ppm, reserve) in [-300, -100, 100, 300].into_iter().flat_map(|ppm| RESERVES.map(|reserve| (ppm, reserve)))
        {
            let (slates, [least, most], skipped) = hours((25, 1), ppm, (25, 1), reserve);

            // two hours are 180000 pictures; every one too many or too few costs one picture, once
            assert_eq!(slates, 0);
            assert!(least >= -42_000 && most <= 32_000, "{ppm} ppm: {least}..{most} µs");
            let surplus = if ppm > 0 { 0 } else { -18 * ppm / 100 };
            assert!((skipped as i64 - surplus).abs() <= 2, "{ppm} ppm: {skipped} left out, {surplus} too many");
        }
    }

    #[test]
    fn a_lag_from_one_hiccup_is_made_good_by_leaving_out_what_was_repeated() {
        let mut slot = Slot::new(P, RESERVE);
        let mut shown = Vec::new();
        let mut next = 0u64;
        for tick in 10..4000u64 {
            // once, the capture stands still for 400 ms and then gives everything
            let late = (500..510).contains(&tick);
            while !late && next <= tick {
                slot.push(at(next * 40), next);
                next += 1;
            }
            let wanted = at(tick * 40).before(Reserve::new(P, RESERVE).delay());
            slot.pick(wanted);
            shown.push((tick, slot.frame().copied()));
        }

        let age = |n: usize| shown[n].1.map(|frame| shown[n].0 - frame);
        assert_eq!(age(100), age(3900), "as punctual as before");
        assert!(age(520) > age(100), "it did lag");
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
