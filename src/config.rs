//! Config: one section a room, checked as a whole.
//!
//! In goes the text of a settings file; out comes a [`Config`], or every fault of it at once.
//! Secrets are read as references only: [`Config::secrets`] says where each one is kept, and
//! `io/config.rs` fetches it.

use std::path::PathBuf;

use crate::board::Board;
use crate::bond;
use crate::bond::native::PublicKey;
use crate::control::{Effect, Settings, effect};
use crate::event;
use crate::lang::Lang;
use crate::media::{self, SourceId};
use crate::mqtt;
use crate::record;
use crate::table::{Document, Fault, Keeper, SecretRef, Section};

/// Where a box keeps its settings, if the command line names no other place.
pub const DEFAULT_FILE: &str = "/etc/livebox/livebox.toml";

/// Where a box keeps its board profile, if the command line names no other place.
pub const DEFAULT_BOARD: &str = "/etc/livebox/board";

/// TS, SRT and UDP headers on top of picture and sound, as a factor, for the check of the ceiling.
const WIRE_FACTOR: f64 = 1.08;

/// Whom the native dialect speaks with, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Where the box's private key is kept.
    pub key_file: SecretRef,
    /// The gateway's public key.
    pub peer: PublicKey,
}

/// Everything that an operator may set.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Name of the box, as faces and topics show it.
    pub device: String,
    /// The language of the panel.
    pub lang: Lang,
    /// Where state, memory-display pictures and the like are kept.
    pub state_dir: PathBuf,
    /// The local socket of `livebox status` and `livebox send`.
    pub socket: PathBuf,
    /// The console's address as the panel shows it, with gaps; empty if there is none.
    pub console: String,
    /// The programme.
    pub media: media::Config,
    /// The bonding engine.
    pub bond: bond::Config,
    /// The gateway of ours that the native dialect speaks with.
    pub trust: Option<Trust>,
    /// The recording.
    pub record: record::Config,
    /// The event and its agenda.
    pub event: event::Config,
    /// The broker; none if none is named.
    pub mqtt: Option<mqtt::Config>,
    /// Where the SRT passphrase is kept, if there is one.
    pub passphrase: Option<SecretRef>,
    /// Where the broker's password and the certificates are kept: each must be there at the start.
    pub mqtt_files: Vec<SecretRef>,
}

