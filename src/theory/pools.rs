//! How a machine's ports fall into pools: one for each reuse key that its connections use.
//!
//! A port of one pool is as good as any other of it, and pools do not take ports from each other:
//! each is a loss system of its own. Where that is not so, no closed form here holds:
//!
//! * plain `connect()` and `bind()` on one machine: a bound connection takes its port from every pool
//!   at once. Only towards a single endpoint from a single address is that still one pool;
//! * ports of a client's own choice: an attempt asks for one port, however many others are free;
//! * recorded attempts that say from which of several addresses they were made;
//! * bound ports that their options let several sockets share;
//! * clients of one pool that keep to different parts of the range.

use std::collections::BTreeMap;

use crate::model::{
    Binds, Client, Host, PortRange, PortSet, ReuseKey, SelectionKind, Sight, SquatterAddress, World,
};

use super::hold::is_taken_over;
use super::lifetimes::{has_recorded_sources, target_shares};

/// The attempts of one client at one of its targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TargetFlow {
    /// Number of the client on its host.
    pub(super) client: usize,
    /// Number of the target among those of the client.
    pub(super) target: usize,
    /// Share of the client's attempts, above 0.
    pub(super) share: f64,
}

/// Alike pools of one machine, and what each gets of every flow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PoolClass {
    /// How many such pools the machine has.
    pub(super) pools: u64,
    /// Ports of each.
    pub(super) ports: u64,
    /// What an attempt sees of them.
    pub(super) sight: Sight,
    /// Numbers of the flows that come here, each with the share of it that goes to one such pool.
    pub(super) shares: Vec<(usize, f64)>,
}

impl PoolClass {
    /// Ports of each that can all be taken before an attempt is refused.
    pub(super) const fn surely_seen(&self) -> u64 {
        match self.sight {
            Sight::AllButOne => self.ports.saturating_sub(1),
            _ => self.ports,
        }
    }
}

/// The flows of one machine of `host`.
pub(super) fn flows(host: &Host) -> Vec<TargetFlow> {
    let of_client = |(number, client): (usize, &Client)| {
        let shares = target_shares(client).into_iter().enumerate();
        let used = shares.filter(|&(_, share)| share > 0.0);
        used.map(move |(target, share)| TargetFlow { client: number, target, share })
            .collect::<Vec<_>>()
    };
    host.clients.iter().enumerate().flat_map(of_client).collect()
}

/// The pools of one machine by class; `None` when they take ports from each other, or one port of a
/// pool is not as good as another.
pub(super) fn pool_classes(
    world: &World,
    host: &Host,
    flows: &[TargetFlow],
) -> Option<Vec<PoolClass>> {
    let several = host.addresses > 1 && host.reuse_key != ReuseKey::Host;
    if several && host.clients.iter().any(has_recorded_sources) {
        return None;
    }
    if !ports_are_alike(host) || is_mixed(host) && !is_one_pool(world, host) {
        return None;
    }
    let groups = groups(host);
    let addresses = f64::from(host.addresses);
    let mut classes: BTreeMap<(usize, usize), (PoolClass, &Client)> = BTreeMap::new();
    for (number, flow) in flows.iter().enumerate() {
        let client = &host.clients[flow.client];
        let to = client.targets[flow.target].destination;
        let key = key_of(host, client);
        for (place, group) in groups.iter().enumerate() {
            let from_one = match client.socket.address {
                _ if key == ReuseKey::Host => 1.0,
                Some(address) => f64::from(u8::from(group.only == Some(address))),
                None => 1.0 / addresses,
            };
            if from_one == 0.0 {
                continue;
            }
            let (to, ways) = match key {
                ReuseKey::FourTuple if is_mixed(host) => (0, 1),
                ReuseKey::FourTuple => (to, u64::from(world.destinations[to].endpoints)),
                ReuseKey::SourceAddress | ReuseKey::Host => (0, 1),
            };
            let (ports, sight) = (ports_of(host, client, group.only), sight_of(host, client));
            let (class, first) = classes.entry((place, to)).or_insert_with(|| {
                let pools = group.addresses * ways;
                (PoolClass { pools, ports, sight, shares: Vec::new() }, client)
            });
            if part_of_range(host, first) != part_of_range(host, client) || class.ports != ports {
                return None;
            }
            if class.sight != sight {
                class.sight = Sight::Uneven;
            }
            class.shares.push((number, from_one / ways as f64));
        }
    }
    Some(classes.into_values().map(|(class, _)| class).collect())
}

