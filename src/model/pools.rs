//! Pools: the range as seen by one reuse key.
//!
//! `connect()` has one pool for each 4-tuple's (source address, destination endpoint), or for each
//! source address, or one for the host; `bind()` to port 0 never has finer ones than source
//! addresses. Pools are numbered through, those of `connect()` first.

use super::{Binds, Host, ReuseKey};

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
}

impl PoolPlan {
    /// The most ports, pool by pool, that one machine can have: they are numbered with 32 bits.
    pub const MOST_PLACES: u128 = u32::MAX as u128;

    /// The ports of one machine of `host`, pool by pool, towards `endpoints` destination endpoints.
    #[must_use]
    pub fn places(host: &Host, endpoints: u64) -> u128 {
        let addresses = u128::from(host.addresses);
        let pools = Self::keys(host).into_iter().flatten().map(|key| match key {
            ReuseKey::FourTuple => addresses * u128::from(endpoints),
            ReuseKey::SourceAddress => addresses,
            ReuseKey::Host => 1,
        });
        pools.sum::<u128>() * u128::from(host.ports.num_ephemeral())
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
        Self { addresses: host.addresses, endpoints, connect, bind }
    }

    /// The keys of `connect()` and of `bind()`, for the calls that a client uses.
    fn keys(host: &Host) -> [Option<ReuseKey>; 2] {
        let uses = |bound: bool| host.clients.iter().any(|c| (c.binds == Binds::Bind) == bound);
        // A bound port has no destination yet, so the 4-tuple cannot be its key.
        let bind_key = match host.reuse_key {
            ReuseKey::FourTuple | ReuseKey::SourceAddress => ReuseKey::SourceAddress,
            ReuseKey::Host => ReuseKey::Host,
        };
        [uses(false).then_some(host.reuse_key), uses(true).then_some(bind_key)]
    }

    /// The pool of a connection from source address number `source` to endpoint number `endpoint`.
    #[inline]
    #[must_use]
    pub fn pool(&self, binds: Binds, source: u32, endpoint: u32) -> PoolId {
        let (first, key) = match binds {
            Binds::Bind => (self.connect_pools(), self.bind),
            Binds::Connect | Binds::BindNoPort | Binds::Port => (0, self.connect),
        };
        let within = match key.expect("a pool is asked for a call that a client uses") {
            ReuseKey::FourTuple => source * self.endpoints + endpoint,
            ReuseKey::SourceAddress => source,
            ReuseKey::Host => 0,
        };
        PoolId(first + within)
    }

    /// Source addresses of the machine.
    #[must_use]
    pub const fn addresses(&self) -> u32 {
        self.addresses
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

    /// Do `connect()` and `bind()` take ports from each other?
    #[must_use]
    pub const fn is_mixed(&self) -> bool {
        self.connect.is_some() && self.bind.is_some()
    }

    /// Is a port that `pool` holds taken from the very first pool?
    #[must_use]
    pub fn takes_from_first(&self, pool: PoolId) -> bool {
        pool.0 == 0 || self.connect.is_some() && pool.0 >= self.connect_pools()
    }

    /// The number of the source address that pool `pool` belongs to; 0 for a host-wide one.
    pub(super) fn source(&self, pool: u32) -> u32 {
        match (pool.checked_sub(self.connect_pools()), self.connect) {
            (Some(bind_pool), _) => bind_pool,
            (None, Some(ReuseKey::FourTuple)) => pool / self.endpoints,
            (None, _) => pool,
        }
    }
}
