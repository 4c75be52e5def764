//! The verdict: one sentence in plain words that says whether the ports last, when not, and why.

use crate::model::{Ending, Replications, World};
use crate::numbers::{count, percent, plural, rate, span, span_with_interval};
use crate::scenario::Scenario;
use crate::stats::{Figures, LimitFigures, Moments, Outcome, is_unusual};

/// Says what came out, with figures and intervals: `It holds: at most 17,321 of 28,232 ports in
/// use (61 %); it could sustain 461 / s.`
#[must_use]
pub fn sentence(scenario: &Scenario, outcome: &Outcome) -> String {
    let prefix = interrupted(scenario, outcome).unwrap_or_default();
    let Some(limit) = outcome.tightest() else {
        return format!("{prefix}Nothing to say: there is no host.");
    };
    let several = outcome.limits.len() > 1;
    let text = if limit.figures.attempts == 0 && limit.figures.first_blocked.is_none() {
        format!("Nothing was attempted in {}.", outcome.duration)
    } else if limit.figures.first_blocked.is_none() {
        holds(limit, outcome, several)
    } else if limit.figures.num_ephemeral == 0 {
        format!("{} has no usable port: every attempt is refused.", subject(scenario, limit))
    } else {
        runs_dry(scenario, outcome, limit)
    };
    prefix + &text
}

fn interrupted(scenario: &Scenario, outcome: &Outcome) -> Option<String> {
    if !outcome.partial {
        return None;
    }
    let done = count(outcome.replications.into());
    Some(match scenario.settings.replications {
        Replications::Fixed(planned) => {
            format!("Interrupted after {done} of {} replications: ", count(planned.into()))
        }
        Replications::Precision(_) => format!(
            "Interrupted after {}: ",
            plural(outcome.replications.into(), "replication", "replications")
        ),
    })
}

/// `49152-65535`, with the host's name where there is more than one.
fn subject(scenario: &Scenario, limit: &LimitFigures) -> String {
    let World { hosts, .. } = &scenario.world;
    let range = hosts.iter().find(|host| host.name == limit.name).map(|host| host.ports);
    match range {
        Some(range) if hosts.len() == 1 => range.to_string(),
        Some(range) => format!("{range} of {}", limit.name),
        None => limit.name.clone(),
    }
}

fn holds(limit: &LimitFigures, outcome: &Outcome, several: bool) -> String {
    let Figures { peak_in_use, num_ephemeral, capacity, .. } = limit.figures;
    let machines = u64::from(limit.machines).max(1);
    let on_one = capacity / machines;
    let share = if on_one == 0 { 0.0 } else { peak_in_use as f64 / on_one as f64 };
    // One port towards two destinations counts twice: say so when that is what the ceiling is.
    let ceiling = if on_one > num_ephemeral && num_ephemeral > 0 {
        format!(
            "{} places ({} x {} reuse keys)",
            count(on_one),
            plural(num_ephemeral, "port", "ports"),
            count(on_one / num_ephemeral)
        )
    } else {
        plural(on_one, "port", "ports")
    };
    let whose = if several { format!(" on {}", limit.name) } else { String::new() };
    let busiest = if machines > 1 {
        format!(", busiest of {} machines", count(machines))
    } else {
        String::new()
    };
    let sustains = match (limit.theory.sustainable_rate_per_s, limit.theory.offered_rate_per_s) {
        (Some(most), Some(offered)) if most.is_finite() && most < offered => format!(
            "; {} a machine is more than the {} it can sustain, but {} is too short to show it",
            rate(offered),
            rate(most),
            outcome.duration
        ),
        (Some(most), _) if most.is_finite() => {
            format!("; it could sustain {}{}", rate(most), each(machines))
        }
        _ => String::new(),
    };
    format!(
        "It holds: at most {} of {ceiling} in use{whose} ({}{busiest}){sustains}{}.",
        count(peak_in_use),
        percent(share),
        unanswered(&limit.figures)
    )
}

