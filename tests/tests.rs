//! The promises of the product, each a test with a sentence for a name.

/// One stream over many links: what is lost, what is late, and what the SRT caller hears.
mod bonding;
/// One seed, one run.
mod determinism;
/// The field's wire, byte by byte.
mod srtla_wire;

/// What the fuzzer found worth keeping, on any toolchain.
mod corpus;
