//! The rules of the house: who may import whom, what the map says, and what no file may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rooms that everyone may use.
const GROUND: &[&str] = &["lang", "rng", "table", "time", "units"];

/// The subjects whose plain data `message` carries to parts and faces.
const SPOKEN: &[&str] = &["alarm", "bond", "event", "health", "media", "record", "uplink"];

/// Room by room: what it may import beside itself and the ground floor.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("bond", &["wire"]),
    ("gateway", &["bond", "wire"]),
    ("sim", &["bond", "wire"]),
    ("flow", &[]),
    ("alarm", &[]),
    ("board", &[]),
    ("event", &[]),
    ("health", &[]),
    ("media", &["board", "wire"]),
    ("record", &["event", "wire"]),
    ("uplink", &[]),
    ("message", &["alarm", "board", "bond", "event", "health", "media", "record", "uplink"]),
    ("control", &["alarm", "bond", "event", "health", "media", "message", "record", "uplink"]),
    ("panel", &["alarm", "bond", "event", "health", "media", "message", "record", "uplink"]),
    ("mqtt", &["alarm", "bond", "event", "health", "media", "message", "record", "uplink"]),
    ("config", &["board", "bond", "control", "event", "media", "mqtt", "record"]),
];

/// Drivers that need more than their namesake, `message`, `board`, the ground floor and the shared
/// drivers; each with its reason.
const IO_ALSO: &[(&str, &[&str])] = &[
    // carries the config to control, and Commands and Status between the tasks
    ("control", &["config"]),
    // plays the simulator's links on real sockets, for `livebox sim --live`
    ("netem", &["sim"]),
    // an output of its own is bound to one uplink
    ("media", &["uplink"]),
    // transport streams that come by UDP are told apart from SRT by their bytes
    ("bond", &["wire"]),
    // a socket is bound to one uplink
    ("udp", &["uplink"]),
];

/// Drivers that other drivers may use.
const IO_SHARED: &[&str] = &["clock", "reel", "seed", "task", "udp"];

/// What touches the world, and so is spoken in `io` and `cmd` only.
const OF_THE_WORLD: &[&str] = &[
    "alsa::",
    "anyhow::",
    "gstreamer::",
    "gstreamer_app::",
    "gstreamer_video::",
    "gst::",
    "libc::",
    "linux_embedded_hal::",
    "nix::",
    "rtnetlink::",
    "rumqttc::",
    "rustls::",
    "sd_notify::",
    "socket2::",
    "std::env::",
    "std::fs::",
    "std::process::",
    "std::thread::",
    "sysinfo::",
    "tokio::",
    "v4l::",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "Instant::now",
    "SystemTime::now",
];

