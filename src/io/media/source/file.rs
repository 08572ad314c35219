//! A media file as camera or as sound, looped without stopping.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::ended::Ended;
use super::stamps::Stamps;
use crate::io::media::feed::Feed;
use crate::io::media::pipeline;
use crate::io::media::stop::Stop;
use crate::lang::said;
use crate::media::sound::Stereo;
use crate::media::{Config, plan};
use crate::message::LossCause;
use crate::time::Duration;

/// How often the bus is looked at.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(50);
/// A file that shows nothing after this has nothing of the kind.
const PATIENCE: u32 = 200;

/// Plays the file until told to stop or it fails.
pub(super) fn play(path: &Path, feed: &Arc<Feed>, config: &Config, stop: &Stop) -> anyhow::Result<Ended> {
    let path = std::path::absolute(path)?;
    if !path.is_file() {
        let again = Duration::from_millis(200);
        return Ok(Ended::absent(said::no_file(path.display()), again));
    }
    let picture = feed.source.is_picture();
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    pipeline::hurry(&pipe);
    let tail = if picture { plan::picture_tail(config.size, plan::Pace::Played) } else { plan::sound_tail() };
    let head = pipeline::add(&pipe, &[plan::file(&path)])?;
    let tail = pipeline::add(&pipe, &tail)?;
    let decoder = gst::ElementFactory::make("decodebin").build()?;
    pipe.add(&decoder)?;
    head.first().context("a file has a reader")?.link(&decoder)?;
    let entrance = tail.first().and_then(|e| e.static_pad("sink")).context("a queue has a sink")?;
    let wanted = if picture { "video/" } else { "audio/" };
    decoder.connect_pad_added(move |_, pad| {
        let fits = pad.current_caps().is_some_and(|c| c.structure(0).is_some_and(|s| s.name().starts_with(wanted)));
        if fits && !entrance.is_linked() {
            let _ = pad.link(&entrance);
        }
    });
    listen(&pipe, feed)?;
    let bus = pipe.bus().context("a pipeline has a bus")?;
    pipe.set_state(gst::State::Paused).map_err(|_| first_error(&bus, &path))?;
    wait_ready(&bus, &path, stop)?;
    if stop.told() {
        return Ok(Ended::failed(said::stopped()));
    }
    let first = gst::SeekFlags::FLUSH | gst::SeekFlags::SEGMENT;
    let loops = seek(&pipe, first).is_ok();
    if loops {
        wait_ready(&bus, &path, stop)?;
    }
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    feed.opened(said::file(&name));
    pipe.set_state(gst::State::Playing)?;
    while !stop.told() {
        let Some(message) = bus.timed_pop(LOOK) else { continue };
        match message.view() {
            gst::MessageView::SegmentDone(_) => seek(&pipe, gst::SeekFlags::SEGMENT)?,
            // a file that cannot loop within is opened again at once
            gst::MessageView::Eos(_) => {
                return Ok(Ended { cause: LossCause::Failed, detail: said::ended(&name), again: Some(Duration::ZERO) });
            }
            gst::MessageView::Error(error) => {
                return Ok(Ended::failed(said::because(&said::unreadable(&name), &pipeline::words(error))));
            }
            _ => {}
        }
    }
    drop(guard);
    Ok(Ended::failed(said::stopped()))
}

fn seek(pipe: &gst::Pipeline, flags: gst::SeekFlags) -> anyhow::Result<()> {
    pipe.seek(1.0, flags, gst::SeekType::Set, gst::ClockTime::ZERO, gst::SeekType::None, gst::ClockTime::NONE)
        .context(said::no_loop())
}

fn wait_ready(bus: &gst::Bus, path: &Path, stop: &Stop) -> anyhow::Result<()> {
    for _ in 0..PATIENCE {
        if stop.told() {
            return Ok(());
        }
        let wanted = [gst::MessageType::AsyncDone, gst::MessageType::Error, gst::MessageType::Eos];
        let Some(message) = bus.timed_pop_filtered(LOOK, &wanted) else { continue };
        match message.view() {
            gst::MessageView::AsyncDone(_) => return Ok(()),
            gst::MessageView::Error(error) => {
                bail!(said::because(&said::unreadable(path.display()), &pipeline::words(error)))
            }
            _ => bail!(said::nothing_inside(path.display())),
        }
    }
    bail!(said::nothing_inside(path.display()))
}

fn first_error(bus: &gst::Bus, path: &Path) -> anyhow::Error {
    let message = bus.timed_pop_filtered(gst::ClockTime::ZERO, &[gst::MessageType::Error]);
    match message.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Error(error)) => {
            anyhow::anyhow!(said::because(&said::unreadable(path.display()), &pipeline::words(error)))
        }
        _ => anyhow::anyhow!(said::unreadable(path.display())),
    }
}

fn listen(pipe: &gst::Pipeline, feed: &Arc<Feed>) -> anyhow::Result<()> {
    let exit: gst_app::AppSink = pipeline::find(pipe, plan::EXIT)?;
    let stamps = Stamps::of(&gst::SystemClock::obtain());
    let feed = Arc::clone(feed);
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |exit| {
        let sample = exit.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let Some(buffer) = sample.buffer_owned() else { return Ok(gst::FlowSuccess::Ok) };
        let base = exit.base_time().unwrap_or_default();
        if feed.source.is_picture() {
            feed.picture(stamps.of_sample(&sample, base), buffer);
        } else if let Ok(map) = buffer.map_readable() {
            // the stamp is of its first sample
            let long = buffer.duration().map_or(Duration::ZERO, |long| Duration::from_nanos(long.nseconds()));
            feed.sound(stamps.of_sample(&sample, base) + long, stereo(&map));
        }
        Ok(gst::FlowSuccess::Ok)
    });
    exit.set_callbacks(callbacks.build());
    Ok(())
}

/// The bytes of interleaved 32-bit floats as samples.
fn stereo(bytes: &[u8]) -> impl Iterator<Item = Stereo> {
    bytes
        .chunks_exact(8)
        .map(|b| [f32::from_le_bytes([b[0], b[1], b[2], b[3]]), f32::from_le_bytes([b[4], b[5], b[6], b[7]])])
}
