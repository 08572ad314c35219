//! Keys: 32 bytes each, written as 64 hexadecimal digits; a private one shows itself to nobody.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::noise;
use crate::rng::Rng;

/// Bytes of a key.
const LEN: usize = 32;

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has another length.
    #[error("a key has 64 hexadecimal digits; this has {0} characters")]
    Length(usize),
    /// It has something else than digits.
    #[error("a key has the digits 0-9 and a-f only")]
    Digit,
}

/// The public half of a key: who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; LEN]);

/// The secret half. Neither `Debug` nor anything else in a log shows it.
#[derive(Clone)]
pub struct PrivateKey([u8; LEN]);

impl PrivateKey {
    /// A new key; `rng` must have been seeded with 256 bits from the operating system.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        let mut key = [0; LEN];
        rng.fill(&mut key);
        Self(key)
    }

    /// A key from its bytes.
    #[must_use]
    pub fn from_bytes(key: [u8; LEN]) -> Self {
        Self(key)
    }

    /// The bytes, for the handshake.
    pub(super) fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(noise::public(&self.0))
    }

    /// The text of a key file; the one place that writes a secret out.
    #[must_use]
    pub fn to_file_text(&self) -> String {
        let mut text = String::with_capacity(2 * LEN + 1);
        hex(&self.0, &mut text);
        text.push('\n');
        text
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        // black_box keeps the write from being seen as useless
        self.0 = [0; LEN];
        std::hint::black_box(&self.0);
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(2 * LEN);
        hex(&self.0, &mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        digits(text).map(Self)
    }
}

impl FromStr for PrivateKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        digits(text).map(Self)
    }
}

fn hex(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        // writing to a String cannot fail
        let _ = write!(text, "{byte:02x}");
    }
}

fn digits(text: &str) -> Result<[u8; LEN], KeyError> {
    let text = text.trim();
    let count = text.chars().count();
    if count != 2 * LEN {
        return Err(KeyError::Length(count));
    }
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>().ok_or(KeyError::Digit)?;
    Ok(std::array::from_fn(|at| digits[2 * at] << 4 | digits[2 * at + 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_a_secret_is_never_shown() {
        let key = PrivateKey::generate(&mut Rng::simulated(1));

        let again: PrivateKey = key.to_file_text().parse().expect("a key");

        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
        assert_eq!(format!("{key:?}"), "PrivateKey(…)");
        assert_eq!("12".parse::<PublicKey>(), Err(KeyError::Length(2)));
        assert_eq!("é".repeat(64).parse::<PublicKey>(), Err(KeyError::Digit));
    }

    #[test]
    fn the_public_half_is_what_x25519_makes_of_the_secret() {
        let key = PrivateKey::from_bytes(std::array::from_fn(|at| at as u8));

        let wanted = "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f";

        assert_eq!(key.public().to_string(), wanted);
    }
}
