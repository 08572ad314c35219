//! Judge: what a far end received, frame by frame and sample by sample, against what was sent.
//!
//! The pattern's counter says which pictures arrived; a picture without one is a slate. A slate
//! excuses as many counters as it is long, and at its edges what the programme is allowed: 200 ms
//! until it stands, 100 ms until the source is back. Where the outages are known it excuses nothing
//! else: a counter is a time since the box's start, so each is looked up in them.

use std::f64::consts::TAU;
use std::time::Duration;

use serde::Serialize;

use super::counter::Mark;
use super::slot::{PROOF, UNSTEADY};
use super::sound::SAMPLE_RATE;
use super::ts::{CLOCK, Stamp};

/// A slate must stand within this.
pub const ONSET: Duration = Duration::from_millis(200);
/// A source must be back within this.
pub const RETURN: Duration = Duration::from_millis(100);
/// Sound is judged in windows of this many samples: 1 ms.
const WINDOW: usize = 48;
/// A window whose peak is below this is silent: −54 dBFS.
const SILENT: f32 = 0.002;
/// The tone's phase is taken over blocks of this many samples: 0.1 s.
const BLOCK: usize = 4800;
/// Counters wrap at this.
const WRAP: i64 = 1 << 24;
/// Packets of sound are stamped by way of nanoseconds; a hole is more than this, in ms.
const HOLE: f64 = 1.0;
/// So many faults are listed; all are counted.
const LISTED: usize = 20;

/// One decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Time stamp in ticks of 90 kHz.
    pub pts: u64,
    /// The bars found in it.
    pub marks: Vec<Mark>,
}

/// A time in which the source was known to be away, in time of the source's counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    /// From here …
    pub from: Duration,
    /// … to here.
    pub to: Duration,
}

/// A run of pictures without the source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlateRun {
    /// Seconds after the first picture.
    pub at_s: f64,
    /// Pictures.
    pub pictures: u64,
    /// How long.
    pub ms: f64,
    /// Last counter before it; absent at the start.
    pub before: Option<u32>,
    /// First counter after it; absent at the end.
    pub after: Option<u32>,
    /// From the first picture that was not new to the first of the slate.
    pub onset_ms: f64,
    /// From the source's return to its first picture, where the outage is known.
    pub return_ms: Option<f64>,
}

/// Counters that never arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hole {
    /// The last counter before.
    pub after: u32,
    /// How many are missing.
    pub count: u64,
}

/// A time stamp that does not follow from the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Irregular {
    /// Which picture of the stream, from 0.
    pub index: usize,
    /// The step in ticks of 90 kHz.
    pub step: i64,
}

/// The sound as heard.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct Sound {
    /// Samples decoded.
    pub samples: u64,
    /// Longest silence between first and last sound.
    pub longest_gap_ms: f64,
    /// Longest hole between the time stamps of two packets, beyond what the packet holds.
    pub pts_gap_ms: f64,
    /// The tone's frequency, if one was looked for.
    pub tone_hz: Option<f64>,
    /// How far the tone stands above everything else.
    pub tone_db: Option<f64>,
}

/// The judgement. Field names are stable: other programs read them as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Pictures decoded.
    pub pictures: u64,
    /// Pictures that the stream holds, decoded or not.
    pub stamps: u64,
    /// Decoded pictures that carry the source's counter.
    pub seen: u64,
    /// First counter seen.
    pub first: Option<u32>,
    /// Last counter seen.
    pub last: Option<u32>,
    /// Counters missing while the source lived.
    pub missing: u64,
    /// Where.
    pub holes: Vec<Hole>,
    /// Pictures shown twice while the source lived.
    pub doubled: u64,
    /// Longest distance of two new pictures of any kind.
    pub longest_picture_gap_ms: f64,
    /// One picture in ticks of 90 kHz.
    pub pts_step: u64,
    /// Steps that are not one picture.
    pub pts_irregular: u64,
    /// Where.
    pub irregular: Vec<Irregular>,
    /// Packets of the stream missing by their counters.
    pub ts_discontinuities: u64,
    /// Runs without the source.
    pub slates: Vec<SlateRun>,
    /// The sound.
    pub sound: Sound,
}

