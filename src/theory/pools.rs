//! How a machine's ports fall into pools: one for each reuse key that its connections use.
//!
//! A port of one pool is as good as any other of it, and pools do not take ports from each other:
//! each is a loss system of its own. That holds as long as all connections of the machine use the
//! same kind of key. Where plain `connect()` and `bind()` share a machine, a bound connection takes
//! its port from every pool at once; only towards a single endpoint is that still one pool.

use crate::model::{Binds, Client, Host, ReuseKey, World};

/// Alike pools of one machine, and what each gets of every client's attempts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PoolClass {
    /// How many such pools the machine has.
    pub(super) pools: u64,
    /// For each client of the host, the share of its attempts that goes to one such pool.
    pub(super) shares: Vec<f64>,
}

/// The key of the connections of `client` on `host`: that of the host, but never finer than the
/// source address when the client calls `bind()` first.
#[must_use]
pub fn key_of(host: &Host, client: &Client) -> ReuseKey {
    match (client.binds, host.reuse_key) {
        (Binds::Bind, ReuseKey::FourTuple) => ReuseKey::SourceAddress,
        (_, key) => key,
    }
}

/// How many pools one machine of `host` has: the most connections that can use one port at once.
///
/// Clients that `bind()` first count a source address once, plain ones once for each endpoint
/// that they connect to; where both are on a machine, the plain ones decide. Zero for a machine
/// of 4-tuples without clients.
///
/// ```
/// # use portsim::model::*;
/// # use portsim::units::SimDuration;
/// # let client = Client {
/// #     name: "fetcher".into(),
/// #     targets: vec![Target { destination: 0, weight: 1.0 }],
/// #     arrivals: Arrivals::Poisson { rate_per_s: 300.0 },
/// #     lifetime: Distribution::Constant(SimDuration::from_secs(1)),
/// #     closes: vec![(Ending::Client, 1.0)],
/// #     second_fin: Distribution::Constant(SimDuration::ZERO),
/// #     binds: Binds::Connect,
/// #     socket: SocketOptions::default(),
/// # };
/// # let mut host = Host {
/// #     name: "crawler".into(), count: 1, addresses: 2, ports: PortRange::IANA_DYNAMIC,
/// #     reserved: PortSet::default(), listeners: PortSet::default(),
/// #     time_wait: SimDuration::from_secs(60), timer_grid: TimerGrid::Exact,
/// #     selection: SelectionKind::Linux, reuse_key: ReuseKey::FourTuple, clients: vec![client],
/// # };
/// # let api = Destination { name: "api".into(), endpoints: 3, pick: EndpointPick::Random, answers: true, loopback: false };
/// # let world = World { hosts: vec![], destinations: vec![api] };
/// use portsim::theory::{capacity, pools};
/// // A host of 2 addresses and 16,384 ports, whose client connects to 3 endpoints.
/// assert_eq!(pools(&world, &host), 6);
/// assert_eq!(capacity(&world, &host), 98_304);
/// host.clients[0].binds = Binds::Bind;
/// assert_eq!(capacity(&world, &host), 32_768);
/// ```
#[must_use]
pub fn pools(world: &World, host: &Host) -> u64 {
    let addresses = u64::from(host.addresses);
    match host.reuse_key {
        ReuseKey::Host => 1,
        ReuseKey::SourceAddress => addresses,
        ReuseKey::FourTuple if is_bound(host) => addresses,
        ReuseKey::FourTuple => {
            let destinations = plain_destinations(host);
            addresses * destinations.iter().map(|&to| endpoints(world, to)).sum::<u64>()
        }
    }
}

/// The most connections that can hold a port of one machine of `host` at once: its usable ports
/// times its [`pools`].
#[must_use]
pub fn capacity(world: &World, host: &Host) -> u64 {
    u64::from(host.usable_ports()) * pools(world, host)
}

/// The pools of one machine by class; `None` when its connections use keys of two kinds that do
/// not come to the same.
pub(super) fn pool_classes(world: &World, host: &Host) -> Option<Vec<PoolClass>> {
    let even = |pools: u64| {
        let share = 1.0 / pools as f64;
        Some(vec![PoolClass { pools, shares: vec![share; host.clients.len()] }])
    };
    if host.reuse_key != ReuseKey::FourTuple || is_bound(host) {
        return even(pools(world, host));
    }
    if host.clients.iter().any(|client| key_of(host, client) != ReuseKey::FourTuple) {
        // Bound sockets keep their port from every plain connect(): one pool if there is one key.
        return if pools(world, host) == 1 { even(1) } else { None };
    }
    let class = |to: usize| {
        let pools = u64::from(host.addresses) * endpoints(world, to);
        let shares = host.clients.iter().map(|client| share_to(client, to) / pools as f64);
        PoolClass { pools, shares: shares.collect() }
    };
    Some(plain_destinations(host).into_iter().map(class).collect())
}

