//! The verdict: plain words that say whether the ports last; when not, for how long, why, and what rate holds.

use super::{changes, gateways};
use crate::model::{Arrivals, Binds, Client, Ending, Host, PortSet, Replications, World};
use crate::numbers::{
    amount, count, percent, percent_with_interval, plural, rate, rate_at_most, slow_rate, span,
    span_with_interval,
};
use crate::scenario::Scenario;
use crate::stats::{
    ClientFigures, Figures, LimitFigures, Moments, Outcome, ServerFigures, is_unusual,
};
use crate::theory::Leak;
use crate::units::SimTime;

/// Outages below this are told as refusals one by one, in seconds.
const OUTAGE_S: f64 = 1.0;
/// A client is starved, and named, whose attempts are refused this many times as often as those of its host.
const STARVED: f64 = 1.5;
/// Connects that nobody answers are told from this share of the hold on.
const UNANSWERED: f64 = 0.1;

/// Says what came out, with figures and intervals: `It holds: at most 17,321 of 28,232 ports in
/// use (61 %); nobody is refused up to 438 / s (461 / s fit on average).`
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
        let cut_off = outcome.limits.iter().find_map(gateways::cuts_off);
        cut_off.unwrap_or_else(|| holds(limit, outcome, several))
    } else if let Some(text) = gateways::drops(scenario, outcome, limit) {
        text
    } else if limit.figures.num_ephemeral == 0 {
        format!("{} has no usable port: every attempt is refused.", subject(scenario, limit))
    } else if let Some(text) = ports_are_taken(scenario, outcome, limit) {
        text
    } else if let Some(text) = one_burst(scenario, outcome, limit) {
        text
    } else {
        runs_dry(scenario, outcome, limit)
    };
    let at_once = burst_over_a_pool(scenario, outcome, limit).unwrap_or_default();
    let servers: String = outcome.limits.iter().map(|one| fixed_port(one, several)).collect();
    prefix
        + &text
        + &gateways::yields(limit)
        + &at_once
        + &requests(outcome, limit)
        + &changes::sentence(outcome)
        + &servers
}

/// How likely the server that wants a port of its own finds it taken, for how long, and what keeps it free.
fn fixed_port(limit: &LimitFigures, several: bool) -> String {
    let Some(server) = &limit.server else { return String::new() };
    let ServerFigures { wants, refused, never, waited, .. } = server;
    let (port, at) = (wants.port, wants.at.since(SimTime::START));
    let on = if several { format!(" of {}", limit.name) } else { String::new() };
    if refused.mean == 0.0 {
        return format!(" Port {port}{on} is free for its server at {at}.");
    }
    let share = percent_with_interval(refused.mean, refused.lo, refused.hi, true);
    let mut told = format!(
        " Port {port}{on} is taken in {share} of the starts of its server at {at}{}",
        if limit.is_linux { " (bind: EADDRINUSE)" } else { "" }
    );
    if *never < refused.mean {
        told += &format!(
            "; it comes free after {} in half of them, {} at most",
            span(waited.p50),
            span(waited.max)
        );
    }
    if *never > 0.0 {
        told += &format!("; in {} it never does", percent(*never));
    }
    if limit.is_linux {
        told += &format!("; `net.ipv4.ip_local_reserved_ports = {port}` keeps it free");
    }
    told + "."
}

/// How many connections requests open, how often what fails is tried, and how many fail for good.
fn requests(outcome: &Outcome, limit: &LimitFigures) -> String {
    let Some(requests) = &limit.figures.requests else { return String::new() };
    let mut said = String::new();
    if requests.pooled {
        let opened = requests.connections_per_request.mean;
        let noun = if opened == 1.0 { "connection" } else { "connections" };
        said += &format!(" A request opens {} {noun} on average.", amount(opened));
    }
    if requests.retries {
        let tries = (requests.made + requests.retried) as f64 / requests.made.max(1) as f64;
        said += &format!(" What fails is tried again: {} tries each on average.", amount(tries));
    }
    if requests.failed > 0 {
        let what = if requests.pooled { "requests" } else { "first attempts" };
        let share = |client: &ClientFigures| {
            client.figures.requests.as_ref().map_or(0.0, |requests| requests.failed_share())
        };
        let hurt = hurt(outcome, limit, requests.failed_share(), share);
        said += &format!(" {} of {what} fail for good{hurt}.", percent(requests.failed_share()));
    }
    said
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
    match host_of(scenario, limit) {
        Some(host) if scenario.world.hosts.len() == 1 => host.ports.to_string(),
        Some(host) => format!("{} of {}", host.ports, limit.name),
        None => limit.name.clone(),
    }
}

