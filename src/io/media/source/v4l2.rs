//! A V4L2 device, known by its bus path: found, its signal watched, captured, and captured afresh.
//!
//! What it gives is free in size up to the scaler where the device follows an HDMI signal; whether
//! there is a signal is asked of the driver on a second handle, since GStreamer only warns.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;

use super::ended::Ended;
use super::stamps::Stamps;
use crate::io::clock;
use crate::io::media::feed::Feed;
use crate::io::media::pipeline;
use crate::io::media::signal::{Signal, Watch};
use crate::io::media::stop::Stop;
use crate::lang::{Text, said};
use crate::media::{Config, plan};
use crate::message::LossCause;
use crate::time::Duration;

/// How often an absent device is looked for, and a present one's signal asked for.
const LOOK: Duration = Duration::from_millis(100);
/// A device that has a signal and gives no picture for this long is opened afresh.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first picture of a device that begins may take longer.
const FIRST: Duration = Duration::from_secs(6);
/// A picture is at most this old when it comes: a driver whose stamps say more counts from elsewhere.
const OLDEST: Duration = Duration::from_millis(60);

/// Captures until told to stop or the device fails.
pub(super) fn capture(
    bus: &str,
    controls: &BTreeMap<String, i64>,
    feed: &Arc<Feed>,
    config: &Config,
    stop: &Stop,
) -> anyhow::Result<Ended> {
    let Some((node, card)) = find(bus) else {
        return Ok(Ended::absent(said::no_video_device(bus), LOOK));
    };
    let device = v4l::Device::with_path(&node).with_context(|| said::does_not_open(node.display()))?;
    let watch = Watch::new(&device);
    if let Signal::Absent(why) = watch.look() {
        return Ok(Ended { cause: LossCause::NoSignal, detail: said::of(&card, &why), again: Some(LOOK) });
    }
    let refused = adjust(&device, controls);
    // a device that follows a signal must be told to take what is there now
    watch.adopt();
    let caps = if watch.follows_a_signal() { scaled_mode(&device, config) } else { best_mode(&device, config) };
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    pipeline::hurry(&pipe);
    let clock = gst::SystemClock::obtain();
    pipe.use_clock(Some(&clock));
    let large = device.format().is_ok_and(|f| f.width > config.size.width || f.height > config.size.height);
    pipeline::add(&pipe, &plan::v4l2(&node, &caps, large, config.size))?;
    let gate = Arc::new(AtomicBool::new(true));
    listen(&pipe, feed, &gate, Stamps::of(&clock))?;
    let told = refused.iter().fold(describe(&device, &card, bus), |told, more| said::and(&told, more));
    feed.opened(told);
    let messages = pipe.bus().context("a pipeline has a bus")?;
    if pipe.set_state(gst::State::Playing).is_err() {
        let error = messages.timed_pop_filtered(gst::ClockTime::ZERO, &[gst::MessageType::Error]);
        return Ok(match error.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Error(error)) => Ended::failed(Text::raw(pipeline::words(error))),
            _ => Ended::failed(said::does_not_start(node.display())),
        });
    }
    let mut began = clock::now();
    while !stop.wait(LOOK / 2) {
        while let Some(message) = messages.pop() {
            match message.view() {
                // the first error is the cause, those after it its consequences
                gst::MessageView::Error(error) => return Ok(Ended::failed(Text::raw(pipeline::words(error)))),
                gst::MessageView::Eos(_) => return Ok(Ended::failed(said::ended(&card))),
                _ => {}
            }
        }
        match watch.look() {
            Signal::Absent(why) => {
                gate.store(false, Ordering::Relaxed);
                feed.lost(LossCause::NoSignal, said::of(&card, &why));
            }
            Signal::Changed => {
                let again = Some(Duration::ZERO);
                return Ok(Ended { cause: LossCause::Failed, detail: said::new_signal(&card), again });
            }
            Signal::Present => {
                if !gate.swap(true, Ordering::Relaxed) {
                    // no picture was let in meanwhile: patience begins anew
                    began = clock::now();
                    feed.found();
                }
                let newest = feed.slot().newest().filter(|newest| *newest > began);
                let (since, patience) = newest.map_or((began, FIRST), |newest| (newest, PATIENCE));
                if clock::now().since(since) > patience {
                    let detail = said::no_picture_for(&card, patience.as_secs());
                    return Ok(Ended { cause: LossCause::Stalled, detail, again: Some(LOOK) });
                }
            }
        }
    }
    drop(guard);
    Ok(Ended::failed(said::stopped()))
}

/// The capture node of the device at this bus path, and the device's name.
fn find(bus: &str) -> Option<(PathBuf, String)> {
    let mut nodes = v4l::context::enum_devices();
    nodes.sort_by_key(v4l::context::Node::index);
    nodes.into_iter().find_map(|node| {
        let caps = v4l::Device::with_path(node.path()).ok()?.query_caps().ok()?;
        let flags = caps.capabilities;
        let captures = flags.contains(Flags::VIDEO_CAPTURE) && !flags.contains(Flags::TOUCH);
        (captures && caps.bus == bus).then(|| (node.path().to_path_buf(), caps.card))
    })
}

