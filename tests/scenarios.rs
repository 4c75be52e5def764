//! The scenarios that are shipped: each is readable, runs, and comes out as its comment says.
//!
//! What a scenario expects is derived in its comment, so a change of the model that breaks one is
//! either wrong or a reason to write another comment, never one to move a bound.

use std::fs;
use std::path::{Path, PathBuf};

use portsim::replicate::{Unwatched, replicate};
use portsim::report::Verdict;
use portsim::report::expectations::{check, scope_key};
use portsim::scenario::{Scenario, load};

const NAMES: [&str; 29] = [
    "api-outage",
    "bind-first",
    "bursts",
    "fixed-port",
    "half-closed",
    "keep-alive-lost",
    "keep-alive",
    "knee",
    "leak",
    "linux-default",
    "long-lived",
    "loopback",
    "macos",
    "many-destinations",
    "metastable",
    "nat-kernels",
    "replay",
    "reserved",
    "saw-tooth",
    "scale-out-halves-everyone",
    "selection",
    "silent",
    "sixteen-k",
    "small-shares",
    "squatter",
    "tenants",
    "test-suite",
    "tw-reuse",
    "windows",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn read(name: &str) -> Scenario {
    let path = folder().join(name).with_extension("toml");
    load(&path, &[]).unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
}

#[test]
fn the_list_of_shipped_scenarios_is_complete() {
    let mut found: Vec<String> = fs::read_dir(folder())
        .expect("scenarios/ can be read")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    found.sort();
    assert_eq!(found, NAMES.map(|name| format!("{name}.toml")));
}

#[test]
fn every_scenario_opens_with_its_question_and_says_what_must_come_out() {
    for name in NAMES {
        let text = fs::read_to_string(folder().join(name).with_extension("toml")).expect(name);
        let comment = text.lines().take_while(|line| line.starts_with('#')).count();
        assert!(comment >= 5, "{name}: opens with {comment} lines of comment");
        let scenario = read(name);
        assert_ne!(scenario.title, name, "{name} has no title");
        let asks = scenario.asks.unwrap_or_default();
        assert!(asks.ends_with('?'), "{name} asks nothing: {asks:?}");
        assert!(!scenario.expectations.is_empty(), "{name} expects nothing");
        assert!(scenario.warnings.is_empty(), "{name}: {:?}", scenario.warnings);
    }
}

/// Goal: what the comments derive comes out.
/// Method: all replications of all scenarios, as `portsim run scenarios/` runs them.
#[test]
fn every_expectation_of_every_scenario_holds() {
    let mut open = Vec::new();
    for name in NAMES {
        let scenario = read(name);
        let outcome = replicate(&scenario.world, &scenario.settings, &Unwatched).expect(name);
        for checked in check(&scenario, &outcome) {
            if checked.verdict != Verdict::Held {
                let scope = scope_key(&checked.expectation.scope);
                let verdict = checked.verdict.in_words();
                open.push(format!("{name}, {scope}: {verdict}: {}", checked.in_words()));
            }
        }
    }
    assert!(open.is_empty(), "{} expectations:\n{}", open.len(), open.join("\n"));
}
