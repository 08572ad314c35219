//! systemd and the signals: ready, watchdog, reload, and the end.
//!
//! Without systemd every notification goes nowhere, and the signals work all the same.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use crate::io::task::Pulse;
use crate::message::{Phase, Status};

/// The whole end may take so long; then the process goes, whatever still runs.
const END_WITHIN: Duration = Duration::from_secs(5);

/// A reload that takes longer is reported as done: systemd must not think that the box hangs.
const RELOAD_WITHIN: Duration = Duration::from_secs(5);

/// The feeding comes so many times per watchdog interval: one lost turn must not kill a live box.
const FEEDS: u32 = 3;

/// What the system task needs of the others.
#[derive(Debug)]
pub struct Hooks {
    /// The vital tasks by name; each must have moved between two feedings of the watchdog.
    pub pulses: Vec<(&'static str, Pulse)>,
    /// Asks `io/config` to read the settings again.
    pub reload: mpsc::Sender<oneshot::Sender<()>>,
    /// Turned true when the process is asked to end.
    pub stop: watch::Sender<bool>,
    /// For the line that `systemctl status` shows.
    pub status: watch::Receiver<Arc<Status>>,
}

/// Tells systemd that the box is ready once `stands` is, feeds the watchdog, reloads on SIGHUP, and
/// turns the stop on SIGTERM or SIGINT; a second one of these ends the process at once, and so do
/// five seconds. Never returns but with an error at the start.
///
/// # Errors
/// If the signal handlers cannot be installed.
pub async fn run(mut hooks: Hooks, stands: impl Future<Output = ()>) -> anyhow::Result<()> {
    let what = "installing the signal handlers";
    let mut hangup = signal(SignalKind::hangup()).context(what)?;
    let mut terminate = signal(SignalKind::terminate()).context(what)?;
    let mut interrupt = signal(SignalKind::interrupt()).context(what)?;
    let mut watchdog = watchdog_interval().map(|every| {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks
    });
    let mut watch = Watch::default();
    let mut shown = None;
    let mut ready = false;
    let mut stands = std::pin::pin!(stands);

    loop {
        tokio::select! {
            () = &mut stands, if !ready => {
                ready = true;
                tell(&[NotifyState::Ready]);
            }
            () = tick(&mut watchdog) => {
                let stuck = watch.stuck(&hooks.pulses);
                // on the way out the parts stop moving one after the other, and a clock of its own bounds that
                if stuck.is_empty() || *hooks.stop.borrow() {
                    tell(&[NotifyState::Watchdog]);
                } else {
                    tracing::error!(?stuck, "the watchdog is not fed: these do not move");
                }
            }
            _ = hangup.recv() => reload(&hooks.reload, ready).await,
            _ = terminate.recv() => end(&hooks.stop),
            _ = interrupt.recv() => end(&hooks.stop),
            Ok(()) = hooks.status.changed() => {
                let line = line(&hooks.status.borrow_and_update());
                if shown.as_ref() != Some(&line) {
                    tell(&[NotifyState::Status(&line)]);
                    shown = Some(line);
                }
            }
        }
    }
}

fn watchdog_interval() -> Option<Duration> {
    let mut micros = 0;
    let enabled = sd_notify::watchdog_enabled(false, &mut micros);
    (enabled && micros > 0).then(|| Duration::from_micros(micros) / FEEDS)
}

async fn tick(watchdog: &mut Option<tokio::time::Interval>) {
    match watchdog {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}

async fn reload(config: &mpsc::Sender<oneshot::Sender<()>>, ready: bool) {
    // type=notify-reload wants the time at which the reload began, or it waits for ever
    match NotifyState::monotonic_usec_now() {
        Ok(since) => tell(&[NotifyState::Reloading, since]),
        Err(error) => tracing::warn!(%error, "no monotonic clock for systemd"),
    }
    let (done, is_done) = oneshot::channel();
    if config.try_send(done).is_ok() {
        let _ = tokio::time::timeout(RELOAD_WITHIN, is_done).await;
    }
    // before the house stands, the end of a reload must not be taken for the end of the start
    if ready {
        tell(&[NotifyState::Ready]);
    }
}

/// The first time: everybody ends. The second time: at once.
#[allow(clippy::disallowed_methods, reason = "the last resort must not hang on the runtime that it ends")]
fn end(stop: &watch::Sender<bool>) {
    if stop.send_replace(true) {
        tracing::warn!("asked a second time: ending at once");
        std::process::exit(1);
    }
    tracing::info!("asked to end");
    tell(&[NotifyState::Stopping]);
    std::thread::spawn(|| {
        std::thread::sleep(END_WITHIN);
        tracing::warn!("not everything ended in {END_WITHIN:?}; going all the same");
        std::process::exit(1);
    });
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::warn!(%error, "systemd does not hear us");
    }
}

fn line(status: &Status) -> String {
    let phase = match status.phase {
        Phase::Standby => "off air",
        Phase::Starting => "going on air",
        Phase::Live => "on air",
        Phase::Stopping => "leaving the air",
    };
    match status.alarms.as_slice() {
        [] => phase.to_owned(),
        [one] => format!("{phase}; {}", one.text),
        [worst, more @ ..] => format!("{phase}; {}; {} more alarms", worst.text, more.len()),
    }
}

/// How often each vital task had moved when the watchdog was looked after last.
#[derive(Debug, Default)]
struct Watch {
    counts: Vec<u64>,
}

impl Watch {
    /// The tasks that did not move since the last call.
    fn stuck(&mut self, pulses: &[(&'static str, Pulse)]) -> Vec<&'static str> {
        let counts: Vec<_> = pulses.iter().map(|(_, pulse)| pulse.count()).collect();
        let still = |n: &usize| self.counts.get(*n) == counts.get(*n);
        let stuck = (0..pulses.len()).filter(still).map(|n| pulses[n].0).collect();
        self.counts = counts;
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_fed_only_while_every_vital_task_moves() {
        let (control, bond) = (Pulse::default(), Pulse::default());
        let pulses = [("control", control.clone()), ("bond", bond.clone())];
        let mut watch = Watch::default();

        assert!(watch.stuck(&pulses).is_empty());
        control.beat();
        assert_eq!(watch.stuck(&pulses), ["bond"]);
        control.beat();
        bond.beat();
        assert!(watch.stuck(&pulses).is_empty());
    }
}
