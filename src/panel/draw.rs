//! Text and bars on any display, with widths known before anything is drawn.

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{DrawTarget, Point, Primitive as _, Size};
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle, StyledDrawable as _};
use u8g2_fonts::types::{FontColor, RenderedDimensions, VerticalPosition};
use u8g2_fonts::{Error, FontRenderer, fonts};

/// Twelve points high, Latin and all of GB 2312.
const FONT: FontRenderer = FontRenderer::new::<fonts::u8g2_font_wqy12_t_gb2312>();

/// Draws `text` with its upper left corner at `at`; what the font lacks becomes a question mark.
pub(super) fn text<D: DrawTarget<Color = BinaryColor>>(
    target: &mut D,
    text: &str,
    at: Point,
    color: BinaryColor,
) -> Result<(), D::Error> {
    let text = known(text);
    match FONT.render(text.as_str(), at, VerticalPosition::Top, FontColor::Transparent(color), target) {
        Err(Error::DisplayError(wrong)) => Err(wrong),
        // every character was looked up before, and the font takes a transparent background
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Points that `text` takes across.
pub(super) fn width(text: &str) -> u32 {
    measured(&known(text)).and_then(|size| u32::try_from(size.advance.x).ok()).unwrap_or(0)
}

/// The first of `choices` that fits; the last, if none does.
pub(super) fn fitting(choices: &[String], room: u32) -> &str {
    choices.iter().find(|text| width(text) <= room).or(choices.last()).map_or("", String::as_str)
}

/// `text` as lines of at most `room` points: broken between words, or between characters where
/// there are no words; nothing is left out.
pub(super) fn lines(text: &str, room: u32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in pieces(text) {
        let last = lines.last_mut().map(|line| format!("{line}{piece}")).unwrap_or_default();
        if width(last.trim_end()) <= room {
            if let Some(line) = lines.last_mut() {
                *line = last;
            }
        } else if width(piece.trim_end()) <= room {
            lines.push(piece.trim_start().to_owned());
        } else {
            // a word longer than the display
            for c in piece.chars() {
                match lines.last_mut() {
                    Some(line) if width(&format!("{line}{c}")) <= room => line.push(c),
                    _ => lines.push(c.to_string()),
                }
            }
        }
    }
    lines.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// A frame with its share filled from the left, from 0 to 1.
pub(super) fn bar<D: DrawTarget<Color = BinaryColor>>(
    target: &mut D,
    area: Rectangle,
    share: f64,
) -> Result<(), D::Error> {
    outline(target, area)?;
    let inner = area.size.width.saturating_sub(2);
    let filled = (f64::from(inner) * share.clamp(0.0, 1.0)).round() as u32;
    fill(
        target,
        Rectangle::new(area.top_left + Point::new(1, 1), Size::new(filled, area.size.height.saturating_sub(2))),
    )
}

/// An empty frame.
pub(super) fn outline<D: DrawTarget<Color = BinaryColor>>(target: &mut D, area: Rectangle) -> Result<(), D::Error> {
    area.draw_styled(&PrimitiveStyle::with_stroke(BinaryColor::On, 1), target)
}

/// A lit area.
pub(super) fn fill<D: DrawTarget<Color = BinaryColor>>(target: &mut D, area: Rectangle) -> Result<(), D::Error> {
    target.fill_solid(&area, BinaryColor::On)
}

/// Both diagonals of an area.
pub(super) fn cross<D: DrawTarget<Color = BinaryColor>>(target: &mut D, area: Rectangle) -> Result<(), D::Error> {
    use embedded_graphics::Drawable as _;
    use embedded_graphics::primitives::Line;
    let Some(end) = area.bottom_right() else { return Ok(()) };
    let style = PrimitiveStyle::with_stroke(BinaryColor::On, 1);
    Line::new(area.top_left, end).into_styled(style).draw(target)?;
    Line::new(Point::new(area.top_left.x, end.y), Point::new(end.x, area.top_left.y)).into_styled(style).draw(target)
}

fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let wide = c as u32 >= 0x2e80;
        if wide && !word.is_empty() {
            pieces.push(std::mem::take(&mut word));
        }
        word.push(c);
        if wide || c == ' ' {
            pieces.push(std::mem::take(&mut word));
        }
    }
    pieces.push(word);
    pieces
}

fn known(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || measured(c.encode_utf8(&mut [0; 4])).is_some() { c } else { '?' }).collect()
}

fn measured(text: &str) -> Option<RenderedDimensions> {
    FONT.get_rendered_dimensions(text, Point::zero(), VerticalPosition::Top).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_broken_and_nothing_of_it_is_lost() {
        for sentence in
            ["有线网络已断开，请检查网线和交换机，直播由4G继续", "the wired uplink is down; check cable and switch"]
        {
            let broken = lines(sentence, 128);

            assert!(broken.len() > 1);
            assert!(broken.iter().all(|line| width(line) <= 128), "{broken:?}");
            assert_eq!(broken.concat().replace(' ', ""), sentence.replace(' ', ""));
        }
    }

    #[test]
    fn a_word_wider_than_the_display_is_broken_too() {
        let broken = lines(&"x".repeat(80), 128);

        assert_eq!(broken.concat().len(), 80);
        assert!(broken.iter().all(|line| width(line) <= 128));
    }

    #[test]
    fn what_the_font_lacks_is_seen_as_a_question_mark() {
        assert_eq!(known("a🙂直播"), "a?直播");
    }
}
