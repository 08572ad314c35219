//! Lamps and buzzer: LEDs of the kernel's, by the names of the board profile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::panel::Lamps;
use crate::time::Instant;

/// Where the kernel shows its LEDs.
pub const CLASS: &str = "/sys/class/leds";

/// The lamps that hang on this board.
#[derive(Debug)]
pub struct Leds {
    lamps: BTreeMap<String, Led>,
}

#[derive(Debug)]
struct Led {
    folder: PathBuf,
    /// What was written last; none if that did not work.
    lit: Option<bool>,
    told: bool,
}

impl Leds {
    /// The lamps of the profile, in the kernel's folder.
    #[must_use]
    pub fn new(class: &Path, names: &BTreeMap<String, String>) -> Self {
        let led = |name: &String| Led { folder: class.join(name), lit: None, told: false };
        Self { lamps: names.iter().map(|(lamp, name)| (lamp.clone(), led(name))).collect() }
    }

    /// Lets each shine as it should now; only changes are written. A lamp that is not there is told
    /// once and tried again with its next change.
    pub fn shine(&mut self, now: Instant, lamps: &Lamps) {
        for (name, led) in &mut self.lamps {
            let lit = lamps.get(name).is_some_and(|light| light.is_lit(now));
            if led.lit == Some(lit) {
                continue;
            }
            match led.write(lit) {
                Ok(()) => {
                    led.lit = Some(lit);
                    led.told = false;
                }
                Err(error) => {
                    if !led.told {
                        tracing::warn!(lamp = name, led = %led.folder.display(), %error, "the lamp does not obey");
                        led.told = true;
                    }
                    led.lit = None;
                }
            }
        }
    }
}

impl Led {
    fn write(&self, lit: bool) -> std::io::Result<()> {
        let most = || std::fs::read_to_string(self.folder.join("max_brightness"));
        let value = if lit { most()?.trim().to_owned() } else { "0".to_owned() };
        // never made anew: a lamp that is gone is gone
        let mut file = std::fs::OpenOptions::new().write(true).truncate(true).open(self.folder.join("brightness"))?;
        std::io::Write::write_all(&mut file, value.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::Light;
    use std::fs;

    #[test]
    fn a_lamp_is_written_when_it_changes_and_one_that_is_not_there_hinders_nobody() {
        let class = tempfile::tempdir().expect("a folder");
        let led = class.path().join("front:red");
        fs::create_dir(&led).expect("made");
        fs::write(led.join("max_brightness"), "255\n").expect("written");
        fs::write(led.join("brightness"), "0\n").expect("written");
        let names = [("on_air", "front:red"), ("ack", "gone")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        let mut leds = Leds::new(class.path(), &names);
        let lamps: Lamps = [("on_air".to_owned(), Light::Slow), ("ack".to_owned(), Light::On)].into();

        leds.shine(Instant::ZERO, &lamps);
        assert_eq!(fs::read_to_string(led.join("brightness")).expect("read"), "255");
        fs::write(led.join("brightness"), "somebody else's").expect("written");
        leds.shine(Instant::from_millis(100), &lamps);
        assert_eq!(fs::read_to_string(led.join("brightness")).expect("read"), "somebody else's", "no change, no write");
        leds.shine(Instant::from_millis(500), &lamps);
        assert_eq!(fs::read_to_string(led.join("brightness")).expect("read"), "0");
    }
}
