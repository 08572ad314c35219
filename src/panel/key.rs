//! Keys: the six of the front, the knob, and what a hand does to them.

use std::str::FromStr;

use crate::message::Tally;

/// A key of the front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Hold to start, hold longer to stop.
    OnAir,
    /// The backup output.
    Backup,
    /// The other mixer line: once to see what would happen, again to do it.
    Audio,
    /// The slate in place of the picture, and back.
    Slate,
    /// The next speaker.
    Next,
    /// The alarm was seen; cancels; leads home.
    Ack,
    /// The knob, pushed: enters; held: locks.
    Knob,
}

impl Key {
    /// All of them, from left to right.
    pub const ALL: [Self; 7] = [Self::OnAir, Self::Backup, Self::Audio, Self::Slate, Self::Next, Self::Ack, Self::Knob];

    /// The name in board profiles, scripts and on the live page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnAir => "on_air",
            Self::Backup => "backup",
            Self::Audio => "audio",
            Self::Slate => "slate",
            Self::Next => "next",
            Self::Ack => "ack",
            Self::Knob => "knob",
        }
    }
}

impl FromStr for Key {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|key| key.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("\"{text}\" is no key; there is {names}")
        })
    }
}

/// What a hand, or the studio's contact, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// A key goes down.
    Down(Key),
    /// A key comes up.
    Up(Key),
    /// The knob is turned by so many clicks; clockwise is positive.
    Turn(i32),
    /// The contact that brings the studio's tally.
    Tally(Tally),
}
