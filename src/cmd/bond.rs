//! `livebox bond`: the bonding sender alone, in place of an SRTLA sender, for any encoder of SRT or transport stream.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::stopped;
use crate::board::{UplinkMatch, UplinkSlot};
use crate::bond::native::{InitiatorConfig, Offer, PublicKey};
use crate::bond::{Config, GroupStats, MOST_LINKS};
use crate::io;
use crate::io::bond::{Load, News, Road};
use crate::units::parse_duration;
use crate::uplink::Kernel;
use crate::wire::native::{Label, MOST_STREAMS};

/// How often the figures are written.
const WRITE: Duration = Duration::from_secs(1);

/// So long after SIGTERM what was taken from the caller may still leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// The longest L. A gateway that is told of it takes what each SRT session negotiates, as this side does.
const LONGEST: Duration = Duration::from_secs(30);

/// Takes an SRT caller's datagrams on a UDP port, or transport streams, and sends them over all uplinks to a gateway or
/// SRTLA receiver.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the SRT caller sends to, such as 127.0.0.1:6000
    #[arg(long, value_name = "ADDR:PORT", required_unless_present = "ts", conflicts_with = "ts")]
    listen: Option<SocketAddr>,
    /// A transport stream by its name and where an encoder sends it, by UDP in whole packets, such as
    /// main=127.0.0.1:6001; once for each. Needs --dialect native; the gateway passes it to its destinations
    #[arg(long, value_name = "NAME=ADDR:PORT", value_parser = ts)]
    ts: Vec<Ts>,
    /// The livebox gateway or SRTLA receiver, such as gateway.example:5000
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// A way out: the address to send from, or the interface; once for each
    #[arg(long, value_name = "IP|IFACE", required_unless_present = "uplinks_file", conflicts_with = "uplinks_file")]
    uplink: Vec<String>,
    /// A file with one address or interface a line, «metered» behind those that cost money; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    uplinks_file: Option<PathBuf>,
    /// The frames spoken on the uplinks
    #[arg(long, value_name = "srtla|native", default_value = "srtla")]
    dialect: Dialect,
    /// The private key of this sender, for the native dialect (livebox keys new FILE)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The gateway's public key, for the native dialect (livebox keys show FILE)
    #[arg(long, value_name = "KEY")]
    peer: Option<PublicKey>,
    /// A packet is worth sending until so long after it came; at most, and if not given, what the SRT session
    /// has negotiated as its latency less 250ms
    #[arg(long, value_name = "TIME", value_parser = latency)]
    latency: Option<Duration>,
    /// Where to write what is measured, once a second
    #[arg(long, value_name = "FILE")]
    stats_json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Dialect {
    Srtla,
    Native,
}

/// A transport stream and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ts {
    name: String,
    listen: SocketAddr,
}

fn ts(text: &str) -> Result<Ts, String> {
    let (name, listen) = text.split_once('=').ok_or("write NAME=ADDR:PORT, such as main=127.0.0.1:6001")?;
    if name.is_empty() || name.len() > Label::LONGEST || name.chars().any(char::is_control) {
        return Err(format!("\"{name}\" is not a name; at most {} bytes", Label::LONGEST));
    }
    let listen = listen.parse().map_err(|_| format!("\"{listen}\" is not an address with its port"))?;
    Ok(Ts { name: name.to_owned(), listen })
}

fn latency(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text).map_err(|wrong| wrong.to_string())?;
    if (Duration::from_millis(50)..=LONGEST).contains(&span) {
        Ok(span)
    } else {
        Err(format!("{text} is not within 50ms and 30s"))
    }
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    // the engine is one task: a second thread would only hand wakeups back and forth
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bond(args))
}

/// With which gateway, and as whom, in the native dialect.
fn session(args: &Args) -> anyhow::Result<Option<InitiatorConfig>> {
    match (args.dialect, &args.key, args.peer) {
        (Dialect::Srtla, None, None) if args.ts.is_empty() => Ok(None),
        (Dialect::Srtla, None, None) => anyhow::bail!(
            "--ts belongs to the native dialect; add --dialect native, or let the encoder call --listen with SRT"
        ),
        (Dialect::Srtla, ..) => anyhow::bail!("--key and --peer belong to the native dialect; add --dialect native"),
        (Dialect::Native, Some(key), Some(peer)) => {
            let key = io::keys::private(key).context("--key")?;
            let names: Vec<_> = args.ts.iter().map(|ts| ts.name.as_str()).collect();
            let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
            anyhow::ensure!(twice.is_none(), "--ts names \"{}\" twice", twice.map_or("", |(_, name)| name));
            anyhow::ensure!(names.len() <= MOST_STREAMS, "--ts is given too often; a group has {MOST_STREAMS} streams");
            let offer = if names.is_empty() {
                Offer::srt(args.latency.unwrap_or(LONGEST), "srt")
            } else {
                Offer::ts(bonding(args.latency).latency, &names)
            };
            Ok(Some(InitiatorConfig { key, peer, offer }))
        }
        (Dialect::Native, ..) => anyhow::bail!(
            "--dialect native needs --key FILE and --peer KEY: livebox keys new FILE makes a key here, livebox keys \
             show FILE on the gateway prints its public one"
        ),
    }
}

