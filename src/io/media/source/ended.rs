//! How a capture ended, and when to look again.

use crate::io::task::reason;
use crate::lang::Text;
use crate::message::LossCause;
use crate::time::Duration;

/// How a capture ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Why.
    pub(super) cause: LossCause,
    /// What it says of itself.
    pub(super) detail: Text,
    /// When looking again is worth while; the supervisor backs off by itself if it is not known.
    pub(super) again: Option<Duration>,
}

impl Ended {
    /// It was there and failed.
    pub(super) fn failed(detail: Text) -> Self {
        Self { cause: LossCause::Failed, detail, again: None }
    }

    /// It is not there.
    pub(super) fn absent(detail: Text, again: Duration) -> Self {
        Self { cause: LossCause::Absent, detail, again: Some(again) }
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(reason(&error))
    }
}
