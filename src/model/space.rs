//! The ports of one machine whose pools are independent of each other: which are free for whom, and
//! what an attempt gets. Where sockets take ports from each other, [`super::Sockets`] does it.
//!
//! Invariant: for every pool, ports free and ports held make up the usable range.

use rand::rngs::Xoshiro256PlusPlus;

use super::bitmap::Bitmaps;
use super::pools::{PoolId, PoolPlan};
use super::selection::{Choice, FreePorts, Layout, Selector};
use super::{Host, PortRange};
use crate::units::SimTime;

/// Which bit stands for which port: the range first, then explicit source ports outside it.
#[derive(Clone, Debug)]
pub struct PortNumbers {
    range: PortRange,
    layout: Layout,
    /// Rising.
    outside: Vec<u16>,
}

impl PortNumbers {
    /// The ports of `host`.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let explicit = host.clients.iter().flat_map(|client| client.socket.source_ports.ports());
        let mut outside: Vec<u16> =
            explicit.copied().filter(|&port| !host.ports.contains(port)).collect();
        outside.sort_unstable();
        outside.dedup();
        Self { range: host.ports, layout: Layout::of(host.selection), outside }
    }

    /// The range.
    #[must_use]
    pub const fn range(&self) -> PortRange {
        self.range
    }

    /// Ports of the range.
    #[must_use]
    pub const fn num_ephemeral(&self) -> u32 {
        self.range.num_ephemeral()
    }

    /// Ports in all.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.range.num_ephemeral() + self.outside.len() as u32
    }

    /// The bit of a port of the range.
    #[must_use]
    pub fn bit(&self, port: u16) -> u32 {
        self.layout.bit(u32::from(port - self.range.min_ephemeral()), self.num_ephemeral())
    }

    /// The bit of any port, if it has one.
    #[must_use]
    pub fn find(&self, port: u16) -> Option<u32> {
        if self.range.contains(port) {
            return Some(self.bit(port));
        }
        let place = self.outside.binary_search(&port).ok()?;
        Some(self.num_ephemeral() + place as u32)
    }

    /// The port that `bit` stands for.
    #[must_use]
    pub fn port(&self, bit: u32) -> u16 {
        match bit.checked_sub(self.num_ephemeral()) {
            Some(place) => self.outside[place as usize],
            None => {
                let offset = self.layout.offset(bit, self.num_ephemeral());
                self.range.min_ephemeral() + offset as u16
            }
        }
    }
}

/// The ports of one machine.
#[derive(Clone, Debug)]
pub struct PortSpace {
    numbers: PortNumbers,
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
}

/// A pool whose own bits are all there is to know.
struct Plain<'a> {
    free: &'a Bitmaps,
    row: usize,
    count: [u32; 2],
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

impl PortSpace {
    /// All ports of one machine of `host`, free but for reserved ones and listeners.
    #[must_use]
    pub fn new(host: &Host, plan: PoolPlan, rng: &mut Xoshiro256PlusPlus) -> Self {
        let numbers = PortNumbers::of(host);
        let n = numbers.num_ephemeral();
        let mut lost: Vec<u32> = host.unusable().map(|port| numbers.bit(port)).collect();
        lost.sort_unstable();
        lost.dedup();
        let high_bits = if numbers.layout == Layout::ByParity { n.div_ceil(2) } else { n };
        let lost_low = lost.iter().filter(|&&bit| bit < high_bits).count() as u32;
        let lost_high = lost.len() as u32 - lost_low;
        let count = [high_bits - lost_low, n - high_bits - lost_high];
        Self {
            numbers,
            free: Bitmaps::full(plan.pools() as usize, n, &lost),
            counts: vec![count; plan.pools() as usize],
            high_bits,
            first_bound: plan.connect_pools(),
            connect: Selector::for_connect(host.selection, n, rng),
            bind: Selector::for_bind(host.selection, rng),
        }
    }

    /// Searches pool `pool` at time `now` and takes the port found.
    #[inline(always)] // Once an attempt, from two places.
    pub fn allocate(&mut self, pool: PoolId, now: SimTime, rng: &mut Xoshiro256PlusPlus) -> Choice {
        let row = pool.0 as usize;
        let selector = if pool.0 >= self.first_bound { &mut self.bind } else { &mut self.connect };
        let view = Plain { free: &self.free, row, count: self.counts[row] };
        let choice = selector.choose(u64::from(pool.0), now, &view, rng);
        if let Some(bit) = choice.bit {
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
    }

    /// Is it one of the pools of `bind()`?
    #[inline]
    #[must_use]
    pub const fn is_bound(&self, pool: PoolId) -> bool {
        pool.0 >= self.first_bound
    }

    /// Ports that `pool` has left.
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
        self.numbers.port(bit)
    }
}
