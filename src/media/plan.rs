//! Plan: every pipeline as a value, element by element, before anything is built.
//!
//! The driver only translates. The programme's pipeline is permanent and fed by the pump; captures
//! and the output are pipelines of their own, made and thrown away without touching it.

use std::path::{Path, PathBuf};

use super::config::{Config, Secret};
use super::encoder::{self, Settings, Value};
use super::sound::SAMPLE_RATE;
use super::stream::PictureSize;
use crate::board::EncoderKind;
use crate::units::Bitrate;

/// A property as the plan knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// As an encoder would be told.
    Plain(Value),
    /// Not to be shown.
    Hidden(Secret),
}

/// One link of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An element of this factory, with properties.
    Element {
        /// The factory.
        factory: &'static str,
        /// The name by which the driver finds it again; empty if it need not.
        name: &'static str,
        /// What to set, in this order.
        settings: Vec<(&'static str, Setting)>,
    },
    /// Only this passes.
    Caps(String),
}

/// Elements in the order the data meets them.
pub type Chain = Vec<Step>;

/// The permanent pipeline: two chains into a mux, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programme {
    /// Which encoder it is built around.
    pub encoder: EncoderKind,
    /// From the pump's pictures to H.264.
    pub video: Chain,
    /// From the pump's sound to AAC.
    pub audio: Chain,
    /// The mux and its way out.
    pub mux: Chain,
}

/// Name of the pump's picture entrance.
pub const PICTURES: &str = "pictures";
/// Name of the pump's sound entrance.
pub const SOUND: &str = "sound";
/// Name of the encoder.
pub const ENCODER: &str = "encoder";
/// Name of the mux.
pub const MUX: &str = "mux";
/// Name of where bytes or frames leave a pipeline.
pub const EXIT: &str = "exit";
/// Name of where bytes enter the output.
pub const ENTRANCE: &str = "entrance";
/// Name of the SRT session.
pub const SESSION: &str = "session";

