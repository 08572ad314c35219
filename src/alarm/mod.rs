//! Alarms: the catalog, and the book of what is raised.

mod book;
mod catalog;

pub use book::{Book, Entry, Turn};
pub use catalog::{AlarmKind, Severity};
