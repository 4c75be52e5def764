//! `summary.json`: the figures of one scenario, byte for byte the same for the same seed.
//!
//! Only values of the outcome go in; what differs from run to run is in [`super::provenance`]. Objects
//! keep the order of the scenario, floats are the shortest text that reads back the same.

use crate::report::expectations::{self, Checked, Verdict};
use crate::report::json::{InOrder, Json, pretty};
use crate::scenario::{Bound, Scenario};
use crate::stats::{
    Estimate, FIGURES, Facet, Figure, InSummary, LimitFigures, Outcome, Read, StretchFigures,
    Subject, Value,
};

/// Everything that `summary.json` says.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    scenario: String,
    title: String,
    seed: u64,
    replications: u32,
    version: &'static str,
    partial: bool,
    duration_s: f64,
    warm_up_s: f64,
    whole: InOrder<Json>,
    clients: InOrder<InOrder<Json>>,
    limits: InOrder<InOrder<Json>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stretches: Vec<Json>,
    expectations: Vec<ExpectationRow>,
}

#[derive(Clone, Debug, serde::Serialize)]
struct ExpectationRow {
    scope: String,
    metric: String,
    never: bool,
    min: Option<f64>,
    max: Option<f64>,
    value: Option<f64>,
    lo: Option<f64>,
    hi: Option<f64>,
    verdict: Verdict,
}

impl Summary {
    /// The summary of `outcome`, whose expectations have been checked.
    #[must_use]
    pub fn new(scenario: &Scenario, outcome: &Outcome, checked: &[Checked]) -> Self {
        Self {
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            seed: outcome.seed,
            replications: outcome.replications,
            version: env!("CARGO_PKG_VERSION"),
            partial: outcome.partial,
            duration_s: outcome.duration.as_secs_f64(),
            warm_up_s: outcome.warm_up.as_secs_f64(),
            whole: section(&outcome.subject()),
            clients: named(outcome.clients.iter().map(|client| {
                let host = Json::Text(client.host.clone());
                let InOrder(figures) = section(&client.subject());
                let all = std::iter::once(("host".to_owned(), host)).chain(figures).collect();
                (client.name.as_str(), InOrder(all))
            })),
            limits: named(outcome.limits.iter().map(|limit| (&*limit.name, of_limit(limit)))),
            stretches: outcome.stretches.iter().map(stretch).collect(),
            expectations: checked.iter().map(ExpectationRow::from).collect(),
        }
    }

    /// The bytes of `summary.json`, ending in a line feed.
    ///
    /// # Panics
    /// Never: every part can be written as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(self)
    }
}

/// Several summaries as the one document `{"scenarios": [...]}`.
#[must_use]
pub fn many_to_json(summaries: &[Summary]) -> String {
    #[derive(serde::Serialize)]
    struct Many<'a> {
        scenarios: &'a [Summary],
    }
    pretty(&Many { scenarios: summaries })
}

/// All figures of a limit, and what happened to it from each change to the next, if anything changes.
fn of_limit(limit: &LimitFigures) -> InOrder<Json> {
    let InOrder(mut all) = section(&limit.subject());
    if !limit.stretches.is_empty() {
        let stretches = limit.stretches.iter().map(stretch).collect();
        all.push(("stretches".to_owned(), Json::List(stretches)));
    }
    InOrder(all)
}

/// What happened from one change to the next.
fn stretch(stretch: &StretchFigures) -> Json {
    let what = stretch.what.clone().map_or(Json::Null, Json::Text);
    object(
        [
            ("from_s", Json::Number(stretch.from.as_secs_f64())),
            ("to_s", Json::Number(stretch.to.as_secs_f64())),
            ("what", what),
            ("attempts", Json::Count(stretch.attempts)),
            ("blocked", Json::Count(stretch.blocked)),
            ("blocking_ratio", interval(stretch.blocking_ratio)),
            ("requests", Json::Count(stretch.requests)),
            ("failed", Json::Count(stretch.failed)),
            ("recovered_s", plain(stretch.recovered.map(Value::Moment))),
        ]
        .into_iter(),
    )
}

