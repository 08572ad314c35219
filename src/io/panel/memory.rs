//! The display of a board that has none: the picture as a PNG in the state folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::sync::watch;

use super::glass::Glass;
use crate::panel::{Picture, png};

/// Each point becomes a square of so many, to be seen on a desk's screen.
const SCALE: usize = 4;

/// In colour the points are small enough already.
const SCALE_COLOUR: usize = 2;

/// Writes `panel.png`, and hands it to the live page.
#[derive(Debug)]
pub struct InMemory {
    file: PathBuf,
    seen: Option<watch::Sender<Vec<u8>>>,
}

impl InMemory {
    /// A display whose picture lies in that folder.
    #[must_use]
    pub fn new(state_dir: &Path, seen: Option<watch::Sender<Vec<u8>>>) -> Self {
        Self { file: state_dir.join("panel.png"), seen }
    }
}

impl Glass for InMemory {
    fn show(&mut self, picture: &Picture) -> anyhow::Result<()> {
        let scale = if matches!(picture, Picture::Colour(_)) { SCALE_COLOUR } else { SCALE };
        let bytes = png(picture, scale);
        let fresh = self.file.with_extension("png.new");
        // whoever looks sees the old picture or the new one, never half of one
        fs::write(&fresh, &bytes)
            .and_then(|()| fs::rename(&fresh, &self.file))
            .with_context(|| format!("writing {}", self.file.display()))?;
        if let Some(seen) = &self.seen {
            seen.send_replace(bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::Frame;

    #[test]
    fn the_picture_lies_in_the_state_folder_and_nothing_else_does() {
        let dir = tempfile::tempdir().expect("a folder");
        let (seen, page) = watch::channel(Vec::new());
        let picture = Picture::Mono(Frame::default());

        InMemory::new(dir.path(), Some(seen)).show(&picture).expect("written");

        let bytes = fs::read(dir.path().join("panel.png")).expect("there");
        assert_eq!(bytes, png(&picture, SCALE));
        assert_eq!(*page.borrow(), bytes);
        assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 1);
    }
}
