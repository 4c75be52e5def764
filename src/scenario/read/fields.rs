//! A table of the file, read by the rows that declare its keys: bounds, kinds and what is usual come from there.

use std::sync::OnceLock;

use toml::de::DeTable;

use crate::scenario::keys::{self, Is, Key, Place, Usual};
use crate::scenario::preset::Preset;
use crate::scenario::text::problem::Problem;
use crate::scenario::text::scan::plain_number;
use crate::scenario::text::source::Span;
use crate::scenario::text::tree::{Entry, Node, Table, Value};
use crate::scenario::text::walk::Walk;
use crate::units::SimDuration;

/// A table and where it stands. What a reader of it asks for is what the file says, else what the preset says,
/// else what is usual.
///
/// # Panics
/// Readers do where no row declares the key that they ask for, or one of another kind: ours, not the user's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    pub walk: &'a Walk,
    pub table: &'a Table,
    at: Place,
    preset: Option<&'a Preset>,
}

impl<'a> Fields<'a> {
    /// The fields of `table`; what is wrong with its keys has been said.
    pub fn new(walk: &'a Walk, table: &'a Table, at: Place) -> Self {
        Self { walk, table, at, preset: None }
    }

    /// The fields of the table `node`, which messages call `name`; keys that it cannot have are reported.
    pub fn open(walk: &'a Walk, node: &'a Node, at: Place, name: &str, help: &str) -> Option<Self> {
        let table = walk.table(node, name, &keys::names(at), help)?;
        Some(Self::new(walk, table, at))
    }

    /// The same over those of `preset`.
    pub fn over(self, preset: &'a Preset) -> Self {
        Self { preset: Some(preset), ..self }
    }

