//! Settings of the further outputs: `[backup]`, `[programme]` and `[dual]`.

use std::time::Duration;

use super::config::Secret;
use super::output::{OutputId, Scheme};
use super::stream::FrameRate;
use crate::table::{SecretRef, Section};
use crate::units::Bitrate;

/// The longest stream id that SRT carries.
const MAX_STREAM_ID: usize = 512;
/// Destinations of one output at the most.
const MAX_DESTINATIONS: usize = 4;

/// How an output of its own leaves, beside the bond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Road {
    /// By which scheme.
    pub scheme: Scheme,
    /// The uplink's slot that it is bound to; empty for whichever the kernel finds.
    pub uplink: String,
    /// Where to, the preferred one first: `HOST:PORT`, or an address of RTMP without its key.
    pub to: Vec<String>,
    /// SRT stream id; empty for none.
    pub stream_id: String,
    /// SRT passphrase or RTMP stream key; empty for none. Never shown.
    pub secret: Secret,
    /// Where that is kept.
    pub secret_file: Option<SecretRef>,
    /// Latency of the SRT session.
    pub latency: Duration,
}

/// A picture's coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// H.264, which everyone reads.
    #[default]
    H264,
    /// H.265, where board and scheme have it.
    H265,
}

/// The second encode and its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// How it leaves.
    pub road: Road,
    /// Bitrate of its pictures.
    pub bitrate: Bitrate,
    /// Key picture at least so often.
    pub gop: Duration,
    /// Coding of its pictures.
    pub codec: Codec,
}

/// Camera and slides as two streams of one clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dual {
    /// As two programs of one transport stream; `None`: as numbered streams of the bond.
    pub road: Option<Road>,
    /// Bitrate of the camera's pictures.
    pub camera: Bitrate,
    /// Bitrate of the slides' pictures.
    pub slides: Bitrate,
    /// Pictures per second of the slides, a whole part of the programme's.
    pub slides_rate: FrameRate,
}

/// Everything that leaves beside the bonded programme.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roads {
    /// The second encode.
    pub backup: Option<Backup>,
    /// Whichever output is active.
    pub programme: Option<Road>,
    /// The dual image.
    pub dual: Option<Dual>,
}

impl Roads {
    /// Reads the three sections; `rate` is the programme's.
    pub fn read(root: &mut Section<'_>, rate: FrameRate) -> Self {
        let ms = Duration::from_millis;
        let backup = {
            let mut section = root.section("backup");
            let road = road(&mut section, &PLAIN);
            let line = section.line_of("codec");
            let bitrate = section.bitrate("bitrate", Bitrate::kbps(1500), Bitrate::kbps(100)..=Bitrate::mbps(20));
            let gop = section.duration("gop", ms(1000), ms(200)..=ms(10_000));
            let codec = section.choice("codec", &[("h264", Codec::H264), ("h265", Codec::H265)], Codec::H264);
            if codec == Codec::H265 && road.as_ref().is_some_and(|road| road.scheme == Scheme::Rtmp) {
                section.fault(line, "codec", "\"h265\" does not travel by RTMP; write \"h264\", or scheme = \"srt\"");
            }
            if codec == Codec::H265 && root.peek_section("programme", "scheme").is_some_and(|scheme| scheme != "off") {
                section.fault(
                    line,
                    "codec",
                    "\"h265\" cannot stand in for H.264 in [programme]; write \"h264\", or programme.scheme = \"off\"",
                );
            }
            road.map(|road| Backup { road, bitrate, gop, codec })
        };
        let programme = road(&mut root.section("programme"), &PLAIN);
        let dual = {
            let mut section = root.section("dual");
            let (scheme_line, rate_line) = (section.line_of("scheme"), section.line_of("rate_slides"));
            let bonded = section.peek("scheme") == Some("bond");
            let road = road(&mut section, &DUAL);
            let kbps = Bitrate::kbps;
            let camera = section.bitrate("bitrate_camera", kbps(1500), kbps(100)..=Bitrate::mbps(20));
            let slides = section.bitrate("bitrate_slides", kbps(600), kbps(100)..=Bitrate::mbps(20));
            let slides_rate = section
                .parsed("rate_slides", "a frame rate such as \"5\" (1 to 60)")
                .map_or(FrameRate { num: 5, den: 1 }, |SlowRate(rate)| rate);
            if slides_rate.every(rate).is_none() && (road.is_some() || bonded) {
                let whole = FrameRate { num: rate.num, den: rate.den * 5 };
                let what = format!(
                    "is not the programme's rate divided by a whole number; with {rate} pictures a second {whole} would be"
                );
                section.fault(if rate_line > 0 { rate_line } else { scheme_line }, "rate_slides", what);
            }
            (bonded || road.is_some()).then_some(Dual { road, camera, slides, slides_rate })
        };
        Self { backup, programme, dual }
    }

