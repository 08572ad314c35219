//! Copies segments to another disk, reads them back, and only then believes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::folder::{Folder, INDEX, through};
use crate::io::clock;
use crate::record::{Entry, Kept};

/// The list of hashes beside the copies, as `sha256sum -c` reads it.
pub const SUMS: &str = "SHA256SUMS";

/// Copies one segment into `to`, verified against the hash of the index; its new place.
///
/// # Errors
/// If the segment is still open, a file cannot be read or written, or the copy is not the same.
pub fn copy(folder: &Folder, kept: &Kept, to: &Path) -> anyhow::Result<PathBuf> {
    let segment = &kept.segment;
    ensure!(!kept.open, "segment {} is still being recorded; end it with livebox send next-speaker", segment.number);
    let from = folder.path().join(&segment.file);
    let place = to.join(&segment.file);
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    let differs = fs::canonicalize(to)? != fs::canonicalize(folder.path())?;
    ensure!(differs, "{} is the folder of the recordings itself; name another disk", to.display());

    let part = to.join(format!("{}.part", segment.file));
    let read = write(&from, &part).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    let back = through(&part, |_| Ok(())).with_context(|| format!("reading {} back", part.display()))?;
    if read != segment.sha256 || back != segment.sha256 {
        let _ = fs::remove_file(&part);
        let whose = if read == segment.sha256 { to } else { from.as_path() };
        bail!("{} differs from its hash in the index; the disk of {} fails", segment.file, whose.display());
    }
    fs::rename(&part, &place).with_context(|| format!("naming {}", place.display()))?;
    list(to, &segment.sha256, &segment.file).with_context(|| format!("writing {SUMS} in {}", to.display()))?;
    File::open(to)?.sync_all()?;
    let at = clock::wall();
    folder.note(&Entry::Copied { number: segment.number, to: to.display().to_string(), at })?;
    Folder::new(to.to_owned()).note(&Entry::Closed(segment.clone())).with_context(|| format!("writing {INDEX}"))?;
    Ok(place)
}

/// Writes the copy to its disk and out of memory, so that what is read back comes from there.
fn write(from: &Path, to: &Path) -> io::Result<String> {
    let mut file = File::create(to)?;
    let read = through(from, |piece| file.write_all(piece))?;
    file.sync_all()?;
    // a file system without this keeps its pages: then the copy is compared with memory, as far as that goes
    let _ = posix_fadvise(file.as_fd(), 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    Ok(read)
}

fn list(to: &Path, sha256: &str, file: &str) -> io::Result<()> {
    let line = format!("{sha256}  {file}\n");
    let path = to.join(SUMS);
    if fs::read_to_string(&path).is_ok_and(|text| text.contains(&line)) {
        return Ok(());
    }
    let mut list = OpenOptions::new().create(true).append(true).open(path)?;
    list.write_all(line.as_bytes())?;
    list.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Segment;

    fn kept(folder: &Path, bytes: &[u8], sha256: &str) -> Kept {
        fs::write(folder.join("1_张三.ts"), bytes).unwrap();
        let segment = Segment {
            number: 1,
            file: "1_张三.ts".into(),
            sha256: sha256.into(),
            bytes: bytes.len() as u64,
            ..Segment::default()
        };
        Folder::new(folder.to_owned()).note(&Entry::Closed(segment.clone())).unwrap();
        Kept { segment, ..Kept::default() }
    }

    #[test]
    fn a_copy_is_whole_listed_and_noted_and_the_same_twice() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sha256 = super::super::folder::hex(ring::digest::digest(&ring::digest::SHA256, b"picture").as_ref());
        let kept = kept(here.path(), b"picture", &sha256);
        let folder = Folder::new(here.path().to_owned());

        copy(&folder, &kept, there.path()).unwrap();
        let place = copy(&folder, &kept, there.path()).unwrap();

        assert_eq!(fs::read(place).unwrap(), b"picture");
        assert_eq!(fs::read_to_string(there.path().join(SUMS)).unwrap(), format!("{sha256}  1_张三.ts\n"));
        assert_eq!(folder.index().unwrap().get(1).unwrap().copies, [there.path().display().to_string()]);
    }

    #[test]
    fn a_copy_that_differs_from_the_index_is_none() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let kept = kept(here.path(), b"rotten", "00");
        let folder = Folder::new(here.path().to_owned());

        let error = copy(&folder, &kept, there.path()).unwrap_err().to_string();

        assert!(error.contains("differs from its hash"), "{error}");
        assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);
        assert!(folder.index().unwrap().get(1).unwrap().copies.is_empty());
    }

    #[test]
    fn a_segment_is_never_copied_onto_itself() {
        let here = tempfile::tempdir().unwrap();
        let kept = kept(here.path(), b"picture", "00");

        let error = copy(&Folder::new(here.path().to_owned()), &kept, here.path()).unwrap_err().to_string();

        assert!(error.contains("name another disk"), "{error}");
        assert_eq!(fs::read(here.path().join("1_张三.ts")).unwrap(), b"picture");
    }
}
