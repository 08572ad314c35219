//! Settings of the event: its name, the hall, the agenda, and who moves it on.

use std::path::PathBuf;

use super::tier::{Choice, Tier};
use crate::table::Section;

/// The longest name of an event or a hall, in characters: a file name has to hold both and more.
const MAX_NAME: usize = 60;

/// Who moves the agenda on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// Somebody presses the key; times are shown only.
    #[default]
    Hand,
    /// A talk begins at its time; the key still helps a talk that begins early.
    Time,
}

/// The event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Name of the event; empty: as the agenda says.
    pub name: String,
    /// The hall this box stands in; of an agenda with several halls only its talks count.
    pub hall: String,
    /// The agenda's file: `.csv`, `.json` or `.ics`.
    pub agenda: Option<PathBuf>,
    /// Time zone of times without one, such as `Asia/Shanghai`.
    pub zone: Zone,
    /// Who moves it on.
    pub split: Split,
    /// The quality that was ordered.
    pub tier: Choice,
}

/// Name of a time zone that the program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub String);

impl Default for Zone {
    fn default() -> Self {
        Self("Asia/Shanghai".to_owned())
    }
}

impl Config {
    /// Reads the section `[event]`.
    pub fn read(section: &mut Section<'_>) -> Self {
        let mut name = |key: &'static str| {
            let line = section.line_of(key);
            let text = section.text(key).unwrap_or_default();
            if text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
                section.fault(line, key, format!("is not a name; at most {MAX_NAME} characters, none of control"));
            }
            text
        };
        let (event, hall) = (name("name"), name("hall"));
        let line = section.line_of("agenda");
        let agenda = section.text("agenda").filter(|path| !path.is_empty()).map(PathBuf::from);
        let known = |path: &PathBuf| {
            let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
            path.is_absolute() && ["csv", "json", "ics"].contains(&end.as_str())
        };
        if agenda.as_ref().is_some_and(|path| !known(path)) {
            let mend = "is not an agenda; write an absolute path that ends in .csv, .json or .ics, or \"\" for none";
            section.fault(line, "agenda", mend);
        }
        let line = section.line_of("zone");
        let zone = section.text("zone").map_or_else(Zone::default, Zone);
        if !zone.is_known() {
            let mend = format!("\"{}\" is not a time zone; write one such as \"Asia/Shanghai\" or \"UTC\"", zone.0);
            section.fault(line, "zone", mend);
        }
        let split = section.choice("split", &[("hand", Split::Hand), ("time", Split::Time)], Split::default());
        let mut tiers = vec![("off", Choice::Off), ("auto", Choice::Auto)];
        tiers.extend(Tier::ALL.map(|tier| (tier.name(), Choice::Fixed(tier))));
        let tier = section.choice("tier", &tiers, Choice::default());
        Self { name: event, hall, agenda, zone, split, tier }
    }
}