/// Do all clients of `host` bind first? (Not without clients.)
fn is_bound(host: &Host) -> bool {
    !host.clients.is_empty() && host.clients.iter().all(|client| client.binds == Binds::Bind)
}

/// The destinations of the clients that connect without binding a port first, rising.
fn plain_destinations(host: &Host) -> Vec<usize> {
    let plain = host.clients.iter().filter(|client| client.binds != Binds::Bind);
    let mut all: Vec<usize> =
        plain.flat_map(|client| &client.targets).map(|target| target.destination).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn endpoints(world: &World, destination: usize) -> u64 {
    u64::from(world.destinations[destination].endpoints)
}

/// Share of the attempts of `client` that go to `destination`, 0 to 1.
fn share_to(client: &Client, destination: usize) -> f64 {
    let total: f64 = client.targets.iter().map(|target| target.weight).sum();
    let there = client.targets.iter().filter(|target| target.destination == destination);
    there.map(|target| target.weight).sum::<f64>() / total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;
    use crate::theory::fixtures::{client, host, world};

    fn to_both() -> Vec<Target> {
        vec![Target { destination: 0, weight: 3.0 }, Target { destination: 1, weight: 1.0 }]
    }

    #[test]
    fn a_four_tuple_host_has_a_pool_for_each_address_and_endpoint_in_use() {
        let mut host = host();
        host.addresses = 2;
        assert_eq!(pools(&world(host.clone()), &host), 2);
        host.clients.push(Client { targets: to_both(), ..client() });
        let world = world(host.clone());
        assert_eq!(pools(&world, &host), 10);
        assert_eq!(
            pool_classes(&world, &host).unwrap(),
            [
                PoolClass { pools: 2, shares: vec![0.5, 0.375] },
                PoolClass { pools: 8, shares: vec![0.0, 0.031_25] },
            ]
        );
    }

    #[test]
    fn coarser_keys_have_a_pool_for_each_address_or_one_in_all() {
        let mut host = host();
        host.addresses = 3;
        host.clients[0].targets = to_both();
        for (key, count) in [(ReuseKey::SourceAddress, 3), (ReuseKey::Host, 1)] {
            host.reuse_key = key;
            let world = world(host.clone());
            assert_eq!(pools(&world, &host), count);
            let classes = pool_classes(&world, &host).unwrap();
            assert_eq!(classes, [PoolClass { pools: count, shares: vec![1.0 / count as f64] }]);
        }
    }

    #[test]
    fn binding_first_makes_a_key_no_finer_than_the_source_address() {
        let mut host = host();
        let bound = Client { binds: Binds::Bind, ..client() };
        for (key, seen) in [
            (ReuseKey::FourTuple, ReuseKey::SourceAddress),
            (ReuseKey::SourceAddress, ReuseKey::SourceAddress),
            (ReuseKey::Host, ReuseKey::Host),
        ] {
            host.reuse_key = key;
            assert_eq!(key_of(&host, &bound), seen);
            assert_eq!(key_of(&host, &Client { binds: Binds::BindNoPort, ..client() }), key);
        }
    }

    #[test]
    fn bound_and_plain_clients_share_a_pool_only_towards_one_endpoint() {
        let mut host = host();
        host.clients.push(Client { binds: Binds::Bind, targets: to_both(), ..client() });
        let one = pool_classes(&world(host.clone()), &host).unwrap();
        assert_eq!(one, [PoolClass { pools: 1, shares: vec![1.0, 1.0] }]);
        host.clients[0].targets = to_both();
        assert_eq!(pool_classes(&world(host.clone()), &host), None);
        assert_eq!(pools(&world(host.clone()), &host), 5);
        host.clients[0].targets.truncate(1);
        host.addresses = 2;
        assert_eq!(pool_classes(&world(host.clone()), &host), None);
    }

    #[test]
    fn reserved_ports_and_listeners_are_no_capacity() {
        let mut host = host();
        host.reserved = [49_152, 49_153, 80].into_iter().collect();
        host.listeners = [49_153].into_iter().collect();
        assert_eq!(capacity(&world(host.clone()), &host), 16_382);
    }
}