/// Ports that an attempt of `client` may get, all others being free: of its part of the range those
/// that are neither reserved nor in use for good. Of the address `from` where it is `bind()` that
/// chooses, which looks at no other; `connect()` passes over a port that is bound on any.
pub(super) fn ports_of(host: &Host, client: &Client, from: Option<u32>) -> u64 {
    if client.binds == Binds::Port {
        return client.socket.source_ports.ports().len() as u64;
    }
    let part = part_of_range(host, client);
    let counts = |on: SquatterAddress| match on {
        _ if !client.binds.is_bound() => true,
        SquatterAddress::Other => false,
        SquatterAddress::Source(_) if host.reuse_key == ReuseKey::Host => true,
        SquatterAddress::Source(address) => from == Some(address),
    };
    let squatters = host.squatters.iter().filter(|squatter| counts(squatter.on));
    let lost: PortSet = [&host.reserved, &host.listeners]
        .into_iter()
        .chain(squatters.map(|squatter| &squatter.ports))
        .flat_map(|ports| ports.inside(part))
        .collect();
    u64::from(part.num_ephemeral()) - lost.ports().len() as u64
}

/// What an attempt of `client` sees of its part of the range.
fn sight_of(host: &Host, client: &Client) -> Sight {
    // `connect()` walks a part of the range port by port since 6.8.
    let in_order = client.socket.port_range.is_some()
        && !client.binds.is_bound()
        && host.selection == SelectionKind::Linux
        && host.tcp.narrow_range_by_one;
    let part = part_of_range(host, client);
    if in_order { Sight::All } else { Sight::of(host.selection, part.num_ephemeral()) }
}

/// How many ways out, each with all its ports, the attempts of `client` have as long as those of its
/// busiest target find a port.
pub(super) fn ways_of(world: &World, host: &Host, client: &Client) -> f64 {
    let addresses = match (host.reuse_key, client.socket.address) {
        (ReuseKey::Host, _) | (_, Some(_)) => 1.0,
        _ => f64::from(host.addresses),
    };
    if key_of(host, client) != ReuseKey::FourTuple {
        return addresses;
    }
    let towards = client.targets.iter().zip(target_shares(client)).map(|(target, share)| {
        f64::from(world.destinations[target.destination].endpoints) * addresses / share
    });
    towards.fold(f64::INFINITY, f64::min)
}

/// The key of the connections of `client` on `host`: that of the host, but never finer than the
/// source address when the client calls `bind()` first.
fn key_of(host: &Host, client: &Client) -> ReuseKey {
    match host.reuse_key {
        ReuseKey::FourTuple if client.binds.is_bound() => ReuseKey::SourceAddress,
        key => key,
    }
}

/// The part of the range that the sockets of `client` keep to: all of it, or what IP_LOCAL_PORT_RANGE
/// leaves of it.
fn part_of_range(host: &Host, client: &Client) -> PortRange {
    let range = host.ports;
    let knows_it = match client.binds.is_bound() {
        true => host.is_linux(),
        false => host.selection == SelectionKind::Linux,
    };
    let part = client.socket.port_range.filter(|_| knows_it);
    part.map_or(range, |part| range.narrowed_to(part))
}

/// Source addresses of a machine that are alike.
struct Group {
    addresses: u64,
    /// Which it is, where clients or squatters make a difference between it and others.
    only: Option<u32>,
}

fn groups(host: &Host) -> Vec<Group> {
    if host.reuse_key == ReuseKey::Host {
        return vec![Group { addresses: 1, only: None }];
    }
    let squatted = host.squatters.iter().filter_map(|squatter| match squatter.on {
        SquatterAddress::Source(address) => Some(address),
        SquatterAddress::Other => None,
    });
    let asked_for = host.clients.iter().filter_map(|client| client.socket.address);
    let mut single: Vec<u32> = squatted.chain(asked_for).filter(|&a| a < host.addresses).collect();
    single.sort_unstable();
    single.dedup();
    let rest = u64::from(host.addresses) - single.len() as u64;
    let single = single.into_iter().map(|address| Group { addresses: 1, only: Some(address) });
    single.chain((rest > 0).then_some(Group { addresses: rest, only: None })).collect()
}

/// Is any free port of its part of the range good for an attempt, and good for one only?
fn ports_are_alike(host: &Host) -> bool {
    host.clients.iter().all(|client| match client.binds {
        Binds::Connect | Binds::BindNoPort => true,
        // `ip_autobind_reuse` (`inet_csk_find_open_port`, the second search).
        Binds::Bind => !(client.socket.reuse_address && host.tcp.autobind_reuse),
        Binds::Port => false,
    })
}

/// Do some clients `bind()` first and others not?
fn is_mixed(host: &Host) -> bool {
    let bound = host.clients.iter().filter(|client| client.binds.is_bound()).count();
    bound > 0 && bound < host.clients.len()
}

