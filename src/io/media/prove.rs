//! Prove: now and then one of the encoder's key pictures is decoded and compared with what went in.
//!
//! The next key picture is kept when one is asked for, without a copy; a thread of low urgency decodes it.
//! One picture every ten seconds costs little beside the encoding of the other 249.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Context;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::branch::Unit;
use super::pipeline::Guard;
use super::stop::Stop;
use super::tell::Tell;
use crate::io::clock;
use crate::media::counter::Luma;
use crate::media::picture::{PictureOf, Proof, Sample};
use crate::media::raster::I420;
use crate::media::{FrameRate, PictureSize};
use crate::message::What;
use crate::time::{Duration, Instant};

/// A key picture that is asked for is waited for so much longer than the GOP.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the thread looks whether it came.
const LOOK: Duration = Duration::from_millis(100);
/// One picture decodes within this, or its decoder hangs.
const DECODES: gst::ClockTime = gst::ClockTime::from_seconds(3);

/// One encoded picture: the programme's tick, its bytes, what they are.
type Key = (u64, gst::Buffer, gst::Caps);

/// Between the pump, the encoder and the thread that compares.
#[derive(Debug)]
pub(super) struct Prover {
    size: PictureSize,
    proof: Mutex<Proof>,
    wanted: AtomicBool,
    key: Mutex<Option<Key>>,
    /// When the latest key picture came, in µs.
    latest: AtomicU64,
}

impl Prover {
    /// For a programme of this size.
    pub(super) fn new(size: PictureSize) -> Arc<Self> {
        Arc::new(Self {
            size,
            proof: Mutex::new(Proof::new(size)),
            wanted: AtomicBool::new(false),
            key: Mutex::default(),
            latest: AtomicU64::new(clock::now().as_micros()),
        })
    }

    /// Picture `tick` goes into the encoder.
    pub(super) fn sent(&self, tick: u64, picture: &gst::BufferRef) {
        if let Some(sample) = sample(picture, self.size) {
            self.proof().handle_sent(tick, sample);
        }
    }

    /// Looks at what the programme's encoder made.
    pub(super) fn handle_coded(&self, unit: &Unit, rate: FrameRate) {
        if unit.buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
            return;
        }
        self.latest.store(clock::now().as_micros(), Ordering::Relaxed);
        if self.wanted.load(Ordering::Relaxed)
            && let Some(stamp) = unit.buffer.pts()
        {
            let tick = (stamp.nseconds() as f64 * rate.as_f64() / 1e9).round() as u64;
            self.wanted.store(false, Ordering::Relaxed);
            let key = (tick, unit.buffer.clone(), unit.caps.clone());
            *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        }
    }

    /// Compares a picture every `every`, until told to stop.
    pub(super) fn start(
        self: &Arc<Self>,
        every: Duration,
        gop: Duration,
        tell: Tell,
        stop: Arc<Stop>,
    ) -> anyhow::Result<thread::JoinHandle<()>> {
        let prover = Arc::clone(self);
        Ok(thread::Builder::new().name("prove".into()).spawn(move || {
            while !stop.wait(every) {
                prover.wanted.store(true, Ordering::Relaxed);
                let until = clock::now() + gop + PATIENCE;
                let mut taken = None;
                while taken.is_none() && clock::now() < until && !stop.wait(LOOK) {
                    taken = prover.key.lock().unwrap_or_else(PoisonError::into_inner).take();
                }
                prover.judge(taken, gop);
                if let Some(findings) = prover.proof().poll_judged() {
                    tell.state(What::PictureJudged { of: PictureOf::Programme, findings });
                }
            }
        })?)
    }

    fn judge(&self, key: Option<Key>, gop: Duration) {
        let now = clock::now();
        let latest = Instant::from_micros(self.latest.load(Ordering::Relaxed));
        match key.map(|(tick, picture, caps)| (tick, decode(&picture, &caps, self.size))) {
            Some((tick, Ok((size, sample)))) => self.proof().handle_made(now, tick, size, sample),
            // a machine without a decoder cannot look; a picture that none can decode shows at the far end too
            Some((_, Err(error))) => tracing::warn!("a key picture was not decoded: {error:#}"),
            None if now.since(latest) > gop + PATIENCE => self.proof().handle_none(now, latest),
            None => {}
        }
    }

    fn proof(&self) -> std::sync::MutexGuard<'_, Proof> {
        self.proof.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The brightness of one of the house's own pictures.
pub(super) fn sample(picture: &gst::BufferRef, size: PictureSize) -> Option<Sample> {
    let map = picture.map_readable().ok()?;
    Sample::of(Luma { data: &map, stride: I420::new(size).stride() }, size)
}

/// Decodes one picture by itself: its size, and its brightness if that is the size wanted.
fn decode(
    picture: &gst::Buffer,
    caps: &gst::Caps,
    wanted: PictureSize,
) -> anyhow::Result<(PictureSize, Option<Sample>)> {
    let kind = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
    // libav comes with a hundred libraries, 36 MiB of them: only where nothing smaller does it
    let (parser, decoders): (_, &[&str]) = match kind.as_str() {
        "video/x-h265" => ("h265parse", &["avdec_h265"]),
        _ => ("h264parse", &["openh264dec", "avdec_h264"]),
    };
    let mut made = Err(anyhow::anyhow!("no decoder"));
    for decoder in decoders {
        made = decode_with(parser, decoder, picture.clone(), caps, wanted);
        if made.is_ok() {
            break;
        }
    }
    made
}

