//! Shows without end from the corpus: voices, pauses, music, room, at every level; and faults put into them.

use std::fs;
use std::path::{Path, PathBuf};

use livebox::media::line::Fault;
use livebox::media::sound::Stereo;
use livebox::rng::Rng;

/// Samples of a block: 10 ms.
pub(super) const BLOCK: usize = 480;

/// The corpus that `scripts/audio-corpus.sh` makes.
pub(super) struct Corpus {
    speech: Vec<Vec<[i16; 2]>>,
    music: Vec<Vec<[i16; 2]>>,
    room: Vec<Vec<[i16; 2]>>,
}

impl Corpus {
    /// Where it lies; absent if it was not made.
    pub(super) fn folder() -> Option<PathBuf> {
        let folder =
            std::env::var_os("LIVEBOX_CORPUS").map_or_else(|| PathBuf::from("target/audio-corpus"), PathBuf::from);
        folder.join("made-of").exists().then_some(folder)
    }

    pub(super) fn load(folder: &Path) -> Self {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        let of = |kinds: &[&str]| {
            let wanted =
                |path: &&PathBuf| kinds.iter().any(|k| path.file_name().unwrap().to_string_lossy().starts_with(k));
            names.iter().filter(wanted).map(|path| wave(path)).collect::<Vec<_>>()
        };
        Self { speech: of(&["speech"]), music: of(&["music", "film"]), room: of(&["room"]) }
    }
}

fn wave(path: &Path) -> Vec<[i16; 2]> {
    let bytes = fs::read(path).unwrap();
    let at = bytes.windows(4).position(|w| w == b"data").expect("a WAV file has data") + 8;
    let sample = |b: &[u8]| i16::from_le_bytes([b[0], b[1]]);
    bytes[at..].chunks_exact(4).map(|b| [sample(&b[..2]), sample(&b[2..])]).collect()
}

/// What a stretch of the show is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Speech,
    Pause,
    Music,
}

/// One stretch of the show.
struct Stretch {
    kind: Kind,
    track: usize,
    from: usize,
    left: usize,
    factor: f32,
    level: f64,
    room: Option<(usize, usize, f32)>,
}

/// A show that goes on for ever, the same for the same seed.
pub(super) struct Show<'c> {
    corpus: &'c Corpus,
    rng: Rng,
    stretch: Stretch,
    /// Speech only, at line level: what some trials need.
    pub(super) only_speech: bool,
}

impl<'c> Show<'c> {
    pub(super) fn new(corpus: &'c Corpus, seed: u64) -> Self {
        let mut rng = Rng::simulated(seed);
        let stretch = draw(corpus, &mut rng, Kind::Pause, false);
        Self { corpus, rng, stretch, only_speech: false }
    }

    /// What is playing, and the peak it was brought to, dBFS.
    pub(super) fn playing(&self) -> (Kind, f64) {
        (self.stretch.kind, self.stretch.level)
    }

    /// The next 10 ms of the programme, without the lines' own noise.
    pub(super) fn next(&mut self) -> [Stereo; BLOCK] {
        if self.stretch.left == 0 {
            let kind = match (self.stretch.kind, self.rng.unit()) {
                (Kind::Speech | Kind::Music, p) if p < 0.6 => Kind::Pause,
                (_, p) if p < 0.75 || self.only_speech => Kind::Speech,
                _ => Kind::Music,
            };
            self.stretch = draw(self.corpus, &mut self.rng, kind, self.only_speech);
        }
        let s = &mut self.stretch;
        let mut out = [[0.0; 2]; BLOCK];
        let track = match s.kind {
            Kind::Speech => Some(&self.corpus.speech[s.track]),
            Kind::Music => Some(&self.corpus.music[s.track]),
            Kind::Pause => None,
        };
        if let Some(track) = track {
            for (i, slot) in out.iter_mut().enumerate() {
                *slot = track[(s.from + i) % track.len()].map(|x| f32::from(x) / 32768.0 * s.factor);
            }
        }
        if let Some((room, from, factor)) = s.room {
            let track = &self.corpus.room[room];
            for (i, slot) in out.iter_mut().enumerate() {
                let far = track[(from + s.from + i) % track.len()];
                *slot = [0, 1].map(|ear| slot[ear] + f32::from(far[ear]) / 32768.0 * factor);
            }
        }
        s.from += BLOCK;
        s.left -= 1;
        out
    }
}

