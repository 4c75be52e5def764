//! Pools: the range as seen by one reuse key.
//!
//! `connect()` has one pool for each 4-tuple's (source address, destination endpoint), or for each
//! source address, or one for the host; `bind()` to port 0 never has finer ones than source
//! addresses. Pools are numbered through, those of `connect()` first.
//!
//! Where sockets of a host take ports from each other ([`super::Sockets`]), pools are only what figures
//! are kept for; who has a port is told by **tuples**: the pools that `connect()` has or would have.

use super::{Binds, Client, Host, PortRange, PortSet, ReuseKey, Squatter, SquatterAddress, Tuple};

/// One pool: a reuse key of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(pub u32);

/// How many pools there are and what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolPlan {
    /// Source addresses of the machine.
    addresses: u32,
    /// Endpoints of all destinations together.
    endpoints: u32,
    /// The key of `connect()`, if any client uses it.
    connect: Option<ReuseKey>,
    /// The key of `bind()`, if any client uses it; its pools come after those of `connect()`.
    bind: Option<ReuseKey>,
    /// The key of `connect()`, used or not.
    key: ReuseKey,
    /// Do sockets take ports from each other?
    shared: bool,
}

impl PoolPlan {
    /// The most ports, pool by pool, that one machine can have: they are numbered with 32 bits.
    pub const MOST_PLACES: u128 = u32::MAX as u128;

    /// The ports of one machine of `host`, pool by pool, towards `endpoints` destination endpoints.
    #[must_use]
    pub fn places(host: &Host, endpoints: u64) -> u128 {
        let addresses = u128::from(host.addresses);
        let pools_of = |key| match key {
            ReuseKey::FourTuple => addresses * u128::from(endpoints),
            ReuseKey::SourceAddress => addresses,
            ReuseKey::Host => 1,
        };
        let [connect, bind] = Self::keys(host);
        let shared = shares_ports(host);
        let plain = if shared { Some(host.reuse_key) } else { connect };
        let explicit: usize =
            host.clients.iter().map(|c| c.socket.source_ports.ports().len()).sum();
        let ports = u128::from(host.ports.num_ephemeral()) + explicit as u128;
        [plain, bind].into_iter().flatten().map(pools_of).sum::<u128>() * ports
    }

    /// The pools of one machine of `host` in a world with `endpoints` destination endpoints.
    ///
    /// # Panics
    /// When the machine has more than [`PoolPlan::MOST_PLACES`] ports.
    #[must_use]
    pub fn of(host: &Host, endpoints: u32) -> Self {
        let places = Self::places(host, u64::from(endpoints));
        assert!(places <= Self::MOST_PLACES, "{places} ports cannot be numbered with 32 bits");
        let [connect, bind] = Self::keys(host);
        let (addresses, shared) = (host.addresses, shares_ports(host));
        Self { addresses, endpoints, connect, bind, key: host.reuse_key, shared }
    }

    /// The same of a machine on which something may change: its ports are kept as if sockets took them from each
    /// other.
    #[must_use]
    pub const fn that_may_change(self) -> Self {
        Self { shared: true, ..self }
    }

    /// The keys of `connect()` and of `bind()`, for the calls that a client uses.
    fn keys(host: &Host) -> [Option<ReuseKey>; 2] {
        let uses = |bound: bool| host.clients.iter().any(|c| c.binds.is_bound() == bound);
        // A bound port has no destination yet, so the 4-tuple cannot be its key.
        let bind_key = match host.reuse_key {
            ReuseKey::FourTuple | ReuseKey::SourceAddress => ReuseKey::SourceAddress,
            ReuseKey::Host => ReuseKey::Host,
        };
        [uses(false).then_some(host.reuse_key), uses(true).then_some(bind_key)]
    }

    /// The pool of a connection of `tuple`, whose port comes from `bind()` or not.
    #[must_use]
    pub fn pool(&self, bound: bool, tuple: Tuple) -> PoolId {
        let (first, key) =
            if bound { (self.connect_pools(), self.bind) } else { (0, self.connect) };
        let key = key.expect("a pool is asked for a call that a client uses");
        PoolId(first + self.within(key, tuple))
    }

