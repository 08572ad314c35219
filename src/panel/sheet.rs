//! Sheets: a page broken into rows for a display, and into sheets where it has more rows than that.
//!
//! Nothing is ever left out: a line that is too long takes the shorter of its forms, then a row for
//! each end, then as many rows as it takes; rows that have no room go to the next sheet. In colour a
//! page that fits is drawn twice as large, to be read from a metre away: all of it, or the sentence it
//! begins with.

use super::glyph::Face;
use super::page::{Head, Item, Meter, Page, Pip, Tone};
use crate::time::{Duration, Instant};

/// Each part of a long sentence stands so long: a short line is read in two seconds.
const LINE_STANDS: Duration = Duration::from_secs(2);

/// From the square script on, a line may be broken between any two characters …
const SQUARE: char = '\u{2e80}';

/// … but these never begin one.
const NEVER_FIRST: &str = "，。、；：？！）】]%";

/// … and these never end one.
const NEVER_LAST: &str = "（【[";

/// What kind of display there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// 128 × 64 points, lit or not.
    Mono,
    /// 320 × 240 points in colour.
    Colour,
    /// 20 × 4 characters, English only.
    Characters,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mono, Self::Colour, Self::Characters];

    /// The name in board profiles and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mono => "128x64",
            Self::Colour => "320x240",
            Self::Characters => "20x4",
        }
    }

    /// Rows under the headline.
    pub(super) const fn rows(self) -> usize {
        match self {
            Self::Mono => 4,
            Self::Colour => 10,
            Self::Characters => 3,
        }
    }

    /// Room of a row; large ones take the room of two.
    pub(super) const fn room(self, large: bool) -> Room {
        match (self, large) {
            // some letters reach a point out of their own width, to either side
            (Self::Mono, _) => Room { format: self, width: 126, gap: 4 },
            (Self::Colour, false) => Room { format: self, width: 312, gap: 8 },
            (Self::Colour, true) => Room { format: self, width: 156, gap: 4 },
            (Self::Characters, _) => Room { format: self, width: 20, gap: 1 },
        }
    }

    /// Room that `text` takes in a row.
    pub(super) fn measure(self, text: &str) -> u32 {
        match self {
            Self::Mono => Face::Small.width(text),
            Self::Colour => Face::Large.width(text),
            Self::Characters => u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
        }
    }

    /// The headline of the colour display is twice as large.
    const fn head_scale(self) -> u32 {
        if matches!(self, Self::Colour) { 2 } else { 1 }
    }
}

/// Room of one row, in points of its own size, or characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    format: Format,
    /// Across.
    pub(super) width: u32,
    /// Between two ends.
    gap: u32,
}

impl std::str::FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("\"{text}\" is no display; there is {names}")
        })
    }
}

/// One row of a display.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Row {
    Text {
        left: String,
        right: String,
        tone: Tone,
    },
    Meters(Vec<Meter>),
    Pips(Vec<Pip>),
    /// Both in one row: a character display has no room for two.
    Both(Vec<Meter>, Vec<Pip>),
    Level(Meter, String),
    Progress(f64),
}

impl Row {
    fn words(text: String, tone: Tone) -> Self {
        Self::Text { left: text, right: String::new(), tone }
    }
}

/// The rows of one sheet, and how many sheets there are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sheet {
    pub(super) head: (String, String),
    pub(super) rows: Vec<Row>,
    /// So many rows from the top are twice as large.
    pub(super) large: usize,
    pub(super) count: usize,
}

/// Sheet `wanted` of the page, counted round; `now` turns the lines of a [`Item::Ticker`].
pub(super) fn sheet(page: &Page, format: Format, wanted: usize, now: Instant) -> Sheet {
    let sentence = matches!(page.items.first(), Some(Item::Words { .. })) || page.lead;
    let sizes = [Some(page.items.len()), sentence.then_some(1)];
    let large = sizes.into_iter().flatten().find_map(|large| enlarged(page, format, large, now));
    if let Some((rows, large)) = large {
        return Sheet { head: head(&page.head, "", format), rows, large, count: 1 };
    }
    let room = format.rows();
    let mut rows = Vec::new();
    for item in &page.items {
        let left = room - rows.len() % room;
        match item {
            Item::Ticker { text, tone } => {
                let lines = lines(text, format.room(false));
                rows.extend(turning(lines, left, now).map(|line| Row::words(line, *tone)));
            }
            _ => {
                let block = self::rows(item, format.room(false));
                if matches!(item, Item::Together(_)) && (left + 1..=room).contains(&block.len()) {
                    rows.extend(std::iter::repeat_n(Row::words(String::new(), Tone::Plain), left));
                }
                rows.extend(block);
            }
        }
    }
    let count = rows.len().div_ceil(room).max(1);
    let index = wanted % count;
    let rows = rows.into_iter().skip(index * room).take(room).collect();
    let mark = if count > 1 { format!("{}/{count}", index + 1) } else { String::new() };
    Sheet { head: head(&page.head, &mark, format), rows, large: 0, count }
}