async fn bond(args: Args) -> anyhow::Result<ExitCode> {
    let session = match session(&args) {
        Ok(session) => session,
        Err(error) => return refused(&format!("{error:#}")),
    };
    let slots = match listed(&args) {
        Ok(slots) => slots,
        Err(error) => return refused(&format!("{error:#}")),
    };
    let kernel = io::uplink::look().await?;
    for slot in &slots {
        if let Err(why) = checked(&kernel, slot) {
            return refused(&why);
        }
        warn_if_absent(&kernel, slot);
    }
    let listened = |address: SocketAddr| {
        UdpSocket::bind(address).with_context(|| format!("cannot listen on UDP {address}; is another sender running?"))
    };
    let load = match (args.listen, session) {
        (Some(listen), session) => Load::Srt { listener: listened(listen)?, session },
        (None, Some(session)) => {
            let sources = (0..).zip(&args.ts).map(|(stream, ts)| anyhow::Ok((stream, listened(ts.listen)?)));
            Load::Udp { session, sources: sources.collect::<Result<_, _>>()? }
        }
        (None, None) => return refused("--listen or --ts is missing"),
    };
    let mut hangups = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
    let stop = stopped()?;
    tokio::pin!(stop);
    let destination = tokio::select! {
        found = io::udp::resolved(&args.to) => match found {
            Ok(destination) => destination,
            Err(why) => return refused(&format!("--to {why}")),
        },
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    let listen: Vec<_> = args.listen.into_iter().chain(args.ts.iter().map(|ts| ts.listen)).collect();
    tracing::info!(?listen, to = %destination, uplinks = slots.len(), "bonding");

    let (wanted, slots) = watch::channel(slots);
    let (told, uplinks) = watch::channel(Vec::new());
    let (_settings, config) = watch::channel(bonding(args.latency));
    let (stats, mut measured) = watch::channel(None::<GroupStats>);
    let road = Road { config, destination, load, uplinks, farewell: FAREWELL };
    let drive = io::bond::drive(
        road,
        io::seed::fresh()?,
        stop,
        || true,
        move |news| match news {
            News::Measured(measured) => {
                stats.send_replace(Some(measured));
            }
            News::Heard(echo) => {
                tracing::debug!(?echo, "the gateway hears");
            }
            News::Refused(_) => {}
        },
    );
    let reread = async {
        while hangups.recv().await.is_some() {
            if let Some(slots) = renewed(&args).await {
                wanted.send_replace(slots);
            }
        }
        std::future::pending::<()>().await;
    };
    let written = async {
        let mut tick = tokio::time::interval(WRITE);
        loop {
            tick.tick().await;
            let stats = measured.borrow_and_update().clone();
            if let (Some(file), Some(stats)) = (&args.stats_json, stats)
                && let Err(error) = write(file, &stats)
            {
                tracing::warn!(%error, "figures not written");
            }
        }
    };
    tokio::select! {
        ended = drive => ended?,
        ended = io::uplink::follow(slots, told) => ended?,
        () = reread => {}
        () = written => {}
    }
    if let (Some(file), Some(stats)) = (&args.stats_json, &*measured.borrow()) {
        write(file, stats)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The engine's settings: L as it was given, or the session's.
fn bonding(latency: Option<Duration>) -> Config {
    let default = Config::default();
    Config { latency: latency.unwrap_or(default.latency), follows_session: latency.is_none(), ..default }
}

fn refused(why: &str) -> anyhow::Result<ExitCode> {
    eprintln!("livebox bond: {why}");
    Ok(ExitCode::from(2))
}

/// The uplinks of the command line or the file.
fn listed(args: &Args) -> anyhow::Result<Vec<UplinkSlot>> {
    let slots = match &args.uplinks_file {
        Some(file) => {
            let lines = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}; write one address or interface a line", file.display()))?;
            parse("line", &lines)?
        }
        None => parse("--uplink number", &args.uplink.join("\n"))?,
    };
    anyhow::ensure!(!slots.is_empty(), "no uplink is listed; write one address or interface a line");
    Ok(slots)
}

/// One address or interface a line, `metered` behind it if its bytes cost money; `#` opens a comment. `place` is what
/// the reader calls a line.
fn parse(place: &str, lines: &str) -> anyhow::Result<Vec<UplinkSlot>> {
    let mut slots: Vec<UplinkSlot> = Vec::new();
    for (at, line) in lines.lines().enumerate() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(name) = words.next() else { continue };
        let metered = match words.next() {
            None => false,
            Some("metered") => true,
            Some(other) => {
                anyhow::bail!("{place} {}: \"{other}\" is not understood; only «metered» may follow", at + 1)
            }
        };
        let by = match name.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => UplinkMatch::Address(address),
            Ok(IpAddr::V6(_)) => {
                anyhow::bail!("{place} {}: {name} is IPv6; name its interface or an IPv4 address", at + 1)
            }
            Err(_) => UplinkMatch::Interface(name.to_owned()),
        };
        anyhow::ensure!(slots.iter().all(|s| s.slot != name), "{place} {}: {name} is listed twice", at + 1);
        anyhow::ensure!(
            slots.len() < MOST_LINKS,
            "{place} {}: {name} is one too many; a group has at most {MOST_LINKS} uplinks, take this one or another out",
            at + 1
        );
        slots.push(UplinkSlot { slot: name.to_owned(), metered, by, bind_address: true });
    }
    Ok(slots)
}

