//! Alarms: the catalog, and the book of what is raised.

mod catalog;

pub use catalog::{AlarmKind, Severity};
