//! Glass: something that shows a picture.

use crate::panel::Frame;

/// A display, opened.
pub(super) trait Glass {
    /// Shows the picture; after an error the glass is opened afresh.
    fn show(&mut self, frame: &Frame) -> anyhow::Result<()>;
}
