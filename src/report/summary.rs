//! `summary.json`: the figures of one scenario, byte for byte the same for the same seed.
//!
//! Only values of the outcome go in; what differs from run to run is in [`super::record`]. Objects
//! keep the order of the scenario, floats are the shortest text that reads back the same.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::report::expectations::{self, Checked, Verdict};
use crate::scenario::{Bound, Scenario};
use crate::stats::{Estimate, Figures, LimitFigures, Moments, Outcome, Quantiles};
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

/// An object whose keys come in the order of the scenario.
#[derive(Clone, Debug)]
struct InOrder<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for InOrder<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
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
    blocking_ratio: Interval,
    first_blocked_s: Option<Moment>,
    recovered_s: Option<Moment>,
    blocked_time_share: f64,
    peak_in_use: u64,
    mean_in_use: f64,
    mean_time_wait: f64,
    num_ephemeral: u64,
    capacity: u64,
    utilisation: f64,
    intervals: Intervals,
    episodes: f64,
    longest_episode_s: f64,
    probes: Option<Spectrum>,
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
        let only_theory = match &outcome.limits[..] {
            [limit] => Some(Theory::from(&limit.theory)),
            _ => None,
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
            whole: Section {
                theory: only_theory,
                ..Section::new(&outcome.whole, binds_of(&outcome.limits))
            },
            clients: InOrder(outcome.clients.iter().map(client_section).collect()),
            limits: InOrder(outcome.limits.iter().map(limit_section).collect()),
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

/// Any of our own types as indented JSON with a line feed at the end.
pub(super) fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain structs are always JSON");
    text.push('\n');
    text
}

fn client_section(client: &crate::stats::ClientFigures) -> (String, Section) {
    let figures = &client.figures;
    let binds = vec![(client.host.clone(), Bind::of(figures.blocked, figures.blocked))];
    let section = Section { host: Some(client.host.clone()), ..Section::new(figures, binds) };
    (client.name.clone(), section)
}

fn limit_section(limit: &LimitFigures) -> (String, Section) {
    let section = Section {
        machines: Some(limit.machines),
        theory: Some(Theory::from(&limit.theory)),
        ..Section::new(&limit.figures, binds_of(std::slice::from_ref(limit)))
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
    fn new(figures: &Figures, binds: Vec<(String, Bind)>) -> Self {
        Self {
            host: None,
            machines: None,
            attempts: figures.attempts,
            opened: figures.opened,
            blocked: figures.blocked,
            blocking_ratio: figures.blocking_ratio.into(),
            first_blocked_s: figures.first_blocked.map(Moment::from),
            recovered_s: figures.recovered.map(Moment::from),
            blocked_time_share: figures.blocked_time_share.mean,
            peak_in_use: figures.peak_in_use,
            mean_in_use: figures.mean_in_use.mean,
            mean_time_wait: figures.mean_time_wait.mean,
            num_ephemeral: figures.num_ephemeral,
            capacity: figures.capacity,
            utilisation: figures.utilisation.mean,
            intervals: Intervals {
                blocked_time_share: figures.blocked_time_share.into(),
                mean_in_use: figures.mean_in_use.into(),
                mean_time_wait: figures.mean_time_wait.into(),
                utilisation: figures.utilisation.into(),
                episodes: figures.episodes.into(),
            },
            episodes: figures.episodes.mean,
            longest_episode_s: figures.longest_episode.as_secs_f64(),
            probes: Spectrum::of(&figures.probes),
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
