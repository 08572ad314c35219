//! Registry: the boxes that may come, as the allow file lists them.

use std::collections::BTreeMap;

use crate::bond::native::PublicKey;

/// The longest name of a box, in bytes.
const LONGEST_NAME: usize = 64;

/// Reads an allow file: one public key and name a line; `#` opens a comment. `file` is its name in faults.
///
/// # Errors
/// Every line at fault, with file, line and the mend.
pub fn allowed(file: &str, text: &str) -> Result<BTreeMap<PublicKey, String>, Vec<String>> {
    let mut boxes: BTreeMap<PublicKey, String> = BTreeMap::new();
    let mut faults = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let mut fault = |what: String| faults.push(format!("{file}:{}: {what}", at + 1));
        let (key, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let name = name.trim();
        let key: PublicKey = match key.parse() {
            Ok(key) => key,
            Err(why) => {
                fault(format!("{why}; livebox keys show FILE prints it on the box"));
                continue;
            }
        };
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            fault(format!("a name of one word, at most {LONGEST_NAME} bytes, belongs behind the key"));
        } else if boxes.values().any(|other| other == name) {
            fault(format!("the name {name} is given twice"));
        } else if boxes.contains_key(&key) {
            fault("this key is listed twice".to_owned());
        } else {
            boxes.insert(key, name.to_owned());
        }
    }
    if faults.is_empty() { Ok(boxes) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_and_name_a_line_with_comments() {
        let (a, b) = ("0a".repeat(32), "0b".repeat(32));
        let text = format!("# the halls\n{a} hall-1\n\n  {b}\thall-2 # spare\n");

        let boxes = allowed("boxes", &text).unwrap();

        assert_eq!(boxes.values().collect::<Vec<_>>(), ["hall-1", "hall-2"]);
    }

    #[test]
    fn every_line_at_fault_is_told_with_its_number() {
        let (a, b) = ("0a".repeat(32), "0b".repeat(32));
        let text = format!("{a} hall-1\n{a} hall-9\n{b} hall-1\n{b}\nshort hall-3\n");

        let faults = allowed("boxes", &text).unwrap_err();

        for (line, words) in
            [(2, "listed twice"), (3, "given twice"), (4, "a name of one word"), (5, "64 hexadecimal digits")]
        {
            let told = faults.iter().any(|f| f.starts_with(&format!("boxes:{line}: ")) && f.contains(words));
            assert!(told, "{line} {words}: {faults:#?}");
        }
        assert_eq!(faults.len(), 4);
    }
}
