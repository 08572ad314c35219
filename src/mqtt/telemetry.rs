//! What of Status is told, in which words, and what in it counts as a change.
//!
//! Each topic has a *payload* (everything) and a *gist* (what a person would notice). A changed gist
//! is told at once; everything else goes with the pace.

use serde::Serialize;

use super::outbox::Publication;
use super::topic::Topics;
use crate::alarm::{AlarmKind, Severity};
use crate::bond::LinkPhase;
use crate::bond::echo::Echo;
use crate::health::{CPU, DISK_FREE, Limit, MEMORY, Sample, TEMPERATURE};
use crate::lang::Text;
use crate::media::line::Fault;
use crate::media::meter::Levels;
use crate::media::{Layout, Line, SourceId};
use crate::message::{
    AgendaStatus, AlarmLine, InputStatus, LinkStatus, OutputStatus, Phase, Programme, Reading, RecordingStatus,
    SoundStatus, Status, Verdict, alarm_of,
};

/// Number of the payloads' form; it grows when a field changes its meaning.
pub(super) const SCHEMA: u32 = 1;

/// Share of packets lost on a link: recovery hides the first, the second costs more than the link brings.
const LOSS: Limit = Limit { wanted: 0.02, harmful: 0.10, calm: 0.05 };

/// Who speaks: fixed for the life of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The kernel's boot id: a changed one means that the machine restarted.
    pub boot: String,
    /// Version of this program.
    pub firmware: String,
}

/// Whether the box is there, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Nothing harmful is known.
    Ready,
    /// An alarm that harms the programme, or with the next fault would, is raised.
    Alert,
    /// The broker lost the box: its will.
    Lost,
    /// The box has said goodbye.
    Disconnected,
}

/// One topic's message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// Full topic.
    pub topic: String,
    /// What a person would notice; equal means: the pace is soon enough.
    pub gist: String,
    /// The whole payload.
    pub payload: String,
    /// Figures in it grow old: told with the pace, and forgotten by the broker.
    pub paced: bool,
    /// The broker acknowledges it.
    pub acknowledged: bool,
}

#[derive(Serialize)]
struct State<'a> {
    schema: u32,
    status: Presence,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<At>,
    boot: &'a str,
    firmware: &'a str,
}

/// When the payload was made: seconds since the process began (all `since_s` are of this scale) and wall time.
#[derive(Serialize, Clone, Copy)]
struct At {
    s: f64,
    wall_ms: Option<u64>,
}

#[derive(Serialize)]
struct Info<'a> {
    schema: u32,
    device: &'a str,
    boot: &'a str,
    firmware: &'a str,
    slots: Vec<&'a str>,
    inputs: Vec<SourceId>,
    layouts: [Layout; Layout::ALL.len()],
    lines: Vec<Line>,
    verbs: [&'static str; 20],
}

#[derive(Serialize)]
struct Health<'a> {
    schema: u32,
    at: At,
    phase: Phase,
    since_s: f64,
    programme: &'a Programme,
    recording: &'a RecordingStatus,
    agenda: &'a AgendaStatus,
    inputs: &'a [InputStatus],
    sound: Sound<'a>,
    outputs: &'a [OutputStatus],
    reductions: Vec<Reduction<'a>>,
    far_end: Option<Far<'a>>,
    machine: Option<Machine>,
    alarms: Vec<Alarm<'a>>,
    events: Vec<Event<'a>>,
}

/// The sound, and what each finding means to whoever reads it.
#[derive(Serialize)]
struct Sound<'a> {
    #[serde(flatten)]
    status: &'a SoundStatus,
    findings: Vec<SoundFinding>,
}

#[derive(Serialize)]
struct SoundFinding {
    line: Line,
    fault: Fault,
    since_s: f64,
    confidence: f64,
    text: Text,
    advice: Text,
}

