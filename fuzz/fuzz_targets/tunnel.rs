#![no_main]
//! Run with: cargo +nightly fuzz run tunnel

#[path = "../life.rs"]
#[allow(dead_code, reason = "each target is one of the lives")]
mod life;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    life::tunnel(input);
});
