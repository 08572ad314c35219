//! The gateway's side of all sessions: who may, who is who, and where each link of a group is now.
//!
//! Before a box has answered a cookie nothing about it is kept, and nothing longer than its question is
//! answered. One key has one group: a box that begins anew takes the place of its old self once it has
//! proven itself by a sealed datagram.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::channel::{Channel, Keys, LINKS, SealError};
use super::cookie::Jar;
use super::drops::{Drops, Reason};
use super::keys::{PrivateKey, PublicKey};
use super::noise::{self, MOST_MESSAGE};
use super::offer::Offer;
use super::throttle::Throttle;
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use crate::wire::Error;
use crate::wire::native::{Clear, Frame, Hello, Opening, Refusal, Sealed, Token, VERSION, Welcome, parse};

/// A handshake that nothing sealed follows is forgotten after this.
const PENDING: Duration = Duration::from_secs(10);
/// A box renews its keys long before; one that does not is asked to, this often.
const RENEW_AFTER: Duration = Duration::from_secs(900);
const RENEW_AGAIN: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(1);
/// The longest name or address that anything is written into is a welcome: this holds it.
const WELCOME: usize = 96;

/// What the gateway's side is made of.
#[derive(Debug, Clone)]
pub struct ResponderConfig {
    /// The gateway's own key.
    pub key: PrivateKey,
    /// The boxes that may, with the names that the operator gave them.
    pub allow: BTreeMap<PublicKey, String>,
    /// Groups that it carries at once.
    pub most_groups: usize,
    /// Streams that it takes of one box.
    pub most_streams: usize,
    /// A group that is silent for so long is closed.
    pub idle: Duration,
}

/// A group of links of one box; a number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub u32);

/// Why a group was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closed {
    /// The box said so.
    Bye,
    /// Nothing authentic came for too long.
    Idle,
    /// The box began anew.
    Replaced,
    /// Its key is not allowed any more.
    Revoked,
}

/// What happened to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponderEvent {
    /// A box has proven itself.
    Opened {
        /// Its group.
        group: Group,
        /// Its key.
        peer: PublicKey,
        /// Its name in the allow file.
        name: String,
        /// What it asked for.
        offer: Offer,
    },
    /// A link speaks from another address, or for the first time.
    Moved {
        /// Of this group.
        group: Group,
        /// Which link.
        link: u8,
        /// Where it was.
        from: Option<SocketAddr>,
        /// Where it is.
        to: SocketAddr,
    },
    /// A group has ended.
    Closed {
        /// Which.
        group: Group,
        /// Why.
        why: Closed,
    },
}

/// What a datagram was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received<'b> {
    /// Dropped and counted.
    Nothing,
    /// To be sent back to where it came from; never longer than what came, before the cookie is answered.
    Answer(&'b [u8]),
    /// A frame of a group.
    Frame {
        /// Whose.
        group: Group,
        /// Over which link.
        link: u8,
        /// Its number on this link.
        counter: u64,
        /// See [`crate::wire::native::parse`].
        frame: &'b [u8],
    },
}

/// Whose session a number is.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Group(Group),
    Pending(PublicKey),
}

struct Member {
    peer: PublicKey,
    name: String,
    channel: Channel,
    links: [Option<Path>; LINKS],
    heard: Instant,
    /// When it was last asked for new keys.
    asked: Option<Instant>,
    /// The handshake that gave the newest keys, and what was answered: a repeated hello gets the same.
    last: Option<(Token, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy)]
struct Path {
    address: SocketAddr,
    heard: Instant,
}

/// A box that was welcomed and has not proven itself yet.
struct Pending {
    channel: Channel,
    offer: Offer,
    since: Instant,
    token: Token,
    welcome: Vec<u8>,
}

