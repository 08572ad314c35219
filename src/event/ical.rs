//! An iCalendar file as rows: each event a talk, its place the hall.

use icalendar::ValueType;
use icalendar::parser::{Component, Property, read_calendar, unfold};

use super::row::{Field, Row, Written};

/// Calendars nest three deep; more is no calendar, and the reader of them is recursive.
const DEEPEST: usize = 8;

/// Where iCalendar itself has no word for it.
const SPEAKER: &str = "X-SPEAKER";
const ALLOWED: [(&str, Field); 3] =
    [("X-RECORD", Field::Record), ("X-STREAM", Field::Stream), ("X-PUBLISH", Field::Publish)];

/// The name of the calendar and its events, or why it cannot be read.
pub(super) fn rows(name: &str, text: &str) -> Result<(String, Vec<Row>), String> {
    let text = unfold(text);
    let mut depth = 0_usize;
    for line in text.lines() {
        let starts = |word: &str| line.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        match () {
            () if starts("BEGIN:") => depth += 1,
            () if starts("END:") => depth = depth.saturating_sub(1),
            () => {}
        }
        if depth > DEEPEST {
            return Err("nested too deep".to_owned());
        }
    }
    let calendar = read_calendar(&text)?;
    let event = calendar.properties.iter().find(|p| p.name == "X-WR-CALNAME").map(said).unwrap_or_default();
    let events = calendar.components.iter().filter(|component| component.name == "VEVENT");
    Ok((event, events.enumerate().map(|(n, event)| row(name, n + 1, event)).collect()))
}

fn row(name: &str, number: usize, event: &Component<'_>) -> Row {
    let text = |key: &str| event.find_prop(key).map(said).unwrap_or_default();
    let mut row = Row { place: format!("{name}#{number}"), ..Row::default() };
    row.title = text("SUMMARY");
    row.hall = text("LOCATION");
    row.speaker = match text(SPEAKER) {
        named if !named.is_empty() => named,
        _ => ["ATTENDEE", "ORGANIZER"].iter().find_map(|key| common_name(event.find_prop(key)?)).unwrap_or_default(),
    };
    row.start = event.find_prop("DTSTART").map(written).unwrap_or_default();
    row.end = event.find_prop("DTEND").map(written).unwrap_or_default();
    for (key, field) in ALLOWED {
        row.set(field, &text(key));
    }
    row
}

fn said(property: &Property<'_>) -> String {
    property.val.clone().unescape_by_value_type(ValueType::Text).as_str().trim().to_owned()
}

fn common_name(property: &Property<'_>) -> Option<String> {
    let name = property.params.iter().find(|param| param.key == "CN")?.val.as_ref()?;
    Some(name.as_str().trim_matches('"').to_owned()).filter(|name| !name.is_empty())
}

/// `20261122T093000`, with `Z` or a zone beside it.
fn written(property: &Property<'_>) -> Written {
    let zone = property.params.iter().find(|param| param.key == "TZID").and_then(|param| param.val.as_ref());
    Written {
        text: property.val.as_str().trim().to_owned(),
        zone: zone.map(|zone| zone.as_str().trim_matches('"').to_owned()),
    }
}
