//! Settings of the recording: where, when, how long a file, and how full the disk may get.

use std::path::PathBuf;

use crate::table::Section;
use crate::time::Duration;
use crate::units::Bytes;

/// Folder of the recordings in the state folder, if the settings name no other.
pub const RECORDINGS: &str = "recordings";

/// When a recording begins by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// With the live, and ends with it.
    #[default]
    Live,
    /// Never: only when somebody asks.
    Hand,
}

/// How the recording is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where recordings lie; empty: `recordings` in the state folder.
    pub folder: Option<PathBuf>,
    /// When it begins by itself.
    pub when: When,
    /// A new segment at least so often.
    pub span: Duration,
    /// Below so much free room the oldest unprotected segments are deleted.
    pub keep_free: Bytes,
    /// Below so much free room the recording stops.
    pub stop_free: Bytes,
    /// A segment without a verified copy counts as protected.
    pub protect_uncopied: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            folder: None,
            when: When::default(),
            span: Duration::from_secs(900),
            keep_free: Bytes(5_000_000_000),
            stop_free: Bytes(1_000_000_000),
            protect_uncopied: false,
        }
    }
}

impl Config {
    /// Reads the section `[record]`.
    pub fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let line = section.line_of("folder");
        let folder = section.text("folder").filter(|text| !text.is_empty()).map(PathBuf::from);
        if folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            let mend =
                "is not an absolute path; write one such as \"/media/ssd/recordings\", or \"\" for the state folder";
            section.fault(line, "folder", mend);
        }
        let size = "a size such as \"5GB\" or \"500MB\"";
        let when = section.choice("when", &[("live", When::Live), ("hand", When::Hand)], default.when);
        let span = section.duration("span", default.span, Duration::from_secs(10)..=Duration::from_secs(6 * 3600));
        let keep_line = section.line_of("keep_free");
        let keep_free = section.parsed("keep_free", size).unwrap_or(default.keep_free);
        let stop_line = section.line_of("stop_free");
        let stop_free: Bytes = section.parsed("stop_free", size).unwrap_or(default.stop_free);
        if stop_free.0 < 10_000_000 {
            section.fault(stop_line, "stop_free", "leaves no room for the state of the box; write \"10MB\" or more");
        }
        if keep_free <= stop_free {
            // the line that somebody wrote is the one to look at
            let line = if keep_line > 0 { keep_line } else { stop_line };
            let mend =
                format!("keep_free is not more than stop_free; write keep_free = \"{}\" or more", stop_free.doubled());
            section.fault(line, "keep_free", mend);
        }
        let protect_uncopied = section.flag("protect_uncopied", default.protect_uncopied);
        Self { folder, when, span, keep_free, stop_free, protect_uncopied }
    }
}
