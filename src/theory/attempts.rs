//! How often a client tries to connect, and how many attempts a run comes to at most: what it costs,
//! before it is begun.

use super::hold::HoldLaw;
use super::moments::limited_mean_s;
use super::pools::{ports_of, ways_of};
use crate::model::{Arrivals, Client, Host, TraceAttempt, World};
use crate::units::{SimDuration, SimTime};

/// Mean attempts a second of `arrivals`; `None` for a closed loop, whose rate depends on how its
/// attempts fare.
///
/// ```
/// use portsim::model::{Arrivals, Spacing};
/// use portsim::theory::rate_per_s;
/// use portsim::units::SimDuration;
/// let every = SimDuration::from_secs(10);
/// let batches = Arrivals::Batches { every, size: 500, spacing: Spacing::Constant };
/// assert_eq!(rate_per_s(&batches), Some(50.0));
/// ```
#[must_use]
pub fn rate_per_s(arrivals: &Arrivals) -> Option<f64> {
    match arrivals {
        Arrivals::Poisson { rate_per_s } | Arrivals::Constant { rate_per_s } => Some(*rate_per_s),
        Arrivals::Batches { every, size, .. } => Some(f64::from(*size) / every.as_secs_f64()),
        Arrivals::Trace(attempts) => Some(recorded_rate_per_s(attempts)),
        Arrivals::OnOff { rates_per_s: [on, off], lasts } => {
            let [burst, pause] = lasts.map(|span| span.as_secs_f64());
            Some((on * burst + off * pause) / (burst + pause))
        }
        Arrivals::Moving { .. } | Arrivals::ClosedLoop { .. } | Arrivals::RecordedLoop { .. } => {
            None
        }
    }
}

/// Attempts a second from the first recorded one to the last; of less than a second, as many as there
/// are.
fn recorded_rate_per_s(attempts: &[TraceAttempt]) -> f64 {
    let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else { return 0.0 };
    attempts.len() as f64 / last.at.since(first.at).as_secs_f64().max(1.0)
}

/// Attempts of each client on one machine of `host` in `duration_s` seconds.
///
/// Those of open arrivals are their mean, recorded ones their number. Workers of a closed loop that
/// are refused think and try again, so their number depends on how full the ports are: here it is what
/// they would make if the ports ran full as early as they could, and stayed so.
#[must_use]
pub fn attempts(world: &World, host: &Host, duration_s: f64) -> Vec<f64> {
    let holds: Vec<HoldLaw<'_>> =
        host.clients.iter().map(|client| HoldLaw::of(world, host, client)).collect();
    let busy_s: Vec<f64> = holds.iter().map(|hold| hold.limited_busy_mean_s(duration_s)).collect();
    let clients = || host.clients.iter().zip(&busy_s);
    let calm: Vec<f64> =
        clients().map(|(client, &busy_s)| unrefused_rate(client, busy_s, duration_s)).collect();
    let held = calm.iter().zip(&holds).map(|(rate, hold)| rate * hold.limited_mean_s(duration_s));
    let (held, ports) = (held.sum::<f64>(), least_ports(world, host));
    if held <= ports {
        return calm.iter().map(|rate| rate * duration_s).collect();
    }
    let fill_s = (ports / calm.iter().sum::<f64>()).min(duration_s);
    let opens = ports / held;
    clients()
        .zip(&calm)
        .map(|((client, busy_s), &rate)| {
            let connected = rate * opens * busy_s;
            let full = refused_rate(client, connected, duration_s).max(rate);
            rate * fill_s + full * (duration_s - fill_s)
        })
        .collect()
}

/// Attempts a second while none is refused and each keeps a worker busy for `busy_s`.
fn unrefused_rate(client: &Client, busy_s: f64, duration_s: f64) -> f64 {
    match &client.arrivals {
        Arrivals::ClosedLoop { workers, think } => {
            f64::from(*workers) / (limited_mean_s(think, duration_s) + busy_s).max(MOMENT_S)
        }
        Arrivals::Trace(attempts) => {
            let end = SimTime::START + SimDuration::from_secs_f64(duration_s);
            attempts.partition_point(|attempt| attempt.at < end) as f64 / duration_s
        }
        Arrivals::Moving { rates, .. } => rates.mean_until(duration_s),
        Arrivals::RecordedLoop { requests, .. } => requests.len() as f64 / duration_s,
        open => rate_per_s(open).expect("open arrivals have a rate"),
    }
}

