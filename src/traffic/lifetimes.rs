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

use std::time::Duration;

/// More cells than this are put together in pairs: 50 kB at most.
const MOST_CELLS: usize = 2_048;

/// What was recorded is put in order when there are as many.
const FEW: usize = 32;

/// The finest cells: 2 to the power of this for each doubling.
const FINEST: u32 = 10;

/// Lifetimes that were seen, some of them of connections that were still open.
#[derive(Clone, Debug)]
pub struct Lifetimes {
    bits: u32,
    ended: Cells,
    open: Cells,
    assumed: Option<Duration>,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { bits: FINEST, ended: Cells::default(), open: Cells::default(), assumed: None }
    }
}

impl PartialEq for Lifetimes {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |one: &Self| (one.ended.sorted(one.bits), one.open.sorted(one.bits));
        self.bits == other.bits && self.assumed == other.assumed && sorted(self) == sorted(other)
    }
}

/// Cells in order, and what was recorded since they were put in order.
#[derive(Clone, Debug, Default)]
struct Cells {
    cells: Vec<Cell>,
    /// Nanoseconds.
    fresh: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    key: u32,
    number: u64,
    /// Their sum; a cell of more than 500 years is not seen.
    nanos: u64,
}

impl Cell {
    fn mean_s(self) -> f64 {
        self.nanos as f64 * 1e-9 / self.number as f64
    }
}

impl Cells {
    /// Counts one; true when it is time to put them in order.
    fn record(&mut self, lifetime: Duration) -> bool {
        self.fresh.push(u64::try_from(lifetime.as_nanos()).unwrap_or(u64::MAX));
        // As many as there are cells: each is put in order a few times at most.
        self.fresh.len() >= FEW.max(self.cells.len())
    }

    fn put_in_order(&mut self, bits: u32) {
        let fresh = self.fresh.drain(..);
        let cells = fresh.map(|nanos| Cell { key: key(nanos / 1_000, bits), number: 1, nanos });
        self.cells.extend(cells);
        self.together();
    }

    /// One cell for each key, in order.
    fn together(&mut self) {
        self.cells.sort_by_key(|cell| cell.key);
        self.cells.dedup_by(|later, kept| {
            let same = later.key == kept.key;
            if same {
                kept.number += later.number;
                kept.nanos = kept.nanos.saturating_add(later.nanos);
            }
            same
        });
    }

    fn coarsen(&mut self, from: u32) {
        self.cells.iter_mut().for_each(|cell| cell.key = coarser(cell.key, from, from - 1));
        self.together();
    }

    /// All of them, in order.
    fn sorted(&self, bits: u32) -> Vec<Cell> {
        let mut all = self.clone();
        all.put_in_order(bits);
        all.cells
    }

    fn number(&self) -> u64 {
        self.fresh.len() as u64 + self.cells.iter().map(|cell| cell.number).sum::<u64>()
    }
}

/// A part of the law: so much of it lasts so long.
#[derive(Clone, Copy, Debug)]
struct LawStep {
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
        if self.ended.record(lifetime) {
            self.put_in_order();
        }
    }

    /// Counts a connection that had lasted so long when it was last seen, and was open.
    pub fn record_open(&mut self, so_far: Duration) {
        if self.open.record(so_far) {
            self.put_in_order();
        }
    }

    /// Adds what `other` has. An assumed mean stays only where nothing was seen.
    pub fn merge(&mut self, other: &Self) {
        while self.bits > other.bits {
            self.coarsen();
        }
        let (from, to) = (other.bits, self.bits);
        for (cells, others) in [(&mut self.ended, &other.ended), (&mut self.open, &other.open)] {
            let others = others.sorted(from);
            cells.cells.extend(
                others.into_iter().map(|cell| Cell { key: coarser(cell.key, from, to), ..cell }),
            );
        }
        self.assumed = self.assumed.or(other.assumed);
        self.put_in_order();
    }

    /// Connections that have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended.number()
    }

    /// Connections that were open when last seen.
    #[must_use]
    pub fn still_open(&self) -> u64 {
        self.open.number()
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
    /// let mut seen = portsim::traffic::Lifetimes::default();
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
    fn known_law(&self, count: usize) -> Vec<LawStep> {
        match (self.number(), self.assumed) {
            (0, Some(mean)) => exponential(mean.as_secs_f64(), count),
            _ => self.law(),
        }
    }

    /// Kaplan-Meier over the cells, in rising order. Within a cell those that ended come first.
    fn law(&self) -> Vec<LawStep> {
        let (ended, open) = (self.ended.sorted(self.bits), self.open.sorted(self.bits));
        let mut at_risk = self.number();
        let mut left = 1.0;
        let mut law = Vec::with_capacity(ended.len() + 1);
        let longest = open.last().map(|cell| cell.mean_s());
        let mut open = open.into_iter().peekable();
        for cell in ended {
            while let Some(gone) = open.next_if(|open| open.key < cell.key) {
                at_risk -= gone.number;
            }
            let share = left * cell.number as f64 / at_risk as f64;
            law.push(LawStep { share, seconds: cell.mean_s() });
            left -= share;
            at_risk -= cell.number;
        }
        if let Some(seconds) = longest.filter(|_| at_risk > 0) {
            // Of one cell, some may have ended later than others were last seen.
            let ended = law.last().map_or(0.0, |step| step.seconds);
            law.push(LawStep { share: left, seconds: seconds.max(ended) });
        }
        law
    }

    fn put_in_order(&mut self) {
        self.ended.put_in_order(self.bits);
        self.open.put_in_order(self.bits);
        while self.ended.cells.len() + self.open.cells.len() > MOST_CELLS && self.bits > 1 {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.ended.put_in_order(self.bits);
        self.open.put_in_order(self.bits);
        self.ended.coarsen(self.bits);
        self.open.coarsen(self.bits);
        self.bits -= 1;
    }
}

/// The means of `count` equal shares of an exponential law, from its integral.
fn exponential(mean: f64, count: usize) -> Vec<LawStep> {
    // The integral of x dF up to where a share u of it is left: mean * (u ln u - u), and 0 at u = 0.
    let upto = |left: f64| if left == 0.0 { 0.0 } else { left * libm::log(left) - left };
    let width = 1.0 / count as f64;
    let slice = |i: usize| {
        let (from, to) = (1.0 - i as f64 * width, 1.0 - (i + 1) as f64 * width);
        let to = if i + 1 == count { 0.0 } else { to };
        LawStep { share: width, seconds: mean * (upto(to) - upto(from)) / width }
    };
    (0..count).map(slice).collect()
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
mod tests;
