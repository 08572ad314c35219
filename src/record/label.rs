//! Label: what a segment is of.

use serde::{Deserialize, Serialize};

use crate::event::Permissions;

/// What is being recorded; file names and the index are made from it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Label {
    /// The event.
    pub event: String,
    /// The hall.
    pub hall: String,
    /// Who speaks; empty if nobody is announced.
    pub speaker: String,
    /// About what.
    pub title: String,
    /// What the speaker allows.
    pub allowed: Permissions,
}
