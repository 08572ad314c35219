//! Board: which device hangs where on this hardware, as plain facts from `board/*/profile.toml`.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// The encoders the house knows, hardware first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
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
    },
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
        /// Card id, as in `/proc/asound/cards`.
        card: String,
        /// Device on the card.
        device: u32,
    },
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

/// The front display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Display {
    /// In memory; the picture is written as PNG into the state folder.
    Memory,
    /// SSD1306 128×64 on an I²C bus.
    Ssd1306 {
        /// The bus device, such as `/dev/i2c-1`.
        bus: PathBuf,
        /// Its address.
        address: u8,
    },
}

/// Everything that hangs on this hardware.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// Name of the board.
    pub name: String,
    /// The camera.
    pub camera: Option<PictureDevice>,
    /// The slides laptop.
    pub slides: Option<PictureDevice>,
    /// Mixer line A.
    pub mixer_a: Option<SoundDevice>,
    /// Mixer line B.
    pub mixer_b: Option<SoundDevice>,
    /// Encoders to try, in this order; the processor is always the last resort.
    pub encoders: Vec<EncoderKind>,
    /// The ways out, at most 16, wired first.
    pub uplinks: Vec<UplinkSlot>,
    /// The display, if there is one.
    pub display: Option<Display>,
}
