//! Buttons: contacts that bounce in, presses and releases out.
//!
//! A press counts at its first edge, so that it is felt at once. A release counts when the contact
//! has stayed open for [`BOUNCE`]: a worn contact under a glove neither ends a hold nor presses twice.
//!
//! ```text
//!          down                up
//!   (open) ────► Held{since} ─────► Leaving{since, up} ──BOUNCE──► (open), released
//!                    ▲                    │ down
//!                    └────────────────────┘
//! ```

use std::collections::BTreeMap;

use super::key::Key;
use crate::time::{Duration, Instant};

/// Contacts of panel keys are quiet after 5 to 20 ms; more, and a quick double press would be lost.
pub const BOUNCE: Duration = Duration::from_millis(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    Held { since: Instant },
    Leaving { since: Instant, up: Instant },
}

/// Every key that is not simply open.
#[derive(Debug, Clone, Default)]
pub(super) struct Buttons {
    contacts: BTreeMap<Key, Contact>,
}

impl Buttons {
    /// The contact closes; true if this is a press.
    pub(super) fn down(&mut self, now: Instant, key: Key) -> bool {
        match self.contacts.get(&key).copied() {
            None => {
                self.contacts.insert(key, Contact::Held { since: now });
                true
            }
            Some(Contact::Leaving { since, .. }) => {
                self.contacts.insert(key, Contact::Held { since });
                false
            }
            // the kernel repeats what is held
            Some(Contact::Held { .. }) => false,
        }
    }

    /// The contact opens; whether that is a release, time tells.
    pub(super) fn up(&mut self, now: Instant, key: Key) {
        if let Some(Contact::Held { since }) = self.contacts.get(&key).copied() {
            self.contacts.insert(key, Contact::Leaving { since, up: now });
        }
    }

    /// The keys that are released by now, each with how long it was held.
    pub(super) fn released(&mut self, now: Instant) -> Vec<(Key, Duration)> {
        let gone: Vec<_> = self
            .contacts
            .iter()
            .filter_map(|(key, contact)| match contact {
                Contact::Leaving { since, up } if now >= *up + BOUNCE => Some((*key, *up - *since)),
                _ => None,
            })
            .collect();
        for (key, _) in &gone {
            self.contacts.remove(key);
        }
        gone
    }

    /// When [`Buttons::released`] has something to tell.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let due = |contact: &Contact| match contact {
            Contact::Leaving { up, .. } => Some(*up + BOUNCE),
            Contact::Held { .. } => None,
        };
        self.contacts.values().filter_map(due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_bouncing_contact_is_one_press_and_one_release() {
        let mut buttons = Buttons::default();

        assert!(buttons.down(at(0), Key::OnAir));
        for bounce in [4, 9, 15] {
            buttons.up(at(bounce), Key::OnAir);
            assert!(!buttons.down(at(bounce + 2), Key::OnAir));
        }
        assert!(buttons.released(at(900)).is_empty(), "it is still held");
        buttons.up(at(1000), Key::OnAir);

        assert_eq!(buttons.next_timeout(), Some(at(1030)));
        assert_eq!(buttons.released(at(1030)), [(Key::OnAir, Duration::from_secs(1))]);
        assert!(buttons.down(at(1040), Key::OnAir), "the next press counts");
    }
}
