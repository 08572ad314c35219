//! Feed: where a capture leaves what it takes, and what it says of itself.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gstreamer as gst;

use crate::lang::Text;
use crate::media::slot::Slot;
use crate::media::sound::{Stereo, Store};
use crate::media::{Config, SourceId};
use crate::message::LossCause;
use crate::time::{Duration, Instant};

/// Between one capture and the pump.
#[derive(Debug)]
pub(super) struct Feed {
    /// Whose.
    pub(super) source: SourceId,
    /// The board has such a device; nobody is told of one that is not there by design.
    pub(super) fitted: bool,
    slot: Mutex<Slot<gst::Buffer>>,
    store: Mutex<Store>,
    condition: Mutex<Condition>,
}

/// What the capture says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// What it gives.
    pub(super) detail: Text,
    /// Why it gives nothing, if it knows.
    pub(super) loss: Option<(LossCause, Text)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a thread that panicked leaves plain data behind, which stays usable
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// An empty feed for a programme of this shape.
    pub(super) fn new(source: SourceId, fitted: bool, config: &Config) -> Self {
        let period = Duration::from_nanos(config.rate.nanos_of(1));
        let delay = Slot::<gst::Buffer>::delay(period);
        Self {
            source,
            fitted,
            slot: Mutex::new(Slot::new(period)),
            store: Mutex::new(Store::new(delay)),
            condition: Mutex::default(),
        }
    }

    /// A picture, taken at `stamp`.
    pub(super) fn picture(&self, stamp: Instant, frame: gst::Buffer) {
        self.slot().push(stamp, frame);
    }

    /// Some sound.
    pub(super) fn sound(&self, samples: impl IntoIterator<Item = Stereo>) {
        self.store().push(samples);
    }

    /// The capture is open and gives this.
    pub(super) fn opened(&self, detail: Text) {
        *lock(&self.condition) = Condition { detail, loss: None };
    }

    /// The capture gives nothing, and this is why.
    pub(super) fn lost(&self, cause: LossCause, detail: Text) {
        lock(&self.condition).loss = Some((cause, detail));
    }

    /// The capture gives again what it gave before.
    pub(super) fn found(&self) {
        lock(&self.condition).loss = None;
    }

    /// What the capture says of itself.
    pub(super) fn condition(&self) -> Condition {
        lock(&self.condition).clone()
    }

    /// The pictures.
    pub(super) fn slot(&self) -> MutexGuard<'_, Slot<gst::Buffer>> {
        lock(&self.slot)
    }

    /// The sound.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }
}
