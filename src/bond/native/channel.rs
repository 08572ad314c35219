//! Sealed datagrams of one session: every counter is used once, and taken once.
//!
//! Keys are renewed by a new handshake; the counters of the links run on, so nothing that counts by them
//! notices. For a while both keys open what arrives: nothing in flight is lost.

use snow::StatelessTransportState;

use super::drops::Reason;
use super::replay::{Place, Window};
use crate::time::{Duration, Instant};
use crate::wire::native::{SEALED_HEADER, Sealed, TAG, near};

/// Links in one session.
pub const LINKS: usize = 16;

/// The nonce's top byte is the link.
const COUNTER_BITS: u32 = 56;
/// Old keys still open so long: more than any datagram may be under way.
const FADE: Duration = Duration::from_secs(15);

/// Why a frame was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is no session yet.
    #[error("there is no session with the gateway")]
    NoSession,
    /// The counter was used before, or is below one that was: sealing would use a nonce twice.
    #[error("counter {counter} of link {link} is not above those used before")]
    Reused {
        /// Of which link.
        link: u8,
        /// Which counter.
        counter: u64,
    },
    /// The link's number, or its counter, is more than the nonce holds; or the frame is too long.
    #[error("link, counter or length beyond what a datagram can hold")]
    OutOfRange,
}

/// One session's keys.
pub(super) struct Keys {
    pub(super) session: u32,
    transport: StatelessTransportState,
    pub(super) since: Instant,
    pub(super) sealed: u64,
}

impl Keys {
    pub(super) fn new(now: Instant, session: u32, transport: StatelessTransportState) -> Self {
        Self { session, transport, since: now, sealed: 0 }
    }
}

/// Seals and opens the datagrams of a session.
pub struct Channel {
    current: Keys,
    /// Announced by a handshake, not proven yet: whoever opens with them first makes them current.
    pending: Option<Keys>,
    /// Replaced, and until when they still open.
    fading: Option<(Keys, Instant)>,
    windows: [Window; LINKS],
    next: [u64; LINKS],
}

/// A datagram that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened<'o> {
    pub(super) counter: u64,
    /// Higher than any before on this link: where it came from, the link is now.
    pub(super) newest: bool,
    pub(super) frame: &'o [u8],
}

impl Channel {
    /// A channel whose peer's counters begin at `theirs`, and ours at `ours`.
    pub(super) fn new(keys: Keys, ours: [u64; LINKS], theirs: [u64; LINKS]) -> Self {
        Self { current: keys, pending: None, fading: None, windows: theirs.map(Window::starting), next: ours }
    }

    /// Appends `frame` to `out` as one sealed datagram. Without an allocation, if `out` has room.
    ///
    /// # Errors
    /// If `counter` is not above all that this link has used, or something does not fit the datagram.
    pub fn seal(&mut self, link: u8, counter: u64, frame: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let next = self.next.get_mut(usize::from(link)).ok_or(SealError::OutOfRange)?;
        if counter < *next {
            return Err(SealError::Reused { link, counter });
        }
        if counter >> COUNTER_BITS != 0 {
            return Err(SealError::OutOfRange);
        }
        let start = out.len();
        Sealed::emit_header(link, self.current.session, counter, out);
        out.resize(start + SEALED_HEADER + frame.len() + TAG, 0);
        let room = &mut out[start + SEALED_HEADER..];
        if self.current.transport.write_message(nonce(link, counter), frame, room).is_err() {
            out.truncate(start);
            return Err(SealError::OutOfRange);
        }
        *next = counter + 1;
        self.current.sealed += 1;
        Ok(())
    }

    /// Like [`Channel::seal`] with the link's next counter, which it returns.
    ///
    /// # Errors
    /// If link, counter or frame do not fit the datagram.
    pub fn seal_next(&mut self, link: u8, frame: &[u8], out: &mut Vec<u8>) -> Result<u64, SealError> {
        let counter = *self.next.get(usize::from(link)).ok_or(SealError::OutOfRange)?;
        self.seal(link, counter, frame, out)?;
        Ok(counter)
    }

    /// Opens a datagram into `out`, which should be as long as any datagram.
    pub(super) fn open<'o>(
        &mut self,
        now: Instant,
        sealed: &Sealed<'_>,
        out: &'o mut [u8],
    ) -> Result<Opened<'o>, Reason> {
        let window = self.windows.get_mut(usize::from(sealed.link)).ok_or(Reason::UnknownType)?;
        let keys = [Some(&self.current), self.pending.as_ref(), self.fading.as_ref().map(|(keys, _)| keys)];
        let keys = keys.into_iter().flatten().find(|keys| keys.session == sealed.session);
        let counter = near(sealed.counter, window.reference());
        let place = window.place(counter);
        if place == Place::Seen {
            return Err(Reason::Replayed);
        }
        let transport = &keys.ok_or(Reason::UnknownSession)?.transport;
        let nonce = nonce(sealed.link, counter & ((1 << COUNTER_BITS) - 1));
        let len = transport.read_message(nonce, sealed.body, out).map_err(|_| Reason::BadTag)?;
        window.take(counter);
        if self.pending.as_ref().is_some_and(|pending| pending.session == sealed.session) {
            self.confirm(now);
        }
        Ok(Opened { counter, newest: place == Place::Newest, frame: out.get(..len).ok_or(Reason::BadTag)? })
    }

    /// Seals with `keys` from now on; the old ones still open for a while.
    pub(super) fn renew(&mut self, now: Instant, keys: Keys) {
        self.pending = Some(keys);
        self.confirm(now);
    }

    /// Opens with `keys` too; the first datagram under them makes them current.
    pub(super) fn expect(&mut self, keys: Keys) {
        self.pending = Some(keys);
    }

    fn confirm(&mut self, now: Instant) {
        if let Some(keys) = self.pending.take() {
            let old = std::mem::replace(&mut self.current, keys);
            self.fading = Some((old, now + FADE));
        }
    }

    /// Forgets keys whose time is over; true if there were some.
    pub(super) fn forget(&mut self, now: Instant) -> bool {
        self.fading.take_if(|(_, until)| *until <= now).is_some()
    }

    /// The session that datagrams are sealed for.
    #[must_use]
    pub fn session(&self) -> u32 {
        self.current.session
    }

    /// Every session that datagrams are opened of.
    pub(super) fn sessions(&self) -> impl Iterator<Item = u32> + '_ {
        let fading = self.fading.as_ref().map(|(keys, _)| keys.session);
        std::iter::once(self.current.session).chain(self.pending.as_ref().map(|keys| keys.session)).chain(fading)
    }

    /// Since when the keys are in use, and how many datagrams they have sealed.
    pub(super) fn age(&self) -> (Instant, u64) {
        (self.current.since, self.current.sealed)
    }

    /// The next counter of each link.
    pub(super) fn counters(&self) -> [u64; LINKS] {
        self.next
    }
}

fn nonce(link: u8, counter: u64) -> u64 {
    u64::from(link) << COUNTER_BITS | counter
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("session", &self.current.session).finish_non_exhaustive()
    }
}
