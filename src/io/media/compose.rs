//! Puts pictures together as a layout says; a picture that fills the screen is handed over, not copied.

use anyhow::Context;
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::media::raster;
use crate::media::{Layout, PictureSize, Place, Rect, SourceId};

/// Frames of one size, used again when nobody holds them any more.
#[derive(Debug)]
pub(super) struct Frames(gst::BufferPool);

impl Frames {
    /// Room for pictures of this size; grows with what is in use.
    pub(super) fn new(size: PictureSize) -> anyhow::Result<Self> {
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(None, u32::try_from(raster::I420::new(size).bytes())?, 4, 0);
        pool.set_config(config).context("a pool of pictures takes its size")?;
        pool.set_active(true)?;
        Ok(Self(pool))
    }

    /// A frame to draw on.
    pub(super) fn take(&self) -> anyhow::Result<gst::Buffer> {
        Ok(self.0.acquire_buffer(None)?)
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let _ = self.0.set_active(false);
    }
}

/// What the caps of the house's pictures mean to GStreamer.
pub(super) fn info(size: PictureSize) -> anyhow::Result<gst_video::VideoInfo> {
    Ok(gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, size.width, size.height).build()?)
}

/// The compositor of the pump.
pub(super) struct Composer {
    size: PictureSize,
    info: gst_video::VideoInfo,
    frames: Frames,
    black: gst::Buffer,
    slates: [gst::Buffer; 2],
    scalers: Vec<(Rect, gst_video::VideoConverter)>,
}

impl Composer {
    /// A compositor with its slates ready.
    pub(super) fn new(size: PictureSize) -> anyhow::Result<Self> {
        let still = |source| gst::Buffer::from_slice(raster::slate(size, source));
        Ok(Self {
            size,
            info: info(size)?,
            frames: Frames::new(size)?,
            black: gst::Buffer::from_slice(raster::black(size)),
            slates: [still(SourceId::Camera), still(SourceId::Slides)],
            scalers: Vec::new(),
        })
    }

    /// The programme's picture, and whether a slate is in it. `frames` are camera and slides.
    pub(super) fn compose(
        &mut self,
        layout: Layout,
        frames: [Option<gst::Buffer>; 2],
    ) -> anyhow::Result<(gst::Buffer, bool)> {
        let places = layout.places(self.size);
        let slate = places.iter().any(|place| frames[index(place.source)].is_none());
        let [camera, slides] = frames;
        let of = [camera.unwrap_or_else(|| self.slates[0].clone()), slides.unwrap_or_else(|| self.slates[1].clone())];
        if let [only] = places.as_slice() {
            return Ok((of[index(only.source)].copy(), slate));
        }
        let mut out = self.frames.take()?;
        let canvas = out.get_mut().context("a frame fresh from the pool is ours alone")?;
        // what lies under everything: the first picture if it fills the screen, black if none does
        let (under, rest) = match places.split_first() {
            Some((first, rest)) if first.area == self.whole() => (&of[index(first.source)], rest),
            _ => (&self.black, places.as_slice()),
        };
        {
            let from = under.map_readable()?;
            canvas.copy_from_slice(0, &from).map_err(|n| anyhow::anyhow!("a picture of {n} bytes is too small"))?;
        }
        for Place { source, area } in rest {
            let scaler = scaler(&mut self.scalers, &self.info, *area)?;
            let from = gst_video::VideoFrameRef::from_buffer_ref_readable(&of[index(*source)], &self.info)?;
            let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(canvas, &self.info)?;
            scaler.frame_ref(&from, &mut to);
        }
        Ok((out, slate))
    }

    fn whole(&self) -> Rect {
        Rect { x: 0, y: 0, width: self.size.width, height: self.size.height }
    }
}

fn index(source: SourceId) -> usize {
    usize::from(source == SourceId::Slides)
}

