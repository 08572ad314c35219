//! Two lines of one mixer on a desk: faults put in and counted, and shows without any.

use std::collections::BTreeMap;

use livebox::media::line::{Fault, Findings, Pair, Watch};
use livebox::rng::Rng;
use livebox::time::{Duration, Instant};

use super::corpus::{BLOCK, Corpus, Inject, Kind, Lead, Show};

/// Two lines of one mixer, watched as the box watches them.
struct Desk<'c> {
    show: Show<'c>,
    leads: [Lead; 2],
    watches: [Watch; 2],
    pair: Pair,
    blocks: u64,
    /// Tenths with a programme in them, by the clean show.
    programme: bool,
    power: f64,
    /// Of the ten parts of the last tenth, those in which the injected fault could be heard.
    audible: u32,
    heard: u32,
}

impl<'c> Desk<'c> {
    fn new(corpus: &'c Corpus, seed: u64) -> Self {
        Self {
            show: Show::new(corpus, seed),
            leads: [Lead::new(seed + 1, 0, 0.0, -76.0), Lead::new(seed + 2, 336, -2.0, -72.0)],
            watches: [Watch::new(), Watch::new()],
            pair: Pair::new(Duration::from_secs(5)),
            blocks: 0,
            programme: false,
            power: 0.0,
            audible: 10,
            heard: 0,
        }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.blocks * 10)
    }

    /// 10 ms; true when a tenth is done.
    fn step(&mut self) -> bool {
        let programme = self.show.next();
        self.power += programme.iter().map(|s| f64::from(s[0] * s[0])).sum::<f64>();
        for lead in &mut self.leads {
            let line = (lead.gain, lead.noise);
            self.heard += lead.fault.as_mut().map_or(0, |fault| u32::from(fault.audible(&programme, line)));
        }
        self.blocks += 1;
        let now = self.now();
        for line in 0..2 {
            let heard = self.leads[line].next(&programme);
            let pair = &mut self.pair;
            self.watches[line].push(now, &heard, |look| pair.handle_look(line, look));
        }
        if !self.blocks.is_multiple_of(10) {
            return false;
        }
        // the weakest that counts as a programme: −57 dBFS
        self.programme = self.power / (10 * BLOCK) as f64 > 2e-6;
        self.power = 0.0;
        self.audible = std::mem::take(&mut self.heard);
        true
    }

    fn findings(&self) -> [Findings; 2] {
        [0, 1].map(|line| self.pair.findings(self.now(), line))
    }

    /// True if the tenth that is done counts: in a pause a dead channel is not heard, nor a hum under a bass.
    fn counts(&self, fault: Fault) -> bool {
        match fault {
            Fault::Unplugged | Fault::DcOffset => true,
            Fault::Silent | Fault::DeadChannel | Fault::Polarity | Fault::Glitches => self.programme,
            Fault::Clipping => self.audible > 0,
            Fault::Hum => self.audible >= 8,
            Fault::MicLevel | Fault::Howl => self.audible >= 5,
        }
    }
}

/// What detection may take, seconds in which the fault can be heard.
fn within(fault: Fault) -> f64 {
    match fault {
        Fault::Unplugged => 1.0,
        // five seconds of the other's programme, and the tenth in which they end
        Fault::Silent => 5.2,
        _ => 2.0,
    }
}

/// How one fault was found over many trials.
#[derive(Default)]
pub(super) struct Row {
    pub(super) trials: usize,
    pub(super) in_time: usize,
    seconds: Vec<f64>,
    /// Trials drawn again: in half a minute there were no two seconds in which the fault could be heard.
    unheard: usize,
    /// Other faults that were told of either line when it was found.
    pub(super) wrong: BTreeMap<&'static str, usize>,
}

