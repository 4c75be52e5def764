//! What a chart's title claims, in words: one finding, true of the figures it stands above.

use super::wording::{count, percent, plural, seconds, span};
use crate::stats::{LimitFigures, Outcome};

/// A run that refuses nothing for this share of its length at the end is worth a word.
const QUIET_END: f64 = 0.25;

/// What must not be cut off a subtitle: ` · 20 replications · seed 1`.
pub(super) fn facts(outcome: &Outcome) -> String {
    let mut facts = format!(
        " · {}{} · seed {}",
        plural(u64::from(outcome.replications), "replication"),
        if outcome.partial { " (interrupted)" } else { "" },
        outcome.seed
    );
    if !outcome.warm_up.is_zero() {
        facts += &format!(" · warm-up {}", span(outcome.warm_up));
    }
    facts
}

/// Does it run dry, when, how badly; or how far from it does it stay.
pub(super) fn pressure_finding(outcome: &Outcome) -> String {
    let whole = &outcome.whole;
    let Some(first) = whole.first_blocked else {
        return holds(outcome);
    };
    let share = first.share_of_replications;
    let mut finding = if share < 1.0 {
        format!("runs dry in {} replications, after", of_replications(outcome, share))
    } else {
        "runs dry after".to_owned()
    };
    finding += &format!(" {}", seconds(first.median));
    let length = outcome.duration.as_secs_f64();
    let quiet_from = whole.recovered.filter(|recovered| {
        recovered.share_of_replications >= share && recovered.latest < length * (1.0 - QUIET_END)
    });
    if let Some(recovered) = quiet_from {
        finding += &format!(", nothing refused after {}", seconds(recovered.latest));
    }
    match whole.blocking_ratio.mean {
        refused if refused > 0.0 => {
            let when = if outcome.warm_up.is_zero() { "" } else { " after the warm-up" };
            format!("{finding}; {} of attempts refused{when}", percent(refused))
        }
        _ => format!("{finding}, never once warm"),
    }
}

/// `4 of 8`.
pub(super) fn of_replications(outcome: &Outcome, share: f64) -> String {
    let all = outcome.replications;
    format!("{} of {}", count((share * f64::from(all)).round() as u64), count(u64::from(all)))
}

/// How much of the tightest limit is used at most.
fn holds(outcome: &Outcome) -> String {
    if outcome.whole.attempts == 0 && outcome.timeline.rows.is_empty() {
        return "nothing was attempted".to_owned();
    }
    let tightest = outcome.limits.iter().max_by(|a, b| fullest(a).total_cmp(&fullest(b)));
    let Some(limit) = tightest.filter(|limit| of_one_machine(limit) > 0) else {
        return "nothing was refused".to_owned();
    };
    let host = match outcome.limits.len() {
        1 => String::new(),
        _ => format!(" ({})", limit.name),
    };
    let ports = match of_one_machine(limit) {
        capacity if capacity == limit.figures.num_ephemeral => plural(capacity, "port"),
        capacity => format!("{} places for connections", count(capacity)),
    };
    format!("holds: at most {} of {ports} in use{host}", percent(fullest(limit)))
}

/// Connections that can hold a port at once on one machine.
pub(super) fn of_one_machine(limit: &LimitFigures) -> u64 {
    limit.figures.capacity / u64::from(limit.machines.max(1))
}

fn fullest(limit: &LimitFigures) -> f64 {
    match of_one_machine(limit) {
        0 => 0.0,
        capacity => limit.figures.peak_in_use as f64 / capacity as f64,
    }
}

/// The ceiling and what it is made of: `capacity 564,640 = 10 machines × 28,232 ports × 2 keys`.
pub(super) fn ceiling(outcome: &Outcome) -> String {
    let capacity = outcome.timeline.capacity;
    let parts = match outcome.limits.as_slice() {
        [limit] => product(limit, capacity),
        _ => None,
    };
    match parts {
        Some(parts) => format!("capacity {} = {parts}", count(capacity)),
        None => format!("capacity {}", plural(capacity, "port")),
    }
}

/// The factors of one limit's capacity, where there are more than one and they multiply to it.
fn product(limit: &LimitFigures, capacity: u64) -> Option<String> {
    let (machines, ports) = (u64::from(limit.machines), limit.figures.num_ephemeral);
    let of_machines = machines.checked_mul(ports).filter(|&ports| ports > 0)?;
    let keys = capacity / of_machines;
    if keys * of_machines != capacity || (machines, keys) == (1, 1) {
        return None;
    }
    let mut text = plural(ports, "port");
    if machines > 1 {
        text = format!("{} machines × {text}", count(machines));
    }
    if keys > 1 {
        text += &format!(" × {} reuse keys", count(keys));
    }
    Some(text)
}
