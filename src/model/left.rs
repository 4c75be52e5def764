//! How many ports each pool has left, where sockets take ports from each other.
//!
//! What a `connect()` has left towards a destination are the ports open to every `connect()`, less those
//! held towards it; so a port that is bound away is one step for all destinations together, and each is
//! looked at only when it may have become the last.

use super::bitmap::Bitmaps;
use super::buckets::Buckets;
use super::callers::Caller;
use super::exhaustion::Exhaustion;
use super::pools::PoolPlan;
use crate::units::SimTime;

/// Ports left, pool by pool, and for how long there were none.
#[derive(Clone, Debug)]
pub struct Left {
    exhaustion: Exhaustion,
    /// By bit: can some client's `connect()` get it?
    reached: Vec<bool>,
    /// Bits from this one on are of the other parity, where the layout tells them apart.
    high_bits: u32,
    /// Ports that are open to `connect()`, by half.
    open: [u32; 2],
    /// Those of them that are held, row by row.
    held: Vec<[u32; 2]>,
    /// No row holds more.
    most_held: u32,
    /// Rows that have none left.
    exhausted_rows: u32,
    /// The number of the first pool of `bind()`.
    first_bound: usize,
    /// Ports that `bind()` has left, address by address.
    for_bind: Vec<u32>,
    /// Address by address and bit by bit: does some client's `bind()` have it left?
    is_for_bind: Vec<bool>,
    bits: usize,
}

impl Left {
    /// Ports of a machine on which nobody has connected yet.
    #[must_use]
    pub fn new(
        plan: PoolPlan,
        callers: &[&Caller],
        buckets: &Buckets,
        high_bits: u32,
        from: SimTime,
    ) -> Self {
        let (bits, pools) = (buckets.bits(), plan.pools() as usize);
        let rows = plan.connect_pools() as usize;
        let unbound = || callers.iter().filter(|caller| !caller.binds.is_bound());
        let reached: Vec<bool> =
            (0..bits as usize).map(|bit| unbound().any(|caller| caller.reaches[bit])).collect();
        let is_open = |bit: &u32| reached[*bit as usize] && buckets.for_connect.is_set(0, *bit);
        let mut open = [0, 0];
        (0..bits).filter(is_open).for_each(|bit| open[usize::from(bit >= high_bits)] += 1);
        let addresses = pools - rows;
        let may_bind = |source: usize, bit: u32| {
            callers.iter().any(|caller| caller.may_bind(bit, source as u32, buckets))
        };
        let places = (0..addresses).flat_map(|source| (0..bits).map(move |bit| (source, bit)));
        let is_for_bind: Vec<bool> = places.map(|(source, bit)| may_bind(source, bit)).collect();
        let count = |row: &[bool]| row.iter().filter(|&&left| left).count() as u32;
        let for_bind: Vec<u32> = is_for_bind.chunks(bits as usize).map(count).collect();
        let mut exhaustion = Exhaustion::new(pools, from);
        let none = (0..rows).filter(|_| open == [0, 0]);
        let none_for_bind = (0..addresses).filter(|&source| for_bind[source] == 0);
        none.chain(none_for_bind.map(|source| rows + source))
            .for_each(|pool| exhaustion.begin(pool, SimTime::START));
        Self {
            exhaustion,
            reached,
            high_bits,
            open,
            held: vec![[0, 0]; rows],
            most_held: 0,
            exhausted_rows: if open == [0, 0] { rows as u32 } else { 0 },
            first_bound: rows,
            for_bind,
            is_for_bind,
            bits: bits as usize,
        }
    }

    #[inline]
    fn half(&self, bit: u32) -> usize {
        usize::from(bit >= self.high_bits)
    }

    /// Goes on from `before`, with what is held by now.
    pub fn go_on_from(&mut self, before: Self, tuples: &Bitmaps, buckets: &Buckets, at: SimTime) {
        self.exhaustion = before.exhaustion;
        self.exhausted_rows = 0;
        for (row, held) in self.held.iter_mut().enumerate() {
            let is_held = |bit: &u32| {
                self.reached[*bit as usize]
                    && buckets.for_connect.is_set(0, *bit)
                    && !tuples.is_set(row, *bit)
            };
            let bits = (0..self.bits as u32).filter(is_held);
            bits.for_each(|bit| held[usize::from(bit >= self.high_bits)] += 1);
            self.most_held = self.most_held.max(held[0] + held[1]);
            self.exhausted_rows += u32::from(*held == self.open);
            self.exhaustion.set(row, *held == self.open, at);
        }
        for (source, &left) in self.for_bind.iter().enumerate() {
            self.exhaustion.set(self.first_bound + source, left == 0, at);
        }
    }

