//! Times of a place: from what people there write to wall time, and back.

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::config::Zone;
use crate::time::Timestamp;

impl Zone {
    /// True if the program knows its rules.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.rules().is_some()
    }

    pub(super) fn rules(&self) -> Option<TimeZone> {
        TimeZone::get(&self.0).ok()
    }
}

/// Wall time of what a clock there shows. A time that the summer clock skips counts as the hour after;
/// one that comes twice, as the first.
pub(super) fn wall(rules: &TimeZone, shown: civil::DateTime) -> Option<Timestamp> {
    let offset = match rules.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
    };
    stamp(offset.to_timestamp(shown).ok()?)
}

/// Our wall time; none before 1970.
pub(super) fn stamp(at: jiff::Timestamp) -> Option<Timestamp> {
    u64::try_from(at.as_millisecond()).ok().map(Timestamp)
}

/// What calendar and clock there show.
pub(super) fn at(rules: &TimeZone, at: Timestamp) -> Option<civil::DateTime> {
    let at = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())?;
    Some(rules.to_datetime(at))
}

/// What a clock there shows, to the minute.
pub(super) fn shown(rules: &TimeZone, at: Timestamp) -> String {
    self::at(rules, at).map_or_else(String::new, |at| format!("{:02}:{:02}", at.hour(), at.minute()))
}
