//! Plan: every pipeline as a value, element by element, before anything is built.
//!
//! The driver only translates. The programme's pipeline is permanent and fed by the pump; captures
//! and the output are pipelines of their own, made and thrown away without touching it.

use std::path::{Path, PathBuf};

use super::config::{Config, Secret};
use super::encoder::{self, Settings, Value};
use super::output::Scheme;
use super::road::{Road, Rtmp};
use super::sound::SAMPLE_RATE;
use super::stream::PictureSize;
use crate::board::{EncoderKind, Scaler};
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

/// Name of the encoder.
pub const ENCODER: &str = "encoder";
/// Name of the mux.
pub const MUX: &str = "mux";
/// Name of where bytes or frames leave a pipeline.
pub const EXIT: &str = "exit";
/// Name of where bytes enter the output.
pub const ENTRANCE: &str = "entrance";
/// Name of the session's element.
pub const SESSION: &str = "session";
/// Name of what takes pictures and sound apart.
pub const DEMUX: &str = "demux";

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

/// A bound entrance: what comes is taken without waiting, and what is too much has been left out before.
fn entrance(name: &'static str, caps: String) -> Step {
    element(
        "appsrc",
        name,
        &[("caps", text(caps)), ("format", text("time")), ("max-buffers", number(0)), ("max-bytes", number(0))],
    )
}

fn units() -> Step {
    element(
        "appsink",
        EXIT,
        &[("sync", Value::Flag(false)), ("async", Value::Flag(false)), ("enable-last-sample", Value::Flag(false))],
    )
}

/// One encode of raw pictures: in goes what the pump makes, out come whole coded pictures.
#[must_use]
pub fn pictures(size: PictureSize, kind: EncoderKind, settings: &Settings) -> Chain {
    let (rate, codec) = (format!(",framerate={}/{}", settings.rate.num, settings.rate.den), settings.codec);
    let mut chain = vec![entrance(ENTRANCE, picture_caps(size) + &rate)];
    let format = encoder::input_format(kind);
    if format != "I420" {
        chain.push(element("videoconvert", "", &[]));
        chain.push(Step::Caps(format!("video/x-raw,format={format}")));
    }
    chain.push(element(encoder::element(kind, codec), ENCODER, &encoder::start(kind, settings)));
    chain.push(Step::Caps(encoder::output_caps(kind, codec).to_owned()));
    // parameter sets with every key picture: a receiver may come at any time
    chain.push(element(encoder::parser(codec), "", &[("config-interval", text("-1"))]));
    chain.push(Step::Caps(encoder::unit_caps(codec).to_owned()));
    chain.push(units());
    chain
}

/// The programme's sound, coded once for every output.
#[must_use]
pub fn sound(bitrate: Bitrate) -> Chain {
    vec![
        entrance(ENTRANCE, programme_sound_caps()),
        // whole numbers throughout: half the processor time of avenc_aac
        element("voaacenc", "", &[("bitrate", number(bitrate.as_bps()))]),
        element("aacparse", "", &[]),
        Step::Caps("audio/mpeg,mpegversion=4,stream-format=adts".to_owned()),
        units(),
    ]
}

/// One entrance of a mux; its caps come with the first buffer.
#[must_use]
pub fn mux_entrance() -> Chain {
    vec![element(
        "appsrc",
        "",
        &[
            ("format", text("time")),
            // a stream that waits for another one that stands still costs little memory: it is coded
            ("max-bytes", number(16 << 20)),
            ("leaky-type", text("downstream")),
        ],
    )]
}

/// A mux and its way out. `programs`: which entrance belongs to which programme, from 1.
#[must_use]
pub fn mux(programs: &[u8]) -> Chain {
    // seven packets fill one SRT payload
    let mut settings = vec![("alignment", number(7))];
    if programs.iter().any(|program| *program > 1) {
        let map: String =
            programs.iter().enumerate().map(|(n, program)| format!(",{}=(int){program}", mux_pad(n))).collect();
        settings.push(("prog-map", text(format!("program_map{map}"))));
    }
    vec![element("mpegtsmux", MUX, &settings), units()]
}

/// The mux's pad for its n-th entrance; the number in it is the packet identifier.
#[must_use]
pub fn mux_pad(n: usize) -> String {
    format!("sink_{}", 65 + n)
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
    vec![session_entrance(), Step::Element { factory: "srtsink", name: SESSION, settings }]
}

fn session_entrance() -> Step {
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
    )
}

/// Through which uplink an SRT session of its own leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The kernel's interface.
    pub interface: String,
    /// The address to send from, where the interface alone does not say it.
    pub address: Option<std::net::Ipv4Addr>,
}

