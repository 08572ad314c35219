//! What a box offers in its hello, kept.

use super::channel::LINKS;
use crate::time::Duration;
use crate::wire::native::{Hello, HelloStreams, StreamInfo, StreamKind};

/// One stream of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOffer {
    /// Its number, 0–15.
    pub number: u8,
    /// What it carries.
    pub kind: StreamKind,
    /// What it is called, at most 32 bytes.
    pub name: String,
}

/// What a box wants of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// L: from the source's stamp to the release at the gateway, at most 65 s.
    pub latency: Duration,
    /// One `srt` stream, or 1–16 `ts` streams.
    pub streams: Vec<StreamOffer>,
}

impl Offer {
    /// One `srt` stream, number 0.
    #[must_use]
    pub fn srt(latency: Duration, name: &str) -> Self {
        Self { latency, streams: vec![StreamOffer { number: 0, kind: StreamKind::Srt, name: name.to_owned() }] }
    }

    /// `ts` streams, numbered from 0 in the order of their names.
    #[must_use]
    pub fn ts(latency: Duration, names: &[&str]) -> Self {
        let stream = |(number, name): (usize, &&str)| StreamOffer {
            number: number as u8,
            kind: StreamKind::Ts,
            name: (*name).to_owned(),
        };
        Self { latency, streams: names.iter().enumerate().map(stream).collect() }
    }

    pub(super) fn of(hello: &Hello<'_>) -> Self {
        let stream =
            |info: StreamInfo<'_>| StreamOffer { number: info.number, kind: info.kind, name: info.name.to_owned() };
        Self {
            latency: Duration::from_millis(u64::from(hello.latency_ms)),
            streams: hello.streams.iter().map(stream).collect(),
        }
    }

    /// The hello's payload.
    pub(super) fn payload(&self, continues: Option<u32>, counters: [u64; LINKS]) -> Vec<u8> {
        let streams: Vec<_> = self
            .streams
            .iter()
            .map(|stream| StreamInfo { number: stream.number, kind: stream.kind, name: &stream.name })
            .collect();
        let hello = Hello {
            latency_ms: latency_ms(self.latency),
            continues,
            streams: HelloStreams::Listed(&streams),
            counters,
        };
        let mut out = Vec::with_capacity(256);
        hello.emit(&mut out);
        out
    }
}

/// Milliseconds in the 16 bits that travel.
pub(super) fn latency_ms(latency: Duration) -> u16 {
    u16::try_from(latency.as_millis()).unwrap_or(u16::MAX)
}
