//! Whole files, good and bad: what comes out, and what a person is told.

use super::*;

mod bad;
mod bad_files;
mod good;
mod overriding;
mod sockets;
mod syntax;
mod sysctls;
mod tcp;
mod trace;

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

/// What is wrong with `text` once `sets` are put into it.
#[track_caller]
fn bad_with(text: &str, sets: &[&str]) -> Problems {
    let overrides: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
    match parse("crawler", "crawler.toml", text, &overrides) {
        Ok(scenario) => panic!("this was accepted: {scenario:#?}"),
        Err(problems) => problems,
    }
}

/// Asserts that exactly one thing is wrong, and all that a person is told of it.
#[track_caller]
fn told(problems: &Problems, place: (usize, usize, &str), message: &str, help: &str) {
    assert_eq!(problems.len(), 1, "{problems}");
    let problem = problems.iter().next().unwrap();
    let found = problems.place(problem).unwrap_or_else(|| panic!("no place: {problems}"));
    assert_eq!((found.line, found.column, found.text.as_str()), place, "{problems}");
    assert!(problem.message().contains(message), "message: {problems}");
    let helps = problem.suggestions().join("\n");
    assert!(helps.contains(help), "no help `{help}`: {problems}");
    let shown = problems.render(false);
    let arrow = format!("{}:{}:{}", found.origin, found.line, found.column);
    assert!(shown.contains(&arrow) && shown.contains(help), "not shown: {shown}");
}

/// What a person is warned of in `text`, which must be fine.
#[track_caller]
fn warned(text: &str) -> String {
    good(text).warnings.render(false)
}
