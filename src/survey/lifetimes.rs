//! How long connections lasted: a histogram of bounded size that knows of those still open.
//!
//! Cells are log-linear: whole microseconds up to 1,024, then 1,024 cells for each doubling, so a cell is
//! never wider than a thousandth of what is in it. When more than [`MOST_CELLS`] hold something,
//! neighbours are put together in pairs. Each cell keeps its sum beside its number: so the mean is exact
//! however wide the cells are.
//!
//! A connection that was open when it was last seen lasted at least so long. Such ones are neither left
//! out (long ones would be missing) nor taken as ended (they would look short), but given their weight by
//! Kaplan and Meier's product-limit estimate ("Nonparametric Estimation from Incomplete Observations",
//! J. Am. Stat. Assoc. 53, 1958). What it cannot know, the time beyond the longest that was seen, counts
//! as ended there (Efron's rule), so a mean is at least as long as the one given.

use std::collections::BTreeMap;
use std::time::Duration;

/// More cells than this are put together in pairs: 100 kB at most.
const MOST_CELLS: usize = 2_048;

/// The finest cells: 2 to the power of this for each doubling.
const FINEST: u32 = 10;

/// Lifetimes that were seen, some of them of connections that were still open.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifetimes {
    bits: u32,
    ended: BTreeMap<u32, Cell>,
    open: BTreeMap<u32, Cell>,
    assumed: Option<Duration>,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { bits: FINEST, ended: BTreeMap::new(), open: BTreeMap::new(), assumed: None }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    number: u64,
    nanos: u128,
}

impl Cell {
    fn add(&mut self, other: Self) {
        self.number += other.number;
        self.nanos += other.nanos;
    }

    fn mean_s(self) -> f64 {
        self.nanos as f64 * 1e-9 / self.number as f64
    }
}

/// A part of the law: so much of it lasts so long.
#[derive(Clone, Copy, Debug)]
struct Step {
    share: f64,
    seconds: f64,
}

impl Lifetimes {
    /// No lifetime was seen, but their mean follows from something else (Little's law, from one look at
    /// how many are open); they are taken as exponential.
    #[must_use]
    pub fn assumed(mean: Duration) -> Self {
        Self { assumed: Some(mean), ..Self::default() }
    }

    /// Is the law assumed, and not seen?
    #[must_use]
    pub fn is_assumed(&self) -> bool {
        self.assumed.is_some() && self.number() == 0
    }

    /// Counts a connection that lasted so long.
    pub fn record(&mut self, lifetime: Duration) {
        add(&mut self.ended, self.bits, lifetime);
        self.keep_small();
    }

    /// Counts a connection that had lasted so long when it was last seen, and was open.
    pub fn record_open(&mut self, so_far: Duration) {
        add(&mut self.open, self.bits, so_far);
        self.keep_small();
    }

    /// Adds what `other` has. An assumed mean stays only where nothing was seen.
    pub fn merge(&mut self, other: &Self) {
        while self.bits > other.bits {
            self.coarsen();
        }
        let (from, to) = (other.bits, self.bits);
        for (cells, others) in [(&mut self.ended, &other.ended), (&mut self.open, &other.open)] {
            for (&key, &cell) in others {
                cells.entry(coarser(key, from, to)).or_default().add(cell);
            }
        }
        self.assumed = self.assumed.or(other.assumed);
        self.keep_small();
    }