/// A way out of its own: the chain that the bytes enter, and, where the scheme takes pictures and sound apart, the
/// chains of both and of what joins them again. `place` is where to: `HOST:PORT`, of the relay for all but SRT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where the bytes enter.
    pub entrance: Chain,
    /// Pictures and sound after the split; both end in the last chain.
    pub apart: Option<(Chain, Chain)>,
    /// What follows, the session at its end.
    pub session: Chain,
}

/// The way out of a road to one of its places.
#[must_use]
pub fn way(road: &Road, rtmp: Option<&Rtmp>, place: &str, bound: Option<&Bound>) -> Way {
    let flags = |settings: &mut Vec<(&'static str, Setting)>| {
        settings.push(("sync", Setting::Plain(Value::Flag(false))));
        settings.push(("async", Setting::Plain(Value::Flag(false))));
    };
    match (road.scheme, rtmp) {
        (Scheme::Rtmp, Some(rtmp)) => {
            let key = if road.secret.0.is_empty() { String::new() } else { format!("/{}", road.secret.0) };
            let location = format!("rtmp://{place}/{}{key}", rtmp.path.trim_end_matches('/'));
            let mut settings = vec![("location", Setting::Hidden(Secret(location)))];
            flags(&mut settings);
            let queue = || element("queue", "", &[("max-size-buffers", number(0)), ("max-size-time", number(0))]);
            Way {
                entrance: vec![session_entrance(), element("tsdemux", DEMUX, &[("latency", number(0))])],
                apart: Some((
                    vec![queue(), element("h264parse", "", &[])],
                    vec![queue(), element("aacparse", "", &[])],
                )),
                session: vec![
                    element("flvmux", MUX, &[("streamable", Value::Flag(true))]),
                    Step::Element { factory: "rtmp2sink", name: SESSION, settings },
                ],
            }
        }
        (Scheme::Rist, _) => {
            let (host, port) = place.rsplit_once(':').unwrap_or((place, "5004"));
            let session = vec![
                element("rtpmp2tpay", "", &[]),
                element(
                    "ristsink",
                    SESSION,
                    &[
                        ("address", text(host)),
                        ("port", number(port.parse().unwrap_or(5004))),
                        ("sender-buffer", number(road.latency.as_millis() as u64 + 500)),
                    ],
                ),
            ];
            Way { entrance: vec![session_entrance()], apart: None, session }
        }
        _ => {
            let through = bound.map_or(String::new(), |bound| match bound.address {
                Some(address) => format!("&localaddress={address}"),
                None => format!("&bindtodevice={}", bound.interface),
            });
            // shorter patience than libsrt's own: another destination may be waiting
            let uri = format!(
                "srt://{place}?mode=caller&latency={}&payloadsize=1316&peeridletimeo=3000&conntimeo=2000{through}",
                road.latency.as_millis()
            );
            let mut settings = vec![
                ("uri", Setting::Plain(text(uri))),
                ("wait-for-connection", Setting::Plain(Value::Flag(false))),
                ("auto-reconnect", Setting::Plain(Value::Flag(true))),
            ];
            flags(&mut settings);
            if !road.stream_id.is_empty() {
                settings.push(("streamid", Setting::Plain(text(road.stream_id.clone()))));
            }
            if !road.secret.0.is_empty() {
                settings.push(("pbkeylen", Setting::Plain(text("16"))));
                settings.push(("passphrase", Setting::Hidden(road.secret.clone())));
            }
            let session = vec![Step::Element { factory: "srtsink", name: SESSION, settings }];
            Way { entrance: vec![session_entrance()], apart: None, session }
        }
    }
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
    /// What scales them in place of the processor.
    pub scaler: Option<Scaler>,
}

/// As [`picture_tail`] for a live device, scaled by hardware; only the format is left to the processor.
#[must_use]
fn hardware_tail(size: PictureSize, scaler: Scaler) -> Chain {
    let mut tail = picture_tail(size, Pace::LiveLarge);
    let borders = [("add-borders", Value::Flag(true))];
    let settings: &[_] = if scaler.borders() { &borders } else { &[] };
    for step in &mut tail {
        if matches!(step, Step::Element { factory: "videoscale", .. }) {
            *step = element(scaler.name(), "", settings);
        }
    }
    tail
}