/// Attempts a second of workers of whom `connected` are busy and all others are refused.
fn refused_rate(client: &Client, connected: f64, duration_s: f64) -> f64 {
    match &client.arrivals {
        Arrivals::ClosedLoop { workers, think } => {
            let think_s = match limited_mean_s(think, duration_s) {
                0.0 => Arrivals::REFUSED_PAUSE.as_secs_f64(),
                think_s => think_s.max(MOMENT_S),
            };
            (f64::from(*workers) - connected).max(0.0) / think_s
        }
        _ => 0.0,
    }
}

/// Time moves by nanoseconds.
const MOMENT_S: f64 = 1e-9;

/// Ports of one machine, were all its demand like that of the client with the narrowest way out: a
/// destination of few endpoints runs full while others have ports left.
fn least_ports(world: &World, host: &Host) -> f64 {
    let ports = host.clients.iter().map(|client| {
        let addresses = client.socket.address.map_or(0..host.addresses, |only| only..only + 1);
        // With squatters on single addresses, those of the worst; else all are alike.
        let addresses = if host.squatters.is_empty() { 0..1 } else { addresses };
        let of_one = addresses.map(|address| ports_of(host, client, Some(address))).min();
        of_one.unwrap_or(0) as f64 * ways_of(world, host, client)
    });
    ports.fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Binds, Distribution, SocketOptions, Target};
    use crate::theory::fixtures::{client, host, secs, world};

    fn of(client: Client) -> f64 {
        let host = Host { clients: vec![client], ..host() };
        attempts(&world(host.clone()), &host, 600.0)[0]
    }

    fn workers(workers: u32, think_s: f64) -> Client {
        let think = Distribution::Constant(secs(think_s));
        Client { arrivals: Arrivals::ClosedLoop { workers, think }, ..client() }
    }

    #[test]
    fn open_arrivals_come_at_their_rate_whatever_becomes_of_them() {
        assert_eq!(of(client()), 180_000.0);
        let flood = Arrivals::Constant { rate_per_s: 1e6 };
        assert_eq!(of(Client { arrivals: flood, ..client() }), 6e8);
    }

    #[test]
    fn workers_that_are_served_take_turns() {
        // 100 workers, a round of 2 s: 50 a second are fewer than the 268 that the ports carry.
        assert!((of(workers(100, 1.0)) / 30_000.0 - 1.0).abs() < 0.01);
    }

    #[test]
    fn workers_that_are_refused_try_again_after_their_think_time() {
        // 1,000 workers that think for 1 ms: some 270 are connected, the others try 1,000 times a
        // second each, once the 16,384 ports have been filled in 17 s.
        let attempts = of(workers(1_000, 0.001));
        assert!((4e8..4.4e8).contains(&attempts), "{attempts}");
        assert!(of(workers(1, 1e-9)) < 1e3, "a single worker never fills the ports");
    }

    #[test]
    fn recorded_attempts_are_counted_up_to_the_end() {
        let at = |secs| TraceAttempt {
            at: SimTime::START + SimDuration::from_secs(secs),
            lifetime: None,
            to: None,
            source: None,
            ending: None,
        };
        let trace = Arrivals::Trace([at(0), at(599), at(600), at(7_000)].into());
        assert!((of(Client { arrivals: trace, ..client() }) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn workers_who_ask_for_a_few_ports_are_refused_soon() {
        let ports = (1_000..1_100).collect();
        let socket = SocketOptions { source_ports: ports, ..SocketOptions::default() };
        let some = Client { binds: Binds::Port, socket, ..workers(200, 0.001) };
        assert!(of(some) > 100.0 * of(workers(200, 0.001)));
    }

    #[test]
    fn a_narrow_destination_runs_full_before_the_others() {
        let mut narrow = workers(1_000, 1e-6);
        let target = |destination, weight| Target { destination, weight };
        narrow.targets = vec![target(0, 1.0), target(1, 4.0)];
        let even = of(narrow.clone());
        narrow.targets = vec![target(0, 1e6), target(1, 1e-6)];
        assert!(of(narrow) > even, "all go to the one endpoint");
    }

    #[test]
    fn a_record_has_the_rate_of_the_time_it_covers() {
        let at = |s: f64| TraceAttempt {
            at: SimTime::from_nanos((s * 1e9) as u64),
            lifetime: None,
            to: None,
            source: None,
            ending: None,
        };
        let trace = |times: &[f64]| Arrivals::Trace(times.iter().map(|&s| at(s)).collect());
        assert_eq!(rate_per_s(&trace(&[100.0, 105.0, 110.0])), Some(0.3));
        assert_eq!(rate_per_s(&trace(&[100.0, 100.5])), Some(2.0));
        assert_eq!(rate_per_s(&trace(&[])), Some(0.0));
    }
}
