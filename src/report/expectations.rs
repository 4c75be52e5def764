//! `[expect]` held against what came out.
//!
//! A figure of a simulation has an interval, and the interval decides: all of it inside the bounds
//! is held, all of it outside is broken, and one that straddles a bound proves neither.

use serde::Serialize;

use super::words;
use crate::numbers;
use crate::scenario::{Bound, Expectation, Scenario, Scope};
use crate::stats::{ClientFigures, LimitFigures, Metric, Outcome, Reading, Subject, Unit};
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

/// One expectation with its figure and verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// What was expected.
    pub expectation: Expectation,
    /// What came out; `None` when it never happened.
    pub measured: Option<Reading>,
    /// Whether the one keeps to the other.
    pub verdict: Verdict,
}

/// Holds every expectation of `scenario` against `outcome`, in the order of the file.
#[must_use]
pub fn check(scenario: &Scenario, outcome: &Outcome) -> Vec<Checked> {
    scenario.expectations.iter().map(|expectation| check_one(expectation, outcome)).collect()
}

fn check_one(expectation: &Expectation, outcome: &Outcome) -> Checked {
    let subject = subject(&expectation.scope, outcome);
    let measured = subject.as_ref().and_then(|subject| expectation.metric.of(subject));
    let verdict = match expectation.bound {
        Bound::Never if measured.is_none() && subject.is_some() => Verdict::Held,
        Bound::Never => Verdict::Broken,
        Bound::Within { min, max } => judge(measured, min, max),
    };
    Checked { expectation: expectation.clone(), measured, verdict }
}

/// What `scope` speaks of; `None` for a name that the outcome does not have.
fn subject<'a>(scope: &Scope, outcome: &'a Outcome) -> Option<Subject<'a>> {
    match scope {
        Scope::Whole => Some(outcome.subject()),
        Scope::Client(name) => outcome.client(name).map(ClientFigures::subject),
        Scope::Host(name) | Scope::Gateway(name) => outcome.limit(name).map(LimitFigures::subject),
    }
}

fn judge(measured: Option<Reading>, min: Option<f64>, max: Option<f64>) -> Verdict {
    let Some(Reading { value, lo, hi }) = measured else { return Verdict::Broken };
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
        Scope::Gateway(name) => format!("gateway.{name}"),
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
        format!("{scope}{} {wanted}; {}", metric.name(), self.came_out())
    }

    /// What came out alone: `whole: peak_in_use 28,232 ports`.
    #[must_use]
    pub fn simulated(&self) -> String {
        let Expectation { scope, metric, .. } = &self.expectation;
        let scope = match scope {
            Scope::Whole => String::new(),
            named => format!("{} ", scope_key(named)),
        };
        let found = match self.measured {
            None if metric.figure.unit == Unit::Time => "never".to_owned(),
            None => "nothing".to_owned(),
            Some(Reading { value, .. }) => shown(*metric, value),
        };
        format!("{scope}{} {found}", metric.name())
    }

    fn came_out(&self) -> String {
        let metric = self.expectation.metric;
        match self.measured {
            None if metric.figure.unit == Unit::Time => "it never happened".to_owned(),
            None => "nothing was recorded".to_owned(),
            Some(Reading { value, lo, hi }) if lo == hi => {
                format!("it is {}", shown(metric, value))
            }
            Some(Reading { value, lo, hi }) => {
                // The ends decide, so they are told with the digits of the bounds. No metric can be
                // negative, though an interval by the normal law can.
                let [value, lo, hi] = [value, lo.max(0.0), hi].map(|v| shown(metric, v));
                format!("it is {value} (95 %: {lo} to {hi})")
            }
        }
    }
}

/// A bound of `metric` as its author would write it: exact, where a figure has three digits.
fn written(metric: Metric, bound: f64) -> String {
    match metric.figure.unit {
        Unit::Time => SimDuration::from_secs_f64(bound).to_string(),
        _ => shown(metric, bound),
    }
}

/// A value of `metric` with its unit, a share with one digit more than in a table: it is compared.
fn shown(metric: Metric, value: f64) -> String {
    match metric.figure.unit {
        Unit::Share | Unit::ShareOf(_) => numbers::fine_percent(value),
        Unit::Of(things) => format!("{} {things}", numbers::amount(value)),
        unit => words::number(unit, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use crate::stats::Estimate;

    fn metric(name: &str) -> Metric {
        Metric::named(name).unwrap()
    }

    fn ratio_between(min: Option<f64>, max: Option<f64>) -> Expectation {
        let bound = Bound::Within { min, max };
        Expectation { scope: Scope::Whole, metric: metric("blocking_ratio"), bound }
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
        let never = Expectation {
            scope: Scope::Whole,
            metric: metric("first_blocked"),
            bound: Bound::Never,
        };
        let mut outcome = samples::overloaded().1;
        assert_eq!(check_one(&never, &outcome).verdict, Verdict::Broken);
        outcome.whole.first_blocked = None;
        assert_eq!(check_one(&never, &outcome).verdict, Verdict::Held);
    }

    #[test]
    fn a_moment_that_never_came_breaks_its_bounds() {
        let within = Expectation {
            scope: Scope::Whole,
            metric: metric("first_blocked"),
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
        assert!(subject(&Scope::Host("crawler".into()), &outcome).is_some());
        assert!(subject(&Scope::Client("fetcher".into()), &outcome).is_some());
        assert!(subject(&Scope::Client("crawler".into()), &outcome).is_none());
    }
}
