//! Board: which device hangs where on this hardware, as plain facts from `board/*/profile.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::table::{Document, Fault, Section};
use crate::units::parse_duration;

/// SRTLA receivers in the field keep so many links of a group and refuse more.
pub const MAX_UPLINKS: usize = 16;

/// The kernel's limit for an interface name, in bytes.
const MAX_INTERFACE_NAME: usize = 15;

/// The encoders the house knows, hardware first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncoderKind {
    /// Rockchip.
    Mpph264enc,
    /// V4L2 memory-to-memory.
    V4l2h264enc,
    /// Intel, low power.
    Vah264lpenc,
    /// VA-API.
    Vah264enc,
    /// The processor.
    X264enc,
}

impl EncoderKind {
    /// All of them, hardware first: the order in which a board that names none tries them.
    pub const ALL: [Self; 5] = [Self::Mpph264enc, Self::V4l2h264enc, Self::Vah264lpenc, Self::Vah264enc, Self::X264enc];

    /// The name in profiles, which is also the element's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mpph264enc => "mpph264enc",
            Self::V4l2h264enc => "v4l2h264enc",
            Self::Vah264lpenc => "vah264lpenc",
            Self::Vah264enc => "vah264enc",
            Self::X264enc => "x264enc",
        }
    }
}

/// A scripted fault of a simulated device, in time since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The device fails at this time …
    pub from: Duration,
    /// … and works again from this time on.
    pub to: Duration,
    /// It falls silent without a word instead of failing.
    pub stall: bool,
}

/// Where a picture comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum PictureDevice {
    /// A moving picture with frame counter and clock, made here.
    Pattern {
        /// When it fails.
        outages: Vec<Outage>,
    },
    /// A media file, looped.
    File {
        /// The file.
        path: PathBuf,
    },
    /// A capture device, known by its bus path and never by its number of the day.
    V4l2 {
        /// `bus_info` as the driver reports it, such as `usb-0000:00:14.0-1` or `platform:vivid-000`.
        bus: String,
        /// The driver's controls to set whenever it is opened, by the names that `v4l2-ctl -L` shows.
        controls: BTreeMap<String, i64>,
        /// What else is known of it.
        facts: CaptureFacts,
    },
}

/// What is known of a capture device beyond the place where it hangs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaptureFacts {
    /// The kernel driver that it has on this board; another one there is told of.
    pub driver: Option<String>,
    /// Whose word counts for whether there is a signal.
    pub signal: SignalTruth,
    /// An HDMI input keeps the EDID that it has, instead of getting ours.
    pub keeps_edid: bool,
    /// What it does otherwise than others.
    pub quirks: BTreeSet<CaptureQuirk>,
    /// What may scale its pictures in place of the processor, the first that the machine has.
    pub scalers: Vec<Scaler>,
}

/// Hardware that scales pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaler {
    /// A V4L2 memory-to-memory device, such as Rockchip's RGA.
    V4l2convert,
    /// A GPU with VA-API.
    Vapostproc,
}

impl Scaler {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V4l2convert, Self::Vapostproc];

    /// The name in profiles, which is also the element's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4l2convert => "v4l2convert",
            Self::Vapostproc => "vapostproc",
        }
    }

    /// It adds black borders to pictures of another shape by itself.
    #[must_use]
    pub const fn borders(self) -> bool {
        matches!(self, Self::Vapostproc)
    }
}

/// Whose word counts for whether a capture device has a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignalTruth {
    /// Everything that the driver says: power of the plug, status of the input, timings.
    #[default]
    All,
    /// Power and timings; the status of the input is stale.
    Timings,
    /// Nothing that it says: only pictures that come.
    Pictures,
}

/// What a capture device does otherwise than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaptureQuirk {
    /// Its events are wrong or a flood: it is only polled.
    NoEvents,
    /// Its time stamps cannot be used: a picture was taken when it came.
    NoStamps,
    /// After a signal returned it gives pictures only if it is opened afresh.
    Reopen,
}

