//! Mux: coded pictures and sound into one transport stream, in a pipeline of its own that never stops.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::pipeline;
use crate::lang::said;
use crate::media::backdate::Backdate;
use crate::media::plan;
use crate::time::Duration;

/// One mux.
pub(super) struct Mux {
    pipe: gst::Pipeline,
    entrances: Vec<(gst_app::AppSrc, Mutex<Option<gst::Caps>>)>,
}

impl Mux {
    /// Starts a mux with one entrance for each of `programs`, which says to which programme it belongs; the time
    /// stamps of its sound are put back by `held_back`. `out` takes the bytes and must not block.
    pub(super) fn start(
        programs: &[u8],
        held_back: Duration,
        mut out: impl FnMut(Bytes) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let pipe = gst::Pipeline::new();
        let guard = pipeline::Guard(pipe.clone());
        pipeline::hurry(&pipe);
        pipeline::add(&pipe, &plan::mux(programs))?;
        let mux: gst::Element = pipeline::find(&pipe, plan::MUX)?;
        let mut entrances = Vec::new();
        for n in 0..programs.len() {
            let made = pipeline::add(&pipe, &plan::mux_entrance())?;
            let entrance = made.into_iter().next().context("a chain has elements")?;
            let entrance: gst_app::AppSrc =
                entrance.downcast().map_err(|other| anyhow::anyhow!("{} is no appsrc", other.name()))?;
            let pad = mux.request_pad_simple(&plan::mux_pad(n)).context("the mux takes one more stream")?;
            entrance.static_pad("src").context("an appsrc has a source pad")?.link(&pad)?;
            entrances.push((entrance, Mutex::new(None)));
        }
        let exit: gst_app::AppSink = pipeline::find(&pipe, plan::EXIT)?;
        let mut backdate = Backdate::new(held_back);
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |exit| {
            let sample = exit.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let buffer = sample.buffer_owned();
            // the mux's own memory, not a copy of it: nobody else holds it any more
            drop(sample);
            let Some(mut buffer) = buffer else { return Ok(gst::FlowSuccess::Ok) };
            if let Ok(mut bytes) = buffer.make_mut().map_writable() {
                backdate.pass(&mut bytes);
            }
            if let Ok(bytes) = buffer.into_mapped_buffer_readable() {
                out(Bytes::from_owner(bytes));
            }
            Ok(gst::FlowSuccess::Ok)
        });
        exit.set_callbacks(callbacks.build());
        pipe.set_state(gst::State::Playing).context(said::programme_does_not_start())?;
        guard.let_go();
        Ok(Self { pipe, entrances })
    }

    /// A coded picture or block of sound for the n-th entrance; never waits.
    pub(super) fn push(&self, n: usize, buffer: gst::Buffer, caps: &gst::Caps) {
        let Some((entrance, known)) = self.entrances.get(n) else { return };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() != Some(caps) {
            entrance.set_caps(Some(caps));
            *known = Some(caps.clone());
        }
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        if key && caps.structure(0).is_some_and(|of| of.name().starts_with("video/")) {
            // the tables go directly before it: whoever begins here, and the recorder that cuts here, has them
            entrance.send_event(gst_video::DownstreamForceKeyUnitEvent::builder().all_headers(true).build());
        }
        let _ = entrance.push_buffer(buffer);
    }

    /// Nothing more comes.
    pub(super) fn finish(&self) {
        for (entrance, _) in &self.entrances {
            let _ = entrance.end_of_stream();
        }
    }

    /// True if everything that was pushed before the end has come out.
    pub(super) fn has_ended(&self) -> bool {
        self.pipe.by_name(plan::EXIT).and_downcast::<gst_app::AppSink>().is_none_or(|exit| exit.is_eos())
    }

    /// An error of the pipeline.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        pipeline::check(&self.pipe)
    }
}

impl Drop for Mux {
    fn drop(&mut self) {
        let _ = self.pipe.set_state(gst::State::Null);
    }
}
