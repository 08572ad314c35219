//! Unit files, recipe and binary speak of the same names, paths and version.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use livebox::config::{Config, DEFAULT_BOARD, DEFAULT_FILE};

const BINARY: &str = env!("CARGO_BIN_EXE_livebox");
const NAME: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn units_start_the_binary_by_its_name_with_options_it_knows() {
    for unit in ["systemd/livebox.service", "systemd/livebox-gateway.service", "systemd/livebox-panel.service"] {
        let start = value(&read(unit), "ExecStart").unwrap();
        let mut words = start.split_whitespace();
        let binary = words.next().unwrap();
        let verb = words.next().unwrap();

        assert_eq!(binary, format!("/usr/bin/{NAME}"), "{unit}");
        assert_eq!(Path::new(BINARY).file_name(), Path::new(binary).file_name(), "{unit}");
        // built without GStreamer the binary has no `run`; then there is nothing to compare with
        if verb == "run" && !cfg!(feature = "gstreamer") {
            continue;
        }
        let help = Command::new(BINARY).args([verb, "--help"]).output().unwrap();
        assert!(help.status.success(), "{unit}: `{NAME} {verb}` is not a subcommand");
        let help = String::from_utf8(help.stdout).unwrap();
        for option in words.filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{unit}: `{NAME} {verb}` knows no {option}");
        }
    }
}

#[test]
fn the_unit_gives_the_box_the_paths_it_looks_for() {
    let unit = read("systemd/livebox.service");
    let config = Config::read("defaults", "").expect("every key has a default");

    let start = value(&unit, "ExecStart").unwrap();
    assert!(start.contains(&format!("--config {DEFAULT_FILE}")), "{start}");
    assert!(start.contains(&format!("--board {DEFAULT_BOARD}")), "{start}");
    let state = value(&unit, "StateDirectory").unwrap();
    assert_eq!(config.state_dir, Path::new("/var/lib").join(state));
    let runtime = value(&unit, "RuntimeDirectory").unwrap();
    assert_eq!(config.socket.parent().unwrap(), Path::new("/run").join(runtime));
}

#[test]
fn the_unit_runs_as_the_user_that_image_and_recipe_make() {
    let user = value(&read("systemd/livebox.service"), "User").unwrap();

    let sysusers = read("systemd/livebox.sysusers");
    assert!(sysusers.lines().any(|line| line.starts_with(&format!("u {user} "))), "{sysusers}");
    let recipe = recipe();
    let useradd = recipe.lines().find(|line| line.starts_with("USERADD_PARAM")).unwrap();
    assert!(useradd.trim_end_matches('"').ends_with(&format!(" {user}")), "{useradd}");
}

#[test]
fn the_rules_give_the_fronts_devices_to_groups_that_image_and_recipe_put_the_user_in() {
    let rules = read("systemd/livebox.rules");
    let groups: BTreeSet<_> =
        rules.split("GROUP=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    assert!(groups.len() >= 4, "{groups:?}");

    let (sysusers, recipe) = (read("systemd/livebox.sysusers"), recipe());
    let useradd = recipe.lines().find(|line| line.starts_with("USERADD_PARAM")).unwrap();
    let given: Vec<_> = useradd.split("--groups ").nth(1).unwrap().split(' ').next().unwrap().split(',').collect();
    for group in &groups {
        assert!(sysusers.contains(&format!("m livebox {group}\n")), "{group}");
        assert!(given.contains(&group.as_str()), "{group} is not in {useradd}");
    }
    assert!(rules.contains("/bin/chgrp livebox /sys%p/brightness"));
    for unit in ["systemd/livebox.service", "systemd/livebox-panel.service"] {
        let unit = read(unit);
        assert_eq!(value(&unit, "User").as_deref(), Some("livebox"));
        for device in ["char-i2c", "char-spi", "char-gpiochip"] {
            assert!(unit.contains(&format!("DeviceAllow={device} rw")), "{device}");
        }
    }
}

#[test]
fn a_box_that_ends_is_started_again_without_limit() {
    let unit = read("systemd/livebox.service");

    assert_eq!(value(&unit, "Restart").as_deref(), Some("always"));
    assert_eq!(value(&unit, "StartLimitIntervalSec").as_deref(), Some("0"));
    assert_eq!(value(&unit, "Type").as_deref(), Some("notify"));
    assert!(value(&unit, "WatchdogSec").is_some());
}

#[test]
fn the_recipe_is_of_this_version_and_installs_what_stands_in_the_tree() {
    let recipe = recipe();

    let mut missing = Vec::new();
    for path in recipe.split("${S}/").skip(1).map(|rest| rest.split_whitespace().next().unwrap_or_default()) {
        // the board is a folder that the image chooses
        let path = path.replace("${LIVEBOX_BOARD}", "devkit").replace("/*", "");
        if !root().join(&path).exists() {
            missing.push(path);
        }
    }
    assert!(missing.is_empty(), "the recipe installs what is not there: {missing:?}");
}

#[test]
fn the_recipe_fetches_exactly_the_crates_of_the_lock_file() {
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    let locked: BTreeSet<(String, String, String)> = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|package| {
            let text = |key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            Some((text("name")?, text("version")?, text("checksum")?))
        })
        .collect();

    let list = read("yocto-layer/recipes-livebox/livebox/livebox-crates.inc");
    let mut fetched = BTreeSet::new();
    for line in list.lines() {
        let Some(place) = line.trim().strip_prefix("crate://crates.io/") else { continue };
        let (name, version) = place.trim_end_matches(" \\").split_once('/').unwrap();
        let sum = list
            .lines()
            .find_map(|line| line.strip_prefix(&format!("SRC_URI[{name}-{version}.sha256sum] = ")))
            .unwrap_or_default();
        fetched.insert((name.to_owned(), version.to_owned(), sum.trim_matches('"').to_owned()));
    }

    let differing: Vec<_> = locked.symmetric_difference(&fetched).collect();
    assert!(differing.is_empty(), "run scripts/yocto-crates.sh; they differ in {differing:?}");
}

#[test]
fn the_recipe_knows_the_licence_texts_by_their_sums() {
    let recipe = recipe();

    for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let told = Command::new("md5sum").arg(root().join(file)).output().unwrap();
        let sum = String::from_utf8(told.stdout).unwrap().split_whitespace().next().unwrap().to_owned();
        assert!(recipe.contains(&format!("file://{file};md5={sum}")), "{file} has the sum {sum}");
    }
}

/// The recipe of this package's version; that it is there is a promise by itself.
fn recipe() -> String {
    read(&format!("yocto-layer/recipes-livebox/{NAME}/{NAME}_{VERSION}.bb"))
}

/// The value of a key in a unit file.
fn value(unit: &str, key: &str) -> Option<String> {
    unit.lines().find_map(|line| line.strip_prefix(&format!("{key}="))).map(str::to_owned)
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
