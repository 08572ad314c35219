//! Stories of what the box decides: facts and commands in, orders and status out, no clock.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use livebox::alarm::{AlarmKind, Severity};
use livebox::bond::echo::{Destination, Echo, Kind, Sense, Session};
use livebox::bond::{GroupStats, LinkId, LinkPhase, LinkStats};
use livebox::control::{Control, Settings};
use livebox::health::Sample;
use livebox::lang::{Text, said};
use livebox::media::{
    Backup, Codec, Config, Dual, FrameRate, Hold, Layout, Line, OutputId, Road, Roads, Scheme, Secret, SourceId,
};
use livebox::message::{
    Ask, Command, Fact, Intent, LossCause, Origin, OutputState, OutputStatus, Part, Phase, Refusal, Status, What,
};
use livebox::time::{Instant, Timestamp};
use livebox::units::{Bitrate, Bytes, Celsius, Percent};
use livebox::uplink::Uplink;

const UPLINKS: [&str; 3] = ["wired", "lte1", "lte2"];

/// A control with its own time.
pub(crate) struct House {
    pub(crate) control: Control,
    pub(crate) now: Instant,
}

impl House {
    fn settings() -> Settings {
        Settings {
            device: "hall-1".into(),
            sources: vec![SourceId::Camera, SourceId::Slides, SourceId::MixerA],
            uplinks: UPLINKS.iter().map(|slot| ((*slot).to_owned(), *slot != "wired")).collect(),
            echo: false,
            broker: true,
            media: Config::default(),
            record: livebox::record::Config::default(),
            event: livebox::event::Config::default(),
        }
    }

    fn started(intent: Intent) -> Self {
        Self { control: Control::new(Instant::ZERO, Self::settings(), intent), now: Instant::ZERO }
    }

    /// Every source, uplink and the broker there, links proven, and time for all of it to settle.
    fn healthy() -> Self {
        let mut house = Self::started(Intent::default());
        house.everything_arrives();
        house.passes(12_000);
        house
    }

    pub(crate) fn everything_arrives(&mut self) {
        for part in Part::ALL {
            self.says(part, What::PartStarted);
        }
        for source in [SourceId::Camera, SourceId::Slides, SourceId::MixerA] {
            self.says(Part::Media, What::SourceArrived { source, detail: said::pattern("1280x720@25") });
        }
        for slot in UPLINKS {
            self.says(Part::Uplink, What::UplinkChanged(uplink(slot)));
        }
        self.says(Part::Mqtt, What::BrokerConnected);
        self.links_carry(Bitrate::mbps(10));
    }

    pub(crate) fn says(&mut self, part: Part, what: What) {
        self.control.handle_fact(self.now, &Fact { at: self.now, part, what });
    }

    pub(crate) fn links_carry(&mut self, target: Bitrate) {
        self.says(Part::Bond, What::GroupMeasured(group(target, LinkPhase::Up)));
    }

    pub(crate) fn asks(&mut self, ask: Ask) -> Result<(), Refusal> {
        self.control.handle_command(self.now, Command { origin: Origin::Panel, ask })
    }

    /// Time goes by; the links say ten times a second that all is as it was at their last word.
    fn passes_with(&mut self, millis: u64, target: Bitrate) {
        for _ in 0..millis / 100 {
            self.goes(100);
            self.links_carry(target);
        }
    }

    pub(crate) fn passes(&mut self, millis: u64) {
        self.passes_with(millis, Bitrate::mbps(10));
    }

    /// Time goes by in silence, timeouts handled when they are due.
    pub(crate) fn goes(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(due) = self.control.next_timeout(self.now).filter(|due| *due <= until) {
            self.now = due.max(self.now + Duration::from_micros(1));
            self.control.handle_timeout(self.now);
        }
        self.now = until;
    }

    pub(crate) fn goes_live(&mut self) {
        self.asks(Ask::Start).unwrap();
        self.says(Part::Media, What::OutputOpened);
    }

    pub(crate) fn status(&self) -> Status {
        self.control.status(self.now, None)
    }

    fn phase(&self) -> Phase {
        self.status().phase
    }

    fn bitrate(&self) -> Bitrate {
        self.control.orders().media.bitrate
    }

    fn alarms(&self) -> Vec<(AlarmKind, String)> {
        self.status().alarms.into_iter().map(|alarm| (alarm.kind, alarm.subject)).collect()
    }

    fn generation(&self, part: Part) -> u32 {
        self.control.orders().parts.get(&part).copied().unwrap_or(0)
    }
}

fn uplink(slot: &str) -> Uplink {
    Uplink {
        slot: slot.into(),
        metered: slot != "wired",
        interface: Some(format!("if-{slot}")),
        index: Some(2),
        address: Some(Ipv4Addr::new(10, 9, 1, 1)),
        bind_address: true,
        carrier: true,
        default_route: true,
    }
}

pub(crate) fn group(target: Bitrate, phase: LinkPhase) -> GroupStats {
    let link = |(n, slot): (usize, &&str)| LinkStats {
        id: LinkId(u8::try_from(n).unwrap()),
        name: (*slot).into(),
        metered: n > 0,
        phase,
        rtt: Some(Duration::from_millis(40)),
        min_rtt: None,
        loss: 0.0,
        capacity: target,
        rate: target,
        in_flight: 0,
        sent_bytes: 0,
        sent_packets: 0,
        lost_packets: 0,
        strange_datagrams: 0,
        datagram: None,
    };
    GroupStats {
        links: UPLINKS.iter().enumerate().map(link).collect(),
        connected: phase == LinkPhase::Up,
        offered: target,
        delivered: target,
        target,
        limited: true,
        latency: Duration::from_secs(1),
        waiting: Duration::ZERO,
        packets: 0,
        dropped_late: 0,
        resent: 0,
        caller_retransmits_dropped: 0,
        naks_swallowed: 0,
        ack_copies_dropped: 0,
        strange_packets: 0,
        dropped_datagrams: std::collections::BTreeMap::new(),
    }
}

