//! Drives a scenario's links on real sockets: one public address that a sender takes for the far end.
//!
//! The link is told by the source address: what comes from 127.0.1.n belongs to the n-th link of the
//! scenario, counted from 1; with a single link every address is that link's. What passes leaves towards the real far end from a socket of that link's
//! own; a sender's new port is a new socket there too, as behind a NAT.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;

use anyhow::Context as _;
use bytes::Bytes;

use crate::io::clock;
use crate::io::udp::{Batch, Received, Socket};
use crate::rng::Rng;
use crate::sim::scenario::Span;
use crate::sim::{Direction, LinkScenario, Netem, Scenario};
use crate::time::{Duration, Instant};

/// How late what passes is given out, µs, for a count each: twelve parts of each doubling, up to an hour.
const LATENESS: usize = 12 * 32;

/// Datagrams of this time are taken together; small beside the delay of any link worth emulating.
const GATHER: Duration = Duration::from_millis(1);

/// Batches from one socket in a row, before the others have their turn.
const TURN: usize = 8;

/// What is emulated, and between whom.
#[derive(Debug, Clone)]
pub struct Live {
    /// The links and what befalls them.
    pub scenario: Scenario,
    /// Names the run, as in virtual time.
    pub seed: u64,
    /// Where senders send to.
    pub listen: SocketAddr,
    /// The real far end.
    pub to: SocketAddr,
    /// Goes on after the scenario's end, with the links as they are then.
    pub forever: bool,
    /// The scenario's time begins with the first datagram instead of at once.
    pub wait: bool,
}

/// Runs until the scenario is over, or `stop`.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn run(live: Live, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let public =
        Socket::listen(live.listen).with_context(|| format!("cannot listen on UDP {}; is it taken?", live.listen))?;
    let listen = public.local_addr().unwrap_or(live.listen);
    let mut rng = Rng::simulated(live.seed);
    let shift = Duration::from_micros(micros(live.scenario.seed_shift).saturating_mul(live.seed));
    let links: Vec<_> = live.scenario.links.iter().map(|link| Link::new(link, shift, rng.split())).collect();
    let mut story = story(&live.scenario.links).into_iter().peekable();
    let mut emulator = Emulator {
        public,
        to: live.to,
        links,
        strangers: 0,
        lateness: Lateness { counts: [0; LATENESS] },
        batch: Batch::default(),
    };
    tracing::info!(scenario = live.scenario.name, %listen, to = %live.to, links = emulator.links.len(), "emulating");
    tokio::pin!(stop);
    if live.wait {
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = emulator.readable() => {}
        }
    }
    let start = clock::now();
    let end = Instant::ZERO + live.scenario.duration;
    let mut gathered = clock::now();
    loop {
        let told_at = story.peek().map(|(at, _)| *at);
        let ends_at = (!live.forever).then_some(end);
        let timeout = [emulator.next_timeout(), told_at, ends_at].into_iter().flatten().min();
        let timeout = timeout.unwrap_or(end + Duration::from_secs(3600));
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = emulator.readable() => {}
            () = tokio::time::sleep_until(clock::tokio_at(start + micros_of(timeout))) => {}
        }
        if clock::now() < gathered + GATHER {
            tokio::time::sleep_until(clock::tokio_at(gathered + GATHER)).await;
        }
        gathered = clock::now();
        let now = Instant::ZERO + (gathered - start);
        while let Some((at, text)) = story.next_if(|(at, _)| *at <= now) {
            tracing::info!(at = at.as_secs_f64(), "{text}");
        }
        emulator.pass(now);
        if !live.forever && now >= end {
            break;
        }
    }
    let [p50, p99, max] = emulator.lateness.told();
    tracing::info!(p50_ms = p50, p99_ms = p99, max_ms = max, "the emulator's own lateness");
    for (number, link) in emulator.links.iter().enumerate() {
        let (there, back) = (link.forward.counts(), link.back.counts());
        tracing::info!(
            link = link.name,
            from = format!("127.0.1.{}", number + 1),
            taken = there.taken,
            given = there.given,
            lost = there.lost,
            overflowed = there.overflowed,
            waiting = link.forward.backlog(),
            blackholed = there.blackholed,
            back = back.given,
            "emulated"
        );
    }
    if emulator.strangers > 0 {
        tracing::warn!(strangers = emulator.strangers, "datagrams from addresses that are no link");
    }
    Ok(())
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn micros_of(at: Instant) -> Duration {
    Duration::from_micros(at.as_micros())
}

/// What will happen, in order, to be said when it does.
fn story(links: &[LinkScenario]) -> Vec<(Instant, String)> {
    let mut story = Vec::new();
    for link in links {
        let mut tell = |spans: &[Span], begins: &str| {
            for span in spans {
                story.push((span.from, format!("{} {begins}", link.name)));
                story.extend(span.to.map(|to| (to, format!("{} is back", link.name))));
            }
        };
        tell(&link.down, "falls silent");
        tell(&link.carrier, "loses its carrier (here: falls silent)");
        tell(&link.freeze, "freezes");
    }
    story.sort_by_key(|(at, _)| *at);
    story
}

