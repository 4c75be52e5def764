//! `[expect]` held against what came out.
//!
//! A figure of a simulation has an interval, and the interval decides: all of it inside the bounds
//! is held, all of it outside is broken, and one that straddles a bound proves neither.

use serde::Serialize;

use crate::numbers;
use crate::scenario::{Bound, Expectation, Metric, Scenario, Scope};
use crate::stats::{Estimate, Figures, Moments, Outcome};
use crate::units::SimDuration;

/// What became of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The figure and its whole interval keep the bounds.
    Held,
    /// The whole interval is outside the bounds, or there is no figure.
    Broken,
    /// The interval straddles a bound: more replications would tell.
    Inconclusive,
}

impl Verdict {
    /// For people: `held`, `NOT held`, `inconclusive`.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "NOT held",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The figure itself.
    pub value: f64,
    /// Lower end of the interval; the value where there is none.
    pub lo: f64,
    /// Upper end, likewise.
    pub hi: f64,
}

/// One expectation with its figure and verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// What was expected.
    pub expectation: Expectation,
    /// What came out; `None` when it never happened.
    pub measured: Option<Measured>,
    /// Whether the one keeps to the other.
    pub verdict: Verdict,
}

/// Holds every expectation of `scenario` against `outcome`, in the order of the file.
#[must_use]
pub fn check(scenario: &Scenario, outcome: &Outcome) -> Vec<Checked> {
    scenario.expectations.iter().map(|expectation| check_one(expectation, outcome)).collect()
}

fn check_one(expectation: &Expectation, outcome: &Outcome) -> Checked {
    let figures = figures_of(&expectation.scope, outcome);
    let measured = figures.and_then(|figures| measure(figures, expectation.metric));
    let verdict = match expectation.bound {
        Bound::Never if measured.is_none() && figures.is_some() => Verdict::Held,
        Bound::Never => Verdict::Broken,
        Bound::Within { min, max } => judge(measured, min, max),
    };
    Checked { expectation: expectation.clone(), measured, verdict }
}

/// The figures that `scope` speaks of; `None` for a name that the outcome does not have.
fn figures_of<'a>(scope: &Scope, outcome: &'a Outcome) -> Option<&'a Figures> {
    match scope {
        Scope::Whole => Some(&outcome.whole),
        Scope::Client(name) => {
            outcome.clients.iter().find(|client| client.name == *name).map(|c| &c.figures)
        }
        Scope::Host(name) => {
            outcome.limits.iter().find(|limit| limit.name == *name).map(|l| &l.figures)
        }
    }
}

fn measure(figures: &Figures, metric: Metric) -> Option<Measured> {
    let point = |value| Some(Measured { value, lo: value, hi: value });
    let estimate = |e: Estimate| Some(Measured { value: e.mean, lo: e.lo, hi: e.hi });
    let moments = |m: Moments| Measured { value: m.median, lo: m.lo, hi: m.hi };
    match metric {
        Metric::FirstBlocked => figures.first_blocked.map(moments),
        Metric::Recovered => figures.recovered.map(moments),
        Metric::BlockingRatio => estimate(figures.blocking_ratio),
        Metric::BlockedTimeShare => estimate(figures.blocked_time_share),
        Metric::PeakInUse => point(figures.peak_in_use as f64),
        Metric::MeanInUse => estimate(figures.mean_in_use),
        Metric::MeanTimeWait => estimate(figures.mean_time_wait),
        Metric::Utilisation => estimate(figures.utilisation),
        Metric::Episodes => estimate(figures.episodes),
        Metric::ProbesP99 => point(figures.probes.p99),
    }
}

fn judge(measured: Option<Measured>, min: Option<f64>, max: Option<f64>) -> Verdict {
    let Some(Measured { value, lo, hi }) = measured else { return Verdict::Broken };
    if value.is_nan() {
        return Verdict::Broken;
    }
    let (min, max) = (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY));
    if min <= lo && hi <= max {
        Verdict::Held
    } else if hi < min || max < lo {
        Verdict::Broken
    } else {
        Verdict::Inconclusive
    }
}

/// The scope as a key of the scenario has it: `whole`, `client.fetcher`, `host.crawler`.
#[must_use]
pub fn scope_key(scope: &Scope) -> String {
    match scope {
        Scope::Whole => "whole".to_owned(),
        Scope::Client(name) => format!("client.{name}"),
        Scope::Host(name) => format!("host.{name}"),
    }
}

/// The metric as `[expect]` has it: `first_blocked`.
#[must_use]
pub const fn metric_key(metric: Metric) -> &'static str {
    match metric {
        Metric::FirstBlocked => "first_blocked",
        Metric::Recovered => "recovered",
        Metric::BlockingRatio => "blocking_ratio",
        Metric::BlockedTimeShare => "blocked_time_share",
        Metric::PeakInUse => "peak_in_use",
        Metric::MeanInUse => "mean_in_use",
        Metric::MeanTimeWait => "mean_time_wait",
        Metric::Utilisation => "utilisation",
        Metric::Episodes => "episodes",
        Metric::ProbesP99 => "probes_p99",
    }
}