/// The meters alone, ten times a second.
#[derive(Serialize)]
struct Meters {
    schema: u32,
    at_s: f64,
    line: Line,
    lines: Vec<LineMeters>,
    programme: Option<Levels>,
    reduction_db: f64,
}

#[derive(Serialize)]
struct LineMeters {
    line: Line,
    levels: Option<Levels>,
}

/// What the gateway hears, and when it last told.
#[derive(Serialize)]
struct Far<'a> {
    heard_s: f64,
    streams: &'a [Echo],
}

#[derive(Serialize)]
struct Machine {
    cpu: Reading,
    memory: Reading,
    temperature: Reading,
    disk_free: Reading,
    disk_free_bytes: u64,
    disk_total_bytes: u64,
    uptime_s: u64,
}

#[derive(Serialize)]
struct Alarm<'a> {
    kind: AlarmKind,
    subject: &'a str,
    severity: Severity,
    since_s: f64,
    text: &'a Text,
    advice: &'a Text,
    acknowledged: bool,
}

/// Something taken back for the sake of what matters more.
#[derive(Serialize)]
struct Reduction<'a> {
    what: &'a str,
    since_s: f64,
    why: &'a Text,
}

#[derive(Serialize)]
struct Event<'a> {
    seq: u64,
    at_s: f64,
    text: &'a Text,
}

#[derive(Serialize)]
struct Link<'a> {
    schema: u32,
    at: At,
    slot: &'a str,
    metered: bool,
    interface: Option<&'a str>,
    address: Option<&'a str>,
    carrier: bool,
    phase: LinkPhase,
    verdict: Verdict,
    rtt_ms: Reading,
    loss: Reading,
    rate_mbit: Reading,
    capacity_mbit: Reading,
    sent_bytes: u64,
}

/// How many of the latest events `health` carries: as many as a page shows.
const EVENTS: usize = 12;

/// The will, or the goodbye.
#[must_use]
pub fn absence(identity: &Identity, status: Presence) -> String {
    json(&State {
        schema: SCHEMA,
        status,
        phase: None,
        since_s: None,
        at: None,
        boot: &identity.boot,
        firmware: &identity.firmware,
    })
}

/// Everything there is to tell, state first.
#[must_use]
pub(super) fn all(topics: &Topics, identity: &Identity, status: &Status) -> Vec<Told> {
    let mut told = vec![state(topics, identity, status), info(topics, identity, status), health(topics, status)];
    told.extend(status.links.iter().filter_map(|slot| link(topics, status, slot)));
    told
}

/// `ready` or `alert`.
#[must_use]
pub(super) fn presence(status: &Status) -> Presence {
    let grave = |alarm: &AlarmLine| alarm.severity <= Severity::Major;
    if status.alarms.iter().any(grave) { Presence::Alert } else { Presence::Ready }
}

fn state(topics: &Topics, identity: &Identity, status: &Status) -> Told {
    let told = State {
        schema: SCHEMA,
        status: presence(status),
        phase: Some(status.phase),
        since_s: Some(status.since.as_secs_f64()),
        at: Some(at(status)),
        boot: &identity.boot,
        firmware: &identity.firmware,
    };
    Told {
        topic: topics.state(),
        gist: json(&(told.status, status.phase)),
        payload: json(&told),
        paced: false,
        acknowledged: true,
    }
}

fn info(topics: &Topics, identity: &Identity, status: &Status) -> Told {
    let payload = json(&Info {
        schema: SCHEMA,
        device: &status.device,
        boot: &identity.boot,
        firmware: &identity.firmware,
        slots: status.links.iter().map(|link| link.slot.as_str()).collect(),
        inputs: status.inputs.iter().map(|input| input.source).collect(),
        layouts: Layout::ALL,
        lines: status.sound.lines.iter().map(|line| line.line).collect(),
        verbs: [
            "start",
            "stop",
            "layout",
            "audio",
            "slate",
            "show",
            "acknowledge",
            "tally",
            "next_speaker",
            "undo_speaker",
            "record",
            "gain",
            "mute",
            "auto",
            "delay",
            "lipsync",
            "activate",
            "hold",
            "dump",
            "meters",
        ],
    });
    Told { topic: topics.info(), gist: payload.clone(), payload, paced: false, acknowledged: true }
}

