//! Breadth: over how many places of the spectrum a proof is spread.
//!
//! Two tones of one pitch, or of nearly one, stand upside down to each other for a while by mere chance; so do
//! two whole speeches never. What is proven by one tone, or by one steady chord, is not proven.

/// The spectrum of all tenths that a proof rests on, each with the same weight.
#[derive(Debug, Clone)]
pub(super) struct Breadth {
    lines: Vec<f32>,
}

impl Breadth {
    /// Nothing yet, of spectra of so many lines.
    pub(super) fn new(lines: usize) -> Self {
        Self { lines: vec![0.0; lines] }
    }

    /// One more picture of the spectrum: powers of its lines; what lies beyond the first so many is passed over.
    pub(super) fn add(&mut self, picture: &[f32]) {
        let power: f32 = picture.iter().sum();
        if power > f32::MIN_POSITIVE {
            self.lines.iter_mut().zip(picture).for_each(|(sum, line)| *sum += line / power);
        }
    }

    /// What came before is no proof of what comes.
    pub(super) fn clear(&mut self) {
        self.lines.fill(0.0);
    }

    /// As many equally strong lines would be spread as much: 2 for a tone, by the window that it is seen through.
    pub(super) fn lines(&self) -> f64 {
        let (sum, squares) = self.lines.iter().fold((0.0_f64, 0.0_f64), |(sum, squares), line| {
            (sum + f64::from(*line), squares + f64::from(*line).powi(2))
        });
        if squares > 0.0 { sum * sum / squares } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_as_broad_as_its_lines_and_a_noise_as_the_whole_spectrum() {
        let mut breadth = Breadth::new(300);
        assert_eq!(breadth.lines(), 0.0);
        let mut tone = vec![0.0; 300];
        (tone[9], tone[10], tone[11]) = (0.25, 1.0, 0.25);
        breadth.add(&tone);
        breadth.add(&tone);
        assert!((breadth.lines() - 2.0).abs() < 0.01, "{}", breadth.lines());
        // however weak, another pitch counts as much
        let moved: Vec<f32> = (0..300).map(|i| if i == 50 { 1e-6 } else { 0.0 }).collect();
        breadth.add(&moved);
        assert!((breadth.lines() - 3.0).abs() < 0.01, "{}", breadth.lines());
        breadth.clear();
        breadth.add(&[1.0; 300]);
        assert!((breadth.lines() - 300.0).abs() < 0.1);
        breadth.add(&[0.0; 300]);
        assert!((breadth.lines() - 300.0).abs() < 0.1);
    }
}
