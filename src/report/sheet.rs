//! The figures of one scenario as a sheet of words: a row a figure, a column a limit or client; of
//! several hosts the other way round.
//!
//! The terminal's table and the one for a ticket are both drawn from it, so they never disagree.

use super::reasons::{self, Count, Platform};
use super::roster;
use crate::numbers::{
    amount, amount_with_interval, count, percent, percent_with_interval, rate, span,
    span_with_interval,
};
use crate::scenario::Scenario;
use crate::search::SearchTime;
use crate::stats::{Figures, LimitFigures, Moments, Outcome, Quantiles};
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

/// What one column is about.
struct Subject<'a> {
    figures: &'a Figures,
    /// What only a limit has.
    limit: Option<&'a LimitFigures>,
    search: Option<SearchTime>,
    refusals: Vec<Count>,
}

/// The rows that not every outcome has.
pub(super) struct Unusual {
    /// Names of reasons for refusals, where `connect()` without a port is not the only one.
    pub reasons: Vec<&'static str>,
    /// What a row of attempts that nobody answered is called.
    pub timed_out: Option<&'static str>,
    pub connecting: bool,
    pub closing: bool,
}

impl Unusual {
    /// What there is to tell of `outcome`.
    pub(super) fn of(scenario: &Scenario, outcome: &Outcome) -> Self {
        let refusals = reasons::of_whole(scenario, outcome);
        let names = refusals.iter().map(|(name, _)| *name).collect();
        let Figures { unanswered, mean_connecting, mean_closing, .. } = &outcome.whole;
        Self {
            reasons: if reasons::is_unusual(&refusals) { names } else { Vec::new() },
            timed_out: (*unanswered > 0).then(|| reasons::timed_out(scenario)),
            connecting: mean_connecting.mean > 0.0,
            closing: mean_closing.mean > 0.0,
        }
    }
}

