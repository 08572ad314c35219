//! The encoder in use: chosen by trial, its rate and key pictures changed while it runs.

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::pipeline;
use crate::lang::said;
use crate::media::encoder::{self, Settings};
use crate::media::plan::{self, Setting, Step};
use crate::media::{Config, EncoderKind};
use crate::units::Bitrate;

/// A trial that takes longer has failed; hardware that works answers within a second.
const TRIAL: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// The encoder, whichever it is.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    kind: EncoderKind,
    element: gst::Element,
    settings: Settings,
}

impl Encoder {
    /// The encoder of a programme pipeline that was built for `kind`.
    pub(super) fn of(
        pipeline: &gst::Pipeline,
        kind: EncoderKind,
        config: &Config,
        bitrate: Bitrate,
    ) -> anyhow::Result<Self> {
        let element = pipeline::find(pipeline, plan::ENCODER)?;
        Ok(Self { kind, element, settings: Settings { bitrate, gop: config.gop, rate: config.rate } })
    }

    /// Changes the rate; the stream goes on without a key picture.
    pub(super) fn set_bitrate(&mut self, bitrate: Bitrate) -> anyhow::Result<()> {
        if self.settings.bitrate == bitrate {
            return Ok(());
        }
        self.settings.bitrate = bitrate;
        for (key, value) in encoder::rate(self.kind, &self.settings) {
            pipeline::set(&self.element, key, &Setting::Plain(value))?;
        }
        Ok(())
    }

    /// Asks for a key picture now.
    pub(super) fn force_key(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        if let Some(pad) = self.element.static_pad("src") {
            pad.send_event(event);
        }
    }
}

/// The first encoder of the board's order that this machine has and that encodes.
pub(super) fn choose(board: &[EncoderKind], config: &Config, bitrate: Bitrate) -> anyhow::Result<EncoderKind> {
    let mut why = Vec::new();
    for kind in encoder::order(board) {
        let name = encoder::element(kind);
        if gst::ElementFactory::find(name).is_none() {
            why.push(format!("{name} is not on this machine"));
            continue;
        }
        match trial(kind, config, bitrate) {
            Ok(()) => return Ok(kind),
            Err(error) => {
                tracing::warn!(encoder = name, error = format!("{error:#}"), "encoder failed its trial");
                why.push(format!("{name}: {error:#}"));
            }
        }
    }
    let tried: Vec<_> = encoder::order(board).into_iter().map(encoder::element).collect();
    tracing::warn!(why = why.join("; "), "no encoder works");
    anyhow::bail!(said::no_encoder(tried.join(" ")))
}

/// Encodes five pictures through the programme's own video chain.
fn trial(kind: EncoderKind, config: &Config, bitrate: Bitrate) -> anyhow::Result<()> {
    let programme = plan::programme(config, kind, bitrate);
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    let source = gst::ElementFactory::make("videotestsrc").property("num-buffers", 5i32).build()?;
    let rate = format!(",framerate={}/{}", config.rate.num, config.rate.den);
    let caps = Step::Caps(plan::picture_caps(config.size) + &rate);
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).build()?;
    pipe.add_many([&source, &sink])?;
    let mut chain = vec![caps];
    chain.extend(programme.video.into_iter().skip(1));
    let elements = pipeline::add(&pipe, &chain)?;
    let (first, last) = (elements.first().context("a chain has elements")?, elements.last().context("likewise")?);
    source.link(first)?;
    last.link(&sink)?;
    pipe.set_state(gst::State::Playing)?;
    let bus = pipe.bus().context("a pipeline has a bus")?;
    let end = bus.timed_pop_filtered(TRIAL, &[gst::MessageType::Eos, gst::MessageType::Error]);
    drop(guard);
    match end.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => anyhow::bail!(pipeline::words(error)),
        _ => anyhow::bail!("gave nothing within {} s", TRIAL.seconds()),
    }
}
