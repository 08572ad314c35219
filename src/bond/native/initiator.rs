//! The box's side of a session: makes it, keeps its keys fresh, and makes it again when the gateway forgot it.
//!
//! A handshake asks for a cookie over every link at once; the first that answers carries it on. When
//! nothing comes back it begins again, after a growing pause. While one session stands, the next is made
//! beside it.

use std::collections::VecDeque;

use snow::HandshakeState;

use super::super::stats::LinkId;
use super::channel::{Channel, Keys, LINKS, SealError};
use super::drops::{Drops, Reason};
use super::keys::{PrivateKey, PublicKey};
use super::noise::{self, MOST_MESSAGE};
use super::offer::Offer;
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use crate::wire::native::{Clear, Frame, Opening, Refusal, Sealed, Token, Welcome, parse};

/// An ask or a hello without an answer is repeated after this: twice a slow link's round trip.
const AGAIN: Duration = Duration::from_millis(400);
/// So many times, then the handshake begins anew on all links.
const TRIES: u8 = 3;
/// The pause before it does, growing so.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Sealed datagrams go out and none came back for so long: the gateway may have forgotten the session.
const SILENCE: Duration = Duration::from_secs(2);
/// The gateway is only believed to have forgotten when it has said nothing authentic for so long.
const DOUBT: Duration = Duration::from_millis(500);

/// What the box's side is made of.
#[derive(Debug, Clone)]
pub struct InitiatorConfig {
    /// The box's own key.
    pub key: PrivateKey,
    /// The gateway's public key.
    pub peer: PublicKey,
    /// What it asks for.
    pub offer: Offer,
}

/// When keys are old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// After so long.
    pub after: Duration,
    /// Or after so many datagrams sealed.
    pub count: u64,
}

impl Default for Renewal {
    fn default() -> Self {
        Self { after: Duration::from_secs(600), count: 1 << 30 }
    }
}

/// What happened to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitiatorEvent {
    /// There is a session. Send something sealed over every link at once: that joins it.
    Up {
        /// What the gateway said.
        welcome: Welcome,
        /// The gateway knew the one before: only the keys are new. Otherwise it knows nothing of this stream.
        continued: bool,
    },
    /// The gateway said why not. The handshake is tried again all the same.
    Refused(Refusal),
    /// The gateway ended the session on purpose, or has forgotten it; another is being made.
    Lost,
}

/// What a datagram was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'b> {
    /// Of the handshake, or dropped and counted.
    Nothing,
    /// A frame from the gateway.
    Frame {
        /// Its number on this link, counted by the gateway.
        counter: u64,
        /// See [`crate::wire::native::parse`].
        frame: &'b [u8],
    },
}

enum Phase {
    /// Nothing is asked; a handshake begins then, if ever.
    Resting(Option<Instant>),
    Asking {
        token: Token,
        again: Instant,
        tries: u8,
    },
    Greeting {
        token: Token,
        link: LinkId,
        noise: Box<HandshakeState>,
        hello: Vec<u8>,
        again: Instant,
        tries: u8,
    },
}

/// The box's side of a session.
pub struct Initiator {
    config: InitiatorConfig,
    renewal: Renewal,
    rng: Rng,
    links: Vec<LinkId>,
    phase: Phase,
    pause: Duration,
    channel: Option<Channel>,
    /// The next counter of each link, from one session to the next.
    counters: [u64; LINKS],
    /// When something authentic came last; when something sealed went first since then.
    opened: Instant,
    unanswered: Option<Instant>,
    transmits: VecDeque<(LinkId, Vec<u8>)>,
    events: VecDeque<InitiatorEvent>,
    drops: Drops,
}

impl Initiator {
    /// A side without links; it begins when it gets some.
    #[must_use]
    pub fn new(now: Instant, config: InitiatorConfig, rng: Rng) -> Self {
        Self {
            config,
            renewal: Renewal::default(),
            rng,
            links: Vec::new(),
            phase: Phase::Resting(Some(now)),
            pause: PAUSE,
            channel: None,
            counters: [0; LINKS],
            opened: now,
            unanswered: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: Drops::default(),
        }
    }

    /// The same side, whose keys are old at another time.
    #[must_use]
    pub fn renewing(self, renewal: Renewal) -> Self {
        Self { renewal, ..self }
    }

    /// The links that can carry a datagram now; numbers of 16 and more are left out.
    pub fn set_links(&mut self, now: Instant, links: &[LinkId]) {
        let first = self.links.is_empty();
        self.links = links.iter().copied().filter(|link| usize::from(link.0) < LINKS).collect();
        if self.channel.is_none() && first && !self.links.is_empty() {
            // whatever pause there was, was one without a way out
            self.ask(now);
        }
    }

