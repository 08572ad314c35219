//! Named tasks, their end, and shutdown.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::io::clock;
use crate::lang::{Text, said};
use crate::message::{Command, Fact, Intent, Orders, Part, Refusal, What};

/// A part that waits beats so often: the watchdog is fed every second or two.
const BEAT: Duration = Duration::from_millis(250);

/// What every part is given: where Orders come from, where Facts go.
#[derive(Clone, Debug)]
pub struct Ends {
    /// The latest Orders; a fresh task is right at once.
    pub orders: watch::Receiver<Arc<Orders>>,
    /// Facts, in order. Periodic ones are dropped when it is full, others wait.
    pub facts: mpsc::Sender<Fact>,
    /// Who states them.
    pub part: Part,
    /// A vital part beats it whenever it moves.
    pub pulse: Pulse,
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
        ends.pulse.beat();
        ends.state(What::PartStarted).await;
        let mut task = tokio::spawn(factory(ends.clone()));
        let why = tokio::select! {
            end = &mut task => match end {
                Ok(Ok(())) if ends.orders.borrow().shutdown => return,
                Ok(Ok(())) => said::by_itself(),
                Ok(Err(error)) => reason(&error),
                Err(panic) => said::see_the_log(panic),
            },
            () = renewed(&mut ends, generation) => {
                task.abort();
                let _ = task.await;
                if ends.orders.borrow().shutdown { return; }
                continue;
            }
        };
        tracing::warn!(?part, %why, "part ended");
        ends.state(What::PartEnded { why }).await;
        // a part that is down on purpose must not starve the watchdog
        let pulse = ends.pulse.clone();
        let mut leaving = ends.clone();
        pulse
            .during(async {
                tokio::select! {
                    () = renewed(&mut ends, generation) => {}
                    () = leaving.shutdown() => {}
                }
            })
            .await;
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
            tokio::time::sleep(Duration::from_secs(5)).await;
            return;
        }
    }
}

/// Why something failed, for operators: a sentence of ours if there is one among the causes, and the
/// world's own words. What is neither stands in English, for the log.
#[must_use]
pub fn reason(error: &anyhow::Error) -> Text {
    let whole = format!("{error:#}");
    let root = error.root_cause();
    match error.downcast_ref::<Text>() {
        Some(text) if root.is::<Text>() => Text::new(text.zh.clone(), whole),
        Some(text) => Text::new(format!("{}：{root}", text.zh), whole),
        None if root.is::<std::io::Error>() => Text::new(root.to_string(), whole),
        None => said::see_the_log(whole),
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

    /// Waits for `work` that is slow by nature, beating meanwhile; whoever calls bounds it.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut beat = tokio::time::interval(BEAT);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = beat.tick() => self.beat(),
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn house() -> (watch::Sender<Arc<Orders>>, mpsc::Receiver<Fact>, Ends) {
        let (orders, listen) = watch::channel(Arc::new(Orders::default()));
        let (facts, stated) = mpsc::channel(16);
        let ends = Ends { orders: listen, facts, part: Part::Media, pulse: Pulse::default() };
        (orders, stated, ends)
    }

    #[test]
    fn a_failure_is_told_in_both_languages_with_foreign_words_as_they_are() {
        let text = |zh: &str, en: &str| Text::new(zh, en);
        let ours = anyhow::Error::new(said::no_signal());
        let both = anyhow::Error::new(std::io::Error::other("Errno 5")).context(said::does_not_open("video0"));
        let bare = anyhow::anyhow!("an invariant broke");

        assert_eq!(reason(&ours), said::no_signal());
        assert_eq!(reason(&both), text("video0 无法打开：Errno 5", "video0 does not open: Errno 5"));
        assert_eq!(reason(&bare), text("原因见日志", "an invariant broke"));
    }

    #[tokio::test]
    async fn a_part_that_is_down_between_two_starts_does_not_starve_the_watchdog() {
        let (_orders, mut stated, ends) = house();
        let pulse = ends.pulse.clone();
        tokio::spawn(supervise(ends, |_| async { anyhow::bail!("no encoder") }));

        while !matches!(stated.recv().await, Some(Fact { what: What::PartEnded { .. }, .. })) {}
        let before = pulse.count();
        while pulse.count() < before + 3 {
            tokio::time::sleep(BEAT).await;
        }
    }

    #[tokio::test]
    async fn a_part_that_is_down_holds_no_shutdown_up() {
        let (orders, mut stated, ends) = house();
        let supervised = tokio::spawn(supervise(ends, |_| async { anyhow::bail!("no encoder") }));

        while !matches!(stated.recv().await, Some(Fact { what: What::PartEnded { .. }, .. })) {}
        orders.send_modify(|orders| Arc::make_mut(orders).shutdown = true);

        // the patience with a part that runs is five seconds
        assert!(tokio::time::timeout(Duration::from_secs(4), supervised).await.is_ok());
    }

    #[tokio::test]
    async fn a_running_part_that_does_not_move_is_not_beaten_for() {
        let (_orders, mut stated, ends) = house();
        let pulse = ends.pulse.clone();
        tokio::spawn(supervise(ends, |_| std::future::pending()));

        assert!(matches!(stated.recv().await, Some(Fact { what: What::PartStarted, .. })));
        let before = pulse.count();
        tokio::time::sleep(BEAT * 3).await;

        assert_eq!(pulse.count(), before);
    }
}
