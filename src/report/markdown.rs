//! Markdown tables, fit for a ticket.

use std::fmt::Write;

use crate::names;
use crate::numbers::plural;
use crate::report::expectations::Checked;
use crate::report::sheet::{Detail, Sheet};
use crate::report::{changes, notes, verdict};
use crate::scenario::Scenario;
use crate::stats::Outcome;

/// One scenario: its title, its verdict, its figures and its expectations.
#[must_use]
pub fn section(scenario: &Scenario, outcome: &Outcome, checked: &[Checked]) -> String {
    let sheet = Sheet::new(outcome, Detail::Brief);
    let mut text = format!(
        "### {}\n\n{}\n\n",
        names::markdown(&scenario.title),
        names::markdown(&verdict::sentence(scenario, outcome))
    );
    let titles = sheet.columns.iter().map(|column| column.title.as_str());
    row(&mut text, std::iter::once("").chain(titles));
    let rules = sheet.columns.iter().map(|_| "---:");
    row(&mut text, std::iter::once(":---").chain(rules));
    for (index, label) in sheet.labels.iter().enumerate() {
        let cells = sheet.columns.iter().map(|column| column.cells[index].as_str());
        row(&mut text, std::iter::once(label.as_str()).chain(cells));
    }
    let changes = changes::rows(outcome);
    if !changes.is_empty() {
        let head = changes::head(outcome);
        text.push('\n');
        row(&mut text, head.iter().copied());
        row(&mut text, head.iter().map(|_| "---"));
        changes.iter().for_each(|cells| row(&mut text, cells.iter().map(String::as_str)));
    }
    if !checked.is_empty() {
        text.push('\n');
    }
    for one in checked {
        let words = names::markdown(&one.in_words());
        writeln!(text, "- **{}**: {words}", one.verdict.in_words()).expect("a string takes all");
    }
    writeln!(
        text,
        "\n{}, seed {}, {} of {}{}; portsim {}.",
        names::markdown(&scenario.name),
        outcome.seed,
        plural(outcome.replications.into(), "replication", "replications"),
        outcome.duration,
        if outcome.replications > 1 { "; intervals are 95 %" } else { "" },
        env!("CARGO_PKG_VERSION")
    )
    .expect("a string takes all");
    for note in notes::about(scenario) {
        writeln!(text, "\n{note}").expect("a string takes all");
    }
    text
}

fn row<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    text.push('|');
    for cell in cells {
        write!(text, " {} |", names::markdown(cell)).expect("a string takes all");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{expectations, samples};

    #[test]
    fn a_ticket_gets_verdict_table_and_expectations() {
        let (scenario, outcome) = samples::overloaded();
        let checked = expectations::check(&scenario, &outcome);
        let text = section(&scenario, &outcome, &checked);
        assert!(text.starts_with("### A crawler that opens"), "{text}");
        assert!(text.contains("| refused | 33.02 % (32.94-33.10) | 33.10 % |\n"), "{text}");
        assert!(text.contains("- **NOT held**: blocking_ratio at most 25 %"), "{text}");
        assert!(text.contains("seed 1, 20 replications of 10 min"), "{text}");
    }

    #[test]
    fn a_bar_in_a_name_does_not_break_the_table() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.limits[0].name = "a|b".into();
        assert!(section(&scenario, &outcome, &[]).contains("| a\\|b (host) |"));
    }
}