impl CaptureQuirk {
    /// All of them, by their names in profiles.
    pub const ALL: [(&'static str, Self); 3] =
        [("no_events", Self::NoEvents), ("no_stamps", Self::NoStamps), ("reopen", Self::Reopen)];
}

/// Where sound comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum SoundDevice {
    /// A tone, made here.
    Tone {
        /// Its pitch in Hz.
        hertz: f64,
        /// When it fails.
        outages: Vec<Outage>,
    },
    /// The sound of a media file, looped.
    File {
        /// The file.
        path: PathBuf,
    },
    /// A sound card, known by its id and never by its number.
    Alsa {
        /// Which card.
        card: CardMatch,
        /// Device on the card.
        device: u32,
        /// The card's channels that are the line's leads, counted from 1: two, or one that feeds both ears.
        channels: Vec<u8>,
    },
}

/// How a sound card is found; never by its number, which changes with the order of the plugs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardMatch {
    /// By its id, as in `/proc/asound/cards`.
    Id(String),
    /// By the place it is plugged in, as its long name ends: `usb-0000:00:14.0-1`.
    Bus(String),
}

impl std::fmt::Display for CardMatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(name) | Self::Bus(name) => f.write_str(name),
        }
    }
}

/// How an uplink's interface is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UplinkMatch {
    /// By the kernel's name (made stable by the board's udev rules).
    Interface(String),
    /// By the address it sends from; the device that owns it is bound too.
    Address(Ipv4Addr),
}

/// One way out of the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UplinkSlot {
    /// `wired`, `lte1`, …
    pub slot: String,
    /// Bytes cost money.
    pub metered: bool,
    /// How it is found.
    pub by: UplinkMatch,
    /// Bind the socket to the address as well as to the interface.
    pub bind_address: bool,
}

/// How large a display is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisplaySize {
    /// 128 × 64 points, lit or not.
    Mono,
    /// 320 × 240 points in colour.
    Colour,
    /// 20 × 4 characters.
    Characters,
}

/// A device on an I²C bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct I2cPlace {
    /// The bus device, such as `/dev/i2c-1`, or the adapter's name where the number changes.
    pub bus: PathBuf,
    /// Its address.
    pub address: u8,
}

/// A line of a GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpioLine {
    /// The chip, such as `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// The line's offset on it.
    pub line: u32,
}

impl std::str::FromStr for GpioLine {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (chip, line) = text.rsplit_once(':').ok_or(())?;
        if !chip.starts_with('/') {
            return Err(());
        }
        Ok(Self { chip: chip.into(), line: line.parse().map_err(|_| ())? })
    }
}

/// A display on an SPI bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpiPlace {
    /// The device, such as `/dev/spidev0.0`.
    pub bus: PathBuf,
    /// The line that tells data from commands.
    pub dc: GpioLine,
    /// The line that resets it, if it is wired.
    pub reset: Option<GpioLine>,
    /// Clock, in Hz.
    pub hertz: u32,
}

/// Which wire a display hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisplayWire {
    /// Two wires, shared with others.
    I2c(I2cPlace),
    /// Four wires and up.
    Spi(SpiPlace),
}

/// Chip of a display with 128 × 64 points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OledChip {
    /// With a charge pump.
    Ssd1306,
    /// Fed from outside, otherwise as the SSD1306.
    Ssd1309,
    /// 132 columns of memory, and no window to write into.
    Sh1106,
}

/// Chip of a display with 320 × 240 points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TftChip {
    /// Its colours are inverted on the usual panel.
    St7789,
    /// Its red and blue are swapped on the usual panel.
    Ili9341,
}

