//! A sound card, known by its id: opened, read, and opened again after it was gone.

use std::sync::Arc;

use alsa::pcm::{Access, Format, HwParams, PCM};
use alsa::{Direction, ValueOr};
use anyhow::Context;

use super::ended::Ended;
use crate::io::clock;
use crate::io::media::feed::Feed;
use crate::io::media::stop::Stop;
use crate::lang::said;
use crate::media::sound::SAMPLE_RATE;
use crate::message::LossCause;
use crate::time::Duration;

/// One read: 10 ms.
const PERIOD: usize = 480;
/// The card keeps so much for a late thread: 400 ms.
const BUFFER: usize = 19_200;
/// A card that gives nothing for this long is opened again.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often an absent card is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Reads the card until told to stop or it fails.
pub(super) fn capture(card: &str, device: u32, feed: &Arc<Feed>, stop: &Stop) -> anyhow::Result<Ended> {
    if !present(card) {
        return Ok(Ended::absent(said::no_sound_card(card), LOOK));
    }
    // plug converts whatever the card offers to what we ask for, and passes through what fits
    let name = format!("plughw:CARD={card},DEV={device}");
    let pcm = PCM::new(&name, Direction::Capture, true).with_context(|| said::does_not_open(&name))?;
    let room = prepare(&pcm).with_context(|| said::no_stereo(&name))?;
    feed.opened(said::sound(SAMPLE_RATE, room, card, device));
    pcm.start().with_context(|| said::does_not_start(&name))?;
    let io = pcm.io_i16()?;
    let mut block = vec![0i16; PERIOD * 2];
    let mut heard = clock::now();
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
                feed.found();
                feed.sound(block[..frames * 2].chunks_exact(2).map(|s| [unit(s[0]), unit(s[1])]));
            }
            Err(error) if error.errno() == libc::EAGAIN => {}
            Err(error) if error.errno() == libc::ENODEV => {
                return Ok(Ended::absent(said::card_unplugged(card), LOOK));
            }
            // overrun or suspend: begin afresh on the same handle
            Err(error) => {
                tracing::info!(card, %error, "sound card recovered");
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

fn present(card: &str) -> bool {
    alsa::card::Iter::new().flatten().any(|c| {
        alsa::Ctl::from_card(&c, false)
            .and_then(|ctl| ctl.card_info())
            .is_ok_and(|info| info.get_id().is_ok_and(|id| id == card))
    })
}

fn prepare(pcm: &PCM) -> anyhow::Result<alsa::pcm::Frames> {
    let hw = HwParams::any(pcm)?;
    hw.set_access(Access::RWInterleaved)?;
    hw.set_format(Format::s16())?;
    hw.set_channels(2)?;
    hw.set_rate_resample(true)?;
    hw.set_rate(SAMPLE_RATE, ValueOr::Nearest)?;
    hw.set_period_size_near(PERIOD as alsa::pcm::Frames, ValueOr::Nearest)?;
    let room = hw.set_buffer_size_near(BUFFER as alsa::pcm::Frames)?;
    pcm.hw_params(&hw)?;
    let sw = pcm.sw_params_current()?;
    sw.set_avail_min(PERIOD as alsa::pcm::Frames)?;
    pcm.sw_params(&sw)?;
    Ok(room)
}

fn unit(sample: i16) -> f32 {
    f32::from(sample) / 32768.0
}
