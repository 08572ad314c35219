//! Destination: one place that a box's `ts` stream is passed on to, by its settings.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::config::Passphrase;
use crate::table::{SecretRef, Section};
use crate::wire::echo::MOST_DESTINATIONS;
use crate::wire::native::Label;

/// The longest stream id that SRT carries.
const MAX_STREAM_ID: usize = 512;
/// In a stream id these stand for the names of the box and its stream.
const BOX: &str = "{box}";
const STREAM: &str = "{stream}";

/// Who calls whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// We call that listener, host and port, and call again whenever it is lost.
    Call(String),
    /// Players call us there, any number of them.
    Listen(SocketAddr),
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// What it is called in the echo, in metrics and logs.
    pub name: String,
    /// The box whose stream it takes; every box's if `None`.
    pub of_box: Option<String>,
    /// The name of the stream that it takes.
    pub stream: String,
    /// Who calls whom.
    pub way: Way,
    /// Latency of the SRT session, beyond the bond's.
    pub latency: Duration,
    /// Stream id asked for, with `{box}` and `{stream}` still in it; empty for none.
    pub stream_id: String,
    /// Where the passphrase is kept.
    pub passphrase_file: Option<SecretRef>,
    /// The passphrase, once fetched; empty for none.
    pub passphrase: Passphrase,
    /// Bytes that wait for it at the most; then the oldest payloads are left out.
    pub queue: usize,
}

impl Destination {
    /// True if it takes this stream of this box.
    #[must_use]
    pub fn takes(&self, name: &str, stream: &str) -> bool {
        self.stream == stream && self.of_box.as_deref().is_none_or(|of| of == name)
    }

    /// The stream id for this stream of this box.
    #[must_use]
    pub fn stream_id(&self, name: &str, stream: &str) -> String {
        self.stream_id.replace(BOX, name).replace(STREAM, stream)
    }
}

/// Reads every `[[destination]]`.
pub(super) fn read(root: &mut Section<'_>) -> Vec<Destination> {
    let mut names = BTreeSet::new();
    let mut listens = BTreeSet::new();
    let mut read: Vec<Destination> = Vec::new();
    for mut section in root.sections("destination") {
        let line = section.line_of("name");
        let destination = one(&mut section);
        if !names.insert(destination.name.clone()) {
            section.fault(line, "name", format!("\"{}\" is given twice", destination.name));
        }
        if let Way::Listen(address) = destination.way
            && !listens.insert(address)
        {
            section.fault(0, "listen", format!("{address} is listened on by another destination"));
        }
        let overlap = |other: &&Destination| {
            let boxes = (&other.of_box, &destination.of_box);
            other.stream == destination.stream && (boxes.0.is_none() || boxes.1.is_none() || boxes.0 == boxes.1)
        };
        if read.iter().filter(overlap).count() >= MOST_DESTINATIONS {
            section.fault(0, "stream", format!("has {MOST_DESTINATIONS} destinations already, which is the most"));
        }
        read.push(destination);
    }
    read
}