/// The front display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Display {
    /// In memory; the picture is written as PNG into the state folder.
    Memory {
        /// How large it is.
        size: DisplaySize,
        /// Where a page with keys to click is served, on this machine only.
        page: Option<SocketAddr>,
    },
    /// 128 × 64 points.
    Oled {
        /// Its chip.
        chip: OledChip,
        /// Where it hangs.
        wire: DisplayWire,
    },
    /// 320 × 240 points.
    Tft {
        /// Its chip.
        chip: TftChip,
        /// Where it hangs.
        wire: SpiPlace,
        /// Built in upside down.
        turned: bool,
    },
    /// 20 × 4 characters: an HD44780 behind a PCF8574.
    Characters {
        /// Where it hangs.
        place: I2cPlace,
    },
}

/// The keys of the front.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    /// Input devices by the names that they tell: keys, and the knob.
    pub devices: Vec<String>,
    /// Which of the kernel's key codes is which key.
    pub codes: BTreeMap<String, String>,
    /// The knob counts the other way round.
    pub reversed: bool,
}

/// The keys of every front, and the contacts that bring the studio's tally.
pub const KEYS: [&str; 9] =
    ["on_air", "backup", "audio", "slate", "next", "ack", "knob", "tally_program", "tally_preview"];

/// The lamps that a front may have, beside one for each link: `link_` and the slot's name.
pub const LAMPS: [&str; 17] = [
    "on_air",
    "on_air_white",
    "backup",
    "audio",
    "slate",
    "next",
    "ack",
    "alarm_red",
    "alarm_amber",
    "tally_red",
    "tally_green",
    "tally_out",
    "camera",
    "slides",
    "mixer_a",
    "mixer_b",
    "buzzer",
];

/// Everything that hangs on this hardware.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// Name of the board.
    pub name: String,
    /// The camera.
    pub camera: Option<PictureDevice>,
    /// The slides laptop.
    pub slides: Option<PictureDevice>,
    /// The second camera.
    pub camera2: Option<PictureDevice>,
    /// Mixer line A.
    pub mixer_a: Option<SoundDevice>,
    /// Mixer line B.
    pub mixer_b: Option<SoundDevice>,
    /// The sound that comes with a picture, over HDMI or SDI.
    pub embedded: Option<SoundDevice>,
    /// Encoders to try, in this order; the processor is always the last resort.
    pub encoders: Vec<EncoderKind>,
    /// What may scale the pictures within a layout in place of the processor, the first that the machine has.
    pub scalers: Vec<Scaler>,
    /// The ways out, at most 16, wired first.
    pub uplinks: Vec<UplinkSlot>,
    /// The display, if there is one.
    pub display: Option<Display>,
    /// The keys, if there are any.
    pub keys: Keys,
    /// Lamps and buzzer: the panel's name, and the kernel's under `/sys/class/leds`.
    pub lamps: BTreeMap<String, String>,
}

impl Board {
    /// Reads a profile; `file` is its name in faults, and relative paths in it start at its folder.
    ///
    /// # Errors
    /// Every fault of the file at once, in the order of its lines.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let document = Document::parse(file, text);
        let board = read(&mut document.root(), Path::new(file).parent().unwrap_or(Path::new("")));
        let faults = document.faults();
        if faults.is_empty() { Ok(board) } else { Err(faults) }
    }
}

fn read(root: &mut Section<'_>, folder: &Path) -> Board {
    if root.line_of("camera") == 0 && root.line_of("slides") == 0 {
        root.fault(0, "camera", "no picture hangs on this board; describe one under [camera] or [slides]");
    }
    let uplinks = uplinks(root);
    Board {
        name: root.required_text("name", "sim"),
        camera: picture(root.section("camera"), folder),
        slides: picture(root.section("slides"), folder),
        camera2: picture(root.section("camera2"), folder),
        mixer_a: sound(root.section("mixer_a"), folder),
        mixer_b: sound(root.section("mixer_b"), folder),
        embedded: sound(root.section("embedded"), folder),
        encoders: encoders(root),
        scalers: scalers(root),
        display: display(root.section("display")),
        keys: keys(root.section("keys")),
        lamps: lamps(root, &uplinks),
        uplinks,
    }
}

