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

/// The stream of pictures and sound that are all there already.
///
/// # Errors
/// If the mux complains.
pub(super) fn all_at_once(units: [&[(gst::Buffer, gst::Caps)]; 2], held_back: Duration) -> anyhow::Result<Vec<u8>> {
    let (give, take) = std::sync::mpsc::channel();
    let mux = Mux::start(&[1, 1], held_back, move |bytes| drop(give.send(bytes)))?;
    for (n, units) in units.into_iter().enumerate() {
        for (buffer, caps) in units {
            mux.push(n, buffer.clone(), caps);
        }
    }
    mux.finish();
    let mut stream = Vec::new();
    while let Ok(bytes) = take.recv_timeout(Duration::from_secs(2)) {
        stream.extend_from_slice(&bytes);
        if mux.has_ended() {
            break;
        }
    }
    stream.extend(take.try_iter().flat_map(|bytes| bytes.to_vec()));
    mux.check()?;
    Ok(stream)
}

impl Drop for Mux {
    fn drop(&mut self) {
        let _ = self.pipe.set_state(gst::State::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Config;
    use crate::media::restamp::ahead;
    use crate::wire::ts::{CLOCK, PACKET, Packet, Pes};

    /// Coded pictures or blocks of sound, as the element at the end of a line gives them.
    fn coded(line: &str) -> Vec<(gst::Buffer, gst::Caps)> {
        let bin = gst::parse::bin_from_description(&format!("{line} ! appsink name=out sync=false"), false).unwrap();
        let pipe = gst::Pipeline::new();
        let _guard = pipeline::Guard(pipe.clone());
        pipe.add(&bin).unwrap();
        let exit: gst_app::AppSink = bin.by_name("out").unwrap().downcast().unwrap();
        pipe.set_state(gst::State::Playing).unwrap();
        std::iter::from_fn(|| exit.pull_sample().ok())
            .map(|sample| {
                let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap().clone();
                let mut buffer = sample.buffer_owned().unwrap();
                let (pts, dts) = (segment.to_running_time(buffer.pts()), segment.to_running_time(buffer.dts()));
                let stamps = buffer.make_mut();
                stamps.set_pts(pts);
                stamps.set_dts(dts);
                (buffer, sample.caps_owned().unwrap())
            })
            .collect()
    }

    /// For each block of sound its stamp, and how much later it is than the stream's clock then, in ms.
    fn sound(held_back: Duration) -> Vec<(u64, i64)> {
        let pictures = coded(
            "videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=320,height=180,framerate=25/1 \
             ! x264enc tune=zerolatency ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
        );
        let blocks = coded(
            "audiotestsrc num-buffers=100 samplesperbuffer=960 ! audio/x-raw,format=S16LE,rate=48000,channels=2 \
             ! voaacenc ! aacparse ! audio/mpeg,stream-format=adts",
        );
        let stream = all_at_once([&pictures, &blocks], held_back).unwrap();
        let (mut clock, mut seen) = (None, Vec::new());
        for raw in stream.chunks_exact(PACKET) {
            if raw[3] & 0x20 != 0 && raw[4] >= 7 && raw[5] & 0x10 != 0 {
                clock = Some(raw[6..10].iter().fold(0, |n, b| n << 8 | u64::from(*b)) << 1 | u64::from(raw[10] >> 7));
            }
            let packet = Packet::parse(raw).unwrap();
            let pes = Some(packet).filter(|packet| packet.starts && packet.pid == 66).map(|p| Pes::parse(p.payload));
            if let (Some(clock), Some(Some(pes))) = (clock, pes) {
                let pts = pes.pts.unwrap();
                seen.push((pts, ahead(clock, pts) * 1000 / CLOCK as i64));
            }
        }
        seen
    }

    #[test]
    fn sound_is_stamped_back_by_what_holds_it_and_still_before_its_turn() {
        super::super::init().unwrap();
        let held_back = Config::default().held_back();
        let (plain, back) = (sound(Duration::ZERO), sound(held_back));

        assert!(plain.len() > 80, "{}", plain.len());
        let ticks = (held_back.as_secs_f64() * CLOCK as f64).round() as u64;
        assert!((3600..5400).contains(&ticks), "40 to 60 ms: {held_back:?}");
        assert!(plain.iter().map(|(pts, _)| pts - ticks).eq(back.iter().map(|(pts, _)| *pts)));
        let least = back.iter().map(|(_, early)| *early).min().unwrap();
        assert!(least >= 50, "a block comes {least} ms before it is played");
    }
}
