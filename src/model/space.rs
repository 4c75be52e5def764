//! The ports of one machine: which are free for whom, and what an attempt gets.
//!
//! Where only one of the two calls is used on a host, pools are independent rows of bits. Where
//! both are, they take ports from each other, and the kernel's bind buckets decide:
//! * a port with a bound user, on whatever address, is closed to every `connect()`
//!   (`net/ipv4/inet_hashtables.c:__inet_hash_connect`, 6.18: a bind has left the bucket's
//!   `fastreuse` and `fastreuseport` at 0 or more, and the walk goes on);
//! * a port that anybody of the same source address uses is closed to `bind()`
//!   (`net/ipv4/inet_connection_sock.c:inet_csk_bind_conflict`).
//!
//! Invariant: for every pool, ports free and ports held make up the usable range.

use rand::rngs::Xoshiro256PlusPlus;

use super::bitmap::Bitmaps;
use super::pools::{PoolId, PoolPlan};
use super::selection::{Choice, FreePorts, Layout, Selector};
use super::{Host, PortRange};
use crate::units::SimTime;

/// The ports of one machine.
#[derive(Clone, Debug)]
pub struct PortSpace {
    plan: PoolPlan,
    range: PortRange,
    layout: Layout,
    /// One row a pool: what nobody of that pool holds.
    free: Bitmaps,
    /// Free bits of each row, below and from `high_bits` on.
    counts: Vec<[u32; 2]>,
    /// The first bit of the second half of a layout by parity; all bits lie below it in others.
    high_bits: u32,
    /// Pools from this number on are those of `bind()`.
    first_bound: u32,
    connect: Selector,
    bind: Selector,
    buckets: Option<Buckets>,
}

/// Who uses which port, where `connect()` and `bind()` share a host.
#[derive(Clone, Debug)]
struct Buckets {
    /// A single row: ports without a bound user.
    unbound: Bitmaps,
    /// Bound users of each bit's port, on whatever address.
    bound_users: Vec<u32>,
    /// One row a source address: ports without a user of that address.
    unused: Bitmaps,
    /// Users of each bit's port, address by address.
    users: Vec<u32>,
}

/// A pool whose own bits are all there is to know.
struct Plain<'a> {
    free: &'a Bitmaps,
    row: usize,
    count: [u32; 2],
}

/// A pool behind a mask that is shared with other pools.
struct Masked<'a> {
    free: &'a Bitmaps,
    row: usize,
    mask: &'a Bitmaps,
    mask_row: usize,
}

impl FreePorts for Plain<'_> {
    #[inline(always)]
    fn num_ephemeral(&self) -> u32 {
        self.free.bits()
    }

    #[inline(always)]
    fn first_free(&self, from: u32, to: u32) -> Option<u32> {
        self.free.first_in(self.row, from, to)
    }

    #[inline(always)]
    fn is_free(&self, bit: u32) -> bool {
        self.free.is_set(self.row, bit)
    }

    #[inline(always)]
    fn is_known_full(&self) -> bool {
        self.count == [0, 0]
    }

    #[inline(always)]
    fn is_known_exhausted(&self, high: bool) -> bool {
        self.count[usize::from(high)] == 0
    }
}

impl FreePorts for Masked<'_> {
    fn num_ephemeral(&self) -> u32 {
        self.free.bits()
    }

    fn first_free(&self, from: u32, to: u32) -> Option<u32> {
        self.free.first_common(self.row, self.mask, self.mask_row, from, to)
    }

    fn is_free(&self, bit: u32) -> bool {
        self.free.is_set(self.row, bit) && self.mask.is_set(self.mask_row, bit)
    }

    fn is_known_full(&self) -> bool {
        self.first_free(0, self.num_ephemeral()).is_none()
    }

    fn is_known_exhausted(&self, _: bool) -> bool {
        false
    }
}

impl PortSpace {
    /// All ports of one machine of `host`, free but for reserved ones and listeners.
    #[must_use]
    pub fn new(host: &Host, plan: PoolPlan, rng: &mut Xoshiro256PlusPlus) -> Self {
        let layout = Layout::of(host.selection);
        let (n, lowest) = (host.ports.num_ephemeral(), host.ports.min_ephemeral());
        let lost: Vec<u32> =
            host.unusable().map(|port| layout.bit(u32::from(port - lowest), n)).collect();
        let high_bits = if layout == Layout::ByParity { n.div_ceil(2) } else { n };
        let mut unusable = lost.clone();
        unusable.sort_unstable();
        unusable.dedup();
        let lost_low = unusable.iter().filter(|&&bit| bit < high_bits).count() as u32;
        let lost_high = unusable.len() as u32 - lost_low;
        let count = [high_bits - lost_low, n - high_bits - lost_high];
        let buckets = plan.is_mixed().then(|| Buckets {
            unbound: Bitmaps::full(1, n, &[]),
            bound_users: vec![0; n as usize],
            unused: Bitmaps::full(plan.addresses() as usize, n, &[]),
            users: vec![0; n as usize * plan.addresses() as usize],
        });
        Self {
            plan,
            range: host.ports,
            layout,
            free: Bitmaps::full(plan.pools() as usize, n, &lost),
            counts: vec![count; plan.pools() as usize],
            high_bits,
            first_bound: plan.connect_pools(),
            connect: Selector::for_connect(host.selection, n, rng),
            bind: Selector::for_bind(host.selection, rng),
            buckets,
        }
    }

