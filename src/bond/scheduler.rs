//! Scheduler: which link carries which packet, as late as it can be decided.
//!
//! A packet goes to the link that brings it earliest, counting what is under way there. If that link
//! has no room yet, the packet waits: it would still be earliest there. What is booked so delays the
//! packets behind it on that link, until for one of them a link with room is as good.

use super::held::Held;
use super::link::Link;
use super::without::Without;
use crate::time::Instant;

/// Most links of a group.
pub const MOST_LINKS: usize = 16;
/// A repair must still be possible after the packet: less slack than that is worth this penalty, µs.
const UNREPAIRABLE: f64 = 30_000.0;
const REPAIR_MARGIN: f64 = 40_000.0;
/// A link that would bring it too late is the last choice.
const TOO_LATE: f64 = 1e6;
/// A second of loss is worth so much delay, µs.
const LOSS_COST: f64 = 200_000.0;
/// Money: a metered link is chosen when it brings a packet earlier by this, µs at most.
const METERED_MOST: f64 = 150_000.0;
const METERED_SHARE: f64 = 0.3;
const METERED_FREE: f64 = 120_000.0;
/// While the unmetered links are full anyway, waiting for them saves nothing: each µs of standing queue takes off so many.
const METERED_STANDING: f64 = 4.0;
/// Predicted so long after its deadline on every link, a packet is dead.
const DEAD: f64 = 30_000.0;

/// One link, as the scheduler sees it in this moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) usable: bool,
    free_at: f64,
    rate: f64,
    one_way: f64,
    jitter: f64,
    metered: bool,
    nearest_first: bool,
    loss_cost: f64,
    staleness: f64,
    stalled: f64,
    room: bool,
    bit: u32,
}

impl Seat {
    pub(super) fn look(now: Instant, link: &Link, size: usize, latency_us: f64, at_rest: bool) -> Self {
        let usable = link.usable();
        let room = usable && link.has_room(size, latency_us);
        // with no queue to be seen a full window says nothing of the bottleneck, only that answers are still to come
        let answers = if at_rest && !room && !link.capacity.is_busy() { link.answers_at() } else { 0.0 };
        Self {
            usable,
            free_at: link.free_at(now).max(answers),
            rate: link.capacity.believed(),
            one_way: link.one_way(),
            jitter: link.rtt.jitter_us(),
            metered: link.config.metered && !link.without.has(Without::METERED),
            nearest_first: link.without.has(Without::EARLIEST),
            loss_cost: LOSS_COST * link.loss,
            staleness: link.staleness(now),
            stalled: link.stalled(),
            room,
            bit: link_bit(link),
        }
    }

    /// When `size` more bytes would arrive, µs, with `booked` bytes before them.
    pub(super) fn arrival(&self, size: f64, booked: f64) -> f64 {
        self.free_at + (booked + size) / self.rate + self.one_way + 2.0 * self.jitter
    }
}

/// The bit by which a packet remembers that this link has lost it.
pub(super) fn link_bit(link: &Link) -> u32 {
    1 << (u32::from(link.id.0) % 32)
}

/// What to do with a packet in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Send it there now; on the second as well, if it is the last chance.
    Send { link: usize, second: Option<usize> },
    /// Nobody can bring it in time.
    Drop,
    /// It waits for that link; so many packets behind it would do the same.
    Wait { link: usize, run: usize },
    /// No link has room.
    Closed,
}

/// Chooses for one packet; `booked` counts the bytes that wait for each link before it.
pub(super) fn choose(
    now: Instant,
    seats: &[Seat],
    held: &Held,
    booked: &[f64; MOST_LINKS],
    doubling: bool,
    standing_us: f64,
) -> Choice {
    let size = held.size;
    let deadline = held.deadline.as_micros() as f64;
    let repair = held.sends > 0;
    let nearest = seats.iter().filter(|s| s.usable).map(|s| s.one_way).fold(f64::INFINITY, f64::min);
    if !nearest.is_finite() {
        return Choice::Closed;
    }
    let left = deadline - now.as_micros() as f64;
    let metered_cost = (METERED_SHARE * (left - 2.0 * nearest - METERED_FREE)).clamp(0.0, METERED_MOST);
    let metered_cost = (metered_cost - METERED_STANDING * standing_us).max(0.0);
    // a link that has lost this packet is tried again only if there is no other
    let fresh = seats.iter().any(|s| s.usable && held.lost_on & s.bit == 0);
    let (mut best, mut open, mut next) = (None, None, None);
    let mut earliest = f64::INFINITY;
    for (at, seat) in seats.iter().enumerate() {
        if !seat.usable || (fresh && held.lost_on & seat.bit != 0) {
            continue;
        }
        let arrival = seat.arrival(size, booked[at]);
        earliest = earliest.min(arrival);
        let mut score = if seat.nearest_first { seat.one_way } else { arrival } + seat.loss_cost;
        if seat.metered {
            score += metered_cost;
        }
        if deadline - arrival < seat.one_way + nearest + REPAIR_MARGIN {
            score += UNREPAIRABLE;
        }
        if arrival > deadline {
            score += TOO_LATE;
        }
        score += if repair { seat.staleness } else { seat.stalled };
        if best.is_none_or(|(_, s)| score < s) {
            best = Some((at, score));
        }
        if seat.room {
            if open.is_none_or(|(_, s)| score < s) {
                next = open;
                open = Some((at, score));
            } else if next.is_none_or(|(_, s)| score < s) {
                next = Some((at, score));
            }
        }
    }
    let (Some((best, score)), Some((link, open_score))) = (best, open) else { return Choice::Closed };
    if earliest > deadline + DEAD {
        return Choice::Drop;
    }
    if best == link {
        let slack = deadline - seats[link].arrival(size, booked[link]);
        let last_chance = repair && doubling && slack < seats[link].one_way + nearest + 50_000.0;
        return Choice::Send { link, second: next.map(|(at, _)| at).filter(|_| last_chance) };
    }
    let run = ((open_score - score) * seats[best].rate / size).max(0.0) as usize + 1;
    Choice::Wait { link: best, run }
}