#[test]
fn a_healthy_box_goes_live_and_leaves_the_air_without_an_alarm() {
    let mut house = House::healthy();
    assert_eq!((house.phase(), house.alarms()), (Phase::Standby, vec![]));

    house.asks(Ask::Start).unwrap();
    assert_eq!(house.phase(), Phase::Starting);
    assert!(house.control.orders().media.on_air);
    house.says(Part::Media, What::OutputOpened);
    assert_eq!(house.phase(), Phase::Live);
    house.asks(Ask::Stop).unwrap();
    assert_eq!(house.phase(), Phase::Stopping);
    assert!(!house.control.orders().media.on_air);
    house.says(Part::Media, What::OutputClosed { why: Text::default() });

    assert_eq!((house.phase(), house.alarms()), (Phase::Standby, vec![]));
    assert!(house.control.orders().bond, "the links stay proven in standby");
    let told: Vec<_> = house.status().events.iter().map(|event| event.seq).collect();
    assert!(told.windows(2).all(|pair| pair[1] == pair[0] + 1), "{told:?}");
}

#[test]
fn leaving_the_air_never_hangs_on_a_mute_part() {
    let mut house = House::healthy();
    house.goes_live();

    house.asks(Ask::Stop).unwrap();
    house.passes(2100);

    assert_eq!(house.phase(), Phase::Standby);
    assert!(!house.status().programme.output_open);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_reason() {
    let mut house = House::healthy();

    assert_eq!(house.asks(Ask::Stop), Err(Refusal::NotLive));
    house.asks(Ask::Start).unwrap();
    assert_eq!(house.asks(Ask::Start), Err(Refusal::AlreadyLive));
    assert_eq!(house.asks(Ask::Audio { line: Line::B }), Err(Refusal::NotOnBoard));
    assert_eq!(house.asks(Ask::Layout { layout: Layout::SideBySide }), Ok(()));
    assert_eq!(house.control.orders().media.layout, Layout::SideBySide);
    house.control.handle_shutdown(house.now);

    assert_eq!(house.asks(Ask::Stop), Err(Refusal::ShuttingDown));
    assert!(house.control.orders().shutdown && !house.control.orders().media.on_air);
    assert!(house.control.orders().bond, "the last packets leave through it");
    assert!(house.control.intent().on_air, "it is on air again after the restart");
}

#[test]
fn a_collapse_of_the_links_cuts_the_bitrate_at_once_and_it_rises_again_in_steps() {
    let mut house = House::healthy();
    house.goes_live();
    house.passes(500);
    assert_eq!(house.bitrate(), Bitrate::mbps(6));

    house.links_carry(Bitrate::mbps(2));
    let cut = house.bitrate();
    assert!(cut < Bitrate::kbps(1800), "in the very orders that follow the measurement: {cut}");
    house.passes_with(2900, Bitrate::mbps(10));
    assert_eq!(house.bitrate(), cut, "nobody trusts the links yet");
    house.passes_with(1500, Bitrate::mbps(10));
    assert!(house.bitrate() > cut && house.bitrate() < cut.scaled(1.4), "{}", house.bitrate());
    house.passes_with(25_000, Bitrate::mbps(10));

    assert_eq!(house.bitrate(), Bitrate::mbps(6));
}

#[test]
fn too_little_for_the_least_bitrate_is_one_critical_alarm() {
    let mut house = House::healthy();
    house.goes_live();

    house.passes_with(4000, Bitrate::kbps(400));
    assert_eq!(house.alarms(), [], "it may still be rising");
    house.passes_with(2000, Bitrate::kbps(400));

    assert_eq!(house.bitrate(), Bitrate::kbps(500));
    let alarms = house.status().alarms;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!((alarms[0].kind, alarms[0].severity), (AlarmKind::RateShort, Severity::Critical));
    house.passes(6000);
    assert_eq!(house.alarms(), []);
}

#[test]
fn a_lost_broker_raises_one_alarm_that_clears_when_it_is_back() {
    let mut house = House::healthy();

    for _ in 0..10 {
        house.says(Part::Mqtt, What::BrokerLost { why: Text::raw("connection refused") });
        house.passes(1000);
    }
    assert_eq!(house.alarms(), [(AlarmKind::BrokerLost, String::new())]);
    house.says(Part::Mqtt, What::BrokerConnected);
    house.passes(1500);

    assert_eq!(house.alarms(), []);
    let told = house.status().events.iter().filter(|event| event.text.en.contains("broker")).count();
    assert_eq!(told, 2, "raised once, cleared once");
}

#[test]
fn a_part_that_panics_is_started_afresh_after_pauses_that_grow() {
    let mut house = House::healthy();
    let mut pauses = Vec::new();

    for failure in 1..=9 {
        house.says(Part::Panel, What::PartEnded { why: said::see_the_log("task panicked") });
        assert!(house.alarms().contains(&(AlarmKind::PartFailed, "panel".into())));
        let since = house.now;
        while house.generation(Part::Panel) < failure {
            house.passes(100);
        }
        pauses.push(house.now.since(since));
        house.says(Part::Panel, What::PartStarted);
    }

    assert!(pauses[0] <= Duration::from_millis(300), "{pauses:?}");
    assert!(pauses.windows(2).all(|pair| pair[1] >= pair[0]), "{pauses:?}");
    assert_eq!(pauses[8], Duration::from_secs(30), "{pauses:?}");
    house.passes(11_000);
    assert_eq!(house.alarms(), [], "it lives, so the alarm is gone");
}

#[test]
fn a_failing_media_part_leaves_the_box_on_air_as_soon_as_it_is_back() {
    let mut house = House::healthy();
    house.goes_live();

    house.says(Part::Media, What::PartEnded { why: said::see_the_log("task panicked") });
    assert!(!house.status().programme.output_open);
    house.passes(300);
    assert_eq!(house.generation(Part::Media), 1);
    assert!(house.control.orders().media.on_air);
    house.says(Part::Media, What::PartStarted);
    house.says(Part::Media, What::OutputOpened);

    assert_eq!(house.phase(), Phase::Live);
    assert!(house.status().programme.output_open);
}

#[test]
fn on_air_before_is_on_air_again_without_a_hand() {
    let intent =
        Intent { on_air: true, layout: Layout::PictureInPicture, line: Line::A, slate: false, ..Intent::default() };

    let mut house = House::started(intent);

    assert_eq!(house.phase(), Phase::Starting);
    let orders = house.control.orders().clone();
    assert!(orders.media.on_air && orders.bond && orders.media.layout == Layout::PictureInPicture);
    house.everything_arrives();
    house.says(Part::Media, What::OutputOpened);
    assert_eq!((house.phase(), house.control.intent()), (Phase::Live, intent));
}

#[test]
fn what_is_absent_at_the_start_is_an_alarm_that_clears_when_it_appears() {
    let mut house = House::started(Intent::default());
    let absent = LossCause::Absent;
    house.says(
        Part::Media,
        What::SourceLost { source: SourceId::Camera, cause: absent, detail: said::no_video_device("usb-1") },
    );
    for slot in ["wired", "lte1"] {
        house.says(Part::Uplink, What::UplinkChanged(uplink(slot)));
    }
    for source in [SourceId::Slides, SourceId::MixerA] {
        house.says(Part::Media, What::SourceArrived { source, detail: Text::default() });
    }

    house.passes(5000);
    let wanted = [(AlarmKind::SourceLost, "camera".to_owned()), (AlarmKind::BrokerLost, String::new())];
    assert_eq!(house.alarms(), wanted, "a link that carries needs no word of the kernel");
    let mut gone = uplink("lte2");
    gone.interface = None;
    house.says(Part::Uplink, What::UplinkChanged(gone));
    house.passes(2000);
    assert!(house.alarms().contains(&(AlarmKind::UplinkDown, "lte2".into())));
    house.everything_arrives();
    house.passes(3000);

    assert_eq!(house.alarms(), []);
}

#[test]
fn a_board_complains_only_of_what_it_has() {
    let mut house = House::started(Intent::default());

    house.goes(60_000);

    let subjects: Vec<_> = house.alarms().into_iter().map(|(_, subject)| subject).collect();
    assert!(!subjects.contains(&"mixer_b".to_owned()), "{subjects:?}");
    assert!(!house.alarms().iter().any(|(kind, _)| *kind == AlarmKind::PanelLost));
}

#[test]
fn an_uplink_without_a_route_is_an_alarm_with_the_mend() {
    let mut house = House::healthy();
    let mut lost = uplink("lte1");
    lost.default_route = false;

    house.says(Part::Uplink, What::UplinkChanged(lost));
    house.passes(4000);

    let alarms = house.status().alarms;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!((alarms[0].kind, alarms[0].subject.as_str()), (AlarmKind::NoDefaultRoute, "lte1"));
    assert!(alarms[0].text.en.contains("if-lte1"));
    for mend in ["nmcli", "ip route add default via", "dev if-lte1"] {
        assert!(alarms[0].advice.en.contains(mend) && alarms[0].advice.zh.contains(mend), "{}", alarms[0].advice);
    }
}

#[test]
fn no_link_at_all_is_one_critical_alarm_and_not_one_a_link() {
    let mut house = House::healthy();
    house.goes_live();

    for _ in 0..100 {
        house.goes(100);
        house.says(Part::Bond, What::GroupMeasured(group(Bitrate::bps(0), LinkPhase::Suspect)));
    }

    let alarms = house.status().alarms;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!((alarms[0].kind, alarms[0].severity), (AlarmKind::NoLinks, Severity::Critical));
}

#[test]
fn a_session_that_closes_on_air_is_critical_and_the_box_stays_on_air() {
    let mut house = House::healthy();
    house.goes_live();

    house.says(Part::Media, What::OutputClosed { why: said::far_end_closed() });
    house.passes(1000);
    assert_eq!(house.phase(), Phase::Live);
    assert!(house.control.orders().media.on_air);
    assert_eq!(house.alarms(), [(AlarmKind::OutputClosed, String::new())]);
    house.says(Part::Media, What::OutputOpened);
    house.passes(1500);

    assert_eq!(house.alarms(), []);
}

#[test]
fn new_settings_change_what_can_change_live_and_restart_only_what_must() {
    let mut house = House::healthy();
    house.says(Part::Config, What::ConfigRejected { faults: vec!["livebox.toml:3: media.size: …".into()] });
    assert_eq!(house.alarms(), [(AlarmKind::ConfigRejected, String::new())]);

    let mut settings = Settings {
        device: "hall-1".into(),
        sources: vec![SourceId::Camera],
        uplinks: vec![("wired".into(), false)],
        echo: false,
        broker: false,
        media: Config::default(),
        record: livebox::record::Config::default(),
        event: livebox::event::Config::default(),
    };
    settings.media.bitrate = (Bitrate::kbps(500), Bitrate::mbps(3));
    house.control.handle_config(house.now, settings, &[Part::Mqtt]);

    assert_eq!(house.bitrate(), Bitrate::mbps(3));
    assert_eq!((house.generation(Part::Mqtt), house.generation(Part::Media)), (1, 0));
    assert_eq!(house.alarms(), []);
}

#[test]
fn heat_is_an_alarm_that_does_not_flap_around_its_threshold() {
    let mut house = House::healthy();
    let sample = |celsius| Sample {
        cpu: Percent(10.0),
        memory: Percent(20.0),
        temperature: Some(Celsius(celsius)),
        disk_free: Bytes(50),
        disk_total: Bytes(100),
        uptime: 1,
    };

    let mut turns = 0;
    let mut before = false;
    for minute in 0..20 {
        house.says(Part::Health, What::Sampled(sample(if minute % 2 == 0 { 91.0 } else { 89.0 })));
        house.passes(12_000);
        let raised = house.alarms().iter().any(|(kind, _)| *kind == AlarmKind::TooHot);
        turns += u32::from(raised != before);
        before = raised;
    }

    assert_eq!(turns, 1);
}

#[test]
fn a_setpoint_is_never_shown_as_a_measurement() {
    let mut house = House::healthy();
    house.goes_live();
    let measured = What::ProgrammeMeasured { fps: 25.0, bitrate: Bitrate::mbps(5), slate: false, frames: 25 };
    house.says(Part::Media, measured);
    assert_eq!(house.status().programme.bitrate.measured, Some(5.0));

    house.passes(4000);

    let programme = house.status().programme;
    assert_eq!((programme.bitrate.measured, programme.fps.measured), (None, None));
    assert!(programme.bitrate.wanted.is_some_and(|wanted| wanted > 6.0));
}

#[test]
fn every_sentence_stands_in_both_languages() {
    let han = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));

    for kind in AlarmKind::ALL {
        for subject in ["camera", "mixer_b", "lte1", "media", ""] {
            let usb0 = Text::raw("usb0");
            for text in [kind.text(subject, &usb0), kind.advice(subject, &usb0)] {
                assert!(han(&text.zh) && !han(&text.en) && text.en.len() > 10, "{kind:?}: {text:?}");
            }
        }
    }
    for refusal in Refusal::ALL {
        assert!(han(&refusal.text().zh) && !han(&refusal.text().en), "{refusal:?}");
    }
    let mut house = House::healthy();
    house.goes_live();
    house.asks(Ask::Layout { layout: Layout::Slides }).unwrap();
    house.asks(Ask::Stop).unwrap();
    house.says(Part::Media, What::OutputClosed { why: Text::default() });
    for event in house.status().events {
        assert!(han(&event.text.zh) && !han(&event.text.en), "{event:?}");
    }
}

