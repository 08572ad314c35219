//! Restart: a part failed; when to start it afresh.
//!
//! The pause doubles with every failure in a row, so that a part that cannot live does not burn the
//! processor the others need; a part that has lived for a while is trusted again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::Part;
use crate::time::Instant;

/// The first pause: long enough for a device to be let go, short enough for a viewer not to leave.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause: whoever mends a device does not wait longer than this for the box.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Having lived so long, a part's next failure counts as its first.
const TRUSTED_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
struct Life {
    failures: u32,
    started: Option<Instant>,
    due: Option<Instant>,
}

/// Which parts failed, and when each is started afresh.
#[derive(Debug, Clone, Default)]
pub(super) struct Restarts {
    lives: BTreeMap<Part, Life>,
}

impl Restarts {
    /// A part's task runs.
    pub(super) fn started(&mut self, now: Instant, part: Part) {
        let life = self.lives.entry(part).or_default();
        life.started = Some(now);
        life.due = None;
    }

    /// A part's task ended by itself.
    pub(super) fn ended(&mut self, now: Instant, part: Part) {
        let life = self.lives.entry(part).or_default();
        if life.started.take().is_some_and(|started| now.since(started) >= TRUSTED_AFTER) {
            life.failures = 0;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << life.failures.min(16)).min(LONGEST_PAUSE);
        life.failures = life.failures.saturating_add(1);
        life.due = Some(now + pause);
    }

    /// The parts whose pause is over; each is named once.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Part> {
        let mut parts = Vec::new();
        for (part, life) in &mut self.lives {
            if life.due.is_some_and(|due| now >= due) {
                life.due = None;
                parts.push(*part);
            }
        }
        parts
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.lives.values().filter_map(|life| life.due).min()
    }
}
