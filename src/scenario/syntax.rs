//! Text to tree: TOML's own mistakes, in words for people who do not know TOML by heart.

use toml::de::DeTable;

use super::problem::Problem;
use super::source::{Span, floor_boundary};
use super::suggest::shown;
use super::tree::Table;
use super::walk::Walk;

/// So many mistakes of TOML itself are reported: a file in another format has one on every line.
const MOST: usize = 10;

/// Parses source number 0 of `walk`; reports what is not TOML, and gives the lines it is on.
pub(super) fn parse(walk: &Walk, text: &str) -> (Table, Vec<usize>) {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let table = Table::from_toml(tree.get_ref(), 0, 0);
    let mut lines: Vec<usize> = Vec::new();
    let mut hidden = 0;
    for error in errors {
        let range = error.span().unwrap_or(text.len()..text.len());
        let line = line_of(text, range.start);
        // The second complaint about a line follows from the first.
        if lines.contains(&line) {
            continue;
        }
        lines.push(line);
        if lines.len() > MOST {
            hidden += 1;
            continue;
        }
        walk.report(syntax_problem(text, range, error.message()));
    }
    if hidden > 0 {
        let problem = Problem::nowhere(format!("{hidden} more lines are not TOML"))
            .help("a scenario is a TOML file: https://toml.io shows the language on one page");
        walk.report(problem);
    }
    (table, lines)
}

/// The number of the line, from 1, that holds byte `offset`.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let end = floor_boundary(text, offset);
    text[..end].bytes().filter(|&byte| byte == b'\n').count() + 1
}

fn syntax_problem(text: &str, range: std::ops::Range<usize>, message: &str) -> Problem {
    let start = floor_boundary(text, range.start);
    let end = floor_boundary(text, range.end).max(start);
    let at = Span::new(0, start..end);
    if message == "duplicate key" {
        return duplicate(text, at);
    }
    if let Some(problem) = bare_value(text, start) {
        return problem;
    }
    Problem::at(at, format!("this is not TOML: {message}"))
        .label("not understood here")
        .help_maybe(other_format(text))
}

/// A value such as `600 / s` or `crawler` that lacks its quotes.
fn bare_value(text: &str, at: usize) -> Option<Problem> {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let line = &text[line_start..line_end];
    let equals = text[line_start..at].rfind('=').or_else(|| {
        // The complaint may point at the equals sign itself, or just behind the key.
        line[at - line_start..].find('=').map(|found| at - line_start + found)
    })?;
    let key_part = &line[..equals];
    let key = key_part.trim_end().rsplit([' ', '{', ',', '\t']).next().unwrap_or("").trim();
    let after = &line[equals + 1..];
    let inline = key_part.contains('{');
    let stop = if inline { after.find([',', '}']) } else { after.find('#') };
    let value = &after[..stop.unwrap_or(after.len())];
    let indent = value.len() - value.trim_start().len();
    let value = value.trim();
    let first = value.chars().next()?;
    let quoted = value.contains(['"', '\'']);
    if key.is_empty() || quoted || !(first.is_alphanumeric() || "+-.".contains(first)) {
        return None;
    }
    let start = line_start + equals + 1 + indent;
    let what = if first.is_alphabetic() { "text" } else { "a value with a unit" };
    let (key, value_shown) = (shown(key), shown(value));
    Some(
        Problem::at(Span::new(0, start..start + value.len()), format!("{what} needs quotes"))
            .label("quotes are missing")
            .help(format!("write {key} = \"{value_shown}\"")),
    )
}

/// The same key or table twice.
fn duplicate(text: &str, at: Span) -> Problem {
    let line_start = text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let key = shown(&text[at.range()]).into_owned();
    let line_end = text[at.start..].find('\n').map_or(text.len(), |newline| at.start + newline);
    let line = text[line_start..line_end].trim();
    if line.starts_with('[') {
        let header = line.split('#').next().unwrap_or(line).trim();
        let first = find_line(text, line_start, |earlier| {
            earlier.split('#').next().is_some_and(|earlier| earlier.trim() == header)
        });
        let problem = Problem::at(at, format!("{} is there twice", shown(header)))
            .label("the second one")
            .help("give one of them another name, or put their keys into one table");
        return match first {
            Some(first) => problem.context(first, "the first one"),
            None => problem,
        };
    }
    let problem = Problem::at(at, format!("`{key}` is written twice in the same table"))
        .label("the second time")
        .help("keep one of them");
    let written = &text[at.range()];
    let first = find_line(text, line_start, |earlier| {
        earlier
            .trim_start()
            .strip_prefix(written)
            .is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    });
    match first {
        Some(first) => problem.context(first, "the first time"),
        None => problem,
    }
}

/// The last line before byte `end` that `matches`, without its indent.
fn find_line(text: &str, end: usize, matches: impl Fn(&str) -> bool) -> Option<Span> {
    let mut line_end = end;
    while line_end > 0 {
        let line_start = text[..line_end - 1].rfind('\n').map_or(0, |newline| newline + 1);
        let line = &text[line_start..line_end];
        if matches(line) {
            let start = line_start + line.len() - line.trim_start().len();
            return Some(Span::new(0, start..start + line.trim().len()));
        }
        line_end = line_start;
    }
    None
}

/// A hint for files that are in quite another format.
fn other_format(text: &str) -> Option<&'static str> {
    let start = text.trim_start();
    if start.starts_with('{') {
        Some("this looks like JSON; a scenario is TOML, for example title = \"A crawler\"")
    } else if start.starts_with("---") || start.lines().next()?.trim_end().ends_with(':') {
        Some("this looks like YAML; a scenario is TOML, for example title = \"A crawler\"")
    } else if start.starts_with('<') {
        Some("this looks like HTML or XML; a scenario is TOML, for example title = \"A crawler\"")
    } else if text.contains('\0') {
        Some("this looks like a binary file; a scenario is a TOML file")
    } else {
        None
    }
}