/// Runs of Latin letters, spaces between them kept: what reads as a clause.
fn latin_clauses(text: &str) -> Vec<String> {
    let clauses = text.split(|c: char| !(c.is_ascii_alphabetic() || c == ' '));
    clauses.map(str::trim).filter(|clause| clause.split_whitespace().count() > 1).map(str::to_owned).collect()
}

#[test]
fn no_chinese_sentence_has_an_english_clause_of_ours() {
    let source = SourceId::Camera;
    let lost = |detail: Text| What::SourceLost { source, cause: LossCause::Stalled, detail };
    let details = [
        lost(said::no_pictures()),
        lost(said::no_sound()),
        lost(said::of("cam", &said::no_power())),
        lost(said::of("cam", &said::no_signal())),
        lost(said::of("cam", &said::no_lock())),
        lost(said::of("cam", &said::out_of_range())),
        lost(said::new_signal("cam")),
        lost(said::no_video_device("usb-1")),
        lost(said::does_not_open("/dev/video0")),
        lost(said::does_not_start("/dev/video0")),
        lost(said::ended("cam")),
        lost(said::no_picture_for("cam", 2)),
        lost(said::no_sound_for("hw:1", 500)),
        lost(said::no_sound_card("Mixer")),
        lost(said::card_unplugged("Mixer")),
        lost(said::no_stereo("hw:1")),
        lost(said::does_not_recover("hw:1")),
        lost(said::no_file("/a.mp4")),
        lost(said::nothing_inside("/a.mp4")),
        lost(said::unreadable("/a.mp4")),
        lost(said::no_loop()),
        lost(said::scripted()),
        lost(said::stopped()),
        What::OutputClosed { why: said::left_the_air() },
        What::OutputClosed { why: said::far_end_closed() },
        What::OutputClosed { why: said::no_answer(6) },
        What::OutputClosed { why: said::no_session() },
        What::BrokerLost { why: said::not_subscribed() },
        What::BrokerLost { why: said::refused("NotAuthorized") },
        What::PanelChanged { present: false, detail: said::display_silent() },
        What::PartEnded { why: said::no_encoder("x264enc") },
        What::PartEnded { why: said::programme_failed() },
        What::PartEnded { why: said::programme_does_not_start() },
        What::PartEnded { why: said::programme_hangs(10) },
        What::PartEnded { why: said::bad_destination("cloud:1") },
        What::PartEnded { why: said::by_itself() },
        What::PartEnded { why: said::see_the_log("an invariant broke") },
        What::ConfigRejected { faults: vec!["livebox.toml:3: media.size: is not a size".into(); 2] },
    ];
    for what in details {
        let mut house = House::healthy();
        house.goes_live();
        house.says(Part::Media, what.clone());
        house.passes(4000);

        let status = house.status();
        assert!(!status.alarms.is_empty(), "{what:?}");
        let alarms = status.alarms.iter().map(|alarm| &alarm.text);
        let inputs = status.inputs.iter().map(|input| &input.detail);
        for text in alarms.chain(inputs).chain(status.events.iter().map(|event| &event.text)) {
            let clauses: Vec<_> = latin_clauses(&text.zh).into_iter().filter(|c| c != "Hz tone").collect();
            assert!(clauses.is_empty(), "{clauses:?} in {:?}", text.zh);
            assert!(text.en.is_ascii() || text.en.contains('…'), "{:?}", text.en);
        }
    }
    for given in [said::pattern("1280x720@25"), said::tone(440), said::file("a.mp4")] {
        assert!(latin_clauses(&given.zh).is_empty() && given.zh != given.en, "{given:?}");
    }
}