impl Sheet {
    /// Everything that `outcome` says of its limits and clients.
    #[must_use]
    pub fn new(scenario: &Scenario, outcome: &Outcome) -> Self {
        if outcome.limits.len() > 1 {
            return roster::of(scenario, outcome);
        }
        let unusual = Unusual::of(scenario, outcome);
        let known = outcome.replications > 1;
        let (mut labels, mut columns) = (Vec::new(), Vec::new());
        for limit in &outcome.limits {
            let subject = Subject {
                figures: &limit.figures,
                limit: Some(limit),
                search: SearchTime::of_limit(&scenario.world, outcome, limit),
                refusals: Platform::of(scenario, &limit.name).counts(&limit.figures),
            };
            let (rows, cells) = subject.rows(&unusual, known);
            columns.push(Column { title: format!("{} (limit)", limit.name), cells });
            let theory = expected(&rows, &limit.theory);
            if theory.iter().any(|cell| cell != NONE) {
                columns.push(Column { title: "theory".to_owned(), cells: theory });
            }
            labels = rows;
        }
        for client in &outcome.clients {
            let subject = Subject {
                figures: &client.figures,
                limit: None,
                search: None,
                refusals: Platform::of(scenario, &client.host).counts(&client.figures),
            };
            let (rows, cells) = subject.rows(&unusual, known);
            columns.push(Column { title: format!("{} (client)", client.name), cells });
            labels = rows;
        }
        Self { labels, columns }.without_empty_rows()
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

impl Subject<'_> {
    /// Labels and cells, the same labels for every subject of one outcome.
    fn rows(&self, unusual: &Unusual, known: bool) -> (Vec<String>, Vec<String>) {
        let Figures { blocking_ratio: ratio, mean_in_use: in_use, .. } = self.figures;
        let figures = self.figures;
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |label: &str, cell: String| rows.push((label.to_owned(), cell));
        row("attempts", count(figures.attempts));
        row("opened", count(figures.opened));
        if let Some(label) = unusual.timed_out {
            row(label, count(figures.unanswered));
        }
        row("blocked", count(figures.blocked));
        for name in &unusual.reasons {
            let label = format!("refused: {}", reasons::in_words(name));
            row(&label, count(reasons::count_of(&self.refusals, name)));
        }
        row("blocking ratio", percent_with_interval(ratio.mean, ratio.lo, ratio.hi, known));
        row("first blocked", first_blocked(figures.first_blocked));
        row("no port left", format!("{} of time", percent(figures.blocked_time_share.mean)));
        row("in use, mean", amount_with_interval(in_use.mean, in_use.lo, in_use.hi, known));
        row("in use, peak", count(figures.peak_in_use));
        if unusual.connecting {
            row("connecting, mean", amount(figures.mean_connecting.mean));
        }
        if unusual.closing {
            row("closing, mean", amount(figures.mean_closing.mean));
        }
        row("TIME-WAIT, mean", amount(figures.mean_time_wait.mean));
        row("capacity", count(figures.capacity));
        row("utilisation", percent(figures.utilisation.mean));
        row("probes, p50", quantile(&figures.probes, |q| amount(q.p50)));
        row("probes, p99", quantile(&figures.probes, |q| amount(q.p99)));
        let search = |show: fn(SearchTime) -> String| self.search.map_or_else(none, show);
        row("search, p50", search(|time| span(time.p50)));
        row("search, p99", search(|time| span(time.p99)));
        row("search, all", search(|time| format!("{} of a core", percent(time.core_share))));
        row("reused after, p50", quantile(&figures.reuse_interval, |q| span(q.p50)));
        row("machines", self.limit.map_or_else(none, |limit| count(limit.machines.into())));
        for label in ONLY_THEORY {
            row(label, none());
        }
        rows.into_iter().unzip()
    }
}

fn none() -> String {
    NONE.to_owned()
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

pub(super) fn quantile(quantiles: &Quantiles, show: impl Fn(&Quantiles) -> String) -> String {
    if quantiles.histogram.is_empty() { NONE.to_owned() } else { show(quantiles) }
}

/// Rows in which nothing was measured.
const ONLY_THEORY: [&str; 4] = ["offered load", "offered rate", "sustainable rate", "mean hold"];

/// The closed forms in the rows of what they predict; all are for one machine.
fn expected(rows: &[String], theory: &Expected) -> Vec<String> {
    let cell = |value: Option<f64>, show: &dyn Fn(f64) -> String| {
        value.filter(|v| !v.is_nan()).map_or_else(none, show)
    };
    rows.iter()
        .map(|label| match label.as_str() {
            "blocking ratio" => cell(theory.erlang_b.or(theory.engset), &percent),
            "first blocked" => cell(theory.fill_time_s, &span),
            "offered load" => cell(theory.offered_load_erl, &|v| format!("{} erl", amount(v))),
            "offered rate" => cell(theory.offered_rate_per_s, &rate),
            "sustainable rate" => cell(theory.sustainable_rate_per_s, &rate),
            "mean hold" => cell(theory.mean_hold_s, &span),
            _ => none(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SelectionKind;
    use crate::report::samples;

    fn of((scenario, outcome): &(Scenario, Outcome)) -> Sheet {
        Sheet::new(scenario, outcome)
    }

    fn cell(sheet: &Sheet, column: &str, label: &str) -> String {
        let row = sheet.labels.iter().position(|l| *l == label).expect(label);
        sheet.columns.iter().find(|c| c.title == column).expect(column).cells[row].clone()
    }

    #[test]
    fn every_limit_has_its_theory_beside_it() {
        let sheet = of(&samples::overloaded());
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
        let mut sample = samples::overloaded();
        sample.1.limits[0].theory = Expected::default();
        let sheet = of(&sample);
        assert!(!sheet.labels.contains(&"offered load".to_owned()));
        assert!(sheet.columns.iter().all(|c| c.cells.len() == sheet.labels.len()));
    }

    #[test]
    fn reasons_are_told_only_when_there_is_more_than_a_plain_connect() {
        let mut sample = samples::overloaded();
        assert!(of(&sample).labels.iter().all(|label| !label.starts_with("refused")));
        sample.1.limits[0].figures.refused = [1_000, 500, 85];
        let sheet = of(&sample);
        let limit = "crawler (limit)";
        assert_eq!(cell(&sheet, limit, "refused: connect EADDRNOTAVAIL"), "1,085");
        assert_eq!(cell(&sheet, limit, "refused: bind EADDRINUSE"), "500");
        assert_eq!(cell(&sheet, "fetcher (client)", "refused: bind EADDRINUSE"), "0");
        sample.0.world.hosts[0].selection = SelectionKind::Sequential;
        assert_eq!(cell(&of(&sample), limit, "refused: bind"), "500");
    }

    #[test]
    fn states_that_hold_nothing_have_no_row() {
        let mut sample = samples::overloaded();
        let told = |sample: &(Scenario, Outcome)| {
            let labels = of(sample).labels;
            ["timed out (ETIMEDOUT)", "connecting, mean", "closing, mean"]
                .map(|label| labels.iter().any(|known| known == label))
        };
        assert_eq!(told(&sample), [false; 3]);
        (sample.1.whole.unanswered, sample.1.whole.mean_connecting.mean) = (3, 40.0);
        assert_eq!(told(&sample), [true, true, false]);
        sample.1.whole.mean_closing.mean = 1.5;
        assert_eq!(told(&sample), [true; 3]);
    }

    #[test]
    fn search_times_are_told_where_a_search_has_a_cost() {
        let mut sample = samples::overloaded();
        assert!(of(&sample).labels.iter().all(|label| !label.starts_with("search")));
        sample.0.world.hosts[0].search_cost = Some(samples::search_cost());
        let sheet = of(&sample);
        assert_eq!(cell(&sheet, "crawler (limit)", "search, p50"), "14.1 us");
        assert_eq!(cell(&sheet, "crawler (limit)", "search, p99"), "1.16 ms");
        assert_eq!(cell(&sheet, "fetcher (client)", "search, p50"), NONE);
    }
}
