//! The wire: what a byte means.
