//! Asks or commands a running box over its local socket.
#![allow(clippy::print_stdout, reason = "what was asked for goes to standard output")]

use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::io::console::Request;
use crate::lang::Lang;
use crate::media::line::{Delay, Gain};
use crate::media::{Hold, Layout, Line, OutputId, Slate, SourceId};
use crate::message::{Ask, Tally};

/// Where a box that systemd started listens.
const SOCKET: &str = "/run/livebox/livebox.sock";

/// The box is not reachable.
const NOT_REACHABLE: u8 = 3;

/// A healthy box answers within milliseconds; one under full load within a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the box is reached.
#[derive(Debug, clap::Args)]
struct Reach {
    /// The box's socket.
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
    /// Language of what is printed: zh or en [default: as LANG says].
    #[arg(long, value_parser = lang, global = true)]
    lang: Option<Lang>,
}

/// What a running box says.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    reach: Reach,
    /// As JSON, one object a line.
    #[arg(long)]
    json: bool,
    /// Again with each change, until interrupted.
    #[arg(long)]
    watch: bool,
}

/// What a face could say, from a shell.
#[derive(Debug, clap::Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum What {
    /// Go on air.
    Start,
    /// Leave the air.
    Stop,
    /// Share the picture so: camera, camera2, slides, picture_in_picture, side_by_side or three_split.
    Layout {
        /// The layout wanted.
        name: Layout,
    },
    /// Put this line on air: a or b of the mixer, or what comes embedded in HDMI or SDI: embedded.
    Audio {
        /// The line wanted.
        line: Line,
    },
    /// Cut to the slate, or back: on or off.
    Slate {
        /// on or off.
        #[arg(value_parser = on_or_off, action = clap::ArgAction::Set)]
        wanted: bool,
    },
    /// Cut to this slate: hold, warmup, technical or end; `slate off` goes back.
    Show {
        /// Which.
        slate: Slate,
    },
    /// Every alarm that stands has been seen.
    Acknowledge,
    /// What the studio's switcher makes of the programme: off, preview or program.
    Tally {
        /// How it stands there.
        tally: Tally,
    },
    /// The next speaker begins: a new segment of the recording.
    NextSpeaker,
    /// The latest step to another speaker was a mistake (within 10 s).
    UndoSpeaker,
    /// Set the gain of a mixer line in the programme, -20 to 20 dB; the mixer is not touched.
    Gain {
        /// Which line: a, b or embedded.
        line: Line,
        /// Decibels.
        #[arg(value_parser = decibels, allow_negative_numbers = true)]
        db: Gain,
    },
    /// Cut the programme's sound off, or let it back: on or off.
    Mute {
        /// on or off.
        #[arg(value_parser = on_or_off, action = clap::ArgAction::Set)]
        wanted: bool,
    },
    /// Leave a mixer line at fault by itself, or do not: on or off.
    Auto {
        /// on or off.
        #[arg(value_parser = on_or_off, action = clap::ArgAction::Set)]
        wanted: bool,
    },
    /// Let an input come later, or earlier, -500 to 2000 ms.
    Delay {
        /// camera, camera2 (they share one), slides, mixer_a, mixer_b or embedded.
        #[arg(value_parser = source)]
        source: SourceId,
        /// Milliseconds.
        #[arg(value_parser = millis, allow_negative_numbers = true)]
        ms: Delay,
    },
    /// Begin or end the lip-sync test, for which the slides laptop plays the flash clip: on or off.
    Lipsync {
        /// on or off.
        #[arg(value_parser = on_or_off, action = clap::ArgAction::Set)]
        wanted: bool,
    },
    /// Feed the programme destination from main or backup.
    Activate {
        /// main or backup.
        output: OutputId,
    },
    /// Hold an output back, 0 to 60 s: the slate fills what is added.
    Hold {
        /// main, backup or programme.
        output: OutputId,
        /// Seconds.
        #[arg(value_parser = seconds)]
        seconds: Hold,
    },
    /// Throw away what is held back and show the slate at once, or let the programme back: on or off.
    Dump {
        /// main, backup or programme.
        output: OutputId,
        /// on or off.
        #[arg(value_parser = on_or_off, action = clap::ArgAction::Set)]
        wanted: bool,
    },
    /// Record, or do not: on or off.
    Record {
        /// on or off.
        #[arg(value_parser = on_or_off, action = clap::ArgAction::Set)]
        wanted: bool,
    },
}

