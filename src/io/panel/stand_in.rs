//! Stand-in: the page "engine restarting" from a process of its own, while the box is not there.
//!
//! Who may draw is told by a lock on a file in the state folder. The box's panel holds it as long as
//! it lives; the kernel lets go of it the moment the process dies, however it dies. The stand-in takes
//! it for one picture a second, so that a box that comes back has it at once.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::bus::{self, format};
use super::leds::{CLASS, Leds};
use crate::board::Board;
use crate::io::clock;
use crate::lang::Lang;
use crate::panel::{Panel, Setup, picture, silent};

/// Name of the lock in the state folder.
const LOCK: &str = "panel.lock";

/// The lock as long as this is held; a folder that cannot be written has none, and the panel goes on.
pub(super) fn hold(state_dir: &Path) -> Option<File> {
    let file = open(state_dir).inspect_err(|why| tracing::warn!(why = format!("{why:#}"), "no lock for the panel"));
    let file = file.ok()?;
    file.lock().ok()?;
    Some(file)
}

fn open(state_dir: &Path) -> anyhow::Result<File> {
    let path = state_dir.join(LOCK);
    let made = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    made.with_context(|| format!("{}; is the state folder writable?", path.display()))
}

/// Draws the page and sets the lamps, if the box is not there; `since` is for how long that has been
/// so. True if it was drawn.
///
/// # Errors
/// If the lock's file cannot be opened. A display that does not answer is none: it is tried again.
pub fn stand_in(board: &Board, state_dir: &Path, lang: Lang, since: Duration) -> anyhow::Result<bool> {
    let lock = open(state_dir)?;
    if lock.try_lock().is_err() {
        return Ok(false);
    }
    let now = clock::now();
    let nobody = Panel::new(now, Setup::default(), None);
    Leds::new(Path::new(CLASS), &board.lamps).shine(now, &nobody.lamps(now));
    let Some(display) = &board.display else { return Ok(true) };
    let page = silent(lang, since);
    let shown =
        bus::open(display, state_dir, None).and_then(|mut glass| glass.show(&picture(&page, format(display), 0, now)));
    if let Err(why) = shown {
        tracing::debug!(why = format!("{why:#}"), "the display does not show the page");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_drawn_while_no_box_holds_the_panel_and_not_a_moment_longer() {
        let folder = tempfile::tempdir().expect("a folder");
        let profile = "name = \"t\"\n[camera]\nkind = \"pattern\"\n[display]\nkind = \"memory\"\n";
        let board = Board::read("p.toml", profile).expect("a profile");
        let drawn = || stand_in(&board, folder.path(), Lang::Zh, Duration::from_secs(7)).expect("a lock");

        let held = hold(folder.path());
        assert!(held.is_some() && !drawn());
        assert!(!folder.path().join("panel.png").exists());
        drop(held);
        assert!(drawn());
        let wanted = crate::panel::png(
            &picture(
                &silent(Lang::Zh, Duration::from_secs(7)),
                format(board.display.as_ref().expect("one")),
                0,
                clock::now(),
            ),
            4,
        );
        assert_eq!(std::fs::read(folder.path().join("panel.png")).expect("drawn"), wanted);
        assert!(hold(folder.path()).is_some(), "the box has it at once");
    }
}
