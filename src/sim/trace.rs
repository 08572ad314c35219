//! A recorded uplink: the milliseconds at which a full packet could leave.

/// Delivery opportunities, one stamp each, repeated after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    stamps_ms: Vec<u64>,
    period_ms: u64,
}

impl Trace {
    /// Reads one whole number a line, never falling.
    ///
    /// # Errors
    /// A sentence with the line, if a line is no such number, or if there is no time in the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut stamps_ms: Vec<u64> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let at = index + 1;
            let stamp =
                line.parse().map_err(|_| format!("line {at}: \"{line}\" is not a whole number of milliseconds"))?;
            if stamps_ms.last().is_some_and(|last| *last > stamp) {
                return Err(format!("line {at}: {stamp} is earlier than the stamp before it"));
            }
            stamps_ms.push(stamp);
        }
        match stamps_ms.last().copied() {
            Some(period_ms) if period_ms > 0 => Ok(Self { stamps_ms, period_ms }),
            _ => Err("holds no stamp above 0, so no time passes in it".to_owned()),
        }
    }

    /// Opportunities that were made, not recorded: never falling, none after `period_ms`.
    pub(super) fn made(stamps_ms: Vec<u64>, period_ms: u64) -> Self {
        debug_assert!(!stamps_ms.is_empty() && stamps_ms.last() <= Some(&period_ms) && period_ms > 0);
        Self { stamps_ms, period_ms }
    }

    /// Opportunities per second, on average.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.stamps_ms.len() as f64 * 1000.0 / self.period_ms as f64
    }

    /// The number of the first opportunity at or after `at_ms`, counted through all repetitions.
    #[must_use]
    pub fn first_from(&self, at_ms: u64) -> u64 {
        let within = at_ms % self.period_ms;
        let index = self.stamps_ms.partition_point(|stamp| *stamp < within);
        (at_ms / self.period_ms) * self.stamps_ms.len() as u64 + index as u64
    }

    /// The time of an opportunity by its number, milliseconds.
    #[must_use]
    pub fn time_ms(&self, number: u64) -> u64 {
        let count = self.stamps_ms.len() as u64;
        (number / count) * self.period_ms + self.stamps_ms[(number % count) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_repeats_after_its_last_stamp() {
        let trace = Trace::parse("0\n5\n5\n10\n").expect("a good trace");

        assert_eq!(trace.first_from(6), 3);
        assert_eq!(trace.time_ms(3), 10);
        assert_eq!(trace.time_ms(4), 10);
        assert_eq!(trace.time_ms(5), 15);
        assert_eq!(trace.first_from(10), 4);
        assert!((trace.per_second() - 400.0).abs() < 1e-9);
    }

    #[test]
    fn a_bad_trace_is_told_with_its_line() {
        assert!(Trace::parse("1\nx\n").is_err_and(|e| e.starts_with("line 2")));
        assert!(Trace::parse("5\n4\n").is_err_and(|e| e.starts_with("line 2")));
        assert!(Trace::parse("").is_err());
        assert!(Trace::parse("0\n0\n").is_err());
    }
}
