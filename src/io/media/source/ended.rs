//! How a capture ended, and when to look again.

use crate::message::LossCause;
use crate::time::Duration;

/// How a capture ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Why.
    pub(super) cause: LossCause,
    /// The device's own words.
    pub(super) detail: String,
    /// When looking again is worth while; the supervisor backs off by itself if it is not known.
    pub(super) again: Option<Duration>,
}

impl Ended {
    /// It was there and failed.
    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self { cause: LossCause::Failed, detail: detail.into(), again: None }
    }

    /// It is not there.
    pub(super) fn absent(detail: impl Into<String>, again: Duration) -> Self {
        Self { cause: LossCause::Absent, detail: detail.into(), again: Some(again) }
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}
