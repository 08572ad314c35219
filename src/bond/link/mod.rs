//! Link: one uplink's life, what is under way on it, and how each kind of far end tells of it.

mod clocked;
mod life;
mod tens;

pub(in crate::bond) use clocked::Changes;
pub(in crate::bond) use life::{Cargo, Fate, Link, Membership, REGISTER_PACE};
