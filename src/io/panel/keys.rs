//! Keys: events of the kernel's input devices (gpio-keys, rotary-encoder), found by their names.
//!
//! A device that is not there, or goes away, is looked for again every second.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use evdev::{Device, EventSummary, KeyCode};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::board::Keys;
use crate::io::clock;
use crate::message::Tally;
use crate::panel::{Key, Stroke};
use crate::time::Instant;

/// The kernel's input devices.
const FOLDER: &str = "/dev/input";

/// The pause before a device that is not there is looked for again.
const LOOK: Duration = Duration::from_secs(1);

/// An event older than this was not meant for what is shown now: the process stood still.
const STALE: Duration = Duration::from_millis(700);

/// What a key code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Key(Key),
    /// While the contact is closed.
    Tally(Tally),
}

/// A stroke with the kernel's time, as far as that can be told in ours.
pub(super) type Stroked = (Instant, Stroke);

/// Hands strokes over until nobody takes them.
///
/// # Errors
/// If a code of the profile is none of the kernel's.
pub(super) fn listen(keys: &Keys, strokes: &mpsc::Sender<Stroked>, tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
    let codes = codes(&keys.codes)?;
    for name in &keys.devices {
        let (name, codes, strokes, reversed) = (name.clone(), codes.clone(), strokes.clone(), keys.reversed);
        tasks.spawn(async move {
            let mut told = false;
            while !strokes.is_closed() {
                match find(&name) {
                    Ok(device) => {
                        tracing::info!(name, "keys");
                        told = false;
                        if let Err(why) = read(device, &codes, reversed, &strokes).await {
                            tracing::warn!(name, why = format!("{why:#}"), "the keys went away");
                        }
                    }
                    Err(why) if !told => {
                        tracing::warn!(why = format!("{why:#}"), "no keys; looking for them again");
                        told = true;
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(LOOK).await;
            }
        });
    }
    Ok(())
}

fn codes(written: &BTreeMap<String, String>) -> anyhow::Result<BTreeMap<u16, Meaning>> {
    written
        .iter()
        .map(|(name, code)| {
            let meaning = match name.as_str() {
                "tally_program" => Meaning::Tally(Tally::Program),
                "tally_preview" => Meaning::Tally(Tally::Preview),
                key => Meaning::Key(key.parse().map_err(anyhow::Error::msg)?),
            };
            let known: KeyCode = code.parse().map_err(|_| {
                anyhow!("keys.codes.{name}: \"{code}\" is no key code; see linux/input-event-codes.h, such as KEY_F1")
            })?;
            Ok((known.0, meaning))
        })
        .collect()
}

/// The device of that name; the first, where two bear it.
fn find(name: &str) -> anyhow::Result<Device> {
    let listed = || std::fs::read_dir(FOLDER).with_context(|| format!("{FOLDER}; is evdev loaded?"));
    let mut nodes: Vec<_> = listed()?.flatten().map(|entry| entry.path()).filter(|path| is_event(path)).collect();
    nodes.sort();
    let mut refused = None;
    for node in nodes {
        match Device::open(&node) {
            Ok(device) if device.name() == Some(name) => return Ok(device),
            Ok(_) => {}
            Err(error) => refused = Some(anyhow!("{}: {error}", node.display())),
        }
    }
    let why = refused.unwrap_or_else(|| anyhow!("/proc/bus/input/devices lists those there are"));
    Err(why.context(format!("no input device is named \"{name}\"")))
}

fn is_event(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("event"))
}

async fn read(
    device: Device,
    codes: &BTreeMap<u16, Meaning>,
    reversed: bool,
    strokes: &mpsc::Sender<Stroked>,
) -> anyhow::Result<()> {
    let mut events = device.into_event_stream().context("listening")?;
    loop {
        let event = events.next_event().await.context("reading")?;
        let happened = event.timestamp().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = clock::wall().map_or(Duration::ZERO, |wall| Duration::from_millis(wall.0));
        let age = wall.saturating_sub(happened);
        let stroke = match event.destructure() {
            EventSummary::Key(_, code, value) => match (codes.get(&code.0), value) {
                (Some(Meaning::Key(key)), 0) => Stroke::Up(*key),
                (Some(Meaning::Key(key)), 1) if age < STALE => Stroke::Down(*key),
                (Some(Meaning::Tally(_)), 0) => Stroke::Tally(Tally::Off),
                (Some(Meaning::Tally(tally)), 1) => Stroke::Tally(*tally),
                // repeats, stale presses, and keys of somebody else
                _ => continue,
            },
            EventSummary::RelativeAxis(_, _, clicks) if age < STALE => {
                Stroke::Turn(if reversed { clicks.saturating_neg() } else { clicks })
            }
            _ => continue,
        };
        let at = clock::now().before(age.min(STALE));
        if strokes.send((at, stroke)).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_kernels_names_and_a_wrong_one_is_told() {
        let written = |name: &str, code: &str| [(name.to_owned(), code.to_owned())].into();

        let known = codes(&written("ack", "KEY_F6")).expect("a code");
        assert_eq!(known[&KeyCode::KEY_F6.0], Meaning::Key(Key::Ack));
        let known = codes(&written("tally_program", "BTN_0")).expect("a code");
        assert_eq!(known[&KeyCode::BTN_0.0], Meaning::Tally(Tally::Program));
        let why = codes(&written("ack", "KEY_DANCE")).expect_err("none").to_string();
        assert!(why.starts_with("keys.codes.ack: \"KEY_DANCE\" is no key code"), "{why}");
    }
}
