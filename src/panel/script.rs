//! Script: what a hand does, line by line, and when a picture is taken.
//!
//! ```text
//!   status live.json        # the box tells this from now on
//!   press audio             # down and up
//!   hold on_air 3s          # down, so long, up
//!   turn -1                 # the knob, clicks
//!   tally program           # the studio's contact
//!   wait 2s
//!   picture armed           # keep what is seen under this name
//! ```

use super::key::Key;
use crate::message::Tally;
use crate::time::Duration;
use crate::units::parse_duration;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The box tells what this file holds.
    Status(String),
    /// Down and up.
    Press(Key),
    /// Down for so long.
    Hold(Key, Duration),
    /// The knob.
    Turn(i32),
    /// The studio's contact.
    Tally(Tally),
    /// Time goes by.
    Wait(Duration),
    /// A picture is kept under this name.
    Picture(String),
}

/// What a script does, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its lines.
    pub steps: Vec<Step>,
}

impl Script {
    /// Reads a script; `file` is its name in faults.
    ///
    /// # Errors
    /// Every line that is none, with its number and what would be right.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<String>> {
        let mut steps = Vec::new();
        let mut faults = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<_> = line.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            match step(&words) {
                Ok(step) => steps.push(step),
                Err(what) => faults.push(format!("{file}:{}: {what}", number + 1)),
            }
        }
        if faults.is_empty() { Ok(Self { steps }) } else { Err(faults) }
    }
}

fn step(words: &[&str]) -> Result<Step, String> {
    let long = |text: &str| parse_duration(text).map_err(|wrong| wrong.to_string());
    match words {
        ["status", file] => Ok(Step::Status((*file).to_owned())),
        ["press", key] => Ok(Step::Press(key.parse()?)),
        ["hold", key, time] => Ok(Step::Hold(key.parse()?, long(time)?)),
        ["turn", clicks] => {
            let wrong = |_| format!("\"{clicks}\" is no number of clicks; write turn 1 or turn -2");
            Ok(Step::Turn(clicks.parse().map_err(wrong)?))
        }
        ["tally", tally] => Ok(Step::Tally(tally.parse()?)),
        ["wait", time] => Ok(Step::Wait(long(time)?)),
        ["picture", name] if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') => {
            Ok(Step::Picture((*name).to_owned()))
        }
        ["picture", name] => Err(format!("\"{name}\" is no name for a picture; letters, digits, - and _")),
        _ => Err(format!(
            "\"{}\" is no step; there is status FILE, press KEY, hold KEY TIME, turn CLICKS, tally STATE, wait TIME and picture NAME",
            words.join(" ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_every_line_that_it_cannot_read() {
        let text =
            "status a.json\npress audio # arm\nhold on_air 3s\nturn -1\nwait 500ms\npicture a-1\ntally program\n";
        let script = Script::read("s.txt", text).expect("every line is right");
        assert_eq!(script.steps[2], Step::Hold(Key::OnAir, Duration::from_secs(3)));

        let faults = Script::read("s.txt", "press stop\n\ndance\npicture ../x\nturn left\n").expect_err("four");
        assert_eq!(faults.len(), 4);
        assert!(faults[0].starts_with("s.txt:1: \"stop\" is no key; there is on_air"), "{}", faults[0]);
        assert!(faults[1].starts_with("s.txt:3: \"dance\" is no step"), "{}", faults[1]);
    }
}