fn host_of<'a>(scenario: &'a Scenario, limit: &LimitFigures) -> Option<&'a Host> {
    let World { hosts, .. } = &scenario.world;
    hosts.iter().find(|host| host.name == limit.name)
}

/// What can be in use on one machine: one port towards two destinations counts twice, and that is said when
/// it is what the ceiling is.
fn ceiling(on_one: u64, limit: &LimitFigures) -> String {
    let ports = limit.figures.num_ephemeral;
    if on_one > ports && ports > 0 {
        let keys = count(on_one / ports);
        let ports = plural(ports, "port", "ports");
        return format!("{} places ({ports} x {keys} reuse keys)", count(on_one));
    }
    plural(on_one, "port", "ports")
}

fn holds(limit: &LimitFigures, outcome: &Outcome, several: bool) -> String {
    let machines = u64::from(limit.machines).max(1);
    let fullest = outcome.fullest(limit);
    let mut whose = fullest.client.map_or_else(String::new, |name| format!(" by client {name}"));
    if several {
        whose += &format!(" on {}", limit.name);
    }
    let busiest = if machines > 1 {
        format!(", busiest of {} machines", count(machines))
    } else {
        String::new()
    };
    format!(
        "{} at most {} of {} in use{whose} ({}{busiest}){}{}.",
        match (&limit.figures.requests, limit.theory.leak) {
            (Some(requests), _) if requests.failed > 0 => "The ports hold:".to_owned(),
            (_, Some(_)) => format!("It holds for {}, and not for ever:", outcome.duration),
            _ => "It holds:".to_owned(),
        },
        count(fullest.peak_in_use),
        ceiling(fullest.of_one_machine, limit),
        percent(fullest.share),
        what_lasts(limit, outcome),
        unanswered(&limit.figures).map_or_else(String::new, |told| format!("; {told}"))
    )
}

/// Of a run that refused nobody: the rate that holds, or that the run was too short to tell.
fn what_lasts(limit: &LimitFigures, outcome: &Outcome) -> String {
    let theory = &limit.theory;
    if let Some(leak) = theory.leak {
        return format!("; {}", leaks(leak, limit));
    }
    let mean = theory.sustainable_rate_per_s.filter(|most| most.is_finite());
    match (theory.offered_rate_per_s, theory.safe_rate_per_s, mean) {
        (Some(offered), _, Some(mean)) if mean < offered => format!(
            "; {} a machine is more than the {} that fit on average, but {} is too short to show it",
            rate(offered),
            rate(mean),
            outcome.duration
        ),
        (Some(offered), Some(safe), _) if safe < offered => format!(
            "; only up to {}{} is that sure, so another run may refuse some",
            rate_at_most(safe),
            each(limit.machines.into())
        ),
        _ => what_holds(limit).map_or_else(String::new, |told| format!("; {told}")),
    }
}

