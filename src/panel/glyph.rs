//! Glyphs: the two fonts, with widths known before anything is drawn.

use embedded_graphics::prelude::{DrawTarget, Point};
use u8g2_fonts::types::{FontColor, VerticalPosition};
use u8g2_fonts::{Error, FontRenderer, fonts};

use super::frame::Ink;

/// Twelve points high, Latin and all of GB 2312.
const SMALL: FontRenderer = FontRenderer::new::<fonts::u8g2_font_wqy12_t_gb2312>();

/// Sixteen points high, Latin and all of GB 2312.
const LARGE: FontRenderer = FontRenderer::new::<fonts::u8g2_font_wqy16_t_gb2312>();

/// What stands for a character that a font lacks.
const UNKNOWN: char = '?';

/// A font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// For 128 × 64.
    Small,
    /// For 320 × 240.
    Large,
}

impl Face {
    fn font(self) -> &'static FontRenderer {
        match self {
            Self::Small => &SMALL,
            Self::Large => &LARGE,
        }
    }

    /// Points that `text` takes across.
    pub(super) fn width(self, text: &str) -> u32 {
        text.chars().map(|c| self.advance(c).or_else(|| self.advance(UNKNOWN)).unwrap_or(0)).sum()
    }

    /// True if the font has this character.
    #[cfg(test)]
    fn knows(self, c: char) -> bool {
        self.advance(c).is_some()
    }

    fn advance(self, c: char) -> Option<u32> {
        let wide = match self {
            Self::Small => 12,
            Self::Large => 16,
        };
        if ('\u{4e00}'..='\u{9fff}').contains(&c) && c != '\u{4e00}' {
            // every character of the square script is as wide as any other: looking each up costs more than drawing
            return Some(wide);
        }
        let size = self.font().get_rendered_dimensions(c, Point::zero(), VerticalPosition::Top).ok()?;
        u32::try_from(size.advance.x).ok()
    }

    /// Draws `text` with its upper left corner at `at`; what the font lacks becomes a question mark.
    pub(super) fn draw<D: DrawTarget<Color = Ink>>(
        self,
        target: &mut D,
        text: &str,
        at: Point,
        ink: Ink,
    ) -> Result<(), D::Error> {
        let mut at = at;
        for c in text.chars() {
            let mut drawn = self.glyph(target, c, at, ink)?;
            if drawn.is_none() {
                drawn = self.glyph(target, UNKNOWN, at, ink)?;
            }
            at.x += drawn.unwrap_or(0);
        }
        Ok(())
    }

    fn glyph<D: DrawTarget<Color = Ink>>(
        self,
        target: &mut D,
        c: char,
        at: Point,
        ink: Ink,
    ) -> Result<Option<i32>, D::Error> {
        match self.font().render(c, at, VerticalPosition::Top, FontColor::Transparent(ink), target) {
            Ok(size) => Ok(Some(size.advance.x)),
            Err(Error::DisplayError(wrong)) => Err(wrong),
            // the font lacks it; it does take a transparent ground
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::panel::words::Word;

    #[test]
    fn both_fonts_have_every_character_of_the_panels_words() {
        for word in Word::ALL {
            for c in word.get(Lang::Zh).chars().chain(word.get(Lang::En).chars()) {
                assert!(Face::Small.knows(c) && Face::Large.knows(c), "{c} of {word:?}");
            }
        }
    }

    #[test]
    fn the_square_script_is_as_wide_as_it_is_taken_to_be() {
        for (face, wide) in [(Face::Small, 12), (Face::Large, 16)] {
            for c in "直播中垫片确认码率龘一".chars().filter(|c| face.knows(*c)) {
                let size = face.font().get_rendered_dimensions(c, Point::zero(), VerticalPosition::Top);
                if let Ok(size) = size {
                    assert_eq!(size.advance.x, wide, "{c}");
                }
            }
        }
    }
}
