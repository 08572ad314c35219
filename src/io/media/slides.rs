//! Looks at the slides a few times a second, and tells of each turn with a small picture.

use std::thread;

use gstreamer as gst;
use gstreamer_video as gst_video;

use super::compose;
use super::tell::Tell;
use crate::media::{FrameRate, PictureSize, raster, slides};
use crate::message::What;

/// Looks a second.
const LOOKS: f64 = 5.0;
/// Width of the small picture.
const WIDTH: i32 = 320;
/// Making it takes no longer than this, or there is none.
const WITHIN: gst::ClockTime = gst::ClockTime::from_seconds(3);

/// Finds turns of slides among the pump's pictures.
pub(super) struct Turns {
    size: PictureSize,
    every: u64,
    tick: u64,
    turns: slides::Turns,
    tell: Tell,
}

impl Turns {
    /// For pictures of this size and rate.
    pub(super) fn new(size: PictureSize, rate: FrameRate, tell: Tell) -> Self {
        let every = ((rate.as_f64() / LOOKS).round() as u64).max(1);
        Self { size, every, tick: 0, turns: slides::Turns::default(), tell }
    }

    /// The slides' picture of a tick with this stamp, nanoseconds; a laptop that is away turns nothing.
    pub(super) fn look(&mut self, stamp: u64, frame: Option<&gst::Buffer>) {
        self.tick += 1;
        let Some(frame) = frame.filter(|_| self.tick.is_multiple_of(self.every)) else { return };
        let turned = {
            let Ok(map) = frame.map_readable() else { return };
            let (width, height) = (self.size.width as usize, self.size.height as usize);
            self.turns.look(stamp, &map, raster::I420::new(self.size).stride(), width, height)
        };
        let Some(stamp) = turned else { return };
        // the mux's clock begins an hour after zero
        let pts = (u128::from(stamp) * 9 / 100_000 + 3600 * 90_000) % (1 << 33);
        let (size, frame, tell) = (self.size, frame.clone(), self.tell.clone());
        let told = thread::Builder::new().name("slide".into()).spawn(move || {
            let thumbnail = small(size, frame).unwrap_or_else(|error| {
                tracing::info!("no small picture of the slide: {error:#}");
                bytes::Bytes::new()
            });
            tell.state(What::SlideChanged { pts: u64::try_from(pts).unwrap_or(0), thumbnail });
        });
        if told.is_err() {
            tracing::warn!("a turn of the slides is not told: no thread");
        }
    }
}

fn small(size: PictureSize, frame: gst::Buffer) -> anyhow::Result<bytes::Bytes> {
    let caps = compose::info(size)?.to_caps()?;
    let height = (WIDTH as u32 * size.height / size.width) as i32 & !1;
    let to = gst::Caps::builder("image/jpeg").field("width", WIDTH).field("height", height).build();
    let sample = gst::Sample::builder().buffer(&frame).caps(&caps).build();
    let made = gst_video::convert_sample(&sample, &to, Some(WITHIN))?;
    let made = made.buffer_owned().ok_or_else(|| anyhow::anyhow!("nothing was made"))?;
    let map = made.into_mapped_buffer_readable().map_err(|_| anyhow::anyhow!("it cannot be read"))?;
    Ok(bytes::Bytes::copy_from_slice(&map))
}
