//! Named tasks, their end, and shutdown.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use crate::io::clock;
use crate::message::{Command, Fact, Intent, Orders, Part, Refusal, What};

/// What every part is given: where Orders come from, where Facts go.
#[derive(Clone, Debug)]
pub struct Ends {
    /// The latest Orders; a fresh task is right at once.
    pub orders: watch::Receiver<Arc<Orders>>,
    /// Facts, in order. Periodic ones are dropped when it is full, others wait.
    pub facts: mpsc::Sender<Fact>,
    /// Who states them.
    pub part: Part,
}

impl Ends {
    /// States a fact that must be heard; waits if control is busy.
    pub async fn state(&self, what: What) {
        let _ = self.facts.send(Fact { at: clock::now(), part: self.part, what }).await;
    }

    /// States a periodic fact; dropped if control is busy, since the next one says more.
    pub fn measure(&self, what: What) {
        let _ = self.facts.try_send(Fact { at: clock::now(), part: self.part, what });
    }

    /// States a fact from a thread of its own.
    pub fn state_blocking(&self, what: What) {
        let _ = self.facts.blocking_send(Fact { at: clock::now(), part: self.part, what });
    }

    /// Comes when everybody ends; never, if control is gone without having said so.
    pub async fn shutdown(&mut self) {
        let said = self.orders.wait_for(|orders| orders.shutdown).await.is_ok();
        if !said {
            std::future::pending::<()>().await;
        }
    }
}

/// A command on its way to control, with the way back for the answer.
#[derive(Debug)]
pub struct Asked {
    /// What is asked, and by whom.
    pub command: Command,
    /// Where the answer goes; whoever asked may have left.
    pub answer: oneshot::Sender<Result<(), Refusal>>,
}

/// The faces' end of the command queue.
#[derive(Debug, Clone)]
pub struct Commander {
    /// Commands in order; each one counts.
    pub tx: mpsc::Sender<Asked>,
}

impl Commander {
    /// Asks control and waits for its answer; without a living control the box is shutting down.
    ///
    /// # Errors
    /// The refusal that control gives.
    pub async fn ask(&self, command: Command) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        self.tx.send(Asked { command, answer }).await.map_err(|_| Refusal::ShuttingDown)?;
        answered.await.unwrap_or(Err(Refusal::ShuttingDown))
    }
}

/// Runs a part for as long as the house stands: started by a factory, its end or panic told to
/// control, started afresh when Orders carry a higher generation for it.
pub async fn supervise<F, R>(mut ends: Ends, mut factory: F)
where
    F: FnMut(Ends) -> R,
    R: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let part = ends.part;
    loop {
        let generation = generation(&ends);
        ends.state(What::PartStarted).await;
        let mut task = tokio::spawn(factory(ends.clone()));
        let why = tokio::select! {
            end = &mut task => match end {
                Ok(Ok(())) if ends.orders.borrow().shutdown => return,
                Ok(Ok(())) => "it ended".to_owned(),
                Ok(Err(error)) => format!("{error:#}"),
                Err(panic) => panic.to_string(),
            },
            () = renewed(&mut ends, generation) => {
                task.abort();
                let _ = task.await;
                if ends.orders.borrow().shutdown { return; }
                continue;
            }
        };
        tracing::warn!(?part, why, "part ended");
        ends.state(What::PartEnded { why }).await;
        renewed(&mut ends.clone(), generation).await;
        if ends.orders.borrow().shutdown {
            return;
        }
    }
}

fn generation(ends: &Ends) -> u32 {
    ends.orders.borrow().parts.get(&ends.part).copied().unwrap_or(0)
}

async fn renewed(ends: &mut Ends, than: u32) {
    while generation(ends) <= than {
        if ends.orders.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if ends.orders.borrow().shutdown && generation(ends) <= than {
            // parts see the shutdown themselves and end; the caller bounds the wait
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            return;
        }
    }
}

/// Counts up whenever a vital task has moved: the watchdog looks whether it did.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The task moved.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it moved since the process began.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An intent on its way to the disk, with the command that waits for it.
#[derive(Debug)]
pub struct Keep {
    /// What must be on the disk …
    pub intent: Intent,
    /// … before whoever asked hears that it was accepted.
    pub answer: Option<oneshot::Sender<Result<(), Refusal>>>,
}
