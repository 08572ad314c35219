//! What waits to be published: the latest of each topic, and answers in order, within bounds.
//!
//! Nothing waits while the broker is away: what is stale by then is told afresh on the next
//! connection, so that a reconnect never floods.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Answers that wait at most; a broker that takes none for so long has lost its console anyway.
const MAX_ANSWERS: usize = 64;

/// One message to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Full topic.
    pub topic: String,
    /// JSON.
    pub payload: String,
    /// The broker acknowledges it (QoS 1); otherwise it may get lost (QoS 0).
    pub acknowledged: bool,
    /// The broker keeps it for whoever comes later.
    pub retain: bool,
    /// The broker forgets it after this time.
    pub expiry: Option<Duration>,
    /// What the asker gave to find its answer by.
    pub correlation: Option<Vec<u8>>,
}

/// Waiting messages.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    latest: BTreeMap<String, Publication>,
    order: VecDeque<String>,
    answers: VecDeque<Publication>,
}

impl Outbox {
    /// A value: replaces what waits for the same topic, and keeps its place.
    pub(super) fn put(&mut self, publication: Publication) {
        let topic = publication.topic.clone();
        if self.latest.insert(topic.clone(), publication).is_none() {
            self.order.push_back(topic);
        }
    }

    /// An answer: every one counts, until too many wait; then the oldest goes.
    pub(super) fn answer(&mut self, publication: Publication) {
        if self.answers.len() == MAX_ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back(publication);
    }

    /// The next message, answers first.
    #[must_use]
    pub(super) fn peek(&self) -> Option<&Publication> {
        self.answers.front().or_else(|| self.latest.get(self.order.front()?))
    }

    /// The message that [`Outbox::peek`] showed is on its way.
    pub(super) fn advance(&mut self) {
        if self.answers.pop_front().is_none()
            && let Some(topic) = self.order.pop_front()
        {
            self.latest.remove(&topic);
        }
    }

    /// The broker is away: nothing waits.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &str) -> Publication {
        Publication {
            topic: topic.to_owned(),
            payload: payload.to_owned(),
            acknowledged: true,
            retain: true,
            expiry: None,
            correlation: None,
        }
    }

    fn drained(outbox: &mut Outbox) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(next) = outbox.peek().map(|p| p.payload.clone()) {
            all.push(next);
            outbox.advance();
        }
        all
    }

    #[test]
    fn only_the_latest_of_a_topic_waits_and_answers_go_first() {
        let mut outbox = Outbox::default();

        outbox.put(message("a", "a1"));
        outbox.put(message("b", "b1"));
        outbox.put(message("a", "a2"));
        outbox.answer(message("ack", "yes"));

        assert_eq!(drained(&mut outbox), ["yes", "a2", "b1"]);
    }

    #[test]
    fn answers_do_not_grow_without_bound() {
        let mut outbox = Outbox::default();

        (0..200).for_each(|n| outbox.answer(message("ack", &n.to_string())));

        let all = drained(&mut outbox);
        assert_eq!((all.len(), all[0].as_str()), (MAX_ANSWERS, "136"));
    }
}