#[test]
fn a_layout_or_line_that_the_board_lacks_gives_way_to_the_first_it_has() {
    let board = |sources: &[SourceId]| Settings {
        device: "hall-1".into(),
        sources: sources.to_vec(),
        uplinks: Vec::new(),
        echo: false,
        broker: false,
        media: Config::default(),
        record: livebox::record::Config::default(),
        event: livebox::event::Config::default(),
    };
    let stored = Intent { on_air: true, layout: Layout::SideBySide, line: Line::A, slate: false, ..Intent::default() };
    let media = |sources, intent| {
        let control = Control::new(Instant::ZERO, board(sources), intent);
        (control.orders().media.layout, control.orders().media.line, control.intent().layout)
    };

    let slides_only: &[SourceId] = &[SourceId::Slides, SourceId::MixerB];
    for intent in [Intent::default(), stored] {
        assert_eq!(media(slides_only, intent), (Layout::Slides, Line::B, Layout::Slides));
    }
    assert_eq!(media(&[SourceId::Camera], stored), (Layout::Camera, Line::A, Layout::Camera));
    assert_eq!(media(&SourceId::ALL, stored).0, Layout::SideBySide);
}

#[test]
fn a_destination_that_nobody_can_name_is_an_alarm_until_the_links_speak() {
    let mut house = House::started(Intent::default());
    for part in Part::ALL {
        house.says(part, What::PartStarted);
    }

    house.goes(10_000);
    let alarms = house.status().alarms;
    let alarm =
        alarms.iter().find(|alarm| alarm.kind == AlarmKind::NoLinks).expect("raised without a word of the links");
    assert!(alarm.advice.en.contains("media.destination") && alarm.advice.en.contains("name server"));
    assert!(alarm.advice.zh.contains("media.destination") && alarm.advice.zh.contains("域名"));
    house.everything_arrives();
    house.passes(2000);

    assert!(!house.alarms().iter().any(|(kind, _)| *kind == AlarmKind::NoLinks));
}