    /// What the file says of `key`, else what the preset says.
    pub fn find(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node).or_else(|| self.preset?.node(key))
    }

    /// What the file says of `key`.
    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.row(key);
        self.table.get(key)
    }

    fn row(&self, key: &str) -> &'static Key {
        keys::find(self.at, key).unwrap_or_else(|| panic!("no row declares {key} in {:?}", self.at))
    }

    /// The row of `key`, and its value wherever it is said. `None` where nothing is usual.
    fn said(&self, key: &str) -> Option<(&'static Key, &'a Node)> {
        let row = self.row(key);
        self.find(key).or_else(|| usual(row)).map(|node| (row, node))
    }

    /// The value of `key` wherever it is said.
    pub fn value(&self, key: &str) -> Option<&'a Node> {
        self.said(key).map(|(_, node)| node)
    }

    /// A whole number.
    pub fn whole(&self, key: &str) -> Option<u64> {
        let (row, node) = self.said(key)?;
        let Is::Whole(bounds) = &row.is else { panic!("{key} is no whole number") };
        self.walk.integer(node, key, *bounds.start(), *bounds.end())
    }

    /// A whole number of which the bounds fit 32 bits.
    pub fn small(&self, key: &str) -> Option<u32> {
        u32::try_from(self.whole(key)?).ok()
    }

    /// A whole number of which the bounds fit 32 bits; `None` in it for the word that says that there is no
    /// limit.
    pub fn small_or_none(&self, key: &str) -> Option<Option<u32>> {
        let (row, node) = self.said(key)?;
        let Is::WholeOr(bounds, word) = &row.is else { panic!("{key} is no such number") };
        if let Some(text) = node.as_text() {
            if text.trim().eq_ignore_ascii_case(word) {
                return Some(None);
            }
            let (least, most) = (bounds.start(), bounds.end());
            let help = format!("{key} = {}; from {least} to {most}, or \"{word}\"", row.example);
            self.walk.wrong_kind(node, key, "a whole number", &help);
            return None;
        }
        let number = self.walk.integer(node, key, *bounds.start(), *bounds.end())?;
        u32::try_from(number).ok().map(Some)
    }

    /// A time that is not zero; `None` in it for the word that says that there is none.
    pub fn time_or_none(&self, key: &str) -> Option<Option<SimDuration>> {
        let (row, node) = self.said(key)?;
        let Is::SomeTimeOr(word) = &row.is else { panic!("{key} is no such time") };
        if node.as_text().is_some_and(|text| text.trim().eq_ignore_ascii_case(word)) {
            return Some(None);
        }
        self.walk.positive_duration(node, key, &self.example(key)).map(Some)
    }

    /// A number within its bounds.
    pub fn number(&self, key: &str) -> Option<f64> {
        let (row, node) = self.said(key)?;
        let Is::Number { least, above, most } = row.is else { panic!("{key} is no number") };
        let number = self.walk.number(node, key, row.doc)?;
        if number <= most && (number > least || number == least && !above) {
            return Some(number);
        }
        let message = format!("{key} = {} is not possible", plain_number(number));
        let sign = if above { "<" } else { "<=" };
        let label = format!("{least} {sign} {key} <= {most}");
        self.walk.report(Problem::at(node.at, message).label(label).help(row.doc));
        None
    }

    /// A share of a whole, within its bounds.
    pub fn share(&self, key: &str) -> Option<f64> {
        let (row, node) = self.said(key)?;
        let Is::Share(bounds) = &row.is else { panic!("{key} is no share") };
        let share = self.walk.share(node, key)?;
        if bounds.contains(&share) {
            return Some(share);
        }
        let per_cent = |share: f64| format!("{} %", plain_number(share * 100.0));
        let (least, most) = (per_cent(*bounds.start()), per_cent(*bounds.end()));
        let problem = Problem::at(node.at, format!("this {key} is not possible"))
            .label(match share > *bounds.end() {
                true => format!("above {most}"),
                false => format!("below {least}"),
            })
            .help(format!("write from \"{least}\" to \"{most}\"; {} is a good start", row.example));
        self.walk.report(problem);
        None
    }

    /// A span of time.
    pub fn time(&self, key: &str) -> Option<SimDuration> {
        let (row, node) = self.said(key)?;
        match &row.is {
            Is::Time => self.walk.duration(node, key),
            Is::SomeTime => self.walk.positive_duration(node, key, &self.example(key)),
            Is::TimeIn { unit, bounds } => self.time_in(node, key, *unit, bounds),
            _ => panic!("{key} is no time"),
        }
    }

    /// A time as text with its unit, or as a whole number in the sysctl's own `unit`.
    fn time_in(
        &self,
        node: &Node,
        key: &str,
        unit: SimDuration,
        bounds: &std::ops::RangeInclusive<SimDuration>,
    ) -> Option<SimDuration> {
        // What a preset says of a kernel, nobody can ask for: that there is none.
        let least = if node.at == Span::BUILT_IN { SimDuration::ZERO } else { *bounds.start() };
        let most = *bounds.end();
        if let Value::Integer(_) = node.value {
            let count = |span: SimDuration| span.as_nanos() / unit.as_nanos();
            let number = self.walk.integer(node, key, count(least), count(most))?;
            return Some(SimDuration::from_nanos(number * unit.as_nanos()));
        }
        let span = self.walk.duration(node, key)?;
        if (least..=most).contains(&span) {
            let whole = span.as_nanos() / unit.as_nanos() * unit.as_nanos();
            if whole == span.as_nanos() {
                return Some(span);
            }
            let [below, above] = [whole, whole + unit.as_nanos()].map(SimDuration::from_nanos);
            let problem = Problem::at(node.at, format!("{key} = \"{span}\" is not possible"))
                .label(format!("not a whole number of {unit}"))
                .help(format!("the sysctl counts in {unit}: write \"{below}\" or \"{above}\""));
            self.walk.report(problem);
            return None;
        }
        let problem = Problem::at(node.at, format!("{key} = \"{span}\" is not possible"))
            .label(if span < least { "too short" } else { "too long" })
            .help(format!("{key} lies between {least} and {most}"));
        self.walk.report(problem);
        None
    }

    /// Events a second.
    pub fn rate(&self, key: &str) -> Option<f64> {
        let (_, node) = self.said(key)?;
        self.walk.rate(node, key)
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        let (_, node) = self.said(key)?;
        self.walk.flag(node, key)
    }

    /// One of `words`.
    pub fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let (_, node) = self.said(key)?;
        self.walk.choice(node, key, words)
    }

    /// Text.
    pub fn text(&self, key: &str) -> Option<String> {
        let (_, node) = self.said(key)?;
        self.walk.text(node, key, &self.example(key))
    }

    /// What `read` makes of `key`, of which nothing is usual; `None` in it where nobody says it.
    pub fn maybe<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'a Node) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.find(key) {
            Some(node) => read(node).map(Some),
            None => Some(None),
        }
    }

    /// The value of `key`, whose absence from `owner`, which stands at `at`, is reported.
    pub fn need(&self, key: &str, at: Span, owner: &str) -> Option<&'a Node> {
        self.need_as(key, at, owner, &self.example(key))
    }

    /// The same with a help of its own.
    pub fn need_as(&self, key: &str, at: Span, owner: &str, help: &str) -> Option<&'a Node> {
        let found = self.find(key);
        if found.is_none() && !self.walk.mistyped(self.table, key, &[], &keys::names(self.at)) {
            self.walk.missing(at, owner, key, help);
        }
        found
    }

    /// "for example ports = ..."
    pub fn example(&self, key: &str) -> String {
        format!("for example {key} = {}", self.row(key).example)
    }
}

