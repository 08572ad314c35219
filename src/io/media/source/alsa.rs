//! A sound card, known by its id or its place: opened, read with its own time stamps, and opened again
//! after it was gone. It feeds as many lines as hang on its channels.

use std::sync::Arc;

use alsa::pcm::{Access, Format, HwParams, PCM, TstampType};
use alsa::{Direction, ValueOr};
use anyhow::Context;
use nix::time::{ClockId, clock_gettime};

use super::ended::Ended;
use crate::board::CardMatch;
use crate::io::clock;
use crate::io::media::feed::Feed;
use crate::io::media::stop::Stop;
use crate::lang::said;
use crate::media::sound::SAMPLE_RATE;
use crate::message::LossCause;
use crate::time::{Duration, Instant};

/// One read: 10 ms.
const PERIOD: usize = 480;
/// The card keeps so much for a late thread: 400 ms.
const BUFFER: usize = 19_200;
/// A card that gives nothing for this long is opened again.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often an absent card is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// A gap after an overrun that is longer than this is not filled: the line was silent anyway.
const FILLED: usize = 48_000;

/// Reads the card until told to stop or it fails; `leads` are the channels of each feed, from 1.
pub(super) fn capture(
    card: &CardMatch,
    device: u32,
    leads: &[Vec<u8>],
    feeds: &[Arc<Feed>],
    stop: &Stop,
) -> anyhow::Result<Ended> {
    let Some(id) = find(card) else {
        return Ok(Ended::absent(said::no_sound_card(card), LOOK));
    };
    // plug converts whatever the card offers to what we ask for, and passes through what fits
    let name = format!("plughw:CARD={id},DEV={device}");
    let pcm = PCM::new(&name, Direction::Capture, true).with_context(|| said::does_not_open(&name))?;
    let channels = usize::from(leads.iter().flatten().copied().max().unwrap_or(2).max(2));
    let room = prepare(&pcm, channels).with_context(|| said::no_stereo(&name))?;
    let monotonic = Monotonic::new()?;
    for feed in feeds {
        feed.opened(said::sound(SAMPLE_RATE, room, card, device));
        feed.fresh(clock::now());
    }
    pcm.start().with_context(|| said::does_not_start(&name))?;
    let io = pcm.io_i16()?;
    let mut block = vec![0i16; PERIOD * channels];
    let mut heard = clock::now();
    // when the last sample before an overrun was taken
    let mut overrun: Option<Instant> = None;
    let mut taken = clock::now();
    while !stop.told() {
        let read = match pcm.wait(Some(100)) {
            Ok(false) => Ok(0),
            Ok(true) => io.readi(&mut block),
            Err(error) => Err(error),
        };
        match read {
            Ok(0) => {}
            Ok(frames) => {
                heard = clock::now();
                taken = monotonic.last_sample(&pcm).unwrap_or(heard);
                if let Some(before) = overrun.take() {
                    let gap = (taken.since(before).as_micros() as usize * 48 / 1000).saturating_sub(frames);
                    feeds.iter().for_each(|feed| feed.lost_samples(taken, gap.min(FILLED)));
                }
                for (feed, lead) in feeds.iter().zip(leads) {
                    feed.found();
                    let at = |n: usize| usize::from(lead.get(n).or(lead.first()).copied().unwrap_or(1)) - 1;
                    let (left, right) = (at(0), at(1));
                    let samples = block[..frames * channels].chunks_exact(channels);
                    feed.sound(taken, samples.map(|s| [unit(s[left]), unit(s[right])]));
                }
            }
            Err(error) if error.errno() == libc::EAGAIN => {}
            Err(error) if error.errno() == libc::ENODEV => {
                return Ok(Ended::absent(said::card_unplugged(card), LOOK));
            }
            // overrun or suspend: begin afresh on the same handle
            Err(error) => {
                tracing::info!(%card, %error, "sound card recovered");
                overrun = overrun.or(Some(taken));
                pcm.try_recover(error, true).with_context(|| said::does_not_recover(&name))?;
                pcm.start().with_context(|| said::does_not_start(&name))?;
            }
        }
        if clock::now().since(heard) > PATIENCE {
            return Ok(Ended {
                cause: LossCause::Stalled,
                detail: said::no_sound_for(&name, PATIENCE.as_millis()),
                again: Some(LOOK),
            });
        }
    }
    Ok(Ended::failed(said::stopped()))
}