/// What a report must show beyond a stream that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demands {
    /// So many pictures with the source's counter; one at least in any case.
    pub at_least: u64,
    /// No silence longer than this, once there was sound.
    pub silence: Option<Duration>,
}

impl Report {
    /// The source was seen, no counter is missing, no step is not one picture, no packet is missing
    /// and the sound's time stamps have no hole.
    #[must_use]
    pub fn good(&self) -> bool {
        self.meets(&Demands::default())
    }

    /// [`Self::good`], and what is demanded beyond.
    #[must_use]
    pub fn meets(&self, demands: &Demands) -> bool {
        let whole = self.missing == 0 && self.pts_irregular == 0 && self.ts_discontinuities == 0;
        let sounding = demands.silence.is_none_or(|longest| {
            self.sound.samples > 0 && self.sound.longest_gap_ms <= longest.as_secs_f64() * 1000.0
        });
        whole && sounding && self.sound.pts_gap_ms < HOLE && self.seen >= demands.at_least.max(1)
    }
}

/// The commonest step of the stamps: one picture.
fn step(stamps: &[Stamp]) -> u64 {
    let mut counts = std::collections::BTreeMap::<u64, u64>::new();
    for w in stamps.windows(2) {
        *counts.entry(w[1].pts.saturating_sub(w[0].pts)).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, n)| *n).map_or(0, |(step, _)| step)
}

fn irregular(stamps: &[Stamp], step: u64) -> Vec<Irregular> {
    // a rate whose period is no whole number of ticks has steps of two neighbouring lengths
    let even = stamps.windows(2).filter(|w| w[1].pts.abs_diff(w[0].pts) == step).count();
    let tolerance = u64::from(even * 10 < stamps.len() * 9);
    let wrong = stamps.windows(2).enumerate().filter_map(|(i, w)| {
        let found = w[1].pts as i64 - w[0].pts as i64;
        (found.abs_diff(step as i64) > tolerance).then_some(Irregular { index: i + 1, step: found })
    });
    wrong.collect()
}

/// How far `b` is after `a`, with the counter's wrap.
fn ahead(a: u32, b: u32) -> i64 {
    let d = (i64::from(b) - i64::from(a)).rem_euclid(WRAP);
    if d > WRAP / 2 { d - WRAP } else { d }
}

/// How many counters after `last` and up to `upto` no outage excuses.
fn unexcused(last: u32, upto: i64, rate: f64, away: &[Away]) -> i64 {
    let back = |a: &Away| {
        // lost twice within ten seconds: it must hold for three before it is shown again
        let again = away.iter().any(|b| b.from < a.from && a.from - b.from < UNSTEADY);
        a.to + RETURN + if again { PROOF } else { Duration::ZERO }
    };
    let excused = |count: i64| {
        let at = count as f64 / rate;
        away.iter().any(|a| (a.from.as_secs_f64() - 0.5 / rate..=back(a).as_secs_f64()).contains(&at))
    };
    (1..=upto).filter(|n| !excused(i64::from(last) + n)).count() as i64
}

