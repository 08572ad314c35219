//! Programme: a transport stream, looked at packet by packet.

use std::collections::BTreeMap;

use super::essence::{Frames, Units};
use crate::wire::echo::{Destination, Echo, Kind, Sense};
use crate::wire::ts::{self, AAC, H264, H265, Packet, Pes};

/// Bytes of a picture in which everything is skipped, at the most, many slices included.
const UNCHANGED: u32 = 160;
/// Sizes of unchanged pictures differ by less: x264 without skipping writes 800 to 803 bytes at 720p and
/// 2123 to 2130 at 1080p, and moving ones at 4 Mbit/s differ by hundreds.
const DIFFERS: u32 = 16;
/// The same as one part in so many, for large pictures.
const DIFFERS_PART: u32 = 256;
/// One in so many pictures must have changed.
const CHANGING: u32 = 4;
/// Streams of one programme whose counters are followed; a box sends two and the tables.
const MOST_PIDS: usize = 32;
/// Half of the time stamps' 33 bits: whatever is ahead by less went on.
const HALF: u64 = 1 << 32;

/// What a second of pictures and sound brought.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    bytes: u64,
    stamps: u32,
    went_on: bool,
    pictures: u32,
    leaning: u32,
    changed: u32,
    keys_changed: u32,
    frames: u32,
    heard: u32,
    scrambled: bool,
}

/// A transport stream, looked at packet by packet.
#[derive(Debug, Default)]
pub struct Programme {
    bytes: u64,
    gaps: u64,
    table: Option<u16>,
    video: Option<(u16, u8)>,
    audio: Option<(u16, u8)>,
    counters: BTreeMap<u16, u8>,
    newest: Option<u64>,
    units: Units,
    sound: Frames,
    last_leaning: u32,
    last_key: u32,
    now: Second,
    before: Second,
}

impl Programme {
    /// Payload bytes since the beginning.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A payload of whole packets, in the order of the stream; what is none is only counted.
    pub fn take(&mut self, payload: &[u8]) {
        self.bytes += payload.len() as u64;
        self.now.bytes += payload.len() as u64;
        for packet in payload.chunks_exact(ts::PACKET).filter_map(Packet::parse) {
            self.packet(&packet);
        }
    }

    #[cfg(test)]
    pub(super) fn is_bounded(&self) -> bool {
        self.counters.len() <= MOST_PIDS
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        if packet.pid == ts::NULL || packet.payload.is_empty() {
            return;
        }
        let room = self.counters.len() < MOST_PIDS;
        match self.counters.get_mut(&packet.pid) {
            Some(last) => {
                // a packet may be said twice
                let step = packet.counter.wrapping_sub(*last) & 0x0f;
                if step > 1 && !packet.jumps {
                    self.gaps += u64::from(step) - 1;
                }
                if step == 0 {
                    return;
                }
                *last = packet.counter;
            }
            None if room => {
                self.counters.insert(packet.pid, packet.counter);
            }
            None => {}
        }
        if packet.starts && packet.pid == ts::PAT {
            self.table = ts::program(packet.payload).or(self.table);
        } else if packet.starts && Some(packet.pid) == self.table {
            self.streams(packet.payload);
        } else if let Some((_, codec)) = self.video.filter(|(pid, _)| *pid == packet.pid) {
            self.picture(packet, codec);
        } else if let Some((_, codec)) = self.audio.filter(|(pid, _)| *pid == packet.pid) {
            self.sound(packet, codec);
        }
    }

    fn streams(&mut self, payload: &[u8]) {
        let first = |wanted: fn(u8) -> bool| ts::streams(payload).find(|(_, codec)| wanted(*codec));
        self.video = first(|codec| matches!(codec, H264 | H265) || ts::OTHER_PICTURES.contains(&codec));
        self.audio = first(|codec| codec == AAC || ts::OTHER_SOUND.contains(&codec));
    }

    fn picture(&mut self, packet: &Packet<'_>, codec: u8) {
        if packet.scrambled {
            self.now.scrambled = true;
            return;
        }
        let mut data = packet.payload;
        if packet.starts {
            self.picture_ended();
            let Some(pes) = Pes::parse(packet.payload) else { return };
            self.stamp(pes.pts);
            self.now.pictures += 1;
            data = pes.data;
        }
        if matches!(codec, H264 | H265) {
            self.units.take(codec, data);
        }
    }

    fn picture_ended(&mut self) {
        let Units { between, key, .. } = std::mem::take(&mut self.units);
        let differs = |size: u32, last: u32| last > 0 && size.abs_diff(last) > DIFFERS.max(size / DIFFERS_PART);
        if between > 0 {
            self.now.leaning += 1;
            self.now.changed += u32::from(between > UNCHANGED && differs(between, self.last_leaning));
            self.last_leaning = between;
        } else if key > 0 {
            self.now.keys_changed += u32::from(differs(key, self.last_key));
            self.last_key = key;
        }
    }

    fn sound(&mut self, packet: &Packet<'_>, codec: u8) {
        if packet.scrambled {
            self.now.scrambled = true;
            return;
        }
        let mut data = packet.payload;
        if packet.starts {
            let Some(pes) = Pes::parse(packet.payload) else { return };
            self.stamp(pes.pts);
            data = pes.data;
        }
        if codec == AAC {
            let (frames, heard) = self.sound.take(data);
            self.now.frames += frames;
            self.now.heard += heard;
        }
    }

    fn stamp(&mut self, pts: Option<u64>) {
        let Some(pts) = pts else { return };
        self.now.stamps += 1;
        let ahead = self.newest.is_none_or(|newest| {
            let step = pts.wrapping_sub(newest) & (2 * HALF - 1);
            step > 0 && step < HALF
        });
        if ahead {
            self.newest = Some(pts);
            self.now.went_on = true;
        }
    }

    pub(super) fn second(&mut self, stream: u8, destinations: Vec<Destination>) -> Echo {
        let (now, before) = (std::mem::take(&mut self.now), self.before);
        self.before = now;
        let both = |of: fn(&Second) -> u32| of(&now) + of(&before);
        let stood = |there: bool, moves: bool| match (there, moves) {
            (false, _) => Sense::Absent,
            (true, false) => Sense::Still,
            (true, true) => Sense::Ok,
        };
        let known = |pid: Option<(u16, u8)>, codecs: &[u8], sense: Sense| match pid {
            // without tables nobody knows what should be there; with them a missing stream is missing
            None if self.table.is_none() && now.bytes > 0 => Sense::Unknown,
            Some((_, codec)) if now.scrambled || !codecs.contains(&codec) => Sense::Unknown,
            _ => sense,
        };
        let leaning = both(|s| s.leaning);
        let changes =
            if leaning > 0 { both(|s| s.changed) * CHANGING >= leaning } else { both(|s| s.keys_changed) > 0 };
        Echo {
            stream,
            kind: Kind::Ts,
            flow: if now.bytes > 0 { Sense::Ok } else { Sense::Absent },
            clock: if now.scrambled { Sense::Unknown } else { stood(now.stamps > 0, now.went_on) },
            picture: known(self.video, &[H264, H265], stood(now.pictures > 0, changes)),
            sound: known(self.audio, &[AAC], stood(now.frames > 0, both(|s| s.heard) > 0)),
            bytes: self.bytes,
            missing: 0,
            gaps: self.gaps as u32,
            destinations,
        }
    }
}