/// All that is refused was refused because ports of a client's own choice were taken: the range had others.
fn ports_are_taken(scenario: &Scenario, outcome: &Outcome, limit: &LimitFigures) -> Option<String> {
    let host = host_of(scenario, limit)?;
    let first = limit.figures.first_blocked?;
    let mut refused: Vec<(&Client, &ClientFigures)> = Vec::new();
    for client in &host.clients {
        let figures = clients_of(outcome, limit).find(|one| one.name == client.name)?;
        if figures.figures.first_blocked.is_some() {
            refused.push((client, figures));
        }
    }
    if refused.iter().any(|(client, _)| client.binds != Binds::Port) {
        return None;
    }
    let names: Vec<&str> = refused.iter().map(|(client, _)| client.name.as_str()).collect();
    let ports: PortSet = refused
        .iter()
        .flat_map(|(client, _)| client.socket.source_ports.ports())
        .copied()
        .collect();
    let (what, taken) = match ports.ports() {
        [only] => (format!("Port {only}"), "is taken when"),
        ports => (format!("The ports asked for ({ports:?})"), "are taken when"),
    };
    let shares: Vec<String> =
        refused.iter().map(|(_, figures)| percent(figures.figures.blocking_ratio.mean)).collect();
    Some(format!(
        "{what} {taken} {} {} for {}: {} of {} attempts are refused{}, first {}. The range does not run dry: at \
         most {} of {} in use.",
        names.join(", "),
        if names.len() == 1 { "asks" } else { "ask" },
        if ports.ports().len() == 1 { "it" } else { "them" },
        shares.join(" and "),
        if names.len() == 1 { "its" } else { "their" },
        errors(limit),
        when(first, outcome),
        count(limit.figures.peak_in_use),
        ceiling(limit.of_one_machine(), limit)
    ))
}

/// All are asked for at one instant, the first: so many are open then, and there is no rate to tell.
fn one_burst(scenario: &Scenario, outcome: &Outcome, limit: &LimitFigures) -> Option<String> {
    let host = host_of(scenario, limit)?;
    let at_once = |client: &Client| match client.arrivals {
        Arrivals::Batches { every, size, .. }
            if every >= outcome.duration && client.pool.is_none() =>
        {
            Some(u64::from(size))
        }
        _ => None,
    };
    let asked: u64 = host.clients.iter().map(at_once).sum::<Option<u64>>()?;
    if !outcome.warm_up.is_zero() {
        return None;
    }
    let runs = u64::from(outcome.replications) * u64::from(limit.machines);
    let open = limit.figures.opened / runs.max(1);
    Some(format!(
        "{} runs dry at once: {} of {} open, {} are refused{}. So many at one instant need a port each.",
        subject(scenario, limit),
        count(open),
        count(asked),
        percent(limit.figures.blocking_ratio.mean),
        errors(limit)
    ))
}

/// All requests over a pool come at one instant: how many connections they open, and who waits or fails.
fn burst_over_a_pool(
    scenario: &Scenario,
    outcome: &Outcome,
    limit: &LimitFigures,
) -> Option<String> {
    let host = host_of(scenario, limit)?;
    let at_once = |client: &Client| match client.arrivals {
        Arrivals::Batches { every, size, .. } if every >= outcome.duration => {
            client.pool.is_some().then_some(u64::from(size))
        }
        _ => None,
    };
    let asked: u64 = host.clients.iter().map(at_once).sum::<Option<u64>>()?;
    let requests = limit.figures.requests.as_ref()?;
    let runs = (u64::from(outcome.replications) * u64::from(limit.machines)).max(1);
    let waits = match requests.waiting.max {
        0.0 => String::new(),
        longest => format!(", and wait up to {} for one", span(longest)),
    };
    Some(format!(
        " {} requests at one instant open {} connections{waits}.",
        count(asked),
        count(limit.figures.opened / runs)
    ))
}

