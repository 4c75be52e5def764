//! Free ports as bits: rows of two-level bitmaps, one row a pool.
//!
//! A set bit is a port that may be chosen. A word of the upper level says which words of the lower
//! one are not empty, so the next free port is found in a handful of steps however full the range
//! is: 65,535 ports are 1,024 words below and 16 above.

/// Equal rows of bits, kept in one block of memory.
#[derive(Clone, Debug)]
pub struct Bitmaps {
    /// Bits in a row.
    bits: u32,
    /// Lower words in a row: a multiple of 64, so that a row has upper words of its own.
    words: usize,
    leaves: Vec<u64>,
    summaries: Vec<u64>,
}

impl Bitmaps {
    /// `rows` copies of a row of `bits` bits, all set but those in `cleared`.
    #[must_use]
    pub fn full(rows: usize, bits: u32, cleared: &[u32]) -> Self {
        let used = bits.div_ceil(64) as usize;
        let words = used.next_multiple_of(64);
        let mut row = vec![0; words];
        row[..used].fill(u64::MAX);
        if !bits.is_multiple_of(64) {
            row[used - 1] = (1 << (bits % 64)) - 1;
        }
        for &bit in cleared {
            row[bit as usize / 64] &= !(1 << (bit % 64));
        }
        let mut summary = vec![0; words / 64];
        for (word, &leaf) in row.iter().enumerate() {
            summary[word / 64] |= u64::from(leaf != 0) << (word % 64);
        }
        Self { bits, words, leaves: row.repeat(rows), summaries: summary.repeat(rows) }
    }

    /// One row more, all set; gives its number.
    pub fn add_row(&mut self) -> usize {
        let row = Self::full(1, self.bits, &[]);
        self.leaves.extend(row.leaves);
        self.summaries.extend(row.summaries);
        self.leaves.len() / self.words - 1
    }

    /// Bits in a row.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// Is `bit` of `row` set?
    #[must_use]
    pub fn is_set(&self, row: usize, bit: u32) -> bool {
        self.leaves[row * self.words + bit as usize / 64] >> (bit % 64) & 1 == 1
    }

    /// Sets `bit` of `row`.
    #[inline(always)]
    pub fn set(&mut self, row: usize, bit: u32) {
        let word = row * self.words + bit as usize / 64;
        self.leaves[word] |= 1 << (bit % 64);
        self.summaries[word / 64] |= 1 << (word % 64);
    }

    /// Clears `bit` of `row`.
    #[inline(always)]
    pub fn clear(&mut self, row: usize, bit: u32) {
        let word = row * self.words + bit as usize / 64;
        let leaf = &mut self.leaves[word];
        *leaf &= !(1 << (bit % 64));
        if *leaf == 0 {
            self.summaries[word / 64] &= !(1 << (word % 64));
        }
    }

    /// The lowest set bit of `row` in `from..to`.
    #[inline(always)]
    #[must_use]
    pub fn first_in(&self, row: usize, from: u32, to: u32) -> Option<u32> {
        if from >= to {
            return None;
        }
        let word = from as usize / 64;
        let here = self.leaves[row * self.words + word] >> (from % 64);
        let found = if here != 0 {
            from + here.trailing_zeros()
        } else {
            let next = self.next_word(row, word + 1)?;
            next as u32 * 64 + self.leaves[row * self.words + next].trailing_zeros()
        };
        (found < to).then_some(found)
    }

    /// The lowest bit in `from..to` that is set in `row` and in the only row of `mask`.
    #[must_use]
    pub fn first_common(&self, row: usize, mask: &Self, from: u32, to: u32) -> Option<u32> {
        let mut from = from;
        while let Some(candidate) = self.first_in(row, from, to) {
            let word = candidate as usize / 64;
            let both = self.leaves[row * self.words + word]
                & mask.leaves[word]
                & (u64::MAX << (candidate % 64));
            if both != 0 {
                let found = word as u32 * 64 + both.trailing_zeros();
                return (found < to).then_some(found);
            }
            from = (word as u32 + 1) * 64;
        }
        None
    }

    /// The first word of `row`, from `word` on, that is not empty.
    #[inline]
    fn next_word(&self, row: usize, word: usize) -> Option<usize> {
        let upper_words = self.words / 64;
        let summaries = &self.summaries[row * upper_words..][..upper_words];
        let mut upper = word / 64;
        let mut here = summaries.get(upper)? & (u64::MAX << (word % 64));
        while here == 0 {
            upper += 1;
            here = *summaries.get(upper)?;
        }
        Some(upper * 64 + here.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Law: a row behaves as a set of numbers, and rows do not touch each other.
        #[test]
        fn a_row_is_a_set(
            bits in 1_u32..9_000,
            steps in prop::collection::vec((any::<u32>(), any::<bool>(), any::<u32>()), 1..200),
        ) {
            let mut rows = Bitmaps::full(3, bits, &[0]);
            let mut set: BTreeSet<u32> = (1..bits).collect();
            for (bit, on, from) in steps {
                let (bit, from) = (bit % bits, from % bits);
                if on { rows.set(1, bit); set.insert(bit); } else { rows.clear(1, bit); set.remove(&bit); }
                prop_assert_eq!(rows.first_in(1, from, bits), set.range(from..).next().copied());
                prop_assert_eq!(rows.is_set(1, bit), on);
            }
            for other in [0, 2] {
                prop_assert_eq!(rows.first_in(other, 0, bits), (bits > 1).then_some(1));
            }
        }

        /// Law: `first_common` is the first member of the intersection.
        #[test]
        fn common_bits_are_the_intersection(
            gone in prop::collection::vec(0_u32..5_000, 0..4_000),
            masked in prop::collection::vec(0_u32..5_000, 0..4_000),
            from in 0_u32..5_000,
        ) {
            let (mut rows, mut mask) = (Bitmaps::full(1, 5_000, &[]), Bitmaps::full(1, 5_000, &[]));
            gone.iter().for_each(|&bit| rows.clear(0, bit));
            masked.iter().for_each(|&bit| mask.clear(0, bit));
            let expected = (from..5_000).find(|bit| !gone.contains(bit) && !masked.contains(bit));
            prop_assert_eq!(rows.first_common(0, &mask, from, 5_000), expected);
        }
    }

    #[test]
    fn a_search_stops_before_its_end() {
        let mut row = Bitmaps::full(1, 200, &[]);
        (0..150).for_each(|bit| row.clear(0, bit));
        assert_eq!(row.first_in(0, 10, 150), None);
        assert_eq!(row.first_in(0, 10, 151), Some(150));
        assert_eq!(row.first_in(0, 5, 5), None);
    }
}