#[test]
fn every_import_goes_the_way_the_house_allows() {
    let mut wrong = Vec::new();

    // a file of tests may look at what leaves with whatever reads it
    for file in sources().iter().filter(|file| !file.path.ends_with("tests.rs")) {
        let place = Place::of(&file.path);
        for path in file.paths() {
            if let Some(why) = place.refuses(&path) {
                wrong.push(format!("{}: {} ({why})", file.path.display(), path.join("::")));
            }
        }
    }

    assert!(wrong.is_empty(), "arrows against the grain:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_in_a_folder_imports_from_its_own_door() {
    let mut wrong = Vec::new();

    for file in sources().iter().filter(|file| {
        !file.path.ends_with("mod.rs") && !file.path.ends_with("tests.rs") && file.path.components().count() > 1
    }) {
        for path in file.paths() {
            let from_door = match path.as_slice() {
                [first, name, ..] if first == "super" => starts_upper(name) || name == "*",
                _ => false,
            };
            if from_door {
                wrong.push(format!("{}: {}", file.path.display(), path.join("::")));
            }
        }
    }

    assert!(wrong.is_empty(), "shared words stand in a named file below mod.rs:\n{}", wrong.join("\n"));
}

#[test]
fn what_thinks_never_names_what_touches_the_world() {
    let mut wrong = Vec::new();

    for file in sources() {
        let place = Place::of(&file.path);
        if matches!(place.room.as_str(), "io" | "cmd" | "main") {
            continue;
        }
        for (number, line) in file.code.lines().enumerate() {
            for word in OF_THE_WORLD.iter().filter(|word| speaks(line, word)) {
                wrong.push(format!("src/{}:{}: {word}", file.path.display(), number + 1));
            }
        }
    }

    assert!(wrong.is_empty(), "these belong into src/io:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_says_first_what_it_is() {
    let silent: Vec<_> = sources()
        .iter()
        .map(|file| file.path.clone())
        .filter(|path| !fs::read_to_string(root().join("src").join(path)).unwrap().starts_with("//! "))
        .collect();

    assert!(silent.is_empty(), "no //! sentence at the top: {silent:?}");
}

#[test]
fn the_map_in_architecture_lists_exactly_the_rooms_of_src() {
    let rooms: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| room_name(&entry.unwrap().file_name().to_string_lossy()))
        .collect();

    let paper = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md holds the map of src/");
    let drawn: BTreeSet<String> = paper
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.split('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter_map(|name| name.strip_prefix("src/"))
        .map(|name| room_name(name.split('/').next().unwrap_or(name)))
        .collect();

    let missing: Vec<_> = rooms.difference(&drawn).collect();
    let gone: Vec<_> = drawn.difference(&rooms).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "ARCHITECTURE.md's table (first column, `src/NAME`): not drawn {missing:?}, drawn but gone {gone:?}"
    );
}

#[test]
fn no_tracked_file_is_over_a_megabyte() {
    let heavy: Vec<_> = tracked()
        .into_iter()
        .filter_map(|path| Some((fs::metadata(root().join(&path)).ok()?.len(), path)))
        .filter(|(size, _)| *size > 1 << 20)
        .collect();

    assert!(heavy.is_empty(), "fetch or generate these instead: {heavy:?}");
}

#[test]
fn no_file_names_the_host_of_a_package_registry() {
    let hosts = [
        "crates.io",
        "deb.debian.org",
        "files.pythonhosted.org",
        "proxy.golang.org",
        "pypi.org",
        "registry.npmjs.org",
        "security.debian.org",
    ];
    // their formats demand it: lock files, the sources that deny.toml allows, BitBake's crate:// addresses; and this list
    let formats = [
        "Cargo.lock",
        "deny.toml",
        "livebox-crates.inc",
        "package-lock.json",
        "deploy.rs",
        "house.rs",
        "yocto-crates.sh",
    ];

    let mut named = Vec::new();
    for path in tracked() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if formats.contains(&name.as_str()) {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for host in hosts.iter().filter(|host| text.contains(**host)) {
            named.push(format!("{}: {host}", path.display()));
        }
    }

    assert!(named.is_empty(), "the machine's own settings say where packages come from:\n{}", named.join("\n"));
}

/// Where a file stands: its room, and in `io` which driver.
struct Place {
    room: String,
    driver: Option<String>,
}

impl Place {
    fn of(path: &Path) -> Self {
        let mut parts = path.components().map(|part| room_name(&part.as_os_str().to_string_lossy()));
        let room = parts.next().unwrap_or_default();
        let driver = (room == "io").then(|| parts.next().unwrap_or_default());
        Self { room, driver }
    }

    /// Why this place may not use that path; absent if it may.
    fn refuses(&self, path: &[String]) -> Option<&'static str> {
        let [first, room, rest @ ..] = path else { return None };
        if first != "crate" {
            return None;
        }
        let room = room.as_str();
        match (self.room.as_str(), room) {
            ("cmd" | "lib" | "main", _) => None,
            (_, "cmd") => Some("only main imports cmd"),
            (_, "sim") if self.room != "sim" && self.driver.as_deref() != Some("netem") => {
                Some("only cmd, tests and the emulator import sim")
            }
            ("io", "io") => {
                let other = rest.first().map_or("", String::as_str);
                let own = self.driver.as_deref() == Some(other);
                let door = self.driver.as_deref() == Some("mod");
                (!own && !door && !IO_SHARED.contains(&other)).then_some("one driver knows no other")
            }
            ("io", _) => {
                let driver = self.driver.as_deref().unwrap_or_default();
                let also = IO_ALSO.iter().find(|(name, _)| *name == driver).map_or(&[][..], |(_, also)| also);
                let known = room == driver
                    || ["message", "board"].contains(&room)
                    || GROUND.contains(&room)
                    || SPOKEN.contains(&room)
                    || also.contains(&room);
                (!known)
                    .then_some("a driver knows its namesake, message, the words message speaks, and the ground floor")
            }
            (_, "io") => Some("what thinks does not touch the world"),
            (own, _) if own == room => None,
            (own, _) if GROUND.contains(&own) => {
                (!GROUND.contains(&room)).then_some("the ground floor knows nothing above it")
            }
            (own, _) => {
                let Some((_, may)) = MAY_IMPORT.iter().find(|(name, _)| *name == own) else {
                    return Some("a room without a row in MAY_IMPORT");
                };
                (!GROUND.contains(&room) && !may.contains(&room)).then_some("not in its row of MAY_IMPORT")
            }
        }
    }
}

