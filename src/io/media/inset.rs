//! Inset: a place of a layout, scaled to its size by hardware that the board lists. Where there is none, or it fails or
//! is late once, the processor does it.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use anyhow::Context;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::pipeline;
use crate::board::Scaler;
use crate::media::{Layout, PictureSize, Rect, plan, raster};

/// The programme waits so long for a picture, and never again for hardware that was later.
const WITHIN: gst::ClockTime = gst::ClockTime::from_mseconds(10);
/// Hardware that is not ready by then is not asked.
const READY: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// One place's own scaler.
#[derive(Debug)]
pub(super) struct Inset {
    area: Rect,
    /// What the place holds.
    info: gst_video::VideoInfo,
    pipe: gst::Pipeline,
    entrance: gst_app::AppSrc,
    exit: gst_app::AppSink,
}

/// Makes one for each place of each layout that does not fill the screen, with the first of `scalers` that this machine
/// has and that does it; on a thread aside, for drivers take their time.
pub(super) fn make(size: PictureSize, scalers: &[Scaler]) -> Receiver<Inset> {
    let (give, take) = channel();
    let there: Vec<_> =
        scalers.iter().map(|s| s.name()).filter(|name| gst::ElementFactory::find(name).is_some()).collect();
    if there.is_empty() {
        return take;
    }
    let made = thread::Builder::new().name("insets".into()).spawn(move || {
        for area in areas(size) {
            let inset = there.iter().find_map(|scaler| match Inset::new(size, scaler, area) {
                Ok(inset) => Some(inset),
                Err(error) => {
                    tracing::warn!(scaler, "not used for layouts: {error:#}");
                    None
                }
            });
            if inset.is_some_and(|inset| give.send(inset).is_err()) {
                return;
            }
        }
    });
    if let Err(error) = made {
        tracing::warn!("no hardware for layouts: {error}");
    }
    take
}

/// The places that need a scaler, each once.
fn areas(size: PictureSize) -> Vec<Rect> {
    let mut areas = Vec::new();
    for place in Layout::ALL.into_iter().flat_map(|layout| layout.places(size)) {
        let fills = (place.area.width, place.area.height) == (size.width, size.height);
        if !fills && !areas.contains(&place.area) {
            areas.push(place.area);
        }
    }
    areas
}

impl Inset {
    /// Tried with one picture.
    pub(super) fn new(size: PictureSize, scaler: &'static str, area: Rect) -> anyhow::Result<Self> {
        let place = PictureSize { width: area.width, height: area.height };
        let pipe = gst::Pipeline::new();
        pipeline::hurry(&pipe);
        pipeline::add(&pipe, &plan::inset(size, scaler, place))?;
        let entrance = pipeline::find(&pipe, plan::ENTRANCE)?;
        let exit = pipeline::find(&pipe, plan::EXIT)?;
        let inset = Self { area, info: super::compose::info(place)?, pipe, entrance, exit };
        inset.pipe.set_state(gst::State::Playing)?;
        let mut black = vec![0; raster::I420::new(size).bytes()];
        raster::blacken(size, &mut black);
        let black = gst::Buffer::from_slice(black);
        inset.push(&black)?;
        let mut canvas = black.copy_deep()?;
        let whole = super::compose::info(size)?;
        inset.lay(READY, canvas.make_mut(), &whole)?;
        Ok(inset)
    }

    /// From now on it hangs.
    #[cfg(test)]
    pub(super) fn hang(&self) {
        let pad = self.exit.static_pad("sink").unwrap();
        pad.add_probe(gst::PadProbeType::BLOCK_DOWNSTREAM, |_, _| gst::PadProbeReturn::Ok);
    }

    /// Where it lies.
    pub(super) fn area(&self) -> Rect {
        self.area
    }

    /// Takes a picture of the programme's size; never waits.
    pub(super) fn push(&self, picture: &gst::Buffer) -> anyhow::Result<()> {
        let mut picture = picture.copy();
        let stamps = picture.make_mut();
        // there is no other time here than now
        stamps.set_pts(gst::ClockTime::NONE);
        stamps.set_dts(gst::ClockTime::NONE);
        self.entrance.push_buffer(picture)?;
        Ok(())
    }

    /// Lays what was pushed at its place.
    ///
    /// # Errors
    /// If it is late, or is not what was asked for: then this inset is of no use any more.
    pub(super) fn finish(&self, canvas: &mut gst::BufferRef, whole: &gst_video::VideoInfo) -> anyhow::Result<()> {
        self.lay(WITHIN, canvas, whole)
    }

    fn lay(
        &self,
        within: gst::ClockTime,
        canvas: &mut gst::BufferRef,
        whole: &gst_video::VideoInfo,
    ) -> anyhow::Result<()> {
        let sample = self.exit.try_pull_sample(within).context("the hardware gave no picture in time")?;
        let info = gst_video::VideoInfo::from_caps(sample.caps().context("a picture has caps")?)?;
        anyhow::ensure!(
            (info.format(), info.width(), info.height()) == (self.info.format(), self.info.width(), self.info.height()),
            "the hardware gave a picture of another kind"
        );
        let small = sample.buffer().context("a sample has a picture")?;
        let from = gst_video::VideoFrameRef::from_buffer_ref_readable(small, &info)?;
        let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(canvas, whole)?;
        for plane in 0..3_u8 {
            // colour has half the resolution
            let half = |n: u32| usize::try_from(if plane == 0 { n } else { n / 2 });
            let (x, y) = (half(self.area.x)?, half(self.area.y)?);
            let (width, height) = (half(self.area.width)?, half(self.area.height)?);
            let stride = |strides: &[i32]| usize::try_from(strides[usize::from(plane)]);
            let (across, across_to) = (stride(from.plane_stride())?, stride(to.plane_stride())?);
            let source = from.plane_data(plane.into())?.chunks(across);
            let rows = to.plane_data_mut(plane.into())?.chunks_mut(across_to).skip(y);
            for (row, line) in rows.zip(source).take(height) {
                row.get_mut(x..x + width)
                    .zip(line.get(..width))
                    .context("the place lies within the picture")
                    .map(|(row, line)| row.copy_from_slice(line))?;
            }
        }
        Ok(())
    }
}

impl Drop for Inset {
    fn drop(&mut self) {
        pipeline::discard(self.pipe.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_without_such_hardware_has_none_and_every_place_that_needs_it_is_known() {
        super::super::init().unwrap();
        let size = PictureSize { width: 1920, height: 1080 };
        assert!(make(size, &[]).recv().is_err());
        // one inset, two halves, three parts
        assert_eq!(areas(size).len(), 6);
    }
}
