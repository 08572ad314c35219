//! Room: what free space means, with some distance between stopping and going on.

use super::config::Config;
use crate::units::Bytes;

/// A recording that stopped for want of room goes on when so much more is free than it stopped at, as
/// a share: a minute of a good programme at the default, so that it does not start and stop.
const AGAIN: f64 = 1.1;

/// What to do about the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Enough,
    /// Delete what may be deleted; go on recording.
    Tidy,
    /// Delete what may be deleted; record nothing.
    Stop,
}

/// Watches the room.
#[derive(Debug, Clone, Default)]
pub struct Room {
    stopped: bool,
}

impl Room {
    /// So much is free now.
    pub fn update(&mut self, free: Bytes, config: &Config) -> Verdict {
        let stop = config.stop_free.0;
        let line = if self.stopped { (stop as f64 * AGAIN) as u64 } else { stop };
        self.stopped = free.0 < line;
        match free {
            _ if self.stopped => Verdict::Stop,
            free if free < config.keep_free => Verdict::Tidy,
            _ => Verdict::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_it_is_tidied_then_stopped_and_it_goes_on_only_with_some_more_room() {
        let config = Config { keep_free: Bytes(500), stop_free: Bytes(100), ..Config::default() };
        let mut room = Room::default();

        let verdicts = [500, 499, 100, 99, 100, 109, 110, 600].map(|free| room.update(Bytes(free), &config));

        use Verdict::{Enough, Stop, Tidy};
        assert_eq!(verdicts, [Enough, Tidy, Tidy, Stop, Stop, Stop, Tidy, Enough]);
    }
}
