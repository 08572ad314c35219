//! The machine's health: one reading of processor, memory, temperature and disk.

use serde::Serialize;

use crate::units::{Bytes, Celsius, Percent};

/// One reading.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
