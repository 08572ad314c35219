//! Scenario: seven links and what befalls them, read from a file as `docs/sim.md` describes it.

use std::sync::Arc;
use std::time::Duration;

use super::radio::{self, Radio};
use super::trace::Trace;
use crate::table::{Document, Fault, Section};
use crate::time::Instant;
use crate::units::{Bitrate, parse_duration};

/// The longest virtual time of a run, and the longest of any time inside it.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A group of the field has at most so many links.
const MOST_LINKS: usize = 16;

/// From when to when something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Instant,
    /// The first moment after it; none if it lasts to the end.
    pub to: Option<Instant>,
}

impl Span {
    /// True if `at` lies inside.
    #[must_use]
    pub fn holds(&self, at: Instant) -> bool {
        at >= self.from && self.to.is_none_or(|to| at < to)
    }

    /// Time now begins `later`; false if nothing of the span is left.
    fn begins_later_by(&mut self, later: Duration) -> bool {
        self.from = self.from.before(later);
        self.to = self.to.map(|to| to.before(later));
        self.to.is_none_or(|to| to > Instant::ZERO)
    }
}

/// What the bottleneck gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Supply {
    /// So many IP bytes a second, always.
    Rate(Bitrate),
    /// Recorded opportunities of 1500 × `scale` bytes.
    Trace {
        /// The recording.
        trace: Arc<Trace>,
        /// Where in the recording the run begins.
        offset: Duration,
        /// Part of 1500 bytes that one opportunity gives.
        scale: f64,
    },
}

/// Periods of heavy loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Mean time between two.
    pub gap_mean: Duration,
    /// Mean length of one.
    pub length_mean: Duration,
    /// Share lost inside.
    pub loss: f64,
}

/// Periods of little room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fade {
    /// Least time between two.
    pub gap_min: Duration,
    /// Mean of what is added to the least gap.
    pub gap_mean: Duration,
    /// Least length of one.
    pub length_min: Duration,
    /// Mean length of one.
    pub length_mean: Duration,
    /// What the rate is multiplied by inside.
    pub factor: f64,
}

/// One link, in both directions.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkScenario {
    /// Slot name.
    pub name: String,
    /// Bytes cost money.
    pub metered: bool,
    /// The bottleneck on the way to the receiver.
    pub supply: Supply,
    /// One way, behind the bottleneck.
    pub delay: Duration,
    /// One way back; no bottleneck.
    pub return_delay: Duration,
    /// Mean of the exponential delay added to each packet.
    pub jitter: Duration,
    /// The queue before the bottleneck, in time at the mean rate.
    pub queue: Duration,
    /// Share of packets lost behind the bottleneck, both directions.
    pub loss: f64,
    /// Periods of heavy loss.
    pub burst: Option<Burst>,
    /// Periods of little room.
    pub fade: Option<Fade>,
    /// Silent black holes.
    pub down: Vec<Span>,
    /// Nothing leaves, nothing is lost.
    pub freeze: Vec<Span>,
    /// Black holes that the sender is told of at once.
    pub carrier: Vec<Span>,
}

