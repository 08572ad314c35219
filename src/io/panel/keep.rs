//! What the panel keeps over a power cut: locked or not, language, buzzer, brightness.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::panel::Memory;

/// Name of the file in the state folder.
const FILE: &str = "panel.json";

/// What the last run left; none, if there was none or it cannot be read.
pub(super) fn load(state_dir: &Path) -> Option<Memory> {
    let path = state_dir.join(FILE);
    let bytes = fs::read(&path).ok()?;
    serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "the panel's memory cannot be read"))
        .ok()
}

/// Puts it on the disk, whole or not at all; a disk that fails is logged, and the panel goes on.
pub(super) fn save(state_dir: &Path, memory: &Memory) {
    let path = state_dir.join(FILE);
    let fresh = state_dir.join("panel.json.new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(memory)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        File::open(state_dir)?.sync_all()
    };
    if let Err(error) = write() {
        tracing::error!(path = %path.display(), %error, "the panel's memory is not on the disk");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;

    #[test]
    fn the_lock_survives_a_power_cut_and_rubbish_is_as_if_nothing_was_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = Memory { locked: true, lang: Some(Lang::En), buzzer: false, brightness: 2 };

        assert_eq!(load(folder.path()), None);
        save(folder.path(), &memory);
        assert_eq!(load(folder.path()), Some(memory));
        fs::write(folder.path().join(FILE), b"{\"locked\": tr").expect("written");
        assert_eq!(load(folder.path()), None);
    }
}
