//! `summary.json`: the figures of one scenario, byte for byte the same for the same seed.
//!
//! Only values of the outcome go in; what differs from run to run is in [`super::record`]. Objects
//! keep the order of the scenario, floats are the shortest text that reads back the same.

use crate::report::expectations::{self, Checked, Verdict};
use crate::report::json::{InOrder, pretty};
use crate::report::reasons::{self, Count, Platform};
use crate::scenario::{Bound, Scenario};
use crate::search::SearchTime;
use crate::stats::{ClientFigures, Estimate, Figures, LimitFigures, Moments, Outcome, Quantiles};
use crate::theory::Expected;

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
    whole: Section,
    clients: InOrder<Section>,
    limits: InOrder<Section>,
    expectations: Vec<ExpectationRow>,
}

/// The figures of the whole, a client or a limit.
#[derive(Clone, Debug, serde::Serialize)]
struct Section {
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machines: Option<u32>,
    attempts: u64,
    opened: u64,
    blocked: u64,
    /// What was blocked, by reason: on Linux `call:ERROR`, of other platforms the call alone. What
    /// did not happen is left out.
    refusals: InOrder<u64>,
    /// Those of `connect` whose port was bound, but taken towards the same destination.
    tuple_taken: u64,
    /// Opened, then given up because nobody answered (ETIMEDOUT).
    unanswered: u64,
    blocking_ratio: Interval,
    first_blocked_s: Option<Moment>,
    recovered_s: Option<Moment>,
    blocked_time_share: f64,
    peak_in_use: u64,
    /// Ports that are held in any state: the sum of the four that follow.
    mean_in_use: f64,
    mean_connecting: f64,
    mean_established: f64,
    mean_closing: f64,
    mean_time_wait: f64,
    num_ephemeral: u64,
    capacity: u64,
    utilisation: f64,
    intervals: Intervals,
    episodes: f64,
    longest_episode_s: f64,
    probes: Option<Spectrum>,
    /// Seconds that one attempt searches; with `search_cost` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    search_s: Option<Spectrum>,
    /// Seconds of searching a second on one machine, the share of one core; with `search_cost` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    search_core_share: Option<f64>,
    reuse_interval_s: Option<Spectrum>,
    binds: InOrder<Bind>,
    theory: Option<Theory>,
}

#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Interval {
    mean: f64,
    lo: f64,
    hi: f64,
}

#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Moment {
    median: f64,
    lo: f64,
    hi: f64,
    earliest: f64,
    latest: f64,
    share_of_replications: f64,
}

/// The 95 % intervals of the figures that stand as plain numbers.
#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Intervals {
    blocked_time_share: Interval,
    mean_in_use: Interval,
    mean_connecting: Interval,
    mean_established: Interval,
    mean_closing: Interval,
    mean_time_wait: Interval,
    utilisation: Interval,
    episodes: Interval,
}

#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Spectrum {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

/// How much one limit blocked, and its share of all that was blocked.
#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Bind {
    blocked: u64,
    share: f64,
}

#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Theory {
    offered_load_erl: Option<f64>,
    erlang_b: Option<f64>,
    engset: Option<f64>,
    sustainable_rate_per_s: Option<f64>,
    fill_time_s: Option<f64>,
    mean_hold_s: Option<f64>,
    offered_rate_per_s: Option<f64>,
}