/// The rows with the first `large` items twice as large, and how many rows these are; none if that
/// takes more than one sheet.
fn enlarged(page: &Page, format: Format, large: usize, now: Instant) -> Option<(Vec<Row>, usize)> {
    if format != Format::Colour {
        return None;
    }
    let (mut rows, mut big, mut left) = (Vec::new(), 0, format.rows());
    for (index, item) in page.items.iter().enumerate() {
        let high = if index < large { 2 } else { 1 };
        let room = format.room(index < large);
        let block: Vec<_> = match item {
            Item::Ticker { text, tone } => {
                let free = Some(left / high).filter(|free| *free > 0)?;
                turning(lines(text, room), free, now).map(|line| Row::words(line, *tone)).collect()
            }
            _ => self::rows(item, room),
        };
        left = left.checked_sub(block.len() * high)?;
        big += if index < large { block.len() } else { 0 };
        rows.extend(block);
    }
    Some((rows, big))
}

/// So many sheets has the page.
#[must_use]
pub fn count(page: &Page, format: Format) -> usize {
    sheet(page, format, 0, Instant::ZERO).count
}

/// What of the page a display does not show whole, whatever sheet is looked at; nothing, as it should be.
#[must_use]
pub fn misfits(page: &Page, format: Format) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut shown = String::new();
    // long enough for the longest sentence to have had its turns
    for turn in 0..40 {
        let now = Instant::from_millis(turn * LINE_STANDS.as_millis() as u64);
        for index in 0..count(page, format) {
            let sheet = sheet(page, format, index, now);
            let (left, right) = &sheet.head;
            if turn == 0 && beside(left, right, format.room(false)) > head_room(format) {
                wrong.push(format!("{left} {right}"));
            }
            for (at, row) in sheet.rows.iter().enumerate() {
                let room = format.room(at < sheet.large);
                match row {
                    Row::Text { left, right, .. } => {
                        if beside(left, right, room) > room.width {
                            wrong.push(format!("{left} {right}"));
                        }
                        shown.extend(left.chars().chain(right.chars()).filter(|c| *c != ' '));
                    }
                    // half the row at least is left for the bar
                    Row::Level(_, note) if format.measure(note) > room.width / 2 => wrong.push(note.clone()),
                    _ => {}
                }
            }
        }
    }
    let there = |text: &String| shown.contains(&text.replace(' ', ""));
    let whole_in = |text: &String, room: Room| {
        let lines = lines(text, room);
        lines.concat().replace(' ', "") == text.replace(' ', "")
            && lines.iter().all(|line| shown.contains(&line.replace(' ', "")))
    };
    let whole = |text: &String| [false, true].into_iter().any(|large| whole_in(text, format.room(large)));
    for item in page.items.iter().flat_map(parts) {
        match item {
            Item::Line { left, right, .. } => {
                for forms in [left, right].into_iter().filter(|forms| !forms.is_empty() && !forms.iter().any(there)) {
                    wrong.push(forms.first().cloned().unwrap_or_default());
                }
            }
            // its lines stand apart, with other rows between them
            Item::Words { text, .. } | Item::Ticker { text, .. } if !whole(text) => wrong.push(text.clone()),
            _ => {}
        }
    }
    wrong
}

/// An item, or those that it keeps together.
fn parts(item: &Item) -> &[Item] {
    match item {
        Item::Together(items) => items,
        other => std::slice::from_ref(other),
    }
}

/// Room of the headline, in points of its own size.
fn head_room(format: Format) -> u32 {
    // two points at either end keep the letters off the edge of the band
    (format.room(false).width - if format == Format::Characters { 0 } else { 4 }) / format.head_scale()
}

/// The first pair of forms that fits beside one another; the last, if none does.
fn head(head: &Head, mark: &str, format: Format) -> (String, String) {
    let none = [String::new()];
    let left = if head.left.is_empty() { &none[..] } else { &head.left };
    let right = if head.right.is_empty() { &none[..] } else { &head.right };
    let marked = |right: &String| match (mark.is_empty(), right.is_empty()) {
        (true, _) => right.clone(),
        (false, true) => mark.to_owned(),
        (false, false) => format!("{mark} {right}"),
    };
    // both ends give way by turns, so that neither is dropped for the other's longest form
    let mut order: Vec<_> = (0..left.len()).flat_map(|l| (0..right.len()).map(move |r| (l, r))).collect();
    order.sort_by_key(|(l, r)| (*l.max(r), *l));
    let pairs = || order.iter().map(|(l, r)| (left[*l].clone(), marked(&right[*r])));
    let fits = |(left, right): &(String, String)| beside(left, right, format.room(false)) <= head_room(format);
    pairs().find(fits).or_else(|| pairs().next_back()).unwrap_or_default()
}