/// The value that is usual for `key`.
fn usual(key: &'static Key) -> Option<&'static Node> {
    static USUAL: OnceLock<Vec<(Place, &'static str, Node)>> = OnceLock::new();
    let usual = USUAL.get_or_init(|| keys::all().filter_map(parsed).collect());
    let found = usual.iter().find(|(at, name, _)| *at == key.at && *name == key.name);
    found.map(|(_, _, node)| node)
}

fn parsed(key: &'static Key) -> Option<(Place, &'static str, Node)> {
    let Usual::Value(value) = key.usual else { return None };
    let text = format!("{} = {value}", key.name);
    let table = DeTable::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let entry = Table::from_toml(table.get_ref(), 0, 0).entries.pop()?;
    Some((key.at, key.name, Node { at: Span::BUILT_IN, ..entry.node }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_sound() {
        for key in keys::all() {
            let at = format!("{:?} {}", key.at, key.name);
            assert!(!key.doc.is_empty(), "{at} says nothing of itself");
            assert_eq!(keys::of(key.at).filter(|other| other.name == key.name).count(), 1, "{at}");
            if matches!(key.usual, Usual::Value(_)) {
                assert!(parsed(key).is_some(), "{at}");
            }
            if key.example.is_empty() {
                continue;
            }
            // What is shown as an example is what the key may be.
            let text = format!("{} = {}", key.name, key.example);
            let Ok(tree) = DeTable::parse(&text) else { panic!("{at}: {text}") };
            let table = Table::from_toml(tree.get_ref(), 0, 0);
            let walk = Walk::default();
            let fields = Fields::new(&walk, &table, key.at);
            let read = match &key.is {
                Is::Whole(_) => fields.whole(key.name).is_some(),
                Is::WholeOr(..) => fields.small_or_none(key.name).is_some(),
                Is::SomeTimeOr(_) => fields.time_or_none(key.name).is_some(),
                Is::Number { .. } => fields.number(key.name).is_some(),
                Is::Share(_) => fields.share(key.name).is_some(),
                Is::Flag => fields.flag(key.name).is_some(),
                Is::Rate => fields.rate(key.name).is_some(),
                Is::Time | Is::SomeTime | Is::TimeIn { .. } => fields.time(key.name).is_some(),
                Is::Text | Is::File => fields.text(key.name).is_some(),
                Is::Word(words) => {
                    let word = table.get(key.name).and_then(|entry| entry.node.as_text());
                    word.is_some_and(|word| words().contains(&word))
                }
                _ => true,
            };
            assert!(read && walk.count() == 0, "{at}: {text}");
        }
    }
}