    /// Connections that have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended.values().map(|cell| cell.number).sum()
    }

    /// Connections that were open when last seen.
    #[must_use]
    pub fn still_open(&self) -> u64 {
        self.open.values().map(|cell| cell.number).sum()
    }

    /// Connections that were seen.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.ended() + self.still_open()
    }

    /// The mean, exact where all have ended; `None` where nothing is known.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        if self.number() == 0 {
            return self.assumed;
        }
        let mean = self.law().iter().map(|step| step.share * step.seconds).sum();
        Some(Duration::from_secs_f64(mean))
    }

    /// The time that a share of `p` (0 to 1) lasts no longer than; `None` where nothing is known.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<Duration> {
        if self.number() == 0 {
            // Of an exponential law: P(X > x) = exp(-x / mean).
            let mean = self.assumed?;
            return Some(mean.mul_f64(-libm::log(1.0 - p.clamp(0.0, 0.999_999))));
        }
        let mut below = 0.0;
        let law = self.law();
        let found = law.iter().find(|step| {
            below += step.share;
            // Shares are sums of rounded numbers.
            below >= p - 1e-9
        });
        found.or(law.last()).map(|step| Duration::from_secs_f64(step.seconds))
    }

    /// `count` values that stand for the law, each for an equal share of it, rising: each is the mean of
    /// its share, so their mean is the law's own. Empty where nothing is known.
    ///
    /// ```
    /// use std::time::Duration;
    /// let mut seen = portsim::survey::Lifetimes::default();
    /// (1..=4).for_each(|seconds| seen.record(Duration::from_secs(seconds)));
    /// let two: Vec<f64> = seen.quantiles(2).iter().map(Duration::as_secs_f64).collect();
    /// assert_eq!(two, [1.5, 3.5]);
    /// ```
    #[must_use]
    pub fn quantiles(&self, count: usize) -> Vec<Duration> {
        let law = self.known_law(count);
        if law.is_empty() || count == 0 {
            return Vec::new();
        }
        let width = 1.0 / count as f64;
        let mut slices = Vec::with_capacity(count);
        let (mut room, mut sum) = (width, 0.0);
        for step in law {
            let mut share = step.share;
            // The last one takes what rounding leaves.
            while share >= room && slices.len() + 1 < count {
                slices.push((sum + room * step.seconds) / width);
                share -= room;
                (room, sum) = (width, 0.0);
            }
            room -= share;
            sum += share * step.seconds;
        }
        slices.push(sum / width);
        slices.into_iter().map(Duration::from_secs_f64).collect()
    }

    /// The law as it is known, an assumed one in `count` parts.
    fn known_law(&self, count: usize) -> Vec<Step> {
        match (self.number(), self.assumed) {
            (0, Some(mean)) => exponential(mean.as_secs_f64(), count),
            _ => self.law(),
        }
    }

    /// Kaplan-Meier over the cells, in rising order. Within a cell those that ended come first.
    fn law(&self) -> Vec<Step> {
        let mut at_risk = self.number();
        let mut left = 1.0;
        let mut law = Vec::with_capacity(self.ended.len() + 1);
        let mut open = self.open.iter().peekable();
        for (&key, &cell) in &self.ended {
            while let Some((_, gone)) = open.next_if(|(open, _)| **open < key) {
                at_risk -= gone.number;
            }
            let share = left * cell.number as f64 / at_risk as f64;
            law.push(Step { share, seconds: cell.mean_s() });
            left -= share;
            at_risk -= cell.number;
        }
        let longest = self.open.last_key_value().map(|(_, cell)| cell.mean_s());
        if let Some(seconds) = longest.filter(|_| at_risk > 0) {
            // Of one cell, some may have ended later than others were last seen.
            let ended = law.last().map_or(0.0, |step| step.seconds);
            law.push(Step { share: left, seconds: seconds.max(ended) });
        }
        law
    }

    fn keep_small(&mut self) {
        while self.ended.len() + self.open.len() > MOST_CELLS && self.bits > 1 {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        for cells in [&mut self.ended, &mut self.open] {
            let mut merged: BTreeMap<u32, Cell> = BTreeMap::new();
            for (&key, &cell) in &*cells {
                merged.entry(coarser(key, self.bits, self.bits - 1)).or_default().add(cell);
            }
            *cells = merged;
        }
        self.bits -= 1;
    }
}

