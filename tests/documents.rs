//! What the documents show is what portsim does.

use std::fs;
use std::path::{Path, PathBuf};

use portsim::replicate::{Unwatched, replicate};
use portsim::report::{Summary, expectations, timeline};
use portsim::scenario::{load, parse};
use portsim::stats::{FIGURES, Figure, InSummary, Metric, Unit};

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

/// Goal: the list of figures is the table that everything else walks.
/// To remake it: `REMAKE=1 cargo test --test documents figures`.
#[test]
fn the_list_of_figures_is_that_of_the_program() {
    let mut text = String::from(
        "# What comes out\n\n\
         The figures of `summary.json`, for the whole, each client and each host's range of ports; the\n\
         columns of CSV bear the same names. Where `[expect]` can bound one, the name for it is told.\n\
         Counts and means leave out `run.warm_up`.\n\n\
         | figure | unit | of | `[expect]` | what it is |\n| --- | --- | --- | --- | --- |\n",
    );
    for figure in FIGURES {
        let unit = match figure.unit {
            Unit::Of(things) => things,
            Unit::Share => "share, 0 to 1",
            Unit::ShareOf(of) => &format!("share of {of}, 0 to 1"),
            Unit::Time => "s",
            Unit::Rate => "1 / s",
            Unit::Load => "erlangs",
            Unit::Group => "",
            other => panic!("{other:?} has no words yet"),
        };
        let places = figure.on.iter().map(|kind| format!("{kind:?}").to_lowercase());
        let places = places.collect::<Vec<_>>().join(", ");
        let expected = Metric::expected().filter(|metric| metric.figure.key == figure.key);
        let expected = expected.map(|metric| format!("`{}`", metric.name()));
        let expected = expected.collect::<Vec<_>>().join(", ");
        let theory = if figure.summary == InSummary::InTheory { "theory." } else { "" };
        let Figure { key, about, .. } = figure;
        text += &format!("| `{theory}{key}` | {unit} | {places} | {expected} | {about} |\n");
    }
    if std::env::var_os("REMAKE").is_some() {
        fs::write(root().join("docs/figures.md"), &text).unwrap();
    }
    assert!(read("docs/figures.md") == text, "remake docs/figures.md with REMAKE=1");
    let scenario = read("docs/scenario.md");
    for metric in Metric::expected() {
        assert!(scenario.contains(&format!("`{}`", metric.name())), "{}", metric.name());
    }
}
