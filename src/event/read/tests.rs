//! Agendas as people write them, good and bad.

use super::*;

/// 2026-11-22 08:00 in Shanghai.
const MORNING: Timestamp = Timestamp(1_795_305_600_000);

fn config() -> Config {
    Config { hall: "主会场".into(), ..Config::default() }
}

fn told(name: &str, text: &str) -> (Vec<(String, String, String)>, Vec<String>) {
    let (agenda, faults) = read(&config(), name, text.as_bytes(), Some(MORNING));
    let talks = agenda.talks.into_iter().map(|t| (t.clock, t.speaker, t.title)).collect();
    (talks, faults.into_iter().map(|fault| fault.en).collect())
}

fn talk(clock: &str, speaker: &str, title: &str) -> (String, String, String) {
    (clock.into(), speaker.into(), title.into())
}

#[test]
fn a_sheet_in_chinese_is_read_and_only_our_halls_talks_count() {
    let csv = "日期,时间,结束,会场,讲者,题目,录制\n\
               2026/11/22,9:30,10:15,主会场,张三,冠脉介入,是\n\
               2026/11/22,9:30,10:00,二会场,王五,心衰,是\n\
               2026/11/22,10:15,11:00,主会场,李四,\"支架, 新进展\",否\n,,,,,,\n";

    let (talks, faults) = told("day.csv", csv);

    assert_eq!(talks, [talk("09:30–10:15", "张三", "冠脉介入"), talk("10:15–11:00", "李四", "支架, 新进展")]);
    assert_eq!(faults, Vec::<String>::new());
    let (agenda, _) = read(&config(), "day.csv", csv.as_bytes(), None);
    assert_eq!(agenda.talks[0].starts, Some(Timestamp(MORNING.0 + 90 * 60_000)), "09:30 in Shanghai");
    assert_eq!(agenda.talks.iter().map(|t| t.allowed.record).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_sheet_as_a_chinese_spreadsheet_saves_it_is_read_too() {
    let (bytes, ..) = encoding_rs::GB18030.encode("开始;讲者\r\n09:00;张三\r\n");

    let (agenda, faults) = read(&config(), "day.csv", &bytes, Some(MORNING));

    assert_eq!((agenda.talks[0].speaker.as_str(), faults), ("张三", vec![]));
}

#[test]
fn json_and_icalendar_say_the_same() {
    let json = r#"{"event":"Congress","talks":[
        {"start":"2026-11-22T09:30:00+08:00","end":"2026-11-22T10:15:00+08:00","speaker":"Ann","title":"One","record":false},
        {"start":"10:15","speaker":"Bob","title":"Two","hall":"主会场"}]}"#;
    let ics = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:Congress\r\n\
        BEGIN:VEVENT\r\nUID:2\r\nDTSTART;TZID=Asia/Shanghai:20261122T101500\r\nSUMMARY:Two\r\n\
        ORGANIZER;CN=Bob:mailto:b@example.com\r\nLOCATION:主会场\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20261122T013000Z\r\nDTEND:20261122T021500Z\r\nSUMMARY:On\r\n e\r\n\
        X-SPEAKER:Ann\r\nX-RECORD:FALSE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    let from = |name, text: &str| read(&config(), name, text.as_bytes(), Some(MORNING));

    let (json, ics) = (from("day.json", json), from("day.ics", ics));
    assert_eq!(json, ics);
    assert_eq!(json.0.event, "Congress");
    assert_eq!(json.0.talks[0].clock, "09:30–10:15");
    assert!(!json.0.talks[0].allowed.record && json.0.talks[1].allowed.record);
    assert_eq!(json.1, []);
}

#[test]
fn every_fault_is_told_with_its_place_and_mend_and_everything_else_goes_on() {
    let csv = "start,end,speaker,title,record\n\
               10:00,09:00,Ann,Backwards,\n\
               half past,,Bob,No time,\n\
               11:00,12:00,Cy,Long,maybe\n\
               11:30,12:30,Di,Overlaps,\n\
               13:00,,,,\n\
               ,,Eve,Timeless,\n";

    let (talks, faults) = told("day.csv", csv);

    let titles: Vec<_> = talks.iter().map(|(clock, _, title)| (clock.as_str(), title.as_str())).collect();
    assert_eq!(
        titles,
        [
            ("10:00", "Backwards"),
            ("", "No time"),
            ("11:00–12:00", "Long"),
            ("11:30–12:30", "Overlaps"),
            ("", "Timeless"),
        ]
    );
    assert_eq!(
        faults,
        [
            "day.csv:2: ends before it begins; its end is left out, mend it",
            "day.csv:3: \"half past\" is no time; write 09:30 or 2026-11-22 09:30",
            "day.csv:4: \"maybe\" is neither yes nor no; taken as no",
            "day.csv:6: neither speaker nor title, left out; write one of them",
            "day.csv:7: no start time, it moves by hand only; write one",
            "day.csv:4 and day.csv:5 overlap; mend one of them",
        ]
    );
}

#[test]
fn what_is_no_agenda_is_told_in_one_sentence() {
    for (name, text, expected) in [
        ("day.csv", "", "the first line names no columns"),
        ("day.csv", "a,b\n1,2\n", "the first line names no columns"),
        ("day.csv", "speaker,hall\nAnn,elsewhere\n", "has no talk for this hall"),
        ("day.json", "{\"talks\": [", "day.json:1: not readable"),
        ("day.json", "7", "not readable"),
        ("day.ics", "BEGIN:VCALENDAR\nEND:", "not readable"),
        ("day.csv", "speaker\0", "no text"),
    ] {
        let (talks, faults) = told(name, text);
        assert!(talks.is_empty() && faults.len() == 1 && faults[0].contains(expected), "{text:?}: {faults:?}");
    }
    let deep = "BEGIN:A\n".repeat(100_000);
    assert!(told("day.ics", &deep).1[0].contains("nested too deep"));
}

#[test]
fn without_a_right_clock_a_time_of_day_waits_and_is_no_fault() {
    let (agenda, faults) = read(&config(), "day.csv", b"start,speaker\n09:30,Ann\n", None);

    assert_eq!((agenda.talks[0].starts, faults), (None, vec![]));
}

proptest::proptest! {
    #[test]
    fn no_file_whatever_makes_it_panic(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        cell in "[\\PC,\n]{0,40}",
        ending in "(csv|json|ics)",
    ) {
        let name = format!("x.{ending}");
        let _ = read(&config(), &name, &bytes, Some(MORNING));
        let _ = read(&config(), &name, format!("start,end,date,speaker\n{cell}\n").as_bytes(), Some(MORNING));
        let ics = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:{cell}\nSUMMARY:{cell}\nEND:VEVENT\nEND:VCALENDAR\n");
        let _ = read(&config(), &name, ics.as_bytes(), None);
        let _ = read(&config(), &name, format!("[{{\"speaker\":\"a\",\"start\":\"{cell}\"}}]").as_bytes(), Some(MORNING));
    }
}