fn kind(section: &mut Section<'_>, choices: &[&'static str]) -> Option<&'static str> {
    let line = section.line_of("kind");
    let there = section.text("kind");
    let names: Vec<_> = choices.iter().map(|c| format!("\"{c}\"")).collect();
    let wanted = names.join(", ");
    match there {
        None => section.fault(0, "kind", format!("is missing; write kind = one of {wanted}")),
        Some(name) => match choices.iter().find(|c| **c == name) {
            Some(choice) => return Some(choice),
            None => section.fault(line, "kind", format!("\"{name}\" is not one of {wanted}")),
        },
    }
    section.pass_over();
    None
}

fn picture(mut section: Section<'_>, folder: &Path) -> Option<PictureDevice> {
    if section.is_absent() {
        section.pass_over();
        return None;
    }
    Some(match kind(&mut section, &["pattern", "file", "v4l2"])? {
        "pattern" => PictureDevice::Pattern { outages: outages(&mut section) },
        "file" => PictureDevice::File { path: folder.join(section.required_text("path", "clip.mp4")) },
        _ => PictureDevice::V4l2 {
            bus: section.required_text("bus", "usb-0000:00:14.0-1"),
            controls: section.integers("controls"),
            facts: facts(&mut section),
        },
    })
}

fn facts(section: &mut Section<'_>) -> CaptureFacts {
    let truths = [("all", SignalTruth::All), ("timings", SignalTruth::Timings), ("pictures", SignalTruth::Pictures)];
    let line = section.line_of("quirks");
    let mut quirks = BTreeSet::new();
    for name in section.texts("quirks") {
        match CaptureQuirk::ALL.into_iter().find(|(known, _)| *known == name) {
            Some((_, quirk)) => {
                quirks.insert(quirk);
            }
            None => {
                let names = CaptureQuirk::ALL.map(|(name, _)| name).join(", ");
                section.fault(line, "quirks", format!("\"{name}\" is no quirk; there is {names}"));
            }
        }
    }
    CaptureFacts {
        driver: section.text("driver"),
        signal: section.choice("signal", &truths, SignalTruth::All),
        keeps_edid: section.choice("edid", &[("own", false), ("keep", true)], false),
        quirks,
        scalers: scalers(section),
    }
}

fn scalers(section: &mut Section<'_>) -> Vec<Scaler> {
    let line = section.line_of("scalers");
    let mut scalers = Vec::new();
    for name in section.texts("scalers") {
        match Scaler::ALL.into_iter().find(|scaler| scaler.name() == name) {
            Some(scaler) => scalers.push(scaler),
            None => {
                let names = Scaler::ALL.map(Scaler::name).join(", ");
                section.fault(line, "scalers", format!("\"{name}\" is no scaler; there is {names}"));
            }
        }
    }
    scalers
}

fn sound(mut section: Section<'_>, folder: &Path) -> Option<SoundDevice> {
    if section.is_absent() {
        section.pass_over();
        return None;
    }
    Some(match kind(&mut section, &["tone", "file", "alsa"])? {
        "tone" => SoundDevice::Tone {
            hertz: section.opt_number("hertz", 20.0..=20_000.0).unwrap_or(440.0),
            outages: outages(&mut section),
        },
        "file" => SoundDevice::File { path: folder.join(section.required_text("path", "clip.mp4")) },
        _ => {
            let card = match section.text("bus") {
                Some(bus) => CardMatch::Bus(bus),
                None => CardMatch::Id(section.required_text("card", "MixerA")),
            };
            let device = u32::try_from(section.integer("device", 0, 0..=31)).unwrap_or_default();
            SoundDevice::Alsa { card, device, channels: channels(&mut section) }
        }
    })
}

