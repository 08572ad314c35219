//! The far end of the native dialect: our own receiver, and an SRT listener behind it.

use std::time::Duration;

use bytes::Bytes;

use super::far::u64_at;
use super::listener::Listener;
use crate::bond::{Output, Plain, Receiver, ReceiverConfig, Without};
use crate::time::Instant;
use crate::wire::native::StreamKind;
use crate::wire::srt::{self, Packet};

/// What seldom feedback is.
const SELDOM: Duration = Duration::from_millis(100);

/// Both halves.
#[derive(Debug)]
pub(super) struct NativeFarEnd {
    receiver: Receiver,
    seal: Plain,
    counters: [u64; 16],
    listener: Listener,
    /// Datagrams to send back, with their links.
    pub(super) out: Vec<(usize, Bytes)>,
    /// Numbers of the payloads that were given out, and when they had come.
    pub(super) arrivals: Vec<(u64, Instant)>,
}

impl NativeFarEnd {
    pub(super) fn new(latency: Duration, session: Duration, without: Without) -> Self {
        let config = ReceiverConfig { latency, streams: vec![(0, StreamKind::Srt)] };
        let mut receiver = Receiver::new(Instant::ZERO, config);
        if without.has(Without::FEEDBACK) {
            receiver.set_pace(SELDOM);
        }
        Self {
            receiver,
            seal: Plain::default(),
            counters: [0; 16],
            listener: Listener::new(session),
            out: Vec::new(),
            arrivals: Vec::new(),
        }
    }

    pub(super) fn next_timeout(&mut self) -> Option<Instant> {
        self.receiver.next_timeout().into_iter().chain(self.listener.next_timeout()).min()
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: &Bytes) {
        if let Some((link, counter, frame)) = self.seal.open(datagram) {
            // what cannot be read is counted
            let _ = self.receiver.handle_frame(now, link, counter, datagram.len(), &frame);
        }
        self.drain(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.receiver.handle_timeout(now);
        self.listener.handle_timeout(now);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.receiver.poll_output() {
            match output {
                Output::Payload { arrived, payload, .. } => {
                    if let Ok(Packet::Data(data)) = srt::peek(&payload)
                        && self.listener.take_data(now, &data)
                    {
                        self.arrivals.push((u64_at(data.payload), arrived));
                    }
                }
                Output::Control { packet, .. } => {
                    if let Ok(Packet::Handshake(handshake)) = srt::peek(&packet) {
                        self.listener.shake(now, &handshake);
                    }
                }
                Output::Gap { .. } | Output::Bye => {}
            }
        }
        for packet in self.listener.answers.drain(..).chain(self.listener.reports.drain(..)) {
            self.receiver.handle_control(now, 0, &packet);
        }
        while let Some((link, frame)) = self.receiver.poll_frame() {
            let counter = &mut self.counters[usize::from(link)];
            self.out.push((usize::from(link), Plain::seal(link, *counter, &frame)));
            *counter += 1;
        }
    }
}
