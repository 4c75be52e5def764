//! What a person sees of finished scenarios.

use anstyle::Style;
use portsim::numbers::{plural, span};
use portsim::report::sheet::{Detail, Sheet};
use portsim::report::{Checked, Verdict, changes, notes, verdict, warnings};
use portsim::scenario::Scenario;
use portsim::stats::Outcome;

use super::table;
use super::terminal::{BAD, BOLD, GOOD, OPEN, styled, tame, wrap};

/// One scenario at full length: title, verdict, table, expectations.
pub fn full(
    scenario: &Scenario,
    outcome: &Outcome,
    checked: &[Checked],
    detail: Detail,
    width: usize,
) -> String {
    let mut text = format!("{}\n", styled(BOLD, wrap(&tame(&scenario.title), width, 0)));
    let told = wrap(&tame(&verdict::sentence(scenario, outcome)), width, 0);
    text.push_str(&format!("{}\n\n", styled(style_of(outcome), told)));
    text.push_str(&table::of_sheet(&Sheet::new(outcome, detail), width));
    let changes = changes::rows(outcome);
    if !changes.is_empty() {
        text.push_str(&format!("\n{}", table::of_rows(&changes::head(outcome), &changes, width)));
    }
    let runs = plural(outcome.replications.into(), "replication", "replications");
    let steady = if !outcome.warm_up.is_zero() {
        format!("; steady figures leave out the first {}", outcome.warm_up)
    } else if let Some(filling) = warnings::filling_s(scenario, outcome) {
        format!("; from empty, the filling up (some {}) is in the figures", span(filling))
    } else {
        String::new()
    };
    let intervals = if outcome.replications > 1 { "; intervals are 95 %" } else { "" };
    let how = format!("{runs} of {}, seed {}{intervals}{steady}", outcome.duration, outcome.seed);
    text.push_str(&format!("\n{}\n", wrap(&how, width, 0)));
    for note in notes::about(scenario) {
        text.push_str(&format!("{}\n", wrap(&note, width, 0)));
    }
    if !checked.is_empty() {
        text.push('\n');
    }
    text + &expectations(checked, width)
}

/// One scenario in a line.
pub fn line(scenario: &Scenario, outcome: &Outcome, width: usize) -> String {
    let name = tame(&scenario.name);
    let told = tame(&verdict::sentence(scenario, outcome));
    let wrapped = wrap(&format!("{name}: {told}"), width, 2);
    let told = &wrapped[name.len() + 1..];
    format!("{}{}\n", styled(BOLD, format!("{name}:")), styled(style_of(outcome), told))
}

/// Every expectation with its verdict in words.
pub fn expectations(checked: &[Checked], width: usize) -> String {
    checked
        .iter()
        .map(|one| {
            let word = one.verdict.in_words();
            let style = match one.verdict {
                Verdict::Held => GOOD,
                Verdict::Broken => BAD,
                Verdict::Inconclusive => OPEN,
            };
            let wrapped = wrap(&format!("{word}: {}", tame(&one.in_words())), width, 4);
            format!("{}{}\n", styled(style, word), &wrapped[word.len()..])
        })
        .collect()
}

fn style_of(outcome: &Outcome) -> Style {
    if outcome.whole.first_blocked.is_some() { BAD } else { GOOD }
}
