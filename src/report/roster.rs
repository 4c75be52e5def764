//! The figures of several hosts: a row a host, so that they can be compared down a column.

use crate::report::numbers::{
    amount, amount_with_interval, count, percent, percent_with_interval, span,
};
use crate::report::sheet::{Column, NONE, Sheet, first_blocked, quantile};
use crate::stats::{ClientFigures, Figures, LimitFigures, Outcome};
use crate::theory::Expected;

/// What stands in a row: a host with what the formulas say of it, or a client.
struct Row<'a> {
    label: String,
    figures: &'a Figures,
    limit: Option<&'a LimitFigures>,
}

/// Rows of hosts in the order of the scenario, then of those clients that share a host.
pub(super) fn of(outcome: &Outcome) -> Sheet {
    let hosts = outcome.limits.iter().map(|limit| Row {
        label: limit.name.clone(),
        figures: &limit.figures,
        limit: Some(limit),
    });
    let clients = outcome.clients.iter().filter(|client| shares_its_host(outcome, client));
    let clients = clients.map(|client| Row {
        label: format!("{} (client)", client.name),
        figures: &client.figures,
        limit: None,
    });
    let rows: Vec<Row<'_>> = hosts.chain(clients).collect();
    let several = outcome.limits.iter().any(|limit| limit.machines > 1);
    let columns = columns(&rows, outcome.replications > 1);
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
fn columns(rows: &[Row<'_>], known: bool) -> Vec<Column> {
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
    let loss = |theory: &Expected| theory.erlang_b.or(theory.engset).filter(|b| !b.is_nan());
    vec![
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
        figure("reuse p50", &|f| quantile(&f.reuse_interval, |q| span(q.p50))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn two_hosts() -> Outcome {
        let mut outcome = samples::overloaded().1;
        let mut second = outcome.limits[0].clone();
        second.name = "second".to_owned();
        second.figures.attempts = 7;
        outcome.limits.push(second);
        outcome
    }

    #[test]
    fn several_hosts_have_a_row_each_and_the_formula_in_a_column() {
        let sheet = Sheet::new(&two_hosts());
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
        let mut outcome = two_hosts();
        outcome.limits[0].machines = 3;
        outcome.clients.push(outcome.clients[0].clone());
        let sheet = Sheet::new(&outcome);
        assert_eq!(sheet.labels[2..], ["fetcher (client)", "fetcher (client)"]);
        assert_eq!(sheet.columns[0].cells, ["3", "1", NONE, NONE]);
    }
}
