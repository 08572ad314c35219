//! Slates: the pictures that stand in for the programme, from files on the box that are checked by their SHA-256.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::layout::Rect;
use super::stream::PictureSize;
use crate::table::Section;

/// Which slate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slate {
    /// Please wait: what one press of the key shows.
    #[default]
    Hold,
    /// Before the event: a film in a loop, or a still.
    Warmup,
    /// Something is broken; it also stands in by itself for a source that fills the screen and is lost.
    Technical,
    /// The event is over.
    End,
}

impl Slate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hold, Self::Warmup, Self::Technical, Self::End];

    /// The name in commands, settings and alarms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Warmup => "warmup",
            Self::Technical => "technical",
            Self::End => "end",
        }
    }
}

impl fmt::Display for Slate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Slate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|slate| slate.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("\"{text}\" is no slate; there is {names}")
        })
    }
}

/// A file, and what its bytes must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// A corner of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Corner {
    /// Above, left.
    TopLeft,
    /// Above, right.
    #[default]
    TopRight,
    /// Below, left.
    BottomLeft,
    /// Below, right.
    BottomRight,
}

impl Corner {
    /// Where a logo of this size lies: within the part of the picture that every display shows, no larger
    /// than a fifth of its width and height, its shape kept, on even edges.
    #[must_use]
    pub fn place(self, picture: PictureSize, logo: (u32, u32)) -> Rect {
        let (most_x, most_y) = (picture.width / 5, picture.height / 5);
        let (w, h) = (u64::from(logo.0.max(1)), u64::from(logo.1.max(1)));
        let fits = |n: u64| (n as u32 & !1).max(2);
        let (mut width, mut height) = (fits(w.min(u64::from(most_x))), 0);
        height = fits(h * u64::from(width) / w).max(height);
        if height > most_y {
            (width, height) = (fits(w * u64::from(most_y) / h), fits(u64::from(most_y)));
        }
        let (edge_x, edge_y) = ((picture.width / 28) & !1, (picture.height / 28) & !1);
        let x = match self {
            Self::TopLeft | Self::BottomLeft => edge_x,
            Self::TopRight | Self::BottomRight => (picture.width - width - edge_x) & !1,
        };
        let y = match self {
            Self::TopLeft | Self::TopRight => edge_y,
            Self::BottomLeft | Self::BottomRight => (picture.height - height - edge_y) & !1,
        };
        Rect { x, y, width, height }
    }
}

/// `[slates]` of the settings file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slates {
    /// The files, in the order of [`Slate::ALL`]; the built-in one stands where there is none.
    pub files: [Option<Checked>; 4],
    /// The logo on every picture that is no slate.
    pub logo: Option<Checked>,
    /// Where the logo lies.
    pub corner: Corner,
}

impl Slates {
    /// Reads the section `[slates]`.
    pub fn read(section: &mut Section<'_>) -> Self {
        let corners = [
            ("top_left", Corner::TopLeft),
            ("top_right", Corner::TopRight),
            ("bottom_left", Corner::BottomLeft),
            ("bottom_right", Corner::BottomRight),
        ];
        Self {
            files: [
                checked(section, "hold", "hold_sha256"),
                checked(section, "warmup", "warmup_sha256"),
                checked(section, "technical", "technical_sha256"),
                checked(section, "end", "end_sha256"),
            ],
            logo: checked(section, "logo", "logo_sha256"),
            corner: section.choice("logo_corner", &corners, Corner::default()),
        }
    }

    /// The file of this slate.
    #[must_use]
    pub fn file(&self, slate: Slate) -> Option<&Checked> {
        Slate::ALL.iter().zip(&self.files).find(|(of, _)| **of == slate).and_then(|(_, file)| file.as_ref())
    }
}

fn checked(section: &mut Section<'_>, key: &'static str, hash: &'static str) -> Option<Checked> {
    let lines = (section.line_of(key), section.line_of(hash));
    let path = section.text(key).filter(|path| !path.is_empty()).map(PathBuf::from);
    let text = section.text(hash).unwrap_or_default();
    let path = path?;
    if !path.is_absolute() {
        section.fault(lines.0, key, format!("{} is not an absolute path", path.display()));
        return None;
    }
    let Some(sha256) = digest(&text) else {
        let name = path.display();
        section.fault(lines.1, hash, format!("must be the 64 hexadecimal digits that sha256sum {name} prints"));
        return None;
    };
    Some(Checked { path, sha256 })
}

/// 64 hexadecimal digits.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Document;

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read(text: &str) -> (Slates, Vec<String>) {
        let document = Document::parse("t.toml", text);
        let slates = Slates::read(&mut document.root().section("slates"));
        (slates, document.faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_slate_is_a_file_with_its_checksum() {
        let (slates, faults) = read(&format!("[slates]\nend = \"/srv/end.png\"\nend_sha256 = \"{HASH}\"\n"));

        assert!(faults.is_empty(), "{faults:?}");
        let end = slates.file(Slate::End).unwrap();
        assert_eq!((end.path.to_str(), end.sha256[..2].to_vec()), (Some("/srv/end.png"), vec![0xe3, 0xb0]));
        assert_eq!(slates.file(Slate::Hold), None);
    }

    #[test]
    fn a_file_without_its_checksum_is_a_fault_that_says_how_to_get_it() {
        for hash in ["", "abc", &"g".repeat(64), &"é".repeat(32)] {
            let (slates, faults) = read(&format!("[slates]\nhold = \"/srv/hold.png\"\nhold_sha256 = \"{hash}\"\n"));
            assert_eq!(slates.file(Slate::Hold), None);
            assert!(faults[0].contains("sha256sum /srv/hold.png"), "{faults:?}");
        }
        let (_, faults) = read(&format!("[slates]\nlogo = \"logo.png\"\nlogo_sha256 = \"{HASH}\"\n"));
        assert!(faults[0].contains("absolute"), "{faults:?}");
    }

    #[test]
    fn a_logo_keeps_its_shape_within_a_fifth_of_the_picture_on_even_edges() {
        for (width, height) in [(640, 360), (1280, 720), (1920, 1080), (64, 64)] {
            for logo in [(200, 100), (4000, 100), (100, 4000), (1, 1), (0, 7), (u32::MAX, u32::MAX)] {
                for corner in [Corner::TopLeft, Corner::TopRight, Corner::BottomLeft, Corner::BottomRight] {
                    let Rect { x, y, width: w, height: h } = corner.place(PictureSize { width, height }, logo);
                    assert!(x + w <= width && y + h <= height, "{logo:?}");
                    assert!(w <= width / 5 + 1 && h <= height / 5 + 1, "{logo:?} {w}x{h}");
                    assert!([x, y, w, h].iter().all(|n| n % 2 == 0) && w > 0 && h > 0, "{logo:?}");
                }
            }
        }
        let place = Corner::TopRight.place(PictureSize { width: 1280, height: 720 }, (200, 100));
        assert_eq!((place.width, place.height), (200, 100));
    }
}
