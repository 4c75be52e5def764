//! The ports of one machine whose pools are independent of each other: which are free for whom, and
//! what an attempt gets. Where sockets take ports from each other, [`super::Sockets`] does it.
//!
//! All clients of such a machine use the same call, for two would share ports. Nothing happens to a
//! connection between its opening and the end of its port's hold, so it is one event in the queue.
//!
//! Invariant: for every pool, ports free and ports held make up the usable range.

use std::convert::Infallible;

use rand::rngs::Xoshiro256PlusPlus;

use super::bitmap::Bitmaps;
use super::exhaustion::Exhaustion;
use super::life::Mark;
use super::limit::{ConnectionId, Fate, Holder, Limit, Marks, Refusal, Refused, Taken};
use super::numbering::PortNumbers;
use super::pools::{PoolId, PoolPlan};
use super::selection::{FreePorts, Selector};
use super::{Attempt, Host, ReuseKey};
use crate::units::SimTime;

/// The ports of one machine.
#[derive(Clone, Debug)]
pub struct PortSpace {
    numbers: PortNumbers,
    plan: PoolPlan,
    /// What tells pools apart.
    key: ReuseKey,
    /// Is it the endpoint alone?
    by_endpoint: bool,
    /// Do the ports come from `bind()`?
    bound: bool,
    /// One row a pool: what nobody of that pool holds.
    free: Bitmaps,
    /// Free bits of each row, below and from `high_bits` on.
    counts: Vec<[u32; 2]>,
    /// The first bit of the second half of a layout by parity; all bits lie below it in others.
    high_bits: u32,
    selector: Selector,
    exhaustion: Exhaustion,
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
    /// All ports of one machine of `host`, free but for reserved ones and listeners; how long pools are
    /// exhausted counts from `from` on.
    #[must_use]
    pub fn new(host: &Host, plan: PoolPlan, from: SimTime, rng: &mut Xoshiro256PlusPlus) -> Self {
        let numbers = PortNumbers::of(host);
        let n = numbers.num_ephemeral();
        let mut lost: Vec<u32> = host.unusable().map(|port| numbers.bit(port)).collect();
        lost.sort_unstable();
        lost.dedup();
        let high_bits = numbers.high_bits();
        let lost_low = lost.iter().filter(|&&bit| bit < high_bits).count() as u32;
        let lost_high = lost.len() as u32 - lost_low;
        let count = [high_bits - lost_low, n - high_bits - lost_high];
        let pools = plan.pools() as usize;
        let mut exhaustion = Exhaustion::new(pools, from);
        if count == [0, 0] {
            (0..pools).for_each(|pool| exhaustion.begin(pool, SimTime::START));
        }
        // Both draw their secrets, used or not: so a call can be changed and the rest stays as drawn.
        let connect = Selector::for_connect(host.selection, n, rng);
        let bind = Selector::for_bind(host.selection, rng);
        let (key, bound) = plan.only_key();
        Self {
            numbers,
            plan,
            key,
            by_endpoint: key == ReuseKey::FourTuple && plan.sources() == 1,
            bound,
            free: Bitmaps::full(pools, n, &lost),
            counts: vec![count; pools],
            high_bits,
            selector: if bound { bind } else { connect },
            exhaustion,
        }
    }

    /// Ports that `pool` has left.
    #[inline]
    #[must_use]
    pub fn free_ports(&self, pool: PoolId) -> u32 {
        let [low, high] = self.counts[pool.0 as usize];
        low + high
    }
}

impl Limit for PortSpace {
    type Ticket = Holder;
    type Step = Infallible;

    #[inline(always)] // Once an attempt.
    fn take(
        &mut self,
        attempt: &Attempt,
        _: ConnectionId,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Taken<Holder>, Refused> {
        let tuple = attempt.tuple;
        let pool = match self.by_endpoint {
            true => PoolId(tuple.endpoint),
            false => PoolId(self.plan.within(self.key, tuple)),
        };
        let row = pool.0 as usize;
        let view = Plain { free: &self.free, row, count: self.counts[row] };
        let choice = self.selector.choose(u64::from(pool.0), attempt.at, &view, rng);
        let (probes, bound) = (choice.probes, self.bound);
        let Some(bit) = choice.bit else {
            let refusal = if bound { Refusal::BindInUse } else { Refusal::NoPort };
            return Err(Refused { refusal, pool, probes });
        };
        self.free.clear(row, bit);
        self.counts[row][usize::from(bit >= self.high_bits)] -= 1;
        if self.free_ports(pool) == 0 {
            self.exhaustion.begin(row, attempt.at);
        }
        let ticket = Holder { pool, bit: bit as u16, client: attempt.client };
        Ok(Taken {
            ticket,
            pool,
            bit,
            probes,
            bound,
            replaced: None,
            sees: Marks::NONE,
            reset: None,
        })
    }

    fn reach(&mut self, _: Holder, _: Mark, _: SimTime) -> Fate {
        Fate::Stays
    }

    #[inline(always)]
    fn free(&mut self, ticket: Holder, _: bool, at: SimTime) {
        let (row, bit) = (ticket.pool.0 as usize, u32::from(ticket.bit));
        if self.free_ports(ticket.pool) == 0 {
            self.exhaustion.end(row, at);
        }
        self.free.set(row, bit);
        self.counts[row][usize::from(bit >= self.high_bits)] += 1;
    }

    #[inline(always)]
    fn holder(&self, ticket: Holder) -> Holder {
        ticket
    }

    #[inline(always)]
    fn port(&self, bit: u32) -> u16 {
        self.numbers.port_inside(bit)
    }

    fn bits(&self) -> u32 {
        self.free.bits()
    }

    fn exhausted_until(&self, end: SimTime) -> u128 {
        self.exhaustion.until(end)
    }
}
