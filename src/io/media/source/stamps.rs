//! When a picture was taken, in our time.

use gst::prelude::*;
use gstreamer as gst;

use crate::io::clock;
use crate::time::Instant;

/// Translates GStreamer's monotonic time to ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamps {
    // ours minus theirs, microseconds
    offset: i64,
}

impl Stamps {
    /// From now on.
    pub(super) fn of(clock: &gst::Clock) -> Self {
        let theirs = clock.time().useconds();
        let ours = clock::now().as_micros();
        Self { offset: i64::try_from(ours).unwrap_or(0) - i64::try_from(theirs).unwrap_or(0) }
    }

    /// When the sample was taken, or now if it does not say.
    pub(super) fn of_sample(self, sample: &gst::Sample, base: gst::ClockTime) -> Instant {
        let running = sample
            .segment()
            .and_then(|s| s.downcast_ref::<gst::ClockTime>())
            .and_then(|s| s.to_running_time(sample.buffer()?.pts()?));
        match running {
            Some(running) => {
                let theirs = i64::try_from((base + running).useconds()).unwrap_or(i64::MAX);
                Instant::from_micros(u64::try_from(theirs.saturating_add(self.offset)).unwrap_or(0))
            }
            None => clock::now(),
        }
    }
}