fn runs_dry(scenario: &Scenario, outcome: &Outcome, limit: &LimitFigures) -> String {
    let figures = &limit.figures;
    let moments = figures.first_blocked.expect("the caller has seen that it blocked");
    let who = subject(scenario, limit);
    let on_one = limit.of_one_machine();
    // With one reuse key the peak tells whether the range was really empty: some selections give
    // up while a port is still free.
    let gives_up = on_one == figures.num_ephemeral && figures.peak_in_use < on_one;
    let what = if gives_up { "refuses its first attempt" } else { "runs dry" };
    let though = if gives_up {
        format!(
            ", with at most {} of {} in use",
            count(figures.peak_in_use),
            ceiling(limit.of_one_machine(), limit)
        )
    } else {
        String::new()
    };
    let offered = limit.theory.offered_rate_per_s;
    let at = offered.map(|r| format!(" at {}{}", rate(r), each(limit.machines.into())));
    let reasons: Vec<String> =
        [why(figures), remedy(scenario, limit)].into_iter().flatten().collect();
    let reasons =
        if reasons.is_empty() { String::new() } else { format!(" {}.", reasons.join("; ")) };
    format!(
        "{who} {what} {}{}{though}: {}{}{}.{reasons}",
        when(moments, outcome),
        at.unwrap_or_default(),
        refused(outcome, limit),
        outages(figures),
        recovery(figures, outcome),
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

fn refused(outcome: &Outcome, limit: &LimitFigures) -> String {
    let figures = &limit.figures;
    if figures.blocked == 0 {
        return format!("only in the warm-up, after {} none are refused", outcome.warm_up);
    }
    let share = percent(figures.blocking_ratio.mean);
    format!("{share} of attempts are refused{}{}", errors(limit), starved(outcome, limit))
}

fn clients_of<'a>(
    outcome: &'a Outcome,
    limit: &'a LimitFigures,
) -> impl Iterator<Item = &'a ClientFigures> {
    outcome.clients.iter().filter(|client| client.host == limit.name)
}

/// The client that is refused most, where the mean over all hides it, and who has the ports meanwhile.
fn starved(outcome: &Outcome, limit: &LimitFigures) -> String {
    let ratio = |client: &ClientFigures| client.figures.blocking_ratio.mean;
    let hurt = hurt(outcome, limit, limit.figures.blocking_ratio.mean, ratio);
    let holds = |client: &ClientFigures| client.figures.mean_in_use.mean;
    let holder = clients_of(outcome, limit).max_by(|a, b| holds(a).total_cmp(&holds(b)));
    match holder {
        // Who is hurt by itself needs no telling.
        Some(holder) if !hurt.is_empty() && !hurt.starts_with(&of_client(&holder.name)) => {
            let share = holds(holder) / limit.figures.mean_in_use.mean.max(f64::MIN_POSITIVE);
            format!(
                "{hurt}, while client {} holds {} of the ports in use",
                holder.name,
                percent(share)
            )
        }
        _ => hurt,
    }
}

/// The client of whom a share is much higher than `of_all`: the mean would hide it.
fn hurt(
    outcome: &Outcome,
    limit: &LimitFigures,
    of_all: f64,
    share: impl Fn(&ClientFigures) -> f64,
) -> String {
    let worst = clients_of(outcome, limit).max_by(|a, b| share(a).total_cmp(&share(b)));
    match worst {
        Some(worst) if share(worst) >= STARVED * of_all && share(worst) > 0.0 => {
            format!("{}{}", of_client(&worst.name), percent(share(worst)))
        }
        _ => String::new(),
    }
}

fn of_client(name: &str) -> String {
    format!(", of client {name} ")
}

