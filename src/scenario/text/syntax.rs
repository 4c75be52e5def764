//! Text to tree: TOML's own mistakes, in words for people who do not know TOML by heart.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::pasted::pasted;
use super::problem::Problem;
use super::source::{Span, floor_boundary};
use super::suggest::shown;
use super::tree::Table;
use super::walk::Walk;

/// So many mistakes of TOML itself are reported: a file in another format has one on every line.
const MOST: usize = 10;

/// The lines of a text that are not TOML.
#[derive(Debug)]
pub(crate) struct BrokenLines {
    /// Where each line starts.
    starts: Vec<usize>,
    /// Their numbers, from 0.
    lines: BTreeSet<usize>,
}

impl BrokenLines {
    fn of(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let starts = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { starts, lines: BTreeSet::new() }
    }

    fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset) - 1
    }

    /// Is every line TOML?
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Is byte `offset` on one of them?
    pub fn hold(&self, offset: usize) -> bool {
        self.lines.contains(&self.line_of(offset))
    }
}

/// Parses source number 0 of `walk`; reports what is not TOML, and gives the lines it is on.
pub(crate) fn parse(walk: &Walk, text: &str) -> (Table, BrokenLines) {
    let pasted = pasted(text);
    let toml = pasted.as_ref().map_or(text, |pasted| &pasted.toml);
    for key in pasted.iter().flat_map(|pasted| &pasted.overruled) {
        walk.overruled(&text[key.clone()], Span::new(0, key.clone()));
    }
    let (tree, errors) = DeTable::parse_recoverable(toml);
    let mut broken = BrokenLines::of(text);
    if let (Some(first), Some(help)) = (errors.first(), other_format(text)) {
        let range = first.span().unwrap_or(0..0);
        let at = Span::new(0, floor_boundary(text, range.start)..floor_boundary(text, range.end));
        let problem = Problem::at(at, "this is not TOML").label("not understood here").help(help);
        walk.report(problem.syntax());
        broken.lines.extend(0..broken.starts.len());
        return (Table::default(), broken);
    }
    let mut hidden = 0;
    for error in errors {
        let range = error.span().unwrap_or(text.len()..text.len());
        let line = broken.line_of(range.start);
        // The second complaint about a line follows from the first.
        if !broken.lines.insert(line) {
            continue;
        }
        if broken.lines.len() > MOST {
            hidden += 1;
            continue;
        }
        if let Some(problem) = unclosed(text, range.start, error.message()) {
            // Whatever follows was read as part of it.
            walk.report(problem.syntax());
            broken.lines.extend(line..broken.starts.len());
            break;
        }
        walk.report(syntax_problem(text, range, error.message()));
    }
    if hidden > 0 {
        let problem = Problem::nowhere(format!("{hidden} more lines are not TOML"))
            .help("a scenario is a TOML file: https://toml.io shows the language on one page");
        walk.report(problem.syntax());
    }
    let mut table = Table::from_toml(tree.get_ref(), 0, 0);
    if let Some(pasted) = &pasted {
        pasted.restore(text, &mut table);
    }
    (table, broken)
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
    let known = TRANSLATED.iter().find(|(theirs, _, _)| message.starts_with(theirs));
    match known {
        Some((_, ours, help)) => {
            Problem::at(at, *ours).label("not understood here").help(*help).syntax()
        }
        None => {
            let message = format!("this is not TOML: {message}");
            Problem::at(at, message).label("not understood here").syntax()
        }
    }
}

/// What the parser says, what we say, and what to do about it.
const TRANSLATED: [(&str, &str, &str); 7] = [
    (
        "invalid basic string",
        "the quotes are not closed, or there is a stray backslash",
        "close the text with \" on the same line; a backslash is written \\\\",
    ),
    (
        "invalid literal string",
        "the quotes are not closed",
        "close the text with ' on the same line",
    ),
    (
        "key with no value",
        "this line is neither `key = value` nor a [table]",
        "write key = value, for example seed = 1",
    ),
    (
        "unclosed table",
        "this table header is not closed",
        "write ] behind the name: [client.fetcher]",
    ),
    ("unclosed array table", "this table header is not closed", "write ]] behind the name"),
    (
        "unclosed inline table",
        "this { is not closed",
        "write } behind the last entry, and a comma between any two",
    ),
    (
        "unclosed array",
        "this [ is not closed",
        "write ] behind the last item, and a comma between any two",
    ),
];

/// A `{` or `[` that an earlier line opened and none closed: TOML then reads on over the next lines,
/// and complains of the first that cannot belong to it.
fn unclosed(text: &str, at: usize, message: &str) -> Option<Problem> {
    const COMPLAINTS: [&str; 4] =
        ["missing comma", "missing key for", "unclosed inline table", "unclosed array,"];
    let at = floor_boundary(text, at);
    if !COMPLAINTS.iter().any(|complaint| message.starts_with(complaint)) {
        return None;
    }
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text[line_start..].lines().next().unwrap_or("").trim_start();
    // Items of a list lack a comma; a line that starts something else shows that it is not closed.
    if !rest.is_empty() && !rest.starts_with('[') && !rest.contains('=') {
        return None;
    }
    let statement = find_line(text, line_start, |line| {
        let value = line.split_once('=').map(|(_, value)| value.trim_start());
        value.is_some_and(|value| value.starts_with(['{', '[']))
    })?;
    let open = statement.start + open_bracket(&text[statement.start..line_start])?;
    let bracket = &text[open..=open];
    let close = if bracket == "{" { "}" } else { "]" };
    let problem =
        Problem::at(Span::new(0, open..open + 1), format!("this {bracket} is not closed"))
            .label("opened here")
            .help(format!("write {close} behind its last entry, and a comma between any two"));
    Some(match rest.is_empty() {
        true => problem,
        false => {
            let start =
                line_start + text[line_start..].len() - text[line_start..].trim_start().len();
            let at = Span::new(0, start..start + rest.trim_end().len());
            problem.context(at, "and this does not belong in it")
        }
    })
}

/// Where the innermost bracket of `text` is that is still open at its end.
fn open_bracket(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    let mut quote = None;
    let mut comment = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (_, '\n') => (quote, comment) = (None, false),
            _ if comment => {}
            (Some(end), _) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => comment = true,
            (None, '{' | '[') => open.push(at),
            (None, '}' | ']') => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
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
            .help(format!("write {key} = \"{value_shown}\""))
            .syntax(),
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
            .help("give one of them another name, or put their keys into one table")
            .syntax();
        return match first {
            Some(first) => problem.context(first, "the first one"),
            None => problem,
        };
    }
    let problem = Problem::at(at, format!("`{key}` is written twice in the same table"))
        .label("the second time")
        .help("keep one of them")
        .syntax();
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
    let first = start.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    if text.contains('\0') {
        Some("this looks like a binary file; a scenario is a TOML file")
    } else if start.starts_with('{') {
        Some("this looks like JSON; a scenario is TOML: title = \"A crawler\"")
    } else if start.starts_with("---") || first.is_some_and(is_yaml) {
        Some("this looks like YAML; a scenario is TOML: title = \"A crawler\"")
    } else if start.starts_with('<') {
        Some("this looks like HTML or XML; a scenario is TOML: title = \"A crawler\"")
    } else {
        None
    }
}

/// Is this line `word: ...`?
fn is_yaml(line: &str) -> bool {
    let word = line.split(':').next().unwrap_or("");
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    word.len() < line.len() && !word.is_empty() && word.chars().all(plain)
}
