//! The folder of the recordings: its files, its index, and the room on its disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use ring::digest::{Context, SHA256};

use crate::record::{Cutter, Entry, Index, Segment, Tally};
use crate::units::Bytes;

/// Name of the index in the folder.
pub const INDEX: &str = "index.jsonl";

/// Name of the lock in the folder: one recorder writes there.
const LOCK: &str = ".lock";

/// Size of the pieces that files are read in.
const PIECE: usize = 1 << 18;

/// A folder of recordings; any number of processes may read it and add lines to its index.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`; it need not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder, and keeps every other recorder out of it.
    ///
    /// # Errors
    /// If it cannot be made or written, or if another recorder writes there.
    pub(super) fn claim(&self) -> io::Result<Flock<File>> {
        fs::create_dir_all(&self.path)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(self.path.join(LOCK))?;
        Flock::lock(lock, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| if errno == nix::errno::Errno::EWOULDBLOCK { in_use() } else { errno.into() })
    }

    /// What the index says now; nothing if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn index(&self) -> io::Result<Index> {
        match fs::read(self.path.join(INDEX)) {
            Ok(bytes) => Ok(Index::read(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index::default()),
            Err(error) => Err(error),
        }
    }

    /// Adds a line to the index; it is on the disk when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note(&self, entry: &Entry) -> io::Result<()> {
        let path = self.path.join(INDEX);
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        // a line that a power loss cut off must not swallow this one
        let torn = file.metadata()?.len() > 0 && last_byte(&path)? != Some(b'\n');
        let line = if torn { "\n".to_owned() + &entry.line() } else { entry.line() };
        // one write: lines of several processes never mix
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }

    /// Makes names that came or went outlast a power loss.
    ///
    /// # Errors
    /// If the folder cannot be synced.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Room left for us, and size of the disk.
    ///
    /// # Errors
    /// If the disk cannot be asked.
    pub(super) fn room(&self) -> io::Result<(Bytes, Bytes)> {
        let disk = nix::sys::statvfs::statvfs(&self.path)?;
        // the widths of these differ by target
        #[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the widths of these differ by target")]
        let (size, free, all) = (disk.fragment_size() as u64, disk.blocks_available() as u64, disk.blocks() as u64);
        Ok((Bytes(free.saturating_mul(size)), Bytes(all.saturating_mul(size))))
    }

    /// Deletes a segment's file and notes it.
    ///
    /// # Errors
    /// If the file cannot be deleted or the index not written.
    pub fn remove(&self, segment: &Segment) -> io::Result<()> {
        match fs::remove_file(self.path.join(&segment.file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.note(&Entry::Removed { number: segment.number })
    }

    /// Closes a segment that was cut off: whole packets, hash and time stamps from the file itself. A
    /// segment whose file is gone or empty is noted as removed.
    ///
    /// # Errors
    /// If the file or the index cannot be read or written.
    pub(super) fn recover(&self, mut segment: Segment) -> io::Result<Option<Segment>> {
        let path = self.path.join(&segment.file);
        let whole = match fs::metadata(&path) {
            Ok(found) => found.len() - found.len() % 188,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if whole == 0 {
            self.remove(&segment)?;
            return Ok(None);
        }
        let file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(whole)?;
        file.sync_all()?;
        let (sha256, tally) = examine(&path)?;
        segment.bytes = whole;
        segment.sha256 = sha256;
        segment.pts = tally.pts;
        segment.pictures = tally.pictures;
        segment.missing = tally.missing;
        segment.recovered = true;
        self.note(&Entry::Closed(segment.clone()))?;
        Ok(Some(segment))
    }
}

fn in_use() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, "another box records into this folder")
}

fn last_byte(path: &Path) -> io::Result<Option<u8>> {
    use std::os::unix::fs::FileExt as _;
    let file = File::open(path)?;
    let Some(at) = file.metadata()?.len().checked_sub(1) else { return Ok(None) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    Ok(Some(byte[0]))
}

/// Reads a file through; its SHA-256 and what its packets say.
///
/// # Errors
/// If it cannot be read.
pub(super) fn examine(path: &Path) -> io::Result<(String, Tally)> {
    let mut cutter = Cutter::default();
    let sha256 = through(path, |piece| {
        cutter.push(piece, &mut |_| {});
        Ok(())
    })?;
    Ok((sha256, cutter.tally()))
}

/// Reads a file piece by piece; its SHA-256.
pub(super) fn through(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    loop {
        let n = file.read(&mut piece)?;
        if n == 0 {
            return Ok(hex(digest.finish().as_ref()));
        }
        digest.update(&piece[..n]);
        take(&piece[..n])?;
    }
}

/// Hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // a String takes everything
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_after_a_torn_one_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        fs::write(dir.path().join(INDEX), "{\"closed\":{\"numb").unwrap();

        folder.note(&Entry::Closed(Segment { number: 3, ..Segment::default() })).unwrap();

        assert_eq!(folder.index().unwrap().next_number(), 4);
    }

    #[test]
    fn one_box_at_a_time_records_into_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("recordings"));

        let held = folder.claim().unwrap();
        let refused = folder.claim().map(|_| ());

        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(held);
        folder.claim().unwrap();
    }

    #[test]
    fn a_segment_that_was_cut_off_is_closed_at_its_last_whole_packet() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        let bytes = crate::record::sample::Stream::default().gop(30, true);
        let opened = Segment { number: 7, file: "7.ts".into(), ..Segment::default() };
        folder.note(&Entry::Opened(opened.clone())).unwrap();
        fs::write(dir.path().join("7.ts"), &bytes[..bytes.len() - 100]).unwrap();

        let closed = folder.recover(opened).unwrap().unwrap();

        assert_eq!((closed.bytes as usize, closed.pictures, closed.missing), (bytes.len() - 188, 30, 0));
        assert_eq!(closed.sha256, hex(ring::digest::digest(&SHA256, &bytes[..bytes.len() - 188]).as_ref()));
        assert!(closed.recovered && !folder.index().unwrap().get(7).unwrap().open);
    }
}