#[test]
fn the_safe_rate_is_a_figure_beside_what_is_wanted_as_soon_as_the_far_end_answers() {
    let mut house = House::healthy();
    house.says(Part::Bond, What::GroupMeasured(group(Bitrate::mbps(2), LinkPhase::Registering)));
    assert_eq!(house.status().programme.safe_rate.measured, None, "a guess is not shown as measured");

    house.asks(Ask::Start).unwrap();
    assert_eq!(house.phase(), Phase::Starting, "not on air before the far end has the session");
    house.says(Part::Media, What::OutputOpened);
    house.passes(100);

    let (status, since) = (house.status(), house.now.before(Duration::from_millis(100)));
    assert_eq!((status.phase, status.since), (Phase::Live, since));
    assert_eq!(status.programme.safe_rate.measured, Some(10.0));
    assert!(status.programme.safe_rate.wanted.is_some_and(|wanted| wanted > 6.0));
}

fn echo(session: Session) -> Echo {
    Echo {
        stream: 0,
        kind: Kind::Ts,
        flow: Sense::Ok,
        clock: Sense::Ok,
        picture: Sense::Ok,
        sound: Sense::Ok,
        bytes: 1,
        missing: 0,
        gaps: 0,
        destinations: vec![Destination { name: "studio".to_owned(), session, ..Destination::default() }],
    }
}

