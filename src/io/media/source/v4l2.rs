//! A V4L2 device, known by its bus path: found, its signal watched, captured, and captured afresh.
//!
//! What it gives is free in size up to the scaler where the device follows an HDMI signal; whether
//! there is a signal is asked of the driver on a second handle, whenever it has an event and ten times a
//! second besides, since GStreamer only warns.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use v4l::capability::{Capabilities, Flags};
use v4l::format::FieldOrder;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;

use super::ended::Ended;
use super::stamps::Stamps;
use crate::board::{CaptureFacts, CaptureQuirk};
use crate::io::clock;
use crate::io::media::dv;
use crate::io::media::feed::Feed;
use crate::io::media::pipeline;
use crate::io::media::plugs::{Plugs, Roused};
use crate::io::media::signal::{Signal, Watch};
use crate::io::media::stop::Stop;
use crate::lang::{Text, said};
use crate::media::timings::Timings;
use crate::media::{Config, plan};
use crate::message::LossCause;
use crate::time::Duration;

/// How often an absent device is looked for where the kernel does not tell of it, and a present one's
/// signal asked for where the driver does not.
const LOOK: Duration = Duration::from_millis(100);
/// A device that has a signal and gives no picture for this long is opened afresh.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first picture of a device that begins may take longer.
const FIRST: Duration = Duration::from_secs(6);
/// A device whose signal returned gives pictures by itself so soon, or is opened afresh.
const RELOCK: Duration = Duration::from_millis(500);
/// A picture is at most this old when it comes: a driver whose stamps say more counts from elsewhere.
const OLDEST: Duration = Duration::from_millis(60);

/// A capture device as the board's profile knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Described<'a> {
    /// Where it hangs.
    pub(super) bus: &'a str,
    /// Controls to set.
    pub(super) controls: &'a BTreeMap<String, i64>,
    /// What else is known.
    pub(super) facts: &'a CaptureFacts,
}

/// Captures until told to stop or the device fails.
pub(super) fn capture(
    what: Described<'_>,
    feed: &Arc<Feed>,
    config: &Config,
    plugs: &Plugs,
    stop: &Stop,
) -> anyhow::Result<Ended> {
    let Some(found) = find(what.bus) else {
        return Ok(Ended::absent(said::no_video_device(what.bus), LOOK));
    };
    let Found { node, number, caps } = &found;
    let card = &caps.card;
    let device = v4l::Device::with_path(node).with_context(|| said::does_not_open(node.display()))?;
    let watch = Watch::new(&device, what.facts.signal);
    let mut notes = remarks(&watch, caps, what.facts);
    if !what.facts.quirks.contains(&CaptureQuirk::NoEvents) {
        watch.subscribe();
    }
    if let Some(ended) = without_signal(&watch, *number, card, feed, plugs, stop) {
        return Ok(ended);
    }
    notes.extend(adjust(&device, what.controls));
    // a device that follows a signal must be told to take what is there now
    let signal = watch.adopt();
    let caps = if watch.follows_a_signal() { scaled_mode(&device, config) } else { best_mode(&device, config) };
    let pipe = gst::Pipeline::new();
    let guard = pipeline::Guard(pipe.clone());
    pipeline::hurry(&pipe);
    let clock = gst::SystemClock::obtain();
    pipe.use_clock(Some(&clock));
    let format = device.format();
    let large = format.as_ref().is_ok_and(|f| f.width > config.size.width || f.height > config.size.height);
    let fields = format.as_ref().is_ok_and(|f| !matches!(f.field_order, FieldOrder::Any | FieldOrder::Progressive))
        || signal.is_some_and(|signal| signal.interlaced);
    pipeline::add(&pipe, &plan::v4l2(node, &caps, plan::Picture { large, fields }, config.size))?;
    let gate = Arc::new(AtomicBool::new(true));
    let stamps = (!what.facts.quirks.contains(&CaptureQuirk::NoStamps)).then(|| Stamps::of(&clock));
    listen(&pipe, feed, &gate, stamps)?;
    feed.format(signal.or_else(|| {
        let given = format.as_ref().ok()?;
        Some(Timings { width: given.width, height: given.height, interlaced: fields, rate: 0.0 })
    }));
    let told = describe(&device, card, what.bus);
    let told = signal.map_or(told.clone(), |signal| said::and(&told, &said::of_signal(signal)));
    feed.opened(notes.iter().fold(told, |told, more| said::and(&told, more)));
    let messages = pipe.bus().context("a pipeline has a bus")?;
    if pipe.set_state(gst::State::Playing).is_err() {
        let error = messages.timed_pop_filtered(gst::ClockTime::ZERO, &[gst::MessageType::Error]);
        return Ok(match error.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Error(error)) => Ended::failed(Text::raw(pipeline::words(error))),
            _ => Ended::failed(said::does_not_start(node.display())),
        });
    }
    let mut began = (clock::now(), FIRST);
    loop {
        match plugs.rest(Some(watch.fd()), LOOK / 2, stop) {
            Roused::Told => break,
            Roused::Pulled(pulled) if pulled == *number => return Ok(gone(card)),
            Roused::Device => drop(dv::drain(watch.fd())),
            Roused::Late | Roused::Plugged | Roused::Pulled(_) => {}
        }
        while let Some(message) = messages.pop() {
            match message.view() {
                // the first error is the cause, those after it its consequences
                gst::MessageView::Error(error) => return Ok(Ended::failed(Text::raw(pipeline::words(error)))),
                gst::MessageView::Eos(_) => return Ok(Ended::failed(said::ended(card))),
                _ => {}
            }
        }
        match watch.look() {
            Signal::Gone => return Ok(gone(card)),
            Signal::Absent(why) => {
                if gate.swap(false, Ordering::Relaxed) {
                    feed.cut_off(clock::now());
                }
                feed.lost(LossCause::NoSignal, said::of(card, &why));
            }
            Signal::Changed => return Ok(afresh(said::new_signal(card))),
            Signal::Present => {
                if !gate.swap(true, Ordering::Relaxed) {
                    if what.facts.quirks.contains(&CaptureQuirk::Reopen) {
                        return Ok(afresh(said::new_signal(card)));
                    }
                    // no picture was let in meanwhile: patience begins anew
                    began = (clock::now(), RELOCK);
                    feed.found();
                }
                let newest = feed.slot().newest().filter(|newest| *newest > began.0);
                let (since, patience) = newest.map_or(began, |newest| (newest, PATIENCE));
                if clock::now().since(since) > patience {
                    let detail = said::no_picture_for(card, patience.as_secs_f64());
                    return Ok(Ended { cause: LossCause::Stalled, detail, again: Some(LOOK) });
                }
            }
        }
    }
    drop(guard);
    Ok(Ended::failed(said::stopped()))
}