fn channels(section: &mut Section<'_>) -> Vec<u8> {
    let line = section.line_of("channels");
    let texts = section.texts("channels");
    let numbers: Vec<u8> = texts.iter().filter_map(|t| t.parse().ok()).filter(|n| (1..=32).contains(n)).collect();
    match (line, numbers.len()) {
        (0, _) => vec![1, 2],
        (_, 1 | 2) if numbers.len() == texts.len() => numbers,
        _ => {
            section.fault(line, "channels", "is not one or two channels of the card, such as [\"3\", \"4\"] (1 to 32)");
            vec![1, 2]
        }
    }
}

fn outages(section: &mut Section<'_>) -> Vec<Outage> {
    let mut list = spans(section, "outages", false);
    list.extend(spans(section, "stalls", true));
    list.sort_by_key(|o| o.from);
    list
}

fn spans(section: &mut Section<'_>, key: &'static str, stall: bool) -> Vec<Outage> {
    let line = section.line_of(key);
    let mut outages = Vec::new();
    for pair in section.text_lists(key) {
        let times: Vec<_> = pair.iter().filter_map(|text| parse_duration(text).ok()).collect();
        match (pair.len(), times.as_slice()) {
            (2, [from, to]) if from < to => outages.push(Outage { from: *from, to: *to, stall }),
            _ => section.fault(
                line,
                key,
                format!("{pair:?} is not two times, the earlier first, such as [\"20s\", \"23s\"]"),
            ),
        }
    }
    outages
}

fn encoders(root: &mut Section<'_>) -> Vec<EncoderKind> {
    let line = root.line_of("encoders");
    let mut kinds = Vec::new();
    for name in root.texts("encoders") {
        match EncoderKind::ALL.into_iter().find(|k| k.name() == name) {
            Some(kind) if kinds.contains(&kind) => {
                root.fault(line, "encoders", format!("\"{name}\" stands there twice"))
            }
            Some(kind) => kinds.push(kind),
            None => {
                let names = EncoderKind::ALL.map(EncoderKind::name).join(", ");
                root.fault(line, "encoders", format!("\"{name}\" is no encoder; there is {names}"));
            }
        }
    }
    if kinds.is_empty() {
        kinds = EncoderKind::ALL.to_vec();
    }
    kinds
}

fn uplinks(root: &mut Section<'_>) -> Vec<UplinkSlot> {
    let mut slots: Vec<UplinkSlot> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for mut section in root.sections("uplink") {
        let at = section.line_of("slot");
        let slot = section.required_text("slot", "lte1");
        let metered = section.flag("metered", slot != "wired");
        let interface = section.text("interface");
        let line = section.line_of("address");
        let address = section.parsed::<Ipv4Addr>("address", "an IPv4 address such as \"127.0.1.1\"");
        let bind_address = section.flag("bind_address", address.is_some());
        if slot.len() > 16 || !slot.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            section.fault(at, "slot", format!("\"{slot}\" is not a slot name; letters, digits, - and _, at most 16"));
        }
        if names.contains(&slot) {
            section.fault(at, "slot", format!("\"{slot}\" stands there twice; every slot has its own name"));
        }
        names.push(slot.clone());
        let by = match (interface, address) {
            (Some(_), Some(_)) => {
                section.fault(line, "address", "stands beside interface; keep the one by which the uplink is found");
                continue;
            }
            (Some(name), None) if name.is_empty() || name.len() > MAX_INTERFACE_NAME || name.contains('/') => {
                let why = format!("\"{name}\" is not an interface name (1 to {MAX_INTERFACE_NAME} letters)");
                section.fault(section.line(), "interface", why);
                continue;
            }
            (Some(name), None) => UplinkMatch::Interface(name),
            (None, Some(address)) => UplinkMatch::Address(address),
            (None, None) => {
                if line == 0 {
                    section.fault(0, "interface", "is missing; write interface = \"eth0\" or address = \"127.0.1.1\"");
                }
                continue;
            }
        };
        if slots.iter().any(|s| s.by == by) {
            section.fault(0, "slot", format!("\"{slot}\" is found as another slot is; each uplink hangs on its own"));
        }
        slots.push(UplinkSlot { slot, metered, by, bind_address });
    }
    if slots.len() > MAX_UPLINKS {
        root.fault(0, "uplink", format!("{} uplinks are too many; the wire knows {MAX_UPLINKS}", slots.len()));
    }
    slots
}