/// How long nobody gets a port.
fn outages(figures: &Figures) -> String {
    let [mean, longest] =
        [figures.mean_episode, figures.longest_episode].map(|span| span.as_secs_f64());
    if longest == 0.0 {
        return String::new();
    }
    if longest < OUTAGE_S {
        return format!(", for {} at a time at most", span(longest));
    }
    if figures.recovered.is_none() && mean > 0.99 * longest {
        return ", without a pause to the end".to_owned();
    }
    format!(", in outages of {} on average, {} at most", span(mean), span(longest))
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

/// What ports are held for most of the time, and by whom they are held in vain.
fn why(figures: &Figures) -> Option<String> {
    let in_use = figures.mean_in_use.mean;
    if in_use <= 0.0 {
        return None;
    }
    let states = [
        ("TIME-WAIT is", figures.mean_time_wait),
        ("Open connections are", figures.mean_established),
        ("Half-closed connections (FIN-WAIT-2, CLOSE-WAIT) are", figures.mean_closing),
        ("Connects that nobody answers are", figures.mean_connecting),
    ];
    let (state, most) = states.into_iter().max_by(|a, b| a.1.mean.total_cmp(&b.1.mean))?;
    let mut told = format!("{state} {} of the hold", percent(most.mean / in_use));
    if most != figures.mean_connecting {
        told += &unanswered(figures).map_or_else(String::new, |also| format!(", {also}"));
    }
    Some(told)
}

/// How much of what is in use is held by attempts that wait for an answer.
fn unanswered(figures: &Figures) -> Option<String> {
    let share = figures.mean_connecting.mean / figures.mean_in_use.mean;
    (share > UNANSWERED).then(|| format!("connects that nobody answers {} of it", percent(share)))
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

/// What would be refused less or not at all.
fn remedy(scenario: &Scenario, limit: &LimitFigures) -> Option<String> {
    let theory = &limit.theory;
    let mean = theory.sustainable_rate_per_s.filter(|most| most.is_finite())?;
    if mean <= 0.0 {
        let none = "no rate lasts, because ports are never given back";
        return keeps_ports(scenario, limit).then(|| none.to_owned());
    }
    match theory.offered_rate_per_s {
        Some(offered) if offered <= mean && theory.safe_rate_per_s.is_none() => {
            Some(format!("on average {} would fit, but not so unevenly", rate(mean)))
        }
        _ => what_holds(limit),
    }
}

/// The rate that holds, and the mean beside it.
fn what_holds(limit: &LimitFigures) -> Option<String> {
    let theory = &limit.theory;
    let mean = theory.sustainable_rate_per_s.filter(|most| most.is_finite() && *most > 0.0)?;
    let each = each(limit.machines.into());
    Some(match theory.safe_rate_per_s {
        Some(safe) if safe >= 0.999 * mean => {
            format!("nobody is refused up to {}{each}", rate_at_most(safe))
        }
        Some(safe) if safe > 0.0 => {
            format!(
                "nobody is refused up to {}{each} ({} fit on average)",
                rate_at_most(safe),
                rate(mean)
            )
        }
        _ => format!("on average {}{each} fit", rate(mean)),
    })
}

/// When ports that are never given back are all there are.
fn leaks(leak: Leak, limit: &LimitFigures) -> String {
    let each = each(limit.machines.into());
    let (when, lo, hi) = (leak.median_s, leak.lo_s, leak.hi_s);
    format!(
        "{}{each} are never closed and keep their ports: the first attempt is refused after about {}",
        slow_rate(leak.rate_per_s),
        span_with_interval(when, lo, hi)
    )
}

/// Are some connections of this host never closed?
fn keeps_ports(scenario: &Scenario, limit: &LimitFigures) -> bool {
    let host = host_of(scenario, limit);
    let leaks =
        |client: &Client| client.can_end(Ending::Never) || client.can_end(Ending::CloseWait);
    host.is_some_and(|host| host.clients.iter().any(leaks))
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
             refused, in outages of 8.20 s on average, 20.5 s at most. TIME-WAIT is 99.62 % of the hold; \
             nobody is refused up to 257 / s (268 / s fit on average)."
        );
    }

    #[test]
    fn a_range_that_holds_is_told_with_its_peak() {
        let (scenario, mut outcome) = samples::holding();
        outcome.limits[0].theory.offered_rate_per_s = Some(160.0);
        assert_eq!(
            sentence(&scenario, &outcome),
            "It holds: at most 9,994 of 16,384 ports in use (61 %); nobody is refused up to 257 / s \
             (268 / s fit on average)."
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
        assert!(told.contains("20.5 s at most, the last one at 92.0 s"), "{told}");
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
        outcome.limits[0].figures.refused = [0, 1_585_000, 0, 0, 0];
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("33 % of attempts are refused (bind: EADDRINUSE), in"), "{told}");
        outcome.limits[0].figures.refused = [5, 1_584_995, 0, 0, 0];
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("(connect: EADDRNOTAVAIL, bind: EADDRINUSE)"), "{told}");
    }

    #[test]
    fn ports_held_by_attempts_that_nobody_answers_are_told() {
        for (scenario, mut outcome) in [samples::overloaded(), samples::holding()] {
            outcome.limits[0].figures.mean_connecting.mean = 7_900.25;
            let told = sentence(&scenario, &outcome);
            assert!(told.contains("connects that nobody answers 50 % of it"), "{told}");
        }
    }

    #[test]
    fn a_rate_that_chance_may_break_is_not_passed_for_safe() {
        let (scenario, mut outcome) = samples::holding();
        outcome.limits[0].theory.offered_rate_per_s = Some(260.0);
        let told = sentence(&scenario, &outcome);
        assert!(told.contains("; only up to 257 / s is that sure"), "{told}");
    }

    /// What `text` comes to.
    fn told(text: &str) -> String {
        let scenario = crate::scenario::parse("sample", "sample.toml", text, &[]).unwrap();
        let outcome = crate::replicate::replicate(
            &scenario.world,
            &scenario.settings,
            &crate::replicate::Unwatched,
        );
        sentence(&scenario, &outcome.unwrap())
    }

    #[test]
    fn a_client_that_is_nearly_full_is_named_where_the_share_over_all_hides_it() {
        let text = r#"run = { duration = "2 min", replications = 2 }
            host.crawler = { preset = "linux", addresses = 2 }
            destination = { hot = {}, rest = { endpoints = 500 } }
            [client.hot]
            to = "hot"
            address = 1
            arrivals = { process = "constant", rate = "430 / s" }
            lifetime = "200 ms"
            [client.rest]
            to = "rest"
            arrivals = { process = "constant", rate = "500 / s" }
            lifetime = "200 ms""#;
        let told = told(text);
        assert!(told.contains(" of 28,232 ports in use by client hot (9"), "{told}");
    }

    #[test]
    fn a_port_that_is_taken_is_named_and_the_range_is_not_said_to_run_dry() {
        let text = |to: &str| {
            format!(
                r#"run = {{ duration = "5 min", replications = 2 }}
                host.ci.preset = "linux"
                [destination]
                web = {{}}
                own = {{}}
                [client.tests]
                to = "web"
                arrivals = {{ process = "poisson", rate = "250 / s" }}
                lifetime = "50 ms"
                [client.server]
                to = "{to}"
                arrivals = {{ process = "poisson", rate = "1 / s" }}
                lifetime = "1 ms"
                closes = "reset"
                binds = {{ port = 33794 }}"#
            )
        };
        for (to, ceiling) in
            [("web", "28,232 ports in use"), ("own", "56,464 places (28,232 ports x 2 reuse keys)")]
        {
            let told = told(&text(to));
            assert!(told.starts_with("Port 33794 is taken when server asks for it: "), "{told}");
            assert!(told.contains("The range does not run dry: at most"), "{told}");
            assert!(told.contains(ceiling), "{told}");
        }
    }

    #[test]
    fn the_client_that_gets_nothing_is_named_though_the_mean_is_small() {
        let told = told(
            r#"run = { duration = "20 s", replications = 2 }
            host.mac.preset = "macos"
            [destination]
            old = {}
            fresh = {}
            [client.park]
            to = "old"
            arrivals = { process = "batches", every = "60 s", size = 16384 }
            lifetime = "1 min"
            [client.probe]
            to = "fresh"
            arrivals = { process = "constant", rate = "10 / s" }
            lifetime = "10 ms""#,
        );
        assert_eq!(
            told,
            "49152-65535 runs dry at once: 1.2 % of attempts are refused, of client probe 100 %, \
             while client park holds 100 % of the ports in use, without a pause to the end. Open connections are 100 % of the hold."
        );
    }

    #[test]
    fn of_many_at_once_it_is_told_how_many_are_open_and_no_rate() {
        let told = told(
            r#"run = { duration = "1 min", replications = 2 }
            host.box.preset = "linux"
            [client.load]
            arrivals = { process = "batches", every = "10 min", size = 60000 }
            lifetime = "5 min""#,
        );
        assert!(told.contains("at once: 28,232 of 60,000 open, 53 % are refused."), "{told}");
        assert!(!told.contains("/ s"), "{told}");
    }
}
