//! Every topic name, built and parsed: all of them under `livebox/v1/{device}`.

/// What every topic of every box begins with; the number changes when a payload does so incompatibly.
const ROOT: &str = "livebox/v1";

/// The longest name of a device, slot or console, in bytes: short enough for every broker's limits.
const MAX_LEVEL: usize = 64;

/// The topics of one box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    prefix: String,
}

impl Topics {
    /// The topics of `device`; `None` if that name cannot stand in a topic.
    #[must_use]
    pub fn new(device: &str) -> Option<Self> {
        is_level(device).then(|| Self { prefix: format!("{ROOT}/{device}") })
    }

    /// Where the box says whether it is there, and in which phase; also the will.
    #[must_use]
    pub fn state(&self) -> String {
        format!("{}/state", self.prefix)
    }

    /// Where the box says what it is.
    #[must_use]
    pub fn info(&self) -> String {
        format!("{}/info", self.prefix)
    }

    /// Where the box says how it is.
    #[must_use]
    pub fn health(&self) -> String {
        format!("{}/health", self.prefix)
    }

    /// Where the sound is told ten times a second, while a console looks at it.
    #[must_use]
    pub fn meters(&self) -> String {
        format!("{}/meters", self.prefix)
    }

    /// Where one uplink is told; `None` if the slot's name cannot stand in a topic.
    #[must_use]
    pub fn link(&self, slot: &str) -> Option<String> {
        is_level(slot).then(|| format!("{}/links/{slot}", self.prefix))
    }

    /// Where a console hears its answers; `None` if its name cannot stand in a topic.
    #[must_use]
    pub fn ack(&self, console: &str) -> Option<String> {
        is_level(console).then(|| format!("{}/ack/{console}", self.prefix))
    }

    /// The filter under which all commands arrive.
    #[must_use]
    pub fn commands(&self) -> String {
        format!("{}/cmd/+", self.prefix)
    }

    /// The verb of a command topic of this box.
    #[must_use]
    pub fn verb<'t>(&self, topic: &'t str) -> Option<&'t str> {
        self.below(topic, "cmd")
    }

    /// True for a topic on which this box may answer: nobody can make it publish elsewhere.
    #[must_use]
    pub fn is_ack(&self, topic: &str) -> bool {
        self.below(topic, "ack").is_some()
    }

    fn below<'t>(&self, topic: &'t str, branch: &str) -> Option<&'t str> {
        let last = topic.strip_prefix(&self.prefix)?.strip_prefix('/')?.strip_prefix(branch)?.strip_prefix('/')?;
        is_level(last).then_some(last)
    }
}

/// True if `name` can stand between two slashes of a topic.
#[must_use]
pub fn is_level(name: &str) -> bool {
    let forbidden = |c: char| matches!(c, '/' | '+' | '#') || c.is_control() || c.is_whitespace();
    !name.is_empty() && name.len() <= MAX_LEVEL && !name.starts_with('$') && !name.contains(forbidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_from_its_topic_and_from_no_other() {
        let topics = Topics::new("hall-1").expect("a plain name");

        assert_eq!(topics.verb("livebox/v1/hall-1/cmd/start"), Some("start"));
        assert_eq!(topics.verb("livebox/v1/hall-12/cmd/start"), None);
        assert_eq!(topics.verb("livebox/v1/hall-1/cmd/start/now"), None);
        assert_eq!(topics.verb("livebox/v1/hall-1/state"), None);
    }

    #[test]
    fn nobody_can_make_the_box_publish_outside_its_own_answers() {
        let topics = Topics::new("hall-1").expect("a plain name");

        assert!(topics.is_ack("livebox/v1/hall-1/ack/desk"));
        assert!(!topics.is_ack("livebox/v1/hall-1/cmd/stop"));
        assert!(!topics.is_ack("livebox/v1/hall-2/ack/desk"));
        assert!(!topics.is_ack("livebox/v1/hall-1/ack/"));
        assert!(!topics.is_ack("livebox/v1/hall-1/ack/+"));
    }

    #[test]
    fn a_name_that_would_change_the_topic_is_no_name() {
        assert!(is_level("礼堂一号"));
        assert!(["", "a/b", "+", "#", "$SYS", "a b", "a\n"].iter().all(|name| !is_level(name)));
        assert!(!is_level(&"x".repeat(65)));
    }
}
