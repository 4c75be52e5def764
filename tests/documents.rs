//! What the documents show is what portsim does.

use std::fs;
use std::path::{Path, PathBuf};

use portsim::replicate::{Unwatched, replicate};
use portsim::report::{Summary, expectations, timeline};
use portsim::scenario::{load, parse};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a Markdown text that are in `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_scenarios_in_the_readme_are_scenarios() {
    let readme = read("README.md");
    let scenarios = blocks(&readme, "toml");
    assert_eq!(scenarios.len(), 2);
    for text in scenarios {
        let problems =
            parse("readme", "README.md", text, &[]).map_err(|problems| problems.render(false));
        assert!(problems.is_ok(), "{}", problems.unwrap_err());
    }
}

/// The same scenario and seed give the same bytes, this year and next, here and on every machine:
/// what is kept in `results/` must come out again.
#[test]
fn the_results_that_are_kept_come_out_again_byte_for_byte() {
    for name in ["sixteen-k", "selection", "small-shares", "squatter"] {
        let path = root().join("scenarios").join(name).with_extension("toml");
        let scenario = load(&path, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        let outcome = replicate(&scenario.world, &scenario.settings, &Unwatched).expect(name);
        let checked = expectations::check(&scenario, &outcome);
        let summary = Summary::new(&scenario, &outcome, &checked).to_json();
        let advice = "if the change is meant, remake results/ as results/README.md says";
        let kept = read(&format!("results/{name}/summary.json"));
        assert!(summary.trim() == kept.trim(), "{name}: summary.json differs; {advice}");
        if name == "sixteen-k" {
            let kept = read("results/sixteen-k/timeline.csv");
            assert!(timeline::to_csv(&outcome.timeline) == kept, "timeline.csv differs; {advice}");
        }
    }
}