fn health(topics: &Topics, status: &Status) -> Told {
    let machine = status.health.as_ref().map(machine);
    let programme = &status.programme;
    let verdicts = machine.as_ref().map(|m| [&m.cpu, &m.memory, &m.temperature, &m.disk_free].map(|r| r.verdict));
    let heard = status.far_end.iter().flat_map(|far| &far.streams).map(|echo| {
        let sessions: Vec<_> = echo.destinations.iter().map(|d| (&d.name, d.session, d.answered)).collect();
        (echo.stream, [echo.flow, echo.clock, echo.picture, echo.sound], sessions)
    });
    let lines = status.sound.lines.iter().map(|line| {
        let faults: Vec<_> = line.faults.iter().map(|fault| fault.fault).collect();
        (line.line, line.gain_db, line.delay_ms, line.leads, faults)
    });
    let outputs = status.outputs.iter().map(|o| {
        let destinations: Vec<_> = o.destinations.iter().map(|d| (&d.name, d.state)).collect();
        (o.name, o.state, o.active, o.delay.wanted, o.dumped, destinations)
    });
    let reductions = status.reductions.iter().map(|r| &r.what);
    let agenda = &status.agenda;
    let tier = agenda.tier.as_ref().map(|tier| (&tier.name, &tier.proposed));
    let agenda = (&agenda.now, &agenda.next, agenda.undo_until, agenda.faults, tier);
    let gist = json(&(
        heard.collect::<Vec<_>>(),
        (
            status.phase,
            programme.layout,
            programme.line,
            programme.slate,
            programme.slate_wanted,
            programme.encoder,
            programme.output_open,
        ),
        [programme.bitrate, programme.fps, programme.safe_rate].map(|r| r.verdict),
        (status.recording.wanted, &status.recording.file, agenda),
        status.inputs.iter().map(|i| (i.source, i.present)).collect::<Vec<_>>(),
        status.alarms.iter().map(|a| (a.kind, &a.subject, a.acknowledged)).collect::<Vec<_>>(),
        verdicts,
        (status.sound.mute, status.sound.auto_switch, status.sound.switched, status.sound.lip_sync_running),
        lines.collect::<Vec<_>>(),
        (outputs.collect::<Vec<_>>(), reductions.collect::<Vec<_>>()),
    ));
    let payload = json(&Health {
        schema: SCHEMA,
        at: at(status),
        phase: status.phase,
        since_s: status.since.as_secs_f64(),
        programme,
        recording: &status.recording,
        agenda: &status.agenda,
        inputs: &status.inputs,
        sound: sound(&status.sound),
        outputs: &status.outputs,
        reductions: status
            .reductions
            .iter()
            .map(|r| Reduction { what: &r.what, since_s: r.since.as_secs_f64(), why: &r.why })
            .collect(),
        far_end: status.far_end.as_ref().map(|far| Far { heard_s: far.heard.as_secs_f64(), streams: &far.streams }),
        machine,
        alarms: status.alarms.iter().map(alarm).collect(),
        events: status.events.iter().rev().take(EVENTS).rev().map(event).collect(),
    });
    Told { topic: topics.health(), gist, payload, paced: true, acknowledged: true }
}

fn sound(status: &SoundStatus) -> Sound<'_> {
    let of = |line: Line| {
        move |kind: AlarmKind| {
            let subject = line.source().name();
            (kind.text(subject, &Text::default()), kind.advice(subject, &Text::default()))
        }
    };
    let findings = status.lines.iter().flat_map(|line| {
        line.faults.iter().map(move |fault| {
            let (text, advice) = of(line.line)(alarm_of(fault.fault));
            let (since_s, confidence) = (fault.since_s, fault.confidence);
            SoundFinding { line: line.line, fault: fault.fault, since_s, confidence, text, advice }
        })
    });
    Sound { status, findings: findings.collect() }
}

