//! Key files: a private key each, one line, for its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::bond::native::{PrivateKey, PublicKey};
use crate::rng::Rng;
use crate::table::Keeper;

/// Who may read a key file: its owner, nobody else.
const MODE: u32 = 0o600;
/// Whatever a key file is, it is no longer than this: a comment and 64 digits.
const MOST: u64 = 4096;

/// Writes a new private key into a file that must not exist yet, and gives its public half.
///
/// # Errors
/// If the file exists, or cannot be written.
pub fn create(path: &Path, rng: &mut Rng) -> anyhow::Result<PublicKey> {
    let key = PrivateKey::generate(rng);
    let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    let mut file = match made {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
            "{} exists and is left as it is: whoever trusts the key in it would not know the new one; \
             name another file, or move it away first",
            path.display()
        ),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be made", path.display())),
    };
    let written = file.write_all(key.to_file_text().as_bytes()).and_then(|()| file.sync_all());
    written.with_context(|| format!("{} cannot be written; is the disk full?", path.display()))?;
    Ok(key.public())
}

/// Reads a private key.
///
/// # Errors
/// If the file cannot be read, is open to others, or holds no key. What it holds is never told.
pub fn private(path: &Path) -> anyhow::Result<PrivateKey> {
    let name = path.display();
    let file = fs::File::open(path)
        .with_context(|| format!("{name} cannot be read; `livebox keys new {name}` makes a key"))?;
    let mode = file.metadata().with_context(|| format!("{name} cannot be read"))?.permissions().mode();
    if mode & 0o007 != 0 {
        bail!("{name} can be used by everybody on this machine (mode {:03o}); chmod 600 {name}", mode & 0o777);
    }
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).with_context(|| format!("{name} holds no key"))?;
    text.parse().with_context(|| format!("{name} holds no key; `livebox keys new FILE` makes one"))
}

/// Reads a private key from wherever it is kept.
///
/// # Errors
/// As [`private`]; or if it is a systemd credential, and none are handed over.
pub fn kept(keeper: &Keeper) -> anyhow::Result<PrivateKey> {
    match keeper {
        Keeper::File(path) => private(path),
        Keeper::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(folder) => private(&PathBuf::from(folder).join(name)),
            None => bail!(
                "no credentials are handed over here; add LoadCredential={name}:/path to the unit, or name a file"
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_its_owners_alone_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box.key");

        let public = create(&path, &mut Rng::simulated(1)).unwrap();

        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(private(&path).unwrap().public(), public);
        let text = fs::read_to_string(&path).unwrap();
        let again = create(&path, &mut Rng::simulated(2)).unwrap_err().to_string();
        assert!(again.contains("exists") && again.contains("move it away"), "{again}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_key_that_everybody_reads_or_that_is_none_is_refused_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box.key");
        create(&path, &mut Rng::simulated(1)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let open = private(&path).unwrap_err().to_string();
        assert!(open.contains("644") && open.contains("chmod 600"), "{open}");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let secret = fs::read_to_string(&path).unwrap();
        fs::write(&path, &secret[..62]).unwrap();
        let cut = format!("{:#}", private(&path).unwrap_err());
        assert!(cut.contains("62 characters") && !cut.contains(&secret[..8]), "{cut}");
        fs::write(&path, [0xff; 5000]).unwrap();
        assert!(private(&path).is_err());
        let absent = format!("{:#}", private(&folder.path().join("none")).unwrap_err());
        assert!(absent.contains("livebox keys new"), "{absent}");
    }
}
