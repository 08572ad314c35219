//! Reads an agenda: CSV, JSON or iCalendar, in UTF-8 or as Chinese spreadsheets save it.
//!
//! Whatever makes no sense is told with its place and its mend; everything else counts.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::agenda::{Agenda, Talk};
use super::config::{Config, Zone};
use super::ical;
use super::permission::Permissions;
use super::row::{Field, Row, Written};
use super::zone;
use crate::lang::{Text, said};
use crate::time::Timestamp;

/// The largest file that is read, in bytes: a week of ten halls is a tenth of it.
pub const MAX_FILE: u64 = 1 << 20;

/// The most talks of one hall.
const MAX_TALKS: usize = 1000;

/// The longest name or title that is kept, in characters.
const MAX_TEXT: usize = 200;

/// The talks of `config.hall`, and every fault. `name` is the file's, its ending says the format; `wall`
/// says which day a time without a date is of.
#[must_use]
pub fn read(config: &Config, name: &str, bytes: &[u8], wall: Option<Timestamp>) -> (Agenda, Vec<Text>) {
    let Some(text) = decoded(bytes) else { return (Agenda::default(), vec![said::agenda_no_text(name)]) };
    let rows = match name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "csv" => csv_rows(name, &text),
        "json" => json_rows(name, &text),
        _ => ical::rows(name, &text).map_err(|why| said::agenda_unreadable(name, first_line(&why))),
    };
    match rows {
        Ok((event, rows)) => Reader::new(config, wall).agenda(name, event, rows),
        Err(fault) => (Agenda::default(), vec![fault]),
    }
}

/// UTF-8, or GB 18030 as spreadsheets in China save it.
fn decoded(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (!text.contains('\0')).then(|| text.to_owned());
    }
    let (text, _, wrong) = encoding_rs::GB18030.decode(bytes);
    (!wrong && !text.contains('\0')).then(|| text.into_owned())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

fn csv_rows(name: &str, text: &str) -> Result<(String, Vec<Row>), Text> {
    let head = text.lines().next().unwrap_or_default();
    let delimiter =
        [b',', b';', b'\t'].into_iter().max_by_key(|d| (head.bytes().filter(|b| b == d).count(), *d == b','));
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter.unwrap_or(b',')).flexible(true).from_reader(text.as_bytes());
    let unreadable = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        said::agenda_unreadable(format!("{name}:{line}"), error)
    };
    let fields: Vec<_> = reader.headers().map_err(|e| unreadable(&e))?.iter().map(Field::named).collect();
    if !fields.iter().any(|field| matches!(field, Some(Field::Speaker | Field::Title))) {
        return Err(said::agenda_no_head(name));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| unreadable(&e))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = Row { place: format!("{name}:{line}"), ..Row::default() };
        for (field, text) in fields.iter().zip(record.iter()) {
            if let Some(field) = field {
                row.set(*field, text);
            }
        }
        rows.push(row);
    }
    Ok((String::new(), rows))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    Whole {
        #[serde(default)]
        event: String,
        talks: Vec<serde_json::Map<String, serde_json::Value>>,
    },
    List(Vec<serde_json::Map<String, serde_json::Value>>),
}

fn json_rows(name: &str, text: &str) -> Result<(String, Vec<Row>), Text> {
    // first as JSON at all: that error names the line
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| said::agenda_unreadable(format!("{name}:{}", e.line()), &e))?;
    let whole = serde_json::from_value(value)
        .map_err(|_| said::agenda_unreadable(name, "{\"event\": \"…\", \"talks\": [{\"speaker\": \"…\"}]}"))?;
    let (event, talks) = match whole {
        Json::Whole { event, talks } => (event, talks),
        Json::List(talks) => (String::new(), talks),
    };
    let row = |(n, talk): (usize, serde_json::Map<String, serde_json::Value>)| {
        let mut row = Row { place: format!("{name}#{}", n + 1), ..Row::default() };
        for (key, value) in &talk {
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Bool(flag) => flag.to_string(),
                serde_json::Value::Number(number) => number.to_string(),
                _ => continue,
            };
            if let Some(field) = Field::named(key) {
                row.set(field, &text);
            }
        }
        row
    };
    Ok((event, talks.into_iter().enumerate().map(row).collect()))
}