#[test]
fn a_gateway_that_falls_silent_is_an_alarm_of_its_own_and_so_is_a_destination_that_takes_nothing() {
    let settings = Settings {
        device: "hall-1".into(),
        sources: Vec::new(),
        uplinks: vec![("wired".to_owned(), false)],
        echo: true,
        broker: false,
        media: Config::default(),
        record: livebox::record::Config::default(),
        event: livebox::event::Config::default(),
    };
    let mut house = House { control: Control::new(Instant::ZERO, settings, Intent::default()), now: Instant::ZERO };
    house.everything_arrives();
    house.goes_live();
    let raised = |house: &House, kind| house.status().alarms.iter().any(|alarm| alarm.kind == kind);
    let seconds = |house: &mut House, count, session: Option<Session>| {
        for _ in 0..count {
            session.into_iter().for_each(|session| house.says(Part::Bond, What::EchoHeard(echo(session))));
            house.passes(1000);
        }
    };

    seconds(&mut house, 12, Some(Session::Open));
    assert!(!raised(&house, AlarmKind::EchoSilent) && !raised(&house, AlarmKind::DestinationDown));
    assert_eq!(house.status().far_end.unwrap().streams, [echo(Session::Open)]);
    seconds(&mut house, 6, Some(Session::Waiting));
    assert!(raised(&house, AlarmKind::DestinationDown) && !raised(&house, AlarmKind::EchoSilent));
    seconds(&mut house, 5, None);

    assert!(raised(&house, AlarmKind::EchoSilent));
    assert!(!raised(&house, AlarmKind::DestinationDown), "of what nobody tells nothing is known");
    assert_eq!(house.status().far_end, None);
    seconds(&mut house, 4, Some(Session::Open));
    assert!(house.status().alarms.iter().all(|alarm| alarm.kind == AlarmKind::SourceLost));
}

/// A healthy house with three talks by the clock, the second not to be recorded.
fn congress(split: livebox::event::Split) -> House {
    let mut settings = House::settings();
    settings.event = livebox::event::Config { hall: "主会场".into(), split, ..Default::default() };
    let mut house = House { control: Control::new(Instant::ZERO, settings, Intent::default()), now: Instant::ZERO };
    house.everything_arrives();
    house.passes(12_000);
    let talk = |speaker: &str, starts, record| livebox::event::Talk {
        speaker: speaker.into(),
        starts: Some(Timestamp(starts)),
        allowed: livebox::event::Permissions { record, ..Default::default() },
        ..Default::default()
    };
    let talks = vec![talk("张三", 100_000, true), talk("李四", 200_000, false), talk("Ann", 300_000, true)];
    let agenda = Arc::new(livebox::event::Agenda { event: "年会".into(), talks });
    house.says(Part::Event, What::AgendaRead { agenda, faults: vec![] });
    house
}

#[test]
fn the_next_speaker_is_a_new_segment_at_a_key_picture_and_a_step_taken_back_a_rename() {
    let mut house = congress(livebox::event::Split::Hand);
    house.goes_live();
    let orders = |house: &House| {
        let orders = house.control.orders();
        (orders.record.on, orders.record.cut, orders.media.key, orders.record.label.speaker.clone())
    };
    let (on, cut, key, speaker) = orders(&house);
    assert_eq!((on, cut, speaker.as_str()), (true, key, ""), "recorded with the live, nobody announced yet");

    house.asks(Ask::NextSpeaker).unwrap();
    assert_eq!(orders(&house), (true, cut + 1, key + 1, "张三".into()));
    assert_eq!(house.control.orders().record.label.event, "年会");
    let agenda = house.status().agenda;
    assert_eq!((agenda.number, agenda.next.unwrap().speaker.as_str()), (1, "李四"));

    house.passes(9_000);
    house.asks(Ask::UndoSpeaker).unwrap();
    assert_eq!(orders(&house), (true, cut + 1, key + 1, String::new()), "the cut stays, the name goes back");
    assert_eq!(house.asks(Ask::UndoSpeaker), Err(Refusal::NothingToUndo));
    house.asks(Ask::NextSpeaker).unwrap();
    house.passes(10_000);
    assert_eq!(house.asks(Ask::UndoSpeaker), Err(Refusal::NothingToUndo), "too late");
    assert_eq!((house.control.intent().talk, house.alarms()), (1, vec![]));
}

#[test]
fn by_the_clock_a_talk_is_cut_at_its_time_and_who_does_not_want_to_be_recorded_is_not() {
    let mut house = congress(livebox::event::Split::Time);
    house.control.handle_clock(house.now, Some(Timestamp(99_000)));
    house.goes_live();
    let record = |house: &House| house.control.orders().record.clone();
    let first = record(&house).cut;

    let due = house.control.next_timeout(house.now).unwrap();
    assert!(due <= house.now + Duration::from_secs(1), "it wakes for the talk");
    house.passes(1_000);
    house.control.handle_clock(house.now, Some(Timestamp(100_000)));
    assert_eq!((record(&house).cut, record(&house).label.speaker.as_str()), (first + 1, "张三"));
    house.control.handle_clock(house.now, Some(Timestamp(200_000)));
    assert!(!record(&house).on, "the live goes on, the disk stands still");
    assert!(house.control.orders().media.on_air && house.status().recording.wanted);
    house.control.handle_clock(house.now, Some(Timestamp(300_000)));
    assert!(record(&house).on && record(&house).label.speaker == "Ann");
}

#[test]
fn a_segment_is_never_longer_than_its_span_and_a_hand_overrules_the_automatic_until_the_next_start_or_stop() {
    let mut house = House::healthy();
    house.goes_live();
    let record = |house: &House| (house.control.orders().record.on, house.control.orders().record.cut);
    let (_, first) = record(&house);

    house.passes(15 * 60 * 1000);
    assert_eq!(record(&house), (true, first + 1));
    house.asks(Ask::Record { on: false }).unwrap();
    assert!(!record(&house).0);
    house.asks(Ask::Stop).unwrap();
    house.says(Part::Media, What::OutputClosed { why: Text::default() });
    assert!(!record(&house).0);
    house.asks(Ask::Record { on: true }).unwrap();
    assert!(record(&house).0, "a rehearsal, off air");
    house.asks(Ask::Start).unwrap();
    house.asks(Ask::Stop).unwrap();
    assert!(!record(&house).0);
}

