//! Glass: something that shows a picture.

use crate::panel::Picture;

/// A display, opened.
pub trait Glass {
    /// Shows the picture; after an error the glass is opened afresh.
    ///
    /// # Errors
    /// If the display does not answer, or the picture is of another format.
    fn show(&mut self, picture: &Picture) -> anyhow::Result<()>;

    /// Sets the brightness, 1 to 3, with the next picture; a display that has none stays as it is.
    fn shine(&mut self, _brightness: u8) {}
}