fn runs_dry(scenario: &Scenario, outcome: &Outcome, limit: &LimitFigures) -> String {
    let figures = &limit.figures;
    let moments = figures.first_blocked.expect("the caller has seen that it blocked");
    let who = subject(scenario, limit);
    let on_one = figures.capacity / u64::from(limit.machines).max(1);
    // With one reuse key the peak tells whether the range was really empty: some selections give
    // up while a port is still free.
    let gives_up = on_one == figures.num_ephemeral && figures.peak_in_use < on_one;
    let what = if gives_up { "refuses its first attempt" } else { "runs dry" };
    let though = if gives_up {
        format!(
            ", with at most {} of {} in use",
            count(figures.peak_in_use),
            plural(on_one, "port", "ports")
        )
    } else {
        String::new()
    };
    let offered = limit.theory.offered_rate_per_s;
    let at = offered.map(|r| format!(" at {}{}", rate(r), each(limit.machines.into())));
    format!(
        "{who} {what} {}{}{though}: {}{}{}{}{}.",
        when(moments, outcome),
        at.unwrap_or_default(),
        refused(figures, outcome),
        errors(limit),
        recovery(figures, outcome),
        unanswered(figures),
        remedy(scenario, limit)
    )
}

fn each(machines: u64) -> &'static str {
    if machines > 1 { " a machine" } else { "" }
}

fn when(moments: Moments, outcome: &Outcome) -> String {
    let Moments { median, lo, hi, share_of_replications: share, .. } = moments;
    let moment = if median == 0.0 && lo == hi {
        "at once".to_owned()
    } else {
        format!("after {}", span_with_interval(median, lo, hi))
    };
    if share < 1.0 {
        let hit = (share * f64::from(outcome.replications)).round() as u64;
        let all = count(outcome.replications.into());
        format!("in {} of {all} replications, {moment}", count(hit))
    } else {
        moment
    }
}

fn refused(figures: &Figures, outcome: &Outcome) -> String {
    if figures.blocked > 0 {
        return format!("{} of attempts are refused", percent(figures.blocking_ratio.mean));
    }
    format!("only in the warm-up, after {} none are refused", outcome.warm_up)
}

/// The calls that refuse and their errors, where that is not a plain `connect()`.
fn errors(limit: &LimitFigures) -> String {
    let counts = limit.subject().refusals();
    if !is_unusual(&counts) {
        return String::new();
    }
    let names: Vec<String> = counts.iter().map(|(name, _)| name.replace(':', ": ")).collect();
    format!(" ({})", names.join(", "))
}

/// How much of what is in use is held by attempts that wait for an answer.
fn unanswered(figures: &Figures) -> String {
    let (waiting, in_use) = (figures.mean_connecting.mean, figures.mean_in_use.mean);
    if waiting <= 0.0 || in_use <= 0.0 {
        return String::new();
    }
    format!(
        "; ports are held by connects that nobody answers: {} of the time in use",
        percent(waiting / in_use)
    )
}

/// Told only when the last refusal lies well before the end: under steady overload it always
/// comes shortly before.
fn recovery(figures: &Figures, outcome: &Outcome) -> String {
    match figures.recovered {
        Some(m)
            if m.latest < 0.9 * outcome.duration.as_secs_f64() && m.share_of_replications > 0.5 =>
        {
            format!(", the last one at {}", span(m.median))
        }
        _ => String::new(),
    }
}

fn remedy(scenario: &Scenario, limit: &LimitFigures) -> String {
    let Some(most) = limit.theory.sustainable_rate_per_s.filter(|most| most.is_finite()) else {
        return String::new();
    };
    match limit.theory.offered_rate_per_s {
        Some(offered) if offered <= most => {
            format!("; on average {} would fit, it is the bursts that fill it", rate(most))
        }
        _ if most > 0.0 => {
            format!("; it can sustain {}{}", rate(most), each(limit.machines.into()))
        }
        _ if keeps_ports(scenario, limit) => {
            "; no rate lasts, because ports are never given back".to_owned()
        }
        _ => String::new(),
    }
}

