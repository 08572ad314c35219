//! The agenda's file: read at the start, and again whenever it changes.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::event::{Agenda, Config, MAX_FILE, read};
use crate::io::clock;
use crate::io::task::Ends;
use crate::lang::{Text, said};
use crate::message::What;

/// The file is looked at so often: whoever saves a change sees it on the panel while still looking.
const LOOK: Duration = Duration::from_secs(2);

/// What tells one version of the file from another; the last: the day was known when it was read.
type Version = Option<(SystemTime, u64, bool)>;

/// States the agenda, and states it again whenever its file changes, until everybody ends.
///
/// # Errors
/// Never: a file that is not there or makes no sense is stated, too.
pub async fn run(config: Config, mut ends: Ends) -> anyhow::Result<()> {
    let Some(path) = config.agenda.clone() else {
        ends.state(What::AgendaRead { agenda: Arc::default(), faults: Vec::new() }).await;
        ends.shutdown().await;
        return Ok(());
    };
    let mut known: Option<Version> = None;
    loop {
        let look = {
            let (path, config) = (path.clone(), config.clone());
            tokio::task::spawn_blocking(move || look(&path, &config, known))
        };
        let (version, found) = look.await?;
        known = Some(version);
        if let Some((agenda, faults)) = found {
            for fault in &faults {
                tracing::warn!(agenda = %path.display(), %fault, "agenda");
            }
            ends.state(What::AgendaRead { agenda: Arc::new(agenda), faults }).await;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = ends.shutdown() => return Ok(()),
        }
    }
}

/// The version of the file now, and what it says if that is not the known one.
fn look(path: &Path, config: &Config, known: Option<Version>) -> (Version, Option<(Agenda, Vec<Text>)>) {
    let wall = clock::wall();
    let version = fs::metadata(path).ok().and_then(|found| Some((found.modified().ok()?, found.len(), wall.is_some())));
    if known == Some(version) {
        return (version, None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let refused = |why: Text| Some((Agenda::default(), vec![why]));
    let found = match version {
        Some((_, size, _)) if size > MAX_FILE => refused(said::agenda_too_large(&name)),
        _ => match fs::read(path) {
            Ok(bytes) => Some(read(config, &name, &bytes, wall)),
            Err(error) if error.kind() == ErrorKind::NotFound => refused(said::no_file(path.display())),
            Err(error) => refused(said::because(&said::does_not_open(path.display()), &error.to_string())),
        },
    };
    (version, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agenda_is_read_again_when_its_file_changes_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("day.csv");
        let config = Config { agenda: Some(path.clone()), ..Config::default() };

        let (missing, first) = look(&path, &config, None);
        assert_eq!(first.unwrap().1.len(), 1, "it is not there, and that is told");
        fs::write(&path, "speaker,title\nAnn,One\n").unwrap();
        let (version, second) = look(&path, &config, Some(missing));
        let (agenda, faults) = second.unwrap();
        let (_, third) = look(&path, &config, Some(version));

        assert_eq!((agenda.talks[0].speaker.as_str(), faults), ("Ann", vec![]));
        assert!(third.is_none());
    }
}
