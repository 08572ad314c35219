//! Slides: when another one is shown.
//!
//! In go looks at the slides laptop's picture, a few each second; out comes the moment at which a slide had
//! changed, once the new one stands still: a film in a slide never does, and a mouse is too small.

/// Cells across and down.
const CELLS: (usize, usize) = (32, 18);
/// A cell whose brightness differs by more than this differs: less is noise of a capture.
const STEP: u8 = 10;
/// So many cells that differ make another slide: a line of text does, a mouse or a clock does not.
const OTHER: usize = 7;
/// So many at most that differ from look to look mean that it stands still.
const STILL: usize = 2;

/// One look: the brightness of each cell.
type Look = [u8; CELLS.0 * CELLS.1];

/// Finds the turns of slides.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    shown: Option<Box<Look>>,
    /// It differs since then, and was last seen so.
    moving: Option<(u64, Box<Look>)>,
}

impl Turns {
    /// The picture at `stamp`: its luma plane, `width` × `height` in rows of `stride`. The stamp of the first
    /// picture of a new slide, when it has stood still for two looks; not of the very first slide.
    pub fn look(&mut self, stamp: u64, luma: &[u8], stride: usize, width: usize, height: usize) -> Option<u64> {
        let look = look(luma, stride, width, height)?;
        let Some(shown) = &self.shown else {
            self.shown = Some(look);
            return None;
        };
        if differ(shown, &look) < OTHER {
            self.moving = None;
            return None;
        }
        let (since, before) = match self.moving.take() {
            Some((since, before)) => (since, Some(before)),
            None => (stamp, None),
        };
        if before.is_some_and(|before| differ(&before, &look) <= STILL) {
            self.shown = Some(look);
            return Some(since);
        }
        self.moving = Some((since, look));
        None
    }
}

fn differ(a: &Look, b: &Look) -> usize {
    a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) > STEP).count()
}

/// The mean of 4 × 4 points in each cell.
fn look(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<Box<Look>> {
    let mut look = Box::new([0; CELLS.0 * CELLS.1]);
    for (n, cell) in look.iter_mut().enumerate() {
        let (column, row) = (n % CELLS.0, n / CELLS.0);
        let mut sum = 0_u32;
        for point in 0..16 {
            let x = (column * 4 + point % 4) * width / (CELLS.0 * 4);
            let y = (row * 4 + point / 4) * height / (CELLS.1 * 4);
            sum += u32::from(*luma.get(y * stride + x)?);
        }
        *cell = (sum / 16) as u8;
    }
    Some(look)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 320;
    const HEIGHT: usize = 180;

    /// White, with black lines of text from `top` on.
    fn slide(top: usize, lines: usize) -> Vec<u8> {
        let mut luma = vec![235; WIDTH * HEIGHT];
        for line in 0..lines {
            let y = top + line * 20;
            luma[y * WIDTH + 20..(y + 8) * WIDTH].chunks_mut(WIDTH).for_each(|row| row[..200].fill(16));
        }
        luma
    }

    fn looks(turns: &mut Turns, from: u64, luma: &[u8], n: u64) -> Vec<u64> {
        (0..n).filter_map(|i| turns.look(from + i, luma, WIDTH, WIDTH, HEIGHT)).collect()
    }

    #[test]
    fn a_turned_slide_is_told_once_with_the_time_of_its_first_picture() {
        let mut turns = Turns::default();
        assert!(looks(&mut turns, 0, &slide(20, 3), 10).is_empty());
        assert_eq!(looks(&mut turns, 10, &slide(100, 2), 10), [10]);
        assert_eq!(looks(&mut turns, 20, &slide(20, 3), 10), [20]);
    }

    #[test]
    fn one_more_line_is_another_slide_and_a_mouse_is_not() {
        let mut turns = Turns::default();
        looks(&mut turns, 0, &slide(20, 3), 2);
        let mut mouse = slide(20, 3);
        for y in 150..162 {
            mouse[y * WIDTH + 280..y * WIDTH + 290].fill(16);
        }
        assert!(looks(&mut turns, 2, &mouse, 5).is_empty());
        assert_eq!(looks(&mut turns, 7, &slide(20, 4), 5), [7]);
    }

    #[test]
    fn a_film_in_a_slide_and_a_fade_are_no_turns_until_they_stand_still() {
        let mut turns = Turns::default();
        looks(&mut turns, 0, &slide(20, 1), 2);
        let mut told = Vec::new();
        for n in 0..20_u64 {
            let mut film = slide(20, 1);
            film.iter_mut().skip(WIDTH * 90).for_each(|y| *y = (n * 23 % 200) as u8 + 16);
            told.extend(looks(&mut turns, 2 + n, &film, 1));
        }
        assert_eq!(told, Vec::<u64>::new());
        assert_eq!(looks(&mut turns, 22, &slide(100, 3), 5), [2], "it began to differ with the film");
    }

    #[test]
    fn noise_of_a_capture_is_no_turn() {
        let mut turns = Turns::default();
        let mut rng = crate::rng::Rng::simulated(7);
        for n in 0..50 {
            let mut luma = slide(40, 3);
            luma.iter_mut().for_each(|y| *y = y.saturating_add((rng.next_u64() % 9) as u8));
            assert_eq!(turns.look(n, &luma, WIDTH, WIDTH, HEIGHT), None);
        }
    }
}
