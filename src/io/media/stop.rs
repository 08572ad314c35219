//! A wish to end that a thread can sleep on.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::io::clock;
use crate::time::{Duration, Instant};

/// Told once, heard by every thread that waits on it.
#[derive(Debug, Default)]
pub(super) struct Stop {
    told: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    /// Tells everyone to end.
    pub(super) fn tell(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// True if told.
    pub(super) fn told(&self) -> bool {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for `span`; true if told to end meanwhile.
    pub(super) fn wait(&self, span: Duration) -> bool {
        self.wait_until(clock::now() + span)
    }

    /// Sleeps until `at`; true if told to end meanwhile.
    pub(super) fn wait_until(&self, at: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = at.since(clock::now());
            if *told || left.is_zero() {
                return *told;
            }
            told = self.bell.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Nice value of the clocked threads: pump and captures wait for nobody, and work little.
pub(super) const CLOCKED: i32 = -15;
/// Nice value of the threads that convert and encode.
pub(super) const STREAM: i32 = -5;

/// Lets the calling thread come before the machine's other work, where the process may.
#[allow(unsafe_code, reason = "neither the standard library nor nix sets a thread's nice value")]
pub(super) fn urgent(nice: i32) {
    // SAFETY: takes plain numbers; on Linux 0 is the calling thread, and a refusal changes nothing.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
}
