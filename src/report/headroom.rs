//! How this machine stands, in a sentence.

use crate::inspect::{Flow, Forecast, HORIZON_S, Inspection, Prospect, TcpState};
use crate::model::ReuseKey;
use crate::numbers::{count, percent, plural, rate, span};

/// From this share of its ports on a flow is close to the end.
const TIGHT: f64 = 0.8;
/// TIME-WAITs that come back within so many seconds are told.
pub const SOON_S: f64 = 10.0;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Ports last.
    Fine,
    /// They may not.
    Tight,
    /// They are gone, or will be in minutes.
    Bad,
}

/// A sentence, and how bad it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// What to tell.
    pub sentence: String,
    /// How to colour it.
    pub level: Level,
}

/// The verdict on a machine: of the flow that is worst off.
#[must_use]
pub fn headroom(inspection: &Inspection) -> Headroom {
    let (census, range) = (&inspection.census, inspection.system.range);
    let Some((flow, prospect)) = inspection.tightest() else {
        let left = plural(census.usable.into(), "port", "ports");
        return Headroom {
            sentence: format!(
                "No connection of this machine holds a port of {range}: {left} are left towards every destination."
            ),
            level: Level::Fine,
        };
    };
    let towards = towards(inspection, flow);
    let ports = plural((flow.held + flow.left).into(), "port", "ports");
    let taken = format!(
        "{} of {ports} ({}) are taken{}",
        count(flow.held.into()),
        percent(flow.taken()),
        soon(flow)
    );
    let (sentence, level) = match prospect.forecast {
        Some(Forecast::Empty { seconds: 0.0, .. }) => (
            format!(
                "{towards} no port is left: {taken}, and connect() is refused{}. {}",
                can(prospect),
                next(flow)
            ),
            Level::Bad,
        ),
        Some(empty @ Forecast::Empty { .. }) => (
            format!(
                "{towards} the range is {empty} at {}: {taken}{}.",
                at(inspection, prospect),
                can(prospect)
            ),
            Level::Bad,
        ),
        Some(perhaps @ Forecast::Perhaps { .. }) => (
            format!(
                "{towards} the range is {perhaps} at {}: {taken}{}.",
                at(inspection, prospect),
                can(prospect)
            ),
            Level::Tight,
        ),
        Some(Forecast::Lasts) if prospect.rates.is_some_and(|rates| rates.opening > 0.0) => (
            format!(
                "{towards} {taken}; at {}, they last for {} at least{}.",
                at(inspection, prospect),
                span(HORIZON_S),
                can(prospect)
            ),
            level_of(flow),
        ),
        _ => {
            (format!("{towards} {taken}, more than towards any other destination."), level_of(flow))
        }
    };
    let (why, helps) = why(flow);
    let sentence = match level {
        Level::Fine if 2 * flow.others <= flow.size() => sentence,
        Level::Fine => sentence + &why,
        _ => format!("{sentence}{why} What helps: {helps}{MORE_PORTS}"),
    };
    Headroom { sentence, level }
}

/// What helps whatever the connections are in.
const MORE_PORTS: &str = ", another source address or destination, a wider range; --to-scenario makes a \
                          scenario to try that on.";

/// The state that most connections are in, in a sentence, and what makes them fewer.
fn why(flow: &Flow) -> (String, &'static str) {
    let Flow { established, time_wait, others, .. } = *flow;
    let told = |number: u32, state: &str, what: &str| {
        format!(" {} of them are in {state}{what}.", count(number.into()))
    };
    if 2 * others > flow.size() {
        let (what, helps) = match flow.most_others {
            Some(TcpState::CloseWait) => (
                ": the other side has closed them, and the program here does not",
                "a program that closes what the other side has closed",
            ),
            Some(TcpState::SynSent) => {
                (": nobody answers", "a shorter time-out for connecting, and few retries")
            }
            Some(TcpState::FinWait2) => (
                ": closed here, and the other side does not",
                "a server that closes too, a shorter tcp_fin_timeout",
            ),
            Some(TcpState::FinWait1 | TcpState::LastAck | TcpState::Closing) => (
                ": the other side does not acknowledge that they are closed",
                "a path that does not lose the end of connections",
            ),
            _ => ("", KEEP_ALIVE),
        };
        let state = flow.most_others.map_or("", TcpState::name);
        return (told(others, &format!("{state} or the like"), what), helps);
    }
    if 2 * established > flow.size() {
        let state = told(established, TcpState::Established.name(), "");
        return (state, "fewer connections that stay open (smaller pools, shorter idle time-outs)");
    }
    if 2 * time_wait > flow.size() {
        return (told(time_wait, TcpState::TimeWait.name(), ""), KEEP_ALIVE);
    }
    (String::new(), KEEP_ALIVE)
}

/// Where connections come and go too fast.
const KEEP_ALIVE: &str = "connections that stay open (keep-alive)";