/// Of a machine where some clients `bind()` first: is every port good for one connection at a time,
/// whoever has it? Not where `connect()` may take over a TIME-WAIT that `bind()` has to wait for.
fn is_one_pool(world: &World, host: &Host) -> bool {
    let plain = || host.clients.iter().filter(|client| !client.binds.is_bound());
    let destinations =
        || plain().flat_map(|client| client.targets.iter().map(move |to| (client, to)));
    let taken_over = destinations().any(|(client, to)| {
        is_taken_over(host, client, world.destinations[to.destination].loopback)
    });
    let one_destination = || {
        let mut numbers: Vec<usize> = destinations().map(|(_, to)| to.destination).collect();
        numbers.sort_unstable();
        numbers.dedup();
        matches!(numbers[..], [only] if world.destinations[only].endpoints == 1)
    };
    let one = match host.reuse_key {
        ReuseKey::Host => true,
        ReuseKey::SourceAddress => host.addresses == 1,
        ReuseKey::FourTuple => host.addresses == 1 && one_destination(),
    };
    one && !taken_over
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Arrivals, SocketOptions, Squatter, Target, TcpSettings, TraceAttempt, TwReuse,
    };
    use crate::theory::fixtures::{client, host, world};
    use crate::units::SimTime;

    fn classes(host: &Host) -> Option<Vec<PoolClass>> {
        pool_classes(&world(host.clone()), host, &flows(host))
    }

    fn class(pools: u64, ports: u64, shares: &[(usize, f64)]) -> PoolClass {
        PoolClass { pools, ports, sight: Sight::All, shares: shares.to_vec() }
    }

    fn to_both() -> Vec<Target> {
        vec![Target { destination: 0, weight: 3.0 }, Target { destination: 1, weight: 1.0 }]
    }

    fn bound() -> Client {
        Client { binds: Binds::Bind, ..client() }
    }

    #[test]
    fn a_four_tuple_host_has_a_pool_for_each_address_and_endpoint_in_use() {
        let mut host = host();
        host.addresses = 2;
        assert_eq!(classes(&host).unwrap(), [class(2, 16_384, &[(0, 0.5)])]);
        host.clients.push(Client { targets: to_both(), ..client() });
        // The second client's flows are numbers 1 and 2.
        let all = [class(2, 16_384, &[(0, 0.5), (1, 0.5)]), class(8, 16_384, &[(2, 0.125)])];
        assert_eq!(classes(&host).unwrap(), all);
        assert_eq!(ways_of(&world(host.clone()), &host, &host.clients[1]), 2.0 / 0.75);
    }

    #[test]
    fn coarser_keys_have_a_pool_for_each_address_or_one_in_all() {
        let mut host = host();
        host.addresses = 4;
        host.clients[0].targets = to_both();
        for (key, count) in [(ReuseKey::SourceAddress, 4), (ReuseKey::Host, 1)] {
            host.reuse_key = key;
            let share = 1.0 / count as f64;
            assert_eq!(classes(&host).unwrap(), [class(count, 16_384, &[(0, share), (1, share)])]);
            assert_eq!(ways_of(&world(host.clone()), &host, &host.clients[0]), count as f64);
        }
    }

    #[test]
    fn binding_first_makes_a_key_no_finer_than_the_source_address() {
        let mut host = host();
        for (key, seen) in [
            (ReuseKey::FourTuple, ReuseKey::SourceAddress),
            (ReuseKey::SourceAddress, ReuseKey::SourceAddress),
            (ReuseKey::Host, ReuseKey::Host),
        ] {
            host.reuse_key = key;
            assert_eq!(key_of(&host, &bound()), seen);
            assert_eq!(key_of(&host, &Client { binds: Binds::BindNoPort, ..client() }), key);
        }
    }

    #[test]
    fn bound_and_plain_clients_share_a_pool_only_towards_one_endpoint() {
        let mut host = host();
        host.clients.push(Client { targets: to_both(), ..bound() });
        let one = [class(1, 16_384, &[(0, 1.0), (1, 1.0), (2, 1.0)])];
        assert_eq!(classes(&host).unwrap(), one);
        host.clients[0].targets = to_both();
        assert_eq!(classes(&host), None);
        host.clients[0].targets.truncate(1);
        host.addresses = 2;
        for key in [ReuseKey::FourTuple, ReuseKey::SourceAddress] {
            host.reuse_key = key;
            assert_eq!(classes(&host), None, "a bound port is lost to connect() on every address");
        }
        host.reuse_key = ReuseKey::Host;
        assert_eq!(classes(&host).unwrap(), one);
    }

    #[test]
    fn what_only_one_of_two_calls_may_have_makes_no_pool() {
        let mut mixed = host();
        mixed.clients.push(bound());
        let tcp = TcpSettings { tw_reuse: TwReuse::Always, ..TcpSettings::default() };
        assert_eq!(classes(&Host { tcp, ..mixed.clone() }), None);
        let squatter = |on| vec![Squatter { ports: [50_000].into_iter().collect(), on }];
        mixed.squatters = squatter(SquatterAddress::Other);
        assert_eq!(classes(&mixed), None);
        mixed.squatters = squatter(SquatterAddress::Source(0));
        assert_eq!(classes(&mixed).unwrap(), [class(1, 16_383, &[(0, 1.0), (1, 1.0)])]);
    }

    #[test]
    fn a_client_of_one_address_only_uses_the_pools_of_that() {
        let mut host = host();
        host.addresses = 3;
        let socket = SocketOptions { address: Some(2), ..SocketOptions::default() };
        host.clients.push(Client { socket, ..client() });
        let third = 1.0 / 3.0;
        let all = [class(1, 16_384, &[(0, third), (1, 1.0)]), class(2, 16_384, &[(0, third)])];
        assert_eq!(classes(&host).unwrap(), all);
        assert_eq!(ways_of(&world(host.clone()), &host, &host.clients[1]), 1.0);
    }

    #[test]
    fn ports_in_use_for_good_are_no_capacity_for_whom_they_are_lost() {
        let mut host = host();
        host.addresses = 2;
        host.reserved = [49_152, 49_153, 80].into_iter().collect();
        host.listeners = [49_153].into_iter().collect();
        assert_eq!(ports_of(&host, &client(), None), 16_382);
        let squatter = |port, on| Squatter { ports: [port].into_iter().collect(), on };
        host.squatters = vec![
            squatter(50_000, SquatterAddress::Other),
            squatter(50_001, SquatterAddress::Source(1)),
        ];
        assert_eq!(ports_of(&host, &client(), None), 16_380);
        host.clients = vec![bound()];
        // The address with a squatter of its own, and the other one.
        let all = [class(1, 16_381, &[(0, 0.5)]), class(1, 16_382, &[(0, 0.5)])];
        assert_eq!(classes(&host).unwrap(), all);
    }

    #[test]
    fn sockets_with_a_range_of_their_own_have_its_ports() {
        let mut host = host();
        let narrow = |min, max| SocketOptions {
            port_range: PortRange::new(min, max),
            ..SocketOptions::default()
        };
        host.clients[0].socket = narrow(50_000, 50_099);
        assert_eq!(classes(&host).unwrap(), [class(1, 100, &[(0, 1.0)])]);
        // An end outside the range of the host does not count.
        host.clients[0].socket = narrow(1_000, 49_251);
        assert_eq!(classes(&host).unwrap(), [class(1, 100, &[(0, 1.0)])]);
        host.clients.push(client());
        assert_eq!(classes(&host), None, "the parts of one pool differ");
        host.clients[1].targets[0].destination = 1;
        let all = [class(1, 100, &[(0, 1.0)]), class(4, 16_384, &[(1, 0.25)])];
        assert_eq!(classes(&host).unwrap(), all, "but not those of two");
        host.selection = SelectionKind::SimpleHash;
        assert_eq!(classes(&host).unwrap()[0].ports, 16_384, "not on Linux");
    }

    #[test]
    fn recorded_addresses_are_not_taken_in_turn() {
        let attempt = |source| TraceAttempt {
            at: SimTime::START,
            lifetime: None,
            to: None,
            source,
            ending: None,
        };
        let mut host = host();
        host.addresses = 2;
        host.clients[0].arrivals = Arrivals::Trace([attempt(None)].into());
        assert_eq!(classes(&host).unwrap(), [class(2, 16_384, &[(0, 0.5)])]);
        host.clients[0].arrivals = Arrivals::Trace([attempt(Some(0))].into());
        assert_eq!(classes(&host), None);
        host.addresses = 1;
        assert_eq!(classes(&host).unwrap(), [class(1, 16_384, &[(0, 1.0)])]);
    }

    #[test]
    fn ports_that_are_asked_for_or_shared_are_not_alike() {
        let mut host = host();
        let ports = [1_000, 1_001].into_iter().collect();
        let socket = SocketOptions { source_ports: ports, ..SocketOptions::default() };
        host.clients[0] = Client { binds: Binds::Port, socket, ..client() };
        assert_eq!(classes(&host), None);
        assert_eq!(ports_of(&host, &host.clients[0], None), 2);
        let socket = SocketOptions { reuse_address: true, ..SocketOptions::default() };
        host.clients[0] = Client { socket, ..bound() };
        assert_eq!(classes(&host).unwrap(), [class(1, 16_384, &[(0, 1.0)])]);
        host.tcp.autobind_reuse = true;
        assert_eq!(classes(&host), None);
    }
}
