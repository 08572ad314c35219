//! How sources share the picture.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
}

impl Layout {
    /// All of them, in the order a key steps through.
    pub const ALL: [Self; 4] = [Self::Camera, Self::Slides, Self::PictureInPicture, Self::SideBySide];

    /// The name in commands and topics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Slides => "slides",
            Self::PictureInPicture => "picture_in_picture",
            Self::SideBySide => "side_by_side",
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
