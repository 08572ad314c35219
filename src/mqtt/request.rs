//! A payload as a Command, and its answer: bounded, repeat-safe, never from a retained message.
//!
//! In goes what came on a `cmd/…` topic. Out come a Command with a ticket, and answers: `accepted`
//! or `refused` when control has spoken, `done` when Status shows what was asked.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outbox::Publication;
use super::topic::Topics;
use crate::lang::Text;
use crate::media::line::{Delay, Gain};
use crate::media::{Hold, Layout, Line, OutputId, Slate, SourceId};
use crate::message::{Ask, Command, Origin, Phase, Refusal, Status, Tally};
use crate::time::Instant;

/// The largest payload that is read: a command is a few words.
pub const MAX_PAYLOAD: usize = 4096;

/// Commands that wait for control at most: more than any hand gives, few enough to answer in a second.
const MAX_WAITING: usize = 16;

/// Ids remembered, so that a repeat does nothing: more than a console sends while a message can be repeated.
const MAX_REMEMBERED: usize = 256;

/// An accepted command whose effect is not seen in so long gets no `done`.
const EFFECT_WITHIN: Duration = Duration::from_secs(60);

/// The broker forgets an answer that nobody fetched.
const ANSWER_EXPIRY: Duration = Duration::from_secs(60);

/// The console of those who name none.
const ANYONE: &str = "any";

/// What came on a topic.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'m> {
    /// Full topic.
    pub topic: &'m str,
    /// The bytes.
    pub payload: &'m [u8],
    /// The broker kept it from earlier: never a command.
    pub retained: bool,
    /// MQTT 5 response topic.
    pub response_topic: Option<&'m str>,
    /// MQTT 5 correlation data.
    pub correlation: Option<&'m [u8]>,
}

/// Finds the command again when its answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// Why a payload is no command; its sentence is what the console shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Wrong {
    TooLarge,
    NotJson,
    NoId,
    UnknownVerb,
    NoLayout,
    NoLine,
    NoSlate,
    NoSuchSlate,
    NoTally,
    NoRecord,
    NoGain,
    NoSwitch,
    NoDelay,
    NoOutput,
    NoHold,
    Busy,
}

