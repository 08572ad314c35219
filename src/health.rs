//! The machine's health: one reading of processor, memory, temperature and disk,
//! and how much of each is too much: what is shown as harmful and what raises an alarm is the same.

use serde::{Deserialize, Serialize};

use crate::units::{Bytes, Celsius, Percent};

/// One reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Load over all cores.
    pub cpu: Percent,
    /// Memory in use.
    pub memory: Percent,
    /// The hottest sensor, if there is one.
    pub temperature: Option<Celsius>,
    /// Room left where recordings and state lie.
    pub disk_free: Bytes,
    /// Size of that disk.
    pub disk_total: Bytes,
    /// Seconds since the machine started.
    pub uptime: u64,
}

impl Sample {
    /// Share of the disk that is free, %; none if its size is not known.
    #[must_use]
    pub fn disk_free_share(&self) -> Option<f64> {
        (self.disk_total.0 > 0).then(|| self.disk_free.0 as f64 / self.disk_total.0 as f64 * 100.0)
    }
}

/// What a figure should be, where it does harm, and where an alarm about it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// The figure should stay on the good side of this.
    pub wanted: f64,
    /// From here on it does harm.
    pub harmful: f64,
    /// An alarm ends when the figure is back on the good side of this.
    pub calm: f64,
}

/// Load of the processor, %, at most: above, there is no room for a burst of encoding work.
pub const CPU: Limit = Limit { wanted: 80.0, harmful: 95.0, calm: 90.0 };
/// Memory in use, %, at most: above, the kernel may have to kill.
pub const MEMORY: Limit = Limit { wanted: 80.0, harmful: 95.0, calm: 90.0 };
/// The hottest sensor, °C, at most: Rockchip and Intel both slow down at about 95.
pub const TEMPERATURE: Limit = Limit { wanted: 75.0, harmful: 90.0, calm: 85.0 };
/// Room on the disk, % of its size, at least: below the first tidy up, below the second state may
/// soon not be written.
pub const DISK_FREE: Limit = Limit { wanted: 10.0, harmful: 5.0, calm: 7.0 };

impl Limit {
    /// Of a figure that must not be too high: an alarm stands; `stood` if it did before.
    #[must_use]
    pub fn too_high(&self, value: f64, stood: bool) -> bool {
        value >= if stood { self.calm } else { self.harmful }
    }

    /// Of a figure that must not be too low: an alarm stands; `stood` if it did before.
    #[must_use]
    pub fn too_low(&self, value: f64, stood: bool) -> bool {
        value <= if stood { self.calm } else { self.harmful }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_begins_where_harm_begins_and_ends_well_on_the_good_side() {
        for (limit, sign) in [(CPU, 1.0), (MEMORY, 1.0), (TEMPERATURE, 1.0), (DISK_FREE, -1.0)] {
            let [wanted, calm, harmful] = [limit.wanted, limit.calm, limit.harmful].map(|value| value * sign);
            assert!(wanted < calm && calm < harmful, "{limit:?}");
        }
        assert!(TEMPERATURE.too_high(90.0, false) && TEMPERATURE.too_high(86.0, true));
        assert!(!TEMPERATURE.too_high(89.0, false) && !TEMPERATURE.too_high(84.0, true));
        assert!(DISK_FREE.too_low(5.0, false) && DISK_FREE.too_low(6.5, true) && !DISK_FREE.too_low(6.5, false));
    }
}
