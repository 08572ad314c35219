//! Opaque: an SRT session, looked at from outside.

use crate::wire::Seq;
use crate::wire::echo::{Destination, Echo, Kind, Sense, Session};

/// An SRT session, looked at from outside.
#[derive(Debug, Default)]
pub struct Opaque {
    bytes: u64,
    newest: Option<Seq>,
    answered: Option<Seq>,
    came: bool,
    went_on: bool,
    answer_came: bool,
    answer_went_on: bool,
}

impl Opaque {
    /// Payload bytes since the beginning.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A data packet of the session, towards the listener.
    pub fn take(&mut self, seq: Seq, len: usize) {
        self.bytes += len as u64;
        self.came = true;
        if self.newest.is_none_or(|newest| seq.distance(newest) != 0) {
            self.went_on |= self.newest.is_none_or(|newest| seq.distance(newest) > 0);
            // a number far back is another session, and goes on from there
            self.newest = self.newest.filter(|newest| (-8192..0).contains(&seq.distance(*newest))).or(Some(seq));
        }
    }

    /// The listener acknowledges everything before `seq`.
    pub fn answer(&mut self, seq: Seq) {
        self.answer_came = true;
        if self.answered.is_none_or(|answered| seq.distance(answered) != 0) {
            self.answer_went_on |= self.answered.is_none_or(|answered| seq.distance(answered) > 0);
            self.answered = Some(seq);
        }
    }

    /// A second is over: what it brought; the one destination is the listener.
    pub(in crate::gateway) fn second(&mut self, stream: u8, mut destinations: Vec<Destination>) -> Echo {
        let sense = |came: bool, went_on: bool| match (came, went_on) {
            (false, _) => Sense::Absent,
            (true, false) => Sense::Still,
            (true, true) => Sense::Ok,
        };
        // the listener is the one place where an opaque session goes
        for destination in &mut destinations {
            destination.answered = sense(self.answer_came, self.answer_went_on);
            destination.session = match self.answered {
                Some(_) if self.answer_came => Session::Open,
                Some(_) => Session::Broken,
                None => Session::Waiting,
            };
        }
        let echo = Echo {
            stream,
            kind: Kind::Srt,
            flow: sense(self.came, self.went_on),
            clock: Sense::Unknown,
            picture: Sense::Unknown,
            sound: Sense::Unknown,
            bytes: self.bytes,
            missing: 0,
            gaps: 0,
            destinations,
        };
        (self.came, self.went_on, self.answer_came, self.answer_went_on) = (false, false, false, false);
        echo
    }
}
