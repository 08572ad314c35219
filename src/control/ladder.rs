//! Ladder: what is taken back when the uplinks get short, and in which order.
//!
//! ```text
//!   preview ─► upload ─► slides' rate ─► backup's rate ─► main's rate ─► backup altogether
//! ```
//!
//! Sound is never on it. One step at a time, the cheapest to miss first; a step that frees nothing is passed
//! over. A safe rate that nobody has tried to exceed is no shortage, however low. The rate of main follows the
//! links at once whatever the ladder says ([`super::rate`]); what the ladder decides is who goes before it, so that
//! main comes back.

use std::time::Duration;

use crate::lang::{Text, said};
use crate::message::ReductionStatus;
use crate::time::Instant;
use crate::units::Bitrate;

/// A shortage is borne for so long before each step: the engine's safe rate trembles.
const SHORT: Duration = Duration::from_secs(1);
/// There must be room for so long, and a tenth more than is needed, before a step is given back.
const HOLD: Duration = Duration::from_secs(10);
/// What is short again so soon was given back in vain: the next time takes twice as long, up to the most.
const IN_VAIN: Duration = Duration::from_secs(30);
const MOST_HOLD: Duration = Duration::from_secs(160);
const MARGIN: f64 = 1.10;
/// The slides leave a fifth of their pictures, the backup a third of its bitrate.
pub(super) const SLIDES_EVERY: u8 = 5;
const BACKUP_SHARE: f64 = 1.0 / 3.0;
/// Less than this shows nothing.
const BACKUP_LEAST: Bitrate = Bitrate::kbps(300);

/// What can be taken back, in the order in which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Preview,
    Upload,
    Slides,
    Backup,
    Main,
    BackupOff,
}

impl Step {
    const ALL: [Self; 6] = [Self::Preview, Self::Upload, Self::Slides, Self::Backup, Self::Main, Self::BackupOff];

    /// The name in topics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Upload => "upload",
            Self::Slides => "slides",
            Self::Backup | Self::BackupOff => "backup",
            Self::Main => "main",
        }
    }
}

/// What everybody would send, on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) preview: Bitrate,
    pub(super) upload: Bitrate,
    /// Of the dual image, the part that is never taken back.
    pub(super) camera: Bitrate,
    pub(super) slides: Bitrate,
    pub(super) backup: Bitrate,
    /// Main at its least and at its most, sound included.
    pub(super) main: (Bitrate, Bitrate),
}

impl Demand {
    /// What is sent when everything up to `taken` is taken back.
    fn after(&self, taken: &[Taken]) -> u64 {
        let has = |step| taken.iter().any(|taken| taken.step == step);
        let unless = |step, rate: Bitrate| if has(step) { 0 } else { rate.as_bps() };
        let slides =
            if has(Step::Slides) { self.slides.as_bps() / u64::from(SLIDES_EVERY) } else { self.slides.as_bps() };
        let backup = match () {
            () if has(Step::BackupOff) => 0,
            () if has(Step::Backup) => lowered(self.backup).as_bps(),
            () => self.backup.as_bps(),
        };
        let main = if has(Step::Main) { self.main.0 } else { self.main.1 };
        unless(Step::Preview, self.preview)
            + unless(Step::Upload, self.upload)
            + self.camera.as_bps()
            + slides
            + backup
            + main.as_bps()
    }

    /// True if the step frees something.
    fn frees(&self, step: Step) -> bool {
        match step {
            Step::Preview => self.preview > Bitrate::default(),
            Step::Upload => self.upload > Bitrate::default(),
            Step::Slides => self.slides > Bitrate::default(),
            Step::Backup => lowered(self.backup) < self.backup,
            Step::Main => self.main.0 < self.main.1,
            Step::BackupOff => self.backup > Bitrate::default(),
        }
    }
}

/// The backup's bitrate when it is lowered.
pub(super) fn lowered(backup: Bitrate) -> Bitrate {
    backup.scaled(BACKUP_SHARE).max(BACKUP_LEAST).min(backup)
}