#[test]
fn a_full_disk_a_read_only_one_and_a_wrong_agenda_are_alarms_with_a_mend_and_nothing_else_stops() {
    use livebox::record::StopCause;
    let mut house = House::healthy();
    house.goes_live();
    let kinds = |house: &House| house.alarms().into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();

    let stopped =
        |cause| What::RecordingStopped { stream: "main".into(), cause, why: Text::raw("/media/ssd: no space") };
    house.says(Part::Record, stopped(StopCause::DiskFull));
    assert_eq!((kinds(&house), house.phase()), (vec![AlarmKind::RecordDiskFull], Phase::Live));
    house.says(Part::Record, stopped(StopCause::Unwritable));
    house.passes(3_000);
    assert_eq!(kinds(&house), [AlarmKind::RecordFailed]);
    assert!(house.status().recording.trouble.is_some());
    house.says(Part::Record, What::SegmentOpened { stream: "main".into(), file: "1.ts".into() });
    house.passes(3_000);
    assert_eq!(kinds(&house), []);

    let faults = vec![said::talks_overlap("day.csv:2", "day.csv:3"), said::talk_unnamed("day.csv:5")];
    house.says(Part::Event, What::AgendaRead { agenda: Arc::default(), faults });
    assert_eq!(kinds(&house), [AlarmKind::AgendaWrong]);
    assert!(house.status().alarms[0].text.en.contains("day.csv:2 and day.csv:3 overlap"));
    assert!(house.bitrate() > Bitrate::mbps(1) && house.control.orders().record.on);
}

#[test]
fn a_tier_caps_the_bitrate_by_its_reference_and_by_what_the_links_carry_and_the_automatic_one_follows_them() {
    use livebox::event::{Choice, Tier};
    let tiered = |tier| {
        let mut settings = House::settings();
        settings.event.tier = tier;
        settings.media.bitrate = (Bitrate::kbps(500), Bitrate::mbps(20));
        let mut house = House { control: Control::new(Instant::ZERO, settings, Intent::default()), now: Instant::ZERO };
        house.everything_arrives();
        house.passes(12_000);
        house.goes_live();
        house
    };
    // what is left of the ceiling for the picture: mux 4.5 %, sound 128 kbit/s
    let picture = |stream: f64| stream / 1.045 - 0.128;
    let near = |house: &House, wanted: f64| (house.bitrate().as_mbps() - wanted).abs() < wanted * 0.04;

    let mut house = tiered(Choice::Fixed(Tier::T2));
    house.passes_with(60_000, Bitrate::mbps(40));
    assert!(near(&house, picture(6.4 / 1.3)), "{}", house.bitrate());
    house.passes_with(60_000, Bitrate::mbps(4));
    assert!(near(&house, picture(4.0 / 1.3)), "{}", house.bitrate());

    let mut house = tiered(Choice::Auto);
    house.passes_with(60_000, Bitrate::mbps(9));
    let tier = house.status().agenda.tier.unwrap();
    assert_eq!((tier.name.as_str(), tier.reference_kbit, tier.measured_kbit), ("T3-10M", 8000, Some(9000)));
    assert!(near(&house, picture(8.0 / 1.3)), "{}", house.bitrate());
    house.passes_with(5_000, Bitrate::mbps(5));
    assert_eq!(house.status().agenda.tier.unwrap().name, "T1-3M");

    let mut house = tiered(Choice::Off);
    house.passes_with(90_000, Bitrate::mbps(40));
    assert_eq!((house.bitrate(), house.status().agenda.tier), (Bitrate::mbps(20), None));
}

/// A box with a second encode on lte1, a programme destination, and the dual image in the bond.
fn with_outputs() -> House {
    let road = |uplink: &str| Road {
        scheme: Scheme::Srt,
        uplink: uplink.into(),
        to: vec!["studio.example:9000".into(), "spare.example:9000".into()],
        stream_id: String::new(),
        secret: Secret::default(),
        secret_file: None,
        latency: Duration::from_secs(1),
    };
    let backup =
        Backup { road: road("lte1"), bitrate: Bitrate::kbps(1500), gop: Duration::from_secs(1), codec: Codec::H264 };
    let dual = Dual {
        road: None,
        camera: Bitrate::mbps(1),
        slides: Bitrate::kbps(600),
        slides_rate: FrameRate { num: 5, den: 1 },
    };
    let mut settings = House::settings();
    settings.media.roads = Roads { backup: Some(backup), programme: Some(road("")), dual: Some(dual) };
    settings.media.fallback = vec!["spare.example:5000".parse().unwrap()];
    let mut house = House { control: Control::new(Instant::ZERO, settings, Intent::default()), now: Instant::ZERO };
    house.everything_arrives();
    house.passes(12_000);
    house
}

fn output(house: &House, name: OutputId) -> OutputStatus {
    house.status().outputs.into_iter().find(|output| output.name == name).unwrap()
}

#[test]
fn the_active_output_is_the_one_that_was_asked_for_and_a_box_without_a_backup_says_so() {
    let mut plain = House::healthy();
    let mut house = with_outputs();

    assert_eq!(plain.asks(Ask::Activate { output: OutputId::Backup }), Err(Refusal::NoSuchOutput));
    assert_eq!(house.asks(Ask::Activate { output: OutputId::Slides }), Err(Refusal::NoSuchOutput));
    house.asks(Ask::Activate { output: OutputId::Backup }).unwrap();

    assert_eq!(house.control.orders().media.outputs.active, OutputId::Backup);
    assert!(output(&house, OutputId::Backup).active && !output(&house, OutputId::Main).active);
    assert_eq!(house.control.intent().outputs.active, OutputId::Backup, "a power cut does not forget it");
}

