//! Settings of the cloud side: where it listens, where the programme goes, and how much it holds.

use std::net::SocketAddr;
use std::time::Duration;

use crate::table::Document;

/// How much is held, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Groups at once; the oldest that never carried anything makes room for a new one.
    pub groups: usize,
    /// Links of one group.
    pub links: usize,
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
    /// The SRT listener, host and port.
    pub to: String,
    /// How much is held.
    pub limits: Limits,
}

impl Config {
    /// Reads a settings file.
    ///
    /// # Errors
    /// Every fault at once, each with file, line, key and the mend.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<String>> {
        const SECOND: Duration = Duration::from_secs(1);
        const HOUR: Duration = Duration::from_secs(3600);
        let document = Document::parse(file, text);
        let config = {
            let mut root = document.root();
            let listen = root.parsed("listen", "an address with its port such as \"0.0.0.0:5000\"");
            let to = root.required_text("to", "127.0.0.1:8890");
            let fallback = Limits::default();
            let mut limits = root.section("limits");
            let most = |set: i64| usize::try_from(set).unwrap_or(usize::MAX);
            let count = |set: usize| i64::try_from(set).unwrap_or(i64::MAX);
            let limits = Limits {
                groups: most(limits.integer("groups", count(fallback.groups), 1..=10_000)),
                links: most(limits.integer("links", count(fallback.links), 1..=64)),
                link_timeout: limits.duration("link_timeout", fallback.link_timeout, SECOND..=HOUR),
                group_timeout: limits.duration("group_timeout", fallback.group_timeout, SECOND..=HOUR),
                ack_delay: limits.duration("ack_delay", fallback.ack_delay, Duration::from_millis(1)..=SECOND),
            };
            let listen = listen.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 5000)));
            Self { listen, to, limits }
        };
        match document.faults() {
            faults if faults.is_empty() => Ok(config),
            faults => Err(faults.iter().map(ToString::to_string).collect()),
        }
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
    }

    #[test]
    fn every_fault_of_the_file_is_told_at_once() {
        let faults = Config::read("g.toml", "listen = 5000\nlimit = 3\n[limits]\nlinks = 0\n").unwrap_err();

        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults.iter().any(|f| f.starts_with("g.toml: to: is missing")), "{faults:?}");
        assert!(faults.iter().any(|f| f.starts_with("g.toml:4: limits.links: 0 is not within")), "{faults:?}");
    }
}