/// The id of the card that is meant, if it is there.
fn find(wanted: &CardMatch) -> Option<String> {
    alsa::card::Iter::new().flatten().find_map(|card| {
        let info = alsa::Ctl::from_card(&card, false).and_then(|ctl| ctl.card_info()).ok()?;
        let id = info.get_id().ok()?.to_owned();
        is_meant(wanted, &id, &card.get_longname().ok()?).then_some(id)
    })
}

/// True if a card of this id and long name is the one that is wanted.
fn is_meant(wanted: &CardMatch, id: &str, long_name: &str) -> bool {
    match wanted {
        CardMatch::Id(name) => id == name,
        // "… at usb-0000:00:14.0-1, high speed", and -1 must not find -10
        CardMatch::Bus(bus) => long_name.split([' ', ',']).any(|word| word == bus),
    }
}

/// The kernel's monotonic time in ours.
#[derive(Debug, Clone, Copy)]
struct Monotonic {
    // ours minus theirs, microseconds
    offset: i64,
}

impl Monotonic {
    fn new() -> anyhow::Result<Self> {
        let theirs = clock_gettime(ClockId::CLOCK_MONOTONIC).context("the monotonic clock cannot be read")?;
        let theirs = theirs.tv_sec() * 1_000_000 + theirs.tv_nsec() / 1000;
        Ok(Self { offset: i64::try_from(clock::now().as_micros())? - theirs })
    }

    /// When the card took the last of the samples that were read: the stamp of its last interrupt, less what
    /// it holds for us since. Absent where the driver gives no stamps.
    fn last_sample(self, pcm: &PCM) -> Option<Instant> {
        let status = pcm.status().ok()?;
        let stamp = status.get_htstamp();
        if stamp.tv_sec == 0 && stamp.tv_nsec == 0 {
            return None;
        }
        let theirs = stamp.tv_sec * 1_000_000 + stamp.tv_nsec / 1000;
        let held = i64::from(i32::try_from(status.get_avail()).ok()?) * 1_000_000 / i64::from(SAMPLE_RATE);
        let ours = u64::try_from(theirs + self.offset - held).ok()?;
        let now = clock::now();
        // a stamp that lies far off is of another clock
        let at = Instant::from_micros(ours);
        (now.since(at) < Duration::from_secs(1) && at.since(now).is_zero()).then_some(at)
    }
}

fn prepare(pcm: &PCM, channels: usize) -> anyhow::Result<alsa::pcm::Frames> {
    let hw = HwParams::any(pcm)?;
    hw.set_access(Access::RWInterleaved)?;
    hw.set_format(Format::s16())?;
    hw.set_channels(u32::try_from(channels)?)?;
    hw.set_rate_resample(true)?;
    hw.set_rate(SAMPLE_RATE, ValueOr::Nearest)?;
    hw.set_period_size_near(PERIOD as alsa::pcm::Frames, ValueOr::Nearest)?;
    let room = hw.set_buffer_size_near(BUFFER as alsa::pcm::Frames)?;
    pcm.hw_params(&hw)?;
    let sw = pcm.sw_params_current()?;
    sw.set_avail_min(PERIOD as alsa::pcm::Frames)?;
    sw.set_tstamp_mode(true)?;
    sw.set_tstamp_type(TstampType::Monotonic)?;
    pcm.sw_params(&sw)?;
    Ok(room)
}

fn unit(sample: i16) -> f32 {
    f32::from(sample) / 32768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_found_by_its_id_or_by_where_it_is_plugged_in_and_no_other_one_is() {
        let name = "Focusrite Scarlett 2i2 at usb-0000:00:14.0-1, high speed";
        let bus = |bus: &str| is_meant(&CardMatch::Bus(bus.into()), "USB", name);
        assert!(bus("usb-0000:00:14.0-1"));
        assert!(!bus("usb-0000:00:14.0-10") && !bus("usb-0000:00:14.0"));
        assert!(!is_meant(&CardMatch::Bus("usb-0000:00:14.0-1".into()), "USB", &name.replace("-1,", "-10,")));
        assert!(
            is_meant(&CardMatch::Id("USB".into()), "USB", name)
                && !is_meant(&CardMatch::Id("USB".into()), "USB_1", name)
        );
    }
}