/// Judges one source's pictures. `stamps` are all of the stream, `pictures` the decoded ones. If
/// `away` names outages, a slate beside them counts as missing pictures.
#[must_use]
pub fn judge(stamps: &[Stamp], pictures: &[Picture], source: u8, away: &[Away]) -> Report {
    let step = step(stamps);
    let wrong = irregular(stamps, step);
    let ms = |ticks: u64| ticks as f64 * 1000.0 / CLOCK as f64;
    let start = pictures.first().map_or(0, |p| p.pts);
    let rate = if step == 0 { 1.0 } else { CLOCK as f64 / step as f64 };
    let allowed = (RETURN.as_secs_f64() * rate).ceil() as i64;
    let onset = (ONSET.as_secs_f64() * rate).floor() as i64;
    let mut report = Report {
        pictures: pictures.len() as u64,
        stamps: stamps.len() as u64,
        seen: 0,
        first: None,
        last: None,
        missing: 0,
        holes: Vec::new(),
        doubled: 0,
        longest_picture_gap_ms: 0.0,
        pts_step: step,
        pts_irregular: wrong.len() as u64,
        irregular: wrong.into_iter().take(LISTED).collect(),
        ts_discontinuities: 0,
        slates: Vec::new(),
        sound: Sound::default(),
    };
    let mut last: Option<u32> = None;
    let mut held = 0i64;
    let mut run = 0i64;
    let mut run_at = start;
    let mut news = start;
    for picture in pictures {
        let count = picture.marks.iter().find(|m| m.source == source).map(|m| m.count);
        let Some(count) = count else {
            if run == 0 {
                run_at = picture.pts;
            }
            run += 1;
            // a slate is a picture like any other: it is not a gap
            news = picture.pts;
            continue;
        };
        if run > 0 {
            report.slates.push(slate(run, run_at, start, step, last, Some(count), held, rate, away));
        }
        if let Some(before) = last {
            let gone = ahead(before, count) - 1;
            let missing = match (run, away) {
                (0, _) => gone,
                (_, []) => gone - (run + held.min(onset) + allowed),
                _ => unexcused(before, gone.max(run), rate, away),
            };
            if run > 0 && gone < 0 {
                lose(&mut report, before, missing);
            }
            match gone {
                -1 if run == 0 => held += 1,
                ..0 => report.doubled += 1,
                _ => {
                    if run == 0 {
                        report.doubled += held as u64;
                    }
                    lose(&mut report, before, missing);
                    held = 0;
                }
            }
        }
        if last != Some(count) {
            report.longest_picture_gap_ms = report.longest_picture_gap_ms.max(ms(picture.pts.saturating_sub(news)));
            news = picture.pts;
        }
        report.seen += 1;
        report.first.get_or_insert(count);
        last = Some(count);
        run = 0;
    }
    if run > 0 {
        report.slates.push(slate(run, run_at, start, step, last, None, held, rate, away));
        if let (Some(before), false) = (last, away.is_empty()) {
            lose(&mut report, before, unexcused(before, run, rate, away));
        }
    }
    report.last = last;
    report
}

fn lose(report: &mut Report, after: u32, count: i64) {
    let count = u64::try_from(count).unwrap_or(0);
    report.missing += count;
    if count > 0 && report.holes.len() < LISTED {
        report.holes.push(Hole { after, count });
    }
}

#[allow(clippy::too_many_arguments, reason = "a run is described by all that surrounds it")]
fn slate(
    run: i64,
    at: u64,
    start: u64,
    step: u64,
    before: Option<u32>,
    after: Option<u32>,
    held: i64,
    rate: f64,
    away: &[Away],
) -> SlateRun {
    let ms = 1000.0 / rate;
    let return_ms = after.and_then(|count| {
        let seen = f64::from(count) / rate;
        // the latest outage that ended before this picture was taken, if it was this one
        let ended = away
            .iter()
            .map(|a| a.to.as_secs_f64())
            .filter(|to| *to <= seen + 0.001)
            .fold(None, |m, to| Some(m.map_or(to, |m: f64| m.max(to))))?;
        let first = before.map_or(0.0, |b| f64::from(b) / rate);
        (ended >= first).then_some((seen - ended) * 1000.0)
    });
    SlateRun {
        at_s: at.saturating_sub(start) as f64 / CLOCK as f64,
        pictures: run as u64,
        ms: run as f64 * step as f64 * 1000.0 / CLOCK as f64,
        before,
        after,
        onset_ms: held as f64 * ms,
        return_ms,
    }
}

