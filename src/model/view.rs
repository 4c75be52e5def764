//! A row of ports as a search sees it.

use super::bitmap::Bitmaps;
use super::selection::FreePorts;

/// A row, behind a row of a mask that others share or not.
pub struct View<'a> {
    pub free: &'a Bitmaps,
    pub row: usize,
    pub mask: Option<&'a Bitmaps>,
    pub num_ephemeral: u32,
    /// Which halves of the range have none left, where that is known.
    pub exhausted: Option<[bool; 2]>,
}

impl FreePorts for View<'_> {
    fn num_ephemeral(&self) -> u32 {
        self.num_ephemeral
    }

    #[inline(always)]
    fn first_free(&self, from: u32, to: u32) -> Option<u32> {
        match self.mask {
            None => self.free.first_in(self.row, from, to),
            Some(mask) => self.free.first_common(self.row, mask, from, to),
        }
    }

    fn is_free(&self, bit: u32) -> bool {
        self.free.is_set(self.row, bit) && self.mask.is_none_or(|mask| mask.is_set(0, bit))
    }

    fn is_known_full(&self) -> bool {
        match self.exhausted {
            Some(halves) => halves == [true, true],
            None => self.first_free(0, self.num_ephemeral).is_none(),
        }
    }

    #[inline(always)]
    fn is_known_exhausted(&self, high: bool) -> bool {
        self.exhausted.is_some_and(|halves| halves[usize::from(high)])
    }
}
