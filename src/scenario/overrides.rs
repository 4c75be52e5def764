//! `--set KEY=VALUE`: any key of the scenario, changed from the command line.
//!
//! An override is put into the parsed tree before anything is read, so that it is checked by the
//! same readers as the file; its spans point into its own text, and so do the messages.

use std::str::FromStr;

use toml::de::DeValue;

use crate::scenario::keys;
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::{instead, shown};
use crate::scenario::text::tree::{Entry, Node, Table, Value};
use crate::scenario::text::walk::Walk;

/// `KEY=VALUE` from the command line: sets any key of the scenario, `run.duration=1 min`.
///
/// ```
/// use portsim::scenario::Override;
/// let faster: Override = "client.fetcher.arrivals.rate=900 / s".parse().unwrap();
/// assert_eq!(faster.key, "client.fetcher.arrivals.rate");
/// assert_eq!(faster.value, "900 / s");
/// assert!("900 / s".parse::<Override>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Dotted path of the key: `client.fetcher.arrivals.rate`.
    pub key: String,
    /// The value as TOML, or a bare string.
    pub value: String,
}

/// Why a text is not an override.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnOverride {
    /// There is no `=`.
    #[error("`{0}` is not KEY=VALUE; write for example run.duration=\"1 min\"")]
    NoEquals(String),
    /// There is nothing before the `=`.
    #[error("`{0}` has no key before the `=`; write for example run.duration=\"1 min\"")]
    NoKey(String),
}

impl FromStr for Override {
    type Err = NotAnOverride;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(NotAnOverride::NoEquals(shown(text).into_owned()));
        };
        if key.trim().is_empty() {
            return Err(NotAnOverride::NoKey(shown(text).into_owned()));
        }
        Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
    }
}

/// Puts `overrides` into `root`, one after the other.
pub(super) fn apply(walk: &Walk, root: &mut Table, overrides: &[Override]) {
    for change in overrides {
        let prefix = "--set ";
        let text = format!("{prefix}{}={}", change.key, change.value);
        let source = walk.add_source("command line", &text);
        let Some(path) = path(walk, source, prefix.len(), &change.key) else { continue };
        let value_at = prefix.len() + change.key.len() + 1;
        let Some(node) = value(walk, source, value_at, &change.value) else { continue };
        set(walk, root, &path, node);
    }
}

/// One part of a dotted key.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub name: String,
    pub at: Span,
}

/// Splits a dotted key; quotes keep dots together.
fn path(walk: &Walk, source: usize, shift: usize, key: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = key;
    let mut at = shift;
    loop {
        let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (name, length) = match quote {
            Some(quote) => match rest[1..].find(quote) {
                Some(end) => (&rest[1..=end], end + 2),
                None => (&rest[1..], rest.len()),
            },
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest[..end].trim(), end)
            }
        };
        let span = Span::new(source, at..at + length);
        if name.is_empty() {
            let problem = Problem::at(span, format!("`{}` is not a key", shown(key)))
                .label("a name is missing here")
                .help("write names with points between them: client.fetcher.arrivals.rate");
            walk.report(problem);
            return None;
        }
        parts.push(Part { name: name.to_owned(), at: span });
        match rest[length..].strip_prefix('.') {
            Some(next) => {
                at += length + 1;
                rest = next;
            }
            None if rest.len() == length => return Some(parts),
            None => {
                let span = Span::new(source, at + length..shift + key.len());
                let problem = Problem::at(span, format!("`{}` is not a key", shown(key)))
                    .label("a point was expected here");
                walk.report(problem);
                return None;
            }
        }
    }
}

/// The value as TOML if it is, else as a bare string.
fn value(walk: &Walk, source: usize, shift: usize, text: &str) -> Option<Node> {
    let at = Span::new(source, shift..shift + text.len());
    let (parsed, errors) = DeValue::parse_recoverable(text);
    let Some(error) = errors.first() else {
        return Some(Node::from_toml(&parsed, source, shift));
    };
    // Nobody means a bare string that starts like a table, a list or a quoted string.
    if text.starts_with(['{', '[', '"', '\'']) {
        let message = format!("this value is not TOML: {}", error.message());
        let problem = Problem::at(at, message)
            .label("not understood")
            .help("write a table as { key = value }, a list as [1, 2], and text in plain quotes")
            .help("mind that the shell takes quotes away: put all of KEY=VALUE into single quotes");
        walk.report(problem);
        return None;
    }
    Some(Node { value: Value::Text(text.to_owned()), at })
}

/// Puts `node` at `path` below `root`.
pub(super) fn set(walk: &Walk, root: &mut Table, path: &[Part], node: Node) {
    if unknown_name(walk, root, path) {
        return;
    }
    let Some((last, parents)) = path.split_last() else { return };
    let mut table = root;
    for part in parents {
        let entry = match table.entries.iter().position(|entry| entry.key == part.name) {
            Some(index) => &mut table.entries[index],
            None => {
                let node = Node { value: Value::Table(Table::default()), at: part.at };
                table.entries.push(Entry { key: part.name.clone(), key_at: part.at, node });
                let index = table.entries.len() - 1;
                &mut table.entries[index]
            }
        };
        let (kind, at) = (entry.node.kind(), entry.node.at);
        match &mut entry.node.value {
            Value::Table(inner) => table = inner,
            _ => {
                let message = format!("`{}` is {kind} here, not a table", shown(&part.name));
                let problem = Problem::at(part.at, message)
                    .label("has no keys to set")
                    .context(at, "written here")
                    .help(format!("set all of it: {}={{ ... }}", joined(path, &part.name)));
                walk.report(problem);
                return;
            }
        }
    }
    let names: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
    // Each says how often to replicate; the one asked for last is the one meant.
    match names.as_slice() {
        ["run", "precision"] => table.remove("replications"),
        ["run", "replications"] => table.remove("precision"),
        _ => {}
    }
    match table.get_mut(&last.name) {
        Some(entry) => {
            entry.key_at = last.at;
            entry.node = node;
        }
        None => {
            table.entries.push(Entry { key: last.name.clone(), key_at: last.at, node });
        }
    }
}

/// The key up to and with `name`.
fn joined(path: &[Part], name: &str) -> String {
    let mut key = String::new();
    for part in path {
        key.push_str(&shown(&part.name));
        if part.name == name {
            break;
        }
        key.push('.');
    }
    key
}

/// Reports a key below a host, destination or client that is not in the file: it would else make a
/// new, half empty one, and the complaint would be about that.
fn unknown_name(walk: &Walk, root: &Table, path: &[Part]) -> bool {
    let [family, name, _, ..] = path else { return false };
    if keys::family(&family.name).is_none() {
        return false;
    }
    let Some(table) = root.get(&family.name).and_then(|entry| entry.node.as_table()) else {
        return family.name == "client" && {
            walk.report(Problem::at(name.at, "this scenario has no clients").label("not known"));
            true
        };
    };
    if table.get(&name.name).is_some() {
        return false;
    }
    let what = &family.name;
    let problem = Problem::at(name.at, format!("there is no {what} `{}`", shown(&name.name)))
        .label("not known")
        .help(instead(&name.name, &table.keys(), what));
    walk.report(problem);
    true
}
