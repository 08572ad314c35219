//! The box: opens the board, wires every task in the order of the journey, waits for the end.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

use crate::board::Board;
use crate::bond::Dialect;
use crate::bond::native::{InitiatorConfig, Offer};
use crate::config::{Config, DEFAULT_BOARD, DEFAULT_FILE};
use crate::io;
use crate::io::bond::Source;
use crate::io::media::{Exit, STREAMS};
use crate::io::reel::Reels;
use crate::io::task::{Commander, Ends, Pulse, supervise};
use crate::lang::said;
use crate::media::OutputId;
use crate::message::Part;
use crate::record::RECORDINGS;

/// How often the start is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Payloads between mux and engine: a second and more at the highest rate, should the engine stand so long.
const PAYLOADS: usize = 1024;

/// So long the local socket is waited for.
const SOCKET_WITHIN: Duration = Duration::from_secs(5);

/// The box: captures, encodes, bonds, and tells how it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the board, with its profile.toml.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BOARD)]
    board: PathBuf,

    /// The settings.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

/// Runs until SIGTERM or SIGINT: 0 after an orderly end, 2 if settings or board are wrong.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (config, board) = match (io::config::load(&args.config), io::config::board(&args.board)) {
        (Ok(config), Ok(board)) => (config, board),
        (config, board) => {
            for fault in config.err().into_iter().chain(board.err()).flatten() {
                eprintln!("{fault}");
            }
            eprintln!(
                "livebox: nothing was started; mend the above and try again (livebox check reads the files alone)"
            );
            return Ok(ExitCode::from(2));
        }
    };
    if let Err(error) = session(&config) {
        eprintln!("{}: bond.key_file: {error:#}", args.config.display());
        return Ok(ExitCode::from(2));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let end = runtime.block_on(house(args, Arc::new(config), Arc::new(board)));
    // a device that does not let go must not hold the end up
    runtime.shutdown_timeout(Duration::from_secs(1));
    end.map(|()| ExitCode::SUCCESS)
}

/// What the native dialect needs; nothing if it is not spoken.
fn session(config: &Config) -> anyhow::Result<Option<InitiatorConfig>> {
    let Some(trust) = config.trust.as_ref().filter(|_| config.bond.dialect == Dialect::Native) else {
        return Ok(None);
    };
    let key = io::keys::kept(&trust.key_file.keeper)?;
    Ok(Some(InitiatorConfig { key, peer: trust.peer, offer: Offer::ts(config.bond.latency, &streams(config)) }))
}

/// The box's `ts` streams by their numbers.
fn streams(config: &Config) -> Vec<&'static str> {
    let bonded = config.media.roads.dual.as_ref().is_some_and(|dual| dual.road.is_none());
    let names = STREAMS.map(OutputId::name);
    if bonded { names.to_vec() } else { names[..1].to_vec() }
}

