//! The encoder in use: chosen by trial, its rate and key pictures changed while it runs.

use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::pipeline;
use crate::lang::said;
use crate::media::encoder::{self, Settings};
use crate::media::plan::{self, Setting, Step};
use crate::media::{Config, EncoderKind};
use crate::time::Duration;
use crate::units::Bitrate;

/// Encodes a little, or says why it cannot.
type Trial = fn(EncoderKind, &Config, Bitrate) -> anyhow::Result<()>;

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
    let has = |kind| gst::ElementFactory::find(encoder::element(kind)).is_some();
    let chosen = encoder::choose(board, has, |kind| {
        within(encoder::trial_within(kind), trial, (kind, config.clone(), bitrate)).map_err(|error| {
            let error = format!("{error:#}");
            tracing::warn!(encoder = encoder::element(kind), error, "encoder failed its trial");
            error
        })
    });
    chosen.map_err(|why| {
        tracing::warn!(why = why.join("; "), "no encoder works");
        let tried: Vec<_> = encoder::order(board).into_iter().map(encoder::element).collect();
        anyhow::anyhow!(said::no_encoder(tried.join(" ")))
    })
}

/// A trial on a thread of its own: a driver that never comes back keeps that thread and nothing else.
fn within(limit: Duration, trial: Trial, of: (EncoderKind, Config, Bitrate)) -> anyhow::Result<()> {
    let (done, wait) = mpsc::channel();
    thread::Builder::new().name("trial".into()).spawn(move || {
        // nobody listens any more if it comes too late
        let _ = done.send(trial(of.0, &of.1, of.2));
    })?;
    wait.recv_timeout(limit).unwrap_or_else(|_| anyhow::bail!("gave nothing within {} s", limit.as_secs()))
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
    let limit = gst::ClockTime::from_mseconds(encoder::trial_within(kind).as_millis() as u64);
    let end = bus.timed_pop_filtered(limit, &[gst::MessageType::Eos, gst::MessageType::Error]);
    drop(guard);
    match end.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => anyhow::bail!(pipeline::words(error)),
        _ => anyhow::bail!("gave nothing within {} s", limit.seconds()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_that_never_ends_is_given_up() {
        let hangs: Trial = |_, _, _| {
            thread::park();
            Ok(())
        };
        let of = (EncoderKind::Vah264enc, Config::default(), Bitrate::mbps(1));
        let error = within(Duration::from_millis(50), hangs, of).unwrap_err();
        assert!(error.to_string().contains("nothing within"), "{error}");
    }
}
