//! The disk of the recordings: who may write there, how much room there is, and what a power loss left.

use std::io;

use nix::fcntl::Flock;

use super::folder::Folder;
use crate::io::task::Ends;
use crate::lang::Text;
use crate::message::What;
use crate::record::{Config, Entry, Room, StopCause, Verdict};
use crate::time::Instant;
use crate::units::{Bitrate, Bytes};

/// Everything that the streams' writers share.
pub(super) struct Disk {
    pub(super) folder: Folder,
    pub(super) ends: Ends,
    config: Config,
    room: Room,
    /// Nothing may be opened.
    pub(super) full: bool,
    claim: Option<Flock<std::fs::File>>,
    /// Bytes of all streams so far.
    pub(super) written: u64,
    measured: (Instant, u64),
}

impl Disk {
    pub(super) fn new(folder: Folder, config: Config, ends: Ends, now: Instant) -> Self {
        let room = Room::default();
        Self { folder, ends, config, room, full: false, claim: None, written: 0, measured: (now, 0) }
    }

    /// Makes sure that nobody else writes there.
    pub(super) fn claimed(&mut self) -> io::Result<()> {
        if self.claim.is_none() {
            self.claim = Some(self.folder.claim()?);
        }
        Ok(())
    }

    /// When the room was looked at last.
    pub(super) fn looked(&self) -> Instant {
        self.measured.0
    }

    /// Looks at the room, makes some if there is little, and states the figures; `running` is the size of the
    /// programme's segment. True if every recording has to end now.
    pub(super) fn watch(&mut self, now: Instant, wanted: bool, running: Bytes) -> bool {
        let seconds = now.since(self.measured.0).as_secs_f64();
        let rate = Bitrate::bps(((self.written - self.measured.1) as f64 * 8.0 / seconds) as u64);
        self.measured = (now, self.written);
        let Ok((mut free, total)) = self.folder.room() else { return false };
        let mut verdict = self.room.update(free, &self.config);
        if verdict != Verdict::Enough && self.claimed().is_ok() {
            free = self.tidy(free);
            verdict = self.room.update(free, &self.config);
        }
        let full = verdict == Verdict::Stop;
        let ends = full && !self.full && wanted;
        self.full = full;
        self.ends.measure(What::RecordingMeasured { bytes: running, rate, free, total });
        ends
    }

    /// States that a stream's recording ended for want of room.
    pub(super) fn tell_full(&self, stream: &str) {
        let free = self.folder.room().map_or(Bytes(0), |(free, _)| free);
        let why = Text::raw(format!("{}: {free}", self.folder.path().display()));
        let stream = stream.to_owned();
        self.ends.state_blocking(What::RecordingStopped { stream, cause: StopCause::DiskFull, why });
    }

    /// Deletes what may go, oldest first, until there is room or nothing more may go.
    fn tidy(&mut self, mut free: Bytes) -> Bytes {
        // others may have protected segments since
        let Ok(mut index) = self.folder.index() else { return free };
        while free < self.config.keep_free
            && let Some(kept) = index.expendable(self.config.protect_uncopied).cloned()
        {
            let (number, file) = (kept.segment.number, kept.segment.file.clone());
            if let Err(error) = self.folder.remove(&kept.segment) {
                tracing::warn!(file, %error, "a recording could not be deleted");
                break;
            }
            tracing::info!(file, "deleted to make room");
            self.ends.state_blocking(What::SegmentRemoved { file });
            index.note(Entry::Removed { number });
            free = self.folder.room().map_or(free, |(free, _)| free);
        }
        free
    }

    /// Closes what the last run left open, aside: hashing an hour must not hold the first bytes up.
    pub(super) fn recover(&mut self) {
        if let Err(error) = self.claimed() {
            tracing::warn!(%error, folder = %self.folder.path().display(), "the folder of the recordings cannot be used yet");
            return;
        }
        let open: Vec<_> = match self.folder.index() {
            Ok(index) => index.segments().filter(|kept| kept.open).map(|kept| kept.segment.clone()).collect(),
            Err(error) => {
                tracing::warn!(%error, "the index of the recordings cannot be read");
                return;
            }
        };
        let (folder, ends) = (self.folder.clone(), self.ends.clone());
        let mend = move || {
            for segment in open {
                let file = segment.file.clone();
                match folder.recover(segment) {
                    Ok(Some(segment)) => {
                        tracing::info!(file, bytes = segment.bytes, "a segment that was cut off is closed");
                        ends.state_blocking(What::SegmentClosed(segment));
                    }
                    Ok(None) => tracing::info!(file, "a segment that was cut off held nothing"),
                    Err(error) => tracing::warn!(file, %error, "a segment that was cut off cannot be closed"),
                }
            }
        };
        // without a thread to be had it is mended at the next start
        let _ = std::thread::Builder::new().name("record-mend".into()).spawn(mend);
    }
}