/// Refuses an address that two interfaces own: the kernel would choose, and choose wrongly.
fn checked(kernel: &Kernel, slot: &UplinkSlot) -> Result<(), String> {
    let UplinkMatch::Address(address) = slot.by else { return Ok(()) };
    let owners = kernel.owners(address);
    if owners.len() > 1 {
        let names = kernel.names(&owners);
        let line = names.iter().map(|name| format!("--uplink {name}")).collect::<Vec<_>>().join(" ");
        return Err(format!(
            "{} interfaces own {address} ({}); name them instead: {line}",
            names.len(),
            names.join(", ")
        ));
    }
    Ok(())
}

fn warn_if_absent(kernel: &Kernel, slot: &UplinkSlot) {
    let there = match &slot.by {
        UplinkMatch::Address(address) => !kernel.owners(*address).is_empty(),
        UplinkMatch::Interface(name) => kernel.devices.values().any(|device| device.name == *name),
    };
    if !there {
        tracing::warn!(uplink = slot.slot, "is not there; taken up when it appears");
    }
}

/// The file read again; the old uplinks stand if it is wrong.
async fn renewed(args: &Args) -> Option<Vec<UplinkSlot>> {
    if args.uplinks_file.is_none() {
        tracing::info!("SIGHUP: there is no --uplinks-file to read again");
        return None;
    }
    let read = async {
        let slots = listed(args)?;
        let kernel = io::uplink::look().await?;
        for slot in &slots {
            checked(&kernel, slot).map_err(anyhow::Error::msg)?;
            warn_if_absent(&kernel, slot);
        }
        anyhow::Ok(slots)
    };
    match read.await {
        Ok(slots) => {
            tracing::info!(uplinks = slots.len(), "SIGHUP: uplinks read again");
            Some(slots)
        }
        Err(error) => {
            tracing::warn!("SIGHUP: the old uplinks stand: {error:#}");
            None
        }
    }
}

/// Writes beside the file and renames, so that a reader never sees half of it.
fn write(file: &Path, stats: &GroupStats) -> anyhow::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let text = serde_json::to_string(stats)?;
    std::fs::write(&beside, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    std::fs::rename(&beside, file).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_file_holds_one_uplink_a_line_with_comments_and_what_costs_money() {
        let slots = parse("line", "# venue\n10.0.0.2\n\nwwan0 metered # SIM 1\n").unwrap();

        assert_eq!(slots.len(), 2);
        assert_eq!(slots[0].by, UplinkMatch::Address(Ipv4Addr::new(10, 0, 0, 2)));
        assert_eq!(slots[1].by, UplinkMatch::Interface("wwan0".to_owned()));
        assert_eq!((slots[0].metered, slots[1].metered), (false, true));
    }

    #[test]
    fn more_uplinks_than_a_group_has_are_refused_where_they_begin() {
        let lines = |count: usize| (1..=count).map(|n| format!("# a modem\nwwan{n}\n")).collect::<String>();

        assert_eq!(parse("line", &lines(16)).unwrap().len(), 16);
        let told = parse("line", &lines(18)).unwrap_err().to_string();
        assert!(told.starts_with("line 34: wwan17 ") && told.contains("at most 16"), "{told}");
    }

    #[test]
    fn a_line_that_makes_no_sense_is_told_with_its_number() {
        for (lines, line) in [("eth0\neth0", "line 2"), ("eth0 cheap", "line 1"), ("\n\nfe80::1", "line 3")] {
            let told = parse("line", lines).unwrap_err().to_string();
            assert!(told.starts_with(line), "{told}");
        }
    }
}