/// Turns rows into talks, and notes what makes no sense.
struct Reader<'c> {
    hall: &'c str,
    rules: TimeZone,
    today: Option<Date>,
    faults: Vec<Text>,
}

impl<'c> Reader<'c> {
    fn new(config: &'c Config, wall: Option<Timestamp>) -> Self {
        let rules = config.zone.rules().unwrap_or(TimeZone::UTC);
        let today = wall.and_then(|wall| zone::at(&rules, wall)).map(|now| now.date());
        Self { hall: &config.hall, rules, today, faults: Vec::new() }
    }

    fn agenda(mut self, name: &str, event: String, rows: Vec<Row>) -> (Agenda, Vec<Text>) {
        let ours = |row: &Row| self.hall.is_empty() || row.hall.is_empty() || row.hall == self.hall;
        let mut rows: Vec<_> = rows.into_iter().filter(|row| !row.is_blank() && ours(row)).collect();
        if rows.len() > MAX_TALKS {
            self.faults.push(said::agenda_too_long(name, MAX_TALKS));
            rows.truncate(MAX_TALKS);
        }
        let mut talks: Vec<(Row, Talk)> =
            rows.into_iter().filter_map(|row| self.talk(&row).map(|talk| (row, talk))).collect();
        if talks.is_empty() {
            self.faults.push(said::agenda_empty(name));
        }
        self.order(&mut talks);
        self.compare(&talks);
        (Agenda { event: short(&event), talks: talks.into_iter().map(|(_, talk)| talk).collect() }, self.faults)
    }

    fn talk(&mut self, row: &Row) -> Option<Talk> {
        if row.speaker.is_empty() && row.title.is_empty() {
            self.faults.push(said::talk_unnamed(&row.place));
            return None;
        }
        let starts = self.time(row, &row.start);
        let mut ends = self.time(row, &row.end);
        if starts.zip(ends).is_some_and(|(starts, ends)| ends <= starts) {
            self.faults.push(said::talk_backwards(&row.place));
            ends = None;
        }
        let clock = [starts, ends].into_iter().flatten().map(|at| zone::shown(&self.rules, at));
        let clock = clock.collect::<Vec<_>>().join("–");
        let [record, stream, publish] = [0, 1, 2].map(|n| self.allows(row, &row.allowed[n]));
        let allowed = Permissions { record, stream, publish };
        Some(Talk { speaker: short(&row.speaker), title: short(&row.title), starts, ends, clock, allowed })
    }

    fn time(&mut self, row: &Row, written: &Written) -> Option<Timestamp> {
        if written.text.is_empty() {
            return None;
        }
        let rules = match &written.zone {
            None => Some(self.rules.clone()),
            Some(zone) => Zone(zone.clone()).rules(),
        };
        match rules.and_then(|rules| moment(&written.text, &row.date, self.today, &rules)) {
            Some(Moment::At(at)) => Some(at),
            // what day it is will be known when the clock is right
            Some(Moment::NoDay) => None,
            None => {
                let text = [Some(row.date.as_str()), Some(&written.text), written.zone.as_deref()];
                let text = text.into_iter().flatten().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
                self.faults.push(said::talk_bad_time(&row.place, format!("\"{}\"", short(&text))));
                None
            }
        }
    }

    fn allows(&mut self, row: &Row, text: &str) -> bool {
        match text.to_lowercase().as_str() {
            "" | "yes" | "y" | "true" | "1" | "是" | "允许" | "同意" => true,
            "no" | "n" | "false" | "0" | "否" | "不" | "不允许" | "禁止" | "不同意" => false,
            // whoever cannot be understood may have said no
            _ => {
                self.faults.push(said::talk_bad_permission(&row.place, format!("\"{}\"", short(text))));
                false
            }
        }
    }

