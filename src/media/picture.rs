//! Picture: what is wrong with the pictures of a source, and with those that the encoder makes, from small samples.
//!
//! ```text
//!  a source's frame ──► Sample ──► Eye ──► black, frozen, one colour     (five times a second)
//!  the programme's ───► Sample ──► Proof ─┐
//!  a key picture, decoded ──► Sample ─────┴► black, frozen, damaged, wrong size, none at all
//! ```
//! A sample is the mean brightness of 576 small squares. Of a source it is asked what it shows; of the
//! encoder only whether what comes out is what went in, since what went in was judged already.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counter::Luma;
use super::stream::{PictureSize, SourceId};
use super::timings::Timings;
use crate::lang::{Text, said};
use crate::time::Instant;

/// Squares across and down.
const GRID: (usize, usize) = (32, 18);
/// Squares of a sample.
const SQUARES: usize = GRID.0 * GRID.1;
/// Points across and down a square.
const SQUARE: usize = 4;
/// Black in video range is 16; a lens cap's noise and a decoder's error stay below this.
const DARK: u8 = 26;
/// Of one colour: no square is further from any other.
const FLAT: u8 = 3;
/// Brighter than this, one colour is an empty slide and no lost signal.
const PAPER: u8 = 200;
/// A camera turned away or a cut through black is shorter.
const BLACK_AFTER: Duration = Duration::from_secs(3);
/// A sensor's noise changes some square in every picture; so many seconds without it are a standing frame.
const FROZEN_AFTER: Duration = Duration::from_secs(5);
/// A presenter's pause on one colour is shorter than this on most evenings.
const FLAT_AFTER: Duration = Duration::from_secs(5);
/// What was found is let go after so long without it.
const CLEAR_AFTER: Duration = Duration::from_secs(1);
/// The encoder's loss on the mean of all squares, in steps of 8 bits; a key picture at 300 kbit/s stays below 4.
const LOSS: u32 = 12;
/// Two pictures further apart than this are not the same one.
const MOVED: u32 = 4;
/// Samples of the programme kept for what the encoder makes of them: five seconds at 25 pictures a second.
const KEPT: usize = 128;
/// A shape of picture off by more than this share has black bars.
const BARS: f64 = 0.02;

/// The brightness of small squares, evenly over a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample([u8; SQUARES]);

impl Sample {
    /// Of a picture of this size; `None` if it is smaller than its squares or not all there.
    #[must_use]
    pub fn of(luma: Luma<'_>, size: PictureSize) -> Option<Self> {
        let (width, height) = (size.width as usize, size.height as usize);
        let (step_x, step_y) = (width / GRID.0, height / GRID.1);
        if step_x < SQUARE || step_y < SQUARE {
            return None;
        }
        let mut squares = [0; SQUARES];
        for (n, square) in squares.iter_mut().enumerate() {
            let (column, row) = (n % GRID.0, n / GRID.0);
            let (x, y) = (column * step_x + (step_x - SQUARE) / 2, row * step_y + (step_y - SQUARE) / 2);
            let mut sum = 0u32;
            for line in y..y + SQUARE {
                let from = line * luma.stride + x;
                sum += luma.data.get(from..from + SQUARE)?.iter().map(|value| u32::from(*value)).sum::<u32>();
            }
            *square = (sum / (SQUARE * SQUARE) as u32) as u8;
        }
        Some(Self(squares))
    }

    /// Darkest and brightest square.
    fn range(&self) -> (u8, u8) {
        self.0.iter().fold((u8::MAX, 0), |(least, most), value| (least.min(*value), most.max(*value)))
    }

    fn is_black(&self) -> bool {
        self.range().1 <= DARK
    }

    fn is_flat(&self) -> bool {
        let (least, most) = self.range();
        most - least <= FLAT && most < PAPER && !self.is_black()
    }

    /// Mean distance of the squares.
    fn off(&self, other: &Self) -> u32 {
        let sum: u32 = self.0.iter().zip(&other.0).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        sum / SQUARES as u32
    }
}

/// What can be wrong with pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureFault {
    /// Black, or next to it.
    Black,
    /// The same picture again and again.
    Frozen,
    /// One colour: what many a capture device gives without a signal. Of the encoder: no picture.
    NoSignal,
    /// Not of the shape or rate that the programme is made of.
    Format,
    /// The encoder's picture is not the one that it was given.
    Damaged,
}

