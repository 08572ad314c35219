//! Shows without end from the corpus: voices, pauses, music, room, at every level; and faults put into them.

use std::fs;
use std::path::{Path, PathBuf};

use livebox::media::line::Fault;
use livebox::media::sound::Stereo;
use livebox::rng::Rng;

/// Samples of a block: 10 ms.
pub(super) const BLOCK: usize = 480;

/// Which half of the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Voices and music by which the thresholds were set.
    Tuning,
    /// Voices and music that were not heard while they were set.
    Judging,
    /// All there is.
    Whole,
}

/// Voices that tuning may hear, and pieces of music.
const TUNED_ON: (usize, usize) = (6, 14);

/// The corpus that `scripts/audio-corpus.sh` makes.
pub(super) struct Corpus {
    speech: Vec<Vec<[i16; 2]>>,
    music: Vec<Vec<[i16; 2]>>,
    room: Vec<Vec<[i16; 2]>>,
}

impl Corpus {
    /// Where it lies; absent if it was not made.
    pub(super) fn folder(name: &str) -> Option<PathBuf> {
        let folder =
            std::env::var_os("LIVEBOX_CORPUS").map_or_else(|| PathBuf::from("target").join(name), PathBuf::from);
        folder.join("made-of").exists().then_some(folder)
    }

    pub(super) fn load(folder: &Path, part: Part) -> Self {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        let of = |kind: &str, first: usize| {
            let named = |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(kind);
            let wanted = |(n, _): &(usize, &PathBuf)| match part {
                Part::Whole => true,
                Part::Tuning => *n < first,
                Part::Judging => *n >= first || first == 0,
            };
            names.iter().filter(named).enumerate().filter(wanted).map(|(_, path)| wave(path)).collect::<Vec<_>>()
        };
        let (voices, pieces) = TUNED_ON;
        let music = [of("music", pieces), of("film", if part == Part::Tuning { 1 } else { 0 })].concat();
        let room = of("room", if part == Part::Tuning { 9 } else { 0 });
        Self { speech: of("speech", voices), music, room }
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
    /// Speech only, the same on both channels: what some trials need.
    pub(super) only_speech: bool,
}

impl<'c> Show<'c> {
    pub(super) fn new(corpus: &'c Corpus, seed: u64) -> Self {
        let mut rng = Rng::simulated(seed);
        let stretch = draw(corpus, &mut rng, Kind::Pause);
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
            self.stretch = draw(self.corpus, &mut self.rng, kind);
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

fn draw(corpus: &Corpus, rng: &mut Rng, kind: Kind) -> Stretch {
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
    let left = (seconds * 100.0) as usize;
    let level = -40.0 + 34.0 * rng.unit();
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
    pub(super) gain: f32,
    pub(super) noise: f32,
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
            // the whole comb's RMS, whatever the programme
            Fault::Hum => of(-50.0 + 28.0 * rng.unit()),
            // between a microphone with its preamplifier open a little and one without any
            Fault::MicLevel => of(-35.0 - 20.0 * rng.unit()),
            // where the amplifier ends, whatever the programme
            Fault::Howl => of(-14.0 + 13.0 * rng.unit()),
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

    /// True if it can be heard in these 10 ms of the programme, on a line of this gain and noise (RMS): a top
    /// cut over three samples, a hum that the programme's own bass does not cover, a microphone above
    /// the noise, a howl as strong as the programme. What the programme itself shows is asked elsewhere.
    pub(super) fn audible(&mut self, programme: &[Stereo], (gain, noise): (f32, f32)) -> bool {
        let power = programme.iter().flatten().map(|x| x * x).sum::<f32>() / (2 * programme.len()) as f32;
        let rms = power.sqrt() * gain;
        match self.fault {
            Fault::Clipping => [0, 1].iter().any(|ear| {
                let cut = |s: &Stereo| (s[*ear] * gain * self.amount).abs() > 1.0;
                programme.windows(3).any(|w| w.iter().all(cut) && w[0][*ear] * w[2][*ear] > 0.0)
            }),
            Fault::Hum => {
                let mut bass = 0.0;
                for sample in programme {
                    // two poles at 200 Hz
                    self.low[0] += (sample[0] - self.low[0]) * 0.026;
                    self.low[1] += (self.low[0] - self.low[1]) * 0.026;
                    bass += self.low[1] * self.low[1];
                }
                (bass / programme.len() as f32).sqrt() * gain < self.amount
            }
            Fault::MicLevel => rms * self.amount > noise,
            Fault::Howl => self.grown() * self.amount * std::f32::consts::FRAC_1_SQRT_2 > rms,
            _ => true,
        }
    }

    /// How strong it is, for whoever looks at a miss: amount, Hz, dB a second.
    pub(super) fn strength(&self) -> (f32, f32, f32) {
        (20.0 * self.amount.abs().log10(), self.hertz, self.rate)
    }

    /// How far the howl has grown, 0 to 1.
    fn grown(&self) -> f32 {
        10_f32.powf((-60.0 + self.rate * self.at as f32 / 48_000.0).min(0.0) / 20.0)
    }

    fn before_noise(&mut self, out: &mut [Stereo]) {
        match self.fault {
            Fault::Silent | Fault::Unplugged => out.fill([0.0; 2]),
            Fault::DeadChannel => out.iter_mut().for_each(|s| s[self.ear] = 0.0),
            Fault::MicLevel => out.iter_mut().for_each(|s| *s = s.map(|x| x * self.amount)),
            Fault::Polarity => out.iter_mut().for_each(|s| s[self.ear] = -s[self.ear]),
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
                    let grown = self.grown();
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