struct Link {
    name: String,
    forward: Netem,
    back: Netem,
    /// Who sends from this link's address now, and the socket that stands for it.
    source: Option<(SocketAddr, Socket)>,
}

impl Link {
    fn new(link: &LinkScenario, shift: Duration, rng: Rng) -> Self {
        Self {
            name: link.name.clone(),
            forward: Netem::new(link, Direction::Forward, shift, rng.clone()),
            back: Netem::new(link, Direction::Return, shift, rng),
            source: None,
        }
    }
}

/// How late datagrams were given out, as counts by size: what the machine adds to the links, and no link has.
struct Lateness {
    counts: [u64; LATENESS],
}

impl Lateness {
    fn note(&mut self, late: Duration) {
        let place = (late.as_micros() as f64 + 1.0).log2() * 12.0;
        self.counts[(place as usize).min(LATENESS - 1)] += 1;
    }

    /// The half, 99 % and the largest, ms, each rounded up to its part.
    fn told(&self) -> [f64; 3] {
        let all: u64 = self.counts.iter().sum();
        [0.5, 0.99, 1.0].map(|share| {
            let wanted = ((all as f64 * share).ceil() as u64).max(1);
            let mut seen = 0;
            let place = self.counts.iter().position(|count| {
                seen += count;
                seen >= wanted
            });
            place.map_or(0.0, |place| ((((place + 1) as f64 / 12.0).exp2() - 1.0) / 10.0).round() / 100.0)
        })
    }
}

struct Emulator {
    public: Socket,
    to: SocketAddr,
    links: Vec<Link>,
    strangers: u64,
    lateness: Lateness,
    batch: Batch,
}

impl Emulator {
    async fn readable(&self) {
        poll_fn(|cx| {
            // every socket is asked, so that every one will wake us
            let mut ready = self.public.poll_readable(cx).is_ready();
            for (_, socket) in self.links.iter().filter_map(|link| link.source.as_ref()) {
                ready |= socket.poll_readable(cx).is_ready();
            }
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.links.iter().flat_map(|link| [link.forward.next_timeout(), link.back.next_timeout()]).flatten().min()
    }

    fn pass(&mut self, now: Instant) {
        for _ in 0..TURN {
            let received = self.public.receive(&mut self.batch);
            for (datagram, from) in self.batch.owned() {
                self.enter(now, datagram, from);
            }
            if received == Received::Drained {
                break;
            }
        }
        let (mut answers, lateness) = (Vec::new(), &mut self.lateness);
        let mut noted = |(due, datagram): (Instant, Bytes)| {
            lateness.note(now - due);
            datagram
        };
        for link in &mut self.links {
            let Some((source, socket)) = &link.source else { continue };
            for _ in 0..TURN {
                let received = socket.receive(&mut self.batch);
                for (datagram, _) in self.batch.owned() {
                    link.back.handle_packet(now, datagram);
                }
                if received == Received::Drained {
                    break;
                }
            }
            let through: Vec<Bytes> = std::iter::from_fn(|| link.forward.poll_arrival(now)).map(&mut noted).collect();
            socket.send(&through);
            answers.extend(std::iter::from_fn(|| link.back.poll_arrival(now)).map(|a| (*source, noted(a))));
        }
        self.public.send_to(&answers);
    }

    fn enter(&mut self, now: Instant, datagram: Bytes, from: Option<SocketAddr>) {
        let place = from.and_then(|from| match from.ip() {
            _ if self.links.len() == 1 => Some((from, 0)),
            IpAddr::V4(ip) => match ip.octets() {
                [127, 0, 1, n] => Some((from, usize::from(n).checked_sub(1)?)),
                _ => None,
            },
            IpAddr::V6(_) => None,
        });
        let Some((from, link)) = place.and_then(|(from, at)| Some((from, self.links.get_mut(at)?))) else {
            self.strangers += 1;
            return;
        };
        if link.source.as_ref().is_none_or(|(known, _)| *known != from) {
            match Socket::towards(self.to, None) {
                Ok(socket) => link.source = Some((from, socket)),
                Err(error) => {
                    tracing::warn!(to = %self.to, %error, "no socket towards the far end");
                    return;
                }
            }
        }
        link.forward.handle_packet(now, datagram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lateness_of_most_and_of_the_worst_is_told_to_a_sixteenth() {
        let mut lateness = Lateness { counts: [0; LATENESS] };
        assert_eq!(lateness.told(), [0.0; 3]);

        for micros in 0..1000 {
            lateness.note(Duration::from_micros(micros));
        }
        lateness.note(Duration::from_millis(70));

        let [half, most, worst] = lateness.told();
        assert!((0.5..0.54).contains(&half) && (0.99..1.06).contains(&most), "{half} {most}");
        assert!((70.0..74.5).contains(&worst), "{worst}");
    }
}
