//! Settings and boards: every file that ships loads, and a wrong one tells every fault at once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use livebox::board::Board;
use livebox::config::Config;
use livebox::control::{EFFECTS, effect};
use livebox::table::Document;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn reference() -> String {
    fs::read_to_string(root().join("config/livebox.toml")).unwrap()
}

/// The reference with its optional keys, which stand there as `# key = value`, taken in.
fn with_optional_keys(text: &str) -> String {
    let optional = |line: &str| {
        let key = line.strip_prefix("# ")?;
        let (name, _) = key.split_once(" = ")?;
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| key.to_owned())
    };
    text.lines().map(|line| optional(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

fn files(folder: &str, name: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if name(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_settings_file_that_ships_loads() {
    let ours = |path: &Path| path.extension().is_some_and(|e| e == "toml") && !path.ends_with("gateway.toml");
    let files = files("config", ours);
    assert!(files.len() >= 3, "{files:?}");

    for file in files {
        let read = Config::read(&file.display().to_string(), &fs::read_to_string(&file).unwrap());

        assert!(read.is_ok(), "{read:?}");
    }
}

#[test]
fn every_board_that_ships_loads() {
    let boards = files("board", |path| path.ends_with("profile.toml"));
    assert!(boards.len() >= 3, "{boards:?}");

    for file in boards {
        let read = Board::read(&file.display().to_string(), &fs::read_to_string(&file).unwrap());

        assert!(read.is_ok(), "{read:?}");
    }
}

#[test]
fn the_reference_explains_every_key_the_box_knows_and_no_other() {
    let text = with_optional_keys(&reference());
    let document = Document::parse("livebox.toml", &text);
    Config::read_root(&mut document.root());

    assert!(document.faults().is_empty(), "{:?}", document.faults());
    let known: BTreeSet<_> = document.asked().into_iter().collect();
    let written: BTreeSet<_> = document.written().into_iter().collect();
    assert_eq!(known.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "not in the reference");
    assert_eq!(written.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "not known to the box");
    let unexplained: Vec<_> = reference()
        .lines()
        .zip(reference().lines().skip(1))
        .filter(|(above, line)| line.contains(" = ") && !line.starts_with('#') && !above.starts_with('#'))
        .map(|(_, line)| line.to_owned())
        .filter(|line| !line.starts_with("bitrate_max"))
        .collect();
    assert!(unexplained.is_empty(), "no reason above: {unexplained:?}");
}

#[test]
fn the_gateways_reference_loads_with_its_optional_section_taken_in() {
    let text = fs::read_to_string(root().join("config/gateway.toml")).unwrap();
    let taken = |line: &str| match line.strip_prefix("# ") {
        // called or calling, not both
        Some(key) if key.starts_with("listen = ") => line.to_owned(),
        Some(key) if key == "[[destination]]" => key.to_owned(),
        Some(key) if key.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')) => key.to_owned(),
        _ => line.to_owned(),
    };
    let text: String = text.lines().map(|line| taken(line) + "\n").collect();

    let document = Document::parse("gateway.toml", &text);
    let config = livebox::gateway::Config::read_root(&mut document.root());

    assert_eq!(document.faults(), []);
    assert_eq!(config.destinations.len(), 1);
    let wanted: BTreeSet<_> = document.asked().into_iter().filter(|key| key != "destination[0].listen").collect();
    let written: BTreeSet<_> = document.written().into_iter().collect();
    let unexplained: Vec<_> = wanted
        .iter()
        .filter(|key| !written.contains(*key) && !text.contains(&format!("{} = ", key.rsplit('.').next().unwrap())))
        .collect();
    assert!(unexplained.is_empty(), "not in the reference: {unexplained:?}");
}

#[test]
fn the_reference_holds_the_defaults() {
    let written = Config::read("livebox.toml", &reference()).unwrap();
    let defaults = Config::read("livebox.toml", "").unwrap();

    assert_eq!(written.changes(&defaults), []);
    assert_eq!(written.lang, defaults.lang);
}

#[test]
fn for_every_key_it_is_written_what_a_change_takes() {
    let document = Document::parse("livebox.toml", &reference());
    Config::read_root(&mut document.root());

    let sections = ["media", "bond", "record", "event"];
    let keys: Vec<_> = document.asked().into_iter().filter(|key| !sections.contains(&key.as_str())).collect();
    let unlisted: Vec<_> = keys.iter().filter(|key| effect(key).is_none()).collect();
    let unknown: Vec<_> = EFFECTS.iter().filter(|(key, _)| !keys.iter().any(|k| k == key)).collect();
    assert!(unlisted.is_empty() && unknown.is_empty(), "{unlisted:?} {unknown:?}");
}

#[test]
fn a_wrong_settings_file_tells_every_fault_at_once_with_its_line_and_the_mend() {
    let text = "name = \"Hall 1\"\n\
                [media]\n\
                bitrate_min = \"6Mbps\"\n\
                bitrate_max = \"2Mbps\"\n\
                srt_latency = \"1s\"\n\
                passphrase_file = \"hunter2hunter2\"\n\
                destination = \"studio.example\"\n\
                [bond]\n\
                latencyy = \"1s\"\n";

    let faults = Config::read("box.toml", text).unwrap_err();

    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    for (line, key, mend) in [
        (1, "name", "use a-z, 0-9 and -"),
        (4, "media.bitrate_max", "write 6.00 Mbit/s or more"),
        (5, "media.srt_latency", "write srt_latency = \"1250ms\" or more"),
        (6, "media.passphrase_file", "credential:NAME"),
        (7, "media.destination", "HOST:PORT with a name or an IPv4 address"),
        (9, "bond.latencyy", "there is dialect, latency, ceiling"),
    ] {
        let found = faults.iter().any(|f| f.line == line && f.key == key && f.what.contains(mend));
        assert!(found, "box.toml:{line}: {key} … {mend} is not among {told:#?}");
    }
    assert!(!told.iter().any(|line| line.contains("hunter2")), "the secret is shown: {told:#?}");
}

#[test]
fn check_reads_the_boxs_key_says_what_is_wrong_with_it_and_never_shows_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let livebox = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_livebox")).args(args).current_dir(root()).output().unwrap();
        let said = [out.stdout, out.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
        (out.status.code(), said)
    };
    let (file, settings) = (path("box.key"), path("box.toml"));
    let (key, settings_file) = (file.display().to_string(), settings.display().to_string());
    let (made, public) = livebox(&["keys", "new", &key]);
    assert_eq!(made, Some(0), "{public}");
    let private = fs::read_to_string(&file).unwrap();
    let text = format!("[bond]\nkey_file = {key:?}\npeer = \"{}\"\n", public.trim());
    fs::write(&settings, text).unwrap();
    let put = |text: &str, mode: u32| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    let check = || livebox(&["check", &settings_file]);
    let half = &private.trim()[..62];

    let good = check();
    put(&private, 0o644);
    let open_to_all = check();
    put(half, 0o600);
    let short = check();
    put(&format!("{half}zz\n"), 0o600);
    let garbage = check();
    fs::remove_file(&file).unwrap();
    let missing = check();

    assert_eq!(good.0, Some(0), "{}", good.1);
    assert!(good.1.contains(": good: "), "{}", good.1);
    let faults = [
        (&open_to_all, "chmod 600"),
        (&short, "holds no key; `livebox keys new FILE` makes one"),
        (&garbage, "holds no key; `livebox keys new FILE` makes one"),
        (&missing, "cannot be read; `livebox keys new"),
    ];
    for ((code, said), mend) in faults {
        assert_eq!(*code, Some(1), "{said}");
        let line = said.lines().find(|line| line.contains("box.toml:2: bond.key_file: "));
        assert!(line.is_some_and(|line| line.contains(&key) && line.contains(mend)), "{mend} is not in {said}");
    }
    for said in [&good.1, &open_to_all.1, &short.1, &garbage.1, &missing.1] {
        assert!(!said.contains(half), "the key is shown: {said}");
    }
}

#[test]
fn check_exits_with_one_and_tells_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("box.toml");
    fs::write(&wrong, "nmae = \"x\"\n[bond]\nlatency = 3\n").unwrap();

    let check = |args: &[&str]| {
        let out =
            Command::new(env!("CARGO_BIN_EXE_livebox")).arg("check").args(args).current_dir(root()).output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    let (bad, told) = check(&[wrong.to_str().unwrap(), "--board", "/nowhere/board"]);
    let (good, _) = check(&["config/livebox.toml", "config/gateway.toml", "--board", "board/sim"]);
    let (usage, _) = check(&["--bord", "board/sim"]);

    assert_eq!((bad, good, usage), (Some(1), Some(0), Some(2)), "{told}");
    assert!(
        told.contains("box.toml:1: nmae: is not a key here") && told.contains("box.toml:3: bond.latency"),
        "{told}"
    );
    assert!(told.contains("/nowhere/board"), "{told}");
}