    /// The same wherever in the file it was written.
    #[must_use]
    pub fn unplaced(&self) -> Self {
        let mut roads = self.clone();
        for secret in roads.all_mut().filter_map(|road| road.secret_file.as_mut()) {
            secret.line = 0;
        }
        roads
    }

    /// Where the secrets are kept, and whose they are.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.all().filter_map(|(_, road)| road.secret_file.as_ref())
    }

    /// Every road with the output it carries.
    pub fn all(&self) -> impl Iterator<Item = (OutputId, &Road)> {
        let backup = self.backup.iter().map(|backup| (OutputId::Backup, &backup.road));
        let programme = self.programme.iter().map(|road| (OutputId::Programme, road));
        let dual = self.dual.iter().filter_map(|dual| dual.road.as_ref()).map(|road| (OutputId::Camera, road));
        backup.chain(programme).chain(dual)
    }

    /// The same, to fill their secrets in.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Road> {
        let backup = self.backup.iter_mut().map(|backup| &mut backup.road);
        let dual = self.dual.iter_mut().filter_map(|dual| dual.road.as_mut());
        backup.chain(self.programme.iter_mut()).chain(dual)
    }

    /// True if this output is set up; the bonded programme always is.
    #[must_use]
    pub fn has(&self, output: OutputId) -> bool {
        match output {
            OutputId::Main => true,
            OutputId::Backup => self.backup.is_some(),
            OutputId::Programme => self.programme.is_some(),
            OutputId::Camera | OutputId::Slides => self.dual.is_some(),
        }
    }

    /// The road of an output that does not leave through the bond.
    #[must_use]
    pub fn of(&self, output: OutputId) -> Option<&Road> {
        match output {
            OutputId::Main => None,
            OutputId::Backup => self.backup.as_ref().map(|backup| &backup.road),
            OutputId::Programme => self.programme.as_ref(),
            OutputId::Camera | OutputId::Slides => self.dual.as_ref().and_then(|dual| dual.road.as_ref()),
        }
    }
}

/// A frame rate below those of a programme too: slides stand still.
struct SlowRate(FrameRate);

impl std::str::FromStr for SlowRate {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (num, den) = text.split_once('/').unwrap_or((text, "1"));
        let rate = FrameRate { num: num.parse().map_err(drop)?, den: den.parse().map_err(drop)? };
        if rate.den == 0 || !(1.0..=60.0).contains(&rate.as_f64()) { Err(()) } else { Ok(Self(rate)) }
    }
}

const PLAIN: [(&str, Option<Scheme>); 4] =
    [("off", None), ("srt", Some(Scheme::Srt)), ("rtmp", Some(Scheme::Rtmp)), ("rist", Some(Scheme::Rist))];
/// RTMP carries one programme.
const DUAL: [(&str, Option<Scheme>); 4] =
    [("off", None), ("bond", None), ("srt", Some(Scheme::Srt)), ("rist", Some(Scheme::Rist))];

fn road(section: &mut Section<'_>, schemes: &[(&str, Option<Scheme>)]) -> Option<Road> {
    let ms = Duration::from_millis;
    let (to_line, id_line, secret_line) =
        (section.line_of("to"), section.line_of("stream_id"), section.line_of("passphrase_file"));
    let scheme = section.choice("scheme", schemes, None);
    let uplink = section.text("uplink").unwrap_or_default();
    let to = section.texts("to");
    let stream_id = section.text("stream_id").unwrap_or_default();
    let secret_file = section.secret("passphrase_file");
    let latency = section.duration("latency", ms(1000), ms(80)..=ms(30_000));
    let scheme = scheme?;
    if to.is_empty() {
        section.fault(to_line, "to", "names no destination; write to = [\"HOST:PORT\"]");
    }
    if to.len() > MAX_DESTINATIONS {
        section.fault(to_line, "to", format!("names more than {MAX_DESTINATIONS} destinations"));
    }
    for place in &to {
        if let Err(wanted) = check(scheme, place) {
            section.fault(to_line, "to", format!("\"{place}\" is not {wanted}"));
        }
    }
    if stream_id.len() > MAX_STREAM_ID || stream_id.chars().any(char::is_control) {
        let why = format!("is not a stream id; at most {MAX_STREAM_ID} bytes without control characters");
        section.fault(id_line, "stream_id", why);
    }
    if scheme == Scheme::Rist && secret_file.is_some() {
        let why = "is of no use: RIST's simple profile has no encryption; leave it \"\", or write scheme = \"srt\"";
        section.fault(secret_line, "passphrase_file", why);
    }
    Some(Road { scheme, uplink, to, stream_id, secret: Secret::default(), secret_file, latency })
}

