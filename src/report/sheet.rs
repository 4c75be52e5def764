//! The figures of one scenario as a sheet of words: a row a figure, a column a limit or client; of
//! several hosts the other way round, so that they can be compared down a column.
//!
//! The terminal's table and the one for a ticket are both drawn from it, so they never disagree.

use super::words;
use crate::numbers::{count, fine_percent, percent, percent_beside};
use crate::stats::{Estimate, Facet, Figure, Outcome, Read, Subject, Unit, Value, is_unusual};
use crate::theory::Expected;

/// What stands where there is no figure: nothing.
pub const NONE: &str = "";

/// How much a sheet tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What one needs for a ticket.
    Brief,
    /// Every figure that people are shown.
    All,
}

/// A named column of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its head: `crawler (host)`.
    pub title: String,
    /// One cell for each of [`Sheet::labels`].
    pub cells: Vec<String>,
}

/// Rows of figures by columns of hosts, their theory, and clients; of several hosts, rows of hosts
/// by columns of figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The name of each row; units are in the cells.
    pub labels: Vec<String>,
    /// Of one host: itself, the theory beside it, then clients in the order of the scenario where there are
    /// several.
    pub columns: Vec<Column>,
}

impl Sheet {
    /// What `outcome` says of its hosts and clients.
    #[must_use]
    pub fn new(outcome: &Outcome, detail: Detail) -> Self {
        if outcome.limits.len() > 1 { by_host(outcome, detail) } else { by_figure(outcome, detail) }
    }
}

/// One host: what it is told of, a row each.
fn by_figure(outcome: &Outcome, detail: Detail) -> Sheet {
    let known = outcome.replications > 1;
    let mut lines = Line::all(outcome, detail, |figure| figure.row, |figure| figure.parts.to_vec());
    lines.retain(|line| has_several_machines(outcome) || line.figure.key != MACHINES);
    let mut columns = Vec::new();
    let column = |title: String, cell: &dyn Fn(&Line) -> String| Column {
        title,
        cells: lines.iter().map(cell).collect(),
    };
    for limit in &outcome.limits {
        let subject = limit.subject();
        let measured = |line: &Line| line.measured(&subject, known);
        columns.push(column(format!("{} (host)", limit.name), &measured));
        columns.push(column("theory".to_owned(), &|line| line.in_theory(&subject, known)));
    }
    // The figures of one that is alone are those of its host.
    for client in outcome.clients.iter().filter(|_| outcome.clients.len() > 1) {
        let subject = client.subject();
        let measured = |line: &Line| line.measured(&subject, known);
        columns.push(column(format!("{} (client)", client.name), &measured));
    }
    columns.retain(says_something);
    let kept: Vec<bool> = (0..lines.len())
        .map(|row| columns.iter().any(|column| column.cells[row] != NONE))
        .collect();
    fn keep<T>(cells: &mut Vec<T>, kept: &[bool]) {
        let mut kept = kept.iter();
        cells.retain(|_| *kept.next().expect("one mark a row"));
    }
    keep(&mut lines, &kept);
    columns.iter_mut().for_each(|column| keep(&mut column.cells, &kept));
    Sheet { labels: lines.iter().map(|line| line.label(outcome)).collect(), columns }
}