/// A source file without comments, strings and test modules.
struct Source {
    /// Below `src/`.
    path: PathBuf,
    code: String,
}

impl Source {
    /// Every path that begins with `crate` or `super`, braces opened.
    fn paths(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for root in ["crate", "super"] {
            for (at, _) in self.code.match_indices(root) {
                let before = self.code[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                expand(self.code[at..].chars().collect::<Vec<_>>().as_slice(), &mut 0, &[], &mut found);
            }
        }
        found.retain(|path| path.len() > 1);
        found
    }
}

/// Reads one use tree at `at`; notes each full path.
fn expand(code: &[char], at: &mut usize, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = prefix.to_vec();
    loop {
        while code.get(*at).is_some_and(|c| c.is_whitespace()) {
            *at += 1;
        }
        match code.get(*at) {
            Some('{') => {
                *at += 1;
                while *at < code.len() && code[*at] != '}' {
                    expand(code, at, &path, found);
                    while code.get(*at).is_some_and(|c| !matches!(c, ',' | '}')) {
                        *at += 1;
                    }
                    if code.get(*at) == Some(&',') {
                        *at += 1;
                    }
                    while code.get(*at).is_some_and(|c| c.is_whitespace()) {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            Some('*') => {
                *at += 1;
                path.push("*".to_owned());
                break;
            }
            _ => {
                let from = *at;
                while code.get(*at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                    *at += 1;
                }
                if from == *at {
                    break;
                }
                path.push(code[from..*at].iter().collect());
            }
        }
        if code.get(*at..*at + 2) == Some(&[':', ':']) {
            *at += 2;
        } else {
            break;
        }
    }
    if path.len() > prefix.len() {
        found.push(path);
    }
}

/// True if `line` speaks `word` as a name of its own.
fn speaks(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn starts_upper(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_uppercase)
}

fn room_name(file: &str) -> String {
    file.trim_end_matches('/').trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, into: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|end| end == "rs") {
                into.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let src = root().join("src");
    let mut files = BTreeMap::new();
    walk(&src, &mut files);
    files
        .into_iter()
        .map(|(path, text)| Source { path: path.strip_prefix(&src).unwrap().to_owned(), code: bare(&text) })
        .collect()
}

/// The code alone: comments, strings and what follows `#[cfg(test)] mod` left out, lines kept.
fn bare(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let mut code = String::new();
    let mut rest = text[..end].chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => {
                while rest.peek().is_some_and(|c| *c != '\n') {
                    rest.next();
                }
            }
            '"' => {
                while let Some(c) = rest.next() {
                    match c {
                        '\\' => {
                            rest.next();
                        }
                        '"' => break,
                        '\n' => code.push('\n'),
                        _ => {}
                    }
                }
                code.push_str("\"\"");
            }
            '\'' => {
                code.push(c);
                // the character '"' opens no string
                if rest.peek() == Some(&'"') {
                    rest.next();
                }
            }
            _ => code.push(c),
        }
    }
    code
}

/// Every file that git tracks.
fn tracked() -> Vec<PathBuf> {
    let list = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git lists the files");
    assert!(list.status.success(), "git ls-files: {}", String::from_utf8_lossy(&list.stderr));
    String::from_utf8(list.stdout).unwrap().split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}