#[test]
fn a_delay_and_a_dump_are_ordered_shown_and_taken_back() {
    let mut house = with_outputs();
    let programme = OutputId::Programme;

    house.asks(Ask::Hold { output: programme, seconds: Hold::seconds(30).unwrap() }).unwrap();
    house.asks(Ask::Dump { output: programme, on: true }).unwrap();
    let told = What::OutputMeasured { output: programme, sent: Bitrate::mbps(2), held: Duration::from_secs(12) };
    house.says(Part::Media, told);

    let shown = output(&house, programme);
    assert_eq!((shown.delay.measured, shown.delay.wanted, shown.dumped), (Some(12.0), Some(30.0), true));
    assert_eq!(house.control.orders().media.outputs.held(programme).delay.as_seconds(), 30);
    assert_eq!(
        house.asks(Ask::Dump { output: OutputId::Camera, on: true }),
        Err(Refusal::NoSuchOutput),
        "the dual image keeps the clock of the others"
    );

    house.says(Part::Media, What::HoldFailed { output: programme, why: Text::raw("read-only file system") });
    house.goes(100);
    assert!(house.alarms().contains(&(AlarmKind::HoldFailed, "programme".into())), "{:?}", house.alarms());
    assert_eq!(house.control.orders().media.outputs.held(programme).delay, Hold::NONE);
    house.asks(Ask::Hold { output: programme, seconds: Hold::seconds(10).unwrap() }).unwrap();
    assert!(!house.alarms().iter().any(|(kind, _)| *kind == AlarmKind::HoldFailed));
}

#[test]
fn what_an_output_sends_on_an_uplink_is_left_free_by_the_bond_while_on_air() {
    let mut house = with_outputs();
    assert!(house.control.orders().reserved.is_empty(), "off air nothing is sent");

    house.goes_live();
    house.passes(1000);

    let reserved = &house.control.orders().reserved;
    assert_eq!(reserved.keys().collect::<Vec<_>>(), ["lte1"], "the other one is bound to none");
    let rate = reserved["lte1"];
    assert!(rate > Bitrate::kbps(1628) && rate < Bitrate::kbps(1900), "picture, sound and headers: {rate}");
}

#[test]
fn short_uplinks_take_slides_and_backup_back_before_main_and_say_why() {
    let mut house = with_outputs();
    house.goes_live();
    house.passes_with(3000, Bitrate::mbps(12));
    assert_eq!(house.status().reductions, [], "there is room");

    house.passes_with(20_000, Bitrate::mbps(1));

    let orders = house.control.orders().clone();
    let names: Vec<_> = house.status().reductions.into_iter().map(|r| (r.what, r.why.en)).collect();
    assert_eq!(names.iter().map(|(what, _)| what.as_str()).collect::<Vec<_>>(), ["slides", "backup", "main", "backup"]);
    assert!(names.iter().all(|(_, why)| why.contains("Mbit/s")), "{names:?}");
    assert!(orders.media.slides_every > 1 && !orders.media.others.contains_key(&OutputId::Backup));
    assert!(orders.reserved.is_empty(), "what is not sent is not kept free");
    assert_eq!(output(&house, OutputId::Backup).state, OutputState::Reduced);
    assert!(house.alarms().contains(&(AlarmKind::Reduced, "backup".into())), "{:?}", house.alarms());

    house.passes_with(90_000, Bitrate::mbps(20));
    assert_eq!(house.status().reductions, []);
    assert_eq!(house.control.orders().media.others[&OutputId::Backup], Bitrate::kbps(1500));
}

#[test]
fn a_destination_that_fails_and_one_that_took_over_are_named_alarms() {
    let mut house = with_outputs();
    house.goes_live();
    let changed = |place, state, why: &str| What::DestinationChanged {
        output: OutputId::Backup,
        place,
        state,
        why: Text::raw(why),
    };
    house.says(Part::Media, changed(0, OutputState::Failed, "refused"));
    house.passes(2000);
    assert!(house.alarms().contains(&(AlarmKind::OutputDown, "backup".into())), "{:?}", house.alarms());

    house.says(Part::Media, changed(1, OutputState::Open, ""));
    house.passes(4000);

    assert!(house.alarms().contains(&(AlarmKind::OutputElsewhere, "backup".into())), "{:?}", house.alarms());
    assert!(!house.alarms().contains(&(AlarmKind::OutputDown, "backup".into())));
    let shown = output(&house, OutputId::Backup);
    assert_eq!(shown.state, OutputState::Open);
    assert_eq!(
        shown.destinations.iter().map(|d| d.state).collect::<Vec<_>>(),
        [OutputState::Failed, OutputState::Open]
    );
}

#[test]
fn a_far_end_that_no_link_reaches_is_left_for_the_next() {
    let mut house = with_outputs();
    let before = house.generation(Part::Bond);
    for _ in 0..100 {
        house.goes(100);
        let mut away = group(Bitrate::mbps(3), LinkPhase::Registering);
        away.connected = false;
        house.says(Part::Bond, What::GroupMeasured(away));
    }

    assert_eq!((house.control.orders().far_end, house.generation(Part::Bond)), (1, before + 1));
    let main = output(&house, OutputId::Main);
    assert_eq!(main.destinations[1].name, "spare.example:5000");
}
