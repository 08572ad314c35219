//! Floor: who has it, who is next, and the step back within ten seconds.
//!
//! A step counts the changes of speaker: 0 is before the first talk, `n` is talk `n`, and more than
//! there are talks is after the last. The hand may always step on, also without an agenda; time steps
//! only forward, at the moment a talk begins, and never over what a hand has done before.

use std::sync::Arc;

use super::agenda::{Agenda, Talk};
use super::config::Split;
use crate::time::{Duration, Instant, Timestamp};

/// So long a step can be taken back: time to see the wrong name on the panel, and no more, since the
/// name travels with every segment.
pub const UNDO: Duration = Duration::from_secs(10);

/// Who has the floor.
#[derive(Debug, Clone, Default)]
pub struct Floor {
    agenda: Arc<Agenda>,
    split: Split,
    step: u16,
    /// The step before the latest, and when that was taken.
    back: Option<(u16, Instant)>,
    /// The latest wall time that was handled.
    heard: Option<Timestamp>,
    /// The place was set: by a hand, by time, or by what a power cut left.
    placed: bool,
}

impl Floor {
    /// The floor as the last run left it; `step` 0 means that it left nothing.
    #[must_use]
    pub fn new(split: Split, step: u16) -> Self {
        Self { split, step, placed: step > 0, ..Self::default() }
    }

    /// Who moves the agenda on.
    pub fn handle_split(&mut self, split: Split) {
        self.split = split;
    }

    /// Another agenda: the present talk stays the present one if it is in it.
    pub fn handle_agenda(&mut self, agenda: Arc<Agenda>) {
        let same =
            |old: &Talk| agenda.talks.iter().position(|talk| talk.speaker == old.speaker && talk.title == old.title);
        if let Some(at) = self.now().and_then(same) {
            self.step = u16::try_from(at + 1).unwrap_or(u16::MAX);
            self.back = None;
        }
        self.agenda = agenda;
        if let Some(wall) = self.heard {
            self.place(wall);
        }
    }

    /// The wall clock says so now; true if time has stepped on.
    pub fn handle_clock(&mut self, now: Instant, wall: Timestamp) -> bool {
        let Some(heard) = self.heard.replace(wall) else {
            self.place(wall);
            return false;
        };
        let begun = |talk: &Talk| talk.starts.is_some_and(|at| at > heard && at <= wall);
        let begun = self.agenda.talks.iter().rposition(begun).and_then(|at| u16::try_from(at + 1).ok());
        match begun.filter(|step| self.split == Split::Time && *step > self.step) {
            Some(step) => {
                self.go(now, step);
                true
            }
            None => false,
        }
    }

    /// A hand steps on.
    pub fn next_speaker(&mut self, now: Instant) {
        self.go(now, self.step.saturating_add(1));
    }

    /// A hand takes the latest step back; false if there is none that is fresh.
    pub fn undo(&mut self, now: Instant) -> bool {
        match self.back.take().filter(|(_, at)| now < *at + UNDO) {
            Some((step, _)) => {
                self.step = step;
                true
            }
            None => false,
        }
    }

    /// Steps so far.
    #[must_use]
    pub fn step(&self) -> u16 {
        self.step
    }

    /// Until then the latest step can be taken back.
    #[must_use]
    pub fn undo_until(&self, now: Instant) -> Option<Instant> {
        self.back.map(|(_, at)| at + UNDO).filter(|until| *until > now)
    }

    /// The agenda.
    #[must_use]
    pub fn agenda(&self) -> &Agenda {
        &self.agenda
    }

    /// The present talk.
    #[must_use]
    pub fn now(&self) -> Option<&Talk> {
        self.agenda.talks.get(usize::from(self.step).checked_sub(1)?)
    }

    /// The talk after it.
    #[must_use]
    pub fn next(&self) -> Option<&Talk> {
        self.agenda.talks.get(usize::from(self.step))
    }

    /// The next moment at which time would step on.
    #[must_use]
    pub fn next_start(&self) -> Option<Timestamp> {
        let heard = self.heard.filter(|_| self.split == Split::Time)?;
        self.agenda.talks.iter().skip(usize::from(self.step)).filter_map(|talk| talk.starts).find(|at| *at > heard)
    }

