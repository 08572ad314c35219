//! The one place that asks what time it is.
#![allow(clippy::disallowed_methods, reason = "this is the place")]

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::{Duration, Instant, Timestamp};

static START: OnceLock<std::time::Instant> = OnceLock::new();

fn start() -> std::time::Instant {
    *START.get_or_init(std::time::Instant::now)
}

/// Now, counted from the first time anyone asked.
#[must_use]
pub fn now() -> Instant {
    Instant::from_micros(u64::try_from(start().elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// The runtime's instant at which our `at` comes.
#[must_use]
pub fn tokio_at(at: Instant) -> tokio::time::Instant {
    tokio::time::Instant::from_std(start() + Duration::from_micros(at.as_micros()))
}

/// Wall time, if the machine's clock is plausibly set (after 2024).
#[must_use]
pub fn wall() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let millis = u64::try_from(since.as_millis()).ok()?;
    (millis > 1_704_067_200_000).then_some(Timestamp(millis))
}

/// The same in microseconds since 1970.
#[must_use]
pub fn wall_micros() -> Option<u64> {
    wall()?;
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
}