fn scaler<'a>(
    made: &'a mut Vec<(Rect, gst_video::VideoConverter)>,
    info: &gst_video::VideoInfo,
    area: Rect,
) -> anyhow::Result<&'a gst_video::VideoConverter> {
    let at = match made.iter().position(|(r, _)| *r == area) {
        Some(at) => at,
        None => {
            let side = |n: u32| i32::try_from(n).context("a side of a picture fits 32 bits");
            let mut config = gst_video::VideoConverterConfig::new();
            config.set_dest_x(side(area.x)?);
            config.set_dest_y(side(area.y)?);
            config.set_dest_width(Some(side(area.width)?));
            config.set_dest_height(Some(side(area.height)?));
            config.set_fill_border(false);
            config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
            made.push((area, gst_video::VideoConverter::new(info, info, Some(config))?));
            made.len() - 1
        }
    };
    Ok(&made[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::counter::{self, Luma, Mark};
    use crate::media::raster::{I420, Pattern};

    const SIZE: PictureSize = PictureSize { width: 640, height: 360 };

    fn pattern(source: u8, count: u64) -> gst::Buffer {
        let mut data = vec![0; I420::new(SIZE).bytes()];
        Pattern::new(SIZE, source).draw(&mut data, count, "");
        gst::Buffer::from_slice(data)
    }

    fn marks(picture: &gst::Buffer, layout: Layout) -> Vec<Option<Mark>> {
        let map = picture.map_readable().unwrap();
        let luma = Luma { data: &map, stride: I420::new(SIZE).stride() };
        layout.places(SIZE).into_iter().map(|place| counter::read(luma, place.area)).collect()
    }

    #[test]
    fn each_layout_shows_each_source_at_its_place_with_a_readable_counter() {
        crate::io::media::init().unwrap();
        let mut composer = Composer::new(SIZE).unwrap();
        for layout in Layout::ALL {
            let (picture, slate) = composer.compose(layout, [Some(pattern(0, 77)), Some(pattern(1, 88))]).unwrap();
            let of = |p: Place| if p.source == SourceId::Camera { (0, 77) } else { (1, 88) };
            let wanted: Vec<_> =
                layout.places(SIZE).into_iter().map(of).map(|(source, count)| Some(Mark { source, count })).collect();
            assert_eq!(marks(&picture, layout), wanted, "{layout}");
            assert!(!slate);
        }
    }

    #[test]
    fn a_lost_camera_is_a_slate_at_its_own_place_and_the_slides_stay() {
        crate::io::media::init().unwrap();
        let mut composer = Composer::new(SIZE).unwrap();
        let (picture, slate) = composer.compose(Layout::PictureInPicture, [None, Some(pattern(1, 5))]).unwrap();
        assert!(slate);
        assert_eq!(marks(&picture, Layout::PictureInPicture), [Some(Mark { source: 1, count: 5 }), None]);

        let inset = Layout::PictureInPicture.places(SIZE)[1].area;
        let corner = Rect { x: inset.x + 8, y: inset.y + 8, width: 16, height: 16 };
        let map = picture.map_readable().unwrap();
        let mean = I420::new(SIZE).mean(&map, corner).unwrap();
        assert!((mean[0] - 40.0).abs() < 2.0, "the slate's own colour: {mean:?}");
        drop(map);

        let (_, slate) = composer.compose(Layout::Slides, [None, Some(pattern(1, 5))]).unwrap();
        assert!(!slate, "a camera that nobody wants is not missed");
    }

    #[test]
    fn a_picture_that_fills_the_screen_is_handed_over_and_not_copied() {
        crate::io::media::init().unwrap();
        let mut composer = Composer::new(SIZE).unwrap();
        let camera = pattern(0, 1);
        let (picture, _) = composer.compose(Layout::Camera, [Some(camera.clone()), None]).unwrap();
        assert_eq!(picture.map_readable().unwrap().as_ptr(), camera.map_readable().unwrap().as_ptr());
    }
}
