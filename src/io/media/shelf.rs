//! Shelf: the slates and the logo, read from their files once, checked by their SHA-256, ready to be shown.
//!
//! The built-in slates are there from the first picture on; a file takes the place of its built-in one when it
//! has been read, checked and decoded. One that fails is told with its mend and changes nothing.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use ring::digest;

use super::pipeline::{self, Guard};
use super::stop::Stop;
use super::tell::Tell;
use crate::lang::{Text, said};
use crate::media::slates::{Checked, Corner};
use crate::media::{Config, PictureSize, Slate, plan, raster};
use crate::message::What;

/// Nobody's slate is larger; a film of half an hour at 2 Mbit/s is.
const LARGEST: u64 = 512 * 1024 * 1024;
/// A file that shows no picture within this shows none.
const DECODES: gst::ClockTime = gst::ClockTime::from_seconds(8);
/// What lasts less is a still.
const SHORTEST: gst::ClockTime = gst::ClockTime::from_mseconds(500);
/// Bytes hashed at once.
const PIECE: usize = 1 << 20;

/// What is shown when no source is.
#[derive(Debug)]
pub(super) struct Shelf {
    size: PictureSize,
    // a built-in one is drawn when it is needed first
    stills: Mutex<[Option<gst::Buffer>; 4]>,
    /// Which of them came from files.
    filed: [AtomicBool; 4],
    /// The warm-up loop, if its file is a film.
    film: Mutex<Option<PathBuf>>,
    logo: Mutex<Option<gst_video::VideoOverlayComposition>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a thread that panicked leaves whole values behind
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place(slate: Slate) -> usize {
    Slate::ALL.iter().position(|s| *s == slate).unwrap_or_default()
}

impl Shelf {
    /// With the built-in slates.
    pub(super) fn new(size: PictureSize) -> Arc<Self> {
        Arc::new(Self {
            size,
            stills: Mutex::default(),
            filed: Default::default(),
            film: Mutex::default(),
            logo: Mutex::default(),
        })
    }

    /// The still of this slate; of the warm-up loop its first picture.
    pub(super) fn still(&self, slate: Slate) -> gst::Buffer {
        let card = || gst::Buffer::from_slice(raster::card(self.size, slate));
        lock(&self.stills)[place(slate)].get_or_insert_with(card).clone()
    }

    /// The still of this slate if it came from its file, and not if it is the built-in one.
    pub(super) fn filed(&self, slate: Slate) -> Option<gst::Buffer> {
        self.filed[place(slate)].load(Ordering::Relaxed).then(|| self.still(slate))
    }

    /// The film of the warm-up loop, once it is known to be good.
    pub(super) fn film(&self) -> Option<PathBuf> {
        lock(&self.film).clone()
    }

    /// The logo, ready to be laid over a picture.
    pub(super) fn logo(&self) -> Option<gst_video::VideoOverlayComposition> {
        lock(&self.logo).clone()
    }