    /// By time; a talk without one stays behind the talk it was written behind.
    fn order(&mut self, talks: &mut Vec<(Row, Talk)>) {
        let timed = talks.iter().any(|(_, talk)| talk.starts.is_some());
        let mut last = Timestamp(0);
        let mut keyed = Vec::new();
        for (row, talk) in talks.drain(..) {
            if timed && talk.starts.is_none() && row.start.text.is_empty() {
                self.faults.push(said::talk_no_time(&row.place));
            }
            last = talk.starts.unwrap_or(last);
            keyed.push((last, row, talk));
        }
        keyed.sort_by_key(|(at, ..)| *at);
        talks.extend(keyed.into_iter().map(|(_, row, talk)| (row, talk)));
    }

    fn compare(&mut self, talks: &[(Row, Talk)]) {
        let mut busy: Option<(Timestamp, &Row)> = None;
        for (row, talk) in talks {
            let Some(starts) = talk.starts else { continue };
            if let Some((_, other)) = busy.filter(|(until, _)| starts < *until) {
                self.faults.push(said::talks_overlap(&other.place, &row.place));
            }
            // a talk without an end still takes its first minute
            let until = talk.ends.unwrap_or(Timestamp(starts.0 + 60_000));
            if busy.is_none_or(|(before, _)| until > before) {
                busy = Some((until, row));
            }
        }
    }
}

enum Moment {
    At(Timestamp),
    NoDay,
}

/// `09:30`, `2026-11-22 09:30`, `2026/11/22 9:30`, `20261122T093000`, with or without seconds, and with
/// an offset or `Z` where somebody wrote one.
fn moment(text: &str, date: &str, today: Option<Date>, rules: &TimeZone) -> Option<Moment> {
    let whole = if date.is_empty() { text.to_owned() } else { format!("{date} {text}") };
    if let Ok(at) = whole.replace(' ', "T").parse::<jiff::Timestamp>() {
        return zone::stamp(at).map(Moment::At);
    }
    let (day, clock) = whole.rsplit_once([' ', 'T']).unwrap_or(("", &whole));
    let time = time(clock)?;
    let day = match day.trim() {
        "" => today,
        day => Some(self::day(day)?),
    };
    let Some(day) = day else { return Some(Moment::NoDay) };
    zone::wall(rules, DateTime::from_parts(day, time)).map(Moment::At)
}

fn time(text: &str) -> Option<Time> {
    let text = text.trim();
    let parts: Vec<&str> = match text.replace('：', ":") {
        text if text.contains(':') => return numbers(&text, ':').and_then(|n| clock(&n)),
        _ if text.len() >= 4 && text.is_ascii() => {
            [text.get(0..2), text.get(2..4), text.get(4..6)].into_iter().flatten().collect()
        }
        _ => return None,
    };
    clock(&parts.iter().map(|part| part.parse().ok()).collect::<Option<Vec<i16>>>()?)
}

fn clock(parts: &[i16]) -> Option<Time> {
    let [hour, minute, ref rest @ ..] = *parts else { return None };
    let part = |n: i16| i8::try_from(n).ok();
    Time::new(part(hour)?, part(minute)?, part(rest.first().copied().unwrap_or(0))?, 0).ok()
}

fn day(text: &str) -> Option<Date> {
    let text = text.replace(['/', '.', '年', '月'], "-").replace('日', "");
    let parts = if text.len() == 8 && text.is_ascii() && !text.contains('-') {
        numbers(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]), '-')?
    } else {
        numbers(&text, '-')?
    };
    let [year, month, day] = parts[..] else { return None };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn numbers(text: &str, between: char) -> Option<Vec<i16>> {
    text.split(between).map(|part| part.trim().parse().ok()).collect()
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests;