fn beside(left: &str, right: &str, room: Room) -> u32 {
    let gap = if left.is_empty() || right.is_empty() { 0 } else { room.gap };
    room.format.measure(left) + gap + room.format.measure(right)
}

fn rows(item: &Item, room: Room) -> Vec<Row> {
    match item {
        Item::Line { left, right, tone } => line(left, right, *tone, room),
        Item::Words { text, tone } | Item::Ticker { text, tone } => {
            lines(text, room).into_iter().map(|line| Row::words(line, *tone)).collect()
        }
        Item::Signals { meters, pips } if room.format == Format::Characters => {
            vec![Row::Both(meters.clone(), pips.clone())]
        }
        Item::Signals { meters, pips } => vec![Row::Meters(meters.clone()), Row::Pips(pips.clone())],
        Item::Level { meter, note } => vec![Row::Level(meter.clone(), note.clone())],
        Item::Progress(share) => vec![Row::Progress(*share)],
        Item::Together(items) => items.iter().flat_map(|item| rows(item, room)).collect(),
    }
}

fn line(left: &[String], right: &[String], tone: Tone, room: Room) -> Vec<Row> {
    let none = [String::new()];
    let right = if right.is_empty() { &none[..] } else { right };
    for l in left {
        for r in right {
            if beside(l, r, room) <= room.width {
                return vec![Row::Text { left: l.clone(), right: r.clone(), tone }];
            }
        }
    }
    // the longest forms: now that there is a row for each, nothing has to be short
    let first = left.first().map(String::as_str).unwrap_or_default();
    let mut rows: Vec<_> = lines(first, room).into_iter().map(|line| Row::words(line, tone)).collect();
    let fits = |form: &&String| room.format.measure(form) <= room.width;
    match right.iter().find(fits) {
        Some(form) => rows.push(Row::Text { left: String::new(), right: form.clone(), tone }),
        None => {
            let last = right.last().map(String::as_str).unwrap_or_default();
            rows.extend(lines(last, room).into_iter().map(|line| Row::words(line, tone)));
        }
    }
    rows
}

/// The lines that stand now, of those that take turns in `room` rows.
fn turning(lines: Vec<String>, room: usize, now: Instant) -> impl Iterator<Item = String> {
    let parts = lines.len().div_ceil(room).max(1);
    let turn = (now.as_millis() / LINE_STANDS.as_millis() as u64) as usize % parts;
    lines.into_iter().skip(turn * room).take(room)
}