    /// Reads every file of the settings on a thread of its own, tells of each, and takes in what is good.
    pub(super) fn fill(
        self: &Arc<Self>,
        config: &Arc<Config>,
        tell: Tell,
        stop: Arc<Stop>,
    ) -> anyhow::Result<thread::JoinHandle<()>> {
        let (shelf, config) = (Arc::clone(self), Arc::clone(config));
        Ok(thread::Builder::new().name("slates".into()).spawn(move || {
            let slates = &config.slates;
            for slate in Slate::ALL {
                let Some(file) = slates.file(slate).filter(|_| !stop.told()) else { continue };
                let read = read_still(file, config.size).map(|(still, film)| {
                    lock(&shelf.stills)[place(slate)] = Some(still);
                    shelf.filed[place(slate)].store(true, Ordering::Relaxed);
                    if film && slate == Slate::Warmup {
                        *lock(&shelf.film) = Some(file.path.clone());
                    }
                });
                tell.state(What::SlateJudged { name: slate.name(), wrong: read.err() });
            }
            if let Some(file) = slates.logo.as_ref().filter(|_| !stop.told()) {
                let read = read_logo(file, config.size, slates.corner).map(|logo| *lock(&shelf.logo) = Some(logo));
                tell.state(What::SlateJudged { name: "logo", wrong: read.err() });
            }
        })?)
    }
}

/// The first picture of a file, in the programme's size, and whether more follow.
fn read_still(file: &Checked, size: PictureSize) -> Result<(gst::Buffer, bool), Text> {
    check(file)?;
    let tail = [
        element("videoconvert"),
        plan::Step::Element {
            factory: "videoscale",
            name: "",
            settings: vec![("add-borders", plan::Setting::Plain(crate::media::encoder::Value::Flag(true)))],
        },
        plan::Step::Caps(plan::picture_caps(size)),
    ];
    let (sample, film) = first_picture(&file.path, &tail).map_err(|error| undecodable(&file.path, &error))?;
    let still = sample.buffer_owned().ok_or_else(|| said::slate_undecodable(file.path.display()))?;
    Ok((still, film))
}

/// The logo with its transparency, laid where it belongs.
fn read_logo(file: &Checked, size: PictureSize, corner: Corner) -> Result<gst_video::VideoOverlayComposition, Text> {
    check(file)?;
    // the one format in which GStreamer lays pictures over others
    let tail = [element("videoconvert"), plan::Step::Caps("video/x-raw,format=BGRA".into())];
    let laid = || {
        let (sample, _) = first_picture(&file.path, &tail)?;
        let info = gst_video::VideoInfo::from_caps(sample.caps().context("a picture has caps")?)?;
        let area = corner.place(size, (info.width(), info.height()));
        let mut buffer = sample.buffer_owned().context("a picture")?;
        gst_video::VideoMeta::add(
            buffer.make_mut(),
            gst_video::VideoFrameFlags::empty(),
            gst_video::VideoFormat::Bgra,
            info.width(),
            info.height(),
        )?;
        let rectangle = gst_video::VideoOverlayRectangle::new_raw(
            &buffer,
            i32::try_from(area.x)?,
            i32::try_from(area.y)?,
            area.width,
            area.height,
            gst_video::VideoOverlayFormatFlags::empty(),
        );
        Ok(gst_video::VideoOverlayComposition::new(Some(&rectangle))?)
    };
    laid().map_err(|error: anyhow::Error| undecodable(&file.path, &error))
}

fn undecodable(path: &Path, error: &anyhow::Error) -> Text {
    tracing::warn!("{}: {error:#}", path.display());
    said::slate_undecodable(path.display())
}

/// The file is there, not too large, and its bytes are the ones that were meant.
fn check(file: &Checked) -> Result<(), Text> {
    let path = file.path.display();
    let read = || -> std::io::Result<Option<digest::Digest>> {
        let mut from = File::open(&file.path)?;
        // a pipe or a device would never end
        let meta = from.metadata()?;
        if !meta.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        if meta.len() > LARGEST {
            return Ok(None);
        }
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut piece = vec![0; PIECE];
        let mut left = LARGEST;
        loop {
            let n = from.read(&mut piece)?;
            if n == 0 {
                return Ok(Some(hash.finish()));
            }
            left = match left.checked_sub(n as u64) {
                Some(left) => left,
                None => return Ok(None),
            };
            hash.update(&piece[..n]);
        }
    };
    match read() {
        Ok(Some(hash)) if hash.as_ref() == file.sha256 => Ok(()),
        Ok(Some(_)) => Err(said::slate_changed(path)),
        Ok(None) => Err(said::slate_too_large(path)),
        Err(error) => Err(said::slate_unreadable(path, error)),
    }
}

fn element(factory: &'static str) -> plan::Step {
    plan::Step::Element { factory, name: "", settings: Vec::new() }
}

/// The first picture that anything in the file decodes to, through `tail`, and whether it is a film.
fn first_picture(path: &Path, tail: &[plan::Step]) -> anyhow::Result<(gst::Sample, bool)> {
    let pipe = gst::Pipeline::new();
    let _guard = Guard(pipe.clone());
    let head = pipeline::add(&pipe, &[plan::file(path)])?;
    let tail = pipeline::add(&pipe, tail)?;
    let exit = gst_app::AppSink::builder().sync(false).max_buffers(1).build();
    let decoder = gst::ElementFactory::make("decodebin").build()?;
    pipe.add(&exit)?;
    pipe.add(&decoder)?;
    tail.last().context("a chain has elements")?.link(&exit)?;
    head.first().context("a file has a reader")?.link(&decoder)?;
    let entrance = tail.first().and_then(|e| e.static_pad("sink")).context("a converter has a sink")?;
    decoder.connect_pad_added(move |_, pad| {
        let picture =
            pad.current_caps().is_some_and(|c| c.structure(0).is_some_and(|s| s.name().starts_with("video/")));
        if picture && !entrance.is_linked() {
            let _ = pad.link(&entrance);
        }
    });
    let bus = pipe.bus().context("a pipeline has a bus")?;
    let started = pipe.set_state(gst::State::Paused);
    let ready = [gst::MessageType::AsyncDone, gst::MessageType::Error, gst::MessageType::Eos];
    let said = bus.timed_pop_filtered(DECODES, &ready);
    match said.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::AsyncDone(_)) if started.is_ok() => {}
        Some(gst::MessageView::Error(error)) => anyhow::bail!("{}", pipeline::words(error)),
        _ => anyhow::bail!("no picture in it"),
    }
    // a still has no length
    let film = pipe.query_duration::<gst::ClockTime>().is_some_and(|length| length >= SHORTEST);
    Ok((exit.try_pull_preroll(gst::ClockTime::ZERO).context("no picture in it")?, film))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Rect;
    use crate::media::raster::I420;

    const SIZE: PictureSize = PictureSize { width: 640, height: 360 };

    fn file(folder: &Path, name: &str, bytes: &[u8]) -> Checked {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Checked { path, sha256 }
    }

    /// A PNG of one colour.
    fn png(width: u32, height: u32, pixel: [u8; 4]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgba);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&pixel.repeat((width * height) as usize)).unwrap();
        drop(writer);
        bytes
    }

    fn brightness(picture: &gst::BufferRef, area: Rect) -> f64 {
        I420::new(SIZE).mean(&picture.map_readable().unwrap(), area).unwrap()[0]
    }

    #[test]
    fn a_slate_of_any_shape_is_brought_to_the_programmes_with_black_borders() {
        super::super::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let white = file(folder.path(), "square.png", &png(300, 300, [255; 4]));

        let (still, film) = read_still(&white, SIZE).unwrap();
        assert!(!film);

        let middle = Rect { x: 300, y: 100, width: 40, height: 40 };
        assert!(brightness(&still, middle) > 230.0);
        assert!(brightness(&still, Rect { x: 8, ..middle }) < 20.0, "a border");
        assert_eq!(still.size(), I420::new(SIZE).bytes());
    }

    #[test]
    fn what_is_not_the_file_that_was_meant_or_no_picture_is_named_with_its_path() {
        super::super::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut changed = file(folder.path(), "changed.png", &png(64, 64, [1, 2, 3, 255]));
        changed.sha256[5] ^= 1;
        let rubbish = file(folder.path(), "rubbish.png", b"no picture at all");
        let cut = file(folder.path(), "cut.png", &png(300, 300, [9, 200, 3, 255])[..40]);
        let none = Checked { path: folder.path().join("none.png"), sha256: [0; 32] };
        let a_folder = Checked { path: folder.path().to_path_buf(), sha256: [0; 32] };

        for (file, word) in [
            (&changed, "sha256"),
            (&rubbish, "decoded"),
            (&cut, "decoded"),
            (&none, "cannot be read"),
            (&a_folder, "cannot be read"),
        ] {
            let why = read_still(file, SIZE).unwrap_err();
            assert!(why.en.contains(word) && why.en.contains(&file.path.display().to_string()), "{why}");
        }
    }

    #[test]
    fn a_logo_lies_in_its_corner_and_lets_the_picture_through_where_it_is_clear() {
        super::super::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let lay = |pixel| {
            let logo = file(folder.path(), "logo.png", &png(100, 50, pixel));
            let laid = read_logo(&logo, SIZE, Corner::TopRight).unwrap();
            let mut picture = gst::Buffer::from_mut_slice(raster::black(SIZE));
            let info = super::super::compose::info(SIZE).unwrap();
            let mut frame =
                gst_video::VideoFrameRef::from_buffer_ref_writable(picture.get_mut().unwrap(), &info).unwrap();
            laid.blend(&mut frame).unwrap();
            drop(frame);
            let area = Corner::TopRight.place(SIZE, (100, 50));
            let inside = Rect { x: area.x + 8, y: area.y + 8, width: 16, height: 16 };
            (brightness(&picture, inside), brightness(&picture, Rect { x: 100, y: 200, width: 40, height: 40 }))
        };

        assert!(lay([255; 4]).0 > 225.0);
        assert!((lay([255, 255, 255, 128]).0 - 126.0).abs() < 12.0, "half of it");
        assert!(lay([255, 255, 255, 0]).0 < 20.0);
        assert!(lay([255; 4]).1 < 20.0, "nothing elsewhere");
    }
}
