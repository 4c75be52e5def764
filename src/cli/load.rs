//! From paths to scenarios: everything is read and checked before anything is run.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use portsim::scenario::{self, Override, Scenario};

use super::terminal;

/// Reads every scenario that `paths` name.
///
/// # Errors
/// All that is wrong with all of them, one message each, ready to be shown.
pub fn load(paths: &[PathBuf], overrides: &[Override]) -> Result<Vec<Scenario>, Vec<String>> {
    let mut wrong = Vec::new();
    let mut scenarios: Vec<(PathBuf, Scenario)> = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            match stdin(overrides) {
                Ok(scenario) => scenarios.push((path.clone(), scenario)),
                Err(message) => wrong.push(message),
            }
            continue;
        }
        let files = files_of(path).unwrap_or_else(|message| {
            wrong.push(message);
            Vec::new()
        });
        for file in files {
            match scenario::load(&file, overrides) {
                Ok(scenario) => scenarios.push((file, scenario)),
                Err(problems) => wrong.push(problems.render(terminal::colour_on_stderr())),
            }
        }
    }
    wrong.extend(clashes(&scenarios));
    if wrong.is_empty() { Ok(scenarios.into_iter().map(|(_, s)| s).collect()) } else { Err(wrong) }
}

/// The scenario on stdin, which is called so.
fn stdin(overrides: &[Override]) -> Result<Scenario, String> {
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(LARGEST_STDIN)
        .read_to_end(&mut text)
        .map_err(|error| format!("cannot read stdin: {error}"))?;
    scenario::parse("stdin", "stdin", text, overrides)
        .map_err(|problems| problems.render(terminal::colour_on_stderr()))
}

/// What is read of stdin at most: a scenario has a few kilobytes.
const LARGEST_STDIN: u64 = 4 << 20;

/// Shows what the files themselves give to think about.
pub fn warn(scenarios: &[Scenario]) {
    for scenario in scenarios.iter().filter(|scenario| !scenario.warnings.is_empty()) {
        terminal::talk(scenario.warnings.render(terminal::colour_on_stderr()).trim_end());
    }
}

/// The file itself, or all *.toml directly in a directory, sorted by name.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = path.display();
    let about = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => missing(path),
        _ => format!("cannot read {shown}: {error}"),
    })?;
    if !about.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| format!("cannot read {shown}: {e}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|e| format!("cannot read {shown}: {e}"))?.path();
        let is_scenario = file.extension().is_some_and(|ending| ending == "toml");
        if is_scenario && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(format!("no scenario in {shown}: it holds no file that ends in .toml"));
    }
    Ok(files)
}

/// Names the nearest file that is there.
fn missing(path: &Path) -> String {
    let message = format!("there is no file {}", path.display());
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let wanted = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let nearest = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .map(|name| (strsim::jaro_winkler(&wanted, &name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    match nearest {
        Some((likeness, name)) if likeness > 0.85 => {
            let near = path.with_file_name(name);
            format!("{message}; did you mean {}?", near.display())
        }
        _ => message,
    }
}

/// Files that several scenarios have together, beside their directories.
const OF_ALL: [&str; 3] = ["summary.csv", "blocking.svg", "blocking.png"];

/// Two scenarios of one name would write into one directory; some names are no directory at all.
fn clashes(scenarios: &[(PathBuf, Scenario)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, (file, scenario)) in scenarios.iter().enumerate() {
        let name = &scenario.name;
        if scenarios.len() > 1 && OF_ALL.contains(&name.as_str()) {
            wrong.push(format!(
                "{} cannot give its results a directory called `{name}`, which is a file of all scenarios \
                 together: rename it",
                file.display()
            ));
        }
        if matches!(name.as_str(), "" | "." | "..") || name.contains(['/', '\\']) {
            wrong.push(format!(
                "{} cannot give its results a directory called `{name}`: rename the file",
                file.display()
            ));
        }
        let Some((first, _)) = scenarios[..index].iter().find(|(_, s)| s.name == *name) else {
            continue;
        };
        if first == file {
            wrong.push(format!("{} is named twice: name it once", file.display()));
            continue;
        }
        let (first, file) = (first.display(), file.display());
        wrong.push(format!(
            "two scenarios are called `{name}`: {first} and {file}; results go to OUT/{name}/, so \
             rename one, or run them one after the other with different --out"
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gives_its_toml_files_by_name() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "notes.md"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        std::fs::create_dir(directory.path().join("c.toml")).unwrap();
        let files = files_of(directory.path()).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap()).collect();
        assert_eq!(names, ["a.toml", "b.toml"]);
    }

    #[test]
    fn a_missing_file_is_told_with_its_neighbour() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("crawler.toml"), "").unwrap();
        let message = files_of(&directory.path().join("crawlr.toml")).unwrap_err();
        assert!(message.ends_with("crawler.toml?"), "{message}");
        let message = files_of(&directory.path().join("other")).unwrap_err();
        assert!(!message.contains("did you mean"), "{message}");
    }
}
