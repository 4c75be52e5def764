//! Figures as CSV: tidy, one row a limit or client, units in the names of the columns.

use crate::names;
use crate::scenario::Scenario;
use crate::stats::{Facet, Figure, Outcome, Read, Subject, SubjectKind, Value};

/// What a row is about, before its figures.
const ABOUT: [&str; 4] = ["scenario", "scope", "name", "replications"];

/// One row a limit and a client of each scenario, under a header.
#[must_use]
pub fn limits_and_clients(runs: &[(&Scenario, &Outcome)]) -> String {
    table(runs, |outcome| {
        let limits = outcome.limits.iter().map(|limit| limit.subject());
        limits.chain(outcome.clients.iter().map(|client| client.subject())).collect()
    })
}

/// One row a scenario: everything together.
#[must_use]
pub fn wholes(runs: &[(&Scenario, &Outcome)]) -> String {
    table(runs, |outcome| vec![outcome.subject()])
}

fn table<'a>(
    runs: &[(&Scenario, &'a Outcome)],
    subjects: impl Fn(&'a Outcome) -> Vec<Subject<'a>>,
) -> String {
    let figures = Figure::ordered(|figure| figure.csv);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let about = ABOUT.map(str::to_owned).into_iter();
    let header = about.chain(figures.iter().flat_map(|figure| columns(figure)));
    writer.write_record(header).expect("memory takes all");
    for (scenario, outcome) in runs {
        for subject in subjects(outcome) {
            let scope = match subject.kind {
                SubjectKind::Whole => "whole",
                SubjectKind::Client => "client",
                SubjectKind::Limit => "limit",
            };
            let about = [&scenario.name, scope, subject.name, &outcome.replications.to_string()];
            let about = about.map(|text| names::cell(text).into_owned()).into_iter();
            let cells = figures.iter().flat_map(|figure| cells(figure, &subject));
            writer.write_record(about.chain(cells)).expect("every row has the header's length");
        }
    }
    let bytes = writer.into_inner().expect("memory takes all");
    String::from_utf8(bytes).expect("made of strings")
}

/// Does the figure have four quantiles?
fn is_spectrum(figure: &Figure) -> bool {
    figure.parts != [Facet::Itself]
}

/// The names of a figure's columns.
fn columns(figure: &Figure) -> Vec<String> {
    let key = figure.key;
    let mut names = match is_spectrum(figure) {
        true => Facet::QUANTILES.map(|part| format!("{key}_{}", part.key())).to_vec(),
        false => vec![key.to_owned()],
    };
    if figure.with_interval {
        names.extend(["lo", "hi"].map(|end| format!("{key}_{end}")));
        if let Read::Moment(_) = figure.read {
            names.push(format!("{}_share_of_replications", figure.stem()));
        }
    }
    names
}

/// What stands in them: an empty cell is "no such figure"; a zero would be a figure.
fn cells(figure: &Figure, subject: &Subject<'_>) -> Vec<String> {
    let value = figure.value(subject);
    let part = |part| value.map(|value| value.part(part));
    let itself = part(Facet::Itself);
    let mut numbers = match is_spectrum(figure) {
        true => Facet::QUANTILES.map(|quantile| part(quantile).map(|q| q.value)).to_vec(),
        false => vec![itself.map(|one| one.value)],
    };
    if figure.with_interval {
        numbers.extend([itself.map(|one| one.lo), itself.map(|one| one.hi)]);
        if let Read::Moment(_) = figure.read {
            numbers.push(match value {
                Some(Value::Moment(moments)) => Some(moments.share_of_replications),
                _ => None,
            });
        }
    }
    let numbers = numbers.into_iter();
    numbers.map(|number| number.map_or_else(String::new, |number| number.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn every_limit_and_client_has_a_row_of_the_headers_length() {
        let (scenario, outcome) = samples::overloaded();
        let text = limits_and_clients(&[(&scenario, &outcome), (&scenario, &outcome)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[1].starts_with("crawler,limit,crawler,20,4800000,3215000,1585000,0.3302,"));
        assert!(lines[2].starts_with("crawler,client,fetcher,20,"));
        assert!(lines[2].contains(",,,,,,,,,,,"), "no probes, no theory: {}", lines[2]);
        assert!(
            lines[2].ends_with(",1585000,0,0,0,0,60.5,0,0,0,0,,,,,,,8.2,,,,,,,,,,,,,,,,,,,,,,0"),
            "no search: {}",
            lines[2]
        );
        for line in lines {
            assert_eq!(line.split(',').count(), 80);
        }
    }

    #[test]
    fn a_scenario_has_one_row_in_the_overview() {
        let (scenario, outcome) = samples::holding();
        let text = wholes(&[(&scenario, &outcome)]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("crawler,whole,,20,4800000,4800000,0,0,0,0,,,,,,"), "{text}");
    }
}
