//! The lines' promises: what is wrong is found, in time, and what is right is left alone.

mod corpus;

use std::collections::BTreeMap;

use corpus::{BLOCK, Corpus, Inject, Kind, Lead, Show};
use livebox::media::line::{Fault, Findings, Pair, Watch};
use livebox::rng::Rng;
use livebox::time::{Duration, Instant};

use crate::peers::skipped;

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
    /// Every 10 ms of the last tenth the injected fault could be heard.
    audible: bool,
    covered: bool,
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
            audible: true,
            covered: false,
        }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.blocks * 10)
    }

    /// 10 ms; true when a tenth is done.
    fn step(&mut self) -> bool {
        let programme = self.show.next();
        self.power += programme.iter().map(|s| f64::from(s[0] * s[0])).sum::<f64>();
        for fault in self.leads.iter_mut().filter_map(|lead| lead.fault.as_mut()) {
            self.covered |= !fault.audible(&programme);
        }
        self.blocks += 1;
        let now = self.now();
        for line in 0..2 {
            let heard = self.leads[line].next(&programme);
            let pair = &mut self.pair;
            self.watches[line].push(now, &heard, |look| pair.handle_look(line, look));
        }
        if self.blocks % 10 != 0 {
            return false;
        }
        // the weakest that counts as a programme: −57 dBFS
        self.programme = self.power / (10 * BLOCK) as f64 > 2e-6;
        self.power = 0.0;
        self.audible = !std::mem::take(&mut self.covered);
        true
    }

    fn findings(&self) -> [Findings; 2] {
        [0, 1].map(|line| self.pair.findings(self.now(), line))
    }
}

fn corpus(test: &str) -> Option<Corpus> {
    let folder = Corpus::folder();
    if folder.is_none() {
        skipped(&format!("lines::{test}: no audio corpus; scripts/audio-corpus.sh makes it"));
    }
    folder.map(|folder| Corpus::load(&folder))
}

/// What detection may take, by the programme's own time where a fault needs a programme to be heard.
fn within(fault: Fault) -> f64 {
    match fault {
        Fault::Unplugged => 1.0,
        // five seconds of the other's programme, and the tenth in which they end
        Fault::Silent => 5.2,
        _ => 2.0,
    }
}

fn needs_programme(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Silent | Fault::DeadChannel | Fault::Clipping | Fault::MicLevel | Fault::Polarity | Fault::Glitches
    )
}

/// How one fault was found over many trials.
#[derive(Default)]
struct Row {
    trials: usize,
    in_time: usize,
    seconds: Vec<f64>,
    wrong: BTreeMap<&'static str, usize>,
}

fn trials(corpus: &Corpus, seed: u64, fault: Fault, count: usize) -> Row {
    let mut row = Row::default();
    let mut rng = Rng::simulated(seed * 1000 + fault as u64);
    let mut desk = Desk::new(corpus, seed * 7919 + fault as u64 * 31);
    // a microphone is told by comparison with line level, and polarity by what is alike on both channels
    desk.show.only_speech = matches!(fault, Fault::MicLevel | Fault::Polarity);
    for trial in 0..count {
        let quiet = 12.0 + 10.0 * rng.unit();
        let from = desk.blocks + (quiet * 100.0) as u64 + if trial == 0 { 2000 } else { 0 };
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
            if desk.audible && (!needs_programme(fault) || desk.programme) {
                clock += 0.1;
            }
            let findings = desk.findings();
            if findings[line].get(fault).is_some() {
                found = Some(clock);
                for other in findings[line].iter().chain(findings[1 - line].iter()).filter(|f| f.fault != fault) {
                    *row.wrong.entry(other.fault.name()).or_default() += 1;
                }
                break;
            }
        }
        desk.leads[line].fault = None;
        row.trials += 1;
        row.in_time += usize::from(found.is_some_and(|seconds| seconds <= within(fault) + 1e-6));
        row.seconds.extend(found);
        if std::env::var_os("LIVEBOX_TRIALS").is_some() && found.is_none_or(|s| s > within(fault)) {
            eprintln!("{} trial {trial} line {line} at {} s: {found:?}, {:?}", fault.name(), began / 100, desk.show.playing());
        }
    }
    row.seconds.sort_by(f64::total_cmp);
    row
}

fn table(rows: &BTreeMap<Fault, Row>) {
    println!("| fault | trials | recall in time | median | 95 % | longest | other faults beside it |");
    println!("|---|---|---|---|---|---|---|");
    for (fault, row) in rows {
        let at = |share: f64| row.seconds.get(((row.seconds.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(f64::NAN);
        println!(
            "| {} | {} | {:.3} | {:.1} s | {:.1} s | {:.1} s | {:?} |",
            fault.name(),
            row.trials,
            row.in_time as f64 / row.trials as f64,
            at(0.5),
            at(0.95),
            at(1.0),
            row.wrong
        );
    }
}

/// Faults that nobody put in: when, on which line, which.
fn false_alarms(corpus: &Corpus, seed: u64, hours: f64) -> Vec<(f64, usize, Fault)> {
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

#[test]
fn every_fault_is_found_in_time_and_a_show_of_twenty_minutes_raises_none() {
    let Some(corpus) = corpus("every_fault_is_found_in_time") else { return };

    let rows: BTreeMap<_, _> = Fault::ALL.into_iter().map(|fault| (fault, trials(&corpus, 1, fault, 6))).collect();
    let told = false_alarms(&corpus, 11, 0.33);

    table(&rows);
    assert!(rows.values().all(|row| row.in_time == row.trials), "a fault was missed");
    assert!(told.is_empty(), "{told:?}");
}

/// The table of docs/audio.md: a few minutes in release, so it is asked for by name.
#[test]
#[ignore = "long: cargo test --release --test tests lines:: -- --ignored --nocapture"]
fn recall_is_99_in_a_hundred_and_eight_hours_raise_one_false_alarm_at_most() {
    let Some(corpus) = corpus("recall_is_99_in_a_hundred") else { return };
    let number = |name: &str, or: f64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(or);

    let count = number("LIVEBOX_COUNT", 200.0) as usize;
    let rows: BTreeMap<_, _> = Fault::ALL.into_iter().map(|fault| (fault, trials(&corpus, 2, fault, count))).collect();
    table(&rows);
    let hours = number("LIVEBOX_HOURS", 8.0);
    let told = false_alarms(&corpus, 99, hours);
    println!("{hours} h without a fault: {} false alarms {told:?}", told.len());

    for (fault, row) in &rows {
        let recall = row.in_time as f64 / row.trials as f64;
        assert!(recall >= 0.99, "{}: {recall}", fault.name());
    }
    assert!(told.len() <= 1, "{told:?}");
}
