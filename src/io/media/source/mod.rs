//! Captures: opened, lost, opened again, each on its own thread, none known to the pump but by its feed.

mod alsa;
mod ended;
mod file;
mod simulated;
mod stamps;
mod v4l2;

use std::sync::Arc;
use std::thread;

use self::ended::Ended;
use super::feed::Feed;
use super::stop::{CLOCKED, Stop, urgent};
use crate::board::{PictureDevice, SoundDevice};
use crate::io::clock;
use crate::media::{Config, SourceId};
use crate::time::Duration;

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
            Device::Picture(PictureDevice::V4l2 { bus, controls }) => {
                v4l2::capture(bus, controls, feed, config, stop).unwrap_or_else(Ended::from)
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