impl Checked {
    /// What was expected and what came out, without the verdict: `blocking_ratio at most 25 %; it
    /// is 33.0 % (95 %: 32.9 % to 33.1 %)`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Expectation { scope, metric, bound } = &self.expectation;
        let scope = match scope {
            Scope::Whole => String::new(),
            named => format!("{} ", scope_key(named)),
        };
        let wanted = match *bound {
            Bound::Never => "never".to_owned(),
            Bound::Within { min: Some(min), max: Some(max) } => {
                format!("{} to {}", written(*metric, min), written(*metric, max))
            }
            Bound::Within { min: Some(min), max: None } => {
                format!("at least {}", written(*metric, min))
            }
            Bound::Within { min: None, max: Some(max) } => {
                format!("at most {}", written(*metric, max))
            }
            Bound::Within { min: None, max: None } => "anything".to_owned(),
        };
        format!("{scope}{} {wanted}; {}", metric_key(*metric), self.came_out())
    }

    fn came_out(&self) -> String {
        let metric = self.expectation.metric;
        match self.measured {
            None => "it never happened".to_owned(),
            Some(Measured { value, lo, hi }) if lo == hi => {
                format!("it is {}", shown(metric, value))
            }
            Some(Measured { value, lo, hi }) => {
                // No metric can be negative, though an interval by the normal law can.
                let [value, lo, hi] = [value, lo.max(0.0), hi].map(|v| shown(metric, v));
                format!("it is {value} (95 %: {lo} to {hi})")
            }
        }
    }
}

/// A bound of `metric` as its author would write it: exact, where a figure has three digits.
fn written(metric: Metric, bound: f64) -> String {
    match metric {
        Metric::FirstBlocked | Metric::Recovered => SimDuration::from_secs_f64(bound).to_string(),
        _ => shown(metric, bound),
    }
}

/// A value of `metric` with its unit.
fn shown(metric: Metric, value: f64) -> String {
    match metric {
        Metric::FirstBlocked | Metric::Recovered => numbers::span(value),
        Metric::BlockingRatio | Metric::BlockedTimeShare | Metric::Utilisation => {
            numbers::fine_percent(value)
        }
        Metric::PeakInUse | Metric::MeanInUse | Metric::MeanTimeWait => {
            format!("{} ports", numbers::amount(value))
        }
        Metric::Episodes => format!("{} episodes", numbers::amount(value)),
        Metric::ProbesP99 => format!("{} probes", numbers::amount(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn ratio_between(min: Option<f64>, max: Option<f64>) -> Expectation {
        let bound = Bound::Within { min, max };
        Expectation { scope: Scope::Whole, metric: Metric::BlockingRatio, bound }
    }

    fn verdict(expectation: &Expectation, ratio: (f64, f64, f64)) -> Verdict {
        let mut outcome = samples::overloaded().1;
        let (mean, lo, hi) = ratio;
        outcome.whole.blocking_ratio = Estimate { mean, lo, hi };
        check_one(expectation, &outcome).verdict
    }

    #[test]
    fn an_interval_inside_the_bounds_holds_and_bounds_are_inclusive() {
        let expectation = ratio_between(Some(0.2), Some(0.3));
        assert_eq!(verdict(&expectation, (0.25, 0.2, 0.3)), Verdict::Held);
    }

    #[test]
    fn an_interval_wholly_outside_is_broken() {
        let expectation = ratio_between(Some(0.2), Some(0.3));
        assert_eq!(verdict(&expectation, (0.35, 0.31, 0.39)), Verdict::Broken);
        assert_eq!(verdict(&expectation, (0.1, 0.05, 0.19)), Verdict::Broken);
    }

    #[test]
    fn an_interval_that_straddles_a_bound_proves_nothing() {
        let expectation = ratio_between(None, Some(0.3));
        assert_eq!(verdict(&expectation, (0.29, 0.27, 0.31)), Verdict::Inconclusive);
        assert_eq!(verdict(&expectation, (0.31, 0.29, 0.33)), Verdict::Inconclusive);
    }

    #[test]
    fn without_an_interval_the_point_decides() {
        let expectation = ratio_between(None, Some(0.3));
        assert_eq!(verdict(&expectation, (0.3, 0.3, 0.3)), Verdict::Held);
        assert_eq!(verdict(&expectation, (0.300_1, 0.300_1, 0.300_1)), Verdict::Broken);
    }

    #[test]
    fn never_is_broken_by_any_replication_that_blocked() {
        let never =
            Expectation { scope: Scope::Whole, metric: Metric::FirstBlocked, bound: Bound::Never };
        let mut outcome = samples::overloaded().1;
        assert_eq!(check_one(&never, &outcome).verdict, Verdict::Broken);
        outcome.whole.first_blocked = None;
        assert_eq!(check_one(&never, &outcome).verdict, Verdict::Held);
    }

    #[test]
    fn a_moment_that_never_came_breaks_its_bounds() {
        let within = Expectation {
            scope: Scope::Whole,
            metric: Metric::FirstBlocked,
            bound: Bound::Within { min: Some(46.0), max: None },
        };
        let mut outcome = samples::overloaded().1;
        outcome.whole.first_blocked = None;
        let checked = check_one(&within, &outcome);
        assert_eq!(checked.verdict, Verdict::Broken);
        assert_eq!(checked.in_words(), "first_blocked at least 46 s; it never happened");
    }

    #[test]
    fn an_expectation_is_told_with_units_and_interval() {
        let checked = check_one(&ratio_between(None, Some(0.25)), &samples::overloaded().1);
        assert_eq!(
            checked.in_words(),
            "blocking_ratio at most 25 %; it is 33.0 % (95 %: 32.9 % to 33.1 %)"
        );
    }

    #[test]
    fn scopes_find_their_figures_by_name() {
        let outcome = samples::overloaded().1;
        assert!(figures_of(&Scope::Host("crawler".into()), &outcome).is_some());
        assert!(figures_of(&Scope::Client("fetcher".into()), &outcome).is_some());
        assert!(figures_of(&Scope::Client("crawler".into()), &outcome).is_none());
    }
}