fn display(mut section: Section<'_>) -> Option<Display> {
    if section.is_absent() {
        section.pass_over();
        return None;
    }
    let kinds = ["memory", "ssd1306", "ssd1309", "sh1106", "st7789", "ili9341", "hd44780"];
    Some(match kind(&mut section, &kinds)? {
        "memory" => {
            let sizes =
                [("128x64", DisplaySize::Mono), ("320x240", DisplaySize::Colour), ("20x4", DisplaySize::Characters)];
            let size = section.choice("size", &sizes, DisplaySize::Mono);
            let line = section.line_of("page");
            let page = section.parsed::<SocketAddr>("page", "an address such as \"127.0.0.1:8620\"");
            if page.is_some_and(|page| !page.ip().is_loopback()) {
                let why = "would let everybody in the network press the keys; write 127.0.0.1 and a port";
                section.fault(line, "page", why);
            }
            Display::Memory { size, page }
        }
        chip @ ("st7789" | "ili9341") => Display::Tft {
            chip: if chip == "st7789" { TftChip::St7789 } else { TftChip::Ili9341 },
            wire: spi(&mut section, 32_000_000),
            turned: section.flag("turned", false),
        },
        "hd44780" => Display::Characters { place: i2c(&mut section, 0x27) },
        chip => Display::Oled {
            chip: match chip {
                "ssd1309" => OledChip::Ssd1309,
                "sh1106" => OledChip::Sh1106,
                _ => OledChip::Ssd1306,
            },
            // a display with a data line hangs on SPI
            wire: if section.line_of("dc") > 0 {
                DisplayWire::Spi(spi(&mut section, 8_000_000))
            } else {
                DisplayWire::I2c(i2c(&mut section, 0x3c))
            },
        },
    })
}

fn i2c(section: &mut Section<'_>, usual: u8) -> I2cPlace {
    I2cPlace {
        bus: PathBuf::from(section.required_text("bus", "/dev/i2c-1")),
        address: u8::try_from(section.integer("address", i64::from(usual), 0x08..=0x77)).unwrap_or(usual),
    }
}

fn spi(section: &mut Section<'_>, usual: u32) -> SpiPlace {
    let wanted = "a line of a GPIO chip such as \"/dev/gpiochip0:24\"";
    let bus = PathBuf::from(section.required_text("bus", "/dev/spidev0.0"));
    if section.line_of("dc") == 0 {
        section.fault(0, "dc", format!("is missing; write {wanted}"));
    }
    let none = GpioLine { chip: PathBuf::new(), line: 0 };
    SpiPlace {
        bus,
        dc: section.parsed("dc", wanted).unwrap_or(none),
        reset: section.parsed("reset", wanted),
        hertz: u32::try_from(section.integer("hertz", i64::from(usual), 100_000..=80_000_000)).unwrap_or(usual),
    }
}

fn keys(mut section: Section<'_>) -> Keys {
    if section.is_absent() {
        section.pass_over();
        return Keys::default();
    }
    let line = section.line_of("codes");
    let codes = section.named_texts("codes");
    for name in codes.keys().filter(|name| !KEYS.contains(&name.as_str())) {
        section.fault(line, "codes", format!("\"{name}\" is no key; there is {}", KEYS.join(", ")));
    }
    let devices = section.texts("devices");
    if devices.is_empty() {
        section.fault(
            0,
            "devices",
            "is missing; write devices = [\"gpio-keys\"], as /proc/bus/input/devices names them",
        );
    }
    Keys { devices, codes, reversed: section.flag("reversed", false) }
}

