//! What a power cut must not forget: on air or not, which layout, which line.
//!
//! One small JSON file, written beside the old one, synced, and moved over it: after a cut at any
//! moment there is the old intent or the new one, and never half of one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::sync::mpsc;

use crate::io::task::Keep;
use crate::message::Intent;

/// Name of the file in the state folder.
const FILE: &str = "intent.json";

/// The intent that the last run left in the state folder; none, or one that cannot be read, means
/// off air with the defaults, since a box must start whatever a disk has done.
#[must_use]
pub fn load(state_dir: &Path) -> Intent {
    let path = state_dir.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "the intent cannot be read; starting off air");
            Intent::default()
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Intent::default(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the intent cannot be read; starting off air");
            Intent::default()
        }
    }
}

/// Puts the intent on the disk, whole or not at all.
///
/// # Errors
/// If the state folder cannot be made or written; the old intent then stands.
pub fn save(state_dir: &Path, intent: Intent) -> anyhow::Result<()> {
    let path = state_dir.join(FILE);
    let fresh = state_dir.join("intent.json.new");
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(state_dir)?;
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(&intent)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        File::open(state_dir)?.sync_all()
    };
    write().with_context(|| format!("writing {}; is the state folder writable?", path.display()))
}

/// Writes every intent that control hands over, and only then lets its command be answered. Ends
/// when control does. A disk that fails does not keep the box from going on air: that is logged.
pub async fn run(state_dir: PathBuf, mut keeps: mpsc::Receiver<Keep>) {
    let mut batch = Vec::new();
    while keeps.recv_many(&mut batch, 32).await > 0 {
        if let Some(Keep { intent, .. }) = batch.last() {
            let (folder, intent) = (state_dir.clone(), *intent);
            match tokio::task::spawn_blocking(move || save(&folder, intent)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(error = format!("{error:#}"), "the intent is not on the disk"),
                Err(error) => tracing::error!(%error, "the intent is not on the disk"),
            }
        }
        for answer in batch.drain(..).filter_map(|keep| keep.answer) {
            // whoever asked may have left
            let _ = answer.send(Ok(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Hold, Layout, Line, OutputId};
    use crate::message::{Held, OutputIntent, SoundIntent};

    #[test]
    fn what_was_saved_is_there_after_the_restart_and_rubbish_is_off_air() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let intent = Intent {
            on_air: true,
            layout: Layout::SideBySide,
            line: Line::B,
            slate: true,
            which: crate::media::Slate::End,
            record: Some(true),
            talk: 3,
            sound: SoundIntent::default(),
            outputs: OutputIntent {
                active: OutputId::Backup,
                held: [Held { delay: Hold::seconds(30).unwrap(), dumped: true }, Held::default(), Held::default()],
            },
        };

        assert_eq!(load(&state), Intent::default());
        save(&state, intent).unwrap();
        assert_eq!(load(&state), intent);
        fs::write(state.join(FILE), b"{\"on_air\": tr").unwrap();
        assert_eq!(load(&state), Intent::default());
    }
}
