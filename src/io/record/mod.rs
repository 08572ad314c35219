//! The recorder: Orders in, segments on the disk, facts out; the stream never waits for it.

mod bell;
pub mod copy;
mod disk;
mod file;
pub mod folder;
#[cfg(feature = "gstreamer")]
pub mod mp4;
mod recorder;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::Context as _;

use self::bell::Bell;
use self::folder::Folder;
use self::recorder::{Desk, Recorder};
use crate::io::reel::Reels;
use crate::io::task::Ends;
use crate::record::Config;
use crate::time::Duration;

/// Runs the recorder until everybody ends; what is open then is closed. `folder` is where recordings lie; every
/// stream that has a reel in `reels` is recorded.
///
/// # Errors
/// If its thread cannot be started, or panicked.
pub async fn run(folder: PathBuf, config: Config, reels: Arc<Reels>, mut ends: Ends) -> anyhow::Result<()> {
    let (desk, bell) = (Arc::new(Desk::default()), Arc::new(Bell::default()));
    let orders = Arc::new(ends.orders.borrow_and_update().record.clone());
    desk.want(orders);
    let recorder = Recorder::new(Folder::new(folder), config, reels, Arc::clone(&desk), ends.clone());
    let ended = Arc::clone(&bell);
    let thread = thread::Builder::new().name("record".into()).spawn(move || recorder.run(&ended))?;
    // if this task is aborted, its thread ends all the same
    let _leave = Leave(Arc::clone(&bell));
    let mut look = tokio::time::interval(Duration::from_secs(1));
    loop {
        let changed = tokio::select! {
            changed = ends.orders.changed() => changed,
            _ = look.tick() => Ok(()),
        };
        let orders = Arc::clone(&ends.orders.borrow_and_update());
        desk.want(Arc::new(orders.record.clone()));
        ends.pulse.beat();
        anyhow::ensure!(!thread.is_finished(), "the recorder's thread panicked");
        if changed.is_err() || orders.shutdown {
            break;
        }
    }
    bell.ring();
    let joined = tokio::task::spawn_blocking(move || thread.join()).await.context("waiting for the recorder")?;
    joined.map_err(|_| anyhow::anyhow!("the recorder's thread panicked"))
}

struct Leave(Arc<Bell>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.ring();
    }
}