impl Config {
    /// Reads a settings file; `file` is its name in faults. Secrets are not fetched yet.
    ///
    /// # Errors
    /// Every fault of the file at once, in the order of its lines.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let document = Document::parse(file, text);
        let config = Self::read_root(&mut document.root());
        let faults = document.faults();
        if faults.is_empty() { Ok(config) } else { Err(faults) }
    }

    /// Takes every key of the settings file from its outermost section; faults stay in the document.
    pub fn read_root(root: &mut Section<'_>) -> Self {
        let line = root.line_of("name");
        let device = root.text("name").unwrap_or_else(|| "livebox".to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if device.is_empty() || device.len() > 32 || !device.chars().all(plain) {
            root.fault(line, "name", format!("\"{device}\" is not a name; use a-z, 0-9 and -, 1 to 32 of them"));
        }
        let lang = root.choice("language", &[("zh", Lang::Zh), ("en", Lang::En)], Lang::default());
        let state_dir = folder(root, "state_dir", "/var/lib/livebox");
        let socket = folder(root, "socket", "/run/livebox/livebox.sock");

        let line = root.line_of("console");
        let console = root.text("console").unwrap_or_default();
        if console.len() > 200 || !console.chars().all(|c| c.is_ascii_graphic()) {
            root.fault(line, "console", "is not an address; write \"http://{address}:8080/\", at most 200 characters");
        }

        let mut media_section = root.section("media");
        let latency_line = media_section.line_of("srt_latency");
        let (mut media, passphrase) = media::Config::read(&mut media_section);
        media.slates = media::slates::Slates::read(&mut root.section("slates"));
        media.sound = media::line::Settings::read(&mut root.section("sound"));
        media.roads = media::Roads::read(root, media.rate);
        media.store = state_dir.join("held");
        let mut bond_section = root.section("bond");
        let bond_line = bond_section.line_of("latency");
        let ceiling_line = bond_section.line_of("ceiling");
        let bond = bond::Config::read(&mut bond_section);
        let trust = trust(&mut bond_section);
        let native = bond.dialect == bond::Dialect::Native;
        if native && trust.is_none() {
            let what = "needs bond.key_file and bond.peer; livebox keys new FILE makes a key, and livebox keys show \
                        FILE on the gateway prints its public one";
            bond_section.fault(0, "dialect", what);
        }

        let bonded = media.roads.dual.as_ref().is_some_and(|dual| dual.road.is_none());
        if bonded && !native {
            let what = "scheme = \"bond\" carries the dual image to a gateway of ours only; write scheme = \"srt\" and to, or bond.dialect = \"native\"";
            root.fault(0, "dual", what);
        }
        let least = bond.latency + bond::BEYOND;
        // without libsrt on the way nobody waits for it
        if !native && media.srt_latency < least {
            let what = format!(
                "srt_latency = {:?} is too short for bond.latency = {:?}; write srt_latency = \"{}ms\" or more, \
                 or a shorter bond.latency",
                media.srt_latency,
                bond.latency,
                least.as_millis()
            );
            // the line that somebody wrote is the one to look at; the other is a default
            if latency_line > 0 {
                media_section.fault(latency_line, "srt_latency", what);
            } else {
                bond_section.fault(bond_line, "latency", what);
            }
        }
        let most =
            crate::units::Bitrate::bps(media.bitrate.1.as_bps() + media.audio_bitrate.as_bps()).scaled(WIRE_FACTOR);
        if bond.ceiling < most {
            bond_section.fault(
                ceiling_line,
                "ceiling",
                format!(
                    "{} is less than the programme at its most; write ceiling = \"{}kbps\" or more, or a smaller media.bitrate_max",
                    bond.ceiling,
                    most.as_kbps() + 1
                ),
            );
        }

        let record = record::Config::read(&mut root.section("record"));
        let event = event::Config::read(&mut root.section("event"));
        let mut mqtt_section = root.section("mqtt");
        let lines = ["password_file", "ca_file", "cert_file", "key_file"].map(|key| (key, mqtt_section.line_of(key)));
        let mqtt = mqtt::Config::read(&mut mqtt_section);
        let mqtt_files = mqtt.iter().flat_map(|mqtt| mqtt_files(mqtt, &lines)).collect();
        Self {
            device,
            lang,
            state_dir,
            socket,
            console,
            media,
            bond,
            trust,
            record,
            event,
            mqtt,
            passphrase,
            mqtt_files,
        }
    }

    /// Every secret that has to be there before this config can be used.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let key = self.trust.iter().map(|trust| &trust.key_file);
        self.passphrase.iter().chain(&self.mqtt_files).chain(self.media.roads.secrets()).chain(key)
    }

    /// What control needs to know, of this config and the board.
    #[must_use]
    pub fn for_control(&self, board: &Board) -> Settings {
        let there = |source: &SourceId| match source {
            SourceId::Camera => board.camera.is_some(),
            SourceId::Slides => board.slides.is_some(),
            SourceId::MixerA => board.mixer_a.is_some(),
            SourceId::MixerB => board.mixer_b.is_some(),
            SourceId::Camera2 => board.camera2.is_some(),
            SourceId::Embedded => board.embedded.is_some(),
        };
        Settings {
            device: self.device.clone(),
            sources: SourceId::ALL.into_iter().filter(there).collect(),
            uplinks: board.uplinks.iter().map(|u| (u.slot.clone(), u.metered)).collect(),
            echo: self.bond.dialect.echoes(),
            broker: self.mqtt.is_some(),
            media: self.media.clone(),
            record: self.record.clone(),
            event: self.event.clone(),
        }
    }

    /// Every key whose value differs between the two, and what it takes to follow the change.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<(&'static str, Effect)> {
        let (a, b) = (&self.media, &new.media);
        let roads = (a.roads.unplaced(), b.roads.unplaced());
        let key_file = |config: &Self| config.trust.as_ref().map(|trust| trust.key_file.keeper.clone());
        let peer = |config: &Self| config.trust.as_ref().map(|trust| trust.peer);
        let secret = self.passphrase.as_ref().map(|s| &s.keeper) != new.passphrase.as_ref().map(|s| &s.keeper);
        [
            ("name", self.device != new.device),
            ("language", self.lang != new.lang),
            ("state_dir", self.state_dir != new.state_dir),
            ("socket", self.socket != new.socket),
            ("console", self.console != new.console),
            ("media.size", a.size != b.size),
            ("media.rate", a.rate != b.rate),
            ("media.gop", a.gop != b.gop),
            ("media.bitrate_min", a.bitrate.0 != b.bitrate.0),
            ("media.bitrate_max", a.bitrate.1 != b.bitrate.1),
            ("media.audio_bitrate", a.audio_bitrate != b.audio_bitrate),
            ("media.reserve", a.reserve != b.reserve),
            ("media.srt_latency", a.srt_latency != b.srt_latency),
            ("media.stream_id", a.stream_id != b.stream_id),
            ("media.passphrase_file", secret || a.passphrase != b.passphrase),
            ("media.destination", a.destination != b.destination),
            ("media.prove", a.prove != b.prove),
            ("media.fallback", a.fallback != b.fallback),
            ("bond.dialect", self.bond.dialect != new.bond.dialect),
            ("bond.key_file", key_file(self) != key_file(new)),
            ("bond.peer", peer(self) != peer(new)),
            ("bond.latency", self.bond.latency != new.bond.latency),
            ("record.folder", self.record.folder != new.record.folder),
            ("record.when", self.record.when != new.record.when),
            ("record.span", self.record.span != new.record.span),
            ("record.keep_free", self.record.keep_free != new.record.keep_free),
            ("record.stop_free", self.record.stop_free != new.record.stop_free),
            ("record.protect_uncopied", self.record.protect_uncopied != new.record.protect_uncopied),
            ("event.name", self.event.name != new.event.name),
            ("event.hall", self.event.hall != new.event.hall),
            ("event.agenda", self.event.agenda != new.event.agenda),
            ("event.zone", self.event.zone != new.event.zone),
            ("event.split", self.event.split != new.event.split),
            ("slates", a.slates != b.slates),
            ("sound", a.sound != b.sound),
            ("backup", roads.0.backup != roads.1.backup),
            ("programme", roads.0.programme != roads.1.programme),
            ("dual", roads.0.dual != roads.1.dual),
            ("event.tier", self.event.tier != new.event.tier),
            ("mqtt", self.mqtt != new.mqtt),
            ("bond.ceiling", self.bond.ceiling != new.bond.ceiling),
        ]
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(key, _)| (key, effect(key).unwrap_or(Effect::Process)))
        .collect()
    }

    /// This config, as far as a running process can take it up: what is read only at the start
    /// stays as it was in `old`.
    #[must_use]
    pub fn keeping(mut self, old: &Self) -> Self {
        self.device.clone_from(&old.device);
        self.lang = old.lang;
        self.state_dir.clone_from(&old.state_dir);
        self.socket.clone_from(&old.socket);
        self.bond.dialect = old.bond.dialect;
        self.media.roads.dual.clone_from(&old.media.roads.dual);
        self
    }
}

