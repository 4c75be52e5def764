//! What the closed forms say of one host: the figures beside which a simulation is read.

use crate::model::{Arrivals, Client, Start, World};
use crate::units::SimDuration;

use super::leaks::Leak;
use super::load::Load;
use super::pools::PoolClass;
use super::safe::safe_rate_per_s;

/// Closed forms for one limit. All are for one machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// Mean hold time over all attempts, in seconds: the connection, and what follows until somebody
    /// else may have its port ([`super::HoldLaw`]). `None` when it is infinite, when some connections
    /// are never closed, or when TIME-WAITs may be too many (`tcp_max_tw_buckets`) and are cut short.
    pub mean_hold_s: Option<f64>,
    /// Arrival rate times mean hold time, in erlangs; `None` for a closed loop and without a mean hold.
    pub offered_load_erl: Option<f64>,
    /// Erlang's loss formula, averaged over the reuse keys by their share of the attempts; `None`
    /// when arrivals are not Poisson, there is no mean hold, pools take ports from each other, or
    /// an attempt may find its port taken while others are free. Where a search may miss a free port, it is
    /// what that search makes of the formula if that is known (RFC 6056 algorithm 2; Linux on an odd number
    /// of ports to 0.05 percentage points), else `None`. Addresses and endpoints taken in turn make the
    /// arrivals at each pool smoother than Poisson; the formula is an upper bound then. On a timer grid ports come free in
    /// batches, which the formula does not know: it is a lower bound then, and that for holds of the
    /// longest (half a step of the grid more than the mean) an upper one.
    pub erlang_b: Option<f64>,
    /// Engset's call congestion, for one closed loop of exponential think times on one pool whose
    /// ports are free when their connections end; else `None`.
    pub engset: Option<f64>,
    /// The highest rate of attempts that never runs out in the fluid limit, a second, in the
    /// clients' present proportions: the pool with most load for its ports decides, just after a batch
    /// where attempts come in batches. Zero when some connections are never closed; `None` when nothing
    /// limits it, where no pool stands for itself, and where batches of one pool do not keep step.
    pub sustainable_rate_per_s: Option<f64>,
    /// The highest rate of attempts a second, in the same proportions, at which a run of that length refuses
    /// nobody on any machine, but once in thousands of runs: where arrivals are left to chance, less than
    /// the sustainable rate, which is a mean. `None` where no formula is known (closed loops, recorded
    /// attempts, RFC 6056 algorithm 5, and where no pool stands for itself).
    pub safe_rate_per_s: Option<f64>,
    /// Attempts a second that the scenario offers; `None` for a closed loop, and for a batch that comes once
    /// in the run.
    pub offered_rate_per_s: Option<f64>,
    /// When the first pool is full in the fluid limit, seconds from an empty start; `None` when it
    /// never is, for a closed loop, for recorded attempts (which need not come at an even rate), and
    /// for a stationary start. Of batches it is the moment of the first that finds too few ports left;
    /// `None` where they do not keep step, or other attempts come between, unless the first is too many.
    pub fill_time_s: Option<f64>,
    /// When connections that are never closed have used up the ports, where some are not.
    pub leak: Option<Leak>,
}

