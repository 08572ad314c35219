//! The slate of each output that can be held back: encoded once in its encode's own settings, on a thread aside.

use std::sync::Arc;
use std::thread;

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::deck::Deck;
use super::mux;
use super::outlet::Outlet;
use super::pipeline;
use crate::media::delay::Slate;
use crate::media::encoder::Settings;
use crate::media::sound::first_sample;
use crate::media::{Config, OutputId, SourceId, plan, raster};
use crate::time::Duration;

/// A slate is a loop of so much.
const LOOP: Duration = Duration::from_secs(2);
/// And is given up if it is not made by then.
const WITHIN: Duration = Duration::from_secs(20);

/// Makes them and hands them over, one after the other.
pub(super) fn make(deck: &Arc<Deck>, config: &Arc<Config>, all: &[Arc<Outlet>]) {
    let (deck, config) = (Arc::downgrade(deck), Arc::clone(config));
    let waiting = || all.iter().filter(|outlet| outlet.id().can_wait());
    let outlets: Vec<_> = waiting().map(Arc::downgrade).collect();
    let made = thread::Builder::new().name("slates".into()).spawn(move || {
        for outlet in outlets {
            let (Some(deck), Some(outlet)) = (deck.upgrade(), outlet.upgrade()) else { return };
            let made = encoded(&deck, &config, outlet.id());
            drop(deck);
            match made {
                Ok(slate) => outlet.slate(slate),
                Err(error) => {
                    tracing::warn!(output = outlet.id().name(), "no slate: {error:#}");
                    outlet.slate(Slate::default());
                }
            }
        }
    });
    if let Err(error) = made {
        tracing::warn!("no slates: {error}");
        waiting().for_each(|outlet| outlet.slate(Slate::default()));
    }
}

fn encoded(deck: &Deck, config: &Config, output: OutputId) -> anyhow::Result<Slate> {
    let (kind, settings) = deck.settings(output).context("the output has an encode")?;
    let (gop, pictures) = (LOOP, (LOOP.as_secs_f64() * config.rate.as_f64()).round() as u64);
    // a slate has as many key pictures as it needs: one
    let settings = Settings { gop: gop.max(settings.gop), ..settings };
    let size = config.size;
    let still = gst::Buffer::from_slice(raster::slate(size, SourceId::Camera));
    let stamp = |tick: u64| config.rate.stamp_of(tick);
    let frames = (0..pictures).map(|tick| {
        let mut frame = still.copy();
        stamped(&mut frame, stamp(tick), stamp(tick + 1))?;
        Ok(frame)
    });
    let coded = encode(&plan::pictures(size, kind, &settings), frames)?;
    let silence = (0..pictures).map(|tick| {
        let samples = first_sample(config.rate, tick + 1) - first_sample(config.rate, tick);
        let mut block = gst::Buffer::from_slice(vec![0_u8; usize::try_from(samples)? * 4]);
        stamped(&mut block, stamp(tick), stamp(tick + 1))?;
        Ok(block)
    });
    let sound = encode(&plan::sound(config.audio_bitrate), silence)?;
    Ok(Slate::of(&mux::all_at_once([&coded, &sound], config.held_back())?))
}

fn stamped(buffer: &mut gst::Buffer, from: u64, to: u64) -> anyhow::Result<()> {
    let stamps = buffer.make_mut();
    stamps.set_pts(gst::ClockTime::from_nseconds(from));
    stamps.set_duration(gst::ClockTime::from_nseconds(to - from));
    Ok(())
}

/// What comes out of a chain, its stamps as they went in.
fn encode(
    chain: &[plan::Step],
    raw: impl Iterator<Item = anyhow::Result<gst::Buffer>>,
) -> anyhow::Result<Vec<(gst::Buffer, gst::Caps)>> {
    let pipe = gst::Pipeline::new();
    let _guard = pipeline::Guard(pipe.clone());
    pipeline::add(&pipe, chain)?;
    let entrance: gst_app::AppSrc = pipeline::find(&pipe, plan::ENTRANCE)?;
    let exit: gst_app::AppSink = pipeline::find(&pipe, plan::EXIT)?;
    pipe.set_state(gst::State::Playing)?;
    for buffer in raw {
        entrance.push_buffer(buffer?)?;
    }
    entrance.end_of_stream()?;
    let mut coded = Vec::new();
    let within = gst::ClockTime::from_mseconds(WITHIN.as_millis() as u64);
    while let Some(sample) = exit.try_pull_sample(within) {
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps_owned()) else { continue };
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let running = |time: Option<gst::ClockTime>| time.and_then(|time| segment?.to_running_time(time));
        let (pts, dts) = (running(buffer.pts()), running(buffer.dts()));
        let mut buffer = buffer.copy();
        let stamps = buffer.make_mut();
        stamps.set_pts(pts);
        stamps.set_dts(dts);
        coded.push((buffer, caps));
    }
    pipeline::check(&pipe)?;
    anyhow::ensure!(!coded.is_empty(), "nothing was encoded within {} s", WITHIN.as_secs());
    Ok(coded)
}
