//! Randomness from the operating system: the one place that asks.

use std::fs::File;
use std::io::{self, Read};

use crate::rng::Rng;

/// A fresh generator with 256 bits of the kernel's.
///
/// # Errors
/// If `/dev/urandom` cannot be read.
pub fn fresh() -> io::Result<Rng> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(Rng::from_seed(seed))
}
