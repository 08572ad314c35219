//! Puts pictures together as a layout says; a picture that fills the screen is handed over, not copied.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::Context;
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::inset::{self, Inset};
use super::shelf::Shelf;
use crate::board::Scaler;
use crate::media::raster;
use crate::media::{Layout, PictureSize, Place, Rect, Slate, SourceId};

/// Frames of one size, used again when nobody holds them any more.
#[derive(Debug)]
pub(super) struct Frames(gst::BufferPool);

impl Frames {
    /// Pictures of this size; as many as are in use at a time.
    pub(super) fn new(size: PictureSize) -> anyhow::Result<Self> {
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(None, u32::try_from(raster::I420::new(size).bytes())?, 0, 0);
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
    // drawn when they are needed first: eight stills nobody sees would be 25 MB at 1080p
    slates: [OnceCell<gst::Buffer>; 3],
    shelf: Arc<Shelf>,
    scalers: Vec<(Rect, gst_video::VideoConverter)>,
    /// Hardware for the same, as it becomes ready.
    insets: Vec<Inset>,
    coming: Receiver<Inset>,
}

impl Composer {
    /// A compositor; the slates from files and the logo stand on the shelf. `scalers` is the board's hardware for
    /// pictures within a layout.
    pub(super) fn new(size: PictureSize, shelf: Arc<Shelf>, scalers: &[Scaler]) -> anyhow::Result<Self> {
        Ok(Self {
            size,
            info: info(size)?,
            frames: Frames::new(size)?,
            slates: Default::default(),
            shelf,
            scalers: Vec::new(),
            insets: Vec::new(),
            coming: inset::make(size, scalers),
        })
    }

    /// The slate that was asked for, over the whole picture; `film` is the present picture of the warm-up loop.
    pub(super) fn slate(&self, which: Slate, film: Option<&gst::Buffer>) -> gst::Buffer {
        match film {
            Some(film) => film.copy(),
            None => self.shelf.still(which).copy(),
        }
    }

    /// The programme's picture, and whether a slate is in it. `frames` are those of [`SourceId::PICTURES`].
    pub(super) fn compose(
        &mut self,
        layout: Layout,
        frames: [Option<gst::Buffer>; 3],
    ) -> anyhow::Result<(gst::Buffer, bool)> {
        let places = layout.places(self.size);
        let slate = places.iter().any(|place| frames[index(place.source)].is_none());
        let logo = self.shelf.logo();
        // alone on the screen, a lost source is the event's own slate
        let technical = self.shelf.filed(Slate::Technical).filter(|_| places.len() == 1);
        let of: [gst::Buffer; 3] = std::array::from_fn(|i| match (&frames[i], &technical) {
            (Some(frame), _) => frame.clone(),
            (None, Some(technical)) => technical.clone(),
            (None, None) => self.no_signal(i),
        });
        if let [only] = places.as_slice() {
            let picture = &of[index(only.source)];
            return match logo.filter(|_| !slate) {
                Some(logo) => Ok((self.with_logo(picture, &logo)?, slate)),
                None => Ok((picture.copy(), slate)),
            };
        }
        let mut out = self.frames.take()?;
        let canvas = out.get_mut().context("a frame fresh from the pool is ours alone")?;
        // what lies under everything: the first picture if it fills the screen, black if none does
        let rest = match places.split_first() {
            Some((first, rest)) if first.area == self.whole() => {
                let from = of[index(first.source)].map_readable()?;
                canvas.copy_from_slice(0, &from).map_err(|n| anyhow::anyhow!("a picture of {n} bytes is too small"))?;
                rest
            }
            _ => {
                raster::blacken(self.size, &mut canvas.map_writable()?);
                places.as_slice()
            }
        };
        self.insets.extend(self.coming.try_iter());
        // all of them at once, and then one after the other
        self.insets.retain(|inset| {
            let mut wanted = rest.iter().filter(|place| place.area == inset.area());
            wanted.all(|place| useful(inset.push(&of[index(place.source)])))
        });
        for Place { source, area } in rest {
            if let Some(at) = self.insets.iter().position(|inset| inset.area() == *area) {
                if useful(self.insets[at].finish(canvas, &self.info)) {
                    continue;
                }
                self.insets.swap_remove(at);
            }
            let scaler = scaler(&mut self.scalers, &self.info, *area)?;
            let from = gst_video::VideoFrameRef::from_buffer_ref_readable(&of[index(*source)], &self.info)?;
            let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(canvas, &self.info)?;
            scaler.frame_ref(&from, &mut to);
        }
        if let Some(logo) = logo {
            lay(&logo, canvas, &self.info)?;
        }
        Ok((out, slate))
    }