fn one(section: &mut Section<'_>) -> Destination {
    let ms = Duration::from_millis;
    let line = section.line_of("name");
    let name = section.required_text("name", "studio");
    if name.len() > Label::LONGEST || name.chars().any(char::is_control) {
        section.fault(line, "name", format!("is not a name; at most {} bytes", Label::LONGEST));
    }
    let of_box = section.text("box").filter(|name| name != "*");
    let stream = section.text("stream").unwrap_or_else(|| "main".to_owned());
    let (to_line, listen_line) = (section.line_of("to"), section.line_of("listen"));
    let to = section.text("to");
    let listen = section.parsed("listen", "an address with its port such as \"0.0.0.0:9001\"");
    let way = match (to, listen) {
        (Some(to), None) => {
            let port = to.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, p)| p.parse().ok());
            if port.is_none_or(|port: u16| port == 0) || to.contains(['/', '?', '&']) {
                section.fault(to_line, "to", format!("\"{to}\" is not HOST:PORT"));
            }
            Way::Call(to)
        }
        (None, Some(listen)) => {
            if of_box.is_none() {
                let why = "one port serves one box; write box = \"NAME\" as well";
                section.fault(listen_line, "listen", why);
            }
            Way::Listen(listen)
        }
        (Some(_), Some(_)) => {
            section.fault(listen_line, "listen", "stands beside to; a destination is called or listens, not both");
            Way::Call(String::new())
        }
        (None, None) => {
            // a listen that is no address was told already
            if listen_line == 0 {
                section.fault(0, "to", "is missing; write to = \"HOST:PORT\", or listen = \"ADDR:PORT\" to be called");
            }
            Way::Call(String::new())
        }
    };
    let line = section.line_of("stream_id");
    let stream_id = section.text("stream_id").unwrap_or_default();
    if stream_id.len() > MAX_STREAM_ID || stream_id.chars().any(char::is_control) {
        section.fault(line, "stream_id", format!("is not a stream id; at most {MAX_STREAM_ID} bytes"));
    }
    let queue = usize::try_from(section.integer("queue_kib", 1024, 64..=65_536)).unwrap_or(1024) << 10;
    Destination {
        name,
        of_box,
        stream,
        way,
        latency: section.duration("latency", ms(500), ms(20)..=ms(30_000)),
        stream_id,
        passphrase_file: section.secret("passphrase_file"),
        passphrase: Passphrase::default(),
        queue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Config;

    fn read(text: &str) -> Result<Vec<Destination>, Vec<String>> {
        let text = format!("to = \"127.0.0.1:1\"\n{text}");
        Config::read("g.toml", &text).map(|config| config.destinations)
    }

    #[test]
    fn a_stream_goes_to_several_places_each_in_its_own_way() {
        let read = read(
            "[[destination]]\nname = \"studio\"\nto = \"studio.example:9000\"\nstream_id = \"{box}/{stream}\"\n\
             [[destination]]\nname = \"pull\"\nbox = \"hall-1\"\nlisten = \"0.0.0.0:9001\"\nlatency = \"2s\"\n\
             queue_kib = 64\n[[destination]]\nname = \"slides\"\nstream = \"slides\"\nto = \"127.0.0.1:9002\"\n",
        )
        .unwrap();

        let takes =
            |name, stream| read.iter().filter(|d| d.takes(name, stream)).map(|d| d.name.as_str()).collect::<Vec<_>>();
        assert_eq!(takes("hall-1", "main"), ["studio", "pull"]);
        assert_eq!(takes("hall-2", "main"), ["studio"]);
        assert_eq!(takes("hall-2", "slides"), ["slides"]);
        assert_eq!(read[0].stream_id("hall-2", "main"), "hall-2/main");
        assert_eq!((read[1].queue, read[1].latency), (65_536, Duration::from_secs(2)));
    }

    #[test]
    fn what_cannot_work_is_told_with_its_line() {
        let faults = read(
            "[[destination]]\nname = \"a\"\nto = \"nowhere\"\n[[destination]]\nname = \"a\"\nlisten = \"0.0.0.0:1\"\n\
             [[destination]]\nname = \"b\"\n[[destination]]\nname = \"c\"\nbox = \"x\"\nlisten = \"0.0.0.0:1\"\n",
        )
        .unwrap_err();

        let told = |start: &str| faults.iter().any(|f| f.starts_with(start));
        assert!(told("g.toml:4: destination[0].to: \"nowhere\" is not HOST:PORT"), "{faults:#?}");
        assert!(told("g.toml:6: destination[1].name: \"a\" is given twice"), "{faults:#?}");
        assert!(told("g.toml:7: destination[1].listen: one port serves one box"), "{faults:#?}");
        assert!(told("g.toml:9: destination[2].to: is missing"), "{faults:#?}");
        assert!(faults.iter().any(|f| f.contains("destination[3].listen: 0.0.0.0:1 is listened on")), "{faults:#?}");
    }
}