impl Wrong {
    fn text(self) -> Text {
        match self {
            Self::TooLarge => {
                Text::new("命令过长，请勿超过4096字节", "the command is too long; send at most 4096 bytes")
            }
            Self::NotJson => Text::new(
                "命令格式错误，应为 JSON 对象",
                "the command is not readable; send a JSON object such as {\"id\":\"1\"}",
            ),
            Self::NoId => {
                Text::new("命令缺少编号 id", "the command has no id; give each command its own, at most 64 bytes")
            }
            Self::UnknownVerb => Text::new(
                "未知命令，可用：start、stop、layout、audio、slate、show、acknowledge、tally、next_speaker、undo_speaker、record、gain、mute、auto、delay、lipsync、activate、hold、dump",
                "no such command; there is start, stop, layout, audio, slate, show, acknowledge, tally, next_speaker, undo_speaker, record, gain, mute, auto, delay, lipsync, activate, hold, dump",
            ),
            Self::NoLayout => {
                let names = Layout::ALL.map(Layout::name).join(", ");
                Text::new(format!("画面布局无效，可用：{names}"), format!("no such layout; there is {names}"))
            }
            Self::NoSlate => Text::new("垫片参数无效，on 应为 true 或 false", "no such slate; on is true or false"),
            Self::NoSuchSlate => {
                let names = Slate::ALL.map(Slate::name).join(", ");
                Text::new(format!("没有该垫片，可用：{names}"), format!("no such slate; there is {names}"))
            }
            Self::NoRecord => {
                Text::new("录制参数无效，on 应为 true 或 false", "no such recording; on is true or false")
            }
            Self::NoGain => Text::new(
                "增益参数无效，line 应为 a 或 b，db 应为 -20 到 20",
                "no such gain; line is a or b, db is -20 to 20",
            ),
            Self::NoSwitch => Text::new("开关参数无效，on 应为 true 或 false", "on is true or false"),
            Self::NoDelay => Text::new(
                "延时参数无效，source 应为 camera、camera2、slides、mixer_a、mixer_b 或 embedded，ms 应为 -500 到 2000",
                "no such delay; source is camera, camera2, slides, mixer_a, mixer_b or embedded, ms is -500 to 2000",
            ),
            Self::NoOutput => {
                let names = OutputId::ALL.map(OutputId::name).join(", ");
                Text::new(format!("输出名称无效，可用：{names}"), format!("no such output; there is {names}"))
            }
            Self::NoHold => Text::new(
                "延播参数无效，seconds 应为 0 到 60 的整数",
                "no such programme delay; seconds is a whole number from 0 to 60",
            ),
            Self::NoTally => Text::new(
                "导播台状态无效，可用：off、preview、program",
                "no such tally; there is off, preview and program",
            ),
            Self::NoLine => {
                Text::new("音频线路无效，可用：a、b、embedded", "no such audio line; there is a, b and embedded")
            }
            Self::Busy => {
                Text::new("命令过多，请稍后再试", "too many commands wait; try again when these are answered")
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct Payload {
    id: Option<String>,
    console: Option<String>,
    layout: Option<String>,
    slate: Option<String>,
    line: Option<String>,
    db: Option<f64>,
    source: Option<String>,
    ms: Option<i64>,
    on: Option<bool>,
    tally: Option<String>,
    output: Option<String>,
    seconds: Option<u8>,
}

/// Where an answer goes, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    topic: String,
    correlation: Option<Vec<u8>>,
    id: Option<String>,
    verb: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    schema: u32,
    id: Option<&'a str>,
    verb: &'a str,
    result: &'static str,
    code: serde_json::Value,
    #[serde(flatten)]
    text: Text,
}

impl Reply {
    fn says(&self, result: &'static str, code: serde_json::Value, text: Text) -> Publication {
        let answer =
            Answer { schema: super::telemetry::SCHEMA, id: self.id.as_deref(), verb: &self.verb, result, code, text };
        Publication {
            topic: self.topic.clone(),
            payload: super::telemetry::json(&answer),
            acknowledged: true,
            retain: false,
            expiry: Some(ANSWER_EXPIRY),
            correlation: self.correlation.clone(),
        }
    }

    fn refused(&self, code: impl Serialize, text: Text) -> Publication {
        self.says("refused", serde_json::to_value(code).unwrap_or_default(), text)
    }
}

/// Commands on their way.
#[derive(Debug, Default)]
pub(super) struct Requests {
    next: u64,
    remembered: VecDeque<(String, String)>,
    waiting: VecDeque<(Ticket, Command)>,
    asked: Vec<(Ticket, Ask, Reply)>,
    accepted: VecDeque<(Instant, Ask, Reply)>,
}

impl Requests {
    /// Takes what came on a topic; gives an answer at once if it is no command.
    pub(super) fn handle_message(&mut self, topics: &Topics, message: Incoming<'_>) -> Option<Publication> {
        let verb = topics.verb(message.topic)?;
        if message.retained {
            return None;
        }
        let mut reply = Reply {
            topic: message.response_topic.filter(|t| topics.is_ack(t)).map(str::to_owned).or(topics.ack(ANYONE))?,
            correlation: message.correlation.filter(|c| c.len() <= MAX_PAYLOAD).map(<[u8]>::to_vec),
            id: None,
            verb: verb.to_owned(),
        };
        if message.payload.len() > MAX_PAYLOAD {
            return Some(reply.refused(Wrong::TooLarge, Wrong::TooLarge.text()));
        }
        let Ok(payload) = serde_json::from_slice::<Payload>(message.payload) else {
            return Some(reply.refused(Wrong::NotJson, Wrong::NotJson.text()));
        };
        if message.response_topic.is_none_or(|t| !topics.is_ack(t))
            && let Some(own) = payload.console.as_deref().and_then(|console| topics.ack(console))
        {
            reply.topic = own;
        }
        let Some(id) = payload.id.clone().filter(|id| (1..=64).contains(&id.len())) else {
            return Some(reply.refused(Wrong::NoId, Wrong::NoId.text()));
        };
        reply.id = Some(id.clone());

        let known = (reply.topic.clone(), id);
        if self.remembered.contains(&known) {
            return None;
        }
        if self.remembered.len() == MAX_REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back(known);

        let ask = match ask(verb, &payload) {
            Ok(ask) if self.asked.len() < MAX_WAITING => ask,
            Ok(_) => return Some(reply.refused(Wrong::Busy, Wrong::Busy.text())),
            Err(wrong) => return Some(reply.refused(wrong, wrong.text())),
        };
        self.next += 1;
        self.waiting.push_back((Ticket(self.next), Command { origin: Origin::Remote, ask }));
        self.asked.push((Ticket(self.next), ask, reply));
        None
    }

    /// The next command for control.
    pub(super) fn poll_command(&mut self) -> Option<(Ticket, Command)> {
        self.waiting.pop_front()
    }

    /// Control has spoken.
    pub(super) fn handle_answer(
        &mut self,
        now: Instant,
        ticket: Ticket,
        answer: Result<(), Refusal>,
    ) -> Option<Publication> {
        let at = self.asked.iter().position(|(t, ..)| *t == ticket)?;
        let (_, ask, reply) = self.asked.remove(at);
        Some(match answer {
            Ok(()) => {
                let said = reply.says("accepted", "accepted".into(), Text::new("已接受", "accepted"));
                self.accepted.push_back((now, ask, reply));
                if self.accepted.len() > MAX_WAITING {
                    self.accepted.pop_front();
                }
                said
            }
            Err(refusal) => reply.refused(refusal, refusal.text()),
        })
    }

    /// What Status shows to be done.
    pub(super) fn handle_status(&mut self, now: Instant, status: &Status) -> Vec<Publication> {
        let mut done = Vec::new();
        self.accepted.retain(|(since, ask, reply)| {
            let seen = shows(status, *ask);
            if seen {
                done.push(reply.says("done", "done".into(), Text::new("已完成", "done")));
            }
            !seen && now.since(*since) < EFFECT_WITHIN
        });
        done
    }
}

fn ask(verb: &str, payload: &Payload) -> Result<Ask, Wrong> {
    match verb {
        "start" => Ok(Ask::Start),
        "stop" => Ok(Ask::Stop),
        "layout" => {
            let layout = payload.layout.as_deref().and_then(|name| name.parse::<Layout>().ok());
            Ok(Ask::Layout { layout: layout.ok_or(Wrong::NoLayout)? })
        }
        "audio" => {
            let line = payload.line.as_deref().and_then(|name| name.parse::<Line>().ok());
            Ok(Ask::Audio { line: line.ok_or(Wrong::NoLine)? })
        }
        "slate" => Ok(Ask::Slate { on: payload.on.ok_or(Wrong::NoSlate)? }),
        "show" => {
            let slate = payload.slate.as_deref().and_then(|name| name.parse::<Slate>().ok());
            Ok(Ask::Show { slate: slate.ok_or(Wrong::NoSuchSlate)? })
        }
        "acknowledge" => Ok(Ask::Acknowledge),
        "tally" => {
            let tally = payload.tally.as_deref().and_then(|name| name.parse::<Tally>().ok());
            Ok(Ask::Tally { tally: tally.ok_or(Wrong::NoTally)? })
        }
        "next_speaker" => Ok(Ask::NextSpeaker),
        "undo_speaker" => Ok(Ask::UndoSpeaker),
        "record" => Ok(Ask::Record { on: payload.on.ok_or(Wrong::NoRecord)? }),
        "gain" => {
            let line = payload.line.as_deref().and_then(|name| name.parse::<Line>().ok()).ok_or(Wrong::NoGain)?;
            let db = payload.db.filter(|db| Gain::RANGE.contains(db)).ok_or(Wrong::NoGain)?;
            Ok(Ask::Gain { line, gain: Gain::db(db) })
        }
        "mute" => Ok(Ask::Mute { on: payload.on.ok_or(Wrong::NoSwitch)? }),
        "auto" => Ok(Ask::Auto { on: payload.on.ok_or(Wrong::NoSwitch)? }),
        "delay" => {
            let named = |source: &SourceId| payload.source.as_deref() == Some(source.name());
            let source = SourceId::ALL.into_iter().find(named).ok_or(Wrong::NoDelay)?;
            let ms = payload.ms.filter(|ms| Delay::RANGE.contains(ms)).ok_or(Wrong::NoDelay)?;
            Ok(Ask::Delay { source, delay: Delay::ms(ms) })
        }
        "lipsync" => Ok(Ask::Lipsync { on: payload.on.ok_or(Wrong::NoSwitch)? }),
        "activate" => Ok(Ask::Activate { output: output(payload)? }),
        "hold" => {
            let seconds = payload.seconds.and_then(Hold::seconds).ok_or(Wrong::NoHold)?;
            Ok(Ask::Hold { output: output(payload)?, seconds })
        }
        "dump" => Ok(Ask::Dump { output: output(payload)?, on: payload.on.ok_or(Wrong::NoSwitch)? }),
        _ => Err(Wrong::UnknownVerb),
    }
}

fn output(payload: &Payload) -> Result<OutputId, Wrong> {
    payload.output.as_deref().and_then(|name| name.parse().ok()).ok_or(Wrong::NoOutput)
}

fn shows(status: &Status, ask: Ask) -> bool {
    match ask {
        Ask::Start => status.phase == Phase::Live,
        Ask::Stop => status.phase == Phase::Standby,
        Ask::Layout { layout } => status.programme.layout == layout,
        Ask::Audio { line } => status.programme.line == line,
        Ask::Slate { on } => status.programme.slate_wanted == on,
        Ask::Show { slate } => status.programme.slate_wanted && status.programme.which == slate,
        Ask::Acknowledge => status.alarms.iter().all(|alarm| alarm.acknowledged),
        Ask::Tally { tally } => status.tally == tally,
        // a step that can be taken back was taken, and one that was taken back cannot be again
        Ask::NextSpeaker => status.agenda.undo_until.is_some(),
        Ask::UndoSpeaker => status.agenda.undo_until.is_none(),
        Ask::Record { on } => status.recording.wanted == on,
        Ask::Gain { line, gain } => status.sound.lines.iter().any(|l| l.line == line && l.gain_db == gain.as_db()),
        Ask::Mute { on } => status.sound.mute == on,
        Ask::Auto { on } => status.sound.auto_switch == on,
        Ask::Delay { source, delay } => {
            let mut lines = status.sound.lines.iter();
            // a picture's delay stands nowhere in Status; what was accepted is in force
            source.is_picture() || lines.any(|l| l.line.source() == source && l.delay_ms == delay.as_ms())
        }
        Ask::Lipsync { on } => status.sound.lip_sync_running == on,
        Ask::Activate { output } => status.outputs.iter().any(|o| o.name == output && o.active),
        Ask::Hold { output, seconds } => {
            let wanted = f64::from(seconds.as_seconds());
            status.outputs.iter().any(|o| o.name == output && o.delay.wanted == Some(wanted))
        }
        Ask::Dump { output, on } => status.outputs.iter().any(|o| o.name == output && o.dumped == on),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::fixture::status;
    use proptest::strategy::Strategy as _;
    use serde_json::Value;

    fn topics() -> Topics {
        Topics::new("hall-1").expect("a plain name")
    }

    fn message<'m>(topic: &'m str, payload: &'m str) -> Incoming<'m> {
        Incoming { topic, payload: payload.as_bytes(), retained: false, response_topic: None, correlation: None }
    }

    fn read(publication: &Publication) -> Value {
        serde_json::from_str(&publication.payload).expect("we write JSON")
    }

    const START: &str = "livebox/v1/hall-1/cmd/start";
    const LAYOUT: &str = "livebox/v1/hall-1/cmd/layout";

    #[test]
    fn a_command_is_accepted_by_control_and_done_when_status_shows_it() {
        let mut requests = Requests::default();
        let now = Instant::ZERO;

        assert_eq!(requests.handle_message(&topics(), message(START, r#"{"id":"7","console":"desk"}"#)), None);
        let (ticket, command) = requests.poll_command().expect("a command for control");
        let accepted = requests.handle_answer(now, ticket, Ok(())).expect("an answer");
        let not_yet = requests.handle_status(now, &status());
        let mut live = status();
        live.phase = Phase::Live;
        let done = requests.handle_status(now, &live);

        assert_eq!(command, Command { origin: Origin::Remote, ask: Ask::Start });
        assert_eq!(accepted.topic, "livebox/v1/hall-1/ack/desk");
        assert_eq!((&read(&accepted)["result"], &read(&accepted)["id"]), (&"accepted".into(), &"7".into()));
        assert!(not_yet.is_empty());
        assert_eq!(read(&done[0])["result"], "done");
        assert!(requests.handle_status(now, &live).is_empty());
    }

    #[test]
    fn a_refusal_carries_its_code_and_sentence_in_both_languages() {
        let mut requests = Requests::default();

        requests.handle_message(&topics(), message(START, r#"{"id":"7"}"#));
        let (ticket, _) = requests.poll_command().expect("a command");
        let refused = requests.handle_answer(Instant::ZERO, ticket, Err(Refusal::AlreadyLive)).expect("an answer");

        let said = read(&refused);
        assert_eq!((&said["result"], &said["code"]), (&"refused".into(), &"already_live".into()));
        assert_eq!(said["zh"], Refusal::AlreadyLive.text().zh);
        assert_eq!(said["en"], Refusal::AlreadyLive.text().en);
    }

    #[test]
    fn a_repeat_is_obeyed_once_and_answered_once() {
        let mut requests = Requests::default();

        for _ in 0..3 {
            assert_eq!(requests.handle_message(&topics(), message(LAYOUT, r#"{"id":"1","layout":"slides"}"#)), None);
        }

        assert!(requests.poll_command().is_some());
        assert!(requests.poll_command().is_none());
    }

    #[test]
    fn a_retained_command_is_no_command() {
        let mut requests = Requests::default();

        let answer = requests.handle_message(&topics(), Incoming { retained: true, ..message(START, r#"{"id":"1"}"#) });

        assert!(answer.is_none() && requests.poll_command().is_none());
    }

    #[test]
    fn the_response_topic_counts_only_below_the_boxs_own_answers() {
        let mut requests = Requests::default();
        let own = Incoming {
            response_topic: Some("livebox/v1/hall-1/ack/a"),
            correlation: Some(b"42"),
            ..message(START, "no json")
        };
        let foreign = Incoming { response_topic: Some("livebox/v1/hall-2/cmd/stop"), ..message(START, "no json") };

        let own = requests.handle_message(&topics(), own).expect("an answer");
        let foreign = requests.handle_message(&topics(), foreign).expect("an answer");

        assert_eq!((own.topic.as_str(), own.correlation.as_deref()), ("livebox/v1/hall-1/ack/a", Some(&b"42"[..])));
        assert_eq!(foreign.topic, "livebox/v1/hall-1/ack/any");
    }

    #[test]
    fn what_is_no_command_is_refused_with_the_mend_and_never_reaches_control() {
        let mut requests = Requests::default();
        let huge = format!(r#"{{"id":"{}"}}"#, "x".repeat(MAX_PAYLOAD));
        let cases = [
            ("start", "", "not_json"),
            ("start", "[1]", "not_json"),
            ("start", "{}", "no_id"),
            ("start", &huge, "too_large"),
            ("dance", r#"{"id":"1"}"#, "unknown_verb"),
            ("layout", r#"{"id":"2"}"#, "no_layout"),
            ("layout", r#"{"id":"3","layout":"mosaic"}"#, "no_layout"),
            ("audio", r#"{"id":"4","line":"c"}"#, "no_line"),
        ];

        for (verb, payload, code) in cases {
            let topic = format!("livebox/v1/hall-1/cmd/{verb}");
            let answer = requests.handle_message(&topics(), message(&topic, payload)).expect("an answer");
            assert_eq!(read(&answer)["code"], code, "{verb} {payload:.40}");
        }
        assert!(requests.poll_command().is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_message_whatever_panics_or_reaches_control_unread(
            verb in "[a-z/+#]{0,12}",
            payload in proptest::prop_oneof![
                proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
                r#"\{"id":"[a-z]{0,3}","layout":"(camera|x)","line":"(a|z)","console":"[/+#a-z]{0,4}"\}"#
                    .prop_map(String::into_bytes),
            ],
            response in proptest::option::of("(livebox/v1/hall-1/ack/)?[a-z/+#]{0,8}"),
        ) {
            let mut requests = Requests::default();
            let topic = format!("livebox/v1/hall-1/cmd/{verb}");

            let answer = requests.handle_message(&topics(), Incoming {
                topic: &topic,
                payload: &payload,
                retained: false,
                response_topic: response.as_deref(),
                correlation: None,
            });

            let read = requests.poll_command();
            proptest::prop_assert!(answer.is_none() || read.is_none());
            proptest::prop_assert!(answer.is_none_or(|a| topics().is_ack(&a.topic)));
            proptest::prop_assert!(read.is_none() || ["start", "stop", "layout", "audio"].contains(&verb.as_str()));
        }
    }

    #[test]
    fn a_flood_of_commands_is_bounded() {
        let mut requests = Requests::default();

        let refused = (0..1000)
            .filter_map(|n| requests.handle_message(&topics(), message(START, &format!(r#"{{"id":"{n}"}}"#))))
            .count();

        assert_eq!(refused, 1000 - MAX_WAITING);
        assert!(requests.remembered.len() <= MAX_REMEMBERED);
    }
}
