//! A run that changes, told from one change to the next.

use crate::numbers::{count, percent, span, span_with_interval};
use crate::stats::{Outcome, StretchFigures};

/// What a cell has where there is nothing to say.
const NOTHING: &str = "-";

/// Changes that the sentence tells of; tables tell of all.
const MOST: usize = 3;

/// The heads of [`rows`].
#[must_use]
pub fn head(outcome: &Outcome) -> Vec<&'static str> {
    let mut head = vec!["", "attempts", "refused"];
    if asks(outcome) {
        head.push("requests that fail");
    }
    head.push("over after");
    head
}

/// A row for the start and one for each change: what happened until the next one; none where nothing changes.
#[must_use]
pub fn rows(outcome: &Outcome) -> Vec<Vec<String>> {
    let asks = asks(outcome);
    let row = |stretch: &StretchFigures| {
        let what = stretch.what.as_deref().unwrap_or("the start");
        let mut row = vec![
            format!("{}: {what}", stretch.when()),
            count(stretch.attempts),
            share(stretch.blocking_ratio.mean),
        ];
        if asks {
            row.push(share(stretch.failed_share()));
        }
        row.push(match stretch.recovered {
            _ if stretch.what.is_none() => NOTHING.to_owned(),
            None => "not over".to_owned(),
            Some(m) if m.latest == 0.0 => NOTHING.to_owned(),
            Some(m) if m.share_of_replications < 1.0 => {
                format!("{} in {} of runs", span(m.median), percent(m.share_of_replications))
            }
            Some(m) => span_with_interval(m.median, m.lo, m.hi),
        });
        row
    };
    outcome.stretches.iter().map(row).collect()
}

/// What became of each change, and how long it took to get over it.
#[must_use]
pub fn sentence(outcome: &Outcome) -> String {
    let changes = outcome.stretches.iter().filter(|stretch| stretch.what.is_some());
    let told = changes.take(MOST).map(|stretch| {
        let what = stretch.what.as_deref().unwrap_or_default();
        format!(" From {} on ({what}) {}.", stretch.when(), stretch.trouble())
    });
    told.collect()
}

fn share(share: f64) -> String {
    if share == 0.0 { NOTHING.to_owned() } else { percent(share) }
}

fn asks(outcome: &Outcome) -> bool {
    outcome.stretches.iter().any(|stretch| stretch.requests > 0)
}
