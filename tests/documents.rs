//! What the documents show is what portsim does.

use std::fs;
use std::path::{Path, PathBuf};

use portsim::chart::pressure;
use portsim::replicate::{Unwatched, replicate};
use portsim::report::{Summary, Verdict, expectations, timeline};
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
    assert_eq!(scenarios.len(), 3);
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

/// Goal: every incident comes out as `docs/incidents.md` says, and the reported number holds.
/// To remake it: `REMAKE=1 cargo test --test documents incidents`.
#[test]
fn the_incidents_come_out_as_their_document_says() {
    let folder = root().join("scenarios/incidents");
    let entries = fs::read_dir(&folder).expect("scenarios/incidents can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    assert!(paths.len() >= 25, "{}", paths.len());
    let mut text = String::from(
        "# Incidents, reported and simulated\n\n\
         Made from the files of `scenarios/incidents/` (`portsim run scenarios/incidents` shows the same): what people\n\
         reported, what the simulation says, and what had to be assumed.\n",
    );
    let mut broken = Vec::new();
    for path in paths {
        let scenario = load(&path, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        let outcome =
            replicate(&scenario.world, &scenario.settings, &Unwatched).expect("not stopped");
        let checked = expectations::check(&scenario, &outcome);
        let name = &scenario.name;
        assert!(!checked.is_empty(), "{name} expects nothing");
        let wrong = checked.iter().filter(|one| one.verdict != Verdict::Held);
        broken.extend(wrong.map(|one| format!("{name}: {}", one.in_words())));
        let simulated: Vec<String> = checked.iter().map(expectations::Checked::simulated).collect();
        let file = fs::read_to_string(&path).expect("it was read a moment ago");
        let assumed = file.lines().next().and_then(|line| line.strip_prefix("# "));
        let (reported, source) = (scenario.reported.as_deref(), scenario.source.as_deref());
        let prevented = scenario.prevented.as_deref();
        text += &format!(
            "\n## {}\n\n`{name}.toml`, <{}>\n\n- Reported: {}.\n- Simulated: {}.\n- {}\n- What would have \
             prevented it: {}.\n\n![Ports over time](incidents/{name}.svg)\n",
            scenario.title,
            source.unwrap_or_else(|| panic!("{name} has no source")),
            reported.unwrap_or_else(|| panic!("{name} reports nothing")),
            simulated.join("; "),
            assumed.unwrap_or_else(|| panic!("{name} opens without what it assumes")),
            prevented.unwrap_or_else(|| panic!("{name} does not say what would have prevented it")),
        );
        let chart = root().join(format!("docs/incidents/{name}.svg"));
        if std::env::var_os("REMAKE").is_some() {
            let tightest = outcome.tightest().expect("there is a host");
            fs::write(&chart, pressure(&scenario, &outcome, tightest).svg).unwrap();
        }
        assert!(chart.exists(), "{name} has no chart: REMAKE=1");
    }
    assert!(broken.is_empty(), "what was reported does not come out:\n{}", broken.join("\n"));
    if std::env::var_os("REMAKE").is_some() {
        fs::write(root().join("docs/incidents.md"), &text).unwrap();
    }
    assert!(read("docs/incidents.md") == text, "remake docs/incidents.md with REMAKE=1");
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
