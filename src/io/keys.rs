//! Key files: a private key each, one line, readable for its owner alone.

use std::path::Path;

use anyhow::Context as _;

use crate::bond::native::PrivateKey;

/// Reads a private key.
///
/// # Errors
/// If the file cannot be read or holds no key; the sentence never shows what it holds.
pub fn private(file: &Path) -> anyhow::Result<PrivateKey> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the key {}; make one with livebox keys new", file.display()))?;
    text.parse().with_context(|| format!("{} holds no key; make one with livebox keys new", file.display()))
}
