//! Figures as CSV: tidy, one row a limit or client, units in the names of the columns.

use super::reasons;
use crate::model::Refusal;
use crate::scenario::Scenario;
use crate::search::SearchTime;
use crate::stats::{Figures, Moments, Outcome, Quantiles};
use crate::theory::Expected;

const HEADER: [&str; 53] = [
    "scenario",
    "scope",
    "name",
    "replications",
    "attempts",
    "opened",
    "blocked",
    "blocking_ratio",
    "blocking_ratio_lo",
    "blocking_ratio_hi",
    "first_blocked_s",
    "first_blocked_s_lo",
    "first_blocked_s_hi",
    "first_blocked_share_of_replications",
    "recovered_s",
    "blocked_time_share",
    "episodes",
    "longest_episode_s",
    "peak_in_use",
    "mean_in_use",
    "mean_in_use_lo",
    "mean_in_use_hi",
    "mean_time_wait",
    "num_ephemeral",
    "capacity",
    "utilisation",
    "probes_p50",
    "probes_p90",
    "probes_p99",
    "probes_max",
    "reuse_interval_s_p50",
    "reuse_interval_s_p90",
    "reuse_interval_s_p99",
    "reuse_interval_s_max",
    "offered_load_erl",
    "erlang_b",
    "engset",
    "sustainable_rate_per_s",
    "fill_time_s",
    "mean_hold_s",
    "offered_rate_per_s",
    "refused_connect",
    "refused_bind",
    "tuple_taken",
    "unanswered",
    "mean_connecting",
    "mean_established",
    "mean_closing",
    "search_s_p50",
    "search_s_p90",
    "search_s_p99",
    "search_s_max",
    "search_core_share",
];

/// One row a limit and a client of each scenario, under a header.
#[must_use]
pub fn limits_and_clients(runs: &[(&Scenario, &Outcome)]) -> String {
    table(runs, |scenario, outcome, rows| {
        let name = &scenario.name;
        for limit in &outcome.limits {
            let theory = Some(&limit.theory);
            let search = SearchTime::of_limit(&scenario.world, outcome, limit);
            let figures = &limit.figures;
            rows.push(row([name, "limit", &limit.name], outcome, figures, theory, search));
        }
        for client in &outcome.clients {
            let figures = &client.figures;
            rows.push(row([name, "client", &client.name], outcome, figures, None, None));
        }
    })
}

/// One row a scenario: everything together.
#[must_use]
pub fn wholes(runs: &[(&Scenario, &Outcome)]) -> String {
    table(runs, |scenario, outcome, rows| {
        // Of one limit, what is said of it is true of the whole.
        let only = match &outcome.limits[..] {
            [limit] => Some(limit),
            _ => None,
        };
        let theory = only.map(|limit| &limit.theory);
        let search = only.and_then(|limit| SearchTime::of_limit(&scenario.world, outcome, limit));
        rows.push(row([&scenario.name, "whole", ""], outcome, &outcome.whole, theory, search));
    })
}

fn table(
    runs: &[(&Scenario, &Outcome)],
    mut add: impl FnMut(&Scenario, &Outcome, &mut Vec<Vec<String>>),
) -> String {
    let mut rows = Vec::new();
    runs.iter().for_each(|(scenario, outcome)| add(scenario, outcome, &mut rows));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER).expect("memory takes all");
    for row in rows {
        writer.write_record(row).expect("every row has the header's length");
    }
    let bytes = writer.into_inner().expect("memory takes all");
    String::from_utf8(bytes).expect("made of strings")
}

fn row(
    [scenario, scope, name]: [&str; 3],
    outcome: &Outcome,
    figures: &Figures,
    theory: Option<&Expected>,
    search: Option<SearchTime>,
) -> Vec<String> {
    let mut cells = vec![
        scenario.to_owned(),
        scope.to_owned(),
        name.to_owned(),
        outcome.replications.to_string(),
        figures.attempts.to_string(),
        figures.opened.to_string(),
        figures.blocked.to_string(),
    ];
    let mut numbers = |values: &[Option<f64>]| {
        // An empty cell is "no such figure"; a zero would be a figure.
        cells.extend(values.iter().map(|value| value.map_or_else(String::new, |v| v.to_string())));
    };
    let first = figures.first_blocked;
    let of = |moments: Option<Moments>, part: fn(Moments) -> f64| moments.map(part);
    numbers(&[
        Some(figures.blocking_ratio.mean),
        Some(figures.blocking_ratio.lo),
        Some(figures.blocking_ratio.hi),
        of(first, |m| m.median),
        of(first, |m| m.lo),
        of(first, |m| m.hi),
        of(first, |m| m.share_of_replications),
        of(figures.recovered, |m| m.median),
        Some(figures.blocked_time_share.mean),
        Some(figures.episodes.mean),
        Some(figures.longest_episode.as_secs_f64()),
        Some(figures.peak_in_use as f64),
        Some(figures.mean_in_use.mean),
        Some(figures.mean_in_use.lo),
        Some(figures.mean_in_use.hi),
        Some(figures.mean_time_wait.mean),
        Some(figures.num_ephemeral as f64),
        Some(figures.capacity as f64),
        Some(figures.utilisation.mean),
    ]);
    numbers(&spectrum(&figures.probes));
    numbers(&spectrum(&figures.reuse_interval));
    let said = |part: fn(&Expected) -> Option<f64>| theory.and_then(part);
    numbers(&[
        said(|t| t.offered_load_erl),
        said(|t| t.erlang_b),
        said(|t| t.engset),
        said(|t| t.sustainable_rate_per_s),
        said(|t| t.fill_time_s),
        said(|t| t.mean_hold_s),
        said(|t| t.offered_rate_per_s),
    ]);
    // The call, not its error: that has a name of its own on every platform.
    let bind = figures.refused[Refusal::BindInUse as usize];
    let count = |count: u64| Some(count as f64);
    numbers(&[
        count(figures.blocked - bind),
        count(bind),
        count(reasons::tuple_taken(figures)),
        count(figures.unanswered),
        Some(figures.mean_connecting.mean),
        Some(figures.mean_established.mean),
        Some(figures.mean_closing.mean),
    ]);
    let time = |part: fn(SearchTime) -> f64| search.map(part);
    numbers(&[
        time(|t| t.p50),
        time(|t| t.p90),
        time(|t| t.p99),
        time(|t| t.max),
        time(|t| t.core_share),
    ]);
    cells
}

fn spectrum(q: &Quantiles) -> [Option<f64>; 4] {
    [q.p50, q.p90, q.p99, q.max].map(|value| (!q.histogram.is_empty()).then_some(value))
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
        assert!(lines[2].ends_with(",1585000,0,0,0,0,60.5,0,,,,,"), "no search: {}", lines[2]);
        for line in lines {
            assert_eq!(line.split(',').count(), HEADER.len());
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