/// The means of `count` equal shares of an exponential law, from its integral.
fn exponential(mean: f64, count: usize) -> Vec<Step> {
    // The integral of x dF up to where a share u of it is left: mean * (u ln u - u), and 0 at u = 0.
    let upto = |left: f64| if left == 0.0 { 0.0 } else { left * libm::log(left) - left };
    let width = 1.0 / count as f64;
    let slice = |i: usize| {
        let (from, to) = (1.0 - i as f64 * width, 1.0 - (i + 1) as f64 * width);
        let to = if i + 1 == count { 0.0 } else { to };
        Step { share: width, seconds: mean * (upto(to) - upto(from)) / width }
    };
    (0..count).map(slice).collect()
}

fn add(cells: &mut BTreeMap<u32, Cell>, bits: u32, lifetime: Duration) {
    let nanos = lifetime.as_nanos();
    let micros = u64::try_from(nanos / 1_000).unwrap_or(u64::MAX);
    cells.entry(key(micros, bits)).or_default().add(Cell { number: 1, nanos });
}

/// Number of the cell, with `2^bits` of them for each doubling above `2^bits`.
const fn key(micros: u64, bits: u32) -> u32 {
    if micros < 1 << bits {
        return micros as u32;
    }
    let shift = micros.ilog2() - bits;
    (shift << bits) + (micros >> shift) as u32
}

