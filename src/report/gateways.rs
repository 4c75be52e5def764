//! What is said of gateways: which one drops SYNs, what becomes of the connections, and what holds its ports.

use crate::model::Gateway;
use crate::model::nat::NatExhausted;
use crate::numbers::{count, percent, plural, span_with_interval};
use crate::scenario::Scenario;
use crate::stats::{Figures, LimitFigures, Outcome};

/// What share of what a gateway holds is worth telling.
const MOST_OF_IT: f64 = 0.5;

/// `Gateway node drops its first SYN after 56 s (55-59): ...`; `None` where `limit` is no gateway that drops any.
pub(super) fn drops(
    scenario: &Scenario,
    outcome: &Outcome,
    limit: &LimitFigures,
) -> Option<String> {
    let first = limit.figures.first_blocked.filter(|_| limit.is_gateway)?;
    let gateway = scenario.world.gateways.iter().find(|gateway| gateway.name == limit.name)?;
    let resets = gateway.nat.exhausted == NatExhausted::Reset;
    let moment = span_with_interval(first.median, first.lo, first.hi);
    let rare = match first.share_of_replications {
        share if share < 1.0 => format!(" in {} of the replications", percent(share)),
        _ => String::new(),
    };
    let mut told = format!(
        "Gateway {} {} its first SYN after {moment}{rare}: {} of connections find {}",
        limit.name,
        if resets { "refuses" } else { "drops" },
        percent(limit.figures.blocking_ratio.mean),
        missing(gateway, limit),
    );
    if resets {
        told += ", and `connect()` fails at once.";
        return Some(told + &holders(limit));
    }
    let behind = behind(scenario, outcome, limit);
    told += " at first";
    let sum = |of: fn(&LimitFigures) -> u64| behind.iter().map(|host| of(host)).sum::<u64>() as f64;
    let all = sum(|host| host.figures.attempts).max(1.0);
    let (late, never) =
        (sum(|host| host.figures.late) / all, sum(|host| host.figures.unanswered) / all);
    told += &format!(
        "; {} get through when it is sent again, a second later or more, and {} time out (ETIMEDOUT).",
        percent(late),
        percent(never)
    );
    Some(told + &holders(limit))
}

/// Of a gateway that forgets open connections for others to have their place.
pub(super) fn cuts_off(limit: &LimitFigures) -> Option<String> {
    let Figures { cut_off, attempts, peak_in_use, .. } = limit.figures;
    (cut_off > 0).then(|| {
        format!(
            "Gateway {} cuts off {} of connections ({}) while they are open: it has no place for more than {}, and \
             gives that of the oldest to the new one. Nobody is refused; the client finds out when it next sends.",
            limit.name,
            percent(cut_off as f64 / attempts.max(1) as f64),
            count(cut_off),
            count(peak_in_use),
        )
    })
}

/// Of a gateway that drops nothing though all its ports are taken.
pub(super) fn yields(limit: &LimitFigures) -> String {
    let full = limit.is_gateway
        && limit.figures.first_blocked.is_none()
        && limit.figures.cut_off == 0
        && limit.figures.peak_in_use >= limit.timeline.capacity;
    if !full {
        return String::new();
    }
    " No SYN is dropped: a closed connection gives its port up to one that needs it.".to_owned()
}

/// What holds most of its ports.
fn holders(limit: &LimitFigures) -> String {
    let figures = &limit.figures;
    let in_use = figures.mean_in_use.mean.max(f64::MIN_POSITIVE);
    let states = [
        ("Connections that are closed, and wait for its time-out, hold", figures.mean_time_wait),
        ("Open connections hold", figures.mean_established),
        ("Half-closed connections hold", figures.mean_closing),
        ("SYNs that nobody answers hold", figures.mean_connecting),
    ];
    let most = states.into_iter().max_by(|a, b| a.1.mean.total_cmp(&b.1.mean));
    match most {
        Some((what, mean)) if mean.mean / in_use > MOST_OF_IT => {
            format!(" {what} {} of its ports.", percent(mean.mean / in_use))
        }
        _ => String::new(),
    }
}

/// `none of its 5,000 ports free`, or what else there is no more of.
fn missing(gateway: &Gateway, limit: &LimitFigures) -> String {
    let nat = &gateway.nat;
    if let Some(share) = nat.share {
        let most = plural(u64::from(share.most), "port", "ports");
        return match share.most == share.base {
            true => format!("none of the {most} of their client free"),
            false => format!("none of their client's ports free, which are {most} at most"),
        };
    }
    if let Some(most) = nat.most_each {
        let most = plural(u64::from(most), "connection", "connections");
        return format!("{most} of their client there, or no port free");
    }
    if let Some(most) = nat.most_entries {
        return format!("its table of {} full, or no port free", count(u64::from(most)));
    }
    let ports = plural(limit.figures.num_ephemeral, "port", "ports");
    match nat.addresses {
        1 => format!("none of its {ports} free"),
        several => {
            format!("none of its {ports} on each of {} addresses free", count(u64::from(several)))
        }
    }
}

/// The hosts whose connections pass a gateway.
fn behind<'a>(
    scenario: &Scenario,
    outcome: &'a Outcome,
    limit: &LimitFigures,
) -> Vec<&'a LimitFigures> {
    let world = &scenario.world;
    let passes = |host: &usize| {
        world.path(*host).iter().any(|&gateway| world.gateways[gateway].name == limit.name)
    };
    let hosts = (0..world.hosts.len()).filter(passes);
    let figures = |host: usize| {
        outcome.limits.iter().find(|one| !one.is_gateway && one.name == world.hosts[host].name)
    };
    hosts.filter_map(figures).collect()
}