    /// Searches pool `pool` at time `now` and takes the port found.
    #[inline(always)] // Once an attempt, from two places.
    pub fn allocate(&mut self, pool: PoolId, now: SimTime, rng: &mut Xoshiro256PlusPlus) -> Choice {
        if self.buckets.is_some() {
            return self.allocate_mixed(pool, now, rng);
        }
        let row = pool.0 as usize;
        let selector = if pool.0 >= self.first_bound { &mut self.bind } else { &mut self.connect };
        let view = Plain { free: &self.free, row, count: self.counts[row] };
        let choice = selector.choose(u64::from(pool.0), now, &view, rng);
        if let Some(bit) = choice.bit {
            self.take(row, bit);
        }
        choice
    }

    /// The same where `connect()` and `bind()` take ports from each other.
    #[inline(never)]
    fn allocate_mixed(
        &mut self,
        pool: PoolId,
        now: SimTime,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let (row, source) = (pool.0 as usize, self.plan.source(pool.0));
        let bound = pool.0 >= self.first_bound;
        let buckets = self.buckets.as_mut().expect("a mixed host has buckets");
        let (selector, mask, mask_row) = if bound {
            (&mut self.bind, &buckets.unused, source as usize)
        } else {
            (&mut self.connect, &buckets.unbound, 0)
        };
        let view = Masked { free: &self.free, row, mask, mask_row };
        let choice = selector.choose(u64::from(pool.0), now, &view, rng);
        if let Some(bit) = choice.bit {
            buckets.take(bit, source, bound);
            self.take(row, bit);
        }
        choice
    }

    #[inline(always)]
    fn take(&mut self, row: usize, bit: u32) {
        self.free.clear(row, bit);
        self.counts[row][usize::from(bit >= self.high_bits)] -= 1;
    }

    /// Gives back the port of `bit` to `pool`.
    #[inline(always)]
    pub fn release(&mut self, pool: PoolId, bit: u32) {
        let row = pool.0 as usize;
        self.free.set(row, bit);
        self.counts[row][usize::from(bit >= self.high_bits)] += 1;
        if let Some(buckets) = &mut self.buckets {
            buckets.give_back(bit, self.plan.source(pool.0), pool.0 >= self.first_bound);
        }
    }

    /// Ports that `pool` itself has left; where `connect()` and `bind()` share the host, some of
    /// them may be the other's.
    #[inline]
    #[must_use]
    pub fn free(&self, pool: PoolId) -> u32 {
        let [low, high] = self.counts[pool.0 as usize];
        low + high
    }

    /// A number for the port of `bit` in `pool`, below pools times size of the range.
    #[inline]
    #[must_use]
    pub fn place(&self, pool: PoolId, bit: u32) -> u32 {
        pool.0 * self.free.bits() + bit
    }

    /// Bits in a pool's row: the size of the range.
    #[must_use]
    pub fn num_ephemeral(&self) -> u32 {
        self.free.bits()
    }

    /// The port that `bit` stands for.
    #[must_use]
    pub fn port(&self, bit: u32) -> u16 {
        self.range.min_ephemeral() + self.layout.offset(bit, self.num_ephemeral()) as u16
    }
}

impl Buckets {
    fn take(&mut self, bit: u32, source: u32, bound: bool) {
        if bound {
            self.bound_users[bit as usize] += 1;
            self.unbound.clear(0, bit);
        }
        self.users[source as usize * self.unbound.bits() as usize + bit as usize] += 1;
        self.unused.clear(source as usize, bit);
    }

