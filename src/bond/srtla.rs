//! Registration of a group as the field's far ends have it.
//!
//! ```text
//! REG2 (own id) on all links ──► REG_NGP, first on the quickest ──► REG1 there ──► REG2 (full id)
//!                                                                                      │
//!                              REG3, link by link ◄── REG2 (full id) on all links ◄────┘
//! ```
//!
//! A far end that was restarted answers REG_NGP to the next REG2, and the same way begins again.

use std::time::Duration;

use super::stats::LinkId;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::srtla::{GroupId, Repr};

/// Our REG1 or its answer is lost after this; the next try takes another link if it can.
const ANSWER: Duration = Duration::from_secs(1);
/// After a refusal: the field's senders wait as long, and a far end may have an old group to forget.
pub(super) const REFUSED: Duration = Duration::from_secs(4);

/// So long after the far end has named the group, a REG_NGP still answers what was asked before:
/// on slow links these come after the quick link's REG2, and to begin again would make the far end
/// refuse us until it has forgotten the first group. Twice a bad modem's round trip.
const LATE: Duration = Duration::from_secs(2);

/// What the group knows of its far end.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    id: GroupId,
    known: bool,
    named_at: Instant,
    asked: Option<(LinkId, Instant)>,
    /// A REG1 with this id has left and was not answered; also once it is given up, for its answer may only be late.
    hoped: bool,
    not_before: Instant,
    /// The link on which the last try failed.
    avoid: Option<LinkId>,
    rng: Rng,
}

impl Registration {
    pub(super) fn new(now: Instant, mut rng: Rng) -> Self {
        let id = random_id(&mut rng);
        Self { id, known: false, named_at: now, asked: None, hoped: false, not_before: now, avoid: None, rng }
    }

    /// The far end has made the group.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// What a link says that wants to be let in; nothing while a REG1 is on its way.
    pub(super) fn ask(&self) -> Option<Vec<u8>> {
        self.asked.is_none().then(|| Repr::Reg2(self.id).to_vec())
    }

    /// The far end knows no such group; the REG1 to answer on this link, if it is the one to do so.
    pub(super) fn unknown(&mut self, now: Instant, link: LinkId, others: bool) -> Option<Vec<u8>> {
        if self.known && now < self.named_at + LATE {
            return None;
        }
        self.known = false;
        if self.asked.is_some() || now < self.not_before || (others && self.avoid == Some(link)) {
            return None;
        }
        if !self.hoped {
            self.id = random_id(&mut self.rng);
        }
        self.hoped = true;
        self.asked = Some((link, now + ANSWER));
        Some(Repr::Reg1(self.id).to_vec())
    }

    /// The far end has named the group; true if it is the one that we asked for, however late. Of two
    /// answers, because we asked again in between, the first one counts.
    pub(super) fn named(&mut self, now: Instant, id: GroupId) -> bool {
        let ours = self.hoped && id.same_sender(&self.id);
        if ours {
            self.hoped = false;
            self.id = id;
            self.known = true;
            self.named_at = now;
            self.asked = None;
            self.avoid = None;
        }
        ours
    }

    /// The far end refuses, for now.
    pub(super) fn refused(&mut self, now: Instant, link: LinkId) {
        if self.asked.is_some_and(|(asked, _)| asked == link) {
            self.asked = None;
            self.avoid = Some(link);
            self.not_before = now + REFUSED;
        }
    }

    /// The link is gone on which the far end was asked.
    pub(super) fn link_gone(&mut self, link: LinkId) {
        if self.asked.is_some_and(|(asked, _)| asked == link) {
            self.asked = None;
            self.avoid = Some(link);
        }
    }

    /// True if an unanswered REG1 was given up just now.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        match self.asked {
            Some((link, until)) if now >= until => {
                self.asked = None;
                self.avoid = Some(link);
                true
            }
            _ => false,
        }
    }
}

fn random_id(rng: &mut Rng) -> GroupId {
    let mut id = [0; 256];
    rng.fill(&mut id);
    GroupId(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_only_late_is_taken_and_no_second_group_is_made() {
        let at = Instant::from_millis;
        let mut registration = Registration::new(at(0), Rng::simulated(1));
        let Some(reg1) = registration.unknown(at(10), LinkId(0), true) else { panic!("the quickest link asks") };
        let Ok(Repr::Reg1(first)) = crate::wire::srtla::parse(&reg1) else { panic!("no REG1: {reg1:?}") };

        assert!(registration.tick(at(1010)), "given up");
        let mut named = first;
        named.0[GroupId::HALF..].fill(1);
        let mut early = registration.clone();
        assert!(early.named(at(1020), named), "its answer comes before anything else was asked");
        assert_eq!(early.unknown(at(1030), LinkId(1), true), None, "the group is there");

        // or another link has asked again, in the same name
        let Some(reg1) = registration.unknown(at(1020), LinkId(1), true) else { panic!("another link asks") };
        assert_eq!(crate::wire::srtla::parse(&reg1), Ok(Repr::Reg1(first)));
        assert!(registration.named(at(1030), named));
        let mut second = first;
        second.0[GroupId::HALF..].fill(2);
        assert!(!registration.named(at(1040), second), "the first answer counts");
    }

    #[test]
    fn answers_of_slow_links_do_not_begin_the_registration_again() {
        let at = Instant::from_millis;
        let mut registration = Registration::new(at(0), Rng::simulated(1));
        let Some(reg1) = registration.unknown(at(10), LinkId(0), true) else { panic!("the quickest link asks") };
        let Ok(Repr::Reg1(id)) = crate::wire::srtla::parse(&reg1) else { panic!("no REG1: {reg1:?}") };

        assert!(registration.named(at(20), id));

        assert_eq!(registration.unknown(at(300), LinkId(5), true), None);
        assert!(registration.is_known(), "the group that was named stays");
        assert!(
            registration.unknown(at(2100), LinkId(5), true).is_some(),
            "a far end that was restarted is asked again"
        );
    }
}