/// All figures of the whole, a client or a limit.
fn section(subject: &Subject<'_>) -> InOrder<Json> {
    named(FIGURES.iter().filter_map(|figure| Some((figure.key, figure_of(figure, subject)?))))
}

/// What stands under the key of `figure`, if that stands among the others.
fn figure_of(figure: &Figure, subject: &Subject<'_>) -> Option<Json> {
    match (figure.read, figure.summary) {
        (_, InSummary::InTheory | InSummary::Not) => return None,
        (Read::Refusals, _) => {
            let counts = subject.refusals().into_iter();
            return Some(object(counts.map(|(reason, count)| (reason, Json::Count(count)))));
        }
        (Read::Binds, _) => return Some(binds(subject)),
        (Read::Intervals, _) => return Some(intervals(subject)),
        (Read::Theory, _) => return Some(subject.theory().map_or(Json::Null, |_| theory(subject))),
        _ => {}
    }
    match (figure.value(subject), figure.summary) {
        (None, InSummary::WhereKnown) => None,
        (Some(Value::Mean(estimate)), InSummary::WithInterval) => Some(interval(estimate)),
        (value, _) => Some(plain(value)),
    }
}

fn plain(value: Option<Value>) -> Json {
    match value {
        None => Json::Null,
        Some(Value::Count(count)) => Json::Count(count),
        Some(Value::Number(number)) => Json::Number(number),
        Some(Value::Mean(estimate)) => Json::Number(estimate.mean),
        Some(Value::Moment(m)) => numbers([
            ("median", m.median),
            ("lo", m.lo),
            ("hi", m.hi),
            ("earliest", m.earliest),
            ("latest", m.latest),
            ("share_of_replications", m.share_of_replications),
        ]),
        Some(spectrum @ Value::Spectrum(_)) => numbers(
            Facet::QUANTILES.map(|quantile| (quantile.key(), spectrum.part(quantile).value)),
        ),
    }
}

fn interval(Estimate { mean, lo, hi }: Estimate) -> Json {
    numbers([("mean", mean), ("lo", lo), ("hi", hi)])
}

/// The 95 % intervals of the figures that stand as plain numbers.
fn intervals(subject: &Subject<'_>) -> Json {
    object(FIGURES.iter().filter_map(|figure| match (figure.value(subject)?, figure.summary) {
        (Value::Mean(estimate), InSummary::Always) => Some((figure.key, interval(estimate))),
        _ => None,
    }))
}

fn theory(subject: &Subject<'_>) -> Json {
    let formulas = FIGURES.iter().filter(|figure| figure.summary == InSummary::InTheory);
    object(formulas.map(|figure| (figure.key, plain(figure.value(subject)))))
}

/// How much each limit blocked, and its share of all that was blocked.
fn binds(subject: &Subject<'_>) -> Json {
    let all: u64 = subject.binds().map(|(_, blocked)| blocked).sum();
    object(subject.binds().map(|(limit, blocked)| {
        let share = if all == 0 { 0.0 } else { blocked as f64 / all as f64 };
        let of = [("blocked", Json::Count(blocked)), ("share", Json::Number(share))];
        (limit, object(of.into_iter()))
    }))
}

fn named<'a, T>(all: impl Iterator<Item = (&'a str, T)>) -> InOrder<T> {
    InOrder(all.map(|(name, one)| (name.to_owned(), one)).collect())
}

fn object<'a>(members: impl Iterator<Item = (&'a str, Json)>) -> Json {
    Json::Object(named(members))
}

fn numbers<const N: usize>(members: [(&str, f64); N]) -> Json {
    object(members.into_iter().map(|(key, number)| (key, Json::Number(number))))
}