/// The device's handle may not be kept: some drivers bring a device back only when nobody holds it.
fn gone(card: &str) -> Ended {
    Ended::absent(said::device_gone(card), LOOK)
}

/// Begin again at once.
fn afresh(detail: Text) -> Ended {
    Ended { cause: LossCause::Failed, detail, again: Some(Duration::ZERO) }
}

/// Waits with the device open until it has a signal; why not, if it ends before.
fn without_signal(watch: &Watch, number: u32, card: &str, feed: &Feed, plugs: &Plugs, stop: &Stop) -> Option<Ended> {
    loop {
        dv::drain(watch.fd());
        match watch.look() {
            Signal::Present | Signal::Changed => return None,
            Signal::Gone => return Some(gone(card)),
            Signal::Absent(why) => feed.lost(LossCause::NoSignal, said::of(card, &why)),
        }
        match plugs.rest(Some(watch.fd()), LOOK, stop) {
            Roused::Told => return Some(Ended::failed(said::stopped())),
            Roused::Pulled(pulled) if pulled == number => return Some(gone(card)),
            Roused::Device | Roused::Late | Roused::Plugged | Roused::Pulled(_) => {}
        }
    }
}

/// Offers our EDID where there is a plug for it, and says what is otherwise than the profile has it.
fn remarks(watch: &Watch, caps: &Capabilities, facts: &CaptureFacts) -> Vec<Text> {
    let mut notes = Vec::new();
    if let Some(wanted) = facts.driver.as_ref().filter(|wanted| **wanted != caps.driver) {
        tracing::warn!(driver = caps.driver, wanted, "another driver than the profile says");
        notes.push(said::other_driver(&caps.driver, wanted));
    }
    if watch.follows_a_signal() && !facts.keeps_edid {
        match dv::offer(watch.fd()) {
            Ok(true) => tracing::info!(card = caps.card, "offering an EDID of 1080p"),
            // receivers of SDI have none, and many a driver keeps its own
            Ok(false) | Err(nix::errno::Errno::ENOTTY | nix::errno::Errno::EINVAL) => {}
            Err(error) => notes.push(said::no_edid(error)),
        }
    }
    notes
}

/// A device that was found.
struct Found {
    node: PathBuf,
    /// The node's number of the day.
    number: u32,
    caps: Capabilities,
}

/// The capture node of the device at this bus path.
fn find(bus: &str) -> Option<Found> {
    let mut nodes = v4l::context::enum_devices();
    nodes.sort_by_key(v4l::context::Node::index);
    nodes.into_iter().find_map(|node| {
        let caps = v4l::Device::with_path(node.path()).ok()?.query_caps().ok()?;
        let flags = caps.capabilities;
        let captures = flags.contains(Flags::VIDEO_CAPTURE) && !flags.contains(Flags::TOUCH);
        let number = u32::try_from(node.index()).ok()?;
        (captures && caps.bus == bus).then(|| Found { node: node.path().to_path_buf(), number, caps })
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

fn listen(
    pipe: &gst::Pipeline,
    feed: &Arc<Feed>,
    gate: &Arc<AtomicBool>,
    stamps: Option<Stamps>,
) -> anyhow::Result<()> {
    let exit: gst_app::AppSink = pipeline::find(pipe, plan::EXIT)?;
    let (feed, gate) = (Arc::clone(feed), Arc::clone(gate));
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |exit| {
        let sample = exit.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(buffer) = sample.buffer_owned().filter(|_| gate.load(Ordering::Relaxed)) {
            let now = clock::now();
            let base = exit.base_time().unwrap_or_default();
            let said = stamps.map_or(now, |stamps| stamps.of_sample(&sample, base));
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
