//! Where the threads of media leave their facts.

use tokio::sync::mpsc;

use crate::message::What;

/// Where threads leave facts; a full queue loses measurements, never blocks the programme.
#[derive(Debug, Clone)]
pub(super) struct Tell(mpsc::Sender<(bool, What)>);

impl Tell {
    /// `true` beside a fact: it must be heard.
    pub(super) fn new(facts: mpsc::Sender<(bool, What)>) -> Self {
        Self(facts)
    }

    /// Something that control must hear.
    pub(super) fn state(&self, what: What) {
        if self.0.try_send((true, what)).is_err() {
            tracing::warn!("a fact of the media part was lost: control does not listen");
        }
    }

    /// A figure; the next one says more.
    pub(super) fn measure(&self, what: What) {
        let _ = self.0.try_send((false, what));
    }
}