/// `text` as lines that fit: broken between words, or between characters where there are no words;
/// nothing is left out.
pub(super) fn lines(text: &str, room: Room) -> Vec<String> {
    let (format, room) = (room.format, room.width);
    let mut lines = vec![String::new()];
    for piece in pieces(text) {
        let last = lines.last_mut().map(|line| format!("{line}{piece}")).unwrap_or_default();
        if format.measure(last.trim_end()) <= room {
            if let Some(line) = lines.last_mut() {
                *line = last;
            }
        } else if format.measure(piece.trim_end()) <= room {
            lines.push(piece.trim_start().to_owned());
        } else {
            // a word longer than the display
            for c in piece.chars() {
                match lines.last_mut() {
                    Some(line) if format.measure(&format!("{line}{c}")) <= room => line.push(c),
                    _ => lines.push(c.to_string()),
                }
            }
        }
    }
    lines.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// What must stay together: words with the space after them, characters with the sign after them.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let wide = c >= SQUARE;
        if wide && !word.is_empty() {
            pieces.push(std::mem::take(&mut word));
        }
        word.push(c);
        if wide || c == ' ' {
            pieces.push(std::mem::take(&mut word));
        }
    }
    pieces.push(word);
    let mut joined: Vec<String> = Vec::new();
    for piece in pieces {
        match joined.last_mut() {
            Some(last)
                if last.ends_with(|c| NEVER_LAST.contains(c)) || piece.starts_with(|c| NEVER_FIRST.contains(c)) =>
            {
                last.push_str(&piece);
            }
            _ => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::page::Band;

    #[test]
    fn a_long_sentence_is_broken_and_nothing_of_it_is_lost() {
        for sentence in
            ["有线网络已断开，请检查网线和交换机，直播由4G继续", "the wired uplink is down; check cable and switch"]
        {
            for format in Format::ALL {
                let broken = lines(sentence, format.room(false));

                assert!(broken.len() > 1);
                assert!(broken.iter().all(|line| format.measure(line) <= format.room(false).width), "{broken:?}");
                assert!(broken.iter().all(|line| !line.starts_with('，')), "{broken:?}");
                assert_eq!(broken.concat().replace(' ', ""), sentence.replace(' ', ""));
            }
        }
    }

    #[test]
    fn a_word_wider_than_the_display_is_broken_too() {
        for format in Format::ALL {
            let broken = lines(&"x".repeat(80), format.room(false));

            assert_eq!(broken.concat().len(), 80);
            assert!(broken.iter().all(|line| format.measure(line) <= format.room(false).width));
        }
    }

    #[test]
    fn a_page_of_many_rows_becomes_sheets_and_says_which_one_this_is() {
        let mut page = Page::titled("LINKS", "AIR", Band::Air);
        for n in 0..7 {
            page.line(format!("lte{n}"), "2.0/2.1M", Tone::Plain);
        }

        let sheets: Vec<_> = (0..3).map(|n| sheet(&page, Format::Characters, n, Instant::ZERO)).collect();

        assert_eq!(sheets.iter().map(|s| s.rows.len()).collect::<Vec<_>>(), [3, 3, 1]);
        assert_eq!(sheets[2].head, ("LINKS".into(), "3/3 AIR".into()));
        assert_eq!(count(&page, Format::Colour), 1);
    }

    #[test]
    fn two_ends_that_do_not_fit_beside_one_another_take_a_row_each() {
        let long = "a-slot-of-16-chr".to_owned();
        let rows = line(
            std::slice::from_ref(&long),
            &["88.8/88.8M 888ms".into(), "88.8M".into()],
            Tone::Plain,
            Format::Characters.room(false),
        );

        let text = |row: &Row| match row {
            Row::Text { left, right, .. } => format!("{left}|{right}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(rows.iter().map(text).collect::<Vec<_>>(), [format!("{long}|"), "|88.8/88.8M 888ms".into()]);
    }

    #[test]
    fn what_is_kept_together_begins_on_a_sheet_of_its_own_where_it_would_be_torn() {
        let mut page = Page::titled("AUDIO", "", Band::Dark);
        let pair = |name: &str| {
            let line = |text: String| Item::Words { text, tone: Tone::Plain };
            Item::Together(vec![line(format!("{name} level")), line(format!("{name} loudness"))])
        };
        page.items = ["A", "B", "C"].map(pair).to_vec();

        let sheets: Vec<_> = (0..3).map(|n| sheet(&page, Format::Characters, n, Instant::ZERO)).collect();

        assert!(sheets.iter().all(|sheet| sheet.count == 3));
        assert_eq!(sheets[1].rows[0], Row::words("B level".into(), Tone::Plain));
        assert_eq!(sheet(&page, Format::Mono, 1, Instant::ZERO).rows[0], Row::words("C level".into(), Tone::Plain));
    }

    #[test]
    fn in_colour_a_short_page_is_large_and_a_long_one_has_its_first_sentence_large() {
        let mut page = Page::titled("ALARM", "", Band::Dark);
        page.words("the camera gives no picture", Tone::Bad);
        let large = |page: &Page| sheet(page, Format::Colour, 0, Instant::ZERO).large;
        assert_eq!(large(&page), 2);

        page.words("check the lead, the camera's output and its power; then the input of the box", Tone::Plain);
        assert_eq!(large(&page), 2, "the advice does not fit large");
        for n in 0..12 {
            page.line(format!("{n}"), "", Tone::Plain);
        }
        assert_eq!((large(&page), count(&page, Format::Colour)), (0, 2));
    }

    #[test]
    fn a_ticker_takes_the_rows_that_are_left_and_shows_all_of_its_sentence_in_turn() {
        let mut page = Page::titled("", "", Band::Dark);
        page.line("rate", "4.8/4.9M", Tone::Plain);
        let text = "the wired uplink is down; check the cable, or the modem with its antenna".to_owned();
        page.items.push(Item::Ticker { text: text.clone(), tone: Tone::Bad });

        let mut seen = String::new();
        for second in (0..8).step_by(2) {
            let now = Instant::from_millis(second * 1000);
            let sheet = sheet(&page, Format::Characters, 0, now);
            assert!(sheet.count == 1 && sheet.rows.len() <= 3);
            for row in &sheet.rows[1..] {
                if let Row::Text { left, .. } = row {
                    seen.push_str(left);
                    seen.push(' ');
                }
            }
        }
        assert!(seen.starts_with(&text), "{seen}");
    }
}
