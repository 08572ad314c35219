//! Captures: opened, lost, opened again, each on its own thread, none known to the pump but by its feed.

mod alsa;
mod file;
mod simulated;
mod v4l2;

use std::sync::Arc;
use std::thread;

use gst::prelude::*;
use gstreamer as gst;

use super::feed::Feed;
use super::stop::{CLOCKED, Stop, urgent};
use crate::board::{PictureDevice, SoundDevice};
use crate::io::clock;
use crate::media::{Config, SourceId};
use crate::message::LossCause;
use crate::time::{Duration, Instant};

/// First wait after a failure; doubled up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Longest wait between two attempts.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// A capture that ran for so long begins with the first wait again.
const GOOD_RUN: Duration = Duration::from_secs(5);

/// Which device a capture opens.
#[derive(Debug, Clone)]
pub(super) enum Device {
    /// Pictures.
    Picture(PictureDevice),
    /// Sound.
    Sound(SoundDevice),
}

/// How a capture ended.
#[derive(Debug)]
struct Ended {
    cause: LossCause,
    detail: String,
    // when looking again is worth while; the supervisor backs off by itself if it is not known
    again: Option<Duration>,
}

impl Ended {
    fn failed(detail: impl Into<String>) -> Self {
        Self { cause: LossCause::Failed, detail: detail.into(), again: None }
    }

    fn absent(detail: impl Into<String>, again: Duration) -> Self {
        Self { cause: LossCause::Absent, detail: detail.into(), again: Some(again) }
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

/// A capture and the thread that keeps it alive.
#[derive(Debug)]
pub(super) struct Source {
    stop: Arc<Stop>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Source {
    /// Starts to open `device`, and goes on trying until dropped.
    pub(super) fn start(device: Device, feed: Arc<Feed>, config: Arc<Config>) -> anyhow::Result<Self> {
        let stop = Arc::new(Stop::default());
        let ended = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(feed.source.name().into())
            .spawn(move || keep(&device, &feed, &config, &ended))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Tells the capture to end, without waiting for it.
    pub(super) fn tell(&self) {
        self.stop.tell();
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop.tell();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(device: &Device, feed: &Arc<Feed>, config: &Config, stop: &Stop) {
    urgent(CLOCKED);
    let mut wait = FIRST_WAIT;
    while !stop.told() {
        let began = clock::now();
        let ended = match device {
            Device::Picture(PictureDevice::Pattern { outages }) => {
                simulated::pattern(outages, feed, config, stop).unwrap_or_else(Ended::from)
            }
            Device::Sound(SoundDevice::Tone { hertz, outages }) => simulated::tone(*hertz, outages, feed, stop),
            Device::Picture(PictureDevice::File { path }) | Device::Sound(SoundDevice::File { path }) => {
                file::play(path, feed, config, stop).unwrap_or_else(Ended::from)
            }
            Device::Picture(PictureDevice::V4l2 { bus }) => {
                v4l2::capture(bus, feed, config, stop).unwrap_or_else(Ended::from)
            }
            Device::Sound(SoundDevice::Alsa { card, device }) => {
                alsa::capture(card, *device, feed, stop).unwrap_or_else(Ended::from)
            }
        };
        feed.lost(ended.cause, ended.detail);
        if clock::now().since(began) > GOOD_RUN {
            wait = FIRST_WAIT;
        }
        stop.wait(ended.again.unwrap_or(wait));
        if ended.again.is_none() {
            wait = (wait * 2).min(LAST_WAIT);
        }
    }
}

/// The number that a pattern carries in its bar.
fn number(source: SourceId) -> u8 {
    u8::from(source == SourceId::Slides)
}

/// Translates GStreamer's monotonic time to ours.
#[derive(Debug, Clone, Copy)]
struct Stamps {
    // ours minus theirs, microseconds
    offset: i64,
}

impl Stamps {
    fn of(clock: &gst::Clock) -> Self {
        let theirs = clock.time().useconds();
        let ours = clock::now().as_micros();
        Self { offset: i64::try_from(ours).unwrap_or(0) - i64::try_from(theirs).unwrap_or(0) }
    }

    /// When the sample was taken, or now if it does not say.
    fn of_sample(self, sample: &gst::Sample, base: gst::ClockTime) -> Instant {
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
