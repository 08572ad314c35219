//! Agenda: who speaks when in this hall, as the file said it.

use super::permission::Permissions;
use crate::time::Timestamp;

/// The talks of one hall in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agenda {
    /// The event; empty if the file does not name it.
    pub event: String,
    /// The talks, by time where they have one.
    pub talks: Vec<Talk>,
}

/// One talk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Talk {
    /// Who speaks.
    pub speaker: String,
    /// About what.
    pub title: String,
    /// When it begins.
    pub starts: Option<Timestamp>,
    /// When it ends.
    pub ends: Option<Timestamp>,
    /// Both as people there read them: `09:30–10:15`; empty without times.
    pub clock: String,
    /// What the speaker allows.
    pub allowed: Permissions,
}
