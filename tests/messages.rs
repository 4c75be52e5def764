//! What a person is told of a scenario that is wrong, as a folder of files: each `tests/messages/*.toml` beside
//! the whole message. A line `# --set KEY=VALUE` in its first comment is given on the command line.
//!
//! A message that is meant to change is written anew by `UPDATE_MESSAGES=1 cargo test --test messages`, and
//! reviewed as the difference of the texts.

use std::fs;

use portsim::scenario::{Override, load};

/// The folder from the root of the package, where tests run: messages name the files by this path.
const FOLDER: &str = "tests/messages";

/// The overrides that the comment at the top of a file asks for.
fn overrides(text: &[u8]) -> Vec<Override> {
    let text = String::from_utf8_lossy(text);
    let comment = text.lines().map_while(|line| line.strip_prefix("# "));
    let sets = comment.filter_map(|line| line.strip_prefix("--set "));
    sets.map(|set| set.parse().unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// All that is said of the scenario at `path`: its mistakes, or the warnings where there are none.
fn said(path: &str) -> String {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let said = match load(path.as_ref(), &overrides(&text)) {
        Ok(scenario) => scenario.warnings.render(false),
        Err(problems) => problems.render(false),
    };
    // Files that a scenario names are joined to its folder as the system does.
    said.replace("messages\\", "messages/")
}

#[test]
fn every_wrong_scenario_is_told_what_stands_beside_it() {
    let mut names: Vec<String> = fs::read_dir(FOLDER)
        .expect("tests/messages can be read")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() > 50, "{} files", names.len());
    let update = std::env::var_os("UPDATE_MESSAGES").is_some();
    let mut wrong = Vec::new();
    for name in names {
        let said = said(&format!("{FOLDER}/{name}.toml"));
        assert!(!said.is_empty(), "{name}: nothing is said of it");
        let beside = format!("{FOLDER}/{name}.txt");
        if update {
            fs::write(&beside, &said).unwrap_or_else(|error| panic!("{beside}: {error}"));
        } else if fs::read_to_string(&beside).unwrap_or_default().replace("\r\n", "\n") != said {
            wrong.push(format!("{name} is told this, and not what is in {beside}:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
