//! Encoder: every H.264 element's own names and units, behind one set of words.
//!
//! In goes what is wanted ([`Settings`]); out come the properties to set on the element. What an
//! element does not take as a property (a key picture on demand) goes by an event, the same for all
//! but `v4l2h264enc`, which has a control of its own that its element triggers from that event.

use std::time::Duration;

use super::road::Codec;
use super::stream::FrameRate;
use crate::board::EncoderKind;
use crate::units::Bitrate;

/// What is wanted of an encoder, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bitrate now.
    pub bitrate: Bitrate,
    /// Key picture at least so often.
    pub gop: Duration,
    /// Pictures per second.
    pub rate: FrameRate,
    /// The coding.
    pub codec: Codec,
}

/// A value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number; the element's own type of integer.
    Number(u64),
    /// A flag.
    Flag(bool),
    /// The nick of an enumeration, or a text, or a structure in GStreamer's own notation.
    Text(String),
}

/// A property of an element and the value to set.
pub type Property = (&'static str, Value);

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// The name of the element: of the same driver, for one coding or the other.
#[must_use]
pub const fn element(kind: EncoderKind, codec: Codec) -> &'static str {
    match (kind, codec) {
        (EncoderKind::Mpph264enc, Codec::H264) => "mpph264enc",
        (EncoderKind::V4l2h264enc, Codec::H264) => "v4l2h264enc",
        (EncoderKind::Vah264lpenc, Codec::H264) => "vah264lpenc",
        (EncoderKind::Vah264enc, Codec::H264) => "vah264enc",
        (EncoderKind::X264enc, Codec::H264) => "x264enc",
        (EncoderKind::Mpph264enc, Codec::H265) => "mpph265enc",
        (EncoderKind::V4l2h264enc, Codec::H265) => "v4l2h265enc",
        (EncoderKind::Vah264lpenc, Codec::H265) => "vah265lpenc",
        (EncoderKind::Vah264enc, Codec::H265) => "vah265enc",
        (EncoderKind::X264enc, Codec::H265) => "x265enc",
    }
}

/// Which encoders to try, in order: the board's, and the processor as the last resort.
#[must_use]
pub fn order(board: &[EncoderKind]) -> Vec<EncoderKind> {
    let mut order: Vec<EncoderKind> = board.iter().copied().filter(|k| *k != EncoderKind::X264enc).collect();
    order.push(EncoderKind::X264enc);
    order
}

/// The first encoder of the board's order that the machine `has` and whose `trial` succeeds, and what deserves a
/// look: who was refused, and, where only the processor is left of a board with encoders, who is missing.
///
/// # Errors
/// Why each of them was refused, if none is left.
pub fn choose(
    board: &[EncoderKind],
    codec: Codec,
    has: impl Fn(EncoderKind) -> bool,
    mut trial: impl FnMut(EncoderKind) -> Result<(), String>,
) -> Result<(EncoderKind, Vec<String>), Vec<String>> {
    let (mut missing, mut refused) = (Vec::new(), Vec::new());
    for kind in order(board) {
        let name = element(kind, codec);
        if !has(kind) {
            missing.push(format!("{name} is not on this machine"));
            continue;
        }
        match trial(kind) {
            Ok(()) if kind == EncoderKind::X264enc => return Ok((kind, [missing, refused].concat())),
            // a board lists what its models may have: one of them is enough
            Ok(()) => return Ok((kind, refused)),
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    Err([missing, refused].concat())
}

/// So long may an encoder's trial take. Hardware that works answers within a second, and four
/// that hang must not eat the time in which a box that was on air is back there.
#[must_use]
pub const fn trial_within(kind: EncoderKind) -> Duration {
    match kind {
        // nothing comes after it: a loaded processor gets time
        EncoderKind::X264enc => Duration::from_secs(5),
        _ => Duration::from_secs(2),
    }
}

/// The raw format that the element is fed with.
#[must_use]
pub const fn input_format(kind: EncoderKind) -> &'static str {
    match kind {
        // hardware takes two planes; the processor's encoder takes the pump's own three
        EncoderKind::Mpph264enc | EncoderKind::V4l2h264enc | EncoderKind::Vah264lpenc | EncoderKind::Vah264enc => {
            "NV12"
        }
        EncoderKind::X264enc => "I420",
    }
}

/// What the element's output caps must say beyond the coding, if anything.
#[must_use]
pub const fn output_caps(kind: EncoderKind, codec: Codec) -> &'static str {
    match (kind, codec) {
        // without a level the Raspberry Pi's driver refuses 1080p
        (EncoderKind::V4l2h264enc, Codec::H264) => "video/x-h264,level=(string)4,profile=(string)high",
        (_, Codec::H264) => "video/x-h264",
        (_, Codec::H265) => "video/x-h265",
    }
}

/// The element that puts the coded pictures in the form that a mux takes.
#[must_use]
pub const fn parser(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "h264parse",
        Codec::H265 => "h265parse",
    }
}

/// The form that a mux takes: start codes, one whole picture a buffer.
#[must_use]
pub const fn unit_caps(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "video/x-h264,stream-format=byte-stream,alignment=au",
        Codec::H265 => "video/x-h265,stream-format=byte-stream,alignment=au",
    }
}