/// The cell of the coarser scale `to` that holds the cell `key` of the scale `from`.
const fn coarser(number: u32, from: u32, to: u32) -> u32 {
    let shift = (number >> from).saturating_sub(1);
    let lowest = ((number - (shift << from)) as u64) << shift;
    key(lowest, to)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn of(micros: &[u64]) -> Lifetimes {
        let mut lifetimes = Lifetimes::default();
        micros.iter().for_each(|&micros| lifetimes.record(Duration::from_micros(micros)));
        lifetimes
    }

    fn near(found: f64, meant: f64, share: f64) {
        assert!((found - meant).abs() <= share * meant + 1e-12, "{found}, not {meant}");
    }

    #[test]
    fn cells_follow_each_other_without_a_gap() {
        for bits in [1, 4, FINEST] {
            let keys: Vec<u32> = (0..5_000).map(|micros| key(micros, bits)).collect();
            assert!(keys.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1));
        }
        assert!(key(u64::MAX, FINEST) < 64 << FINEST);
    }

    #[test]
    fn nothing_seen_says_nothing() {
        let none = Lifetimes::default();
        assert_eq!((none.mean(), none.quantile(0.5)), (None, None));
        assert!(none.quantiles(10).is_empty());
    }

    #[test]
    fn lifetimes_of_zero_are_lifetimes() {
        let zero = of(&[0, 0, 0]);
        assert_eq!(zero.mean(), Some(Duration::ZERO));
        assert_eq!(zero.quantiles(3), [Duration::ZERO; 3]);
    }

    #[test]
    fn an_assumed_law_is_exponential() {
        let assumed = Lifetimes::assumed(Duration::from_secs(2));
        assert!(assumed.is_assumed());
        near(assumed.quantile(0.5).unwrap().as_secs_f64(), 2.0 * core::f64::consts::LN_2, 1e-9);
        let slices = assumed.quantiles(100);
        let mean = slices.iter().map(Duration::as_secs_f64).sum::<f64>() / 100.0;
        near(mean, 2.0, 1e-6);
    }

    proptest! {
        /// Against the plain list, at any fineness.
        #[test]
        fn means_are_exact_and_quantiles_as_fine_as_the_cells(
            micros in prop::collection::vec(0_u64..5_000_000_000, 1..400),
            p in 0.0..1.0_f64,
            coarser in 0_u32..5,
        ) {
            let mut lifetimes = of(&micros);
            (0..coarser).for_each(|_| lifetimes.coarsen());
            let mut sorted = micros.clone();
            sorted.sort_unstable();
            let mean = micros.iter().sum::<u64>() as f64 * 1e-6 / micros.len() as f64;
            near(lifetimes.mean().unwrap().as_secs_f64(), mean, 1e-9);
            let rank = ((p * sorted.len() as f64).ceil() as usize).max(1) - 1;
            let width = 1.0 / f64::from(1 << (FINEST - coarser));
            near(lifetimes.quantile(p).unwrap().as_secs_f64(), sorted[rank] as f64 * 1e-6, width);
        }

        #[test]
        fn equal_shares_rise_and_keep_the_mean(
            ended in prop::collection::vec(0_u64..50_000_000, 1..200),
            open in prop::collection::vec(0_u64..50_000_000, 0..50),
            count in 1_usize..150,
        ) {
            let mut lifetimes = of(&ended);
            open.iter().for_each(|&micros| lifetimes.record_open(Duration::from_micros(micros)));
            let shares: Vec<f64> =
                lifetimes.quantiles(count).iter().map(Duration::as_secs_f64).collect();
            prop_assert_eq!(shares.len(), count);
            prop_assert!(shares.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9));
            let mean = shares.iter().sum::<f64>() / count as f64;
            near(mean, lifetimes.mean().unwrap().as_secs_f64(), 1e-6);
        }

        #[test]
        fn what_is_merged_is_what_was_recorded_in_one(
            one in prop::collection::vec(0_u64..5_000_000_000, 0..100),
            other in prop::collection::vec(0_u64..5_000_000_000, 0..100),
            coarser in 0_u32..3,
        ) {
            let mut merged = of(&one);
            let mut second = of(&other);
            (0..coarser).for_each(|_| second.coarsen());
            merged.merge(&second);
            let mut whole = of(&[one, other].concat());
            (0..coarser).for_each(|_| whole.coarsen());
            prop_assert_eq!(merged, whole);
        }
    }

    /// The product-limit estimate by hand: 1, 2+, 3, 4+ (+ is open) gives 1/4 at 1, 3/8 at 3, and what is
    /// left, 3/8, at 4.
    #[test]
    fn open_ones_have_their_weight_by_kaplan_and_meier() {
        let mut lifetimes = of(&[1_000_000, 3_000_000]);
        lifetimes.record_open(Duration::from_secs(2));
        lifetimes.record_open(Duration::from_secs(4));
        near(lifetimes.mean().unwrap().as_secs_f64(), 0.25 + 0.375 * 3.0 + 0.375 * 4.0, 1e-9);
        assert_eq!((lifetimes.ended(), lifetimes.still_open()), (2, 2));
    }

    /// Exponential lifetimes of mean 1 s, each cut at a moment that is uniform over 3 s: a third is open.
    /// By Little's law a mean of what ended alone is far too short; the estimate is restricted to 3 s,
    /// where the mean is 1 - exp(-3) = 0.9502. Its standard error with 40,000 is below 0.007.
    #[test]
    fn censoring_of_a_known_law_is_undone() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut lifetimes = Lifetimes::default();
        let mut ended = Vec::new();
        for number in 0..40_000 {
            let left = ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
            let life = -libm::log(left);
            let watched = 3.0 * (f64::from(number) + 0.5) / 40_000.0;
            if life <= watched {
                lifetimes.record(Duration::from_secs_f64(life));
                ended.push(life);
            } else {
                lifetimes.record_open(Duration::from_secs_f64(watched));
            }
        }
        assert!(lifetimes.bits < FINEST, "cells were put together");
        let naive = ended.iter().sum::<f64>() / ended.len() as f64;
        assert!(naive < 0.72, "{naive}");
        near(lifetimes.mean().unwrap().as_secs_f64(), 1.0 - (-3.0_f64).exp(), 0.015);
        near(lifetimes.quantile(0.5).unwrap().as_secs_f64(), core::f64::consts::LN_2, 0.02);
        near(lifetimes.quantile(0.9).unwrap().as_secs_f64(), 10.0_f64.ln(), 0.03);
    }

    #[test]
    fn no_more_cells_than_are_kept() {
        let micros: Vec<u64> = (0..30_000).map(|i: u64| i * i * 37).collect();
        let lifetimes = of(&micros);
        assert!(lifetimes.ended.len() <= MOST_CELLS);
        let mean = micros.iter().sum::<u64>() as f64 * 1e-6 / micros.len() as f64;
        near(lifetimes.mean().unwrap().as_secs_f64(), mean, 1e-9);
    }
}
