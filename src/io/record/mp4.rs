//! Segments as one `.mp4`: the same pictures and sound in another box, nothing encoded again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, bail, ensure};
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::folder::through;

/// What waits between the reader and the demultiplexer, in bytes.
const ROOM: u64 = 4 << 20;

/// An hour takes about a minute on a slow card; a remux that takes longer than this hangs.
const WITHIN: gst::ClockTime = gst::ClockTime::from_seconds(4 * 3600);

/// Makes `to` of the segments in their order.
///
/// # Errors
/// If a file cannot be read or written, or holds no picture that an `.mp4` can carry. What was begun is
/// removed then.
pub fn make(segments: &[PathBuf], to: &Path) -> anyhow::Result<()> {
    ensure!(!segments.is_empty(), "no segment is named; livebox record list shows them");
    ensure!(!to.exists(), "{} is there already; remove it or name another file", to.display());
    gst::init().context("GStreamer does not start")?;
    let part = to.with_extension("mp4.part");
    let made = remux(segments, &part)
        .and_then(|()| File::open(&part)?.sync_all().context("syncing"))
        .and_then(|()| fs::rename(&part, to).context("naming"));
    if made.is_err() {
        let _ = fs::remove_file(&part);
    }
    made.with_context(|| format!("making {}", to.display()))
}

fn remux(segments: &[PathBuf], to: &Path) -> anyhow::Result<()> {
    let pipe = gst::Pipeline::new();
    let guard = Guard(pipe.clone());
    let make = |name: &str| {
        gst::ElementFactory::make(name)
            .build()
            .with_context(|| format!("GStreamer has no element {name}; install the plugin package that carries it"))
    };
    let caps = gst::Caps::builder("video/mpegts").field("systemstream", true).field("packetsize", 188).build();
    let source = gst_app::AppSrc::builder().caps(&caps).block(true).max_bytes(ROOM).build();
    let (demux, mux, sink) = (make("tsdemux")?, make("mp4mux")?, make("filesink")?);
    // the head goes first, so that a player may begin before it has the whole file
    mux.set_property("faststart", true);
    sink.set_property("location", to);
    pipe.add_many([source.upcast_ref(), &demux, &mux, &sink])?;
    gst::Element::link_many([source.upcast_ref(), &demux])?;
    mux.link(&sink)?;
    let (into, mux_in) = (pipe.clone(), mux.clone());
    demux.connect_pad_added(move |demux, pad| {
        let name = pad.current_caps().and_then(|c| c.structure(0).map(|s| s.name().to_string())).unwrap_or_default();
        let parser = match name.as_str() {
            "video/x-h264" => "h264parse",
            "video/x-h265" => "h265parse",
            "audio/mpeg" => "aacparse",
            _ => return,
        };
        if let Err(error) = join(&into, pad, parser, &mux_in) {
            gst::element_error!(demux, gst::StreamError::Failed, ["{error:#}"]);
        }
    });
    pipe.set_state(gst::State::Playing).context("the remux does not start")?;
    let files = segments.to_vec();
    let feeder = thread::Builder::new().name("remux".into()).spawn(move || -> anyhow::Result<()> {
        for file in &files {
            through(file, |piece| {
                let pushed = source.push_buffer(gst::Buffer::from_slice(piece.to_vec()));
                pushed.map(|_| ()).map_err(|error| std::io::Error::other(error.to_string()))
            })
            .with_context(|| format!("reading {}", file.display()))?;
        }
        let _ = source.end_of_stream();
        Ok(())
    })?;
    let bus = pipe.bus().context("a pipeline has a bus")?;
    let end = bus.timed_pop_filtered(WITHIN, &[gst::MessageType::Eos, gst::MessageType::Error]);
    // a reader that waits at the entrance is let go by this
    drop(guard);
    let fed = feeder.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?;
    match end.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => fed,
        Some(gst::MessageView::Error(error)) => bail!("{}", error.error()),
        _ => bail!("it took longer than {} s", WITHIN.seconds()),
    }
}

fn join(pipe: &gst::Pipeline, pad: &gst::Pad, parser: &str, mux: &gst::Element) -> anyhow::Result<()> {
    let queue = gst::ElementFactory::make("queue").build()?;
    let parser = gst::ElementFactory::make(parser).build()?;
    pipe.add_many([&queue, &parser])?;
    gst::Element::link_many([&queue, &parser, mux])?;
    for element in [&queue, &parser] {
        element.sync_state_with_parent()?;
    }
    pad.link(&queue.static_pad("sink").context("a queue has a sink")?)?;
    Ok(())
}

/// Ends the pipeline whatever happens.
struct Guard(gst::Pipeline);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}
