//! Book: raised, cleared, and nothing that flaps.
//!
//! In goes, as often as anybody likes, whether something is wrong *now*; an alarm is raised when
//! that has stood for the kind's dwell, and cleared when it has been gone for the other dwell.
//!
//! ```text
//!            wrong                  dwell                  good                dwell
//!   (calm) ────────► Waiting{since} ─────► Raised{since} ──────► Leaving{...} ─────► (calm)
//!      ▲               │ good                  ▲                    │ wrong
//!      └───────────────┘                       └────────────────────┘
//! ```

use std::collections::BTreeMap;

use super::catalog::AlarmKind;
use crate::lang::Text;
use crate::time::Instant;

/// Which alarm about what.
type Key = (AlarmKind, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting { since: Instant },
    Raised { since: Instant },
    Leaving { since: Instant, good: Instant },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    stage: Stage,
    detail: Text,
    seen: bool,
}

/// A raised alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which alarm.
    pub kind: AlarmKind,
    /// What it is about; may be empty.
    pub subject: String,
    /// The device's own words, or the interface.
    pub detail: Text,
    /// Since when.
    pub since: Instant,
    /// Somebody has acknowledged it.
    pub acknowledged: bool,
}

/// An alarm came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It was raised.
    Raised(Entry),
    /// It was cleared.
    Cleared(Entry),
}

/// Every alarm that stands, or is about to.
#[derive(Debug, Clone, Default)]
pub struct Book {
    lines: BTreeMap<Key, Line>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes whether `kind` is wrong with `subject` now; `detail` is shown with it, the latest wins.
    pub fn note(&mut self, now: Instant, kind: AlarmKind, subject: &str, wrong: Option<Text>) {
        let key = (kind, subject.to_owned());
        match (self.lines.get_mut(&key), wrong) {
            (None, Some(detail)) => {
                let line = Line { stage: Stage::Waiting { since: now }, detail, seen: false };
                self.lines.insert(key, line);
            }
            (Some(line), Some(detail)) => {
                line.detail = detail;
                if let Stage::Leaving { since, .. } = line.stage {
                    line.stage = Stage::Raised { since };
                }
            }
            (Some(Line { stage: Stage::Waiting { .. }, .. }), None) => {
                self.lines.remove(&key);
            }
            (Some(line), None) => {
                if let Stage::Raised { since } = line.stage {
                    line.stage = Stage::Leaving { since, good: now };
                }
            }
            (None, None) => {}
        }
    }

    /// True if the alarm stands in the book as raised.
    #[must_use]
    pub fn is_raised(&self, kind: AlarmKind, subject: &str) -> bool {
        let line = self.lines.get(&(kind, subject.to_owned()));
        line.is_some_and(|line| !matches!(line.stage, Stage::Waiting { .. }))
    }

    /// Every raised alarm was seen; tells how many of them were not before. They go on standing.
    pub fn acknowledge(&mut self) -> usize {
        let raised = self.lines.values_mut().filter(|line| !matches!(line.stage, Stage::Waiting { .. }) && !line.seen);
        raised.map(|line| line.seen = true).count()
    }

    /// Forgets every alarm about a subject that is no longer there, without a word.
    pub fn keep(&mut self, known: impl Fn(AlarmKind, &str) -> bool) {
        self.lines.retain(|(kind, subject), _| known(*kind, subject));
    }

    /// Raises and clears what has waited long enough.
    pub fn settle(&mut self, now: Instant) -> Vec<Turn> {
        let mut turns = Vec::new();
        self.lines.retain(|(kind, subject), line| {
            let entry = |since| Entry {
                kind: *kind,
                subject: subject.clone(),
                detail: line.detail.clone(),
                since,
                acknowledged: line.seen,
            };
            let (raise, clear) = kind.dwell();
            match line.stage {
                Stage::Waiting { since } if now >= since + raise => {
                    turns.push(Turn::Raised(entry(since)));
                    line.stage = Stage::Raised { since };
                    true
                }
                Stage::Leaving { since, good } if now >= good + clear => {
                    turns.push(Turn::Cleared(entry(since)));
                    false
                }
                _ => true,
            }
        });
        turns
    }

    /// When [`Book::settle`] has something to do, if nothing is noted before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let due = |((kind, _), line): (&Key, &Line)| match line.stage {
            Stage::Waiting { since } => Some(since + kind.dwell().0),
            Stage::Leaving { good, .. } => Some(good + kind.dwell().1),
            Stage::Raised { .. } => None,
        };
        self.lines.iter().filter_map(due).min()
    }

    /// Every raised alarm.
    pub fn raised(&self) -> impl Iterator<Item = Entry> + '_ {
        self.lines.iter().filter_map(|((kind, subject), line)| match line.stage {
            Stage::Raised { since } | Stage::Leaving { since, .. } => Some(Entry {
                kind: *kind,
                subject: subject.clone(),
                detail: line.detail.clone(),
                since,
                acknowledged: line.seen,
            }),
            Stage::Waiting { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as note wants it")]
    fn gone(words: &str) -> Option<Text> {
        Some(Text::raw(words))
    }

    #[test]
    fn what_blinks_raises_nothing_and_what_stands_is_raised_once() {
        let mut book = Book::new();

        book.note(at(0), AlarmKind::SourceLost, "camera", gone("gone"));
        assert_eq!(book.next_timeout(), Some(at(1000)));
        book.note(at(900), AlarmKind::SourceLost, "camera", None);
        assert!(book.settle(at(1100)).is_empty());
        book.note(at(1200), AlarmKind::SourceLost, "camera", gone("gone"));
        book.note(at(1700), AlarmKind::SourceLost, "camera", gone("still gone"));

        let turns = book.settle(at(2200));
        let [Turn::Raised(entry)] = turns.as_slice() else { panic!("{turns:?}") };
        assert_eq!((entry.since, entry.detail.en.as_str()), (at(1200), "still gone"));
        assert!(book.settle(at(9000)).is_empty());
    }

    #[test]
    fn an_alarm_is_cleared_only_after_it_stayed_away() {
        let mut book = Book::new();
        book.note(at(0), AlarmKind::SourceLost, "camera", gone("gone"));
        book.settle(at(1000));

        book.note(at(5000), AlarmKind::SourceLost, "camera", None);
        book.note(at(6000), AlarmKind::SourceLost, "camera", gone("gone again"));
        assert!(book.settle(at(9000)).is_empty());
        book.note(at(9000), AlarmKind::SourceLost, "camera", None);

        assert!(matches!(book.settle(at(11_000)).as_slice(), [Turn::Cleared(_)]));
        assert_eq!(book.raised().count(), 0);
        assert_eq!(book.next_timeout(), None);
    }

    #[test]
    fn an_alarm_is_acknowledged_once_and_goes_on_standing() {
        let mut book = Book::new();
        book.note(at(0), AlarmKind::SourceLost, "camera", gone("gone"));
        assert_eq!(book.acknowledge(), 0, "it is not raised yet");
        book.settle(at(1000));

        assert_eq!((book.acknowledge(), book.acknowledge()), (1, 0));
        assert!(book.raised().all(|entry| entry.acknowledged));

        book.note(at(5000), AlarmKind::SourceLost, "camera", None);
        book.settle(at(9000));
        book.note(at(10_000), AlarmKind::SourceLost, "camera", gone("gone again"));
        book.settle(at(11_000));
        assert!(book.raised().all(|entry| !entry.acknowledged), "another time is another alarm");
    }
}
