//! Which way the arrows run, held against the sources themselves.
//!
//! ARCHITECTURE.md says in which order the rooms of `src/` stand and what the arithmetic never sees. A
//! compiler does not mind if either is broken, and a reader finds out when the circle is closed; this
//! reads the paths of every file, tests left out, and minds at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms, upper to lower: a file may name its own room and those after it.
const ROOMS: [&str; 21] = [
    "main",
    "cli",
    "testbed",
    "report",
    "chart",
    "validate",
    "import",
    "traffic",
    "search",
    "library",
    "replicate",
    "engine",
    "scenario",
    "inspect",
    "platform",
    "stats",
    "theory",
    "model",
    "names",
    "numbers",
    "units",
];

/// Pure arithmetic: a function of its arguments, whatever the machine, the hour or the terminal.
const PURE: [&str; 6] = ["engine", "platform", "stats", "theory", "model", "units"];

/// What the pure rooms never name.
const WORLD: [&str; 10] = [
    "clap",
    "plotters",
    "rayon",
    "serde_json",
    "std::fs",
    "std::env",
    "std::time::Instant",
    "std::time::SystemTime",
    "println",
    "eprintln",
];

#[test]
fn no_room_names_one_above_it() {
    let sources = Sources::read();
    let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut wrong = Vec::new();
    for (module, file) in sources.files.iter().filter(|(module, _)| !module.is_empty()) {
        let own = rank(&module[0]).unwrap_or_else(|| panic!("{} stands in no list", module[0]));
        for path in file.imports.iter().chain(&file.exports) {
            if path.first().and_then(|room| rank(room)).is_some_and(|other| other < own) {
                wrong.push(format!("{} names {}", module.join("::"), path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that run upwards:\n{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other() {
    let sources = Sources::read();
    let edges = sources.edges();
    let circles: BTreeSet<Vec<String>> = edges
        .keys()
        .map(|from| {
            let there = reached(&edges, from);
            there
                .iter()
                .filter(|to| reached(&edges, to).contains(from))
                .map(|m| m.join("::"))
                .collect()
        })
        .filter(|circle: &Vec<String>| circle.len() > 1)
        .collect();
    let lines: Vec<String> = circles.iter().map(|circle| circle.join(" <-> ")).collect();
    assert!(lines.is_empty(), "files that import each other:\n{}", lines.join("\n"));
}

#[test]
fn pure_rooms_name_nothing_of_the_world() {
    let sources = Sources::read();
    let mut wrong = Vec::new();
    for (module, file) in &sources.files {
        if module.first().is_some_and(|room| PURE.contains(&room.as_str())) {
            for path in file.imports.iter().chain(&file.exports).map(|path| path.join("::")) {
                if WORLD.iter().any(|word| path == *word || path.starts_with(&format!("{word}::")))
                {
                    wrong.push(format!("{} names {path}", module.join("::")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "what arithmetic must not see:\n{}", wrong.join("\n"));
}

/// A path of words: a module from the root of the crate, or what a file names.
type Words = Vec<String>;

/// What one file names, in paths from the root of the crate where they lead into it.
#[derive(Default)]
struct File {
    imports: BTreeSet<Words>,
    /// What it passes on with `pub use`: a facade names its parts without leaning on them.
    exports: BTreeSet<Words>,
}

struct Sources {
    files: BTreeMap<Words, File>,
}

impl Sources {
    fn read() -> Self {
        let mut texts = BTreeMap::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        collect(&root, &[], &mut texts);
        let mut tests = BTreeSet::new();
        let stripped: BTreeMap<Words, String> = texts
            .iter()
            .map(|(module, text)| (module.clone(), without_tests(text, module, &mut tests)))
            .collect();
        let files = stripped
            .iter()
            .filter(|(module, _)| !tests.iter().any(|test: &Words| module.starts_with(test)))
            .map(|(module, text)| (module.clone(), named(text, module, &texts)))
            .collect();
        Self { files }
    }

    /// The file in which what `path` names is written: through modules, then through what they pass on.
    fn home(&self, path: &[String]) -> Option<&Words> {
        let depth =
            (0..=path.len()).rev().find(|&depth| self.files.contains_key(&path[..depth]))?;
        let (module, file) = self.files.get_key_value(&path[..depth])?;
        let passed_on = path.get(depth).and_then(|name| {
            file.exports.iter().find(|export| export.last() == Some(name) && export[..] != path[..])
        });
        passed_on.map_or(Some(module), |export| self.home(export))
    }

    /// Who leans on whom. That a module hands work to the modules inside it is what it is for; where
    /// those name each other, or it again, that counts.
    fn edges(&self) -> BTreeMap<&Words, BTreeSet<&Words>> {
        let homes = |(module, file): (&'_ Words, &'_ File)| -> BTreeSet<&Words> {
            let paths = file.imports.iter().filter(|path| path.len() > 1);
            paths
                .filter_map(|path| self.home(path))
                .filter(|home| !home.starts_with(module))
                .collect()
        };
        self.files.iter().map(|(module, file)| (module, homes((module, file)))).collect()
    }
}

fn reached<'a>(
    edges: &BTreeMap<&'a Words, BTreeSet<&'a Words>>,
    from: &Words,
) -> BTreeSet<&'a Words> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&Words> = edges[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if seen.insert(module) {
            next.extend(edges[module].iter().copied());
        }
    }
    seen
}

fn collect(folder: &Path, module: &[String], texts: &mut BTreeMap<Words, String>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("an entry of src").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut inner = module.to_vec();
        if !matches!(name.as_str(), "mod" | "lib") {
            inner.push(name);
        }
        if path.is_dir() {
            collect(&path, &inner, texts);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            texts.insert(inner, fs::read_to_string(&path).expect("a source is text"));
        }
    }
}

/// The text without comments and without what is compiled for tests alone; files of such go to `tests`.
fn without_tests(text: &str, module: &[String], tests: &mut BTreeSet<Words>) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" && !line.trim().starts_with("#[cfg(all(test,") {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let head =
            lines.find(|line| !line.trim_start().starts_with("#[")).expect("an item to test");
        if let Some(name) = head.trim().strip_suffix(';').and_then(|head| head.rsplit_once("mod "))
        {
            tests.insert([module, &[name.1.to_owned()]].concat());
        } else if !head.ends_with([';', '}', ',']) {
            lines.find(|line| {
                line.starts_with(&close) || (!head.contains('{') && line.ends_with(';'))
            });
        }
    }
    kept
}

/// All paths of `text`, with `super`, `self` and child modules written out.
fn named(text: &str, module: &[String], texts: &BTreeMap<Words, String>) -> File {
    let mut file = File::default();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let before = &rest[..at];
        let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
        if !matches!(line.trim(), "" | "pub" | "pub(super)" | "pub(crate)") {
            file.imports.extend(paths(&rest[..at + 4], module, texts));
            rest = &rest[at + 4..];
            continue;
        }
        file.imports.extend(paths(before, module, texts));
        let end = at + rest[at..].find(';').expect("a use has an end");
        let mut leaves = Vec::new();
        expand(
            &rest[at + 4..end].split_whitespace().collect::<Vec<_>>().join(" "),
            "",
            &mut leaves,
        );
        let found = leaves.iter().flat_map(|leaf| paths(leaf, module, texts));
        if line.contains("pub") {
            file.exports.extend(found)
        } else {
            file.imports.extend(found)
        }
        rest = &rest[end..];
    }
    file.imports.extend(paths(rest, module, texts));
    file
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(tree: &str, prefix: &str, leaves: &mut Vec<String>) {
    let Some((head, inner)) = tree.split_once('{') else {
        leaves.push(format!("{prefix}{}", tree.trim()));
        return;
    };
    let inner = inner.trim().strip_suffix('}').expect("braces of a use are paired");
    let mut depth = 0;
    let parts = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for part in parts.filter(|part| !part.trim().is_empty()) {
        expand(part.trim(), &format!("{prefix}{}", head.trim()), leaves);
    }
}

fn paths(text: &str, module: &[String], texts: &BTreeMap<Words, String>) -> Vec<Words> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    text.split(|c| !word(c)).filter_map(|path| absolute(path, module, texts)).collect()
}

/// The path from the root of the crate, or as it is where it leads out of it.
fn absolute(path: &str, module: &[String], texts: &BTreeMap<Words, String>) -> Option<Words> {
    let mut words = path.split("::").map(str::to_owned).filter(|word| !word.is_empty()).peekable();
    let mut base = match words.peek()?.as_str() {
        "crate" | "portsim" => Vec::new(),
        "self" | "super" => module.to_vec(),
        first => {
            let child = [module, &[first.to_owned()]].concat();
            let base = if texts.contains_key(&child) { module.to_vec() } else { Vec::new() };
            let outside = base.is_empty() && !WORLD.iter().any(|name| path.starts_with(name));
            if outside && !module.is_empty() {
                return None;
            }
            base
        }
    };
    for word in words {
        match word.as_str() {
            "crate" | "portsim" | "self" => {}
            "super" => _ = base.pop(),
            _ => base.push(word),
        }
    }
    Some(base)
}
