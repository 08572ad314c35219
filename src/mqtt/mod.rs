//! Status as telemetry, requests as Commands.
//!
//! [`Mqtt`] is a machine without socket and clock. In go Status, what the broker brings and control's
//! answers; out come messages to publish and Commands. `io/mqtt.rs` drives it with a real session.

mod backoff;
mod config;
mod outbox;
mod request;
mod telemetry;
mod topic;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use backoff::Backoff;
pub use config::{Config, Login, Tls};
pub use outbox::Publication;
pub use request::{Incoming, MAX_PAYLOAD, Ticket};
pub use telemetry::{Identity, Presence, absence};
pub use topic::{Topics, is_level};

use crate::message::{Command, Refusal, Status};
use crate::time::Instant;
use outbox::Outbox;
use request::Requests;

/// Changes are gathered for so long: quick for an eye, and a flapping link cannot flood.
const GATHER: Duration = Duration::from_millis(200);

/// Meters are told for so long after a console asked; one that still looks asks again.
const METERS_FOR: Duration = Duration::from_secs(30);
/// And no oftener than this: they are measured ten times a second.
const METERS_EVERY: Duration = Duration::from_millis(70);
/// The verb that asks for them.
const METERS: &str = "meters";

/// The broker forgets figures after this time at the least: so long may a page think them alive.
const LEAST_EXPIRY: Duration = Duration::from_secs(60);

/// The face that speaks MQTT. After any `handle_*`: poll everything until empty, then sleep until
/// [`Mqtt::next_timeout`] or the next input.
#[derive(Debug)]
pub struct Mqtt {
    topics: Topics,
    identity: Identity,
    pace: Duration,
    connected: bool,
    status: Option<Arc<Status>>,
    gists: BTreeMap<String, String>,
    told_at: Option<Instant>,
    paced_at: Option<Instant>,
    held: bool,
    meters_asked: bool,
    meters_until: Option<Instant>,
    metered_at: Option<Instant>,
    outbox: Outbox,
    requests: Requests,
}

impl Mqtt {
    /// A face that is not connected.
    #[must_use]
    pub fn new(topics: Topics, identity: Identity, pace: Duration) -> Self {
        Self {
            topics,
            identity,
            pace,
            connected: false,
            status: None,
            gists: BTreeMap::new(),
            told_at: None,
            paced_at: None,
            held: false,
            meters_asked: false,
            meters_until: None,
            metered_at: None,
            outbox: Outbox::default(),
            requests: Requests::default(),
        }
    }

    /// What the broker shall say for us when we are gone without a word.
    #[must_use]
    pub fn will(&self) -> Publication {
        self.absence(Presence::Lost)
    }

    /// The broker accepted us: everything is told afresh.
    pub fn handle_connected(&mut self, now: Instant) {
        self.connected = true;
        self.outbox.clear();
        self.gists.clear();
        self.paced_at = None;
        self.tell(now);
    }

    /// The broker is away: nothing waits for it.
    pub fn handle_lost(&mut self) {
        self.connected = false;
        self.held = false;
        self.outbox.clear();
    }

    /// What everyone may know now.
    pub fn handle_status(&mut self, now: Instant, status: Arc<Status>) {
        for done in self.requests.handle_status(now, &status) {
            self.answer(done);
        }
        self.status = Some(status);
        self.held = self.connected && (self.held || self.has_changed());
        self.handle_timeout(now);
        self.meter(now);
    }

    /// Meters, while somebody looks at them.
    fn meter(&mut self, now: Instant) {
        if std::mem::take(&mut self.meters_asked) {
            self.meters_until = Some(now + METERS_FOR);
        }
        let looked_at = self.connected && self.meters_until.is_some_and(|until| now < until);
        let due = self.metered_at.is_none_or(|at| now.since(at) >= METERS_EVERY);
        if let Some(status) = self.status.as_deref().filter(|_| looked_at && due) {
            self.outbox.put(telemetry::meters(&self.topics, status));
            self.metered_at = Some(now);
        }
    }

    /// The broker brought a message.
    pub fn handle_message(&mut self, message: Incoming<'_>) {
        if self.topics.verb(message.topic) == Some(METERS) {
            // nothing is commanded by it, so nothing is answered
            self.meters_asked |= !message.retained;
            return;
        }
        if let Some(refused) = self.requests.handle_message(&self.topics, message) {
            self.answer(refused);
        }
    }

    /// Control has answered.
    pub fn handle_answer(&mut self, now: Instant, ticket: Ticket, answer: Result<(), Refusal>) {
        if let Some(said) = self.requests.handle_answer(now, ticket, answer) {
            self.answer(said);
        }
        if let Some(status) = self.status.clone() {
            for done in self.requests.handle_status(now, &status) {
                self.answer(done);
            }
        }
    }

