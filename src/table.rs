//! A settings file read as a whole: every fault at once, with file, line, key and the mend.
//!
//! In goes the text of a TOML file; a room takes its keys from its [`Section`] and gets a value of
//! the right type in the right range, or its default and a [`Fault`] noted. A key that nobody took
//! is a fault too. Out come the values and [`Document::faults`]; any fault means: use nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::units::{Bitrate, parse_duration};

/// What is wrong in a settings file, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file as it was named.
    pub file: String,
    /// Line in the file, from 1; 0 if the fault is something absent.
    pub line: usize,
    /// Dotted key, such as `bond.latency`.
    pub key: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Where a secret is kept, never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// A file that only the box may read.
    File(PathBuf),
    /// A credential that systemd hands over, by its name.
    Credential(String),
}

/// A key of a settings file that says where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// Dotted key, for faults.
    pub key: String,
    /// Line in the file, for faults.
    pub line: usize,
    /// Where it is kept.
    pub keeper: Keeper,
}

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    Other,
}

#[derive(Debug, Clone)]
struct Node {
    line: usize,
    value: Value,
}

#[derive(Debug, Clone)]
struct Entry {
    key: String,
    line: usize,
    node: Node,
}

/// A parsed settings file.
#[derive(Debug)]
pub struct Document {
    file: String,
    entries: Vec<Entry>,
    faults: RefCell<Vec<Fault>>,
    asked: RefCell<BTreeSet<String>>,
}

impl Document {
    /// Parses `text`; `file` is the name that faults carry. A syntax error is a fault like any other.
    #[must_use]
    pub fn parse(file: &str, text: &str) -> Self {
        let line_at = |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1;
        let mut document =
            Self { file: file.to_owned(), entries: Vec::new(), faults: RefCell::default(), asked: RefCell::default() };
        match DeTable::parse(text) {
            Ok(table) => document.entries = entries(table.get_ref(), &line_at),
            Err(wrong) => document.faults.get_mut().push(Fault {
                file: file.to_owned(),
                line: wrong.span().map_or(0, |s| line_at(s.start)),
                key: String::new(),
                what: wrong.message().to_owned(),
            }),
        }
        document
    }

    /// The outermost section.
    pub fn root(&self) -> Section<'_> {
        Section {
            document: self,
            path: String::new(),
            line: 0,
            entries: self.entries.clone(),
            known: Vec::new(),
            syntax: !self.faults.borrow().is_empty(),
        }
    }

    /// Every key that the rooms asked for so far, dotted: what a reference file has to explain.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().iter().cloned().collect()
    }

    /// Every key that is written in the file, dotted.
    #[must_use]
    pub fn written(&self) -> Vec<String> {
        fn walk(path: &str, entries: &[Entry], into: &mut Vec<String>) {
            for entry in entries {
                let key = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                if let Value::Table(inner) = &entry.node.value {
                    walk(&key, inner, into);
                }
                into.push(key);
            }
        }
        let mut keys = Vec::new();
        walk("", &self.entries, &mut keys);
        keys.sort();
        keys
    }

    /// Every fault noted so far, in the order of the lines.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.faults.borrow().clone();
        faults.sort_by_key(|f| f.line);
        faults
    }
}

fn entries(table: &DeTable<'_>, line_at: &dyn Fn(usize) -> usize) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            line: line_at(key.span().start),
            node: node(value, line_at),
        })
        .collect();
    entries.sort_by_key(|e| e.line);
    entries
}

fn node(value: &Spanned<DeValue<'_>>, line_at: &dyn Fn(usize) -> usize) -> Node {
    let line = line_at(value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Integer)
        }
        DeValue::Float(number) => number.as_str().parse().map_or(Value::Other, Value::Float),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(list) => Value::List(list.iter().map(|v| node(v, line_at)).collect()),
        DeValue::Table(table) => Value::Table(entries(table, line_at)),
        DeValue::Datetime(_) => Value::Other,
    };
    Node { line, value }
}

/// One table of the file, from which a room takes its keys. What is left when it is dropped is unknown.
#[derive(Debug)]
pub struct Section<'d> {
    document: &'d Document,
    path: String,
    line: usize,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
    syntax: bool,
}