impl Expected {
    /// The closed forms for one machine of `world.hosts[host_index]`, all clients together, and for a run of
    /// `duration`.
    ///
    /// Every client spreads evenly over the source addresses, by weight over its destinations and
    /// evenly over their endpoints. Batches count with their mean rate.
    ///
    /// # Panics
    /// When there is no such host or a client's destination is not in the world.
    ///
    /// ```
    /// use portsim::model::*;
    /// use portsim::theory::Expected;
    /// use portsim::units::SimDuration;
    /// // 300 connections a second of 1 s and 60 s of TIME-WAIT, on the 16,384 dynamic ports.
    /// let mean = SimDuration::from_secs(1);
    /// let fetcher = Client::poisson("fetcher", 300.0, Distribution::Exponential { mean });
    /// let (ports, timer_grid) = (PortRange::IANA_DYNAMIC, TimerGrid::Exact);
    /// let host = Host { ports, timer_grid, clients: vec![fetcher], ..Host::linux("crawler") };
    /// let world = World::of(host);
    ///
    /// let expected = Expected::of(&world, 0, Start::Empty, SimDuration::from_secs(600));
    /// assert_eq!(expected.offered_load_erl, Some(18_300.0));
    /// assert!((expected.erlang_b.unwrap() - 0.105_162).abs() < 1e-6);
    /// assert!((expected.fill_time_s.unwrap() - 54.613).abs() < 0.001);
    /// assert!((expected.sustainable_rate_per_s.unwrap() - 268.59).abs() < 0.01);
    /// // At that rate 0.6 % of the attempts find no port; at this one, none.
    /// assert_eq!(expected.safe_rate_per_s.unwrap().round(), 257.0);
    /// ```
    #[must_use]
    pub fn of(world: &World, host_index: usize, start: Start, duration: SimDuration) -> Self {
        let host = &world.hosts[host_index];
        let asks = |client: &Client| {
            client.pool.is_some()
                || client.retries.is_some()
                || matches!(client.arrivals, Arrivals::Moving { .. } | Arrivals::OnOff { .. })
        };
        if host.clients.iter().any(asks) || !world.changes.is_empty() {
            // How many connections requests and retries need, and what a rate or a world that changes leaves
            // behind, is no closed form of what is written.
            return Self::default();
        }
        let Some(load) = Load::of(world, host) else { return Self::default() };
        let on_pools =
            |formula: &dyn Fn(&[PoolClass]) -> Option<f64>| load.pools().and_then(formula);
        let mean_hold_s = load.mean_hold_s();
        // A batch that comes once has no rate.
        let once = |client: &Client| matches!(client.arrivals, Arrivals::Batches { every, .. } if every >= duration);
        let lasts = !host.clients.iter().any(once);
        let offered_rate_per_s = load.offered_rate_per_s().filter(|_| lasts);
        Self {
            mean_hold_s,
            offered_load_erl: offered_rate_per_s.zip(mean_hold_s).map(|(rate, hold)| rate * hold),
            erlang_b: on_pools(&|classes| load.erlang_b(classes)),
            engset: on_pools(&|classes| load.engset(classes)),
            sustainable_rate_per_s: on_pools(&|classes| load.sustainable_rate_per_s(classes))
                .filter(|_| lasts),
            safe_rate_per_s: on_pools(&|classes| {
                safe_rate_per_s(&load, classes, host.count, duration)
            })
            .filter(|_| lasts),
            offered_rate_per_s,
            fill_time_s: match start {
                Start::Empty => on_pools(&|classes| load.fill_time_s(classes)),
                Start::Stationary => None,
            },
            leak: Leak::of(world, host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Binds, Distribution, Ending, Host, PortRange, ReuseKey, Spacing, Target, TimerGrid,
    };
    use crate::theory::erlang_b;
    use crate::theory::fixtures::{client, host, secs, world};

    fn expected(host: Host) -> Expected {
        Expected::of(&world(host), 0, Start::Empty, SimDuration::from_secs(600))
    }

    fn close(got: Option<f64>, wanted: f64) {
        let got = got.unwrap();
        assert!((got - wanted).abs() <= 1e-9 * wanted.abs(), "{got} is not {wanted}");
    }

    #[test]
    fn one_poisson_client_gets_every_form_for_open_demand() {
        let all = expected(host());
        close(all.mean_hold_s, 61.0);
        close(all.offered_load_erl, 18_300.0);
        close(all.erlang_b, erlang_b(16_384, 18_300.0));
        close(all.sustainable_rate_per_s, 16_384.0 / 61.0);
        close(all.offered_rate_per_s, 300.0);
        close(all.fill_time_s, 16_384.0 / 300.0);
        assert_eq!(all.engset, None);
    }

    #[test]
    fn the_timer_wheel_lengthens_every_time_wait() {
        let grid = TimerGrid::LinuxWheel { hz: 250 };
        close(expected(Host { timer_grid: grid, ..host() }).mean_hold_s, 62.024);
    }

    #[test]
    fn the_most_loaded_pool_decides_what_is_sustainable_and_fills_first() {
        let mut host = host();
        // A quarter of the load for one endpoint, three quarters for four others.
        host.clients[0].targets =
            vec![Target { destination: 0, weight: 1.0 }, Target { destination: 1, weight: 3.0 }];
        host.clients[0].arrivals = Arrivals::Poisson { rate_per_s: 1_200.0 };
        let all = expected(host);
        // 300 a second to the first, 225 to each of the others.
        close(all.sustainable_rate_per_s, 4.0 * 16_384.0 / 61.0);
        close(all.fill_time_s, 16_384.0 / 300.0);
        let (one, other) = (erlang_b(16_384, 18_300.0), erlang_b(16_384, 13_725.0));
        close(all.erlang_b, 0.25 * one + 0.75 * other);
    }

    #[test]
    fn source_addresses_share_the_load_evenly() {
        let all = expected(Host { addresses: 2, ..host() });
        close(all.erlang_b, erlang_b(16_384, 9_150.0));
        close(all.sustainable_rate_per_s, 2.0 * 16_384.0 / 61.0);
        assert_eq!(all.fill_time_s, None);
    }

    #[test]
    fn binding_first_makes_one_pool_of_all_destinations() {
        let mut host = host();
        host.clients[0].targets[0].destination = 1;
        close(expected(host.clone()).erlang_b, erlang_b(16_384, 4_575.0));
        host.clients[0].binds = Binds::Bind;
        close(expected(host.clone()).erlang_b, erlang_b(16_384, 18_300.0));
        host.clients.push(client());
        host.clients[1].targets[0].destination = 1;
        let mixed = expected(host);
        assert_eq!(mixed.erlang_b, None);
        assert_eq!((mixed.sustainable_rate_per_s, mixed.fill_time_s), (None, None));
        close(mixed.offered_load_erl, 36_600.0);
    }

    #[test]
    fn clients_of_one_pool_add_up() {
        let mut host = host();
        host.reuse_key = ReuseKey::Host;
        host.clients.push(Client { closes: vec![(Ending::Server, 1.0)], ..client() });
        let all = expected(host);
        close(all.mean_hold_s, 31.0);
        close(all.offered_load_erl, 18_600.0);
        close(all.erlang_b, erlang_b(16_384, 18_600.0));
        close(all.sustainable_rate_per_s, 600.0 * 16_384.0 / 18_600.0);
    }

    #[test]
    fn connections_that_are_never_closed_sustain_no_rate_and_fill_every_pool() {
        let mut host = host();
        host.clients[0].closes = vec![(Ending::Never, 1.0)];
        let all = expected(host.clone());
        assert_eq!((all.mean_hold_s, all.offered_load_erl, all.erlang_b), (None, None, None));
        assert_eq!(all.sustainable_rate_per_s, Some(0.0));
        close(all.fill_time_s, 16_384.0 / 300.0);
        // A leak of one in ten: the rest hold 90 * 61 ports.
        host.clients[0].arrivals = Arrivals::Constant { rate_per_s: 100.0 };
        host.clients[0].closes = vec![(Ending::Client, 9.0), (Ending::Never, 1.0)];
        let leak = expected(host);
        close(leak.fill_time_s, (16_384.0 - 90.0 * 61.0) / 10.0);
    }

    #[test]
    fn ports_that_come_free_early_put_the_fill_time_off() {
        let mut host = host();
        host.clients[0].closes = vec![(Ending::Server, 1.0)];
        host.clients[0].lifetime = Distribution::Exponential { mean: secs(100.0) };
        // 30,000 (1 - exp(-t / 100)) = 16,384.
        let fill = expected(host).fill_time_s;
        close(fill, -100.0 * libm::log1p(-16_384.0 / 30_000.0));
    }

    #[test]
    fn a_stationary_start_has_no_fill_time_but_the_same_steady_state() {
        let stationary =
            Expected::of(&world(host()), 0, Start::Stationary, SimDuration::from_secs(600));
        assert_eq!(stationary, Expected { fill_time_s: None, ..expected(host()) });
    }

    #[test]
    fn batches_and_constant_arrivals_have_a_rate_but_no_loss_formula() {
        let every = secs(10.0);
        let batches = Arrivals::Batches { every, size: 3_000, spacing: Spacing::Constant };
        for (arrivals, fill_s) in [
            (Arrivals::Constant { rate_per_s: 300.0 }, 16_384.0 / 300.0),
            // 2,999 of 3,000 in 10 s are there at the next batch: the sixth finds too few.
            (batches, 50.0),
        ] {
            let mut host = host();
            host.clients[0].arrivals = arrivals;
            let all = expected(host);
            assert_eq!(all.erlang_b, None);
            close(all.offered_rate_per_s, 300.0);
            close(all.fill_time_s, fill_s);
        }
    }

    #[test]
    fn a_closed_loop_without_time_wait_follows_engset() {
        let mut host = host();
        host.ports = PortRange::new(50_001, 50_010).unwrap();
        host.clients[0].arrivals = Arrivals::ClosedLoop {
            workers: 20,
            think: Distribution::Exponential { mean: secs(2.0) },
        };
        host.clients[0].closes = vec![(Ending::Server, 1.0)];
        let all = expected(host.clone());
        close(all.engset, 4.169_815_085_144_972e-2);
        close(all.mean_hold_s, 1.0);
        close(all.sustainable_rate_per_s, 10.0);
        let none = (all.offered_rate_per_s, all.offered_load_erl, all.erlang_b, all.fill_time_s);
        assert_eq!(none, (None, None, None, None));
        host.clients[0].closes = vec![(Ending::Client, 1.0)];
        assert_eq!(expected(host.clone()).engset, None);
        host.time_wait = secs(0.0);
        close(expected(host.clone()).engset, 4.169_815_085_144_972e-2);
        host.addresses = 2;
        assert_eq!(expected(host).engset, None);
    }

    #[test]
    fn a_closed_loop_that_keeps_its_connections_sustains_no_rate() {
        let mut host = host();
        let think = Distribution::Constant(secs(1.0));
        host.clients[0].arrivals = Arrivals::ClosedLoop { workers: 3, think };
        host.clients[0].lifetime = Distribution::Pareto { minimum: secs(1.0), shape: 0.9 };
        let all = expected(host);
        assert_eq!(all, Expected { sustainable_rate_per_s: Some(0.0), ..Expected::default() });
    }

    #[test]
    fn a_machine_without_a_port_blocks_everything_from_the_start() {
        let mut host = host();
        host.ports = PortRange::new(50_000, 50_000).unwrap();
        host.listeners = [50_000].into_iter().collect();
        let all = expected(host);
        assert_eq!(all.erlang_b, Some(1.0));
        assert_eq!((all.sustainable_rate_per_s, all.fill_time_s), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn nothing_is_said_of_a_machine_that_nobody_uses() {
        assert_eq!(expected(Host { clients: vec![], ..host() }), Expected::default());
    }
}
