//! Filter: second-order sections, after R. Bristow-Johnson's cookbook for audio equalisers.

/// One second-order section, transposed direct form II.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    z: [f64; 2],
}

impl Biquad {
    /// A low-pass at `hertz` with quality `q`.
    pub(super) fn low_pass(hertz: f64, q: f64, rate: f64) -> Self {
        let (cos, alpha) = Self::angle(hertz, q, rate);
        Self::scaled([(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0], cos, alpha)
    }

    /// A high-pass at `hertz` with quality `q`.
    pub(super) fn high_pass(hertz: f64, q: f64, rate: f64) -> Self {
        let (cos, alpha) = Self::angle(hertz, q, rate);
        Self::scaled([(1.0 + cos) / 2.0, -1.0 - cos, (1.0 + cos) / 2.0], cos, alpha)
    }

    fn angle(hertz: f64, q: f64, rate: f64) -> (f64, f64) {
        let w = std::f64::consts::TAU * hertz / rate;
        (w.cos(), w.sin() / (2.0 * q))
    }

    fn scaled(b: [f64; 3], cos: f64, alpha: f64) -> Self {
        let a0 = 1.0 + alpha;
        Self { b: b.map(|b| b / a0), a: [-2.0 * cos / a0, (1.0 - alpha) / a0], z: [0.0; 2] }
    }

    /// The next sample.
    pub(super) fn next(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.z[0];
        self.z[0] = self.b[1] * x - self.a[0] * y + self.z[1];
        self.z[1] = self.b[2] * x - self.a[1] * y;
        // what is left of a sound in a silent filter would only cost time
        if y.abs() < 1e-30 {
            self.z = [0.0; 2];
        }
        y
    }
}

/// The two qualities that make two sections a Butterworth filter of fourth order.
pub(super) const FOURTH: [f64; 2] = [0.541_196_1, 1.306_562_9];
/// The quality that makes one section a Butterworth filter of second order.
pub(super) const SECOND: f64 = std::f64::consts::FRAC_1_SQRT_2;