/// Are some connections of this host never closed?
fn keeps_ports(scenario: &Scenario, limit: &LimitFigures) -> bool {
    let host = scenario.world.hosts.iter().find(|host| host.name == limit.name);
    host.is_some_and(|host| host.clients.iter().any(|client| client.can_end(Ending::Never)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use crate::units::SimDuration;

    #[test]
    fn an_overload_is_told_with_its_moment_its_ratio_and_the_rate_that_fits() {
        let (scenario, outcome) = samples::overloaded();
        assert_eq!(
            sentence(&scenario, &outcome),
            "49152-65535 runs dry after 41.0 s (40.8-41.2) at 400 / s: 33 % of attempts are \
             refused; it can sustain 268 / s."
        );
    }

    #[test]
    fn a_range_that_holds_is_told_with_its_peak() {
        let (scenario, mut outcome) = samples::holding();
        outcome.limits[0].theory.offered_rate_per_s = Some(160.0);
        assert_eq!(
            sentence(&scenario, &outcome),
            "It holds: at most 9,994 of 16,384 ports in use (61 %); it could sustain 268 / s."
        );
    }

    #[test]
    fn a_run_too_short_to_fill_the_range_does_not_pass_for_safe() {
        let (scenario, outcome) = samples::holding();
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("too short to show it"), "{told}");
    }

    #[test]
    fn rare_trouble_is_told_as_rare() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.limits[0].figures.first_blocked.as_mut().unwrap().share_of_replications = 0.6;
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("runs dry in 12 of 20 replications, after 41.0 s"), "{told}");
    }

    #[test]
    fn a_selection_that_gives_up_early_is_not_said_to_run_dry() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.limits[0].figures.peak_in_use = 16_000;
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("refuses its first attempt"), "{told}");
        assert!(told.contains("with at most 16,000 of 16,384 ports in use"), "{told}");
    }

    #[test]
    fn blocking_in_the_warm_up_only_is_told_as_such() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.warm_up = SimDuration::from_secs(120);
        outcome.limits[0].figures.blocked = 0;
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("only in the warm-up, after 2 min none are refused"), "{told}");
    }

    #[test]
    fn a_recovery_is_told_when_it_lasted() {
        let (scenario, mut outcome) = samples::overloaded();
        let recovered = outcome.limits[0].figures.recovered.as_mut().unwrap();
        (recovered.median, recovered.latest) = (92.0, 95.0);
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("33 % of attempts are refused, the last one at 92.0 s"), "{told}");
    }

    #[test]
    fn an_interrupted_run_says_so_first() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.partial = true;
        outcome.replications = 7;
        let told = sentence(&scenario, &outcome);
        assert!(told.starts_with("Interrupted after 7 of 20 replications: 49152-65535"), "{told}");
    }

    #[test]
    fn the_limit_that_blocks_most_is_the_one_named() {
        let (mut scenario, mut outcome) = samples::overloaded();
        let mut other = outcome.limits[0].clone();
        other.name = "proxy".into();
        other.figures.blocking_ratio.mean = 0.4;
        let mut host = scenario.world.hosts[0].clone();
        host.name = "proxy".into();
        scenario.world.hosts.push(host);
        outcome.limits.push(other);
        let told = sentence(&scenario, &outcome);
        assert!(told.starts_with("49152-65535 of proxy runs dry"), "{told}");
    }

    #[test]
    fn an_error_other_than_that_of_a_plain_connect_is_named() {
        let (scenario, mut outcome) = samples::overloaded();
        outcome.limits[0].figures.refused = [0, 1_585_000, 0];
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("33 % of attempts are refused (bind: EADDRINUSE); it"), "{told}");
        outcome.limits[0].figures.refused = [5, 1_584_995, 0];
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("(connect: EADDRNOTAVAIL, bind: EADDRINUSE)"), "{told}");
    }

    #[test]
    fn ports_held_by_attempts_that_nobody_answers_are_told() {
        for (scenario, mut outcome) in [samples::overloaded(), samples::holding()] {
            outcome.limits[0].figures.mean_connecting.mean = 7_900.25;
            let told = sentence(&scenario, &outcome);
            let held = "; ports are held by connects that nobody answers: 50 % of the time in use";
            assert!(told.contains(held), "{told}");
        }
    }
}
