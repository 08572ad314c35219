//! Reads the settings file and the board profile, fetches secrets, and reads again when asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::board::Board;
use crate::config::Config;
use crate::io::task::Ends;
use crate::media::{Scheme, Secret};
use crate::message::What;
use crate::table::{Fault, Keeper, SecretRef};

/// What libsrt takes as a passphrase, in characters.
const PASSPHRASE: std::ops::RangeInclusive<usize> = 10..=79;

/// A secret or a bundle of certificates is read up to this size; a larger file is neither.
const MAX_SECRET: u64 = 1 << 20;

/// Name of the profile in a board's folder.
const PROFILE: &str = "profile.toml";

/// Reads and checks a settings file, secrets included.
///
/// # Errors
/// Every fault at once: of the file, or of the secrets it refers to. None of them shows a secret.
pub fn load(path: &Path) -> Result<Config, Vec<Fault>> {
    let mut config = read(path)?;
    let mut faults = Vec::new();
    if let Some(reference) = config.passphrase.clone() {
        match passphrase(&reference) {
            Ok(text) => config.media.passphrase = Secret(text),
            Err(why) => faults.push(at(path, &reference, why)),
        }
    }
    for road in config.media.roads.all_mut() {
        let Some(reference) = road.secret_file.clone() else { continue };
        let fetched = if road.scheme == Scheme::Srt { passphrase(&reference) } else { secret(&reference) };
        match fetched {
            Ok(text) => road.secret = Secret(text),
            Err(why) => faults.push(at(path, &reference, why)),
        }
    }
    for reference in &config.mqtt_files {
        match secret(reference) {
            Ok(text) if !text.is_empty() => {}
            Ok(_) => faults.push(at(path, reference, "names an empty file".to_owned())),
            Err(why) => faults.push(at(path, reference, why)),
        }
    }
    faults.sort_by_key(|fault| fault.line);
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

/// Reads and checks a settings file, but fetches no secret.
///
/// # Errors
/// Every fault of the file at once.
pub fn read(path: &Path) -> Result<Config, Vec<Fault>> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| vec![unreadable(&name, &error, "livebox.toml")])?;
    Config::read(&name, &text)
}

/// Reads and checks the profile in a board's folder (or the profile itself, if a file is named).
///
/// # Errors
/// Every fault of the file at once.
pub fn board(path: &Path) -> Result<Board, Vec<Fault>> {
    let path = if path.is_dir() { path.join(PROFILE) } else { path.to_owned() };
    let name = path.display().to_string();
    let text = fs::read_to_string(&path).map_err(|error| vec![unreadable(&name, &error, "board profile")])?;
    Board::read(&name, &text)
}

fn unreadable(file: &str, error: &std::io::Error, what: &str) -> Fault {
    let what = format!("cannot be read: {error}; name a {what} that is there, or copy the reference to this place");
    Fault { file: file.to_owned(), line: 0, key: String::new(), what }
}

fn at(path: &Path, reference: &SecretRef, what: String) -> Fault {
    Fault { file: path.display().to_string(), line: reference.line, key: reference.key.clone(), what }
}

/// Fetches a passphrase of SRT's.
///
/// # Errors
/// If it is not there, or of a length that SRT does not take; the sentence does not show it.
pub fn passphrase(reference: &SecretRef) -> Result<String, String> {
    let text = secret(reference)?;
    if PASSPHRASE.contains(&text.chars().count()) {
        return Ok(text);
    }
    let (least, most) = (PASSPHRASE.start(), PASSPHRASE.end());
    Err(format!("the passphrase there must have {least} to {most} characters, as SRT wants it"))
}

/// Fetches a secret; a newline at its end is not part of it.
fn secret(reference: &SecretRef) -> Result<String, String> {
    let path = match &reference.keeper {
        Keeper::File(path) => path.clone(),
        Keeper::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(folder) => PathBuf::from(folder).join(name),
            None => {
                return Err(format!(
                    "no credentials are handed over here; add LoadCredential={name}:/path to the unit, or name a file"
                ));
            }
        },
    };
    let size = fs::metadata(&path).map(|meta| meta.len());
    if size.is_ok_and(|size| size > MAX_SECRET) {
        return Err(format!(
            "names a file of more than {MAX_SECRET} bytes, which is neither a secret nor a certificate"
        ));
    }
    let text = fs::read_to_string(&path).map_err(|error| {
        format!("names a file that cannot be read: {error}; put it there, readable for the box alone")
    })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Reads the settings again whenever asked, and answers when that is done. Good ones go to the parts
/// (`settings`) and then to control (`changes`); of bad ones every fault is stated, and the old stand.
/// Ends when nobody can ask any more.
pub async fn run(
    ends: Ends,
    path: PathBuf,
    settings: watch::Sender<Arc<Config>>,
    changes: mpsc::Sender<Arc<Config>>,
    mut reloads: mpsc::Receiver<oneshot::Sender<()>>,
) {
    while let Some(done) = reloads.recv().await {
        let file = path.clone();
        match tokio::task::spawn_blocking(move || load(&file)).await {
            Ok(Ok(new)) => {
                let old = settings.borrow().clone();
                for (key, effect) in old.changes(&new) {
                    tracing::info!(key, ?effect, "setting changed");
                }
                let new = Arc::new(new.keeping(&old));
                settings.send_replace(new.clone());
                let _ = changes.send(new).await;
            }
            Ok(Err(faults)) => {
                let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
                for fault in &faults {
                    tracing::warn!("{fault}");
                }
                ends.state(What::ConfigRejected { faults }).await;
            }
            Err(error) => ends.state(What::ConfigRejected { faults: vec![error.to_string()] }).await,
        }
        // whoever asked may have stopped waiting
        let _ = done.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_fetched_and_a_bad_one_is_a_fault_that_does_not_show_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, key) = (folder.path().join("livebox.toml"), folder.path().join("srt"));
        let text = format!("[media]\npassphrase_file = \"{}\"\n", key.display());
        fs::write(&file, text).unwrap();

        let absent = load(&file).unwrap_err();
        fs::write(&key, "tooshort\n").unwrap();
        let short = load(&file).unwrap_err();
        fs::write(&key, "long enough for srt\n").unwrap();
        let good = load(&file).unwrap();

        assert_eq!((absent[0].line, absent[0].key.as_str()), (2, "media.passphrase_file"));
        assert!(!short[0].what.contains("tooshort"), "{}", short[0]);
        assert_eq!(good.media.passphrase.0, "long enough for srt");
        assert!(!format!("{good:?}").contains("long enough"));
    }
}