impl PictureFault {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Black, Self::Frozen, Self::NoSignal, Self::Format, Self::Damaged];
}

/// Whose pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureOf {
    /// What a source gives.
    Source(SourceId),
    /// What the encoder makes of the programme.
    Programme,
}

impl PictureOf {
    /// The name in alarms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source(source) => source.name(),
            Self::Programme => "encoded",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFinding {
    /// What.
    pub fault: PictureFault,
    /// Since the first picture that showed it.
    pub since: Instant,
    /// What it is, in figures; may be empty.
    pub detail: Text,
}

/// One condition that must hold for a while, and be gone for a while.
#[derive(Debug, Default)]
struct Condition {
    from: Option<Instant>,
    last: Instant,
    found: bool,
}

impl Condition {
    fn look(&mut self, now: Instant, holds: bool, after: Duration) {
        if holds {
            self.last = now;
            let from = *self.from.get_or_insert(now);
            self.found |= now.since(from) >= after;
        } else if !self.found || now.since(self.last) >= CLEAR_AFTER {
            *self = Self::default();
        }
    }

    fn finding(&self, fault: PictureFault) -> Option<PictureFinding> {
        let since = self.from.filter(|_| self.found)?;
        Some(PictureFinding { fault, since, detail: Text::default() })
    }
}

/// Looks at what one source gives.
#[derive(Debug)]
pub struct Eye {
    /// A picture that stands still is this source's usual one.
    still: bool,
    black: Condition,
    frozen: Condition,
    flat: Condition,
    format: Option<PictureFinding>,
    last: Option<Sample>,
    /// When the picture that stands still was first seen.
    stands: Instant,
    told: Vec<PictureFinding>,
}

impl Eye {
    /// Of this source: slides stand still, cameras never do.
    #[must_use]
    pub fn new(source: SourceId) -> Self {
        Self {
            still: source == SourceId::Slides,
            black: Condition::default(),
            frozen: Condition::default(),
            flat: Condition::default(),
            format: None,
            last: None,
            stands: Instant::ZERO,
            told: Vec::new(),
        }
    }

    /// A fresh picture; one that was looked at before says nothing.
    pub fn handle_picture(&mut self, now: Instant, sample: Sample) {
        self.black.look(now, sample.is_black(), BLACK_AFTER);
        self.flat.look(now, sample.is_flat(), FLAT_AFTER);
        let same = !self.still && self.last.as_ref() == Some(&sample);
        if same && self.frozen.from.is_none() {
            // the first of the pictures that are alike was the one before
            self.frozen.from = Some(self.stands);
        }
        // a black picture is black, and not also frozen or of one colour
        self.frozen.look(now, same && !sample.is_black() && !sample.is_flat(), FROZEN_AFTER);
        self.stands = now;
        self.last = Some(sample);
    }

    /// What the source gives, as its driver tells; `None` if it does not.
    pub fn handle_format(&mut self, now: Instant, given: Option<Timings>, wanted: PictureSize, rate: f64) {
        let wrong = given.and_then(|given| misfit(given, wanted, rate));
        let since = self.format.as_ref().map_or(now, |finding| finding.since);
        self.format = wrong.map(|detail| PictureFinding { fault: PictureFault::Format, since, detail });
    }

    /// The source is gone: that is told otherwise, and what was found holds no longer.
    pub fn handle_gone(&mut self) {
        self.black = Condition::default();
        self.frozen = Condition::default();
        self.flat = Condition::default();
        self.format = None;
        self.last = None;
    }

