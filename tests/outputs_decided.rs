//! What control makes of the box's own ways out: what they take of an uplink, who comes next, what is told.

use std::time::Duration;

use livebox::alarm::AlarmKind;
use livebox::bond::{Dialect, LinkPhase};
use livebox::control::{Control, Settings};
use livebox::lang::Text;
use livebox::media::{Backup, Codec, Config, OutputId, Road, Roads, Scheme, Secret, SourceId};
use livebox::message::{Ask, Intent, OutputState, Part, What};
use livebox::sim::{Play, World};
use livebox::time::Instant;
use livebox::units::Bitrate;

use crate::bonding::scenario;
use crate::control::{House, group};

/// A box whose backup goes to two places over its first modem.
fn house(change: impl FnOnce(&mut Config)) -> House {
    let road = Road {
        scheme: Scheme::Srt,
        uplink: "lte1".into(),
        to: vec!["studio.example:9000".into(), "spare.example:9000".into()],
        stream_id: String::new(),
        secret: Secret::default(),
        secret_file: None,
        latency: Duration::from_secs(1),
    };
    let backup = Backup { road, bitrate: Bitrate::kbps(1500), gop: Duration::from_secs(1), codec: Codec::H264 };
    let mut media = Config { roads: Roads { backup: Some(backup), ..Roads::default() }, ..Config::default() };
    change(&mut media);
    let settings = Settings {
        device: "hall-1".into(),
        sources: vec![SourceId::Camera, SourceId::Slides, SourceId::MixerA],
        uplinks: ["wired", "lte1", "lte2"].map(|slot| (slot.to_owned(), slot != "wired")).to_vec(),
        echo: false,
        broker: false,
        media,
        record: livebox::record::Config::default(),
        event: livebox::event::Config::default(),
    };
    let mut house = House { control: Control::new(Instant::ZERO, settings, Intent::default()), now: Instant::ZERO };
    house.everything_arrives();
    house.passes(12_000);
    house
}

fn kinds(house: &House) -> Vec<(AlarmKind, String)> {
    house.status().alarms.into_iter().map(|alarm| (alarm.kind, alarm.subject)).collect()
}

fn destination(place: usize, state: OutputState, why: &str) -> What {
    What::DestinationChanged { output: OutputId::Backup, place, state, why: Text::raw(why) }
}

#[test]
fn what_an_output_sends_over_a_named_uplink_is_left_free_there_while_it_is_on_air() {
    let mut house = house(|_| {});
    assert!(house.control.orders().reserved.is_empty(), "nothing leaves in standby");

    house.goes_live();
    house.passes(1000);

    let reserved = house.control.orders().reserved.clone();
    assert_eq!(reserved.keys().collect::<Vec<_>>(), ["lte1"]);
    // pictures and sound, and what a transport stream puts around them
    let rate = reserved["lte1"].as_mbps();
    assert!((1.628..1.628 * 1.15).contains(&rate), "{rate}");
    house.asks(Ask::Stop).unwrap();
    house.passes(3000);
    assert!(house.control.orders().reserved.is_empty(), "and nothing after it");
}

#[test]
fn what_is_reserved_on_a_link_is_at_once_no_part_of_what_the_scheduler_takes_it_to_carry() {
    let play = Play { rate: Bitrate::mbps(14), latency: Duration::from_secs(1), ..Play::default() };
    let mut world = World::new(&scenario("seven-constant"), play);
    let wired = |world: &World| world.stats().links.into_iter().find(|link| link.name == "wired").unwrap();

    world.play_until(Instant::from_millis(20_000));
    let before = wired(&world);
    world.reserve("wired", Bitrate::mbps(12));
    let left = wired(&world);

    assert!(before.rate.as_mbps() > 12.0, "the wired line of 20 Mbit/s suffices for 14: {before:?}");
    let taken = before.capacity.as_mbps() - left.capacity.as_mbps();
    assert!((taken - 12.0).abs() < 0.5, "{taken} Mbit/s of it are somebody else's");
}

