//! Counting numbers by size in the layout of HdrHistogram: 3 significant digits, in a nanosecond.
//!
//! The hot loop only adds one to a cell; the cells move into an `hdrhistogram::Histogram` exactly,
//! cell for cell, when the run is over.

use hdrhistogram::Histogram;

/// Values below this have a cell of their own: 2,048 for three significant digits.
const EXACT_BITS: u32 = 11;

/// Counts of numbers up to `u32::MAX`, each to within one part in 1,024.
#[derive(Clone, Debug, Default)]
pub struct LogLinear {
    /// As many as it took so far: a thousand hosts that do little must not take a gigabyte.
    cells: Vec<u64>,
    most: u32,
}

/// Two halves: a doubling of the value has 1,024 cells, each twice as wide as those of the last.
#[inline]
const fn cell(value: u32) -> usize {
    let shift = (32 - value.leading_zeros()).saturating_sub(EXACT_BITS);
    (shift << (EXACT_BITS - 1)) as usize + (value >> shift) as usize
}

/// The least value of a cell: the inverse of [`cell`].
const fn least(cell: usize) -> u64 {
    let half = 1 << (EXACT_BITS - 1);
    if cell < 2 * half {
        return cell as u64;
    }
    let shift = cell / half - 1;
    ((cell - shift * half) as u64) << shift
}

impl LogLinear {
    /// Counts `value`.
    #[inline]
    pub fn record(&mut self, value: u32) {
        let cell = cell(value);
        match self.cells.get_mut(cell) {
            Some(count) => *count += 1,
            None => self.grow(cell),
        }
        self.most = self.most.max(value);
    }

    /// Makes room for `cell` and counts it.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, cell: usize) {
        self.cells.resize((cell + 1).next_multiple_of(1 << (EXACT_BITS - 1)), 0);
        self.cells[cell] += 1;
    }

    /// The greatest value counted, exactly; 0 when there is none.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        if self.cells.len() < other.cells.len() {
            self.cells.resize(other.cells.len(), 0);
        }
        self.cells.iter_mut().zip(&other.cells).for_each(|(sum, more)| *sum += more);
        self.most = self.most.max(other.most);
    }

    /// The same counts as a histogram with three significant digits.
    #[must_use]
    pub fn histogram(&self) -> Histogram<u64> {
        // As large as it must be, for of every host and client there are two; one digit for nothing at all.
        let most = self.cells.iter().rposition(|count| *count > 0).map(least);
        let digits = if most.is_some() { 3 } else { 1 };
        let mut histogram = Histogram::new_with_bounds(1, most.unwrap_or(2).max(2), digits)
            .expect("they are valid bounds");
        histogram.auto(true);
        for (index, &count) in self.cells.iter().enumerate().filter(|(_, count)| **count > 0) {
            histogram.record_n(least(index), count).expect("a cell's value lies in the bounds");
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Law: moving the cells changes nothing against recording straight into a histogram.
        #[test]
        fn it_is_the_histogram_that_it_becomes(values in prop::collection::vec(any::<u32>(), 1..300)) {
            let (mut own, mut direct) = (
                LogLinear::default(),
                Histogram::<u64>::new_with_bounds(1, u64::from(u32::MAX), 3).unwrap(),
            );
            for value in values.iter().enumerate().map(|(i, value)| value >> (i % 32)) {
                own.record(value);
                direct.record(u64::from(value)).unwrap();
            }
            let moved = own.histogram();
            prop_assert_eq!(moved.len(), direct.len());
            for quantile in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
                prop_assert_eq!(moved.value_at_quantile(quantile), direct.value_at_quantile(quantile));
            }
        }
    }
}
