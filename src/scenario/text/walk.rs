//! The typed walk over the tree: reads values as what they should be, and collects every mistake
//! instead of stopping at the first.
//!
//! A reader returns `None` where it has reported a problem, and the caller goes on with the rest:
//! the scenario is only made when nothing was reported.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use super::port_text;
use super::problem::Problem;
use super::quantity;
use super::scan::{Wrong, plain_number};
use super::source::{Source, Span};
use super::suggest::{instead, listed, nearest, shown};
use super::tree::{Entry, Node, Table, Value};
use crate::scenario::keys;
use crate::stats::Metric;
use crate::units::SimDuration;

/// Collects what is wrong while a scenario is read.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The texts: the file first, then the overrides, then files of samples as they are opened.
    pub sources: RefCell<Vec<Source>>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Walk {
    /// Adds a text and gives its number.
    pub fn add_source(&self, origin: &str, text: &str) -> usize {
        self.add_line(origin, text, 1)
    }

    /// Adds line number `line` of a text too long to be kept, and gives its number.
    pub fn add_line(&self, origin: &str, text: &str, line: usize) -> usize {
        let mut sources = self.sources.borrow_mut();
        sources.push(Source { origin: origin.into(), text: text.into(), first_line: line });
        sources.len() - 1
    }

    /// Notes a mistake.
    pub fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Notes something to think twice about.
    pub fn warn(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// How many mistakes were noted so far.
    pub fn count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// What was noted: texts, mistakes, warnings.
    pub fn finish(self) -> (Vec<Source>, Vec<Problem>, Vec<Problem>) {
        (self.sources.into_inner(), self.problems.into_inner(), self.warnings.into_inner())
    }

    /// The directory of the scenario file, which other files are named from.
    pub fn directory(&self) -> std::path::PathBuf {
        let sources = self.sources.borrow();
        let origin = sources.first().map_or("", |source| &*source.origin);
        Path::new(origin).parent().map_or_else(Default::default, Path::to_path_buf)
    }

    /// The text that `at` covers.
    pub fn written(&self, at: Span) -> String {
        let sources = self.sources.borrow();
        sources.get(at.source).map_or("", |source| source.slice(at.range())).to_owned()
    }

    /// Where `range` of a text value stands; the whole value when it has escapes.
    fn inside(&self, node: &Node, text: &str, range: Range<usize>) -> Span {
        let sources = self.sources.borrow();
        let Some(source) = sources.get(node.at.source) else { return node.at };
        let written = source.slice(node.at.range());
        let quote = usize::from(written.starts_with(['"', '\'']));
        let same = written.get(quote..quote + text.len()) == Some(text);
        if !same || range.is_empty() {
            return node.at;
        }
        let start = node.at.start + quote;
        Span::new(node.at.source, start + range.start..start + range.end)
    }

    /// Reports what is wrong with the text of `node`.
    pub fn report_wrong(&self, node: &Node, text: &str, wrong: Wrong) {
        let at = self.inside(node, text, wrong.range);
        self.report(Problem::at(at, wrong.message).label(wrong.label).help(wrong.help));
    }

    /// Reports that `node` is of the wrong kind.
    pub fn wrong_kind(&self, node: &Node, what: &str, expected: &str, help: &str) {
        let message = format!("{what} must be {expected}, not {}", node.kind());
        self.report(
            Problem::at(node.at, message).label(format!("this is {}", node.kind())).help(help),
        );
    }

    /// A span of time.
    pub fn duration(&self, node: &Node, key: &str) -> Option<SimDuration> {
        let help = format!("for example {key} = \"60 s\"");
        self.quantity(node, key, "s", &help, quantity::duration)
    }

    /// A span of time above zero.
    pub fn positive_duration(&self, node: &Node, key: &str, why: &str) -> Option<SimDuration> {
        let span = self.duration(node, key)?;
        if span.is_zero() {
            let problem = Problem::at(node.at, format!("{key} must be above zero"))
                .label("zero")
                .help(why.to_owned());
            self.report(problem);
            return None;
        }
        Some(span)
    }

    /// Events a second, above zero.
    pub fn rate(&self, node: &Node, key: &str) -> Option<f64> {
        let help = format!("for example {key} = \"600 / s\"");
        self.quantity(node, key, "/ s", &help, quantity::rate)
    }

    fn quantity<T>(
        &self,
        node: &Node,
        key: &str,
        unit: &str,
        help: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        match &node.value {
            Value::Text(text) => match parse(text) {
                Ok(value) => Some(value),
                Err(wrong) => {
                    self.report_wrong(node, text, wrong);
                    None
                }
            },
            Value::Integer(_) | Value::Float(_) => {
                let number = self.written(node.at);
                let number = shown(&number);
                let message = format!("{key} = {number} has no unit");
                let problem = Problem::at(node.at, message)
                    .label("which unit?")
                    .help(format!("write it as text with its unit: {key} = \"{number} {unit}\""));
                self.report(problem);
                None
            }
            _ => {
                self.wrong_kind(node, key, "text with a unit", help);
                None
            }
        }
    }

    /// A share of a whole: `"25 %"` or 0.25.
    pub fn share(&self, node: &Node, key: &str) -> Option<f64> {
        match &node.value {
            Value::Text(text) => match quantity::share(text) {
                Ok(share) => Some(share),
                Err(wrong) => {
                    self.report_wrong(node, text, wrong);
                    None
                }
            },
            _ => self.number(node, key, "for example \"25 %\" or 0.25"),
        }
    }

    /// A plain number, finite and not negative.
    pub fn number(&self, node: &Node, key: &str, help: &str) -> Option<f64> {
        let number = match &node.value {
            Value::Integer(integer) => integer.map_or(f64::INFINITY, |integer| integer as f64),
            Value::Float(float) => *float,
            _ => {
                self.wrong_kind(node, key, "a number", help);
                return None;
            }
        };
        let message = match number {
            _ if number.is_nan() => format!("{key} is not a number"),
            _ if number < 0.0 => format!("{key} cannot be negative"),
            _ if number > 1e18 => format!("{key} is out of all proportion"),
            _ => return Some(number),
        };
        self.report(Problem::at(node.at, message).label("not possible").help(help));
        None
    }

    /// A whole number from `least` to `most`.
    pub fn integer(&self, node: &Node, key: &str, least: u64, most: u64) -> Option<u64> {
        let bounds = format!("{key} is a whole number from {least} to {most}");
        let problem = match &node.value {
            Value::Integer(Some(integer)) => match u64::try_from(*integer) {
                Ok(number) if (least..=most).contains(&number) => return Some(number),
                _ => Problem::at(node.at, format!("{key} = {integer} is not possible"))
                    .label(if *integer < i128::from(least) { "too small" } else { "too large" }),
            },
            Value::Integer(None) => {
                Problem::at(node.at, format!("{key} is not possible")).label("too large")
            }
            Value::Float(float) => {
                let message = format!("{key} = {} is not a whole number", plain_number(*float));
                Problem::at(node.at, message).label("not a whole number")
            }
            Value::Text(text) if text.trim().parse::<u64>().is_ok() => {
                let message = format!("{key} must be a number, not text");
                let problem = Problem::at(node.at, message).label("in quotes, this is text");
                self.report(problem.help(format!("write {key} = {}", text.trim())));
                return None;
            }
            _ => {
                self.wrong_kind(node, key, "a whole number", &bounds);
                return None;
            }
        };
        self.report(problem.help(bounds));
        None
    }

    /// A whole number from `least` to `most` that fits 32 bits.
    pub fn small_integer(&self, node: &Node, key: &str, least: u32, most: u32) -> Option<u32> {
        let number = self.integer(node, key, u64::from(least), u64::from(most))?;
        // `most` fits, so this does.
        u32::try_from(number).ok()
    }

    /// Text; in an override, quotes may be left out whatever the value looks like.
    pub fn text(&self, node: &Node, key: &str, help: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime
                if node.at.source != 0 =>
            {
                Some(self.written(node.at))
            }
            _ => {
                self.wrong_kind(node, key, "text in quotes", help);
                None
            }
        }
    }

    /// One of a few words; `-`, `_`, spaces and case do not matter.
    pub fn choice<T: Copy>(&self, node: &Node, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let text = self.text(node, key, &format!("{key} is one of {}", listed(&names)))?;
        let plain = |name: &str| name.trim().to_lowercase().replace(['-', ' '], "_");
        let written = plain(&text);
        if let Some((_, choice)) = choices.iter().find(|(name, _)| plain(name) == written) {
            return Some(*choice);
        }
        let message = format!("`{}` is not a value of {key}", shown(&text));
        let problem =
            Problem::at(node.at, message).label("not known").help(instead(&text, &names, key));
        self.report(problem);
        None
    }

    /// A table whose keys must all be in `known`; `name` is how messages call it.
    pub fn table<'a>(
        &self,
        node: &'a Node,
        name: &str,
        known: &[&str],
        help: &str,
    ) -> Option<&'a Table> {
        let Some(table) = node.as_table() else {
            self.wrong_kind(node, name, "a table", help);
            return None;
        };
        self.known_keys(table, name, known);
        Some(table)
    }

    /// Reports every key of `table` that is not in `known`.
    pub fn known_keys(&self, table: &Table, name: &str, known: &[&str]) {
        for entry in table.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            self.unknown_key(entry, name, known);
        }
    }

    /// Reports that `entry` should not be where it is.
    pub fn unknown_key(&self, entry: &Entry, name: &str, known: &[&str]) {
        if let Some((what, nearest)) = keys::not_modelled(&entry.key) {
            // `[gateway.nat]` stands where its first child does.
            let problem = Problem::at(entry.key_at, what).label("not modelled yet").help(nearest);
            return self.report(problem);
        }
        let message = format!("unknown key `{}` in {name}", shown(&entry.key));
        if let Some(meant) = keys::meant(&entry.key, known) {
            let problem = Problem::at(entry.key_at, message).label("not known here");
            return self.report(problem.help(format!("did you mean `{meant}`?")));
        }
        let mut problem = Problem::at(entry.key_at, message).label("not known here");
        // A key at home elsewhere was put in the wrong table more often than it was mistyped.
        match home(&entry.key) {
            Some(home) => problem = problem.help(format!("`{}` belongs {home}", entry.key)),
            None => problem = problem.help(instead(&entry.key, known, "key")),
        }
        self.report(problem);
    }

    /// Warns that a sysctl is set again further down.
    pub fn overruled(&self, name: &str, at: Span) {
        let problem = Problem::at(at, format!("`{}` is set again further down", shown(name)))
            .label("not this one")
            .help("the last line holds, as sysctl has it");
        self.warn(problem);
    }

    /// Does `table` hold a key that was meant as `key`? It is reported as unknown already, and that
    /// `key` is missing would be the same mistake told twice.
    pub fn mistyped(&self, table: &Table, key: &str, tags: &[&str], known: &[&str]) -> bool {
        let names = || tags.iter().chain(known).copied();
        let mut unknown =
            table.entries.iter().filter(|entry| names().all(|name| name != entry.key));
        let all: Vec<&str> = names().collect();
        let is_meant = |entry: &Entry| {
            let meant = keys::meant(&entry.key, &all);
            meant.or_else(|| nearest(&entry.key, names())) == Some(key)
        };
        unknown.any(is_meant)
    }

    /// Reports that `owner` lacks `key`, pointing at `at`.
    pub fn missing(&self, at: Span, owner: &str, key: &str, help: &str) {
        let problem = Problem::at(at, format!("{owner} has no `{key}`"))
            .label(format!("`{key}` is missing"))
            .help(help);
        self.report(problem.depends());
    }

    /// `true` or `false`.
    pub fn flag(&self, node: &Node, key: &str) -> Option<bool> {
        let Value::Boolean(flag) = node.value else {
            let help = format!("write {key} = true or {key} = false, without quotes");
            self.wrong_kind(node, key, "true or false", &help);
            return None;
        };
        Some(flag)
    }

    /// A port number.
    pub fn port(&self, node: &Node, number: Option<i128>) -> Option<u16> {
        match port_text::checked_port(number.unwrap_or(i128::MAX)) {
            Ok(port) => Some(port),
            Err(why) => {
                let message = why.to_string();
                let help = "ports are whole numbers from 1 to 65535";
                self.report(Problem::at(node.at, message).label("not a port").help(help));
                None
            }
        }
    }
}

/// Where a key is at home that people put into the wrong table.
fn home(key: &str) -> Option<&'static str> {
    let of_figure =
        || Metric::expected().any(|figure| figure.name() == key).then_some("in [expect]");
    keys::home(key).or_else(of_figure)
}