/// Listens to decoded sound as it comes.
#[derive(Debug, Default)]
pub struct Listener {
    tone: Option<f64>,
    window: Vec<f32>,
    heard: bool,
    silent: u64,
    longest: u64,
    samples: u64,
    block: Vec<f32>,
    phase: Option<f64>,
    turns: Vec<f64>,
    tone_energy: f64,
    energy: f64,
}

impl Listener {
    /// Listens for silence, and for a tone near `tone` Hz if one is given.
    #[must_use]
    pub fn new(tone: Option<f64>) -> Self {
        Self { tone, ..Self::default() }
    }

    /// Takes the next samples of one ear.
    pub fn push(&mut self, sample: f32) {
        self.samples += 1;
        self.window.push(sample);
        if self.window.len() == WINDOW {
            let peak = self.window.drain(..).fold(0.0f32, |p, s| p.max(s.abs()));
            if peak < SILENT {
                self.silent += u64::from(self.heard);
            } else {
                self.longest = self.longest.max(self.silent);
                (self.heard, self.silent) = (true, 0);
            }
        }
        if let Some(hz) = self.tone {
            self.block.push(sample);
            if self.block.len() == BLOCK {
                self.weigh(hz);
            }
        }
    }

    // the block's share of the tone, and how far its phase has turned since the last
    fn weigh(&mut self, hz: f64) {
        let w = TAU * hz / f64::from(SAMPLE_RATE);
        let from = self.samples - BLOCK as u64;
        let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
        for (i, s) in self.block.drain(..).enumerate() {
            let (s, at) = (f64::from(s), (w * (from + i as u64) as f64) % TAU);
            re += s * at.cos();
            im -= s * at.sin();
            energy += s * s;
        }
        if energy / (BLOCK as f64) < f64::from(SILENT) * f64::from(SILENT) {
            self.phase = None;
            return;
        }
        let amplitude = 2.0 * re.hypot(im) / BLOCK as f64;
        self.tone_energy += amplitude * amplitude / 2.0 * BLOCK as f64;
        self.energy += energy;
        let phase = im.atan2(re);
        if let Some(last) = self.phase.replace(phase) {
            let turn = (phase - last + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0;
            self.turns.push(turn);
        }
    }

    /// What was heard; `packets` are the stamps of the sound.
    #[must_use]
    pub fn finish(mut self, packets: &[Stamp]) -> Sound {
        let usual = step(packets);
        let gap = packets.windows(2).map(|w| w[1].pts.saturating_sub(w[0].pts)).max().unwrap_or(0);
        self.turns.sort_by(f64::total_cmp);
        // the middle one, so that a cut in the sound does not count as another pitch
        let turn = self.turns.get(self.turns.len() / 2).copied();
        let per_block = BLOCK as f64 / f64::from(SAMPLE_RATE);
        Sound {
            samples: self.samples,
            longest_gap_ms: self.longest as f64 * WINDOW as f64 * 1000.0 / f64::from(SAMPLE_RATE),
            pts_gap_ms: gap.saturating_sub(usual) as f64 * 1000.0 / CLOCK as f64,
            tone_hz: self.tone.zip(turn).map(|(hz, turn)| hz + turn / TAU / per_block),
            tone_db: (self.energy > 0.0).then(|| {
                let rest = (self.energy - self.tone_energy).max(self.energy * 1e-9);
                10.0 * (self.tone_energy / rest).log10()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(n: u64) -> Vec<Stamp> {
        (0..n).map(|i| Stamp { pts: 126_000 + i * 3600, key: i == 0 }).collect()
    }

    fn pictures(counts: &[Option<u32>]) -> Vec<Picture> {
        let marks = |c: &Option<u32>| c.map(|count| Mark { source: 0, count }).into_iter().collect();
        counts.iter().enumerate().map(|(i, c)| Picture { pts: 126_000 + i as u64 * 3600, marks: marks(c) }).collect()
    }

    fn judged(counts: &[Option<u32>], away: &[Away]) -> Report {
        judge(&stamps(counts.len() as u64), &pictures(counts), 0, away)
    }

    #[test]
    fn a_whole_stream_is_good() {
        let counts: Vec<_> = (100..400).map(Some).collect();
        let report = judged(&counts, &[]);
        assert!(report.good());
        assert_eq!((report.doubled, report.slates.len(), report.pts_step), (0, 0, 3600));
        assert!((report.longest_picture_gap_ms - 40.0).abs() < 1e-9);
    }

    #[test]
    fn one_missing_counter_is_found() {
        let counts: Vec<_> = (100..400).filter(|c| *c != 250).map(Some).collect();
        let report = judged(&counts, &[]);
        assert_eq!(report.missing, 1);
        assert_eq!(report.holes, [Hole { after: 249, count: 1 }]);
        assert!(!report.good());
    }

    #[test]
    fn a_doubled_counter_is_found_and_is_no_loss() {
        let counts: Vec<_> = (100..400).map(|c| Some(if c == 250 { 249 } else { c })).collect();
        let report = judged(&counts, &[]);
        assert_eq!((report.doubled, report.missing), (1, 1));
    }

    #[test]
    fn a_slate_excuses_its_length_and_the_edges_allowed_and_no_more() {
        let gap = |back: u32| -> Vec<Option<u32>> {
            let alive = (0..100).map(Some).chain([Some(99); 4]);
            alive.chain([None; 71]).chain((back..back + 100).map(Some)).collect()
        };
        let away = [Away { from: Duration::from_secs(4), to: Duration::from_secs(7) }];
        let report = judged(&gap(175), &away);
        assert_eq!((report.missing, report.doubled), (0, 0));
        assert_eq!(report.slates[0].onset_ms, 160.0);
        assert_eq!(report.slates[0].return_ms, Some(0.0));
        assert_eq!(judged(&gap(178), &away).missing, 0);
        assert_eq!(judged(&gap(179), &away).missing, 1);
    }

    #[test]
    fn a_step_that_is_not_one_picture_is_found() {
        let counts: Vec<_> = (0..100).map(Some).collect();
        let mut stamps = stamps(100);
        for stamp in &mut stamps[50..] {
            stamp.pts += 1;
        }
        let report = judge(&stamps, &pictures(&counts), 0, &[]);
        assert_eq!(report.irregular, [Irregular { index: 50, step: 3601 }]);
        assert!(!report.good());
    }

    #[test]
    fn the_counters_wrap_is_no_loss() {
        let counts: Vec<_> = (16_777_200u32..16_777_300).map(|c| Some(c % (1 << 24))).collect();
        assert!(judged(&counts, &[]).good());
    }

    #[test]
    fn the_names_in_its_json_are_those_that_other_programs_read() {
        let json = serde_json::to_value(judged(&[Some(1), None, Some(3)], &[])).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let wanted = "doubled first holes irregular last longest_picture_gap_ms missing pictures pts_irregular \
                      pts_step seen slates sound stamps ts_discontinuities";
        assert_eq!(names.join(" "), wanted);
        let of = |key: &str, at: &serde_json::Value| -> Vec<String> {
            let inner = if at[key].is_array() { &at[key][0] } else { &at[key] };
            inner.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(of("slates", &json), ["after", "at_s", "before", "ms", "onset_ms", "pictures", "return_ms"]);
        assert_eq!(of("sound", &json), ["longest_gap_ms", "pts_gap_ms", "samples", "tone_db", "tone_hz"]);
    }

    fn seconds(from: u64, to: u64) -> Away {
        Away { from: Duration::from_secs(from), to: Duration::from_secs(to) }
    }

    fn show(parts: &[(std::ops::Range<u32>, bool)]) -> Vec<Option<u32>> {
        parts.iter().flat_map(|(range, seen)| range.clone().map(|c| seen.then_some(c))).collect()
    }

    #[test]
    fn a_programme_of_nothing_but_slate_is_not_good() {
        assert!(!judged(&[None; 1500], &[]).good());
        assert!(!judged(&[None; 1500], &[seconds(46, 50)]).good());
    }

    #[test]
    fn a_programme_that_breaks_off_does_not_meet_a_demand_of_pictures() {
        let report = judged(&show(&[(25..150, true)]), &[seconds(46, 50)]);
        assert!(report.meets(&Demands { at_least: 125, silence: None }));
        assert!(!report.meets(&Demands { at_least: 1250, silence: None }));
    }

    #[test]
    fn a_slate_while_the_camera_lived_counts_as_missing_pictures() {
        let away = [seconds(46, 50)];
        let whole = show(&[(25..1150, true), (1150..1250, false), (1250..1400, true)]);
        assert!(judged(&whole, &away).good());
        let beside = show(&[(25..500, true), (500..510, false), (510..1400, true)]);
        assert_eq!(judged(&beside, &away).missing, 10);
        assert!(judged(&beside, &[]).good(), "no outage is named: any slate is excused");
        // the source's pictures only waited meanwhile, and still the viewer saw a slate
        let put_off = show(&[(25..500, true), (0..10, false), (500..1400, true)]);
        assert_eq!(judged(&put_off, &away).missing, 10);
        let early = show(&[(25..1140, true), (1140..1250, false), (1250..1400, true)]);
        assert_eq!(judged(&early, &away).missing, 10);
        let to_the_end = show(&[(25..1150, true), (1150..1300, false)]);
        assert_eq!(judged(&to_the_end, &away).missing, 1299 - 1252);
    }

    #[test]
    fn a_camera_lost_twice_in_ten_seconds_may_prove_itself_for_three() {
        let shown = show(&[(0..100, true), (100..125, false), (125..200, true), (200..300, false), (300..400, true)]);
        assert!(judged(&shown, &[seconds(4, 5), seconds(8, 9)]).good());
        assert_eq!(judged(&shown, &[seconds(8, 9)]).missing, 25 + 72);
    }

    #[test]
    fn lost_packets_and_holes_in_the_sound_are_faults() {
        let whole = judged(&show(&[(0..100, true)]), &[]);
        assert!(!Report { ts_discontinuities: 1, ..whole.clone() }.good());
        let sound = Sound { pts_gap_ms: 21.3, ..Sound::default() };
        assert!(!Report { sound, ..whole.clone() }.good());
        let quiet = Demands { at_least: 0, silence: Some(Duration::ZERO) };
        assert!(!whole.meets(&quiet), "no sound at all");
        let heard =
            |gap| Report { sound: Sound { samples: 48_000, longest_gap_ms: gap, ..Sound::default() }, ..whole.clone() };
        assert!(heard(0.0).meets(&quiet) && !heard(1.0).meets(&quiet));
    }

    #[test]
    fn an_empty_stream_is_not_good() {
        assert!(!judged(&[], &[]).good());
    }

    #[test]
    fn a_tone_is_measured_to_a_tenth_of_a_hertz_and_a_hole_to_a_millisecond() {
        let mut listener = Listener::new(Some(1000.0));
        for i in 0..480_000u32 {
            let quiet = (240_000..245_000).contains(&i);
            let s = 0.3 * (TAU * 1000.4 * f64::from(i) / 48_000.0).sin();
            listener.push(if quiet { 0.0 } else { s as f32 });
        }
        let sound = listener.finish(&stamps(10));
        assert!((sound.tone_hz.unwrap() - 1000.4).abs() < 0.1, "{sound:?}");
        assert!(sound.tone_db.unwrap() > 20.0, "{sound:?}");
        assert!((sound.longest_gap_ms - 104.0).abs() <= 1.0, "{sound:?}");
    }
}
