//! One segment on the disk while it is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};

use ring::digest::{Context, SHA256};

use super::folder::{Folder, hex};
use crate::record::{Entry, Label, Segment, Tally, file_name};
use crate::time::Timestamp;

/// Bytes that gather before they go to the kernel.
const GATHER: usize = 1 << 18;

/// A segment that is open.
pub(super) struct Running {
    folder: Folder,
    file: File,
    segment: Segment,
    digest: Context,
    gathered: Vec<u8>,
    /// Something went to the kernel since the last sync.
    unsynced: bool,
}

impl Running {
    /// Begins the next segment of the folder.
    pub(super) fn open(
        folder: &Folder,
        stream: &str,
        label: &Label,
        joined: bool,
        wall: Option<Timestamp>,
    ) -> io::Result<Self> {
        let mut number = folder.index()?.next_number();
        let (file, name) = loop {
            let name = file_name(number, label, stream);
            match OpenOptions::new().write(true).create_new(true).open(folder.path().join(&name)) {
                Ok(file) => break (file, name),
                // an index that was lost must not cost a recording
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        };
        let segment = Segment {
            number,
            stream: stream.to_owned(),
            file: name,
            label: label.clone(),
            opened: wall,
            joined,
            ..Segment::default()
        };
        folder.note(&Entry::Opened(segment.clone()))?;
        folder.sync()?;
        let digest = Context::new(&SHA256);
        Ok(Self {
            folder: folder.clone(),
            file,
            segment,
            digest,
            gathered: Vec::with_capacity(GATHER),
            unsynced: false,
        })
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Takes bytes; most of the time they only gather.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.segment.bytes += bytes.len() as u64;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER { self.flush() } else { Ok(()) }
    }

    /// What has gathered goes to the kernel: from there on it outlives this process.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.gathered.is_empty() {
            self.file.write_all(&self.gathered)?;
            self.digest.update(&self.gathered);
            self.gathered.clear();
            self.unsynced = true;
        }
        Ok(())
    }

    /// Everything goes to the disk: from there on it outlives a power loss.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// It is of something else: another name, the same bytes.
    pub(super) fn rename(&mut self, label: &Label) -> io::Result<()> {
        let name = file_name(self.segment.number, label, &self.segment.stream);
        let path = self.folder.path();
        if name != self.segment.file {
            fs::rename(path.join(&self.segment.file), path.join(&name))?;
        }
        self.segment.file.clone_from(&name);
        self.segment.label.clone_from(label);
        self.folder.note(&Entry::Renamed { number: self.segment.number, file: name, label: label.clone() })?;
        self.folder.sync()
    }

    /// Ends it, whole and in the index.
    pub(super) fn close(mut self, tally: Tally, wall: Option<Timestamp>) -> io::Result<Segment> {
        self.sync()?;
        self.segment.closed = wall;
        self.segment.sha256 = hex(self.digest.finish().as_ref());
        self.segment.pts = tally.pts;
        self.segment.pictures = tally.pictures;
        self.segment.missing = tally.missing;
        self.folder.note(&Entry::Closed(self.segment.clone()))?;
        Ok(self.segment)
    }
}
