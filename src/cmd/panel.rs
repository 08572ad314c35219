//! The front panel without a box: a hand played at a status file, or the page of an engine that restarts.
#![allow(clippy::print_stdout, reason = "what was asked for goes to standard output")]

use std::cell::Cell;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use embedded_hal::{digital, i2c, spi};

use crate::board::{OledChip, TftChip};
use crate::config::{DEFAULT_BOARD, DEFAULT_FILE};
use crate::io;
use crate::io::panel::{Characters, Glass, I2cWire, Oled, SpiWire, Tft};
use crate::lang::Lang;
use crate::message::Status;
use crate::panel::{Format, Panel, Play, Script, Setup, Step, misfits, png, sheets};
use crate::time::Instant;

/// Ten minutes of ten a second.
const PICTURES: u32 = 6000;

/// The page's seconds.
const TICK: Duration = Duration::from_secs(1);

/// Plays a hand at the panel, or stands in for it while the box is not there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What a hand does, line by line: status FILE, press KEY, hold KEY TIME, turn CLICKS, tally STATE, wait TIME, picture NAME.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["stand_in", "measure"])]
    script: Option<PathBuf>,
    /// Ten pictures a second from this status file, for ten minutes of the box: what they cost the bus and a core.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["script", "stand_in"])]
    measure: Option<PathBuf>,
    /// Where the pictures go.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// The display: 128x64, 320x240 or 20x4.
    #[arg(long, value_name = "SIZE", default_value = "128x64")]
    display: Format,
    /// Language of the pictures: zh or en.
    #[arg(long, default_value = "zh", value_parser = lang)]
    lang: Lang,
    /// Draw "engine restarting" on the board's display whenever the box is not there, until SIGTERM.
    #[arg(long, conflicts_with = "script")]
    stand_in: bool,
    /// Folder of the board, with its profile.toml.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BOARD)]
    board: PathBuf,
    /// The settings.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

/// 0 when the script is played or the stand-in was ended, 2 if a file is wrong.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match (&args.script, &args.measure) {
        (Some(script), _) => played(&args, script),
        (None, Some(file)) => measured(file),
        (None, None) => stands_in(&args),
    }
}

/// A bus that takes everything in no time, and counts its bytes with the addresses.
#[derive(Debug, Clone, Default)]
struct Nowhere(Rc<Cell<usize>>);

impl Nowhere {
    fn took(&self, bytes: usize) {
        self.0.set(self.0.get() + bytes);
    }
}

impl i2c::ErrorType for Nowhere {
    type Error = Infallible;
}

impl i2c::I2c for Nowhere {
    fn transaction(&mut self, _address: u8, operations: &mut [i2c::Operation<'_>]) -> Result<(), Infallible> {
        for operation in operations {
            if let i2c::Operation::Write(bytes) = operation {
                self.took(1 + bytes.len());
            }
        }
        Ok(())
    }
}

impl spi::ErrorType for Nowhere {
    type Error = Infallible;
}

impl spi::SpiDevice for Nowhere {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), Infallible> {
        for operation in operations {
            if let spi::Operation::Write(bytes) = operation {
                self.took(bytes.len());
            }
        }
        Ok(())
    }
}

impl digital::ErrorType for Nowhere {
    type Error = Infallible;
}

