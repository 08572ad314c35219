//! Settings of the cloud side: where it listens, where each programme goes, and how much it holds.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::destination::{self, Destination};
use crate::table::{Document, Keeper, Section};

/// How much is held, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Groups at once; the oldest that never carried anything makes room for a new one.
    pub groups: usize,
    /// Links of one group.
    pub links: usize,
    /// Streams of one group; a row of each may hold [`crate::bond::Receiver::MOST_BYTES`].
    pub streams: usize,
    /// A link that was silent for so long is forgotten.
    pub link_timeout: Duration,
    /// A group that has had no link for so long is forgotten.
    pub group_timeout: Duration,
    /// What arrived on a link is acknowledged at the latest after so long, even if it is one packet.
    pub ack_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            groups: 200,
            links: 16,
            streams: 4,
            link_timeout: Duration::from_secs(10),
            group_timeout: Duration::from_secs(10),
            ack_delay: Duration::from_millis(15),
        }
    }
}

/// Everything that `livebox gateway` is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The public UDP address.
    pub listen: SocketAddr,
    /// The SRT listener of every session that passes opaque, host and port.
    pub to: String,
    /// The gateway's private key; without it the native dialect is not spoken.
    pub key_file: Option<Keeper>,
    /// The boxes that may come, one public key and name a line.
    pub allow_file: Option<PathBuf>,
    /// Where the figures are served; nowhere if `None`.
    pub metrics: Option<SocketAddr>,
    /// Where `ts` streams go.
    pub destinations: Vec<Destination>,
    /// How much is held.
    pub limits: Limits,
}

impl Config {
    /// The least that works: SRTLA on one address, passed on to one SRT listener.
    #[must_use]
    pub fn new(listen: SocketAddr, to: String) -> Self {
        let limits = Limits::default();
        Self { listen, to, key_file: None, allow_file: None, metrics: None, destinations: Vec::new(), limits }
    }

    /// Reads a settings file. Passphrases are not fetched yet.
    ///
    /// # Errors
    /// Every fault at once, each with file, line, key and the mend.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<String>> {
        let document = Document::parse(file, text);
        let config = Self::read_root(&mut document.root());
        match document.faults() {
            faults if faults.is_empty() => Ok(config),
            faults => Err(faults.iter().map(ToString::to_string).collect()),
        }
    }

    /// Takes every key of the file from its outermost section; faults stay in the document.
    pub fn read_root(root: &mut Section<'_>) -> Self {
        let listen = root.parsed("listen", "an address with its port such as \"0.0.0.0:5000\"");
        let to = root.required_text("to", "127.0.0.1:8890");
        let key_file = root.secret("key_file").map(|secret| secret.keeper);
        let allow_line = root.line_of("allow_file");
        let allow_file = file(root, "allow_file");
        if allow_file.is_some() && key_file.is_none() {
            root.fault(
                allow_line,
                "allow_file",
                "is of no use without key_file; make a key with livebox keys new FILE",
            );
        }
        let metrics = root.text("metrics").filter(|text| !text.is_empty()).map(|text| text.parse());
        let metrics = match metrics.transpose() {
            Ok(metrics) => metrics,
            Err(_) => {
                root.fault(0, "metrics", "is not an address with its port such as \"127.0.0.1:9464\"");
                None
            }
        };
        let limits = limits(&mut root.section("limits"));
        let destinations = destination::read(root);
        let listen = listen.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 5000)));
        Self { listen, to, key_file, allow_file, metrics, destinations, limits }
    }
}

fn limits(section: &mut Section<'_>) -> Limits {
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    let fallback = Limits::default();
    let most = |set: i64| usize::try_from(set).unwrap_or(usize::MAX);
    let count = |set: usize| i64::try_from(set).unwrap_or(i64::MAX);
    Limits {
        groups: most(section.integer("groups", count(fallback.groups), 1..=10_000)),
        links: most(section.integer("links", count(fallback.links), 1..=64)),
        streams: most(section.integer("streams", count(fallback.streams), 1..=16)),
        link_timeout: section.duration("link_timeout", fallback.link_timeout, SECOND..=HOUR),
        group_timeout: section.duration("group_timeout", fallback.group_timeout, SECOND..=HOUR),
        ack_delay: section.duration("ack_delay", fallback.ack_delay, Duration::from_millis(1)..=SECOND),
    }
}

fn file(root: &mut Section<'_>, key: &'static str) -> Option<PathBuf> {
    let line = root.line_of(key);
    let path = root.text(key).filter(|text| !text.is_empty()).map(PathBuf::from)?;
    if !path.is_absolute() {
        root.fault(line, key, format!("{} is not an absolute path", path.display()));
    }
    Some(path)
}

/// A text that no log, figure or message shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Passphrase(pub String);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_file_says_what_the_defaults_are() {
        let text = include_str!("../../config/gateway.toml");

        let config = Config::read("config/gateway.toml", text).unwrap();

        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.listen, SocketAddr::from(([0, 0, 0, 0], 5000)));
        assert_eq!((config.key_file, config.allow_file, config.destinations), (None, None, Vec::new()));
        assert_eq!(config.metrics, Some(SocketAddr::from(([127, 0, 0, 1], 9464))));
    }

    #[test]
    fn every_fault_of_the_file_is_told_at_once() {
        let text = "listen = 5000\nlimit = 3\nallow_file = \"boxes\"\nmetrics = \"here\"\n[limits]\nlinks = 0\n";
        let faults = Config::read("g.toml", text).unwrap_err();

        let told = |start: &str| faults.iter().any(|f| f.starts_with(start));
        assert_eq!(faults.len(), 7, "{faults:#?}");
        assert!(told("g.toml: to: is missing"), "{faults:?}");
        assert!(told("g.toml:3: allow_file: boxes is not an absolute path"), "{faults:?}");
        assert!(told("g.toml:3: allow_file: is of no use without key_file"), "{faults:?}");
        assert!(told("g.toml:6: limits.links: 0 is not within"), "{faults:?}");
    }
}