/// Pictures from key picture to key picture.
#[must_use]
pub fn key_distance(settings: &Settings) -> u64 {
    ((settings.gop.as_secs_f64() * settings.rate.as_f64()).round() as u64).max(1)
}

/// All properties to set before the element starts.
#[must_use]
pub fn start(kind: EncoderKind, settings: &Settings) -> Vec<Property> {
    let keys = Value::Number(key_distance(settings));
    let mut properties = match kind {
        EncoderKind::Mpph264enc => vec![
            ("rc-mode", text("cbr")),
            ("gop", keys),
            // parameter sets with every key picture: a receiver may come at any time
            ("header-mode", text("each-idr")),
        ],
        EncoderKind::V4l2h264enc => vec![],
        EncoderKind::Vah264lpenc | EncoderKind::Vah264enc => vec![
            ("rate-control", text("cbr")),
            ("key-int-max", keys),
            ("b-frames", Value::Number(0)),
            ("ref-frames", Value::Number(1)),
        ],
        EncoderKind::X264enc if settings.codec == Codec::H265 => vec![
            ("tune", text("zerolatency")),
            ("speed-preset", text("ultrafast")),
            ("key-int-max", Value::Number(key_distance(settings))),
            (
                "option-string",
                text(format!(
                    "scenecut=0:bframes=0:repeat-headers=1:aud=1:vbv-maxrate={0}:vbv-bufsize={1}",
                    settings.bitrate.as_kbps(),
                    settings.bitrate.as_kbps() / 2
                )),
            ),
        ],
        EncoderKind::X264enc => vec![
            ("tune", text("zerolatency")),
            ("speed-preset", text("superfast")),
            ("key-int-max", keys),
            ("bframes", Value::Number(0)),
            ("byte-stream", Value::Flag(true)),
            ("aud", Value::Flag(true)),
            ("threads", Value::Number(2)),
            // half a second of buffer: a change of rate is felt at once, a key picture still fits
            ("vbv-buf-capacity", Value::Number(500)),
            // a cut in the picture must not cost a key picture that the links have no room for
            ("option-string", text("scenecut=0")),
        ],
    };
    properties.extend(rate(kind, settings));
    properties
}