    /// The time that `next_timeout` named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|at| at <= now) {
            self.tell(now);
        }
    }

    /// Everybody ends: say goodbye, so that the will is not needed.
    pub fn handle_shutdown(&mut self) {
        self.outbox.clear();
        self.outbox.put(self.absence(Presence::Disconnected));
    }

    /// When to call [`Mqtt::handle_timeout`], if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let told_at = self.told_at.filter(|_| self.connected)?;
        let paced = self.paced_at.unwrap_or_default() + self.pace;
        Some(if self.held { paced.min(told_at + GATHER) } else { paced })
    }

    /// The next command for control.
    pub fn poll_command(&mut self) -> Option<(Ticket, Command)> {
        self.requests.poll_command()
    }

    /// The next message to publish; [`Mqtt::published`] takes it away.
    #[must_use]
    pub fn peek_publication(&self) -> Option<&Publication> {
        self.outbox.peek().filter(|_| self.connected)
    }

    /// The message that was shown last is with the client.
    pub fn published(&mut self) {
        self.outbox.advance();
    }

    /// The filter to subscribe to on each connection.
    #[must_use]
    pub fn subscription(&self) -> String {
        self.topics.commands()
    }

    fn answer(&mut self, publication: Publication) {
        if self.connected {
            self.outbox.answer(publication);
        }
    }

    fn absence(&self, presence: Presence) -> Publication {
        Publication {
            topic: self.topics.state(),
            payload: absence(&self.identity, presence),
            acknowledged: true,
            retain: true,
            expiry: None,
            correlation: None,
        }
    }

    fn has_changed(&self) -> bool {
        let Some(status) = &self.status else { return false };
        telemetry::all(&self.topics, &self.identity, status)
            .iter()
            .any(|told| self.gists.get(&told.topic) != Some(&told.gist))
    }

    fn tell(&mut self, now: Instant) {
        let Some(status) = self.status.clone().filter(|_| self.connected) else { return };
        let paced = self.paced_at.is_none_or(|at| now.since(at) >= self.pace);
        for told in telemetry::all(&self.topics, &self.identity, &status) {
            let changed = self.gists.get(&told.topic) != Some(&told.gist);
            if changed || (paced && told.paced) {
                self.outbox.put(Publication {
                    topic: told.topic.clone(),
                    payload: told.payload,
                    acknowledged: told.acknowledged,
                    retain: true,
                    expiry: told.paced.then(|| LEAST_EXPIRY.max(self.pace * 3)),
                    correlation: None,
                });
                self.gists.insert(told.topic, told.gist);
            }
        }
        self.told_at = Some(now);
        self.held = false;
        if paced {
            self.paced_at = Some(now);
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! A box in standby with seven links, for the tests of this room and its driver.

    use crate::bond::LinkPhase;
    use crate::health::Sample;
    use crate::media::{EncoderKind, Layout, Line, SourceId};
    use crate::message::{InputStatus, LinkStatus, Phase, Programme, Reading, Status, Tally, Verdict};
    use crate::time::Instant;
    use crate::units::{Bytes, Celsius, Percent};

    pub(crate) fn status() -> Status {
        let reading = |measured, wanted| Reading { measured, wanted, verdict: Verdict::Good };
        Status {
            at: Instant::from_millis(5000),
            wall: None,
            device: "hall-1".to_owned(),
            phase: Phase::Standby,
            since: Instant::ZERO,
            programme: Programme {
                layout: Layout::Camera,
                line: Line::A,
                slate: false,
                slate_wanted: false,
                which: crate::media::Slate::Hold,
                encoder: Some(EncoderKind::X264enc),
                bitrate: reading(Some(4.8), Some(4.9)),
                fps: reading(Some(25.0), Some(25.0)),
                safe_rate: reading(Some(11.2), None),
                output_open: false,
            },
            tally: Tally::Off,
            recording: crate::message::RecordingStatus::default(),
            agenda: crate::message::AgendaStatus::default(),
            inputs: SourceId::ALL
                .map(|source| InputStatus {
                    source,
                    present: true,
                    detail: crate::lang::Text::default(),
                    level: (!source.is_picture()).then_some(-14.0),
                })
                .to_vec(),
            sound: crate::message::SoundStatus::default(),
            outputs: Vec::new(),
            reductions: Vec::new(),
            links: (0..7)
                .map(|n| LinkStatus {
                    slot: if n == 0 { "wired".to_owned() } else { format!("lte{n}") },
                    metered: n > 0,
                    interface: Some(format!("eth{n}")),
                    address: Some(format!("127.0.1.{}", n + 1)),
                    carrier: true,
                    phase: LinkPhase::Up,
                    rtt_ms: Some(12.0),
                    loss: 0.0,
                    rate_mbit: 0.7,
                    capacity_mbit: 2.1,
                    sent_bytes: 1,
                })
                .collect(),
            far_end: None,
            health: Some(Sample {
                cpu: Percent(12.0),
                memory: Percent(30.0),
                temperature: Some(Celsius(41.0)),
                disk_free: Bytes(70 << 30),
                disk_total: Bytes(100 << 30),
                uptime: 60,
            }),
            alarms: Vec::new(),
            events: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bond::LinkPhase;
    use crate::message::Phase;

    const PACE: Duration = Duration::from_secs(5);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn face() -> Mqtt {
        let identity = Identity { boot: "b".to_owned(), firmware: "0.1.0".to_owned() };
        Mqtt::new(Topics::new("hall-1").expect("a plain name"), identity, PACE)
    }

    fn published(face: &mut Mqtt) -> Vec<String> {
        let mut topics = Vec::new();
        while let Some(next) = face.peek_publication() {
            topics.push(next.topic.trim_start_matches("livebox/v1/hall-1/").to_owned());
            face.published();
        }
        topics
    }

    #[test]
    fn everything_is_told_at_each_connection_and_nothing_while_away() {
        let mut face = face();

        face.handle_status(at(0), Arc::new(fixture::status()));
        let away = published(&mut face);
        face.handle_connected(at(1000));
        let first = published(&mut face);
        face.handle_lost();
        face.handle_status(at(60_000), Arc::new(fixture::status()));
        let again_away = published(&mut face);
        face.handle_connected(at(61_000));
        let second = published(&mut face);

        assert!(away.is_empty() && again_away.is_empty());
        assert_eq!(first[..3], ["state", "info", "health"]);
        assert_eq!(first.len(), 10);
        assert_eq!(first, second);
    }

    #[test]
    fn a_change_is_told_at_once_and_figures_with_the_pace() {
        let mut face = face();
        let mut status = fixture::status();
        face.handle_status(at(0), Arc::new(status.clone()));
        face.handle_connected(at(0));
        published(&mut face);

        status.programme.bitrate.measured = Some(4.7);
        face.handle_status(at(1000), Arc::new(status.clone()));
        let figure = published(&mut face);
        status.phase = Phase::Starting;
        face.handle_status(at(2000), Arc::new(status.clone()));
        let change = published(&mut face);
        face.handle_status(at(5000), Arc::new(status));
        let pace = published(&mut face);

        assert!(figure.is_empty(), "{figure:?}");
        assert_eq!(change, ["state", "health"]);
        assert_eq!(pace.len(), 8, "health and seven links, {pace:?}");
    }

    #[test]
    fn a_flapping_link_does_not_flood() {
        let mut face = face();
        let mut status = fixture::status();
        face.handle_status(at(0), Arc::new(status.clone()));
        face.handle_connected(at(0));
        published(&mut face);

        let mut told = 0;
        for tick in 1..100 {
            status.links[3].phase = if tick % 3 == 0 { LinkPhase::Up } else { LinkPhase::Suspect };
            face.handle_status(at(tick * 10), Arc::new(status.clone()));
            told += published(&mut face).len();
        }

        assert!((1..=5).contains(&told), "{told} messages in a second");
    }

    #[test]
    fn meters_are_told_ten_times_a_second_for_half_a_minute_after_somebody_asked() {
        let mut face = face();
        face.handle_status(at(0), Arc::new(fixture::status()));
        face.handle_connected(at(0));
        published(&mut face);
        let told = |face: &mut Mqtt, from: u64, to: u64| {
            let mut count = 0;
            // a status twenty times a second
            for now in (from..to).step_by(50) {
                face.handle_status(at(now), Arc::new(fixture::status()));
                count += published(face).iter().filter(|topic| *topic == "meters").count();
            }
            count
        };
        let ask = |face: &mut Mqtt, retained| {
            face.handle_message(Incoming {
                topic: "livebox/v1/hall-1/cmd/meters",
                payload: b"{}",
                retained,
                response_topic: None,
                correlation: None,
            });
        };

        assert_eq!(told(&mut face, 0, 2000), 0, "nobody asked");
        ask(&mut face, true);
        assert_eq!(told(&mut face, 2000, 3000), 0, "what the broker kept is no question");
        ask(&mut face, false);
        assert_eq!(told(&mut face, 3000, 13_000), 100);
        assert_eq!(told(&mut face, 13_000, 60_000), 200);
        assert!(face.peek_publication().is_none());
    }

    #[test]
    fn the_will_says_lost_and_the_goodbye_says_disconnected() {
        let mut face = face();
        face.handle_connected(at(0));

        face.handle_shutdown();

        assert!(face.will().payload.contains(r#""status":"lost""#));
        let goodbye = face.peek_publication().expect("a goodbye");
        assert!(goodbye.retain && goodbye.payload.contains(r#""status":"disconnected""#));
    }
}
