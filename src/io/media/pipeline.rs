//! Translates a plan into GStreamer elements, and reads their complaints.

use std::thread;

use anyhow::{Context, anyhow, bail};
use gst::prelude::*;
use gstreamer as gst;

use crate::lang::said;
use crate::media::encoder::Value;
use crate::media::plan::{Setting, Step};

/// Adds the elements of `chain` to `pipeline` and links them in order.
pub(super) fn add(pipeline: &gst::Pipeline, chain: &[Step]) -> anyhow::Result<Vec<gst::Element>> {
    let elements = chain.iter().map(element).collect::<anyhow::Result<Vec<_>>>()?;
    pipeline.add_many(&elements).context("elements of a new chain go into the pipeline")?;
    gst::Element::link_many(&elements).with_context(|| format!("{} do not link", names(&elements)))?;
    Ok(elements)
}

fn names(elements: &[gst::Element]) -> String {
    elements.iter().map(|e| e.name().to_string()).collect::<Vec<_>>().join(" ! ")
}

/// The element of this name, which the plan put there.
pub(super) fn find<T: IsA<gst::Element>>(pipeline: &gst::Pipeline, name: &str) -> anyhow::Result<T> {
    let found = pipeline.by_name(name).with_context(|| format!("the pipeline has no element \"{name}\""))?;
    found.downcast().map_err(|e| anyhow!("{} is a {}", name, e.type_().name()))
}

fn element(step: &Step) -> anyhow::Result<gst::Element> {
    match step {
        Step::Caps(text) => {
            let caps: gst::Caps = text.parse().with_context(|| format!("\"{text}\" are no caps"))?;
            Ok(gst::ElementFactory::make("capsfilter").property("caps", caps).build()?)
        }
        Step::Element { factory, name, settings } => {
            let builder = gst::ElementFactory::make(factory);
            let builder = if name.is_empty() { builder } else { builder.name(*name) };
            let made = builder.build().with_context(|| {
                format!("GStreamer has no element {factory}; install the plugin package that carries it")
            })?;
            for (key, setting) in settings {
                set(&made, key, setting)?;
            }
            Ok(made)
        }
    }
}

/// Sets one property; a name that this version of the element lacks is an error, not a panic.
pub(super) fn set(element: &gst::Element, key: &str, setting: &Setting) -> anyhow::Result<()> {
    if element.find_property(key).is_none() {
        bail!("{} has no property {key}", element.name());
    }
    match setting {
        Setting::Plain(Value::Number(n)) => element.set_property_from_str(key, &n.to_string()),
        Setting::Plain(Value::Flag(flag)) => element.set_property_from_str(key, &flag.to_string()),
        Setting::Plain(Value::Text(text)) if key == "caps" => {
            element.set_property(key, text.parse::<gst::Caps>().with_context(|| format!("\"{text}\" are no caps"))?);
        }
        Setting::Plain(Value::Text(text)) if key == "extra-controls" => {
            let controls = text.parse::<gst::Structure>().with_context(|| format!("\"{text}\" are no controls"))?;
            element.set_property(key, controls);
        }
        Setting::Plain(Value::Text(text)) if is_text(element, key) => element.set_property(key, text.as_str()),
        Setting::Plain(Value::Text(text)) => element.set_property_from_str(key, text),
        Setting::Hidden(secret) => element.set_property(key, secret.0.as_str()),
    }
    Ok(())
}

fn is_text(element: &gst::Element, key: &str) -> bool {
    element.find_property(key).is_some_and(|spec| spec.value_type() == gst::glib::Type::STRING)
}

/// Lets the pipeline's threads come before the machine's other work, where the process may.
pub(super) fn hurry(pipe: &gst::Pipeline) {
    let Some(bus) = pipe.bus() else { return };
    bus.set_sync_handler(|_, message| {
        // this is said by the new thread itself
        if let gst::MessageView::StreamStatus(status) = message.view()
            && status.get().0 == gst::StreamStatusType::Enter
        {
            super::stop::urgent(super::stop::STREAM);
        }
        gst::BusSyncReply::Pass
    });
}

/// The device's or element's own words of an error message.
pub(super) fn words(error: &gst::message::Error) -> String {
    let from = error.src().map(|s| s.name().to_string()).unwrap_or_default();
    format!("{from}: {}", error.error())
}

/// The same, and what the driver said beside it. Not for a session: its address may hold a key.
pub(super) fn driver_words(error: &gst::message::Error) -> String {
    let debug = error.debug().unwrap_or_default();
    // the first line says where in the element's source it was
    let said = debug.split_once('\n').map_or("", |(_, said)| said).trim();
    let rest = if said.is_empty() { String::new() } else { format!(" {}", said.replace('\n', " ")) };
    words(error) + &rest
}

/// Makes sure that the pipeline stops when its owner goes.
#[derive(Debug)]
pub(super) struct Guard(pub(super) gst::Pipeline);

impl Guard {
    /// Somebody else stops it from here on.
    pub(super) fn let_go(self) {
        std::mem::forget(self);
    }
}

/// Ends a pipeline on a thread of its own: a driver that hangs keeps that thread and nothing else.
pub(super) fn discard(pipe: gst::Pipeline) {
    let _ = thread::Builder::new().name("pipeline-end".into()).spawn(move || pipe.set_state(gst::State::Null));
}

/// An error of the pipeline is the end of its part.
///
/// # Errors
/// The element's own words.
pub(super) fn check(pipe: &gst::Pipeline) -> anyhow::Result<()> {
    let bus = pipe.bus().context("a pipeline has a bus")?;
    while let Some(message) = bus.pop() {
        if let gst::MessageView::Error(error) = message.view() {
            anyhow::bail!(said::because(&said::programme_failed(), &words(error)));
        }
    }
    Ok(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}
