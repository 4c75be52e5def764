//! The figures of one scenario as a sheet of words: a row a figure, a column a limit or client; of
//! several hosts the other way round.
//!
//! The terminal's table and the one for a ticket are both drawn from it, so they never disagree.

use super::roster;
use crate::report::numbers::{
    amount, amount_with_interval, count, percent, percent_with_interval, rate, span,
    span_with_interval,
};
use crate::stats::{Figures, Moments, Outcome, Quantiles};
use crate::theory::Expected;

/// What stands where there is no figure.
pub const NONE: &str = "-";

/// A named column of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its head: `crawler (limit)`.
    pub title: String,
    /// One cell for each of [`Sheet::labels`].
    pub cells: Vec<String>,
}

/// Rows of figures by columns of limits, their theory, and clients; of several hosts, rows of hosts
/// by columns of figures (`roster`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The name of each row; units are in the cells.
    pub labels: Vec<String>,
    /// Of one host: its limit, the theory beside it, then clients in the order of the scenario.
    pub columns: Vec<Column>,
}

const LABELS: [&str; 19] = [
    "attempts",
    "opened",
    "blocked",
    "blocking ratio",
    "first blocked",
    "no port left",
    "in use, mean",
    "in use, peak",
    "TIME-WAIT, mean",
    "capacity",
    "utilisation",
    "probes, p50",
    "probes, p99",
    "reused after, p50",
    "machines",
    "offered load",
    "offered rate",
    "sustainable rate",
    "mean hold",
];

impl Sheet {
    /// Everything that `outcome` says of its limits and clients.
    #[must_use]
    pub fn new(outcome: &Outcome) -> Self {
        if outcome.limits.len() > 1 {
            return roster::of(outcome);
        }
        let known = outcome.replications > 1;
        let mut columns = Vec::new();
        for limit in &outcome.limits {
            let mut cells = measured(&limit.figures, known);
            cells.push(count(limit.machines.into()));
            columns.push(Column::new(format!("{} (limit)", limit.name), cells));
            let theory = expected(&limit.theory);
            if theory.iter().any(|cell| cell != NONE) {
                columns.push(Column::new("theory".to_owned(), theory));
            }
        }
        for client in &outcome.clients {
            let cells = measured(&client.figures, known);
            columns.push(Column::new(format!("{} (client)", client.name), cells));
        }
        Self { labels: LABELS.map(str::to_owned).to_vec(), columns }.without_empty_rows()
    }

    fn without_empty_rows(mut self) -> Self {
        let columns = &self.columns;
        let kept: Vec<bool> = (0..self.labels.len())
            .map(|row| columns.iter().any(|column| column.cells[row] != NONE))
            .collect();
        fn keep<T>(cells: &mut Vec<T>, kept: &[bool]) {
            let mut kept = kept.iter();
            cells.retain(|_| *kept.next().expect("one mark a row"));
        }
        keep(&mut self.labels, &kept);
        self.columns.iter_mut().for_each(|column| keep(&mut column.cells, &kept));
        self
    }
}

impl Column {
    /// A column of `cells`, filled up with [`NONE`].
    fn new(title: String, mut cells: Vec<String>) -> Self {
        cells.resize(LABELS.len(), NONE.to_owned());
        Self { title, cells }
    }
}

/// When it first blocked: `41.0 s (40.8-41.2)`, `41.0 s, in 60 %`, `never`.
#[must_use]
pub fn first_blocked(moments: Option<Moments>) -> String {
    match moments {
        None => "never".to_owned(),
        Some(Moments { median, lo, hi, share_of_replications: 1.0, .. }) => {
            span_with_interval(median, lo, hi)
        }
        Some(m) => format!("{}, in {} of runs", span(m.median), percent(m.share_of_replications)),
    }
}

fn measured(figures: &Figures, known: bool) -> Vec<String> {
    let ratio = figures.blocking_ratio;
    let in_use = figures.mean_in_use;
    vec![
        count(figures.attempts),
        count(figures.opened),
        count(figures.blocked),
        percent_with_interval(ratio.mean, ratio.lo, ratio.hi, known),
        first_blocked(figures.first_blocked),
        format!("{} of time", percent(figures.blocked_time_share.mean)),
        amount_with_interval(in_use.mean, in_use.lo, in_use.hi, known),
        count(figures.peak_in_use),
        amount(figures.mean_time_wait.mean),
        count(figures.capacity),
        percent(figures.utilisation.mean),
        quantile(&figures.probes, |q| amount(q.p50)),
        quantile(&figures.probes, |q| amount(q.p99)),
        quantile(&figures.reuse_interval, |q| span(q.p50)),
    ]
}

pub(super) fn quantile(quantiles: &Quantiles, show: impl Fn(&Quantiles) -> String) -> String {
    if quantiles.histogram.is_empty() { NONE.to_owned() } else { show(quantiles) }
}

/// The closed forms in the rows of what they predict; all are for one machine.
fn expected(theory: &Expected) -> Vec<String> {
    let cell = |value: Option<f64>, show: &dyn Fn(f64) -> String| {
        value.filter(|v| !v.is_nan()).map_or_else(|| NONE.to_owned(), show)
    };
    LABELS
        .iter()
        .map(|&label| match label {
            "blocking ratio" => cell(theory.erlang_b.or(theory.engset), &percent),
            "first blocked" => cell(theory.fill_time_s, &span),
            "offered load" => cell(theory.offered_load_erl, &|v| format!("{} erl", amount(v))),
            "offered rate" => cell(theory.offered_rate_per_s, &rate),
            "sustainable rate" => cell(theory.sustainable_rate_per_s, &rate),
            "mean hold" => cell(theory.mean_hold_s, &span),
            _ => NONE.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn cell(sheet: &Sheet, column: &str, label: &str) -> String {
        let row = sheet.labels.iter().position(|l| *l == label).expect(label);
        sheet.columns.iter().find(|c| c.title == column).expect(column).cells[row].clone()
    }

    #[test]
    fn every_limit_has_its_theory_beside_it() {
        let sheet = Sheet::new(&samples::overloaded().1);
        let titles: Vec<&str> = sheet.columns.iter().map(|c| c.title.as_str()).collect();
        assert_eq!(titles, ["crawler (limit)", "theory", "fetcher (client)"]);
        assert_eq!(cell(&sheet, "crawler (limit)", "blocking ratio"), "33.02 % ± 0.08");
        assert_eq!(cell(&sheet, "theory", "blocking ratio"), "33 %");
        assert_eq!(cell(&sheet, "theory", "offered load"), "24,490 erl");
        assert_eq!(cell(&sheet, "crawler (limit)", "first blocked"), "41.0 s (40.8-41.2)");
        assert_eq!(cell(&sheet, "fetcher (client)", "probes, p50"), NONE);
    }

    #[test]
    fn rows_without_any_figure_are_left_out() {
        let mut outcome = samples::overloaded().1;
        outcome.limits[0].theory = Expected::default();
        let sheet = Sheet::new(&outcome);
        assert!(!sheet.labels.contains(&"offered load".to_owned()));
        assert!(sheet.columns.iter().all(|c| c.cells.len() == sheet.labels.len()));
    }
}