/// Prints what a running box says.
pub(crate) fn status(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let Some(mut door) = Door::open(&args.reach) else { return Ok(NOT_REACHABLE.into()) };
    let lang = args.reach.lang();
    door.ask(if args.json {
        Request::Status { watch: args.watch }
    } else {
        Request::Page { lang, watch: args.watch }
    })?;
    let mut out = std::io::stdout().lock();
    loop {
        let reply = door.reply()?;
        if let Some(page) = reply["page"].as_str() {
            // a terminal shows the latest page in place of the one before
            let clear = if args.watch && out.is_terminal() { "\x1b[H\x1b[2J" } else { "" };
            write!(out, "{clear}{page}")?;
        } else if !reply["status"].is_null() {
            writeln!(out, "{}", reply["status"])?;
        } else {
            bail!("the box answered {reply}");
        }
        out.flush()?;
        if !args.watch {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Commands a running box; exit code 1 if it refuses.
pub(crate) fn send(args: SendArgs) -> anyhow::Result<ExitCode> {
    let command = match args.what {
        What::Start => Ask::Start,
        What::Stop => Ask::Stop,
        What::Layout { name } => Ask::Layout { layout: name },
        What::Audio { line } => Ask::Audio { line },
        What::Slate { wanted } => Ask::Slate { on: wanted },
        What::Show { slate } => Ask::Show { slate },
        What::Acknowledge => Ask::Acknowledge,
        What::Tally { tally } => Ask::Tally { tally },
        What::NextSpeaker => Ask::NextSpeaker,
        What::UndoSpeaker => Ask::UndoSpeaker,
        What::Record { wanted } => Ask::Record { on: wanted },
        What::Gain { line, db } => Ask::Gain { line, gain: db },
        What::Mute { wanted } => Ask::Mute { on: wanted },
        What::Auto { wanted } => Ask::Auto { on: wanted },
        What::Delay { source, ms } => Ask::Delay { source, delay: ms },
        What::Lipsync { wanted } => Ask::Lipsync { on: wanted },
        What::Activate { output } => Ask::Activate { output },
        What::Hold { output, seconds } => Ask::Hold { output, seconds },
        What::Dump { output, wanted } => Ask::Dump { output, on: wanted },
    };
    let Some(mut door) = Door::open(&args.reach) else { return Ok(NOT_REACHABLE.into()) };
    door.ask(Request::Send { command })?;
    let reply = door.reply()?;
    let key = if args.reach.lang() == Lang::Zh { "zh" } else { "en" };
    if let Some(text) = reply["accepted"][key].as_str() {
        println!("{text}");
        Ok(ExitCode::SUCCESS)
    } else if let Some(text) = reply["refused"][key].as_str() {
        eprintln!("{text}");
        Ok(ExitCode::FAILURE)
    } else {
        bail!("the box answered {reply}")
    }
}

impl Reach {
    fn socket(&self) -> PathBuf {
        let set = || std::env::var_os("LIVEBOX_SOCKET").map(PathBuf::from);
        self.socket.clone().or_else(set).unwrap_or_else(|| SOCKET.into())
    }

    fn lang(&self) -> Lang {
        let of_shell = || match std::env::var("LC_ALL").or_else(|_| std::env::var("LANG")) {
            Ok(locale) if locale.starts_with("zh") => Lang::Zh,
            _ => Lang::En,
        };
        self.lang.unwrap_or_else(of_shell)
    }
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("there is on and off".to_owned()),
    }
}

fn decibels(text: &str) -> Result<Gain, String> {
    let db = text.parse::<f64>().ok().filter(|db| Gain::RANGE.contains(db));
    db.map(Gain::db).ok_or_else(|| "a gain is -20 to 20 dB".to_owned())
}

fn millis(text: &str) -> Result<Delay, String> {
    let ms = text.parse::<i64>().ok().filter(|ms| Delay::RANGE.contains(ms));
    ms.map(Delay::ms).ok_or_else(|| "a delay is -500 to 2000 ms".to_owned())
}

fn seconds(text: &str) -> Result<Hold, String> {
    text.parse().ok().and_then(Hold::seconds).ok_or_else(|| "a programme delay is 0 to 60 s".to_owned())
}

fn source(text: &str) -> Result<SourceId, String> {
    let names = SourceId::ALL.map(SourceId::name).join(", ");
    SourceId::ALL.into_iter().find(|s| s.name() == text).ok_or_else(|| format!("there is {names}"))
}

fn lang(text: &str) -> Result<Lang, String> {
    match text {
        "zh" => Ok(Lang::Zh),
        "en" => Ok(Lang::En),
        _ => Err("there is zh and en".to_owned()),
    }
}

/// The way to a running box.
struct Door {
    stream: UnixStream,
    replies: BufReader<UnixStream>,
}

impl Door {
    /// `None`, and a sentence on standard error, if no box answers.
    fn open(reach: &Reach) -> Option<Self> {
        let socket = reach.socket();
        let opened = UnixStream::connect(&socket).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            let replies = BufReader::new(stream.try_clone()?);
            Ok(Self { stream, replies })
        });
        opened
            .map_err(|why| {
                eprintln!(
                    "no box listens on {}: {why}; is `livebox run` running, and may you read there?",
                    socket.display()
                );
            })
            .ok()
    }

    fn ask(&mut self, request: Request) -> anyhow::Result<()> {
        let line = serde_json::to_string(&request)? + "\n";
        self.stream.write_all(line.as_bytes()).context("asking the box")
    }

    fn reply(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        if self.replies.read_line(&mut line).context("the box does not answer")? == 0 {
            bail!("the box hung up");
        }
        serde_json::from_str(&line).with_context(|| format!("the box answered {line:?}"))
    }
}