impl<'d> Section<'d> {
    /// Line of the section's first key, for faults about the section as a whole.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Line of a key that nobody took yet; 0 if it is not written.
    #[must_use]
    pub fn line_of(&self, key: &str) -> usize {
        self.entries.iter().find(|e| e.key == key).map_or(0, |e| e.line)
    }

    /// A text that stays to be taken; `None` if it is not written or no text.
    #[must_use]
    pub fn peek(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|e| e.key == key).and_then(|e| match &e.node.value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A text inside a section that stays to be taken.
    #[must_use]
    pub fn peek_section(&self, section: &str, key: &str) -> Option<&str> {
        let Value::Table(entries) = &self.entries.iter().find(|e| e.key == section)?.node.value else { return None };
        match &entries.iter().find(|e| e.key == key)?.node.value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// True if not even the section's head is written.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.line == 0
    }

    /// Takes everything that is left, unread: what it means hangs on a key that is itself at fault.
    pub fn pass_over(&mut self) {
        self.entries.clear();
    }

    /// True if nothing is written here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        self.document.asked.borrow_mut().insert(self.dotted(key));
        let at = self.entries.iter().position(|e| e.key == key)?;
        Some(self.entries.remove(at))
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a fault at `line` (0 if something is absent) about `key` of this section.
    pub fn fault(&self, line: usize, key: &str, what: impl Into<String>) {
        self.document.faults.borrow_mut().push(Fault {
            file: self.document.file.clone(),
            line: if line == 0 { self.line } else { line },
            key: self.dotted(key),
            what: what.into(),
        });
    }

    fn scalar<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Result<T, Option<String>>,
    ) -> Option<T> {
        let entry = self.take(key)?;
        match read(&entry.node.value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.fault(
                    entry.line,
                    key,
                    why.unwrap_or_else(|| format!("{} is not {wanted}", shown(&entry.node.value))),
                );
                None
            }
        }
    }

    /// A text, if the key is there.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        self.scalar(key, "a text in quotes", |v| match v {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(None),
        })
    }

    /// A text that must be there.
    pub fn required_text(&mut self, key: &'static str, example: &str) -> String {
        let there = self.entries.iter().any(|e| e.key == key);
        let text = self.text(key);
        if !there {
            self.fault(0, key, format!("is missing; write {key} = \"{example}\""));
        }
        text.unwrap_or_default()
    }

    /// A text that `T` reads, such as an address or a choice; `wanted` completes «is not …».
    pub fn parsed<T: FromStr>(&mut self, key: &'static str, wanted: &str) -> Option<T> {
        self.scalar(key, wanted, |v| match v {
            Value::Text(text) => text.parse().map_err(|_| None),
            _ => Err(None),
        })
    }

    /// One of the named choices.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)], default: T) -> T {
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        self.scalar(key, &format!("one of {}", names.join(", ")), |v| match v {
            Value::Text(text) => choices.iter().find(|(name, _)| name == text).map(|(_, v)| *v).ok_or(None),
            _ => Err(None),
        })
        .unwrap_or(default)
    }

    /// A flag.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.scalar(key, "true or false", |v| match v {
            Value::Flag(flag) => Ok(*flag),
            _ => Err(None),
        })
        .unwrap_or(default)
    }

    /// A whole number in a range, if the key is there.
    pub fn opt_integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        self.scalar(key, "a whole number", |v| match v {
            Value::Integer(number) if range.contains(number) => Ok(*number),
            Value::Integer(number) => {
                Err(Some(format!("{number} is not within {} and {}", range.start(), range.end())))
            }
            _ => Err(None),
        })
    }

    /// A whole number in a range.
    pub fn integer(&mut self, key: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        self.opt_integer(key, range).unwrap_or(default)
    }

    /// A number in a range, if the key is there.
    pub fn opt_number(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        self.scalar(key, "a number", |v| {
            let number = match v {
                Value::Integer(number) => *number as f64,
                Value::Float(number) => *number,
                _ => return Err(None),
            };
            if range.contains(&number) {
                Ok(number)
            } else {
                Err(Some(format!("{number} is not within {} and {}", range.start(), range.end())))
            }
        })
    }

    /// A time with its unit, in a range.
    pub fn duration(&mut self, key: &'static str, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        self.opt_duration(key, range).unwrap_or(default)
    }

    /// A time with its unit, in a range, if the key is there.
    pub fn opt_duration(&mut self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.scalar(key, "a time such as \"2s\" or \"250ms\"", |v| match v {
            Value::Text(text) => {
                let span = parse_duration(text).map_err(|wrong| Some(wrong.to_string()))?;
                if range.contains(&span) {
                    Ok(span)
                } else {
                    Err(Some(format!("{span:?} is not within {:?} and {:?}", range.start(), range.end())))
                }
            }
            _ => Err(None),
        })
    }

    /// A bitrate with its unit, in a range.
    pub fn bitrate(&mut self, key: &'static str, default: Bitrate, range: RangeInclusive<Bitrate>) -> Bitrate {
        self.opt_bitrate(key, range).unwrap_or(default)
    }

    /// A bitrate with its unit, in a range, if the key is there.
    pub fn opt_bitrate(&mut self, key: &'static str, range: RangeInclusive<Bitrate>) -> Option<Bitrate> {
        self.scalar(key, "a bitrate such as \"6Mbps\"", |v| match v {
            Value::Text(text) => {
                let rate = text.parse().map_err(|wrong: crate::units::NotAQuantity| Some(wrong.to_string()))?;
                if range.contains(&rate) {
                    Ok(rate)
                } else {
                    Err(Some(format!("{rate} is not within {} and {}", range.start(), range.end())))
                }
            }
            _ => Err(None),
        })
    }

    /// Where a secret is kept: an absolute path, or `credential:NAME`; nothing if absent or empty.
    /// The fault never repeats what is written, since it may be the secret itself.
    pub fn secret(&mut self, key: &'static str) -> Option<SecretRef> {
        let wrong = "is not the place of a secret; write an absolute path such as \"/etc/livebox/secret\", \
                     or \"credential:NAME\" for a systemd credential";
        let line = self.entries.iter().find(|e| e.key == key).map_or(0, |e| e.line);
        let text = self.scalar(key, "", |v| match v {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(Some(wrong.to_owned())),
        })?;
        let keeper = match text.strip_prefix("credential:") {
            _ if text.is_empty() => return None,
            Some(name) if !name.is_empty() && !name.contains('/') => Keeper::Credential(name.to_owned()),
            None if text.starts_with('/') => Keeper::File(PathBuf::from(text)),
            _ => {
                self.fault(line, key, wrong);
                return None;
            }
        };
        Some(SecretRef { key: self.dotted(key), line, keeper })
    }

    /// A list of texts; empty if the key is absent.
    pub fn texts(&mut self, key: &'static str) -> Vec<String> {
        self.scalar(key, "a list of texts such as [\"a\", \"b\"]", |v| match v {
            Value::List(list) => list
                .iter()
                .map(|n| match &n.value {
                    Value::Text(text) => Ok(text.clone()),
                    _ => Err(None),
                })
                .collect(),
            _ => Err(None),
        })
        .unwrap_or_default()
    }

    /// A list of lists of texts, such as `[["3s", "5s"]]`; empty if the key is absent.
    pub fn text_lists(&mut self, key: &'static str) -> Vec<Vec<String>> {
        let text = |n: &Node| match &n.value {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(None),
        };
        self.scalar(key, "a list of lists of texts such as [[\"3s\", \"5s\"]]", |v| match v {
            Value::List(list) => list
                .iter()
                .map(|n| match &n.value {
                    Value::List(inner) => inner.iter().map(text).collect(),
                    _ => Err(None),
                })
                .collect(),
            _ => Err(None),
        })
        .unwrap_or_default()
    }

    /// Names with a whole number each, such as `{ brightness = 128 }`; empty if the key is absent.
    pub fn integers(&mut self, key: &'static str) -> BTreeMap<String, i64> {
        self.scalar(key, "names with a whole number each, such as { brightness = 128 }", |v| match v {
            Value::Table(entries) => entries
                .iter()
                .map(|entry| match &entry.node.value {
                    Value::Integer(number) => Ok((entry.key.clone(), *number)),
                    other => Err(Some(format!("{} = {} is not a whole number", entry.key, shown(other)))),
                })
                .collect(),
            _ => Err(None),
        })
        .unwrap_or_default()
    }

    /// A table of names with a text each; empty if it is absent.
    pub fn named_texts(&mut self, key: &'static str) -> BTreeMap<String, String> {
        self.scalar(key, "names with a text each, such as { ack = \"KEY_F6\" }", |v| match v {
            Value::Table(entries) => entries
                .iter()
                .map(|entry| match &entry.node.value {
                    Value::Text(text) => Ok((entry.key.clone(), text.clone())),
                    _ => Err(Some(format!("{} is not a text in quotes", entry.key))),
                })
                .collect(),
            _ => Err(None),
        })
        .unwrap_or_default()
    }

    /// A section inside this one; empty if it is not written.
    pub fn section(&mut self, key: &'static str) -> Section<'d> {
        let path = self.dotted(key);
        let (line, entries) = match self.take(key) {
            Some(Entry { line, node: Node { value: Value::Table(entries), .. }, .. }) => (line, entries),
            Some(entry) => {
                self.fault(entry.line, key, format!("{} is not a section; write [{path}]", shown(&entry.node.value)));
                (entry.line, Vec::new())
            }
            None => (0, Vec::new()),
        };
        Section { document: self.document, path, line, entries, known: Vec::new(), syntax: self.syntax }
    }

    /// A list of sections, as `[[key]]` writes them.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'d>> {
        let path = self.dotted(key);
        let Some(entry) = self.take(key) else { return Vec::new() };
        let Value::List(list) = entry.node.value else {
            self.fault(entry.line, key, format!("is not a list of sections; write [[{path}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in list.into_iter().enumerate() {
            match item.value {
                Value::Table(entries) => sections.push(Section {
                    document: self.document,
                    path: format!("{path}[{index}]"),
                    line: entries.first().map_or(item.line, |e| e.line),
                    entries,
                    known: Vec::new(),
                    syntax: self.syntax,
                }),
                other => {
                    self.fault(item.line, key, format!("{} is not a section; write [[{path}]]", shown(&other)));
                }
            }
        }
        sections
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if self.syntax {
            return;
        }
        for entry in std::mem::take(&mut self.entries) {
            let known = self.known.join(", ");
            self.fault(entry.line, &entry.key, format!("is not a key here; there is {known}"));
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{text}\""),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::List(_) => "a list".to_owned(),
        Value::Table(_) => "a section".to_owned(),
        Value::Other => "this".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_at_once_with_its_line_and_the_mend() {
        let document = Document::parse(
            "box.toml",
            "name = 7\n[bond]\nlatency = \"12 parsecs\"\nlatncy = \"1s\"\n[[link]]\nrate = \"900Gbps\"\n",
        );

        {
            let mut root = document.root();
            root.required_text("name", "hall-1");
            root.required_text("place", "hall-1");
            root.section("bond").duration("latency", Duration::from_secs(1), Duration::ZERO..=Duration::from_secs(10));
            for mut link in root.sections("link") {
                link.bitrate("rate", Bitrate::mbps(1), Bitrate::bps(1)..=Bitrate::mbps(1000));
            }
        }

        let told: Vec<_> = document.faults().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "box.toml: place: is missing; write place = \"hall-1\"",
                "box.toml:1: name: 7 is not a text in quotes",
                "box.toml:3: bond.latency: \"12 parsecs\" is not a time such as \"2s\" or \"250ms\"",
                "box.toml:4: bond.latncy: is not a key here; there is latency",
                "box.toml:6: link[0].rate: 900000.00 Mbit/s is not within 1 bit/s and 1000.00 Mbit/s",
            ]
            .map(|s| s.replace("1 bit/s", "0 kbit/s"))
        );
    }

    #[test]
    fn a_syntax_error_is_told_with_its_line_and_no_echo_of_missing_keys() {
        let document = Document::parse("box.toml", "a = 1\nb = = 2\n");

        drop(document.root());

        assert_eq!(document.faults().len(), 1);
        assert_eq!(document.faults()[0].line, 2);
    }
}
