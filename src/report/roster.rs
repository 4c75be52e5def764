//! The figures of several hosts: a row a host, so that they can be compared down a column.

use crate::numbers::{amount, amount_with_interval, count, percent, percent_with_interval, span};
use crate::report::reasons::{self, Count, Platform};
use crate::report::sheet::{Column, NONE, Sheet, Unusual, first_blocked, quantile};
use crate::scenario::Scenario;
use crate::search::SearchTime;
use crate::stats::{ClientFigures, Figures, LimitFigures, Outcome};
use crate::theory::Expected;

/// What stands in a row: a host with what the formulas say of it, or a client.
struct Row<'a> {
    label: String,
    figures: &'a Figures,
    limit: Option<&'a LimitFigures>,
    search: Option<SearchTime>,
    refusals: Vec<Count>,
}

/// Rows of hosts in the order of the scenario, then of those clients that share a host.
pub(super) fn of(scenario: &Scenario, outcome: &Outcome) -> Sheet {
    let hosts = outcome.limits.iter().map(|limit| Row {
        label: limit.name.clone(),
        figures: &limit.figures,
        limit: Some(limit),
        search: SearchTime::of_limit(&scenario.world, outcome, limit),
        refusals: Platform::of(scenario, &limit.name).counts(&limit.figures),
    });
    let clients = outcome.clients.iter().filter(|client| shares_its_host(outcome, client));
    let clients = clients.map(|client| Row {
        label: format!("{} (client)", client.name),
        figures: &client.figures,
        limit: None,
        search: None,
        refusals: Platform::of(scenario, &client.host).counts(&client.figures),
    });
    let rows: Vec<Row<'_>> = hosts.chain(clients).collect();
    let several = outcome.limits.iter().any(|limit| limit.machines > 1);
    let unusual = Unusual::of(scenario, outcome);
    let columns = columns(&rows, &unusual, outcome.replications > 1);
    let says_something = |column: &Column| {
        column.cells.iter().any(|cell| cell != NONE) && (several || column.title != MACHINES)
    };
    Sheet {
        columns: columns.into_iter().filter(says_something).collect(),
        labels: rows.into_iter().map(|row| row.label).collect(),
    }
}

/// Of a client that is alone, the figures are those of its host.
fn shares_its_host(outcome: &Outcome, client: &ClientFigures) -> bool {
    outcome.clients.iter().filter(|other| other.host == client.host).count() > 1
}

/// Left out where every host is one machine.
const MACHINES: &str = "machines";