/// What a destination of this scheme has to look like, if `place` does not.
fn check(scheme: Scheme, place: &str) -> Result<(), &'static str> {
    let fits = match scheme {
        Scheme::Srt | Scheme::Rist | Scheme::Bond => place.parse::<super::config::Destination>().is_ok(),
        Scheme::Rtmp => Rtmp::parse(place).is_some(),
    };
    let even = scheme != Scheme::Rist
        || place.rsplit_once(':').is_some_and(|(_, port)| port.ends_with(['0', '2', '4', '6', '8']));
    match scheme {
        _ if fits && even => Ok(()),
        Scheme::Rtmp => {
            Err("an address such as \"rtmps://live.example/app\"; the stream's key belongs into passphrase_file")
        }
        Scheme::Rist => Err("HOST:PORT with an even port, as RIST wants it"),
        Scheme::Srt | Scheme::Bond => Err("HOST:PORT with a name or an IPv4 address"),
    }
}

/// An address of RTMP, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rtmp {
    /// Over TLS.
    pub tls: bool,
    /// Name or address of the server.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Application and what follows it, without the first slash.
    pub path: String,
}

impl Rtmp {
    /// Reads `rtmp://HOST[:PORT]/APP` or `rtmps://…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (tls, rest) = match (text.strip_prefix("rtmp://"), text.strip_prefix("rtmps://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return None,
        };
        let (place, path) = rest.split_once('/')?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
            None => (place, if tls { 443 } else { 1935 }),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if host.is_empty() || !host.chars().all(plain) || path.is_empty() || path.contains(char::is_whitespace) {
            return None;
        }
        Some(Self { tls, host: host.to_owned(), port, path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Document;

    fn read(text: &str) -> (Roads, Vec<String>) {
        let document = Document::parse("t.toml", text);
        let roads = Roads::read(&mut document.root(), FrameRate { num: 25, den: 1 });
        let faults = document.faults().iter().map(ToString::to_string).collect();
        (roads, faults)
    }

    #[test]
    fn nothing_leaves_beside_the_bond_unless_it_is_written() {
        assert_eq!(read(""), (Roads::default(), vec![]));
    }

    #[test]
    fn each_output_has_its_scheme_its_uplink_and_its_destinations_in_order() {
        let (roads, faults) = read(
            "[backup]\nscheme = \"srt\"\nuplink = \"lte1\"\nto = [\"a.example:9000\", \"10.0.0.1:9001\"]\nbitrate = \"1Mbps\"\n\
             gop = \"500ms\"\n[programme]\nscheme = \"rtmp\"\nto = [\"rtmps://live.example/app\"]\n\
             [dual]\nscheme = \"bond\"\n",
        );

        assert_eq!(faults, Vec::<String>::new());
        let backup = roads.backup.as_ref().unwrap();
        assert_eq!((backup.road.scheme, backup.road.uplink.as_str()), (Scheme::Srt, "lte1"));
        assert_eq!(backup.road.to, ["a.example:9000", "10.0.0.1:9001"]);
        assert_eq!(roads.programme.as_ref().unwrap().scheme, Scheme::Rtmp);
        assert!(roads.dual.as_ref().unwrap().road.is_none() && roads.has(OutputId::Slides));
    }

    #[test]
    fn what_cannot_work_is_told_with_its_line_and_the_mend() {
        let (_, faults) = read(
            "[backup]\nscheme = \"rtmp\"\nto = [\"live.example:1935\"]\ncodec = \"h265\"\n\
             [programme]\nscheme = \"rist\"\nto = [\"10.0.0.1:5001\"]\n[dual]\nscheme = \"srt\"\nto = []\nrate_slides = \"4\"\n",
        );

        let told = |start: &str| faults.iter().any(|fault| fault.starts_with(start));
        assert!(told("t.toml:3: backup.to: \"live.example:1935\" is not an address such as"), "{faults:#?}");
        assert!(told("t.toml:4: backup.codec: \"h265\" does not travel by RTMP"), "{faults:#?}");
        assert!(told("t.toml:7: programme.to: \"10.0.0.1:5001\" is not HOST:PORT with an even port"), "{faults:#?}");
        assert!(told("t.toml:10: dual.to: names no destination"), "{faults:#?}");
        assert!(told("t.toml:11: dual.rate_slides: is not the programme's rate divided"), "{faults:#?}");
    }

    #[test]
    fn an_rtmp_address_is_taken_apart() {
        let parsed = Rtmp::parse("rtmps://live.example/app/hall?x=1").unwrap();
        assert_eq!((parsed.tls, parsed.host.as_str(), parsed.port), (true, "live.example", 443));
        assert_eq!(parsed.path, "app/hall?x=1");
        assert_eq!(Rtmp::parse("rtmp://h:1936/a").map(|r| r.port), Some(1936));
        assert!(["http://h/a", "rtmp://h", "rtmp:///a", "rtmp://h:0/a"].iter().all(|bad| Rtmp::parse(bad).is_none()));
    }
}