    #[inline(never)]
    fn give_back(&mut self, bit: u32, source: u32, bound: bool) {
        if bound {
            let bound_users = &mut self.bound_users[bit as usize];
            *bound_users -= 1;
            // The bucket is for connect() again as soon as its last bound user leaves (6.18,
            // `inet_bind_bucket_destroy`; before, not until the bucket itself was gone).
            if *bound_users == 0 {
                self.unbound.set(0, bit);
            }
        }
        let users = &mut self.users[source as usize * self.unbound.bits() as usize + bit as usize];
        *users -= 1;
        if *users == 0 {
            self.unused.set(source as usize, bit);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::model::{
        Arrivals, Binds, Client, Distribution, Ending, PortSet, ReuseKey, SelectionKind,
        SocketOptions, Target, TcpSettings, TimerGrid,
    };
    use crate::units::SimDuration;

    fn client(binds: Binds) -> Client {
        Client {
            name: "c".into(),
            targets: vec![Target { destination: 0, weight: 1.0 }],
            arrivals: Arrivals::Poisson { rate_per_s: 1.0 },
            lifetime: Distribution::Constant(SimDuration::ZERO),
            closes: vec![(Ending::Never, 1.0)],
            second_fin: Distribution::Constant(SimDuration::ZERO),
            binds,
            socket: SocketOptions::default(),
        }
    }

    fn space(ports: u16, addresses: u32, endpoints: u32, calls: &[Binds]) -> (PortSpace, PoolPlan) {
        let host = Host {
            name: "h".into(),
            count: 1,
            addresses,
            ports: PortRange::new(40_000, 40_000 + ports - 1).unwrap(),
            reserved: PortSet::default(),
            listeners: PortSet::default(),
            squatters: Vec::new(),
            time_wait: SimDuration::from_secs(60),
            timer_grid: TimerGrid::Exact,
            selection: SelectionKind::Linux,
            reuse_key: ReuseKey::FourTuple,
            tcp: TcpSettings::default(),
            search_cost: None,
            clients: calls.iter().map(|&call| client(call)).collect(),
        };
        let plan = PoolPlan::of(&host, endpoints);
        (PortSpace::new(&host, plan, &mut Xoshiro256PlusPlus::seed_from_u64(1)), plan)
    }

    fn take(space: &mut PortSpace, pool: PoolId, most: usize) -> Vec<u32> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        std::iter::from_fn(|| space.allocate(pool, SimTime::START, &mut rng).bit)
            .take(most)
            .collect()
    }

    /// Measured on Linux 6.18: n*k connections to k destinations, n per source with bind().
    #[test]
    fn capacity_multiplies_with_destinations_for_connect_and_not_for_bind() {
        let (mut ports, plan) = space(50, 1, 3, &[Binds::Connect]);
        for endpoint in 0..3 {
            assert_eq!(take(&mut ports, plan.pool(Binds::Connect, 0, endpoint), 99).len(), 50);
        }
        let (mut ports, plan) = space(50, 3, 3, &[Binds::Bind]);
        for (source, endpoint, gets) in [(0, 0, 50), (0, 1, 0), (1, 2, 50), (2, 0, 50)] {
            assert_eq!(take(&mut ports, plan.pool(Binds::Bind, source, endpoint), 99).len(), gets);
        }
    }

    /// Measured on Linux 6.18 with 40 ports: 10 bind() leave 30 for each destination.
    #[test]
    fn a_bound_port_is_lost_to_every_destination() {
        let (mut ports, plan) = space(40, 1, 2, &[Binds::Connect, Binds::Bind]);
        let bound = take(&mut ports, plan.pool(Binds::Bind, 0, 0), 10);
        for endpoint in 0..2 {
            let got = take(&mut ports, plan.pool(Binds::Connect, 0, endpoint), 99);
            assert_eq!(got.len(), 30);
            assert!(got.iter().all(|bit| !bound.contains(bit)));
        }
    }

    /// Measured on Linux 6.18 with 40 ports: 10 connect() leave 30 for bind() on that address.
    #[test]
    fn a_connected_port_is_lost_to_bind_on_its_address_only() {
        let (mut ports, plan) = space(40, 2, 1, &[Binds::Connect, Binds::Bind]);
        let connected = take(&mut ports, plan.pool(Binds::Connect, 0, 0), 10);
        assert_eq!(connected.len(), 10);
        assert_eq!(take(&mut ports, plan.pool(Binds::Bind, 1, 0), 99).len(), 40);
        assert_eq!(take(&mut ports, plan.pool(Binds::Bind, 0, 0), 99).len(), 30);
    }

    #[test]
    fn when_the_last_bound_user_leaves_connect_may_have_the_port_again() {
        let (mut ports, plan) = space(40, 1, 1, &[Binds::Connect, Binds::Bind]);
        let (connect, bind) = (plan.pool(Binds::Connect, 0, 0), plan.pool(Binds::Bind, 0, 0));
        let bound = take(&mut ports, bind, 99);
        assert_eq!(bound.len(), 40);
        assert!(take(&mut ports, connect, 99).is_empty());
        bound.iter().for_each(|&bit| ports.release(bind, bit));
        assert_eq!(take(&mut ports, connect, 99).len(), 40);
    }
}