#[test]
fn a_backup_that_begins_on_an_uplink_the_bond_needs_too_loses_nothing_and_takes_nothing_from_the_programme() {
    // 40 of the 42 Mbit/s that seven links carry beside the backup's own 3, and what stands around a payload
    let play =
        Play { rate: Bitrate::mbps(40), latency: Duration::from_secs(1), dialect: Dialect::Native, ..Play::default() };
    let mut world = World::new(&scenario("seven-constant"), play);
    world.play_until(Instant::from_millis(20_000));
    world.reserve("lte1", Bitrate::mbps(3));
    world.share("lte1", Bitrate::mbps(3));
    world.play_until(Instant::from_millis(40_000));
    let backup = world.shared();
    let programme = world.finish();

    eprintln!("{backup:?}, {programme:?}");
    assert!(backup.came > 5_000, "{backup:?}");
    assert_eq!(backup.lost, 0, "it finds room in the link's own queue: {backup:?}");
    assert!(backup.longest < Duration::from_millis(300), "less than its session's latency: {backup:?}");
    assert!(programme.is_good(), "{programme:?}");
}

#[test]
fn a_gateway_that_no_link_reaches_is_left_for_the_next_one_and_that_is_told() {
    let mut house = house(|media| {
        media.destination = "first.example:5000".parse().unwrap();
        media.fallback = vec!["second.example:5000".parse().unwrap()];
    });
    house.goes_live();
    house.passes(2000);
    assert_eq!(house.control.orders().far_end, 0);
    let before = house.control.orders().parts.get(&Part::Bond).copied();

    for _ in 0..90 {
        house.goes(100);
        house.says(Part::Bond, What::GroupMeasured(group(Bitrate::mbps(1), LinkPhase::Registering)));
    }

    assert_eq!(house.control.orders().far_end, 1, "eight seconds without a link");
    assert_ne!(house.control.orders().parts.get(&Part::Bond).copied(), before, "the bond calls the other one");
    let told = house.status().events.iter().any(|event| event.text.en.contains("second.example:5000"));
    assert!(told, "{:?}", house.status().events);
    house.passes(20_000);
    assert_eq!(house.control.orders().far_end, 1, "it stays where it is reached");
}

#[test]
fn a_refused_encoder_and_a_dead_destination_are_alarms_with_a_mend_and_everything_else_goes_on() {
    let mut house = house(|_| {});
    house.goes_live();
    house.passes(1000);
    let bitrate = house.control.orders().media.bitrate;

    let why = Text::raw("v4l2h264enc: /dev/video11: Permission denied");
    house.says(Part::Media, What::EncoderFailed { output: OutputId::Backup, for_good: true, why });
    house.says(Part::Media, destination(0, OutputState::Failed, "connection refused"));
    house.says(Part::Media, destination(1, OutputState::Failed, "the passphrase is wrong"));
    house.passes(15_000);

    let raised = kinds(&house);
    for kind in [AlarmKind::EncoderRefused, AlarmKind::OutputDown] {
        assert!(raised.contains(&(kind, "backup".into())), "{kind:?}: {raised:?}");
    }
    let status = house.status();
    let alarm = |kind| status.alarms.iter().find(|alarm| alarm.kind == kind).unwrap();
    assert!(alarm(AlarmKind::EncoderRefused).text.en.contains("Permission denied"), "{status:?}");
    assert!(alarm(AlarmKind::EncoderRefused).advice.en.contains("driver"), "{status:?}");
    assert!(alarm(AlarmKind::OutputDown).advice.en.contains("passphrase"), "{status:?}");
    let orders = house.control.orders();
    assert!(orders.media.on_air && orders.record.on && orders.media.bitrate == bitrate, "the programme goes on");

    house.says(Part::Media, destination(1, OutputState::Open, ""));
    house.passes(5000);
    let raised = kinds(&house);
    assert!(!raised.contains(&(AlarmKind::OutputDown, "backup".into())), "{raised:?}");
    assert!(raised.contains(&(AlarmKind::OutputElsewhere, "backup".into())), "{raised:?}");
}
