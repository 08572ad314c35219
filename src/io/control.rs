//! One task owns Control: facts, commands and settings in, Orders and Status out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::board::Board;
use crate::config::Config;
use crate::control::{Control, restarts};
use crate::io::clock;
use crate::io::task::{Asked, Keep, Pulse};
use crate::message::{Fact, Intent, Orders, Status};
use crate::time::Instant;

/// Status leaves at most so often, unless something happened that everyone should see at once.
const STATUS_EVERY: Duration = Duration::from_millis(100);

/// The loop turns at least so often, so that figures grow old in Status and the watchdog is fed.
const TURN: Duration = Duration::from_millis(500);

/// So long after the shutdown began control still hears the parts; then it ends.
const HEAR_OUT: Duration = Duration::from_secs(5);

/// Every end that control holds.
#[derive(Debug)]
pub struct Doors {
    /// From the parts.
    pub facts: mpsc::Receiver<Fact>,
    /// From the faces.
    pub commands: mpsc::Receiver<Asked>,
    /// From `io/config`: settings that were read, checked and published.
    pub changes: mpsc::Receiver<Arc<Config>>,
    /// To the parts.
    pub orders: watch::Sender<Arc<Orders>>,
    /// To the faces.
    pub status: watch::Sender<Arc<Status>>,
    /// To `io/intent`.
    pub keeps: mpsc::Sender<Keep>,
    /// Turns true when the process is asked to end.
    pub stop: watch::Receiver<bool>,
    /// For the watchdog.
    pub pulse: Pulse,
}

/// Control as it starts, and the first values for the two watches of [`Doors`].
#[must_use]
pub fn start(config: &Config, board: &Board, intent: Intent) -> (Control, Arc<Orders>, Arc<Status>) {
    let now = clock::now();
    let control = Control::new(now, config.for_control(board), intent);
    let orders = control.orders().clone();
    let status = Arc::new(control.status(now, clock::wall()));
    (control, orders, status)
}

/// Runs control until the parts are gone after a shutdown, or have had five seconds to go.
pub async fn run(mut control: Control, mut config: Arc<Config>, board: Arc<Board>, doors: Doors) {
    let Doors { mut facts, mut commands, mut changes, orders, status, keeps, mut stop, pulse } = doors;
    let mut outlet = Outlet { orders, status, keeps, kept: control.intent(), shown: 0, published: Instant::ZERO };
    let mut end: Option<Instant> = None;
    outlet.publish(&control);
    loop {
        let now = clock::now();
        if end.is_some_and(|end| now >= end) {
            return;
        }
        control.handle_clock(now, clock::wall());
        let due = control.next_timeout(now);
        let wake = [due, end, Some(outlet.published + STATUS_EVERY).filter(|at| *at > now), Some(now + TURN)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now);
        pulse.beat();
        tokio::select! {
            fact = facts.recv() => match fact {
                Some(fact) => control.handle_fact(clock::now(), &fact),
                // nobody is left who could obey
                None => return,
            },
            Some(asked) = commands.recv() => {
                let answer = control.handle_command(clock::now(), asked.command);
                tracing::info!(command = ?asked.command.ask, origin = ?asked.command.origin, ?answer, "command");
                match answer {
                    Ok(()) => outlet.keep(&control, asked),
                    refused => { let _ = asked.answer.send(refused); }
                }
            },
            Some(new) = changes.recv() => {
                let parts = restarts(&config.changes(&new));
                control.handle_config(clock::now(), new.for_control(&board), &parts);
                config = new;
            },
            // a dropped stop means that whoever holds it is gone: the same as asked to end
            _ = stop.wait_for(|stop| *stop), if end.is_none() => {
                control.handle_shutdown(clock::now());
                end = Some(clock::now() + HEAR_OUT);
            },
            () = tokio::time::sleep_until(clock::tokio_at(wake)) => control.handle_timeout(clock::now()),
        }
        outlet.publish(&control);
    }
}