/// The meters of every line and of the programme, to a tenth of a decibel; never kept, they are of now.
pub(super) fn meters(topics: &Topics, status: &Status) -> Publication {
    let sound = &status.sound;
    let payload = json(&Meters {
        schema: SCHEMA,
        at_s: status.at.as_secs_f64(),
        line: status.programme.line,
        lines: sound
            .lines
            .iter()
            .map(|line| LineMeters { line: line.line, levels: line.levels.map(Levels::rounded) })
            .collect(),
        programme: sound.programme.map(Levels::rounded),
        reduction_db: (sound.reduction_db * 10.0).round() / 10.0,
    });
    Publication { topic: topics.meters(), payload, acknowledged: false, retain: false, expiry: None, correlation: None }
}

fn link(topics: &Topics, status: &Status, link: &LinkStatus) -> Option<Told> {
    let verdict = verdict_of(link);
    let measured = |value: f64| Reading { measured: Some(value), wanted: None, verdict };
    let payload = json(&Link {
        schema: SCHEMA,
        at: at(status),
        slot: &link.slot,
        metered: link.metered,
        interface: link.interface.as_deref(),
        address: link.address.as_deref(),
        carrier: link.carrier,
        phase: link.phase,
        verdict,
        rtt_ms: Reading {
            measured: link.rtt_ms,
            wanted: None,
            verdict: if link.rtt_ms.is_some() { verdict } else { Verdict::Unknown },
        },
        loss: at_most(link.loss, LOSS),
        rate_mbit: measured(link.rate_mbit),
        capacity_mbit: measured(link.capacity_mbit),
        sent_bytes: link.sent_bytes,
    });
    let gist = json(&(link.carrier, link.phase, &link.interface, &link.address));
    Some(Told { topic: topics.link(&link.slot)?, gist, payload, paced: true, acknowledged: false })
}

fn verdict_of(link: &LinkStatus) -> Verdict {
    match link.phase {
        LinkPhase::Down | LinkPhase::Suspect => Verdict::Bad,
        LinkPhase::Registering | LinkPhase::Probing => Verdict::Warn,
        LinkPhase::Up => at_most(link.loss, LOSS).verdict,
    }
}

fn machine(sample: &Sample) -> Machine {
    let disk_free = match sample.disk_free_share() {
        None => Reading { measured: None, wanted: Some(DISK_FREE.wanted), verdict: Verdict::Unknown },
        Some(free) => {
            let verdict = match free {
                free if DISK_FREE.too_low(free, false) => Verdict::Bad,
                free if free < DISK_FREE.wanted => Verdict::Warn,
                _ => Verdict::Good,
            };
            Reading { measured: Some(free), wanted: Some(DISK_FREE.wanted), verdict }
        }
    };
    Machine {
        cpu: at_most(sample.cpu.0, CPU),
        memory: at_most(sample.memory.0, MEMORY),
        temperature: match sample.temperature {
            Some(hottest) => at_most(hottest.0, TEMPERATURE),
            None => Reading { measured: None, wanted: Some(TEMPERATURE.wanted), verdict: Verdict::Unknown },
        },
        disk_free,
        disk_free_bytes: sample.disk_free.0,
        disk_total_bytes: sample.disk_total.0,
        uptime_s: sample.uptime,
    }
}

/// A figure that should stay at or below what is wanted.
fn at_most(value: f64, limit: Limit) -> Reading {
    let verdict = if limit.too_high(value, false) {
        Verdict::Bad
    } else if value > limit.wanted {
        Verdict::Warn
    } else {
        Verdict::Good
    };
    Reading { measured: Some(value), wanted: Some(limit.wanted), verdict }
}

