//! From a path or a text to a [`Scenario`], or to all that is wrong with it.

use std::path::Path;

use super::Scenario;
use super::overrides::{self, Override};
use super::text::file::{self, Unreadable};
use super::written::Text;
use crate::scenario::read;
use crate::scenario::text::problem::{Problem, Problems, Standing};
use crate::scenario::text::source::{Source, Span};
use crate::scenario::text::suggest::{listed, nearest, shown};
use crate::scenario::text::syntax::{self, BrokenLines};
use crate::scenario::text::walk::Walk;

/// Largest scenario file that is read: a thousand times any that a person writes.
const LARGEST_FILE: u64 = 4 << 20;

/// Reads and checks one scenario file.
///
/// # Errors
/// All problems of the file and the overrides at once.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Scenario, Problems> {
    let origin = path.display().to_string();
    let name =
        path.file_stem().map_or_else(|| origin.clone(), |stem| stem.to_string_lossy().into());
    match read_file(path) {
        Ok(bytes) => parse(&name, &origin, &bytes, overrides),
        Err(problem) => Err(problems_of(&origin, "", *problem)),
    }
}

/// Checks the text of a scenario that is called `name`; `origin` is what messages call the text,
/// and files that it names are looked for in the directory of `origin`.
///
/// # Errors
/// All problems of the text and the overrides at once.
///
/// ```
/// let text = "[client.fetcher]
/// arrivals = { process = 'poisson', rate = '600 / s' }
/// lifetime = '200 ms'";
/// let scenario = portsim::scenario::parse("crawler", "crawler.toml", text, &[]).unwrap();
/// assert_eq!(scenario.world.hosts[0].usable_ports(), 28_232);
/// ```
pub fn parse(
    name: &str,
    origin: &str,
    text: impl AsRef<[u8]>,
    overrides: &[Override],
) -> Result<Scenario, Problems> {
    let bytes = text.as_ref();
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(unreadable) => {
            let (text, problem) = *unreadable;
            return Err(problems_of(origin, &text, problem));
        }
    };
    let walk = Walk::default();
    walk.add_source(origin, text);
    let (mut root, broken) = syntax::parse(&walk, text);
    if root.entries.is_empty() && walk.count() == 0 && overrides.is_empty() {
        let problem = Problem::nowhere("this scenario is empty").help(read::SMALLEST);
        return Err(problems_of(origin, text, problem));
    }
    overrides::apply(&walk, &mut root, overrides);
    let whole = read::whole(&walk, &root);
    let (sources, mut problems, warnings) = walk.finish();
    if !broken.is_empty() {
        problems.retain(|problem| !follows_from(problem, &broken));
    }
    let scenario = whole.world.map(|world| Scenario {
        name: name.to_owned(),
        title: whole.title.unwrap_or_else(|| name.to_owned()),
        asks: whole.asks,
        reported: whole.reported,
        prevented: whole.prevented,
        source: whole.source,
        world,
        settings: whole.settings,
        expectations: whole.expectations,
        warnings: gather(warnings, &sources, true),
        text: Text { origin: origin.into(), text: bytes.into(), overrides: overrides.to_vec() },
    });
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => {
            assert!(!problems.is_empty(), "nothing is wrong, and yet there is no scenario");
            Err(gather(problems, &sources, false))
        }
    }
}

/// Is `problem` only the echo of a line that is not TOML? What such a line said is not in the tree,
/// so that whatever it would have brought seems to be missing.
fn follows_from(problem: &Problem, broken: &BrokenLines) -> bool {
    match problem.standing {
        Standing::Syntax => false,
        Standing::Dependent => true,
        Standing::Alone => problem.at.is_some_and(|at| at.source == 0 && broken.hold(at.start)),
    }
}

/// Problems in the order of the texts; those of the whole file come last.
fn gather(mut problems: Vec<Problem>, sources: &[Source], warnings: bool) -> Problems {
    problems.sort_by_key(|problem| {
        problem.at.map_or((usize::MAX, usize::MAX), |at| (at.source, at.start))
    });
    problems.dedup();
    Problems { problems, sources: sources.into(), warnings }
}

/// The only problem of a file that could not even be parsed.
fn problems_of(origin: &str, text: &str, problem: Problem) -> Problems {
    let source = Source { origin: origin.into(), text: text.into(), first_line: 1 };
    Problems { problems: vec![problem], sources: [source].into(), warnings: false }
}

/// The text of `bytes` without a byte order mark; else what can be shown of it, and why not.
fn decode(bytes: &[u8]) -> Result<&str, Box<(String, Problem)>> {
    let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    // Without a mark, every other byte of a Latin text is zero.
    if marked || matches!(bytes, [0, _, 0, _, ..] | [_, 0, _, 0, ..]) {
        let problem = Problem::nowhere("this file is UTF-16")
            .help("save it as UTF-8, which every editor can");
        return Err(Box::new((String::new(), problem)));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let start = error.valid_up_to();
            let byte = bytes.get(start).copied().unwrap_or_default();
            let text = String::from_utf8_lossy(bytes).into_owned();
            let at = Span::new(0, start..start + char::REPLACEMENT_CHARACTER.len_utf8());
            let problem = Problem::at(at, format!("this file is not UTF-8: byte 0x{byte:02x}"))
                .label("not a character")
                .help("save it as UTF-8, which every editor can");
            Err(Box::new((text, problem)))
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Box<Problem>> {
    let name = path.display().to_string();
    if path.is_dir() {
        let files = scenarios_in(path);
        let names: Vec<&str> = files.iter().map(String::as_str).collect();
        let help = match names.as_slice() {
            [] => "there is no .toml file in it".to_owned(),
            names => format!("name a file in it: {}", listed(names)),
        };
        let message = format!("`{}` is a directory, not a scenario file", shown(&name));
        return Err(Box::new(Problem::nowhere(message).help(help)));
    }
    file::read(path, LARGEST_FILE, "4 MiB").map_err(|error| match error {
        Unreadable::TooLarge(most) => {
            let message = format!("`{}` is larger than {most}", shown(&name));
            let help = "is it a scenario? Samples go into a file of their own";
            Box::new(Problem::nowhere(message).help(help))
        }
        error => {
            let message = format!("`{}` cannot be read: {error}", shown(&name));
            Box::new(Problem::nowhere(message).help_maybe(other_file(path, &error)))
        }
    })
}

/// The file that was meant, when the one named is not there.
fn other_file(path: &Path, error: &Unreadable) -> Option<String> {
    if !matches!(error, Unreadable::Missing) {
        return None;
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    if !directory.is_dir() {
        return Some(format!("there is no directory `{}`", shown(&directory.to_string_lossy())));
    }
    let files = scenarios_in(directory);
    let written = path.file_name()?.to_string_lossy().into_owned();
    let meant = nearest(&written, files.iter().map(String::as_str))?;
    Some(format!("did you mean `{}`?", shown(&path.with_file_name(meant).to_string_lossy())))
}

/// Names of the TOML files in `directory`, sorted.
fn scenarios_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    names
}