/// What matters most comes first: a narrow terminal shows the columns in several blocks.
fn columns(rows: &[Row<'_>], unusual: &Unusual, known: bool) -> Vec<Column> {
    let column = |title: &str, show: &dyn Fn(&Row<'_>) -> String| Column {
        title: title.to_owned(),
        cells: rows.iter().map(show).collect(),
    };
    let figure = |title: &str, show: &dyn Fn(&Figures) -> String| {
        column(title, &|row: &Row<'_>| show(row.figures))
    };
    let host = |title: &str, show: &dyn Fn(&LimitFigures) -> String| {
        column(title, &|row: &Row<'_>| row.limit.map_or_else(|| NONE.to_owned(), show))
    };
    let search = |title: &str, show: fn(SearchTime) -> String| {
        column(title, &|row: &Row<'_>| row.search.map_or_else(|| NONE.to_owned(), show))
    };
    let reasons = unusual.reasons.iter().map(|name| {
        column(&reasons::in_words(name), &|row: &Row<'_>| {
            count(reasons::count_of(&row.refusals, name))
        })
    });
    let timed_out = unusual.timed_out.map(|title| figure(title, &|f| count(f.unanswered)));
    let loss = |theory: &Expected| theory.erlang_b.or(theory.engset).filter(|b| !b.is_nan());
    let mut columns = vec![
        host(MACHINES, &|limit| count(limit.machines.into())),
        figure("attempts", &|f| count(f.attempts)),
        figure("blocked", &|Figures { blocking_ratio: ratio, .. }| {
            percent_with_interval(ratio.mean, ratio.lo, ratio.hi, known)
        }),
        host("in theory", &|limit| loss(&limit.theory).map_or_else(|| NONE.to_owned(), percent)),
        figure("first blocked", &|f| first_blocked(f.first_blocked)),
        figure("in use, mean", &|Figures { mean_in_use: mean, .. }| {
            amount_with_interval(mean.mean, mean.lo, mean.hi, known)
        }),
        figure("peak", &|f| count(f.peak_in_use)),
        figure("capacity", &|f| count(f.capacity)),
        figure("probes p50/p99", &|f| {
            quantile(&f.probes, |q| format!("{} / {}", amount(q.p50), amount(q.p99)))
        }),
        search("search p50/p99", |time| format!("{} / {}", span(time.p50), span(time.p99))),
        search("of a core", |time| percent(time.core_share)),
        figure("reuse p50", &|f| quantile(&f.reuse_interval, |q| span(q.p50))),
    ];
    let state = |told: bool, title: &str, mean: fn(&Figures) -> f64| {
        told.then(|| figure(title, &|f: &Figures| amount(mean(f))))
    };
    let connecting = state(unusual.connecting, "connecting, mean", |f| f.mean_connecting.mean);
    let closing = state(unusual.closing, "closing, mean", |f| f.mean_closing.mean);
    columns.extend(reasons.chain(timed_out).chain(connecting).chain(closing));
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn two_hosts() -> (Scenario, Outcome) {
        let (scenario, mut outcome) = samples::overloaded();
        let mut second = outcome.limits[0].clone();
        second.name = "second".to_owned();
        second.figures.attempts = 7;
        outcome.limits.push(second);
        (scenario, outcome)
    }

    #[test]
    fn several_hosts_have_a_row_each_and_the_formula_in_a_column() {
        let (scenario, outcome) = two_hosts();
        let sheet = Sheet::new(&scenario, &outcome);
        assert_eq!(sheet.labels, ["crawler", "second"]);
        let cells = |title: &str| {
            sheet.columns.iter().find(|column| column.title == title).expect(title).cells.clone()
        };
        assert_eq!(cells("attempts"), ["4,800,000", "7"]);
        assert_eq!(cells("blocked"), ["33.02 % ± 0.08"; 2]);
        assert_eq!(cells("in theory"), ["33 %"; 2]);
        assert!(sheet.columns.iter().all(|column| column.title != MACHINES));
    }

    #[test]
    fn clients_have_a_row_where_they_share_a_host() {
        let (scenario, mut outcome) = two_hosts();
        outcome.limits[0].machines = 3;
        outcome.clients.push(outcome.clients[0].clone());
        let sheet = Sheet::new(&scenario, &outcome);
        assert_eq!(sheet.labels[2..], ["fetcher (client)", "fetcher (client)"]);
        assert_eq!(sheet.columns[0].cells, ["3", "1", NONE, NONE]);
    }

    #[test]
    fn reasons_and_timeouts_have_columns_when_there_are_any() {
        let (mut scenario, mut outcome) = two_hosts();
        let mut second = scenario.world.hosts[0].clone();
        (second.name, second.search_cost) = ("second".to_owned(), Some(samples::search_cost()));
        scenario.world.hosts.push(second);
        outcome.limits[1].figures.refused = [0, 3, 0];
        (outcome.whole.unanswered, outcome.whole.mean_connecting.mean) = (9, 4.5);
        outcome.limits[1].figures.mean_connecting.mean = 4.5;
        let sheet = Sheet::new(&scenario, &outcome);
        let cells = |title: &str| {
            sheet.columns.iter().find(|column| column.title == title).expect(title).cells.clone()
        };
        assert_eq!(cells("bind EADDRINUSE"), ["0", "3"]);
        assert_eq!(cells("timed out (ETIMEDOUT)"), ["0", "0"]);
        assert_eq!(cells("connecting, mean"), ["0", "4.50"]);
        assert!(sheet.columns.iter().all(|column| column.title != "closing, mean"));
        assert_eq!(cells("search p50/p99"), [NONE, "14.1 us / 1.16 ms"]);
    }
}
