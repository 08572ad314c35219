//! The panel task: keys in, pictures and lamps out; a thread of its own shows the pictures.

mod bus;
mod character;
mod glass;
mod keep;
mod keys;
mod leds;
mod memory;
mod oled;
mod page;
mod stand_in;
mod tft;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub use bus::format;
pub use character::Characters;
pub use glass::Glass;
pub use leds::{CLASS, Leds};
pub use memory::InMemory;
pub use oled::Oled;
pub use stand_in::stand_in;
pub use tft::Tft;
pub use wire::{I2cWire, SpiWire, Wire};

use crate::board::{Board, Display};
use crate::io::clock;
use crate::io::task::{Commander, Ends, reason};
use crate::lang::Text;
use crate::message::{Command, Status, What};
use crate::panel::{Format, Lamps, Page, Panel, Picture, Setup};
use crate::time::Instant;
use page::Shown;

/// A picture at most so often: ten a second is as often as Status changes.
const PACE: Duration = Duration::from_millis(100);

/// Lamps are looked at so often: their quickest blink has halves of 125 ms.
const BLINK: Duration = Duration::from_millis(125);

/// The first pause before a vanished display is tried again.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: a display that is plugged in again shows within this time.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// So often a display is set up afresh: one that lost its power for a moment acknowledges what it is
/// sent, and stays dark; one on SPI never says anything.
const AFRESH: Duration = Duration::from_secs(60);

/// Strokes that wait: more than two hands give in a second.
const STROKES: usize = 64;

/// What the front of this box is made of, and how it speaks.
#[derive(Debug, Clone)]
pub struct Front {
    /// The board: display, keys, lamps.
    pub board: Arc<Board>,
    /// Language and console.
    pub setup: Setup,
    /// Where the memory and the pictures lie.
    pub state_dir: PathBuf,
}

/// What travels to the display's thread.
type Shot = (Picture, u8);

/// Shows and obeys until everybody ends. A display, a key or a lamp that is absent or vanishes is
/// tried again for ever, and the live goes on.
///
/// # Errors
/// If a key code of the board is none, the page cannot be served, or the display's thread has died.
pub async fn run(
    front: Front,
    mut status: watch::Receiver<Arc<Status>>,
    commander: Commander,
    mut ends: Ends,
) -> anyhow::Result<()> {
    let Front { board, setup, state_dir } = front;
    let mut panel = Panel::new(clock::now(), setup, keep::load(&state_dir));
    let mut kept = *panel.memory();
    let mut leds = Leds::new(Path::new(CLASS), &board.lamps);

    let mut tasks = JoinSet::new();
    let (stroke, mut strokes) = mpsc::channel(STROKES);
    keys::listen(&board.keys, &stroke, &mut tasks)?;
    let (lamps, lamps_out) = watch::channel(Arc::new(Lamps::new()));
    let (png, png_out) = watch::channel(Vec::new());
    let mut serving = JoinSet::new();
    if let Some(Display::Memory { page: Some(at), .. }) = board.display {
        serving.spawn(page::serve(at, Shown { picture: png_out, lamps: lamps_out }, stroke.clone()));
    }
    let (ask, answers) = asking(commander, &mut tasks);
    let mut answers = answers;
    let mut screen = Screen::start(&board, &state_dir, png, &ends)?;

    let mut last = Instant::ZERO;
    let mut hurry = true;
    loop {
        let now = clock::now();
        panel.handle_timeout(now);
        while let Some(command) = panel.poll_command() {
            // control is gone: everything is ending
            let _ = ask.try_send(command);
        }
        if *panel.memory() != kept {
            kept = *panel.memory();
            let folder = state_dir.clone();
            tokio::task::spawn_blocking(move || keep::save(&folder, &kept));
        }
        if hurry || now.since(last) >= PACE {
            (last, hurry) = (now, false);
            let shining = panel.lamps(now);
            leds.shine(now, &shining);
            lamps.send_if_modified(|shown| {
                let changed = **shown != shining;
                if changed {
                    *shown = Arc::new(shining);
                }
                changed
            });
            screen.show(&panel, now)?;
        }
        let wake = [panel.next_timeout(), Some(now + panel.pace(now)), Some(now + BLINK)];
        let wake = wake.into_iter().flatten().min().unwrap_or(now).max(now + Duration::from_millis(1));
        tokio::select! {
            Some((at, stroke)) = strokes.recv() => {
                // two devices may tell in another order than it happened; time goes on
                panel.handle_stroke(at.max(last).min(clock::now()), stroke);
                hurry = true;
            }
            Some(answer) = answers.recv() => {
                panel.handle_answer(clock::now(), answer);
                hurry = true;
            }
            gone = after(last + PACE, status.changed()) => match gone {
                Ok(()) => panel.handle_status(clock::now(), status.borrow_and_update().clone()),
                Err(_) => {
                    ends.shutdown().await;
                    return Ok(());
                }
            },
            Some(end) = serving.join_next() => end.context("the panel's page")??,
            () = tokio::time::sleep_until(clock::tokio_at(wake)) => {}
            () = ends.shutdown() => return Ok(()),
        }
    }
}

/// What comes, but not before that time.
async fn after<T>(at: Instant, what: impl Future<Output = T>) -> T {
    tokio::time::sleep_until(clock::tokio_at(at)).await;
    what.await
}

/// Commands one after the other, in the order of the fingers, and their answers.
fn asking(
    commander: Commander,
    tasks: &mut JoinSet<()>,
) -> (mpsc::Sender<Command>, mpsc::Receiver<Result<(), crate::message::Refusal>>) {
    let (ask, mut asked) = mpsc::channel::<Command>(STROKES);
    let (answer, answers) = mpsc::channel(STROKES);
    tasks.spawn(async move {
        while let Some(command) = asked.recv().await {
            if answer.send(commander.ask(command).await).await.is_err() {
                return;
            }
        }
    });
    (ask, answers)
}

