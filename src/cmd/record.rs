//! `livebox record`: what is recorded, and what becomes of it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::config::DEFAULT_FILE;
use crate::io;
use crate::io::record::folder::Folder;
use crate::record::{Entry, Kept, RECORDINGS};

/// Recordings: list, copy with verification, protect, delete, make an .mp4.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the recordings; without it, the one that the settings name.
    #[arg(long, value_name = "DIR", global = true)]
    folder: Option<PathBuf>,

    /// The settings.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE, global = true)]
    config: PathBuf,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Shows every recording that is there.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Copies to another disk and reads the copy back.
    Copy {
        /// A folder on the other disk.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Numbers of segments; without any, every one that is closed and not yet copied there.
        numbers: Vec<u64>,
    },
    /// Joins segments into one .mp4 without encoding again.
    #[cfg(feature = "gstreamer")]
    Mp4 {
        /// The file to make.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Numbers of segments, in the order wanted.
        #[arg(required = true)]
        numbers: Vec<u64>,
    },
    /// Keeps segments from being deleted for room.
    Protect {
        /// Numbers of segments.
        #[arg(required = true)]
        numbers: Vec<u64>,
        /// Keep them no longer.
        #[arg(long)]
        off: bool,
    },
    /// Deletes segments that are closed and not protected.
    Delete {
        /// Numbers of segments.
        #[arg(required = true)]
        numbers: Vec<u64>,
    },
}

/// Does what is asked: 0 done, 1 not or not wholly.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let folder = match args.folder {
        Some(folder) => folder,
        None => match io::config::load(&args.config) {
            Ok(config) => config.record.folder.unwrap_or_else(|| config.state_dir.join(RECORDINGS)),
            Err(faults) => {
                faults.iter().for_each(|fault| eprintln!("{fault}"));
                bail!("the settings do not say where recordings are; name it with --folder DIR");
            }
        },
    };
    let folder = Folder::new(folder);
    let index = folder.index().with_context(|| format!("reading the index in {}", folder.path().display()))?;
    let named = |numbers: &[u64]| -> anyhow::Result<Vec<Kept>> {
        let find = |number: &u64| {
            let there = index.get(*number).cloned();
            there.with_context(|| format!("there is no segment {number}; livebox record list shows them"))
        };
        numbers.iter().map(find).collect()
    };
    match args.what {
        What::List { json } => {
            for kept in index.segments() {
                print_line(&if json { serde_json::to_string(kept)? } else { line(kept) });
            }
        }
        What::Copy { to, numbers } => {
            let place = to.display().to_string();
            let fresh = |kept: &&Kept| !kept.open && !kept.copies.contains(&place);
            let chosen =
                if numbers.is_empty() { index.segments().filter(fresh).cloned().collect() } else { named(&numbers)? };
            let mut failed = 0;
            for kept in &chosen {
                match io::record::copy::copy(&folder, kept, &to) {
                    Ok(place) => print_line(&format!("{}  verified", place.display())),
                    // one bad segment must not keep the others here
                    Err(error) => {
                        failed += 1;
                        eprintln!("livebox: {error:#}");
                    }
                }
            }
            if failed > 0 {
                eprintln!("livebox: {failed} of {} were not copied", chosen.len());
                return Ok(ExitCode::FAILURE);
            }
        }
        #[cfg(feature = "gstreamer")]
        What::Mp4 { to, numbers } => {
            let chosen = named(&numbers)?;
            if let Some(pair) = chosen.windows(2).find(|pair| pair[0].segment.stream != pair[1].segment.stream) {
                let [a, b] = [&pair[0].segment, &pair[1].segment];
                bail!(
                    "segment {} is of {} and {} of {}; make one film of each stream",
                    a.number,
                    a.stream,
                    b.number,
                    b.stream
                );
            }
            for kept in chosen.iter().filter(|kept| !kept.segment.label.allowed.publish) {
                let number = kept.segment.number;
                eprintln!("livebox: segment {number}: the speaker does not allow it to be published");
            }
            let files: Vec<_> = chosen.iter().map(|kept| folder.path().join(&kept.segment.file)).collect();
            io::record::mp4::make(&files, &to)?;
            print_line(&to.display().to_string());
        }
        What::Protect { numbers, off } => {
            for kept in named(&numbers)? {
                folder.note(&Entry::Protected { number: kept.segment.number, on: !off })?;
            }
        }
        What::Delete { numbers } => {
            for kept in named(&numbers)? {
                let number = kept.segment.number;
                anyhow::ensure!(!kept.open, "segment {number} is still being recorded");
                anyhow::ensure!(
                    !kept.protected,
                    "segment {number} is protected; first: livebox record protect --off {number}"
                );
                folder.remove(&kept.segment)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "this is what was asked for")]
fn print_line(text: &str) {
    println!("{text}");
}

/// Number, minutes, size, flags, name.
fn line(kept: &Kept) -> String {
    let segment = &kept.segment;
    let seconds = segment.pts.map_or(0, |(first, last)| (last - first) / 90_000);
    let allowed = segment.label.allowed;
    let flags = [
        (kept.open, "running"),
        (segment.recovered, "recovered"),
        (kept.protected, "protected"),
        (!kept.copies.is_empty(), "copied"),
        (segment.missing > 0, "incomplete"),
        (!allowed.publish, "not-to-publish"),
    ];
    let flags: Vec<_> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    format!(
        "{:>5}  {:>4}:{:02}  {:>7.1} MB  {}  {}",
        segment.number,
        seconds / 60,
        seconds % 60,
        segment.bytes as f64 / 1e6,
        segment.file,
        flags.join(",")
    )
}