fn draw(corpus: &Corpus, rng: &mut Rng, kind: Kind, loud: bool) -> Stretch {
    let tracks = match kind {
        Kind::Speech => &corpus.speech,
        Kind::Music => &corpus.music,
        Kind::Pause => &corpus.room,
    };
    let track = (rng.next_u64() % tracks.len() as u64) as usize;
    let from = (rng.next_u64() % tracks[track].len() as u64) as usize;
    let seconds = match kind {
        // from a breath to a walk to the lectern
        Kind::Pause => 0.3 * (20.0_f64 / 0.3).powf(rng.unit()),
        Kind::Speech => 4.0 + 40.0 * rng.unit(),
        Kind::Music => 10.0 + 30.0 * rng.unit(),
    };
    let seconds = if loud && kind == Kind::Pause { seconds.min(2.0) } else { seconds };
    let left = (seconds * 100.0) as usize;
    let level = if loud { -26.0 + 20.0 * rng.unit() } else { -40.0 + 34.0 * rng.unit() };
    let over = |track: &[[i16; 2]], from: usize, n: usize| {
        let peak = (0..n).flat_map(|i| track[(from + i) % track.len()]).map(i16::unsigned_abs).max().unwrap_or(0);
        f32::from(peak.max(1)) / 32768.0
    };
    let factor = 10_f32.powf(level as f32 / 20.0) / over(&tracks[track], from, left * BLOCK);
    // the room is heard by the microphones, in pauses too
    let room = rng.chance(0.4).then(|| {
        let room = (rng.next_u64() % corpus.room.len() as u64) as usize;
        let at = (rng.next_u64() % corpus.room[room].len() as u64) as usize;
        let peak = level.min(-12.0) - 10.0 - 25.0 * rng.unit();
        (room, at, 10_f32.powf(peak as f32 / 20.0))
    });
    Stretch { kind, track, from, left, factor, level, room }
}

/// One mixer line: the programme through its own delay and with its own noise, and a fault if one is put in.
pub(super) struct Lead {
    rng: Rng,
    delay: Vec<Stereo>,
    gain: f32,
    noise: f32,
    pub(super) fault: Option<Inject>,
}

impl Lead {
    pub(super) fn new(seed: u64, delay: usize, gain_db: f32, noise_db: f32) -> Self {
        let of = |db: f32| 10_f32.powf(db / 20.0);
        Self {
            rng: Rng::simulated(seed),
            delay: vec![[0.0; 2]; delay],
            gain: of(gain_db),
            noise: of(noise_db),
            fault: None,
        }
    }

    /// What the box captures of it, in steps of 16 bits.
    pub(super) fn next(&mut self, programme: &[Stereo]) -> Vec<Stereo> {
        let mut out: Vec<Stereo> = self.delay.iter().chain(programme).take(BLOCK).copied().collect();
        let kept = self.delay.len();
        self.delay = self.delay.iter().chain(programme).skip(BLOCK).copied().collect();
        debug_assert_eq!(self.delay.len(), kept);
        for sample in &mut out {
            *sample = sample.map(|x| x * self.gain);
        }
        if let Some(fault) = &mut self.fault {
            fault.before_noise(&mut out);
        }
        // two hundred million numbers an hour: a cheap generator, seeded by the good one
        let mut state = self.rng.next_u64() | 1;
        for sample in &mut out {
            for x in sample {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *x += ((state >> 40) as f32 / 8_388_608.0 - 1.0) * self.noise * 1.732;
            }
        }
        if let Some(fault) = &mut self.fault {
            fault.after_noise(&mut out, &mut state);
        }
        for sample in &mut out {
            *sample = sample.map(|x| (x.clamp(-1.0, 32767.0 / 32768.0) * 32768.0).round() / 32768.0);
        }
        out
    }
}

/// A fault put into a line.
pub(super) struct Inject {
    pub(super) fault: Fault,
    /// Samples since it began.
    pub(super) at: u64,
    ear: usize,
    amount: f32,
    hertz: f32,
    rate: f32,
    wait: u32,
    hold: u32,
    held: Stereo,
    low: [f32; 2],
}