    /// What is wrong, each time that this changed.
    pub fn poll_judged(&mut self) -> Option<Vec<PictureFinding>> {
        let conditions = [
            self.black.finding(PictureFault::Black),
            self.frozen.finding(PictureFault::Frozen),
            self.flat.finding(PictureFault::NoSignal),
            self.format.clone(),
        ];
        let now: Vec<_> = conditions.into_iter().flatten().collect();
        if now == self.told {
            return None;
        }
        self.told.clone_from(&now);
        Some(now)
    }
}

/// Why pictures like this are not what the programme is made of.
fn misfit(given: Timings, wanted: PictureSize, rate: f64) -> Option<Text> {
    let shape = |width: u32, height: u32| f64::from(width) / f64::from(height.max(1));
    let other = (shape(given.width, given.height) / shape(wanted.width, wanted.height) - 1.0).abs() > BARS;
    let small = given.height < wanted.height;
    // a third of the programme's rate stutters; 24 into 25 does not
    let slow = given.rate > 0.0 && given.rate < rate * 0.9;
    (other || small || slow).then(|| {
        let programme = Timings { width: wanted.width, height: wanted.height, interlaced: false, rate };
        said::misfit(given, programme)
    })
}

/// Compares what the encoder makes with what it was given.
#[derive(Debug)]
pub struct Proof {
    size: PictureSize,
    sent: VecDeque<(u64, Sample)>,
    /// The latest pair: given and made.
    last: Option<(Sample, Sample)>,
    /// What was wrong with the latest picture, and since when in a row.
    suspect: Option<(PictureFault, Instant)>,
    found: Vec<PictureFinding>,
    told: Vec<PictureFinding>,
    made: Option<Instant>,
}

impl Proof {
    /// Of an encoder that gets pictures of this size.
    #[must_use]
    pub fn new(size: PictureSize) -> Self {
        Self {
            size,
            sent: VecDeque::with_capacity(KEPT),
            last: None,
            suspect: None,
            found: Vec::new(),
            told: Vec::new(),
            made: None,
        }
    }

    /// Picture `tick` of the programme goes into the encoder.
    pub fn handle_sent(&mut self, tick: u64, sample: Sample) {
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back((tick, sample));
    }

    /// What a decoder made of picture `tick`: its size, and a sample if it has the programme's.
    pub fn handle_made(&mut self, now: Instant, tick: u64, size: PictureSize, sample: Option<Sample>) {
        self.made = Some(now);
        let Some(sample) = sample.filter(|_| size == self.size) else {
            let wanted = self.size;
            let detail =
                said::sizes(format!("{}x{}", size.width, size.height), format!("{}x{}", wanted.width, wanted.height));
            return self.conclude(now, Some(PictureFault::Format), detail);
        };
        let Some((_, given)) = self.sent.iter().find(|(number, _)| *number == tick) else { return };
        let given = given.clone();
        let off = sample.off(&given);
        let stands = self
            .last
            .as_ref()
            .is_some_and(|(was_given, was_made)| was_made.off(&sample) == 0 && was_given.off(&given) > MOVED);
        let fault = match off {
            0..=LOSS => None,
            _ if sample.is_black() => Some(PictureFault::Black),
            _ if stands => Some(PictureFault::Frozen),
            _ => Some(PictureFault::Damaged),
        };
        self.last = Some((given, sample));
        self.conclude(now, fault, Text::default());
    }

    /// No key picture came for `since`; said again and again while that is so.
    pub fn handle_none(&mut self, now: Instant, since: Instant) {
        if self.found.iter().any(|finding| finding.fault == PictureFault::NoSignal) {
            return;
        }
        self.found = vec![PictureFinding {
            fault: PictureFault::NoSignal,
            since,
            detail: said::no_picture_since(format!("{:.0}", now.since(since).as_secs_f64())),
        }];
    }

    /// One bad picture may be one that a busy machine joined wrongly; two in a row are a fault.
    fn conclude(&mut self, now: Instant, fault: Option<PictureFault>, detail: Text) {
        self.found = match (fault, self.suspect) {
            (Some(fault), Some((before, since))) if fault == before => vec![PictureFinding { fault, since, detail }],
            (Some(_), _) => std::mem::take(&mut self.found),
            (None, _) => Vec::new(),
        };
        self.suspect = fault.map(|fault| match self.suspect {
            Some((before, since)) if before == fault => (fault, since),
            _ => (fault, now),
        });
    }

