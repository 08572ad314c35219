//! The display of a board that has none: the picture as a PNG in the state folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::glass::Glass;
use crate::panel::{Frame, HEIGHT, WIDTH};

/// Each point becomes a square of so many, to be seen on a desk's screen.
const SCALE: u32 = 4;

/// Writes `panel.png`.
pub(super) struct Memory {
    file: PathBuf,
}

impl Memory {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self { file: state_dir.join("panel.png") }
    }
}

impl Glass for Memory {
    fn show(&mut self, frame: &Frame) -> anyhow::Result<()> {
        let fresh = self.file.with_extension("png.new");
        // whoever looks sees the old picture or the new one, never half of one
        fs::write(&fresh, png(frame)?)
            .and_then(|()| fs::rename(&fresh, &self.file))
            .with_context(|| format!("writing {}", self.file.display()))
    }
}

fn png(frame: &Frame) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, WIDTH * SCALE, HEIGHT * SCALE);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut bytes = Vec::with_capacity((WIDTH * SCALE / 8 * HEIGHT * SCALE) as usize);
    for y in 0..HEIGHT * SCALE {
        for byte in 0..WIDTH * SCALE / 8 {
            let lit = |bit| u8::from(frame.is_lit((byte * 8 + bit) / SCALE, y / SCALE));
            bytes.push((0..8).fold(0, |bits, bit| bits << 1 | lit(bit)));
        }
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&bytes)?;
    writer.finish()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::pixelcolor::BinaryColor;
    use embedded_graphics::prelude::{DrawTarget as _, Point};

    #[test]
    fn the_picture_in_the_state_folder_is_the_frame() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut frame = Frame::default();
        let Ok(()) = frame.draw_iter([embedded_graphics::Pixel(Point::new(1, 0), BinaryColor::On)]);

        Memory::new(dir.path()).show(&frame).expect("written");

        let bytes = fs::read(dir.path().join("panel.png")).expect("there");
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut pixels).expect("pixels");
        assert_eq!(pixels[0], 0b0000_1111);
        assert!(pixels[1..64].iter().all(|byte| *byte == 0));
        assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 1);
    }
}
