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
        let keys = ["broker", "user", "password_file", "ca_file", "cert_file", "key_file"];
        // asked before the keys are taken: whoever took one no longer knows its line
        let lines = keys.map(|key| section.line_of(key));
        let line_of =
            |wanted: &str| keys.iter().zip(lines).find(|(key, _)| **key == wanted).map_or(0, |(_, line)| line);
        let [broker, user, password_file, ca_file, cert_file, key_file] = keys.map(|key| section.text(key));
        let pace = section.duration("pace", seconds(5), Duration::from_millis(500)..=seconds(60));
        // the client library panics below 5 s
        let keep_alive = section.duration("keep_alive", seconds(10), seconds(5)..=seconds(120));
        let will_delay = section.duration("will_delay", seconds(10), Duration::ZERO..=seconds(60));
        let half = |given: &str, missing: &str| {
            let mend = format!("{given} and {missing} belong together; give {missing} too, or neither");
            section.fault(line_of(given), given, mend);
        };

        let address = match &broker {
            Some(broker) => {
                let address = host_and_port(broker);
                if address.is_none() {
                    let what = format!("\"{broker}\" is not HOST:PORT, such as \"127.0.0.1:1883\"");
                    section.fault(line_of("broker"), "broker", what);
                }
                address
            }
            None => {
                // a broker that is written but is no text was told already
                if line_of("broker") == 0 && keys.iter().any(|key| line_of(key) > 0) {
                    section.fault(0, "broker", "is missing; write broker = \"host:1883\", or leave [mqtt] out");
                }
                None
            }
        };
        let login = match (user, password_file) {
            (Some(user), Some(file)) => Some(Login { user, password_file: file.into() }),
            (Some(_), None) if line_of("password_file") == 0 => {
                half("user", "password_file");
                None
            }
            (None, Some(_)) if line_of("user") == 0 => {
                half("password_file", "user");
                None
            }
            _ => None,
        };
        let client = match (cert_file, key_file) {
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            (Some(_), None) if line_of("key_file") == 0 => {
                half("cert_file", "key_file");
                None
            }
            (None, Some(_)) if line_of("cert_file") == 0 => {
                half("key_file", "cert_file");
                None
            }
            _ => None,
        };
        let trusted = line_of("ca_file") > 0;
        if client.is_some() && !trusted {
            let what = "is missing; a client certificate needs TLS, and TLS needs ca_file";
            section.fault(line_of("cert_file"), "ca_file", what);
        }
        if let Some((host, _)) = &address
            && login.is_some()
            && !trusted
            && !is_this_machine(host)
        {
            let what = format!("is missing; a password would travel to {host} in the clear");
            section.fault(line_of("password_file"), "ca_file", what);
        }
        let tls = ca_file.map(|ca_file| Tls { ca_file: ca_file.into(), client });
        let (host, port) = address?;
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
    fn every_fault_is_told_at_once_at_its_own_line_with_the_mend() {
        let (config, faults) =
            read("[mqtt]\nbroker = \"nowhere\"\nuser = \"a\"\ncert_file = \"/c\"\npace = \"1h\"\nkeep_alive = 3\n");

        assert!(config.is_none());
        for wanted in [
            "box.toml:2: mqtt.broker: \"nowhere\" is not HOST:PORT",
            "box.toml:3: mqtt.user: user and password_file belong together; give password_file too",
            "box.toml:4: mqtt.cert_file: cert_file and key_file belong together; give key_file too",
            "box.toml:5: mqtt.pace: ",
            "box.toml:6: mqtt.keep_alive: ",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(wanted)), "{wanted} is not among {faults:?}");
        }
        assert_eq!(faults.len(), 5, "{faults:?}");
    }

    #[test]
    fn any_key_alone_asks_for_the_broker() {
        for key in ["user", "password_file", "ca_file", "cert_file", "key_file"] {
            let (config, faults) = read(&format!("[mqtt]\n{key} = \"/x\"\n"));

            let asks = |fault: &String| fault.contains("mqtt.broker: is missing");
            assert!(config.is_none() && faults.iter().any(asks), "{key}: {faults:?}");
        }
    }

    #[test]
    fn a_certificate_without_an_authority_is_told_at_its_line() {
        let text = "[mqtt]\nbroker = \"b.example:8883\"\ncert_file = \"/c\"\nkey_file = \"/k\"\n";
        let (_, faults) = read(text);

        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with("box.toml:3: mqtt.ca_file: is missing; a client"), "{faults:?}");
    }
}