    fn go(&mut self, now: Instant, step: u16) {
        self.back = Some((self.step, now));
        self.step = step;
        self.placed = true;
    }

    /// A box that is switched on in the middle of the day begins at the talk of that hour.
    fn place(&mut self, wall: Timestamp) {
        if self.placed || self.agenda.talks.is_empty() {
            return;
        }
        let begun = self.agenda.talks.iter().rposition(|talk| talk.starts.is_some_and(|at| at <= wall));
        self.step = begun.and_then(|at| u16::try_from(at + 1).ok()).unwrap_or(0);
        self.placed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(speaker: &str, starts: u64) -> Talk {
        Talk { speaker: speaker.into(), starts: Some(Timestamp(starts)), ..Talk::default() }
    }

    fn floor(split: Split) -> Floor {
        let mut floor = Floor::new(split, 0);
        let talks = vec![talk("A", 1000), talk("B", 2000), talk("C", 3000)];
        floor.handle_agenda(Arc::new(Agenda { event: "e".into(), talks }));
        floor
    }

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn speaker(floor: &Floor) -> &str {
        floor.now().map_or("", |talk| &talk.speaker)
    }

    #[test]
    fn time_steps_on_when_a_talk_begins_and_never_over_a_hand() {
        let mut floor = floor(Split::Time);

        assert!(!floor.handle_clock(at(0), Timestamp(500)));
        assert_eq!((speaker(&floor), floor.next_start()), ("", Some(Timestamp(1000))));
        assert!(floor.handle_clock(at(600), Timestamp(1100)));
        assert_eq!(speaker(&floor), "A");
        floor.next_speaker(at(700));
        assert_eq!(speaker(&floor), "B");

        assert!(!floor.handle_clock(at(1600), Timestamp(2100)), "B began early, by hand");
        assert!(floor.handle_clock(at(2600), Timestamp(3100)));
        assert_eq!((speaker(&floor), floor.next_start()), ("C", None));
    }

    #[test]
    fn by_hand_the_clock_moves_nobody() {
        let mut floor = floor(Split::Hand);
        floor.handle_clock(at(0), Timestamp(500));

        assert!(!floor.handle_clock(at(5000), Timestamp(5500)));
        assert_eq!((speaker(&floor), floor.next_start()), ("", None));
        floor.next_speaker(at(6000));
        assert_eq!(speaker(&floor), "A");
    }

    #[test]
    fn a_box_switched_on_at_noon_begins_with_the_talk_of_that_hour() {
        let mut floor = floor(Split::Hand);

        floor.handle_clock(at(0), Timestamp(2500));

        assert_eq!((speaker(&floor), floor.next().map(|t| t.speaker.as_str())), ("B", Some("C")));
    }

    #[test]
    fn a_step_can_be_taken_back_once_and_within_ten_seconds() {
        let mut floor = floor(Split::Hand);
        floor.next_speaker(at(0));
        floor.next_speaker(at(20_000));

        assert!(floor.undo_until(at(29_999)).is_some() && floor.undo_until(at(30_000)).is_none());
        assert!(floor.undo(at(29_999)));
        assert_eq!(speaker(&floor), "A");
        assert!(!floor.undo(at(29_999)), "one step only");
        floor.next_speaker(at(40_000));
        assert!(!floor.undo(at(50_000)), "too late");
        assert_eq!(speaker(&floor), "B");
    }

    #[test]
    fn a_changed_agenda_keeps_the_speaker_who_speaks() {
        let mut floor = floor(Split::Hand);
        floor.next_speaker(at(0));
        floor.next_speaker(at(0));

        let talks = vec![talk("A", 1000), talk("new", 1500), talk("B", 2500), talk("C", 3000)];
        floor.handle_agenda(Arc::new(Agenda { event: "e".into(), talks }));

        assert_eq!((speaker(&floor), floor.step()), ("B", 3));
    }

    #[test]
    fn beyond_the_last_talk_and_without_an_agenda_the_hand_still_steps() {
        let mut floor = Floor::new(Split::Hand, 0);

        floor.next_speaker(at(0));
        floor.next_speaker(at(1));

        assert_eq!((floor.step(), floor.now(), floor.next()), (2, None, None));
        assert!(floor.undo(at(2)));
        assert_eq!(floor.step(), 1);
    }
}
