//! A bell that a thread can sleep beside: it wakes for its end.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::time::Duration;

/// Wakes the thread for its end.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_all();
    }

    /// Sleeps for `span`, or until it rings; true if it rang.
    pub(super) fn wait(&self, span: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        *self.heard.wait_timeout_while(rung, span, |rung| !*rung).unwrap_or_else(PoisonError::into_inner).0
    }
}