    /// The port of `bit`, which is open to `connect()`, is held towards `row` from `at` on.
    #[inline]
    pub fn taken(&mut self, row: u32, bit: u32, at: SimTime) {
        if !self.reached[bit as usize] {
            return;
        }
        let half = self.half(bit);
        let held = &mut self.held[row as usize];
        held[half] += 1;
        self.most_held = self.most_held.max(held[0] + held[1]);
        if *held == self.open {
            self.exhaustion.begin(row as usize, at);
            self.exhausted_rows += 1;
        }
    }

    /// The port of `bit`, which is open to `connect()`, is not held towards `row` any more.
    #[inline]
    pub fn given_up(&mut self, row: u32, bit: u32, at: SimTime) {
        if !self.reached[bit as usize] {
            return;
        }
        let half = self.half(bit);
        let held = &mut self.held[row as usize];
        if *held == self.open {
            self.exhaustion.end(row as usize, at);
            self.exhausted_rows -= 1;
        }
        held[half] -= 1;
    }

    /// Somebody has bound the port of `bit`; it `is_used` by plain sockets too, or not.
    pub fn closed_to_connect(&mut self, bit: u32, tuples: &Bitmaps, is_used: bool, at: SimTime) {
        if !self.reached[bit as usize] {
            return;
        }
        let half = self.half(bit);
        self.open[half] -= 1;
        if !is_used && self.open[0] + self.open[1] > self.most_held {
            return;
        }
        for (row, held) in self.held.iter_mut().enumerate() {
            if !tuples.is_set(row, bit) {
                held[half] -= 1;
            } else if *held == self.open {
                self.exhaustion.begin(row, at);
                self.exhausted_rows += 1;
            }
        }
    }

    /// The port of `bit` is bound by nobody any more.
    pub fn opened_to_connect(&mut self, bit: u32, tuples: &Bitmaps, is_used: bool, at: SimTime) {
        if !self.reached[bit as usize] {
            return;
        }
        let half = self.half(bit);
        if is_used || self.exhausted_rows > 0 {
            for (row, held) in self.held.iter_mut().enumerate() {
                if !tuples.is_set(row, bit) {
                    held[half] += 1;
                    self.most_held = self.most_held.max(held[0] + held[1]);
                } else if *held == self.open {
                    self.exhaustion.end(row, at);
                    self.exhausted_rows -= 1;
                }
            }
        }
        self.open[half] += 1;
    }

    /// Does anybody ever bind?
    #[inline]
    #[must_use]
    pub const fn has_bind(&self) -> bool {
        !self.for_bind.is_empty()
    }

    /// Has some client's `bind()` the port of `bit` left on address number `source`?
    #[inline]
    #[must_use]
    pub fn is_for_bind(&self, bit: u32, source: u32) -> bool {
        self.is_for_bind[source as usize * self.bits + bit as usize]
    }

    /// Whether some client's `bind()` has the port of `bit` left on address number `source`.
    #[inline]
    pub fn set_for_bind(&mut self, bit: u32, source: u32, left: bool, at: SimTime) {
        let source = source as usize;
        let was = std::mem::replace(&mut self.is_for_bind[source * self.bits + bit as usize], left);
        let (count, pool) = (&mut self.for_bind[source], self.first_bound + source);
        match (was, left) {
            (true, false) => {
                *count -= 1;
                if *count == 0 {
                    self.exhaustion.begin(pool, at);
                }
            }
            (false, true) => {
                if *count == 0 {
                    self.exhaustion.end(pool, at);
                }
                *count += 1;
            }
            _ => {}
        }
    }

    /// Which halves of the range `connect()` has used up towards `row`.
    #[inline]
    #[must_use]
    pub fn exhausted(&self, row: u32) -> [bool; 2] {
        let [low, high] = self.held[row as usize];
        [low == self.open[0], high == self.open[1]]
    }

    /// Nanoseconds that pools had no port left until `end`, summed over the pools.
    #[must_use]
    pub fn exhausted_until(&self, end: SimTime) -> u128 {
        self.exhaustion.until(end)
    }
}