/// Puts `fault` in `count` times, on either line, as strong as the seed says.
pub(super) fn trials(corpus: &Corpus, seed: u64, fault: Fault, count: usize) -> Row {
    let mut row = Row::default();
    let mut rng = Rng::simulated(seed * 1000 + fault as u64);
    let mut desk = Desk::new(corpus, seed * 7919 + fault as u64 * 31);
    // wide stereo has no polarity that could be told
    desk.show.only_speech = fault == Fault::Polarity;
    while row.trials < count && row.unheard < 4 * count {
        let quiet = 8.0 + 6.0 * rng.unit();
        let from = desk.blocks + (quiet * 100.0) as u64 + if row.trials == 0 { 2000 } else { 0 };
        while desk.blocks < from || desk.show.playing().0 == Kind::Pause || !desk.programme {
            desk.step();
        }
        let line = usize::from(rng.chance(0.5));
        desk.leads[line].fault = Some(Inject::draw(fault, &mut rng, desk.show.playing().1));
        let began = desk.blocks;
        let (mut clock, mut found) = (0.0, None);
        while desk.blocks < began + 3000 && clock < 8.0 {
            if !desk.step() {
                continue;
            }
            clock += if desk.counts(fault) { 0.1 } else { 0.0 };
            let findings = desk.findings();
            if findings[line].get(fault).is_some() {
                found = Some(clock);
                for other in findings[line].iter().chain(findings[1 - line].iter()).filter(|f| f.fault != fault) {
                    *row.wrong.entry(other.fault.name()).or_default() += 1;
                }
                break;
            }
        }
        let late = found.is_none_or(|seconds| seconds > within(fault) + 1e-6);
        if late && std::env::var_os("LIVEBOX_TRIALS").is_some() {
            let strength = desk.leads[line].fault.as_ref().map(Inject::strength);
            eprintln!(
                "{} trial {} line {line} at {} s: {found:?} after {clock:.1}, {strength:?}, {:?}, {:?}",
                fault.name(),
                row.trials,
                began / 100,
                desk.show.playing(),
                desk.findings()[line].iter().map(|f| f.fault.name()).collect::<Vec<_>>(),
            );
        }
        desk.leads[line].fault = None;
        if found.is_none() && clock <= within(fault) {
            row.unheard += 1;
            continue;
        }
        row.trials += 1;
        row.in_time += usize::from(!late);
        row.seconds.extend(found);
    }
    row.seconds.sort_by(f64::total_cmp);
    row
}

/// Prints the rows as docs/audio.md has them.
pub(super) fn table(rows: &BTreeMap<Fault, Row>) {
    eprintln!("| fault | trials | recall in time | median | 95 % | longest | drawn again | other faults beside it |");
    eprintln!("|---|---|---|---|---|---|---|---|");
    for (fault, row) in rows {
        let at = |share: f64| {
            row.seconds.get(((row.seconds.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(f64::NAN)
        };
        eprintln!(
            "| `{}` | {} | {:.3} | {:.1} s | {:.1} s | {:.1} s | {} | {:?} |",
            fault.name(),
            row.trials,
            row.in_time as f64 / row.trials as f64,
            at(0.5),
            at(0.95),
            at(1.0),
            row.unheard,
            row.wrong
        );
    }
}

/// Faults that nobody put in: when, on which line, which.
pub(super) fn false_alarms(corpus: &Corpus, seed: u64, hours: f64) -> Vec<(f64, usize, Fault)> {
    let mut desk = Desk::new(corpus, seed);
    let mut standing = [Findings::default(); 2];
    let mut told = Vec::new();
    while (desk.blocks as f64) < hours * 360_000.0 {
        if !desk.step() {
            continue;
        }
        for (line, (now, before)) in desk.findings().into_iter().zip(&mut standing).enumerate() {
            for finding in now.iter().filter(|f| before.get(f.fault).is_none()) {
                told.push((desk.blocks as f64 / 100.0, line, finding.fault));
                if std::env::var_os("LIVEBOX_TRIALS").is_some() {
                    eprintln!("false: {:?} {:?}", told.last(), desk.show.playing());
                }
            }
            *before = now;
        }
    }
    told
}