/// The display, seen from the task: a format, and the way to its thread.
#[derive(Debug)]
struct Screen {
    format: Option<Format>,
    shots: SyncSender<Shot>,
    /// Page, sheet, part of a long sentence, brightness, as they were drawn last.
    drawn: Option<(Page, usize, u64, u8)>,
}

impl Screen {
    fn start(board: &Board, state_dir: &Path, png: watch::Sender<Vec<u8>>, ends: &Ends) -> anyhow::Result<Self> {
        let (shots, pictures) = sync_channel(1);
        if let Some(display) = board.display.clone() {
            let (stating, state_dir) = (ends.clone(), state_dir.to_owned());
            // a thread, since a bus may block; it ends when the pictures do
            std::thread::Builder::new()
                .name("panel".to_owned())
                .spawn(move || {
                    let _held = stand_in::hold(&state_dir);
                    keep_showing(&pictures, &stating, AFRESH, || bus::open(&display, &state_dir, Some(&png)));
                })
                .context("starting the panel's thread")?;
        }
        Ok(Self { format: board.display.as_ref().map(format), shots, drawn: None })
    }

    /// Draws if anything is to be seen that was not seen before.
    fn show(&mut self, panel: &Panel, now: Instant) -> anyhow::Result<()> {
        let Some(format) = self.format else { return Ok(()) };
        let brightness = panel.memory().brightness;
        // long sentences turn every two seconds
        let next = (panel.page(now, format), panel.sheet(now), now.as_millis() / 2000, brightness);
        if self.drawn.as_ref() == Some(&next) {
            return Ok(());
        }
        let picture = crate::panel::picture(&next.0, format, next.1, now);
        match self.shots.try_send((picture, brightness)) {
            Ok(()) => self.drawn = Some(next),
            // the display is slower than the pace: the next picture is the better one
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => bail!("the panel's thread died"),
        }
        Ok(())
    }
}

fn keep_showing(
    pictures: &Receiver<Shot>,
    ends: &Ends,
    afresh: Duration,
    open: impl Fn() -> anyhow::Result<Box<dyn Glass>>,
) {
    let mut glass: Option<Box<dyn Glass>> = None;
    let mut opened = clock::now();
    let mut known = None;
    let mut pause = LEAST_PAUSE;
    let Ok(mut shot) = pictures.recv() else { return };
    loop {
        if clock::now().since(opened) >= afresh {
            glass = None;
        }
        let shown = match glass.take() {
            Some(glass) => Ok(glass),
            None => {
                opened = clock::now();
                open()
            }
        }
        .and_then(|mut glass| {
            glass.shine(shot.1);
            glass.show(&shot.0).map(|()| glass)
        });
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
                match pictures.recv() {
                    Ok(next) => shot = next,
                    Err(_) => return,
                }
            }
            Err(_) => {
                if !rest(pictures, &mut shot, pause) {
                    return;
                }
                pause = (pause * 2).min(MOST_PAUSE);
            }
        }
    }
}

/// Waits out the pause, keeping the latest picture; false if there will be none any more.
fn rest(pictures: &Receiver<Shot>, latest: &mut Shot, pause: Duration) -> bool {
    let until = clock::now() + pause;
    loop {
        let left = until - clock::now();
        if left.is_zero() {
            return true;
        }
        match pictures.recv_timeout(left) {
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
    use crate::panel::Frame;
    use std::cell::Cell;
    use std::rc::Rc;

    struct Flaky(Rc<Cell<u32>>);

    impl Glass for Flaky {
        fn show(&mut self, _picture: &Picture) -> anyhow::Result<()> {
            self.0.set(self.0.get() + 1);
            if self.0.get() == 2 { bail!("no acknowledge") } else { Ok(()) }
        }
    }

    fn shot() -> Shot {
        (Picture::Mono(Frame::default()), 3)
    }

    fn ends() -> (Ends, mpsc::Receiver<Fact>) {
        let (_orders, orders) = watch::channel(Arc::new(Orders::default()));
        let (facts, stated) = mpsc::channel::<Fact>(16);
        (Ends { orders, facts, part: Part::Panel, pulse: Pulse::default() }, stated)
    }

    #[test]
    fn a_display_that_vanishes_is_stated_and_opened_again() {
        let (ends, mut stated) = ends();
        let (tx, pictures) = sync_channel(4);
        let (shows, opens) = (Rc::new(Cell::new(0)), Cell::new(0));

        tx.send(shot()).expect("room for two pictures");
        tx.send(shot()).expect("room for two pictures");
        let late = std::thread::spawn(move || {
            let fact = |stated: &mut mpsc::Receiver<Fact>| stated.blocking_recv().map(|f| f.what);
            let seen = [fact(&mut stated), fact(&mut stated), fact(&mut stated)];
            drop(tx);
            seen
        });
        keep_showing(&pictures, &ends, AFRESH, || {
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

    #[test]
    fn a_display_that_lost_its_power_without_a_word_is_set_up_afresh_in_time() {
        let (ends, _stated) = ends();
        let (tx, pictures) = sync_channel(4);
        let opens = Cell::new(0);
        for _ in 0..3 {
            tx.send(shot()).expect("room for three pictures");
        }
        drop(tx);

        // no time at all: before each picture
        keep_showing(&pictures, &ends, Duration::ZERO, || {
            opens.set(opens.get() + 1);
            Ok(Box::new(Flaky(Rc::new(Cell::new(2)))))
        });

        assert_eq!(opens.get(), 3);
    }
}
