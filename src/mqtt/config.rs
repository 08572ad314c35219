//! Broker, identity, pace.

use std::path::PathBuf;
use std::time::Duration;

use crate::table::Section;

/// How the broker is reached. Secrets stand in files; their names are all that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Name or address of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Name and password, if the broker asks for them.
    pub login: Option<Login>,
    /// TLS, if the broker speaks it.
    pub tls: Option<Tls>,
    /// How often figures are told when nothing changes.
    pub pace: Duration,
    /// A ping at least so often; a half-open connection is noticed after twice this time.
    pub keep_alive: Duration,
    /// The broker waits so long for us to come back before it tells everyone that we are lost.
    pub will_delay: Duration,
}

/// Who we say we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Name at the broker.
    pub user: String,
    /// File with the password on its first line; a relative name is a systemd credential.
    pub password_file: PathBuf,
}

/// Whom we trust, and how we prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the authorities that may sign the broker's certificate.
    pub ca_file: PathBuf,
    /// PEM files of our certificate chain and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Config {
    /// Reads the `[mqtt]` section; `None` if it names no broker: the box then speaks to none.
    pub fn read(section: &mut Section<'_>) -> Option<Self> {
        let seconds = Duration::from_secs;
        let broker = section.text("broker");
        let user = section.text("user");
        let password_file = section.text("password_file");
        let ca_file = section.text("ca_file");
        let cert_file = section.text("cert_file");
        let key_file = section.text("key_file");
        let pace = section.duration("pace", seconds(5), Duration::from_millis(500)..=seconds(60));
        // the client library panics below 5 s
        let keep_alive = section.duration("keep_alive", seconds(10), seconds(5)..=seconds(120));
        let will_delay = section.duration("will_delay", seconds(10), Duration::ZERO..=seconds(60));

        let Some(broker) = broker else {
            if user.is_some() || password_file.is_some() || ca_file.is_some() || cert_file.is_some() {
                section.fault(0, "broker", "is missing; write broker = \"host:1883\", or leave [mqtt] out");
            }
            return None;
        };
        let Some((host, port)) = host_and_port(&broker) else {
            section.fault(0, "broker", format!("\"{broker}\" is not HOST:PORT, such as \"127.0.0.1:1883\""));
            return None;
        };
        let login = match (user, password_file) {
            (Some(user), Some(file)) => Some(Login { user, password_file: file.into() }),
            (None, None) => None,
            _ => {
                section.fault(0, "user", "user and password_file belong together; give both or none");
                None
            }
        };
        let client = match (cert_file, key_file) {
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            (None, None) => None,
            _ => {
                section.fault(0, "cert_file", "cert_file and key_file belong together; give both or none");
                None
            }
        };
        let tls = match ca_file {
            Some(ca_file) => Some(Tls { ca_file: ca_file.into(), client }),
            None => {
                if client.is_some() {
                    section.fault(0, "ca_file", "is missing; a client certificate needs TLS, and TLS needs ca_file");
                }
                None
            }
        };
        if login.is_some() && tls.is_none() && !is_this_machine(&host) {
            section.fault(0, "ca_file", format!("is missing; a password would travel to {host} in the clear"));
        }
        Some(Self { host, port, login, tls, pace, keep_alive, will_delay })
    }

    /// True if whoever listens on the way can read and command.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.tls.is_none() && !is_this_machine(&self.host)
    }
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| (host.to_owned(), port))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Document;

    fn read(text: &str) -> (Option<Config>, Vec<String>) {
        let document = Document::parse("box.toml", text);
        let config = {
            let mut root = document.root();
            let mut section = root.section("mqtt");
            Config::read(&mut section)
        };
        (config, document.faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn without_a_broker_the_box_speaks_to_none() {
        assert_eq!(read(""), (None, vec![]));
    }

    #[test]
    fn every_setting_has_a_default_but_the_broker() {
        let (config, faults) = read("[mqtt]\nbroker = \"127.0.0.1:1883\"\n");

        assert!(faults.is_empty(), "{faults:?}");
        let config = config.expect("a broker is named");
        assert_eq!((config.host.as_str(), config.port, config.pace), ("127.0.0.1", 1883, Duration::from_secs(5)));
        assert!(!config.is_open());
    }

    #[test]
    fn a_password_never_travels_in_the_clear() {
        let login = "user = \"hall-1\"\npassword_file = \"mqtt-password\"\n";
        let (_, far) = read(&format!("[mqtt]\nbroker = \"broker.example:1883\"\n{login}"));
        let (_, near) = read(&format!("[mqtt]\nbroker = \"localhost:1883\"\n{login}"));
        let (_, tls) = read(&format!("[mqtt]\nbroker = \"broker.example:8883\"\nca_file = \"/ca.pem\"\n{login}"));

        assert_eq!(far.len(), 1);
        assert!(far[0].contains("mqtt.ca_file: is missing; a password would travel"), "{far:?}");
        assert!(near.is_empty() && tls.is_empty(), "{near:?} {tls:?}");
    }

    #[test]
    fn halves_of_a_pair_are_refused_with_the_mend() {
        let (_, faults) = read("[mqtt]\nbroker = \"nowhere\"\nuser = \"a\"\n");
        assert!(faults[0].contains("\"nowhere\" is not HOST:PORT"), "{faults:?}");

        let (_, faults) = read("[mqtt]\nbroker = \"b:1\"\nuser = \"a\"\ncert_file = \"/c\"\n");
        assert_eq!(faults.len(), 2, "{faults:?}");
    }
}
