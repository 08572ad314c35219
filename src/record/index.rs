//! Index: one line of JSON for everything that happened to a segment, and what follows from all of them.
//!
//! Lines are only ever added. A line that was cut off by a power loss, or that a later version wrote,
//! is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::label::Label;
use super::segment::Segment;
use crate::time::Timestamp;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A file was begun.
    Opened(Segment),
    /// The running file is of something else.
    Renamed {
        /// Which segment.
        number: u64,
        /// Its file name from now on.
        file: String,
        /// What it is of.
        label: Label,
    },
    /// A file is whole.
    Closed(Segment),
    /// A file was deleted.
    Removed {
        /// Which segment.
        number: u64,
    },
    /// A copy was made and read back.
    Copied {
        /// Which segment.
        number: u64,
        /// Where it lies.
        to: String,
        /// When, if the clock was right.
        at: Option<Timestamp>,
    },
    /// Somebody wants it kept, or no longer.
    Protected {
        /// Which segment.
        number: u64,
        /// It is kept.
        on: bool,
    },
}

impl Entry {
    /// The line, with its end.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("plain data with text keys is always JSON") + "\n"
    }
}

/// A segment with everything that happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Kept {
    /// As it was opened or closed.
    pub segment: Segment,
    /// It was never closed: it is the running one, or the box was cut off.
    pub open: bool,
    /// Somebody wants it kept.
    pub protected: bool,
    /// Where verified copies lie.
    pub copies: Vec<String>,
}

/// Every segment that is still there, by number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    segments: BTreeMap<u64, Kept>,
    next: u64,
}

impl Index {
    /// What the lines say.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut index = Self::default();
        for entry in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            index.note(entry);
        }
        index
    }

    /// Another line.
    pub fn note(&mut self, entry: Entry) {
        match entry {
            Entry::Opened(segment) => {
                self.next = self.next.max(segment.number.saturating_add(1));
                self.segments.insert(segment.number, Kept { segment, open: true, ..Kept::default() });
            }
            Entry::Renamed { number, file, label } => {
                if let Some(kept) = self.segments.get_mut(&number) {
                    kept.segment.file = file;
                    kept.segment.label = label;
                }
            }
            Entry::Closed(segment) => {
                self.next = self.next.max(segment.number.saturating_add(1));
                let kept = self.segments.entry(segment.number).or_default();
                kept.segment = segment;
                kept.open = false;
            }
            Entry::Removed { number } => {
                self.segments.remove(&number);
            }
            Entry::Copied { number, to, .. } => {
                if let Some(kept) = self.segments.get_mut(&number)
                    && !kept.copies.contains(&to)
                {
                    kept.copies.push(to);
                }
            }
            Entry::Protected { number, on } => {
                if let Some(kept) = self.segments.get_mut(&number) {
                    kept.protected = on;
                }
            }
        }
    }

    /// The number of the next segment: one that no segment ever had.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Every segment that is still there, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Kept> {
        self.segments.values()
    }

    /// The segment of this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Kept> {
        self.segments.get(&number)
    }

    /// What goes first when room is short: the oldest that is closed and not protected.
    #[must_use]
    pub fn expendable(&self, protect_uncopied: bool) -> Option<&Kept> {
        let held = |kept: &Kept| kept.open || kept.protected || (protect_uncopied && kept.copies.is_empty());
        self.segments().find(|kept| !held(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u64) -> Segment {
        Segment { number, file: format!("{number}.ts"), ..Segment::default() }
    }

    fn index(entries: &[Entry]) -> Index {
        Index::read(&entries.iter().map(Entry::line).collect::<String>())
    }

    #[test]
    fn the_lines_tell_what_is_there_and_numbers_never_come_again() {
        let index = index(&[
            Entry::Opened(segment(0)),
            Entry::Closed(Segment { bytes: 7, ..segment(0) }),
            Entry::Opened(segment(1)),
            Entry::Removed { number: 0 },
            Entry::Renamed { number: 1, file: "b.ts".into(), label: Label::default() },
        ]);

        let there: Vec<_> = index.segments().map(|kept| (kept.segment.file.as_str(), kept.open)).collect();
        assert_eq!((there, index.next_number()), (vec![("b.ts", true)], 2));
    }

    #[test]
    fn a_line_that_was_cut_off_costs_that_line_only() {
        let text = Entry::Closed(segment(4)).line() + "{\"closed\":{\"number\":5,\"fi";

        let index = Index::read(&text);

        assert_eq!((index.segments().count(), index.next_number()), (1, 5));
    }

    #[test]
    fn the_oldest_unprotected_goes_first_and_the_running_one_never() {
        let closed = [0, 1, 2].map(|n| Entry::Closed(segment(n)));
        let more = [Entry::Protected { number: 0, on: true }, Entry::Opened(segment(3))];
        let all = [closed.to_vec(), more.to_vec()].concat();
        let first = |index: &Index, uncopied| index.expendable(uncopied).map(|kept| kept.segment.number);
        assert_eq!((first(&index(&all), false), first(&index(&all), true)), (Some(1), None));

        let copied = Entry::Copied { number: 2, to: "/media/usb".into(), at: None };
        let unkept = [all, vec![copied, Entry::Protected { number: 0, on: false }]].concat();
        assert_eq!((first(&index(&unkept), false), first(&index(&unkept), true)), (Some(0), Some(2)));

        assert_eq!(first(&index(&[Entry::Opened(segment(3))]), false), None);
    }
}
