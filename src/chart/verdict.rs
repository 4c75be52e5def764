//! What a chart's title claims, in words: one finding, true of the figures it stands above.

use crate::numbers::{count, percent, plural, span};
use crate::stats::{LimitFigures, Outcome};

/// A run that refuses nothing for this share of its length at the end is worth a word.
const QUIET_END: f64 = 0.25;

/// What must not be cut off a subtitle: ` · 20 replications · seed 1`.
pub(super) fn facts(outcome: &Outcome) -> String {
    let mut facts = format!(
        " · {}{} · seed {}",
        plural(u64::from(outcome.replications), "replication", "replications"),
        if outcome.partial { " (interrupted)" } else { "" },
        outcome.seed
    );
    if !outcome.warm_up.is_zero() {
        facts += &format!(" · warm-up {}", outcome.warm_up);
    }
    facts
}

/// `Runs dry`, or `HOST: runs dry` where there are several hosts: what the scenario is called stands beneath.
pub(super) fn of_host(outcome: &Outcome, limit: &LimitFigures, finding: &str) -> String {
    match outcome.limits.len() {
        0 | 1 => capital(finding),
        _ if limit.is_gateway => format!("Gateway {}: {finding}", limit.name),
        _ => format!("{}: {finding}", limit.name),
    }
}

/// With a capital letter in front.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// ` · the tightest of 4 hosts`; nothing where there is one host only.
pub(super) fn whose(outcome: &Outcome, limit: &LimitFigures) -> String {
    let hosts = outcome.limits.len();
    if hosts < 2 {
        return String::new();
    }
    let tightest = outcome.tightest().is_some_and(|tightest| tightest.name == limit.name);
    let place = if tightest { "the tightest" } else { "one" };
    format!(" · {place} of {} {}", count(hosts as u64), kinds(outcome))
}

/// What there are several of.
pub(super) fn kinds(outcome: &Outcome) -> &'static str {
    if outcome.limits.iter().any(|limit| limit.is_gateway) { "limits" } else { "hosts" }
}

/// What becomes of attempts that find no port: what of them, and what.
pub(super) const fn refused(limit: &LimitFigures) -> [&'static str; 2] {
    if limit.is_gateway { ["first SYNs", "dropped"] } else { ["attempts", "refused"] }
}

/// Does it run dry, when, how badly; or how far from it does it stay.
pub(super) fn pressure_finding(outcome: &Outcome, limit: &LimitFigures) -> String {
    let figures = &limit.figures;
    let Some(first) = figures.first_blocked else {
        return match figures.cut_off {
            0 => holds(outcome, limit),
            cut_off => {
                format!("cuts off {}", plural(cut_off, "open connection", "open connections"))
            }
        };
    };
    let share = first.share_of_replications;
    let mut finding = if share < 1.0 {
        format!("runs dry in {} replications, after", of_replications(outcome, share))
    } else {
        "runs dry after".to_owned()
    };
    finding += &format!(" {}", span(first.median));
    let length = outcome.duration.as_secs_f64();
    // Where most replications refuse nothing at all, the end of it says nothing.
    let quiet_from = figures.recovered.filter(|recovered| {
        recovered.share_of_replications >= 1.0 && recovered.latest < length * (1.0 - QUIET_END)
    });
    if let Some(recovered) = quiet_from {
        finding += &format!(", nothing refused after {}", span(recovered.latest));
    }
    match figures.blocking_ratio.mean {
        refused if refused > 0.0 => {
            let when = if outcome.warm_up.is_zero() { "" } else { " after the warm-up" };
            let [what, became] = self::refused(limit);
            format!("{finding}; {} of {what} {became}{when}", percent(refused))
        }
        _ => format!("{finding}, never once warm"),
    }
}

/// `4 of 8`.
pub(super) fn of_replications(outcome: &Outcome, share: f64) -> String {
    let all = outcome.replications;
    format!("{} of {}", count((share * f64::from(all)).round() as u64), count(u64::from(all)))
}

/// How much of the limit is used at most.
fn holds(outcome: &Outcome, limit: &LimitFigures) -> String {
    if limit.figures.attempts == 0 && limit.timeline.rows.is_empty() {
        return "nothing was attempted".to_owned();
    }
    let fullest = outcome.fullest(limit);
    let ports = match fullest.of_one_machine {
        0 => return "nothing was refused".to_owned(),
        capacity if capacity == limit.figures.num_ephemeral => plural(capacity, "port", "ports"),
        capacity => format!("{} places for connections", count(capacity)),
    };
    let whose = fullest.client.map_or_else(String::new, |name| format!(" by client {name}"));
    let used = format!("at most {} of {ports} in use{whose}", percent(fullest.share));
    match limit.theory.leak {
        Some(leak) => {
            format!("holds for now: {used}, but leaks run it dry after {}", span(leak.median_s))
        }
        None => format!("holds: {used}"),
    }
}

/// The ceiling and what it is made of: `capacity 564,640 = 10 machines × 28,232 ports × 2 keys`.
pub(super) fn ceiling(limit: &LimitFigures) -> String {
    let capacity = limit.timeline.capacity;
    match product(limit, capacity) {
        Some(parts) => format!("capacity {} = {parts}", count(capacity)),
        None => format!("capacity {}", plural(capacity, "port", "ports")),
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
    let mut text = plural(ports, "port", "ports");
    if machines > 1 {
        text = format!("{} machines × {text}", count(machines));
    }
    if keys > 1 {
        text += &format!(" × {} reuse keys", count(keys));
    }
    Some(text)
}