/// What left control last.
struct Outlet {
    orders: watch::Sender<Arc<Orders>>,
    status: watch::Sender<Arc<Status>>,
    keeps: mpsc::Sender<Keep>,
    kept: Intent,
    shown: u64,
    published: Instant,
}

impl Outlet {
    fn publish(&mut self, control: &Control) {
        self.orders.send_if_modified(|orders| {
            let changed = !Arc::ptr_eq(orders, control.orders());
            if changed {
                *orders = control.orders().clone();
            }
            changed
        });
        let now = clock::now();
        let news = control.latest_event() > self.shown;
        if news || now.since(self.published) >= STATUS_EVERY {
            self.status.send_replace(Arc::new(control.status(now, clock::wall())));
            self.shown = control.latest_event();
            self.published = now;
        }
    }

    /// An accepted command is answered when what it changed is on the disk.
    fn keep(&mut self, control: &Control, asked: Asked) {
        let intent = control.intent();
        if intent == self.kept {
            let _ = asked.answer.send(Ok(()));
            return;
        }
        self.kept = intent;
        if let Err(full) = self.keeps.try_send(Keep { intent, answer: Some(asked.answer) }) {
            // a stuck disk must not mute the keys
            tracing::error!("the intent writer is behind; answered before the disk");
            if let Some(answer) = full.into_inner().answer {
                let _ = answer.send(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::task::Commander;
    use crate::message::{Ask, Command, Origin, Part, Phase, Refusal, What};

    const BOARD: &str =
        "name = \"t\"\n[camera]\nkind = \"pattern\"\n[[uplink]]\nslot = \"wired\"\naddress = \"127.0.1.1\"\n";

    #[tokio::test]
    async fn commands_are_answered_orders_follow_and_the_intent_reaches_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let config = Arc::new(Config::read("t", "").unwrap());
        let board = Arc::new(Board::read("t", BOARD).unwrap());
        let (control, orders, status) = start(&config, &board, Intent::default());
        let (facts, facts_in) = mpsc::channel(256);
        let (commands, commands_in) = mpsc::channel(32);
        let (_changes, changes_in) = mpsc::channel(1);
        let (orders, mut orders_out) = watch::channel(orders);
        let (status, mut status_out) = watch::channel(status);
        let (keeps, keeps_in) = mpsc::channel(32);
        let (stop, stop_in) = watch::channel(false);
        let doors = Doors {
            facts: facts_in,
            commands: commands_in,
            changes: changes_in,
            orders,
            status,
            keeps,
            stop: stop_in,
            pulse: Pulse::default(),
        };
        let keeper = tokio::spawn(crate::io::intent::run(folder.path().to_owned(), keeps_in));
        let running = tokio::spawn(run(control, config, board, doors));
        let commander = Commander { tx: commands };
        let ask = |ask| Command { origin: Origin::Console, ask };

        assert_eq!(commander.ask(ask(Ask::Stop)).await, Err(Refusal::NotLive));
        assert_eq!(commander.ask(ask(Ask::Start)).await, Ok(()));
        assert!(crate::io::intent::load(folder.path()).on_air, "on the disk before the answer");
        orders_out.wait_for(|orders| orders.media.on_air).await.unwrap();
        facts.send(Fact { at: clock::now(), part: Part::Media, what: What::OutputOpened }).await.unwrap();
        status_out.wait_for(|status| status.phase == Phase::Live).await.unwrap();

        stop.send_replace(true);
        orders_out.wait_for(|orders| orders.shutdown).await.unwrap();
        assert_eq!(commander.ask(ask(Ask::Stop)).await, Err(Refusal::ShuttingDown));
        drop(facts);
        running.await.unwrap();
        keeper.await.unwrap();
        assert!(crate::io::intent::load(folder.path()).on_air, "a shutdown does not forget");
    }
}