/// Both keys of `[bond]` about who trusts whom, or none.
fn trust(section: &mut Section<'_>) -> Option<Trust> {
    let line = section.line_of("peer");
    let key_file = section.secret("key_file");
    let peer = section.text("peer").filter(|text| !text.is_empty());
    let peer = peer.and_then(|text| match text.parse() {
        Ok(peer) => Some(peer),
        Err(why) => {
            section.fault(line, "peer", format!("{why}; livebox keys show FILE on the gateway prints it"));
            None
        }
    });
    Some(Trust { key_file: key_file?, peer: peer? })
}

fn folder(root: &mut Section<'_>, key: &'static str, default: &str) -> PathBuf {
    let line = root.line_of(key);
    let text = root.text(key).unwrap_or_else(|| default.to_owned());
    if text.is_empty() {
        root.fault(line, key, format!("is empty; write {key} = \"{default}\""));
    }
    PathBuf::from(text)
}

/// The files of the room `mqtt`, whose relative names are systemd credentials.
fn mqtt_files(mqtt: &mqtt::Config, lines: &[(&str, usize)]) -> Vec<SecretRef> {
    let tls = mqtt.tls.as_ref();
    let client = tls.and_then(|tls| tls.client.as_ref());
    let named = [
        ("password_file", mqtt.login.as_ref().map(|login| &login.password_file)),
        ("ca_file", tls.map(|tls| &tls.ca_file)),
        ("cert_file", client.map(|(cert, _)| cert)),
        ("key_file", client.map(|(_, key)| key)),
    ];
    let refer = |(key, path): (&str, &PathBuf)| SecretRef {
        key: format!("mqtt.{key}"),
        line: lines.iter().find(|(name, _)| *name == key).map_or(0, |(_, line)| *line),
        keeper: if path.is_absolute() {
            Keeper::File(path.clone())
        } else {
            Keeper::Credential(path.display().to_string())
        },
    };
    named.into_iter().filter_map(|(key, path)| path.map(|path| refer((key, path)))).collect()
}
