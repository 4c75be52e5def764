//! Whole files, good and bad: what comes out, and what a person is told.

use super::*;

mod docs;
mod good;
mod overriding;
mod sockets;
mod syntax;
mod sysctls;
mod tcp;
mod trace;
mod unreadable;

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

/// What is wrong with `text`, which must not be fine.
#[track_caller]
fn bad(text: impl AsRef<[u8]>) -> Problems {
    match parse("crawler", "crawler.toml", text, &[]) {
        Ok(scenario) => panic!("this was accepted: {scenario:#?}"),
        Err(problems) => problems,
    }
}

/// What a person is warned of in `text`, which must be fine.
#[track_caller]
fn warned(text: &str) -> String {
    good(text).warnings.render(false)
}