/// What the uplinks carry for all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// More was tried and did not pass.
    Proven(Bitrate),
    /// Nobody knows how much: what is sent passes.
    Untried,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Taken {
    step: Step,
    since: Instant,
    why: Text,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moved {
    Down(Step, Text),
    Up(Step),
}

/// What is taken back now.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    taken: Vec<Taken>,
    short_since: Option<Instant>,
    room_since: Option<Instant>,
    given_back: Option<Instant>,
    hold: Duration,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { taken: Vec::new(), short_since: None, room_since: None, given_back: None, hold: HOLD }
    }
}

impl Ladder {
    /// At most one step.
    pub(super) fn update(&mut self, now: Instant, demand: &Demand, room: Room) -> Option<Moved> {
        let wanted = demand.after(&self.taken);
        if let Room::Proven(room) = room
            && wanted > room.as_bps()
        {
            self.room_since = None;
            let since = *self.short_since.get_or_insert(now);
            let next = Step::ALL
                .into_iter()
                .find(|step| self.taken.last().is_none_or(|last| *step > last.step) && demand.frees(*step))?;
            if now.since(since) < SHORT {
                return None;
            }
            self.short_since = Some(now);
            if let Some(at) = self.given_back.take() {
                self.hold = if now.since(at) < IN_VAIN { (2 * self.hold).min(MOST_HOLD) } else { HOLD };
            }
            let why = said::short_of(Bitrate::bps(wanted), room);
            self.taken.push(Taken { step: next, since: now, why: why.clone() });
            return Some(Moved::Down(next, why));
        }
        self.short_since = None;
        let before = self.taken.split_last().map(|(_, before)| demand.after(before));
        let fits = |before: u64| match room {
            Room::Proven(room) => before as f64 * MARGIN <= room.as_bps() as f64,
            // it can only be found out by sending more
            Room::Untried => true,
        };
        if !before.is_some_and(fits) {
            self.room_since = None;
            return None;
        }
        if now.since(*self.room_since.get_or_insert(now)) < self.hold {
            return None;
        }
        self.room_since = Some(now);
        self.given_back = Some(now);
        self.taken.pop().map(|taken| Moved::Up(taken.step))
    }

    /// Off the air nothing is taken back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// True if this step is taken.
    pub(super) fn has(&self, step: Step) -> bool {
        self.taken.iter().any(|taken| taken.step == step)
    }

    /// What is taken back now, in the order it was taken.
    pub(super) fn status(&self) -> Vec<ReductionStatus> {
        let one = |taken: &Taken| ReductionStatus {
            what: taken.step.name().to_owned(),
            since: taken.since,
            why: taken.why.clone(),
        };
        self.taken.iter().map(one).collect()
    }