impl From<&Checked> for ExpectationRow {
    fn from(checked: &Checked) -> Self {
        let (never, min, max) = match checked.expectation.bound {
            Bound::Never => (true, None, None),
            Bound::Within { min, max } => (false, min, max),
        };
        Self {
            scope: expectations::scope_key(&checked.expectation.scope),
            metric: checked.expectation.metric.name(),
            never,
            min,
            max,
            value: checked.measured.map(|m| m.value),
            lo: checked.measured.map(|m| m.lo),
            hi: checked.measured.map(|m| m.hi),
            verdict: checked.verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Parsed, json};

    use super::*;
    use crate::report::samples;

    fn summary() -> (String, Parsed) {
        let (scenario, outcome) = samples::overloaded();
        let checked = expectations::check(&scenario, &outcome);
        let text = Summary::new(&scenario, &outcome, &checked).to_json();
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn figures_stand_under_their_contracted_names() {
        let (_, json) = summary();
        assert_eq!(json["scenario"], "crawler");
        assert_eq!(json["replications"], 20);
        assert_eq!(json["partial"], false);
        assert_eq!(json["duration_s"], 600.0);
        for section in [&json["whole"], &json["clients"]["fetcher"], &json["limits"]["crawler"]] {
            assert_eq!(section["attempts"], 4_800_000);
            assert_eq!(
                section["blocking_ratio"],
                json!({"mean": 0.3302, "lo": 0.3294, "hi": 0.331})
            );
            assert_eq!(section["first_blocked_s"]["median"], 41.0);
            assert_eq!(section["first_blocked_s"]["share_of_replications"], 1.0);
            assert_eq!(section["intervals"]["utilisation"]["hi"], 0.965);
            assert_eq!(section["binds"]["crawler"], json!({"blocked": 1_585_000, "share": 1.0}));
            assert_eq!(section["num_ephemeral"], 16_384);
            assert_eq!(section["refusals"], json!({"connect:EADDRNOTAVAIL": 1_585_000}));
            assert_eq!((&section["tuple_taken"], &section["unanswered"]), (&json!(0), &json!(0)));
            assert_eq!(section["mean_established"], 60.5);
            assert_eq!(section["intervals"]["mean_closing"]["hi"], 0.0);
        }
        assert_eq!(json["limits"]["crawler"]["probes"]["p50"], 2.0);
        assert_eq!(json["limits"]["crawler"]["theory"]["offered_load_erl"], 24_489.6);
        assert_eq!(json["whole"]["theory"], json["limits"]["crawler"]["theory"]);
        assert_eq!(
            json["expectations"][0],
            json!({
                "scope": "whole", "metric": "blocking_ratio", "never": false, "min": null,
                "max": 0.25, "value": 0.3302, "lo": 0.3294, "hi": 0.331, "verdict": "broken"
            })
        );
    }

    #[test]
    fn what_was_not_recorded_is_null_and_not_zero() {
        let (_, json) = summary();
        assert_eq!(json["clients"]["fetcher"]["probes"], Parsed::Null);
        assert_eq!(json["limits"]["crawler"]["theory"]["engset"], Parsed::Null);
    }

    #[test]
    fn search_times_stand_there_only_where_a_search_has_a_cost() {
        let (scenario, mut outcome) = samples::overloaded();
        let json = |outcome: &Outcome| {
            let text = Summary::new(&scenario, outcome, &[]).to_json();
            serde_json::from_str::<Parsed>(&text).unwrap()
        };
        assert_eq!(json(&outcome)["whole"].get("search_s"), None);
        samples::give_search_cost(&mut outcome);
        let json = json(&outcome);
        assert_eq!(json["limits"]["crawler"]["search_s"]["p50"], 14.07e-6);
        assert_eq!(json["whole"]["search_s"], json["limits"]["crawler"]["search_s"]);
        assert!(json["whole"]["search_core_share"].as_f64().is_some_and(|share| share > 0.0));
        assert_eq!(json["clients"]["fetcher"].get("search_core_share"), None);
    }

    #[test]
    fn keys_keep_their_order_and_the_text_ends_in_a_line_feed() {
        let (text, _) = summary();
        let places: Vec<usize> =
            ["\"scenario\"", "\"seed\"", "\"whole\"", "\"clients\"", "\"limits\""]
                .iter()
                .map(|key| text.find(key).unwrap())
                .collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn several_scenarios_are_one_document() {
        let (scenario, outcome) = samples::holding();
        let summary = Summary::new(&scenario, &outcome, &[]);
        let text = many_to_json(&[summary.clone(), summary]);
        let json: Parsed = serde_json::from_str(&text).unwrap();
        assert_eq!(json["scenarios"].as_array().unwrap().len(), 2);
        assert_eq!(json["scenarios"][1]["whole"]["first_blocked_s"], Parsed::Null);
    }
}
