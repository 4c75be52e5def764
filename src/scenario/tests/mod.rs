//! Whole files, good and bad: what comes out, and what a person is told.

use super::*;

mod good;

/// The scenario of `text`, which must be fine.
#[track_caller]
fn good(text: &str) -> Scenario {
    good_with(text, &[])
}

/// The scenario of `text` with overrides, which must be fine.
#[track_caller]
fn good_with(text: &str, sets: &[&str]) -> Scenario {
    let overrides: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
    parse("crawler", "crawler.toml", text, &overrides)
        .unwrap_or_else(|problems| panic!("{problems}"))
}