impl LinkScenario {
    /// Mean rate of the bottleneck in bytes per microsecond.
    #[must_use]
    pub fn mean_rate(&self) -> f64 {
        match &self.supply {
            Supply::Rate(rate) => rate.bytes_per_micro(),
            Supply::Trace { trace, scale, .. } => trace.per_second() * 1500.0 * scale / 1e6,
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Virtual time of the run.
    pub duration: Duration,
    /// What is generated before this is not scored.
    pub warmup: Duration,
    /// Every trace starts seed times this later.
    pub seed_shift: Duration,
    /// The links, in the order of the file.
    pub links: Vec<LinkScenario>,
}

impl Scenario {
    /// Reads a scenario file; `read_trace` gives the text of a trace by its name in the file.
    ///
    /// # Errors
    /// Every fault of the file at once.
    pub fn parse(
        file: &str,
        text: &str,
        read_trace: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<Self, Vec<Fault>> {
        let document = Document::parse(file, text);
        let scenario = read_scenario(document.root(), read_trace);
        let faults = document.faults();
        if faults.is_empty() { Ok(scenario) } else { Err(faults) }
    }

    /// A part of the run as a run of its own, with the same warm-up: everything before `from` has never been,
    /// what lasts beyond goes on. The random periods of its links begin at its beginning.
    #[must_use]
    pub fn part(&self, from: Duration, length: Duration) -> Self {
        let mut part = self.clone();
        part.duration = length;
        for link in &mut part.links {
            for spans in [&mut link.down, &mut link.freeze, &mut link.carrier] {
                spans.retain_mut(|span| span.begins_later_by(from));
            }
            if let Supply::Trace { offset, .. } = &mut link.supply {
                *offset += from;
            }
        }
        part
    }

    /// The same run in which the sender is told at once of every outage, as the kernel tells of a lost carrier.
    #[must_use]
    pub fn told(mut self) -> Self {
        for link in &mut self.links {
            link.carrier.append(&mut link.down);
            link.carrier.sort_by_key(|span| span.from);
        }
        self
    }
}

fn read_scenario(mut root: Section<'_>, read_trace: &mut dyn FnMut(&str) -> Result<String, String>) -> Scenario {
    let name = root.required_text("name", "const7");
    let duration = root.duration("duration", Duration::from_secs(60), Duration::from_secs(1)..=DAY);
    let warmup = root.duration("warmup", Duration::ZERO, Duration::ZERO..=DAY);
    let seed_shift = root.duration("seed_shift", Duration::ZERO, Duration::ZERO..=DAY);
    if warmup >= duration {
        root.fault(0, "warmup", format!("{warmup:?} is not shorter than the duration {duration:?}"));
    }
    let links: Vec<_> = root.sections("link").into_iter().map(|link| read_link(link, duration, read_trace)).collect();
    if links.is_empty() || links.len() > MOST_LINKS {
        root.fault(0, "link", format!("there are {} links; write 1 to {MOST_LINKS} [[link]] sections", links.len()));
    }
    Scenario { name, duration, warmup, seed_shift, links }
}

fn read_link(
    mut link: Section<'_>,
    duration: Duration,
    read_trace: &mut dyn FnMut(&str) -> Result<String, String>,
) -> LinkScenario {
    let name = link.required_text("name", "lte1");
    let metered = link.flag("metered", false);
    let supply = read_supply(&mut link, read_trace);
    let minute = Duration::ZERO..=Duration::from_secs(60);
    let delay = link.duration("delay", Duration::from_millis(20), minute.clone());
    let return_delay = link.duration("return_delay", delay, minute.clone());
    let jitter = link.duration("jitter", Duration::ZERO, minute.clone());
    let queue = link.duration("queue", Duration::from_secs(1), minute);
    let loss = link.opt_number("loss", 0.0..=1.0).unwrap_or(0.0);
    let burst = read_burst(link.section("burst"));
    let fade = read_fade(link.section("fade"));
    let down = read_spans(&mut link, "down", duration);
    let freeze = read_spans(&mut link, "freeze", duration);
    let carrier = read_spans(&mut link, "carrier", duration);
    LinkScenario { name, metered, supply, delay, return_delay, jitter, queue, loss, burst, fade, down, freeze, carrier }
}

fn read_supply(link: &mut Section<'_>, read_trace: &mut dyn FnMut(&str) -> Result<String, String>) -> Supply {
    let rate = link.opt_bitrate("rate", Bitrate::kbps(1)..=Bitrate::mbps(10_000));
    let file = link.text("trace");
    let offset = link.duration("offset", Duration::ZERO, Duration::ZERO..=DAY);
    let scale = link.opt_number("scale", 0.001..=1000.0).unwrap_or(1.0);
    let radio = read_radio(link.section("radio"));
    match (rate, file, radio) {
        (Some(rate), None, None) => return Supply::Rate(rate),
        (None, Some(file), None) => match read_trace(&file).and_then(|text| Trace::parse(&text)) {
            Ok(trace) => return Supply::Trace { trace: Arc::new(trace), offset, scale },
            Err(why) => link.fault(0, "trace", format!("{file}: {why}")),
        },
        (None, None, Some(radio)) => {
            return Supply::Trace { trace: Arc::new(radio.trace()), offset, scale: scale * radio::SCALE };
        }
        (None, None, None) => {
            link.fault(0, "rate", "is missing; write rate = \"6Mbps\", trace = \"FILE\" or radio = { … }");
        }
        _ => link.fault(0, "rate", "only one of rate, trace and radio can feed a link; keep one of them"),
    }
    Supply::Rate(Bitrate::mbps(1))
}

fn read_radio(mut section: Section<'_>) -> Option<Radio> {
    if section.is_empty() {
        return None;
    }
    let mean = section.opt_bitrate("mean", Bitrate::kbps(100)..=Bitrate::mbps(200));
    if mean.is_none() {
        section.fault(0, "mean", "is missing or wrong; write mean = \"6Mbps\"");
    }
    let number = 0..=i64::from(u32::MAX);
    let seed = section.integer("seed", 0, number.clone()) as u64;
    let cell = section.opt_integer("cell", number).map(|cell| cell as u64);
    Some(Radio { mean: mean.unwrap_or(Bitrate::mbps(1)), seed, cell })
}

fn needed(section: &mut Section<'_>, key: &'static str) -> Duration {
    let span = section.opt_duration(key, Duration::ZERO..=DAY);
    if span.is_none() {
        section.fault(0, key, format!("is missing or wrong; write {key} = \"2s\""));
    }
    span.unwrap_or_default()
}

fn read_burst(mut section: Section<'_>) -> Option<Burst> {
    if section.is_empty() {
        return None;
    }
    let gap_mean = needed(&mut section, "gap_mean");
    let length_mean = needed(&mut section, "length_mean");
    let loss = section.opt_number("loss", 0.0..=1.0).unwrap_or(1.0);
    lasting(&section, gap_mean + length_mean);
    Some(Burst { gap_mean, length_mean, loss })
}

fn read_fade(mut section: Section<'_>) -> Option<Fade> {
    if section.is_empty() {
        return None;
    }
    let gap_min = section.duration("gap_min", Duration::ZERO, Duration::ZERO..=DAY);
    let gap_mean = needed(&mut section, "gap_mean");
    let length_min = section.duration("length_min", Duration::ZERO, Duration::ZERO..=DAY);
    let length_mean = needed(&mut section, "length_mean");
    let factor = section.opt_number("factor", 0.0..=1.0).unwrap_or(0.0);
    if length_mean < length_min {
        section.fault(0, "length_mean", "is shorter than length_min");
    }
    lasting(&section, gap_min + gap_mean + length_mean);
    Some(Fade { gap_min, gap_mean, length_min, length_mean, factor })
}

/// Periods shorter than this on average would make a run of nothing but their edges.
fn lasting(section: &Section<'_>, mean: Duration) {
    if mean < Duration::from_millis(1) {
        section.fault(0, "gap_mean", "gap and length together are below 1 ms on average");
    }
}

fn read_spans(link: &mut Section<'_>, key: &'static str, duration: Duration) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for pair in link.text_lists(key) {
        match read_span(&pair, duration) {
            Ok(span) if spans.last().is_some_and(|last| last.to.is_none_or(|to| to > span.from)) => {
                link.fault(0, key, format!("[{}] begins before the one before it has ended", pair.join(", ")));
            }
            Ok(span) => spans.push(span),
            Err(what) => link.fault(0, key, what),
        }
    }
    spans
}

fn read_span(pair: &[String], duration: Duration) -> Result<Span, String> {
    let [from, to] = pair else {
        return Err(format!("[{}] is not a pair such as [\"3s\", \"5s\"] or [\"3s\", \"end\"]", pair.join(", ")));
    };
    let at = |text: &str| parse_duration(text).map(|span| Instant::ZERO + span.min(DAY)).map_err(|e| e.to_string());
    let from = at(from)?;
    let to = if to == "end" { None } else { Some(at(to)?) };
    if to.is_some_and(|to| to <= from) {
        return Err(format!("[{}] ends before it begins", pair.join(", ")));
    }
    if from > Instant::ZERO + duration {
        return Err(format!("[{}] begins after the run has ended", pair.join(", ")));
    }
    Ok(Span { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Scenario, Vec<String>> {
        Scenario::parse("s.toml", text, &mut |name| match name {
            "t.up" => Ok("1\n2\n3\n".to_owned()),
            _ => Err("is not there".to_owned()),
        })
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_scenario_is_read_with_all_its_keys() {
        let scenario = read(
            "name = \"s\"\nduration = \"20s\"\nwarmup = \"2s\"\nseed_shift = \"1s\"\n\
             [[link]]\nname = \"wired\"\nrate = \"8Mbps\"\ndelay = \"12ms\"\ndown = [[\"3s\", \"5s\"], [\"7s\", \"end\"]]\n\
             [[link]]\nname = \"lte1\"\nmetered = true\ntrace = \"t.up\"\nscale = 0.5\nloss = 0.02\n\
             fade = { gap_mean = \"6s\", length_mean = \"2s\", factor = 0.15 }\n\
             burst = { gap_mean = \"4s\", length_mean = \"40ms\", loss = 0.6 }\n",
        )
        .expect("a good scenario");

        assert_eq!(scenario.links.len(), 2);
        assert_eq!(scenario.links[0].return_delay, Duration::from_millis(12));
        assert!(scenario.links[0].down[1].holds(Instant::from_millis(19_000)));
        assert!(!scenario.links[0].down[0].holds(Instant::from_millis(5_000)));
        assert!((scenario.links[1].mean_rate() - 0.75).abs() < 1e-9);
    }

    #[test]
    fn a_part_of_a_run_has_what_lies_in_it() {
        let whole = read(
            "name = \"s\"\nduration = \"120s\"\nwarmup = \"10s\"\n\
             [[link]]\nname = \"wired\"\nrate = \"8Mbps\"\ndown = [[\"3s\", \"5s\"], [\"44s\", \"50s\"], [\"60s\", \"end\"]]\n\
             [[link]]\nname = \"lte1\"\ntrace = \"t.up\"\n",
        )
        .expect("a good scenario");

        let part = whole.part(Duration::from_secs(45), Duration::from_secs(30)).told();

        let at = Instant::from_millis;
        assert_eq!(part.duration, Duration::from_secs(30));
        assert!(part.links[0].down.is_empty());
        assert_eq!(
            part.links[0].carrier,
            [Span { from: at(0), to: Some(at(5_000)) }, Span { from: at(15_000), to: None }]
        );
        assert!(matches!(part.links[1].supply, Supply::Trace { offset, .. } if offset == Duration::from_secs(45)));
    }

    #[test]
    fn one_supply_feeds_a_link() {
        let link = |supply: &str| {
            read(&format!("name = \"s\"\nduration = \"20s\"\n[[link]]\nname = \"a\"\n{supply}\n"))
                .map(|scenario| scenario.links[0].mean_rate())
        };

        let mean = link("radio = { mean = \"6Mbps\", seed = 1 }").expect("a good radio");
        assert!((0.5..0.9).contains(&mean), "{mean}");
        for wrong in ["radio = { seed = 1 }", "radio = { mean = \"6Mbps\" }\nrate = \"1Mbps\"", ""] {
            assert!(link(wrong).is_err_and(|told| told.len() == 1), "{wrong}");
        }
    }

    #[test]
    fn every_fault_of_a_scenario_is_told_with_its_line() {
        let told = read(
            "name = \"s\"\nduration = \"20s\"\nspeed = 3\n[[link]]\nname = \"a\"\nrate = \"fast\"\n\
             [[link]]\nname = \"b\"\ntrace = \"none.up\"\n[[link]]\nname = \"c\"\nrate = \"1Mbps\"\n\
             down = [[\"5s\", \"3s\"]]\n",
        )
        .expect_err("faults");

        assert!(told.iter().any(|f| f.starts_with("s.toml:3: speed: is not a key here")), "{told:?}");
        assert!(told.iter().any(|f| f.starts_with("s.toml:6: link[0].rate")), "{told:?}");
        assert!(told.iter().any(|f| f.contains("none.up: is not there")), "{told:?}");
        assert!(told.iter().any(|f| f.contains("ends before it begins")), "{told:?}");
        assert!(read("").is_err());
    }
}
