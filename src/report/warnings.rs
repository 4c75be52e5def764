//! What to check before trusting the figures. Few, and each says what to do.

use crate::model::Start;
use crate::report::expectations::{Checked, Verdict};
use crate::report::numbers::{fine_percent, percent};
use crate::scenario::{Metric, Scenario};
use crate::stats::Outcome;

/// An interval wider than this share of the ratio, to either side, is worth a word.
const WIDE: f64 = 0.25;

/// The doubts that `outcome` leaves, most serious first.
#[must_use]
pub fn about(scenario: &Scenario, outcome: &Outcome, checked: &[Checked]) -> Vec<String> {
    let mut doubts = Vec::new();
    if outcome.replications == 1 {
        doubts.push(
            "one replication only, so no figure has an interval; \
             ask for more with --replications 20"
                .to_owned(),
        );
    }
    let ratio = outcome.whole.blocking_ratio;
    let half = (ratio.hi - ratio.lo) / 2.0;
    if outcome.replications > 1 && ratio.mean > 0.0 && half > WIDE * ratio.mean {
        doubts.push(format!(
            "the blocking ratio is only known as {} to {}; more replications or a longer \
             run.duration narrow it",
            fine_percent(ratio.lo.max(0.0)),
            fine_percent(ratio.hi)
        ));
    }
    if asks_for_steady_state(checked) && fills_from_empty(scenario, outcome) {
        doubts.push(format!(
            "the figures include the filling up from empty ({} of the run); for the steady state \
             set run.warm_up, or run.start = \"stationary\"",
            percent(filling_share(outcome).unwrap_or(0.0))
        ));
    }
    if checked.iter().any(|one| one.verdict == Verdict::Inconclusive) {
        doubts.push(
            "an expectation is inconclusive: its interval straddles the bound; \
             more replications would decide it"
                .to_owned(),
        );
    }
    doubts
}

fn asks_for_steady_state(checked: &[Checked]) -> bool {
    use Metric::{BlockingRatio, MeanInUse, MeanTimeWait, Utilisation};
    checked.iter().any(|one| {
        matches!(one.expectation.metric, BlockingRatio | MeanInUse | MeanTimeWait | Utilisation)
    })
}

fn fills_from_empty(scenario: &Scenario, outcome: &Outcome) -> bool {
    scenario.settings.start == Start::Empty
        && outcome.warm_up.is_zero()
        && filling_share(outcome).is_some_and(|share| share > 0.05)
}

/// How much of the run passes before the ports in use stop rising: one hold time, or until full.
fn filling_share(outcome: &Outcome) -> Option<f64> {
    let filling = outcome
        .limits
        .iter()
        .filter_map(|limit| {
            let hold = limit.theory.mean_hold_s?;
            Some(limit.theory.fill_time_s.map_or(hold, |fill| fill.min(hold)))
        })
        .fold(None, |most: Option<f64>, s| Some(most.map_or(s, |m| m.max(s))))?;
    Some((filling / outcome.duration.as_secs_f64()).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{expectations, samples};
    use crate::stats::Estimate;
    use crate::units::SimDuration;

    fn doubts(outcome: &Outcome, scenario: &Scenario) -> String {
        about(scenario, outcome, &expectations::check(scenario, outcome)).join("\n")
    }

    #[test]
    fn a_sound_run_raises_no_doubt() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.warm_up = SimDuration::from_secs(120);
        assert_eq!(doubts(&outcome, &scenario), "");
    }

    #[test]
    fn one_replication_has_no_interval() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.replications = 1;
        assert!(doubts(&outcome, &scenario).contains("--replications 20"));
    }

    #[test]
    fn a_wide_interval_is_told_with_its_ends() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.whole.blocking_ratio = Estimate { mean: 0.01, lo: 0.005, hi: 0.015 };
        assert!(doubts(&outcome, &scenario).contains("0.500 % to 1.50 %"));
    }

    #[test]
    fn a_steady_figure_that_includes_the_filling_is_doubted() {
        let (scenario, outcome) = samples::overloaded();
        assert!(doubts(&outcome, &scenario).contains("(6.8 % of the run)"));
    }
}