/// Several hosts in the order of the scenario, then those clients that share a host: of one that is
/// alone, the figures are those of its host.
fn by_host(outcome: &Outcome, detail: Detail) -> Sheet {
    let known = outcome.replications > 1;
    let shares_its_host =
        |host: &str| outcome.clients.iter().filter(|other| other.host == host).count() > 1;
    let limits = outcome.limits.iter().map(|limit| (limit.name.clone(), limit.subject()));
    let clients = outcome.clients.iter().filter(|client| shares_its_host(&client.host));
    let clients = clients.map(|client| (format!("{} (client)", client.name), client.subject()));
    let (labels, subjects): (Vec<String>, Vec<Subject<'_>>) = limits.chain(clients).unzip();
    let several = has_several_machines(outcome);
    let lines = Line::all(outcome, detail, |figure| figure.column, |_| vec![Facet::Itself]);
    let columns = lines.iter().filter(|line| several || line.figure.key != MACHINES).map(|line| {
        let cells = subjects.iter().map(|subject| line.all_parts(subject, known));
        Column { title: line.head(outcome), cells: cells.collect() }
    });
    Sheet { labels, columns: columns.filter(says_something).collect() }
}

/// Not told where every host is one machine.
const MACHINES: &str = "machines";

fn has_several_machines(outcome: &Outcome) -> bool {
    outcome.limits.iter().any(|limit| limit.machines > 1)
}

fn says_something(column: &Column) -> bool {
    column.cells.iter().any(|cell| cell != NONE)
}

/// One row or column of a sheet: a figure, and which part of it or which of its reasons.
struct Line {
    figure: &'static Figure,
    part: Facet,
    reason: Option<&'static str>,
}

impl Line {
    /// Those that have a place in an order, and something to tell; a line for each of `parts`.
    fn all(
        outcome: &Outcome,
        detail: Detail,
        order: fn(&Figure) -> u8,
        parts: fn(&Figure) -> Vec<Facet>,
    ) -> Vec<Self> {
        let whole = outcome.subject();
        let is_none = |figure: &Figure| {
            figure.value(&whole).is_none_or(|value| value.part(Facet::Itself).value == 0.0)
        };
        let mut lines = Vec::new();
        let told = |figure: &&Figure| detail == Detail::All || figure.brief;
        for figure in Figure::ordered(order).into_iter().filter(told) {
            if let Read::Refusals = figure.read {
                let refusals = whole.refusals();
                let told = refusals.iter().filter(|_| is_unusual(&refusals));
                let line = |&(name, _): &(&'static str, u64)| Self {
                    figure,
                    part: Facet::Itself,
                    reason: Some(name),
                };
                lines.extend(told.map(line));
            } else if !(figure.rare && is_none(figure)) {
                lines.extend(parts(figure).into_iter().map(|part| Self {
                    figure,
                    part,
                    reason: None,
                }));
            }
        }
        lines
    }

    /// In front of a row: `probes, p99`.
    fn label(&self, outcome: &Outcome) -> String {
        match (self.reason, self.part) {
            (Some(reason), _) => {
                self.of_all_runs(format!("refused: {}", reason.replace(':', " ")), outcome)
            }
            (None, Facet::Itself) => {
                self.of_all_runs(self.named(self.figure.title, outcome), outcome)
            }
            (None, part) => format!("{}, {}", self.figure.title, part.key()),
        }
    }

    /// Sums over replications are called so.
    fn of_all_runs(&self, title: String, outcome: &Outcome) -> String {
        let is_sum = self.reason.is_some() || self.figure.unit == Unit::Of("attempts");
        if is_sum && outcome.replications > 1 { format!("{title}, all runs") } else { title }
    }

    /// Over a column: `probes p50/p99`.
    fn head(&self, outcome: &Outcome) -> String {
        let parts: Vec<&str> = self.figure.parts.iter().map(|part| part.key()).collect();
        match self.reason {
            Some(reason) => reason.replace(':', " "),
            None => format!("{} {}", self.named(self.figure.head, outcome), parts.join("/"))
                .trim_end()
                .to_owned(),
        }
    }

    /// With what Linux calls it, where all hosts are Linux.
    fn named(&self, title: &str, outcome: &Outcome) -> String {
        match self.figure.errno.filter(|_| outcome.subject().is_linux()) {
            Some(errno) => format!("{title} ({errno})"),
            None => title.to_owned(),
        }
    }

    /// What came out; of what only formulas tell, what they say.
    fn measured(&self, subject: &Subject<'_>, known: bool) -> String {
        if let Read::Formula(formula) = self.figure.read {
            return self.told(subject, known, formula);
        }
        match self.reason {
            Some(reason) => {
                let refusals = subject.refusals();
                count(refusals.iter().find(|(name, _)| *name == reason).map_or(0, |by| by.1))
            }
            None => words::value(self.figure, self.figure.value(subject), self.part, known),
        }
    }

    /// The closed form in the row of what it predicts.
    fn in_theory(&self, subject: &Subject<'_>, known: bool) -> String {
        let formula = self.figure.in_theory;
        formula.map_or_else(|| NONE.to_owned(), |formula| self.told(subject, known, formula))
    }

    /// What a closed form says, with the digits of what is measured.
    fn told(
        &self,
        subject: &Subject<'_>,
        known: bool,
        formula: fn(&Expected) -> Option<f64>,
    ) -> String {
        let value = subject.theory().and_then(formula).filter(|value| !value.is_nan());
        let Some(value) = value else { return NONE.to_owned() };
        match (self.figure.unit, self.figure.value(subject)) {
            (Unit::Share, Some(Value::Mean(Estimate { lo, hi, .. }))) if known => {
                percent_beside(value, lo, hi)
            }
            (Unit::Share, _) => fine_percent(value),
            (unit, _) => words::number(unit, value),
        }
    }

    /// All in one cell: `1,115 / 8,319`.
    fn all_parts(&self, subject: &Subject<'_>, known: bool) -> String {
        let figure = self.figure;
        match (figure.read, figure.value(subject)) {
            // The head says of what it is a share.
            (_, Some(value)) if matches!(figure.unit, Unit::ShareOf(_)) => {
                percent(value.part(Facet::Itself).value)
            }
            (_, Some(spectrum @ Value::Spectrum(_))) => {
                let parts = figure.parts.iter();
                let parts = parts.map(|&part| words::value(figure, Some(spectrum), part, known));
                parts.collect::<Vec<String>>().join(" / ")
            }
            _ => self.measured(subject, known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn outcome() -> Outcome {
        samples::overloaded().1
    }

    fn cell(sheet: &Sheet, column: &str, label: &str) -> String {
        let row = sheet.labels.iter().position(|l| *l == label).expect(label);
        sheet.columns.iter().find(|c| c.title == column).expect(column).cells[row].clone()
    }

    #[test]
    fn every_limit_has_its_theory_beside_it() {
        let sheet = Sheet::new(&outcome(), Detail::All);
        let titles: Vec<&str> = sheet.columns.iter().map(|c| c.title.as_str()).collect();
        assert_eq!(titles, ["crawler (host)", "theory"], "the client has the figures of its host");
        assert_eq!(cell(&sheet, "crawler (host)", "refused"), "33.02 % (32.94-33.10)");
        assert_eq!(cell(&sheet, "theory", "refused"), "33.10 %");
        assert_eq!(cell(&sheet, "crawler (host)", "offered load"), "24,490 erl");
        assert_eq!(cell(&sheet, "crawler (host)", "first refused"), "41.0 s (40.8-41.2)");
    }

    #[test]
    fn a_ticket_has_some_eight_rows_and_sums_are_called_so() {
        assert_eq!(
            Sheet::new(&outcome(), Detail::Brief).labels,
            [
                "attempts, all runs",
                "refused",
                "first refused",
                "outage, longest",
                "in use, peak",
                "TIME-WAIT, mean",
                "capacity",
                "offered rate",
                "safe rate",
            ]
        );
    }

    /// Two clients on one host.
    fn two_clients() -> Outcome {
        let mut outcome = outcome();
        outcome.clients.push(outcome.clients[0].clone());
        outcome.clients[1].name = "second".to_owned();
        outcome
    }

    #[test]
    fn rows_without_any_figure_are_left_out() {
        let mut outcome = outcome();
        outcome.limits[0].theory = Expected::default();
        let sheet = Sheet::new(&outcome, Detail::All);
        assert!(!sheet.labels.contains(&"offered load".to_owned()));
        assert!(sheet.columns.iter().all(|c| c.cells.len() == sheet.labels.len()));
    }

    #[test]
    fn reasons_are_told_only_when_there_is_more_than_a_plain_connect() {
        let mut outcome = two_clients();
        assert!(
            Sheet::new(&outcome, Detail::All)
                .labels
                .iter()
                .all(|label| !label.starts_with("refused:"))
        );
        outcome.limits[0].figures.refused = [1_000, 500, 85, 0, 0];
        let sheet = Sheet::new(&outcome, Detail::All);
        let limit = "crawler (host)";
        assert_eq!(cell(&sheet, limit, "refused: connect EADDRNOTAVAIL, all runs"), "1,085");
        assert_eq!(cell(&sheet, limit, "refused: bind EADDRINUSE, all runs"), "500");
        assert_eq!(cell(&sheet, "fetcher (client)", "refused: bind EADDRINUSE, all runs"), "0");
        outcome.limits[0].is_linux = false;
        assert_eq!(
            cell(&Sheet::new(&outcome, Detail::All), limit, "refused: bind, all runs"),
            "500"
        );
    }

    #[test]
    fn states_that_hold_nothing_have_no_row() {
        let mut outcome = outcome();
        let told = |outcome: &Outcome| {
            let labels = Sheet::new(outcome, Detail::All).labels;
            ["timed out (ETIMEDOUT), all runs", "connecting, mean", "half-closed, mean"]
                .map(|label| labels.iter().any(|known| known == label))
        };
        assert_eq!(told(&outcome), [false; 3]);
        (outcome.whole.unanswered, outcome.whole.mean_connecting.mean) = (3, 40.0);
        assert_eq!(told(&outcome), [true, true, false]);
        outcome.whole.mean_closing.mean = 1.5;
        assert_eq!(told(&outcome), [true; 3]);
    }

    #[test]
    fn search_times_are_told_where_a_search_has_a_cost() {
        let mut outcome = two_clients();
        assert!(
            Sheet::new(&outcome, Detail::All)
                .labels
                .iter()
                .all(|label| !label.starts_with("search"))
        );
        samples::give_search_cost(&mut outcome);
        let sheet = Sheet::new(&outcome, Detail::All);
        assert_eq!(cell(&sheet, "crawler (host)", "search, p50"), "14.1 µs");
        assert_eq!(cell(&sheet, "crawler (host)", "search, p99"), "1.16 ms");
        assert_eq!(cell(&sheet, "fetcher (client)", "search, p50"), NONE);
    }

    fn two_hosts() -> Outcome {
        let mut outcome = outcome();
        let mut second = outcome.limits[0].clone();
        second.name = "second".to_owned();
        second.figures.attempts = 7;
        outcome.limits.push(second);
        outcome
    }

    #[test]
    fn several_hosts_have_a_row_each_and_the_formula_in_a_column() {
        let outcome = two_hosts();
        let sheet = Sheet::new(&outcome, Detail::All);
        assert_eq!(sheet.labels, ["crawler", "second"]);
        let cells = |title: &str| {
            sheet.columns.iter().find(|column| column.title == title).expect(title).cells.clone()
        };
        assert_eq!(cells("attempts"), ["4,800,000", "7"]);
        assert_eq!(cells("refused"), ["33.02 % (32.94-33.10)"; 2]);
        assert_eq!(cells("in theory"), ["33.1 %"; 2]);
        assert!(sheet.columns.iter().all(|column| column.title != MACHINES));
    }

    #[test]
    fn clients_have_a_row_where_they_share_a_host() {
        let mut outcome = two_hosts();
        outcome.limits[0].machines = 3;
        outcome.clients.push(outcome.clients[0].clone());
        let sheet = Sheet::new(&outcome, Detail::All);
        assert_eq!(sheet.labels[2..], ["fetcher (client)", "fetcher (client)"]);
        assert_eq!(sheet.columns[0].cells, ["3", "1", NONE, NONE]);
    }

    #[test]
    fn reasons_and_timeouts_have_columns_when_there_are_any() {
        let mut outcome = two_hosts();
        samples::give_search_cost(&mut outcome);
        outcome.limits[0].search = None;
        outcome.limits[1].figures.refused = [0, 3, 0, 0, 0];
        (outcome.whole.unanswered, outcome.whole.mean_connecting.mean) = (9, 4.5);
        outcome.limits[1].figures.mean_connecting.mean = 4.5;
        let sheet = Sheet::new(&outcome, Detail::All);
        let cells = |title: &str| {
            sheet.columns.iter().find(|column| column.title == title).expect(title).cells.clone()
        };
        assert_eq!(cells("bind EADDRINUSE"), ["0", "3"]);
        assert_eq!(cells("timed out (ETIMEDOUT)"), ["0", "0"]);
        assert_eq!(cells("connecting, mean"), ["0", "4.50"]);
        assert!(sheet.columns.iter().all(|column| column.title != "half-closed, mean"));
        assert_eq!(cells("search p50/p99"), [NONE, "14.1 µs / 1.16 ms"]);
    }
}