fn element(factory: &'static str, name: &'static str, settings: &[(&'static str, Value)]) -> Step {
    let settings = settings.iter().map(|(key, value)| (*key, Setting::Plain(value.clone()))).collect();
    Step::Element { factory, name, settings }
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

const fn number(n: u64) -> Value {
    Value::Number(n)
}

/// The raw pictures that the pump makes and captures deliver, without a rate.
#[must_use]
pub fn picture_caps(size: PictureSize) -> String {
    format!(
        "video/x-raw,format=I420,width={},height={},pixel-aspect-ratio=1/1,interlace-mode=progressive",
        size.width, size.height
    )
}

/// The raw sound of the house.
#[must_use]
pub fn sound_caps() -> String {
    format!("audio/x-raw,format=F32LE,layout=interleaved,channels=2,rate={SAMPLE_RATE}")
}

/// The programme's sound as the pump makes it.
#[must_use]
pub fn programme_sound_caps() -> String {
    format!("audio/x-raw,format=S16LE,layout=interleaved,channels=2,channel-mask=(bitmask)0x3,rate={SAMPLE_RATE}")
}

/// The programme around one encoder.
#[must_use]
pub fn programme(config: &Config, kind: EncoderKind, bitrate: Bitrate) -> Programme {
    let settings = Settings { bitrate, gop: config.gop, rate: config.rate };
    let entrance = |name, caps: String, room: u64| {
        // a full entrance holds the pump back, which then makes up for every tick: no time stamp is left out
        element(
            "appsrc",
            name,
            &[
                ("caps", text(caps)),
                ("format", text("time")),
                ("block", Value::Flag(true)),
                ("max-buffers", number(room)),
                ("max-bytes", number(0)),
            ],
        )
    };
    let rate = format!(",framerate={}/{}", config.rate.num, config.rate.den);
    let mut video = vec![entrance(PICTURES, picture_caps(config.size) + &rate, 6)];
    let format = encoder::input_format(kind);
    if format != "I420" {
        video.push(element("videoconvert", "", &[]));
        video.push(Step::Caps(format!("video/x-raw,format={format}")));
    }
    video.push(element(encoder::element(kind), ENCODER, &encoder::start(kind, &settings)));
    video.push(Step::Caps(encoder::output_caps(kind).to_owned()));
    // parameter sets with every key picture: a receiver may come at any time
    video.push(element("h264parse", "", &[("config-interval", text("-1"))]));
    video.push(Step::Caps("video/x-h264,stream-format=byte-stream,alignment=au".to_owned()));
    video.push(element("queue", "", &[]));
    let audio = vec![
        entrance(SOUND, programme_sound_caps(), 12),
        // whole numbers throughout: half the processor time of avenc_aac
        element("voaacenc", "", &[("bitrate", number(config.audio_bitrate.as_bps()))]),
        element("aacparse", "", &[]),
        element("queue", "", &[]),
    ];
    let mux = vec![
        // seven packets fill one SRT payload
        element("mpegtsmux", MUX, &[("alignment", number(7))]),
        element("appsink", EXIT, &[("sync", Value::Flag(false)), ("async", Value::Flag(false))]),
    ];
    Programme { encoder: kind, video, audio, mux }
}

/// The way out: bytes of the mux into an SRT session with the bonding engine on the loopback.
#[must_use]
pub fn output(config: &Config, port: u16) -> Chain {
    let latency = config.srt_latency.as_millis();
    // snddropdelay=-1: the sender never gives a packet up by itself, the engine decides what is too late
    let (bytes, packets) = sender_buffer(config);
    let uri = format!(
        "srt://127.0.0.1:{port}?mode=caller&latency={latency}&snddropdelay=-1&payloadsize=1316&sndbuf={bytes}&fc={packets}"
    );
    let mut settings = vec![
        ("uri", Setting::Plain(text(uri))),
        ("wait-for-connection", Setting::Plain(Value::Flag(false))),
        ("auto-reconnect", Setting::Plain(Value::Flag(true))),
        ("sync", Setting::Plain(Value::Flag(false))),
        ("async", Setting::Plain(Value::Flag(false))),
    ];
    if !config.stream_id.is_empty() {
        settings.push(("streamid", Setting::Plain(text(config.stream_id.clone()))));
    }
    if !config.passphrase.0.is_empty() {
        settings.push(("pbkeylen", Setting::Plain(text("16"))));
        settings.push(("passphrase", Setting::Hidden(config.passphrase.clone())));
    }
    vec![
        element(
            "appsrc",
            ENTRANCE,
            &[
                ("caps", text("video/mpegts,systemstream=true,packetsize=188")),
                ("format", text("time")),
                ("is-live", Value::Flag(true)),
                // about two seconds at 8 Mbit/s; a dead session loses the oldest and holds nobody back
                ("max-bytes", number(2_000_000)),
                ("leaky-type", text("downstream")),
            ],
        ),
        Step::Element { factory: "srtsink", name: SESSION, settings },
    ]
}

/// What the SRT caller keeps, in bytes and in packets: twice the programme at its most for L and the session's latency
/// together, since the listener acknowledges late what came late, and L is never longer than the session's latency.
/// libsrt takes the memory as it is needed; less than it keeps by itself is never asked.
fn sender_buffer(config: &Config) -> (u64, u64) {
    const PAYLOAD: u64 = 1316;
    let rate = (config.bitrate.1.as_bps() + config.audio_bitrate.as_bps()).div_ceil(8);
    // an eighth for the transport stream and SRT's headers
    let bytes = 4 * (rate + rate / 8) * config.srt_latency.as_millis() as u64 / 1000;
    // 8192 packets of 1456 bytes and a flight of 25600 are libsrt's own
    (bytes.max(8192 * 1456), bytes.div_ceil(PAYLOAD).max(25_600))
}

/// Which of the two costs less in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A file, played at its own time stamps; nothing is dropped.
    Played,
    /// A live device whose pictures are not larger than the programme's.
    Live,
    /// A live device with larger pictures: made smaller before anything else is done to them.
    LiveLarge,
}

/// From any raw picture to the programme's: shape kept, borders black.
#[must_use]
pub fn picture_tail(size: PictureSize, pace: Pace) -> Chain {
    let live = pace != Pace::Played;
    // a machine that cannot keep up with a live device leaves whole pictures out before working on them
    let leaky = if live { "downstream" } else { "no" };
    let room = [("max-size-buffers", number(3)), ("max-size-bytes", number(0)), ("max-size-time", number(0))];
    let queue = [room.as_slice(), &[("leaky", text(leaky))]].concat();
    let convert = element("videoconvert", "", &[]);
    let scale = element("videoscale", "", &[("add-borders", Value::Flag(true))]);
    let middle = match pace {
        Pace::Played | Pace::Live => vec![convert, scale],
        Pace::LiveLarge => {
            let caps = format!("video/x-raw,width={},height={},pixel-aspect-ratio=1/1", size.width, size.height);
            vec![scale, Step::Caps(caps), convert]
        }
    };
    let ends = [Step::Caps(picture_caps(size)), exit(!live, 4)];
    [vec![element("queue", "", &queue)], middle, ends.to_vec()].concat()
}

/// From any raw sound to the programme's.
#[must_use]
pub fn sound_tail() -> Chain {
    vec![
        element("queue", "", &[]),
        element("audioconvert", "", &[]),
        element("audioresample", "", &[]),
        Step::Caps(sound_caps()),
        exit(true, 20),
    ]
}

fn exit(sync: bool, room: u64) -> Step {
    element(
        "appsink",
        EXIT,
        &[
            ("sync", Value::Flag(sync)),
            ("max-buffers", number(room)),
            ("drop", Value::Flag(!sync)),
            ("enable-last-sample", Value::Flag(false)),
        ],
    )
}

/// What is known of a device's pictures before they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Picture {
    /// They are larger than the programme's.
    pub large: bool,
    /// They come as two halves, taken one after the other.
    pub fields: bool,
}

/// Two halves of a picture made one, at the rate of the halves: what moves does not comb, what stands stays sharp.
#[must_use]
pub fn woven() -> Step {
    element("deinterlace", "", &[("method", text("greedyl")), ("fields", text("all"))])
}

/// A V4L2 capture. `caps` is empty where the device follows a signal: then it must be free to change size.
#[must_use]
pub fn v4l2(node: &Path, caps: &str, picture: Picture, size: PictureSize) -> Chain {
    let mut chain = vec![element("v4l2src", "", &[("device", text(node.to_string_lossy()))])];
    if caps.is_empty() {
        // halves that come one by one are of a kind of their own
        let free = if picture.fields { "video/x-raw(ANY)" } else { "video/x-raw" };
        chain.push(Step::Caps(free.to_owned()));
    } else {
        chain.push(Step::Caps(caps.to_owned()));
        if caps.starts_with("image/jpeg") {
            chain.push(element("jpegdec", "", &[]));
        }
    }
    if picture.fields {
        chain.push(woven());
    }
    chain.extend(picture_tail(size, if picture.large { Pace::LiveLarge } else { Pace::Live }));
    chain
}

/// Where a media file's decoder starts.
#[must_use]
pub fn file(path: &Path) -> Step {
    let path = if path.is_absolute() { path.to_path_buf() } else { PathBuf::from("/").join(path) };
    element("filesrc", "", &[("location", text(path.to_string_lossy()))])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::stream::FrameRate;

    fn config() -> Config {
        Config {
            size: PictureSize { width: 1280, height: 720 },
            rate: FrameRate { num: 25, den: 1 },
            reserve: Duration::from_millis(60),
            gop: Duration::from_secs(2),
            bitrate: (Bitrate::kbps(300), Bitrate::mbps(6)),
            audio_bitrate: Bitrate::kbps(128),
            srt_latency: Duration::from_secs(1),
            stream_id: "publish:hall".into(),
            passphrase: Secret("correct horse".into()),
            destination: "127.0.0.1:5000".parse().unwrap(),
            prove: Duration::from_secs(10),
            slates: crate::media::Slates::default(),
            sound: crate::media::line::Settings::default(),
            roads: crate::media::Roads::default(),
        }
    }

    fn setting(chain: &Chain, factory: &str, key: &str) -> Option<Setting> {
        chain.iter().find_map(|step| match step {
            Step::Element { factory: f, settings, .. } if *f == factory => {
                settings.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone())
            }
            _ => None,
        })
    }

    fn flag(chain: &Chain, factory: &str, key: &str) -> bool {
        setting(chain, factory, key) == Some(Setting::Plain(Value::Flag(true)))
    }

    #[test]
    fn the_pump_is_held_back_and_never_dropped() {
        let plan = programme(&config(), EncoderKind::X264enc, Bitrate::mbps(2));
        assert!(flag(&plan.video, "appsrc", "block") && flag(&plan.audio, "appsrc", "block"));
    }

    #[test]
    fn a_dead_session_holds_nobody_back_and_drops_nothing_by_itself() {
        let chain = output(&config(), 4000);
        assert_eq!(setting(&chain, "appsrc", "leaky-type"), Some(Setting::Plain(text("downstream"))));
        assert!(!flag(&chain, "srtsink", "wait-for-connection"));
        assert!(flag(&chain, "srtsink", "auto-reconnect"));
        let Some(Setting::Plain(Value::Text(uri))) = setting(&chain, "srtsink", "uri") else { panic!() };
        assert!(uri.starts_with("srt://127.0.0.1:4000?") && uri.contains("latency=1000"), "{uri}");
        assert!(uri.contains("snddropdelay=-1"), "{uri}");
        assert!(uri.contains("&sndbuf=11927552&fc=25600"), "{uri}");
    }

    #[test]
    fn the_caller_keeps_twice_what_the_programme_is_in_l_and_the_sessions_latency() {
        let seconds = 10;
        let long = Config {
            bitrate: (Bitrate::mbps(1), Bitrate::mbps(20)),
            srt_latency: Duration::from_secs(seconds),
            ..config()
        };
        let (bytes, packets) = sender_buffer(&long);

        // L is at most the session's latency less 250 ms
        let twice = 2 * 20_000_000 / 8 * (2 * seconds - 1);
        assert!(bytes >= twice && packets * 1316 >= twice, "{bytes} {packets}");
        assert!(bytes < 2 * twice, "and not much more: {bytes}");
    }

    #[test]
    fn the_passphrase_is_set_and_never_shown() {
        let chain = output(&config(), 4000);
        assert!(setting(&chain, "srtsink", "passphrase").is_some());
        assert!(!format!("{chain:?}").contains("horse"));

        let open = Config { passphrase: Secret::default(), stream_id: String::new(), ..config() };
        assert_eq!(setting(&output(&open, 4000), "srtsink", "passphrase"), None);
        assert_eq!(setting(&output(&open, 4000), "srtsink", "streamid"), None);
    }

    #[test]
    fn hardware_is_fed_its_own_format_and_the_processor_the_pumps() {
        let has = |kind, factory| {
            let plan = programme(&config(), kind, Bitrate::mbps(2));
            plan.video.iter().any(|s| matches!(s, Step::Element { factory: f, .. } if *f == factory))
        };
        assert!(has(EncoderKind::Mpph264enc, "videoconvert"));
        assert!(!has(EncoderKind::X264enc, "videoconvert"));
    }

    #[test]
    fn every_datagram_is_filled_with_seven_packets() {
        let plan = programme(&config(), EncoderKind::X264enc, Bitrate::mbps(2));
        assert_eq!(setting(&plan.mux, "mpegtsmux", "alignment"), Some(Setting::Plain(Value::Number(7))));
    }

    #[test]
    fn halves_of_pictures_are_woven_before_anything_else_is_done_to_them() {
        let picture = Picture { large: true, fields: true };
        let chain = v4l2(Path::new("/dev/video0"), "", picture, config().size);
        let at = |factory| chain.iter().position(|s| matches!(s, Step::Element { factory: f, .. } if *f == factory));
        assert!(at("deinterlace").unwrap() < at("videoscale").unwrap());
        assert_eq!(chain[1], Step::Caps("video/x-raw(ANY)".into()));
    }

    #[test]
    fn a_device_that_follows_a_signal_is_free_in_size_until_after_the_scaler() {
        let size = config().size;
        let chain = v4l2(Path::new("/dev/video0"), "", Picture::default(), size);
        let caps: Vec<_> =
            chain.iter().filter_map(|s| if let Step::Caps(c) = s { Some(c.as_str()) } else { None }).collect();
        assert_eq!(caps[0], "video/x-raw");
        assert_eq!(caps[1], picture_caps(size));
    }
}
