//! How sources share the picture.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::stream::{PictureSize, SourceId};

/// How camera and slides share the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// The camera alone.
    #[default]
    Camera,
    /// The slides alone.
    Slides,
    /// The slides, with the camera small in the lower right corner.
    PictureInPicture,
    /// Camera left, slides right.
    SideBySide,
    /// The second camera alone.
    #[serde(rename = "camera2")]
    Camera2,
    /// The slides large, both cameras beside them, one above the other.
    ThreeSplit,
}

impl Layout {
    /// All of them, in the order a key steps through.
    pub const ALL: [Self; 6] =
        [Self::Camera, Self::Slides, Self::PictureInPicture, Self::SideBySide, Self::Camera2, Self::ThreeSplit];

    /// The name in commands and topics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Slides => "slides",
            Self::PictureInPicture => "picture_in_picture",
            Self::SideBySide => "side_by_side",
            Self::Camera2 => "camera2",
            Self::ThreeSplit => "three_split",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Layout {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|l| l.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("\"{text}\" is no layout; there is {names}")
        })
    }
}

/// A part of the picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// One source in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Whose picture.
    pub source: SourceId,
    /// Where it lies.
    pub area: Rect,
}

impl Layout {
    /// What lies where in a picture of this size, lowest first. Every edge is even, because colour
    /// has half the resolution; a picture keeps its shape.
    #[must_use]
    pub fn places(self, size: PictureSize) -> Vec<Place> {
        let (w, h) = (size.width, size.height);
        let whole = Rect { x: 0, y: 0, width: w, height: h };
        let at = |source, area| Place { source, area };
        match self {
            Self::Camera => vec![at(SourceId::Camera, whole)],
            Self::Slides => vec![at(SourceId::Slides, whole)],
            Self::Camera2 => vec![at(SourceId::Camera2, whole)],
            Self::ThreeSplit => {
                // two thirds and one third: every picture keeps its shape, and nothing overlaps
                let (column, row) = (even(w / 3), even(h / 3));
                let (width, height) = ((w - column) & !1, even(h * 2 / 3));
                let y = even((h - height) / 2);
                let beside = |y| Rect { x: w - column, y, width: column, height: row };
                vec![
                    at(SourceId::Slides, Rect { x: 0, y, width, height }),
                    at(SourceId::Camera, beside(y)),
                    at(SourceId::Camera2, beside(y + row)),
                ]
            }
            Self::PictureInPicture => {
                // three tenths of the width: a face is still a face, and a slide's last line stays free
                let (width, height) = (even(w * 3 / 10), even(h * 3 / 10));
                let margin = even(h / 30);
                let inset = Rect { x: w - width - margin, y: h - height - margin, width, height };
                vec![at(SourceId::Slides, whole), at(SourceId::Camera, inset)]
            }
            Self::SideBySide => {
                let (width, height) = (even(w / 2), even(h / 2));
                let y = even((h - height) / 2);
                vec![
                    at(SourceId::Camera, Rect { x: 0, y, width, height }),
                    at(SourceId::Slides, Rect { x: w - width, y, width, height }),
                ]
            }
        }
    }

    /// True if `source` is in the picture.
    #[must_use]
    pub const fn shows(self, source: SourceId) -> bool {
        match source {
            SourceId::Camera => !matches!(self, Self::Slides | Self::Camera2),
            SourceId::Slides => !matches!(self, Self::Camera | Self::Camera2),
            SourceId::Camera2 => matches!(self, Self::Camera2 | Self::ThreeSplit),
            SourceId::MixerA | SourceId::MixerB | SourceId::Embedded => false,
        }
    }
}

const fn even(n: u32) -> u32 {
    n & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_lies_within_the_picture_on_even_edges() {
        for (width, height) in [(640, 360), (1280, 720), (1920, 1080), (64, 64), (3840, 2160)] {
            for layout in Layout::ALL {
                for Place { area, source } in layout.places(PictureSize { width, height }) {
                    assert!(area.x + area.width <= width && area.y + area.height <= height, "{layout} {area:?}");
                    assert!([area.x, area.y, area.width, area.height].iter().all(|n| n % 2 == 0), "{layout} {area:?}");
                    assert!(layout.shows(source));
                }
            }
        }
    }

    #[test]
    fn the_three_pictures_of_the_split_touch_and_do_not_overlap() {
        let places = Layout::ThreeSplit.places(PictureSize { width: 1280, height: 720 });
        let areas: Vec<_> = places.iter().map(|p| (p.area.x, p.area.y, p.area.width, p.area.height)).collect();
        assert_eq!(areas, [(0, 120, 854, 480), (854, 120, 426, 240), (854, 360, 426, 240)]);
    }

    #[test]
    fn the_inset_lies_over_the_slides_in_the_lower_right_corner() {
        let places = Layout::PictureInPicture.places(PictureSize { width: 1280, height: 720 });
        assert_eq!(places[0].source, SourceId::Slides);
        assert_eq!(places[1].area, Rect { x: 872, y: 480, width: 384, height: 216 });
    }
}