fn level_of(flow: &Flow) -> Level {
    if flow.taken() >= TIGHT { Level::Tight } else { Level::Fine }
}

/// Whom a port is taken from depends on the system.
fn towards(inspection: &Inspection, flow: &Flow) -> String {
    match inspection.system.reuse_key {
        ReuseKey::FourTuple => format!("Towards {} from {},", flow.destination, flow.source),
        ReuseKey::SourceAddress => format!("From {}, wherever to,", flow.source),
        ReuseKey::Host => "From this machine, wherever to,".to_owned(),
    }
}

/// After one look it is closings that are known.
fn at(inspection: &Inspection, prospect: &Prospect) -> String {
    let opening = rate(rounded(prospect.rates.map_or(0.0, |rates| rates.opening)));
    format!("{opening} {}", if inspection.watched_s > 0.0 { "opened" } else { "closed" })
}

/// Lifetimes, which it rests on, are not known from a handful of connections.
fn can(prospect: &Prospect) -> String {
    if prospect.rates.is_none_or(|rates| rates.opening < 1.0) {
        return String::new();
    }
    format!("; {} fit on average", rate(rounded(prospect.sustainable)))
}

/// No more digits than a count of a minute bears out.
fn rounded(per_second: f64) -> f64 {
    if per_second >= 10.0 { per_second.round() } else { (per_second * 10.0).round() / 10.0 }
}

/// How many of those that are taken come back by themselves, where some are left.
fn soon(flow: &Flow) -> String {
    match flow.back_within(SOON_S) {
        back if back == 0 || flow.left == 0 => String::new(),
        back => format!(", {} of them back within {SOON_S} s", count(back as u64)),
    }
}

/// When a port comes back where none is left.
fn next(flow: &Flow) -> String {
    match (flow.returns.first(), flow.back_within(SOON_S)) {
        (None, _) => "None comes back by itself: connections must be closed.".to_owned(),
        (Some(first), 0) => format!("The first comes back in {}.", span(first.max(0.1))),
        (Some(_), soon) => {
            format!("{} back within {SOON_S} s.", plural(soon as u64, "comes", "come"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixtures::{inspected, time_waits};

    #[test]
    fn an_idle_machine_has_all_ports() {
        let told = headroom(&inspected(&[]));
        assert_eq!(told.level, Level::Fine);
        assert_eq!(
            told.sentence,
            "No connection of this machine holds a port of 40000-40999: 1,000 ports are left towards \
             every destination."
        );
    }

    #[test]
    fn a_range_that_runs_dry_is_told_with_when_and_why() {
        let told = headroom(&inspected(&time_waits(40, 10)));
        assert_eq!(told.level, Level::Bad);
        let words = "Towards 10.0.0.5:443 from 10.0.0.1, the range is empty in 15 s (13-17) at \
                     40 / s closed: 400 of 1,000 ports (40 %) are taken; 16 / s fit on average.";
        let helps =
            "400 of them are in TIME-WAIT. What helps: connections that stay open (keep-alive)";
        assert_eq!(told.sentence, format!("{words} {helps}{MORE_PORTS}"));
    }

    #[test]
    fn a_range_without_a_port_says_when_the_next_comes() {
        let told = headroom(&inspected(&time_waits(50, 20)));
        assert_eq!(told.level, Level::Bad);
        assert!(
            told.sentence.contains("no port is left: 1,000 of 1,000 ports (100 %)"),
            "{told:?}"
        );
        assert!(
            told.sentence.contains("The first comes back in 40.0 s. 1,000 of them"),
            "{told:?}"
        );
    }

    #[test]
    fn a_steady_load_lasts() {
        let told = headroom(&inspected(&time_waits(10, 60)));
        assert_eq!(told.level, Level::Fine);
        assert!(told.sentence.contains("at 10 / s closed, they last for 10.0 min"), "{told:?}");
    }

    #[test]
    fn what_helps_is_for_the_state_that_most_are_in() {
        for (state, words, helps) in [
            (
                TcpState::CloseWait,
                "900 of them are in CLOSE-WAIT or the like: the other side has closed them",
                "a program that closes what the other side has closed, another",
            ),
            (
                TcpState::FinWait2,
                "900 of them are in FIN-WAIT-2 or the like: closed here, and the other side does not.",
                "a server that closes too, a shorter tcp_fin_timeout, another",
            ),
            (
                TcpState::Established,
                "900 of them are in ESTABLISHED.",
                "fewer connections that stay open (smaller pools, shorter idle time-outs), another",
            ),
        ] {
            let sockets = time_waits(15, 60).into_iter();
            let stuck =
                sockets.map(|socket| crate::inspect::Socket { state, remaining: None, ..socket });
            let told = headroom(&inspected(&stuck.collect::<Vec<_>>()));
            assert_eq!(told.level, Level::Tight);
            assert!(told.sentence.contains(words), "{told:?}");
            assert!(told.sentence.contains(&format!("What helps: {helps}")), "{told:?}");
        }
    }
}