/// From a picture of the programme to one that fills a place of `width` × `height` pixels, by the element `scaler`.
#[must_use]
pub fn inset(size: PictureSize, scaler: &'static str, place: PictureSize) -> Chain {
    vec![
        element(
            "appsrc",
            ENTRANCE,
            &[("caps", text(picture_caps(size))), ("format", text("time")), ("is-live", Value::Flag(true))],
        ),
        element(scaler, "", &[]),
        Step::Caps(picture_caps(place)),
        exit(false, 2),
    ]
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
    let pace = if picture.large { Pace::LiveLarge } else { Pace::Live };
    chain.extend(picture.scaler.map_or_else(|| picture_tail(size, pace), |scaler| hardware_tail(size, scaler)));
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
            store: PathBuf::from("/nowhere"),
            fallback: Vec::new(),
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

    fn settings() -> Settings {
        let config = config();
        Settings {
            bitrate: Bitrate::mbps(2),
            gop: config.gop,
            rate: config.rate,
            codec: super::super::road::Codec::H264,
        }
    }

    #[test]
    fn no_encoder_holds_the_pump_back() {
        let chain = pictures(config().size, EncoderKind::X264enc, &settings());
        assert!(!flag(&chain, "appsrc", "block"));
        assert_eq!(setting(&chain, "appsrc", "max-buffers"), Some(Setting::Plain(number(0))));
    }

    fn road(scheme: Scheme) -> Road {
        Road {
            scheme,
            uplink: "lte1".into(),
            to: vec!["studio.example:9000".into()],
            stream_id: "hall".into(),
            secret: Secret("correct horse".into()),
            secret_file: None,
            latency: Duration::from_millis(700),
        }
    }

    #[test]
    fn a_road_of_its_own_is_bound_to_its_uplink_and_shows_no_secret() {
        let bound = Bound { interface: "wwan0".into(), address: None };
        let srt = way(&road(Scheme::Srt), None, "studio.example:9000", Some(&bound));
        let Some(Setting::Plain(Value::Text(uri))) = setting(&srt.session, "srtsink", "uri") else { panic!() };
        assert!(uri.contains("latency=700") && uri.ends_with("&bindtodevice=wwan0"), "{uri}");
        let bound = Bound { address: Some([10, 0, 0, 7].into()), ..bound };
        let srt = way(&road(Scheme::Srt), None, "studio.example:9000", Some(&bound));
        let Some(Setting::Plain(Value::Text(uri))) = setting(&srt.session, "srtsink", "uri") else { panic!() };
        assert!(uri.ends_with("&localaddress=10.0.0.7"), "{uri}");

        let rtmp = Rtmp::parse("rtmps://live.example/app").unwrap();
        let to = way(&road(Scheme::Rtmp), Some(&rtmp), "127.0.0.1:4000", None);
        let Some(Setting::Hidden(location)) = setting(&to.session, "rtmp2sink", "location") else { panic!() };
        assert_eq!(location.0, "rtmp://127.0.0.1:4000/app/correct horse");
        assert!(!format!("{srt:?}{to:?}").contains("horse"));
    }

    #[test]
    fn two_programmes_of_one_stream_are_told_apart_by_their_identifiers() {
        assert_eq!(setting(&mux(&[1, 1]), "mpegtsmux", "prog-map"), None);
        let map = text("program_map,sink_65=(int)1,sink_66=(int)1,sink_67=(int)2");
        assert_eq!(setting(&mux(&[1, 1, 2]), "mpegtsmux", "prog-map"), Some(Setting::Plain(map)));
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
            pictures(config().size, kind, &settings())
                .iter()
                .any(|s| matches!(s, Step::Element { factory: f, .. } if *f == factory))
        };
        assert!(has(EncoderKind::Mpph264enc, "videoconvert"));
        assert!(!has(EncoderKind::X264enc, "videoconvert"));
    }

    #[test]
    fn every_datagram_is_filled_with_seven_packets() {
        assert_eq!(setting(&mux(&[1, 1]), "mpegtsmux", "alignment"), Some(Setting::Plain(Value::Number(7))));
    }

    #[test]
    fn halves_of_pictures_are_woven_before_anything_else_is_done_to_them() {
        let picture = Picture { large: true, fields: true, scaler: None };
        let chain = v4l2(Path::new("/dev/video0"), "", picture, config().size);
        let at = |factory| chain.iter().position(|s| matches!(s, Step::Element { factory: f, .. } if *f == factory));
        assert!(at("deinterlace").unwrap() < at("videoscale").unwrap());
        assert_eq!(chain[1], Step::Caps("video/x-raw(ANY)".into()));
    }

    #[test]
    fn hardware_scales_where_the_board_lists_it_and_the_processor_does_not() {
        let of = |scaler| v4l2(Path::new("/dev/video0"), "", Picture { scaler, ..Picture::default() }, config().size);
        let has = |chain: &Chain, factory| {
            chain.iter().any(|s| matches!(s, Step::Element { factory: f, .. } if *f == factory))
        };

        let rga = of(Some(Scaler::V4l2convert));
        assert!(has(&rga, "v4l2convert") && !has(&rga, "videoscale"));
        assert!(flag(&of(Some(Scaler::Vapostproc)), "vapostproc", "add-borders"));
        assert!(has(&of(None), "videoscale"));
        assert_eq!(
            rga.iter().rev().find(|s| matches!(s, Step::Caps(_))),
            Some(&Step::Caps(picture_caps(config().size)))
        );
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