fn decode_with(
    parser: &str,
    decoder: &str,
    picture: gst::Buffer,
    caps: &gst::Caps,
    wanted: PictureSize,
) -> anyhow::Result<(PictureSize, Option<Sample>)> {
    let pipe = gst::Pipeline::new();
    let _guard = Guard(pipe.clone());
    let entrance = gst_app::AppSrc::builder().caps(caps).format(gst::Format::Time).build();
    let parser = gst::ElementFactory::make(parser).build()?;
    let decoder = gst::ElementFactory::make(decoder).build().context("no decoder")?;
    if decoder.has_property("max-threads") {
        // more than one thread would hold pictures back, and there is only one
        decoder.set_property("max-threads", 1);
    }
    let exit = gst_app::AppSink::builder().sync(false).build();
    let chain = [entrance.upcast_ref(), &parser, &decoder, exit.upcast_ref::<gst::Element>()];
    pipe.add_many(chain)?;
    gst::Element::link_many(chain)?;
    pipe.set_state(gst::State::Playing)?;
    // twice: openh264dec gives a picture when the next one comes, and none for the end
    entrance.push_buffer(picture.clone())?;
    entrance.push_buffer(picture)?;
    entrance.end_of_stream()?;
    let made = exit.try_pull_sample(DECODES).context("the decoder gave nothing")?;
    let info = gst_video::VideoInfo::from_caps(made.caps().context("a picture has caps")?)?;
    let size = PictureSize { width: info.width(), height: info.height() };
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(made.buffer().context("a picture")?, &info)?;
    let stride = usize::try_from(info.stride()[0])?;
    // every 8-bit format that these decoders give begins with its brightness
    let sample = Sample::of(Luma { data: frame.plane_data(0)?, stride }, size).filter(|_| size == wanted);
    Ok((size, sample))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::raster::Pattern;

    const SIZE: PictureSize = PictureSize { width: 640, height: 360 };

    /// The first key picture that x264enc makes of a picture.
    fn encoded(picture: gst::Buffer) -> Key {
        let pipe = gst::Pipeline::new();
        let _guard = Guard(pipe.clone());
        let text = "appsrc name=in format=time caps=video/x-raw,format=I420,width=640,height=360,framerate=25/1 \
                    ! x264enc tune=zerolatency bitrate=800 ! h264parse config-interval=-1 \
                    ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false";
        let bin = gst::parse::bin_from_description(text, false).unwrap();
        pipe.add(&bin).unwrap();
        let entrance: gst_app::AppSrc = bin.by_name("in").unwrap().downcast().unwrap();
        let exit: gst_app::AppSink = bin.by_name("out").unwrap().downcast().unwrap();
        pipe.set_state(gst::State::Playing).unwrap();
        entrance.push_buffer(picture).unwrap();
        entrance.end_of_stream().unwrap();
        let made = exit.pull_sample().unwrap();
        (0, made.buffer_owned().unwrap(), made.caps_owned().unwrap())
    }

    fn pattern() -> gst::Buffer {
        let mut data = vec![0; I420::new(SIZE).bytes()];
        Pattern::new(SIZE, 0).draw(&mut data, 7, "12:00");
        gst::Buffer::from_slice(data)
    }

    #[test]
    fn a_key_picture_decodes_to_what_went_in() {
        super::super::init().unwrap();
        let (_, picture, caps) = encoded(pattern());

        let (size, made) = decode(&picture, &caps, SIZE).unwrap();

        let mut proof = Proof::new(SIZE);
        proof.handle_sent(0, sample(&pattern(), SIZE).unwrap());
        for n in 1..3 {
            proof.handle_made(Instant::from_millis(n), 0, size, made.clone());
        }
        assert_eq!((size, proof.poll_judged()), (SIZE, None), "the encoder's loss is no fault");
    }

    #[test]
    fn the_small_decoder_does_it_alone() {
        super::super::init().unwrap();
        let (_, picture, caps) = encoded(pattern());

        let (size, sample) = decode_with("h264parse", "openh264dec", picture, &caps, SIZE).unwrap();

        assert_eq!((size, sample.is_some()), (SIZE, true));
    }

    #[test]
    fn a_key_picture_of_something_else_is_found_out() {
        super::super::init().unwrap();
        let (_, picture, caps) = encoded(gst::Buffer::from_slice(crate::media::raster::black(SIZE)));
        let (size, made) = decode(&picture, &caps, SIZE).unwrap();

        let mut proof = Proof::new(SIZE);
        proof.handle_sent(0, sample(&pattern(), SIZE).unwrap());
        for n in 1..3 {
            proof.handle_made(Instant::from_millis(n), 0, size, made.clone());
        }

        let told = proof.poll_judged().unwrap();
        assert_eq!(told[0].fault, crate::media::picture::PictureFault::Black);
    }
}
