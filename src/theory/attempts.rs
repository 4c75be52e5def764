//! How many attempts to connect a run comes to, at most: what it costs, before it is begun.

use super::demand::{HoldLaw, rate_per_s};
use super::moments::limited_mean_s;
use super::pools::{key_of, pools};
use crate::model::{Arrivals, Client, Distribution, Host, ReuseKey, World};

/// Attempts of each client on one machine of `host` in `duration_s` seconds.
///
/// Those of open arrivals are their mean. Workers of a closed loop that are refused think and try
/// again, so their number depends on how full the ports are: here it is what they would make if the
/// ports ran full as early as they could, and stayed so.
#[must_use]
pub fn attempts(world: &World, host: &Host, duration_s: f64) -> Vec<f64> {
    let calm: Vec<f64> = host.clients.iter().map(|c| unrefused_rate(c, duration_s)).collect();
    let held = host
        .clients
        .iter()
        .zip(&calm)
        .map(|(client, rate)| rate * HoldLaw::of(host, client).limited_mean_s(duration_s));
    let (held, ports) = (held.sum::<f64>(), least_ports(world, host));
    if held <= ports {
        return calm.iter().map(|rate| rate * duration_s).collect();
    }
    let fill_s = (ports / calm.iter().sum::<f64>()).min(duration_s);
    let (clients, opens) = (host.clients.iter().zip(&calm), ports / held);
    clients
        .map(|(client, &rate)| {
            let full = refused_rate(client, rate * opens, duration_s).max(rate);
            rate * fill_s + full * (duration_s - fill_s)
        })
        .collect()
}

/// Attempts a second while none is refused.
fn unrefused_rate(client: &Client, duration_s: f64) -> f64 {
    match &client.arrivals {
        Arrivals::ClosedLoop { workers, think } => {
            let round = moment(think, duration_s) + limited_mean_s(&client.lifetime, duration_s);
            f64::from(*workers) / round
        }
        open => rate_per_s(open).expect("open arrivals have a rate"),
    }
}

/// Attempts a second of workers of whom `opened_per_s` get through and all others are refused.
fn refused_rate(client: &Client, opened_per_s: f64, duration_s: f64) -> f64 {
    match &client.arrivals {
        Arrivals::ClosedLoop { workers, think } => {
            let connected = opened_per_s * limited_mean_s(&client.lifetime, duration_s);
            (f64::from(*workers) - connected).max(0.0) / moment(think, duration_s)
        }
        _ => 0.0,
    }
}

/// The mean of what a run sees of `think`; never zero, for time moves by nanoseconds.
fn moment(think: &Distribution, duration_s: f64) -> f64 {
    limited_mean_s(think, duration_s).max(1e-9)
}

/// Ports of one machine, were all its demand like that of the client with the narrowest way out: a
/// destination of few endpoints runs full while others have ports left.
fn least_ports(world: &World, host: &Host) -> f64 {
    let ways = host.clients.iter().map(|client| {
        if key_of(host, client) != ReuseKey::FourTuple {
            return match host.reuse_key {
                ReuseKey::Host => 1.0,
                _ => f64::from(host.addresses),
            };
        }
        let total: f64 = client.targets.iter().map(|target| target.weight).sum();
        let ways = client.targets.iter().map(|target| {
            let endpoints = f64::from(world.destinations[target.destination].endpoints);
            endpoints * f64::from(host.addresses) * total / target.weight
        });
        ways.fold(f64::INFINITY, f64::min)
    });
    let least = ways.fold(pools(world, host) as f64, f64::min);
    least * f64::from(host.usable_ports())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;
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
    fn a_narrow_destination_runs_full_before_the_others() {
        let mut narrow = workers(1_000, 1e-6);
        let target = |destination, weight| Target { destination, weight };
        narrow.targets = vec![target(0, 1.0), target(1, 4.0)];
        let even = of(narrow.clone());
        narrow.targets = vec![target(0, 1e6), target(1, 1e-6)];
        assert!(of(narrow) > even, "all go to the one endpoint");
    }
}