    /// Why this was taken back, the latest reason.
    pub(super) fn why(&self, name: &str) -> Option<Text> {
        self.taken.iter().rev().find(|taken| taken.step.name() == name).map(|taken| taken.why.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMAND: Demand = Demand {
        preview: Bitrate::kbps(300),
        upload: Bitrate::mbps(1),
        camera: Bitrate::mbps(1),
        slides: Bitrate::kbps(600),
        backup: Bitrate::kbps(1500),
        main: (Bitrate::kbps(700), Bitrate::mbps(4)),
    };

    /// Ten times a second for so long; every step with its second.
    fn play(ladder: &mut Ladder, from: u64, seconds: u64, demand: &Demand, room: Room) -> Vec<(u64, Moved)> {
        (0..seconds * 10)
            .filter_map(|n| {
                let now = Instant::from_millis(from * 1000 + n * 100);
                ladder.update(now, demand, room).map(|moved| (from + n / 10, moved))
            })
            .collect()
    }

    fn names(moves: &[(u64, Moved)]) -> Vec<&'static str> {
        moves
            .iter()
            .map(|(_, moved)| match moved {
                Moved::Down(step, _) | Moved::Up(step) => step.name(),
            })
            .collect()
    }

    #[test]
    fn what_matters_least_goes_first_and_sound_never() {
        let mut ladder = Ladder::default();
        let moves = play(&mut ladder, 0, 60, &DEMAND, Room::Proven(Bitrate::kbps(100)));

        assert_eq!(names(&moves), ["preview", "upload", "slides", "backup", "main", "backup"]);
        assert!(moves.windows(2).all(|w| w[1].0 - w[0].0 >= 1), "one step a second: {moves:?}");
        assert!(ladder.status().iter().all(|reduction| !reduction.why.is_empty()));
    }

    #[test]
    fn no_more_is_taken_than_the_links_are_short_of() {
        let mut ladder = Ladder::default();
        // 8.4 wanted; without preview and upload 7.1
        let moves = play(&mut ladder, 0, 60, &DEMAND, Room::Proven(Bitrate::kbps(7200)));

        assert_eq!(names(&moves), ["preview", "upload"]);
    }

    #[test]
    fn it_comes_back_in_the_other_order_when_there_has_been_room_for_long() {
        let mut ladder = Ladder::default();
        play(&mut ladder, 0, 10, &DEMAND, Room::Proven(Bitrate::kbps(5700)));
        let taken = ladder.taken.len();
        let moves = play(&mut ladder, 10, 100, &DEMAND, Room::Proven(Bitrate::mbps(20)));

        assert_eq!((taken, names(&moves)), (4, vec!["backup", "slides", "upload", "preview"]));
        assert!(moves[0].0 >= 20 && moves.windows(2).all(|w| w[1].0 - w[0].0 >= 9), "{moves:?}");
    }

    #[test]
    fn room_that_trembles_around_the_need_moves_nothing_to_and_fro() {
        let mut ladder = Ladder::default();
        play(&mut ladder, 0, 10, &DEMAND, Room::Proven(Bitrate::kbps(8150)));
        assert_eq!(ladder.taken.len(), 1);
        let mut moves = 0;
        for n in 0..600_u64 {
            let room = Room::Proven(Bitrate::kbps(if n % 2 == 0 { 8200 } else { 8600 }));
            moves += usize::from(ladder.update(Instant::from_millis(10_000 + n * 100), &DEMAND, room).is_some());
        }
        assert_eq!(moves, 0);
    }

    #[test]
    fn what_is_not_there_is_passed_over() {
        let bare =
            Demand { preview: Bitrate::default(), upload: Bitrate::default(), slides: Bitrate::default(), ..DEMAND };
        let mut ladder = Ladder::default();

        assert_eq!(names(&play(&mut ladder, 0, 3, &bare, Room::Proven(Bitrate::mbps(1)))), ["backup", "main"]);
    }

    #[test]
    fn a_low_rate_that_nobody_tried_to_exceed_takes_nothing_back_and_gives_back() {
        let mut ladder = Ladder::default();
        assert_eq!(play(&mut ladder, 0, 60, &DEMAND, Room::Untried), []);

        play(&mut ladder, 60, 4, &DEMAND, Room::Proven(Bitrate::mbps(6)));
        let back = play(&mut ladder, 64, 60, &DEMAND, Room::Untried);
        assert!(ladder.taken.is_empty() && back.len() >= 3, "{back:?}");
    }

    #[test]
    fn what_was_given_back_in_vain_is_tried_less_and_less_often() {
        let mut ladder = Ladder::default();
        let mut tries = Vec::new();
        // links that carry everything but the preview, and do not show it while less is sent
        for n in 0..6000_u64 {
            let now = Instant::from_millis(n * 100);
            let room = match ladder.taken.is_empty() {
                true => Room::Proven(Bitrate::kbps(8200)),
                false => Room::Untried,
            };
            if let Some(Moved::Up(_)) = ladder.update(now, &DEMAND, room) {
                tries.push(n / 10);
            }
        }
        let pauses: Vec<u64> = tries.windows(2).map(|w| w[1] - w[0]).collect();
        assert!((4..8).contains(&tries.len()) && pauses.windows(2).all(|w| w[1] >= w[0]), "{tries:?}");
    }
}