fn alarm(line: &AlarmLine) -> Alarm<'_> {
    Alarm {
        kind: line.kind,
        subject: &line.subject,
        severity: line.severity,
        since_s: line.since.as_secs_f64(),
        text: &line.text,
        advice: &line.advice,
        acknowledged: line.acknowledged,
    }
}

fn event(event: &crate::message::Event) -> Event<'_> {
    Event { seq: event.seq, at_s: event.at.as_secs_f64(), text: &event.text }
}

fn at(status: &Status) -> At {
    At { s: status.at.as_secs_f64(), wall_ms: status.wall.map(|wall| wall.0) }
}

/// JSON of a value that cannot fail to be written: text keys, no maps of anything else.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with text keys is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{LineFault, LineStatus};
    use crate::mqtt::fixture::status;
    use crate::units::{Bytes, Celsius};
    use serde_json::Value;

    fn told(status: &Status) -> Vec<(String, Value)> {
        let topics = Topics::new("hall-1").expect("a plain name");
        let identity = Identity { boot: "b".to_owned(), firmware: "0.1.0".to_owned() };
        all(&topics, &identity, status)
            .into_iter()
            .map(|t| (t.topic, serde_json::from_str(&t.payload).expect("we write JSON")))
            .collect()
    }

    #[test]
    fn every_topic_is_told_with_measured_beside_wanted() {
        let told = told(&status());

        let topics: Vec<_> = told.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(topics[..3], ["livebox/v1/hall-1/state", "livebox/v1/hall-1/info", "livebox/v1/hall-1/health"]);
        assert_eq!(topics.len(), 3 + 7);
        assert_eq!(told[0].1["phase"], "standby");
        let cpu = &told[2].1["machine"]["cpu"];
        assert_eq!((&cpu["measured"], &cpu["wanted"], &cpu["verdict"]), (&12.0.into(), &80.0.into(), &"good".into()));
        assert_eq!(told[3].1["rtt_ms"]["measured"], 12.0);
    }

    #[test]
    fn a_hot_box_with_a_full_disk_is_judged_so() {
        let mut hot = status();
        hot.health = hot.health.map(|s| Sample {
            temperature: Some(Celsius(90.0)),
            disk_free: Bytes(1),
            disk_total: Bytes(1000),
            ..s
        });

        let told = told(&hot);

        assert_eq!(told[2].1["machine"]["temperature"]["verdict"], "bad");
        assert_eq!(told[2].1["machine"]["disk_free"]["verdict"], "bad");
    }

    #[test]
    fn each_line_of_the_board_is_told_with_what_is_wrong_and_what_to_do_about_it() {
        let mut humming = status();
        let line = |line, faults| LineStatus {
            line,
            levels: None,
            leads: Default::default(),
            ppm: Some(12.5),
            gain_db: 0.0,
            delay_ms: 0,
            faults,
        };
        let hum = LineFault { fault: Fault::Hum, since_s: 4.0, confidence: 0.9 };
        humming.sound.lines = vec![line(Line::A, vec![]), line(Line::B, vec![hum]), line(Line::Embedded, vec![])];

        let told = told(&humming);

        assert_eq!(told[1].1["lines"], serde_json::json!(["a", "b", "embedded"]));
        let finding = &told[2].1["sound"]["findings"][0];
        assert_eq!((&finding["line"], &finding["fault"]), (&"b".into(), &"hum".into()));
        assert!(finding["advice"]["en"].as_str().is_some_and(|advice| advice.contains("line B")), "{finding}");
        assert!(finding["advice"]["zh"].as_str().is_some_and(|advice| advice.contains('B')), "{finding}");
        assert_eq!(told[2].1["sound"]["lines"][1]["ppm"], 12.5);
    }

    #[test]
    fn a_figure_that_is_not_a_number_is_told_as_absent() {
        let mut odd = status();
        odd.links[0].loss = f64::NAN;

        assert_eq!(told(&odd)[3].1["loss"]["measured"], Value::Null);
    }
}
