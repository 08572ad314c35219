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

#[cfg(test)]
mod tests {
    use super::*;
    use gst::prelude::*;

    const SIZE: PictureSize = PictureSize { width: 640, height: 360 };

    /// A slide: white above, black from row `black` on; grey in colour.
    fn slide(black: usize) -> gst::Buffer {
        let shape = raster::I420::new(SIZE);
        let mut picture = vec![128; shape.bytes()];
        let stride = shape.stride();
        for (n, row) in picture[..stride * SIZE.height as usize].chunks_mut(stride).enumerate() {
            row.fill(if n < black { 235 } else { 16 });
        }
        gst::Buffer::from_mut_slice(picture)
    }

    /// Width, height and the brightness of each point of a coded picture.
    fn decoded(jpeg: &[u8]) -> (usize, usize, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("slide.jpg");
        std::fs::write(&file, jpeg).unwrap();
        let uri = format!("filesrc location={} ! jpegdec ! videoconvert ! appsink name=out", file.display());
        let pipe = gst::parse::launch(&uri).unwrap().downcast::<gst::Pipeline>().unwrap();
        let out = pipe.by_name("out").unwrap().downcast::<gstreamer_app::AppSink>().unwrap();
        out.set_caps(Some(&gst::Caps::builder("video/x-raw").field("format", "GRAY8").build()));
        pipe.set_state(gst::State::Playing).unwrap();
        let sample = out.pull_sample().expect("it is a JPEG");
        let size = sample.caps().unwrap().structure(0).unwrap();
        let (width, height): (i32, i32) = (size.get("width").unwrap(), size.get("height").unwrap());
        let points = sample.buffer().unwrap().map_readable().unwrap().to_vec();
        pipe.set_state(gst::State::Null).unwrap();
        (width as usize, height as usize, points)
    }

    #[test]
    fn a_turned_slide_is_a_fact_with_the_time_of_its_first_picture_and_a_small_picture_that_decodes() {
        super::super::init().unwrap();
        let (send, mut heard) = tokio::sync::mpsc::channel(8);
        let rate = FrameRate { num: 25, den: 1 };
        let mut turns = Turns::new(SIZE, rate, Tell::new(send));

        let (before, after) = (slide(320), slide(100));
        for tick in 0..50 {
            turns.look(rate.stamp_of(tick), Some(if tick < 24 { &before } else { &after }));
        }

        let (must, what) = heard.blocking_recv().expect("it is told");
        let What::SlideChanged { pts, thumbnail } = what else { panic!("{what:?}") };
        // looked at every fifth tick: 4, 9, … 24 is the first that shows it
        assert_eq!((must, pts), (true, 3600 * 90_000 + 24 * 3600));
        let (width, height, points) = decoded(&thumbnail);
        assert_eq!((width, height), (320, 180));
        let row = |n: usize| points[n * 320..][..320].iter().map(|y| u32::from(*y)).sum::<u32>() / 320;
        assert!(row(20) > 200 && row(120) < 60, "it is the new slide: {} {}", row(20), row(120));
        drop(turns);
        assert!(heard.blocking_recv().is_none(), "told once");
    }
}
