//! Show: what a report of one live has to know of its sound: how loud it was, and what was wrong, when.

use crate::media::Line;
use crate::media::line::{Finding, SoundStats};
use crate::media::meter::Levels;
use crate::message::{LoudnessReport, Occurrence, ShowReport, What};
use crate::time::Instant;

use super::known::Known;

/// Occurrences kept of one line; what comes after them is counted.
const MOST: usize = 64;

/// Follows the sound of the present live, and keeps that of the last.
#[derive(Debug, Clone, Default)]
pub(super) struct Show {
    number: u32,
    live: bool,
    report: Option<ShowReport>,
}

impl Show {
    /// On air, or not.
    pub(super) fn follow(&mut self, now: Instant, on_air: bool, known: &Known) {
        if on_air == self.live {
            return;
        }
        self.live = on_air;
        if on_air {
            self.number += 1;
            self.report = Some(ShowReport { since_s: now.as_secs_f64(), ..ShowReport::default() });
            for line in Line::ALL {
                self.judged(now, line, known.findings(line));
            }
        } else if let Some(report) = &mut self.report {
            report.until_s = Some(now.as_secs_f64());
            for occurrence in report.lines.iter_mut().flat_map(|line| &mut line.faults) {
                occurrence.until_s.get_or_insert(now.as_secs_f64());
            }
        }
    }

    /// A part said this.
    pub(super) fn note(&mut self, now: Instant, what: &What) {
        match what {
            What::SoundMeasured(stats) if self.live => self.measured(stats),
            What::LineJudged { line, findings } if self.live => self.judged(now, *line, findings),
            _ => {}
        }
    }

    /// How many lives there were: the loudness of each is measured by itself.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Of the present live or the last; none before the first.
    pub(super) fn report(&self) -> Option<&ShowReport> {
        self.report.as_ref()
    }

    fn measured(&mut self, stats: &SoundStats) {
        let Some(report) = &mut self.report else { return };
        for (line, stats) in report.lines.iter_mut().zip(&stats.lines) {
            if let Some(stats) = stats {
                louder(&mut line.loudness, &stats.levels);
            }
        }
        if let Some(levels) = &stats.programme {
            louder(&mut report.programme, levels);
        }
    }

    fn judged(&mut self, now: Instant, line: Line, findings: &[Finding]) {
        let Some(report) = &mut self.report else { return };
        let line = &mut report.lines[line.index()];
        for open in line.faults.iter_mut().filter(|open| open.until_s.is_none()) {
            if !findings.iter().any(|finding| finding.fault == open.fault) {
                open.until_s = Some(now.as_secs_f64());
            }
        }
        for finding in findings {
            if line.faults.iter().any(|open| open.until_s.is_none() && open.fault == finding.fault) {
                continue;
            }
            if line.faults.len() == MOST {
                line.more += 1;
                continue;
            }
            let Finding { fault, since, confidence } = *finding;
            line.faults.push(Occurrence { fault, since_s: since.as_secs_f64(), until_s: None, confidence });
        }
    }
}

fn louder(loudness: &mut LoudnessReport, levels: &Levels) {
    let top = levels.true_peak.0;
    loudness.true_peak = Some(loudness.true_peak.map_or(top, |before| before.max(top)));
    loudness.integrated = levels.integrated.or(loudness.integrated);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::line::{Fault, LineStats};
    use crate::units::Dbfs;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn hum(since: u64) -> Finding {
        Finding { fault: Fault::Hum, since: at(since), confidence: 0.9 }
    }

    fn judged(show: &mut Show, now: u64, findings: Vec<Finding>) {
        show.note(at(now), &What::LineJudged { line: Line::A, findings });
    }

    fn peak(show: &mut Show, now: u64, true_peak: f64, integrated: Option<f64>) {
        let levels = Levels { true_peak: Dbfs(true_peak), integrated, ..Levels::SILENCE };
        let line = LineStats { levels, leads: Default::default(), ppm: None };
        let stats = SoundStats { lines: [Some(line), None, None], programme: Some(levels), ..SoundStats::default() };
        show.note(at(now), &What::SoundMeasured(stats));
    }

    #[test]
    fn the_report_of_a_live_knows_the_loudest_moment_and_each_fault_from_when_to_when() {
        let (mut show, known) = (Show::default(), Known::default());
        judged(&mut show, 5, vec![hum(4)]);
        peak(&mut show, 5, -0.1, None);
        assert_eq!(show.report(), None, "a rehearsal is no show");

        show.follow(at(10), true, &known);
        peak(&mut show, 11, -9.0, None);
        peak(&mut show, 12, -3.0, Some(-21.5));
        peak(&mut show, 13, -7.0, None);
        judged(&mut show, 20, vec![hum(19)]);
        judged(&mut show, 30, Vec::new());
        judged(&mut show, 40, vec![hum(39)]);
        show.follow(at(50), false, &known);
        judged(&mut show, 60, vec![hum(59)]);

        let report = show.report().expect("it was live");
        assert_eq!((report.since_s, report.until_s, show.number()), (10.0, Some(50.0), 1));
        let line = &report.lines[0];
        assert_eq!((line.loudness.true_peak, line.loudness.integrated), (Some(-3.0), Some(-21.5)));
        let times: Vec<_> = line.faults.iter().map(|f| (f.since_s, f.until_s)).collect();
        assert_eq!(times, [(19.0, Some(30.0)), (39.0, Some(50.0))]);
        assert_eq!(report.lines[1].loudness.true_peak, None);
        assert_eq!(report.programme.true_peak, Some(-3.0));
    }

    #[test]
    fn a_line_that_flaps_all_day_fills_no_memory() {
        let (mut show, known) = (Show::default(), Known::default());
        show.follow(at(1), true, &known);
        for n in 0..200 {
            judged(&mut show, 10 + 2 * n, vec![hum(9 + 2 * n)]);
            judged(&mut show, 11 + 2 * n, Vec::new());
        }

        let line = &show.report().expect("it is live").lines[0];
        assert_eq!((line.faults.len(), line.more), (MOST, 200 - MOST));
    }
}
