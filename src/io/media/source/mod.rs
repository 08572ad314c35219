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
use super::plugs::Plugs;
use super::stop::{CLOCKED, Stop, urgent};
use crate::board::{CardMatch, PictureDevice, SoundDevice};
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
    /// Sound that is made or read here.
    Sound(SoundDevice),
    /// A sound card, and for each feed the channels that are its leads.
    Card {
        /// Which card.
        card: CardMatch,
        /// Device on the card.
        device: u32,
        /// For each feed, counted from 1.
        leads: Vec<Vec<u8>>,
    },
}

impl Device {
    /// What the board says of a mixer line.
    pub(super) fn of_sound(device: SoundDevice) -> Self {
        match device {
            SoundDevice::Alsa { card, device, channels } => Self::Card { card, device, leads: vec![channels] },
            made @ (SoundDevice::Tone { .. } | SoundDevice::File { .. }) => Self::Sound(made),
        }
    }

    /// Takes the other's leads in, if both hang on one card.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Card { card, device, leads },
                Self::Card { card: other, device: other_device, leads: other_leads },
            ) if card == other && device == other_device => {
                leads.extend_from_slice(other_leads);
                true
            }
            _ => false,
        }
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
    pub(super) fn start(device: Device, feeds: Vec<Arc<Feed>>, config: Arc<Config>) -> anyhow::Result<Self> {
        let stop = Arc::new(Stop::default());
        let ended = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(feeds.first().map_or("capture", |feed| feed.source.name()).into())
            .spawn(move || keep(&device, &feeds, &config, &ended))?;
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

fn keep(device: &Device, feeds: &[Arc<Feed>], config: &Config, stop: &Stop) {
    urgent(CLOCKED);
    let Some(feed) = feeds.first() else { return };
    let mut patience = Patience(FIRST_WAIT);
    // only a device that can be plugged in is waited for so
    let plugs = matches!(device, Device::Picture(PictureDevice::V4l2 { .. })).then(Plugs::listen);
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
            Device::Picture(PictureDevice::V4l2 { bus, controls, facts }) => {
                let what = v4l2::Described { bus, controls, facts };
                let Some(plugs) = &plugs else { return };
                v4l2::capture(what, feed, config, plugs, stop).unwrap_or_else(Ended::from)
            }
            Device::Card { card, device, leads } => {
                alsa::capture(card, *device, leads, feeds, stop).unwrap_or_else(Ended::from)
            }
            Device::Sound(SoundDevice::Alsa { .. }) => return,
        };
        for feed in feeds {
            feed.lost(ended.cause, ended.detail.clone());
        }
        let span = patience.wait_after(clock::now().since(began), ended.again);
        match &plugs {
            // a device that comes is opened at once
            Some(plugs) => drop(plugs.rest(None, span, stop)),
            None => drop(stop.wait(span)),
        }
    }
}

/// How long the next failure is waited for.
struct Patience(Duration);

impl Patience {
    /// The wait before a device that ended after a run of `ran` is opened again; `again` if it says so itself.
    fn wait_after(&mut self, ran: Duration, again: Option<Duration>) -> Duration {
        if ran > GOOD_RUN {
            self.0 = FIRST_WAIT;
        }
        if let Some(again) = again {
            return again;
        }
        let wait = self.0;
        self.0 = (wait * 2).min(LAST_WAIT);
        wait
    }
}

/// The number that a pattern carries in its bar.
fn number(source: SourceId) -> u8 {
    match source {
        SourceId::Slides => 1,
        SourceId::Camera2 => 2,
        SourceId::Camera | SourceId::MixerA | SourceId::MixerB | SourceId::Embedded => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_fails_is_tried_ever_more_rarely_and_at_once_again_after_a_good_run() {
        let mut patience = Patience(FIRST_WAIT);
        let at_once = Duration::ZERO;

        let waits: Vec<u128> = (0..6).map(|_| patience.wait_after(at_once, None).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 2000, 2000]);
        let looked = Duration::from_millis(100);
        assert_eq!(patience.wait_after(at_once, Some(looked)), looked, "one that is absent is looked for");
        assert_eq!(patience.wait_after(GOOD_RUN * 2, None).as_millis(), 200);
    }
}
