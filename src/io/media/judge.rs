//! Decodes a stored programme for the judge.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::pipeline;
use crate::media::counter::{self, Luma, Mark};
use crate::media::judge::{Away, Listener, Picture, Report, judge};
use crate::media::ts::Scan;
use crate::media::{Layout, PictureSize, Rect, plan};

/// Judges the transport stream in `path`: the pictures of pattern `source`, and the sound, with its
/// `tone` if one is given.
///
/// # Errors
/// If the file cannot be read or holds no H.264.
pub fn judge_file(path: &Path, source: u8, tone: Option<f64>, away: &[Away]) -> anyhow::Result<Report> {
    super::init()?;
    let scan = scan(path)?;
    anyhow::ensure!(!scan.video.is_empty(), "{} holds no H.264 in a transport stream", path.display());
    let pictures = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::new(Mutex::new(Listener::new(tone)));
    decode(path, !scan.audio.is_empty(), &pictures, &listener)?;
    let pictures = std::mem::take(&mut *pictures.lock().unwrap_or_else(PoisonError::into_inner));
    let listener = std::mem::take(&mut *listener.lock().unwrap_or_else(PoisonError::into_inner));
    let mut report = judge(&scan.video, &pictures, source, away);
    report.ts_discontinuities = scan.discontinuities;
    report.sound = listener.finish(&scan.audio);
    Ok(report)
}

/// The pictures of the transport stream in `path`, with what their burnt-in bars say.
///
/// # Errors
/// If the file cannot be read or decoded.
pub fn pictures(path: &Path) -> anyhow::Result<Vec<Picture>> {
    super::init()?;
    let pictures = Arc::new(Mutex::new(Vec::new()));
    decode(path, false, &pictures, &Arc::new(Mutex::new(Listener::new(None))))?;
    let mut pictures = pictures.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *pictures))
}

fn scan(path: &Path) -> anyhow::Result<Scan> {
    let mut file = File::open(path).with_context(|| format!("{} does not open", path.display()))?;
    let mut scan = Scan::new();
    let mut piece = vec![0; 1 << 18];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(scan),
            n => scan.push(&piece[..n]),
        }
    }
}

fn decode(
    path: &Path,
    sound: bool,
    pictures: &Arc<Mutex<Vec<Picture>>>,
    listener: &Arc<Mutex<Listener>>,
) -> anyhow::Result<()> {
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    let make = |name: &str| gst::ElementFactory::make(name).build().with_context(|| format!("no element {name}"));
    let source = gst::ElementFactory::make("filesrc").property("location", path).build()?;
    let demux = make("tsdemux")?;
    pipe.add_many([&source, &demux])?;
    source.link(&demux)?;
    let video = [make("queue")?, make("h264parse")?, make("avdec_h264")?, make("videoconvert")?];
    video[2].set_property("output-corrupt", false);
    let seen = Arc::clone(pictures);
    let screen = exit("video/x-raw,format=I420", move |sample| {
        if let Some(picture) = look(sample) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(picture);
        }
    })?;
    let mut chains = vec![("video/", chain(&pipe, &video, &screen)?)];
    if sound {
        let audio =
            [make("queue")?, make("aacparse")?, make("avdec_aac")?, make("audioconvert")?, make("audioresample")?];
        let heard = Arc::clone(listener);
        let speaker = exit(&plan::sound_caps(), move |sample| {
            if let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) {
                let mut listener = heard.lock().unwrap_or_else(PoisonError::into_inner);
                map.chunks_exact(8).for_each(|b| listener.push(f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            }
        })?;
        chains.push(("audio/", chain(&pipe, &audio, &speaker)?));
    }
    demux.connect_pad_added(move |_, pad| {
        let name = pad.current_caps().and_then(|c| c.structure(0).map(|s| s.name().to_string())).unwrap_or_default();
        if let Some((_, entrance)) = chains.iter().find(|(kind, _)| name.starts_with(kind))
            && !entrance.is_linked()
        {
            let _ = pad.link(entrance);
        }
    });
    pipe.set_state(gst::State::Playing).context("the decoder does not start")?;
    let bus = pipe.bus().context("a pipeline has a bus")?;
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(600), &wanted);
    drop(guard);
    match end.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => bail!("{}: {}", path.display(), pipeline::words(error)),
        _ => bail!("{}: decoding took longer than 600 s", path.display()),
    }
}

fn chain(pipe: &gst::Pipeline, elements: &[gst::Element], end: &gst_app::AppSink) -> anyhow::Result<gst::Pad> {
    pipe.add_many(elements)?;
    pipe.add(end)?;
    gst::Element::link_many(elements)?;
    elements.last().context("a chain has elements")?.link(end)?;
    elements.first().and_then(|e| e.static_pad("sink")).context("a queue has a sink")
}

fn exit(caps: &str, mut take: impl FnMut(&gst::Sample) + Send + 'static) -> anyhow::Result<gst_app::AppSink> {
    // not waited for: a stream that begins between two key pictures has sound long before a picture
    let sink = gst_app::AppSink::builder().caps(&caps.parse()?).sync(false).async_(false).max_buffers(8).build();
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        take(&sink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
    Ok(sink)
}

/// Reads a picture's time and the bars of every place where a layout may have put a source.
fn look(sample: &gst::Sample) -> Option<Picture> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let buffer = sample.buffer()?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).ok()?;
    let luma = Luma { data: frame.plane_data(0).ok()?, stride: usize::try_from(info.stride()[0]).ok()? };
    let size = PictureSize { width: info.width(), height: info.height() };
    let mut areas: Vec<Rect> = Vec::new();
    for place in Layout::ALL.iter().flat_map(|layout| layout.places(size)) {
        if !areas.contains(&place.area) {
            areas.push(place.area);
        }
    }
    let mut marks: Vec<Mark> = areas.into_iter().filter_map(|area| counter::read(luma, area)).collect();
    marks.dedup();
    // nanoseconds back to the ticks they came from
    let pts = (u128::from(buffer.pts()?.nseconds()) * 9 + 50_000) / 100_000;
    Some(Picture { pts: u64::try_from(pts).ok()?, marks })
}
