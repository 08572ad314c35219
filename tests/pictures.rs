//! What the box makes of pictures that are judged bad, of slates, and of the second camera.

use livebox::alarm::AlarmKind;
use livebox::control::{Control, Settings};
use livebox::lang::{Text, said};
use livebox::media::picture::{PictureFault, PictureFinding, PictureOf};
use livebox::media::{Config, Layout, Slate, SourceId};
use livebox::message::{Ask, Command, Intent, Origin, Part, Refusal, What};
use livebox::time::Instant;

use crate::control::House;

fn house(sources: &[SourceId], intent: Intent) -> House {
    let settings = Settings {
        device: "hall-1".into(),
        sources: sources.to_vec(),
        uplinks: Vec::new(),
        echo: false,
        broker: false,
        media: Config::default(),
        record: livebox::record::Config::default(),
        event: livebox::event::Config::default(),
    };
    House { control: Control::new(Instant::ZERO, settings, intent), now: Instant::ZERO }
}

fn ask(house: &mut House, ask: Ask) -> Result<(), Refusal> {
    house.control.handle_command(house.now, Command { origin: Origin::Console, ask })
}

fn judged(of: PictureOf, faults: &[PictureFault]) -> What {
    let finding = |fault: &PictureFault| PictureFinding {
        fault: *fault,
        since: Instant::from_millis(500),
        detail: Text::default(),
    };
    What::PictureJudged { of, findings: faults.iter().map(finding).collect() }
}

fn alarms(house: &House) -> Vec<(AlarmKind, String)> {
    let lines = house.status().alarms;
    lines.into_iter().filter(|a| a.kind != AlarmKind::SourceLost).map(|a| (a.kind, a.subject)).collect()
}

#[test]
fn a_bad_picture_is_an_alarm_about_its_source_until_it_is_good_again() {
    let mut house = house(&[SourceId::Camera, SourceId::Slides], Intent::default());
    let camera = PictureOf::Source(SourceId::Camera);

    house.says(Part::Media, judged(camera, &[PictureFault::Black]));
    house.says(Part::Media, judged(PictureOf::Programme, &[PictureFault::Damaged]));

    let raised = alarms(&house);
    assert!(raised.contains(&(AlarmKind::PictureBlack, "camera".into())), "{raised:?}");
    assert!(raised.contains(&(AlarmKind::PictureDamaged, "encoded".into())), "{raised:?}");

    house.says(Part::Media, judged(camera, &[PictureFault::Frozen]));
    house.says(Part::Media, judged(PictureOf::Programme, &[]));
    house.goes(1500);

    assert_eq!(alarms(&house), [(AlarmKind::PictureFrozen, "camera".into())]);
    let words = house.status().alarms.into_iter().find(|a| a.kind == AlarmKind::PictureFrozen).unwrap();
    assert!(words.text.zh.contains("摄像机") && words.advice.en.contains("restart"), "{words:?}");
}

#[test]
fn a_fault_of_the_encoder_is_not_blamed_on_a_camera() {
    let mut house = house(&[SourceId::Camera], Intent::default());
    let advice = |house: &House, subject: &str| {
        let lines = house.status().alarms;
        lines.into_iter().find(|a| a.subject == subject && a.kind == AlarmKind::PictureBlack).unwrap().advice.en
    };

    house.says(Part::Media, judged(PictureOf::Programme, &[PictureFault::Black]));
    house.says(Part::Media, judged(PictureOf::Source(SourceId::Camera), &[PictureFault::Black]));

    assert!(advice(&house, "encoded").contains("x264enc"));
    assert!(advice(&house, "camera").contains("lens cap"));
}

#[test]
fn what_was_judged_is_forgotten_with_the_part_that_judged_it() {
    let mut house = house(&[SourceId::Camera], Intent::default());
    house.says(Part::Media, judged(PictureOf::Source(SourceId::Camera), &[PictureFault::Black]));

    house.says(Part::Media, What::PartEnded { why: Text::raw("x") });
    house.goes(1500);

    assert!(!alarms(&house).iter().any(|(kind, _)| *kind == AlarmKind::PictureBlack));
}

#[test]
fn a_slate_that_cannot_be_used_is_an_alarm_with_the_mend_and_good_again_after_the_next_look() {
    let mut house = house(&[SourceId::Camera], Intent::default());

    let wrong = Some(said::slate_changed("/srv/hold.png"));
    house.says(Part::Media, What::SlateJudged { name: "hold", wrong });

    let line = house.status().alarms.into_iter().find(|a| a.kind == AlarmKind::SlateUnusable).unwrap();
    assert!(line.text.en.contains("hold slate") && line.text.en.contains("/srv/hold.png"), "{line:?}");
    assert!(line.advice.en.contains("sha256sum") && line.advice.zh.contains("sha256"), "{line:?}");

    house.says(Part::Media, What::SlateJudged { name: "hold", wrong: None });
    house.goes(2500);
    assert!(!alarms(&house).iter().any(|(kind, _)| *kind == AlarmKind::SlateUnusable));
}

#[test]
fn one_press_is_always_the_hold_slate_and_the_next_one_the_picture() {
    let mut house = house(&[SourceId::Camera], Intent { on_air: true, ..Intent::default() });
    let media = |house: &House| {
        let orders = house.control.orders();
        (orders.media.slate, orders.media.which)
    };

    ask(&mut house, Ask::Show { slate: Slate::Warmup }).unwrap();
    assert_eq!(media(&house), (true, Slate::Warmup));
    ask(&mut house, Ask::Slate { on: false }).unwrap();
    assert!(!media(&house).0);

    ask(&mut house, Ask::Show { slate: Slate::End }).unwrap();
    ask(&mut house, Ask::Slate { on: true }).unwrap();
    assert_eq!(media(&house), (true, Slate::Hold));
    assert_eq!(house.status().programme.which, Slate::Hold);
    ask(&mut house, Ask::Slate { on: false }).unwrap();
    assert_eq!(media(&house), (false, Slate::Hold));
}

#[test]
fn a_layout_with_the_second_camera_needs_the_second_camera() {
    let two = [SourceId::Camera, SourceId::Slides];
    let three = [SourceId::Camera, SourceId::Slides, SourceId::Camera2];
    for layout in [Layout::Camera2, Layout::ThreeSplit] {
        assert_eq!(ask(&mut house(&two, Intent::default()), Ask::Layout { layout }), Err(Refusal::NotOnBoard));
        let mut house = house(&three, Intent::default());
        assert_eq!(ask(&mut house, Ask::Layout { layout }), Ok(()));
        assert_eq!(house.control.orders().media.layout, layout);
    }
}
