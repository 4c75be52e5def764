//! What to check before trusting the figures. Few, and each says what to do.

use crate::model::{Replications, Start};
use crate::numbers::{count, percent, percent_with_interval};
use crate::report::expectations::{Checked, Verdict};
use crate::scenario::Scenario;
use crate::stats::{LimitFigures, Outcome};
use crate::theory::starts_steady;

/// An interval wider than this share of the ratio, to either side, is worth a word.
const WIDE: f64 = 0.25;

/// A filling up that takes less of the run changes a mean by less than most bounds leave room for.
const FILLING: f64 = 0.2;

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
            "the blocking ratio is only known as {}; more replications or a longer \
             run.duration narrow it",
            percent_with_interval(ratio.mean, ratio.lo, ratio.hi, true)
        ));
    }
    if let Replications::Precision(wanted) = scenario.settings.replications
        && !outcome.partial
        && half > wanted * ratio.mean
    {
        doubts.push(format!(
            "the precision asked for, {} of the blocking ratio, was not reached in {} \
             replications: it is known to {} of itself; a longer run.duration helps more",
            percent(wanted),
            count(u64::from(outcome.replications)),
            percent(half / ratio.mean)
        ));
    }
    let filling = filling_s(scenario, outcome).map(|s| s / outcome.duration.as_secs_f64());
    if let Some(share) = filling.filter(|&share| share > FILLING)
        && asks_for_steady_state(checked)
    {
        let or =
            if can_start_stationary(scenario) { ", or set run.start = \"stationary\"" } else { "" };
        doubts.push(format!(
            "what is expected of the steady state is measured with the filling up from empty \
             ({} of the run) in it; leave that out with run.warm_up{or}",
            percent(share)
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
    checked.iter().any(|one| one.expectation.metric.figure.steady)
}

/// Is there a steady state that is known in advance? The scenario reader asks the same of a file
/// that says `start = "stationary"`.
fn can_start_stationary(scenario: &Scenario) -> bool {
    let world = &scenario.world;
    world.gateways.is_empty() && world.hosts.iter().all(|host| starts_steady(world, host))
}

/// Seconds in which the ports in use still rise from nothing, where the figures include them: one
/// hold time, or until full. `None` where nothing is known to fill.
#[must_use]
pub fn filling_s(scenario: &Scenario, outcome: &Outcome) -> Option<f64> {
    if scenario.settings.start != Start::Empty || !outcome.warm_up.is_zero() {
        return None;
    }
    let of_limit = |limit: &LimitFigures| {
        let hold = limit.theory.mean_hold_s?;
        Some(limit.theory.fill_time_s.map_or(hold, |fill| fill.min(hold)))
    };
    let longest = outcome.limits.iter().filter_map(of_limit).reduce(f64::max)?;
    (longest > 0.0).then_some(longest.min(outcome.duration.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ending;
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
    fn a_precision_that_was_not_reached_is_told() {
        let (mut scenario, mut outcome) = samples::overloaded();
        outcome.whole.blocking_ratio = Estimate { mean: 0.3, lo: 0.29, hi: 0.31 };
        scenario.settings.replications = Replications::Precision(0.05);
        assert!(!doubts(&outcome, &scenario).contains("precision"));
        scenario.settings.replications = Replications::Precision(0.01);
        let told = doubts(&outcome, &scenario);
        assert!(told.contains("was not reached") && told.contains("3.3 %"), "{told}");
    }

    #[test]
    fn a_wide_interval_is_told_with_its_ends() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.whole.blocking_ratio = Estimate { mean: 0.01, lo: 0.005, hi: 0.015 };
        assert!(doubts(&outcome, &scenario).contains("1.0 % (0.5-1.5)"));
    }

    #[test]
    fn a_steady_figure_that_includes_the_filling_is_doubted() {
        let (mut scenario, mut outcome) = samples::overloaded();
        assert_eq!(doubts(&outcome, &scenario), "", "6.8 % of the run");
        outcome.duration = SimDuration::from_secs(100);
        let told = doubts(&outcome, &scenario);
        assert!(told.contains("(41 % of the run)"), "{told}");
        assert!(told.contains("stationary"), "{told}");
        scenario.world.hosts[0].clients[0].closes = vec![(Ending::Never, 1.0)];
        let told = doubts(&outcome, &scenario);
        assert!(told.contains("run.warm_up") && !told.contains("stationary"), "{told}");
        scenario.expectations.clear();
        assert_eq!(doubts(&outcome, &scenario), "", "nothing is asked of the steady state");
    }
}
