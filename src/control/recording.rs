//! Recording: when bytes go to the disk, where a segment ends, and what the recorder says of it.
//!
//! Every cut is one number in Orders, and with it goes a key picture asked of the encoder: the
//! recorder begins the new segment there.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::Floor;
use crate::lang::Text;
use crate::message::{Intent, Reading, RecordOrders, RecordingStatus, Verdict, What};
use crate::record::{Config, Label, PROGRAMME, StopCause, When};
use crate::time::Instant;
use crate::units::{Bitrate, Bytes};

/// A segment that lost bytes is an alarm for so long after the latest loss.
const GAP_STANDS: Duration = Duration::from_secs(60);

/// Recordings that were deleted for room are told for so long.
const REMOVED_STANDS: Duration = Duration::from_secs(60);

/// A measurement older than this is not shown as present.
const FRESH: Duration = Duration::from_secs(5);

/// Less room than for so many minutes deserves a look.
const ROOM_WANTED: f64 = 60.0;

/// Less room than for so many minutes is nearly none.
const ROOM_HARMFUL: f64 = 10.0;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    bytes: Bytes,
    rate: Bitrate,
    free: Bytes,
    total: Bytes,
}

/// What is wanted of the recorder, and what it said last.
#[derive(Debug, Clone, Default)]
pub(super) struct Recording {
    on: bool,
    cuts: u32,
    /// When the running segment began, as far as control asked for it.
    cut_at: Option<Instant>,
    running: Option<(Instant, String)>,
    closed: u32,
    measured: Option<(Instant, Measured)>,
    /// By stream.
    trouble: BTreeMap<String, (StopCause, Text)>,
    gap: Option<(Instant, Bytes)>,
    removed: Option<(Instant, String)>,
}

impl Recording {
    /// The recorder states something.
    pub(super) fn note(&mut self, now: Instant, what: &What) {
        match what {
            What::SegmentOpened { stream, file } => {
                if stream == PROGRAMME {
                    self.running = Some((now, file.clone()));
                }
                self.trouble.remove(stream);
            }
            What::SegmentRenamed { stream, file } if stream == PROGRAMME => {
                if let Some((_, running)) = &mut self.running {
                    running.clone_from(file);
                }
            }
            What::SegmentClosed(segment) => {
                self.closed = self.closed.saturating_add(1);
                if self.running.as_ref().is_some_and(|(_, file)| *file == segment.file) {
                    self.running = None;
                }
            }
            What::SegmentRemoved { file } => self.removed = Some((now, file.clone())),
            What::RecordingMeasured { bytes, rate, free, total } => {
                let measured = Measured { bytes: *bytes, rate: *rate, free: *free, total: *total };
                self.measured = Some((now, measured));
            }
            What::RecordingGap { lost } => self.gap = Some((now, *lost)),
            What::RecordingStopped { stream, cause, why } => {
                if stream == PROGRAMME {
                    self.running = None;
                }
                self.trouble.insert(stream.clone(), (*cause, why.clone()));
            }
            _ => {}
        }
    }

    /// The recorder ended.
    pub(super) fn forget(&mut self) {
        self.running = None;
        self.measured = None;
    }

    /// A new segment from the next key picture on.
    pub(super) fn cut(&mut self, now: Instant) {
        if self.on {
            self.cuts = self.cuts.wrapping_add(1);
            self.cut_at = Some(now);
        }
    }

    /// Whether bytes should go to the disk now, whatever the disk says.
    pub(super) fn wanted(intent: &Intent, on_air: bool, when: When) -> bool {
        intent.record.unwrap_or(on_air && when == When::Live)
    }

    /// What follows for the recorder.
    pub(super) fn conclude(&mut self, now: Instant, wanted: bool, config: &Config, label: Label) -> RecordOrders {
        // a speaker who does not want to be recorded is not, whoever presses what
        let on = wanted && label.allowed.record;
        if on != self.on {
            self.on = on;
            self.cuts = self.cuts.wrapping_add(1);
            self.cut_at = on.then_some(now);
        }
        if self.next_timeout(config).is_some_and(|due| now >= due) {
            self.cut(now);
        }
        RecordOrders { on, cut: self.cuts, label }
    }

    /// When the running segment is long enough.
    pub(super) fn next_timeout(&self, config: &Config) -> Option<Instant> {
        self.cut_at.filter(|_| self.on).map(|at| at + config.span)
    }

    /// Why nothing is recorded though it is wanted.
    pub(super) fn trouble(&self, cause: StopCause) -> Option<Text> {
        self.trouble.values().find(|(is, _)| self.on && *is == cause).map(|(_, why)| why.clone())
    }

    /// Bytes that the disk was too slow for.
    pub(super) fn gap(&self, now: Instant) -> Option<Text> {
        self.gap.filter(|(at, _)| now.since(*at) < GAP_STANDS).map(|(_, lost)| Text::raw(lost.to_string()))
    }

    /// The segment that was deleted last, if that was just now.
    pub(super) fn removed(&self, now: Instant) -> Option<Text> {
        self.removed.as_ref().filter(|(at, _)| now.since(*at) < REMOVED_STANDS).map(|(_, file)| Text::raw(file))
    }

    /// What faces may know.
    pub(super) fn status(&self, now: Instant, wanted: bool, config: &Config, label: Label) -> RecordingStatus {
        let measured = self.measured.filter(|(at, _)| now.since(*at) <= FRESH).map(|(_, measured)| measured);
        let minutes = measured.filter(|m| m.rate.as_bps() > 0).map(|m| {
            let room = m.free.0.saturating_sub(config.stop_free.0) as f64;
            room * 8.0 / m.rate.as_bps() as f64 / 60.0
        });
        let verdict = match minutes {
            None => Verdict::Unknown,
            Some(minutes) if minutes < ROOM_HARMFUL => Verdict::Bad,
            Some(minutes) if minutes < ROOM_WANTED => Verdict::Warn,
            Some(_) => Verdict::Good,
        };
        let running = self.running.as_ref();
        RecordingStatus {
            wanted,
            running: running.is_some(),
            since: running.map(|(since, _)| *since),
            file: running.map(|(_, file)| file.clone()),
            label,
            bytes: measured.filter(|_| running.is_some()).map_or(0, |m| m.bytes.0),
            segments: self.closed,
            rate_mbit: measured.filter(|_| running.is_some()).map(|m| m.rate.as_mbps()),
            room_min: Reading { measured: minutes, wanted: Some(ROOM_WANTED), verdict },
            free_bytes: measured.map_or(0, |m| m.free.0),
            total_bytes: measured.map_or(0, |m| m.total.0),
            trouble: self.trouble.values().next().filter(|_| self.on).map(|(_, why)| why.clone()),
        }
    }
}

/// What is recorded while this talk is on the floor.
pub(super) fn label(floor: &Floor, event: &crate::event::Config) -> Label {
    let talk = floor.now().cloned().unwrap_or_default();
    let name = if event.name.is_empty() { floor.agenda().event.clone() } else { event.name.clone() };
    Label { event: name, hall: event.hall.clone(), speaker: talk.speaker, title: talk.title, allowed: talk.allowed }
}
