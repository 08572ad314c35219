//! The wire: what a byte means, in SRT's packets, in the field's own small frames around them, and in ours.

pub mod echo;
pub mod error;
pub mod native;
pub mod seq;
pub mod srt;
pub mod srtla;
pub mod ts;

pub use echo::Echo;
pub use error::Error;
pub use seq::Seq;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
}