fn describe(device: &v4l::Device, card: &str, bus: &str) -> Text {
    let format = device.format().map(|f| format!("{}x{} {}", f.width, f.height, f.fourcc)).unwrap_or_default();
    said::video(format, card, bus)
}

/// Sets the profile's controls; says which of them the device does not have or refuses.
fn adjust(device: &v4l::Device, controls: &BTreeMap<String, i64>) -> Vec<Text> {
    if controls.is_empty() {
        return Vec::new();
    }
    // the crate panics at a kind of control that is newer than it
    let there = std::panic::catch_unwind(|| device.query_controls());
    let there = there.ok().and_then(Result::ok).unwrap_or_default();
    let mut refused = Vec::new();
    for (name, value) in controls {
        let done = match there.iter().find(|c| control_name(&c.name) == *name) {
            Some(control) => {
                let value = v4l::control::Value::Integer(*value);
                device
                    .set_control(v4l::Control { id: control.id, value })
                    .map_err(|e| Text::new(e.to_string(), e.to_string()))
            }
            None => Err(said::no_control()),
        };
        if let Err(why) = done {
            tracing::warn!(control = name, value, why = why.en, "control not set");
            refused.push(said::control_not_set(name, value, &why));
        }
    }
    refused
}

/// The name that `v4l2-ctl` shows: letters and digits in lower case, one line for all between them.
fn control_name(driver: &str) -> String {
    let words = driver.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

/// The caps of the programme's own size, if the device scales its signal to that; empty if it does not,
/// and then its size is left free. A signal that changes ends the capture before the caps can hurt.
fn scaled_mode(device: &v4l::Device, config: &Config) -> String {
    let (width, height) = (config.size.width, config.size.height);
    let modes = [(b"YU12", "I420"), (b"NV12", "NV12"), (b"YUYV", "YUY2"), (b"UYVY", "UYVY")];
    modes
        .into_iter()
        .find(|(fourcc, _)| {
            let wanted = v4l::Format::new(width, height, v4l::FourCC::new(fourcc));
            let given = device.set_format(&wanted);
            given.is_ok_and(|g| g.width == width && g.height == height && g.fourcc.repr == **fourcc)
        })
        .map(|(_, format)| format!("video/x-raw,format={format},width={width},height={height}"))
        .unwrap_or_default()
}

/// The caps of the mode that costs least and gives most: as large as the programme or the next
/// smaller, as quick as the programme, raw before JPEG. Empty if the device does not list its modes.
fn best_mode(device: &v4l::Device, config: &Config) -> String {
    let mut best: Option<((bool, i64, bool), String)> = None;
    for format in device.enum_formats().unwrap_or_default() {
        let jpeg = &format.fourcc.repr == b"MJPG";
        let raw = match &format.fourcc.repr {
            b"YUYV" => "YUY2",
            b"UYVY" => "UYVY",
            b"NV12" => "NV12",
            b"YU12" => "I420",
            _ if jpeg => "",
            _ => continue,
        };
        for size in device.enum_framesizes(format.fourcc).unwrap_or_default() {
            let FrameSizeEnum::Discrete(size) = size.size else { continue };
            for interval in device.enum_frameintervals(format.fourcc, size.width, size.height).unwrap_or_default() {
                let FrameIntervalEnum::Discrete(step) = interval.interval else { continue };
                if step.numerator == 0 {
                    continue;
                }
                let rate = f64::from(step.denominator) / f64::from(step.numerator);
                let quick = rate + 0.1 >= config.rate.as_f64();
                // distance in pixels across; a smaller picture than wanted is worse than a larger one
                let off = i64::from(size.width) - i64::from(config.size.width);
                let distance = if off < 0 { off * 4 } else { -off };
                let score = (quick, distance, !jpeg);
                if best.as_ref().is_none_or(|(b, _)| score > *b) {
                    let kind = if jpeg { "image/jpeg".to_owned() } else { format!("video/x-raw,format={raw}") };
                    let caps = format!(
                        "{kind},width={},height={},framerate={}/{}",
                        size.width, size.height, step.denominator, step.numerator
                    );
                    best = Some((score, caps));
                }
            }
        }
    }
    best.map(|(_, caps)| caps).unwrap_or_default()
}

fn listen(pipe: &gst::Pipeline, feed: &Arc<Feed>, gate: &Arc<AtomicBool>, stamps: Stamps) -> anyhow::Result<()> {
    let exit: gst_app::AppSink = pipeline::find(pipe, plan::EXIT)?;
    let (feed, gate) = (Arc::clone(feed), Arc::clone(gate));
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |exit| {
        let sample = exit.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(buffer) = sample.buffer_owned().filter(|_| gate.load(Ordering::Relaxed)) {
            let now = clock::now();
            let said = stamps.of_sample(&sample, exit.base_time().unwrap_or_default());
            feed.picture(said.max(now.before(OLDEST)).min(now), buffer);
        }
        Ok(gst::FlowSuccess::Ok)
    });
    exit.set_callbacks(callbacks.build());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_go_by_the_names_that_v4l2_ctl_shows() {
        assert_eq!(control_name("Brightness"), "brightness");
        assert_eq!(control_name("Power Line Frequency"), "power_line_frequency");
        assert_eq!(control_name("White Balance, Auto & Preset"), "white_balance_auto_preset");
    }
}
