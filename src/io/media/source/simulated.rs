//! Devices made here: the moving pattern and the tone, failing when their script says so.

use std::f64::consts::TAU;
use std::sync::Arc;

use anyhow::Context;

use super::ended::Ended;
use crate::board::Outage;
use crate::io::clock;
use crate::io::media::compose::Frames;
use crate::io::media::feed::Feed;
use crate::io::media::stop::Stop;
use crate::lang::said;
use crate::media::raster::Pattern;
use crate::media::sound::SAMPLE_RATE;
use crate::media::{Config, FrameRate};
use crate::message::LossCause;
use crate::time::{Duration, Instant};

/// A late thread makes up for this much and no more; the slot holds no more either.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Sound is made in pieces of this length.
const PIECE: Duration = Duration::from_millis(10);
/// A tone at −12 dBFS.
const AMPLITUDE: f64 = 0.25;

fn in_force(outages: &[Outage], at: Instant) -> Option<Outage> {
    let since = at.since(Instant::ZERO);
    outages.iter().copied().find(|o| (o.from..o.to).contains(&since))
}

/// The end of the last outage before now: pictures count from there, even if the thread is late.
fn works_from(outages: &[Outage], now: Instant) -> Instant {
    let since = now.since(Instant::ZERO);
    let to = outages.iter().filter(|o| !o.stall && o.to <= since).map(|o| o.to).max();
    match to.map(|to| Instant::ZERO + to) {
        Some(to) if now.since(to) < CATCH_UP => to,
        _ => now,
    }
}

fn scripted(outage: Outage, now: Instant) -> Ended {
    let left = outage.to.saturating_sub(now.since(Instant::ZERO));
    Ended { cause: LossCause::Failed, detail: said::scripted(), again: Some(left) }
}

fn due(rate: FrameRate, index: u64) -> Instant {
    Instant::from_micros(rate.nanos_of(index) / 1000)
}

/// Number of the first picture at or after `at`.
fn first_index(rate: FrameRate, at: Instant) -> u64 {
    let near = (at.as_secs_f64() * rate.as_f64()) as u64;
    (near.saturating_sub(1)..).find(|k| due(rate, *k) >= at).unwrap_or(near)
}

/// Draws the pattern until told to stop or unplugged by the script.
pub(super) fn pattern(outages: &[Outage], feed: &Arc<Feed>, config: &Config, stop: &Stop) -> anyhow::Result<Ended> {
    let now = clock::now();
    if let Some(outage) = in_force(outages, now).filter(|o| !o.stall) {
        return Ok(scripted(outage, now));
    }
    let rate = config.rate;
    let drawing = Pattern::new(config.size, super::number(feed.source));
    let frames = Frames::new(config.size)?;
    let shape = format!("{}x{}@{}", config.size.width, config.size.height, rate.as_f64());
    feed.opened(said::pattern(shape));
    let mut index = first_index(rate, works_from(outages, now));
    loop {
        let at = due(rate, index);
        if stop.wait_until(at) {
            return Ok(Ended::failed(said::stopped()));
        }
        let now = clock::now();
        match in_force(outages, at) {
            Some(outage) if !outage.stall => return Ok(scripted(outage, now)),
            Some(_) => {}
            None if now.since(at) > CATCH_UP => {}
            None => {
                let mut frame = frames.take()?;
                {
                    let frame = frame.get_mut().context("a frame fresh from the pool is ours alone")?;
                    let mut map = frame.map_writable()?;
                    drawing.draw(&mut map, index, &wall_time());
                }
                feed.picture(at, frame);
            }
        }
        index += 1;
    }
}

/// The clock in the picture, in UTC; time since the start while the machine does not know the date.
fn wall_time() -> String {
    let millis = clock::wall().map_or_else(|| clock::now().as_millis(), |t| t.0);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

/// Makes the tone until told to stop or unplugged by the script.
pub(super) fn tone(hertz: f64, outages: &[Outage], feed: &Arc<Feed>, stop: &Stop) -> Ended {
    let now = clock::now();
    if let Some(outage) = in_force(outages, now).filter(|o| !o.stall) {
        return scripted(outage, now);
    }
    feed.opened(said::tone(hertz));
    let mut made = sample_at(works_from(outages, now));
    let mut next = now;
    loop {
        next += PIECE;
        if stop.wait_until(next) {
            return Ended::failed(said::stopped());
        }
        let now = clock::now();
        next = next.max(now.before(CATCH_UP));
        let upto = sample_at(now);
        made = made.max(sample_at(now.before(CATCH_UP)));
        match in_force(outages, now) {
            Some(outage) if !outage.stall => return scripted(outage, now),
            Some(_) => made = upto,
            None => {
                feed.sound(
                    now,
                    (made..upto).map(|i| {
                        // the phase counts from the process's start, in whole samples: exact for days
                        let turns = (i as f64 * hertz / f64::from(SAMPLE_RATE)).fract();
                        [(AMPLITUDE * (TAU * turns).sin()) as f32; 2]
                    }),
                );
                made = upto;
            }
        }
    }
}

fn sample_at(at: Instant) -> u64 {
    at.as_micros() * u64::from(SAMPLE_RATE) / 1_000_000
}
