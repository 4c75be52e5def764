//! For how long pools have no port left.
//!
//! The one definition behind `blocked_time_share`: a pool is exhausted from the moment at which its last
//! free port is taken, or closed to it, until one is free again, whether or not anybody asks meanwhile.

use crate::units::SimTime;

/// Since when each pool has had no port left, and how long that was in all.
#[derive(Clone, Debug)]
pub struct Exhaustion {
    /// Time before this does not count.
    from: SimTime,
    /// Far future for a pool that has a port left.
    since: Vec<SimTime>,
    /// Nanoseconds, over all pools.
    spent: u128,
}

impl Exhaustion {
    /// `pools` pools that have ports left at the start; time counts from `from` on.
    #[must_use]
    pub fn new(pools: usize, from: SimTime) -> Self {
        Self { from, since: vec![SimTime::FAR_FUTURE; pools], spent: 0 }
    }

    /// The last port of pool number `pool` is gone at `at`.
    #[inline(always)]
    pub fn begin(&mut self, pool: usize, at: SimTime) {
        self.since[pool] = at;
    }

    /// Pool number `pool`, which had none, has a port again at `at`.
    #[inline]
    pub fn end(&mut self, pool: usize, at: SimTime) {
        let since = std::mem::replace(&mut self.since[pool], SimTime::FAR_FUTURE);
        self.spent += u128::from(at.max(self.from).since(since.max(self.from)).as_nanos());
    }

    /// Whether pool number `pool` has `none` left from `at` on.
    pub fn set(&mut self, pool: usize, none: bool, at: SimTime) {
        match (self.since[pool] < SimTime::FAR_FUTURE, none) {
            (false, true) => self.begin(pool, at),
            (true, false) => self.end(pool, at),
            _ => {}
        }
    }

    /// Nanoseconds that pools had no port left until `end`, summed over the pools.
    #[must_use]
    pub fn until(&self, end: SimTime) -> u128 {
        let going_on = self.since.iter().filter(|&&since| since < end);
        let cut = |since: &SimTime| u128::from(end.since((*since).max(self.from)).as_nanos());
        self.spent + going_on.map(cut).sum::<u128>()
    }
}