async fn house(args: Args, config: Arc<Config>, board: Arc<Board>) -> anyhow::Result<()> {
    std::fs::create_dir_all(&config.state_dir)
        .with_context(|| format!("making the state folder {}; is it writable?", config.state_dir.display()))?;

    // who decides
    let intent = io::intent::load(&config.state_dir);
    let (control, orders, status) = io::control::start(&config, &board, intent);
    let (orders, orders_out) = watch::channel(orders);
    let (status, status_out) = watch::channel(status);
    let (facts, facts_in) = mpsc::channel(256);
    let (commands, commands_in) = mpsc::channel(32);
    let (keeps, keeps_in) = mpsc::channel(32);
    let (changes, changes_in) = mpsc::channel(1);
    let (reload, reloads) = mpsc::channel(1);
    let (stop, stop_in) = watch::channel(false);
    let (settings, settings_out) = watch::channel(config.clone());
    let pulses: BTreeMap<Part, Pulse> = Part::ALL.map(|part| (part, Pulse::default())).into();
    let pulse = Pulse::default();
    let commander = Commander { tx: commands };
    let ends = |part| Ends { orders: orders_out.clone(), facts: facts.clone(), part, pulse: pulses[&part].clone() };

    // the kernel may give the loopback port to nobody else while we hold it, whatever part restarts
    let loopback = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("opening a UDP port on the loopback")?;
    loopback.set_nonblocking(true).context("opening a UDP port on the loopback")?;
    let srt_port = loopback.local_addr().context("opening a UDP port on the loopback")?.port();
    let (uplinks, uplinks_out) = watch::channel(Vec::new());
    let (payloads, payloads_out) = mpsc::channel(PAYLOADS);
    let payloads_out = Arc::new(Mutex::new(payloads_out));
    let (closed, closed_out) = watch::channel(Some(said::no_gateway()));
    let exit = match config.bond.dialect {
        Dialect::Native => Exit::Ts { payloads, closed: closed_out },
        Dialect::Srtla => Exit::Srt(srt_port),
    };

    // what is sent is what is recorded
    let reels = Arc::new(Reels::default());

    // the parts, in the order of the journey
    let mut parts = JoinSet::new();
    parts.spawn(supervise(ends(Part::Media), {
        let (board, settings, reels) = (board.clone(), settings_out.clone(), reels.clone());
        let uplinks = uplinks_out.clone();
        move |ends| {
            let media = Arc::new(settings.borrow().media.clone());
            io::media::run(board.clone(), media, exit.clone(), reels.clone(), uplinks.clone(), ends)
        }
    }));
    parts.spawn(supervise(ends(Part::Record), {
        let (settings, reels, state) = (settings_out.clone(), reels.clone(), config.state_dir.clone());
        move |ends| {
            let record = settings.borrow().record.clone();
            let folder = record.folder.clone().unwrap_or_else(|| state.join(RECORDINGS));
            io::record::run(folder, record, reels.clone(), ends)
        }
    }));
    parts.spawn(supervise(ends(Part::Event), {
        let settings = settings_out.clone();
        move |ends| io::event::run(settings.borrow().event.clone(), ends)
    }));
    parts.spawn(supervise(ends(Part::Uplink), {
        let board = board.clone();
        move |ends| io::uplink::run(board.uplinks.clone(), uplinks.clone(), ends)
    }));
    parts.spawn(supervise(ends(Part::Bond), {
        let settings = settings_out.clone();
        move |mut ends| {
            let (config, listener) = (settings.borrow().clone(), loopback.try_clone());
            let (uplinks, pulse) = (uplinks_out.clone(), ends.pulse.clone());
            let (payloads, closed) = (payloads_out.clone(), closed.clone());
            async move {
                let listener = listener.context("sharing the loopback port")?;
                let source = match session(&config).context(said::gateway_key())? {
                    Some(session) => Source::Ts { session, payloads, closed },
                    None => Source::Srt(listener),
                };
                let places: Vec<_> = config.media.far_ends().collect();
                let name = places[ends.orders.borrow().far_end % places.len()].to_string();
                let destination = tokio::select! {
                    found = pulse.during(io::udp::resolved(&name)) => found.map_err(anyhow::Error::msg).context(said::bad_destination(&name))?,
                    () = ends.shutdown() => return Ok(()),
                };
                io::bond::run(config.bond.clone(), destination, source, uplinks, ends).await
            }
        }
    }));
    parts.spawn(supervise(ends(Part::Health), {
        let folder = config.state_dir.clone();
        move |ends| io::health::run(folder.clone(), ends)
    }));

    // the faces
    parts.spawn(supervise(ends(Part::Mqtt), {
        let (settings, status, commander) = (settings_out.clone(), status_out.clone(), commander.clone());
        move |mut ends| {
            let (mqtt, status, commander) = (settings.borrow().mqtt.clone(), status.clone(), commander.clone());
            async move {
                match mqtt {
                    Some(mqtt) => io::mqtt::run(Arc::new(mqtt), status, commander, ends).await,
                    // no broker is named; a reload that names one starts the part afresh
                    None => {
                        ends.shutdown().await;
                        Ok(())
                    }
                }
            }
        }
    }));
    parts.spawn(supervise(ends(Part::Console), {
        let (socket, status, commander) = (config.socket.clone(), status_out.clone(), commander.clone());
        move |ends| io::console::run(socket.clone(), status.clone(), commander.clone(), ends)
    }));
    parts.spawn(supervise(ends(Part::Panel), {
        let setup = crate::panel::Setup { lang: config.lang, console: config.console.clone() };
        let front = io::panel::Front { board: board.clone(), setup, state_dir: config.state_dir.clone() };
        let (status, commander) = (status_out.clone(), commander.clone());
        move |ends| io::panel::run(front.clone(), status.clone(), commander.clone(), ends)
    }));

    // settings, the disk, and the system underneath
    let reading = io::config::run(ends(Part::Config), args.config, settings, changes, reloads);
    let mut stopping = stop_in.clone();
    let config_reader = tokio::spawn(async move {
        tokio::select! {
            () = reading => {}
            // it would hold an end of the facts for as long as somebody might ask for a reload
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    });
    let keeper = tokio::spawn(io::intent::run(config.state_dir.clone(), keeps_in));
    let hooks = io::system::Hooks { pulses: vital(&pulse, &pulses), reload, stop, status: status_out.clone() };
    let system = tokio::spawn(io::system::run(hooks, house_stands(pulse.clone(), pulses, config.socket.clone())));

    // only the parts hold facts now: when the last of them is gone, control has heard everything
    drop(facts);
    drop(commander);
    let doors = io::control::Doors {
        facts: facts_in,
        commands: commands_in,
        changes: changes_in,
        orders,
        status,
        keeps,
        stop: stop_in,
        pulse,
    };
    let deciding = tokio::spawn(io::control::run(control, config, board, doors));

    // control and system are vital: the first of them to end, ends the process
    tokio::select! {
        end = deciding => end.context("control")?,
        end = system => end.context("system")?.context("system")?,
    }
    config_reader.abort();
    parts.shutdown().await;
    keeper.await.context("the intent writer")?;
    tracing::info!("ended");
    Ok(())
}

/// Whom the watchdog looks at: who decides, and the two parts that make the programme and bring it away.
fn vital(control: &Pulse, parts: &BTreeMap<Part, Pulse>) -> Vec<(&'static str, Pulse)> {
    let vital = [Part::Media, Part::Bond].map(|part| (part.name(), parts[&part].clone()));
    [("control", control.clone())].into_iter().chain(vital).collect()
}

/// Comes when control has spoken, every part was started, and the local socket answers: from then on
/// whatever does not work is an alarm that somebody can read, and no reason to end the process.
async fn house_stands(control: Pulse, parts: BTreeMap<Part, Pulse>, socket: PathBuf) {
    let started = |(part, pulse): (&Part, &Pulse)| pulse.count() > 0 || *part == Part::Config;
    while control.count() == 0 || !parts.iter().all(started) {
        tokio::time::sleep(LOOK).await;
    }
    let answers = async {
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    };
    // a socket that cannot be had is an alarm as well
    let _ = tokio::time::timeout(SOCKET_WITHIN, answers).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_house_stands_without_an_encoder_once_its_socket_answers() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let parts: BTreeMap<Part, Pulse> = Part::ALL.map(|part| (part, Pulse::default())).into();
        let control = Pulse::default();
        let mut stands = std::pin::pin!(house_stands(control.clone(), parts.clone(), socket.clone()));
        let mut stands_in = async |wait| tokio::time::timeout(wait, &mut stands).await.is_ok();

        assert!(!stands_in(LOOK * 2).await);
        let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
        control.beat();
        assert!(!stands_in(LOOK * 2).await, "the parts were not started");
        parts.values().for_each(Pulse::beat);

        assert!(stands_in(SOCKET_WITHIN * 6).await);
    }

    #[test]
    fn the_watchdog_looks_at_control_media_and_bond() {
        let parts = Part::ALL.map(|part| (part, Pulse::default())).into();

        let names: Vec<_> = vital(&Pulse::default(), &parts).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["control", "media", "bond"]);
    }
}