impl Inject {
    /// One of its kind, as strong as `rng` says, into a programme that peaks at `level` dBFS.
    pub(super) fn draw(fault: Fault, rng: &mut Rng, level: f64) -> Self {
        let of = |db: f64| 10_f64.powf(db / 20.0) as f32;
        let amount = match fault {
            Fault::Clipping => of(-level + 6.0 + 12.0 * rng.unit()),
            Fault::DcOffset => (0.02 + 0.18 * rng.unit() as f32) * if rng.chance(0.5) { 1.0 } else { -1.0 },
            // the whole comb's RMS
            Fault::Hum => of((level - 24.0 + 14.0 * rng.unit()).clamp(-46.0, -22.0)),
            // what is left stays above the line's own noise, or there is only silence to be found
            Fault::MicLevel => of(-(35.0 + 10.0 * rng.unit()).min(level + 60.0)),
            // it grows until nothing else is heard
            Fault::Howl => of((level + 4.0 + 4.0 * rng.unit()).clamp(-14.0, -1.0)),
            _ => 1.0,
        };
        Self {
            fault,
            at: 0,
            ear: usize::from(rng.chance(0.5)),
            amount,
            hertz: 250.0 * (20.0_f64).powf(rng.unit()) as f32,
            rate: 40.0 + 80.0 * rng.unit() as f32,
            wait: 0,
            hold: 0,
            held: [0.0; 2],
            low: [0.0; 2],
        }
    }

    /// True if it can be heard in these 10 ms: a cut top where there are tops to cut, a hum that the
    /// programme's own bass does not cover.
    pub(super) fn audible(&mut self, programme: &[Stereo]) -> bool {
        if self.fault == Fault::Clipping {
            return programme.iter().flatten().any(|x| x.abs() * self.amount > 1.0);
        }
        let mut power = 0.0;
        for sample in programme {
            // two poles at 200 Hz
            self.low[0] += (sample[0] - self.low[0]) * 0.026;
            self.low[1] += (self.low[0] - self.low[1]) * 0.026;
            power += self.low[1] * self.low[1];
        }
        self.fault != Fault::Hum || (power / programme.len() as f32).sqrt() < self.amount / 2.0
    }

    fn before_noise(&mut self, out: &mut [Stereo]) {
        match self.fault {
            Fault::Silent | Fault::Unplugged => out.fill([0.0; 2]),
            Fault::DeadChannel => out.iter_mut().for_each(|s| s[self.ear] = 0.0),
            Fault::MicLevel => out.iter_mut().for_each(|s| *s = s.map(|x| x * self.amount)),
            Fault::Polarity => out.iter_mut().for_each(|s| {
                let mono = (s[0] + s[1]) / 2.0;
                *s = if self.ear == 0 { [-mono, mono] } else { [mono, -mono] };
            }),
            Fault::Clipping => out.iter_mut().for_each(|s| *s = s.map(|x| (x * self.amount).clamp(-1.0, 1.0))),
            _ => {}
        }
    }

    fn after_noise(&mut self, out: &mut [Stereo], state: &mut u64) {
        use std::f32::consts::TAU;
        let mut random = || {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 40) as f32 / 16_777_216.0
        };
        for sample in out {
            let t = self.at as f32 / 48_000.0;
            match self.fault {
                // what the converter hears of an open input: its own noise
                Fault::Unplugged => *sample = sample.map(|_| (random() - 0.5) * 8e-5),
                Fault::DcOffset => *sample = sample.map(|x| x + self.amount),
                Fault::Hum => {
                    let at = |n: f64| (std::f64::consts::TAU * 50.02 * n * self.at as f64 / 48_000.0).sin() as f32;
                    let comb = at(1.0) + 0.5 * at(2.0) + 0.6 * at(3.0) + 0.2 * at(4.0) + 0.3 * at(5.0);
                    *sample = sample.map(|x| x + comb * self.amount * 1.07);
                }
                Fault::Howl => {
                    let grown = 10_f32.powf((-60.0 + self.rate * t).min(0.0) / 20.0);
                    let tone = (TAU * self.hertz * (self.at % 48_000_000) as f32 / 48_000.0).sin();
                    let tone = if self.at > 20 * 48_000 { 0.0 } else { tone };
                    *sample = sample.map(|x| x + tone * grown * self.amount);
                }
                Fault::Glitches => {
                    if self.wait == 0 {
                        self.wait = 4800 + (random() * 7200.0) as u32;
                        self.hold = 60 + (random() * 1200.0) as u32;
                        self.held = if random() < 0.5 { [0.0; 2] } else { *sample };
                    }
                    self.wait -= 1;
                    if self.hold > 0 {
                        self.hold -= 1;
                        *sample = self.held;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}