/// The properties that change the bitrate of a running element.
#[must_use]
pub fn rate(kind: EncoderKind, settings: &Settings) -> Vec<Property> {
    let (bps, kbps) = (settings.bitrate.as_bps(), settings.bitrate.as_kbps().max(1));
    match kind {
        EncoderKind::Mpph264enc => vec![
            ("bps", Value::Number(bps)),
            ("bps-min", Value::Number(bps / 4)),
            // its constant rate overshoots on hard scenes: little room above
            ("bps-max", Value::Number(bps + bps / 16)),
        ],
        EncoderKind::V4l2h264enc => vec![(
            "extra-controls",
            // the element takes the structure whole, so the constant controls go along each time
            text(format!(
                "controls,video_bitrate_mode=1,video_bitrate={bps},{}={},repeat_sequence_header=1",
                if settings.codec == Codec::H264 { "h264_i_frame_period" } else { "video_gop_size" },
                key_distance(settings)
            )),
        )],
        EncoderKind::Vah264lpenc | EncoderKind::Vah264enc | EncoderKind::X264enc => {
            vec![("bitrate", Value::Number(kbps))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Settings = Settings {
        bitrate: Bitrate::kbps(2500),
        gop: Duration::from_secs(2),
        rate: FrameRate { num: 25, den: 1 },
        codec: Codec::H264,
    };

    fn value(kind: EncoderKind, name: &str) -> Value {
        start(kind, &WANTED).into_iter().find(|(n, _)| *n == name).map(|(_, v)| v).unwrap()
    }

    #[test]
    fn each_encoder_is_told_the_bitrate_in_its_own_unit() {
        assert_eq!(value(EncoderKind::X264enc, "bitrate"), Value::Number(2500));
        assert_eq!(value(EncoderKind::Vah264enc, "bitrate"), Value::Number(2500));
        assert_eq!(value(EncoderKind::Vah264lpenc, "bitrate"), Value::Number(2500));
        assert_eq!(value(EncoderKind::Mpph264enc, "bps"), Value::Number(2_500_000));
        assert_eq!(value(EncoderKind::Mpph264enc, "bps-max"), Value::Number(2_656_250));
        let Value::Text(controls) = value(EncoderKind::V4l2h264enc, "extra-controls") else { panic!() };
        assert!(controls.contains("video_bitrate=2500000,"), "{controls}");
    }

    #[test]
    fn each_encoder_is_told_the_distance_of_key_pictures() {
        assert_eq!(value(EncoderKind::X264enc, "key-int-max"), Value::Number(50));
        assert_eq!(value(EncoderKind::Vah264enc, "key-int-max"), Value::Number(50));
        assert_eq!(value(EncoderKind::Mpph264enc, "gop"), Value::Number(50));
        let Value::Text(controls) = value(EncoderKind::V4l2h264enc, "extra-controls") else { panic!() };
        assert!(controls.contains("h264_i_frame_period=50,"), "{controls}");
    }

    #[test]
    fn a_change_of_rate_leaves_everything_else_alone() {
        let more = Settings { bitrate: Bitrate::mbps(6), ..WANTED };
        assert_eq!(rate(EncoderKind::X264enc, &more), vec![("bitrate", Value::Number(6000))]);
        assert_eq!(rate(EncoderKind::Vah264lpenc, &more), vec![("bitrate", Value::Number(6000))]);
        assert_eq!(rate(EncoderKind::Mpph264enc, &more).len(), 3);
        assert_eq!(rate(EncoderKind::V4l2h264enc, &more).len(), 1);
    }

    #[test]
    fn no_encoder_makes_pictures_that_wait_for_later_ones_or_keys_at_cuts() {
        assert_eq!(value(EncoderKind::X264enc, "tune"), Value::Text("zerolatency".into()));
        assert_eq!(value(EncoderKind::X264enc, "bframes"), Value::Number(0));
        assert_eq!(value(EncoderKind::X264enc, "option-string"), Value::Text("scenecut=0".into()));
        assert_eq!(value(EncoderKind::Vah264enc, "b-frames"), Value::Number(0));
    }

    #[test]
    fn h265_goes_to_the_same_driver_by_its_other_element_with_the_same_rate_and_key_distance() {
        let wanted = Settings { codec: Codec::H265, ..WANTED };
        let told = |kind| (element(kind, Codec::H265), start(kind, &wanted));
        let value = |properties: &[Property], name| properties.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());

        let (name, mpp) = told(EncoderKind::Mpph264enc);
        assert_eq!(
            (name, value(&mpp, "bps"), value(&mpp, "gop")),
            ("mpph265enc", Some(Value::Number(2_500_000)), Some(Value::Number(50)))
        );
        let (name, va) = told(EncoderKind::Vah264lpenc);
        assert_eq!(
            (name, value(&va, "bitrate"), value(&va, "key-int-max")),
            ("vah265lpenc", Some(Value::Number(2500)), Some(Value::Number(50)))
        );
        let (name, v4l2) = told(EncoderKind::V4l2h264enc);
        let Some(Value::Text(controls)) = value(&v4l2, "extra-controls") else { panic!() };
        assert!(name == "v4l2h265enc" && controls.contains("video_bitrate=2500000,video_gop_size=50,"), "{controls}");
        let (name, x265) = told(EncoderKind::X264enc);
        let Some(Value::Text(options)) = value(&x265, "option-string") else { panic!() };
        assert!(name == "x265enc" && options.contains("scenecut=0:bframes=0"), "{options}");
    }

    #[test]
    fn the_processor_is_always_the_last_resort() {
        use EncoderKind::{Mpph264enc, V4l2h264enc, X264enc};
        assert_eq!(order(&[X264enc, Mpph264enc, V4l2h264enc]), [Mpph264enc, V4l2h264enc, X264enc]);
        assert_eq!(order(&[]), [X264enc]);
    }

    #[test]
    fn an_encoder_that_is_absent_or_fails_its_trial_is_passed_over_and_the_processor_comes_last() {
        use EncoderKind::{Mpph264enc, V4l2h264enc, Vah264enc, Vah264lpenc, X264enc};
        let mut tried = Vec::new();
        let chosen = choose(
            &EncoderKind::ALL,
            Codec::H264,
            |kind| kind != Mpph264enc,
            |kind| {
                tried.push(kind);
                if kind == X264enc { Ok(()) } else { Err("no such device".into()) }
            },
        );
        let why = ["mpph264enc is not on this machine", "v4l2h264enc: no such device", "vah264lpenc: no such device"];
        assert_eq!(
            chosen,
            Ok((
                X264enc,
                [&why[..], &["vah264enc: no such device"]].concat().iter().map(|s| (*s).to_owned()).collect()
            ))
        );
        assert_eq!(tried, [V4l2h264enc, Vah264lpenc, Vah264enc, X264enc]);
        assert_eq!(choose(&[X264enc, Vah264enc], Codec::H264, |_| true, |_| Ok(())), Ok((Vah264enc, vec![])));
        let one = choose(&[Vah264lpenc, Vah264enc], Codec::H264, |kind| kind != Vah264lpenc, |_| Ok(()));
        assert_eq!(one, Ok((Vah264enc, vec![])), "a board lists what its models may have");
    }

    #[test]
    fn if_no_encoder_works_each_says_why() {
        let none = choose(
            &[EncoderKind::Vah264enc],
            Codec::H264,
            |kind| kind == EncoderKind::X264enc,
            |_| Err("hangs".into()),
        );
        assert_eq!(none, Err(vec!["vah264enc is not on this machine".into(), "x264enc: hangs".into()]));
    }

    #[test]
    fn hardware_that_hangs_leaves_time_to_be_on_air_within_fifteen_seconds() {
        let hanging: Duration =
            EncoderKind::ALL.into_iter().filter(|k| *k != EncoderKind::X264enc).map(trial_within).sum();
        assert!(hanging <= Duration::from_secs(8), "{hanging:?}");
    }
}