    /// The number of `tuple` among those that `key` tells apart.
    #[inline(always)]
    pub(super) const fn within(&self, key: ReuseKey, tuple: Tuple) -> u32 {
        match key {
            ReuseKey::FourTuple => tuple.source * self.endpoints + tuple.endpoint,
            ReuseKey::SourceAddress => tuple.source,
            ReuseKey::Host => 0,
        }
    }

    /// The row of `tuple` among all that a plain `connect()` tells apart or would.
    #[inline]
    #[must_use]
    pub const fn row(&self, tuple: Tuple) -> u32 {
        self.within(self.key, tuple)
    }

    /// The number of the source address of `row` among those that have users of their own.
    #[must_use]
    pub const fn source_of_row(&self, row: u32) -> u32 {
        match self.key {
            // Most machines have one address, and a division takes longer than all else of a search.
            ReuseKey::FourTuple if self.addresses == 1 => 0,
            ReuseKey::FourTuple => row / self.endpoints,
            ReuseKey::SourceAddress => row,
            ReuseKey::Host => 0,
        }
    }

    /// Rows in all.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.pools_of(Some(self.key))
    }

    /// What tells the pools of a machine apart all of whose clients use the same call, and whether that is
    /// `bind()`.
    ///
    /// # Panics
    /// When they use different ones.
    #[must_use]
    pub const fn only_key(&self) -> (ReuseKey, bool) {
        match (self.connect, self.bind) {
            (None, None) => (self.key, false),
            (Some(key), None) => (key, false),
            (None, Some(key)) => (key, true),
            (Some(_), Some(_)) => panic!("connect() and bind() share ports"),
        }
    }

    /// A tuple of `pool`, one of a machine all of whose clients use the same call.
    #[must_use]
    pub const fn a_tuple_of(&self, pool: PoolId) -> Tuple {
        match self.only_key().0 {
            ReuseKey::FourTuple => {
                Tuple { source: pool.0 / self.endpoints, endpoint: pool.0 % self.endpoints }
            }
            _ => Tuple { source: pool.0, endpoint: 0 },
        }
    }

    /// Source addresses that have users of their own: one for all where the key is the whole host.
    #[must_use]
    pub const fn sources(&self) -> u32 {
        match self.key {
            ReuseKey::Host => 1,
            _ => self.addresses,
        }
    }

    /// Pools in all.
    #[must_use]
    pub fn pools(&self) -> u32 {
        self.connect_pools() + self.pools_of(self.bind)
    }

    /// How many connections one usable port can carry at once: the pools of the finer key. Where
    /// both calls are used, those of `connect()`, for a bound port carries fewer.
    #[must_use]
    pub fn connections_a_port(&self) -> u32 {
        self.connect_pools().max(self.pools_of(self.bind))
    }

    pub(super) fn connect_pools(&self) -> u32 {
        self.pools_of(self.connect)
    }

    fn pools_of(&self, key: Option<ReuseKey>) -> u32 {
        match key {
            None => 0,
            Some(ReuseKey::FourTuple) => self.addresses * self.endpoints,
            Some(ReuseKey::SourceAddress) => self.addresses,
            Some(ReuseKey::Host) => 1,
        }
    }

    /// Do sockets take ports from each other, so that [`super::Sockets`] has to keep them?
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Is a port that `pool` holds taken from the very first pool?
    #[must_use]
    pub fn takes_from_first(&self, pool: PoolId) -> bool {
        pool.0 == 0 || self.connect.is_some() && pool.0 >= self.connect_pools()
    }
}

/// The ports that some client of `host` can get, in or outside the range; rising.
///
/// What `connect()` can have is the range less what is reserved or bound by anybody; `bind()` to port 0
/// may have what is bound on other addresses than its own; IP_LOCAL_PORT_RANGE narrows either.
#[must_use]
pub fn reachable_ports(host: &Host) -> PortSet {
    let explicit = host.clients.iter().flat_map(|client| client.socket.source_ports.ports());
    let mut ports: Vec<u16> = explicit.copied().collect();
    for address in alike(host) {
        let [connect, bind] = ports_from(host, address);
        ports.extend(connect.ports().iter().chain(bind.ports()));
    }
    ports.into_iter().collect()
}

