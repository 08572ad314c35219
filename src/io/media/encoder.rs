//! The encoder in use: chosen by trial, its rate and key pictures changed while it runs.

use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::pipeline;
use crate::lang::{Text, said};
use crate::media::encoder::{self, Settings};
use crate::media::plan::{self, Setting, Step};
use crate::media::{Codec, EncoderKind, PictureSize};
use crate::time::Duration;
use crate::units::Bitrate;

/// Encodes a little, or says why it cannot.
type Trial = fn(EncoderKind, PictureSize, &Settings) -> anyhow::Result<()>;

/// The encoder, whichever it is.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    kind: EncoderKind,
    element: gst::Element,
    settings: Settings,
}

impl Encoder {
    /// The encoder of a pipeline that was built for `kind`.
    pub(super) fn of(pipeline: &gst::Pipeline, kind: EncoderKind, settings: Settings) -> anyhow::Result<Self> {
        Ok(Self { kind, element: pipeline::find(pipeline, plan::ENCODER)?, settings })
    }

    /// Which it is.
    pub(super) fn kind(&self) -> EncoderKind {
        self.kind
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

    /// Asks for a key picture: now, or the first with this stamp (nanoseconds) or a later one.
    pub(super) fn force_key(&self, at: Option<u64>) {
        let mut event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true);
        if let Some(at) = at {
            event = event.running_time(gst::ClockTime::from_nseconds(at));
        }
        if let Some(pad) = self.element.static_pad("src") {
            pad.send_event(event.build());
        }
    }
}

/// The element's name, for people.
pub(super) fn name(kind: EncoderKind, codec: Codec) -> Text {
    Text::raw(encoder::element(kind, codec))
}

/// The encoders of the board's order that this machine has, from the first that encodes on; and what those said
/// that it has and that do not.
pub(super) fn choose(
    board: &[EncoderKind],
    size: PictureSize,
    settings: Settings,
) -> anyhow::Result<(Vec<EncoderKind>, Vec<String>)> {
    let codec = settings.codec;
    let has = |kind| gst::ElementFactory::find(encoder::element(kind, codec)).is_some();
    let chosen = encoder::choose(board, codec, has, |kind| {
        within(encoder::trial_within(kind), trial, (kind, size, settings)).map_err(|error| {
            let error = format!("{error:#}");
            tracing::warn!(encoder = encoder::element(kind, codec), error, "encoder failed its trial");
            error
        })
    });
    let (chosen, refused) = chosen.map_err(|why| {
        tracing::warn!(why = why.join("; "), "no encoder works");
        let tried: Vec<_> = encoder::order(board).into_iter().map(|kind| encoder::element(kind, codec)).collect();
        anyhow::anyhow!(said::no_encoder(tried.join(" ")))
    })?;
    let left = encoder::order(board).into_iter().skip_while(|kind| *kind != chosen).filter(|kind| has(*kind)).collect();
    Ok((left, refused))
}

/// A trial on a thread of its own: a driver that never comes back keeps that thread and nothing else.
fn within(limit: Duration, trial: Trial, of: (EncoderKind, PictureSize, Settings)) -> anyhow::Result<()> {
    let (done, wait) = mpsc::channel();
    thread::Builder::new().name("trial".into()).spawn(move || {
        // nobody listens any more if it comes too late
        let _ = done.send(trial(of.0, of.1, &of.2));
    })?;
    wait.recv_timeout(limit).unwrap_or_else(|_| anyhow::bail!("gave nothing within {} s", limit.as_secs()))
}

/// Encodes five pictures through the encode's own chain.
fn trial(kind: EncoderKind, size: PictureSize, settings: &Settings) -> anyhow::Result<()> {
    let encode = plan::pictures(size, kind, settings);
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    let source = gst::ElementFactory::make("videotestsrc").property("num-buffers", 5i32).build()?;
    let rate = format!(",framerate={}/{}", settings.rate.num, settings.rate.den);
    let caps = Step::Caps(plan::picture_caps(size) + &rate);
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).build()?;
    pipe.add_many([&source, &sink])?;
    let mut chain = vec![caps];
    let middle = encode.len().saturating_sub(2);
    chain.extend(encode.into_iter().skip(1).take(middle));
    let elements = pipeline::add(&pipe, &chain)?;
    let (first, last) = (elements.first().context("a chain has elements")?, elements.last().context("likewise")?);
    source.link(first)?;
    last.link(&sink)?;
    let bus = pipe.bus().context("a pipeline has a bus")?;
    if let Err(error) = pipe.set_state(gst::State::Playing) {
        // the driver's own words, if it has any
        let said = bus.pop_filtered(&[gst::MessageType::Error]);
        match said.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(words)) => anyhow::bail!(pipeline::driver_words(words)),
            _ => return Err(error.into()),
        }
    }
    let limit = gst::ClockTime::from_mseconds(encoder::trial_within(kind).as_millis() as u64);
    let end = bus.timed_pop_filtered(limit, &[gst::MessageType::Eos, gst::MessageType::Error]);
    drop(guard);
    match end.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => anyhow::bail!(pipeline::driver_words(error)),
        _ => anyhow::bail!("gave nothing within {} s", limit.seconds()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FrameRate;

    #[test]
    fn a_trial_that_never_ends_is_given_up() {
        let hangs: Trial = |_, _, _| {
            thread::park();
            Ok(())
        };
        let settings = Settings {
            bitrate: Bitrate::mbps(1),
            gop: Duration::from_secs(2),
            rate: FrameRate { num: 25, den: 1 },
            codec: Codec::H264,
        };
        let of = (EncoderKind::Vah264enc, PictureSize { width: 640, height: 360 }, settings);
        let error = within(Duration::from_millis(50), hangs, of).unwrap_err();
        assert!(error.to_string().contains("nothing within"), "{error}");
    }
}