    /// True if frames can be sealed.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.channel.is_some()
    }

    /// Datagrams dropped, by reason.
    #[must_use]
    pub fn drops(&self) -> &Drops {
        &self.drops
    }

    /// Appends `frame` as a sealed datagram for `link`, under a counter above all that this link has used.
    ///
    /// # Errors
    /// If there is no session yet, the counter was used, or something does not fit the datagram.
    pub fn seal(
        &mut self,
        now: Instant,
        link: LinkId,
        counter: u64,
        frame: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let channel = self.channel.as_mut().ok_or(SealError::NoSession)?;
        channel.seal(link.0, counter, frame, out)?;
        self.unanswered.get_or_insert(now);
        if channel.age().1 >= self.renewal.count && matches!(self.phase, Phase::Resting(None)) {
            self.phase = Phase::Resting(Some(now));
        }
        Ok(())
    }

    /// Takes a datagram that came over `link`; a frame is opened into `room`, which should hold any datagram.
    pub fn handle_datagram<'b>(
        &mut self,
        now: Instant,
        link: LinkId,
        datagram: &[u8],
        room: &'b mut [u8],
    ) -> Heard<'b> {
        let clear = match Clear::parse(datagram) {
            Ok(clear) => clear,
            Err(crate::wire::Error::UnknownType(_)) => return self.drop(Reason::UnknownType),
            Err(_) => return self.drop(Reason::Truncated),
        };
        match clear {
            Clear::Sealed(sealed) => self.open(now, link, &sealed, room),
            Clear::Opening { token, step } => self.step(now, link, token, step),
            Clear::UnknownSession(session) => self.forgotten(now, session),
            Clear::UnknownVersion { .. } => self.drop(Reason::UnknownVersion),
        }
    }

    fn drop<'b>(&mut self, reason: Reason) -> Heard<'b> {
        self.drops.count(reason);
        Heard::Nothing
    }

    fn open<'b>(&mut self, now: Instant, link: LinkId, sealed: &Sealed<'_>, room: &'b mut [u8]) -> Heard<'b> {
        let Some(channel) = &mut self.channel else { return self.drop(Reason::UnknownSession) };
        // the number in the header is sealed with the frame; it must be that of the socket it came by
        if sealed.link != link.0 {
            return self.drop(Reason::UnknownType);
        }
        let opened = match channel.open(now, sealed, room) {
            Ok(opened) => opened,
            Err(reason) => return self.drop(reason),
        };
        self.opened = now;
        self.unanswered = None;
        self.pause = PAUSE;
        if opened.frame.len() == 1 {
            match parse(opened.frame) {
                Ok(Frame::Renew) if matches!(self.phase, Phase::Resting(_)) => self.ask(now),
                Ok(Frame::Bye) => {
                    self.lose();
                    self.rest(now);
                }
                _ => {}
            }
        }
        Heard::Frame { counter: opened.counter, frame: opened.frame }
    }

    fn step<'b>(&mut self, now: Instant, link: LinkId, token: Token, step: Opening<'_>) -> Heard<'b> {
        match (&mut self.phase, step) {
            (Phase::Asking { token: asked, .. }, Opening::Cookie(cookie)) if *asked == token => {
                self.greet(now, link, token, cookie);
            }
            (Phase::Greeting { token: asked, noise, .. }, Opening::Welcome { noise: message }) if *asked == token => {
                let mut payload = [0; MOST_MESSAGE];
                let read = noise.read_message(message, &mut payload).ok();
                let welcome = read.and_then(|len| Welcome::parse(payload.get(..len)?).ok());
                match welcome {
                    Some(welcome) => self.welcomed(now, welcome),
                    // forged; the true one may still come
                    None => return self.drop(Reason::BadTag),
                }
            }
            (Phase::Asking { token: asked, .. } | Phase::Greeting { token: asked, .. }, Opening::Refusal(refusal))
                if *asked == token =>
            {
                self.events.push_back(InitiatorEvent::Refused(refusal));
                self.pause = LONGEST_PAUSE.min(self.pause * 2);
                self.rest(now);
            }
            _ => return self.drop(Reason::Unasked),
        }
        Heard::Nothing
    }

    /// Anybody could say so: it is believed only while nothing authentic says otherwise.
    fn forgotten<'b>(&mut self, now: Instant, session: u32) -> Heard<'b> {
        let ours = self.channel.as_ref().is_some_and(|channel| channel.session() == session);
        if !ours || now.since(self.opened) < DOUBT || !matches!(self.phase, Phase::Resting(_)) {
            return self.drop(Reason::Unasked);
        }
        self.ask(now);
        Heard::Nothing
    }

    /// Asks over every link at once: the first cookie comes over the quickest.
    fn ask(&mut self, now: Instant) {
        if self.links.is_empty() {
            self.phase = Phase::Resting(None);
            return;
        }
        let mut token = Token::default();
        self.rng.fill(&mut token);
        self.phase = Phase::Asking { token, again: now + AGAIN, tries: 1 };
        self.send_asks(token);
    }

    fn send_asks(&mut self, token: Token) {
        for link in &self.links {
            let mut out = Vec::with_capacity(64);
            Opening::Ask.emit(token, &mut out);
            self.transmits.push_back((*link, out));
        }
    }

    fn greet(&mut self, now: Instant, link: LinkId, token: Token, cookie: [u8; 16]) {
        let continues = self.channel.as_ref().map(Channel::session);
        let counters = self.channel.as_ref().map_or(self.counters, Channel::counters);
        let payload = self.config.offer.payload(continues, counters);
        let bound = [&token[..], &cookie[..]].concat();
        let noise = noise::initiator(&self.config.key, self.config.peer, &bound, &mut self.rng);
        let mut message = [0; MOST_MESSAGE];
        let written = noise.and_then(|mut noise| {
            let len = noise.write_message(&payload, &mut message)?;
            Ok((noise, len))
        });
        let Ok((noise, len)) = written else {
            // the gateway's key is no point of the curve: the same again later, so that it is seen to be tried
            self.rest(now);
            return;
        };
        let mut hello = Vec::with_capacity(len + 32);
        Opening::Hello { cookie, noise: &message[..len] }.emit(token, &mut hello);
        self.transmits.push_back((link, hello.clone()));
        self.phase = Phase::Greeting { token, link, noise: Box::new(noise), hello, again: now + AGAIN, tries: 1 };
    }

    fn welcomed(&mut self, now: Instant, welcome: Welcome) {
        let Phase::Greeting { noise, .. } = std::mem::replace(&mut self.phase, Phase::Resting(None)) else { return };
        let Ok(transport) = noise.into_stateless_transport_mode() else {
            self.rest(now);
            return;
        };
        let keys = Keys::new(now, welcome.session, transport);
        let continued = welcome.continued && self.channel.is_some();
        match &mut self.channel {
            Some(channel) if continued => channel.renew(now, keys),
            channel => {
                let ours = channel.as_ref().map_or(self.counters, Channel::counters);
                *channel = Some(Channel::new(keys, ours, [0; LINKS]));
            }
        }
        self.pause = PAUSE;
        self.opened = now;
        self.unanswered = None;
        self.events.push_back(InitiatorEvent::Up { welcome, continued });
    }

    /// Ends the session; the counters go on in the next.
    fn lose(&mut self) {
        if let Some(channel) = self.channel.take() {
            self.counters = channel.counters();
            self.events.push_back(InitiatorEvent::Lost);
        }
    }

    /// Waits, then begins anew.
    fn rest(&mut self, now: Instant) {
        // a quarter more or less, so that boxes that lost one gateway do not come back at once
        let pause = self.pause.mul_f64(0.75 + self.rng.unit() / 2.0);
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        self.phase = Phase::Resting(Some(now + pause));
    }

    /// When [`Initiator::handle_timeout`] is wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Resting(_) if self.links.is_empty() => None,
            Phase::Resting(at) => *at,
            Phase::Asking { again, .. } | Phase::Greeting { again, .. } => Some(*again),
        };
        let resting = matches!(self.phase, Phase::Resting(None)) && !self.links.is_empty();
        let keys = self.channel.as_ref().filter(|_| resting).map(|channel| channel.age().0 + self.renewal.after);
        let silence = self.unanswered.filter(|_| resting && self.channel.is_some()).map(|since| since + SILENCE);
        [phase, keys, silence].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(channel) = &mut self.channel {
            channel.forget(now);
        }
        match &mut self.phase {
            Phase::Resting(Some(at)) if *at > now => {}
            Phase::Resting(_) => {
                if self.wants_session(now) {
                    self.ask(now);
                } else {
                    self.phase = Phase::Resting(None);
                }
            }
            Phase::Asking { token, again, tries } if *again <= now => {
                *tries += 1;
                *again = now + AGAIN;
                let (token, last) = (*token, *tries > TRIES);
                if last {
                    self.rest(now);
                } else {
                    self.send_asks(token);
                }
            }
            Phase::Greeting { link, hello, again, tries, .. } if *again <= now => {
                *tries += 1;
                *again = now + AGAIN;
                if *tries > TRIES {
                    self.rest(now);
                } else {
                    self.transmits.push_back((*link, hello.clone()));
                }
            }
            _ => {}
        }
    }

    /// There is no session, or its keys are old, or nobody answers in it.
    fn wants_session(&self, now: Instant) -> bool {
        let Some(channel) = &self.channel else { return true };
        let (since, sealed) = channel.age();
        let old = now.since(since) >= self.renewal.after || sealed >= self.renewal.count;
        old || self.unanswered.is_some_and(|since| now.since(since) >= SILENCE)
    }

    /// The next datagram of the handshake, and the link to send it on.
    pub fn poll_transmit(&mut self) -> Option<(LinkId, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// What happened to the session.
    pub fn poll_event(&mut self) -> Option<InitiatorEvent> {
        self.events.pop_front()
    }
}

impl std::fmt::Debug for Initiator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Initiator").field("links", &self.links).field("channel", &self.channel).finish_non_exhaustive()
    }
}