impl digital::OutputPin for Nowhere {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A display on such a bus, and the bus's bits and speed: nine bits a byte on I²C, eight on SPI.
fn counted(format: Format, bus: &Nowhere) -> anyhow::Result<(Box<dyn Glass>, u32, u32)> {
    let (one, other) = (bus.clone(), bus.clone());
    Ok(match format {
        Format::Mono => (Box::new(Oled::open(I2cWire::new(one, 0x3c), OledChip::Ssd1306)?), 9, 400_000),
        Format::Colour => {
            let wire = SpiWire::arguing(one, other);
            (Box::new(Tft::open(wire, TftChip::St7789, false, &mut NoWait)?), 8, 32_000_000)
        }
        Format::Characters => (Box::new(Characters::open(one, 0x27, &mut NoWait)?), 9, 100_000),
    })
}

/// Every tenth of a second a Status with other figures, a page, a picture, and what of it travels.
fn measured(file: &Path) -> anyhow::Result<ExitCode> {
    let mut status = read_status(file)?;
    for format in Format::ALL {
        let bus = Nowhere::default();
        let (mut glass, bits, hertz) = counted(format, &bus)?;
        let setup = Setup { lang: Lang::Zh, console: String::new() };
        let mut panel = Panel::new(status.at, setup, None);
        let begin = status.at;
        let (mut whole, mut all, mut most) = (0, 0, 0);
        let before = spent()?;
        for n in 0..PICTURES {
            let now = begin + Duration::from_millis(100) * n;
            moved(&mut status, now, n);
            panel.handle_status(now, Arc::new(status.clone()));
            bus.0.set(0);
            glass.show(&panel.picture(now, format))?;
            std::hint::black_box(panel.lamps(now));
            match (n, bus.0.get()) {
                (0, bytes) => whole = bytes,
                (_, bytes) => (all, most) = (all + bytes, most.max(bytes)),
            }
        }
        let each = (spent()? - before) / PICTURES;
        let ms = |bytes: usize| bytes as f64 * f64::from(bits) * 1000.0 / f64::from(hertz);
        let mean = all / (PICTURES as usize - 1);
        println!(
            "{}: whole {whole} bytes, {:.1} ms at {} kHz; a change {mean} bytes, {:.1} ms, at most {most} bytes, \
             {:.1} ms; {each:?} a picture, {:.2} % of a core at ten a second",
            format.name(),
            ms(whole),
            hertz / 1000,
            ms(mean),
            ms(most),
            each.as_secs_f64() * 1000.0
        );
        status.at = begin;
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that moves on a screen, a tenth of a second later.
fn moved(status: &mut Status, now: Instant, n: u32) {
    status.at = now;
    let wobble = f64::from(n % 17) / 10.0;
    status.programme.bitrate.measured = Some(4.0 + wobble);
    for (at, input) in status.inputs.iter_mut().enumerate() {
        input.level = input.level.map(|_| -30.0 + wobble * (at as f64));
    }
    for (at, link) in status.links.iter_mut().enumerate() {
        link.rate_mbit = f64::from((n + at as u32) % 23) / 5.0;
    }
}

/// Nothing has to wake.
struct NoWait;

impl embedded_hal::delay::DelayNs for NoWait {
    fn delay_ns(&mut self, _ns: u32) {}
}

/// Processor time of this process.
fn spent() -> anyhow::Result<Duration> {
    let clock = nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID;
    Ok(nix::time::clock_gettime(clock).context("asking for the processor's time")?.into())
}

fn read_status(path: &Path) -> anyhow::Result<Status> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is not what livebox status --json prints", path.display()))
}

fn played(args: &Args, file: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let script = match Script::read(&file.display().to_string(), &text) {
        Ok(script) => script,
        Err(faults) => {
            faults.iter().for_each(|fault| eprintln!("{fault}"));
            return Ok(ExitCode::from(2));
        }
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let setup = Setup { lang: args.lang, console: "http://{address}/".to_owned() };
    let mut play: Option<Play> = None;
    for step in &script.steps {
        if let Step::Status(name) = step {
            let status = read_status(&folder.join(name))?;
            // the panel's clock is the box's: what the file calls now is now
            let begin = status.at;
            let play = play.get_or_insert_with(|| Play::new(Panel::new(begin, setup.clone(), None), begin));
            play.status = Some(Arc::new(status));
        }
        let begin = Instant::ZERO;
        let play = play.get_or_insert_with(|| Play::new(Panel::new(begin, setup.clone(), None), begin));
        play.step(step);
        for command in play.asked.drain(..) {
            println!("{:>8.2} s  {}", play.now.as_secs_f64(), serde_json::to_string(&command.ask)?);
        }
        if let Step::Picture(name) = step {
            pictured(args, name, play)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pictured(args: &Args, name: &str, play: &Play) -> anyhow::Result<()> {
    let page = play.panel.page(play.now, args.display);
    for text in misfits(&page, args.display) {
        eprintln!("livebox: not shown whole: {text}");
    }
    let scale = if args.display == Format::Colour { 2 } else { 4 };
    for sheet in 0..sheets(&page, args.display) {
        let more = if sheet == 0 { String::new() } else { format!("-{}", sheet + 1) };
        let path = args.out.join(format!("{name}{more}.png"));
        let picture = crate::panel::picture(&page, args.display, sheet, play.now);
        std::fs::write(&path, png(&picture, scale)).with_context(|| format!("writing {}", path.display()))?;
        println!("{:>8.2} s  {}", play.now.as_secs_f64(), path.display());
        if page.code.as_ref().is_some_and(|code| crate::panel::shows_code(code, args.display)) {
            break;
        }
    }
    Ok(())
}

fn stands_in(args: &Args) -> anyhow::Result<ExitCode> {
    let (config, board) = match (io::config::load(&args.config), io::config::board(&args.board)) {
        (Ok(config), Ok(board)) => (config, board),
        (config, board) => {
            config.err().into_iter().chain(board.err()).flatten().for_each(|fault| eprintln!("{fault}"));
            return Ok(ExitCode::from(2));
        }
    };
    if board.display.is_none() && board.lamps.is_empty() {
        bail!("this board has neither display nor lamps; nothing to stand in for");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let mut stopped = std::pin::pin!(super::stopped()?);
        let mut gone = None;
        loop {
            let now = io::clock::now();
            let since = now.since(*gone.get_or_insert(now));
            // who stands in must not fail: a folder that is not there yet may come
            let drawn = io::panel::stand_in(&board, &config.state_dir, config.lang, since).unwrap_or_else(|why| {
                tracing::warn!(why = format!("{why:#}"), "nothing to stand in with");
                false
            });
            if !drawn {
                gone = None;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = &mut stopped => return Ok(ExitCode::SUCCESS),
            }
        }
    })
}

fn lang(text: &str) -> Result<Lang, String> {
    match text {
        "zh" => Ok(Lang::Zh),
        "en" => Ok(Lang::En),
        _ => Err("there is zh and en".to_owned()),
    }
}
