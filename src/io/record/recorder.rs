//! The recorder's thread: one writer for each stream, one disk for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::bell::Bell;
use super::disk::Disk;
use super::folder::Folder;
use super::writer::Writer;
use crate::io::clock;
use crate::io::reel::Reels;
use crate::io::task::Ends;
use crate::message::RecordOrders;
use crate::record::{Config, PROGRAMME};
use crate::time::{Duration, Instant};
use crate::units::Bytes;

/// The reels are looked at so often: what a killed process loses, besides what the kernel has.
const LOOK: Duration = Duration::from_millis(100);
/// Everything goes to the disk so often: half of what a power loss may cost, since a sync takes its time.
const SYNC: Duration = Duration::from_millis(500);
/// Figures are stated so often.
const MEASURE: Duration = Duration::from_secs(1);

/// What the part tells its thread.
#[derive(Debug, Default)]
pub(super) struct Desk {
    wanted: Mutex<Arc<RecordOrders>>,
}

impl Desk {
    pub(super) fn want(&self, orders: Arc<RecordOrders>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = orders;
    }

    fn wanted(&self) -> Arc<RecordOrders> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Everything that the thread holds.
pub(super) struct Recorder {
    disk: Disk,
    reels: Arc<Reels>,
    desk: Arc<Desk>,
    writers: BTreeMap<&'static str, Writer>,
    synced: Instant,
}

impl Recorder {
    pub(super) fn new(folder: Folder, config: Config, reels: Arc<Reels>, desk: Arc<Desk>, ends: Ends) -> Self {
        let now = clock::now();
        Self { disk: Disk::new(folder, config, ends, now), reels, desk, writers: BTreeMap::new(), synced: now }
    }

    /// Runs until the bell rings; what is open is closed then.
    pub(super) fn run(mut self, stop: &Bell) {
        self.disk.recover();
        // whatever is on the reels is older than this recorder
        for (_, reel) in self.reels.all() {
            let _ = reel.take();
        }
        loop {
            let ended = stop.wait(LOOK);
            self.turn();
            if ended {
                for writer in self.writers.values_mut() {
                    writer.close(&self.disk, None);
                }
                return;
            }
        }
    }

    fn turn(&mut self) {
        let now = clock::now();
        for (stream, reel) in self.reels.all() {
            self.writers.entry(stream).or_insert_with(|| Writer::new(stream, reel));
        }
        let orders = self.desk.wanted();
        for writer in self.writers.values_mut() {
            writer.turn(now, &mut self.disk, &orders);
        }
        if now.since(self.synced) >= SYNC {
            self.synced = now;
            self.writers.values_mut().for_each(|writer| writer.sync(now, &self.disk));
        }
        if now.since(self.disk.looked()) >= MEASURE {
            let running = self.writers.get(PROGRAMME).map_or(Bytes(0), Writer::bytes);
            if self.disk.watch(now, orders.on, running) {
                for (stream, writer) in &mut self.writers {
                    writer.close(&self.disk, None);
                    self.disk.tell_full(stream);
                }
            }
        }
    }
}