    /// The built-in still of a lost source.
    fn no_signal(&self, source: usize) -> gst::Buffer {
        let still = || gst::Buffer::from_slice(raster::slate(self.size, SourceId::PICTURES[source]));
        self.slates[source].get_or_init(still).clone()
    }

    /// A picture of our own with the logo on it: the source's may be shown again.
    fn with_logo(
        &self,
        picture: &gst::Buffer,
        logo: &gst_video::VideoOverlayComposition,
    ) -> anyhow::Result<gst::Buffer> {
        let mut out = self.frames.take()?;
        let canvas = out.get_mut().context("a frame fresh from the pool is ours alone")?;
        let from = picture.map_readable()?;
        canvas.copy_from_slice(0, &from).map_err(|n| anyhow::anyhow!("a picture of {n} bytes is too small"))?;
        lay(logo, canvas, &self.info)?;
        Ok(out)
    }

    fn whole(&self) -> Rect {
        Rect { x: 0, y: 0, width: self.size.width, height: self.size.height }
    }
}

fn lay(
    logo: &gst_video::VideoOverlayComposition,
    canvas: &mut gst::BufferRef,
    info: &gst_video::VideoInfo,
) -> anyhow::Result<()> {
    let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(canvas, info)?;
    logo.blend(&mut to).context("the logo does not lie on the picture")
}

fn useful(done: anyhow::Result<()>) -> bool {
    done.inspect_err(|error| tracing::warn!("the processor scales from now on: {error:#}")).is_ok()
}

fn index(source: SourceId) -> usize {
    SourceId::PICTURES.iter().position(|s| *s == source).unwrap_or_default()
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

    fn sources() -> [Option<gst::Buffer>; 3] {
        [Some(pattern(0, 77)), Some(pattern(1, 88)), Some(pattern(2, 99))]
    }

    #[test]
    fn the_slate_that_was_asked_for_is_built_in_where_there_is_no_file() {
        crate::io::media::init().unwrap();
        let composer = Composer::new(SIZE, Shelf::new(SIZE), &[]).unwrap();
        let bytes = |picture: &gst::Buffer| picture.map_readable().unwrap().to_vec();
        let all = Slate::ALL.map(|which| bytes(&composer.slate(which, None)));
        for (n, one) in all.iter().enumerate() {
            assert!(all[n + 1..].iter().all(|other| other != one), "four slates, four pictures");
        }

        let film = pattern(0, 3);
        let shown = composer.slate(Slate::Warmup, Some(&film));
        assert_eq!(shown.map_readable().unwrap().as_ptr(), film.map_readable().unwrap().as_ptr(), "handed over");
    }

    #[test]
    fn each_layout_shows_each_source_at_its_place_with_a_readable_counter() {
        crate::io::media::init().unwrap();
        let mut composer = Composer::new(SIZE, Shelf::new(SIZE), &[]).unwrap();
        for layout in Layout::ALL {
            let (picture, slate) = composer.compose(layout, sources()).unwrap();
            let of = |p: Place| [(0, 77), (1, 88), (2, 99)][index(p.source)];
            let wanted: Vec<_> =
                layout.places(SIZE).into_iter().map(of).map(|(source, count)| Some(Mark { source, count })).collect();
            assert_eq!(marks(&picture, layout), wanted, "{layout}");
            assert!(!slate);
        }
    }

    /// A composer whose insets are made by this element.
    fn with(scaler: &'static str) -> anyhow::Result<Composer> {
        let mut composer = Composer::new(SIZE, Shelf::new(SIZE), &[])?;
        for place in Layout::ALL.into_iter().flat_map(|layout| layout.places(SIZE)) {
            composer.insets.push(Inset::new(SIZE, scaler, place.area)?);
        }
        Ok(composer)
    }

    #[test]
    fn an_element_of_the_board_lays_every_picture_where_the_processor_would() {
        crate::io::media::init().unwrap();
        // the one that every machine has, in place of v4l2convert and vapostproc
        let (mut by_element, mut by_us) = (with("videoscale").unwrap(), with("videoscale").unwrap());
        by_us.insets.clear();
        let bytes = |picture: &gst::Buffer| picture.map_readable().unwrap().to_vec();
        for layout in [Layout::PictureInPicture, Layout::SideBySide, Layout::ThreeSplit] {
            for _ in 0..2 {
                let [(a, _), (b, _)] = [&mut by_element, &mut by_us].map(|c| c.compose(layout, sources()).unwrap());
                let (a, b) = (bytes(&a), bytes(&b));
                let apart: u64 = a.iter().zip(&b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
                assert!(apart < 2 * a.len() as u64, "{layout}: {apart} in {} samples", a.len());
            }
        }
        assert!(by_element.insets.len() > 5, "none was late or gave something else");
    }

    #[test]
    fn an_element_that_hangs_costs_no_picture() {
        crate::io::media::init().unwrap();
        let mut composer = with("videoscale").unwrap();
        for inset in &composer.insets {
            inset.hang();
        }
        let before = composer.insets.len();

        let (picture, _) = composer.compose(Layout::ThreeSplit, sources()).unwrap();

        let wanted = [(2, 99), (0, 77), (1, 88)];
        let mut seen = marks(&picture, Layout::ThreeSplit);
        seen.sort_by_key(|mark| mark.map(|mark| mark.source));
        let mut wanted: Vec<_> = wanted.map(|(source, count)| Some(Mark { source, count })).to_vec();
        wanted.sort_by_key(|mark| mark.map(|mark| mark.source));
        assert_eq!(seen, wanted);
        assert_eq!(composer.insets.len(), before - 3, "they are not asked again");
    }

    #[test]
    fn a_lost_camera_is_a_slate_at_its_own_place_and_the_slides_stay() {
        crate::io::media::init().unwrap();
        let mut composer = Composer::new(SIZE, Shelf::new(SIZE), &[]).unwrap();
        let (picture, slate) = composer.compose(Layout::PictureInPicture, [None, Some(pattern(1, 5)), None]).unwrap();
        assert!(slate);
        assert_eq!(marks(&picture, Layout::PictureInPicture), [Some(Mark { source: 1, count: 5 }), None]);

        let inset = Layout::PictureInPicture.places(SIZE)[1].area;
        let corner = Rect { x: inset.x + 8, y: inset.y + 8, width: 16, height: 16 };
        let map = picture.map_readable().unwrap();
        let mean = I420::new(SIZE).mean(&map, corner).unwrap();
        assert!((mean[0] - 40.0).abs() < 2.0, "the slate's own colour: {mean:?}");
        drop(map);

        let (_, slate) = composer.compose(Layout::Slides, [None, Some(pattern(1, 5)), None]).unwrap();
        assert!(!slate, "a camera that nobody wants is not missed");
    }

    #[test]
    fn a_picture_that_fills_the_screen_is_handed_over_and_not_copied() {
        crate::io::media::init().unwrap();
        let mut composer = Composer::new(SIZE, Shelf::new(SIZE), &[]).unwrap();
        let camera = pattern(0, 1);
        let (picture, _) = composer.compose(Layout::Camera, [Some(camera.clone()), None, None]).unwrap();
        assert_eq!(picture.map_readable().unwrap().as_ptr(), camera.map_readable().unwrap().as_ptr());
    }
}