fn lamps(root: &mut Section<'_>, uplinks: &[UplinkSlot]) -> BTreeMap<String, String> {
    let line = root.line_of("lamps");
    let lamps = root.named_texts("lamps");
    for (name, led) in &lamps {
        let link = name.strip_prefix("link_").is_some_and(|slot| uplinks.iter().any(|uplink| uplink.slot == slot));
        if !link && !LAMPS.contains(&name.as_str()) {
            let why = format!("\"{name}\" is no lamp; there is {}, and link_ with the slot's name", LAMPS.join(", "));
            root.fault(line, "lamps", why);
        }
        if led.is_empty() || led.contains('/') || led.starts_with('.') {
            root.fault(line, "lamps", format!("\"{led}\" is no name of an LED; ls /sys/class/leds lists them"));
        }
    }
    lamps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_says_what_hangs_where() {
        let text = "name = \"desk\"\nencoders = [\"vah264enc\"]\nscalers = [\"vapostproc\", \"v4l2convert\"]\n\
                    [camera]\nkind = \"v4l2\"\nbus = \"usb-1\"\n\
                    controls = { power_line_frequency = 1, hue = -20 }\n\
                    driver = \"uvcvideo\"\nsignal = \"pictures\"\nquirks = [\"no_stamps\"]\nscalers = [\"v4l2convert\"]\n\
                    [mixer_a]\nkind = \"file\"\npath = \"clip.mp4\"\n\
                    [embedded]\nkind = \"alsa\"\nbus = \"usb-0000:00:14.0-2\"\n\
                    [mixer_b]\nkind = \"tone\"\nhertz = 660\nstalls = [[\"40s\", \"42s\"]]\noutages = [[\"20s\", \"23s\"]]\n\
                    [[uplink]]\nslot = \"wired\"\ninterface = \"eth0\"\n\
                    [[uplink]]\nslot = \"lte1\"\naddress = \"127.0.1.2\"\n\
                    [display]\nkind = \"ssd1306\"\nbus = \"panel-sim\"\n";

        let board = Board::read("board/desk/profile.toml", text).unwrap();

        let controls = [("hue".to_owned(), -20), ("power_line_frequency".to_owned(), 1)].into();
        let facts = CaptureFacts {
            driver: Some("uvcvideo".into()),
            signal: SignalTruth::Pictures,
            keeps_edid: false,
            quirks: [CaptureQuirk::NoStamps].into(),
            scalers: vec![Scaler::V4l2convert],
        };
        assert_eq!(board.camera, Some(PictureDevice::V4l2 { bus: "usb-1".into(), controls, facts }));
        assert_eq!(board.slides, None);
        assert_eq!(board.mixer_a, Some(SoundDevice::File { path: "board/desk/clip.mp4".into() }));
        let secs = |from, to, stall| Outage { from: Duration::from_secs(from), to: Duration::from_secs(to), stall };
        let outages = vec![secs(20, 23, false), secs(40, 42, true)];
        assert_eq!(board.mixer_b, Some(SoundDevice::Tone { hertz: 660.0, outages }));
        let card = CardMatch::Bus("usb-0000:00:14.0-2".into());
        assert_eq!(board.embedded, Some(SoundDevice::Alsa { card, device: 0, channels: vec![1, 2] }));
        assert_eq!(board.encoders, [EncoderKind::Vah264enc]);
        assert_eq!(board.scalers, [Scaler::Vapostproc, Scaler::V4l2convert]);
        assert_eq!((board.uplinks[0].metered, board.uplinks[1].metered), (false, true));
        assert!(board.uplinks[1].bind_address);
        let wire = DisplayWire::I2c(I2cPlace { bus: "panel-sim".into(), address: 0x3c });
        assert_eq!(board.display, Some(Display::Oled { chip: OledChip::Ssd1306, wire }));
    }

    #[test]
    fn a_quirk_that_nobody_knows_is_a_fault_that_names_the_known_ones() {
        let text =
            "name = \"desk\"\n[camera]\nkind = \"v4l2\"\nbus = \"usb-1\"\nquirks = [\"sulks\"]\nedid = \"none\"\n";
        let told: Vec<_> = Board::read("p.toml", text).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|t| t.contains("\"sulks\"") && t.contains("no_events, no_stamps, reopen")), "{told:?}");
        assert!(told.iter().any(|t| t.contains("camera.edid")), "{told:?}");
    }

    #[test]
    fn a_control_that_is_no_number_is_a_fault_with_its_line() {
        let text = "name = \"desk\"\n[camera]\nkind = \"v4l2\"\nbus = \"usb-1\"\ncontrols = { hue = \"warm\" }\n";
        let faults = Board::read("p.toml", text).unwrap_err();
        assert_eq!((faults.len(), faults[0].line, faults[0].key.as_str()), (1, 5, "camera.controls"));
        assert!(faults[0].what.contains("hue = \"warm\" is not a whole number"), "{}", faults[0]);
    }

    #[test]
    fn a_wrong_profile_tells_every_fault_with_its_line() {
        let text = "name = \"desk\"\nencoders = [\"nvenc\"]\n\
                    [camera]\nkind = \"webcam\"\nwhatever = 1\n\
                    [mixer_a]\nkind = \"tone\"\noutages = [[\"9s\", \"3s\"]]\npitch = 3\n\
                    [[uplink]]\nslot = \"wired\"\n\
                    [[uplink]]\nslot = \"wired\"\ninterface = \"eth0\"\naddress = \"127.0.1.2\"\n";

        let told: Vec<_> = Board::read("p.toml", text).unwrap_err().iter().map(|f| (f.line, f.key.clone())).collect();

        let wanted = [
            (2, "encoders"),
            (4, "camera.kind"),
            (8, "mixer_a.outages"),
            (9, "mixer_a.pitch"),
            (11, "uplink[0].interface"),
            (13, "uplink[1].slot"),
            (15, "uplink[1].address"),
        ]
        .map(|(line, key)| (line, key.to_owned()));
        assert!(wanted.iter().all(|w| told.contains(w)), "{told:?}");
    }

    #[test]
    fn a_front_is_described_with_its_keys_and_lamps() {
        let text = "name = \"desk\"\n[camera]\nkind = \"pattern\"\n\
                    [[uplink]]\nslot = \"lte1\"\naddress = \"127.0.1.2\"\n\
                    [display]\nkind = \"st7789\"\nbus = \"/dev/spidev0.0\"\ndc = \"/dev/gpiochip0:24\"\n\
                    [keys]\ndevices = [\"gpio-keys\", \"rotary\"]\ncodes = { ack = \"KEY_F6\" }\n\
                    [lamps]\non_air = \"front:red\"\nlink_lte1 = \"front:3\"\n";

        let board = Board::read("p.toml", text).unwrap();

        let dc = GpioLine { chip: "/dev/gpiochip0".into(), line: 24 };
        let wire = SpiPlace { bus: "/dev/spidev0.0".into(), dc, reset: None, hertz: 32_000_000 };
        assert_eq!(board.display, Some(Display::Tft { chip: TftChip::St7789, wire, turned: false }));
        assert_eq!(board.keys.codes["ack"], "KEY_F6");
        assert_eq!(board.lamps["link_lte1"], "front:3");
    }

    #[test]
    fn a_wrong_front_tells_every_fault() {
        let text = "name = \"desk\"\n[camera]\nkind = \"pattern\"\n\
                    [display]\nkind = \"memory\"\npage = \"0.0.0.0:80\"\n\
                    [keys]\ncodes = { dance = \"KEY_A\" }\n\
                    [lamps]\nlink_lte9 = \"x\"\nack = \"../../etc\"\n";

        let told: Vec<_> = Board::read("p.toml", text).unwrap_err().iter().map(|f| f.key.clone()).collect();

        assert_eq!(told.iter().filter(|key| *key == "lamps").count(), 2, "{told:?}");
        assert!(
            ["display.page", "keys.codes", "keys.devices"].iter().all(|k| told.contains(&(*k).to_owned())),
            "{told:?}"
        );
    }
}
