//! Page: what a screen says, before anybody knows how large the display is.

/// How a line is meant; the words say it as well, since colour alone says nothing to many eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// As wanted.
    Good,
    /// Off, not yet harmful.
    Warn,
    /// Harmful.
    Bad,
    /// A hint.
    Faint,
}

/// The ground of the headline: it is seen across a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Band {
    /// Dark, with a rule under it.
    #[default]
    Dark,
    /// Lit: on air.
    Air,
    /// The other half of the blinking while on air and harmed.
    Alert,
}

/// The headline, on every sheet of the page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// What stands left, longest first: the first that fits is taken.
    pub left: Vec<String>,
    /// What stands right, longest first.
    pub right: Vec<String>,
    /// Its ground.
    pub band: Band,
}

/// Level of one mixer line, or of the programme.
#[derive(Debug, Clone, PartialEq)]
pub struct Meter {
    /// `A` or `B`; `P` for the programme.
    pub name: char,
    /// Peak in dBFS; none if there is no signal.
    pub level: Option<f64>,
    /// It is the line on air.
    pub live: bool,
}

/// How a link is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mark {
    /// Its share of the busiest one, 0 to 1.
    Share(f64),
    /// On its way up.
    Trying,
    /// Not there, or silent.
    Dead,
}

/// One link in a row of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pip {
    /// One letter or digit.
    pub name: char,
    /// How it stands.
    pub mark: Mark,
}

/// One thing on a page, from the top.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Two ends of a line, each from its longest form to its shortest; where even the shortest do not
    /// fit beside one another, they take a line each.
    Line {
        /// Left forms.
        left: Vec<String>,
        /// Right forms.
        right: Vec<String>,
        /// How it is meant.
        tone: Tone,
    },
    /// A sentence, over as many lines as it takes.
    Words {
        /// The sentence.
        text: String,
        /// How it is meant.
        tone: Tone,
    },
    /// A sentence in whatever room is left on the sheet; too long, its lines take turns.
    Ticker {
        /// The sentence.
        text: String,
        /// How it is meant.
        tone: Tone,
    },
    /// Both mixer lines and every link, as small as the display needs it.
    Signals {
        /// The mixer lines.
        meters: Vec<Meter>,
        /// The links.
        pips: Vec<Pip>,
    },
    /// One line over the whole width, with a figure after it.
    Level {
        /// The line.
        meter: Meter,
        /// The figure; may be empty.
        note: String,
    },
    /// What is read together stays on one sheet, if it fits on one.
    Together(Vec<Item>),
    /// A bar filled from the left, 0 to 1.
    Progress(f64),
}

/// A QR code: dark or light, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Modules a side.
    pub side: usize,
    /// `side * side` of them; true is dark.
    pub dark: Vec<bool>,
}

/// What a screen says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The headline.
    pub head: Head,
    /// What stands under it.
    pub items: Vec<Item>,
    /// The first item matters most: it is drawn larger where there is room.
    pub lead: bool,
    /// A code, and what stands for it where it does not fit.
    pub code: Option<Code>,
}

impl Page {
    /// An empty page with a title.
    pub(super) fn titled(left: impl Into<String>, right: impl Into<String>, band: Band) -> Self {
        let head = Head { left: vec![left.into()], right: vec![right.into()], band };
        Self { head, ..Self::default() }
    }

    /// One more line with one form at each end.
    pub(super) fn line(&mut self, left: impl Into<String>, right: impl Into<String>, tone: Tone) {
        self.items.push(Item::Line { left: vec![left.into()], right: vec![right.into()], tone });
    }

    /// One more line with several forms.
    pub(super) fn choices(&mut self, left: Vec<String>, right: Vec<String>, tone: Tone) {
        self.items.push(Item::Line { left, right, tone });
    }

    /// One more sentence.
    pub(super) fn words(&mut self, text: impl Into<String>, tone: Tone) {
        self.items.push(Item::Words { text: text.into(), tone });
    }
}