/// The source addresses of `host` between which squatters make a difference; one where there is none.
fn alike(host: &Host) -> std::ops::Range<u32> {
    let single = |squatter: &Squatter| matches!(squatter.on, SquatterAddress::Source(_));
    0..if host.squatters.iter().any(single) { host.addresses } else { 1 }
}

/// The ports of the range that `connect()` and `bind()` of some client can have from one source address.
fn ports_from(host: &Host, address: u32) -> [PortSet; 2] {
    let connect: PortSet = host.unusable().collect();
    let own = |squatter: &&Squatter| squatter.on == SquatterAddress::Source(address);
    let squatted = host.squatters.iter().filter(own).flat_map(|one| one.ports.ports());
    let taken = host.reserved.ports().iter().chain(host.listeners.ports()).chain(squatted);
    let bind: PortSet = taken.copied().collect();
    [(false, connect), (true, bind)].map(|(bound, lost)| {
        let clients = host
            .clients
            .iter()
            .filter(|client| client.binds != Binds::Port && client.binds.is_bound() == bound);
        let mut parts: Vec<PortRange> = Vec::new();
        for part in clients.map(|client| client.socket.port_range) {
            let part = part.map_or(host.ports, |part| host.ports.narrowed_to(part));
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let range = host.ports.min_ephemeral()..=host.ports.max_ephemeral();
        let open =
            |port: &u16| parts.iter().any(|part| part.contains(*port)) && !lost.contains(*port);
        range.filter(open).collect()
    })
}

/// The most connections that can hold a port of one machine of `host` at once: the ports that can be had
/// times the pools of the finer key; where ports are shared by their options, times the tuples.
#[must_use]
pub fn most_connections(host: &Host, plan: PoolPlan) -> u64 {
    let shares = |client: &Client| {
        client.binds == Binds::Port
            || client.binds == Binds::Bind && client.socket.reuse_address && host.tcp.autobind_reuse
    };
    let ports = |host: &Host| reachable_ports(host).ports().len() as u64;
    if host.clients.iter().any(shares) {
        return ports(host) * u64::from(plan.rows());
    }
    if alike(host).len() < 2 || host.reuse_key != ReuseKey::FourTuple {
        return ports(host) * u64::from(plan.connections_a_port());
    }
    let endpoints = u64::from(plan.connect_pools() / host.addresses);
    alike(host)
        .map(|address| {
            let [connect, bind] = ports_from(host, address);
            let bound_only = bind.ports().iter().filter(|port| !connect.contains(**port)).count();
            endpoints * connect.ports().len() as u64 + bound_only as u64
        })
        .sum()
}

/// Do sockets of one machine of `host` take ports from each other, does a TIME-WAIT end otherwise than by
/// its timer, or is it not known when a connection opens when it will end? Then connections are followed.
#[must_use]
pub fn shares_ports(host: &Host) -> bool {
    let options = |client: &Client| {
        let socket = &client.socket;
        client.binds == Binds::Port
            || socket.port_range.is_some()
            || client.binds == Binds::Bind && socket.reuse_address
    };
    let bound = host.clients.iter().filter(|client| client.binds.is_bound()).count();
    let mixed = bound > 0 && bound < host.clients.len();
    mixed
        || bound > 0 && !host.squatters.is_empty()
        || host.tcp.max_tw_buckets.is_some()
        || host.server.is_some()
        || host.clients.iter().any(|client| client.pool.is_some())
        || host.clients.iter().any(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SocketOptions, TcpSettings};
    use crate::units::SimDuration;

    /// A client that binds so, with `socket` set.
    fn client(binds: Binds, socket: SocketOptions) -> Client {
        Client { binds, socket, ..Client::poisson("client", 1.0, SimDuration::ZERO) }
    }

    fn plain(binds: Binds) -> Client {
        client(binds, SocketOptions::default())
    }

    /// A client that keeps to a part of the range.
    fn narrowed(min: u16, max: u16) -> Client {
        let port_range = PortRange::new(min, max);
        client(Binds::Connect, SocketOptions { port_range, ..SocketOptions::default() })
    }

    /// A client that brings its own ports.
    fn explicit(ports: &[u16]) -> Client {
        let source_ports = ports.iter().copied().collect();
        client(Binds::Port, SocketOptions { source_ports, ..SocketOptions::default() })
    }

    /// A hundred ports, 40000 to 40099.
    fn host(clients: Vec<Client>) -> Host {
        Host { ports: PortRange::new(40_000, 40_099).unwrap(), clients, ..Host::linux("host") }
    }

    fn squatted(on: SquatterAddress, clients: Vec<Client>) -> Host {
        let ports = [40_000, 40_001].into_iter().collect();
        Host { squatters: vec![Squatter { ports, on }], ..host(clients) }
    }

    /// How many ports can be had, and how many connections towards two endpoints at once.
    fn most(host: &Host) -> (usize, u64) {
        let connections = most_connections(host, PoolPlan::of(host, 2));
        (reachable_ports(host).ports().len(), connections)
    }

    #[test]
    fn a_narrowed_range_is_all_that_its_client_reaches() {
        let part = host(vec![narrowed(40_010, 40_019)]);
        let ten: Vec<u16> = (40_010..=40_019).collect();
        assert_eq!(reachable_ports(&part).ports(), ten);
        assert_eq!(most(&part), (10, 20));
        // An end beyond the range does not count: that of the range does.
        assert_eq!(most(&host(vec![narrowed(30_000, 40_009)])), (10, 20));
        assert_eq!(most(&host(vec![narrowed(40_000, 40_009), narrowed(40_005, 40_014)])), (15, 30));
        let beside = host(vec![narrowed(40_010, 40_019), plain(Binds::Connect)]);
        assert_eq!(most(&beside), (100, 200));
    }

    #[test]
    fn a_squatter_on_another_address_leaves_its_ports_to_bind_alone() {
        let other = |clients| most(&squatted(SquatterAddress::Other, clients));
        assert_eq!(other(vec![plain(Binds::Connect)]), (98, 196));
        assert_eq!(other(vec![plain(Binds::BindNoPort)]), (98, 196));
        // A bound port serves one connection, whatever its destination.
        assert_eq!(other(vec![plain(Binds::Bind)]), (100, 100));
        assert_eq!(other(vec![plain(Binds::Bind), plain(Binds::Connect)]).0, 100);
        let own = squatted(SquatterAddress::Source(0), vec![plain(Binds::Bind)]);
        assert_eq!(most(&own), (98, 98));
    }

    #[test]
    fn explicit_ports_count_wherever_they_lie() {
        let chosen = host(vec![explicit(&[40_005, 50_000])]);
        assert_eq!(reachable_ports(&chosen).ports(), [40_005, 50_000]);
        assert_eq!(most(&chosen), (2, 4));
        let beside = host(vec![plain(Binds::Connect), explicit(&[40_005, 50_000])]);
        assert_eq!(most(&beside), (101, 202));
        // What is reserved is kept from searches only.
        let reserved = Host { reserved: [40_005].into_iter().collect(), ..beside };
        assert_eq!(most(&reserved), (101, 202));
    }

    #[test]
    fn with_autobind_reuse_a_bound_port_serves_every_destination() {
        let socket = SocketOptions { reuse_address: true, ..SocketOptions::default() };
        let reuses = host(vec![client(Binds::Bind, socket)]);
        assert_eq!(most(&reuses), (100, 100));
        let tcp = TcpSettings { autobind_reuse: true, ..TcpSettings::default() };
        assert_eq!(most(&Host { tcp, ..reuses.clone() }), (100, 200));
        let unset = Host { clients: vec![plain(Binds::Bind)], tcp, ..reuses };
        assert_eq!(most(&unset), (100, 100));
    }
}
