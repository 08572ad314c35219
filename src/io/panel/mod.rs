//! The panel task: draws Status, and a thread of its own shows it on the display.

mod glass;
mod memory;
mod oled;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TrySendError, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, bail};
use linux_embedded_hal::I2cdev;
use tokio::sync::watch;

use crate::board::Display;
use crate::io::clock;
use crate::io::task::{Ends, reason};
use crate::lang::{Lang, Text};
use crate::message::{Status, What};
use crate::panel::{Frame, home};
use glass::Glass;
use memory::Memory;
use oled::Oled;

/// A picture at most so often: figures that jump faster are not read.
const PACE: Duration = Duration::from_millis(500);

/// The first pause before a vanished display is tried again.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: a display that is plugged in again shows within this time.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// Draws until everybody ends; without a display there is nothing to do. A display that is absent
/// or vanishes is tried again for ever, and the live goes on.
///
/// # Errors
/// If the display's thread cannot be started or has died.
pub async fn run(
    display: Option<Display>,
    lang: Lang,
    state_dir: PathBuf,
    mut status: watch::Receiver<Arc<Status>>,
    mut ends: Ends,
) -> anyhow::Result<()> {
    let Some(display) = display else {
        ends.shutdown().await;
        return Ok(());
    };
    let (tx, frames) = sync_channel(1);
    let stating = ends.clone();
    // a thread, since a bus may block; it ends when the frames do
    std::thread::Builder::new()
        .name("panel".to_owned())
        .spawn(move || keep_showing(&frames, &stating, || open(&display, &state_dir)))
        .context("starting the panel's thread")?;

    let mut shown = None;
    loop {
        let mut frame = Frame::default();
        let Ok(()) = home(&mut frame, &status.borrow_and_update(), lang);
        if shown.as_ref() != Some(&frame) {
            match tx.try_send(frame.clone()) {
                Ok(()) => shown = Some(frame),
                // the display is slower than the pace: the next picture is the better one
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => bail!("the panel's thread died"),
            }
        }
        let next = async {
            tokio::time::sleep(PACE).await;
            status.changed().await
        };
        tokio::select! {
            gone = next => if gone.is_err() { ends.shutdown().await; return Ok(()) },
            () = ends.shutdown() => return Ok(()),
        }
    }
}

fn open(display: &Display, state_dir: &Path) -> anyhow::Result<Box<dyn Glass>> {
    Ok(match display {
        Display::Memory => Box::new(Memory::new(state_dir)),
        Display::Ssd1306 { bus, address } => {
            let node = node(bus)?;
            let device = I2cdev::new(&node).with_context(|| format!("opening display bus {}", node.display()))?;
            let oled = Oled::open(device, *address);
            Box::new(oled.with_context(|| format!("display at {} address 0x{address:02x}", bus.display()))?)
        }
    })
}

/// The device of a bus: a path as it is, a bare name as the adapter that bears it.
fn node(bus: &Path) -> anyhow::Result<PathBuf> {
    if bus.is_absolute() {
        return Ok(bus.to_owned());
    }
    let known = std::fs::read_dir("/sys/class/i2c-dev").context("this kernel shows no I2C bus; is i2c-dev loaded?")?;
    for adapter in known.flatten() {
        let name = std::fs::read_to_string(adapter.path().join("name")).unwrap_or_default();
        if Path::new(name.trim()) == bus {
            return Ok(Path::new("/dev").join(adapter.file_name()));
        }
    }
    bail!("no I2C adapter is named \"{}\"; i2cdetect -l lists those there are", bus.display())
}

fn keep_showing(frames: &Receiver<Frame>, ends: &Ends, open: impl Fn() -> anyhow::Result<Box<dyn Glass>>) {
    let mut glass: Option<Box<dyn Glass>> = None;
    let mut known = None;
    let mut pause = LEAST_PAUSE;
    let Ok(mut frame) = frames.recv() else { return };
    loop {
        let shown = match glass.take() {
            Some(glass) => Ok(glass),
            None => open(),
        }
        .and_then(|mut glass| glass.show(&frame).map(|()| glass));
        let (present, detail) = match &shown {
            Ok(_) => (true, Text::default()),
            Err(why) => (false, reason(why)),
        };
        if known != Some(present) {
            tracing::info!(present, %detail, "display");
            ends.state_blocking(What::PanelChanged { present, detail });
            known = Some(present);
        }
        match shown {
            Ok(working) => {
                glass = Some(working);
                pause = LEAST_PAUSE;
                match frames.recv() {
                    Ok(next) => frame = next,
                    Err(_) => return,
                }
            }
            Err(_) => {
                if !rest(frames, &mut frame, pause) {
                    return;
                }
                pause = (pause * 2).min(MOST_PAUSE);
            }
        }
    }
}

/// Waits out the pause, keeping the latest frame; false if there will be none any more.
fn rest(frames: &Receiver<Frame>, latest: &mut Frame, pause: Duration) -> bool {
    let until = clock::now() + pause;
    loop {
        let left = until - clock::now();
        if left.is_zero() {
            return true;
        }
        match frames.recv_timeout(left) {
            Ok(next) => *latest = next,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::task::Pulse;
    use crate::message::{Fact, Orders, Part};
    use std::cell::Cell;
    use std::rc::Rc;
    use tokio::sync::mpsc;

    struct Flaky(Rc<Cell<u32>>);

    impl Glass for Flaky {
        fn show(&mut self, _frame: &Frame) -> anyhow::Result<()> {
            self.0.set(self.0.get() + 1);
            if self.0.get() == 2 { bail!("no acknowledge") } else { Ok(()) }
        }
    }

    #[test]
    fn a_display_that_vanishes_is_stated_and_opened_again() {
        let (_orders, orders) = watch::channel(Arc::new(Orders::default()));
        let (facts, mut stated) = mpsc::channel::<Fact>(16);
        let ends = Ends { orders, facts, part: Part::Panel, pulse: Pulse::default() };
        let (tx, frames) = sync_channel(4);
        let (shows, opens) = (Rc::new(Cell::new(0)), Cell::new(0));

        tx.send(Frame::default()).expect("room for two frames");
        tx.send(Frame::default()).expect("room for two frames");
        let late = std::thread::spawn(move || {
            let fact = |stated: &mut mpsc::Receiver<Fact>| stated.blocking_recv().map(|f| f.what);
            let seen = [fact(&mut stated), fact(&mut stated), fact(&mut stated)];
            drop(tx);
            seen
        });
        keep_showing(&frames, &ends, || {
            opens.set(opens.get() + 1);
            Ok(Box::new(Flaky(shows.clone())))
        });

        let present = late.join().expect("three facts").map(|what| match what {
            Some(What::PanelChanged { present, .. }) => Some(present),
            _ => None,
        });
        assert_eq!(present, [Some(true), Some(false), Some(true)]);
        assert_eq!(opens.get(), 2);
    }
}