    /// What is wrong, each time that this changed.
    pub fn poll_judged(&mut self) -> Option<Vec<PictureFinding>> {
        if self.found == self.told {
            return None;
        }
        self.told.clone_from(&self.found);
        Some(self.found.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: PictureSize = PictureSize { width: 1280, height: 720 };

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// A picture drawn by `luma(x, y)`.
    fn drawn(luma: impl Fn(u32, u32) -> u8) -> Sample {
        let data: Vec<u8> =
            (0..SIZE.height).flat_map(|y| (0..SIZE.width).map(move |x| (x, y))).map(|(x, y)| luma(x, y)).collect();
        Sample::of(Luma { data: &data, stride: SIZE.width as usize }, SIZE).unwrap()
    }

    fn scene(seed: u64) -> Sample {
        // a gradient with a sensor's noise
        let mut rng = crate::rng::Rng::simulated(seed);
        Sample(std::array::from_fn(|n| (40 + n * 150 / SQUARES) as u8 + (rng.next_u64() % 3) as u8))
    }

    fn flat(value: u8) -> Sample {
        drawn(|_, _| value)
    }

    /// Five looks a second from `from` to `to` (ms); what was told, with the time of telling.
    fn watch(
        eye: &mut Eye,
        from: u64,
        to: u64,
        mut picture: impl FnMut(u64) -> Sample,
    ) -> Vec<(u64, Vec<PictureFinding>)> {
        let mut told = Vec::new();
        for ms in (from..to).step_by(200) {
            eye.handle_picture(at(ms), picture(ms));
            told.extend(eye.poll_judged().map(|findings| (ms, findings)));
        }
        told
    }

    #[test]
    fn a_lens_cap_is_told_with_its_onset_and_let_go_when_it_is_off() {
        let mut eye = Eye::new(SourceId::Camera);
        assert!(watch(&mut eye, 0, 10_000, scene).is_empty());

        let told = watch(&mut eye, 10_000, 20_000, |ms| flat(16 + (ms / 200 % 3) as u8));
        let over = watch(&mut eye, 20_000, 25_000, scene);

        let [(ms, findings)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((*ms, findings[0].fault, findings[0].since), (13_000, PictureFault::Black, at(10_000)));
        assert_eq!(findings.len(), 1, "black alone, not frozen and of one colour too");
        assert_eq!(over.len(), 1);
        assert!(over[0].1.is_empty() && (20_800..=21_200).contains(&over[0].0), "{over:?}");
    }

    #[test]
    fn a_cut_through_black_is_nothing() {
        let mut eye = Eye::new(SourceId::Camera);
        let told = watch(&mut eye, 0, 60_000, |ms| if ms % 10_000 < 2600 { flat(16) } else { scene(ms) });
        assert!(told.is_empty(), "{told:?}");
    }

    #[test]
    fn a_camera_that_repeats_its_picture_is_frozen_since_that_picture_and_a_slide_is_not() {
        let still = |ms: u64| if ms < 4000 { scene(ms) } else { scene(4000) };

        let camera = watch(&mut Eye::new(SourceId::Camera), 0, 20_000, still);
        let slides = watch(&mut Eye::new(SourceId::Slides), 0, 20_000, still);

        let [(ms, findings)] = camera.as_slice() else { panic!("{camera:?}") };
        assert_eq!((findings[0].fault, findings[0].since), (PictureFault::Frozen, at(4000)));
        assert!((9000..=9200).contains(ms), "{ms}");
        assert!(slides.is_empty(), "{slides:?}");
    }

    #[test]
    fn a_still_scene_with_a_sensors_noise_is_not_frozen() {
        let told = watch(&mut Eye::new(SourceId::Camera), 0, 600_000, scene);
        assert!(told.is_empty());
    }

    #[test]
    fn the_blue_of_a_stick_without_signal_is_told_and_a_white_slide_is_not() {
        let blue = watch(&mut Eye::new(SourceId::Slides), 0, 10_000, |_| flat(41));
        let white = watch(&mut Eye::new(SourceId::Slides), 0, 60_000, |_| flat(235));

        assert_eq!(blue[0].1[0].fault, PictureFault::NoSignal);
        assert!(white.is_empty());
    }

    #[test]
    fn a_laptop_in_4_to_3_is_told_with_both_shapes_and_one_that_is_larger_is_not() {
        let mut eye = Eye::new(SourceId::Slides);
        let timings = |width, height, rate| Some(Timings { width, height, interlaced: false, rate });

        eye.handle_format(at(5), timings(1024, 768, 60.0), SIZE, 25.0);
        let told = eye.poll_judged().unwrap();
        assert_eq!((told[0].fault, told[0].since), (PictureFault::Format, at(5)));
        assert!(told[0].detail.en.contains("1024x768p60") && told[0].detail.en.contains("1280x720p25"), "{told:?}");

        for (width, height, rate) in [(1920, 1080, 60.0), (1920, 1080, 24.0), (1366, 768, 59.9), (1280, 720, 0.0)] {
            eye.handle_format(at(6), timings(width, height, rate), SIZE, 25.0);
            assert!(eye.poll_judged().is_none_or(|told| told.is_empty()), "{width}x{height} at {rate}");
        }
        for (width, height, rate) in [(640, 360, 60.0), (1920, 1080, 5.0)] {
            eye.handle_format(at(7), timings(width, height, rate), SIZE, 25.0);
            assert_eq!(eye.poll_judged().unwrap()[0].fault, PictureFault::Format, "{width}x{height} at {rate}");
            eye.handle_gone();
            assert!(eye.poll_judged().unwrap().is_empty(), "a source that is gone has no format");
        }
    }

    #[test]
    fn an_encoder_that_gives_what_it_got_is_left_alone_whatever_it_is() {
        let mut proof = Proof::new(SIZE);
        for tick in 0..500 {
            // still, black, moving: it is the sources that answer for it
            let sample = if tick < 200 {
                scene(1)
            } else if tick < 300 {
                flat(16)
            } else {
                scene(tick)
            };
            let loss = Sample(sample.0.map(|value| value.saturating_add((tick % 4) as u8)));
            proof.handle_sent(tick, sample);
            if tick % 50 == 0 {
                proof.handle_made(at(tick * 40), tick, SIZE, Some(loss));
            }
            assert_eq!(proof.poll_judged(), None, "{tick}");
        }
    }

    #[test]
    fn an_encoder_that_gives_black_the_same_again_rubbish_or_another_size_is_told_from_its_second_picture_on() {
        let given = |tick: u64| drawn(move |x, y| (40 + (u64::from(x / 8 + y / 8) * 3 + tick) % 150) as u8);
        let case = |made: &dyn Fn(u64) -> (PictureSize, Option<Sample>)| {
            let mut proof = Proof::new(SIZE);
            let mut told = Vec::new();
            for n in 0..4u64 {
                proof.handle_sent(n * 50, given(n * 50));
                let (size, sample) = made(n * 50);
                proof.handle_made(at(n * 2000), n * 50, size, sample);
                told.extend(proof.poll_judged().map(|findings| (n, findings)));
            }
            proof.handle_sent(999, given(999));
            proof.handle_made(at(9000), 999, SIZE, Some(given(999)));
            assert_eq!(proof.poll_judged(), Some(vec![]), "one good picture takes it back");
            assert_eq!(told.len(), 1, "{told:?}");
            (told[0].0, told[0].1[0].fault, told[0].1[0].since)
        };
        let small = PictureSize { width: 640, height: 360 };
        assert_eq!(case(&|_| (SIZE, Some(flat(16)))), (1, PictureFault::Black, at(0)));
        assert_eq!(case(&|_| (small, None)), (1, PictureFault::Format, at(0)));
        assert_eq!(case(&|n| (SIZE, Some(flat(100 + (n % 100) as u8)))), (1, PictureFault::Damaged, at(0)));
        // the first of two that are alike cannot be told from a damaged one
        assert_eq!(case(&|_| (SIZE, Some(drawn(|x, _| (x / 8) as u8)))), (2, PictureFault::Frozen, at(2000)));
    }

    #[test]
    fn an_encoder_that_gives_nothing_is_told_once() {
        let mut proof = Proof::new(SIZE);
        for ms in [8000, 9000, 10_000] {
            proof.handle_none(at(ms), at(1000));
        }
        let told = proof.poll_judged().unwrap();
        assert_eq!((told.len(), told[0].fault, told[0].since), (1, PictureFault::NoSignal, at(1000)));
        assert_eq!(proof.poll_judged(), None);
    }

    #[test]
    fn a_picture_that_is_not_all_there_gives_no_sample() {
        assert_eq!(Sample::of(Luma { data: &[16; 5000], stride: 1280 }, SIZE), None);
        assert_eq!(Sample::of(Luma { data: &[16; 64 * 64], stride: 64 }, PictureSize { width: 64, height: 64 }), None);
    }
}
