//! Lifecycle: whether the box is on air, going there, or leaving.
//!
//! ```text
//!              start              the output opens
//!   Standby ─────────► Starting ───────────────────► Live
//!      ▲                  │ stop                       │ stop
//!      │                  ▼                            │
//!      └────────────── Stopping ◄──────────────────────┘
//!        the output is closed, or LEAVE_WITHIN has passed
//! ```
//!
//! An output that closes while live leaves the phase alone: the operator wants to be on air, media
//! tries again by itself, and an alarm says what is the matter.

use std::time::Duration;

use crate::message::{Phase, Refusal};
use crate::time::Instant;

/// So long may media take to close the output; then the box counts as off air. Media waits at most
/// 1.5 s for the last packets; a little more, and a hung part would still not lock the start key for long.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Where the box stands.
#[derive(Debug, Clone)]
pub(super) struct Lifecycle {
    phase: Phase,
    since: Instant,
    ending: bool,
}

impl Lifecycle {
    /// Starting if it was on air when the process ended, else in standby.
    pub(super) fn new(now: Instant, on_air: bool) -> Self {
        Self { phase: if on_air { Phase::Starting } else { Phase::Standby }, since: now, ending: false }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// The programme is wanted on the air.
    pub(super) fn on_air(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Live)
    }

    /// Everything is ending.
    pub(super) fn ending(&self) -> bool {
        self.ending
    }

    /// Goes on air.
    pub(super) fn start(&mut self, now: Instant) -> Result<(), Refusal> {
        match self.phase {
            _ if self.ending => Err(Refusal::ShuttingDown),
            Phase::Starting | Phase::Live => Err(Refusal::AlreadyLive),
            Phase::Standby | Phase::Stopping => {
                self.enter(now, Phase::Starting);
                Ok(())
            }
        }
    }

    /// Leaves the air; `open` says whether an output has to be closed first.
    pub(super) fn stop(&mut self, now: Instant, open: bool) -> Result<(), Refusal> {
        match self.phase {
            _ if self.ending => Err(Refusal::ShuttingDown),
            Phase::Standby | Phase::Stopping => Err(Refusal::NotLive),
            Phase::Starting | Phase::Live => {
                self.enter(now, if open { Phase::Stopping } else { Phase::Standby });
                Ok(())
            }
        }
    }

    /// The process ends; nothing is accepted from now on.
    pub(super) fn shutdown(&mut self, now: Instant) {
        self.ending = true;
        if self.on_air() {
            self.enter(now, Phase::Stopping);
        }
    }

    /// The output opened or closed.
    pub(super) fn output(&mut self, now: Instant, open: bool) {
        match (self.phase, open) {
            (Phase::Starting, true) => self.enter(now, Phase::Live),
            (Phase::Stopping, false) => self.enter(now, Phase::Standby),
            _ => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.phase == Phase::Stopping && now >= self.since + LEAVE_WITHIN {
            self.enter(now, Phase::Standby);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        (self.phase == Phase::Stopping).then(|| self.since + LEAVE_WITHIN)
    }

    fn enter(&mut self, now: Instant, phase: Phase) {
        self.phase = phase;
        self.since = now;
    }
}
