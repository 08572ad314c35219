//! Third: the sound embedded in HDMI or SDI, judged by itself.
//!
//! A laptop or a camera may rightly be silent for an hour, and no other line says that it should not be.
//! So its silence is a finding after the same patience as a line's, which makes it no refuge; whether
//! anybody is told is decided where it is known which line is on air.

use super::findings::{Fault, Finding, Findings};
use super::watch::Look;
use crate::time::{Duration, Instant};

/// A source that says nothing for so long is gone.
const STALE: Duration = Duration::from_millis(500);

/// What is known of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Third {
    look: Option<Look>,
    /// When it last carried a programme, or was heard first.
    sounded: Option<Instant>,
}

impl Third {
    /// It told this.
    pub(super) fn handle_look(&mut self, look: Look) {
        if look.tenth.programme() || self.sounded.is_none() {
            self.sounded = Some(look.at);
        }
        self.look = Some(look);
    }

    /// What is wrong with it.
    pub(super) fn findings(&self, now: Instant, patience: Duration) -> Findings {
        let (Some(look), Some(sounded)) = (&self.look, self.sounded) else { return Findings::default() };
        if now.since(look.at) >= STALE {
            return Findings::default();
        }
        let mut findings = look.findings;
        // HDMI without sound is digital silence, and no lead was pulled
        findings.drop(Fault::Unplugged);
        if look.at.since(sounded) >= patience {
            findings.put(Finding { fault: Fault::Silent, since: sounded, confidence: Finding::PROVEN });
        }
        findings
    }
}