/// The gateway's side of all sessions.
pub struct Responder {
    config: ResponderConfig,
    rng: Rng,
    jar: Jar,
    throttle: Throttle,
    sessions: BTreeMap<u32, Owner>,
    /// At most one for each allowed key.
    pending: BTreeMap<PublicKey, Pending>,
    members: BTreeMap<Group, Member>,
    by_key: BTreeMap<PublicKey, Group>,
    next_group: u32,
    tick: Instant,
    transmits: VecDeque<(SocketAddr, Vec<u8>)>,
    events: VecDeque<ResponderEvent>,
    drops: Drops,
    /// Answers are written here first.
    scratch: Vec<u8>,
}

impl Responder {
    /// A side that knows nobody yet.
    #[must_use]
    pub fn new(now: Instant, config: ResponderConfig, mut rng: Rng) -> Self {
        Self {
            jar: Jar::new(&mut rng),
            throttle: Throttle::new(now, &mut rng),
            config,
            rng,
            sessions: BTreeMap::new(),
            pending: BTreeMap::new(),
            members: BTreeMap::new(),
            by_key: BTreeMap::new(),
            next_group: 0,
            tick: now + TICK,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: Drops::default(),
            scratch: Vec::with_capacity(WELCOME),
        }
    }

    /// Takes a datagram from `from`. A frame is opened into `room`, an answer written there: it should hold
    /// any datagram.
    pub fn handle_datagram<'b>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        room: &'b mut [u8],
    ) -> Received<'b> {
        match Clear::parse(datagram) {
            Ok(Clear::Sealed(sealed)) => self.sealed(now, from, &sealed, room),
            Ok(Clear::Opening { token, step: Opening::Ask }) => {
                answer(&mut self.scratch, room, datagram.len(), |out| {
                    Opening::Cookie(self.jar.bake(now, from, token)).emit(token, out)
                })
            }
            Ok(Clear::Opening { token, step: Opening::Hello { cookie, noise } }) => {
                if !self.jar.holds(now, from, token, &cookie) {
                    return self.drop(Reason::BadCookie);
                }
                self.hello(now, from, token, cookie, noise, room)
            }
            Ok(Clear::Opening { .. } | Clear::UnknownSession(_)) => self.drop(Reason::Unasked),
            Ok(Clear::UnknownVersion { token }) => {
                self.drops.count(Reason::UnknownVersion);
                let Some(token) = token.filter(|_| self.throttle.answer(now)) else { return Received::Nothing };
                let refusal = Opening::Refusal(Refusal::UnknownVersion(VERSION));
                answer(&mut self.scratch, room, datagram.len(), |out| refusal.emit(token, out))
            }
            Err(Error::UnknownType(_)) => self.drop(Reason::UnknownType),
            Err(_) => self.drop(Reason::Truncated),
        }
    }

    fn drop<'b>(&mut self, reason: Reason) -> Received<'b> {
        self.drops.count(reason);
        Received::Nothing
    }

    fn refuse<'b>(
        &mut self,
        now: Instant,
        token: Token,
        reason: Reason,
        refusal: Refusal,
        room: &'b mut [u8],
    ) -> Received<'b> {
        self.drops.count(reason);
        if !self.throttle.answer(now) {
            return Received::Nothing;
        }
        answer(&mut self.scratch, room, WELCOME, |out| Opening::Refusal(refusal).emit(token, out))
    }

    fn sealed<'b>(&mut self, now: Instant, from: SocketAddr, sealed: &Sealed<'_>, room: &'b mut [u8]) -> Received<'b> {
        let group = match self.sessions.get(&sealed.session) {
            Some(Owner::Group(group)) => *group,
            Some(Owner::Pending(peer)) => {
                let peer = *peer;
                return self.proof(now, from, peer, sealed, room);
            }
            None => {
                self.drops.count(Reason::UnknownSession);
                if !self.throttle.answer(now) {
                    return Received::Nothing;
                }
                // the shortest sealed datagram is longer than this answer
                return answer(&mut self.scratch, room, WELCOME, |out| {
                    Opening::emit_unknown_session(sealed.session, out)
                });
            }
        };
        let Some(member) = self.members.get_mut(&group) else { return self.drop(Reason::UnknownSession) };
        let opened = match member.channel.open(now, sealed, room) {
            Ok(opened) => opened,
            Err(reason) => return self.drop(reason),
        };
        member.heard = now;
        if opened.newest
            && let Some(moved) = member.saw(now, group, sealed.link, from)
        {
            self.events.push_back(moved);
        }
        if opened.frame.len() == 1 && matches!(parse(opened.frame), Ok(Frame::Bye)) {
            self.close(group, Closed::Bye);
        }
        Received::Frame { group, link: sealed.link, counter: opened.counter, frame: opened.frame }
    }

    /// A datagram for a session that was welcomed: if it opens, the box has proven itself.
    fn proof<'b>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        peer: PublicKey,
        sealed: &Sealed<'_>,
        room: &'b mut [u8],
    ) -> Received<'b> {
        let Some(pending) = self.pending.get_mut(&peer) else { return self.drop(Reason::UnknownSession) };
        let opened = match pending.channel.open(now, sealed, room) {
            Ok(opened) => opened,
            Err(reason) => return self.drop(reason),
        };
        let (Some(pending), Some(name)) = (self.pending.remove(&peer), self.config.allow.get(&peer).cloned()) else {
            return Received::Nothing;
        };
        if let Some(old) = self.by_key.get(&peer).copied() {
            self.close(old, Closed::Replaced);
        }
        let group = Group(self.next_group);
        self.next_group = self.next_group.wrapping_add(1);
        let mut member = Member {
            peer,
            name: name.clone(),
            channel: pending.channel,
            links: [None; LINKS],
            heard: now,
            asked: None,
            last: Some((pending.token, pending.welcome)),
        };
        self.events.push_back(ResponderEvent::Opened { group, peer, name, offer: pending.offer });
        self.events.extend(member.saw(now, group, sealed.link, from));
        self.sessions.insert(member.channel.session(), Owner::Group(group));
        self.members.insert(group, member);
        self.by_key.insert(peer, group);
        Received::Frame { group, link: sealed.link, counter: opened.counter, frame: opened.frame }
    }

    fn hello<'b>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        token: Token,
        cookie: [u8; 16],
        message: &[u8],
        room: &'b mut [u8],
    ) -> Received<'b> {
        // the same hello again: the welcome was lost
        let pending = self.pending.values().find(|pending| pending.token == token).map(|pending| &pending.welcome);
        let renewed = || self.members.values().filter_map(|member| member.last.as_ref()).find(|last| last.0 == token);
        if let Some(welcome) = pending.or_else(|| renewed().map(|last| &last.1)) {
            let welcome = welcome.clone();
            return answer(&mut self.scratch, room, usize::MAX, |out| out.extend_from_slice(&welcome));
        }
        if !self.throttle.handshake(now, from) {
            return self.drop(Reason::Throttled);
        }
        let bound = [&token[..], &cookie[..]].concat();
        let mut payload = [0; MOST_MESSAGE];
        let read = noise::responder(&self.config.key, &bound, &mut self.rng).and_then(|mut noise| {
            let len = noise.read_message(message, &mut payload)?;
            Ok((noise, len))
        });
        let Ok((mut noise, len)) = read else {
            return self.refuse(now, token, Reason::WrongKey, Refusal::WrongKey, room);
        };
        let peer = noise.get_remote_static().and_then(|key| key.try_into().ok()).map(PublicKey);
        let Some(peer) = peer.filter(|peer| self.config.allow.contains_key(peer)) else {
            return self.refuse(now, token, Reason::NotAllowed, Refusal::WrongKey, room);
        };
        let hello = Hello::parse(&payload[..len]).ok();
        let Some(hello) = hello.filter(|hello| hello.streams.iter().count() <= self.config.most_streams) else {
            return self.refuse(now, token, Reason::Unfit, Refusal::Unfit, room);
        };
        let known = self.by_key.get(&peer).copied();
        let waiting = self.pending.keys().filter(|key| **key != peer && !self.by_key.contains_key(key)).count();
        if known.is_none() && self.members.len() + waiting >= self.config.most_groups {
            return self.refuse(now, token, Reason::Full, Refusal::Full, room);
        }
        let continues = known.filter(|group| {
            let member = self.members.get(group);
            member.is_some_and(|member| member.channel.sessions().any(|session| Some(session) == hello.continues))
        });
        let session = self.new_session();
        let welcome =
            Welcome { session, latency_ms: hello.latency_ms, links: LINKS as u8, continued: continues.is_some() };
        let mut said = Vec::with_capacity(WELCOME);
        welcome.emit(&mut said);
        let mut message = [0; MOST_MESSAGE];
        let written = noise.write_message(&said, &mut message).and_then(|len| {
            let transport = noise.into_stateless_transport_mode()?;
            Ok((len, transport))
        });
        let Ok((len, transport)) = written else { return self.drop(Reason::WrongKey) };
        let mut welcome = Vec::with_capacity(WELCOME);
        Opening::Welcome { noise: &message[..len] }.emit(token, &mut welcome);
        let keys = Keys::new(now, session, transport);
        match continues.and_then(|group| self.members.get_mut(&group).map(|member| (group, member))) {
            Some((group, member)) => {
                member.channel.expect(keys);
                member.last = Some((token, welcome.clone()));
                self.sessions.insert(session, Owner::Group(group));
            }
            None => {
                let channel = Channel::new(keys, [0; LINKS], hello.counters);
                let pending =
                    Pending { channel, offer: Offer::of(&hello), since: now, token, welcome: welcome.clone() };
                if let Some(old) = self.pending.insert(peer, pending) {
                    self.sessions.remove(&old.channel.session());
                }
                self.sessions.insert(session, Owner::Pending(peer));
            }
        }
        answer(&mut self.scratch, room, usize::MAX, |out| out.extend_from_slice(&welcome))
    }

    fn new_session(&mut self) -> u32 {
        loop {
            let session = self.rng.next_u64() as u32;
            if session != 0 && !self.sessions.contains_key(&session) {
                return session;
            }
        }
    }

    /// Appends `frame` as a sealed datagram of a group, and says where it goes.
    ///
    /// # Errors
    /// If the group has ended, nothing was heard over the link yet, or the frame does not fit.
    pub fn seal(&mut self, group: Group, link: u8, frame: &[u8], out: &mut Vec<u8>) -> Result<SocketAddr, SealError> {
        let member = self.members.get_mut(&group).ok_or(SealError::NoSession)?;
        let path = member.links.get(usize::from(link)).copied().flatten().ok_or(SealError::NoSession)?;
        member.channel.seal_next(link, frame, out)?;
        Ok(path.address)
    }

    /// The links over which something was heard: number, where it is, and when that was last.
    pub fn links(&self, group: Group) -> impl Iterator<Item = (u8, SocketAddr, Instant)> + '_ {
        let links = self.members.get(&group).map_or(&[][..], |member| &member.links[..]);
        (0_u8..).zip(links).filter_map(|(link, path)| path.map(|path| (link, path.address, path.heard)))
    }

    /// How many groups there are.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.members.len()
    }

    /// How many session numbers are known, those under renewal and of boxes not proven yet included.
    #[must_use]
    pub fn sessions_known(&self) -> usize {
        self.sessions.len()
    }

    /// Datagrams dropped, by reason.
    #[must_use]
    pub fn drops(&self) -> &Drops {
        &self.drops
    }

    /// The boxes that may from now on; groups of others are closed.
    pub fn set_allowed(&mut self, allow: BTreeMap<PublicKey, String>) {
        self.config.allow = allow;
        let allow = &self.config.allow;
        let gone: Vec<Group> =
            self.members.iter().filter(|(_, m)| !allow.contains_key(&m.peer)).map(|(group, _)| *group).collect();
        for member in self.members.values_mut() {
            if let Some(name) = allow.get(&member.peer) {
                member.name.clone_from(name);
            }
        }
        self.pending.retain(|peer, _| allow.contains_key(peer));
        for group in gone {
            self.close(group, Closed::Revoked);
        }
        self.prune();
    }

    /// The name of the box of a group.
    #[must_use]
    pub fn name(&self, group: Group) -> Option<&str> {
        self.members.get(&group).map(|member| member.name.as_str())
    }

    /// Ends a group, and says so to its box over every link.
    pub fn dismiss(&mut self, group: Group, why: Closed) {
        let mut bye = Vec::with_capacity(1);
        Frame::Bye.emit(&mut bye);
        self.tell(group, &bye);
        self.close(group, why);
    }

    fn tell(&mut self, group: Group, frame: &[u8]) {
        let links: Vec<u8> = self.links(group).map(|(link, ..)| link).collect();
        for link in links {
            let mut out = Vec::with_capacity(64);
            if let Ok(to) = self.seal(group, link, frame, &mut out) {
                self.transmits.push_back((to, out));
            }
        }
    }

    fn close(&mut self, group: Group, why: Closed) {
        if let Some(member) = self.members.remove(&group) {
            self.by_key.remove(&member.peer);
            for session in member.channel.sessions() {
                self.sessions.remove(&session);
            }
            self.events.push_back(ResponderEvent::Closed { group, why });
        }
    }

    /// Forgets the numbers of sessions that nothing opens any more.
    fn prune(&mut self) {
        let (members, pending) = (&self.members, &self.pending);
        self.sessions.retain(|session, owner| match owner {
            Owner::Group(group) => members.get(group).is_some_and(|m| m.channel.sessions().any(|s| s == *session)),
            Owner::Pending(peer) => pending.get(peer).is_some_and(|p| p.channel.session() == *session),
        });
    }

    /// When [`Responder::handle_timeout`] is wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        (!self.members.is_empty() || !self.pending.is_empty()).then_some(self.tick)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.tick > now {
            return;
        }
        self.tick = now + TICK;
        self.pending.retain(|_, pending| now.since(pending.since) < PENDING);
        let idle: Vec<Group> = self
            .members
            .iter()
            .filter(|(_, member)| now.since(member.heard) >= self.config.idle)
            .map(|(group, _)| *group)
            .collect();
        for group in idle {
            self.close(group, Closed::Idle);
        }
        let mut old = Vec::new();
        for (group, member) in &mut self.members {
            member.channel.forget(now);
            let due = member.asked.is_none_or(|asked| now.since(asked) >= RENEW_AGAIN);
            if due && now.since(member.channel.age().0) >= RENEW_AFTER {
                member.asked = Some(now);
                old.push(*group);
            }
        }
        let mut renew = Vec::with_capacity(1);
        Frame::Renew.emit(&mut renew);
        for group in old {
            self.tell(group, &renew);
        }
        self.prune();
    }

    /// The next datagram to send, and where.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// What happened to a group.
    pub fn poll_event(&mut self) -> Option<ResponderEvent> {
        self.events.pop_front()
    }
}

impl Member {
    /// A datagram newer than all others of its link says where the link is now.
    fn saw(&mut self, now: Instant, group: Group, link: u8, from: SocketAddr) -> Option<ResponderEvent> {
        let path = self.links.get_mut(usize::from(link))?;
        let before = path.replace(Path { address: from, heard: now }).map(|path| path.address);
        (before != Some(from)).then_some(ResponderEvent::Moved { group, link, from: before, to: from })
    }
}

/// Writes an answer into `room`; nothing if it is longer than `most`, or than the room.
fn answer<'b>(out: &mut Vec<u8>, room: &'b mut [u8], most: usize, emit: impl FnOnce(&mut Vec<u8>)) -> Received<'b> {
    out.clear();
    emit(out);
    match room.get_mut(..out.len()) {
        Some(room) if out.len() <= most => {
            room.copy_from_slice(out);
            Received::Answer(room)
        }
        _ => Received::Nothing,
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").field("groups", &self.members.len()).finish_non_exhaustive()
    }
}