#[derive(Clone, Debug, serde::Serialize)]
struct ExpectationRow {
    scope: String,
    metric: &'static str,
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
        let limits = outcome.limits.iter().map(|limit| limit_section(scenario, outcome, limit));
        let limits: Vec<(String, Section)> = limits.collect();
        let whole = Section::new(
            &outcome.whole,
            reasons::of_whole(scenario, outcome),
            binds_of(&outcome.limits),
        );
        // Of one limit, what is said of it is true of the whole.
        let whole = match &limits[..] {
            [(_, only)] => Section {
                theory: only.theory,
                search_s: only.search_s,
                search_core_share: only.search_core_share,
                ..whole
            },
            _ => whole,
        };
        Self {
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            seed: outcome.seed,
            replications: outcome.replications,
            version: env!("CARGO_PKG_VERSION"),
            partial: outcome.partial,
            duration_s: outcome.duration.as_secs_f64(),
            warm_up_s: outcome.warm_up.as_secs_f64(),
            whole,
            clients: InOrder(
                outcome.clients.iter().map(|client| client_section(scenario, client)).collect(),
            ),
            limits: InOrder(limits),
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

fn client_section(scenario: &Scenario, client: &ClientFigures) -> (String, Section) {
    let figures = &client.figures;
    let refusals = Platform::of(scenario, &client.host).counts(figures);
    let binds = vec![(client.host.clone(), Bind::of(figures.blocked, figures.blocked))];
    let section =
        Section { host: Some(client.host.clone()), ..Section::new(figures, refusals, binds) };
    (client.name.clone(), section)
}

fn limit_section(
    scenario: &Scenario,
    outcome: &Outcome,
    limit: &LimitFigures,
) -> (String, Section) {
    let refusals = Platform::of(scenario, &limit.name).counts(&limit.figures);
    let search = SearchTime::of_limit(&scenario.world, outcome, limit);
    let section = Section {
        machines: Some(limit.machines),
        theory: Some(Theory::from(&limit.theory)),
        search_s: search.map(Spectrum::from),
        search_core_share: search.map(|search| search.core_share),
        ..Section::new(&limit.figures, refusals, binds_of(std::slice::from_ref(limit)))
    };
    (limit.name.clone(), section)
}

fn binds_of(limits: &[LimitFigures]) -> Vec<(String, Bind)> {
    let all = limits.iter().map(|limit| limit.figures.blocked).sum();
    limits.iter().map(|l| (l.name.clone(), Bind::of(l.figures.blocked, all))).collect()
}

impl Bind {
    fn of(blocked: u64, all: u64) -> Self {
        Self { blocked, share: if all == 0 { 0.0 } else { blocked as f64 / all as f64 } }
    }
}

impl Section {
    fn new(figures: &Figures, refusals: Vec<Count>, binds: Vec<(String, Bind)>) -> Self {
        let refusals = refusals.into_iter().map(|(name, count)| (name.to_owned(), count));
        Self {
            host: None,
            machines: None,
            attempts: figures.attempts,
            opened: figures.opened,
            blocked: figures.blocked,
            refusals: InOrder(refusals.collect()),
            tuple_taken: reasons::tuple_taken(figures),
            unanswered: figures.unanswered,
            blocking_ratio: figures.blocking_ratio.into(),
            first_blocked_s: figures.first_blocked.map(Moment::from),
            recovered_s: figures.recovered.map(Moment::from),
            blocked_time_share: figures.blocked_time_share.mean,
            peak_in_use: figures.peak_in_use,
            mean_in_use: figures.mean_in_use.mean,
            mean_connecting: figures.mean_connecting.mean,
            mean_established: figures.mean_established.mean,
            mean_closing: figures.mean_closing.mean,
            mean_time_wait: figures.mean_time_wait.mean,
            num_ephemeral: figures.num_ephemeral,
            capacity: figures.capacity,
            utilisation: figures.utilisation.mean,
            intervals: Intervals {
                blocked_time_share: figures.blocked_time_share.into(),
                mean_in_use: figures.mean_in_use.into(),
                mean_connecting: figures.mean_connecting.into(),
                mean_established: figures.mean_established.into(),
                mean_closing: figures.mean_closing.into(),
                mean_time_wait: figures.mean_time_wait.into(),
                utilisation: figures.utilisation.into(),
                episodes: figures.episodes.into(),
            },
            episodes: figures.episodes.mean,
            longest_episode_s: figures.longest_episode.as_secs_f64(),
            probes: Spectrum::of(&figures.probes),
            search_s: None,
            search_core_share: None,
            reuse_interval_s: Spectrum::of(&figures.reuse_interval),
            binds: InOrder(binds),
            theory: None,
        }
    }
}

impl From<Estimate> for Interval {
    fn from(Estimate { mean, lo, hi }: Estimate) -> Self {
        Self { mean, lo, hi }
    }
}

impl From<Moments> for Moment {
    fn from(m: Moments) -> Self {
        Self {
            median: m.median,
            lo: m.lo,
            hi: m.hi,
            earliest: m.earliest,
            latest: m.latest,
            share_of_replications: m.share_of_replications,
        }
    }
}

impl Spectrum {
    /// `None` where nothing was recorded: zeros would pass for measured ones.
    fn of(q: &Quantiles) -> Option<Self> {
        let Quantiles { p50, p90, p99, max, .. } = *q;
        (!q.histogram.is_empty()).then_some(Self { p50, p90, p99, max })
    }
}

impl From<SearchTime> for Spectrum {
    fn from(search: SearchTime) -> Self {
        Self { p50: search.p50, p90: search.p90, p99: search.p99, max: search.max }
    }
}

impl From<&Expected> for Theory {
    fn from(expected: &Expected) -> Self {
        Self {
            offered_load_erl: expected.offered_load_erl,
            erlang_b: expected.erlang_b,
            engset: expected.engset,
            sustainable_rate_per_s: expected.sustainable_rate_per_s,
            fill_time_s: expected.fill_time_s,
            mean_hold_s: expected.mean_hold_s,
            offered_rate_per_s: expected.offered_rate_per_s,
        }
    }
}

impl From<&Checked> for ExpectationRow {
    fn from(checked: &Checked) -> Self {
        let (never, min, max) = match checked.expectation.bound {
            Bound::Never => (true, None, None),
            Bound::Within { min, max } => (false, min, max),
        };
        Self {
            scope: expectations::scope_key(&checked.expectation.scope),
            metric: expectations::metric_key(checked.expectation.metric),
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
    use serde_json::{Value, json};

    use super::*;
    use crate::report::samples;

    fn summary() -> (String, Value) {
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
        assert_eq!(json["clients"]["fetcher"]["probes"], Value::Null);
        assert_eq!(json["limits"]["crawler"]["theory"]["engset"], Value::Null);
    }

    #[test]
    fn search_times_stand_there_only_where_a_search_has_a_cost() {
        let (mut scenario, outcome) = samples::overloaded();
        let json = |scenario: &Scenario| {
            let text = Summary::new(scenario, &outcome, &[]).to_json();
            serde_json::from_str::<Value>(&text).unwrap()
        };
        assert_eq!(json(&scenario)["whole"].get("search_s"), None);
        scenario.world.hosts[0].search_cost = Some(samples::search_cost());
        let json = json(&scenario);
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
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["scenarios"].as_array().unwrap().len(), 2);
        assert_eq!(json["scenarios"][1]["whole"]["first_blocked_s"], Value::Null);
    }
}
