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
    let mut head = vec!["from", "what changes", "attempts", "refused"];
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
        let mut row = vec![
            span(stretch.from.as_secs_f64()),
            stretch.what.clone().unwrap_or_else(|| "the start".to_owned()),
            count(stretch.attempts),
            share(stretch.blocking_ratio.mean),
        ];
        if asks {
            row.push(share(failed(stretch)));
        }
        row.push(match stretch.recovered {
            _ if stretch.what.is_none() => NOTHING.to_owned(),
            None => "not over".to_owned(),
            Some(m) if m.latest == 0.0 => NOTHING.to_owned(),
            Some(m) if m.share_of_replications < 1.0 => {
                let of = percent(m.share_of_replications);
                format!("{} in {of} of replications", span_with_interval(m.median, m.lo, m.hi))
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
        let at = span(stretch.from.as_secs_f64());
        format!(" From {at} on ({what}) {}.", trouble(stretch))
    });
    told.collect()
}

/// Who is refused, or fails, after a change, and for how long.
fn trouble(stretch: &StretchFigures) -> String {
    let (refused, failed) = (stretch.blocking_ratio.mean, failed(stretch));
    if refused == 0.0 && failed == 0.0 {
        return "nobody is refused".to_owned();
    }
    let what = if failed > 0.0 {
        format!("{} of requests fail", percent(failed))
    } else {
        format!("{} are refused", percent(refused))
    };
    match stretch.recovered {
        Some(m) if m.share_of_replications > 0.5 => format!("{what}, for {}", span(m.median)),
        _ => format!("{what}, to its end"),
    }
}

fn share(share: f64) -> String {
    if share == 0.0 { NOTHING.to_owned() } else { percent(share) }
}

fn failed(stretch: &StretchFigures) -> f64 {
    stretch.failed as f64 / stretch.requests.max(1) as f64
}

fn asks(outcome: &Outcome) -> bool {
    outcome.stretches.iter().any(|stretch| stretch.requests > 0)
}
